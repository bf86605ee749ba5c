#include "scores.h"

/* Records whose length is known or null; `known`: only the former. */
static struct rm_scores *with_gaps(bool known)
{
	struct rm_buf text = {0};
	struct rm_scores *s;
	int i;

	rm_buf_puts(&text, "[");
	for (i = 0; i < 600; i++) {
		double a = rm_random_normal(9, RM_RANDOM_TEST, 0, (uint64_t)i);
		double b = rm_random_normal(9, RM_RANDOM_TEST, 1, (uint64_t)i);

		if (known && i % 3 == 0)
			continue;
		rm_buf_printf(&text, "%s{\"reward\":[%.3g,%.3g],\"rank\":"
			      "[%d,1],", text.len > 1 ? "," : "", a, b,
			      i % 2 * 2);
		if (i % 3)
			rm_buf_printf(&text, "\"length\":[%d,%d]}",
				      30 + (int)(9 * a), 30 + (int)(9 * b) + i);
		else
			rm_buf_puts(&text, "\"length\":null}");
	}
	rm_buf_puts(&text, "]");
	s = score_text(rm_buf_text(&text), true, NULL);
	assert_non_null(s);
	rm_buf_fini(&text);
	return s;
}

static void test_unknown_lengths_are_left_out(void **state)
{
	static const char *const names[] = {
		"length_corr", "length_partial", "label_partial"
	};
	struct rm_scores *all = with_gaps(false), *known = with_gaps(true);
	struct rm_figure f[METRICS], g[METRICS];
	size_t i;

	(void)state;
	assert_int_equal(all->responses, 1200);
	assert_int_equal(known->responses, 800);
	evaluate(all, 0, f);
	evaluate(known, 0, g);
	for (i = 0; i < RM_COUNT(names); i++) {
		const struct rm_figure *a = figure(f, names[i]);
		const struct rm_figure *b = figure(g, names[i]);

		assert_true(fabs(b->value) > .01);
		assert_near("gaps", names[i], a->value, b->value);
		/* What is left out still is a prompt: G / (G - 1). */
		assert_near("gaps", names[i], (a->high - a->low) /
			    sqrt(600. / 599), (b->high - b->low) /
			    sqrt(400. / 399));
	}
	rm_scores_free(all);
	rm_scores_free(known);
}

/* Without keys nothing says what is repeated; no key is nobody's. */
static void test_repeated_prompts(void **state)
{
	static const struct {
		const char *text;
		double value;
	} cases[] = {
		{ "[{\"reward\":[1,0]},{\"reward\":[1,0]}]", NAN },
		{ "[{\"key\":7,\"reward\":[1,0]},{\"key\":8,\"reward\":"
		  "[1,0]},{\"key\":7,\"reward\":[1,0]},{\"key\":7,"
		  "\"reward\":[0,1]}]", .5 },
		{ "[{\"key\":7,\"reward\":[1,0]},{\"key\":null,\"reward\":"
		  "[1,0]},{\"key\":null,\"reward\":[1,0]}]", 0 },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		struct rm_scores *s = score_text(cases[i].text, true, NULL);
		double value;

		assert_non_null(s);
		value = value_of(s, "repeated");
		if (isnan(cases[i].value))
			assert_true(isnan(value));
		else
			assert_near(cases[i].text, "repeated", value,
				    cases[i].value);
		rm_scores_free(s);
	}
}

/* A preferred response that always stands in one place says nothing. */
static void test_one_place(void **state)
{
	static const char *const names[] = {
		"first_wins", "first_picked", "first_right", "second_right"
	};

	(void)state;
	for (int place = 0; place < 2; place++) {
		struct rm_buf text = {0};
		struct rm_scores *s;

		rm_buf_printf(&text, "[{\"reward\":[2,1],\"rank\":[0,1],"
			      "\"position\":[%d,%d]},{\"reward\":[1,2],"
			      "\"rank\":[0,1],\"position\":[%d,%d]}]", place,
			      !place, place, !place);
		s = score_text(rm_buf_text(&text), true, NULL);
		assert_non_null(s);
		for (size_t i = 0; i < RM_COUNT(names); i++)
			if (!isnan(value_of(s, names[i])))
				fail_msg("%s with place %d", names[i], place);
		rm_scores_free(s);
		rm_buf_fini(&text);
	}
}

/* What one of three says of another is lost where two are the same. */
static void test_partial_of_the_same(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"reward\":[3,1],\"score\":[2,1],\"length\":[2,1]},"
		"{\"reward\":[2,4],\"score\":[3,4],\"length\":[3,4]}]",
		false, NULL);

	(void)state;
	assert_non_null(s);
	assert_true(isnan(value_of(s, "length_partial")));
	assert_true(isnan(value_of(s, "label_partial")));
	rm_scores_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_lengths_are_left_out),
		cmocka_unit_test(test_repeated_prompts),
		cmocka_unit_test(test_one_place),
		cmocka_unit_test(test_partial_of_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
