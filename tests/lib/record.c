#include "test.h"

#include "record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record with a field of every type, two responses. */
static const char line[] =
	"{\"id\":\"a\",\"key\":\"f0e1d2c3b4a59687\",\"prompt\":[1,-2,3],"
	"\"responses\":[[4],[]],\"response_texts\":[\"x\",null],"
	"\"rank\":[0,null],\"attributes\":{\"safe\":[1,2.5],\"kind\":[3,4]},"
	"\"votes\":[3,1,2],\"annotations\":[{\"annotator\":\"z\",\"choice\":1},"
	"{\"choice\":0},{\"choice\":2}],\"length\":[10,20],\"p\":0.75,"
	"\"extra\":{\"note\":\"n\",\"model\":[\"m\",{\"v\":[true]}]}}";

static const char *const fields[] = {
	"id", "key", "prompt", "responses", "response_texts", "rank",
	"attributes", "votes", "annotations", "length", "p", "extra"
};

struct fixture {
	struct rm_schema schema;
	struct rm_buf payload;
	struct rm_record rec;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	json_t *object = rm_json_parse(line, strlen(line));

	for (size_t i = 0; i < RM_COUNT(fields); i++)
		assert_int_equal(rm_schema_add(&f->schema, fields[i]), 0);
	assert_int_equal(rm_schema_add_per_response(&f->schema, "model"), 0);
	assert_int_equal(rm_record_parse(&f->payload, &f->schema, object), 0);
	assert_int_equal(rm_record_index(&f->rec, &f->schema, f->payload.data,
					 f->payload.len), 0);
	json_decref(object);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rm_schema_fini(&f->schema);
	rm_buf_fini(&f->payload);
	rm_record_fini(&f->rec);
	free(f);
	return 0;
}

/* "92 01 c0" as bytes; how many. */
static size_t from_hex(const char *hex, unsigned char *out)
{
	size_t n = 0;
	char *end;

	while (*hex) {
		out[n++] = (unsigned char)strtoul(hex, &end, 16);
		hex = end + strspn(end, " ");
	}
	return n;
}

static void assert_slice(struct rm_slice s, const char *text)
{
	assert_non_null(s.data);
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.data, text, s.len);
}

static int find(const struct fixture *f, const char *name)
{
	return rm_schema_find(&f->schema, name);
}

/* ---- values ---- */

/* Every head of the msgpack specification. */
static void test_values(void **state)
{
	static const struct {
		const char *hex, *json;
	} cases[] = {
		{ "00", "0" }, { "7f", "127" }, { "ff", "-1" }, { "e0", "-32" },
		{ "c0", "null" }, { "c2", "false" }, { "c3", "true" },
		{ "cc ff", "255" }, { "cd 01 00", "256" },
		{ "ce ff ff ff ff", "4294967295" },
		{ "cf ff ff ff ff ff ff ff ff", "18446744073709551615" },
		{ "d0 80", "-128" }, { "d0 01", "1" }, { "d1 80 00", "-32768" },
		{ "d2 80 00 00 00", "-2147483648" },
		{ "d3 80 00 00 00 00 00 00 00", "-9223372036854775808" },
		{ "ca 3f c0 00 00", "1.5" },
		{ "cb 3f f8 00 00 00 00 00 00", "1.5" },
		{ "cb 7f f8 00 00 00 00 00 00", "null" },
		{ "cb 40 08 00 00 00 00 00 00", "3" },
		{ "a0", "\"\"" }, { "a2 c3 a9", "\"\xc3\xa9\"" },
		{ "d9 01 61", "\"a\"" }, { "da 00 01 61", "\"a\"" },
		{ "db 00 00 00 01 61", "\"a\"" }, { "a1 00", "\"\\u0000\"" },
		{ "90", "[]" }, { "92 01 02", "[1,2]" },
		{ "dc 00 01 c0", "[null]" }, { "dd 00 00 00 01 c0", "[null]" },
		{ "80", "{}" }, { "81 a1 61 90", "{\"a\":[]}" },
		{ "de 00 01 a1 61 01", "{\"a\":1}" },
		{ "df 00 00 00 01 a1 61 01", "{\"a\":1}" },
		{ "d6 01 ff ff ff ff", "[-1]" },
		{ "d7 01 01 00 00 00 02 00 00 00", "[1,2]" },
		{ "c7 00 01", "[]" },
		{ "c7 0c 01 01 00 00 00 00 00 00 00 00 00 00 80",
		  "[1,0,-2147483648]" },
		{ "c8 00 04 01 05 00 00 00", "[5]" },
		{ "c9 00 00 00 04 01 05 00 00 00", "[5]" },
		{ "d7 03 00 00 00 00 00 00 e0 3f", "[0.5]" },
		{ "d7 03 00 00 00 00 00 00 f8 7f", "[null]" }
	};
	unsigned char bytes[32];
	struct rm_buf json = {0};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		size_t n = from_hex(cases[i].hex, bytes);

		rm_buf_clear(&json);
		assert_int_equal(rm_msgpack_print(&json, (struct rm_slice){
						  bytes, n }), 0);
		assert_string_equal(rm_buf_text(&json), cases[i].json);
		/* Cut anywhere, it is an error. */
		while (n--)
			assert_int_equal(rm_msgpack_print(&json,
					 (struct rm_slice){ bytes, n }), -1);
	}
	rm_buf_fini(&json);
}

static void test_values_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} cases[] = {
		{ "c1", "not msgpack" },
		{ "dd 80 00 00 00 00 00", "2147483648 elements" },
		{ "df 80 00 00 00 00 00", "2147483648 elements" },
		{ "db ff ff ff ff 00", "past the end" },
		{ "c6 ff ff ff ff 00", "past the end" },
		{ "c4 01 00", "binary" }, { "d4 01 00", "ext 1 of 1 bytes" },
		{ "d4 02 00", "ext 2" }, { "81 01 01", "not a string" },
		{ "a1 ff", "UTF-8" }, { "81 a1 ff 01", "UTF-8" },
		{ "01 02", "after the value" }
	};
	unsigned char bytes[200];
	struct rm_buf json = {0};
	struct rm_slice v = { bytes, 0 };

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		v.len = from_hex(cases[i].hex, bytes);
		assert_int_equal(rm_msgpack_print(&json, v), -1);
		assert_non_null(strstr(rm_error(), cases[i].why));
		assert_null(rm_msgpack_json(v));
	}
	memset(bytes, 0x91, sizeof(bytes));	/* [[[[... */
	bytes[sizeof(bytes) - 1] = 0xc0;
	v.len = sizeof(bytes);
	assert_int_equal(rm_msgpack_print(&json, v), -1);
	assert_non_null(strstr(rm_error(), "deep"));
	assert_null(rm_msgpack_json(v));
	rm_buf_fini(&json);
}

/* One number of JSON is one number here, however it was written. */
static void test_json_numbers(void **state)
{
	static const struct {
		const char *json, *hex;
	} cases[] = {
		{ "3", "03" }, { "3.0", "03" }, { "-1.0", "ff" },
		{ "0.5", "cb 3f e0 00 00 00 00 00 00" },
		{ "-0.0", "cb 80 00 00 00 00 00 00 00" },
		{ "1e300", "cb 7e 37 e4 3c 88 00 75 9c" },
		{ "9223372036854775807", "cf 7f ff ff ff ff ff ff ff" },
		{ "4611686018427387904.0", "cf 40 00 00 00 00 00 00 00" }
	};
	unsigned char bytes[16];
	struct rm_buf b = {0}, text = {0};
	json_t *v, *again;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		size_t n = from_hex(cases[i].hex, bytes);

		v = rm_json_parse(cases[i].json, strlen(cases[i].json));
		rm_buf_clear(&b);
		rm_put_json(&b, v);
		assert_int_equal(b.len, n);
		assert_memory_equal(b.data, bytes, n);
		/* What is printed reads back as the same bytes. */
		rm_buf_clear(&text);
		rm_msgpack_print(&text, (struct rm_slice){ b.data, b.len });
		again = rm_json_parse(text.data, text.len);
		assert_non_null(again);
		rm_buf_clear(&b);
		rm_put_json(&b, again);
		assert_int_equal(b.len, n);
		assert_memory_equal(b.data, bytes, n);
		json_decref(v);
		json_decref(again);
	}
	rm_buf_fini(&b);
	rm_buf_fini(&text);
}

static void test_msgpack_json(void **state)
{
	static const char text[] =
		"{\"a\":[1,-2,0.5,true,false,null,\"x\"],\"b\":{}}";
	json_t *v = rm_json_parse(text, strlen(text)), *back;
	struct rm_buf b = {0};

	(void)state;
	rm_put_json(&b, v);
	back = rm_msgpack_json((struct rm_slice){ b.data, b.len });
	assert_true(json_equal(v, back));
	json_decref(v);
	json_decref(back);
	rm_buf_fini(&b);
}

static void test_put_numbers(void **state)
{
	const double x[] = { 1, -NAN };
	const int32_t ids[] = { 1, -1 };
	unsigned char bytes[64];
	struct rm_buf b = {0};
	size_t n;

	(void)state;
	rm_put_f64s(&b, x, 2);
	rm_put_i32s(&b, ids, 2);
	rm_put_f64(&b, NAN);
	rm_put_f64(&b, 1);
	rm_put_bool(&b, true);
	rm_put_bin(&b, "z", 1);
	n = from_hex("d8 03 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 f8 7f "
		     "d7 01 01 00 00 00 ff ff ff ff c0 "
		     "cb 3f f0 00 00 00 00 00 00 c3 c4 01 7a", bytes);
	assert_int_equal(b.len, n);
	assert_memory_equal(b.data, bytes, n);
	rm_buf_fini(&b);
}

/* ---- records ---- */

static void test_access(void **state)
{
	const struct fixture *f = *state;
	const struct rm_record *r = &f->rec;
	struct rm_slice s[2], name;
	double x[3];
	size_t choice;

	assert_int_equal(r->k, 2);
	assert_slice(rm_record_bytes(r, find(f, "id")), "a");
	assert_true(rm_record_u64(r, find(f, "key")) == 0xf0e1d2c3b4a59687);
	s[0] = rm_record_bytes(r, find(f, "prompt"));
	assert_int_equal(s[0].len, 12);
	assert_int_equal(rm_get_i32(s[0].data + 4), -2);
	rm_record_elements(r, find(f, "responses"), s);
	assert_int_equal(s[0].len, 4);
	assert_int_equal(rm_get_i32(s[0].data), 4);
	assert_non_null(s[1].data);		/* empty is not missing */
	assert_int_equal(s[1].len, 0);
	rm_record_elements(r, find(f, "response_texts"), s);
	assert_slice(s[0], "x");
	assert_null(s[1].data);
	assert_true(rm_record_f64_at(r, find(f, "rank"), 0) == 0);
	assert_true(isnan(rm_record_f64_at(r, find(f, "rank"), 1)));
	assert_int_equal(rm_record_map_size(r, find(f, "attributes")), 2);
	rm_record_map_at(r, find(f, "attributes"), 0, &name, &s[0]);
	assert_slice(name, "safe");
	assert_int_equal(s[0].len, 16);
	assert_true(rm_get_f64(s[0].data + 8) == 2.5);
	rm_record_f64s(r, find(f, "votes"), x, 3);
	assert_true(x[0] == 3 && x[1] == 1 && x[2] == 2);
	assert_int_equal(rm_record_choices(r, find(f, "annotations")), 3);
	rm_record_choice_at(r, find(f, "annotations"), 0, &name, &choice);
	assert_slice(name, "z");
	assert_int_equal(choice, 1);
	rm_record_choice_at(r, find(f, "annotations"), 2, &name, &choice);
	assert_null(name.data);
	assert_int_equal(choice, 2);
	assert_int_equal(rm_record_i32_at(r, find(f, "length"), 1), 20);
	assert_true(rm_record_f64(r, find(f, "p")) == .75);
}

static void test_absent(void **state)
{
	const struct fixture *f = *state;
	struct rm_slice s[2];
	double x[2];

	assert_true(rm_record_is_nil(&f->rec, -1));
	assert_false(rm_record_is_nil(&f->rec, 0));
	assert_null(rm_record_bytes(&f->rec, -1).data);
	assert_true(rm_record_u64(&f->rec, -1) == 0);
	assert_true(isnan(rm_record_f64(&f->rec, -1)));
	assert_true(isnan(rm_record_f64_at(&f->rec, -1, 1)));
	assert_int_equal(rm_record_i32_at(&f->rec, -1, 1), 0);
	assert_int_equal(rm_record_choices(&f->rec, -1), 0);
	rm_record_elements(&f->rec, -1, s);
	assert_null(s[1].data);
	rm_record_f64s(&f->rec, -1, x, 2);
	assert_true(isnan(x[0]) && isnan(x[1]));
}

static void test_print(void **state)
{
	struct fixture *f = *state;
	struct rm_buf json = {0};

	assert_int_equal(rm_record_print(&json, &f->rec), 0);
	assert_string_equal(rm_buf_text(&json), line);
	rm_buf_fini(&json);
}

/* Any prefix is refused, and so is a byte more. */
static void test_cut(void **state)
{
	struct fixture *f = *state;
	unsigned char *copy;

	for (size_t n = 0; n < f->payload.len; n++) {
		copy = malloc(n ? n : 1);	/* so that ASan sees overruns */
		memcpy(copy, f->payload.data, n);
		assert_int_equal(rm_record_index(&f->rec, &f->schema, copy, n),
				 -1);
		free(copy);
	}
	rm_put_nil(&f->payload);
	assert_int_equal(rm_record_index(&f->rec, &f->schema, f->payload.data,
					 f->payload.len), -1);
	assert_non_null(strstr(rm_error(), "1 bytes after the last field"));
}

/* Whatever the index lets through, every accessor can read. */
static void read_all(const struct rm_record *rec)
{
	const size_t pick[] = { rec->k - 1, 0 };
	struct rm_slice *s = calloc(rec->k, sizeof(*s)), name;
	struct rm_buf b = {0};
	size_t choice;

	for (size_t f = 0; f < rec->schema->n; f++) {
		int i = (int)f;

		switch (rec->schema->field[f].type) {
		case RM_I32_KN:
		case RM_STR_K:
			rm_record_elements(rec, i, s);
			break;
		case RM_F64_K:
			rm_record_f64_at(rec, i, rec->k - 1);
			break;
		case RM_F64_K1:
			rm_record_f64_at(rec, i, rec->k);
			break;
		case RM_F64_K_MAP:
			for (size_t m = rm_record_map_size(rec, i); m--; )
				rm_record_map_at(rec, i, m, &name, s);
			break;
		case RM_CHOICES:
			for (size_t m = rm_record_choices(rec, i); m--; ) {
				rm_record_choice_at(rec, i, m, &name, &choice);
				assert_true(choice <= rec->k);
			}
			break;
		default:
			break;
		}
		rm_put_selected(&b, rec, f, pick, rec->k > 1 ? 2 : 1);
	}
	rm_record_print(&b, rec);
	rm_buf_fini(&b);
	free(s);
}

static void test_flipped(void **state)
{
	struct fixture *f = *state;
	size_t n = f->payload.len, good = 0, bad = 0;
	unsigned char *copy = malloc(n);

	for (size_t at = 0; at < n; at++)
		for (unsigned value = 0; value < 256; value++) {
			memcpy(copy, f->payload.data, n);
			copy[at] = (unsigned char)value;
			if (rm_record_index(&f->rec, &f->schema, copy, n)) {
				bad++;
				assert_true(rm_error()[0]);
			} else {
				good++;
				if (f->rec.k)
					read_all(&f->rec);
			}
		}
	assert_true(good > n && bad > n);
	free(copy);
}

/* Fields of one type each, and what is wrong with their bytes. */
static void test_refused(void **state)
{
	static const struct {
		const char *field, *hex, *why;
	} cases[] = {
		{ "id", "91 01", "field id: a number where a string" },
		{ "id", "01", "a number of 1 values where an array" },
		{ "id", "92 c0 c0", "an array of 2 values" },
		{ "key", "91 ff", "field key: a number where a whole" },
		{ "p", "91 a1 61", "field p: a string where a number" },
		{ "prompt", "91 d6 03 00 00 00 00", "where ext 1" },
		{ "prompt", "91 d5 01 00 00", "2 bytes are no whole number" },
		{ "rank", "91 d6 01 00 00 00 00", "where ext 3" },
		{ "rank", "91 c7 00 03", "field rank: no responses" },
		{ "votes", "91 c7 00 03", "field votes: no responses" },
		{ "votes", "91 d7 03 0 0 0 0 0 0 0 0", "no responses" },
		{ "responses", "91 90", "no responses" },
		{ "responses", "91 dd 7f ff ff ff c0", "2147483647 elements" },
		{ "responses", "91 91 a1 61", "where ext 1" },
		{ "response_texts", "91 91 01", "where a string" },
		{ "response_texts", "91 a1 61", "where an array" },
		{ "attributes", "91 81 01 01", "where a name" },
		{ "attributes", "91 81 a1 61 c0", "nil where ext 3" },
		{ "annotations", "91 81 a1 61 01", "a map where an array" },
		{ "annotations", "91 91 80", "[0]: nil where a choice" },
		{ "annotations", "91 91 81 a1 61 01", "neither annotator" },
		{ "annotations",
		  "91 91 82 a6 63 68 6f 69 63 65 00 a6 63 68 6f 69 63 65 00",
		  "twice" },
		{ "annotations", "91 91 81 a6 63 68 6f 69 63 65 01",
		  "choice 1 of 0" },
		{ "extra", "91 90", "an array where a map" },
		{ "extra", "91 81 a1 61 c4 00", "binary data where a JSON" },
		{ "extra", "91 81 01 c0", "a column's name" },
		{ "extra", "91 81 a5 6d 6f 64 65 6c 01",
		  "column model is not one value" }
	};
	unsigned char bytes[64];

	(void)state;
	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		struct rm_schema schema = {0};
		struct rm_record rec = {0};

		rm_schema_add(&schema, cases[i].field);
		rm_schema_add_per_response(&schema, "model");
		assert_int_equal(rm_record_index(&rec, &schema, bytes,
				 from_hex(cases[i].hex, bytes)), -1);
		if (!strstr(rm_error(), cases[i].why))
			fail_msg("%s, not %s", rm_error(), cases[i].why);
		rm_record_fini(&rec);
		rm_schema_fini(&schema);
	}
}

static void test_too_many_responses(void **state)
{
	struct rm_schema schema = {0};
	struct rm_record rec = {0};
	struct rm_buf b = {0};

	(void)state;
	rm_schema_add(&schema, "response_texts");
	rm_put_array(&b, 1);
	rm_put_array(&b, RM_MAX_RESPONSES + 1);
	for (size_t i = 0; i <= RM_MAX_RESPONSES; i++)
		rm_put_nil(&b);
	assert_int_equal(rm_record_index(&rec, &schema, b.data, b.len), -1);
	assert_non_null(strstr(rm_error(), "at most 1048576"));
	rm_buf_fini(&b);
	rm_record_fini(&rec);
	rm_schema_fini(&schema);
}

static void test_one_k(void **state)
{
	static const char *const bad[] = {
		"{\"rank\":[0,1],\"responses\":[[1]]}",
		"{\"rank\":[0,1],\"votes\":[1,2]}",
		"{\"rank\":[0,1],\"attributes\":{\"a\":[1]}}",
		"{\"rank\":[0,1],\"extra\":{\"model\":[1,2,3]}}",
		"{\"rank\":[0,1],\"annotations\":[{\"choice\":3}]}"
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < RM_COUNT(bad); i++) {
		json_t *v = rm_json_parse(bad[i], strlen(bad[i]));

		rm_buf_clear(&f->payload);
		assert_int_equal(rm_record_parse(&f->payload, &f->schema, v),
				 -1);
		assert_non_null(strstr(rm_error(), "field "));
		json_decref(v);
	}
}

static void test_parse_refused(void **state)
{
	static const struct {
		const char *json, *why;
	} cases[] = {
		{ "[]", "an array where an object" },
		{ "{\"no\":1}", "no field no (there are id, key" },
		{ "{\"id\":1}", "field id: a number where a string" },
		{ "{\"key\":-1}", "16 hex digits" },
		{ "{\"key\":\"12\"}", "16 hex digits" },
		{ "{\"p\":\"x\"}", "field p: a string where a number" },
		{ "{\"prompt\":1}", "field prompt: a number where an array" },
		{ "{\"prompt\":[1,2.5]}", "field prompt: [1]: " },
		{ "{\"prompt\":[2147483648]}", "of 32 bits" },
		{ "{\"responses\":[1]}", "field responses: [0]: " },
		{ "{\"response_texts\":[1]}", "where a string" },
		{ "{\"rank\":[true]}", "field rank: [0]: true where a number" },
		{ "{\"rank\":{}}", "an object where an array" },
		{ "{\"attributes\":[1]}", "where an object" },
		{ "{\"attributes\":{\"a\":1}}", "field attributes: a: " },
		{ "{\"annotations\":{}}", "where an array" },
		{ "{\"annotations\":[1]}", "[0]: a number where {annotator" },
		{ "{\"extra\":[]}", "where an object" }
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < RM_COUNT(cases); i++) {
		json_t *v = rm_json_parse(cases[i].json,
					  strlen(cases[i].json));

		rm_buf_clear(&f->payload);
		assert_int_equal(rm_record_parse(&f->payload, &f->schema, v),
				 -1);
		if (!strstr(rm_error(), cases[i].why))
			fail_msg("%s, not %s", rm_error(), cases[i].why);
		json_decref(v);
	}
}

/* ---- selecting ---- */

static void check_selected(struct fixture *f, const size_t *pick, size_t n,
			   const char *expected)
{
	struct rm_buf b = {0}, json = {0};
	struct rm_record rec = {0};

	rm_put_array(&b, f->schema.n);
	for (size_t i = 0; i < f->schema.n; i++)
		rm_put_selected(&b, &f->rec, i, pick, n);
	assert_int_equal(rm_record_index(&rec, &f->schema, b.data, b.len), 0);
	assert_int_equal(rm_record_print(&json, &rec), 0);
	assert_string_equal(rm_buf_text(&json), expected);
	rm_record_fini(&rec);
	rm_buf_fini(&b);
	rm_buf_fini(&json);
}

static void test_select(void **state)
{
	static const size_t same[] = { 0, 1 }, swap[] = { 1, 0 };

	check_selected(*state, same, 2, line);
	check_selected(*state, swap, 2,
		       "{\"id\":\"a\",\"key\":\"f0e1d2c3b4a59687\","
		       "\"prompt\":[1,-2,3],\"responses\":[[],[4]],"
		       "\"response_texts\":[null,\"x\"],\"rank\":[null,0],"
		       "\"attributes\":{\"safe\":[2.5,1],\"kind\":[4,3]},"
		       "\"votes\":[1,3,2],\"annotations\":[{\"annotator\":"
		       "\"z\",\"choice\":0},{\"choice\":1},{\"choice\":2}],"
		       "\"length\":[20,10],\"p\":0.75,\"extra\":{\"note\":"
		       "\"n\",\"model\":[{\"v\":[true]},\"m\"]}}");
	check_selected(*state, swap, 1,
		       "{\"id\":\"a\",\"key\":\"f0e1d2c3b4a59687\","
		       "\"prompt\":[1,-2,3],\"responses\":[[]],"
		       "\"response_texts\":[null],\"rank\":[null],"
		       "\"attributes\":{\"safe\":[2.5],\"kind\":[4]},"
		       "\"votes\":[1,2],\"annotations\":[{\"annotator\":"
		       "\"z\",\"choice\":0},{\"choice\":1}],"
		       "\"length\":[20],\"p\":0.75,\"extra\":{\"note\":"
		       "\"n\",\"model\":[{\"v\":[true]}]}}");
}

/* ---- schemas ---- */

static void test_types(void **state)
{
	(void)state;
	for (int t = RM_STR; t <= RM_EXTRA; t++)
		assert_int_equal(rm_type_parse(rm_type_name((enum rm_type)t)),
				 t);
	assert_int_equal(rm_type_parse("f32"), -1);
	assert_non_null(strstr(rm_error(), "f64[k]"));
	assert_true(rm_type_per_response(RM_CHOICES));
	assert_false(rm_type_per_response(RM_F64));
}

static void test_schema(void **state)
{
	const struct fixture *f = *state;
	struct rm_schema s;

	assert_int_equal(rm_schema_copy(&s, &f->schema), 0);
	assert_true(rm_schema_equal(&s, &f->schema));
	assert_int_equal(rm_schema_find(&s, "reward"), -1);
	assert_int_equal(rm_schema_need(&s, "reward", ": run rm-score first"),
			 -1);
	assert_string_equal(rm_error(), "no field reward: run rm-score first "
			    "(there are id, key, prompt, responses, "
			    "response_texts, rank, attributes, votes, "
			    "annotations, length, p, extra)");
	assert_int_equal(rm_schema_add(&s, "id"), -1);
	assert_int_equal(rm_schema_add(&s, "unheard"), -1);
	assert_int_equal(rm_schema_add_typed(&s, "reward", RM_STR), -1);
	assert_non_null(strstr(rm_error(), "expected f64[k]"));
	assert_int_equal(rm_schema_add_typed(&s, "", RM_STR), -1);
	assert_int_equal(rm_schema_add_typed(&s, "mine", RM_F64), 0);
	assert_false(rm_schema_equal(&s, &f->schema));
	rm_schema_drop(&s, (size_t)rm_schema_find(&s, "mine"));
	assert_true(rm_schema_equal(&s, &f->schema));
	rm_schema_drop(&s, 0);
	assert_int_equal(rm_schema_find(&s, "key"), 0);
	assert_int_equal(rm_schema_add_per_response(&s, "model"), -1);
	assert_true(rm_schema_is_per_response(&s, (struct rm_slice){
		(const unsigned char *)"model", 5 }));
	rm_schema_fini(&s);
}

/* man/rm-stream.5 lists every known field with its type. */
static void test_manual(void **state)
{
	FILE *f = fopen("man/rm-stream.5", "r");
	static char page[65536], row[128];
	size_t n;

	(void)state;
	if (!f)
		skip();		/* not run from the source folder */
	n = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	assert_true(n > 0 && n < sizeof(page) - 1);
	for (const struct rm_field *k = rm_known_fields; k->name; k++) {
		snprintf(row, sizeof(row), "\n.It %s Ta %s Ta ", k->name,
			 rm_type_name(k->type));
		if (!strstr(page, row))
			fail_msg("rm-stream.5 lacks %s", row + 1);
		assert_true(k->help[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_values_refused),
		cmocka_unit_test(test_json_numbers),
		cmocka_unit_test(test_msgpack_json),
		cmocka_unit_test(test_put_numbers),
		cmocka_unit_test_setup_teardown(test_access, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_print, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped, setup, teardown),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_responses),
		cmocka_unit_test_setup_teardown(test_one_k, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parse_refused, setup,
						teardown),
		cmocka_unit_test(test_manual),
		cmocka_unit_test_setup_teardown(test_select, setup, teardown),
		cmocka_unit_test(test_types),
		cmocka_unit_test_setup_teardown(test_schema, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
