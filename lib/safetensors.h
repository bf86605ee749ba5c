/*
 * safetensors: named tensors in one file, read piece by piece, written in one
 * pass.  https://huggingface.co/docs/safetensors
 *
 *	uint64 LE n   n bytes of JSON {name: {dtype, shape, data_offsets}}
 *	the tensors' bytes, row-major, little-endian, no holes
 *
 * Knows nothing of models.  A file is hostile until rm_safetensors_open has
 * checked that every tensor's offsets lie in the file, fit its shape and
 * dtype, and neither overlap nor leave holes.  Errors as in base.h; messages
 * name file and tensor.
 *
 * The bytes are read into the caller's memory, not mapped: a mapped file that
 * somebody cuts kills its reader (SIGBUS), and whoever copies from a map has
 * its pages resident beside the copy.  Reading tells a cut file by a short
 * read, a rewritten one by its size and time, which are compared after every
 * piece with those at opening; one that was replaced under its name stays
 * what it was to the reader that has it open.
 *
 *	struct rm_safetensors *st = rm_safetensors_open(path);
 *	const struct rm_safetensor *t = rm_safetensors_find(st, "score.weight");
 *	if (t && t->dtype == RM_DTYPE_F32)
 *		rm_safetensor_read(t, 0, t->size, out);
 *	rm_safetensors_close(st);
 */
#ifndef RM_SAFETENSORS_H
#define RM_SAFETENSORS_H

#include "base.h"
#include "json.h"

#define RM_SAFETENSORS_MAX_RANK 8

enum rm_dtype {
	RM_DTYPE_F32, RM_DTYPE_F16, RM_DTYPE_BF16, RM_DTYPE_F64,
	RM_DTYPE_I64, RM_DTYPE_I32, RM_DTYPE_I16, RM_DTYPE_I8,
	RM_DTYPE_U64, RM_DTYPE_U32, RM_DTYPE_U16, RM_DTYPE_U8, RM_DTYPE_BOOL
};

/* "F32", "BF16" ... as the file says it; bytes of one element. */
const char *rm_dtype_name(enum rm_dtype dtype);
size_t rm_dtype_size(enum rm_dtype dtype);

struct rm_safetensor {
	const char *name;
	enum rm_dtype dtype;
	size_t rank;			/* 0: a scalar */
	size_t shape[RM_SAFETENSORS_MAX_RANK];
	size_t size;			/* bytes */
	const void *data;		/* in memory, or NULL and in a file: */
	const struct rm_safetensors *file;
	size_t offset;			/* in the file's data */
};

/* Number of elements. */
size_t rm_safetensor_count(const struct rm_safetensor *t);
/* Append "[2, 3]". */
void rm_safetensor_print_shape(struct rm_buf *b,
			       const struct rm_safetensor *t);
/* XXH3-128 of name, dtype, shape and bytes, of one in memory. */
struct rm_fingerprint
rm_safetensor_fingerprint(const struct rm_safetensor *t);

/* ---- reading ---- */

struct rm_safetensors;

struct rm_safetensors *rm_safetensors_open(const char *path);
void rm_safetensors_close(struct rm_safetensors *st);

/* The tensors in the order of their bytes. */
size_t rm_safetensors_count(const struct rm_safetensors *st);
const struct rm_safetensor *
rm_safetensors_at(const struct rm_safetensors *st, size_t i);
/* The tensor of that name, NULL if there is none (no message). */
const struct rm_safetensor *
rm_safetensors_find(const struct rm_safetensors *st, const char *name);

/*
 * Bytes [from, from + n) of a file's tensor into out; -1 when they cannot be
 * read, or the file is no longer what it was when it was opened.
 */
int rm_safetensor_read(const struct rm_safetensor *t, size_t from, size_t n,
		       void *out);
/* The path it was opened by. */
const char *rm_safetensors_name(const struct rm_safetensors *st);
/* 0 if a file of that path is still this one, unchanged. */
int rm_safetensors_check(const struct rm_safetensors *st);

/* The text under that key of __metadata__, NULL if there is none. */
const char *rm_safetensors_note(const struct rm_safetensors *st,
				const char *key);

/* ---- writing ---- */

/* A line of __metadata__. */
struct rm_safetensors_note {
	const char *key, *text;
};

/*
 * Write n tensors in the order given, their bytes starting at a multiple of
 * 64.  The file is new, complete and on disk on success; on failure nothing
 * is left at path.
 */
int rm_safetensors_write(const char *path, const struct rm_safetensor *t,
			 size_t n, const struct rm_safetensors_note *note,
			 size_t n_notes);

#endif
