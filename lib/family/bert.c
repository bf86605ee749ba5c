/*
 * BERT, and RoBERTa and XLM-RoBERTa, which differ from it in positions that
 * begin behind the pad id and in a head without a pooler.  Devlin et al.,
 * BERT: Pre-training of Deep Bidirectional Transformers for Language
 * Understanding, NAACL 2019.  Liu et al., RoBERTa: A Robustly Optimized BERT
 * Pretraining Approach, 2019.  Conneau et al., Unsupervised Cross-lingual
 * Representation Learning at Scale, ACL 2020.
 */
#include "family.h"

#define KEYS(vocabulary)						\
	RM_CONFIG_SIZE("vocab_size", vocab, vocabulary),		\
	RM_CONFIG_SIZE("hidden_size", hidden, 768),			\
	RM_CONFIG_SIZE("num_hidden_layers", layers, 12),		\
	RM_CONFIG_SIZE("num_attention_heads", heads, 12),		\
	RM_CONFIG_SIZE("intermediate_size", ffn, 3072),			\
	RM_CONFIG_SIZE("max_position_embeddings", positions, 512),	\
	RM_CONFIG_SIZE("type_vocab_size", types, 2),			\
	RM_CONFIG_REAL("layer_norm_eps", eps, 1e-12),			\
	RM_CONFIG_ACT("hidden_act", activation, "gelu"),		\
	RM_CONFIG_ONLY("position_embedding_type", "\"absolute\""),	\
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_EMBEDDINGS, .1),\
	RM_CONFIG_DROPOUT("attention_probs_dropout_prob",		\
			  RM_DROP_ATTENTION, .1),			\
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_ATTENTION_OUT,	\
			  .1),						\
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_FFN_OUT, .1),	\
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_HEAD_OUT, .1),	\
	RM_CONFIG_DROPOUT_OVER("classifier_dropout", RM_DROP_HEAD_OUT)

/* Its head drops what it reads as well. */
#define ROBERTA_KEYS(vocabulary)					\
	KEYS(vocabulary),						\
	RM_CONFIG_DROPOUT("hidden_dropout_prob", RM_DROP_HEAD_DENSE, .1),\
	RM_CONFIG_DROPOUT_OVER("classifier_dropout", RM_DROP_HEAD_DENSE),\
	{ .type = RM_CONFIG_END }

static const struct rm_config_key bert_keys[] = {
	KEYS(30522),
	{ .type = RM_CONFIG_END }
};

static const struct rm_config_key roberta_keys[] = { ROBERTA_KEYS(50265) };
static const struct rm_config_key xlm_roberta_keys[] = {
	ROBERTA_KEYS(30522)
};

#define TENSORS(base)							\
	{ RM_TOKENS, base ".embeddings.word_embeddings", RM_PAD_FIXED },	\
	{ RM_POSITIONS, base ".embeddings.position_embeddings", 0 },	\
	{ RM_TYPES, base ".embeddings.token_type_embeddings", 0 },	\
	{ RM_EMBED_NORM, base ".embeddings.LayerNorm", RM_BIAS },	\
	{ RM_Q, base ".encoder.layer.%.attention.self.query", RM_BIAS },\
	{ RM_K, base ".encoder.layer.%.attention.self.key", RM_BIAS },	\
	{ RM_V, base ".encoder.layer.%.attention.self.value", RM_BIAS },\
	{ RM_ATTENTION_OUT,						\
	  base ".encoder.layer.%.attention.output.dense", RM_BIAS },	\
	{ RM_ATTENTION_NORM,						\
	  base ".encoder.layer.%.attention.output.LayerNorm", RM_BIAS },\
	{ RM_UP, base ".encoder.layer.%.intermediate.dense", RM_BIAS },	\
	{ RM_DOWN, base ".encoder.layer.%.output.dense", RM_BIAS },	\
	{ RM_FFN_NORM, base ".encoder.layer.%.output.LayerNorm", RM_BIAS }

static const struct rm_tensor_name bert_tensors[] = {
	TENSORS("bert"),
	{ RM_HEAD_DENSE, "bert.pooler.dense", RM_BIAS },
	{ RM_HEAD_OUT, "classifier", RM_BIAS },
	{ .name = NULL }
};

static const struct rm_tensor_name roberta_tensors[] = {
	TENSORS("roberta"),
	{ RM_HEAD_DENSE, "classifier.dense", RM_BIAS },
	{ RM_HEAD_OUT, "classifier.out_proj", RM_BIAS },
	{ .name = NULL }
};

static const char *const bert_ignored[] = { "cls.*", NULL };
static const char *const roberta_ignored[] = {
	"lm_head.*", "roberta.pooler.*", "pooler.*", NULL
};

static int bert(struct rm_arch *a, const json_t *config)
{
	(void)config;
	a->max_length = a->positions;
	a->head_activation = rm_family_activation("tanh");
	return 0;
}

static int roberta(struct rm_arch *a, const json_t *config)
{
	(void)config;
	if (a->pad < 0 || (size_t)a->pad + 1 >= a->positions)
		return rm_fail("pad_token_id leaves no positions");
	a->position_offset = (size_t)a->pad + 1;
	a->max_length = a->positions - a->position_offset;
	a->head_activation = rm_family_activation("tanh");
	return 0;
}

const struct rm_family_kind rm_family_bert = {
	.model_type = "bert",
	.class = "BertForSequenceClassification",
	.prefix = "bert.",
	.keys = bert_keys,
	.tensors = bert_tensors,
	.ignored = bert_ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST },
	.finish = bert
};

const struct rm_family_kind rm_family_roberta = {
	.model_type = "roberta",
	.class = "RobertaForSequenceClassification",
	.prefix = "roberta.",
	.keys = roberta_keys,
	.tensors = roberta_tensors,
	.ignored = roberta_ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST,
		  .position_skips_pad = true, .pad = 1 },
	.finish = roberta
};

const struct rm_family_kind rm_family_xlm_roberta = {
	.model_type = "xlm-roberta",
	.class = "XLMRobertaForSequenceClassification",
	.prefix = "roberta.",
	.keys = xlm_roberta_keys,
	.tensors = roberta_tensors,
	.ignored = roberta_ignored,
	.arch = { .order = RM_NORM_AFTER, .pooling = RM_POOL_FIRST,
		  .position_skips_pad = true, .pad = 1 },
	.finish = roberta
};
