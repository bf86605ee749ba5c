#include "record.h"

#include "record/scan.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- indexing ---- */

/* One record being walked. */
struct walk {
	struct rm_record *rec;
	const unsigned char *p, *end;
	size_t max_choice;
	const char *max_choice_field;
};

static int set_k(struct rm_record *rec, size_t k)
{
	if (k == rec->k && k)
		return 0;
	if (!k)
		return rm_fail("no responses");
	if (rec->k)
		return rm_fail("%zu values for %zu responses", k, rec->k);
	if (k > RM_MAX_RESPONSES)
		return rm_fail("%zu values, at most %zu are allowed", k,
			       RM_MAX_RESPONSES);
	rec->k = k;
	return 0;
}

static int wrong(const struct rm_scan *s, const char *expected)
{
	return rm_fail("%s where %s should be", rm_scan_name(s), expected);
}

static int is_ext(const struct rm_scan *s, int ext, size_t size)
{
	if (s->kind != RM_SCAN_EXT || s->ext != ext)
		return wrong(s, ext == RM_EXT_I32 ? "ext 1 (int32)" :
			     "ext 3 (float64)");
	if (s->n % size)
		return rm_fail("%zu bytes are no whole number of values",
			       s->n);
	return 0;
}

static int next(struct walk *w, struct rm_scan *s)
{
	w->p = rm_scan_head(s, w->p, w->end);
	return w->p ? 0 : -1;
}

/* Room for the n elements of field f. */
static int open_elements(struct walk *w, size_t f, size_t n)
{
	struct rm_record *rec = w->rec;

	if (n > RM_MAX_RESPONSES)
		return rm_fail("%zu elements, at most %zu are allowed", n,
			       RM_MAX_RESPONSES);
	rec->first[f] = rec->n_element;
	return rm_grow(&rec->element, &rec->element_cap, rec->n_element + n,
		       sizeof(*rec->element));
}

static void add_element(struct walk *w, const unsigned char *start)
{
	w->rec->element[w->rec->n_element++] =
		(struct rm_slice){ start, (size_t)(w->p - start) };
}

/* An array of k strings or of k ext 1, nil among them. */
static int index_array(struct walk *w, size_t f, const struct rm_scan *array,
		       bool text)
{
	const unsigned char *start;
	struct rm_scan s;
	size_t i;

	if (array->kind != RM_SCAN_ARRAY)
		return wrong(array, "an array");
	if (set_k(w->rec, array->n) < 0 || open_elements(w, f, array->n) < 0)
		return -1;
	for (i = 0; i < array->n; i++) {
		start = w->p;
		if (next(w, &s) < 0)
			return -1;
		if (s.kind != RM_SCAN_NIL &&
		    (text ? s.kind != RM_SCAN_STR && wrong(&s, "a string") :
			    is_ext(&s, RM_EXT_I32, 4)))
			return -1;
		add_element(w, start);
	}
	return 0;
}

/* A map of names to ext 3 of k. */
static int index_map(struct walk *w, size_t f, const struct rm_scan *map)
{
	const unsigned char *start;
	struct rm_scan s;
	size_t i;

	if (map->kind != RM_SCAN_MAP)
		return wrong(map, "a map");
	if (open_elements(w, f, map->n) < 0)
		return -1;
	for (i = 0; i < map->n; i++) {
		start = w->p;
		if (next(w, &s) < 0)
			return -1;
		if (s.kind != RM_SCAN_STR)
			return wrong(&s, "a name");
		if (next(w, &s) < 0 || is_ext(&s, RM_EXT_F64, 8) < 0 ||
		    set_k(w->rec, s.n / 8) < 0)
			return -1;
		add_element(w, start);
	}
	return 0;
}

/* The members of one choice, which are n; values in *annotator, *choice. */
static const unsigned char *read_choice(const unsigned char *p,
					const unsigned char *end, size_t n,
					struct rm_scan *annotator,
					struct rm_scan *choice)
{
	struct rm_scan key, *value;

	memset(annotator, 0, sizeof(*annotator));
	memset(choice, 0, sizeof(*choice));
	while (n--) {
		p = rm_scan_head(&key, p, end);
		if (!p)
			return NULL;
		if (key.kind == RM_SCAN_STR && key.n == 6 &&
		    !memcmp(key.body, "choice", 6))
			value = choice;
		else if (key.kind == RM_SCAN_STR && key.n == 9 &&
			 !memcmp(key.body, "annotator", 9))
			value = annotator;
		else
			return rm_fail_null("a member that is neither "
					    "annotator nor choice");
		if (value->kind != RM_SCAN_NIL)
			return rm_fail_null("a member stands there twice");
		p = rm_scan_head(value, p, end);
		if (!p)
			return NULL;
	}
	return p;
}

static int index_choice(struct walk *w, size_t f)
{
	struct rm_scan map, annotator, choice;

	if (next(w, &map) < 0)
		return -1;
	if (map.kind != RM_SCAN_MAP)
		return wrong(&map, "a map");
	w->p = read_choice(w->p, w->end, map.n, &annotator, &choice);
	if (!w->p)
		return -1;
	if (annotator.kind != RM_SCAN_STR && annotator.kind != RM_SCAN_NIL)
		return wrong(&annotator, "the annotator's name");
	if (choice.kind != RM_SCAN_UINT)
		return wrong(&choice, "a choice");
	if (choice.u >= w->max_choice) {
		w->max_choice = (size_t)choice.u;
		w->max_choice_field = w->rec->schema->field[f].name;
	}
	return 0;
}

static int index_choices(struct walk *w, size_t f, const struct rm_scan *array)
{
	const unsigned char *start;
	size_t i;

	if (array->kind != RM_SCAN_ARRAY)
		return wrong(array, "an array");
	if (open_elements(w, f, array->n) < 0)
		return -1;
	for (i = 0; i < array->n; i++) {
		start = w->p;
		if (index_choice(w, f) < 0)
			return rm_wrap("[%zu]", i);
		add_element(w, start);
	}
	return 0;
}

static int index_column(struct walk *w)
{
	struct rm_scan name, s;

	if (next(w, &name) < 0)
		return -1;
	if (name.kind != RM_SCAN_STR)
		return wrong(&name, "a column's name");
	if (rm_schema_is_per_response(w->rec->schema,
			(struct rm_slice){ name.body, name.n })) {
		if (!rm_scan_head(&s, w->p, w->end))
			return -1;
		if (s.kind != RM_SCAN_NIL &&
		    (s.kind != RM_SCAN_ARRAY || set_k(w->rec, s.n) < 0))
			return rm_fail("column %.*s is not one value a "
				       "response", (int)RM_MIN(name.n, 64),
				       (const char *)name.body);
	}
	w->p = rm_scan_skip(w->p, w->end, RM_JSON_DEPTH, true);
	return w->p ? 0 : -1;
}

static int index_extra(struct walk *w, const struct rm_scan *map)
{
	size_t i;

	if (map->kind != RM_SCAN_MAP)
		return wrong(map, "a map");
	for (i = 0; i < map->n; i++)
		if (index_column(w) < 0)
			return -1;
	return 0;
}

static int index_f64s(struct walk *w, const struct rm_scan *s, size_t extra)
{
	if (is_ext(s, RM_EXT_F64, 8) < 0)
		return -1;
	if (s->n / 8 < extra)
		return rm_fail("no responses");
	return set_k(w->rec, s->n / 8 - extra);
}

/* The value of field f, whose head is s. */
static int index_value(struct walk *w, size_t f, const struct rm_scan *s)
{
	switch (w->rec->schema->field[f].type) {
	case RM_STR:
		return s->kind == RM_SCAN_STR ? 0 : wrong(s, "a string");
	case RM_U64:
		return s->kind == RM_SCAN_UINT ? 0 :
		       wrong(s, "a whole number from 0");
	case RM_F64:
		return rm_scan_is_number(s) ? 0 : wrong(s, "a number");
	case RM_I32_N:
		return is_ext(s, RM_EXT_I32, 4);
	case RM_I32_K:
		return is_ext(s, RM_EXT_I32, 4) < 0 ? -1 :
		       set_k(w->rec, s->n / 4);
	case RM_I32_KN:
		return index_array(w, f, s, false);
	case RM_STR_K:
		return index_array(w, f, s, true);
	case RM_F64_K:
		return index_f64s(w, s, 0);
	case RM_F64_K1:
		return index_f64s(w, s, 1);
	case RM_F64_K_MAP:
		return index_map(w, f, s);
	case RM_CHOICES:
		return index_choices(w, f, s);
	case RM_EXTRA:
		return index_extra(w, s);
	}
	return rm_fail("no such type");
}

static int index_field(struct walk *w, size_t f)
{
	const unsigned char *start = w->p;
	struct rm_scan *s = &w->rec->head[f];

	if (next(w, s) < 0)
		return -1;
	if (s->kind != RM_SCAN_NIL && index_value(w, f, s) < 0)
		return -1;
	w->rec->field[f] = (struct rm_slice){ start, (size_t)(w->p - start) };
	return 0;
}

static int reserve(struct rm_record *rec, size_t n)
{
	struct rm_slice *field;
	struct rm_scan *head;
	size_t *first;

	if (n <= rec->cap)
		return 0;
	head = rm_realloc(rec->head, n, sizeof(*head));
	if (!head)
		return -1;
	rec->head = head;
	field = rm_realloc(rec->field, n, sizeof(*field));
	if (!field)
		return -1;
	rec->field = field;
	first = rm_realloc(rec->first, n, sizeof(*first));
	if (!first)
		return -1;
	rec->first = first;
	rec->cap = n;
	return 0;
}

int rm_record_index(struct rm_record *rec, const struct rm_schema *schema,
		    const void *payload, size_t len)
{
	struct walk w = { rec, payload, NULL, 0, NULL };
	struct rm_scan array;
	size_t f;

	w.end = w.p + len;
	rec->schema = schema;
	rec->data = payload;
	rec->len = len;
	rec->k = rec->n_element = 0;
	if (reserve(rec, schema->n) < 0 || next(&w, &array) < 0)
		return -1;
	if (array.kind != RM_SCAN_ARRAY || array.n != schema->n)
		return rm_fail("%s of %zu values where an array of %zu fields "
			       "should be", rm_scan_name(&array),
			       array.kind == RM_SCAN_ARRAY ? array.n : 1,
			       schema->n);
	for (f = 0; f < schema->n; f++)
		if (index_field(&w, f) < 0)
			return rm_wrap("field %s", schema->field[f].name);
	if (w.p != w.end)
		return rm_fail("%zu bytes after the last field",
			       (size_t)(w.end - w.p));
	if (w.max_choice > rec->k)
		return rm_fail("field %s: choice %zu of %zu responses",
			       w.max_choice_field, w.max_choice, rec->k);
	return 0;
}

void rm_record_fini(struct rm_record *rec)
{
	free(rec->field);
	free(rec->head);
	free(rec->element);
	free(rec->first);
	memset(rec, 0, sizeof(*rec));
}

/* ---- access: the index has checked all this, so nothing can fail ---- */

/* The head of field f; nil for -1. */
static const struct rm_scan *head_of(const struct rm_record *rec, int f)
{
	static const struct rm_scan nil = { .kind = RM_SCAN_NIL };

	return f < 0 ? &nil : &rec->head[f];
}

/* The bytes of a str or ext; data NULL for nil. */
static struct rm_slice bytes_of(const struct rm_scan *s)
{
	if (s->kind == RM_SCAN_NIL)
		return (struct rm_slice){ NULL, 0 };
	return (struct rm_slice){ s->body, s->n };
}

static struct rm_slice inside(struct rm_slice value)
{
	struct rm_scan s = { .kind = RM_SCAN_NIL };

	rm_scan_head(&s, value.data, value.data + value.len);
	return bytes_of(&s);
}

bool rm_record_is_nil(const struct rm_record *rec, int f)
{
	return head_of(rec, f)->kind == RM_SCAN_NIL;
}

struct rm_slice rm_record_bytes(const struct rm_record *rec, int f)
{
	return bytes_of(head_of(rec, f));
}

uint64_t rm_record_u64(const struct rm_record *rec, int f)
{
	const struct rm_scan *s = head_of(rec, f);

	return s->kind == RM_SCAN_NIL ? 0 : s->u;
}

double rm_record_f64(const struct rm_record *rec, int f)
{
	const struct rm_scan *s = head_of(rec, f);

	return s->kind == RM_SCAN_NIL ? (double)NAN : rm_scan_number(s);
}

double rm_record_f64_at(const struct rm_record *rec, int f, size_t i)
{
	const struct rm_scan *s = head_of(rec, f);

	return s->kind == RM_SCAN_NIL ? (double)NAN :
		rm_get_f64(s->body + 8 * i);
}

void rm_record_f64s(const struct rm_record *rec, int f, double *out, size_t n)
{
	const struct rm_scan *s = head_of(rec, f);
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = s->kind == RM_SCAN_NIL ? (double)NAN :
			 rm_get_f64(s->body + 8 * i);
}

int32_t rm_record_i32_at(const struct rm_record *rec, int f, size_t i)
{
	const struct rm_scan *s = head_of(rec, f);

	return s->kind == RM_SCAN_NIL ? 0 : rm_get_i32(s->body + 4 * i);
}

void rm_record_elements(const struct rm_record *rec, int f,
			struct rm_slice *out)
{
	bool nil = rm_record_is_nil(rec, f);
	size_t i;

	for (i = 0; i < rec->k; i++)
		out[i] = nil ? (struct rm_slice){ NULL, 0 } :
			 inside(rec->element[rec->first[f] + i]);
}

size_t rm_record_map_size(const struct rm_record *rec, int f)
{
	return rm_record_is_nil(rec, f) ? 0 : head_of(rec, f)->n;
}

void rm_record_map_at(const struct rm_record *rec, int f, size_t i,
		      struct rm_slice *name, struct rm_slice *f64s)
{
	struct rm_slice e = rec->element[rec->first[f] + i];

	*name = inside(e);
	e.len -= (size_t)(name->data + name->len - e.data);
	e.data = name->data + name->len;
	*f64s = inside(e);
}

size_t rm_record_choices(const struct rm_record *rec, int f)
{
	return rm_record_map_size(rec, f);
}

void rm_record_choice_at(const struct rm_record *rec, int f, size_t i,
			 struct rm_slice *annotator, size_t *choice)
{
	const struct rm_slice *e = &rec->element[rec->first[f] + i];
	const unsigned char *end = e->data + e->len, *p;
	struct rm_scan map, who, what;

	p = rm_scan_head(&map, e->data, end);
	read_choice(p, end, map.n, &who, &what);
	*annotator = who.kind == RM_SCAN_NIL ? (struct rm_slice){ NULL, 0 } :
		     (struct rm_slice){ who.body, who.n };
	*choice = (size_t)what.u;
}

int32_t rm_get_i32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (int32_t)le32toh(v);
}

double rm_get_f64(const unsigned char *p)
{
	uint64_t v;
	double d;

	memcpy(&v, p, sizeof(v));
	v = le64toh(v);
	memcpy(&d, &v, sizeof(d));
	return d;
}
