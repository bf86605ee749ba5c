/*
 * What the files of kinds see: one group in double, the options of all
 * kinds, and how the labels of a target compare its responses.
 *
 * A kind is a `const struct rm_loss_kind rm_loss_NAME` in a file of this
 * folder.  It knows scores and a target; weights, penalties and sums over
 * groups are the frame's (loss.c).
 */
#ifndef RM_LOSS_KIND_H
#define RM_LOSS_KIND_H

#include "loss.h"

#include <math.h>

/* Options of all kinds; a key belongs to the kinds that list it. */
struct rm_loss_options {
	double smoothing, margin, tau, gamma, alpha, target, penalty;
	double center, length, norms;
	size_t form;
	bool learned;
	struct rm_numbers weights;
};

/* The keys of every kind, last in its list. */
#define RM_LOSS_KEYS \
	RM_KEY_DOUBLE("center", struct rm_loss_options, center, 0, 1e6, \
		      "0", "times the squared sum of the rewards of a " \
		      "group, which centres them on 0"), \
	RM_KEY_DOUBLE("length", struct rm_loss_options, length, 0, 1e6, \
		      "0", "times the squared covariance of reward and " \
		      "log length in a group"), \
	RM_KEY_DOUBLE("l2", struct rm_loss_options, norms, 0, 1e6, "0", \
		      "times the sum of the norms, not squared, of all " \
		      "that is trained; see --weight-decay"), \
	RM_KEY_END

/*
 * Scores of one group and their gradient; the reward is column 0.  A kind
 * adds to ds, and to down where it has parameters of its own.
 */
struct rm_loss_group {
	const struct rm_target *target;
	size_t K;
	const double *s;	/* [k, K] */
	double *ds;		/* [k, K] */
	const double *own;	/* values of the loss's parameters */
	double *down;		/* their gradient */
};

struct rm_loss_kind {
	struct rm_spec spec;
	unsigned flags;		/* of those below */
	/* Whether the target has what the loss needs; message. */
	int (*check)(const struct rm_loss *loss, const struct rm_target *t);
	/* Whether there is something to learn from. */
	bool (*learns)(const struct rm_loss *loss, const struct rm_target *t);
	/* The loss of one group that has. */
	double (*group)(const struct rm_loss *loss, struct rm_loss_group *g);
	/*
	 * Name, shape and initial value of parameters that the loss itself
	 * has with these options, false if none.  May be NULL.
	 */
	bool (*own)(const struct rm_loss *loss, struct rm_param *p);
};

/* What it is given (see rm_loss_wants), and which columns it looks at. */
#define RM_LOSS_GROUPS		1	/* whole groups */
#define RM_LOSS_PREFERENCE	2	/* an order is all that it learns */
#define RM_LOSS_TEACHER		4
#define RM_LOSS_GRADES		8	/* of all columns */
#define RM_LOSS_VARIANCE	16	/* column 1 is one, others are not */
#define RM_LOSS_SIZE		32	/* scores say that of a preference */

struct rm_loss {
	const struct rm_loss_kind *kind;
	json_t *config;
	struct rm_loss_options o;
	size_t K;			/* columns that the kind sees */
	size_t members;			/* see rm_loss_scores */
	size_t columns;			/* of the scores */
	size_t n_own;			/* parameters of its own */
	struct rm_param own;		/* the row that they need */
	struct rm_params *params;	/* borrowed, once they are added */
	size_t row;
};

/* ---- what a target says (target.c) ---- */

/* Labels by which larger is better times sign; label NULL: none. */
struct rm_loss_order {
	const double *label;
	double sign;
};

/* Ranks if there are any, else scores. */
struct rm_loss_order rm_loss_order(const struct rm_target *t);
/* Response i's place, larger = better; NaN: not known. */
static inline double rm_loss_place(struct rm_loss_order o, size_t i)
{
	return o.label ? o.sign * o.label[i] : (double)NAN;
}

/*
 * 1 if response i is better than j, -1 if worse, 0 if they tie or are not
 * known.
 */
int rm_loss_better(const struct rm_target *t, size_t i, size_t j);
/* A pair whose preference is a probability. */
static inline bool rm_loss_has_p(const struct rm_target *t)
{
	return t->k == 2 && !isnan(t->p);
}

/* i is preferred to j with probability q; of m see margin in rm_target. */
struct rm_comparison {
	size_t i, j;
	double q, m;
};

/*
 * The next comparison of a target, from *at = 0 on: the one of a pair with
 * p, else every strictly ordered pair, the better first, q = 1.
 */
bool rm_loss_next(const struct rm_target *t, size_t *at,
		  struct rm_comparison *c);
size_t rm_loss_count(const struct rm_target *t);

/* check and learns of kinds that compare responses. */
int rm_loss_preference_check(const struct rm_loss *loss,
			     const struct rm_target *t);
bool rm_loss_preference_learns(const struct rm_loss *loss,
			       const struct rm_target *t);

/* ---- pieces of losses ---- */

/* r_i - r_j, and its gradient into both. */
static inline double rm_loss_gap(const struct rm_loss_group *g, size_t i,
				 size_t j)
{
	return g->s[i * g->K] - g->s[j * g->K];
}

static inline void rm_loss_gap_back(struct rm_loss_group *g, size_t i,
				    size_t j, double dd)
{
	g->ds[i * g->K] += dd;
	g->ds[j * g->K] -= dd;
}

/*
 * The cross entropy of q and sigma(d), and its derivative by d:
 *
 *	l = -q log sigma(d) - (1 - q) log sigma(-d)
 *	dl/dd = sigma(d) - q
 */
double rm_loss_cross_entropy(double d, double q, double *slope);
/* Its mean over the comparisons of a group, times `share`. */
double rm_loss_preference(struct rm_loss_group *g, double share);

#endif
