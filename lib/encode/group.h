/*
 * group: one labelled group of texts on its way to a record.  Private to
 * module encode.
 */
#ifndef RM_ENCODE_GROUP_H
#define RM_ENCODE_GROUP_H

#include "encode.h"
#include "template.h"

enum rm_overlong {	/* as in rm_encode_overlongs */
	RM_OVERLONG_LEFT, RM_OVERLONG_RIGHT, RM_OVERLONG_MIDDLE,
	RM_OVERLONG_DROP, RM_OVERLONG_ERROR
};

/* What all groups share. */
struct rm_recipe {
	const struct rm_tokenizer *tokenizer;
	const struct rm_template *template;
	struct rm_template *own;	/* it, where it is in Jinja */
	struct rm_buf source;		/* of own */
	const json_t *vars;		/* what was set for it, borrowed */
	const char *date;
	size_t max_length;
	bool model_limit;	/* max_length is the model's, not a policy's */
	enum rm_overlong overlong;
	bool keep_text;
	const struct rm_perturb *perturb;	/* NULL: nothing */
	/*
	 * What is put around the text, or around and between the two of a
	 * pair: empty runs where nothing is.  The first n_between ids
	 * between belong to the prompt.
	 */
	const struct rm_special_run *before, *between, *after;
	size_t n_between;
	int32_t eos;		/* put after plain text; -1: none is */
	size_t n_special;	/* the most that one input has of them */
	bool special_tokens;	/* any but eos */
	/* None is put: before and after are what a template may have
	 * written, and no cut takes. */
	bool written;
};

/* The template that options ask for by name, else plain. */
int rm_recipe_set_template(struct rm_recipe *r,
			   const struct rm_encode_options *o);
/* The tokenizer's own instead, if it has one: 1, 0, -1. */
int rm_recipe_set_default(struct rm_recipe *r);
void rm_recipe_fini(struct rm_recipe *r);

/* What options and tokenizer say of special tokens; the template is set. */
int rm_recipe_set_special(struct rm_recipe *r,
			  const struct rm_encode_options *o);
/* The policy as it is recorded; `model` is that of the model, or NULL. */
json_t *rm_recipe_policy(const struct rm_recipe *r, const json_t *model);

/* What each thread has for itself. */
struct rm_encode_worker {
	struct rm_encoding encoding;
	struct rm_buf text;		/* one whole input */
	struct rm_buf prompt;		/* the messages before an answer */
	struct rm_buf plain;		/* one response's own text */
	struct rm_buf out;		/* payloads of the batch */
	struct rm_arena arena;		/* of one group */
	struct rm_arena scratch;	/* of one rendering */
	int32_t *ids;			/* of all k inputs, side by side */
	size_t n_ids, cap_ids;
	size_t *ends;			/* of the first input's tokens */
	size_t cap_ends;
	json_t *messages;		/* that were changed, of one group */
	struct rm_encode_counts counts;
	char pad[64];
};

struct rm_encode_group {
	const struct rm_recipe *recipe;
	const struct rm_text_group *g;
	struct rm_encode_worker *w;
	size_t *start;			/* [k+1] in w->ids */
	size_t n_prompt;		/* ids that all inputs begin with */
	size_t skip;			/* of them, cut from the left */
	size_t *from, *n;		/* [k] of the responses' ids */
	/*
	 * Special tokens that no cut takes: at the beginning and the end of
	 * the prompt, and of each response [k].
	 */
	size_t prompt_first, prompt_last;
	size_t *first, *last;
	struct rm_slice *plain;		/* [k] texts as the data has them */
	bool has_prompt;		/* w->prompt is this group's */
};

/* x->g becomes *mine, a copy whose responses are perturbed. */
int rm_encode_perturb(struct rm_encode_group *x, struct rm_text_group *mine);
/* The responses as the data has them, into x->plain. */
int rm_encode_plain(struct rm_encode_group *x);
/* Input i in w->text, and where its prompt ends. */
int rm_encode_text(struct rm_encode_group *x, size_t i, size_t *end);
/* The prompt alone in w->text. */
int rm_encode_prompt(struct rm_encode_group *x);

/*
 * Texts, tokens and cut.  1, 0 when the group is to be
 * dropped, -1 on error.
 */
int rm_encode_inputs(struct rm_encode_group *x);
/* The cut alone, of inputs whose ids are there; the same. */
int rm_encode_cut(struct rm_encode_group *x);

/* A field's value appended to out. */
typedef void rm_encode_put_fn(struct rm_encode_group *x, struct rm_buf *out);

/* The fields that the data has, in record order, into the schema and, one
 * for each, into put[], which has room for RM_ENCODE_FIELDS. */
#define RM_ENCODE_FIELDS 32
int rm_encode_schema(const struct rm_text_reader *reader, bool keep_text,
		     struct rm_schema *schema,
		     rm_encode_put_fn *put[RM_ENCODE_FIELDS]);

#endif
