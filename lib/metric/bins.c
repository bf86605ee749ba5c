/* Points in bins of P: the table behind calibration errors and the parts of
 * the Brier score. */
#include "metric/bins.h"
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP = 1 << 14,		/* records summed at once */
	CELLS = 1 << 16,	/* of the histogram of min(P, 1 - P) */
	INNER = RM_ECE_BINS - 1	/* edges between bins */
};

/* ---- deciles ---- */

/*
 * Of the 2n points the lower half are the n values min(P, 1 - P), the upper
 * half the same mirrored.  A histogram says in which cell each rank lies, and
 * only what is in those cells is sorted.
 */
struct sides {
	double low, high;	/* of 1/2; high is 1 - low to the last bits */
};

static struct sides sides_of(const struct rm_scores *s, size_t i)
{
	double prob, other;

	rm_scores_prob(s, i, &prob, &other);
	return (struct sides){ RM_MIN(prob, other), RM_MAX(prob, other) };
}

static size_t cell_of(double x)
{
	return RM_MIN((size_t)(x * (2 * CELLS)), (size_t)CELLS - 1);
}

/* below[CELLS + 1]: how many values lie in lower cells. */
static void count_cells(const struct rm_scores *s, uint32_t *below)
{
	size_t at = 0, c, i;

#pragma omp parallel for reduction(+:below[:CELLS]) if (s->n > STEP)
	for (i = 0; i < s->n; i++)
		below[cell_of(sides_of(s, i).low)]++;
	for (c = 0; c <= CELLS; c++) {
		size_t count = below[c];

		below[c] = (uint32_t)at;
		at += count;
	}
}

static size_t find_cell(const uint32_t *below, size_t rank)
{
	size_t low = 0, high = CELLS, middle;

	while (high - low > 1) {
		middle = (low + high) / 2;
		if (below[middle] <= rank)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int outer_last(const void *a, const void *b)
{
	const struct sides *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return (x->high < y->high) - (x->high > y->high);
}

/* Give each cell that holds a rank its place; returns how many values. */
static size_t place_cells(const uint32_t *below, const size_t *rank,
			  size_t ranks, size_t *place)
{
	size_t total = 0, r, c;

	memset(place, 0xff, CELLS * sizeof(*place));
	for (r = 0; r < ranks; r++) {
		c = find_cell(below, rank[r]);
		if (place[c] != SIZE_MAX)
			continue;
		place[c] = total;
		total += below[c + 1] - below[c];
	}
	return total;
}

/* Put the values of placed cells there; places then are the cells' ends. */
static void keep_cells(const struct rm_scores *s, size_t *place,
		       struct sides *kept)
{
	size_t i;

#pragma omp parallel for if (s->n > STEP)
	for (i = 0; i < s->n; i++) {
		struct sides x = sides_of(s, i);
		size_t *end = &place[cell_of(x.low)], at;

		if (*end == SIZE_MAX)
			continue;
#pragma omp atomic capture
		at = (*end)++;
		kept[at] = x;
	}
}

/* value[r]: the comparison of the rank[r]-th smallest min(P, 1 - P). */
static int select_ranks(const struct rm_scores *s, const size_t *rank,
			size_t ranks, struct sides *value)
{
	uint32_t *below = rm_calloc(CELLS + 1, sizeof(*below));
	size_t *place = rm_malloc(CELLS, sizeof(*place)), total, r, c;
	struct sides *kept = NULL;

	if (below && place) {
		count_cells(s, below);
		total = place_cells(below, rank, ranks, place);
		kept = rm_malloc(total, sizeof(*kept));
	}
	if (kept) {
		keep_cells(s, place, kept);
		place_cells(below, rank, ranks, place);
		for (c = 0; c < CELLS; c++)
			if (place[c] != SIZE_MAX)
				qsort(kept + place[c], below[c + 1] - below[c],
				      sizeof(*kept), outer_last);
	}
	for (r = 0; kept && r < ranks; r++) {
		c = find_cell(below, rank[r]);
		value[r] = kept[place[c] + rank[r] - below[c]];
	}
	free(below);
	free(place);
	free(kept);
	return kept ? 0 : -1;
}

/* Straight from a to b as numpy goes, exact at both ends. */
static double between(double a, double b, double t)
{
	return t < .5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

/* Where in the order of the 2n points inner edge i lies. */
static double edge_at(const struct rm_scores *s, size_t i)
{
	return (double)i * .1 * (double)(2 * s->n - 1);
}

static int find_deciles(const struct rm_scores *s, double *edge)
{
	size_t rank[2 * INNER], last = 2 * s->n - 1, i, j;
	struct sides value[2 * INNER];

	for (i = 0; i < 2 * INNER; i++) {
		j = RM_MIN((size_t)edge_at(s, i / 2 + 1) + i % 2, last);
		rank[i] = j < s->n ? j : last - j;
	}
	if (select_ranks(s, rank, 2 * INNER, value) < 0)
		return -1;
	for (i = 0; i < INNER; i++) {
		double at = edge_at(s, i + 1), x[2];

		for (j = 0; j < 2; j++)
			x[j] = (size_t)at + j < s->n ? value[2 * i + j].low :
				value[2 * i + j].high;
		edge[i + 1] = between(x[0], x[1], at - floor(at));
	}
	return 0;
}

/* ---- points ---- */

/* rm_ece_bin, without its branches: P is hard to foretell. */
static inline size_t bin_of(const struct rm_bins *b, double prob)
{
	size_t bin = 0;

	for (size_t i = 1; i < RM_ECE_BINS; i++)
		bin += prob > b->edge[i];
	return bin;
}

/* A comparison's points: how many, what they say, what came of it. */
struct points {
	int n;
	double prob[2], label[2];
};

static inline void find_points(const struct rm_scores *s,
			       enum rm_bins_kind kind, size_t i,
			       struct points *q)
{
	double p = rm_scores_p(s, i);

	rm_scores_prob(s, i, &q->prob[0], &q->prob[1]);
	q->label[0] = p;
	q->label[1] = 1 - p;
	q->n = 2;
	if (kind != RM_BINS_SEED)
		return;
	q->n = p != .5;
	if (p < .5)
		q->prob[0] = q->prob[1];
	q->label[0] = q->prob[0] > .5;
}

/* ---- sums ---- */

static inline void add_point(struct rm_bins *b, double w, double prob,
			     double label)
{
	size_t bin = bin_of(b, prob);
	double *sum = b->sum[bin];

	b->points[bin]++;
	sum[RM_BIN_W] += w;
	sum[RM_BIN_F] += w * prob;
	sum[RM_BIN_O] += w * label;
	sum[RM_BIN_FF] += w * prob * prob;
	sum[RM_BIN_OO] += w * label * label;
	sum[RM_BIN_FO] += w * prob * label;
}

static void add_records(const struct rm_scores *s, enum rm_bins_kind kind,
			size_t from, size_t to, struct rm_bins *b)
{
	struct points q;
	size_t r, i;

	for (r = from; r < to; r++) {
		double w = rm_scores_weight(s, r);

		for (i = rm_scores_comparison(s, r);
		     i < rm_scores_comparison(s, r + 1); i++) {
			find_points(s, kind, i, &q);
			for (int k = 0; k < q.n; k++)
				add_point(b, w, q.prob[k], q.label[k]);
		}
	}
}

/* Sums over fixed chunks in order: the same for any number of threads. */
static int fill(const struct rm_scores *s, enum rm_bins_kind kind,
		struct rm_bins *b)
{
	size_t chunks = (s->records + STEP - 1) / STEP, c, i, k;
	struct rm_bins *part = rm_calloc(chunks, sizeof(*part));

	if (!part)
		return -1;
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
	for (c = 0; c < chunks; c++) {
		memcpy(part[c].edge, b->edge, sizeof(b->edge));
		add_records(s, kind, c * STEP,
			    RM_MIN(s->records, (c + 1) * STEP), &part[c]);
	}
	for (c = 0; c < chunks; c++)
		for (i = 0; i < RM_ECE_BINS; i++) {
			b->points[i] += part[c].points[i];
			for (k = 0; k < RM_BIN_SUMS; k++)
				b->sum[i][k] += part[c].sum[i][k];
		}
	free(part);
	return 0;
}

static struct rm_bins *find_bins(struct rm_scores *s, enum rm_bins_kind kind)
{
	struct rm_bins *b;
	size_t i;

	if (!s->bins)
		s->bins = rm_calloc(RM_BINS_KINDS, sizeof(*s->bins));
	if (!s->bins)
		return NULL;
	b = &s->bins[kind];
	if (b->made)
		return b;
	for (i = 0; i <= RM_ECE_BINS; i++)
		b->edge[i] = (double)i * .1;
	if (kind == RM_BINS_MASS && s->n && find_deciles(s, b->edge) < 0)
		return NULL;
	b->made = fill(s, kind, b) == 0;
	return b->made ? b : NULL;
}

const struct rm_bins *rm_scores_bins(struct rm_scores *s,
				     enum rm_bins_kind kind)
{
	return find_bins(s, kind);
}

/* ---- standard errors ---- */

/* Of one cluster, by part; and the squares of those before. */
struct spread {
	double psi[RM_PARTS], squares[RM_PARTS];
};

static inline void end_cluster(struct spread *t, size_t parts)
{
	for (size_t k = 0; k < parts; k++) {
		t->squares[k] += t->psi[k] * t->psi[k];
		t->psi[k] = 0;
	}
}

/* A point's influence on each part, by the slopes of its bin. */
static inline void spread_point(struct spread *t, size_t parts,
				const double (*by)[RM_PARTS], double w,
				double prob, double label)
{
	for (size_t k = 0; k < parts; k++)
		t->psi[k] += w * (by[RM_BIN_W][k] +
			prob * (by[RM_BIN_F][k] + prob * by[RM_BIN_FF][k]) +
			label * (by[RM_BIN_O][k] + label * by[RM_BIN_OO][k] +
				 prob * by[RM_BIN_FO][k]));
}

/* The first `parts` of the clusters that begin in [from, to). */
static inline void spread_records(const struct rm_scores *s,
				  enum rm_bins_kind kind, size_t parts,
				  const struct rm_slopes *slopes, size_t from,
				  size_t to, struct spread *t)
{
	const struct rm_bins *b = &s->bins[kind];
	struct points q;
	size_t r, i;

	if (!rm_scores_whole(s, &from, &to))
		return;
	for (r = from; r < to; r++) {
		double w = rm_scores_weight(s, r);

		if (rm_scores_begins(s, r))
			end_cluster(t, parts);
		for (i = rm_scores_comparison(s, r);
		     i < rm_scores_comparison(s, r + 1); i++) {
			find_points(s, kind, i, &q);
			for (int k = 0; k < q.n; k++)
				spread_point(t, parts, slopes->by[bin_of(b,
					q.prob[k])], w, q.prob[k],
					q.label[k]);
		}
	}
	end_cluster(t, parts);
}

static int find_errors(const struct rm_scores *s, enum rm_bins_kind kind,
		       const struct rm_slopes *slopes, double *error)
{
	size_t chunks = (s->records + STEP - 1) / STEP, c, k;
	struct spread *t = rm_calloc(chunks, sizeof(*t));
	double g = (double)s->clusters, sum;

	if (!t)
		return -1;
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
	for (c = 0; c < chunks; c++) {
		size_t from = c * STEP, to = RM_MIN(s->records, from + STEP);

		/* The kind is a constant to each, for the compiler's sake. */
		if (kind == RM_BINS_WIDTH)
			spread_records(s, RM_BINS_WIDTH, RM_PARTS, slopes,
				       from, to, &t[c]);
		else if (kind == RM_BINS_MASS)
			spread_records(s, RM_BINS_MASS, 1, slopes, from, to,
				       &t[c]);
		else
			spread_records(s, RM_BINS_SEED, 1, slopes, from, to,
				       &t[c]);
	}
	for (k = 0; k < RM_PARTS; k++) {
		for (sum = 0, c = 0; c < chunks; c++)
			sum += t[c].squares[k];
		error[k] = g > 1 ? sqrt(sum * g / (g - 1)) : NAN;
	}
	free(t);
	return 0;
}

/* Of bins of equal mass, and the seed's, only the gap is asked for. */
int rm_bins_estimate(struct rm_scores *s, enum rm_bins_kind kind,
		     enum rm_part part, double *value, double *error)
{
	struct rm_bins *b = find_bins(s, kind);
	struct rm_slopes slopes;

	if (!b)
		return -1;
	if (!b->estimated) {
		rm_parts_of(b, b->part, &slopes);
		if (find_errors(s, kind, &slopes, b->error) < 0)
			return -1;
		b->estimated = true;
	}
	*value = b->part[part];
	*error = kind == RM_BINS_WIDTH || part == RM_PART_GAP ?
		b->error[part] : NAN;
	return 0;
}
