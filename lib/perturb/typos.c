/*
 * typos: of a share of the letters, one of four slips: exchanged with the
 * next, left out, doubled, or a neighbour on the keyboard in its place.
 */
#include "perturb/kind.h"

#include <ctype.h>
#include <string.h>

/* What stands beside each letter, a to z, on a QWERTY keyboard. */
static const char *const beside[] = {
	"qwsz", "vghn", "xdfv", "serfcx", "wsdr", "drtgvc", "ftyhbv",
	"gyujnb", "ujko", "huikmn", "jiolm", "kop", "njk", "bhjm", "iklp",
	"ol", "wa", "edft", "awedxz", "rfgy", "yhji", "cfgb", "qase",
	"zsdc", "tghu", "asx"
};

enum { EXCHANGE, LEAVE_OUT, DOUBLE, NEIGHBOUR, SLIPS };

static bool is_latin(int32_t c)
{
	return c < 0x80 && isalpha((unsigned char)c);
}

static int32_t neighbour(struct rm_perturb_draw *draw, int32_t c)
{
	const char *keys = beside[tolower((unsigned char)c) - 'a'];
	int key = (unsigned char)keys[rm_perturb_below(draw, strlen(keys))];

	return isupper((unsigned char)c) ? toupper(key) : key;
}

/* The slip at letter c of n bytes; how many bytes of the text it took. */
static size_t slip(struct rm_perturb_draw *draw, struct rm_slice rest,
		   int32_t c, size_t n, struct rm_buf *out)
{
	size_t which = rm_perturb_below(draw, SLIPS), m;
	int32_t next;

	if (which == LEAVE_OUT)
		return n;
	if (which == EXCHANGE && n < rest.len) {
		next = rm_perturb_char(rest.data + n, rest.len - n, &m);
		if (rm_perturb_is_letter(next)) {
			rm_buf_append(out, rest.data + n, m);
			rm_buf_append(out, rest.data, n);
			return n + m;
		}
	}
	if (which == NEIGHBOUR && is_latin(c)) {
		rm_perturb_put(out, neighbour(draw, c));
		return n;
	}
	rm_buf_append(out, rest.data, n);
	rm_buf_append(out, rest.data, n);
	return n;
}

static void apply(const struct rm_perturb_options *o,
		  struct rm_perturb_draw *draw, struct rm_slice text,
		  struct rm_buf *out)
{
	size_t n;

	for (size_t i = 0; i < text.len; i += n) {
		struct rm_slice rest = { text.data + i, text.len - i };
		int32_t c = rm_perturb_char(rest.data, rest.len, &n);

		if (rm_perturb_is_letter(c) &&
		    rm_perturb_uniform(draw) < o->rate)
			n = slip(draw, rest, c, n, out);
		else
			rm_buf_append(out, rest.data, n);
	}
}

static const struct rm_key keys[] = {
	RM_KEY_DOUBLE("rate", struct rm_perturb_options, rate, 0, 1, "0.02",
		      "share of the letters where one happens"),
	RM_PERTURB_SEED, RM_PERTURB_KEYS
};

const struct rm_perturb_kind rm_perturb_typos = {
	{ "typos", "letters exchanged, left out, doubled, or a neighbour on "
	  "the keyboard in their place, each as often", keys, false }, apply
};
