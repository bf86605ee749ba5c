/*
 * text: rows of preference files as labelled groups of texts.
 *
 * CSV, TSV, JSON lines and JSON arrays, packed or not, from files or stdin;
 * the columns of the first row tell the shape of a file (lib/text/ has one
 * row for each known shape), columns named by the caller come first.  Knows
 * nothing of tokenizers, templates or records' bytes: module encode makes
 * records of these groups.
 *
 * A batch of rows is read in order and parsed by several threads; the groups
 * are the same for any number of threads and any timing of the input.
 * Everything in a batch lives until the next rm_text_read.  Messages name
 * file, line or row, and column.
 *
 *	struct rm_text_reader *r = rm_text_open(paths, n, NULL);
 *	struct rm_text_batch b;
 *	while ((got = rm_text_read(r, &b)) > 0)
 *		for (i = 0; i < b.n; i++)
 *			use b.group[i]->k, b.group[i]->response[0] ...
 *	rm_text_close(r);
 */
#ifndef RM_TEXT_H
#define RM_TEXT_H

#include "base.h"
#include "io.h"
#include "json.h"

/* Bounds on hostile input: one row, and a JSON array, which is read whole. */
#define RM_TEXT_MAX_ROW ((size_t)1 << 30)
#define RM_TEXT_MAX_ARRAY ((size_t)4 << 30)

/* ---- what a row says ---- */

/* One turn.  json: the whole of it, {role, content, tool_calls ...}, where
 * the data has it so; else NULL. */
struct rm_message {
	struct rm_slice role, content;
	const json_t *json;
};

/*
 * A prompt or a response: a string (text.data is set), or messages.  Neither:
 * there is none.
 */
struct rm_text {
	struct rm_slice text;
	size_t n;
	struct rm_message *message;
};

struct rm_text_group {
	const char *file;
	size_t row;		/* in its file, from 1, without the header */
	size_t line;		/* where it begins; 0: there are no lines */
	struct rm_slice id;	/* given, else <file stem>:<row> */
	struct rm_slice subset;	/* given, else with several files their stem;
				 * data NULL: none */
	struct rm_slice split;	/* data NULL: none */
	/*
	 * Whole transcripts come cut: the prompt ends after the last speaker
	 * tag that all responses share; `transcript` if they stay strings.
	 * Message lists too: what all responses share stands in the prompt.
	 */
	bool transcript;
	struct rm_text prompt;
	/* What `key` is the hash of: the prompt as the data has it, messages
	 * as "role: content" parts (one user message: its content); the id
	 * where there is no prompt. */
	struct rm_slice key_text;
	size_t k;
	struct rm_text *response;		/* [k] */
	/* Labels: NULL or NaN where there is none. */
	double *rank, *score, *teacher;		/* [k] */
	double *votes;				/* [k+1], ties last */
	size_t n_attributes;
	struct rm_text_attribute {
		const char *name;
		double *value;			/* [k] */
	} *attribute;
	size_t n_annotations;
	struct rm_text_annotation {
		struct rm_slice annotator;
		size_t choice;			/* 0..k, k is a tie */
	} *annotation;
	double p, margin, weight;
	const json_t *tools;	/* the list of a column `tools`, or NULL; it
				 * stands in extra too */
	json_t *extra;		/* object of the unused columns, or NULL */
};

/* ---- reading ---- */

/*
 * A column named by the user.  The roles are prompt, chosen, rejected,
 * responses, score, rank, attributes, votes, subset, teacher and
 * per-response; several columns may have the same role.
 */
struct rm_text_bind {
	const char *role, *column;
};

struct rm_text_options {
	const char *format;	/* auto (or NULL), csv, tsv, jsonl, json */
	const struct rm_text_bind *bind;
	size_t n_bind;
	bool skip_bad;			/* count bad rows, go on */
	bool replace;			/* invalid UTF-8 becomes U+FFFD */
	bool as_messages;		/* whole transcripts become messages */
	size_t threads;			/* 0: one */
};

struct rm_text_batch {
	size_t n;
	struct rm_text_group **group;
	size_t bytes;			/* of input, about */
};

/*
 * Work on fewer bytes than this is not worth a second thread: where several
 * tools share the processors, waking one costs more.
 */
#define RM_TEXT_PARALLEL ((size_t)128 * 1024)

/* What became of the rows so far. */
struct rm_text_counts {
	size_t rows;		/* read */
	size_t bad;		/* skipped */
	size_t as_json;		/* booleans and numbers taken as text */
	size_t replaced;	/* rows with invalid UTF-8 */
	size_t unforeseen;	/* rows with columns no field takes, because
				 * the first row lacked them */
	size_t bytes;		/* of unpacked input */
};

struct rm_text_reader;

/* The names of the formats, "auto" first; ends in NULL. */
extern const char *const rm_text_formats[];

/*
 * Open the files (n == 0 or "-": stdin) and look at the first row of each: it
 * decides the columns of its file, and all of them together decide the fields
 * (rm_text_has).  An empty file is an error.  options may be NULL, and is
 * not kept.
 */
struct rm_text_reader *rm_text_open(char *const *paths, size_t n,
				    const struct rm_text_options *options);
/* The same of one open input, which is taken, also on failure. */
struct rm_text_reader *rm_text_open_input(struct rm_input *in,
				const struct rm_text_options *options);
/*
 * Whether groups may have this field of records: subset, split, rank, score,
 * attributes, teacher, votes, annotations, p, margin, weight, extra.
 */
bool rm_text_has(const struct rm_text_reader *r, const char *field);
/* Whether the first row of any file has messages in place of texts. */
bool rm_text_has_messages(const struct rm_text_reader *r);
/* As the option as_messages, before the first row is read. */
void rm_text_set_as_messages(struct rm_text_reader *r);
/* Columns of extra that hold one value a response; *n of them. */
const char *const *rm_text_per_response(const struct rm_text_reader *r,
					size_t *n);
/*
 * The next groups, at least one: 1, 0 at the end, -1 on error (the groups
 * before the bad row have then been given).  Where the input pauses, what
 * has come is given at once.
 */
int rm_text_read(struct rm_text_reader *r, struct rm_text_batch *batch);
/* fn(arg) before waiting for input with nothing at hand; it returns 0 / -1. */
void rm_text_on_pause(struct rm_text_reader *r, int (*fn)(void *), void *arg);
const struct rm_text_counts *rm_text_counts(const struct rm_text_reader *r);
void rm_text_close(struct rm_text_reader *r);

/* "FILE: line N" or "FILE: row N" before this thread's message; -1. */
int rm_text_group_wrap(const struct rm_text_group *g);

/* The table of known shapes: (name, what its columns are) of row i, false
 * beyond the last. */
bool rm_text_shape(size_t i, const char **name, const char **help);

#endif
