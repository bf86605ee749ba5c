/*
 * encoder: a backbone's hidden rows of a batch into one row a response, which
 * is what a head reads.
 *
 *	concat		prompt and response are one sequence, pooled
 *	separate	p and r, pooled from sequences of their own, as
 *			[p, r, |p - r|, p r] (Conneau et al., Supervised
 *			Learning of Universal Sentence Representations, 2017)
 *	cross		the response's rows, each plus what its heads of
 *			attention find in the prompt's (Vaswani et al.,
 *			Attention Is All You Need, 2017), pooled
 *	response	the response alone, pooled: the prompt is not read
 *
 * A prompt that stands apart is encoded once for all its responses.  A text
 * without tokens has a row of zeros.  Pooling takes the first row, the last
 * whose id is no pad, the mean, the largest of each column, or the mean
 * weighted by softmax(w x) with a w that is learned, as the words of Yang et
 * al., Hierarchical Attention Networks, 2016.  A backbone that pools by itself
 * is taken as it is.
 *
 * Knows nothing of scores.  It adds its parameters to the table given to
 * rm_encoder_new, keeps what it needs from forward to backward, and is used
 * by one caller at a time.  Errors as in base.h.
 *
 *	struct rm_encoder *e = rm_encoder_new(&options, backbone, &params);
 *	rm_batch_add(&batch, prompt, responses, k, e->prompt);
 *	struct rm_hidden *h = rm_encoder_forward(e, &batch);
 *	... scores from h->value, their gradient into h->grad
 *	rm_encoder_backward(e, &batch);
 *	rm_encoder_free(e);
 */
#ifndef RM_ENCODER_H
#define RM_ENCODER_H

#include "backbone.h"

enum rm_encoder_kind { RM_CONCAT, RM_SEPARATE, RM_CROSS, RM_RESPONSE };

/* Their names in that order; "auto", then those of enum rm_pooling in an
 * order of their own.  Both end in NULL. */
extern const char *const rm_encoding_names[];
extern const char *const rm_pool_names[];

struct rm_encoder_options {
	size_t kind;		/* of rm_encoding_names */
	size_t pool;		/* of rm_pool_names; 0: the backbone's own */
	size_t heads;		/* of cross */
	/* What a head asks for, by its kind. */
	size_t levels;		/* equal runs of a text, pooled each */
	bool gate;		/* and a row of the prompt behind them */
};

struct rm_encoder {
	struct rm_encoder_options o;
	struct rm_backbone *backbone;	/* borrowed */
	struct rm_params *params;	/* borrowed */
	enum rm_prompt prompt;		/* what batches are to hold of it */
	size_t least, most;		/* tokens of a response with its prompt */
	/* A row: levels of `part` numbers, then `gate` of the prompt. */
	size_t part, gate, dim;
	struct rm_encoder_work *work;
};

/* Whether a kind of backbone can be read like this; the message says why. */
int rm_encoder_check(const struct rm_encoder_options *o,
		     const struct rm_backbone_kind *kind);

struct rm_encoder *rm_encoder_new(const struct rm_encoder_options *o,
				    struct rm_backbone *backbone,
				    struct rm_params *params);
void rm_encoder_free(struct rm_encoder *e);

/*
 * Rows [n_leaves, dim], pooled, the encoder's, valid until its next forward;
 * NULL with a message.  A row has the same bits in any batch, for any number
 * of threads.
 */
struct rm_hidden *rm_encoder_forward(struct rm_encoder *e,
				     const struct rm_batch *batch);
/*
 * See rm_backbone_inputs, of the batch as the encoder shows it to the
 * backbone; segments are those of this batch.
 */
int rm_encoder_inputs(struct rm_encoder *e, const struct rm_batch *batch,
		      struct rm_inputs *to);
/* Adds to the gradients of its parameters and of the backbone's. */
int rm_encoder_backward(struct rm_encoder *e, const struct rm_batch *batch);

#endif
