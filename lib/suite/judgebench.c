/*
 * JudgeBench (Tan et al. 2024): pairs of which one is right.  A judge sees
 * each pair in both orders: a record of the same id may stand there twice,
 * its responses exchanged.  Each order counts 1 where it is right and -1 where
 * it is wrong; a pair is right where the sum is above 0.
 */
#include "suite/kind.h"

#include <xxhash.h>

static const struct {
	const char *name, *begins;
} category[] = {
	{ "Knowledge", "mmlu-pro" },
	{ "Reasoning", "livebench-reasoning" },
	{ "Math", "livebench-math" },
	{ "Coding", "livecodebench" }
};

static size_t category_of(struct rm_slice name)
{
	size_t i;

	for (i = 0; i < RM_COUNT(category); i++) {
		size_t n = strlen(category[i].begins);

		if (name.len >= n &&
		    memcmp(name.data, category[i].begins, n) == 0)
			break;
	}
	return i;
}

static bool has(struct rm_slice name)
{
	return category_of(name) < RM_COUNT(category);
}

static int add(struct rm_suite *s, const struct rm_suite_item *item,
	       struct rm_suite_sums *at)
{
	struct rm_suite_kept kept = { .subset = category_of(item->subset) };
	size_t best = rm_suite_best(s, item);
	double d;

	(void)at;
	if (best == SIZE_MAX)
		return -1;
	if (item->k != 2)
		return rm_fail("%zu responses, where JudgeBench has pairs",
			       item->k);
	if (!item->id.data)
		return rm_fail("field id: there is none");
	d = item->reward[best] - item->reward[1 - best];
	kept.id = XXH3_64bits(item->id.data, item->id.len);
	kept.what = (int)best;
	kept.x[0] = (d > 0) - (d < 0);
	return rm_suite_keep(s, &kept);
}

struct count {
	size_t n, twice, agree;
	double right[RM_COUNT(category)], of[RM_COUNT(category)];
};

/* Records [i, j) are of one pair. */
static int count_pair(const struct rm_suite *s, size_t i, size_t j,
		      struct count *c)
{
	const struct rm_suite_kept *x = &s->kept[i];
	double sum = 0;

	if (j - i > 2 || (j - i == 2 && x[0].what == x[1].what))
		return rm_fail("JudgeBench: a pair occurs more than once in "
			       "the same order");
	for (size_t t = i; t < j; t++)
		sum += s->kept[t].x[0];
	c->n++;
	c->of[x->subset]++;
	c->right[x->subset] += sum > 0;
	if (j - i == 2) {
		c->twice++;
		c->agree += x[0].x[0] == x[1].x[0];
	}
	return 0;
}

static int finish(struct rm_suite *s, struct rm_suite_figures *to)
{
	struct count c = {0};
	double right = 0;
	bool whole = true;

	(void)to;
	rm_suite_sort(s);
	for (size_t i = 0, j; i < s->n_kept; i = j) {
		for (j = i; j < s->n_kept && s->kept[j].id == s->kept[i].id;)
			j++;
		if (count_pair(s, i, j, &c) < 0)
			return -1;
	}
	for (size_t i = 0; i < RM_COUNT(category); i++) {
		right += c.right[i];
		whole &= c.of[i] > 0;
		if (!(c.of[i] > 0))
			rm_suite_lacks(s, "overall", category[i].name);
		else if (rm_suite_line(s, category[i].name, false,
				       (size_t)c.of[i],
				       c.right[i] / c.of[i]) < 0)
			return -1;
	}
	if (whole && rm_suite_line(s, "overall", true, c.n,
				   right / (double)c.n) < 0)
		return -1;
	return c.twice == 0 ? 0 :
		rm_suite_line(s, "both orders agree", true, c.twice,
			      (double)c.agree / (double)c.twice);
}

const struct rm_suite_kind rm_suite_judgebench = {
	.name = "judgebench", .title = "JudgeBench",
	.has = has, .add = add, .finish = finish
};
