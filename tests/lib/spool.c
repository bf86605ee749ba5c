#include "test.h"

#include "io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 5000 };

/* String i: a length from 0 to 999, all bytes depending on i. */
static size_t make(size_t i, unsigned char *data)
{
	size_t n = rm_random(1, RM_RANDOM_TEST, 0, i) % 1000;

	for (size_t j = 0; j < n; j++)
		data[j] = (unsigned char)(i * 31 + j);
	return n;
}

/* Everything comes back, in any order, also after more was added. */
static void check_memory(size_t memory)
{
	struct rm_spool *s = rm_spool_new(memory);
	unsigned char data[1000];
	struct rm_slice got;
	uint64_t bytes = 0;

	for (size_t i = 0; i < N; i++) {
		size_t n = make(i, data);

		assert_int_equal(rm_spool_add(s, data, n), 0);
		bytes += n;
		if (i % 7 == 0) {	/* reading between writes */
			assert_int_equal(rm_spool_get(s, i, &got), 0);
			assert_int_equal(got.len, n);
			assert_memory_equal(got.data, data, n);
		}
	}
	assert_int_equal(rm_spool_count(s), N);
	assert_int_equal(rm_spool_bytes(s), bytes);
	for (size_t j = 0; j < N; j++) {
		size_t i = j * 1237 % N, n = make(i, data);

		assert_int_equal(rm_spool_get(s, i, &got), 0);
		assert_int_equal(got.len, n);
		if (n)
			assert_memory_equal(got.data, data, n);
	}
	rm_spool_free(s);
}

static void test_in_memory(void **state)
{
	(void)state;
	check_memory((size_t)1 << 30);
}

static void test_on_disk(void **state)
{
	(void)state;
	check_memory(0);
	check_memory(1);
	check_memory(700000);
}

static void test_no_place(void **state)
{
	struct rm_spool *s = rm_spool_new(4);

	(void)state;
	setenv("TMPDIR", "/nonexistent", 1);
	assert_int_equal(rm_spool_add(s, "abcd", 4), 0);
	assert_int_equal(rm_spool_add(s, "e", 1), -1);
	assert_non_null(strstr(rm_error(), "/nonexistent: temporary file"));
	unsetenv("TMPDIR");
	rm_spool_free(s);
	rm_spool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_memory),
		cmocka_unit_test(test_on_disk),
		cmocka_unit_test(test_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
