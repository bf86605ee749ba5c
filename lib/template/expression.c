/*
 * Expressions as a tree, with the precedences that Jinja gives them.  The
 * children of a node:
 *
 *	LIST, TUPLE, CONCAT	a: a list of items
 *	DICT			a: keys and values in turn
 *	ATTR			a, name in value; also a of NAMESPACE.name to
 *				be set (FIELD), by id
 *	ITEM			a[b]; b may be a SLICE of a:b:c, each or NULL
 *	CALL, FILTER, TEST	a(b); b: a list of arguments, names in value
 *	BINARY			a op b; op may stand between several (COMPARE:
 *				a, then b: a list of BINARY with their own b)
 *	IF_ELSE			b if a else c
 */
#include "template/jinja.h"

#include <string.h>

static struct rm_node *expression(struct rm_parser *p, bool with_if);
static struct rm_node *unary(struct rm_parser *p, bool filters);

static const struct rm_token *now(const struct rm_parser *p)
{
	return &p->token[p->at];
}

/* ---- primaries ---- */

static struct rm_node *constant(struct rm_parser *p, struct rm_value v)
{
	struct rm_node *n = rm_jinja_node(p, RM_N_CONST, now(p)->pos);

	if (n)
		n->value = v;
	return n;
}

static struct rm_node *name(struct rm_parser *p)
{
	struct rm_slice s = rm_slice_of(now(p)->value);
	struct rm_node *n;

	if (rm_slice_is(s, "true") || rm_slice_is(s, "True"))
		n = constant(p, rm_bool(true));
	else if (rm_slice_is(s, "false") || rm_slice_is(s, "False"))
		n = constant(p, rm_bool(false));
	else if (rm_slice_is(s, "none") || rm_slice_is(s, "None"))
		n = constant(p, rm_none());
	else
		n = rm_jinja_node(p, RM_N_NAME, now(p)->pos);
	if (!n)
		return NULL;
	if (n->kind == RM_N_NAME) {
		n->value = now(p)->value;
		n->id = rm_jinja_id(p->j, s);
		if (n->id == UINT32_MAX)
			return NULL;
	}
	p->at++;
	return n;
}

/* Strings that stand together are one. */
static struct rm_node *string(struct rm_parser *p)
{
	struct rm_node *n = constant(p, now(p)->value);
	struct rm_slice s;
	char *text;

	p->at++;
	while (n && now(p)->type == RM_T_STRING) {
		s = rm_slice_of(now(p)->value);
		if (n->value.len + s.len > RM_JINJA_MAX_SOURCE)
			return rm_parser_fail(p, "a shorter string");
		text = rm_arena_alloc(&p->j->arena, n->value.len + s.len + 1,
				      1);
		if (!text)
			return NULL;
		memcpy(text, n->value.u.s, n->value.len);
		memcpy(text + n->value.len, s.data, s.len);
		n->value = rm_text_value(text, n->value.len + s.len);
		p->at++;
	}
	return n;
}

/* Items up to `close`; of a dictionary, keys and values. */
static struct rm_node *items(struct rm_parser *p, enum rm_node_kind kind,
			     const char *close)
{
	struct rm_node *n = rm_jinja_node(p, kind, now(p)->pos);
	struct rm_node **last = n ? &n->a : NULL;

	p->at++;
	while (n && !rm_parser_is(p, close)) {
		if (n->a && !rm_parser_skip(p, ","))
			return rm_parser_fail(p, "a comma");
		if (rm_parser_is(p, close))
			break;
		*last = expression(p, true);
		if (!*last)
			return NULL;
		last = &(*last)->next;
		if (kind != RM_N_DICT)
			continue;
		if (!rm_parser_skip(p, ":"))
			return rm_parser_fail(p, "a colon");
		*last = expression(p, true);
		if (!*last)
			return NULL;
		last = &(*last)->next;
	}
	p->at++;
	return n;
}

static bool ends_tuple(const struct rm_parser *p, const char *end)
{
	uint8_t type = now(p)->type;

	return type == RM_T_OUTPUT_END || type == RM_T_BLOCK_END ||
	       rm_parser_is(p, ")") || (end && rm_parser_is_name(p, end));
}

/* NAMESPACE.name in place of a name, where one can be set. */
static struct rm_node *field(struct rm_parser *p, struct rm_node *n)
{
	if (!n || n->kind != RM_N_NAME || !rm_parser_skip(p, "."))
		return n;
	if (now(p)->type != RM_T_NAME)
		return rm_parser_fail(p, "a name");
	n->kind = RM_N_FIELD;
	n->value = now(p)->value;
	p->at++;
	return n;
}

enum { ALL, NO_IF, TARGET };

static struct rm_node *primary(struct rm_parser *p);

static struct rm_node *one_of_tuple(struct rm_parser *p, int how)
{
	return how == TARGET ? field(p, primary(p))
			     : expression(p, how == ALL);
}

static struct rm_node *tuple(struct rm_parser *p, int how, const char *end,
			     bool may_be_empty)
{
	size_t pos = now(p)->pos;
	struct rm_node *first = NULL, **last = &first, *n;
	bool comma = false;

	while (!ends_tuple(p, end)) {
		*last = one_of_tuple(p, how);
		if (!*last)
			return NULL;
		last = &(*last)->next;
		if (!rm_parser_skip(p, ","))
			break;
		comma = true;
	}
	if (!first && !may_be_empty)
		return rm_parser_fail(p, "an expression");
	if (first && !comma)
		return first;
	n = rm_jinja_node(p, RM_N_TUPLE, pos);
	if (n)
		n->a = first;
	return n;
}

static struct rm_node *primary(struct rm_parser *p)
{
	const struct rm_token *t = now(p);
	struct rm_node *n;

	if (t->type == RM_T_NAME)
		return name(p);
	if (t->type == RM_T_STRING)
		return string(p);
	if (t->type == RM_T_INT || t->type == RM_T_FLOAT) {
		n = constant(p, t->value);
		p->at++;
		return n;
	}
	if (rm_parser_is(p, "["))
		return items(p, RM_N_LIST, "]");
	if (rm_parser_is(p, "{"))
		return items(p, RM_N_DICT, "}");
	if (!rm_parser_skip(p, "("))
		return rm_parser_fail(p, "an expression");
	n = tuple(p, ALL, NULL, true);
	if (n && !rm_parser_skip(p, ")"))
		return rm_parser_fail(p, "a closing parenthesis");
	return n;
}

/* ---- what follows them ---- */

/* One argument; its name, if it has one, in *arg's value. */
static struct rm_node *argument(struct rm_parser *p)
{
	struct rm_node *n = rm_jinja_node(p, RM_N_FIELD, now(p)->pos);

	if (!n)
		return NULL;
	if (rm_parser_is(p, "*") || rm_parser_is(p, "**"))
		return rm_parser_fail(p, "an argument of its own");
	if (now(p)->type == RM_T_NAME &&
	    p->token[p->at + 1].type == RM_T_OPERATOR &&
	    strcmp(p->token[p->at + 1].op, "=") == 0) {
		n->value = now(p)->value;
		p->at += 2;
	}
	n->a = expression(p, true);
	return n->a ? n : NULL;
}

/* "(" arguments ")" into n->b. */
static struct rm_node *arguments(struct rm_parser *p, struct rm_node *n)
{
	struct rm_node **last = n ? &n->b : NULL;
	bool named = false;
	size_t count = 0;

	if (n)
		p->at++;
	while (n && !rm_parser_is(p, ")")) {
		if (n->b && !rm_parser_skip(p, ","))
			return rm_parser_fail(p, "a comma");
		if (rm_parser_is(p, ")"))
			break;
		*last = argument(p);
		if (!*last)
			return NULL;
		if (named && !rm_is_string((*last)->value))
			return rm_parser_fail(p, "arguments with names last");
		named = rm_is_string((*last)->value);
		if (++count > RM_JINJA_MAX_ARGS)
			return rm_parser_fail(p, "fewer arguments");
		last = &(*last)->next;
	}
	p->at += n != NULL;
	return n;
}

/* "from:to:step" or an expression; the first colon may be next. */
static struct rm_node *subscript(struct rm_parser *p)
{
	struct rm_node *n, *first = NULL;
	size_t pos = now(p)->pos;

	if (!rm_parser_is(p, ":")) {
		first = expression(p, true);
		if (!first || !rm_parser_is(p, ":"))
			return first;
	}
	n = rm_jinja_node(p, RM_N_SLICE, pos);
	if (!n)
		return NULL;
	n->a = first;
	p->at++;
	if (!rm_parser_is(p, ":") && !rm_parser_is(p, "]") &&
	    !(n->b = expression(p, true)))
		return NULL;
	if (rm_parser_skip(p, ":") && !rm_parser_is(p, "]") &&
	    !(n->c = expression(p, true)))
		return NULL;
	return n;
}

static struct rm_node *item(struct rm_parser *p, struct rm_node *of)
{
	struct rm_node *n = rm_jinja_node(p, RM_N_ITEM, now(p)->pos);

	p->at++;
	if (!n)
		return NULL;
	n->a = of;
	n->b = subscript(p);
	if (n->b && !rm_parser_skip(p, "]"))
		return rm_parser_fail(p, "a closing bracket");
	return n->b ? n : NULL;
}

static struct rm_node *attribute(struct rm_parser *p, struct rm_node *of)
{
	const struct rm_token *t = &p->token[p->at + 1];
	bool number = t->type == RM_T_INT;
	struct rm_node *n;

	n = rm_jinja_node(p, number ? RM_N_ITEM : RM_N_ATTR, now(p)->pos);
	p->at++;
	if (t->type != RM_T_NAME && !number)
		return rm_parser_fail(p, "a name or a number");
	if (!n)
		return NULL;
	n->a = of;
	n->value = t->value;
	if (number)
		n->b = constant(p, t->value);
	p->at++;
	return number && !n->b ? NULL : n;
}

static struct rm_node *call(struct rm_parser *p, struct rm_node *of)
{
	struct rm_node *n = rm_jinja_node(p, RM_N_CALL, now(p)->pos);

	if (n)
		n->a = of;
	return arguments(p, n);
}

static struct rm_node *postfix(struct rm_parser *p, struct rm_node *n)
{
	while (n) {
		if (rm_parser_is(p, "."))
			n = attribute(p, n);
		else if (rm_parser_is(p, "["))
			n = item(p, n);
		else if (rm_parser_is(p, "("))
			n = call(p, n);
		else
			break;
	}
	return n;
}

static struct rm_node *named(struct rm_parser *p, enum rm_node_kind kind,
			     struct rm_node *of)
{
	struct rm_node *n = rm_jinja_node(p, kind, now(p)->pos);
	struct rm_slice s = rm_slice_of(now(p)->value);

	if (now(p)->type != RM_T_NAME)
		return rm_parser_fail(p, kind == RM_N_TEST ? "a test's name"
							   : "a filter's name");
	if (!n)
		return NULL;
	n->a = of;
	n->value = now(p)->value;
	n->what = kind == RM_N_TEST ? rm_jinja_test(s) : rm_jinja_filter(s);
	if (!n->what) {
		rm_fail("no %s '%.*s' is built",
			kind == RM_N_TEST ? "test" : "filter",
			(int)RM_MIN(s.len, 64), (const char *)s.data);
		rm_jinja_wrap(p->j, n->pos);
		return NULL;
	}
	p->at++;
	return n;
}

struct rm_node *rm_parse_filter(struct rm_parser *p, struct rm_node *node)
{
	struct rm_node *n = named(p, RM_N_FILTER, node);

	return n && rm_parser_is(p, "(") ? arguments(p, n) : n;
}

struct rm_node *rm_parse_filters(struct rm_parser *p, struct rm_node *node)
{
	struct rm_node *n = node;

	while (rm_parser_skip(p, "|")) {
		n = rm_parse_filter(p, n);
		if (!n)
			return NULL;
	}
	return n;
}

/* Whether what follows a test's name is its argument. */
static bool is_argument(const struct rm_parser *p)
{
	switch (now(p)->type) {
	case RM_T_NAME:
		return !rm_parser_is_name(p, "else") &&
		       !rm_parser_is_name(p, "or") &&
		       !rm_parser_is_name(p, "and");
	case RM_T_STRING:
	case RM_T_INT:
	case RM_T_FLOAT:
		return true;
	default:
		return rm_parser_is(p, "[") || rm_parser_is(p, "{");
	}
}

static struct rm_node *bare_argument(struct rm_parser *p, struct rm_node *n)
{
	struct rm_node *arg = rm_jinja_node(p, RM_N_FIELD, now(p)->pos);

	if (rm_parser_is_name(p, "is"))
		return rm_parser_fail(p, "one test at a time");
	if (!arg)
		return NULL;
	arg->a = postfix(p, primary(p));
	n->b = arg;
	return arg->a ? n : NULL;
}

static struct rm_node *test(struct rm_parser *p, struct rm_node *of)
{
	size_t pos = now(p)->pos;
	bool negated;
	struct rm_node *n, *not;

	p->at++;
	negated = rm_parser_skip_name(p, "not");
	n = named(p, RM_N_TEST, of);
	if (n && rm_parser_is(p, "("))
		n = arguments(p, n);
	else if (n && is_argument(p))
		n = bare_argument(p, n);
	if (!n || !negated)
		return n;
	not = rm_jinja_node(p, RM_N_NOT, pos);
	if (not)
		not->a = n;
	return not;
}

/* ---- operators ---- */

static struct rm_node *filtered(struct rm_parser *p, struct rm_node *n)
{
	while (n) {
		if (rm_parser_is(p, "|"))
			n = rm_parse_filters(p, n);
		else if (rm_parser_is_name(p, "is"))
			n = test(p, n);
		else if (rm_parser_is(p, "("))
			n = call(p, n);
		else
			break;
	}
	return n;
}

static struct rm_node *unary(struct rm_parser *p, bool filters)
{
	bool minus = rm_parser_is(p, "-");
	struct rm_node *n;

	if (++p->depth > RM_JINJA_MAX_NESTING)
		return rm_parser_fail(p, "less nesting");
	if (minus || rm_parser_is(p, "+")) {
		n = rm_jinja_node(p, minus ? RM_N_NEGATIVE : RM_N_POSITIVE,
				  now(p)->pos);
		p->at++;
		if (n && !(n->a = unary(p, false)))
			n = NULL;
	} else {
		n = primary(p);
	}
	p->depth--;
	n = postfix(p, n);
	return filters ? filtered(p, n) : n;
}

/* One level of binary operators; ends in a NULL text. */
struct level {
	struct operator {
		const char *text;
		enum rm_op op;
	} op[5];
};

static const struct level powers = {{ { "**", RM_OP_POW } }};
static const struct level products = {{
	{ "*", RM_OP_MUL }, { "/", RM_OP_DIV }, { "//", RM_OP_FLOOR_DIV },
	{ "%", RM_OP_MOD }
}};
static const struct level sums = {{
	{ "+", RM_OP_ADD }, { "-", RM_OP_SUB }
}};

static const struct operator *operator_at(const struct rm_parser *p,
					  const struct operator *o, size_t n)
{
	for (size_t i = 0; i < n && o[i].text; i++)
		if (rm_parser_is(p, o[i].text))
			return &o[i];
	return NULL;
}

static struct rm_node *operand(struct rm_parser *p,
			       const struct level *level);

static struct rm_node *binary(struct rm_parser *p, const struct level *level)
{
	struct rm_node *left = operand(p, level), *n;
	const struct operator *o;

	while (left && (o = operator_at(p, level->op, RM_COUNT(level->op)))) {
		n = rm_jinja_node(p, RM_N_BINARY, now(p)->pos);
		p->at++;
		if (!n)
			return NULL;
		n->op = (uint8_t)o->op;
		n->a = left;
		n->b = operand(p, level);
		if (!n->b)
			return NULL;
		left = n;
	}
	return left;
}

static struct rm_node *concat(struct rm_parser *p)
{
	struct rm_node *first = binary(p, &products), **last, *n;

	if (!first || !rm_parser_is(p, "~"))
		return first;
	n = rm_jinja_node(p, RM_N_CONCAT, now(p)->pos);
	if (!n)
		return NULL;
	n->a = first;
	last = &first->next;
	while (rm_parser_skip(p, "~")) {
		*last = binary(p, &products);
		if (!*last)
			return NULL;
		last = &(*last)->next;
	}
	return n;
}

static struct rm_node *operand(struct rm_parser *p, const struct level *level)
{
	if (level == &powers)
		return unary(p, true);
	return level == &products ? binary(p, &powers) : concat(p);
}

/* The comparison that stands here, past it; -1: none. */
static int comparison(struct rm_parser *p)
{
	static const struct operator all[] = {
		{ "==", RM_OP_EQ }, { "!=", RM_OP_NE }, { "<", RM_OP_LT },
		{ "<=", RM_OP_LE }, { ">", RM_OP_GT }, { ">=", RM_OP_GE }
	};
	const struct operator *o = operator_at(p, all, RM_COUNT(all));

	if (o) {
		p->at++;
		return (int)o->op;
	}
	if (rm_parser_skip_name(p, "in"))
		return RM_OP_IN;
	if (!rm_parser_is_name(p, "not"))
		return -1;
	p->at++;
	if (rm_parser_skip_name(p, "in"))
		return RM_OP_NOT_IN;
	p->at--;
	return -1;
}

static struct rm_node *compare(struct rm_parser *p)
{
	struct rm_node *n, *first = binary(p, &sums), **last, *one;
	size_t pos = now(p)->pos;
	int op;

	if (!first || (op = comparison(p)) < 0)
		return first;
	n = rm_jinja_node(p, RM_N_COMPARE, pos);
	if (!n)
		return NULL;
	n->a = first;
	for (last = &n->b; op >= 0; op = comparison(p)) {
		one = rm_jinja_node(p, RM_N_BINARY, now(p)->pos);
		if (!one || !(one->b = binary(p, &sums)))
			return NULL;
		one->op = (uint8_t)op;
		*last = one;
		last = &one->next;
	}
	return n;
}

static struct rm_node *negation(struct rm_parser *p)
{
	struct rm_node *n;

	if (!rm_parser_is_name(p, "not"))
		return compare(p);
	if (++p->depth > RM_JINJA_MAX_NESTING)
		return rm_parser_fail(p, "less nesting");
	n = rm_jinja_node(p, RM_N_NOT, now(p)->pos);
	p->at++;
	if (n && !(n->a = negation(p)))
		n = NULL;
	p->depth--;
	return n;
}

static struct rm_node *logic(struct rm_parser *p, enum rm_node_kind kind)
{
	const char *word = kind == RM_N_OR ? "or" : "and";
	struct rm_node *left, *n;

	left = kind == RM_N_OR ? logic(p, RM_N_AND) : negation(p);
	while (left && rm_parser_is_name(p, word)) {
		n = rm_jinja_node(p, kind, now(p)->pos);
		p->at++;
		if (!n)
			return NULL;
		n->a = left;
		n->b = kind == RM_N_OR ? logic(p, RM_N_AND) : negation(p);
		if (!n->b)
			return NULL;
		left = n;
	}
	return left;
}

static struct rm_node *conditional(struct rm_parser *p)
{
	struct rm_node *n, *value = logic(p, RM_N_OR);

	while (value && rm_parser_is_name(p, "if")) {
		n = rm_jinja_node(p, RM_N_IF_ELSE, now(p)->pos);
		p->at++;
		if (!n)
			return NULL;
		n->b = value;
		n->a = logic(p, RM_N_OR);
		if (!n->a)
			return NULL;
		if (rm_parser_skip_name(p, "else") &&
		    !(n->c = expression(p, true)))
			return NULL;
		value = n;
	}
	return value;
}

static struct rm_node *expression(struct rm_parser *p, bool with_if)
{
	struct rm_node *n;

	if (++p->depth > RM_JINJA_MAX_NESTING)
		return rm_parser_fail(p, "less nesting");
	n = with_if ? conditional(p) : logic(p, RM_N_OR);
	p->depth--;
	return n;
}

struct rm_node *rm_parse_expression(struct rm_parser *p, bool with_if)
{
	return expression(p, with_if);
}

struct rm_node *rm_parse_tuple(struct rm_parser *p, bool with_if)
{
	return tuple(p, with_if ? ALL : NO_IF, NULL, false);
}

static bool can_assign(const struct rm_node *n)
{
	if (n->kind == RM_N_NAME || n->kind == RM_N_FIELD)
		return true;
	if (n->kind != RM_N_TUPLE && n->kind != RM_N_LIST)
		return false;
	for (const struct rm_node *k = n->a; k; k = k->next)
		if (!can_assign(k))
			return false;
	return true;
}

struct rm_node *rm_parse_target(struct rm_parser *p, const char *end)
{
	size_t at = p->at;
	struct rm_node *n = tuple(p, TARGET, end, false);

	if (!n || can_assign(n))
		return n;
	p->at = at;
	return rm_parser_fail(p, "something that can be set");
}
