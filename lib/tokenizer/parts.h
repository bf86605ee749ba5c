/*
 * parts: what a tokenizer is made of, shared by the files of lib/tokenizer/.
 *
 * A text goes through the parts in the order of this file: added tokens are
 * found (added.c), the text between them is cut into words (split.c), a
 * model turns each word into ids (one drop-in row a model: bpe.c).  Normal-
 * izers would stand between the first two: they would rewrite a piece into
 * the scratch text and map the ends back.
 *
 * Every part is loaded from its JSON, refuses by name what it does not know,
 * and appends to `canonical` the JSON of what decides the ids, defaults
 * filled in: the text that the fingerprint is of.
 */
#ifndef RM_TOKENIZER_PARTS_H
#define RM_TOKENIZER_PARTS_H

#include "tokenizer.h"

/* More ids than any vocabulary has; bounds what a file can claim. */
#define RM_MAX_IDS ((size_t)1 << 22)

/* Boolean members, as rm_json_get_ and rm_json_opt_; null is missing. */
int rm_get_bool(const json_t *object, const char *key, bool *out);
int rm_opt_bool(const json_t *object, const char *key, bool otherwise,
		bool *out);

/* ---- vocab.c: tokens as they stand in the file, by id and by text ---- */

struct rm_vocab {
	size_t n;		/* one more than the largest id */
	size_t count;		/* tokens, fewer than n if ids are missing */
	size_t *at;		/* [n] where the token's text is, or SIZE_MAX */
	size_t cap;
	struct rm_buf text;	/* all tokens, a NUL after each */
	struct rm_vocab_slot {
		uint32_t hash, id;	/* id + 1; 0 is free */
	} *slot;		/* open addressing */
	size_t n_slots;
};

/* Room for that many tokens without rehashing; 0 / -1. */
int rm_vocab_reserve(struct rm_vocab *v, size_t count);
/* An id out of range, or an id or a token seen before, is an error. */
int rm_vocab_add(struct rm_vocab *v, const char *token, size_t len,
		 json_int_t id);
/* -1 if there is none, no message. */
int32_t rm_vocab_find(const struct rm_vocab *v, const char *token,
		      size_t len);
/* NULL for an id without a token. */
const char *rm_vocab_token(const struct rm_vocab *v, size_t id);
void rm_vocab_fini(struct rm_vocab *v);

/* ---- byte_level.c: GPT-2's 256 characters that stand for bytes ---- */

/* The character's UTF-8 (1 or 2 bytes) in `text`; its length. */
size_t rm_byte_to_char(unsigned byte, char text[2]);
/*
 * The bytes that a token stands for, at most max of them, in `bytes`.
 * Returns how many there are, -1 (no message) if some character stands for
 * no byte.
 */
ptrdiff_t rm_token_bytes(const char *token, unsigned char *bytes, size_t max);
/* Add the 256 tokens of one byte, id = byte. */
int rm_byte_level_vocab(struct rm_vocab *vocab);
/*
 * A tokenizer.json of byte-level tokens without gaps in their ids; merges
 * are pairs of ids; `split` says whether GPT-2's pattern cuts the text into
 * words.
 */
void rm_byte_level_print(struct rm_buf *json, const struct rm_vocab *vocab,
			 const int32_t (*merge)[2], size_t n_merges,
			 bool split);

/* ---- unicode.c ---- */

enum rm_class {
	RM_CLASS_OTHER, RM_CLASS_LETTER, RM_CLASS_NUMBER, RM_CLASS_SPACE
};

enum rm_class rm_class_of(uint32_t code_point);

/*
 * The class of the character at p < end and its length in bytes.  Invalid
 * UTF-8 is safe: what is read stays below end.
 */
enum rm_class rm_class_at(const unsigned char *p, const unsigned char *end,
			  size_t *len);

/* ---- added.c: tokens found in the text before anything else ---- */

struct rm_added {
	size_t n;
	struct rm_added_token {
		char *text;
		size_t len;
		int32_t id;
		bool lstrip, rstrip, normalized;
	} *token;		/* sorted by text */
	/*
	 * Two finders, of those that are searched for before and after
	 * normalization: places in token, in order; those that begin with
	 * byte b are first[b] .. first[b + 1].  second[b]: some token has
	 * b after its first byte, or is one byte long.
	 */
	struct rm_finder {
		uint32_t *order;
		uint32_t first[257];
		bool second[256];
		int only;	/* the one first byte, or negative */
	} finder[2];
	bool any_rstrip;
};

/* Adds the tokens that the model lacks to `vocab`. */
int rm_added_load(struct rm_added *a, const json_t *list,
		  struct rm_vocab *vocab, struct rm_buf *canonical);
/*
 * The first and longest added token of the finder in text[from..len): its
 * token and *at, NULL if there is none.
 */
const struct rm_added_token *rm_added_find(const struct rm_added *a,
					   const struct rm_finder *f,
					   const unsigned char *text,
					   size_t from, size_t len,
					   size_t *at);
void rm_added_fini(struct rm_added *a);

/* ---- split.c: text into words ---- */

struct rm_split {
	bool byte_level;	/* words are bytes, not characters */
	bool add_prefix_space;	/* before a piece that has none */
	/* Length of the first word of n > 0 bytes: 1 .. n. */
	size_t (*next)(const unsigned char *text, size_t n);
};

int rm_split_load(struct rm_split *s, const json_t *pre_tokenizer,
		  struct rm_buf *canonical);
/* `next` of GPT-2's pattern, which learning uses too. */
size_t rm_split_gpt2(const unsigned char *text, size_t n);

/* ---- models: one drop-in file each ---- */

struct rm_tokenizer_kind {
	const char *type;	/* model.type */
	/*
	 * The model's own form, NULL with a message.  Its tokens go to
	 * `vocab`, which is empty and outlives it.
	 */
	void *(*load)(const json_t *model, const struct rm_split *split,
		      struct rm_vocab *vocab, struct rm_buf *canonical);
	/*
	 * Append the ids of one word of n > 0 bytes.  Ends are counted from
	 * `at`, where in the text the word begins ((size_t)-1 for a word
	 * whose first byte is a space put before the text).  *scratch is
	 * NULL at first and stays from call to call of one thread.
	 */
	int (*encode)(const void *model, void **scratch,
		      struct rm_encoding *e, const unsigned char *word,
		      size_t n, size_t at);
	void (*scratch_free)(void *scratch);
	void (*free)(void *model);
};

/* ---- post.c: special tokens ---- */

/* The ids that `post_processor` (may be NULL) names must be of vocab. */
int rm_post_load(struct rm_post *p, const json_t *post_processor,
		 const struct rm_vocab *vocab);
/* Of the whole tokenizer.json and of tokenizer_config.json, or NULL. */
int rm_special_load(struct rm_special *s, const json_t *tokenizer,
		    const json_t *config, const struct rm_vocab *vocab);

/* ---- decode.c: tokens into text ---- */

/* Steps that each turn a list of tokens into another. */
struct rm_decoder {
	size_t n, cap;
	struct rm_decode_step *step;
	bool spaced;		/* no decoder: a space between tokens */
};

/*
 * Of `decoder`, which may be NULL or null: then byte-level tokens are
 * decoded as such, others stand with spaces between.
 */
int rm_decoder_load(struct rm_decoder *d, const json_t *decoder,
		    bool byte_level);
/*
 * The text of n tokens (valid UTF-8, not changed) appended to out.  The
 * arena takes what stands between the steps.
 */
int rm_decoder_run(const struct rm_decoder *d, struct rm_arena *arena,
		   const struct rm_slice *token, size_t n,
		   struct rm_buf *out);
void rm_decoder_fini(struct rm_decoder *d);

/* ---- encodings ---- */

/* Room for `more` ids and ends; 0 / -1. */
int rm_encoding_grow(struct rm_encoding *e, size_t more);

static inline int rm_encoding_need(struct rm_encoding *e, size_t more)
{
	if (e->cap - e->n >= more && e->ends_cap - e->n >= more)
		return 0;
	return rm_encoding_grow(e, more);
}

static inline void rm_encoding_push(struct rm_encoding *e, int32_t id,
				    size_t end)
{
	e->ids[e->n] = id;
	e->ends[e->n++] = end;
}

#endif
