/* pieces: how a product is cut for threads.  For lib/gemm alone. */
#ifndef RM_GEMM_PIECES_H
#define RM_GEMM_PIECES_H

#include "base.h"

/*
 * Each of `blocks` meets all `panels`; where that is too few pieces for `want`,
 * the panels are cut too, into *groups of *per, about as many as that asks
 * for.
 */
static inline void rm_gemm_pieces(size_t blocks, size_t panels, size_t want,
				  size_t *groups, size_t *per)
{
	*groups = blocks >= want ? 1 :
		RM_MIN(panels, (want + blocks - 1) / blocks);
	*per = (panels + *groups - 1) / *groups;
	*groups = (panels + *per - 1) / *per;
}

#endif
