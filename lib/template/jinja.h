/*
 * jinja: chat templates in the language that Transformers renders them with.
 * Private to module template.
 *
 * A source becomes a tree once (lex.c, parse.c, expression.c); each rendering
 * walks it (run.c, eval.c) over values (value.c).  What can be called stands
 * in tables: filters and tests (filter.c, list.c, test.c), methods
 * (method.c), functions (function.c).
 *
 * A template is input: the walk is bounded in steps, depth, memory and
 * output, and what is not built is an error with its line and column.
 */
#ifndef RM_TEMPLATE_JINJA_H
#define RM_TEMPLATE_JINJA_H

#include "template.h"

/* ---- bounds ---- */

enum {
	RM_JINJA_MAX_SOURCE = 1 << 20,	/* bytes */
	RM_JINJA_MAX_NAMES = 4096,
	RM_JINJA_MAX_NESTING = 100,	/* of a source, and of values */
	RM_JINJA_MAX_DEPTH = 600,	/* of the walk */
	RM_JINJA_MAX_ARGS = 64
};

/* ---- values ---- */

/* In the order that rm_value_type_name knows. */
enum rm_value_type {
	RM_V_UNDEFINED, RM_V_NONE, RM_V_BOOL, RM_V_INT, RM_V_FLOAT,
	RM_V_STRING, RM_V_LIST, RM_V_TUPLE, RM_V_DICT, RM_V_ITERATOR,
	RM_V_NAMESPACE,
	RM_V_LOOP, RM_V_MACRO, RM_V_FUNCTION, RM_V_METHOD,
	RM_V_OMITTED		/* an argument that was not given */
};

/*
 * Strings are UTF-8 and may lie in the messages, the source or the run's
 * memory; values never change, but for namespaces.  An undefined one
 * remembers the node it comes of, and the type that lacked it.
 */
struct rm_value {
	uint32_t type, len;	/* len: bytes of a string */
	union {
		bool b;
		int64_t i;
		double f;
		const unsigned char *s;
		const struct rm_list *list;
		struct rm_dict *dict;
		struct rm_iterator *iterator;
		struct rm_loop *loop;
		const struct rm_macro *macro;
		const struct rm_callable *function;
		const struct rm_method *method;
		const struct rm_node *node;
	} u;
};

/* kind: what a list stands for that is none to Python, and is not written as
 * one. */
enum rm_list_kind { RM_LIST, RM_LIST_RANGE, RM_LIST_VIEW };

struct rm_list {
	size_t n;
	enum rm_list_kind kind;
	struct rm_value item[];
};

struct rm_dict {
	size_t n, cap;
	struct rm_pair_of_values {
		struct rm_value key, value;
	} *pair;
};

/* What some filters give: always true, of no length, gone through once. */
struct rm_iterator {
	const struct rm_list *list;
};

struct rm_loop {
	const struct rm_list *list;
	size_t at;
	struct rm_value changed;	/* what loop.changed() last saw */
};

struct rm_macro {
	const struct rm_node *node;
	struct rm_scope *scope;		/* it was defined in */
};

struct rm_method {
	struct rm_value self;
	const struct rm_callable *what;
};

/* What a call gives to what it calls. */
struct rm_jinja_call {
	struct rm_value self;		/* of filters, tests and methods */
	/*
	 * By the names of `params`, omitted where none was given; or, where
	 * these are NULL, all n that stand there, and those with names.
	 */
	size_t n;
	const struct rm_value *arg;
	struct rm_dict *named;
};

struct rm_jinja_run;
typedef int rm_callable_fn(struct rm_jinja_run *r,
			   const struct rm_jinja_call *c,
			   struct rm_value *out);

struct rm_callable {
	const char *name;
	rm_callable_fn *fn;
	const char *params;	/* "sep,maxsplit"; NULL: any */
	unsigned need;		/* how many must be given */
};

/* ---- the tree ---- */

enum rm_node_kind {
	/* expressions */
	RM_N_CONST, RM_N_NAME, RM_N_LIST, RM_N_TUPLE, RM_N_DICT, RM_N_ATTR,
	RM_N_ITEM, RM_N_SLICE, RM_N_CALL, RM_N_FILTER, RM_N_TEST, RM_N_NOT,
	RM_N_NEGATIVE, RM_N_POSITIVE, RM_N_BINARY, RM_N_CONCAT, RM_N_AND,
	RM_N_OR, RM_N_COMPARE, RM_N_IF_ELSE, RM_N_FIELD,
	/* statements */
	RM_N_TEXT, RM_N_OUTPUT, RM_N_IF, RM_N_FOR, RM_N_SET, RM_N_SET_BLOCK,
	RM_N_MACRO, RM_N_WITH, RM_N_FILTER_BLOCK, RM_N_SCOPE, RM_N_BREAK,
	RM_N_CONTINUE
};

/*
 * a, b, c are what the kind says (see parse.c, expression.c); next is the
 * next one of a list.
 */
struct rm_node {
	uint8_t kind, op;
	uint32_t pos;		/* in the source */
	uint32_t id;		/* of a name */
	struct rm_node *a, *b, *c, *d, *next;
	struct rm_value value;	/* of a constant; the name of an argument,
				 * an attribute */
	const struct rm_callable *what;
};

enum rm_op {
	RM_OP_ADD, RM_OP_SUB, RM_OP_MUL, RM_OP_DIV, RM_OP_FLOOR_DIV,
	RM_OP_MOD, RM_OP_POW, RM_OP_EQ, RM_OP_NE, RM_OP_LT, RM_OP_LE,
	RM_OP_GT, RM_OP_GE, RM_OP_IN, RM_OP_NOT_IN
};

/* Names that the evaluator itself looks for have fixed numbers. */
enum {
	RM_ID_MESSAGES, RM_ID_TOOLS, RM_ID_DOCUMENTS, RM_ID_GENERATION,
	RM_ID_LOOP, RM_IDS
};

struct rm_jinja {
	struct rm_arena arena;
	const unsigned char *source;
	size_t len;
	struct rm_node *body;
	size_t n_names, cap_names;
	struct rm_slice *name;		/* by id */
	struct rm_value *known;		/* [n_names] functions, variables */
	json_t *vars;			/* that those lie in */
	int date[3];			/* year, month, day; year 0: none */
};

/*
 * Parse; vars (an object, or NULL) and date ("2025-01-31", or NULL) are what
 * rm_template_parse has.  The message has line and column.
 */
int rm_jinja_init(struct rm_jinja *j, const void *source, size_t len,
		  const json_t *vars, const char *date);
void rm_jinja_fini(struct rm_jinja *j);
int rm_jinja_render(const struct rm_jinja *j,
		    const struct rm_template_input *in,
		    struct rm_arena *arena, struct rm_buf *out);
/* user and assistant, where a data set has other names for them. */
struct rm_slice rm_template_role(struct rm_slice role);
/* "line L, column C: " before this thread's message; -1. */
int rm_jinja_wrap(const struct rm_jinja *j, size_t pos);

/* ---- parsing ---- */

enum rm_token_type {
	RM_T_EOF, RM_T_TEXT, RM_T_OUTPUT, RM_T_OUTPUT_END, RM_T_BLOCK,
	RM_T_BLOCK_END, RM_T_NAME, RM_T_STRING, RM_T_INT, RM_T_FLOAT,
	RM_T_OPERATOR
};

struct rm_token {
	uint8_t type;
	char op[3];
	uint32_t pos;
	struct rm_value value;	/* text, name, string, number */
};

struct rm_parser {
	struct rm_jinja *j;
	struct rm_token *token;
	size_t n, cap, at;
	unsigned depth;
};

/* The source as tokens, the last one RM_T_EOF. */
int rm_jinja_lex(struct rm_parser *p);
struct rm_node *rm_jinja_node(struct rm_parser *p, enum rm_node_kind kind,
			      size_t pos);
/* Number of the name, UINT32_MAX where there are too many. */
uint32_t rm_jinja_id(struct rm_jinja *j, struct rm_slice name);
/* At the token at hand; NULL. */
void *rm_parser_fail(struct rm_parser *p, const char *expected);
bool rm_parser_is(const struct rm_parser *p, const char *op);
bool rm_parser_skip(struct rm_parser *p, const char *op);
bool rm_parser_is_name(const struct rm_parser *p, const char *name);
bool rm_parser_skip_name(struct rm_parser *p, const char *name);
/* An expression; with_if: also `a if b else c`.  NULL on error. */
struct rm_node *rm_parse_expression(struct rm_parser *p, bool with_if);
/* The same, or several as a tuple. */
struct rm_node *rm_parse_tuple(struct rm_parser *p, bool with_if);
/* What can be assigned to, up to `end` ("in" or NULL). */
struct rm_node *rm_parse_target(struct rm_parser *p, const char *end);
/* `| filter | ...` of node, which may be NULL for a block's text. */
struct rm_node *rm_parse_filters(struct rm_parser *p, struct rm_node *node);
struct rm_node *rm_parse_filter(struct rm_parser *p, struct rm_node *node);

/* ---- running ---- */

struct rm_scope {
	struct rm_scope *up;
	size_t n, cap;
	struct rm_slot {
		uint32_t id;
		struct rm_value value;
	} *slot;
};

struct rm_jinja_run {
	const struct rm_jinja *j;
	struct rm_arena *arena;
	unsigned char *text, *text_end;	/* room for strings */
	struct rm_buf *out;
	struct rm_value *root;		/* [j->n_names] */
	struct rm_scope *scope;		/* NULL: the root */
	const struct rm_node *at;
	size_t steps, memory, depth;
};

/* Count work; -1 when there was too much of it. */
int rm_run_work(struct rm_jinja_run *r, size_t steps);
void *rm_run_alloc(struct rm_jinja_run *r, size_t n, size_t size);
int rm_jinja_eval(struct rm_jinja_run *r, const struct rm_node *n,
		  struct rm_value *out);
int rm_jinja_exec(struct rm_jinja_run *r, const struct rm_node *body);
/* exec's way out of a loop. */
enum { RM_RUN_BREAK = 1, RM_RUN_CONTINUE = 2 };
/* A scope within the one at hand; the caller sets r->scope back. */
int rm_scope_enter(struct rm_jinja_run *r, struct rm_scope *s);
int rm_scope_set(struct rm_jinja_run *r, uint32_t id, struct rm_value v);
int rm_jinja_assign(struct rm_jinja_run *r, const struct rm_node *target,
		    struct rm_value v);
/* What the body writes, as a string. */
int rm_jinja_capture(struct rm_jinja_run *r, const struct rm_node *body,
		     struct rm_value *out);
int rm_jinja_call_macro(struct rm_jinja_run *r, const struct rm_macro *m,
			const struct rm_node *args, struct rm_value *out);
/* A filter or test by a name known only now. */
int rm_jinja_apply(struct rm_jinja_run *r, const struct rm_callable *what,
		   struct rm_value self, const struct rm_value *arg,
		   size_t n, struct rm_value *out);

/* By name, NULL where there is none. */
const struct rm_callable *rm_jinja_filter(struct rm_slice name);
const struct rm_callable *rm_jinja_test(struct rm_slice name);
const struct rm_callable *rm_jinja_function(struct rm_slice name);
/* Of a value of that type. */
const struct rm_callable *rm_jinja_method(uint32_t type,
					  struct rm_slice name);
const struct rm_callable *rm_callable_find(const struct rm_callable *table,
					   size_t n, struct rm_slice name);
/* Arguments that may be omitted; -1 where one is of another type. */
int rm_arg_int(struct rm_jinja_run *r, const struct rm_jinja_call *c,
	       size_t i, int64_t otherwise, int64_t *out);
int rm_arg_text(struct rm_jinja_run *r, const struct rm_jinja_call *c,
		size_t i, const char *otherwise, struct rm_value *out);
bool rm_arg_given(const struct rm_jinja_call *c, size_t i);
/* The argument as it is, None where none was given. */
struct rm_value rm_arg(const struct rm_jinja_call *c, size_t i);
/* Lines without their ends; lines end as Python has it. */
struct rm_list *rm_value_lines(struct rm_jinja_run *r, struct rm_value text);
extern const struct rm_callable rm_jinja_list_filters[];
extern const size_t rm_jinja_n_list_filters;

/* ---- values ---- */

static inline struct rm_value rm_none(void)
{
	return (struct rm_value){ .type = RM_V_NONE };
}

static inline struct rm_value rm_bool(bool b)
{
	return (struct rm_value){ .type = RM_V_BOOL, .u.b = b };
}

static inline struct rm_value rm_int(int64_t i)
{
	return (struct rm_value){ .type = RM_V_INT, .u.i = i };
}

static inline struct rm_value rm_float(double f)
{
	return (struct rm_value){ .type = RM_V_FLOAT, .u.f = f };
}

static inline struct rm_value rm_text_value(const void *s, size_t n)
{
	return (struct rm_value){ .type = RM_V_STRING, .len = (uint32_t)n,
				  .u.s = n ? s : (const void *)"" };
}

static inline struct rm_value rm_undefined(const struct rm_node *n,
					   uint32_t of)
{
	return (struct rm_value){ .type = RM_V_UNDEFINED, .len = of,
				  .u.node = n };
}

static inline bool rm_is_string(struct rm_value v)
{
	return v.type == RM_V_STRING;
}

static inline bool rm_is_sequence(struct rm_value v)
{
	return v.type == RM_V_LIST || v.type == RM_V_TUPLE;
}

static inline struct rm_slice rm_slice_of(struct rm_value v)
{
	return (struct rm_slice){ v.u.s, v.len };
}

const char *rm_value_type_name(uint32_t type);
bool rm_value_true(struct rm_value v);
/* An int or a bool as a number; false for others. */
bool rm_value_int(struct rm_value v, int64_t *i);
/* Any number. */
bool rm_value_number(struct rm_value v, double *f);
/* 1, 0, or -1 for values nested too deep. */
int rm_value_equal(struct rm_jinja_run *r, struct rm_value a,
		   struct rm_value b);
/* *order as of strcmp; -1 for values that have none. */
int rm_value_order(struct rm_jinja_run *r, struct rm_value a,
		   struct rm_value b, int *order);
/* Whether b holds a: 1, 0, -1. */
int rm_value_in(struct rm_jinja_run *r, struct rm_value a,
		struct rm_value b);
/* The text that Python's str makes. */
int rm_value_str(struct rm_jinja_run *r, struct rm_value v,
		 struct rm_value *out);
/* A copy of n bytes. */
int rm_value_copy(struct rm_jinja_run *r, const void *s, size_t n,
		  struct rm_value *out);
/* The buffer as a string; it is freed. */
int rm_value_take(struct rm_jinja_run *r, struct rm_buf *b,
		  struct rm_value *out);
/* Append within the run's memory. */
int rm_put(struct rm_jinja_run *r, struct rm_buf *b, struct rm_value text);
int rm_value_concat(struct rm_jinja_run *r, struct rm_value a,
		    struct rm_value b, struct rm_value *out);
/* a OP b of numbers, strings and lists. */
int rm_value_binary(struct rm_jinja_run *r, enum rm_op op, struct rm_value a,
		    struct rm_value b, struct rm_value *out);
/* text % v */
int rm_value_format(struct rm_jinja_run *r, struct rm_value text,
		    struct rm_value v, struct rm_value *out);
struct rm_list *rm_list_new(struct rm_jinja_run *r, size_t n);
int rm_iterator_value(struct rm_jinja_run *r, const struct rm_list *list,
		      struct rm_value *out);
struct rm_value rm_list_value(const struct rm_list *list, uint32_t type);
/* What a loop over the value sees; NULL where there is no such thing. */
const struct rm_list *rm_value_items(struct rm_jinja_run *r,
				     struct rm_value v);
struct rm_dict *rm_dict_new(struct rm_jinja_run *r, size_t room);
int rm_dict_set(struct rm_jinja_run *r, struct rm_dict *d,
		struct rm_value key, struct rm_value value);
/* (key, value) of each. */
struct rm_list *rm_dict_pairs(struct rm_jinja_run *r, const struct rm_dict *d);
/* NULL where there is none. */
const struct rm_value *rm_dict_get(const struct rm_dict *d,
				   struct rm_slice key);
const struct rm_value *rm_dict_find(struct rm_jinja_run *r,
				    const struct rm_dict *d,
				    struct rm_value key);
/* value.name and value[key], undefined (at node n) where there is none. */
int rm_value_attr(struct rm_jinja_run *r, struct rm_value v,
		  struct rm_slice name, struct rm_value *out);
int rm_value_item(struct rm_jinja_run *r, struct rm_value v,
		  struct rm_value key, struct rm_value *out);
/* v[from:to:step], omitted where none was given. */
int rm_value_slice(struct rm_jinja_run *r, struct rm_value v,
		   const struct rm_value part[3], struct rm_value *out);
int rm_value_length(struct rm_jinja_run *r, struct rm_value v, size_t *n);
/* "'x' is undefined", or that a value of this type cannot be `what`; -1. */
int rm_value_refuse(struct rm_jinja_run *r, struct rm_value v,
		    const char *what);
/* From JSON: the strings stay where they are. */
int rm_value_from_json(struct rm_jinja_run *r, const json_t *json,
		       struct rm_value *out);
/* JSON as Transformers' tojson writes it, and Python's repr. */
struct rm_json_style {
	bool ascii, sort;
	int indent;		/* -1: one line */
	struct rm_value item, key;	/* separators; omitted: the usual */
};

int rm_value_json(struct rm_jinja_run *r, struct rm_value v,
		  const struct rm_json_style *style, struct rm_value *out);
int rm_value_repr(struct rm_jinja_run *r, struct rm_buf *b,
		  struct rm_value v);
/* A float as Python writes it. */
void rm_float_text(double x, char text[40]);

/* ---- characters ---- */

/* One of valid UTF-8, at most n bytes; *len of them. */
uint32_t rm_point_at(const unsigned char *s, size_t n, size_t *len);
size_t rm_point_put(uint32_t c, unsigned char out[4]);
/* As Python's str.isspace. */
bool rm_point_space(uint32_t c);
/* Byte at which character i begins; n where there are fewer. */
size_t rm_point_offset(const unsigned char *s, size_t n, size_t i);
/* White space (chars omitted or none) or these characters off either end. */
enum { RM_STRIP_LEFT = 1, RM_STRIP_RIGHT = 2, RM_STRIP_BOTH = 3 };
int rm_value_strip(struct rm_jinja_run *r, struct rm_value text,
		   struct rm_value chars, int ends, struct rm_value *out);
enum rm_case { RM_CASE_LOWER, RM_CASE_UPPER, RM_CASE_TITLE,
	       RM_CASE_CAPITALIZE };
int rm_value_case(struct rm_jinja_run *r, struct rm_value text,
		  enum rm_case how, struct rm_value *out);
int rm_value_replace(struct rm_jinja_run *r, struct rm_value text,
		     struct rm_value from, struct rm_value to, int64_t max,
		     struct rm_value *out);

#endif
