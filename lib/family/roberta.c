/*
 * RoBERTa and XLM-RoBERTa: BERT, but for positions that begin behind the pad
 * id and a head without a pooler.  Liu et al., RoBERTa: A Robustly Optimized
 * BERT Pretraining Approach, 2019.  Conneau et al., Unsupervised
 * Cross-lingual Representation Learning at Scale, ACL 2020.
 */
#include "family.h"

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 50265),
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
	{ RM_TOKENS, "roberta.embeddings.word_embeddings", 0 },
	{ RM_POSITIONS, "roberta.embeddings.position_embeddings", 0 },
	{ RM_TYPES, "roberta.embeddings.token_type_embeddings", 0 },
	{ RM_EMBED_NORM, "roberta.embeddings.LayerNorm", RM_BIAS },
	{ RM_Q, "roberta.encoder.layer.%.attention.self.query", RM_BIAS },
	{ RM_K, "roberta.encoder.layer.%.attention.self.key", RM_BIAS },
	{ RM_V, "roberta.encoder.layer.%.attention.self.value", RM_BIAS },
	{ RM_ATTENTION_OUT, "roberta.encoder.layer.%.attention.output.dense",
	  RM_BIAS },
	{ RM_ATTENTION_NORM,
	  "roberta.encoder.layer.%.attention.output.LayerNorm", RM_BIAS },
	{ RM_UP, "roberta.encoder.layer.%.intermediate.dense", RM_BIAS },
	{ RM_DOWN, "roberta.encoder.layer.%.output.dense", RM_BIAS },
	{ RM_FFN_NORM, "roberta.encoder.layer.%.output.LayerNorm", RM_BIAS },
	{ RM_HEAD_DENSE, "classifier.dense", RM_BIAS },
	{ RM_HEAD_OUT, "classifier.out_proj", RM_BIAS },
	{ .name = NULL }
};

static const char *const ignored[] = { "lm_head.*", "roberta.pooler.*",
				       "pooler.*", NULL };

static int finish(struct rm_arch *a, const json_t *config)
{
	(void)config;
	if (a->pad < 0 || (size_t)a->pad + 1 >= a->positions)
		return rm_fail("pad_token_id leaves no positions");
	a->position_offset = (size_t)a->pad + 1;
	a->max_length = a->positions - a->position_offset;
	a->head_activation = rm_family_activation("tanh");
	return 0;
}

const struct rm_family_kind rm_family_roberta = {
	.model_type = "roberta",
	.class = "RobertaForSequenceClassification",
	.prefix = "roberta.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST,
		  .position_skips_pad = true, .pad = 1 },
	.finish = finish
};

const struct rm_family_kind rm_family_xlm_roberta = {
	.model_type = "xlm-roberta",
	.class = "XLMRobertaForSequenceClassification",
	.prefix = "roberta.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST,
		  .position_skips_pad = true, .pad = 1 },
	.finish = finish
};
