/* logistic: the fit that most calibrations share. */
#ifndef RM_CALIB_LOGISTIC_H
#define RM_CALIB_LOGISTIC_H

#include "calib.h"

#include <math.h>

#define RM_CALIB_PARAMETERS 3

static inline double rm_sigmoid(double x)
{
	double e = exp(-fabs(x));

	return (x >= 0 ? 1 : e) / (1 + e);
}

/* log(1 + exp(x)) */
static inline double rm_softplus(double x)
{
	return RM_MAX(x, 0) + log1p(exp(-fabs(x)));
}

static inline double rm_calib_weight(const struct rm_calib_data *data,
				     size_t i)
{
	return data->weight ? data->weight[i] : 1;
}

/*
 * Minimise  sum_i w_i (t_i softplus(-z_i) + (1 - t_i) softplus(z_i)),
 * z_i = sum_j theta_j f_j(x_i),  t = low + (high - low) p,  by Newton's
 * method with step halving (Lin, Lin & Weng 2007).  The loss is convex; it
 * has no minimum when the data are separable and t is 0 or 1.
 */
struct rm_logistic {
	const struct rm_calib_data *data;
	size_t k;
	void (*features)(double x, double *f);	/* f[k] */
	double low, high;
	double centre[RM_CALIB_PARAMETERS], scale[RM_CALIB_PARAMETERS];
	double theta[RM_CALIB_PARAMETERS];	/* of the scaled features */
};

/*
 * Features of standard deviation 1 (and mean 0, where the last is the
 * constant that takes the shift up): the minimum is the same and Newton's
 * system well conditioned.  To be called first.
 */
void rm_logistic_scale(struct rm_logistic *l, bool intercept);

/*
 * Platt's targets (1999): a label of 1 is fitted as (N1 + 1) / (N1 + 2), one
 * of 0 as 1 / (N0 + 2), so that a minimum always exists.  On pairs both
 * classes have as many points as there are comparisons.
 */
void rm_logistic_smooth(struct rm_logistic *l, bool pairs);

/*
 * 1 at the minimum, 0 when there is none within reach (parameters run off,
 * in units of the features' deviation), -1 for want of memory.
 */
int rm_logistic_fit(struct rm_logistic *l);

/* The parameters of the unscaled features, out[k]. */
void rm_logistic_unscale(const struct rm_logistic *l, bool intercept,
			 double *out);

#endif
