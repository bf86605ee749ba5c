/*
 * gemm: products of matrices; the only module that knows a BLAS.
 *
 * Matrices are row-major and dense.  A row of a product has the same bits in
 * any batch and for any number of threads: rows are cut into tiles of a
 * fixed size, the last filled up with zero rows, each computed by one call
 * of one thread.  Where a row's bits depend on its place within a tile, the
 * backend states the alignment at which they do not.  Backends are drop-in
 * files in lib/gemm/, one chosen at the first use.  Errors as in base.h.
 *
 *	rm_gemm_nt(T, O, I, x, w, y, RM_ROWS_ALONE)	y = x w'
 *	rm_gemm_nn(T, I, O, dy, w, dx)			dx += dy w
 *	rm_gemm_tn(O, I, T, dy, x, dw)			dw += dy' x
 */
#ifndef RM_GEMM_H
#define RM_GEMM_H

#include "tensor.h"

struct rm_gemm_kind {
	const char *name;
	/* Called once; sets tile (a multiple of align) and align. */
	void (*start)(size_t *tile, size_t *align);
	/*
	 * c[m, n] = op(a)[m, k] op(b)[k, n] + beta c, op being transposition
	 * where ta, tb say so; ld* are the distances between stored rows.
	 * One thread, and safe to call from several at once.
	 */
	void (*product)(bool ta, bool tb, size_t m, size_t n, size_t k,
			const rm_real *a, size_t lda, const rm_real *b,
			size_t ldb, rm_real beta, rm_real *c, size_t ldc);
};

/* The backend in use, its rows a tile and its row alignment. */
struct rm_gemm {
	const struct rm_gemm_kind *kind;
	size_t tile, align;
};

const struct rm_gemm *rm_gemm(void);

enum rm_rows {
	RM_ROWS_TEXTS,	/* texts start at multiples of align already */
	RM_ROWS_ALONE	/* every row is a text of its own */
};

/* y[m, n] = x[m, k] w[n, k]'.  -1 on memory. */
int rm_gemm_nt(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y, enum rm_rows rows);
/* y[m, n] += x[m, k] w[k, n]. */
int rm_gemm_nn(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y);
/* y[m, n] += x[k, m]' w[k, n]: gradients of weights, k being the rows. */
int rm_gemm_tn(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y);

/* ---- weights that are used again and again ---- */

/*
 * A row's bits depend on nothing but the row, so texts may start at any row.
 * fp32 products are our own kernel's, and a few rows cost what they cost.
 */
enum rm_precision {
	RM_FP32,
	/*
	 * Inputs and weights rounded to bf16 (to nearest even), products and
	 * sums in fp32: by oneDNN where the processor has units for it, else
	 * by the fp32 kernel on rounded numbers, no faster than fp32.
	 */
	RM_BF16
};

/* What `auto` means here: bf16 where the processor has AMX. */
enum rm_precision rm_gemm_auto(void);

struct rm_packed;

/*
 * Matrices one under the other, `parts` of rows[i] rows and k columns, as one
 * of n rows; with `turned` each is stored as [k, rows[i]].  NULL on memory.
 */
struct rm_packed *rm_gemm_pack(size_t n, size_t k, const rm_real *const *w,
			       const size_t *rows, size_t parts, bool turned,
			       enum rm_precision precision);
void rm_packed_free(struct rm_packed *p);

/* y[m, n] = x[m, k] w[n, k]', dense.  -1 on memory. */
int rm_gemm_packed(size_t m, const rm_real *x, const struct rm_packed *w,
		   rm_real *y);

#endif
