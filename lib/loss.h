/*
 * loss: what training makes small: a function of the scores [n, K] of a
 * group's responses and of what people said of them.
 *
 * Kinds are in lib/loss/, chosen by name with options ("bt:smoothing=.1",
 * `--loss list` explains them).  A loss knows nothing of models, tokens or
 * files.  Sums are in double; the forms are stable for rewards of any size.
 * The loss of a group depends on no other one, so that a step may be cut
 * anywhere between groups.  Errors as in base.h.
 *
 *	json_t *config = rm_loss_parse("bt:center=.01");
 *	struct rm_loss *loss = rm_loss_new(config,
 *		&(struct rm_loss_scores){ .K = 1 });
 *	rm_loss_add_params(loss, &params);	before rm_params_alloc
 *	total = rm_loss_weight(loss, targets, n);	summed over the step
 *	rm_loss_forward(loss, targets, n, scores, 1 / total, dscores, &r);
 *	rm_loss_free(loss);
 */
#ifndef RM_LOSS_H
#define RM_LOSS_H

#include "spec.h"
#include "tensor.h"

/*
 * What is known of one group.  Arrays are [k] in the order of its scores;
 * NULL, and NaN for a number, mean not known.
 */
struct rm_target {
	size_t k;		/* responses */
	double p;		/* k = 2: P(first preferred); NaN: see rank */
	/* Of the preferred, with p of the first; reward units. */
	double margin;
	double weight;		/* NaN: 1 */
	const double *rank;	/* lower = better, equal = tie */
	const double *score;	/* higher = better; used where rank is NULL */
	const double *teacher;	/* a teacher's rewards */
	const double *attributes;	/* [k, K] a grade for each score */
	const double *length;	/* characters or tokens, 0 or more */
};

struct rm_loss;

/* Sums over the groups seen; zero before the first call of a step. */
struct rm_loss_sums {
	double loss;		/* sum of weight * loss, penalties included */
	double weight;		/* sum of weights */
	double compared;	/* comparisons, ties in the labels left out */
	double correct;		/* of them won; equal rewards count half */
	size_t bad_group;	/* index in the call, when it returns -1 */
};

/* "NAME:key=value,..." with defaults filled in; the caller owns it. */
json_t *rm_loss_parse(const char *text);
/* The table of kinds, ends in NULL. */
const struct rm_spec *const *rm_loss_specs(void);
/* The text of `--loss list`. */
void rm_loss_list(struct rm_buf *out);

/* What examples a loss is to be given, and what must be known of them. */
struct rm_loss_wants {
	bool groups;		/* whole ones, else their ordered pairs */
	bool preference;	/* learns from nothing but an order, or p */
	bool teacher, score, grades, length;	/* grades: attributes */
};

int rm_loss_wants(const json_t *config, struct rm_loss_wants *wants);

/* What a head gives a loss to look at. */
struct rm_loss_scores {
	size_t K;		/* columns, the reward first */
	bool variance;		/* column 1 is one */
	/* Columns 1 to `members` are rewards, each with a loss of its own,
	 * and column 0 is not looked at. */
	size_t members;
};

/* Refused here if the loss wants other columns. */
struct rm_loss *rm_loss_new(const json_t *config,
			    const struct rm_loss_scores *scores);
const char *rm_loss_name(const struct rm_loss *loss);
/* As it was given; the loss's own. */
const json_t *rm_loss_config(const struct rm_loss *loss);
/* Whether a part of it is a squared error of grades. */
bool rm_loss_squares(const struct rm_loss *loss);
/* The factor of the sum of the norms of all parameters: see tensor.h. */
double rm_loss_norms(const struct rm_loss *loss);
/*
 * Some losses have parameters of their own, such as learned weights: adds
 * their row, after those of the model and before rm_params_alloc; most have
 * none.  The table is borrowed: rm_loss_forward reads values there and, with
 * dscores, adds to gradients.
 */
int rm_loss_add_params(struct rm_loss *loss, struct rm_params *params);
void rm_loss_free(struct rm_loss *loss);

/*
 * Whether such a target can train this loss; the message says what lacks and
 * which tool gives it.
 */
int rm_loss_check(const struct rm_loss *loss, const struct rm_target *target);

/* The sum of the weights of groups that have something to learn from. */
double rm_loss_weight(const struct rm_loss *loss,
		      const struct rm_target *targets, size_t n);

/*
 * Adds to sums; dscores, if not NULL, is [rows, K] and is set to
 * scale * d(sum of weight * loss) / d scores.  scores [rows, K] has the
 * groups' responses one after another.  -1 when a loss is NaN or infinite:
 * sums->bad_group says which group.
 */
int rm_loss_forward(const struct rm_loss *loss,
		    const struct rm_target *targets, size_t n,
		    const rm_real *scores, double scale, rm_real *dscores,
		    struct rm_loss_sums *sums);

#endif
