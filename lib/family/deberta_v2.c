/*
 * DeBERTa, versions 2 and 3: attention by content and by relative position
 * apart.  He et al., DeBERTa: Decoding-enhanced BERT with Disentangled
 * Attention, ICLR 2021; DeBERTaV3, 2021.
 */
#include "family.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 128100),
	RM_CONFIG_SIZE("hidden_size", hidden, 1536),
	RM_CONFIG_SIZE("embedding_size", embed, 0),
	RM_CONFIG_SIZE("num_hidden_layers", layers, 24),
	RM_CONFIG_SIZE("num_attention_heads", heads, 24),
	RM_CONFIG_SIZE("attention_head_size", head_dim, 0),
	RM_CONFIG_SIZE("intermediate_size", ffn, 6144),
	RM_CONFIG_SIZE("max_position_embeddings", positions, 512),
	RM_CONFIG_SIZE("type_vocab_size", types, 0),
	RM_CONFIG_REAL("layer_norm_eps", eps, 1e-7),
	RM_CONFIG_ACT("hidden_act", activation, "gelu"),
	RM_CONFIG_ACT("pooler_hidden_act", head_activation, "gelu"),
	RM_CONFIG_FLAG("share_att_key", share_key, 0),
	RM_CONFIG_ONLY("conv_kernel_size", "0"),
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_EMBEDDINGS, .1),
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_RELATIVE, .1),
	RM_CONFIG_DROPOUT("attention_probs_dropout_prob", RM_DROP_ATTENTION,
			  .1),
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_ATTENTION_OUT, .1),
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_FFN_OUT, .1),
	RM_CONFIG_DROPOUT("pooler_dropout", RM_DROP_HEAD_DENSE, 0),
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_HEAD_OUT, .1),
	RM_CONFIG_DROPOUT_OVER("cls_dropout", RM_DROP_HEAD_OUT),
	{ .type = RM_CONFIG_END }
};

#define LAYER "deberta.encoder.layer.%."

static const struct rm_tensor_name tensors[] = {
	{ RM_TOKENS, "deberta.embeddings.word_embeddings", RM_PAD_FIXED },
	{ RM_POSITIONS, "deberta.embeddings.position_embeddings", 0 },
	{ RM_TYPES, "deberta.embeddings.token_type_embeddings", 0 },
	{ RM_EMBED_IN, "deberta.embeddings.embed_proj", 0 },
	{ RM_EMBED_NORM, "deberta.embeddings.LayerNorm", RM_BIAS },
	{ RM_RELATIVE, "deberta.encoder.rel_embeddings", 0 },
	{ RM_RELATIVE_NORM, "deberta.encoder.LayerNorm", RM_BIAS },
	{ RM_Q, LAYER "attention.self.query_proj", RM_BIAS },
	{ RM_K, LAYER "attention.self.key_proj", RM_BIAS },
	{ RM_V, LAYER "attention.self.value_proj", RM_BIAS },
	{ RM_POS_KEY, LAYER "attention.self.pos_key_proj", RM_BIAS },
	{ RM_POS_QUERY, LAYER "attention.self.pos_query_proj", RM_BIAS },
	{ RM_ATTENTION_OUT, LAYER "attention.output.dense", RM_BIAS },
	{ RM_ATTENTION_NORM, LAYER "attention.output.LayerNorm", RM_BIAS },
	{ RM_UP, LAYER "intermediate.dense", RM_BIAS },
	{ RM_DOWN, LAYER "output.dense", RM_BIAS },
	{ RM_FFN_NORM, LAYER "output.LayerNorm", RM_BIAS },
	{ RM_HEAD_DENSE, "pooler.dense", RM_BIAS },
	{ RM_HEAD_OUT, "classifier", RM_BIAS },
	{ .name = NULL }
};

static const char *const ignored[] = { "cls.*", "lm_predictions.*",
				       "mask_predictions.*", NULL };

static void add_type(struct rm_arch *a, const char *name, size_t n)
{
	a->c2p |= n == 3 && strncasecmp(name, "c2p", n) == 0;
	a->p2c |= n == 3 && strncasecmp(name, "p2c", n) == 0;
}

/* "c2p|p2c", or a list of the two. */
static int read_types(struct rm_arch *a, const json_t *v)
{
	const char *text = json_string_value(v);

	if (json_is_array(v)) {
		for (size_t i = 0; i < json_array_size(v); i++) {
			text = json_string_value(json_array_get(v, i));
			if (text)
				add_type(a, text, strlen(text));
		}
		return 0;
	}
	if (v && !json_is_null(v) && !text)
		return rm_fail("pos_att_type is neither text nor a list");
	while (text && *text) {
		size_t n = strcspn(text, "| ");

		add_type(a, text, n);
		text += n + (text[n] != '\0');
	}
	return 0;
}

/* -1 stands for none. */
static size_t size_or(const json_t *config, const char *key, size_t otherwise)
{
	const json_t *v = json_object_get(config, key);

	return json_is_integer(v) && json_integer_value(v) > 0 &&
	       json_integer_value(v) < 1 << 24 ?
		(size_t)json_integer_value(v) : otherwise;
}

static int relative(struct rm_arch *a, const json_t *config)
{
	const char *norm;

	if (read_types(a, json_object_get(config, "pos_att_type")) < 0 ||
	    rm_json_opt_string(config, "norm_rel_ebd", "config.json", "none",
			       &norm) < 0)
		return -1;
	a->max_relative = size_or(config, "max_relative_positions",
				  a->positions);
	a->buckets = size_or(config, "position_buckets", 0);
	a->span = a->buckets ? a->buckets : a->max_relative;
	if (!strstr(norm, "layer_norm"))
		rm_family_without(a, RM_RELATIVE_NORM);
	if (a->buckets && (a->buckets < 4 ||
			   a->max_relative < a->buckets / 2 + 2))
		return rm_fail("position_buckets %zu do not fit %zu relative "
			       "positions", a->buckets, a->max_relative);
	return 0;
}

static int finish(struct rm_arch *a, const json_t *config)
{
	const json_t *biased = json_object_get(config,
					       "position_biased_input");
	bool on = json_is_true(json_object_get(config, "relative_attention"));

	/* The scale counts the kinds of attention that pos_att_type names,
	 * whether they are on or not. */
	if (relative(a, config) < 0)
		return -1;
	if (a->head_dim == 0 && a->heads)
		a->head_dim = a->hidden / a->heads;
	a->scale = 1 / sqrt((double)a->head_dim *
			       (1 + a->c2p + a->p2c));
	if (!on) {
		a->c2p = a->p2c = false;
		a->span = 0;
		rm_family_without(a, RM_RELATIVE);
		a->drops[RM_DROP_RELATIVE] = false;
	}
	if (!a->c2p || a->share_key)
		rm_family_without(a, RM_POS_KEY);
	if (!a->p2c || a->share_key)
		rm_family_without(a, RM_POS_QUERY);
	if (a->types == 0)
		rm_family_without(a, RM_TYPES);
	if (a->embed == 0 || a->embed == a->hidden)
		rm_family_without(a, RM_EMBED_IN);
	if (json_is_false(biased))
		rm_family_without(a, RM_POSITIONS);
	else
		a->max_length = a->positions;
	return 0;
}

/* As in version 3, but that every distance is its own: by default its class
 * has no relative positions at all. */
static const char usual[] =
	"{\"relative_attention\": true, \"pos_att_type\": \"p2c|c2p\", "
	"\"share_att_key\": true, \"norm_rel_ebd\": \"layer_norm\", "
	"\"position_biased_input\": false}";

const struct rm_family_kind rm_family_deberta_v2 = {
	.model_type = "deberta-v2",
	.class = "DebertaV2ForSequenceClassification",
	.prefix = "deberta.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST },
	.usual = usual,
	.finish = finish
};
