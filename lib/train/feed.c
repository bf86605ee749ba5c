/* feed: see feed.h.  C channels of a hidden row, K columns of a score. */
#include "train/feed.h"

#include <stdlib.h>
#include <string.h>

/*
 * Tokens of a batch where activations are large: enough rows for products to
 * be fast, and few enough to stay near them.
 */
#define LIMIT 4096

/* Examples that are looked at together when rows are kept. */
#define KEEP_TOGETHER 256

size_t rm_feed_limit(const struct rm_model *m, size_t asked)
{
	return asked || m->backbone->kind->light ? asked : LIMIT;
}

void rm_feed_init(struct rm_feed *f, struct rm_model *m,
		  const struct rm_subset *subset, size_t limit)
{
	*f = (struct rm_feed){
		.m = m, .subset = subset, .limit = limit,
		.frozen = rm_model_is_frozen(m)
	};
}

void rm_feed_fini(struct rm_feed *f)
{
	rm_batch_fini(&f->batch);
	free(f->tokens);
	free(f->own.grad);
	free(f->rows);
	free(f->kept);
	free(f->kept_tokens);
	*f = (struct rm_feed){0};
}

/* ---- the run ---- */

/* What is kept is cut as it would be if it were not: the same sums. */
static int count_tokens(struct rm_feed *f)
{
	if (f->limit == 0)
		return 0;
	if (rm_grow(&f->tokens, &f->cap_tokens, f->n_order,
		    sizeof(*f->tokens)) < 0)
		return -1;
	if (!f->kept)
		return rm_subset_tokens(f->subset, f->order, f->n_order,
					f->m->backbone->prompt, f->tokens);
	for (size_t i = 0; i < f->n_order; i++)
		f->tokens[i] = f->kept_tokens[f->order[i]];
	return 0;
}

int rm_feed_start(struct rm_feed *f, const size_t *order, size_t n)
{
	f->order = order;
	f->n_order = n;
	f->at = f->n = f->n_tokens = 0;
	f->batch.first_leaf = f->batch.first_token = 0;
	return count_tokens(f);
}

/* How many of the pairs from `at` on make one batch. */
static size_t fit(const struct rm_feed *f)
{
	size_t sum, end = f->at;

	if (f->limit == 0 || end == f->n_order)
		return f->n_order - end;
	sum = f->tokens[end++];
	while (end < f->n_order && sum + f->tokens[end] <= f->limit)
		sum += f->tokens[end++];
	return end - f->at;
}

/* All that a head needs to know of rows that are kept. */
static void make_rows_batch(struct rm_feed *f)
{
	struct rm_batch *b = &f->batch;

	rm_batch_clear(b);
	b->n_groups = f->n;
	b->n_leaves = 2 * f->n;
	f->n_tokens = 0;
	for (size_t i = 0; i < f->n; i++)
		f->n_tokens += f->kept_tokens[f->order[f->at + i]];
}

static int make_batch(struct rm_feed *f)
{
	if (f->kept) {
		make_rows_batch(f);
		return 0;
	}
	if (rm_subset_batch(f->subset, f->order + f->at, f->n,
			    f->m->backbone->prompt, &f->batch) < 0)
		return -1;
	f->n_tokens = f->batch.n_tokens;
	return 0;
}

int rm_feed_next(struct rm_feed *f)
{
	f->at += f->n;
	f->batch.first_leaf += 2 * f->n;
	f->batch.first_token += f->n_tokens;
	f->n = fit(f);
	if (f->n == 0)
		return 0;
	return make_batch(f) < 0 ? -1 : 1;
}

/* ---- rows of a frozen backbone ---- */

static size_t row_size(const struct rm_feed *f)
{
	return f->m->backbone->dim;
}

static rm_real *gather_kept(struct rm_feed *f)
{
	size_t pair = 2 * row_size(f);

	if (rm_grow(&f->rows, &f->cap_rows, f->n * pair,
		    sizeof(*f->rows)) < 0)
		return NULL;
	for (size_t i = 0; i < f->n; i++)
		memcpy(f->rows + i * pair,
		       f->kept + f->order[f->at + i] * pair,
		       pair * sizeof(*f->rows));
	return f->rows;
}

/* Of the backbone as it scores: no dropout, nothing left for backward. */
static struct rm_hidden *compute_rows(struct rm_feed *f)
{
	bool train = f->batch.train;
	struct rm_hidden *hidden;

	f->batch.train = false;
	hidden = rm_model_hidden(f->m, &f->batch);
	f->batch.train = train;
	return hidden;
}

/* The head's backward wants a gradient to add to: it goes nowhere. */
static int make_gradient(struct rm_feed *f)
{
	struct rm_hidden *h = &f->own;
	size_t size = h->n * h->dim;

	if (!f->batch.train)
		return 0;
	if (rm_grow(&h->grad, &f->cap_grad, size, sizeof(*h->grad)) < 0)
		return -1;
	memset(h->grad, 0, size * sizeof(*h->grad));
	return 0;
}

static struct rm_hidden *frozen_rows(struct rm_feed *f)
{
	struct rm_hidden *own = &f->own;

	if (f->kept) {
		own->value = gather_kept(f);
		own->n = 2 * f->n;
		own->dim = row_size(f);
		own->pooled = true;
	} else {
		const struct rm_hidden *h = compute_rows(f);

		own->value = h ? h->value : NULL;
		own->n = h ? h->n : 0;
		own->dim = h ? h->dim : 0;
		own->pooled = h && h->pooled;
	}
	return own->value && make_gradient(f) == 0 ? own : NULL;
}

/* ---- keeping them ---- */

/* The rows and lengths of a run of examples into their places. */
static int keep_run(struct rm_feed *f, const size_t *order, size_t n,
		    rm_real *rows, uint32_t *tokens)
{
	size_t count[KEEP_TOGETHER], pair = 2 * row_size(f);
	int got;

	if (rm_subset_tokens(f->subset, order, n, f->m->backbone->prompt,
			     count) < 0 || rm_feed_start(f, order, n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		tokens[order[i]] = (uint32_t)count[i];
	while ((got = rm_feed_next(f)) > 0) {
		const struct rm_hidden *h = compute_rows(f);

		if (!h)
			return -1;
		if (!h->pooled)
			return rm_fail("the backbone gives a row a token: "
				       "none can be kept");
		memcpy(rows + order[f->at] * pair, h->value,
		       f->n * pair * sizeof(*rows));
	}
	return got;
}

int rm_feed_keep(struct rm_feed *f)
{
	size_t order[KEEP_TOGETHER], n, N = f->subset->n;
	rm_real *rows = rm_malloc(N, 2 * row_size(f) * sizeof(*rows));
	uint32_t *tokens = rm_malloc(N, sizeof(*tokens));
	int status = rows && tokens ? 0 : -1;

	for (size_t i = 0; i < N && status == 0; i += n) {
		n = RM_MIN(N - i, (size_t)KEEP_TOGETHER);
		for (size_t j = 0; j < n; j++)
			order[j] = i + j;
		status = keep_run(f, order, n, rows, tokens);
	}
	if (status == 0) {
		f->kept = rows;
		f->kept_tokens = tokens;
		return 0;
	}
	free(rows);
	free(tokens);
	return -1;
}

/* ---- forward and backward ---- */

const rm_real *rm_feed_forward(struct rm_feed *f)
{
	f->hidden = f->frozen ? frozen_rows(f) :
		    rm_model_hidden(f->m, &f->batch);
	return f->hidden ? rm_head_forward(f->m->head, &f->batch,
					   f->hidden) : NULL;
}

int rm_feed_backward(struct rm_feed *f, const rm_real *dscores)
{
	if (rm_head_backward(f->m->head, &f->batch, f->hidden, dscores) < 0)
		return -1;
	return f->frozen ? 0 : rm_backbone_backward(f->m->backbone,
						    &f->batch);
}
