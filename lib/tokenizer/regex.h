/*
 * regex: the regular expressions of tokenizer files, which are Oniguruma's
 * of Ruby's syntax, by PCRE2 and its JIT.
 *
 * A pattern is translated: what means something else in PCRE2 is written so
 * that it means what it does in the peer, and what cannot be is an error
 * that names it.
 */
#ifndef RM_TOKENIZER_REGEX_H
#define RM_TOKENIZER_REGEX_H

#include "tokenizer/steps.h"

/* "pattern" of a part: {"String": text} or {"Regex": text}; borrowed. */
struct rm_pattern {
	const char *text;
	size_t len;
	bool is_regex;
};

int rm_pattern_get(const json_t *json, struct rm_pattern *p);
/* Its canonical JSON. */
void rm_pattern_print(const struct rm_pattern *p, struct rm_buf *out);
/* Set find, self and what goes with them of a step; 0 / -1. */
int rm_pattern_step(const struct rm_pattern *p, struct rm_step *s);

/* The normalizer and the decoder Replace: what is found, what is put there. */
struct rm_replace {
	struct rm_step find;
	char *content;
	size_t len;		/* of content */
};

/* NULL with a message; appends its canonical JSON. */
struct rm_replace *rm_replace_load(const json_t *json,
				   struct rm_buf *canonical);
void rm_replace_free(void *replace);

/* The pattern in PCRE2's syntax, appended to out. */
int rm_regex_translate(const char *pattern, size_t n, struct rm_buf *out);

/*
 * Characters of another category than in Unicode 14; category "w" for those
 * that are part of \w beside L, M, Nd and Pc.  Ends in an empty category.
 */
extern const struct rm_regex_range {
	uint32_t from, to;
	char category[3];
} rm_regex_ranges[];

#endif
