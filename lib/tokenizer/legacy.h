/*
 * legacy: directories from before tokenizer.json, as one.
 */
#ifndef RM_TOKENIZER_LEGACY_H
#define RM_TOKENIZER_LEGACY_H

#include "base.h"

/*
 * From vocab.txt, or vocab.json and merges.txt, and tokenizer_config.json and
 * config.json if they are there: the tokenizer.json that Transformers would
 * make of them, appended to out.  A class of tokenizer that is not known is
 * an error that names it.
 */
int rm_legacy_tokenizer(const struct rm_files *files, struct rm_buf *out);

#endif
