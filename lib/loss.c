#include "loss.h"

#include <math.h>
#include <stdlib.h>

#include "op.h"

/*
 * The scores of one group in double and their gradient, [k, K]; the kinds
 * add to ds.
 */
struct group {
	const struct rm_target *target;
	size_t K;
	const double *s;
	double *ds;
};

struct rm_loss_kind {
	struct rm_spec spec;
	size_t columns;		/* score columns it works on; 0: any */
	/* Whether the target has what the loss needs; message. */
	int (*check)(const struct rm_target *t);
	/* Whether there is something to learn from. */
	bool (*learns)(const struct rm_target *t);
	/* The loss of one group; adds to g->ds. */
	double (*group)(const struct rm_loss *loss, struct group *g);
};

/* Options of all kinds; a key belongs to the kinds that list it. */
struct options {
	double smoothing, margin, center;
};

struct rm_loss {
	const struct rm_loss_kind *kind;
	struct options o;
	size_t K;
};

#define KEY_CENTER \
	RM_KEY_DOUBLE("center", struct options, center, 0, 1e6, "0", \
		      "times the squared sum of the rewards of a group, " \
		      "which centres them on 0")

/* ---- preferences ---- */

static const double *labels(const struct rm_target *t, double *sign)
{
	*sign = t->rank ? -1 : 1;
	return t->rank ? t->rank : t->score;
}

/*
 * 1 if response i is better than j, -1 if worse, 0 if they tie or are not
 * known.
 */
static int better(const struct rm_target *t, size_t i, size_t j)
{
	double sign;
	const double *label = labels(t, &sign);

	if (!label || isnan(label[i]) || isnan(label[j]))
		return 0;
	double d = sign * (label[i] - label[j]);
	return (d > 0) - (d < 0);
}

static bool has_p(const struct rm_target *t)
{
	return t->k == 2 && !isnan(t->p);
}

static size_t count_ordered(const struct rm_target *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->k; i++)
		for (size_t j = i + 1; j < t->k; j++)
			n += better(t, i, j) != 0;
	return n;
}

static bool preference_learns(const struct rm_target *t)
{
	return has_p(t) || count_ordered(t) > 0;
}

static int preference_check(const struct rm_target *t)
{
	if (has_p(t)) {
		if (t->p < 0 || t->p > 1)
			return rm_fail("p is %g, not within 0 and 1", t->p);
		return 0;
	}
	if (!t->rank && !t->score)
		return rm_fail("neither p, rank nor score: the responses "
			       "cannot be compared");
	return 0;
}

/*
 * Bradley-Terry.  d = r_i - r_j - m, q = P(i preferred over j):
 *
 *	l = -q log sigma(d) - (1 - q) log sigma(-d)
 *	dl/dd = sigma(d) - q
 *
 * Bradley and Terry, Biometrika 39, 1952; with the margin m of Touvron et
 * al., Llama 2, 2023, section 3.2.2.
 */
static double bt_pair(struct group *g, size_t i, size_t j, double q,
		      double m, double share)
{
	double d = g->s[i] - g->s[j] - m;
	double l = -q * rm_log_sigmoid(d) - (1 - q) * rm_log_sigmoid(-d);
	double dd = share * (rm_sigmoid(d) - q);

	g->ds[i] += dd;
	g->ds[j] -= dd;
	return share * l;
}

/*
 * A pair with p: one comparison with q = p (1 - e) + (1 - p) e, e being the
 * label smoothing (Szegedy et al., 2016; for preferences Mitchell, A note on
 * DPO with noisy preferences, 2023).  Otherwise the mean over all strictly
 * ordered pairs, q = 1 - e, so that a group counts once whatever its k
 * (Ouyang et al., InstructGPT, 2022, equation 1).
 */
static double bt_group(const struct rm_loss *loss, struct group *g)
{
	const struct rm_target *t = g->target;
	double e = loss->o.smoothing, l = 0;
	double m = isnan(t->margin) ? 0 : loss->o.margin * t->margin;

	if (has_p(t))
		return bt_pair(g, 0, 1, t->p * (1 - e) + (1 - t->p) * e, m, 1);
	double share = 1 / (double)count_ordered(t);
	for (size_t i = 0; i < t->k; i++)
		for (size_t j = i + 1; j < t->k; j++) {
			int sign = better(t, i, j);
			if (sign > 0)
				l += bt_pair(g, i, j, 1 - e, m, share);
			else if (sign < 0)
				l += bt_pair(g, j, i, 1 - e, m, share);
		}
	return l;
}

static const struct rm_key bt_keys[] = {
	RM_KEY_DOUBLE("smoothing", struct options, smoothing, 0, .5, "0",
		      "share of the labels taken to be wrong"),
	RM_KEY_DOUBLE("margin", struct options, margin, 0, 1e6, "1",
		      "times the margin of a pair that has one"),
	KEY_CENTER,
	RM_KEY_END
};

static const struct rm_loss_kind kinds[] = {
	{ { "bt", "Bradley-Terry: -p log s(d) - (1 - p) log s(-d), "
	    "d = r0 - r1 - margin", bt_keys, false },
	  1, preference_check, preference_learns, bt_group },
};

/* ---- penalties of any loss ---- */

/*
 * c (sum of r)^2 of a group.  Eisenstein et al., Helping or Herding?, 2023,
 * as TRL's center_rewards_coefficient.
 */
static double center_group(const struct rm_loss *loss, struct group *g)
{
	double c = loss->o.center, sum = 0;

	if (c == 0)
		return 0;
	for (size_t i = 0; i < g->target->k; i++)
		sum += g->s[i * g->K];
	for (size_t i = 0; i < g->target->k; i++)
		g->ds[i * g->K] += 2 * c * sum;
	return c * sum * sum;
}

/* ---- the table ---- */

const struct rm_spec *const *rm_loss_specs(void)
{
	static const struct rm_spec *list[RM_COUNT(kinds) + 1];

	for (size_t i = 0; i < RM_COUNT(kinds); i++)
		list[i] = &kinds[i].spec;
	return list;
}

json_t *rm_loss_parse(const char *text)
{
	return rm_spec_parse("loss", rm_loss_specs(), text);
}

void rm_loss_list(struct rm_buf *out)
{
	rm_spec_list(out, rm_loss_specs());
}

struct rm_loss *rm_loss_new(const json_t *config, size_t K)
{
	int i = rm_spec_find("loss", rm_loss_specs(), config);

	if (i < 0)
		return NULL;
	if (kinds[i].columns && kinds[i].columns != K)
		return rm_fail_null("loss %s works on %zu score column(s), "
				    "the head has %zu", kinds[i].spec.name,
				    kinds[i].columns, K);
	struct rm_loss *loss = rm_calloc(1, sizeof(*loss));
	if (!loss)
		return NULL;
	loss->kind = &kinds[i];
	loss->K = K;
	if (rm_spec_fill("loss", &kinds[i].spec, config, &loss->o) < 0) {
		free(loss);
		return NULL;
	}
	return loss;
}

void rm_loss_free(struct rm_loss *loss)
{
	free(loss);
}

int rm_loss_check(const struct rm_loss *loss, const struct rm_target *target)
{
	double w = target->weight;

	if (!isnan(w) && (w < 0 || isinf(w)))
		return rm_fail("weight is %g", w);
	if (isinf(target->margin))
		return rm_fail("margin is %g", target->margin);
	return loss->kind->check(target);
}

/* ---- a batch ---- */

static double weight_of(const struct rm_loss *loss,
			const struct rm_target *t)
{
	if (!loss->kind->learns(t))
		return 0;
	return isnan(t->weight) ? 1 : t->weight;
}

double rm_loss_weight(const struct rm_loss *loss,
		      const struct rm_target *targets, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += weight_of(loss, &targets[i]);
	return sum;
}

static double won(double better_score, double worse_score)
{
	return better_score > worse_score ? 1 :
		better_score == worse_score ? .5 : 0;
}

static void count_correct(const struct group *g, struct rm_loss_sums *sums)
{
	const struct rm_target *t = g->target;
	size_t K = g->K;

	if (has_p(t)) {
		double right = won(g->s[0], g->s[K]);
		sums->compared += t->p != .5;
		sums->correct += t->p > .5 ? right : t->p < .5 ? 1 - right : 0;
		return;
	}
	for (size_t i = 0; i < t->k; i++)
		for (size_t j = i + 1; j < t->k; j++) {
			int sign = better(t, i, j);
			if (sign == 0)
				continue;
			double right = won(g->s[i * K], g->s[j * K]);
			sums->compared++;
			sums->correct += sign > 0 ? right : 1 - right;
		}
}

static int one_group(const struct rm_loss *loss, struct group *g,
		     const rm_real *scores, double scale, rm_real *dscores,
		     double *space, struct rm_loss_sums *sums)
{
	size_t n = g->target->k * g->K;
	double w = weight_of(loss, g->target);

	for (size_t i = 0; i < n; i++) {
		space[i] = (double)scores[i];
		space[n + i] = 0;
	}
	g->s = space;
	g->ds = space + n;
	if (w > 0) {
		double l = loss->kind->group(loss, g) + center_group(loss, g);
		if (!isfinite(l))
			return rm_fail("the loss is %s",
				       isnan(l) ? "NaN" : "infinite");
		sums->loss += w * l;
		sums->weight += w;
	}
	count_correct(g, sums);
	for (size_t i = 0; dscores && i < n; i++)
		dscores[i] = (rm_real)(scale * w * g->ds[i]);
	return 0;
}

int rm_loss_forward(const struct rm_loss *loss,
		    const struct rm_target *targets, size_t n,
		    const rm_real *scores, double scale, rm_real *dscores,
		    struct rm_loss_sums *sums)
{
	size_t most = 0, at = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		most = RM_MAX(most, targets[i].k);
	double *space = rm_malloc(2 * most * loss->K, sizeof(*space));
	if (!space)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct group g = { &targets[i], loss->K, NULL, NULL };
		sums->bad_group = i;
		rc = one_group(loss, &g, scores + at, scale,
			       dscores ? dscores + at : NULL, space, sums);
		at += targets[i].k * loss->K;
	}
	free(space);
	return rc;
}
