/*
 * Pre-tokenizers: how a piece of text is cut into words.  A new one is a row
 * of the table at the foot of this file.
 */
#include "tokenizer/parts.h"

#include <string.h>

enum { L = RM_CLASS_LETTER, N = RM_CLASS_NUMBER, S = RM_CLASS_SPACE,
       WIDE = 4 };

static const unsigned char ascii_class[256] = {
	['\t'] = S, ['\n'] = S, ['\v'] = S, ['\f'] = S, ['\r'] = S, [' '] = S,
	['0' ... '9'] = N, ['A' ... 'Z'] = L, ['a' ... 'z'] = L,
	[0x80 ... 0xff] = WIDE
};

enum rm_class rm_class_at(const unsigned char *p, const unsigned char *end,
			  size_t *len)
{
	size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	uint32_t c = *p;

	if ((size_t)(end - p) < n || (c >= 0x80 && c < 0xc0))
		n = 1;		/* not UTF-8: a character of its own */
	*len = n;
	if (n == 1)
		return c < 0x80 ? (enum rm_class)ascii_class[c] :
				  RM_CLASS_OTHER;
	c &= 0xffu >> (n + 1);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	return rm_class_of(c);
}

/* The end of the run of characters of that class from p on. */
static const unsigned char *run_end(const unsigned char *p,
				    const unsigned char *end,
				    enum rm_class class)
{
	for (;;) {
		size_t n;

		while (p < end && ascii_class[*p] == class)
			p++;
		if (p == end || *p < 0x80 || rm_class_at(p, end, &n) != class)
			return p;
		p += n;
	}
}

/* 's 't 're 've 'm 'll 'd: its length, 0 if there is none. */
static size_t contraction(const unsigned char *s, size_t n)
{
	if (n < 2 || s[0] != '\'')
		return 0;
	if (s[1] == 's' || s[1] == 't' || s[1] == 'm' || s[1] == 'd')
		return 2;
	if (n < 3)
		return 0;
	if ((s[1] == 'l' && s[2] == 'l') ||
	    ((s[1] == 'r' || s[1] == 'v') && s[2] == 'e'))
		return 3;
	return 0;
}

/*
 * \s+(?!\S)|\s+ : all of the white space but the last character, which goes
 * with what follows; all of it if nothing follows or it is one character.
 */
static size_t white_space(const unsigned char *s, const unsigned char *end)
{
	const unsigned char *p = s, *last = s;
	size_t n;

	while (p < end && rm_class_at(p, end, &n) == RM_CLASS_SPACE) {
		last = p;
		p += n;
	}
	return (size_t)((p == end || last == s ? p : last) - s);
}

/*
 * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * (Radford et al. 2019, openai/gpt-2 encoder.py)
 */
size_t rm_split_gpt2(const unsigned char *s, size_t n)
{
	const unsigned char *p = s, *end = s + n;
	size_t len = contraction(s, n);
	enum rm_class class;

	if (len > 0)
		return len;
	if (*p == ' ' && n > 1)
		p++;
	class = rm_class_at(p, end, &len);
	if (class == RM_CLASS_SPACE)
		return white_space(s, end);
	return (size_t)(run_end(p + len, end, class) - s);
}

static size_t whole(const unsigned char *text, size_t n)
{
	(void)text;
	return n;
}

static int load_byte_level(struct rm_split *s, const json_t *json,
			   struct rm_buf *canonical)
{
	bool use_regex;

	s->byte_level = true;
	if (rm_get_bool(json, "add_prefix_space", &s->add_prefix_space) < 0 ||
	    rm_opt_bool(json, "use_regex", true, &use_regex) < 0)
		return -1;
	s->next = use_regex ? rm_split_gpt2 : whole;
	rm_buf_printf(canonical, "{\"add_prefix_space\":%s,"
		      "\"type\":\"ByteLevel\",\"use_regex\":%s}",
		      s->add_prefix_space ? "true" : "false",
		      use_regex ? "true" : "false");
	return 0;
}

static const struct {
	const char *type;
	int (*load)(struct rm_split *s, const json_t *json,
		    struct rm_buf *canonical);
} kinds[] = {
	{ "ByteLevel", load_byte_level },
};

int rm_split_load(struct rm_split *s, const json_t *json,
		  struct rm_buf *canonical)
{
	const char *type;

	if (!json || json_is_null(json)) {
		s->next = whole;
		rm_buf_puts(canonical, "null");
		return 0;
	}
	if (rm_json_get_string(json, "type", "pre_tokenizer", &type) < 0)
		return -1;
	for (size_t i = 0; i < RM_COUNT(kinds); i++)
		if (strcmp(type, kinds[i].type) == 0)
			return kinds[i].load(s, json, canonical) < 0 ?
			       rm_wrap("pre_tokenizer %s", type) : 0;
	return rm_fail("pre_tokenizer %s is not supported yet", type);
}
