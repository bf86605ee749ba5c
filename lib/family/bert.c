/*
 * BERT.  Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers
 * for Language Understanding, NAACL 2019.
 */
#include "family.h"

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 30522),
	RM_CONFIG_SIZE("hidden_size", hidden, 768),
	RM_CONFIG_SIZE("num_hidden_layers", layers, 12),
	RM_CONFIG_SIZE("num_attention_heads", heads, 12),
	RM_CONFIG_SIZE("intermediate_size", ffn, 3072),
	RM_CONFIG_SIZE("max_position_embeddings", positions, 512),
	RM_CONFIG_SIZE("type_vocab_size", types, 2),
	RM_CONFIG_REAL("layer_norm_eps", eps, 1e-12),
	RM_CONFIG_ACT("hidden_act", activation, "gelu"),
	RM_CONFIG_ONLY("position_embedding_type", "\"absolute\""),
	{ .type = RM_CONFIG_END }
};

static const struct rm_tensor_name tensors[] = {
	{ RM_TOKENS, "bert.embeddings.word_embeddings", 0 },
	{ RM_POSITIONS, "bert.embeddings.position_embeddings", 0 },
	{ RM_TYPES, "bert.embeddings.token_type_embeddings", 0 },
	{ RM_EMBED_NORM, "bert.embeddings.LayerNorm", RM_BIAS },
	{ RM_Q, "bert.encoder.layer.%.attention.self.query", RM_BIAS },
	{ RM_K, "bert.encoder.layer.%.attention.self.key", RM_BIAS },
	{ RM_V, "bert.encoder.layer.%.attention.self.value", RM_BIAS },
	{ RM_ATTENTION_OUT, "bert.encoder.layer.%.attention.output.dense",
	  RM_BIAS },
	{ RM_ATTENTION_NORM,
	  "bert.encoder.layer.%.attention.output.LayerNorm", RM_BIAS },
	{ RM_UP, "bert.encoder.layer.%.intermediate.dense", RM_BIAS },
	{ RM_DOWN, "bert.encoder.layer.%.output.dense", RM_BIAS },
	{ RM_FFN_NORM, "bert.encoder.layer.%.output.LayerNorm", RM_BIAS },
	{ RM_HEAD_DENSE, "bert.pooler.dense", RM_BIAS },
	{ RM_HEAD_OUT, "classifier", RM_BIAS },
	{ .name = NULL }
};

static const char *const ignored[] = { "cls.*", NULL };

static int finish(struct rm_arch *a, const json_t *config)
{
	(void)config;
	a->max_length = a->positions;
	a->head_activation = rm_family_activation("tanh");
	return 0;
}

const struct rm_family_kind rm_family_bert = {
	.model_type = "bert",
	.class = "BertForSequenceClassification",
	.prefix = "bert.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST },
	.finish = finish
};
