/* Tests: what stands behind `is`. */
#include "template/jinja.h"

#include <string.h>

#define FN(name) static int name(struct rm_jinja_run *r, \
				 const struct rm_jinja_call *c, \
				 struct rm_value *out)

/* Tests that look at the value alone. */
#define LOOK(name, expression) \
	FN(name) \
	{ \
		struct rm_value v = c->self; \
		(void)r; \
		*out = rm_bool(expression); \
		return 0; \
	}

LOOK(defined, v.type != RM_V_UNDEFINED)
LOOK(undefined, v.type == RM_V_UNDEFINED)
LOOK(none, v.type == RM_V_NONE)
LOOK(boolean, v.type == RM_V_BOOL)
LOOK(is_true, v.type == RM_V_BOOL && v.u.b)
LOOK(is_false, v.type == RM_V_BOOL && !v.u.b)
LOOK(integer, v.type == RM_V_INT)
LOOK(real, v.type == RM_V_FLOAT)
LOOK(number, v.type == RM_V_INT || v.type == RM_V_FLOAT ||
	     v.type == RM_V_BOOL)
LOOK(string, rm_is_string(v))
LOOK(mapping, v.type == RM_V_DICT)
LOOK(sequence, rm_is_string(v) || v.type == RM_V_DICT ||
	       v.type == RM_V_UNDEFINED ||
	       (rm_is_sequence(v) && v.u.list->kind != RM_LIST_VIEW))
LOOK(iterable, rm_is_string(v) || rm_is_sequence(v) || v.type == RM_V_DICT ||
	       v.type == RM_V_ITERATOR || v.type == RM_V_UNDEFINED ||
	       v.type == RM_V_LOOP)
LOOK(callable, (v.type >= RM_V_MACRO && v.type <= RM_V_METHOD) ||
	       v.type == RM_V_UNDEFINED)
LOOK(is_filter, rm_is_string(v) && rm_jinja_filter(rm_slice_of(v)))
LOOK(is_test, rm_is_string(v) && rm_jinja_test(rm_slice_of(v)))

static int remainder_of(struct rm_jinja_run *r, const struct rm_jinja_call *c,
			struct rm_value by, int64_t want,
			struct rm_value *out)
{
	struct rm_value rest;
	int64_t i = 0;

	if (rm_value_binary(r, RM_OP_MOD, c->self, by, &rest) < 0)
		return -1;
	*out = rm_bool(rm_value_int(rest, &i) ? i == want :
		       rest.type == RM_V_FLOAT &&
		       rest.u.f == (double)want);
	return 0;
}

FN(odd)
{
	return remainder_of(r, c, rm_int(2), 1, out);
}

FN(even)
{
	return remainder_of(r, c, rm_int(2), 0, out);
}

FN(divisible)
{
	return remainder_of(r, c, c->arg[0], 0, out);
}

static int cased(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		 enum rm_case how, struct rm_value *out)
{
	struct rm_value s, other;

	if (rm_value_str(r, c->self, &s) < 0 ||
	    rm_value_case(r, s, how, &other) < 0)
		return -1;
	if (rm_value_equal(r, s, other) < 1) {
		*out = rm_bool(false);
		return 0;
	}
	/* A text without letters is neither. */
	if (rm_value_case(r, s, how == RM_CASE_LOWER ? RM_CASE_UPPER
						     : RM_CASE_LOWER,
			  &other) < 0)
		return -1;
	*out = rm_bool(rm_value_equal(r, s, other) == 0);
	return 0;
}

FN(lower)
{
	return cased(r, c, RM_CASE_LOWER, out);
}

FN(upper)
{
	return cased(r, c, RM_CASE_UPPER, out);
}

FN(same_as)
{
	struct rm_value a = c->self, b = c->arg[0];

	(void)r;
	if (a.type != b.type)
		*out = rm_bool(false);
	else if (a.type == RM_V_NONE || a.type == RM_V_BOOL)
		*out = rm_bool(a.type == RM_V_NONE || a.u.b == b.u.b);
	else if (a.type == RM_V_LIST || a.type == RM_V_DICT)
		*out = rm_bool(a.u.list == b.u.list);
	else
		return rm_fail("sameas is built for None, booleans, lists "
			       "and dictionaries alone");
	return 0;
}

FN(in)
{
	int is = rm_value_in(r, c->self, c->arg[0]);

	*out = rm_bool(is > 0);
	return is < 0 ? -1 : 0;
}

FN(equal)
{
	int is = rm_value_equal(r, c->self, c->arg[0]);

	*out = rm_bool(is > 0);
	return is < 0 ? -1 : 0;
}

FN(unequal)
{
	int is = rm_value_equal(r, c->self, c->arg[0]);

	*out = rm_bool(is == 0);
	return is < 0 ? -1 : 0;
}

#define ORDER(name, op) \
	FN(name) \
	{ \
		int order; \
		if (rm_value_order(r, c->self, c->arg[0], &order) < 0) \
			return -1; \
		*out = rm_bool(order op 0); \
		return 0; \
	}

ORDER(less, <)
ORDER(at_most, <=)
ORDER(greater, >)
ORDER(at_least, >=)

static const struct rm_callable tests[] = {
	{ "!=", unequal, "other", 1 },
	{ "<", less, "other", 1 },
	{ "<=", at_most, "other", 1 },
	{ "==", equal, "other", 1 },
	{ ">", greater, "other", 1 },
	{ ">=", at_least, "other", 1 },
	{ "boolean", boolean, "", 0 },
	{ "callable", callable, "", 0 },
	{ "defined", defined, "", 0 },
	{ "divisibleby", divisible, "num", 1 },
	{ "eq", equal, "other", 1 },
	{ "equalto", equal, "other", 1 },
	{ "even", even, "", 0 },
	{ "false", is_false, "", 0 },
	{ "filter", is_filter, "", 0 },
	{ "float", real, "", 0 },
	{ "ge", at_least, "other", 1 },
	{ "greaterthan", greater, "other", 1 },
	{ "gt", greater, "other", 1 },
	{ "in", in, "seq", 1 },
	{ "integer", integer, "", 0 },
	{ "iterable", iterable, "", 0 },
	{ "le", at_most, "other", 1 },
	{ "lessthan", less, "other", 1 },
	{ "lower", lower, "", 0 },
	{ "lt", less, "other", 1 },
	{ "mapping", mapping, "", 0 },
	{ "ne", unequal, "other", 1 },
	{ "none", none, "", 0 },
	{ "number", number, "", 0 },
	{ "odd", odd, "", 0 },
	{ "sameas", same_as, "other", 1 },
	{ "sequence", sequence, "", 0 },
	{ "string", string, "", 0 },
	{ "test", is_test, "", 0 },
	{ "true", is_true, "", 0 },
	{ "undefined", undefined, "", 0 },
	{ "upper", upper, "", 0 },
};

const struct rm_callable *rm_jinja_test(struct rm_slice name)
{
	return rm_callable_find(tests, RM_COUNT(tests), name);
}
