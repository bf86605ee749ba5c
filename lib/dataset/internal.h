/* What the files of dataset share. */
#ifndef RM_DATASET_INTERNAL_H
#define RM_DATASET_INTERNAL_H

#include "dataset.h"
#include "io.h"

#include <math.h>

/*
 * A group as the spool keeps it: this, the lengths of the k responses as
 * uint32_t, a float64 [k] for each label that is kept, then the bytes of
 * prompt, responses and id.
 */
struct group {
	uint64_t key, record;
	uint32_t k, prompt, id;		/* responses; bytes */
	uint32_t zero;			/* no padding to hash */
};

/* A pair of a group, the preferred first; or a group of k = pick[0]. */
struct example {
	uint32_t group, pick[2];
	float p, margin, weight;
};

/* Labels of a response.  Grades follow, one of each name. */
enum label { RANK, SCORE, TEACHER, LENGTH, GRADES };

/* Where they are in the stream's records, and in a group. */
struct labels {
	int field[GRADES + 1];	/* -1: not kept; the rank is the pairer's */
	size_t row[GRADES + 1];		/* of those that are kept */
	size_t n;			/* rows, grades included */
	const char *const *name;	/* [n_grades] borrowed while reading */
	size_t n_grades;
	bool *seen;			/* [n_grades] in any record */
	struct rm_buf others;		/* names in the first record */
};

struct rm_dataset {
	struct rm_spool *spool;
	bool groups;			/* examples are whole ones */
	struct labels labels;
	struct example *example;
	size_t n, cap;
	size_t n_groups;
	uint64_t checksum;
	struct rm_dataset_counts counts;
	bool weighs;			/* any example has a weight */

	/* Scratch, of the widest group. */
	struct rm_slice *response;
	size_t *identity;		/* 0, 1, ... */
	double *label;			/* [k] */
	size_t cap_response, cap_identity, cap_label;
	struct rm_slice picked[2];
	size_t pick[2];
	struct rm_buf packed;
};

/* A group from the spool. */
struct unpacked {
	struct group g;
	struct rm_slice prompt, id;
	const unsigned char *labels;	/* [rows, k] float64 */
};

/* Group i; its responses into d->response. */
int rm_dataset_unpack(struct rm_dataset *d, size_t i, struct unpacked *u);
/* Example i of the dataset. */
int rm_dataset_get(struct rm_dataset *d, size_t i, struct rm_example *to);
/* Tokens of an example's texts, each with its prompt. */
uint64_t rm_example_tokens(const struct rm_example *e);

/* ---- labels.c ---- */

/* 0 / -1 with a message for one that is wanted and is not there. */
int rm_labels_find(struct labels *l, const struct rm_schema *s,
		   const struct rm_dataset_options *o, bool ranked);
/* Append those of a record; values [k] are the ranks, or NULL. */
int rm_labels_pack(struct rm_dataset *d, const struct rm_record *rec,
		   const double *values, struct rm_buf *out);
/* Every grade must have been somewhere. */
int rm_labels_check(const struct labels *l);
void rm_labels_fini(struct labels *l);
/*
 * Set the arrays of a target from the labels of a group, of the responses
 * pick[0..t->k); room: rm_labels_room(l, k) numbers.
 */
void rm_labels_take(const struct labels *l, const struct unpacked *u,
		    const size_t *pick, struct rm_target *t, double *room);
static inline size_t rm_labels_room(const struct labels *l, size_t k)
{
	/* The grades with column 0, which is the score's. */
	return k * (l->n + 1);
}

#endif
