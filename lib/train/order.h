/*
 * order: in which order an epoch goes through the pairs of a subset.
 *
 * Groups are pairs of one key, that is of one prompt, whether they came in
 * one record or in many.  Shuffled by groups, pairs of a group stand
 * together, at random among themselves, so that a step computes each of their
 * texts once.  An order depends on seed and epoch alone.
 */
#ifndef RM_TRAIN_ORDER_H
#define RM_TRAIN_ORDER_H

#include "train.h"

struct rm_epoch {
	enum rm_train_shuffle shuffle;
	uint64_t seed;
	size_t n;
	size_t *order;		/* [n] pairs of the subset */
	uint64_t *key;		/* [n] of each pair, to shuffle groups */
	struct rm_epoch_place *place;	/* [n] scratch of that */
};

/* In the stream's order; 0 / -1, rm_epoch_fini is owed in any case. */
int rm_epoch_init(struct rm_epoch *e, const struct rm_subset *s,
		  enum rm_train_shuffle shuffle, uint64_t seed);
/* The order of an epoch, whatever it was before. */
void rm_epoch_begin(struct rm_epoch *e, uint64_t epoch);
void rm_epoch_fini(struct rm_epoch *e);

#endif
