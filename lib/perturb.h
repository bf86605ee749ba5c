/*
 * perturb: small changes of a text that should not change what it is worth:
 * case, typos, white space, padding, praise of itself.
 *
 * Kinds are drop-in files in lib/perturb/, chosen by name with options
 * ("typos:rate=.05,seed=7", `--perturb list` explains them); several are
 * applied one after another.  What is drawn goes by the seed, the record's id
 * and the response's number, whatever else is read.  Knows texts, not
 * records.  Errors as in base.h.
 *
 *	p = rm_perturb_new(specs, n);
 *	... for response i of a record
 *	rm_perturb_text(p, id, i, standing, &text, &arena);
 *	rm_perturb_free(p);
 */
#ifndef RM_PERTURB_H
#define RM_PERTURB_H

#include "spec.h"

struct rm_perturb;

/* How a response stands among those of its record. */
enum rm_standing {
	RM_STANDING_UNKNOWN,	/* no label says */
	RM_STANDING_FIRST,	/* none is better */
	RM_STANDING_BEHIND	/* another is */
};

/* "NAME:key=value,..." each. */
struct rm_perturb *rm_perturb_new(char *const *specs, size_t n);
void rm_perturb_free(struct rm_perturb *p);
/* The text of `--perturb list`. */
void rm_perturb_list(struct rm_buf *out);

/* What is done, a list of parsed specs; its own. */
const json_t *rm_perturb_config(const struct rm_perturb *p);
/* Whether it matters how responses stand. */
bool rm_perturb_needs_labels(const struct rm_perturb *p);

/*
 * The text of response i of the record of that id becomes another, in the
 * arena, or stays.  Bytes that are no UTF-8 stay as they are.
 */
int rm_perturb_text(const struct rm_perturb *p, struct rm_slice id, size_t i,
		    enum rm_standing standing, struct rm_slice *text,
		    struct rm_arena *arena);

#endif
