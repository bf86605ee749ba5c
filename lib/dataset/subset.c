/* Parts of a dataset, and what training asks of them. */
#include "dataset/internal.h"

#include <stdlib.h>
#include <string.h>

static int subset_new(struct rm_subset *s, struct rm_dataset *d)
{
	if (d->n > UINT32_MAX)
		return rm_fail("more than %u examples", UINT32_MAX);
	s->data = d;
	s->example = rm_malloc(d->n, sizeof(*s->example));
	return s->example ? 0 : -1;
}

/* Where the responses of each example begin, unless all are pairs. */
static int count_leaves(struct rm_subset *s)
{
	const struct example *e = s->data->example;
	uint64_t sum = 0;

	if (!s->data->groups)
		return 0;
	s->first = rm_malloc(s->n + 1, sizeof(*s->first));
	if (!s->first)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		s->first[i] = (uint32_t)sum;
		sum += e[s->example[i]].pick[0];
	}
	if (sum > UINT32_MAX)
		return rm_fail("more than %u responses", UINT32_MAX);
	s->first[s->n] = (uint32_t)sum;
	return 0;
}

int rm_subset_all(struct rm_subset *s, struct rm_dataset *d)
{
	if (subset_new(s, d) < 0)
		return -1;
	for (size_t i = 0; i < d->n; i++)
		s->example[i] = (uint32_t)i;
	s->n = d->n;
	s->tokens = d->counts.tokens;
	return count_leaves(s);
}

/* Where a key falls in [0, 1), and the tokens of example i. */
static int look_at(struct rm_dataset *d, size_t i, uint64_t seed, double *u,
		   uint64_t *tokens)
{
	struct rm_example e;

	if (rm_dataset_get(d, i, &e) < 0)
		return -1;
	/* Step 1: independent of rm-pair's split of the same seed. */
	*u = rm_random_uniform(seed, RM_RANDOM_SPLIT, 1, e.key);
	*tokens = rm_example_tokens(&e);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * Below which place in [0, 1) that fraction of the distinct keys falls;
 * place[n] is sorted.
 */
static double threshold(double *place, size_t n, double fraction)
{
	size_t distinct = 0, take;

	qsort(place, n, sizeof(*place), by_value);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || place[i] > place[distinct - 1])
			place[distinct++] = place[i];
	}
	take = (size_t)round(fraction * (double)distinct);
	return take < distinct ? place[take] : 1;
}

/* The two sides, given where each example's key falls. */
static int divide(struct rm_subset *a, struct rm_subset *b,
		  struct rm_dataset *d, double end, uint64_t seed)
{
	for (size_t i = 0; i < d->n; i++) {
		struct rm_subset *to;
		uint64_t tokens;
		double u;

		if (look_at(d, i, seed, &u, &tokens) < 0)
			return -1;
		to = u < end ? b : a;
		to->example[to->n++] = (uint32_t)i;
		to->tokens += tokens;
	}
	return 0;
}

int rm_subset_split(struct rm_subset *a, struct rm_subset *b,
		    struct rm_dataset *d, double fraction, uint64_t seed)
{
	double *place = rm_malloc(d->n, sizeof(*place));
	uint64_t tokens;
	int status = place ? 0 : -1;

	for (size_t i = 0; i < d->n && status == 0; i++)
		status = look_at(d, i, seed, &place[i], &tokens);
	if (status == 0 && (subset_new(a, d) < 0 || subset_new(b, d) < 0))
		status = -1;
	if (status == 0)
		status = divide(a, b, d, threshold(place, d->n, fraction),
				seed);
	free(place);
	if (status == 0 && (count_leaves(a) < 0 || count_leaves(b) < 0))
		status = -1;
	if (status == 0 && (a->n == 0 || b->n == 0))
		return rm_fail("a validation fraction of %g leaves %s: the "
			       "%zu examples have too few keys", fraction,
			       b->n ? "nothing to train on" :
			       "nothing to validate on", d->n);
	return status;
}

void rm_subset_fini(struct rm_subset *s)
{
	free(s->example);
	free(s->first);
	memset(s, 0, sizeof(*s));
}

int rm_subset_get(const struct rm_subset *s, size_t i, struct rm_example *e)
{
	return rm_dataset_get(s->data, s->example[i], e);
}

int rm_subset_batch(const struct rm_subset *s, const size_t *order, size_t n,
		    enum rm_prompt prompt_as, struct rm_batch *batch)
{
	struct rm_example e;

	rm_batch_clear(batch);
	for (size_t i = 0; i < n; i++) {
		if (rm_subset_get(s, order[i], &e) < 0)
			return -1;
		if (rm_batch_add(batch, e.prompt, e.response, e.n,
				 prompt_as) < 0)
			return rm_wrap("record %llu",
				       (unsigned long long)e.record);
	}
	return 0;
}

/* ---- targets ---- */

static int need_targets(const struct rm_subset *s, const size_t *order,
			size_t n, struct rm_targets *to)
{
	size_t room = 0;

	to->n = n;
	to->leaves = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = rm_subset_first(s, order[i] + 1) -
			rm_subset_first(s, order[i]);

		to->leaves += k;
		room += rm_labels_room(&s->data->labels, k);
	}
	if (rm_grow(&to->target, &to->cap, n, sizeof(*to->target)) < 0)
		return -1;
	return rm_grow(&to->label, &to->cap_label, room, sizeof(*to->label));
}

/* Those that are kept of example e, into room. */
static int take_labels(struct rm_dataset *d, const struct example *e,
		       struct rm_target *t, double *room)
{
	size_t pick[2] = { e->pick[0], e->pick[1] };
	struct unpacked u;

	if (rm_dataset_unpack(d, e->group, &u) < 0)
		return -1;
	rm_labels_take(&d->labels, &u, d->groups ? d->identity : pick, t,
		       room);
	return 0;
}

int rm_subset_targets(const struct rm_subset *s, const size_t *order,
		      size_t n, struct rm_targets *to)
{
	struct rm_dataset *d = s->data;
	double *room;

	if (need_targets(s, order, n, to) < 0)
		return -1;
	room = to->label;
	for (size_t i = 0; i < n; i++) {
		const struct example *e = &d->example[s->example[order[i]]];
		struct rm_target *t = &to->target[i];

		*t = (struct rm_target){
			.k = d->groups ? e->pick[0] : 2, .p = (double)e->p,
			.margin = (double)e->margin,
			.weight = (double)e->weight,
		};
		if (d->labels.n > 0 && take_labels(d, e, t, room) < 0)
			return -1;
		room += rm_labels_room(&d->labels, t->k);
	}
	return 0;
}

void rm_targets_fini(struct rm_targets *t)
{
	free(t->target);
	free(t->label);
	*t = (struct rm_targets){0};
}

/* ---- tokens ---- */

int rm_subset_tokens(const struct rm_subset *s, const size_t *order, size_t n,
		     enum rm_prompt prompt_as, size_t *tokens)
{
	struct rm_example e;

	for (size_t i = 0; i < n; i++) {
		size_t prompts = prompt_as == RM_PROMPT_NONE ? 0 : 1;

		if (rm_subset_get(s, order[i], &e) < 0)
			return -1;
		if (prompt_as == RM_PROMPT_COPIED)
			prompts = e.n;
		tokens[i] = rm_example_tokens(&e) -
			(e.n - prompts) * e.prompt.len / sizeof(int32_t);
	}
	return 0;
}

static int fail_length(const struct rm_subset *s, size_t i, size_t response,
		       size_t n, size_t least, size_t most)
{
	struct rm_buf b = {0};

	rm_subset_name(s, i, &b);
	rm_buf_printf(&b, ": response %zu has %zu tokens with its prompt and "
		      "the model ", response + 1, n);
	if (n < least)
		rm_buf_printf(&b, "reads at least %zu", least);
	else
		rm_buf_printf(&b, "%zu positions: cut texts with rm-tokenize "
			      "-l %zu, or with -m or -t MODEL, which keep to "
			      "its positions", most, most);
	rm_fail("%s", rm_buf_text(&b));
	rm_buf_fini(&b);
	return -1;
}

int rm_subset_check_lengths(const struct rm_subset *s, size_t least,
			    size_t most)
{
	struct rm_example e;

	for (size_t i = 0; (least || most) && i < s->n; i++) {
		if (rm_subset_get(s, i, &e) < 0)
			return -1;
		for (size_t j = 0; j < e.n; j++) {
			size_t n = (e.prompt.len + e.response[j].len) /
				sizeof(int32_t);

			if (n < least || (most && n > most))
				return fail_length(s, i, e.pick[j], n, least,
						   most);
		}
	}
	return 0;
}

void rm_subset_name(const struct rm_subset *s, size_t i, struct rm_buf *out)
{
	struct rm_example e;

	if (rm_subset_get(s, i, &e) < 0)
		return;
	rm_buf_printf(out, "record %llu", (unsigned long long)e.record);
	if (e.id.len > 0) {
		rm_buf_puts(out, " (");
		rm_buf_append(out, e.id.data, e.id.len);
		rm_buf_putc(out, ')');
	}
}
