/*
 * Heads of several objectives o = W x + b:
 *
 *	multi	r = v o + c, a layer that fuses them
 *	gated	r = sum of g_k o_k, g = softmax(w2 f(w1 p + b1) + b2)
 *
 * x being the row after dropout, p what is behind it in the row: the prompt.
 * m objectives.
 */
#include "head/kind.h"

struct multi {
	struct rm_affine objectives, fusion;
	struct rm_dense dense;		/* of the gate */
	struct rm_input in;
	/* [n, m] objectives, their gradient; of gated, the gate's weights and
	 * what the softmax reads; [n, part] and [n, gate] of the row; and
	 * gradients of all. */
	rm_real *o, *d_o, *r, *g, *l, *dg, *dl, *x, *dx, *p, *dp;
	rm_real *block;
	size_t cap;
};

static rm_real *take(rm_real **at, size_t n)
{
	rm_real *x = *at;

	*at += n;
	return x;
}

static int reserve(struct multi *m, const struct rm_head *h, size_t n)
{
	size_t M = h->columns - 1;
	rm_real *at;

	if (rm_grow(&m->block, &m->cap, n * (6 * M + 1 + 2 * h->dim),
		    sizeof(*m->block)) < 0)
		return -1;
	at = m->block;
	m->o = take(&at, n * M);
	m->r = take(&at, n);
	m->g = take(&at, n * M);
	m->l = take(&at, n * M);
	m->x = take(&at, n * h->part);
	m->p = take(&at, n * h->gate);
	m->d_o = take(&at, n * M);
	m->dg = take(&at, n * M);
	m->dl = take(&at, n * M);
	m->dx = take(&at, n * h->part);
	m->dp = take(&at, n * h->gate);
	memset(m->d_o, 0, (size_t)(at - m->d_o) * sizeof(*at));
	return 0;
}

/* r[n] and o[n, m] side by side. */
static void put_scores(const struct rm_head *h, size_t n)
{
	const struct multi *m = h->self;
	size_t K = h->columns, M = K - 1;

	for (size_t i = 0; i < n; i++) {
		h->scores[i * K] = m->r[i];
		memcpy(h->scores + i * K + 1, m->o + i * M,
		       M * sizeof(*m->o));
	}
}

/* d_o += what is said of the objectives themselves. */
static void take_slopes(const struct rm_head *h, const rm_real *dscores,
			size_t n)
{
	const struct multi *m = h->self;
	size_t K = h->columns, M = K - 1;

	for (size_t i = 0; i < n; i++) {
		m->r[i] = dscores[i * K];
		for (size_t k = 0; k < M; k++)
			m->d_o[i * M + k] += dscores[i * K + 1 + k];
	}
}

static int init_objectives(struct rm_head *h)
{
	struct multi *m = rm_calloc(1, sizeof(*m));

	h->self = m;
	if (!m || rm_head_name_columns(h, &h->o.objectives) < 0)
		return -1;
	return rm_affine_init(&m->objectives, h, "score.objectives", h->part,
			      h->columns - 1, RM_INIT_SIGN,
			      1 / sqrt((double)h->part));
}

static void multi_fini(struct rm_head *h)
{
	struct multi *m = h->self;

	if (m) {
		rm_dense_fini(&m->dense);
		rm_input_fini(&m->in);
		free(m->block);
	}
	free(m);
}

/* ---- multi ---- */

/* It begins with the objectives' mean. */
static int multi_init(struct rm_head *h)
{
	struct multi *m;

	if (init_objectives(h) < 0)
		return -1;
	m = h->self;
	return rm_affine_init(&m->fusion, h, "score.fusion", h->columns - 1,
			      1, RM_INIT_CONSTANT,
			      1 / (double)(h->columns - 1));
}

static int multi_forward(struct rm_head *h, const struct rm_batch *batch,
			 const struct rm_hidden *hidden)
{
	struct multi *m = h->self;
	size_t n = hidden->n;

	if (reserve(m, h, n) < 0 ||
	    rm_input_forward(&m->in, h, batch, hidden) < 0 ||
	    rm_affine_forward(&m->objectives, h, m->o, m->in.x, n) < 0 ||
	    rm_affine_forward(&m->fusion, h, m->r, m->o, n) < 0)
		return -1;
	put_scores(h, n);
	return 0;
}

static int multi_backward(struct rm_head *h, const struct rm_batch *batch,
			  struct rm_hidden *hidden, const rm_real *dscores)
{
	struct multi *m = h->self;
	size_t n = hidden->n;

	take_slopes(h, dscores, n);
	if (rm_affine_backward(&m->fusion, h, m->d_o, m->r, m->o, n) < 0 ||
	    rm_affine_backward(&m->objectives, h, m->in.dx, m->d_o, m->in.x,
			       n) < 0)
		return -1;
	rm_input_backward(&m->in, h, batch, hidden);
	return 0;
}

static const struct rm_key multi_keys[] = {
	RM_HEAD_OBJECTIVES, RM_HEAD_DROPOUT, RM_HEAD_KEYS
};

const struct rm_head_kind rm_head_multi = {
	.spec = { "multi", "a linear layer for each objective and one that "
		  "fuses them: o = W x + b, r = v o + c; for --loss "
		  "multitask", multi_keys, false },
	.init = multi_init,
	.forward = multi_forward,
	.backward = multi_backward,
	.fini = multi_fini
};

/* ---- gated ---- */

static int gated_init(struct rm_head *h)
{
	struct multi *m;
	size_t H = h->o.hidden;

	if (init_objectives(h) < 0)
		return -1;
	m = h->self;
	if (rm_dense_init(&m->dense, h, "score.gate.dense", h->gate, H) < 0)
		return -1;
	return rm_affine_init(&m->fusion, h, "score.gate.out", H,
			      h->columns - 1, RM_INIT_NORMAL,
			      sqrt(1 / (double)H));
}

/* Rows of a and of b, which stand side by side in rows of `all`. */
static void split(rm_real *a, size_t A, rm_real *b, size_t B,
		  const rm_real *all, size_t n)
{
	for (size_t i = 0; i < n; i++, all += A + B) {
		memcpy(a + i * A, all, A * sizeof(*a));
		memcpy(b + i * B, all + A, B * sizeof(*b));
	}
}

static void add_beside(rm_real *all, const rm_real *a, size_t A,
		       const rm_real *b, size_t B, size_t n)
{
	for (size_t i = 0; i < n; i++, all += A + B) {
		for (size_t c = 0; c < A; c++)
			all[c] += a[i * A + c];
		for (size_t c = 0; c < B; c++)
			all[A + c] += b[i * B + c];
	}
}

static int gated_forward(struct rm_head *h, const struct rm_batch *batch,
			 const struct rm_hidden *hidden)
{
	struct multi *m = h->self;
	size_t n = hidden->n, M = h->columns - 1;

	if (reserve(m, h, n) < 0 ||
	    rm_input_forward(&m->in, h, batch, hidden) < 0)
		return -1;
	split(m->x, h->part, m->p, h->gate, m->in.x, n);
	if (rm_affine_forward(&m->objectives, h, m->o, m->x, n) < 0 ||
	    rm_dense_forward(&m->dense, h, batch, m->p, n) < 0 ||
	    rm_affine_forward(&m->fusion, h, m->l, m->dense.a, n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		double sum = 0;

		rm_softmax_forward(m->g + i * M, m->l + i * M, M);
		for (size_t k = i * M; k < (i + 1) * M; k++)
			sum += (double)m->g[k] * (double)m->o[k];
		m->r[i] = (rm_real)sum;
	}
	put_scores(h, n);
	return 0;
}

/* r = sum of g_k o_k: do_k += dr g_k, dg_k = dr o_k */
static int gated_backward(struct rm_head *h, const struct rm_batch *batch,
			  struct rm_hidden *hidden, const rm_real *dscores)
{
	struct multi *m = h->self;
	size_t n = hidden->n, M = h->columns - 1;

	take_slopes(h, dscores, n);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i * M; k < (i + 1) * M; k++) {
			m->d_o[k] += m->r[i] * m->g[k];
			m->dg[k] = m->r[i] * m->o[k];
		}
		rm_softmax_backward(m->dl + i * M, m->dg + i * M,
				    m->g + i * M, M);
	}
	if (rm_affine_backward(&m->objectives, h, m->dx, m->d_o, m->x,
			       n) < 0 ||
	    rm_affine_backward(&m->fusion, h, m->dense.da, m->dl, m->dense.a,
			       n) < 0 ||
	    rm_dense_backward(&m->dense, h, batch, m->dp, m->p, n) < 0)
		return -1;
	add_beside(m->in.dx, m->dx, h->part, m->dp, h->gate, n);
	rm_input_backward(&m->in, h, batch, hidden);
	return 0;
}

static const struct rm_key gated_keys[] = {
	RM_HEAD_OBJECTIVES,
	RM_HEAD_HIDDEN("width of the gate's hidden layer"),
	RM_HEAD_DROPOUT, RM_HEAD_KEYS
};

const struct rm_head_kind rm_head_gated = {
	.spec = { "gated", "objectives weighted by what the prompt asks for: "
		  "o = W x + b, r = g o, g = softmax(w2 f(w1 p + b1) + b2), p "
		  "the hidden row of the prompt's last token (concat) or of "
		  "the prompt encoded alone (Wang et al. 2024, ArmoRM); for "
		  "--loss multitask", gated_keys, false },
	.gate = true,
	.init = gated_init,
	.forward = gated_forward,
	.backward = gated_backward,
	.fini = multi_fini
};
