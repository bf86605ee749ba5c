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

/* Slopes by bin are over the total of weights: less of it raises all. */
static void put_slopes(struct rm_slopes *slopes, size_t bin, enum rm_part part,
		       const double by[RM_BIN_SUMS])
{
	for (size_t k = 0; k < RM_BIN_SUMS; k++)
		slopes->by[bin][k][part] = by[k];
}

/* What bin b adds to each part times the total, and its slopes. */
static void add_bin(const struct rm_bins *b, size_t bin, double *part,
		    struct rm_slopes *slopes)
{
	const double *v = b->sum[bin];
	double f = v[RM_BIN_F] / v[RM_BIN_W], o = v[RM_BIN_O] / v[RM_BIN_W];
	double miss = v[RM_BIN_F] - v[RM_BIN_O], gap = f - o;
	double side = (miss > 0) - (miss < 0);

	part[RM_PART_GAP] += fabs(miss);
	put_slopes(slopes, bin, RM_PART_GAP, (double[RM_BIN_SUMS]){
		[RM_BIN_F] = side, [RM_BIN_O] = -side });
	part[RM_PART_RELIABILITY] += miss * gap;
	put_slopes(slopes, bin, RM_PART_RELIABILITY, (double[RM_BIN_SUMS]){
		[RM_BIN_F] = 2 * gap, [RM_BIN_O] = -2 * gap,
		[RM_BIN_W] = -gap * gap });
	/* The mean label is 1/2 by symmetry, whatever is drawn. */
	part[RM_PART_RESOLUTION] += v[RM_BIN_W] * (o - .5) * (o - .5);
	put_slopes(slopes, bin, RM_PART_RESOLUTION, (double[RM_BIN_SUMS]){
		[RM_BIN_O] = 2 * o - 1, [RM_BIN_W] = .25 - o * o });
	part[RM_PART_UNCERTAINTY] += v[RM_BIN_OO] - v[RM_BIN_O] +
		v[RM_BIN_W] / 4;
	put_slopes(slopes, bin, RM_PART_UNCERTAINTY, (double[RM_BIN_SUMS]){
		[RM_BIN_OO] = 1, [RM_BIN_O] = -1, [RM_BIN_W] = .25 });
	part[RM_PART_WITHIN_VAR] += v[RM_BIN_FF] - v[RM_BIN_F] * f;
	put_slopes(slopes, bin, RM_PART_WITHIN_VAR, (double[RM_BIN_SUMS]){
		[RM_BIN_FF] = 1, [RM_BIN_F] = -2 * f, [RM_BIN_W] = f * f });
	part[RM_PART_WITHIN_COV] += 2 * (v[RM_BIN_FO] - v[RM_BIN_F] * o);
	put_slopes(slopes, bin, RM_PART_WITHIN_COV, (double[RM_BIN_SUMS]){
		[RM_BIN_FO] = 2, [RM_BIN_F] = -2 * o, [RM_BIN_O] = -2 * f,
		[RM_BIN_W] = 2 * f * o });
}

void rm_parts_of(const struct rm_bins *b, double *part,
		 struct rm_slopes *slopes)
{
	double total = 0;
	size_t i, j, k;

	memset(slopes, 0, sizeof(*slopes));
	memset(part, 0, RM_PARTS * sizeof(*part));
	for (i = 0; i < RM_ECE_BINS; i++) {
		total += b->sum[i][RM_BIN_W];
		if (b->sum[i][RM_BIN_W] > 0)
			add_bin(b, i, part, slopes);
	}
	for (k = 0; k < RM_PARTS; k++) {
		part[k] /= total;
		for (i = 0; i < RM_ECE_BINS; i++) {
			slopes->by[i][RM_BIN_W][k] -= part[k];
			for (j = 0; j < RM_BIN_SUMS; j++)
				slopes->by[i][j][k] /= total;
		}
	}
}

int rm_bins_ece(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_WIDTH, RM_PART_GAP, value, error);
}

static int ece_mass(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_MASS, RM_PART_GAP, value, error);
}

const struct rm_metric_kind rm_metric_ece_mass = {
	"ece_mass", RM_SECTION_CALIBRATION, 4, RM_UNIT_NUMBER,
	"the same in bins of equal mass",
	"expected calibration error in 10 bins that hold equally many points, "
	"their edges the deciles of P over the points (as scikit-learn's "
	"strategy \"quantile\"), which the interval takes as given",
	"all weights are 0",
	.estimate = ece_mass, .most = 1
};

static int reliability_part(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_WIDTH, RM_PART_RELIABILITY,
				value, error);
}

const struct rm_metric_kind rm_metric_reliability = {
	"reliability", RM_SECTION_CALIBRATION, 11, RM_UNIT_NUMBER,
	"of brier: P off mean label (less)",
	"Murphy's reliability in the bins of ece: the weighted mean over bins "
	"of (mean P - mean p)^2; brier = reliability - resolution + "
	"uncertainty + within_var - within_cov",
	"all weights are 0",
	.estimate = reliability_part
};

static int resolution_part(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_WIDTH, RM_PART_RESOLUTION,
				value, error);
}

const struct rm_metric_kind rm_metric_resolution = {
	"resolution", RM_SECTION_CALIBRATION, 12, RM_UNIT_NUMBER,
	"of brier: bins told apart (more)",
	"Murphy's resolution in the bins of ece: the weighted mean over bins "
	"of (mean p - 1/2)^2",
	"all weights are 0",
	.estimate = resolution_part
};

static int uncertainty_part(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_WIDTH, RM_PART_UNCERTAINTY,
				value, error);
}

const struct rm_metric_kind rm_metric_uncertainty = {
	"uncertainty", RM_SECTION_CALIBRATION, 13, RM_UNIT_NUMBER,
	"of brier: the labels' variance",
	"Murphy's uncertainty: the variance of the labels over the points, "
	"1/4 where all are 0 or 1",
	"all weights are 0",
	.estimate = uncertainty_part
};

static int within_var_part(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_WIDTH, RM_PART_WITHIN_VAR,
				value, error);
}

const struct rm_metric_kind rm_metric_within_var = {
	"within_var", RM_SECTION_CALIBRATION, 14, RM_UNIT_NUMBER,
	"of brier: variance of P in a bin",
	"the variance of P within the bins of ece (Stephenson et al. 2008)",
	"all weights are 0",
	.estimate = within_var_part
};

static int within_cov_part(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_WIDTH, RM_PART_WITHIN_COV,
				value, error);
}

const struct rm_metric_kind rm_metric_within_cov = {
	"within_cov", RM_SECTION_CALIBRATION, 15, RM_UNIT_CORRELATION,
	"of brier: twice P with p in a bin",
	"twice the covariance of P and p within the bins of ece (Stephenson "
	"et al. 2008)",
	"all weights are 0",
	.estimate = within_cov_part
};
