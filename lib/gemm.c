#include "gemm.h"

#include <pthread.h>

#include "gemm_table.h"

/* Rows that one call of the backend computes. */
#define TILE ((size_t)512)

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
	rm_gemm()->start();
}

const struct rm_gemm_kind *rm_gemm(void)
{
	return rm_gemm_kinds[0];
}

/* Weights that are used this once. */
static int by_row_product(size_t m, const rm_real *x,
			  const struct rm_weights *w, enum rm_way way,
			  rm_real *y, bool add)
{
	struct rm_packed *p = NULL;
	int status;

	if (m == 0 || w->k == 0 || w->rows[0] == 0)
		return 0;
	status = rm_gemm_pack(&p, w, way, RM_FP32);
	if (status == 0)
		status = rm_gemm_packed(m, x, p, y, add);
	rm_packed_free(p);
	return status;
}

int rm_gemm_nt(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y)
{
	const struct rm_weights all = {
		.parts = 1, .k = k, .w = { w }, .rows = { n }
	};

	return by_row_product(m, x, &all, RM_ALONG, y, false);
}

/* y[m, n] += x[m, k] w[k, n] */
struct job {
	size_t m, n, k;
	const rm_real *x, *w;
	rm_real *y;
};

static void do_tile(void *arg, size_t tile)
{
	const struct job *j = arg;
	size_t row = tile * TILE;

	rm_gemm()->product(RM_MIN(TILE, j->m - row), j->n, j->k,
			   j->x + row * j->k, j->w, j->y + row * j->n);
}

int rm_gemm_nn(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y, bool by_row)
{
	const struct rm_weights all = {
		.parts = 1, .k = n, .w = { w }, .rows = { k }
	};
	struct job j = { .m = m, .n = n, .k = k, .x = x, .w = w, .y = y };

	if (by_row)
		return by_row_product(m, x, &all, RM_BACK, y, true);
	pthread_once(&once, start);
	rm_parallel((m + TILE - 1) / TILE, do_tile, &j);
	return 0;
}
