/* against: two models on the same data, and what could be seen there. */
#ifndef RM_REPORT_AGAINST_H
#define RM_REPORT_AGAINST_H

#include "report.h"

/* Each appends nothing where nothing of it was asked for. */
void rm_report_against_text(struct rm_buf *out, struct rm_buf *cell,
			    const struct rm_report *r);
/* The members "against" and "min_detectable", each ending in ",\n". */
void rm_report_against_json(struct rm_buf *out, const struct rm_report *r);
void rm_report_against_tsv(struct rm_buf *out, const struct rm_report *r);

/* ---- of report.c, shared with its parts ---- */

/* A line of the text report; `cell` is scratch. */
void rm_report_figure_text(struct rm_buf *out, struct rm_buf *cell,
			   const struct rm_figure *f);
/* "name": value, and "name_ci": [low, high] for what can have one. */
void rm_report_figures_json(struct rm_buf *out, int indent,
			    const struct rm_figure *f, size_t n);
/* [low, high], null where there is none. */
void rm_report_interval_json(struct rm_buf *out, double low, double high);
/* A tab and the number, nothing for NaN. */
void rm_report_number_tsv(struct rm_buf *out, double x);

#endif
