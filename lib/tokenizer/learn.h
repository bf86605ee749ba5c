/*
 * learn: what learning a tokenizer is made of, shared by learn.c, count.c,
 * merge.c and learn_wordpiece.c.
 *
 * The words of all texts are counted (count.c); the counted words become
 * rows of first tokens, a byte or a character each; the pair of neighbours
 * that stands most often becomes a token, again and again (merge.c).
 */
#ifndef RM_TOKENIZER_LEARN_H
#define RM_TOKENIZER_LEARN_H

#include "tokenizer/parts.h"

/* Most symbols of a word. */
#define RM_LEARN_LONGEST 128
/* Most characters of a word that WordPiece does not give up on. */
#define RM_WORDPIECE_LONGEST 100

/* ---- count.c: distinct words and how often they are seen ---- */

struct rm_counts {
	size_t n;		/* distinct words */
	size_t len, cap;	/* of the records, in units of 8 bytes */
	uint64_t *record;
	struct rm_count_slot {
		uint32_t hash, at;	/* unit + 1; 0 is free */
	} *slot;
	size_t n_slots;
};

struct rm_count {
	uint64_t count;
	uint16_t n;
	unsigned char word[];
};

/* `count` more of this word of n < 65536 bytes. */
int rm_counts_add(struct rm_counts *c, const unsigned char *word, size_t n,
		  uint64_t count);
/* All words, in the order they came: begin with *at = 0; NULL at the end. */
const struct rm_count *rm_counts_next(const struct rm_counts *c, size_t *at);
int rm_counts_merge(struct rm_counts *to, const struct rm_counts *from);
/*
 * Forget the rarest words, all those seen less often than some power of two,
 * so that at most max_words words and max_units units are left; *dropped
 * grows by their number.  What goes depends on the counts alone.
 */
void rm_counts_prune(struct rm_counts *c, size_t max_words,
		     size_t max_units, size_t *dropped);
void rm_counts_fini(struct rm_counts *c);

/* ---- merge.c: tokens from pairs ---- */

struct rm_merger {
	/* The tokens: the first ones are the caller's. */
	struct rm_vocab vocab;
	/* Begins tokens inside of a word, once in a joined one; or "". */
	const char *prefix;
	int32_t (*merge)[2];
	size_t n_merges, merge_cap;
	/* The rest is its own. */
	struct rm_merger_word {
		size_t at;		/* in symbol */
		uint64_t count;
		uint32_t n;
	} *word;
	size_t n_words, word_cap;
	int32_t *symbol;
	size_t n_symbols, symbol_cap;
	struct rm_merger_pair {
		uint64_t ids;		/* left << 32 | right */
		uint64_t count;
		uint32_t head;		/* list of words that had it */
		uint32_t stamp;		/* the merge that last raised it */
	} *pair;
	size_t n_pairs, pair_cap;
	uint32_t *slot;			/* open addressing: pair + 1 */
	size_t n_slots;
	struct rm_merger_node {
		uint32_t word, next;
	} *node;
	size_t n_nodes, node_cap;
	uint32_t *raised;		/* pairs that this merge raised */
	size_t n_raised, raised_cap;
	struct rm_merger_candidate {
		uint64_t count;		/* as it was when pushed */
		uint32_t pair;
	} *heap;
	size_t n_heap, heap_cap;
};

/* A word of n <= RM_LEARN_LONGEST first tokens, seen count times. */
int rm_merger_add(struct rm_merger *m, const int32_t *ids, size_t n,
		  uint64_t count);
/*
 * Merge pairs, by count and then the lowest ids, until there are `vocab`
 * tokens or no more pairs.
 */
int rm_merger_run(struct rm_merger *m, size_t vocab);
void rm_merger_fini(struct rm_merger *m);

/* ---- models that can be learned ---- */

struct rm_learner_worker {
	struct rm_counts counts;
	struct rm_encoding encoding;	/* of the tokenizer that cuts */
	char *error;
};

struct rm_learner_kind {
	const char *type;	/* a name of rm_learner_types[] */
	/* The tokenizer that cuts texts into words; NULL: not needed. */
	struct rm_tokenizer *(*splitter)(const struct rm_learn_options *o);
	/* Count the words of a text. */
	int (*count)(struct rm_learner_worker *w,
		     const struct rm_tokenizer *splitter,
		     const unsigned char *text, size_t len);
	/* The first tokens, and the words that are seen often enough. */
	int (*start)(struct rm_merger *m, const struct rm_counts *counts,
		     const struct rm_learn_options *o);
	void (*print)(struct rm_buf *json, const struct rm_merger *m,
		      const struct rm_learn_options *o);
};

extern const struct rm_learner_kind rm_learner_wordpiece;

#endif
