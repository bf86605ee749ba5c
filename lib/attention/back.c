/*
 * The way back through attention.  Weights are computed again from lse:
 * P = exp(S - lse); then dV = P' dY, dP = dY V', dS = P (dP - sum(dY Y)),
 * dQ = dS K, dK = dS' Q, as in FlashAttention.  Under dropout dV and dP have
 * its mask, and the sum is still that of P dP.
 *
 * All texts of a tree that share a head of keys are one piece of work: what
 * adds to a row's gradient does so in one order.
 */
#pragma GCC optimize("fp-contract=fast")

#include "attention/pairs.h"

#include <stdlib.h>

struct back {
	struct call c;		/* y is not written */
	const struct rm_attention_grad *grad;
	const rm_real *dy, *y, *lse;
	rm_real *delta;		/* [rows, H] sum(dY Y) of a row and head */
	const size_t *tree;	/* [n_trees + 1] first texts */
	size_t n_trees, n_texts;
};

/* Beside struct scratch; [BLOCK, W] but where said. */
struct rows {
	rm_real *dy, *dq, *dk, *dv;
	rm_real *p, *ds;	/* [BLOCK, BLOCK] */
	rm_real lse[BLOCK], delta[BLOCK];
};

/* ---- a block of queries ---- */

RM_INLINE void load_block(const struct pair *p, const struct back *b,
			  struct rows *rows)
{
	const struct call *c = &b->c;
	size_t D = c->a->dim, H = c->a->heads;
	size_t first = p->text->row + p->i0 - p->text->n_before;

	load_rows(p, p->s->q, c->q, p->head);
	load_masks(p);
	load_rows(p, rows->dy, (struct rm_heads){ b->dy, c->ldy, D },
		  p->head);
	memset(rows->dq, 0, BLOCK * c->W * sizeof(*rows->dq));
	for (size_t r = 0; r < BLOCK; r++) {
		bool in = r < p->n_q;
		size_t at = (first + (in ? r : 0)) * H + p->head;

		/* Rows that are not there have no weights. */
		rows->lse[r] = in ? b->lse[at] : INFINITY;
		rows->delta[r] = in ? b->delta[at] : 0;
	}
}

/* to[n] += from[n] */
RM_INLINE void add_row(rm_real *restrict to, const rm_real *restrict from,
		       size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += from[i];
}

/* The first that is said of a row takes the place of what stood there. */
RM_INLINE void put_row(rm_real *to, const rm_real *from, size_t n, bool first)
{
	if (first)
		copy_head(to, from, n);
	else
		add_row(to, from, n);
}

RM_INLINE void store_block(const struct pair *p, const struct back *b,
			   const struct rows *rows)
{
	const struct call *c = &b->c;
	size_t first = p->text->row + p->i0 - p->text->n_before;

	for (size_t r = 0; r < p->n_q; r++) {
		rm_real *to = b->grad->q + (first + r) * c->q.row +
			p->head * c->q.head;

		put_row(to, rows->dq + r * c->W, c->a->dim,
			p->j0 == first_keys(p));
	}
}

/* ---- a pair of blocks ---- */

/* Row r's weights, and the gradient of its scores before they are scaled. */
RM_INLINE void row_back(const struct pair *p, struct rows *rows, size_t r)
{
	const struct rm_attention *a = p->c->a;
	rm_real *s = rows->p + r * BLOCK, *ds = rows->ds + r * BLOCK;
	const size_t wide = p->wide, capped = a->softcap > 0 ? wide : 0;
	rm_real slope[BLOCK];

	const rm_real scale = finish_scores(p, r, s);

	for (size_t j = 0; j < capped; j++) {
		rm_real t = s[j] > -INFINITY ? s[j] / a->softcap : 0;

		slope[j] = 1 - t * t;
	}
	for (size_t j = 0; j < wide; j += WIDE) {
		rm_wide x, d;

		memcpy(&x, s + j, sizeof(x));
		x = x * scale - rows->lse[r];
		rm_wide_exp(&x);
		memcpy(s + j, &x, sizeof(x));
		memcpy(&d, ds + j, sizeof(d));
		d = x * (d - rows->delta[r]) * a->scale;
		memcpy(ds + j, &d, sizeof(d));
	}
	for (size_t j = 0; j < capped; j++)
		ds[j] *= slope[j];
}

/* The same, with what is dropped. */
RM_INLINE void weigh_back(const struct pair *p, struct rows *rows, size_t r)
{
	bool drops = p->c->a->dropout.p > 0;

	if (drops)
		drop(p, r, rows->ds + r * BLOCK);
	row_back(p, rows, r);
	if (drops)
		drop(p, r, rows->p + r * BLOCK);
}

/* o[n_k, W] += p[n_q, BLOCK]' v[n_q, W] */
RM_INLINE void turned_values(const bool wide, const struct pair *p,
			     rm_real *o, const rm_real *weights,
			     const rm_real *v)
{
	size_t W = p->c->W;

	(void)wide;
#ifdef RM_WIDE
	if (wide) {
		for (size_t j = 0; j < p->n_k; j += ROWS) {
			const rm_real *w = weights + j;
			rm_real *to = o + j * W;
			size_t c = 0;

			for (; c + 2 * WIDE <= W; c += 2 * WIDE)
				wide_values(to + c, W, w, 1, BLOCK, v + c, W,
					    p->n_q, 2);
			for (; c < W; c += WIDE)
				wide_values(to + c, W, w, 1, BLOCK, v + c, W,
					    p->n_q, 1);
		}
		return;
	}
#endif
	for (size_t j = 0; j < p->n_k; j += ROWS)
		for (size_t c = 0; c < W; c += WIDE) {
			rm_vec s[ROWS][2];

			for (size_t r = 0; r < ROWS; r++)
				memcpy(s[r], o + (j + r) * W + c,
				       sizeof(s[r]));
			for (size_t i = 0; i < p->n_q; i++) {
				const rm_real *w = weights + i * BLOCK + j;
				rm_vec x, y;

				memcpy(&x, v + i * W + c, sizeof(x));
				memcpy(&y, v + i * W + c + LANES, sizeof(y));
				for (size_t r = 0; r < ROWS; r++) {
					s[r][0] += w[r] * x;
					s[r][1] += w[r] * y;
				}
			}
			for (size_t r = 0; r < ROWS; r++)
				memcpy(o + (j + r) * W + c, s[r],
				       sizeof(s[r]));
		}
}

RM_INLINE void add_scaled(rm_real *y, rm_real by, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += by * x[i];
}

/* What disentangled attention adds: positions' gradients, and by them. */
RM_INLINE void positions_back(const struct pair *p, const struct back *b,
			      struct rows *rows)
{
	const struct rm_attention *a = p->c->a;
	size_t D = a->dim, W = p->c->W;

	for (size_t r = 0; r < p->n_q; r++)
		for (size_t j = 0; j < p->n_k; j++) {
			rm_real ds = rows->ds[r * BLOCK + j];
			size_t row = position_row(p, r + BLOCK - 1 - j);
			size_t key = row * a->pos_key.row +
				p->head * a->pos_key.head;
			size_t query = row * a->pos_query.row +
				p->head * a->pos_query.head;

			if (a->pos_key.data) {
				add_scaled(rows->dq + r * W, ds,
					   a->pos_key.data + key, D);
				add_scaled(b->grad->pos_key + key, ds,
					   p->s->q + r * W, D);
			}
			if (a->pos_query.data) {
				add_scaled(rows->dk + j * W, ds,
					   a->pos_query.data + query, D);
				add_scaled(b->grad->pos_query + query, ds,
					   p->s->k + j * W, D);
			}
		}
}

RM_INLINE void store_keys(const struct pair *p, const struct back *b,
			  const struct rows *rows)
{
	const struct call *c = &b->c;

	bool leads = p->head * c->a->kv_heads == p->group * c->a->heads;

	for (size_t j = 0; j < p->n_k; j++) {
		size_t row = key_row(p->text, p->j0 + j);
		rm_real *k = b->grad->k + row * c->k.row +
			p->group * c->k.head;
		rm_real *v = b->grad->v + row * c->v.row +
			p->group * c->v.head;
		bool first = leads && p->j0 + j >= p->text->n_before;

		put_row(k, rows->dk + j * c->W, c->a->dim, first);
		put_row(v, rows->dv + j * c->W, c->a->dim, first);
	}
}

RM_INLINE void load_keys(const struct pair *p, struct rows *rows)
{
	size_t size = BLOCK * p->c->W * sizeof(rm_real);

	load_turned(p, p->s->kt, p->c->k);
	load_turned(p, p->s->v, p->c->v);
	load_key_rows(p, p->s->k, p->c->k);
	memset(rows->dk, 0, size);
	memset(rows->dv, 0, size);
}

RM_INLINE void meet(const bool wide, const struct pair *p,
		    const struct back *b, struct rows *rows)
{
	struct scratch *s = p->s;
	size_t D = p->c->a->dim, W = p->c->W;

	if (by_position(p->c->a))
		disentangle(p);
	for (size_t r = 0; r < p->n_q; r += ROWS) {
		scores_by(wide, rows->p + r * BLOCK, BLOCK, s->q + r * W, W,
			  D, s->kt, BLOCK, p->wide);
		scores_by(wide, rows->ds + r * BLOCK, BLOCK, rows->dy + r * W,
			  W, D, s->v, BLOCK, p->wide);
		for (size_t i = r; i < r + ROWS; i++)
			weigh_back(p, rows, i);
		add_values_by(wide, rows->dq + r * W, rows->ds + r * BLOCK,
			      s->k, W, p->wide);
	}
	turned_values(wide, p, rows->dv, rows->p, rows->dy);
	turned_values(wide, p, rows->dk, rows->ds, s->q);
	if (by_position(p->c->a))
		positions_back(p, b, rows);
}

#ifdef RM_PAIRS

/* fetch_next, and what dy is of the next head; where this one's go. */
RM_INLINE void fetch_back(const struct pair *p, const struct back *b, size_t r)
{
	const struct call *c = p->c;
	const struct rm_attention_grad *to = b->grad;
	size_t D = c->a->dim, first = p->text->row + p->i0 - p->text->n_before;

	fetch_next(p, r);
	if (p->j0 == first_keys(p))
		for (size_t i = r; i < RM_MIN(r + PAIR_ROWS, p->n_q); i++) {
			size_t row = first + i;

			fetch_head(to->q + row * c->q.row + p->head *
				   c->q.head, D, true);
			if (p->next_q)
				fetch_head(b->dy + row * c->ldy +
					   (p->head + 1) * D, D, false);
		}
	if (p->i0 == p->text->n_before + p->text->skip)
		for (size_t j = r; j < RM_MIN(r + PAIR_ROWS, p->n_k); j++) {
			size_t row = key_row(p->text, p->j0 + j);

			fetch_head(to->k + row * c->k.row + p->group *
				   c->k.head, D, true);
			fetch_head(to->v + row * c->v.row + p->group *
				   c->v.head, D, true);
		}
}

RM_PAIRS RM_INLINE
void load_keys_by_pairs(const struct pair *p, struct rows *rows)
{
	const struct paired *b = &p->s->paired;
	size_t W = p->c->W, size = BLOCK * W * sizeof(rm_real);

	/* dk has them in fp32 until it is begun. */
	load_key_rows(p, rows->dk, p->c->v);
	pair_along(b->v, rows->dk, W, p->wide);
	pair_turn(b->vt, b->v, W, p->wide);
	load_key_rows(p, rows->dk, p->c->k);
	pair_along(b->v, rows->dk, W, p->wide);
	pair_turn(b->kt, b->v, W, p->wide);
	pair_across(b->k, rows->dk, W, p->wide);
	memset(rows->dk, 0, size);
	memset(rows->dv, 0, size);
}

RM_PAIRS RM_INLINE
void meet_by_pairs(const struct pair *p, const struct back *b,
		   struct rows *rows)
{
	struct scratch *s = p->s;
	const struct paired *x = &s->paired;
	size_t W = p->c->W, n = (p->n_q + PAIR_ROWS - 1) / PAIR_ROWS *
		PAIR_ROWS;

	pair_along(x->q, s->q, W, n);
	pair_along(x->dy, rows->dy, W, n);
	pair_across(x->q2, s->q, W, n);
	pair_across(x->dy2, rows->dy, W, n);
	for (size_t r = 0; r < BLOCK; r += PAIR_ROWS) {
		rm_real *weights = rows->p + r * BLOCK;
		rm_real *ds = rows->ds + r * BLOCK;

		fetch_back(p, b, r);
		if (r >= n)
			continue;
		pair_scores(weights, x->q + r * W / 2, x->kt, W, p->wide);
		pair_scores(ds, x->dy + r * W / 2, x->vt, W, p->wide);
		for (size_t i = r; i < r + PAIR_ROWS; i++)
			weigh_back(p, rows, i);
		pair_along(x->row, ds, BLOCK, PAIR_ROWS);
		pair_values(rows->dq + r * W, x->row, BLOCK / 2, 1, x->k, W,
			    p->wide);
	}
	pair_across(x->p, rows->p, BLOCK, n);
	pair_across(x->ds, rows->ds, BLOCK, n);
	for (size_t j = 0; j < p->n_k; j += PAIR_ROWS) {
		pair_values(rows->dv + j * W, x->p + j, 1, BLOCK, x->dy2, W,
			    n);
		pair_values(rows->dk + j * W, x->ds + j, 1, BLOCK, x->q2, W,
			    n);
	}
}

#endif

/* ---- a head of a text ---- */

/* Does a query of the block see a key of the block at j? */
RM_INLINE bool meets(const struct pair *p, size_t j, size_t n_keys)
{
	const struct rm_attention *a = p->c->a;
	size_t from, to, unused;

	seen(a, p->i0, n_keys, &from, &unused);
	seen(a, p->i0 + p->n_q - 1, n_keys, &unused, &to);
	return j < to && j + BLOCK > from;
}

/* The text's block of queries at row r, if it sees the block of keys. */
RM_INLINE bool find_block(struct pair *p, size_t r)
{
	const struct rm_attention_text *t = p->text;

	p->i0 = t->n_before + r;
	p->n_q = RM_MIN(BLOCK, t->n - t->rest - r);
	return meets(p, p->j0, t->n_before + t->n);
}

RM_INLINE void find_keys(struct pair *p, size_t j)
{
	p->j0 = j;
	p->n_k = RM_MIN(BLOCK, p->text->n_before + p->text->n - j);
	p->wide = (p->n_k + WIDE - 1) / WIDE * WIDE;
}

/* Blocks of keys, each with all queries, so that it is turned once. */
RM_INLINE void text_back_by(const bool wide, struct pair *p,
			    const struct back *b, struct rows *rows)
{
	const struct rm_attention_text *t = p->text;

	for (size_t j = 0; j < t->n_before + t->n; j += BLOCK) {
		find_keys(p, j);
		load_keys(p, rows);
		for (size_t r = t->skip; r + t->rest < t->n; r += BLOCK) {
			if (!find_block(p, r))
				continue;
			load_block(p, b, rows);
			meet(wide, p, b, rows);
			store_block(p, b, rows);
		}
		store_keys(p, b, rows);
	}
}

RM_VECTOR_FMA
static void text_back_narrow(struct pair *p, const struct back *b,
			     struct rows *rows)
{
	text_back_by(false, p, b, rows);
}

#ifdef RM_WIDE
RM_WIDE
static void text_back_wide(struct pair *p, const struct back *b,
			   struct rows *rows)
{
	text_back_by(true, p, b, rows);
}
#endif

#ifdef RM_PAIRS
RM_PAIRS
static void text_back_by_pairs(struct pair *p, const struct back *b,
			       struct rows *rows)
{
	const struct rm_attention_text *t = p->text;

	for (size_t j = 0; j < t->n_before + t->n; j += BLOCK) {
		find_keys(p, j);
		load_keys_by_pairs(p, rows);
		for (size_t r = t->skip; r + t->rest < t->n; r += BLOCK) {
			if (!find_block(p, r))
				continue;
			load_block(p, b, rows);
			meet_by_pairs(p, b, rows);
			store_block(p, b, rows);
		}
		store_keys(p, b, rows);
	}
}
#endif

static void text_back(struct pair *p, const struct back *b,
		      struct rows *rows)
{
#ifdef RM_PAIRS
	if (by_pairs(p->c->a)) {
		text_back_by_pairs(p, b, rows);
		return;
	}
#endif
#ifdef RM_WIDE
	if (rm_has_wide()) {
		text_back_wide(p, b, rows);
		return;
	}
#endif
	text_back_narrow(p, b, rows);
}

/* ---- pieces ---- */

static size_t big_of(const struct rm_attention *a)
{
	return by_position(a) ? SPREAD : 0;
}

static size_t space_of(const struct call *c)
{
	size_t D = c->a->dim, big = big_of(c->a);

	return BLOCK * (2 * D + 6 * c->W + 2 * BLOCK + 2 * big) + big * D +
		(by_pairs(c->a) ? paired_size(c->W) : 0);
}

static void set_space(const struct call *c, struct scratch *s,
		      struct rows *rows)
{
	size_t D = c->a->dim, each = BLOCK * c->W, big = big_of(c->a);

	s->q = c->space + rm_thread_index() * c->per_thread;
	s->k = s->q + each;
	rows->dy = s->k + each;
	rows->dq = rows->dy + each;
	rows->dk = rows->dq + each;
	rows->dv = rows->dk + each;
	s->kt = rows->dv + each;
	s->v = s->kt + BLOCK * D;
	rows->p = s->v + BLOCK * D;
	rows->ds = rows->p + BLOCK * BLOCK;
	s->c2p = rows->ds + BLOCK * BLOCK;
	s->p2c = s->c2p + BLOCK * big;
	s->pos = s->p2c + BLOCK * big;
	s->paired = set_paired((uint32_t *)(void *)(s->pos + big * D), c->W);
}

/* Rows that ask nothing have no gradient as queries. */
static void clear(const struct pair *p, const struct back *b)
{
	const struct call *c = &b->c;
	const struct rm_attention_text *t = p->text;

	for (size_t r = 0; r < t->n; r++)
		if (r < t->skip || r + t->rest >= t->n)
			memset(b->grad->q + (t->row + r) * c->q.row +
			       p->head * c->q.head, 0,
			       c->a->dim * sizeof(*b->grad->q));
}

/* Texts [from, to) by the queries that share heads [group, end) of keys. */
static void texts_back(const struct back *b, size_t from, size_t to,
		       size_t group, size_t end)
{
	const struct rm_attention *a = b->c.a;
	size_t share = a->heads / a->kv_heads;
	struct scratch s;
	struct rows rows;

	set_space(&b->c, &s, &rows);
	for (size_t i = from; i < to; i++)
		for (size_t h = group * share; h < end * share; h++) {
			bool more = h + 1 < end * share;
			struct pair p = {
				.c = &b->c, .s = &s, .text = &b->c.text[i],
				.head = h, .group = h / share,
				.next_q = more ? b->c.q.head : 0,
				.next_k = more && (h + 1) % share == 0 ?
					b->c.k.head : 0
			};

			clear(&p, b);
			text_back(&p, b, &rows);
		}
}

static void tree_piece(void *arg, size_t i)
{
	const struct back *b = arg;
	size_t tree = i / b->c.runs, group = i % b->c.runs * b->c.run;

	texts_back(b, b->tree[tree], b->tree[tree + 1], group,
		   RM_MIN(group + b->c.run, b->c.a->kv_heads));
}

/* Rows of positions are everybody's. */
static void group_piece(void *arg, size_t i)
{
	const struct back *b = arg;

	texts_back(b, 0, b->n_texts, i, i + 1);
}

/* Texts' own rows. */
RM_VECTOR_FMA
static void find_delta(void *arg, size_t i)
{
	const struct back *b = arg;
	const struct rm_attention_text *t = &b->c.text[i];
	size_t D = b->c.a->dim, H = b->c.a->heads;

	for (size_t r = t->row + t->skip; r < t->row + t->n - t->rest; r++)
		for (size_t h = 0; h < H; h++) {
			const rm_real *y = b->y + r * b->c.ldy + h * D;
			const rm_real *dy = b->dy + r * b->c.ldy + h * D;
			double sum[LANES] = {0}, all = 0;

			for (size_t d = 0; d < D; d++)
				sum[d % LANES] += (double)(y[d] * dy[d]);
			for (size_t k = 0; k < LANES; k++)
				all += sum[k];
			b->delta[r * H + h] = (rm_real)all;
		}
}

static size_t find_trees(size_t *tree, const struct rm_attention_text *text,
			 size_t n)
{
	size_t trees = 0;

	for (size_t i = 0; i < n; i++)
		if (text[i].n_before == 0)
			tree[trees++] = i;
	tree[trees] = n;
	return trees;
}

int rm_attention_backward(const struct rm_attention_grad *grad,
			  const rm_real *dy, const rm_real *y, size_t ldy,
			  const rm_real *lse, struct rm_heads q,
			  struct rm_heads k, struct rm_heads v,
			  const struct rm_attention *a,
			  const struct rm_attention_text *text,
			  size_t n_texts)
{
	struct back b = {
		.c = {
			.ldy = ldy, .q = q, .k = k, .v = v, .a = a,
			.text = text, .tanh = find_tanh(),
			.W = (a->dim + WIDE - 1) / WIDE * WIDE
		},
		.grad = grad, .dy = dy, .y = y, .lse = lse,
		.n_texts = n_texts
	};
	size_t *tree = rm_malloc(n_texts + 1, sizeof(*tree)), rows = 0;

	for (size_t i = 0; i < n_texts; i++)
		rows = RM_MAX(rows, text[i].row + text[i].n);
	b.delta = rm_malloc(rows * a->heads, sizeof(*b.delta));
	b.c.per_thread = space_of(&b.c);
	b.c.space = rm_calloc_aligned(rm_threads() * b.c.per_thread,
				      sizeof(rm_real));
	if (!tree || !b.delta || !b.c.space) {
		free(tree);
		free(b.delta);
		free(b.c.space);
		return -1;
	}
	b.tree = tree;
	b.n_trees = find_trees(tree, text, n_texts);
	cut_heads(&b.c, b.n_trees, a->kv_heads);
	rm_parallel(n_texts, find_delta, &b);
	if (by_position(a))
		rm_parallel(a->kv_heads, group_piece, &b);
	else
		rm_parallel(b.n_trees * b.c.runs, tree_piece, &b);
	free(tree);
	free(b.delta);
	free(b.c.space);
	return 0;
}
