/* The figures of probabilities: is a comparison as sure as it should be? */
#include "metric/bins.h"
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int rm_scores_keep_decay(struct rm_scores *s)
{
	size_t i;

	if (s->decay)
		return 0;
	s->decay = rm_malloc(s->n, sizeof(*s->decay));
	if (!s->decay)
		return -1;
#pragma omp parallel for if (s->n > 1 << 15)
	for (i = 0; i < s->n; i++)
		s->decay[i] = exp(-fabs(s->d[i]));
	return 0;
}

void rm_scores_drop_decay(struct rm_scores *s)
{
	free(s->decay);
	s->decay = NULL;
}

static double decay_of(const struct rm_scores *s, size_t i)
{
	return s->decay ? s->decay[i] : exp(-fabs(s->d[i]));
}

/*
 * sigmoid(d) and sigmoid(-d), both to the last bits; or the field `prob` and
 * what remains of 1.
 */
void rm_scores_prob(const struct rm_scores *s, size_t i, double *prob,
		    double *other)
{
	double e, low, high;

	if (s->prob && !isnan(s->prob[i])) {
		*prob = s->prob[i];
		*other = 1 - s->prob[i];
		return;
	}
	e = decay_of(s, i);
	high = 1 / (1 + e);
	low = e / (1 + e);
	*prob = s->d[i] >= 0 ? high : low;
	*other = s->d[i] >= 0 ? low : high;
}

/* -x log y, 0 where x is 0, whatever y. */
static double surprise(double x, double y)
{
	return x > 0 ? -x * log(y) : 0;
}

/*
 * -p log P - (1 - p) log(1 - P); with P = sigmoid(d) that is
 * log(1 + exp(-|d|)) + |d| * (what was not preferred): no overflow.
 */
static double log_loss(const struct rm_scores *s, size_t i)
{
	double p = rm_scores_p(s, i), d = s->d[i];

	if (s->prob && !isnan(s->prob[i]))
		return surprise(p, s->prob[i]) +
			surprise(1 - p, 1 - s->prob[i]);
	return log1p(decay_of(s, i)) + fabs(d) * (d >= 0 ? 1 - p : p);
}

static double squared_error(const struct rm_scores *s, size_t i)
{
	double prob, other, miss;

	rm_scores_prob(s, i, &prob, &other);
	miss = s->p ? prob - s->p[i] : other;
	return miss * miss;
}

static double surer(const struct rm_scores *s, size_t i)
{
	double prob, other;

	rm_scores_prob(s, i, &prob, &other);
	return RM_MAX(prob, other);
}

/* The label of the response that P favours. */
static double borne_out(const struct rm_scores *s, size_t i)
{
	double prob, other, p = rm_scores_p(s, i);

	rm_scores_prob(s, i, &prob, &other);
	return prob > other ? p : prob < other ? 1 - p : .5;
}

/* Weighted mean over comparisons of what f says. */
static inline int mean_rows(const struct rm_scores *s, size_t from, size_t to,
			    double *out,
			    double (*f)(const struct rm_scores *, size_t))
{
	for (size_t r = from; r < to; r++, out += 2) {
		size_t i, begin = rm_scores_comparison(s, r);
		size_t end = rm_scores_comparison(s, r + 1);
		double w = rm_scores_weight(s, r);

		out[0] = 0;
		if (w > 0)
			for (i = begin; i < end; i++)
				out[0] += w * f(s, i);
		out[1] = w * (double)(end - begin);
	}
	return 0;
}

static int log_loss_rows(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	return mean_rows(s, from, to, out, log_loss);
}

const struct rm_metric_kind rm_metric_log_loss = {
	"log_loss", RM_SECTION_CALIBRATION, 1, RM_UNIT_NUMBER,
	"surprise (0.693 is a coin's)",
	"weighted mean of -p log P - (1 - p) log(1 - P) over comparisons, P "
	"the field prob where there is one, else sigmoid(d)",
	"a prob of exactly 0 or 1 was wrong",
	.sums = 2, .rows = log_loss_rows, .bootstrap = true, .table = true
};

static int brier_rows(const struct rm_scores *s, size_t from, size_t to,
		      double *out)
{
	return mean_rows(s, from, to, out, squared_error);
}

const struct rm_metric_kind rm_metric_brier = {
	"brier", RM_SECTION_CALIBRATION, 2, RM_UNIT_NUMBER,
	"mean squared error of P",
	"weighted mean of (P - p)^2 over comparisons",
	"all weights are 0",
	.sums = 2, .rows = brier_rows, .most = 1, .bootstrap = true
};

static int confidence_rows(const struct rm_scores *s, size_t from, size_t to,
			   double *out)
{
	return mean_rows(s, from, to, out, surer);
}

const struct rm_metric_kind rm_metric_confidence = {
	"confidence", RM_SECTION_CALIBRATION, 6, RM_UNIT_SHARE,
	"mean P of the likelier response",
	"weighted mean of max(P, 1 - P) over comparisons: above borne_out is "
	"overconfident, below it underconfident",
	"all weights are 0",
	.sums = 2, .rows = confidence_rows
};

static int borne_out_rows(const struct rm_scores *s, size_t from, size_t to,
			  double *out)
{
	return mean_rows(s, from, to, out, borne_out);
}

const struct rm_metric_kind rm_metric_borne_out = {
	"borne_out", RM_SECTION_CALIBRATION, 7, RM_UNIT_SHARE,
	"mean label of the likelier response",
	"weighted mean over comparisons of p where P > 1/2, of 1 - p where "
	"P < 1/2, else of 1/2: the accuracy where labels are hard, the share "
	"of judges that agree where they are soft",
	"all weights are 0",
	.sums = 2, .rows = borne_out_rows
};

/* ---- expected calibration error ---- */

/*
 * Bin b is (b/10, (b+1)/10], the first with its 0: the edges that numpy's
 * linspace makes, found by searchsorted from the left.
 */
size_t rm_ece_bin(double prob)
{
	size_t bin = (size_t)(prob * RM_ECE_BINS);

	if (bin > RM_ECE_BINS - 1)
		bin = RM_ECE_BINS - 1;
	if (bin > 0 && prob <= (double)bin * .1)
		bin--;
	else if (bin < RM_ECE_BINS - 1 && prob > (double)(bin + 1) * .1)
		bin++;
	return bin;
}

/*
 * sum over bins |sum w (P - p)| / sum w, over the points (P, p) and
 * (1 - P, 1 - p).  Naeini et al. 2015, with both sides of each comparison.
 */
static int ece_rows(const struct rm_scores *s, size_t from, size_t to,
		    double *out)
{
	memset(out, 0, (to - from) * (RM_ECE_BINS + 1) * sizeof(*out));
	for (size_t r = from; r < to; r++, out += RM_ECE_BINS + 1) {
		size_t i, begin = rm_scores_comparison(s, r);
		size_t end = rm_scores_comparison(s, r + 1);
		double w = rm_scores_weight(s, r);

		for (i = begin; i < end; i++) {
			double prob, other, p = rm_scores_p(s, i);

			rm_scores_prob(s, i, &prob, &other);
			out[rm_ece_bin(prob)] += w * (prob - p);
			out[rm_ece_bin(other)] += w * (other - (1 - p));
		}
		out[RM_ECE_BINS] = 2 * w * (double)(end - begin);
	}
	return 0;
}

static double ece_value(const double *sums)
{
	double gap = 0;

	for (size_t b = 0; b < RM_ECE_BINS; b++)
		gap += fabs(sums[b]);
	return gap / sums[RM_ECE_BINS];
}

const struct rm_metric_kind rm_metric_ece = {
	"ece", RM_SECTION_CALIBRATION, 3, RM_UNIT_NUMBER,
	"mean gap between P and what happens",
	"expected calibration error in 10 equal-width bins over the points "
	"(P, p) and (1 - P, 1 - p): the weighted mean over bins of |mean P - "
	"mean p|",
	"all weights are 0",
	.sums = RM_ECE_BINS + 1, .rows = ece_rows, .value = ece_value,
	.bootstrap = true, .table = true, .estimate = rm_bins_ece,
	.most = 1
};

/*
 * The one-sided form found in textbooks: one point a comparison, P of the
 * preferred response against whether P > .5.  Each bin is all right (above
 * .5) or all wrong (below), so a perfect model scores badly: it measures how
 * far P is from 0 and 1.
 */
static int ece_seed(struct rm_scores *s, double *value, double *error)
{
	return rm_bins_estimate(s, RM_BINS_SEED, RM_PART_GAP, value, error);
}

const struct rm_metric_kind rm_metric_ece_seed = {
	"ece_seed", RM_SECTION_CALIBRATION, 5, RM_UNIT_NUMBER,
	"textbook form, flawed: see rm-eval",
	"the textbooks' one-sided form, kept for comparison: 10 bins of P of "
	"the preferred response against whether it exceeds .5; every bin is "
	"all right or all wrong by construction, so a perfectly calibrated "
	"model does not reach 0",
	"no comparison has a preference",
	.estimate = ece_seed, .most = 1
};
