/*
 * batch: token ids of many responses packed without padding, as a forest of
 * segments.
 *
 * The ids of a batch stand in one array [T]; a segment is {start, length,
 * parent}.  A token sees its own segment and its ancestors.  A prompt shared
 * by k responses may be stored once, a root with k children; an empty prompt
 * makes k roots.  Two levels are enough.  Knows nothing of models.  Errors
 * as in base.h.  Zero-initialise; memory is used again after
 * rm_batch_clear.
 *
 *	rm_batch_clear(&b);
 *	rm_batch_add(&b, prompt, responses, k, RM_PROMPT_SHARED);
 *	... the other groups
 *	... forward, backward
 *	rm_batch_fini(&b);
 */
#ifndef RM_BATCH_H
#define RM_BATCH_H

#include "base.h"

#define RM_NO_PARENT SIZE_MAX

/* What a batch holds of a prompt, as the backbone's kind wants it. */
enum rm_prompt {
	RM_PROMPT_NONE,		/* nothing: the responses are all it reads */
	RM_PROMPT_SHARED,	/* one segment, the responses' parent */
	RM_PROMPT_COPIED,	/* a copy before each, in its segment */
	/* A text of its own, once, which no response sees: see `apart`. */
	RM_PROMPT_APART
};

struct rm_segment {
	size_t start, length;	/* in ids */
	size_t parent;		/* index of the prompt, or RM_NO_PARENT */
	size_t prompt;		/* ids at the start that are the prompt's */
};

struct rm_batch {
	size_t n_tokens, n_segments, n_leaves, n_groups;
	int32_t *ids;			/* [n_tokens] */
	struct rm_segment *segment;	/* [n_segments] parents first */
	size_t *leaf;			/* [n_leaves] segment of a response */
	/* [n_leaves] segment of a prompt that stands apart and has ids, or
	 * RM_NO_PARENT */
	size_t *apart;
	size_t *group;			/* [n_groups] its first leaf */

	/*
	 * Set by the training loop, zero when scoring: whether dropout is on,
	 * and what keys it, so that masks do not depend on how a step is cut
	 * into micro-batches.
	 */
	bool train;
	uint64_t seed, step;
	uint64_t first_leaf;		/* leaves of this step before these */
	uint64_t first_token;		/* and tokens */

	/*
	 * Set by encoder.h for backbones that give rows of tokens: indices
	 * in ids of those whose rows are asked for, what is in one tree
	 * before what is in the next.  NULL: all.
	 */
	const size_t *ask;		/* [n_ask] */
	size_t n_ask;

	size_t cap_tokens, cap_segments, cap_leaves, cap_apart, cap_groups;
};

void rm_batch_clear(struct rm_batch *b);
/*
 * Append one group.  prompt and responses[k] are little-endian int32, as
 * records have them (any alignment; NULL data counts as empty).  -1 on
 * memory or a negative id; the batch is then as it was.
 */
int rm_batch_add(struct rm_batch *b, struct rm_slice prompt,
		 const struct rm_slice *responses, size_t k,
		 enum rm_prompt how);
/*
 * Append one more response to the last group, whose prompt it is and which
 * was added like this; -1 as above.
 */
int rm_batch_add_more(struct rm_batch *b, struct rm_slice prompt,
		      struct rm_slice response, enum rm_prompt how);
void rm_batch_fini(struct rm_batch *b);

#endif
