/* order: see order.h. */
#include "train/order.h"

#include <stdlib.h>
#include <string.h>

const char *const rm_train_shuffle_names[] = {
	[RM_SHUFFLE_PAIRS] = "pairs", [RM_SHUFFLE_GROUPS] = "groups",
	[RM_SHUFFLE_NONE] = "none", NULL
};

enum rm_train_shuffle rm_train_shuffle_of(const char *name)
{
	for (int i = RM_SHUFFLE_PAIRS; i < RM_SHUFFLE_NONE; i++)
		if (strcmp(rm_train_shuffle_names[i], name) == 0)
			return (enum rm_train_shuffle)i;
	return RM_SHUFFLE_NONE;
}

/* Where the group of a pair stands, and the pair within it. */
struct rm_epoch_place {
	uint64_t group;
	size_t at, pair;
};

static int read_keys(struct rm_epoch *e, const struct rm_subset *s)
{
	struct rm_example example;

	e->key = rm_malloc(s->n, sizeof(*e->key));
	e->place = rm_malloc(s->n, sizeof(*e->place));
	if (!e->key || !e->place)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		if (rm_subset_get(s, i, &example) < 0)
			return -1;
		e->key[i] = example.key;
	}
	return 0;
}

static void identity(struct rm_epoch *e)
{
	for (size_t i = 0; i < e->n; i++)
		e->order[i] = i;
}

int rm_epoch_init(struct rm_epoch *e, const struct rm_subset *s,
		  enum rm_train_shuffle shuffle, uint64_t seed)
{
	*e = (struct rm_epoch){ .shuffle = shuffle, .seed = seed, .n = s->n };
	e->order = rm_malloc(s->n, sizeof(*e->order));
	if (!e->order)
		return -1;
	identity(e);
	return shuffle == RM_SHUFFLE_GROUPS ? read_keys(e, s) : 0;
}

static int by_place(const void *a, const void *b)
{
	const struct rm_epoch_place *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Shuffled pairs into groups, whose places are random and of their keys. */
static void gather_groups(struct rm_epoch *e, uint64_t epoch)
{
	for (size_t i = 0; i < e->n; i++)
		e->place[i] = (struct rm_epoch_place){
			.group = rm_random(e->seed, RM_RANDOM_SHUFFLE, epoch,
					   e->key[e->order[i]]),
			.at = i, .pair = e->order[i]
		};
	qsort(e->place, e->n, sizeof(*e->place), by_place);
	for (size_t i = 0; i < e->n; i++)
		e->order[i] = e->place[i].pair;
}

void rm_epoch_begin(struct rm_epoch *e, uint64_t epoch)
{
	identity(e);
	if (e->shuffle == RM_SHUFFLE_NONE)
		return;
	rm_shuffle(e->order, e->n, e->seed, RM_RANDOM_SHUFFLE, epoch);
	if (e->shuffle == RM_SHUFFLE_GROUPS)
		gather_groups(e, epoch);
}

void rm_epoch_fini(struct rm_epoch *e)
{
	free(e->order);
	free(e->key);
	free(e->place);
	*e = (struct rm_epoch){0};
}
