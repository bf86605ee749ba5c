/* The texts of a group's inputs, and where in them the prompt ends. */
#include "encode/group.h"

#include <string.h>

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

static int render(struct rm_encode_group *x, const struct rm_message *message,
		  size_t n, bool generation, struct rm_buf *out)
{
	const struct rm_template_input in = {
		.message = message, .n = n, .generation = generation,
		.tools = x->g->tools
	};

	return rm_template_render(x->recipe->template, &in, &x->w->scratch,
				  out);
}

/* ---- the end of the prompt ---- */

static size_t shared_bytes(const struct rm_buf *a, const struct rm_buf *b)
{
	size_t n = RM_MIN(a->len, b->len), i = 0;

	while (i < n && a->data[i] == b->data[i])
		i++;
	return i;
}

/* Where the text of the first n messages ends, if the input begins with it;
 * 0 else, or where these alone are no conversation to the template. */
static size_t boundary(struct rm_encode_group *x, const struct rm_text *p,
		       size_t n)
{
	struct rm_buf *part = &x->w->prompt;

	x->has_prompt = false;
	rm_buf_clear(part);
	if (n == 0)
		return 0;
	if (render(x, p->message, n, false, part) < 0) {
		rm_error_clear();
		return 0;
	}
	return shared_bytes(part, &x->w->text) == part->len ? part->len : 0;
}

/*
 * The last boundary between messages up to which the input is what its
 * prompt makes; what texts begin with grows with their messages.
 */
static size_t last_boundary(struct rm_encode_group *x,
			    const struct rm_text *p)
{
	size_t low = 0, high = p->n, end = 0, at;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		at = boundary(x, p, mid);
		if (mid && !at) {
			high = mid;
			continue;
		}
		end = at;
		low = mid + 1;
	}
	return end;
}

/*
 * The prompt with what the template writes before an answer.  A template may
 * write a conversation otherwise once it goes on: then the prompt ends where
 * a message does.
 */
static int find_end(struct rm_encode_group *x, const struct rm_text *p,
		    size_t *end)
{
	struct rm_buf *prompt = &x->w->prompt;
	bool jinja = rm_template_is_jinja(x->recipe->template);
	size_t whole;

	if (!x->has_prompt) {
		rm_buf_clear(prompt);
		if (render(x, p->message, p->n, true, prompt) < 0) {
			if (!jinja)
				return -1;
			rm_error_clear();
			rm_buf_clear(prompt);
		}
		x->has_prompt = true;
	}
	*end = shared_bytes(&x->w->text, prompt);
	if (!jinja || (*end == prompt->len && prompt->len))
		return prompt->failed ? -1 : 0;
	whole = boundary(x, p, p->n);
	if (!whole || *end < whole)
		*end = whole ? whole : last_boundary(x, p);
	return prompt->failed ? -1 : 0;
}

/* ---- one input ---- */

static int put_messages(struct rm_encode_group *x, size_t i, size_t *end)
{
	struct rm_message one[2], *all;
	struct rm_text p = as_messages(&x->g->prompt, user, &one[0]);
	struct rm_text r = as_messages(&x->g->response[i], assistant,
				       &one[1]);

	all = rm_arena_alloc(&x->w->arena, p.n + r.n, sizeof(*all));
	if (!all)
		return -1;
	if (p.n)
		memcpy(all, p.message, p.n * sizeof(*all));
	memcpy(all + p.n, r.message, r.n * sizeof(*all));
	if (render(x, all, p.n + r.n, false, &x->w->text) < 0)
		return x->g->k == 1 ? -1 : rm_wrap("response %zu", i + 1);
	return find_end(x, &p, end);
}

static bool is_string(const struct rm_text *text)
{
	return text->text.data || text->n == 0;
}

int rm_encode_text(struct rm_encode_group *x, size_t i, size_t *end)
{
	const struct rm_text *p = &x->g->prompt, *r = &x->g->response[i];
	struct rm_buf *text = &x->w->text;

	rm_buf_clear(text);
	if (!is_string(p) || !r->text.data ||
	    !(x->g->transcript ||
	      rm_template_joins_strings(x->recipe->template)))
		return put_messages(x, i, end);
	rm_buf_append(text, p->text.data, p->text.len);
	*end = text->len;
	rm_buf_append(text, r->text.data, r->text.len);
	return text->failed ? -1 : 0;
}

int rm_encode_prompt(struct rm_encode_group *x)
{
	const struct rm_text *p = &x->g->prompt;
	struct rm_buf *text = &x->w->text;

	rm_buf_clear(text);
	if (!is_string(p))
		return render(x, p->message, p->n, false, text);
	rm_buf_append(text, p->text.data, p->text.len);
	return text->failed ? -1 : 0;
}

/* ---- the responses as the data has them ---- */

int rm_encode_plain(struct rm_encode_group *x)
{
	const struct rm_text_group *g = x->g;
	const struct rm_template *t = rm_template_find("plain");
	struct rm_buf *plain = &x->w->plain;

	x->plain = rm_arena_alloc(&x->w->arena, g->k, sizeof(*x->plain));
	if (!x->plain)
		return -1;
	for (size_t i = 0; i < g->k; i++) {
		const struct rm_text *r = &g->response[i];
		const struct rm_template_input in = {
			.message = r->message, .n = r->n
		};

		if (r->text.data) {
			x->plain[i] = r->text;
			continue;
		}
		rm_buf_clear(plain);
		if (rm_template_render(t, &in, NULL, plain) < 0)
			return -1;
		x->plain[i].data = (unsigned char *)rm_arena_strndup(
			&x->w->arena, (const char *)plain->data, plain->len);
		x->plain[i].len = plain->len;
		if (!x->plain[i].data)
			return -1;
	}
	return 0;
}
