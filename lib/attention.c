/* Multiplications and additions in one instruction, where there is one. */
#pragma GCC optimize("fp-contract=fast")

#include "attention/pairs.h"

#include <stdlib.h>

/* ---- softmax, carried along ---- */

/*
 * n scores of a row into weights exp(scale s - max), 0 where s is -inf; sums
 * and o[W], which stand for an earlier maximum, are brought to the new one.
 */
RM_INLINE void soften(rm_real *s, size_t n, rm_real scale, rm_real *max,
		      rm_wide *sum, rm_real *o, size_t W)
{
	rm_real most, by;
	rm_wide x, all;

	memcpy(&all, s, sizeof(all));
	for (size_t i = WIDE; i < n; i += WIDE) {
		memcpy(&x, s + i, sizeof(x));
		rm_wide_max(&all, &x);
	}
	most = rm_wide_greatest(&all) * scale;
	most = most > *max ? most : *max;
	/* No key of this block, nor of those before. */
	if (most == -INFINITY) {
		memset(s, 0, n * sizeof(*s));
		return;
	}
	all = (rm_wide){0};
	for (size_t i = 0; i < n; i += WIDE) {
		memcpy(&x, s + i, sizeof(x));
		x = x * scale - most;
		rm_wide_exp(&x);
		all += x;
		memcpy(s + i, &x, sizeof(x));
	}
	if (most > *max) {
		x = (rm_wide){0} + (*max - most);
		rm_wide_exp(&x);
		by = x[0];
		*sum *= by;
		for (size_t c = 0; c < W; c++)
			o[c] *= by;
	}
	*sum += all;
	*max = most;
}

/* ---- a pair of blocks ---- */

/* v[wide, W]: the block's rows of x. */
RM_INLINE void load_values(const struct pair *p, struct rm_heads x)
{
	size_t D = p->c->a->dim, W = p->c->W;

	if (p->n_k < p->wide || D < W)
		memset(p->s->v, 0, p->wide * W * sizeof(rm_real));
	for (size_t j = 0; j < p->n_k; j++)
		copy_head(p->s->v + j * W, key_of(p, j, x), D);
}

RM_INLINE void load_keys(const struct pair *p)
{
	const struct call *c = p->c;

	load_turned(p, p->s->kt, c->k);
	load_values(p, c->v);
	if (!by_position(c->a))
		return;
	load_key_rows(p, p->s->k, c->k);
	disentangle(p);
}

/* Scores of rows [r, r + n) into weights. */
RM_INLINE void weigh(const struct pair *p, size_t r, size_t n)
{
	struct scratch *s = p->s;
	size_t W = p->c->W;

	for (size_t i = 0; i < n; i++) {
		rm_real *x = s->p + i * BLOCK;
		rm_real scale = finish_scores(p, r + i, x);

		soften(x, p->wide, scale, &s->max[r + i], &s->sum[r + i],
		       s->o + (r + i) * W, W);
		/* The sum is that of all weights. */
		if (p->c->a->dropout.p > 0)
			drop(p, r + i, x);
	}
}

RM_INLINE void meet(const bool wide, const struct pair *p)
{
	struct scratch *s = p->s;
	size_t D = p->c->a->dim, W = p->c->W;

	load_keys(p);
	for (size_t r = 0; r < p->n_q; r += ROWS) {
		scores_by(wide, s->p, BLOCK, s->q + r * W, W, D, s->kt, BLOCK,
			  p->wide);
		weigh(p, r, ROWS);
		add_values_by(wide, s->o + r * W, s->p, s->v, W, p->wide);
	}
}

#ifdef RM_PAIRS
RM_PAIRS RM_INLINE
void meet_by_pairs(const struct pair *p)
{
	struct scratch *s = p->s;
	const struct paired *b = &s->paired;
	size_t W = p->c->W;

	/* Keys as values are, in the place of those. */
	load_values(p, p->c->k);
	pair_along(b->k, s->v, W, p->wide);
	pair_turn(b->kt, b->k, W, p->wide);
	load_values(p, p->c->v);
	pair_across(b->v, s->v, W, p->wide);
	for (size_t r = 0; r < BLOCK; r += PAIR_ROWS) {
		fetch_next(p, r);
		if (r >= p->n_q)
			continue;
		pair_scores(s->p, b->q + r * W / 2, b->kt, W, p->wide);
		weigh(p, r, PAIR_ROWS);
		pair_along(b->row, s->p, BLOCK, PAIR_ROWS);
		pair_values(s->o + r * W, b->row, BLOCK / 2, 1, b->v, W,
			    p->wide);
	}
}
#endif

/* ---- one block of queries of one head ---- */

RM_INLINE void put_out(const struct pair *p)
{
	const struct call *c = p->c;
	size_t D = c->a->dim, first = p->i0 - p->text->n_before;

	for (size_t r = 0; r < p->n_q; r++) {
		size_t row = p->text->row + first + r;
		rm_real *y = c->y + row * c->ldy + p->head * D;
		rm_real lane[WIDE], sum, by;

		memcpy(lane, &p->s->sum[r], sizeof(lane));
		sum = rm_lanes_total(lane) + rm_lanes_total(lane + LANES);
		by = 1 / sum;

		for (size_t d = 0; d < D; d++)
			y[d] = p->s->o[r * c->W + d] * by;
		if (c->lse)
			c->lse[row * c->a->heads + p->head] = p->s->max[r] +
				(rm_real)log((double)sum);
	}
}

RM_INLINE void start(const struct pair *p)
{
	load_rows(p, p->s->q, p->c->q, p->head);
	load_masks(p);
	memset(p->s->o, 0, BLOCK * p->c->W * sizeof(rm_real));
	for (size_t r = 0; r < BLOCK; r++) {
		p->s->max[r] = -INFINITY;
		p->s->sum[r] = (rm_wide){0};
	}
}

/* The next block of keys, from j on; false: there is none. */
RM_INLINE bool next_keys(struct pair *p, size_t j)
{
	size_t n_keys = p->text->n_before + p->text->n, to, unused;

	seen(p->c->a, p->i0 + p->n_q - 1, n_keys, &unused, &to);
	if (j >= to)
		return false;
	p->j0 = j;
	p->n_k = RM_MIN(BLOCK, n_keys - j);
	p->wide = (p->n_k + WIDE - 1) / WIDE * WIDE;
	return true;
}

RM_INLINE void attend_by(const bool wide, struct pair *p)
{
	start(p);
	for (size_t j = first_keys(p); next_keys(p, j); j += BLOCK)
		meet(wide, p);
	put_out(p);
}

RM_VECTOR_FMA
static void attend_narrow(struct pair *p)
{
	attend_by(false, p);
}

#ifdef RM_WIDE
RM_WIDE
static void attend_wide(struct pair *p)
{
	attend_by(true, p);
}
#endif

#ifdef RM_PAIRS
RM_PAIRS
static void attend_by_pairs(struct pair *p)
{
	start(p);
	pair_along(p->s->paired.q, p->s->q, p->c->W, BLOCK);
	for (size_t j = first_keys(p); next_keys(p, j); j += BLOCK)
		meet_by_pairs(p);
	put_out(p);
}
#endif

static void attend(struct pair *p)
{
#ifdef RM_PAIRS
	if (by_pairs(p->c->a)) {
		attend_by_pairs(p);
		return;
	}
#endif
#ifdef RM_WIDE
	if (rm_has_wide()) {
		attend_wide(p);
		return;
	}
#endif
	attend_narrow(p);
}

static void set_scratch(struct scratch *s, const struct call *c)
{
	size_t D = c->a->dim, W = c->W, big = by_position(c->a) ? SPREAD : 0;
	rm_real *at = c->space + rm_thread_index() * c->per_thread;

	s->q = at;
	s->kt = s->q + BLOCK * W;
	s->v = s->kt + BLOCK * D;
	s->o = s->v + BLOCK * W;
	s->p = s->o + BLOCK * W;
	s->k = s->p + PAIR_ROWS * BLOCK;
	s->pos = s->k + BLOCK * W;
	s->c2p = s->pos + big * D;
	s->p2c = s->c2p + big * BLOCK;
	s->paired = set_paired((uint32_t *)(void *)(s->p2c + big * BLOCK), W);
}

static void attend_head(struct pair *p)
{
	const struct rm_attention_text *t = p->text;

	for (size_t r = t->skip; r + t->rest < t->n; r += BLOCK) {
		p->i0 = t->n_before + r;
		p->n_q = RM_MIN(BLOCK, t->n - t->rest - r);
		attend(p);
	}
}

/* Piece i is some of the runs of heads of text i / runs. */
static void do_piece(void *arg, size_t i)
{
	const struct call *c = arg;
	const struct rm_attention *a = c->a;
	size_t head = i % c->runs * c->run, share = a->heads / a->kv_heads;
	size_t end = RM_MIN(head + c->run, a->heads);
	struct scratch s;

	set_scratch(&s, c);
	for (; head < end; head++) {
		bool more = head + 1 < end;
		size_t group = head / share;
		struct pair p = {
			.c = c, .s = &s, .text = &c->text[i / c->runs],
			.head = head, .group = group,
			.next_q = more ? c->q.head : 0,
			.next_k = more && (head + 1) / share > group ?
				c->k.head : 0
		};

		attend_head(&p);
	}
}

int rm_attention_forward(rm_real *y, size_t ldy, rm_real *lse,
			 struct rm_heads q, struct rm_heads k,
			 struct rm_heads v,
			 const struct rm_attention *a,
			 const struct rm_attention_text *text,
			 size_t n_texts)
{
	struct call c = {
		.y = y, .ldy = ldy, .lse = lse, .q = q, .k = k, .v = v, .a = a,
		.text = text, .tanh = find_tanh(),
		.W = (a->dim + WIDE - 1) / WIDE * WIDE
	};
	size_t big = by_position(a) ? SPREAD : 0;

	c.per_thread = BLOCK * (a->dim + 4 * c.W + PAIR_ROWS + 2 * big) +
		big * a->dim + (by_pairs(a) ? paired_size(c.W) : 0);
	c.space = rm_calloc_aligned(rm_threads() * c.per_thread,
				    sizeof(rm_real));
	if (!c.space)
		return -1;
	cut_heads(&c, n_texts, a->heads);
	rm_parallel(n_texts * c.runs, do_piece, &c);
	free(c.space);
	return 0;
}
