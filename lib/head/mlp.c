/*
 * Heads of a hidden layer a = dropout(f(w1 x + b1)) that all columns share:
 *
 *	mlp		s = w2 a + b2
 *	multitask	s_k = w2_k a + b2_k for the reward and each objective
 *
 * x being the row after dropout.
 */
#include "head/kind.h"

struct mlp {
	struct rm_dense dense;
	struct rm_affine out;
	struct rm_input in;
};

static int mlp_init_columns(struct rm_head *h, size_t K)
{
	struct mlp *m = rm_calloc(1, sizeof(*m));
	size_t H = h->o.hidden;

	h->self = m;
	h->columns = K;
	if (!m || rm_dense_init(&m->dense, h, "score.dense", h->dim, H) < 0)
		return -1;
	return rm_affine_init(&m->out, h, "score.out", H, K, RM_INIT_NORMAL,
			      sqrt(1 / (double)H));
}

static int mlp_init(struct rm_head *h)
{
	return mlp_init_columns(h, 1);
}

static int mlp_forward(struct rm_head *h, const struct rm_batch *batch,
		       const struct rm_hidden *hidden)
{
	struct mlp *m = h->self;
	size_t n = hidden->n;

	if (rm_input_forward(&m->in, h, batch, hidden) < 0 ||
	    rm_dense_forward(&m->dense, h, batch, m->in.x, n) < 0)
		return -1;
	return rm_affine_forward(&m->out, h, h->scores, m->dense.a, n);
}

static int mlp_backward(struct rm_head *h, const struct rm_batch *batch,
			struct rm_hidden *hidden, const rm_real *dscores)
{
	struct mlp *m = h->self;
	size_t n = hidden->n;

	if (rm_affine_backward(&m->out, h, m->dense.da, dscores, m->dense.a,
			       n) < 0 ||
	    rm_dense_backward(&m->dense, h, batch, m->in.dx, m->in.x, n) < 0)
		return -1;
	rm_input_backward(&m->in, h, batch, hidden);
	return 0;
}

static void mlp_fini(struct rm_head *h)
{
	struct mlp *m = h->self;

	if (m) {
		rm_dense_fini(&m->dense);
		rm_input_fini(&m->in);
	}
	free(m);
}

static const struct rm_key mlp_keys[] = {
	RM_HEAD_HIDDEN("width of the hidden layer"),
	RM_HEAD_DROPOUT, RM_HEAD_KEYS
};

const struct rm_head_kind rm_head_mlp = {
	.spec = { "mlp", "a hidden layer, then a linear one: r = w2 f(w1 x + "
		  "b1) + b2", mlp_keys, false },
	.init = mlp_init,
	.forward = mlp_forward,
	.backward = mlp_backward,
	.fini = mlp_fini
};

static int multitask_init(struct rm_head *h)
{
	return rm_head_name_columns(h, &h->o.objectives) < 0 ? -1 :
	       mlp_init_columns(h, h->columns);
}

static const struct rm_key multitask_keys[] = {
	RM_HEAD_OBJECTIVES,
	RM_HEAD_HIDDEN("width of the layer that all share"),
	RM_HEAD_DROPOUT, RM_HEAD_KEYS
};

const struct rm_head_kind rm_head_multitask = {
	.spec = { "multitask", "a hidden layer that the reward and each "
		  "objective share: s_k = v_k f(w x + b) + c_k (Caruana "
		  "1997); for --loss multitask", multitask_keys, false },
	.init = multitask_init,
	.forward = mlp_forward,
	.backward = mlp_backward,
	.fini = mlp_fini
};
