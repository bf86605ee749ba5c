/* The template of a recipe: built in, the tokenizer's own, or a file. */
#include "encode/group.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 64 * 1024 * 1024 };

/* A file in Jinja, or a tokenizer's JSON that holds a template. */
static int read_file(const char *path, struct rm_buf *source)
{
	const char *dot = strrchr(path, '.');
	struct rm_files files = {0};
	struct rm_buf bytes = {0};
	int got;

	if (!dot || strcmp(dot, ".json") != 0)
		return rm_read_file(path, MAX_FILE, source);
	got = rm_read_file(path, MAX_FILE, &bytes);
	if (got == 0)
		got = rm_files_add(&files, "tokenizer_config.json",
				   bytes.data, bytes.len);
	if (got == 0)
		got = rm_template_of_files(&files, source);
	if (got == 0)
		got = rm_fail("%s: no chat_template", path);
	rm_files_fini(&files);
	rm_buf_fini(&bytes);
	return got < 0 ? -1 : 0;
}

/* The source that is asked for by name: 1, 0 where "own" has none, -1. */
static int find_source(struct rm_recipe *r, const char *name)
{
	if (strcmp(name, RM_TEMPLATE_OWN) == 0)
		return rm_template_of_files(rm_tokenizer_files(r->tokenizer),
					    &r->source);
	return read_file(name, &r->source) < 0 ? -1 : 1;
}

/* What a template may look up: special tokens, then what the user set. */
static json_t *make_vars(const struct rm_recipe *r)
{
	json_t *vars = json_object();

	if (vars && rm_template_vars_of_files(rm_tokenizer_files(
			r->tokenizer), vars) == 0 &&
	    (!r->vars || json_object_update(vars,
					    (json_t *)(uintptr_t)r->vars) ==
	     0))
		return vars;
	json_decref(vars);
	return NULL;
}

static int parse(struct rm_recipe *r, const char *name)
{
	json_t *vars = make_vars(r);
	const struct rm_template_options o = { vars, r->date };

	if (!vars)
		return -1;
	r->own = rm_template_parse(r->source.data, r->source.len, &o);
	json_decref(vars);
	r->template = r->own;
	return r->own ? 0 : rm_wrap("template %s", name);
}

static int set_own(struct rm_recipe *r, const char *name)
{
	int got = find_source(r, name);

	if (got == 0)
		return rm_fail("the tokenizer has no chat template: neither "
			       "a chat_template.jinja nor a chat_template in "
			       "tokenizer_config.json");
	return got < 0 ? -1 : parse(r, name);
}

static bool is_built_in(const char *name)
{
	const char *one, *help;

	for (size_t i = 0; rm_template_at(i, &one, &help); i++)
		if (strcmp(one, name) == 0)
			return true;
	return false;
}

/* "own" or a file; the names of what is built in come first. */
static bool is_jinja(const char *name)
{
	return strcmp(name, RM_TEMPLATE_OWN) == 0 ||
	       (!is_built_in(name) && access(name, F_OK) == 0);
}

int rm_encode_check_template(const char *name)
{
	char *message;

	if (is_jinja(name) || rm_template_find(name))
		return 0;
	message = rm_strdup(rm_error());
	if (message)
		rm_fail("%s, own, and files", message);
	free(message);
	return -1;
}

int rm_recipe_set_template(struct rm_recipe *r,
			   const struct rm_encode_options *o)
{
	const char *name = o->template ? o->template : "plain";

	r->vars = o->template_vars;
	r->date = o->template_date;
	if (is_jinja(name))
		return set_own(r, name);
	r->template = rm_template_find(name);
	if (!r->template)
		return rm_encode_check_template(name);
	/* Of no name, messages may yet ask for the tokenizer's own. */
	if (o->template && (r->vars || r->date) && !o->policy)
		return rm_fail("template %s has no variables and no date",
			       name);
	return 0;
}

int rm_recipe_set_default(struct rm_recipe *r)
{
	int got = find_source(r, RM_TEMPLATE_OWN);

	return got <= 0 ? got : parse(r, RM_TEMPLATE_OWN) < 0 ? -1 : 1;
}

void rm_recipe_fini(struct rm_recipe *r)
{
	rm_template_free(r->own);
	rm_buf_fini(&r->source);
}
