#include "agreement.h"

#include <math.h>
#include <stdlib.h>

static const char no_two[] = "no record has two votes or more";
static const char one_category[] = "all votes are the same, so that chance "
				   "explains all agreement";

/* C: categories. */
struct rm_agreement {
	size_t C;
	uint64_t judged;		/* records with two votes or more */
	double same;			/* sum of their P_u */
	double o[RM_MOST_CATEGORIES][RM_MOST_CATEGORIES];

	/* By the number of votes, as Fleiss' kappa needs them. */
	struct {
		uint64_t records;
		double same, votes[RM_MOST_CATEGORIES];
	} by[RM_MOST_VOTES + 1];
};

struct rm_agreement *rm_agreement_new(size_t categories)
{
	struct rm_agreement *a;

	if (categories < 2 || categories > RM_MOST_CATEGORIES)
		return rm_fail_null("agreement on %zu categories, not 2 to %d",
				    categories, RM_MOST_CATEGORIES);
	a = rm_calloc(1, sizeof(*a));
	if (a)
		a->C = categories;
	return a;
}

void rm_agreement_free(struct rm_agreement *a)
{
	free(a);
}

static double sum(const double *x, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += x[i];
	return s;
}

double rm_agreement_of(const double *votes, size_t n)
{
	double m = sum(votes, n), same = 0;

	for (size_t i = 0; i < n; i++)
		same += votes[i] * (votes[i] - 1);
	return m >= 2 ? same / (m * (m - 1)) : NAN;
}

static void add_coincidences(struct rm_agreement *a, const double *votes,
			     double m)
{
	for (size_t c = 0; c < a->C; c++)
		for (size_t d = 0; d < a->C; d++)
			a->o[c][d] += votes[c] * (votes[d] - (c == d)) /
				      (m - 1);
}

void rm_agreement_add(struct rm_agreement *a, const double *votes)
{
	double m = sum(votes, a->C), same = rm_agreement_of(votes, a->C);
	size_t n;

	if (!(m >= 2))
		return;
	a->judged++;
	a->same += same;
	add_coincidences(a, votes, m);
	if (m > RM_MOST_VOTES || m != floor(m))
		return;
	n = (size_t)m;
	a->by[n].records++;
	a->by[n].same += same;
	for (size_t c = 0; c < a->C; c++)
		a->by[n].votes[c] += votes[c];
}

/* ---- figures ---- */

static double none(const char *reason, const char **why)
{
	*why = reason;
	return NAN;
}

size_t rm_agreement_votes(const struct rm_agreement *a, uint64_t *records)
{
	size_t best = 0;

	for (size_t n = 2; n <= RM_MOST_VOTES; n++)
		if (a->by[n].records && a->by[n].records >= a->by[best].records)
			best = n;
	*records = a->by[best].records;
	return best;
}

static bool is_one_category(const double *votes, size_t n)
{
	size_t used = 0;

	for (size_t c = 0; c < n; c++)
		used += votes[c] > 0;
	return used < 2;
}

static double fleiss(const struct rm_agreement *a, const char **why)
{
	uint64_t records;
	size_t n = rm_agreement_votes(a, &records);
	const double *votes = a->by[n].votes;
	double all = sum(votes, a->C), chance = 0;

	if (records == 0)
		return none("no record has a whole number of 2 to 64 votes",
			    why);
	if (is_one_category(votes, a->C))
		return none(one_category, why);
	for (size_t c = 0; c < a->C; c++)
		chance += votes[c] / all * (votes[c] / all);
	return (a->by[n].same / (double)records - chance) / (1 - chance);
}

/* d(c, d) for c <= d, n[] how often each category occurs. */
static double distance(const double *n, size_t c, size_t d, bool ordinal)
{
	double between;

	if (!ordinal || c == d)
		return c != d;
	between = sum(n + c, d - c + 1) - (n[c] + n[d]) / 2;
	return between * between;
}

static double alpha(const struct rm_agreement *a, bool ordinal,
		    const char **why)
{
	double n[RM_MOST_CATEGORIES], all, observed = 0, expected = 0;

	for (size_t c = 0; c < a->C; c++)
		n[c] = sum(a->o[c], a->C);
	all = sum(n, a->C);
	if (is_one_category(n, a->C))
		return none(one_category, why);
	for (size_t c = 0; c < a->C; c++)
		for (size_t d = c + 1; d < a->C; d++) {
			double far = distance(n, c, d, ordinal);

			observed += a->o[c][d] * far;
			expected += n[c] * n[d] * far;
		}
	return 1 - (all - 1) * observed / expected;
}

double rm_agreement_figure(const struct rm_agreement *a,
			   enum rm_agreement_kind kind, const char **why)
{
	*why = NULL;
	if (a->judged == 0)
		return none(no_two, why);
	switch (kind) {
	case RM_FLEISS_KAPPA:
		return fleiss(a, why);
	case RM_ALPHA_NOMINAL:
		return alpha(a, false, why);
	case RM_ALPHA_ORDINAL:
		return alpha(a, true, why);
	default:
		return a->same / (double)a->judged;
	}
}

double rm_cohen_kappa(const uint32_t *table, size_t n, const char **why)
{
	double all = 0, same = 0, chance = 0;

	for (size_t i = 0; i < n * n; i++)
		all += table[i];
	for (size_t i = 0; i < n; i++) {
		double row = 0, column = 0;

		for (size_t j = 0; j < n; j++) {
			row += table[i * n + j];
			column += table[j * n + i];
		}
		same += table[i * n + i];
		chance += row * column;
	}
	*why = NULL;
	if (all == 0)
		return none("no record in common", why);
	if (chance == all * all)
		return none(one_category, why);
	return (same * all - chance) / (all * all - chance);
}
