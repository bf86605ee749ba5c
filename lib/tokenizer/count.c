/*
 * count: distinct words in a hash table whose slots point to records of
 * count, length and text, so that a word costs two lines of cache.
 */
#include "tokenizer/learn.h"

#include <stdlib.h>
#include <string.h>

static struct rm_count *record_at(const struct rm_counts *c, size_t unit)
{
	return (struct rm_count *)(void *)(c->record + unit);
}

static size_t units(size_t n)
{
	return (offsetof(struct rm_count, word) + n + 7) / 8;
}

static uint32_t hash_of(const unsigned char *word, size_t n)
{
	return (uint32_t)rm_hash64(word, n);
}

static void put(struct rm_counts *c, struct rm_count_slot s)
{
	size_t i = s.hash & (c->n_slots - 1);

	while (c->slot[i].at)
		i = (i + 1) & (c->n_slots - 1);
	c->slot[i] = s;
}

static int grow_slots(struct rm_counts *c)
{
	struct rm_count_slot *old = c->slot;
	size_t n_old = c->n_slots, n = n_old ? 2 * n_old : 1024;
	struct rm_count_slot *slot = rm_calloc(n, sizeof(*slot));

	if (!slot)
		return -1;
	c->slot = slot;
	c->n_slots = n;
	for (size_t i = 0; i < n_old; i++)
		if (old[i].at)
			put(c, old[i]);
	free(old);
	return 0;
}

static int new_record(struct rm_counts *c, struct rm_count_slot *slot,
		      uint32_t hash, const unsigned char *word, size_t n,
		      uint64_t count)
{
	size_t need = units(n);
	struct rm_count *r;

	if (c->len + need >= UINT32_MAX)
		return rm_fail("too many distinct words: %zu", c->n);
	if (rm_grow(&c->record, &c->cap, c->len + need,
		    sizeof(*c->record)) < 0)
		return -1;
	r = record_at(c, c->len);
	r->count = count;
	r->n = (uint16_t)n;
	memcpy(r->word, word, n);
	*slot = (struct rm_count_slot){ hash, (uint32_t)c->len + 1 };
	c->len += need;
	c->n++;
	return 0;
}

int rm_counts_add(struct rm_counts *c, const unsigned char *word, size_t n,
		  uint64_t count)
{
	uint32_t hash = hash_of(word, n);
	size_t i;

	if (2 * c->n >= c->n_slots && grow_slots(c) < 0)
		return -1;
	for (i = hash & (c->n_slots - 1); c->slot[i].at;
	     i = (i + 1) & (c->n_slots - 1)) {
		struct rm_count *r;

		if (c->slot[i].hash != hash)
			continue;
		r = record_at(c, c->slot[i].at - 1);
		if (r->n == n && memcmp(r->word, word, n) == 0) {
			r->count += count;
			return 0;
		}
	}
	return new_record(c, &c->slot[i], hash, word, n, count);
}

const struct rm_count *rm_counts_next(const struct rm_counts *c, size_t *at)
{
	const struct rm_count *r;

	if (*at >= c->len)
		return NULL;
	r = record_at(c, *at);
	*at += units(r->n);
	return r;
}

int rm_counts_merge(struct rm_counts *to, const struct rm_counts *from)
{
	const struct rm_count *r;

	for (size_t at = 0; (r = rm_counts_next(from, &at)); )
		if (rm_counts_add(to, r->word, r->n, r->count) < 0)
			return -1;
	return 0;
}

static unsigned bits(uint64_t count)
{
	return 64 - (unsigned)__builtin_clzll(count);
}

/* The number of bits that counts must have for few enough to stay. */
static unsigned least_bits(const struct rm_counts *c, size_t max_words,
			   size_t max_units)
{
	size_t words[65] = {0}, size[65] = {0}, n = 0, len = 0;
	const struct rm_count *r;
	unsigned b;

	for (size_t at = 0; (r = rm_counts_next(c, &at)); ) {
		words[bits(r->count)]++;
		size[bits(r->count)] += units(r->n);
	}
	for (b = 65; b > 0; b--) {
		n += words[b - 1];
		len += size[b - 1];
		if (n > max_words || len > max_units)
			break;
	}
	return b;
}

void rm_counts_prune(struct rm_counts *c, size_t max_words, size_t max_units,
		    size_t *dropped)
{
	unsigned least = least_bits(c, max_words, max_units);
	size_t len = 0, n = 0;
	const struct rm_count *r;

	memset(c->slot, 0, c->n_slots * sizeof(*c->slot));
	for (size_t at = 0; (r = rm_counts_next(c, &at)); ) {
		size_t size = units(r->n);
		struct rm_count *to = record_at(c, len);

		if (bits(r->count) < least)
			continue;
		memmove(to, r, size * sizeof(*c->record));
		put(c, (struct rm_count_slot){ hash_of(to->word, to->n),
					       (uint32_t)len + 1 });
		len += size;
		n++;
	}
	*dropped += c->n - n;
	c->n = n;
	c->len = len;
}

void rm_counts_fini(struct rm_counts *c)
{
	free(c->record);
	free(c->slot);
	*c = (struct rm_counts){0};
}
