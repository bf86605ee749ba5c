/*
 * feed: examples of a subset as scores, batch after batch: a step, or a
 * validation pass, in memory that does not grow with it.
 *
 * A run of examples is cut, in its order, into batches of whole examples of
 * at most so many tokens; one that is longer stands alone.  A text that is in
 * several examples of a batch is computed once, where computing is dear: the
 * head sees its row in each of them, and the gradients of those add up.  The
 * rows of a frozen backbone, which dropout does not touch, may be kept: the
 * same bits from memory.  The feed owns its batch and rows, the model and the
 * subset are borrowed.
 *
 *	rm_feed_init(&f, m, subset, true, 0);
 *	f.seed = 1; f.step = 0;
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
#include "train/texts.h"

struct rm_feed {
	struct rm_model *m;
	const struct rm_subset *subset;
	bool train;			/* there is a way back */
	size_t limit;			/* tokens of a batch; 0: any number */
	bool frozen;			/* the backbone is not trained */
	bool shares;			/* equal texts are computed once */
	struct rm_texts texts;		/* if it shares */

	/* The run; seed and step are the user's, for dropout. */
	uint64_t seed, step;
	const size_t *order;
	size_t n_order;
	size_t *tokens;			/* [n_order] if counted beforehand */
	size_t cap_tokens;

	/* The batch at hand: examples order[at, at + n). */
	size_t at, n;
	size_t n_tokens;		/* as if no text were shared */
	struct rm_batch batch;		/* as the backbone sees it */
	struct rm_batch leaves;		/* as the head does: numbers alone */
	struct rm_hidden *computed;	/* rows of the one */
	struct rm_hidden *hidden;	/* and of the other */

	/* Rows of the leaves, if the backbone's are shared or kept. */
	struct rm_hidden own;
	size_t cap_rows, cap_grad;
	rm_real *kept;			/* [texts.n, C] or NULL */
};

/*
 * To train, or to look at scores alone; limit 0: as suits that and the
 * backbone.  0 / -1, rm_feed_fini is owed in any case.
 */
int rm_feed_init(struct rm_feed *f, struct rm_model *m,
		 const struct rm_subset *subset, bool train, size_t limit);
void rm_feed_fini(struct rm_feed *f);

/* Bytes of the rows of all texts. */
uint64_t rm_feed_row_bytes(const struct rm_feed *f);
/* Keep them, as the model is now; its backbone must be frozen. */
int rm_feed_keep(struct rm_feed *f);

/* Begin a run of examples order[0..n), which stays the caller's. */
int rm_feed_start(struct rm_feed *f, const size_t *order, size_t n);
/* The next batch: 1, or 0 at the end of the run. */
int rm_feed_next(struct rm_feed *f);
/* Scores [leaves.n_leaves, K] of the batch, valid until the next call. */
const rm_real *rm_feed_forward(struct rm_feed *f);
/* Adds to the gradients of all that is trained. */
int rm_feed_backward(struct rm_feed *f, const rm_real *dscores);

#endif
