/* Filters of lists. */
#include "template/jinja.h"

#include <stdlib.h>
#include <string.h>

#define FN(name) static int name(struct rm_jinja_run *r, \
				 const struct rm_jinja_call *c, \
				 struct rm_value *out)

static const struct rm_list *items(struct rm_jinja_run *r,
				   const struct rm_jinja_call *c)
{
	return rm_value_items(r, c->self);
}

/* ---- attributes by path: "a.b.0" ---- */

static int step(struct rm_jinja_run *r, struct rm_value v,
		struct rm_value part, struct rm_value *out)
{
	int64_t i = 0;

	for (size_t k = 0; k < part.len; k++) {
		if (part.u.s[k] < '0' || part.u.s[k] > '9' || k > 15)
			return rm_value_item(r, v, part, out);
		i = i * 10 + (part.u.s[k] - '0');
	}
	return rm_value_item(r, v, part.len ? rm_int(i) : part, out);
}

/* v's attribute; none: v itself. */
static int by_path(struct rm_jinja_run *r, struct rm_value v,
		   struct rm_value path, struct rm_value *out)
{
	const unsigned char *s = path.u.s, *end, *dot;

	*out = v;
	if (path.type == RM_V_NONE || path.type == RM_V_OMITTED)
		return 0;
	if (!rm_is_string(path))
		return rm_value_item(r, v, path, out);
	for (end = s + path.len;; s = dot + 1) {
		dot = memchr(s, '.', (size_t)(end - s));
		if (step(r, *out, rm_text_value(s, (size_t)((dot ? dot : end) -
							    s)), out) < 0)
			return -1;
		if (!dot)
			break;
	}
	/* No node of the template names the attribute. */
	if (out->type == RM_V_UNDEFINED)
		*out = rm_undefined(NULL, 0);
	return 0;
}

/* The same as what is compared: small letters, unless case matters. */
static int sort_key(struct rm_jinja_run *r, struct rm_value v,
		    struct rm_value path, bool cased, struct rm_value *out)
{
	if (by_path(r, v, path, out) < 0)
		return -1;
	return !cased && rm_is_string(*out) ?
	       rm_value_case(r, *out, RM_CASE_LOWER, out) : 0;
}

/* ---- order ---- */

struct sorted {
	struct rm_value key, value;
};

/* Merge the sorted halves of a[n] by way of b. */
static int merge(struct rm_jinja_run *r, struct sorted *a, size_t n,
		 struct sorted *b, bool reverse)
{
	size_t half = n / 2, i = 0, j = half, k = 0;
	int order;

	while (i < half && j < n) {
		if (rm_run_work(r, 1) < 0 ||
		    rm_value_order(r, a[j].key, a[i].key, &order) < 0)
			return -1;
		b[k++] = (reverse ? order > 0 : order < 0) ? a[j++] : a[i++];
	}
	while (i < half)
		b[k++] = a[i++];
	memcpy(a, b, k * sizeof(*a));
	return 0;
}

static int sort(struct rm_jinja_run *r, struct sorted *a, size_t n,
		struct sorted *b, bool reverse)
{
	if (n < 2)
		return 0;
	if (sort(r, a, n / 2, b, reverse) < 0 ||
	    sort(r, a + n / 2, n - n / 2, b, reverse) < 0)
		return -1;
	return merge(r, a, n, b, reverse);
}

/* What sort goes by: of several attributes ("a,b") one after the other, equal
 * ones not asked for an order. */
static int sort_keys(struct rm_jinja_run *r, struct rm_value v,
		     struct rm_value paths, bool cased, struct rm_value *out)
{
	const unsigned char *s = paths.u.s, *end = s + paths.len, *to;
	struct rm_list *l;
	size_t n = 1, i = 0;

	for (size_t k = 0; k < paths.len; k++)
		n += s[k] == ',';
	l = rm_list_new(r, n);
	for (; l && i < n; s = to + 1) {
		to = memchr(s, ',', (size_t)(end - s));
		to = to ? to : end;
		if (sort_key(r, v, rm_text_value(s, (size_t)(to - s)), cased,
			     &l->item[i++]) < 0)
			return -1;
	}
	*out = rm_list_value(l, RM_V_LIST);
	return l ? 0 : -1;
}

/* The values of l by their keys; NULL on error. */
static struct sorted *sort_by(struct rm_jinja_run *r,
			      const struct rm_list *l, struct rm_value path,
			      bool cased, bool reverse, bool several)
{
	struct sorted *s = rm_run_alloc(r, l->n, 2 * sizeof(*s));
	int err = 0;

	for (size_t i = 0; s && i < l->n && err == 0; i++) {
		s[i].value = l->item[i];
		err = several && rm_is_string(path)
			? sort_keys(r, l->item[i], path, cased, &s[i].key)
			: sort_key(r, l->item[i], path, cased, &s[i].key);
	}
	if (err < 0)
		return NULL;
	return s && sort(r, s, l->n, s + l->n, reverse) == 0 ? s : NULL;
}

static int sorted_list(struct rm_jinja_run *r, const struct rm_list *l,
		       const struct sorted *s, struct rm_value *out)
{
	struct rm_list *to = s ? rm_list_new(r, l->n) : NULL;

	for (size_t i = 0; to && i < l->n; i++)
		to->item[i] = s[i].value;
	*out = rm_list_value(to, RM_V_LIST);
	return to ? 0 : -1;
}

FN(sort_filter)
{
	const struct rm_list *l = items(r, c);
	bool reverse = rm_value_true(rm_arg(c, 0));

	return l ? sorted_list(r, l, sort_by(r, l, rm_arg(c, 2),
					     rm_value_true(rm_arg(c, 1)),
					     reverse, true), out) : -1;
}

struct rm_list *rm_dict_pairs(struct rm_jinja_run *r, const struct rm_dict *d)
{
	struct rm_list *l = rm_list_new(r, d->n), *pair;

	for (size_t i = 0; l && i < d->n; i++) {
		pair = rm_list_new(r, 2);
		if (!pair)
			return NULL;
		pair->item[0] = d->pair[i].key;
		pair->item[1] = d->pair[i].value;
		l->item[i] = rm_list_value(pair, RM_V_TUPLE);
	}
	return l;
}

FN(dict_sort)
{
	struct rm_list *l;
	struct rm_value by;
	bool value;

	if (c->self.type != RM_V_DICT)
		return rm_value_refuse(r, c->self, "a dictionary");
	if (rm_arg_text(r, c, 1, "key", &by) < 0)
		return -1;
	value = rm_slice_is(rm_slice_of(by), "value");
	if (!value && !rm_slice_is(rm_slice_of(by), "key"))
		return rm_fail("dictsort goes by key or value");
	l = rm_dict_pairs(r, c->self.u.dict);
	return l ? sorted_list(r, l, sort_by(r, l, rm_int(value),
					     rm_value_true(rm_arg(c, 0)),
					     rm_value_true(rm_arg(c, 2)),
					     false), out) : -1;
}

FN(group_by)
{
	const struct rm_list *l = items(r, c);
	struct sorted *s = l ? sort_by(r, l, c->arg[0],
				       rm_value_true(rm_arg(c, 2)), false,
				       false) : NULL;
	struct rm_list *all = s ? rm_list_new(r, l->n) : NULL, *one, *pair;
	size_t n = 0, to;

	if (!all)
		return -1;
	if (rm_arg_given(c, 1))
		return rm_fail("groupby's default is not built");
	for (size_t i = 0; i < l->n; i = to) {
		for (to = i + 1; to < l->n &&
		     rm_value_equal(r, s[i].key, s[to].key) > 0; to++)
			;
		pair = rm_list_new(r, 2);
		one = rm_list_new(r, to - i);
		if (!pair || !one || by_path(r, s[i].value, c->arg[0],
					     &pair->item[0]) < 0)
			return -1;
		for (size_t k = i; k < to; k++)
			one->item[k - i] = s[k].value;
		pair->item[1] = rm_list_value(one, RM_V_LIST);
		all->item[n++] = rm_list_value(pair, RM_V_TUPLE);
	}
	all->n = n;
	*out = rm_list_value(all, RM_V_LIST);
	return 0;
}

static int extreme(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		   int sign, struct rm_value *out)
{
	const struct rm_list *l = items(r, c);
	bool cased = rm_value_true(rm_arg(c, 0));
	struct rm_value best, key;
	int order;

	if (!l)
		return -1;
	*out = rm_undefined(NULL, 0);
	for (size_t i = 0; i < l->n; i++) {
		if (sort_key(r, l->item[i], rm_arg(c, 1), cased, &key) < 0 ||
		    (i && rm_value_order(r, key, best, &order) < 0))
			return -1;
		if (i == 0 || order * sign > 0) {
			best = key;
			*out = l->item[i];
		}
	}
	return 0;
}

FN(min)
{
	return extreme(r, c, -1, out);
}

FN(max)
{
	return extreme(r, c, 1, out);
}

FN(unique)
{
	const struct rm_list *l = items(r, c);
	struct rm_list *to = l ? rm_list_new(r, l->n) : NULL;
	struct rm_dict *seen = to ? rm_dict_new(r, 4) : NULL;
	struct rm_value key;
	size_t n = 0;

	if (!seen)
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		if (sort_key(r, l->item[i], rm_arg(c, 1),
			     rm_value_true(rm_arg(c, 0)), &key) < 0)
			return -1;
		if (rm_dict_find(r, seen, key))
			continue;
		if (rm_dict_set(r, seen, key, key) < 0)
			return -1;
		to->item[n++] = l->item[i];
	}
	to->n = n;
	return rm_iterator_value(r, to, out);
}

/* ---- parts ---- */

static int end_of(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		  bool last, struct rm_value *out)
{
	const struct rm_list *l;

	if (last && c->self.type == RM_V_ITERATOR)
		return rm_value_refuse(r, c->self, "what has a last item");
	l = items(r, c);
	if (!l)
		return -1;
	*out = l->n ? l->item[last ? l->n - 1 : 0] : rm_undefined(NULL, 0);
	return 0;
}

FN(first)
{
	return end_of(r, c, false, out);
}

FN(last)
{
	return end_of(r, c, true, out);
}

FN(list)
{
	const struct rm_list *l = items(r, c);
	struct rm_list *to = (struct rm_list *)(uintptr_t)l;

	if (l && l->kind != RM_LIST) {
		to = rm_list_new(r, l->n);
		for (size_t i = 0; to && i < l->n; i++)
			to->item[i] = l->item[i];
	}
	*out = rm_list_value(to, RM_V_LIST);
	return to ? 0 : -1;
}

FN(reverse)
{
	const struct rm_list *l = items(r, c);
	struct rm_list *to = l ? rm_list_new(r, l->n) : NULL;
	struct rm_buf b = {0};

	if (!to)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		to->item[i] = l->item[l->n - 1 - i];
	if (!rm_is_string(c->self))
		return rm_iterator_value(r, to, out);
	for (size_t i = 0; i < to->n; i++)
		rm_buf_append(&b, to->item[i].u.s, to->item[i].len);
	return rm_value_take(r, &b, out);
}

FN(pairs_filter)
{
	static const struct rm_list empty;
	const struct rm_list *l = &empty;

	if (c->self.type == RM_V_DICT)
		l = rm_dict_pairs(r, c->self.u.dict);
	else if (c->self.type != RM_V_UNDEFINED)
		return rm_value_refuse(r, c->self, "a dictionary");
	return l ? rm_iterator_value(r, l, out) : -1;
}

/* Items [from, from + n) and `more` times the filling. */
static int part(struct rm_jinja_run *r, const struct rm_list *l, size_t from,
		size_t n, size_t more, struct rm_value fill,
		struct rm_value *out)
{
	struct rm_list *to = rm_list_new(r, n + more);

	for (size_t i = 0; to && i < n + more; i++)
		to->item[i] = i < n ? l->item[from + i] : fill;
	*out = rm_list_value(to, RM_V_LIST);
	return to ? rm_run_work(r, 1 + (n + more) / 8) : -1;
}

FN(batch)
{
	const struct rm_list *l = items(r, c);
	struct rm_list *to;
	int64_t size;
	size_t n, have;

	if (!l || rm_arg_int(r, c, 0, 1, &size) < 0)
		return -1;
	if (size < 1 || size > RM_JINJA_MAX_SOURCE)
		return rm_fail("batches of %lld", (long long)size);
	n = (l->n + (size_t)size - 1) / (size_t)size;
	to = rm_list_new(r, n);
	for (size_t i = 0; to && i < n; i++) {
		have = RM_MIN((size_t)size, l->n - i * (size_t)size);
		if (part(r, l, i * (size_t)size, have,
			 rm_arg_given(c, 1) ? (size_t)size - have : 0,
			 rm_arg(c, 1), &to->item[i]) < 0)
			return -1;
	}
	return to ? rm_iterator_value(r, to, out) : -1;
}

FN(slice)
{
	const struct rm_list *l = items(r, c);
	struct rm_list *to;
	int64_t n;
	size_t size, longer, at = 0, have;

	if (!l || rm_arg_int(r, c, 0, 1, &n) < 0)
		return -1;
	if (n < 1 || n > RM_JINJA_MAX_SOURCE)
		return rm_fail("%lld slices", (long long)n);
	size = l->n / (size_t)n;
	longer = l->n % (size_t)n;
	to = rm_list_new(r, (size_t)n);
	for (size_t i = 0; to && i < (size_t)n; i++, at += have) {
		have = size + (i < longer);
		if (part(r, l, at, have, rm_arg_given(c, 1) && i >= longer,
			 rm_arg(c, 1), &to->item[i]) < 0)
			return -1;
	}
	return to ? rm_iterator_value(r, to, out) : -1;
}

/* ---- all together ---- */

FN(join)
{
	const struct rm_list *l = items(r, c);
	struct rm_value by = rm_text_value("", 0), v;
	struct rm_buf b = {0};

	if (!l || (rm_arg_given(c, 0) &&
		   rm_value_str(r, c->arg[0], &by) < 0))
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if (by_path(r, l->item[i], rm_arg(c, 1), &v) < 0 ||
		    rm_value_str(r, v, &v) < 0 ||
		    (i && rm_put(r, &b, by) < 0) || rm_put(r, &b, v) < 0) {
			rm_buf_fini(&b);
			return -1;
		}
	return rm_value_take(r, &b, out);
}

FN(sum)
{
	const struct rm_list *l = items(r, c);
	struct rm_value v;

	if (!l)
		return -1;
	*out = rm_arg_given(c, 1) ? c->arg[1] : rm_int(0);
	if (rm_is_string(*out))
		return rm_value_refuse(r, *out, "a sum");
	for (size_t i = 0; i < l->n; i++)
		if (by_path(r, l->item[i], rm_arg(c, 0), &v) < 0 ||
		    rm_value_binary(r, RM_OP_ADD, *out, v, out) < 0)
			return -1;
	return 0;
}

/* ---- by other filters and tests ---- */

static const struct rm_callable *named(struct rm_value name, bool test)
{
	const struct rm_callable *f = NULL;

	if (rm_is_string(name))
		f = test ? rm_jinja_test(rm_slice_of(name))
			 : rm_jinja_filter(rm_slice_of(name));
	if (!f)
		rm_fail("no %s '%.*s' is built", test ? "test" : "filter",
			rm_is_string(name) ? (int)RM_MIN(name.len, 64) : 0,
			(const char *)name.u.s);
	return f;
}

/* map(attribute=..., default=...) */
static int map_path(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		    struct rm_value v, struct rm_value *out)
{
	const struct rm_value *path, *other;

	path = rm_dict_get(c->named, (struct rm_slice){
		(const unsigned char *)"attribute", 9 });
	other = rm_dict_get(c->named, (struct rm_slice){
		(const unsigned char *)"default", 7 });
	if (!path || c->named->n != 1u + (other != NULL))
		return rm_fail("map has attribute and default alone");
	if (by_path(r, v, *path, out) < 0)
		return -1;
	if (other && out->type == RM_V_UNDEFINED)
		*out = *other;
	return 0;
}

FN(map)
{
	const struct rm_list *l = items(r, c);
	struct rm_list *to = l ? rm_list_new(r, l->n) : NULL;
	const struct rm_callable *f = NULL;
	int err = 0;

	if (!to)
		return -1;
	if ((c->n == 0) == (c->named == NULL))
		return rm_fail("map needs a filter or attribute=");
	if (c->n && !(f = named(c->arg[0], false)))
		return -1;
	for (size_t i = 0; i < l->n && err == 0; i++)
		err = f ? rm_jinja_apply(r, f, l->item[i], c->arg + 1,
					 c->n - 1, &to->item[i])
			: map_path(r, c, l->item[i], &to->item[i]);
	return err < 0 ? -1 : rm_iterator_value(r, to, out);
}

/* Items of which a test holds, or does not; `skip` arguments before it. */
static int choose(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		  bool want, size_t skip, struct rm_value *out)
{
	static const struct rm_list empty;
	const struct rm_list *l = rm_value_true(c->self) ? items(r, c)
							 : &empty;
	struct rm_list *to = l ? rm_list_new(r, l->n) : NULL;
	const struct rm_callable *f = NULL;
	struct rm_value v;
	size_t n = 0;

	if (!to)
		return -1;
	if (c->named || c->n < skip)
		return rm_fail("arguments that are not built");
	if (c->n > skip && !(f = named(c->arg[skip], true)))
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		if (by_path(r, l->item[i], skip ? c->arg[0] : rm_none(),
			    &v) < 0 ||
		    (f && rm_jinja_apply(r, f, v, c->arg + skip + 1,
					 c->n - skip - 1, &v) < 0))
			return -1;
		if (rm_value_true(v) == want)
			to->item[n++] = l->item[i];
	}
	to->n = n;
	return rm_iterator_value(r, to, out);
}

FN(select_filter)
{
	return choose(r, c, true, 0, out);
}

FN(reject)
{
	return choose(r, c, false, 0, out);
}

FN(select_attr)
{
	return choose(r, c, true, 1, out);
}

FN(reject_attr)
{
	return choose(r, c, false, 1, out);
}

const struct rm_callable rm_jinja_list_filters[] = {
	{ "batch", batch, "linecount,fill_with", 1 },
	{ "dictsort", dict_sort, "case_sensitive,by,reverse", 0 },
	{ "first", first, "", 0 },
	{ "groupby", group_by, "attribute,default,case_sensitive", 1 },
	{ "items", pairs_filter, "", 0 },
	{ "join", join, "d,attribute", 0 },
	{ "last", last, "", 0 },
	{ "list", list, "", 0 },
	{ "map", map, NULL, 0 },
	{ "max", max, "case_sensitive,attribute", 0 },
	{ "min", min, "case_sensitive,attribute", 0 },
	{ "reject", reject, NULL, 0 },
	{ "rejectattr", reject_attr, NULL, 1 },
	{ "reverse", reverse, "", 0 },
	{ "select", select_filter, NULL, 0 },
	{ "selectattr", select_attr, NULL, 1 },
	{ "slice", slice, "slices,fill_with", 1 },
	{ "sort", sort_filter, "reverse,case_sensitive,attribute", 0 },
	{ "sum", sum, "attribute,start", 0 },
	{ "unique", unique, "case_sensitive,attribute", 0 },
};

const size_t rm_jinja_n_list_filters = RM_COUNT(rm_jinja_list_filters);
