#include "test.h"

#include "batch.h"

#include <string.h>

static struct rm_slice ids(const int32_t *v, size_t n)
{
	return (struct rm_slice){ (const unsigned char *)v, n * sizeof(*v) };
}

static const int32_t prompt[] = { 1, 2, 3 };
static const int32_t first[] = { 10, 11 };
static const int32_t second[] = { 20 };
static const struct rm_slice none = {0};

static void test_shared_prompt(void **state)
{
	const struct rm_slice r[] = { ids(first, 2), ids(second, 1) };
	const int32_t expected[] = { 1, 2, 3, 10, 11, 20 };
	struct rm_batch b = {0};

	(void)state;
	assert_int_equal(rm_batch_add(&b, ids(prompt, 3), r, 2,
				      RM_PROMPT_SHARED), 0);
	assert_int_equal(b.n_tokens, 6);
	assert_memory_equal(b.ids, expected, sizeof(expected));
	assert_int_equal(b.n_segments, 3);
	assert_int_equal(b.segment[0].parent, RM_NO_PARENT);
	assert_int_equal(b.segment[2].parent, 0);
	assert_int_equal(b.segment[2].start, 5);
	assert_int_equal(b.segment[2].length, 1);
	assert_int_equal(b.n_leaves, 2);
	assert_int_equal(b.leaf[0], 1);
	assert_int_equal(b.leaf[1], 2);
	/* The next group's parent is its own prompt. */
	assert_int_equal(rm_batch_add(&b, ids(prompt, 3), r, 1,
				      RM_PROMPT_SHARED), 0);
	assert_int_equal(b.n_groups, 2);
	assert_int_equal(b.group[1], 2);
	assert_int_equal(b.segment[b.leaf[2]].parent, 3);
	rm_batch_clear(&b);
	assert_int_equal(b.n_tokens + b.n_segments + b.n_leaves + b.n_groups,
			 0);
	rm_batch_fini(&b);
	rm_batch_fini(&b);
}

static void test_copied_prompt(void **state)
{
	const struct rm_slice r[] = { ids(first, 2), ids(second, 1) };
	const int32_t expected[] = { 1, 2, 3, 10, 11, 1, 2, 3, 20 };
	struct rm_batch b = {0};

	(void)state;
	assert_int_equal(rm_batch_add(&b, ids(prompt, 3), r, 2,
				      RM_PROMPT_COPIED), 0);
	assert_int_equal(b.n_segments, 2);
	assert_memory_equal(b.ids, expected, sizeof(expected));
	assert_int_equal(b.segment[1].parent, RM_NO_PARENT);
	assert_int_equal(b.segment[1].start, 5);
	assert_int_equal(b.segment[1].length, 4);
	rm_batch_fini(&b);
}

static void test_no_prompt(void **state)
{
	const struct rm_slice r[] = { ids(first, 2), ids(second, 1) };
	const int32_t expected[] = { 10, 11, 20 };
	struct rm_batch b = {0};

	(void)state;
	assert_int_equal(rm_batch_add(&b, ids(prompt, 3), r, 2,
				      RM_PROMPT_NONE), 0);
	assert_int_equal(b.n_segments, 2);
	assert_int_equal(b.n_tokens, 3);
	assert_memory_equal(b.ids, expected, sizeof(expected));
	assert_int_equal(b.segment[1].parent, RM_NO_PARENT);
	rm_batch_fini(&b);
}

static void test_empty(void **state)
{
	const struct rm_slice r[] = { none, ids(second, 1) };
	struct rm_batch b = {0};

	(void)state;
	assert_int_equal(rm_batch_add(&b, none, r, 2, RM_PROMPT_SHARED), 0);
	assert_int_equal(b.n_segments, 2);
	assert_int_equal(b.segment[0].length, 0);
	assert_int_equal(b.segment[1].parent, RM_NO_PARENT);
	assert_int_equal(b.n_tokens, 1);
	rm_batch_fini(&b);
}

/* A text of its own, which the responses name and do not see. */
static void test_prompt_apart(void **state)
{
	const struct rm_slice r[] = { ids(first, 2), ids(second, 1) };
	struct rm_batch b = {0};

	(void)state;
	assert_int_equal(rm_batch_add(&b, ids(prompt, 3), r, 2,
				      RM_PROMPT_APART), 0);
	assert_int_equal(rm_batch_add(&b, none, r, 1, RM_PROMPT_APART), 0);
	assert_int_equal(b.n_tokens, 8);
	assert_int_equal(b.n_segments, 4);
	assert_int_equal(b.n_leaves, 3);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(b.segment[i].parent, RM_NO_PARENT);
	assert_int_equal(b.segment[0].prompt, 3);
	assert_int_equal(b.leaf[0], 1);
	assert_int_equal(b.apart[0], 0);
	assert_int_equal(b.apart[1], 0);
	assert_int_equal(b.apart[2], RM_NO_PARENT);
	rm_batch_fini(&b);
}

/* A group to which its second response comes later is the same group. */
static void test_more(void **state)
{
	static const enum rm_prompt how[] = {
		RM_PROMPT_NONE, RM_PROMPT_SHARED, RM_PROMPT_COPIED,
		RM_PROMPT_APART
	};
	const struct rm_slice r[] = { ids(first, 2), ids(second, 1) };
	struct rm_batch a = {0}, b = {0};

	(void)state;
	for (size_t i = 0; i < 2 * RM_COUNT(how); i++) {
		struct rm_slice p = i % 2 ? none : ids(prompt, 3);

		assert_int_equal(rm_batch_add(&a, p, r, 2, how[i / 2]), 0);
		assert_int_equal(rm_batch_add(&b, p, r, 1, how[i / 2]), 0);
		assert_int_equal(rm_batch_add_more(&b, p, r[1], how[i / 2]),
				 0);
	}
	assert_int_equal(a.n_tokens, b.n_tokens);
	assert_memory_equal(a.ids, b.ids, a.n_tokens * sizeof(*a.ids));
	assert_int_equal(a.n_segments, b.n_segments);
	assert_memory_equal(a.segment, b.segment,
			    a.n_segments * sizeof(*a.segment));
	assert_int_equal(a.n_leaves, b.n_leaves);
	assert_memory_equal(a.leaf, b.leaf, a.n_leaves * sizeof(*a.leaf));
	assert_memory_equal(a.apart, b.apart, a.n_leaves * sizeof(*a.apart));
	assert_int_equal(a.n_groups, b.n_groups);
	rm_batch_fini(&a);
	rm_batch_fini(&b);
}

/* Ids may stand at any address, as they do in a record. */
static void test_unaligned(void **state)
{
	unsigned char bytes[] = { 0, 1, 2, 0, 0, 0xff, 0xff, 0xff, 0x7f };
	struct rm_slice r = { bytes + 1, 8 };
	struct rm_batch b = {0};

	(void)state;
	assert_int_equal(rm_batch_add(&b, none, &r, 1, RM_PROMPT_SHARED), 0);
	assert_int_equal(b.ids[0], 0x201);
	assert_int_equal(b.ids[1], INT32_MAX);
	rm_batch_fini(&b);
}

static void test_negative_id(void **state)
{
	const int32_t bad[] = { 4, -5 };
	const struct rm_slice r[] = { ids(first, 2), ids(bad, 2) };
	struct rm_batch b = {0};

	(void)state;
	assert_int_equal(rm_batch_add(&b, none, r, 1, RM_PROMPT_SHARED), 0);
	assert_int_equal(rm_batch_add(&b, ids(prompt, 3), r, 2,
				      RM_PROMPT_SHARED), -1);
	assert_string_equal(rm_error(),
			    "response 1: token 1 has the negative id -5");
	/* The batch is as it was. */
	assert_int_equal(b.n_tokens, 2);
	assert_int_equal(b.n_segments, 1);
	assert_int_equal(b.n_leaves, 1);
	assert_int_equal(b.n_groups, 1);
	rm_batch_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_prompt),
		cmocka_unit_test(test_copied_prompt),
		cmocka_unit_test(test_no_prompt),
		cmocka_unit_test(test_prompt_apart),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_negative_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
