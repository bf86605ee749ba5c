/*
 * bpe: byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al.
 * 2019).  A word begins as its bytes; of all neighbours that a merge names,
 * the pair of lowest rank, leftmost first, becomes one token, until none is
 * left.
 *
 * A word goes through the first of these that applies: one token a byte if
 * there are no merges; the cache of words; merging in a small array; merging
 * with a heap, O(n log n).
 */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX		/* rank of a pair that does not merge */
#define SHORT 48		/* longest word merged in a small array */
#define CACHE_SLOTS ((size_t)1 << 14)
#define CACHE_BYTES 23		/* longest word in the cache */
#define CACHE_IDS 8

struct bpe {
	const struct rm_vocab *vocab;	/* borrowed */
	size_t n_ids;
	uint32_t *len;		/* [n_ids] bytes of the token; 0: no bytes */
	size_t longest;		/* of len */
	int32_t byte_id[256];
	bool ignore_merges;
	size_t n_merges;
	size_t n_slots;
	unsigned shift;
	struct merge {
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

/* One cache line: the word, zero-padded, its length in the top byte. */
struct cached {
	uint64_t key[3];
	int32_t id[CACHE_IDS];
	unsigned char len[CACHE_IDS];	/* bytes of each token, 0: no more */
};

/* ---- loading ---- */

static size_t pair_slot(const struct bpe *m, uint64_t pair)
{
	uint64_t h = (pair ^ pair >> 29) * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> m->shift);
}

/* The slot of the pair, or the free one where it belongs. */
static struct merge *find_pair(const struct bpe *m, int32_t left,
			       int32_t right)
{
	uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	size_t i = pair_slot(m, pair);

	while (m->merge[i].pair != pair && m->merge[i].pair != UINT64_MAX)
		i = (i + 1) & (m->n_slots - 1);
	return &m->merge[i];
}

static bool joins(const struct bpe *m, unsigned char x, unsigned char y)
{
	unsigned bit = (unsigned)x << 8 | y;

	return m->joint[bit / 64] >> bit % 64 & 1;
}

static int load_vocab(struct rm_vocab *vocab, const json_t *json)
{
	const char *token;
	json_t *id;

	if (!json_is_object(json))
		return rm_fail("no object \"vocab\"");
	if (rm_vocab_reserve(vocab, json_object_size(json)) < 0)
		return -1;
	json_object_foreach((json_t *)json, token, id) {
		if (!json_is_integer(id))
			return rm_fail("vocab: the id of \"%s\" is not a "
				       "whole number", token);
		if (rm_vocab_add(vocab, token, strlen(token),
				 json_integer_value(id)) < 0)
			return rm_wrap("vocab");
	}
	return 0;
}

static int load_lengths(struct bpe *m)
{
	unsigned char byte;

	m->n_ids = m->vocab->n;
	m->len = rm_calloc(m->n_ids, sizeof(*m->len));
	if (!m->len)
		return -1;
	for (size_t i = 0; i < 256; i++)
		m->byte_id[i] = -1;
	for (size_t id = 0; id < m->n_ids; id++) {
		const char *token = rm_vocab_token(m->vocab, id);
		ptrdiff_t n = token ? rm_token_bytes(token, &byte, 1) : -1;

		if (n > 0)
			m->len[id] = (uint32_t)n;
		m->longest = RM_MAX(m->longest, m->len[id]);
		if (n == 1)
			m->byte_id[byte] = (int32_t)id;
	}
	for (size_t i = 0; i < 256; i++)
		if (m->byte_id[i] < 0)
			return rm_fail("vocab: no token for byte 0x%02zx, "
				       "and unknown tokens are not supported "
				       "yet", i);
	return 0;
}

static unsigned end_byte(const struct bpe *m, int32_t id, bool last)
{
	const char *token = rm_vocab_token(m->vocab, (size_t)id);
	unsigned char byte = 0;

	if (last) {
		token += strlen(token) - 1;
		if ((*token & 0xc0) == 0x80)
			token--;
	}
	rm_token_bytes(token, &byte, 1);
	return byte;
}

/* Left and right of a merge, written as "left right" or [left, right]. */
static int split_merge(const json_t *json, struct rm_slice part[2])
{
	const char *space;

	if (json_is_array(json) && json_array_size(json) == 2) {
		for (size_t i = 0; i < 2; i++) {
			const json_t *s = json_array_get(json, i);

			if (!json_is_string(s))
				return rm_fail("not two strings");
			part[i].data = (const void *)json_string_value(s);
			part[i].len = json_string_length(s);
		}
		return 0;
	}
	if (!json_is_string(json))
		return rm_fail("neither a string nor two strings");
	part[0].data = (const void *)json_string_value(json);
	space = strchr((const char *)part[0].data, ' ');
	if (!space || strchr(space + 1, ' '))
		return rm_fail("\"%s\" is not two tokens and one space",
			       (const char *)part[0].data);
	part[0].len = (size_t)(space - (const char *)part[0].data);
	part[1].data = (const void *)(space + 1);
	part[1].len = json_string_length(json) - part[0].len - 1;
	return 0;
}

static int find_token(const struct bpe *m, struct rm_slice text)
{
	int32_t id = rm_vocab_find(m->vocab, (const char *)text.data,
				   text.len);

	if (id < 0)
		return rm_fail("token \"%.*s\" is not in the vocab",
			       (int)RM_MIN(text.len, 200),
			       (const char *)text.data);
	if (m->len[id] == 0)
		return rm_fail("token \"%s\" is not byte-level text",
			       rm_vocab_token(m->vocab, (size_t)id));
	return id;
}

static int load_merge(struct bpe *m, const json_t *json, size_t rank,
		      struct rm_buf *joined)
{
	struct rm_slice part[2] = {{0}}, both;
	int32_t left, right, id;
	struct merge *slot;
	unsigned bit;

	if (split_merge(json, part) < 0)
		return -1;
	rm_buf_clear(joined);
	rm_buf_append(joined, part[0].data, part[0].len);
	rm_buf_append(joined, part[1].data, part[1].len);
	if (joined->failed)
		return -1;
	both = (struct rm_slice){ joined->data, joined->len };
	left = find_token(m, part[0]);
	right = left < 0 ? -1 : find_token(m, part[1]);
	id = right < 0 ? -1 : find_token(m, both);
	if (id < 0)
		return -1;
	bit = end_byte(m, left, true) << 8 | end_byte(m, right, false);
	m->joint[bit / 64] |= (uint64_t)1 << bit % 64;
	slot = find_pair(m, left, right);
	slot->pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	slot->rank = (uint32_t)rank;	/* the last of equal merges counts */
	slot->id = id;
	return 0;
}

static int load_merges(struct bpe *m, const json_t *json)
{
	struct rm_buf joined = {0};
	int err = 0;

	if (!json_is_array(json))
		return rm_fail("no array \"merges\"");
	m->n_merges = json_array_size(json);
	for (m->n_slots = 64, m->shift = 58; m->n_slots < m->n_merges * 2;
	     m->n_slots *= 2)
		m->shift--;
	m->merge = rm_malloc(m->n_slots, sizeof(*m->merge));
	if (!m->merge)
		return -1;
	memset(m->merge, 0xff, m->n_slots * sizeof(*m->merge));
	for (size_t i = 0; i < m->n_merges && err == 0; i++) {
		err = load_merge(m, json_array_get(json, i), i, &joined);
		if (err < 0)
			rm_wrap("merges: %zu", i);
	}
	rm_buf_fini(&joined);
	return err;
}

/* What would change the ids and is not built: null, false, 0 and "" pass. */
static int refuse(const json_t *json, const char *key)
{
	const json_t *v = json_object_get(json, key);

	if (!v || json_is_null(v) || json_is_false(v) ||
	    (json_is_number(v) && json_number_value(v) == 0) ||
	    (json_is_string(v) && json_string_length(v) == 0))
		return 0;
	return rm_fail("%s is not supported yet", key);
}

/*
 * Merges stand in the order of their ranks, as pairs whatever the file has.
 * unk_token, fuse_unk and byte_fallback decide nothing: all bytes are known.
 */
static int print_canonical(const struct bpe *m, struct rm_buf *out)
{
	uint64_t *pair = rm_malloc(m->n_merges, sizeof(*pair));
	const char *sep = "";

	if (!pair)
		return -1;
	memset(pair, 0xff, m->n_merges * sizeof(*pair));
	for (size_t i = 0; i < m->n_slots; i++)
		if (m->merge[i].pair != UINT64_MAX)
			pair[m->merge[i].rank] = m->merge[i].pair;
	rm_buf_printf(out, "{\"ignore_merges\":%s,\"merges\":[",
		      m->ignore_merges ? "true" : "false");
	for (size_t i = 0; i < m->n_merges; i++) {
		if (pair[i] == UINT64_MAX)
			continue;
		rm_buf_printf(out, "%s[%u,%u]", sep,
			      (unsigned)(pair[i] >> 32), (unsigned)pair[i]);
		sep = ",";
	}
	free(pair);
	rm_buf_puts(out, "],\"type\":\"BPE\",\"vocab\":[");
	sep = "";
	for (size_t id = 0; id < m->n_ids; id++) {
		const char *token = rm_vocab_token(m->vocab, id);

		rm_buf_puts(out, sep);
		if (token)
			rm_json_quote(out, token, strlen(token));
		else
			rm_buf_puts(out, "null");
		sep = ",";
	}
	rm_buf_puts(out, "]}");
	return out->failed ? -1 : 0;
}

static void bpe_free(void *model)
{
	struct bpe *m = model;

	if (!m)
		return;
	free(m->len);
	free(m->merge);
	free(m);
}

static void *bpe_load(const json_t *json, const struct rm_split *split,
		      struct rm_vocab *vocab, struct rm_buf *canonical)
{
	struct bpe *m;

	if (!split->byte_level)
		return rm_fail_null("BPE without the ByteLevel pre_tokenizer "
				    "is not supported yet");
	m = rm_calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->vocab = vocab;
	if (refuse(json, "dropout") < 0 ||
	    refuse(json, "continuing_subword_prefix") < 0 ||
	    refuse(json, "end_of_word_suffix") < 0 ||
	    rm_opt_bool(json, "ignore_merges", false,
			&m->ignore_merges) < 0 ||
	    load_vocab(vocab, json_object_get(json, "vocab")) < 0 ||
	    load_lengths(m) < 0 ||
	    load_merges(m, json_object_get(json, "merges")) < 0 ||
	    print_canonical(m, canonical) < 0) {
		bpe_free(m);
		return NULL;
	}
	return m;
}

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

static void scratch_free(void *arg)
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
size_t merge_short(const struct bpe *m, const unsigned char *word,
			  size_t n, int32_t id[SHORT])
{
	uint32_t rank[SHORT];
	int32_t to[SHORT];

	for (size_t i = 0; i < n; i++)
		id[i] = m->byte_id[word[i]];
	for (size_t i = 0; i + 1 < n; i++) {
		const struct merge *x = find_pair(m, id[i], id[i + 1]);

		rank[i] = x->rank;
		to[i] = x->id;
	}
	while (n > 1) {
		size_t best = 0;

		for (size_t i = 1; i + 1 < n; i++)
			if (rank[i] < rank[best])
				best = i;
		if (rank[best] == NONE)
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
			const struct merge *x = find_pair(m, id[i],
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
static void push_if_lowest(const struct bpe *m, struct scratch *s, size_t n,
			   size_t p)
{
	uint32_t rank = s->rank[p];
	size_t next = p + m->len[s->slot[p]];

	if (rank == NONE || (next < n && s->rank[next] < rank) ||
	    (p > 0 && s->rank[before(s, p)] <= rank))
		return;
	heap_push(s, (uint64_t)rank << 32 | p);
}

static void set_rank(const struct bpe *m, struct scratch *s, size_t n,
		     size_t p)
{
	size_t next = p + m->len[s->slot[p]];

	s->rank[p] = next < n ?
		     find_pair(m, s->slot[p], s->slot[next])->rank : NONE;
}

static void merge_at(const struct bpe *m, struct scratch *s, size_t n,
		     size_t p)
{
	size_t right = p + m->len[s->slot[p]], left = p ? before(s, p) : p;
	int32_t id = find_pair(m, s->slot[p], s->slot[right])->id;
	size_t next = p + m->len[id];

	s->rank[right] = NONE;
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
static int merge_long(const struct bpe *m, struct scratch *s,
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

static void cache_put(const struct bpe *m, struct scratch *s,
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

static void push_ids(const struct bpe *m, struct rm_encoding *e,
		     const int32_t *id, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++) {
		at += m->len[id[i]];
		rm_encoding_push(e, id[i], at);
	}
}

static int push_bytes(const struct bpe *m, struct rm_encoding *e,
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
static int32_t whole_word(const struct bpe *m, struct scratch *s,
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
static size_t merge_word(const struct bpe *m, struct scratch *s,
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
static int encode_cached(const struct bpe *m, struct scratch *s,
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
static int encode_part(const struct bpe *m, struct scratch *s,
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

/* A long word is cut where no merge reaches across. */
static int encode_long(const struct bpe *m, struct scratch *s,
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

static int bpe_encode(const void *model, void **scratch,
		      struct rm_encoding *e, const unsigned char *word,
		      size_t n, size_t at)
{
	const struct bpe *m = model;
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

const struct rm_tokenizer_kind rm_tokenizer_bpe = {
	.type = "BPE",
	.load = bpe_load,
	.encode = bpe_encode,
	.scratch_free = scratch_free,
	.free = bpe_free
};
