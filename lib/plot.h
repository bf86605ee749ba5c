/*
 * plot: the pictures of a report, drawn by gnuplot.
 *
 * A picture, a drop-in row of a file in lib/plot, turns scores and figures
 * into data and a script, or says why it has nothing to show.  gnuplot runs
 * as a process of its own, found by PATH, and is told all by a pipe.  Knows
 * scores and reports, not streams.  Errors as in base.h.  The same input
 * gives the same script, and one gnuplot the same bytes.
 *
 *	struct rm_plots plots;
 *	struct rm_plot_data data = { .scores = s, .report = r };
 *	if (rm_plots_draw(&plots, &data, true) < 0 ||
 *	    rm_plots_save(&plots, "plots") < 0)
 *		...
 *	rm_plots_fini(&plots);
 */
#ifndef RM_PLOT_H
#define RM_PLOT_H

#include "report.h"

/* ---- what a training run wrote ---- */

struct rm_plot_series {
	size_t n, x_cap, y_cap;
	double *x, *y;		/* [n] x ascending */
};

struct rm_training_log {
	struct rm_plot_series loss, valid;	/* by step */
	double best;		/* step of the saved model, NaN: none said */
};

/*
 * The JSON lines of rm-train --log.  Where steps begin again (a resumed run
 * appends), the later lines stand.
 */
int rm_training_log_load(struct rm_training_log *log, const char *path);
void rm_training_log_fini(struct rm_training_log *log);

/* ---- pictures ---- */

struct rm_plot_data {
	const struct rm_scores *scores;
	const struct rm_report *report;
	const struct rm_training_log *log;	/* NULL: none given */
};

/* A picture: its script, or why there is none. */
struct rm_plot {
	const struct rm_plot_kind *kind;
	const char *absent;		/* NULL: it can be drawn */
	unsigned width, height;
	struct rm_buf title;		/* of it: what it shows, n */
	struct rm_buf caption;		/* how to read it, in words */
	struct rm_buf script;		/* for gnuplot, but for the terminal */
	struct rm_buf svg, png;		/* once drawn */
	struct rm_buf page;		/* the SVG as part of a page of HTML */
};

struct rm_plots {
	size_t n;
	struct rm_plot *plot;		/* [n] in the order of reports */
	struct rm_report_picture *picture;	/* [n] for rm_report.picture */
};

/* Scripts and reasons alone; nothing is run.  rm_plots_fini also on error. */
int rm_plots_make(struct rm_plots *p, const struct rm_plot_data *data);
/* The same, drawn as SVG and where `png` says so as PNG. */
int rm_plots_draw(struct rm_plots *p, const struct rm_plot_data *data,
		  bool png);
/*
 * NAME.svg and NAME.png of each picture in the folder, which is made where
 * there is none.  An older picture of a name that has none now is removed.
 */
int rm_plots_save(const struct rm_plots *p, const char *folder);
const char *rm_plot_name(const struct rm_plot *p);
void rm_plots_fini(struct rm_plots *p);

/*
 * Run gnuplot on a script; what it writes to its standard output is appended.
 * The message says where it is not installed, failed, or took too long.
 */
int rm_gnuplot(const struct rm_buf *script, struct rm_buf *out);

#endif
