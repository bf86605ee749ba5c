/*
 * Parts of the statistics of a stream (rm_stats in pair.h), each of bounded
 * memory.  A part is zero-initialised or made by a _new, is shown every
 * record, and puts its figures into the object of all figures.  What it
 * cannot compute it puts into no figure but says why (rm_lack).
 */
#ifndef RM_PAIR_INTERNAL_H
#define RM_PAIR_INTERNAL_H

#include "pair.h"

/* What the parts see of a record. */
struct rm_seen {
	const struct rm_record *rec;
	uint64_t number;		/* of records seen before */
	struct rm_pairer *pairer;	/* its values; NULL: no labels */
	const char *part;		/* of the split, NULL: none */
	uint64_t prompt;		/* stands for it: key or hash */
	bool has_prompt;		/* or no record says what it is */
	const uint64_t *response;	/* [k] hashes; NULL: not known */
};

/* ---- figures (page.c) ---- */

json_t *rm_whole(double x);
/* NULL for what is no number. */
json_t *rm_real(double x);
/* Say in `all` why it has no such figure; the first reason stays. */
void rm_lack(json_t *all, const char *figure, const char *why);
/* Put those reasons after all figures. */
void rm_end_lacks(json_t *all);
/* A real into the object, or why there is none into `all`. */
void rm_real_or_lack(json_t *all, json_t *object, const char *name, double x,
		     const char *why);
/* Text that may be any bytes, as a JSON string of at most 256 bytes. */
json_t *rm_text_json(struct rm_slice text);

/* ---- numbers in buckets (numbers.c) ---- */

/* Counts of non-negative int32, each in a bucket less than 1 % wide. */
enum {
	RM_NUMBERS_EXACT = 256,	/* smaller numbers have a bucket each */
	RM_NUMBERS_STEPS = 128,	/* buckets to a power of two above */
	RM_NUMBERS_BUCKETS = RM_NUMBERS_EXACT + RM_NUMBERS_STEPS * (31 - 8)
};

struct rm_numbers {
	uint64_t n, count[RM_NUMBERS_BUCKETS];
	double sum;
	int32_t min, max;
};

void rm_numbers_add(struct rm_numbers *h, int32_t x);
/* {mean, min, p5, ..., max, sum} */
json_t *rm_numbers_json(const struct rm_numbers *h);

/* ---- how many different ones (distinct.c) ---- */

/*
 * Wegman's adaptive sampling: keeps the hashes that end in `level` zero
 * bits, and takes one bit more whenever they become more than a million.
 */
struct rm_distinct {
	struct rm_keys keys;
	unsigned int level;	/* 0: the count is exact */
};

int rm_distinct_add(struct rm_distinct *d, uint64_t hash);
double rm_distinct_count(const struct rm_distinct *d);
void rm_distinct_fini(struct rm_distinct *d);

/* ---- counts by name (names.c) ---- */

struct rm_tally {
	uint64_t records, responses, pairs, ties;
	double longer;		/* chosen is longer 1, as long 1/2 */
};

/* At most 1000 names, the rest as one, "(others)". */
struct rm_names;

struct rm_names *rm_names_new(void);
/* NULL on no memory. */
struct rm_tally *rm_names_get(struct rm_names *t, const void *name,
			      size_t len);
size_t rm_names_count(const struct rm_names *t);
void rm_tally_put(json_t *object, const struct rm_tally *t, bool lengths);
/* Rows in the order of their names; NULL on no memory. */
json_t *rm_names_json(const struct rm_names *t, bool lengths);
void rm_names_free(struct rm_names *t);

/* ---- labels (labels.c) ---- */

/*
 * Of two responses i and 1 - i, whether i was shown first: by the field
 * position, else by its place, unless that follows the label (kind pairs).
 * 1, 0, or -1 for unknown.
 */
int rm_shown_first(const struct rm_record *rec, int position, bool pairs,
		   size_t i);

/* How labels are spread: which response wins, and how scores lie. */
struct rm_labels;

struct rm_labels *rm_labels_new(const struct rm_schema *schema, bool pairs);
/* winner: 0, 1; 2 for a tie, SIZE_MAX for no label; of k = 2 only. */
void rm_labels_add(struct rm_labels *l, const struct rm_seen *seen,
		   size_t winner);
void rm_labels_put(json_t *all, const struct rm_labels *l);
void rm_labels_free(struct rm_labels *l);

/* ---- votes and annotators (judges.c) ---- */

struct rm_judges;

struct rm_judges *rm_judges_new(const struct rm_schema *schema, bool pairs);
int rm_judges_add(struct rm_judges *j, const struct rm_seen *seen);
int rm_judges_put(json_t *all, const struct rm_judges *j, uint64_t records);
void rm_judges_free(struct rm_judges *j);

/* ---- which record it was (ids.c) ---- */

/* The ids of the first two million records, 64 bytes of each. */
struct rm_ids;

struct rm_ids *rm_ids_new(const struct rm_schema *schema);
int rm_ids_add(struct rm_ids *ids, const struct rm_record *rec);
/* " ID", or " #N" for the N-th record (number N - 1) where there is none. */
void rm_ids_print(struct rm_buf *out, const struct rm_ids *ids,
		  uint64_t number);
void rm_ids_free(struct rm_ids *ids);

/* ---- prompts that occur again (prompts.c, filter.c) ---- */

/*
 * What --dedup goes by: a hash of the prompt's and of the hashes[k] of
 * responses, which are put in order; room for k + 1.
 */
uint64_t rm_content_hash(uint64_t prompt, uint64_t *hashes, size_t k);

/* At most a million prompts are compared, with 80 bytes each. */
struct rm_prompts;

struct rm_prompts *rm_prompts_new(const struct rm_schema *schema);
int rm_prompts_add(struct rm_prompts *p, const struct rm_seen *seen);
int rm_prompts_put(json_t *all, const struct rm_prompts *p,
		   const struct rm_ids *ids);
void rm_prompts_free(struct rm_prompts *p);

/* ---- cycles in preferences (cycles.c) ---- */

/*
 * At most a million comparisons, with 32 bytes each; of more, those of a
 * half, a quarter ... of the prompts.
 */
struct rm_cycles;

struct rm_cycles *rm_cycles_new(void);
/* One comparison of the record: responses winner and loser. */
int rm_cycles_add(struct rm_cycles *c, const struct rm_seen *seen,
		  size_t winner, size_t loser);
int rm_cycles_put(json_t *all, struct rm_cycles *c, const struct rm_ids *ids);
void rm_cycles_free(struct rm_cycles *c);

/* ---- scripts of texts (scripts.c) ---- */

struct rm_scripts;

struct rm_scripts *rm_scripts_new(const struct rm_schema *schema);
int rm_scripts_add(struct rm_scripts *s, const struct rm_seen *seen);
void rm_scripts_put(json_t *all, const struct rm_scripts *s);
void rm_scripts_free(struct rm_scripts *s);

#endif
