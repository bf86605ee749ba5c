/*
 * Tokens a second if a transformer were nothing but its products: the fp32
 * products of one layer, timed in oneDNN (libdnnl, loaded if it is there) and
 * in OpenBLAS with their own threads, the faster of the two.
 *
 * usage: ceiling LAYERS N,K [N,K ...]
 * OMP_NUM_THREADS and OPENBLAS_NUM_THREADS say how many threads.
 */
#include "base.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cblas.h>

/* Rows, and how often each product is timed. */
enum { ROWS = 4032, TIMES = 9 };

typedef int dnnl_sgemm_fn(char ta, char tb, int64_t m, int64_t n, int64_t k,
			  float alpha, const float *a, int64_t lda,
			  const float *b, int64_t ldb, float beta, float *c,
			  int64_t ldc);

static dnnl_sgemm_fn *find_dnnl(void)
{
	static const char *const names[] = { "libdnnl.so.3", "libdnnl.so.2" };

	for (size_t i = 0; i < RM_COUNT(names); i++) {
		void *lib = dlopen(names[i], RTLD_NOW);
		void *fn = lib ? dlsym(lib, "dnnl_sgemm") : NULL;
		dnnl_sgemm_fn *f = NULL;

		if (fn)
			memcpy(&f, &fn, sizeof(f));
		if (f)
			return f;
	}
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static float *numbers(size_t n)
{
	float *x = malloc(n * sizeof(*x));

	for (size_t i = 0; x && i < n; i++)
		x[i] = (float)(i % 17) / 17;
	return x;
}

/* Seconds of y[ROWS, n] = x[ROWS, k] w[n, k]', the least of TIMES. */
static double product(dnnl_sgemm_fn *dnnl, size_t n, size_t k)
{
	float *x = numbers(ROWS * k), *w = numbers(n * k);
	float *y = numbers(ROWS * n);
	double least = 1e9;

	for (int i = 0; x && w && y && i < TIMES; i++) {
		double start = now();

		if (dnnl)
			dnnl('N', 'T', ROWS, (int64_t)n, (int64_t)k, 1, x,
			     (int64_t)k, w, (int64_t)k, 0, y, (int64_t)n);
		else
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans,
				    ROWS, (blasint)n, (blasint)k, 1, x,
				    (blasint)k, w, (blasint)k, 0, y,
				    (blasint)n);
		least = RM_MIN(least, now() - start);
	}
	free(x);
	free(w);
	free(y);
	return least;
}

int main(int argc, char **argv)
{
	dnnl_sgemm_fn *dnnl = find_dnnl();
	double best[2] = {0}, layers = argc > 1 ? atof(argv[1]) : 0;

	if (layers <= 0 || argc < 3)
		return 2;
	for (int i = 2; i < argc; i++) {
		char *comma;
		size_t n = strtoul(argv[i], &comma, 10);
		size_t k = strtoul(comma + 1, NULL, 10);

		best[0] += product(NULL, n, k);
		best[1] += dnnl ? product(dnnl, n, k) : 1e9;
	}
	printf("%.0f %s\n", ROWS / (layers * RM_MIN(best[0], best[1])),
	       best[1] < best[0] ? "oneDNN" : "OpenBLAS");
	return 0;
}
