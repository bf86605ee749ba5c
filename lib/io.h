/*
 * io: bytes in (files, stdin, .gz and .zst unpacked) and bytes out (stdout,
 * or a temporary that is renamed over its final name when all is well).
 *
 * Knows nothing of what the bytes mean.  Errors as in base.h; messages name
 * the file ("<stdin>", "<stdout>").  A file stays its old self until
 * rm_output_commit has succeeded.
 *
 *	struct rm_input *in = rm_input_open("pairs.jsonl.gz");
 *	while ((n = rm_input_read(in, buf, sizeof(buf))) > 0)
 *		...
 *	rm_input_close(in);
 */
#ifndef RM_IO_H
#define RM_IO_H

#include "base.h"

#include <sys/types.h>

/* ---- input ---- */

struct rm_input;

/*
 * Open a file, or stdin for "-".  gzip and zstd are known by their first
 * bytes, wherever they come from; concatenated members are read as one.  A
 * cut or damaged member is an error, not an end.
 */
struct rm_input *rm_input_open(const char *path);

/* Up to n bytes: how many, 0 at the end, -1 on error. */
ssize_t rm_input_read(struct rm_input *in, void *data, size_t n);

/* Exactly n bytes, fewer only at the end of the input; -1 on error. */
ssize_t rm_input_read_full(struct rm_input *in, void *data, size_t n);

/*
 * Look at the next bytes without taking them: *data points to at least
 * min(n, what is left) bytes, valid until the next call; returns how many
 * there are, -1 on error.  n is at most 64 KiB.
 */
ssize_t rm_input_peek(struct rm_input *in, const unsigned char **data,
		      size_t n);

/*
 * The next line in *line (replaced), without its newline, which the last one
 * may lack: 1, 0 at the end, -1 on error or when it is longer than max.
 */
int rm_input_line(struct rm_input *in, struct rm_buf *line, size_t max);

/*
 * Call fn(arg) before a read that would have to wait for more input: the
 * moment to flush output, so that a tool can stand as a co-process.  fn
 * returns 0, or -1 which fails the read.
 */
void rm_input_on_pause(struct rm_input *in, int (*fn)(void *), void *arg);

/* The path, or "<stdin>". */
const char *rm_input_name(const struct rm_input *in);

/* Whether the bytes come from a plain file that can be read again. */
bool rm_input_is_file(const struct rm_input *in);

void rm_input_close(struct rm_input *in);

/* A whole file in memory, at most max bytes, NUL after the last; 0 / -1. */
int rm_read_file(const char *path, size_t max, struct rm_buf *out);

/*
 * What tells that a file is no longer the one it was: which it is, its size,
 * when it was last written to.  All zero where there is no file.
 */
struct rm_stamp {
	uint64_t device, inode, size;
	int64_t seconds, nanoseconds;
};

/* 0 / -1; that a path names nothing is no error. */
int rm_stamp_path(struct rm_stamp *s, const char *path);
int rm_stamp_fd(struct rm_stamp *s, int fd);
bool rm_stamp_equal(const struct rm_stamp *a, const struct rm_stamp *b);

/* ---- output ---- */

struct rm_output;

/*
 * stdout for NULL or "-"; else a temporary in the directory of `path`, which
 * has no name until commit where the system can do that, so that a killed
 * program leaves nothing.  Where `path` is a link, what it points to is
 * replaced; a device or a pipe is written to.
 */
struct rm_output *rm_output_open(const char *path);

/* Buffered.  Once a write fails, all later calls do; 0 / -1. */
int rm_output_write(struct rm_output *out, const void *data, size_t n);
int rm_output_puts(struct rm_output *out, const char *s);
int rm_output_printf(struct rm_output *out, const char *fmt, ...)
	RM_PRINTF(2, 3);
int rm_output_flush(struct rm_output *out);

/* "<stdout>" or the final path. */
const char *rm_output_name(const struct rm_output *out);

/* True when the reader of our stdout has gone away (EPIPE). */
bool rm_output_broken_pipe(const struct rm_output *out);

/*
 * Flush, check, rename into place (stdout: flush and close), free.  0, or -1
 * and nothing stands under the final name but what stood there before.
 */
int rm_output_commit(struct rm_output *out);

/* Throw the temporary away, free.  NULL is legal. */
void rm_output_abort(struct rm_output *out);

/* Write a whole small file atomically; 0 / -1. */
int rm_write_file(const char *path, const void *data, size_t n);

/* ---- spool ---- */

/*
 * Byte strings kept for reading in any order: a pipe's records that are to
 * be shuffled or read again.  The first `memory` bytes stay in memory, the
 * rest goes to an unlinked temporary in $TMPDIR (/tmp), which no death of
 * the program leaves behind.
 */
struct rm_spool;

struct rm_spool *rm_spool_new(size_t memory);
int rm_spool_add(struct rm_spool *s, const void *data, size_t n);
/* How many strings, and their bytes in all. */
size_t rm_spool_count(const struct rm_spool *s);
uint64_t rm_spool_bytes(const struct rm_spool *s);
/* String i < count in *out, valid until the next call; 0 / -1. */
int rm_spool_get(struct rm_spool *s, size_t i, struct rm_slice *out);
void rm_spool_free(struct rm_spool *s);

#endif
