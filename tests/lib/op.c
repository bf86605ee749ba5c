#include "test.h"

#include "op.h"
#include "reference.h"

#include <math.h>
#include <string.h>

static void test_log_sigmoid(void **state)
{
	(void)state;
	assert_near(rm_log_sigmoid(0), -M_LN2, 1e-15);
	assert_near(rm_log_sigmoid(1), log(1 / (1 + exp(-1))), 1e-15);
	assert_true(rm_log_sigmoid(-1e4) == -1e4);
	/* -exp(-x) where 1 + exp(-x) would round to 1. */
	assert_near(rm_log_sigmoid(50) / -exp(-50), 1, 1e-12);
	assert_true(rm_log_sigmoid(1e308) == 0);
	assert_true(rm_log_sigmoid(-1e308) == -1e308);
}

static void test_sigmoid(void **state)
{
	(void)state;
	assert_true(rm_sigmoid(0) == .5);
	assert_true(rm_sigmoid(1e308) == 1);
	assert_true(rm_sigmoid(-1e308) == 0);
	for (double x = -40; x <= 40; x += .37)
		assert_near(log(rm_sigmoid(x)), rm_log_sigmoid(x), 1e-12);
}

static size_t find(const char *name)
{
	size_t i = 0;

	while (rm_activations[i].name && strcmp(rm_activations[i].name, name))
		i++;
	assert_non_null(rm_activations[i].name);
	return i;
}

static void test_activations(void **state)
{
	json_t *cases = reference("tests/data/numerics.json", "activation");
	json_t *c;
	size_t at;

	(void)state;
	json_array_foreach(cases, at, c) {
		const char *name = json_string_value(
			json_object_get(c, "name"));
		const json_t *xs = json_object_get(c, "x");
		const struct rm_activation *f = &rm_activations[find(name)];
		for (size_t i = 0; i < json_array_size(xs); i++) {
			rm_real x = (rm_real)number(xs, i), y, dy = 2, dx = 1;
			f->forward(&y, &x, 1);
			f->backward(&dx, &dy, &x, 1);
			assert_near((double)y, number(json_object_get(c, "y"),
						      i), 1e-6);
			assert_near((double)dx, 1 + 2 *
				    number(json_object_get(c, "dx"), i), 1e-6);
		}
	}
}

/* Value and slope in one go are those of both ways, in place too. */
static void test_both(void **state)
{
	enum { N = 37 };

	(void)state;
	for (size_t f = 0; rm_activations[f].name; f++) {
		rm_real x[N], y[N], slope[N], forward[N], back[N], one[N];

		for (size_t i = 0; i < N; i++) {
			x[i] = (rm_real)(((double)i - N / 2) * .75);
			one[i] = 1;
			back[i] = 0;
		}
		rm_activations[f].forward(forward, x, N);
		rm_activations[f].backward(back, one, x, N);
		rm_activations[f].both(y, slope, x, N);
		assert_memory_equal(y, forward, sizeof(y));
		rm_activations[f].both(y, x, x, N);
		assert_memory_equal(y, forward, sizeof(y));
		for (size_t i = 0; i < N; i++) {
			assert_near((double)slope[i], (double)back[i], 1e-6);
			assert_near((double)x[i], (double)back[i], 1e-6);
		}
	}
}

/* Every activation has a reference, and its name stands in the choices. */
static void test_table(void **state)
{
	json_t *cases = reference("tests/data/numerics.json", "activation");
	size_t n = 0;

	(void)state;
	for (; rm_activations[n].name; n++)
		assert_string_equal(rm_activations[n].name,
				    rm_activation_names[n]);
	assert_null(rm_activation_names[n]);
	assert_int_equal(json_array_size(cases), n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_sigmoid),
		cmocka_unit_test(test_sigmoid),
		cmocka_unit_test(test_activations),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
