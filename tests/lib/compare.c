#include "test.h"

#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Scores with ids kept; `field` of each record is taken as its reward. */
static struct rm_scores *score(const json_t *records, const char *field)
{
	static const char *const names[] = {
		"id", "key", "weight", "p", "rank", "reward"
	};
	struct rm_schema schema = {0};
	struct rm_record rec = {0};
	struct rm_buf payload = {0};
	struct rm_scorer *scorer;
	struct rm_scores *s;
	json_t *record, *copy;
	size_t i;

	for (i = 0; i < RM_COUNT(names); i++)
		assert_int_equal(rm_schema_add(&schema, names[i]), 0);
	scorer = rm_scorer_new(&schema, true, "reward", NULL);
	assert_non_null(scorer);
	assert_int_equal(rm_scorer_keep_ids(scorer), 0);
	json_array_foreach(records, i, record) {
		copy = json_copy(record);
		json_object_set(copy, "reward", json_object_get(record,
								field));
		json_object_del(copy, "other");
		rm_buf_clear(&payload);
		assert_int_equal(rm_record_parse(&payload, &schema, copy), 0);
		assert_int_equal(rm_record_index(&rec, &schema, payload.data,
						 payload.len), 0);
		assert_int_equal(rm_scorer_add(scorer, &rec), 0);
		json_decref(copy);
	}
	s = rm_scorer_finish(scorer);
	assert_non_null(s);
	rm_scorer_free(scorer);
	rm_record_fini(&rec);
	rm_buf_fini(&payload);
	rm_schema_fini(&schema);
	return s;
}

static json_t *parse(const char *text)
{
	json_t *json = rm_json_parse(text, strlen(text));

	assert_non_null(json);
	return json;
}

static void assert_near(const char *name, double value, double expected)
{
	if (!(fabs(value - expected) <= 1e-9))
		fail_msg("%s is %.17g, not %.17g", name, value, expected);
}

static double member(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

/* The same records, last first. */
static json_t *reversed(const json_t *records)
{
	json_t *out = json_array(), *record;
	size_t i;

	json_array_foreach(records, i, record)
		json_array_insert(out, 0, record);
	return out;
}

/* A share of 0 has an interval of its own, Wilson's. */
static void check_change(const json_t *c, const struct rm_figure *f)
{
	const json_t *v = json_object_get(c, f->metric->name);

	assert_near(f->metric->name, f->value,
		    json_number_value(json_array_get(v, 0)));
	if (f->value == 0) {
		assert_true(f->low == 0 && f->high > 0);
		return;
	}
	assert_near(f->metric->name, f->low,
		    json_number_value(json_array_get(v, 1)));
	assert_near(f->metric->name, f->high,
		    json_number_value(json_array_get(v, 2)));
}

static void check_case(const json_t *c)
{
	const json_t *records = json_object_get(c, "records");
	json_t *backwards = reversed(records);
	struct rm_scores *s = score(records, "reward");
	struct rm_scores *other = score(backwards, "other");
	struct rm_evaluation e = { .bootstrap = 0 };
	struct rm_compared out;
	size_t i, k;

	assert_int_equal(rm_scores_join(s, "a", &other, "b"), 0);
	assert_int_equal(rm_compare(s, &e, &out), 0);
	for (i = 0; i < RM_COMPARED; i++) {
		const struct rm_figure *f = &out.difference[i];
		const json_t *v = json_object_get(c, f->metric->name);
		const double got[] = { f->value, f->low, f->high };

		for (k = 0; k < 3; k++)
			assert_near(f->metric->name, got[k],
				    json_number_value(json_array_get(v, k)));
	}
	for (i = 0; i < RM_CHANGES; i++)
		check_change(c, &out.change[i]);
	assert_near("better", (double)out.better, member(c, "better"));
	assert_near("worse", (double)out.worse, member(c, "worse"));
	assert_near("mcnemar", out.mcnemar, member(c, "mcnemar"));
	assert_near("detectable", out.detectable, member(c, "detectable"));
	assert_int_equal(out.better + out.worse + out.alike, s->n);
	rm_scores_free(s);
	rm_scores_free(other);
	json_decref(backwards);
}

/* ---- against statsmodels (tests/ref/compare.py) ---- */

static void test_references(void **state)
{
	json_t *data = rm_json_load("tests/data/compare.json", 1 << 20), *c;
	size_t i;

	(void)state;
	assert_non_null(data);
	assert_int_equal(json_array_size(json_object_get(data, "cases")), 2);
	json_array_foreach(json_object_get(data, "cases"), i, c)
		check_case(c);
	assert_true(json_array_size(json_object_get(data, "mcnemar")) > 8);
	json_array_foreach(json_object_get(data, "mcnemar"), i, c)
		assert_near("mcnemar", rm_mcnemar(
			(size_t)json_integer_value(json_array_get(c, 0)),
			(size_t)json_integer_value(json_array_get(c, 1))),
			json_number_value(json_array_get(c, 2)));
	json_decref(data);
}

static void test_mcnemar_by_hand(void **state)
{
	(void)state;
	assert_true(isnan(rm_mcnemar(0, 0)));
	assert_near("1 of 1", rm_mcnemar(1, 0), 1);
	assert_near("5 of 5", rm_mcnemar(0, 5), 2. / 32);
	assert_near("1 and 4", rm_mcnemar(1, 4), 2 * 6. / 32);
	assert_true(rm_mcnemar(0, 5000) == 0);
	assert_true(isnan(rm_detectable(0)) && isnan(rm_detectable(NAN)));
}

/* With itself: no difference, and nothing to test. */
static void test_itself(void **state)
{
	json_t *records = parse("[{\"id\":\"a\",\"reward\":[1,0]},"
				"{\"id\":\"b\",\"reward\":[0,2]}]");
	struct rm_scores *s = score(records, "reward");
	struct rm_scores *other = score(records, "reward");
	struct rm_evaluation e = { .bootstrap = 20, .seed = 1 };
	struct rm_compared out;

	(void)state;
	assert_int_equal(rm_scores_join(s, "a", &other, "b"), 0);
	assert_int_equal(rm_compare(s, &e, &out), 0);
	assert_near("accuracy", out.difference[0].value, 0);
	assert_near("high", out.difference[0].high, 0);
	assert_true(isnan(out.mcnemar) && isnan(out.detectable));
	assert_int_equal(out.alike, 2);
	rm_scores_free(s);
	rm_scores_free(other);
	json_decref(records);
}

/* ---- streams that are not of the same data ---- */

static void refuse(const char *a, const char *b, const char *expected)
{
	json_t *first = parse(a), *second = parse(b);
	struct rm_scores *s = score(first, "reward");
	struct rm_scores *other = score(second, "reward");

	assert_int_equal(rm_scores_join(s, "A", &other, "B"), -1);
	if (!strstr(rm_error(), expected))
		fail_msg("%s", rm_error());
	assert_null(s->other);
	rm_scores_free(s);
	rm_scores_free(other);
	json_decref(first);
	json_decref(second);
}

static void test_other_data(void **state)
{
	const char *one = "[{\"id\":\"x\",\"key\":1,\"reward\":[1,0]}]";
	const char *two = "[{\"id\":\"x\",\"key\":1,\"reward\":[1,0]},"
		"{\"id\":\"y\",\"key\":2,\"reward\":[1,0]}]";

	(void)state;
	refuse(one, two, "A has no record \"y\" of B (1 of 2 are missing)");
	refuse(two, one, "B has no record \"y\" of A (1 of 2 are missing)");
	refuse(one, "[{\"id\":\"x\",\"key\":9,\"reward\":[1,0]}]",
	       "B: record \"x\" is of another prompt (key) than in A");
	refuse(one, "[{\"id\":\"x\",\"key\":1,\"p\":0.5,\"reward\":[1,0]}]",
	       "record \"x\" has other labels");
	refuse(one, "[{\"id\":\"x\",\"key\":1,\"rank\":[1,0],"
	       "\"reward\":[1,0]}]", "record \"x\" has other labels");
	refuse(one, "[{\"id\":\"x\",\"key\":1,\"weight\":2,"
	       "\"reward\":[1,0]}]", "record \"x\" has another weight");
	refuse(one, "[{\"id\":\"x\",\"reward\":[1,0]},"
	       "{\"id\":\"x\",\"reward\":[1,0]}]",
	       "B: two records have the id \"x\"");
	refuse("[{\"id\":\"x\",\"reward\":[1,0]},"
	       "{\"id\":\"x\",\"reward\":[1,0]}]",
	       "[{\"id\":\"x\",\"reward\":[1,0]}]",
	       "A: two records have the id \"x\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_mcnemar_by_hand),
		cmocka_unit_test(test_itself),
		cmocka_unit_test(test_other_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
