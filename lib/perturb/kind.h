/*
 * What the files of kinds share.  A kind is a `const struct rm_perturb_kind
 * rm_perturb_NAME` in a file of this folder; it appends the changed text.
 */
#ifndef RM_PERTURB_KIND_H
#define RM_PERTURB_KIND_H

#include "perturb.h"

/* Options of all kinds; a key belongs to the kinds that list it. */
struct rm_perturb_options {
	size_t how, at, chars, seed, to;
	double rate, share;
	const char *text;
};

enum { RM_PERTURB_ALL, RM_PERTURB_PREFERRED, RM_PERTURB_REJECTED };
enum { RM_PERTURB_END, RM_PERTURB_START };

extern const char *const rm_perturb_to_names[];
extern const char *const rm_perturb_at_names[];

/* The keys of every kind, last in its list. */
#define RM_PERTURB_KEYS \
	RM_KEY_CHOICE("to", struct rm_perturb_options, to, \
		      rm_perturb_to_names, "all", "which responses: every " \
		      "one; those that labels put first; those that stand " \
		      "behind another"), \
	RM_KEY_END

#define RM_PERTURB_SEED \
	RM_KEY_SIZE("seed", struct rm_perturb_options, seed, 0, 1e15, "1", \
		    "of what is drawn")

#define RM_PERTURB_AT \
	RM_KEY_CHOICE("at", struct rm_perturb_options, at, \
		      rm_perturb_at_names, "end", "where it is put")

/* Numbers of one text, in order. */
struct rm_perturb_draw {
	uint64_t seed, key, next;
};

/* Uniform in [0, 1). */
double rm_perturb_uniform(struct rm_perturb_draw *d);
/* A whole number below n. */
size_t rm_perturb_below(struct rm_perturb_draw *d, size_t n);

struct rm_perturb_kind {
	struct rm_spec spec;
	void (*apply)(const struct rm_perturb_options *o,
		      struct rm_perturb_draw *draw, struct rm_slice text,
		      struct rm_buf *out);
};

/* ---- pieces ---- */

/* The code point at s, of n > 0 bytes, and its bytes; -1: no UTF-8, one. */
int32_t rm_perturb_char(const unsigned char *s, size_t n, size_t *bytes);
void rm_perturb_put(struct rm_buf *out, int32_t c);
bool rm_perturb_is_letter(int32_t c);
static inline bool rm_perturb_is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * The text with `more` at its end or its start (behind white space), a space
 * between them where `apart`.
 */
void rm_perturb_join(const struct rm_perturb_options *o, struct rm_slice text,
		     struct rm_slice more, bool apart, struct rm_buf *out);

#endif
