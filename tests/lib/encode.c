#include "test.h"

#include "encode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/rm-encode-XXXXXX";
static struct rm_tokenizer *bytes, *learned;

/* ---- one small file as records ---- */

static struct rm_encode *encode;
static struct rm_record rec;

static void open_text(const char *text, const struct rm_tokenizer *t,
		      const struct rm_encode_options *options)
{
	static const struct rm_encode_options none;
	char *paths[] = { path };

	assert_int_equal(rm_write_file(path, text, strlen(text)), 0);
	encode = rm_encode_open(paths, 1, t, options ? options : &none);
	if (!encode)
		print_error("%s\n", rm_error());
	assert_non_null(encode);
}

static int next(void)
{
	const struct rm_buf *payload;
	int got = rm_encode_next(encode, &payload);

	if (got > 0 && rm_record_index(&rec, &rm_encode_header(encode)->schema,
				       payload->data, payload->len) < 0) {
		print_error("%s\n", rm_error());
		fail();
	}
	return got;
}

static void done(void)
{
	assert_int_equal(next(), 0);
	rm_encode_close(encode);
}

static int field(const char *name)
{
	return rm_schema_find(&rm_encode_header(encode)->schema, name);
}

/* The prompt's ids, then those of response i, as int32. */
static size_t input(size_t i, int32_t *ids, size_t max, size_t *n_prompt)
{
	struct rm_slice part[16], prompt;
	size_t n = 0;

	assert_true(rec.k <= 16);
	prompt = rm_record_bytes(&rec, field("prompt"));
	rm_record_elements(&rec, field("responses"), part);
	*n_prompt = prompt.len / 4;
	assert_true(prompt.len / 4 + part[i].len / 4 <= max);
	for (size_t j = 0; j < prompt.len; j += 4)
		ids[n++] = rm_get_i32(prompt.data + j);
	for (size_t j = 0; j < part[i].len; j += 4)
		ids[n++] = rm_get_i32(part[i].data + j);
	return n;
}

/* Input i of the byte tokenizer is this text, its prompt n bytes of it. */
static void reads(size_t i, const char *text, size_t prompt)
{
	int32_t ids[256];
	size_t n_prompt, n = input(i, ids, 256, &n_prompt);
	char got[257];

	for (size_t j = 0; j < n; j++)
		got[j] = (char)ids[j];
	got[n] = '\0';
	assert_string_equal(got, text);
	assert_int_equal(n_prompt, prompt);
}

/* ---- texts ---- */

static void test_strings(void **state)
{
	(void)state;
	open_text("{\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"\"}\n"
		  "{\"prompt\":\"\",\"chosen\":\"\",\"rejected\":\"\"}\n",
		  bytes, NULL);
	assert_int_equal(next(), 1);
	assert_int_equal(rec.k, 2);
	reads(0, "qa", 1);
	reads(1, "q", 1);
	assert_true(rm_record_u64(&rec, field("key")) == rm_hash64("q", 1));
	assert_true(rm_record_f64_at(&rec, field("rank"), 1) == 1);
	assert_int_equal(field("score"), -1);
	assert_int_equal(field("subset"), -1);
	assert_int_equal(field("prompt_text"), -1);
	assert_int_equal(next(), 1);
	reads(0, "", 0);
	assert_int_equal(rm_encode_counts(encode)->empty, 3);
	assert_int_equal(rm_encode_counts(encode)->kept, 2);
	assert_int_equal(rm_encode_counts(encode)->text, 3);
	done();
}

static void test_templates(void **state)
{
	static const char strings[] =
		"{\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"}";
	static const char lists[] =
		"{\"chosen\":[{\"role\":\"user\",\"content\":\"q\"},"
		"{\"role\":\"assistant\",\"content\":\"a\"}],"
		"\"rejected\":[{\"role\":\"user\",\"content\":\"q\"},"
		"{\"role\":\"assistant\",\"content\":\"b\"}]}";
	static const char whole[] =
		"{\"chosen\":\"\\n\\nHuman: q\\n\\nAssistant: a\","
		"\"rejected\":\"\\n\\nHuman: q\\n\\nAssistant: b\"}";
	struct rm_encode_options hh = { .template = "hh" };
	struct rm_encode_options chatml = { .template = "chatml" };
	const char *asked = "<|im_start|>user\nq<|im_end|>\n"
			    "<|im_start|>assistant\na<|im_end|>\n";
	const char *forms[] = { strings, lists, whole };

	(void)state;
	open_text(lists, bytes, NULL);
	assert_int_equal(next(), 1);
	reads(0, "q\n\na", 3);
	reads(1, "q\n\nb", 3);
	done();
	/* All three forms of one exchange give one input. */
	for (size_t i = 0; i < 3; i++) {
		open_text(forms[i], bytes, &hh);
		assert_int_equal(next(), 1);
		reads(0, "\n\nHuman: q\n\nAssistant: a", 22);
		done();
		open_text(forms[i], bytes, &chatml);
		assert_int_equal(next(), 1);
		reads(0, asked, 51);
		done();
	}
}

static void test_keep_text(void **state)
{
	struct rm_encode_options o = { .keep_text = true };
	struct rm_slice text[2];

	(void)state;
	open_text("{\"prompt\":\"q\",\"chosen\":\"- a\\n## b\\n**c**\","
		  "\"rejected\":\"\\u00e9```\\n 12. x\\n```\"}", bytes, &o);
	assert_int_equal(next(), 1);
	rm_record_elements(&rec, field("response_texts"), text);
	assert_true(rm_slice_is(text[0], "- a\n## b\n**c**"));
	assert_true(rm_slice_is(rm_record_bytes(&rec, field("prompt_text")),
				"q"));
	assert_int_equal(rm_record_i32_at(&rec, field("length"), 1), 15);
	assert_int_equal(rm_record_i32_at(&rec, field("n_tokens"), 1), 16);
	assert_int_equal(rm_record_i32_at(&rec, field("format"), 0), 7);
	assert_int_equal(rm_record_i32_at(&rec, field("format"), 1), 9);
	assert_int_equal(rm_record_i32_at(&rec, field("position"), 1), 1);
	done();
}

static void test_format_bits(void **state)
{
	static const struct {
		const char *text;
		int bits;
	} cases[] = {
		{ "plain", 0 }, { "a - b", 0 }, { "-b", 0 }, { "* b", 1 },
		{ "x\\n  + b", 1 }, { "1. b", 1 }, { "1) b", 1 },
		{ "1.5 b", 0 }, { "2024. b", 0 }, { "a **b** c", 2 },
		{ "2 ** 3 ** 4", 0 }, { "**b", 0 }, { "# h", 4 }, { "#h", 0 },
		{ "####### h", 0 }, { "```c", 8 }, { "", 0 }
	};
	struct rm_buf b = {0};

	(void)state;
	rm_buf_puts(&b, "{\"responses\":[");
	for (size_t i = 0; i < RM_COUNT(cases); i++)
		rm_buf_printf(&b, "%s\"%s\"", i ? "," : "", cases[i].text);
	rm_buf_puts(&b, "]}");
	open_text(rm_buf_text(&b), bytes, NULL);
	assert_int_equal(next(), 1);
	for (size_t i = 0; i < RM_COUNT(cases); i++)
		if (rm_record_i32_at(&rec, field("format"), i) !=
		    cases[i].bits) {
			print_error("%s\n", cases[i].text);
			fail();
		}
	done();
	rm_buf_fini(&b);
}

/* ---- the prompt's end ---- */

static void test_boundary(void **state)
{
	static const char *const whole[] = { "say hello", "say help" };
	struct rm_encoding e = {0};
	int32_t ids[64];
	size_t n_prompt, n;

	(void)state;
	/* "hello" is one token: the prompt ends before it, for both. */
	open_text("{\"prompt\":\"say hel\",\"chosen\":\"lo\","
		  "\"rejected\":\"p\"}\n", learned, NULL);
	assert_int_equal(next(), 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(rm_tokenizer_encode(learned, &e, whole[i],
						     strlen(whole[i])), 0);
		n = input(i, ids, 64, &n_prompt);
		assert_int_equal(n, e.n);
		assert_memory_equal(ids, e.ids, n * sizeof(*ids));
		assert_int_equal(e.ends[n_prompt - 1], 3);
	}
	assert_int_equal(n_prompt, 1);
	done();
	rm_encoding_fini(&e);
}

/* prompt and response are what the tokenizer makes of the whole text. */
static void check_whole(const struct rm_tokenizer *t)
{
	struct rm_slice prompt, text[16];
	struct rm_encoding e = {0};
	struct rm_buf whole = {0};
	size_t max = 1 << 16, n, n_prompt;
	int32_t *ids = rm_malloc(max, sizeof(*ids));

	prompt = rm_record_bytes(&rec, field("prompt_text"));
	rm_record_elements(&rec, field("response_texts"), text);
	for (size_t i = 0; i < rec.k; i++) {
		rm_buf_clear(&whole);
		rm_buf_append(&whole, prompt.data, prompt.len);
		rm_buf_append(&whole, text[i].data, text[i].len);
		rm_tokenizer_encode(t, &e, whole.data, whole.len);
		n = input(i, ids, max, &n_prompt);
		assert_int_equal(n, e.n);
		assert_memory_equal(ids, e.ids, n * sizeof(*ids));
		/* The cut is as late as it may be for this response alone,
		 * but for what the others ask. */
		assert_true(n_prompt == 0 ||
			    e.ends[n_prompt - 1] <= prompt.len);
	}
	rm_encoding_fini(&e);
	rm_buf_fini(&whole);
	free(ids);
}

static const char *data(const char *name)
{
	static char full[2][512];
	static int i;
	const char *root = getenv("RM_DATA");

	i = !i;
	snprintf(full[i], sizeof(full[i]), "%s/%s",
		 root ? root : "../shared/data", name);
	return access(full[i], R_OK) == 0 ? full[i] : NULL;
}

static void test_real(void **state)
{
	struct rm_encode_options o = { .keep_text = true };
	const char *gpt2 = data("tokenizers/gpt2/tokenizer.json");
	const char *file = data("arena/ratings.jsonl.gz");
	struct rm_tokenizer *t;
	char *paths[1];
	size_t n = 0;

	(void)state;
	if (!gpt2 || !file)
		skip();
	t = rm_tokenizer_load(gpt2);
	assert_non_null(t);
	paths[0] = (char *)(uintptr_t)file;
	encode = rm_encode_open(paths, 1, t, &o);
	assert_non_null(encode);
	while (n < 60 && next() > 0) {
		check_whole(t);
		n++;
	}
	assert_int_equal(n, 60);
	rm_encode_close(encode);
	rm_tokenizer_free(t);
}

/* ---- cuts ---- */

static const char row[] = "{\"prompt\":\"0123456789\",\"chosen\":\"abcd\","
			  "\"rejected\":\"xy\"}\n";

static void test_left(void **state)
{
	struct rm_encode_options o = { .max_length = 8 };

	(void)state;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "6789abcd", 4);
	reads(1, "6789xy", 4);	/* the same cut */
	assert_int_equal(rm_encode_counts(encode)->cut, 1);
	done();
	o.max_length = 3;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "bcd", 0);
	reads(1, "xy", 0);
	assert_int_equal(rm_record_i32_at(&rec, field("n_tokens"), 0), 3);
	assert_int_equal(rm_record_i32_at(&rec, field("length"), 0), 4);
	done();
	o.max_length = 14;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "0123456789abcd", 10);
	assert_int_equal(rm_encode_counts(encode)->cut, 0);
	done();
}

static void test_right(void **state)
{
	struct rm_encode_options o = { .max_length = 13, .overlong = "right" };

	(void)state;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "0123456789abc", 10);
	reads(1, "0123456789xy", 10);
	done();
	o.max_length = 4;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "0123", 4);
	done();
}

/* The prompt as left cuts it; of responses start and end remain. */
static void test_middle(void **state)
{
	struct rm_encode_options o = { .max_length = 8, .overlong = "middle" };

	(void)state;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "6789abcd", 4);
	reads(1, "6789xy", 4);
	done();
	o.max_length = 3;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "abd", 0);
	reads(1, "xy", 0);
	assert_int_equal(rm_record_i32_at(&rec, field("n_tokens"), 0), 3);
	assert_int_equal(rm_encode_counts(encode)->cut, 1);
	done();
	o.max_length = 1;
	open_text(row, bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "a", 0);
	done();
}

static void test_drop(void **state)
{
	struct rm_encode_options o = { .max_length = 13, .overlong = "drop" };

	(void)state;
	open_text("{\"prompt\":\"0123456789\",\"chosen\":\"abcd\","
		  "\"rejected\":\"xy\"}\n"
		  "{\"prompt\":\"0\",\"chosen\":\"a\",\"rejected\":\"b\"}\n",
		  bytes, &o);
	assert_int_equal(next(), 1);
	reads(0, "0a", 1);
	done();
	o.overlong = "error";
	open_text(row, bytes, &o);
	assert_int_equal(next(), -1);
	assert_non_null(strstr(rm_error(), "line 1: 14 tokens, the limit is "
			       "13"));
	rm_encode_close(encode);
	o.overlong = "nowhere";
	assert_null(rm_encode_open(NULL, 0, bytes, &o));
	assert_non_null(strstr(rm_error(), "left, right, middle, drop, "
			       "error"));
}

/* ---- the header ---- */

static void test_header(void **state)
{
	struct rm_encode_options o = { .template = "hh", .max_length = 5 };
	struct rm_header *h;

	(void)state;
	open_text("{\"prompt\":\"q\",\"responses\":[\"a\",\"b\"],\"scores\":"
		  "[1,2],\"models\":[\"x\",\"y\"]}", learned, &o);
	h = rm_encode_header(encode);
	assert_false(h->pairs);
	assert_string_equal(json_string_value(json_object_get(h->policy,
		"template")), "hh");
	assert_int_equal(json_integer_value(json_object_get(h->policy,
		"max_length")), 5);
	assert_int_equal(h->schema.n_per_response, 1);
	assert_string_equal(h->schema.per_response[0], "models");
	assert_string_equal(h->tokenizer_fp.hex,
			    rm_tokenizer_fingerprint(learned).hex);
	assert_true(h->policy_fp.hex[0]);
	assert_int_equal(next(), 1);
	done();
}

static void test_policy(void **state)
{
	struct rm_encode_options o = {0};
	char dir[] = "/tmp/rm-policy-XXXXXX", name[64];
	static const char rm[] = "{\"policy\":{\"template\":\"hh\","
				 "\"overlong\":\"drop\"}}";
	json_t *keep = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	/* A folder without either says nothing. */
	assert_int_equal(rm_encode_policy(dir, &o, &keep), 0);
	assert_null(o.template);
	snprintf(name, sizeof(name), "%s/rm.json", dir);
	assert_int_equal(rm_write_file(name, rm, strlen(rm)), 0);
	assert_int_equal(rm_encode_policy(dir, &o, &keep), 0);
	assert_string_equal(o.template, "hh");
	assert_string_equal(o.overlong, "drop");
	assert_int_equal(o.max_length, 0);
	json_decref(keep);
	/* The user's word comes first. */
	o = (struct rm_encode_options){ .template = "plain",
					.max_length = 70 };
	assert_int_equal(rm_encode_policy(dir, &o, &keep), 0);
	assert_string_equal(o.template, "plain");
	assert_int_equal(o.max_length, 70);
	json_decref(keep);
	unlink(name);
	rmdir(dir);
}

/* The policy that is recorded of a text of 14 tokens under these options. */
static char *recorded(const struct rm_encode_options *o)
{
	static char text[300];
	struct rm_buf b = {0};

	open_text("{\"prompt\":\"p\",\"chosen\":\"0123456789abc\","
		  "\"rejected\":\"0\"}", bytes, o);
	assert_int_equal(next(), 1);
	assert_int_equal(rm_encode_counts(encode)->cut, 1);
	rm_json_canonical(&b, rm_encode_header(encode)->policy);
	snprintf(text, sizeof(text), "%s", rm_buf_text(&b));
	rm_buf_fini(&b);
	done();
	return text;
}

/* What a model's positions cut is recorded where there is no policy yet. */
static void test_model_limit(void **state)
{
	struct rm_encode_options o = { .model_limit = 7 };
	json_t *policy = json_pack("{s:s}", "template", "plain");

	(void)state;
	assert_string_equal(recorded(&o), "{\"max_length\":7,"
			    "\"overlong\":\"left\",\"special_tokens\":"
			    "false,\"template\":\"plain\"}");
	o.policy = policy;
	assert_string_equal(recorded(&o), "{\"template\":\"plain\"}");
	o.max_length = 6;
	assert_string_equal(recorded(&o), "{\"max_length\":6,"
			    "\"overlong\":\"left\",\"template\":"
			    "\"plain\"}");
	json_decref(policy);
	o.max_length = 8;
	o.policy = NULL;
	assert_null(rm_encode_open(NULL, 0, bytes, &o));
	assert_non_null(strstr(rm_error(), "a limit of 8 tokens is more than "
			       "the 7 that the model can take"));
}

/* Any number of threads gives the same records. */
static void test_threads(void **state)
{
	struct rm_encode_options o = {0};
	struct rm_buf text = {0}, out[2] = {{0}};
	const struct rm_buf *payload;

	(void)state;
	for (int i = 0; i < 3000; i++)
		rm_buf_printf(&text, "{\"prompt\":\"say %d\",\"response\":"
			      "\"hello %d\",\"score\":%d}\n", i / 3, i, i);
	for (size_t i = 0; i < 2; i++) {
		o.text.threads = 1 + 3 * i;
		open_text(rm_buf_text(&text), learned, &o);
		while (rm_encode_next(encode, &payload) > 0)
			rm_buf_append(&out[i], payload->data, payload->len);
		assert_int_equal(rm_encode_counts(encode)->kept, 1000);
		rm_encode_close(encode);
	}
	assert_int_equal(out[0].len, out[1].len);
	assert_memory_equal(out[0].data, out[1].data, out[0].len);
	rm_buf_fini(&text);
	rm_buf_fini(&out[0]);
	rm_buf_fini(&out[1]);
}

static int set_up(void **state)
{
	static const char text[] = "say hello say help say hello say help";
	const struct rm_learn_options o = { .vocab = 280, .min_count = 1 };
	struct rm_learner *l = rm_learner_new(&o);
	struct rm_files files = {0};
	struct rm_buf json = {0};
	int fd = mkstemp(path);

	(void)state;
	bytes = rm_tokenizer_bytes();
	rm_learner_add(l, text, strlen(text));
	rm_learner_finish(l, &json);
	rm_files_add(&files, "tokenizer.json", json.data, json.len);
	learned = rm_tokenizer_from_files(&files);
	rm_files_fini(&files);
	rm_buf_fini(&json);
	rm_learner_free(l);
	return fd < 0 || close(fd) || !bytes || !learned ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	rm_record_fini(&rec);
	rm_tokenizer_free(bytes);
	rm_tokenizer_free(learned);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_keep_text),
		cmocka_unit_test(test_format_bits),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_middle),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_model_limit),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
