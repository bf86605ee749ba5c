/* Expressions walked: a node as a value. */
#include "template/jinja.h"

#include <string.h>

int rm_run_work(struct rm_jinja_run *r, size_t steps)
{
	if (r->steps < steps)
		return rm_fail("more steps than a template may take");
	r->steps -= steps;
	return 0;
}

void *rm_run_alloc(struct rm_jinja_run *r, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > r->memory)
		return rm_fail_null("more memory than a template may use");
	r->memory -= RM_MIN(r->memory, bytes + 16);
	return rm_arena_alloc(r->arena, n, size);
}

/* ---- names ---- */

static const struct rm_value *find(const struct rm_jinja_run *r, uint32_t id)
{
	for (const struct rm_scope *s = r->scope; s; s = s->up)
		for (size_t i = 0; i < s->n; i++)
			if (s->slot[i].id == id)
				return &s->slot[i].value;
	return r->root[id].type == RM_V_OMITTED ? NULL : &r->root[id];
}

int rm_scope_enter(struct rm_jinja_run *r, struct rm_scope *s)
{
	*s = (struct rm_scope){ .up = r->scope };
	r->scope = s;
	return rm_run_work(r, 1);
}

int rm_scope_set(struct rm_jinja_run *r, uint32_t id, struct rm_value v)
{
	struct rm_scope *s = r->scope;
	struct rm_slot *bigger;
	size_t cap;

	if (!s) {
		r->root[id] = v;
		return 0;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->slot[i].id == id) {
			s->slot[i].value = v;
			return 0;
		}
	if (s->n == s->cap) {
		cap = s->cap ? 2 * s->cap : 8;
		bigger = rm_run_alloc(r, cap, sizeof(*bigger));
		if (!bigger)
			return -1;
		if (s->n)
			memcpy(bigger, s->slot, s->n * sizeof(*bigger));
		s->slot = bigger;
		s->cap = cap;
	}
	s->slot[s->n++] = (struct rm_slot){ id, v };
	return 0;
}

/* ---- arguments ---- */

/* Place of a name in "a,b,c", -1 if it stands in none. */
static int place(const char *params, struct rm_slice name)
{
	size_t n;
	int at = 0;

	for (; *params; params += n + (params[n] == ','), at++) {
		n = strcspn(params, ",");
		if (n == name.len && memcmp(params, name.data, n) == 0)
			return at;
	}
	return -1;
}

static size_t count_params(const char *params)
{
	size_t n = *params != '\0';

	for (; *params; params++)
		n += *params == ',';
	return n;
}

static int named_argument(struct rm_jinja_run *r,
			  const struct rm_callable *what,
			  const struct rm_node *n, struct rm_jinja_call *c,
			  struct rm_value *arg, struct rm_value v)
{
	int at;

	if (!what->params) {
		if (!c->named && !(c->named = rm_dict_new(r, 4)))
			return -1;
		return rm_dict_set(r, c->named, n->value, v);
	}
	at = place(what->params, rm_slice_of(n->value));
	if (at < 0 || arg[at].type != RM_V_OMITTED)
		return rm_fail("%s has no argument '%.*s', or has it twice",
			       what->name, (int)n->value.len,
			       (const char *)n->value.u.s);
	arg[at] = v;
	return 0;
}

static int check_arguments(const struct rm_callable *what,
			   const struct rm_jinja_call *c)
{
	for (size_t i = 0; i < what->need; i++)
		if (i >= c->n || c->arg[i].type == RM_V_OMITTED)
			return rm_fail("%s needs %u argument%s", what->name,
				       what->need,
				       what->need == 1 ? "" : "s");
	return 0;
}

/* Into arg, which has room for `max`. */
static int arguments(struct rm_jinja_run *r, const struct rm_callable *what,
		     const struct rm_node *n, struct rm_jinja_call *c,
		     struct rm_value *arg, size_t max)
{
	struct rm_value v = {0};
	size_t at = 0;

	for (size_t i = 0; i < max; i++)
		arg[i].type = RM_V_OMITTED;
	for (; n; n = n->next) {
		if (rm_jinja_eval(r, n->a, &v) < 0)
			return -1;
		if (rm_is_string(n->value)) {
			if (named_argument(r, what, n, c, arg, v) < 0)
				return -1;
			continue;
		}
		if (at == max)
			return rm_fail("%s takes no more than %zu "
				       "argument%s", what->name, max,
				       max == 1 ? "" : "s");
		arg[at++] = v;
	}
	c->arg = arg;
	c->n = what->params ? max : at;
	return check_arguments(what, c);
}

static size_t count(const struct rm_node *n)
{
	size_t k = 0;

	for (; n; n = n->next)
		k++;
	return k;
}

static int call(struct rm_jinja_run *r, const struct rm_callable *what,
		struct rm_value self, const struct rm_node *args,
		struct rm_value *out)
{
	struct rm_jinja_call c = { .self = self };
	struct rm_value few[4], *arg = few;
	size_t max = what->params ? count_params(what->params) : count(args);
	const struct rm_node *at = r->at;

	if (max > RM_COUNT(few))
		arg = rm_run_alloc(r, max, sizeof(*arg));
	if (!arg || arguments(r, what, args, &c, arg, max) < 0)
		return -1;
	r->at = at;
	return what->fn(r, &c, out);
}

int rm_jinja_apply(struct rm_jinja_run *r, const struct rm_callable *what,
		   struct rm_value self, const struct rm_value *arg, size_t n,
		   struct rm_value *out)
{
	size_t max = what->params ? count_params(what->params) : n;
	struct rm_jinja_call c = { .self = self, .n = max };
	struct rm_value *all = rm_run_alloc(r, max, sizeof(*all));

	if (n > max)
		return rm_fail("%s takes no more than %zu arguments",
			       what->name, max);
	for (size_t i = 0; all && i < max; i++)
		all[i] = i < n ? arg[i]
			       : (struct rm_value){ .type = RM_V_OMITTED };
	c.arg = all;
	return !all || check_arguments(what, &c) < 0 || rm_run_work(r, 1) < 0
		       ? -1 : what->fn(r, &c, out);
}

/* ---- calls ---- */

/* value.name(...) needs no value of the method. */
static int call_attribute(struct rm_jinja_run *r, const struct rm_node *n,
			  struct rm_value *out, struct rm_value *callee)
{
	const struct rm_callable *what;
	struct rm_value self;

	if (rm_jinja_eval(r, n->a->a, &self) < 0)
		return -1;
	what = rm_jinja_method(self.type, rm_slice_of(n->a->value));
	if (what)
		return call(r, what, self, n->b, out) < 0 ? -1 : 1;
	r->at = n->a;
	return rm_value_attr(r, self, rm_slice_of(n->a->value), callee);
}

static int eval_call(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value *out)
{
	struct rm_value f;
	int got;

	got = n->a->kind == RM_N_ATTR ? call_attribute(r, n, out, &f)
				      : rm_jinja_eval(r, n->a, &f);
	if (got)
		return got < 0 ? -1 : 0;
	if (f.type == RM_V_FUNCTION)
		return call(r, f.u.function, rm_none(), n->b, out);
	if (f.type == RM_V_METHOD)
		return call(r, f.u.method->what, f.u.method->self, n->b, out);
	if (f.type == RM_V_MACRO)
		return rm_jinja_call_macro(r, f.u.macro, n->b, out);
	r->at = n;
	return rm_value_refuse(r, f, "what is called");
}

/* ---- lists ---- */

static int eval_list(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value *out)
{
	struct rm_list *l = rm_list_new(r, count(n->a));
	size_t i = 0;

	if (!l)
		return -1;
	for (const struct rm_node *k = n->a; k; k = k->next)
		if (rm_jinja_eval(r, k, &l->item[i++]) < 0)
			return -1;
	*out = rm_list_value(l, n->kind == RM_N_LIST ? RM_V_LIST
						     : RM_V_TUPLE);
	return 0;
}

static int eval_dict(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value *out)
{
	struct rm_dict *d = rm_dict_new(r, count(n->a) / 2);
	struct rm_value key, value;

	if (!d)
		return -1;
	for (const struct rm_node *k = n->a; k; k = k->next->next)
		if (rm_jinja_eval(r, k, &key) < 0 ||
		    rm_jinja_eval(r, k->next, &value) < 0 ||
		    rm_dict_set(r, d, key, value) < 0)
			return -1;
	*out = (struct rm_value){ .type = RM_V_DICT, .u.dict = d };
	return 0;
}

/* ---- parts ---- */

static int eval_slice(struct rm_jinja_run *r, const struct rm_node *n,
		      struct rm_value *out)
{
	const struct rm_node *s = n->b, *from[3] = { s->a, s->b, s->c };
	struct rm_value of, part[3];

	if (rm_jinja_eval(r, n->a, &of) < 0)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		part[i].type = RM_V_OMITTED;
		if (from[i] && rm_jinja_eval(r, from[i], &part[i]) < 0)
			return -1;
	}
	r->at = n;
	return rm_value_slice(r, of, part, out);
}

static int eval_item(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value *out)
{
	struct rm_value of, key;

	if (n->b->kind == RM_N_SLICE)
		return eval_slice(r, n, out);
	if (rm_jinja_eval(r, n->a, &of) < 0 ||
	    rm_jinja_eval(r, n->b, &key) < 0)
		return -1;
	r->at = n->b->kind == RM_N_CONST && rm_is_string(key) ? n->b : n;
	return rm_value_item(r, of, key, out);
}

static int eval_attr(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value *out)
{
	struct rm_value of;

	if (rm_jinja_eval(r, n->a, &of) < 0)
		return -1;
	r->at = n;
	return rm_value_attr(r, of, rm_slice_of(n->value), out);
}

/* ---- operators ---- */

static int eval_binary(struct rm_jinja_run *r, const struct rm_node *n,
		       struct rm_value *out)
{
	struct rm_value a, b;

	if (rm_jinja_eval(r, n->a, &a) < 0 || rm_jinja_eval(r, n->b, &b) < 0)
		return -1;
	r->at = n;
	return rm_value_binary(r, (enum rm_op)n->op, a, b, out);
}

static int eval_concat(struct rm_jinja_run *r, const struct rm_node *n,
		       struct rm_value *out)
{
	struct rm_value v;

	*out = rm_text_value("", 0);
	for (const struct rm_node *k = n->a; k; k = k->next)
		if (rm_jinja_eval(r, k, &v) < 0 ||
		    rm_value_str(r, v, &v) < 0 ||
		    rm_value_concat(r, *out, v, out) < 0)
			return -1;
	return 0;
}

/* Whether a OP b; -1. */
static int compare(struct rm_jinja_run *r, enum rm_op op, struct rm_value a,
		   struct rm_value b)
{
	int order;

	if (op == RM_OP_EQ)
		return rm_value_equal(r, a, b);
	if (op == RM_OP_IN)
		return rm_value_in(r, a, b);
	if (op == RM_OP_NE || op == RM_OP_NOT_IN) {
		int is = op == RM_OP_NE ? rm_value_equal(r, a, b)
					: rm_value_in(r, a, b);

		return is < 0 ? -1 : !is;
	}
	if (rm_value_order(r, a, b, &order) < 0)
		return -1;
	switch (op) {
	case RM_OP_LT:
		return order < 0;
	case RM_OP_LE:
		return order <= 0;
	case RM_OP_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

static int eval_compare(struct rm_jinja_run *r, const struct rm_node *n,
			struct rm_value *out)
{
	struct rm_value a, b;
	int is = 1;

	if (rm_jinja_eval(r, n->a, &a) < 0)
		return -1;
	for (const struct rm_node *k = n->b; k && is > 0; k = k->next, a = b) {
		if (rm_jinja_eval(r, k->b, &b) < 0)
			return -1;
		r->at = k;
		is = compare(r, (enum rm_op)k->op, a, b);
	}
	*out = rm_bool(is > 0);
	return is < 0 ? -1 : 0;
}

static int eval_sign(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value *out)
{
	bool minus = n->kind == RM_N_NEGATIVE;
	struct rm_value v;
	int64_t i;

	if (rm_jinja_eval(r, n->a, &v) < 0)
		return -1;
	r->at = n;
	if (rm_value_int(v, &i) && i != INT64_MIN)
		*out = rm_int(minus ? -i : i);
	else if (v.type == RM_V_FLOAT)
		*out = rm_float(minus ? -v.u.f : v.u.f);
	else
		return rm_value_refuse(r, v, "a number with a sign");
	return 0;
}

static int eval_logic(struct rm_jinja_run *r, const struct rm_node *n,
		      struct rm_value *out)
{
	if (rm_jinja_eval(r, n->a, out) < 0)
		return -1;
	if (rm_value_true(*out) == (n->kind == RM_N_OR))
		return 0;
	return rm_jinja_eval(r, n->b, out);
}

static int eval_if_else(struct rm_jinja_run *r, const struct rm_node *n,
			struct rm_value *out)
{
	struct rm_value test;

	if (rm_jinja_eval(r, n->a, &test) < 0)
		return -1;
	if (rm_value_true(test))
		return rm_jinja_eval(r, n->b, out);
	if (n->c)
		return rm_jinja_eval(r, n->c, out);
	*out = rm_undefined(NULL, 0);
	return 0;
}

static int eval_apply(struct rm_jinja_run *r, const struct rm_node *n,
		      struct rm_value *out)
{
	struct rm_value self;

	if (rm_jinja_eval(r, n->a, &self) < 0)
		return -1;
	r->at = n;
	return call(r, n->what, self, n->b, out);
}

static int eval_kind(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value *out)
{
	switch (n->kind) {
	case RM_N_LIST:
	case RM_N_TUPLE:
		return eval_list(r, n, out);
	case RM_N_DICT:
		return eval_dict(r, n, out);
	case RM_N_ATTR:
		return eval_attr(r, n, out);
	case RM_N_ITEM:
		return eval_item(r, n, out);
	case RM_N_CALL:
		return eval_call(r, n, out);
	case RM_N_FILTER:
	case RM_N_TEST:
		return eval_apply(r, n, out);
	case RM_N_NEGATIVE:
	case RM_N_POSITIVE:
		return eval_sign(r, n, out);
	case RM_N_BINARY:
		return eval_binary(r, n, out);
	case RM_N_CONCAT:
		return eval_concat(r, n, out);
	case RM_N_AND:
	case RM_N_OR:
		return eval_logic(r, n, out);
	case RM_N_COMPARE:
		return eval_compare(r, n, out);
	case RM_N_IF_ELSE:
		return eval_if_else(r, n, out);
	default:
		return rm_fail("what stands here has no value");
	}
}

int rm_jinja_eval(struct rm_jinja_run *r, const struct rm_node *n,
		  struct rm_value *out)
{
	const struct rm_value *found;
	struct rm_value v = {0};
	int err;

	if (n->kind == RM_N_CONST) {
		*out = n->value;
		return 0;
	}
	if (rm_run_work(r, 1) < 0)
		return -1;
	if (n->kind == RM_N_NAME) {
		found = find(r, n->id);
		*out = found ? *found : rm_undefined(n, 0);
		return 0;
	}
	r->at = n;
	if (++r->depth > RM_JINJA_MAX_DEPTH)
		return rm_fail("nested too deep");
	if (n->kind == RM_N_NOT) {
		err = rm_jinja_eval(r, n->a, &v);
		*out = rm_bool(!rm_value_true(v));
	} else {
		err = eval_kind(r, n, out);
	}
	r->depth--;
	return err;
}
