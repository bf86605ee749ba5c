#include "gemm.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gemm_table.h"

static struct rm_gemm chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
	chosen.kind = rm_gemm_kinds[0];
	chosen.kind->start(&chosen.tile, &chosen.align);
}

const struct rm_gemm *rm_gemm(void)
{
	pthread_once(&once, choose);
	return &chosen;
}

/* What one tile of y = x w (or w') needs; see rows_product. */
struct job {
	size_t m, n, k;
	const rm_real *x, *w;
	rm_real *y;
	bool tw;		/* w is [n, k], else [k, n] */
	bool add;		/* to y, else in its place */
	size_t step;		/* rows of a tile from one of x to the next */
};

static void tile_product(const struct job *j, const rm_real *x, rm_real beta,
			 rm_real *y)
{
	rm_gemm()->kind->product(false, j->tw, rm_gemm()->tile, j->n, j->k,
				 x, j->k, j->w, j->tw ? j->k : j->n, beta, y,
				 j->n);
}

/*
 * A tile that is not `tile` adjacent rows of x: copied, zero rows between
 * and after, in space for tile * (k + n) numbers.
 */
static void spaced_tile(const struct job *j, size_t row, size_t rows,
			rm_real *space)
{
	size_t tile = rm_gemm()->tile;
	rm_real *x = space, *y = space + tile * j->k;

	memset(x, 0, tile * j->k * sizeof(*x));
	for (size_t i = 0; i < rows; i++)
		memcpy(x + i * j->step * j->k, j->x + (row + i) * j->k,
		       j->k * sizeof(*x));
	tile_product(j, x, 0, y);
	for (size_t i = 0; i < rows; i++) {
		const rm_real *from = y + i * j->step * j->n;
		rm_real *to = j->y + (row + i) * j->n;
		for (size_t c = 0; c < j->n; c++)
			to[c] = j->add ? to[c] + from[c] : from[c];
	}
}

static void do_tile(const struct job *j, size_t t, size_t per, rm_real *space)
{
	size_t row = t * per, rows = RM_MIN(per, j->m - row);

	if (rows == rm_gemm()->tile)
		tile_product(j, j->x + row * j->k, j->add ? 1 : 0,
			     j->y + row * j->n);
	else
		spaced_tile(j, row, rows, space);
}

/* All tiles of a product by rows. */
static int rows_product(const struct job *j)
{
	size_t tile = rm_gemm()->tile, per = tile / j->step;
	size_t tiles = (j->m + per - 1) / per;
	size_t full = j->step == 1 ? j->m / tile : 0;
	size_t spaces = full == tiles ? 0 : full ? 1 :
		RM_MIN(tiles, rm_threads());

	/* Only tiles that are copied need space: the last, or all. */
	rm_real *space = rm_calloc_aligned(spaces * tile, (j->k + j->n) *
					   sizeof(*space));
	if (!space)
		return -1;
#pragma omp parallel for schedule(static) if (tiles > 1)
	for (size_t t = 0; t < tiles; t++) {
		size_t mine = spaces > 1 ? (size_t)omp_get_thread_num() : 0;
		do_tile(j, t, per, space + mine * tile * (j->k + j->n));
	}
	free(space);
	return 0;
}

int rm_gemm_nt(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y, enum rm_rows rows)
{
	struct job j = { m, n, k, x, w, y, true, false,
		rows == RM_ROWS_ALONE ? rm_gemm()->align : 1 };

	return rows_product(&j);
}

int rm_gemm_nn(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y)
{
	struct job j = { m, n, k, x, w, y, false, true, 1 };

	return rows_product(&j);
}

/*
 * Threads share the rows of y in blocks of a fixed size; each adds up the
 * tiles of k in their order.
 */
#define TN_BLOCK ((size_t)128)

int rm_gemm_tn(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y)
{
	size_t blocks = (m + TN_BLOCK - 1) / TN_BLOCK;
	const struct rm_gemm *g = rm_gemm();

#pragma omp parallel for schedule(static) if (blocks > 1)
	for (size_t b = 0; b < blocks; b++) {
		size_t row = b * TN_BLOCK, rows = RM_MIN(TN_BLOCK, m - row);
		for (size_t t = 0; t < k; t += g->tile)
			g->kind->product(true, false, rows, n,
					 RM_MIN(g->tile, k - t),
					 x + t * m + row, m, w + t * n, n, 1,
					 y + row * n, n);
	}
	return 0;
}
