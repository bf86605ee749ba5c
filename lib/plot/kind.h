/* kind: what a picture owes, and what pictures are made of. */
#ifndef RM_PLOT_KIND_H
#define RM_PLOT_KIND_H

#include "plot.h"
#include "report/formats.h"

struct rm_plot_kind {
	const char *name;		/* of its files */
	enum rm_place place;		/* where a report has it */
	int order;			/* among those of that place */
	/*
	 * Fill title, caption and script, or set `absent`; height where it
	 * is not the usual one.  -1 only for want of memory, which may also
	 * be left to the buffers.
	 */
	int (*make)(struct rm_plot *p, const struct rm_plot_data *data);
};

/* ---- scripts, in one style ---- */

/*
 * Line styles of all pictures, told apart without colour: what matters most
 * is black and whole, what it is held against grey or dashed.
 */
enum rm_plot_style {
	RM_STYLE_MAIN = 1,	/* black line, filled circles */
	RM_STYLE_OTHER,		/* grey dashed line, open squares */
	RM_STYLE_GUIDE,		/* thin dotted grey line */
	RM_STYLE_LIGHT,		/* light grey filling */
	RM_STYLE_DOT		/* small grey points */
};

/* The style, the title; axes with what stands at them. */
void rm_plot_begin(struct rm_plot *p);
void rm_plot_axes(struct rm_plot *p, const char *x, const char *y);
/*
 * Text from anywhere, valid UTF-8, as a string of gnuplot: nothing in it is
 * looked at.  Control characters become blanks; more than `most` columns are
 * cut.
 */
void rm_plot_quote(struct rm_buf *out, const char *text, size_t most);
/* The same as a label of an axis, where a % would be a format. */
void rm_plot_quote_label(struct rm_buf *out, const char *text, size_t most);
/* Blanks and a number as gnuplot reads it; NaN as NaN. */
void rm_plot_number(struct rm_buf *out, double x);

#endif
