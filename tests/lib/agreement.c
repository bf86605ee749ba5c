#include "test.h"

#include "agreement.h"
#include "reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- against statsmodels, scikit-learn, krippendorff (tests/ref) ---- */

enum { MOST = 16 };

static void assert_figure(const json_t *one, const char *name, double found,
			  const char *why)
{
	const json_t *expected = json_object_get(one, name);

	assert_non_null(expected);
	if (json_is_null(expected)) {
		assert_true(isnan(found));
		assert_non_null(why);
		return;
	}
	assert_null(why);
	assert_near(found, json_number_value(expected), 1e-9);
}

static void check_counts(const json_t *one, size_t C)
{
	struct rm_agreement *a = rm_agreement_new(C);
	const json_t *table = json_object_get(one, "choices");
	static const char *const names[] = {
		"percent", "fleiss", "alpha_nominal", "alpha_ordinal"
	};
	const char *why;
	uint64_t records;

	for (size_t u = 0; u < json_array_size(table); u++) {
		const json_t *row = json_array_get(table, u);
		double votes[MOST] = {0};

		for (size_t i = 0; i < json_array_size(row); i++)
			if (number(row, i) >= 0)
				votes[(size_t)number(row, i)]++;
		rm_agreement_add(a, votes);
	}
	for (int i = 0; i < (int)RM_COUNT(names); i++) {
		double found = rm_agreement_figure(a, i, &why);

		assert_figure(one, names[i], found, why);
	}
	assert_true((double)rm_agreement_votes(a, &records) ==
		    number_of(one, "votes"));
	assert_true((double)records == number_of(one, "records"));
	rm_agreement_free(a);
}

static void add_row(struct rm_raters *r, const json_t *row)
{
	static const char names[MOST][3] = {
		"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9",
		"b0", "b1", "b2", "b3", "b4", "b5"
	};
	struct rm_slice who[MOST];
	size_t choice[MOST], n = 0;

	for (size_t i = 0; i < json_array_size(row); i++) {
		if (number(row, i) < 0)
			continue;
		who[n] = (struct rm_slice){
			(const unsigned char *)names[i], 2 };
		choice[n++] = (size_t)number(row, i);
	}
	assert_int_equal(rm_raters_add(r, who, choice, n), 0);
}

static void check_cohen(const struct rm_raters *r, const json_t *cohen)
{
	const char *why;
	struct rm_cohen c = rm_raters_cohen(r, &why);

	assert_true((double)c.pairs == number_of(cohen, "pairs"));
	assert_true((double)c.undefined == number_of(cohen, "undefined"));
	if (c.pairs == 0) {
		assert_non_null(why);
		assert_true(isnan(c.mean) && isnan(c.weighted));
		return;
	}
	assert_null(why);
	assert_near(c.mean, number_of(cohen, "mean"), 1e-9);
	assert_near(c.weighted, number_of(cohen, "weighted"), 1e-9);
}

/* Annotators are numbered as they come, so their names say which it is. */
static void check_raters(const json_t *one, size_t C)
{
	struct rm_raters *r = rm_raters_new(C);
	const json_t *table = json_object_get(one, "choices");
	const json_t *rest = json_object_get(one, "rest");
	const char *why;

	for (size_t u = 0; u < json_array_size(table); u++)
		add_row(r, json_array_get(table, u));
	check_cohen(r, json_object_get(one, "cohen"));
	assert_int_equal(rm_raters_count(r, &why), json_array_size(rest));
	for (size_t i = 0; i < json_array_size(rest); i++) {
		struct rm_rater who = rm_raters_get(r, i);
		size_t which = (size_t)(who.name.data[0] - 'a') * 10 +
			       (size_t)(who.name.data[1] - '0');
		const json_t *want = json_array_get(rest, which);

		assert_true((double)who.compared ==
			    number_of(want, "compared"));
		assert_true((double)who.same == number_of(want, "same"));
		if (who.compared)
			assert_near(who.at_most, number_of(want, "at_most"),
				    1e-9);
		else
			assert_true(isnan(who.at_most));
	}
	rm_raters_free(r);
}

static void test_references(void **state)
{
	json_t *all = rm_json_load("tests/data/agreement.json", 1 << 20);
	size_t i;
	json_t *one;

	(void)state;
	assert_non_null(all);
	assert_true(json_array_size(all) >= 10);
	json_array_foreach(all, i, one) {
		size_t C = (size_t)number_of(one, "categories");

		check_counts(one, C);
		check_raters(one, C);
	}
	json_decref(all);
}

/* ---- by hand ---- */

static void test_nothing(void **state)
{
	struct rm_agreement *a = rm_agreement_new(3);
	struct rm_raters *r = rm_raters_new(3);
	uint64_t records;
	const char *why;

	(void)state;
	rm_agreement_add(a, (double[]){ 0, 1, 0 });
	for (int i = RM_AGREEMENT_PERCENT; i <= RM_ALPHA_ORDINAL; i++) {
		assert_true(isnan(rm_agreement_figure(a, i, &why)));
		assert_string_equal(why, "no record has two votes or more");
	}
	rm_agreement_votes(a, &records);
	assert_int_equal(records, 0);
	assert_true(isnan(rm_raters_cohen(r, &why).mean));
	assert_string_equal(why, "nobody is named as annotator");
	assert_null(rm_agreement_new(17));
	assert_null(rm_raters_new(1));
	rm_agreement_free(a);
	rm_raters_free(r);
}

/* Votes need be no whole numbers for alpha; for kappa they are left out. */
static void test_fractions(void **state)
{
	struct rm_agreement *a = rm_agreement_new(2);
	const char *why;

	(void)state;
	rm_agreement_add(a, (double[]){ 1.5, 1 });
	assert_true(isnan(rm_agreement_figure(a, RM_FLEISS_KAPPA, &why)));
	assert_non_null(why);
	assert_true(isfinite(rm_agreement_figure(a, RM_ALPHA_NOMINAL, &why)));
	assert_null(why);
	rm_agreement_free(a);
}

static int choose(struct rm_raters *r, const char *names,
		  const size_t *choice)
{
	struct rm_slice who[8];
	size_t n = strlen(names);

	for (size_t i = 0; i < n; i++)
		who[i] = (struct rm_slice){ names[i] == '?' ? NULL :
				(const unsigned char *)names + i, 1 };
	return rm_raters_add(r, who, choice, n);
}

/* The unnamed vote too; a second choice does not count. */
static void test_rest(void **state)
{
	struct rm_raters *r = rm_raters_new(3);
	struct rm_rater a, b;
	size_t order[2];
	const char *why;

	(void)state;
	assert_int_equal(choose(r, "ba??", (size_t[]){ 1, 0, 0, 0 }), 0);
	assert_int_equal(choose(r, "aa?", (size_t[]){ 1, 2, 2 }), 0);
	assert_int_equal(rm_raters_count(r, &why), 2);
	assert_int_equal(rm_raters_repeated(r), 1);
	b = rm_raters_get(r, 0);
	a = rm_raters_get(r, 1);
	assert_int_equal(a.choices, 2);
	assert_int_equal(a.compared, 2);
	assert_int_equal(a.same, 1);
	assert_int_equal(b.compared, 1);
	assert_int_equal(b.same, 0);
	rm_raters_order(r, order);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 1);
	rm_raters_free(r);
}

/* So many annotators that pairs of them are no longer counted. */
static void test_limits(void **state)
{
	enum { N = RM_MOST_RATERS + 10 };
	struct rm_raters *r = rm_raters_new(2);
	struct rm_slice who[2];
	const char *why;
	char name[2][16];

	(void)state;
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < 2; j++) {
			snprintf(name[j], sizeof(name[j]), "%d", i / (j + 1));
			who[j] = (struct rm_slice){
				(unsigned char *)name[j], strlen(name[j]) };
		}
		assert_int_equal(rm_raters_add(r, who, (size_t[]){ 0, 1 }, 2),
				 0);
	}
	assert_int_equal(rm_raters_count(r, &why), RM_MOST_RATERS);
	assert_non_null(why);
	assert_true(isnan(rm_raters_cohen(r, &why).mean));
	assert_string_equal(why, "more than 65536 annotators");
	rm_raters_free(r);
}

static void test_wide(void **state)
{
	enum { N = RM_MOST_AT_ONCE + 1 };
	struct rm_raters *r = rm_raters_new(2);
	unsigned char name[N][2];
	struct rm_slice who[N];
	size_t choice[N];
	const char *why;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		name[i][0] = (unsigned char)i;
		name[i][1] = (unsigned char)(i >> 8);
		who[i] = (struct rm_slice){ name[i], 2 };
		choice[i] = i % 2;
	}
	assert_int_equal(rm_raters_add(r, who, choice, N), 0);
	assert_true(isnan(rm_raters_cohen(r, &why).mean));
	assert_string_equal(why, "a record has more than 256 annotators");
	rm_raters_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_fractions),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
