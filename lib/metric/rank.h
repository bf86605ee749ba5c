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

/* Of the rho and tau-b that they have; neither side is constant. */
int rm_spearman_error(const struct rm_ranks *r, double rho, double *error);
int rm_kendall_error(const struct rm_ranks *r, double tau, double *error);

/*
 * Spearman's rho of reward and label, reward and length, label and length,
 * over the responses whose label and length are known; NaN: no variation.
 */
int rm_scores_rhos(struct rm_scores *s, double *reward_label,
		   double *reward_length, double *label_length);

/* Average rank of each code, less the mean of all ranks; the caller's. */
double *rm_centred_ranks(const struct rm_codes *c);

#endif
