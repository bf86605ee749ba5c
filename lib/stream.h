/*
 * stream: groups and pairs on disk and on pipes (man/rm-stream.5).
 *
 *	frame(header map)  frame(record array) ...  frame(trailer map)
 *	frame(x) = uint32 length (ce BE)  x  uint32 CRC-32 of x (ce BE)
 *
 * so that a stream is also a plain sequence of msgpack values.  The trailer
 * is {end, records, crc32}, its crc32 being that of all the frames' stored
 * CRCs before it.  Reading tells a record (1), a verified end (0) and damage
 * (-1) apart, on pipes too.
 *
 *	struct rm_reader *in = rm_reader_open(paths, n, NULL);
 *	const struct rm_header *h = rm_reader_header(in);
 *	while ((got = rm_reader_next(in, &rec)) > 0)
 *		...
 *	rm_reader_close(in);
 */
#ifndef RM_STREAM_H
#define RM_STREAM_H

#include "io.h"
#include "record.h"

#define RM_STREAM_VERSION 1
#define RM_MAX_RECORD ((size_t)1 << 30)

struct rm_header {
	bool pairs;			/* kind: pairs, else groups */
	struct rm_schema schema;
	/*
	 * The tokenizer's files and fingerprint; no files and an empty
	 * fingerprint in a stream without ids.
	 */
	struct rm_files tokenizer;
	struct rm_fingerprint tokenizer_fp;
	/* Special tokens, template, cut: a JSON object, never NULL. */
	json_t *policy;
	struct rm_fingerprint policy_fp;
	json_t *history;		/* JSON array, never NULL */
	/*
	 * Private: the tokenizer's files as the stream had them (zstd), and
	 * whose they are, so that a stage need not pack them again.
	 */
	struct rm_files packed;
	struct rm_fingerprint packed_fp;
};

int rm_header_init(struct rm_header *h);
int rm_header_copy(struct rm_header *to, const struct rm_header *from);
void rm_header_fini(struct rm_header *h);
/* Sets policy (taken) and its fingerprint, of its canonical JSON. */
int rm_header_set_policy(struct rm_header *h, json_t *policy);
/*
 * Append {tool, version, argv, seed} to the history; argv[0] is left out.
 * A negative seed leaves `seed` out.
 */
int rm_header_add_history(struct rm_header *h, const char *tool, int argc,
			  char *const *argv, int64_t seed);
/*
 * Refuse streams (or a stream and a model) of different tokenizers or
 * policies: -1 with a message naming both, unless force.  One without
 * (an empty fingerprint) goes with any.
 */
int rm_header_match(const struct rm_header *a, const char *a_name,
		    const struct rm_header *b, const char *b_name,
		    bool force);
/* The header as one JSON object {format, version, kind, ...}; the
 * tokenizer's files are shown as names and sizes. */
int rm_header_print(struct rm_buf *json, const struct rm_header *h);
/* The same with the files themselves: base64 of their zstd bytes. */
int rm_header_export(struct rm_buf *json, const struct rm_header *h);
/* What rm_header_export wrote, into *h (uninitialised; fini it if 0). */
int rm_header_import(struct rm_header *h, const json_t *object);

/* ---- reading ---- */

struct rm_reader;

struct rm_reader_options {
	size_t max_record;	/* 0: RM_MAX_RECORD */
	bool force;		/* several streams: tokenizers may differ */
};

/*
 * One or several streams, one after another as one (n == 0: stdin; "-" is
 * stdin).  Their kind and fields must be the same, their tokenizers too
 * unless forced.  options may be NULL.
 */
struct rm_reader *rm_reader_open(char *const *paths, size_t n,
				 const struct rm_reader_options *options);
/* The same of one open input, which is taken, also on failure. */
struct rm_reader *rm_reader_open_input(struct rm_input *in,
				const struct rm_reader_options *options);
const struct rm_header *rm_reader_header(const struct rm_reader *r);
/*
 * 1 and the next record, valid until the next call; 0 at the verified end of
 * the last stream; -1 with a message naming stream, record and field.
 */
int rm_reader_next(struct rm_reader *r, const struct rm_record **rec);
/* Name of the stream at hand, the record's number in it (from 1). */
const char *rm_reader_name(const struct rm_reader *r);
size_t rm_reader_number(const struct rm_reader *r);
/* Prefix this thread's message with "NAME: record N: "; -1. */
int rm_reader_wrap(const struct rm_reader *r);
/* As rm_input_on_pause, for every input. */
void rm_reader_on_pause(struct rm_reader *r, int (*fn)(void *), void *arg);
void rm_reader_close(struct rm_reader *r);

/* ---- writing ---- */

struct rm_writer;

/* Writes the header at once; `out` is borrowed and stays the caller's. */
struct rm_writer *rm_writer_open(struct rm_output *out,
				 const struct rm_header *h);
/* A payload as rm_put_* built it.  Fails when payload->failed. */
int rm_writer_write(struct rm_writer *w, const struct rm_buf *payload);
/* A record just read, unchanged, its CRC with it. */
int rm_writer_copy(struct rm_writer *w, const struct rm_reader *from);
size_t rm_writer_records(const struct rm_writer *w);
/* The trailer.  The caller then commits `out`. */
int rm_writer_finish(struct rm_writer *w);
void rm_writer_free(struct rm_writer *w);

#endif
