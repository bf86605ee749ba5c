#include "test.h"

#include "template.h"

#include <string.h>

#define SLICE(text) { (const unsigned char *)(text), sizeof(text) - 1 }

static const struct rm_message talk[] = {
	{ SLICE("system"), SLICE("be brief") },
	{ SLICE("human"), SLICE("hi") },
	{ SLICE("gpt"), SLICE("") },
	{ SLICE("user"), SLICE("so?") },
};

static void check(const char *name, size_t n, bool generation,
		  const char *expected)
{
	struct rm_buf out = {0};
	const struct rm_template *t = rm_template_find(name);

	assert_non_null(t);
	assert_string_equal(rm_template_name(t), name);
	assert_int_equal(rm_template_render(t, talk, n, generation, &out), 0);
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
	const char *name, *help;
	size_t i;

	(void)state;
	for (i = 0; rm_template_at(i, &name, &help); i++) {
		struct rm_buf prompt = {0}, all = {0};
		const struct rm_template *t = rm_template_find(name);

		assert_non_null(t);
		rm_template_render(t, talk, 2, true, &prompt);
		rm_template_render(t, talk, 3, false, &all);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_hh),
		cmocka_unit_test(test_chatml),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
