/*
 * nn: layers as pairs x_forward, x_backward over packed rows.
 *
 * T rows, I inputs, O outputs, C channels.  Backward functions add to every
 * gradient that is not NULL, unless they say that they set it.  Knows nothing
 * of parameter tables or models.  Errors as in base.h (memory only).
 *
 *	rm_linear_forward(y, x, w, b, T, I, O);
 *	rm_linear_backward(dx, dw, db, dy, x, w, T, I, O);
 */
#ifndef RM_NN_H
#define RM_NN_H

#include "gemm.h"
#include "op.h"
#include "vector.h"

/* y[T, O] = x[T, I] w[O, I]' + b[O]; b may be NULL. */
int rm_linear_forward(rm_real *y, const rm_real *x, const rm_real *w,
		      const rm_real *b, size_t T, size_t I, size_t O);
/* dx[T, I], dw[O, I], db[O] from dy[T, O]; each of them may be NULL. */
int rm_linear_backward(rm_real *dx, rm_real *dw, rm_real *db,
		       const rm_real *dy, const rm_real *x, const rm_real *w,
		       size_t T, size_t I, size_t O);

/*
 * What a dropout mask depends on: not on how a step is cut into
 * micro-batches, since row t of the call is row `first_row + t` of the step,
 * or first_row + row[t].  `layer` tells apart the masks of one step.
 */
struct rm_dropout {
	double p;		/* share of the inputs set to zero, below 1 */
	uint64_t seed, step, layer, first_row;
	const size_t *row;	/* NULL: in order */
};

/*
 * y[T, C] = x keep / (1 - p); keep is made again in backward.  y may be x:
 * so forward also takes a gradient back in its place.  Srivastava et al.,
 * JMLR 15, 2014, in its inverted form.
 */
void rm_dropout_forward(rm_real *y, const rm_real *x, size_t T, size_t C,
			const struct rm_dropout *d);
void rm_dropout_backward(rm_real *dx, const rm_real *dy, size_t T, size_t C,
			 const struct rm_dropout *d);
/* The mask of one row of the step, for rm_wide_keep. */
struct rm_mask rm_dropout_mask(const struct rm_dropout *d, uint64_t row);

/* ---- what stands between a transformer's products ---- */

/*
 * y = (x - mean) / sqrt(var + eps) (g + offset) + b over a row (Ba, Kiros and
 * Hinton, Layer Normalization, 2016), or without mean and with the mean
 * square for var (Zhang and Sennrich, Root Mean Square Layer Normalization,
 * 2019).
 */
struct rm_norm {
	enum { RM_NORM_LAYER, RM_NORM_RMS } kind;
	double eps;
	const rm_real *g, *b;	/* [C]; NULL: 1, 0 */
	rm_real offset;
};

/* y[T, C] = norm(x); y may be x. */
void rm_norm_forward(rm_real *y, const rm_real *x, const struct rm_norm *n,
		     size_t T, size_t C);
/*
 * dx[T, C] = the gradient of x from dy, or with `add` dx += it; to dg[C] and
 * db[C] are added sums over rows, in fp64.  Any of the three may be NULL; dx
 * may be dy.  -1 on memory.
 */
int rm_norm_backward(rm_real *dx, rm_real *dg, rm_real *db,
		     const rm_real *dy, const rm_real *x,
		     const struct rm_norm *n, size_t T, size_t C, bool add);
/*
 * In place, each of H heads of D numbers, head h of row t at
 * x + t * ld + h * stride.
 */
void rm_norm_heads_forward(rm_real *x, size_t ld, size_t H, size_t stride,
			   size_t D, const struct rm_norm *n, size_t T);
/*
 * The gradient in the place of dy: dx, which is laid out as x, is both.  x is
 * what was normed.
 */
int rm_norm_heads_backward(rm_real *dx, rm_real *dg, const rm_real *x,
			   size_t ld, size_t H, size_t stride, size_t D,
			   const struct rm_norm *n, size_t T);
/*
 * sum = x + (a + bias), y = norm(sum), all [T, C]; bias [C] and sum may be
 * NULL, y and sum may be x.
 */
void rm_add_norm_forward(rm_real *y, rm_real *sum, const rm_real *x,
			 const rm_real *a, const rm_real *bias,
			 const struct rm_norm *n, size_t T, size_t C);
/* y[T, C] = x + a + bias; bias may be NULL, y may be x. */
void rm_add_forward(rm_real *y, const rm_real *x, const rm_real *a,
		    const rm_real *bias, size_t T, size_t C);
/* db[C] += the sum of the rows of dy[T, C], in fp64. */
void rm_bias_backward(rm_real *db, const rm_real *dy, size_t T, size_t C);
/* y[T, O] = f(x + bias); f and bias may be NULL, y may be x. */
void rm_bias_activation_forward(rm_real *y, const rm_real *x,
				const rm_real *bias,
				const struct rm_activation *f, size_t T,
				size_t O);
/* The same, and slope[T, O] = f'(x + bias) for the way back, in x's place. */
void rm_bias_activation_slope(rm_real *y, rm_real *x, const rm_real *bias,
			      const struct rm_activation *f, size_t T,
			      size_t O);
/* dx[T, O] = dy slope; dx may be dy. */
void rm_slope_backward(rm_real *dx, const rm_real *dy, const rm_real *slope,
		       size_t T, size_t O);
/*
 * y[T, I] = f(x + bias) (x' + bias'), x being the first I of a row's 2 I
 * numbers and x' the others; bias [2 I] may be NULL.  Shazeer, GLU Variants
 * Improve Transformer, 2020.
 */
void rm_gate_forward(rm_real *y, const rm_real *x, const rm_real *bias,
		     const struct rm_activation *f, size_t T, size_t I);
/* dx[T, 2 I] = the gradient of x from dy[T, I]. */
void rm_gate_backward(rm_real *dx, const rm_real *dy, const rm_real *x,
		      const rm_real *bias, const struct rm_activation *f,
		      size_t T, size_t I);
/*
 * Turn the first `rotary` numbers of each head in place, pair j being numbers
 * j and j + rotary / 2, by the angle of the row's position, whose cosine and
 * sine stand in [positions, rotary / 2].  Heads as in rm_norm_heads_forward.
 * Su et al., RoFormer, 2021.
 */
void rm_rope_forward(rm_real *x, size_t ld, size_t H, size_t stride,
		     size_t rotary, const uint32_t *position,
		     const rm_real *cosine, const rm_real *sine, size_t T);
/* The gradient in the place of dx: turned back by the same angles. */
void rm_rope_backward(rm_real *dx, size_t ld, size_t H, size_t stride,
		      size_t rotary, const uint32_t *position,
		      const rm_real *cosine, const rm_real *sine, size_t T);

#endif
