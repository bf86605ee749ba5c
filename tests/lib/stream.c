#include "test.h"

#include "stream.h"
#include "stream/crc.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

static char dir[] = "/tmp/rm-test-stream.XXXXXX";

/* One of eight file names in turn, inside dir. */
static char *path(const char *name)
{
	static char text[8][256];
	static unsigned turn;
	char *p = text[turn++ % 8];

	snprintf(p, 256, "%s/%s", dir, name);
	return p;
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void init_header(struct rm_header *h, const char *tokenizer)
{
	char *const argv[] = { "rm-thing", "-x", "caf\xe9" };

	assert_int_equal(rm_header_init(h), 0);
	h->pairs = true;
	rm_schema_add(&h->schema, "id");
	rm_schema_add(&h->schema, "reward");
	rm_schema_add(&h->schema, "extra");
	rm_schema_add_per_response(&h->schema, "model");
	if (tokenizer) {
		rm_files_add(&h->tokenizer, "tokenizer.json", tokenizer,
			     strlen(tokenizer));
		rm_files_add(&h->tokenizer, "tokenizer_config.json", "{}", 2);
		h->tokenizer_fp = rm_fingerprint(tokenizer,
						 strlen(tokenizer));
		rm_header_set_policy(h, json_pack("{s:i}", "max_length", 9));
	}
	assert_int_equal(rm_header_add_history(h, "rm-thing", 3, argv, 42), 0);
}

static void put_record(struct rm_buf *b, size_t i)
{
	double r[2] = { (double)i, -1.5 };
	char id[32];

	rm_buf_clear(b);
	rm_put_array(b, 3);
	snprintf(id, sizeof(id), "row:%zu", i);
	rm_put_str(b, id, strlen(id));
	rm_put_f64s(b, r, 2);
	rm_put_nil(b);
}

/* A stream of n records under `name`. */
static void write_stream(const char *name, const char *tokenizer, size_t n)
{
	struct rm_output *out = rm_output_open(name);
	struct rm_header h;
	struct rm_writer *w;
	struct rm_buf b = {0};

	init_header(&h, tokenizer);
	w = rm_writer_open(out, &h);
	assert_non_null(w);
	for (size_t i = 0; i < n; i++) {
		put_record(&b, i);
		assert_int_equal(rm_writer_write(w, &b), 0);
	}
	assert_int_equal(rm_writer_records(w), n);
	assert_int_equal(rm_writer_finish(w), 0);
	assert_int_equal(rm_output_commit(out), 0);
	rm_writer_free(w);
	rm_header_fini(&h);
	rm_buf_fini(&b);
}

/* The bytes as they are (rm_write_file would sync each to disk). */
static void spill(const char *name, const void *data, size_t n)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Read it all: how many records, or -1. */
static long count(char *const *paths, size_t n)
{
	struct rm_reader *r = rm_reader_open(paths, n, NULL);
	const struct rm_record *rec;
	long records = 0;
	int got;

	if (!r)
		return -1;
	while ((got = rm_reader_next(r, &rec)) > 0)
		records++;
	if (got < 0)	/* it stays so */
		assert_int_equal(rm_reader_next(r, &rec), -1);
	rm_reader_close(r);
	return got < 0 ? -1 : records;
}

static long count_one(char *name)
{
	return count(&name, 1);
}

static void slurp(const char *name, struct rm_buf *b)
{
	rm_buf_clear(b);
	assert_int_equal(rm_read_file(name, 1 << 20, b), 0);
}

static void assert_error(const char *part)
{
	if (!strstr(rm_error(), part))
		fail_msg("\"%s\" lacks \"%s\"", rm_error(), part);
}

/* ---- CRC ---- */

static void test_crc(void **state)
{
	unsigned char data[700];
	struct rm_crc_chain chain = {0};
	unsigned long expected = 0;

	(void)state;
	assert_int_equal(rm_crc32("123456789", 9), 0xcbf43926);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)rm_random(1, RM_RANDOM_TEST, 0, i);
	for (size_t at = 0; at < 17; at++)
		for (size_t n = 0; n < sizeof(data) - at; n++)
			assert_int_equal(rm_crc32(data + at, n),
					 crc32_z(0, data + at, n));
	for (size_t i = 0; i < 3000; i++) {
		rm_crc_chain_add(&chain, data + i % 600);
		expected = crc32_z(expected, data + i % 600, 4);
	}
	assert_int_equal(rm_crc_chain_end(&chain), expected);
}

/* ---- round trip ---- */

static void test_round_trip(void **state)
{
	char *name = path("trip");
	struct rm_reader *r;
	const struct rm_header *h;
	const struct rm_record *rec;
	struct rm_header same;
	json_t *entry;

	(void)state;
	write_stream(name, "{\"model\":{}}", 3);
	r = rm_reader_open(&name, 1, NULL);
	assert_non_null(r);
	h = rm_reader_header(r);
	init_header(&same, "{\"model\":{}}");
	assert_true(h->pairs);
	assert_true(rm_schema_equal(&h->schema, &same.schema));
	assert_int_equal(h->tokenizer.n, 2);
	assert_string_equal(h->tokenizer.file[0].name, "tokenizer.json");
	assert_int_equal(h->tokenizer.file[0].len, 12);
	assert_memory_equal(h->tokenizer.file[0].data, "{\"model\":{}}", 12);
	assert_string_equal(h->tokenizer_fp.hex, same.tokenizer_fp.hex);
	assert_string_equal(h->policy_fp.hex, same.policy_fp.hex);
	assert_true(json_equal(h->policy, same.policy));
	assert_true(json_equal(h->history, same.history));
	entry = json_array_get(h->history, 0);
	assert_string_equal(json_string_value(json_array_get(
		json_object_get(entry, "argv"), 1)), "caf\xef\xbf\xbd");
	assert_int_equal(json_integer_value(json_object_get(entry, "seed")),
			 42);
	for (size_t i = 1; i <= 3; i++) {
		assert_int_equal(rm_reader_next(r, &rec), 1);
		assert_int_equal(rm_reader_number(r), i);
		assert_true(rm_record_f64_at(rec, 1, 0) == (double)(i - 1));
	}
	rm_fail("odd");
	rm_reader_wrap(r);
	assert_error("trip: record 3: odd");
	assert_int_equal(rm_reader_next(r, &rec), 0);
	assert_null(rec);
	rm_header_fini(&same);
	rm_reader_close(r);
}

static void test_empty_stream(void **state)
{
	char *name = path("none");

	(void)state;
	write_stream(name, NULL, 0);
	assert_int_equal(count_one(name), 0);
}

/* A stage that changes nothing writes the bytes that it read. */
static void test_copy(void **state)
{
	char *name = path("from"), *copied = path("to");
	struct rm_output *out = rm_output_open(copied);
	struct rm_buf a = {0}, b = {0};
	const struct rm_record *rec;
	struct rm_reader *r;
	struct rm_writer *w;
	struct rm_header h;

	(void)state;
	write_stream(name, "{\"some\": \"tokenizer\"}", 50);
	r = rm_reader_open(&name, 1, NULL);
	assert_int_equal(rm_header_copy(&h, rm_reader_header(r)), 0);
	w = rm_writer_open(out, &h);
	while (rm_reader_next(r, &rec) > 0)
		assert_int_equal(rm_writer_copy(w, r), 0);
	assert_int_equal(rm_writer_finish(w), 0);
	assert_int_equal(rm_output_commit(out), 0);
	slurp(name, &a);
	slurp(copied, &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	rm_writer_free(w);
	rm_reader_close(r);
	rm_header_fini(&h);
	rm_buf_fini(&a);
	rm_buf_fini(&b);
}

/* Records larger than the buffer, and many small ones across its end. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 65530, 262144, 3000000, 7 };
	char *name = path("sizes");
	struct rm_output *out = rm_output_open(name);
	const struct rm_record *rec;
	struct rm_buf b = {0};
	struct rm_reader *r;
	struct rm_writer *w;
	struct rm_header h;
	char *text = calloc(1, 3000000);

	(void)state;
	rm_header_init(&h);
	rm_schema_add(&h.schema, "prompt_text");
	w = rm_writer_open(out, &h);
	for (size_t i = 0; i < 2000; i++) {
		rm_buf_clear(&b);
		rm_put_array(&b, 1);
		rm_put_str(&b, text, i < 70 ? sizes[i % 7] : i);
		assert_int_equal(rm_writer_write(w, &b), 0);
	}
	assert_int_equal(rm_writer_finish(w), 0);
	assert_int_equal(rm_output_commit(out), 0);
	r = rm_reader_open(&name, 1, NULL);
	for (size_t i = 0; i < 2000; i++) {
		assert_int_equal(rm_reader_next(r, &rec), 1);
		assert_int_equal(rm_record_bytes(rec, 0).len,
				 i < 70 ? sizes[i % 7] : i);
	}
	assert_int_equal(rm_reader_next(r, &rec), 0);
	free(text);
	rm_reader_close(r);
	rm_writer_free(w);
	rm_header_fini(&h);
	rm_buf_fini(&b);
}

/* A record is handed out as soon as its frame is there. */
static void test_pipe(void **state)
{
	char *name = path("whole"), fd_path[32];
	struct rm_buf b = {0};
	const struct rm_record *rec;
	char *fd_name = fd_path;
	struct rm_reader *r;
	size_t trailer;
	int fd[2];

	(void)state;
	write_stream(name, NULL, 2);
	slurp(name, &b);
	assert_int_equal(pipe(fd), 0);
	snprintf(fd_path, sizeof(fd_path), "/dev/fd/%d", fd[0]);
	for (trailer = b.len - 10; b.data[trailer] != 0x83; trailer--)
		;
	trailer -= 5;
	assert_int_equal(write(fd[1], b.data, trailer), (ssize_t)trailer);
	r = rm_reader_open(&fd_name, 1, NULL);
	assert_non_null(r);
	assert_int_equal(rm_reader_next(r, &rec), 1);
	assert_int_equal(rm_reader_next(r, &rec), 1);
	assert_int_equal(write(fd[1], b.data + trailer, b.len - trailer),
			 (ssize_t)(b.len - trailer));
	close(fd[1]);
	assert_int_equal(rm_reader_next(r, &rec), 0);
	rm_reader_close(r);
	close(fd[0]);
	rm_buf_fini(&b);
}

struct late {
	struct rm_buf bytes;
	int fd, calls;
};

/* The producer goes on only once the reader waits. */
static int bring_rest(void *arg)
{
	struct late *late = arg;
	unsigned char *last = late->bytes.data + late->bytes.len - 1;

	late->calls++;
	assert_int_equal(write(late->fd, last, 1), 1);
	close(late->fd);
	return 0;
}

static void test_pause(void **state)
{
	char *name = path("whole"), fd_path[32];
	struct late late = {0};
	const struct rm_record *rec;
	char *fd_name = fd_path;
	struct rm_reader *r;
	size_t n;
	int fd[2];

	(void)state;
	write_stream(name, NULL, 1);
	slurp(name, &late.bytes);
	n = late.bytes.len - 1;
	assert_int_equal(pipe(fd), 0);
	late.fd = fd[1];
	snprintf(fd_path, sizeof(fd_path), "/dev/fd/%d", fd[0]);
	assert_int_equal(write(fd[1], late.bytes.data, n), (ssize_t)n);
	r = rm_reader_open(&fd_name, 1, NULL);
	rm_reader_on_pause(r, bring_rest, &late);
	assert_int_equal(rm_reader_next(r, &rec), 1);
	assert_int_equal(late.calls, 0);
	assert_int_equal(rm_reader_next(r, &rec), 0);
	assert_int_equal(late.calls, 1);
	rm_reader_close(r);
	close(fd[0]);
	rm_buf_fini(&late.bytes);
}

/* ---- several streams ---- */

static void test_several(void **state)
{
	char *three[] = { path("one"), path("two"), path("one") };
	char *mixed[] = { path("one"), path("other") };
	const struct rm_reader_options force = { .force = true };
	struct rm_reader *r;

	(void)state;
	write_stream(three[0], "{\"a\":1}", 2);
	write_stream(three[1], "{\"a\":1}", 3);
	write_stream(mixed[1], "{\"b\":1}", 3);
	assert_int_equal(count(three, 3), 7);
	assert_int_equal(count(mixed, 2), -1);
	assert_error("--force");
	assert_error("tokenizer");
	r = rm_reader_open(mixed, 2, &force);
	for (size_t i = 0; i < 5; i++) {
		const struct rm_record *rec;

		assert_int_equal(rm_reader_next(r, &rec), 1);
		if (i == 4)
			assert_int_equal(rm_reader_number(r), 3);
	}
	assert_non_null(strstr(rm_reader_name(r), "other"));
	rm_reader_close(r);
}

static void test_match(void **state)
{
	struct rm_header a, b, c;

	(void)state;
	init_header(&a, "{\"a\":1}");
	init_header(&b, "{\"b\":1}");
	init_header(&c, NULL);
	assert_int_equal(rm_header_match(&a, "A", &a, "A", false), 0);
	assert_int_equal(rm_header_match(&a, "A", &c, "C", false), 0);
	assert_int_equal(rm_header_match(&a, "A", &b, "B", true), 0);
	assert_int_equal(rm_header_match(&a, "A", &b, "B", false), -1);
	assert_error(a.tokenizer_fp.hex);
	b.tokenizer_fp = a.tokenizer_fp;
	rm_header_set_policy(&b, json_pack("{s:i}", "max_length", 10));
	assert_int_equal(rm_header_match(&a, "A", &b, "B", false), -1);
	assert_error("policy");
	rm_header_fini(&a);
	rm_header_fini(&b);
	rm_header_fini(&c);
}

static void test_different_fields(void **state)
{
	char *two[] = { path("one"), path("fewer") };
	struct rm_output *out = rm_output_open(two[1]);
	struct rm_writer *w;
	struct rm_header h;

	(void)state;
	write_stream(two[0], NULL, 1);
	init_header(&h, NULL);
	rm_schema_drop(&h.schema, 0);
	w = rm_writer_open(out, &h);
	rm_writer_finish(w);
	rm_output_commit(out);
	assert_int_equal(count(two, 2), -1);
	assert_error("different fields");
	rm_writer_free(w);
	rm_header_fini(&h);
}

/* ---- damage ---- */

static void test_cut(void **state)
{
	char *name = path("whole"), *cut = path("cut");
	struct rm_buf b = {0};

	(void)state;
	write_stream(name, "{\"a\":1}", 2);
	slurp(name, &b);
	for (size_t n = 0; n < b.len; n++) {
		spill(cut, b.data, n);
		assert_int_equal(count_one(cut), -1);
		assert_error(cut);
		if (n > 5)
			assert_error(n == b.len - 1 ? "after 2 records" :
				     "cut short after");
	}
	rm_buf_putc(&b, 0);
	spill(cut, b.data, b.len);
	assert_int_equal(count_one(cut), -1);
	assert_error("after the end of the stream");
	rm_buf_fini(&b);
}

/* No flipped bit goes unseen. */
static void test_flipped(void **state)
{
	char *name = path("whole"), *bad = path("bad");
	struct rm_buf b = {0};

	(void)state;
	write_stream(name, "{\"a\":1}", 2);
	slurp(name, &b);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		spill(bad, b.data, b.len);
		assert_int_equal(count_one(bad), -1);
		assert_error(bad);
		b.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	rm_buf_fini(&b);
}

/* Two whole records that changed places, and one that is there twice. */
static void test_moved(void **state)
{
	char *name = path("whole"), *bad = path("bad");
	struct rm_buf b = {0}, swapped = {0};
	size_t header, len;

	(void)state;
	write_stream(name, NULL, 2);
	slurp(name, &b);
	header = 10 + (size_t)b.data[3] * 256 + b.data[4];
	len = 10 + (size_t)b.data[header + 4];
	rm_buf_append(&swapped, b.data, header);
	rm_buf_append(&swapped, b.data + header + len, len);
	rm_buf_append(&swapped, b.data + header, len);
	rm_buf_append(&swapped, b.data + header + 2 * len,
		      b.len - header - 2 * len);
	spill(bad, swapped.data, swapped.len);
	assert_int_equal(count_one(bad), -1);
	assert_error("trailer: crc32");
	rm_buf_clear(&swapped);
	rm_buf_append(&swapped, b.data, header + len);
	rm_buf_append(&swapped, b.data + header, b.len - header);
	spill(bad, swapped.data, swapped.len);
	assert_int_equal(count_one(bad), -1);
	assert_error("trailer: records");
	rm_buf_fini(&b);
	rm_buf_fini(&swapped);
}

static void test_junk(void **state)
{
#define BYTES(s) (s), sizeof(s) - 1
	static const struct {
		const char *text;
		size_t len;
		const char *why;
	} cases[] = {
		{ BYTES(""), "empty" },
		{ BYTES("{\"prompt\": \"x\"}\n"), "looks like JSON" },
		{ BYTES(" [\n"), "looks like JSON" },
		{ BYTES("chosen,rejected\n"), "looks like text" },
		{ BYTES("\x93NUMPY\1\0 and so on and on"),
		  "not an rmtools stream" },
		{ BYTES("\xce\0\0\0\x20 bytes of something else"),
		  "not an rmtools stream" },
		{ BYTES("\xce\xff\xff\xff\xff\x8a\xa6" "format\xa7"
			"rmtools.."),
		  "header: 4294967295 bytes, more than the limit" }
	};
	char *name = path("junk");

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		spill(name, cases[i].text, cases[i].len);
		assert_int_equal(count_one(name), -1);
		assert_error(cases[i].why);
		assert_error(name);
	}
	assert_int_equal(count_one(path("missing")), -1);
	assert_error("No such file");
	assert_int_equal(count_one(dir), -1);
	assert_error("directory");
}

/* A claimed length is not allocated before its bytes are there. */
static void test_claimed_length(void **state)
{
	char *name = path("claims");
	struct rm_buf b = {0};

	(void)state;
	write_stream(name, NULL, 0);
	slurp(name, &b);
	b.data[1] = 0x3f;	/* nearly 1 GiB */
	spill(name, b.data, b.len);
	assert_int_equal(count_one(name), -1);
	assert_error("cut short");
	rm_buf_fini(&b);
}

static void test_max_record(void **state)
{
	const struct rm_reader_options o = { .max_record = 300 };
	char *name = path("large");
	struct rm_output *out = rm_output_open(name);
	const struct rm_record *rec;
	struct rm_buf b = {0};
	struct rm_reader *r;
	struct rm_writer *w;
	struct rm_header h;
	char text[400] = {0};

	(void)state;
	rm_header_init(&h);
	rm_schema_add(&h.schema, "id");
	w = rm_writer_open(out, &h);
	for (size_t n = 100; n <= 400; n += 300) {
		rm_buf_clear(&b);
		rm_put_array(&b, 1);
		rm_put_str(&b, text, n);
		rm_writer_write(w, &b);
	}
	rm_writer_finish(w);
	rm_output_commit(out);
	r = rm_reader_open(&name, 1, &o);
	assert_int_equal(rm_reader_next(r, &rec), 1);
	assert_int_equal(rm_reader_next(r, &rec), -1);
	assert_error("record 2: 404 bytes, more than --max-record 300");
	rm_reader_close(r);
	rm_writer_free(w);
	rm_header_fini(&h);
	rm_buf_fini(&b);
}

/* A record of three in a stream of pairs; one with too few fields. */
static void test_bad_records(void **state)
{
	static const double r[3] = { 1, 2, 3 };
	char *name = path("three");
	struct rm_buf b = {0};
	struct rm_header h;

	(void)state;
	for (int fields = 2; fields <= 3; fields++) {
		struct rm_output *out = rm_output_open(name);
		struct rm_writer *w;

		init_header(&h, NULL);
		w = rm_writer_open(out, &h);
		rm_buf_clear(&b);
		rm_put_array(&b, (size_t)fields);
		rm_put_nil(&b);
		rm_put_f64s(&b, r, 3);
		if (fields == 3)
			rm_put_nil(&b);
		rm_writer_write(w, &b);
		rm_writer_finish(w);
		rm_output_commit(out);
		assert_int_equal(count_one(name), -1);
		assert_error("record 1: ");
		assert_error(fields == 3 ? "3 responses in a stream of pairs" :
			     "an array of 2 values");
		rm_writer_free(w);
		rm_header_fini(&h);
	}
	rm_buf_fini(&b);
}

static void test_failed_payload(void **state)
{
	struct rm_output *out = rm_output_open(path("never"));
	struct rm_buf b = { .failed = true };
	struct rm_writer *w;
	struct rm_header h;

	(void)state;
	init_header(&h, NULL);
	w = rm_writer_open(out, &h);
	assert_int_equal(rm_writer_write(w, &b), -1);
	assert_int_equal(rm_writer_records(w), 0);
	rm_writer_free(w);
	rm_output_abort(out);
	rm_header_fini(&h);
	assert_int_equal(access(path("never"), F_OK), -1);
}

/* ---- headers ---- */

/* Put `to` for `from` (of one length) into the header and mend its CRC. */
static void forge(const char *name, const char *from, const char *to)
{
	size_t n = strlen(from), len;
	struct rm_buf b = {0};
	unsigned char *at;
	uint32_t crc;

	slurp(name, &b);
	at = memmem(b.data, b.len, from, n);
	assert_non_null(at);
	memcpy(at, to, n);
	len = (size_t)b.data[3] * 256 + b.data[4];
	crc = htobe32(rm_crc32(b.data + 5, len));
	memcpy(b.data + 5 + len + 1, &crc, 4);
	spill(name, b.data, b.len);
	rm_buf_fini(&b);
}

static void test_bad_headers(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} cases[] = {
		{ "version\x01", "version\x02", "stream version 2" },
		{ "version\x01", "version\xc0", "version is nil" },
		{ "version\x01", "persion\x01", "no version" },
		{ "pairs", "trios", "neither pairs nor groups" },
		{ "\xa2id", "\xa2\xff\xff", "not plain text" },
		{ "\xa6reward", "\xa6length", "field length: type f64[k]" },
		{ "extra\xa5types", "extra\xa5tips!", "no types" },
		{ "\xa3str\xa6", "\xa3int\xa6", "unknown type" },
		{ "fields\x93", "fields\xc0", "a key is" },
		{ "\xa4name\xae", "\xa4mane\xae", "no name" },
		{ "\xa4size\x07", "\xa4size\x06", "tokenizer.json: " },
		{ "\xa4size\x07", "\xa4size\x08", "not the 8" },
		{ "policy\x81", "policy\x91", "" },
		{ "history\x91", "history\x90", "bytes after the map" }
	};
	char *name = path("forged");

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		write_stream(name, "{\"a\":1}", 1);
		forge(name, cases[i].from, cases[i].to);
		assert_int_equal(count_one(name), -1);
		assert_error("header: ");
		assert_error(cases[i].why);
	}
}

static void test_header_text(void **state)
{
	struct rm_buf shown = {0}, whole = {0}, again = {0};
	struct rm_header h, back;
	json_t *object;

	(void)state;
	init_header(&h, "{\"a\":[1,2,3,4,5,6,7,8,9]}");
	assert_int_equal(rm_header_print(&shown, &h), 0);
	assert_int_equal(rm_header_export(&whole, &h), 0);
	assert_null(strstr(rm_buf_text(&shown), "zstd"));
	object = rm_json_parse(whole.data, whole.len);
	assert_int_equal(rm_header_import(&back, object), 0);
	assert_int_equal(rm_header_export(&again, &back), 0);
	assert_string_equal(rm_buf_text(&whole), rm_buf_text(&again));
	json_decref(object);
	/* Shown only, the tokenizer's bytes are missing. */
	object = rm_json_parse(shown.data, shown.len);
	rm_header_fini(&back);
	assert_int_equal(rm_header_import(&back, object), -1);
	assert_error("--header");
	json_decref(object);
	rm_header_fini(&h);
	rm_buf_fini(&shown);
	rm_buf_fini(&whole);
	rm_buf_fini(&again);
}

static void test_header_text_refused(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} cases[] = {
		{ "\"zstd\":\"", "\"zstd\":\"!!!!", "not base64" },
		{ "\"zstd\":\"", "\"zstd\":\"A", "base64 of" },
		{ "\"zstd\":\"", "\"zstd\":\"AAAA", "tokenizer.json: " },
		{ "\"size\":7", "\"size\":9000000000000", "larger than 256" },
		{ "\"size\":7", "\"size\":-7", "size is a number" },
		{ "\"fingerprint\":\"", "\"fingerprint\":\"x", "32 hex" },
		{ "\"version\":1", "\"version\":9", "stream version 9" },
		{ "tokenizer.json", "../tokenizer", "plain file name" },
		{ "tokenizer.json", "/etc/passwd", "plain file name" },
		{ "tokenizer.json", "..", "plain file name" },
		{ "tokenizer.json", "", "plain file name" },
		{ "tokenizer.json", "tokenizer_config.json", "twice" }
	};
	struct rm_header h;

	(void)state;
	init_header(&h, "{\"a\":1}");
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		struct rm_buf text = {0}, forged = {0};
		const char *at;
		json_t *object;

		rm_header_export(&text, &h);
		at = strstr(rm_buf_text(&text), cases[i].from);
		assert_non_null(at);
		rm_buf_append(&forged, text.data,
			      (size_t)(at - (char *)text.data));
		rm_buf_puts(&forged, cases[i].to);
		rm_buf_puts(&forged, at + strlen(cases[i].from));
		object = rm_json_parse(forged.data, forged.len);
		assert_non_null(object);
		if (rm_header_import(&(struct rm_header){0}, object) == 0)
			fail_msg("%s was taken", cases[i].to);
		assert_error(cases[i].why);
		json_decref(object);
		rm_buf_fini(&text);
		rm_buf_fini(&forged);
	}
	rm_header_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty_stream),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_different_fields),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_claimed_length),
		cmocka_unit_test(test_max_record),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_failed_payload),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_header_text),
		cmocka_unit_test(test_header_text_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
