/* rank: standard errors of rank correlations over all responses. */
#ifndef RM_METRIC_RANK_H
#define RM_METRIC_RANK_H

#include "metric.h"

/*
 * n responses of `s`, response from[i] (NULL: i) standing at place i: the
 * order x of their rewards, the codes y of what they are held against, and
 * z[n], those codes in the order of x.
 */
struct rm_ranks {
	const struct rm_scores *s;
	const struct rm_order *x;
	const struct rm_codes *y;
	const uint32_t *z, *from;
};

/* psi[responses of s]: the influence of each on rho, 0 of those without a
 * place; neither side is constant. */
int rm_spearman_influence(const struct rm_ranks *r, double rho, double *psi);
/* Of the rho and tau-b that they have; neither side is constant. */
int rm_spearman_error(const struct rm_ranks *r, double rho, double *error);
int rm_kendall_error(const struct rm_ranks *r, double tau, double *error);

/*
 * The responses whose label and length are known: the order of their rewards,
 * the codes of both, and Spearman's rho of each two; NaN: no variation.
 */
struct rm_triple {
	const struct rm_order *order;
	struct rm_codes label, length;
	uint32_t *from;			/* [n] response; NULL: all of them */
	struct rm_order some;		/* the order, unless it is of all */
	double reward_label, reward_length, label_length;
};

/* It may point into itself. */
int rm_triple_init(struct rm_triple *t, struct rm_scores *s);
void rm_triple_fini(struct rm_triple *t);

/* z[n]: the codes of y in the order of x. */
void rm_codes_along(const struct rm_order *x, const struct rm_codes *y,
		    uint32_t *z);

/* Sums over what is above each code, and half of it: of[] becomes them. */
void rm_sum_above(double *of, size_t n);

/* Average rank of each code, less the mean of all ranks; the caller's. */
double *rm_centred_ranks(const struct rm_codes *c);

#endif
