/*
 * linear: s = w dropout(x) + b, one score a response.
 */
#include "head.h"
#include "nn.h"

#include <math.h>
#include <stdlib.h>

struct options {
	double dropout;
};

static const struct rm_key keys[] = {
	RM_KEY_DOUBLE("dropout", struct options, dropout, 0, .95, "0",
		      "share of the hidden numbers set to zero in training"),
	RM_KEY_END
};

struct linear {
	struct options o;
	size_t weight, bias;	/* parameters */
	rm_real *x, *dx;	/* [n, C] after dropout, and its gradient */
	size_t cap_x, cap_dx;
};

static int linear_init(struct rm_head *h, const json_t *config)
{
	struct linear *l = rm_calloc(1, sizeof(*l));
	/*
	 * Of norm 1: the bag's rows start at zero, so only its size counts.
	 * Over one column it is no more than a scale, which those rows have
	 * already; trained beside them it would raise their rate.
	 */
	const struct rm_param weight = {
		.name = "score.weight",
		.n_dims = 2, .shape = { 1, h->dim },
		.trainable = h->dim > 1, .decay = true,
		.init = RM_INIT_SIGN,
		.init_scale = 1 / sqrt((double)h->dim)
	};
	const struct rm_param bias = {
		.name = "score.bias",
		.n_dims = 1, .shape = { 1 },
		.trainable = true
	};

	if (!l)
		return -1;
	h->self = l;
	h->columns = 1;
	if (rm_spec_fill("head", &h->kind->spec, config, &l->o) < 0)
		return -1;
	int w = rm_params_add(h->params, &weight);
	int b = w < 0 ? -1 : rm_params_add(h->params, &bias);
	if (b < 0)
		return -1;
	l->weight = (size_t)w;
	l->bias = (size_t)b;
	return 0;
}

static struct rm_dropout dropout_of(const struct linear *l,
				    const struct rm_batch *batch)
{
	return (struct rm_dropout){
		.p = batch->train ? l->o.dropout : 0,
		.seed = batch->seed,
		.step = batch->step,
		.first_row = batch->first_leaf
	};
}

static int linear_forward(struct rm_head *h, const struct rm_batch *batch,
			  const struct rm_hidden *hidden)
{
	struct linear *l = h->self;
	const struct rm_param *p = h->params->param;
	struct rm_dropout d = dropout_of(l, batch);
	const rm_real *x = hidden->value;

	if (d.p > 0) {
		if (rm_grow(&l->x, &l->cap_x, hidden->n * h->dim,
			    sizeof(*l->x)) < 0)
			return -1;
		rm_dropout_forward(l->x, x, hidden->n, h->dim, &d);
		x = l->x;
	}
	return rm_linear_forward(h->scores, x, p[l->weight].value,
				 p[l->bias].value, hidden->n, h->dim,
				 h->columns);
}

static int linear_backward(struct rm_head *h, const struct rm_batch *batch,
			   struct rm_hidden *hidden, const rm_real *dscores)
{
	struct linear *l = h->self;
	const struct rm_param *p = h->params->param;
	struct rm_dropout d = dropout_of(l, batch);
	size_t n = hidden->n * h->dim;
	bool drop = d.p > 0;

	if (drop && rm_grow(&l->dx, &l->cap_dx, n, sizeof(*l->dx)) < 0)
		return -1;
	for (size_t i = 0; drop && i < n; i++)
		l->dx[i] = 0;
	if (rm_linear_backward(drop ? l->dx : hidden->grad,
			       p[l->weight].grad, p[l->bias].grad, dscores,
			       drop ? l->x : hidden->value,
			       p[l->weight].value, hidden->n, h->dim,
			       h->columns) < 0)
		return -1;
	if (drop)
		rm_dropout_backward(hidden->grad, l->dx, hidden->n, h->dim,
				    &d);
	return 0;
}

static void linear_fini(struct rm_head *h)
{
	struct linear *l = h->self;

	if (!l)
		return;
	free(l->x);
	free(l->dx);
	free(l);
}

const struct rm_head_kind rm_head_linear = {
	.spec = { "linear", "one linear layer", keys, false },
	.init = linear_init,
	.forward = linear_forward,
	.backward = linear_backward,
	.fini = linear_fini
};
