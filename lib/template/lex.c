/* A template's source as tokens, white space cut as Transformers has it cut:
 * trim_blocks and lstrip_blocks set, a last newline dropped. */
#include "template/jinja.h"

#include <stdlib.h>
#include <string.h>

struct lexer {
	struct rm_parser *p;
	const unsigned char *s;
	size_t n, at;
	char open[RM_JINJA_MAX_NESTING];	/* brackets to be closed */
	size_t n_open;
};

static int fail_at(struct lexer *l, size_t pos, const char *what)
{
	rm_fail("%s", what);
	return rm_jinja_wrap(l->p->j, pos);
}

static struct rm_token *add(struct lexer *l, enum rm_token_type type,
			    size_t pos)
{
	struct rm_parser *p = l->p;

	if (rm_grow(&p->token, &p->cap, p->n + 1, sizeof(*p->token)) < 0)
		return NULL;
	p->token[p->n] = (struct rm_token){ .type = (uint8_t)type,
					    .pos = (uint32_t)pos };
	return &p->token[p->n++];
}

static int add_value(struct lexer *l, enum rm_token_type type, size_t pos,
		     struct rm_value v)
{
	struct rm_token *t = add(l, type, pos);

	if (!t)
		return -1;
	t->value = v;
	return 0;
}

static bool stands(const struct lexer *l, size_t at, const char *text)
{
	size_t n = strlen(text);

	return l->n - at >= n && memcmp(l->s + at, text, n) == 0;
}

static size_t skip_space(const struct lexer *l, size_t at)
{
	size_t len;

	while (at < l->n && rm_point_space(rm_point_at(l->s + at, l->n - at,
						     &len)))
		at += len;
	return at;
}

/* ---- text between tags ---- */

/* Where the white space that ends [from, to) begins. */
static size_t before_space(const struct lexer *l, size_t from, size_t to)
{
	size_t end = from, len;

	for (size_t i = from; i < to; i += len)
		if (!rm_point_space(rm_point_at(l->s + i, to - i, &len)))
			end = i + len;
	return end;
}

/* Text up to a tag whose sign is '-', '+' or another. */
static int add_text(struct lexer *l, size_t from, size_t to, int sign,
		    bool output)
{
	size_t end = to, line = to;

	if (sign == '-') {
		end = before_space(l, from, to);
	} else if (sign != '+' && !output) {
		while (line > from && l->s[line - 1] != '\n')
			line--;
		if ((line > from || from == 0 || l->s[from - 1] == '\n') &&
		    before_space(l, line, to) == line)
			end = line;
	}
	if (end == from)
		return 0;
	return add_value(l, RM_T_TEXT, from,
			 rm_text_value(l->s + from, end - from));
}

/* Past a sign and the tag's end `close` at `at`: 1, *end set; 0: not so. */
static int at_end(struct lexer *l, size_t at, const char *close, bool trim,
		  size_t *end)
{
	bool minus = at < l->n && l->s[at] == '-';
	bool plus = trim && at < l->n && l->s[at] == '+';

	if (!stands(l, at + (minus || plus), close))
		return 0;
	at += (size_t)(minus || plus) + 2;
	if (minus)
		at = skip_space(l, at);
	else if (trim && !plus && at < l->n && l->s[at] == '\n')
		at++;
	*end = at;
	return 1;
}

static int skip_comment(struct lexer *l, size_t pos)
{
	for (size_t i = l->at; i < l->n; i++)
		if ((l->s[i] == '#' || l->s[i] == '-' || l->s[i] == '+') &&
		    at_end(l, i, "#}", true, &l->at))
			return 0;
	return fail_at(l, pos, "a comment without its end");
}

/* Whether a block at `at`, behind its sign, is that word and ends. */
static bool is_word(struct lexer *l, size_t at, const char *word, bool trim,
		    size_t *end)
{
	at = skip_space(l, at);
	if (!stands(l, at, word))
		return false;
	at = skip_space(l, at + strlen(word));
	return at_end(l, at, "%}", trim, end);
}

static int sign_at(const struct lexer *l, size_t at)
{
	return at < l->n && (l->s[at] == '-' || l->s[at] == '+') ? l->s[at]
								  : 0;
}

static int add_raw(struct lexer *l, size_t pos, size_t from)
{
	for (size_t i = from; i < l->n; i++) {
		int sign;

		if (l->s[i] != '{' || !stands(l, i, "{%"))
			continue;
		sign = sign_at(l, i + 2);
		if (is_word(l, i + 2 + (sign != 0), "endraw", true, &l->at))
			return add_text(l, from, i, sign, false);
	}
	return fail_at(l, pos, "raw without endraw");
}

/* ---- within tags ---- */

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_word_byte(int c)
{
	return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* Digits with single underscores between them. */
static size_t digits(const struct lexer *l, size_t at)
{
	size_t from = at;

	while (at < l->n && (is_digit(l->s[at]) ||
			     (l->s[at] == '_' && at > from &&
			      is_digit(l->s[at - 1]) && at + 1 < l->n &&
			      is_digit(l->s[at + 1]))))
		at++;
	return at;
}

/* Where a float at l->at ends, 0 if there is none. */
static size_t float_end(const struct lexer *l)
{
	size_t at = digits(l, l->at), e, end = 0;

	if (l->at && l->s[l->at - 1] == '.')
		return 0;
	if (at + 1 < l->n && l->s[at] == '.' && is_digit(l->s[at + 1]))
		end = at = digits(l, at + 1);
	if (at < l->n && (l->s[at] == 'e' || l->s[at] == 'E')) {
		e = at + 1;
		e += e < l->n && (l->s[e] == '+' || l->s[e] == '-');
		if (e < l->n && is_digit(l->s[e]))
			end = digits(l, e);
	}
	return end;
}

static int add_number(struct lexer *l)
{
	size_t pos = l->at, end = float_end(l), n = 0;
	bool real = end != 0;
	char text[64];
	int64_t i;

	if (!real)
		end = digits(l, pos);
	for (size_t k = pos; k < end; k++)
		if (l->s[k] != '_' && n < sizeof(text) - 1)
			text[n++] = (char)l->s[k];
	text[n] = '\0';
	l->at = end;
	if (n == sizeof(text) - 1)
		return fail_at(l, pos, "a number that is too long");
	if (end < l->n && is_word_byte(l->s[end]))
		return fail_at(l, pos, "a number of this form is not known "
			       "here");
	if (real)
		return add_value(l, RM_T_FLOAT, pos,
				 rm_float(strtod(text, NULL)));
	if (n > 1 && text[0] == '0' && strspn(text, "0") != n)
		return fail_at(l, pos, "a number that begins with 0");
	if (rm_parse_i64(text, 0, INT64_MAX, &i) < 0)
		return rm_jinja_wrap(l->p->j, pos);
	return add_value(l, RM_T_INT, pos, rm_int(i));
}

/* n hex digits at s as a character; UINT32_MAX if they are none. */
static uint32_t hex(const unsigned char *s, size_t n, const unsigned char *end)
{
	uint32_t c = 0;

	for (size_t i = 0; i < n; i++) {
		const char *d = "0123456789abcdef", *at;

		if (s + i >= end || s[i] == 0)
			return UINT32_MAX;
		at = strchr(d, s[i] | 0x20);
		if (!at || (s[i] < '0' || (s[i] > '9' && s[i] < 'A')))
			return UINT32_MAX;
		c = c * 16 + (uint32_t)(at - d);
	}
	return c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? UINT32_MAX : c;
}

/* The escape behind a backslash at s into `out`; *used bytes of it.  Bytes
 * written, or -1. */
static int unescape(const unsigned char *s, const unsigned char *end,
		    unsigned char *out, size_t *used)
{
	static const char from[] = "\\'\"abfnrtv";
	static const char to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *at = s[0] ? strchr(from, s[0]) : NULL;
	uint32_t c = 0;
	size_t n = s[0] == 'x' ? 2 : s[0] == 'u' ? 4 : s[0] == 'U' ? 8 : 0;

	*used = 1;
	if (s[0] == '\n')
		return 0;
	if (at) {
		*out = (unsigned char)to[at - from];
		return 1;
	}
	if (n) {
		c = hex(s + 1, n, end);
		*used = 1 + n;
		return c == UINT32_MAX ? -1 : (int)rm_point_put(c, out);
	}
	if (s[0] >= '0' && s[0] <= '7') {
		for (n = 0; n < 3 && s + n < end && s[n] >= '0' &&
			    s[n] <= '7'; n++)
			c = c * 8 + (uint32_t)(s[n] - '0');
		*used = n;
		return (int)rm_point_put(c, out);
	}
	if (s[0] == 'N')
		return -1;
	out[0] = '\\';
	out[1] = s[0];
	return 2;
}

static int add_string(struct lexer *l)
{
	size_t pos = l->at, end = pos + 1, n = 0, used;
	unsigned char quote = l->s[pos], *text;
	int put;

	while (end < l->n && l->s[end] != quote)
		end += l->s[end] == '\\' ? 2 : 1;
	if (end >= l->n)
		return fail_at(l, pos, "a string without its end");
	text = rm_arena_alloc(&l->p->j->arena, end - pos + 1, 1);
	if (!text)
		return -1;
	for (size_t i = pos + 1; i < end; ) {
		if (l->s[i] != '\\') {
			text[n++] = l->s[i++];
			continue;
		}
		put = unescape(l->s + i + 1, l->s + end, text + n, &used);
		if (put < 0)
			return fail_at(l, i, "an escape that is no character");
		n += (size_t)put;
		i += 1 + used;
	}
	l->at = end + 1;
	return add_value(l, RM_T_STRING, pos, rm_text_value(text, n));
}

static int balance(struct lexer *l, char c)
{
	const char *open = "([{", *close = ")]}", *at = strchr(close, c);

	if (strchr(open, c)) {
		if (l->n_open == sizeof(l->open))
			return fail_at(l, l->at, "brackets nested too deep");
		l->open[l->n_open++] = close[strchr(open, c) - open];
	} else if (at) {
		if (l->n_open == 0 || l->open[--l->n_open] != c)
			return fail_at(l, l->at, "a bracket that closes none");
	}
	return 0;
}

static int add_operator(struct lexer *l)
{
	static const char *const two[] = {
		"//", "**", "==", "!=", ">=", "<="
	};
	struct rm_token *t = add(l, RM_T_OPERATOR, l->at);
	size_t n = 1;

	if (!t)
		return -1;
	if (!l->s[l->at] || !strchr("+-/*%~[](){}=<>.:|,;!", l->s[l->at]))
		return fail_at(l, l->at, "a character that has no meaning "
			       "here");
	for (size_t i = 0; i < RM_COUNT(two); i++)
		if (stands(l, l->at, two[i]))
			n = 2;
	memcpy(t->op, l->s + l->at, n);
	if (n == 1 && balance(l, t->op[0]) < 0)
		return -1;
	l->at += n;
	return 0;
}

static int add_token(struct lexer *l)
{
	size_t pos = l->at;
	int c = l->s[pos];

	if (is_digit(c))
		return add_number(l);
	if (c == '"' || c == '\'')
		return add_string(l);
	if (!is_word_byte(c))
		return add_operator(l);
	while (l->at < l->n && is_word_byte(l->s[l->at]))
		l->at++;
	return add_value(l, RM_T_NAME, pos,
			 rm_text_value(l->s + pos, l->at - pos));
}

/* The inside of a tag and its end. */
static int add_tag(struct lexer *l, size_t pos, bool output)
{
	const char *close = output ? "}}" : "%}";

	if (!add(l, output ? RM_T_OUTPUT : RM_T_BLOCK, pos))
		return -1;
	l->n_open = 0;
	for (;;) {
		l->at = skip_space(l, l->at);
		if (l->at >= l->n)
			return fail_at(l, pos, "a tag without its end");
		if (l->n_open == 0 && at_end(l, l->at, close, !output,
					     &l->at))
			break;
		if (add_token(l) < 0)
			return -1;
	}
	return add(l, output ? RM_T_OUTPUT_END : RM_T_BLOCK_END, l->at) ? 0
									: -1;
}

int rm_jinja_lex(struct rm_parser *p)
{
	struct lexer l = { .p = p, .s = p->j->source, .n = p->j->len };
	size_t from = 0, i = 0;
	int sign, err;

	while (i < l.n) {
		if (l.s[i] != '{' || i + 1 >= l.n || !l.s[i + 1] ||
		    !strchr("{%#", l.s[i + 1])) {
			i++;
			continue;
		}
		sign = sign_at(&l, i + 2);
		err = add_text(&l, from, i, sign, l.s[i + 1] == '{');
		l.at = i + 2 + (sign != 0);
		if (err == 0 && l.s[i + 1] == '#')
			err = skip_comment(&l, i);
		else if (err == 0 && l.s[i + 1] == '%' &&
			 is_word(&l, l.at, "raw", false, &from))
			err = add_raw(&l, i, from);
		else if (err == 0)
			err = add_tag(&l, i, l.s[i + 1] == '{');
		if (err < 0)
			return -1;
		from = i = l.at;
	}
	if (add_text(&l, from, l.n, '+', true) < 0)
		return -1;
	return add(&l, RM_T_EOF, l.n) ? 0 : -1;
}
