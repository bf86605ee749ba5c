/*
 * pairs: a block of queries meets one of keys in products of pairs of bf16
 * (see bf16.h).  For attention.c and attention/back.c alone.
 */
#ifndef RM_ATTENTION_PAIRS_H
#define RM_ATTENTION_PAIRS_H

#include "attention/blocks.h"

/* Numbers of a thread's space that struct paired takes. */
static inline size_t paired_size(size_t W)
{
	return BLOCK * (8 * W / 2 + PAIR_ROWS / 2 + BLOCK);
}

static inline struct paired set_paired(uint32_t *at, size_t W)
{
	size_t each = BLOCK * W / 2;
	struct paired s = {
		.q = at, .dy = at + each, .kt = at + 2 * each,
		.vt = at + 3 * each, .k = at + 4 * each, .v = at + 5 * each,
		.q2 = at + 6 * each, .dy2 = at + 7 * each
	};

	s.row = at + 8 * each;
	s.p = s.row + PAIR_ROWS * BLOCK / 2;
	s.ds = s.p + BLOCK * BLOCK / 2;
	return s;
}

/* Products are in bf16 here. */
static inline bool by_pairs(const struct rm_attention *a)
{
	return a->precision == RM_BF16 && !by_position(a) && rm_has_pairs();
}

#ifdef RM_PAIRS

/* to[n, width / 2] = rows from[n, width]; width is a multiple of WIDE. */
RM_PAIRS RM_INLINE
void pair_along(uint32_t *to, const rm_real *from, size_t width, size_t n)
{
	for (size_t r = 0; r < n; r++)
		for (size_t c = 0; c < width; c += 2 * WIDE) {
			const rm_real *x = from + r * width + c;
			size_t more = width - c - WIDE;

			rm_pairs_along(to + (r * width + c) / 2,
				       rm_pairs_load(x, WIDE),
				       rm_pairs_load(x + WIDE, more));
		}
}

/* to[n / 2, width] = rows from[n, width] in twos. */
RM_PAIRS RM_INLINE
void pair_across(uint32_t *to, const rm_real *from, size_t width, size_t n)
{
	for (size_t r = 0; r < n; r += 2)
		for (size_t c = 0; c < width; c += WIDE) {
			const rm_real *x = from + r * width + c;

			rm_pairs_across(to + r / 2 * width + c,
					_mm512_loadu_ps(x),
					_mm512_loadu_ps(x + width));
		}
}

/* to[W / 2, BLOCK] = from[n, W / 2] turned, n a multiple of LANES. */
RM_PAIRS RM_INLINE
void pair_turn(uint32_t *to, const uint32_t *from, size_t W, size_t n)
{
	for (size_t j = 0; j < n; j += LANES)
		for (size_t d = 0; d < W / 2; d += LANES) {
			rm_vec v[LANES];

			for (size_t i = 0; i < LANES; i++)
				memcpy(&v[i], from + (j + i) * (W / 2) + d,
				       sizeof(*v));
			rm_turn_eight(v);
			for (size_t i = 0; i < LANES; i++)
				memcpy(to + (d + i) * BLOCK + j, &v[i],
				       sizeof(*v));
		}
}

/* y[PAIR_ROWS, n] = x[PAIR_ROWS, W / 2] kt[W / 2, BLOCK] */
RM_PAIRS RM_INLINE
void pair_scores(rm_real *y, const uint32_t *x, const uint32_t *kt, size_t W,
		 size_t n)
{
	size_t c = 0;

	for (; c + 2 * WIDE <= n; c += 2 * WIDE)
		rm_pairs_kernel(y + c, BLOCK, x, W / 2, 1, kt + c, BLOCK,
				W / 2, PAIR_ROWS, 2, false);
	if (c < n)
		rm_pairs_kernel(y + c, BLOCK, x, W / 2, 1, kt + c, BLOCK,
				W / 2, PAIR_ROWS, 1, false);
}

/*
 * o[PAIR_ROWS, W] += weights of n rows v[n / 2, W]; the pair of weights of
 * row r at step j is p[r * row + j * step].
 */
RM_PAIRS RM_INLINE
void pair_values(rm_real *o, const uint32_t *p, const size_t row,
		 const size_t step, const uint32_t *v, size_t W, size_t n)
{
	size_t c = 0;

	for (; c + 2 * WIDE <= W; c += 2 * WIDE)
		rm_pairs_kernel(o + c, W, p, row, step, v + c, W, n / 2,
				PAIR_ROWS, 2, true);
	if (c < W)
		rm_pairs_kernel(o + c, W, p, row, step, v + c, W, n / 2,
				PAIR_ROWS, 1, true);
}

#endif

#endif
