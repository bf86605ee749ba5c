/*
 * model: config.json, ours and Hugging Face's.
 *
 * Ours says model_type "rmtools", so that Transformers refuses the directory
 * rather than give it a random head.  Another model_type is a family of
 * transformers; its config.json is kept as it was and saved again with what
 * a reward model needs.
 */
#include "model/internal.h"

#include <string.h>

/* ---- reading ---- */

static int parse_ours(struct rm_model *m, const json_t *config)
{
	json_t *backbone = json_object_get(config, "backbone_config");

	if (!json_is_object(backbone))
		return rm_fail("backbone_config is missing or no object");
	m->backbone_config = json_incref(backbone);
	return rm_json_get_size(config, "vocab_size", RM_MODEL_CONFIG,
				&m->vocab);
}

int rm_model_parse_config(struct rm_model *m, json_t *config)
{
	const char *type;

	if (rm_json_get_string(config, "model_type", RM_MODEL_CONFIG,
			       &type) < 0 ||
	    rm_model_positions(config, &m->max_length) < 0)
		return -1;
	if (strcmp(type, "rmtools") == 0)
		return parse_ours(m, config);
	return rm_fail("model_type \"%s\" is not supported yet: only what "
		       "rm-train writes is", type);
}

int rm_model_set_pooling(struct rm_model *m, const char *name)
{
	if (strcmp(name, RM_MODEL_POOLING) != 0)
		return rm_fail("unknown pooling \"%s\"", name);
	m->pooling = RM_MODEL_POOLING;
	return 0;
}

struct rm_model_names rm_model_names(const struct rm_model *m)
{
	(void)m;
	return (struct rm_model_names){0};
}

/* ---- writing ---- */

static int set(json_t *o, const char *key, json_t *value)
{
	return json_object_set_new(o, key, value) < 0 ?
	       rm_fail("out of memory") : 0;
}

/* One label; a name that the checkpoint has for it stays. */
static int set_label(json_t *config)
{
	const json_t *is = json_object_get(config, "id2label");
	const char *name = json_string_value(json_object_get(is, "0"));

	if (!name || json_object_size(is) != 1)
		name = "LABEL_0";
	json_object_del(config, "num_labels");
	if (set(config, "label2id",
		json_pack("{s:i}", name, 0)) < 0)
		return -1;
	return set(config, "id2label", json_pack("{s:s}", "0", name));
}

json_t *rm_model_save_config(const json_t *as_it_was, const char *class,
			     int32_t pad)
{
	json_t *config = json_deep_copy(as_it_was);

	if (!config)
		return rm_fail_null("out of memory");
	/*
	 * Version 5 of Transformers writes dtype and reads both; earlier
	 * ones that know torch_dtype alone load float32 where it is missing.
	 */
	json_object_del(config, "torch_dtype");
	if (set(config, "architectures", json_pack("[s]", class)) == 0 &&
	    set(config, "dtype", json_string("float32")) == 0 &&
	    set(config, "problem_type", json_string("regression")) == 0 &&
	    (pad < 0 ||
	     set(config, "pad_token_id", json_integer(pad)) == 0) &&
	    set_label(config) == 0)
		return config;
	json_decref(config);
	return NULL;
}

json_t *rm_model_config_json(const struct rm_model *m)
{
	json_t *config = json_pack("{s:s, s:O, s:I, s:s}",
				   "model_type", "rmtools",
				   "backbone_config", m->backbone_config,
				   "vocab_size", (json_int_t)m->vocab,
				   "torch_dtype", "float32");

	return config ? config : rm_fail_null("out of memory");
}
