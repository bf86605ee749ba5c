/*
 * dataset: a stream of groups or pairs, read once and kept for training: the
 * token ids and labels in memory, beyond a bound in an unlinked temporary
 * file.  An example is a strictly ordered pair of a group, or a group whole,
 * as the loss wants it.
 *
 * Knows nothing of models, and of losses the targets that they see.  Errors
 * as in base.h; messages name stream and record.
 *
 *	struct rm_dataset_options o = { .memory = 1 << 30, .wants = wants };
 *	struct rm_dataset *d = rm_dataset_read(reader, &o);
 *	struct rm_subset all = {0};
 *	struct rm_targets targets = {0};
 *	rm_subset_all(&all, d);
 *	rm_subset_batch(&all, order, n, model->prompt, &batch);
 *	rm_subset_targets(&all, order, n, &targets);
 *	rm_targets_fini(&targets);
 *	rm_subset_fini(&all);
 *	rm_dataset_free(d);
 */
#ifndef RM_DATASET_H
#define RM_DATASET_H

#include "batch.h"
#include "loss.h"
#include "pair.h"
#include "stream.h"

struct rm_dataset;

struct rm_dataset_options {
	size_t memory;		/* bytes before the temporary file */
	struct rm_loss_wants wants;
	/* Names in field `attributes` of the grades of columns 1 and on. */
	const char *const *grades;
	size_t n_grades;
};

/* What came in. */
struct rm_dataset_counts {
	uint64_t records;
	uint64_t examples;
	uint64_t even;		/* of them with p = .5: no preference */
	uint64_t ties;		/* that would be examples: left out */
	uint64_t missing;	/* the same for want of a label */
	uint64_t barren;	/* records that gave no example */
	uint64_t tokens;	/* of all inputs of all examples */
};

/*
 * Read all of a stream.  One without ids, without a label that is wanted, or
 * without a single example is an error.
 */
struct rm_dataset *rm_dataset_read(struct rm_reader *in,
				   const struct rm_dataset_options *options);
void rm_dataset_free(struct rm_dataset *d);

const struct rm_dataset_counts *rm_dataset_counts(const struct rm_dataset *d);

/* Of everything that training sees: ids, examples, labels, their order. */
struct rm_fingerprint rm_dataset_fingerprint(const struct rm_dataset *d);

/* Append every group whole to its own batch: fn(arg, batch) 0 / -1. */
int rm_dataset_each(struct rm_dataset *d, enum rm_prompt prompt_as,
		    int (*fn)(void *arg, const struct rm_batch *batch),
		    void *arg);

/* ---- parts of it ---- */

/* Examples of a dataset, which is borrowed.  Zero-initialise. */
struct rm_subset {
	struct rm_dataset *data;
	size_t n;
	uint32_t *example;	/* [n] */
	uint32_t *first;	/* [n + 1] or NULL: see rm_subset_first */
	uint64_t tokens;
};

/*
 * Where the responses of example i begin among those of all; of i = n their
 * number.
 */
static inline size_t rm_subset_first(const struct rm_subset *s, size_t i)
{
	return s->first ? s->first[i] : 2 * i;
}

int rm_subset_all(struct rm_subset *s, struct rm_dataset *d);
/*
 * `fraction` of the distinct keys, rounded, into b, the others into a: by
 * the hash of key and seed, so that no prompt stands on both sides.  An empty
 * side is an error.
 */
int rm_subset_split(struct rm_subset *a, struct rm_subset *b,
		    struct rm_dataset *d, double fraction, uint64_t seed);
void rm_subset_fini(struct rm_subset *s);

/*
 * Examples order[0..n) of the subset as a batch (cleared first) of n groups;
 * of a pair the preferred comes first.
 */
int rm_subset_batch(const struct rm_subset *s, const size_t *order, size_t n,
		    enum rm_prompt prompt_as, struct rm_batch *batch);
/*
 * What example i of the subset is made of; slices are ids, little-endian.
 * 0 / -1; valid until the next call that looks into this dataset.
 */
struct rm_example {
	uint64_t record, key;
	struct rm_slice prompt, id;
	size_t n;			/* responses */
	const struct rm_slice *response;
	const size_t *pick;	/* which ones of the record they are */
};

int rm_subset_get(const struct rm_subset *s, size_t i, struct rm_example *e);

/* Targets and the room for their arrays.  Zero-initialise. */
struct rm_targets {
	size_t n, leaves;		/* leaves: responses of all */
	struct rm_target *target;	/* [n] */
	double *label;
	size_t cap, cap_label;
};

/* Those of examples order[0..n); 0 / -1. */
int rm_subset_targets(const struct rm_subset *s, const size_t *order,
		      size_t n, struct rm_targets *to);
void rm_targets_fini(struct rm_targets *t);
/* How many tokens each of them is in such a batch: tokens[n]. */
int rm_subset_tokens(const struct rm_subset *s, const size_t *order, size_t n,
		     enum rm_prompt prompt_as, size_t *tokens);

/*
 * Whether every text, a response with its prompt, has at least `least` tokens
 * and at most `most`; 0: any number.  The message names record and response.
 */
int rm_subset_check_lengths(const struct rm_subset *s, size_t least,
			    size_t most);

/* "record 17 (ID)" of example i of the subset, for messages. */
void rm_subset_name(const struct rm_subset *s, size_t i, struct rm_buf *out);

#endif
