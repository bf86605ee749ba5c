/* svg: what gnuplot wrote, as a file of its own and as part of a page. */
#ifndef RM_PLOT_SVG_H
#define RM_PLOT_SVG_H

#include "plot.h"

/*
 * Append gnuplot's SVG with the picture's title and caption in it, and
 * nothing that changes from one gnuplot to another by name alone.  As part of
 * a page its ids begin with the picture's name, and no name space is told.
 * Anything that could run or fetch is an error.
 */
int rm_plot_svg(const struct rm_plot *p, const char *from, bool page,
		struct rm_buf *out);

#endif
