/*
 * Statements as a tree.  The children of a node:
 *
 *	TEXT		value
 *	OUTPUT		a
 *	IF		a: test, b: body, c: else's (for elif, an IF)
 *	FOR		a: target, b: what is gone through, c: test or NULL,
 *			d: a SCOPE whose b is the body and whose c is else's
 *	SET		a: target, b: value
 *	SET_BLOCK	a: target, b: body, c: filters of its text or NULL
 *	MACRO		id; a: parameters (NAME; a: default), b: body
 *	WITH		a: targets, c: their values, b: body
 *	FILTER_BLOCK	c: filters, b: body
 *	SCOPE		b: body
 */
#include "template/jinja.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what both parts use ---- */

/* Columns are counted in characters, from 1. */
int rm_jinja_wrap(const struct rm_jinja *j, size_t pos)
{
	size_t line = 1, start = 0;

	pos = RM_MIN(pos, j->len);
	for (size_t i = 0; i < pos; i++)
		if (j->source[i] == '\n') {
			line++;
			start = i + 1;
		}
	return rm_wrap("line %zu, column %zu", line,
		       rm_utf8_count(j->source + start, pos - start) + 1);
}

struct rm_node *rm_jinja_node(struct rm_parser *p, enum rm_node_kind kind,
			      size_t pos)
{
	struct rm_node *n = rm_arena_alloc(&p->j->arena, 1, sizeof(*n));

	if (n)
		*n = (struct rm_node){ .kind = (uint8_t)kind,
				       .pos = (uint32_t)pos };
	return n;
}

uint32_t rm_jinja_id(struct rm_jinja *j, struct rm_slice name)
{
	for (size_t i = 0; i < j->n_names; i++)
		if (j->name[i].len == name.len &&
		    memcmp(j->name[i].data, name.data, name.len) == 0)
			return (uint32_t)i;
	if (j->n_names == RM_JINJA_MAX_NAMES) {
		rm_fail("more than %d names", RM_JINJA_MAX_NAMES);
		return UINT32_MAX;
	}
	if (rm_grow(&j->name, &j->cap_names, j->n_names + 1,
		    sizeof(*j->name)) < 0)
		return UINT32_MAX;
	j->name[j->n_names] = name;
	return (uint32_t)j->n_names++;
}

static const struct rm_token *now(const struct rm_parser *p)
{
	return &p->token[p->at];
}

/* What stands at the token, for messages. */
static void describe(const struct rm_token *t, char text[80])
{
	static const char *const names[] = {
		[RM_T_EOF] = "the end", [RM_T_TEXT] = "text",
		[RM_T_OUTPUT] = "'{{'", [RM_T_OUTPUT_END] = "'}}'",
		[RM_T_BLOCK] = "'{%'", [RM_T_BLOCK_END] = "'%}'",
		[RM_T_STRING] = "a string", [RM_T_INT] = "a number",
		[RM_T_FLOAT] = "a number"
	};

	if (t->type == RM_T_OPERATOR)
		snprintf(text, 80, "'%s'", t->op);
	else if (t->type == RM_T_NAME)
		snprintf(text, 80, "'%.*s'", (int)RM_MIN(t->value.len, 60),
			 (const char *)t->value.u.s);
	else
		snprintf(text, 80, "%s", names[t->type]);
}

void *rm_parser_fail(struct rm_parser *p, const char *expected)
{
	char found[80];

	describe(now(p), found);
	rm_fail("%s where %s is expected", found, expected);
	rm_jinja_wrap(p->j, now(p)->pos);
	return NULL;
}

bool rm_parser_is(const struct rm_parser *p, const char *op)
{
	return now(p)->type == RM_T_OPERATOR && strcmp(now(p)->op, op) == 0;
}

bool rm_parser_skip(struct rm_parser *p, const char *op)
{
	bool is = rm_parser_is(p, op);

	p->at += is;
	return is;
}

bool rm_parser_is_name(const struct rm_parser *p, const char *name)
{
	return now(p)->type == RM_T_NAME &&
	       rm_slice_is(rm_slice_of(now(p)->value), name);
}

bool rm_parser_skip_name(struct rm_parser *p, const char *name)
{
	bool is = rm_parser_is_name(p, name);

	p->at += is;
	return is;
}

/* ---- bodies ---- */

static int body(struct rm_parser *p, const char *const *ends,
		struct rm_node **out);

static int end_block(struct rm_parser *p)
{
	if (now(p)->type != RM_T_BLOCK_END) {
		rm_parser_fail(p, "the end of the tag");
		return -1;
	}
	p->at++;
	return 0;
}

static bool is_one_of(const struct rm_parser *p, const char *const *names)
{
	for (; names && *names; names++)
		if (rm_parser_is_name(p, *names))
			return true;
	return false;
}

/*
 * From the end of a tag up to "{%" and one of the ends, which is then the
 * token at hand.
 */
static int inner(struct rm_parser *p, const char *const *ends,
		 struct rm_node **out)
{
	char what[80];

	rm_parser_skip(p, ":");
	if (end_block(p) < 0 || body(p, ends, out) < 0)
		return -1;
	if (now(p)->type != RM_T_EOF)
		return 0;
	snprintf(what, sizeof(what), "{%% %s %%}", ends[0]);
	rm_parser_fail(p, what);
	return -1;
}

/* The same with one end, which is left behind. */
static int whole(struct rm_parser *p, const char *end, struct rm_node **out)
{
	const char *const ends[] = { end, NULL };

	if (inner(p, ends, out) < 0)
		return -1;
	p->at++;
	return 0;
}

/* ---- statements: the tag's name is behind ---- */

static int parse_if(struct rm_parser *p, struct rm_node *n)
{
	static const char *const ends[] = { "endif", "elif", "else", NULL };
	struct rm_node *last = n;

	for (;;) {
		last->a = rm_parse_tuple(p, false);
		if (!last->a || inner(p, ends, &last->b) < 0)
			return -1;
		if (rm_parser_skip_name(p, "endif"))
			return 0;
		if (rm_parser_skip_name(p, "else"))
			return whole(p, "endif", &last->c);
		last->c = rm_jinja_node(p, RM_N_IF, now(p)->pos);
		if (!last->c)
			return -1;
		last = last->c;
		p->at++;
	}
}

static int parse_for(struct rm_parser *p, struct rm_node *n)
{
	static const char *const ends[] = { "endfor", "else", NULL };

	n->d = rm_jinja_node(p, RM_N_SCOPE, n->pos);
	n->a = n->d ? rm_parse_target(p, "in") : NULL;
	if (!n->a)
		return -1;
	if (!rm_parser_skip_name(p, "in")) {
		rm_parser_fail(p, "'in'");
		return -1;
	}
	n->b = rm_parse_tuple(p, false);
	if (!n->b || (rm_parser_skip_name(p, "if") &&
		      !(n->c = rm_parse_expression(p, true))))
		return -1;
	if (inner(p, ends, &n->d->b) < 0)
		return -1;
	if (rm_parser_skip_name(p, "endfor"))
		return 0;
	p->at++;
	return whole(p, "endfor", &n->d->c);
}

static int parse_set(struct rm_parser *p, struct rm_node *n)
{
	n->a = rm_parse_target(p, NULL);
	if (!n->a)
		return -1;
	if (rm_parser_skip(p, "=")) {
		n->b = rm_parse_tuple(p, true);
		return n->b ? 0 : -1;
	}
	n->kind = RM_N_SET_BLOCK;
	if (rm_parser_is(p, "|") && !(n->c = rm_parse_filters(p, NULL)))
		return -1;
	return whole(p, "endset", &n->b);
}

static int parameter(struct rm_parser *p, struct rm_node **out)
{
	struct rm_node *n = rm_jinja_node(p, RM_N_NAME, now(p)->pos);

	*out = n;
	if (!n)
		return -1;
	if (now(p)->type != RM_T_NAME) {
		rm_parser_fail(p, "a parameter's name");
		return -1;
	}
	n->value = now(p)->value;
	n->id = rm_jinja_id(p->j, rm_slice_of(n->value));
	p->at++;
	if (rm_parser_skip(p, "=") && !(n->a = rm_parse_expression(p, true)))
		return -1;
	return n->id == UINT32_MAX ? -1 : 0;
}

static int parameters(struct rm_parser *p, struct rm_node **out)
{
	size_t count = 0;

	if (!rm_parser_skip(p, "(")) {
		rm_parser_fail(p, "a parenthesis");
		return -1;
	}
	while (!rm_parser_is(p, ")")) {
		if (count && !rm_parser_skip(p, ",")) {
			rm_parser_fail(p, "a comma");
			return -1;
		}
		if (count++ == RM_JINJA_MAX_ARGS) {
			rm_parser_fail(p, "fewer parameters");
			return -1;
		}
		if (parameter(p, out) < 0)
			return -1;
		out = &(*out)->next;
	}
	p->at++;
	return 0;
}

static int parse_macro(struct rm_parser *p, struct rm_node *n)
{
	if (now(p)->type != RM_T_NAME) {
		rm_parser_fail(p, "a macro's name");
		return -1;
	}
	n->value = now(p)->value;
	n->id = rm_jinja_id(p->j, rm_slice_of(n->value));
	p->at++;
	return n->id == UINT32_MAX || parameters(p, &n->a) < 0
		       ? -1 : whole(p, "endmacro", &n->b);
}

static int parse_with(struct rm_parser *p, struct rm_node *n)
{
	struct rm_node **target = &n->a, **value = &n->c;

	while (now(p)->type != RM_T_BLOCK_END) {
		if (n->a && !rm_parser_skip(p, ",")) {
			rm_parser_fail(p, "a comma");
			return -1;
		}
		*target = rm_parse_target(p, NULL);
		if (!*target)
			return -1;
		if (!rm_parser_skip(p, "=")) {
			rm_parser_fail(p, "'='");
			return -1;
		}
		*value = rm_parse_expression(p, true);
		if (!*value)
			return -1;
		target = &(*target)->next;
		value = &(*value)->next;
	}
	return whole(p, "endwith", &n->b);
}

static int parse_filter_block(struct rm_parser *p, struct rm_node *n)
{
	n->c = rm_parse_filter(p, NULL);
	if (!n->c || !(n->c = rm_parse_filters(p, n->c)))
		return -1;
	return whole(p, "endfilter", &n->b);
}

/* Which tokens are the assistant's is nothing that a text shows. */
static int parse_generation(struct rm_parser *p, struct rm_node *n)
{
	return whole(p, "endgeneration", &n->b);
}

static int parse_nothing(struct rm_parser *p, struct rm_node *n)
{
	(void)p;
	(void)n;
	return 0;
}

static const struct tag {
	const char *name;
	enum rm_node_kind kind;
	int (*parse)(struct rm_parser *p, struct rm_node *n);
} tags[] = {
	{ "if", RM_N_IF, parse_if }, { "for", RM_N_FOR, parse_for },
	{ "set", RM_N_SET, parse_set }, { "macro", RM_N_MACRO, parse_macro },
	{ "with", RM_N_WITH, parse_with },
	{ "filter", RM_N_FILTER_BLOCK, parse_filter_block },
	{ "generation", RM_N_SCOPE, parse_generation },
	{ "break", RM_N_BREAK, parse_nothing },
	{ "continue", RM_N_CONTINUE, parse_nothing },
};

static const struct tag *tag_at(struct rm_parser *p)
{
	struct rm_value v = now(p)->value;

	if (now(p)->type != RM_T_NAME)
		return rm_parser_fail(p, "a tag's name");
	for (size_t i = 0; i < RM_COUNT(tags); i++)
		if (rm_parser_is_name(p, tags[i].name))
			return &tags[i];
	rm_fail("no tag '%.*s' is built, or none can stand here",
		(int)RM_MIN(v.len, 64), (const char *)v.u.s);
	rm_jinja_wrap(p->j, now(p)->pos);
	return NULL;
}

static struct rm_node *statement(struct rm_parser *p)
{
	const struct tag *tag = tag_at(p);
	struct rm_node *n;

	if (!tag)
		return NULL;
	if (++p->depth > RM_JINJA_MAX_NESTING)
		return rm_parser_fail(p, "less nesting");
	n = rm_jinja_node(p, tag->kind, now(p)->pos);
	p->at++;
	if (!n || tag->parse(p, n) < 0 || end_block(p) < 0)
		return NULL;
	p->depth--;
	return n;
}

static struct rm_node *output(struct rm_parser *p)
{
	struct rm_node *n = rm_jinja_node(p, RM_N_OUTPUT, now(p)->pos);

	p->at++;
	if (!n || !(n->a = rm_parse_tuple(p, true)))
		return NULL;
	if (now(p)->type != RM_T_OUTPUT_END)
		return rm_parser_fail(p, "'}}'");
	p->at++;
	return n;
}

static struct rm_node *text(struct rm_parser *p)
{
	struct rm_node *n = rm_jinja_node(p, RM_N_TEXT, now(p)->pos);

	if (n)
		n->value = now(p)->value;
	p->at++;
	return n;
}

static int body(struct rm_parser *p, const char *const *ends,
		struct rm_node **out)
{
	for (; now(p)->type != RM_T_EOF; out = &(*out)->next) {
		if (now(p)->type == RM_T_TEXT) {
			*out = text(p);
		} else if (now(p)->type == RM_T_OUTPUT) {
			*out = output(p);
		} else {
			p->at++;
			if (is_one_of(p, ends))
				return 0;
			*out = statement(p);
		}
		if (!*out)
			return -1;
	}
	return 0;
}

/* ---- the whole ---- */

/* Line ends as \n, the last one dropped. */
static int set_source(struct rm_jinja *j, const unsigned char *s, size_t len)
{
	unsigned char *copy;
	size_t n = 0;

	if (len > RM_JINJA_MAX_SOURCE)
		return rm_fail("a template of more than %d bytes",
			       RM_JINJA_MAX_SOURCE);
	if (rm_utf8_valid(s, len) != len)
		return rm_fail("invalid UTF-8 at byte %zu",
			       rm_utf8_valid(s, len) + 1);
	copy = rm_arena_alloc(&j->arena, len + 1, 1);
	if (!copy)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\r' && i + 1 < len && s[i + 1] == '\n')
			continue;
		copy[n++] = s[i] == '\r' ? '\n' : s[i];
	}
	n -= n && copy[n - 1] == '\n';
	j->source = copy;
	j->len = n;
	return 0;
}

static int set_date(struct rm_jinja *j, const char *date)
{
	static const int days[] = {
		31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	int *d = j->date, end = 0;

	if (!date)
		return 0;
	if (sscanf(date, "%4d-%2d-%2d%n", &d[0], &d[1], &d[2], &end) != 3 ||
	    date[end] || d[0] < 1 || d[1] < 1 || d[1] > 12 || d[2] < 1 ||
	    d[2] > days[d[1] - 1] ||
	    (d[1] == 2 && d[2] == 29 &&
	     (d[0] % 4 || (d[0] % 100 == 0 && d[0] % 400))))
		return rm_fail("'%s' is no date as 2025-01-31", date);
	return 0;
}

static int fixed_names(struct rm_jinja *j)
{
	static const char *const fixed[] = {
		[RM_ID_MESSAGES] = "messages", [RM_ID_TOOLS] = "tools",
		[RM_ID_DOCUMENTS] = "documents",
		[RM_ID_GENERATION] = "add_generation_prompt",
		[RM_ID_LOOP] = "loop"
	};

	for (size_t i = 0; i < RM_IDS; i++)
		if (rm_jinja_id(j, (struct rm_slice){
				(const unsigned char *)fixed[i],
				strlen(fixed[i]) }) == UINT32_MAX)
			return -1;
	return 0;
}

/* What the names are that the template does not set itself. */
static int set_known(struct rm_jinja *j, const json_t *vars)
{
	struct rm_jinja_run r = { .j = j, .arena = &j->arena,
				  .memory = SIZE_MAX, .steps = SIZE_MAX };

	j->known = rm_calloc(j->n_names, sizeof(*j->known));
	j->vars = json_deep_copy(vars);
	if (!j->known || (vars && !j->vars))
		return rm_fail("out of memory");
	for (size_t i = 0; i < j->n_names; i++) {
		struct rm_slice s = j->name[i];
		json_t *v = json_object_getn(j->vars, (const char *)s.data,
					     s.len);
		const struct rm_callable *f = rm_jinja_function(s);

		j->known[i].type = RM_V_OMITTED;
		if (f)
			j->known[i] = (struct rm_value){
				.type = RM_V_FUNCTION, .u.function = f
			};
		if (v && rm_value_from_json(&r, v, &j->known[i]) < 0)
			return -1;
	}
	return 0;
}

int rm_jinja_init(struct rm_jinja *j, const void *source, size_t len,
		  const json_t *vars, const char *date)
{
	struct rm_parser p = { .j = j };
	int err = -1;

	*j = (struct rm_jinja){0};
	if (set_date(j, date) == 0 && set_source(j, source, len) == 0 &&
	    fixed_names(j) == 0 && rm_jinja_lex(&p) == 0 &&
	    body(&p, NULL, &j->body) == 0)
		err = set_known(j, vars);
	free(p.token);
	if (err < 0)
		rm_jinja_fini(j);
	return err;
}

void rm_jinja_fini(struct rm_jinja *j)
{
	rm_arena_fini(&j->arena);
	free(j->name);
	free(j->known);
	json_decref(j->vars);
	*j = (struct rm_jinja){0};
}
