#include "tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_bytes(void **state)
{
	static const char text[] = "h\xc3\xa9 \0!";
	static const int32_t expected[] = { 'h', 0xc3, 0xa9, ' ', 0, '!' };
	struct rm_tokenizer *t = rm_tokenizer_bytes();
	struct rm_encoding e = {0};
	struct rm_buf back = {0};

	(void)state;
	assert_non_null(t);
	assert_int_equal(rm_tokenizer_size(t), 256);
	assert_int_equal(rm_tokenizer_encode(t, &e, text, sizeof(text) - 1),
			 0);
	assert_int_equal(e.n, 6);
	assert_memory_equal(e.ids, expected, sizeof(expected));
	for (size_t i = 0; i < e.n; i++)
		assert_int_equal(e.ends[i], i + 1);
	assert_int_equal(rm_tokenizer_decode(t, e.ids, e.n, &back), 0);
	assert_int_equal(back.len, sizeof(text) - 1);
	assert_memory_equal(back.data, text, back.len);
	assert_int_equal(rm_tokenizer_decode(t, &(int32_t){ 256 }, 1, &back),
			 -1);
	rm_buf_fini(&back);
	rm_encoding_fini(&e);
	rm_tokenizer_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
