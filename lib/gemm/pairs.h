/*
 * pairs: products of large matrices by pairs of bf16 (see bf16.h).  Used by
 * packed.c and sums.c alone, where rm_has_pairs().
 */
#ifndef RM_GEMM_PAIRS_H
#define RM_GEMM_PAIRS_H

#include "bf16.h"
#include "gemm/onednn.h"

/* Who multiplies in bf16 here; rounded numbers in fp32 where nobody does. */
enum rm_bf16_by { RM_BY_ROUNDING, RM_BY_PAIRS, RM_BY_ONEDNN };

static inline enum rm_bf16_by rm_bf16_by(void)
{
	enum rm_bf16_units units = rm_onednn_units();

	if (units == RM_BF16_TILES)
		return RM_BY_ONEDNN;
	if (rm_has_pairs())
		return RM_BY_PAIRS;
	return units == RM_BF16_NO_UNITS ? RM_BY_ROUNDING : RM_BY_ONEDNN;
}

/* y[m, n] += x[k, m]' w[k, n] as rm_gemm_tn has it. */
void rm_pairs_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		   const rm_real *w, size_t ldw, rm_real *y);

/* ---- weights [n, k] that are used again and again ---- */

/* Outputs of a panel, and inputs of a run of it. */
enum { RM_PAIRS_COLUMNS = 32, RM_PAIRS_DEPTH = 512 };

/* How many pairs they are when packed, zeros at the edges included. */
size_t rm_pairs_packed(size_t n, size_t k);
/*
 * Panel p of the run of inputs that begins at c, a multiple of the depth:
 * number (input c + i, output p RM_PAIRS_COLUMNS + o) is at
 * from[i * RM_PAIRS_COLUMNS + o], 0 beyond n.
 */
void rm_pairs_pack(uint32_t *to, size_t n, size_t k, size_t c, size_t p,
		   const rm_real *from);
/*
 * y[m, n] = x[m, k] w', or added to it.  A row is summed in one order whatever
 * stands beside it.
 */
void rm_pairs_product(size_t m, size_t n, size_t k, const rm_real *x,
		      const uint32_t *w, rm_real *y, bool add);

#endif
