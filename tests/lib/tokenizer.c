/*
 * The ids of the PyPI package `tokenizers` for small and published
 * tokenizers are in tests/data/tokenizer.json, which tests/ref/tokenizer.py
 * writes.
 */
#include "test.h"

#include "tokenizer.h"
#include "tokenizer/parts.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static json_t *ref;

static int load_ref(void **state)
{
	(void)state;
	ref = rm_json_load("tests/data/tokenizer.json", SIZE_MAX);
	return ref ? 0 : -1;
}

static int free_ref(void **state)
{
	(void)state;
	json_decref(ref);
	return 0;
}

static struct rm_tokenizer *from_text(const void *text, size_t len)
{
	struct rm_files files = {0};
	struct rm_tokenizer *t;

	assert_int_equal(rm_files_add(&files, "tokenizer.json", text, len),
			 0);
	t = rm_tokenizer_from_files(&files);
	rm_files_fini(&files);
	return t;
}

static struct rm_tokenizer *from_json(const json_t *json)
{
	char *text = json_dumps(json, 0);
	struct rm_tokenizer *t = from_text(text, strlen(text));

	free(text);
	return t;
}

/* Merges as "left right", which older files have. */
static json_t *as_strings(const json_t *merges)
{
	json_t *out = json_array(), *pair;
	size_t i;

	json_array_foreach((json_t *)merges, i, pair)
		json_array_append_new(out, json_sprintf("%s %s",
			json_string_value(json_array_get(pair, 0)),
			json_string_value(json_array_get(pair, 1))));
	return out;
}

/* null removes, "strings" is as_strings, model and vocab are merged. */
static void apply(json_t *object, const json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)patch, key, value) {
		const char *text = json_string_value(value);

		if (json_is_null(value))
			json_object_del(object, key);
		else if (text && strcmp(text, "strings") == 0)
			json_object_set_new(object, key, as_strings(
				json_object_get(object, key)));
		else if (json_is_object(value) &&
			 (!strcmp(key, "model") || !strcmp(key, "vocab")))
			apply(json_object_get(object, key), value);
		else
			json_object_set(object, key, value);
	}
}

static json_t *patched(const json_t *patch)
{
	json_t *copy = json_deep_copy(json_object_get(ref, "base"));

	apply(copy, patch);
	return copy;
}

static void check_ends(const struct rm_encoding *e, size_t len)
{
	assert_int_equal(e->n ? e->ends[e->n - 1] : 0, len);
	for (size_t i = 1; i < e->n; i++)
		assert_true(e->ends[i - 1] <= e->ends[i]);
}

/* All the reference's texts have these ids; what they decode to. */
static void check_ids(const struct rm_tokenizer *t, const json_t *ids,
		      const json_t *decoded)
{
	const json_t *texts = json_object_get(ref, "texts");
	struct rm_encoding e = {0};
	struct rm_buf back = {0};

	for (size_t i = 0; i < json_array_size(texts); i++) {
		const json_t *text = json_array_get(texts, i), *changed;
		const json_t *want = json_array_get(ids, i);
		size_t len = json_string_length(text);
		char key[24];

		assert_int_equal(rm_tokenizer_encode(t, &e,
				 json_string_value(text), len), 0);
		if (e.n != json_array_size(want))
			print_message("text %zu\n", i);
		assert_int_equal(e.n, json_array_size(want));
		for (size_t k = 0; k < e.n; k++)
			assert_int_equal(e.ids[k], json_integer_value(
					 json_array_get(want, k)));
		check_ends(&e, len);
		if (!decoded)
			continue;
		rm_buf_clear(&back);
		assert_int_equal(rm_tokenizer_decode(t, e.ids, e.n, &back),
				 0);
		snprintf(key, sizeof(key), "%zu", i);
		changed = json_object_get(decoded, key);
		text = changed ? changed : text;
		assert_int_equal(back.len, json_string_length(text));
		assert_memory_equal(rm_buf_text(&back),
				    json_string_value(text), back.len);
	}
	rm_buf_fini(&back);
	rm_encoding_fini(&e);
}

static void test_variants_match_the_peer(void **state)
{
	json_t *variant;
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(ref, "variants"), i, variant) {
		json_t *json = patched(json_object_get(variant, "patch"));
		struct rm_tokenizer *t = from_json(json);

		if (!t)
			print_message("%s\n", rm_error());
		assert_non_null(t);
		check_ids(t, json_object_get(variant, "ids"),
			  json_object_get(variant, "decoded"));
		rm_tokenizer_free(t);
		json_decref(json);
	}
}

static void test_published_match_the_peer(void **state)
{
	const char *data = getenv("RM_DATA"), *name;
	struct rm_buf path = {0};
	json_t *ids;
	struct stat st;

	(void)state;
	if (!data)
		data = "../shared/data";
	if (stat(data, &st) < 0) {
		print_message("no %s\n", data);
		skip();
	}
	json_object_foreach(json_object_get(ref, "published"), name, ids) {
		struct rm_tokenizer *t;

		rm_buf_clear(&path);
		rm_buf_printf(&path, "%s/tokenizers/%s", data, name);
		t = rm_tokenizer_load(rm_buf_text(&path));
		assert_non_null(t);
		check_ids(t, ids, NULL);
		rm_tokenizer_free(t);
	}
	rm_buf_fini(&path);
}

static void test_bytes(void **state)
{
	static const char text[] = "h\xc3\xa9 \0!";
	static const int32_t expected[] = { 'h', 0xc3, 0xa9, ' ', 0, '!' };
	struct rm_tokenizer *t = rm_tokenizer_bytes(), *again;
	struct rm_encoding e = {0};
	struct rm_buf back = {0};

	(void)state;
	assert_non_null(t);
	assert_int_equal(rm_tokenizer_size(t), 256);
	assert_string_equal(rm_tokenizer_token(t, ' '), "\xc4\xa0");
	assert_int_equal(rm_tokenizer_id(t, "\xc4\xa0"), ' ');
	assert_int_equal(rm_tokenizer_id(t, "no"), -1);
	assert_null(rm_tokenizer_token(t, 256));
	assert_null(rm_tokenizer_token(t, -1));
	assert_int_equal(rm_tokenizer_encode(t, &e, text, sizeof(text) - 1),
			 0);
	assert_int_equal(e.n, 6);
	assert_memory_equal(e.ids, expected, sizeof(expected));
	for (size_t i = 0; i < e.n; i++)
		assert_int_equal(e.ends[i], i + 1);
	assert_int_equal(rm_tokenizer_decode(t, e.ids, e.n, &back), 0);
	assert_int_equal(back.len, sizeof(text) - 1);
	assert_memory_equal(back.data, text, back.len);
	rm_buf_clear(&back);
	assert_int_equal(rm_tokenizer_decode(t, expected + 1, 1, &back), 0);
	assert_string_equal(rm_buf_text(&back), "\xef\xbf\xbd");
	assert_int_equal(rm_tokenizer_decode(t, &(int32_t){ 256 }, 1, &back),
			 -1);
	again = rm_tokenizer_from_files(rm_tokenizer_files(t));
	assert_non_null(again);
	assert_string_equal(rm_tokenizer_fingerprint(again).hex,
			    rm_tokenizer_fingerprint(t).hex);
	/* The scratch of one tokenizer is not used with another. */
	assert_int_equal(rm_tokenizer_encode(again, &e, "", 0), 0);
	assert_int_equal(e.n, 0);
	rm_buf_fini(&back);
	rm_encoding_fini(&e);
	rm_tokenizer_free(t);
	rm_tokenizer_free(again);
}

/* '|' stands between the words. */
static void test_split(void **state)
{
	static const char *const rows[] = {
		"It|'s| the|'re|'ve|x|'", "a|'d|'m|'ll|'|l", "''|s", " '|s",
		"ab| cd|    | !?", "x|\n|\n|y", "x| \n| y", " |\t|y", "x|  ",
		"a|1", "\xc2\xbd|a| \xc2\xb2| \xe2\x85\xa6|!",
		"a|\xc2\xa0|b", "a|\xe3\x80\x80|\xe3\x80\x80|b",
		"\xd0\xbc\xd0\xb8\xd1\x80| \xe4\xb8\xad|\xe3\x80\x82",
		"e|\xcc\x81|e", "\x1c\x1d", "\xff|a",
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		struct rm_buf got = {0};
		size_t n = 0, len;
		char text[64];

		for (const char *p = rows[i]; *p; p++)
			if (*p != '|')
				text[n++] = *p;
		for (size_t at = 0; at < n; at += len) {
			len = rm_scan_gpt2((unsigned char *)text + at,
					    n - at);
			rm_buf_puts(&got, at ? "|" : "");
			rm_buf_append(&got, text + at, len);
		}
		assert_string_equal(rm_buf_text(&got), rows[i]);
		rm_buf_fini(&got);
	}
}

/* ---- merging against its naive twin ---- */

struct naive {
	const struct rm_tokenizer *t;
	const json_t *merges;
};

/* Rank of the pair, SIZE_MAX if it does not merge. */
static size_t naive_rank(const struct naive *m, int32_t left, int32_t right)
{
	size_t i;
	json_t *pair;

	json_array_foreach((json_t *)m->merges, i, pair)
		if (strcmp(json_string_value(json_array_get(pair, 0)),
			   rm_tokenizer_token(m->t, left)) == 0 &&
		    strcmp(json_string_value(json_array_get(pair, 1)),
			   rm_tokenizer_token(m->t, right)) == 0)
			return i;
	return SIZE_MAX;
}

static size_t naive_merge(const struct naive *m, int32_t *id, size_t n)
{
	for (;;) {
		size_t best = SIZE_MAX, at = 0;
		char text[256];

		for (size_t i = 0; i + 1 < n; i++) {
			size_t rank = naive_rank(m, id[i], id[i + 1]);

			if (rank < best) {
				best = rank;
				at = i;
			}
		}
		if (best == SIZE_MAX)
			return n;
		snprintf(text, sizeof(text), "%s%s",
			 rm_tokenizer_token(m->t, id[at]),
			 rm_tokenizer_token(m->t, id[at + 1]));
		id[at] = rm_tokenizer_id(m->t, text);
		n--;
		memmove(id + at + 1, id + at + 2, (n - at - 1) *
			sizeof(*id));
	}
}

static void test_merging_matches_naive(void **state)
{
	static const char alphabet[] = "aaabb the rw";
	json_t *variant = json_array_get(json_object_get(ref, "variants"), 2);
	json_t *json = patched(json_object_get(variant, "patch"));
	struct naive m = { from_json(json), json_object_get(
		json_object_get(json, "model"), "merges") };
	struct rm_encoding e = {0};
	char text[160];
	int32_t id[160];

	(void)state;
	assert_string_equal(json_string_value(json_object_get(variant,
			    "name")), "whole");
	for (uint64_t k = 0; k < 60; k++) {
		size_t n = 1 + rm_random(1, RM_RANDOM_TEST, k, 0) %
			   sizeof(text);

		for (size_t i = 0; i < n; i++) {
			text[i] = alphabet[rm_random(1, RM_RANDOM_TEST, k,
				i + 1) % (sizeof(alphabet) - 1)];
			id[i] = rm_tokenizer_id(m.t, text[i] == ' ' ?
				"\xc4\xa0" : (char[2]){ text[i], '\0' });
		}
		n = naive_merge(&m, id, n);
		assert_int_equal(rm_tokenizer_encode(m.t, &e, text,
				 1 + rm_random(1, RM_RANDOM_TEST, k, 0) %
				 sizeof(text)), 0);
		assert_int_equal(e.n, n);
		assert_memory_equal(e.ids, id, n * sizeof(*id));
	}
	rm_encoding_fini(&e);
	rm_tokenizer_free((struct rm_tokenizer *)m.t);
	json_decref(json);
}

/* One huge word of each sort: hours if anything is quadratic. */
static void test_long_words(void **state)
{
	static const char *const units[] = {
		"a", " ", "ab", "\xd0\xbc", "<", "<s>", "\xe3\x80\x80", "\n "
	};
	size_t len = 3000000;
	char *text = rm_malloc(len, 1);
	struct rm_encoding e = {0};
	json_t *variants = json_object_get(ref, "variants");

	(void)state;
	for (size_t v = 2; v < 4; v++) {	/* whole, added */
		json_t *json = patched(json_object_get(
			json_array_get(variants, v), "patch"));
		struct rm_tokenizer *t = from_json(json);

		for (size_t i = 0; i < RM_COUNT(units); i++) {
			size_t unit = strlen(units[i]);

			for (size_t k = 0; k < len; k++)
				text[k] = units[i][k % unit];
			assert_int_equal(rm_tokenizer_encode(t, &e, text,
					 len), 0);
			check_ends(&e, len);
		}
		rm_tokenizer_free(t);
		json_decref(json);
	}
	rm_encoding_fini(&e);
	free(text);
}

/* ---- counting ids ---- */

static int count(const char *json, size_t *n)
{
	struct rm_files files = {0};
	int err;

	assert_int_equal(rm_files_add(&files, "tokenizer.json", json,
				      strlen(json)), 0);
	err = rm_tokenizer_count(&files, n);
	rm_files_fini(&files);
	return err;
}

static void check_count(const struct rm_tokenizer *t)
{
	size_t n;

	assert_int_equal(rm_tokenizer_count(rm_tokenizer_files(t), &n), 0);
	assert_int_equal(n, rm_tokenizer_size(t));
}

static void test_count_is_size(void **state)
{
	const char *data = getenv("RM_DATA");
	struct rm_tokenizer *t = rm_tokenizer_bytes();
	glob_t found;
	struct rm_buf pattern = {0};
	json_t *variant;
	size_t i;

	(void)state;
	check_count(t);
	rm_tokenizer_free(t);
	json_array_foreach(json_object_get(ref, "variants"), i, variant) {
		json_t *json = patched(json_object_get(variant, "patch"));

		t = from_json(json);
		check_count(t);
		rm_tokenizer_free(t);
		json_decref(json);
	}
	rm_buf_printf(&pattern, "%s/tokenizers/*", data ? data :
		      "../shared/data");
	if (glob(rm_buf_text(&pattern), 0, NULL, &found) == 0) {
		for (i = 0; i < found.gl_pathc; i++) {
			t = rm_tokenizer_load(found.gl_pathv[i]);
			check_count(t);
			rm_tokenizer_free(t);
		}
		globfree(&found);
	}
	rm_buf_fini(&pattern);
}

/* What a file claims is not believed beyond what a vocabulary can have. */
static void test_count_of_bad_files(void **state)
{
	static const struct {
		const char *json, *message;
	} rows[] = {
		{ "{", "tokenizer.json" },
		{ "[]", "tokenizer.json" },
		{ "{\"model\":{}}", "no \"vocab\"" },
		{ "{\"model\":{\"vocab\":{\"a\":99999999999}}}",
		  "id 99999999999 is not within" },
		{ "{\"model\":{\"vocab\":{\"a\":-1}}}", "id -1" },
		{ "{\"model\":{\"vocab\":{\"a\":\"b\"}}}", "vocab" },
		{ "{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":[{}]}",
		  "added token 0: no whole number" },
		{ "{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":"
		  "[{\"id\":4194304}]}", "added token 0: id 4194304" },
	};
	struct rm_files none = {0};
	size_t n;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		assert_int_equal(count(rows[i].json, &n), -1);
		if (!strstr(rm_error(), rows[i].message))
			fail_msg("%s: %s", rows[i].json, rm_error());
	}
	assert_int_equal(rm_tokenizer_count(&none, &n), -1);
	assert_int_equal(count("{\"model\":{\"vocab\":{\"a\":7}}}", &n), 0);
	assert_int_equal(n, 8);
	assert_int_equal(count("{\"model\":{\"vocab\":[[\"a\",0],[\"b\",0]]},"
			       "\"added_tokens\":[{\"id\":5}]}", &n), 0);
	assert_int_equal(n, 6);
}

/* ---- fingerprints ---- */

static struct rm_fingerprint fingerprint_of(const char *patch)
{
	json_t *change = json_loads(patch, 0, NULL);
	json_t *json = patched(change);
	struct rm_tokenizer *t = from_json(json);
	struct rm_fingerprint f;

	assert_non_null(change);
	assert_non_null(t);
	f = rm_tokenizer_fingerprint(t);
	rm_tokenizer_free(t);
	json_decref(json);
	json_decref(change);
	return f;
}

#define ADDED "\"single_word\": false, \"lstrip\": false, " \
	"\"rstrip\": false, \"special\": true}]}"

static void test_fingerprint(void **state)
{
	static const char *const same[] = {
		"{\"version\": null, \"decoder\": null}",
		"{\"truncation\": {\"max_length\": 7}, \"padding\": {}}",
		"{\"post_processor\": {\"type\": \"BertProcessing\","
		" \"cls\": [\"a\", 1], \"sep\": [\"b\", 2]}}",
		"{\"model\": {\"type\": null, \"merges\": \"strings\"}}",
		"{\"model\": {\"unk_token\": \"x\", \"fuse_unk\": true}}",
		"{\"model\": {\"ignore_merges\": null}}",
		"{\"pre_tokenizer\": {\"type\": \"ByteLevel\","
		" \"add_prefix_space\": false}}",
		"{\"added_tokens\": null}",
	};
	static const char *const other[] = {
		"{\"model\": {\"ignore_merges\": true}}",
		"{\"model\": {\"merges\": []}}",
		"{\"model\": {\"vocab\": {\"new\": 360}}}",
		"{\"pre_tokenizer\": {\"type\": \"ByteLevel\","
		" \"add_prefix_space\": true}}",
		"{\"pre_tokenizer\": {\"type\": \"ByteLevel\","
		" \"add_prefix_space\": false, \"use_regex\": false}}",
		"{\"added_tokens\": [{\"content\": \"<s>\", \"id\": 360, "
		"\"normalized\": true, " ADDED,
		"{\"added_tokens\": [{\"content\": \"<s>\", \"id\": 360, "
		"\"normalized\": false, " ADDED,
	};
	struct rm_fingerprint base = fingerprint_of("{}"), last = base;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(same); i++)
		assert_string_equal(fingerprint_of(same[i]).hex, base.hex);
	for (size_t i = 0; i < RM_COUNT(other); i++) {
		struct rm_fingerprint f = fingerprint_of(other[i]);

		assert_string_not_equal(f.hex, base.hex);
		assert_string_not_equal(f.hex, last.hex);
		last = f;
	}
}

/* ---- what is refused ---- */

static void test_bad_files(void **state)
{
	static const struct {
		const char *patch, *message;
	} rows[] = {
		{ "{\"normalizer\": {\"type\": \"NFX\"}}",
		  "normalizer NFX is not supported yet" },
		{ "{\"normalizer\": {\"type\": \"Sequence\"}}",
		  "normalizer Sequence: no list of its parts" },
		{ "{\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}}",
		  "pre_tokenizer UnicodeScripts is not supported yet" },
		{ "{\"pre_tokenizer\": {\"type\": \"Metaspace\"}}",
		  "pre_tokenizer Metaspace: options: no member \"replacement\"" },
		{ "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": "
		  "{\"Regex\": \"\\\\p{Greek}\"}, \"invert\": false, "
		  "\"behavior\": \"Isolated\"}}",
		  "\"\\p{Greek}\" in a regular expression" },
		{ "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": "
		  "{\"Regex\": \"(a\"}, \"invert\": false, "
		  "\"behavior\": \"Isolated\"}}", "a regular expression: " },
		{ "{\"pre_tokenizer\": {\"type\": \"ByteLevel\"}}",
		  "pre_tokenizer ByteLevel: no member \"add_prefix_space\"" },
		{ "{\"decoder\": {\"type\": \"CTC\"}}",
		  "decoder CTC is not supported yet" },
		{ "{\"post_processor\": {\"type\": \"X\"}}",
		  "post_processor X is not supported yet" },
		{ "{\"post_processor\": []}", "post_processor" },
		{ "{\"version\": \"2.0\"}", "version 2.0" },
		{ "{\"model\": null}", "no object \"model\"" },
		{ "{\"model\": {\"type\": \"WordPiece\"}}",
		  "member \"unk_token\" is not a string" },
		{ "{\"model\": {\"type\": \"Unigram\"}}",
		  "no array \"vocab\"" },
		{ "{\"model\": {\"type\": \"X\"}}",
		  "model X is not supported yet" },
		{ "{\"model\": {\"type\": null, \"merges\": null}}",
		  "model WordPiece" },
		{ "{\"model\": {\"vocab\": null}}", "no object \"vocab\"" },
		{ "{\"model\": {\"merges\": null}}",
		  "no array \"merges\"" },
		{ "{\"model\": {\"vocab\": {\"zz\": 0}}}",
		  "have the same id 0" },
		{ "{\"model\": {\"vocab\": {\"zz\": -1}}}",
		  "id -1 is not within" },
		{ "{\"model\": {\"vocab\": {\"zz\": 4000000000}}}",
		  "id 4000000000 is not within" },
		{ "{\"model\": {\"vocab\": {\"zz\": \"1\"}}}",
		  "expected a whole number" },
		{ "{\"model\": {\"merges\": [[\"a\", \"b\"], [\"q\","
		  " \"q\"]]}}",
		  "merges: 1: token \"qq\" is not in the vocab" },
		{ "{\"model\": {\"merges\": [\"qx a\"]}}",
		  "merges: 0: token \"qx\" is not in the vocab" },
		{ "{\"model\": {\"merges\": [\"ab\"]}}",
		  "is not two tokens and one space" },
		{ "{\"model\": {\"merges\": [\"a b c\"]}}",
		  "is not two tokens and one space" },
		{ "{\"model\": {\"merges\": [[\"a\", 1]]}}",
		  "not two strings" },
		{ "{\"model\": {\"merges\": [1]}}",
		  "neither a string nor two strings" },
		{ "{\"model\": {\"merges\": [[\"\", \"a\"]]}}",
		  "is not in the vocab" },
		{ "{\"model\": {\"dropout\": 0.1}}",
		  "dropout is not supported yet" },
		{ "{\"model\": {\"continuing_subword_prefix\": \"##\"}}",
		  "lacks the prefix" },
		{ "{\"model\": {\"ignore_merges\": 1}}",
		  "ignore_merges is not true or false" },
		{ "{\"added_tokens\": {}}", "added_tokens: not an array" },
		{ "{\"added_tokens\": [1]}", "added_tokens: token 0" },
		{ "{\"added_tokens\": [{\"content\": \"<s>\", \"id\": 9, "
		  "\"normalized\": false, " ADDED,
		  "id 9 where 360 is the next" },
		{ "{\"added_tokens\": [{\"content\": \"a\", \"id\": 9, "
		  "\"normalized\": false, " ADDED,
		  "is the model's id of that token" },
		{ "{\"added_tokens\": [{\"content\": \"\", \"id\": 360, "
		  "\"normalized\": false, " ADDED,
		  "\"content\" is empty" },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		json_t *change = json_loads(rows[i].patch, 0, NULL);
		json_t *json = patched(change);

		assert_non_null(change);
		assert_null(from_json(json));
		if (!strstr(rm_error(), rows[i].message))
			print_message("%s\n", rm_error());
		assert_non_null(strstr(rm_error(), rows[i].message));
		assert_non_null(strstr(rm_error(), "tokenizer.json: "));
		json_decref(json);
		json_decref(change);
	}
}

static void test_not_a_tokenizer(void **state)
{
	struct rm_files none = {0};

	(void)state;
	assert_null(from_text("{", 1));
	assert_null(from_text("[]", 2));
	assert_non_null(strstr(rm_error(), "not a JSON object"));
	assert_null(from_text("{\"a\": 1, \"a\": 2}", 16));
	assert_null(rm_tokenizer_from_files(&none));
	assert_string_equal(rm_error(), "no tokenizer.json");
	assert_null(rm_tokenizer_load("tests/no-such"));
	assert_non_null(strstr(rm_error(), "tests/no-such"));
	assert_null(rm_tokenizer_load("tests"));
	assert_non_null(strstr(rm_error(), "tests: no tokenizer.json"));
	rm_tokenizer_free(NULL);
}

/* Any one byte of a file changed: loaded or refused, never worse. */
static void test_damaged_files(void **state)
{
	char *text = json_dumps(json_object_get(ref, "base"), 0);
	size_t len = strlen(text), loaded = 0;

	(void)state;
	for (uint64_t k = 0; k < 300; k++) {
		size_t at = rm_random(2, RM_RANDOM_TEST, k, 0) % len;
		char old = text[at];
		struct rm_tokenizer *t;
		struct rm_encoding e = {0};

		text[at] = (char)rm_random(2, RM_RANDOM_TEST, k, 1);
		t = from_text(text, k % 3 ? len : at);
		if (t) {
			loaded++;
			rm_tokenizer_encode(t, &e, "the reward", 10);
			rm_encoding_fini(&e);
			rm_tokenizer_free(t);
		}
		text[at] = old;
	}
	assert_true(loaded < 300);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variants_match_the_peer),
		cmocka_unit_test(test_published_match_the_peer),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_merging_matches_naive),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_count_is_size),
		cmocka_unit_test(test_count_of_bad_files),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_not_a_tokenizer),
		cmocka_unit_test(test_damaged_files),
	};

	return cmocka_run_group_tests(tests, load_ref, free_ref);
}
