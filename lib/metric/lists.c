/* The figures of choosing from a list: is the best one first? */
#include "metric/scores.h"

#include <stdlib.h>
#include <string.h>

/* A response of a list: its reward and what choosing it is worth. */
struct item {
	double reward, gain;
};

static const double *labels(const struct rm_scores *s)
{
	return s->graded ? s->graded : s->label;
}

/*
 * How many responses of record r, 0 unless they are three or more, all have
 * labels, and these vary.
 */
static size_t list_of(const struct rm_scores *s, size_t r)
{
	size_t first = rm_scores_response(s, r), i;
	size_t k = rm_scores_response(s, r + 1) - first;
	const double *y = labels(s);
	bool vary = false;

	if (k < 3 || !y)
		return 0;
	for (i = 0; i < k; i++) {
		if (!isfinite(y[first + i]))
			return 0;
		vary |= y[first + i] != y[first];
	}
	return vary ? k : 0;
}

/* ---- top 1 ---- */

/* Share of the responses of highest reward that have the best label. */
static double top1(const double *reward, const double *label, size_t k)
{
	double best = label[0], most = reward[0];
	size_t all = 0, right = 0, i;

	for (i = 1; i < k; i++) {
		best = fmax(best, label[i]);
		most = fmax(most, reward[i]);
	}
	for (i = 0; i < k; i++) {
		all += reward[i] == most;
		right += reward[i] == most && label[i] == best;
	}
	return (double)right / (double)all;
}

static int top1_rows(const struct rm_scores *s, size_t from, size_t to,
		     double *out)
{
	for (size_t r = from; r < to; r++, out += 2) {
		size_t first = rm_scores_response(s, r), k = list_of(s, r);

		out[0] = out[1] = 0;
		if (k == 0)
			continue;
		out[1] = rm_scores_weight(s, r);
		out[0] = out[1] * top1(s->reward + first, labels(s) + first,
				       k);
	}
	return 0;
}

/* ---- NDCG ---- */

static int by_reward(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->reward < y->reward) - (x->reward > y->reward);
}

static int by_gain(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->gain < y->gain) - (x->gain > y->gain);
}

/* sum gain / log2(place + 1); equal rewards have their places' mean. */
static double dcg(const struct item *x, size_t k, bool ties)
{
	double sum = 0;
	size_t i, j;

	for (i = 0; i < k; i = j) {
		double gain = 0, discount = 0;

		for (j = i; j < k && (j == i || (ties &&
		     x[j].reward == x[i].reward)); j++) {
			gain += x[j].gain;
			discount += 1 / log2((double)j + 2);
		}
		sum += gain / (double)(j - i) * discount;
	}
	return sum;
}

/*
 * Gains are not below 0: scores as they are, or less the least; all by a
 * power of two, which NDCG does not feel, so that no sum is out of range.
 */
static void set_gains(const struct rm_scores *s, size_t first, size_t k,
		      struct item *x)
{
	const double *y = labels(s) + first;
	double least = 0, most = 0;
	int scale;

	/* The best of a record is of rank 0, the others are below. */
	for (size_t i = 0; i < k; i++) {
		least = fmin(least, y[i]);
		most = fmax(most, fabs(y[i]));
	}
	frexp(most, &scale);
	for (size_t i = 0; i < k; i++)
		x[i] = (struct item){ s->reward[first + i],
			ldexp(y[i], -scale) - ldexp(least, -scale) };
}

static int ndcg_rows(const struct rm_scores *s, size_t from, size_t to,
		     double *out)
{
	struct item *x = NULL;
	size_t cap = 0;

	for (size_t r = from; r < to; r++, out += 2) {
		size_t first = rm_scores_response(s, r), k = list_of(s, r);
		double got, ideal;

		out[0] = out[1] = 0;
		if (k == 0)
			continue;
		if (rm_grow(&x, &cap, k, sizeof(*x)) < 0) {
			free(x);
			return -1;
		}
		set_gains(s, first, k, x);
		qsort(x, k, sizeof(*x), by_reward);
		got = dcg(x, k, true);
		qsort(x, k, sizeof(*x), by_gain);
		ideal = dcg(x, k, false);
		out[1] = rm_scores_weight(s, r);
		out[0] = out[1] * (got / ideal);
	}
	free(x);
	return 0;
}

/* Records of two alone are no lists. */
static bool has_lists(const struct rm_scores *s)
{
	return s->response && labels(s);
}

#define NO_LIST "no record of three or more whose labels vary"

const struct rm_metric_kind rm_metric_top1 = {
	"top1", RM_SECTION_ORDER, 5, RM_UNIT_SHARE,
	"highest reward has the best label",
	"weighted share of records of three or more labelled responses whose "
	"labels vary, in which the response of highest reward has the best "
	"label; of several such it is the share that have",
	NO_LIST,
	.sums = 2, .rows = top1_rows, .applies = has_lists
};

const struct rm_metric_kind rm_metric_ndcg = {
	"ndcg", RM_SECTION_ORDER, 6, RM_UNIT_NUMBER,
	"gain of its order, of the best order",
	"weighted mean over the same records of the normalised discounted "
	"cumulative gain of their order by reward (Jarvelin and Kekalainen "
	"2002): sum of gain / log2(place + 1), equal rewards sharing their "
	"places, over that of the order by label; gains are scores, less the "
	"least where one is negative, else the worst rank less the rank",
	NO_LIST,
	.sums = 2, .rows = ndcg_rows, .applies = has_lists, .most = 1
};
