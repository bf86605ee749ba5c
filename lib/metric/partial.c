/*
 * Partial rank correlations of reward, label and length: what two of them
 * share once the third is held fixed, and their standard errors.
 */
#include "metric/rank.h"
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>

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

/* One of the three, by its codes. */
struct side {
	const struct rm_codes *codes;
	double *rank;		/* centred ranks over n */
	double *above;		/* mean of those above, half of what ties */
	double square;		/* mean of rank^2 */
};

static int init_side(struct side *x, const struct rm_codes *codes)
{
	double n = (double)codes->n;

	*x = (struct side){ .codes = codes };
	x->rank = rm_centred_ranks(codes);
	x->above = rm_malloc(codes->distinct, sizeof(*x->above));
	if (!x->rank || !x->above)
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
}

/*
 * own[], the sums of the other's ranks by code of x, becomes what influence
 * has of x alone (lib/metric/rank.c): of T1 the ranks of the other above it,
 * of T2 its own and those above, less half of 3 T1, and 3 T2.
 */
static void fold_own(const struct side *x, double root, double rho,
		     double *own)
{
	double n = (double)x->codes->n;

	rm_sum_above(own, x->codes->distinct);
	for (size_t v = 0; v < x->codes->distinct; v++) {
		double f = x->rank[v];

		own[v] = (own[v] / n / root - 1.5 * rho - rho / 2 *
			  ((f * f + 2 * x->above[v]) / x->square - 3)) / n;
	}
}

static void fill_own(const struct side *x, const struct side *y, double rho,
		     double *own_x, double *own_y)
{
	const uint32_t *u = x->codes->code, *v = y->codes->code;
	double root = sqrt(x->square * y->square);

	for (size_t i = 0; i < x->codes->n; i++) {
		own_x[u[i]] += y->rank[v[i]];
		own_y[v[i]] += x->rank[u[i]];
	}
	fold_own(x, root, rho, own_x);
	fold_own(y, root, rho, own_y);
}

/*
 * Adds to psi[FIGURES] of each response its influence on the rho of two of
 * them, times that figure's slope.
 */
static int add_influence(const struct side *x, const struct side *y,
			 const uint32_t *from, double rho,
			 const double *slope, double *psi)
{
	const uint32_t *u = x->codes->code, *v = y->codes->code;
	double *own_x = rm_calloc(x->codes->distinct, sizeof(*own_x));
	double *own_y = rm_calloc(y->codes->distinct, sizeof(*own_y));
	double scale = 1 / sqrt(x->square * y->square) / (double)x->codes->n;
	int status = own_x && own_y ? 0 : -1;

	if (status == 0) {
		fill_own(x, y, rho, own_x, own_y);
#pragma omp parallel for if (x->codes->n > 1 << 15)
		for (size_t i = 0; i < x->codes->n; i++) {
			double one = scale * x->rank[u[i]] * y->rank[v[i]] +
				own_x[u[i]] + own_y[v[i]];
			size_t at = FIGURES * (from ? from[i] : i);

			psi[at + OF_LENGTH] += slope[OF_LENGTH] * one;
			psi[at + OF_LABEL] += slope[OF_LABEL] * one;
		}
	}
	free(own_x);
	free(own_y);
	return status;
}

/* psi[FIGURES * responses], by the slopes of the three correlations. */
static int add_all(const struct rm_triple *t, const struct partial *p,
		   double *psi)
{
	const double xy[] = { p[OF_LENGTH].of_b, p[OF_LABEL].of_a };
	const double xz[] = { p[OF_LENGTH].of_a, p[OF_LABEL].of_b };
	const double yz[] = { p[OF_LENGTH].of_c, p[OF_LABEL].of_c };
	struct side x, y = {0}, z = {0};
	int status = -1;

	if (init_side(&x, &t->codes[RM_OF_REWARD]) == 0 &&
	    init_side(&y, &t->codes[RM_OF_LABEL]) == 0 &&
	    init_side(&z, &t->codes[RM_OF_LENGTH]) == 0 &&
	    add_influence(&x, &y, t->from, t->reward_label, xy, psi) == 0 &&
	    add_influence(&x, &z, t->from, t->reward_length, xz, psi) == 0)
		status = add_influence(&y, &z, t->from, t->label_length, yz,
				       psi);
	free_side(&x);
	free_side(&y);
	free_side(&z);
	return status;
}

/* A figure without a value has slopes of NaN, and no error. */
static int find_errors(struct rm_scores *s, const struct rm_triple *t,
		       const struct partial *p)
{
	double *psi = rm_calloc(FIGURES * s->responses, sizeof(*psi));
	double *one = rm_malloc(s->responses, sizeof(*one));
	int status = psi && one ? add_all(t, p, psi) : -1;

	for (int f = 0; status == 0 && f < FIGURES; f++) {
		for (size_t i = 0; i < s->responses; i++)
			one[i] = psi[FIGURES * i + (size_t)f];
		if (!isnan(p[f].value))
			status = rm_responses_error(s, one,
						    &s->partial[f].error);
	}
	free(psi);
	free(one);
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
