/*
 * trie: tokens by their bytes, to find all that a text begins with.
 */
#ifndef RM_TOKENIZER_TRIE_H
#define RM_TOKENIZER_TRIE_H

#include "tokenizer/parts.h"

/* Longest token; bounds the work at one place of a text. */
#define RM_TRIE_LONGEST 4096

/* Children of a node stand side by side, in the order of their labels. */
struct rm_trie {
	struct rm_trie_node {
		uint32_t child;		/* the first */
		int32_t id;		/* token that ends here, or -1 */
		uint16_t n;		/* children */
		unsigned char label;	/* the byte that leads here */
	} *node;
	size_t n, cap;
};

/* Of all tokens of the vocabulary; 0 / -1. */
int rm_trie_build(struct rm_trie *t, const struct rm_vocab *vocab);
void rm_trie_fini(struct rm_trie *t);

/* The node below that one on the byte, 0 (the root) if there is none. */
static inline uint32_t rm_trie_next(const struct rm_trie *t, uint32_t node,
				    unsigned char byte)
{
	uint32_t lo = t->node[node].child, n = t->node[node].n;

	while (n > 8) {
		uint32_t half = n / 2;

		if (t->node[lo + half].label <= byte) {
			lo += half;
			n -= half;
		} else {
			n = half;
		}
	}
	for (; n > 0; n--, lo++)
		if (t->node[lo].label == byte)
			return lo;
	return 0;
}

#endif
