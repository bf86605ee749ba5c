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

static int take_family(struct rm_model *m, json_t *config)
{
	m->arch = rm_malloc(1, sizeof(*m->arch));
	if (!m->arch || rm_arch_init(m->arch, config) < 0)
		return -1;
	m->config = json_incref(config);
	return 0;
}

static int parse_ours(struct rm_model *m, const json_t *config)
{
	json_t *backbone = json_object_get(config, "backbone_config"), *family;

	if (!json_is_object(backbone))
		return rm_fail("backbone_config is missing or no object");
	m->backbone_config = json_incref(backbone);
	m->wrapped = true;
	family = json_object_get(backbone, "config");
	if (family && take_family(m, family) < 0)
		return rm_wrap("backbone_config");
	return rm_json_get_size(config, "vocab_size", RM_MODEL_CONFIG,
				&m->vocab);
}

static int parse_family(struct rm_model *m, json_t *config)
{
	if (take_family(m, config) < 0)
		return -1;
	m->vocab = m->arch->vocab;
	m->backbone_config = json_pack("{s:s, s:O}", "name",
				       RM_MODEL_TRANSFORMER, "config",
				       config);
	return m->backbone_config ? 0 : rm_fail("out of memory");
}

int rm_model_parse_config(struct rm_model *m, json_t *config)
{
	const char *type;

	if (rm_json_get_string(config, "model_type", RM_MODEL_CONFIG,
			       &type) < 0)
		return -1;
	m->max_length = rm_model_positions(config);
	if (strcmp(type, "rmtools") == 0)
		return parse_ours(m, config);
	return parse_family(m, config);
}

/* The id that the policy has for a kind of token; -1: none. */
static int32_t policy_id(const struct rm_model *m, const char *key)
{
	const json_t *id = json_object_get(m->origin.policy, key);

	return json_is_integer(id) && json_integer_value(id) >= 0 &&
	       (size_t)json_integer_value(id) < m->vocab ?
	       (int32_t)json_integer_value(id) : -1;
}

int rm_model_find_pooling(struct rm_model *m)
{
	struct rm_encoder_options o;

	if (rm_head_encoding(m->head_config, &o) < 0)
		return -1;
	m->pooling = o.pool ? rm_pool_names[o.pool] : RM_MODEL_POOLING;
	return 0;
}

int rm_model_check_pooling(const struct rm_model *m, const char *name)
{
	return strcmp(name, m->pooling) == 0 ? 0 :
	       rm_fail("pooling is \"%s\", but the head's is \"%s\"", name,
		       m->pooling);
}

static bool is_head_slot(const struct rm_arch *arch, const char *name)
{
	static const char *const ends[] = { ".weight", ".bias" };
	struct rm_buf b = {0};
	bool is = false;

	for (int s = RM_FIRST_OF_HEAD; s < RM_SLOTS && !is; s++)
		for (size_t i = 0; arch->slot[s].name && i < 2 && !is; i++) {
			rm_buf_clear(&b);
			rm_arch_name(arch, (enum rm_slot)s, 0, ends[i], &b);
			is = rm_buf_text(&b) &&
			     strcmp((char *)b.data, name) == 0;
		}
	rm_buf_fini(&b);
	return is;
}

static bool is_of_head(const struct rm_model *m, const char *name)
{
	return (m->arch && is_head_slot(m->arch, name)) ||
	       strncmp(name, "score.", strlen("score.")) == 0;
}

static bool ignores(const void *arg, const char *name)
{
	const struct rm_model *m = arg;

	return (m->arch && !m->wrapped && rm_arch_ignores(m->arch, name)) ||
	       (m->other_head && is_of_head(m, name));
}

struct rm_model_names rm_model_names(const struct rm_model *m)
{
	/* Ours is as it was saved: whole, and nothing else. */
	return (struct rm_model_names){
		.prefix = m->arch && !m->wrapped ? m->arch->family->prefix :
						   NULL,
		.ignores = ignores, .arg = m, .skip_head = m->other_head
	};
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

static int set_regression(json_t *config)
{
	if (set(config, "problem_type", json_string("regression")) < 0)
		return -1;
	return set_label(config);
}

/* ---- a new one ---- */

int rm_model_describe_new(struct rm_model *m)
{
	const struct rm_family_tokens tokens = {
		.vocab = m->vocab, .pad = policy_id(m, "pad_id"),
		.bos = policy_id(m, "bos_id"), .eos = policy_id(m, "eos_id")
	};
	json_t *config, *chosen = m->backbone_config;
	int status;

	if (rm_backbone_describe(chosen, &tokens, &config) < 0)
		return -1;
	if (!config)
		return 0;
	m->backbone_config = NULL;
	status = set_label(config);
	if (status == 0)
		status = rm_model_parse_config(m, config);
	json_decref(chosen);
	json_decref(config);
	return status;
}

/* ---- what stands in a directory ---- */

bool rm_model_has_head(const struct rm_model *m, const struct rm_weights *w)
{
	struct rm_buf b = {0};
	bool has;

	if (!m->arch || m->wrapped)
		return true;
	rm_arch_name(m->arch, RM_HEAD_OUT, 0, ".weight", &b);
	has = rm_buf_text(&b) && rm_weights_find(w, (char *)b.data);
	rm_buf_fini(&b);
	return has;
}

int rm_model_settle_labels(struct rm_model *m, const char *dir)
{
	struct rm_weights *w;
	json_t *config;
	bool has = false;

	if (!m->config || m->arch->labels == 1)
		return 0;
	if (!m->other_head) {
		w = m->wrapped ? NULL : rm_weights_open(dir);
		if (!w)
			return m->wrapped ? 0 : -1;
		has = rm_model_has_head(m, w);
		rm_weights_close(w);
	}
	if (has)
		return 0;
	config = json_deep_copy(m->config);
	if (!config)
		return rm_fail("out of memory");
	json_decref(m->config);
	m->config = config;
	m->arch->labels = 1;
	if (set_label(config) < 0)
		return -1;
	return set(m->backbone_config, "config", json_incref(config));
}

json_t *rm_model_save_config(const json_t *as_it_was,
			     const struct rm_arch *arch, int32_t pad)
{
	json_t *config = json_deep_copy(as_it_was);

	if (!config)
		return rm_fail_null("out of memory");
	/*
	 * Version 5 of Transformers writes dtype and reads both; earlier
	 * ones that know torch_dtype alone load float32 where it is missing.
	 */
	json_object_del(config, "torch_dtype");
	if (set(config, "architectures",
		json_pack("[s]", arch->family->class)) == 0 &&
	    set(config, "dtype", json_string("float32")) == 0 &&
	    (pad < 0 ||
	     set(config, "pad_token_id", json_integer(pad)) == 0) &&
	    (arch->labels != 1 || set_regression(config) == 0))
		return config;
	json_decref(config);
	return NULL;
}

/* The family's, else the policy's; -1 if neither has one. */
static int32_t pad_of(const struct rm_model *m)
{
	return m->arch->pad >= 0 ? m->arch->pad : policy_id(m, "pad_id");
}

/* Transformers can load it: its family's own head. */
static bool is_theirs(const struct rm_model *m)
{
	const char *head = json_string_value(
		json_object_get(m->head_config, "name"));

	return m->config && head && strcmp(head, RM_MODEL_NATIVE) == 0;
}

json_t *rm_model_config_json(const struct rm_model *m)
{
	if (is_theirs(m))
		return rm_model_save_config(m->config, m->arch, pad_of(m));

	json_t *config = json_pack("{s:s, s:O, s:I, s:s}",
				   "model_type", "rmtools",
				   "backbone_config", m->backbone_config,
				   "vocab_size", (json_int_t)m->vocab,
				   "torch_dtype", "float32");

	return config ? config : rm_fail_null("out of memory");
}
