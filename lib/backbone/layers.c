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
			 enum rm_dropout_site site, rm_real *y,
			 const rm_real *x, size_t n)
{
	struct rm_dropout d = rm_transformer_dropout(r->p, i, site);

	d.row = r->row;
	rm_dropout_forward(y, x, r->rows, n, &d);
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
	rm_transformer_drop(r, 0, RM_DROP_EMBEDDINGS, x, x,
			    r->p->t->arch.hidden);
	return 0;
}

/* y[rows, n] = x[rows, k] w' */
static int apply(struct rm_run *r, const struct rm_product *p,
		 const rm_real *x, rm_real *y)
{
	return rm_gemm_packed(r->rows, x, p->along, y, false);
}

/* y = norm(x + (a + bias)); sum, if not NULL, takes what is in the norm. */
static void add_norm(struct rm_run *r, rm_real *y, rm_real *sum,
		     const rm_real *x, const rm_real *a, const rm_real *bias,
		     const struct rm_layer *l, enum rm_slot slot)
{
	struct rm_norm n = rm_transformer_norm(r->p->b, l, slot);

	rm_add_norm_forward(y, sum, x, a, bias, &n, r->rows,
			    r->p->t->arch.hidden);
}

/* Queries and keys: their own norms, then positions. */
static void turn(struct rm_run *r, const struct rm_layer *l,
		 const struct rm_tape *tape, bool sliding)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_rope_table *rope =
		&t->rope[sliding && a->rope_sliding.theta > 0];
	size_t W = t->qkv_width, D = a->head_dim;
	rm_real *q = tape->qkv, *k = tape->qkv + t->k_at;

	if (l->weight[RM_Q_NORM] >= 0) {
		if (tape->raw)
			memcpy(tape->raw, tape->qkv,
			       r->rows * W * sizeof(*q));
		struct rm_norm n = rm_transformer_norm(r->p->b, l, RM_Q_NORM);

		rm_norm_heads_forward(q, W, a->heads, t->q_head, D, &n,
				      r->rows);
		n = rm_transformer_norm(r->p->b, l, RM_K_NORM);
		rm_norm_heads_forward(k, W, a->kv_heads, t->kv_head, D, &n,
				      r->rows);
	}
	if (a->rope.theta <= 0)
		return;
	rm_rope_forward(q, W, a->heads, t->q_head, a->rotary, r->s->position,
			rope->cos, rope->sin, r->rows);
	rm_rope_forward(k, W, a->kv_heads, t->kv_head, a->rotary,
			r->s->position, rope->cos, rope->sin, r->rows);
}

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
		.dropout = rm_transformer_dropout(r->p, i, RM_DROP_ATTENTION)
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

/*
 * t = attention(h) without the bias of its last product; *x is what it is to
 * be added to, the rows that go on.
 */
static int attend(struct rm_run *r, size_t i, const rm_real *h,
		  const rm_real **x)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = &t->layer[i];
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_attention at = rm_transformer_attention(r, i);
	size_t W = t->qkv_width, HD = a->heads * a->head_dim;
	const rm_real *y = k->a;

	*x = k->x;
	if (apply(r, &l->qkv, h, k->qkv) < 0)
		return -1;
	rm_bias_activation_forward(k->qkv, k->qkv, l->qkv.all_bias, NULL,
				   r->rows, W);
	turn(r, l, k, a->sliding[i]);
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
		pick(r, r->s->px, k->x, a->hidden);
		r->rows = r->n_pick;
		r->row = r->s->pick;
		y = r->s->pa;
		*x = r->s->px;
	}
	return apply(r, &l->out, y, r->s->t);
}

/* t = ffn(h) without the bias of its last product. */
static int feed(struct rm_run *r, size_t i, const rm_real *h)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_layer *l = &t->layer[i];
	const struct rm_activation *f =
		&rm_activations[t->arch.activation];
	const struct rm_tape *k = &r->s->tape[i];

	if (apply(r, &l->up, h, k->f) < 0)
		return -1;
	if (t->gated)
		rm_gate_forward(k->g, k->f, l->up.all_bias, f, r->rows,
				t->arch.ffn);
	else
		rm_bias_activation_forward(k->g, k->f, l->up.all_bias, f,
					   r->rows, t->inner);
	rm_transformer_drop(r, i, RM_DROP_FFN, k->g, k->g, t->arch.ffn);
	return apply(r, &l->down, k->g, r->s->t);
}

/* t = dropout(t + bias), if there is any; the bias that is still to add. */
static const rm_real *drop(struct rm_run *r, size_t i,
			   enum rm_dropout_site site, const rm_real *bias)
{
	size_t C = r->p->t->arch.hidden;
	rm_real *t = r->s->t;

	if (rm_transformer_dropout(r->p, i, site).p <= 0)
		return bias;
	rm_bias_activation_forward(t, t, bias, NULL, r->rows, C);
	rm_transformer_drop(r, i, site, t, t, C);
	return NULL;
}

/* x = norm(x + attention(x)); x = norm(x + ffn(x)) */
static int layer_after(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	const rm_real *x, *bias;

	if (attend(r, i, k->x, &x) < 0)
		return -1;
	bias = drop(r, i, RM_DROP_ATTENTION_OUT, l->out.all_bias);
	add_norm(r, k->mid, k->s1, x, r->s->t, bias, l, RM_ATTENTION_NORM);
	if (feed(r, i, k->mid) < 0)
		return -1;
	bias = drop(r, i, RM_DROP_FFN_OUT, l->down.all_bias);
	add_norm(r, k->y, k->s2, k->mid, r->s->t, bias, l, RM_FFN_NORM);
	return 0;
}

/* What the layer's attention reads. */
static const rm_real *normed(struct rm_run *r, const struct rm_layer *l,
			     const struct rm_tape *k)
{
	if (l->weight[RM_ATTENTION_NORM] < 0)
		return k->x;
	norm(r, k->h, k->x, l, RM_ATTENTION_NORM);
	return k->h;
}

static void add(struct rm_run *r, rm_real *y, const rm_real *x,
		const rm_real *bias)
{
	rm_add_forward(y, x, r->s->t, bias, r->rows, r->p->t->arch.hidden);
}

/* x += attention(norm(x)); x += ffn(norm(x)) */
static int layer_before(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	const rm_real *x, *bias;

	if (attend(r, i, normed(r, l, k), &x) < 0)
		return -1;
	bias = drop(r, i, RM_DROP_ATTENTION_OUT, l->out.all_bias);
	add_norm(r, k->h2, k->mid, x, r->s->t, bias, l, RM_FFN_NORM);
	if (feed(r, i, k->h2) < 0)
		return -1;
	add(r, k->y, k->mid, drop(r, i, RM_DROP_FFN_OUT, l->down.all_bias));
	return 0;
}

/* x += attention(norm(x)) + ffn(other norm(x)) */
static int layer_parallel(struct rm_run *r, const struct rm_layer *l,
			  size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	const rm_real *x;

	if (attend(r, i, normed(r, l, k), &x) < 0)
		return -1;
	norm(r, k->h2, x, l, RM_FFN_NORM);
	add(r, k->mid, x, drop(r, i, RM_DROP_ATTENTION_OUT, l->out.all_bias));
	if (feed(r, i, k->h2) < 0)
		return -1;
	add(r, k->y, k->mid, drop(r, i, RM_DROP_FFN_OUT, l->down.all_bias));
	return 0;
}

/* x += norm(attention(norm(x))); x += norm(ffn(norm(x))) */
static int layer_around(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	size_t C = r->p->t->arch.hidden;
	rm_real *t = r->s->t;
	const rm_real *x;

	if (attend(r, i, normed(r, l, k), &x) < 0)
		return -1;
	rm_bias_activation_forward(k->s1, t, l->out.all_bias, NULL, r->rows,
				   C);
	norm(r, t, k->s1, l, RM_ATTENTION_OUT_NORM);
	add_norm(r, k->h2, k->mid, x, t, NULL, l, RM_FFN_NORM);
	if (feed(r, i, k->h2) < 0)
		return -1;
	rm_bias_activation_forward(k->s2, t, l->down.all_bias, NULL, r->rows,
				   C);
	norm(r, t, k->s2, l, RM_FFN_OUT_NORM);
	add(r, k->y, k->mid, NULL);
	return 0;
}

int rm_transformer_layer(struct rm_run *r, size_t i)
{
	static int (*const layers[])(struct rm_run *r,
				     const struct rm_layer *l, size_t i) = {
		[RM_NORM_BEFORE] = layer_before,
		[RM_NORM_AFTER] = layer_after,
		[RM_NORM_AROUND] = layer_around,
		[RM_NORM_PARALLEL] = layer_parallel
	};
	const struct rm_transformer *t = r->p->t;

	return layers[t->arch.order](r, &t->layer[i], i);
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
	if (apply(r, &t->last, *y, s->out) < 0)
		return -1;
	*y = s->out;
	return 0;
}
