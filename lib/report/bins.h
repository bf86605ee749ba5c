/* bins: the reliability table in each format of a report. */
#ifndef RM_REPORT_BINS_H
#define RM_REPORT_BINS_H

#include "report.h"

/* A table to read; nothing where all bins are empty. */
void rm_report_bins_text(struct rm_buf *out, const struct rm_bins *b);
/* The value of key "bins": {"width": [{...}], "mass": [{...}]}. */
void rm_report_bins_json(struct rm_buf *out,
			 const struct rm_bins *const *bins);
/* Lines "*\tbin_width_0_prob\tVALUE\t\t". */
void rm_report_bins_tsv(struct rm_buf *out,
			const struct rm_bins *const *bins);
/* A table of the bins that hold points. */
void rm_report_bins_html(struct rm_buf *out, const struct rm_bins *b);

#endif
