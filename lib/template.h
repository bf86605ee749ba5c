/*
 * template: lists of messages as the text that a model reads.
 *
 * Knows nothing of rows, tokens or records.
 *
 *	const struct rm_template *t = rm_template_find("chatml");
 *	rm_template_render(t, messages, n, true, &out);
 */
#ifndef RM_TEMPLATE_H
#define RM_TEMPLATE_H

#include "text.h"

struct rm_template;

/* By name; NULL with a message that lists the names. */
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
/*
 * Append the text of n messages; with `generation`, up to where the
 * assistant's next message begins.  0 / -1.
 */
int rm_template_render(const struct rm_template *t,
		       const struct rm_message *message, size_t n,
		       bool generation, struct rm_buf *out);

#endif
