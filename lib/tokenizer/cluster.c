/*
 * Grapheme clusters: what readers take for one character (Unicode Standard
 * Annex 29, extended clusters).  What characters are to these rules is a
 * table of this project, see unicode.h.
 */
#include "tokenizer/unicode.h"

/* What of the characters so far the rules remember. */
struct state {
	enum rm_break last;
	uint32_t c;		/* the last character */
	bool odd;		/* an odd number of regional indicators */
	/* A pictograph and Extends, and that with a joiner after it. */
	bool picture, picture_joins;
	/* A consonant and what leaves it so, and that with a linker in it. */
	bool consonant, consonant_links;
};

static bool extends(enum rm_break b)
{
	return b == RM_BREAK_EXTEND || b == RM_BREAK_LINKER ||
	       b == RM_BREAK_CONJOINED;
}

/* LV; other syllables are LVT. */
static bool is_open(uint32_t syllable)
{
	return (syllable - 0xac00) % 28 == 0;
}

/* GB6, GB7, GB8 */
static bool joins_jamo(const struct state *s, enum rm_break b)
{
	bool open = s->last == RM_BREAK_V ||
		    (s->last == RM_BREAK_SYLLABLE && is_open(s->c));

	if (s->last == RM_BREAK_L)
		return b == RM_BREAK_L || b == RM_BREAK_V ||
		       b == RM_BREAK_SYLLABLE;
	if (b == RM_BREAK_V)
		return open;
	return b == RM_BREAK_T && (open || s->last == RM_BREAK_T ||
				   s->last == RM_BREAK_SYLLABLE);
}

static bool joins(const struct state *s, uint32_t c, enum rm_break b)
{
	if (s->last == RM_BREAK_CONTROL || b == RM_BREAK_CONTROL)
		return s->c == '\r' && c == '\n';
	if (extends(b) || b == RM_BREAK_ZWJ || b == RM_BREAK_SPACING ||
	    s->last == RM_BREAK_PREPEND)
		return true;
	if (b == RM_BREAK_CONSONANT)
		return s->consonant_links;
	if (b == RM_BREAK_PICTURE)
		return s->picture_joins;
	if (b == RM_BREAK_REGIONAL)
		return s->odd;
	return joins_jamo(s, b);
}

static void take(struct state *s, uint32_t c, enum rm_break b)
{
	bool extend = extends(b);

	s->odd = b == RM_BREAK_REGIONAL && !s->odd;
	s->picture_joins = b == RM_BREAK_ZWJ && s->picture;
	s->picture = b == RM_BREAK_PICTURE || (extend && s->picture);
	if (b == RM_BREAK_CONSONANT) {
		s->consonant = true;
		s->consonant_links = false;
	} else if (b == RM_BREAK_LINKER) {
		s->consonant_links = s->consonant;
	} else if (b != RM_BREAK_ZWJ && b != RM_BREAK_CONJOINED) {
		s->consonant = s->consonant_links = false;
	}
	s->last = b;
	s->c = c;
}

size_t rm_cluster_length(const unsigned char *text, size_t n)
{
	struct state s = {0};
	size_t i = 0, len;

	while (i < n) {
		uint32_t c = rm_char_at(text + i, text + n, &len);
		enum rm_break b = (enum rm_break)
				  rm_char_kind_break[rm_char_kind[c]];

		if (i && !joins(&s, c, b))
			break;
		take(&s, c, b);
		i += len;
	}
	return i;
}
