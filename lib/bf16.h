/*
 * bf16: numbers with 8 bits of mantissa, and AVX-512's products of them.
 *
 * The instruction takes vectors of pairs: it multiplies both numbers of a pair
 * with those of another and adds the two products to a sum in fp32.  What is
 * summed over stands in pairs therefore, two bf16 as one uint32_t, the earlier
 * in the lower half.  Numbers too small for fp32's usual form count as 0.
 *
 * RM_PAIRS stands before such functions, which are to be called where
 * rm_has_pairs(); it is not defined where the compiler has none.
 */
#ifndef RM_BF16_H
#define RM_BF16_H

#include "vector.h"

/* To the nearest number with 8 bits of mantissa, ties to even: its bits. */
static inline uint16_t rm_to_bf16(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	/* NaN stays one, whatever its lower bits. */
	bits = (bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 :
		bits + 0x7fff + (bits >> 16 & 1);
	return (uint16_t)(bits >> 16);
}

static inline float rm_of_bf16(uint16_t b)
{
	uint32_t bits = (uint32_t)b << 16;
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

#if defined(RM_WIDE) && defined(__GNUC__) && \
	(defined(__clang__) || __GNUC__ >= 10)

#include <immintrin.h>

#define RM_PAIRS __attribute__((target("arch=x86-64-v4,avx512bf16,prfchw")))

static inline bool rm_has_pairs(void)
{
	return rm_has_wide() && __builtin_cpu_supports("avx512bf16");
}

/* The first n numbers of x, none if n is 0, and zeros. */
RM_PAIRS RM_INLINE
__m512 rm_pairs_load(const float *x, size_t n)
{
	__mmask16 in = n < 16 ? (__mmask16)((1U << n) - 1) : 0xffff;

	return _mm512_maskz_loadu_ps(in, x);
}

/* to[16] = the 32 numbers of a and b, one after the other. */
RM_PAIRS RM_INLINE
void rm_pairs_along(uint32_t *to, __m512 a, __m512 b)
{
	_mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

/* to[16] = each number of a with that of b in its place. */
RM_PAIRS RM_INLINE
void rm_pairs_across(uint32_t *to, __m512 a, __m512 b)
{
	const __m512i order = _mm512_set_epi16(
		31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
		23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
	__m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);

	_mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, both));
}

/*
 * y[R, 16 V] = (add ? y : 0) + products of x with w[pairs, 16 V]; the pair of
 * row r at step c is x[r * row + c * step].  R <= 12, V <= 4 and R V sums must
 * fit into registers.
 */
RM_PAIRS RM_INLINE
void rm_pairs_kernel(float *y, size_t ldy, const uint32_t *x, const size_t row,
		     const size_t step, const uint32_t *w, const size_t ldw,
		     size_t pairs, const size_t R, const size_t V,
		     const bool add)
{
	__m512 s[12][4];

#pragma GCC unroll 12
	for (size_t r = 0; r < R; r++)
#pragma GCC unroll 4
		for (size_t v = 0; v < V; v++)
			s[r][v] = add ? _mm512_loadu_ps(y + r * ldy + 16 * v) :
					_mm512_setzero_ps();
	for (size_t c = 0; c < pairs; c++) {
		__m512bh a[4];

#pragma GCC unroll 4
		for (size_t v = 0; v < V; v++)
			a[v] = (__m512bh)_mm512_loadu_si512(w + c * ldw +
							    16 * v);
#pragma GCC unroll 12
		for (size_t r = 0; r < R; r++) {
			int two = (int)x[r * row + c * step];
			__m512bh b = (__m512bh)_mm512_set1_epi32(two);

#pragma GCC unroll 4
			for (size_t v = 0; v < V; v++)
				s[r][v] = _mm512_dpbf16_ps(s[r][v], b, a[v]);
		}
	}
#pragma GCC unroll 12
	for (size_t r = 0; r < R; r++)
#pragma GCC unroll 4
		for (size_t v = 0; v < V; v++)
			_mm512_storeu_ps(y + r * ldy + 16 * v, s[r][v]);
}

#else

static inline bool rm_has_pairs(void)
{
	return false;
}

#endif

#endif
