/* whitespace: more of it, where there is some. */
#include "perturb/kind.h"

enum { ANY, SPACES, NEWLINES, TRAILING };

static const char *const names[] = { "any", "spaces", "newlines", "trailing",
				     NULL };

static bool is_wanted(size_t how, unsigned char c)
{
	return (c == ' ' && (how == ANY || how == SPACES)) ||
	       (c == '\n' && (how == ANY || how == NEWLINES));
}

static void apply(const struct rm_perturb_options *o,
		  struct rm_perturb_draw *draw, struct rm_slice text,
		  struct rm_buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = text.data[i];

		rm_buf_putc(out, (char)c);
		if (is_wanted(o->how, c) &&
		    rm_perturb_uniform(draw) < o->rate)
			rm_buf_putc(out, (char)c);
	}
	if (o->how == ANY || o->how == TRAILING)
		rm_buf_puts(out, "  \n");
}

static const struct rm_key keys[] = {
	RM_KEY_CHOICE("how", struct rm_perturb_options, how, names, "any",
		      "spaces doubled, line ends doubled, two spaces and a "
		      "line end behind the text, or all of it"),
	RM_KEY_DOUBLE("rate", struct rm_perturb_options, rate, 0, 1, "0.2",
		      "share of the spaces and line ends that are doubled"),
	RM_PERTURB_SEED, RM_PERTURB_KEYS
};

const struct rm_perturb_kind rm_perturb_whitespace = {
	{ "whitespace", "spaces and line ends doubled, and more of them at "
	  "the end", keys, false }, apply
};
