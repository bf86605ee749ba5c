/* best: what choosing the best of n is worth, in each format of a report. */
#ifndef RM_REPORT_BEST_H
#define RM_REPORT_BEST_H

#include "report/formats.h"

/* Each appends nothing where there are no lists. */
void rm_report_best_text(struct rm_buf *out, const struct rm_report *r);
/* The member "best_of_n", ending in ",\n". */
void rm_report_best_json(struct rm_buf *out, const struct rm_report *r);
void rm_report_best_tsv(struct rm_buf *out, const struct rm_report *r);
/* The table alone, within a section. */
void rm_report_best_html(struct rm_buf *out, const struct rm_report *r);

#endif
