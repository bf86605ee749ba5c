/*
 * GPT-NeoX and Pythia.  Black et al., GPT-NeoX-20B, 2022.  Biderman et al.,
 * Pythia, ICML 2023.
 */
#include "family.h"

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 50432),
	RM_CONFIG_SIZE("hidden_size", hidden, 6144),
	RM_CONFIG_SIZE("num_hidden_layers", layers, 44),
	RM_CONFIG_SIZE("num_attention_heads", heads, 64),
	RM_CONFIG_SIZE("intermediate_size", ffn, 24576),
	RM_CONFIG_SIZE("max_position_embeddings", max_length, 2048),
	RM_CONFIG_REAL("layer_norm_eps", eps, 1e-5),
	RM_CONFIG_ACT("hidden_act", activation, "gelu"),
	RM_CONFIG_DROPOUT("hidden_dropout", RM_DROP_EMBEDDINGS, 0),
	RM_CONFIG_DROPOUT("attention_dropout", RM_DROP_ATTENTION, 0),
	RM_CONFIG_DROPOUT("hidden_dropout", RM_DROP_ATTENTION_OUT, 0),
	RM_CONFIG_DROPOUT("hidden_dropout", RM_DROP_FFN_OUT, 0),
	{ .type = RM_CONFIG_END }
};

#define LAYER "gpt_neox.layers.%."

static const struct rm_tensor_name tensors[] = {
	{ RM_TOKENS, "gpt_neox.embed_in", 0 },
	{ RM_ATTENTION_NORM, LAYER "input_layernorm", RM_BIAS },
	{ RM_QKV, LAYER "attention.query_key_value", RM_BIAS },
	{ RM_ATTENTION_OUT, LAYER "attention.dense", RM_BIAS },
	{ RM_FFN_NORM, LAYER "post_attention_layernorm", RM_BIAS },
	{ RM_UP, LAYER "mlp.dense_h_to_4h", RM_BIAS },
	{ RM_DOWN, LAYER "mlp.dense_4h_to_h", RM_BIAS },
	{ RM_FINAL_NORM, "gpt_neox.final_layer_norm", RM_BIAS },
	{ RM_HEAD_OUT, "score", 0 },
	{ .name = NULL }
};

static const char *const ignored[] = { "embed_out.*", NULL };

static int finish(struct rm_arch *a, const json_t *config)
{
	const json_t *parallel = json_object_get(config,
						 "use_parallel_residual");

	if (json_is_false(parallel))
		a->order = RM_NORM_BEFORE;
	if (json_is_false(json_object_get(config, "attention_bias"))) {
		rm_family_no_bias(a, RM_QKV);
		rm_family_no_bias(a, RM_ATTENTION_OUT);
	}
	return rm_family_rope(a, config, "rotary_emb_base", 10000,
			      "rotary_pct", .25);
}

const struct rm_family_kind rm_family_gpt_neox = {
	.model_type = "gpt_neox",
	.class = "GPTNeoXForSequenceClassification",
	.prefix = "gpt_neox.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .causal = true, .order = RM_NORM_PARALLEL,
		  .pooling = RM_POOL_LAST, .pad = -1, .qkv_by_head = true },
	.finish = finish
};
