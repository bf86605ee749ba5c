/* feed: see feed.h.  C channels of a hidden row, K columns of a score. */
#include "train/feed.h"

#include <stdlib.h>
#include <string.h>

/*
 * Tokens of a batch where activations are large: enough rows for products to
 * be fast, and few enough to stay near them.
 */
#define LIMIT 2048
/*
 * Without a way back a row a text is all that stays, and few cuts are better:
 * a text on both sides of one is computed twice.
 */
#define LIMIT_FORWARD 65536

static bool drops(const struct rm_model *m)
{
	for (size_t i = 0; i < RM_DROP_SITES; i++)
		if (m->dropout[i] > 0)
			return true;
	return false;
}

int rm_feed_init(struct rm_feed *f, struct rm_model *m,
		 const struct rm_subset *subset, bool train, size_t limit)
{
	bool light = m->backbone->kind->light;

	*f = (struct rm_feed){
		.m = m, .subset = subset, .train = train, .limit = limit,
		.frozen = rm_model_is_frozen(m)
	};
	if (limit == 0 && !light)
		f->limit = train ? LIMIT : LIMIT_FORWARD;
	/*
	 * A light backbone is faster than finding equal texts, and under
	 * dropout no two are equal.
	 */
	f->shares = f->frozen || (!light && !(train && drops(m)));
	return f->shares ? rm_texts_init(&f->texts, subset,
					 m->prompt) : 0;
}

void rm_feed_fini(struct rm_feed *f)
{
	rm_texts_fini(&f->texts);
	rm_batch_fini(&f->batch);
	free(f->tokens);
	free(f->own.value);
	free(f->own.grad);
	free(f->kept);
	*f = (struct rm_feed){0};
}

/* ---- the run ---- */

int rm_feed_start(struct rm_feed *f, const size_t *order, size_t n)
{
	f->order = order;
	f->n_order = n;
	f->at = f->n = f->n_tokens = 0;
	f->leaves = (struct rm_batch){
		.train = f->train, .seed = f->seed, .step = f->step
	};
	if (f->shares || f->limit == 0)
		return 0;
	if (rm_grow(&f->tokens, &f->cap_tokens, n, sizeof(*f->tokens)) < 0)
		return -1;
	return rm_subset_tokens(f->subset, order, n, f->m->prompt,
				f->tokens);
}

/* How many of the examples from `at` on make one batch. */
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

/* The same where texts are shared: they are chosen, and count once. */
static size_t fit_shared(struct rm_feed *f)
{
	size_t sum = 0, end = f->at;
	struct rm_texts *t = &f->texts;

	rm_texts_clear(t);
	for (; end < f->n_order; end++) {
		const uint32_t *text;
		size_t n = rm_texts_of(t, f->order[end], &text);
		size_t more = rm_texts_missing(t, text, n);

		if (f->limit > 0 && end > f->at && sum + more > f->limit)
			break;
		sum += more;
		for (size_t i = 0; i < n; i++)
			rm_texts_choose(t, text[i]);
	}
	return end - f->at;
}

static int make_batch(struct rm_feed *f)
{
	if (!f->shares) {
		if (rm_subset_batch(f->subset, f->order + f->at, f->n,
				    f->m->prompt, &f->batch) < 0)
			return -1;
		f->n_tokens = f->batch.n_tokens;
		return 0;
	}
	f->n_tokens = 0;
	for (size_t i = 0; i < f->n; i++)
		f->n_tokens += rm_texts_tokens(&f->texts,
					       f->order[f->at + i]);
	return f->kept ? 0 : rm_texts_batch(&f->texts, &f->batch);
}

static size_t count_leaves(const struct rm_feed *f)
{
	size_t sum = 0;

	for (size_t i = f->at; i < f->at + f->n; i++)
		sum += rm_subset_first(f->subset, f->order[i] + 1) -
			rm_subset_first(f->subset, f->order[i]);
	return sum;
}

int rm_feed_next(struct rm_feed *f)
{
	struct rm_batch *p = &f->leaves;

	f->at += f->n;
	p->first_leaf += p->n_leaves;
	p->first_token += f->n_tokens;
	f->n = f->shares ? fit_shared(f) : fit(f);
	if (f->n == 0)
		return 0;
	p->n_groups = f->n;
	p->n_leaves = count_leaves(f);
	if (make_batch(f) < 0)
		return -1;
	/* A frozen backbone computes as it scores: nothing for a way back. */
	f->batch.train = f->train && !f->frozen;
	f->batch.seed = p->seed;
	f->batch.step = p->step;
	f->batch.first_leaf = p->first_leaf;
	f->batch.first_token = p->first_token;
	return 1;
}

/* ---- rows of texts, rows of leaves ---- */

/* [n, C], one row a text. */
static const rm_real *rows_of(const struct rm_hidden *h)
{
	if (h && !h->pooled)
		return rm_fail_null("the backbone gives a row a token: texts "
				    "cannot share one");
	return h ? h->value : NULL;
}

/* Where the row of a text is among those kept, or computed. */
static size_t row_of(const struct rm_feed *f, uint32_t text)
{
	return f->kept ? text : f->texts.row[text];
}

/* Room for the rows of the leaves and, on a way back, zeros to add to. */
static int need_rows(struct rm_feed *f)
{
	struct rm_hidden *h = &f->own;
	size_t size;

	h->n = f->leaves.n_leaves;
	h->dim = f->m->head->dim;
	h->pooled = true;
	size = h->n * h->dim;
	if (rm_grow(&h->value, &f->cap_rows, size, sizeof(*h->value)) < 0)
		return -1;
	if (!f->train)
		return 0;
	if (rm_grow(&h->grad, &f->cap_grad, size, sizeof(*h->grad)) < 0)
		return -1;
	memset(h->grad, 0, size * sizeof(*h->grad));
	return 0;
}

static struct rm_hidden *gather(struct rm_feed *f)
{
	const rm_real *from = f->kept ? f->kept : rows_of(f->computed);
	size_t C = f->m->head->dim;

	if (!from || need_rows(f) < 0)
		return NULL;
	rm_real *to = f->own.value;
	for (size_t i = f->at; i < f->at + f->n; i++) {
		const uint32_t *text;
		size_t n = rm_texts_of(&f->texts, f->order[i], &text);

		for (size_t j = 0; j < n; j++, to += C)
			memcpy(to, from + row_of(f, text[j]) * C,
			       C * sizeof(*from));
	}
	return &f->own;
}

/* to += from, [C] */
static void add_row(rm_real *to, const rm_real *from, size_t C)
{
	for (size_t c = 0; c < C; c++)
		to[c] += from[c];
}

/* The gradient of a row is the sum of all that use it, in their order. */
static void scatter(struct rm_feed *f)
{
	size_t C = f->own.dim;
	const rm_real *from = f->own.grad;

	for (size_t i = f->at; i < f->at + f->n; i++) {
		const uint32_t *text;
		size_t n = rm_texts_of(&f->texts, f->order[i], &text);

		for (size_t j = 0; j < n; j++, from += C)
			add_row(f->computed->grad + row_of(f, text[j]) * C,
				from, C);
	}
}

/* ---- keeping them ---- */

uint64_t rm_feed_row_bytes(const struct rm_feed *f)
{
	return (uint64_t)f->texts.n * f->m->head->dim * sizeof(*f->kept);
}

/* As many texts from `first` on as make one batch. */
static size_t choose_run(struct rm_texts *t, size_t first)
{
	size_t sum = 0, end = first;

	rm_texts_clear(t);
	for (; end < t->n; end++) {
		uint32_t text = (uint32_t)end;
		size_t more = rm_texts_missing(t, &text, 1);

		if (end > first && sum + more > LIMIT_FORWARD)
			break;
		sum += more;
		rm_texts_choose(t, text);
	}
	return end - first;
}

int rm_feed_keep(struct rm_feed *f)
{
	size_t C = f->m->head->dim, n;
	rm_real *rows = rm_malloc(f->texts.n, C * sizeof(*rows));

	for (size_t i = 0; rows && i < f->texts.n; i += n) {
		const rm_real *from = NULL;

		n = choose_run(&f->texts, i);
		f->batch.train = false;
		if (rm_texts_batch(&f->texts, &f->batch) == 0)
			from = rows_of(rm_model_hidden(f->m, &f->batch));
		if (!from) {
			free(rows);
			return -1;
		}
		memcpy(rows + i * C, from, n * C * sizeof(*rows));
	}
	f->kept = rows;
	return rows ? 0 : -1;
}

/* ---- forward and backward ---- */

const rm_real *rm_feed_forward(struct rm_feed *f)
{
	if (!f->kept) {
		f->computed = rm_model_hidden(f->m, &f->batch);
		if (!f->computed)
			return NULL;
	}
	f->hidden = f->shares ? gather(f) : f->computed;
	return f->hidden ? rm_head_forward(f->m->head, &f->leaves,
					   f->hidden) : NULL;
}

int rm_feed_backward(struct rm_feed *f, const rm_real *dscores)
{
	if (rm_head_backward(f->m->head, &f->leaves, f->hidden, dscores) < 0)
		return -1;
	if (f->frozen)
		return 0;
	if (f->shares)
		scatter(f);
	return rm_model_backward(f->m, &f->batch);
}
