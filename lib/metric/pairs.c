/* The figures of comparisons: who is ahead. */
#include "metric/scores.h"

#include <stdlib.h>
#include <string.h>

enum {
	AHEAD = 32		/* scattered numbers fetched early */
};

/* Hits and comparisons with a preference of record r. */
static void count_hits(const struct rm_scores *s, size_t r, double *hits,
		       double *of)
{
	size_t i, end = rm_scores_comparison(s, r + 1);

	*hits = *of = 0;
	for (i = rm_scores_comparison(s, r); i < end; i++) {
		int prefers = rm_scores_prefers(s, i);

		if (!prefers)
			continue;
		*hits += rm_scores_hit(s, i, prefers);
		*of += 1;
	}
}

/* sum w hit / sum w over comparisons with p != .5. */
static int accuracy_rows(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	for (size_t r = from; r < to; r++, out += 2) {
		double w = rm_scores_weight(s, r);

		count_hits(s, r, &out[0], &out[1]);
		out[0] *= w;
		out[1] *= w;
	}
	return 0;
}

const struct rm_metric_kind rm_metric_accuracy = {
	"accuracy", RM_SECTION_PAIRS, 1, RM_UNIT_SHARE,
	"preferred response is ahead",
	"weighted share of comparisons whose preferred response (the first "
	"for p > .5, the second for p < .5) has the higher reward; equal "
	"rewards count as --ties says, p = .5 is left out",
	"no comparison has a preference",
	.sums = 2, .rows = accuracy_rows, .bootstrap = true, .table = true
};

/* The same, averaged within each record first. */
static int macro_rows(const struct rm_scores *s, size_t from, size_t to,
		      double *out)
{
	for (size_t r = from; r < to; r++, out += 2) {
		double w = rm_scores_weight(s, r), hits, of;

		count_hits(s, r, &hits, &of);
		out[0] = of > 0 ? w * (hits / of) : 0;
		out[1] = of > 0 ? w : 0;
	}
	return 0;
}

const struct rm_metric_kind rm_metric_accuracy_macro = {
	"accuracy_macro", RM_SECTION_PAIRS, 2, RM_UNIT_SHARE,
	"the same, each record counting once",
	"accuracy within each record, then the weighted mean over records, "
	"so that a group of many responses counts as much as a pair",
	"no comparison has a preference",
	.sums = 2, .rows = macro_rows
};

static int ties_rows(const struct rm_scores *s, size_t from, size_t to,
		     double *out)
{
	for (size_t r = from; r < to; r++) {
		size_t i, end = rm_scores_comparison(s, r + 1);

		out[r - from] = 0;
		for (i = rm_scores_comparison(s, r); i < end; i++)
			out[r - from] += s->d[i] == 0;
	}
	return 0;
}

static double ties_value(const double *sums)
{
	return sums[0];
}

const struct rm_metric_kind rm_metric_ties = {
	"ties", RM_SECTION_PAIRS, 3, RM_UNIT_COUNT,
	"comparisons of equal rewards",
	"number of comparisons of exactly equal rewards; many of them mean a "
	"model that has collapsed",
	"",
	.sums = 1, .rows = ties_rows, .value = ties_value
};

/* ---- auc ---- */

/* The record of each comparison's weight, [n]; NULL where all are 1. */
static int spread_weights(const struct rm_scores *s, double **weight)
{
	size_t r, i;

	*weight = NULL;
	if (!s->weight)
		return 0;
	*weight = rm_malloc(s->n, sizeof(**weight));
	if (!*weight)
		return -1;
	for (r = 0; r < s->records; r++)
		for (i = rm_scores_comparison(s, r);
		     i < rm_scores_comparison(s, r + 1); i++)
			(*weight)[i] = s->weight[r];
	return 0;
}

/* Of a run of equal |d|: what the points at +|d| and at -|d| win. */
static void place_run(const struct rm_order *o, const struct rm_scores *s,
		      size_t from, size_t to, double above, double below,
		      double *place)
{
	for (size_t j = from; j < to; j++) {
		size_t at = o->index[j];
		double p = rm_scores_p(s, at);

		place[at] = s->d[at] > 0 ? p * above + (1 - p) * below :
			p * below + (1 - p) * above;
	}
}

/*
 * The area over the points (d, p) and (-d, 1 - p), a point counting p as a
 * positive and 1 - p as a negative.  The points are symmetric: at a distance
 * |d| = s, `up` positives stand at +s and as many negatives at -s, `down`
 * positives at -s and as many negatives at +s.  So one walk over |d| does:
 * a positive at +s is ahead of all `up` so far and still to come, of what
 * stands at 0, and of the `down` that came before; one at -s is ahead of the
 * `up` that come after; equal scores count half.  place[i] becomes what the
 * two points of comparison i win as positives, and by symmetry as negatives
 * (DeLong et al. 1988 call it placement).
 */
static double area(const struct rm_order *o, const struct rm_scores *s,
		   const double *weight, double all_up, double at_zero,
		   double *place)
{
	double won = 0, up_before = 0, down_before = 0, above, below;
	size_t j, end;

	for (j = 0; j < o->n; j = end) {
		double up = 0, down = 0, distance = fabs(s->d[o->index[j]]);
		size_t i;

		end = rm_order_run(o, j);
		for (i = j; i < end; i++) {
			size_t at = o->index[i];
			double p = rm_scores_p(s, at);
			double w = weight ? weight[at] : 1;

			if (i + AHEAD < o->n)
				__builtin_prefetch(&s->d[o->index[i + AHEAD]]);
			up += w * (s->d[at] > 0 ? p : 1 - p);
			down += w * (s->d[at] > 0 ? 1 - p : p);
		}
		/* At 0 positives and negatives alike: up + down each. */
		above = below = all_up + at_zero / 2;
		if (distance > 0) {
			above = all_up + at_zero + down_before + down / 2;
			below = all_up - up_before - up / 2;
			up_before += up;
			down_before += down;
		}
		won += up * above + down * below;
		place_run(o, s, j, end, above, below, place);
	}
	return won;
}

/* Each comparison wins twice its placement, and dilutes what all have. */
static int area_error(const struct rm_scores *s, const double *place,
		      double value, double all, double *error)
{
	double *psi = rm_malloc(s->records, sizeof(*psi));
	size_t r, i;
	int status;

	if (!psi)
		return -1;
#pragma omp parallel for private(i) if (s->records > 1 << 14)
	for (r = 0; r < s->records; r++) {
		double sum = 0;

		for (i = rm_scores_comparison(s, r);
		     i < rm_scores_comparison(s, r + 1); i++)
			sum += place[i] / all - value;
		psi[r] = 2 * rm_scores_weight(s, r) * sum / all;
	}
	status = rm_scores_error(s, psi, error);
	free(psi);
	return status;
}

static int auc_estimate(struct rm_scores *s, double *value, double *error)
{
	struct rm_order o = {0};
	double *distance = NULL, *weight = NULL;
	double all_up = 0, at_zero = 0, all = 0;
	size_t i;
	int status = -1;

	distance = rm_malloc(s->n, sizeof(*distance));
	if (!distance || spread_weights(s, &weight) < 0)
		goto out;
	for (i = 0; i < s->n; i++) {
		double w = weight ? weight[i] : 1, p = rm_scores_p(s, i);

		distance[i] = fabs(s->d[i]);
		all += w;
		if (s->d[i] == 0)
			at_zero += w;
		else
			all_up += w * (s->d[i] > 0 ? p : 1 - p);
	}
	if (rm_order_init(&o, distance, s->n) < 0)
		goto out;
	/* The distances have done their work; placements take their room. */
	*value = area(&o, s, weight, all_up, at_zero, distance) / (all * all);
	rm_order_fini(&o);
	status = area_error(s, distance, *value, all, error);
out:
	rm_order_fini(&o);
	free(distance);
	free(weight);
	return status;
}

const struct rm_metric_kind rm_metric_auc = {
	"auc", RM_SECTION_PAIRS, 4, RM_UNIT_NUMBER,
	"area under ROC (0.5 is chance)",
	"area under the ROC curve over the points (d, p) and (-d, 1 - p) of "
	"all comparisons, d the difference of rewards; soft labels count as "
	"weights of both classes, equal scores half",
	"all weights are 0",
	.estimate = auc_estimate, .most = 1
};
