/* Normalizers that know no Unicode: Prepend, Replace, Strip. */
#include "tokenizer/regex.h"

#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- Prepend ---- */

static int rewrite_prepend(const struct rm_step *s, struct rm_work *w,
			   const unsigned char *text, size_t n, bool first)
{
	(void)first;
	rm_edit_put(&w->edit, s->text.data, s->text.len, 0);
	rm_edit_keep(&w->edit, text, n);
	return 1;
}

static int get_text(const json_t *json, const char *key, struct rm_slice *s)
{
	const char *text;

	if (rm_json_get_string(json, key, "options", &text) < 0)
		return -1;
	s->data = (const unsigned char *)text;
	s->len = json_string_length(json_object_get(json, key));
	return 0;
}

static int load_prepend(struct rm_steps *steps, const json_t *json,
			struct rm_buf *canonical)
{
	struct rm_step s = { .rewrite = rewrite_prepend, .free = free };

	if (get_text(json, "prepend", &s.text) < 0)
		return -1;
	rm_buf_puts(canonical, "{\"prepend\":");
	rm_json_quote(canonical, s.text.data, s.text.len);
	rm_buf_puts(canonical, ",\"type\":\"Prepend\"}");
	if (s.text.len == 0)
		return 0;
	s.self = rm_strndup((const char *)s.text.data, s.text.len);
	s.text.data = s.self;
	return s.self ? rm_steps_add(steps, s) : -1;
}

/* ---- Replace ---- */

void rm_replace_free(void *arg)
{
	struct rm_replace *r = arg;

	if (!r)
		return;
	if (r->find.free)
		r->find.free(r->find.self);
	free(r->content);
	free(r);
}

static int rewrite_replace(const struct rm_step *s, struct rm_work *w,
			   const unsigned char *text, size_t n, bool first)
{
	const struct rm_replace *r = s->self;
	struct rm_matches m = {
		.step = &r->find, .w = w, .text = text, .n = n
	};
	size_t done = 0;
	int got, any = 0;

	(void)first;
	while ((got = rm_matches_next(&m)) > 0) {
		any = 1;
		if (m.start > done)
			rm_edit_keep(&w->edit, text + done, m.start - done);
		rm_edit_put(&w->edit, r->content, r->len, m.end - m.start);
		done = m.end;
	}
	if (got < 0)
		return -1;
	if (any && done < n)
		rm_edit_keep(&w->edit, text + done, n - done);
	return any;
}

/* A text is searched for as such; an empty one matches as a regex does. */
static int make_find(const struct rm_pattern *p, struct rm_step *find)
{
	if (p->is_regex || p->len == 0)
		return rm_pattern_step(p, find);
	find->self = rm_strndup(p->text, p->len);
	find->free = free;
	find->text = (struct rm_slice){ find->self, p->len };
	find->find = rm_find_text;
	return find->self ? 0 : -1;
}

struct rm_replace *rm_replace_load(const json_t *json,
				   struct rm_buf *canonical)
{
	struct rm_slice content;
	struct rm_pattern p;
	struct rm_replace *r;

	if (rm_pattern_get(json, &p) < 0 ||
	    get_text(json, "content", &content) < 0)
		return NULL;
	rm_buf_puts(canonical, "{\"content\":");
	rm_json_quote(canonical, content.data, content.len);
	rm_buf_puts(canonical, ",\"pattern\":");
	rm_pattern_print(&p, canonical);
	rm_buf_puts(canonical, ",\"type\":\"Replace\"}");
	r = rm_calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->len = content.len;
	r->content = rm_strndup((const char *)content.data, content.len);
	if (r->content && make_find(&p, &r->find) == 0)
		return r;
	rm_replace_free(r);
	return NULL;
}

static int load_replace(struct rm_steps *steps, const json_t *json,
			struct rm_buf *canonical)
{
	struct rm_replace *r = rm_replace_load(json, canonical);

	return r ? rm_steps_add(steps, (struct rm_step){
		.rewrite = rewrite_replace, .self = r,
		.free = rm_replace_free, .work_free = r->find.work_free
	}) : -1;
}

/* ---- Strip ---- */

enum { LEFT = 1, RIGHT = 2 };

static bool is_space(const unsigned char *p, const unsigned char *end,
		     size_t *len)
{
	return rm_char_flags(rm_char_at(p, end, len)) & RM_CHAR_SPACE;
}

static int rewrite_strip(const struct rm_step *s, struct rm_work *w,
			 const unsigned char *text, size_t n, bool first)
{
	size_t from = 0, to = n, len;

	(void)first;
	while (s->flags & LEFT && from < n &&
	       is_space(text + from, text + n, &len))
		from += len;
	while (s->flags & RIGHT && to > from) {
		size_t q = to - 1;

		while (q > from && (text[q] & 0xc0) == 0x80)
			q--;
		if (!is_space(text + q, text + to, &len))
			break;
		to = q;
	}
	if (from == 0 && to == n)
		return 0;
	rm_edit_put(&w->edit, "", 0, from);
	rm_edit_keep(&w->edit, text + from, to - from);
	rm_edit_put(&w->edit, "", 0, n - to);
	return 1;
}

static int load_strip(struct rm_steps *steps, const json_t *json,
		      struct rm_buf *canonical)
{
	bool left, right;

	if (rm_get_bool(json, "strip_left", &left) < 0 ||
	    rm_get_bool(json, "strip_right", &right) < 0)
		return -1;
	rm_buf_printf(canonical, "{\"strip_left\":%s,\"strip_right\":%s,"
		      "\"type\":\"Strip\"}", left ? "true" : "false",
		      right ? "true" : "false");
	return rm_steps_add(steps, (struct rm_step){
		.rewrite = rewrite_strip,
		.flags = (left ? LEFT : 0) | (right ? RIGHT : 0)
	});
}

const struct rm_step_kind rm_normalizers_text[] = {
	{ "Prepend", load_prepend },
	{ "Replace", load_replace },
	{ "Strip", load_strip },
	{ NULL, NULL }
};
