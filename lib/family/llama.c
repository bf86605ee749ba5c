/*
 * Llama, Mistral, Qwen2, Qwen3 and Gemma 2: one layout of tensors with RMS
 * norms, rotary positions and a gated feed-forward part.  Touvron et al.,
 * LLaMA, 2023; Jiang et al., Mistral 7B, 2023; Qwen2 and Qwen3 Technical
 * Reports, 2024 and 2025; Gemma 2: Improving Open Language Models at a
 * Practical Size, 2024.
 */
#include "family.h"

#include <math.h>

#define KEYS(v, c, i, l, h, p)						\
	RM_CONFIG_SIZE("vocab_size", vocab, v),				\
	RM_CONFIG_SIZE("hidden_size", hidden, c),			\
	RM_CONFIG_SIZE("intermediate_size", ffn, i),			\
	RM_CONFIG_SIZE("num_hidden_layers", layers, l),			\
	RM_CONFIG_SIZE("num_attention_heads", heads, h),		\
	RM_CONFIG_SIZE("max_position_embeddings", max_length, p),	\
	RM_CONFIG_REAL("rms_norm_eps", eps, 1e-6),			\
	RM_CONFIG_DROPOUT("attention_dropout", RM_DROP_ATTENTION, 0)

static const struct rm_config_key llama_keys[] = {
	KEYS(32000, 4096, 11008, 32, 32, 2048),
	RM_CONFIG_SIZE("num_key_value_heads", kv_heads, 0),
	RM_CONFIG_SIZE("head_dim", head_dim, 0),
	RM_CONFIG_ACT("hidden_act", activation, "silu"),
	{ .type = RM_CONFIG_END }
};

static const struct rm_config_key mistral_keys[] = {
	KEYS(32000, 4096, 14336, 32, 32, 131072),
	RM_CONFIG_SIZE("num_key_value_heads", kv_heads, 8),
	RM_CONFIG_SIZE("head_dim", head_dim, 0),
	RM_CONFIG_ACT("hidden_act", activation, "silu"),
	{ .type = RM_CONFIG_END }
};

static const struct rm_config_key qwen2_keys[] = {
	KEYS(151936, 4096, 22016, 32, 32, 32768),
	RM_CONFIG_SIZE("num_key_value_heads", kv_heads, 32),
	RM_CONFIG_ACT("hidden_act", activation, "silu"),
	{ .type = RM_CONFIG_END }
};

static const struct rm_config_key qwen3_keys[] = {
	KEYS(151936, 4096, 22016, 32, 32, 32768),
	RM_CONFIG_SIZE("num_key_value_heads", kv_heads, 32),
	RM_CONFIG_SIZE("head_dim", head_dim, 128),
	RM_CONFIG_ACT("hidden_act", activation, "silu"),
	{ .type = RM_CONFIG_END }
};

static const struct rm_config_key gemma2_keys[] = {
	KEYS(256000, 2304, 9216, 26, 8, 8192),
	RM_CONFIG_SIZE("num_key_value_heads", kv_heads, 4),
	RM_CONFIG_SIZE("head_dim", head_dim, 256),
	RM_CONFIG_SIZE("sliding_window", window, 4096),
	RM_CONFIG_REAL("query_pre_attn_scalar", scale, 256),
	RM_CONFIG_REAL("attn_logit_softcapping", softcap, 50),
	RM_CONFIG_ACT("hidden_activation", activation, "gelu_pytorch_tanh"),
	RM_CONFIG_ONLY("use_bidirectional_attention", "false"),
	{ .type = RM_CONFIG_END }
};

#define LAYER "model.layers.%."

#define TENSORS								\
	{ RM_TOKENS, "model.embed_tokens", RM_PAD_FIXED },		\
	{ RM_ATTENTION_NORM, LAYER "input_layernorm", 0 },		\
	{ RM_Q, LAYER "self_attn.q_proj", RM_BIAS },			\
	{ RM_K, LAYER "self_attn.k_proj", RM_BIAS },			\
	{ RM_V, LAYER "self_attn.v_proj", RM_BIAS },			\
	{ RM_ATTENTION_OUT, LAYER "self_attn.o_proj", RM_BIAS },	\
	{ RM_GATE, LAYER "mlp.gate_proj", RM_BIAS },			\
	{ RM_UP, LAYER "mlp.up_proj", RM_BIAS },			\
	{ RM_DOWN, LAYER "mlp.down_proj", RM_BIAS },			\
	{ RM_FINAL_NORM, "model.norm", 0 },				\
	{ RM_HEAD_OUT, "score", 0 }

static const struct rm_tensor_name tensors[] = {
	TENSORS,
	{ RM_FFN_NORM, LAYER "post_attention_layernorm", 0 },
	{ .name = NULL }
};

static const struct rm_tensor_name qwen3_tensors[] = {
	TENSORS,
	{ RM_FFN_NORM, LAYER "post_attention_layernorm", 0 },
	{ RM_Q_NORM, LAYER "self_attn.q_norm", 0 },
	{ RM_K_NORM, LAYER "self_attn.k_norm", 0 },
	{ .name = NULL }
};

static const struct rm_tensor_name gemma2_tensors[] = {
	TENSORS,
	{ RM_ATTENTION_OUT_NORM, LAYER "post_attention_layernorm", 0 },
	{ RM_FFN_NORM, LAYER "pre_feedforward_layernorm", 0 },
	{ RM_FFN_OUT_NORM, LAYER "post_feedforward_layernorm", 0 },
	{ .name = NULL }
};

static const char *const ignored[] = { "lm_head.*", NULL };

/* ---- biases ---- */

static void ffn_without_bias(struct rm_arch *a)
{
	rm_family_no_bias(a, RM_GATE);
	rm_family_no_bias(a, RM_UP);
	rm_family_no_bias(a, RM_DOWN);
}

static void qkv_without_bias(struct rm_arch *a)
{
	rm_family_no_bias(a, RM_Q);
	rm_family_no_bias(a, RM_K);
	rm_family_no_bias(a, RM_V);
}

/* By the keys attention_bias and, in Llama, mlp_bias; both false. */
static void set_biases(struct rm_arch *a, const json_t *config, bool mlp)
{
	if (!json_is_true(json_object_get(config, "attention_bias"))) {
		qkv_without_bias(a);
		rm_family_no_bias(a, RM_ATTENTION_OUT);
	}
	if (!mlp || !json_is_true(json_object_get(config, "mlp_bias")))
		ffn_without_bias(a);
}

/* ---- windows ---- */

static bool every_layer(size_t layer, size_t argument)
{
	(void)layer;
	(void)argument;
	return true;
}

static bool layers_from(size_t layer, size_t argument)
{
	return layer >= argument;
}

static bool even_layers(size_t layer, size_t argument)
{
	(void)argument;
	return layer % 2 == 0;
}

/* The window of Qwen's later layers, if it is to be used at all. */
static int qwen_window(struct rm_arch *a, const json_t *config)
{
	size_t from;

	if (!json_is_true(json_object_get(config, "use_sliding_window")))
		return 0;
	if (rm_json_opt_size(config, "sliding_window", "config.json", 4096,
			     &a->window) < 0 ||
	    rm_json_opt_size(config, "max_window_layers", "config.json", 28,
			     &from) < 0)
		return -1;
	return rm_family_sliding(a, config, layers_from, from);
}

/* ---- what keys say together ---- */

static int llama(struct rm_arch *a, const json_t *config)
{
	set_biases(a, config, true);
	return rm_family_rope(a, config, "rope_theta", 10000, NULL, 1);
}

/* Mistral's window is every layer's; null is none, missing is 4096. */
static int mistral(struct rm_arch *a, const json_t *config)
{
	const json_t *window = json_object_get(config, "sliding_window");

	qkv_without_bias(a);
	rm_family_no_bias(a, RM_ATTENTION_OUT);
	ffn_without_bias(a);
	if (json_is_null(window))
		return rm_family_rope(a, config, "rope_theta", 10000, NULL,
				      1);
	if (rm_json_opt_size(config, "sliding_window", "config.json", 4096,
			     &a->window) < 0)
		return -1;
	for (size_t i = 0; i < a->layers; i++)
		a->sliding[i] = every_layer(i, 0);
	return rm_family_rope(a, config, "rope_theta", 10000, NULL, 1);
}

static int qwen2(struct rm_arch *a, const json_t *config)
{
	rm_family_no_bias(a, RM_ATTENTION_OUT);
	ffn_without_bias(a);
	if (qwen_window(a, config) < 0)
		return -1;
	return rm_family_rope(a, config, "rope_theta", 10000, NULL, 1);
}

static int qwen3(struct rm_arch *a, const json_t *config)
{
	set_biases(a, config, false);
	if (qwen_window(a, config) < 0)
		return -1;
	return rm_family_rope(a, config, "rope_theta", 10000, NULL, 1);
}

/* Null is no cap, where a missing key is one of 50. */
static int gemma2(struct rm_arch *a, const json_t *config)
{
	set_biases(a, config, false);
	if (json_is_null(json_object_get(config, "attn_logit_softcapping")))
		a->softcap = 0;
	if (!(a->scale > 0) || !(a->softcap >= 0))
		return rm_fail("query_pre_attn_scalar or "
			       "attn_logit_softcapping is not positive");
	a->scale = 1 / sqrt(a->scale);
	a->embed_scale = (double)sqrtf((float)a->hidden);
	if (rm_family_sliding(a, config, even_layers, 0) < 0)
		return -1;
	return rm_family_rope(a, config, "rope_theta", 10000, NULL, 1);
}

const struct rm_family_kind rm_family_llama = {
	.model_type = "llama",
	.class = "LlamaForSequenceClassification",
	.prefix = "model.",
	.keys = llama_keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .causal = true, .rms = true,
		  .pooling = RM_POOL_LAST, .pad = -1 },
	.finish = llama
};

const struct rm_family_kind rm_family_mistral = {
	.model_type = "mistral",
	.class = "MistralForSequenceClassification",
	.prefix = "model.",
	.keys = mistral_keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .causal = true, .rms = true,
		  .pooling = RM_POOL_LAST, .pad = -1 },
	.finish = mistral
};

const struct rm_family_kind rm_family_qwen2 = {
	.model_type = "qwen2",
	.class = "Qwen2ForSequenceClassification",
	.prefix = "model.",
	.keys = qwen2_keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .causal = true, .rms = true,
		  .pooling = RM_POOL_LAST, .pad = -1 },
	.finish = qwen2
};

const struct rm_family_kind rm_family_qwen3 = {
	.model_type = "qwen3",
	.class = "Qwen3ForSequenceClassification",
	.prefix = "model.",
	.keys = qwen3_keys,
	.tensors = qwen3_tensors,
	.ignored = ignored,
	.arch = { .causal = true, .rms = true,
		  .pooling = RM_POOL_LAST, .pad = -1 },
	.finish = qwen3
};

const struct rm_family_kind rm_family_gemma2 = {
	.model_type = "gemma2",
	.class = "Gemma2ForSequenceClassification",
	.prefix = "model.",
	.keys = gemma2_keys,
	.tensors = gemma2_tensors,
	.ignored = ignored,
	.arch = { .causal = true, .rms = true,
		  .pooling = RM_POOL_LAST, .pad = 0,
		  .order = RM_NORM_AROUND, .norm_offset = 1 },
	.finish = gemma2
};
