/* suite: a published benchmark's table, in each format of a report. */
#ifndef RM_REPORT_SUITE_H
#define RM_REPORT_SUITE_H

#include "report/formats.h"

/* Each appends nothing where none was asked for. */
void rm_report_suite_text(struct rm_buf *out, const struct rm_report *r);
/* The member "suite", ending in ",\n". */
void rm_report_suite_json(struct rm_buf *out, const struct rm_report *r);
void rm_report_suite_tsv(struct rm_buf *out, const struct rm_report *r);
void rm_report_suite_html(struct rm_buf *out, const struct rm_report *r);

#endif
