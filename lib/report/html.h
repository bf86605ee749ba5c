/* html: what the parts of a page of HTML are written with. */
#ifndef RM_REPORT_HTML_H
#define RM_REPORT_HTML_H

#include "report.h"

/*
 * All text goes through these, so that it is text: <, &, quotes and control
 * characters of names are none of the page's.
 */
void rm_html_text(struct rm_buf *out, const char *s);

/* A heading with all that follows it; the id begins with no name of data. */
void rm_html_section(struct rm_buf *out, const char *id, const char *fmt, ...)
	RM_PRINTF(3, 4);
void rm_html_section_end(struct rm_buf *out);

/*
 * A table: heads end in NULL; each row has a name, then a cell for every
 * other head; a note stands below it, NULL for none.
 *
 *	rm_html_table(out, heads);
 *	rm_html_row(out, "psi");
 *	rm_html_number(out, "%.4f", psi);
 *	rm_html_words(out, "population stability index");
 *	rm_html_row_end(out);
 *	rm_html_table_end(out, "Of the rewards.");
 */
void rm_html_table(struct rm_buf *out, const char *const *heads);
void rm_html_row(struct rm_buf *out, const char *name);
void rm_html_cell(struct rm_buf *out, const char *fmt, ...) RM_PRINTF(2, 3);
/* fmt takes one double, or two; NaN is n/a, or an empty cell. */
void rm_html_number(struct rm_buf *out, const char *fmt, double x);
void rm_html_interval(struct rm_buf *out, const char *fmt, double low,
		      double high);
void rm_html_words(struct rm_buf *out, const char *text);
void rm_html_row_end(struct rm_buf *out);
void rm_html_table_end(struct rm_buf *out, const char *note);

/* The head above columns of words. */
#define RM_HTML_WORDS "What it is"

/* A table of metrics' figures with intervals and definitions; its rows. */
void rm_html_figures(struct rm_buf *out);
void rm_html_figure(struct rm_buf *out, const struct rm_report *r,
		    const struct rm_figure *f);
/* Lines "  -> ..." as paragraphs, those that go on joined. */
void rm_html_findings(struct rm_buf *out, struct rm_buf *lines);

#endif
