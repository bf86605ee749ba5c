/*
 * Losses of comparisons.  d = r_i - r_j of a comparison in which i is
 * preferred with probability q, by the margin m.
 */
#include "loss/kind.h"

#include "op.h"

#define SIGNED_MARGIN \
	RM_KEY_DOUBLE("margin", struct rm_loss_options, margin, 0, 1e6, "1", \
		      "times the margin of a pair that has one")

/*
 * Where the size of a preference decides: the group's margin, else the
 * difference of the scores.
 */
static double magnitude(const struct rm_target *t,
			const struct rm_comparison *c)
{
	if (!isnan(t->margin) || !t->score)
		return t->margin;
	return t->score[c->i] - t->score[c->j];
}

/* The next comparison; if `measured`, with a magnitude. */
static bool next(const struct rm_target *t, bool measured, size_t *at,
		 struct rm_comparison *c)
{
	while (rm_loss_next(t, at, c)) {
		if (!measured)
			return true;
		c->m = magnitude(t, c);
		if (!isnan(c->m))
			return true;
	}
	return false;
}

/*
 * A kind's loss of one comparison and its derivative by d.  To swap i and j
 * is to turn d and m round and q into 1 - q, which changes nothing.
 */
struct rule {
	double (*pair)(const struct rm_loss_options *o, double d, double q,
		       double m, double *slope);
	bool measured;
};

static double take(const struct rm_loss *loss, struct rm_loss_group *g,
		   const struct rule *rule, double share)
{
	const struct rm_loss_options *o = &loss->o;
	double l = 0, e = o->smoothing, slope;
	struct rm_comparison c;
	size_t at = 0;

	while (next(g->target, rule->measured, &at, &c)) {
		double q = c.q * (1 - e) + (1 - c.q) * e;

		l += share * rule->pair(o, rm_loss_gap(g, c.i, c.j), q, c.m,
					&slope);
		rm_loss_gap_back(g, c.i, c.j, share * slope);
	}
	return l;
}

/*
 * The mean over all comparisons, so that a group counts once whatever its k.
 */
static double mean(const struct rm_loss *loss, struct rm_loss_group *g,
		   const struct rule *rule)
{
	struct rm_comparison c;
	size_t at = 0, n = 0;

	while (next(g->target, rule->measured, &at, &c))
		n++;
	return take(loss, g, rule, 1 / (double)n);
}

/* ---- Bradley-Terry ---- */

/*
 *	l = -q log sigma(d - m) - (1 - q) log sigma(m - d)
 *
 * Bradley and Terry, Biometrika 39, 1952; with the margin of Touvron et al.,
 * Llama 2, 2023, section 3.2.2.  With label smoothing e (Szegedy et al.,
 * 2016; for preferences Mitchell, A note on DPO with noisy preferences,
 * 2023) q is p (1 - e) + (1 - p) e.
 */
static double bt_pair(const struct rm_loss_options *o, double d, double q,
		      double m, double *slope)
{
	return rm_loss_cross_entropy(d - (isnan(m) ? 0 : o->margin * m), q,
				     slope);
}

static double bt_group(const struct rm_loss *loss, struct rm_loss_group *g)
{
	static const struct rule rule = { bt_pair, false };

	return mean(loss, g, &rule);
}

static const struct rm_key bt_keys[] = {
	RM_KEY_DOUBLE("smoothing", struct rm_loss_options, smoothing, 0, .5,
		      "0", "share of the labels taken to be wrong"),
	SIGNED_MARGIN,
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_bt = {
	{ "bt", "Bradley-Terry, the mean over the strictly ordered pairs: "
	  "-p log s(d) - (1 - p) log s(-d), d = r0 - r1 - margin (Bradley and "
	  "Terry 1952; margin: Touvron et al. 2023)", bt_keys, false },
	RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, bt_group, NULL
};

/*
 * The same over C(k, 2), k the responses with a label: a pair that ties
 * counts as one that has nothing to say.  Ouyang et al., InstructGPT, 2022,
 * equation 1.
 */
static double allpairs_group(const struct rm_loss *loss,
			     struct rm_loss_group *g)
{
	static const struct rule rule = { bt_pair, false };
	const struct rm_target *t = g->target;
	struct rm_loss_order o = rm_loss_order(t);
	double n = 0;

	for (size_t i = 0; i < t->k; i++)
		n += rm_loss_has_p(t) || !isnan(rm_loss_place(o, i));
	return take(loss, g, &rule, 2 / (n * (n - 1)));
}

const struct rm_loss_kind rm_loss_allpairs = {
	{ "allpairs", "Bradley-Terry over all pairs, each 1 / C(k, 2), those "
	  "that tie adding nothing (Ouyang et al. 2022, equation 1)",
	  bt_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, allpairs_group, NULL
};

/* ---- the size of a preference ---- */

static int measured_check(const struct rm_loss *loss,
			  const struct rm_target *t)
{
	if (isnan(t->margin) && !t->score)
		return rm_fail("neither margin nor score: the size of the "
			       "preference is not known; rm-pair --margin "
			       "score or strength gives a margin");
	return rm_loss_preference_check(loss, t);
}

static bool measured_learns(const struct rm_loss *loss,
			    const struct rm_target *t)
{
	struct rm_comparison c;
	size_t at = 0;

	(void)loss;
	return next(t, true, &at, &c);
}

/*
 *	l = |m| (-q log sigma(d) - (1 - q) log sigma(-d))
 *
 * Wang et al., HelpSteer2-Preference, 2024: Scaled BT.
 */
static double scaled_pair(const struct rm_loss_options *o, double d, double q,
			  double m, double *slope)
{
	double l = fabs(m) * rm_loss_cross_entropy(d, q, slope);

	(void)o;
	*slope *= fabs(m);
	return l;
}

static double scaled_group(const struct rm_loss *loss,
			   struct rm_loss_group *g)
{
	static const struct rule rule = { scaled_pair, true };

	return mean(loss, g, &rule);
}

static const struct rm_key plain_keys[] = { RM_LOSS_KEYS };

const struct rm_loss_kind rm_loss_scaled_bt = {
	{ "scaled-bt", "Bradley-Terry times the size of the preference: "
	  "-|m| log s(d), m the margin, else the difference of the scores "
	  "(Wang et al., HelpSteer2-Preference, 2024)", plain_keys, false },
	RM_LOSS_PREFERENCE | RM_LOSS_SIZE, measured_check, measured_learns,
	scaled_group, NULL
};

/*
 *	l = -q log sigma(d - m) - (1 - q) log sigma(m - d)
 *
 * Ibid.: Margin BT.  It is bt where every comparison has a margin.
 */
static double margin_group(const struct rm_loss *loss,
			   struct rm_loss_group *g)
{
	static const struct rule rule = { bt_pair, true };

	return mean(loss, g, &rule);
}

static const struct rm_key margin_keys[] = { SIGNED_MARGIN, RM_LOSS_KEYS };

const struct rm_loss_kind rm_loss_margin_bt = {
	{ "margin-bt", "Bradley-Terry less the size of the preference: "
	  "-log s(d - m), m the margin, else the difference of the scores "
	  "(Wang et al., HelpSteer2-Preference, 2024)", margin_keys, false },
	RM_LOSS_PREFERENCE | RM_LOSS_SIZE, measured_check, measured_learns,
	margin_group, NULL
};

/* ---- focal ---- */

/*
 *	f(d) = -alpha sigma(-d)^gamma log sigma(d)
 *	f'(d) = alpha sigma(-d)^gamma (gamma sigma(d) log sigma(d) - sigma(-d))
 *
 * Lin et al., Focal Loss for Dense Object Detection, 2017, equation 5, with
 * the probability of the preferred response.
 */
static double focal(const struct rm_loss_options *o, double d, double *slope)
{
	double a = rm_log_sigmoid(d);
	double scale = o->alpha * exp(o->gamma * rm_log_sigmoid(-d));

	*slope = scale * (o->gamma * rm_sigmoid(d) * a - rm_sigmoid(-d));
	return -scale * a;
}

/* q f(d) + (1 - q) f(-d) */
static double focal_pair(const struct rm_loss_options *o, double d, double q,
			 double m, double *slope)
{
	double up, down;
	double l = q * focal(o, d, &up) + (1 - q) * focal(o, -d, &down);

	(void)m;
	*slope = q * up - (1 - q) * down;
	return l;
}

static double focal_group(const struct rm_loss *loss, struct rm_loss_group *g)
{
	static const struct rule rule = { focal_pair, false };

	return mean(loss, g, &rule);
}

static const struct rm_key focal_keys[] = {
	RM_KEY_DOUBLE("gamma", struct rm_loss_options, gamma, 0, 100, "2",
		      "how much less comparisons count that are won"),
	RM_KEY_DOUBLE("alpha", struct rm_loss_options, alpha, 0, 1e6, "1",
		      "times the loss"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_focal = {
	{ "focal", "focal loss: -alpha s(-d)^gamma log s(d), d = r0 - r1 "
	  "(Lin et al. 2017)", focal_keys, false },
	RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, focal_group, NULL
};

/* ---- hinge ---- */

/*
 *	l = q max(0, M - d) + (1 - q) max(0, M' + d)
 *
 * M = margin m and M' = -margin m of a comparison with a margin, else both
 * are `margin`.  Herbrich, Graepel and Obermayer, Large Margin Rank
 * Boundaries for Ordinal Regression, 2000; Joachims, 2002.
 */
static double hinge_pair(const struct rm_loss_options *o, double d, double q,
			 double m, double *slope)
{
	double up = o->margin * (isnan(m) ? 1 : m) - d;
	double down = o->margin * (isnan(m) ? 1 : -m) + d;

	*slope = (1 - q) * (down > 0) - q * (up > 0);
	return q * (up < 0 ? 0 : up) + (1 - q) * (down < 0 ? 0 : down);
}

static double hinge_group(const struct rm_loss *loss, struct rm_loss_group *g)
{
	static const struct rule rule = { hinge_pair, false };

	return mean(loss, g, &rule);
}

static const struct rm_key hinge_keys[] = {
	RM_KEY_DOUBLE("margin", struct rm_loss_options, margin, 0, 1e6, "1",
		      "the distance asked for; of a pair that has a margin, "
		      "times that"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_hinge = {
	{ "hinge", "hinge: max(0, margin - d), d = r0 - r1 (Herbrich, "
	  "Graepel and Obermayer 2000)", hinge_keys, false },
	RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, hinge_group, NULL
};

/* ---- calibration ---- */

/*
 *	l = bt + weight (c - target)^2,  c = mean of sigma(|d|)
 *
 * over the comparisons of the group.  The penalty of Liang et al., Improved
 * Trainable Calibration Method for Neural Networks on Medical Imaging
 * Classification, 2020, on mean confidence less accuracy, with a given
 * accuracy, squared, and of a group instead of a batch, so that gradients
 * do not depend on how a step is cut.
 */
static double calibration_group(const struct rm_loss *loss,
				struct rm_loss_group *g)
{
	double n = (double)rm_loss_count(g->target), c_mean = 0;
	struct rm_comparison c;
	size_t at = 0;

	while (rm_loss_next(g->target, &at, &c))
		c_mean += rm_sigmoid(fabs(rm_loss_gap(g, c.i, c.j))) / n;
	double miss = c_mean - loss->o.target;
	double dc = 2 * loss->o.penalty * miss / n;
	at = 0;
	while (rm_loss_next(g->target, &at, &c)) {
		double d = rm_loss_gap(g, c.i, c.j);
		double slope = rm_sigmoid(d) * rm_sigmoid(-d);

		rm_loss_gap_back(g, c.i, c.j,
				 dc * slope * ((d > 0) - (d < 0)));
	}
	return rm_loss_preference(g, 1) + loss->o.penalty * miss * miss;
}

static const struct rm_key calibration_keys[] = {
	RM_KEY_DOUBLE("target", struct rm_loss_options, target, .5, 1, ".75",
		      "the mean confidence to come to"),
	RM_KEY_DOUBLE("weight", struct rm_loss_options, penalty, 0, 1e6, "1",
		      "times the squared distance from it"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_calibration = {
	{ "calibration", "Bradley-Terry + weight (c - target)^2, c = mean of "
	  "s(|d|) over a group's comparisons (after Liang et al. 2020)",
	  calibration_keys, false },
	RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, calibration_group, NULL
};
