/* How rewards lie: of chosen and rejected responses, and between them. */
#include "plot/kind.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_BINS = 80 };

/* Two kinds of numbers in bins whose edges are whole multiples of width. */
struct histogram {
	double low, width;		/* the first edge is low * width */
	size_t bins;
	double count[2][MOST_BINS];
	size_t beyond;			/* counted in the bins at the ends */
};

/* ---- the numbers ---- */

/* Every comparison's margin and rewards: of what is preferred, of the other. */
struct sides {
	size_t n;
	double *chosen, *rejected, *weight;	/* [n] */
};

/* Of two responses the difference tells which is meant. */
static void put_side(struct sides *to, const struct rm_scores *s, size_t r,
		     size_t i, double better, double worse)
{
	int prefers = rm_scores_prefers(s, i);

	if (!prefers)
		return;
	to->chosen[to->n] = prefers > 0 ? better : worse;
	to->rejected[to->n] = prefers > 0 ? worse : better;
	to->weight[to->n++] = rm_scores_weight(s, r);
}

/* Of more, comparisons stand in the order of all pairs, better ones first. */
static void put_list(struct sides *to, const struct rm_scores *s, size_t r,
		     size_t c)
{
	size_t from = rm_scores_response(s, r), i, j;
	size_t end = rm_scores_response(s, r + 1);
	size_t last = rm_scores_comparison(s, r + 1);

	for (i = from; i < end; i++)
		for (j = from; j < end && c < last; j++)
			if (s->label[i] > s->label[j])
				put_side(to, s, r, c++, s->reward[i],
					 s->reward[j]);
}

static int find_sides(struct sides *to, const struct rm_scores *s)
{
	size_t room = RM_MAX(s->n, 1), r;

	to->chosen = rm_malloc(room, sizeof(double));
	to->rejected = rm_malloc(room, sizeof(double));
	to->weight = rm_malloc(room, sizeof(double));
	if (!to->chosen || !to->rejected || !to->weight)
		return -1;
	for (r = 0; r < s->records; r++) {
		size_t c = rm_scores_comparison(s, r);
		const double *x = s->reward + rm_scores_response(s, r);
		size_t k = rm_scores_response(s, r + 1) -
			rm_scores_response(s, r);
		bool first;

		if (k > 2)
			put_list(to, s, r, c);
		if (k != 2 || rm_scores_comparison(s, r + 1) == c)
			continue;
		first = s->d[c] == x[0] - x[1];
		put_side(to, s, r, c, x[!first], x[first]);
	}
	return 0;
}

static void free_sides(struct sides *s)
{
	free(s->chosen);
	free(s->rejected);
	free(s->weight);
}

/* ---- bins ---- */

/* 1, 2 or 5 times a power of ten, no less than x. */
static double round_up(double x)
{
	double power = pow(10, floor(log10(x)));

	return x <= power ? power : x <= 2 * power ? 2 * power :
		x <= 5 * power ? 5 * power : 10 * power;
}

/*
 * The range of all, or where a few lie far away that of nearly all; or why
 * there is none.
 */
static int find_range(const double *x, size_t n, struct histogram *h,
		      const char **absent)
{
	struct rm_order o = {0};
	double low, high, near_low, near_high, margin, want;

	*absent = "they lie too close together or too far apart to draw";
	if (rm_order_init(&o, x, n) < 0)
		return -1;
	low = x[o.index[0]];
	high = x[o.index[n - 1]];
	near_low = x[o.index[n / 200]];
	near_high = x[o.index[n - 1 - n / 200]];
	rm_order_fini(&o);
	if (low == high) {
		*absent = "all of them are equal";
		return 0;
	}
	margin = (near_high - near_low) / 2;
	if (near_high > near_low && high - low > 2 * (near_high - near_low)) {
		low = fmax(low, near_low - margin);
		high = fmin(high, near_high + margin);
	}
	want = fmin(fmax(2 * cbrt((double)n), 8), MOST_BINS / 2.);
	if (!(high - low < 1e300) || (high - low) / want < 1e-300)
		return 0;
	h->width = round_up((high - low) / want);
	if (h->width < 1e-9 * fmax(fabs(low), fabs(high)))
		return 0;
	h->low = floor(low / h->width);
	h->bins = (size_t)(floor(high / h->width) - h->low) + 1;
	h->bins = RM_MIN(h->bins, MOST_BINS);
	*absent = NULL;
	return 0;
}

static void count(struct histogram *h, size_t which, const double *x,
		  const double *weight, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		double at = floor(x[i] / h->width) - h->low;
		double most = (double)h->bins - 1;

		h->beyond += at < 0 || at > most;
		h->count[which][(size_t)fmin(fmax(at, 0), most)] += weight[i];
	}
}

/* Columns: the middle of a bin and its two counts. */
static void put_bins(struct rm_buf *out, const struct histogram *h)
{
	size_t i;

	rm_buf_puts(out, "$bins << END\n");
	for (i = 0; i < h->bins; i++) {
		rm_plot_number(out, (h->low + (double)i + .5) * h->width);
		rm_plot_number(out, h->count[0][i]);
		rm_plot_number(out, h->count[1][i]);
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\nset yrange [0:*]\nset xrange [");
	rm_plot_number(out, h->low * h->width);
	rm_buf_putc(out, ':');
	rm_plot_number(out, (h->low + (double)h->bins) * h->width);
	rm_buf_printf(out, "]\nset boxwidth %.8g\n", h->width);
}

static void say_beyond(struct rm_plot *p, const struct histogram *h)
{
	if (!h->beyond)
		return;
	rm_buf_puts(&p->caption, " The bars at the ends hold also ");
	rm_report_put_things(&p->caption, h->beyond, "value");
	rm_buf_puts(&p->caption, " beyond them.");
}

static const char *unit(const struct rm_scores *s)
{
	return s->weight ? "comparisons, by weight" : "comparisons";
}

/* ---- rewards ---- */

static int draw_rewards(struct rm_plot *p, const struct rm_scores *s,
			const struct sides *a)
{
	struct histogram h = {0};

	if (find_range(s->reward, s->responses, &h, &p->absent) < 0)
		return -1;
	if (p->absent)
		return 0;
	count(&h, 0, a->chosen, a->weight, a->n);
	count(&h, 1, a->rejected, a->weight, a->n);
	rm_buf_puts(&p->title, "Rewards of chosen and rejected: ");
	rm_report_put_things(&p->title, a->n, "comparison");
	rm_buf_puts(&p->caption, "How many comparisons have a chosen, and how "
		    "many a rejected response of such a reward. The further "
		    "the two stand apart, the more the model tells.");
	say_beyond(p, &h);
	rm_plot_begin(p);
	rm_plot_axes(p, "reward", unit(s));
	put_bins(&p->script, &h);
	rm_buf_puts(&p->script, "plot $bins using 1:3 with boxes ls 4 title "
		    "'rejected', $bins using 1:2 with histeps ls 1 title "
		    "'chosen'\n");
	return 0;
}

static int make_rewards(struct rm_plot *p, const struct rm_plot_data *data)
{
	struct sides a = {0};
	int status = find_sides(&a, data->scores);

	if (status == 0 && a.n == 0)
		p->absent = "no comparison has a preferred response";
	else if (status == 0)
		status = draw_rewards(p, data->scores, &a);
	free_sides(&a);
	return status;
}

const struct rm_plot_kind rm_plot_rewards = {
	.name = "rewards", .place = RM_PLACE_PAIRS, .order = 1,
	.make = make_rewards
};

/* ---- margins ---- */

/* Shares of weight of margins below 0 and of exactly 0. */
static void put_shares(struct rm_plot *p, const struct sides *a,
		       const double *margin)
{
	double behind = 0, even = 0, all = 0;
	size_t i;

	for (i = 0; i < a->n; i++) {
		all += a->weight[i];
		behind += margin[i] < 0 ? a->weight[i] : 0;
		even += margin[i] == 0 ? a->weight[i] : 0;
	}
	rm_buf_printf(&p->caption, "Reward of the preferred response less "
		      "that of the other. In %.1f %% of the comparisons the "
		      "preferred one is behind, left of zero", 100 * behind /
		      all);
	if (even > 0)
		rm_buf_printf(&p->caption, "; %.1f %% tie and count right of "
			      "it here", 100 * even / all);
	rm_buf_puts(&p->caption, ".");
	rm_buf_printf(&p->script, "plot $bins using ($1 < 0 ? $1 : NaN):2 "
		      "with boxes lc rgb '#444444' title 'behind: %.1f %%', "
		      "$bins using ($1 > 0 ? $1 : NaN):2 with boxes ls 4 "
		      "title 'ahead%s: %.1f %%'\n", 100 * behind / all,
		      even > 0 ? " or even" : "", 100 * (all - behind) / all);
}

static int draw_margins(struct rm_plot *p, const struct rm_scores *s,
			const struct sides *a, const double *margin)
{
	struct histogram h = {0};

	if (find_range(margin, a->n, &h, &p->absent) < 0)
		return -1;
	if (p->absent)
		return 0;
	count(&h, 0, margin, a->weight, a->n);
	rm_buf_puts(&p->title, "Margins of the preferred response: ");
	rm_report_put_things(&p->title, a->n, "comparison");
	rm_plot_begin(p);
	rm_plot_axes(p, "reward of the preferred response less that of the "
		     "other", unit(s));
	put_bins(&p->script, &h);
	put_shares(p, a, margin);
	say_beyond(p, &h);
	return 0;
}

static int make_margins(struct rm_plot *p, const struct rm_plot_data *data)
{
	struct sides a = {0};
	double *margin = NULL, all = 0;
	int status = find_sides(&a, data->scores);
	size_t i;

	if (status == 0) {
		margin = rm_malloc(RM_MAX(a.n, 1), sizeof(*margin));
		status = margin ? 0 : -1;
	}
	for (i = 0; status == 0 && i < a.n; i++) {
		margin[i] = a.chosen[i] - a.rejected[i];
		all += a.weight[i];
	}
	if (status == 0 && (a.n == 0 || !(all > 0)))
		p->absent = "no comparison has a preferred response";
	else if (status == 0)
		status = draw_margins(p, data->scores, &a, margin);
	free(margin);
	free_sides(&a);
	return status;
}

const struct rm_plot_kind rm_plot_margins = {
	.name = "margins", .place = RM_PLACE_PAIRS, .order = 2,
	.make = make_margins
};
