/*
 * model: a reward model and its directory (man/rm-model.5).
 *
 *	config.json		model_type "rmtools" and backbone_config, or
 *				Hugging Face's of a transformer
 *	model.safetensors	the parameters by name, or shards with an index
 *	tokenizer.json		and what stood beside it
 *	rm.json			head, objective, pooling, policy, calibration,
 *				history, fingerprints
 *
 * A directory is written whole beside its target and swapped in, so that an
 * earlier one survives any failure.  Nothing in it is ever executed, and
 * nothing of it is believed: shapes, offsets, numbers and fingerprints are
 * checked when it is loaded.  Knows nothing of training, nor of the streams
 * that are scored.  Errors as in base.h; messages name the file.
 *
 *	struct rm_model *m = rm_model_load("reward/", NULL);
 *	const rm_real *scores = rm_model_forward(m, &batch);
 *	reward of leaf i: scores[i * m->head->columns]
 *	rm_model_free(m);
 */
#ifndef RM_MODEL_H
#define RM_MODEL_H

#include "batch.h"
#include "family.h"
#include "head.h"
#include "json.h"
#include "stream.h"
#include "tokenizer.h"

#define RM_MODEL_VERSION 1

/* All fields are the model's own; users read them and train the params. */
struct rm_model {
	struct rm_params params;
	struct rm_backbone *backbone;
	struct rm_encoder *encoder;
	struct rm_head *head;
	size_t vocab;			/* token ids */
	size_t max_length;		/* tokens of a leaf; 0: any number */
	enum rm_prompt prompt;		/* what batches are to hold of it */
	/* Rows in params: the first of the encoder, whose rows are its head's
	 * to be saved and trained, and the first of the head itself. */
	size_t first_of_head, first_of_scores;
	/* Rows that are its tensors; others are behind them. */
	size_t n_tensors;
	const char *pooling;		/* hidden rows into one a response */

	/* config.json of a transformer as it stood; NULL: none. */
	json_t *config;
	struct rm_arch *arch;		/* what it says */
	/* It stands under backbone_config in one of ours. */
	bool wrapped;
	bool made_new;			/* by rm_model_new, not loaded */
	double dropout[RM_DROP_SITES];	/* its rates in training */
	/* False without rm.json: origin has the tokenizer's files alone. */
	bool recorded;
	/*
	 * The checkpoint had no head, or one that another takes the place of:
	 * its rows are zero until rm_model_init_head.
	 */
	bool fresh_head;
	bool other_head;		/* the latter */
	unsigned dtypes;		/* bit 1 << enum rm_dtype: read so */

	json_t *backbone_config;	/* as rm_backbone_parse gives it */
	json_t *head_config;		/* as rm_head_parse gives it */
	json_t *objective;		/* the loss it was trained with, or null */
	json_t *calibration;		/* {method, parameters}, or null */
	/*
	 * Tokenizer, policy and history of the streams that made it; the
	 * schema is empty.
	 */
	struct rm_header origin;
};

/* What of a model is trained, and how fast; zeros: all of it, alike. */
struct rm_model_training {
	/* Shell patterns of parameters that stay as they are. */
	char *const *freeze;		/* [n_freeze] */
	size_t n_freeze;
	/*
	 * From the head downwards each layer takes the rate of the one above
	 * times this, the embeddings last; 0 counts as 1.
	 */
	double layer_decay;
	/*
	 * Rank of lora.h, 0: none.  The backbone stays as it is but for the
	 * matrices of its layers that are not frozen and whose names one of
	 * the patterns fits, none meaning all; the head is trained whole.
	 */
	size_t lora;
	double lora_alpha;
	char *const *lora_targets;	/* [n_lora_targets] */
	size_t n_lora_targets;
	/*
	 * Called once the parts are made, to add rows that are trained along
	 * with the model and are none of it: 0 / -1.  NULL: nothing.
	 */
	int (*add)(void *arg, struct rm_model *m);
	void *arg;
};

extern const struct rm_model_training rm_model_train_all;

/* The head that a backbone has where none is named. */
const char *rm_model_usual_head(const json_t *backbone);
/* Whether these parts, as they are parsed, make a model; and how the rows
 * between them are made. */
int rm_model_check_parts(const json_t *backbone, const json_t *head);

/*
 * A new model of these parts for the tokenizer, policy and history of a
 * stream; a transformer is described by a config.json then, as if it had been
 * loaded.  Its parameters are allocated but zero: rm_model_init.  `training`
 * makes room for gradients of what is trained, NULL for none.  A pattern
 * without a parameter is an error, and so is nothing left to train.
 */
struct rm_model *rm_model_new(const json_t *backbone, const json_t *head,
			      const struct rm_header *origin,
			      const struct rm_model_training *training);
void rm_model_free(struct rm_model *m);

/* Initial values of a new model; the same for the same seed. */
void rm_model_init(struct rm_model *m, uint64_t seed);

/* Whether nothing is trained of what makes the rows that the head reads. */
bool rm_model_is_frozen(const struct rm_model *m);

/*
 * Dropout of a transformer from now on, in training: p at every site that its
 * family has, or for a NaN the rates that config.json states; none before.
 */
int rm_model_set_dropout(struct rm_model *m, double p);

/* Take over the loss's configuration (borrowed). */
void rm_model_set_objective(struct rm_model *m, const json_t *objective);

/*
 * Take over the parameters as they are, for products in that precision:
 * after loading, and whenever they change, before a forward.
 */
int rm_model_ready(struct rm_model *m, enum rm_precision precision);

/*
 * The token types that a policy records for prompts and responses
 * ("types"); none are 0.
 */
int rm_model_set_types(struct rm_model *m, const json_t *policy);

/*
 * What the head reads of a batch, [n_leaves, head->dim]; NULL with a message
 * (memory, an id outside the vocabulary).
 */
struct rm_hidden *rm_model_hidden(struct rm_model *m,
				  const struct rm_batch *batch);
/* Adds to the gradients of all that made it, from its grad. */
int rm_model_backward(struct rm_model *m, const struct rm_batch *batch);
/* Scores [n_leaves, K] of a batch, valid until the next call; or NULL. */
const rm_real *rm_model_forward(struct rm_model *m,
				const struct rm_batch *batch);

/* ---- directories ---- */

/*
 * Ours, or a Hugging Face directory with or without rm.json; `training` as in
 * rm_model_new.  A checkpoint of a base, which has no head, is an error
 * without `training`, with it fresh_head.  So is a directory that changes
 * while it is read.
 */
struct rm_model *rm_model_load(const char *dir,
			       const struct rm_model_training *training);
/*
 * The same to be trained with another head than it has, as it is parsed: a
 * fresh one, unless it is the one that is there.
 */
struct rm_model *rm_model_load_base(const char *dir, const json_t *head,
				    const struct rm_model_training *training);
/* To look at, not to score with: the head may be missing. */
struct rm_model *rm_model_look(const char *dir);
/* Initial values for a head that was not in the checkpoint. */
void rm_model_init_head(struct rm_model *m, uint64_t seed);
/* Initial values of low-rank changes, where there are any. */
int rm_model_init_lora(struct rm_model *m, uint64_t seed);

/*
 * The most tokens that a leaf of the model at dir may have, from config.json
 * alone; 0: any number.
 */
int rm_model_limit(const char *dir, size_t *limit);

/*
 * The tokenizer of a model loaded from dir, which must be the one that it
 * was trained with (loading alone does not parse it; without rm.json it is
 * what stands there, and its fingerprint becomes known); free with
 * rm_tokenizer_free.
 */
struct rm_tokenizer *rm_model_tokenizer(struct rm_model *m, const char *dir);

/*
 * rm_header_match of a stream and a model loaded from dir.  Without rm.json
 * there is no policy to compare, and the tokenizer is parsed only if its
 * file is not the stream's byte by byte.
 */
int rm_model_match(struct rm_model *m, const char *dir,
		   const struct rm_header *h, const char *name, bool force);

/*
 * Whether that is so, for who needs no tokenizer: a stream that carries the
 * same tokenizer.json under the fingerprint that the model has is believed,
 * else it is parsed.
 */
int rm_model_check_tokenizer(struct rm_model *m, const char *dir,
			     const struct rm_header *stream);

/*
 * Make a base of what is trained further on a stream that matches it: it goes
 * on with its tokenizer and the history of both; a checkpoint without rm.json
 * takes the stream's policy, and its tokenizer if it has none.
 */
int rm_model_adopt(struct rm_model *m, const char *dir,
		   const struct rm_header *h);

/*
 * rm.json alone, checked to be one; the caller owns it.  For tools that
 * need only the policy, the calibration or the history.
 */
json_t *rm_model_load_json(const char *dir);

/*
 * Whether rm_model_save may replace what stands at dir: nothing, an empty
 * directory, a model directory that holds nothing else, or anything if
 * `force`; to be asked before hours of training.
 */
int rm_model_check_target(const char *dir, bool force);

/*
 * Write the whole directory.  What stood there and is not ours is moved
 * aside to DIR~ (force only).
 */
int rm_model_save(const struct rm_model *m, const char *dir, bool force);

/*
 * Rewrite rm.json alone, atomically, with this calibration (null removes
 * it).
 */
int rm_model_save_calibration(const char *dir, const json_t *calibration);

/* ---- looking ---- */

/* Of config, head, pooling and tensors; not calibration, not history. */
struct rm_fingerprint rm_model_fingerprint(const struct rm_model *m);

/*
 * Look at every file of a directory and call found(arg, file, problem) once
 * for each problem and, with problem NULL, for each sound file.  0 when all
 * is sound, else -1 (the message is that of the first problem).
 */
int rm_model_check(const char *dir,
		   void (*found)(void *arg, const char *file,
				 const char *problem),
		   void *arg);

#endif
