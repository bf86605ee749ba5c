/*
 * header: the map that a stream begins with, private to stream.
 */
#ifndef RM_STREAM_HEADER_H
#define RM_STREAM_HEADER_H

#include "stream.h"

/* The header's payload, appended to b. */
int rm_header_pack(struct rm_buf *b, const struct rm_header *h);

/*
 * The tokenizer's files as zstd bytes, into *packed (uninitialised; fini it
 * if 0): those that the stream had, if they are still this tokenizer's.
 */
int rm_header_pack_files(struct rm_files *packed, const struct rm_header *h);

/* A payload whose CRC is right, into *h (uninitialised; fini it if 0). */
int rm_header_unpack(struct rm_header *h, const void *payload, size_t len);

#endif
