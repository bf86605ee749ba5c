/* Multiplications and additions in one instruction, where there is one. */
#pragma GCC optimize("fp-contract=fast")

#include "attention.h"
#include "op.h"
#include "vector.h"

#include <stdlib.h>
#include <string.h>

/* Queries and keys of a block, rows of a small product, numbers a vector. */
#define BLOCK ((size_t)64)
#define ROWS ((size_t)4)
#define LANES ((size_t)RM_LANES)
#define WIDE (2 * LANES)
/* Distances i - j within a pair of blocks, and one. */
#define SPREAD (2 * BLOCK)

/* What a thread computes in; [BLOCK] is one block of queries or keys. */
struct scratch {
	rm_real *q;		/* [BLOCK, D] */
	rm_real *kt;		/* [D, BLOCK] keys, turned */
	rm_real *v;		/* [BLOCK, W], W: D rounded up to WIDE */
	rm_real *o;		/* [BLOCK, W] sums so far */
	rm_real *p;		/* [ROWS, BLOCK] scores, then weights */
	rm_real *k;		/* [BLOCK, D] keys, for pos_query */
	rm_real *pos;		/* [D, SPREAD] rows of positions, turned */
	rm_real *c2p, *p2c;	/* [BLOCK, SPREAD] by distance */
	rm_real max[BLOCK], sum[BLOCK];
};

struct call {
	rm_real *y;
	size_t ldy;
	struct rm_heads q, k, v;
	const struct rm_attention *a;
	const struct rm_attention_text *text;
	const struct rm_activation *tanh;
	size_t W;
	rm_real *space;
	size_t per_thread;
};

static bool by_position(const struct rm_attention *a)
{
	return a->pos_key.data || a->pos_query.data;
}

/* Where keys stand: position j of a text as a row. */
static size_t key_row(const struct rm_attention_text *t, size_t j)
{
	return j < t->n_before ? t->before_row + j : t->row + j - t->n_before;
}

/* ---- small products ---- */

/*
 * y[ROWS, n] = x[ROWS, D] kt[D, ld], n a multiple of WIDE; each number is
 * summed over D in order.
 */
RM_INLINE void scores(rm_real *y, size_t ldy, const rm_real *x, size_t D,
		   const rm_real *kt, size_t ld, size_t n)
{
	for (size_t c = 0; c < n; c += WIDE) {
		rm_vec s[ROWS][2] = {0};

		for (size_t d = 0; d < D; d++) {
			rm_vec a, b;

			memcpy(&a, kt + d * ld + c, sizeof(a));
			memcpy(&b, kt + d * ld + c + LANES, sizeof(b));
			for (size_t r = 0; r < ROWS; r++) {
				s[r][0] += x[r * D + d] * a;
				s[r][1] += x[r * D + d] * b;
			}
		}
		for (size_t r = 0; r < ROWS; r++)
			memcpy(y + r * ldy + c, s[r], sizeof(s[r]));
	}
}

/* o[ROWS, W] += p[ROWS, BLOCK] v[n, W]; over keys in order. */
RM_INLINE void add_values(rm_real *o, const rm_real *p, const rm_real *v,
		       size_t W, size_t n)
{
	for (size_t c = 0; c < W; c += WIDE) {
		rm_vec s[ROWS][2];

		for (size_t r = 0; r < ROWS; r++)
			memcpy(s[r], o + r * W + c, sizeof(s[r]));
		for (size_t j = 0; j < n; j++) {
			rm_vec a, b;

			memcpy(&a, v + j * W + c, sizeof(a));
			memcpy(&b, v + j * W + c + LANES, sizeof(b));
			for (size_t r = 0; r < ROWS; r++) {
				s[r][0] += p[r * BLOCK + j] * a;
				s[r][1] += p[r * BLOCK + j] * b;
			}
		}
		for (size_t r = 0; r < ROWS; r++)
			memcpy(o + r * W + c, s[r], sizeof(s[r]));
	}
}

/* ---- softmax, carried along ---- */

/* The greatest of a vector's numbers. */
RM_INLINE rm_real greatest(const rm_real *lane)
{
	rm_real most = lane[0];

	for (size_t j = 1; j < LANES; j++)
		most = lane[j] > most ? lane[j] : most;
	return most;
}

/*
 * n scores of a row into weights exp(s - max), 0 where s is -inf; sums and
 * o[W], which stand for an earlier maximum, are brought to the new one.
 */
RM_INLINE void soften(rm_real *s, size_t n, rm_real *max, rm_real *sum,
		   rm_real *o, size_t W)
{
	rm_real lane[LANES], most, by;
	rm_vec x, all;

	memcpy(&all, s, sizeof(all));
	for (size_t i = LANES; i < n; i += LANES) {
		memcpy(&x, s + i, sizeof(x));
		rm_vec_max(&all, &x);
	}
	memcpy(lane, &all, sizeof(lane));
	most = greatest(lane);
	most = most > *max ? most : *max;
	/* No key of this block, nor of those before. */
	if (most == -INFINITY) {
		memset(s, 0, n * sizeof(*s));
		return;
	}
	all = (rm_vec){0};
	for (size_t i = 0; i < n; i += LANES) {
		memcpy(&x, s + i, sizeof(x));
		x -= most;
		rm_vec_exp(&x);
		all += x;
		memcpy(s + i, &x, sizeof(x));
	}
	memcpy(lane, &all, sizeof(lane));
	if (most > *max) {
		by = *max - most;
		x = (rm_vec){0} + by;
		rm_vec_exp(&x);
		by = x[0];
		*sum *= by;
		for (size_t c = 0; c < W; c++)
			o[c] *= by;
	}
	*sum += rm_lanes_total(lane);
	*max = most;
}

/* ---- a pair of blocks ---- */

/* A block of queries at position i0, and one of keys at j0. */
struct pair {
	const struct call *c;
	const struct rm_attention_text *text;
	struct scratch *s;
	size_t head, group;	/* of queries, of keys */
	size_t i0, n_q;		/* n_q <= BLOCK */
	size_t j0, n_k, wide;	/* n_k <= BLOCK; rounded up to WIDE */
};

/* The positions of keys that query position i sees. */
static void seen(const struct rm_attention *a, size_t i, size_t n_keys,
		 size_t *from, size_t *to)
{
	size_t w = a->window;

	*from = 0;
	*to = n_keys;
	if (a->causal) {
		*to = i + 1;
		if (w && i + 1 > w)
			*from = i + 1 - w;
	} else if (w) {
		*from = i > w ? i - w : 0;
		*to = RM_MIN(n_keys, i + w + 1);
	}
}

static void load_queries(const struct pair *p)
{
	const struct call *c = p->c;
	size_t D = c->a->dim, first = p->i0 - p->text->n_before;

	if (p->n_q < BLOCK)
		memset(p->s->q, 0, BLOCK * D * sizeof(rm_real));
	for (size_t r = 0; r < p->n_q; r++)
		memcpy(p->s->q + r * D, c->q.data +
		       (p->text->row + first + r) * c->q.row +
		       p->head * c->q.head, D * sizeof(rm_real));
}

RM_VECTOR_FMA
static void load_keys(const struct pair *p)
{
	const struct call *c = p->c;
	size_t D = c->a->dim, W = c->W;

	if (p->n_k < p->wide)
		memset(p->s->kt, 0, D * BLOCK * sizeof(rm_real));
	if (p->n_k < p->wide || D < W)
		memset(p->s->v, 0, p->wide * W * sizeof(rm_real));
	for (size_t j = 0; j < p->n_k; j++) {
		size_t row = key_row(p->text, p->j0 + j);
		const rm_real *k = c->k.data + row * c->k.row +
			p->group * c->k.head;

		for (size_t d = 0; d < D; d++)
			p->s->kt[d * BLOCK + j] = k[d];
		memcpy(p->s->v + j * W, c->v.data + row * c->v.row +
		       p->group * c->v.head, D * sizeof(rm_real));
	}
}

/* Columns of distances: column x is i - j = i0 - j0 - BLOCK + 1 + x. */
static void load_positions(const struct pair *p, struct rm_heads pos)
{
	const struct rm_attention *a = p->c->a;
	ptrdiff_t least = (ptrdiff_t)p->i0 - (ptrdiff_t)p->j0 -
		(ptrdiff_t)BLOCK + 1;
	ptrdiff_t n = (ptrdiff_t)a->n_bucket;

	for (size_t x = 0; x < SPREAD; x++) {
		ptrdiff_t at = least + (ptrdiff_t)x;
		const rm_real *from;

		at = RM_MIN(RM_MAX(at, 1 - n), n - 1);
		from = pos.data + (size_t)a->bucket[at + n - 1] * pos.row +
			p->head * pos.head;
		for (size_t d = 0; d < a->dim; d++)
			p->s->pos[d * SPREAD + x] = from[d];
	}
}

/* y[n, SPREAD] = x[n, D] with the rows of positions. */
RM_VECTOR_FMA
static void by_distance(rm_real *y, const rm_real *x, size_t n, size_t D,
			const rm_real *pos)
{
	for (size_t r = 0; r < n; r += ROWS)
		scores(y + r * SPREAD, SPREAD, x + r * D, D, pos, SPREAD,
		       SPREAD);
}

static void disentangle(const struct pair *p)
{
	const struct call *c = p->c;
	size_t D = c->a->dim;

	if (c->a->pos_key.data) {
		load_positions(p, c->a->pos_key);
		by_distance(p->s->c2p, p->s->q, p->n_q, D, p->s->pos);
	}
	if (!c->a->pos_query.data)
		return;
	load_positions(p, c->a->pos_query);
	memset(p->s->k, 0, BLOCK * D * sizeof(rm_real));
	for (size_t j = 0; j < p->n_k; j++)
		memcpy(p->s->k + j * D, c->k.data +
		       key_row(p->text, p->j0 + j) * c->k.row +
		       p->group * c->k.head, D * sizeof(rm_real));
	by_distance(p->s->p2c, p->s->k, p->n_k, D, p->s->pos);
}

/* What positions add to the scores of query r. */
static void add_positions(const struct pair *p, size_t r, rm_real *s)
{
	const struct rm_attention *a = p->c->a;

	for (size_t j = 0; j < p->n_k; j++) {
		size_t x = r + BLOCK - 1 - j;

		if (a->pos_key.data)
			s[j] += p->s->c2p[r * SPREAD + x];
		if (a->pos_query.data)
			s[j] += p->s->p2c[j * SPREAD + x];
	}
}

/* Scale, cap and mask the scores of query r. */
RM_INLINE void finish_scores(const struct pair *p, size_t r, rm_real *s)
{
	const struct rm_attention *a = p->c->a;
	size_t from, to;

	if (by_position(a))
		add_positions(p, r, s);
	for (size_t j = 0; j < p->wide; j++)
		s[j] *= a->scale;
	if (a->softcap > 0) {
		for (size_t j = 0; j < p->wide; j++)
			s[j] /= a->softcap;
		p->c->tanh->forward(s, s, p->wide);
		for (size_t j = 0; j < p->wide; j++)
			s[j] *= a->softcap;
	}
	seen(a, p->i0 + r, p->text->n_before + p->text->n, &from, &to);
	for (size_t j = 0; j < p->wide && p->j0 + j < from; j++)
		s[j] = -INFINITY;
	for (size_t j = to > p->j0 ? to - p->j0 : 0; j < p->wide; j++)
		s[j] = -INFINITY;
}

RM_VECTOR_FMA
static void meet(const struct pair *p)
{
	struct scratch *s = p->s;
	size_t D = p->c->a->dim, W = p->c->W;

	for (size_t r = 0; r < p->n_q; r += ROWS) {
		scores(s->p, BLOCK, s->q + r * D, D, s->kt, BLOCK, p->wide);
		for (size_t i = 0; i < ROWS; i++) {
			finish_scores(p, r + i, s->p + i * BLOCK);
			soften(s->p + i * BLOCK, p->wide, &s->max[r + i],
			       &s->sum[r + i], s->o + (r + i) * W, W);
		}
		add_values(s->o + r * W, s->p, s->v, W, p->wide);
	}
}

/* ---- one block of queries of one head ---- */

static void put_out(const struct pair *p)
{
	const struct call *c = p->c;
	size_t D = c->a->dim, first = p->i0 - p->text->n_before;

	for (size_t r = 0; r < p->n_q; r++) {
		rm_real *y = c->y + (p->text->row + first + r) * c->ldy +
			p->head * D;
		rm_real by = 1 / p->s->sum[r];

		for (size_t d = 0; d < D; d++)
			y[d] = p->s->o[r * c->W + d] * by;
	}
}

static void attend(struct pair *p)
{
	const struct rm_attention *a = p->c->a;
	size_t n_keys = p->text->n_before + p->text->n, from, to, unused;

	load_queries(p);
	memset(p->s->o, 0, BLOCK * p->c->W * sizeof(rm_real));
	for (size_t r = 0; r < BLOCK; r++) {
		p->s->max[r] = -INFINITY;
		p->s->sum[r] = 0;
	}
	seen(a, p->i0, n_keys, &from, &unused);
	seen(a, p->i0 + p->n_q - 1, n_keys, &unused, &to);
	for (size_t j = from / BLOCK * BLOCK; j < to; j += BLOCK) {
		p->j0 = j;
		p->n_k = RM_MIN(BLOCK, n_keys - j);
		p->wide = (p->n_k + WIDE - 1) / WIDE * WIDE;
		load_keys(p);
		if (by_position(a))
			disentangle(p);
		meet(p);
	}
	put_out(p);
}

static void set_scratch(struct scratch *s, const struct call *c)
{
	size_t D = c->a->dim, W = c->W, big = by_position(c->a) ? SPREAD : 0;
	rm_real *at = c->space + rm_thread_index() * c->per_thread;

	s->q = at;
	s->kt = s->q + BLOCK * D;
	s->v = s->kt + BLOCK * D;
	s->o = s->v + BLOCK * W;
	s->p = s->o + BLOCK * W;
	s->k = s->p + ROWS * BLOCK;
	s->pos = s->k + BLOCK * D;
	s->c2p = s->pos + big * D;
	s->p2c = s->c2p + big * BLOCK;
}

/* Piece i is head i % H of text i / H. */
static void do_piece(void *arg, size_t i)
{
	const struct call *c = arg;
	const struct rm_attention *a = c->a;
	struct scratch s;
	struct pair p = {
		.c = c, .s = &s, .text = &c->text[i / a->heads],
		.head = i % a->heads,
		.group = i % a->heads / (a->heads / a->kv_heads)
	};

	set_scratch(&s, c);
	for (size_t r = p.text->skip; r + p.text->rest < p.text->n;
	     r += BLOCK) {
		p.i0 = p.text->n_before + r;
		p.n_q = RM_MIN(BLOCK, p.text->n - p.text->rest - r);
		attend(&p);
	}
}

static const struct rm_activation *find_tanh(void)
{
	const struct rm_activation *f = rm_activations;

	while (strcmp(f->name, "tanh") != 0)
		f++;
	return f;
}

int rm_attention_forward(rm_real *y, size_t ldy, struct rm_heads q,
			 struct rm_heads k, struct rm_heads v,
			 const struct rm_attention *a,
			 const struct rm_attention_text *text,
			 size_t n_texts)
{
	struct call c = {
		.y = y, .ldy = ldy, .q = q, .k = k, .v = v, .a = a,
		.text = text, .tanh = find_tanh(),
		.W = (a->dim + WIDE - 1) / WIDE * WIDE
	};
	size_t big = by_position(a) ? SPREAD : 0;

	c.per_thread = BLOCK * (3 * a->dim + 2 * c.W + ROWS + 2 * big) +
		big * a->dim;
	c.space = rm_calloc_aligned(rm_threads() * c.per_thread,
				    sizeof(rm_real));
	if (!c.space)
		return -1;
	rm_parallel(n_texts * a->heads, do_piece, &c);
	free(c.space);
	return 0;
}
