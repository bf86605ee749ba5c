/*
 * pairs: sums of outer products in bf16 by AVX-512's instruction for pairs of
 * numbers.  Used by sums.c alone.  Errors as in base.h.
 */
#ifndef RM_GEMM_PAIRS_H
#define RM_GEMM_PAIRS_H

#include "tensor.h"

/* Has this processor the instruction, and this build the function? */
bool rm_pairs_here(void);

/*
 * y[m, n] += x[k, m]' w[k, n] as rm_gemm_tn has it, x and w rounded to bf16
 * (numbers too small for fp32's usual form to 0).  Only where
 * rm_pairs_here().  -1 on memory.
 */
int rm_pairs_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		  const rm_real *w, size_t ldw, rm_real *y);

#endif
