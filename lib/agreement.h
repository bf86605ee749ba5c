/*
 * agreement: how far annotators say the same, of one record and by chance.
 *
 * Two accumulators.  rm_agreement sees how many votes each category of a
 * record got and gives the coefficients of all annotators together;
 * rm_raters sees who chose what and gives those of pairs of annotators and
 * of each one against the rest.  Memory of both is bounded.  Knows nothing
 * of records or preferences.  Errors as in base.h.
 *
 * A figure that cannot be computed is NaN, and *why says why not: a text
 * that lives for ever, NULL where there is a figure.
 *
 *	struct rm_agreement *a = rm_agreement_new(3);
 *	rm_agreement_add(a, (double[]){ 2, 0, 1 });	two said 0, one 2
 *	kappa = rm_agreement_figure(a, RM_FLEISS_KAPPA, &why);
 *	rm_agreement_free(a);
 */
#ifndef RM_AGREEMENT_H
#define RM_AGREEMENT_H

#include "base.h"

/* Most categories, and most votes of one record that kappa is taken of. */
#define RM_MOST_CATEGORIES 16
#define RM_MOST_VOTES 64

enum rm_agreement_kind {
	/*
	 * Mean over records of P_u = sum_c v_c (v_c - 1) / (m (m - 1)), the
	 * share of pairs of its m votes that say the same.
	 */
	RM_AGREEMENT_PERCENT,
	/*
	 * (P - E) / (1 - E): P the mean of P_u, E = sum_c p_c^2 of the
	 * shares p_c of all votes (Fleiss 1971).  It is defined for records
	 * of equally many votes: taken of those with the number of votes
	 * that most records have, of two such numbers the larger.
	 */
	RM_FLEISS_KAPPA,
	/*
	 * 1 - Do / De over all records with two votes or more, whatever
	 * their numbers (Krippendorff 2011).  With the coincidences
	 *	o_cd = sum_u v_c (v_d - [c = d]) / (m_u - 1)
	 * and their sums n_c and n: Do = sum_cd o_cd d(c, d) and
	 * De = sum_cd n_c n_d d(c, d) / (n - 1), where d is [c != d] or, for
	 * categories in an order, (n_c / 2 + n_between + n_d / 2)^2.
	 */
	RM_ALPHA_NOMINAL,
	RM_ALPHA_ORDINAL,
};

struct rm_agreement;

/* At most RM_MOST_CATEGORIES categories. */
struct rm_agreement *rm_agreement_new(size_t categories);
/* One record: votes[categories], none below 0. */
void rm_agreement_add(struct rm_agreement *a, const double *votes);
double rm_agreement_figure(const struct rm_agreement *a,
			   enum rm_agreement_kind kind, const char **why);
/* The number of votes that Fleiss' kappa is taken at, of so many records. */
size_t rm_agreement_votes(const struct rm_agreement *a, uint64_t *records);
void rm_agreement_free(struct rm_agreement *a);

/* P_u of n categories; NaN below two votes. */
double rm_agreement_of(const double *votes, size_t n);

/*
 * Cohen's kappa of two annotators, (P - E) / (1 - E): table[i * n + j]
 * records that one said i of and the other j, P the share on the diagonal, E
 * the sum of the products of both ones' shares (Cohen 1960).
 */
double rm_cohen_kappa(const uint32_t *table, size_t n, const char **why);

/* ---- who chose what ---- */

/* Most annotators, pairs of them, and annotators of one record. */
#define RM_MOST_RATERS ((size_t)1 << 16)
#define RM_MOST_RATER_PAIRS ((size_t)1 << 20)
#define RM_MOST_AT_ONCE 256

struct rm_raters;

struct rm_raters *rm_raters_new(size_t categories);
/*
 * One record: who[n] (data NULL: nobody known) chose category[n].  Who
 * chooses twice counts by the first choice.
 */
int rm_raters_add(struct rm_raters *r, const struct rm_slice *who,
		  const size_t *category, size_t n);
/* How many annotators; why not, when there are too many to tell apart. */
size_t rm_raters_count(const struct rm_raters *r, const char **why);
/* Choices of annotators who had chosen in the same record before. */
uint64_t rm_raters_repeated(const struct rm_raters *r);

/* Cohen's kappa over all pairs of annotators with records in common. */
struct rm_cohen {
	double mean;		/* of the pairs that have one */
	double weighted;	/* by their common records */
	size_t pairs;		/* that have one */
	size_t undefined;	/* that have none: always one category */
};

struct rm_cohen rm_raters_cohen(const struct rm_raters *r, const char **why);

/* One annotator against what most of the others say of a record. */
struct rm_rater {
	struct rm_slice name;	/* its first 256 bytes */
	uint64_t choices;
	uint64_t compared;	/* where the others have a majority */
	uint64_t same;		/* and it is this one's choice */
	/*
	 * Upper end of the 95 % interval of same / compared (Wilson 1927);
	 * NaN where nothing was compared.
	 */
	double at_most;
};

struct rm_rater rm_raters_get(const struct rm_raters *r, size_t i);
/*
 * order[rm_raters_count]: the least at_most first, those without one last;
 * of equals the name first.
 */
void rm_raters_order(const struct rm_raters *r, size_t *order);
void rm_raters_free(struct rm_raters *r);

#endif
