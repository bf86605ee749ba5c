/* drift: what has changed since a baseline, in each format of a report. */
#ifndef RM_REPORT_DRIFT_H
#define RM_REPORT_DRIFT_H

#include "report.h"

/* Each appends nothing where there is no baseline. */
void rm_report_drift_text(struct rm_buf *out, const struct rm_report *r);
/* The member "drift", ending in ",\n". */
void rm_report_drift_json(struct rm_buf *out, const struct rm_report *r);
void rm_report_drift_tsv(struct rm_buf *out, const struct rm_report *r);
void rm_report_drift_html(struct rm_buf *out, const struct rm_report *r);

/* One quantity's figures, NaN where they could not be computed. */
struct rm_drift_figure {
	const char *name, *brief;
	double value, low, high;	/* NaN: no interval */
};

enum { RM_DRIFT_FIGURES = 10 };

void rm_report_drift_figures(const struct rm_drifted *f,
			     struct rm_drift_figure *to);

#endif
