/* The ids of a group's inputs, and how many of them are prompt. */
#include "encode/group.h"

#include <string.h>

/* ---- tokens ---- */

static int add_ids(struct rm_encode_worker *w, const int32_t *ids, size_t n)
{
	if (rm_grow(&w->ids, &w->cap_ids, w->n_ids + n, sizeof(*ids)) < 0)
		return -1;
	if (n)
		memcpy(w->ids + w->n_ids, ids, n * sizeof(*ids));
	w->n_ids += n;
	return 0;
}

static int encode(struct rm_encode_group *x, const void *text, size_t len)
{
	x->w->counts.text += len;
	return rm_tokenizer_encode(x->recipe->tokenizer, &x->w->encoding,
				   text, len);
}

static bool are(const int32_t *ids, const struct rm_special_run *run)
{
	return memcmp(ids, run->id, run->n * sizeof(*ids)) == 0;
}

/*
 * What ends the text, and how many of the row's last ids are special.  What
 * the text ends in already is not put a second time; `text` is where in the
 * encoding it begins, behind special tokens of its own.
 */
static int add_end(struct rm_encode_group *x, size_t i, size_t text)
{
	const struct rm_encoding *c = &x->w->encoding;
	const struct rm_special_run *after = x->recipe->after;
	const int32_t eos = x->recipe->eos, *ids = c->ids + text;
	size_t n = c->n - text;
	bool has_eos;

	x->last[i] = after->n;
	if (after->n && n >= after->n && are(ids + n - after->n, after)) {
		n -= after->n;
		x->last[i] += eos >= 0 && n && ids[n - 1] == eos;
		return 0;
	}
	if (x->recipe->written) {
		x->last[i] = 0;
		return 0;
	}
	has_eos = n && ids[n - 1] == eos;
	x->last[i] += eos >= 0;
	if (eos >= 0 && !has_eos && add_ids(x->w, &eos, 1) < 0)
		return -1;
	return add_ids(x->w, after->id, after->n);
}

/* The encoding with its special tokens as row i; *put of them stand before
 * it, none if the text begins with them itself. */
static int add_row(struct rm_encode_group *x, size_t i, size_t *put)
{
	const struct rm_encoding *c = &x->w->encoding;
	const struct rm_special_run *before = x->recipe->before;
	bool own = before->n && c->n >= before->n && are(c->ids, before);

	*put = own || x->recipe->written ? 0 : before->n;
	x->first[i] = own ? before->n : *put;
	if (add_ids(x->w, before->id, *put) < 0 ||
	    add_ids(x->w, c->ids, c->n) < 0)
		return -1;
	return add_end(x, i, own ? before->n : 0);
}

/* Where in the text id j of the row at hand ends; `put` ids stand before its
 * encoding, those behind it end beyond the text. */
static size_t end_at(const struct rm_encoding *c, size_t put, size_t j)
{
	if (j < put)
		return 0;
	return j - put < c->n ? c->ends[j - put] : SIZE_MAX;
}

/* Where the tokens of the first input end, to compare the others with. */
static int keep_ends(struct rm_encode_worker *w, size_t put)
{
	if (rm_grow(&w->ends, &w->cap_ends, w->n_ids, sizeof(*w->ends)) < 0)
		return -1;
	for (size_t j = 0; j < w->n_ids; j++)
		w->ends[j] = end_at(&w->encoding, put, j);
	return 0;
}

/* Of the first n ids of the first row, those that row i shares, up to the
 * prompt's end in the text. */
static size_t shared_ids(const struct rm_encode_group *x, size_t i,
			 size_t put, size_t n, size_t end)
{
	const struct rm_encode_worker *w = x->w;
	const int32_t *row = w->ids + x->start[i];
	size_t len = w->n_ids - x->start[i], j = 0;

	while (j < n && j < len && w->ends[j] <= end &&
	       w->ids[j] == row[j] &&
	       w->ends[j] == end_at(&w->encoding, put, j))
		j++;
	return j;
}

/* The ids of all inputs side by side, and how many of them are prompt. */
static int tokenize(struct rm_encode_group *x)
{
	struct rm_encode_worker *w = x->w;
	size_t end, put;

	for (size_t i = 0; i < x->g->k; i++) {
		x->start[i] = w->n_ids;
		if (rm_encode_text(x, i, &end) < 0 ||
		    encode(x, w->text.data, w->text.len) < 0 ||
		    add_row(x, i, &put) < 0 ||
		    (i == 0 && keep_ends(w, put) < 0))
			return -1;
		if (i == 0)
			x->n_prompt = w->n_ids;
		x->n_prompt = shared_ids(x, i, put, x->n_prompt, end);
	}
	/* Where one has what another lacks, they share no prompt. */
	x->prompt_first = RM_MIN(x->first[0], x->n_prompt);
	for (size_t i = 0; i < x->g->k; i++)
		x->first[i] -= RM_MIN(x->first[i], x->prompt_first);
	return 0;
}

/* ---- two texts ---- */

/* The prompt and the ids between that belong to it, as the first row. */
static int add_prompt(struct rm_encode_group *x)
{
	const struct rm_recipe *r = x->recipe;
	struct rm_encode_worker *w = x->w;

	if (rm_encode_prompt(x) < 0)
		return -1;
	if (encode(x, w->text.data, w->text.len) < 0 ||
	    add_ids(w, r->before->id, r->before->n) < 0 ||
	    add_ids(w, w->encoding.ids, w->encoding.n) < 0 ||
	    add_ids(w, r->between->id, r->n_between) < 0)
		return -1;
	x->n_prompt = w->n_ids;
	return 0;
}

static int add_response(struct rm_encode_group *x, size_t i)
{
	const struct rm_special_run *between = x->recipe->between;
	const struct rm_special_run *after = x->recipe->after;
	struct rm_encode_worker *w = x->w;

	x->first[i] = between->n - x->recipe->n_between;
	x->last[i] = after->n;
	if (encode(x, x->plain[i].data, x->plain[i].len) < 0 ||
	    add_ids(w, between->id + x->recipe->n_between,
		    x->first[i]) < 0 ||
	    add_ids(w, w->encoding.ids, w->encoding.n) < 0)
		return -1;
	return add_ids(w, after->id, after->n);
}

/* Prompt and response each by itself, put together by the tokenizer's rule
 * for pairs. */
static int tokenize_pair(struct rm_encode_group *x)
{
	struct rm_encode_worker *w = x->w;

	x->start[0] = 0;
	if (add_prompt(x) < 0)
		return -1;
	x->prompt_first = x->recipe->before->n;
	x->prompt_last = x->recipe->n_between;
	for (size_t i = 0; i < x->g->k; i++) {
		if (i) {
			x->start[i] = w->n_ids;
			/* Room first: the ids may move. */
			if (rm_grow(&w->ids, &w->cap_ids, w->n_ids +
				    x->n_prompt, sizeof(*w->ids)) < 0 ||
			    add_ids(w, w->ids, x->n_prompt) < 0)
				return -1;
		}
		if (add_response(x, i) < 0)
			return -1;
	}
	return 0;
}

/* ---- all of it ---- */

static int make_room(struct rm_encode_group *x)
{
	struct rm_arena *a = &x->w->arena;
	size_t k = x->g->k;

	x->start = rm_arena_alloc(a, k + 1, sizeof(*x->start));
	x->from = rm_arena_alloc(a, k, sizeof(*x->from));
	x->n = rm_arena_alloc(a, k, sizeof(*x->n));
	x->first = rm_arena_alloc(a, k, sizeof(*x->first));
	x->last = rm_arena_alloc(a, k, sizeof(*x->last));
	return x->start && x->from && x->n && x->first && x->last ? 0 : -1;
}

int rm_encode_inputs(struct rm_encode_group *x)
{
	bool pair = rm_template_is_pair(x->recipe->template);
	size_t k = x->g->k;

	if (k > RM_MAX_RESPONSES)
		return rm_fail("%zu responses; at most %zu are possible", k,
			       RM_MAX_RESPONSES);
	if (x->g->n_annotations > RM_MAX_RESPONSES)
		return rm_fail("%zu annotations; at most %zu are possible",
			       x->g->n_annotations, RM_MAX_RESPONSES);
	x->w->n_ids = 0;
	if (make_room(x) < 0 || rm_encode_plain(x) < 0 ||
	    (pair ? tokenize_pair(x) : tokenize(x)) < 0)
		return -1;
	x->start[k] = x->w->n_ids;
	for (size_t i = 0; i < k; i++) {
		x->from[i] = x->start[i] + x->n_prompt;
		x->n[i] = x->start[i + 1] - x->from[i];
		/* Of an empty response, they may stand in the prompt. */
		x->last[i] = RM_MIN(x->last[i], x->n[i] - x->first[i]);
	}
	return rm_encode_cut(x);
}
