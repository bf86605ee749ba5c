/*
 * Losses of numbers that are given: attributes that people graded, a
 * teacher's rewards.
 */
#include "loss/kind.h"

#include "op.h"

/*
 * What column c of response i should be, NaN where it is missing.  Without
 * attributes the reward learns the score, and other columns nothing.
 */
static double grade(const struct rm_target *t, size_t K, size_t i, size_t c)
{
	if (t->attributes)
		return t->attributes[i * K + c];
	return c == 0 && t->score ? t->score[i] : (double)NAN;
}

/* How many grades there are in columns from <= c < to. */
static size_t count_grades(const struct rm_target *t, size_t K, size_t from,
			   size_t to)
{
	size_t n = 0;

	for (size_t i = 0; i < t->k; i++)
		for (size_t c = from; c < to; c++)
			if (!isnan(grade(t, K, i, c)))
				n++;
	return n;
}

static int check_grades(const struct rm_loss *loss,
			const struct rm_target *t)
{
	for (size_t i = 0; i < t->k; i++)
		for (size_t c = 0; c < loss->K; c++)
			if (isinf(grade(t, loss->K, i, c)))
				return rm_fail("grade %zu of response %zu is "
					       "infinite", c, i);
	return 0;
}

/*
 *	l = mean of (s_ic - a_ic)^2 over the grades a there are
 *
 * in columns from <= c < to, times share.
 */
static double square_error(struct rm_loss_group *g, size_t from, size_t to,
			   double share)
{
	const struct rm_target *t = g->target;
	size_t K = g->K;
	double l = 0;

	share /= (double)count_grades(t, K, from, to);
	for (size_t i = 0; i < t->k; i++)
		for (size_t c = from; c < to; c++) {
			double e = g->s[i * K + c] - grade(t, K, i, c);
			if (isnan(grade(t, K, i, c)))
				continue;
			l += share * e * e;
			g->ds[i * K + c] += 2 * share * e;
		}
	return l;
}

/* ---- regression ---- */

/*
 * The squared error of all grades.  Wang et al., HelpSteer, 2023; Dong et
 * al., SteerLM, 2023; Wang et al., ArmoRM, 2024.
 */
static double regression_group(const struct rm_loss *loss,
			       struct rm_loss_group *g)
{
	return square_error(g, 0, loss->K, 1);
}

static int regression_check(const struct rm_loss *loss,
			    const struct rm_target *t)
{
	if (!t->attributes && !t->score)
		return rm_fail("no attributes and no score to learn; "
			       "rm-tokenize --attributes or --score keeps "
			       "grades");
	return check_grades(loss, t);
}

static bool regression_learns(const struct rm_loss *loss,
			      const struct rm_target *t)
{
	return count_grades(t, loss->K, 0, loss->K) > 0;
}

static const struct rm_key plain_keys[] = { RM_LOSS_KEYS };

const struct rm_loss_kind rm_loss_regression = {
	{ "regression", "the mean of (s_ic - a_ic)^2 over the grades a that "
	  "are known, a column c for each attribute (Wang et al., HelpSteer, "
	  "2023; ArmoRM, 2024)", plain_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_GRADES, regression_check, regression_learns,
	regression_group, NULL
};

/* ---- several tasks ---- */

/* Task 0: the preferences of the reward; task 1 + c: the grades of column c. */
static bool has_task(const struct rm_loss *loss, const struct rm_target *t,
		     size_t task)
{
	return task == 0 ? rm_loss_preference_learns(loss, t) :
			   count_grades(t, loss->K, task - 1, task) > 0;
}

/* The last weight stands for those that follow. */
static double weight_of(const struct rm_loss *loss, size_t task)
{
	const struct rm_numbers *w = &loss->o.weights;

	return w->x[RM_MIN(task, w->n - 1)];
}

static double task_loss(struct rm_loss_group *g, size_t task, double share)
{
	return task == 0 ? rm_loss_preference(g, share) :
			   square_error(g, task - 1, task, share);
}

/*
 *	l = sum over tasks t of w_t L_t
 *
 * or with learned weights, v_t the log variance of task t,
 *
 *	l = sum of w_t (exp(-v_t) c_t L_t + v_t / 2)
 *
 * c = 1 for preferences and 1/2 for grades.  Kendall, Gal and Cipolla,
 * Multi-Task Learning Using Uncertainty to Weigh Losses, 2018, equations 7
 * and 10.  A task of which a group knows nothing is left out of it.
 */
static double multitask_group(const struct rm_loss *loss,
			      struct rm_loss_group *g)
{
	double l = 0;

	for (size_t t = 0; t <= loss->K; t++) {
		double w = weight_of(loss, t), one;

		if (!has_task(loss, g->target, t))
			continue;
		if (!loss->o.learned) {
			l += task_loss(g, t, w);
			continue;
		}
		one = task_loss(g, t, w * exp(-g->own[t]) * (t ? .5 : 1));
		l += one + w * g->own[t] / 2;
		g->down[t] += w / 2 - one;
	}
	return l;
}

static bool multitask_own(const struct rm_loss *loss, struct rm_param *p)
{
	*p = (struct rm_param){
		.name = "loss.log_variance", .n_dims = 1,
		.shape = { loss->K + 1 }, .trainable = true
	};
	return loss->o.learned;
}

static int multitask_check(const struct rm_loss *loss,
			   const struct rm_target *t)
{
	bool compared = rm_loss_has_p(t) || t->rank || t->score;

	if (!compared && !t->attributes)
		return rm_fail("neither attributes nor preferences; "
			       "rm-tokenize takes them from --attributes, "
			       "--rank, --votes or --score");
	if (compared && rm_loss_preference_check(loss, t) < 0)
		return -1;
	return check_grades(loss, t);
}

static bool multitask_learns(const struct rm_loss *loss,
			     const struct rm_target *t)
{
	return has_task(loss, t, 0) || regression_learns(loss, t);
}

static const struct rm_key multitask_keys[] = {
	RM_KEY_LIST("weights", struct rm_loss_options, weights, 0, 1e6, "1",
		    "of the preferences and of each column's grades; the "
		    "last stands for all that follow"),
	RM_KEY_FLAG("learned", struct rm_loss_options, learned, "no",
		    "learn the variance of each task, which weighs it"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_multitask = {
	{ "multitask", "the sum of w_t L_t: Bradley-Terry of the reward and "
	  "the squared error of each column's grades; learned: "
	  "w_t (exp(-v_t) c_t L_t + v_t / 2), c = 1 for preferences, 1/2 for "
	  "grades (Kendall, Gal and Cipolla 2018)", multitask_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_GRADES, multitask_check, multitask_learns,
	multitask_group, multitask_own
};

/* ---- a teacher ---- */

enum { MARGIN, REWARDS };

static const char *const distill_forms[] = { "margin", "rewards", NULL };

static size_t count_taught(const struct rm_target *t)
{
	size_t n = 0;

	for (size_t i = 0; t->teacher && i < t->k; i++)
		if (!isnan(t->teacher[i]))
			n++;
	return n;
}

/*
 *	l = mean over pairs i < j of the cross entropy of sigma(t_i - t_j)
 *	    and sigma(r_i - r_j)
 *
 * t the teacher's rewards.  Hinton, Vinyals and Dean, Distilling the
 * Knowledge in a Neural Network, 2015, at temperature 1, on comparisons.
 */
static double distill_margin(struct rm_loss_group *g, double n)
{
	const struct rm_target *t = g->target;
	double share = 2 / (n * (n - 1)), l = 0, slope;

	for (size_t i = 0; i < t->k; i++)
		for (size_t j = i + 1; j < t->k; j++) {
			double d = t->teacher[i] - t->teacher[j];
			if (isnan(d))
				continue;
			l += share * rm_loss_cross_entropy(
				rm_loss_gap(g, i, j), rm_sigmoid(d), &slope);
			rm_loss_gap_back(g, i, j, share * slope);
		}
	return l;
}

/*
 *	l = mean of ((r_i - mean r) - (t_i - mean t))^2
 *
 * Ba and Caruana, Do Deep Nets Really Need to be Deep?, 2014:
 * logits by squared error; centred, as rewards have no zero.
 */
static double distill_rewards(struct rm_loss_group *g, double n)
{
	const struct rm_target *t = g->target;
	double off = 0, l = 0;

	for (size_t i = 0; i < t->k; i++)
		if (!isnan(t->teacher[i]))
			off += (g->s[i * g->K] - t->teacher[i]) / n;
	for (size_t i = 0; i < t->k; i++) {
		double e = g->s[i * g->K] - t->teacher[i] - off;
		if (isnan(t->teacher[i]))
			continue;
		l += e * e / n;
		g->ds[i * g->K] += 2 * e / n;
	}
	return l;
}

static double distill_group(const struct rm_loss *loss,
			    struct rm_loss_group *g)
{
	double n = (double)count_taught(g->target);

	return loss->o.form == MARGIN ? distill_margin(g, n)
				      : distill_rewards(g, n);
}

static int distill_check(const struct rm_loss *loss,
			 const struct rm_target *t)
{
	(void)loss;
	if (!t->teacher)
		return rm_fail("no teacher; rm-score --field teacher adds a "
			       "model's rewards, rm-tokenize --teacher "
			       "takes them from a column");
	for (size_t i = 0; i < t->k; i++)
		if (isinf(t->teacher[i]))
			return rm_fail("the teacher's reward of response %zu "
				       "is infinite", i);
	return 0;
}

static bool distill_learns(const struct rm_loss *loss,
			   const struct rm_target *t)
{
	(void)loss;
	return count_taught(t) > 1;
}

static const struct rm_key distill_keys[] = {
	RM_KEY_CHOICE("form", struct rm_loss_options, form, distill_forms,
		      "margin", "what is learnt: the teacher's preferences "
		      "or its rewards"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_distill = {
	{ "distill", "a teacher's rewards t. margin: the cross entropy of "
	  "s(t_i - t_j) and s(r_i - r_j), the mean over all pairs (Hinton, "
	  "Vinyals and Dean 2015); rewards: the mean of (r_i - t_i)^2, both "
	  "less their mean in the group (Ba and Caruana 2014)",
	  distill_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_TEACHER, distill_check, distill_learns,
	distill_group, NULL
};
