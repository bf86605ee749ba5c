/*
 * Attention of the last layer where of each text a row or two are asked for,
 * as pooling by the first or the last token does.
 *
 * With h_j the rows that attention reads, q . (Wk h_j + bk) is (Wk' q) . h_j
 * and a number that is the same for all j, which softmax does not see; and
 * sum_j p_j (Wv h_j + bv) is Wv (sum_j p_j h_j) + bv.  So no keys and values
 * are made of T rows: a row that asks meets the matrices once a head, as
 *
 *	u = Wk' q	p = softmax(scale u . h_j)	z = sum_j p_j h_j
 *	y = Wv z + bv
 *
 * and on the way back as
 *
 *	dz = Wv' dy	ds_j = scale p_j (dz . h_j - sum_k p_k dz . h_k)
 *	du = sum_j ds_j h_j	dh_j = sum over heads of ds_j u + p_j dz
 *	dq = Wk du	dWk = q du'	dWv = dy z'
 *
 * Heads of q, and of dy, stand one a row among zeros, so that products are
 * those of all other layers.  A text's numbers come from its own rows, in
 * their order: they have the same bits in any batch.
 *
 * R rows that ask, H heads of D numbers each.
 */
#include "backbone/transformer.h"
#include "vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDE ((size_t)RM_WIDE_LANES)
/* Rows of u that meet a row of h at once; channels whose sums are held. */
#define HEADS ((size_t)4)
#define HELD (4 * WIDE)
/* Rows that ask at once in scoring, so that short texts take no more memory. */
#define AT_ONCE ((size_t)32)

bool rm_last_fits(const struct rm_transformer *t)
{
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = &t->layer[a->layers - 1];

	return !a->causal && a->rope.theta <= 0 && a->span == 0 &&
		!(a->softcap > 0) && a->kv_heads == a->heads &&
		!(a->window && a->sliding[a->layers - 1]) &&
		l->weight[RM_Q] >= 0 && l->weight[RM_K] >= 0 &&
		l->weight[RM_V] >= 0 && l->weight[RM_Q_NORM] < 0;
}

bool rm_last_takes(const struct rm_run *r, size_t i)
{
	return i + 1 == r->p->t->arch.layers && r->n_pick &&
		r->p->t->layer[i].key.parts &&
		rm_transformer_dropout(r->p, i, RM_DROP_ATTENTION).p <= 0;
}

/* ---- memory ---- */

static rm_real *take(rm_real **at, size_t n)
{
	rm_real *x = *at;

	*at += (n + 15) / 16 * 16;
	return x;
}

static size_t rounded(size_t n)
{
	return (n + WIDE - 1) / WIDE * WIDE;
}

/* Whom each row that asks sees; numbers that all their weights are. */
static size_t find_texts(const struct rm_run *r, struct rm_asking *asking)
{
	const struct rm_attention_text *text = r->s->text;
	size_t all = 0;

	for (size_t k = 0; k < r->s->last.n; k++) {
		while (r->s->pick[r->s->last.first + k] >= text->row + text->n)
			text++;
		asking[k] = (struct rm_asking){
			.row = text->row, .n = text->n, .weights = all
		};
		all += rounded(text->n) * r->p->t->arch.heads;
	}
	return all;
}

static int lay_out(const struct rm_run *r)
{
	const struct rm_arch *a = &r->p->t->arch;
	struct rm_last *x = &r->s->last;
	size_t R = x->n, RH = R * a->heads, C = a->hidden;
	size_t HD = a->heads * a->head_dim, weights, size;
	rm_real *at;

	if (rm_grow(&x->asking, &x->cap_asking, R, sizeof(*x->asking)) < 0)
		return -1;
	weights = find_texts(r, x->asking);
	size = 2 * R * (C + HD) + RH * (4 * C + 2 * HD) + 2 * weights +
		12 * 16;
	if (rm_grow(&x->space, &x->cap_space, size, sizeof(*x->space)) < 0)
		return -1;
	at = x->space;
	x->h = take(&at, R * C);
	x->q = take(&at, R * HD);
	x->dh = take(&at, R * C);
	x->dq = take(&at, R * HD);
	x->spread = take(&at, RH * HD);
	x->u = take(&at, RH * C);
	x->z = take(&at, RH * C);
	x->side = take(&at, RH * HD);
	x->du = take(&at, RH * C);
	x->dz = take(&at, RH * C);
	x->p = take(&at, weights);
	x->ds = take(&at, weights);
	return 0;
}

/* ---- heads among zeros ---- */

/* to[R H, H D]: row (k, h) is head h of row k of from[R, H D] by `by`. */
static void spread(const struct rm_run *r, rm_real *to, const rm_real *from,
		   rm_real by)
{
	size_t H = r->p->t->arch.heads, D = r->p->t->arch.head_dim;

	memset(to, 0, r->s->last.n * H * H * D * sizeof(*to));
	for (size_t k = 0; k < r->s->last.n * H; k++)
		for (size_t d = 0, at = k % H * D; d < D; d++)
			to[k * H * D + at + d] = by * from[k * D + d];
}

/* to[R, H D] = the heads of from[R H, H D] that stand in their places. */
static void collect(const struct rm_run *r, rm_real *to, const rm_real *from,
		    rm_real by)
{
	size_t H = r->p->t->arch.heads, D = r->p->t->arch.head_dim;

	for (size_t k = 0; k < r->s->last.n * H; k++)
		for (size_t d = 0, at = k % H * D; d < D; d++)
			to[k * D + d] = by * from[k * H * D + at + d];
}

/* ---- rows that ask, and the rows of their texts ---- */

struct meeting {
	const struct rm_last *x;
	const rm_real *h;		/* [T, C] */
	size_t H, C;
	rm_real *dh;			/* [T, C] */
	bool add;
};

/* s[i ld] = u[i C ...] . x for n <= HEADS rows of u */
RM_INLINE void dots(rm_real *s, size_t ld, const rm_real *u, size_t C,
		    const size_t n, const rm_real *x)
{
	rm_wide sum[HEADS] = {0};
	size_t c = 0;

	for (; c + WIDE <= C; c += WIDE) {
		rm_wide v, w;

		memcpy(&v, x + c, sizeof(v));
		for (size_t i = 0; i < n; i++) {
			memcpy(&w, u + i * C + c, sizeof(w));
			sum[i] += v * w;
		}
	}
	for (size_t i = 0; i < n; i++) {
		rm_real lane[WIDE], all;

		memcpy(lane, &sum[i], sizeof(lane));
		all = rm_lanes_total(lane) + rm_lanes_total(lane + RM_LANES);
		for (size_t k = c; k < C; k++)
			all += u[i * C + k] * x[k];
		s[i * ld] = all;
	}
}

/* s[H, ld] = u[H, C] with each of n rows of h */
RM_INLINE void all_dots(rm_real *s, size_t ld, const rm_real *u,
			const struct meeting *m, const rm_real *h, size_t n)
{
	for (size_t j = 0; j < n; j++) {
		const rm_real *x = h + j * m->C;
		size_t i = 0;

		for (; i + HEADS <= m->H; i += HEADS)
			dots(s + i * ld + j, ld, u + i * m->C, m->C, HEADS,
			     x);
		for (; i < m->H; i++)
			dots(s + i * ld + j, ld, u + i * m->C, m->C, 1, x);
	}
}

/* z[C] = the sum of n rows of h by their weights. */
RM_INLINE void weigh(rm_real *restrict z, const rm_real *weights,
		     const rm_real *restrict h, size_t n, size_t C)
{
	memset(z, 0, C * sizeof(*z));
	for (size_t j = 0; j < n; j++) {
		const rm_real w = weights[j], *x = h + j * C;

		for (size_t c = 0; c < C; c++)
			z[c] += w * x[c];
	}
}

/* n scores, ld with what fills them up, into weights. */
RM_INLINE void soften(rm_real *s, size_t n, size_t ld)
{
	rm_real lane[WIDE], most = s[0], by;
	rm_wide x, sum = {0};

	for (size_t j = 1; j < n; j++)
		most = s[j] > most ? s[j] : most;
	for (size_t j = n; j < ld; j++)
		s[j] = -INFINITY;
	for (size_t j = 0; j < ld; j += WIDE) {
		memcpy(&x, s + j, sizeof(x));
		x -= most;
		rm_wide_exp(&x);
		sum += x;
		memcpy(s + j, &x, sizeof(x));
	}
	memcpy(lane, &sum, sizeof(lane));
	by = 1 / (rm_lanes_total(lane) + rm_lanes_total(lane + RM_LANES));
	for (size_t j = 0; j < ld; j++)
		s[j] *= by;
}

RM_VECTOR_FMA
static void meet(void *arg, size_t k)
{
	const struct meeting *m = arg;
	const struct rm_asking *a = &m->x->asking[k];
	size_t ld = rounded(a->n), at = k * m->H * m->C;
	const rm_real *h = m->h + a->row * m->C;
	rm_real *p = m->x->p + a->weights;

	all_dots(p, ld, m->x->u + at, m, h, a->n);
	for (size_t i = 0; i < m->H; i++) {
		soften(p + i * ld, a->n, ld);
		weigh(m->x->z + at + i * m->C, p + i * ld, h, a->n, m->C);
	}
}

/* dh_j of one row: what all heads of one that asks say of it. */
RM_INLINE void row_back(rm_real *dh, const struct meeting *m, size_t at,
			const rm_real *p, const rm_real *ds, size_t ld)
{
	const rm_real *u = m->x->u + at, *dz = m->x->dz + at;
	size_t c = 0;

	for (; c + HELD <= m->C; c += HELD) {
		rm_wide sum[4], v;

		memcpy(sum, dh + c, sizeof(sum));
		for (size_t i = 0; i < m->H; i++)
			for (size_t k = 0; k < 4; k++) {
				size_t from = i * m->C + c + k * WIDE;

				memcpy(&v, u + from, sizeof(v));
				sum[k] += ds[i * ld] * v;
				memcpy(&v, dz + from, sizeof(v));
				sum[k] += p[i * ld] * v;
			}
		memcpy(dh + c, sum, sizeof(sum));
	}
	for (; c < m->C; c++)
		for (size_t i = 0; i < m->H; i++)
			dh[c] += ds[i * ld] * u[i * m->C + c] +
				p[i * ld] * dz[i * m->C + c];
}

RM_VECTOR_FMA
static void meet_back(void *arg, size_t k)
{
	const struct meeting *m = arg;
	const struct rm_asking *a = &m->x->asking[k];
	size_t ld = rounded(a->n), at = k * m->H * m->C;
	const rm_real *h = m->h + a->row * m->C;
	const rm_real *p = m->x->p + a->weights;
	rm_real *ds = m->x->ds + a->weights;

	all_dots(ds, ld, m->x->dz + at, m, h, a->n);
	for (size_t i = 0; i < m->H; i++) {
		const rm_real *w = p + i * ld;
		rm_real *d = ds + i * ld;
		double sum = 0;

		for (size_t j = 0; j < a->n; j++)
			sum += (double)(w[j] * d[j]);
		for (size_t j = 0; j < a->n; j++)
			d[j] = w[j] * (d[j] - (rm_real)sum);
		weigh(m->x->du + at + i * m->C, d, h, a->n, m->C);
	}
}

/* Texts are asked by neighbours in the order of rows: each has one thread. */
RM_VECTOR_FMA
static void rows_back(void *arg, size_t k)
{
	const struct meeting *m = arg;
	const struct rm_asking *a = &m->x->asking[k];

	if (k && a[-1].row == a->row)
		return;
	for (size_t j = 0; j < a->n; j++)
		for (size_t i = 0; k + i < m->x->n && a[i].row == a->row; i++)
			row_back(m->dh + (a->row + j) * m->C, m,
				 (k + i) * m->H * m->C,
				 m->x->p + a[i].weights + j,
				 m->x->ds + a[i].weights + j, rounded(a->n));
}

/* ---- both ways ---- */

/* Rows [first, first + n) of those that ask; y[n, H D]. */
static int forward_some(struct rm_run *r, const rm_real *h, size_t first,
			size_t n, rm_real *y)
{
	const struct rm_arch *a = &r->p->t->arch;
	const struct rm_layer *l = &r->p->t->layer[a->layers - 1];
	struct rm_attention how = rm_transformer_attention(r, a->layers - 1);
	struct rm_last *x = &r->s->last;
	size_t RH = n * a->heads, HD = a->heads * a->head_dim;
	struct meeting m = { .x = x, .h = h, .H = a->heads, .C = a->hidden };

	x->first = first;
	x->n = n;
	if (lay_out(r) < 0)
		return -1;
	for (size_t k = 0; k < n; k++)
		memcpy(x->h + k * a->hidden, h + r->s->pick[first + k] *
		       a->hidden, a->hidden * sizeof(*h));
	if (rm_gemm_packed(n, x->h, l->query.along, x->q, false) < 0)
		return -1;
	rm_bias_activation_forward(x->q, x->q, l->query.all_bias, NULL, n,
				   HD);
	spread(r, x->spread, x->q, how.scale);
	if (rm_gemm_packed(RH, x->spread, l->key.back, x->u, false) < 0)
		return -1;
	rm_parallel(n, meet, &m);
	if (rm_gemm_packed(RH, x->z, l->value.along, x->side, false) < 0)
		return -1;
	collect(r, y, x->side, 1);
	rm_bias_activation_forward(y, y, l->value.all_bias, NULL, n, HD);
	return 0;
}

int rm_last_forward(struct rm_run *r, const rm_real *h)
{
	const struct rm_arch *a = &r->p->t->arch;
	size_t HD = a->heads * a->head_dim, n;

	/* The way back needs what all of them leave. */
	for (size_t k = 0; k < r->n_pick; k += n) {
		n = r->n_pick - k;
		if (!r->s->train)
			n = RM_MIN(n, AT_ONCE);
		if (forward_some(r, h, k, n, r->s->pa + k * HD) < 0)
			return -1;
	}
	return 0;
}

int rm_last_backward(struct rm_run *r, const rm_real *dy, const rm_real *h,
		     rm_real *dh)
{
	const struct rm_arch *a = &r->p->t->arch;
	const struct rm_layer *l = &r->p->t->layer[a->layers - 1];
	struct rm_attention how = rm_transformer_attention(r, a->layers - 1);
	struct rm_last *x = &r->s->last;
	size_t R = r->n_pick, RH = R * a->heads;
	struct meeting m = { .x = x, .h = h, .H = a->heads, .C = a->hidden,
			     .dh = dh };

	rm_product_bias_back(r, &l->value, dy, R);
	spread(r, x->side, dy, 1);
	if (rm_product_back(r, &l->value, x->side, x->z, RH, x->dz,
			    false) < 0)
		return -1;
	rm_parallel(R, meet_back, &m);
	rm_parallel(R, rows_back, &m);
	/* u = Wk' q: what is the product's input elsewhere is its dy here. */
	if (rm_product_back(r, &l->key, x->spread, x->du, RH, NULL,
			    false) < 0 ||
	    rm_gemm_packed(RH, x->du, l->key.along, x->side, false) < 0)
		return -1;
	collect(r, x->dq, x->side, how.scale);
	rm_product_bias_back(r, &l->query, x->dq, R);
	if (rm_product_back(r, &l->query, x->dq, x->h, R, x->dh, false) < 0)
		return -1;
	for (size_t k = 0; k < R; k++)
		for (size_t c = 0; c < a->hidden; c++)
			dh[r->s->pick[k] * a->hidden + c] +=
				x->dh[k * a->hidden + c];
	return 0;
}

void rm_last_fini(struct rm_last *x)
{
	free(x->asking);
	free(x->space);
}
