/*
 * onednn: products with packed weights in oneDNN, for processors with units
 * for bf16.  Used by packed.c and sums.c alone.  Errors as in base.h.
 *
 * Rows are cut into tiles of RM_ONEDNN_TILE, the last filled up with zero
 * rows, each computed by one call of one thread: the kernels of bf16 sum a
 * row's products in one order wherever it stands in a tile.
 */
#ifndef RM_GEMM_ONEDNN_H
#define RM_GEMM_ONEDNN_H

#include "tensor.h"

#define RM_ONEDNN_TILE ((size_t)64)

enum rm_bf16_units {
	RM_BF16_NO_UNITS,	/* or built without oneDNN */
	RM_BF16_VECTORS,	/* AVX-512 with bf16; pairs.c if it can */
	RM_BF16_TILES		/* AMX: many times as fast */
};

/* What this processor has. */
enum rm_bf16_units rm_onednn_units(void);

struct rm_onednn;

/* A product with weights [n, k] of bf16 or, for tests on any processor, of
 * fp32.  NULL with a message. */
struct rm_onednn *rm_onednn_new(size_t n, size_t k, bool bf16);
/* Its weights, [n, k] in their type, which are copied.  -1 with a message. */
int rm_onednn_set(struct rm_onednn *w, const void *plain);
void rm_onednn_free(struct rm_onednn *w);

/*
 * y[m, n] = x[m, k] w', or added to it, x rounded to the weights' type.  -1
 * with a message.
 */
int rm_onednn_product(size_t m, const rm_real *x, const struct rm_onednn *w,
		      rm_real *y, bool add);

/*
 * y[m, n] += x[k, m]' w[k, n] as rm_gemm_tn has it, x and w rounded to bf16
 * or, for tests on any processor, not.  In sums.c.
 */
int rm_onednn_sums(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
		   const rm_real *w, size_t ldw, rm_real *y, bool bf16);

#endif
