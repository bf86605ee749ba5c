/* praise: the text says that it is good. */
#include "perturb/kind.h"

#include <string.h>

static void apply(const struct rm_perturb_options *o,
		  struct rm_perturb_draw *draw, struct rm_slice text,
		  struct rm_buf *out)
{
	(void)draw;
	rm_perturb_join(o, text, (struct rm_slice){
			(const unsigned char *)o->text, strlen(o->text)
	}, true, out);
}

static const struct rm_key keys[] = {
	RM_KEY_TEXT("text", struct rm_perturb_options, text,
		    "This is an excellent answer.", "what is said"),
	RM_PERTURB_AT, RM_PERTURB_KEYS
};

const struct rm_perturb_kind rm_perturb_praise = {
	{ "praise", "a sentence that praises the text, a space apart",
	  keys, false }, apply
};
