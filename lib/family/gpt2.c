/*
 * GPT-2.  Radford et al., Language Models are Unsupervised Multitask
 * Learners, 2019.  Its matrices are stored transposed.
 */
#include "family.h"

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 50257),
	RM_CONFIG_SIZE("n_embd", hidden, 768),
	RM_CONFIG_SIZE("n_layer", layers, 12),
	RM_CONFIG_SIZE("n_head", heads, 12),
	RM_CONFIG_SIZE("n_inner", ffn, 0),
	RM_CONFIG_SIZE("n_positions", positions, 1024),
	RM_CONFIG_REAL("layer_norm_epsilon", eps, 1e-5),
	RM_CONFIG_ACT("activation_function", activation, "gelu_new"),
	RM_CONFIG_FLAG("scale_attn_by_inverse_layer_idx", scale_by_layer, 0),
	RM_CONFIG_DROPOUT("embd_pdrop", RM_DROP_EMBEDDINGS, .1),
	RM_CONFIG_DROPOUT("attn_pdrop", RM_DROP_ATTENTION, .1),
	RM_CONFIG_DROPOUT("resid_pdrop", RM_DROP_ATTENTION_OUT, .1),
	RM_CONFIG_DROPOUT("resid_pdrop", RM_DROP_FFN_OUT, .1),
	{ .type = RM_CONFIG_END }
};

#define TURNED (RM_BIAS | RM_TRANSPOSED)

static const struct rm_tensor_name tensors[] = {
	{ RM_TOKENS, "transformer.wte", 0 },
	{ RM_POSITIONS, "transformer.wpe", 0 },
	{ RM_ATTENTION_NORM, "transformer.h.%.ln_1", RM_BIAS },
	{ RM_QKV, "transformer.h.%.attn.c_attn", TURNED },
	{ RM_ATTENTION_OUT, "transformer.h.%.attn.c_proj", TURNED },
	{ RM_FFN_NORM, "transformer.h.%.ln_2", RM_BIAS },
	{ RM_UP, "transformer.h.%.mlp.c_fc", TURNED },
	{ RM_DOWN, "transformer.h.%.mlp.c_proj", TURNED },
	{ RM_FINAL_NORM, "transformer.ln_f", RM_BIAS },
	{ RM_HEAD_OUT, "score", 0 },
	{ .name = NULL }
};

static const char *const ignored[] = { "lm_head.*", NULL };

static int finish(struct rm_arch *a, const json_t *config)
{
	if (a->ffn == 0)
		a->ffn = 4 * a->hidden;
	if (json_is_false(json_object_get(config, "scale_attn_weights")))
		a->scale = 1;
	a->max_length = a->positions;
	return 0;
}

const struct rm_family_kind rm_family_gpt2 = {
	.model_type = "gpt2",
	.class = "GPT2ForSequenceClassification",
	.prefix = "transformer.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .causal = true, .order = RM_NORM_BEFORE,
		  .small_ends = true,
		  .pooling = RM_POOL_LAST, .pad = -1 },
	.finish = finish
};
