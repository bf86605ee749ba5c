/* safetensors: bytes by hand, round trips, and files that lie. */
#include "test.h"

#include "safetensors.h"
#include "io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/rm-safetensors-%d",
		 (int)getpid());
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* A file of this JSON and n bytes of data. */
static void put(const char *json, size_t n)
{
	struct rm_buf b = {0};
	uint64_t len = strlen(json);

	rm_buf_append(&b, &len, 8);
	rm_buf_puts(&b, json);
	for (size_t i = 0; i < n; i++)
		rm_buf_putc(&b, (int)i);
	assert_int_equal(rm_write_file(path, b.data, b.len), 0);
	rm_buf_fini(&b);
}

static void refused(const char *json, size_t n, const char *message)
{
	put(json, n);
	assert_null(rm_safetensors_open(path));
	if (!strstr(rm_error(), message))
		fail_msg("\"%s\" has no \"%s\"", rm_error(), message);
	if (!strstr(rm_error(), path))
		fail_msg("\"%s\" does not name the file", rm_error());
}

static void test_by_hand(void **state)
{
	struct rm_safetensors *st;
	const struct rm_safetensor *t;
	unsigned char bytes[3];
	struct rm_buf b = {0};

	(void)state;
	put("{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},"
	    "\"__metadata__\":{\"note\":\"hi\"},"
	    "\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],"
	    "\"data_offsets\":[0,8]}}", 11);
	st = rm_safetensors_open(path);
	assert_non_null(st);
	assert_int_equal(rm_safetensors_count(st), 2);
	t = rm_safetensors_at(st, 0);
	assert_string_equal(t->name, "a");
	assert_int_equal(t->dtype, RM_DTYPE_F32);
	assert_int_equal(rm_safetensor_count(t), 2);
	rm_safetensor_print_shape(&b, t);
	assert_string_equal(rm_buf_text(&b), "[1, 2]");
	t = rm_safetensors_find(st, "b");
	assert_int_equal(t->size, 3);
	assert_int_equal(rm_safetensor_read(t, 0, 3, bytes), 0);
	assert_memory_equal(bytes, "\10\11\12", 3);
	assert_int_equal(rm_safetensor_read(t, 1, 1, bytes), 0);
	assert_int_equal(bytes[0], 9);
	assert_null(rm_safetensors_find(st, "c"));
	assert_string_equal(rm_safetensors_note(st, "note"), "hi");
	assert_null(rm_safetensors_note(st, "other"));
	rm_buf_fini(&b);
	rm_safetensors_close(st);
}

static void test_round_trip(void **state)
{
	float x[6] = { 1, -2, 3.5f, 0, 1e-30f, 7 };
	unsigned char none[1] = {0};
	struct rm_safetensor t[] = {
		{ .name = "w \"x\"", .dtype = RM_DTYPE_F32, .rank = 2,
		  .shape = { 2, 3 }, .data = x, .size = sizeof(x) },
		{ .name = "empty", .dtype = RM_DTYPE_BF16, .rank = 1,
		  .shape = { 0 }, .data = none, .size = 0 },
		{ .name = "scalar", .dtype = RM_DTYPE_F32, .rank = 0,
		  .data = &x[2], .size = 4 },
	};
	struct rm_safetensors_note note = { "state", "{\"a\": 1}" };
	struct rm_safetensors *st;
	struct rm_buf b = {0};
	float data[6];

	(void)state;
	assert_int_equal(rm_safetensors_write(path, t, 3, &note, 1), 0);
	st = rm_safetensors_open(path);
	assert_non_null(st);
	assert_int_equal(rm_safetensors_count(st), 3);
	for (size_t i = 0; i < 3; i++) {
		const struct rm_safetensor *got =
			rm_safetensors_find(st, t[i].name);

		assert_non_null(got);
		assert_int_equal(got->rank, t[i].rank);
		assert_int_equal(got->size, t[i].size);
		assert_int_equal(rm_safetensor_read(got, 0, got->size, data),
				 0);
		assert_memory_equal(data, t[i].data, t[i].size);
	}
	/* Data begins at a multiple of 64, for those who map it. */
	assert_int_equal(rm_read_file(path, 1 << 20, &b), 0);
	assert_int_equal((b.len - sizeof(x) - 4) % 64, 0);
	rm_buf_fini(&b);
	assert_string_equal(rm_safetensors_note(st, "state"), note.text);
	rm_safetensors_close(st);
}

static void test_fingerprints_differ(void **state)
{
	float x[4] = { 1, 2, 3, 4 }, y[4] = { 1, 2, 3, 5 };
	struct rm_safetensor a = { .name = "a", .rank = 1, .shape = { 4 },
				   .data = x, .size = 16 }, b = a;

	(void)state;
	b.data = y;
	assert_string_not_equal(rm_safetensor_fingerprint(&a).hex,
				rm_safetensor_fingerprint(&b).hex);
	b = a;
	b.rank = 2;
	b.shape[0] = b.shape[1] = 2;
	assert_string_not_equal(rm_safetensor_fingerprint(&a).hex,
				rm_safetensor_fingerprint(&b).hex);
}

static void test_lies(void **state)
{
	(void)state;
	refused("[]", 0, "no JSON object");
	refused("{\"a\":", 0, "header");
	refused("{\"a\":1}", 0, "tensor a: the entry is no object");
	refused("{\"a\":{\"dtype\":\"F33\",\"shape\":[1],"
		"\"data_offsets\":[0,4]}}", 4, "unknown dtype F33");
	refused("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4,
		"shape is missing");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],"
		"\"data_offsets\":[0,4]}}", 4, "no size");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
		"\"data_offsets\":[0]}}", 4, "no array of two");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
		"\"data_offsets\":[0,8]}}", 4, "outside the 4 bytes");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
		"\"data_offsets\":[4,0]}}", 4, "outside");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],"
		"\"data_offsets\":[0,4]}}", 4, "[3] of F32 needs 12 bytes");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
		"\"data_offsets\":[0,4]}}", 4, "too large");
	refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],"
		"\"data_offsets\":[0,1]}}", 1, "9 dimensions");
}

static void test_holes_and_overlaps(void **state)
{
	(void)state;
	refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],"
		"\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\","
		"\"shape\":[4],\"data_offsets\":[2,6]}}", 6,
		"tensor b overlaps tensor a");
	refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],"
		"\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\","
		"\"shape\":[2],\"data_offsets\":[4,6]}}", 6,
		"unclaimed bytes before tensor b");
	refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],"
		"\"data_offsets\":[0,2]}}", 6,
		"4 unclaimed bytes after the last tensor");
	refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],"
		"\"data_offsets\":[0,2]},\"a\":{\"dtype\":\"U8\","
		"\"shape\":[2],\"data_offsets\":[0,2]}}", 2, "header");
}

/* Cut at every byte: always an error, never a read beyond the end. */
static void test_cut_everywhere(void **state)
{
	float x[4] = { 1, 2, 3, 4 };
	struct rm_safetensor t = { .name = "a", .rank = 1, .shape = { 4 },
				   .data = x, .size = 16 };
	struct rm_buf b = {0};

	(void)state;
	assert_int_equal(rm_safetensors_write(path, &t, 1, NULL, 0), 0);
	assert_int_equal(rm_read_file(path, 1 << 20, &b), 0);
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(rm_write_file(path, b.data, n), 0);
		assert_null(rm_safetensors_open(path));
		assert_non_null(strstr(rm_error(), path));
	}
	rm_buf_fini(&b);
}

static void test_no_such_file(void **state)
{
	(void)state;
	assert_null(rm_safetensors_open("/nonexistent/x.safetensors"));
	assert_non_null(strstr(rm_error(), "/nonexistent/x.safetensors"));
	assert_null(rm_safetensors_open("/tmp"));
	assert_non_null(strstr(rm_error(), "not a plain file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_fingerprints_differ),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_holes_and_overlaps),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_no_such_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
