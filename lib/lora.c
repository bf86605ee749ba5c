/* lora: see lora.h.  n outputs, k inputs, R the rank. */
#include "lora.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of dy that a thread takes at a time. */
#define ROWS ((size_t)64)
/* Columns of B that are summed at once. */
#define WIDE ((size_t)8)

static size_t outputs(const struct rm_param *p)
{
	return p->shape[p->turned];
}

static size_t inputs(const struct rm_param *p)
{
	return p->shape[!p->turned];
}

/* ---- the table ---- */

static int add_thin(struct rm_params *p, size_t i, const char *which,
		    size_t rows, size_t columns, double deviation)
{
	const struct rm_param *of = &p->param[i];
	struct rm_param thin = {
		.n_dims = 2, .shape = { rows, columns }, .trainable = true,
		.decay = of->decay, .rate = of->rate,
		.init = deviation > 0 ? RM_INIT_NORMAL : RM_INIT_ZERO,
		.init_scale = deviation
	};
	struct rm_buf name = {0};
	int at = -1;

	rm_buf_printf(&name, "%s.%s", of->name, which);
	thin.name = rm_buf_text(&name);
	if (thin.name)
		at = rm_params_add(p, &thin);
	rm_buf_fini(&name);
	return at;
}

int rm_lora_add(struct rm_params *p, size_t i, size_t rank, double alpha)
{
	struct rm_lora *l = rm_calloc(1, sizeof(*l));
	size_t n = outputs(&p->param[i]), k = inputs(&p->param[i]);
	int a, b;

	if (!l)
		return -1;
	p->param[i].lora = l;
	p->param[i].trainable = false;
	a = add_thin(p, i, "lora_A", rank, k, 1 / sqrt(3 * (double)k));
	b = a < 0 ? -1 : add_thin(p, i, "lora_B", n, rank, 0);
	if (b < 0)
		return -1;
	l->rank = rank;
	l->scale = alpha / (double)rank;
	l->a = (size_t)a;
	l->b = (size_t)b;
	l->base = rm_malloc(p->param[i].size, sizeof(*l->base));
	l->turned_b = rm_malloc(n, rank * sizeof(*l->turned_b));
	return l->base && l->turned_b ? 0 : -1;
}

int rm_lora_start(struct rm_params *p, uint64_t seed)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct rm_lora *l = p->param[i].lora;

		if (!l)
			continue;
		memcpy(l->base, p->param[i].value,
		       p->param[i].size * sizeof(*l->base));
		rm_params_init_one(p, l->a, seed);
		rm_params_init_one(p, l->b, seed);
	}
	return rm_lora_merge(p);
}

/* ---- along ---- */

/* s B'[R, n] */
static void turn(const struct rm_lora *l, const rm_real *b, size_t n)
{
	for (size_t j = 0; j < n; j++)
		for (size_t r = 0; r < l->rank; r++)
			l->turned_b[r * n + j] =
				(rm_real)l->scale * b[j * l->rank + r];
}

static int merge(const struct rm_params *p, struct rm_param *w)
{
	const struct rm_lora *l = w->lora;
	const rm_real *a = p->param[l->a].value;
	size_t n = outputs(w), k = inputs(w);

	turn(l, p->param[l->b].value, n);
	memcpy(w->value, l->base, w->size * sizeof(*w->value));
	return w->turned ?
	       rm_gemm_tn(k, n, l->rank, a, k, l->turned_b, n, w->value,
			  RM_FP32) :
	       rm_gemm_tn(n, k, l->rank, l->turned_b, n, a, k, w->value,
			  RM_FP32);
}

int rm_lora_merge(struct rm_params *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->param[i].lora && merge(p, &p->param[i]) < 0)
			return -1;
	return 0;
}

/* ---- the way back ---- */

struct thin_job {
	const rm_real *dy, *b;
	rm_real *v;
	size_t rows, n, ldy, rank;
	rm_real scale;
};

/* v[width] = s dy[n] B at its columns, b being the first of them. */
static inline void thin_row(const struct thin_job *j, const rm_real *dy,
			    const rm_real *b, size_t width, rm_real *v)
{
	rm_real sum[WIDE] = {0};

	for (size_t i = 0; i < j->n; i++, b += j->rank)
		for (size_t r = 0; r < width; r++)
			sum[r] += dy[i] * b[r];
	for (size_t r = 0; r < width; r++)
		v[r] = j->scale * sum[r];
}

RM_VECTOR
static void thin_rows(void *arg, size_t piece)
{
	const struct thin_job *j = arg;
	size_t end = RM_MIN((piece + 1) * ROWS, j->rows);

	for (size_t row = piece * ROWS; row < end; row++) {
		const rm_real *dy = j->dy + row * j->ldy;
		rm_real *v = j->v + row * j->rank;
		size_t r = 0;

		for (; r + WIDE <= j->rank; r += WIDE)
			thin_row(j, dy, j->b + r, WIDE, v + r);
		if (r < j->rank)
			thin_row(j, dy, j->b + r, j->rank - r, v + r);
	}
}

/* dA += (s dy B)' x */
static int back_to_a(const struct rm_params *p, const struct thin_job *job,
		     const struct rm_lora *l, const rm_real *x, size_t k,
		     enum rm_precision precision)
{
	rm_parallel((job->rows + ROWS - 1) / ROWS, thin_rows, (void *)job);
	return rm_gemm_tn(l->rank, k, job->rows, job->v, l->rank, x, k,
			  p->param[l->a].grad, precision);
}

/* dB += dy' (s x A') */
static int back_to_b(const struct rm_params *p, const struct thin_job *job,
		     const struct rm_lora *l, const rm_real *x, size_t k,
		     enum rm_precision precision)
{
	if (rm_gemm_nt(job->rows, l->rank, k, x, p->param[l->a].value,
		       job->v) < 0)
		return -1;
	for (size_t i = 0; i < job->rows * l->rank; i++)
		job->v[i] *= job->scale;
	return rm_gemm_tn(job->n, l->rank, job->rows, job->dy, job->ldy,
			  job->v, l->rank, p->param[l->b].grad, precision);
}

int rm_lora_backward(struct rm_params *p, size_t i, size_t rows,
		     const rm_real *dy, size_t ldy, const rm_real *x,
		     enum rm_precision precision)
{
	const struct rm_param *w = &p->param[i];
	const struct rm_lora *l = w->lora;
	struct thin_job job = {
		.dy = dy, .b = p->param[l->b].value, .rows = rows,
		.n = outputs(w), .ldy = ldy, .rank = l->rank,
		.scale = (rm_real)l->scale,
		.v = rm_malloc(rows, l->rank * sizeof(*job.v))
	};
	int status = -1;

	if (job.v && back_to_a(p, &job, l, x, inputs(w), precision) == 0)
		status = back_to_b(p, &job, l, x, inputs(w), precision);
	free(job.v);
	return status;
}
