/*
 * Heads of one linear layer:
 *
 *	linear		s = w x + b
 *	calibrated	s = (w x + b) / exp(t)
 *	uncertainty	s0 = w0 x + b0, s1 = w1 x + b1
 *
 * x being the row after dropout.
 */
#include "head/kind.h"

static const struct rm_key keys[] = { RM_HEAD_DROPOUT, RM_HEAD_KEYS };

struct linear {
	struct rm_affine out;
	size_t temperature;	/* parameter of calibrated */
	struct rm_input in;
};

/*
 * Of norm 1: the bag's rows start at zero, so only its size counts.  Over one
 * column it is no more than a scale, which those rows have already; trained
 * beside them it would raise their rate.
 */
static int init_columns(struct rm_head *h, size_t K)
{
	struct linear *l = rm_calloc(1, sizeof(*l));

	h->self = l;
	h->columns = K;
	if (!l || rm_affine_init(&l->out, h, "score", h->dim, K, RM_INIT_SIGN,
				 1 / sqrt((double)h->dim)) < 0)
		return -1;
	h->params->param[l->out.weight].trainable = h->dim > 1;
	return 0;
}

static int linear_init(struct rm_head *h)
{
	return init_columns(h, 1);
}

static int linear_forward(struct rm_head *h, const struct rm_batch *batch,
			  const struct rm_hidden *hidden)
{
	struct linear *l = h->self;

	return rm_input_forward(&l->in, h, batch, hidden) < 0 ? -1 :
	       rm_affine_forward(&l->out, h, h->scores, l->in.x, hidden->n);
}

static int linear_backward(struct rm_head *h, const struct rm_batch *batch,
			   struct rm_hidden *hidden, const rm_real *dscores)
{
	struct linear *l = h->self;

	if (rm_affine_backward(&l->out, h, l->in.dx, dscores, l->in.x,
			       hidden->n) < 0)
		return -1;
	rm_input_backward(&l->in, h, batch, hidden);
	return 0;
}

static void linear_fini(struct rm_head *h)
{
	struct linear *l = h->self;

	if (l)
		rm_input_fini(&l->in);
	free(l);
}

const struct rm_head_kind rm_head_linear = {
	.spec = { "linear", "one linear layer: r = w x + b", keys, false },
	.init = linear_init,
	.forward = linear_forward,
	.backward = linear_backward,
	.fini = linear_fini
};

/* ---- uncertainty ---- */

static int uncertainty_init(struct rm_head *h)
{
	return init_columns(h, 2);
}

/* As the loss of that name reads column 1. */
static double uncertainty_sd(const struct rm_head *h, const rm_real *scores)
{
	(void)h;
	return sqrt(1e-6 - rm_log_sigmoid(-(double)scores[1]));
}

const struct rm_head_kind rm_head_uncertainty = {
	.spec = { "uncertainty", "a linear layer of two columns, the reward's "
		  "mean and its variance: r = w0 x + b0, v = softplus(w1 x + "
		  "b1) (Nix and Weigend 1994); for --loss uncertainty", keys,
		  false },
	.init = uncertainty_init,
	.forward = linear_forward,
	.backward = linear_backward,
	.sd = uncertainty_sd,
	.fini = linear_fini
};

/* ---- calibrated ---- */

static int calibrated_init(struct rm_head *h)
{
	const struct rm_param t = {
		.name = "score.temperature",
		.n_dims = 1, .shape = { 1 }, .trainable = true
	};
	int i;

	if (init_columns(h, 1) < 0)
		return -1;
	i = rm_params_add(h->params, &t);
	((struct linear *)h->self)->temperature = (size_t)i;
	return i < 0 ? -1 : 0;
}

/* 1 / exp(t) */
static rm_real divisor(const struct rm_head *h)
{
	const struct linear *l = h->self;

	return (rm_real)exp(-(double)h->params->param[l->temperature].value[0]);
}

static int calibrated_forward(struct rm_head *h, const struct rm_batch *batch,
			      const struct rm_hidden *hidden)
{
	rm_real by = divisor(h);

	if (linear_forward(h, batch, hidden) < 0)
		return -1;
	for (size_t i = 0; i < hidden->n; i++)
		h->scores[i] *= by;
	return 0;
}

/* s = u exp(-t): du = ds exp(-t), dt = -sum of ds s */
static int calibrated_backward(struct rm_head *h, const struct rm_batch *batch,
			       struct rm_hidden *hidden,
			       const rm_real *dscores)
{
	const struct linear *l = h->self;
	rm_real *dt = h->params->param[l->temperature].grad, by = divisor(h);
	double sum = 0;

	for (size_t i = 0; i < hidden->n; i++) {
		sum -= (double)dscores[i] * (double)h->scores[i];
		/* The scores are not needed any more. */
		h->scores[i] = dscores[i] * by;
	}
	if (dt)
		*dt += (rm_real)sum;
	return linear_backward(h, batch, hidden, h->scores);
}

const struct rm_head_kind rm_head_calibrated = {
	.spec = { "calibrated", "one linear layer over a temperature that is "
		  "learned beside it: r = (w x + b) / exp(t) (temperature: "
		  "Guo et al. 2017)", keys, false },
	.init = calibrated_init,
	.forward = calibrated_forward,
	.backward = calibrated_backward,
	.fini = linear_fini
};
