/*
 * What stands between a transformer's products, row by row.  Blocks of rows
 * are shared by the threads; a row's sums are those of RM_LANES partial ones,
 * in a fixed order.
 */
#pragma GCC optimize("fp-contract=fast")

#include "nn.h"
#include "vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)32)

/* ---- norms ---- */

RM_INLINE void add_part(rm_vec *sum, const rm_real *x, rm_real shift,
			bool square)
{
	rm_vec v;

	memcpy(&v, x, sizeof(v));
	v -= shift;
	*sum += square ? v * v : v;
}

/* Sum of x - shift, or of its squares. */
RM_INLINE rm_real sum_of(const rm_real *x, size_t n, rm_real shift,
			 bool square)
{
	enum { SIDE = 4 };	/* sums that do not wait for each other */
	rm_real lane[RM_LANES];
	rm_vec sum[SIDE] = {0};
	size_t i = 0;

	for (; i + SIDE * RM_LANES <= n; i += SIDE * RM_LANES)
#pragma GCC unroll 4
		for (size_t k = 0; k < SIDE; k++)
			add_part(&sum[k], x + i + k * RM_LANES, shift, square);
	for (; i + RM_LANES <= n; i += RM_LANES)
		add_part(sum, x + i, shift, square);
	sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
	memcpy(lane, sum, sizeof(lane));
	for (; i < n; i++) {
		rm_real v = x[i] - shift;

		lane[i % RM_LANES] += square ? v * v : v;
	}
	return rm_lanes_total(lane);
}

/* y = (x - mean) by, before weights. */
struct moments {
	rm_real mean, by;
};

RM_INLINE struct moments moments_of(const rm_real *x, const struct rm_norm *n,
				    size_t C)
{
	struct moments m = {0};

	if (n->kind == RM_NORM_LAYER)
		m.mean = sum_of(x, C, 0, false) / (rm_real)C;
	m.by = (rm_real)(1 / sqrt((double)(sum_of(x, C, m.mean, true) /
					   (rm_real)C) + n->eps));
	return m;
}

RM_INLINE void norm_row(rm_real *y, const rm_real *x,
			const struct rm_norm *n, size_t C)
{
	struct moments m = moments_of(x, n, C);

	for (size_t c = 0; c < C; c++)
		y[c] = (x[c] - m.mean) * m.by;
	if (n->g)
		for (size_t c = 0; c < C; c++)
			y[c] *= n->g[c] + n->offset;
	if (n->b)
		for (size_t c = 0; c < C; c++)
			y[c] += n->b[c];
}

/* ---- blocks of rows ---- */

struct job {
	rm_real *y, *sum, *slope;
	const rm_real *x, *a, *bias, *dy;
	const struct rm_norm *norm;
	const struct rm_activation *f;
	const uint32_t *position;
	const rm_real *cosine, *sine;
	const struct rm_dropout *dropout;
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

RM_INLINE rm_real weighted(const rm_real *dy, const struct rm_norm *n,
			   size_t c)
{
	return n->g ? dy[c] * (n->g[c] + n->offset) : dy[c];
}

/* Sums of h and of h xh over a row's C numbers. */
RM_INLINE void sums_back(const rm_real *dy, const rm_real *x,
			 const struct rm_norm *n, struct moments m, size_t C,
			 double *sum, double *sum_x)
{
	rm_dvec all = {0}, all_x = {0};
	size_t i = 0;

	for (; i + RM_LANES <= C; i += RM_LANES) {
		rm_vec h, g, v;

		memcpy(&h, dy + i, sizeof(h));
		memcpy(&v, x + i, sizeof(v));
		if (n->g) {
			memcpy(&g, n->g + i, sizeof(g));
			h *= g + n->offset;
		}
		all += __builtin_convertvector(h, rm_dvec);
		v = h * ((v - m.mean) * m.by);
		all_x += __builtin_convertvector(v, rm_dvec);
	}
	*sum = *sum_x = 0;
	for (size_t k = 0; k < RM_LANES; k++) {
		*sum += all[k];
		*sum_x += all_x[k];
	}
	for (; i < C; i++) {
		rm_real h = weighted(dy, n, i);

		*sum += (double)h;
		*sum_x += (double)(h * ((x[i] - m.mean) * m.by));
	}
}

/*
 * With xh = (x - mean) by and h = dy (g + offset):
 * dx += by (h - mean(h) - xh mean(h xh)), the mean of h where x's is taken.
 */
RM_INLINE void norm_row_back(rm_real *dx, const rm_real *dy, const rm_real *x,
			     const struct rm_norm *n, struct moments m,
			     bool add, size_t C)
{
	double sum, sum_x;
	rm_real mean = 0, mean_x;

	sums_back(dy, x, n, m, C, &sum, &sum_x);
	if (n->kind == RM_NORM_LAYER)
		mean = (rm_real)(sum / (double)C);
	mean_x = (rm_real)(sum_x / (double)C);
	for (size_t c = 0; c < C; c++) {
		rm_real h = weighted(dy, n, c);
		rm_real d = m.by * (h - mean - (x[c] - m.mean) * m.by *
				    mean_x);

		dx[c] = add ? dx[c] + d : d;
	}
}

/* Rows of the job, heads of rows one by one: t * heads + head. */
struct norm_back {
	const struct job *j;
	rm_real *dx, *dg, *db;
	const rm_real *dy;
	bool add;
	struct moments *m;
};

static size_t place(const struct job *j, size_t i)
{
	return i / j->heads * j->ld + i % j->heads * j->stride;
}

RM_VECTOR_FMA
static void moments_block(void *arg, size_t i)
{
	const struct norm_back *b = arg;
	const struct job *j = b->j;
	size_t end = end_of(j, i) * j->heads;

	for (size_t t = i * BLOCK * j->heads; t < end; t++)
		b->m[t] = moments_of(j->x + place(j, t), j->norm, j->C);
}

RM_VECTOR_FMA
static void norm_back_block(void *arg, size_t i)
{
	const struct norm_back *b = arg;
	const struct job *j = b->j;
	size_t end = end_of(j, i) * j->heads;

	for (size_t t = i * BLOCK * j->heads; t < end; t++) {
		size_t at = place(j, t);

		norm_row_back(b->dx + at, b->dy + at, j->x + at, j->norm,
			      b->m[t], b->add, j->C);
	}
}

/* Columns summed over all rows by one thread, in order. */
#define SUMMED ((size_t)64)

/* Rows stand far apart: what is to be read soon is asked for. */
RM_INLINE void fetch_columns(const rm_real *x, size_t n)
{
	for (size_t c = 0; c < n; c += RM_WIDE_LANES)
		__builtin_prefetch(x + c);
}
#define SOON ((size_t)16)

RM_VECTOR
static void norm_back_columns(void *arg, size_t i)
{
	const struct norm_back *b = arg;
	const struct job *j = b->j;
	size_t from = i * SUMMED, n = RM_MIN(SUMMED, j->C - from);
	double g[SUMMED] = {0}, s[SUMMED] = {0};

	for (size_t t = 0; t < j->T * j->heads; t++) {
		const rm_real *x = j->x + place(j, t) + from;
		const rm_real *dy = b->dy + place(j, t) + from;
		rm_real mean = b->m[t].mean, by = b->m[t].by;

		for (size_t c = 0; c < n; c++) {
			g[c] += (double)(dy[c] * ((x[c] - mean) * by));
			s[c] += (double)dy[c];
		}
	}
	for (size_t c = 0; c < n; c++) {
		if (b->dg)
			b->dg[from + c] += (rm_real)g[c];
		if (b->db)
			b->db[from + c] += (rm_real)s[c];
	}
}

/* Sums first: dx may be where dy stands. */
static int norm_backward(struct norm_back *b)
{
	const struct job *j = b->j;
	size_t blocks = (j->T + BLOCK - 1) / BLOCK;

	b->m = rm_malloc(j->T * j->heads, sizeof(*b->m));
	if (!b->m)
		return -1;
	rm_parallel(blocks, moments_block, b);
	if (b->dg || b->db)
		rm_parallel((j->C + SUMMED - 1) / SUMMED, norm_back_columns,
			    b);
	if (b->dx)
		rm_parallel(blocks, norm_back_block, b);
	free(b->m);
	return 0;
}

int rm_norm_backward(rm_real *dx, rm_real *dg, rm_real *db,
		     const rm_real *dy, const rm_real *x,
		     const struct rm_norm *n, size_t T, size_t C, bool add)
{
	struct job j = { .x = x, .norm = n, .T = T, .C = C, .ld = C,
			 .heads = 1 };
	struct norm_back b = { .j = &j, .dx = dx, .dg = dg, .db = db,
			       .dy = dy, .add = add };

	return norm_backward(&b);
}

int rm_norm_heads_backward(rm_real *dx, rm_real *dg, const rm_real *x,
			   size_t ld, size_t H, size_t stride, size_t D,
			   const struct rm_norm *n, size_t T)
{
	struct job j = { .x = x, .norm = n, .T = T, .C = D, .ld = ld,
			 .heads = H, .stride = stride };
	struct norm_back b = { .j = &j, .dx = dx, .dg = dg, .dy = dx };

	return norm_backward(&b);
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
		add_row(j->y + t * C, j->x + t * C, j->a + t * C, j->bias, C);
}

void rm_add_forward(rm_real *y, const rm_real *x, const rm_real *a,
		    const rm_real *bias, size_t T, size_t C)
{
	struct job j = { .y = y, .x = x, .a = a, .bias = bias, .T = T,
			 .C = C };

	share(&j, add_block);
}

RM_VECTOR
static void bias_columns(void *arg, size_t i)
{
	const struct job *j = arg;
	size_t from = i * SUMMED, n = RM_MIN(SUMMED, j->C - from);
	double s[SUMMED] = {0};

	for (size_t t = 0; t < j->T; t++) {
		const rm_real *dy = j->dy + t * j->C + from;

		if (t + SOON < j->T)
			fetch_columns(dy + SOON * j->C, n);
		for (size_t c = 0; c < n; c++)
			s[c] += (double)dy[c];
	}
	for (size_t c = 0; c < n; c++)
		j->y[from + c] += (rm_real)s[c];
}

void rm_bias_backward(rm_real *db, const rm_real *dy, size_t T, size_t C)
{
	struct job j = { .y = db, .dy = dy, .T = T, .C = C };

	rm_parallel((C + SUMMED - 1) / SUMMED, bias_columns, &j);
}

/* ---- activations ---- */

/* to = x + bias */
RM_INLINE void biased(rm_real *to, const rm_real *x, const rm_real *bias,
		      size_t C)
{
	for (size_t c = 0; c < C; c++)
		to[c] = x[c] + bias[c];
}

RM_VECTOR_FMA
static void activation_block(void *arg, size_t i)
{
	const struct job *j = arg;
	size_t C = j->C;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++) {
		rm_real *y = j->y + t * C;
		const rm_real *x = j->x + t * C;

		if (j->bias) {
			biased(y, x, j->bias, C);
			x = y;
		}
		if (j->f)
			j->f->forward(y, x, C);
	}
}

void rm_bias_activation_forward(rm_real *y, const rm_real *x,
				const rm_real *bias,
				const struct rm_activation *f, size_t T,
				size_t O)
{
	struct job j = { .y = y, .x = x, .bias = bias, .f = f, .T = T,
			 .C = O };

	if (bias || f)
		share(&j, activation_block);
	else if (y != x)
		memcpy(y, x, T * O * sizeof(*y));
}

RM_VECTOR_FMA
static void slope_block(void *arg, size_t i)
{
	const struct job *j = arg;
	size_t C = j->C;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++) {
		rm_real *y = j->y + t * C, *x = j->slope + t * C;

		if (j->bias)
			biased(x, x, j->bias, C);
		j->f->both(y, x, x, C);
	}
}

void rm_bias_activation_slope(rm_real *y, rm_real *x, const rm_real *bias,
			      const struct rm_activation *f, size_t T,
			      size_t O)
{
	struct job j = { .y = y, .slope = x, .bias = bias, .f = f, .T = T,
			 .C = O };

	share(&j, slope_block);
}

RM_VECTOR_FMA
static void slope_back_block(void *arg, size_t i)
{
	const struct job *j = arg;

	for (size_t k = i * BLOCK * j->C; k < end_of(j, i) * j->C; k++)
		j->y[k] = j->dy[k] * j->x[k];
}

void rm_slope_backward(rm_real *dx, const rm_real *dy, const rm_real *slope,
		       size_t T, size_t O)
{
	struct job j = { .y = dx, .dy = dy, .x = slope, .T = T, .C = O };

	share(&j, slope_back_block);
}

/* Some numbers of a row at a time, so that x + bias has a place. */
#define PART ((size_t)256)

/* What stands on both sides of a gate, biased: numbers [c, c + n) of I. */
RM_INLINE void sides(const struct job *j, size_t t, size_t c, size_t n,
		     rm_real *x, rm_real *by)
{
	size_t I = j->C;
	const rm_real *row = j->x + t * 2 * I;

	memcpy(x, row + c, n * sizeof(*x));
	memcpy(by, row + I + c, n * sizeof(*by));
	if (!j->bias)
		return;
	biased(x, x, j->bias + c, n);
	biased(by, by, j->bias + I + c, n);
}

RM_VECTOR_FMA
static void gate_block(void *arg, size_t i)
{
	const struct job *j = arg;
	rm_real x[PART], by[PART];

	for (size_t t = i * BLOCK; t < end_of(j, i); t++)
		for (size_t c = 0; c < j->C; c += PART) {
			size_t n = RM_MIN(PART, j->C - c);
			rm_real *y = j->y + t * j->C + c;

			sides(j, t, c, n, x, by);
			j->f->forward(y, x, n);
			for (size_t k = 0; k < n; k++)
				y[k] *= by[k];
		}
}

void rm_gate_forward(rm_real *y, const rm_real *x, const rm_real *bias,
		     const struct rm_activation *f, size_t T, size_t I)
{
	struct job j = { .y = y, .x = x, .bias = bias, .f = f, .T = T,
			 .C = I };

	share(&j, gate_block);
}

/* dx = dy by f'(x), dby = dy f(x) */
RM_VECTOR_FMA
static void gate_back_block(void *arg, size_t i)
{
	const struct job *j = arg;
	rm_real x[PART], by[PART];

	for (size_t t = i * BLOCK; t < end_of(j, i); t++)
		for (size_t c = 0; c < j->C; c += PART) {
			size_t n = RM_MIN(PART, j->C - c);
			const rm_real *dy = j->dy + t * j->C + c;
			rm_real *dx = j->y + t * 2 * j->C + c;
			rm_real *dby = dx + j->C;

			sides(j, t, c, n, x, by);
			for (size_t k = 0; k < n; k++)
				by[k] *= dy[k];
			memset(dx, 0, n * sizeof(*dx));
			j->f->backward(dx, by, x, n);
			j->f->forward(dby, x, n);
			for (size_t k = 0; k < n; k++)
				dby[k] *= dy[k];
		}
}

void rm_gate_backward(rm_real *dx, const rm_real *dy, const rm_real *x,
		      const rm_real *bias, const struct rm_activation *f,
		      size_t T, size_t I)
{
	struct job j = { .y = dx, .dy = dy, .x = x, .bias = bias, .f = f,
			 .T = T, .C = I };

	share(&j, gate_back_block);
}

/* ---- dropout ---- */

/* y = x keep, or added to it. */
RM_INLINE void drop_row(rm_real *y, const rm_real *x,
			const struct rm_mask *mask, bool add, size_t C)
{
	rm_wide v, keep, to = {0};
	size_t c = 0;

	for (; c + RM_WIDE_LANES <= C; c += RM_WIDE_LANES) {
		rm_wide_keep(&keep, mask, (uint32_t)c);
		memcpy(&v, x + c, sizeof(v));
		if (add)
			memcpy(&to, y + c, sizeof(to));
		v = v * keep + to;
		memcpy(y + c, &v, sizeof(v));
	}
	rm_wide_keep(&keep, mask, (uint32_t)c);
	for (size_t k = c; k < C; k++)
		y[k] = x[k] * keep[k - c] + (add ? y[k] : 0);
}

RM_INLINE void drop_rows(const struct job *j, size_t i, bool add)
{
	const struct rm_dropout *d = j->dropout;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++) {
		struct rm_mask mask = rm_dropout_mask(d, d->first_row +
						      (d->row ? d->row[t] : t));

		drop_row(j->y + t * j->C, j->x + t * j->C, &mask, add, j->C);
	}
}

RM_VECTOR_FMA
static void drop_block(void *arg, size_t i)
{
	drop_rows(arg, i, false);
}

RM_VECTOR_FMA
static void drop_back_block(void *arg, size_t i)
{
	drop_rows(arg, i, true);
}

void rm_dropout_forward(rm_real *y, const rm_real *x, size_t T, size_t C,
			const struct rm_dropout *d)
{
	struct job j = { .y = y, .x = x, .dropout = d, .T = T, .C = C };

	if (d->p > 0)
		share(&j, drop_block);
	else if (y != x)
		memcpy(y, x, T * C * sizeof(*y));
}

/* y = x keep:  dx += dy keep */
void rm_dropout_backward(rm_real *dx, const rm_real *dy, size_t T, size_t C,
			 const struct rm_dropout *d)
{
	struct job j = { .y = dx, .x = dy, .dropout = d, .T = T, .C = C };

	share(&j, drop_back_block);
}

/* ---- positions ---- */

RM_INLINE void turn(rm_real *restrict x, const rm_real *restrict cosine,
		    const rm_real *restrict sine, size_t half, rm_real sign)
{
	for (size_t k = 0; k < half; k++) {
		rm_real a = x[k], b = x[k + half], s = sign * sine[k];

		x[k] = a * cosine[k] - b * s;
		x[k + half] = b * cosine[k] + a * s;
	}
}

RM_INLINE void rope_rows(const struct job *j, size_t i, rm_real sign)
{
	size_t half = j->C / 2;

	for (size_t t = i * BLOCK; t < end_of(j, i); t++)
		for (size_t h = 0; h < j->heads; h++)
			turn(j->y + t * j->ld + h * j->stride,
			     j->cosine + j->position[t] * half,
			     j->sine + j->position[t] * half, half, sign);
}

RM_VECTOR_FMA
static void rope_block(void *arg, size_t i)
{
	rope_rows(arg, i, 1);
}

RM_VECTOR_FMA
static void rope_back_block(void *arg, size_t i)
{
	rope_rows(arg, i, -1);
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

void rm_rope_backward(rm_real *dx, size_t ld, size_t H, size_t stride,
		      size_t rotary, const uint32_t *position,
		      const rm_real *cosine, const rm_real *sine, size_t T)
{
	struct job j = { .y = dx, .T = T, .C = rotary, .ld = ld, .heads = H,
			 .stride = stride, .position = position,
			 .cosine = cosine, .sine = sine };

	share(&j, rope_back_block);
}
