/*
 * uncertainty: column 0 is the mean of a response's reward, column 1 says
 * its variance,
 *
 *	v = softplus(s1) + 1e-6
 *
 * as in Lakshminarayanan, Pritzel and Blundell, Simple and Scalable
 * Predictive Uncertainty Estimation using Deep Ensembles, 2017.
 */
#include "loss/kind.h"

#include "op.h"

#define SMALLEST 1e-6

enum { WEIGHTED, GAUSSIAN };

static const char *const forms[] = { "weighted", "gaussian", NULL };

static double variance(const struct rm_loss_group *g, size_t i)
{
	return SMALLEST - rm_log_sigmoid(-g->s[i * g->K + 1]);
}

static void variance_back(struct rm_loss_group *g, size_t i, double dv)
{
	g->ds[i * g->K + 1] += dv * rm_sigmoid(g->s[i * g->K + 1]);
}

/* ---- weighted ---- */

/*
 *	l = w (-q log sigma(d) - (1 - q) log sigma(-d)),
 *	w = 1 / (1 + v_i + v_j)
 *
 * Nothing keeps v from growing, which makes l small without learning.
 */
static double weighted(double d, double v, double q, double *dd, double *dv)
{
	double w = 1 / (1 + v), l = w * rm_loss_cross_entropy(d, q, dd);

	*dd *= w;
	*dv = -w * l;
	return l;
}

/* ---- Gaussian ---- */

/* From here on Phi(-x) is phi(x) times Mills' ratio. */
#define TAIL 10
/* Steps of its continued fraction: exact to rounding from TAIL on. */
#define STEPS 40

/*
 * Phi(-x) / phi(x) = 1 / (x + 1 / (x + 2 / (x + ...))) for x >= TAIL: Laplace.
 */
static double mills(double x)
{
	double f = x;

	for (int n = STEPS; n > 0; n--)
		f = x + n / f;
	return 1 / f;
}

/* log Phi(x) and its derivative phi(x) / Phi(x). */
static double log_phi(double x, double *slope)
{
	double log_density = -.5 * x * x - .5 * log(2 * M_PI);
	double l;

	if (x < -TAIL) {
		double ratio = mills(-x);
		*slope = 1 / ratio;
		return log_density + log(ratio);
	}
	l = x < 0 ? log(.5 * erfc(-x * M_SQRT1_2)) :
		    log1p(-.5 * erfc(x * M_SQRT1_2));
	*slope = exp(log_density - l);
	return l;
}

/*
 *	l = -q log Phi(x) - (1 - q) log Phi(-x),  x = d / sqrt(v_i + v_j)
 *
 * Thurstone, A Law of Comparative Judgment, 1927, with the variances of
 * both sides.
 */
static double gaussian(double d, double v, double q, double *dd, double *dv)
{
	double x = d / sqrt(v), up, down, dx;
	double l = -q * log_phi(x, &up) - (1 - q) * log_phi(-x, &down);

	dx = (1 - q) * down - q * up;
	*dd = dx / sqrt(v);
	*dv = -.5 * dx * x / v;
	return l;
}

/* ---- both ---- */

static double uncertainty_group(const struct rm_loss *loss,
				struct rm_loss_group *g)
{
	const struct rm_target *t = g->target;
	double share = 1 / (double)rm_loss_count(t), l = 0, dd, dv;
	struct rm_comparison c;
	size_t at = 0;

	while (rm_loss_next(t, &at, &c)) {
		double d = rm_loss_gap(g, c.i, c.j);
		double v = variance(g, c.i) + variance(g, c.j);

		l += share * (loss->o.form == WEIGHTED ?
			      weighted(d, v, c.q, &dd, &dv) :
			      gaussian(d, v, c.q, &dd, &dv));
		rm_loss_gap_back(g, c.i, c.j, share * dd);
		variance_back(g, c.i, share * dv);
		variance_back(g, c.j, share * dv);
	}
	return l;
}

static const struct rm_key keys[] = {
	RM_KEY_CHOICE("form", struct rm_loss_options, form, forms,
		      "weighted", "how the variances enter"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_uncertainty = {
	{ "uncertainty", "a mean and a variance v for each response. "
	  "weighted: Bradley-Terry times 1 / (1 + v0 + v1), which large "
	  "variances evade; gaussian: P = Phi(d / sqrt(v0 + v1)) (Thurstone "
	  "1927; v = softplus: Lakshminarayanan et al. 2017)", keys, false },
	RM_LOSS_PREFERENCE | RM_LOSS_VARIANCE, rm_loss_preference_check,
	rm_loss_preference_learns, uncertainty_group, NULL
};
