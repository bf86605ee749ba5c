/*
 * tokenizer: text to token ids and back, as a Hugging Face tokenizer.json
 * says.
 *
 * A tokenizer is a set of files (tokenizer.json, and what came beside it);
 * models of tokens are drop-in files in lib/tokenizer/.  Knows nothing of
 * records, streams, prompts or templates.  A tokenizer is immutable after
 * loading and may be used by many threads, each with its own rm_encoding.
 *
 *	struct rm_tokenizer *t = rm_tokenizer_load("gpt2/");
 *	struct rm_encoding e = {0};
 *	if (rm_tokenizer_encode(t, &e, text, len) < 0) ...
 *	use e.ids[0..e.n), e.ends
 *	rm_encoding_fini(&e);
 *	rm_tokenizer_free(t);
 */
#ifndef RM_TOKENIZER_H
#define RM_TOKENIZER_H

#include "base.h"
#include "json.h"

struct rm_tokenizer;

/*
 * The embedded default: 256 tokens, one a byte, id = byte; written as a
 * byte-level BPE without merges, so that it is a tokenizer.json like any
 * other.
 */
struct rm_tokenizer *rm_tokenizer_bytes(void);

/*
 * From a tokenizer.json, or a directory that holds one, or else vocab.txt
 * (BERT) or vocab.json and merges.txt (GPT-2, RoBERTa, Qwen 2), of which a
 * tokenizer.json is made; the directory's tokenizer_config.json is then read
 * too.  What a file names and is not built is an error that names it.
 */
struct rm_tokenizer *rm_tokenizer_load(const char *path);

/*
 * The files that rm_tokenizer_load reads of a directory, added to *files: a
 * tokenizer.json, made if need be, tokenizer_config.json, and
 * chat_template.jinja, which is only kept.
 */
int rm_tokenizer_read(struct rm_files *files, const char *dir);

/* From the files a stream's header or a model directory carries. */
struct rm_tokenizer *rm_tokenizer_from_files(const struct rm_files *files);

/*
 * The rm_tokenizer_size of the tokenizer of these files in a seventh of the
 * time: counted by their ids, whatever else is wrong with them; 0 / -1.
 */
int rm_tokenizer_count(const struct rm_files *files, size_t *n);

void rm_tokenizer_free(struct rm_tokenizer *t);

/* tokenizer.json and what came beside it, as it was read. */
const struct rm_files *rm_tokenizer_files(const struct rm_tokenizer *t);

/*
 * XXH3-128 of the canonical JSON of the parts that decide the ids: a file
 * saved again by Transformers has the same.
 */
struct rm_fingerprint rm_tokenizer_fingerprint(const struct rm_tokenizer *t);

/* Number of ids: one more than the largest, added tokens included. */
size_t rm_tokenizer_size(const struct rm_tokenizer *t);

/* The token of that id as it stands in the file, NULL if there is none. */
const char *rm_tokenizer_token(const struct rm_tokenizer *t, int32_t id);

/* The id of a token, -1 if there is none (no message). */
int32_t rm_tokenizer_id(const struct rm_tokenizer *t, const char *token);

/*
 * Ids of one text, and where in the text each ends, in bytes.  ends is non-
 * decreasing and at most the text's length: what the tokenizer drops belongs
 * to no token.  Zero-initialise; memory is used again from call to call.
 * scratch is the tokenizer's own.
 */
struct rm_encoding {
	size_t n, cap;
	int32_t *ids;
	size_t *ends;
	size_t ends_cap;
	void *scratch;
	void (*scratch_free)(void *);
};

/* text is valid UTF-8, len bytes; any NUL in it is a character.  No special
 * tokens are added (rm_tokenizer_post), but those written in the text are
 * found. */
int rm_tokenizer_encode(const struct rm_tokenizer *t, struct rm_encoding *e,
			const void *text, size_t len);
void rm_encoding_fini(struct rm_encoding *e);

/*
 * The text of n ids appended to out, as tokenizer.json's decoder makes it,
 * special tokens included: valid UTF-8, invalid bytes as U+FFFD.  An id out
 * of range is an error.
 */
int rm_tokenizer_decode(const struct rm_tokenizer *t, const int32_t *ids,
			size_t n, struct rm_buf *out);

/*
 * The same of ids that stand behind the id `before` (-1: none): what they
 * add to its text.  Alone, the first of them may lose the space before it.
 * Behind a token that the post-processor put there a text begins.
 */
int rm_tokenizer_decode_after(const struct rm_tokenizer *t, int32_t before,
			      const int32_t *ids, size_t n,
			      struct rm_buf *out);

/* ---- special tokens ---- */

/* More than any tokenizer puts at one place; bounds what a file can claim. */
#define RM_MAX_SPECIAL 64

/* Special tokens that stand together, and the token type of each. */
struct rm_special_run {
	size_t n;
	int32_t id[RM_MAX_SPECIAL], type[RM_MAX_SPECIAL];
};

/*
 * What tokenizer.json's post-processor puts before and after one text, and
 * before, between and after two.  Applying it is the caller's: module encode
 * does.
 */
struct rm_post {
	struct rm_special_run before, after;
	bool has_pair;		/* a rule for two texts; else the rest is 0 */
	struct rm_special_run pair_before, pair_between, pair_after;
	int32_t type_a, type_b;	/* token types of the two texts' own ids */
};

const struct rm_post *rm_tokenizer_post(const struct rm_tokenizer *t);

/*
 * Ids of the tokens that tokenizer_config.json names, -1 where it names none
 * or one that the vocabulary lacks.  pad is else tokenizer.json's
 * padding.pad_id, else the token [PAD] or <pad>.
 */
struct rm_special {
	int32_t bos, eos, pad;
	bool add_eos;		/* add_eos_token */
};

const struct rm_special *rm_tokenizer_special(const struct rm_tokenizer *t);

/* ---- learning ---- */

/* The models that can be learned, "bpe" first; ends in NULL. */
extern const char *const rm_learner_types[];

struct rm_learn_options {
	const char *type;	/* of rm_learner_types; NULL: the first */
	size_t vocab;		/* tokens to learn, the first ones counted */
	size_t min_count;	/* words seen less often are left out */
	bool cased;		/* wordpiece: keep case and accents */
	size_t threads;		/* that count words; 0: one */
	size_t max_words;	/* to remember; 0: RM_LEARN_WORDS */
};

#define RM_LEARN_WORDS ((size_t)1 << 23)

struct rm_learner;

/*
 * Learn a tokenizer from words: the pair of neighbouring tokens that stands
 * most often becomes a token, ties by the pair's ids.  Fewer tokens than
 * asked for come of a text that has no more pairs.
 *
 * bpe: 256 tokens of a byte first, words split as GPT-2 does; words longer
 * than 128 bytes are learned in pieces.  wordpiece: BERT's special tokens
 * first, then the characters that stand most often, bare and continuing a
 * word (##), at most 1000 and so many that they are half of the tokens;
 * words with another character or more than 100 are [UNK] to the model, and
 * left out.
 *
 * The result is the same for any number of threads.  Memory grows with
 * distinct words only.  Where these are more than max_words, or take more
 * than 32 bytes times that, the rarest so far are forgotten; until then, the
 * order of the texts does not matter.
 */
struct rm_learner *rm_learner_new(const struct rm_learn_options *options);
/* text is valid UTF-8, len bytes. */
int rm_learner_add(struct rm_learner *l, const void *text, size_t len);
/* The tokenizer.json of what was added so far, readable; 0 / -1. */
int rm_learner_finish(struct rm_learner *l, struct rm_buf *json);
/* Tokens in it, at most `vocab`; 0 before rm_learner_finish. */
size_t rm_learner_size(const struct rm_learner *l);
/* Words that were forgotten. */
size_t rm_learner_forgotten(const struct rm_learner *l);
void rm_learner_free(struct rm_learner *l);

#endif
