#include "test.h"

#include "template.h"

#include "reference.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLICE(text) { (const unsigned char *)(text), sizeof(text) - 1 }

static const struct rm_message talk[] = {
	{ SLICE("system"), SLICE("be brief"), NULL },
	{ SLICE("human"), SLICE("hi"), NULL },
	{ SLICE("gpt"), SLICE(""), NULL },
	{ SLICE("user"), SLICE("so?"), NULL },
};

static void check(const char *name, size_t n, bool generation,
		  const char *expected)
{
	struct rm_template_input in = { .message = talk, .n = n,
					.generation = generation };
	struct rm_buf out = {0};
	const struct rm_template *t = rm_template_find(name);

	assert_non_null(t);
	assert_string_equal(rm_template_name(t), name);
	assert_int_equal(rm_template_render(t, &in, NULL, &out), 0);
	assert_string_equal(rm_buf_text(&out), expected);
	rm_buf_fini(&out);
}

static void test_plain(void **state)
{
	(void)state;
	check("plain", 4, false, "be brief\n\nhi\n\n\n\nso?");
	check("plain", 2, true, "be brief\n\nhi\n\n");
	check("plain", 0, true, "");
}

static void test_hh(void **state)
{
	(void)state;
	check("hh", 4, true, "\n\nSystem: be brief\n\nHuman: hi\n\nAssistant: "
	      "\n\nHuman: so?\n\nAssistant:");
}

static void test_chatml(void **state)
{
	(void)state;
	check("chatml", 3, true, "<|im_start|>system\nbe brief<|im_end|>\n"
	      "<|im_start|>user\nhi<|im_end|>\n"
	      "<|im_start|>assistant\n<|im_end|>\n"
	      "<|im_start|>assistant\n");
}

/* The text up to the answer begins the text with the answer, in all. */
static void test_generation(void **state)
{
	const struct rm_template_input two = {
		.message = talk, .n = 2, .generation = true
	}, three = { .message = talk, .n = 3 };
	const char *name, *help;
	size_t i;

	(void)state;
	for (i = 0; rm_template_at(i, &name, &help); i++) {
		struct rm_buf prompt = {0}, all = {0};
		const struct rm_template *t = rm_template_find(name);

		assert_non_null(t);
		rm_template_render(t, &two, NULL, &prompt);
		rm_template_render(t, &three, NULL, &all);
		assert_true(all.len >= prompt.len);
		assert_memory_equal(prompt.data, all.data, prompt.len);
		rm_buf_fini(&prompt);
		rm_buf_fini(&all);
	}
	assert_int_equal(i, 4);
}

static void test_unknown(void **state)
{
	(void)state;
	assert_null(rm_template_find("llama"));
	assert_string_equal(rm_error(), "no template 'llama'; there are "
			    "plain, hh, chatml, pair");
}

/* ---- in Jinja ---- */

static const char path[] = "tests/data/template.json";

struct talk {
	struct rm_message message[32];
	struct rm_template_input in;
};

static struct rm_slice slice_of(const json_t *string)
{
	return (struct rm_slice){
		(const unsigned char *)json_string_value(string),
		json_string_length(string)
	};
}

/* The messages of a conversation as they are. */
static void set_talk(struct talk *t, const char *name, bool generation)
{
	const json_t *list = json_object_get(reference(path,
						       "conversations"),
					     name);

	*t = (struct talk){0};
	assert_in_range(json_array_size(list), 1, RM_COUNT(t->message));
	t->in.message = t->message;
	t->in.n = json_array_size(list);
	t->in.generation = generation;
	for (size_t i = 0; i < t->in.n; i++) {
		const json_t *m = json_array_get(list, i);

		t->message[i].role = slice_of(json_object_get(m, "role"));
		t->message[i].json = m;
	}
}

/*
 * Whether a rendering, or its failure, is what the peer's was; says where it
 * is not.
 */
static int differs(const char *what, int err, const struct rm_buf *out,
		   const json_t *text, const json_t *raises)
{
	const char *message = err < 0 ? rm_error() : "";

	if (json_is_string(text)) {
		if (err == 0 && out->len == json_string_length(text) &&
		    memcmp(out->data, json_string_value(text), out->len) ==
		    0)
			return 0;
		print_message("%s\n   is '%.*s' %s\n  not '%s'\n", what,
			      (int)out->len, (char *)out->data, message,
			      json_string_value(text));
		return 1;
	}
	if (err < 0 && (!raises || strstr(message,
					  json_string_value(raises))))
		return 0;
	print_message("%s\n  gives '%.*s' '%s' where the peer fails\n", what,
		      (int)out->len, (char *)out->data, message);
	return 1;
}

static struct rm_template *parse(const json_t *source, const json_t *vars)
{
	const struct rm_template_options o = {
		.vars = vars,
		.date = json_string_value(reference(path, "date"))
	};

	return rm_template_parse(json_string_value(source),
				 json_string_length(source), &o);
}

/* Each construct, as Transformers renders it. */
static void test_small(void **state)
{
	const json_t *all = reference(path, "small");
	json_t *vars = json_deep_copy(reference(path, "small_vars"));
	struct rm_arena scratch = {0};
	struct talk talk_;
	int failed = 0;

	(void)state;
	json_object_set_new(vars, "bos_token", json_string("<s>"));
	json_object_set_new(vars, "eos_token", json_string("</s>"));
	set_talk(&talk_, "system", true);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *one = json_array_get(all, i);
		const json_t *source = json_object_get(one, "source");
		struct rm_template *t = parse(source, vars);
		struct rm_buf out = {0};
		int err = t ? rm_template_render(t, &talk_.in, &scratch, &out)
			    : -1;

		rm_buf_text(&out);
		failed += differs(json_string_value(source), err, &out,
				  json_object_get(one, "text"),
				  json_object_get(one, "raises"));
		rm_template_free(t);
		rm_buf_fini(&out);
	}
	rm_arena_fini(&scratch);
	json_decref(vars);
	assert_int_equal(failed, 0);
}

/* ---- hostile ones ---- */

static const struct {
	const char *source, *message;
} hostile[] = {
	/* steps, depth, memory */
	{ "{% set l = range(9999) %}{% for a in l %}{% for b in l %}"
	  "{% endfor %}{% endfor %}", "more steps" },
	{ "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
	  "nested too deep" },
	{ "{% set n = namespace(s='x' * 99999) %}{% for i in range(99999) %}"
	  "{% set n.s = n.s ~ n.s %}{% endfor %}", "more memory" },
	{ "{% set n = namespace(s='x' * 99999) %}{% for i in range(99999) %}"
	  "{{ n.s }}{% endfor %}", "more steps" },
	{ "{{ 'x' * 9223372036854775807 }}", "more steps" },
	{ "{{ [0] * 9999999 }}", "too long" },
	{ "{% set n = namespace(l=[]) %}{% for i in range(9999) %}"
	  "{% set n.l = [n.l] %}{% endfor %}{{ n.l }}", "too deep" },
	{ "{% set n = namespace(l=[], m=[]) %}{% for i in range(9999) %}"
	  "{% set n.l = [n.l] %}{% set n.m = [n.m] %}{% endfor %}"
	  "{{ n.l == n.m }}", "too deep" },
	{ "{{ range(99999) | map('string') | join('x' * 99999) }}", "more" },
	{ "{{ ('x' * 99999) | replace('x', 'y' * 99999) }}", "more" },
	{ "{{ 'a' | center(99999999999) }}", "more" },
	{ "{{ 'a'.ljust(99999999999) }}", "more" },
	{ "{{ d | tojson(indent=999999999) }}", "an indent" },
	/* numbers */
	{ "{{ 9223372036854775807 + 1 }}", "64 bits" },
	{ "{{ (-9223372036854775807 - 1) // -1 }}", "64 bits" },
	{ "{{ -(-9223372036854775807 - 1) }}", "line 1, column 4" },
	{ "{{ 9 ** 99 }}", "64 bits" },
	{ "{{ 99999999999999999999 }}", "line 1, column 4" },
	{ "{{ 'abc'[::-9223372036854775807] }}{{ 1 / 0 }}", "zero" },
	{ "{{ 'abc'[-9223372036854775807:9223372036854775807] }}{{ 1 / 0 }}",
	  "zero" },
	{ "{{ range(-9223372036854775807, 9223372036854775807) }}",
	  "32 bits" },
	/* where */
	{ "a\n  {{ é }}", "line 2, column 6: a character" },
	{ "é{{ nope.x }}", "line 1, column 9: 'nope' is undefined" },
	{ "{% for x in y %}\n\n{{ 'é' | nope }}",
	  "line 3, column 10: no filter 'nope' is built" },
	{ "{% call f() %}{% endcall %}",
	  "line 1, column 4: no tag 'call' is built" },
	{ "{{ f(*x) }}", "line 1, column 6: '*' where" },
	{ "{{ strftime_now('%Y') }}", "none was given" },
};

static void test_hostile(void **state)
{
	struct rm_arena scratch = {0};
	struct talk talk_;

	(void)state;
	set_talk(&talk_, "system", true);
	for (size_t i = 0; i < RM_COUNT(hostile); i++) {
		struct rm_template *t = rm_template_parse(
			hostile[i].source, strlen(hostile[i].source), NULL);
		struct rm_buf out = {0};

		if (t && rm_template_render(t, &talk_.in, &scratch, &out) ==
		    0)
			fail_msg("%s: gives %s", hostile[i].source,
				 rm_buf_text(&out));
		if (!strstr(rm_error(), hostile[i].message))
			fail_msg("%s: %s", hostile[i].source, rm_error());
		assert_int_equal(out.len, 0);
		rm_template_free(t);
		rm_buf_fini(&out);
	}
	rm_arena_fini(&scratch);
}

/* A nest of anything is refused before the stack ends. */
static void test_nesting(void **state)
{
	static const char *const nests[] = {
		"(", "[", "{'a':", "not ", "-", "a.b(", "a if b else ",
		"a or (", "a|map(", "f(x="
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(nests); i++) {
		struct rm_buf b = {0};

		rm_buf_puts(&b, "{{ ");
		for (size_t k = 0; k < 90000; k++)
			rm_buf_puts(&b, nests[i]);
		assert_null(rm_template_parse(b.data, b.len, NULL));
		rm_buf_clear(&b);
		for (size_t k = 0; k < 30000; k++)
			rm_buf_puts(&b, "{% if a %}{% for x in y %}");
		assert_null(rm_template_parse(b.data, b.len, NULL));
		rm_buf_clear(&b);
		/* A long chain is no nest to the parser, but one to walk. */
		rm_buf_puts(&b, "{{ 1");
		for (size_t k = 0; k < 90000; k++)
			rm_buf_puts(&b, " + 1");
		rm_buf_puts(&b, " }}");
		struct rm_template *t = rm_template_parse(b.data, b.len, NULL);
		struct rm_template_input in = {0};
		struct rm_arena scratch = {0};

		rm_buf_clear(&b);
		assert_non_null(t);
		assert_int_equal(rm_template_render(t, &in, &scratch, &b),
				 -1);
		rm_arena_fini(&scratch);
		rm_template_free(t);
		rm_buf_fini(&b);
	}
}

/* Every construct cut at every byte, and each byte changed. */
static void test_damage(void **state)
{
	const json_t *all = reference(path, "small");
	struct rm_arena scratch = {0};
	struct rm_buf out = {0};
	struct talk talk_;

	(void)state;
	set_talk(&talk_, "tools", false);
	for (size_t i = 0; i < json_array_size(all); i++) {
		struct rm_slice s = slice_of(json_object_get(
			json_array_get(all, i), "source"));
		unsigned char *copy = rm_malloc(s.len + 1, 1);

		for (size_t k = 0; k < 2 * s.len; k++) {
			struct rm_template *t;
			size_t n = k < s.len ? k : s.len;

			memcpy(copy, s.data, n);
			if (k >= s.len)
				copy[k - s.len] ^= (unsigned char)(
					1 << rm_random(1, RM_RANDOM_TEST, i,
						       k) % 7);
			t = rm_template_parse(copy, n, NULL);
			rm_buf_clear(&out);
			if (t)
				rm_template_render(t, &talk_.in, &scratch,
						   &out);
			assert_int_equal(rm_utf8_valid(out.data, out.len),
					 out.len);
			rm_template_free(t);
		}
		free(copy);
	}
	rm_buf_fini(&out);
	rm_arena_fini(&scratch);
}

/* ---- published templates ---- */

static const char *data_dir(void)
{
	const char *dir = getenv("RM_DATA");

	return dir ? dir : "../shared/data";
}

/* The template of a directory of files. */
static bool load_source(const char *directory, struct rm_buf *source)
{
	static const char *const names[] = {
		"chat_template.jinja", "tokenizer_config.json"
	};
	struct rm_files files = {0};
	int got;

	for (size_t i = 0; i < RM_COUNT(names); i++) {
		struct rm_buf at = {0}, bytes = {0};

		rm_buf_printf(&at, "%s/%s/%s", data_dir(), directory,
			      names[i]);
		if (rm_read_file(rm_buf_text(&at), 1 << 24, &bytes) == 0)
			rm_files_add(&files, names[i], bytes.data, bytes.len);
		rm_buf_fini(&at);
		rm_buf_fini(&bytes);
	}
	got = rm_template_of_files(&files, source);
	rm_files_fini(&files);
	return got > 0;
}

static json_t *vars_for(const json_t *special, size_t i)
{
	json_t *vars = json_deep_copy(special);

	json_object_update(vars, json_array_get(reference(path, "vars"), i));
	return vars;
}

static int check_result(const struct rm_buf *source, const char *directory,
			const json_t *special, const json_t *row)
{
	const char *name = json_string_value(json_array_get(row, 0));
	json_t *vars = vars_for(special, (size_t)json_integer_value(
					json_array_get(row, 2)));
	const json_t *got = json_array_get(row, 4);
	const struct rm_template_options o = {
		.vars = vars,
		.date = json_string_value(reference(path, "date"))
	};
	struct rm_template *t = rm_template_parse(source->data, source->len,
						  &o);
	struct rm_arena scratch = {0};
	struct rm_buf out = {0}, what = {0};
	struct talk talk_;
	json_t *hash = NULL;
	int err, failed;

	set_talk(&talk_, name, json_is_true(json_array_get(row, 1)));
	if (json_is_true(json_array_get(row, 3)))
		talk_.in.tools = reference(path, "tools");
	err = t ? rm_template_render(t, &talk_.in, &scratch, &out) : -1;
	rm_buf_printf(&what, "%s: %s", directory, name);
	if (err == 0 && json_is_string(got) &&
	    strcmp(rm_fingerprint(out.data, out.len).hex,
		   json_string_value(got)) == 0)
		hash = json_stringn((char *)out.data, out.len);
	else if (json_is_string(got))
		hash = json_string("another text");
	failed = differs(rm_buf_text(&what), err, &out, hash,
			 json_object_get(got, "raises"));
	json_decref(hash);
	json_decref(vars);
	rm_template_free(t);
	rm_arena_fini(&scratch);
	rm_buf_fini(&out);
	rm_buf_fini(&what);
	return failed;
}

/* Every published template there is, on every conversation. */
static void test_published(void **state)
{
	const json_t *all = reference(path, "shared");
	int failed = 0;

	(void)state;
	if (access(data_dir(), F_OK) < 0) {
		print_message("no %s\n", data_dir());
		skip();
	}
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *one = json_array_get(all, i);
		const char *directory = json_string_value(
			json_object_get(one, "directory"));
		const json_t *rows = json_object_get(one, "results");
		struct rm_buf source = {0};

		if (!load_source(directory, &source))
			fail_msg("%s: no template: %s", directory,
				 rm_error());
		for (size_t k = 0; k < json_array_size(rows); k++)
			failed += check_result(&source, directory,
					       json_object_get(one,
							       "special"),
					       json_array_get(rows, k));
		rm_buf_fini(&source);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_hh),
		cmocka_unit_test(test_chatml),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
