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

/* One side of a correlation, by its codes. */
struct side {
	const struct rm_codes *codes;
	double *rank;		/* centred ranks over n */
	double *own;		/* what influence has of this side alone */
	double square;		/* mean of rank^2 */
};

static void free_side(struct side *x)
{
	free(x->rank);
	free(x->own);
}

static int init_side(struct side *x, const struct rm_codes *codes)
{
	double n = (double)codes->n;

	*x = (struct side){ .codes = codes };
	x->rank = rm_centred_ranks(codes);
	x->own = rm_calloc(codes->distinct, sizeof(*x->own));
	if (!x->rank || !x->own)
		return -1;
	for (size_t v = 0; v < codes->distinct; v++) {
		x->rank[v] /= n;
		x->square += codes->count[v] * x->rank[v] * x->rank[v] / n;
	}
	return 0;
}

/*
 * What lib/metric/rank.c says of x alone: of T1 the ranks of y above it, of T2
 * its own rank and those above, less half of 3 T1, and 3 T2.
 */
static int fill_own(struct side *x, const struct side *y, double rho)
{
	size_t n = x->codes->n, distinct = x->codes->distinct, i, v;
	double *above = rm_calloc(distinct, sizeof(*above));
	double root = sqrt(x->square * y->square), dn = (double)n;

	if (!above)
		return -1;
	for (i = 0; i < n; i++)
		x->own[x->codes->code[i]] += y->rank[y->codes->code[i]];
	for (v = 0; v < distinct; v++)
		above[v] = x->codes->count[v] * x->rank[v];
	rm_sum_above(x->own, distinct);
	rm_sum_above(above, distinct);
	for (v = 0; v < distinct; v++) {
		double f = x->rank[v];

		x->own[v] = (x->own[v] / dn / root - 1.5 * rho -
			     rho / 2 * ((f * f + 2 * above[v] / dn) /
					x->square - 3)) / dn;
	}
	free(above);
	return 0;
}

/*
 * Adds to psi[FIGURES] of each response its influence on the rho of two of
 * them, times that figure's slope.
 */
static int add_influence(const struct rm_triple *t, int a, int b, double rho,
			 const double *slope, double *psi)
{
	struct side x, y = {0};
	int status = init_side(&x, &t->codes[a]);

	if (status == 0)
		status = init_side(&y, &t->codes[b]);
	if (status == 0)
		status = fill_own(&x, &y, rho);
	if (status == 0)
		status = fill_own(&y, &x, rho);
	if (status == 0) {
		size_t n = x.codes->n;
		double scale = 1 / (sqrt(x.square * y.square) * (double)n);

#pragma omp parallel for if (n > 1 << 15)
		for (size_t i = 0; i < n; i++) {
			uint32_t u = x.codes->code[i], v = y.codes->code[i];
			double one = scale * x.rank[u] * y.rank[v] +
				x.own[u] + y.own[v];
			size_t at = FIGURES * (t->from ? t->from[i] : i);

			psi[at + OF_LENGTH] += slope[OF_LENGTH] * one;
			psi[at + OF_LABEL] += slope[OF_LABEL] * one;
		}
	}
	free_side(&x);
	free_side(&y);
	return status;
}

/* A figure without a value has slopes of NaN, and no error. */
static int find_errors(struct rm_scores *s, const struct rm_triple *t,
		       const struct partial *p)
{
	const double xy[] = { p[OF_LENGTH].of_b, p[OF_LABEL].of_a };
	const double xz[] = { p[OF_LENGTH].of_a, p[OF_LABEL].of_b };
	const double yz[] = { p[OF_LENGTH].of_c, p[OF_LABEL].of_c };
	double *psi = rm_calloc(FIGURES * s->responses, sizeof(*psi));
	double *one = rm_malloc(s->responses, sizeof(*one));
	int status = -1;

	if (psi && one &&
	    add_influence(t, RM_OF_REWARD, RM_OF_LABEL, t->reward_label, xy,
			  psi) == 0 &&
	    add_influence(t, RM_OF_REWARD, RM_OF_LENGTH, t->reward_length, xz,
			  psi) == 0)
		status = add_influence(t, RM_OF_LABEL, RM_OF_LENGTH,
				       t->label_length, yz, psi);
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
