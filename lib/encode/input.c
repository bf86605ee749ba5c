/* The inputs of a group: their texts, their ids, where the prompt ends. */
#include "encode/group.h"

#include <string.h>

/* ---- text ---- */

static const struct rm_slice user = { (const unsigned char *)"user", 4 };
static const struct rm_slice assistant = {
	(const unsigned char *)"assistant", 9
};

/* A string as one message of that role; messages as they are. */
static struct rm_text as_messages(const struct rm_text *text,
				  struct rm_slice role,
				  struct rm_message *one)
{
	if (!text->text.data)
		return *text;
	*one = (struct rm_message){ .role = role, .content = text->text };
	return (struct rm_text){ .n = 1, .message = one };
}

static size_t shared_bytes(const unsigned char *a, size_t n,
			   const unsigned char *b, size_t m)
{
	size_t i = 0;

	while (i < n && i < m && a[i] == b[i])
		i++;
	return i;
}

static int put_messages(struct rm_encode_group *x, const struct rm_template *t,
			const struct rm_message *message, size_t n,
			bool generation, struct rm_buf *out)
{
	const struct rm_template_input in = {
		.message = message, .n = n, .generation = generation
	};

	return rm_template_render(t, &in, &x->w->scratch, out);
}

/* Input i as messages through the template; where its prompt ends. */
static int render(struct rm_encode_group *x, size_t i, size_t *end)
{
	const struct rm_template *t = x->recipe->template;
	struct rm_message one[2], *all;
	struct rm_text p = as_messages(&x->g->prompt, user, &one[0]);
	struct rm_text r = as_messages(&x->g->response[i], assistant,
				       &one[1]);
	struct rm_buf *text = &x->w->text;
	size_t n;

	all = rm_arena_alloc(&x->w->arena, p.n + r.n, sizeof(*all));
	if (!all)
		return -1;
	if (p.n)
		memcpy(all, p.message, p.n * sizeof(*all));
	memcpy(all + p.n, r.message, r.n * sizeof(*all));
	if (put_messages(x, t, all, p.n + r.n, false, text) < 0)
		return -1;
	/* The prompt with its generation prompt, behind the text. */
	n = text->len;
	if (put_messages(x, t, p.message, p.n, true, text) < 0)
		return -1;
	*end = shared_bytes(text->data, n, text->data + n, text->len - n);
	text->len = n;
	return 0;
}

static bool is_string(const struct rm_text *text)
{
	return text->text.data || text->n == 0;
}

/* Input i in w->text, and where its prompt ends. */
static int make_text(struct rm_encode_group *x, size_t i, size_t *end)
{
	const struct rm_text *p = &x->g->prompt, *r = &x->g->response[i];
	struct rm_buf *text = &x->w->text;

	rm_buf_clear(text);
	if (!is_string(p) || !r->text.data ||
	    !(x->g->transcript ||
	      rm_template_joins_strings(x->recipe->template)))
		return render(x, i, end);
	rm_buf_append(text, p->text.data, p->text.len);
	*end = text->len;
	rm_buf_append(text, r->text.data, r->text.len);
	return text->failed ? -1 : 0;
}

/* The responses as the data has them; messages with empty lines between. */
static int make_plain(struct rm_encode_group *x)
{
	const struct rm_text_group *g = x->g;
	const struct rm_template *t = rm_template_find("plain");
	struct rm_buf *plain = &x->w->plain;

	x->plain = rm_arena_alloc(&x->w->arena, g->k, sizeof(*x->plain));
	if (!x->plain)
		return -1;
	for (size_t i = 0; i < g->k; i++) {
		const struct rm_text *r = &g->response[i];

		if (r->text.data) {
			x->plain[i] = r->text;
			continue;
		}
		rm_buf_clear(plain);
		if (put_messages(x, t, r->message, r->n, false, plain) < 0)
			return -1;
		x->plain[i].data = (unsigned char *)rm_arena_strndup(
			&x->w->arena, (const char *)plain->data, plain->len);
		x->plain[i].len = plain->len;
		if (!x->plain[i].data)
			return -1;
	}
	return 0;
}

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

	*put = own ? 0 : before->n;
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
		if (make_text(x, i, &end) < 0 ||
		    encode(x, w->text.data, w->text.len) < 0 ||
		    add_row(x, i, &put) < 0 ||
		    (i == 0 && keep_ends(w, put) < 0))
			return -1;
		if (i == 0)
			x->n_prompt = w->n_ids;
		x->n_prompt = shared_ids(x, i, put, x->n_prompt, end);
	}
	x->prompt_first = RM_MIN(x->recipe->before->n, x->n_prompt);
	for (size_t i = 0; i < x->g->k; i++)
		x->first[i] = x->recipe->before->n - x->prompt_first;
	return 0;
}

/* ---- two texts ---- */

/* The prompt and the ids between that belong to it, as the first row. */
static int add_prompt(struct rm_encode_group *x)
{
	const struct rm_recipe *r = x->recipe;
	const struct rm_text *p = &x->g->prompt;
	struct rm_encode_worker *w = x->w;
	struct rm_slice text = p->text;

	if (!is_string(p)) {
		rm_buf_clear(&w->text);
		if (put_messages(x, r->template, p->message, p->n, false,
				 &w->text) < 0)
			return -1;
		text = (struct rm_slice){ w->text.data, w->text.len };
	}
	if (encode(x, text.data, text.len) < 0 ||
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
	if (make_room(x) < 0 || make_plain(x) < 0 ||
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
