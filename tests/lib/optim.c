#include "test.h"

#include "optim.h"
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct rm_param dense(const char *name, size_t n, bool decay)
{
	return (struct rm_param){
		.name = name, .n_dims = 1, .shape = { n },
		.trainable = true, .decay = decay,
		.init = RM_INIT_NORMAL, .init_scale = 1
	};
}

static struct rm_param rows(size_t n, size_t dim, double rate)
{
	return (struct rm_param){
		.name = "rows", .n_dims = 2, .shape = { n, dim },
		.trainable = true, .decay = true, .sparse = true,
		.rate = rate, .init = RM_INIT_NORMAL, .init_scale = 1
	};
}

static void make(struct rm_params *p, struct rm_param a, struct rm_param b)
{
	assert_true(rm_params_add(p, &a) >= 0);
	assert_true(rm_params_add(p, &b) >= 0);
	assert_int_equal(rm_params_alloc(p, true), 0);
	rm_params_init(p, 3);
}

/* ---- AdamW against PyTorch ---- */

static void set(rm_real *to, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		to[i] = (rm_real)number(array, i);
}

static void compare(const struct rm_param *p, const json_t *expected)
{
	for (size_t i = 0; i < p->size; i++)
		assert_near((double)p->value[i], number(expected, i), 1e-5);
}

static void test_adamw(void **state)
{
	json_t *r = reference("tests/data/numerics.json", "adamw"), *step;
	struct rm_optim_config c = rm_optim_defaults();
	struct rm_params p = {0};
	double norm;
	size_t at;

	(void)state;
	make(&p, dense("a", 6, true), dense("b", 3, false));
	c.lr = number_of(r, "lr");
	c.beta2 = number_of(r, "beta2");
	c.weight_decay = number_of(r, "weight_decay");
	c.clip = number_of(r, "clip");
	struct rm_optim *o = rm_optim_new(&p, &c);
	for (size_t i = 0; i < 2; i++)
		set(p.param[i].value, json_array_get(
			json_object_get(r, "init"), i));
	json_array_foreach(json_object_get(r, "steps"), at, step) {
		for (size_t i = 0; i < 2; i++)
			set(p.param[i].grad, json_array_get(
				json_object_get(step, "grad"), i));
		assert_int_equal(rm_optim_step(o, c.lr, &norm), 0);
		assert_near(norm, number_of(step, "norm"), 1e-6);
		for (size_t i = 0; i < 2; i++)
			compare(&p.param[i], json_array_get(
				json_object_get(step, "value"), i));
		assert_true(p.param[0].grad[0] == 0);
	}
	assert_int_equal(rm_optim_steps(o), 10);
	rm_optim_free(o);
	rm_params_fini(&p);
}

/* ---- by row ---- */

/*
 * The same bits as a dense twin's, whatever rows are touched, weights decay
 * and gradients are clipped.
 */
static void test_by_row(void **state)
{
	enum { N = 50, DIM = 6 };
	struct rm_optim_config c = rm_optim_defaults();
	struct rm_param table = {
		.name = "table", .n_dims = 2, .shape = { N, DIM },
		.trainable = true, .decay = true, .init = RM_INIT_NORMAL,
		.init_scale = 1
	};
	struct rm_params p = {0}, twin = {0};
	struct rm_optim *o, *of_twin;
	double norm, norm_of_twin;

	(void)state;
	c.weight_decay = .1;
	c.clip = 5;
	make(&twin, dense("a", 3, true), table);
	table.by_row = true;
	make(&p, dense("a", 3, true), table);
	o = rm_optim_new(&p, &c);
	of_twin = rm_optim_new(&twin, &c);
	for (uint64_t step = 0; step < 40; step++) {
		for (uint64_t i = 0; i < 4; i++) {
			size_t r = (size_t)(rm_random(1, RM_RANDOM_TEST, step,
						      i) % (step + 1) % N);
			rm_real g = (rm_real)(i + 1);

			p.param[1].grad[r * DIM + i] += g;
			rm_param_touch(&p.param[1], r);
			twin.param[1].grad[r * DIM + i] += g;
		}
		assert_int_equal(rm_optim_step(o, .01, &norm), 0);
		assert_int_equal(rm_optim_step(of_twin, .01,
					       &norm_of_twin), 0);
		assert_near(norm, norm_of_twin, 1e-12);
		assert_memory_equal(p.param[1].value, twin.param[1].value,
				    N * DIM * sizeof(rm_real));
		for (size_t i = 0; i < N * DIM; i++)
			assert_true(p.param[1].grad[i] == 0);
	}
	rm_optim_free(o);
	rm_optim_free(of_twin);
	rm_params_fini(&p);
	rm_params_fini(&twin);
}

/* ---- sparse rows ---- */

static void touch(struct rm_params *p, uint32_t row, rm_real g)
{
	struct rm_sparse *s = p->param[1].rows;
	struct rm_use use = { row, 1 };
	rm_real dx[] = { g, 2 * g };

	assert_int_equal(rm_sparse_add(s, row / s->per, &use, 1, dx), 0);
}

/*
 * Against a dense twin: decay of every row and a plain step, whether a row
 * is touched or not, over enough steps for the scale to be folded in.
 */
static void test_rows(void **state)
{
	enum { N = 200, DIM = 2 };
	struct rm_optim_config c = rm_optim_defaults();
	struct rm_params p = {0};
	double twin[N * DIM];
	rm_real out[N * DIM];
	const double lr = .5, rate = .1;

	(void)state;
	c.lr = lr;
	c.weight_decay = .1;
	make(&p, dense("a", 1, true), rows(N, DIM, rate));
	struct rm_optim *o = rm_optim_new(&p, &c);
	for (size_t i = 0; i < N * DIM; i++)
		twin[i] = (double)p.param[1].value[i];
	for (uint64_t step = 0; step < 300; step++) {
		for (size_t i = 0; i < N * DIM; i++)
			twin[i] *= 1 - lr * c.weight_decay;
		for (uint64_t i = 0; i < 5; i++) {
			uint64_t r = rm_random(1, RM_RANDOM_TEST, step, i) % N;
			double g = (double)(i + 1);
			touch(&p, (uint32_t)r, (rm_real)g);
			twin[r * DIM] -= lr * rate * g;
			twin[r * DIM + 1] -= lr * rate * 2 * g;
		}
		assert_int_equal(rm_optim_step(o, lr, NULL), 0);
	}
	assert_true(p.param[1].scale < 1 && p.param[1].scale > 1e-4);
	rm_params_get(&p, 1, out);
	for (size_t i = 0; i < N * DIM; i++)
		assert_near((double)out[i], twin[i], 1e-5);
	rm_optim_free(o);
	rm_params_fini(&p);
}

static void test_clip_counts_rows(void **state)
{
	struct rm_optim_config c = rm_optim_defaults();
	struct rm_params p = {0};
	double norm;

	(void)state;
	c.clip = 1;
	make(&p, dense("a", 1, true), rows(100, 2, 1));
	struct rm_optim *o = rm_optim_new(&p, &c);
	double before = (double)p.param[1].value[7 * 2];
	p.param[0].grad[0] = 2;
	touch(&p, 7, 2);	/* squares: 4 + (4 + 16) */
	assert_int_equal(rm_optim_step(o, 1, &norm), 0);
	assert_near(norm, sqrt(24), 1e-12);
	assert_near((double)p.param[1].value[7 * 2], before - 2 / sqrt(24),
		    1e-6);
	rm_optim_free(o);
	rm_params_fini(&p);
}

/* ---- the rest ---- */

static void random_step(struct rm_params *p, struct rm_optim *o,
			uint64_t step)
{
	for (size_t i = 0; i < p->param[0].size; i++)
		p->param[0].grad[i] = (rm_real)rm_random_normal(
			4, RM_RANDOM_TEST, step, i);
	for (uint64_t i = 0; i < 2000; i++)
		touch(p, (uint32_t)(rm_random(5, RM_RANDOM_TEST, step, i) %
				    5000), (rm_real)i);
	assert_int_equal(rm_optim_step(o, .01, NULL), 0);
}

/* Same bytes for one and three threads, and from a checkpoint. */
static void test_same_bytes(void **state)
{
	struct rm_optim_config c = rm_optim_defaults();
	struct rm_params p = {0}, q = {0};
	size_t n, m;

	(void)state;
	c.clip = 1;
	c.weight_decay = .1;
	make(&p, dense("a", 100000, true), rows(5000, 2, 1));
	make(&q, dense("a", 100000, true), rows(5000, 2, 1));
	struct rm_optim *o = rm_optim_new(&p, &c);
	random_step(&p, o, 0);
	random_step(&p, o, 1);
	unsigned char *saved = malloc(rm_params_state_size(&p));
	rm_params_state_get(&p, saved);
	rm_params_state_set(&q, saved);
	struct rm_optim *o2 = rm_optim_new(&q, &c);
	const struct rm_range *from = rm_optim_ranges(o, &n);
	const struct rm_range *to = rm_optim_ranges(o2, &m);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(from[i].bytes, to[i].bytes);
		memcpy(to[i].data, from[i].data, from[i].bytes);
	}
	random_step(&p, o, 2);
	rm_threads_set(3);
	random_step(&q, o2, 2);
	rm_threads_set(1);
	assert_memory_equal(p.block, q.block, p.size * sizeof(rm_real));
	assert_int_equal(rm_optim_steps(o2), 3);
	free(saved);
	rm_optim_free(o);
	rm_optim_free(o2);
	rm_params_fini(&p);
	rm_params_fini(&q);
}

static void test_nan_changes_nothing(void **state)
{
	struct rm_optim_config c = rm_optim_defaults();
	struct rm_params p = {0};

	(void)state;
	make(&p, dense("a", 2, true), rows(100, 2, 1));
	struct rm_optim *o = rm_optim_new(&p, &c);
	rm_real before = p.param[0].value[0];
	p.param[0].grad[0] = 1;
	touch(&p, 3, (rm_real)NAN);
	assert_int_equal(rm_optim_step(o, 1, NULL), -1);
	assert_string_equal(rm_error(), "the gradient norm is NaN");
	assert_true(p.param[0].value[0] == before);
	assert_true(p.param[0].grad[0] == 1);
	assert_int_equal(rm_optim_steps(o), 0);
	rm_optim_free(o);
	c.lr = 10;
	c.weight_decay = .1;
	assert_null(rm_optim_new(&p, &c));
	rm_params_fini(&p);
}

static void test_schedules(void **state)
{
	(void)state;
	const struct rm_schedule *s = rm_schedule_find("linear");
	assert_near(rm_schedule_factor(s, 0, 110, 10), .1, 1e-15);
	assert_near(rm_schedule_factor(s, 9, 110, 10), 1, 1e-15);
	assert_near(rm_schedule_factor(s, 10, 110, 10), 1, 1e-15);
	assert_near(rm_schedule_factor(s, 60, 110, 10), .5, 1e-15);
	assert_near(rm_schedule_factor(s, 110, 110, 10), 0, 1e-15);
	s = rm_schedule_find("cosine");
	assert_near(rm_schedule_factor(s, 0, 100, 0), 1, 1e-15);
	assert_near(rm_schedule_factor(s, 50, 100, 0), .5, 1e-15);
	assert_near(rm_schedule_factor(s, 25, 100, 0), .5 + M_SQRT2 / 4,
		    1e-15);
	s = rm_schedule_find("constant");
	assert_near(rm_schedule_factor(s, 99, 100, 0), 1, 1e-15);
	assert_null(rm_schedule_find("step"));
	assert_string_equal(rm_error(), "unknown schedule step; there are "
			    "constant, linear, cosine");
	/* All start at the peak and never exceed it. */
	for (s = rm_schedules; s->name; s++) {
		assert_true(s->factor(0) == 1);
		for (uint64_t i = 0; i <= 20; i++) {
			double f = rm_schedule_factor(s, i, 20, 5);
			assert_true(f >= 0 && f <= 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adamw),
		cmocka_unit_test(test_by_row),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_clip_counts_rows),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_nan_changes_nothing),
		cmocka_unit_test(test_schedules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
