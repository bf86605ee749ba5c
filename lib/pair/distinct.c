/* How many different ones there are. */
#include "pair/internal.h"

#include <math.h>

enum { MOST_DISTINCT = 1 << 20 };

static bool sampled(const struct rm_distinct *d, uint64_t hash)
{
	return (hash & ((UINT64_C(1) << d->level) - 1)) == 0;
}

static int thin(struct rm_distinct *d)
{
	struct rm_distinct less = { .level = d->level + 1 };

	less.keys.zero = d->keys.zero;
	for (size_t i = 0; i < d->keys.cap; i++)
		if (d->keys.slot[i] && sampled(&less, d->keys.slot[i]) &&
		    rm_keys_add(&less.keys, d->keys.slot[i]) < 0) {
			rm_keys_fini(&less.keys);
			return -1;
		}
	rm_keys_fini(&d->keys);
	*d = less;
	return 0;
}

int rm_distinct_add(struct rm_distinct *d, uint64_t hash)
{
	if (!sampled(d, hash))
		return 0;
	if (rm_keys_add(&d->keys, hash) < 0)
		return -1;
	return d->keys.n > MOST_DISTINCT ? thin(d) : 0;
}

double rm_distinct_count(const struct rm_distinct *d)
{
	return ldexp((double)(d->keys.n + d->keys.zero), (int)d->level);
}

void rm_distinct_fini(struct rm_distinct *d)
{
	rm_keys_fini(&d->keys);
}
