/* Oniguruma's regular expressions by PCRE2. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex.h"

#include <pcre2.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Bounds what a file can claim. */
#define MAX_PATTERN ((size_t)1 << 16)
/* Bounds the work of one match, and so of a pattern made to be slow. */
#define MATCH_LIMIT 10000000
#define JIT_STACK ((size_t)8 << 20)

/* ---- translation ---- */

struct translator {
	const char *at, *end;
	struct rm_buf *out;
	size_t atom;		/* where the last atom begins in out */
	size_t open[250];	/* where groups begin */
	size_t depth;
};

#define WHITE "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}" \
	"\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_WHITE "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{84}\\x{86}-\\x{9f}" \
	"\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
	"\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}" \
	"\\x{3001}-\\x{10ffff}"
#define HEX "0-9A-Fa-f"

static int refuse(const struct translator *t, const char *from)
{
	size_t n = (size_t)(t->end - from);

	return rm_fail("\"%.*s\" in a regular expression is not supported "
		       "yet", (int)RM_MIN(n, 12), from);
}

/* Members of a class: those of that category, as the peer has it. */
static void put_category(struct rm_buf *out, const char *name)
{
	rm_buf_printf(out, "\\p{%s}", name);
	for (const struct rm_regex_range *r = rm_regex_ranges;
	     r->category[0]; r++)
		if (strncmp(r->category, name, strlen(name)) == 0)
			rm_buf_printf(out, "\\x{%x}-\\x{%x}", r->from, r->to);
}

static void put_word(struct rm_buf *out)
{
	put_category(out, "L");
	put_category(out, "M");
	put_category(out, "Nd");
	put_category(out, "Pc");
	for (const struct rm_regex_range *r = rm_regex_ranges;
	     r->category[0]; r++)
		if (r->category[0] == 'w')
			rm_buf_printf(out, "\\x{%x}-\\x{%x}", r->from, r->to);
}

static int put_property(struct translator *t, const char *from,
			const char *name, size_t n)
{
	static const char *const categories[] = {
		"L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me",
		"N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi",
		"Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl",
		"Zp"
	};
	static const char *const longer[][2] = {
		{ "Letter", "L" }, { "Mark", "M" }, { "Number", "N" },
		{ "Punctuation", "P" }, { "Symbol", "S" },
		{ "Separator", "Z" },
	};
	static const char *const scripts[][2] = {
		{ "Han", "\\p{sc:Han}\\x{2ebf0}-\\x{2ee5d}"
			 "\\x{31350}-\\x{33479}" },
	};

	for (size_t i = 0; i < RM_COUNT(categories); i++)
		if (strlen(categories[i]) == n &&
		    memcmp(categories[i], name, n) == 0) {
			put_category(t->out, categories[i]);
			return 0;
		}
	for (size_t i = 0; i < RM_COUNT(longer); i++)
		if (strlen(longer[i][0]) == n &&
		    memcmp(longer[i][0], name, n) == 0) {
			put_category(t->out, longer[i][1]);
			return 0;
		}
	for (size_t i = 0; i < RM_COUNT(scripts); i++)
		if (strlen(scripts[i][0]) == n &&
		    memcmp(scripts[i][0], name, n) == 0) {
			rm_buf_puts(t->out, scripts[i][1]);
			return 0;
		}
	return refuse(t, from);
}

/* \p{X} \P{X} \p{^X} at t->at - 2; members of a class, or one of its own. */
static int property(struct translator *t, bool in_class)
{
	const char *from = t->at - 2, *close;
	bool not = t->at[-1] == 'P';

	if (t->at == t->end || *t->at != '{')
		return refuse(t, from);
	t->at++;
	if (t->at < t->end && *t->at == '^') {
		not = !not;
		t->at++;
	}
	close = memchr(t->at, '}', (size_t)(t->end - t->at));
	if (!close || (not && in_class))
		return refuse(t, from);
	if (!in_class)
		rm_buf_puts(t->out, not ? "[^" : "[");
	if (put_property(t, from, t->at, (size_t)(close - t->at)) < 0)
		return -1;
	if (!in_class)
		rm_buf_putc(t->out, ']');
	t->at = close + 1;
	return 0;
}

/* \xHH below 0x80, \x{H...}, \uHHHH, after the letter. */
static int code_point(struct translator *t, const char *from)
{
	size_t most = from[1] == 'u' ? 4 : 2, n = 0;
	bool braces = t->at < t->end && *t->at == '{' && from[1] == 'x';
	unsigned long c = 0;

	if (braces) {
		t->at++;
		most = 8;
	}
	for (; t->at < t->end && n < most &&
	     isxdigit((unsigned char)*t->at); n++, t->at++)
		c = c << 4 | (unsigned long)(*t->at <= '9' ? *t->at - '0' :
					     (*t->at | 32) - 'a' + 10);
	if (n == 0 || (from[1] == 'u' && n != 4) || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000) ||
	    (from[1] == 'x' && !braces && c >= 0x80) ||
	    (braces && (t->at == t->end || *t->at++ != '}')))
		return refuse(t, from);
	rm_buf_printf(t->out, "\\x{%lx}", c);
	return 0;
}

/* A class of its own with these members, or the members. */
static void put_members(struct translator *t, bool in_class, bool not,
			void (*put)(struct rm_buf *out), const char *text)
{
	if (!in_class)
		rm_buf_puts(t->out, not ? "[^" : "[");
	if (put)
		put(t->out);
	else
		rm_buf_puts(t->out, text);
	if (!in_class)
		rm_buf_putc(t->out, ']');
}

static void put_digit(struct rm_buf *out)
{
	put_category(out, "Nd");
}

/* A place where a word begins or ends, or where none does. */
static void put_boundary(struct rm_buf *out, bool not)
{
	static const char *const parts[] = {
		"(?<=[", "])(?![", "])|(?<![", "])(?=[", "])"
	};

	rm_buf_puts(out, not ? "(?!" : "(?:");
	for (size_t i = 0; i < RM_COUNT(parts); i++) {
		rm_buf_puts(out, parts[i]);
		if (i + 1 < RM_COUNT(parts))
			put_word(out);
	}
	rm_buf_putc(out, ')');
}

static int escape(struct translator *t, bool in_class)
{
	const char *from = t->at++;
	char c;

	if (t->at == t->end)
		return refuse(t, from);
	c = *t->at++;
	switch (c) {
	case 'p': case 'P':
		return property(t, in_class);
	case 'x': case 'u':
		return code_point(t, from);
	case 's':
		put_members(t, in_class, false, NULL, WHITE);
		return 0;
	case 'S':
		put_members(t, in_class, false, NULL, NOT_WHITE);
		return 0;
	case 'h':
		put_members(t, in_class, false, NULL, HEX);
		return 0;
	case 'w':
		put_members(t, in_class, false, put_word, NULL);
		return 0;
	case 'd':
		put_members(t, in_class, false, put_digit, NULL);
		return 0;
	case 'v':
		rm_buf_puts(t->out, "\\x{b}");
		return 0;
	case 't': case 'n': case 'r': case 'f': case 'a': case 'e':
		rm_buf_printf(t->out, "\\%c", c);
		return 0;
	default:
		break;
	}
	if (in_class && c == 'b') {
		rm_buf_puts(t->out, "\\x{8}");
		return 0;
	}
	if (!in_class && (c == 'W' || c == 'D' || c == 'H')) {
		put_members(t, false, true, c == 'W' ? put_word :
			    c == 'D' ? put_digit : NULL, HEX);
		return 0;
	}
	if (!in_class && (c == 'b' || c == 'B')) {
		put_boundary(t->out, c == 'B');
		return 0;
	}
	if ((unsigned char)c < 0x80 &&
	    (!isalnum((unsigned char)c) ||
	     (!in_class && strchr("AzZN123456789", c)))) {
		rm_buf_printf(t->out, "\\%c", c);
		return 0;
	}
	return refuse(t, from);
}

static int char_class(struct translator *t)
{
	const char *from = t->at++, *first;

	rm_buf_putc(t->out, '[');
	if (t->at < t->end && *t->at == '^')
		rm_buf_putc(t->out, *t->at++);
	for (first = t->at; t->at < t->end; ) {
		if (*t->at == ']' && t->at > first) {
			rm_buf_putc(t->out, *t->at++);
			return 0;
		}
		if (*t->at == '[' || (t->end - t->at > 1 &&
				      memcmp(t->at, "&&", 2) == 0))
			return refuse(t, t->at);
		if (*t->at == ']')
			rm_buf_putc(t->out, '\\');
		if (*t->at != '\\')
			rm_buf_putc(t->out, *t->at++);
		else if (escape(t, true) < 0)
			return -1;
	}
	return refuse(t, from);
}

static int group(struct translator *t)
{
	static const char *const kinds[] = {
		"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:",
		"(?i)", "(?-i)"
	};
	size_t left = (size_t)(t->end - t->at);

	if (t->depth == RM_COUNT(t->open))
		return rm_fail("a regular expression is nested too deep");
	if (left > 1 && t->at[1] != '?') {
		t->open[t->depth++] = t->out->len;
		rm_buf_putc(t->out, *t->at++);
		return 0;
	}
	if (left > 3 && memcmp(t->at, "(?m:", 4) == 0) {
		t->open[t->depth++] = t->out->len;
		rm_buf_puts(t->out, "(?s:");
		t->at += 4;
		return 0;
	}
	for (size_t i = 0; i < RM_COUNT(kinds); i++) {
		size_t n = strlen(kinds[i]);

		if (left < n || memcmp(t->at, kinds[i], n) != 0)
			continue;
		if (kinds[i][n - 1] != ')')
			t->open[t->depth++] = t->out->len;
		rm_buf_puts(t->out, kinds[i]);
		t->at += n;
		return 0;
	}
	return refuse(t, t->at);
}

/* Put text at a place in out. */
static void insert(struct rm_buf *out, size_t at, const char *text)
{
	size_t n = strlen(text);

	if (rm_buf_reserve(out, n) < 0)
		return;
	memmove(out->data + at + n, out->data + at, out->len - at);
	memcpy(out->data + at, text, n);
	out->len += n;
}

/*
 * {n,m} as it is, but {,m} is {0,m}; a + after it repeats the whole, and so
 * does ? after {n}, which in PCRE2 would say how it matches.
 */
static void interval(struct translator *t)
{
	const char *p = t->at + 1, *low = p, *high = NULL;

	while (p < t->end && isdigit((unsigned char)*p))
		p++;
	if (p < t->end && *p == ',') {
		high = ++p;
		while (p < t->end && isdigit((unsigned char)*p))
			p++;
	}
	if (p == t->end || *p != '}' || p == low || (high && p == low + 1)) {
		rm_buf_puts(t->out, "\\{");	/* no interval */
		t->atom = t->out->len - 2;
		t->at++;
		return;
	}
	rm_buf_puts(t->out, *low == ',' ? "{0" : "{");
	rm_buf_append(t->out, low, (size_t)(p + 1 - low));
	t->at = p + 1;
	if (t->at < t->end && (*t->at == '+' || (*t->at == '?' && !high))) {
		insert(t->out, t->atom, "(?:");
		rm_buf_putc(t->out, ')');
	}
}

static int close_group(struct translator *t)
{
	if (t->depth == 0)
		return refuse(t, t->at);
	t->atom = t->open[--t->depth];
	rm_buf_putc(t->out, *t->at++);
	return 0;
}

static int translate_one(struct translator *t)
{
	size_t here = t->out->len;
	int err = 0;

	switch (*t->at) {
	case '(':
		return group(t);
	case ')':
		return close_group(t);
	case '{':
		interval(t);
		return 0;
	case '*': case '+': case '?': case '|': case '^': case '$':
		rm_buf_putc(t->out, *t->at++);
		return 0;
	case '[':
		err = char_class(t);
		break;
	case '\\':
		err = escape(t, false);
		break;
	default:
		do
			rm_buf_putc(t->out, *t->at++);
		while (t->at < t->end && (*t->at & 0xc0) == 0x80);
		break;
	}
	t->atom = here;
	return err;
}

/* Where case does not matter, two letters may be the fold of one. */
static int check_folds(const char *s, size_t n)
{
	static const char *const folds[] = { "ss", "st", "ff", "fi", "fl" };

	if (!memmem(s, n, "(?i", 3) && !memmem(s, n, "i)", 2))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] >= 0x80)
			return rm_fail("a regular expression of characters "
				       "beyond ASCII whose case does not "
				       "matter is not supported yet");
		for (size_t k = 0; i + 1 < n && k < RM_COUNT(folds); k++)
			if ((s[i] | 32) == folds[k][0] &&
			    (s[i + 1] | 32) == folds[k][1])
				return rm_fail("\"%s\" in a regular "
					       "expression whose case does "
					       "not matter is not supported "
					       "yet", folds[k]);
	}
	return 0;
}

int rm_regex_translate(const char *pattern, size_t n, struct rm_buf *out)
{
	struct translator t = {
		.at = pattern, .end = pattern + n, .out = out
	};

	if (n > MAX_PATTERN)
		return rm_fail("a regular expression of %zu bytes", n);
	if (memchr(pattern, '\0', n))
		return rm_fail("a regular expression with a NUL");
	if (check_folds(pattern, n) < 0)
		return -1;
	while (t.at < t.end)
		if (translate_one(&t) < 0 || out->failed)
			return -1;
	return 0;
}

/* ---- patterns ---- */

int rm_pattern_get(const json_t *json, struct rm_pattern *p)
{
	const json_t *v = json_object_get(json, "pattern"), *s;

	s = json_object_get(v, "String");
	p->is_regex = s == NULL;
	if (!s)
		s = json_object_get(v, "Regex");
	if (!json_is_string(s) || json_object_size(v) != 1)
		return rm_fail("\"pattern\" is neither a String nor a Regex");
	p->text = json_string_value(s);
	p->len = json_string_length(s);
	return 0;
}

void rm_pattern_print(const struct rm_pattern *p, struct rm_buf *out)
{
	rm_buf_puts(out, p->is_regex ? "{\"Regex\":" : "{\"String\":");
	rm_json_quote(out, p->text, p->len);
	rm_buf_putc(out, '}');
}

struct regex {
	pcre2_code *code;
};

/* What a thread needs to match. */
struct matcher {
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
	pcre2_match_context *context;
};

static void regex_free(void *arg)
{
	struct regex *r = arg;

	pcre2_code_free(r->code);
	free(r);
}

static void matcher_free(void *arg)
{
	struct matcher *m = arg;

	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	pcre2_jit_stack_free(m->stack);
	free(m);
}

static struct matcher *matcher_new(void)
{
	struct matcher *m = rm_calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->data = pcre2_match_data_create(1, NULL);
	m->context = pcre2_match_context_create(NULL);
	m->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK, NULL);
	if (!m->data || !m->context || !m->stack) {
		matcher_free(m);
		return rm_fail_null("out of memory");
	}
	pcre2_jit_stack_assign(m->context, NULL, m->stack);
	pcre2_set_match_limit(m->context, MATCH_LIMIT);
	return m;
}

static int find_regex(const struct rm_step *s, struct rm_work *w,
		      const unsigned char *text, size_t n, size_t from,
		      size_t *start, size_t *end)
{
	const struct regex *r = s->self;
	struct matcher *m = w->own;
	const PCRE2_SIZE *at;
	int got;

	if (!m) {
		m = w->own = matcher_new();
		if (!m)
			return -1;
	}
	got = pcre2_match(r->code, text, n, from, PCRE2_NO_UTF_CHECK,
			  m->data, m->context);
	if (got == PCRE2_ERROR_NOMATCH)
		return 0;
	if (got < 0) {
		PCRE2_UCHAR text_of[128];

		pcre2_get_error_message(got, text_of, sizeof(text_of));
		return rm_fail("a regular expression of the tokenizer: %s",
			       (char *)text_of);
	}
	at = pcre2_get_ovector_pointer(m->data);
	*start = at[0];
	*end = at[1];
	return 1;
}

static pcre2_code *compile(const char *text, size_t n)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);
	pcre2_code *code = NULL;
	PCRE2_SIZE at;
	int error;

	if (!c)
		return rm_fail_null("out of memory");
	pcre2_set_newline(c, PCRE2_NEWLINE_LF);
	code = pcre2_compile((PCRE2_SPTR)text, n, PCRE2_UTF | PCRE2_UCP |
			     PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
			     &error, &at, c);
	pcre2_compile_context_free(c);
	if (!code) {
		PCRE2_UCHAR text_of[128];

		pcre2_get_error_message(error, text_of, sizeof(text_of));
		return rm_fail_null("a regular expression: %s",
				    (char *)text_of);
	}
	/* Without a JIT for this machine it is slower, no more. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}

static void quote(const char *s, size_t n, struct rm_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x80 &&
		    !isalnum((unsigned char)s[i]))
			rm_buf_printf(out, "\\x{%x}", (unsigned)s[i]);
		else
			rm_buf_putc(out, s[i]);
	}
}

int rm_pattern_step(const struct rm_pattern *p, struct rm_step *s)
{
	struct rm_buf text = {0};
	struct regex *r = rm_calloc(1, sizeof(*r));
	int err = r ? 0 : -1;

	if (r && p->is_regex)
		err = rm_regex_translate(p->text, p->len, &text);
	else
		quote(p->text, p->len, &text);
	if (err == 0 && rm_buf_text(&text))
		r->code = compile((const char *)text.data, text.len);
	rm_buf_fini(&text);
	if (!r || !r->code) {
		free(r);
		return -1;
	}
	s->self = r;
	s->free = regex_free;
	s->work_free = matcher_free;
	s->find = find_regex;
	return 0;
}
