/* Choosing records of scores, and putting those of one prompt together. */
#include "metric/scores.h"

#include <stdlib.h>
#include <string.h>

enum {
	BUCKET = 1 << 13,	/* keys that share a table in the cache */
	AHEAD = 32		/* scattered records fetched early */
};

void rm_scores_free(struct rm_scores *s)
{
	size_t i;

	if (!s)
		return;
	free(s->d);
	free(s->p);
	free(s->prob);
	for (i = 0; i < RM_TRAITS; i++)
		free(s->trait[i]);
	free(s->comparison);
	free(s->response);
	free(s->weight);
	free(s->part);
	free(s->cluster);
	free(s->reward);
	free(s->label);
	free(s->graded);
	free(s->length);
	for (i = 0; i < s->parts; i++)
		free(s->part_name[i]);
	free(s->part_name);
	rm_order_fini(&s->order);
	free(s->bins);
	free(s->decay);
	free(s->id);
	free(s->id_text);
	free(s->key);
	free(s);
}

void rm_scores_take_prob(struct rm_scores *s, double *prob)
{
	free(s->prob);
	s->prob = prob;
	free(s->bins);
	s->bins = NULL;
}

/* ---- choosing records ---- */

/* Which records, and where their comparisons (responses) begin and go. */
struct choice {
	const struct rm_scores *from;
	const uint32_t *record;		/* [n] */
	size_t n;
};

typedef size_t (*offset_of)(const struct rm_scores *s, size_t r);

static size_t itself(const struct rm_scores *s, size_t r)
{
	(void)s;
	return r;
}

/* Offsets of the chosen records' items, [n + 1]; NULL when src is. */
static int gather_offsets(const struct choice *c, const uint32_t *src,
			  uint32_t **out, size_t regular, size_t *total)
{
	size_t i, at = 0;

	*out = NULL;
	*total = c->n * regular;
	if (!src)
		return 0;
	*out = rm_malloc(c->n + 1, sizeof(**out));
	if (!*out)
		return -1;
	for (i = 0; i < c->n; i++) {
		(*out)[i] = (uint32_t)at;
		at += src[c->record[i] + 1] - src[c->record[i]];
	}
	(*out)[c->n] = (uint32_t)at;
	*total = at;
	return 0;
}

/* n items of 8, 4 or 1 bytes; short runs, so that a call would cost more. */
static inline void copy_items(unsigned char *to, const unsigned char *from,
			      size_t n, size_t size)
{
	size_t i;

	if (size == 8)
		for (i = 0; i < n; i++)
			memcpy(to + 8 * i, from + 8 * i, 8);
	else if (size == 4)
		for (i = 0; i < n; i++)
			memcpy(to + 4 * i, from + 4 * i, 4);
	else
		for (i = 0; i < n; i++)
			to[i] = from[i];
}

/* *out = the chosen records' items of src, `size` bytes each. */
static int gather(const struct choice *c, const struct rm_scores *to,
			 offset_of at, const void *src, void *out,
			 size_t total, size_t size)
{
	const unsigned char *from = src;
	unsigned char *made;
	size_t i;

	if (!src)
		return 0;
	made = rm_malloc(total, size);
	if (!made)
		return -1;
#pragma omp parallel for if (c->n > 1 << 15)
	for (i = 0; i < c->n; i++) {
		size_t j = at(c->from, c->record[i]);
		size_t end = at(c->from, c->record[i] + 1);

		if (i + AHEAD < c->n)
			__builtin_prefetch(from + size *
				at(c->from, c->record[i + AHEAD]));
		copy_items(made + at(to, i) * size, from + j * size, end - j,
			   size);
	}
	memcpy(out, &made, sizeof(made));
	return 0;
}

static size_t count_clusters(const struct rm_scores *s)
{
	size_t r, n = 0;

	for (r = 0; r < s->records; r++)
		n += rm_scores_begins(s, r);
	return n;
}

struct rm_scores *rm_scores_choose(const struct rm_scores *s,
				   const uint32_t *record, size_t n)
{
	struct choice c = { s, record, n };
	struct rm_scores *t = rm_calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ties = s->ties;
	t->records = n;
	t->keyed = s->keyed;
	t->length_unit = s->length_unit;
	if (gather_offsets(&c, s->comparison, &t->comparison, 1, &t->n) < 0 ||
	    gather_offsets(&c, s->response, &t->response, 2,
			   &t->responses) < 0)
		goto fail;
	if (gather(&c, t, rm_scores_comparison, s->d, &t->d, t->n, 8) < 0 ||
	    gather(&c, t, rm_scores_comparison, s->p, &t->p, t->n, 8) < 0 ||
	    gather(&c, t, rm_scores_comparison, s->prob, &t->prob, t->n,
		   8) < 0 ||
	    gather(&c, t, itself, s->weight, &t->weight, n, 8) < 0 ||
	    gather(&c, t, itself, s->part, &t->part, n, 4) < 0 ||
	    gather(&c, t, itself, s->cluster, &t->cluster, n, 4) < 0 ||
	    gather(&c, t, itself, s->id, &t->id, n, 8) < 0 ||
	    gather(&c, t, itself, s->key, &t->key, n, 8) < 0 ||
	    gather(&c, t, rm_scores_response, s->reward, &t->reward,
		   t->responses, 8) < 0 ||
	    gather(&c, t, rm_scores_response, s->label, &t->label,
		   t->responses, 8) < 0 ||
	    gather(&c, t, rm_scores_response, s->graded, &t->graded,
		   t->responses, 8) < 0 ||
	    gather(&c, t, rm_scores_response, s->length, &t->length,
		   t->responses, 4) < 0)
		goto fail;
	for (size_t i = 0; i < RM_TRAITS; i++)
		if (gather(&c, t, rm_scores_comparison, s->trait[i],
			   &t->trait[i], t->n, 1) < 0)
			goto fail;
	t->clusters = count_clusters(t);
	return t;
fail:
	rm_scores_free(t);
	return NULL;
}

struct rm_scores *rm_scores_part(const struct rm_scores *s, size_t part)
{
	uint32_t *record = rm_malloc(s->records, sizeof(*record));
	struct rm_scores *out;
	size_t r, n = 0;

	if (!record)
		return NULL;
	for (r = 0; r < s->records; r++)
		if ((s->part ? s->part[r] : 0) == part)
			record[n++] = (uint32_t)r;
	out = rm_scores_choose(s, record, n);
	free(record);
	return out;
}

/* ---- clusters ---- */

static uint64_t scatter(uint64_t key)
{
	return key * 0x9e3779b97f4a7c15u;
}

/*
 * For the records of one bucket, ascending: the first that has the same key.
 */
static int find_first(const uint64_t *key, const uint32_t *member, size_t n,
		      uint32_t *first)
{
	size_t size = 2, i, at;
	uint32_t *table;

	while (size < 2 * n)
		size *= 2;
	table = rm_calloc(size, sizeof(*table));
	if (!table)
		return -1;
	for (i = 0; i < n; i++) {
		uint32_t r = member[i];

		first[r] = r;
		if (key[r] == 0)
			continue;
		at = (size_t)(scatter(key[r]) >> 8) & (size - 1);
		while (table[at] && key[table[at] - 1] != key[r])
			at = (at + 1) & (size - 1);
		if (table[at])
			first[r] = table[at] - 1;
		else
			table[at] = r + 1;
	}
	free(table);
	return 0;
}

/* Records by the top bits of their scattered keys, stably. */
static size_t *split_buckets(const uint64_t *key, size_t n, int bits,
			     uint32_t *member)
{
	size_t buckets = (size_t)1 << bits, r, b;
	size_t *start = rm_calloc(buckets + 2, sizeof(*start));

	if (!start)
		return NULL;
	for (r = 0; r < n; r++)
		start[(bits ? scatter(key[r]) >> (64 - bits) : 0) + 2]++;
	for (b = 2; b < buckets + 2; b++)
		start[b] += start[b - 1];
	for (r = 0; r < n; r++) {
		b = bits ? scatter(key[r]) >> (64 - bits) : 0;
		member[start[b + 1]++] = (uint32_t)r;
	}
	return start;
}

/* first[n]: the first record with the same key, itself if key is 0. */
static int match_keys(const uint64_t *key, size_t n, uint32_t *first)
{
	uint32_t *member = rm_malloc(n, sizeof(*member));
	size_t *start, b, buckets;
	int bits = 0, status = 0;

	while (n >> bits > BUCKET && bits < 12)
		bits++;
	buckets = (size_t)1 << bits;
	start = member ? split_buckets(key, n, bits, member) : NULL;
	if (!start) {
		free(member);
		return -1;
	}
#pragma omp parallel for schedule(dynamic) reduction(|:status) if (bits)
	for (b = 0; b < buckets; b++)
		status |= find_first(key, member + start[b],
				     start[b + 1] - start[b], first);
	free(start);
	free(member);
	return status ? rm_fail("out of memory grouping %zu keys", n) : 0;
}

/* first becomes the clusters' numbers, by first appearance. */
static bool number_clusters(uint32_t *first, size_t n, size_t *clusters)
{
	bool ascending = true;
	size_t r;

	*clusters = 0;
	for (r = 0; r < n; r++) {
		first[r] = first[r] == r ? (uint32_t)(*clusters)++ :
			first[first[r]];
		ascending &= r == 0 || first[r] >= first[r - 1];
	}
	return ascending;
}

/* Records by cluster, stably. */
static uint32_t *order_by_cluster(const uint32_t *cluster, size_t n,
				  size_t clusters)
{
	uint32_t *order = rm_malloc(n, sizeof(*order));
	uint32_t *at = rm_calloc(clusters + 1, sizeof(*at));
	size_t r;

	if (!order || !at) {
		free(order);
		free(at);
		return NULL;
	}
	for (r = 0; r < n; r++)
		at[cluster[r] + 1]++;
	for (r = 0; r < clusters; r++)
		at[r + 1] += at[r];
	for (r = 0; r < n; r++)
		order[at[cluster[r]]++] = (uint32_t)r;
	free(at);
	return order;
}

int rm_scores_cluster(struct rm_scores **s, const uint64_t *key)
{
	struct rm_scores *old = *s, *sorted;
	uint32_t *order;
	bool ascending;

	if (!key)
		return 0;
	old->keyed = true;
	old->cluster = rm_malloc(old->records, sizeof(*old->cluster));
	if (!old->cluster || match_keys(key, old->records, old->cluster) < 0)
		return -1;
	ascending = number_clusters(old->cluster, old->records,
				    &old->clusters);
	if (old->clusters == old->records) {
		free(old->cluster);
		old->cluster = NULL;
		return 0;
	}
	if (ascending)
		return 0;
	order = order_by_cluster(old->cluster, old->records, old->clusters);
	sorted = order ? rm_scores_choose(old, order, old->records) : NULL;
	free(order);
	if (!sorted)
		return -1;
	sorted->parts = old->parts;
	sorted->part_name = old->part_name;
	old->parts = 0;
	old->part_name = NULL;
	sorted->id_text = old->id_text;
	old->id_text = NULL;
	rm_scores_free(old);
	*s = sorted;
	return 0;
}
