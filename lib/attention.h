/*
 * attention: softmax(scale q k') v over packed rows, for a forest of
 * segments.
 *
 * Blocks of queries meet blocks of keys and the softmax is carried along
 * (Milakov and Gimelshein, Online normalizer calculation for softmax, 2018;
 * Dao et al., FlashAttention, 2022), so no matrix of T x T is ever stored.
 * Blocks of keys are cut by position within a text: a row has the same bits
 * in any batch, for any number of threads, and whether what stands before it
 * is an ancestor or in its own segment.  Knows nothing of layers and
 * parameters.  Errors as in base.h (memory only).
 *
 * T rows, H heads of queries, G heads of keys and values, D numbers a head.
 *
 *	struct rm_attention a = { .heads = H, .kv_heads = G, .dim = D,
 *				  .scale = 1 / sqrt(D), .causal = true };
 *	rm_attention_forward(y, H * D, lse, q, k, v, &a, texts, n);
 *	rm_attention_backward(&grad, dy, y, H * D, lse, q, k, v, &a, texts, n);
 */
#ifndef RM_ATTENTION_H
#define RM_ATTENTION_H

#include "gemm.h"
#include "nn.h"

/* Head h of row t: D numbers at data + t * row + h * head. */
struct rm_heads {
	const rm_real *data;
	size_t row, head;
};

struct rm_attention {
	size_t heads, kv_heads, dim;	/* H, G (a divisor of H), D */
	rm_real scale;		/* > 0 */
	rm_real softcap;	/* s = softcap tanh(s / softcap); 0: none */
	bool causal;
	/*
	 * 0: all.  Else key j is seen from i if i - j < window (causal), or
	 * |i - j| <= window (both ways).
	 */
	size_t window;
	/*
	 * Disentangled attention (He et al., DeBERTa, 2021), NULL data: none:
	 * s = scale (q_i k_j + q_i pos_key[b] + k_j pos_query[b]), where row
	 * b = bucket[i - j + n_bucket - 1]; n_bucket is more than any
	 * distance.
	 */
	struct rm_heads pos_key, pos_query;
	const int32_t *bucket;	/* [2 n_bucket - 1] */
	size_t n_bucket;
	/*
	 * Of the weights, after the softmax; p 0: none.  Head h of row t has
	 * the mask of row (first_row + t) H + h, by the position of the key
	 * in its text.
	 */
	struct rm_dropout dropout;
	/*
	 * RM_BF16: products of pairs of bf16 where the processor has vectors
	 * for them, sums and softmax in fp32; else, and where positions are
	 * disentangled, fp32.
	 */
	enum rm_precision precision;
};

/*
 * Rows [row, row + n) of one text, whose queries see them and the n_before
 * rows from before_row on, which come first.  The first `skip` rows and the
 * last `rest` ask nothing: nobody wants their rows of y.
 */
struct rm_attention_text {
	size_t row, n;
	size_t before_row, n_before;
	size_t skip, rest;
};

/*
 * Row t, head h of y at y + t * ldy + h * D, for the rows of the texts that
 * ask; other rows stay.  Heads of queries share those of keys in runs of
 * H / G.  lse[T, H], the logarithm of a row's sum of exp(score), is what the
 * way back needs; NULL: not wanted.
 */
int rm_attention_forward(rm_real *y, size_t ldy, rm_real *lse,
			 struct rm_heads q, struct rm_heads k,
			 struct rm_heads v, const struct rm_attention *a,
			 const struct rm_attention_text *text,
			 size_t n_texts);

/*
 * Where gradients go, laid out as q, k, v and positions are: into the rows of
 * the texts, and added to those of positions.
 */
struct rm_attention_grad {
	rm_real *q, *k, *v, *pos_key, *pos_query;
};

/*
 * From dy, and y and lse as forward left them.  A text that n_before says
 * others stand before comes right behind those; its keys' gradients are the
 * sum over all that see them.
 */
int rm_attention_backward(const struct rm_attention_grad *grad,
			  const rm_real *dy, const rm_real *y, size_t ldy,
			  const rm_real *lse, struct rm_heads q,
			  struct rm_heads k, struct rm_heads v,
			  const struct rm_attention *a,
			  const struct rm_attention_text *text,
			  size_t n_texts);

#endif
