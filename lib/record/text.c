#include "record.h"

#include "record/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- msgpack to JSON text ---- */

static int print_text(struct rm_buf *json, const unsigned char *p, size_t n)
{
	if (rm_utf8_valid(p, n) != n)
		return rm_fail("invalid UTF-8");
	rm_json_quote(json, p, n);
	return 0;
}

/* v in decimal at p, at most 20 digits; where they end. */
static unsigned char *put_digits(unsigned char *p, uint64_t v)
{
	unsigned char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (unsigned char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}

static unsigned char *put_i64(unsigned char *p, int64_t v)
{
	if (v >= 0)
		return put_digits(p, (uint64_t)v);
	*p++ = '-';
	return put_digits(p, 0 - (uint64_t)v);
}

static void print_u64(struct rm_buf *json, uint64_t v)
{
	unsigned char digits[20];

	rm_buf_append(json, digits, (size_t)(put_digits(digits, v) - digits));
}

static void print_i64(struct rm_buf *json, int64_t v)
{
	unsigned char digits[21];

	rm_buf_append(json, digits, (size_t)(put_i64(digits, v) - digits));
}

/* Most of what is printed are ids: straight into the buffer. */
static void print_i32s(struct rm_buf *json, const unsigned char *v, size_t n)
{
	enum { WIDEST = sizeof("-2147483648,") - 1 };
	unsigned char *p;
	size_t i;

	if (rm_buf_reserve(json, WIDEST * n) < 0)
		return;
	p = json->data + json->len;
	for (i = 0; i < n; i++) {
		p = put_i64(p, rm_get_i32(v + 4 * i));
		*p++ = ',';
	}
	json->len = (size_t)(p - json->data) - (n > 0);
}

static void print_f64s(struct rm_buf *json, const unsigned char *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (i)
			rm_buf_putc(json, ',');
		rm_json_number(json, rm_get_f64(v + 8 * i));
	}
}

static int print_ext(struct rm_buf *json, const struct rm_scan *s)
{
	size_t size = s->ext == RM_EXT_I32 ? 4 : 8;

	if ((s->ext != RM_EXT_I32 && s->ext != RM_EXT_F64) || s->n % size)
		return rm_fail("ext %d of %zu bytes has no form in JSON",
			       s->ext, s->n);
	rm_buf_putc(json, '[');
	if (s->ext == RM_EXT_I32)
		print_i32s(json, s->body, s->n / 4);
	else
		print_f64s(json, s->body, s->n / 8);
	rm_buf_putc(json, ']');
	return 0;
}

static const unsigned char *print_value(struct rm_buf *json,
					const unsigned char *p,
					const unsigned char *end,
					unsigned depth);

static const unsigned char *print_key(struct rm_buf *json,
				      const unsigned char *p,
				      const unsigned char *end)
{
	struct rm_scan s;

	p = rm_scan_head(&s, p, end);
	if (!p)
		return NULL;
	if (s.kind != RM_SCAN_STR)
		return rm_fail_null("a map's key is %s, not a string",
				    rm_scan_name(&s));
	if (print_text(json, s.body, s.n) < 0)
		return NULL;
	rm_buf_putc(json, ':');
	return p;
}

/* The elements or members of s, at p. */
static const unsigned char *print_members(struct rm_buf *json,
					  const struct rm_scan *s,
					  const unsigned char *p,
					  const unsigned char *end,
					  unsigned depth)
{
	bool map = s->kind == RM_SCAN_MAP;
	size_t i;

	if (!depth)
		return rm_fail_null("nested too deep");
	rm_buf_putc(json, map ? '{' : '[');
	for (i = 0; i < s->n && p; i++) {
		if (i)
			rm_buf_putc(json, ',');
		if (map)
			p = print_key(json, p, end);
		if (p)
			p = print_value(json, p, end, depth - 1);
	}
	rm_buf_putc(json, map ? '}' : ']');
	return p;
}

static const unsigned char *print_value(struct rm_buf *json,
					const unsigned char *p,
					const unsigned char *end,
					unsigned depth)
{
	struct rm_scan s;

	p = rm_scan_head(&s, p, end);
	if (!p)
		return NULL;
	switch (s.kind) {
	case RM_SCAN_NIL:
		rm_buf_puts(json, "null");
		break;
	case RM_SCAN_BOOL:
		rm_buf_puts(json, s.u ? "true" : "false");
		break;
	case RM_SCAN_UINT:
		print_u64(json, s.u);
		break;
	case RM_SCAN_INT:
		print_i64(json, s.i);
		break;
	case RM_SCAN_FLOAT:
		rm_json_number(json, s.f);
		break;
	case RM_SCAN_STR:
		return print_text(json, s.body, s.n) < 0 ? NULL : p;
	case RM_SCAN_BIN:
		return rm_fail_null("binary data has no form in JSON");
	case RM_SCAN_EXT:
		return print_ext(json, &s) < 0 ? NULL : p;
	case RM_SCAN_ARRAY:
	case RM_SCAN_MAP:
		return print_members(json, &s, p, end, depth);
	}
	return p;
}

int rm_msgpack_print(struct rm_buf *json, struct rm_slice value)
{
	const unsigned char *end = value.data + value.len;
	const unsigned char *p = print_value(json, value.data, end,
					     RM_JSON_DEPTH + 2);

	if (!p)
		return -1;
	if (p != end)
		return rm_fail("%zu bytes after the value",
			       (size_t)(end - p));
	return json->failed ? -1 : 0;
}

/*
 * A u64 is a hash; as a number it would lose its low bits in every JSON
 * reader that holds numbers as doubles, so it is a string of hex digits.
 */
static void print_hash(struct rm_buf *json, uint64_t v)
{
	char text[18] = "\"", *p = text + 1;
	int shift;

	for (shift = 60; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	*p = '"';
	rm_buf_append(json, text, sizeof(text));
}

int rm_record_print_field(struct rm_buf *json, const struct rm_record *rec,
			  size_t f)
{
	if (rec->schema->field[f].type != RM_U64 ||
	    rm_record_is_nil(rec, (int)f))
		return rm_msgpack_print(json, rec->field[f]);
	print_hash(json, rm_record_u64(rec, (int)f));
	return 0;
}

int rm_record_print(struct rm_buf *json, const struct rm_record *rec)
{
	const char *name;
	size_t f;

	rm_buf_putc(json, '{');
	for (f = 0; f < rec->schema->n; f++) {
		name = rec->schema->field[f].name;
		if (f)
			rm_buf_putc(json, ',');
		rm_json_quote(json, name, strlen(name));
		rm_buf_putc(json, ':');
		if (rm_record_print_field(json, rec, f) < 0)
			return rm_wrap("field %s", name);
	}
	rm_buf_putc(json, '}');
	return json->failed ? -1 : 0;
}

/* ---- msgpack to JSON values ---- */

static const unsigned char *to_json(json_t **out, const unsigned char *p,
				    const unsigned char *end, unsigned depth);

static json_t *text_json(const struct rm_scan *s)
{
	json_t *text = json_stringn((const char *)s->body, s->n);

	return text ? text : rm_fail_null("invalid UTF-8");
}

/* The elements of s, at p, into the JSON array. */
static const unsigned char *array_json(json_t *array, const struct rm_scan *s,
				       const unsigned char *p,
				       const unsigned char *end,
				       unsigned depth)
{
	json_t *value;
	size_t i;

	for (i = 0; i < s->n; i++) {
		p = to_json(&value, p, end, depth);
		if (!p)
			return NULL;
		if (json_array_append_new(array, value) < 0)
			return rm_fail_null("out of memory");
	}
	return p;
}

static const unsigned char *map_json(json_t *object, const struct rm_scan *s,
				     const unsigned char *p,
				     const unsigned char *end, unsigned depth)
{
	struct rm_scan key;
	json_t *value;
	size_t i;

	for (i = 0; i < s->n; i++) {
		p = rm_scan_head(&key, p, end);
		if (!p)
			return NULL;
		if (key.kind != RM_SCAN_STR || memchr(key.body, 0, key.n))
			return rm_fail_null("a map's key is not plain text");
		p = to_json(&value, p, end, depth);
		if (!p)
			return NULL;
		if (json_object_setn_new(object, (const char *)key.body,
					 key.n, value) < 0)
			return rm_fail_null("invalid UTF-8 in a map's key");
	}
	return p;
}

static const unsigned char *container_json(json_t **out,
					   const struct rm_scan *s,
					   const unsigned char *p,
					   const unsigned char *end,
					   unsigned depth)
{
	bool map = s->kind == RM_SCAN_MAP;
	json_t *value = map ? json_object() : json_array();

	if (!depth || !value)
		p = rm_fail_null(depth ? "out of memory" : "nested too deep");
	else if (map)
		p = map_json(value, s, p, end, depth - 1);
	else
		p = array_json(value, s, p, end, depth - 1);
	if (!p) {
		json_decref(value);
		return NULL;
	}
	*out = value;
	return p;
}

static json_t *number_json(const struct rm_scan *s)
{
	if (s->kind == RM_SCAN_INT)
		return json_integer(s->i);
	if (s->kind == RM_SCAN_UINT && s->u <= INT64_MAX)
		return json_integer((json_int_t)s->u);
	if (s->kind == RM_SCAN_UINT)
		return rm_fail_null("%llu is too large",
				    (unsigned long long)s->u);
	return isfinite(s->f) ? json_real(s->f) : json_null();
}

static const unsigned char *to_json(json_t **out, const unsigned char *p,
				    const unsigned char *end, unsigned depth)
{
	struct rm_scan s;

	p = rm_scan_head(&s, p, end);
	if (!p)
		return NULL;
	if (s.kind == RM_SCAN_ARRAY || s.kind == RM_SCAN_MAP)
		return container_json(out, &s, p, end, depth);
	if (s.kind == RM_SCAN_NIL)
		*out = json_null();
	else if (s.kind == RM_SCAN_BOOL)
		*out = json_boolean(s.u);
	else if (rm_scan_is_number(&s))
		*out = number_json(&s);
	else if (s.kind == RM_SCAN_STR)
		*out = text_json(&s);
	else
		*out = rm_fail_null("%s has no form in JSON",
				    rm_scan_name(&s));
	return *out ? p : NULL;
}

json_t *rm_msgpack_json(struct rm_slice value)
{
	const unsigned char *end = value.data + value.len, *p;
	json_t *json;

	p = to_json(&json, value.data, end, RM_JSON_DEPTH + 2);
	if (p && p != end) {
		json_decref(json);
		return rm_fail_null("%zu bytes after the value",
				    (size_t)(end - p));
	}
	return p ? json : NULL;
}

/* ---- JSON values to fields ---- */

static const char *json_name(const json_t *v)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
		[JSON_REAL] = "a number", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false", [JSON_NULL] = "null"
	};

	return names[json_typeof(v)];
}

static int wrong(const json_t *v, const char *expected)
{
	return rm_fail("%s where %s should be", json_name(v), expected);
}

static int parse_text(struct rm_buf *b, const json_t *v)
{
	if (!json_is_string(v))
		return wrong(v, "a string");
	rm_put_str(b, json_string_value(v), json_string_length(v));
	return 0;
}

static int parse_u64(struct rm_buf *b, const json_t *v)
{
	const char *hex = json_string_value(v);

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		rm_put_u64(b, (uint64_t)json_integer_value(v));
		return 0;
	}
	if (!hex || strlen(hex) != 16 ||
	    strspn(hex, "0123456789abcdefABCDEF") != 16)
		return wrong(v, "16 hex digits (or a whole number from 0)");
	rm_put_u64(b, strtoull(hex, NULL, 16));
	return 0;
}

static int parse_f64(struct rm_buf *b, const json_t *v)
{
	if (!json_is_number(v))
		return wrong(v, "a number");
	rm_put_f64(b, json_number_value(v));
	return 0;
}

static int parse_i32s(struct rm_buf *b, const json_t *v)
{
	size_t i, n = json_array_size(v);
	const json_t *e;
	int32_t *out;
	json_int_t x;

	if (!json_is_array(v))
		return wrong(v, "an array of whole numbers");
	out = rm_malloc(n, sizeof(*out));
	for (i = 0; out && i < n; i++) {
		e = json_array_get(v, i);
		x = json_integer_value(e);
		if (!json_is_integer(e) || x < INT32_MIN || x > INT32_MAX) {
			free(out);
			wrong(e, "a whole number of 32 bits");
			return rm_wrap("[%zu]", i);
		}
		out[i] = (int32_t)x;
	}
	if (out)
		rm_put_i32s(b, out, n);
	free(out);
	return out ? 0 : -1;
}

static int parse_f64s(struct rm_buf *b, const json_t *v)
{
	size_t i, n = json_array_size(v);
	const json_t *e;
	double *out;

	if (!json_is_array(v))
		return wrong(v, "an array of numbers");
	out = rm_malloc(n, sizeof(*out));
	for (i = 0; out && i < n; i++) {
		e = json_array_get(v, i);
		if (!json_is_number(e) && !json_is_null(e)) {
			free(out);
			wrong(e, "a number");
			return rm_wrap("[%zu]", i);
		}
		out[i] = json_is_null(e) ? (double)NAN : json_number_value(e);
	}
	if (out)
		rm_put_f64s(b, out, n);
	free(out);
	return out ? 0 : -1;
}

static int parse_each(struct rm_buf *b, const json_t *v,
		      int (*parse)(struct rm_buf *, const json_t *))
{
	json_t *e;
	size_t i;

	if (!json_is_array(v))
		return wrong(v, "an array");
	rm_put_array(b, json_array_size(v));
	json_array_foreach(v, i, e) {
		if (json_is_null(e))
			rm_put_nil(b);
		else if (parse(b, e) < 0)
			return rm_wrap("[%zu]", i);
	}
	return 0;
}

static int parse_map(struct rm_buf *b, const json_t *v)
{
	json_t *object = (json_t *)(uintptr_t)v, *member;
	const char *key;

	if (!json_is_object(v))
		return wrong(v, "an object");
	rm_put_map(b, json_object_size(v));
	json_object_foreach(object, key, member) {
		rm_put_str(b, key, strlen(key));
		if (parse_f64s(b, member) < 0)
			return rm_wrap("%s", key);
	}
	return 0;
}

static int parse_choices(struct rm_buf *b, const json_t *v)
{
	json_t *e;
	size_t i;

	if (!json_is_array(v))
		return wrong(v, "an array");
	rm_put_array(b, json_array_size(v));
	json_array_foreach(v, i, e) {
		if (!json_is_object(e)) {
			wrong(e, "{annotator, choice}");
			return rm_wrap("[%zu]", i);
		}
		rm_put_json(b, e);
	}
	return 0;
}

static int parse_extra(struct rm_buf *b, const json_t *v)
{
	if (!json_is_object(v))
		return wrong(v, "an object");
	rm_put_json(b, v);
	return 0;
}

static int parse_field(struct rm_buf *b, enum rm_type type, const json_t *v)
{
	if (!v || json_is_null(v)) {
		rm_put_nil(b);
		return 0;
	}
	switch (type) {
	case RM_STR:
		return parse_text(b, v);
	case RM_U64:
		return parse_u64(b, v);
	case RM_F64:
		return parse_f64(b, v);
	case RM_I32_N:
	case RM_I32_K:
		return parse_i32s(b, v);
	case RM_I32_KN:
		return parse_each(b, v, parse_i32s);
	case RM_STR_K:
		return parse_each(b, v, parse_text);
	case RM_F64_K:
	case RM_F64_K1:
		return parse_f64s(b, v);
	case RM_F64_K_MAP:
		return parse_map(b, v);
	case RM_CHOICES:
		return parse_choices(b, v);
	case RM_EXTRA:
		return parse_extra(b, v);
	}
	return rm_fail("no such type");
}

static int check_members(const struct rm_schema *schema, const json_t *object)
{
	json_t *o = (json_t *)(uintptr_t)object, *member;
	const char *key;

	if (!json_is_object(object))
		return wrong(object, "an object");
	json_object_foreach(o, key, member)
		if (rm_schema_need(schema, key, "") < 0)
			return -1;
	return 0;
}

/*
 * What the fields have to agree on (k, choices) the index knows best: it
 * looks at what was written.
 */
int rm_record_parse(struct rm_buf *payload, const struct rm_schema *schema,
		    const json_t *object)
{
	size_t f, start = payload->len;
	struct rm_record rec = {0};
	const char *name;
	int ok;

	if (check_members(schema, object) < 0)
		return -1;
	rm_put_array(payload, schema->n);
	for (f = 0; f < schema->n; f++) {
		name = schema->field[f].name;
		if (parse_field(payload, schema->field[f].type,
				json_object_get(object, name)) < 0)
			return rm_wrap("field %s", name);
	}
	if (payload->failed)
		return -1;
	ok = rm_record_index(&rec, schema, payload->data + start,
			     payload->len - start);
	rm_record_fini(&rec);
	return ok;
}
