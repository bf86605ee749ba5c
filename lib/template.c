#include "template.h"

#include "template/jinja.h"

#include <stdlib.h>
#include <string.h>

struct rm_template {
	const char *name, *help;
	bool joins_strings, takes_transcripts, is_text, is_pair;
	void (*begin)(struct rm_buf *out, struct rm_slice role, bool first);
	const char *gap;	/* before a message's content */
	const char *end;	/* and after it */
	struct rm_jinja *jinja;	/* or NULL */
	struct rm_fingerprint fingerprint;
};

/* ShareGPT's names for the roles that all others call user, assistant. */
struct rm_slice rm_template_role(struct rm_slice role)
{
	if (rm_slice_is(role, "human"))
		return (struct rm_slice){ (const unsigned char *)"user", 4 };
	if (rm_slice_is(role, "gpt") || rm_slice_is(role, "model"))
		return (struct rm_slice){
			(const unsigned char *)"assistant", 9
		};
	return role;
}

static void begin_plain(struct rm_buf *out, struct rm_slice role, bool first)
{
	(void)role;
	if (!first)
		rm_buf_puts(out, "\n\n");
}

/* Human and Assistant as in HH; any other role by its own name. */
static void begin_hh(struct rm_buf *out, struct rm_slice role, bool first)
{
	size_t start;

	(void)first;
	rm_buf_puts(out, "\n\n");
	start = out->len;
	if (rm_slice_is(role, "user"))
		rm_buf_puts(out, "Human");
	else
		rm_buf_append(out, role.data, role.len);
	if (!out->failed && start < out->len && out->data[start] >= 'a' &&
	    out->data[start] <= 'z')
		out->data[start] = (unsigned char)(out->data[start] -
						   ('a' - 'A'));
	rm_buf_putc(out, ':');
}

static void begin_chatml(struct rm_buf *out, struct rm_slice role, bool first)
{
	(void)first;
	rm_buf_puts(out, "<|im_start|>");
	rm_buf_append(out, role.data, role.len);
	rm_buf_putc(out, '\n');
}

static const struct rm_template templates[] = {
	{ .name = "plain",
	  .help = "contents with an empty line between; strings as they are",
	  .joins_strings = true, .takes_transcripts = true, .is_text = true,
	  .begin = begin_plain, .gap = "", .end = "" },
	{ .name = "hh", .help = "\\n\\nHuman: ... \\n\\nAssistant: ...",
	  .takes_transcripts = true, .is_text = true,
	  .begin = begin_hh, .gap = " ", .end = "" },
	{ .name = "chatml", .help = "<|im_start|>role\\n...<|im_end|>\\n",
	  .begin = begin_chatml, .gap = "", .end = "<|im_end|>\n" },
	/* Each of the two is rendered as plain. */
	{ .name = "pair",
	  .help = "prompt and response by the tokenizer's rule for two texts",
	  .joins_strings = true, .takes_transcripts = true, .is_pair = true,
	  .begin = begin_plain, .gap = "", .end = "" },
};

bool rm_template_at(size_t i, const char **name, const char **help)
{
	if (i >= RM_COUNT(templates))
		return false;
	*name = templates[i].name;
	*help = templates[i].help;
	return true;
}

const struct rm_template *rm_template_find(const char *name)
{
	const char *names[RM_COUNT(templates) + 1] = {0};
	struct rm_buf b = {0};

	for (size_t i = 0; i < RM_COUNT(templates); i++) {
		if (strcmp(templates[i].name, name) == 0)
			return &templates[i];
		names[i] = templates[i].name;
	}
	rm_join_names(&b, names);
	rm_fail("no template '%s'; there are %s", name, rm_buf_text(&b));
	rm_buf_fini(&b);
	return NULL;
}

const char *rm_template_name(const struct rm_template *t)
{
	return t->name;
}

bool rm_template_joins_strings(const struct rm_template *t)
{
	return t->joins_strings;
}

bool rm_template_takes_transcripts(const struct rm_template *t)
{
	return t->takes_transcripts;
}

bool rm_template_is_text(const struct rm_template *t)
{
	return t->is_text;
}

bool rm_template_is_pair(const struct rm_template *t)
{
	return t->is_pair;
}

bool rm_template_is_jinja(const struct rm_template *t)
{
	return t->jinja != NULL;
}

struct rm_fingerprint rm_template_fingerprint(const struct rm_template *t)
{
	return t->fingerprint;
}

/* ---- in Jinja ---- */

struct rm_template *rm_template_parse(const void *source, size_t len,
				      const struct rm_template_options *o)
{
	static const struct rm_template_options none;
	struct rm_template *t = rm_calloc(1, sizeof(*t));

	o = o ? o : &none;
	if (!t)
		return NULL;
	t->name = RM_TEMPLATE_OWN;
	t->fingerprint = rm_fingerprint(source, len);
	t->jinja = rm_calloc(1, sizeof(*t->jinja));
	if (t->jinja && rm_jinja_init(t->jinja, source, len, o->vars,
				      o->date) == 0)
		return t;
	rm_template_free(t);
	return NULL;
}

void rm_template_free(struct rm_template *t)
{
	if (!t)
		return;
	if (t->jinja)
		rm_jinja_fini(t->jinja);
	free(t->jinja);
	free(t);
}

/* Of a list of {name, template}, the one named default. */
static const json_t *default_of(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(one,
								     "name"));

		if (name && strcmp(name, "default") == 0)
			return json_object_get(one, "template");
	}
	return NULL;
}

static int of_config(const struct rm_file *file, struct rm_buf *out)
{
	json_t *config = rm_json_parse_reals(file->data, file->len);
	const json_t *t = json_object_get(config, "chat_template");
	int got = 0;

	if (json_is_array(t))
		t = default_of(t);
	if (!config) {
		got = rm_wrap("tokenizer_config.json");
	} else if (json_is_string(t)) {
		rm_buf_append(out, json_string_value(t),
			      json_string_length(t));
		got = out->failed ? -1 : 1;
	} else if (t && !json_is_null(t)) {
		got = rm_fail("tokenizer_config.json: chat_template is not a "
			      "string");
	}
	json_decref(config);
	return got;
}

int rm_template_of_files(const struct rm_files *files, struct rm_buf *out)
{
	const struct rm_file *file = rm_files_find(files,
						   "chat_template.jinja");

	if (file) {
		rm_buf_append(out, file->data, file->len);
		return out->failed ? -1 : 1;
	}
	file = rm_files_find(files, "tokenizer_config.json");
	return file ? of_config(file, out) : 0;
}

int rm_template_vars_of_files(const struct rm_files *files, json_t *vars)
{
	const struct rm_file *file = rm_files_find(files,
						   "tokenizer_config.json");
	json_t *config = file ? rm_json_parse_reals(file->data, file->len)
			      : json_object();
	const char *key;
	json_t *v;
	int err = 0;

	if (!config)
		return rm_wrap("tokenizer_config.json");
	json_object_foreach(config, key, v) {
		size_t n = strlen(key);

		if (n < 6 || strcmp(key + n - 6, "_token") != 0)
			continue;
		if (json_is_object(v))
			v = json_object_get(v, "content");
		if (json_is_string(v))
			err |= json_object_set(vars, key, v);
	}
	json_decref(config);
	return err ? rm_fail("out of memory") : 0;
}

/* ---- rendering ---- */

static int render(const struct rm_template *t,
		  const struct rm_template_input *in, struct rm_buf *out)
{
	static const struct rm_slice assistant = {
		(const unsigned char *)"assistant", 9
	};

	for (size_t i = 0; i < in->n; i++) {
		const struct rm_message *m = &in->message[i];

		t->begin(out, rm_template_role(m->role), i == 0);
		rm_buf_puts(out, t->gap);
		rm_buf_append(out, m->content.data, m->content.len);
		rm_buf_puts(out, t->end);
	}
	if (in->generation)
		t->begin(out, assistant, in->n == 0);
	return out->failed ? -1 : 0;
}

int rm_template_render(const struct rm_template *t,
		       const struct rm_template_input *in,
		       struct rm_arena *scratch, struct rm_buf *out)
{
	if (!t->jinja)
		return render(t, in, out);
	rm_arena_reset(scratch);
	return rm_jinja_render(t->jinja, in, scratch, out) < 0 ?
	       rm_wrap("template") : 0;
}
