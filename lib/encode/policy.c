/*
 * Special tokens and the policy: what is put around texts beside what the
 * tokenizer makes of them, how that is recorded, and how it is taken again
 * from a model.
 */
#include "encode/group.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct rm_special_run nothing;

/* ---- what is put where ---- */

static bool all_of_type(const struct rm_special_run *run, size_t from,
			size_t to, int32_t type)
{
	for (size_t i = from; i < to; i++)
		if (run->type[i] != type)
			return false;
	return true;
}

/*
 * The prompt is all up to the last piece of the first text's type that
 * stands before the second text: then it has one token type, and the
 * response one, or the rule is none that can be recorded so.
 */
static int set_pair(struct rm_recipe *r, const struct rm_post *p)
{
	const struct rm_special_run *between = &p->pair_between;
	size_t n = between->n;

	while (p->type_a != p->type_b && n && between->type[n - 1] !=
	       p->type_a)
		n--;
	if (!all_of_type(&p->pair_before, 0, p->pair_before.n, p->type_a) ||
	    !all_of_type(between, 0, n, p->type_a) ||
	    !all_of_type(between, n, between->n, p->type_b) ||
	    !all_of_type(&p->pair_after, 0, p->pair_after.n, p->type_b))
		return rm_fail("template pair: the token types of the "
			       "tokenizer's rule are not one of the prompt "
			       "and one of the response");
	r->before = &p->pair_before;
	r->between = between;
	r->after = &p->pair_after;
	r->n_between = n;
	return 0;
}

static int set_rule(struct rm_recipe *r, enum rm_answer answer)
{
	const struct rm_post *p = rm_tokenizer_post(r->tokenizer);
	bool pair = rm_template_is_pair(r->template);
	bool add = answer != RM_NO;

	r->before = r->between = r->after = &nothing;
	if (pair && !p->has_pair)
		return rm_fail("template pair: the tokenizer's "
			       "post_processor has no rule for pairs");
	if (add && pair && set_pair(r, p) < 0)
		return -1;
	/* What is in Jinja has written all that it wants. */
	r->written = r->own && answer != RM_YES;
	if ((add || r->written) && !pair) {
		r->before = &p->before;
		r->after = &p->after;
	}
	r->n_special = r->before->n + r->between->n + r->after->n;
	r->special_tokens = r->n_special > 0 && !r->written;
	return 0;
}

static int set_eos(struct rm_recipe *r, enum rm_answer answer, bool add)
{
	const struct rm_special *s = rm_tokenizer_special(r->tokenizer);
	bool is_text = rm_template_is_text(r->template);

	r->eos = -1;
	if (answer == RM_YES && !is_text)
		return rm_fail("eos: only plain text is ended by it, and "
			       "template %s makes none",
			       rm_template_name(r->template));
	if (answer == RM_YES && s->eos < 0)
		return rm_fail("eos: the tokenizer has none: no "
			       "tokenizer_config.json, or no eos_token in "
			       "it that the vocabulary has");
	if (answer == RM_NO ||
	    (answer == RM_UNSAID && !(add && s->add_eos && is_text)))
		return 0;
	if (r->after->n && r->after->id[r->after->n - 1] == s->eos)
		return 0;
	r->eos = s->eos;
	r->n_special += s->eos >= 0;
	return 0;
}

static int set_special(struct rm_recipe *r, enum rm_answer special_tokens,
		       enum rm_answer eos)
{
	bool add = special_tokens != RM_NO;

	return set_rule(r, special_tokens) < 0 ? -1 : set_eos(r, eos, add);
}

/* ---- the record ---- */

static int put(json_t *policy, const char *key, json_t *value)
{
	if (json_object_set_new(policy, key, value) < 0)
		return rm_fail("out of memory");
	return 0;
}

static int put_id(json_t *policy, const char *key, int32_t id)
{
	return id < 0 ? 0 : put(policy, key, json_integer(id));
}

static int put_run(json_t *policy, const char *key,
		   const struct rm_special_run *run)
{
	json_t *list = run->n ? json_array() : NULL;

	for (size_t i = 0; list && i < run->n; i++)
		json_array_append_new(list, json_integer(run->id[i]));
	return run->n ? put(policy, key, list) : 0;
}

static int put_rule(json_t *policy, const struct rm_recipe *r)
{
	const struct rm_post *p = rm_tokenizer_post(r->tokenizer);

	if (r->written)
		return 0;
	if (put_run(policy, "prefix", r->before) < 0 ||
	    put_run(policy, "between", r->between) < 0 ||
	    put_run(policy, "suffix", r->after) < 0)
		return -1;
	if (!rm_template_is_pair(r->template))
		return 0;
	return put(policy, "types", json_pack("[i,i]", p->type_a,
					      p->type_b));
}

/* Which template it was, and what it was given. */
static int put_template(json_t *policy, const struct rm_recipe *r)
{
	struct rm_fingerprint hash = rm_template_fingerprint(r->template);

	if (put(policy, "template",
		json_string(rm_template_name(r->template))) < 0)
		return -1;
	if (!r->own)
		return 0;
	if (put(policy, "template_hash", json_string(hash.hex)) < 0 ||
	    (r->date &&
	     put(policy, "template_date", json_string(r->date)) < 0))
		return -1;
	return r->vars ? put(policy, "template_vars",
			     json_deep_copy(r->vars)) : 0;
}

static int put_all(json_t *policy, const struct rm_recipe *r)
{
	const struct rm_special *s = rm_tokenizer_special(r->tokenizer);

	if (put_template(policy, r) < 0 ||
	    put(policy, "special_tokens",
		json_boolean(r->special_tokens)) < 0 ||
	    put_id(policy, "bos_id", s->bos) < 0 ||
	    put_id(policy, "eos_id", s->eos) < 0 ||
	    put_rule(policy, r) < 0 ||
	    (s->eos >= 0 &&
	     put(policy, "eos", json_boolean(r->eos >= 0)) < 0) ||
	    put_id(policy, "pad_id", s->pad) < 0)
		return -1;
	if (!r->max_length || r->model_limit)
		return 0;
	if (put(policy, "max_length",
		json_integer((json_int_t)r->max_length)) < 0)
		return -1;
	return put(policy, "overlong",
		   json_string(rm_encode_overlongs[r->overlong]));
}

/*
 * Policies recorded before there was anything to say about special tokens
 * lack these; leaving them out again where they say nothing new keeps the
 * fingerprint.
 */
static void leave_out(json_t *policy, const json_t *model)
{
	static const char *const newer[] = {
		"special_tokens", "bos_id", "eos_id", "eos", "pad_id"
	};

	for (size_t i = 0; i < RM_COUNT(newer); i++)
		if (!json_object_get(model, newer[i]) &&
		    !json_is_true(json_object_get(policy, newer[i])))
			json_object_del(policy, newer[i]);
}

json_t *rm_recipe_policy(const struct rm_recipe *r, const json_t *model)
{
	json_t *policy = json_object();

	if (!policy)
		return rm_fail_null("out of memory");
	if (put_all(policy, r) < 0) {
		json_decref(policy);
		return NULL;
	}
	if (model)
		leave_out(policy, model);
	return policy;
}

/* ---- the model's ---- */

static int differ(const char *key, const json_t *has, const json_t *gives)
{
	char *a = has ? json_dumps(has, JSON_ENCODE_ANY) : NULL;
	char *b = gives ? json_dumps(gives, JSON_ENCODE_ANY) : NULL;

	rm_fail("the model's policy has %s %s, but its tokenizer gives %s",
		key, a ? a : "none", b ? b : "none");
	free(a);
	free(b);
	return -1;
}

/* The ids in the model's policy must be those that the tokenizer gives under
 * that policy. */
static int check_ids(const json_t *model, const json_t *want)
{
	static const struct {
		const char *key;
		bool must;	/* be there if the tokenizer gives it */
	} ids[] = {
		{ "bos_id", false }, { "eos_id", false },
		{ "pad_id", false }, { "prefix", true }, { "between", true },
		{ "suffix", true }, { "types", true },
		{ "template_hash", true },
	};

	for (size_t i = 0; i < RM_COUNT(ids); i++) {
		const json_t *has = json_object_get(model, ids[i].key);
		const json_t *gives = json_object_get(want, ids[i].key);

		if ((has || (gives && ids[i].must)) &&
		    !(has && gives && json_equal(has, gives)))
			return differ(ids[i].key, has, gives);
	}
	return 0;
}

static int check_policy(const struct rm_recipe *r, const json_t *model)
{
	struct rm_recipe then = { .tokenizer = r->tokenizer };
	struct rm_encode_options o = { .policy = model };
	bool add = json_is_true(json_object_get(model, "special_tokens"));
	json_t *want = NULL;
	int status = -1;

	if (rm_json_opt_string(model, "template", "policy", "plain",
			       &o.template) < 0)
		return -1;
	if (rm_recipe_set_template(&then, &o) < 0 ||
	    set_special(&then, add ? RM_YES : RM_NO, RM_NO) < 0)
		rm_wrap("the model's policy");
	else
		want = rm_recipe_policy(&then, NULL);
	if (want)
		status = check_ids(model, want);
	json_decref(want);
	rm_recipe_fini(&then);
	return status;
}

int rm_recipe_set_special(struct rm_recipe *r,
			  const struct rm_encode_options *o)
{
	if ((o->policy && check_policy(r, o->policy) < 0) ||
	    set_special(r, o->special_tokens, o->eos) < 0)
		return -1;
	if (r->max_length && r->max_length < r->n_special)
		return rm_fail("a limit of %zu tokens has no room for the "
			       "%zu special tokens of an input",
			       r->max_length, r->n_special);
	return 0;
}

enum { MAX_CONFIG = 64 * 1024 * 1024 };

/* A file of the model as *value; NULL where there is none. */
static int load_part(const char *model, const char *name, json_t **value)
{
	struct rm_buf path = {0};
	int status = 0;

	*value = NULL;
	rm_buf_printf(&path, "%s/%s", model, name);
	if (!rm_buf_text(&path)) {
		status = -1;
	} else if (access((const char *)path.data, F_OK) == 0) {
		*value = rm_json_load((const char *)path.data, MAX_CONFIG);
		if (!*value)
			status = -1;
		else if (!json_is_object(*value))
			status = rm_fail("%s: no JSON object",
					 (const char *)path.data);
	}
	rm_buf_fini(&path);
	return status;
}

/* A yes or no of the policy where the options say nothing; a policy without
 * it is one of none. */
static int take_answer(enum rm_answer *answer, const json_t *policy,
		       const char *key)
{
	const json_t *value = json_object_get(policy, key);

	if (value && !json_is_boolean(value))
		return rm_fail("policy: %s is not true or false", key);
	if (*answer == RM_UNSAID)
		*answer = json_is_true(value) ? RM_YES : RM_NO;
	return 0;
}

/* The template, and what it is given, unless options name another. */
static int take_template(struct rm_encode_options *o, const json_t *policy)
{
	const json_t *vars = json_object_get(policy, "template_vars");
	const char *template, *date;

	if (rm_json_opt_string(policy, "template", "policy", NULL,
			       &template) < 0 ||
	    rm_json_opt_string(policy, "template_date", "policy", NULL,
			       &date) < 0)
		return -1;
	if (vars && !json_is_object(vars))
		return rm_fail("policy: template_vars is not an object");
	if (!o->template)
		o->template = template ? template : "plain";
	if (!template || strcmp(o->template, template) != 0)
		return 0;
	if (!o->template_date)
		o->template_date = date;
	if (!o->template_vars)
		o->template_vars = vars;
	return 0;
}

/* Whether an EOS token can end what the template makes. */
static bool makes_text(const char *template)
{
	const struct rm_template *t = rm_template_find(template);

	rm_error_clear();
	return t && rm_template_is_text(t);
}

static int take_policy(struct rm_encode_options *o, const json_t *policy)
{
	const char *overlong;
	enum rm_answer none = RM_UNSAID;
	size_t limit;

	if (take_template(o, policy) < 0 ||
	    rm_json_opt_string(policy, "overlong", "policy", NULL,
			       &overlong) < 0 ||
	    rm_json_opt_size(policy, "max_length", "policy", 0, &limit) < 0)
		return -1;
	if (!o->overlong)
		o->overlong = overlong;
	if (!o->max_length)
		o->max_length = limit;
	/* Under another template than the model's there may be no text that
	 * an EOS token could end. */
	if (take_answer(&o->special_tokens, policy, "special_tokens") < 0)
		return -1;
	return take_answer(makes_text(o->template) ? &o->eos : &none, policy,
			   "eos");
}

int rm_encode_policy(const char *model, struct rm_encode_options *options,
		     json_t **keep)
{
	const json_t *policy;

	if (load_part(model, "rm.json", keep) < 0)
		return -1;
	policy = json_object_get(*keep, "policy");
	if (policy && !json_is_object(policy))
		return rm_fail("%s/rm.json: policy is not an object", model);
	if (policy && take_policy(options, policy) < 0)
		return rm_wrap("%s/rm.json", model);
	options->policy = policy;
	return 0;
}
