#include "pair.h"

#include "io.h"

#include <stdlib.h>

struct rm_sample {
	struct rm_spool *spool;
	signed char *longer;	/* [count of the spool] */
	size_t cap;
	size_t *order, n;	/* after the end */
};

struct rm_sample *rm_sample_new(size_t memory)
{
	struct rm_sample *s = rm_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->spool = rm_spool_new(memory);
	if (!s->spool) {
		free(s);
		return NULL;
	}
	return s;
}

void rm_sample_free(struct rm_sample *s)
{
	if (!s)
		return;
	rm_spool_free(s->spool);
	free(s->longer);
	free(s->order);
	free(s);
}

int rm_sample_add(struct rm_sample *s, const struct rm_buf *payload,
		  int longer)
{
	if (payload->failed ||
	    rm_grow(&s->longer, &s->cap, s->n + 1, 1) < 0)
		return -1;
	s->longer[s->n++] = (signed char)longer;
	return rm_spool_add(s->spool, payload->data, payload->len);
}

/*
 * The members of the larger class that stay are a random sample of exactly
 * the smaller one's size: each is taken with probability need / left (Knuth,
 * algorithm S).
 */
static void thin(struct rm_sample *s, int64_t seed)
{
	size_t count[3] = {0}, kept = 0, need, left;
	int many;

	for (size_t i = 0; i < s->n; i++)
		count[s->longer[i] + 1]++;
	many = count[2] > count[0] ? 1 : -1;
	left = count[1 + many];
	need = count[1 - many];
	for (size_t i = 0; i < s->n; i++) {
		if (s->longer[i] == many) {
			double u = rm_random_uniform((uint64_t)seed,
					RM_RANDOM_SHUFFLE, 1, i);

			if (u * (double)left-- >= (double)need)
				continue;
			need--;
		}
		s->order[kept++] = i;
	}
	s->n = kept;
}

int rm_sample_end(struct rm_sample *s, bool balance, bool shuffle,
		  int64_t seed)
{
	s->order = rm_malloc(s->n, sizeof(*s->order));
	if (!s->order)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		s->order[i] = i;
	if (balance)
		thin(s, seed);
	if (shuffle)
		rm_shuffle(s->order, s->n, (uint64_t)seed, RM_RANDOM_SHUFFLE,
			   0);
	return 0;
}

size_t rm_sample_count(const struct rm_sample *s)
{
	return s->n;
}

int rm_sample_get(struct rm_sample *s, size_t i, struct rm_slice *out)
{
	return rm_spool_get(s->spool, s->order[i], out);
}
