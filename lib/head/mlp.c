/*
 * mlp: s = w2 dropout(f(w1 dropout(x) + b1)) + b2, one score a response.
 */
#include "head.h"
#include "nn.h"
#include "op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct options {
	size_t hidden, activation;
	double dropout;
};

static const struct rm_key keys[] = {
	RM_KEY_SIZE("hidden", struct options, hidden, 1, 65536, "32",
		    "width of the hidden layer"),
	RM_KEY_CHOICE("activation", struct options, activation,
		      rm_activation_names, "gelu",
		      "function of the hidden layer"),
	RM_KEY_DOUBLE("dropout", struct options, dropout, 0, .95, "0",
		      "share of the hidden numbers set to zero in training"),
	RM_KEY_END
};

struct mlp {
	struct options o;
	size_t w1, b1, w2, b2;	/* parameters */
	/*
	 * n rows each: x [C] and a [hidden] after dropout, z [hidden] before
	 * the activation; gradients.  One block.
	 */
	rm_real *block, *x, *z, *a, *dx, *dz, *da;
	size_t cap;
};

static int add(struct rm_head *h, size_t *index, const char *name,
	       size_t rows, size_t columns, double scale)
{
	const struct rm_param param = {
		.name = name,
		.n_dims = columns ? 2 : 1, .shape = { rows, columns },
		.trainable = true, .decay = columns > 0,
		.init = columns ? RM_INIT_NORMAL : RM_INIT_ZERO,
		.init_scale = scale
	};
	int i = rm_params_add(h->params, &param);

	if (i < 0)
		return -1;
	*index = (size_t)i;
	return 0;
}

static int mlp_init(struct rm_head *h, const json_t *config)
{
	struct mlp *m = rm_calloc(1, sizeof(*m));

	if (!m)
		return -1;
	h->self = m;
	h->columns = 1;
	if (rm_spec_fill("head", &h->kind->spec, config, &m->o) < 0)
		return -1;
	size_t H = m->o.hidden, C = h->dim;
	/* Variance kept from layer to layer (He et al., 2015). */
	if (add(h, &m->w1, "score.dense.weight", H, C,
		sqrt(2 / (double)C)) < 0 ||
	    add(h, &m->b1, "score.dense.bias", H, 0, 0) < 0 ||
	    add(h, &m->w2, "score.out.weight", 1, H,
		sqrt(1 / (double)H)) < 0 ||
	    add(h, &m->b2, "score.out.bias", 1, 0, 0) < 0)
		return -1;
	return 0;
}

static int reserve(struct mlp *m, size_t n, size_t C)
{
	size_t H = m->o.hidden, need = n * (2 * C + 4 * H);

	if (rm_grow(&m->block, &m->cap, need, sizeof(*m->block)) < 0)
		return -1;
	m->x = m->block;
	m->dx = m->x + n * C;
	m->z = m->dx + n * C;
	m->a = m->z + n * H;
	m->dz = m->a + n * H;
	m->da = m->dz + n * H;
	return 0;
}

/* The masks of the two layers differ. */
static struct rm_dropout dropout_of(const struct mlp *m,
				    const struct rm_batch *batch,
				    uint64_t layer)
{
	return (struct rm_dropout){
		.p = batch->train ? m->o.dropout : 0,
		.seed = batch->seed,
		.step = batch->step,
		.layer = layer,
		.first_row = batch->first_leaf
	};
}

static int mlp_forward(struct rm_head *h, const struct rm_batch *batch,
		       const struct rm_hidden *hidden)
{
	struct mlp *m = h->self;
	const struct rm_param *p = h->params->param;
	size_t n = hidden->n, C = h->dim, H = m->o.hidden;
	struct rm_dropout d0 = dropout_of(m, batch, 0);
	struct rm_dropout d1 = dropout_of(m, batch, 1);

	if (reserve(m, n, C) < 0)
		return -1;
	rm_dropout_forward(m->x, hidden->value, n, C, &d0);
	if (rm_linear_forward(m->z, m->x, p[m->w1].value, p[m->b1].value, n,
			      C, H) < 0)
		return -1;
	rm_activations[m->o.activation].forward(m->a, m->z, n * H);
	rm_dropout_forward(m->a, m->a, n, H, &d1);
	return rm_linear_forward(h->scores, m->a, p[m->w2].value,
				 p[m->b2].value, n, H, 1);
}

/* s = w2 a + b2, a = drop(f(z)), z = w1 x + b1, x = drop(hidden) */
static int mlp_backward(struct rm_head *h, const struct rm_batch *batch,
			struct rm_hidden *hidden, const rm_real *dscores)
{
	struct mlp *m = h->self;
	const struct rm_param *p = h->params->param;
	size_t n = hidden->n, C = h->dim, H = m->o.hidden;
	struct rm_dropout d0 = dropout_of(m, batch, 0);
	struct rm_dropout d1 = dropout_of(m, batch, 1);

	memset(m->dx, 0, n * C * sizeof(*m->dx));
	memset(m->dz, 0, 2 * n * H * sizeof(*m->dz));
	/* da += dscores w2; the gradient before dropout is da keep */
	if (rm_linear_backward(m->da, p[m->w2].grad, p[m->b2].grad, dscores,
			       m->a, p[m->w2].value, n, H, 1) < 0)
		return -1;
	rm_dropout_forward(m->da, m->da, n, H, &d1);
	/* dz += da f'(z) */
	rm_activations[m->o.activation].backward(m->dz, m->da, m->z, n * H);
	/* dx += dz w1 */
	if (rm_linear_backward(m->dx, p[m->w1].grad, p[m->b1].grad, m->dz,
			       m->x, p[m->w1].value, n, C, H) < 0)
		return -1;
	rm_dropout_backward(hidden->grad, m->dx, n, C, &d0);
	return 0;
}

static void mlp_fini(struct rm_head *h)
{
	struct mlp *m = h->self;

	if (!m)
		return;
	free(m->block);
	free(m);
}

const struct rm_head_kind rm_head_mlp = {
	.spec = { "mlp", "a hidden layer, then a linear one", keys,
		  false },
	.init = mlp_init,
	.forward = mlp_forward,
	.backward = mlp_backward,
	.fini = mlp_fini
};
