/* Reliability: of what is called so likely, how much happens? */
#include "plot/kind.h"

#include <math.h>

struct points {
	const struct rm_scores *scores;
	bool raw;		/* sigmoid(d), whatever a calibration says */
	bool predicted;		/* the mean of P, not of p */
};

static void prob(const struct points *a, size_t i, double *first,
		 double *second)
{
	if (!a->raw) {
		rm_scores_prob(a->scores, i, first, second);
		return;
	}
	*first = 1 / (1 + exp(-a->scores->d[i]));
	*second = 1 / (1 + exp(a->scores->d[i]));
}

static void walk(struct rm_means *m, const void *arg)
{
	const struct points *a = arg;
	const struct rm_scores *s = a->scores;
	double first, second;
	size_t r, i;

	for (r = 0; r < s->records; r++) {
		double w = rm_scores_weight(s, r);

		if (rm_scores_begins(s, r))
			rm_means_end(m);
		for (i = rm_scores_comparison(s, r);
		     i < rm_scores_comparison(s, r + 1); i++) {
			double p = rm_scores_p(s, i);

			prob(a, i, &first, &second);
			rm_means_add(m, rm_ece_bin(first), w,
					  a->predicted ? first : p);
			rm_means_add(m, rm_ece_bin(second), w,
					  a->predicted ? second : 1 - p);
		}
	}
	rm_means_end(m);
}

/* Columns: mean P, mean p, low, high, middle of the bin, points. */
static size_t put_points(struct rm_buf *out, const struct rm_scores *s,
			 bool raw, const char *name)
{
	struct rm_mean seen[RM_ECE_BINS] = {0}, said[RM_ECE_BINS] = {0};
	struct rm_means m = { .share = true, .n = RM_ECE_BINS };
	struct points a = { s, raw, false };
	size_t i, most = 0;

	m.bin = seen;
	rm_means(&m, walk, &a);
	m.second = false;
	m.bin = said;
	a.predicted = true;
	rm_means(&m, walk, &a);
	rm_buf_printf(out, "$%s << END\n", name);
	for (i = 0; i < RM_ECE_BINS; i++) {
		if (!(seen[i].weight > 0))
			continue;
		rm_plot_number(out, said[i].mean);
		rm_plot_number(out, seen[i].mean);
		rm_plot_number(out, isnan(seen[i].low) ? seen[i].mean :
			       seen[i].low);
		rm_plot_number(out, isnan(seen[i].low) ? seen[i].mean :
			       seen[i].high);
		rm_buf_printf(out, " %g %zu\n", ((double)i + .5) / RM_ECE_BINS,
			      seen[i].points);
		most = RM_MAX(most, seen[i].points);
	}
	rm_buf_puts(out, "END\n");
	return most;
}

static void put_curves(struct rm_buf *out, bool calibrated)
{
	rm_buf_puts(out, "set multiplot\nset lmargin at screen .13\n"
		    "set rmargin at screen .96\nset tmargin at screen .91\n"
		    "set bmargin at screen .42\nset xrange [0:1]\n"
		    "set yrange [0:1]\nset xtics .2\nset ytics .2\n"
		    "set format x ''\nunset key\n"
		    "plot x with lines ls 3");
	if (calibrated)
		rm_buf_puts(out, ", $raw using 1:2 with linespoints ls 2");
	rm_buf_puts(out, ", $said using 1:2 with linespoints ls 1, "
		    "$said using 1:2:3:4 with yerrorbars ls 1\n");
}

/*
 * How many there are, below: half of the largest number is a step.  The key
 * of both stands under it.
 */
static void put_counts(struct rm_buf *out, size_t most, bool calibrated)
{
	double half = (double)most / 2;
	double step = pow(10, floor(log10(half)));

	step *= floor(half / step);
	rm_buf_printf(out, "unset title\nset tmargin at screen .37\n"
		      "set bmargin at screen .2\nset yrange [0:%.6g]\n"
		      "set ytics %.6g\nset format x '%%g'\n"
		      "set ylabel 'points'\n"
		      "set xlabel 'predicted P(preferred)'\n"
		      "set boxwidth .094\n"
		      "set key\n",
		      1.05 * (double)most, RM_MAX(step, 1));
	rm_buf_puts(out, "plot $said using 5:6 with boxes ls 4 notitle, "
		    "NaN with lines ls 3 title 'as said'");
	if (calibrated)
		rm_buf_puts(out, ", NaN with linespoints ls 2 title "
			    "'sigmoid(d)'");
	rm_buf_printf(out, ", NaN with linespoints ls 1 title '%s'\n"
		      "unset multiplot\n", calibrated ? "calibrated" :
		      "sigmoid(d)");
}

static int make(struct rm_plot *p, const struct rm_plot_data *data)
{
	const struct rm_scores *s = data->scores;
	bool calibrated = s->prob != NULL;
	size_t most;

	if (s->n == 0) {
		p->absent = "no comparisons";
		return 0;
	}
	p->height = 520;
	rm_buf_puts(&p->title, "Reliability: ");
	rm_report_put_things(&p->title, s->n, "comparison");
	rm_buf_printf(&p->caption, "For each tenth of P(preferred) how often "
		      "the response was preferred, from both sides of a "
		      "comparison. Above the diagonal more happens than was "
		      "predicted. Bars are 95 %% intervals, clustered by %s, "
		      "none where a tenth holds one alone; below, how many "
		      "points a tenth holds.",
		      s->keyed ? "prompt" : "record");
	rm_plot_begin(p);
	rm_plot_axes(p, "", "preferred, share of points");
	if (calibrated)
		put_points(&p->script, s, true, "raw");
	most = put_points(&p->script, s, false, "said");
	put_curves(&p->script, calibrated);
	put_counts(&p->script, most, calibrated);
	return 0;
}

const struct rm_plot_kind rm_plot_reliability = {
	.name = "reliability", .place = RM_PLACE_CALIBRATION, .order = 1,
	.make = make
};
