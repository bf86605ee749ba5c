/* prometheus: a report in the text format of a textfile collector. */
#ifndef RM_REPORT_PROMETHEUS_H
#define RM_REPORT_PROMETHEUS_H

#include "report.h"

void rm_report_prometheus(const struct rm_report *r, struct rm_buf *out);

#endif
