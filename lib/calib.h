/*
 * calib: from rewards to probabilities.
 *
 * A calibration is a rising map, fitted to labels: on pairs from a difference
 * of rewards d to P(first preferred), with P(-d) = 1 - P(d); on single
 * responses from a reward to P(label is 1).  Methods are rows of a table.
 * Knows neither records nor files; errors as in base.h.
 *
 *	struct rm_calib_data data = { n, d, p, weight };
 *	struct rm_calib *c = rm_calib_fit("temperature", true, &data);
 *	prob = rm_calib_prob(c, 1.3);
 *	json = rm_calib_json(c);
 *	rm_calib_free(c);
 */
#ifndef RM_CALIB_H
#define RM_CALIB_H

#include "json.h"
#include "sort.h"

/* What a fit sees: point i is at x with label p in [0, 1]. */
struct rm_calib_data {
	size_t n;
	const double *x;	/* [n] differences (pairs) or rewards; finite */
	const double *p;	/* [n] P(first preferred), or the label */
	const double *weight;	/* [n] >= 0; NULL: all 1 */
};

struct rm_calib;

/* The methods, ending in NULL: temperature, platt, isotonic, beta. */
extern const char *const rm_calib_methods[];

/*
 * Fit one, on pairs or on single responses.  Refused, with a message: a
 * method that makes no sense there, rewards that are constant or all tied,
 * labels of one class, rewards that do not rise with the labels.
 */
struct rm_calib *rm_calib_fit(const char *method, bool pairs,
			      const struct rm_calib_data *data);

/*
 * prob[n]: what a calibration fitted to the other folds says of each point.
 * Points of a cluster share a fold; cluster[n] is below `clusters`, which
 * `seed` deals into `folds`, at least 2.  Fails where a fit is refused.
 */
int rm_calib_cross(const char *method, bool pairs,
		   const struct rm_calib_data *data, const uint32_t *cluster,
		   size_t clusters, size_t folds, uint64_t seed, double *prob);

/* P(first preferred) at d, or P(label is 1) at a reward; within (0, 1). */
double rm_calib_prob(const struct rm_calib *c, double x);

/* Made on pairs, or on single responses. */
bool rm_calib_pairs(const struct rm_calib *c);
const char *rm_calib_method(const struct rm_calib *c);
/* What the user should know of the fit, or NULL. */
const char *rm_calib_warning(const struct rm_calib *c);
/* "T = 1.7": the parameters for a human, appended. */
void rm_calib_describe(const struct rm_calib *c, struct rm_buf *out);

/*
 * {format "rmtools-calibration", version, method, on, n, parameters}; the
 * caller owns it and may add members.
 */
json_t *rm_calib_json(const struct rm_calib *c);
/* What rm_calib_json gave, other members passed over; NULL if damaged. */
struct rm_calib *rm_calib_from_json(const json_t *json);
void rm_calib_free(struct rm_calib *c);

#endif
