#include "test.h"

#include "spec.h"

#include <string.h>

struct options {
	bool flag;
	size_t n, choice;
	double x;
	struct rm_numbers list;
	struct rm_names names;
};

static const char *const colours[] = { "red", "green", NULL };

static const struct rm_key keys[] = {
	RM_KEY_FLAG("flag", struct options, flag, "no", "a flag"),
	RM_KEY_SIZE("n", struct options, n, 1, 1048576, "4", "a count"),
	RM_KEY_DOUBLE("x", struct options, x, 0, 1, ".5", "a share"),
	RM_KEY_CHOICE("choice", struct options, choice, colours, "green",
		      "a colour"),
	RM_KEY_LIST("list", struct options, list, 0, 9, "1", "numbers"),
	RM_KEY_NAMES_LIST("names", struct options, names, "a,b", "names"),
	RM_KEY_END
};

static const struct rm_spec thing = { "thing", "a thing", keys, false };
static const struct rm_spec plain = { "plain", "has no keys", NULL, false };
static const struct rm_spec *const specs[] = { &thing, &plain, NULL };

static void test_defaults(void **state)
{
	struct options o;

	(void)state;
	json_t *config = rm_spec_parse("part", specs, "thing");
	assert_non_null(config);
	assert_int_equal(json_object_size(config), 7);
	assert_int_equal(rm_spec_find("part", specs, config), 0);
	assert_int_equal(rm_spec_fill("part", &thing, config, &o), 0);
	assert_false(o.flag);
	assert_int_equal(o.n, 4);
	assert_true(o.x == .5);
	assert_int_equal(o.choice, 1);
	assert_int_equal(o.list.n, 1);
	assert_true(o.list.x[0] == 1);
	assert_int_equal(o.names.n, 2);
	assert_string_equal(o.names.name[1], "b");
	json_decref(config);
}

static void test_values(void **state)
{
	struct options o;

	(void)state;
	json_t *config = rm_spec_parse("part", specs,
				       "thing:n=1k,names=x-1,y,z_Z,x=.25,"
				       "flag=yes,choice=red,list=3/.5");
	assert_non_null(config);
	assert_int_equal(rm_spec_set("part", specs, config, "x", "0.75"), 0);
	assert_int_equal(rm_spec_fill("part", &thing, config, &o), 0);
	assert_true(o.flag);
	assert_int_equal(o.n, 1024);
	assert_true(o.x == .75);
	assert_int_equal(o.choice, 0);
	assert_int_equal(o.list.n, 2);
	assert_true(o.list.x[0] == 3 && o.list.x[1] == .5);
	assert_int_equal(o.names.n, 3);
	assert_string_equal(o.names.name[0], "x-1");
	assert_string_equal(o.names.name[2], "z_Z");
	json_decref(config);
}

/* A key that an older model directory lacks takes its default. */
static void test_missing_keys(void **state)
{
	struct options o;

	(void)state;
	json_t *config = json_pack("{s:s,s:i}", "name", "thing", "n", 7);
	assert_int_equal(rm_spec_fill("part", &thing, config, &o), 0);
	assert_int_equal(o.n, 7);
	assert_true(o.x == .5);
	json_decref(config);
}

static void refused(const char *text, const char *message)
{
	assert_null(rm_spec_parse("part", specs, text));
	if (!strstr(rm_error(), message))
		fail_msg("%s: %s", text, rm_error());
}

static void test_refused(void **state)
{
	(void)state;
	refused("thin", "unknown part thin; there are thing, plain");
	refused("thing:m=1", "no key m; there are flag, n, x, choice, "
		"list, names");
	refused("plain:m=1", "there are none");
	refused("thing:n", "\"n\" is not key=value");
	refused("thing:", "is not key=value");
	refused("thing:n=0", "part thing: n");
	refused("thing:n=2M", "part thing: n");
	refused("thing:x=nan", "part thing: x");
	refused("thing:x=1x", "part thing: x");
	refused("thing:flag=maybe", "neither yes nor no");
	refused("thing:choice=blue", "there are red, green");
	refused("thing:list=1/", "part thing: list");
	refused("thing:list=1/10", "part thing: list");
}

static void refused_json(const char *text, const char *message)
{
	struct options o;
	json_t *config = rm_json_parse(text, strlen(text));

	assert_non_null(config);
	assert_int_equal(rm_spec_fill("part", &thing, config, &o), -1);
	if (!strstr(rm_error(), message))
		fail_msg("%s: %s", text, rm_error());
	json_decref(config);
}

static void test_refused_json(void **state)
{
	(void)state;
	refused_json("[]", "not a JSON object");
	refused_json("{\"m\": 1}", "no key m");
	refused_json("{\"n\": 1.5}", "a whole number");
	refused_json("{\"n\": -1}", "n is -1, not within");
	refused_json("{\"x\": \"a\"}", "x should be a number");
	refused_json("{\"x\": 2}", "x is 2, not within 0 and 1");
	refused_json("{\"flag\": 1}", "true or false");
	refused_json("{\"choice\": 0}", "a name");
	refused_json("{\"choice\": \"blue\"}", "there are red, green");
	refused_json("{\"list\": 1}", "list should be a list of numbers");
	refused_json("{\"list\": []}", "list should be a list of numbers");
	refused_json("{\"list\": [true]}", "list should be a list");
	refused_json("{\"list\": [1, -1]}", "list is -1, not within");
	refused_json("{\"list\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
		     "1,1,1,1,1,1,1,1,1,1,1,1,1]}", "33 numbers, more than 32");
	refused_json("{\"names\": \"a\"}", "names should be a list of names");
	refused_json("{\"names\": []}", "names should be a list of names");
	refused_json("{\"names\": [1]}", "is no name of letters");
	refused_json("{\"names\": [\"a b\"]}", "\"a b\" is no name of letters");
	refused_json("{\"names\": [\"0123456789012345678901234567890123456789"
		     "012345678901234567890123\"]}", "is no name of letters");
	refused_json("{\"names\": [\"a\", \"b\", \"a\"]}", "names has a twice");
	json_t *none = json_object();
	assert_int_equal(rm_spec_find("part", specs, none), -1);
	json_decref(none);
}

static void test_list(void **state)
{
	struct rm_buf b = {0};

	(void)state;
	rm_spec_list(&b, specs);
	const char *text = rm_buf_text(&b);
	assert_non_null(strstr(text, "thing\n    a thing\n"));
	assert_non_null(strstr(text, "n=4  a count (1 to 1048576)"));
	assert_non_null(strstr(text, "choice=green  a colour (red, green)"));
	assert_non_null(strstr(text, "names=a,b  names (A,B,...)"));
	assert_non_null(strstr(text, "list=1  numbers (X/Y/..., each 0 to 9)"));
	rm_buf_fini(&b);
}

/* What all kinds have is said once, at the end. */
static void test_list_common(void **state)
{
	static const struct rm_key one[] = {
		RM_KEY_SIZE("n", struct options, n, 1, 9, "4", "a count"),
		RM_KEY_DOUBLE("x", struct options, x, 0, 1, ".5", "a share"),
		RM_KEY_END
	};
	static const struct rm_key other[] = {
		RM_KEY_DOUBLE("x", struct options, x, 0, 1, ".5", "a share"),
		RM_KEY_SIZE("n", struct options, n, 1, 9, "5", "a count"),
		RM_KEY_END
	};
	static const struct rm_spec a = { "a", "first", one, false };
	static const struct rm_spec b = { "b", "second", other, false };
	const struct rm_spec *const both[] = { &a, &b, NULL };
	struct rm_buf text = {0};

	(void)state;
	rm_spec_list(&text, both);
	assert_string_equal(rm_buf_text(&text),
			    "a\n    first\n    n=4  a count (1 to 9)\n"
			    "b\n    second\n    n=5  a count (1 to 9)\n"
			    "(all of them)\n"
			    "    x=.5  a share (0 to 1)\n");
	rm_buf_fini(&text);
}

/* A text goes up to the next key, commas and all. */
static void test_text(void **state)
{
	struct said {
		size_t n;
		const char *text;
	} said;
	static const struct rm_key keys_of[] = {
		RM_KEY_TEXT("text", struct said, text, "as, usual", "said"),
		RM_KEY_SIZE("n", struct said, n, 0, 9, "4", "a count"),
		RM_KEY_END
	};
	static const struct rm_spec say = { "say", "it", keys_of, false };
	static const struct rm_spec *const all[] = { &say, NULL };
	static const struct {
		const char *typed, *text;
		size_t n;
	} cases[] = {
		{ "say", "as, usual", 4 },
		{ "say:text=a, b = c,n=2", "a, b = c", 2 },
		{ "say:n=3,text=,m=1,", ",m=1,", 3 },
		{ "say:text=", "", 4 },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		json_t *config = rm_spec_parse("part", all, cases[i].typed);

		assert_non_null(config);
		assert_int_equal(rm_spec_fill("part", &say, config, &said),
				 0);
		assert_string_equal(said.text, cases[i].text);
		assert_int_equal(said.n, cases[i].n);
		json_decref(config);
	}
	/* A key that is missing has its default for good. */
	json_t *none = json_pack("{s:s}", "name", "say");
	assert_int_equal(rm_spec_fill("part", &say, none, &said), 0);
	json_decref(none);
	assert_string_equal(said.text, "as, usual");
	json_t *bad = json_pack("{s:s, s:i}", "name", "say", "text", 1);
	assert_int_equal(rm_spec_fill("part", &say, bad, &said), -1);
	assert_non_null(strstr(rm_error(), "text should be a text"));
	json_decref(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_missing_keys),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_json),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_common),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
