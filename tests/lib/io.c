#include "test.h"

#include "io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

enum { N = 700000 };

static char dir[] = "/tmp/rm-test-io.XXXXXX";
static unsigned char *plain;

static const char *path(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

static int setup(void **state)
{
	(void)state;
	plain = malloc(N);
	for (size_t i = 0; i < N; i++)
		plain[i] = (unsigned char)(rm_random(1, RM_RANDOM_TEST, 0, i)
					   % 11 + 'a');
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[300];

	(void)state;
	free(plain);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* The whole input, read in blocks of `block`; its length or -1. */
static ssize_t slurp(const char *file, unsigned char *data, size_t block)
{
	struct rm_input *in = rm_input_open(file);
	size_t have = 0;
	ssize_t got;

	assert_non_null(in);
	while ((got = rm_input_read(in, data + have,
				    RM_MIN(block, 2 * N + 100 - have))) > 0)
		have += (size_t)got;
	rm_input_close(in);
	return got < 0 ? -1 : (ssize_t)have;
}

static size_t make_gzip(unsigned char *out, size_t cap)
{
	z_stream z = {0};

	deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	z.next_in = plain;
	z.avail_in = N;
	z.next_out = out;
	z.avail_out = (uInt)cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

/* Two members one after another, cut at `len` bytes. */
static void check_packed(const unsigned char *member, size_t len)
{
	unsigned char *twice = malloc(2 * len);
	unsigned char *data = malloc(2 * N + 100);

	memcpy(twice, member, len);
	memcpy(twice + len, member, len);
	assert_int_equal(rm_write_file(path("two"), twice, 2 * len), 0);
	assert_int_equal(slurp(path("two"), data, 65536), 2 * N);
	assert_memory_equal(data, plain, N);
	assert_memory_equal(data + N, plain, N);
	assert_int_equal(slurp(path("two"), data, 999), 2 * N);
	for (size_t cut = 1; cut < 20; cut += 3) {
		assert_int_equal(rm_write_file(path("cut"), twice,
					       2 * len - cut), 0);
		assert_int_equal(slurp(path("cut"), data, 65536), -1);
		assert_non_null(strstr(rm_error(), "cut short"));
	}
	twice[len / 2] ^= 0x10;
	assert_int_equal(rm_write_file(path("flip"), twice, 2 * len), 0);
	/* zstd without a checksum may not notice; it must not crash. */
	slurp(path("flip"), data, 65536);
	free(twice);
	free(data);
}

static void test_gzip(void **state)
{
	unsigned char *packed = malloc(N);

	(void)state;
	check_packed(packed, make_gzip(packed, N));
	free(packed);
}

static void test_zstd(void **state)
{
	unsigned char *packed = malloc(2 * N);

	(void)state;
	check_packed(packed, ZSTD_compress(packed, 2 * N, plain, N, 3));
	free(packed);
}

static void test_peek_takes_nothing(void **state)
{
	unsigned char *data = malloc(N);
	const unsigned char *look;
	struct rm_input *in;

	(void)state;
	assert_int_equal(rm_write_file(path("plain"), plain, N), 0);
	in = rm_input_open(path("plain"));
	assert_true(rm_input_is_file(in));
	assert_true(rm_input_peek(in, &look, 100) >= 100);
	assert_memory_equal(look, plain, 100);
	assert_int_equal(rm_input_read_full(in, data, 1000), 1000);
	assert_true(rm_input_peek(in, &look, 65536) >= 65536);
	assert_memory_equal(look, plain + 1000, 65536);
	assert_int_equal(rm_input_read_full(in, data + 1000, N), N - 1000);
	assert_memory_equal(data, plain, N);
	assert_int_equal(rm_input_peek(in, &look, 10), 0);
	rm_input_close(in);
	free(data);
}

static void test_missing_and_directory(void **state)
{
	(void)state;
	assert_null(rm_input_open(path("none")));
	assert_non_null(strstr(rm_error(), "none: No such file"));
	assert_null(rm_input_open(dir));
	assert_non_null(strstr(rm_error(), "is a directory"));
	assert_null(rm_output_open("/nonexistent/x"));
}

static void test_old_file_survives_abort(void **state)
{
	struct rm_buf text = {0};
	struct rm_output *out;

	(void)state;
	assert_int_equal(rm_write_file(path("kept"), "old", 3), 0);
	out = rm_output_open(path("kept"));
	assert_int_equal(rm_output_puts(out, "new"), 0);
	rm_output_abort(out);
	assert_int_equal(rm_read_file(path("kept"), 100, &text), 0);
	assert_string_equal((char *)text.data, "old");
	out = rm_output_open(path("kept"));
	assert_int_equal(rm_output_printf(out, "%s%d", "new", 1), 0);
	assert_int_equal(rm_output_commit(out), 0);
	rm_buf_clear(&text);
	assert_int_equal(rm_read_file(path("kept"), 100, &text), 0);
	assert_string_equal((char *)text.data, "new1");
	assert_int_equal(rm_read_file(path("kept"), 3, &text), -1);
	rm_buf_fini(&text);
}

static void test_full_disk(void **state)
{
	struct rm_output *out = rm_output_open("/dev/full");

	(void)state;
	assert_non_null(out);
	assert_int_equal(rm_output_puts(out, "x"), 0);
	assert_int_equal(rm_output_commit(out), -1);
	assert_non_null(strstr(rm_error(), "No space left"));
	assert_int_equal(rm_write_file("/dev/full", plain, N), -1);
}

/* A killed program leaves nothing: until commit the file has no name. */
static void test_nothing_beside_the_target(void **state)
{
	struct rm_output *out = rm_output_open(path("alone"));
	char command[300];

	(void)state;
	assert_non_null(out);
	assert_int_equal(rm_output_write(out, plain, N), 0);
	assert_int_equal(rm_output_flush(out), 0);
	snprintf(command, sizeof(command), "ls %s | grep -q alone", dir);
	assert_int_not_equal(system(command), 0);
	assert_int_equal(rm_output_commit(out), 0);
	snprintf(command, sizeof(command), "ls %s | grep -qx alone", dir);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "ls %s | grep -q alone.", dir);
	assert_int_not_equal(system(command), 0);
	assert_null(rm_output_open(""));
}

static void test_link_stays_a_link(void **state)
{
	struct rm_buf text = {0};
	struct stat st;

	(void)state;
	assert_int_equal(rm_write_file(path("real"), "old", 3), 0);
	assert_int_equal(symlink("real", path("link")), 0);
	assert_int_equal(rm_write_file(path("link"), "new", 3), 0);
	assert_int_equal(lstat(path("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(rm_read_file(path("real"), 100, &text), 0);
	assert_string_equal((char *)text.data, "new");
	rm_buf_fini(&text);
}

static int count_pause(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void test_pause_before_waiting(void **state)
{
	int ends[2], pauses = 0, saved = dup(STDIN_FILENO);
	struct rm_input *in;
	char c;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	dup2(ends[0], STDIN_FILENO);
	assert_int_equal(write(ends[1], "ab", 2), 2);
	in = rm_input_open("-");
	rm_input_on_pause(in, count_pause, &pauses);
	assert_int_equal(rm_input_read(in, &c, 1), 1);
	assert_int_equal(pauses, 0);
	close(ends[1]);
	assert_int_equal(rm_input_read(in, &c, 1), 1);
	assert_int_equal(rm_input_read(in, &c, 1), 0);
	rm_input_close(in);
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(ends[0]);
}

static void test_lines(void **state)
{
	static const char text[] = "one\n\n\0two\nlonger than ten\nlast";
	static const size_t expected[] = { 3, 0, 4, 15, 4 };
	struct rm_buf line = {0};
	struct rm_input *in;

	(void)state;
	assert_int_equal(rm_write_file(path("lines"), text, sizeof(text) - 1),
			 0);
	in = rm_input_open(path("lines"));
	for (size_t i = 0; i < RM_COUNT(expected); i++) {
		assert_int_equal(rm_input_line(in, &line, 15), 1);
		assert_int_equal(line.len, expected[i]);
	}
	assert_memory_equal(line.data, "last", 4);
	assert_int_equal(rm_input_line(in, &line, 15), 0);
	rm_input_close(in);
	in = rm_input_open(path("lines"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rm_input_line(in, &line, 10), 1);
	assert_int_equal(rm_input_line(in, &line, 10), -1);
	assert_non_null(strstr(rm_error(), "more than 10 bytes"));
	rm_input_close(in);
	rm_buf_fini(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_zstd),
		cmocka_unit_test(test_peek_takes_nothing),
		cmocka_unit_test(test_missing_and_directory),
		cmocka_unit_test(test_old_file_survives_abort),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_nothing_beside_the_target),
		cmocka_unit_test(test_link_stays_a_link),
		cmocka_unit_test(test_pause_before_waiting),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests_name("io", tests, setup, teardown);
}
