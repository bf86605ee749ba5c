/* Filters of one value; those of lists stand in list.c. */
#include "template/jinja.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#define FN(name) static int name(struct rm_jinja_run *r, \
				 const struct rm_jinja_call *c, \
				 struct rm_value *out)

/* ---- arguments ---- */

bool rm_arg_given(const struct rm_jinja_call *c, size_t i)
{
	return i < c->n && c->arg[i].type != RM_V_OMITTED &&
	       c->arg[i].type != RM_V_NONE;
}

struct rm_value rm_arg(const struct rm_jinja_call *c, size_t i)
{
	return i < c->n && c->arg[i].type != RM_V_OMITTED ? c->arg[i]
							  : rm_none();
}

int rm_arg_int(struct rm_jinja_run *r, const struct rm_jinja_call *c,
	       size_t i, int64_t otherwise, int64_t *out)
{
	*out = otherwise;
	if (!rm_arg_given(c, i) || rm_value_int(c->arg[i], out))
		return 0;
	return rm_value_refuse(r, c->arg[i], "an argument");
}

int rm_arg_text(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		size_t i, const char *otherwise, struct rm_value *out)
{
	*out = rm_text_value(otherwise, strlen(otherwise));
	if (!rm_arg_given(c, i))
		return 0;
	*out = c->arg[i];
	return rm_is_string(*out) ? 0 : rm_value_refuse(r, *out,
							"an argument");
}

const struct rm_callable *rm_callable_find(const struct rm_callable *table,
					   size_t n, struct rm_slice name)
{
	for (size_t i = 0; i < n; i++)
		if (rm_slice_is(name, table[i].name))
			return &table[i];
	return NULL;
}

/* ---- numbers ---- */

FN(absolute)
{
	int64_t i;
	double x;

	if (rm_value_int(c->self, &i) && i != INT64_MIN)
		*out = rm_int(i < 0 ? -i : i);
	else if (rm_value_number(c->self, &x))
		*out = rm_float(fabs(x));
	else
		return rm_value_refuse(r, c->self, "a number");
	return 0;
}

/* A string as a number in Python: white space around it, _ within. */
static bool number_text(struct rm_value v, char text[64])
{
	size_t n = 0;

	for (size_t i = 0; i < v.len; i++) {
		if (v.u.s[i] == '_' && i && v.u.s[i - 1] != '_')
			continue;
		if (n == 63 || !v.u.s[i] ||
		    (v.u.s[i] | 0x20) == 'x' || (v.u.s[i] | 0x20) == 'p')
			return false;
		text[n++] = (char)v.u.s[i];
	}
	text[n] = '\0';
	return n > 0;
}

static bool text_as_float(struct rm_jinja_run *r, struct rm_value v,
			  double *x)
{
	const struct rm_value none = { .type = RM_V_OMITTED };
	char text[64], *end;

	if (rm_value_strip(r, v, none, RM_STRIP_BOTH, &v) < 0 ||
	    !number_text(v, text))
		return false;
	*x = strtod(text, &end);
	return end != text && *end == '\0';
}

static bool text_as_int(struct rm_jinja_run *r, struct rm_value v,
			int64_t base, int64_t *i)
{
	const struct rm_value none = { .type = RM_V_OMITTED };
	char text[64], *end;

	if (base < 2 || base > 36 ||
	    rm_value_strip(r, v, none, RM_STRIP_BOTH, &v) < 0 ||
	    !number_text(v, text))
		return false;
	*i = strtoll(text, &end, (int)base);
	return end != text && *end == '\0' && *i != INT64_MAX &&
	       *i != INT64_MIN;
}

FN(as_int)
{
	int64_t i, base;
	double x;
	bool is;

	if (c->self.type == RM_V_UNDEFINED)
		return rm_value_refuse(r, c->self, "a number");
	if (rm_arg_int(r, c, 1, 10, &base) < 0)
		return -1;
	if (rm_value_int(c->self, &i) ||
	    (rm_is_string(c->self) && text_as_int(r, c->self, base, &i))) {
		*out = rm_int(i);
		return 0;
	}
	is = rm_is_string(c->self) ? text_as_float(r, c->self, &x)
				   : rm_value_number(c->self, &x);
	if (is && fabs(x) < 9e18)
		*out = rm_int((int64_t)x);
	else
		*out = rm_arg_given(c, 0) ? c->arg[0] : rm_int(0);
	return 0;
}

FN(as_float)
{
	double x;

	if (c->self.type == RM_V_UNDEFINED)
		return rm_value_refuse(r, c->self, "a number");
	if (rm_value_number(c->self, &x) ||
	    (rm_is_string(c->self) && text_as_float(r, c->self, &x)))
		*out = rm_float(x);
	else
		*out = rm_arg_given(c, 0) ? c->arg[0] : rm_float(0);
	return 0;
}

/* Halves to even, as they are in decimal. */
static double round_to(double x, int64_t places)
{
	char text[400];

	if (places < 0)
		return nearbyint(x / pow(10, (double)-places)) *
		       pow(10, (double)-places);
	snprintf(text, sizeof(text), "%.*f", (int)RM_MIN(places, 30), x);
	return strtod(text, NULL);
}

FN(rounded)
{
	struct rm_value method;
	int64_t places;
	double x, scale;

	/* An int stays as it is. */
	if (c->self.type == RM_V_INT && !rm_arg_given(c, 0) &&
	    !rm_arg_given(c, 1)) {
		*out = c->self;
		return 0;
	}
	if (rm_arg_int(r, c, 0, 0, &places) < 0 ||
	    rm_arg_text(r, c, 1, "common", &method) < 0)
		return -1;
	if (!rm_value_number(c->self, &x))
		return rm_value_refuse(r, c->self, "a number");
	scale = pow(10, (double)places);
	if (rm_slice_is(rm_slice_of(method), "ceil"))
		*out = rm_float(ceil(x * scale) / scale);
	else if (rm_slice_is(rm_slice_of(method), "floor"))
		*out = rm_float(floor(x * scale) / scale);
	else if (!rm_slice_is(rm_slice_of(method), "common"))
		return rm_fail("round is common, ceil or floor");
	else if (c->self.type == RM_V_FLOAT)
		*out = rm_float(round_to(x, places));
	else
		*out = rm_int((int64_t)(places < 0 ? round_to(x, places) : x));
	return 0;
}

/* ---- any value ---- */

FN(otherwise)
{
	bool empty = c->self.type == RM_V_UNDEFINED ||
		     (rm_value_true(rm_arg(c, 1)) && !rm_value_true(c->self));

	(void)r;
	if (!empty)
		*out = c->self;
	else
		*out = c->arg[0].type == RM_V_OMITTED ? rm_text_value("", 0)
						      : c->arg[0];
	return 0;
}

FN(length)
{
	size_t n;

	if (rm_value_length(r, c->self, &n) < 0)
		return -1;
	*out = rm_int((int64_t)n);
	return 0;
}

FN(string)
{
	return rm_value_str(r, c->self, out);
}

FN(attr)
{
	struct rm_value name;

	if (rm_arg_text(r, c, 0, "", &name) < 0)
		return -1;
	if (c->self.type == RM_V_DICT) {
		/* Attributes alone, no items. */
		*out = rm_undefined(r->at, RM_V_DICT);
		return rm_jinja_method(RM_V_DICT, rm_slice_of(name))
			       ? rm_value_attr(r, c->self, rm_slice_of(name),
					       out) : 0;
	}
	return rm_value_attr(r, c->self, rm_slice_of(name), out);
}

static int set_indent(struct rm_jinja_run *r, struct rm_value v,
		      struct rm_json_style *style)
{
	int64_t indent = -1;

	if (v.type == RM_V_OMITTED || v.type == RM_V_NONE)
		return 0;
	if (!rm_value_int(v, &indent) || indent > 64)
		return rm_value_refuse(r, v, "an indent of 0 to 64");
	style->indent = indent < 0 ? 0 : (int)indent;
	return 0;
}

FN(to_json)
{
	struct rm_json_style style = {
		.ascii = rm_value_true(rm_arg(c, 0)),
		.sort = rm_value_true(rm_arg(c, 3)),
		.indent = -1,
		.item.type = RM_V_OMITTED, .key.type = RM_V_OMITTED
	};
	struct rm_value pair = rm_arg(c, 2);

	if (set_indent(r, rm_arg(c, 1), &style) < 0)
		return -1;
	if (pair.type != RM_V_NONE) {
		if (!rm_is_sequence(pair) || pair.u.list->n != 2)
			return rm_value_refuse(r, pair, "two separators");
		style.item = pair.u.list->item[0];
		style.key = pair.u.list->item[1];
	}
	return rm_value_json(r, c->self, &style, out);
}

/* ---- text ---- */

/* self as text. */
static int text_of(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		   struct rm_value *text)
{
	return rm_value_str(r, c->self, text);
}

FN(capitalize)
{
	struct rm_value s;

	return text_of(r, c, &s) < 0 ? -1 :
	       rm_value_case(r, s, RM_CASE_CAPITALIZE, out);
}

FN(lower)
{
	struct rm_value s;

	return text_of(r, c, &s) < 0 ? -1 :
	       rm_value_case(r, s, RM_CASE_LOWER, out);
}

FN(upper)
{
	struct rm_value s;

	return text_of(r, c, &s) < 0 ? -1 :
	       rm_value_case(r, s, RM_CASE_UPPER, out);
}

static bool begins_word(uint32_t before)
{
	return before == '-' || before == '(' || before == '{' ||
	       before == '[' || before == '<' || rm_point_space(before);
}

/* Words here begin after white space and brackets alone. */
FN(title)
{
	struct rm_value s, one;
	struct rm_buf b = {0};
	uint32_t before = ' ', ch;
	size_t len;

	if (text_of(r, c, &s) < 0)
		return -1;
	for (size_t i = 0; i < s.len; i += len, before = ch) {
		ch = rm_point_at(s.u.s + i, s.len - i, &len);
		if (rm_value_case(r, rm_text_value(s.u.s + i, len),
				  begins_word(before) ? RM_CASE_UPPER
						      : RM_CASE_LOWER,
				  &one) < 0 ||
		    rm_put(r, &b, one) < 0) {
			rm_buf_fini(&b);
			return -1;
		}
	}
	return rm_value_take(r, &b, out);
}

FN(trim)
{
	struct rm_value s;

	return text_of(r, c, &s) < 0 ? -1 :
	       rm_value_strip(r, s, c->arg[0], RM_STRIP_BOTH, out);
}

FN(replace)
{
	struct rm_value s, from, to;
	int64_t max;

	if (text_of(r, c, &s) < 0 || rm_value_str(r, c->arg[0], &from) < 0 ||
	    rm_value_str(r, c->arg[1], &to) < 0 ||
	    rm_arg_int(r, c, 2, -1, &max) < 0)
		return -1;
	return rm_value_replace(r, s, from, to, max, out);
}

FN(center)
{
	struct rm_value s, width;
	int64_t n;

	if (text_of(r, c, &s) < 0 || rm_arg_int(r, c, 0, 80, &n) < 0)
		return -1;
	width = rm_int(n);
	return rm_jinja_apply(r, rm_jinja_method(RM_V_STRING,
						 (struct rm_slice){
		(const unsigned char *)"center", 6 }), s, &width, 1, out);
}

FN(escape)
{
	static const char from[] = "&<>'\"";
	static const char *const to[] = {
		"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"
	};
	struct rm_value s;
	struct rm_buf b = {0};

	if (text_of(r, c, &s) < 0 || rm_run_work(r, s.len / 8) < 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		const char *at = s.u.s[i] ? strchr(from, s.u.s[i]) : NULL;

		if (at)
			rm_buf_puts(&b, to[at - from]);
		else
			rm_buf_putc(&b, s.u.s[i]);
	}
	return rm_value_take(r, &b, out);
}

FN(format)
{
	struct rm_list *l = rm_list_new(r, c->n);
	struct rm_value s;

	if (!l || text_of(r, c, &s) < 0)
		return -1;
	if (c->named)
		return rm_fail("format by names is not built");
	for (size_t i = 0; i < c->n; i++)
		l->item[i] = c->arg[i];
	return rm_value_format(r, s, rm_list_value(l, RM_V_TUPLE), out);
}

/* ---- lines ---- */

static bool ends_line(uint32_t c)
{
	return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 ||
	       c == 0x2028 || c == 0x2029;
}

/* The line at byte `at`; *next: where the next one begins. */
static struct rm_value line_at(struct rm_value s, size_t at, size_t *next)
{
	size_t i = at, len;
	uint32_t c = 0;

	for (; i < s.len; i += len) {
		c = rm_point_at(s.u.s + i, s.len - i, &len);
		if (ends_line(c))
			break;
	}
	*next = i < s.len ? i + len : i;
	if (c == '\r' && *next < s.len && s.u.s[*next] == '\n')
		++*next;
	return rm_text_value(s.u.s + at, i - at);
}

struct rm_list *rm_value_lines(struct rm_jinja_run *r, struct rm_value text)
{
	struct rm_list *l;
	size_t n = 0, next;

	if (rm_run_work(r, text.len / 8) < 0)
		return NULL;
	for (size_t at = 0; at < text.len; at = next, n++)
		line_at(text, at, &next);
	l = rm_list_new(r, n);
	n = 0;
	for (size_t at = 0; l && at < text.len; at = next)
		l->item[n++] = line_at(text, at, &next);
	return l;
}

static int put_indented(struct rm_jinja_run *r, struct rm_buf *b,
			const struct rm_list *l, struct rm_value indent,
			bool first, bool blank)
{
	for (size_t i = 0; i < l->n; i++) {
		bool put = i == 0 ? first : blank || l->item[i].len;

		if ((i && rm_put(r, b, rm_text_value("\n", 1)) < 0) ||
		    (put && rm_put(r, b, indent) < 0) ||
		    rm_put(r, b, l->item[i]) < 0)
			return -1;
	}
	return 0;
}

FN(indent)
{
	struct rm_value s, by = rm_arg(c, 0);
	struct rm_list *l;
	struct rm_buf b = {0};
	int64_t width;

	if (!rm_is_string(by)) {
		if (rm_arg_int(r, c, 0, 4, &width) < 0 ||
		    rm_value_binary(r, RM_OP_MUL, rm_text_value(" ", 1),
				    rm_int(width), &by) < 0)
			return -1;
	}
	if (!rm_is_string(c->self))
		return rm_value_refuse(r, c->self, "what is indented");
	if (rm_value_concat(r, c->self, rm_text_value("\n", 1), &s) < 0)
		return -1;
	l = rm_value_lines(r, s);
	if (!l || put_indented(r, &b, l, by, rm_value_true(rm_arg(c, 1)),
			       rm_value_true(rm_arg(c, 2))) < 0) {
		rm_buf_fini(&b);
		return -1;
	}
	return rm_value_take(r, &b, out);
}

/* At the last space before the cut, unless words may be cut. */
FN(truncate)
{
	struct rm_value end, s = c->self;
	int64_t length, leeway;
	size_t n, m;

	if (rm_arg_int(r, c, 0, 255, &length) < 0 ||
	    rm_arg_text(r, c, 2, "...", &end) < 0 ||
	    rm_arg_int(r, c, 3, 5, &leeway) < 0 ||
	    rm_value_length(r, s, &n) < 0 || rm_value_length(r, end, &m) < 0)
		return -1;
	if (length < (int64_t)m || leeway < 0 || leeway > INT32_MAX)
		return rm_fail("truncate to less than its end");
	*out = s;
	if (length > INT32_MAX || (int64_t)n <= length + leeway)
		return 0;
	if (!rm_is_string(s))
		return rm_value_refuse(r, s, "what is truncated");
	n = rm_point_offset(s.u.s, s.len, (size_t)length - m);
	if (!rm_value_true(rm_arg(c, 1))) {
		const unsigned char *at = memrchr(s.u.s, ' ', n);

		n = at ? (size_t)(at - s.u.s) : n;
	}
	return rm_value_concat(r, rm_text_value(s.u.s, n), end, out);
}

FN(word_count)
{
	struct rm_value s;
	bool within = false;
	int64_t n = 0;
	size_t len;

	if (text_of(r, c, &s) < 0 || rm_run_work(r, s.len / 8) < 0)
		return -1;
	for (size_t i = 0; i < s.len; i += len) {
		uint32_t ch = rm_point_at(s.u.s + i, s.len - i, &len);
		utf8proc_category_t k = utf8proc_category(
			(utf8proc_int32_t)ch);
		bool word = ch == '_' || (k >= UTF8PROC_CATEGORY_LU &&
					  k <= UTF8PROC_CATEGORY_LO) ||
			    (k >= UTF8PROC_CATEGORY_ND &&
			     k <= UTF8PROC_CATEGORY_NO);

		n += word && !within;
		within = word;
	}
	*out = rm_int(n);
	return 0;
}

/* ---- the table ---- */

static const struct rm_callable filters[] = {
	{ "abs", absolute, "", 0 },
	{ "attr", attr, "name", 1 },
	{ "capitalize", capitalize, "", 0 },
	{ "center", center, "width", 0 },
	{ "count", length, "", 0 },
	{ "d", otherwise, "default_value,boolean", 0 },
	{ "default", otherwise, "default_value,boolean", 0 },
	{ "e", escape, "", 0 },
	{ "escape", escape, "", 0 },
	{ "float", as_float, "default", 0 },
	{ "format", format, NULL, 0 },
	{ "indent", indent, "width,first,blank", 0 },
	{ "int", as_int, "default,base", 0 },
	{ "length", length, "", 0 },
	{ "lower", lower, "", 0 },
	{ "replace", replace, "old,new,count", 2 },
	{ "round", rounded, "precision,method", 0 },
	{ "safe", string, "", 0 },
	{ "string", string, "", 0 },
	{ "title", title, "", 0 },
	{ "tojson", to_json, "ensure_ascii,indent,separators,sort_keys", 0 },
	{ "trim", trim, "chars", 0 },
	{ "truncate", truncate, "length,killwords,end,leeway", 0 },
	{ "upper", upper, "", 0 },
	{ "wordcount", word_count, "", 0 },
};

const struct rm_callable *rm_jinja_filter(struct rm_slice name)
{
	const struct rm_callable *f = rm_callable_find(filters,
						       RM_COUNT(filters),
						       name);

	return f ? f : rm_callable_find(rm_jinja_list_filters,
					rm_jinja_n_list_filters, name);
}
