/*
 * weights: the tensors of a checkpoint directory under one roof, whether they
 * stand in model.safetensors or in shards with model.safetensors.index.json,
 * and their numbers as float32.
 *
 * Knows nothing of models: what tensors there should be is the caller's.
 * Other forms of checkpoint are refused with the command that converts them:
 * a pytorch_model.bin is a pickle, a program that would have to be run.
 *
 * All shards are open from the start and seen to be one set: the index names
 * files of this directory, every tensor stands in the shard that the index
 * says and in no other, none is missing, none besides, and no file changed
 * in between.  Numbers are read straight into the caller's memory, not
 * through a map (safetensors.h says why): the process holds them once, and a
 * file that is cut or rewritten under the reader is an error.  The system's
 * own cache of the files is left alone, which makes the next start fast.
 * Errors as in base.h; messages name file and tensor.
 *
 *	struct rm_weights *w = rm_weights_open("reward/");
 *	const struct rm_safetensor *t = rm_weights_find(w, "score.weight");
 *	... check t->rank, t->shape
 *	rm_weights_read(t, out);
 *	rm_weights_close(w);
 */
#ifndef RM_WEIGHTS_H
#define RM_WEIGHTS_H

#include "safetensors.h"

struct rm_weights;

struct rm_weights *rm_weights_open(const char *dir);
void rm_weights_close(struct rm_weights *w);

/* The tensors, sorted by the bytes of their names. */
size_t rm_weights_count(const struct rm_weights *w);
const struct rm_safetensor *rm_weights_at(const struct rm_weights *w,
					  size_t i);
/* The tensor of that name, NULL if there is none (no message). */
const struct rm_safetensor *rm_weights_find(const struct rm_weights *w,
					    const char *name);

/* Name of the file that lists them, without the directory. */
const char *rm_weights_name(const struct rm_weights *w);

/*
 * All of a tensor's numbers into out[rm_safetensor_count(t)]; F32, F16, BF16
 * exactly, F64 rounded.  -1 for another dtype, a NaN, an infinity or what
 * float32 cannot hold, and a file that changed.  float, not rm_real: files
 * hold no doubles of ours.
 */
int rm_weights_read(const struct rm_safetensor *t, float *out);

/*
 * n numbers of one of these dtypes, of any alignment, as float32; false if
 * one is NaN or infinite.
 */
bool rm_weights_convert(enum rm_dtype dtype, const void *in, size_t n,
			float *out);

#endif
