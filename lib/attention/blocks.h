/*
 * blocks: what both ways through attention share: a block of queries meets a
 * block of keys.  For attention.c and attention/back.c alone.
 */
#ifndef RM_ATTENTION_BLOCKS_H
#define RM_ATTENTION_BLOCKS_H

#include "attention.h"
#include "bf16.h"
#include "op.h"

#include <string.h>

/* Queries and keys of a block, rows of a small product, numbers a vector. */
#define BLOCK ((size_t)64)
#define ROWS ((size_t)4)
/* The same where products are of pairs. */
#define PAIR_ROWS (2 * ROWS)
#define LANES ((size_t)RM_LANES)
#define WIDE ((size_t)RM_WIDE_LANES)
/* Distances i - j within a pair of blocks, and one. */
#define SPREAD (2 * BLOCK)

/*
 * What products of pairs read.  W / 2 pairs are those of a row, BLOCK / 2 rows
 * of pairs those of neighbouring rows.
 */
struct paired {
	uint32_t *q, *dy;	/* [BLOCK, W / 2] */
	uint32_t *kt, *vt;	/* [W / 2, BLOCK] turned */
	uint32_t *k, *v;	/* [BLOCK / 2, W], or as q */
	uint32_t *q2, *dy2;	/* [BLOCK / 2, W] */
	uint32_t *row;		/* [PAIR_ROWS, BLOCK / 2] weights */
	uint32_t *p, *ds;	/* [BLOCK / 2, BLOCK] weights of two rows */
};

/* What a thread computes in; [BLOCK] is one block of queries or keys. */
struct scratch {
	rm_real *q;		/* [BLOCK, W], W: D rounded up to WIDE */
	rm_real *kt;		/* [D, BLOCK] keys, turned */
	rm_real *v;		/* [BLOCK, W]; the way back: [D, BLOCK] */
	rm_real *o;		/* [BLOCK, W] sums so far */
	rm_real *p;		/* [PAIR_ROWS, BLOCK] scores, then weights */
	rm_real *k;		/* [BLOCK, W] keys */
	rm_real *pos;		/* [D, SPREAD] rows of positions, turned */
	rm_real *c2p, *p2c;	/* [BLOCK, SPREAD] by distance */
	rm_real max[BLOCK];
	rm_wide sum[BLOCK];	/* of each lane */
	struct rm_mask mask[BLOCK];
	struct paired paired;
};

struct call {
	rm_real *y;
	size_t ldy;
	rm_real *lse;
	struct rm_heads q, k, v;
	const struct rm_attention *a;
	const struct rm_attention_text *text;
	const struct rm_activation *tanh;
	size_t W;
	size_t run, runs;	/* heads of a piece, and such of a text */
	rm_real *space;
	size_t per_thread;
};

/*
 * One thread takes a run of heads, so that it can ask for the next while it
 * computes one; there are enough of them for all threads.
 */
static inline void cut_heads(struct call *c, size_t texts, size_t heads)
{
	size_t want = 24 * rm_threads();

	c->runs = RM_MIN(heads, (want + texts - 1) / RM_MAX(texts, 1));
	c->runs = RM_MAX(c->runs, 1);
	c->run = (heads + c->runs - 1) / c->runs;
	c->runs = (heads + c->run - 1) / c->run;
}

/* A block of queries at position i0, and one of keys at j0. */
struct pair {
	const struct call *c;
	const struct rm_attention_text *text;
	struct scratch *s;
	size_t head, group;	/* of queries, of keys */
	/* How far off those are that come next; 0: nobody asks for them. */
	size_t next_q, next_k;
	size_t i0, n_q;		/* n_q <= BLOCK */
	size_t j0, n_k, wide;	/* n_k <= BLOCK; rounded up to WIDE */
};

static inline bool by_position(const struct rm_attention *a)
{
	return a->pos_key.data || a->pos_query.data;
}

/* Where keys stand: position j of a text as a row. */
static inline size_t key_row(const struct rm_attention_text *t, size_t j)
{
	return j < t->n_before ? t->before_row + j : t->row + j - t->n_before;
}

/* The positions of keys that query position i sees. */
static inline void seen(const struct rm_attention *a, size_t i, size_t n_keys,
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

/* The first block of keys that the block of queries meets. */
static inline size_t first_keys(const struct pair *p)
{
	size_t from, unused;

	seen(p->c->a, p->i0, p->text->n_before + p->text->n, &from, &unused);
	return from / BLOCK * BLOCK;
}

/* ---- small products ---- */

/*
 * y[ROWS, n] = x[ROWS, ldx] kt[D, ld], n a multiple of WIDE; each number is
 * summed over D in order.
 */
RM_INLINE void scores(rm_real *y, size_t ldy, const rm_real *x, size_t ldx,
		      size_t D, const rm_real *kt, size_t ld, size_t n)
{
	for (size_t c = 0; c < n; c += WIDE) {
		rm_vec s[ROWS][2] = {0};

		for (size_t d = 0; d < D; d++) {
			rm_vec a, b;

			memcpy(&a, kt + d * ld + c, sizeof(a));
			memcpy(&b, kt + d * ld + c + LANES, sizeof(b));
			for (size_t r = 0; r < ROWS; r++) {
				s[r][0] += x[r * ldx + d] * a;
				s[r][1] += x[r * ldx + d] * b;
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

#ifdef RM_WIDE

/*
 * The same by vectors of sixteen: bits do not differ.  V of them side by side,
 * so that sums fill the registers.
 */
RM_INLINE void wide_scores(rm_real *y, size_t ldy, const rm_real *x,
			   size_t ldx, size_t D, const rm_real *kt, size_t ld,
			   const size_t V)
{
	rm_wide s[ROWS][4] = {0};

	for (size_t d = 0; d < D; d++) {
		rm_wide a[4];

#pragma GCC unroll 4
		for (size_t v = 0; v < V; v++)
			memcpy(&a[v], kt + d * ld + v * WIDE, sizeof(*a));
#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 4
			for (size_t v = 0; v < V; v++)
				s[r][v] += x[r * ldx + d] * a[v];
	}
#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++)
		memcpy(y + r * ldy, s[r], V * sizeof(*s[r]));
}

/*
 * o[ROWS, V WIDE] += weights[n, ROWS] v[n, W]; the weights of row r and step j
 * are at p[r * row + j * step].
 */
RM_INLINE void wide_values(rm_real *o, size_t ldo, const rm_real *p,
			   size_t row, size_t step, const rm_real *v,
			   size_t ldv, size_t n, const size_t V)
{
	rm_wide s[ROWS][4];

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++)
		memcpy(s[r], o + r * ldo, V * sizeof(*s[r]));
	for (size_t j = 0; j < n; j++) {
		rm_wide a[4];

#pragma GCC unroll 4
		for (size_t i = 0; i < V; i++)
			memcpy(&a[i], v + j * ldv + i * WIDE, sizeof(*a));
#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 4
			for (size_t i = 0; i < V; i++)
				s[r][i] += p[r * row + j * step] * a[i];
	}
#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++)
		memcpy(o + r * ldo, s[r], V * sizeof(*s[r]));
}

#endif

/* scores, by the widest vectors: `wide` is what rm_has_wide() says. */
RM_INLINE void scores_by(const bool wide, rm_real *y, size_t ldy,
			 const rm_real *x, size_t ldx, size_t D,
			 const rm_real *kt, size_t ld, size_t n)
{
	size_t c = 0;

	(void)wide;
#ifdef RM_WIDE
	for (; wide && c + 4 * WIDE <= n; c += 4 * WIDE)
		wide_scores(y + c, ldy, x, ldx, D, kt + c, ld, 4);
	for (; wide && c + 2 * WIDE <= n; c += 2 * WIDE)
		wide_scores(y + c, ldy, x, ldx, D, kt + c, ld, 2);
#endif
	if (c < n)
		scores(y + c, ldy, x, ldx, D, kt + c, ld, n - c);
}

/* add_values in the same way. */
RM_INLINE void add_values_by(const bool wide, rm_real *o, const rm_real *p,
			     const rm_real *v, size_t W, size_t n)
{
	(void)wide;
#ifdef RM_WIDE
	if (wide) {
		size_t c = 0;

		for (; c + 4 * WIDE <= W; c += 4 * WIDE)
			wide_values(o + c, W, p, BLOCK, 1, v + c, W, n, 4);
		for (; c + 2 * WIDE <= W; c += 2 * WIDE)
			wide_values(o + c, W, p, BLOCK, 1, v + c, W, n, 2);
		for (; c < W; c += WIDE)
			wide_values(o + c, W, p, BLOCK, 1, v + c, W, n, 1);
		return;
	}
#endif
	add_values(o, p, v, W, n);
}

/* A head of a row: too short to call for. */
RM_INLINE void copy_head(rm_real *restrict to, const rm_real *restrict from,
			 size_t n)
{
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		memcpy(to + i, from + i, LANES * sizeof(*to));
	for (; i < n; i++)
		to[i] = from[i];
}

/* to[BLOCK, W]: this block's rows of a head, filled up with zeros. */
RM_INLINE void load_rows(const struct pair *p, rm_real *to,
			     struct rm_heads from, size_t head)
{
	size_t D = p->c->a->dim, W = p->c->W;
	size_t first = p->text->row + p->i0 - p->text->n_before;

	if (p->n_q < BLOCK || D < W)
		memset(to, 0, BLOCK * W * sizeof(*to));
	for (size_t r = 0; r < p->n_q; r++)
		copy_head(to + r * W, from.data + (first + r) * from.row +
			  head * from.head, D);
}

/* Key j of the block, of x's heads. */
RM_INLINE const rm_real *key_of(const struct pair *p, size_t j,
				    struct rm_heads x)
{
	return x.data + key_row(p->text, p->j0 + j) * x.row +
		p->group * x.head;
}

/* Rows of heads stand far apart, where no processor looks ahead by itself. */
RM_INLINE void fetch_head(const rm_real *x, size_t D, const bool write)
{
	for (size_t d = 0; d < D; d += WIDE) {
		if (write)
			__builtin_prefetch(x + d, 1, 2);
		else
			__builtin_prefetch(x + d, 0, 2);
	}
}

/*
 * What the next head reads of queries and keys r to r + PAIR_ROWS of the
 * blocks, of each block once.
 */
RM_INLINE void fetch_next(const struct pair *p, size_t r)
{
	const struct call *c = p->c;
	size_t D = c->a->dim, first = p->text->row + p->i0 - p->text->n_before;

	if (p->next_q && p->j0 == first_keys(p))
		for (size_t i = r; i < RM_MIN(r + PAIR_ROWS, p->n_q); i++)
			fetch_head(c->q.data + (first + i) * c->q.row +
				   p->head * c->q.head + p->next_q, D, false);
	if (p->next_k && p->i0 == p->text->n_before + p->text->skip)
		for (size_t j = r; j < RM_MIN(r + PAIR_ROWS, p->n_k); j++) {
			fetch_head(key_of(p, j, c->k) + p->next_k, D, false);
			fetch_head(key_of(p, j, c->v) + p->next_k, D, false);
		}
}

/* to[BLOCK, W]: the block's keys, or values, row by row. */
RM_INLINE void load_key_rows(const struct pair *p, rm_real *to,
			     struct rm_heads x)
{
	size_t D = p->c->a->dim, W = p->c->W;

	if (p->n_k < BLOCK || D < W)
		memset(to, 0, BLOCK * W * sizeof(*to));
	for (size_t j = 0; j < p->n_k; j++)
		copy_head(to + j * W, key_of(p, j, x), D);
}

/* to[D, BLOCK]: the block's keys, or values, turned. */
RM_INLINE void load_turned(const struct pair *p, rm_real *to,
			       struct rm_heads x)
{
	size_t D = p->c->a->dim, whole = D - D % LANES;

	for (size_t j = 0; j < p->wide; j += LANES) {
		const rm_real *from[LANES];
		size_t n = p->n_k > j ? RM_MIN(p->n_k - j, LANES) : 0;

		for (size_t i = 0; i < n; i++)
			from[i] = key_of(p, j + i, x);
		for (size_t d = 0; d < whole; d += LANES) {
			rm_vec v[LANES] = {0};

			for (size_t i = 0; i < n; i++)
				memcpy(&v[i], from[i] + d, sizeof(*v));
			rm_turn_eight(v);
			for (size_t i = 0; i < LANES; i++)
				memcpy(to + (d + i) * BLOCK + j, &v[i],
				       sizeof(*v));
		}
		for (size_t d = whole; d < D; d++)
			for (size_t i = 0; i < LANES; i++)
				to[d * BLOCK + j + i] = i < n ? from[i][d] : 0;
	}
}

/* ---- relative positions ---- */

/* The row of positions for column x: distance i0 - j0 - BLOCK + 1 + x. */
static inline size_t position_row(const struct pair *p, size_t x)
{
	const struct rm_attention *a = p->c->a;
	ptrdiff_t n = (ptrdiff_t)a->n_bucket;
	ptrdiff_t at = (ptrdiff_t)p->i0 - (ptrdiff_t)p->j0 -
		(ptrdiff_t)BLOCK + 1 + (ptrdiff_t)x;

	at = RM_MIN(RM_MAX(at, 1 - n), n - 1);
	return (size_t)a->bucket[at + n - 1];
}

/* Columns of distances. */
static inline void load_positions(const struct pair *p, struct rm_heads pos)
{
	for (size_t x = 0; x < SPREAD; x++) {
		const rm_real *from = pos.data + position_row(p, x) *
			pos.row + p->head * pos.head;

		for (size_t d = 0; d < p->c->a->dim; d++)
			p->s->pos[d * SPREAD + x] = from[d];
	}
}

/* y[n, SPREAD] = x[n, W] with the rows of positions. */
RM_INLINE void by_distance(const struct pair *p, rm_real *y, const rm_real *x,
			   size_t n)
{
	for (size_t r = 0; r < n; r += ROWS)
		scores(y + r * SPREAD, SPREAD, x + r * p->c->W, p->c->W,
		       p->c->a->dim, p->s->pos, SPREAD, SPREAD);
}

/* What positions add to this pair; s->k has the block's keys. */
RM_INLINE void disentangle(const struct pair *p)
{
	const struct call *c = p->c;

	if (c->a->pos_key.data) {
		load_positions(p, c->a->pos_key);
		by_distance(p, p->s->c2p, p->s->q, p->n_q);
	}
	if (c->a->pos_query.data) {
		load_positions(p, c->a->pos_query);
		by_distance(p, p->s->p2c, p->s->k, p->n_k);
	}
}

/* What positions add to the scores of query r. */
RM_INLINE void add_positions(const struct pair *p, size_t r, rm_real *s)
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

/* Cap and mask the scores of query r; returns what is to scale them yet. */
RM_INLINE rm_real finish_scores(const struct pair *p, size_t r, rm_real *s)
{
	const struct rm_attention *a = p->c->a;
	size_t from, to;

	if (by_position(a))
		add_positions(p, r, s);
	if (a->softcap > 0) {
		for (size_t j = 0; j < p->wide; j++)
			s[j] = s[j] * a->scale / a->softcap;
		p->c->tanh->forward(s, s, p->wide);
		for (size_t j = 0; j < p->wide; j++)
			s[j] *= a->softcap;
	}
	seen(a, p->i0 + r, p->text->n_before + p->text->n, &from, &to);
	for (size_t j = 0; j < p->wide && p->j0 + j < from; j++)
		s[j] = -INFINITY;
	for (size_t j = to > p->j0 ? to - p->j0 : 0; j < p->wide; j++)
		s[j] = -INFINITY;
	return a->softcap > 0 ? 1 : a->scale;
}

/* ---- dropout ---- */

/* The masks of the block's queries, and of what fills up the last rows. */
RM_INLINE void load_masks(const struct pair *p)
{
	const struct rm_dropout *d = &p->c->a->dropout;
	size_t first = p->text->row + p->i0 - p->text->n_before;
	size_t n = (p->n_q + PAIR_ROWS - 1) / PAIR_ROWS * PAIR_ROWS;

	for (size_t r = 0; d->p > 0 && r < n; r++)
		p->s->mask[r] = rm_dropout_mask(d, (d->first_row + first + r) *
						p->c->a->heads + p->head);
}

/* w[wide], of query r, by what its mask keeps. */
RM_INLINE void drop(const struct pair *p, size_t r, rm_real *w)
{
	for (size_t j = 0; j < p->wide; j += WIDE) {
		rm_wide x, keep;

		rm_wide_keep(&keep, &p->s->mask[r], (uint32_t)(p->j0 + j));
		memcpy(&x, w + j, sizeof(x));
		x *= keep;
		memcpy(w + j, &x, sizeof(x));
	}
}

/* The activation of soft caps. */
static inline const struct rm_activation *find_tanh(void)
{
	const struct rm_activation *f = rm_activations;

	while (strcmp(f->name, "tanh") != 0)
		f++;
	return f;
}

#endif
