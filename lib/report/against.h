/* against: two models on the same data, and what could be seen there. */
#ifndef RM_REPORT_AGAINST_H
#define RM_REPORT_AGAINST_H

#include "report/formats.h"

/* Each appends nothing where nothing of it was asked for. */
void rm_report_against_text(struct rm_buf *out, struct rm_buf *cell,
			    const struct rm_report *r);
/* The members "against" and "min_detectable", each ending in ",\n". */
void rm_report_against_json(struct rm_buf *out, const struct rm_report *r);
void rm_report_against_tsv(struct rm_buf *out, const struct rm_report *r);
void rm_report_against_html(struct rm_buf *out, const struct rm_report *r);

#endif
