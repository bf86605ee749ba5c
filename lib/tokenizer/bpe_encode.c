/*
 * Encoding words with a BPE.  A word begins as its symbols; of all neighbours
 * that a merge names, the pair of lowest rank, leftmost first, becomes one
 * token, until none is left.
 *
 * Short words are merged in a small array, others with a heap, O(n log n);
 * a long word is first cut where no merge reaches across.
 */
#include "tokenizer/bpe.h"

#include "tokenizer/words.h"

#include <stdlib.h>
#include <string.h>

#define SHORT 48		/* most symbols merged in a small array */
/* Most symbols of a word: their number and a bit stand in a rank. */
#define LONGEST ((size_t)1 << 30)
#define INSIDE 0x80000000u

struct scratch {
	/*
	 * A long word: slot[p] is the id of the token that begins at symbol
	 * p, and in the last symbol of a longer token minus how many it has;
	 * rank[p] is that of the pair of the token at p and the next, and in
	 * the second symbol of a token INSIDE and how many it has.
	 */
	int32_t *slot;
	uint32_t *rank;
	size_t slot_cap, rank_cap;
	uint64_t *heap;		/* rank << 32 | p, smallest first */
	size_t n, cap;
	/* Symbols of a word of characters, and their bytes. */
	int32_t *id;
	uint32_t *size;
	size_t n_ids, id_cap, size_cap;
	struct rm_buf text;
	bool failed;
};

void rm_bpe_scratch_free(void *arg)
{
	struct scratch *s = arg;

	if (!s)
		return;
	free(s->slot);
	free(s->rank);
	free(s->heap);
	free(s->id);
	free(s->size);
	rm_buf_fini(&s->text);
	free(s);
}

/* ---- merging a few ---- */

/*
 * Merge n <= SHORT symbols of size[] bytes in place; how many tokens they
 * make.
 */
static __attribute__((noinline))
size_t merge_short(const struct rm_bpe *m, size_t n, int32_t id[SHORT],
		   uint32_t size[SHORT])
{
	uint32_t rank[SHORT];
	int32_t to[SHORT];

	for (size_t i = 0; i + 1 < n; i++) {
		const struct rm_bpe_merge *x = rm_bpe_find(m, id[i],
							   id[i + 1]);

		rank[i] = x->rank;
		to[i] = x->id;
	}
	while (n > 1) {
		size_t best = 0;

		for (size_t i = 1; i + 1 < n; i++)
			if (rank[i] < rank[best])
				best = i;
		if (rank[best] == RM_BPE_NONE)
			break;
		id[best] = to[best];
		size[best] += size[best + 1];
		n--;
		for (size_t i = best + 1; i < n; i++) {
			id[i] = id[i + 1];
			size[i] = size[i + 1];
			rank[i - 1] = rank[i];
			to[i - 1] = to[i];
		}
		for (size_t i = best ? best - 1 : 0;
		     i <= best && i + 1 < n; i++) {
			const struct rm_bpe_merge *x =
				rm_bpe_find(m, id[i], id[i + 1]);

			rank[i] = x->rank;
			to[i] = x->id;
		}
	}
	return n;
}

static int push_short(struct rm_encoding *e, const int32_t *id,
		      const uint32_t *size, size_t n, size_t at)
{
	if (rm_encoding_need(e, n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		at += size[i];
		rm_encoding_push(e, id[i], at);
	}
	return 0;
}

/* ---- merging many ---- */

static void heap_push(struct scratch *s, uint64_t x)
{
	size_t i;

	if (rm_grow(&s->heap, &s->cap, s->n + 1, sizeof(*s->heap)) < 0) {
		s->failed = true;
		return;
	}
	for (i = s->n++; i > 0 && s->heap[(i - 1) / 2] > x; i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = x;
}

static uint64_t heap_pop(struct scratch *s)
{
	uint64_t top = s->heap[0], x = s->heap[--s->n];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < s->n && s->heap[child + 1] < s->heap[child])
			child++;
		if (child >= s->n || s->heap[child] >= x)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = x;
	return top;
}

/* Symbols of the token at p. */
static size_t count_at(const struct scratch *s, size_t n, size_t p)
{
	uint32_t inside = p + 1 < n ? s->rank[p + 1] : RM_BPE_NONE;

	return inside & INSIDE && inside != RM_BPE_NONE ? inside & ~INSIDE : 1;
}

/* The token before the one at p > 0. */
static size_t before(const struct scratch *s, size_t p)
{
	int32_t last = s->slot[p - 1];

	return last >= 0 ? p - 1 : p - (size_t)-(int64_t)last;
}

/*
 * Only a pair whose rank is below that of both neighbours (the left one of
 * equals) can be the next to merge, so only those are put on the heap.
 */
static void push_if_lowest(struct scratch *s, size_t n, size_t p)
{
	uint32_t rank = s->rank[p];
	size_t next = p + count_at(s, n, p);

	if (rank == RM_BPE_NONE || (next < n && s->rank[next] < rank) ||
	    (p > 0 && s->rank[before(s, p)] <= rank))
		return;
	heap_push(s, (uint64_t)rank << 32 | p);
}

static void set_rank(const struct rm_bpe *m, struct scratch *s, size_t n,
		     size_t p)
{
	size_t next = p + count_at(s, n, p);
	uint32_t rank = RM_BPE_NONE;

	if (next < n)
		rank = rm_bpe_find(m, s->slot[p], s->slot[next])->rank;
	s->rank[p] = rank;
}

static void merge_at(const struct rm_bpe *m, struct scratch *s, size_t n,
		     size_t p)
{
	size_t right = p + count_at(s, n, p), left = p ? before(s, p) : p;
	size_t next = right + count_at(s, n, right);
	int32_t id = rm_bpe_find(m, s->slot[p], s->slot[right])->id;

	s->rank[right] = INSIDE;	/* of no pair any more */
	s->rank[p + 1] = INSIDE | (uint32_t)(next - p);
	s->slot[next - 1] = -(int32_t)(next - p);
	s->slot[p] = id;
	set_rank(m, s, n, left);
	set_rank(m, s, n, p);
	if (left > 0)
		push_if_lowest(s, n, before(s, left));
	if (left < p)
		push_if_lowest(s, n, left);
	push_if_lowest(s, n, p);
	if (next < n)
		push_if_lowest(s, n, next);
}

/* Merge the n symbols in s->slot. */
static int merge_long(const struct rm_bpe *m, struct scratch *s, size_t n)
{
	if (n > LONGEST)
		return rm_fail("a word of %zu symbols is too long", n);
	if (rm_grow(&s->rank, &s->rank_cap, n, sizeof(*s->rank)) < 0)
		return -1;
	for (size_t p = 0; p + 1 < n; p++)
		s->rank[p] = rm_bpe_find(m, s->slot[p],
					 s->slot[p + 1])->rank;
	s->rank[n - 1] = RM_BPE_NONE;
	s->n = 0;
	for (size_t p = 0; p < n; p++)
		push_if_lowest(s, n, p);
	while (s->n > 0) {
		uint64_t top = heap_pop(s);

		if (s->rank[(uint32_t)top] == top >> 32)
			merge_at(m, s, n, (uint32_t)top);
	}
	return s->failed ? -1 : 0;
}

/* size[] of the symbols; NULL: a byte each. */
static int push_long(struct scratch *s, struct rm_encoding *e,
		     const uint32_t *size, size_t n, size_t at)
{
	size_t count = 0, k;

	for (size_t p = 0; p < n; p += count_at(s, n, p))
		count++;
	if (rm_encoding_need(e, count) < 0)
		return -1;
	for (size_t p = 0; p < n; p += k) {
		k = count_at(s, n, p);
		for (size_t i = p; i < p + k; i++)
			at += size ? size[i] : 1;
		rm_encoding_push(e, s->slot[p], at);
	}
	return 0;
}

/* ---- words of bytes ---- */

static int encode_bytes(const struct rm_bpe *m, struct scratch *s,
			struct rm_encoding *e, const unsigned char *word,
			size_t n, size_t at)
{
	int32_t id[SHORT];
	uint32_t size[SHORT];

	if (n <= SHORT) {
		for (size_t i = 0; i < n; i++) {
			id[i] = m->byte_id[word[i]];
			size[i] = 1;
		}
		n = merge_short(m, n, id, size);
		return push_short(e, id, size, n, at);
	}
	if (rm_grow(&s->slot, &s->slot_cap, n, sizeof(*s->slot)) < 0)
		return -1;
	for (size_t p = 0; p < n; p++)
		s->slot[p] = m->byte_id[word[p]];
	return merge_long(m, s, n) < 0 ? -1 : push_long(s, e, NULL, n, at);
}

/* Without merges: a token a byte. */
static int push_bytes(const struct rm_bpe *m, struct rm_encoding *e,
		      const unsigned char *word, size_t n, size_t at)
{
	int32_t *ids;
	size_t *ends;

	if (rm_encoding_need(e, n) < 0)
		return -1;
	ids = e->ids + e->n;
	ends = e->ends + e->n;
	for (size_t i = 0; i < n; i++) {
		ids[i] = m->byte_id[word[i]];
		ends[i] = at + i + 1;
	}
	e->n += n;
	return 0;
}

/* ---- words of characters ---- */

static int add_symbol(struct scratch *s, int32_t id, size_t bytes)
{
	if (rm_grow(&s->id, &s->id_cap, s->n_ids + 1, sizeof(*s->id)) < 0 ||
	    rm_grow(&s->size, &s->size_cap, s->n_ids + 1,
		    sizeof(*s->size)) < 0)
		return -1;
	s->id[s->n_ids] = id;
	s->size[s->n_ids++] = (uint32_t)bytes;
	return 0;
}

/* A token for each byte, if all of them have one; 1, 0, -1. */
static int add_fallback(const struct rm_bpe *m, struct scratch *s,
			const unsigned char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (m->byte_id[text[i]] < 0)
			return 0;
	for (size_t i = 0; i < n; i++)
		if (add_symbol(s, m->byte_id[text[i]], 1) < 0)
			return -1;
	return 1;
}

/* The character as it stands in the vocab, with what goes around it. */
static struct rm_slice dress(const struct rm_bpe *m, struct scratch *s,
			     const unsigned char *c, size_t len, bool first,
			     bool last)
{
	if ((first || !m->prefix) && (!last || !m->suffix))
		return (struct rm_slice){ c, len };
	rm_buf_clear(&s->text);
	if (!first && m->prefix)
		rm_buf_puts(&s->text, m->prefix);
	rm_buf_append(&s->text, c, len);
	if (last && m->suffix)
		rm_buf_puts(&s->text, m->suffix);
	s->failed |= s->text.failed;
	return (struct rm_slice){ s->text.data, s->text.len };
}

static int32_t char_id(const struct rm_bpe *m, struct rm_slice text)
{
	if (text.len == 1 && text.data[0] < 128)
		return m->ascii_id[text.data[0]];
	return rm_bpe_token(m, (const char *)text.data, text.len);
}

/*
 * The symbols of a word.  An unknown token waits until a known one comes, as
 * in the peer, which fuses those that come together if it is to.
 */
static int add_symbols(const struct rm_bpe *m, struct scratch *s,
		       const unsigned char *word, size_t n)
{
	size_t unknown = 0, len;	/* bytes of the one that waits */

	s->n_ids = 0;
	for (size_t i = 0; i < n; i += len) {
		struct rm_slice text;
		int32_t id;
		int got;

		rm_char_at(word + i, word + n, &len);
		text = dress(m, s, word + i, len, i == 0, i + len == n);
		id = char_id(m, text);
		if (id < 0) {
			got = m->byte_fallback ? add_fallback(m, s, text.data,
							      text.len) : 0;
			if (got < 0)
				return -1;
			if (got > 0 || !m->unk_token)
				continue;
			if (m->unk_id < 0)
				return rm_fail("unk_token \"%s\" is not in "
					       "the vocab", m->unk_token);
		}
		if (unknown && (id >= 0 || !m->fuse_unk)) {
			if (add_symbol(s, m->unk_id, unknown) < 0)
				return -1;
			unknown = 0;
		}
		if (id < 0)
			unknown += len;
		else if (add_symbol(s, id, len) < 0)
			return -1;
	}
	return unknown ? add_symbol(s, m->unk_id, unknown) : 0;
}

static int encode_chars(const struct rm_bpe *m, struct scratch *s,
			struct rm_encoding *e, const unsigned char *word,
			size_t n, size_t at)
{
	size_t count;

	if (add_symbols(m, s, word, n) < 0 || s->failed)
		return -1;
	count = s->n_ids;
	if (count == 0)
		return 0;
	if (count <= SHORT) {
		count = merge_short(m, count, s->id, s->size);
		return push_short(e, s->id, s->size, count, at);
	}
	if (rm_grow(&s->slot, &s->slot_cap, count, sizeof(*s->slot)) < 0)
		return -1;
	memcpy(s->slot, s->id, count * sizeof(*s->slot));
	return merge_long(m, s, count) < 0 ? -1 :
	       push_long(s, e, s->size, count, at);
}

/* ---- words ---- */

/* With ignore_merges, a word that is a token is that token; -1 if not. */
static int32_t whole_word(const struct rm_bpe *m, struct scratch *s,
			  const unsigned char *word, size_t n)
{
	char *text;
	size_t len = 0;

	if (n > m->longest)
		return -1;
	if (!m->bytes)
		return rm_bpe_token(m, (const char *)word, n);
	rm_buf_clear(&s->text);
	if (rm_buf_reserve(&s->text, 2 * n) < 0) {
		s->failed = true;
		return -1;
	}
	text = (char *)s->text.data;
	for (size_t i = 0; i < n; i++)
		len += rm_byte_to_char(word[i], text + len);
	return rm_bpe_token(m, text, len);
}

static int encode_part(const struct rm_bpe *m, struct scratch *s,
		       struct rm_encoding *e, const unsigned char *part,
		       size_t n, size_t at)
{
	return m->bytes ? encode_bytes(m, s, e, part, n, at) :
			  encode_chars(m, s, e, part, n, at);
}

/*
 * Part of a long word, from the memory of words if it is there: alone it
 * would be the same, but not with ignore_merges.
 */
static int encode_known(const struct rm_bpe *m, struct rm_scratch *scratch,
			struct rm_encoding *e, const unsigned char *part,
			size_t n, size_t at)
{
	struct scratch *s = scratch->model;
	const struct rm_word *known;
	uint64_t key[3];
	size_t from = e->n;

	if (n > RM_WORD_BYTES || m->ignore_merges)
		return encode_part(m, s, e, part, n, at);
	if (rm_encoding_need(e, RM_WORD_IDS) < 0)
		return -1;
	rm_word_key(key, part, n);
	known = rm_word_find(scratch->words, key);
	if (known) {
		rm_word_push(known, e, at);
		return 0;
	}
	if (encode_part(m, s, e, part, n, at) < 0)
		return -1;
	rm_word_keep(scratch->words, key, e, from, at);
	return 0;
}

/* Whether a merge may reach from the symbol x to y. */
static bool joins(const struct rm_bpe *m, uint32_t x, uint32_t y)
{
	size_t bit = rm_bpe_joint(m->bytes, x, y);

	if (!m->all && (x >= 128 || y >= 128 || m->ascii_id[x] < 0 ||
			m->ascii_id[y] < 0))
		return true;
	return m->joint[bit / 64] >> bit % 64 & 1;
}

static int encode_long(const struct rm_bpe *m, struct rm_scratch *scratch,
		       struct rm_encoding *e, const unsigned char *word,
		       size_t n, size_t at)
{
	uint32_t last = 0, c;
	size_t from = 0, len = 1;

	for (size_t i = 0; i < n; i += len) {
		c = m->bytes ? word[i] : rm_char_at(word + i, word + n, &len);
		if (i > 0 && !joins(m, last, c)) {
			if (encode_known(m, scratch, e, word + from, i - from,
					 at + from) < 0)
				return -1;
			from = i;
		}
		last = c;
	}
	return encode_known(m, scratch, e, word + from, n - from, at + from);
}

int rm_bpe_encode(const void *model, struct rm_scratch *scratch,
		  struct rm_encoding *e, const unsigned char *word, size_t n,
		  size_t at)
{
	const struct rm_bpe *m = model;
	struct scratch *s = scratch->model;

	if (m->n_merges == 0 && !m->ignore_merges && m->bytes)
		return push_bytes(m, e, word, n, at);
	if (!s) {
		s = scratch->model = rm_calloc(1, sizeof(*s));
		if (!s)
			return -1;
	}
	s->failed = false;
	if (m->ignore_merges) {
		int32_t id = whole_word(m, s, word, n);

		if (id >= 0 && rm_encoding_need(e, 1) == 0) {
			rm_encoding_push(e, id, at + n);
			return 0;
		}
		if (id >= 0 || s->failed)
			return -1;
	}
	if (n > RM_WORD_BYTES && m->cuts)
		return encode_long(m, scratch, e, word, n, at);
	return encode_part(m, s, e, word, n, at);
}
