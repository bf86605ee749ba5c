/*
 * head: hidden rows into scores [n, K]: K numbers a response, of which the
 * reward is the first.
 *
 * Kinds are drop-in files in lib/head/, chosen by name with options
 * ("mlp:hidden=64", `--head list` explains them).  How the rows that it reads
 * are made (encoder.h) is among the options of every kind.  A head knows
 * nothing of ids, losses or files.  It adds its parameters to the table given
 * to rm_head_new and keeps its activations from forward to backward.  Errors
 * as in base.h.
 *
 *	json_t *config = rm_head_parse("linear:dropout=.1");
 *	rm_head_encoding(config, &options);
 *	... encoder = rm_encoder_new(&options, backbone, &params)
 *	struct rm_head *head = rm_head_new(config, encoder, &params);
 *	const rm_real *scores = rm_head_forward(head, &batch, hidden);
 *	... dscores [n_leaves, K] from the loss
 *	rm_head_backward(head, &batch, hidden, dscores);
 *	rm_head_free(head);
 */
#ifndef RM_HEAD_H
#define RM_HEAD_H

#include "encoder.h"

/* Options of all kinds; a key belongs to the kinds that list it. */
struct rm_head_options {
	double dropout;
	size_t hidden, activation, levels, n, member;
	struct rm_names objectives;
	struct rm_encoder_options encoding;
};

struct rm_head {
	const struct rm_head_kind *kind;
	struct rm_head_options o;
	struct rm_params *params;	/* borrowed */
	size_t dim;			/* C, of the hidden rows */
	size_t part, gate;		/* what they are made of: encoder.h */
	size_t columns;			/* K, set by the kind */
	/* [K - 1] of the columns behind the reward; NULL: they have none. */
	const char **names;
	/*
	 * Columns 1 ... members are rewards of their own, of which column 0
	 * is the mean: a loss is theirs, each by itself.  0: no such columns.
	 */
	size_t members;
	const double *dropout;		/* native's, as a backbone's */
	rm_real *scores;		/* [n_leaves, K] of the last forward */
	size_t cap_scores;
	void *self;			/* the kind's own */
};

struct rm_head_kind {
	struct rm_spec spec;
	bool gate;		/* reads a row of the prompt as well */
	/* Sets columns, self and what they have; adds parameters. */
	int (*init)(struct rm_head *h);
	/* The same of a kind that is described by "config". */
	int (*describe)(struct rm_head *h, const json_t *config);
	/* Writes h->scores. */
	int (*forward)(struct rm_head *h, const struct rm_batch *batch,
		       const struct rm_hidden *hidden);
	int (*backward)(struct rm_head *h, const struct rm_batch *batch,
			struct rm_hidden *hidden, const rm_real *dscores);
	/* See rm_head_sd; NULL: it has none. */
	double (*sd)(const struct rm_head *h, const rm_real *scores);
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

/*
 * How rows are made for the head that was parsed; what its kind does not take
 * is an error.
 */
int rm_head_encoding(const json_t *config, struct rm_encoder_options *o);

/* Whether two that were parsed are the same, keys that are missing being their
 * defaults. */
bool rm_head_equal(const json_t *a, const json_t *b);

/* How many columns such a head has, whatever it reads. */
int rm_head_columns(const json_t *config, size_t *columns);

/* Only the shape of e's rows is looked at. */
struct rm_head *rm_head_new(const json_t *config, const struct rm_encoder *e,
			    struct rm_params *params);
void rm_head_free(struct rm_head *h);

/* Scores [n_leaves, K], the head's, valid until its next forward. */
const rm_real *rm_head_forward(struct rm_head *h,
			       const struct rm_batch *batch,
			       const struct rm_hidden *hidden);
/*
 * Adds to the gradients of its parameters and to hidden->grad; once after a
 * forward, whose scores are lost.
 */
int rm_head_backward(struct rm_head *h, const struct rm_batch *batch,
		     struct rm_hidden *hidden, const rm_real *dscores);

/* Whether it says how sure it is; then the standard deviation of a response's
 * reward, from its scores [K]. */
bool rm_head_has_sd(const struct rm_head *h);
double rm_head_sd(const struct rm_head *h, const rm_real *scores);

#endif
