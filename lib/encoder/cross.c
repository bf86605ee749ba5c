/*
 * Responses attend to their prompts: for the rows x of a response and p of
 * its prompt,
 *
 *	y = x + Wo concat over heads of softmax(q k' / sqrt(D)) v,
 *	q = Wq x, k = Wk p, v = Wv p
 *
 * with biases.  Vaswani et al., Attention Is All You Need, 2017.  Without a
 * prompt y = x.
 *
 * C numbers of a row, H heads of D, Q rows of responses that have a prompt, P
 * rows of prompts; n rows of one response, m of one prompt.
 */
#include "encoder/internal.h"
#include "nn.h"
#include "vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY, KEY, VALUE, OUT, MATRICES };

/* A response, or a prompt: where it stands in ids, and among its like. */
struct text {
	size_t at, n, row;
};

struct asked {
	struct text prompt;
	size_t first, end;	/* its responses */
};

struct rm_cross {
	struct rm_params *params;
	size_t C, H, D;
	size_t weight[MATRICES], bias[MATRICES];

	/* Of the last forward. */
	struct text *response;
	struct asked *asked;
	size_t n_responses, n_asked, Q, P, most;
	size_t cap_response, cap_asked;
	/* [Q, C] x, q, what heads find, y; [P, C] p, k, v; gradients. */
	rm_real *x, *q, *a, *y, *p, *k, *v;
	rm_real *dx, *dq, *da, *dp, *dk, *dv;
	rm_real *lse;		/* [Q, H] log of the sum of exp(score) */
	rm_real *scores, *slopes;	/* [threads, most] */
	rm_real *block;
	size_t cap_block;
};

/* ---- setting up ---- */

static int add_matrix(struct rm_cross *x, size_t i)
{
	static const char *const names[MATRICES][2] = {
		{ "score.cross.query.weight", "score.cross.query.bias" },
		{ "score.cross.key.weight", "score.cross.key.bias" },
		{ "score.cross.value.weight", "score.cross.value.bias" },
		{ "score.cross.out.weight", "score.cross.out.bias" },
	};
	const struct rm_param weight = {
		.name = names[i][0], .n_dims = 2, .shape = { x->C, x->C },
		.trainable = true, .decay = true,
		.init = RM_INIT_NORMAL, .init_scale = .02
	};
	const struct rm_param bias = {
		.name = names[i][1], .n_dims = 1, .shape = { x->C },
		.trainable = true
	};
	int w = rm_params_add(x->params, &weight);
	int b = w < 0 ? -1 : rm_params_add(x->params, &bias);

	if (b < 0)
		return -1;
	x->weight[i] = (size_t)w;
	x->bias[i] = (size_t)b;
	return 0;
}

struct rm_cross *rm_cross_new(struct rm_params *params, size_t C,
			      size_t heads)
{
	struct rm_cross *x;

	if (heads == 0 || C % heads != 0)
		return rm_fail_null("encoding=cross: %zu heads do not divide "
				    "rows of %zu numbers: choose heads=",
				    heads, C);
	x = rm_calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	*x = (struct rm_cross){ .params = params, .C = C, .H = heads,
				.D = C / heads };
	for (size_t i = 0; i < MATRICES; i++)
		if (add_matrix(x, i) < 0) {
			rm_cross_free(x);
			return NULL;
		}
	return x;
}

void rm_cross_free(struct rm_cross *x)
{
	if (!x)
		return;
	free(x->response);
	free(x->asked);
	free(x->block);
	free(x);
}

/* ---- who asks whom ---- */

static struct text text_of(const struct rm_batch *batch, size_t segment,
			   size_t *rows)
{
	const struct rm_segment *s = &batch->segment[segment];
	struct text t = { s->start, s->length, *rows };

	*rows += s->length;
	return t;
}

static int add_response(struct rm_cross *x, const struct rm_batch *batch,
			size_t leaf)
{
	size_t own = batch->apart[leaf];
	bool known = leaf > 0 && batch->apart[leaf - 1] == own;

	if (own == RM_NO_PARENT)
		return 0;
	if (rm_grow(&x->response, &x->cap_response, x->n_responses + 1,
		    sizeof(*x->response)) < 0 ||
	    rm_grow(&x->asked, &x->cap_asked, x->n_asked + 1,
		    sizeof(*x->asked)) < 0)
		return -1;
	if (!known)
		x->asked[x->n_asked++] = (struct asked){
			text_of(batch, own, &x->P),
			x->n_responses, x->n_responses
		};
	x->most = RM_MAX(x->most, x->asked[x->n_asked - 1].prompt.n);
	x->response[x->n_responses++] = text_of(batch, batch->leaf[leaf],
						&x->Q);
	x->asked[x->n_asked - 1].end = x->n_responses;
	return 0;
}

static rm_real *take(rm_real **at, size_t n)
{
	rm_real *x = *at;

	*at += n;
	return x;
}

/* Whole vectors. */
static size_t room_of(const struct rm_cross *x)
{
	return (x->most + RM_WIDE_LANES - 1) / RM_WIDE_LANES * RM_WIDE_LANES;
}

static int reserve(struct rm_cross *x, bool train)
{
	size_t Q = x->Q * x->C, P = x->P * x->C, ways = train ? 2 : 1;
	size_t room = room_of(x) * rm_threads();
	rm_real *at;

	if (rm_grow(&x->block, &x->cap_block, ways * (4 * Q + 3 * P) +
		    x->Q * x->H + 2 * room, sizeof(*x->block)) < 0)
		return -1;
	at = x->block;
	x->x = take(&at, Q);
	x->q = take(&at, Q);
	x->a = take(&at, Q);
	x->y = take(&at, Q);
	x->p = take(&at, P);
	x->k = take(&at, P);
	x->v = take(&at, P);
	x->lse = take(&at, x->Q * x->H);
	x->scores = take(&at, room);
	x->slopes = take(&at, room);
	if (!train)
		return 0;
	x->dx = take(&at, Q);
	x->dq = take(&at, Q);
	x->da = take(&at, Q);
	x->dp = take(&at, P);
	x->dk = take(&at, P);
	x->dv = take(&at, P);
	return 0;
}

static int lay_out(struct rm_cross *x, const struct rm_batch *batch)
{
	x->n_responses = x->n_asked = x->Q = x->P = x->most = 0;
	for (size_t i = 0; i < batch->n_leaves; i++)
		if (add_response(x, batch, i) < 0)
			return -1;
	return reserve(x, batch->train);
}

static void copy_text(const struct rm_cross *x, rm_real *to,
		      const struct text *t, const rm_real *from)
{
	memcpy(to + t->row * x->C, from + t->at * x->C,
	       t->n * x->C * sizeof(*to));
}

/* Rows of tokens of those who ask, and of those asked. */
static void gather(const struct rm_cross *x, rm_real *responses,
		   rm_real *prompts, const rm_real *from)
{
	for (size_t i = 0; i < x->n_responses; i++)
		copy_text(x, responses, &x->response[i], from);
	for (size_t i = 0; prompts && i < x->n_asked; i++)
		copy_text(x, prompts, &x->asked[i].prompt, from);
}

static void add_text(const struct rm_cross *x, rm_real *to,
		     const struct text *t, const rm_real *from)
{
	for (size_t i = 0; i < t->n * x->C; i++)
		to[t->at * x->C + i] += from[t->row * x->C + i];
}

/* ---- attention ---- */

static rm_real dot(const rm_real *x, const rm_real *y, size_t n)
{
	rm_vec sum = {0}, a, b;
	rm_real lane[RM_LANES], total;
	size_t i = 0;

	for (; i + RM_LANES <= n; i += RM_LANES) {
		memcpy(&a, x + i, sizeof(a));
		memcpy(&b, y + i, sizeof(b));
		sum += a * b;
	}
	memcpy(lane, &sum, sizeof(lane));
	total = rm_lanes_total(lane);
	for (; i < n; i++)
		total += x[i] * y[i];
	return total;
}

static void add_scaled(rm_real *restrict to, const rm_real *restrict from,
		       rm_real by, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += by * from[i];
}

static rm_real *scratch(const struct rm_cross *x, rm_real *of)
{
	return of + rm_thread_index() * room_of(x);
}

/* s[m] = q k' / sqrt(D) of row i of a response and head h. */
static void scores_of(const struct rm_cross *x, rm_real *s, size_t row,
		      size_t h, const struct text *prompt)
{
	const rm_real *q = x->q + row * x->C + h * x->D;
	const rm_real *k = x->k + prompt->row * x->C + h * x->D;
	rm_real scale = (rm_real)(1 / sqrt((double)x->D));

	for (size_t j = 0; j < prompt->n; j++)
		s[j] = scale * dot(q, k + j * x->C, x->D);
}

/* s[m] = exp(s - by); what fills up the last vector is left as it falls. */
static void exponentials(rm_real *s, size_t m, rm_real by)
{
	rm_wide v;

	for (size_t j = 0; j < m; j += RM_WIDE_LANES) {
		for (size_t l = m; l < j + RM_WIDE_LANES; l++)
			s[l] = by;
		memcpy(&v, s + j, sizeof(v));
		v -= by;
		rm_wide_exp(&v);
		memcpy(s + j, &v, sizeof(v));
	}
}

static void find(const struct rm_cross *x, size_t row, size_t h,
		 const struct text *prompt)
{
	rm_real *s = scratch(x, x->scores), *a = x->a + row * x->C + h * x->D;
	const rm_real *v = x->v + prompt->row * x->C + h * x->D;
	rm_real most;
	double total = 0;

	scores_of(x, s, row, h, prompt);
	most = s[0];
	for (size_t j = 1; j < prompt->n; j++)
		most = RM_MAX(most, s[j]);
	exponentials(s, prompt->n, most);
	memset(a, 0, x->D * sizeof(*a));
	for (size_t j = 0; j < prompt->n; j++) {
		total += (double)s[j];
		add_scaled(a, v + j * x->C, s[j], x->D);
	}
	for (size_t d = 0; d < x->D; d++)
		a[d] /= (rm_real)total;
	x->lse[row * x->H + h] = (rm_real)((double)most + log(total));
}

/* One prompt and one head. */
static void attend(void *arg, size_t i)
{
	const struct rm_cross *x = arg;
	const struct asked *k = &x->asked[i / x->H];

	for (size_t t = k->first; t < k->end; t++)
		for (size_t j = 0; j < x->response[t].n; j++)
			find(x, x->response[t].row + j, i % x->H, &k->prompt);
}

static void find_back(const struct rm_cross *x, size_t row, size_t h,
		      const struct text *prompt)
{
	size_t C = x->C, D = x->D, at = row * C + h * D;
	size_t first = prompt->row * C + h * D;
	rm_real *s = scratch(x, x->scores), *ds = scratch(x, x->slopes);
	rm_real scale = (rm_real)(1 / sqrt((double)D));
	/* The mean of the slopes: sum of s_j da v_j = da a. */
	rm_real mean = dot(x->da + at, x->a + at, D);

	scores_of(x, s, row, h, prompt);
	exponentials(s, prompt->n, x->lse[row * x->H + h]);
	for (size_t j = 0; j < prompt->n; j++)
		ds[j] = scale * s[j] *
			(dot(x->da + at, x->v + first + j * C, D) - mean);
	for (size_t j = 0; j < prompt->n; j++) {
		add_scaled(x->dq + at, x->k + first + j * C, ds[j], D);
		add_scaled(x->dk + first + j * C, x->q + at, ds[j], D);
		add_scaled(x->dv + first + j * C, x->da + at, s[j], D);
	}
}

static void attend_back(void *arg, size_t i)
{
	const struct rm_cross *x = arg;
	const struct asked *k = &x->asked[i / x->H];

	for (size_t t = k->first; t < k->end; t++)
		for (size_t j = 0; j < x->response[t].n; j++)
			find_back(x, x->response[t].row + j, i % x->H,
				  &k->prompt);
}

/* ---- there and back ---- */

static int apply(const struct rm_cross *x, size_t i, rm_real *y,
		 const rm_real *from, size_t rows)
{
	const struct rm_param *p = x->params->param;

	return rm_linear_forward(y, from, p[x->weight[i]].value,
				 p[x->bias[i]].value, rows, x->C, x->C);
}

static int apply_back(const struct rm_cross *x, size_t i, rm_real *dx,
		      const rm_real *dy, const rm_real *from, size_t rows)
{
	const struct rm_param *p = x->params->param;

	return rm_linear_backward(dx, p[x->weight[i]].grad,
				  p[x->bias[i]].grad, dy, from,
				  p[x->weight[i]].value, rows, x->C, x->C);
}

int rm_cross_forward(struct rm_cross *x, const struct rm_batch *batch,
		     const struct rm_hidden *from, struct rm_hidden *to)
{
	if (from->n > 0)
		memcpy(to->value, from->value,
		       from->n * x->C * sizeof(*to->value));
	if (lay_out(x, batch) < 0)
		return -1;
	if (x->Q == 0)
		return 0;
	gather(x, x->x, x->p, from->value);
	if (apply(x, QUERY, x->q, x->x, x->Q) < 0 ||
	    apply(x, KEY, x->k, x->p, x->P) < 0 ||
	    apply(x, VALUE, x->v, x->p, x->P) < 0)
		return -1;
	rm_parallel(x->n_asked * x->H, attend, x);
	if (apply(x, OUT, x->y, x->a, x->Q) < 0)
		return -1;
	for (size_t i = 0; i < x->n_responses; i++)
		add_text(x, to->value, &x->response[i], x->y);
	return 0;
}

static void clear(const struct rm_cross *x)
{
	size_t Q = x->Q * x->C * sizeof(*x->dx);
	size_t P = x->P * x->C * sizeof(*x->dp);

	memset(x->dx, 0, Q);
	memset(x->dq, 0, Q);
	memset(x->da, 0, Q);
	memset(x->dp, 0, P);
	memset(x->dk, 0, P);
	memset(x->dv, 0, P);
}

int rm_cross_backward(struct rm_cross *x, struct rm_hidden *from,
		      const struct rm_hidden *to)
{
	for (size_t i = 0; i < from->n * x->C; i++)
		from->grad[i] += to->grad[i];
	if (x->Q == 0)
		return 0;
	clear(x);
	/* The gradient of y in y's place. */
	gather(x, x->y, NULL, to->grad);
	if (apply_back(x, OUT, x->da, x->y, x->a, x->Q) < 0)
		return -1;
	rm_parallel(x->n_asked * x->H, attend_back, x);
	if (apply_back(x, QUERY, x->dx, x->dq, x->x, x->Q) < 0 ||
	    apply_back(x, KEY, x->dp, x->dk, x->p, x->P) < 0 ||
	    apply_back(x, VALUE, x->dp, x->dv, x->p, x->P) < 0)
		return -1;
	for (size_t i = 0; i < x->n_responses; i++)
		add_text(x, from->grad, &x->response[i], x->dx);
	for (size_t i = 0; i < x->n_asked; i++)
		add_text(x, from->grad, &x->asked[i].prompt, x->dp);
	return 0;
}
