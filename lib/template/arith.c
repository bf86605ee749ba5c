/* Operators on two values. */
#include "template/jinja.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const texts[] = {
	"+", "-", "*", "/", "//", "%", "**"
};

static int refuse(struct rm_jinja_run *r, enum rm_op op, struct rm_value a,
		  struct rm_value b)
{
	if (a.type == RM_V_UNDEFINED || b.type == RM_V_UNDEFINED)
		return rm_value_refuse(r, a.type == RM_V_UNDEFINED ? a : b,
				       "");
	return rm_fail("%s %s %s has no meaning", rm_value_type_name(a.type),
		       texts[op], rm_value_type_name(b.type));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static bool power(int64_t a, int64_t b, int64_t *out)
{
	int64_t x = 1;

	for (; b > 0; b--) {
		if (__builtin_mul_overflow(x, a, &x))
			return false;
		if (x == 0 || x == 1)
			break;
		if (x == -1) {
			x = b % 2 ? -1 : 1;
			break;
		}
	}
	*out = x;
	return true;
}

/* 1, 0 where the result is no int, -1. */
static int ints(enum rm_op op, int64_t a, int64_t b, struct rm_value *out)
{
	int64_t x = 0;
	bool fits = true;

	if ((op == RM_OP_FLOOR_DIV || op == RM_OP_MOD) && b == 0)
		return rm_fail("division by zero");
	if ((op == RM_OP_FLOOR_DIV || op == RM_OP_MOD) && b == -1) {
		fits = !__builtin_sub_overflow(0, a, &x);
		x = op == RM_OP_MOD ? 0 : x;
	} else if (op == RM_OP_ADD) {
		fits = !__builtin_add_overflow(a, b, &x);
	} else if (op == RM_OP_SUB) {
		fits = !__builtin_sub_overflow(a, b, &x);
	} else if (op == RM_OP_MUL) {
		fits = !__builtin_mul_overflow(a, b, &x);
	} else if (op == RM_OP_FLOOR_DIV) {
		x = floor_div(a, b);
	} else if (op == RM_OP_MOD) {
		x = a - b * floor_div(a, b);
	} else if (op == RM_OP_POW && b >= 0) {
		fits = power(a, b, &x);
	} else {
		return 0;
	}
	*out = rm_int(x);
	return fits ? 1 : rm_fail("a number beyond 64 bits");
}

static int floats(enum rm_op op, double a, double b, struct rm_value *out)
{
	double x;

	if (op >= RM_OP_DIV && op <= RM_OP_MOD && b == 0)
		return rm_fail("division by zero");
	switch (op) {
	case RM_OP_ADD:
		x = a + b;
		break;
	case RM_OP_SUB:
		x = a - b;
		break;
	case RM_OP_MUL:
		x = a * b;
		break;
	case RM_OP_DIV:
		x = a / b;
		break;
	case RM_OP_FLOOR_DIV:
		x = floor(a / b);
		break;
	case RM_OP_MOD:
		x = fmod(a, b);
		x += x != 0 && (x < 0) != (b < 0) ? b : 0;
		break;
	default:
		if (a == 0 && b < 0)
			return rm_fail("division by zero");
		if (a < 0 && b != floor(b))
			return rm_fail("a power that is no real number");
		x = pow(a, b);
		break;
	}
	*out = rm_float(x);
	return 0;
}

static int add_lists(struct rm_jinja_run *r, struct rm_value a,
		     struct rm_value b, struct rm_value *out)
{
	size_t n = a.u.list->n, m = b.u.list->n;
	struct rm_list *l = rm_list_new(r, n + m);

	if (!l || rm_run_work(r, (n + m) / 8) < 0)
		return -1;
	if (n)
		memcpy(l->item, a.u.list->item, n * sizeof(*l->item));
	if (m)
		memcpy(l->item + n, b.u.list->item, m * sizeof(*l->item));
	*out = rm_list_value(l, a.type);
	return 0;
}

static int repeat(struct rm_jinja_run *r, struct rm_value v, int64_t times,
		  struct rm_value *out)
{
	struct rm_buf b = {0};
	struct rm_list *l;
	size_t n;

	times = times < 0 ? 0 : times;
	if (rm_is_string(v)) {
		for (int64_t i = 0; i < times && v.len; i++)
			if (rm_put(r, &b, v) < 0)
				break;
		if (b.len != v.len * (size_t)times) {
			rm_buf_fini(&b);
			return -1;
		}
		return rm_value_take(r, &b, out);
	}
	n = v.u.list->n;
	if (n == 0) {
		*out = v;
		return 0;
	}
	if ((size_t)times > RM_JINJA_MAX_SOURCE / n)
		return rm_fail("a list that is too long");
	l = rm_list_new(r, n * (size_t)times);
	if (!l || rm_run_work(r, l->n / 8) < 0)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		l->item[i] = v.u.list->item[i % n];
	*out = rm_list_value(l, v.type);
	return 0;
}

/* Strings and lists; 0 where the operator is none of theirs. */
static int sequences(struct rm_jinja_run *r, enum rm_op op, struct rm_value a,
		     struct rm_value b, struct rm_value *out)
{
	int64_t times;

	if (op == RM_OP_ADD && rm_is_string(a) && rm_is_string(b))
		return rm_value_concat(r, a, b, out) < 0 ? -1 : 1;
	if ((rm_is_sequence(a) && a.u.list->kind != RM_LIST) ||
	    (rm_is_sequence(b) && b.u.list->kind != RM_LIST))
		return 0;
	if (op == RM_OP_ADD && rm_is_sequence(a) && a.type == b.type)
		return add_lists(r, a, b, out) < 0 ? -1 : 1;
	if (op != RM_OP_MUL)
		return 0;
	if ((rm_is_string(a) || rm_is_sequence(a)) && rm_value_int(b, &times))
		return repeat(r, a, times, out) < 0 ? -1 : 1;
	if ((rm_is_string(b) || rm_is_sequence(b)) && rm_value_int(a, &times))
		return repeat(r, b, times, out) < 0 ? -1 : 1;
	return 0;
}

int rm_value_binary(struct rm_jinja_run *r, enum rm_op op, struct rm_value a,
		    struct rm_value b, struct rm_value *out)
{
	int64_t i, j;
	double x, y;
	int got = sequences(r, op, a, b, out);

	if (got == 0 && rm_value_int(a, &i) && rm_value_int(b, &j))
		got = ints(op, i, j, out);
	if (got)
		return got < 0 ? -1 : 0;
	if (op == RM_OP_MOD && rm_is_string(a))
		return rm_value_format(r, a, b, out);
	if (!rm_value_number(a, &x) || !rm_value_number(b, &y))
		return refuse(r, op, a, b);
	return floats(op, x, y, out);
}

/* ---- text % values ---- */

/* One %s, %r, %d or %f of no width. */
static int put_one(struct rm_jinja_run *r, struct rm_buf *b, char how,
		   struct rm_value v)
{
	struct rm_value text;
	double x;

	if (how == 'r')
		return rm_value_repr(r, b, v);
	if (how == 's')
		return rm_value_str(r, v, &text) < 0 ? -1 :
		       rm_put(r, b, text);
	if (how != 'd' && how != 'i' && how != 'f')
		return rm_fail("%%%c in a format is not built", how);
	if (!rm_value_number(v, &x))
		return rm_value_refuse(r, v, "a number in a format");
	if (how == 'f')
		rm_buf_printf(b, "%f", x);
	else if (v.type == RM_V_FLOAT)
		rm_buf_printf(b, "%.0f", trunc(x));
	else
		rm_buf_printf(b, "%lld", v.type == RM_V_BOOL ?
			      (long long)v.u.b : (long long)v.u.i);
	return 0;
}

/* must: every value has to be written. */
static int format(struct rm_jinja_run *r, struct rm_buf *b,
		  struct rm_value text, const struct rm_value *v, size_t n,
		  bool must)
{
	const unsigned char *s = text.u.s, *end = s + text.len, *at;
	size_t used = 0;

	while ((at = memchr(s, '%', (size_t)(end - s)))) {
		if (rm_put(r, b, rm_text_value(s, (size_t)(at - s))) < 0)
			return -1;
		if (at + 1 == end)
			return rm_fail("a format that ends in %%");
		s = at + 2;
		if (at[1] == '%') {
			rm_buf_putc(b, '%');
			continue;
		}
		if (used == n)
			return rm_fail("too few values for the format");
		if (put_one(r, b, (char)at[1], v[used++]) < 0)
			return -1;
	}
	if (used != n && must)
		return rm_fail("too many values for the format");
	return rm_put(r, b, rm_text_value(s, (size_t)(end - s)));
}

int rm_value_format(struct rm_jinja_run *r, struct rm_value text,
		    struct rm_value v, struct rm_value *out)
{
	const struct rm_value *all = v.type == RM_V_TUPLE ? v.u.list->item
							  : &v;
	bool must = v.type != RM_V_LIST && v.type != RM_V_DICT &&
		    v.type != RM_V_UNDEFINED;
	struct rm_buf b = {0};

	if (format(r, &b, text, all, v.type == RM_V_TUPLE ? v.u.list->n : 1,
		   must) < 0) {
		rm_buf_fini(&b);
		return -1;
	}
	return rm_value_take(r, &b, out);
}
