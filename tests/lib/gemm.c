#include "test.h"

#include "gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static rm_real *matrix(size_t rows, size_t columns, uint64_t seed)
{
	rm_real *x = rm_malloc(rows * columns, sizeof(*x));

	assert_non_null(x);
	for (size_t i = 0; i < rows * columns; i++)
		x[i] = (rm_real)(rm_random_uniform(seed, RM_RANDOM_TEST, 0,
						   i) - .5);
	return x;
}

/* The naive twins: sums in double, one number at a time. */
static double nt(const rm_real *x, const rm_real *w, size_t k, size_t i,
		 size_t j)
{
	double sum = 0;

	for (size_t c = 0; c < k; c++)
		sum += (double)x[i * k + c] * (double)w[j * k + c];
	return sum;
}

static double nn(const rm_real *x, const rm_real *w, size_t k, size_t n,
		 size_t i, size_t j)
{
	double sum = 0;

	for (size_t c = 0; c < k; c++)
		sum += (double)x[i * k + c] * (double)w[c * n + j];
	return sum;
}

static double tn(const rm_real *x, const rm_real *w, size_t m, size_t k,
		 size_t n, size_t i, size_t j)
{
	double sum = 0;

	for (size_t c = 0; c < k; c++)
		sum += (double)x[c * m + i] * (double)w[c * n + j];
	return sum;
}

static void near(rm_real found, double expected)
{
	if (!(fabs((double)found - expected) < 1e-4))
		fail_msg("%g, not %g", (double)found, expected);
}

static const size_t sizes[][3] = {
	{ 1, 1, 1 }, { 3, 5, 7 }, { 513, 16, 9 }, { 1030, 33, 20 },
	{ 512, 8, 64 }, { 0, 4, 4 }
};

static void test_nt(void **state)
{
	(void)state;
	for (size_t s = 0; s < RM_COUNT(sizes); s++) {
		size_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
		rm_real *x = matrix(m, k, 1), *w = matrix(n, k, 2);
		rm_real *y = matrix(m, n, 3);
		for (int rows = RM_ROWS_TEXTS; rows <= RM_ROWS_ALONE; rows++) {
			assert_int_equal(rm_gemm_nt(m, n, k, x, w, y,
						    (enum rm_rows)rows), 0);
			for (size_t i = 0; i < m; i++)
				for (size_t j = 0; j < n; j++)
					near(y[i * n + j],
					     nt(x, w, k, i, j));
		}
		free(x);
		free(w);
		free(y);
	}
}

static void test_nn_and_tn_add(void **state)
{
	(void)state;
	for (size_t s = 0; s < RM_COUNT(sizes); s++) {
		size_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
		rm_real *x = matrix(m, k, 1), *w = matrix(k, n, 2);
		rm_real *xt = matrix(k, m, 4);
		rm_real *y = matrix(m, n, 3), *z = matrix(m, n, 3);
		assert_int_equal(rm_gemm_nn(m, n, k, x, w, y), 0);
		for (size_t i = 0; i < m; i++)
			for (size_t j = 0; j < n; j++)
				near(y[i * n + j], (double)z[i * n + j] +
				     nn(x, w, k, n, i, j));
		memcpy(y, z, m * n * sizeof(*y));
		assert_int_equal(rm_gemm_tn(m, n, k, xt, w, y), 0);
		for (size_t i = 0; i < m; i++)
			for (size_t j = 0; j < n; j++)
				near(y[i * n + j], (double)z[i * n + j] +
				     tn(xt, w, m, k, n, i, j));
		free(x);
		free(w);
		free(xt);
		free(y);
		free(z);
	}
}

/* Every batch size, every place in a batch, one to three threads. */
static void test_rows_have_the_same_bits(void **state)
{
	enum { M = 1100, N = 24, K = 40 };
	rm_real *x = matrix(M, K, 1), *w = matrix(N, K, 2);
	rm_real *all = matrix(M, N, 3), *y = matrix(M, N, 4);
	static const size_t from[] = { 0, 1, 5, 12, 511, 700, 1099 };

	(void)state;
	assert_int_equal(rm_gemm_nt(M, N, K, x, w, all, RM_ROWS_ALONE), 0);
	for (size_t threads = 1; threads <= 3; threads++) {
		rm_threads_set(threads);
		for (size_t f = 0; f < RM_COUNT(from); f++)
			for (size_t m = 1; m <= M - from[f]; m += m < 20 ?
			     1 : 193) {
				rm_gemm_nt(m, N, K, x + from[f] * K, w, y,
					   RM_ROWS_ALONE);
				assert_memory_equal(y, all + from[f] * N,
						    m * N * sizeof(*y));
			}
	}
	rm_threads_set(1);
	free(x);
	free(w);
	free(all);
	free(y);
}

/* Gradients of weights do not depend on the number of threads. */
static void test_tn_threads(void **state)
{
	enum { M = 300, N = 17, K = 1300 };
	rm_real *x = matrix(K, M, 1), *w = matrix(K, N, 2);
	rm_real *one = rm_calloc(M * N, sizeof(*one));
	rm_real *three = rm_calloc(M * N, sizeof(*three));

	(void)state;
	rm_gemm_tn(M, N, K, x, w, one);
	rm_threads_set(3);
	rm_gemm_tn(M, N, K, x, w, three);
	rm_threads_set(1);
	assert_memory_equal(one, three, M * N * sizeof(*one));
	free(x);
	free(w);
	free(one);
	free(three);
}

static void test_backend(void **state)
{
	(void)state;
	assert_non_null(rm_gemm()->kind->name);
	assert_true(rm_gemm()->align >= 1);
	assert_int_equal(rm_gemm()->tile % rm_gemm()->align, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backend),
		cmocka_unit_test(test_nt),
		cmocka_unit_test(test_nn_and_tn_add),
		cmocka_unit_test(test_rows_have_the_same_bits),
		cmocka_unit_test(test_tn_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
