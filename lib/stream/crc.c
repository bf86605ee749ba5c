#include "stream/crc.h"

#include <string.h>
#include <zlib.h>

uint32_t rm_crc32(const void *data, size_t n)
{
	return (uint32_t)crc32_z(0, data, n);
}

static void fold(struct rm_crc_chain *c)
{
	c->crc = (uint32_t)crc32_z(c->crc, c->pending, c->n);
	c->n = 0;
}

void rm_crc_chain_add(struct rm_crc_chain *c, const unsigned char stored[4])
{
	if (c->n == sizeof(c->pending))
		fold(c);
	memcpy(c->pending + c->n, stored, 4);
	c->n += 4;
}

uint32_t rm_crc_chain_end(struct rm_crc_chain *c)
{
	fold(c);
	return c->crc;
}
