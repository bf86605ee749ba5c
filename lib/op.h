/*
 * op: functions of numbers, element by element, forward and backward.
 *
 * Knows nothing of layers or parameters.  Backward functions add to dx.
 *
 *	rm_activations[i].forward(y, x, n);
 *	rm_activations[i].backward(dx, dy, x, n);
 */
#ifndef RM_OP_H
#define RM_OP_H

#include "tensor.h"

/* sigma(x) = 1 / (1 + exp(-x)), without overflow. */
double rm_sigmoid(double x);
/* log sigma(x) = min(x, 0) - log1p(exp(-|x|)): exact far from 0 as well. */
double rm_log_sigmoid(double x);

/* y[n] = f(x[n]); dx[n] += dy[n] f'(x[n]). */
struct rm_activation {
	const char *name;
	void (*forward)(rm_real *y, const rm_real *x, size_t n);
	void (*backward)(rm_real *dx, const rm_real *dy, const rm_real *x,
			 size_t n);
	/* y = f(x), slope = f'(x); either may be x. */
	void (*both)(rm_real *y, rm_real *slope, const rm_real *x, size_t n);
};

/* identity, relu, gelu (exact), silu, tanh, gelu_tanh, quick_gelu; ends in a
 * NULL name. */
extern const struct rm_activation rm_activations[];
/* Their names in the same order, for choices; ends in NULL. */
extern const char *const rm_activation_names[];

#endif
