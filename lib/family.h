/*
 * family: what a Hugging Face config.json says of a transformer, in terms
 * that all families share.
 *
 * A family is one file of description in lib/family/: the keys of its
 * config.json, the names of its tensors, where its norms stand, how it
 * knows positions, what its head is.  lib/backbone/transformer.c computes
 * what struct rm_arch says; no family has code of its own there.  Knows
 * nothing of files, tensors' values or text.  Errors as in base.h; messages
 * name the key.
 *
 *	struct rm_arch a;
 *	if (rm_arch_init(&a, config) < 0)	unknown, or not computed here
 *		return -1;
 *	rm_arch_name(&a, RM_Q, layer, ".weight", &buf);
 *
 * What the family's class in Transformers does not read is not looked at; a
 * key that it does read and that would change the function is implemented
 * or refused by name.
 *
 * C channels of the hidden rows, E of embeddings, L layers, H heads, G heads
 * of keys and values, D numbers a head, I channels inside the feed-forward
 * part, V ids, K labels.
 */
#ifndef RM_FAMILY_H
#define RM_FAMILY_H

#include "json.h"
#include "spec.h"

/* What a tensor is for, with the shape of its weight. */
enum rm_slot {
	RM_TOKENS,		/* [V, E] */
	RM_POSITIONS,		/* [positions, E or C] */
	RM_TYPES,		/* [types, E] */
	RM_EMBED_IN,		/* [C, E] */
	RM_EMBED_NORM,		/* [C] */
	RM_RELATIVE,		/* [2 span, C] */
	RM_RELATIVE_NORM,	/* [C] */
	RM_FINAL_NORM,		/* [C] */
	RM_EMBED_OUT,		/* [E, C] */
	/* In each layer. */
	RM_ATTENTION_NORM,	/* [C] before or after, as the order says */
	RM_QKV,			/* [(H + 2 G) D, C] */
	RM_Q,			/* [H D, C] */
	RM_K,			/* [G D, C] */
	RM_V,			/* [G D, C] */
	RM_Q_NORM,		/* [D] of each head */
	RM_K_NORM,		/* [D] */
	RM_POS_KEY,		/* [H D, C] */
	RM_POS_QUERY,		/* [H D, C] */
	RM_ATTENTION_OUT,	/* [C, H D] */
	RM_ATTENTION_OUT_NORM,	/* [C] */
	RM_FFN_NORM,		/* [C] before or after, as the order says */
	RM_GATE_UP,		/* [2 I, C] gate first */
	RM_GATE,		/* [I, C] */
	RM_UP,			/* [I, C] */
	RM_DOWN,		/* [C, I] */
	RM_FFN_OUT_NORM,	/* [C] */
	/* The published head. */
	RM_HEAD_DENSE,		/* [C, C] */
	RM_HEAD_NORM,		/* [C] */
	RM_HEAD_OUT,		/* [K, C] */
	RM_SLOTS,
	RM_FIRST_OF_LAYER = RM_ATTENTION_NORM,
	RM_FIRST_OF_HEAD = RM_HEAD_DENSE
};

enum rm_tensor_flags {
	RM_BIAS = 1,		/* ".bias" beside ".weight" */
	RM_TRANSPOSED = 2,	/* stored [inputs, outputs] */
	RM_NOT_FIRST = 4,	/* layer 0 lacks it */
	RM_PAD_FIXED = 8	/* the row of the pad id is not trained */
};

/*
 * Where a family's class drops numbers in training, in the order of the way
 * there.
 */
enum rm_dropout_site {
	RM_DROP_EMBEDDINGS,	/* [T, C] rows of the first layer */
	RM_DROP_RELATIVE,	/* [2 span, C] in each layer */
	RM_DROP_ATTENTION,	/* weights, after the softmax */
	RM_DROP_ATTENTION_OUT,	/* [T, C] what attention adds */
	RM_DROP_FFN,		/* [T, I] what RM_DOWN reads */
	RM_DROP_FFN_OUT,	/* [T, C] what the feed-forward part adds */
	RM_DROP_HEAD_DENSE,	/* [n, C] what RM_HEAD_DENSE reads */
	RM_DROP_HEAD_OUT,	/* [n, C] what RM_HEAD_OUT reads */
	RM_DROP_SITES
};

/* A row of a family's tensors: % stands for the layer. */
struct rm_tensor_name {
	enum rm_slot slot;
	const char *name;	/* without ".weight" */
	unsigned flags;
};

enum rm_norm_order {
	RM_NORM_BEFORE,		/* x += f(norm(x)) */
	RM_NORM_AFTER,		/* x = norm(x + f(x)) */
	RM_NORM_AROUND,		/* x += norm(f(norm(x))) */
	RM_NORM_PARALLEL	/* x += f(norm(x)) + g(norm(x)) */
};

enum rm_pooling {
	RM_POOL_FIRST,		/* of all tokens */
	RM_POOL_LAST,		/* that is not the pad id */
	RM_POOL_MEAN,
	/* No family's own: see encoder.h. */
	RM_POOL_MAX, RM_POOL_ATTENTION
};

/* Rotary positions: angle of pair j at position t is t frequency(j). */
struct rm_rope {
	double theta;		/* 0: none */
	enum { RM_ROPE_PLAIN, RM_ROPE_LINEAR, RM_ROPE_LLAMA3 } kind;
	double factor, low_freq, high_freq, original;
};

enum { RM_MAX_LAYERS = 1024 };

struct rm_arch {
	const struct rm_family_kind *family;
	size_t vocab, hidden, embed, layers, heads, kv_heads, head_dim, ffn;
	size_t positions;	/* rows of RM_POSITIONS */
	size_t max_length;	/* tokens that positions allow; 0: any */
	size_t types, labels;

	bool causal;
	enum rm_norm_order order;
	bool rms;		/* norms without mean */
	double eps;
	double norm_offset;	/* added to the norms' weights */
	size_t activation;	/* of rm_activations */

	double embed_scale;	/* of token rows; 0: 1 */
	size_t position_offset;	/* row of the first token */
	bool position_skips_pad; /* pad ids have row pad, and are not counted */
	bool in_before_positions; /* RM_EMBED_IN, else after the sum */

	double scale;		/* of q k'; 0: 1 / sqrt(D) */
	bool scale_by_layer;	/* divided by the layer's number from 1 */
	double softcap;		/* 0: none */
	size_t window;		/* of sliding layers; as in attention.h */
	bool sliding[RM_MAX_LAYERS];
	size_t rotary;		/* numbers of a head that turn; 0: D */
	struct rm_rope rope, rope_sliding; /* the latter's theta 0: same */
	bool qkv_by_head;	/* rows of RM_QKV: q k v of head 0, of 1 ... */
	/* Disentangled attention: rows of RM_RELATIVE / 2; 0: none. */
	size_t span, buckets, max_relative;
	bool c2p, p2c, share_key;

	enum rm_pooling pooling;
	int32_t pad;		/* -1: none */
	bool small_ends;	/* new: what adds to x over sqrt(2 L) */
	size_t head_activation;	/* after RM_HEAD_DENSE */

	/* In training: which sites there are, and their rates. */
	bool drops[RM_DROP_SITES];
	double dropout[RM_DROP_SITES];
	double layer_drop;	/* of whole layers: not computed here */

	struct rm_tensor_name slot[RM_SLOTS]; /* name NULL: not there */
};

/* ---- describing a family ---- */

enum rm_config_type {
	RM_CONFIG_END, RM_CONFIG_SIZE_TYPE, RM_CONFIG_REAL_TYPE,
	RM_CONFIG_FLAG_TYPE, RM_CONFIG_ACT_TYPE, RM_CONFIG_ONLY_TYPE,
	RM_CONFIG_DROPOUT_TYPE
};

/*
 * A key of config.json into a member of struct rm_arch.  A missing key, or
 * null, is `otherwise`, as in the family's class; for _ONLY the text of the
 * one JSON value that is computed here.  _DROPOUT is the rate of a site, of
 * which several may have one key; _DROPOUT_OVER one that, where it is there,
 * stands for what an earlier row said of the site.
 */
struct rm_config_key {
	enum rm_config_type type;
	const char *key;
	size_t offset;
	double otherwise;
	const char *text;
};

#define RM_CONFIG_SIZE(key, member, otherwise) \
	{ RM_CONFIG_SIZE_TYPE, key, offsetof(struct rm_arch, member), \
	  otherwise, NULL }
#define RM_CONFIG_REAL(key, member, otherwise) \
	{ RM_CONFIG_REAL_TYPE, key, offsetof(struct rm_arch, member), \
	  otherwise, NULL }
#define RM_CONFIG_FLAG(key, member, otherwise) \
	{ RM_CONFIG_FLAG_TYPE, key, offsetof(struct rm_arch, member), \
	  otherwise, NULL }
#define RM_CONFIG_ACT(key, member, otherwise) \
	{ RM_CONFIG_ACT_TYPE, key, offsetof(struct rm_arch, member), 0, \
	  otherwise }
#define RM_CONFIG_ONLY(key, value) \
	{ RM_CONFIG_ONLY_TYPE, key, 0, 0, value }
#define RM_CONFIG_DROPOUT(key, site, otherwise) \
	{ RM_CONFIG_DROPOUT_TYPE, key, site, otherwise, NULL }
#define RM_CONFIG_DROPOUT_OVER(key, site) \
	{ RM_CONFIG_DROPOUT_TYPE, key, site, -1, NULL }

struct rm_family_kind {
	const char *model_type;
	const char *class;		/* with the head, in Transformers */
	const char *prefix;		/* that a base's tensors lack */
	const struct rm_config_key *keys;	/* ends in RM_CONFIG_END */
	const struct rm_tensor_name *tensors;	/* ends in a NULL name */
	/*
	 * Tensors of other heads and of buffers, which the class does not
	 * load; * at the end stands for anything.  Ends in NULL.
	 */
	const char *const *ignored;
	struct rm_arch arch;		/* what no key says */
	/*
	 * What the config.json of a new model says beside its numbers, where
	 * the class's defaults are not what the family is known for: a JSON
	 * object; NULL: nothing.
	 */
	const char *usual;
	/* What keys say together; NULL: nothing. */
	int (*finish)(struct rm_arch *a, const json_t *config);
};

/* ---- a new one ---- */

/* What is chosen of a new model; 0 where the family has its own way. */
struct rm_family_choice {
	size_t family;			/* of rm_family_names */
	size_t layers, hidden, heads, kv_heads, ffn, max_length;
};

/* What a new model takes from its tokenizer; -1: it has no such token. */
struct rm_family_tokens {
	size_t vocab;
	int32_t pad, bos, eos;
};

/* The keys of a rm_family_choice. */
extern const struct rm_key rm_family_choice_keys[];

/*
 * config.json of a new model, which the caller owns: the numbers of the
 * family's keys as they were chosen, else as its class has them by default.
 * Numbers that do not go together, or not with the family, are an error that
 * names them.
 */
json_t *rm_family_config(const struct rm_family_choice *choice,
			 const struct rm_family_tokens *tokens);

/* ---- using them ---- */

/* The family of config's model_type, and its numbers, checked. */
int rm_arch_init(struct rm_arch *a, const json_t *config);
/* The families' model_types, in order; ends in NULL. */
const char *const *rm_family_names(void);
/* The family of that model_type; NULL with a message that lists them. */
const struct rm_family_kind *rm_family_find(const char *model_type);

/*
 * Rates of dropout of a run that trains it: p at every site that there is, or
 * for a NaN those that its config.json states.
 */
int rm_arch_dropout(const struct rm_arch *a, double p,
		    double rate[RM_DROP_SITES]);

/* Append the name of a tensor of a slot that is there. */
void rm_arch_name(const struct rm_arch *a, enum rm_slot slot, size_t layer,
		  const char *suffix, struct rm_buf *out);
/* Shape of a slot's weight as it is stored; number of dimensions. */
size_t rm_arch_shape(const struct rm_arch *a, enum rm_slot slot,
		     size_t shape[2]);
/* Whether a layer has a slot. */
bool rm_arch_has(const struct rm_arch *a, enum rm_slot slot, size_t layer);
/* Whether a tensor of that name is none of ours, and may be left aside. */
bool rm_arch_ignores(const struct rm_arch *a, const char *name);

/*
 * frequency[rotary / 2] of full (or sliding) layers, computed in fp32 as
 * Transformers does.
 */
void rm_arch_frequencies(const struct rm_arch *a, bool sliding,
			 float *frequency);
/* The row of RM_RELATIVE, before it is bounded, of a distance i - j. */
ptrdiff_t rm_arch_bucket(const struct rm_arch *a, ptrdiff_t distance);

/* For families' finish: rotary keys, old names and new. */
int rm_family_rope(struct rm_arch *a, const json_t *config,
		   const char *theta_key, double theta,
		   const char *rotary_key, double rotary);
/* For families' finish: layer_types, or every layer for which it is true. */
int rm_family_sliding(struct rm_arch *a, const json_t *config,
		      bool (*otherwise)(size_t layer, size_t argument),
		      size_t argument);
/* For families' finish: the index in rm_activations of a name there. */
size_t rm_family_activation(const char *name);
/* For families' finish: a slot is not there; its bias is not. */
void rm_family_without(struct rm_arch *a, enum rm_slot slot);
void rm_family_no_bias(struct rm_arch *a, enum rm_slot slot);

#endif
