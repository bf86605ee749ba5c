/*
 * rewrite: what the normalizers share that rewrite characters.
 *
 * ASCII goes by tables of 256 bytes: what a byte becomes, or RM_ASCII_NO if
 * it needs a closer look, as every byte from 0x80 does.
 */
#ifndef RM_TOKENIZER_REWRITE_H
#define RM_TOKENIZER_REWRITE_H

#include "tokenizer/steps.h"

#include <string.h>

enum { RM_ASCII_NO = 0xff };

/* A table in which every ASCII character stays. */
void rm_ascii_init(unsigned char table[256]);

/*
 * Put characters of the n bytes as the table maps them, up to the first that
 * it does not map; how many.
 */
size_t rm_ascii_put(struct rm_edit *e, const unsigned char table[256],
		    const unsigned char *text, size_t n);

/* How many bytes the table leaves as they are. */
static inline size_t rm_ascii_same(const unsigned char table[256],
				   const unsigned char *text, size_t n)
{
	size_t i = 0;

	/* Eight without a branch between them. */
	for (; n - i >= 8; i += 8) {
		unsigned differ = 0;

		for (size_t k = i; k < i + 8; k++)
			differ |= (unsigned)table[text[k]] ^ text[k];
		if (differ)
			break;
	}
	while (i < n && table[text[i]] == text[i])
		i++;
	return i;
}

/* How many ASCII characters the text begins with. */
static inline size_t rm_ascii_run(const unsigned char *text, size_t n)
{
	size_t i = 0;
	uint64_t eight;

	for (; n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, text + i, sizeof(eight));
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < n && text[i] < 0x80)
		i++;
	return i;
}

/*
 * As rm_edit_put, but all ends within the piece are carried to its end, even
 * if the lengths are equal: inside, bytes do not stand for each other.
 */
void rm_edit_piece(struct rm_edit *e, const void *text, size_t n,
		   size_t n_old);

/* 1 for a text that was rewritten, -1 if there was no memory. */
int rm_edit_done(const struct rm_edit *e);

/* ---- nf.c: characters in a normal form ---- */

struct rm_nf {
	int32_t *c;		/* code points */
	size_t n, cap;
	int32_t *sorted;
	size_t sorted_cap;
	struct rm_buf bytes;	/* the same as UTF-8 */
	bool failed;
};

/* The step's own, made when first needed; NULL with a message. */
struct rm_nf *rm_nf_of(struct rm_work *w);
void rm_nf_free(void *own);
void rm_nf_clear(struct rm_nf *nf);
/* Append the decomposition of c, in no order yet. */
void rm_nf_decompose(struct rm_nf *nf, uint32_t c, bool compatible);
/* The one character that c decomposes to, c if it's several. */
uint32_t rm_nf_single(uint32_t c);
/* Sort the marks of what was appended: it is in NFD or NFKD then. */
void rm_nf_order(struct rm_nf *nf);

#endif
