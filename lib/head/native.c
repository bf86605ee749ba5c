/*
 * native: the head that a transformer's family has in Transformers, in the
 * forms
 *
 *	s = w x				GPT-2, OPT, GPT-NeoX, Llama ...
 *	s = w f(v x + a) + b		BERT, RoBERTa, DistilBERT, DeBERTa
 *	s = w norm(f(v x + a)) + b	ModernBERT
 *
 * of the pooled row x, with dropout in training of what v and w read.  Which,
 * where, and the names of its tensors, come from
 * "config" in its configuration: the family's config.json.
 */
#include "family.h"
#include "head/kind.h"

static const struct rm_key keys[] = { RM_HEAD_KEYS };

struct native {
	struct rm_arch arch;
	int weight[RM_SLOTS], bias[RM_SLOTS];	/* -1: none */
	/* [n, C] each: what v reads, v x + a, through f, through the norm;
	 * gradients. */
	rm_real *x, *u, *f, *h, *dh, *df;
	size_t cap;				/* of rows */
};

static int add_tensor(struct rm_head *h, enum rm_slot slot, bool bias)
{
	struct native *n = h->self;
	struct rm_param p = {
		.trainable = true, .decay = !bias, .init = RM_INIT_NORMAL,
		.init_scale = .02
	};
	struct rm_buf name = {0};
	int i;

	p.n_dims = rm_arch_shape(&n->arch, slot, p.shape);
	if (bias)
		p.n_dims = 1;
	if (p.n_dims == 1) {
		p.init = bias ? RM_INIT_ZERO : RM_INIT_CONSTANT;
		p.init_scale = 1;
		p.decay = false;
	}
	rm_arch_name(&n->arch, slot, 0, bias ? ".bias" : ".weight", &name);
	p.name = rm_buf_text(&name);
	i = p.name ? rm_params_add(h->params, &p) : -1;
	rm_buf_fini(&name);
	return i;
}

static int native_describe(struct rm_head *h, const json_t *config)
{
	struct native *n = rm_calloc(1, sizeof(*n));

	if (!n)
		return -1;
	h->self = n;
	if (rm_arch_init(&n->arch, config) < 0)
		return -1;
	h->columns = n->arch.labels;
	for (int s = RM_FIRST_OF_HEAD; s < RM_SLOTS; s++) {
		n->weight[s] = n->bias[s] = -1;
		if (!n->arch.slot[s].name)
			continue;
		n->weight[s] = add_tensor(h, (enum rm_slot)s, false);
		if (n->weight[s] < 0)
			return -1;
		if (!(n->arch.slot[s].flags & RM_BIAS))
			continue;
		n->bias[s] = add_tensor(h, (enum rm_slot)s, true);
		if (n->bias[s] < 0)
			return -1;
	}
	return 0;
}

static const rm_real *value(const struct rm_head *h, int parameter)
{
	return parameter < 0 ? NULL : h->params->param[parameter].value;
}

static rm_real *gradient(const struct rm_head *h, int parameter)
{
	return parameter < 0 ? NULL : h->params->param[parameter].grad;
}

static struct rm_norm norm_of(const struct rm_head *h)
{
	const struct native *n = h->self;

	return (struct rm_norm){
		.kind = RM_NORM_LAYER, .eps = n->arch.eps,
		.g = value(h, n->weight[RM_HEAD_NORM]),
		.b = value(h, n->bias[RM_HEAD_NORM])
	};
}

static void free_rows(struct native *n)
{
	free(n->x);
	free(n->u);
	free(n->f);
	free(n->h);
	free(n->dh);
	free(n->df);
	n->x = n->u = n->f = n->h = n->dh = n->df = NULL;
	n->cap = 0;
}

static int need_rows(struct native *n, size_t rows, size_t C)
{
	if (rows <= n->cap)
		return 0;
	free_rows(n);
	n->x = rm_malloc(rows, C * sizeof(*n->x));
	n->u = rm_malloc(rows, C * sizeof(*n->u));
	n->f = rm_malloc(rows, C * sizeof(*n->f));
	n->h = rm_malloc(rows, C * sizeof(*n->h));
	n->dh = rm_malloc(rows, C * sizeof(*n->dh));
	n->df = rm_malloc(rows, C * sizeof(*n->df));
	if (!n->x || !n->u || !n->f || !n->h || !n->dh || !n->df)
		return -1;
	n->cap = rows;
	return 0;
}

static struct rm_dropout dropout_of(const struct rm_head *h,
				    const struct rm_batch *batch,
				    enum rm_dropout_site site)
{
	return (struct rm_dropout){
		.p = batch->train && h->dropout ? h->dropout[site] : 0,
		.seed = batch->seed, .step = batch->step, .layer = site,
		.first_row = batch->first_leaf
	};
}

/* What the last product reads: h, or f where there is no norm. */
static rm_real *inner(const struct native *n)
{
	return n->weight[RM_HEAD_NORM] < 0 ? n->f : n->h;
}

/* h = norm(f(v x + a)) */
static int inner_forward(struct rm_head *h, const struct rm_batch *batch,
			 const struct rm_hidden *hidden)
{
	struct native *n = h->self;
	size_t T = hidden->n, C = h->dim;
	struct rm_norm norm = norm_of(h);
	struct rm_dropout in = dropout_of(h, batch, RM_DROP_HEAD_DENSE);
	struct rm_dropout out = dropout_of(h, batch, RM_DROP_HEAD_OUT);

	if (need_rows(n, T, C) < 0)
		return -1;
	rm_dropout_forward(n->x, hidden->value, T, C, &in);
	if (rm_linear_forward(n->u, n->x,
			      value(h, n->weight[RM_HEAD_DENSE]),
			      value(h, n->bias[RM_HEAD_DENSE]), T, C, C) < 0)
		return -1;
	rm_activations[n->arch.head_activation].forward(n->f, n->u, T * C);
	if (n->weight[RM_HEAD_NORM] >= 0)
		rm_norm_forward(n->h, n->f, &norm, T, C);
	rm_dropout_forward(inner(n), inner(n), T, C, &out);
	return 0;
}

static int native_forward(struct rm_head *h, const struct rm_batch *batch,
			  const struct rm_hidden *hidden)
{
	struct native *n = h->self;
	bool dense = n->weight[RM_HEAD_DENSE] >= 0;

	if (dense && inner_forward(h, batch, hidden) < 0)
		return -1;
	return rm_linear_forward(h->scores, dense ? inner(n) : hidden->value,
				 value(h, n->weight[RM_HEAD_OUT]),
				 value(h, n->bias[RM_HEAD_OUT]), hidden->n,
				 h->dim, h->columns);
}

/* dh, of what the last product reads, into the parameters inside and dx. */
static int inner_backward(struct rm_head *h, const struct rm_batch *batch,
			  struct rm_hidden *hidden)
{
	struct native *n = h->self;
	size_t T = hidden->n, C = h->dim;
	struct rm_norm norm = norm_of(h);
	struct rm_dropout in = dropout_of(h, batch, RM_DROP_HEAD_DENSE);
	struct rm_dropout out = dropout_of(h, batch, RM_DROP_HEAD_OUT);

	rm_dropout_forward(n->dh, n->dh, T, C, &out);
	if (n->weight[RM_HEAD_NORM] >= 0 &&
	    rm_norm_backward(n->dh, gradient(h, n->weight[RM_HEAD_NORM]),
			     gradient(h, n->bias[RM_HEAD_NORM]), n->dh, n->f,
			     &norm, T, C, false) < 0)
		return -1;
	memset(n->df, 0, T * C * sizeof(*n->df));
	rm_activations[n->arch.head_activation].backward(n->df, n->dh, n->u,
							 T * C);
	/* From here on dh is the gradient of x. */
	memset(n->dh, 0, T * C * sizeof(*n->dh));
	if (rm_linear_backward(n->dh, gradient(h, n->weight[RM_HEAD_DENSE]),
			       gradient(h, n->bias[RM_HEAD_DENSE]), n->df,
			       n->x, value(h, n->weight[RM_HEAD_DENSE]), T, C,
			       C) < 0)
		return -1;
	rm_dropout_backward(hidden->grad, n->dh, T, C, &in);
	return 0;
}

static int native_backward(struct rm_head *h, const struct rm_batch *batch,
			   struct rm_hidden *hidden, const rm_real *dscores)
{
	struct native *n = h->self;
	bool dense = n->weight[RM_HEAD_DENSE] >= 0;

	if (dense)
		memset(n->dh, 0, hidden->n * h->dim * sizeof(*n->dh));
	if (rm_linear_backward(dense ? n->dh : hidden->grad,
			       gradient(h, n->weight[RM_HEAD_OUT]),
			       gradient(h, n->bias[RM_HEAD_OUT]), dscores,
			       dense ? inner(n) : hidden->value,
			       value(h, n->weight[RM_HEAD_OUT]), hidden->n,
			       h->dim, h->columns) < 0)
		return -1;
	return dense ? inner_backward(h, batch, hidden) : 0;
}

static void native_fini(struct rm_head *h)
{
	struct native *n = h->self;

	if (!n)
		return;
	free_rows(n);
	free(n);
}

const struct rm_head_kind rm_head_native = {
	.spec = { "native", "a transformer's own head, as its family has it",
		  keys, true },
	.describe = native_describe,
	.forward = native_forward,
	.backward = native_backward,
	.fini = native_fini
};
