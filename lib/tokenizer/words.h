/*
 * words: what a thread remembers of short words, inlined where it counts.
 */
#ifndef RM_TOKENIZER_WORDS_H
#define RM_TOKENIZER_WORDS_H

#include "tokenizer/parts.h"

#include <string.h>

#define RM_WORD_SLOTS ((size_t)1 << 15)

static inline uint64_t rm_word_load(const unsigned char *p, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, p, n);
	return word;
}

/*
 * The key of a word of 1 .. RM_WORD_BYTES bytes; loads overlap, so that none
 * is of a varying size.
 */
static inline void rm_word_key(uint64_t key[3], const unsigned char *word,
			       size_t n)
{
	key[0] = key[1] = key[2] = 0;
	if (n >= 8) {
		key[0] = rm_word_load(word, 8);
		if (n > 16) {
			key[1] = rm_word_load(word + 8, 8);
			key[2] = rm_word_load(word + n - 8, 8) >>
				 8 * (24 - n);
		} else if (n > 8) {
			key[1] = rm_word_load(word + n - 8, 8) >>
				 8 * (16 - n);
		}
	} else if (n >= 4) {
		key[0] = rm_word_load(word, 4) |
			 rm_word_load(word + n - 4, 4) << 8 * (n - 4);
	} else {
		key[0] = word[0] | (uint64_t)word[n / 2] << 8 * (n / 2) |
			 (uint64_t)word[n - 1] << 8 * (n - 1);
	}
	key[2] |= (uint64_t)n << 56;
}

static inline size_t rm_word_slot(const uint64_t key[3])
{
	uint64_t h = key[0] * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 32 ^ key[1]) * 0xd6e8feb86659fd93u;
	h = (h ^ h >> 32 ^ key[2]) * 0xc2b2ae3d27d4eb4fu;
	return (h >> 32) & (RM_WORD_SLOTS - 1);
}

static inline bool rm_word_is(const struct rm_word *w, const uint64_t key[3])
{
	return ((w->key[0] ^ key[0]) | (w->key[1] ^ key[1]) |
		(w->key[2] ^ key[2])) == 0;
}

/* A word stands in its slot or in that slot's twin; NULL if it does not. */
static inline const struct rm_word *rm_word_find(const struct rm_word *words,
						 const uint64_t key[3])
{
	size_t i = rm_word_slot(key);

	if (rm_word_is(&words[i], key))
		return &words[i];
	if (rm_word_is(&words[i ^ 1], key))
		return &words[i ^ 1];
	return NULL;
}

/* The ids of e from `from` on, of the word that begins at `at`. */
static inline void rm_word_keep(struct rm_word *words, const uint64_t key[3],
				const struct rm_encoding *e, size_t from,
				size_t at)
{
	size_t i = rm_word_slot(key), n = e->n - from;
	struct rm_word *w = &words[i];

	if (n > RM_WORD_IDS)
		return;
	words[i ^ 1] = *w;
	memcpy(w->key, key, sizeof(w->key));
	w->n = (unsigned char)n;
	for (size_t k = 0; k < n; k++) {
		w->id[k] = e->ids[from + k];
		w->len[k] = (unsigned char)(e->ends[from + k] - at);
		at = e->ends[from + k];
	}
}

/* e has room for RM_WORD_IDS more. */
static inline void rm_word_push(const struct rm_word *w,
				struct rm_encoding *e, size_t at)
{
	for (size_t k = 0; k < w->n; k++) {
		at += w->len[k];
		rm_encoding_push(e, w->id[k], at);
	}
}

#endif
