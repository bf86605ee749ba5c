/*
 * y += x' w in bf16.  The instruction multiplies two numbers of one with two
 * of the other and adds both products to a sum; here the two are those of
 * neighbouring rows, so nothing is turned: two rows are rounded and put one
 * between the other.
 *
 * A piece is BLOCK columns of x, which are rows of y, with some panels of
 * COLUMNS of w.  Over DEPTH rows at a time the piece's x is copied as pairs
 * (it stays in the second cache) and a panel of w (in the first); every ROWS
 * of the one meet the other in registers.
 */
#include "gemm/pairs.h"
#include "gemm/pieces.h"
#include "vector.h"

#if defined(RM_WIDE) && defined(__GNUC__) && \
	(defined(__clang__) || __GNUC__ >= 10)

#include <immintrin.h>
#include <stdlib.h>

#define ROWS ((size_t)12)
#define LANES ((size_t)RM_WIDE_LANES)
#define COLUMNS (2 * LANES)
#define DEPTH ((size_t)512)
#define PAIRS (DEPTH / 2)
/* A multiple of ROWS and of LANES. */
#define BLOCK (16 * ROWS)
#define SPACE (PAIRS * (BLOCK + COLUMNS))

#define BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))

struct job {
	size_t m, n, k;
	const float *x, *w;
	size_t ldx, ldw;
	float *y;
	size_t groups, per;	/* of panels: pieces of a block */
	uint32_t *space;	/* of each thread, SPACE pairs */
};

/* y[ROWS, COLUMNS] += x[pairs, BLOCK]' w[pairs, COLUMNS] */
BF16
static void kernel(float *y, size_t ldy, const uint32_t *x, const uint32_t *w,
		   size_t pairs)
{
	__m512 s[ROWS][2];

#pragma GCC unroll 12
	for (size_t r = 0; r < ROWS; r++) {
		s[r][0] = _mm512_loadu_ps(y + r * ldy);
		s[r][1] = _mm512_loadu_ps(y + r * ldy + LANES);
	}
	for (size_t c = 0; c < pairs; c++) {
		const uint32_t *at = w + c * COLUMNS;
		__m512bh a = (__m512bh)_mm512_loadu_si512(at);
		__m512bh b = (__m512bh)_mm512_loadu_si512(at + LANES);

#pragma GCC unroll 12
		for (size_t r = 0; r < ROWS; r++) {
			int two = (int)x[c * BLOCK + r];
			__m512bh v = (__m512bh)_mm512_set1_epi32(two);

			s[r][0] = _mm512_dpbf16_ps(s[r][0], v, a);
			s[r][1] = _mm512_dpbf16_ps(s[r][1], v, b);
		}
	}
#pragma GCC unroll 12
	for (size_t r = 0; r < ROWS; r++) {
		_mm512_storeu_ps(y + r * ldy, s[r][0]);
		_mm512_storeu_ps(y + r * ldy + LANES, s[r][1]);
	}
}

/* A tile at the lower or right edge goes through memory of its own. */
static void edge(float *y, size_t ldy, const uint32_t *x, const uint32_t *w,
		 size_t pairs, size_t rows, size_t n)
{
	float tile[ROWS * COLUMNS] = {0};

	for (size_t r = 0; r < rows; r++)
		memcpy(tile + r * COLUMNS, y + r * ldy, n * sizeof(*y));
	kernel(tile, COLUMNS, x, w, pairs);
	for (size_t r = 0; r < rows; r++)
		memcpy(y + r * ldy, tile + r * COLUMNS, n * sizeof(*y));
}

/*
 * to[(run + 1) / 2, width] = columns [0, n) of `run` rows, in pairs: of the
 * earlier row the lower half; zeros from n on.
 */
BF16
static void copy_pairs(uint32_t *to, size_t width, const float *from,
		       size_t ld, size_t n, size_t run)
{
	const __m512i order = _mm512_set_epi16(
		31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
		23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);

	for (size_t i = 0; i < run; i += 2, to += width, from += 2 * ld)
		for (size_t c = 0; c < width; c += LANES) {
			size_t some = c < n ? RM_MIN(n - c, LANES) : 0;
			__mmask16 in = (__mmask16)((1U << some) - 1);
			__m512 a = _mm512_maskz_loadu_ps(in, from + c);
			__m512 b = _mm512_maskz_loadu_ps(
				i + 1 < run ? in : 0, from + ld + c);
			__m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);

			_mm512_storeu_si512(to + c,
				_mm512_permutexvar_epi16(order, both));
		}
}

/* A block of x with one panel of w. */
static void meet(const struct job *j, const uint32_t *x, const uint32_t *w,
		 size_t row, size_t column, size_t pairs)
{
	size_t rows = RM_MIN(BLOCK, j->m - row);
	size_t n = RM_MIN(COLUMNS, j->n - column);

	for (size_t t = 0; t < rows; t += ROWS) {
		float *y = j->y + (row + t) * j->n + column;

		if (t + ROWS <= rows && n == COLUMNS)
			kernel(y, j->n, x + t, w, pairs);
		else
			edge(y, j->n, x + t, w, pairs, RM_MIN(ROWS, rows - t),
			     n);
	}
}

static void do_piece(void *arg, size_t piece)
{
	const struct job *j = arg;
	size_t row = piece / j->groups * BLOCK;
	size_t first = piece % j->groups * j->per * COLUMNS;
	size_t end = RM_MIN(first + j->per * COLUMNS, j->n);
	uint32_t *x = j->space + rm_thread_index() * SPACE;
	uint32_t *w = x + PAIRS * BLOCK;

	for (size_t c = 0; c < j->k; c += DEPTH) {
		size_t run = RM_MIN(DEPTH, j->k - c), pairs = (run + 1) / 2;

		copy_pairs(x, BLOCK, j->x + c * j->ldx + row, j->ldx,
			   RM_MIN(BLOCK, j->m - row), run);
		for (size_t p = first; p < end; p += COLUMNS) {
			copy_pairs(w, COLUMNS, j->w + c * j->ldw + p, j->ldw,
				   RM_MIN(COLUMNS, j->n - p), run);
			meet(j, x, w, row, p, pairs);
		}
	}
}

bool rm_pairs_here(void)
{
	return rm_has_wide() && __builtin_cpu_supports("avx512bf16");
}

int rm_pairs_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		  const rm_real *w, size_t ldw, rm_real *y)
{
	struct job j = {
		.m = m, .n = n, .k = k, .x = x, .w = w, .ldx = ldx,
		.ldw = ldw, .y = y
	};
	size_t blocks = (m + BLOCK - 1) / BLOCK, threads = rm_threads();
	size_t panels = (n + COLUMNS - 1) / COLUMNS;

	rm_gemm_pieces(blocks, panels, 4 * threads, &j.groups, &j.per);
	j.space = rm_calloc_aligned(threads * SPACE, sizeof(*j.space));
	if (!j.space)
		return -1;
	rm_parallel(blocks * j.groups, do_piece, &j);
	free(j.space);
	return 0;
}

#else

bool rm_pairs_here(void)
{
	return false;
}

int rm_pairs_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		  const rm_real *w, size_t ldw, rm_real *y)
{
	(void)m, (void)n, (void)k, (void)x, (void)ldx, (void)w, (void)ldw;
	(void)y;
	return rm_fail("built without products of pairs");
}

#endif
