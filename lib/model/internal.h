/*
 * What the files of the module model share: names of files, the parameters
 * as tensors, config.json and rm.json as objects.
 */
#ifndef RM_MODEL_INTERNAL_H
#define RM_MODEL_INTERNAL_H

#include "model.h"
#include "io.h"
#include "weights.h"

#define RM_MODEL_CONFIG "config.json"
#define RM_MODEL_WEIGHTS "model.safetensors"
#define RM_MODEL_INDEX "model.safetensors.index.json"
#define RM_MODEL_RM "rm.json"

/* How hidden rows become one row a response: the backbone's own way. */
#define RM_MODEL_POOLING "backbone"

/* The head of a checkpoint without rm.json: its family's own. */
#define RM_MODEL_NATIVE "native"
/* The backbone of one: {name, config}, the latter its config.json. */
#define RM_MODEL_TRANSFORMER "transformer"

/* Largest config.json and rm.json; largest file of a tokenizer. */
#define RM_MODEL_MAX_JSON ((size_t)64 << 20)
#define RM_MODEL_MAX_TOKENIZER ((size_t)1 << 30)

/* Files of a tokenizer that a model directory may hold; ends in NULL. */
extern const char *const rm_model_tokenizer_names[];

/* "DIR/NAME"; the caller frees it. */
char *rm_model_path(const char *dir, const char *name);
bool rm_model_has(const char *dir, const char *name);
/* A JSON object from a file of the directory. */
json_t *rm_model_load_object(const char *dir, const char *name);

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

/* A row of the table as a tensor that borrows its values. */
void rm_model_describe(struct rm_safetensor *t, const struct rm_param *p);

/* Parts for the configurations that m has; no memory for parameters yet. */
int rm_model_build(struct rm_model *m);

/* Memory for them, and for the gradients of what is trained. */
int rm_model_alloc(struct rm_model *m, const struct rm_model_training *t);

/* ---- config.json ---- */

/* What the model is, from the object of config.json (borrowed). */
int rm_model_parse_config(struct rm_model *m, json_t *config);
/*
 * Of a new transformer, the config.json that describes it, for its tokenizer
 * and policy; of other models nothing.
 */
int rm_model_describe_new(struct rm_model *m);
/* Sets pooling by the head's key pool. */
int rm_model_find_pooling(struct rm_model *m);
/* Whether that is what rm.json says. */
int rm_model_check_pooling(const struct rm_model *m, const char *name);
/* The most tokens that config's positions allow; 0: any number. */
size_t rm_model_positions(const json_t *config);
/*
 * With a Hugging Face config: one label where the tensors have no head yet,
 * whatever config.json says of those that a head might have had.
 */
int rm_model_settle_labels(struct rm_model *m, const char *dir);
/* The object of config.json as it is saved. */
json_t *rm_model_config_json(const struct rm_model *m);
/*
 * A Hugging Face config.json as that of a reward model of its family in
 * float32: one label, a regression, its pad id (none: -1 leaves it).
 */
json_t *rm_model_save_config(const json_t *as_it_was,
			     const struct rm_arch *arch, int32_t pad);

/* ---- tensors ---- */

/* How a checkpoint's names may differ from those of the table. */
struct rm_model_names {
	const char *prefix;	/* that a base's tensors lack; NULL: none */
	/* Whether a tensor that no row wants may be left aside; or NULL. */
	bool (*ignores)(const void *arg, const char *name);
	const void *arg;
	bool skip_head;		/* its own is left aside */
};

/* Whether a head was saved: its family's, or one of ours, which always was. */
bool rm_model_has_head(const struct rm_model *m, const struct rm_weights *w);

struct rm_model_names rm_model_names(const struct rm_model *m);

/*
 * found[params->n]: the tensor of each row, of its shape.  With fresh_head
 * those from first_of_head on may be missing, NULL, if there is a prefix: a
 * base without a head.  With names->skip_head they are not looked for.  Any
 * other that is missing, and any other that is
 * there, is an error.
 */
int rm_model_find_tensors(const struct rm_params *params,
			  size_t first_of_head, const struct rm_weights *w,
			  const struct rm_model_names *names,
			  bool fresh_head, const struct rm_safetensor **found);

/*
 * The object of `fingerprints` in rm.json: model, tokenizer, policy, and
 * each tensor's.
 */
json_t *rm_model_fingerprints(const struct rm_model *m,
			      const struct rm_model_tensors *t);

/*
 * Read config.json, rm.json and the tokenizer's files and build the model
 * that they describe, without memory for its parameters; *expected is the
 * fingerprint that rm.json holds, empty where there is none.  A head that is
 * not NULL takes the place of the one that is described.
 */
struct rm_model *rm_model_load_frame(const char *dir, const json_t *head,
				     struct rm_fingerprint *expected);

/*
 * The parameters from the directory's tensors, finite all.  Rows of a head
 * that is not there are zero and m->fresh_head is set.
 */
int rm_model_load_weights(struct rm_model *m, const char *dir,
			  const struct rm_model_training *training,
			  bool fresh_head);

#endif
