/*
 * OPT.  Zhang et al., OPT: Open Pre-trained Transformer Language Models,
 * 2022.
 */
#include "family.h"

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 50272),
	RM_CONFIG_SIZE("hidden_size", hidden, 768),
	RM_CONFIG_SIZE("word_embed_proj_dim", embed, 0),
	RM_CONFIG_SIZE("num_hidden_layers", layers, 12),
	RM_CONFIG_SIZE("num_attention_heads", heads, 12),
	RM_CONFIG_SIZE("ffn_dim", ffn, 3072),
	RM_CONFIG_SIZE("max_position_embeddings", positions, 2048),
	RM_CONFIG_ACT("activation_function", activation, "relu"),
	RM_CONFIG_ONLY("layer_norm_elementwise_affine", "true"),
	RM_CONFIG_DROPOUT("attention_dropout", RM_DROP_ATTENTION, 0),
	RM_CONFIG_DROPOUT("dropout", RM_DROP_ATTENTION_OUT, .1),
	RM_CONFIG_DROPOUT("dropout", RM_DROP_FFN_OUT, .1),
	RM_CONFIG_REAL("layerdrop", layer_drop, 0),
	{ .type = RM_CONFIG_END }
};

#define LAYER "model.decoder.layers.%."

static const struct rm_tensor_name tensors[] = {
	{ RM_TOKENS, "model.decoder.embed_tokens", RM_PAD_FIXED },
	{ RM_POSITIONS, "model.decoder.embed_positions", 0 },
	{ RM_EMBED_IN, "model.decoder.project_in", 0 },
	{ RM_EMBED_OUT, "model.decoder.project_out", 0 },
	{ RM_ATTENTION_NORM, LAYER "self_attn_layer_norm", RM_BIAS },
	{ RM_Q, LAYER "self_attn.q_proj", RM_BIAS },
	{ RM_K, LAYER "self_attn.k_proj", RM_BIAS },
	{ RM_V, LAYER "self_attn.v_proj", RM_BIAS },
	{ RM_ATTENTION_OUT, LAYER "self_attn.out_proj", RM_BIAS },
	{ RM_FFN_NORM, LAYER "final_layer_norm", RM_BIAS },
	{ RM_UP, LAYER "fc1", RM_BIAS },
	{ RM_DOWN, LAYER "fc2", RM_BIAS },
	{ RM_FINAL_NORM, "model.decoder.final_layer_norm", RM_BIAS },
	{ RM_HEAD_OUT, "score", 0 },
	{ .name = NULL }
};

static const char *const ignored[] = { "lm_head.*", NULL };

static int finish(struct rm_arch *a, const json_t *config)
{
	static const enum rm_slot linear[] = {
		RM_Q, RM_K, RM_V, RM_ATTENTION_OUT, RM_UP, RM_DOWN
	};
	bool before = !json_is_false(json_object_get(config,
						     "do_layer_norm_before"));

	if (json_is_false(json_object_get(config, "enable_bias")))
		for (size_t i = 0; i < RM_COUNT(linear); i++)
			rm_family_no_bias(a, linear[i]);
	if (!before)
		a->order = RM_NORM_AFTER;
	if (!before || json_is_true(json_object_get(config,
					"_remove_final_layer_norm")))
		rm_family_without(a, RM_FINAL_NORM);
	if (a->embed == 0 || a->embed == a->hidden) {
		rm_family_without(a, RM_EMBED_IN);
		rm_family_without(a, RM_EMBED_OUT);
	}
	a->max_length = a->positions;
	a->position_offset = 2;
	a->positions += a->position_offset;
	return 0;
}

const struct rm_family_kind rm_family_opt = {
	.model_type = "opt",
	.class = "OPTForSequenceClassification",
	.prefix = "model.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .causal = true, .order = RM_NORM_BEFORE, .eps = 1e-5,
		  .pooling = RM_POOL_LAST, .pad = 1,
		  .in_before_positions = true },
	.finish = finish
};
