/*
 * Encoding words with a byte-level BPE.  A word begins as its bytes; of all
 * neighbours that a merge names, the pair of lowest rank, leftmost first,
 * becomes one token, until none is left.
 *
 * A word goes through the first of these that applies: one token a byte if
 * there are no merges; the cache of words; merging in a small array; merging
 * with a heap, O(n log n).
 */
#include "tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#define SHORT 48		/* longest word merged in a small array */
#define CACHE_SLOTS ((size_t)1 << 14)
#define CACHE_BYTES 23		/* longest word in the cache */
#define CACHE_IDS 8

/* One cache line: the word, zero-padded, its length in the top byte. */
struct cached {
	uint64_t key[3];
	int32_t id[CACHE_IDS];
	unsigned char len[CACHE_IDS];	/* bytes of each token, 0: no more */
};

/* ---- merging ---- */

struct scratch {
	struct cached *cache;
	/*
	 * A long word: slot[p] is the id of the token that begins at byte p,
	 * and in the last byte of a longer token minus its length, so that
	 * both neighbours are found; rank[p] is that of the pair of the
	 * token at p and the next.
	 */
	int32_t *slot;
	uint32_t *rank;
	size_t slot_cap, rank_cap;
	uint64_t *heap;		/* rank << 32 | p, smallest first */
	size_t n, cap;
	struct rm_buf text;
	bool failed;
};

void rm_bpe_scratch_free(void *arg)
{
	struct scratch *s = arg;

	if (!s)
		return;
	free(s->cache);
	free(s->slot);
	free(s->rank);
	free(s->heap);
	rm_buf_fini(&s->text);
	free(s);
}

/* Merge a word of n <= SHORT bytes in place; how many tokens it makes. */
static __attribute__((noinline))
size_t merge_short(const struct rm_bpe *m, const unsigned char *word,
			  size_t n, int32_t id[SHORT])
{
	uint32_t rank[SHORT];
	int32_t to[SHORT];

	for (size_t i = 0; i < n; i++)
		id[i] = m->byte_id[word[i]];
	for (size_t i = 0; i + 1 < n; i++) {
		const struct rm_bpe_merge *x = rm_bpe_find(m, id[i], id[i + 1]);

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
		n--;
		for (size_t i = best + 1; i < n; i++) {
			id[i] = id[i + 1];
			rank[i - 1] = rank[i];
			to[i - 1] = to[i];
		}
		for (size_t i = best ? best - 1 : 0;
		     i <= best && i + 1 < n; i++) {
			const struct rm_bpe_merge *x = rm_bpe_find(m, id[i],
							  id[i + 1]);
			rank[i] = x->rank;
			to[i] = x->id;
		}
	}
	return n;
}

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
static void push_if_lowest(const struct rm_bpe *m, struct scratch *s, size_t n,
			   size_t p)
{
	uint32_t rank = s->rank[p];
	size_t next = p + m->len[s->slot[p]];

	if (rank == RM_BPE_NONE || (next < n && s->rank[next] < rank) ||
	    (p > 0 && s->rank[before(s, p)] <= rank))
		return;
	heap_push(s, (uint64_t)rank << 32 | p);
}

static void set_rank(const struct rm_bpe *m, struct scratch *s, size_t n,
		     size_t p)
{
	size_t next = p + m->len[s->slot[p]];
	uint32_t rank = RM_BPE_NONE;

	if (next < n)
		rank = rm_bpe_find(m, s->slot[p], s->slot[next])->rank;
	s->rank[p] = rank;
}

static void merge_at(const struct rm_bpe *m, struct scratch *s, size_t n,
		     size_t p)
{
	size_t right = p + m->len[s->slot[p]], left = p ? before(s, p) : p;
	int32_t id = rm_bpe_find(m, s->slot[p], s->slot[right])->id;
	size_t next = p + m->len[id];

	s->rank[right] = RM_BPE_NONE;
	s->slot[next - 1] = -(int32_t)m->len[id];
	s->slot[p] = id;
	set_rank(m, s, n, left);
	set_rank(m, s, n, p);
	if (left > 0)
		push_if_lowest(m, s, n, before(s, left));
	if (left < p)
		push_if_lowest(m, s, n, left);
	push_if_lowest(m, s, n, p);
	if (next < n)
		push_if_lowest(m, s, n, next);
}

/* Merge n bytes that are no word of the cache, with the heap. */
static int merge_long(const struct rm_bpe *m, struct scratch *s,
		      struct rm_encoding *e, const unsigned char *word,
		      size_t n, size_t at)
{
	size_t count = 0;

	if (rm_grow(&s->slot, &s->slot_cap, n, sizeof(*s->slot)) < 0 ||
	    rm_grow(&s->rank, &s->rank_cap, n, sizeof(*s->rank)) < 0)
		return -1;
	for (size_t p = 0; p < n; p++)
		s->slot[p] = m->byte_id[word[p]];
	for (size_t p = 0; p < n; p++)
		set_rank(m, s, n, p);
	s->n = 0;
	for (size_t p = 0; p < n; p++)
		push_if_lowest(m, s, n, p);
	while (s->n > 0) {
		uint64_t top = heap_pop(s);

		if (s->rank[(uint32_t)top] == top >> 32)
			merge_at(m, s, n, (uint32_t)top);
	}
	if (s->failed)
		return -1;
	for (size_t p = 0; p < n; p += m->len[s->slot[p]])
		count++;
	if (rm_encoding_need(e, count) < 0)
		return -1;
	for (size_t p = 0; p < n; p += m->len[s->slot[p]])
		rm_encoding_push(e, s->slot[p],
				 at + p + m->len[s->slot[p]]);
	return 0;
}

/* ---- the cache of words ---- */

static uint64_t load(const unsigned char *p, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, p, n);
	return word;
}

/*
 * The word in the zeroed key; loads overlap, so that none is of a varying
 * size.
 */
static void key_of(uint64_t key[3], const unsigned char *word, size_t n)
{
	if (n >= 8) {
		key[0] = load(word, 8);
		if (n > 16) {
			key[1] = load(word + 8, 8);
			key[2] = load(word + n - 8, 8) >> 8 * (24 - n);
		} else if (n > 8) {
			key[1] = load(word + n - 8, 8) >> 8 * (16 - n);
		}
	} else if (n >= 4) {
		key[0] = load(word, 4) | load(word + n - 4, 4) << 8 * (n - 4);
	} else {
		key[0] = word[0] | (uint64_t)word[n / 2] << 8 * (n / 2) |
			 (uint64_t)word[n - 1] << 8 * (n - 1);
	}
	key[2] |= (uint64_t)n << 56;
}

static size_t cache_slot(const uint64_t key[3])
{
	uint64_t h = key[0] * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 32 ^ key[1]) * 0xd6e8feb86659fd93u;
	h = (h ^ h >> 32 ^ key[2]) * 0xc2b2ae3d27d4eb4fu;
	return (h >> 32) & (CACHE_SLOTS - 1);
}

static bool key_equal(const uint64_t a[3], const uint64_t b[3])
{
	return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2])) == 0;
}

/* A word stands in its slot or in that slot's twin. */
static struct cached *cache_find(struct scratch *s, const uint64_t key[3])
{
	size_t i = cache_slot(key);

	if (key_equal(s->cache[i].key, key))
		return &s->cache[i];
	if (key_equal(s->cache[i ^ 1].key, key))
		return &s->cache[i ^ 1];
	return NULL;
}

static void cache_put(const struct rm_bpe *m, struct scratch *s,
		      const uint64_t key[3], const int32_t *id, size_t n)
{
	size_t i = cache_slot(key);
	struct cached *c = &s->cache[i];

	if (n > CACHE_IDS)
		return;
	s->cache[i ^ 1] = *c;
	*c = (struct cached){ { key[0], key[1], key[2] }, {0}, {0} };
	for (size_t k = 0; k < n; k++) {
		c->id[k] = id[k];
		c->len[k] = (unsigned char)m->len[id[k]];
	}
}

static void cache_copy(const struct cached *c, struct rm_encoding *e,
		       size_t at)
{
	for (size_t k = 0; k < CACHE_IDS && c->len[k]; k++) {
		at += c->len[k];
		rm_encoding_push(e, c->id[k], at);
	}
}

/* ---- encoding ---- */

static void push_ids(const struct rm_bpe *m, struct rm_encoding *e,
		     const int32_t *id, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++) {
		at += m->len[id[i]];
		rm_encoding_push(e, id[i], at);
	}
}

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

/* With ignore_merges, a word that is a token is that token; -1 if not. */
static int32_t whole_word(const struct rm_bpe *m, struct scratch *s,
			  const unsigned char *word, size_t n)
{
	char *text;
	size_t len = 0;
	int32_t id;

	if (n > m->longest)
		return -1;
	rm_buf_clear(&s->text);
	if (rm_buf_reserve(&s->text, 2 * n) < 0) {
		s->failed = true;
		return -1;
	}
	text = (char *)s->text.data;
	for (size_t i = 0; i < n; i++)
		len += rm_byte_to_char(word[i], text + len);
	id = rm_vocab_find(m->vocab, text, len);
	/* Added tokens are in the vocab too, but are none of the model's. */
	return id >= 0 && (size_t)id < m->n_ids && m->len[id] == n ? id : -1;
}

/* A word of at most SHORT bytes by merging; how many ids it makes. */
static size_t merge_word(const struct rm_bpe *m, struct scratch *s,
			 const unsigned char *word, size_t n,
			 int32_t id[SHORT])
{
	if (m->ignore_merges) {
		id[0] = whole_word(m, s, word, n);
		if (id[0] >= 0)
			return 1;
	}
	return merge_short(m, word, n, id);
}

/* A word of at most CACHE_BYTES bytes, from the cache if it is there. */
static int encode_cached(const struct rm_bpe *m, struct scratch *s,
			 struct rm_encoding *e, const unsigned char *word,
			 size_t n, size_t at)
{
	uint64_t key[3] = {0};
	const struct cached *hit;
	int32_t id[SHORT];

	if (rm_encoding_need(e, n) < 0)
		return -1;
	key_of(key, word, n);
	hit = cache_find(s, key);
	if (hit) {
		cache_copy(hit, e, at);
		return 0;
	}
	n = merge_word(m, s, word, n, id);
	cache_put(m, s, key, id, n);
	push_ids(m, e, id, n, at);
	return 0;
}

/* Part of a long word: no word, so with ignore_merges not in the cache. */
static int encode_part(const struct rm_bpe *m, struct scratch *s,
		       struct rm_encoding *e, const unsigned char *part,
		       size_t n, size_t at)
{
	int32_t id[SHORT];

	if (n > SHORT)
		return merge_long(m, s, e, part, n, at);
	if (n <= CACHE_BYTES && !m->ignore_merges)
		return encode_cached(m, s, e, part, n, at);
	if (rm_encoding_need(e, n) < 0)
		return -1;
	n = merge_short(m, part, n, id);
	push_ids(m, e, id, n, at);
	return 0;
}

static bool joins(const struct rm_bpe *m, unsigned char x, unsigned char y)
{
	unsigned bit = (unsigned)x << 8 | y;

	return m->joint[bit / 64] >> bit % 64 & 1;
}

/* A long word is cut where no merge reaches across. */
static int encode_long(const struct rm_bpe *m, struct scratch *s,
		       struct rm_encoding *e, const unsigned char *word,
		       size_t n, size_t at)
{
	size_t from = 0;
	int32_t id = m->ignore_merges ? whole_word(m, s, word, n) : -1;

	if (id >= 0) {
		if (rm_encoding_need(e, 1) < 0)
			return -1;
		rm_encoding_push(e, id, at + n);
		return 0;
	}
	for (size_t i = 1; i <= n; i++) {
		if (i < n && joins(m, word[i - 1], word[i]))
			continue;
		if (encode_part(m, s, e, word + from, i - from,
				at + from) < 0)
			return -1;
		from = i;
	}
	return 0;
}

static struct scratch *scratch_new(void)
{
	struct scratch *s = rm_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cache = rm_calloc_aligned(CACHE_SLOTS, sizeof(*s->cache));
	if (!s->cache) {
		free(s);
		return NULL;
	}
	return s;
}

int rm_bpe_encode(const void *model, void **scratch, struct rm_encoding *e,
		  const unsigned char *word, size_t n, size_t at)
{
	const struct rm_bpe *m = model;
	struct scratch *s = *scratch;

	if (m->n_merges == 0 && !m->ignore_merges)
		return push_bytes(m, e, word, n, at);
	if (!s) {
		s = *scratch = scratch_new();
		if (!s)
			return -1;
	}
	if (n > INT32_MAX)
		return rm_fail("a word of %zu bytes is too long", n);
	s->failed = false;
	if ((n <= CACHE_BYTES ? encode_cached(m, s, e, word, n, at) :
				encode_long(m, s, e, word, n, at)) < 0)
		return -1;
	return s->failed ? -1 : 0;
}
