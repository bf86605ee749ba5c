#include "template.h"

#include <string.h>

struct rm_template {
	const char *name, *help;
	bool joins_strings, takes_transcripts, is_text, is_pair;
	void (*begin)(struct rm_buf *out, struct rm_slice role, bool first);
	const char *gap;	/* before a message's content */
	const char *end;	/* and after it */
};

/* ShareGPT's names for the roles that all others call user, assistant. */
static struct rm_slice role_name(struct rm_slice role)
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

int rm_template_render(const struct rm_template *t,
		       const struct rm_message *message, size_t n,
		       bool generation, struct rm_buf *out)
{
	static const struct rm_slice assistant = {
		(const unsigned char *)"assistant", 9
	};

	for (size_t i = 0; i < n; i++) {
		t->begin(out, role_name(message[i].role), i == 0);
		rm_buf_puts(out, t->gap);
		rm_buf_append(out, message[i].content.data,
			      message[i].content.len);
		rm_buf_puts(out, t->end);
	}
	if (generation)
		t->begin(out, assistant, n == 0);
	return out->failed ? -1 : 0;
}
