/*
 * hierarchical: L equal runs of the text, pooled each, with one layer for
 * all,
 *
 *	s_l = w x_l + b,  r = sum of a_l s_l,  a = softmax(u x_l + c)
 *
 * x being the rows after dropout.
 */
#include "head/kind.h"

struct hierarchical {
	struct rm_affine out;		/* w b and u c */
	struct rm_input in;
	/* [n, L, 2] s and what the softmax reads, its gradient; [n, L] a; [L]
	 * one response's. */
	rm_real *y, *dy, *a, *l, *dl;
	size_t cap;
};

/* "level1", "level2" ... */
static int name_levels(struct rm_head *h)
{
	static const char names[][8] = {
		"level1", "level2", "level3", "level4", "level5", "level6",
		"level7", "level8", "level9", "level10", "level11",
		"level12", "level13", "level14", "level15", "level16"
	};
	struct rm_names list = { .n = h->o.levels };

	for (size_t i = 0; i < list.n; i++)
		memcpy(list.name[i], names[i], sizeof(names[i]));
	h->o.objectives = list;
	return rm_head_name_columns(h, &h->o.objectives);
}

static int hierarchical_init(struct rm_head *h)
{
	struct hierarchical *k = rm_calloc(1, sizeof(*k));

	h->self = k;
	if (!k || name_levels(h) < 0)
		return -1;
	return rm_affine_init(&k->out, h, "score", h->part, 2, RM_INIT_SIGN,
			      1 / sqrt((double)h->part));
}

static int reserve(struct hierarchical *k, size_t n, size_t L)
{
	if (rm_grow(&k->y, &k->cap, 5 * n * L + 2 * L, sizeof(*k->y)) < 0)
		return -1;
	k->dy = k->y + 2 * n * L;
	k->a = k->dy + 2 * n * L;
	k->l = k->a + n * L;
	k->dl = k->l + L;
	return 0;
}

static int hierarchical_forward(struct rm_head *h,
				const struct rm_batch *batch,
				const struct rm_hidden *hidden)
{
	struct hierarchical *k = h->self;
	size_t n = hidden->n, L = h->o.levels;

	/* Rows of levels follow each other: n L rows. */
	if (reserve(k, n, L) < 0 ||
	    rm_input_forward(&k->in, h, batch, hidden) < 0 ||
	    rm_affine_forward(&k->out, h, k->y, k->in.x, n * L) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const rm_real *y = k->y + 2 * i * L;
		rm_real *s = h->scores + i * (1 + L), *a = k->a + i * L;
		double sum = 0;

		for (size_t l = 0; l < L; l++)
			k->l[l] = y[2 * l + 1];
		rm_softmax_forward(a, k->l, L);
		for (size_t l = 0; l < L; l++) {
			s[1 + l] = y[2 * l];
			sum += (double)a[l] * (double)y[2 * l];
		}
		s[0] = (rm_real)sum;
	}
	return 0;
}

/* ds_l += dr a_l, da_l = dr s_l */
static void level_slopes(struct hierarchical *k, size_t i, size_t L,
			 const rm_real *ds)
{
	const rm_real *y = k->y + 2 * i * L, *a = k->a + i * L;
	rm_real *dy = k->dy + 2 * i * L;

	for (size_t l = 0; l < L; l++) {
		dy[2 * l] = ds[1 + l] + ds[0] * a[l];
		k->l[l] = ds[0] * y[2 * l];
		k->dl[l] = 0;
	}
	rm_softmax_backward(k->dl, k->l, a, L);
	for (size_t l = 0; l < L; l++)
		dy[2 * l + 1] = k->dl[l];
}

static int hierarchical_backward(struct rm_head *h,
				 const struct rm_batch *batch,
				 struct rm_hidden *hidden,
				 const rm_real *dscores)
{
	struct hierarchical *k = h->self;
	size_t n = hidden->n, L = h->o.levels;

	for (size_t i = 0; i < n; i++)
		level_slopes(k, i, L, dscores + i * (1 + L));
	if (rm_affine_backward(&k->out, h, k->in.dx, k->dy, k->in.x,
			       n * L) < 0)
		return -1;
	rm_input_backward(&k->in, h, batch, hidden);
	return 0;
}

static void hierarchical_fini(struct rm_head *h)
{
	struct hierarchical *k = h->self;

	if (k) {
		rm_input_fini(&k->in);
		free(k->y);
	}
	free(k);
}

static const struct rm_key keys[] = {
	RM_KEY_SIZE("levels", struct rm_head_options, levels, 2, 16, "3",
		    "runs that a text is cut in"),
	RM_HEAD_DROPOUT, RM_HEAD_KEYS
};

const struct rm_head_kind rm_head_hierarchical = {
	.spec = { "hierarchical", "equal runs of the text, each pooled to x_l "
		  "and scored, and weights between them that are learned: "
		  "s_l = w x_l + b, r = a s, a = softmax(u x_l + c) (Yang et "
		  "al. 2016, over runs for sentences)", keys, false },
	.init = hierarchical_init,
	.forward = hierarchical_forward,
	.backward = hierarchical_backward,
	.fini = hierarchical_fini
};
