/*
 * bpe: byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al.
 * 2019), as bpe.c loads it and bpe_encode.c runs it.
 */
#ifndef RM_TOKENIZER_BPE_H
#define RM_TOKENIZER_BPE_H

#include "tokenizer/parts.h"

#define RM_BPE_NONE UINT32_MAX	/* rank of a pair that does not merge */

struct rm_bpe {
	const struct rm_vocab *vocab;	/* borrowed */
	size_t n_ids;
	uint32_t *len;		/* [n_ids] bytes of the token; 0: no bytes */
	size_t longest;		/* of len */
	int32_t byte_id[256];
	bool ignore_merges;
	size_t n_merges;
	size_t n_slots;
	unsigned shift;
	struct rm_bpe_merge {
		uint64_t pair;	/* left id << 32 | right id; ~0: free */
		uint32_t rank;
		int32_t id;
	} *merge;
	/*
	 * Bit (x << 8 | y): some merge's left token ends in byte x and its
	 * right one begins with y.  Elsewhere no merge reaches across, and a
	 * long word can be cut in two.
	 */
	uint64_t joint[65536 / 64];
};

static inline size_t rm_bpe_slot(const struct rm_bpe *m, uint64_t pair)
{
	uint64_t h = (pair ^ pair >> 29) * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> m->shift);
}

/* The slot of the pair, or the free one where it belongs. */
static inline struct rm_bpe_merge *rm_bpe_find(const struct rm_bpe *m,
					       int32_t left, int32_t right)
{
	uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	size_t i = rm_bpe_slot(m, pair);

	while (m->merge[i].pair != pair && m->merge[i].pair != UINT64_MAX)
		i = (i + 1) & (m->n_slots - 1);
	return &m->merge[i];
}

/* As in struct rm_tokenizer_kind. */
int rm_bpe_encode(const void *model, void **scratch, struct rm_encoding *e,
		  const unsigned char *word, size_t n, size_t at);
void rm_bpe_scratch_free(void *scratch);

#endif
