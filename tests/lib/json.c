#include "test.h"

#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse(const char *text)
{
	return rm_json_parse(text, strlen(text));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"", "{", "{\"a\":1,\"a\":2}", "[1] x", "\"\xff\"", "nope",
		"{\"a\\u0000b\":1}", "[1,]", "1e999"
	};
	char deep[400];

	(void)state;
	for (size_t i = 0; i < RM_COUNT(bad); i++) {
		assert_null(parse(bad[i]));
		assert_memory_equal(rm_error(), "JSON: ", 6);
	}
	memset(deep, '[', sizeof(deep));
	assert_null(rm_json_parse(deep, sizeof(deep)));
	assert_non_null(strstr(rm_error(), "nested"));
}

static void check_print(const char *text, const char *expected, int indent,
			bool canonical)
{
	struct rm_buf out = {0};
	json_t *v = parse(text);

	assert_non_null(v);
	if (canonical)
		rm_json_canonical(&out, v);
	else
		rm_json_print(&out, v, indent);
	assert_string_equal(rm_buf_text(&out), expected);
	rm_buf_fini(&out);
	json_decref(v);
}

static void test_print(void **state)
{
	(void)state;
	check_print("{\"b\":[1,2.5,true,null],\"a\":\"x\\n\\u0001\\\"\"}",
		    "{\"b\":[1,2.5,true,null],\"a\":\"x\\n\\u0001\\\"\"}", 0,
		    false);
	check_print("{\"b\":1,\"a\":{}}", "{\n  \"b\": 1,\n  \"a\": {}\n}", 2,
		    false);
	check_print("{\"b\": 1, \"a\": 1.0}", "{\"a\":1,\"b\":1}", 0, true);
	check_print("\"a\\u0000b\\u000b\"", "\"a\\u0000b\\u000b\"", 0, false);
}

static void test_number(void **state)
{
	struct rm_buf out = {0};

	(void)state;
	rm_json_number(&out, NAN);
	rm_json_number(&out, -INFINITY);
	rm_json_number(&out, 0.5);
	assert_string_equal(rm_buf_text(&out), "nullnull0.5");
	rm_buf_fini(&out);
}

static void test_members(void **state)
{
	json_t *v = parse("{\"s\":\"x\",\"n\":3,\"r\":0.5,\"neg\":-1}");
	const char *s;
	double x;
	size_t n;

	(void)state;
	assert_int_equal(rm_json_get_string(v, "s", "cfg", &s), 0);
	assert_string_equal(s, "x");
	assert_int_equal(rm_json_get_size(v, "n", "cfg", &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(rm_json_get_double(v, "n", "cfg", &x), 0);
	assert_true(x == 3);
	assert_int_equal(rm_json_get_size(v, "r", "cfg", &n), -1);
	assert_string_equal(rm_error(),
			    "cfg: member \"r\" is not a whole number");
	assert_int_equal(rm_json_get_size(v, "neg", "cfg", &n), -1);
	assert_int_equal(rm_json_get_string(v, "none", "cfg", &s), -1);
	assert_string_equal(rm_error(), "cfg: no member \"none\"");
	assert_int_equal(rm_json_opt_size(v, "none", "cfg", 7, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(rm_json_opt_string(v, "n", "cfg", "d", &s), -1);
	json_decref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
