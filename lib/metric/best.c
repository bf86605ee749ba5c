/* Best of n: what is gained by taking the response of highest reward? */
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>

struct response {
	double by, label;
};

struct best {
	const struct rm_scores *scores;
	size_t most;		/* n goes from 1 to it */
	struct response *room;	/* for the responses of a record */
	bool oracle;		/* chosen by the label itself */
};

static const double *labels(const struct rm_scores *s)
{
	return s->graded ? s->graded : s->label;
}

static size_t responses(const struct rm_scores *s, size_t r)
{
	return rm_scores_response(s, r + 1) - rm_scores_response(s, r);
}

/* Three responses or more, all labelled. */
static bool is_list(const struct rm_scores *s, size_t r)
{
	size_t i;

	if (responses(s, r) < 3)
		return false;
	for (i = rm_scores_response(s, r); i < rm_scores_response(s, r + 1);
	     i++)
		if (!isfinite(labels(s)[i]))
			return false;
	return true;
}

static int by_reward(const void *a, const void *b)
{
	const struct response *x = a, *y = b;

	return (x->by > y->by) - (x->by < y->by);
}

/*
 * Mean label of the one that is highest of n drawn from k without
 * replacement: C(b, n) / C(k, n) is the chance that none is above the b
 * lowest; equal ones share theirs.
 */
static void add_record(struct rm_means *m, const struct best *b, size_t r)
{
	const struct rm_scores *s = b->scores;
	size_t k = responses(s, r), from = rm_scores_response(s, r), i, j, n;
	double at[RM_BEST_MOST] = {0};

	for (i = 0; i < k; i++)
		b->room[i] = (struct response){ b->oracle ?
			labels(s)[from + i] : s->reward[from + i],
			labels(s)[from + i] };
	qsort(b->room, k, sizeof(*b->room), by_reward);
	for (i = 0; i < k; i = j) {
		double label = 0, below = 1, upto = 1;

		for (j = i; j < k && b->room[j].by == b->room[i].by; j++)
			label += b->room[j].label;
		label /= (double)(j - i);
		for (n = 0; n < b->most; n++) {
			double left = (double)k - (double)n;

			below *= fmax((double)i - (double)n, 0) / left;
			upto *= fmax((double)j - (double)n, 0) / left;
			at[n] += (upto - below) * label;
		}
	}
	for (n = 0; n < b->most; n++)
		rm_means_add(m, n, rm_scores_weight(s, r), at[n]);
}

static void walk(struct rm_means *m, const void *arg)
{
	const struct best *b = arg;
	size_t r;

	for (r = 0; r < b->scores->records; r++) {
		if (rm_scores_begins(b->scores, r))
			rm_means_end(m);
		if (responses(b->scores, r) >= b->most &&
		    is_list(b->scores, r))
			add_record(m, b, r);
	}
	rm_means_end(m);
}

/* The most that at least half of the lists have; how many have it. */
static size_t find_most(struct best *b, size_t *room)
{
	size_t lists[RM_BEST_MOST + 1] = {0}, all = 0, with = 0, r;

	for (r = 0; r < b->scores->records; r++)
		if (is_list(b->scores, r)) {
			size_t k = responses(b->scores, r);

			lists[RM_MIN(k, RM_BEST_MOST)]++;
			all++;
			*room = RM_MAX(*room, k);
		}
	for (b->most = RM_BEST_MOST; all && b->most > 0; b->most--) {
		with += lists[b->most];
		if (2 * with >= all)
			break;
	}
	return with;
}

/* What is reached by b's choice, into bin[most]. */
static void curve(const struct best *b, struct rm_mean *bin)
{
	struct rm_means m = { .n = b->most, .bin = bin };

	rm_means(&m, walk, b);
}

int rm_scores_best_of(const struct rm_scores *s, struct rm_best_of *out)
{
	struct rm_mean by[RM_BEST_MOST] = {0}, at[RM_BEST_MOST] = {0};
	struct best b = { .scores = s };
	size_t room = 0, i;

	out->most = out->records = 0;
	if (labels(s))
		out->records = find_most(&b, &room);
	if (out->records == 0)
		return 0;
	b.room = rm_malloc(room, sizeof(*b.room));
	if (!b.room)
		return -1;
	curve(&b, by);
	b.oracle = true;
	curve(&b, at);
	free(b.room);
	out->most = b.most;
	for (i = 0; i < b.most; i++) {
		out->row[i].mean = by[i].mean;
		out->row[i].low = by[i].low;
		out->row[i].high = by[i].high;
		out->row[i].best = at[i].mean;
	}
	return 0;
}
