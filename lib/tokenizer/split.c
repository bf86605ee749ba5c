/*
 * Pre-tokenizers: how a piece of text is cut into words.  A new one is its
 * load function and a row of the table at the foot of this file.
 */
#include "tokenizer/parts.h"

#include "tokenizer/regex.h"

#include <stdlib.h>
#include <string.h>

static const char *const behaviors[] = {
	[RM_REMOVED] = "Removed", [RM_ISOLATED] = "Isolated",
	[RM_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
	[RM_MERGED_WITH_NEXT] = "MergedWithNext",
	[RM_CONTIGUOUS] = "Contiguous", NULL
};

/* ---- words by classes of characters ---- */

static unsigned flags_at(const unsigned char *p, const unsigned char *end,
			 size_t *len)
{
	return rm_char_flags(rm_char_at(p, end, len));
}

/* The first character with one of the step's flags, alone. */
static int find_char(const struct rm_step *s, struct rm_work *w,
		     const unsigned char *text, size_t n, size_t from,
		     size_t *start, size_t *end)
{
	size_t len;

	(void)w;
	for (size_t i = from; i < n; i += len)
		if (flags_at(text + i, text + n, &len) & s->flags) {
			*start = i;
			*end = i + len;
			return 1;
		}
	return 0;
}

/* The first run of characters without any of the step's flags. */
static int find_run_without(const struct rm_step *s, struct rm_work *w,
			    const unsigned char *text, size_t n, size_t from,
			    size_t *start, size_t *end)
{
	size_t i = from, len = 0;

	(void)w;
	while (i < n && flags_at(text + i, text + n, &len) & s->flags)
		i += len;
	if (i >= n)
		return 0;
	*start = i;
	for (i += len; i < n; i += len)
		if (flags_at(text + i, text + n, &len) & s->flags)
			break;
	*end = i;
	return 1;
}

/*
 * The first run of characters that are neither white space nor punctuation,
 * or one that is punctuation.
 */
static int find_bert(const struct rm_step *s, struct rm_work *w,
		     const unsigned char *text, size_t n, size_t from,
		     size_t *start, size_t *end)
{
	const unsigned stop = RM_CHAR_SPACE | RM_CHAR_PUNCT;
	size_t i = from, len = 0;
	unsigned flags = 0;

	(void)s;
	(void)w;
	while (i < n && (flags = flags_at(text + i, text + n, &len)) &
			RM_CHAR_SPACE)
		i += len;
	if (i >= n)
		return 0;
	*start = i;
	i += len;
	while (!(flags & RM_CHAR_PUNCT) && i < n &&
	       !(flags_at(text + i, text + n, &len) & stop))
		i += len;
	*end = i;
	return 1;
}

/* \w+|[^\w\s]+ */
static int find_words(const struct rm_step *s, struct rm_work *w,
		      const unsigned char *text, size_t n, size_t from,
		      size_t *start, size_t *end)
{
	const unsigned mask = RM_CHAR_WORD | RM_CHAR_SPACE;
	size_t i = from, len = 0;
	unsigned class = 0;

	(void)s;
	(void)w;
	while (i < n && (class = flags_at(text + i, text + n, &len) & mask) ==
			RM_CHAR_SPACE)
		i += len;
	if (i >= n)
		return 0;
	*start = i;
	for (i += len; i < n; i += len)
		if ((flags_at(text + i, text + n, &len) & mask) != class)
			break;
	*end = i;
	return 1;
}

static int load_bert(struct rm_steps *steps, const json_t *json,
		     struct rm_buf *canonical)
{
	(void)json;
	rm_buf_puts(canonical, "{\"type\":\"BertPreTokenizer\"}");
	return rm_steps_add(steps, (struct rm_step){
		.find = find_bert, .behavior = RM_REMOVED, .invert = true
	});
}

static int load_whitespace(struct rm_steps *steps, const json_t *json,
			   struct rm_buf *canonical)
{
	(void)json;
	rm_buf_puts(canonical, "{\"type\":\"Whitespace\"}");
	return rm_steps_add(steps, (struct rm_step){
		.find = find_words, .behavior = RM_REMOVED, .invert = true
	});
}

static int load_whitespace_split(struct rm_steps *steps, const json_t *json,
				 struct rm_buf *canonical)
{
	(void)json;
	rm_buf_puts(canonical, "{\"type\":\"WhitespaceSplit\"}");
	return rm_steps_add(steps, (struct rm_step){
		.find = find_run_without, .flags = RM_CHAR_SPACE,
		.behavior = RM_REMOVED, .invert = true
	});
}

static int load_behavior(const json_t *json, const char *otherwise,
			 enum rm_behavior *out)
{
	const json_t *v = json_object_get(json, "behavior");
	const char *name = v ? json_string_value(v) : otherwise;

	for (size_t i = 0; name && behaviors[i]; i++)
		if (strcmp(name, behaviors[i]) == 0) {
			*out = (enum rm_behavior)i;
			return 0;
		}
	return rm_fail("behavior \"%s\" is none of Removed, Isolated, "
		       "MergedWithPrevious, MergedWithNext, Contiguous",
		       name ? name : "");
}

static int load_punctuation(struct rm_steps *steps, const json_t *json,
			    struct rm_buf *canonical)
{
	struct rm_step s = { .find = find_char, .flags = RM_CHAR_PUNCT };

	if (load_behavior(json, "Isolated", &s.behavior) < 0)
		return -1;
	rm_buf_printf(canonical, "{\"behavior\":\"%s\",\"type\":"
		      "\"Punctuation\"}", behaviors[s.behavior]);
	return rm_steps_add(steps, s);
}

static int load_digits(struct rm_steps *steps, const json_t *json,
		       struct rm_buf *canonical)
{
	struct rm_step s = { .find = find_char, .flags = RM_CHAR_NUMERIC };
	bool individual;

	if (rm_get_bool(json, "individual_digits", &individual) < 0)
		return -1;
	s.behavior = individual ? RM_ISOLATED : RM_CONTIGUOUS;
	rm_buf_printf(canonical, "{\"individual_digits\":%s,\"type\":"
		      "\"Digits\"}", individual ? "true" : "false");
	return rm_steps_add(steps, s);
}

/* ---- one character ---- */

/* A member that is exactly one character. */
static int get_char(const json_t *json, const char *key, const char **text)
{
	size_t len;

	if (rm_json_get_string(json, key, "options", text) < 0)
		return -1;
	len = json_string_length(json_object_get(json, key));
	if (len == 0 || strlen(*text) != len || rm_utf8_count(*text, len) != 1)
		return rm_fail("\"%s\" is not one character", key);
	return 0;
}

/* The step with a copy of the text as its own. */
static int add_with_text(struct rm_steps *steps, struct rm_step s,
			 const char *text)
{
	s.text.len = strlen(text);
	s.self = rm_strdup(text);
	s.text.data = s.self;
	s.free = free;
	return s.self ? rm_steps_add(steps, s) : -1;
}

static int load_delimiter(struct rm_steps *steps, const json_t *json,
			  struct rm_buf *canonical)
{
	const char *text;

	if (get_char(json, "delimiter", &text) < 0)
		return -1;
	rm_buf_puts(canonical, "{\"delimiter\":");
	rm_json_quote(canonical, text, strlen(text));
	rm_buf_puts(canonical, ",\"type\":\"CharDelimiterSplit\"}");
	return add_with_text(steps, (struct rm_step){
		.find = rm_find_text, .behavior = RM_REMOVED
	}, text);
}

/* ---- Metaspace ---- */

enum scheme { ALWAYS, FIRST, NEVER };

/* Spaces become the step's character; it is put in front, as flags says. */
static int rewrite_metaspace(const struct rm_step *s, struct rm_work *w,
			     const unsigned char *text, size_t n, bool first)
{
	struct rm_edit *e = &w->edit;
	bool has = (n >= s->text.len && memcmp(text, s->text.data,
					       s->text.len) == 0) ||
		   text[0] == ' ';
	bool put = !has && (s->flags == ALWAYS ||
			    (s->flags == FIRST && first));
	const unsigned char *p = text, *end = text + n;

	if (!put && !memchr(text, ' ', n))
		return 0;
	if (put)
		rm_edit_put(e, s->text.data, s->text.len, 0);
	while (p < end) {
		const unsigned char *space = memchr(p, ' ',
						    (size_t)(end - p));
		const unsigned char *stop = space ? space : end;

		if (stop > p)
			rm_edit_keep(e, p, (size_t)(stop - p));
		if (space)
			rm_edit_put(e, s->text.data, s->text.len, 1);
		p = stop + (space != NULL);
	}
	return 1;
}

static int get_scheme(const json_t *json, enum scheme *out)
{
	static const char *const names[] = { "always", "first", "never" };
	const json_t *old = json_object_get(json, "add_prefix_space");
	const json_t *v = json_object_get(json, "prepend_scheme");
	const char *name = v ? json_string_value(v) : "always";

	*out = NEVER + 1;
	for (size_t i = 0; name && i < RM_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			*out = (enum scheme)i;
	if (*out > NEVER)
		return rm_fail("prepend_scheme is none of always, first, "
			       "never");
	if (old && !json_is_null(old) && !json_is_boolean(old))
		return rm_fail("add_prefix_space is not true or false");
	if (json_is_false(old)) {
		if (v && *out != NEVER)
			return rm_fail("add_prefix_space and prepend_scheme "
				       "disagree");
		if (!v)
			return rm_fail("add_prefix_space is false and "
				       "prepend_scheme is not \"never\"");
	}
	return 0;
}

static int load_metaspace(struct rm_steps *steps, const json_t *json,
			  struct rm_buf *canonical)
{
	static const char *const names[] = { "always", "first", "never" };
	const char *text;
	enum scheme scheme;
	bool split;

	if (get_char(json, "replacement", &text) < 0 ||
	    get_scheme(json, &scheme) < 0 ||
	    rm_opt_bool(json, "split", true, &split) < 0)
		return -1;
	rm_buf_printf(canonical, "{\"prepend_scheme\":\"%s\","
		      "\"replacement\":", names[scheme]);
	rm_json_quote(canonical, text, strlen(text));
	rm_buf_printf(canonical, ",\"split\":%s,\"type\":\"Metaspace\"}",
		      split ? "true" : "false");
	if (add_with_text(steps, (struct rm_step){
		.rewrite = rewrite_metaspace, .flags = scheme,
		.needs_first = scheme == FIRST
	}, text) < 0)
		return -1;
	return split ? add_with_text(steps, (struct rm_step){
		.find = rm_find_text, .behavior = RM_MERGED_WITH_NEXT
	}, text) : 0;
}

/* ---- ByteLevel ---- */

static int rewrite_prefix_space(const struct rm_step *s, struct rm_work *w,
				const unsigned char *text, size_t n,
				bool first)
{
	(void)s;
	(void)first;
	if (text[0] == ' ')
		return 0;
	rm_edit_put(&w->edit, " ", 1, 0);
	rm_edit_keep(&w->edit, text, n);
	return 1;
}

static int find_gpt2(const struct rm_step *s, struct rm_work *w,
		     const unsigned char *text, size_t n, size_t from,
		     size_t *start, size_t *end)
{
	(void)s;
	(void)w;
	if (from == n)
		return 0;
	*start = from;
	*end = from + rm_scan_gpt2(text + from, n - from);
	return 1;
}

int rm_rewrite_bytes(const struct rm_step *s, struct rm_work *w,
		     const unsigned char *text, size_t n, bool first)
{
	(void)s;
	(void)first;
	for (size_t i = 0; i < n; i++) {
		char c[2];
		size_t len = rm_byte_to_char(text[i], c);

		rm_edit_put(&w->edit, c, len, 1);
	}
	return 1;
}

static int load_byte_level(struct rm_steps *steps, const json_t *json,
			   struct rm_buf *canonical)
{
	bool prefix, use_regex;

	if (rm_get_bool(json, "add_prefix_space", &prefix) < 0 ||
	    rm_opt_bool(json, "use_regex", true, &use_regex) < 0)
		return -1;
	rm_buf_printf(canonical, "{\"add_prefix_space\":%s,"
		      "\"type\":\"ByteLevel\",\"use_regex\":%s}",
		      prefix ? "true" : "false",
		      use_regex ? "true" : "false");
	if (prefix && rm_steps_add(steps, (struct rm_step){
		.rewrite = rewrite_prefix_space
	}) < 0)
		return -1;
	if (use_regex && rm_steps_add(steps, (struct rm_step){
		.find = find_gpt2, .behavior = RM_ISOLATED
	}) < 0)
		return -1;
	return rm_steps_add(steps, (struct rm_step){
		.rewrite = rm_rewrite_bytes
	});
}

/* ---- Split ---- */

/* flags: how many digits stand together. */
static int find_cl100k(const struct rm_step *s, struct rm_work *w,
		       const unsigned char *text, size_t n, size_t from,
		       size_t *start, size_t *end)
{
	(void)w;
	if (from == n)
		return 0;
	*start = from;
	*end = from + rm_scan_cl100k(text + from, n - from, s->flags);
	return 1;
}

/* Patterns that are scanned by hand. */
static const struct {
	const char *before, *digits, *after;
	unsigned n;
} cl100k[] = {
#define BEFORE "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define AFTER "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" \
	"\\s+(?!\\S)|\\s+"
	{ BEFORE, "\\p{N}{1,3}", AFTER, 3 },
	{ BEFORE, "\\p{N}", AFTER, 1 },
#undef BEFORE
#undef AFTER
};

/* The number of digits of a pattern that is known, 0 if it is not. */
static unsigned known_pattern(const char *pattern)
{
	for (size_t i = 0; i < RM_COUNT(cl100k); i++) {
		size_t a = strlen(cl100k[i].before);
		size_t b = strlen(cl100k[i].digits);

		if (strncmp(pattern, cl100k[i].before, a) == 0 &&
		    strncmp(pattern + a, cl100k[i].digits, b) == 0 &&
		    strcmp(pattern + a + b, cl100k[i].after) == 0)
			return cl100k[i].n;
	}
	return 0;
}

static int load_split(struct rm_steps *steps, const json_t *json,
		      struct rm_buf *canonical)
{
	struct rm_step s = {0};
	struct rm_pattern p;

	if (rm_pattern_get(json, &p) < 0 ||
	    load_behavior(json, NULL, &s.behavior) < 0 ||
	    rm_get_bool(json, "invert", &s.invert) < 0)
		return -1;
	rm_buf_printf(canonical, "{\"behavior\":\"%s\",\"invert\":%s,"
		      "\"pattern\":", behaviors[s.behavior],
		      s.invert ? "true" : "false");
	rm_pattern_print(&p, canonical);
	rm_buf_puts(canonical, ",\"type\":\"Split\"}");
	s.flags = p.is_regex ? known_pattern(p.text) : 0;
	if (s.flags) {
		s.find = find_cl100k;
		return rm_steps_add(steps, s);
	}
	if (!p.is_regex && p.len > 0 && strlen(p.text) == p.len) {
		s.find = rm_find_text;
		return add_with_text(steps, s, p.text);
	}
	return rm_pattern_step(&p, &s) < 0 ? -1 : rm_steps_add(steps, s);
}

const struct rm_step_kind rm_pre_tokenizers[] = {
	{ "BertPreTokenizer", load_bert },
	{ "ByteLevel", load_byte_level },
	{ "CharDelimiterSplit", load_delimiter },
	{ "Digits", load_digits },
	{ "Metaspace", load_metaspace },
	{ "Punctuation", load_punctuation },
	{ "Split", load_split },
	{ "Whitespace", load_whitespace },
	{ "WhitespaceSplit", load_whitespace_split },
	{ NULL, NULL }
};
