/*
 * The regular expressions that most byte-level tokenizers name, by hand; any
 * other goes through regex.c.  Classes of characters are those of the peer.
 */
#include "tokenizer/parts.h"

#include <string.h>

enum { L = RM_CHAR_LETTER, N = RM_CHAR_NUMBER, S = RM_CHAR_SPACE,
       ANY = L | N | S };

/* Classes of ASCII; WIDE stops every run. */
enum { WIDE = 128 };

static const unsigned char ascii[256] = {
	['\t'] = S, ['\n'] = S, ['\v'] = S, ['\f'] = S, ['\r'] = S, [' '] = S,
	['0' ... '9'] = N, ['A' ... 'Z'] = L, ['a' ... 'z'] = L,
	[0x80 ... 0xff] = WIDE
};

/* Letter, number, space or none of them. */
static unsigned class_at(const unsigned char *p, const unsigned char *end,
			 size_t *len)
{
	if (*p < 0x80) {
		*len = 1;
		return ascii[*p];
	}
	return rm_char_flags(rm_char_at(p, end, len)) & ANY;
}

/* The end of the run of characters of that class from p on. */
static const unsigned char *run_end(const unsigned char *p,
				    const unsigned char *end, unsigned class)
{
	for (;;) {
		size_t n;

		while (p < end && ascii[*p] == class)
			p++;
		if (p == end || *p < 0x80 || class_at(p, end, &n) != class)
			return p;
		p += n;
	}
}

/*
 * \s+(?!\S)|\s+ : all of the white space but the last character, which goes
 * with what follows; all of it if nothing follows or it is one character.
 */
static size_t white_space(const unsigned char *s, const unsigned char *end)
{
	const unsigned char *p = s, *last = s;
	size_t n;

	while (p < end && class_at(p, end, &n) == S) {
		last = p;
		p += n;
	}
	return (size_t)((p == end || last == s ? p : last) - s);
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
 * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * (Radford et al. 2019, openai/gpt-2 encoder.py)
 */
size_t rm_scan_gpt2(const unsigned char *s, size_t n)
{
	const unsigned char *p = s, *end = s + n;
	size_t len = contraction(s, n);
	unsigned class;

	if (len > 0)
		return len;
	if (*p == ' ' && n > 1)
		p++;
	class = class_at(p, end, &len);
	if (class == S)
		return white_space(s, end);
	return (size_t)(run_end(p + len, end, class) - s);
}

/* The same in either case; U+017F, long s, is an S. */
static size_t any_contraction(const unsigned char *s, size_t n)
{
	unsigned char small[3];

	if (n < 2 || s[0] != '\'')
		return 0;
	if (n > 2 && s[1] == 0xc5 && s[2] == 0xbf)
		return 3;
	n = RM_MIN(n, sizeof(small));
	for (size_t i = 0; i < n; i++)
		small[i] = s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 32 : s[i];
	return contraction(small, n);
}

/* Up to `max` numbers from p on. */
static const unsigned char *digits_end(const unsigned char *p,
				       const unsigned char *end, size_t max)
{
	size_t n;

	for (; max > 0 && p < end && class_at(p, end, &n) == N; max--)
		p += n;
	return p;
}

static const unsigned char *newlines_end(const unsigned char *p,
					 const unsigned char *end)
{
	while (p < end && (*p == '\n' || *p == '\r'))
		p++;
	return p;
}

/*
 * \s*[\r\n]+|\s+(?!\S)|\s+ : white space up to its last line break, and if
 * it has none as in GPT-2.
 */
static size_t lines_of_space(const unsigned char *s, const unsigned char *end)
{
	const unsigned char *p = s, *last = NULL;
	size_t n;

	while (p < end && class_at(p, end, &n) == S) {
		if (*p == '\n' || *p == '\r')
			last = p;
		p += n;
	}
	return last ? (size_t)(last + 1 - s) : white_space(s, end);
}

/*
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * (OpenAI, tiktoken cl100k_base; Llama 3; with \p{N} Qwen 2)
 */
size_t rm_scan_cl100k(const unsigned char *s, size_t n, size_t digits)
{
	const unsigned char *p = s, *end = s + n;
	size_t len = any_contraction(s, n), next;
	unsigned class;

	if (len > 0)
		return len;
	class = class_at(s, end, &len);
	if (class == L)
		return (size_t)(run_end(s + len, end, L) - s);
	if (class == N)
		return (size_t)(digits_end(s, end, digits) - s);
	if (*s != '\n' && *s != '\r' && s + len < end &&
	    class_at(s + len, end, &next) == L)
		return (size_t)(run_end(s + len + next, end, L) - s);
	if (*p == ' ' && n > 1) {
		p++;
		class = class_at(p, end, &len);
	}
	if (class == 0)
		return (size_t)(newlines_end(run_end(p, end, 0), end) - s);
	return lines_of_space(s, end);
}
