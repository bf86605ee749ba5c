#include "gemm.h"

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

/* A product of rows, in whichever form. */
struct job {
	size_t m, n, k;
	const rm_real *x, *w;
	rm_real *y;
	bool tw;		/* w is [n, k], else [k, n] */
	bool add;		/* to y, else in its place */
	bool apart;		/* every tile is copied, and added whole */
	size_t step;		/* rows of a tile from one of x to the next */
	size_t per;		/* rows of x in a tile */
	rm_real *space;		/* for tiles that are copied, one a thread */
	bool many;		/* spaces; else only one tile is copied */
};

static void tile_product(const struct job *j, const rm_real *x, rm_real beta,
			 rm_real *y)
{
	rm_gemm()->kind->product(j->tw, rm_gemm()->tile, j->n, j->k, x, j->w,
				 beta, y);
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

static void do_tile(void *arg, size_t t)
{
	const struct job *j = arg;
	size_t row = t * j->per, rows = RM_MIN(j->per, j->m - row);
	size_t mine = j->many ? rm_thread_index() : 0;

	if (rows == rm_gemm()->tile && !j->apart)
		tile_product(j, j->x + row * j->k, j->add ? 1 : 0,
			     j->y + row * j->n);
	else
		spaced_tile(j, row, rows, j->space + mine *
			    rm_gemm()->tile * (j->k + j->n));
}

/* All tiles of a product by rows; only those that are copied need space. */
static int rows_product(struct job *j)
{
	size_t tile = rm_gemm()->tile;

	j->per = tile / j->step;
	size_t tiles = (j->m + j->per - 1) / j->per;
	j->many = (j->step > 1 || j->apart) && tiles > 1;
	size_t spaces = j->many ? rm_threads() : j->m % j->per != 0 ||
		j->step > 1 || j->apart;
	j->space = rm_calloc_aligned(spaces * tile, (j->k + j->n) *
				     sizeof(*j->space));
	if (!j->space)
		return -1;
	rm_parallel(tiles, do_tile, j);
	free(j->space);
	return 0;
}

int rm_gemm_nt(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y)
{
	struct job j = {
		.m = m, .n = n, .k = k, .x = x, .w = w, .y = y, .tw = true,
		.step = rm_gemm()->align
	};

	return rows_product(&j);
}

int rm_gemm_nn(size_t m, size_t n, size_t k, const rm_real *x,
	       const rm_real *w, rm_real *y, bool by_row)
{
	struct job j = {
		.m = m, .n = n, .k = k, .x = x, .w = w, .y = y, .add = true,
		.step = by_row ? rm_gemm()->align : 1, .apart = by_row
	};

	return rows_product(&j);
}
