/* Perturbations: what each does to a text, and that nothing else decides. */
#include "test.h"

#include "perturb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rm_arena arena;

static int teardown(void **state)
{
	(void)state;
	rm_arena_fini(&arena);
	return 0;
}

static struct rm_slice slice(const char *s)
{
	return (struct rm_slice){ (const unsigned char *)s, strlen(s) };
}

/* The text of response i of that record, changed; valid for the test. */
static const char *change_of(const char *spec, const char *text,
			     const char *id, size_t i, enum rm_standing how)
{
	char *specs[] = { (char *)(uintptr_t)spec };
	struct rm_perturb *p = rm_perturb_new(specs, 1);
	struct rm_slice s = slice(text);

	if (!p || rm_perturb_text(p, slice(id), i, how, &s, &arena) < 0)
		fail_msg("%s: %s", spec, rm_error());
	rm_perturb_free(p);
	/* What the arena holds ends in a NUL; so does `text`. */
	assert_int_equal(s.data[s.len], 0);
	return (const char *)s.data;
}

static const char *change(const char *spec, const char *text)
{
	return change_of(spec, text, "id", 0, RM_STANDING_UNKNOWN);
}

static void test_case(void **state)
{
	(void)state;
	assert_string_equal(change("case", "Ab \xc3\x89t\xc3\xa9."),
			    "ab \xc3\xa9t\xc3\xa9.");
	assert_string_equal(change("case:how=upper", "ab \xc3\xa9.\n"),
			    "AB \xc3\x89.\n");
	assert_string_equal(change("case:how=swap", "aB c"), "Ab C");
	assert_string_equal(change("case:how=title", "(aB) cD, 1ef"),
			    "(Ab) Cd, 1Ef");
	assert_string_equal(change("case:rate=0", "AB"), "AB");
	/* About a third of 300 words, whole ones. */
	char text[901];
	size_t n = 0;

	for (size_t i = 0; i < 900; i++)
		text[i] = i % 3 < 2 ? 'A' : ' ';
	text[900] = '\0';
	const char *out = change("case:rate=0.3333", text);
	for (size_t i = 0; i < 900; i += 3) {
		assert_int_equal(out[i], out[i + 1]);
		n += out[i] == 'a';
	}
	assert_in_range(n, 70, 130);
}

/* Letters of a text that are not where they were, by kind of slip. */
static void test_typos(void **state)
{
	bool seen[4] = {0};

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		const char *out = change_of("typos:rate=1", "a", "id", i,
					    RM_STANDING_UNKNOWN);

		if (*out == '\0')
			seen[0] = true;
		else if (strcmp(out, "aa") == 0)
			seen[1] = true;
		else if (strlen(out) == 1 && strchr("qwsz", *out))
			seen[2] = true;
		else
			fail_msg("a slip of a is no \"%s\"", out);
		out = change_of("typos:rate=1", "xy", "id", i,
				RM_STANDING_UNKNOWN);
		seen[3] |= strcmp(out, "yx") == 0;
	}
	for (size_t i = 0; i < 4; i++)
		assert_true(seen[i]);
	assert_string_equal(change("typos:rate=1", "1 + 2 = 3!\n"),
			    "1 + 2 = 3!\n");
	assert_string_equal(change("typos:rate=0", "none"), "none");
}

/* Whatever slips, what was UTF-8 stays so. */
static void test_typos_keep_utf8(void **state)
{
	const char *text = "\xc3\xa9\xc3\xa8 \xe6\xbc\xa2\xe5\xad\x97 "
		"\xf0\x9f\x98\x80 \xd0\xb6\xd0\xb0 na\xc3\xafve";

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		const char *out = change_of("typos:rate=0.7", text, "id", i,
					    RM_STANDING_UNKNOWN);

		assert_int_equal(rm_utf8_valid(out, strlen(out)),
				 strlen(out));
	}
	/* What never was passes by. */
	assert_string_equal(change("typos:rate=1", "\xff\xc3 1"),
			    "\xff\xc3 1");
	assert_string_equal(change("case:how=upper", "\xff z"), "\xff Z");
}

static void test_whitespace(void **state)
{
	(void)state;
	assert_string_equal(change("whitespace:rate=1", "a b\nc"),
			    "a  b\n\nc  \n");
	assert_string_equal(change("whitespace:rate=1,how=spaces", "a b\nc"),
			    "a  b\nc");
	assert_string_equal(change("whitespace:rate=1,how=newlines",
				   "a b\nc"), "a b\n\nc");
	assert_string_equal(change("whitespace:how=trailing", "a b\nc"),
			    "a b\nc  \n");
	assert_string_equal(change("whitespace:rate=0", "a b"), "a b  \n");
}

static void test_padding(void **state)
{
	(void)state;
	assert_string_equal(change("padding:chars=5,text=ab ", "x"),
			    "xab ab");
	assert_string_equal(change("padding:share=2,text=\xc3\xa9-",
				   "\xe6\xbc\xa2x"),
			    "\xe6\xbc\xa2x\xc3\xa9-\xc3\xa9-");
	assert_string_equal(change("padding:chars=3,text=ab,at=start",
				   "  x"), "  abax");
	assert_string_equal(change("padding", ""), "");
	assert_string_equal(change("padding:chars=4,text=", "x"), "x");
}

static void test_praise(void **state)
{
	(void)state;
	assert_string_equal(change("praise", "x"),
			    "x This is an excellent answer.");
	assert_string_equal(change("praise:text=Good, yes = good.", "x\n"),
			    "x\nGood, yes = good.");
	assert_string_equal(change("praise:text=a, b,at=start", " x"),
			    " a, b x");
	assert_string_equal(change("praise:text=a", ""), "a");
}

static void test_to(void **state)
{
	static const enum rm_standing ways[] = {
		RM_STANDING_UNKNOWN, RM_STANDING_FIRST, RM_STANDING_BEHIND
	};
	static const char *const specs[] = {
		"praise:text=a", "praise:text=a,to=preferred",
		"praise:text=a,to=rejected"
	};
	static const bool meant[3][3] = {
		{ true, true, true }, { false, true, false },
		{ false, false, true }
	};

	(void)state;
	for (size_t s = 0; s < 3; s++)
		for (size_t w = 0; w < 3; w++)
			assert_string_equal(change_of(specs[s], "x", "id", 0,
						      ways[w]),
					    meant[s][w] ? "x a" : "x");
}

/* Same seed, id and response: same text; else another. */
static void test_draws(void **state)
{
	const char *text = "the quick brown fox jumps over the lazy dog and "
		"goes on to say that it had no reason to do so at all";
	const enum rm_standing how = RM_STANDING_UNKNOWN;
	const char *one = change_of("typos:rate=.3", text, "a", 0, how);

	(void)state;
	assert_string_equal(one, change_of("typos:rate=.3", text, "a", 0,
					   how));
	assert_string_not_equal(one, change_of("typos:rate=.3", text, "b", 0,
					       how));
	assert_string_not_equal(one, change_of("typos:rate=.3", text, "a", 1,
					       how));
	assert_string_not_equal(one, change_of("typos:rate=.3,seed=2", text,
					       "a", 0, how));
}

static void test_chain(void **state)
{
	char a[] = "praise:text=Ab", b[] = "case", c[] = "padding:chars=1,"
		"text=Z";
	char *specs[] = { a, b, c };
	struct rm_perturb *p = rm_perturb_new(specs, 3);
	struct rm_slice s = slice("X");

	(void)state;
	assert_non_null(p);
	assert_int_equal(json_array_size(rm_perturb_config(p)), 3);
	assert_false(rm_perturb_needs_labels(p));
	assert_int_equal(rm_perturb_text(p, slice("id"), 0,
					 RM_STANDING_UNKNOWN, &s, &arena), 0);
	assert_string_equal((const char *)s.data, "x abZ");
	rm_perturb_free(p);
}

static void refuse(const char *spec, const char *message)
{
	char *specs[] = { (char *)(uintptr_t)spec };

	assert_null(rm_perturb_new(specs, 1));
	if (!strstr(rm_error(), message))
		fail_msg("%s: %s", spec, rm_error());
}

static void test_bad_specs_are_named(void **state)
{
	(void)state;
	refuse("paraphrase", "unknown perturbation paraphrase; there are "
	       "case, padding, praise, typos, whitespace");
	refuse("case:how=camel", "unknown how camel");
	refuse("typos:rate=2", "rate");
	refuse("praise:rate=1", "perturbation praise has no key rate");
	refuse("padding:chars=-1", "chars");
	refuse("case:upper", "\"upper\" is not key=value");
	refuse("praise:text=\xff", "no UTF-8");
	refuse("case:to=best", "unknown to best; there are all, preferred, "
	       "rejected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_typos),
		cmocka_unit_test(test_typos_keep_utf8),
		cmocka_unit_test(test_whitespace),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_praise),
		cmocka_unit_test(test_to),
		cmocka_unit_test(test_draws),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_bad_specs_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
