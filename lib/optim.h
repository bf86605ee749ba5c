/*
 * optim: gradients into new values: AdamW over flat ranges, plain steps for
 * sparse rows, clipping by global norm, learning-rate schedules.
 *
 * Sees a table of (value, gradient, size) and nothing of what they mean.
 * Deterministic: same bytes for any number of threads.  Errors as in base.h.
 *
 *	struct rm_optim_config c = rm_optim_defaults();
 *	struct rm_optim *o = rm_optim_new(&params, &c);
 *	lr = c.lr * rm_schedule_factor(schedule, step, total, warmup);
 *	rm_optim_step(o, lr, &norm);	takes the gradients and zeroes them
 *	rm_optim_free(o);
 */
#ifndef RM_OPTIM_H
#define RM_OPTIM_H

#include "tensor.h"

struct rm_optim_config {
	double lr;		/* peak */
	double beta1, beta2, epsilon;
	double weight_decay;	/* decoupled */
	double clip;		/* largest global norm; 0: none */
};

struct rm_optim_config rm_optim_defaults(void);

struct rm_optim;

/*
 * After rm_params_alloc(p, true); p is borrowed.  NULL when a rate cannot
 * be used: lr wd of 1 or more.
 */
struct rm_optim *rm_optim_new(struct rm_params *p,
			      const struct rm_optim_config *c);
/*
 * One step with learning rate lr, times the `rate` of each parameter.
 *
 * Dense parameters, AdamW (Loshchilov and Hutter, 2019), t = steps, g the
 * clipped gradient, m = v = 0 at first:
 *
 *	m = b1 m + (1 - b1) g		v = b2 v + (1 - b2) g^2
 *	w = w - lr wd w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 *
 * Of a parameter that is by_row, a row that has had no gradient yet has
 * m = v = 0, so that all it would get is the decay: that is all it gets.
 *
 * Sparse parameters, rows without a state of their own:
 *
 *	w = w - lr wd w			every row, as one product (scale)
 *	w = w - lr rate g		the rows that have a gradient
 *
 * Clipping: g = g min(1, clip / norm), norm over all gradients of the step
 * (Pascanu, Mikolov and Bengio, 2013).
 *
 * The gradients are zero afterwards.  *norm
 * (may be NULL) is the global norm before clipping.  -1 when it is NaN or
 * infinite: nothing is changed then, gradients included.
 */
int rm_optim_step(struct rm_optim *o, double lr, double *norm);
/* Steps taken. */
uint64_t rm_optim_steps(const struct rm_optim *o);
/*
 * What a checkpoint must hold beside rm_params_state: the ranges in a fixed
 * order, *n of them, valid as long as o; restoring is reading into them.
 */
const struct rm_range *rm_optim_ranges(struct rm_optim *o, size_t *n);
void rm_optim_free(struct rm_optim *o);

/* ---- schedules ---- */

struct rm_schedule {
	const char *name;
	const char *help;
	/* x in [0, 1]: share of the steps after warm-up that are done. */
	double (*factor)(double x);
};

/* Ends in a NULL name. */
extern const struct rm_schedule rm_schedules[];
/* The text of `--schedule list`. */
void rm_schedule_list(struct rm_buf *out);
/* The schedule of that name, NULL with a message that lists them. */
const struct rm_schedule *rm_schedule_find(const char *name);
/*
 * What step (0-based) of total multiplies the peak rate with: rises
 * linearly over the first `warmup` steps, then as the schedule says.
 */
double rm_schedule_factor(const struct rm_schedule *s, uint64_t step,
			  uint64_t total, uint64_t warmup);

#endif
