/*
 * Influence functions of rank correlations (Croux & Dehon 2010), with ties:
 * places are mid-ranks, over all n responses, clustered by prompt.
 */
#include "metric/rank.h"
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP = 1 << 16,		/* places worked on at once */
	PIECES = 16,		/* of places, with sums by code of their own */
	AHEAD = 32		/* scattered numbers fetched early */
};

double *rm_centred_ranks(const struct rm_codes *c)
{
	double *rank = rm_malloc(c->distinct, sizeof(*rank));
	double below = 0, mean = ((double)c->n + 1) / 2;
	size_t v;

	for (v = 0; rank && v < c->distinct; v++) {
		rank[v] = below + ((double)c->count[v] + 1) / 2 - mean;
		below += c->count[v];
	}
	return rank;
}

static double *new_psi(const struct rm_ranks *r)
{
	return rm_calloc(r->s->responses, sizeof(double));
}

/* The psi of the response at place j of the order of x. */
static inline double *psi_at(const struct rm_ranks *r, double *psi, size_t j)
{
	size_t i = r->x->index[j];

	if (j + AHEAD < r->x->n && !r->from)
		__builtin_prefetch(&psi[r->x->index[j + AHEAD]], 1);
	return &psi[r->from ? r->from[i] : i];
}

/* ---- Spearman ---- */

/*
 * With f and g the centred ranks over n, rho = T1 / sqrt(T2 T3) for the means
 * T1 of f g, T2 of f^2 and T3 of g^2.  One more response at (x, y) adds
 *
 *	f g + A(x) + B(y) - 3 T1,	A(x) = mean of g over what is above x,
 *	f f + 2 C(x) - 3 T2,		half of what ties with it, B of f by y,
 *	g g + 2 D(y) - 3 T3,		C of f by x, D of g by y
 *
 * to them: its own place, and that of all whose ranks it moves.
 */
struct spearman {
	const struct rm_ranks *r;
	const double *g;		/* [codes] */
	double *b, *d;			/* [codes] B and D, as sums; then b is
					   all that psi has of y alone */
	double t1, t2, t3, rho;
	double scale, x_scale;		/* of the terms of xy and xx */
	double *psi;			/* [responses] */
};

/* Influence on rho of the places [from, to), one run; g_above as A wants. */
static inline void write_run(const struct spearman *q, size_t from, size_t to,
			     double g_above)
{
	double n = (double)q->r->x->n, low = (double)from, high = (double)to;
	double f = ((low + high) / 2 - n / 2) / n, of_x;
	/* All f from `high` up are (n - high) high / 2n. */
	double c = (n - high) * high / (2 * n) + (high - low) * f / 2;
	double scale = q->scale;
	size_t i;

	of_x = scale * (g_above / n - 3 * q->t1) -
		q->x_scale * (f * f + 2 * c / n - 3 * q->t2);
	for (i = from; i < to; i++) {
		uint32_t v = q->r->z[i];

		*psi_at(q->r, q->psi, i) = scale * f * q->g[v] + of_x + q->b[v];
	}
}

/* What psi has of y alone, once B, D and the means are known. */
static void fold_codes(struct spearman *q)
{
	double n = (double)q->r->x->n, y_scale;
	size_t v;

	q->scale = 1 / (n * sqrt(q->t2 * q->t3));
	q->x_scale = q->rho / (2 * n * q->t2);
	y_scale = q->rho / (2 * n * q->t3);
	for (v = 0; v < q->r->y->distinct; v++)
		q->b[v] = q->scale * q->b[v] / n - y_scale *
			(q->g[v] * q->g[v] + 2 * q->d[v] / n - 3 * q->t3);
}

/*
 * The runs that begin in [from, to): the sum of their g; with psi it is
 * written, `before` being the sum of all g that come first.
 */
static double walk(const struct spearman *q, size_t from, size_t to,
		   bool write, double before)
{
	const struct rm_order *x = q->r->x;
	size_t j = from, i, end;
	double sum = 0;

	while (j < to && !x->first[j])
		j++;
	for (; j < to; j = end) {
		double run = 0;

		end = rm_order_run(x, j);
		for (i = j; i < end; i++)
			run += q->g[q->r->z[i]];
		sum += run;
		/* All g sum to 0: what is above is less what is not. */
		if (write)
			write_run(q, j, end, run / 2 - before - sum);
	}
	return sum;
}

void rm_sum_above(double *of, size_t n)
{
	double above = 0, own;
	size_t v;

	for (v = n; v-- > 0; above += own) {
		own = of[v];
		of[v] = above + own / 2;
	}
}

/* The runs that begin in [from, to): their f by code; the sum of f^2. */
static double sum_piece(const struct spearman *q, size_t from, size_t to,
			double *b)
{
	const struct rm_order *x = q->r->x;
	double n = (double)x->n, squares = 0, f;
	size_t j = from, i, end;

	while (j < to && !x->first[j])
		j++;
	for (; j < to; j = end) {
		end = rm_order_run(x, j);
		f = ((double)(j + end) / 2 - n / 2) / n;
		squares += (double)(end - j) * f * f / n;
		for (i = j; i < end; i++)
			b[q->r->z[i]] += f;
	}
	return squares;
}

/* B and T2, in pieces whose own B take less room than places do. */
static int sum_places(struct spearman *q)
{
	size_t n = q->r->x->n, distinct = q->r->y->distinct, c, v;
	size_t step = RM_MAX(RM_MAX((size_t)STEP, 4 * distinct),
			     n / PIECES + 1);
	size_t pieces = (n + step - 1) / step;
	double *b = rm_calloc(pieces * distinct, sizeof(*b));
	double squares[PIECES];

	if (!b)
		return -1;
#pragma omp parallel for schedule(dynamic) if (pieces > 1)
	for (c = 0; c < pieces; c++)
		squares[c] = sum_piece(q, c * step, RM_MIN(n, (c + 1) * step),
				       b + c * distinct);
	for (c = 0; c < pieces; c++) {
		q->t2 += squares[c];
		for (v = 0; v < distinct; v++)
			q->b[v] += b[c * distinct + v];
	}
	free(b);
	return 0;
}

/* g, B, D and the means. */
static int sum_codes(struct spearman *q, double *g)
{
	double n = (double)q->r->x->n;
	size_t v;

	for (v = 0; v < q->r->y->distinct; v++) {
		double count = q->r->y->count[v];

		g[v] /= n;
		q->d[v] = count * g[v];
		q->t3 += count * g[v] * g[v] / n;
	}
	if (sum_places(q) < 0)
		return -1;
	for (v = 0; v < q->r->y->distinct; v++)
		q->t1 += q->b[v] * g[v] / n;
	rm_sum_above(q->b, q->r->y->distinct);
	rm_sum_above(q->d, q->r->y->distinct);
	return 0;
}

static int write_psi(const struct spearman *q)
{
	size_t n = q->r->x->n, chunks = (n + STEP - 1) / STEP, c;
	double *sum = rm_malloc(chunks, sizeof(*sum)), before = 0, own;

	if (!sum)
		return -1;
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		sum[c] = walk(q, c * STEP, RM_MIN(n, (c + 1) * STEP), false,
			      0);
	for (c = 0; c < chunks; c++, before += own) {
		own = sum[c];
		sum[c] = before;
	}
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		walk(q, c * STEP, RM_MIN(n, (c + 1) * STEP), true, sum[c]);
	free(sum);
	return 0;
}

int rm_spearman_influence(const struct rm_ranks *r, double rho, double *psi)
{
	double *g = rm_centred_ranks(r->y);
	struct spearman q = { .r = r, .g = g, .rho = rho, .psi = psi };
	int status = -1;

	if (r->from)
		memset(psi, 0, r->s->responses * sizeof(*psi));
	q.b = rm_calloc(r->y->distinct, sizeof(*q.b));
	q.d = rm_calloc(r->y->distinct, sizeof(*q.d));
	if (g && q.b && q.d && sum_codes(&q, g) == 0) {
		fold_codes(&q);
		status = write_psi(&q);
	}
	free(g);
	free(q.b);
	free(q.d);
	return status;
}

int rm_spearman_error(const struct rm_ranks *r, double rho, double *error)
{
	double *psi = new_psi(r);
	int status = psi ? rm_spearman_influence(r, rho, psi) : -1;

	if (status == 0)
		status = rm_responses_error(r->s, psi, error);
	free(psi);
	return status;
}

/* ---- Kendall ---- */

/*
 * tau-b = K / sqrt(U V): K the mean over all pairs of sgn(x - x') sgn(y - y'),
 * U and V the shares that differ in x and in y.  One more response adds
 * 2 (k - K), 2 (u - U) and 2 (v - V), its own means over all others.
 */
struct kendall {
	const struct rm_ranks *r;
	uint32_t *below;		/* [codes + 1] of lower codes */
	double u, v, tau;
	double *psi;
};

/* A tree of counts by code (Fenwick 1994), of those before a place. */
static void tree_init(uint32_t *tree, const uint32_t *count, size_t n)
{
	size_t i, next;

	for (i = 1; i <= n; i++)
		tree[i] = count[i - 1];
	for (i = 1; i <= n; i++) {
		next = i + (i & -i);
		if (next <= n)
			tree[next] += tree[i];
	}
}

static inline void tree_add(uint32_t *tree, size_t n, size_t code)
{
	for (size_t i = code + 1; i <= n; i += i & -i)
		tree[i]++;
}

/* How many have a code below this. */
static inline size_t tree_below(const uint32_t *tree, size_t code)
{
	size_t sum = 0;

	for (size_t i = code; i > 0; i -= i & -i)
		sum += tree[i];
	return sum;
}

/*
 * Partners before place `at` that agree with code v less those that do not;
 * and, `at` being a run's end, of those from there on.
 */
static inline double before(const uint32_t *tree, size_t v, size_t at)
{
	return (double)tree_below(tree, v) -
		((double)at - (double)tree_below(tree, v + 1));
}

static inline double behind(const struct kendall *q, const uint32_t *tree,
			    size_t v, size_t at)
{
	double n = (double)q->r->x->n;
	double up = n - q->below[v + 1] -
		((double)at - (double)tree_below(tree, v + 1));

	return up - ((double)q->below[v] - (double)tree_below(tree, v));
}

/* Influence on tau of the places [from, to), one run. */
static void settle_run(const struct kendall *q, uint32_t *tree, size_t from,
		       size_t to)
{
	const struct rm_codes *y = q->r->y;
	double n = (double)q->r->x->n, scale = 2 / (n * n * sqrt(q->u * q->v));
	double of_x = q->tau * ((1 - (double)(to - from) / n) / q->u);
	size_t i;

	for (i = from; i < to; i++)
		*psi_at(q->r, q->psi, i) = before(tree, q->r->z[i], from);
	for (i = from; i < to; i++)
		tree_add(tree, y->distinct, q->r->z[i]);
	for (i = from; i < to; i++) {
		double *psi = psi_at(q->r, q->psi, i);
		uint32_t v = q->r->z[i];
		double of_y = q->tau * ((1 - y->count[v] / n) / q->v);

		/* K, U and V over their own scale make 2 tau of 1 and 1. */
		*psi = scale * (*psi + behind(q, tree, v, to)) -
			(of_x + of_y) / n;
	}
}

/* The runs that begin in [from, to), count being what stands before. */
static int settle_runs(const struct kendall *q, const uint32_t *count,
		       size_t from, size_t to)
{
	const struct rm_order *x = q->r->x;
	size_t distinct = q->r->y->distinct, end;
	uint32_t *tree = rm_calloc(distinct + 1, sizeof(*tree));

	if (!tree)
		return -1;
	tree_init(tree, count, distinct);
	for (; from < to && !x->first[from]; from++)
		tree_add(tree, distinct, q->r->z[from]);
	for (; from < to; from = end) {
		end = rm_order_run(x, from);
		settle_run(q, tree, from, end);
	}
	free(tree);
	return 0;
}

/* count[chunks][codes]: those of each chunk, then of all before it. */
static void count_chunks(const struct kendall *q, size_t step, size_t chunks,
			 uint32_t *count)
{
	size_t n = q->r->x->n, distinct = q->r->y->distinct, c, v, i;

#pragma omp parallel for private(i) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		for (i = c * step; i < RM_MIN(n, (c + 1) * step); i++)
			count[c * distinct + q->r->z[i]]++;
	for (v = 0; v < distinct; v++) {
		uint32_t sum = 0, own;

		for (c = 0; c < chunks; c++, sum += own) {
			own = count[c * distinct + v];
			count[c * distinct + v] = sum;
		}
	}
}

/* In chunks so large that their counts take no more room than places do. */
static int settle(const struct kendall *q)
{
	size_t n = q->r->x->n, distinct = q->r->y->distinct;
	size_t step = RM_MAX((size_t)STEP, distinct), c;
	size_t chunks = (n + step - 1) / step;
	uint32_t *count = rm_calloc(chunks * distinct, sizeof(*count));
	int status = 0;

	if (!count)
		return -1;
	count_chunks(q, step, chunks, count);
#pragma omp parallel for schedule(dynamic) reduction(|:status) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		status |= settle_runs(q, count + c * distinct, c * step,
				      RM_MIN(n, (c + 1) * step));
	free(count);
	return status;
}

static double square_share(double count, double n)
{
	return count / n * (count / n);
}

static void find_shares(struct kendall *q)
{
	const struct rm_order *x = q->r->x;
	double n = (double)x->n;
	size_t j, end, v;

	q->u = q->v = 1;
	for (v = 0; v < q->r->y->distinct; v++) {
		q->v -= square_share(q->r->y->count[v], n);
		q->below[v + 1] = q->below[v] + q->r->y->count[v];
	}
	for (j = 0; j < x->n; j = end) {
		end = rm_order_run(x, j);
		q->u -= square_share((double)(end - j), n);
	}
}

int rm_kendall_error(const struct rm_ranks *r, double tau, double *error)
{
	struct kendall q = { .r = r, .tau = tau };
	int status = -1;

	q.below = rm_calloc(r->y->distinct + 1, sizeof(*q.below));
	q.psi = new_psi(r);
	if (q.below && q.psi) {
		find_shares(&q);
		status = settle(&q);
	}
	if (status == 0)
		status = rm_responses_error(r->s, q.psi, error);
	free(q.below);
	free(q.psi);
	return status;
}
