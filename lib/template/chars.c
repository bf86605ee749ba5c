/* Characters, and what is done to strings by them. */
#include "template/jinja.h"

#include <string.h>

#include <utf8proc.h>

uint32_t rm_point_at(const unsigned char *s, size_t n, size_t *len)
{
	uint32_t c = s[0];

	*len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (*len == 1 || *len > n) {
		*len = 1;
		return c;
	}
	c &= 0x7fu >> *len;
	for (size_t i = 1; i < *len; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

size_t rm_point_put(uint32_t c, unsigned char out[4])
{
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, out);
}

bool rm_point_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 ||
	       c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	       c == 0x3000;
}

size_t rm_point_offset(const unsigned char *s, size_t n, size_t i)
{
	size_t at = 0, len;

	for (; at < n && i > 0; i--, at += len)
		rm_point_at(s + at, n - at, &len);
	return at;
}

/* ---- strip ---- */

static bool is_one_of(uint32_t c, struct rm_value chars)
{
	size_t len;

	if (!rm_is_string(chars))
		return rm_point_space(c);
	for (size_t i = 0; i < chars.len; i += len)
		if (rm_point_at(chars.u.s + i, chars.len - i, &len) == c)
			return true;
	return false;
}

/* Where the last character of s[n] begins. */
static size_t last_char(const unsigned char *s, size_t n)
{
	size_t i = n - 1;

	while (i > 0 && (s[i] & 0xc0) == 0x80)
		i--;
	return i;
}

int rm_value_strip(struct rm_jinja_run *r, struct rm_value text,
		   struct rm_value chars, int ends, struct rm_value *out)
{
	const unsigned char *s = text.u.s;
	size_t n = text.len, len, last;

	if (!rm_is_string(text))
		return rm_value_refuse(r, text, "what is stripped");
	if (chars.type != RM_V_OMITTED && chars.type != RM_V_NONE &&
	    !rm_is_string(chars))
		return rm_value_refuse(r, chars, "what is to be stripped off");
	while (ends & RM_STRIP_LEFT && n &&
	       is_one_of(rm_point_at(s, n, &len), chars)) {
		s += len;
		n -= len;
	}
	while (ends & RM_STRIP_RIGHT && n) {
		last = last_char(s, n);
		if (!is_one_of(rm_point_at(s + last, n - last, &len), chars))
			break;
		n = last;
	}
	*out = rm_text_value(s, n);
	return rm_run_work(r, (text.len - n) * (1 + (rm_is_string(chars) ?
						     chars.len : 0)) / 16);
}

/* ---- case ---- */

/* Characters that another case makes several of. */
static bool grows(uint32_t c)
{
	return c == 0x149 || c == 0x1f0 || c == 0x390 || c == 0x3b0 ||
	       c == 0x587 || c == 0x130 || (c >= 0x1e96 && c <= 0x1e9a) ||
	       (c >= 0x1f50 && c <= 0x1f56) ||
	       (c >= 0x1f80 && c <= 0x1fff) || (c >= 0xfb00 && c <= 0xfb17);
}

static bool cased(uint32_t c)
{
	utf8proc_int32_t k = (utf8proc_int32_t)c;

	return utf8proc_tolower(k) != k || utf8proc_toupper(k) != k;
}

/* A sigma that ends a word is another small letter. */
static bool ends_word(struct rm_value v, size_t at, size_t len)
{
	size_t last, n;

	if (at == 0 || (at + len < v.len &&
			cased(rm_point_at(v.u.s + at + len, v.len - at - len,
					 &n))))
		return false;
	last = last_char(v.u.s, at);
	return cased(rm_point_at(v.u.s + last, at - last, &n));
}

static int put_case(struct rm_buf *b, uint32_t c, bool upper, bool sigma)
{
	unsigned char utf8[4];
	utf8proc_int32_t k = (utf8proc_int32_t)c;

	if (grows(c) && (upper || c == 0x130))
		return rm_fail("the other case of U+%04X is not built",
			       (unsigned)c);
	k = upper ? utf8proc_toupper(k) : utf8proc_tolower(k);
	if (c == 0x3a3 && !upper && sigma)
		k = 0x3c2;
	if (c == 0xdf && upper)
		rm_buf_puts(b, "SS");
	else
		rm_buf_append(b, utf8, rm_point_put((uint32_t)k, utf8));
	return 0;
}

int rm_value_case(struct rm_jinja_run *r, struct rm_value text,
		  enum rm_case how, struct rm_value *out)
{
	struct rm_buf b = {0};
	bool within = false, upper;
	size_t len;
	int err = rm_run_work(r, text.len / 8);

	for (size_t i = 0; i < text.len && err == 0; i += len) {
		uint32_t c = rm_point_at(text.u.s + i, text.len - i, &len);

		upper = how == RM_CASE_UPPER ||
			(how >= RM_CASE_TITLE && !within);
		if (c == 0xdf && upper && how != RM_CASE_UPPER) {
			rm_buf_puts(&b, "Ss");
		} else {
			err = put_case(&b, c, upper,
				       ends_word(text, i, len));
		}
		within = how == RM_CASE_CAPITALIZE || cased(c);
	}
	if (err < 0) {
		rm_buf_fini(&b);
		return -1;
	}
	return rm_value_take(r, &b, out);
}

/* ---- replace ---- */

/* An empty `from` stands before each character and at the end. */
static int replace_empty(struct rm_jinja_run *r, struct rm_buf *b,
			 struct rm_value text, struct rm_value to,
			 int64_t max)
{
	size_t at = 0, len;

	for (; max != 0; max--) {
		if (rm_put(r, b, to) < 0)
			return -1;
		if (at == text.len)
			return 0;
		rm_point_at(text.u.s + at, text.len - at, &len);
		rm_buf_append(b, text.u.s + at, len);
		at += len;
	}
	return rm_put(r, b, rm_text_value(text.u.s + at, text.len - at));
}

int rm_value_replace(struct rm_jinja_run *r, struct rm_value text,
		     struct rm_value from, struct rm_value to, int64_t max,
		     struct rm_value *out)
{
	const unsigned char *at = text.u.s, *end = at + text.len, *found;
	struct rm_buf b = {0};
	int err = rm_run_work(r, text.len / 64);

	if (err == 0 && from.len == 0)
		err = replace_empty(r, &b, text, to, max);
	else if (err == 0)
		found = max ? memmem(at, text.len, from.u.s, from.len) : NULL;
	if (err == 0 && from.len && !found) {
		*out = text;
		return 0;
	}
	while (err == 0 && from.len) {
		err = rm_put(r, &b, rm_text_value(at, (size_t)((found ? found
								      : end) -
							       at)));
		if (!found || err < 0)
			break;
		err = rm_put(r, &b, to);
		at = found + from.len;
		max--;
		found = max ? memmem(at, (size_t)(end - at), from.u.s,
				     from.len) : NULL;
	}
	if (err < 0) {
		rm_buf_fini(&b);
		return -1;
	}
	return rm_value_take(r, &b, out);
}
