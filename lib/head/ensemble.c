/*
 * ensemble: n members that begin apart, each a reward of its own,
 *
 *	s_j = v_j x + c_j  or  v_j f(w_j x + b_j) + c_j,  r = mean of s
 *
 * and their spread, which says how sure they are.  x is the row after
 * dropout; m members of H hidden numbers.
 */
#include "head/kind.h"

static const char *const members[] = { "linear", "mlp", NULL };

struct ensemble {
	bool deep;
	struct rm_dense dense;	/* of all members, one beside the other */
	struct rm_affine out;	/* [m, H] a row a member, or [m, C] */
	struct rm_input in;
	rm_real *s, *ds;	/* [n, m] */
	size_t cap;
};

static int ensemble_init(struct rm_head *h)
{
	struct ensemble *e = rm_calloc(1, sizeof(*e));
	size_t m = h->o.n, H = h->o.hidden;

	h->self = e;
	h->members = m;
	h->columns = 1 + m;
	if (!e)
		return -1;
	e->deep = h->o.member == 1;
	if (!e->deep)
		return rm_affine_init(&e->out, h, "score.members", h->dim, m,
				      RM_INIT_NORMAL,
				      1 / sqrt((double)h->dim));
	if (rm_dense_init(&e->dense, h, "score.members.dense", h->dim,
			  m * H) < 0)
		return -1;
	return rm_affine_init(&e->out, h, "score.members.out", H, m,
			      RM_INIT_NORMAL, sqrt(1 / (double)H));
}

/* s[n, m]: member j reads its own run of the hidden layer. */
static void members_forward(const struct ensemble *e, const struct rm_head *h,
			    size_t n)
{
	const rm_real *v = h->params->param[e->out.weight].value;
	const rm_real *c = h->params->param[e->out.bias].value;
	size_t m = h->members, H = e->out.in;

	for (size_t i = 0; i < n * m; i++) {
		const rm_real *a = e->dense.a + i * H, *w = v + i % m * H;
		double sum = (double)c[i % m];

		for (size_t k = 0; k < H; k++)
			sum += (double)w[k] * (double)a[k];
		e->s[i] = (rm_real)sum;
	}
}

static void members_backward(const struct ensemble *e,
			     const struct rm_head *h, size_t n)
{
	const struct rm_param *v = &h->params->param[e->out.weight];
	rm_real *dc = h->params->param[e->out.bias].grad;
	size_t m = h->members, H = e->out.in;

	for (size_t i = 0; i < n * m; i++) {
		const rm_real *a = e->dense.a + i * H;
		rm_real *da = e->dense.da + i * H, ds = e->ds[i];
		size_t at = i % m * H;

		for (size_t k = 0; k < H; k++) {
			da[k] += ds * v->value[at + k];
			if (v->grad)
				v->grad[at + k] += ds * a[k];
		}
		if (dc)
			dc[i % m] += ds;
	}
}

static int ensemble_forward(struct rm_head *h, const struct rm_batch *batch,
			    const struct rm_hidden *hidden)
{
	struct ensemble *e = h->self;
	size_t n = hidden->n, m = h->members;

	if (rm_grow(&e->s, &e->cap, 2 * n * m, sizeof(*e->s)) < 0 ||
	    rm_input_forward(&e->in, h, batch, hidden) < 0)
		return -1;
	e->ds = e->s + n * m;
	if (!e->deep && rm_affine_forward(&e->out, h, e->s, e->in.x, n) < 0)
		return -1;
	if (e->deep) {
		if (rm_dense_forward(&e->dense, h, batch, e->in.x, n) < 0)
			return -1;
		members_forward(e, h, n);
	}
	for (size_t i = 0; i < n; i++) {
		double sum = 0;

		for (size_t j = 0; j < m; j++) {
			sum += (double)e->s[i * m + j];
			h->scores[i * (1 + m) + 1 + j] = e->s[i * m + j];
		}
		h->scores[i * (1 + m)] = (rm_real)(sum / (double)m);
	}
	return 0;
}

static int ensemble_backward(struct rm_head *h, const struct rm_batch *batch,
			     struct rm_hidden *hidden, const rm_real *dscores)
{
	struct ensemble *e = h->self;
	size_t n = hidden->n, m = h->members;

	for (size_t i = 0; i < n * m; i++) {
		const rm_real *d = dscores + i / m * (1 + m);

		e->ds[i] = d[1 + i % m] + d[0] / (rm_real)m;
	}
	if (!e->deep && rm_affine_backward(&e->out, h, e->in.dx, e->ds,
					   e->in.x, n) < 0)
		return -1;
	if (e->deep) {
		members_backward(e, h, n);
		if (rm_dense_backward(&e->dense, h, batch, e->in.dx, e->in.x,
				      n) < 0)
			return -1;
	}
	rm_input_backward(&e->in, h, batch, hidden);
	return 0;
}

/* Of the members, as a sample. */
static double ensemble_sd(const struct rm_head *h, const rm_real *scores)
{
	size_t m = h->members;
	double mean = 0, sum = 0;

	for (size_t j = 1; j <= m; j++)
		mean += (double)scores[j] / (double)m;
	for (size_t j = 1; j <= m; j++)
		sum += ((double)scores[j] - mean) * ((double)scores[j] - mean);
	return sqrt(sum / (double)(m - 1));
}

static void ensemble_fini(struct rm_head *h)
{
	struct ensemble *e = h->self;

	if (e) {
		rm_dense_fini(&e->dense);
		rm_input_fini(&e->in);
		free(e->s);
	}
	free(e);
}

static const struct rm_key keys[] = {
	RM_KEY_SIZE("n", struct rm_head_options, n, 2, 64, "5", "members"),
	RM_KEY_CHOICE("member", struct rm_head_options, member, members,
		      "linear", "what each of them is"),
	RM_HEAD_HIDDEN("width of the hidden layer of each mlp"),
	RM_HEAD_DROPOUT, RM_HEAD_KEYS
};

const struct rm_head_kind rm_head_ensemble = {
	.spec = { "ensemble", "members that begin apart and learn each from "
		  "its own loss: r = their mean, sd = their spread "
		  "(Lakshminarayanan et al. 2017; of one backbone: Osband et "
		  "al. 2016)", keys, false },
	.init = ensemble_init,
	.forward = ensemble_forward,
	.backward = ensemble_backward,
	.sd = ensemble_sd,
	.fini = ensemble_fini
};
