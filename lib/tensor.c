#include "tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every parameter starts on a cache line. */
#define ALIGN (64 / sizeof(rm_real))

/* Elements that a thread takes at a time. */
#define CHUNK ((size_t)4096)

/* ---- the table ---- */

static int param_size(const struct rm_param *param, size_t *size)
{
	*size = 1;
	for (size_t d = 0; d < param->n_dims; d++)
		if (__builtin_mul_overflow(*size, param->shape[d], size))
			return -1;
	/* Room to round up and to count bytes. */
	return *size > SIZE_MAX / 16 - ALIGN ? -1 : 0;
}

int rm_params_add(struct rm_params *p, const struct rm_param *param)
{
	size_t size;

	if (rm_params_find(p, param->name) >= 0)
		return rm_fail("parameter %s exists", param->name);
	if (param_size(param, &size) < 0)
		return rm_fail("parameter %s is too large", param->name);
	if (rm_grow(&p->param, &p->cap, p->n + 1, sizeof(*p->param)) < 0)
		return -1;
	struct rm_param *to = &p->param[p->n];
	*to = *param;
	to->name = rm_strdup(param->name);
	if (!to->name)
		return -1;
	to->size = size;
	to->value = to->grad = NULL;
	to->rows = NULL;
	to->touched = NULL;
	to->lora = NULL;
	to->scale = 1;
	return (int)p->n++;
}

int rm_params_find(const struct rm_params *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->param[i].name, name))
			return (int)i;
	return -1;
}

static size_t round_up(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* The dense gradient block, and the containers of sparse ones. */
static int alloc_grads(struct rm_params *p)
{
	size_t at = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct rm_param *param = &p->param[i];
		if (!param->trainable)
			continue;
		if (param->by_row && !(param->touched = rm_calloc(
				       param->shape[0], 1)))
			return -1;
		if (!param->sparse) {
			at += round_up(param->size);
			continue;
		}
		param->rows = rm_sparse_new(param->shape[0], param->size /
					    RM_MAX(param->shape[0], 1));
		if (!param->rows)
			return -1;
	}
	p->grad_size = at;
	p->grad_block = rm_calloc_aligned(at, sizeof(rm_real));
	if (!p->grad_block)
		return -1;
	at = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct rm_param *param = &p->param[i];
		if (!param->trainable || param->sparse)
			continue;
		param->grad = p->grad_block + at;
		at += round_up(param->size);
	}
	return 0;
}

int rm_params_alloc(struct rm_params *p, bool train)
{
	p->size = 0;
	for (size_t i = 0; i < p->n; i++) {
		p->param[i].offset = p->size;
		if (__builtin_add_overflow(p->size, round_up(p->param[i].size),
					   &p->size))
			return rm_fail("the parameters are too large");
	}
	p->block = rm_calloc_aligned(p->size, sizeof(rm_real));
	if (!p->block)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		p->param[i].value = p->block + p->param[i].offset;
	return train ? alloc_grads(p) : 0;
}

struct init_job {
	struct rm_param *param;
	uint64_t seed;
	size_t index;		/* of the parameter */
};

static double initial(const struct init_job *job, size_t j)
{
	const struct rm_param *param = job->param;
	double scale = param->init_scale;

	switch (param->init) {
	case RM_INIT_CONSTANT:
		return scale;
	case RM_INIT_NORMAL:
		return scale * rm_random_normal(job->seed, RM_RANDOM_INIT,
						job->index, j);
	case RM_INIT_SIGN:
		return rm_random(job->seed, RM_RANDOM_INIT, job->index, j) >>
			63 ? scale : -scale;
	case RM_INIT_ZERO:
		break;
	}
	return 0;
}

static void init_chunk(void *arg, size_t chunk)
{
	const struct init_job *job = arg;
	size_t end = RM_MIN((chunk + 1) * CHUNK, job->param->size);

	for (size_t j = chunk * CHUNK; j < end; j++)
		job->param->value[j] = (rm_real)initial(job, j);
}

static size_t chunks_of(size_t n)
{
	return (n + CHUNK - 1) / CHUNK;
}

void rm_params_init(struct rm_params *p, uint64_t seed)
{
	for (size_t i = 0; i < p->n; i++)
		rm_params_init_one(p, i, seed);
}

void rm_params_init_one(struct rm_params *p, size_t i, uint64_t seed)
{
	struct init_job job = { &p->param[i], seed, i };

	p->param[i].scale = 1;
	rm_parallel(chunks_of(p->param[i].size), init_chunk, &job);
}

void rm_params_get(const struct rm_params *p, size_t i, rm_real *out)
{
	const struct rm_param *param = &p->param[i];

	for (size_t j = 0; j < param->size; j++)
		out[j] = (rm_real)(param->scale * (double)param->value[j]);
}

void rm_params_set(struct rm_params *p, size_t i, const rm_real *in)
{
	struct rm_param *param = &p->param[i];

	memcpy(param->value, in, param->size * sizeof(rm_real));
	param->scale = 1;
}

size_t rm_params_state_size(const struct rm_params *p)
{
	return p->size * sizeof(rm_real) + p->n * sizeof(double);
}

void rm_params_state_get(const struct rm_params *p, void *out)
{
	unsigned char *to = out;

	memcpy(to, p->block, p->size * sizeof(rm_real));
	to += p->size * sizeof(rm_real);
	for (size_t i = 0; i < p->n; i++, to += sizeof(double))
		memcpy(to, &p->param[i].scale, sizeof(double));
}

void rm_params_state_set(struct rm_params *p, const void *in)
{
	const unsigned char *from = in;

	memcpy(p->block, from, p->size * sizeof(rm_real));
	from += p->size * sizeof(rm_real);
	for (size_t i = 0; i < p->n; i++, from += sizeof(double))
		memcpy(&p->param[i].scale, from, sizeof(double));
}

static void zero_touched(struct rm_param *p)
{
	size_t width = p->size / p->shape[0];

	for (size_t i = 0; i < p->shape[0]; i++)
		if (p->touched[i])
			memset(p->grad + i * width, 0,
			       width * sizeof(*p->grad));
	memset(p->touched, 0, p->shape[0]);
}

void rm_params_zero_grad(struct rm_params *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct rm_param *param = &p->param[i];

		if (param->rows)
			rm_sparse_clear(param->rows);
		else if (param->touched)
			zero_touched(param);
		else if (param->grad)
			memset(param->grad, 0, param->size *
			       sizeof(*param->grad));
	}
}

static void lora_free(struct rm_lora *l)
{
	if (!l)
		return;
	free(l->base);
	free(l->turned_b);
	free(l);
}

void rm_params_fini(struct rm_params *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free((char *)p->param[i].name);
		rm_sparse_free(p->param[i].rows);
		lora_free(p->param[i].lora);
		free(p->param[i].touched);
	}
	free(p->param);
	free(p->block);
	free(p->grad_block);
	*p = (struct rm_params){0};
}

/* ---- norms ---- */

static double norm2(const rm_real *x, size_t n)
{
	double sum[4] = {0};
	size_t i = 0;

	for (; i + 4 <= n; i += 4)
		for (size_t j = 0; j < 4; j++)
			sum[j] += (double)x[i + j] * (double)x[i + j];
	for (; i < n; i++)
		sum[0] += (double)x[i] * (double)x[i];
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

struct norm_job {
	const rm_real *x;
	size_t n;
	double part[64];
};

static void norm_chunk(void *arg, size_t chunk)
{
	struct norm_job *job = arg;
	size_t from = chunk * CHUNK;

	job->part[chunk] = norm2(job->x + from, RM_MIN(CHUNK, job->n - from));
}

/* Chunks of a fixed size, their sums added in order. */
static double dense_norm2(const rm_real *x, size_t n)
{
	struct norm_job job;
	double total = 0;

	for (size_t at = 0; at < n; at += job.n) {
		job.x = x + at;
		job.n = RM_MIN(n - at, RM_COUNT(job.part) * CHUNK);
		rm_parallel(chunks_of(job.n), norm_chunk, &job);
		for (size_t c = 0; c < chunks_of(job.n); c++)
			total += job.part[c];
	}
	return total;
}

/* Of rows that were touched: a few, so one thread sums them. */
static double touched_norm2(const struct rm_param *p)
{
	size_t width = p->size / p->shape[0];
	double total = 0;

	for (size_t i = 0; i < p->shape[0]; i++)
		if (p->touched[i])
			total += norm2(p->grad + i * width, width);
	return total;
}

struct sparse_norm_job {
	const struct rm_sparse *s;
	double part[RM_SPARSE_PARTS];
};

static void sparse_norm_part(void *arg, size_t i)
{
	struct sparse_norm_job *job = arg;
	const struct rm_sparse_part *part = &job->s->part[i];

	job->part[i] = norm2(part->grad, part->n * job->s->dim);
}

static double sparse_norm2(const struct rm_sparse *s)
{
	struct sparse_norm_job job = { .s = s };
	double total = 0;

	rm_parallel(RM_SPARSE_PARTS, sparse_norm_part, &job);
	for (size_t i = 0; i < RM_SPARSE_PARTS; i++)
		total += job.part[i];
	return total;
}

double rm_params_grad_norm2(const struct rm_params *p)
{
	double total = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct rm_param *param = &p->param[i];

		if (param->rows)
			total += sparse_norm2(param->rows);
		else if (param->touched)
			total += touched_norm2(param);
		else if (param->grad)
			total += dense_norm2(param->grad, param->size);
	}
	return total;
}

/* grad += c x */
static void add_scaled(rm_real *grad, const rm_real *x, double c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		grad[i] += (rm_real)(c * (double)x[i]);
}

static double dense_norm(struct rm_param *p, double c)
{
	double norm = sqrt(dense_norm2(p->value, p->size));

	if (p->touched)
		memset(p->touched, 1, p->shape[0]);
	if (norm > 0)
		add_scaled(p->grad, p->value, c / norm, p->size);
	return norm;
}

static double sparse_norm(struct rm_param *p, double c)
{
	size_t dim = p->rows->dim;
	double sum = 0, norm;

	for (size_t i = 0; i < RM_SPARSE_PARTS; i++) {
		const struct rm_sparse_part *part = &p->rows->part[i];

		for (size_t j = 0; j < part->n; j++)
			sum += norm2(p->value + part->row[j] * dim, dim);
	}
	norm = p->scale * sqrt(sum);
	for (size_t i = 0; norm > 0 && i < RM_SPARSE_PARTS; i++) {
		const struct rm_sparse_part *part = &p->rows->part[i];

		for (size_t j = 0; j < part->n; j++)
			add_scaled(part->grad + j * dim,
				   p->value + part->row[j] * dim,
				   c * p->scale / norm, dim);
	}
	return norm;
}

double rm_params_add_norms(struct rm_params *p, double c)
{
	double sum = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct rm_param *param = &p->param[i];

		if (param->rows)
			sum += sparse_norm(param, c);
		else if (param->grad)
			sum += dense_norm(param, c);
	}
	return c * sum;
}

/* ---- sparse gradients ---- */

struct rm_sparse *rm_sparse_new(size_t n_rows, size_t dim)
{
	if (n_rows > UINT32_MAX)
		return rm_fail_null("%zu rows are too many", n_rows);
	struct rm_sparse *s = rm_calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->n_rows = n_rows;
	s->dim = dim;
	s->per = (n_rows + RM_SPARSE_PARTS - 1) / RM_SPARSE_PARTS;
	for (size_t i = 0; i < RM_SPARSE_PARTS; i++) {
		s->part[i].slot = rm_calloc(s->per,
					    sizeof(*s->part[i].slot));
		if (!s->part[i].slot) {
			rm_sparse_free(s);
			return NULL;
		}
	}
	return s;
}

/* Room for `more` rows after n, but for no more than a part can have. */
static int reserve(struct rm_sparse *s, struct rm_sparse_part *part,
		   size_t more)
{
	size_t need = RM_MIN(part->n + more, s->per), cap = part->cap;

	if (need <= part->cap)
		return 0;
	if (rm_grow(&part->row, &cap, need, sizeof(*part->row)) < 0)
		return -1;
	rm_real *grad = rm_realloc(part->grad, cap * s->dim, sizeof(*grad));
	if (!grad)
		return -1;
	part->grad = grad;
	part->cap = cap;
	return 0;
}

/* Inlined with a constant dim where that is common. */
static inline void add_uses(struct rm_sparse_part *part, size_t first,
			    size_t dim, const struct rm_use *use, size_t n,
			    const rm_real *dx)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t *slot = &part->slot[use[i].row - first];
		if (!*slot) {
			part->row[part->n] = use[i].row;
			memset(part->grad + part->n * dim, 0,
			       dim * sizeof(rm_real));
			*slot = (uint32_t)++part->n;
		}
		rm_real *grad = part->grad + (*slot - 1) * dim;
		for (size_t j = 0; j < dim; j++)
			grad[j] += use[i].weight * dx[j];
	}
}

RM_VECTOR
static void add_wide(struct rm_sparse_part *part, size_t first, size_t dim,
		     const struct rm_use *use, size_t n, const rm_real *dx)
{
	if (dim == 16)
		add_uses(part, first, 16, use, n, dx);
	else
		add_uses(part, first, dim, use, n, dx);
}

int rm_sparse_add(struct rm_sparse *s, size_t which, const struct rm_use *use,
		  size_t n, const rm_real *dx)
{
	struct rm_sparse_part *part = &s->part[which];

	if (n == 0)
		return 0;
	if (reserve(s, part, n) < 0)
		return -1;
	if (s->dim == 1)
		add_uses(part, which * s->per, 1, use, n, dx);
	else
		add_wide(part, which * s->per, s->dim, use, n, dx);
	return 0;
}

const rm_real *rm_sparse_find(const struct rm_sparse *s, uint32_t row)
{
	const struct rm_sparse_part *part = &s->part[row / s->per];
	uint32_t slot = part->slot[row % s->per];

	return slot ? part->grad + (slot - 1) * s->dim : NULL;
}

void rm_sparse_clear(struct rm_sparse *s)
{
	for (size_t i = 0; i < RM_SPARSE_PARTS; i++) {
		struct rm_sparse_part *part = &s->part[i];
		for (size_t j = 0; j < part->n; j++)
			part->slot[part->row[j] - i * s->per] = 0;
		part->n = 0;
	}
}

void rm_sparse_free(struct rm_sparse *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < RM_SPARSE_PARTS; i++) {
		free(s->part[i].row);
		free(s->part[i].grad);
		free(s->part[i].slot);
	}
	free(s);
}
