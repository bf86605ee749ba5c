/*
 * drift: do rewards and lengths still look as they did?
 *
 * Two scored streams, a baseline and a newer one, which need not hold the
 * same records; what is compared is how the numbers of all responses are
 * distributed, each counting once, whatever its record's weight.  Knows
 * scores, not streams.  Errors as in base.h.
 *
 *	struct rm_drift d;
 *	if (rm_drift(scores, "new", baseline, "old", &d) < 0)
 *		...
 *	if (rm_drift_exceeds(&d, &limits, &message) > 0)
 *		...
 */
#ifndef RM_DRIFT_H
#define RM_DRIFT_H

#include "metric.h"

enum { RM_DRIFT_REWARD, RM_DRIFT_LENGTH, RM_DRIFTS };

/* Of one quantity; figures only where `absent` is NULL. */
struct rm_drifted {
	const char *of;		/* "reward", "length" */
	const char *absent;	/* why there are no figures */
	size_t baseline_n, n;	/* responses that have it */
	/*
	 * Population stability index: sum over bins of (q - p) ln(q / p), p
	 * and q the shares of the baseline and of the newer stream.  Bins
	 * end at the baseline's deciles, the smallest values with k tenths
	 * of it at or below (closed above); equal deciles are one.  Where a
	 * bin is empty in one stream, half a response is taken to be there;
	 * one that is empty in both adds nothing.
	 */
	double psi;
	/* Kolmogorov & Smirnov: the most that the distributions differ. */
	double ks;
	/*
	 * P of no less, were all responses independent draws from one
	 * distribution: exact where none are equal and there are at most
	 * RM_DRIFT_EXACT pairs of them, else the asymptotic limit, which is
	 * too large where values tie.
	 */
	double ks_p;
	bool ks_exact;
	/* Difference of means, newer less baseline, and its 95 % interval,
	 * clustered by prompt in each stream, NaN where one has but one. */
	double baseline_mean, mean, shift, low, high;
	double baseline_sd;	/* of n - 1 */
	double shift_sd;	/* shift / baseline_sd */
};

#define RM_DRIFT_EXACT 1000000

struct rm_drift {
	struct rm_drifted of[RM_DRIFTS];
};

/*
 * Rewards that are none or constant in either stream are errors that name
 * it; lengths like that only have no figures.
 */
int rm_drift(const struct rm_scores *s, const char *name,
	     const struct rm_scores *baseline, const char *baseline_name,
	     struct rm_drift *out);

/* NaN: no limit. */
struct rm_drift_limits {
	double psi, ks;
	double shift;		/* of |shift_sd| */
};

/*
 * How many figures exceed their limits, each named in the message with its
 * value and the limit.
 */
size_t rm_drift_exceeds(const struct rm_drift *d,
			const struct rm_drift_limits *limits,
			struct rm_buf *message);

/*
 * Two-sample statistics of x[m] and y[n], none NaN, m and n above 0; the
 * fields psi, ks, ks_p and ks_exact of *out.
 */
int rm_drift_distance(const double *x, size_t m, const double *y, size_t n,
		      struct rm_drifted *out);

#endif
