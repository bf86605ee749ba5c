/*
 * Products with packed weights: y = x w'.
 *
 * Weights stand in panels of COLUMNS outputs, input by input, cut into runs of
 * DEPTH inputs so that a panel's run stays in the first cache while ROWS rows
 * of x at a time pass by; STRIPE rows of x stay in the second.  Goto and van
 * de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008.  Every
 * number is summed over the inputs in order, in runs of DEPTH: what stands in
 * other rows, or how many there are, changes no bit.
 */
#pragma GCC optimize("fp-contract=fast")

#include "gemm.h"
#include "gemm/onednn.h"
#include "vector.h"

#include <stdlib.h>

#define ROWS ((size_t)6)
#define VECTORS ((size_t)2)
#define COLUMNS (VECTORS * RM_LANES)
#define DEPTH ((size_t)512)
#define STRIPE ((size_t)96)

struct rm_packed {
	size_t n, k;
	size_t panels;
	enum rm_precision precision;
	rm_real *w;		/* [runs][panels][run, COLUMNS] */
	struct rm_onednn *onednn;	/* in its place, where it has units */
};

/* ---- packing ---- */

/* Rounded, as far as fp32 knows the number. */
static rm_real to_bf16(rm_real x)
{
	return rm_of_bf16(rm_to_bf16((float)x));
}

/* Row r of the whole, input c. */
static void put(struct rm_packed *p, size_t r, size_t c, rm_real x)
{
	size_t first = c / DEPTH * DEPTH, run = RM_MIN(DEPTH, p->k - first);
	rm_real *panel = p->w + first * p->panels * COLUMNS +
		r / COLUMNS * run * COLUMNS;

	panel[(c - first) * COLUMNS + r % COLUMNS] =
		p->precision == RM_BF16 ? to_bf16(x) : x;
}

/* The matrices as they come. */
struct parts {
	const rm_real *const *w;
	const size_t *rows;
	size_t n;
	bool turned;
};

static int pack_panels(struct rm_packed *p, const struct parts *x)
{
	p->panels = (p->n + COLUMNS - 1) / COLUMNS;
	p->w = rm_calloc_aligned(p->panels * p->k, COLUMNS * sizeof(*p->w));
	if (!p->w)
		return -1;
	for (size_t i = 0, at = 0; i < x->n; at += x->rows[i++])
		for (size_t r = 0; r < x->rows[i]; r++)
			for (size_t c = 0; c < p->k; c++)
				put(p, at + r, c, x->turned ?
				    x->w[i][c * x->rows[i] + r] :
				    x->w[i][r * p->k + c]);
	return 0;
}

static int pack_onednn(struct rm_packed *p, const struct parts *x)
{
	uint16_t *all = rm_malloc(p->n, p->k * sizeof(*all)), *to = all;

	if (!all)
		return -1;
	for (size_t i = 0; i < x->n; i++)
		for (size_t r = 0; r < x->rows[i]; r++)
			for (size_t c = 0; c < p->k; c++)
				*to++ = rm_to_bf16((float)(x->turned ?
					x->w[i][c * x->rows[i] + r] :
					x->w[i][r * p->k + c]));
	p->onednn = rm_onednn_new(p->n, p->k, all, true);
	free(all);
	return p->onednn ? 0 : -1;
}

struct rm_packed *rm_gemm_pack(size_t n, size_t k, const rm_real *const *w,
			       const size_t *rows, size_t parts, bool turned,
			       enum rm_precision precision)
{
	const struct parts x = { w, rows, parts, turned };
	struct rm_packed *p = rm_calloc(1, sizeof(*p));
	bool units = precision == RM_BF16 &&
		rm_onednn_units() != RM_BF16_NO_UNITS;

	if (!p)
		return NULL;
	*p = (struct rm_packed){ .n = n, .k = k, .precision = precision };
	if ((units ? pack_onednn : pack_panels)(p, &x) == 0)
		return p;
	rm_packed_free(p);
	return NULL;
}

void rm_packed_free(struct rm_packed *p)
{
	if (!p)
		return;
	free(p->w);
	rm_onednn_free(p->onednn);
	free(p);
}

/* ---- the kernel ---- */

/*
 * y[ROWS, COLUMNS] = (first ? 0 : y) + x[ROWS, run] panel; rows of x and y
 * where their addresses say, of y all COLUMNS.
 */
RM_INLINE void kernel(rm_real *const *y, const rm_real *const *x,
		      const rm_real *panel, size_t run, bool first)
{
	rm_vec s[ROWS][VECTORS];

	for (size_t r = 0; r < ROWS; r++) {
		if (first)
			memset(s[r], 0, sizeof(s[r]));
		else
			memcpy(s[r], y[r], sizeof(s[r]));
	}
	for (size_t c = 0; c < run; c++) {
		rm_vec a, b;

		memcpy(&a, panel + c * COLUMNS, sizeof(a));
		memcpy(&b, panel + c * COLUMNS + RM_LANES, sizeof(b));
		for (size_t r = 0; r < ROWS; r++) {
			s[r][0] += x[r][c] * a;
			s[r][1] += x[r][c] * b;
		}
	}
	for (size_t r = 0; r < ROWS; r++)
		memcpy(y[r], s[r], sizeof(s[r]));
}

struct job {
	size_t m;
	const rm_real *x;
	const struct rm_packed *w;
	rm_real *y;
	size_t stripe;		/* rows of a piece */
	size_t groups, per;	/* of panels: pieces of a stripe */
	rm_real *rounded;	/* [threads, stripe, k] of x, or NULL */
};

/* Some panels, and some rows of which rows beyond m are the last again. */
struct part {
	const struct job *j;
	const rm_real *x;	/* of the first row, [., k] */
	size_t row, rows;
	size_t from, to;	/* panels */
};

/* A tile at the right edge goes through memory of its own. */
RM_INLINE void edge(rm_real *const *y, const rm_real *const *x,
		    const rm_real *panel, size_t run, bool first, size_t n)
{
	rm_real tile[ROWS][COLUMNS], *to[ROWS];

	for (size_t r = 0; r < ROWS; r++) {
		to[r] = tile[r];
		memset(tile[r], 0, sizeof(tile[r]));
		if (!first)
			memcpy(tile[r], y[r], n * sizeof(**tile));
	}
	kernel(to, x, panel, run, first);
	for (size_t r = 0; r < ROWS; r++)
		memcpy(y[r], tile[r], n * sizeof(**tile));
}

RM_VECTOR_FMA
static void compute(const struct part *p, size_t first, size_t run)
{
	const struct rm_packed *w = p->j->w;
	const rm_real *panels = w->w + first * w->panels * COLUMNS;
	rm_real spare[COLUMNS];

	for (size_t i = p->from; i < p->to; i++) {
		size_t n = RM_MIN(COLUMNS, w->n - i * COLUMNS);

		for (size_t t = 0; t < p->rows; t += ROWS) {
			const rm_real *x[ROWS];
			rm_real *y[ROWS];

			for (size_t r = 0; r < ROWS; r++) {
				bool in = t + r < p->rows;
				size_t row = in ? t + r : t;

				x[r] = p->x + row * w->k + first;
				y[r] = in ? p->j->y + (p->row + row) * w->n +
					i * COLUMNS : spare;
			}
			if (n == COLUMNS)
				kernel(y, x, panels + i * run * COLUMNS, run,
				       first == 0);
			else
				edge(y, x, panels + i * run * COLUMNS, run,
				     first == 0, n);
		}
	}
}

/* Rounded copies of the piece's rows. */
static const rm_real *round_rows(const struct job *j, size_t row, size_t rows)
{
	rm_real *to = j->rounded + rm_thread_index() * j->stripe * j->w->k;
	const rm_real *from = j->x + row * j->w->k;

	for (size_t i = 0; i < rows * j->w->k; i++)
		to[i] = to_bf16(from[i]);
	return to;
}

static void do_piece(void *arg, size_t i)
{
	const struct job *j = arg;
	struct part p = {
		.j = j, .row = i / j->groups * j->stripe,
		.from = i % j->groups * j->per
	};

	p.rows = RM_MIN(j->stripe, j->m - p.row);
	p.to = RM_MIN(p.from + j->per, j->w->panels);
	p.x = j->rounded ? round_rows(j, p.row, p.rows) :
			   j->x + p.row * j->w->k;
	for (size_t c = 0; c < j->w->k; c += DEPTH)
		compute(&p, c, RM_MIN(DEPTH, j->w->k - c));
}

int rm_gemm_packed(size_t m, const rm_real *x, const struct rm_packed *w,
		   rm_real *y)
{
	struct job j = { .m = m, .x = x, .w = w, .y = y, .stripe = STRIPE };
	size_t stripes = (m + STRIPE - 1) / STRIPE, threads = rm_threads();

	if (m == 0 || w->n == 0)
		return 0;
	if (w->onednn)
		return rm_onednn_product(m, x, w->onednn, y);
	/* Few rows are shared by columns. */
	j.groups = stripes >= 2 * threads ? 1 :
		RM_MIN(w->panels, (2 * threads + stripes - 1) / stripes);
	j.per = (w->panels + j.groups - 1) / j.groups;
	j.groups = (w->panels + j.per - 1) / j.per;
	if (w->precision == RM_BF16) {
		j.rounded = rm_malloc(threads * STRIPE * w->k, sizeof(*y));
		if (!j.rounded)
			return -1;
	}
	rm_parallel(stripes * j.groups, do_piece, &j);
	free(j.rounded);
	return 0;
}

enum rm_precision rm_gemm_auto(void)
{
	return rm_onednn_units() == RM_BF16_TILES ? RM_BF16 : RM_FP32;
}
