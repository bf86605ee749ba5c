/*
 * backbone: token ids into hidden rows.
 *
 * Kinds are drop-in files in lib/backbone/, chosen by name with options
 * ("bag:dim=32,ngrams=3", `--backbone list` explains them).  A backbone
 * knows ids, positions and segments, and nothing of heads, losses, text or
 * files.  It adds its parameters to the table given to rm_backbone_new,
 * keeps its activations from forward to backward, and is used by one caller
 * at a time (it threads by itself).  Errors as in base.h.
 *
 *	json_t *config = rm_backbone_parse("bag:dim=32");
 *	struct rm_backbone *b = rm_backbone_new(config, vocab, &params);
 *	... add the head, rm_params_alloc, rm_params_init or load
 *	struct rm_hidden *h = rm_backbone_forward(b, &batch);
 *	... scores from h->value, their gradient into h->grad
 *	rm_backbone_backward(b, &batch);
 *	rm_backbone_free(b);
 */
#ifndef RM_BACKBONE_H
#define RM_BACKBONE_H

#include "batch.h"
#include "family.h"
#include "gemm.h"
#include "spec.h"
#include "tensor.h"

/*
 * Hidden rows, owned by who made them, valid until its next forward.  pooled:
 * one row a leaf, in the batch's order; else one row a token, or one for each
 * that the batch asks for.  grad is as it was made by the last forward of a
 * training batch, NULL before.
 */
struct rm_hidden {
	size_t n, dim;
	bool pooled;
	rm_real *value;		/* [n, dim] */
	rm_real *grad;		/* [n, dim] zeroed by forward */
};

/*
 * Rows that a backbone looks up for a batch, before anything is added to
 * them: the word embedding of each token (what Transformers calls
 * inputs_embeds: in Gemma it has been scaled), of bag the row of each n-gram
 * of a text.  What is to be added to them, and what the loss says of that.
 * Zero-initialise.
 */
struct rm_inputs {
	size_t n, width;
	size_t *segment;	/* [n] of the batch; RM_NO_PARENT: not read */
	bool *prompt;		/* [n] of a prompt's token */
	rm_real *shift;		/* [n, width] added to each */
	rm_real *grad;		/* [n, width] set by backward */
	size_t cap, cap_prompt, cap_shift, cap_grad;
};

struct rm_backbone {
	const struct rm_backbone_kind *kind;
	struct rm_params *params;	/* borrowed */
	struct rm_hidden hidden;
	size_t dim;			/* of hidden rows */
	enum rm_prompt prompt;		/* what batches are to hold of it */
	/* Of rows of tokens: which make one of a text, and the pad id that
	 * RM_POOL_LAST leaves aside, -1: none. */
	enum rm_pooling pooling;
	int32_t pad;
	/* Tokens that a text may have, its prompt included; 0: any number. */
	size_t least, most;
	int32_t types[2];		/* token types of prompt, response */
	/*
	 * Keep only what layers read on the way there and compute the rest
	 * again on the way back: same bits, less memory, more time.
	 */
	bool recompute;
	/* A transformer's rates in training, by site (family.h), borrowed;
	 * NULL: none. */
	const double *dropout;
	/*
	 * To be moved and differentiated by what it looks up; said before
	 * rm_backbone_ready.
	 */
	bool wants_inputs;
	struct rm_inputs *inputs;	/* of this batch, borrowed; NULL */
	void *self;			/* the kind's own */
	size_t cap_rows, cap_grad;	/* of hidden */
};

struct rm_backbone_kind {
	struct rm_spec spec;
	/* What it keeps for backward is little whatever the tokens: a step
	 * need not be cut into batches. */
	bool light;
	/* The key that says how wide a row is, 0 for as wide as suits the
	 * head (without one, a single number); NULL if no key does. */
	const char *width;
	/* Its rows are those of tokens; else it has pooled them itself. */
	bool tokens;
	/* See rm_backbone_describe; NULL if its keys are all there is. */
	json_t *(*describe)(const struct rm_spec *spec, const json_t *config,
			    const struct rm_family_tokens *tokens);
	/* Sets dim, prompt, self, of tokens pooling and pad; adds
	 * parameters. */
	int (*init)(struct rm_backbone *b, const json_t *config,
		    size_t vocab);
	/* See rm_backbone_observe; NULL if the kind has no use for it. */
	bool (*wants_observe)(const struct rm_backbone *b);
	int (*observe)(struct rm_backbone *b, const struct rm_batch *batch);
	int (*observed)(struct rm_backbone *b);
	/* See rm_backbone_ready; NULL if there is nothing to prepare. */
	int (*ready)(struct rm_backbone *b, enum rm_precision precision);
	int (*forward)(struct rm_backbone *b, const struct rm_batch *batch);
	/* See rm_backbone_inputs. */
	int (*inputs)(struct rm_backbone *b, const struct rm_batch *batch,
		      struct rm_inputs *to);
	int (*backward)(struct rm_backbone *b, const struct rm_batch *batch);
	void (*fini)(struct rm_backbone *b);
};

/*
 * "NAME:key=value,..." with defaults filled in; the caller owns it.  Values
 * that do not go together are an error.
 */
json_t *rm_backbone_parse(const char *text);
/* The table of kinds, ends in NULL. */
const struct rm_spec *const *rm_backbone_specs(void);
/* The kind that a parsed object names; NULL with a message. */
const struct rm_backbone_kind *rm_backbone_kind_of(const json_t *config);
/* The text of `--backbone list`. */
void rm_backbone_list(struct rm_buf *out);

/*
 * What rm_backbone_parse gave, of a kind that is described by a config.json:
 * that of a new model for these tokens into *described, which the caller
 * owns; NULL there of other kinds.
 */
int rm_backbone_describe(const json_t *config,
			 const struct rm_family_tokens *tokens,
			 json_t **described);

/*
 * From the object that rm_backbone_parse gave or a model directory holds, of
 * a kind that is described {"name", "config"}.
 * vocab is the number of token ids; params is borrowed and gets rows.
 */
struct rm_backbone *rm_backbone_new(const json_t *config, size_t vocab,
				    struct rm_params *params);
void rm_backbone_free(struct rm_backbone *b);

/*
 * Counts that some kinds take from the training data before training (such
 * as document frequencies): true from _wants, then every group once through
 * _observe, then _observed.  They end in parameters like all else.
 */
bool rm_backbone_wants_observe(const struct rm_backbone *b);
int rm_backbone_observe(struct rm_backbone *b, const struct rm_batch *batch);
int rm_backbone_observed(struct rm_backbone *b);

/*
 * Take over the parameters' values as they are, for products in that
 * precision: after loading, and whenever they change, before a forward.
 */
int rm_backbone_ready(struct rm_backbone *b, enum rm_precision precision);

/*
 * Hidden rows of a batch; NULL with a message (memory, an id outside the
 * vocabulary).  A leaf's row has the same bits in any batch, for any number
 * of threads.
 */
struct rm_hidden *rm_backbone_forward(struct rm_backbone *b,
				      const struct rm_batch *batch);
/*
 * Adds to the gradients of its parameters from hidden.grad; the batch is
 * that of the last forward, with train set.
 */
int rm_backbone_backward(struct rm_backbone *b, const struct rm_batch *batch);

/*
 * Which rows it looks up for a batch: all but shift and grad, which are
 * zeros.  With these in b->inputs a forward reads rows plus shift, and the
 * backward after one with train set gives grad.
 */
int rm_backbone_inputs(struct rm_backbone *b, const struct rm_batch *batch,
		       struct rm_inputs *to);
void rm_inputs_fini(struct rm_inputs *x);
/* For kinds: n rows of that width, nobody's yet. */
int rm_inputs_reserve(struct rm_inputs *x, size_t n, size_t width);

/* For kinds: n hidden rows, with zeroed gradients when training; 0 / -1. */
int rm_backbone_rows(struct rm_backbone *b, size_t n, bool train);

#endif
