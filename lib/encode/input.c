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
	*one = (struct rm_message){ role, text->text };
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
	if (rm_template_render(t, all, p.n + r.n, false, text) < 0)
		return -1;
	/* The prompt with its generation prompt, behind the text. */
	n = text->len;
	if (rm_template_render(t, p.message, p.n, true, text) < 0)
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
		if (rm_template_render(t, r->message, r->n, false, plain) < 0)
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

static int add_ids(struct rm_encode_worker *w)
{
	const struct rm_encoding *c = &w->encoding;

	if (rm_grow(&w->ids, &w->cap_ids, w->n_ids + c->n,
		    sizeof(*w->ids)) < 0)
		return -1;
	if (c->n)
		memcpy(w->ids + w->n_ids, c->ids, c->n * sizeof(*w->ids));
	w->n_ids += c->n;
	return 0;
}

/* Where the tokens of the first input end, to compare the others with. */
static int keep_ends(struct rm_encode_worker *w)
{
	const struct rm_encoding *c = &w->encoding;

	if (rm_grow(&w->ends, &w->cap_ends, c->n, sizeof(*w->ends)) < 0)
		return -1;
	if (c->n)
		memcpy(w->ends, c->ends, c->n * sizeof(*w->ends));
	return 0;
}

/* Tokens that the first input and this one share, up to the prompt's end. */
static size_t shared_tokens(const struct rm_encode_worker *w, size_t n,
			    size_t end)
{
	const struct rm_encoding *c = &w->encoding;
	size_t i = 0;

	while (i < n && i < c->n && w->ends[i] <= end &&
	       w->ids[i] == c->ids[i] && w->ends[i] == c->ends[i])
		i++;
	return i;
}

/* The ids of all inputs side by side, and how many of them are prompt. */
static int tokenize(struct rm_encode_group *x)
{
	struct rm_encode_worker *w = x->w;
	struct rm_encoding *c = &w->encoding;
	size_t k = x->g->k, end;

	x->start = rm_arena_alloc(&w->arena, k + 1, sizeof(*x->start));
	if (!x->start)
		return -1;
	w->n_ids = 0;
	for (size_t i = 0; i < k; i++) {
		x->start[i] = w->n_ids;
		if (make_text(x, i, &end) < 0 ||
		    rm_tokenizer_encode(x->recipe->tokenizer, c, w->text.data,
					w->text.len) < 0)
			return -1;
		w->counts.text += w->text.len;
		if (add_ids(w) < 0 || (i == 0 && keep_ends(w) < 0))
			return -1;
		if (i == 0)
			x->n_prompt = c->n;
		x->n_prompt = shared_tokens(w, x->n_prompt, end);
	}
	x->start[k] = w->n_ids;
	return 0;
}

/* ---- cutting ---- */

static size_t longest_input(const struct rm_encode_group *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->g->k; i++)
		n = RM_MAX(n, x->start[i + 1] - x->start[i]);
	return n;
}

/* From the front of the prompt, as much for all k; a response that does not
 * fit alone loses its own front. */
static void cut_left(struct rm_encode_group *x, size_t longest)
{
	size_t max = x->recipe->max_length;

	x->skip = RM_MIN(x->n_prompt, longest - max);
	for (size_t i = 0; i < x->g->k; i++) {
		size_t have = x->n_prompt - x->skip + x->n[i];

		if (have > max) {
			x->from[i] += have - max;
			x->n[i] -= have - max;
		}
	}
}

static void cut_right(struct rm_encode_group *x)
{
	size_t max = x->recipe->max_length;

	x->n_prompt = RM_MIN(x->n_prompt, max);
	for (size_t i = 0; i < x->g->k; i++)
		x->n[i] = RM_MIN(x->n[i], max - x->n_prompt);
}

/* 1 to keep the group, 0 to drop it, -1 for an error. */
static int cut(struct rm_encode_group *x)
{
	struct rm_encode_worker *w = x->w;
	size_t k = x->g->k, longest = longest_input(x);

	x->from = rm_arena_alloc(&w->arena, k, sizeof(*x->from));
	x->n = rm_arena_alloc(&w->arena, k, sizeof(*x->n));
	if (!x->from || !x->n)
		return -1;
	for (size_t i = 0; i < k; i++) {
		x->from[i] = x->start[i] + x->n_prompt;
		x->n[i] = x->start[i + 1] - x->from[i];
	}
	if (x->recipe->max_length == 0 || longest <= x->recipe->max_length)
		return 1;
	switch (x->recipe->overlong) {
	case RM_OVERLONG_DROP:
		w->counts.dropped++;
		return 0;
	case RM_OVERLONG_ERROR:
		return rm_fail("%zu tokens, the limit is %zu", longest,
			       x->recipe->max_length);
	case RM_OVERLONG_RIGHT:
		cut_right(x);
		break;
	case RM_OVERLONG_LEFT:
	default:
		cut_left(x, longest);
		break;
	}
	w->counts.cut++;
	return 1;
}

int rm_encode_inputs(struct rm_encode_group *x)
{
	if (x->g->k > RM_MAX_RESPONSES)
		return rm_fail("%zu responses; at most %zu are possible",
			       x->g->k, RM_MAX_RESPONSES);
	if (x->g->n_annotations > RM_MAX_RESPONSES)
		return rm_fail("%zu annotations; at most %zu are possible",
			       x->g->n_annotations, RM_MAX_RESPONSES);
	if (tokenize(x) < 0 || make_plain(x) < 0)
		return -1;
	return cut(x);
}
