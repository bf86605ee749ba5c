/*
 * sort: the order of many doubles, and what ranks are made of.
 *
 * Stable radix sorts, linear in n, shared among OpenMP's threads; the result
 * does not depend on how many there are.  Knows nothing of what the numbers
 * mean.  Errors as in base.h (only memory can fail).  NaN is not allowed,
 * -0 equals 0, and n is below 2^32.
 *
 *	struct rm_order o = {0};
 *	if (rm_order_init(&o, reward, n) < 0) ...
 *	for (j = 0; j < n; j = end) {
 *		end = rm_order_run(&o, j);	reward[o.index[j..end)] equal
 *	}
 *	rm_order_fini(&o);
 */
#ifndef RM_SORT_H
#define RM_SORT_H

#include "base.h"

/* The most numbers that can be sorted. */
#define RM_SORT_MAX ((size_t)UINT32_MAX - 1)

/* x[index[0]] <= x[index[1]] ...; equal values stay in input order. */
struct rm_order {
	size_t n;
	uint32_t *index;	/* [n] */
	unsigned char *first;	/* [n + 1] 1 where a run of equals begins */
};

int rm_order_init(struct rm_order *o, const double *x, size_t n);
/* The end of the run of equal values that begins at j. */
size_t rm_order_run(const struct rm_order *o, size_t j);
/* The order of the n numbers i whose place[i] is not RM_SORT_NONE, which is
 * what they are called from then on; places ascend. */
#define RM_SORT_NONE UINT32_MAX
int rm_order_filter(struct rm_order *to, const struct rm_order *o,
		    const uint32_t *place, size_t n);
void rm_order_fini(struct rm_order *o);

/*
 * Numbers as dense codes: code[i] is the number of distinct values below
 * x[i], count[c] how many numbers have code c.
 */
struct rm_codes {
	size_t n, distinct;
	uint32_t *code;		/* [n] */
	uint32_t *count;	/* [distinct] */
};

int rm_codes_init(struct rm_codes *c, const double *x, size_t n);
int rm_codes_init_i32(struct rm_codes *c, const int32_t *x, size_t n);
void rm_codes_fini(struct rm_codes *c);

/*
 * How many pairs i < j have code[i] > code[j], exactly, for codes below
 * `distinct`, in n log2(distinct) steps.  Leaves code in ascending order.
 */
int rm_sort_inversions(uint32_t *code, size_t n, size_t distinct,
		       uint64_t *out);

#endif
