#include "nn.h"
#include "vector.h"

#include <string.h>

/* Fewer outputs than this are dot products, not worth a tile. */
#define FEW_OUTPUTS 8

/* ---- linear ---- */

/* A row's sum is in channel order, eight at a time: same bits in any batch. */
static rm_real dot(const rm_real *a, const rm_real *b, size_t n)
{
	rm_real sum[RM_LANES] = {0};
	size_t i = 0;

	for (; i + RM_LANES <= n; i += RM_LANES)
		for (size_t j = 0; j < RM_LANES; j++)
			sum[j] += a[i + j] * b[i + j];
	for (; i < n; i++)
		sum[i % RM_LANES] += a[i] * b[i];
	return rm_lanes_total(sum);
}

static void few_forward(rm_real *y, const rm_real *x, const rm_real *w,
			size_t T, size_t I, size_t O)
{
	for (size_t t = 0; t < T; t++)
		for (size_t o = 0; o < O; o++)
			y[t * O + o] = dot(x + t * I, w + o * I, I);
}

int rm_linear_forward(rm_real *y, const rm_real *x, const rm_real *w,
		      const rm_real *b, size_t T, size_t I, size_t O)
{
	if (O < FEW_OUTPUTS)
		few_forward(y, x, w, T, I, O);
	else if (rm_gemm_nt(T, O, I, x, w, y) < 0)
		return -1;
	for (size_t t = 0; b && t < T; t++)
		for (size_t o = 0; o < O; o++)
			y[t * O + o] += b[o];
	return 0;
}

static void few_backward(rm_real *dx, rm_real *dw, const rm_real *dy,
			 const rm_real *x, const rm_real *w, size_t T,
			 size_t I, size_t O)
{
	for (size_t t = 0; t < T; t++)
		for (size_t o = 0; o < O; o++) {
			rm_real g = dy[t * O + o];
			for (size_t i = 0; dx && i < I; i++)
				dx[t * I + i] += g * w[o * I + i];
			for (size_t i = 0; dw && i < I; i++)
				dw[o * I + i] += g * x[t * I + i];
		}
}

/*
 * y = x w' + b:  dx += dy w,  dw += dy' x,  db += sum over t of dy[t]
 */
int rm_linear_backward(rm_real *dx, rm_real *dw, rm_real *db,
		       const rm_real *dy, const rm_real *x, const rm_real *w,
		       size_t T, size_t I, size_t O)
{
	for (size_t t = 0; db && t < T; t++)
		for (size_t o = 0; o < O; o++)
			db[o] += dy[t * O + o];
	if (O < FEW_OUTPUTS) {
		few_backward(dx, dw, dy, x, w, T, I, O);
		return 0;
	}
	/* Without gradients of weights, those of rows are all there is. */
	if (dx && rm_gemm_nn(T, I, O, dy, w, dx, !dw) < 0)
		return -1;
	return dw ? rm_gemm_tn(O, I, T, dy, O, x, I, dw, RM_FP32) : 0;
}

/* ---- dropout ---- */

struct rm_mask rm_dropout_mask(const struct rm_dropout *d, uint64_t row)
{
	uint64_t bits = rm_random(d->seed ^ (d->layer << 32),
				  RM_RANDOM_DROPOUT, d->step, row);

	return (struct rm_mask){
		.start = (uint32_t)bits, .turn = (uint32_t)(bits >> 32),
		.below = (uint32_t)(d->p * 0x1p32),
		.by = (rm_real)(1 / (1 - d->p))
	};
}
