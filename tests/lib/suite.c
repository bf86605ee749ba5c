/* Published benchmarks by their own rules. */
#include "test.h"

#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The suite after these records; NULL with a message. */
static struct rm_suite *run(const json_t *records, bool pairs,
			    const char *name, struct rm_suite_figures *to)
{
	struct rm_schema schema = {0};
	struct rm_record rec = {0};
	struct rm_buf payload = {0};
	struct rm_suite *s;
	json_t *record, *value;
	const char *field;
	size_t i;
	int status = 0;

	json_array_foreach(records, i, record)
		json_object_foreach(record, field, value)
			if (rm_schema_find(&schema, field) < 0)
				assert_int_equal(rm_schema_add(&schema, field),
						 0);
	s = rm_suite_new(&schema, pairs, name, "reward");
	json_array_foreach(records, i, record) {
		if (!s || status < 0)
			break;
		rm_buf_clear(&payload);
		assert_int_equal(rm_record_parse(&payload, &schema, record),
				 0);
		assert_int_equal(rm_record_index(&rec, &schema, payload.data,
						 payload.len), 0);
		status = rm_suite_add(s, &rec);
	}
	if (s && status == 0)
		status = rm_suite_finish(s, to);
	rm_record_fini(&rec);
	rm_buf_fini(&payload);
	rm_schema_fini(&schema);
	if (status == 0)
		return s;
	rm_suite_free(s);
	return NULL;
}

static void check_lines(const struct rm_suite_figures *f, const json_t *want)
{
	assert_int_equal(f->n, json_object_size(want));
	for (size_t i = 0; i < f->n; i++) {
		const json_t *v = json_object_get(want, f->line[i].name);

		assert_non_null(v);
		if (!(fabs(f->line[i].value - json_number_value(v)) <= 1e-12))
			fail_msg("%s: %s is %.17g, not %.17g", f->name,
				 f->line[i].name, f->line[i].value,
				 json_number_value(v));
	}
}

static void check_matrix(const struct rm_suite_figures *f, const json_t *want)
{
	assert_int_equal(f->matrix, json_is_array(want));
	for (size_t i = 0; f->matrix && i < RM_SUITE_STYLES; i++)
		for (size_t j = 0; j < RM_SUITE_STYLES; j++)
			assert_true(fabs(f->style[i][j] - json_number_value(
				json_array_get(json_array_get(want, i), j))) <=
				    1e-12);
}

/* tests/ref/suite.py; auto finds each by its first record. */
static void test_references(void **state)
{
	json_t *data = rm_json_load("tests/data/suite.json", 1 << 20), *c;
	struct rm_suite_figures f;
	size_t i;

	(void)state;
	assert_non_null(data);
	assert_int_equal(json_array_size(data), 8);
	json_array_foreach(data, i, c) {
		const char *name = json_string_value(json_object_get(c,
								     "suite"));
		const json_t *records = json_object_get(c, "records");

		for (int how = 0; how < 2; how++) {
			struct rm_suite *s = run(records, false, how ? name :
						 "auto", &f);

			if (!s)
				fail_msg("%s: %s", name, rm_error());
			assert_string_equal(f.name, name);
			check_lines(&f, json_object_get(c, "lines"));
			check_matrix(&f, json_object_get(c, "matrix"));
			rm_suite_free(s);
		}
	}
	json_decref(data);
}

/* Of text as JSON; what it says must hold `message`, NULL: all is well. */
static void check(const char *name, bool pairs, const char *text,
		  const char *message)
{
	json_t *records = rm_json_parse(text, strlen(text));
	struct rm_suite_figures f;
	struct rm_suite *s;

	assert_non_null(records);
	s = run(records, pairs, name, &f);
	if (message && (s || !strstr(rm_error(), message)))
		fail_msg("%s: \"%s\", not \"%s\"", text, s ? "well" :
			 rm_error(), message);
	if (!message && !s)
		fail_msg("%s: %s", text, rm_error());
	rm_suite_free(s);
	json_decref(records);
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *text, *message;
	} cases[] = {
		{ "auto", "[]", "no field subset" },
		{ "auto", "[{\"subset\":\"hep-go\"}]", "rm-score" },
		{ "auto", "[{\"subset\":\"x\",\"reward\":[1,0]}]",
		  "no benchmark known here has no \"x\"" },
		{ "rewardbench", "[{\"subset\":\"Focus\",\"reward\":[1,0]}]",
		  "RewardBench has no \"Focus\"" },
		{ "auto", "[{\"subset\":\"hep-go\",\"reward\":[1,0],"
		  "\"rank\":[0,1]},{\"subset\":\"chat\",\"reward\":[1,0],"
		  "\"rank\":[0,1]}]", "RewardBench has no \"chat\"" },
		{ "auto", "[{\"subset\":\"hep-go\",\"reward\":[1,0]}]",
		  "response 0 has none" },
		{ "auto", "[{\"subset\":\"hep-go\",\"reward\":[1,null],"
		  "\"rank\":[0,1]}]", "that of response 1 is no number" },
		{ "auto", "[{\"subset\":\"hep-go\",\"reward\":[1,0],"
		  "\"rank\":[0,0]}]", "2 of 2 responses are the best" },
		{ "auto", "[{\"subset\":\"hep-go\",\"reward\":[1,0,3],"
		  "\"rank\":[0,1,2]}]", "3 responses" },
		{ "auto", "[{\"subset\":\"Focus\",\"reward\":[1],"
		  "\"rank\":[0]}]", "1 of 1 responses are the best" },
		{ "auto", "[{\"id\":\"7\",\"subset\":\"Ties\",\"reward\":"
		  "[1,0],\"rank\":[0,1]}]", "\"7\" is not ref:N" },
		{ "auto", "[{\"id\":\"tied:7\",\"subset\":\"Ties\","
		  "\"reward\":[1,0],\"rank\":[0,1]}]",
		  "one right response only" },
		{ "auto", "[{\"id\":\"ref:7\",\"subset\":\"Ties\","
		  "\"reward\":[1,0],\"rank\":[0,0]}]",
		  "no response is worse" },
		{ "auto", "[{\"id\":\"ref:7\",\"subset\":\"Ties\","
		  "\"reward\":[1,0],\"rank\":[0,1]},{\"id\":\"ref:7\","
		  "\"subset\":\"Ties\",\"reward\":[1,0],\"rank\":[0,1]}]",
		  "occurs twice" },
		{ "auto", "[{\"subset\":\"Math\",\"reward\":[1,0],\"rank\":"
		  "[0,1],\"extra\":{\"num_correct\":2}}]",
		  "1 responses are the best, where num_correct is 2" },
		{ "auto", "[{\"subset\":\"Math\",\"reward\":[1,0],\"rank\":"
		  "[0,1],\"extra\":{\"num_correct\":\"1\"}}]",
		  "num_correct is not how many" },
		{ "auto", "[{\"subset\":\"chat\",\"reward\":[1,0,1,0,1],"
		  "\"rank\":[0,0,0,1,1]}]", "5 responses" },
		{ "auto", "[{\"subset\":\"chat\",\"reward\":[1,0,1,0,1,0],"
		  "\"rank\":[0,0,1,0,1,1]}]", "not the preferred" },
		{ "auto", "[{\"subset\":\"chat\",\"reward\":[1,0,1,0,1,0],"
		  "\"rank\":[1,1,1,0,0,0]}]", "not the preferred" },
		{ "auto", "[{\"id\":\"a\",\"subset\":\"mmlu-pro-law\","
		  "\"reward\":[1,0],\"rank\":[0,1]},{\"id\":\"a\","
		  "\"subset\":\"mmlu-pro-law\",\"reward\":[1,0],"
		  "\"rank\":[0,1]}]", "the same order" },
		{ "auto", "[{\"subset\":\"mmlu-pro-law\",\"reward\":[1,0],"
		  "\"rank\":[0,1]}]", "field id" },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++)
		check(cases[i].name, false, cases[i].text, cases[i].message);
	/* A pair's first is the better one where nothing else is said. */
	check("auto", true, "[{\"subset\":\"hep-go\",\"reward\":[1,0]}]",
	      NULL);
	check("auto", false, "[{\"subset\":\"Math\",\"reward\":[1,0],"
	      "\"rank\":[0,1],\"extra\":{\"num_correct\":1}}]", NULL);
}

/* What rests on parts that are not there is not there, and says why. */
static void test_missing(void **state)
{
	const char *text = "[{\"id\":\"ref:1\",\"subset\":\"Ties\","
		"\"reward\":[1,0],\"rank\":[0,1]},{\"id\":\"x\",\"subset\":"
		"\"Math\",\"reward\":[1,0,1],\"rank\":[0,1,1]}]";
	json_t *records = rm_json_parse(text, strlen(text));
	struct rm_suite_figures f;
	struct rm_suite *s = run(records, false, "rewardbench2", &f);

	(void)state;
	assert_non_null(s);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.line[0].name, "Math");
	assert_true(f.line[0].value == .5);
	assert_non_null(strstr(f.missing, "overall: no records of Factuality, "
			       "Focus, Precise IF, Safety"));
	assert_non_null(strstr(f.missing, "Ties: no records of prompts with "
			       "both ref and tied"));
	rm_suite_free(s);
	json_decref(records);
}

/*
 * A section that lacks a subset is not what was published under its name, nor
 * is a mean that lacks a category.
 */
static void test_not_whole(void **state)
{
	const char *v1 = "[{\"subset\":\"mt-bench-hard\","
		"\"reward\":[1,0]},"
		"{\"subset\":\"llmbar-natural\",\"reward\":[1,0]}]";
	const char *judge = "[{\"id\":\"a\",\"subset\":\"livecodebench\","
		"\"reward\":[1,0]}]";
	json_t *records = rm_json_parse(v1, strlen(v1));
	struct rm_suite_figures f;
	struct rm_suite *s = run(records, true, "auto", &f);

	(void)state;
	assert_non_null(s);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.line[0].name, "Chat Hard");
	assert_true(isnan(f.line[0].value));
	assert_int_equal(f.line[0].n, 2);
	assert_true(f.line[1].value == 1);
	assert_non_null(strstr(f.missing, "overall: no records of Chat; "
			       "Chat Hard, overall: no records of "
			       "llmbar-adver-neighbor, llmbar-adver-GPT"));
	rm_suite_free(s);
	json_decref(records);
	records = rm_json_parse(judge, strlen(judge));
	s = run(records, true, "auto", &f);
	assert_non_null(s);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.line[0].name, "Coding");
	assert_non_null(strstr(f.missing, "overall: no records of Knowledge, "
			       "Reasoning, Math"));
	rm_suite_free(s);
	json_decref(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
