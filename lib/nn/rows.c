/*
 * What stands between a transformer's products, row by row.  Blocks of rows
 * are shared by the threads; a row's sums are those of RM_LANES partial ones,
 * in a fixed order.
 */
#pragma GCC optimize("fp-contract=fast")

#include "nn.h"
#include "vector.h"

#include <math.h>

#define BLOCK ((size_t)32)

/* ---- norms ---- */

/* Sum of x - shift, or of its squares. */
RM_INLINE rm_real sum_of(const rm_real *x, size_t n, rm_real shift,
			 bool square)
{
	rm_real lane[RM_LANES] = {0};
	rm_vec sum = {0};
	size_t i = 0;

	for (; i + RM_LANES <= n; i += RM_LANES) {
		rm_vec v;

		memcpy(&v, x + i, sizeof(v));
		v -= shift;
		sum += square ? v * v : v;
	}
	memcpy(lane, &sum, sizeof(lane));
	for (; i < n; i++) {
		rm_real v = x[i] - shift;

		lane[i % RM_LANES] += square ? v * v : v;
	}
	return rm_lanes_total(lane);
}

RM_INLINE void norm_row(rm_real *y, const rm_real *x,
			const struct rm_norm *n, size_t C)
{
	rm_real mean = 0, by;

	if (n->kind == RM_NORM_LAYER)
		mean = sum_of(x, C, 0, false) / (rm_real)C;
	by = (rm_real)(1 / sqrt((double)(sum_of(x, C, mean, true) /
					 (rm_real)C) + n->eps));
	for (size_t c = 0; c < C; c++)
		y[c] = (x[c] - mean) * by;
	if (n->g)
		for (size_t c = 0; c < C; c++)
			y[c] *= n->g[c] + n->offset;
	if (n->b)
		for (size_t c = 0; c < C; c++)
			y[c] += n->b[c];
}

/* ---- blocks of rows ---- */

struct job {
	rm_real *y, *sum;
	const rm_real *x, *a, *bias;
	const struct rm_norm *norm;
	const struct rm_activation *f;
	const uint32_t *position;
	const rm_real *cosine, *sine;
	size_t T, C;
	size_t ld, heads, stride;
};

static void share(struct job *j, void (*fn)(void *arg, size_t i))
{
	rm_parallel((j->T + BLOCK - 1) / BLOCK, fn, j);
}

static size_t end_of(const struct job *j, size_t block)
{
	return RM_MIN((block + 1) * BLOCK, j->T);
}

RM_VECTOR_FMA
static void norm_block(void *arg, size_t i)
{
	const struct job *j = arg;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++)
		norm_row(j->y + t * j->C, j->x + t * j->C, j->norm, j->C);
}

void rm_norm_forward(rm_real *y, const rm_real *x, const struct rm_norm *n,
		     size_t T, size_t C)
{
	struct job j = { .y = y, .x = x, .norm = n, .T = T, .C = C };

	share(&j, norm_block);
}

RM_VECTOR_FMA
static void heads_block(void *arg, size_t i)
{
	const struct job *j = arg;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++)
		for (size_t h = 0; h < j->heads; h++) {
			rm_real *x = j->y + t * j->ld + h * j->stride;

			norm_row(x, x, j->norm, j->C);
		}
}

void rm_norm_heads_forward(rm_real *x, size_t ld, size_t H, size_t stride,
			   size_t D, const struct rm_norm *n, size_t T)
{
	struct job j = { .y = x, .norm = n, .T = T, .C = D, .ld = ld,
			 .heads = H, .stride = stride };

	share(&j, heads_block);
}

/* to = x + (a + bias) */
RM_INLINE void add_row(rm_real *to, const rm_real *x, const rm_real *a,
		       const rm_real *bias, size_t C)
{
	if (bias)
		for (size_t c = 0; c < C; c++)
			to[c] = x[c] + (a[c] + bias[c]);
	else
		for (size_t c = 0; c < C; c++)
			to[c] = x[c] + a[c];
}

/* The sum stands in y until it is normed, if nobody wants it. */
RM_VECTOR_FMA
static void add_norm_block(void *arg, size_t i)
{
	const struct job *j = arg;
	size_t C = j->C;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++) {
		rm_real *sum = (j->sum ? j->sum : j->y) + t * C;

		add_row(sum, j->x + t * C, j->a + t * C, j->bias, C);
		norm_row(j->y + t * C, sum, j->norm, C);
	}
}

void rm_add_norm_forward(rm_real *y, rm_real *sum, const rm_real *x,
			 const rm_real *a, const rm_real *bias,
			 const struct rm_norm *n, size_t T, size_t C)
{
	struct job j = { .y = y, .sum = sum, .x = x, .a = a, .bias = bias,
			 .norm = n, .T = T, .C = C };

	share(&j, add_norm_block);
}

RM_VECTOR_FMA
static void add_block(void *arg, size_t i)
{
	const struct job *j = arg;
	size_t C = j->C;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++)
		add_row(j->y + t * C, j->y + t * C, j->a + t * C, j->bias, C);
}

void rm_add_forward(rm_real *x, const rm_real *a, const rm_real *bias,
		    size_t T, size_t C)
{
	struct job j = { .y = x, .a = a, .bias = bias, .T = T, .C = C };

	share(&j, add_block);
}

/* ---- activations ---- */

RM_VECTOR_FMA
static void activation_block(void *arg, size_t i)
{
	const struct job *j = arg;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++) {
		rm_real *y = j->y + t * j->C;

		for (size_t c = 0; j->bias && c < j->C; c++)
			y[c] += j->bias[c];
		if (j->f)
			j->f->forward(y, y, j->C);
	}
}

void rm_bias_activation_forward(rm_real *y, const rm_real *bias,
				const struct rm_activation *f, size_t T,
				size_t O)
{
	struct job j = { .y = y, .bias = bias, .f = f, .T = T, .C = O };

	if (bias || f)
		share(&j, activation_block);
}

RM_VECTOR_FMA
static void gate_block(void *arg, size_t i)
{
	const struct job *j = arg;
	size_t I = j->C;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++) {
		const rm_real *x = j->x + t * 2 * I, *by = x + I;
		rm_real *y = j->y + t * I;

		if (j->bias) {
			for (size_t c = 0; c < I; c++)
				y[c] = x[c] + j->bias[c];
			j->f->forward(y, y, I);
			for (size_t c = 0; c < I; c++)
				y[c] *= by[c] + j->bias[I + c];
			continue;
		}
		j->f->forward(y, x, I);
		for (size_t c = 0; c < I; c++)
			y[c] *= by[c];
	}
}

void rm_gate_forward(rm_real *y, const rm_real *x, const rm_real *bias,
		     const struct rm_activation *f, size_t T, size_t I)
{
	struct job j = { .y = y, .x = x, .bias = bias, .f = f, .T = T,
			 .C = I };

	share(&j, gate_block);
}

/* ---- positions ---- */

RM_INLINE void turn(rm_real *restrict x, const rm_real *restrict cosine,
		    const rm_real *restrict sine, size_t half)
{
	for (size_t k = 0; k < half; k++) {
		rm_real a = x[k], b = x[k + half];

		x[k] = a * cosine[k] - b * sine[k];
		x[k + half] = b * cosine[k] + a * sine[k];
	}
}

RM_VECTOR_FMA
static void rope_block(void *arg, size_t i)
{
	const struct job *j = arg;
	size_t half = j->C / 2;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++)
		for (size_t h = 0; h < j->heads; h++)
			turn(j->y + t * j->ld + h * j->stride,
			     j->cosine + j->position[t] * half,
			     j->sine + j->position[t] * half, half);
}

void rm_rope_forward(rm_real *x, size_t ld, size_t H, size_t stride,
		     size_t rotary, const uint32_t *position,
		     const rm_real *cosine, const rm_real *sine, size_t T)
{
	struct job j = { .y = x, .T = T, .C = rotary, .ld = ld, .heads = H,
			 .stride = stride, .position = position,
			 .cosine = cosine, .sine = sine };

	share(&j, rope_block);
}
