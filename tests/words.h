/*
 * words.h: long words of many scripts, for what must not take time out of all
 * proportion.
 */
#ifndef WORDS_H
#define WORDS_H

#include "base.h"

#include <string.h>

/* A word is `head`, then units: `unit` again and again, or characters of the
 * ranges in a pseudo-random order. */
struct word {
	const char *name, *head, *unit;
	bool dropped;		/* some tokenizers leave characters out */
	struct range {
		uint32_t from, to;
	} range[4];
};

static const struct word words[] = {
	{ "a", "", "a", false, {{0}} },
	{ "spaces", "", " ", true, {{0}} },
	{ "newlines", "", "\n", true, {{0}} },
	{ "CR LF", "", "\r\n", true, {{0}} },
	{ "ideographic spaces", "", "\xe3\x80\x80", true, {{0}} },
	{ "white space", "", NULL, true, { { 9, 13 }, { 32, 32 },
				     { 0x2000, 0x200a } } },
	{ "spaces, letter", "", "        a", false, {{0}} },
	{ "Latin", "", NULL, false, { { 'a', 'z' }, { 'A', 'Z' } } },
	{ "Latin, small", "", NULL, false, { { 'a', 'z' } } },
	{ "accented Latin", "", NULL, true, { { 0xc0, 0xd6 }, { 0xd8, 0xf6 },
					{ 0x100, 0x17f } } },
	{ "Cyrillic", "", NULL, false, { { 0x410, 0x44f } } },
	{ "Greek", "", NULL, false, { { 0x3b1, 0x3c9 } } },
	{ "Arabic", "", NULL, false, { { 0x621, 0x64a } } },
	{ "Hebrew", "", NULL, false, { { 0x5d0, 0x5ea } } },
	{ "Devanagari", "", NULL, true, { { 0x904, 0x94d } } },
	{ "Thai", "", NULL, true, { { 0xe01, 0xe3a } } },
	{ "Hangul", "", NULL, false, { { 0xac00, 0xd7a3 } } },
	{ "jamo", "", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", false, {{0}} },
	{ "Han", "", NULL, false, { { 0x4e00, 0x9fa5 } } },
	{ "kana", "", NULL, false, { { 0x3041, 0x3096 }, { 0x30a1, 0x30fa } } },
	{ "emoji", "", NULL, false, { { 0x1f600, 0x1f64f } } },
	{ "emoji joined", "", "\xf0\x9f\x91\xa8\xe2\x80\x8d", true, {{0}} },
	{ "flags", "", "\xf0\x9f\x87\xa6", true, {{0}} },
	{ "one mark", "a", "\xcc\x81", true, {{0}} },
	{ "marks out of order", "a", "\xcc\x81\xcc\xa7", true, {{0}} },
	{ "marks", "a", NULL, true, { { 0x300, 0x36f } } },
	{ "digits", "", NULL, false, { { '0', '9' } } },
	{ "punctuation", "", NULL, false, { { '!', '/' }, { ':', '@' } } },
	{ "!", "", "!", false, {{0}} },
	{ "'s", "", "'s", false, {{0}} },
	{ "of metaspaces", "", "\xe2\x96\x81", true, {{0}} },
	{ "metaspace, a", "", "\xe2\x96\x81""a", false, {{0}} },
	{ "##a", "", "##a", false, {{0}} },
	{ "byte tokens", "", "<0x0A>", false, {{0}} },
	{ "<", "", "<", false, {{0}} },
	{ "NUL", "", NULL, true, { { 0, 0 } } },
	{ "private use", "", NULL, true, { { 0xe000, 0xf8ff } } },
	{ "all characters", "", NULL, true, { { 33, 0xd7ff },
					 { 0xe000, 0x10ffff } } },
};

static size_t put_char(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(c | (0xf0u << (4 - n) & 0xff));
	return n;
}

static uint32_t pick(const struct word *w, uint64_t *state)
{
	uint32_t n = 0, at;

	for (size_t i = 0; i < RM_COUNT(w->range); i++)
		if (i == 0 || w->range[i].to)
			n += w->range[i].to - w->range[i].from + 1;
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	at = (uint32_t)(*state >> 33) % n;
	for (size_t i = 0;; i++) {
		uint32_t size = w->range[i].to - w->range[i].from + 1;

		if (at < size)
			return w->range[i].from + at;
		at -= size;
	}
}

/* A text of at most n bytes; its length.  There is room for n + 4. */
static size_t make_word(const struct word *w, char *text, size_t n)
{
	size_t len = strlen(w->head), unit = w->unit ? strlen(w->unit) : 4;
	uint64_t state = 1;

	memcpy(text, w->head, len);
	for (; len + unit <= n; len += unit)
		if (w->unit)
			memcpy(text + len, w->unit, unit);
		else
			unit = put_char(text + len, pick(w, &state));
	return len;
}

#endif
