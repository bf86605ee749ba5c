/*
 * vector: eight or sixteen numbers at once, in GCC's and Clang's vectors, which
 * the compiler turns into what the processor has.  By address: how a wide
 * vector is passed by value depends on the processor.
 *
 * Include it in files that multiply and add in one instruction (see
 * attention.c), or not; bits are the same for every number of a vector.
 */
#ifndef RM_VECTOR_H
#define RM_VECTOR_H

#include "tensor.h"

#include <math.h>
#include <string.h>

#define RM_LANES 8
#define RM_WIDE_LANES 16
#define RM_INLINE static inline __attribute__((always_inline))

/* Of products and sums, and of what goes number by number. */
typedef rm_real rm_vec
	__attribute__((vector_size(RM_LANES * sizeof(rm_real))));
typedef double rm_dvec __attribute__((vector_size(RM_LANES * sizeof(double))));
typedef rm_real rm_wide
	__attribute__((vector_size(RM_WIDE_LANES * sizeof(rm_real))));

/*
 * Products may have vectors of sixteen too, for processors whose registers
 * hold them: RM_WIDE before such a function, to be called where rm_has_wide().
 */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(RM_DOUBLE)
#define RM_WIDE __attribute__((target("arch=x86-64-v4")))

static inline bool rm_has_wide(void)
{
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") &&
	       __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}
#endif

/* The sum of a vector's numbers, in a fixed order. */
RM_INLINE rm_real rm_lanes_total(const rm_real *lane)
{
	return ((lane[0] + lane[4]) + (lane[1] + lane[5])) +
		((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

#ifdef RM_DOUBLE
typedef int64_t rm_ivec __attribute__((vector_size(RM_LANES * 8)));
typedef int64_t rm_iwide __attribute__((vector_size(RM_WIDE_LANES * 8)));
#else
typedef int32_t rm_ivec __attribute__((vector_size(RM_LANES * 4)));
typedef int32_t rm_iwide __attribute__((vector_size(RM_WIDE_LANES * 4)));
#endif
/* Of two vectors, the numbers that are named: 0 to 7 of a, 8 to 15 of b. */
#ifdef __clang__
#define RM_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define RM_SHUFFLE(a, b, ...) \
	__builtin_shuffle(a, b, (rm_ivec){ __VA_ARGS__ })
#endif

/*
 * Eight rows of eight become its columns: three times the first half's
 * numbers and those of the second are put one between another.
 */
RM_INLINE void rm_turn_eight(rm_vec *v)
{
	rm_vec u[RM_LANES];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < RM_LANES / 2; i++) {
			rm_vec a = v[i], b = v[i + RM_LANES / 2];

			u[2 * i] = RM_SHUFFLE(a, b, 0, 8, 1, 9,
					      2, 10, 3, 11);
			u[2 * i + 1] = RM_SHUFFLE(a, b, 4, 12, 5, 13,
						  6, 14, 7, 15);
		}
		memcpy(v, u, sizeof(u));
	}
}

/* The greatest of a vector's numbers. */
RM_INLINE rm_real rm_wide_greatest(const rm_wide *x)
{
	rm_vec half[2], v;
	rm_ivec more;

	memcpy(half, x, sizeof(half));
	more = half[0] > half[1];
	v = (rm_vec)(((rm_ivec)half[0] & more) | ((rm_ivec)half[1] & ~more));
#define FOLD(...)							\
	half[0] = RM_SHUFFLE(v, v, __VA_ARGS__);			\
	more = half[0] > v;						\
	v = (rm_vec)(((rm_ivec)half[0] & more) | ((rm_ivec)v & ~more))
	FOLD(4, 5, 6, 7, 0, 1, 2, 3);
	FOLD(2, 3, 0, 1, 6, 7, 4, 5);
	FOLD(1, 0, 3, 2, 5, 4, 7, 6);
#undef FOLD
	return v[0];
}

/* x where mask, a comparison's result, is -1, y where it is 0. */
#define RM_PICK(mask, x, y) \
	((rm_wide)(((rm_iwide)(x) & (mask)) | ((rm_iwide)(y) & ~(mask))))

typedef uint32_t rm_uwide __attribute__((vector_size(RM_WIDE_LANES * 4)));

/* What dropout does to a row: nn.h makes it. */
struct rm_mask {
	uint32_t start, turn;	/* the row's random bits */
	uint32_t below;		/* a column whose hash is below it is dropped */
	rm_real by;		/* others are multiplied with it */
};

/*
 * keep: 0 or mask->by, what columns [c, c + RM_WIDE_LANES) are multiplied with.
 * The hash is C. Wellons' lowbias32 (Prospecting for Hash Functions, 2018)
 * of a counter, with half of the row's bits where it starts and half in the
 * middle, so that no two rows go through the same numbers.
 */
RM_INLINE void rm_wide_keep(rm_wide *keep, const struct rm_mask *mask,
			   uint32_t c)
{
	const rm_uwide lane = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
				12, 13, 14, 15 };
	const rm_wide none = {0}, by = none + mask->by;
	rm_uwide h = (lane + c) * 0x9e3779b9u + mask->start;
	rm_iwide kept;

	h = (h ^ h >> 16) * 0x7feb352du ^ mask->turn;
	h = (h ^ h >> 15) * 0x846ca68bu;
	h ^= h >> 16;
	kept = __builtin_convertvector(h >= mask->below, rm_iwide);
	*keep = RM_PICK(kept, by, none);
}

/* x = max(x, y) */
RM_INLINE void rm_wide_max(rm_wide *x, const rm_wide *y)
{
	rm_iwide more = *y > *x;

	*x = RM_PICK(more, *y, *x);
}

/*
 * x = exp(x) for x <= 88, relative error below 3e-7; exactly 0 below -88,
 * where it is no normal number; NaN stays.  x = n ln 2 + r, |r| <= ln 2 / 2,
 * ln 2 in two parts, and a polynomial in r that was fitted, minimax, with
 * exp(0) = 1.
 */
RM_INLINE void rm_wide_exp(rm_wide *x)
{
#ifdef RM_DOUBLE
	for (size_t i = 0; i < RM_WIDE_LANES; i++)
		(*x)[i] = exp((*x)[i]);
#else
	const rm_wide least = (rm_wide){0} - 88.f;
	/* 1.5 * 2^23 rounds to whole numbers; 127 is n = 0 as an exponent. */
	const float shift = 12582912 + 127;
	rm_wide v, t, n, r, p, two_n;
	rm_iwide low = *x < least, bits;

	v = RM_PICK(low, least, *x);
	t = v * 1.44269504f + shift;
	n = t - shift;
	r = v - n * .693359375f - n * -2.12194440e-4f;
	p = r * .008290303871f + .04189797491f;
	p = p * r + .1666763723f;
	p = p * r + .4999915063f;
	p = p * r + .999999702f;
	p = p * r + 1.f;
	memcpy(&bits, &t, sizeof(bits));
	bits = bits << 23;
	memcpy(&two_n, &bits, sizeof(two_n));
	*x = p * two_n;
#endif
}

/*
 * x = erfc(x) for x >= 0, e being exp(-x^2): t Q(t) e, t = 1 / (1 + x / 2),
 * relative error of t Q(t) below 3e-7 where e is not 0.  Q is a polynomial
 * that was fitted to exp(x^2) erfc(x) / t for x <= 9.4, minimax.
 */
RM_INLINE void rm_wide_erfc(rm_wide *x, const rm_wide *e)
{
#ifdef RM_DOUBLE
	(void)e;
	for (size_t i = 0; i < RM_WIDE_LANES; i++)
		(*x)[i] = erfc((*x)[i]);
#else
	rm_wide t = 1.f / (1.f + .5f * *x), q;

	q = t * -.0588482022f + .283492863f;
	q = q * t - .484947443f;
	q = q * t + .275474697f;
	q = q * t - .0248273388f;
	q = q * t + .201919854f;
	q = q * t + .24329944f;
	q = q * t + .282348126f;
	q = q * t + .282087982f;
	*x = q * t * *e;
#endif
}

/* x = tanh(x), absolute error below 2e-7. */
RM_INLINE void rm_wide_tanh(rm_wide *x)
{
#ifdef RM_DOUBLE
	for (size_t i = 0; i < RM_WIDE_LANES; i++)
		(*x)[i] = tanh((*x)[i]);
#else
	const rm_wide most = (rm_wide){0} + 44.f;
	rm_iwide minus = *x < 0.f, far;
	rm_wide v = RM_PICK(minus, -*x, *x), e;

	far = v > most;
	e = RM_PICK(far, most, v);
	e = e + e;
	rm_wide_exp(&e);
	v = 1.f - 2.f / (e + 1.f);
	*x = RM_PICK(minus, -v, v);
#endif
}

/* x = sigma(x) */
RM_INLINE void rm_wide_sigmoid(rm_wide *x)
{
#ifdef RM_DOUBLE
	for (size_t i = 0; i < RM_WIDE_LANES; i++)
		(*x)[i] = 1 / (1 + exp(-(*x)[i]));
#else
	const rm_wide most = (rm_wide){0} + 88.f;
	rm_wide e = -*x;
	rm_iwide far = e > most;

	e = RM_PICK(far, most, e);
	rm_wide_exp(&e);
	*x = 1.f / (1.f + e);
#endif
}

#endif
