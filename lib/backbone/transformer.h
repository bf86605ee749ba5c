/*
 * What the files of the transformer share: transformer.c sets it up and packs
 * its weights, chunks.c cuts batches, space.c lays out memory,
 * layers.c computes, last.c attention of the last layer where little is asked
 * for, back.c takes gradients back.
 *
 * T rows of a chunk, C channels, H heads of D numbers, G heads of keys and
 * values, I channels inside the feed-forward part, L layers.
 */
#ifndef RM_BACKBONE_TRANSFORMER_H
#define RM_BACKBONE_TRANSFORMER_H

#include "attention.h"
#include "backbone.h"
#include "family.h"
#include "lora.h"
#include "nn.h"
#include "op.h"

/*
 * Matrices that share their inputs, one under the other as one product of n
 * outputs; and back through it, where the model is trained.
 */
struct rm_product {
	size_t n, k, parts;
	bool turned;			/* stored [inputs, outputs] */
	int weight[RM_PACK_PARTS], bias[RM_PACK_PARTS]; /* -1: none */
	size_t rows[RM_PACK_PARTS];
	struct rm_packed *along, *back;
	rm_real *all_bias;		/* [n], NULL: none */
	rm_real *d_bias;		/* [n] scratch of the way back */
};

struct rm_layer {
	int weight[RM_SLOTS], bias[RM_SLOTS];	/* parameters, -1: none */
	struct rm_product qkv, out, up, down;
	/* Of the last layer, apart, where last.c fits; else without parts. */
	struct rm_product query, key, value;
	/* Rows of relative positions as keys and queries; NULL: none. */
	rm_real *pos_key, *pos_query;	/* [2 span, H D] */
	rm_real *d_pos_key, *d_pos_query;
};

/*
 * What a layer reads and leaves.  Training keeps it for the way back; in
 * scoring all layers have the same, and what is not needed longer shares its
 * memory with what follows.  R rows: T, or those that are asked for after
 * the last layer's attention.
 */
struct rm_tape {
	rm_real *x;			/* [T, C] */
	rm_real *h;			/* [T, C] through the first norm */
	rm_real *raw;			/* [T, qkv] before norms of heads */
	rm_real *qkv;			/* [T, (H + 2 G) D] */
	rm_real *a;			/* [T, H D] */
	rm_real *lse;			/* [T, H] */
	rm_real *s1;			/* [R, C] what the next norm reads */
	rm_real *mid;			/* [R, C] after attention */
	rm_real *h2;			/* [R, C] what the second half reads */
	/* [R, 2 I] if gated; else [R, I], in training of slopes at last. */
	rm_real *f;
	rm_real *g;			/* [R, I] what DOWN reads */
	rm_real *s2;			/* [R, C] as s1, at the end */
	rm_real *y;			/* [R, C] the next layer's x */
};

/* A row that asks: its text, and where its weights are. */
struct rm_asking {
	size_t row, n, weights;
};

/* What last.c keeps of R rows that ask; [R, H ...] is a row a head. */
struct rm_last {
	struct rm_asking *asking;	/* [R] */
	size_t first, n;		/* of all that ask: R are n */
	size_t cap_asking, cap_space;
	rm_real *space;			/* that holds all that follows */
	rm_real *h, *q;			/* [R, C], [R, H D] */
	rm_real *spread;		/* [R, H, H D] scale q */
	rm_real *u, *z;			/* [R, H, C] */
	rm_real *p, *ds;		/* [R, H, n] n: rounded up */
	rm_real *side;			/* [R, H, H D] scratch */
	rm_real *dh, *dq, *du, *dz;	/* gradients */
};

/* What one chunk needs. */
struct rm_space {
	size_t rows, picks;		/* that there is room for */
	bool train;
	rm_real *arena;
	size_t arena_size;
	struct rm_tape *tape;		/* [L] */
	rm_real *e;			/* [T, E] if EMBED_IN */
	rm_real *x0;			/* [T, C] before EMBED_NORM */
	rm_real *t;			/* [T, C] what a half gives */
	rm_real *px, *pa;		/* x and a of rows that are picked */
	rm_real *z;			/* [R, C] through FINAL_NORM */
	rm_real *out;			/* [R, E] through EMBED_OUT */
	/* The way back: gradients. */
	rm_real *d, *spare;		/* [T, C] of x; exchanged */
	rm_real *dh;			/* [T, C] of what halves read */
	rm_real *df, *dg;		/* of f; of g if gated */
	rm_real *dqkv, *da;
	rm_real *de;			/* [T, E] */
	uint32_t *position;
	size_t cap_position;
	struct rm_attention_text *text;
	size_t cap_text;
	size_t *pick;			/* rows that are asked for */
	size_t cap_pick;
	struct rm_last last;
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
	bool ready;
	size_t lowest;	/* layer that is trained; L if none is */
	bool trains_embeddings;
	bool trains;	/* any of it */
	enum rm_precision precision;
	rm_real *relative, *d_relative;	/* [2 span, C] normed; NULL: none */
	rm_real *dropped, *d_dropped;	/* the same as a layer reads them */
	bool positions_whole;		/* pos_key, pos_query are of relative */
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
	struct rm_run *last_run;	/* of a training batch */
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
	size_t rows;		/* T, or R from where only those go on */
	size_t n_texts;
	/*
	 * Rows of s->pick, which the batch's from first_ask on are: after the
	 * last layer's attention they are all that goes on, rows 0, 1 ...
	 * from then.  0: all rows go on.
	 */
	size_t n_pick, first_ask;
	const size_t *row;	/* in the chunk, of each; NULL: in order */
};

/* This parameter's gradient; NULL for -1, and if it is frozen. */
static inline rm_real *rm_gradient(const struct rm_backbone *b, int parameter)
{
	return parameter < 0 ? NULL : b->params->param[parameter].grad;
}

/* Whether it is trained, by a gradient of its own or as lora.h says. */
static inline bool rm_is_trained(const struct rm_backbone *b, int parameter)
{
	return parameter >= 0 && (b->params->param[parameter].grad ||
				  b->params->param[parameter].lora);
}

/* This parameter's values, NULL for -1. */
static inline const rm_real *rm_value(const struct rm_backbone *b,
				      int parameter)
{
	return parameter < 0 ? NULL : b->params->param[parameter].value;
}

/* Whether no row of a batch is wanted. */
static inline bool rm_asks_nothing(const struct rm_batch *batch)
{
	return (batch->ask ? batch->n_ask : batch->n_tokens) == 0;
}

/* Ids in front of a segment's own. */
static inline size_t rm_segment_at(const struct rm_batch *batch,
				   const struct rm_segment *s)
{
	return s->parent == RM_NO_PARENT ? 0 :
		batch->segment[s->parent].length;
}

/*
 * Dropout at a site of layer i.  Masks go by the token's place in the step;
 * p is 0 where nothing is dropped.
 */
static inline struct rm_dropout
rm_transformer_dropout(const struct rm_pass *p, size_t i,
		       enum rm_dropout_site site)
{
	const struct rm_batch *batch = p->batch;

	return (struct rm_dropout){
		.p = batch->train && p->b->dropout ? p->b->dropout[site] : 0,
		.seed = batch->seed, .step = batch->step,
		/* Those of layer 0 come after the head's. */
		.layer = (i + 1) * RM_DROP_SITES + site,
		.first_row = site == RM_DROP_RELATIVE ? 0 : batch->first_token
	};
}

/* transformer.c: relative positions through the layers, for this batch. */
int rm_transformer_positions(const struct rm_pass *p);
/* transformer.c: the rows of relative positions that layer i reads. */
const rm_real *rm_transformer_relative(const struct rm_pass *p, size_t i);

/* transformer.c: the norm of a slot that is there. */
struct rm_norm rm_transformer_norm(const struct rm_backbone *b,
				   const struct rm_layer *l,
				   enum rm_slot slot);

/* layers.c: the chunk's hidden rows; *y is where they are, [R, dim]. */
int rm_transformer_run(struct rm_run *r, const rm_real **y);
/* layers.c: one layer again, from its tape's x. */
int rm_transformer_layer(struct rm_run *r, size_t i);
/* layers.c: attention of layer i. */
struct rm_attention rm_transformer_attention(const struct rm_run *r,
					     size_t i);
/*
 * layers.c: y[rows, n] = dropout(x) at a site of layer i, of the run's rows
 * from `from` on; y may be x.
 */
void rm_transformer_drop(const struct rm_run *r, size_t i,
			 enum rm_dropout_site site, size_t from, size_t rows,
			 rm_real *y, const rm_real *x, size_t n);
/* layers.c: which row of RM_POSITIONS a token of the run has. */
struct rm_place {
	size_t token;			/* of the batch */
	size_t id, type, position;
};
/* Calls fn for each row of the run, in order. */
void rm_transformer_each_row(const struct rm_run *r,
			     void (*fn)(void *arg, size_t row,
					const struct rm_place *at),
			     void *arg);

/* space.c: room for the run's chunk, laid out for scoring or training. */
int rm_transformer_space(struct rm_run *r, bool train);
void rm_transformer_space_fini(struct rm_space *s);
/* space.c: bytes that a row takes in scoring. */
size_t rm_transformer_row_bytes(const struct rm_transformer *t);

/* chunks.c: see backbone.h. */
int rm_transformer_forward(struct rm_backbone *b,
			   const struct rm_batch *batch);
void rm_transformer_chunks_fini(struct rm_transformer *t);
/* chunks.c: gradients of hidden rows into d[R, dim] of the last run. */
void rm_transformer_take_grad(const struct rm_run *r, rm_real *d);

/* last.c: whether a model's last layer can be computed so. */
bool rm_last_fits(const struct rm_transformer *t);
/* last.c: whether layer i of the run is. */
bool rm_last_takes(const struct rm_run *r, size_t i);
/* last.c: attention's part of rows that ask into s->pa, h[T, C] read by it. */
int rm_last_forward(struct rm_run *r, const rm_real *h);
/*
 * last.c: from dy[R, H D], gradients of the last layer's matrices, and what is
 * to add to dh[T, C].
 */
int rm_last_backward(struct rm_run *r, const rm_real *dy, const rm_real *h,
		     rm_real *dh);
void rm_last_fini(struct rm_last *x);

/* back.c: of y = x w' + bias, what dy[rows, n] says of bias. */
void rm_product_bias_back(const struct rm_run *r, const struct rm_product *p,
			  const rm_real *dy, size_t rows);
/*
 * back.c: what it says of w, and of x[rows, k] into dx (NULL: not wanted), or
 * added to it.
 */
int rm_product_back(const struct rm_run *r, const struct rm_product *p,
		    const rm_real *dy, const rm_real *x, size_t rows,
		    rm_real *dx, bool add);
/* back.c: see backbone.h. */
int rm_transformer_backward(struct rm_backbone *b,
			    const struct rm_batch *batch);

#endif
