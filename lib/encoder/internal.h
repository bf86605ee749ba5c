/*
 * What the files of the encoder share: encoder.c lays out which rows make
 * which row and fuses them, pool.c makes one row of several, cross.c lets a
 * response attend to its prompt.
 *
 * C numbers of a token's row, n leaves.
 */
#ifndef RM_ENCODER_INTERNAL_H
#define RM_ENCODER_INTERNAL_H

#include "encoder.h"

#define RM_NO_ROW SIZE_MAX

/* Tokens of a batch, by index in its ids: a run, then another. */
struct rm_span {
	size_t at[2], n[2];
};

static inline size_t rm_span_size(const struct rm_span *s)
{
	return s->n[0] + s->n[1];
}

static inline size_t rm_span_token(const struct rm_span *s, size_t i)
{
	return i < s->n[0] ? s->at[0] + i : s->at[1] + i - s->n[0];
}

/* A span that becomes one row. */
struct rm_unit {
	struct rm_span span;
	size_t row;		/* of the source, RM_NO_ROW: zeros */
	size_t weight;		/* its first weight of attention */
};

/* What the row of a leaf is made of. */
struct rm_recipe {
	size_t first;		/* unit of its first level */
	size_t prompt;		/* unit, RM_NO_ROW: none */
};

struct rm_encoder_work {
	enum rm_pooling pool;
	bool picks;		/* units are single tokens: those are asked */
	int query;		/* parameter of attention, -1: none */
	struct rm_cross *cross;	/* NULL: not attended */

	/* Of the last forward. */
	struct rm_unit *unit;
	struct rm_recipe *recipe;	/* [n_leaves] */
	size_t *ask, *text;		/* what the backbone is asked for */
	size_t n_units, n_asks, n_texts, n_weights;
	struct rm_hidden *under;	/* the backbone's */
	struct rm_hidden mixed;		/* rows of tokens through cross */
	struct rm_hidden pooled;	/* a row a unit */
	struct rm_hidden *source;	/* rows that units name */
	struct rm_hidden out;
	rm_real *weight;		/* of attention, of each unit */
	uint32_t *most;			/* [n_units, C] token of the maximum */
	size_t cap_unit, cap_recipe, cap_ask, cap_text, cap_weight, cap_most;
	size_t cap_mixed[2], cap_pooled[2], cap_out[2];
};

/* encoder.c: rows [n, dim], grad zeroed where it is for training. */
int rm_encoder_rows(struct rm_hidden *h, size_t cap[2], size_t n, size_t dim,
		    bool train);

/* pool.c: w->pooled of the units, from rows of tokens. */
int rm_pool_forward(struct rm_encoder *e, const struct rm_batch *batch,
		    const struct rm_hidden *tokens);
/* pool.c: adds to tokens->grad, and to the gradient of the query. */
void rm_pool_backward(struct rm_encoder *e, const struct rm_batch *batch,
		      struct rm_hidden *tokens);
/* pool.c: the last token of a span that is no pad, else its first. */
size_t rm_pool_last(const struct rm_batch *batch, const struct rm_span *s,
		    int32_t pad);

/* cross.c: adds the parameters of attention; NULL with a message. */
struct rm_cross *rm_cross_new(struct rm_params *params, size_t C,
			      size_t heads);
void rm_cross_free(struct rm_cross *x);
/* cross.c: to = from, rows of responses plus what they find. */
int rm_cross_forward(struct rm_cross *x, const struct rm_batch *batch,
		     const struct rm_hidden *from, struct rm_hidden *to);
/* cross.c: adds to from->grad what to->grad says. */
int rm_cross_backward(struct rm_cross *x, struct rm_hidden *from,
		      const struct rm_hidden *to);

#endif
