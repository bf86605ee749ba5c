/*
 * source: one input as raw rows, and those as JSON objects.  Private to
 * module text.
 */
#ifndef RM_TEXT_SOURCE_H
#define RM_TEXT_SOURCE_H

#include "text/shape.h"

struct rm_text_source;

struct rm_text_row {
	struct rm_text_source *source;
	size_t number;			/* in the source, from 1 */
	size_t line;			/* where it begins; 0: no lines */
	size_t start, len;		/* lines: bytes in the source's buffer;
					 * CSV: first cell and how many */
	json_t *json;			/* once parsed */
	char *error;			/* or why it is no good */
	struct rm_text_group *group;
};

struct rm_text_rows {
	struct rm_text_row *row;
	size_t n, cap;
	size_t bytes;			/* of text that they stand for */
};

/* Where to stop filling. */
struct rm_text_limit {
	size_t rows, bytes;
};

struct rm_text_format {
	const char *name;
	const char *const *suffixes;	/* ends in NULL */
	/* Called once at the start, the input is open. */
	int (*open)(struct rm_text_source *s);
	/*
	 * Append rows until the limit or a pause (1), or the end (0).  What
	 * earlier rows stand for is gone then, unless they are parsed.
	 */
	int (*fill)(struct rm_text_source *s, struct rm_text_rows *rows,
		    struct rm_text_limit limit);
	/* The row as a JSON value, a new reference; by any thread. */
	json_t *(*parse)(const struct rm_text_source *s,
			 const struct rm_text_row *row, bool *replaced);
	void (*close)(struct rm_text_source *s);
};

extern const struct rm_text_format rm_text_csv, rm_text_tsv, rm_text_lines,
	rm_text_array;

struct rm_text_source {
	const char *path;		/* "-": stdin */
	char *name;			/* for messages */
	char *stem;			/* for ids */
	bool replace;
	struct rm_input *in;
	bool paused;			/* a read was given up, not failed */
	bool ended;
	size_t rows, bytes;		/* read so far */
	const struct rm_text_format *format;
	void *state;			/* the format's own */
	struct rm_text_binding *binding;
	struct rm_text_rows held;	/* parsed while looking */
};

/* A row, zeroed but for source and number; NULL when there is no memory. */
struct rm_text_row *rm_text_rows_add(struct rm_text_rows *rows,
				     struct rm_text_source *s);
void rm_text_row_clear(struct rm_text_row *row);

/* The input opened, and its format found: by name, or (auto) by content,
 * then suffix.  s->in may be open already. */
int rm_text_source_open(struct rm_text_source *s, const char *format);
/* Parse one row and store its json or its error. */
void rm_text_source_parse(struct rm_text_row *row, bool *replaced);
/* "FILE: line N: " or "FILE: row N: " before this thread's message; -1. */
int rm_text_row_wrap(const struct rm_text_row *row);
/* Up to n bytes as rm_input_read; 0 also when s->paused. */
ssize_t rm_text_source_read(struct rm_text_source *s, void *data, size_t n);
/* Close the input; the rows read stay good.  And give up all. */
void rm_text_source_end(struct rm_text_source *s);
void rm_text_source_close(struct rm_text_source *s);
void rm_text_source_fini(struct rm_text_source *s);

/*
 * Valid UTF-8 of n bytes: the bytes themselves; with `replace`, a copy in
 * *copy that has U+FFFD; else an error.
 */
int rm_text_utf8(const void *data, size_t n, bool replace,
		 struct rm_buf *copy, bool *replaced);
/* n bytes as a JSON value; `replace` mends escaped surrogates without their
 * other half as well. */
json_t *rm_text_json(const void *data, size_t n, bool replace,
		     bool *replaced);

#endif
