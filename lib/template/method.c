/* Methods of strings, lists, dictionaries and loops. */
#include "template/jinja.h"

#include <string.h>

#include <utf8proc.h>

#define FN(name) static int name(struct rm_jinja_run *r, \
				 const struct rm_jinja_call *c, \
				 struct rm_value *out)

static const struct rm_value omitted = { .type = RM_V_OMITTED };

/* ---- strip and case ---- */

FN(strip)
{
	return rm_value_strip(r, c->self, c->arg[0], RM_STRIP_BOTH, out);
}

FN(lstrip)
{
	return rm_value_strip(r, c->self, c->arg[0], RM_STRIP_LEFT, out);
}

FN(rstrip)
{
	return rm_value_strip(r, c->self, c->arg[0], RM_STRIP_RIGHT, out);
}

FN(lower)
{
	return rm_value_case(r, c->self, RM_CASE_LOWER, out);
}

FN(upper)
{
	return rm_value_case(r, c->self, RM_CASE_UPPER, out);
}

FN(title)
{
	return rm_value_case(r, c->self, RM_CASE_TITLE, out);
}

FN(capitalize)
{
	return rm_value_case(r, c->self, RM_CASE_CAPITALIZE, out);
}

/* ---- finding ---- */

static bool begins(struct rm_value s, struct rm_value with)
{
	return s.len >= with.len && memcmp(s.u.s, with.u.s, with.len) == 0;
}

static bool ends(struct rm_value s, struct rm_value with)
{
	return s.len >= with.len &&
	       memcmp(s.u.s + s.len - with.len, with.u.s, with.len) == 0;
}

/* self[start:end] of arguments 1 and 2. */
static int part(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		struct rm_value *s)
{
	struct rm_value bounds[3] = { rm_arg(c, 1), rm_arg(c, 2), omitted };

	*s = c->self;
	if (!rm_arg_given(c, 1) && !rm_arg_given(c, 2))
		return 0;
	return rm_value_slice(r, c->self, bounds, s);
}

/* Whether it begins or ends with a text, or with one of a tuple of them. */
static int has_affix(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		     bool (*is)(struct rm_value, struct rm_value),
		     struct rm_value *out)
{
	struct rm_value affix = c->arg[0], s;
	const struct rm_value *all = &affix;
	size_t n = 1;

	if (part(r, c, &s) < 0)
		return -1;
	if (affix.type == RM_V_TUPLE) {
		all = affix.u.list->item;
		n = affix.u.list->n;
	}
	*out = rm_bool(false);
	for (size_t i = 0; i < n; i++) {
		if (!rm_is_string(all[i]))
			return rm_value_refuse(r, all[i], "what a string "
					       "begins or ends with");
		if (is(s, all[i]))
			*out = rm_bool(true);
	}
	return 0;
}

FN(starts_with)
{
	return has_affix(r, c, begins, out);
}

FN(ends_with)
{
	return has_affix(r, c, ends, out);
}

FN(remove_prefix)
{
	struct rm_value s = c->self, x;

	if (rm_arg_text(r, c, 0, "", &x) < 0)
		return -1;
	*out = begins(s, x) ? rm_text_value(s.u.s + x.len, s.len - x.len) : s;
	return 0;
}

FN(remove_suffix)
{
	struct rm_value s = c->self, x;

	if (rm_arg_text(r, c, 0, "", &x) < 0)
		return -1;
	*out = ends(s, x) ? rm_text_value(s.u.s, s.len - x.len) : s;
	return 0;
}

/* The first or last place of x in s[n], NULL where there is none. */
static const unsigned char *find_in(const unsigned char *s, size_t n,
				    struct rm_value x, bool last)
{
	if (!last || x.len == 0)
		return x.len ? memmem(s, n, x.u.s, x.len)
			     : s + (last ? n : 0);
	for (size_t i = n; i >= x.len; i--)
		if (memcmp(s + i - x.len, x.u.s, x.len) == 0)
			return s + i - x.len;
	return NULL;
}

static int find(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		bool last, bool must, struct rm_value *out)
{
	struct rm_value x, s;
	const unsigned char *at;

	if (rm_arg_text(r, c, 0, "", &x) < 0 || part(r, c, &s) < 0 ||
	    rm_run_work(r, s.len / 16) < 0)
		return -1;
	at = find_in(s.u.s, s.len, x, last);
	if (!at && must)
		return rm_fail("the substring is not there");
	*out = rm_int(at ? (int64_t)rm_utf8_count(c->self.u.s, (size_t)(
			    at - c->self.u.s)) : -1);
	return 0;
}

FN(find_first)
{
	return find(r, c, false, false, out);
}

FN(find_last)
{
	return find(r, c, true, false, out);
}

FN(index_first)
{
	return find(r, c, false, true, out);
}

FN(index_last)
{
	return find(r, c, true, true, out);
}

FN(count_text)
{
	struct rm_value x, s;
	const unsigned char *at, *end;
	int64_t n = 0;

	if (rm_arg_text(r, c, 0, "", &x) < 0 || part(r, c, &s) < 0 ||
	    rm_run_work(r, s.len / 16) < 0)
		return -1;
	if (x.len == 0) {
		*out = rm_int((int64_t)rm_utf8_count(s.u.s, s.len) + 1);
		return 0;
	}
	end = s.u.s + s.len;
	for (at = s.u.s; (at = memmem(at, (size_t)(end - at), x.u.s, x.len));
	     at += x.len)
		n++;
	*out = rm_int(n);
	return 0;
}

/* ---- splitting ---- */

/* Parts that are found one after the other, as a list. */
struct parts {
	struct rm_jinja_run *r;
	struct rm_value *part;
	size_t n, cap;
};

static int add_part(struct parts *p, const unsigned char *s, size_t len)
{
	struct rm_value *bigger;
	size_t cap = p->cap ? 2 * p->cap : 8;

	if (p->n == p->cap) {
		bigger = rm_run_alloc(p->r, cap, sizeof(*bigger));
		if (!bigger)
			return -1;
		if (p->n)
			memcpy(bigger, p->part, p->n * sizeof(*bigger));
		p->part = bigger;
		p->cap = cap;
	}
	p->part[p->n++] = rm_text_value(s, len);
	return rm_run_work(p->r, 1);
}

static int as_list(struct parts *p, bool backwards, struct rm_value *out)
{
	struct rm_list *l = rm_list_new(p->r, p->n);

	for (size_t i = 0; l && i < p->n; i++)
		l->item[i] = p->part[backwards ? p->n - 1 - i : i];
	*out = rm_list_value(l, RM_V_LIST);
	return l ? 0 : -1;
}

static int split_by(struct parts *p, struct rm_value s, struct rm_value by,
		    int64_t max, bool last)
{
	const unsigned char *from = s.u.s, *end = s.u.s + s.len, *at;
	int err = 0;

	for (; max != 0 && err == 0; max--) {
		at = find_in(from, (size_t)(end - from), by, last);
		if (!at)
			break;
		if (last) {
			err = add_part(p, at + by.len, (size_t)(
				       end - at - by.len));
			end = at;
		} else {
			err = add_part(p, from, (size_t)(at - from));
			from = at + by.len;
		}
	}
	return err < 0 ? -1 : add_part(p, from, (size_t)(end - from));
}

/* By runs of white space. */
static int split_space(struct parts *p, struct rm_value s, int64_t max,
		       bool last)
{
	const int end = last ? RM_STRIP_RIGHT : RM_STRIP_LEFT;
	size_t at, len, cut;

	for (;; max--) {
		if (rm_value_strip(p->r, s, omitted, end, &s) < 0)
			return -1;
		if (s.len == 0)
			return 0;
		if (max == 0)
			break;
		cut = last ? 0 : s.len;
		for (at = 0; at < s.len; at += len)
			if (rm_point_space(rm_point_at(s.u.s + at, s.len - at,
						     &len))) {
				cut = last ? at + len : at;
				if (!last)
					break;
			}
		if (rm_run_work(p->r, at / 16) < 0 ||
		    add_part(p, s.u.s + (last ? cut : 0),
			     last ? s.len - cut : cut) < 0)
			return -1;
		s = last ? rm_text_value(s.u.s, cut)
			 : rm_text_value(s.u.s + cut, s.len - cut);
	}
	/* White space at the other end of what is left stays. */
	return add_part(p, s.u.s, s.len);
}

static int split(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		 bool last, struct rm_value *out)
{
	struct parts p = { .r = r };
	struct rm_value by;
	int64_t max;

	if (rm_arg_text(r, c, 0, "", &by) < 0 ||
	    rm_arg_int(r, c, 1, -1, &max) < 0 ||
	    rm_run_work(r, c->self.len / 16) < 0)
		return -1;
	if (rm_arg_given(c, 0) && by.len == 0)
		return rm_fail("an empty separator");
	if ((rm_arg_given(c, 0) ? split_by(&p, c->self, by, max, last)
				: split_space(&p, c->self, max, last)) < 0)
		return -1;
	return as_list(&p, last, out);
}

FN(split_first)
{
	return split(r, c, false, out);
}

FN(split_last)
{
	return split(r, c, true, out);
}

FN(split_lines)
{
	struct rm_list *l;

	if (rm_value_true(rm_arg(c, 0)))
		return rm_fail("splitlines that keeps the ends is not built");
	l = rm_value_lines(r, c->self);
	*out = rm_list_value(l, RM_V_LIST);
	return l ? 0 : -1;
}

static int partition(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		     bool last, struct rm_value *out)
{
	struct rm_list *l = rm_list_new(r, 3);
	struct rm_value by, s = c->self;
	const unsigned char *at;
	size_t n;

	if (!l || rm_arg_text(r, c, 0, "", &by) < 0)
		return -1;
	if (by.len == 0)
		return rm_fail("an empty separator");
	at = find_in(s.u.s, s.len, by, last);
	for (size_t i = 0; i < 3; i++)
		l->item[i] = rm_text_value("", 0);
	if (at) {
		n = (size_t)(at - s.u.s);
		l->item[0] = rm_text_value(s.u.s, n);
		l->item[1] = by;
		l->item[2] = rm_text_value(at + by.len, s.len - n - by.len);
	} else {
		l->item[last ? 2 : 0] = s;
	}
	*out = rm_list_value(l, RM_V_TUPLE);
	return rm_run_work(r, s.len / 16);
}

FN(partition_first)
{
	return partition(r, c, false, out);
}

FN(partition_last)
{
	return partition(r, c, true, out);
}

/* ---- joining ---- */

FN(replace)
{
	struct rm_value from, to;
	int64_t max;

	if (rm_arg_text(r, c, 0, "", &from) < 0 ||
	    rm_arg_text(r, c, 1, "", &to) < 0 ||
	    rm_arg_int(r, c, 2, -1, &max) < 0)
		return -1;
	return rm_value_replace(r, c->self, from, to, max, out);
}

FN(join)
{
	const struct rm_list *l = rm_value_items(r, c->arg[0]);
	struct rm_buf b = {0};
	int err = l ? 0 : -1;

	for (size_t i = 0; l && i < l->n && err == 0; i++) {
		if (!rm_is_string(l->item[i]))
			err = rm_value_refuse(r, l->item[i],
					      "what is joined");
		else if (i)
			err = rm_put(r, &b, c->self);
		if (err == 0)
			err = rm_put(r, &b, l->item[i]);
	}
	if (err < 0) {
		rm_buf_fini(&b);
		return -1;
	}
	return rm_value_take(r, &b, out);
}

/* The value for "{}", "{1}" or "{name}". */
static const struct rm_value *format_value(const struct rm_jinja_call *c,
					   struct rm_slice field,
					   size_t *next)
{
	size_t i = 0;

	if (field.len == 0)
		return *next < c->n ? &c->arg[(*next)++] : NULL;
	for (size_t k = 0; k < field.len; k++) {
		if (field.data[k] < '0' || field.data[k] > '9' || k > 3)
			return c->named ? rm_dict_get(c->named, field) : NULL;
		i = i * 10 + (field.data[k] - '0');
	}
	return i < c->n ? &c->arg[i] : NULL;
}

static int put_format(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		      struct rm_buf *b)
{
	const unsigned char *s = c->self.u.s, *end = s + c->self.len, *to;
	const struct rm_value *v;
	struct rm_value text;
	size_t next = 0;

	while (s < end) {
		if ((*s == '{' || *s == '}') && s + 1 < end && s[1] == *s) {
			rm_buf_putc(b, *s);
			s += 2;
		} else if (*s == '{') {
			to = memchr(s, '}', (size_t)(end - s));
			v = to ? format_value(c, (struct rm_slice){
				s + 1, (size_t)(to - s) - 1 }, &next) : NULL;
			if (!v)
				return rm_fail("a field of a format that is "
					       "not built or not given");
			if (rm_value_str(r, *v, &text) < 0 ||
			    rm_put(r, b, text) < 0)
				return -1;
			s = to + 1;
		} else if (*s == '}') {
			return rm_fail("a single } in a format");
		} else {
			rm_buf_putc(b, *s++);
		}
	}
	return rm_run_work(r, c->self.len / 8);
}

FN(format)
{
	struct rm_buf b = {0};

	if (put_format(r, c, &b) < 0) {
		rm_buf_fini(&b);
		return -1;
	}
	return rm_value_take(r, &b, out);
}

/* To a width: `left` and right of the text. */
static int pad(struct rm_jinja_run *r, const struct rm_jinja_call *c,
	       int how, struct rm_value *out)
{
	struct rm_value fill, left, right;
	int64_t width, more, before;
	size_t n;

	if (rm_arg_int(r, c, 0, 0, &width) < 0 ||
	    rm_arg_text(r, c, 1, " ", &fill) < 0 ||
	    rm_value_length(r, c->self, &n) < 0)
		return -1;
	if (rm_utf8_count(fill.u.s, fill.len) != 1)
		return rm_fail("a filling of other than one character");
	more = RM_MAX(width - (int64_t)n, 0);
	before = how < 0 ? 0 : how > 0 ? more
		 : more / 2 + (more & width & 1);
	if (rm_value_binary(r, RM_OP_MUL, fill, rm_int(before), &left) < 0 ||
	    rm_value_binary(r, RM_OP_MUL, fill, rm_int(more - before),
			    &right) < 0 ||
	    rm_value_concat(r, left, c->self, out) < 0)
		return -1;
	return rm_value_concat(r, *out, right, out);
}

FN(ljust)
{
	return pad(r, c, -1, out);
}

FN(rjust)
{
	return pad(r, c, 1, out);
}

FN(center)
{
	return pad(r, c, 0, out);
}

/* ---- what characters are ---- */

static bool is_letter(uint32_t c)
{
	utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);

	return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

static bool is_digit(uint32_t c)
{
	return utf8proc_category((utf8proc_int32_t)c) ==
	       UTF8PROC_CATEGORY_ND;
}

static bool is_letter_or_digit(uint32_t c)
{
	return is_letter(c) || is_digit(c);
}

static int all_are(struct rm_jinja_run *r, struct rm_value s,
		   bool (*is)(uint32_t), struct rm_value *out)
{
	bool all = s.len > 0;
	size_t len;

	for (size_t i = 0; i < s.len && all; i += len)
		all = is(rm_point_at(s.u.s + i, s.len - i, &len));
	*out = rm_bool(all);
	return rm_run_work(r, s.len / 8);
}

FN(is_alpha)
{
	return all_are(r, c->self, is_letter, out);
}

FN(is_digits)
{
	return all_are(r, c->self, is_digit, out);
}

FN(is_alnum)
{
	return all_are(r, c->self, is_letter_or_digit, out);
}

FN(is_space)
{
	return all_are(r, c->self, rm_point_space, out);
}

FN(is_lower)
{
	return rm_jinja_apply(r, rm_jinja_test((struct rm_slice){
		(const unsigned char *)"lower", 5 }), c->self, NULL, 0, out);
}

FN(is_upper)
{
	return rm_jinja_apply(r, rm_jinja_test((struct rm_slice){
		(const unsigned char *)"upper", 5 }), c->self, NULL, 0, out);
}

/* ---- lists ---- */

FN(list_index)
{
	const struct rm_list *l = c->self.u.list;
	int same;

	for (size_t i = 0; i < l->n; i++) {
		same = rm_run_work(r, 1) < 0 ? -1 :
		       rm_value_equal(r, l->item[i], c->arg[0]);
		if (same < 0)
			return -1;
		if (same) {
			*out = rm_int((int64_t)i);
			return 0;
		}
	}
	return rm_fail("the value is not in the list");
}

FN(list_count)
{
	const struct rm_list *l = c->self.u.list;
	int64_t n = 0;
	int same;

	for (size_t i = 0; i < l->n; i++) {
		same = rm_run_work(r, 1) < 0 ? -1 :
		       rm_value_equal(r, l->item[i], c->arg[0]);
		if (same < 0)
			return -1;
		n += same;
	}
	*out = rm_int(n);
	return 0;
}

FN(copy)
{
	(void)r;
	*out = c->self;
	return 0;
}

/* What Transformers forbids its templates. */
FN(forbidden)
{
	(void)r;
	(void)out;
	return rm_fail("templates may not change a %s",
		       rm_value_type_name(c->self.type));
}

/* ---- dictionaries ---- */

FN(dict_get)
{
	const struct rm_value *v = rm_dict_find(r, c->self.u.dict, c->arg[0]);

	*out = v ? *v : rm_arg(c, 1);
	return 0;
}

static int as_view(struct rm_list *l, struct rm_value *out)
{
	if (!l)
		return -1;
	l->kind = RM_LIST_VIEW;
	*out = rm_list_value(l, RM_V_LIST);
	return 0;
}

FN(dict_keys)
{
	const struct rm_dict *d = c->self.u.dict;
	struct rm_list *l = rm_list_new(r, d->n);

	for (size_t i = 0; l && i < d->n; i++)
		l->item[i] = d->pair[i].key;
	return as_view(l, out);
}

FN(dict_values)
{
	const struct rm_dict *d = c->self.u.dict;
	struct rm_list *l = rm_list_new(r, d->n);

	for (size_t i = 0; l && i < d->n; i++)
		l->item[i] = d->pair[i].value;
	return as_view(l, out);
}

FN(dict_items)
{
	return as_view(rm_dict_pairs(r, c->self.u.dict), out);
}

/* ---- loops ---- */

FN(cycle)
{
	(void)r;
	if (c->n == 0 || c->named)
		return rm_fail("loop.cycle needs values");
	*out = c->arg[c->self.u.loop->at % c->n];
	return 0;
}

FN(changed)
{
	struct rm_loop *loop = c->self.u.loop;
	struct rm_list *l = rm_list_new(r, c->n);
	struct rm_value now;
	int same;

	if (!l)
		return -1;
	for (size_t i = 0; i < c->n; i++)
		l->item[i] = c->arg[i];
	now = rm_list_value(l, RM_V_TUPLE);
	same = rm_value_equal(r, now, loop->changed);
	loop->changed = now;
	*out = rm_bool(same == 0);
	return same < 0 ? -1 : 0;
}

/* ---- the tables ---- */

static const struct rm_callable of_strings[] = {
	{ "capitalize", capitalize, "", 0 },
	{ "center", center, "width,fillchar", 1 },
	{ "count", count_text, "sub,start,end", 1 },
	{ "endswith", ends_with, "suffix,start,end", 1 },
	{ "find", find_first, "sub,start,end", 1 },
	{ "format", format, NULL, 0 },
	{ "index", index_first, "sub,start,end", 1 },
	{ "isalnum", is_alnum, "", 0 },
	{ "isalpha", is_alpha, "", 0 },
	{ "isdecimal", is_digits, "", 0 },
	{ "isdigit", is_digits, "", 0 },
	{ "islower", is_lower, "", 0 },
	{ "isnumeric", is_digits, "", 0 },
	{ "isspace", is_space, "", 0 },
	{ "isupper", is_upper, "", 0 },
	{ "join", join, "iterable", 1 },
	{ "ljust", ljust, "width,fillchar", 1 },
	{ "lower", lower, "", 0 },
	{ "lstrip", lstrip, "chars", 0 },
	{ "partition", partition_first, "sep", 1 },
	{ "removeprefix", remove_prefix, "prefix", 1 },
	{ "removesuffix", remove_suffix, "suffix", 1 },
	{ "replace", replace, "old,new,count", 2 },
	{ "rfind", find_last, "sub,start,end", 1 },
	{ "rindex", index_last, "sub,start,end", 1 },
	{ "rjust", rjust, "width,fillchar", 1 },
	{ "rpartition", partition_last, "sep", 1 },
	{ "rsplit", split_last, "sep,maxsplit", 0 },
	{ "rstrip", rstrip, "chars", 0 },
	{ "split", split_first, "sep,maxsplit", 0 },
	{ "splitlines", split_lines, "keepends", 0 },
	{ "startswith", starts_with, "prefix,start,end", 1 },
	{ "strip", strip, "chars", 0 },
	{ "title", title, "", 0 },
	{ "upper", upper, "", 0 },
};

static const struct rm_callable of_lists[] = {
	{ "append", forbidden, NULL, 0 },
	{ "clear", forbidden, NULL, 0 },
	{ "copy", copy, "", 0 },
	{ "count", list_count, "value", 1 },
	{ "extend", forbidden, NULL, 0 },
	{ "index", list_index, "value", 1 },
	{ "insert", forbidden, NULL, 0 },
	{ "pop", forbidden, NULL, 0 },
	{ "remove", forbidden, NULL, 0 },
	{ "reverse", forbidden, NULL, 0 },
	{ "sort", forbidden, NULL, 0 },
};

static const struct rm_callable of_tuples[] = {
	{ "count", list_count, "value", 1 },
	{ "index", list_index, "value", 1 },
};

static const struct rm_callable of_dicts[] = {
	{ "clear", forbidden, NULL, 0 },
	{ "copy", copy, "", 0 },
	{ "get", dict_get, "key,default", 1 },
	{ "items", dict_items, "", 0 },
	{ "keys", dict_keys, "", 0 },
	{ "pop", forbidden, NULL, 0 },
	{ "popitem", forbidden, NULL, 0 },
	{ "setdefault", forbidden, NULL, 0 },
	{ "update", forbidden, NULL, 0 },
	{ "values", dict_values, "", 0 },
};

static const struct rm_callable of_loops[] = {
	{ "changed", changed, NULL, 0 },
	{ "cycle", cycle, NULL, 0 },
};

const struct rm_callable *rm_jinja_method(uint32_t type, struct rm_slice name)
{
	switch (type) {
	case RM_V_STRING:
		return rm_callable_find(of_strings, RM_COUNT(of_strings),
					name);
	case RM_V_LIST:
		return rm_callable_find(of_lists, RM_COUNT(of_lists), name);
	case RM_V_TUPLE:
		return rm_callable_find(of_tuples, RM_COUNT(of_tuples), name);
	case RM_V_DICT:
		return rm_callable_find(of_dicts, RM_COUNT(of_dicts), name);
	case RM_V_LOOP:
		return rm_callable_find(of_loops, RM_COUNT(of_loops), name);
	default:
		return NULL;
	}
}
