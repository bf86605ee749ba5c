#include "stream/crc.h"

#include <string.h>
#include <zlib.h>

/*
 * zlib's CRC-32 costs 80 ns for a scored pair of 60 bytes, more than all the
 * rest of reading it, so where the processor multiplies polynomials over
 * GF(2) the bytes are folded by that, 16 or 64 at a time:
 *
 *	acc(x) x^D + next(x)  =  lo(x) (x^(D+64) mod P)
 *				 + hi(x) (x^D mod P) + next(x)	(mod P)
 *
 * with 64-bit halves lo (the earlier bytes) and hi, and reduced to 32 bits at
 * the end by Barrett's method.  (V. Gopal and others, Fast CRC Computation
 * for Generic Polynomials Using PCLMULQDQ Instruction, Intel 2009.)  All
 * constants are bit-reflected, as the bits of this CRC are.
 */
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define FOLDING __attribute__((target("pclmul,sse4.1")))

/* {lo's factor, hi's factor} for D = 512 and D = 128. */
static const uint64_t by_512[2] = { 0x154442bd4, 0x1c6e41596 };
static const uint64_t by_128[2] = { 0x1751997d0, 0x0ccaa009e };
/* x^64 mod P; P and floor(x^64 / P). */
static const uint64_t by_64[2] = { 0x163cd6124, 0 };
static const uint64_t barrett[2] = { 0x1db710641, 0x1f7011641 };

/*
 * The CRC begins with ones, which is to invert the first 32 bits; zeros
 * before them change nothing.  So the first block holds the odd n % 16 bytes
 * behind zeros (shift), and the ones stand where the message begins (ones,
 * which may reach into the second block).
 */
static const unsigned char shift[32] = {
	128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
	128, 128, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
};
static const unsigned char ones[48] = { [16] = 255, 255, 255, 255 };

FOLDING static inline __m128i load(const void *p)
{
	return _mm_loadu_si128(p);
}

FOLDING static inline __m128i fold_into(__m128i acc, __m128i factor,
					__m128i next)
{
	__m128i lo = _mm_clmulepi64_si128(acc, factor, 0x00);
	__m128i hi = _mm_clmulepi64_si128(acc, factor, 0x11);

	return _mm_xor_si128(_mm_xor_si128(lo, hi), next);
}

/* 128 bits to the CRC of what they stand for. */
FOLDING static inline uint32_t reduce(__m128i acc)
{
	const __m128i low32 = _mm_set_epi32(0, -1, 0, -1);
	__m128i q = load(barrett), t;

	t = _mm_clmulepi64_si128(acc, load(by_128), 0x10);
	acc = _mm_xor_si128(_mm_srli_si128(acc, 8), t);
	t = _mm_clmulepi64_si128(_mm_and_si128(acc, low32), load(by_64), 0);
	acc = _mm_xor_si128(_mm_srli_si128(acc, 4), t);
	t = _mm_clmulepi64_si128(_mm_and_si128(acc, low32), q, 0x10);
	t = _mm_clmulepi64_si128(_mm_and_si128(t, low32), q, 0x00);
	return ~(uint32_t)_mm_extract_epi32(_mm_xor_si128(acc, t), 1);
}

/* Four lanes over the blocks at *p, of which n >= 64 bytes are left. */
FOLDING static inline __m128i fold_wide(__m128i acc, const unsigned char **at,
					size_t *left)
{
	const unsigned char *p = *at;
	const __m128i far = load(by_512), near = load(by_128);
	__m128i b = load(p), c = load(p + 16), d = load(p + 32);
	size_t n = *left - 48;

	for (p += 48; n >= 64; n -= 64, p += 64) {
		acc = fold_into(acc, far, load(p));
		b = fold_into(b, far, load(p + 16));
		c = fold_into(c, far, load(p + 32));
		d = fold_into(d, far, load(p + 48));
	}
	*at = p;
	*left = n;
	b = fold_into(acc, near, b);
	c = fold_into(b, near, c);
	return fold_into(c, near, d);
}

/* n >= 16 */
FOLDING static uint32_t crc_folded(const unsigned char *p, size_t n)
{
	size_t odd = ((n - 1) & 15) + 1;
	const __m128i near = load(by_128);
	__m128i acc, begin = load(ones + 16 + odd);

	acc = _mm_shuffle_epi8(load(p), load(shift + odd));
	acc = _mm_xor_si128(acc, load(ones + odd));
	p += odd;
	n -= odd;
	if (n) {
		acc = fold_into(acc, near, _mm_xor_si128(load(p), begin));
		p += 16;
		n -= 16;
	}
	if (n >= 112)
		acc = fold_wide(acc, &p, &n);
	for (; n; n -= 16, p += 16)
		acc = fold_into(acc, near, load(p));
	return reduce(acc);
}

uint32_t rm_crc32(const void *data, size_t n)
{
	if (n >= 16 && __builtin_cpu_supports("pclmul") &&
	    __builtin_cpu_supports("sse4.1"))
		return crc_folded(data, n);
	return (uint32_t)crc32_z(0, data, n);
}
#else
uint32_t rm_crc32(const void *data, size_t n)
{
	return (uint32_t)crc32_z(0, data, n);
}
#endif

static void fold(struct rm_crc_chain *c)
{
	c->crc = (uint32_t)crc32_z(c->crc, c->pending, c->n);
	c->n = 0;
}

void rm_crc_chain_add(struct rm_crc_chain *c, const unsigned char stored[4])
{
	if (c->n == sizeof(c->pending))
		fold(c);
	memcpy(c->pending + c->n, stored, 4);
	c->n += 4;
}

uint32_t rm_crc_chain_end(struct rm_crc_chain *c)
{
	fold(c);
	return c->crc;
}
