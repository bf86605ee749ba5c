/*
 * texts: what a backbone computes of the examples of a subset, each once.
 *
 * A text is a response with what the backbone reads of its prompt.  Of a
 * group of k responses a text is in k - 1 pairs, and a stream of pairs repeats
 * it in every record: equal texts are found by their ids and have one
 * number.  The texts of a prompt are numbered one after another, so that they
 * stand together in a batch and can share it.  The subset is borrowed.
 *
 *	rm_texts_init(&t, subset, model->prompt);
 *	rm_texts_clear(&t);
 *	n = rm_texts_of(&t, i, &text);		those of example i
 *	rm_texts_choose(&t, text[0]);
 *	rm_texts_batch(&t, &batch);
 *	its row: t.row[text[0]]
 *	rm_texts_fini(&t);
 */
#ifndef RM_TRAIN_TEXTS_H
#define RM_TRAIN_TEXTS_H

#include "dataset.h"

struct rm_text {
	uint32_t example, side;	/* where it is found: response[side] */
	uint32_t prompt;	/* number of it; 0 if it is not read */
	uint32_t tokens;	/* that are the text's alone */
};

struct rm_texts {
	const struct rm_subset *subset;
	enum rm_prompt how;
	size_t n, n_prompts;
	struct rm_text *text;		/* [n] */
	uint32_t *of;		/* [responses of all examples] numbers */
	uint32_t *shared;	/* [n_prompts] tokens that its texts share */

	/* The texts that are chosen, for a batch. */
	size_t n_chosen;
	uint32_t *chosen;		/* [n] rising once there is a batch */
	uint32_t *row;			/* [n] leaf of a chosen one in it */
	bool *has_prompt;		/* [n_prompts] a text of it is chosen */
};

/* 0 / -1; rm_texts_fini is owed in any case. */
int rm_texts_init(struct rm_texts *t, const struct rm_subset *subset,
		  enum rm_prompt how);
void rm_texts_fini(struct rm_texts *t);

/* The texts of example i, one a response: how many of *text. */
static inline size_t rm_texts_of(const struct rm_texts *t, size_t i,
				 const uint32_t **text)
{
	size_t first = rm_subset_first(t->subset, i);

	*text = t->of + first;
	return rm_subset_first(t->subset, i + 1) - first;
}

/* Tokens of an example, as if it were computed alone and shared no text. */
size_t rm_texts_tokens(const struct rm_texts *t, size_t i);

/* Tokens that n texts of one prompt would add to those chosen. */
size_t rm_texts_missing(const struct rm_texts *t, const uint32_t *text,
			size_t n);
/* Choose a text, which may be chosen already; forget all of them. */
void rm_texts_choose(struct rm_texts *t, uint32_t text);
void rm_texts_clear(struct rm_texts *t);
/* A batch of those chosen (cleared first), one group a prompt. */
int rm_texts_batch(struct rm_texts *t, struct rm_batch *batch);

#endif
