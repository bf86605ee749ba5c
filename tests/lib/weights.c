/* weights: single files and shards, every dtype, and sets that do not fit. */
#include "test.h"

#include "io.h"
#include "weights.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/rm-test-weights.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int clear(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s/*", dir);
	return system(command);
}

static int tear_down(void **state)
{
	return clear(state) == 0 ? rmdir(dir) : -1;
}

static char *in_dir(const char *name)
{
	static char text[4][300];
	static unsigned turn;
	char *p = text[turn++ % 4];

	snprintf(p, 300, "%s/%s", dir, name);
	return p;
}

/* A tensor of n numbers. */
static struct rm_safetensor tensor(const char *name, enum rm_dtype dtype,
				   const void *data, size_t n)
{
	return (struct rm_safetensor){
		.name = name, .dtype = dtype, .rank = 1, .shape = { n },
		.data = data, .size = n * rm_dtype_size(dtype)
	};
}

static void put_tensors(const char *name, const struct rm_safetensor *t,
			size_t n)
{
	assert_int_equal(rm_safetensors_write(in_dir(name), t, n, NULL, 0),
			 0);
}

static void put_text(const char *name, const char *text)
{
	assert_int_equal(rm_write_file(in_dir(name), text, strlen(text)), 0);
}

static void refused(const char *message)
{
	assert_null(rm_weights_open(dir));
	if (!strstr(rm_error(), message))
		fail_msg("\"%s\" has no \"%s\"", rm_error(), message);
	if (!strstr(rm_error(), dir))
		fail_msg("\"%s\" does not name the directory", rm_error());
}

static struct rm_weights *opened(void)
{
	struct rm_weights *w = rm_weights_open(dir);

	if (!w)
		fail_msg("%s", rm_error());
	return w;
}

/* One tensor of n numbers, read; what rm_weights_read returned. */
static int read_one(enum rm_dtype dtype, const void *data, size_t n,
		    float *out)
{
	struct rm_safetensor t = tensor("x", dtype, data, n);
	struct rm_weights *w;
	int status;

	put_tensors("model.safetensors", &t, 1);
	w = opened();
	status = rm_weights_read(rm_weights_find(w, "x"), out);
	rm_weights_close(w);
	return status;
}

/* A half as IEEE 754 defines it, slowly. */
static double half(unsigned h)
{
	int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
	double x = exponent ? ldexp(1024 + mantissa, exponent - 25) :
			      ldexp(mantissa, -24);

	return h & 0x8000 ? -x : x;
}

/* All halves that are numbers, with both zeros and the subnormal ones. */
static void test_f16(void **state)
{
	static uint16_t in[65536];
	static float out[65536];
	size_t n = 0;

	(void)state;
	for (unsigned h = 0; h < 65536; h++) {
		if ((h & 0x7c00) != 0x7c00)
			in[n++] = (uint16_t)h;
	}
	assert_int_equal(read_one(RM_DTYPE_F16, in, n, out), 0);
	for (size_t i = 0; i < n; i++) {
		assert_true((double)out[i] == half(in[i]));
		assert_int_equal(signbit(out[i]) != 0, in[i] >> 15);
	}
}

static void test_bf16(void **state)
{
	static uint16_t in[65536];
	static float out[65536];
	size_t n = 0;

	(void)state;
	for (unsigned h = 0; h < 65536; h++) {
		if ((h & 0x7f80) != 0x7f80)
			in[n++] = (uint16_t)h;
	}
	assert_int_equal(read_one(RM_DTYPE_BF16, in, n, out), 0);
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &out[i], 4);
		assert_int_equal(bits, (uint32_t)in[i] << 16);
	}
}

static void test_f64(void **state)
{
	const double in[] = { 1.0 / 3, -0.0, 1e-50, 3e38 };
	const double large[] = { 1, 3.5e38 };
	float out[4];

	(void)state;
	assert_int_equal(read_one(RM_DTYPE_F64, in, 4, out), 0);
	for (size_t i = 0; i < 4; i++)
		assert_true(out[i] == (float)in[i]);
	assert_int_equal(read_one(RM_DTYPE_F64, large, 2, out), -1);
}

/* Longer than what is read at once, of a length that no vector divides. */
static void test_f32_long(void **state)
{
	size_t n = 200003;
	float *in = rm_malloc(n, sizeof(*in)), *out = rm_malloc(n,
								sizeof(*out));

	(void)state;
	for (size_t i = 0; i < n; i++)
		in[i] = (float)rm_random_normal(1, RM_RANDOM_TEST, 0, i);
	assert_int_equal(read_one(RM_DTYPE_F32, in, n, out), 0);
	assert_memory_equal(in, out, n * sizeof(*in));
	in[n - 1] = NAN;
	assert_int_equal(read_one(RM_DTYPE_F32, in, n, out), -1);
	free(in);
	free(out);
}

/* Wherever it stands, and by its name. */
static void not_finite(enum rm_dtype dtype, const void *value)
{
	size_t size = rm_dtype_size(dtype);
	unsigned char in[37 * 8];
	float out[37];

	for (size_t at = 0; at < 37; at++) {
		memset(in, 0, sizeof(in));
		memcpy(in + at * size, value, size);
		assert_int_equal(read_one(dtype, in, 37, out), -1);
		assert_non_null(strstr(rm_error(), "model.safetensors: tensor "
				       "x: holds NaN or infinite values"));
	}
}

static void test_not_finite(void **state)
{
	const float f32[] = { NAN, INFINITY, -INFINITY };
	const double f64[] = { (double)NAN, (double)INFINITY };
	const uint16_t f16[] = { 0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xffff };
	const uint16_t bf16[] = { 0x7f80, 0xff80, 0x7f81, 0x7fc0, 0xffff };

	(void)state;
	for (size_t i = 0; i < RM_COUNT(f32); i++)
		not_finite(RM_DTYPE_F32, &f32[i]);
	for (size_t i = 0; i < RM_COUNT(f64); i++)
		not_finite(RM_DTYPE_F64, &f64[i]);
	for (size_t i = 0; i < RM_COUNT(f16); i++)
		not_finite(RM_DTYPE_F16, &f16[i]);
	for (size_t i = 0; i < RM_COUNT(bf16); i++)
		not_finite(RM_DTYPE_BF16, &bf16[i]);
}

static void test_other_dtype(void **state)
{
	const unsigned char in[8] = {0};
	float out[8];

	(void)state;
	assert_int_equal(read_one(RM_DTYPE_I8, in, 8, out), -1);
	assert_non_null(strstr(rm_error(), "tensor x: dtype I8"));
}

/* ---- shards ---- */

static const float numbers[] = { 1, 2, 3, 4, 5 };

/* a and c in the first, b in the second. */
static void put_shards(void)
{
	struct rm_safetensor one[] = {
		tensor("c", RM_DTYPE_F32, numbers, 2),
		tensor("a", RM_DTYPE_F32, numbers + 2, 1),
	};
	struct rm_safetensor two = tensor("b", RM_DTYPE_F32, numbers + 3, 2);

	put_tensors("one.safetensors", one, 2);
	put_tensors("two.safetensors", &two, 1);
}

static void put_index(const char *map)
{
	struct rm_buf b = {0};

	rm_buf_printf(&b, "{\"metadata\":{\"total_size\":20},"
		      "\"weight_map\":%s}", map);
	put_text("model.safetensors.index.json", rm_buf_text(&b));
	rm_buf_fini(&b);
}

static void test_shards(void **state)
{
	struct rm_weights *w;
	float out[2];

	(void)state;
	put_shards();
	put_index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\","
		  "\"c\":\"one.safetensors\"}");
	w = opened();
	assert_int_equal(rm_weights_count(w), 3);
	for (size_t i = 0; i < 3; i++) {
		const char name[] = { (char)('a' + (int)i), '\0' };

		assert_string_equal(rm_weights_at(w, i)->name, name);
		assert_ptr_equal(rm_weights_find(w, name),
				 rm_weights_at(w, i));
	}
	assert_null(rm_weights_find(w, "d"));
	assert_string_equal(rm_weights_name(w),
			    "model.safetensors.index.json");
	assert_int_equal(rm_weights_read(rm_weights_find(w, "b"), out), 0);
	assert_memory_equal(out, numbers + 3, 8);
	assert_int_equal(rm_weights_read(rm_weights_find(w, "a"), out), 0);
	assert_true(out[0] == 3);
	rm_weights_close(w);
}

static void test_index_lies(void **state)
{
	struct rm_safetensor again = tensor("a", RM_DTYPE_F32, numbers, 1);

	(void)state;
	put_shards();
	put_text("model.safetensors.index.json", "[]");
	refused("index.json: weight_map is missing");
	put_text("model.safetensors.index.json", "{\"weight_map\":");
	refused("index.json");
	put_index("{\"a\":1}");
	refused("tensor a: its shard is no string");
	put_index("{\"a\":\"../one.safetensors\"}");
	refused("tensor a: shard \"../one.safetensors\" is outside");
	put_index("{\"a\":\"/etc/passwd\"}");
	refused("outside");
	put_index("{\"a\":\"..\"}");
	refused("outside");
	put_index("{\"a\":\"\"}");
	refused("is no .safetensors file");
	put_index("{\"a\":\"pytorch_model.bin\"}");
	refused("is no .safetensors file");
	put_index("{\"a\":\"three.safetensors\"}");
	refused("three.safetensors: No such file");
	put_index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}");
	refused("tensor c of one.safetensors is not in the index");
	put_index("{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\","
		  "\"c\":\"one.safetensors\"}");
	refused("tensor b is missing from one.safetensors");
	put_index("{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\","
		  "\"c\":\"two.safetensors\"}");
	refused("tensor b stands in two.safetensors, the index says one");
	put_index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\","
		  "\"c\":\"one.safetensors\",\"d\":\"two.safetensors\"}");
	refused("tensor d is missing from two.safetensors");
	put_tensors("two.safetensors", &again, 1);
	put_index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\","
		  "\"c\":\"one.safetensors\"}");
	refused("tensor a stands in two shards");
	put_shards();
	assert_int_equal(truncate(in_dir("two.safetensors"), 70), 0);
	refused("two.safetensors");
}

/* The single file goes before the index, as in Transformers. */
static void test_both(void **state)
{
	struct rm_safetensor t = tensor("x", RM_DTYPE_F32, numbers, 5);
	struct rm_weights *w;

	(void)state;
	put_index("{}");
	put_tensors("model.safetensors", &t, 1);
	w = opened();
	assert_non_null(rm_weights_find(w, "x"));
	assert_string_equal(rm_weights_name(w), "model.safetensors");
	rm_weights_close(w);
}

/* ---- other forms ---- */

static void other(const char *name, const char *way)
{
	put_text(name, "");
	refused(name);
	if (!strstr(rm_error(), way))
		fail_msg("\"%s\" has no \"%s\"", rm_error(), way);
	assert_int_equal(unlink(in_dir(name)), 0);
}

static void test_other_forms(void **state)
{
	(void)state;
	refused("model.safetensors: No such file");
	other("pytorch_model.bin", "save_pretrained(d)");
	other("pytorch_model.bin.index.json", "save_pretrained(d)");
	other("tf_model.h5", "from_tf=True");
	other("flax_model.msgpack", "from_flax=True");
	other("consolidated.00.pth", "convert_llama_weights_to_hf");
	other("adapter_model.safetensors", "merge_and_unload");
	other("mine.gguf", "gguf_file=f");
}

/* ---- files that change ---- */

/* Change the open file through `change`: an error that says so. */
static void changed(void (*change)(const char *path))
{
	struct rm_safetensor t[2];
	struct rm_weights *w;
	float *out = rm_malloc(100000, sizeof(*out));
	float *in = rm_calloc(100000, sizeof(*in));

	t[0] = tensor("a", RM_DTYPE_F32, in, 5);
	t[1] = tensor("b", RM_DTYPE_F32, in, 100000);
	put_tensors("model.safetensors", t, 2);
	w = opened();
	assert_int_equal(rm_weights_read(rm_weights_find(w, "a"), out), 0);
	/* Clocks of files are coarser than this test is fast. */
	usleep(20000);
	change(in_dir("model.safetensors"));
	assert_int_equal(rm_weights_read(rm_weights_find(w, "b"), out), -1);
	assert_non_null(strstr(rm_error(), "model.safetensors: tensor b: "
			       "changed while it was read"));
	rm_weights_close(w);
	free(in);
	free(out);
}

static void cut(const char *path)
{
	assert_int_equal(truncate(path, 5000), 0);
}

static void empty(const char *path)
{
	assert_int_equal(truncate(path, 0), 0);
}

static void lengthen(const char *path)
{
	assert_int_equal(truncate(path, 1000000), 0);
}

static void rewrite(const char *path)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "1", 1, 400000), 1);
	close(fd);
}

static void test_changes(void **state)
{
	(void)state;
	changed(cut);
	changed(empty);
	changed(lengthen);
	changed(rewrite);
}

/* Another file under its name leaves the one that is open as it was. */
static void test_replaced(void **state)
{
	struct rm_safetensor t = tensor("a", RM_DTYPE_F32, numbers, 1);
	struct rm_weights *w;
	float out;

	(void)state;
	put_tensors("model.safetensors", &t, 1);
	w = opened();
	t.data = numbers + 1;
	put_tensors("model.safetensors", &t, 1);
	assert_int_equal(rm_weights_read(rm_weights_find(w, "a"), &out), 0);
	assert_true(out == 1);
	rm_weights_close(w);
	w = opened();
	assert_int_equal(rm_weights_read(rm_weights_find(w, "a"), &out), 0);
	assert_true(out == 2);
	rm_weights_close(w);
}

/* What is no plain file neither waits nor is read. */
static void test_no_plain_file(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in_dir("model.safetensors"), 0600), 0);
	refused("not a plain file");
	assert_int_equal(unlink(in_dir("model.safetensors")), 0);
	assert_int_equal(mkdir(in_dir("model.safetensors"), 0700), 0);
	refused("not a plain file");
}

#define TEST(f) cmocka_unit_test_teardown(f, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_f16),
		TEST(test_bf16),
		TEST(test_f64),
		TEST(test_f32_long),
		TEST(test_not_finite),
		TEST(test_other_dtype),
		TEST(test_shards),
		TEST(test_index_lies),
		TEST(test_both),
		TEST(test_other_forms),
		TEST(test_changes),
		TEST(test_replaced),
		TEST(test_no_plain_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
