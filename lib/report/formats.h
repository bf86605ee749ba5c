/* formats: the renderers of a report, and what their parts share. */
#ifndef RM_REPORT_FORMATS_H
#define RM_REPORT_FORMATS_H

#include "report.h"

void rm_report_text(const struct rm_report *r, struct rm_buf *out);
void rm_report_json(const struct rm_report *r, struct rm_buf *out);
void rm_report_tsv(const struct rm_report *r, struct rm_buf *out);

/* ---- text ---- */

/* A line of the text report; `cell` is scratch. */
void rm_report_figure_text(struct rm_buf *out, struct rm_buf *cell,
			   const struct rm_figure *f);

/* ---- json ---- */

/* "name": value, and "name_ci": [low, high] for what can have one. */
void rm_report_figures_json(struct rm_buf *out, int indent,
			    const struct rm_figure *f, size_t n);
/* [low, high], null where there is none. */
void rm_report_interval_json(struct rm_buf *out, double low, double high);

/* ---- tsv ---- */

/* A tab and the number, nothing for NaN. */
void rm_report_number_tsv(struct rm_buf *out, double x);

#endif
