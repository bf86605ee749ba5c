/*
 * pipeline: the stages that a text goes through on its way to ids.
 */
#ifndef RM_TOKENIZER_PIPELINE_H
#define RM_TOKENIZER_PIPELINE_H

#include "tokenizer/parts.h"

struct rm_pipeline {
	struct rm_vocab vocab;
	struct rm_added added;
	struct rm_steps normal, cut;	/* normalizer's, pre-tokenizer's */
	const struct rm_tokenizer_kind *kind;
	void *model;
	size_t n_stages;
	struct rm_stage *stage;		/* in the order in which they come */
	bool needs_first;
	bool bytes;		/* the pre-tokenizer is ByteLevel */
	uint64_t serial;	/* tells the scratch of one from another's */
};

/* The stages of what was loaded, before the first text. */
int rm_pipeline_init(struct rm_pipeline *p);
void rm_pipeline_fini(struct rm_pipeline *p);

/* Ids and ends of one text are appended to e. */
int rm_pipeline_encode(const struct rm_pipeline *p, struct rm_encoding *e,
		       const unsigned char *text, size_t n);
/* rm_normalize_fn: arg is a pipeline whose normalizer is loaded. */
int rm_pipeline_normalize(void *arg, const char *text, size_t n,
			  struct rm_buf *out);
/* fn for each word that the model would be given. */
int rm_pipeline_words(const struct rm_pipeline *p, struct rm_encoding *e,
		      const unsigned char *text, size_t n,
		      int (*fn)(void *arg, const unsigned char *word,
				size_t n),
		      void *arg);

#endif
