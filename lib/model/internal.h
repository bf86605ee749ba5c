/*
 * What the files of the module model share: names of files, the parameters
 * as tensors, config.json and rm.json as objects.
 */
#ifndef RM_MODEL_INTERNAL_H
#define RM_MODEL_INTERNAL_H

#include "model.h"
#include "weights.h"

#define RM_MODEL_CONFIG "config.json"
#define RM_MODEL_WEIGHTS "model.safetensors"
#define RM_MODEL_RM "rm.json"

/*
 * How hidden rows become one row a response: "backbone" says that the
 * backbone has pooled them itself, as bag does.
 */
#define RM_MODEL_POOLING "backbone"

/* Largest config.json and rm.json; largest file of a tokenizer. */
#define RM_MODEL_MAX_JSON ((size_t)64 << 20)
#define RM_MODEL_MAX_TOKENIZER ((size_t)1 << 30)

/* Files of a tokenizer that a model directory may hold; ends in NULL. */
extern const char *const rm_model_tokenizer_names[];

/* "DIR/NAME"; the caller frees it. */
char *rm_model_path(const char *dir, const char *name);

/*
 * The parameters with their true values.  Those whose scale is 1 are
 * borrowed from the model, the others are copies.
 */
struct rm_model_tensors {
	size_t n;
	struct rm_safetensor *tensor;
	void **copy;
};

int rm_model_tensors_get(struct rm_model_tensors *t,
			 const struct rm_model *m);
void rm_model_tensors_fini(struct rm_model_tensors *t);

/* The object of config.json. */
json_t *rm_model_config_json(const struct rm_model *m);

/*
 * The object of `fingerprints` in rm.json: model, tokenizer, policy, and
 * each tensor's.
 */
json_t *rm_model_fingerprints(const struct rm_model *m,
			      const struct rm_model_tensors *t);

/*
 * Read config.json, rm.json and the tokenizer's files and build the model
 * that they describe, without memory for its parameters; *expected is the
 * fingerprint that rm.json holds.
 */
struct rm_model *rm_model_load_frame(const char *dir,
				     struct rm_fingerprint *expected);

/*
 * The parameters from the directory's tensors: every one there, of its shape,
 * finite, none besides.
 */
int rm_model_load_weights(struct rm_model *m, const char *dir, bool train);

#endif
