/* Values as text: Python's str and repr, JSON as Transformers writes it. */
#include "template/jinja.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

/* ---- strings in the run's memory ---- */

enum { CHUNK = 16 * 1024 };

/* Room for n more bytes of text. */
static int room(struct rm_jinja_run *r, size_t n)
{
	size_t size = RM_MAX(n, CHUNK);

	if (n > UINT32_MAX / 2)
		return rm_fail("a string that is too long");
	r->text = rm_run_alloc(r, size, 1);
	r->text_end = r->text ? r->text + size : NULL;
	return r->text ? 0 : -1;
}

int rm_value_copy(struct rm_jinja_run *r, const void *s, size_t n,
		  struct rm_value *out)
{
	if ((size_t)(r->text_end - r->text) < n && room(r, n) < 0)
		return -1;
	*out = rm_text_value(r->text, n);
	if (n)
		memcpy(r->text, s, n);
	r->text += n;
	return rm_run_work(r, n / 64);
}

int rm_value_take(struct rm_jinja_run *r, struct rm_buf *b,
		  struct rm_value *out)
{
	int err = b->failed ? -1 : rm_value_copy(r, b->data, b->len, out);

	rm_buf_fini(b);
	return err;
}

int rm_put(struct rm_jinja_run *r, struct rm_buf *b, struct rm_value text)
{
	if (b->len + text.len > r->memory && !b->failed) {
		b->failed = true;
		return rm_fail("more memory than a template may use");
	}
	rm_buf_append(b, text.u.s, text.len);
	return b->failed ? -1 : rm_run_work(r, 1 + text.len / 64);
}

/* Where a was the last to be made, b is written behind it. */
int rm_value_concat(struct rm_jinja_run *r, struct rm_value a,
		    struct rm_value b, struct rm_value *out)
{
	size_t n = (size_t)a.len + b.len;

	if (b.len == 0 || a.len == 0) {
		*out = b.len ? b : a;
		return 0;
	}
	if (rm_run_work(r, 1 + b.len / 64) < 0)
		return -1;
	if (a.u.s + a.len == r->text &&
	    (size_t)(r->text_end - r->text) >= b.len) {
		memcpy(r->text, b.u.s, b.len);
		r->text += b.len;
		*out = rm_text_value(a.u.s, n);
		return 0;
	}
	/* Room to grow: much is added to what was added to. */
	if ((size_t)(r->text_end - r->text) < n && room(r, n + n / 2) < 0)
		return -1;
	if (n > UINT32_MAX)
		return rm_fail("a string that is too long");
	memcpy(r->text, a.u.s, a.len);
	memcpy(r->text + a.len, b.u.s, b.len);
	*out = rm_text_value(r->text, n);
	r->text += n;
	return rm_run_work(r, a.len / 64);
}

/* ---- numbers ---- */

void rm_float_text(double x, char text[40])
{
	char digits[40], *e;
	int exp, n = 0;

	if (isnan(x) || isinf(x)) {
		snprintf(text, 40, "%s", isnan(x) ? "nan" : x < 0 ? "-inf"
								: "inf");
		return;
	}
	for (int p = 0; p < 17; p++) {
		snprintf(digits, sizeof(digits), "%.*e", p, x);
		if (strtod(digits, NULL) == x)
			break;
	}
	e = strchr(digits, 'e');
	exp = (int)strtol(e + 1, NULL, 10);
	if (exp < -4 || exp >= 16) {
		snprintf(text, 40, "%.*se%c%02d", (int)(e - digits), digits,
			 exp < 0 ? '-' : '+', abs(exp));
		return;
	}
	for (char *d = digits; d < e; d++)
		n += *d >= '0' && *d <= '9';
	snprintf(text, 40, "%.*f", RM_MAX(n - 1 - exp, 1), x);
}

static void put_number(struct rm_buf *b, struct rm_value v, bool json)
{
	char text[40];

	if (v.type == RM_V_INT) {
		rm_buf_printf(b, "%lld", (long long)v.u.i);
		return;
	}
	if (json && (isnan(v.u.f) || isinf(v.u.f))) {
		rm_buf_puts(b, isnan(v.u.f) ? "NaN" : v.u.f < 0 ? "-Infinity"
								: "Infinity");
		return;
	}
	rm_float_text(v.u.f, text);
	rm_buf_puts(b, text);
}

/* ---- repr ---- */

static bool printable(uint32_t c)
{
	utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);

	return c == ' ' ||
	       !(k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF ||
		 k == UTF8PROC_CATEGORY_CS || k == UTF8PROC_CATEGORY_CO ||
		 k == UTF8PROC_CATEGORY_CN || k == UTF8PROC_CATEGORY_ZL ||
		 k == UTF8PROC_CATEGORY_ZP || k == UTF8PROC_CATEGORY_ZS);
}

static void put_repr_char(struct rm_buf *b, uint32_t c, char quote)
{
	unsigned char utf8[4];

	if (c == (uint32_t)quote || c == '\\')
		rm_buf_printf(b, "\\%c", (int)c);
	else if (c == '\n' || c == '\r' || c == '\t')
		rm_buf_puts(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
	else if (printable(c))
		rm_buf_append(b, utf8, rm_point_put(c, utf8));
	else if (c < 0x100)
		rm_buf_printf(b, "\\x%02x", (unsigned)c);
	else
		rm_buf_printf(b, c < 0x10000 ? "\\u%04x" : "\\U%08x",
			      (unsigned)c);
}

static void put_repr_text(struct rm_buf *b, struct rm_value v)
{
	bool single = v.len && memchr(v.u.s, '\'', v.len);
	bool both = single && memchr(v.u.s, '"', v.len);
	char quote = single && !both ? '"' : '\'';
	size_t len;

	rm_buf_putc(b, quote);
	for (size_t i = 0; i < v.len; i += len)
		put_repr_char(b, rm_point_at(v.u.s + i, v.len - i, &len),
			      quote);
	rm_buf_putc(b, quote);
}

static int repr_items(struct rm_jinja_run *r, struct rm_buf *b,
		      struct rm_value v)
{
	const struct rm_list *l = v.u.list;
	bool tuple = v.type == RM_V_TUPLE;

	rm_buf_putc(b, tuple ? '(' : '[');
	for (size_t i = 0; i < l->n; i++) {
		rm_buf_puts(b, i ? ", " : "");
		if (rm_value_repr(r, b, l->item[i]) < 0)
			return -1;
	}
	rm_buf_puts(b, !tuple ? "]" : l->n == 1 ? ",)" : ")");
	return 0;
}

static int repr_pairs(struct rm_jinja_run *r, struct rm_buf *b,
		      const struct rm_dict *d)
{
	rm_buf_putc(b, '{');
	for (size_t i = 0; i < d->n; i++) {
		rm_buf_puts(b, i ? ", " : "");
		if (rm_value_repr(r, b, d->pair[i].key) < 0)
			return -1;
		rm_buf_puts(b, ": ");
		if (rm_value_repr(r, b, d->pair[i].value) < 0)
			return -1;
	}
	rm_buf_putc(b, '}');
	return 0;
}

static int enter(struct rm_jinja_run *r, const struct rm_buf *b)
{
	if (++r->depth > RM_JINJA_MAX_DEPTH)
		return rm_fail("values nested too deep");
	if (b->len > r->memory)
		return rm_fail("more memory than a template may use");
	return b->failed ? -1 : rm_run_work(r, 1);
}

int rm_value_repr(struct rm_jinja_run *r, struct rm_buf *b, struct rm_value v)
{
	int err = 0;

	if (enter(r, b) < 0)
		return -1;
	if (v.type == RM_V_STRING)
		put_repr_text(b, v);
	else if (v.type == RM_V_INT || v.type == RM_V_FLOAT)
		put_number(b, v, false);
	else if (v.type == RM_V_BOOL)
		rm_buf_puts(b, v.u.b ? "True" : "False");
	else if (v.type == RM_V_NONE)
		rm_buf_puts(b, "None");
	else if (v.type == RM_V_UNDEFINED)
		rm_buf_puts(b, "Undefined");
	else if (rm_is_sequence(v) && v.u.list->kind == RM_LIST)
		err = repr_items(r, b, v);
	else if (v.type == RM_V_DICT)
		err = repr_pairs(r, b, v.u.dict);
	else
		err = rm_value_refuse(r, v, "what is written");
	r->depth--;
	return err < 0 || b->failed ? -1 : rm_run_work(r, v.type ==
						       RM_V_STRING ?
						       v.len / 16 : 0);
}

int rm_value_str(struct rm_jinja_run *r, struct rm_value v,
		 struct rm_value *out)
{
	struct rm_buf b = {0};

	if (rm_is_string(v)) {
		*out = v;
		return 0;
	}
	if (v.type == RM_V_UNDEFINED) {
		*out = rm_text_value("", 0);
		return 0;
	}
	if (rm_value_repr(r, &b, v) < 0) {
		rm_buf_fini(&b);
		return -1;
	}
	return rm_value_take(r, &b, out);
}

/* ---- JSON ---- */

struct json {
	struct rm_jinja_run *r;
	struct rm_buf b;
	const struct rm_json_style *style;
	struct rm_value item, key;	/* separators */
	size_t level;
};

static void put_unit(struct rm_buf *b, uint32_t c)
{
	rm_buf_printf(b, "\\u%04x", (unsigned)c);
}

static void put_json_char(struct rm_buf *b, uint32_t c)
{
	static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	const char *at = c && c < 128 ? strchr(from, (int)c) : NULL;

	if (at) {
		rm_buf_putc(b, '\\');
		rm_buf_putc(b, to[at - from]);
	} else if (c >= 0x10000) {
		put_unit(b, 0xd800 + ((c - 0x10000) >> 10));
		put_unit(b, 0xdc00 + ((c - 0x10000) & 0x3ff));
	} else {
		put_unit(b, c);
	}
}

static bool plain(unsigned char c, bool ascii)
{
	return c >= ' ' && c != '"' && c != '\\' && !(ascii && c >= 0x7f);
}

static void put_json_text(struct json *j, struct rm_value v)
{
	size_t from = 0, len, i = 0;

	rm_buf_putc(&j->b, '"');
	while (i < v.len) {
		uint32_t c;

		if (plain(v.u.s[i], j->style->ascii)) {
			i++;
			continue;
		}
		rm_buf_append(&j->b, v.u.s + from, i - from);
		c = rm_point_at(v.u.s + i, v.len - i, &len);
		if (c == 0x7f)
			rm_buf_putc(&j->b, 0x7f);
		else
			put_json_char(&j->b, c);
		from = i += len;
	}
	rm_buf_append(&j->b, v.u.s + from, v.len - from);
	rm_buf_putc(&j->b, '"');
}

static void new_line(struct json *j, size_t level)
{
	if (j->style->indent < 0)
		return;
	rm_buf_putc(&j->b, '\n');
	for (size_t i = 0; i < level * (size_t)j->style->indent &&
			   j->b.len < j->r->memory; i++)
		rm_buf_putc(&j->b, ' ');
}

static int put_json(struct json *j, struct rm_value v);

/* A key as text, as Python has numbers there. */
static int put_key(struct json *j, struct rm_value k)
{
	if (rm_is_string(k)) {
		put_json_text(j, k);
		return 0;
	}
	if (k.type > RM_V_STRING || k.type == RM_V_UNDEFINED)
		return rm_value_refuse(j->r, k, "a key in JSON");
	rm_buf_putc(&j->b, '"');
	if (put_json(j, k) < 0)
		return -1;
	rm_buf_putc(&j->b, '"');
	return 0;
}

static int put_json_items(struct json *j, const struct rm_list *l)
{
	rm_buf_putc(&j->b, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i && rm_put(j->r, &j->b, j->item) < 0)
			return -1;
		new_line(j, j->level);
		if (put_json(j, l->item[i]) < 0)
			return -1;
	}
	if (l->n)
		new_line(j, j->level - 1);
	rm_buf_putc(&j->b, ']');
	return 0;
}

/* The place of the key that comes after *last; both by their order. */
static int next_key(struct json *j, const struct rm_dict *d, size_t nth,
		    size_t *last)
{
	size_t best = SIZE_MAX;
	int order;

	for (size_t i = 0; i < d->n; i++) {
		if (rm_run_work(j->r, 1) < 0)
			return -1;
		if (nth) {
			if (rm_value_order(j->r, d->pair[i].key,
					   d->pair[*last].key, &order) < 0)
				return -1;
			if (order <= 0)
				continue;
		}
		if (best != SIZE_MAX) {
			if (rm_value_order(j->r, d->pair[i].key,
					   d->pair[best].key, &order) < 0)
				return -1;
			if (order >= 0)
				continue;
		}
		best = i;
	}
	*last = best == SIZE_MAX ? *last : best;
	return 0;
}

static int put_json_pairs(struct json *j, const struct rm_dict *d)
{
	size_t at = 0;

	rm_buf_putc(&j->b, '{');
	for (size_t i = 0; i < d->n; i++) {
		at = j->style->sort ? at : i;
		if (j->style->sort && next_key(j, d, i, &at) < 0)
			return -1;
		if (i && rm_put(j->r, &j->b, j->item) < 0)
			return -1;
		new_line(j, j->level);
		if (put_key(j, d->pair[at].key) < 0 ||
		    rm_put(j->r, &j->b, j->key) < 0 ||
		    put_json(j, d->pair[at].value) < 0)
			return -1;
	}
	if (d->n)
		new_line(j, j->level - 1);
	rm_buf_putc(&j->b, '}');
	return 0;
}

static int put_json(struct json *j, struct rm_value v)
{
	int err = 0;

	if (enter(j->r, &j->b) < 0)
		return -1;
	j->level++;
	if (rm_is_string(v))
		put_json_text(j, v);
	else if (v.type == RM_V_INT || v.type == RM_V_FLOAT)
		put_number(&j->b, v, true);
	else if (v.type == RM_V_BOOL)
		rm_buf_puts(&j->b, v.u.b ? "true" : "false");
	else if (v.type == RM_V_NONE)
		rm_buf_puts(&j->b, "null");
	else if (rm_is_sequence(v) && v.u.list->kind == RM_LIST)
		err = put_json_items(j, v.u.list);
	else if (v.type == RM_V_DICT)
		err = put_json_pairs(j, v.u.dict);
	else
		err = rm_value_refuse(j->r, v, "what becomes JSON");
	j->level--;
	j->r->depth--;
	return err < 0 || j->b.failed ? -1 : 0;
}

int rm_value_json(struct rm_jinja_run *r, struct rm_value v,
		  const struct rm_json_style *style, struct rm_value *out)
{
	struct json j = { .r = r, .style = style, .item = style->item,
			  .key = style->key };

	if (!rm_is_string(j.item))
		j.item = style->indent < 0 ? rm_text_value(", ", 2)
					   : rm_text_value(",", 1);
	if (!rm_is_string(j.key))
		j.key = rm_text_value(": ", 2);
	if (put_json(&j, v) < 0) {
		rm_buf_fini(&j.b);
		return -1;
	}
	return rm_value_take(r, &j.b, out);
}
