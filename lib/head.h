/*
 * head: hidden rows into scores [n, K]: K numbers a response, of which the
 * reward is the first.
 *
 * Kinds are drop-in files in lib/head/, chosen by name with options
 * ("mlp:hidden=64", `--head list` explains them).  A head knows nothing of
 * ids, losses or files.  It adds its parameters to the table given to
 * rm_head_new and keeps its activations from forward to backward.  Errors as
 * in base.h.
 *
 *	json_t *config = rm_head_parse("linear:dropout=.1");
 *	struct rm_head *head = rm_head_new(config, backbone->dim, &params);
 *	const rm_real *scores = rm_head_forward(head, &batch, hidden);
 *	... dscores [n_leaves, K] from the loss
 *	rm_head_backward(head, &batch, hidden, dscores);
 *	rm_head_free(head);
 */
#ifndef RM_HEAD_H
#define RM_HEAD_H

#include "backbone.h"

struct rm_head {
	const struct rm_head_kind *kind;
	struct rm_params *params;	/* borrowed */
	size_t dim;			/* C, of the hidden rows */
	size_t columns;			/* K, set by the kind */
	const double *dropout;		/* native's, as a backbone's */
	rm_real *scores;		/* [n_leaves, K] of the last forward */
	size_t cap_scores;
	void *self;			/* the kind's own */
};

struct rm_head_kind {
	struct rm_spec spec;
	/* Sets columns and self; adds parameters. */
	int (*init)(struct rm_head *h, const json_t *config);
	/* Writes h->scores. */
	int (*forward)(struct rm_head *h, const struct rm_batch *batch,
		       const struct rm_hidden *hidden);
	int (*backward)(struct rm_head *h, const struct rm_batch *batch,
			struct rm_hidden *hidden, const rm_real *dscores);
	void (*fini)(struct rm_head *h);
};

/* "NAME:key=value,..." with defaults filled in; the caller owns it. */
json_t *rm_head_parse(const char *text);
/* The table of kinds, ends in NULL. */
const struct rm_spec *const *rm_head_specs(void);
/* Set one key from text, such as dropout from --dropout; 0 / -1. */
int rm_head_set(json_t *config, const char *key, const char *value);
/* The text of `--head list`. */
void rm_head_list(struct rm_buf *out);

/* dim: width of the backbone's hidden rows. */
struct rm_head *rm_head_new(const json_t *config, size_t dim,
			    struct rm_params *params);
void rm_head_free(struct rm_head *h);

/* Scores [n_leaves, K], the head's, valid until its next forward. */
const rm_real *rm_head_forward(struct rm_head *h,
			       const struct rm_batch *batch,
			       const struct rm_hidden *hidden);
/* Adds to the gradients of its parameters and to hidden->grad. */
int rm_head_backward(struct rm_head *h, const struct rm_batch *batch,
		     struct rm_hidden *hidden, const rm_real *dscores);

#endif
