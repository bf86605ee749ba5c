/* Values as Python has them: truth, equality, order, what they hold. */
#include "template/jinja.h"

#include <math.h>
#include <string.h>

const char *rm_value_type_name(uint32_t type)
{
	static const char *const names[] = {
		"undefined", "None", "bool", "int", "float", "str", "list",
		"tuple", "dict", "generator", "namespace", "loop", "macro",
		"function", "method", "nothing"
	};

	return names[type];
}

int rm_value_refuse(struct rm_jinja_run *r, struct rm_value v,
		    const char *what)
{
	const struct rm_node *n = v.u.node;
	struct rm_value name;

	(void)r;
	if (v.type != RM_V_UNDEFINED)
		return rm_fail("%s is of type %s", what,
			       rm_value_type_name(v.type));
	if (!n)
		return rm_fail("an undefined value is used");
	name = n->value;
	if (!rm_is_string(name))
		return rm_fail("%s has no such item",
			       rm_value_type_name(v.len));
	if (n->kind == RM_N_NAME)
		return rm_fail("'%.*s' is undefined", (int)name.len,
			       (const char *)name.u.s);
	return rm_fail("%s has no attribute '%.*s'",
		       rm_value_type_name(v.len), (int)name.len,
		       (const char *)name.u.s);
}

bool rm_value_true(struct rm_value v)
{
	switch (v.type) {
	case RM_V_UNDEFINED:
	case RM_V_NONE:
	case RM_V_OMITTED:
		return false;
	case RM_V_BOOL:
		return v.u.b;
	case RM_V_INT:
		return v.u.i != 0;
	case RM_V_FLOAT:
		return v.u.f != 0;
	case RM_V_STRING:
		return v.len != 0;
	case RM_V_LIST:
	case RM_V_TUPLE:
		return v.u.list->n != 0;
	case RM_V_DICT:
		return v.u.dict->n != 0;
	default:
		return true;
	}
}

bool rm_value_int(struct rm_value v, int64_t *i)
{
	if (v.type == RM_V_INT)
		*i = v.u.i;
	else if (v.type == RM_V_BOOL)
		*i = v.u.b;
	else
		return false;
	return true;
}

bool rm_value_number(struct rm_value v, double *f)
{
	int64_t i;

	if (v.type == RM_V_FLOAT) {
		*f = v.u.f;
		return true;
	}
	if (!rm_value_int(v, &i))
		return false;
	*f = (double)i;
	return true;
}

/* ---- equality and order ---- */

static int deeper(struct rm_jinja_run *r)
{
	if (++r->depth > RM_JINJA_MAX_DEPTH)
		return rm_fail("values nested too deep");
	return rm_run_work(r, 1);
}

static bool same_text(struct rm_value a, struct rm_value b)
{
	return a.len == b.len && memcmp(a.u.s, b.u.s, a.len) == 0;
}

static int same_lists(struct rm_jinja_run *r, const struct rm_list *a,
		      const struct rm_list *b)
{
	int same = a->n == b->n && a->kind == b->kind;

	for (size_t i = 0; i < a->n && same > 0; i++)
		same = rm_value_equal(r, a->item[i], b->item[i]);
	return same;
}

static int same_dicts(struct rm_jinja_run *r, const struct rm_dict *a,
		      const struct rm_dict *b)
{
	int same = a->n == b->n;

	for (size_t i = 0; i < a->n && same > 0; i++) {
		const struct rm_value *v = rm_dict_find(r, b,
							a->pair[i].key);

		same = v ? rm_value_equal(r, a->pair[i].value, *v) : 0;
	}
	return same;
}

int rm_value_equal(struct rm_jinja_run *r, struct rm_value a,
		   struct rm_value b)
{
	double x, y;
	int same;

	if (rm_is_string(a) && rm_is_string(b))
		return same_text(a, b);
	if (a.type == RM_V_INT && b.type == RM_V_INT)
		return a.u.i == b.u.i;
	if (rm_value_number(a, &x) && rm_value_number(b, &y))
		return x == y;
	if (a.type != b.type)
		return 0;
	if (deeper(r) < 0)
		return -1;
	if (rm_is_sequence(a))
		same = same_lists(r, a.u.list, b.u.list);
	else if (a.type == RM_V_DICT)
		same = same_dicts(r, a.u.dict, b.u.dict);
	else
		same = a.type == RM_V_NONE || a.type == RM_V_UNDEFINED ||
		       a.u.node == b.u.node;
	r->depth--;
	return same;
}

static int order_text(struct rm_value a, struct rm_value b)
{
	size_t n = RM_MIN(a.len, b.len);
	int order = n ? memcmp(a.u.s, b.u.s, n) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int order_lists(struct rm_jinja_run *r, const struct rm_list *a,
		       const struct rm_list *b, int *order)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		int same = rm_value_equal(r, a->item[i], b->item[i]);

		if (same < 0)
			return -1;
		if (!same)
			return rm_value_order(r, a->item[i], b->item[i],
					      order);
	}
	*order = (a->n > b->n) - (a->n < b->n);
	return 0;
}

int rm_value_order(struct rm_jinja_run *r, struct rm_value a,
		   struct rm_value b, int *order)
{
	double x, y;
	int err;

	if (rm_is_string(a) && rm_is_string(b)) {
		*order = order_text(a, b);
		return 0;
	}
	if (a.type == RM_V_INT && b.type == RM_V_INT) {
		*order = (a.u.i > b.u.i) - (a.u.i < b.u.i);
		return 0;
	}
	if (rm_value_number(a, &x) && rm_value_number(b, &y)) {
		*order = (x > y) - (x < y);
		return 0;
	}
	if (rm_is_sequence(a) && a.type == b.type &&
	    a.u.list->kind == RM_LIST && b.u.list->kind == RM_LIST) {
		if (deeper(r) < 0)
			return -1;
		err = order_lists(r, a.u.list, b.u.list, order);
		r->depth--;
		return err;
	}
	if (a.type == RM_V_UNDEFINED || b.type == RM_V_UNDEFINED)
		return rm_value_refuse(r, a.type == RM_V_UNDEFINED ? a : b,
				       "");
	return rm_fail("%s and %s have no order", rm_value_type_name(a.type),
		       rm_value_type_name(b.type));
}

int rm_value_in(struct rm_jinja_run *r, struct rm_value a, struct rm_value b)
{
	const struct rm_list *l;
	int same = 0;

	if (rm_is_string(b)) {
		if (!rm_is_string(a))
			return rm_value_refuse(r, a, "what a string may hold");
		if (rm_run_work(r, b.len / 64) < 0)
			return -1;
		return a.len == 0 ||
		       memmem(b.u.s, b.len, a.u.s, a.len) != NULL;
	}
	if (b.type == RM_V_DICT && (a.type == RM_V_LIST ||
				    a.type == RM_V_DICT))
		return rm_value_refuse(r, a, "a key");
	if (b.type == RM_V_DICT)
		return rm_dict_find(r, b.u.dict, a) != NULL;
	l = rm_value_items(r, b);
	if (!l)
		return -1;
	for (size_t i = 0; i < l->n && same == 0; i++)
		same = rm_run_work(r, 1) < 0 ? -1 :
		       rm_value_equal(r, a, l->item[i]);
	return same;
}

/* ---- lists ---- */

struct rm_list *rm_list_new(struct rm_jinja_run *r, size_t n)
{
	struct rm_list *l;

	if (n > UINT32_MAX)
		return rm_fail_null("a list that is too long");
	l = rm_run_alloc(r, 1, sizeof(*l) + n * sizeof(*l->item));
	if (l)
		*l = (struct rm_list){ .n = n };
	return l;
}

struct rm_value rm_list_value(const struct rm_list *list, uint32_t type)
{
	return (struct rm_value){ .type = type, .u.list = list };
}

int rm_iterator_value(struct rm_jinja_run *r, const struct rm_list *list,
		      struct rm_value *out)
{
	struct rm_iterator *i = rm_run_alloc(r, 1, sizeof(*i));

	if (!i)
		return -1;
	i->list = list;
	*out = (struct rm_value){ .type = RM_V_ITERATOR, .u.iterator = i };
	return 0;
}

static const struct rm_list *characters(struct rm_jinja_run *r,
					struct rm_value v)
{
	struct rm_list *l = rm_list_new(r, rm_utf8_count(v.u.s, v.len));
	size_t at = 0, len;

	for (size_t i = 0; l && i < l->n; i++, at += len) {
		rm_point_at(v.u.s + at, v.len - at, &len);
		l->item[i] = rm_text_value(v.u.s + at, len);
	}
	return l;
}

static const struct rm_list *keys(struct rm_jinja_run *r,
				  const struct rm_dict *d)
{
	struct rm_list *l = rm_list_new(r, d->n);

	for (size_t i = 0; l && i < d->n; i++)
		l->item[i] = d->pair[i].key;
	return l;
}

const struct rm_list *rm_value_items(struct rm_jinja_run *r,
				     struct rm_value v)
{
	static const struct rm_list empty;
	const struct rm_list *l;

	switch (v.type) {
	case RM_V_LIST:
	case RM_V_TUPLE:
		return v.u.list;
	case RM_V_STRING:
		return characters(r, v);
	case RM_V_DICT:
		return keys(r, v.u.dict);
	case RM_V_UNDEFINED:
		return &empty;
	case RM_V_ITERATOR:
		l = v.u.iterator->list;
		v.u.iterator->list = &empty;
		return l;
	default:
		rm_value_refuse(r, v, "what is gone through");
		return NULL;
	}
}

int rm_value_length(struct rm_jinja_run *r, struct rm_value v, size_t *n)
{
	switch (v.type) {
	case RM_V_UNDEFINED:
		*n = 0;
		return 0;
	case RM_V_STRING:
		*n = rm_utf8_count(v.u.s, v.len);
		return rm_run_work(r, v.len / 64);
	case RM_V_LIST:
	case RM_V_TUPLE:
		*n = v.u.list->n;
		return 0;
	case RM_V_DICT:
		*n = v.u.dict->n;
		return 0;
	case RM_V_LOOP:
		*n = v.u.loop->list->n;
		return 0;
	default:
		return rm_value_refuse(r, v, "what a length is asked of");
	}
}

/* ---- dictionaries ---- */

struct rm_dict *rm_dict_new(struct rm_jinja_run *r, size_t room)
{
	struct rm_dict *d = rm_run_alloc(r, 1, sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct rm_dict){ .cap = room };
	d->pair = rm_run_alloc(r, room, sizeof(*d->pair));
	return d->pair ? d : NULL;
}

const struct rm_value *rm_dict_get(const struct rm_dict *d,
				   struct rm_slice key)
{
	for (size_t i = 0; i < d->n; i++) {
		struct rm_value k = d->pair[i].key;

		if (k.len == key.len && rm_is_string(k) &&
		    memcmp(k.u.s, key.data, key.len) == 0)
			return &d->pair[i].value;
	}
	return NULL;
}

const struct rm_value *rm_dict_find(struct rm_jinja_run *r,
				    const struct rm_dict *d,
				    struct rm_value key)
{
	if (rm_run_work(r, d->n / 8) < 0)
		return NULL;
	if (rm_is_string(key))
		return rm_dict_get(d, rm_slice_of(key));
	for (size_t i = 0; i < d->n; i++)
		if (rm_value_equal(r, d->pair[i].key, key) > 0)
			return &d->pair[i].value;
	return NULL;
}

static int grow(struct rm_jinja_run *r, struct rm_dict *d)
{
	size_t cap = d->cap ? 2 * d->cap : 4;
	void *bigger = rm_run_alloc(r, cap, sizeof(*d->pair));

	if (!bigger)
		return -1;
	if (d->n)
		memcpy(bigger, d->pair, d->n * sizeof(*d->pair));
	d->pair = bigger;
	d->cap = cap;
	return 0;
}

int rm_dict_set(struct rm_jinja_run *r, struct rm_dict *d,
		struct rm_value key, struct rm_value value)
{
	struct rm_value *there;

	if (key.type == RM_V_LIST || key.type == RM_V_DICT)
		return rm_value_refuse(r, key, "a key");
	if (rm_run_work(r, 1 + d->n / 8) < 0)
		return -1;
	there = (struct rm_value *)(uintptr_t)rm_dict_find(r, d, key);
	if (there) {
		*there = value;
		return 0;
	}
	if (d->n == d->cap && grow(r, d) < 0)
		return -1;
	d->pair[d->n].key = key;
	d->pair[d->n++].value = value;
	return 0;
}

/* ---- attributes and items ---- */

static struct rm_value neighbour(const struct rm_jinja_run *r,
				 const struct rm_loop *l, size_t at)
{
	return at < l->list->n ? l->list->item[at]
			       : rm_undefined(r->at, RM_V_LOOP);
}

static struct rm_value loop_attr(const struct rm_jinja_run *r,
				 const struct rm_loop *l,
				 struct rm_slice name)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "index0", (int64_t)l->at },
		{ "index", (int64_t)l->at + 1 },
		{ "length", (int64_t)l->list->n },
		{ "revindex", (int64_t)(l->list->n - l->at) },
		{ "revindex0", (int64_t)(l->list->n - l->at) - 1 },
		/* No loop here is a recursive one. */
		{ "depth", 1 }, { "depth0", 0 },
	};

	if (rm_slice_is(name, "first"))
		return rm_bool(l->at == 0);
	if (rm_slice_is(name, "last"))
		return rm_bool(l->at + 1 == l->list->n);
	for (size_t i = 0; i < RM_COUNT(numbers); i++)
		if (rm_slice_is(name, numbers[i].name))
			return rm_int(numbers[i].value);
	if (rm_slice_is(name, "previtem"))
		return neighbour(r, l, l->at ? l->at - 1 : SIZE_MAX);
	if (rm_slice_is(name, "nextitem"))
		return neighbour(r, l, l->at + 1);
	return rm_undefined(r->at, RM_V_LOOP);
}

/* The method of that name, else *out as it is. */
static int method_attr(struct rm_jinja_run *r, struct rm_value v,
		       struct rm_slice name, struct rm_value *out)
{
	const struct rm_callable *what = rm_jinja_method(v.type, name);
	struct rm_method *m;

	if (!what)
		return 0;
	m = rm_run_alloc(r, 1, sizeof(*m));
	if (!m)
		return -1;
	*m = (struct rm_method){ v, what };
	*out = (struct rm_value){ .type = RM_V_METHOD, .u.method = m };
	return 0;
}

int rm_value_attr(struct rm_jinja_run *r, struct rm_value v,
		  struct rm_slice name, struct rm_value *out)
{
	const struct rm_value *found;

	if (v.type == RM_V_UNDEFINED)
		return rm_value_refuse(r, v, "");
	*out = rm_undefined(r->at, v.type);
	if (v.type == RM_V_LOOP)
		*out = loop_attr(r, v.u.loop, name);
	if (v.type == RM_V_NAMESPACE || v.type == RM_V_DICT) {
		if (v.type == RM_V_DICT && rm_jinja_method(v.type, name))
			return method_attr(r, v, name, out);
		found = rm_dict_get(v.u.dict, name);
		if (found)
			*out = *found;
		return rm_run_work(r, v.u.dict->n / 8);
	}
	return out->type == RM_V_UNDEFINED ? method_attr(r, v, name, out) : 0;
}

static int sequence_item(struct rm_jinja_run *r, struct rm_value v,
			 int64_t i, struct rm_value *out)
{
	size_t n = 0, at, len;

	if (rm_value_length(r, v, &n) < 0)
		return -1;
	if (i < 0)
		i += (int64_t)n;
	*out = rm_undefined(r->at, v.type);
	if (i < 0 || (size_t)i >= n)
		return 0;
	if (rm_is_sequence(v)) {
		*out = v.u.list->item[i];
		return 0;
	}
	at = rm_point_offset(v.u.s, v.len, (size_t)i);
	rm_point_at(v.u.s + at, v.len - at, &len);
	*out = rm_text_value(v.u.s + at, len);
	return 0;
}

int rm_value_item(struct rm_jinja_run *r, struct rm_value v,
		  struct rm_value key, struct rm_value *out)
{
	const struct rm_value *found;
	int64_t i;

	if (v.type == RM_V_UNDEFINED)
		return rm_value_refuse(r, v, "");
	if (v.type == RM_V_DICT) {
		found = rm_dict_find(r, v.u.dict, key);
		if (found) {
			*out = *found;
			return 0;
		}
	}
	if (((rm_is_sequence(v) && v.u.list->kind != RM_LIST_VIEW) ||
	     rm_is_string(v)) && rm_value_int(key, &i))
		return sequence_item(r, v, i, out);
	if (rm_is_string(key))
		return rm_value_attr(r, v, rm_slice_of(key), out);
	*out = rm_undefined(r->at, v.type);
	return 0;
}

/* ---- slices ---- */

static int bound(struct rm_jinja_run *r, struct rm_value v, int64_t n,
		 int64_t low, int64_t high, int64_t otherwise, int64_t *out)
{
	int64_t i;

	if (v.type == RM_V_OMITTED || v.type == RM_V_NONE) {
		*out = otherwise;
		return 0;
	}
	if (!rm_value_int(v, &i))
		return rm_value_refuse(r, v, "a bound of a slice");
	if (i < 0)
		i += n;
	*out = i < low ? low : i > high ? high : i;
	return 0;
}

/* Which items, as from, step and how many. */
static int find_part(struct rm_jinja_run *r, const struct rm_value part[3],
		     int64_t n, int64_t *from, int64_t *step, int64_t *count)
{
	int64_t to = 0;
	bool back;

	*from = 0;
	*step = 1;
	if (part[2].type != RM_V_OMITTED && part[2].type != RM_V_NONE &&
	    !rm_value_int(part[2], step))
		return rm_value_refuse(r, part[2], "the step of a slice");
	if (*step == 0)
		return rm_fail("a slice with a step of 0");
	*step = RM_MAX(*step, -INT32_MAX);
	*step = RM_MIN(*step, INT32_MAX);
	back = *step < 0;
	if (bound(r, part[0], n, back ? -1 : 0, back ? n - 1 : n,
		  back ? n - 1 : 0, from) < 0 ||
	    bound(r, part[1], n, back ? -1 : 0, back ? n - 1 : n,
		  back ? -1 : n, &to) < 0)
		return -1;
	*count = back ? (*from - to - *step - 1) / -*step
		      : (to - *from + *step - 1) / *step;
	*count = RM_MAX(*count, 0);
	return rm_run_work(r, (size_t)*count / 8);
}

static int slice_text(struct rm_jinja_run *r, struct rm_value v,
		      int64_t from, int64_t step, int64_t count,
		      struct rm_value *out)
{
	const struct rm_list *all;
	struct rm_buf b = {0};
	size_t at, end;

	if (count == 0 || step == 1) {
		at = rm_point_offset(v.u.s, v.len, (size_t)from);
		end = rm_point_offset(v.u.s + at, v.len - at, (size_t)count);
		*out = rm_text_value(v.u.s + at, end);
		return 0;
	}
	all = rm_value_items(r, v);
	for (int64_t i = 0; all && i < count; i++)
		if (rm_put(r, &b, all->item[from + i * step]) < 0)
			break;
	return rm_value_take(r, &b, out) < 0 || !all ? -1 : 0;
}

int rm_value_slice(struct rm_jinja_run *r, struct rm_value v,
		   const struct rm_value part[3], struct rm_value *out)
{
	int64_t from = 0, step = 1, count = 0;
	struct rm_list *l;
	size_t n = 0;

	if (!rm_is_string(v) && !(rm_is_sequence(v) &&
				  v.u.list->kind != RM_LIST_VIEW))
		return rm_value_refuse(r, v, "what is cut out of");
	if (rm_value_length(r, v, &n) < 0 ||
	    find_part(r, part, (int64_t)n, &from, &step, &count) < 0)
		return -1;
	if (rm_is_string(v))
		return slice_text(r, v, from, step, count, out);
	l = rm_list_new(r, (size_t)count);
	if (!l)
		return -1;
	for (int64_t i = 0; i < count; i++)
		l->item[i] = v.u.list->item[from + i * step];
	*out = rm_list_value(l, v.type);
	return 0;
}

/* ---- from JSON ---- */

static int list_from_json(struct rm_jinja_run *r, const json_t *json,
			  struct rm_value *out)
{
	struct rm_list *l = rm_list_new(r, json_array_size(json));

	if (!l)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if (rm_value_from_json(r, json_array_get(json, i),
				       &l->item[i]) < 0)
			return -1;
	*out = rm_list_value(l, RM_V_LIST);
	return 0;
}

static int dict_from_json(struct rm_jinja_run *r, const json_t *json,
			  struct rm_value *out)
{
	struct rm_dict *d = rm_dict_new(r, json_object_size(json));
	json_t *object = (json_t *)(uintptr_t)json;
	void *it = d ? json_object_iter(object) : NULL;

	if (!d)
		return -1;
	for (; it; it = json_object_iter_next(object, it)) {
		struct rm_pair_of_values *p = &d->pair[d->n++];

		p->key = rm_text_value(json_object_iter_key(it),
				       json_object_iter_key_len(it));
		if (rm_value_from_json(r, json_object_iter_value(it),
				       &p->value) < 0)
			return -1;
	}
	*out = (struct rm_value){ .type = RM_V_DICT, .u.dict = d };
	return 0;
}

int rm_value_from_json(struct rm_jinja_run *r, const json_t *json,
		       struct rm_value *out)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return dict_from_json(r, json, out);
	case JSON_ARRAY:
		return list_from_json(r, json, out);
	case JSON_STRING:
		if (json_string_length(json) > UINT32_MAX)
			return rm_fail("a string that is too long");
		*out = rm_text_value(json_string_value(json),
				     json_string_length(json));
		return 0;
	case JSON_INTEGER:
		*out = rm_int(json_integer_value(json));
		return 0;
	case JSON_REAL:
		*out = rm_float(json_real_value(json));
		return 0;
	case JSON_NULL:
		*out = rm_none();
		return 0;
	default:
		*out = rm_bool(json_is_true(json));
		return 0;
	}
}
