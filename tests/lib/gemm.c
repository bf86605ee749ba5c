#include "test.h"

#include "bf16.h"
#include "gemm.h"
#include "gemm/onednn.h"

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

/* To the nearest of bf16's numbers, by arithmetic. */
static double bf16(double x)
{
	int e;
	double m = frexp(x, &e);

	return ldexp(nearbyint(ldexp(m, 8)), e - 8);
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
		assert_int_equal(rm_gemm_nt(m, n, k, x, w, y), 0);
		for (size_t i = 0; i < m; i++)
			for (size_t j = 0; j < n; j++)
				near(y[i * n + j], nt(x, w, k, i, j));
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
		assert_int_equal(rm_gemm_nn(m, n, k, x, w, y, false),
				 0);
		for (size_t i = 0; i < m; i++)
			for (size_t j = 0; j < n; j++)
				near(y[i * n + j], (double)z[i * n + j] +
				     nn(x, w, k, n, i, j));
		memcpy(y, z, m * n * sizeof(*y));
		assert_int_equal(rm_gemm_tn(m, n, k, xt, m, w, n,
						    y, RM_FP32), 0);
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

/* What is added by rows goes by the row, wherever it stands. */
static void test_added_rows_have_the_same_bits(void **state)
{
	enum { M = 1100, N = 24, K = 40 };
	rm_real *x = matrix(M, K, 1), *w = matrix(K, N, 2);
	rm_real *all = matrix(M, N, 3), *y = matrix(M, N, 3);
	static const size_t from[] = { 0, 1, 5, 12, 511, 700, 1099 };

	(void)state;
	assert_int_equal(rm_gemm_nn(M, N, K, x, w, all, true), 0);
	for (size_t f = 0; f < RM_COUNT(from); f++) {
		rm_threads_set(1 + f % 3);
		assert_int_equal(rm_gemm_nn(M - from[f], N, K, x +
			from[f] * K, w, y + from[f] * N, true), 0);
		assert_memory_equal(y + from[f] * N, all + from[f] * N,
				    (M - from[f]) * N * sizeof(*y));
		free(y);
		y = matrix(M, N, 3);
	}
	rm_threads_set(1);
	free(x);
	free(w);
	free(all);
	free(y);
}

/* Every batch size, every place in a batch, one to three threads. */
static void test_rows_have_the_same_bits(void **state)
{
	enum { M = 1100, N = 24, K = 40 };
	rm_real *x = matrix(M, K, 1), *w = matrix(N, K, 2);
	rm_real *all = matrix(M, N, 3), *y = matrix(M, N, 4);
	static const size_t from[] = { 0, 1, 5, 12, 511, 700, 1099 };

	(void)state;
	assert_int_equal(rm_gemm_nt(M, N, K, x, w, all), 0);
	for (size_t threads = 1; threads <= 3; threads++) {
		rm_threads_set(threads);
		for (size_t f = 0; f < RM_COUNT(from); f++)
			for (size_t m = 1; m <= M - from[f]; m += m < 20 ?
			     1 : 193) {
				rm_gemm_nt(m, N, K, x + from[f] * K, w, y);
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

/* Columns of wider matrices, in both precisions, over several runs. */
static void test_tn_of_columns(void **state)
{
	static const size_t shapes[][3] = {
		{ 1, 1, 1 }, { 5, 17, 300 }, { 97, 16, 31 }, { 200, 50, 513 }
	};

	(void)state;
	for (int how = 0; how < 2 * (int)RM_COUNT(shapes); how++) {
		const size_t *d = shapes[how / 2];
		size_t m = d[0], n = d[1], k = d[2], ldx = m + 3, ldw = n + 9;
		rm_real *x = matrix(k, ldx, 1), *w = matrix(k, ldw, 2);
		rm_real *y = matrix(m, n, 3), *z = matrix(m, n, 3);

		assert_int_equal(rm_gemm_tn(m, n, k, x + 2, ldx, w + 4, ldw,
			y, how & 1 ? RM_BF16 : RM_FP32), 0);
		for (size_t i = 0; i < m; i++)
			for (size_t j = 0; j < n; j++) {
				double sum = (double)z[i * n + j];

				for (size_t c = 0; c < k; c++) {
					double a = (double)x[c * ldx + 2 + i];
					double b = (double)w[c * ldw + 4 + j];

					sum += how & 1 ? bf16(a) * bf16(b) :
						a * b;
				}
				near(y[i * n + j], sum);
			}
		free(x);
		free(w);
		free(y);
		free(z);
	}
}

/* Gradients of weights do not depend on the number of threads. */
static void test_tn_threads(void **state)
{
	enum { M = 300, N = 17, K = 1300 };
	rm_real *x = matrix(K, M, 1), *w = matrix(K, N, 2);
	rm_real *one = rm_calloc(M * N, sizeof(*one));
	rm_real *three = rm_calloc(M * N, sizeof(*three));

	(void)state;
	rm_gemm_tn(M, N, K, x, M, w, N, one, RM_FP32);
	rm_threads_set(3);
	rm_gemm_tn(M, N, K, x, M, w, N, three, RM_FP32);
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
	assert_non_null(rm_gemm()->name);
}

/* ---- packed weights ---- */

static void test_bf16_rounds_to_nearest_even(void **state)
{
	static const float some[] = {
		0, -0.F, 1, 1.00390625F, 1.01171875F, -1.00390626F, 3.3e38F,
		1e-30F, 65535, INFINITY, -INFINITY
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(some); i++)
		assert_true((double)rm_of_bf16(rm_to_bf16(some[i])) ==
			    (isinf(some[i]) ? (double)some[i] :
			     bf16((double)some[i])));
	for (uint64_t i = 0; i < 10000; i++) {
		float x = (float)rm_random_normal(1, RM_RANDOM_TEST, 0, i);

		assert_true((double)rm_of_bf16(rm_to_bf16(x)) ==
			    bf16((double)x));
	}
	assert_true(isnan(rm_of_bf16(rm_to_bf16(NAN))));
}

/* W[row, column] of the whole. */
static double weight_at(const struct rm_weights *w, size_t row, size_t column)
{
	size_t i = 0;

	while (row >= w->rows[i])
		row -= w->rows[i++];
	return (double)(w->turned ? w->w[i][column * w->rows[i] + row] :
			w->w[i][row * w->k + column]);
}

/* y[m, n] = before + x W' or x W, numbers rounded first where so said. */
static void check_packed(const struct rm_weights *w, enum rm_way way,
			 bool rounds, size_t m, size_t rows, const rm_real *x,
			 const rm_real *y, double before)
{
	size_t n = way == RM_ALONG ? rows : w->k;
	size_t k = way == RM_ALONG ? w->k : rows;

	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++) {
			double sum = before;

			for (size_t c = 0; c < k; c++) {
				double a = (double)x[i * k + c];
				double b = way == RM_ALONG ?
					weight_at(w, j, c) :
					weight_at(w, c, j);

				sum += rounds ? bf16(a) * bf16(b) : a * b;
			}
			near(y[i * n + j], sum);
		}
}

/* One to three matrices, every way; packed twice into the same memory. */
static void pack_and_multiply(struct rm_weights *w, size_t rows, int how)
{
	static const size_t ms[] = { 0, 1, 5, 6, 7, 97, 200, 300 };
	enum rm_precision p = how & 1 ? RM_BF16 : RM_FP32;
	enum rm_way way = how & 2 ? RM_BACK : RM_ALONG;
	bool add = how & 4;
	size_t n = way == RM_ALONG ? rows : w->k;
	rm_real *x = matrix(300, way == RM_ALONG ? w->k : rows, 9);
	rm_real *y = matrix(300, n, 5);
	const rm_real *first = w->w[0];
	struct rm_packed *packed = NULL;
	rm_real *other = matrix(w->rows[0], w->k, 77);

	w->turned = how & 8;
	w->w[0] = other;
	assert_int_equal(rm_gemm_pack(&packed, w, way, p), 0);
	w->w[0] = first;
	assert_int_equal(rm_gemm_pack(&packed, w, way, p), 0);
	for (size_t i = 0; i < RM_COUNT(ms); i++) {
		for (size_t j = 0; j < ms[i] * n; j++)
			y[j] = 3;
		assert_int_equal(rm_gemm_packed(ms[i], x, packed, y, add), 0);
		check_packed(w, way, how & 1, ms[i], rows, x, y, add ? 3 : 0);
	}
	rm_packed_free(packed);
	free(other);
	free(x);
	free(y);
}

static void test_packed(void **state)
{
	static const size_t parts[][4] = {
		/* k and rows */
		{ 1, 1, 0, 0 }, { 7, 5, 11, 3 }, { 33, 16, 16, 1 },
		{ 40, 50, 7, 0 }, { 600, 17, 0, 0 }, { 20, 520, 32, 16 }
	};

	(void)state;
	for (size_t s = 0; s < RM_COUNT(parts); s++) {
		struct rm_weights w = { .k = parts[s][0] };
		size_t n = 0;

		for (; w.parts < 3 && parts[s][w.parts + 1]; w.parts++) {
			w.rows[w.parts] = parts[s][w.parts + 1];
			w.w[w.parts] = matrix(w.rows[w.parts], w.k, w.parts);
			n += w.rows[w.parts];
		}
		for (int how = 0; how < 16; how++)
			pack_and_multiply(&w, n, how);
		for (size_t i = 0; i < w.parts; i++)
			free((rm_real *)w.w[i]);
	}
}

/* Any number of rows, any place, one to three threads, both precisions. */
static void test_packed_rows_have_the_same_bits(void **state)
{
	enum { M = 500, N = 70, K = 600 };
	rm_real *x = matrix(M, K, 1), *w = matrix(N, K, 2);
	rm_real *all = matrix(M, N, 3), *y = matrix(M, N, 4);
	static const size_t from[] = { 0, 1, 5, 12, 95, 96, 311, 499 };

	(void)state;
	for (int p = RM_FP32; p <= RM_BF16; p++) {
		const struct rm_weights weights = {
			.parts = 1, .k = K, .w = { w }, .rows = { N }
		};
		struct rm_packed *packed = NULL;

		assert_int_equal(rm_gemm_pack(&packed, &weights, RM_ALONG,
					      (enum rm_precision)p), 0);
		assert_int_equal(rm_gemm_packed(M, x, packed, all, false), 0);
		for (size_t threads = 1; threads <= 3; threads++) {
			rm_threads_set(threads);
			for (size_t f = 0; f < RM_COUNT(from); f++)
				for (size_t m = 1; m <= M - from[f];
				     m += m < 20 ? 1 : 93) {
					rm_gemm_packed(m, x + from[f] * K,
						       packed, y, false);
					assert_memory_equal(y, all +
						from[f] * N,
						m * N * sizeof(*y));
				}
		}
		rm_threads_set(1);
		rm_packed_free(packed);
	}
	free(x);
	free(w);
	free(all);
	free(y);
}

/* What oneDNN is asked to do is right; in fp32, which any processor has. */
static void test_onednn(void **state)
{
	static const size_t sizes_of[][3] = {
		{ 1, 1, 1 }, { 63, 5, 7 }, { 64, 16, 33 }, { 65, 48, 100 },
		{ 300, 384, 64 }
	};

	(void)state;
#ifndef RM_ONEDNN
	skip();
#endif
	for (size_t s = 0; s < RM_COUNT(sizes_of); s++) {
		size_t m = sizes_of[s][0], n = sizes_of[s][1];
		size_t k = sizes_of[s][2];
		rm_real *x = matrix(m, k, 1), *w = matrix(n, k, 2);
		rm_real *y = matrix(m, n, 3);

		for (size_t threads = 1; threads <= 3; threads++) {
			struct rm_onednn *d;

			rm_threads_set(threads);
			d = rm_onednn_new(n, k, false);
			assert_non_null(d);
			assert_int_equal(rm_onednn_set(d, w), 0);
			memset(y, 0, m * n * sizeof(*y));
			assert_int_equal(rm_onednn_product(m, x, d, y, false), 0);
			for (size_t i = 0; i < m; i++)
				for (size_t j = 0; j < n; j++)
					near(y[i * n + j],
					     nt(x, w, k, i, j));
			rm_onednn_free(d);
		}
		rm_threads_set(1);
		free(x);
		free(w);
		free(y);
	}
}

/* auto takes what the processor has; nothing is refused for lack of it. */
static rm_real rounded(rm_real x, bool bf16)
{
	return bf16 ? rm_of_bf16(rm_to_bf16((float)x)) : x;
}

/* y += x' w of columns that stand among others, in runs of rows or one. */
static void check_sums(size_t m, size_t n, size_t k, bool bf16)
{
	size_t ldx = m + 3, ldw = n + 5;
	rm_real *x = matrix(k, ldx, 1), *w = matrix(k, ldw, 2);
	rm_real *y = matrix(m, n, 3), *one = matrix(m, n, 3);

	for (size_t threads = 1; threads <= 3; threads++) {
		rm_real *to = threads == 1 ? one : y;

		rm_threads_set(threads);
		for (size_t i = 0; i < m * n; i++)
			to[i] = (rm_real)(i % 5);
		if (rm_onednn_sums(m, n, k, x, ldx, w, ldw, to, bf16) < 0)
			fail_msg("%s", rm_error());
		assert_memory_equal(to, one, m * n * sizeof(*to));
	}
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++) {
			double sum = (double)((i * n + j) % 5);

			for (size_t t = 0; t < k; t++)
				sum += (double)rounded(x[t * ldx + i], bf16) *
				       (double)rounded(w[t * ldw + j], bf16);
			assert_true(fabs(sum - (double)one[i * n + j]) <
				    1e-4);
		}
	rm_threads_set(1);
	free(x);
	free(w);
	free(y);
	free(one);
}

static void test_onednn_sums(void **state)
{
	static const size_t sizes_of[][3] = {
		{ 1, 1, 1 }, { 17, 5, 255 }, { 64, 33, 256 },
		{ 70, 48, 300 }, { 20, 24, 2100 }
	};

	bool units = rm_onednn_units() != RM_BF16_NO_UNITS;

	(void)state;
#ifndef RM_ONEDNN
	skip();
#endif
	/* It makes no product of a type that the processor has no units for. */
	for (size_t s = 0; s < RM_COUNT(sizes_of); s++)
		for (int bf16 = 0; bf16 <= units; bf16++)
			check_sums(sizes_of[s][0], sizes_of[s][1],
				   sizes_of[s][2], bf16);
}

static void test_auto(void **state)
{
	(void)state;
	assert_int_equal(rm_gemm_auto() == RM_BF16,
			 rm_onednn_units() == RM_BF16_TILES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backend),
		cmocka_unit_test(test_nt),
		cmocka_unit_test(test_nn_and_tn_add),
		cmocka_unit_test(test_added_rows_have_the_same_bits),
		cmocka_unit_test(test_rows_have_the_same_bits),
		cmocka_unit_test(test_tn_of_columns),
		cmocka_unit_test(test_tn_threads),
		cmocka_unit_test(test_bf16_rounds_to_nearest_even),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_packed_rows_have_the_same_bits),
		cmocka_unit_test(test_onednn),
		cmocka_unit_test(test_onednn_sums),
		cmocka_unit_test(test_auto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
