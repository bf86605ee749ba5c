/*
 * shape: what the columns of a known kind of file mean.  Private to module
 * text.
 *
 * A shape is one table of columns with roles.  To add one, write its table
 * and a line `const struct rm_text_kind rm_text_NAME = {` in a file of this
 * folder.
 */
#ifndef RM_TEXT_SHAPE_H
#define RM_TEXT_SHAPE_H

#include "text.h"

/* What a column is for.  Columns are read in this order. */
enum rm_text_role {
	RM_TEXT_ID,
	RM_TEXT_SUBSET,
	RM_TEXT_SPLIT,
	RM_TEXT_PROMPT,		/* a text or messages; several are joined */
	RM_TEXT_TURNS,		/* the user's turns, as JSON text in a string */
	RM_TEXT_RESPONSES,	/* one, or a list */
	RM_TEXT_CHOSEN,		/* one, or a list: rank 0 */
	RM_TEXT_REJECTED,	/* one, or a list: rank 1 */
	RM_TEXT_ANSWERS,	/* one response's turns, as in RM_TEXT_TURNS */
	RM_TEXT_COMPLETIONS,	/* [{completion, rank or score}] */
	RM_TEXT_RANK,		/* a list, or the choice of a winner */
	RM_TEXT_CHOICE,		/* the winner, by the column's own decoder */
	RM_TEXT_VOTES,		/* counts, or a list of choices */
	RM_TEXT_ANNOTATOR,	/* one annotator's choice */
	RM_TEXT_SCORE,		/* a number, or a list */
	RM_TEXT_ATTRIBUTES,	/* the same, under the column's name */
	RM_TEXT_TEACHER,
	RM_TEXT_P,
	RM_TEXT_MARGIN,
	RM_TEXT_WEIGHT,
	RM_TEXT_TOOLS,		/* what the assistant may call */
	RM_TEXT_PER_RESPONSE,	/* kept in extra, one value a response */
	RM_TEXT_ROLES
};

/*
 * A label's value as a choice: 0..k-1 a response, RM_TEXT_TIE, or
 * RM_TEXT_NOBODY where the value says nothing.  0 / -1.
 */
#define RM_TEXT_TIE (SIZE_MAX - 1)
#define RM_TEXT_NOBODY SIZE_MAX
typedef int rm_text_choice_fn(const json_t *value, size_t *choice);

/* "a", "model_b", "tie", "A>B" ...; or 1..k, 0 for a tie. */
rm_text_choice_fn rm_text_choice_named;
/* The same of n bytes. */
int rm_text_choice_of(const char *s, size_t n, size_t *choice);
/* Negative: the first is better; positive: the second; 0: a tie. */
rm_text_choice_fn rm_text_choice_signed;

enum rm_text_flag {
	RM_TEXT_NEEDED = 1,	/* the shape is not this one without it */
	RM_TEXT_KEPT = 2,	/* stands in `extra` all the same */
	RM_TEXT_FIRST = 4	/* of several names the first present is taken;
				 * without this, two are ambiguous */
};

struct rm_text_column {
	const char *names;	/* "score|scores": either */
	enum rm_text_role role;
	unsigned flags;
	rm_text_choice_fn *choice;
};

struct rm_text_kind {
	const char *name;
	const char *help;
	/* Rows of one response each: consecutive ones of the same prompt
	 * are one group, if there is any label. */
	bool joins;
	const struct rm_text_column *column;	/* ends in NULL names */
};

/* Rows that every shape has, taken where a shape has none of that role. */
extern const struct rm_text_column rm_text_common[];

/* ---- the columns of one file ---- */

struct rm_text_bound {
	char *name;
	enum rm_text_role role;
	unsigned flags;
	rm_text_choice_fn *choice;
};

struct rm_text_binding {
	const struct rm_text_kind *kind;
	size_t n;
	struct rm_text_bound *column;	/* by role */
	bool joins;
	bool as_messages;		/* whole transcripts too */
	uint32_t fields;		/* bits of rm_text_field_names */
	/* Columns of the first row, in its order, and those of them that go
	 * to `extra`. */
	size_t n_seen, n_extra;
	char **seen, **extra;
};

/* Fields that rm_text_has knows; ends in NULL. */
extern const char *const rm_text_field_names[];
uint32_t rm_text_field_bit(const char *name);
/* The role of an option's name; -1 with a message. */
int rm_text_role_parse(const char *name);
const char *rm_text_role_name(enum rm_text_role role);
/* The bits of fields that a column of this role brings. */
uint32_t rm_text_role_fields(enum rm_text_role role);

/* Resolve the columns of a file from its first row.  The message lists the
 * columns, or the shapes that are ambiguous. */
struct rm_text_binding *rm_text_bind(const json_t *row,
				     const struct rm_text_bind *named,
				     size_t n_named);
void rm_text_binding_free(struct rm_text_binding *b);

/* ---- one row ---- */

/*
 * Read a row (an object) as a group whose memory is the arena's and the
 * row's own.  stem and number make its id.  Adds to counts->as_json and
 * ->unforeseen.  NULL with a message that names the column.
 */
struct rm_text_group *rm_text_read_row(const struct rm_text_binding *b,
				       const json_t *row, const char *stem,
				       size_t number, struct rm_arena *arena,
				       struct rm_text_counts *counts);
/* n groups of one response as one group. */
struct rm_text_group *rm_text_join(const struct rm_text_binding *b,
				   struct rm_text_group *const *part,
				   size_t n, struct rm_arena *arena);

/* A value's type in words: "null", "a list" ...; and the message that such
 * a one stands where `expected` should. */
const char *rm_text_type_name(const json_t *value);
int rm_text_fail_type(const json_t *value, const char *expected);
/* A number, boolean or string of a number; null, "" and absence give NaN. */
int rm_text_number(const json_t *value, double *out);
/* Rank i: how many of the k values are greater; NaN stays NaN. */
double *rm_text_rank_by(struct rm_arena *arena, const double *value,
			size_t k);

/* ---- conversations (transcript.c) ---- */

/* Whether the value is a list of messages. */
bool rm_text_is_messages(const json_t *value);
/* Read such a list. */
int rm_text_read_messages(const json_t *value, struct rm_arena *arena,
			  struct rm_text *out);
/* Move what all responses share into the prompt, and set key_text: see
 * rm_text_group. */
int rm_text_split_prompt(struct rm_text_group *g, bool has_prompt,
			 bool as_messages, struct rm_arena *arena);
/* A conversation of n user turns and one of n answers to them as messages;
 * both are JSON lists of texts. */
int rm_text_read_turns(const json_t *turns, const json_t *answers,
		       struct rm_arena *arena, struct rm_text *out);

#endif
