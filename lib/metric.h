/*
 * metric: figures of a scored stream, with intervals clustered by prompt.
 *
 * A scorer turns records into compact arrays (struct rm_scores); a metric, a
 * drop-in row of a file in lib/metric, turns those into one figure; evaluate
 * runs the chosen ones.  Knows records, not streams, files or reports.
 * Errors as in base.h.  Work is shared among OpenMP's threads, and sums are
 * taken over fixed chunks, so that figures have the same bytes for any
 * number of them.
 *
 * A comparison is two responses of one record and P(first preferred) = p.
 * A record of kind pairs, or of k = 2 with a field p, is one comparison, in
 * its order; any other record gives all pairs of responses whose rank (or
 * score, without ranks) differs, the better one first, p = 1.
 *
 *	scorer = rm_scorer_new(&h->schema, h->pairs, "reward", "subset");
 *	while (rm_reader_next(in, &rec) > 0)
 *		rm_scorer_add(scorer, rec);
 *	scores = rm_scorer_finish(scorer);
 *	rm_evaluate(scores, &options, figures);
 */
#ifndef RM_METRIC_H
#define RM_METRIC_H

#include "record.h"
#include "sort.h"

#include <math.h>

/* How a comparison of equal rewards counts in the accuracy. */
enum rm_ties {
	RM_TIES_HALF, RM_TIES_WRONG, RM_TIES_RIGHT
};

/* What a reward should not go by. */
enum rm_trait {
	RM_TRAIT_LENGTH,	/* characters, else tokens */
	RM_TRAIT_PLACE,		/* how early it stood in the input */
	RM_TRAIT_FORMAT,	/* how many kinds of markup it has */
	RM_TRAITS
};

/*
 * The scores.  Columns that hold nothing but their default are NULL.  The
 * records of a cluster (one prompt's, by `key`) stand together.
 */
struct rm_scores {
	enum rm_ties ties;

	/* Comparisons, those of a record together. */
	size_t n;
	double *d;		/* [n] reward of the first less the second's */
	double *p;		/* [n] P(first preferred); NULL: 1 */
	double *prob;		/* [n] what a calibration says of the same,
				   NaN where it does not; NULL: nowhere */
	/*
	 * Which of the two has more of a trait: [n] 1 the first, -1 the
	 * second, 0 neither, 2 unknown; NULL: all unknown.
	 */
	signed char *trait[RM_TRAITS];
	/* Records. */
	size_t records;
	uint32_t *comparison;	/* [records + 1] first one; NULL: one each */
	uint32_t *response;	/* [records + 1] first one; NULL: two each */
	double *weight;		/* [records]; NULL: 1 */
	uint32_t *part;		/* [records] index into names; NULL: 0 */
	uint32_t *cluster;	/* [records] ascending; NULL: one each */
	size_t clusters;

	/* Responses, those of a record together. */
	size_t responses;
	double *reward;		/* [responses] */
	double *label;		/* [responses] -rank, else score; NaN
				   missing; NULL: 0, -1, two a record */
	double *graded;		/* [responses] score, else -rank; NULL: as
				   label */
	int32_t *length;	/* [responses] -1 missing; NULL: all missing */
	const char *length_unit;	/* "characters", "tokens", NULL */
	bool keyed;		/* clusters are by key, not one a record */

	/* The parts that --by makes; none when records do not say. */
	size_t parts;
	char **part_name;

	/* Whose they are, where that was kept. */
	uint64_t *id;		/* [records] where in id_text each begins */
	char *id_text;		/* each ends in a NUL */
	uint64_t *key;		/* [records] 0: none; NULL: no field */

	/* The same records scored by another: borrowed, or NULL. */
	const struct rm_scores *other;

	struct rm_order order;	/* of reward, made when first needed */
	struct {
		bool made;
		double value;
	} rho[2];		/* of reward: see lib/metric/order.c */
	struct {
		double value, error;
	} partial[2];		/* the same: see lib/metric/partial.c */
	bool partial_made;
	struct rm_bins *bins;	/* [RM_BINS_KINDS] the same */
	double *decay;		/* [n] exp(-|d|), the same */
};

/* ---- from records ---- */

struct rm_scorer;

/*
 * For records of this schema, which stays the caller's; `field` holds the
 * rewards (f64[k]), usually "reward"; `by` is the field or column of `extra`
 * that makes the parts, NULL for none.
 */
struct rm_scorer *rm_scorer_new(const struct rm_schema *schema, bool pairs,
				const char *field, const char *by);
/*
 * Before the first record: the rewards of that name in field `attack`, which
 * must be there; NULL: those of the field.  Probabilities are then sigmoids:
 * what a field prob says is of other rewards, or of one more thing.
 */
int rm_scorer_take_attack(struct rm_scorer *s, const char *name);
/* Before the first record: keep ids and keys (field id is then needed). */
int rm_scorer_keep_ids(struct rm_scorer *s);
/* The message names the field; the caller adds file and record. */
int rm_scorer_add(struct rm_scorer *s, const struct rm_record *rec);
/* The scores (rm_scores_free); the scorer is then empty. */
struct rm_scores *rm_scorer_finish(struct rm_scorer *s);
void rm_scorer_free(struct rm_scorer *s);

/* The records of one part, as scores of their own. */
struct rm_scores *rm_scores_part(const struct rm_scores *s, size_t part);
void rm_scores_free(struct rm_scores *s);

/* Range of record r's comparisons and responses. */
static inline size_t rm_scores_comparison(const struct rm_scores *s, size_t r)
{
	return s->comparison ? s->comparison[r] : r;
}

static inline size_t rm_scores_response(const struct rm_scores *s, size_t r)
{
	return s->response ? s->response[r] : 2 * r;
}

static inline double rm_scores_p(const struct rm_scores *s, size_t i)
{
	return s->p ? s->p[i] : 1;
}

static inline double rm_scores_weight(const struct rm_scores *s, size_t r)
{
	return s->weight ? s->weight[r] : 1;
}

/* Another P for each comparison: [n], taken; as the field prob is. */
void rm_scores_take_prob(struct rm_scores *s, double *prob);

/* -1, 0, 1: the second is preferred, neither, the first. */
static inline int rm_scores_prefers(const struct rm_scores *s, size_t i)
{
	double p = rm_scores_p(s, i);

	return (p > .5) - (p < .5);
}

/* What the scores say of P(first preferred), and of 1 - that, exactly. */
void rm_scores_prob(const struct rm_scores *s, size_t i, double *prob,
		    double *other);

/* ---- metrics ---- */

enum rm_section {
	RM_SECTION_PAIRS,	/* is the preferred response ahead? */
	RM_SECTION_ORDER,	/* are several responses in order? */
	RM_SECTION_CALIBRATION,	/* are probabilities right? */
	RM_SECTION_BIAS		/* is it length? */
};

enum rm_unit {
	RM_UNIT_SHARE,		/* 0..1, read as per cent */
	RM_UNIT_NUMBER,
	RM_UNIT_CORRELATION,	/* -1..1 */
	RM_UNIT_COUNT,
	RM_UNIT_SHARE_CHANGE,	/* -1..1, read as per cent with a sign */
	RM_UNIT_CHANGE		/* any number, read with a sign */
};

#define RM_METRIC_SUMS 16	/* the most sums that a metric may ask for */

/*
 * A metric is either a function of sums over records (rows, value), or of all
 * scores at once (whole, or estimate with an interval).
 */
struct rm_metric_kind {
	const char *name;	/* also the JSON key */
	enum rm_section section;
	int place;		/* within the section */
	enum rm_unit unit;
	const char *brief;	/* for the report, at most 36 columns */
	const char *definition;	/* for --metrics list */
	const char *absent;	/* why there may be no figure */
	/*
	 * out[to - from][sums], overwritten: what each record adds.  With
	 * two sums and no `value`, the figure is the first over the second,
	 * and its interval comes from its influence function.
	 */
	size_t sums;
	int (*rows)(const struct rm_scores *s, size_t from, size_t to,
		    double *out);
	double (*value)(const double *sums);
	/* Whether there can be a figure, said before its pass; NULL: yes. */
	bool (*applies)(const struct rm_scores *s);
	double most;		/* ends intervals; 0: the unit's own end */
	bool bootstrap;
	bool table;		/* a column of the report's table of parts */
	/* NaN where it cannot be computed; -1 only for want of memory. */
	int (*whole)(struct rm_scores *s, double *value);
	/*
	 * The same with its standard error, of influence functions (Hampel
	 * 1974) clustered by prompt; *error stays NaN where there is none.
	 * Goes before rows and whole.
	 */
	int (*estimate)(struct rm_scores *s, double *value, double *error);
};

/* All metrics, in the order of reports; ends in NULL. */
const struct rm_metric_kind *const *rm_metrics(void);
/* The one of that name, or NULL and a message that lists them. */
const struct rm_metric_kind *rm_metric_find(const char *name);

/* Whether data of several prompts give this metric an interval. */
static inline bool rm_metric_has_interval(const struct rm_metric_kind *m)
{
	return m->estimate || (m->rows && !m->value);
}

struct rm_figure {
	const struct rm_metric_kind *metric;
	double value;		/* NaN: could not be computed */
	double low, high;	/* 95 % interval; NaN: none */
	double error;		/* standard error by formula; NaN: none */
	double below, above;	/* how far the formula's interval reaches,
				   not cut off at the unit's ends */
};

struct rm_evaluation {
	const struct rm_metric_kind *const *metrics;	/* ends in NULL */
	size_t bootstrap;	/* resamples; 0: influence functions */
	uint64_t seed;
};

/* figures[number of metrics]. */
int rm_evaluate(struct rm_scores *s, const struct rm_evaluation *e,
		struct rm_figure *figures);

/* ---- what a head says beside its reward ---- */

/*
 * An objective of the field `objectives` against the attribute of that name.
 * A comparison is two responses of a record whose attributes differ; equal
 * scores count half.
 */
struct rm_objective {
	char *name;
	size_t comparisons, responses;
	double accuracy;	/* NaN: no comparisons */
	double spearman;	/* over all responses; NaN: none that vary */
};

struct rm_beside_figures {
	size_t n;
	const struct rm_objective *objective;	/* [n] */
	/*
	 * With the field reward_sd: Spearman's rho, over records, of the root
	 * mean square of it and of the entropy of votes (without them, of p);
	 * NaN: they do not vary.
	 */
	bool has_sd;
	size_t records;
	double disagreement;
};

struct rm_beside;

/* Records of this schema, which stays the caller's; it need not have those
 * fields. */
struct rm_beside *rm_beside_new(const struct rm_schema *schema);
int rm_beside_add(struct rm_beside *b, const struct rm_record *rec);
/* The figures point into b. */
int rm_beside_finish(struct rm_beside *b, struct rm_beside_figures *to);
void rm_beside_free(struct rm_beside *b);

/* ---- means with intervals ---- */

/*
 * Weighted means in bins with 95 % intervals clustered by prompt: the
 * influence of a cluster on its bin's mean, squared.  `walk` goes through
 * the data, calling add for each value and end after each cluster; it is
 * called twice.
 */
struct rm_mean {
	size_t points, clusters;
	double weight, mean, low, high;	/* NaN: none */
	double sum, here, square;	/* while they are made */
	bool touched;
};

struct rm_means {
	bool share;		/* values are within 0 and 1, ends too */
	bool second;		/* the pass */
	size_t n;
	struct rm_mean *bin;	/* [n] zeroed by the caller */
};

void rm_means(struct rm_means *m,
	      void (*walk)(struct rm_means *m, const void *arg),
	      const void *arg);
void rm_means_add(struct rm_means *m, size_t bin, double weight,
		       double value);
void rm_means_end(struct rm_means *m);

/* Whether record r is the first of its cluster. */
static inline bool rm_scores_begins(const struct rm_scores *s, size_t r)
{
	return r == 0 || !s->cluster || s->cluster[r] != s->cluster[r - 1];
}

/* ---- best of n ---- */

enum { RM_BEST_MOST = 64 };

/*
 * Mean label (score, else -rank) of the response of highest reward of n drawn
 * from those of its record without replacement, and of that of the highest
 * label.  Over the records of at least `most` labelled responses, `most` being
 * the greatest that half of all records of three or more have.
 */
struct rm_best_of {
	size_t most;		/* 0: no record of three or more */
	size_t records;
	struct {
		double mean, low, high;	/* by reward; NaN: no interval */
		double best;		/* by the label itself */
	} row[RM_BEST_MOST];	/* [most] n = 1, 2, ... */
};

/* -1 on memory. */
int rm_scores_best_of(const struct rm_scores *s, struct rm_best_of *out);

/* ---- shared by metrics and tests ---- */

/*
 * Spearman's rho and Kendall's tau-b of y against x, whose order is given;
 * NaN if either is constant.  rho or tau may be NULL.
 */
int rm_correlate(const struct rm_order *order, const double *y, double *rho,
		 double *tau);
/* The same for both given as numbers; entries that are NaN in y are left
 * out. */
int rm_correlate_pairs(const double *x, const double *y, size_t n,
		       double *rho, double *tau);

/* Equal-width bins (i/10, (i+1)/10], as scikit-learn's calibration_curve. */
#define RM_ECE_BINS 10
size_t rm_ece_bin(double prob);

/* ---- reliability ---- */

/*
 * The points (P, p) and (1 - P, 1 - p) of all comparisons in bins of P, open
 * below and closed above.  Those of equal mass end at the deciles of P,
 * linear between order statistics, each point counting once, whatever its
 * weight: scikit-learn's strategy "quantile".
 */
enum rm_bins_kind {
	RM_BINS_WIDTH, RM_BINS_MASS,
	RM_BINS_TABLES,			/* how many there are to show */
	/* Not those points, but P of what is preferred, against P > .5. */
	RM_BINS_SEED = RM_BINS_TABLES,
	RM_BINS_KINDS
};

enum rm_bin_sum {
	RM_BIN_W,			/* sum of weights w */
	RM_BIN_F, RM_BIN_O,		/* of w P, w p */
	RM_BIN_FF, RM_BIN_OO, RM_BIN_FO,	/* of w P P, w p p, w P p */
	RM_BIN_SUMS
};

/* What is made of the sums: see lib/metric/brier.c. */
enum rm_part {
	RM_PART_GAP, RM_PART_RELIABILITY, RM_PART_RESOLUTION,
	RM_PART_UNCERTAINTY, RM_PART_WITHIN_VAR, RM_PART_WITHIN_COV,
	RM_PARTS
};

struct rm_bins {
	bool made, estimated;
	double edge[RM_ECE_BINS + 1];
	size_t points[RM_ECE_BINS];
	double sum[RM_ECE_BINS][RM_BIN_SUMS];
	double part[RM_PARTS], error[RM_PARTS];	/* once estimated */
};

/* Made when first asked for, the scores' own; NULL for want of memory. */
const struct rm_bins *rm_scores_bins(struct rm_scores *s,
				     enum rm_bins_kind kind);

#endif
