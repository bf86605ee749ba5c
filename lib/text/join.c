/* Rows of one response each as one group. */
#include "text/shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int join_numbers(struct rm_text_group *const *part, size_t n,
			size_t offset, double **out, struct rm_arena *arena)
{
	double *v = rm_arena_alloc(arena, n, sizeof(*v)), *from;
	bool any = false;

	if (!v)
		return -1;
	for (size_t i = 0; i < n; i++) {
		memcpy(&from, (const char *)part[i] + offset, sizeof(from));
		v[i] = from ? from[0] : NAN;
		any |= from != NULL;
	}
	*out = any ? v : NULL;
	return 0;
}

static int join_attributes(struct rm_text_group *g,
			   struct rm_text_group *const *part, size_t n,
			   struct rm_arena *arena)
{
	size_t most = 0;

	for (size_t i = 0; i < n; i++)
		if (part[i]->n_attributes > part[most]->n_attributes)
			most = i;
	g->n_attributes = part[most]->n_attributes;
	g->attribute = rm_arena_alloc(arena, g->n_attributes,
				      sizeof(*g->attribute));
	if (!g->attribute)
		return -1;
	for (size_t a = 0; a < g->n_attributes; a++) {
		const char *name = part[most]->attribute[a].name;
		double *v = rm_arena_alloc(arena, n, sizeof(*v));

		if (!v)
			return -1;
		for (size_t i = 0; i < n; i++) {
			v[i] = NAN;
			for (size_t j = 0; j < part[i]->n_attributes; j++)
				if (part[i]->attribute[j].name == name)
					v[i] = part[i]->attribute[j].value[0];
		}
		g->attribute[a] = (struct rm_text_attribute){ name, v };
	}
	return 0;
}

/* The unused columns of the first row become lists of one value each. */
static int join_extra(const struct rm_text_binding *b,
		      struct rm_text_group *g,
		      struct rm_text_group *const *part, size_t n)
{
	g->extra = b->n_extra ? json_object() : NULL;
	for (size_t c = 0; c < b->n_extra; c++) {
		json_t *list = json_array();

		for (size_t i = 0; i < n; i++) {
			json_t *v = json_object_get(part[i]->extra,
						    b->extra[c]);

			json_array_append_new(list, v ? json_incref(v)
						      : json_null());
		}
		if (json_array_size(list) != n ||
		    json_object_set_nocheck(g->extra, b->extra[c],
					    list) < 0) {
			json_decref(list);
			json_decref(g->extra);
			return rm_fail("out of memory");
		}
		json_decref(list);
	}
	return 0;
}

static bool ranks_are_given(const struct rm_text_binding *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->column[i].role == RM_TEXT_RANK)
			return true;
	return false;
}

struct rm_text_group *rm_text_join(const struct rm_text_binding *b,
				   struct rm_text_group *const *part,
				   size_t n, struct rm_arena *arena)
{
	struct rm_text_group *g = rm_arena_alloc(arena, 1, sizeof(*g));

	if (!g)
		return NULL;
	*g = *part[0];
	g->k = n;
	g->response = rm_arena_alloc(arena, n, sizeof(*g->response));
	g->extra = NULL;
	if (!g->response)
		return NULL;
	for (size_t i = 0; i < n; i++)
		g->response[i] = part[i]->response[0];
#define JOIN(field) join_numbers(part, n, \
	offsetof(struct rm_text_group, field), &g->field, arena)
	if (JOIN(rank) < 0 || JOIN(score) < 0 || JOIN(teacher) < 0 ||
	    join_attributes(g, part, n, arena) < 0)
		return NULL;
#undef JOIN
	if (!ranks_are_given(b) && g->score) {
		g->rank = rm_text_rank_by(arena, g->score, n);
		if (!g->rank)
			return NULL;
	}
	return join_extra(b, g, part, n) < 0 ? NULL : g;
}
