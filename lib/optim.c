#include "optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Elements that a thread takes at a time. */
#define CHUNK ((size_t)16384)

/* Rows are fetched this far ahead of their update. */
#define AHEAD 16

/* Below this, the scale of a sparse parameter goes back into its values. */
#define SMALLEST_SCALE 1e-3

struct rm_optim {
	struct rm_params *params;
	struct rm_optim_config c;
	uint64_t step;
	rm_real *m, *v;			/* [grad_size], as the gradients */
	/* Of each row of by_row parameters, in their order: had a gradient. */
	uint8_t *seen;			/* [n_seen] */
	size_t n_seen;
	struct rm_range range[4];
};

struct rm_optim_config rm_optim_defaults(void)
{
	return (struct rm_optim_config){
		.lr = 1e-3, .beta1 = .9, .beta2 = .999, .epsilon = 1e-8,
		.weight_decay = 0, .clip = 0
	};
}

struct rm_optim *rm_optim_new(struct rm_params *p,
			      const struct rm_optim_config *c)
{
	if (c->lr * c->weight_decay >= 1)
		return rm_fail_null("learning rate %g times weight decay %g "
				    "is 1 or more", c->lr, c->weight_decay);
	struct rm_optim *o = rm_calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->params = p;
	o->c = *c;
	o->m = rm_calloc_aligned(p->grad_size, sizeof(*o->m));
	o->v = rm_calloc_aligned(p->grad_size, sizeof(*o->v));
	for (size_t i = 0; i < p->n; i++)
		if (p->param[i].touched)
			o->n_seen += p->param[i].shape[0];
	o->seen = rm_calloc(o->n_seen, 1);
	if (!o->m || !o->v || !o->seen) {
		rm_optim_free(o);
		return NULL;
	}
	size_t bytes = p->grad_size * sizeof(rm_real);
	o->range[0] = (struct rm_range){ "step", &o->step, sizeof(o->step) };
	o->range[1] = (struct rm_range){ "m", o->m, bytes };
	o->range[2] = (struct rm_range){ "v", o->v, bytes };
	o->range[3] = (struct rm_range){ "seen", o->seen, o->n_seen };
	return o;
}

uint64_t rm_optim_steps(const struct rm_optim *o)
{
	return o->step;
}

const struct rm_range *rm_optim_ranges(struct rm_optim *o, size_t *n)
{
	*n = RM_COUNT(o->range);
	return o->range;
}

void rm_optim_free(struct rm_optim *o)
{
	if (!o)
		return;
	free(o->m);
	free(o->v);
	free(o->seen);
	free(o);
}

/* ---- dense ---- */

/* The numbers of AdamW that are the same for all elements of a parameter. */
struct adamw {
	rm_real b1, b2, not_b1, not_b2, clip;
	rm_real shrink;		/* 1 - lr wd */
	rm_real rate;		/* lr / (1 - b1^t) */
	rm_real unbias2;	/* 1 / (1 - b2^t) */
	rm_real epsilon;
};

static struct adamw adamw_of(const struct rm_optim *o,
			     const struct rm_param *p, double lr, double clip)
{
	const struct rm_optim_config *c = &o->c;
	double t = (double)o->step;

	return (struct adamw){
		.b1 = (rm_real)c->beta1, .not_b1 = (rm_real)(1 - c->beta1),
		.b2 = (rm_real)c->beta2, .not_b2 = (rm_real)(1 - c->beta2),
		.clip = (rm_real)clip,
		.shrink = (rm_real)(1 - (p->decay ? lr * c->weight_decay : 0)),
		.rate = (rm_real)(lr / (1 - pow(c->beta1, t))),
		.unbias2 = (rm_real)(1 / (1 - pow(c->beta2, t))),
		.epsilon = (rm_real)c->epsilon
	};
}

static inline rm_real root(rm_real x)
{
#ifdef RM_DOUBLE
	return sqrt(x);
#else
	return sqrtf(x);
#endif
}

/* Gradients that were used are 0 again. */
RM_VECTOR
static void adamw_chunk(const struct adamw *a, rm_real *restrict w,
			rm_real *restrict grad, rm_real *restrict m,
			rm_real *restrict v, size_t n)
{
	const struct adamw s = *a;

	for (size_t i = 0; i < n; i++) {
		rm_real g = s.clip * grad[i];
		m[i] = s.b1 * m[i] + s.not_b1 * g;
		v[i] = s.b2 * v[i] + s.not_b2 * g * g;
		w[i] = s.shrink * w[i] - s.rate * m[i] /
			(root(v[i] * s.unbias2) + s.epsilon);
		grad[i] = 0;
	}
}

struct dense_job {
	struct adamw a;
	struct rm_param *p;
	rm_real *m, *v;		/* of p */
};

static void dense_chunk(void *arg, size_t chunk)
{
	const struct dense_job *j = arg;
	size_t i = chunk * CHUNK;

	adamw_chunk(&j->a, j->p->value + i, j->p->grad + i, j->m + i, j->v + i,
		    RM_MIN(CHUNK, j->p->size - i));
}

static void dense_step(struct rm_optim *o, struct rm_param *p, double lr,
		       double clip)
{
	size_t at = (size_t)(p->grad - o->params->grad_block);
	struct dense_job j = {
		adamw_of(o, p, lr, clip), p, o->m + at, o->v + at
	};

	rm_parallel((p->size + CHUNK - 1) / CHUNK, dense_chunk, &j);
}

/* ---- by row ---- */

struct by_row_job {
	struct dense_job dense;
	uint8_t *seen;		/* [shape[0]] */
	size_t width, per;	/* numbers of a row, rows of a chunk */
};

static void decay_row(rm_real *w, rm_real shrink, size_t n)
{
	for (size_t i = 0; shrink != 1 && i < n; i++)
		w[i] *= shrink;
}

static void by_row_chunk(void *arg, size_t chunk)
{
	const struct by_row_job *j = arg;
	const struct dense_job *d = &j->dense;
	size_t end = RM_MIN((chunk + 1) * j->per, d->p->shape[0]);

	for (size_t row = chunk * j->per; row < end; row++) {
		size_t i = row * j->width;

		j->seen[row] |= d->p->touched[row];
		if (j->seen[row])
			adamw_chunk(&d->a, d->p->value + i, d->p->grad + i,
				    d->m + i, d->v + i, j->width);
		else
			decay_row(d->p->value + i, d->a.shrink, j->width);
	}
}

static void by_row_step(struct rm_optim *o, struct rm_param *p, double lr,
			double clip, uint8_t *seen)
{
	size_t at = (size_t)(p->grad - o->params->grad_block);
	size_t width = p->size / p->shape[0];
	struct by_row_job j = {
		.dense = { adamw_of(o, p, lr, clip), p, o->m + at,
			   o->v + at },
		.seen = seen, .width = width,
		.per = RM_MAX(CHUNK / width, (size_t)1)
	};

	rm_parallel((p->shape[0] + j.per - 1) / j.per, by_row_chunk, &j);
	memset(p->touched, 0, p->shape[0]);
}

/* ---- sparse ---- */

/* Put the scale back into the values, long before these overflow. */
static void fold_scale(struct rm_param *p)
{
	rm_real s = (rm_real)p->scale;

	for (size_t i = 0; i < p->size; i++)
		p->value[i] *= s;
	p->scale = 1;
}

static inline void rows_step(const struct rm_sparse_part *part, size_t dim,
			     rm_real rate, rm_real *value)
{
	for (size_t i = 0; i < part->n; i++) {
		if (i + AHEAD < part->n) {
			const rm_real *next = value +
				(size_t)part->row[i + AHEAD] * dim;
			for (size_t j = 0; j < dim; j += 64 / sizeof(*next))
				__builtin_prefetch(next + j, 1);
		}
		rm_real *w = value + (size_t)part->row[i] * dim;
		const rm_real *g = part->grad + i * dim;
		for (size_t j = 0; j < dim; j++)
			w[j] -= rate * g[j];
	}
}

RM_VECTOR
static void wide_rows_step(const struct rm_sparse_part *part, size_t dim,
			   rm_real rate, rm_real *value)
{
	if (dim == 16)
		rows_step(part, 16, rate, value);
	else
		rows_step(part, dim, rate, value);
}

struct rows_job {
	struct rm_param *p;
	rm_real rate;
};

static void rows_part(void *arg, size_t i)
{
	const struct rows_job *j = arg;
	const struct rm_sparse *rows = j->p->rows;

	if (rows->dim == 1)
		rows_step(&rows->part[i], 1, j->rate, j->p->value);
	else
		wide_rows_step(&rows->part[i], rows->dim, j->rate,
			       j->p->value);
}

static void sparse_step(struct rm_optim *o, struct rm_param *p, double lr,
			double clip)
{
	if (p->decay && o->c.weight_decay != 0)
		p->scale *= 1 - lr * o->c.weight_decay;
	if (p->scale < SMALLEST_SCALE)
		fold_scale(p);
	double rate = lr * (p->rate > 0 ? p->rate : 1) * clip / p->scale;
	struct rows_job j = { p, (rm_real)rate };
	rm_parallel(RM_SPARSE_PARTS, rows_part, &j);
	rm_sparse_clear(p->rows);
}

/* `seen` goes on behind the parameter's rows. */
static void step_one(struct rm_optim *o, struct rm_param *p, double lr,
		     double clip, uint8_t **seen)
{
	double own = lr * (p->rate > 0 ? p->rate : 1);

	if (p->rows) {
		sparse_step(o, p, lr, clip);
	} else if (p->touched) {
		by_row_step(o, p, own, clip, *seen);
		*seen += p->shape[0];
	} else if (p->grad) {
		dense_step(o, p, own, clip);
	}
}

int rm_optim_step(struct rm_optim *o, double lr, double *norm)
{
	double n = sqrt(rm_params_grad_norm2(o->params));
	double clip = o->c.clip > 0 && n > o->c.clip ? o->c.clip / n : 1;
	uint8_t *seen = o->seen;

	if (norm)
		*norm = n;
	if (!isfinite(n))
		return rm_fail("the gradient norm is %s",
			       isnan(n) ? "NaN" : "infinite");
	o->step++;
	for (size_t i = 0; i < o->params->n; i++)
		step_one(o, &o->params->param[i], lr, clip, &seen);
	return 0;
}

/* ---- schedules ---- */

/* 1 */
static double constant_factor(double x)
{
	(void)x;
	return 1;
}

/* 1 - x */
static double linear_factor(double x)
{
	return 1 - x;
}

/* (1 + cos(pi x)) / 2.  Loshchilov and Hutter, SGDR, 2017. */
static double cosine_factor(double x)
{
	return .5 * (1 + cos(M_PI * x));
}

const struct rm_schedule rm_schedules[] = {
	{ "constant", "stays at the peak", constant_factor },
	{ "linear", "falls in a line to 0", linear_factor },
	{ "cosine", "falls as half a cosine to 0", cosine_factor },
	{ NULL, NULL, NULL }
};

const struct rm_schedule *rm_schedule_find(const char *name)
{
	struct rm_buf list = {0};
	const struct rm_schedule *s;

	for (s = rm_schedules; s->name; s++) {
		if (!strcmp(s->name, name))
			return s;
	}
	for (s = rm_schedules; s->name; s++)
		rm_buf_printf(&list, "%s%s", s == rm_schedules ? "" : ", ",
			      s->name);
	char *names = rm_buf_text(&list);
	rm_fail("unknown schedule %s; there are %s", name,
		names ? names : "");
	rm_buf_fini(&list);
	return NULL;
}

double rm_schedule_factor(const struct rm_schedule *s, uint64_t step,
			  uint64_t total, uint64_t warmup)
{
	if (step < warmup)
		return (double)(step + 1) / (double)warmup;
	if (step >= total)
		return s->factor(1);
	return s->factor((double)(step - warmup) / (double)(total - warmup));
}

void rm_schedule_list(struct rm_buf *out)
{
	for (const struct rm_schedule *s = rm_schedules; s->name; s++)
		rm_buf_printf(out, "%-10s %s\n", s->name, s->help);
}
