/*
 * crc: CRC-32 (ISO 3309, that of zlib and PNG), private to stream.
 */
#ifndef RM_STREAM_CRC_H
#define RM_STREAM_CRC_H

#include "base.h"

/* The CRC-32 of n bytes. */
uint32_t rm_crc32(const void *data, size_t n);

/*
 * The CRC-32 of a sequence of CRCs, as they are stored (big-endian): the
 * trailer's.  Zero-initialise.
 */
struct rm_crc_chain {
	uint32_t crc;
	size_t n;
	unsigned char pending[1024];
};

void rm_crc_chain_add(struct rm_crc_chain *c, const unsigned char stored[4]);
uint32_t rm_crc_chain_end(struct rm_crc_chain *c);

#endif
