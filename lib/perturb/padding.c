/* padding: the same words again and again, so that a text is longer. */
#include "perturb/kind.h"

#include <string.h>

/* The first n characters of the filler repeated. */
static void fill(struct rm_buf *out, const char *filler, size_t n)
{
	size_t len = strlen(filler), at = 0, bytes;

	for (; len > 0 && n > 0; n--) {
		rm_perturb_char((const unsigned char *)filler + at, len - at,
				&bytes);
		rm_buf_append(out, filler + at, bytes);
		at = (at + bytes) % len;
	}
}

static void apply(const struct rm_perturb_options *o,
		  struct rm_perturb_draw *draw, struct rm_slice text,
		  struct rm_buf *out)
{
	double share = o->share * (double)rm_utf8_count(text.data, text.len);
	struct rm_buf more = {0};

	(void)draw;
	fill(&more, o->text, o->chars ? o->chars : (size_t)share);
	out->failed |= more.failed;
	if (!more.failed)
		rm_perturb_join(o, text, (struct rm_slice){ more.data,
				more.len }, false, out);
	rm_buf_fini(&more);
}

static const struct rm_key keys[] = {
	RM_KEY_SIZE("chars", struct rm_perturb_options, chars, 0, 1e6, "0",
		    "characters that are added; 0: by share"),
	RM_KEY_DOUBLE("share", struct rm_perturb_options, share, 0, 100,
		      "0.5", "characters that are added, of those there are"),
	RM_KEY_TEXT("text", struct rm_perturb_options, text,
		    " And so on, and so on.", "what is repeated"),
	RM_PERTURB_AT, RM_PERTURB_KEYS
};

const struct rm_perturb_kind rm_perturb_padding = {
	{ "padding", "words that say nothing, repeated: a longer text",
	  keys, false }, apply
};
