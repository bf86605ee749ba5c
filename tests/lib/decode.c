/*
 * What the PyPI package `tokenizers` makes of lists of tokens is in
 * tests/data/decode.json, which tests/ref/decode.py writes.
 */
#include "test.h"

#include "tokenizer/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *ref;

static int load_ref(void **state)
{
	(void)state;
	ref = rm_json_load("tests/data/decode.json", SIZE_MAX);
	return ref ? 0 : -1;
}

static int free_ref(void **state)
{
	(void)state;
	json_decref(ref);
	return 0;
}

/* The list's text in out; 0 / -1. */
static int decode(const struct rm_decoder *d, const json_t *list,
		  struct rm_buf *out)
{
	struct rm_arena arena = {0};
	struct rm_slice token[64];
	size_t n = json_array_size(list);
	int err;

	assert_true(n <= RM_COUNT(token));
	for (size_t i = 0; i < n; i++) {
		const json_t *text = json_array_get(list, i);

		token[i] = (struct rm_slice){
			(const unsigned char *)json_string_value(text),
			json_string_length(text)
		};
	}
	rm_buf_clear(out);
	err = rm_decoder_run(d, &arena, token, n, out);
	rm_arena_fini(&arena);
	return err;
}

static void check_decoder(const json_t *row)
{
	const json_t *lists = json_object_get(ref, "lists");
	const json_t *texts = json_object_get(row, "texts");
	struct rm_decoder d = {0};
	struct rm_buf out = {0};

	assert_int_equal(rm_decoder_load(&d, json_object_get(row, "decoder"),
					 false), 0);
	for (size_t i = 0; i < json_array_size(lists); i++) {
		const json_t *want = json_array_get(texts, i);

		assert_int_equal(decode(&d, json_array_get(lists, i), &out),
				 0);
		if (json_is_null(want))		/* the peer panics */
			continue;
		if (out.len != json_string_length(want) ||
		    memcmp(rm_buf_text(&out), json_string_value(want),
			   out.len) != 0)
			fail_msg("%s, list %zu: '%s', not '%s'",
				 json_string_value(json_object_get(row,
				 "name")), i, rm_buf_text(&out),
				 json_string_value(want));
	}
	rm_buf_fini(&out);
	rm_decoder_fini(&d);
}

static void test_decoders_match_the_peer(void **state)
{
	json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(ref, "decoders"), i, row)
		check_decoder(row);
	assert_true(i >= 27);
}

/* Without a decoder: bytes of byte-level tokens, else spaces between. */
static void test_none(void **state)
{
	json_t *list = json_pack("[s,s,s]", "a", "\xc4\xa0""b", "c");
	struct rm_decoder spaced = {0}, bytes = {0};
	struct rm_buf out = {0};

	(void)state;
	assert_int_equal(rm_decoder_load(&spaced, NULL, false), 0);
	assert_int_equal(decode(&spaced, list, &out), 0);
	assert_string_equal(rm_buf_text(&out), "a \xc4\xa0""b c");
	assert_int_equal(rm_decoder_load(&bytes, json_null(), true), 0);
	assert_int_equal(decode(&bytes, list, &out), 0);
	assert_string_equal(rm_buf_text(&out), "a bc");
	rm_buf_fini(&out);
	rm_decoder_fini(&spaced);
	rm_decoder_fini(&bytes);
	json_decref(list);
}

static void test_refused(void **state)
{
	static const struct {
		const char *json, *message;
	} rows[] = {
		{ "{'type':'CTC','pad_token':'p','word_delimiter_token':'|',"
		  "'cleanup':true}", "decoder CTC is not supported" },
		{ "{'type':'Replace','pattern':{'Regex':'(a'},'content':''}",
		  "decoder Replace" },
		{ "{'type':'Replace','pattern':{'Regex':'a','String':'a'},"
		  "'content':''}", "neither a String nor a Regex" },
		{ "{'type':'Replace','pattern':'a','content':''}",
		  "neither a String nor a Regex" },
		{ "{'type':'Replace','pattern':{'Regex':'a'}}", "content" },
		{ "{'type':'Sequence','decoders':[{'type':'Fuse'},"
		  "{'type':'Other'}]}", "decoder Other is not supported" },
		{ "{'type':'Sequence'}", "no list \"decoders\"" },
		{ "{'type':'Strip','content':'ab','start':0,'stop':0}",
		  "\"content\" is not one character" },
		{ "{'type':'Strip','content':'a','start':-1,'stop':0}",
		  "decoder Strip" },
		{ "{'type':'Metaspace','replacement':'_','add_prefix_space':"
		  "false,'prepend_scheme':'always'}", "contradicts" },
		{ "{'type':'Metaspace','replacement':'_','prepend_scheme':"
		  "'last'}", "prepend_scheme \"last\"" },
		{ "{'type':'BPEDecoder','suffix':''}", "\"suffix\" is empty" },
		{ "{'type':'WordPiece','prefix':'##'}", "cleanup" },
		{ "{}", "type" }, { "3", "type" },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		char *text = rm_strdup(rows[i].json);
		struct rm_decoder d = {0};
		json_t *json;

		for (char *p = text; *p; p++)
			if (*p == '\'')
				*p = '"';
		json = json_loads(text, JSON_DECODE_ANY, NULL);
		assert_non_null(json);
		assert_int_equal(rm_decoder_load(&d, json, false), -1);
		if (!strstr(rm_error(), rows[i].message))
			fail_msg("%s: %s", rows[i].json, rm_error());
		rm_decoder_fini(&d);
		json_decref(json);
		free(text);
	}
}

/* Steps that each double the text end in an error, not in all memory. */
static void test_blow_up(void **state)
{
	json_t *steps = json_array(), *list = json_pack("[s]", "aaaaaaaa");
	json_t *json = json_pack("{s:s,s:o}", "type", "Sequence", "decoders",
				 steps);
	struct rm_decoder d = {0};
	struct rm_buf out = {0}, many = {0};

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		rm_buf_putc(&many, 'a');
	for (size_t i = 0; i < 12; i++)
		json_array_append_new(steps, json_pack("{s:s,s:{s:s},s:s}",
			"type", "Replace", "pattern", "String", "a",
			"content", rm_buf_text(&many)));
	assert_int_equal(rm_decoder_load(&d, json, false), 0);
	assert_int_equal(decode(&d, list, &out), -1);
	assert_non_null(strstr(rm_error(), "larger than"));
	rm_buf_fini(&out);
	rm_buf_fini(&many);
	rm_decoder_fini(&d);
	json_decref(json);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoders_match_the_peer),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_blow_up),
	};

	return cmocka_run_group_tests(tests, load_ref, free_ref);
}
