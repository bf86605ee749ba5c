/* Pieces that heads are made of: see kind.h. */
#include "head/kind.h"

struct rm_dropout rm_head_dropout(const struct rm_head *h,
				  const struct rm_batch *batch,
				  uint64_t layer)
{
	return (struct rm_dropout){
		.p = batch->train ? h->o.dropout : 0,
		.seed = batch->seed,
		.step = batch->step,
		.layer = layer,
		.first_row = batch->first_leaf
	};
}

int rm_head_name_columns(struct rm_head *h, const struct rm_names *names)
{
	h->columns = 1 + names->n;
	h->names = rm_calloc(names->n, sizeof(*h->names));
	for (size_t i = 0; h->names && i < names->n; i++)
		h->names[i] = names->name[i];
	return h->names ? 0 : -1;
}

/* ---- affine ---- */

static int add(struct rm_head *h, size_t *index, const char *name,
	       const char *suffix, struct rm_param *param)
{
	struct rm_buf b = {0};
	int i = -1;

	rm_buf_printf(&b, "%s%s", name, suffix);
	param->name = rm_buf_text(&b);
	if (param->name)
		i = rm_params_add(h->params, param);
	rm_buf_fini(&b);
	*index = (size_t)i;
	return i < 0 ? -1 : 0;
}

int rm_affine_init(struct rm_affine *a, struct rm_head *h, const char *name,
		   size_t in, size_t out, enum rm_init init, double scale)
{
	struct rm_param weight = {
		.n_dims = 2, .shape = { out, in },
		.trainable = true, .decay = true,
		.init = init, .init_scale = scale
	};
	struct rm_param bias = {
		.n_dims = 1, .shape = { out }, .trainable = true
	};

	a->in = in;
	a->out = out;
	if (add(h, &a->weight, name, ".weight", &weight) < 0)
		return -1;
	return add(h, &a->bias, name, ".bias", &bias);
}

int rm_affine_forward(const struct rm_affine *a, const struct rm_head *h,
		      rm_real *y, const rm_real *x, size_t n)
{
	const struct rm_param *p = h->params->param;

	return rm_linear_forward(y, x, p[a->weight].value, p[a->bias].value,
				 n, a->in, a->out);
}

int rm_affine_backward(const struct rm_affine *a, const struct rm_head *h,
		       rm_real *dx, const rm_real *dy, const rm_real *x,
		       size_t n)
{
	const struct rm_param *p = h->params->param;

	return rm_linear_backward(dx, p[a->weight].grad, p[a->bias].grad, dy,
				  x, p[a->weight].value, n, a->in, a->out);
}

/* ---- a hidden layer ---- */

/* Variance kept from layer to layer (He et al., 2015). */
int rm_dense_init(struct rm_dense *d, struct rm_head *h, const char *name,
		  size_t in, size_t out)
{
	return rm_affine_init(&d->affine, h, name, in, out, RM_INIT_NORMAL,
			      sqrt(2 / (double)in));
}

int rm_dense_forward(struct rm_dense *d, const struct rm_head *h,
		     const struct rm_batch *batch, const rm_real *x, size_t n)
{
	size_t O = d->affine.out;
	struct rm_dropout drop = rm_head_dropout(h, batch, 1);

	if (rm_grow(&d->z, &d->cap, 4 * n * O, sizeof(*d->z)) < 0 ||
	    rm_affine_forward(&d->affine, h, d->z, x, n) < 0)
		return -1;
	d->a = d->z + n * O;
	d->da = d->a + n * O;
	d->dz = d->da + n * O;
	rm_activations[h->o.activation].forward(d->a, d->z, n * O);
	rm_dropout_forward(d->a, d->a, n, O, &drop);
	memset(d->da, 0, 2 * n * O * sizeof(*d->da));
	return 0;
}

int rm_dense_backward(struct rm_dense *d, const struct rm_head *h,
		      const struct rm_batch *batch, rm_real *dx,
		      const rm_real *x, size_t n)
{
	size_t O = d->affine.out;
	struct rm_dropout drop = rm_head_dropout(h, batch, 1);

	/* The gradient before dropout is da keep; dz += that times f'(z) */
	rm_dropout_forward(d->da, d->da, n, O, &drop);
	rm_activations[h->o.activation].backward(d->dz, d->da, d->z, n * O);
	return rm_affine_backward(&d->affine, h, dx, d->dz, x, n);
}

void rm_dense_fini(struct rm_dense *d)
{
	free(d->z);
}

/* ---- what is read ---- */

int rm_input_forward(struct rm_input *in, const struct rm_head *h,
		     const struct rm_batch *batch,
		     const struct rm_hidden *hidden)
{
	struct rm_dropout d = rm_head_dropout(h, batch, 0);
	size_t n = hidden->n * h->dim;

	in->x = hidden->value;
	in->dx = hidden->grad;
	if (d.p <= 0)
		return 0;
	if (rm_grow(&in->block, &in->cap, 2 * n, sizeof(*in->block)) < 0)
		return -1;
	in->x = in->block;
	in->dx = in->block + n;
	rm_dropout_forward(in->x, hidden->value, hidden->n, h->dim, &d);
	memset(in->dx, 0, n * sizeof(*in->dx));
	return 0;
}

void rm_input_backward(struct rm_input *in, const struct rm_head *h,
		       const struct rm_batch *batch, struct rm_hidden *hidden)
{
	struct rm_dropout d = rm_head_dropout(h, batch, 0);

	if (in->dx != hidden->grad)
		rm_dropout_backward(hidden->grad, in->dx, hidden->n, h->dim,
				    &d);
}

void rm_input_fini(struct rm_input *in)
{
	free(in->block);
}

/* ---- weights that sum to one ---- */

void rm_softmax_forward(rm_real *w, const rm_real *x, size_t m)
{
	double most = -INFINITY, total = 0;

	for (size_t i = 0; i < m; i++)
		most = fmax(most, (double)x[i]);
	for (size_t i = 0; i < m; i++)
		total += exp((double)x[i] - most);
	for (size_t i = 0; i < m; i++)
		w[i] = (rm_real)(exp((double)x[i] - most) / total);
}

/* dx_i += w_i (dw_i - sum of w_j dw_j) */
void rm_softmax_backward(rm_real *dx, const rm_real *dw, const rm_real *w,
			 size_t m)
{
	double mean = 0;

	for (size_t i = 0; i < m; i++)
		mean += (double)w[i] * (double)dw[i];
	for (size_t i = 0; i < m; i++)
		dx[i] += (rm_real)((double)w[i] * ((double)dw[i] - mean));
}
