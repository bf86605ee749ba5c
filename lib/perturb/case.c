/* case: letters in another case, word by word. */
#include "perturb/kind.h"

#include <utf8proc.h>

enum { LOWER, UPPER, SWAP, TITLE };

static const char *const names[] = { "lower", "upper", "swap", "title",
				     NULL };

static int32_t swapped(int32_t c)
{
	int32_t low = utf8proc_tolower(c);

	return low != c ? low : utf8proc_toupper(c);
}

static int32_t turned(size_t how, int32_t c, bool first)
{
	switch (how) {
	case LOWER:
		return utf8proc_tolower(c);
	case UPPER:
		return utf8proc_toupper(c);
	case SWAP:
		return swapped(c);
	default:
		return first ? utf8proc_totitle(c) : utf8proc_tolower(c);
	}
}

static void apply(const struct rm_perturb_options *o,
		  struct rm_perturb_draw *draw, struct rm_slice text,
		  struct rm_buf *out)
{
	bool in_word = false, chosen = false, first = true;
	size_t n;

	for (size_t i = 0; i < text.len; i += n) {
		int32_t c = rm_perturb_char(text.data + i, text.len - i, &n);

		if (rm_perturb_is_space(c)) {
			in_word = false;
		} else if (!in_word) {
			in_word = first = true;
			chosen = rm_perturb_uniform(draw) < o->rate;
		}
		if (c < 0 || !in_word || !chosen) {
			rm_buf_append(out, text.data + i, n);
			continue;
		}
		rm_perturb_put(out, turned(o->how, c, first));
		first = first && !rm_perturb_is_letter(c);
	}
}

static const struct rm_key keys[] = {
	RM_KEY_CHOICE("how", struct rm_perturb_options, how, names, "lower",
		      "what letters become; title: the first of a word a "
		      "capital, the others not"),
	RM_KEY_DOUBLE("rate", struct rm_perturb_options, rate, 0, 1, "1",
		      "share of the words that change"),
	RM_PERTURB_SEED, RM_PERTURB_KEYS
};

const struct rm_perturb_kind rm_perturb_case = {
	{ "case", "letters in another case", keys, false }, apply
};
