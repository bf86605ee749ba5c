/*
 * robust: do figures hold on other data, and under attack?
 *
 * A gap is a figure less what it is on data of another distribution; both
 * samples are independent, so that the square of how far its interval reaches
 * is the sum of theirs.  A stream scored under attack (field `attack`) has
 * rewards of the same responses for several eps; each is compared with those
 * of eps 0.  Knows scores and records, not streams.  Errors as in base.h.
 *
 *	rm_ood_find(figures, n, other_scores, &ood);	... rm_ood_fini(&ood)
 *
 *	reader = rm_attacks_new(&h->schema, h->pairs);
 *	while (rm_reader_next(in, &rec) > 0)
 *		rm_attacks_add(reader, rec);
 *	rm_attacks_finish(reader, ties, &evaluation, &attacks);
 */
#ifndef RM_ROBUST_H
#define RM_ROBUST_H

#include "compare.h"

struct rm_gap {
	const struct rm_metric_kind *metric;
	double in, out;
	double gap;		/* in - out */
	double low, high;	/* 95 % interval; NaN: none */
};

struct rm_ood {
	size_t comparisons, records, clusters;
	size_t n;
	struct rm_gap *gap;	/* [n] figures that can have an interval and
				   were computed on both */
};

/*
 * figures[n] as rm_evaluate gave them, and the same of `other`; intervals by
 * formula, whatever e asks for.
 */
int rm_ood_find(const struct rm_figure *figures, size_t n,
		struct rm_scores *other, struct rm_ood *out);
void rm_ood_fini(struct rm_ood *ood);

/* Of one eps, against eps 0: P(first preferred) is sigmoid(d) for both. */
struct rm_attacked {
	double eps;
	struct rm_figure accuracy, log_loss;
	struct rm_figure increase;	/* of the log loss */
	struct rm_figure flip_rate, tie_rate;	/* see compare.h */
};

struct rm_attacks {
	size_t n;
	struct rm_attacked *row;	/* [n] the first of eps 0, ascending */
	const json_t *spec;		/* {"name", "eps", ...}, borrowed */
};

struct rm_attacks_reader;

/* Records of this schema, which stays the caller's and has `attack`. */
struct rm_attacks_reader *rm_attacks_new(const struct rm_schema *schema,
					 bool pairs);
int rm_attacks_add(struct rm_attacks_reader *r, const struct rm_record *rec);
/* spec stays NULL; out's rows are the reader's. */
int rm_attacks_finish(struct rm_attacks_reader *r, enum rm_ties ties,
		      const struct rm_evaluation *e, struct rm_attacks *out);
void rm_attacks_free(struct rm_attacks_reader *r);

#endif
