#include "test.h"

#include "calib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of a JSON array; *n of them.  The caller frees. */
static double *numbers(const json_t *object, const char *key, size_t *n)
{
	const json_t *array = json_object_get(object, key);
	double *x;
	size_t i;

	*n = json_array_size(array);
	assert_true(*n > 0);
	x = malloc(*n * sizeof(*x));
	for (i = 0; i < *n; i++)
		x[i] = json_number_value(json_array_get(array, i));
	return x;
}

static void assert_near(const char *what, const char *name, double value,
			double expected, double tolerance)
{
	if (!(fabs(value - expected) <= tolerance * (1 + fabs(expected))))
		fail_msg("%s: %s is %.17g, not %.17g", what, name, value,
			 expected);
}

/* ---- against scipy and scikit-learn (tests/ref/calib.py) ---- */

static void check_fit(const char *what, bool pairs, const char *method,
		      const struct rm_calib_data *data, const json_t *fit,
		      const double *at, size_t n)
{
	struct rm_calib *c = rm_calib_fit(method, pairs, data);
	json_t *json, *value;
	const char *name;
	size_t i;

	if (!c)
		fail_msg("%s: %s: %s", what, method, rm_error());
	json = rm_calib_json(c);
	json_object_foreach(json_object_get(fit, "parameters"), name, value)
		assert_near(what, name, json_number_value(json_object_get(
				json_object_get(json, "parameters"), name)),
			    json_number_value(value), 1e-9);
	for (i = 0; i < n; i++)
		assert_near(what, method, rm_calib_prob(c, at[i]),
			    json_number_value(json_array_get(
				json_object_get(fit, "prob"), i)), 1e-9);
	json_decref(json);
	rm_calib_free(c);
}

static void test_references(void **state)
{
	json_t *all = rm_json_load("tests/data/calib.json", 1 << 20), *c, *fit;
	size_t i, n, points;
	double *at = numbers(all, "at", &points);
	const char *method;

	(void)state;
	assert_true(json_array_size(json_object_get(all, "cases")) > 5);
	json_array_foreach(json_object_get(all, "cases"), i, c) {
		double *x = numbers(c, "x", &n), *p = numbers(c, "p", &n);
		double *w = numbers(c, "weight", &n);
		struct rm_calib_data data = { n, x, p, w };
		bool pairs = !strcmp(json_string_value(json_object_get(c,
			"on")), "pairs");

		json_object_foreach(json_object_get(c, "fits"), method, fit)
			check_fit(json_string_value(json_object_get(c,
				"name")), pairs, method, &data, fit, at,
				points);
		free(x);
		free(p);
		free(w);
	}
	free(at);
	json_decref(all);
}

/* ---- by hand ---- */

/* Three of four right at d = 1: sigmoid(1/T) = 3/4, T = 1 / log 3. */
static void test_temperature_by_hand(void **state)
{
	const double x[] = { 1, 1, 1, -1 }, p[] = { 1, 1, 1, 1 };
	const struct rm_calib_data data = { 4, x, p, NULL };
	struct rm_calib *c = rm_calib_fit("temperature", true, &data);
	struct rm_buf text = {0};

	(void)state;
	assert_non_null(c);
	assert_near("hand", "P", rm_calib_prob(c, 1), .75, 1e-12);
	assert_near("hand", "P", rm_calib_prob(c, -2), .1, 1e-12);
	assert_true(rm_calib_pairs(c));
	assert_null(rm_calib_warning(c));
	rm_calib_describe(c, &text);
	assert_string_equal(rm_buf_text(&text), "temperature 0.9102");
	rm_buf_fini(&text);
	rm_calib_free(c);
}

/* Blocks at 1 (.5, pooled with 2) and 3 (1, kept off certainty). */
static void test_isotonic_by_hand(void **state)
{
	const double x[] = { 1, 2, 3, 3 }, p[] = { 1, 0, 1, 1 };
	const struct rm_calib_data data = { 4, x, p, NULL };
	struct rm_calib *c = rm_calib_fit("isotonic", true, &data);

	(void)state;
	assert_non_null(c);
	assert_near("hand", "P(0)", rm_calib_prob(c, 0), .5, 0);
	assert_near("hand", "P(1.5)", rm_calib_prob(c, 1.5), .5, 1e-12);
	assert_near("hand", "P(2.5)", rm_calib_prob(c, 2.5),
		    (.5 + 5. / 6) / 2, 1e-12);
	assert_near("hand", "P(9)", rm_calib_prob(c, 9), 5. / 6, 1e-12);
	assert_near("hand", "P(-9)", rm_calib_prob(c, -9), 1. / 6, 1e-12);
	rm_calib_free(c);
}

/* ---- invariants ---- */

enum { MANY = 20000 };

static void draw(double *x, double *p)
{
	size_t i;

	for (i = 0; i < MANY; i++) {
		x[i] = 3 * rm_random_normal(1, RM_RANDOM_TEST, 0, i);
		p[i] = rm_random_uniform(1, RM_RANDOM_TEST, 1, i) <
			1 / (1 + exp(-x[i] / 2));
	}
}

/* P(-d) = 1 - P(d) to the bit, rising, within (0, 1). */
static void test_pairs_are_symmetric(void **state)
{
	double *x = malloc(MANY * sizeof(*x)), *p = malloc(MANY * sizeof(*p));
	const struct rm_calib_data data = { MANY, x, p, NULL };
	const char *const *method;

	(void)state;
	draw(x, p);
	for (method = rm_calib_methods; *method; method++) {
		struct rm_calib *c = rm_calib_fit(*method, true, &data);
		double d, last = 0;

		if (!strcmp(*method, "platt")) {
			assert_null(c);
			continue;
		}
		assert_non_null(c);
		assert_near(*method, "P(0)", rm_calib_prob(c, 0), .5, 0);
		for (d = -30; d < 30; d += .01) {
			double prob = rm_calib_prob(c, d);

			assert_true(prob >= last && prob > 0 && prob < 1);
			last = prob;
			assert_near(*method, "symmetry", prob,
				    1 - rm_calib_prob(c, -d), 1e-15);
		}
		/* The truth is sigmoid(d / 2). */
		assert_near(*method, "P(1)", rm_calib_prob(c, 1), .622, .03);
		rm_calib_free(c);
	}
	free(x);
	free(p);
}

/* Twice the rewards, twice the temperature. */
static void test_scale(void **state)
{
	double *x = malloc(MANY * sizeof(*x)), *p = malloc(MANY * sizeof(*p));
	const struct rm_calib_data data = { MANY, x, p, NULL };
	struct rm_calib *a, *b;
	size_t i;

	(void)state;
	draw(x, p);
	a = rm_calib_fit("temperature", true, &data);
	for (i = 0; i < MANY; i++)
		x[i] *= 1e8;
	b = rm_calib_fit("temperature", true, &data);
	assert_non_null(a);
	assert_non_null(b);
	assert_near("scale", "P", rm_calib_prob(b, 1e8), rm_calib_prob(a, 1),
		    1e-12);
	rm_calib_free(a);
	rm_calib_free(b);
	free(x);
	free(p);
}

/* ---- as JSON ---- */

static void test_json(void **state)
{
	double *x = malloc(MANY * sizeof(*x)), *p = malloc(MANY * sizeof(*p));
	const struct rm_calib_data data = { MANY, x, p, NULL };
	const char *const *method;
	double r;

	(void)state;
	draw(x, p);
	for (method = rm_calib_methods; *method; method++) {
		struct rm_calib *c = rm_calib_fit(*method, false, &data), *d;
		json_t *json, *again;
		struct rm_buf text = {0};

		assert_non_null(c);
		json = rm_calib_json(c);
		rm_json_print(&text, json, 2);
		again = rm_json_parse(text.data, text.len);
		d = rm_calib_from_json(again);
		assert_non_null(d);
		assert_string_equal(rm_calib_method(d), *method);
		assert_false(rm_calib_pairs(d));
		for (r = -20; r < 20; r += .37)
			assert_near(*method, "P", rm_calib_prob(d, r),
				    rm_calib_prob(c, r), 0);
		json_decref(json);
		json_decref(again);
		rm_buf_fini(&text);
		rm_calib_free(c);
		rm_calib_free(d);
	}
	free(x);
	free(p);
}

#define HEAD "{\"format\":\"rmtools-calibration\",\"version\":1,\"n\":9,"

static void test_damaged_json(void **state)
{
	static const char *const bad[][2] = {
		{ "[]", "no JSON object" },
		{ "{}", "format" },
		{ HEAD "\"method\":\"x\",\"on\":\"pairs\"}",
		  "unknown calibration method \"x\" (there are temperature" },
		{ HEAD "\"method\":\"temperature\",\"on\":\"groups\"}",
		  "expected pairs or responses" },
		{ HEAD "\"method\":\"temperature\",\"on\":\"pairs\"}",
		  "temperature" },
		{ HEAD "\"method\":\"temperature\",\"on\":\"pairs\","
		  "\"parameters\":{\"temperature\":-1}}", "cannot have" },
		{ HEAD "\"method\":\"isotonic\",\"on\":\"pairs\","
		  "\"parameters\":{\"x\":[1,2],\"prob\":[0.5]}}",
		  "2 x and 1 prob" },
		{ HEAD "\"method\":\"isotonic\",\"on\":\"pairs\","
		  "\"parameters\":{\"x\":[2,1],\"prob\":[0.5,0.6]}}",
		  "cannot have" },
		{ HEAD "\"method\":\"isotonic\",\"on\":\"pairs\","
		  "\"parameters\":{\"x\":[1,\"2\"],\"prob\":[0.5,0.6]}}",
		  "x[1] is no number" },
		{ HEAD "\"method\":\"isotonic\",\"on\":\"pairs\","
		  "\"parameters\":{\"x\":[],\"prob\":[]}}", "cannot have" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < RM_COUNT(bad); i++) {
		json_t *json = rm_json_parse(bad[i][0], strlen(bad[i][0]));

		assert_non_null(json);
		assert_null(rm_calib_from_json(json));
		if (!strstr(rm_error(), bad[i][1]))
			fail_msg("%s: %s", bad[i][0], rm_error());
		json_decref(json);
	}
}

/* ---- what cannot be fitted ---- */

static void refuse(const char *method, bool pairs, size_t n, const double *x,
		   const double *p, const char *expected)
{
	const struct rm_calib_data data = { n, x, p, NULL };

	assert_null(rm_calib_fit(method, pairs, &data));
	if (!strstr(rm_error(), expected))
		fail_msg("%s: %s", method, rm_error());
}

static void test_refusals(void **state)
{
	const double zero[] = { 0, 0 }, same[] = { 3, 3 }, rise[] = { 1, 2 };
	const double ones[] = { 1, 1 }, both[] = { 0, 1 }, none[] = { 0, 0 };

	(void)state;
	refuse("sigmoid", true, 2, rise, ones, "unknown calibration method");
	refuse("platt", true, 2, rise, ones, "equals temperature");
	refuse("temperature", true, 0, rise, ones, "no labels");
	refuse("temperature", true, 2, zero, ones, "every comparison ties");
	refuse("isotonic", true, 2, zero, ones, "every comparison ties");
	refuse("platt", false, 2, same, both, "all rewards are equal");
	refuse("platt", false, 2, rise, ones, "all labels are 1");
	refuse("platt", false, 2, rise, none, "all labels are 0");
	refuse("temperature", true, 2, rise, none, "do not rise");
	refuse("beta", true, 2, rise, none, "do not rise");
	refuse("isotonic", true, 2, rise, none, "do not rise");
	rm_calib_free(NULL);
}

/* Always right: no finite optimum, so a bounded one and a warning. */
static void test_separable(void **state)
{
	const double x[] = { 1, 2, .5, 3 }, p[] = { 1, 1, 1, 1 };
	const double r[] = { -2, -1, 1, 2 }, label[] = { 0, 0, 1, 1 };
	const struct rm_calib_data pairs = { 4, x, p, NULL };
	const struct rm_calib_data single = { 4, r, label, NULL };
	const char *const methods[] = { "temperature", "beta" };
	struct rm_calib *c;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		c = rm_calib_fit(methods[i], true, &pairs);
		assert_non_null(c);
		assert_non_null(rm_calib_warning(c));
		assert_true(rm_calib_prob(c, .5) > .5);
		assert_true(rm_calib_prob(c, 3) < .999);
		rm_calib_free(c);
		c = rm_calib_fit(methods[i], false, &single);
		assert_non_null(c);
		assert_non_null(rm_calib_warning(c));
		assert_true(rm_calib_prob(c, 2) < .999);
		rm_calib_free(c);
	}
	c = rm_calib_fit("isotonic", true, &pairs);
	assert_non_null(c);
	assert_near("separable", "P", rm_calib_prob(c, 3), 5. / 6, 1e-12);
	rm_calib_free(c);
}

/* ---- cross-validation ---- */

enum { CROSS = 60 };

/* Every point has what a fit to the clusters of other folds says of it. */
static void test_cross(void **state)
{
	double x[CROSS], p[CROSS], w[CROSS], prob[CROSS], again[CROSS];
	const struct rm_calib_data data = { CROSS, x, p, NULL };
	const struct rm_calib_data kept = { CROSS, x, p, w };
	uint32_t cluster[CROSS];
	struct rm_calib *c;
	size_t i, j;

	(void)state;
	for (i = 0; i < CROSS; i++) {
		x[i] = (double)((i * 37) % 23) / 5 - 1;
		p[i] = i % 4 != 0;
		cluster[i] = (uint32_t)(i / 6);
	}
	assert_int_equal(rm_calib_cross("temperature", true, &data, cluster,
					10, 10, 7, prob), 0);
	/* As many folds as clusters: one is left out at a time. */
	for (i = 0; i < CROSS; i += 6) {
		for (j = 0; j < CROSS; j++)
			w[j] = cluster[j] != cluster[i];
		c = rm_calib_fit("temperature", true, &kept);
		assert_non_null(c);
		for (j = i; j < i + 6; j++)
			assert_near("cross", "P", prob[j],
				    rm_calib_prob(c, x[j]), 1e-9);
		rm_calib_free(c);
	}
	assert_int_equal(rm_calib_cross("temperature", true, &data, cluster,
					10, 3, 7, prob), 0);
	assert_int_equal(rm_calib_cross("temperature", true, &data, cluster,
					10, 3, 7, again), 0);
	assert_memory_equal(prob, again, sizeof(prob));
}

static void test_cross_refuses(void **state)
{
	const double x[] = { 1, 2, 0, 0 }, p[] = { 1, 0, 1, 1 };
	const struct rm_calib_data data = { 4, x, p, NULL };
	const uint32_t cluster[] = { 0, 0, 1, 1 };
	double prob[4];

	(void)state;
	assert_int_equal(rm_calib_cross("temperature", true, &data, cluster,
					2, 3, 1, prob), -1);
	assert_non_null(strstr(rm_error(), "as many prompts, there are 2"));
	assert_int_equal(rm_calib_cross("temperature", true, &data, cluster,
					2, 2, 1, prob), -1);
	assert_non_null(strstr(rm_error(), "without fold"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_temperature_by_hand),
		cmocka_unit_test(test_isotonic_by_hand),
		cmocka_unit_test(test_pairs_are_symmetric),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_damaged_json),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_separable),
		cmocka_unit_test(test_cross),
		cmocka_unit_test(test_cross_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
