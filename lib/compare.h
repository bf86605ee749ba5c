/*
 * compare: is one model better than another on the same data?
 *
 * Two streams that hold the same records, joined by id; what differs is
 * taken pair by pair, and its interval is clustered by prompt like that of
 * any figure.  Knows scores, not streams.  Errors as in base.h.
 *
 *	struct rm_compared c;
 *	if (rm_scores_join(test, "a.scores", &other, "b.scores") < 0 ||
 *	    rm_compare(test, &evaluation, &c) < 0)
 *		...
 */
#ifndef RM_COMPARE_H
#define RM_COMPARE_H

#include "metric.h"

enum { RM_COMPARED = 3, RM_CHANGES = 2 };

struct rm_compared {
	/* accuracy, log_loss and brier of the scores less those of the
	 * other's; below 0 the latter two are better. */
	struct rm_figure difference[RM_COMPARED];
	/*
	 * flip_rate: the share of comparisons whose rewards are in the
	 * opposite order; tie_rate: that of those where only one of the two
	 * ties.  Labels do not matter.
	 */
	struct rm_figure change[RM_CHANGES];
	/* Comparisons that only one has right (a tie is less than right and
	 * more than wrong), and the others. */
	size_t better, worse, alike;
	double mcnemar;		/* exact two-sided p, NaN: none differs */
	double detectable;	/* see rm_detectable, of the difference */
};

/*
 * Put the records of *other in the order of those of `s`, whose `other` it
 * becomes: both were scored with ids kept.  An id that occurs twice or in one
 * stream only, and records of different keys, labels or numbers of responses
 * are errors that name the record.
 */
int rm_scores_join(struct rm_scores *s, const char *name,
		   struct rm_scores **other, const char *other_name);

/* s->other set; metrics of e are not looked at. */
int rm_compare(struct rm_scores *s, const struct rm_evaluation *e,
	       struct rm_compared *out);

/*
 * McNemar's exact test (1947): two-sided P of a split of better + worse
 * comparisons at least as uneven, were both equally likely.
 */
double rm_mcnemar(size_t better, size_t worse);

/*
 * The smallest true difference that a two-sided test at 5 % finds in 80 of
 * 100 samples, where an estimate has this standard error; NaN for 0 or NaN.
 */
double rm_detectable(double error);

#endif
