/* Message lists and whole transcripts: what is prompt, what is response. */
#include "text/shape.h"

#include <stdlib.h>
#include <string.h>

#define TAG "\n\nAssistant:"

static bool same(struct rm_slice a, struct rm_slice b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static struct rm_slice slice_of(const json_t *string)
{
	return (struct rm_slice){
		(const unsigned char *)json_string_value(string),
		json_string_length(string)
	};
}

static int copy(struct rm_arena *arena, const struct rm_buf *b,
		struct rm_slice *out)
{
	char *text = b->failed ? NULL : rm_arena_strndup(
		arena, (const char *)b->data, b->len);

	*out = (struct rm_slice){ (unsigned char *)text, b->len };
	return text ? 0 : -1;
}

/* ---- messages ---- */

/* role and content, or ShareGPT's from and value. */
static const json_t *role_of(const json_t *message)
{
	const json_t *v = json_object_get(message, "role");

	return v ? v : json_object_get(message, "from");
}

static const json_t *content_of(const json_t *message)
{
	const json_t *v = json_object_get(message, "content");

	return v ? v : json_object_get(message, "value");
}

bool rm_text_is_messages(const json_t *value)
{
	const json_t *first = json_array_get(value, 0);

	return role_of(first) && content_of(first);
}

/* A list of {type: "text", text} parts. */
static int join_parts(const json_t *parts, struct rm_arena *arena,
		      struct rm_slice *out)
{
	struct rm_buf b = {0};
	int status = 0;

	for (size_t i = 0; i < json_array_size(parts) && status == 0; i++) {
		const json_t *part = json_array_get(parts, i);
		const json_t *type = json_object_get(part, "type");
		const json_t *text = json_object_get(part, "text");

		if (json_is_string(type) &&
		    strcmp(json_string_value(type), "text") != 0)
			status = rm_fail("part %zu is of type %s, not text",
					 i + 1, json_string_value(type));
		else if (!json_is_string(text))
			status = rm_fail("part %zu has no text", i + 1);
		else
			rm_buf_append(&b, json_string_value(text),
				      json_string_length(text));
	}
	if (status == 0)
		status = copy(arena, &b, out);
	rm_buf_fini(&b);
	return status;
}

/* Whether a message without content says something all the same. */
static bool calls_tools(const json_t *message)
{
	return json_array_size(json_object_get(message, "tool_calls")) > 0;
}

static int read_message(const json_t *v, struct rm_arena *arena,
			struct rm_message *m)
{
	const json_t *role = role_of(v), *content = content_of(v);

	if (!json_is_string(role))
		return rm_fail("role: %s where a string is expected",
			       rm_text_type_name(role));
	*m = (struct rm_message){ .role = slice_of(role) };
	if (json_object_get(v, "role"))
		m->json = v;
	if ((!content || json_is_null(content)) && calls_tools(v)) {
		m->content = (struct rm_slice){ m->role.data, 0 };
		return 0;
	}
	if (json_is_array(content))
		return join_parts(content, arena, &m->content);
	if (!json_is_string(content))
		return rm_fail("content: %s where a text is expected",
			       rm_text_type_name(content));
	m->content = slice_of(content);
	return 0;
}

int rm_text_read_messages(const json_t *value, struct rm_arena *arena,
			  struct rm_text *out)
{
	size_t n = json_array_size(value);

	*out = (struct rm_text){ .n = n };
	out->message = rm_arena_alloc(arena, n, sizeof(*out->message));
	if (!out->message)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (read_message(json_array_get(value, i), arena,
				 &out->message[i]) < 0)
			return rm_wrap("message %zu", i + 1);
	return 0;
}

/* ---- turns as JSON text (LMArena) ---- */

/* The texts in a JSON list, or the value itself; a new reference. */
static json_t *turn_list(const json_t *value)
{
	json_t *list;

	if (json_is_array(value))
		return json_incref((json_t *)(uintptr_t)value);
	if (!json_is_string(value))
		return rm_fail_null("%s where a text is expected",
				    rm_text_type_name(value));
	if (json_string_value(value)[0] == '[') {
		list = rm_json_parse(json_string_value(value),
				     json_string_length(value));
		if (json_is_array(list))
			return list;
		json_decref(list);
	}
	return json_pack("[O]", value);
}

static int read_turn(const json_t *list, size_t i, const char *role,
		     struct rm_arena *arena, struct rm_message *m)
{
	const json_t *v = json_array_get(list, i);
	const char *text = json_is_null(v) ? "" : json_string_value(v);

	if (!text)
		return rm_fail("turn %zu: %s where a text is expected", i + 1,
			       rm_text_type_name(v));
	*m = (struct rm_message){ .role = { (const unsigned char *)role,
					    strlen(role) } };
	m->content.len = json_is_null(v) ? 0 : json_string_length(v);
	m->content.data = (unsigned char *)rm_arena_strndup(arena, text,
							    m->content.len);
	return m->content.data ? 0 : -1;
}

int rm_text_read_turns(const json_t *turns, const json_t *answers,
		       struct rm_arena *arena, struct rm_text *out)
{
	json_t *asked = turn_list(turns), *said = turn_list(answers);
	size_t n = json_array_size(asked);
	int status = -1;

	*out = (struct rm_text){ .n = 2 * n };
	if (!asked || !said)
		goto end;
	if (json_array_size(said) != n || n == 0) {
		rm_fail("%zu answers to %zu turns", json_array_size(said), n);
		goto end;
	}
	out->message = rm_arena_alloc(arena, 2 * n, sizeof(*out->message));
	status = out->message ? 0 : -1;
	for (size_t i = 0; i < n && status == 0; i++)
		if (read_turn(asked, i, "user", arena,
			      &out->message[2 * i]) < 0 ||
		    read_turn(said, i, "assistant", arena,
			      &out->message[2 * i + 1]) < 0)
			status = -1;
end:
	json_decref(asked);
	json_decref(said);
	return status;
}

/* ---- the end of the prompt ---- */

/* Bytes that all responses begin with. */
static size_t shared_bytes(const struct rm_text_group *g)
{
	size_t n = g->response[0].text.len;

	for (size_t i = 1; i < g->k; i++) {
		struct rm_slice a = g->response[0].text;
		struct rm_slice b = g->response[i].text;
		size_t j = 0;

		n = RM_MIN(n, b.len);
		while (j < n && a.data[j] == b.data[j])
			j++;
		n = j;
	}
	return n;
}

/* Where the last tag within the first n bytes ends, 0 if there is none. */
static size_t after_last_tag(const unsigned char *s, size_t n)
{
	size_t len = strlen(TAG);

	for (size_t end = n; end >= len; end--)
		if (s[end - 1] == ':' && memcmp(s + end - len, TAG, len) == 0)
			return end;
	return 0;
}

static void split_transcript(struct rm_text_group *g)
{
	const unsigned char *text = g->response[0].text.data;
	size_t end = after_last_tag(text, shared_bytes(g));

	if (end == 0)
		return;
	g->transcript = true;
	g->prompt.text = (struct rm_slice){ text, end };
	for (size_t i = 0; i < g->k; i++) {
		g->response[i].text.data += end;
		g->response[i].text.len -= end;
	}
}

/* ---- transcripts as messages ---- */

static const struct tag {
	const char *text, *role;
} tags[] = {
	{ "\n\nHuman:", "user" }, { TAG, "assistant" }
};

/* The tag that stands at s, NULL if none does. */
static const struct tag *tag_at(const unsigned char *s, size_t n)
{
	for (size_t i = 0; s && i < RM_COUNT(tags); i++)
		if (n >= strlen(tags[i].text) &&
		    memcmp(s, tags[i].text, strlen(tags[i].text)) == 0)
			return &tags[i];
	return NULL;
}

static size_t next_tag(const unsigned char *s, size_t n)
{
	size_t i = 0;

	while (i < n && !(s[i] == '\n' && tag_at(s + i, n - i)))
		i++;
	return i;
}

/*
 * A part of a transcript as messages, the first without a tag by `role`; the
 * space after a tag is the tag's.  Text before any tag is the user's.
 */
static int parse_part(struct rm_slice part, const char *role,
		      struct rm_arena *arena, struct rm_text *out)
{
	const unsigned char *s = part.data;
	size_t left = part.len, cap = 1, n;
	const struct tag *tag;

	for (size_t i = 0; i < left; i++)
		cap += s[i] == '\n' && tag_at(s + i, left - i);
	*out = (struct rm_text){0};
	out->message = rm_arena_alloc(arena, cap, sizeof(*out->message));
	if (!out->message)
		return -1;
	for (;;) {
		n = next_tag(s, left);
		if (role) {
			bool space = n && s[0] == ' ';

			out->message[out->n++] = (struct rm_message){
				.role = { (const unsigned char *)role,
					  strlen(role) },
				.content = { s + space, n - space }
			};
		}
		s += n;
		left -= n;
		tag = tag_at(s, left);
		if (!tag)
			return 0;
		role = tag->role;
		s += strlen(tag->text);
		left -= strlen(tag->text);
	}
}

/* The prompt's last message, the assistant's, is still empty and goes. */
static int parse_transcript(struct rm_text_group *g, struct rm_arena *arena)
{
	struct rm_text part;
	bool tagged = tag_at(g->prompt.text.data, g->prompt.text.len);

	if (parse_part(g->prompt.text, tagged ? NULL : "user", arena,
		       &part) < 0)
		return -1;
	part.n--;
	g->prompt = part;
	for (size_t i = 0; i < g->k; i++) {
		if (parse_part(g->response[i].text, "assistant", arena,
			       &part) < 0)
			return -1;
		g->response[i] = part;
	}
	g->transcript = false;
	return 0;
}

/* ---- what message lists share ---- */

/* What templates read of a message beside its role and content. */
static bool same_rest(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {
		"tool_calls", "tool_call_id", "name", "reasoning_content",
		"thinking", "reasoning"
	};

	for (size_t i = 0; a && b && i < RM_COUNT(keys); i++) {
		const json_t *x = json_object_get(a, keys[i]);
		const json_t *y = json_object_get(b, keys[i]);

		if (!x != !y || (x && !json_equal(x, y)))
			return false;
	}
	return true;
}

static bool same_message(const struct rm_message *a,
			 const struct rm_message *b)
{
	return same(a->role, b->role) && same(a->content, b->content) &&
	       same_rest(a->json, b->json);
}

/* Messages that all responses begin with; each keeps one at least. */
static size_t shared_messages(const struct rm_text_group *g)
{
	size_t n = g->response[0].n - 1, j;

	for (size_t i = 1; i < g->k; i++) {
		n = RM_MIN(n, g->response[i].n - 1);
		for (j = 0; j < n; j++)
			if (!same_message(&g->response[0].message[j],
					  &g->response[i].message[j]))
				break;
		n = j;
	}
	return n;
}

/* Whether the n messages already say the prompt. */
static bool says_prompt(const struct rm_text *prompt,
			const struct rm_message *m, size_t n)
{
	if (!prompt->text.data && prompt->n > n)
		return false;
	if (!prompt->text.data) {
		for (size_t i = 0; i < prompt->n; i++)
			if (!same_message(&prompt->message[i], &m[i]))
				return false;
		return true;
	}
	for (size_t i = 0; i < n; i++)
		if (same(prompt->text, m[i].content))
			return true;
	return false;
}

/* prompt becomes its messages, if they are not said again, and m[n]. */
static int extend_prompt(struct rm_text *prompt, struct rm_message *m,
			 size_t n, struct rm_arena *arena)
{
	size_t own = prompt->text.data ? 1 : prompt->n;
	struct rm_message *all;

	if (says_prompt(prompt, m, n))
		own = 0;
	all = rm_arena_alloc(arena, own + n, sizeof(*all));
	if (!all)
		return -1;
	if (own && prompt->text.data)
		all[0] = (struct rm_message){
			.role = { (const unsigned char *)"user", 4 },
			.content = prompt->text
		};
	else if (own)
		memcpy(all, prompt->message, own * sizeof(*all));
	memcpy(all + own, m, n * sizeof(*all));
	*prompt = (struct rm_text){ .n = own + n, .message = all };
	return 0;
}

static int split_messages(struct rm_text_group *g, struct rm_arena *arena)
{
	size_t shared = shared_messages(g);

	if (shared == 0)
		return 0;
	if (extend_prompt(&g->prompt, g->response[0].message, shared,
			  arena) < 0)
		return -1;
	for (size_t i = 0; i < g->k; i++) {
		g->response[i].message += shared;
		g->response[i].n -= shared;
	}
	return 0;
}

/*
 * The key's text: a string as it is; one user message as its content, so that
 * both forms of a prompt have one key; else "role: content" parts.
 */
static int make_key(struct rm_text_group *g, struct rm_arena *arena)
{
	const struct rm_text *p = &g->prompt;
	struct rm_buf b = {0};
	int status;

	if (p->text.data || p->n == 0) {
		g->key_text = p->text.data ? p->text : g->id;
		return 0;
	}
	if (p->n == 1 && (rm_slice_is(p->message[0].role, "user") ||
			  rm_slice_is(p->message[0].role, "human"))) {
		g->key_text = p->message[0].content;
		return 0;
	}
	for (size_t i = 0; i < p->n; i++) {
		rm_buf_puts(&b, i ? "\n\n" : "");
		rm_buf_append(&b, p->message[i].role.data,
			      p->message[i].role.len);
		rm_buf_puts(&b, ": ");
		rm_buf_append(&b, p->message[i].content.data,
			      p->message[i].content.len);
	}
	status = copy(arena, &b, &g->key_text);
	rm_buf_fini(&b);
	return status;
}

int rm_text_split_prompt(struct rm_text_group *g, bool has_prompt,
			 bool as_messages, struct rm_arena *arena)
{
	size_t lists = 0;
	int status = 0;

	for (size_t i = 0; i < g->k; i++)
		lists += !g->response[i].text.data;
	if (has_prompt && make_key(g, arena) < 0)
		return -1;
	if (lists == 0 && !has_prompt)
		split_transcript(g);
	else if (lists == g->k)
		status = split_messages(g, arena);
	if (status < 0 || has_prompt)
		return status;
	if (make_key(g, arena) < 0)
		return -1;
	return as_messages && g->transcript ? parse_transcript(g, arena) : 0;
}
