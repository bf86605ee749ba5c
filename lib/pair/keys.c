#include "pair.h"

#include <stdlib.h>

/* The slot of the key, or the empty one where it belongs. */
static size_t probe(const struct rm_keys *keys, uint64_t key)
{
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
	size_t mask = keys->cap - 1, i = (size_t)(hash >> 20) & mask;

	while (keys->slot[i] && keys->slot[i] != key)
		i = (i + 1) & mask;
	return i;
}

/* Never more than three quarters full. */
static int make_room(struct rm_keys *keys)
{
	struct rm_keys more = { .cap = keys->cap ? 2 * keys->cap : 256 };

	if (4 * (keys->n + 1) <= 3 * keys->cap)
		return 0;
	more.slot = rm_calloc(more.cap, sizeof(*more.slot));
	if (!more.slot)
		return -1;
	for (size_t i = 0; i < keys->cap; i++)
		if (keys->slot[i])
			more.slot[probe(&more, keys->slot[i])] =
				keys->slot[i];
	free(keys->slot);
	keys->slot = more.slot;
	keys->cap = more.cap;
	return 0;
}

int rm_keys_add(struct rm_keys *keys, uint64_t key)
{
	size_t i;

	if (key == 0) {
		bool is_new = !keys->zero;

		keys->zero = true;
		return is_new;
	}
	if (make_room(keys) < 0)
		return -1;
	i = probe(keys, key);
	if (keys->slot[i])
		return 0;
	keys->slot[i] = key;
	keys->n++;
	return 1;
}

bool rm_keys_has(const struct rm_keys *keys, uint64_t key)
{
	if (key == 0)
		return keys->zero;
	return keys->cap > 0 && keys->slot[probe(keys, key)] != 0;
}

void rm_keys_fini(struct rm_keys *keys)
{
	free(keys->slot);
	*keys = (struct rm_keys){0};
}
