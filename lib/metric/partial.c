/*
 * Partial rank correlations of reward, label and length: what two of them
 * share once the third is held fixed, and their standard errors.
 */
#include "metric/rank.h"
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OF_LENGTH, OF_LABEL, FIGURES };

/* P(a; b, c) = (a - b c) / sqrt((1 - b^2)(1 - c^2)) and its slopes. */
struct partial {
	double value, of_a, of_b, of_c;
};

static struct partial given(double a, double b, double c)
{
	double rest = (1 - b * b) * (1 - c * c);
	double root = sqrt(rest);
	struct partial p = { NAN, NAN, NAN, NAN };

	if (!(rest > 0))
		return p;
	p.value = (a - b * c) / root;
	p.of_a = 1 / root;
	p.of_b = p.value * b / (1 - b * b) - c / root;
	p.of_c = p.value * c / (1 - c * c) - b / root;
	return p;
}

/* ---- influence ---- */

/* What influence on both figures is gathered in. */
struct work {
	struct rm_scores *s;
	const struct rm_triple *t;
	double *psi;			/* [responses] on one rho */
	double *sum[FIGURES];		/* [records] on the figures */
};

/* psi, times the figures' slopes by that rho, added up by record. */
static void gather(const struct work *w, const double *slope)
{
	const struct rm_scores *s = w->s;

#pragma omp parallel for if (s->records > 1 << 14)
	for (size_t r = 0; r < s->records; r++) {
		size_t i, end = rm_scores_response(s, r + 1);
		double all = 0;

		for (i = rm_scores_response(s, r); i < end; i++)
			all += w->psi[i];
		for (int f = 0; f < FIGURES; f++)
			w->sum[f][r] += slope[f] * all;
	}
}

/* On the rho of rewards and of what y are the codes of. */
static int of_rewards(const struct work *w, const struct rm_codes *y,
		      double rho, const double *slope)
{
	uint32_t *z = rm_malloc(y->n, sizeof(*z));
	const struct rm_ranks r = { w->s, w->t->order, y, z, w->t->from };
	int status = -1;

	if (z) {
		rm_codes_along(w->t->order, y, z);
		status = rm_spearman_influence(&r, rho, w->psi);
	}
	free(z);
	if (status == 0)
		gather(w, slope);
	return status;
}

/* ---- of two that are known by their codes ---- */

struct side {
	const struct rm_codes *codes;
	double *rank;		/* centred ranks over n */
	double *above;		/* mean of those above, half of what ties */
	double *own;		/* what influence has of it alone */
	double square;		/* mean of rank^2 */
};

static int init_side(struct side *x, const struct rm_codes *codes)
{
	double n = (double)codes->n;

	*x = (struct side){ .codes = codes };
	x->rank = rm_centred_ranks(codes);
	x->above = rm_malloc(codes->distinct, sizeof(*x->above));
	x->own = rm_calloc(codes->distinct, sizeof(*x->own));
	if (!x->rank || !x->above || !x->own)
		return -1;
	for (size_t v = 0; v < codes->distinct; v++) {
		x->rank[v] /= n;
		x->above[v] = codes->count[v] * x->rank[v] / n;
		x->square += x->above[v] * x->rank[v];
	}
	rm_sum_above(x->above, codes->distinct);
	return 0;
}

static void free_side(struct side *x)
{
	free(x->rank);
	free(x->above);
	free(x->own);
}

/*
 * own[], the sums of the other's ranks by code of x, becomes what influence
 * has of x alone (lib/metric/rank.c): of T1 the ranks of the other above it,
 * of T2 its own and those above, less half of 3 T1, and 3 T2.
 */
static void fold_own(struct side *x, double root, double rho)
{
	double n = (double)x->codes->n;

	rm_sum_above(x->own, x->codes->distinct);
	for (size_t v = 0; v < x->codes->distinct; v++) {
		double f = x->rank[v];

		x->own[v] = (x->own[v] / n / root - 1.5 * rho - rho / 2 *
			     ((f * f + 2 * x->above[v]) / x->square - 3)) / n;
	}
}

static void write_psi(const struct work *w, struct side *x, struct side *y)
{
	const uint32_t *u = x->codes->code, *v = y->codes->code;
	const uint32_t *from = w->t->from;
	double root = sqrt(x->square * y->square), n = (double)x->codes->n;
	size_t i;

	for (i = 0; i < x->codes->n; i++) {
		x->own[u[i]] += y->rank[v[i]];
		y->own[v[i]] += x->rank[u[i]];
	}
	fold_own(x, root, w->t->label_length);
	fold_own(y, root, w->t->label_length);
	if (from)
		memset(w->psi, 0, w->s->responses * sizeof(*w->psi));
#pragma omp parallel for if (x->codes->n > 1 << 15)
	for (i = 0; i < x->codes->n; i++)
		w->psi[from ? from[i] : i] = x->rank[u[i]] * y->rank[v[i]] /
			root / n + x->own[u[i]] + y->own[v[i]];
}

static int of_codes(const struct work *w, const double *slope)
{
	struct side x, y = {0};
	int status = -1;

	if (init_side(&x, &w->t->label) == 0 &&
	    init_side(&y, &w->t->length) == 0) {
		write_psi(w, &x, &y);
		gather(w, slope);
		status = 0;
	}
	free_side(&x);
	free_side(&y);
	return status;
}

/* ---- both ---- */

/* By the slopes of the three correlations. */
static int add_all(const struct work *w, const struct partial *p)
{
	const double xy[] = { p[OF_LENGTH].of_b, p[OF_LABEL].of_a };
	const double xz[] = { p[OF_LENGTH].of_a, p[OF_LABEL].of_b };
	const double yz[] = { p[OF_LENGTH].of_c, p[OF_LABEL].of_c };
	const struct rm_triple *t = w->t;

	return of_rewards(w, &t->label, t->reward_label, xy) < 0 ||
	       of_rewards(w, &t->length, t->reward_length, xz) < 0 ||
	       of_codes(w, yz) < 0 ? -1 : 0;
}

/* A figure without a value has slopes of NaN, and no error. */
static int find_errors(struct rm_scores *s, const struct rm_triple *t,
		       const struct partial *p)
{
	struct work w = { .s = s, .t = t };
	int status = 0, f;

	w.psi = rm_calloc(s->responses, sizeof(*w.psi));
	for (f = 0; f < FIGURES; f++) {
		w.sum[f] = rm_calloc(s->records, sizeof(*w.sum[f]));
		status |= w.sum[f] ? 0 : -1;
	}
	if (!w.psi || status < 0 || add_all(&w, p) < 0)
		status = -1;
	free(w.psi);
	for (f = 0; f < FIGURES; f++) {
		if (status == 0 && !isnan(p[f].value))
			status = rm_scores_error(s, w.sum[f],
						 &s->partial[f].error);
		free(w.sum[f]);
	}
	return status;
}

/* Both, from the responses whose length and label are known. */
static int make_partial(struct rm_scores *s)
{
	struct rm_triple t;
	struct partial p[FIGURES];
	int status = rm_triple_init(&t, s);

	if (status == 0) {
		p[OF_LENGTH] = given(t.reward_length, t.reward_label,
				     t.label_length);
		p[OF_LABEL] = given(t.reward_label, t.reward_length,
				    t.label_length);
		for (int f = 0; f < FIGURES; f++) {
			s->partial[f].value = p[f].value;
			s->partial[f].error = NAN;
		}
		if (!isnan(p[OF_LENGTH].value) || !isnan(p[OF_LABEL].value))
			status = find_errors(s, &t, p);
		s->partial_made = status == 0;
	}
	rm_triple_fini(&t);
	return status;
}

/* ---- the rows ---- */

static int partial(struct rm_scores *s, int of, double *value, double *error)
{
	*value = *error = NAN;
	if (!s->length)
		return 0;
	if (!s->partial_made && make_partial(s) < 0)
		return -1;
	*value = s->partial[of].value;
	*error = s->partial[of].error;
	return 0;
}

static int length_partial(struct rm_scores *s, double *value, double *error)
{
	return partial(s, OF_LENGTH, value, error);
}

static int label_partial(struct rm_scores *s, double *value, double *error)
{
	return partial(s, OF_LABEL, value, error);
}

#define NO_FIGURE "no field length or n_tokens, or no variation"

const struct rm_metric_kind rm_metric_length_partial = {
	"length_partial", RM_SECTION_BIAS, 6, RM_UNIT_CORRELATION,
	"reward and length, given the label",
	"partial correlation of the ranks of reward and of length, that of "
	"score (else -rank) held fixed, over all responses whose length and "
	"label are known: (r_xz - r_xy r_yz) / sqrt((1 - r_xy^2)(1 - r_yz^2)) "
	"of Spearman's rho, x reward, y label, z length",
	NO_FIGURE,
	.estimate = length_partial
};

const struct rm_metric_kind rm_metric_label_partial = {
	"label_partial", RM_SECTION_BIAS, 7, RM_UNIT_CORRELATION,
	"reward and label, given the length",
	"the same of reward and of label, length held fixed: what is left of "
	"the agreement with the label once length is known",
	NO_FIGURE,
	.estimate = label_partial
};
