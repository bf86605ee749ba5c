/*
 * ModernBERT: rotary positions, gated feed-forward, layers of which most see
 * a window.  Warner et al., Smarter, Better, Faster, Longer, 2024.
 */
#include "family.h"

#include <string.h>

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 50368),
	RM_CONFIG_SIZE("hidden_size", hidden, 768),
	RM_CONFIG_SIZE("num_hidden_layers", layers, 22),
	RM_CONFIG_SIZE("num_attention_heads", heads, 12),
	RM_CONFIG_SIZE("intermediate_size", ffn, 1152),
	RM_CONFIG_SIZE("max_position_embeddings", max_length, 8192),
	RM_CONFIG_REAL("norm_eps", eps, 1e-5),
	RM_CONFIG_ACT("hidden_activation", activation, "gelu"),
	RM_CONFIG_ACT("classifier_activation", head_activation, "gelu"),
	RM_CONFIG_DROPOUT("embedding_dropout", RM_DROP_EMBEDDINGS, 0),
	RM_CONFIG_DROPOUT("attention_dropout", RM_DROP_ATTENTION, 0),
	RM_CONFIG_DROPOUT("attention_dropout", RM_DROP_ATTENTION_OUT, 0),
	RM_CONFIG_DROPOUT("mlp_dropout", RM_DROP_FFN, 0),
	RM_CONFIG_DROPOUT("classifier_dropout", RM_DROP_HEAD_OUT, 0),
	{ .type = RM_CONFIG_END }
};

static const struct rm_tensor_name tensors[] = {
	{ RM_TOKENS, "model.embeddings.tok_embeddings", RM_PAD_FIXED },
	{ RM_EMBED_NORM, "model.embeddings.norm", RM_BIAS },
	{ RM_ATTENTION_NORM, "model.layers.%.attn_norm",
	  RM_BIAS | RM_NOT_FIRST },
	{ RM_QKV, "model.layers.%.attn.Wqkv", RM_BIAS },
	{ RM_ATTENTION_OUT, "model.layers.%.attn.Wo", RM_BIAS },
	{ RM_FFN_NORM, "model.layers.%.mlp_norm", RM_BIAS },
	{ RM_GATE_UP, "model.layers.%.mlp.Wi", RM_BIAS },
	{ RM_DOWN, "model.layers.%.mlp.Wo", RM_BIAS },
	{ RM_FINAL_NORM, "model.final_norm", RM_BIAS },
	{ RM_HEAD_DENSE, "head.dense", RM_BIAS },
	{ RM_HEAD_NORM, "head.norm", RM_BIAS },
	{ RM_HEAD_OUT, "classifier", RM_BIAS },
	{ .name = NULL }
};

/* Some publish a norm of layer 0, where the class has none. */
static const char *const ignored[] = {
	"decoder.*", "model.layers.0.attn_norm.*", NULL
};

static bool slides(size_t layer, size_t every)
{
	return layer % every != 0;
}

/* A flag for the biases of these slots, false where it is missing. */
static int biases(struct rm_arch *a, const json_t *config, const char *key,
		  const enum rm_slot *slot, size_t n)
{
	const json_t *v = json_object_get(config, key);

	if (v && !json_is_boolean(v))
		return rm_fail("%s is not true or false", key);
	for (size_t i = 0; i < n && !json_is_true(v); i++)
		rm_family_no_bias(a, slot[i]);
	return 0;
}

static int all_biases(struct rm_arch *a, const json_t *config)
{
	static const enum rm_slot norms[] = {
		RM_EMBED_NORM, RM_ATTENTION_NORM, RM_FFN_NORM, RM_FINAL_NORM,
		RM_HEAD_NORM
	};
	static const enum rm_slot attention[] = { RM_QKV, RM_ATTENTION_OUT };
	static const enum rm_slot ffn[] = { RM_GATE_UP, RM_DOWN };
	static const enum rm_slot head[] = { RM_HEAD_DENSE };

	if (biases(a, config, "norm_bias", norms, RM_COUNT(norms)) < 0 ||
	    biases(a, config, "attention_bias", attention,
		   RM_COUNT(attention)) < 0 ||
	    biases(a, config, "mlp_bias", ffn, RM_COUNT(ffn)) < 0)
		return -1;
	return biases(a, config, "classifier_bias", head, RM_COUNT(head));
}

static int windows(struct rm_arch *a, const json_t *config)
{
	size_t local, every;

	if (rm_json_opt_size(config, "local_attention", "config.json", 128,
			     &local) < 0 ||
	    rm_json_opt_size(config, "global_attn_every_n_layers",
			     "config.json", 3, &every) < 0)
		return -1;
	if (every == 0)
		return rm_fail("global_attn_every_n_layers is 0");
	a->window = local / 2;
	return rm_family_sliding(a, config, slides, every);
}

/* Each kind of layer turns by its own theta. */
static int ropes(struct rm_arch *a, const json_t *config)
{
	const json_t *both = json_object_get(config, "rope_parameters");
	struct rm_rope full;
	json_t *one = json_object();
	int status = 0;

	for (int i = 0; i < 2 && status == 0; i++) {
		const json_t *its = json_object_get(both, i ?
			"full_attention" : "sliding_attention");
		const char *key = i ? "global_rope_theta" :
				      "local_rope_theta";

		json_object_clear(one);
		if (json_is_object(its))
			json_object_set(one, "rope_parameters",
					(json_t *)its);
		json_object_set(one, key, json_object_get(config, key));
		json_object_set(one, "rope_scaling",
				json_object_get(config, "rope_scaling"));
		status = rm_family_rope(a, one, key, i ? 160000 : 10000,
					NULL, 1);
		if (i == 0)
			full = a->rope;
	}
	a->rope_sliding = full;
	json_decref(one);
	return status;
}

static int finish(struct rm_arch *a, const json_t *config)
{
	const char *pooling;

	if (rm_json_opt_string(config, "classifier_pooling", "config.json",
			       "cls", &pooling) < 0)
		return -1;
	if (strcmp(pooling, "mean") == 0)
		a->pooling = RM_POOL_MEAN;
	else if (strcmp(pooling, "cls") != 0)
		return rm_fail("classifier_pooling \"%s\" is neither cls nor "
			       "mean", pooling);
	if (all_biases(a, config) < 0 || windows(a, config) < 0)
		return -1;
	return ropes(a, config);
}

const struct rm_family_kind rm_family_modernbert = {
	.model_type = "modernbert",
	.class = "ModernBertForSequenceClassification",
	.prefix = "model.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .order = RM_NORM_BEFORE, .pooling = RM_POOL_FIRST,
		  .small_ends = true },
	/* Its class has ids of its own tokenizer for these. */
	.usual = "{\"cls_token_id\": null, \"sep_token_id\": null}",
	.finish = finish
};
