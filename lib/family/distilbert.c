/*
 * DistilBERT.  Sanh et al., DistilBERT, a distilled version of BERT, 2019.
 */
#include "family.h"

static const struct rm_config_key keys[] = {
	RM_CONFIG_SIZE("vocab_size", vocab, 30522),
	RM_CONFIG_SIZE("dim", hidden, 768),
	RM_CONFIG_SIZE("n_layers", layers, 6),
	RM_CONFIG_SIZE("n_heads", heads, 12),
	RM_CONFIG_SIZE("hidden_dim", ffn, 3072),
	RM_CONFIG_SIZE("max_position_embeddings", positions, 512),
	RM_CONFIG_ACT("activation", activation, "gelu"),
	RM_CONFIG_DROPOUT("dropout", RM_DROP_EMBEDDINGS, .1),
	RM_CONFIG_DROPOUT("attention_dropout", RM_DROP_ATTENTION, .1),
	RM_CONFIG_DROPOUT("dropout", RM_DROP_FFN_OUT, .1),
	RM_CONFIG_DROPOUT("seq_classif_dropout", RM_DROP_HEAD_OUT, .2),
	{ .type = RM_CONFIG_END }
};

#define LAYER "distilbert.transformer.layer.%."

static const struct rm_tensor_name tensors[] = {
	{ RM_TOKENS, "distilbert.embeddings.word_embeddings", RM_PAD_FIXED },
	{ RM_POSITIONS, "distilbert.embeddings.position_embeddings", 0 },
	{ RM_EMBED_NORM, "distilbert.embeddings.LayerNorm", RM_BIAS },
	{ RM_Q, LAYER "attention.q_lin", RM_BIAS },
	{ RM_K, LAYER "attention.k_lin", RM_BIAS },
	{ RM_V, LAYER "attention.v_lin", RM_BIAS },
	{ RM_ATTENTION_OUT, LAYER "attention.out_lin", RM_BIAS },
	{ RM_ATTENTION_NORM, LAYER "sa_layer_norm", RM_BIAS },
	{ RM_UP, LAYER "ffn.lin1", RM_BIAS },
	{ RM_DOWN, LAYER "ffn.lin2", RM_BIAS },
	{ RM_FFN_NORM, LAYER "output_layer_norm", RM_BIAS },
	{ RM_HEAD_DENSE, "pre_classifier", RM_BIAS },
	{ RM_HEAD_OUT, "classifier", RM_BIAS },
	{ .name = NULL }
};

static const char *const ignored[] = { "vocab_transform.*",
				       "vocab_layer_norm.*",
				       "vocab_projector.*", NULL };

static int finish(struct rm_arch *a, const json_t *config)
{
	(void)config;
	a->max_length = a->positions;
	a->head_activation = rm_family_activation("relu");
	return 0;
}

const struct rm_family_kind rm_family_distilbert = {
	.model_type = "distilbert",
	.class = "DistilBertForSequenceClassification",
	.prefix = "distilbert.",
	.keys = keys,
	.tensors = tensors,
	.ignored = ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST,
		  .eps = 1e-12 },
	.finish = finish
};
