/*
 * tensor: the number type, and the parameters of a model in one block
 * addressed by a table.
 *
 * Knows nothing of layers, files or optimisers.  A model's parts add rows to
 * the table when they are made, then the block is allocated once; saving
 * walks the table by name and shape, the optimiser and a checkpoint see flat
 * ranges only.  The numerics build twice: rm_real is float, and double under
 * -DRM_DOUBLE for the gradient checks.  Errors as in base.h.
 *
 *	struct rm_params p = {0};
 *	i = rm_params_add(&p, &(struct rm_param){ .name = "score.weight",
 *		.n_dims = 2, .shape = { K, C }, .init = RM_INIT_NORMAL,
 *		.init_scale = .02, .trainable = true, .decay = true });
 *	rm_params_alloc(&p, true);
 *	rm_params_init(&p, seed);
 *	use p.param[i].value, p.param[i].grad
 *	rm_params_fini(&p);
 */
#ifndef RM_TENSOR_H
#define RM_TENSOR_H

#include "base.h"
#include "parallel.h"

#ifdef RM_DOUBLE
typedef double rm_real;
#else
typedef float rm_real;
#endif

/*
 * Before a hot loop over independent elements: built for wider vectors as
 * well, chosen when the program is loaded.  Sums must keep their order, so
 * that all builds give the same bits.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define RM_VECTOR \
	__attribute__((target_clones("default", "avx2", "avx512f")))
/* The same with fused multiplication and addition: bits differ between
 * machines, not on one. */
#define RM_VECTOR_FMA \
	__attribute__((target_clones("default", "arch=x86-64-v3", \
				     "arch=x86-64-v4")))
#else
#define RM_VECTOR
#define RM_VECTOR_FMA
#endif

#define RM_DIMS 4

enum rm_init {
	RM_INIT_ZERO,
	RM_INIT_CONSTANT,	/* init_scale */
	RM_INIT_NORMAL,		/* mean 0, standard deviation init_scale */
	RM_INIT_SIGN		/* init_scale or -init_scale, at random */
};

/*
 * One parameter.  The parts that own it set the fields down to init_scale;
 * rm_params_alloc sets the rest.
 */
struct rm_param {
	const char *name;	/* copied by rm_params_add */
	size_t n_dims, shape[RM_DIMS];
	bool trainable;		/* false: a buffer, or frozen */
	bool decay;		/* weight decay applies (not: bias, norm) */
	bool turned;		/* a matrix stored as [inputs, outputs] */
	bool sparse;		/* gradients touch few of its shape[0] rows */
	/* So they do, and who adds to one says so by rm_param_touch: the
	 * others are known to be 0.  Not with `sparse`. */
	bool by_row;
	double rate;		/* times the learning rate; 0 counts as 1 */
	enum rm_init init;
	double init_scale;

	size_t size;		/* number of elements */
	size_t offset;		/* of value in the block */
	rm_real *value;		/* [size] row-major; true value / scale */
	/*
	 * The true value is scale * value.  scale is 1 except for sparse
	 * parameters in training: there, weight decay of all rows is one
	 * product here instead of a pass over them, which is exact, and
	 * caught up in every row whenever that is read.
	 */
	double scale;
	rm_real *grad;		/* [size]; NULL if frozen or sparse */
	uint8_t *touched;	/* [shape[0]] if by_row and trained, or NULL */
	struct rm_sparse *rows;	/* the gradient if sparse, else NULL */
	struct rm_lora *lora;	/* it changes as lora.h says, or NULL */
};

/* A matrix W = base + scale B A: see lora.h. */
struct rm_lora {
	size_t a, b;		/* rows of the table: A [rank, k], B [n, rank] */
	size_t rank;
	double scale;
	rm_real *base;		/* as W is stored */
	rm_real *turned_b;	/* scale B'[rank, n], as W was last made */
};

struct rm_params {
	size_t n, cap;
	struct rm_param *param;
	size_t size, grad_size;
	rm_real *block;		/* [size] values of all, 64-byte aligned */
	rm_real *grad_block;	/* [grad_size] of the dense trainable ones */
};

/* A piece of memory that a checkpoint stores and restores as it is. */
struct rm_range {
	const char *name;
	void *data;
	size_t bytes;
};

/* Add a row; its index, or -1 (memory, a name that exists, size overflow). */
int rm_params_add(struct rm_params *p, const struct rm_param *param);
/* Index of the parameter of that name, -1 if there is none (no message). */
int rm_params_find(const struct rm_params *p, const char *name);
/* Values, zeroed; with `train` also gradients. */
int rm_params_alloc(struct rm_params *p, bool train);
/* Initial values, keyed by seed, parameter index and element. */
void rm_params_init(struct rm_params *p, uint64_t seed);
/* The same of parameter i alone. */
void rm_params_init_one(struct rm_params *p, size_t i, uint64_t seed);
/* The true values of parameter i; out[size], as a model directory has them. */
void rm_params_get(const struct rm_params *p, size_t i, rm_real *out);
/* Set them; scale becomes 1. */
void rm_params_set(struct rm_params *p, size_t i, const rm_real *in);
/*
 * All values and scales as they are, exactly, into / from one buffer of
 * rm_params_state_size bytes: checkpoints, and the best model so far.
 */
size_t rm_params_state_size(const struct rm_params *p);
void rm_params_state_get(const struct rm_params *p, void *out);
void rm_params_state_set(struct rm_params *p, const void *in);
/* The gradient of this row may be other than 0; by one thread at a time. */
static inline void rm_param_touch(struct rm_param *p, size_t row)
{
	if (p->touched)
		p->touched[row] = 1;
}

/* Zero all gradients. */
void rm_params_zero_grad(struct rm_params *p);
/* Sum of squares of all gradients in double: same for any thread count. */
double rm_params_grad_norm2(const struct rm_params *p);
/*
 * c times the sum of the Euclidean norms of all that is trained, whose
 * gradient is added to theirs.  Of a sparse parameter the rows count that
 * the step has touched; a parameter of zeros has no gradient.
 */
double rm_params_add_norms(struct rm_params *p, double c);
void rm_params_fini(struct rm_params *p);

/* ---- sparse gradients ---- */

/*
 * The gradient of the rows that a step touched.  Rows are divided into
 * RM_SPARSE_PARTS parts, runs of `per` rows, so that threads can add to and
 * read different parts at once; within a part, rows stand in the order in
 * which they were first touched.  A row's sum is taken in the order of the
 * calls: same bytes for any number of threads.
 */
#define RM_SPARSE_PARTS 64

struct rm_sparse_part {
	size_t n, cap;
	uint32_t *row;		/* [n] distinct rows */
	rm_real *grad;		/* [n, dim] */
	uint32_t *slot;		/* [per] place in row, plus 1; 0: untouched */
};

struct rm_sparse {
	size_t n_rows, dim, per;
	struct rm_sparse_part part[RM_SPARSE_PARTS];
};

/* One use of a row: x += weight * row. */
struct rm_use {
	uint32_t row;
	rm_real weight;
};

struct rm_sparse *rm_sparse_new(size_t n_rows, size_t dim);
/* For each of n uses of rows of `part`: grad[row] += weight * dx[dim]. */
int rm_sparse_add(struct rm_sparse *s, size_t part, const struct rm_use *use,
		  size_t n, const rm_real *dx);
/* The gradient of one row, [dim], NULL if it was not touched. */
const rm_real *rm_sparse_find(const struct rm_sparse *s, uint32_t row);
void rm_sparse_clear(struct rm_sparse *s);
void rm_sparse_free(struct rm_sparse *s);

#endif
