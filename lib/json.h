/*
 * json: what this project needs on top of jansson.
 *
 * Errors as in base.h; parse errors name line and column.
 */
#ifndef RM_JSON_H
#define RM_JSON_H

#include "base.h"

#include <jansson.h>

/* Deepest nesting that any input may have. */
#define RM_JSON_DEPTH 64

/*
 * Parse exactly one JSON value of n bytes; a duplicate key, trailing bytes,
 * invalid UTF-8 or nesting beyond RM_JSON_DEPTH is an error.  Strings may
 * hold U+0000, keys may not.  The caller owns the result (json_decref).
 */
json_t *rm_json_parse(const void *data, size_t n);

/* As rm_json_parse, whole numbers as reals, where they can be of any size. */
json_t *rm_json_parse_reals(const void *data, size_t n);

/* As rm_json_parse, with another limit on nesting. */
json_t *rm_json_parse_to(const void *data, size_t n, size_t depth);

/* The whole file at path, at most max bytes. */
json_t *rm_json_load(const char *path, size_t max);

/* Compact text with keys in their order; indent > 0 makes it readable. */
void rm_json_print(struct rm_buf *out, const json_t *value, int indent);

/*
 * For files of programs that tell 1.0 from 1: readable, whole reals with a
 * point.
 */
void rm_json_print_typed(struct rm_buf *out, const json_t *value);

/* A string as a JSON literal with its quotes, from valid UTF-8. */
void rm_json_quote(struct rm_buf *out, const void *text, size_t n);

/*
 * A number as JSON: shortest decimal that reads back, whole numbers without
 * a point, null for NaN and infinities.
 */
void rm_json_number(struct rm_buf *out, double x);

/*
 * Canonical text: no white space, keys sorted by bytes, so that a file saved
 * again by another program has the same fingerprint.
 */
void rm_json_canonical(struct rm_buf *out, const json_t *value);

/*
 * Typed members.  `what` names the object in messages.  A missing member is
 * an error for _get_, and gives `otherwise` for _opt_; a member of the wrong
 * type is an error for both.  Strings are borrowed from the object.
 */
int rm_json_get_string(const json_t *object, const char *key,
		       const char *what, const char **out);
int rm_json_get_double(const json_t *object, const char *key,
		       const char *what, double *out);
int rm_json_get_size(const json_t *object, const char *key, const char *what,
		     size_t *out);
int rm_json_opt_string(const json_t *object, const char *key,
		       const char *what, const char *otherwise,
		       const char **out);
int rm_json_opt_double(const json_t *object, const char *key,
		       const char *what, double otherwise, double *out);
int rm_json_opt_size(const json_t *object, const char *key, const char *what,
		     size_t otherwise, size_t *out);

/* ---- large values, read as they stand ---- */

/*
 * A reader of JSON text that builds nothing, for objects and arrays of a
 * hundred thousand members:
 *
 *	rm_json_reader_init(&r, text);
 *	err = rm_json_enter(&r, '{');
 *	while (err == 0 && (more = rm_json_more(&r, '}')) > 0)
 *		err = rm_json_key(&r, &key) < 0 || rm_json_int(&r, &id) < 0
 *		      ? -1 : add(key, id);
 *	rm_json_reader_fini(&r);
 *
 * Messages name the byte.
 */
struct rm_json_reader {
	const unsigned char *start, *at, *end;
	bool first;		/* before the first member */
	struct rm_buf text;	/* a string that had escapes */
};

void rm_json_reader_init(struct rm_json_reader *r, struct rm_slice json);
void rm_json_reader_fini(struct rm_json_reader *r);
/* The next byte that is no white space, 0 at the end; it stays there. */
int rm_json_peek(struct rm_json_reader *r);
/* Past the bracket that opens an object or array. */
int rm_json_enter(struct rm_json_reader *r, char open);
/* 1: a member follows; 0: past the bracket that closes; -1. */
int rm_json_more(struct rm_json_reader *r, char close);
/* A string, valid UTF-8, until the next one is read; a key and its colon. */
int rm_json_string(struct rm_json_reader *r, struct rm_slice *s);
int rm_json_key(struct rm_json_reader *r, struct rm_slice *s);
int rm_json_int(struct rm_json_reader *r, json_int_t *x);
int rm_json_double(struct rm_json_reader *r, double *x);
/* Past one value whose brackets and quotes match: its text, unchecked. */
int rm_json_skip(struct rm_json_reader *r, struct rm_slice *value);

#endif
