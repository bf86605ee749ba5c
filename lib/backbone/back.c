/*
 * The way back through one chunk: gradients of its hidden rows into those of
 * the parameters.
 *
 * s->d is the gradient of the rows at hand.  A layer turns that of its y into
 * that of its x; parameters that are frozen have no gradient, and below the
 * lowest one that is trained nothing is computed.
 */
#include "backbone/transformer.h"

#include <stdlib.h>
#include <string.h>

/* Columns of embeddings that one thread adds up. */
#define COLUMNS ((size_t)64)

static void exchange(struct rm_space *s)
{
	rm_real *d = s->d;

	s->d = s->spare;
	s->spare = d;
}

/* ---- parameters ---- */

void rm_product_bias_back(const struct rm_run *r, const struct rm_product *p,
			  const rm_real *dy, size_t rows)
{
	const struct rm_backbone *b = r->p->b;
	bool wanted = false;

	for (size_t i = 0; i < p->parts; i++)
		wanted |= rm_gradient(b, p->bias[i]) != NULL;
	if (!wanted)
		return;
	memset(p->d_bias, 0, p->n * sizeof(*p->d_bias));
	rm_bias_backward(p->d_bias, dy, rows, p->n);
	for (size_t i = 0, at = 0; i < p->parts; at += p->rows[i++]) {
		rm_real *to = rm_gradient(b, p->bias[i]);

		for (size_t c = 0; to && c < p->rows[i]; c++)
			to[c] += p->d_bias[at + c];
	}
}

/* What dy, rows of p->n numbers, and x[rows, k] say of part i of w. */
static int matrix_back(const struct rm_run *r, const struct rm_product *p,
		       size_t i, const rm_real *dy, const rm_real *x,
		       size_t rows)
{
	struct rm_params *params = r->p->b->params;
	const struct rm_param *w = &params->param[p->weight[i]];
	enum rm_precision how = r->p->t->precision;

	if (w->lora)
		return rm_lora_backward(params, (size_t)p->weight[i], rows,
					dy, p->n, x, how);
	if (!w->grad)
		return 0;
	return p->turned ? rm_gemm_tn(p->k, p->rows[i], rows, x, p->k, dy,
				      p->n, w->grad, how) :
			   rm_gemm_tn(p->rows[i], p->k, rows, dy, p->n, x,
				      p->k, w->grad, how);
}

int rm_product_back(const struct rm_run *r, const struct rm_product *p,
		    const rm_real *dy, const rm_real *x, size_t rows,
		    rm_real *dx, bool add)
{
	for (size_t i = 0, at = 0; i < p->parts; at += p->rows[i++])
		if (matrix_back(r, p, i, dy + at, x, rows) < 0)
			return -1;
	return dx ? rm_gemm_packed(rows, dy, p->back, dx, add) : 0;
}

/* Both, of the run's rows. */
static int product_back(const struct rm_run *r, const struct rm_product *p,
			const rm_real *dy, const rm_real *x, rm_real *dx,
			bool add)
{
	rm_product_bias_back(r, p, dy, r->rows);
	return rm_product_back(r, p, dy, x, r->rows, dx, add);
}

/* dx[rows, C] = what dy says of the x that was normed, or is added to it. */
static int norm_back_by(const struct rm_run *r, rm_real *dx,
			const rm_real *dy, const rm_real *x,
			const struct rm_layer *l, enum rm_slot slot, bool add)
{
	const struct rm_backbone *b = r->p->b;
	struct rm_norm n = rm_transformer_norm(b, l, slot);

	return rm_norm_backward(dx, rm_gradient(b, l->weight[slot]),
				rm_gradient(b, l->bias[slot]), dy, x, &n,
				r->rows, r->p->t->arch.hidden, add);
}

static int norm_back(const struct rm_run *r, rm_real *dx, const rm_real *dy,
		     const rm_real *x, const struct rm_layer *l,
		     enum rm_slot slot)
{
	return norm_back_by(r, dx, dy, x, l, slot, true);
}

static int norm_back_set(const struct rm_run *r, rm_real *dx,
			 const rm_real *dy, const rm_real *x,
			 const struct rm_layer *l, enum rm_slot slot)
{
	return norm_back_by(r, dx, dy, x, l, slot, false);
}

/* ---- halves of a layer ---- */

/* The gradient dt[rows, C] of what a half adds, before it was dropped. */
static const rm_real *drop_back(const struct rm_run *r, size_t i,
				enum rm_dropout_site site, const rm_real *dt)
{
	if (rm_transformer_dropout(r->p, i, site).p <= 0)
		return dt;
	rm_transformer_drop(r, i, site, 0, r->rows, r->s->t, dt,
			    r->p->t->arch.hidden);
	return r->s->t;
}

/*
 * t = ffn(h), h[rows, C]: dh from dt, or added to it.  dh may be dt.
 */
static int feed_back(struct rm_run *r, size_t i, const rm_real *dt,
		     const rm_real *h, rm_real *dh, bool add)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_layer *l = &t->layer[i];
	const struct rm_activation *f =
		&rm_activations[t->arch.activation];
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_space *s = r->s;
	size_t I = t->arch.ffn;

	dt = drop_back(r, i, RM_DROP_FFN_OUT, dt);
	if (product_back(r, &l->down, dt, k->g, s->dg, false) < 0)
		return -1;
	rm_transformer_drop(r, i, RM_DROP_FFN, 0, r->rows, s->dg, s->dg, I);
	if (t->gated)
		rm_gate_backward(s->df, s->dg, k->f, l->up.all_bias, f,
				 r->rows, I);
	else
		rm_slope_backward(s->df, s->dg, k->f, r->rows, I);
	return product_back(r, &l->up, s->df, h, dh, add);
}

/* to[T, width] = from[R, width] at the rows that were picked, else 0. */
static void unpick(const struct rm_run *r, rm_real *to, const rm_real *from,
		   size_t width)
{
	memset(to, 0, r->c->rows * width * sizeof(*to));
	for (size_t k = 0; k < r->n_pick; k++)
		for (size_t c = 0; c < width; c++)
			to[r->s->pick[k] * width + c] += from[k * width + c];
}

/* Through positions and norms of heads, in the place of dqkv. */
static int turn_back(const struct rm_run *r, size_t i)
{
	const struct rm_backbone *b = r->p->b;
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = &t->layer[i];
	const struct rm_rope_table *rope =
		&t->rope[a->sliding[i] && a->rope_sliding.theta > 0];
	const rm_real *raw = r->s->tape[i].raw;
	size_t W = t->qkv_width, D = a->head_dim;
	rm_real *q = r->s->dqkv, *k = q + t->k_at;
	struct rm_norm n;

	if (a->rope.theta > 0) {
		rm_rope_backward(q, W, a->heads, t->q_head, a->rotary,
				 r->s->position, rope->cos, rope->sin,
				 r->rows);
		rm_rope_backward(k, W, a->kv_heads, t->kv_head, a->rotary,
				 r->s->position, rope->cos, rope->sin,
				 r->rows);
	}
	if (l->weight[RM_Q_NORM] < 0)
		return 0;
	n = rm_transformer_norm(b, l, RM_Q_NORM);
	if (rm_norm_heads_backward(q, rm_gradient(b, l->weight[RM_Q_NORM]),
				   raw, W, a->heads, t->q_head, D, &n,
				   r->rows) < 0)
		return -1;
	n = rm_transformer_norm(b, l, RM_K_NORM);
	return rm_norm_heads_backward(k, rm_gradient(b, l->weight[RM_K_NORM]),
				      raw + t->k_at, W, a->kv_heads,
				      t->kv_head, D, &n, r->rows);
}

/*
 * One matrix that relative positions x went through, as keys or queries: dx
 * from dy.
 */
static int project_back(const struct rm_run *r, const struct rm_layer *l,
			enum rm_slot slot, const rm_real *dy,
			const rm_real *x, rm_real *dx)
{
	const struct rm_backbone *b = r->p->b;
	const struct rm_transformer *t = r->p->t;
	size_t rows = 2 * t->arch.span, C = t->arch.hidden;
	size_t HD = t->arch.heads * t->arch.head_dim;
	int w = l->weight[slot];

	if (b->params->param[w].lora &&
	    rm_lora_backward(b->params, (size_t)w, rows, dy, HD, x,
			     t->precision) < 0)
		return -1;
	return rm_linear_backward(dx, rm_gradient(b, w),
				  rm_gradient(b, l->bias[slot]), dy, x,
				  rm_value(b, w), rows, C, HD);
}

static int relative_back(const struct rm_run *r, size_t i)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = &t->layer[i];
	const rm_real *x = rm_transformer_relative(r->p, i);
	bool drops = x != t->relative;
	rm_real *dx = drops ? t->d_dropped : t->d_relative;
	struct rm_dropout d = rm_transformer_dropout(r->p, i,
						     RM_DROP_RELATIVE);

	if (drops)
		memset(dx, 0, 2 * a->span * a->hidden * sizeof(*dx));
	if (l->pos_key && project_back(r, l, a->share_key ? RM_K : RM_POS_KEY,
				       l->d_pos_key, x, dx) < 0)
		return -1;
	if (l->pos_query && project_back(r, l, a->share_key ? RM_Q :
					 RM_POS_QUERY, l->d_pos_query, x,
					 dx) < 0)
		return -1;
	if (drops)
		rm_dropout_backward(t->d_relative, dx, 2 * a->span,
				    a->hidden, &d);
	return 0;
}

/* da[T, H D] into dqkv, before heads are turned back. */
static int attention_back(const struct rm_run *r, size_t i, const rm_real *da)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = &t->layer[i];
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_attention at = rm_transformer_attention(r, i);
	size_t W = t->qkv_width, HD = a->heads * a->head_dim;
	size_t n = 2 * a->span * HD;
	const struct rm_attention_grad to = {
		.q = r->s->dqkv, .k = r->s->dqkv + t->k_at,
		.v = r->s->dqkv + t->v_at, .pos_key = l->d_pos_key,
		.pos_query = l->d_pos_query
	};

	if (l->d_pos_key)
		memset(l->d_pos_key, 0, n * sizeof(*l->d_pos_key));
	if (l->d_pos_query)
		memset(l->d_pos_query, 0, n * sizeof(*l->d_pos_query));
	if (rm_attention_backward(&to, da, k->a, HD, k->lse,
		(struct rm_heads){ k->qkv, W, t->q_head },
		(struct rm_heads){ k->qkv + t->k_at, W, t->kv_head },
		(struct rm_heads){ k->qkv + t->v_at, W, t->kv_head }, &at,
		r->s->text, r->n_texts) < 0)
		return -1;
	return relative_back(r, i);
}

/*
 * t = attention(h): dh[T, C] from dt, or added to it.  dt may be s->d or
 * s->spare.  Where only some rows went on, s->d is that of all rows
 * afterwards; dh NULL stands for s->d as it is then, with add.
 */
static int attend_back(struct rm_run *r, size_t i, const rm_real *dt,
		       const rm_real *h, rm_real *dh)
{
	const struct rm_transformer *t = r->p->t;
	const struct rm_arch *a = &t->arch;
	const struct rm_layer *l = &t->layer[i];
	struct rm_space *s = r->s;
	bool picked = i + 1 == a->layers && r->n_pick;
	size_t HD = a->heads * a->head_dim;
	rm_real *da = s->da;

	dt = drop_back(r, i, RM_DROP_ATTENTION_OUT, dt);
	if (product_back(r, &l->out, dt, picked ? s->pa : s->tape[i].a,
			 picked ? s->dqkv : da, false) < 0)
		return -1;
	if (picked) {
		unpick(r, s->spare, s->d, a->hidden);
		exchange(s);
		r->rows = r->c->rows;
		r->row = NULL;
	}
	if (rm_last_takes(r, i)) {
		if (dh)
			memset(dh, 0, r->rows * a->hidden * sizeof(*dh));
		return rm_last_backward(r, s->dqkv, h, dh ? dh : s->d);
	}
	if (picked)
		unpick(r, da, s->dqkv, HD);
	if (attention_back(r, i, da) < 0 || turn_back(r, i) < 0)
		return -1;
	/* Below the last layer all rows ask. */
	for (size_t k = 0; k < r->n_texts; k++)
		r->s->text[k].skip = r->s->text[k].rest = 0;
	return product_back(r, &l->qkv, s->dqkv, h, dh ? dh : s->d, !dh);
}

/* ---- layers, as in layers.c ---- */

static int after_back(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_space *s = r->s;

	if (norm_back_set(r, s->spare, s->d, k->s2, l, RM_FFN_NORM) < 0)
		return -1;
	exchange(s);
	if (feed_back(r, i, s->d, k->mid, s->d, true) < 0 ||
	    norm_back_set(r, s->spare, s->d, k->s1, l,
			  RM_ATTENTION_NORM) < 0)
		return -1;
	exchange(s);
	return attend_back(r, i, s->d, k->x, NULL);
}

/* The attention's half where it reads norm(x). */
static int normed_back(struct rm_run *r, const struct rm_layer *l, size_t i,
		       const rm_real *dt)
{
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_space *s = r->s;

	if (l->weight[RM_ATTENTION_NORM] < 0)
		return attend_back(r, i, dt, k->x, NULL);
	if (attend_back(r, i, dt, k->h, s->dh) < 0)
		return -1;
	return norm_back(r, s->d, s->dh, k->x, l, RM_ATTENTION_NORM);
}

static int before_back(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_space *s = r->s;

	if (feed_back(r, i, s->d, k->h2, s->dh, false) < 0 ||
	    norm_back(r, s->d, s->dh, k->mid, l, RM_FFN_NORM) < 0)
		return -1;
	return normed_back(r, l, i, s->d);
}

static int parallel_back(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_space *s = r->s;
	bool picked = i + 1 == r->p->t->arch.layers && r->n_pick;

	if (feed_back(r, i, s->d, k->h2, s->dh, false) < 0)
		return -1;
	memcpy(s->spare, s->d, r->rows * r->p->t->arch.hidden *
	       sizeof(*s->d));
	exchange(s);
	if (norm_back(r, s->d, s->dh, picked ? s->px : k->x, l,
		      RM_FFN_NORM) < 0)
		return -1;
	return normed_back(r, l, i, s->spare);
}

static int around_back(struct rm_run *r, const struct rm_layer *l, size_t i)
{
	const struct rm_tape *k = &r->s->tape[i];
	struct rm_space *s = r->s;

	if (norm_back_set(r, s->spare, s->d, k->s2, l, RM_FFN_OUT_NORM) < 0 ||
	    feed_back(r, i, s->spare, k->h2, s->dh, false) < 0 ||
	    norm_back(r, s->d, s->dh, k->mid, l, RM_FFN_NORM) < 0 ||
	    norm_back_set(r, s->spare, s->d, k->s1, l,
			  RM_ATTENTION_OUT_NORM) < 0)
		return -1;
	return normed_back(r, l, i, s->spare);
}

static int layer_back(struct rm_run *r, size_t i)
{
	static int (*const layers[])(struct rm_run *r,
				     const struct rm_layer *l, size_t i) = {
		[RM_NORM_BEFORE] = before_back,
		[RM_NORM_AFTER] = after_back,
		[RM_NORM_AROUND] = around_back,
		[RM_NORM_PARALLEL] = parallel_back
	};
	const struct rm_transformer *t = r->p->t;
	size_t rows = r->rows;

	/* What the layer left was overwritten by the one above it. */
	if (r->p->b->recompute && i + 1 < t->arch.layers) {
		if (rm_transformer_layer(r, i) < 0)
			return -1;
		r->rows = rows;
	}
	return layers[t->arch.order](r, &t->layer[i], i);
}

/* ---- embeddings ---- */

struct embedding {
	const struct rm_run *r;
	const rm_real *d;	/* [T, E or C] */
	rm_real *tokens, *types, *positions;
	size_t width, from, n;	/* columns of this piece */
};

static void add_to(const struct embedding *e, rm_real *to, size_t row_of,
		   size_t row, rm_real by)
{
	const rm_real *from = e->d + row * e->width + e->from;

	if (!to)
		return;
	to += row_of * e->width + e->from;
	for (size_t c = 0; c < e->n; c++)
		to[c] += by * from[c];
}

static bool is_trained_id(const struct rm_arch *a, const struct rm_place *at)
{
	bool fixed = a->slot[RM_TOKENS].flags & RM_PAD_FIXED;

	return !fixed || a->pad < 0 || at->id != (size_t)a->pad;
}

/* Where pads are not counted, they all stand on one row. */
static bool is_trained_position(const struct rm_arch *a,
				const struct rm_place *at)
{
	return !a->position_skips_pad || at->position != (size_t)a->pad;
}

static void embed_row_back(void *arg, size_t row, const struct rm_place *at)
{
	const struct embedding *e = arg;
	const struct rm_arch *a = &e->r->p->t->arch;
	double scale = a->embed_scale;

	if (is_trained_id(a, at))
		add_to(e, e->tokens, at->id, row,
		       scale > 0 ? (rm_real)scale : 1);
	add_to(e, e->types, at->type, row, 1);
	if (is_trained_position(a, at))
		add_to(e, e->positions, at->position, row, 1);
}

static void touch_rows(void *arg, size_t row, const struct rm_place *at)
{
	const struct rm_run *r = arg;
	const struct rm_transformer *t = r->p->t;
	struct rm_param *p = r->p->b->params->param;
	int positions = t->outer->weight[RM_POSITIONS];

	(void)row;
	if (is_trained_id(&t->arch, at))
		rm_param_touch(&p[t->outer->weight[RM_TOKENS]], at->id);
	if (positions >= 0 && is_trained_position(&t->arch, at))
		rm_param_touch(&p[positions], at->position);
}

static void embed_columns(void *arg, size_t i)
{
	struct embedding e = *(const struct embedding *)arg;

	e.from = i * COLUMNS;
	e.n = RM_MIN(COLUMNS, e.width - e.from);
	rm_transformer_each_row(e.r, embed_row_back, &e);
}

static void rows_back(struct embedding *e)
{
	if (e->tokens || e->types || e->positions)
		rm_parallel((e->width + COLUMNS - 1) / COLUMNS,
			    embed_columns, e);
}

static void give_input(void *arg, size_t row, const struct rm_place *at)
{
	const struct embedding *e = arg;
	struct rm_inputs *x = e->r->p->b->inputs;

	memcpy(x->grad + at->token * e->width, e->d + row * e->width,
	       e->width * sizeof(*x->grad));
}

static int embed_back(struct rm_run *r)
{
	const struct rm_backbone *b = r->p->b;
	const struct rm_transformer *t = r->p->t;
	const struct rm_layer *o = t->outer;
	struct rm_space *s = r->s;
	rm_real *positions = rm_gradient(b, o->weight[RM_POSITIONS]);
	bool apart = t->arch.in_before_positions;
	struct embedding e = { .r = r, .width = t->arch.hidden };

	rm_transformer_drop(r, 0, RM_DROP_EMBEDDINGS, 0, r->rows, s->d, s->d,
			    t->arch.hidden);
	rm_transformer_each_row(r, touch_rows, r);
	if (o->weight[RM_EMBED_NORM] >= 0) {
		if (norm_back_set(r, s->spare, s->d, s->x0, o,
				  RM_EMBED_NORM) < 0)
			return -1;
		exchange(s);
	}
	e.d = s->d;
	if (apart) {
		e.positions = positions;
		rows_back(&e);
	}
	if (t->in.parts) {
		if (product_back(r, &t->in, s->d, s->e, s->de, false) < 0)
			return -1;
		e.d = s->de;
		e.width = t->arch.embed;
	}
	e.tokens = rm_gradient(b, o->weight[RM_TOKENS]);
	e.types = rm_gradient(b, o->weight[RM_TYPES]);
	e.positions = apart ? NULL : positions;
	rows_back(&e);
	if (b->inputs)
		rm_transformer_each_row(r, give_input, &e);
	return 0;
}

/* What all layers said of the rows of relative positions. */
static int relative_rows_back(const struct rm_run *r)
{
	const struct rm_backbone *b = r->p->b;
	const struct rm_transformer *t = r->p->t;
	const struct rm_layer *o = t->outer;
	size_t rows = 2 * t->arch.span, C = t->arch.hidden;
	rm_real *d = rm_gradient(b, o->weight[RM_RELATIVE]);

	if (!t->d_relative)
		return 0;
	if (o->weight[RM_RELATIVE_NORM] >= 0) {
		struct rm_norm n = rm_transformer_norm(b, o,
						       RM_RELATIVE_NORM);

		return rm_norm_backward(d,
			rm_gradient(b, o->weight[RM_RELATIVE_NORM]),
			rm_gradient(b, o->bias[RM_RELATIVE_NORM]),
			t->d_relative, rm_value(b, o->weight[RM_RELATIVE]),
			&n, rows, C, true);
	}
	for (size_t i = 0; d && i < rows * C; i++)
		d[i] += t->d_relative[i];
	return 0;
}

/* ---- the whole ---- */

/* s->d: the gradient of the last layer's y. */
static int top_back(struct rm_run *r)
{
	const struct rm_transformer *t = r->p->t;
	struct rm_space *s = r->s;
	const rm_real *y = s->tape[t->arch.layers - 1].y;
	bool norms = t->outer->weight[RM_FINAL_NORM] >= 0;

	rm_transformer_take_grad(r, t->last.parts ? s->de : s->d);
	if (t->last.parts && product_back(r, &t->last, s->de, norms ? s->z :
					  y, s->d, false) < 0)
		return -1;
	if (!norms)
		return 0;
	if (norm_back_set(r, s->spare, s->d, y, t->outer, RM_FINAL_NORM) < 0)
		return -1;
	exchange(s);
	return 0;
}

int rm_transformer_backward(struct rm_backbone *b,
			    const struct rm_batch *batch)
{
	struct rm_transformer *t = b->self;
	struct rm_pass p = { .b = b, .t = t, .batch = batch };
	struct rm_run r;
	size_t i = t->arch.layers;

	if (!t->trains || rm_asks_nothing(batch))
		return 0;
	r = *t->last_run;
	r.p = &p;
	if (t->d_relative)
		memset(t->d_relative, 0, 2 * t->arch.span * t->arch.hidden *
		       sizeof(*t->d_relative));
	if (top_back(&r) < 0)
		return -1;
	while (i-- > t->lowest)
		if (layer_back(&r, i) < 0)
			return -1;
	if (t->lowest < t->arch.layers && relative_rows_back(&r) < 0)
		return -1;
	return t->trains_embeddings ? embed_back(&r) : 0;
}
