/* robust: other data, and attacks, in each format of a report. */
#ifndef RM_REPORT_ROBUST_H
#define RM_REPORT_ROBUST_H

#include "report/formats.h"

/* Each appends nothing where nothing of it was asked for or read. */
void rm_report_robust_text(struct rm_buf *out, const struct rm_report *r);
/* The members "ood" and "attack", each ending in ",\n". */
void rm_report_robust_json(struct rm_buf *out, const struct rm_report *r);
void rm_report_robust_tsv(struct rm_buf *out, const struct rm_report *r);

void rm_report_ood_html(struct rm_buf *out, const struct rm_report *r);
/* The table alone, within a section. */
void rm_report_attack_html(struct rm_buf *out, const struct rm_report *r);

/* The figures of a row, by the names that they have in reports. */
enum { RM_ATTACK_FIGURES = 5 };

struct rm_attack_figure {
	const char *name, *brief;
	const struct rm_figure *figure;
};

void rm_report_attack_figures(const struct rm_attacked *row,
			      struct rm_attack_figure *to);

#endif
