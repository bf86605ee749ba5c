/*
 * Several rows of tokens into one.
 *
 * A unit's sums run over its tokens in order, whatever stands beside it in
 * the batch; on the way back units follow each other, since those of one
 * prompt share its rows.
 */
#include "encoder/internal.h"

#include <math.h>
#include <string.h>

size_t rm_pool_last(const struct rm_batch *batch, const struct rm_span *s,
		    int32_t pad)
{
	for (size_t i = rm_span_size(s); i-- > 0;)
		if (pad < 0 || batch->ids[rm_span_token(s, i)] != pad)
			return rm_span_token(s, i);
	return rm_span_token(s, 0);
}

struct pooling {
	struct rm_encoder *e;
	const struct rm_batch *batch;
	const struct rm_hidden *tokens;
};

/* Columns that are summed at once. */
#define COLUMNS ((size_t)64)

/* y[C] = the sum of weight[i] times the row of token i; NULL: all alike. */
static void weighted(rm_real *y, const struct rm_span *s, const rm_real *x,
		     const rm_real *weight, size_t C)
{
	size_t n = rm_span_size(s);

	for (size_t c = 0; c < C; c += COLUMNS) {
		size_t m = RM_MIN(COLUMNS, C - c);
		double sum[COLUMNS] = {0};

		for (size_t i = 0; i < n; i++) {
			const rm_real *row = x + rm_span_token(s, i) * C + c;
			double by = weight ? (double)weight[i] : 1;

			for (size_t k = 0; k < m; k++)
				sum[k] += by * (double)row[k];
		}
		for (size_t k = 0; k < m; k++)
			y[c + k] = (rm_real)(weight ? sum[k] :
					     sum[k] / (double)n);
	}
}

static void maximum(rm_real *y, uint32_t *most, const struct rm_span *s,
		    const rm_real *x, size_t C)
{
	size_t first = rm_span_token(s, 0);

	memcpy(y, x + first * C, C * sizeof(*y));
	for (size_t c = 0; c < C; c++)
		most[c] = (uint32_t)first;
	for (size_t i = 1; i < rm_span_size(s); i++) {
		size_t token = rm_span_token(s, i);
		const rm_real *row = x + token * C;

		for (size_t c = 0; c < C; c++)
			if (row[c] > y[c]) {
				y[c] = row[c];
				most[c] = (uint32_t)token;
			}
	}
}

static double dot(const rm_real *x, const rm_real *y, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * (double)y[i];
	return sum;
}

/* a[n] = softmax of q x over the tokens of a span. */
static void attend(rm_real *a, const struct rm_span *s, const rm_real *x,
		   const rm_real *q, size_t C)
{
	size_t n = rm_span_size(s);
	double most = -INFINITY, total = 0;

	for (size_t i = 0; i < n; i++) {
		a[i] = (rm_real)dot(x + rm_span_token(s, i) * C, q, C);
		most = fmax(most, (double)a[i]);
	}
	for (size_t i = 0; i < n; i++)
		total += exp((double)a[i] - most);
	for (size_t i = 0; i < n; i++)
		a[i] = (rm_real)(exp((double)a[i] - most) / total);
}

static void pool_unit(void *arg, size_t i)
{
	const struct pooling *p = arg;
	struct rm_encoder_work *w = p->e->work;
	const struct rm_unit *u = &w->unit[i];
	size_t C = p->e->backbone->dim;
	const rm_real *x = p->tokens->value;
	rm_real *y = w->pooled.value + i * C;

	if (u->row == RM_NO_ROW)
		return;
	switch (w->pool) {
	case RM_POOL_FIRST:
		memcpy(y, x + rm_span_token(&u->span, 0) * C, C * sizeof(*y));
		break;
	case RM_POOL_LAST:
		memcpy(y, x + rm_pool_last(p->batch, &u->span,
					   p->e->backbone->pad) * C,
		       C * sizeof(*y));
		break;
	case RM_POOL_MEAN:
		weighted(y, &u->span, x, NULL, C);
		break;
	case RM_POOL_MAX:
		maximum(y, w->most + i * C, &u->span, x, C);
		break;
	case RM_POOL_ATTENTION:
		attend(w->weight + u->weight, &u->span, x,
		       p->e->params->param[w->query].value, C);
		weighted(y, &u->span, x, w->weight + u->weight, C);
		break;
	}
}

int rm_pool_forward(struct rm_encoder *e, const struct rm_batch *batch,
		    const struct rm_hidden *tokens)
{
	struct rm_encoder_work *w = e->work;
	struct pooling p = { e, batch, tokens };
	size_t C = e->backbone->dim;

	if (w->pool == RM_POOL_MAX &&
	    rm_grow(&w->most, &w->cap_most, w->n_units * C,
		    sizeof(*w->most)) < 0)
		return -1;
	if (w->pool == RM_POOL_ATTENTION &&
	    rm_grow(&w->weight, &w->cap_weight, w->n_weights,
		    sizeof(*w->weight)) < 0)
		return -1;
	rm_parallel(w->n_units, pool_unit, &p);
	return 0;
}

/* ---- back ---- */

static void add_scaled(rm_real *to, const rm_real *from, rm_real by, size_t C)
{
	for (size_t c = 0; c < C; c++)
		to[c] += by * from[c];
}

/* y = sum of a_i x_i, a = softmax(q x): dx and dq from dy. */
static void attend_back(const struct rm_encoder *e, const struct rm_unit *u,
			const rm_real *dy, struct rm_hidden *tokens)
{
	const struct rm_param *q = &e->params->param[e->work->query];
	const rm_real *a = e->work->weight + u->weight;
	size_t C = e->backbone->dim, n = rm_span_size(&u->span);
	double mean = 0;

	/* da_i = dy x_i; what a softmax gives back is a_i (da_i - mean) */
	for (size_t i = 0; i < n; i++)
		mean += (double)a[i] * dot(dy, tokens->value +
			rm_span_token(&u->span, i) * C, C);
	for (size_t i = 0; i < n; i++) {
		size_t token = rm_span_token(&u->span, i);
		const rm_real *x = tokens->value + token * C;
		rm_real dl = (rm_real)((double)a[i] * (dot(dy, x, C) - mean));

		add_scaled(tokens->grad + token * C, dy, a[i], C);
		add_scaled(tokens->grad + token * C, q->value, dl, C);
		if (q->grad)
			add_scaled(q->grad, x, dl, C);
	}
}

static void unit_back(const struct rm_encoder *e,
		      const struct rm_batch *batch, size_t i,
		      struct rm_hidden *tokens)
{
	const struct rm_encoder_work *w = e->work;
	const struct rm_unit *u = &w->unit[i];
	size_t C = e->backbone->dim, n = rm_span_size(&u->span);
	const rm_real *dy = w->pooled.grad + i * C;
	rm_real *dx = tokens->grad;

	switch (w->pool) {
	case RM_POOL_FIRST:
		add_scaled(dx + rm_span_token(&u->span, 0) * C, dy, 1, C);
		break;
	case RM_POOL_LAST:
		add_scaled(dx + rm_pool_last(batch, &u->span,
					     e->backbone->pad) * C, dy, 1, C);
		break;
	case RM_POOL_MEAN:
		for (size_t k = 0; k < n; k++)
			add_scaled(dx + rm_span_token(&u->span, k) * C, dy,
				   1 / (rm_real)n, C);
		break;
	case RM_POOL_MAX:
		for (size_t c = 0; c < C; c++)
			dx[w->most[i * C + c] * C + c] += dy[c];
		break;
	case RM_POOL_ATTENTION:
		attend_back(e, u, dy, tokens);
		break;
	}
}

void rm_pool_backward(struct rm_encoder *e, const struct rm_batch *batch,
		      struct rm_hidden *tokens)
{
	for (size_t i = 0; i < e->work->n_units; i++)
		if (e->work->unit[i].row != RM_NO_ROW)
			unit_back(e, batch, i, tokens);
}
