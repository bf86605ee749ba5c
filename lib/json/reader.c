/* A reader of JSON text that builds nothing. */
#include "json.h"

#include <math.h>
#include <string.h>

static int fail(const struct rm_json_reader *r, const char *expected)
{
	return rm_fail("JSON: byte %zu: expected %s",
		       (size_t)(r->at - r->start), expected);
}

void rm_json_reader_init(struct rm_json_reader *r, struct rm_slice json)
{
	*r = (struct rm_json_reader){
		.start = json.data, .at = json.data,
		.end = json.data + json.len
	};
}

void rm_json_reader_fini(struct rm_json_reader *r)
{
	rm_buf_fini(&r->text);
}

int rm_json_peek(struct rm_json_reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' ||
				  *r->at == '\t' || *r->at == '\r'))
		r->at++;
	return r->at < r->end ? *r->at : 0;
}

int rm_json_enter(struct rm_json_reader *r, char open)
{
	char text[4] = { '\'', open, '\'', '\0' };

	if (rm_json_peek(r) != open)
		return fail(r, text);
	r->at++;
	r->first = true;
	return 0;
}

int rm_json_more(struct rm_json_reader *r, char close)
{
	char text[11] = "',' or '?'";
	int c = rm_json_peek(r);

	text[8] = close;
	if (c == close) {
		r->at++;
		r->first = false;
		return 0;
	}
	if (!r->first) {
		if (c != ',')
			return fail(r, text);
		r->at++;
		rm_json_peek(r);
	}
	r->first = false;
	return 1;
}

/* Four hex digits at p; -1 if they are not. */
static int hex4(const unsigned char *p)
{
	int x = 0;

	for (int i = 0; i < 4; i++) {
		int c = p[i], d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			d = (c | 32) - 'a' + 10;
		else
			return -1;
		x = x << 4 | d;
	}
	return x;
}

static void put_utf8(struct rm_buf *b, unsigned c)
{
	if (c < 0x80) {
		rm_buf_putc(b, (int)c);
		return;
	}
	if (c < 0x800) {
		rm_buf_putc(b, (int)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			rm_buf_putc(b, (int)(0xe0 | c >> 12));
		} else {
			rm_buf_putc(b, (int)(0xf0 | c >> 18));
			rm_buf_putc(b, (int)(0x80 | (c >> 12 & 0x3f)));
		}
		rm_buf_putc(b, (int)(0x80 | (c >> 6 & 0x3f)));
	}
	rm_buf_putc(b, (int)(0x80 | (c & 0x3f)));
}

/* After the 'u' of an escape: the character, two escapes if need be. */
static int unicode_escape(struct rm_json_reader *r)
{
	int high = r->end - r->at >= 4 ? hex4(r->at) : -1, low;

	if (high < 0 || (high >= 0xdc00 && high < 0xe000))
		return fail(r, "the hex digits of a character");
	r->at += 4;
	if (high < 0xd800 || high >= 0xdc00) {
		put_utf8(&r->text, (unsigned)high);
		return 0;
	}
	low = r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u' ?
	      hex4(r->at + 2) : -1;
	if (low < 0xdc00 || low >= 0xe000)
		return fail(r, "the second half of a surrogate pair");
	r->at += 6;
	put_utf8(&r->text, 0x10000 + ((unsigned)(high - 0xd800) << 10) +
		 (unsigned)(low - 0xdc00));
	return 0;
}

static int escape(struct rm_json_reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p;

	if (r->at == r->end)
		return fail(r, "an escape");
	if (*r->at == 'u') {
		r->at++;
		return unicode_escape(r);
	}
	p = memchr(from, *r->at, sizeof(from) - 1);
	if (!p)
		return fail(r, "an escape");
	r->at++;
	rm_buf_putc(&r->text, to[p - from]);
	return 0;
}

/* From r->at on what stands as it is, up to a quote or a backslash. */
static struct rm_slice plain_run(struct rm_json_reader *r)
{
	const unsigned char *from = r->at;

	while (r->at < r->end && *r->at != '"' && *r->at != '\\' &&
	       *r->at >= ' ')
		r->at++;
	return (struct rm_slice){ from, (size_t)(r->at - from) };
}

int rm_json_string(struct rm_json_reader *r, struct rm_slice *s)
{
	if (rm_json_peek(r) != '"')
		return fail(r, "a string");
	r->at++;
	*s = plain_run(r);
	rm_buf_clear(&r->text);
	while (r->at < r->end && *r->at == '\\') {
		rm_buf_append(&r->text, s->data, s->len);
		r->at++;
		if (escape(r) < 0)
			return -1;
		*s = plain_run(r);
		if (r->at < r->end && *r->at != '\\') {
			rm_buf_append(&r->text, s->data, s->len);
			*s = (struct rm_slice){ r->text.data, r->text.len };
		}
	}
	if (r->at == r->end || *r->at != '"')
		return fail(r, "the end of a string");
	if (r->text.failed)
		return -1;
	r->at++;
	if (rm_utf8_valid(s->data, s->len) != s->len)
		return fail(r, "valid UTF-8 in the string before");
	return 0;
}

int rm_json_key(struct rm_json_reader *r, struct rm_slice *s)
{
	if (rm_json_string(r, s) < 0)
		return -1;
	if (rm_json_peek(r) != ':')
		return fail(r, "':'");
	r->at++;
	return 0;
}

int rm_json_int(struct rm_json_reader *r, json_int_t *x)
{
	bool negative = rm_json_peek(r) == '-';
	const unsigned char *from;
	json_int_t v = 0;

	r->at += negative;
	from = r->at;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' &&
	       r->at - from < 18)
		v = v * 10 + (*r->at++ - '0');
	if (r->at == from || (*from == '0' && r->at - from > 1))
		return fail(r, "a whole number");
	if (r->at < r->end && memchr("0123456789.eE", *r->at, 13))
		return fail(r, "a whole number below 10^18");
	*x = negative ? -v : v;
	return 0;
}

int rm_json_double(struct rm_json_reader *r, double *x)
{
	char text[64];
	size_t n = 0;

	rm_json_peek(r);
	while (r->at + n < r->end && n < sizeof(text) - 1 &&
	       memchr("0123456789.eE+-", r->at[n], 15)) {
		text[n] = (char)r->at[n];
		n++;
	}
	text[n] = '\0';
	if (rm_parse_double(text, -HUGE_VAL, HUGE_VAL, x) < 0)
		return fail(r, "a number");
	r->at += n;
	return 0;
}

static void skip_string(struct rm_json_reader *r)
{
	for (r->at++; r->at < r->end && *r->at != '"'; r->at++)
		if (*r->at == '\\' && r->at + 1 < r->end)
			r->at++;
	if (r->at < r->end)
		r->at++;
}

int rm_json_skip(struct rm_json_reader *r, struct rm_slice *value)
{
	size_t depth = 0;

	rm_json_peek(r);
	value->data = r->at;
	while (r->at < r->end) {
		unsigned char c = *r->at;

		if (depth == 0 && r->at > value->data &&
		    (c == ',' || c == '}' || c == ']'))
			break;
		if (c == '"') {
			skip_string(r);
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		if (depth == SIZE_MAX)
			break;
		r->at++;
	}
	if (depth != 0 || r->at == value->data)
		return fail(r, "a value");
	value->len = (size_t)(r->at - value->data);
	return 0;
}
