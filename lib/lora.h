/*
 * lora: matrices that change only by a product of two thin ones.  Hu et al.,
 * LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022.
 *
 *	W = W0 + s B A		s = alpha / R
 *
 * of W [n, k] with n outputs and k inputs: A [R, k] and B [n, R] are trained,
 * W0 is not.  In the table of parameters the value of an adapted matrix is W,
 * made again from W0, A and B when these change, so what computes with it or
 * saves it need not know; the two thin ones are rows of their own,
 * NAME.lora_A and NAME.lora_B.  On the way back of y = x W',
 *
 *	dA += s (dy B)' x	dB += s dy' (x A')
 *
 * take R (n + k) products a row where dW would take n k.  Knows nothing of
 * models.  Errors as in base.h.
 *
 *	rm_lora_add(&params, i, 8, 16)		before rm_params_alloc
 *	... values of W0
 *	rm_lora_start(&params, seed)
 *	rm_lora_merge(&params)			and after every step
 */
#ifndef RM_LORA_H
#define RM_LORA_H

#include "gemm.h"

/*
 * Adapt matrix i of the table, of rank `rank`, with rows for A and B at its
 * end that take its rate; W itself is no longer trained.
 */
int rm_lora_add(struct rm_params *p, size_t i, size_t rank, double alpha);
/*
 * W0 of every adapted matrix is what it holds now.  A is normal with the
 * deviation 1 / sqrt(3 k) of the usual uniform start, B is 0, so that W is
 * W0 at first.
 */
int rm_lora_start(struct rm_params *p, uint64_t seed);
/* W of every adapted matrix from A and B as they are. */
int rm_lora_merge(struct rm_params *p);
/*
 * What dy[rows, n], its rows ldy numbers apart, and x[rows, k] say of A and B
 * of the adapted matrix i.
 */
int rm_lora_backward(struct rm_params *p, size_t i, size_t rows,
		     const rm_real *dy, size_t ldy, const rm_real *x,
		     enum rm_precision precision);

#endif
