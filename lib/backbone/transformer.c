/*
 * transformer: every family that lib/family.h describes, over packed rows.
 *
 * A batch is cut into chunks of whole texts; a chunk goes through all layers
 * in the memory of one thread, so threads never wait for each other and
 * memory does not grow with the batch.  A batch of one chunk is computed by
 * all threads together.  Which chunk a text is in changes none of its bits:
 * a row of a packed product depends on that row alone (gemm.h).
 *
 * T rows of a chunk, C channels, H heads of D numbers, G heads of keys and
 * values, I channels inside the feed-forward part, L layers.
 */
#include "backbone/transformer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- setting up ---- */

/* Transformers' initial values, as its classes have them by default. */
static double deviation(const struct rm_arch *a, enum rm_slot slot)
{
	if (a->small_ends && (slot == RM_ATTENTION_OUT || slot == RM_DOWN))
		return .02 / sqrt(2 * (double)a->layers);
	return .02;
}

static int add_tensor(struct rm_backbone *b, enum rm_slot slot, size_t layer,
		      const char *suffix, bool bias)
{
	struct rm_transformer *t = b->self;
	struct rm_param p = { .trainable = true, .init = RM_INIT_NORMAL,
			      .init_scale = deviation(&t->arch, slot) };
	struct rm_buf name = {0};
	int i;

	rm_arch_name(&t->arch, slot, layer, suffix, &name);
	p.n_dims = rm_arch_shape(&t->arch, slot, p.shape);
	if (bias) {
		p.shape[0] = t->arch.slot[slot].flags & RM_TRANSPOSED ?
			p.shape[1] : p.shape[0];
		p.n_dims = 1;
	}
	p.decay = p.n_dims == 2;
	p.by_row = slot == RM_TOKENS || slot == RM_POSITIONS;
	p.turned = !bias && t->arch.slot[slot].flags & RM_TRANSPOSED;
	if (p.n_dims == 1) {
		p.init = bias ? RM_INIT_ZERO : RM_INIT_CONSTANT;
		p.init_scale = 1 - t->arch.norm_offset;
	}
	p.name = rm_buf_text(&name);
	i = p.name ? rm_params_add(b->params, &p) : -1;
	rm_buf_fini(&name);
	return i;
}

static int add_slot(struct rm_backbone *b, struct rm_layer *l,
		    enum rm_slot slot, size_t layer)
{
	struct rm_transformer *t = b->self;

	if (!rm_arch_has(&t->arch, slot, layer))
		return 0;
	l->weight[slot] = add_tensor(b, slot, layer, ".weight", false);
	if (l->weight[slot] < 0)
		return -1;
	if (!(t->arch.slot[slot].flags & RM_BIAS))
		return 0;
	l->bias[slot] = add_tensor(b, slot, layer, ".bias", true);
	return l->bias[slot] < 0 ? -1 : 0;
}

static int add_parameters(struct rm_backbone *b)
{
	struct rm_transformer *t = b->self;

	for (size_t i = 0; i <= t->arch.layers; i++)
		for (int s = 0; s < RM_SLOTS; s++)
			t->layer[i].weight[s] = t->layer[i].bias[s] = -1;
	for (int s = 0; s < RM_FIRST_OF_LAYER; s++)
		if (add_slot(b, t->outer, (enum rm_slot)s, 0) < 0)
			return -1;
	for (size_t i = 0; i < t->arch.layers; i++)
		for (int s = RM_FIRST_OF_LAYER; s < RM_FIRST_OF_HEAD; s++)
			if (add_slot(b, &t->layer[i], (enum rm_slot)s,
				     i) < 0)
				return -1;
	return 0;
}

static void set_layout(struct rm_transformer *t)
{
	const struct rm_arch *a = &t->arch;
	size_t D = a->head_dim;

	t->qkv_width = (a->heads + 2 * a->kv_heads) * D;
	t->q_head = t->kv_head = a->qkv_by_head ? 3 * D : D;
	t->k_at = a->qkv_by_head ? D : a->heads * D;
	t->v_at = a->qkv_by_head ? 2 * D : (a->heads + a->kv_heads) * D;
	t->gated = a->slot[RM_GATE].name || a->slot[RM_GATE_UP].name;
	t->inner = t->gated ? 2 * a->ffn : a->ffn;
}

/* The slots that are there, one under the other, as one product. */
static void set_product(const struct rm_transformer *t, struct rm_product *p,
			const struct rm_layer *l, const enum rm_slot *slot,
			size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t shape[2];

		if (l->weight[slot[i]] < 0)
			continue;
		rm_arch_shape(&t->arch, slot[i], shape);
		p->turned = t->arch.slot[slot[i]].flags & RM_TRANSPOSED;
		p->k = shape[!p->turned];
		p->weight[p->parts] = l->weight[slot[i]];
		p->bias[p->parts] = l->bias[slot[i]];
		p->rows[p->parts++] = shape[p->turned];
		p->n += shape[p->turned];
	}
}

static void set_products(struct rm_transformer *t)
{
	static const enum rm_slot query[] = { RM_Q }, key[] = { RM_K };
	static const enum rm_slot value[] = { RM_V };
	static const enum rm_slot whole[] = { RM_QKV };
	static const enum rm_slot parts[] = { RM_Q, RM_K, RM_V };
	static const enum rm_slot out[] = { RM_ATTENTION_OUT };
	static const enum rm_slot up[] = { RM_GATE_UP, RM_GATE, RM_UP };
	static const enum rm_slot down[] = { RM_DOWN };
	static const enum rm_slot in[] = { RM_EMBED_IN };
	static const enum rm_slot last[] = { RM_EMBED_OUT };

	for (size_t i = 0; i < t->arch.layers; i++) {
		struct rm_layer *l = &t->layer[i];
		bool fused = l->weight[RM_QKV] >= 0;

		set_product(t, &l->qkv, l, fused ? whole : parts,
			    fused ? 1 : 3);
		set_product(t, &l->out, l, out, 1);
		set_product(t, &l->up, l, up, 3);
		set_product(t, &l->down, l, down, 1);
	}
	if (rm_last_fits(t)) {
		struct rm_layer *l = &t->layer[t->arch.layers - 1];

		set_product(t, &l->query, l, query, 1);
		set_product(t, &l->key, l, key, 1);
		set_product(t, &l->value, l, value, 1);
	}
	set_product(t, &t->in, t->outer, in, 1);
	set_product(t, &t->last, t->outer, last, 1);
}

static json_t *transformer_describe(const struct rm_spec *spec,
				    const json_t *config,
				    const struct rm_family_tokens *tokens)
{
	struct rm_family_choice choice;
	json_t *described = NULL;

	if (rm_spec_fill("backbone", spec, config, &choice) == 0)
		described = rm_family_config(&choice, tokens);
	if (!described)
		rm_wrap("backbone transformer");
	return described;
}

/* {"name": "transformer", "config": config.json} */
static int transformer_init(struct rm_backbone *b, const json_t *config,
			    size_t vocab)
{
	struct rm_transformer *t = rm_calloc(1, sizeof(*t));

	if (!t)
		return -1;
	b->self = t;
	if (!json_object_get(config, "config"))
		return rm_fail("backbone transformer: no config.json "
			       "describes it");
	if (rm_arch_init(&t->arch, json_object_get(config, "config")) < 0)
		return -1;
	if (vocab != t->arch.vocab)
		return rm_fail("%zu token ids, but config.json has "
			       "vocab_size %zu", vocab, t->arch.vocab);
	t->layer = rm_calloc(t->arch.layers + 1, sizeof(*t->layer));
	if (!t->layer)
		return -1;
	t->outer = t->layer + t->arch.layers;
	set_layout(t);
	b->dim = t->arch.slot[RM_EMBED_OUT].name ? t->arch.embed :
						   t->arch.hidden;
	b->prompt = t->arch.causal ? RM_PROMPT_SHARED : RM_PROMPT_COPIED;
	b->pooling = t->arch.pooling;
	b->pad = t->arch.pad;
	b->least = 1;
	b->most = t->arch.slot[RM_POSITIONS].name ? t->arch.max_length : 0;
	if (add_parameters(b) < 0)
		return -1;
	set_products(t);
	return 0;
}

static void product_fini(struct rm_product *p)
{
	rm_packed_free(p->along);
	rm_packed_free(p->back);
	free(p->all_bias);
	free(p->d_bias);
}

static void transformer_fini(struct rm_backbone *b)
{
	struct rm_transformer *t = b->self;

	if (!t)
		return;
	for (size_t i = 0; t->layer && i <= t->arch.layers; i++) {
		struct rm_layer *l = &t->layer[i];

		product_fini(&l->qkv);
		product_fini(&l->out);
		product_fini(&l->up);
		product_fini(&l->down);
		product_fini(&l->query);
		product_fini(&l->key);
		product_fini(&l->value);
		free(l->pos_key);
		free(l->pos_query);
		free(l->d_pos_key);
		free(l->d_pos_query);
	}
	product_fini(&t->in);
	product_fini(&t->last);
	free(t->relative);
	free(t->d_relative);
	free(t->dropped);
	free(t->d_dropped);
	rm_transformer_chunks_fini(t);
	free(t->layer);
	free(t);
}

/* ---- packing ---- */

/* The biases of all parts, those that have none 0. */
static int pack_bias(const struct rm_backbone *b, struct rm_product *p)
{
	bool biased = false;

	for (size_t i = 0; i < p->parts; i++)
		biased |= p->bias[i] >= 0;
	if (!biased)
		return 0;
	if (!p->all_bias)
		p->all_bias = rm_calloc(p->n, sizeof(*p->all_bias));
	if (!p->all_bias)
		return -1;
	for (size_t i = 0, at = 0; i < p->parts; at += p->rows[i++]) {
		const rm_real *from = rm_value(b, p->bias[i]);

		if (from)
			memcpy(p->all_bias + at, from,
			       p->rows[i] * sizeof(*from));
	}
	return 0;
}

/* Along, and if gradients come through it, back. */
static int pack(const struct rm_backbone *b, struct rm_product *p,
		enum rm_precision precision, bool back)
{
	struct rm_weights w = { .parts = p->parts, .k = p->k,
				.turned = p->turned };

	if (p->parts == 0)
		return 0;
	for (size_t i = 0; i < p->parts; i++) {
		w.w[i] = rm_value(b, p->weight[i]);
		w.rows[i] = p->rows[i];
	}
	if (rm_gemm_pack(&p->along, &w, RM_ALONG, precision) < 0 ||
	    pack_bias(b, p) < 0)
		return -1;
	if (!back)
		return 0;
	if (!p->d_bias)
		p->d_bias = rm_malloc(p->n, sizeof(*p->d_bias));
	if (!p->d_bias)
		return -1;
	return rm_gemm_pack(&p->back, &w, RM_BACK, precision);
}

static int need(rm_real **x, size_t n)
{
	if (!*x)
		*x = rm_malloc(n, sizeof(**x));
	return *x ? 0 : -1;
}

/* Rows x of relative positions through one of a layer's matrices. */
static int project(const struct rm_backbone *b, const struct rm_layer *l,
		   enum rm_slot slot, const rm_real *x, rm_real **y,
		   rm_real **d)
{
	const struct rm_transformer *t = b->self;
	const struct rm_arch *a = &t->arch;
	size_t HD = a->heads * a->head_dim, n = 2 * a->span * HD;

	if (need(y, n) < 0 || (t->lowest < a->layers && need(d, n) < 0))
		return -1;
	return rm_linear_forward(*y, x, rm_value(b, l->weight[slot]),
				 rm_value(b, l->bias[slot]), 2 * a->span,
				 a->hidden, HD);
}

struct rm_norm rm_transformer_norm(const struct rm_backbone *b,
			      const struct rm_layer *l, enum rm_slot slot)
{
	const struct rm_arch *a = &((struct rm_transformer *)b->self)->arch;

	return (struct rm_norm){
		.kind = a->rms ? RM_NORM_RMS : RM_NORM_LAYER,
		.eps = a->eps,
		.g = rm_value(b, l->weight[slot]),
		.b = rm_value(b, l->bias[slot]),
		.offset = (rm_real)a->norm_offset
	};
}

const rm_real *rm_transformer_relative(const struct rm_pass *p, size_t i)
{
	const struct rm_transformer *t = p->t;
	struct rm_dropout d = rm_transformer_dropout(p, i, RM_DROP_RELATIVE);

	if (d.p <= 0)
		return t->relative;
	rm_dropout_forward(t->dropped, t->relative, 2 * t->arch.span,
			   t->arch.hidden, &d);
	return t->dropped;
}

int rm_transformer_positions(const struct rm_pass *p)
{
	struct rm_transformer *t = p->t;
	const struct rm_arch *a = &t->arch;
	bool whole = rm_transformer_dropout(p, 0, RM_DROP_RELATIVE).p <= 0;
	size_t n = 2 * a->span * a->hidden;

	if (!t->relative || (whole && t->positions_whole))
		return 0;
	if (!whole && (need(&t->dropped, n) < 0 || need(&t->d_dropped, n) < 0))
		return -1;
	for (size_t i = 0; i < a->layers; i++) {
		struct rm_layer *l = &t->layer[i];
		const rm_real *x = rm_transformer_relative(p, i);

		if ((a->c2p && project(p->b, l, a->share_key ? RM_K :
				       RM_POS_KEY, x, &l->pos_key,
				       &l->d_pos_key) < 0) ||
		    (a->p2c && project(p->b, l, a->share_key ? RM_Q :
				       RM_POS_QUERY, x, &l->pos_query,
				       &l->d_pos_query) < 0))
			return -1;
	}
	t->positions_whole = whole;
	return 0;
}

static int pack_relative(struct rm_backbone *b)
{
	static const struct rm_batch scoring;
	struct rm_transformer *t = b->self;
	const struct rm_arch *a = &t->arch;
	const struct rm_pass p = { .b = b, .t = t, .batch = &scoring };
	size_t n = 2 * a->span * a->hidden;

	if (t->outer->weight[RM_RELATIVE] < 0)
		return 0;
	if (need(&t->relative, n) < 0 ||
	    (t->lowest < a->layers && need(&t->d_relative, n) < 0))
		return -1;
	memcpy(t->relative, rm_value(b, t->outer->weight[RM_RELATIVE]),
	       n * sizeof(*t->relative));
	if (t->outer->weight[RM_RELATIVE_NORM] >= 0) {
		struct rm_norm norm = rm_transformer_norm(b, t->outer,
							  RM_RELATIVE_NORM);

		rm_norm_forward(t->relative, t->relative, &norm, 2 * a->span,
				a->hidden);
	}
	t->positions_whole = false;
	return rm_transformer_positions(&p);
}

static bool any_trained(const struct rm_backbone *b, const struct rm_layer *l,
			int from, int to)
{
	for (int s = from; s < to; s++)
		if (rm_is_trained(b, l->weight[s]) ||
		    rm_is_trained(b, l->bias[s]))
			return true;
	return false;
}

/* Below the lowest layer that is trained nothing needs gradients. */
static void find_lowest(struct rm_backbone *b)
{
	struct rm_transformer *t = b->self;

	t->trains_embeddings = b->wants_inputs ||
		any_trained(b, t->outer, 0, RM_FINAL_NORM);
	t->lowest = 0;
	while (!t->trains_embeddings && t->lowest < t->arch.layers &&
	       !any_trained(b, &t->layer[t->lowest], RM_FIRST_OF_LAYER,
			    RM_FIRST_OF_HEAD))
		t->lowest++;
}

static int transformer_ready(struct rm_backbone *b,
			     enum rm_precision precision)
{
	struct rm_transformer *t = b->self;
	bool outer;

	t->precision = precision;
	find_lowest(b);
	outer = t->trains = t->lowest < t->arch.layers ||
		any_trained(b, t->outer, RM_FINAL_NORM, RM_FIRST_OF_LAYER);
	for (size_t i = 0; i < t->arch.layers; i++) {
		struct rm_layer *l = &t->layer[i];
		bool back = i >= t->lowest;

		if (pack(b, &l->qkv, precision, back) < 0 ||
		    pack(b, &l->out, precision, back) < 0 ||
		    pack(b, &l->up, precision, back) < 0 ||
		    pack(b, &l->down, precision, back) < 0 ||
		    pack(b, &l->query, precision, back) < 0 ||
		    pack(b, &l->key, precision, true) < 0 ||
		    pack(b, &l->value, precision, back) < 0)
			return -1;
	}
	if (pack(b, &t->in, precision, t->trains_embeddings) < 0 ||
	    pack(b, &t->last, precision, outer) < 0 || pack_relative(b) < 0)
		return -1;
	t->ready = true;
	return 0;
}

/* A row a token. */
static int transformer_inputs(struct rm_backbone *b,
			      const struct rm_batch *batch,
			      struct rm_inputs *to)
{
	const struct rm_transformer *t = b->self;

	if (rm_inputs_reserve(to, batch->n_tokens, t->arch.embed) < 0)
		return -1;
	for (size_t i = 0; i < batch->n_segments; i++) {
		const struct rm_segment *s = &batch->segment[i];

		for (size_t k = 0; k < s->length; k++) {
			to->segment[s->start + k] = i;
			to->prompt[s->start + k] = k < s->prompt;
		}
	}
	return 0;
}

/* ---- the kind ---- */

const struct rm_backbone_kind rm_backbone_transformer = {
	.spec = { "transformer", "layers of attention that begin with random "
		  "values; --base begins with a pretrained model's",
		  rm_family_choice_keys, true },
	.tokens = true,
	.describe = transformer_describe,
	.init = transformer_init,
	.ready = transformer_ready,
	.forward = rm_transformer_forward,
	.inputs = transformer_inputs,
	.backward = rm_transformer_backward,
	.fini = transformer_fini
};
