/* scores: what the parts of metric share about struct rm_scores. */
#ifndef RM_METRIC_SCORES_H
#define RM_METRIC_SCORES_H

#include "metric.h"

/*
 * Put the records of equal key together (0: no key, alone), in the order in
 * which the keys first appear; key[records] or NULL.
 */
int rm_scores_cluster(struct rm_scores **s, const uint64_t *key);

/* The n records of these numbers, in that order, as scores of their own. */
struct rm_scores *rm_scores_choose(const struct rm_scores *s,
				   const uint32_t *record, size_t n);

/*
 * The standard error of a figure on which record r has influence psi[r]:
 * its square is G / (G - 1) sum over G clusters (sum of psi)^2.  NaN for one
 * cluster.
 */
int rm_scores_error(const struct rm_scores *s, const double *psi,
		    double *error);

/* The same where response i has influence psi[i]. */
int rm_responses_error(const struct rm_scores *s, const double *psi,
		       double *error);

/* Comparison i, of which `prefers` is not 0: 1 right, 0 wrong, by d's sign. */
static inline double rm_scores_hit(const struct rm_scores *s, size_t i,
				   int prefers)
{
	static const double of_tie[] = {
		[RM_TIES_HALF] = .5, [RM_TIES_WRONG] = 0, [RM_TIES_RIGHT] = 1
	};

	if (s->d[i] == 0)
		return of_tie[s->ties];
	return (s->d[i] > 0) == (prefers > 0);
}

/* Keep the exponentials that probabilities are made of, asked for often. */
int rm_scores_keep_decay(struct rm_scores *s);
void rm_scores_drop_decay(struct rm_scores *s);

/*
 * Records [*from, *to) become those of the clusters that begin there, so that
 * pieces of a pass hold whole ones; false: none begins.
 */
static inline bool rm_scores_whole(const struct rm_scores *s, size_t *from,
				   size_t *to)
{
	while (*from < *to && !rm_scores_begins(s, *from))
		(*from)++;
	if (*from == *to)
		return false;
	while (*to < s->records && !rm_scores_begins(s, *to))
		(*to)++;
	return true;
}

#endif
