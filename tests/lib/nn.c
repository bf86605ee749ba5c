#include "test.h"

#include "nn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_linear_by_hand(void **state)
{
	const rm_real x[] = { 1, 2, 3, 4 }, w[] = { 1, -1, 2, 0, .5, 1 };
	const rm_real b[] = { 10, 20, 30 }, dy[] = { 1, 0, 2, 0, 1, 1 };
	const rm_real y_expected[] = { 9, 22, 32.5, 9, 26, 35.5 };
	const rm_real dx_expected[] = { 2, 1, 2.5, 1 };
	const rm_real dw_expected[] = { 1, 2, 3, 4, 5, 8 };
	const rm_real db_expected[] = { 1, 1, 3 };
	rm_real y[6], dx[4] = {0}, dw[6] = {0}, db[3] = {0};

	(void)state;
	rm_linear_forward(y, x, w, b, 2, 2, 3);
	assert_memory_equal(y, y_expected, sizeof(y));
	rm_linear_backward(dx, dw, db, dy, x, w, 2, 2, 3);
	assert_memory_equal(dx, dx_expected, sizeof(dx));
	assert_memory_equal(dw, dw_expected, sizeof(dw));
	assert_memory_equal(db, db_expected, sizeof(db));
	/* Backward adds; what is NULL is left out. */
	rm_linear_backward(dx, NULL, NULL, dy, x, w, 2, 2, 3);
	assert_true(dx[0] == 4);
	assert_true(dw[0] == 1);
}

/* Few outputs are dot products, many a BLAS: rows alike in any batch. */
static void test_linear_rows(void **state)
{
	enum { T = 70, I = 37 };
	static const size_t outputs[] = { 1, 7, 8, 20 };
	rm_real x[T * I], w[20 * I], all[T * 20], one[20];

	(void)state;
	for (size_t i = 0; i < T * I; i++)
		x[i] = (rm_real)rm_random_normal(1, RM_RANDOM_TEST, 0, i);
	for (size_t i = 0; i < 20 * I; i++)
		w[i] = (rm_real)rm_random_normal(2, RM_RANDOM_TEST, 0, i);
	for (size_t o = 0; o < RM_COUNT(outputs); o++) {
		size_t O = outputs[o];
		rm_linear_forward(all, x, w, NULL, T, I, O);
		for (size_t t = 0; t < T; t++) {
			rm_linear_forward(one, x + t * I, w, NULL, 1, I, O);
			assert_memory_equal(one, all + t * O,
					    O * sizeof(*one));
		}
	}
}

static void test_dropout(void **state)
{
	enum { T = 100, C = 50 };
	rm_real x[T * C], y[T * C], dx[T * C] = {0};
	struct rm_dropout d = { .p = .3, .seed = 1, .step = 2 };
	size_t zeros = 0;

	(void)state;
	for (size_t i = 0; i < T * C; i++)
		x[i] = 1;
	rm_dropout_forward(y, x, T, C, &d);
	for (size_t i = 0; i < T * C; i++) {
		assert_true(y[i] == 0 || fabs((double)y[i] - 1 / .7) < 1e-6);
		zeros += y[i] == 0;
	}
	assert_in_range(zeros, 1350, 1650);
	/* The mask of backward is that of forward. */
	rm_dropout_backward(dx, x, T, C, &d);
	assert_memory_equal(dx, y, sizeof(y));
	/* Not all of p = 0. */
	d.p = 0;
	rm_dropout_forward(y, x, T, C, &d);
	assert_memory_equal(x, y, sizeof(y));
}

/* Cut into micro-batches and threads as one likes, other steps apart. */
static void test_dropout_keys(void **state)
{
	enum { T = 400, C = 50 };
	static const size_t picked[] = { 399, 17, 17, 200 };
	static const size_t picked_from_10[] = { 389, 7, 7, 190 };
	rm_real x[T * C], y[T * C], z[T * C];
	struct rm_dropout d = { .p = .5, .seed = 1, .step = 2 };

	(void)state;
	for (size_t i = 0; i < T * C; i++)
		x[i] = (rm_real)i;
	rm_dropout_forward(y, x, T, C, &d);
	rm_threads_set(3);
	for (size_t t = 0; t < T; t += 40) {
		d.first_row = t;
		rm_dropout_forward(z + t * C, x + t * C, 40, C, &d);
	}
	rm_threads_set(1);
	assert_memory_equal(y, z, sizeof(y));
	/* Rows that are picked keep their masks. */
	for (size_t i = 0; i < RM_COUNT(picked); i++)
		memcpy(z + i * C, x + picked[i] * C, C * sizeof(*z));
	d.first_row = 10;
	d.row = picked_from_10;
	rm_dropout_forward(z, z, RM_COUNT(picked), C, &d);
	for (size_t i = 0; i < RM_COUNT(picked); i++)
		assert_memory_equal(z + i * C, y + picked[i] * C,
				    C * sizeof(*z));
	d.row = NULL;
	d.first_row = 0;
	d.layer = 1;
	rm_dropout_forward(z, x, T, C, &d);
	assert_memory_not_equal(y, z, sizeof(y));
	d.layer = 0;
	d.step = 3;
	rm_dropout_forward(z, x, T, C, &d);
	assert_memory_not_equal(y, z, sizeof(y));
}

/* Within four standard errors of `share` of n. */
static void near_share(double p, const char *what, size_t is, size_t n,
		       double share)
{
	double error = sqrt(share * (1 - share) / (double)n);

	if (fabs((double)is / (double)n - share) > 4 * error)
		fail_msg("p %g: %s: %zu of %zu, not %g", p, what, is, n,
			 share);
}

/*
 * Each number is dropped with probability p, whatever befell its neighbours:
 * in a row, in the row below, in the next layer and step, and under the next
 * seed.
 */
static void check_spread(double p)
{
	enum { T = 500, C = 384 };
	struct rm_dropout d = { .p = p, .seed = 1, .step = 2 }, other[3];
	rm_real *x = rm_malloc(5, T * C * sizeof(*x)), *y = x + T * C;
	size_t zeros = 0, right = 0, below = 0, both[3] = {0};

	assert_non_null(x);
	for (size_t i = 0; i < T * C; i++)
		x[i] = 1;
	other[0] = other[1] = other[2] = d;
	other[0].layer++;
	other[1].step++;
	other[2].seed++;
	for (size_t k = 0; k < 3; k++)
		rm_dropout_forward(y + (k + 1) * T * C, x, T, C, &other[k]);
	rm_dropout_forward(y, x, T, C, &d);
	for (size_t i = 0; i < T * C; i++) {
		zeros += y[i] == 0;
		right += i % C && y[i] == 0 && y[i - 1] == 0;
		below += i >= C && y[i] == 0 && y[i - C] == 0;
		for (size_t k = 0; k < 3; k++)
			both[k] += y[i] == 0 && y[i + (k + 1) * T * C] == 0;
	}
	near_share(p, "dropped", zeros, T * C, p);
	near_share(p, "with the last", right, T * (C - 1), p * p);
	near_share(p, "with that above", below, (T - 1) * C, p * p);
	for (size_t k = 0; k < 3; k++)
		near_share(p, "in another mask", both[k], T * C, p * p);
	free(x);
}

static void test_dropout_spread(void **state)
{
	(void)state;
	check_spread(.01);
	check_spread(.1);
	check_spread(.5);
	check_spread(.95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear_by_hand),
		cmocka_unit_test(test_linear_rows),
		cmocka_unit_test(test_dropout),
		cmocka_unit_test(test_dropout_keys),
		cmocka_unit_test(test_dropout_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
