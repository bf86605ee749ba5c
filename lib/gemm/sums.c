/*
 * Sums of outer products: y += x' w over the rows that x and w share, as
 * gradients of weights are.
 *
 * A piece is BLOCK columns of x, which are rows of y, with some panels of
 * COLUMNS of w.  Over DEPTH rows at a time the piece's x is copied side by
 * side (it stays in the second cache) and a panel of w into a dense one (in
 * the first); every ROWS of the one meet the other in registers.
 *
 * In bf16, where the processor has tiles for it, oneDNN multiplies instead:
 * both are turned and rounded, RUN rows at a time; where it has vectors,
 * pairs.c.
 */
#pragma GCC optimize("fp-contract=fast")

#include "gemm.h"
#include "gemm/pairs.h"
#include "gemm/pieces.h"
#include "vector.h"

#include <stdlib.h>

#define ROWS ((size_t)6)
#define COLUMNS (2 * (size_t)RM_LANES)
#define DEPTH ((size_t)256)
#define BLOCK (32 * ROWS)
/* Panels that are copied together: whole cache lines side by side. */
#define PANELS ((size_t)4)

struct job {
	size_t m, n, k;
	const rm_real *x, *w;
	size_t ldx, ldw;
	rm_real *y;
	bool bf16;
	size_t groups, per;	/* of panels: pieces of a block */
	rm_real *space;		/* of each thread, SPACE numbers */
};

#define SPACE (DEPTH * (BLOCK + PANELS * COLUMNS))

/* y[ROWS, COLUMNS] += x[run, BLOCK]' w[run, COLUMNS], the first ROWS of x */
RM_INLINE void kernel(rm_real *y, size_t ldy, const rm_real *x,
		      const rm_real *w, size_t run)
{
	rm_vec s[ROWS][2];

	for (size_t r = 0; r < ROWS; r++)
		memcpy(s[r], y + r * ldy, sizeof(s[r]));
	for (size_t c = 0; c < run; c++) {
		rm_vec a, b;

		memcpy(&a, w + c * COLUMNS, sizeof(a));
		memcpy(&b, w + c * COLUMNS + RM_LANES, sizeof(b));
		for (size_t r = 0; r < ROWS; r++) {
			s[r][0] += x[c * BLOCK + r] * a;
			s[r][1] += x[c * BLOCK + r] * b;
		}
	}
	for (size_t r = 0; r < ROWS; r++)
		memcpy(y + r * ldy, s[r], sizeof(s[r]));
}

/* A tile at the lower or right edge goes through memory of its own. */
RM_INLINE void edge(rm_real *y, size_t ldy, const rm_real *x,
		    const rm_real *w, size_t run, size_t rows, size_t n)
{
	rm_real tile[ROWS * COLUMNS] = {0};

	for (size_t r = 0; r < rows; r++)
		memcpy(tile + r * COLUMNS, y + r * ldy, n * sizeof(*y));
	kernel(tile, COLUMNS, x, w, run);
	for (size_t r = 0; r < rows; r++)
		memcpy(y + r * ldy, tile + r * COLUMNS, n * sizeof(*y));
}

static void round_all(rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = rm_of_bf16(rm_to_bf16((float)x[i]));
}

/* to[run, BLOCK]: n columns of x from row `first` on, then zeros. */
static void copy_x(const struct job *j, rm_real *to, size_t column, size_t n,
		   size_t first, size_t run)
{
	const rm_real *x = j->x + first * j->ldx + column;

	if (n < BLOCK)
		memset(to, 0, run * BLOCK * sizeof(*to));
	for (size_t c = 0; c < run; c++)
		memcpy(to + c * BLOCK, x + c * j->ldx, n * sizeof(*to));
	if (j->bf16)
		round_all(to, run * BLOCK);
}

/* to[PANELS][run, COLUMNS]: n columns of w from row `first` on. */
static void copy_w(const struct job *j, rm_real *to, size_t column, size_t n,
		   size_t first, size_t run)
{
	for (size_t p = 0; p < n; p += COLUMNS) {
		const rm_real *w = j->w + first * j->ldw + column + p;
		rm_real *at = to + p * run;
		size_t some = n - p;

		/* Of a size that the compiler knows. */
		for (size_t c = 0; some >= COLUMNS && c < run; c++)
			memcpy(at + c * COLUMNS, w + c * j->ldw,
			       COLUMNS * sizeof(*at));
		if (some >= COLUMNS)
			continue;
		memset(at, 0, run * COLUMNS * sizeof(*at));
		for (size_t c = 0; c < run; c++)
			memcpy(at + c * COLUMNS, w + c * j->ldw,
			       some * sizeof(*at));
	}
	if (j->bf16)
		round_all(to, (n + COLUMNS - 1) / COLUMNS * run * COLUMNS);
}

/* A block of x, from row t of y on, with one panel of w. */
RM_INLINE void meet_panel(const struct job *j, const rm_real *x,
			  const rm_real *w, size_t row, size_t column,
			  size_t run, size_t t)
{
	size_t rows = RM_MIN(BLOCK, j->m - row);
	size_t n = RM_MIN(COLUMNS, j->n - column);

	for (; t < rows; t += ROWS) {
		rm_real *y = j->y + (row + t) * j->n + column;

		if (t + ROWS <= rows && n == COLUMNS)
			kernel(y, j->n, x + t, w, run);
		else
			edge(y, j->n, x + t, w, run,
			     RM_MIN(ROWS, rows - t), n);
	}
}

/* A block of x with panels of w, of n columns together. */
RM_VECTOR_FMA
static void meet_narrow(const struct job *j, const rm_real *x,
			const rm_real *w, size_t row, size_t column,
			size_t n, size_t run)
{
	for (size_t i = 0; i < n; i += COLUMNS)
		meet_panel(j, x, w + i * run, row, column + i, run, 0);
}

#ifdef RM_WIDE

#define WIDE_ROWS ((size_t)12)
/* Panels at once: with them sums fill the registers, and loads are few. */
#define WIDE_PANELS ((size_t)2)

/* As kernel, of two panels side by side. */
RM_INLINE void wide_kernel(rm_real *y, size_t ldy, const rm_real *x,
			   const rm_real *w, size_t run)
{
	rm_wide s[WIDE_ROWS][WIDE_PANELS];

	for (size_t r = 0; r < WIDE_ROWS; r++)
		memcpy(s[r], y + r * ldy, sizeof(s[r]));
	for (size_t c = 0; c < run; c++) {
		rm_wide a, b;

		memcpy(&a, w + c * COLUMNS, sizeof(a));
		memcpy(&b, w + (run + c) * COLUMNS, sizeof(b));
#pragma GCC unroll 12
		for (size_t r = 0; r < WIDE_ROWS; r++) {
			s[r][0] += x[c * BLOCK + r] * a;
			s[r][1] += x[c * BLOCK + r] * b;
		}
	}
	for (size_t r = 0; r < WIDE_ROWS; r++)
		memcpy(y + r * ldy, s[r], sizeof(s[r]));
}

/* Panels in twos and rows in twelves as far as they go, the rest as above. */
RM_WIDE
static void meet_wide(const struct job *j, const rm_real *x, const rm_real *w,
		      size_t row, size_t column, size_t n, size_t run)
{
	size_t rows = RM_MIN(BLOCK, j->m - row), i = 0;
	size_t whole = rows - rows % WIDE_ROWS;

	_Static_assert(COLUMNS == RM_WIDE_LANES, "a panel is a wide vector");
	for (; i + WIDE_PANELS * COLUMNS <= n; i += WIDE_PANELS * COLUMNS) {
		rm_real *y = j->y + row * j->n + column + i;

		for (size_t t = 0; t < whole; t += WIDE_ROWS)
			wide_kernel(y + t * j->n, j->n, x + t, w + i * run,
				    run);
		for (size_t v = i; v < i + WIDE_PANELS * COLUMNS; v += COLUMNS)
			meet_panel(j, x, w + v * run, row, column + v, run,
				   whole);
	}
	for (; i < n; i += COLUMNS)
		meet_panel(j, x, w + i * run, row, column + i, run, 0);
}

#endif

static void meet(const struct job *j, const rm_real *x, const rm_real *w,
		 size_t row, size_t column, size_t n, size_t run)
{
#ifdef RM_WIDE
	if (rm_has_wide()) {
		meet_wide(j, x, w, row, column, n, run);
		return;
	}
#endif
	meet_narrow(j, x, w, row, column, n, run);
}

static void do_piece(void *arg, size_t piece)
{
	const struct job *j = arg;
	size_t row = piece / j->groups * BLOCK;
	size_t panel = piece % j->groups * j->per;
	size_t end = RM_MIN((panel + j->per) * COLUMNS, j->n);
	rm_real *x = j->space + rm_thread_index() * SPACE;
	rm_real *w = x + DEPTH * BLOCK;

	for (size_t c = 0; c < j->k; c += DEPTH) {
		size_t run = RM_MIN(DEPTH, j->k - c);

		copy_x(j, x, row, RM_MIN(BLOCK, j->m - row), c, run);
		for (size_t p = panel * COLUMNS; p < end;
		     p += PANELS * COLUMNS) {
			size_t n = RM_MIN(PANELS * COLUMNS, end - p);

			copy_w(j, w, p, n, c, run);
			meet(j, x, w, row, p, n, run);
		}
	}
}

/* ---- by oneDNN ---- */

/* Rows that are multiplied at once, at most; a multiple of RUN_STEP. */
#define RUN ((size_t)1024)
#define RUN_STEP ((size_t)256)
/* Columns that a thread turns at a time. */
#define TURN ((size_t)16)

struct turning {
	const rm_real *from;	/* [run, columns], ld numbers apart */
	size_t ld, run, columns, depth;
	rm_real *to;		/* [columns, depth], NULL: as bf16 */
	uint16_t *to_bf16;
};

/* Number c of row i, or 0 where the run has ended. */
static rm_real number_at(const struct turning *t, size_t i, size_t c)
{
	return i < t->run ? t->from[i * t->ld + c] : 0;
}

/* Columns [c, c + n) of rows [i, i + rows), one by one. */
static void turn_slowly(const struct turning *t, size_t i, size_t rows,
			size_t c, size_t n)
{
	for (size_t j = i; j < i + rows; j++)
		for (size_t d = c; d < c + n; d++) {
			rm_real x = number_at(t, j, d);

			if (t->to)
				t->to[d * t->depth + j] = x;
			else
				t->to_bf16[d * t->depth + j] =
					rm_to_bf16((float)x);
		}
}

RM_VECTOR
static void turn_columns(void *arg, size_t piece)
{
	const struct turning *t = arg;
	size_t first = piece * TURN, end = RM_MIN(first + TURN, t->columns);
	size_t whole = end - first == TURN ? t->run - t->run % RM_LANES : 0;

	for (size_t i = 0; i < whole; i += RM_LANES)
		for (size_t c = first; c < end; c += RM_LANES) {
			rm_vec v[RM_LANES];

			for (size_t j = 0; j < RM_LANES; j++)
				memcpy(&v[j], t->from + (i + j) * t->ld + c,
				       sizeof(*v));
			rm_turn_eight(v);
			for (size_t j = 0; j < RM_LANES; j++) {
				size_t at = (c + j) * t->depth + i;

				if (t->to)
					memcpy(t->to + at, &v[j], sizeof(*v));
				else
					for (size_t k = 0; k < RM_LANES; k++)
						t->to_bf16[at + k] =
							rm_to_bf16((float)
								   v[j][k]);
			}
		}
	turn_slowly(t, whole, t->depth - whole, first, end - first);
}

static void turn(const struct turning *t)
{
	rm_parallel((t->columns + TURN - 1) / TURN, turn_columns,
		    (void *)(uintptr_t)t);
}

/* y[m, n] += one run's product */
static int add_run(struct rm_onednn *o, size_t m, const struct turning *x,
		   const struct turning *w, rm_real *y)
{
	turn(x);
	turn(w);
	if (rm_onednn_set(o, w->to ? (void *)w->to : w->to_bf16) < 0)
		return -1;
	return rm_onednn_product(m, x->to, o, y, true);
}

int rm_onednn_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		   const rm_real *w, size_t ldw, rm_real *y, bool bf16)
{
	size_t depth = RM_MIN(RUN, (k + RUN_STEP - 1) / RUN_STEP * RUN_STEP);
	struct rm_onednn *o = rm_onednn_new(n, depth, bf16);
	rm_real *xt = rm_malloc(m, depth * sizeof(*xt));
	void *wt = rm_malloc(n, depth * sizeof(rm_real));
	int status = o && xt && wt ? 0 : -1;

	for (size_t at = 0; at < k && status == 0; at += depth) {
		size_t run = RM_MIN(depth, k - at);
		const struct turning of_x = { x + at * ldx, ldx, run, m,
					      depth, xt, NULL };
		const struct turning of_w = { w + at * ldw, ldw, run, n,
					      depth, bf16 ? NULL : wt,
					      bf16 ? wt : NULL };

		status = add_run(o, m, &of_x, &of_w, y);
	}
	rm_onednn_free(o);
	free(xt);
	free(wt);
	return status;
}

/* ---- either ---- */

int rm_gemm_tn(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
	       const rm_real *w, size_t ldw, rm_real *y,
	       enum rm_precision precision)
{
	struct job j = {
		.m = m, .n = n, .k = k, .x = x, .w = w, .ldx = ldx,
		.ldw = ldw, .y = y, .bf16 = precision == RM_BF16
	};
	size_t blocks = (m + BLOCK - 1) / BLOCK, threads = rm_threads();
	size_t panels = (n + COLUMNS - 1) / COLUMNS;

	if (m == 0 || n == 0 || k == 0)
		return 0;
	if (j.bf16 && rm_bf16_by() == RM_BY_PAIRS) {
		rm_pairs_sums(m, n, k, x, ldx, w, ldw, y);
		return 0;
	}
	if (j.bf16 && rm_bf16_by() == RM_BY_ONEDNN)
		return rm_onednn_sums(m, n, k, x, ldx, w, ldw, y, true);
	rm_gemm_pieces(blocks, panels, 4 * threads, &j.groups, &j.per);
	j.space = rm_malloc(threads * SPACE, sizeof(*j.space));
	if (!j.space)
		return -1;
	rm_parallel(blocks * j.groups, do_piece, &j);
	free(j.space);
	return 0;
}
