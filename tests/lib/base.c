#include "test.h"

#include "base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(rm_fail("row %d", 3), -1);
	assert_string_equal(rm_error(), "row 3");
	assert_int_equal(rm_wrap("file %s", "x.csv"), -1);
	assert_string_equal(rm_error(), "file x.csv: row 3");
	rm_error_clear();
	assert_string_equal(rm_error(), "");
}

static void test_errors_are_cut_not_overrun(void **state)
{
	(void)state;
	rm_fail("the end");
	for (int i = 0; i < 400; i++)
		rm_wrap("context %d", i);
	assert_true(strlen(rm_error()) < 2048);
	assert_memory_equal(rm_error(), "context 399: context 398", 24);
}

static void test_products_are_checked(void **state)
{
	(void)state;
	assert_null(rm_malloc(SIZE_MAX / 2, 4));
	assert_non_null(strstr(rm_error(), "out of memory"));
	assert_null(rm_calloc_aligned(SIZE_MAX / 2, 4));
	assert_null(rm_realloc(NULL, SIZE_MAX / 2, 4));
}

static void test_buf(void **state)
{
	struct rm_buf b = {0};

	(void)state;
	rm_buf_puts(&b, "ab");
	rm_buf_printf(&b, "%d", 12345);
	rm_buf_putc(&b, '!');
	assert_string_equal(rm_buf_text(&b), "ab12345!");
	assert_int_equal(rm_buf_reserve(&b, SIZE_MAX - 2), -1);
	assert_true(b.failed);
	rm_buf_puts(&b, "lost");
	assert_int_equal(b.len, 8);
	rm_buf_fini(&b);
	rm_buf_fini(NULL);
}

static void test_arena_is_aligned_and_reused(void **state)
{
	struct rm_arena a = {0};

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 1; i < 2000; i += 7) {
			unsigned char *p = rm_arena_alloc(&a, i, 3);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			memset(p, 0x5a, 3 * i);
		}
		rm_arena_reset(&a);
	}
	assert_string_equal(rm_arena_strndup(&a, "abc", 2), "ab");
	assert_null(rm_arena_alloc(&a, SIZE_MAX / 2, 3));
	rm_arena_fini(&a);
}

static void test_parse(void **state)
{
	static const char *const bad_double[] = {
		"", " 1", "1x", "x", "1e999", "nan", "2", "-1e-9"
	};
	double x;
	int64_t i;
	size_t n;

	(void)state;
	for (size_t k = 0; k < RM_COUNT(bad_double); k++)
		assert_int_equal(rm_parse_double(bad_double[k], 0, 1, &x), -1);
	assert_int_equal(rm_parse_double("0.25", 0, 1, &x), 0);
	assert_true(x == 0.25);
	assert_int_equal(rm_parse_double("nan", 0, 1, &x), -1);
	assert_string_equal(rm_error(), "'nan' is not a number");
	assert_int_equal(rm_parse_double("nan", NAN, 1, &x), 0);
	assert_int_equal(rm_parse_i64("-5", -5, 5, &i), 0);
	assert_int_equal(rm_parse_i64("9223372036854775808", INT64_MIN,
				      INT64_MAX, &i), -1);
	assert_int_equal(rm_parse_i64("5.0", -5, 5, &i), -1);
	assert_int_equal(rm_parse_size("64k", 0, SIZE_MAX, &n), 0);
	assert_int_equal(n, 65536);
	assert_int_equal(rm_parse_size("-1", 0, SIZE_MAX, &n), -1);
	assert_int_equal(rm_parse_size("1kk", 0, SIZE_MAX, &n), -1);
	assert_int_equal(rm_parse_size("99999999999999G", 0, SIZE_MAX, &n),
			 -1);
}

static void test_format_double(void **state)
{
	static const double values[] = {
		0.1, -0.0, 1e15, 1e300, 1.0 / 3, 123456789.125, 5e-324, -2
	};
	char text[32];

	(void)state;
	assert_string_equal(rm_format_double(3, text), "3");
	assert_string_equal(rm_format_double(0.1, text), "0.1");
	assert_string_equal(rm_format_double(-0.0, text), "-0.0");
	assert_string_equal(rm_format_double(NAN, text), "nan");
	for (size_t i = 0; i < RM_COUNT(values); i++) {
		double back = strtod(rm_format_double(values[i], text), NULL);

		assert_memory_equal(&back, &values[i], sizeof(back));
	}
}

static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t valid, count;
	} rows[] = {
		{ "", 0, 0 }, { "plain ascii text", 16, 16 },
		{ "na\xc3\xafve", 6, 5 }, { "\xe2\x82\xac", 3, 1 },
		{ "\xf0\x9f\x99\x82", 4, 1 },
		{ "\xf4\x8f\xbf\xbf", 4, 1 },
		{ "ab\xff", 2, 0 }, { "ab\xc3", 2, 0 },
		{ "\xc0\x80", 0, 0 }, { "\xe0\x80\x80", 0, 0 },
		{ "\xed\xa0\x80", 0, 0 }, { "\xf4\x90\x80\x80", 0, 0 },
		{ "\xf0\x80\x80\x80", 0, 0 }, { "12345678\x80", 8, 0 },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		size_t n = strlen(rows[i].text);

		assert_int_equal(rm_utf8_valid(rows[i].text, n),
				 rows[i].valid);
		if (rows[i].valid == n)
			assert_int_equal(rm_utf8_count(rows[i].text, n),
					 rows[i].count);
	}
}

#define BAD "\xef\xbf\xbd"

static void test_utf8_repair(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "plain \xc3\xa9", "plain \xc3\xa9" },
		{ "a\xff" "b", "a" BAD "b" },
		{ "\xe2\x82", BAD },			/* cut */
		{ "\xe2\x82(", BAD "(" },
		{ "\xf0\x9f\x98\xe2\x82\xac", BAD "\xe2\x82\xac" },
		{ "\xed\xa0\x80", BAD BAD BAD },	/* surrogate */
		{ "\xc0\xaf", BAD BAD },		/* overlong */
		{ "\xf4\x90\x80\x80", BAD BAD BAD BAD },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		struct rm_buf b = {0};

		rm_buf_append_utf8(&b, rows[i].in, strlen(rows[i].in));
		assert_string_equal(rm_buf_text(&b), rows[i].out);
		rm_buf_fini(&b);
	}
}

static void test_random(void **state)
{
	enum { N = 20000 };
	double sum = 0, squares = 0, uniform = 0;

	(void)state;
	/* Fixed for ever: a changed stream changes every model. */
	assert_true(rm_random(1, RM_RANDOM_TEST, 2, 3) ==
		    rm_random(1, RM_RANDOM_TEST, 2, 3));
	assert_true(rm_random(1, RM_RANDOM_TEST, 2, 3) !=
		    rm_random(1, RM_RANDOM_TEST, 3, 2));
	assert_true(rm_random(1, RM_RANDOM_TEST, 2, 3) !=
		    rm_random(1, RM_RANDOM_SPLIT, 2, 3));
	for (uint64_t i = 0; i < N; i++) {
		double z = rm_random_normal(7, RM_RANDOM_TEST, 0, i);
		double u = rm_random_uniform(7, RM_RANDOM_TEST, 1, i);

		assert_true(u >= 0 && u < 1);
		uniform += u;
		sum += z;
		squares += z * z;
	}
	/* Five standard errors each. */
	assert_true(fabs(uniform / N - 0.5) < 5 * 0.2887 / sqrt(N));
	assert_true(fabs(sum / N) < 5 / sqrt(N));
	assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
}

static void test_shuffle_is_a_permutation(void **state)
{
	enum { N = 1000 };
	size_t order[N], seen[N] = {0}, moved = 0;

	(void)state;
	for (size_t i = 0; i < N; i++)
		order[i] = i;
	rm_shuffle(order, N, 1, RM_RANDOM_TEST, 0);
	for (size_t i = 0; i < N; i++) {
		seen[order[i]]++;
		moved += order[i] != i;
	}
	for (size_t i = 0; i < N; i++)
		assert_int_equal(seen[i], 1);
	assert_true(moved > N - 20);
}

static void test_files(void **state)
{
	struct rm_files a = {0}, b;

	(void)state;
	assert_int_equal(rm_files_add(&a, "x", "1\0002", 3), 0);
	assert_int_equal(rm_files_add(&a, "y", "", 0), 0);
	assert_int_equal(rm_files_copy(&b, &a), 0);
	assert_int_equal(rm_files_find(&b, "x")->len, 3);
	assert_memory_equal(rm_files_find(&b, "x")->data, "1\0002", 3);
	assert_null(rm_files_find(&b, "z"));
	rm_files_fini(&a);
	rm_files_fini(&b);
}

static void test_hashes_are_xxh3(void **state)
{
	(void)state;
	/* Of the empty string, as xxhsum -H3 and -H2 print them. */
	assert_true(rm_hash64("", 0) == 0x2d06800538d394c2u);
	assert_string_equal(rm_fingerprint("", 0).hex,
			    "99aa06d3014798d86001c324468d497f");
	assert_true(rm_hash128("", 0).high == 0x99aa06d3014798d8u);
	assert_true(rm_hash128("", 0).low == 0x6001c324468d497fu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_errors_are_cut_not_overrun),
		cmocka_unit_test(test_products_are_checked),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_arena_is_aligned_and_reused),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format_double),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_repair),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_shuffle_is_a_permutation),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_hashes_are_xxh3),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
