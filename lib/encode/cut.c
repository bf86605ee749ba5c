/*
 * Inputs that are longer than the limit: cut, dropped or refused.  A cut
 * takes text and leaves the special tokens around it, which are moved beside
 * what is left.
 */
#include "encode/group.h"

#include <stdlib.h>
#include <string.h>

static size_t longest_input(const struct rm_encode_group *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->g->k; i++)
		n = RM_MAX(n, x->start[i + 1] - x->start[i]);
	return n;
}

static void move(int32_t *to, const int32_t *from, size_t n)
{
	if (n && to != from)
		memmove(to, from, n * sizeof(*to));
}

/* A response's own front, so that n tokens remain. */
static void cut_start(struct rm_encode_group *x, size_t i, size_t n)
{
	int32_t *ids = x->w->ids;
	size_t cut = x->n[i] - n;

	move(ids + x->from[i] + cut, ids + x->from[i], x->first[i]);
	x->from[i] += cut;
	x->n[i] = n;
}

/* Its middle: what remains are n tokens of its start and its end, as many. */
static void cut_middle(struct rm_encode_group *x, size_t i, size_t n)
{
	int32_t *r = x->w->ids + x->from[i];
	size_t text = n - x->first[i] - x->last[i];
	size_t end = x->last[i] + text / 2;

	move(r + n - end, r + x->n[i] - end, end);
	x->n[i] = n;
}

/* From the front of the prompt, as much for all k; a response that does not
 * fit alone loses its own front, or its middle. */
static void cut_front(struct rm_encode_group *x, size_t longest)
{
	size_t max = x->recipe->max_length;
	size_t text = x->n_prompt - x->prompt_first - x->prompt_last;
	bool middle = x->recipe->overlong == RM_OVERLONG_MIDDLE;
	int32_t *ids = x->w->ids;

	x->skip = RM_MIN(text, longest - max);
	move(ids + x->skip, ids, x->prompt_first);
	for (size_t i = 0; i < x->g->k; i++) {
		size_t room = max - (x->n_prompt - x->skip);

		if (x->n[i] <= room)
			continue;
		if (middle)
			cut_middle(x, i, room);
		else
			cut_start(x, i, room);
	}
}

/* From the end of each response; what then is too much, from the prompt's,
 * as much for all k. */
static void cut_right(struct rm_encode_group *x)
{
	size_t max = x->recipe->max_length, special = 0, n;
	int32_t *ids = x->w->ids;

	for (size_t i = 0; i < x->g->k; i++)
		special = RM_MAX(special, x->first[i] + x->last[i]);
	n = RM_MIN(x->n_prompt, max - special);
	move(ids + n - x->prompt_last, ids + x->n_prompt - x->prompt_last,
	     x->prompt_last);
	x->n_prompt = n;
	for (size_t i = 0; i < x->g->k; i++) {
		int32_t *r = ids + x->from[i];

		n = RM_MIN(x->n[i], max - x->n_prompt);
		move(r + n - x->last[i], r + x->n[i] - x->last[i],
		     x->last[i]);
		x->n[i] = n;
	}
}

/* ---- responses that become identical ---- */

struct mark {
	uint64_t after, before;	/* hashes of a response's ids */
};

static uint64_t hash_of(const struct rm_encode_group *x, size_t i)
{
	return rm_hash64(x->w->ids + x->from[i],
			 x->n[i] * sizeof(*x->w->ids));
}

static int by_mark(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	if (x->after != y->after)
		return x->after < y->after ? -1 : 1;
	return (x->before > y->before) - (x->before < y->before);
}

/* Whether two are the same now and were not before. */
static bool made_alike(struct mark *mark, size_t k)
{
	qsort(mark, k, sizeof(*mark), by_mark);
	for (size_t i = 1; i < k; i++)
		if (mark[i].after == mark[i - 1].after &&
		    mark[i].before != mark[i - 1].before)
			return true;
	return false;
}

static int cut(struct rm_encode_group *x, size_t longest)
{
	size_t k = x->g->k;
	struct mark *mark = rm_arena_alloc(&x->w->arena, k, sizeof(*mark));

	if (!mark)
		return -1;
	for (size_t i = 0; i < k; i++)
		mark[i].before = hash_of(x, i);
	if (x->recipe->overlong == RM_OVERLONG_RIGHT)
		cut_right(x);
	else
		cut_front(x, longest);
	for (size_t i = 0; i < k; i++)
		mark[i].after = hash_of(x, i);
	x->w->counts.cut++;
	x->w->counts.alike += made_alike(mark, k);
	return 1;
}

int rm_encode_cut(struct rm_encode_group *x)
{
	size_t longest = longest_input(x);

	if (x->recipe->max_length == 0 || longest <= x->recipe->max_length)
		return 1;
	if (x->recipe->overlong == RM_OVERLONG_DROP) {
		x->w->counts.dropped++;
		return 0;
	}
	if (x->recipe->overlong == RM_OVERLONG_ERROR)
		return rm_fail("%zu tokens, the limit is %zu", longest,
			       x->recipe->max_length);
	return cut(x, longest);
}
