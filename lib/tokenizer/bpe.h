/*
 * bpe: byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019), as
 * bpe.c loads it and bpe_encode.c runs it.
 *
 * Symbols that merges begin with are bytes, where words are bytes, or
 * characters.
 */
#ifndef RM_TOKENIZER_BPE_H
#define RM_TOKENIZER_BPE_H

#include "tokenizer/parts.h"

#define RM_BPE_NONE UINT32_MAX	/* rank of a pair that does not merge */

struct rm_bpe {
	const struct rm_vocab *vocab;	/* borrowed */
	bool bytes;		/* words are bytes */
	size_t n_ids;
	uint32_t *len;		/* [n_ids] bytes of a word that the token
				 * stands for; 0: it is none of the model's */
	size_t longest;		/* of len */
	int32_t byte_id[256];	/* of bytes, or of <0x00> .. <0xFF>, or -1 */
	int32_t ascii_id[128];	/* characters' tokens, or -1 */
	bool ignore_merges, byte_fallback, fuse_unk;
	char *unk_token;	/* NULL: none */
	int32_t unk_id;		/* -1: not in the vocab */
	char *prefix, *suffix;	/* of what goes on, of a word's end; or NULL */
	size_t n_merges;
	size_t last_id;		/* that a merge made, while they are read */
	size_t n_slots;
	unsigned shift;
	struct rm_bpe_merge {
		uint64_t pair;	/* left id << 32 | right id; ~0: free */
		uint32_t rank;
		int32_t id;
	} *merge;
	/*
	 * A long word can be cut between two symbols if no merge's left
	 * token ends in the first and its right one begins with the second.
	 * joint: bits of the pairs where one does, by rm_bpe_joint.  all: it
	 * can be so anywhere, else only between known ASCII characters.
	 */
	bool cuts, all;
	uint64_t *joint;
};

#define RM_BPE_JOINTS ((size_t)1 << 20)

/* The bit of two neighbours, bytes or characters; characters may share it. */
static inline size_t rm_bpe_joint(bool bytes, uint32_t x, uint32_t y)
{
	uint64_t h;

	if (bytes)
		return x << 8 | y;
	h = ((uint64_t)x << 32 | y) * 0x9e3779b97f4a7c15u;
	return (size_t)(h >> 44) & (RM_BPE_JOINTS - 1);
}

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

/* The id of a token of the model, -1 if it is none. */
int32_t rm_bpe_token(const struct rm_bpe *m, const char *text, size_t n);

/* As in struct rm_tokenizer_kind. */
int rm_bpe_encode(const void *model, struct rm_scratch *scratch,
		  struct rm_encoding *e, const unsigned char *word, size_t n,
		  size_t at);
void rm_bpe_scratch_free(void *scratch);

#endif
