/*
 * The ids that the PyPI package `tokenizers` gives texts, by the published
 * tokenizers and by small ones of every kind of part; tests/ref/families.py
 * writes them.
 */
#include "test.h"

#include "../encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static json_t *ref;

static int load_ref(void **state)
{
	(void)state;
	ref = rm_json_load("tests/data/families.json", SIZE_MAX);
	return ref ? 0 : -1;
}

static int free_ref(void **state)
{
	(void)state;
	json_decref(ref);
	return 0;
}

/* want: ids, or the low 16 bits of their CRC-32 in hex. */
static bool same_ids(const struct rm_encoding *e, const json_t *want)
{
	char hex[24];

	if (json_is_string(want)) {
		snprintf(hex, sizeof(hex), "%04lx", 0xffff & (e->n ? crc32_z(0,
			(const Bytef *)e->ids, e->n * sizeof(*e->ids)) : 0));
		return strcmp(hex, json_string_value(want)) == 0;
	}
	if (e->n != json_array_size(want))
		return false;
	for (size_t i = 0; i < e->n; i++)
		if (e->ids[i] != json_integer_value(json_array_get(want, i)))
			return false;
	return true;
}

/* Of the texts that the peer takes, how many give other ids; says which. */
static size_t differing(const char *name, const struct rm_tokenizer *t,
			const json_t *want)
{
	const json_t *texts = json_object_get(ref, "texts");
	struct rm_encoding e = {0};
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(want); i++) {
		const json_t *text = json_array_get(texts, i);
		size_t len = json_string_length(text);
		const char *why = NULL;

		if (json_is_null(json_array_get(want, i)))
			continue;
		if (rm_tokenizer_encode(t, &e, json_string_value(text),
					len) < 0)
			why = rm_error();
		else if (!same_ids(&e, json_array_get(want, i)))
			why = "other ids";
		else if (!ends_in_order(&e, len))
			why = "ends not in order";
		if (why)
			print_message("%s: text %zu: %s\n", name, i, why);
		n += why != NULL;
	}
	rm_encoding_fini(&e);
	return n;
}

static void test_published(void **state)
{
	const char *data = getenv("RM_DATA"), *name;
	struct rm_buf path = {0};
	struct stat st;
	json_t *ids;
	size_t bad = 0;

	(void)state;
	data = data ? data : "../shared/data";
	if (stat(data, &st) < 0) {
		print_message("no %s\n", data);
		skip();
	}
	json_object_foreach(json_object_get(ref, "published"), name, ids) {
		struct rm_tokenizer *t;

		rm_buf_clear(&path);
		rm_buf_printf(&path, "%s/tokenizers/%s", data, name);
		t = rm_tokenizer_load(rm_buf_text(&path));
		if (!t)
			print_message("%s\n", rm_error());
		bad += t ? differing(name, t, ids) : 1;
		rm_tokenizer_free(t);
	}
	rm_buf_fini(&path);
	assert_int_equal(bad, 0);
}

/* Added tokens with the flags that the file leaves out. */
static json_t *added_tokens(const json_t *row)
{
	static const char *const flags[] = {
		"single_word", "lstrip", "rstrip", "normalized", "special"
	};
	json_t *tokens = json_object_get(row, "added_tokens"), *token;
	size_t i;

	json_array_foreach(tokens, i, token)
		for (size_t k = 0; k < RM_COUNT(flags); k++)
			if (!json_object_get(token, flags[k]))
				json_object_set_new(token, flags[k],
						    json_false());
	return tokens;
}

/* The tokenizer.json of a row: its model, changed ("-" removes), and parts. */
static json_t *made(json_t *row)
{
	json_t *model = json_copy(json_object_get(
		json_object_get(ref, "models"),
		json_string_value(json_object_get(row, "model"))));
	json_t *json = json_pack("{s:s, s:o}", "version", "1.0", "model",
				 model), *value;
	const char *key;

	json_object_foreach(json_object_get(row, "change"), key, value)
		if (json_is_string(value) &&
		    strcmp(json_string_value(value), "-") == 0)
			json_object_del(model, key);
		else
			json_object_set(model, key, value);
	json_object_set(json, "normalizer", json_object_get(row,
							    "normalizer"));
	json_object_set(json, "pre_tokenizer",
			json_object_get(row, "pre_tokenizer"));
	json_object_set(json, "added_tokens", added_tokens(row));
	return json;
}

static struct rm_tokenizer *from_json(const json_t *json)
{
	char *text = json_dumps(json, 0);
	struct rm_files files = {0};
	struct rm_tokenizer *t;

	assert_int_equal(rm_files_add(&files, "tokenizer.json", text,
				      strlen(text)), 0);
	t = rm_tokenizer_from_files(&files);
	rm_files_fini(&files);
	free(text);
	return t;
}

static void test_made(void **state)
{
	size_t bad = 0, i;
	json_t *row;

	(void)state;
	json_array_foreach(json_object_get(ref, "made"), i, row) {
		const char *name = json_string_value(
			json_object_get(row, "name"));
		json_t *json = made(row);
		struct rm_tokenizer *t = from_json(json);

		if (!t)
			print_message("%s: %s\n", name, rm_error());
		bad += t ? differing(name, t, json_object_get(row, "crc")) :
			   1;
		rm_tokenizer_free(t);
		json_decref(json);
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_made),
	};

	return cmocka_run_group_tests(tests, load_ref, free_ref);
}
