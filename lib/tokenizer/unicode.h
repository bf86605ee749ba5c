/*
 * unicode: what the peer's regular expressions, Rust and its crates say of
 * characters, as tables of this project: they decide ids, so they are not
 * those of whichever Unicode version a library on the machine has.
 */
#ifndef RM_TOKENIZER_UNICODE_H
#define RM_TOKENIZER_UNICODE_H

#include "base.h"

enum rm_char {
	RM_CHAR_LETTER = 1 << 0,	/* \p{L} of Oniguruma */
	RM_CHAR_NUMBER = 1 << 1,	/* \p{N} */
	RM_CHAR_SPACE = 1 << 2,		/* White_Space; \s everywhere */
	RM_CHAR_WORD = 1 << 3,		/* \w of Rust's regex */
	RM_CHAR_NUMERIC = 1 << 4,	/* Rust's char::is_numeric */
	RM_CHAR_PUNCT = 1 << 5,		/* ASCII punctuation and P of
					 * unicode_categories */
	RM_CHAR_NONSPACING = 1 << 6,	/* Mn of unicode_categories */
	RM_CHAR_COMBINING = 1 << 7,	/* what StripAccents takes away */
	RM_CHAR_CONTROL = 1 << 8,	/* what clean_text takes away */
	/* May change under that form, alone or beside others. */
	RM_CHAR_NFC = 1 << 9,
	RM_CHAR_NFD = 1 << 10,
	RM_CHAR_NFKC = 1 << 11,
	RM_CHAR_NFKD = 1 << 12,
	RM_CHAR_LOWER = 1 << 13,	/* changes when lowercased */
};

/* Fill the table below, once for all threads.  Loading a tokenizer does. */
void rm_unicode_init(void);

extern unsigned char rm_char_kind[0x110000];
extern const uint16_t rm_char_kind_flags[];

static inline unsigned rm_char_flags(uint32_t c)
{
	return rm_char_kind_flags[rm_char_kind[c]];
}

/* What the rules for grapheme clusters (UAX 29) take characters for. */
enum rm_break {
	RM_BREAK_OTHER,
	RM_BREAK_CONTROL,	/* CR and LF, too */
	RM_BREAK_EXTEND,	/* but not in a conjunct (ZWNJ) */
	RM_BREAK_LINKER,	/* an Extend that makes conjuncts */
	RM_BREAK_CONJOINED,	/* an Extend that leaves them whole */
	RM_BREAK_ZWJ,
	RM_BREAK_SPACING,
	RM_BREAK_PREPEND,
	RM_BREAK_PICTURE,	/* Extended_Pictographic */
	RM_BREAK_CONSONANT,	/* of conjuncts */
	RM_BREAK_REGIONAL,
	RM_BREAK_L, RM_BREAK_V, RM_BREAK_T,
	RM_BREAK_SYLLABLE	/* Hangul LV and LVT */
};

extern const unsigned char rm_char_kind_break[];

/*
 * Length of the grapheme cluster at text[0], which begins one; n > 0 bytes
 * (cluster.c).
 */
size_t rm_cluster_length(const unsigned char *text, size_t n);

/* The lowercase of c, which has RM_CHAR_LOWER: one or two characters. */
size_t rm_char_lower(uint32_t c, uint32_t lower[2]);

/*
 * The character at p < end and its length in bytes.  Invalid UTF-8 is safe:
 * what is read stays below end, and what it gives is below 0x110000.
 */
static inline uint32_t rm_char_at(const unsigned char *p,
				  const unsigned char *end, size_t *len)
{
	uint32_t c = *p;
	size_t n;

	*len = 1;
	if (c < 0x80)
		return c;
	if (c >= 0xc2 && c < 0xe0 && end - p >= 2) {
		*len = 2;
		return (c & 0x1f) << 6 | (p[1] & 0x3f);
	}
	if ((c & 0xf0) == 0xe0 && end - p >= 3) {
		*len = 3;
		return (c & 0xf) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3f);
	}
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) < n)
		return 0xfffd;		/* not UTF-8: a character of its own */
	c &= 0xffu >> (n + 1);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*len = n;
	return c < 0x110000 ? c : 0xfffd;
}

/* UTF-8 of c, which is a character: 1 to 4 bytes. */
size_t rm_char_put(uint32_t c, unsigned char bytes[4]);

#endif
