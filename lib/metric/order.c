/* The figures of ranks: order within groups, over all, and length. */
#include "metric/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	AHEAD = 32		/* scattered codes fetched early */
};

/* ---- rank correlation ---- */

static double sum_of_squares(const struct rm_codes *c, const double *rank)
{
	double sum = 0;
	size_t v;

	for (v = 0; v < c->distinct; v++)
		sum += rank[v] * rank[v] * (double)c->count[v];
	return sum;
}

/*
 * Over the runs of x that begin in [from, to), and z the codes of y in the
 * order of x: sum rx ry, and sum rx^2.
 */
static void sum_ranks(const struct rm_order *x, const uint32_t *z,
		      const double *rank, size_t from, size_t to,
		      double sums[2])
{
	double mean = ((double)x->n + 1) / 2;
	size_t j = from, i, end;

	sums[0] = sums[1] = 0;
	while (j < to && !x->first[j])
		j++;
	for (; j < to; j = end) {
		double ry = 0, rx;

		end = rm_order_run(x, j);
		rx = (double)(j + end + 1) / 2 - mean;
		for (i = j; i < end; i++)
			ry += rank[z[i]];
		sums[0] += rx * ry;
		sums[1] += rx * rx * (double)(end - j);
	}
}

/* Pearson's correlation of the average ranks. */
static int spearman(const struct rm_order *x, const struct rm_codes *y,
		    const uint32_t *z, double *rho)
{
	const size_t step = 1 << 16;
	size_t chunks = (x->n + step - 1) / step, c;
	double (*sums)[2] = rm_malloc(chunks, sizeof(*sums));
	double *rank = rm_centred_ranks(y), xy = 0, xx = 0;

	if (!sums || !rank) {
		free(sums);
		free(rank);
		return -1;
	}
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		sum_ranks(x, z, rank, c * step, RM_MIN(x->n, (c + 1) * step),
			  sums[c]);
	for (c = 0; c < chunks; c++) {
		xy += sums[c][0];
		xx += sums[c][1];
	}
	*rho = xy / sqrt(xx) / sqrt(sum_of_squares(y, rank));
	free(sums);
	free(rank);
	return 0;
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint64_t pairs_of(uint64_t n)
{
	return n * (n - (n > 0)) / 2;
}

/*
 * Sort z within runs of equal x, where order says nothing; and count the
 * pairs equal in x, and in both.
 */
static void settle_runs(const struct rm_order *x, uint32_t *z,
			uint64_t *x_ties, uint64_t *joint)
{
	size_t j, i, end, same;

	*x_ties = *joint = 0;
	for (j = 0; j < x->n; j = end) {
		end = rm_order_run(x, j);
		if (end - j < 2)
			continue;
		qsort(z + j, end - j, sizeof(*z), ascending);
		*x_ties += pairs_of(end - j);
		for (i = j; i < end; i = same) {
			for (same = i + 1; same < end && z[same] == z[i];)
				same++;
			*joint += pairs_of(same - i);
		}
	}
}

/*
 * tau-b = (concordant - discordant) / sqrt((all - tied in x) (all - tied in
 * y)); Knight 1966.  z, the codes of y in the order of x, is used up.
 */
static int kendall(const struct rm_order *x, const struct rm_codes *y,
		   uint32_t *z, double *tau)
{
	uint64_t all = pairs_of(x->n), x_ties, y_ties = 0, joint, discordant;
	double lead;
	size_t v;

	settle_runs(x, z, &x_ties, &joint);
	for (v = 0; v < y->distinct; v++)
		y_ties += pairs_of(y->count[v]);
	if (rm_sort_inversions(z, x->n, y->distinct, &discordant) < 0)
		return -1;
	lead = (double)(int64_t)(all - x_ties - y_ties + joint -
				 2 * discordant);
	*tau = lead / sqrt((double)(all - x_ties)) /
		sqrt((double)(all - y_ties));
	return 0;
}

/* Where the standard error of rho or tau, one of them, is wanted: the numbers
 * are of responses from[i] (NULL: i) of s. */
struct errors {
	const struct rm_scores *s;
	const uint32_t *from;
	double *error;
};

void rm_codes_along(const struct rm_order *x, const struct rm_codes *y,
		    uint32_t *z)
{
	size_t j;

#pragma omp parallel for if (x->n > 1 << 15)
	for (j = 0; j < x->n; j++) {
		if (j + AHEAD < x->n)
			__builtin_prefetch(&y->code[x->index[j + AHEAD]]);
		z[j] = y->code[x->index[j]];
	}
}

/* The same of codes instead of numbers; e NULL: no errors. */
static int correlate(const struct rm_order *x, const struct rm_codes *y,
		     double *rho, double *tau, const struct errors *e)
{
	struct rm_ranks r = { .x = x, .y = y };
	uint32_t *z;
	int status = 0;

	if (rho)
		*rho = NAN;
	if (tau)
		*tau = NAN;
	if (x->n < 2 || rm_order_run(x, 0) == x->n || y->distinct < 2)
		return 0;
	z = rm_malloc(x->n, sizeof(*z));
	if (!z)
		return -1;
	rm_codes_along(x, y, z);
	if (rho)
		status = spearman(x, y, z, rho);
	if (tau && status == 0)
		status = kendall(x, y, z, tau);
	if (e && status == 0) {
		r.s = e->s;
		r.from = e->from;
		r.z = z;
		if (tau) {
			/* Counting inversions has sorted them. */
			rm_codes_along(x, y, z);
			status = rm_kendall_error(&r, *tau, e->error);
		} else if (rho) {
			status = rm_spearman_error(&r, *rho, e->error);
		}
	}
	free(z);
	return status;
}

int rm_correlate(const struct rm_order *order, const double *y, double *rho,
		 double *tau)
{
	struct rm_codes codes;
	int status = rm_codes_init(&codes, y, order->n);

	if (status == 0)
		status = correlate(order, &codes, rho, tau, NULL);
	rm_codes_fini(&codes);
	return status;
}

int rm_correlate_pairs(const double *x, const double *y, size_t n,
		       double *rho, double *tau)
{
	struct rm_order order = {0};
	double *kept = rm_malloc(2 * n, sizeof(*kept));
	size_t i, m = 0;
	int status;

	if (!kept)
		return -1;
	for (i = 0; i < n; i++)
		if (!isnan(y[i]))
			kept[m++] = x[i];
	for (i = 0, m = 0; i < n; i++)
		if (!isnan(y[i]))
			kept[n + m++] = y[i];
	status = rm_order_init(&order, kept, m);
	if (status == 0)
		status = rm_correlate(&order, kept + n, rho, tau);
	rm_order_fini(&order);
	free(kept);
	return status;
}

/* ---- within groups ---- */

/* One group's correlation and weight, zeros where it has none. */
static int group_row(const struct rm_scores *s, size_t r, bool use_tau,
		     double *out)
{
	size_t first = rm_scores_response(s, r);
	size_t k = rm_scores_response(s, r + 1) - first;
	double value = NAN, w = rm_scores_weight(s, r);

	out[0] = out[1] = 0;
	if (k <= 2 || !s->label)
		return 0;
	if (rm_correlate_pairs(s->reward + first, s->label + first, k,
			       use_tau ? NULL : &value,
			       use_tau ? &value : NULL) < 0)
		return -1;
	if (!isnan(value)) {
		out[0] = w * value;
		out[1] = w;
	}
	return 0;
}

/* Groups of two alone have no order but which is ahead. */
static bool has_groups(const struct rm_scores *s)
{
	return s->response && s->label;
}

static int group_rows(const struct rm_scores *s, size_t from, size_t to,
		      bool use_tau, double *out)
{
	for (size_t r = from; r < to; r++, out += 2)
		if (group_row(s, r, use_tau, out) < 0)
			return -1;
	return 0;
}

static int spearman_rows(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	return group_rows(s, from, to, false, out);
}

static int kendall_rows(const struct rm_scores *s, size_t from, size_t to,
			double *out)
{
	return group_rows(s, from, to, true, out);
}

#define NO_GROUP "no group of three or more responses that vary"

const struct rm_metric_kind rm_metric_spearman = {
	"spearman", RM_SECTION_ORDER, 1, RM_UNIT_CORRELATION,
	"rank correlation within groups",
	"Spearman's rho of reward against -rank (else score), averaged over "
	"groups of more than two responses in which both vary",
	NO_GROUP,
	.sums = 2, .rows = spearman_rows, .applies = has_groups
};

const struct rm_metric_kind rm_metric_kendall = {
	"kendall", RM_SECTION_ORDER, 2, RM_UNIT_CORRELATION,
	"pairs in order within groups (tau-b)",
	"Kendall's tau-b of reward against -rank (else score), averaged over "
	"groups of more than two responses in which both vary",
	NO_GROUP,
	.sums = 2, .rows = kendall_rows, .applies = has_groups
};

/* ---- over all responses ---- */

static int reward_order(struct rm_scores *s)
{
	if (s->order.first)
		return 0;
	return rm_order_init(&s->order, s->reward, s->responses);
}

/* The labels 0, -1, 0, -1 ... that pairs have when nothing else is said. */
static int implied_codes(size_t n, struct rm_codes *c)
{
	size_t i;

	*c = (struct rm_codes){ .n = n, .distinct = 2 };
	c->code = rm_malloc(n, sizeof(*c->code));
	c->count = rm_malloc(2, sizeof(*c->count));
	if (!c->code || !c->count)
		return -1;
	for (i = 0; i < n; i++)
		c->code[i] = !(i & 1);
	c->count[0] = c->count[1] = (uint32_t)(n / 2);
	return 0;
}

/* What rewards are held against; a bit each in a set of them. */
enum { LABEL, LENGTH };

/* NaN: not known. */
static double value_of(const struct rm_scores *s, int what, size_t i)
{
	const double *y = s->graded ? s->graded : s->label;

	if (what == LENGTH)
		return !s->length || s->length[i] < 0 ? NAN :
			(double)s->length[i];
	return y ? y[i] : -(double)(i & 1);
}

static bool is_known(const struct rm_scores *s, int set, size_t i)
{
	return (!(set & 1 << LABEL) || !isnan(value_of(s, LABEL, i))) &&
		(!(set & 1 << LENGTH) || !isnan(value_of(s, LENGTH, i)));
}

/* The responses for which all of a set is known, and their rewards' order. */
struct known {
	const struct rm_order *order;
	uint32_t *from;			/* [order->n]; NULL: all of them */
	struct rm_order some;
};

static int filter_order(struct rm_scores *s, int set, size_t n,
			struct known *k)
{
	uint32_t *place = rm_malloc(s->responses, sizeof(*place));
	size_t i, at = 0;
	int status = -1;

	k->from = rm_malloc(n, sizeof(*k->from));
	k->order = &k->some;
	if (place && k->from) {
		for (i = 0; i < s->responses; i++) {
			place[i] = RM_SORT_NONE;
			if (!is_known(s, set, i))
				continue;
			k->from[at] = (uint32_t)i;
			place[i] = (uint32_t)at++;
		}
		status = rm_order_filter(&k->some, &s->order, place, n);
	}
	free(place);
	return status;
}

static int find_known(struct rm_scores *s, int set, struct known *k)
{
	size_t i, n = 0;

	*k = (struct known){ .order = &s->order };
	if (reward_order(s) < 0)
		return -1;
#pragma omp parallel for reduction(+:n) if (s->responses > 1 << 15)
	for (i = 0; i < s->responses; i++)
		n += is_known(s, set, i);
	return n == s->responses ? 0 : filter_order(s, set, n, k);
}

static void forget(struct known *k)
{
	rm_order_fini(&k->some);
	free(k->from);
}

/* Of what they are held against. */
static int known_codes(const struct rm_scores *s, const struct known *k,
		       int what, struct rm_codes *c)
{
	const double *y = s->graded ? s->graded : s->label;
	size_t n = k->order->n, j;
	double *kept;
	int status;

	*c = (struct rm_codes){0};
	if (!k->from && what == LENGTH)
		return rm_codes_init_i32(c, s->length, n);
	if (!k->from)
		return y ? rm_codes_init(c, y, n) : implied_codes(n, c);
	kept = rm_malloc(n, sizeof(*kept));
	if (!kept)
		return -1;
	for (j = 0; j < n; j++)
		kept[j] = value_of(s, what, k->from[j]);
	status = rm_codes_init(c, kept, n);
	free(kept);
	return status;
}

static int correlate_rewards(struct rm_scores *s, int what, double *rho,
			     double *tau, double *error)
{
	struct rm_codes codes = {0};
	struct known k;
	struct errors e = { s, NULL, error };
	int status = find_known(s, 1 << what, &k);

	e.from = k.from;
	if (status == 0)
		status = known_codes(s, &k, what, &codes);
	if (status == 0)
		status = correlate(k.order, &codes, rho, tau, &e);
	if (status == 0 && rho && !k.from) {
		s->rho[what].value = *rho;
		s->rho[what].made = true;
	}
	rm_codes_fini(&codes);
	forget(&k);
	return status;
}

/* Spearman's rho of numbers by their codes, without any order. */
static int correlate_codes(const struct rm_codes *x, const struct rm_codes *y,
			   double *rho)
{
	const size_t step = 1 << 16;
	size_t chunks = (x->n + step - 1) / step, c, i;
	double *sum = rm_malloc(chunks, sizeof(*sum)), all = 0;
	double *rx = rm_centred_ranks(x), *ry = rm_centred_ranks(y);
	int status = sum && rx && ry ? 0 : -1;

	*rho = NAN;
	if (status == 0 && x->distinct > 1 && y->distinct > 1) {
#pragma omp parallel for private(i) if (chunks > 1)
		for (c = 0; c < chunks; c++) {
			size_t end = RM_MIN(x->n, (c + 1) * step);

			for (sum[c] = 0, i = c * step; i < end; i++)
				sum[c] += rx[x->code[i]] * ry[y->code[i]];
		}
		for (c = 0; c < chunks; c++)
			all += sum[c];
		*rho = all / sqrt(sum_of_squares(x, rx)) /
			sqrt(sum_of_squares(y, ry));
	}
	free(sum);
	free(rx);
	free(ry);
	return status;
}

/* As correlate_rewards has found it, where it did for the same responses. */
static int find_rho(const struct rm_scores *s, const struct known *k, int what,
		    const struct rm_codes *y, double *rho)
{
	if (k->from || !s->rho[what].made)
		return correlate(k->order, y, rho, NULL, NULL);
	*rho = s->rho[what].value;
	return 0;
}

int rm_triple_init(struct rm_triple *t, struct rm_scores *s)
{
	struct known k;
	int status = -1;

	*t = (struct rm_triple){0};
	if (find_known(s, 1 << LABEL | 1 << LENGTH, &k) == 0 &&
	    known_codes(s, &k, LABEL, &t->label) == 0 &&
	    find_rho(s, &k, LABEL, &t->label, &t->reward_label) == 0 &&
	    known_codes(s, &k, LENGTH, &t->length) == 0 &&
	    find_rho(s, &k, LENGTH, &t->length, &t->reward_length) == 0)
		status = correlate_codes(&t->label, &t->length,
					 &t->label_length);
	t->from = k.from;
	t->some = k.some;
	t->order = k.from ? &t->some : &s->order;
	return status;
}

void rm_triple_fini(struct rm_triple *t)
{
	rm_codes_fini(&t->label);
	rm_codes_fini(&t->length);
	rm_order_fini(&t->some);
	free(t->from);
}

static int spearman_pooled(struct rm_scores *s, double *value, double *error)
{
	return correlate_rewards(s, LABEL, value, NULL, error);
}

static int kendall_pooled(struct rm_scores *s, double *value, double *error)
{
	return correlate_rewards(s, LABEL, NULL, value, error);
}

const struct rm_metric_kind rm_metric_spearman_pooled = {
	"spearman_pooled", RM_SECTION_ORDER, 3, RM_UNIT_CORRELATION,
	"over all responses",
	"Spearman's rho of reward against score (else -rank) over all "
	"responses, unweighted",
	"rewards or labels do not vary",
	.estimate = spearman_pooled
};

const struct rm_metric_kind rm_metric_kendall_pooled = {
	"kendall_pooled", RM_SECTION_ORDER, 4, RM_UNIT_CORRELATION,
	"over all responses (tau-b)",
	"Kendall's tau-b of reward against score (else -rank) over all "
	"responses, unweighted",
	"rewards or labels do not vary",
	.estimate = kendall_pooled
};

/* ---- length ---- */

static int length_corr(struct rm_scores *s, double *value, double *error)
{
	*value = NAN;
	if (!s->length)
		return 0;
	return correlate_rewards(s, LENGTH, value, NULL, error);
}

const struct rm_metric_kind rm_metric_length_corr = {
	"length_corr", RM_SECTION_BIAS, 1, RM_UNIT_CORRELATION,
	"rank correlation, reward and length",
	"Spearman's rho of reward against the response's characters (field "
	"length, else n_tokens) over all responses, unweighted",
	"no field length or n_tokens, or no variation",
	.estimate = length_corr
};
