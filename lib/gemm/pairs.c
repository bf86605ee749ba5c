/*
 * Products in bf16.  COLUMNS of one matrix, a panel, stand as pairs that
 * follow each other in what is summed over, DEPTH at a time, so that the panel
 * stays in the first cache; every ROWS of the other meet it in registers.
 *
 * y = x w': panels are packed beforehand.  A piece is STRIPE rows of x with
 * some panels; its rows are rounded, which is what makes pairs of them, into
 * the second cache.
 *
 * y += x' w: pairs are those of neighbouring rows, so nothing is turned: two
 * rows are rounded and put one between the other.  A piece is BLOCK columns
 * of x, which are rows of y, with some panels of w.
 */
#include "gemm/pairs.h"
#include "gemm/pieces.h"

#ifdef RM_PAIRS

#define ROWS ((size_t)12)
#define LANES ((size_t)RM_WIDE_LANES)
#define COLUMNS ((size_t)RM_PAIRS_COLUMNS)
#define DEPTH ((size_t)RM_PAIRS_DEPTH)
#define PAIRS (DEPTH / 2)
/* A multiple of ROWS and of LANES; from one to the next no power of two. */
#define BLOCK (32 * ROWS)
#define BESIDE (BLOCK + LANES)
/* Rows of a piece, and pairs from one to the next: not a power of two. */
#define STRIPE (8 * ROWS)
#define STRIDE (PAIRS + LANES)

/* Rows that are asked for before they are read. */
#define AHEAD ((size_t)8)
/* Whole cache lines. */
#define LINES __attribute__((aligned(64)))

struct job {
	size_t m, n, k;
	const float *x, *w;
	size_t ldx, ldw;
	const uint32_t *packed;	/* in w's place, as panel_at says */
	float *y;
	bool add;
	size_t groups, per;	/* of panels: pieces of a block */
};

typedef void kernel_fn(float *y, size_t ldy, const uint32_t *x,
		       const uint32_t *w, size_t pairs);

/* Of columns that stand BESIDE apart, and of rows that stand STRIDE apart. */
RM_PAIRS
static void add_columns(float *y, size_t ldy, const uint32_t *x,
			const uint32_t *w, size_t pairs)
{
	rm_pairs_kernel(y, ldy, x, 1, BESIDE, w, COLUMNS, pairs, ROWS, 2,
			true);
}

RM_PAIRS
static void add_rows(float *y, size_t ldy, const uint32_t *x,
		     const uint32_t *w, size_t pairs)
{
	rm_pairs_kernel(y, ldy, x, STRIDE, 1, w, COLUMNS, pairs, ROWS, 2,
			true);
}

RM_PAIRS
static void put_rows(float *y, size_t ldy, const uint32_t *x,
		     const uint32_t *w, size_t pairs)
{
	rm_pairs_kernel(y, ldy, x, STRIDE, 1, w, COLUMNS, pairs, ROWS, 2,
			false);
}

/* A tile at the lower or right edge goes through memory of its own. */
static void edge(kernel_fn *fn, float *y, size_t ldy, const uint32_t *x,
		 const uint32_t *w, size_t pairs, size_t rows, size_t n)
{
	float tile[ROWS * COLUMNS] = {0};

	for (size_t r = 0; r < rows; r++)
		memcpy(tile + r * COLUMNS, y + r * ldy, n * sizeof(*y));
	fn(tile, COLUMNS, x, w, pairs);
	for (size_t r = 0; r < rows; r++)
		memcpy(y + r * ldy, tile + r * COLUMNS, n * sizeof(*y));
}

/*
 * to[(run + 1) / 2, width] = columns [0, n) of `run` rows, in pairs: of the
 * earlier row the lower half; zeros from n on.
 */
RM_PAIRS
static void copy_pairs(uint32_t *to, size_t width, const float *from,
		       size_t ld, size_t n, size_t run)
{
	for (size_t i = 0; i < run; i += 2, to += width, from += 2 * ld) {
		const float *later = from + (i + AHEAD < run ? AHEAD * ld : 0);
		const float *next = from + (i + 1 < run ? ld : 0);

		for (size_t c = 0; c < width; c += LANES) {
			size_t some = c < n ? n - c : 0;

			_mm_prefetch((const char *)(later + c), _MM_HINT_T0);
			if (i + AHEAD + 1 < run)
				_mm_prefetch((const char *)(later + ld + c),
					     _MM_HINT_T0);
			rm_pairs_across(to + c, rm_pairs_load(from + c, some),
					rm_pairs_load(next + c, next > from ?
						      some : 0));
		}
	}
}

/* A block of `rows` rows of x, `step` pairs apart, with one panel of w. */
static void meet(kernel_fn *fn, float *y, size_t ldy, const uint32_t *x,
		 size_t step, const uint32_t *w, size_t pairs, size_t rows,
		 size_t n)
{
	for (size_t t = 0; t < rows; t += ROWS) {
		size_t some = RM_MIN(ROWS, rows - t);

		if (some == ROWS && n == COLUMNS)
			fn(y + t * ldy, ldy, x + t * step, w, pairs);
		else
			edge(fn, y + t * ldy, ldy, x + t * step, w, pairs,
			     some, n);
	}
}

/* ---- y += x' w ---- */

static void do_block(void *arg, size_t piece)
{
	const struct job *j = arg;
	size_t row = piece / j->groups * BLOCK;
	size_t first = piece % j->groups * j->per * COLUMNS;
	size_t end = RM_MIN(first + j->per * COLUMNS, j->n);
	size_t rows = RM_MIN(BLOCK, j->m - row);
	uint32_t x[PAIRS * BESIDE] LINES, w[PAIRS * COLUMNS] LINES;

	for (size_t c = 0; c < j->k; c += DEPTH) {
		size_t run = RM_MIN(DEPTH, j->k - c), pairs = (run + 1) / 2;

		copy_pairs(x, BESIDE, j->x + c * j->ldx + row, j->ldx, rows,
			   run);
		for (size_t p = first; p < end; p += COLUMNS) {
			size_t n = RM_MIN(COLUMNS, j->n - p);

			copy_pairs(w, COLUMNS, j->w + c * j->ldw + p, j->ldw,
				   n, run);
			meet(add_columns, j->y + row * j->n + p, j->n, x, 1, w,
			     pairs, rows, n);
		}
	}
}

static void share(struct job *j, void (*fn)(void *arg, size_t piece),
		  size_t block, size_t want)
{
	size_t blocks = (j->m + block - 1) / block;
	size_t panels = (j->n + COLUMNS - 1) / COLUMNS;

	rm_gemm_pieces(blocks, panels, want * rm_threads(), &j->groups,
		       &j->per);
	rm_parallel(blocks * j->groups, fn, j);
}

void rm_pairs_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		   const rm_real *w, size_t ldw, rm_real *y)
{
	struct job j = {
		.m = m, .n = n, .k = k, .x = x, .w = w, .ldx = ldx,
		.ldw = ldw, .y = y
	};

	share(&j, do_block, BLOCK, 1);
}

/* ---- y = x w' ---- */

size_t rm_pairs_packed(size_t n, size_t k)
{
	return (k + 1) / 2 * ((n + COLUMNS - 1) / COLUMNS * COLUMNS);
}

/* [runs][panels][run / 2, COLUMNS]: where the run from c on has panel p. */
static size_t panel_at(size_t n, size_t k, size_t c, size_t p)
{
	size_t panels = (n + COLUMNS - 1) / COLUMNS;
	size_t pairs = (RM_MIN(DEPTH, k - c) + 1) / 2;

	return (c / 2 * panels + p * pairs) * COLUMNS;
}

void rm_pairs_pack(uint32_t *to, size_t n, size_t k, size_t c, size_t p,
		   const rm_real *from)
{
	copy_pairs(to + panel_at(n, k, c, p), COLUMNS, from, COLUMNS, COLUMNS,
		   RM_MIN(DEPTH, k - c));
}

/* Two lines from x on. */
RM_INLINE void prefetch_two(const float *x)
{
	__builtin_prefetch(x);
	__builtin_prefetch(x + LANES);
}

/* to[., STRIDE] = rows of x, and zero rows up to a multiple of ROWS. */
RM_PAIRS
static void round_rows(uint32_t *to, const float *x, size_t ld, size_t rows,
		       size_t run)
{
	size_t all = (rows + ROWS - 1) / ROWS * ROWS;

	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < run; c += 2 * LANES) {
			size_t some = run - c;
			const float *at = x + r * ld + c;
			size_t more = some > LANES ? some - LANES : 0;

			if (r + AHEAD / 2 < rows)
				prefetch_two(at + AHEAD / 2 * ld);
			rm_pairs_along(to + r * STRIDE + c / 2,
				       rm_pairs_load(at, some),
				       rm_pairs_load(at + LANES, more));
		}
	memset(to + rows * STRIDE, 0, (all - rows) * STRIDE * sizeof(*to));
}

static void do_stripe(void *arg, size_t piece)
{
	const struct job *j = arg;
	size_t row = piece / j->groups * STRIPE;
	size_t first = piece % j->groups * j->per;
	size_t panels = (j->n + COLUMNS - 1) / COLUMNS;
	size_t end = RM_MIN(first + j->per, panels);
	size_t rows = RM_MIN(STRIPE, j->m - row);
	uint32_t x[STRIPE * STRIDE] LINES;

	for (size_t c = 0; c < j->k; c += DEPTH) {
		size_t run = RM_MIN(DEPTH, j->k - c);

		round_rows(x, j->x + row * j->k + c, j->k, rows, run);
		for (size_t p = first; p < end; p++)
			meet(c || j->add ? add_rows : put_rows,
			     j->y + row * j->n + p * COLUMNS, j->n, x, STRIDE,
			     j->packed + panel_at(j->n, j->k, c, p),
			     (run + 1) / 2, rows,
			     RM_MIN(COLUMNS, j->n - p * COLUMNS));
	}
}

void rm_pairs_product(size_t m, size_t n, size_t k, const rm_real *x,
		      const uint32_t *w, rm_real *y, bool add)
{
	struct job j = {
		.m = m, .n = n, .k = k, .x = x, .packed = w, .y = y,
		.add = add
	};

	share(&j, do_stripe, STRIPE, 2);
}

#else

void rm_pairs_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		   const rm_real *w, size_t ldw, rm_real *y)
{
	(void)m, (void)n, (void)k, (void)x, (void)ldx, (void)w, (void)ldw;
	(void)y;
}

size_t rm_pairs_packed(size_t n, size_t k)
{
	return n * k;
}

void rm_pairs_pack(uint32_t *to, size_t n, size_t k, size_t c, size_t p,
		   const rm_real *from)
{
	(void)to, (void)n, (void)k, (void)c, (void)p, (void)from;
}

void rm_pairs_product(size_t m, size_t n, size_t k, const rm_real *x,
		      const uint32_t *w, rm_real *y, bool add)
{
	(void)m, (void)n, (void)k, (void)x, (void)w, (void)y, (void)add;
}

#endif
