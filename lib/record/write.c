#include "record.h"

#include "record/scan.h"

#include <endian.h>
#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* msgpack-c writes through this; a failed buffer remembers by itself. */
static int to_buf(void *buf, const char *data, size_t len)
{
	rm_buf_append(buf, data, len);
	return 0;
}

static msgpack_packer packer(struct rm_buf *b)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, to_buf);
	return pk;
}

void rm_put_array(struct rm_buf *b, size_t n)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_array(&pk, n);
}

void rm_put_map(struct rm_buf *b, size_t n)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_map(&pk, n);
}

void rm_put_nil(struct rm_buf *b)
{
	rm_buf_putc(b, 0xc0);
}

void rm_put_str(struct rm_buf *b, const void *text, size_t n)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_str(&pk, n);
	rm_buf_append(b, text, n);
}

void rm_put_bin(struct rm_buf *b, const void *data, size_t n)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_bin(&pk, n);
	rm_buf_append(b, data, n);
}

void rm_put_bool(struct rm_buf *b, bool v)
{
	rm_buf_putc(b, v ? 0xc3 : 0xc2);
}

void rm_put_u64(struct rm_buf *b, uint64_t v)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_uint64(&pk, v);
}

/* NaN is nil: both mean missing, and there is one way to write it. */
void rm_put_f64(struct rm_buf *b, double v)
{
	msgpack_packer pk = packer(b);

	if (isnan(v))
		rm_put_nil(b);
	else
		msgpack_pack_double(&pk, v);
}

/* The head of an ext of n bytes; where its bytes go, NULL if b failed. */
static unsigned char *put_ext(struct rm_buf *b, int ext, size_t n)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_ext(&pk, n, (int8_t)ext);
	if (b->failed || rm_buf_reserve(b, n) < 0)
		return NULL;
	b->len += n;
	return b->data + b->len - n;
}

static void put_le32(unsigned char *p, int32_t v)
{
	uint32_t le = htole32((uint32_t)v);

	memcpy(p, &le, sizeof(le));
}

/* All NaNs are written alike, so that equal data are equal bytes. */
static void put_le64(unsigned char *p, double v)
{
	uint64_t le;

	memcpy(&le, &v, sizeof(le));
	le = htole64(isnan(v) ? UINT64_C(0x7ff8000000000000) : le);
	memcpy(p, &le, sizeof(le));
}

void rm_put_i32s(struct rm_buf *b, const int32_t *v, size_t n)
{
	unsigned char *p = put_ext(b, RM_EXT_I32, 4 * n);
	size_t i;

	for (i = 0; p && i < n; i++)
		put_le32(p + 4 * i, v[i]);
}

void rm_put_f64s(struct rm_buf *b, const double *v, size_t n)
{
	unsigned char *p = put_ext(b, RM_EXT_F64, 8 * n);
	size_t i;

	for (i = 0; p && i < n; i++)
		put_le64(p + 8 * i, v[i]);
}

void rm_put_raw(struct rm_buf *b, struct rm_slice value)
{
	rm_buf_append(b, value.data, value.len);
}

/*
 * JSON has one kind of number, so a whole one is an integer here whether it
 * was written 3 or 3.0; minus zero is not.
 */
static void put_real(struct rm_buf *b, double v)
{
	msgpack_packer pk = packer(b);

	if (v == floor(v) && fabs(v) < 0x1p63 && !(v == 0 && signbit(v)))
		msgpack_pack_int64(&pk, (int64_t)v);
	else
		rm_put_f64(b, v);
}

void rm_put_json(struct rm_buf *b, const json_t *value)
{
	msgpack_packer pk = packer(b);
	json_t *object = (json_t *)(uintptr_t)value, *member;
	const char *key;
	size_t i, len;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		rm_put_map(b, json_object_size(value));
		json_object_foreach(object, key, member) {
			len = strlen(key);
			rm_put_str(b, key, len);
			rm_put_json(b, member);
		}
		break;
	case JSON_ARRAY:
		rm_put_array(b, json_array_size(value));
		for (i = 0; i < json_array_size(value); i++)
			rm_put_json(b, json_array_get(value, i));
		break;
	case JSON_STRING:
		rm_put_str(b, json_string_value(value),
			   json_string_length(value));
		break;
	case JSON_INTEGER:
		msgpack_pack_int64(&pk, json_integer_value(value));
		break;
	case JSON_REAL:
		put_real(b, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		rm_put_bool(b, json_is_true(value));
		break;
	case JSON_NULL:
		rm_put_nil(b);
		break;
	}
}

/* ---- some of the responses, in another order ---- */

/* Numbers of `size` bytes at s; the n-th of n (votes for a tie) if `last`. */
static void select_numbers(struct rm_buf *b, const struct rm_scan *s,
			   size_t size, const size_t *pick, size_t n,
			   bool last)
{
	unsigned char *p = put_ext(b, s->ext, (n + last) * size);
	size_t i;

	if (!p)
		return;
	for (i = 0; i < n; i++)
		memcpy(p + i * size, s->body + pick[i] * size, size);
	if (last)
		memcpy(p + n * size, s->body + s->n - size, size);
}

static void select_elements(struct rm_buf *b, const struct rm_record *rec,
			    size_t f, const size_t *pick, size_t n)
{
	size_t i;

	rm_put_array(b, n);
	for (i = 0; i < n; i++)
		rm_put_raw(b, rec->element[rec->first[f] + pick[i]]);
}

static void select_map(struct rm_buf *b, const struct rm_record *rec,
		       size_t f, const size_t *pick, size_t n)
{
	size_t i, members = rm_record_map_size(rec, (int)f);
	struct rm_slice name, f64s;
	struct rm_scan s;

	rm_put_map(b, members);
	for (i = 0; i < members; i++) {
		rm_record_map_at(rec, (int)f, i, &name, &f64s);
		rm_put_str(b, name.data, name.len);
		s = (struct rm_scan){ .ext = RM_EXT_F64, .n = f64s.len,
				      .body = f64s.data };
		select_numbers(b, &s, 8, pick, n, false);
	}
}

static void put_choice(struct rm_buf *b, struct rm_slice annotator,
		       size_t choice)
{
	rm_put_map(b, annotator.data ? 2 : 1);
	if (annotator.data) {
		rm_put_str(b, "annotator", 9);
		rm_put_str(b, annotator.data, annotator.len);
	}
	rm_put_str(b, "choice", 6);
	rm_put_u64(b, choice);
}

/* Where each old choice stands now: place[k + 1], SIZE_MAX for dropped. */
static size_t *places(size_t k, const size_t *pick, size_t n)
{
	size_t *place = rm_malloc(k + 1, sizeof(*place)), i;

	if (!place)
		return NULL;
	for (i = 0; i < k; i++)
		place[i] = SIZE_MAX;
	for (i = 0; i < n; i++)
		place[pick[i]] = i;
	place[k] = n;
	return place;
}

static void select_choices(struct rm_buf *b, const struct rm_record *rec,
			   size_t f, const size_t *pick, size_t n)
{
	size_t i, kept = 0, choice, all = rm_record_choices(rec, (int)f);
	size_t *place = places(rec->k, pick, n);
	struct rm_slice who;

	if (!place) {
		b->failed = true;
		return;
	}
	for (i = 0; i < all; i++) {
		rm_record_choice_at(rec, (int)f, i, &who, &choice);
		kept += place[choice] != SIZE_MAX;
	}
	rm_put_array(b, kept);
	for (i = 0; i < all; i++) {
		rm_record_choice_at(rec, (int)f, i, &who, &choice);
		if (place[choice] != SIZE_MAX)
			put_choice(b, who, place[choice]);
	}
	free(place);
}

/* One value a response: the array whose head is s, up to end. */
static void select_column(struct rm_buf *b, const struct rm_scan *s,
			  const unsigned char *end, const size_t *pick,
			  size_t n)
{
	struct rm_slice *value = rm_malloc(s->n, sizeof(*value));
	const unsigned char *p = s->body;
	size_t i;

	if (!value) {
		b->failed = true;
		return;
	}
	for (i = 0; i < s->n; i++) {
		value[i].data = p;
		p = rm_scan_skip(p, end, RM_JSON_DEPTH, true);
		value[i].len = (size_t)(p - value[i].data);
	}
	rm_put_array(b, n);
	for (i = 0; i < n; i++)
		rm_put_raw(b, value[pick[i]]);
	free(value);
}

static void select_extra(struct rm_buf *b, const struct rm_record *rec,
			 struct rm_slice value, const size_t *pick, size_t n)
{
	const unsigned char *end = value.data + value.len, *p, *start;
	struct rm_scan map, name, s;

	p = rm_scan_head(&map, value.data, end);
	rm_put_map(b, map.n);
	while (map.n--) {
		p = rm_scan_head(&name, p, end);
		rm_put_str(b, name.body, name.n);
		start = p;
		p = rm_scan_skip(p, end, RM_JSON_DEPTH, true);
		rm_scan_head(&s, start, end);
		if (s.kind == RM_SCAN_ARRAY &&
		    rm_schema_is_per_response(rec->schema,
				(struct rm_slice){ name.body, name.n }))
			select_column(b, &s, p, pick, n);
		else
			rm_buf_append(b, start, (size_t)(p - start));
	}
}

void rm_put_selected(struct rm_buf *b, const struct rm_record *rec, size_t f,
		     const size_t *pick, size_t n)
{
	enum rm_type type = rec->schema->field[f].type;
	struct rm_slice v = rec->field[f];
	struct rm_scan s;

	if (rm_record_is_nil(rec, (int)f) || !rm_type_per_response(type)) {
		rm_put_raw(b, v);
		return;
	}
	rm_scan_head(&s, v.data, v.data + v.len);
	switch (type) {
	case RM_I32_K:
		select_numbers(b, &s, 4, pick, n, false);
		break;
	case RM_F64_K:
		select_numbers(b, &s, 8, pick, n, false);
		break;
	case RM_F64_K1:
		select_numbers(b, &s, 8, pick, n, true);
		break;
	case RM_F64_K_MAP:
		select_map(b, rec, f, pick, n);
		break;
	case RM_CHOICES:
		select_choices(b, rec, f, pick, n);
		break;
	case RM_EXTRA:
		select_extra(b, rec, v, pick, n);
		break;
	default:
		select_elements(b, rec, f, pick, n);
	}
}
