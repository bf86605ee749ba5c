/*
 * gemm: products of matrices; the only module that knows a BLAS.
 *
 * Matrices are row-major and dense.  A row of a product has the same bits in
 * any batch and for any number of threads, but where it is said otherwise.
 * What has to go by the row is computed by our own kernel (gemm/packed.c); the
 * rest by a backend, a drop-in file in lib/gemm/.  Errors as in base.h.
 *
 *	rm_gemm_nt(T, O, I, x, w, y)	y = x w'
 *	rm_gemm_nn(T, I, O, dy, w, dx, false)		dx += dy w
 *	rm_gemm_tn(O, I, T, dy, O, x, I, dw, RM_FP32)	dw += dy' x
 */
#ifndef RM_GEMM_H
#define RM_GEMM_H

#include "tensor.h"

struct rm_gemm_kind {
	const char *name;
	/* Called once, before any product. */
	void (*start)(void);
	/*
	 * c[m, n] += a[m, k] b[k, n], all dense.  One thread, and safe to
	 * call from several at once.
	 */
	void (*product)(size_t m, size_t n, size_t k, const rm_real *a,
			const rm_real *b, rm_real *c);
};

/* The backend in use. */
const struct rm_gemm_kind *rm_gemm(void);

/* y[m, n] = x[m, k] w[n, k]'.  -1 on memory. */
int rm_gemm_nt(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y);
/*
 * y[m, n] += x[m, k] w[k, n].  Where no gradient is summed over rows, a row
 * can be asked to have the same bits wherever it stands (by_row); else it is
 * for any number of threads that bits are the same, and w is not packed.
 */
int rm_gemm_nn(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y, bool by_row);

/* What products are computed in; sums are in fp32. */
enum rm_precision {
	RM_FP32,
	/*
	 * Inputs and weights rounded to bf16 (to nearest even): by oneDNN
	 * where the processor has tiles for it, by pairs.c where it has
	 * vectors, else by the fp32 kernel on rounded numbers, no faster than
	 * fp32.
	 */
	RM_BF16
};

/* What `auto` means here: bf16 where the processor has AMX. */
enum rm_precision rm_gemm_auto(void);

/*
 * y[m, n] += x[k, m]' w[k, n], rows of x and w standing ldx and ldw numbers
 * apart: gradients of weights, k being the rows.  Every number is summed
 * over k in order, whatever the threads.  -1 on memory.
 */
int rm_gemm_tn(size_t m, size_t n, size_t k, const rm_real *x, size_t ldx,
	       const rm_real *w, size_t ldw, rm_real *y,
	       enum rm_precision precision);

/* ---- weights that are used again and again ---- */

enum { RM_PACK_PARTS = 3 };

/* Matrices [rows[i], k], one under the other, as one W of n rows. */
struct rm_weights {
	size_t parts, k;
	const rm_real *w[RM_PACK_PARTS];
	size_t rows[RM_PACK_PARTS];
	bool turned;		/* each is stored as [k, rows[i]] */
};

enum rm_way {
	RM_ALONG,		/* y[m, n] = x[m, k] W' */
	RM_BACK			/* y[m, k] = x[m, n] W */
};

struct rm_packed;

/*
 * *p, NULL or packed before from matrices of the same shape and in the same
 * way, becomes W's numbers.  A row of a product has bits that depend on
 * nothing but the row, so texts may start at any row; in fp32 a few rows
 * cost what they cost.  -1 on memory.
 */
int rm_gemm_pack(struct rm_packed **p, const struct rm_weights *w,
		 enum rm_way way, enum rm_precision precision);
void rm_packed_free(struct rm_packed *p);

/* y = the product, or with `add` y += it; dense.  -1 on memory. */
int rm_gemm_packed(size_t m, const rm_real *x, const struct rm_packed *w,
		   rm_real *y, bool add);

#endif
