/*
 * What the files of kinds share: the options of all kinds, and the pieces
 * that heads are made of.
 *
 * A kind is a `const struct rm_head_kind rm_head_NAME` in a file of this
 * folder.  n rows of C numbers, K score columns.
 */
#ifndef RM_HEAD_KIND_H
#define RM_HEAD_KIND_H

#include "head.h"
#include "nn.h"
#include "op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The keys of every kind, last in its list. */
#define RM_HEAD_KEYS \
	RM_KEY_CHOICE("encoding", struct rm_head_options, encoding.kind, \
		      rm_encoding_names, "concat", "prompt and response in " \
		      "one sequence; each in its own, fused as [p, r, " \
		      "|p - r|, p r] (Conneau et al. 2017); the " \
		      "response's attends to the prompt's; or the response " \
		      "alone"), \
	RM_KEY_CHOICE("pool", struct rm_head_options, encoding.pool, \
		      rm_pool_names, "auto", "rows of tokens into one: the " \
		      "backbone's own way; the mean, the last, the first, " \
		      "each column's maximum; the mean weighted by " \
		      "softmax(w x) (Yang et al. 2016)"), \
	RM_KEY_SIZE("heads", struct rm_head_options, encoding.heads, 1, 1024, \
		    "4", "of attention, where encoding=cross (Vaswani et " \
		    "al. 2017)"), \
	RM_KEY_END

#define RM_HEAD_DROPOUT \
	RM_KEY_DOUBLE("dropout", struct rm_head_options, dropout, 0, .95, \
		      "0", "share of the hidden numbers set to zero in " \
		      "training")

#define RM_HEAD_OBJECTIVES \
	RM_KEY_NAMES_LIST("objectives", struct rm_head_options, objectives, \
			  "helpfulness,harmlessness,honesty", \
			  "what is scored beside the reward; the names of " \
			  "its attributes")

#define RM_HEAD_HIDDEN(help) \
	RM_KEY_SIZE("hidden", struct rm_head_options, hidden, 1, 65536, \
		    "32", help), \
	RM_KEY_CHOICE("activation", struct rm_head_options, activation, \
		      rm_activation_names, "gelu", \
		      "function of the hidden layer")

/* ---- pieces ---- */

/* y[n, out] = x[n, in] w' + b. */
struct rm_affine {
	size_t weight, bias;	/* parameters */
	size_t in, out;
};

/* Adds NAME.weight and NAME.bias; a weight that is drawn as `init` says. */
int rm_affine_init(struct rm_affine *a, struct rm_head *h, const char *name,
		   size_t in, size_t out, enum rm_init init, double scale);
int rm_affine_forward(const struct rm_affine *a, const struct rm_head *h,
		      rm_real *y, const rm_real *x, size_t n);
/* Adds to the gradients of w and b, and to dx[n, in] if it is not NULL. */
int rm_affine_backward(const struct rm_affine *a, const struct rm_head *h,
		       rm_real *dx, const rm_real *dy, const rm_real *x,
		       size_t n);

/* a[n, out] = dropout(f(z)), z[n, out] = x w' + b. */
struct rm_dense {
	struct rm_affine affine;
	rm_real *z, *a, *da, *dz;	/* one block */
	size_t cap;
};

int rm_dense_init(struct rm_dense *d, struct rm_head *h, const char *name,
		  size_t in, size_t out);
int rm_dense_forward(struct rm_dense *d, const struct rm_head *h,
		     const struct rm_batch *batch, const rm_real *x,
		     size_t n);
/* From d->da, which is set to zero by forward and used up. */
int rm_dense_backward(struct rm_dense *d, const struct rm_head *h,
		      const struct rm_batch *batch, rm_real *dx,
		      const rm_real *x, size_t n);
void rm_dense_fini(struct rm_dense *d);

/* Rows [n, C] as the head reads them: the hidden ones, through dropout. */
struct rm_input {
	rm_real *x, *dx;
	rm_real *block;
	size_t cap;
};

int rm_input_forward(struct rm_input *in, const struct rm_head *h,
		     const struct rm_batch *batch,
		     const struct rm_hidden *hidden);
/* What in->dx says goes on to the hidden rows. */
void rm_input_backward(struct rm_input *in, const struct rm_head *h,
		       const struct rm_batch *batch,
		       struct rm_hidden *hidden);
void rm_input_fini(struct rm_input *in);

/* The masks of a head's layers, 0 being that of what it reads. */
struct rm_dropout rm_head_dropout(const struct rm_head *h,
				  const struct rm_batch *batch,
				  uint64_t layer);

/* One column a name behind the reward. */
int rm_head_name_columns(struct rm_head *h, const struct rm_names *names);

/* w[m] = softmax(x); and dx += the gradient from dw. */
void rm_softmax_forward(rm_real *w, const rm_real *x, size_t m);
void rm_softmax_backward(rm_real *dx, const rm_real *dw, const rm_real *w,
			 size_t m);

#endif
