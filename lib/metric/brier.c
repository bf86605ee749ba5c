/*
 * The parts of the Brier score, and calibration errors of binned points.
 *
 * Over the points (f, o) of a comparison, f = P and o = p, and their mirror
 * images, with the share q_b and the means f_b and o_b of bin b:
 *
 *	reliability = sum_b q_b (f_b - o_b)^2
 *	resolution  = sum_b q_b (o_b - o)^2
 *	uncertainty = variance of o = 1/4 where all labels are 0 or 1
 *	within_var  = sum_b q_b (variance of f in b)
 *	within_cov  = sum_b q_b 2 (covariance of f and o in b)
 *
 * Murphy 1973 has the first three; with the last two, of Stephenson, Coelho &
 * Jolliffe 2008, the sum is exact:
 *
 *	brier = reliability - resolution + uncertainty + within_var - within_cov
 */
#include "metric/bins.h"

#include <math.h>
#include <string.h>

/* The value of one part and its derivatives by the sums of the bins. */
typedef double (*part_of)(const struct rm_bins *b, double total,
			  double (*slope)[RM_BIN_SUMS]);

static int evaluate(struct rm_scores *s, enum rm_bins_kind kind, part_of part,
		    double *value, double *psi)
{
	const struct rm_bins *b = rm_scores_bins(s, kind);
	double slope[RM_ECE_BINS][RM_BIN_SUMS] = {{0}}, total = 0;
	size_t i;

	*value = NAN;
	if (!b)
		return -1;
	for (i = 0; i < RM_ECE_BINS; i++)
		total += b->sum[i][RM_BIN_W];
	if (!(total > 0))
		return 0;
	*value = part(b, total, slope);
	/* Every part is a sum over `total`: more of it lowers all. */
	for (i = 0; i < RM_ECE_BINS; i++)
		slope[i][RM_BIN_W] -= *value / total;
	return rm_bins_influence(s, kind,
				 (const double (*)[RM_BIN_SUMS])slope, psi);
}

/* F_b - O_b; sum (F - O)^2 / W, over the total. */
static double reliability(const struct rm_bins *b, double total,
			  double (*slope)[RM_BIN_SUMS])
{
	double sum = 0;
	size_t i;

	for (i = 0; i < RM_ECE_BINS; i++) {
		const double *v = b->sum[i];
		double gap;

		if (!(v[RM_BIN_W] > 0))
			continue;
		gap = (v[RM_BIN_F] - v[RM_BIN_O]) / v[RM_BIN_W];
		sum += v[RM_BIN_W] * gap * gap;
		slope[i][RM_BIN_F] = 2 * gap / total;
		slope[i][RM_BIN_O] = -2 * gap / total;
		slope[i][RM_BIN_W] = -gap * gap / total;
	}
	return sum / total;
}

/* The mean label is 1/2 by symmetry, whatever is drawn. */
static double resolution(const struct rm_bins *b, double total,
			 double (*slope)[RM_BIN_SUMS])
{
	double sum = 0;
	size_t i;

	for (i = 0; i < RM_ECE_BINS; i++) {
		const double *v = b->sum[i];
		double mean;

		if (!(v[RM_BIN_W] > 0))
			continue;
		mean = v[RM_BIN_O] / v[RM_BIN_W];
		sum += v[RM_BIN_W] * (mean - .5) * (mean - .5);
		slope[i][RM_BIN_O] = 2 * (mean - .5) / total;
		slope[i][RM_BIN_W] = (.25 - mean * mean) / total;
	}
	return sum / total;
}

/* sum (o - 1/2)^2 = sum o^2 - o + 1/4. */
static double uncertainty(const struct rm_bins *b, double total,
			  double (*slope)[RM_BIN_SUMS])
{
	double sum = 0;
	size_t i;

	for (i = 0; i < RM_ECE_BINS; i++) {
		const double *v = b->sum[i];

		sum += v[RM_BIN_OO] - v[RM_BIN_O] + v[RM_BIN_W] / 4;
		slope[i][RM_BIN_OO] = 1 / total;
		slope[i][RM_BIN_O] = -1 / total;
		slope[i][RM_BIN_W] = .25 / total;
	}
	return sum / total;
}

static double within_var(const struct rm_bins *b, double total,
			 double (*slope)[RM_BIN_SUMS])
{
	double sum = 0;
	size_t i;

	for (i = 0; i < RM_ECE_BINS; i++) {
		const double *v = b->sum[i];
		double mean;

		if (!(v[RM_BIN_W] > 0))
			continue;
		mean = v[RM_BIN_F] / v[RM_BIN_W];
		sum += v[RM_BIN_FF] - v[RM_BIN_F] * mean;
		slope[i][RM_BIN_FF] = 1 / total;
		slope[i][RM_BIN_F] = -2 * mean / total;
		slope[i][RM_BIN_W] = mean * mean / total;
	}
	return RM_MAX(sum, 0) / total;
}

static double within_cov(const struct rm_bins *b, double total,
			 double (*slope)[RM_BIN_SUMS])
{
	double sum = 0;
	size_t i;

	for (i = 0; i < RM_ECE_BINS; i++) {
		const double *v = b->sum[i];
		double f, o;

		if (!(v[RM_BIN_W] > 0))
			continue;
		f = v[RM_BIN_F] / v[RM_BIN_W];
		o = v[RM_BIN_O] / v[RM_BIN_W];
		sum += 2 * (v[RM_BIN_FO] - v[RM_BIN_F] * o);
		slope[i][RM_BIN_FO] = 2 / total;
		slope[i][RM_BIN_F] = -2 * o / total;
		slope[i][RM_BIN_O] = -2 * f / total;
		slope[i][RM_BIN_W] = 2 * f * o / total;
	}
	return sum / total;
}

/* sum |F - O|, over the total. */
static double gap(const struct rm_bins *b, double total,
		  double (*slope)[RM_BIN_SUMS])
{
	double sum = 0, side;
	size_t i;

	for (i = 0; i < RM_ECE_BINS; i++) {
		const double *v = b->sum[i];
		double miss = v[RM_BIN_F] - v[RM_BIN_O];

		side = (miss > 0) - (miss < 0);
		sum += fabs(miss);
		slope[i][RM_BIN_F] = side / total;
		slope[i][RM_BIN_O] = -side / total;
	}
	return sum / total;
}

int rm_bins_ece(struct rm_scores *s, double *value, double *psi)
{
	return evaluate(s, RM_BINS_WIDTH, gap, value, psi);
}

static int ece_mass(struct rm_scores *s, double *value, double *psi)
{
	return evaluate(s, RM_BINS_MASS, gap, value, psi);
}

const struct rm_metric_kind rm_metric_ece_mass = {
	"ece_mass", RM_SECTION_CALIBRATION, 4, RM_UNIT_NUMBER,
	"the same in bins of equal mass",
	"expected calibration error in 10 bins that hold equally many points, "
	"their edges the deciles of P over the points (as scikit-learn's "
	"strategy \"quantile\"), which the interval takes as given",
	"all weights are 0",
	.influence = ece_mass, .most = 1
};

static int reliability_part(struct rm_scores *s, double *value, double *psi)
{
	return evaluate(s, RM_BINS_WIDTH, reliability, value, psi);
}

const struct rm_metric_kind rm_metric_reliability = {
	"reliability", RM_SECTION_CALIBRATION, 11, RM_UNIT_NUMBER,
	"of brier: P off mean label (less)",
	"Murphy's reliability in the bins of ece: the weighted mean over bins "
	"of (mean P - mean p)^2; brier = reliability - resolution + "
	"uncertainty + within_var - within_cov",
	"all weights are 0",
	.influence = reliability_part
};

static int resolution_part(struct rm_scores *s, double *value, double *psi)
{
	return evaluate(s, RM_BINS_WIDTH, resolution, value, psi);
}

const struct rm_metric_kind rm_metric_resolution = {
	"resolution", RM_SECTION_CALIBRATION, 12, RM_UNIT_NUMBER,
	"of brier: bins told apart (more)",
	"Murphy's resolution in the bins of ece: the weighted mean over bins "
	"of (mean p - 1/2)^2",
	"all weights are 0",
	.influence = resolution_part
};

static int uncertainty_part(struct rm_scores *s, double *value, double *psi)
{
	return evaluate(s, RM_BINS_WIDTH, uncertainty, value, psi);
}

const struct rm_metric_kind rm_metric_uncertainty = {
	"uncertainty", RM_SECTION_CALIBRATION, 13, RM_UNIT_NUMBER,
	"of brier: the labels' variance",
	"Murphy's uncertainty: the variance of the labels over the points, "
	"1/4 where all are 0 or 1",
	"all weights are 0",
	.influence = uncertainty_part
};

static int within_var_part(struct rm_scores *s, double *value, double *psi)
{
	return evaluate(s, RM_BINS_WIDTH, within_var, value, psi);
}

const struct rm_metric_kind rm_metric_within_var = {
	"within_var", RM_SECTION_CALIBRATION, 14, RM_UNIT_NUMBER,
	"of brier: variance of P in a bin",
	"the variance of P within the bins of ece (Stephenson et al. 2008)",
	"all weights are 0",
	.influence = within_var_part
};

static int within_cov_part(struct rm_scores *s, double *value, double *psi)
{
	return evaluate(s, RM_BINS_WIDTH, within_cov, value, psi);
}

const struct rm_metric_kind rm_metric_within_cov = {
	"within_cov", RM_SECTION_CALIBRATION, 15, RM_UNIT_CORRELATION,
	"of brier: twice P with p in a bin",
	"twice the covariance of P and p within the bins of ece (Stephenson "
	"et al. 2008)",
	"all weights are 0",
	.influence = within_cov_part
};
