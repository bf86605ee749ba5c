/* OpenBLAS, single-threaded; gemm.c threads over tiles. */
#include "gemm.h"

#include <cblas.h>

static void start(void)
{
	openblas_set_num_threads(1);
}

static void product(size_t m, size_t n, size_t k, const rm_real *a,
		    const rm_real *b, rm_real *c)
{
#ifdef RM_DOUBLE
	cblas_dgemm
#else
	cblas_sgemm
#endif
		(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m,
		 (blasint)n, (blasint)k, 1, a, (blasint)k, b, (blasint)n, 1,
		 c, (blasint)n);
}

const struct rm_gemm_kind rm_gemm_openblas = {
	.name = "openblas",
	.start = start,
	.product = product
};
