/*
 * What the files of the transformer share: transformer.c sets it up and packs
 * its weights, chunks.c cuts batches and pools, layers.c computes.
 *
 * T rows of a chunk, C channels, H heads of D numbers, G heads of keys and
 * values, I channels inside the feed-forward part, L layers.
 */
#ifndef RM_BACKBONE_TRANSFORMER_H
#define RM_BACKBONE_TRANSFORMER_H

#include "attention.h"
#include "backbone.h"
#include "family.h"
#include "nn.h"
#include "op.h"

/* Matrices that share their inputs, as one product. */
struct rm_product {
	struct rm_packed *w;
	rm_real *bias;			/* of all outputs, NULL: none */
};

struct rm_layer {
	int weight[RM_SLOTS], bias[RM_SLOTS];	/* parameters, -1: none */
	struct rm_product qkv, out, up, down;
	rm_real *pos_key, *pos_query;	/* [2 span, H D], NULL: none */
};

/* What one chunk needs; rows of T. */
struct rm_space {
	size_t rows;			/* that there is room for */
	rm_real *x, *h, *t;		/* [C] */
	rm_real *qkv;			/* [(H + 2 G) D] */
	rm_real *a;			/* [H D] */
	rm_real *f;			/* [I] or [2 I]; [E] at the start */
	rm_real *g;			/* [I] if gated */
	uint32_t *position;
	struct rm_attention_text *text;
	size_t cap_text;
	size_t *pick;			/* rows that are pooled, one a leaf */
	size_t cap_pick;
};

/* Segments [first, end) of a batch, and where each starts. */
struct rm_chunk {
	size_t first, end, rows;
};

struct rm_rope_table {
	size_t n;			/* positions */
	rm_real *cos, *sin;		/* [n, rotary / 2] */
};

struct rm_transformer {
	struct rm_arch arch;
	struct rm_layer *layer;		/* [L], and one for what is in none */
	struct rm_layer *outer;		/* layer + L */
	struct rm_product in, last;	/* EMBED_IN, EMBED_OUT */
	bool every_row;			/* do not pool */
	size_t qkv_width, inner;	/* (H + 2 G) D; of f */
	size_t q_head, kv_head, k_at, v_at; /* where heads stand in qkv */
	bool gated;

	struct rm_rope_table rope[2];	/* of full and of sliding layers */
	int32_t *bucket;		/* [2 n_bucket - 1] of i - j */
	size_t n_bucket;

	struct rm_space *space;		/* one a thread */
	size_t n_space;
	struct rm_chunk *chunk;
	size_t n_chunks, cap_chunks;
	size_t *row;			/* [n_segments] in its chunk */
	size_t cap_row;
};

/* What the pieces of a pass see. */
struct rm_pass {
	struct rm_backbone *b;
	struct rm_transformer *t;
	const struct rm_batch *batch;
	_Atomic bool failed;
};

/* A chunk in its memory. */
struct rm_run {
	const struct rm_pass *p;
	const struct rm_chunk *c;
	struct rm_space *s;
	size_t rows, n_texts;
	/*
	 * Rows of s->pick: after the last layer's attention they are all
	 * that goes on, rows 0, 1 ... from then.  0: all rows go on.
	 */
	size_t n_pick;
};

/* This parameter's values, NULL for -1. */
static inline const rm_real *rm_value(const struct rm_backbone *b,
				      int parameter)
{
	return parameter < 0 ? NULL : b->params->param[parameter].value;
}

/* Ids in front of a segment's own. */
static inline size_t rm_segment_at(const struct rm_batch *batch,
				   const struct rm_segment *s)
{
	return s->parent == RM_NO_PARENT ? 0 :
		batch->segment[s->parent].length;
}

/* transformer.c: the norm of a slot that is there. */
struct rm_norm rm_transformer_norm(const struct rm_backbone *b,
				   const struct rm_layer *l,
				   enum rm_slot slot);
/* layers.c: the chunk's hidden rows; *y is where they are, [T, dim]. */
int rm_transformer_run(struct rm_run *r, const rm_real **y);
/* chunks.c: see backbone.h. */
int rm_transformer_forward(struct rm_backbone *b,
			   const struct rm_batch *batch);
void rm_transformer_spaces_fini(struct rm_transformer *t);

#endif
