#include "compare.h"
#include "metric/scores.h"

#include <stdlib.h>
#include <string.h>

/* ---- joining by id ---- */

static const char *id_of(const struct rm_scores *s, size_t r)
{
	return s->id_text + s->id[r];
}

/* Records by id: 1 + record, 0 free. */
struct table {
	const struct rm_scores *s;
	uint32_t *slot;
	size_t size;
};

/* Where this id is, or would be. */
static uint32_t *find(const struct table *t, const char *id)
{
	size_t at = rm_hash64(id, strlen(id)) & (t->size - 1);

	while (t->slot[at] && strcmp(id_of(t->s, t->slot[at] - 1), id) != 0)
		at = (at + 1) & (t->size - 1);
	return &t->slot[at];
}

static int fill(struct table *t, const struct rm_scores *s, const char *name)
{
	uint32_t *slot;
	size_t r;

	*t = (struct table){ .s = s, .size = 2 };
	while (t->size < 2 * s->records)
		t->size *= 2;
	t->slot = rm_calloc(t->size, sizeof(*t->slot));
	if (!t->slot)
		return -1;
	for (r = 0; r < s->records; r++) {
		slot = find(t, id_of(s, r));
		if (*slot)
			return rm_fail("%s: two records have the id \"%s\", "
				       "so that none can be joined by it",
				       name, id_of(s, r));
		*slot = (uint32_t)r + 1;
	}
	return 0;
}

static size_t responses(const struct rm_scores *s, size_t r)
{
	return rm_scores_response(s, r + 1) - rm_scores_response(s, r);
}

static size_t comparisons(const struct rm_scores *s, size_t r)
{
	return rm_scores_comparison(s, r + 1) - rm_scores_comparison(s, r);
}

/* Comparisons are of the same responses when labels and p agree. */
static bool same_labels(const struct rm_scores *a, size_t r,
			const struct rm_scores *b, size_t q)
{
	size_t i = rm_scores_response(a, r), j = rm_scores_response(b, q), k;

	for (k = 0; k < responses(a, r); k++) {
		double x = a->label ? a->label[i + k] : (k ? -1 : 0);
		double y = b->label ? b->label[j + k] : (k ? -1 : 0);

		if (x != y && !(isnan(x) && isnan(y)))
			return false;
	}
	i = rm_scores_comparison(a, r);
	j = rm_scores_comparison(b, q);
	for (k = 0; k < comparisons(a, r); k++)
		if (rm_scores_p(a, i + k) != rm_scores_p(b, j + k))
			return false;
	return true;
}

static int check_record(const struct rm_scores *a, size_t r, const char *name,
			const struct rm_scores *b, size_t q,
			const char *other)
{
	const char *what = NULL;

	if (a->key && b->key && a->key[r] != b->key[q])
		what = "is of another prompt (key)";
	else if (responses(a, r) != responses(b, q) ||
		 comparisons(a, r) != comparisons(b, q))
		what = "has another number of responses";
	else if (!same_labels(a, r, b, q))
		what = "has other labels";
	else if (rm_scores_weight(a, r) != rm_scores_weight(b, q))
		what = "has another weight";
	if (!what)
		return 0;
	return rm_fail("%s: record \"%s\" %s than in %s: the streams are not "
		       "of the same data", other, id_of(a, r), what, name);
}

/* match[r]: the record of the other that has the id of r. */
static int match_records(const struct rm_scores *a, const char *name,
			 const struct table *t, const char *other,
			 uint32_t *match)
{
	size_t r, missing = 0, first = 0;

	for (r = 0; r < a->records; r++) {
		match[r] = *find(t, id_of(a, r));
		if (!match[r] && !missing++)
			first = r;
		match[r]--;
	}
	if (missing)
		return rm_fail("%s has no record \"%s\" of %s (%zu of %zu "
			       "are missing): the streams are not of the "
			       "same prompts", other, id_of(a, first), name,
			       missing, a->records);
	for (r = 0; r < a->records; r++)
		if (check_record(a, r, name, t->s, match[r], other) < 0)
			return -1;
	return 0;
}

/* Every record of a is in b once, so only b's number of them can be more. */
static int check_rest(const struct rm_scores *a, const char *name,
		      const struct rm_scores *b, const char *other)
{
	struct table t = {0};
	size_t q = 0;
	int status = fill(&t, a, name);

	if (status == 0 && b->records > a->records) {
		while (*find(&t, id_of(b, q)))
			q++;
		status = rm_fail("%s has no record \"%s\" of %s (%zu of %zu "
				 "are missing): the streams are not of the "
				 "same prompts", name, id_of(b, q), other,
				 b->records - a->records, b->records);
	}
	free(t.slot);
	return status;
}

int rm_scores_join(struct rm_scores *s, const char *name,
		   struct rm_scores **other, const char *other_name)
{
	uint32_t *match = rm_malloc(s->records, sizeof(*match));
	struct rm_scores *joined = NULL;
	struct table t = {0};

	if (match && fill(&t, *other, other_name) == 0 &&
	    match_records(s, name, &t, other_name, match) == 0 &&
	    check_rest(s, name, *other, other_name) == 0)
		joined = rm_scores_choose(*other, match, s->records);
	free(match);
	free(t.slot);
	if (!joined)
		return -1;
	rm_scores_free(*other);
	joined->ties = s->ties;
	*other = joined;
	s->other = joined;
	return 0;
}

/* ---- differences ---- */

enum { STEP = 256 };

/* Rows of a metric of two sums, less those of the other's. */
static int less_other(const char *name, const struct rm_scores *s,
		      size_t from, size_t to, double *out)
{
	const struct rm_metric_kind *m = rm_metric_find(name);
	double row[2 * STEP];
	size_t r, i, n;

	if (m->rows(s, from, to, out) < 0)
		return -1;
	for (r = from; r < to; r += n) {
		n = RM_MIN(to - r, (size_t)STEP);
		if (m->rows(s->other, r, r + n, row) < 0)
			return -1;
		/* The second sum, the weight, is that of `s`. */
		for (i = 0; i < n; i++, out += 2)
			out[0] -= row[2 * i];
	}
	return 0;
}

static int accuracy_rows(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	return less_other("accuracy", s, from, to, out);
}

static int log_loss_rows(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	return less_other("log_loss", s, from, to, out);
}

static int brier_rows(const struct rm_scores *s, size_t from, size_t to,
		      double *out)
{
	return less_other("brier", s, from, to, out);
}

static const struct rm_metric_kind differences[RM_COMPARED] = {
	{ "accuracy", RM_SECTION_PAIRS, 1, RM_UNIT_SHARE_CHANGE,
	  "more is better", "accuracy less the other's",
	  "no comparison has a preference",
	  .sums = 2, .rows = accuracy_rows, .bootstrap = true },
	{ "log_loss", RM_SECTION_CALIBRATION, 1, RM_UNIT_CHANGE,
	  "less is better", "log_loss less the other's",
	  "a prob of exactly 0 or 1 was wrong",
	  .sums = 2, .rows = log_loss_rows, .bootstrap = true },
	{ "brier", RM_SECTION_CALIBRATION, 2, RM_UNIT_CHANGE,
	  "less is better", "brier less the other's",
	  "all weights are 0",
	  .sums = 2, .rows = brier_rows, .bootstrap = true },
};

static int side(double d)
{
	return (d > 0) - (d < 0);
}

/* Comparisons that change, of all of them, each weighing as its record. */
static void change_rows(const struct rm_scores *s, size_t from, size_t to,
			bool flip, double *out)
{
	size_t r, i;

	for (r = from; r < to; r++, out += 2) {
		double w = rm_scores_weight(s, r);
		size_t end = rm_scores_comparison(s, r + 1);

		out[0] = out[1] = 0;
		for (i = rm_scores_comparison(s, r); i < end; i++) {
			int a = side(s->d[i]), b = side(s->other->d[i]);

			out[0] += flip ? a * b < 0 : (a == 0) != (b == 0);
			out[1]++;
		}
		out[0] *= w;
		out[1] *= w;
	}
}

static int flip_rows(const struct rm_scores *s, size_t from, size_t to,
		     double *out)
{
	change_rows(s, from, to, true, out);
	return 0;
}

static int tie_rows(const struct rm_scores *s, size_t from, size_t to,
		    double *out)
{
	change_rows(s, from, to, false, out);
	return 0;
}

static const struct rm_metric_kind changes[RM_CHANGES] = {
	{ "flip_rate", RM_SECTION_PAIRS, 4, RM_UNIT_SHARE,
	  "another response is ahead", "comparisons in the opposite order",
	  "all weights are 0",
	  .sums = 2, .rows = flip_rows, .bootstrap = true },
	{ "tie_rate", RM_SECTION_PAIRS, 5, RM_UNIT_SHARE,
	  "a tie is made or broken", "comparisons that one of both ties",
	  "all weights are 0",
	  .sums = 2, .rows = tie_rows, .bootstrap = true },
};

/* 0 wrong, 1 tied, 2 right. */
static int standing(const struct rm_scores *s, size_t i, int prefers)
{
	return 1 + side(s->d[i]) * prefers;
}

static void count_discordant(const struct rm_scores *s, struct rm_compared *c)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		int prefers = rm_scores_prefers(s, i), a, b;

		if (!prefers)
			continue;
		a = standing(s, i, prefers);
		b = standing(s->other, i, prefers);
		c->better += a > b;
		c->worse += a < b;
		c->alike += a == b;
	}
}

int rm_compare(struct rm_scores *s, const struct rm_evaluation *e,
	       struct rm_compared *out)
{
	const struct rm_metric_kind *metrics[RM_COMPARED + 1] = {
		&differences[0], &differences[1], &differences[2], NULL
	};
	const struct rm_metric_kind *change[RM_CHANGES + 1] = {
		&changes[0], &changes[1], NULL
	};
	struct rm_evaluation mine = { metrics, e->bootstrap, e->seed };
	struct rm_evaluation of_change = { change, e->bootstrap, e->seed };

	*out = (struct rm_compared){ .better = 0 };
	if (rm_evaluate(s, &mine, out->difference) < 0 ||
	    rm_evaluate(s, &of_change, out->change) < 0)
		return -1;
	count_discordant(s, out);
	out->mcnemar = rm_mcnemar(out->better, out->worse);
	out->detectable = rm_detectable(out->difference[0].error);
	return 0;
}

/* ---- tests ---- */

/* log n! less Stirling's formula. */
static double stirling_error(double n)
{
	double n2 = n * n;

	if (n < 16)
		return lgamma(n + 1) - (n + .5) * log(n) + n -
			.9189385332046727;
	return (1. / 12 - (1. / 360 - (1. / 1260 - (1. / 1680 -
		1. / 1188 / n2) / n2) / n2) / n2) / n;
}

/*
 * P(X = k), X of n fair coins: by Stirling's formula with its error and the
 * deviance, which loses no digits however large n is (Loader 2000).
 */
static double coins(size_t k, size_t n)
{
	double half = (double)n / 2, x = (double)k, y = (double)(n - k), t;

	if (k == 0)
		return exp2(-(double)n);
	t = (half - x) / half;
	return exp(stirling_error((double)n) - stirling_error(x) -
		   stirling_error(y) - half * ((1 - t) * log1p(-t) +
					       (1 + t) * log1p(t))) *
		sqrt((double)n / (6.283185307179586 * x * y));
}

double rm_mcnemar(size_t better, size_t worse)
{
	size_t k = RM_MIN(better, worse), n = better + worse, i;
	double term, sum = 0;

	if (n == 0)
		return NAN;
	term = coins(k, n);
	for (i = k + 1; i-- > 0 && term > sum * 1e-18;) {
		sum += term;
		term *= (double)i / (double)(n - i + 1);
	}
	return RM_MIN(2 * sum, 1);
}

double rm_detectable(double error)
{
	/* x where 80 % of a normal at x lie beyond -+ its .975 quantile. */
	return error > 0 ? 2.801581787013579 * error : NAN;
}
