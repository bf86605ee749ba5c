/* encoding.h: what holds for the ids of any text. */
#ifndef ENCODING_H
#define ENCODING_H

#include "tokenizer.h"

static inline bool ends_in_order(const struct rm_encoding *e, size_t len)
{
	for (size_t i = 1; i < e->n; i++)
		if (e->ends[i - 1] > e->ends[i])
			return false;
	return e->n == 0 || e->ends[e->n - 1] <= len;
}

#endif
