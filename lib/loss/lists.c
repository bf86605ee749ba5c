/*
 * Losses of whole lists: what an order of the responses says at once.
 * Responses without a label are left out.
 */
#include "loss/kind.h"

#include "op.h"

/*
 * A kind's loss of the order of a group, `list` being that of one order,
 * times share.  A pair with p is in either, with probabilities p and 1 - p.
 */
static double expected(const struct rm_loss *loss, struct rm_loss_group *g,
		       double (*list)(const struct rm_loss *loss,
				      struct rm_loss_group *g,
				      struct rm_loss_order o, double share))
{
	static const double first[] = { 1, 0 }, second[] = { 0, 1 };
	const struct rm_target *t = g->target;

	if (!rm_loss_has_p(t))
		return list(loss, g, rm_loss_order(t), 1);
	return list(loss, g, (struct rm_loss_order){ first, 1 }, t->p) +
		list(loss, g, (struct rm_loss_order){ second, 1 }, 1 - t->p);
}

/* ---- neighbours ---- */

/* The best place below `place`, -infinity if there is none. */
static double place_below(struct rm_loss_order o, size_t k, double place)
{
	double found = -INFINITY;

	for (size_t i = 0; i < k; i++) {
		double p = rm_loss_place(o, i);
		if (p < place && p > found)
			found = p;
	}
	return found;
}

static size_t count_at(struct rm_loss_order o, size_t k, double place)
{
	size_t n = 0;

	for (size_t i = 0; i < k; i++)
		n += rm_loss_place(o, i) == place;
	return n;
}

/*
 *	l = sum over i of -log sigma(r_i - r_(i+1))
 *
 * over the responses, best first.  Where some tie, the mean over the pairs
 * of one of a rank and one of the next takes the place of the one pair.
 * Burges et al., RankNet, 2005, on neighbours.
 */
static double ranking_list(const struct rm_loss *loss,
			   struct rm_loss_group *g, struct rm_loss_order o,
			   double share)
{
	size_t k = g->target->k;
	double l = 0, slope;

	(void)loss;
	for (size_t i = 0; i < k; i++) {
		double place = rm_loss_place(o, i);
		double next = place_below(o, k, place);
		double pairs = (double)count_at(o, k, place) *
			(double)count_at(o, k, next);

		for (size_t j = 0; j < k; j++) {
			if (rm_loss_place(o, j) != next)
				continue;
			l += share / pairs * rm_loss_cross_entropy(
				rm_loss_gap(g, i, j), 1, &slope);
			rm_loss_gap_back(g, i, j, share / pairs * slope);
		}
	}
	return l;
}

static double ranking_group(const struct rm_loss *loss,
			    struct rm_loss_group *g)
{
	return expected(loss, g, ranking_list);
}

static const struct rm_key plain_keys[] = { RM_LOSS_KEYS };

const struct rm_loss_kind rm_loss_ranking = {
	{ "ranking", "each response against the next worse one: the sum of "
	  "-log s(r_i - r_(i+1)), of ranks with ties the mean over their "
	  "pairs (Burges et al. 2005, on neighbours)", plain_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, ranking_group, NULL
};

/* ---- one against many ---- */

/*
 *	l = -log(e_i / (e_i + sum of e_j over the j worse than i)),
 *	e = exp(r / tau)
 *
 * times share; 0 of a response that is better than none.
 */
static double against_worse(struct rm_loss_group *g, struct rm_loss_order o,
			    size_t i, double tau, double share)
{
	size_t k = g->target->k;
	double place = rm_loss_place(o, i), top = g->s[i * g->K], sum = 0;

	for (size_t j = 0; j < k; j++)
		if (rm_loss_place(o, j) < place)
			top = fmax(top, g->s[j * g->K]);
	for (size_t j = 0; j < k; j++)
		if (j == i || rm_loss_place(o, j) < place)
			sum += exp((g->s[j * g->K] - top) / tau);
	for (size_t j = 0; j < k; j++)
		if (rm_loss_place(o, j) < place)
			rm_loss_gap_back(g, j, i, share / tau / sum *
					 exp((g->s[j * g->K] - top) / tau));
	return share * (log(sum) + (top - g->s[i * g->K]) / tau);
}

/*
 *	l = sum over i of -log(e_i / (e_i + sum of e_j over worse j)),
 *	e = exp(r)
 *
 * Plackett, The Analysis of Permutations, 1975; Luce, 1959; as a loss Xia et
 * al., ListMLE, 2008.  Responses that tie are left unordered: each is
 * chosen before all the worse ones, and nothing is said of those it ties
 * with, while Breslow's and Efron's sums would have their rewards equal.
 */
static double plackett_luce_list(const struct rm_loss *loss,
				 struct rm_loss_group *g,
				 struct rm_loss_order o, double share)
{
	double l = 0;

	(void)loss;
	for (size_t i = 0; i < g->target->k; i++)
		l += against_worse(g, o, i, 1, share);
	return l;
}

static double plackett_luce_group(const struct rm_loss *loss,
				  struct rm_loss_group *g)
{
	return expected(loss, g, plackett_luce_list);
}

const struct rm_loss_kind rm_loss_plackett_luce = {
	{ "plackett-luce", "the likelihood of the order: the sum of "
	  "-log(e_i / (e_i + sum of e_j over worse j)), e = exp(r) (Plackett "
	  "1975; Xia et al., ListMLE, 2008)", plain_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, plackett_luce_group, NULL
};

/*
 * The term of the best alone, of several best the mean.  Van den Oord, Li and
 * Vinyals, Representation Learning with Contrastive Predictive Coding, 2018,
 * equation 4 (InfoNCE).
 */
static double contrastive_list(const struct rm_loss *loss,
			       struct rm_loss_group *g,
			       struct rm_loss_order o, double share)
{
	size_t k = g->target->k;
	double best = place_below(o, k, INFINITY), l = 0;

	share /= (double)count_at(o, k, best);
	for (size_t i = 0; i < k; i++)
		if (rm_loss_place(o, i) == best)
			l += against_worse(g, o, i, loss->o.tau, share);
	return l;
}

static double contrastive_group(const struct rm_loss *loss,
				struct rm_loss_group *g)
{
	return expected(loss, g, contrastive_list);
}

static const struct rm_key contrastive_keys[] = {
	RM_KEY_DOUBLE("tau", struct rm_loss_options, tau, 1e-3, 1e6, "1",
		      "temperature: rewards are divided by it"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_contrastive = {
	{ "contrastive", "InfoNCE, the best against the others: "
	  "-log(e_b / sum of e_j), e = exp(r / tau) (van den Oord, Li and "
	  "Vinyals 2018)", contrastive_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_PREFERENCE, rm_loss_preference_check,
	rm_loss_preference_learns, contrastive_group, NULL
};

/* ---- triplets ---- */

/* The places of the best and the worst, and how many are at and between. */
struct ends {
	double best, worst, n_best, n_worst, n_between;
};

static struct ends ends_of(struct rm_loss_order o, size_t k)
{
	struct ends e = { .best = -INFINITY, .worst = INFINITY };

	for (size_t i = 0; i < k; i++) {
		double p = rm_loss_place(o, i);
		e.best = fmax(e.best, p);
		e.worst = fmin(e.worst, p);
	}
	for (size_t i = 0; i < k; i++) {
		double p = rm_loss_place(o, i);
		e.n_best += p == e.best;
		e.n_worst += p == e.worst;
		e.n_between += p > e.worst && p < e.best;
	}
	return e;
}

/*
 * |r_i - r_j| times `by`.  Of the slopes it has at 0 the one of i above j is
 * taken, so that equal rewards do not stay so.
 */
static double distance(struct rm_loss_group *g, size_t i, size_t j, double by)
{
	double d = rm_loss_gap(g, i, j);

	rm_loss_gap_back(g, i, j, by * (d < 0 ? -1 : 1));
	return by * fabs(d);
}

/* max(0, |r_b - r_m| - |r_b - r_w| + margin) times share */
static double triplet(struct rm_loss_group *g, size_t b, size_t m, size_t w,
		      double margin, double share)
{
	double near = fabs(rm_loss_gap(g, b, m));
	double far = fabs(rm_loss_gap(g, b, w));

	if (near - far + margin <= 0)
		return 0;
	return distance(g, b, m, share) + distance(g, b, w, -share) +
		share * margin;
}

/*
 *	l = max(0, |r_b - r_m| - |r_b - r_w| + margin)
 *
 * the mean over all b of the best, w of the worst and m strictly between.
 * Schroff, Kalenichenko and Philbin, FaceNet, 2015, and Balntas et al., 2016
 * (distances as they are, not squared), with rewards for embeddings: the
 * best is the anchor.  A distance has no direction: the worst may end above
 * the best as well.
 */
static double triplet_group(const struct rm_loss *loss,
			    struct rm_loss_group *g)
{
	size_t k = g->target->k;
	struct rm_loss_order o = rm_loss_order(g->target);
	struct ends e = ends_of(o, k);
	double share = 1 / (e.n_best * e.n_worst * e.n_between), l = 0;

	for (size_t b = 0; b < k; b++)
		for (size_t w = 0; w < k; w++) {
			if (rm_loss_place(o, b) != e.best ||
			    rm_loss_place(o, w) != e.worst)
				continue;
			for (size_t m = 0; m < k; m++)
				if (rm_loss_place(o, m) > e.worst &&
				    rm_loss_place(o, m) < e.best)
					l += triplet(g, b, m, w,
						     loss->o.margin, share);
		}
	return l;
}

static bool triplet_learns(const struct rm_loss *loss,
			   const struct rm_target *t)
{
	(void)loss;
	return ends_of(rm_loss_order(t), t->k).n_between > 0;
}

static const struct rm_key triplet_keys[] = {
	RM_KEY_DOUBLE("margin", struct rm_loss_options, margin, 0, 1e6, "1",
		      "by how much the worst should be further from the best"),
	RM_LOSS_KEYS
};

const struct rm_loss_kind rm_loss_triplet = {
	{ "triplet", "best, middle and worst: max(0, |r_b - r_m| - "
	  "|r_b - r_w| + margin) (Schroff, Kalenichenko and Philbin 2015)",
	  triplet_keys, false },
	RM_LOSS_GROUPS | RM_LOSS_PREFERENCE, rm_loss_preference_check,
	triplet_learns, triplet_group, NULL
};
