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

/* x[width] of one token, before norms. */
static void embed(const struct rm_run *r, const struct rm_segment *seg,
		  size_t k, size_t position_at, rm_real *x, size_t width)
{
	const struct rm_backbone *b = r->p->b;
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const rm_real *types = rm_value(b, t->outer->weight[RM_TYPES]);
	const rm_real *positions = rm_value(b, t->outer->weight[RM_POSITIONS]);
	size_t id = (size_t)r->p->batch->ids[seg->start + k];
	size_t type = (size_t)b->types[k >= seg->prompt];

	memcpy(x, rm_value(b, t->outer->weight[RM_TOKENS]) + id * width,
	       width * sizeof(*x));
	if (a->embed_scale > 0)
		for (size_t i = 0; i < width; i++)
			x[i] *= (rm_real)a->embed_scale;
	if (types)
		add_row(x, types + type * width, width);
	if (positions && !a->in_before_positions)
		add_row(x, positions + position_at * width, width);
}

static int embed_all(const struct rm_run *r)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const rm_real *positions = rm_value(r->p->b,
					 t->outer->weight[RM_POSITIONS]);
	bool in = t->in.w != NULL;
	size_t width = a->embed, C = a->hidden;
	rm_real *to = in ? r->s->f : r->s->x;

	for (size_t i = r->c->first; i < r->c->end; i++) {
		const struct rm_segment *seg = &r->p->batch->segment[i];
		size_t row = t->row[i], pads = 0;

		for (size_t k = 0; k < seg->length; k++) {
			size_t at = position_row(a,
				r->p->batch->ids[seg->start + k],
				r->s->position[row + k], &pads);

			embed(r, seg, k, at, to + (row + k) * width, width);
		}
	}
	if (in && rm_gemm_packed(r->rows, r->s->f, t->in.w, r->s->x) < 0)
		return -1;
	for (size_t i = 0; positions && a->in_before_positions &&
	     i < r->n_texts; i++) {
		const struct rm_attention_text *x = &r->s->text[i];

		for (size_t k = x->row; k < x->row + x->n; k++)
			add_row(r->s->x + k * C, positions +
				(a->position_offset + r->s->position[k]) * C,
				C);
	}
	return 0;
}

/* y[T, n] = x[T, k] w' */
static int apply(struct rm_run *r, const struct rm_product *p,
		 const rm_real *x, rm_real *y)
{
	return rm_gemm_packed(r->rows, x, p->w, y);
}

static void norm(struct rm_run *r, rm_real *y, const rm_real *x,
		 const struct rm_layer *l, enum rm_slot slot)
{
	struct rm_norm n = rm_transformer_norm(r->p->b, l, slot);

	rm_norm_forward(y, x, &n, r->rows, r->p->t->arch.hidden);
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
static void turn(struct rm_run *r, const struct rm_layer *l, bool sliding)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_rope_table *rope =
		&t->rope[sliding && a->rope_sliding.theta > 0];
	size_t W = t->qkv_width, D = a->head_dim;
	rm_real *q = r->s->qkv, *k = r->s->qkv + t->k_at;

	if (l->weight[RM_Q_NORM] >= 0) {
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

static struct rm_attention attention_of(const struct rm_transformer *t,
					const struct rm_layer *l, size_t i)
{
	const struct rm_arch *a = &t->arch;
	size_t HD = a->heads * a->head_dim;
	struct rm_attention at = {
		.heads = a->heads, .kv_heads = a->kv_heads,
		.dim = a->head_dim,
		.scale = (rm_real)(a->scale / (a->scale_by_layer ?
					       (double)(i + 1) : 1)),
		.softcap = (rm_real)a->softcap,
		.causal = a->causal,
		.window = a->sliding[i] ? a->window : 0
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

/* In the last layer only rows that are pooled ask for anything. */
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

/* x[n_pick, width] = the rows picked; `by` has room for as many. */
static void pick(const struct rm_run *r, rm_real *x, rm_real *by,
		 size_t width)
{
	for (size_t k = 0; k < r->n_pick; k++)
		memcpy(by + k * width, x + r->s->pick[k] * width,
		       width * sizeof(*x));
	memcpy(x, by, r->n_pick * width * sizeof(*x));
}

/* Go on with the rows that are pooled alone. */
static void narrow(struct rm_run *r)
{
	const struct rm_arch *a = &r->p->t->arch;

	if (r->n_pick == 0)
		return;
	pick(r, r->s->a, r->s->f, a->heads * a->head_dim);
	pick(r, r->s->x, r->s->t, a->hidden);
	r->rows = r->n_pick;
}

/* t = attention(h) without the bias of its last product. */
static int attend(struct rm_run *r, const struct rm_layer *l, size_t i,
		  const rm_real *h)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const rm_real *qkv = r->s->qkv;
	struct rm_attention at = attention_of(t, l, i);
	size_t W = t->qkv_width;

	if (apply(r, &l->qkv, h, r->s->qkv) < 0)
		return -1;
	rm_bias_activation_forward(r->s->qkv, l->qkv.bias, NULL, r->rows, W);
	turn(r, l, a->sliding[i]);
	if (i + 1 == a->layers)
		ask_little(r);
	if (rm_attention_forward(r->s->a, a->heads * a->head_dim,
		(struct rm_heads){ qkv, W, t->q_head },
		(struct rm_heads){ qkv + t->k_at, W, t->kv_head },
		(struct rm_heads){ qkv + t->v_at, W, t->kv_head }, &at,
		r->s->text, r->n_texts) < 0)
		return -1;
	if (i + 1 == a->layers)
		narrow(r);
	return apply(r, &l->out, r->s->a, r->s->t);
}

/* y = ffn(h) without the bias of its last product. */
static int feed(struct rm_run *r, const struct rm_layer *l, const rm_real *h,
		rm_real *y)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_activation *f =
		&rm_activations[t->arch.activation];
	const rm_real *inner = r->s->f;

	if (apply(r, &l->up, h, r->s->f) < 0)
		return -1;
	if (t->gated) {
		rm_gate_forward(r->s->g, r->s->f, l->up.bias, f, r->rows,
				t->arch.ffn);
		inner = r->s->g;
	} else {
		rm_bias_activation_forward(r->s->f, l->up.bias, f, r->rows,
					   t->inner);
	}
	return apply(r, &l->down, inner, y);
}

/* x = norm(x + attention(x)); x = norm(x + ffn(x)) */
static int layer_after(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	struct rm_space *s = r->s;

	if (attend(r, l, i, s->x) < 0)
		return -1;
	add_norm(r, s->x, NULL, s->x, s->t, l->out.bias, l,
		 RM_ATTENTION_NORM);
	if (feed(r, l, s->x, s->t) < 0)
		return -1;
	add_norm(r, s->x, NULL, s->x, s->t, l->down.bias, l, RM_FFN_NORM);
	return 0;
}

/* What the layer's attention reads. */
static const rm_real *normed(struct rm_run *r, const struct rm_layer *l)
{
	if (l->weight[RM_ATTENTION_NORM] < 0)
		return r->s->x;
	norm(r, r->s->h, r->s->x, l, RM_ATTENTION_NORM);
	return r->s->h;
}

/* x += attention(norm(x)); x += ffn(norm(x)) */
static int layer_before(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	struct rm_space *s = r->s;

	if (attend(r, l, i, normed(r, l)) < 0)
		return -1;
	add_norm(r, s->h, s->x, s->x, s->t, l->out.bias, l, RM_FFN_NORM);
	if (feed(r, l, s->h, s->t) < 0)
		return -1;
	rm_add_forward(s->x, s->t, l->down.bias, r->rows, r->p->t->arch.hidden);
	return 0;
}

/* x += attention(norm(x)) + ffn(other norm(x)) */
static int layer_parallel(struct rm_run *r, const struct rm_layer *l,
			  size_t i)
{
	struct rm_space *s = r->s;
	size_t C = r->p->t->arch.hidden;

	if (attend(r, l, i, normed(r, l)) < 0)
		return -1;
	norm(r, s->h, s->x, l, RM_FFN_NORM);
	rm_add_forward(s->x, s->t, l->out.bias, r->rows, C);
	if (feed(r, l, s->h, s->t) < 0)
		return -1;
	rm_add_forward(s->x, s->t, l->down.bias, r->rows, C);
	return 0;
}

/* x += norm(attention(norm(x))); x += norm(ffn(norm(x))) */
static int layer_around(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	struct rm_space *s = r->s;
	size_t C = r->p->t->arch.hidden;

	if (attend(r, l, i, normed(r, l)) < 0)
		return -1;
	rm_bias_activation_forward(s->t, l->out.bias, NULL, r->rows, C);
	norm(r, s->t, s->t, l, RM_ATTENTION_OUT_NORM);
	add_norm(r, s->h, s->x, s->x, s->t, NULL, l, RM_FFN_NORM);
	if (feed(r, l, s->h, s->t) < 0)
		return -1;
	rm_bias_activation_forward(s->t, l->down.bias, NULL, r->rows, C);
	norm(r, s->t, s->t, l, RM_FFN_OUT_NORM);
	rm_add_forward(s->x, s->t, NULL, r->rows, C);
	return 0;
}

int rm_transformer_run(struct rm_run *r, const rm_real **y)
{
	static int (*const layers[])(struct rm_run *r,
				     const struct rm_layer *l, size_t i) = {
		[RM_NORM_BEFORE] = layer_before,
		[RM_NORM_AFTER] = layer_after,
		[RM_NORM_AROUND] = layer_around,
		[RM_NORM_PARALLEL] = layer_parallel
	};
	const struct rm_transformer *t = r->p->t;
	struct rm_space *s = r->s;

	lay_out(r);
	if (embed_all(r) < 0)
		return -1;
	if (t->outer->weight[RM_EMBED_NORM] >= 0)
		norm(r, s->x, s->x, t->outer, RM_EMBED_NORM);
	for (size_t i = 0; i < t->arch.layers; i++)
		if (layers[t->arch.order](r, &t->layer[i], i) < 0)
			return -1;
	if (t->outer->weight[RM_FINAL_NORM] >= 0)
		norm(r, s->x, s->x, t->outer, RM_FINAL_NORM);
	*y = s->x;
	if (!t->last.w)
		return 0;
	*y = s->f;
	return apply(r, &t->last, s->x, s->f);
}

