#include "test.h"

#include "tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct rm_param param(const char *name, size_t rows, size_t columns)
{
	return (struct rm_param){
		.name = name, .n_dims = 2, .shape = { rows, columns },
		.trainable = true, .init = RM_INIT_NORMAL, .init_scale = .5
	};
}

static void add(struct rm_params *p, struct rm_param one)
{
	assert_true(rm_params_add(p, &one) >= 0);
}

static void make(struct rm_params *p)
{
	struct rm_param frozen = param("frozen", 3, 5);
	struct rm_param rows = param("rows", 1000, 4);

	frozen.trainable = false;
	rows.sparse = true;
	add(p, param("dense", 7, 3));
	add(p, frozen);
	add(p, rows);
	assert_int_equal(rm_params_alloc(p, true), 0);
}

static void test_table(void **state)
{
	struct rm_params p = {0};

	(void)state;
	make(&p);
	assert_int_equal(rm_params_find(&p, "rows"), 2);
	assert_int_equal(rm_params_find(&p, "row"), -1);
	assert_int_equal(p.param[0].size, 21);
	assert_non_null(p.param[0].grad);
	assert_null(p.param[1].grad);
	assert_null(p.param[2].grad);
	assert_non_null(p.param[2].rows);
	for (size_t i = 0; i < p.n; i++) {
		assert_ptr_equal(p.param[i].value,
				 p.block + p.param[i].offset);
		assert_int_equal((uintptr_t)p.param[i].value % 64, 0);
	}
	struct rm_param again = param("dense", 1, 1);
	assert_int_equal(rm_params_add(&p, &again), -1);
	assert_string_equal(rm_error(), "parameter dense exists");
	rm_params_fini(&p);
	rm_params_fini(&p);
	rm_params_fini(NULL);
}

static void test_too_large(void **state)
{
	struct rm_params p = {0};
	struct rm_param huge = param("huge", SIZE_MAX / 2, 3);

	(void)state;
	assert_int_equal(rm_params_add(&p, &huge), -1);
	assert_string_equal(rm_error(), "parameter huge is too large");
	for (char name[] = "a"; name[0] <= 'q'; name[0]++)
		add(&p, param(name, SIZE_MAX / 16 - 64, 1));
	assert_int_equal(rm_params_alloc(&p, false), -1);
	assert_string_equal(rm_error(), "the parameters are too large");
	rm_params_fini(&p);
}

/* The same numbers for one thread and for three; those of the right law. */
static void test_init(void **state)
{
	struct rm_params p = {0}, q = {0};
	double sum = 0, sum2 = 0;

	(void)state;
	make(&p);
	make(&q);
	rm_threads_set(1);
	rm_params_init(&p, 5);
	rm_threads_set(3);
	rm_params_init(&q, 5);
	rm_threads_set(1);
	assert_memory_equal(p.block, q.block, p.size * sizeof(rm_real));
	rm_params_init(&q, 6);
	assert_memory_not_equal(p.block, q.block, p.size * sizeof(rm_real));
	for (size_t i = 0; i < 4000; i++) {
		double x = (double)p.param[2].value[i];
		sum += x;
		sum2 += x * x;
	}
	assert_true(fabs(sum / 4000) < .05);
	assert_true(fabs(sqrt(sum2 / 4000) - .5) < .03);
	rm_params_fini(&p);
	rm_params_fini(&q);
}

static void test_init_kinds(void **state)
{
	struct rm_params p = {0};
	struct rm_param sign = param("sign", 1, 64);
	struct rm_param constant = param("constant", 1, 2);
	int positive = 0;

	(void)state;
	sign.init = RM_INIT_SIGN;
	constant.init = RM_INIT_CONSTANT;
	add(&p, sign);
	add(&p, constant);
	assert_int_equal(rm_params_alloc(&p, false), 0);
	rm_params_init(&p, 1);
	for (size_t i = 0; i < 64; i++) {
		assert_true(fabs((double)p.param[0].value[i]) == .5);
		positive += p.param[0].value[i] > 0;
	}
	assert_in_range(positive, 16, 48);
	assert_true(p.param[1].value[1] == (rm_real).5);
	rm_params_fini(&p);
}

/* True values are scale * value; the state keeps both as they are. */
static void test_scale_and_state(void **state)
{
	struct rm_params p = {0};
	rm_real out[21];

	(void)state;
	make(&p);
	rm_params_init(&p, 1);
	p.param[0].scale = .5;
	rm_params_get(&p, 0, out);
	assert_true(out[3] == p.param[0].value[3] / 2);
	unsigned char *copy = malloc(rm_params_state_size(&p));
	rm_params_state_get(&p, copy);
	rm_real before = p.param[0].value[3];
	rm_params_set(&p, 0, out);
	assert_true(p.param[0].scale == 1);
	assert_true(p.param[0].value[3] == out[3]);
	rm_params_state_set(&p, copy);
	assert_true(p.param[0].scale == .5);
	assert_true(p.param[0].value[3] == before);
	free(copy);
	rm_params_fini(&p);
}

/* What is not trainable has no gradient; the rest keeps its own. */
static void test_frozen(void **state)
{
	struct rm_params p = {0};

	(void)state;
	add(&p, param("layer.0.weight", 1, 1));
	add(&p, param("layer.1.weight", 1, 1));
	add(&p, param("score.weight", 1, 1));
	p.param[0].trainable = p.param[1].trainable = false;
	assert_int_equal(rm_params_alloc(&p, true), 0);
	assert_null(p.param[0].grad);
	assert_null(p.param[1].grad);
	assert_non_null(p.param[2].grad);
	rm_params_fini(&p);
}

/* Random uses against a dense gradient, added in the same order. */
static void test_sparse(void **state)
{
	enum { ROWS = 1000, DIM = 3, USES = 5000 };
	static rm_real dense[ROWS * DIM];
	struct rm_sparse *s = rm_sparse_new(ROWS, DIM);

	(void)state;
	assert_non_null(s);
	for (int round = 0; round < 2; round++) {
		memset(dense, 0, sizeof(dense));
		for (uint64_t i = 0; i < USES; i++) {
			uint64_t r = rm_random(1, RM_RANDOM_TEST, 0, i);
			struct rm_use use = {
				(uint32_t)(r % 500), (rm_real)(r % 7)
			};
			rm_real dx[DIM] = { 1, (rm_real)i, -2 };
			assert_int_equal(rm_sparse_add(s, use.row / s->per,
						       &use, 1, dx), 0);
			for (size_t j = 0; j < DIM; j++)
				dense[use.row * DIM + j] += use.weight * dx[j];
		}
		for (uint32_t r = 0; r < 500; r++) {
			const rm_real *g = rm_sparse_find(s, r);
			assert_non_null(g);
			assert_memory_equal(g, dense + r * DIM,
					    DIM * sizeof(*g));
		}
		assert_null(rm_sparse_find(s, 999));
		rm_sparse_clear(s);
		assert_null(rm_sparse_find(s, 0));
	}
	rm_sparse_free(s);
	rm_sparse_free(NULL);
	assert_null(rm_sparse_new((size_t)1 << 33, 1));
}

static void test_norm(void **state)
{
	struct rm_params p = {0};
	struct rm_use use = { 17, 2 };
	rm_real dx[4] = { 1, 2, 3, 4 };

	(void)state;
	make(&p);
	for (size_t i = 0; i < 21; i++)
		p.param[0].grad[i] = (rm_real)i;
	struct rm_sparse *s = p.param[2].rows;
	assert_int_equal(rm_sparse_add(s, 17 / s->per, &use, 1, dx), 0);
	/* sum i^2 for i < 21, and 4 (1 + 4 + 9 + 16) */
	assert_true(rm_params_grad_norm2(&p) == 2870 + 120);
	rm_params_zero_grad(&p);
	assert_true(rm_params_grad_norm2(&p) == 0);
	rm_params_fini(&p);
}

/* c times the sum of norms, and its gradient x / |x| of each. */
static void test_norms(void **state)
{
	struct rm_params p = {0};
	struct rm_use use = { 17, 0 };
	rm_real dx[4] = {0};
	struct rm_sparse *s;
	rm_real *row;

	(void)state;
	make(&p);
	rm_params_init(&p, 3);
	for (size_t i = 0; i < 21; i++)
		p.param[0].value[i] = 0;
	p.param[0].value[2] = 3;
	p.param[0].value[5] = -4;
	s = p.param[2].rows;
	assert_int_equal(rm_sparse_add(s, 17 / s->per, &use, 1, dx), 0);
	/* A row that no step has touched is not looked at. */
	row = p.param[2].value + (size_t)17 * 4;
	for (size_t i = 0; i < 4; i++)
		row[i] = i == 1 ? 2 : 0;
	for (size_t i = 0; i < p.param[1].size; i++)
		p.param[1].value[i] = 0;
	p.param[2].scale = .5;
	assert_true(fabs(rm_params_add_norms(&p, .1) - .1 * (5 + 1)) < 1e-7);
	assert_true(fabs((double)p.param[0].grad[2] - .06) < 1e-7);
	assert_true(fabs((double)p.param[0].grad[5] + .08) < 1e-7);
	assert_true(p.param[0].grad[0] == 0);
	assert_true(fabs((double)rm_sparse_find(s, 17)[1] - .1) < 1e-7);
	for (size_t i = 0; p.param[1].grad && i < p.param[1].size; i++)
		assert_true(p.param[1].grad[i] == 0);
	rm_params_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_kinds),
		cmocka_unit_test(test_scale_and_state),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_norm),
		cmocka_unit_test(test_norms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
