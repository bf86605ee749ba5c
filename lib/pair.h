/*
 * pair: who is preferred.  The order of a group's responses, the pairs,
 * triplets and lists that it makes, with soft labels, margins and weights;
 * and what deciding by key needs: splits, columns, sets of keys, statistics.
 *
 * Knows records, not streams or files.  Errors as in base.h.
 *
 * Order.  One source is chosen for the whole stream, the first that its
 * fields have: `rank`, `votes`, `annotations`, `score`, `p` (k = 2).  In a
 * stream of kind pairs the preferred response stands first, and only `rank`
 * can say otherwise.  A response without a value (NaN) is missing: it is in
 * no pair, and the last of a list.
 *
 * Soft labels.  The p of a pair (i, j) of a record with k = 2 is its field
 * `p` if it has one; else, for any k, (v_i + t/2) / (v_i + v_j + t) with the
 * votes v and ties t, counted from `annotations` where there are no votes.
 * Two responses of equal value are a tie, unless there is a field `p`, or
 * the votes are unequal: then the likelier one comes first.
 *
 *	struct rm_pairer *pairer = rm_pairer_new(&h->schema, h->pairs, NULL);
 *	while (rm_reader_next(in, &rec) > 0) {
 *		rm_pairer_set(pairer, rec);
 *		while (rm_pairer_next(pairer, &pair))
 *			use pair.pick[0], pair.pick[1], pair.p
 *	}
 *	rm_pairer_free(pairer);
 */
#ifndef RM_PAIR_H
#define RM_PAIR_H

#include "record.h"

enum rm_pair_as {
	RM_PAIR_PAIRS,		/* every strictly ordered pair */
	RM_PAIR_LIST,		/* the group, best first */
	RM_PAIR_TRIPLETS,	/* best, middle, worst */
	RM_PAIR_BEST		/* the best against each of the rest */
};

enum rm_pair_weight {
	RM_WEIGHT_FIELD,	/* field `weight`, if any */
	RM_WEIGHT_VOTES,	/* v_i + v_j + t */
	RM_WEIGHT_AGREEMENT	/* |2p - 1| */
};

enum rm_pair_margin {
	RM_MARGIN_FIELD,	/* field `margin` where k = 2, if any */
	RM_MARGIN_SCORE,	/* score_i - score_j */
	RM_MARGIN_STRENGTH	/* |strength|, a number the data gives */
};

struct rm_pair_options {
	enum rm_pair_as as;
	bool keep_ties;		/* as pairs with p = .5, in input order */
	enum rm_pair_weight weight;	/* pairs only, as is margin */
	enum rm_pair_margin margin;
	bool split;		/* rm_pairer_put writes a field `split` */
};

/* What a record became. */
struct rm_pair {
	size_t n;		/* responses: 2 of a pair, 3, or k of a list */
	const size_t *pick;	/* [n] indices into the record, best first */
	double p;		/* P(first preferred); NaN: only the order */
	double margin;		/* NaN: not known, counts as 0 */
	double weight;		/* NaN: not known, counts as 1 */
	bool tie;
};

/* Sums over the records seen. */
struct rm_pair_counts {
	uint64_t made;		/* what rm_pairer_next has given */
	uint64_t ties;		/* pairs (triplets, lists) that tie */
	uint64_t missing;	/* with a response that has no value */
	uint64_t barren;	/* records that gave nothing */
};

struct rm_pairer;

/*
 * For records of such a schema; `pairs` is the header's kind.  options may
 * be NULL: all pairs, ties dropped.  Both are copied.  NULL with a message
 * when no field says who is preferred, or one that an option needs lacks.
 */
struct rm_pairer *rm_pairer_new(const struct rm_schema *schema, bool pairs,
				const struct rm_pair_options *options);
void rm_pairer_free(struct rm_pairer *pairer);

/*
 * Take up the next record, borrowed until the one after it.  -1 when it has
 * too few responses (rm_pairer_short is then true) or an impossible label.
 */
int rm_pairer_set(struct rm_pairer *pairer, const struct rm_record *rec);
bool rm_pairer_short(const struct rm_pairer *pairer);

/* The next thing made of the record: true, or false at its end. */
bool rm_pairer_next(struct rm_pairer *pairer, struct rm_pair *out);

/* Their values [k]: lower = better, equal = tie, NaN = not known. */
const double *rm_pairer_values(const struct rm_pairer *pairer);
/* P(response i preferred to j), NaN: only the order is known. */
double rm_pairer_p(const struct rm_pairer *pairer, size_t i, size_t j);
/* Whether anything says which responses are preferred; no message. */
bool rm_pairer_can(const struct rm_schema *schema, bool pairs);

const struct rm_pair_counts *rm_pairer_counts(const struct rm_pairer *pairer);
/* The field that says who is preferred; "kind" where the kind does. */
const char *rm_pairer_source(const struct rm_pairer *pairer);

/* ---- writing what was made ---- */

/*
 * The fields of what is written: those of the input, and `p` for pairs that
 * have votes, annotations or kept ties, `margin`, `weight`, `split` where
 * asked for.  Lives as long as the pairer.
 */
const struct rm_schema *rm_pairer_schema(const struct rm_pairer *pairer);

/*
 * Whether the record's own bytes are what rm_pairer_put would write, so that
 * they can be copied.
 */
bool rm_pairer_same(const struct rm_pairer *pairer,
		    const struct rm_pair *pair);

/*
 * Append the record with the picked responses.  A pair or triplet of a
 * larger group has the id "ID#i-j(-l)"; `p`, `margin` and `prob` of a larger
 * group are not its pairs' and become nil.  split may be NULL: nil.
 */
void rm_pairer_put(const struct rm_pairer *pairer, const struct rm_pair *pair,
		   const char *split, struct rm_buf *payload);

/* ---- splits ---- */

/* Named parts of [0, 1) and the seed that places keys in it. */
struct rm_split {
	size_t n;
	struct rm_split_part {
		char *name;
		double end;	/* the part ends before this */
	} *part;
	int64_t seed;
};

/*
 * "train=.8,valid=.1,test=.1": shares that add up to at most 1; what is left
 * belongs to no part.
 */
int rm_split_parse(struct rm_split *split, const char *text, int64_t seed);
/* Index of the part, -1 with a message that lists them. */
int rm_split_find(const struct rm_split *split, const char *name);
/*
 * Index of the part that a key falls into, -1 for none: u(seed, key) in
 * [0, 1), so the same for every tokenizer and order of records.
 */
int rm_split_of(const struct rm_split *split, uint64_t key);
void rm_split_fini(struct rm_split *split);

/* ---- columns: a field with one value a record, or a column of extra ---- */

struct rm_column {
	char *name;
	int field;		/* the field, or `extra` */
	bool extra;
};

/* -1 with a message that lists the fields that would do. */
int rm_column_find(struct rm_column *column, const struct rm_schema *schema,
		   const char *name);
/*
 * 1 and the record's value as text (numbers as JSON writes them, a u64 as
 * 16 hexadecimal digits), which replaces what text held; 0 when it has none;
 * -1 on no memory.
 */
int rm_column_text(const struct rm_column *column,
		   const struct rm_record *rec, struct rm_buf *text);
/* The same as a number; NaN when it has none or it is not one. */
double rm_column_number(const struct rm_column *column,
			const struct rm_record *rec);
void rm_column_fini(struct rm_column *column);

/* ---- sets of keys ---- */

/* 64-bit hashes, 16 bytes each at worst.  Zero-initialise. */
struct rm_keys {
	uint64_t *slot;		/* 0 is an empty one */
	size_t n, cap;		/* cap is a power of two */
	bool zero;		/* whether the key 0 is in */
};

/* 1 if the key is new, 0 if it was in already, -1 on no memory. */
int rm_keys_add(struct rm_keys *keys, uint64_t key);
bool rm_keys_has(const struct rm_keys *keys, uint64_t key);
void rm_keys_fini(struct rm_keys *keys);

/* ---- annotators whose choices do not count ---- */

/*
 * In each record with annotations, theirs are taken away, and the labels are
 * made anew of those that are left: `votes` counts them, `rank` orders by
 * these votes, a field `p` becomes nil.  Where none is left, all of them are
 * missing.  Other records stay as they are.
 */
struct rm_dropper;

/*
 * schema is borrowed.  NULL with a message when there is no field
 * annotations, and for pairs, which are in an order already.
 */
struct rm_dropper *rm_dropper_new(const struct rm_schema *schema, bool pairs,
				  char *const *names, size_t n);
/* *rec becomes a record that lives until the next call. */
int rm_dropper_record(struct rm_dropper *d, const struct rm_record **rec);
/* How many choices were taken away. */
uint64_t rm_dropper_count(const struct rm_dropper *d);
/* A name that no record had; NULL when all were found. */
const char *rm_dropper_unseen(const struct rm_dropper *d);
void rm_dropper_free(struct rm_dropper *d);

/* ---- filters: which records pass ---- */

enum rm_verdict {
	RM_PASS,
	RM_LEAK,		/* the key is among the leaked ones */
	RM_DUPLICATE,		/* content seen before */
	RM_OTHER_PART,		/* not the part to take */
	RM_OTHER_SHARD,
	RM_N_VERDICTS
};

/* Checked in this order; what is NULL, false or 0 is not asked for. */
struct rm_filter_options {
	const struct rm_keys *leaked;	/* borrowed as long as the filter */
	/*
	 * Duplicates have the same prompt (ids, else text, else key) and the
	 * same responses (ids, else texts) in any order, whatever their
	 * labels; the first one passes.
	 */
	bool dedup;
	/*
	 * Parts by key, or by the values of the column split_by.  The column
	 * "split" names the parts itself.
	 */
	const struct rm_split *split;	/* borrowed */
	const char *split_by;
	const char *take;
	size_t shard, n_shards;		/* from 1; by key, not as split */
};

struct rm_filter;

/* NULL with a message when the schema lacks a field that is asked for. */
struct rm_filter *rm_filter_new(const struct rm_schema *schema,
				const struct rm_filter_options *options);
/*
 * An rm_verdict, -1 with a message.  *part is the name of the record's part,
 * NULL for none, valid until the next call.
 */
int rm_filter_record(struct rm_filter *filter, const struct rm_record *rec,
		     const char **part);
/* How many records had this verdict. */
uint64_t rm_filter_count(const struct rm_filter *filter,
			 enum rm_verdict verdict);
void rm_filter_free(struct rm_filter *filter);

/* ---- samples: records that wait for the end of the input ---- */

struct rm_sample;

/* memory: as rm_spool_new. */
struct rm_sample *rm_sample_new(size_t memory);
/* longer: 1 the chosen one is the longer, -1 the shorter, 0 neither. */
int rm_sample_add(struct rm_sample *sample, const struct rm_buf *payload,
		  int longer);
/*
 * The end.  balance: of those with the longer and those with the shorter
 * chosen, the more frequent are thinned at random to the number of the
 * others.  shuffle: in random order, else as added.
 */
int rm_sample_end(struct rm_sample *sample, bool balance, bool shuffle,
		  int64_t seed);
/* How many there are (after the end: how many stay). */
size_t rm_sample_count(const struct rm_sample *sample);
/* The i-th of them in *out, valid until the next call; after the end. */
int rm_sample_get(struct rm_sample *sample, size_t i, struct rm_slice *out);
void rm_sample_free(struct rm_sample *sample);

/* ---- lengths ---- */

/* Where the lengths of responses are: `length`, else `n_tokens`. */
int rm_length_field(const struct rm_schema *schema);

/* ---- statistics ---- */

/*
 * What is in a stream and what is wrong with it, in bounded memory: lengths
 * in buckets 1 % wide, keys counted exactly up to a million and estimated
 * beyond, at most 1000 subsets by name; agreement of annotators, cycles,
 * prompts that occur again, balance of labels, scripts.  rm-pair(1) defines
 * each figure; those that cannot be computed are left out, and the member
 * not_computed says why.
 */
struct rm_stats;

struct rm_stats *rm_stats_new(const struct rm_schema *schema, bool pairs);
/* split: the part's name, NULL for none. */
int rm_stats_add(struct rm_stats *stats, const struct rm_record *rec,
		 const char *split);
/* The figures as one JSON object; NULL on no memory.  The caller owns it. */
json_t *rm_stats_json(const struct rm_stats *stats);
/* The same object as a page of text. */
void rm_stats_print(struct rm_buf *out, const json_t *figures);
void rm_stats_free(struct rm_stats *stats);

#endif
