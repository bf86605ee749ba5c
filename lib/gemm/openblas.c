/*
 * OpenBLAS, single-threaded; gemm.c threads over tiles.
 *
 * Which rows share bits was found by shifting rows through a tile: kernels
 * for Haswell and Zen compute 12 rows at a time and treat what is left over
 * at the end of a tile in another order, those of the other processors
 * treat all rows of a tile alike.
 */
#include "gemm.h"

#include <string.h>

#include <cblas.h>

static void start(size_t *tile, size_t *align)
{
	static const char *const by_twelve[] = {
		"Haswell", "Zen", "Excavator", "Steamroller"
	};
	const char *core = openblas_get_corename();

	openblas_set_num_threads(1);
	*tile = 512;
	*align = 1;
	for (size_t i = 0; i < RM_COUNT(by_twelve); i++) {
		if (strcmp(core, by_twelve[i]) != 0)
			continue;
		*tile = 504;
		*align = 12;
	}
}

static void product(bool tb, size_t m, size_t n, size_t k, const rm_real *a,
		    const rm_real *b, rm_real beta, rm_real *c)
{
#ifdef RM_DOUBLE
	cblas_dgemm
#else
	cblas_sgemm
#endif
		(CblasRowMajor, CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
		 (blasint)m, (blasint)n, (blasint)k, 1, a, (blasint)k, b,
		 (blasint)(tb ? k : n), beta, c, (blasint)n);
}

const struct rm_gemm_kind rm_gemm_openblas = {
	.name = "openblas",
	.start = start,
	.product = product
};
