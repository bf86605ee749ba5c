/*
 * template: lists of messages as the text that a model reads.
 *
 * A few templates are built in; any other is a chat template in Jinja, as
 * tokenizers carry it, and is rendered byte for byte as Transformers'
 * apply_chat_template does.  Such a one is input: steps, depth, memory and
 * output are bounded, and what is not built is an error with line and column.
 *
 * Knows nothing of rows, tokens or records.  A template is immutable and may
 * be used by many threads.
 *
 *	struct rm_template *t = rm_template_parse(source, len, &options);
 *	struct rm_template_input in = { messages, n, .generation = true };
 *	rm_template_render(t, &in, &scratch, &out);
 *	rm_template_free(t);
 */
#ifndef RM_TEMPLATE_H
#define RM_TEMPLATE_H

#include "text.h"

struct rm_template;

/* What a template in Jinja sees beside the conversation. */
struct rm_template_options {
	const json_t *vars;	/* an object: bos_token, eos_token, and what
				 * the user sets; NULL: none */
	const char *date;	/* for strftime_now, "2025-01-31"; NULL: a
				 * template that asks for it is refused */
};

/* The name that all in Jinja go by: the tokenizer's own. */
#define RM_TEMPLATE_OWN "own"

/*
 * A template from its source.  The message has line and column.
 * options may be NULL, and is not kept.
 */
struct rm_template *rm_template_parse(const void *source, size_t len,
				      const struct rm_template_options *o);
void rm_template_free(struct rm_template *t);
/* Of its source; "" for one that is built in. */
struct rm_fingerprint rm_template_fingerprint(const struct rm_template *t);

/* A built-in one by name; NULL with a message that lists the names. */
const struct rm_template *rm_template_find(const char *name);
const char *rm_template_name(const struct rm_template *t);
/* One line of help for each, or false: rm_template_at(i, ...) for i = 0.. */
bool rm_template_at(size_t i, const char **name, const char **help);
/*
 * Whether a prompt and a response that are plain strings are joined as they
 * are, instead of becoming messages of a user and an assistant.
 */
bool rm_template_joins_strings(const struct rm_template *t);
/* Whether whole HH transcripts are taken as they are. */
bool rm_template_takes_transcripts(const struct rm_template *t);
/*
 * Whether it makes plain text, which an EOS token may end; the others mark
 * the end of a message themselves, or are no text at all (pair).
 */
bool rm_template_is_text(const struct rm_template *t);
/* Whether prompt and response stay two texts, for the tokenizer's rule. */
bool rm_template_is_pair(const struct rm_template *t);
/* Whether it is one in Jinja: it writes all special tokens itself. */
bool rm_template_is_jinja(const struct rm_template *t);

struct rm_template_input {
	const struct rm_message *message;
	size_t n;
	bool generation;	/* up to where the assistant's next message
				 * begins */
	const json_t *tools, *documents;	/* lists, or NULL */
};

/*
 * Append the text of n messages; 0 / -1.  scratch is emptied first, and its
 * memory is used again from call to call.  What a template in Jinja raises
 * is in the message.
 */
int rm_template_render(const struct rm_template *t,
		       const struct rm_template_input *in,
		       struct rm_arena *scratch, struct rm_buf *out);

/*
 * The chat template that a tokenizer's files carry: chat_template.jinja, or
 * chat_template of tokenizer_config.json (of several, the one named default).
 * 1 and a copy of its source in *out; 0: there is none; -1.
 */
int rm_template_of_files(const struct rm_files *files, struct rm_buf *out);
/* Special tokens by the names that templates have for them (bos_token ...),
 * into the object vars; 0 / -1. */
int rm_template_vars_of_files(const struct rm_files *files, json_t *vars);

#endif
