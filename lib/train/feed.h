/*
 * feed: examples of a subset as scores, batch after batch: a step, or a
 * validation pass, in memory that does not grow with it.
 *
 * A run of examples is cut, in its order, into batches of whole pairs of at
 * most `limit` tokens; a pair that is longer stands alone.  The rows of a
 * frozen backbone, which dropout does not touch, may be kept: the same bits
 * from memory.  The feed owns its batch and rows, the model and the subset
 * are borrowed.
 *
 *	rm_feed_init(&f, m, subset, rm_feed_limit(m, 0));
 *	rm_feed_start(&f, order, n);
 *	while ((got = rm_feed_next(&f)) > 0) {
 *		scores = rm_feed_forward(&f);	of order f.at to f.at + f.n
 *		... dscores
 *		rm_feed_backward(&f, dscores);
 *	}
 *	rm_feed_fini(&f);
 */
#ifndef RM_TRAIN_FEED_H
#define RM_TRAIN_FEED_H

#include "dataset.h"
#include "model.h"

struct rm_feed {
	struct rm_model *m;
	const struct rm_subset *subset;
	size_t limit;			/* tokens of a batch; 0: any number */
	bool frozen;			/* the backbone is not trained */

	/* The run. */
	const size_t *order;
	size_t n_order;
	size_t *tokens;			/* [n_order] if there is a limit */
	size_t cap_tokens;

	/* The batch at hand: examples order[at, at + n). */
	size_t at, n, n_tokens;
	struct rm_batch batch;		/* train, seed and step are the user's */
	struct rm_hidden *hidden;

	/* A frozen backbone's rows: of the batch, and of all examples. */
	struct rm_hidden own;
	rm_real *rows;			/* [2 * n, C] of the batch, if kept */
	size_t cap_rows, cap_grad;
	rm_real *kept;			/* [2 * subset->n, C] or NULL */
	uint32_t *kept_tokens;		/* [subset->n] of each pair */
};

/* The limit that is meant by what a user asked for; 0: the kind's own. */
size_t rm_feed_limit(const struct rm_model *m, size_t asked);

void rm_feed_init(struct rm_feed *f, struct rm_model *m,
		  const struct rm_subset *subset, size_t limit);
void rm_feed_fini(struct rm_feed *f);

/* Keep the rows of all examples, as the model is now; it must be frozen. */
int rm_feed_keep(struct rm_feed *f);

/* Begin a run of examples order[0..n), which stays the caller's. */
int rm_feed_start(struct rm_feed *f, const size_t *order, size_t n);
/* The next batch: 1, or 0 at the end of the run. */
int rm_feed_next(struct rm_feed *f);
/* Scores [2 n, K] of the batch, valid until the next call. */
const rm_real *rm_feed_forward(struct rm_feed *f);
/* Adds to the gradients of all that is trained; batch.train was set. */
int rm_feed_backward(struct rm_feed *f, const rm_real *dscores);

#endif
