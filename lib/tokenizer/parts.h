/*
 * parts: what a tokenizer is made of, shared by the files of lib/tokenizer/.
 *
 * A text goes down a list of stages, depth first: added tokens that are
 * found in the text as it stands (added.c), the normalizer's steps, added
 * tokens that are found in normalized text, the pre-tokenizer's steps, and
 * the model, which turns each word into ids (one drop-in row a model: bpe.c,
 * wordpiece.c, ...).  A step either rewrites a text (edit.c says where its
 * bytes came from) or cuts it.  On the way back up, ends of tokens are
 * carried from each rewritten text to the one before it.
 *
 * Every part is loaded from its JSON, refuses by name what it does not know,
 * and appends to `canonical` the JSON of what decides the ids, defaults
 * filled in: the text that the fingerprint is of.
 */
#ifndef RM_TOKENIZER_PARTS_H
#define RM_TOKENIZER_PARTS_H

#include "tokenizer.h"
#include "tokenizer/steps.h"
#include "tokenizer/unicode.h"

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
/* Tokens from the text of a JSON object {token: id}. */
int rm_vocab_load(struct rm_vocab *v, struct rm_slice json);
/* The tokens of all ids as a JSON array, null for those that are missing. */
void rm_vocab_print(const struct rm_vocab *v, size_t n, struct rm_buf *out);

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

/* A step of ByteLevel: each byte as its character. */
int rm_rewrite_bytes(const struct rm_step *s, struct rm_work *w,
		     const unsigned char *text, size_t n, bool first);

/* ---- added.c: tokens found in the text before anything else ---- */

struct rm_added {
	size_t n;
	struct rm_added_token {
		char *text;	/* as it is searched for: normalized if so */
		size_t len;
		int32_t id;
		bool lstrip, rstrip, single_word, normalized;
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

/* Text as the normalizer leaves it, appended to out. */
typedef int rm_normalize_fn(void *arg, const char *text, size_t len,
			    struct rm_buf *out);

/* Adds the tokens that the model lacks to `vocab`. */
int rm_added_load(struct rm_added *a, const json_t *list,
		  struct rm_vocab *vocab, rm_normalize_fn *normalize,
		  void *arg, struct rm_buf *canonical);
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

/* ---- scan.c: regular expressions that tokenizers name, by hand ---- */

/* The next word of the n > 0 bytes by GPT-2's pattern: its length. */
size_t rm_scan_gpt2(const unsigned char *text, size_t n);
/*
 * The length of the next word by the pattern of cl100k, Llama 3 and Qwen 2,
 * which differ in how many digits stand together.
 */
size_t rm_scan_cl100k(const unsigned char *text, size_t n, size_t digits);

/* ---- words.c: what a thread remembers of short words ---- */

#define RM_WORD_BYTES 23	/* longest word that is remembered */
#define RM_WORD_IDS 7

/* One cache line: the word, zero-padded, its length in the top byte. */
struct rm_word {
	uint64_t key[3];
	int32_t id[RM_WORD_IDS];
	unsigned char n, len[RM_WORD_IDS];	/* bytes of each token */
};

/* A thread's memory, from word to word. */
struct rm_scratch {
	struct rm_word *words;	/* rm_words_new */
	void *model;		/* the model's own; NULL at first */
};

struct rm_word *rm_words_new(void);

/* ---- models: one drop-in file each ---- */

/* A model's JSON; its large members are left as the text that they are. */
struct rm_model_json {
	const json_t *json;
	struct rm_slice vocab, merges;	/* data NULL: no such member */
};

struct rm_tokenizer_kind {
	const char *type;	/* model.type */
	/*
	 * The model's own form, NULL with a message.  Its tokens go to
	 * `vocab`, which is empty and outlives it.  *bytes comes in true
	 * if words are bytes that tokens name in byte-level text: the model
	 * may leave it so and be given raw bytes, or set it to false and be
	 * given byte-level text.
	 */
	void *(*load)(const struct rm_model_json *model, bool *bytes,
		      struct rm_vocab *vocab, struct rm_buf *canonical);
	/*
	 * Append the ids of one word of n > 0 bytes.  Ends are counted from
	 * `at`, where in the text the word begins.
	 */
	int (*encode)(const void *model, struct rm_scratch *s,
		      struct rm_encoding *e, const unsigned char *word,
		      size_t n, size_t at);
	void (*scratch_free)(void *model_scratch);
	void (*free)(void *model);
};

/* fn for each word that the model would be given: to learn from. */
int rm_tokenizer_words(const struct rm_tokenizer *t, struct rm_encoding *e,
		       const void *text, size_t len,
		       int (*fn)(void *arg, const unsigned char *word,
				 size_t n),
		       void *arg);

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
