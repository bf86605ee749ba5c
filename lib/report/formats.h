/* formats: the renderers of a report, and what their parts share. */
#ifndef RM_REPORT_FORMATS_H
#define RM_REPORT_FORMATS_H

#include "report.h"

void rm_report_text(const struct rm_report *r, struct rm_buf *out);
void rm_report_json(const struct rm_report *r, struct rm_buf *out);
void rm_report_tsv(const struct rm_report *r, struct rm_buf *out);
void rm_report_html(const struct rm_report *r, struct rm_buf *out);
void rm_report_rewardbench(const struct rm_report *r, struct rm_buf *out);

/* ---- what is said in words, by text and HTML ---- */

/* 1234567 as 1,234,567; "1 record", "2 records". */
void rm_report_put_count(struct rm_buf *out, size_t n);
void rm_report_put_things(struct rm_buf *out, size_t n, const char *one);
/* A figure as a reader wants it, "n/a"; its interval, or nothing. */
void rm_report_put_value(struct rm_buf *out, const struct rm_figure *f);
void rm_report_put_interval(struct rm_buf *out, const struct rm_figure *f);
/* How the intervals were made, how P; no end of a line. */
void rm_report_put_method(struct rm_buf *out, const struct rm_report *r);
void rm_report_put_probability(struct rm_buf *out, const struct rm_report *r);
/* The question that a section answers. */
const char *rm_report_question(enum rm_section section);
/* Whether it belongs to the section, and says something there. */
bool rm_report_shows(const struct rm_report *r, const struct rm_figure *f,
		     enum rm_section section);
/* The answer: lines "  -> ...", those that go on begin with five blanks. */
void rm_report_put_findings(struct rm_buf *out, const struct rm_report *r,
			    enum rm_section section);
/* Which metrics are columns of the table of parts; how many. */
size_t rm_report_columns(const struct rm_report *r, size_t column[4]);
/* Why there is no such figure. */
const char *rm_report_why_absent(const struct rm_report *r,
				 const struct rm_metric_kind *m);

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
