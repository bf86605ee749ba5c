/* Statements walked: a rendering. */
#include "template/jinja.h"

#include <string.h>

/* ---- assignment ---- */

static int set_field(struct rm_jinja_run *r, const struct rm_node *n,
		     struct rm_value v)
{
	const struct rm_node name = { .kind = RM_N_NAME, .pos = n->pos,
				      .id = n->id, .value = n->value };
	struct rm_value of;

	if (rm_jinja_eval(r, &name, &of) < 0)
		return -1;
	r->at = n;
	if (of.type != RM_V_NAMESPACE)
		return rm_fail("only namespaces have attributes that can be "
			       "set");
	if (n->value.len && n->value.u.s[0] == '_')
		return rm_fail("attributes that begin with _ are private");
	return rm_dict_set(r, of.u.dict, n->value, v);
}

static int unpack(struct rm_jinja_run *r, const struct rm_node *n,
		  struct rm_value v)
{
	const struct rm_list *l = rm_value_items(r, v);
	const struct rm_node *k = n->a;
	size_t i = 0;

	if (!l)
		return -1;
	for (; k && i < l->n; k = k->next)
		if (rm_jinja_assign(r, k, l->item[i++]) < 0)
			return -1;
	r->at = n;
	return k || i < l->n ? rm_fail("%zu values for another number of "
				       "names", l->n) : 0;
}

int rm_jinja_assign(struct rm_jinja_run *r, const struct rm_node *target,
		    struct rm_value v)
{
	if (target->kind == RM_N_NAME)
		return rm_scope_set(r, target->id, v);
	return target->kind == RM_N_FIELD ? set_field(r, target, v)
					  : unpack(r, target, v);
}

/* ---- text ---- */

static int put_text(struct rm_jinja_run *r, struct rm_value text)
{
	return rm_put(r, r->out, text);
}

static int exec_output(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_value v;

	if (rm_jinja_eval(r, n->a, &v) < 0)
		return -1;
	r->at = n;
	return rm_value_str(r, v, &v) < 0 ? -1 : put_text(r, v);
}

int rm_jinja_capture(struct rm_jinja_run *r, const struct rm_node *body,
		     struct rm_value *out)
{
	struct rm_scope scope, *outer = r->scope;
	size_t from = r->out->len;
	int err;

	if (rm_scope_enter(r, &scope) < 0)
		return -1;
	err = rm_jinja_exec(r, body);
	r->scope = outer;
	if (err < 0)
		return -1;
	err = rm_value_copy(r, r->out->data + from, r->out->len - from, out);
	r->out->len = from;
	return err;
}

/* The filters of a block's text: the innermost has no node to filter, and a
 * copy of them gets one. */
static int filter_text(struct rm_jinja_run *r, const struct rm_node *filter,
		       struct rm_value *text)
{
	struct rm_node *first = NULL, **last = &first;

	for (; filter; filter = filter->a, last = &(*last)->a) {
		*last = rm_run_alloc(r, 1, sizeof(**last));
		if (!*last)
			return -1;
		**last = *filter;
	}
	*last = rm_run_alloc(r, 1, sizeof(**last));
	if (!*last)
		return -1;
	**last = (struct rm_node){ .kind = RM_N_CONST, .value = *text };
	return rm_jinja_eval(r, first, text);
}

static int exec_set_block(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_value text;

	if (rm_jinja_capture(r, n->b, &text) < 0 ||
	    filter_text(r, n->c, &text) < 0)
		return -1;
	return rm_jinja_assign(r, n->a, text);
}

static int exec_filter_block(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_value text;

	if (rm_jinja_capture(r, n->b, &text) < 0 ||
	    filter_text(r, n->c, &text) < 0 ||
	    rm_value_str(r, text, &text) < 0)
		return -1;
	return put_text(r, text);
}

/* ---- scopes ---- */

static int exec_scope(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_scope *scope = rm_run_alloc(r, 1, sizeof(*scope));
	struct rm_scope *outer = r->scope;
	int err;

	if (!scope || rm_scope_enter(r, scope) < 0)
		return -1;
	err = rm_jinja_exec(r, n->b);
	r->scope = outer;
	return err;
}

static int exec_with(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_scope *scope = rm_run_alloc(r, 1, sizeof(*scope));
	struct rm_scope *outer = r->scope;
	const struct rm_node *value = n->c;
	struct rm_value v;
	int err;

	if (!scope || rm_scope_enter(r, scope) < 0)
		return -1;
	for (const struct rm_node *k = n->a; k; k = k->next) {
		/* Values are looked up where the block stands. */
		r->scope = outer;
		err = rm_jinja_eval(r, value, &v);
		r->scope = scope;
		if (err < 0 || rm_jinja_assign(r, k, v) < 0)
			return -1;
		value = value->next;
	}
	err = rm_jinja_exec(r, n->b);
	r->scope = outer;
	return err;
}

static int exec_if(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_value test;

	/* An elif, or an if alone in an else, is the next one here. */
	do {
		if (rm_jinja_eval(r, n->a, &test) < 0)
			return -1;
		if (rm_value_true(test))
			return rm_jinja_exec(r, n->b);
		n = n->c;
	} while (n && n->kind == RM_N_IF && !n->next);
	return rm_jinja_exec(r, n);
}

/* ---- macros ---- */

static int exec_macro(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_macro *m = rm_run_alloc(r, 1, sizeof(*m));

	if (!m)
		return -1;
	*m = (struct rm_macro){ n, r->scope };
	return rm_scope_set(r, n->id, (struct rm_value){
		.type = RM_V_MACRO, .u.macro = m });
}

/* The argument for a parameter: the nth without a name, or by its name. */
static const struct rm_node *argument(const struct rm_node *args, size_t nth,
				      struct rm_value name)
{
	for (size_t i = 0; args; args = args->next, i++) {
		if (!rm_is_string(args->value)) {
			if (i == nth)
				return args;
		} else if (args->value.len == name.len &&
			   memcmp(args->value.u.s, name.u.s, name.len) == 0) {
			return args;
		}
	}
	return NULL;
}

/* All arguments evaluated where the call stands; the parameters set. */
static int set_parameters(struct rm_jinja_run *r, const struct rm_macro *m,
			  const struct rm_node *args, struct rm_scope *scope)
{
	struct rm_scope *caller = r->scope;
	const struct rm_node *p = m->node->a, *arg;
	size_t nth = 0, used = 0, given = 0;
	struct rm_value v;
	int err = 0;

	for (; p && err == 0; p = p->next) {
		arg = argument(args, nth++, p->value);
		r->scope = arg ? caller : scope;
		v = rm_undefined(p, 0);
		if (arg || p->a)
			err = rm_jinja_eval(r, arg ? arg->a : p->a, &v);
		r->scope = scope;
		if (err == 0)
			err = rm_scope_set(r, p->id, v);
		used += arg != NULL;
	}
	r->scope = caller;
	for (; args; args = args->next)
		given++;
	if (err == 0 && given != used)
		return rm_fail("macro %.*s has no such arguments",
			       (int)m->node->value.len,
			       (const char *)m->node->value.u.s);
	return err;
}

int rm_jinja_call_macro(struct rm_jinja_run *r, const struct rm_macro *m,
			const struct rm_node *args, struct rm_value *out)
{
	struct rm_scope *scope = rm_run_alloc(r, 1, sizeof(*scope));
	struct rm_scope *caller = r->scope;
	const struct rm_node *at = r->at;
	int err;

	if (!scope)
		return -1;
	*scope = (struct rm_scope){ .up = m->scope };
	if (set_parameters(r, m, args, scope) < 0)
		return -1;
	r->depth += 8;		/* more is on the stack than for a node */
	r->scope = scope;
	err = rm_jinja_capture(r, m->node->b, out);
	r->scope = caller;
	r->depth -= 8;
	if (err == 0)
		r->at = at;
	return err;
}

/* ---- loops ---- */

/* Those items of which the test holds. */
static const struct rm_list *chosen(struct rm_jinja_run *r,
				    const struct rm_node *n,
				    const struct rm_list *all)
{
	struct rm_list *l = rm_list_new(r, all->n);
	size_t kept = 0;
	struct rm_value test;

	for (size_t i = 0; l && i < all->n; i++) {
		if (rm_jinja_assign(r, n->a, all->item[i]) < 0 ||
		    rm_jinja_eval(r, n->c, &test) < 0)
			return NULL;
		if (rm_value_true(test))
			l->item[kept++] = all->item[i];
	}
	if (l)
		l->n = kept;
	return l;
}

/* *whole: whether any turn came to its end; if none did, else's body is run,
 * as the peer has it. */
static int iterate(struct rm_jinja_run *r, const struct rm_node *n,
		   struct rm_loop *loop, bool *whole)
{
	const struct rm_value self = { .type = RM_V_LOOP, .u.loop = loop };
	int got = 0;

	for (; loop->at < loop->list->n; loop->at++) {
		r->scope->n = 0;
		if (rm_scope_set(r, RM_ID_LOOP, self) < 0 ||
		    rm_jinja_assign(r, n->a,
				    loop->list->item[loop->at]) < 0)
			return -1;
		got = rm_jinja_exec(r, n->d->b);
		if (got < 0 || rm_run_work(r, 1) < 0)
			return -1;
		*whole |= got == 0;
		if (got == RM_RUN_BREAK)
			break;
	}
	return 0;
}

static int exec_for(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_scope *scope = rm_run_alloc(r, 1, sizeof(*scope));
	struct rm_loop *loop = rm_run_alloc(r, 1, sizeof(*loop));
	struct rm_scope *outer = r->scope;
	struct rm_value of;
	bool whole = false;
	int err;

	if (!scope || !loop || rm_jinja_eval(r, n->b, &of) < 0)
		return -1;
	r->at = n->b;
	*loop = (struct rm_loop){ .list = rm_value_items(r, of),
				  .changed.type = RM_V_OMITTED };
	if (!loop->list || rm_scope_enter(r, scope) < 0)
		return -1;
	if (n->c)
		loop->list = chosen(r, n, loop->list);
	if (!loop->list)
		return -1;
	err = iterate(r, n, loop, &whole);
	if (err == 0 && !whole) {
		scope->n = 0;
		err = rm_jinja_exec(r, n->d->c);
	}
	r->scope = outer;
	return err;
}

/* ---- all of them ---- */

static int exec_set(struct rm_jinja_run *r, const struct rm_node *n)
{
	struct rm_value v;

	return rm_jinja_eval(r, n->b, &v) < 0 ? -1 :
	       rm_jinja_assign(r, n->a, v);
}

static int exec_one(struct rm_jinja_run *r, const struct rm_node *n)
{
	switch (n->kind) {
	case RM_N_TEXT:
		return put_text(r, n->value);
	case RM_N_OUTPUT:
		return exec_output(r, n);
	case RM_N_IF:
		return exec_if(r, n);
	case RM_N_FOR:
		return exec_for(r, n);
	case RM_N_SET:
		return exec_set(r, n);
	case RM_N_SET_BLOCK:
		return exec_set_block(r, n);
	case RM_N_MACRO:
		return exec_macro(r, n);
	case RM_N_WITH:
		return exec_with(r, n);
	case RM_N_FILTER_BLOCK:
		return exec_filter_block(r, n);
	case RM_N_BREAK:
		return RM_RUN_BREAK;
	case RM_N_CONTINUE:
		return RM_RUN_CONTINUE;
	default:
		return exec_scope(r, n);
	}
}

int rm_jinja_exec(struct rm_jinja_run *r, const struct rm_node *body)
{
	int got = 0;

	if (++r->depth > RM_JINJA_MAX_DEPTH)
		return rm_fail("nested too deep");
	for (; body && got == 0; body = body->next) {
		r->at = body;
		if (rm_run_work(r, 1) < 0)
			return -1;
		got = exec_one(r, body);
	}
	r->depth--;
	return got;
}

/* ---- messages ---- */

static int set_text(struct rm_jinja_run *r, struct rm_dict *d,
		    const char *key, struct rm_slice text)
{
	if (text.len > UINT32_MAX)
		return rm_fail("a message of more than 4 GB");
	return rm_dict_set(r, d, rm_text_value(key, strlen(key)),
			   rm_text_value(text.data, text.len));
}

/* As Transformers does: keys without a value are left out, and reasoning
 * stands under the names that templates look for. */
static int tidy(struct rm_jinja_run *r, struct rm_dict *d)
{
	static const char *const names[] = {
		"reasoning_content", "thinking", "reasoning"
	};
	struct rm_value first = rm_text_value("thinking", 8);
	const struct rm_value *v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->pair[i].value.type != RM_V_NONE)
			d->pair[n++] = d->pair[i];
	d->n = n;
	for (size_t i = 0; i < RM_COUNT(names) && !v; i++)
		v = rm_dict_get(d, (struct rm_slice){
			(const unsigned char *)names[i], strlen(names[i]) });
	if (!v)
		return 0;
	struct rm_value reasoning = *v;

	if (!rm_dict_get(d, rm_slice_of(first))) {
		if (rm_dict_set(r, d, first, reasoning) < 0)
			return -1;
		memmove(d->pair + 1, d->pair, (d->n - 1) * sizeof(*d->pair));
		d->pair[0] = (struct rm_pair_of_values){ first, reasoning };
	}
	return rm_dict_set(r, d, rm_text_value(names[0], strlen(names[0])),
			   reasoning);
}

static int make_message(struct rm_jinja_run *r, const struct rm_message *m,
			struct rm_value *out)
{
	struct rm_dict *d;

	if (m->json) {
		if (rm_value_from_json(r, m->json, out) < 0)
			return -1;
		return out->type == RM_V_DICT ? tidy(r, out->u.dict) : 0;
	}
	d = rm_dict_new(r, 2);
	if (!d || set_text(r, d, "role", rm_template_role(m->role)) < 0 ||
	    set_text(r, d, "content", m->content) < 0)
		return -1;
	*out = (struct rm_value){ .type = RM_V_DICT, .u.dict = d };
	return 0;
}

static int set_known(struct rm_jinja_run *r,
		     const struct rm_template_input *in)
{
	struct rm_list *l = rm_list_new(r, in->n);

	memcpy(r->root, r->j->known, r->j->n_names * sizeof(*r->root));
	for (size_t i = 0; l && i < in->n; i++)
		if (make_message(r, &in->message[i], &l->item[i]) < 0)
			return -1;
	if (!l)
		return -1;
	r->root[RM_ID_MESSAGES] = rm_list_value(l, RM_V_LIST);
	r->root[RM_ID_GENERATION] = rm_bool(in->generation);
	r->root[RM_ID_TOOLS] = r->root[RM_ID_DOCUMENTS] = rm_none();
	if (in->tools &&
	    rm_value_from_json(r, in->tools, &r->root[RM_ID_TOOLS]) < 0)
		return -1;
	return in->documents ? rm_value_from_json(r, in->documents,
						  &r->root[RM_ID_DOCUMENTS])
			     : 0;
}

/* What a rendering may take grows with what it is given. */
enum {
	STEPS = 4000000, STEPS_A_MESSAGE = 2000,
	MEMORY = 256 * 1024 * 1024, COPIES = 16
};

static void set_bounds(struct rm_jinja_run *r,
		       const struct rm_template_input *in)
{
	size_t bytes = 0;

	for (size_t i = 0; i < in->n; i++)
		bytes += in->message[i].content.len;
	r->steps = STEPS + STEPS_A_MESSAGE * in->n + bytes;
	r->memory = MEMORY + COPIES * bytes;
}

int rm_jinja_render(const struct rm_jinja *j,
		    const struct rm_template_input *in,
		    struct rm_arena *arena, struct rm_buf *out)
{
	struct rm_jinja_run r = { .j = j, .arena = arena, .out = out };
	size_t from = out->len;

	set_bounds(&r, in);
	r.memory += from;
	r.root = rm_run_alloc(&r, j->n_names, sizeof(*r.root));
	if (r.root && set_known(&r, in) == 0) {
		if (rm_jinja_exec(&r, j->body) >= 0 && !out->failed)
			return 0;
		if (!out->failed)
			rm_jinja_wrap(j, r.at ? r.at->pos : 0);
	}
	out->len = out->failed ? out->len : from;
	return -1;
}
