/* How the labels of a target compare its responses. */
#include "loss/kind.h"

#include "op.h"

struct rm_loss_order rm_loss_order(const struct rm_target *t)
{
	if (t->rank)
		return (struct rm_loss_order){ t->rank, -1 };
	return (struct rm_loss_order){ t->score, 1 };
}

int rm_loss_better(const struct rm_target *t, size_t i, size_t j)
{
	struct rm_loss_order o = rm_loss_order(t);
	double d = rm_loss_place(o, i) - rm_loss_place(o, j);

	return (d > 0) - (d < 0);
}

bool rm_loss_next(const struct rm_target *t, size_t *at,
		  struct rm_comparison *c)
{
	size_t k = t->k;

	if (rm_loss_has_p(t)) {
		*c = (struct rm_comparison){ 0, 1, t->p, t->margin };
		return (*at)++ == 0;
	}
	while (*at < k * k) {
		size_t i = *at / k, j = *at % k;
		int sign = i < j ? rm_loss_better(t, i, j) : 0;

		(*at)++;
		if (sign == 0)
			continue;
		*c = (struct rm_comparison){
			sign > 0 ? i : j, sign > 0 ? j : i, 1, t->margin
		};
		return true;
	}
	return false;
}

size_t rm_loss_count(const struct rm_target *t)
{
	struct rm_comparison c;
	size_t at = 0, n = 0;

	while (rm_loss_next(t, &at, &c))
		n++;
	return n;
}

bool rm_loss_preference_learns(const struct rm_loss *loss,
			       const struct rm_target *t)
{
	struct rm_comparison c;
	size_t at = 0;

	(void)loss;
	return rm_loss_next(t, &at, &c);
}

int rm_loss_preference_check(const struct rm_loss *loss,
			     const struct rm_target *t)
{
	(void)loss;
	if (rm_loss_has_p(t)) {
		if (t->p < 0 || t->p > 1)
			return rm_fail("p is %g, not within 0 and 1", t->p);
		return 0;
	}
	if (!t->rank && !t->score)
		return rm_fail("neither p, rank nor score: the responses "
			       "cannot be compared; rm-tokenize takes labels "
			       "from --rank, --votes or --score");
	return 0;
}

double rm_loss_cross_entropy(double d, double q, double *slope)
{
	*slope = rm_sigmoid(d) - q;
	return -q * rm_log_sigmoid(d) - (1 - q) * rm_log_sigmoid(-d);
}

double rm_loss_preference(struct rm_loss_group *g, double share)
{
	const struct rm_target *t = g->target;
	struct rm_comparison c;
	size_t at = 0;
	double l = 0, slope;

	share /= (double)rm_loss_count(t);
	while (rm_loss_next(t, &at, &c)) {
		l += share * rm_loss_cross_entropy(rm_loss_gap(g, c.i, c.j),
						   c.q, &slope);
		rm_loss_gap_back(g, c.i, c.j, share * slope);
	}
	return l;
}
