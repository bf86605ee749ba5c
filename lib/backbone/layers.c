/*
 * One chunk of texts through all layers.
 */
#include "backbone/transformer.h"

#include <string.h>

/* Texts of attention and positions of rows. */
static void lay_out(struct rm_run *r)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_batch *batch = r->p->batch;

	r->n_texts = 0;
	for (size_t i = r->c->first; i < r->c->end; i++) {
		const struct rm_segment *seg = &batch->segment[i];
		struct rm_attention_text *x = &r->s->text[r->n_texts++];
		size_t start = rm_segment_at(batch, seg);

		*x = (struct rm_attention_text){
			.row = t->row[i], .n = seg->length
		};
		if (start) {
			x->before_row = t->row[seg->parent];
			x->n_before = start;
		}
		for (size_t k = 0; k < seg->length; k++)
			r->s->position[t->row[i] + k] = (uint32_t)(start + k);
	}
}

static void add_row(rm_real *restrict x, const rm_real *restrict y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] += y[i];
}

/* Which row of RM_POSITIONS: pad ids stand on the pad's, uncounted. */
static size_t position_row(const struct rm_arch *a, int32_t id,
			   size_t position, size_t *pads)
{
	if (!a->position_skips_pad)
		return a->position_offset + position;
	if (id == a->pad) {
		++*pads;
		return (size_t)a->pad;
	}
	return a->position_offset + position - *pads;
}

void rm_transformer_each_row(const struct rm_run *r,
			     void (*fn)(void *arg, size_t row,
					const struct rm_place *at),
			     void *arg)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_batch *batch = r->p->batch;

	for (size_t i = r->c->first; i < r->c->end; i++) {
		const struct rm_segment *seg = &batch->segment[i];
		size_t row = t->row[i], pads = 0;

		for (size_t k = 0; k < seg->length; k++) {
			int32_t id = batch->ids[seg->start + k];
			const struct rm_place at = {
				.token = seg->start + k,
				.id = (size_t)id,
				.type = (size_t)r->p->b->types[k >=
							       seg->prompt],
				.position = position_row(&t->arch, id,
					r->s->position[row + k], &pads)
			};

			fn(arg, row + k, &at);
		}
	}
}

/* The sum of a token's embeddings, before norms. */
static void embed(void *arg, size_t row, const struct rm_place *at)
{
	const struct rm_run *r = arg;
	const struct rm_backbone *b = r->p->b;
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const rm_real *types = rm_value(b, t->outer->weight[RM_TYPES]);
	const rm_real *positions = rm_value(b, t->outer->weight[RM_POSITIONS]);
	size_t E = a->embed;
	rm_real *x = (t->in.parts ? r->s->e : r->s->tape->x) + row * E;

	memcpy(x, rm_value(b, t->outer->weight[RM_TOKENS]) + at->id * E,
	       E * sizeof(*x));
	if (a->embed_scale > 0)
		for (size_t i = 0; i < E; i++)
			x[i] *= (rm_real)a->embed_scale;
	if (b->inputs)
		add_row(x, b->inputs->shift + at->token * E, E);
	if (types)
		add_row(x, types + at->type * E, E);
	if (positions && !a->in_before_positions)
		add_row(x, positions + at->position * E, E);
}

static void add_position(void *arg, size_t row, const struct rm_place *at)
{
	const struct rm_run *r = arg;
	const struct rm_transformer *t = r->p->t;
	size_t C = t->arch.hidden;

	add_row(r->s->tape->x + row * C,
		rm_value(r->p->b, t->outer->weight[RM_POSITIONS]) +
		at->position * C, C);
}

static void norm(struct rm_run *r, rm_real *y, const rm_real *x,
		 const struct rm_layer *l, enum rm_slot slot)
{
	struct rm_norm n = rm_transformer_norm(r->p->b, l, slot);

	rm_norm_forward(y, x, &n, r->rows, r->p->t->arch.hidden);
}

void rm_transformer_drop(const struct rm_run *r, size_t i,
			 enum rm_dropout_site site, size_t from, size_t rows,
			 rm_real *y, const rm_real *x, size_t n)
{
	struct rm_dropout d = rm_transformer_dropout(r->p, i, site);

	if (r->row)
		d.row = r->row + from;
	else
		d.first_row += from;
	rm_dropout_forward(y, x, rows, n, &d);
}

/* The first layer's x, before dropout. */
static int embed_rows(struct rm_run *r)
{
	const struct rm_transformer *t = r->p->t;
	struct rm_space *s = r->s;

	rm_transformer_each_row(r, embed, r);
	if (t->in.parts && rm_gemm_packed(r->rows, s->e, t->in.along,
					  s->tape->x, false) < 0)
		return -1;
	if (t->outer->weight[RM_POSITIONS] >= 0 && t->arch.in_before_positions)
		rm_transformer_each_row(r, add_position, r);
	if (t->outer->weight[RM_EMBED_NORM] < 0)
		return 0;
	if (s->train)
		memcpy(s->x0, s->tape->x,
		       r->rows * t->arch.hidden * sizeof(*s->x0));
	norm(r, s->tape->x, s->tape->x, t->outer, RM_EMBED_NORM);
	return 0;
}

static int embed_all(struct rm_run *r)
{
	rm_real *x = r->s->tape->x;

	if (embed_rows(r) < 0)
		return -1;
	rm_transformer_drop(r, 0, RM_DROP_EMBEDDINGS, 0, r->rows, x, x,
			    r->p->t->arch.hidden);
	return 0;
}

/* ---- rows of a layer ---- */

/* Some rows of layer i: what is computed for each row alone. */
struct part {
	const struct rm_run *r;
	const struct rm_layer *l;
	size_t i, from, rows;
	struct rm_tape k;		/* of these rows */
	rm_real *t;			/* what a half gives */
	/* Of rows that go on: what OUT reads, and what it is added to. */
	const rm_real *a, *x;
	const uint32_t *position;
};

typedef int part_fn(struct part *p);

static rm_real *at_row(rm_real *x, size_t row, size_t width)
{
	return x ? x + row * width : NULL;
}

static struct part part_of(const struct rm_run *r, size_t i, size_t from,
			   size_t rows)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_space *s = r->s;
	const struct rm_tape *k = &s->tape[i];
	bool picked = r->n_pick && r->row == s->pick;
	size_t C = t->arch.hidden, HD = t->arch.heads * t->arch.head_dim;

	return (struct part){
		.r = r, .l = &t->layer[i], .i = i, .from = from, .rows = rows,
		.k = {
			.x = at_row(k->x, from, C),
			.h = at_row(k->h, from, C),
			.raw = at_row(k->raw, from, t->qkv_width),
			.qkv = at_row(k->qkv, from, t->qkv_width),
			.s1 = at_row(k->s1, from, C),
			.mid = at_row(k->mid, from, C),
			.h2 = at_row(k->h2, from, C),
			.f = at_row(k->f, from, t->inner),
			.g = at_row(k->g, from, t->arch.ffn),
			.s2 = at_row(k->s2, from, C),
			.y = at_row(k->y, from, C)
		},
		.t = at_row(s->t, from, C),
		.a = at_row(picked ? s->pa : k->a, from, HD),
		.x = at_row(picked ? s->px : k->x, from, C),
		.position = s->position + from
	};
}

struct by_rows {
	const struct rm_run *r;
	size_t i, per;
	part_fn *fn;
	_Atomic bool failed;
};

static void do_rows(void *arg, size_t piece)
{
	struct by_rows *j = arg;
	size_t from = piece * j->per;
	struct part p = part_of(j->r, j->i, from,
				RM_MIN(j->per, j->r->rows - from));

	if (j->fn(&p) < 0)
		j->failed = true;
}

/*
 * All rows of layer i, so many at a time that what follows a product finds
 * it in the second cache; a few rows are shared inside of products instead.
 */
static int by_rows(const struct rm_run *r, size_t i, part_fn *fn)
{
	enum { MOST = 96, FEW = 48, STEP = 12 };
	size_t threads = rm_threads(), rounds = (r->rows + threads * MOST - 1) /
		(threads * MOST);
	struct by_rows j = { .r = r, .i = i, .fn = fn };

	if (r->rows == 0)
		return 0;
	j.per = (r->rows + threads * rounds - 1) / (threads * rounds);
	if (j.per < FEW) {
		struct part all = part_of(r, i, 0, r->rows);

		return fn(&all);
	}
	j.per = (j.per + STEP - 1) / STEP * STEP;
	rm_parallel((r->rows + j.per - 1) / j.per, do_rows, &j);
	return j.failed ? rm_fail("out of memory") : 0;
}

/* y[rows, n] = x[rows, k] w' */
static int apply(const struct part *p, const struct rm_product *w,
		 const rm_real *x, rm_real *y)
{
	return rm_gemm_packed(p->rows, x, w->along, y, false);
}

/* y = norm(x) */
static void norm_part(const struct part *p, rm_real *y, const rm_real *x,
		      enum rm_slot slot)
{
	struct rm_norm n = rm_transformer_norm(p->r->p->b, p->l, slot);

	rm_norm_forward(y, x, &n, p->rows, p->r->p->t->arch.hidden);
}

/* y = norm(x + (a + bias)); sum, if not NULL, takes what is in the norm. */
static void add_norm(const struct part *p, rm_real *y, rm_real *sum,
		     const rm_real *x, const rm_real *a, const rm_real *bias,
		     enum rm_slot slot)
{
	struct rm_norm n = rm_transformer_norm(p->r->p->b, p->l, slot);

	rm_add_norm_forward(y, sum, x, a, bias, &n, p->rows,
			    p->r->p->t->arch.hidden);
}

/* Queries and keys: their own norms, then positions. */
static void turn(const struct part *p)
{
	const struct rm_transformer *t = p->r->p->t;
	const struct rm_backbone *b = p->r->p->b;
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = p->l;
	const struct rm_rope_table *rope =
		&t->rope[a->sliding[p->i] && a->rope_sliding.theta > 0];
	size_t W = t->qkv_width, D = a->head_dim;
	rm_real *q = p->k.qkv, *k = q + t->k_at;

	if (l->weight[RM_Q_NORM] >= 0) {
		if (p->k.raw)
			memcpy(p->k.raw, q, p->rows * W * sizeof(*q));
		struct rm_norm n = rm_transformer_norm(b, l, RM_Q_NORM);

		rm_norm_heads_forward(q, W, a->heads, t->q_head, D, &n,
				      p->rows);
		n = rm_transformer_norm(b, l, RM_K_NORM);
		rm_norm_heads_forward(k, W, a->kv_heads, t->kv_head, D, &n,
				      p->rows);
	}
	if (a->rope.theta <= 0)
		return;
	rm_rope_forward(q, W, a->heads, t->q_head, a->rotary, p->position,
			rope->cos, rope->sin, p->rows);
	rm_rope_forward(k, W, a->kv_heads, t->kv_head, a->rotary,
			p->position, rope->cos, rope->sin, p->rows);
}

/* Whether attention of a layer reads x through a norm. */
static bool norms_first(const struct rm_transformer *t,
			const struct rm_layer *l)
{
	return t->arch.order != RM_NORM_AFTER &&
		l->weight[RM_ATTENTION_NORM] >= 0;
}

/* h = norm(x) */
static int norm_first(struct part *p)
{
	norm_part(p, p->k.h, p->k.x, RM_ATTENTION_NORM);
	return 0;
}

/* Queries, keys and values of x, through the first norm if it is before. */
static int ask(struct part *p)
{
	bool norms = norms_first(p->r->p->t, p->l);

	if (norms)
		norm_first(p);
	if (apply(p, &p->l->qkv, norms ? p->k.h : p->k.x, p->k.qkv) < 0)
		return -1;
	rm_bias_activation_forward(p->k.qkv, p->k.qkv, p->l->qkv.all_bias,
				   NULL, p->rows, p->r->p->t->qkv_width);
	turn(p);
	return 0;
}

static void drop(const struct part *p, enum rm_dropout_site site, rm_real *x,
		 size_t n)
{
	rm_transformer_drop(p->r, p->i, site, p->from, p->rows, x, x, n);
}

/* t = dropout(t + bias), if there is any; the bias that is still to add. */
static const rm_real *drop_half(const struct part *p,
				enum rm_dropout_site site,
				const rm_real *bias)
{
	size_t C = p->r->p->t->arch.hidden;

	if (rm_transformer_dropout(p->r->p, p->i, site).p <= 0)
		return bias;
	rm_bias_activation_forward(p->t, p->t, bias, NULL, p->rows, C);
	drop(p, site, p->t, C);
	return NULL;
}

/* t = what attention gives, and the bias that is still to add. */
static int give(const struct part *p, const rm_real **bias)
{
	if (apply(p, &p->l->out, p->a, p->t) < 0)
		return -1;
	*bias = drop_half(p, RM_DROP_ATTENTION_OUT, p->l->out.all_bias);
	return 0;
}

/* t = ffn(h), and the bias that is still to add. */
static int feed(const struct part *p, const rm_real *h, const rm_real **bias)
{
	const struct rm_transformer *t = p->r->p->t;
	const struct rm_product *up = &p->l->up;
	const struct rm_activation *f = &rm_activations[t->arch.activation];
	const struct rm_tape *k = &p->k;

	if (apply(p, up, h, k->f) < 0)
		return -1;
	if (t->gated)
		rm_gate_forward(k->g, k->f, up->all_bias, f, p->rows,
				t->arch.ffn);
	else if (p->r->s->train)
		rm_bias_activation_slope(k->g, k->f, up->all_bias, f, p->rows,
					 t->inner);
	else
		rm_bias_activation_forward(k->g, k->f, up->all_bias, f,
					   p->rows, t->inner);
	drop(p, RM_DROP_FFN, k->g, t->arch.ffn);
	if (apply(p, &p->l->down, k->g, p->t) < 0)
		return -1;
	*bias = drop_half(p, RM_DROP_FFN_OUT, p->l->down.all_bias);
	return 0;
}

/* x = norm(x + attention(x)); x = norm(x + ffn(x)) */
static int after(struct part *p)
{
	const rm_real *bias;

	if (give(p, &bias) < 0)
		return -1;
	add_norm(p, p->k.mid, p->k.s1, p->x, p->t, bias, RM_ATTENTION_NORM);
	if (feed(p, p->k.mid, &bias) < 0)
		return -1;
	add_norm(p, p->k.y, p->k.s2, p->k.mid, p->t, bias, RM_FFN_NORM);
	return 0;
}

static void add(const struct part *p, rm_real *y, const rm_real *x,
		const rm_real *bias)
{
	rm_add_forward(y, x, p->t, bias, p->rows, p->r->p->t->arch.hidden);
}

/* x += attention(norm(x)); x += ffn(norm(x)) */
static int before(struct part *p)
{
	const rm_real *bias;

	if (give(p, &bias) < 0)
		return -1;
	add_norm(p, p->k.h2, p->k.mid, p->x, p->t, bias, RM_FFN_NORM);
	if (feed(p, p->k.h2, &bias) < 0)
		return -1;
	add(p, p->k.y, p->k.mid, bias);
	return 0;
}

/* x += attention(norm(x)) + ffn(other norm(x)) */
static int parallel(struct part *p)
{
	const rm_real *bias;

	if (give(p, &bias) < 0)
		return -1;
	norm_part(p, p->k.h2, p->x, RM_FFN_NORM);
	add(p, p->k.mid, p->x, bias);
	if (feed(p, p->k.h2, &bias) < 0)
		return -1;
	add(p, p->k.y, p->k.mid, bias);
	return 0;
}

/* x += norm(attention(norm(x))); x += norm(ffn(norm(x))) */
static int around(struct part *p)
{
	size_t C = p->r->p->t->arch.hidden;
	const rm_real *bias;

	if (give(p, &bias) < 0)
		return -1;
	rm_bias_activation_forward(p->k.s1, p->t, bias, NULL, p->rows, C);
	norm_part(p, p->t, p->k.s1, RM_ATTENTION_OUT_NORM);
	add_norm(p, p->k.h2, p->k.mid, p->x, p->t, NULL, RM_FFN_NORM);
	if (feed(p, p->k.h2, &bias) < 0)
		return -1;
	rm_bias_activation_forward(p->k.s2, p->t, bias, NULL, p->rows, C);
	norm_part(p, p->t, p->k.s2, RM_FFN_OUT_NORM);
	add(p, p->k.y, p->k.mid, NULL);
	return 0;
}

/* ---- layers ---- */

struct rm_attention rm_transformer_attention(const struct rm_run *r,
					     size_t i)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = &t->layer[i];
	size_t HD = a->heads * a->head_dim;
	struct rm_attention at = {
		.heads = a->heads, .kv_heads = a->kv_heads,
		.dim = a->head_dim,
		.scale = (rm_real)(a->scale / (a->scale_by_layer ?
					       (double)(i + 1) : 1)),
		.softcap = (rm_real)a->softcap,
		.causal = a->causal,
		.window = a->sliding[i] ? a->window : 0,
		.dropout = rm_transformer_dropout(r->p, i, RM_DROP_ATTENTION),
		.precision = t->precision
	};

	if (l->pos_key)
		at.pos_key = (struct rm_heads){ l->pos_key, HD, a->head_dim };
	if (l->pos_query)
		at.pos_query = (struct rm_heads){ l->pos_query, HD,
						  a->head_dim };
	if (a->span) {
		at.bucket = t->bucket;
		at.n_bucket = t->n_bucket;
	}
	return at;
}

/* In the last layer only rows that are asked for ask for anything. */
static void ask_little(const struct rm_run *r)
{
	for (size_t i = 0; r->n_pick && i < r->n_texts; i++) {
		struct rm_attention_text *x = &r->s->text[i];
		size_t low = x->row + x->n, high = x->row;

		for (size_t k = 0; k < r->n_pick; k++) {
			size_t row = r->s->pick[k];

			if (row < x->row || row >= x->row + x->n)
				continue;
			low = RM_MIN(low, row);
			high = RM_MAX(high, row + 1);
		}
		x->skip = low - x->row;
		x->rest = x->row + x->n - RM_MAX(high, low);
	}
}

static void pick(const struct rm_run *r, rm_real *to, const rm_real *from,
		 size_t width)
{
	for (size_t k = 0; k < r->n_pick; k++)
		memcpy(to + k * width, from + r->s->pick[k] * width,
		       width * sizeof(*to));
}

/* Rows that are asked for go on. */
static void go_on(struct rm_run *r, const rm_real *x)
{
	pick(r, r->s->px, x, r->p->t->arch.hidden);
	r->rows = r->n_pick;
	r->row = r->s->pick;
}

/* Attention of the last layer's rows that are asked for. */
static int attend_last(struct rm_run *r, size_t i)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_tape *k = &r->s->tape[i];
	bool norms = norms_first(t, &t->layer[i]);

	if (norms && by_rows(r, i, norm_first) < 0)
		return -1;
	if (rm_last_forward(r, norms ? k->h : k->x) < 0)
		return -1;
	go_on(r, k->x);
	return 0;
}

/* a = attention of all rows; those that are asked for go on. */
static int attend(struct rm_run *r, size_t i)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_attention at = rm_transformer_attention(r, i);
	size_t W = t->qkv_width, HD = a->heads * a->head_dim;

	if (i + 1 == a->layers)
		ask_little(r);
	if (rm_attention_forward(k->a, HD, k->lse,
		(struct rm_heads){ k->qkv, W, t->q_head },
		(struct rm_heads){ k->qkv + t->k_at, W, t->kv_head },
		(struct rm_heads){ k->qkv + t->v_at, W, t->kv_head }, &at,
		r->s->text, r->n_texts) < 0)
		return -1;
	if (i + 1 == a->layers && r->n_pick) {
		pick(r, r->s->pa, k->a, HD);
		go_on(r, k->x);
	}
	return 0;
}

int rm_transformer_layer(struct rm_run *r, size_t i)
{
	static part_fn *const rest[] = {
		[RM_NORM_BEFORE] = before, [RM_NORM_AFTER] = after,
		[RM_NORM_AROUND] = around, [RM_NORM_PARALLEL] = parallel
	};

	if (rm_last_takes(r, i) ? attend_last(r, i) < 0 :
	    by_rows(r, i, ask) < 0 || attend(r, i) < 0)
		return -1;
	return by_rows(r, i, rest[r->p->t->arch.order]);
}

int rm_transformer_run(struct rm_run *r, const rm_real **y)
{
	const struct rm_transformer *t = r->p->t;
	struct rm_space *s = r->s;

	lay_out(r);
	if (embed_all(r) < 0)
		return -1;
	for (size_t i = 0; i < t->arch.layers; i++)
		if (rm_transformer_layer(r, i) < 0)
			return -1;
	*y = s->tape[t->arch.layers - 1].y;
	if (t->outer->weight[RM_FINAL_NORM] >= 0) {
		norm(r, s->z, *y, t->outer, RM_FINAL_NORM);
		*y = s->z;
	}
	if (!t->last.parts)
		return 0;
	if (rm_gemm_packed(r->rows, *y, t->last.along, s->out, false) < 0)
		return -1;
	*y = s->out;
	return 0;
}
