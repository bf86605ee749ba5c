/* Counts of the subsets and the parts of a split. */
#include "pair/internal.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 1000, PLACES = 4096 };

struct named {
	char *name;
	size_t len;
	struct rm_tally tally;
};

struct rm_names {
	size_t n;
	struct named *item;
	size_t cap;
	uint16_t place[PLACES];	/* by hash: index + 1; 0 is empty */
};

/* The place of a name, or the empty one where it belongs. */
static size_t look_up(const struct rm_names *t, const void *name, size_t len)
{
	size_t at = rm_hash64(name, len) % PLACES;

	for (; t->place[at]; at = (at + 1) % PLACES) {
		const struct named *here = &t->item[t->place[at] - 1];

		if (here->len == len && !memcmp(here->name, name, len))
			break;
	}
	return at;
}

struct rm_tally *rm_names_get(struct rm_names *t, const void *name,
			      size_t len)
{
	static const char others[] = "(others)";
	size_t at = look_up(t, name, len);

	if (!t->place[at] && t->n >= MOST_NAMES) {
		name = others;
		len = sizeof(others) - 1;
		at = look_up(t, name, len);
	}
	if (t->place[at])
		return &t->item[t->place[at] - 1].tally;
	if (rm_grow(&t->item, &t->cap, t->n + 1, sizeof(*t->item)) < 0)
		return NULL;
	memset(&t->item[t->n], 0, sizeof(*t->item));
	t->item[t->n].name = rm_strndup(name, len);
	if (!t->item[t->n].name)
		return NULL;
	t->item[t->n].len = len;
	t->place[at] = (uint16_t)++t->n;
	return &t->item[t->n - 1].tally;
}

struct rm_names *rm_names_new(void)
{
	return rm_calloc(1, sizeof(struct rm_names));
}

void rm_names_free(struct rm_names *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		free(t->item[i].name);
	if (t)
		free(t->item);
	free(t);
}

size_t rm_names_count(const struct rm_names *t)
{
	return t->n;
}

void rm_tally_put(json_t *object, const struct rm_tally *t, bool lengths)
{
	json_object_set_new(object, "records", rm_whole((double)t->records));
	json_object_set_new(object, "responses",
			    rm_whole((double)t->responses));
	json_object_set_new(object, "pairs", rm_whole((double)t->pairs));
	json_object_set_new(object, "ties", rm_whole((double)t->ties));
	if (lengths)
		json_object_set_new(object, "longer_chosen", rm_real(
				    t->longer / (double)t->pairs));
}

static int by_name(const void *x, const void *y)
{
	const struct named *a = x, *b = y;

	return strcmp(a->name, b->name);
}

json_t *rm_names_json(const struct rm_names *t, bool lengths)
{
	struct named *order = rm_malloc(t->n, sizeof(*order));
	json_t *rows = order ? json_array() : NULL, *row;

	if (rows && t->n) {
		memcpy(order, t->item, t->n * sizeof(*order));
		qsort(order, t->n, sizeof(*order), by_name);
	}
	for (size_t i = 0; rows && i < t->n; i++) {
		row = json_object();
		json_object_set_new(row, "name", rm_text_json(
			(struct rm_slice){ (unsigned char *)order[i].name,
					   order[i].len }));
		rm_tally_put(row, &order[i].tally, lengths);
		json_array_append_new(rows, row);
	}
	free(order);
	return rows;
}
