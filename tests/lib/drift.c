#include "scores.h"

#include "drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct rm_scores *parse(const char *text)
{
	return score_text(text, false, NULL);
}

static void check(const json_t *expected, const char *name, double value)
{
	const json_t *v = json_object_get(expected, name);

	assert_true(json_is_number(v));
	assert_near("drift", name, value, json_number_value(v));
}

static void check_distance(const json_t *expected, const struct rm_drifted *f)
{
	check(expected, "psi", f->psi);
	check(expected, "ks", f->ks);
	check(expected, "ks_p", f->ks_p);
	assert_int_equal(f->ks_exact,
			 json_is_true(json_object_get(expected, "exact")));
}

static void check_figures(const json_t *expected, const struct rm_drifted *f)
{
	assert_null(f->absent);
	check_distance(expected, f);
	check(expected, "shift", f->shift);
	check(expected, "low", f->low);
	check(expected, "high", f->high);
	check(expected, "shift_sd", f->shift_sd);
	check(expected, "sd", f->baseline_sd);
	check(expected, "mean", f->mean);
}

/* ---- against scipy and statsmodels (tests/ref/drift.py) ---- */

static void test_records(void **state)
{
	json_t *data = rm_json_load("tests/data/drift.json", 1 << 20), *c;
	struct rm_drift d;
	size_t i;

	(void)state;
	assert_non_null(data);
	assert_int_equal(json_array_size(json_object_get(data, "cases")), 2);
	json_array_foreach(json_object_get(data, "cases"), i, c) {
		struct rm_scores *old = score(json_object_get(c, "old"),
					      false, NULL);
		struct rm_scores *new = score(json_object_get(c, "new"),
					      false, NULL);

		assert_int_equal(rm_drift(new, "new", old, "old", &d), 0);
		check_figures(json_object_get(c, "reward"), &d.of[0]);
		check_figures(json_object_get(c, "length"), &d.of[1]);
		rm_scores_free(old);
		rm_scores_free(new);
	}
	json_decref(data);
}

static double *numbers(const json_t *array, size_t *n)
{
	double *x;
	size_t i;

	*n = json_array_size(array);
	x = malloc(*n * sizeof(*x));
	assert_non_null(x);
	for (i = 0; i < *n; i++)
		x[i] = json_number_value(json_array_get(array, i));
	return x;
}

/* One response a record, no keys. */
static struct rm_scores *single(const double *x, size_t n)
{
	json_t *records = json_array();
	struct rm_scores *s;
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(records, json_pack("{s:[f]}", "reward",
							 x[i]));
	s = score(records, false, NULL);
	json_decref(records);
	return s;
}

static void check_plain(const json_t *c)
{
	struct rm_scores *old, *new;
	struct rm_drifted f = {0};
	struct rm_drift d;
	size_t m, n;
	double *x = numbers(json_object_get(c, "x"), &m);
	double *y = numbers(json_object_get(c, "y"), &n);

	assert_int_equal(rm_drift_distance(x, m, y, n, &f), 0);
	check_distance(c, &f);
	old = single(x, m);
	new = single(y, n);
	assert_int_equal(rm_drift(new, "new", old, "old", &d), 0);
	check_distance(c, &d.of[0]);
	check(c, "shift", d.of[0].shift);
	check(c, "low", d.of[0].low);
	check(c, "high", d.of[0].high);
	assert_string_equal(d.of[1].absent,
			    "no response of the baseline has a length");
	rm_scores_free(old);
	rm_scores_free(new);
	free(x);
	free(y);
}

static void test_plain(void **state)
{
	json_t *data = rm_json_load("tests/data/drift.json", 1 << 20), *c;
	size_t i;

	(void)state;
	assert_non_null(data);
	assert_true(json_array_size(json_object_get(data, "plain")) > 8);
	json_array_foreach(json_object_get(data, "plain"), i, c)
		check_plain(c);
	json_decref(data);
}

/* ---- by hand ---- */

/* Ten values make ten bins; all of the new ones in the last, or beyond. */
static void test_psi_by_hand(void **state)
{
	const double x[] = { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 };
	const double y[] = { 100, 9, 8.5, 10 };
	const double twos[] = { 1, 1, 2, 2 }, more[] = { 1, 2, 2, 3 };
	struct rm_drifted f = {0};

	(void)state;
	assert_int_equal(rm_drift_distance(x, 10, x, 10, &f), 0);
	assert_near("drift", "itself", f.psi, 0);
	assert_near("drift", "itself", f.ks, 0);
	assert_near("drift", "itself", f.ks_p, 1);
	assert_int_equal(rm_drift_distance(x, 10, y, 4, &f), 0);
	/* Nine bins of half a response, .125 of 4, for .1; one of 1. */
	assert_near("drift", "psi", f.psi, 9 * (.125 - .1) * log(.125 / .1) +
		    (1 - .1) * log(1 / .1));
	assert_near("drift", "ks", f.ks, .9);
	assert_false(f.ks_exact);
	/* Bins are 1, 2, and what lies beyond the baseline. */
	assert_int_equal(rm_drift_distance(twos, 4, more, 4, &f), 0);
	assert_near("drift", "psi", f.psi, (.25 - .5) * log(.5) +
		    (.25 - .125) * log(2));
}

/* Of 20 orders of 3 and 3, 2 have the samples apart. */
static void test_exact_by_hand(void **state)
{
	const double x[] = { 1, 2, 3 }, y[] = { 4, 5, 6 };
	struct rm_drifted f = {0};

	(void)state;
	assert_int_equal(rm_drift_distance(x, 3, y, 3, &f), 0);
	assert_true(f.ks_exact);
	assert_near("drift", "ks", f.ks, 1);
	assert_near("drift", "p", f.ks_p, .1);
}

/* Swapped, shift turns its sign and ks stays. */
static void test_swapped(void **state)
{
	struct rm_scores *a = parse("[{\"reward\":[1,2]},{\"reward\":[5]}]");
	struct rm_scores *b = parse("[{\"reward\":[0,3]},{\"reward\":[9]}]");
	struct rm_drift d, e;

	(void)state;
	assert_int_equal(rm_drift(a, "a", b, "b", &d), 0);
	assert_int_equal(rm_drift(b, "b", a, "a", &e), 0);
	assert_near("drift", "shift", d.of[0].shift, -e.of[0].shift);
	assert_near("drift", "low", d.of[0].low, -e.of[0].high);
	assert_near("drift", "ks", d.of[0].ks, e.of[0].ks);
	rm_scores_free(a);
	rm_scores_free(b);
}

/* ---- what cannot be told ---- */

static void refuse(const char *new, const char *old, const char *expected)
{
	struct rm_scores *s = parse(new), *b = parse(old);
	struct rm_drift d;

	assert_int_equal(rm_drift(s, "NEW", b, "OLD", &d), -1);
	if (!strstr(rm_error(), expected))
		fail_msg("%s", rm_error());
	rm_scores_free(s);
	rm_scores_free(b);
}

static void test_refused(void **state)
{
	const char *good = "[{\"reward\":[1,2]},{\"reward\":[1,3]}]";

	(void)state;
	refuse(good, "[]", "OLD: no responses");
	refuse("[]", good, "NEW: no responses");
	refuse("[{\"reward\":[2,2]}]", good,
	       "NEW: constant rewards (2, all 2)");
	refuse(good, "[{\"reward\":[7]}]", "OLD: constant rewards (1, all 7)");
	refuse(good, "[{\"reward\":[1e200,-1e200]}]",
	       "the rewards are too large");
}

static void absent(const char *new, const char *old, const char *expected)
{
	struct rm_scores *s = parse(new), *b = parse(old);
	struct rm_drift d;

	assert_int_equal(rm_drift(s, "NEW", b, "OLD", &d), 0);
	assert_string_equal(d.of[RM_DRIFT_LENGTH].absent, expected);
	rm_scores_free(s);
	rm_scores_free(b);
}

static void test_lengths_absent(void **state)
{
	const char *none = "[{\"reward\":[1,2]}]";
	const char *equal = "[{\"reward\":[1,2],\"length\":[5,5]}]";
	const char *good = "[{\"reward\":[1,2],\"length\":[5,6]}]";

	(void)state;
	absent(none, good, "no response has a length");
	absent(good, none, "no response of the baseline has a length");
	absent(equal, good, "all lengths are equal");
	absent(good, equal, "all lengths of the baseline are equal");
}

/* One prompt has no interval, and only those with a length count. */
static void test_one_prompt(void **state)
{
	struct rm_scores *s = parse(
		"[{\"key\":1,\"reward\":[1,2],\"length\":[5,6]},"
		"{\"key\":2,\"reward\":[1,3]}]");
	struct rm_drift d;

	(void)state;
	assert_int_equal(rm_drift(s, "s", s, "s", &d), 0);
	assert_true(d.of[0].low < 0);
	assert_null(d.of[1].absent);
	assert_int_equal(d.of[1].n, 2);
	assert_true(isnan(d.of[1].low) && isnan(d.of[1].high));
	rm_scores_free(s);
}

static void test_limits(void **state)
{
	struct rm_drift d = { .of = {
		{ .of = "reward", .psi = .3, .ks = .5, .shift_sd = -2 },
		{ .of = "length", .absent = "none", .psi = 9 }
	} };
	struct rm_drift_limits none = { NAN, NAN, NAN }, at = { .3, .5, 2 };
	struct rm_drift_limits below = { .25, .5, 1.5 };
	struct rm_buf text = {0};

	(void)state;
	assert_int_equal(rm_drift_exceeds(&d, &none, &text), 0);
	assert_int_equal(rm_drift_exceeds(&d, &at, &text), 0);
	assert_int_equal(text.len, 0);
	assert_int_equal(rm_drift_exceeds(&d, &below, &text), 2);
	assert_string_equal(rm_buf_text(&text),
			    "psi of reward is 0.3, above 0.25; "
			    "|shift_sd| of reward is 2, above 1.5");
	rm_buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_psi_by_hand),
		cmocka_unit_test(test_exact_by_hand),
		cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lengths_absent),
		cmocka_unit_test(test_one_prompt),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
