/*
 * bag: hashed n-grams of the response's token ids, each an embedding row,
 * added up with weights.
 *
 *	x(response) = sum over distinct n-grams g of w(g) E[bucket(g)]
 *	w(g) = f(tf) idf(g) / norm
 *
 * f being 1 + ln tf (Salton and Buckley, 1988), idf optional, the norm that
 * of the response's vector of weights.  Rows start at zero, so that n-grams
 * never seen in training add nothing.  With the weights' norm at 1, one step
 * on one example moves its reward by the same whatever its length, so plain
 * gradient steps with one rate suit all data.  The prompt is not read: in a
 * comparison of two responses to one prompt it would cancel.  Buckets are
 * those of the hashing trick (Weinberger et al., 2009), as in fastText
 * (Joulin et al., 2017).
 *
 * Deterministic for any number of threads: a response's sum is in the order
 * of its n-grams, and a row's gradient in the order of the responses.
 */
#include "backbone.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Rows are fetched this far ahead of their use. */
#define AHEAD 16

/* Weights of small counts come from a table. */
#define SMALL_TF 256

/*
 * Bytes of features that training keeps: responses come back in every
 * epoch, and in all pairs of a group.  What does not fit is found again.
 */
#define KEPT_BYTES ((size_t)512 << 20)

enum tf { TF_LOG, TF_COUNT, TF_BINARY };
enum norm { NORM_L2, NORM_MEAN, NORM_NONE };

static const char *const tf_names[] = { "log", "count", "binary", NULL };
static const char *const norm_names[] = { "l2", "mean", "none", NULL };

struct options {
	size_t ngrams, ngrams_min, dim, rows, tf, norm;
	bool idf;
	double rate;
};

static const struct rm_key keys[] = {
	RM_KEY_SIZE("ngrams", struct options, ngrams, 1, 16, "6",
		    "longest n-gram of tokens"),
	RM_KEY_SIZE("ngrams_min", struct options, ngrams_min, 1, 16, "1",
		    "shortest n-gram of tokens"),
	RM_KEY_SIZE("dim", struct options, dim, 0, 65536, "0",
		    "width of an embedding row; 0: 1 for a reward alone, else 4 "
		    "for each column of the head"),
	RM_KEY_SIZE("rows", struct options, rows, 64, 2147483648.0, "256k",
		    "buckets of n-grams, a power of two"),
	RM_KEY_CHOICE("tf", struct options, tf, tf_names, "log",
		      "weight of an n-gram by its count"),
	RM_KEY_CHOICE("norm", struct options, norm, norm_names, "l2",
		      "what a response's weights are divided by"),
	RM_KEY_FLAG("idf", struct options, idf, "no",
		    "weigh n-grams by inverse document frequency as well"),
	RM_KEY_DOUBLE("rate", struct options, rate, 0, 1e9, "25000",
		      "learning rate of the rows over that of the rest"),
	RM_KEY_END
};

/*
 * The distinct n-grams of a response, sorted by part of the table (so that
 * parts can be updated by different threads, and rows near each other are
 * used together), within a part by first occurrence.
 */
struct features {
	const struct rm_use *use;
	uint32_t begin[RM_SPARSE_PARTS + 1];
};

/* What one thread needs to find the features of a response. */
struct worker {
	uint32_t *hash, *row;	/* [tokens], [tokens * orders] */
	struct rm_use *use;	/* [tokens * orders] distinct, unsorted */
	uint32_t *slot;		/* index into use, plus 1 */
	size_t cap_hash, cap_row, cap_use, cap_slot;
};

/* Features that training keeps, found by the hash of the ids. */
struct kept {
	uint64_t key;
	size_t length;			/* tokens */
	const struct features *features;	/* NULL: free slot */
};

struct leaf {
	uint64_t key;
	size_t room;			/* its place in bag->use */
	struct features made;		/* if it was not among the kept */
	const struct features *features;
};

struct bag {
	struct options o;
	unsigned row_shift;		/* of a 32-bit hash to a row */
	unsigned part_shift;		/* of a row to its part */
	size_t embedding, idf;		/* parameters */
	double tf_weight[SMALL_TF];
	size_t n_leaves, cap_leaves, cap_use;
	struct leaf *leaf;
	struct rm_use *use;		/* of the leaves' made features */
	size_t n_workers;
	struct worker *worker;
	struct rm_arena arena;		/* of kept features */
	struct kept *kept;		/* open addressing, at most half full */
	size_t n_kept, n_slots, kept_bytes;
	double documents;		/* observed */
};

/* ---- n-grams ---- */

static inline uint32_t mix(uint32_t h)
{
	h *= 0x9e3779b1u;
	h ^= h >> 15;
	return h * 0x85ebca77u;
}

/* Extend the n-gram that starts at every token by one token. */
RM_VECTOR
static void extend(uint32_t *hash, const int32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash[i] = mix(hash[i] ^ (uint32_t)ids[i]);
}

RM_VECTOR
static void to_rows(uint32_t *row, const uint32_t *hash, size_t n,
		    unsigned shift)
{
	for (size_t i = 0; i < n; i++)
		row[i] = ((hash[i] ^ hash[i] >> 16) * 0xc2b2ae3du) >> shift;
}

/* How many n-grams `length` tokens have. */
static size_t ngram_count(const struct bag *bag, size_t length)
{
	size_t n = 0;

	for (size_t order = bag->o.ngrams_min; order <= bag->o.ngrams; order++)
		n += length >= order ? length - order + 1 : 0;
	return n;
}

/* The rows of all n-grams, by order, then by place; how many. */
static size_t find_rows(const struct bag *bag, struct worker *w,
			const int32_t *ids, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++)
		w->hash[i] = 0x2545f491u;
	for (size_t order = 1; order <= bag->o.ngrams; order++) {
		if (length < order)
			break;
		size_t m = length - order + 1;
		extend(w->hash, ids + order - 1, m);
		if (order < bag->o.ngrams_min)
			continue;
		to_rows(w->row + n, w->hash, m, bag->row_shift);
		n += m;
	}
	return n;
}

/*
 * Distinct rows in the order of their first use, weight = tf; how many.  The
 * table has at least twice as many slots as there are n-grams.
 */
static size_t count_rows(struct worker *w, size_t n_rows, size_t slots)
{
	size_t n = 0;

	memset(w->slot, 0, slots * sizeof(*w->slot));
	for (size_t i = 0; i < n_rows; i++) {
		uint32_t row = w->row[i], have;
		size_t at = row & (slots - 1);
		while ((have = w->slot[at]) != 0 &&
		       w->use[have - 1].row != row)
			at = (at + 1) & (slots - 1);
		if (have) {
			w->use[have - 1].weight++;
			continue;
		}
		w->use[n] = (struct rm_use){ row, 1 };
		w->slot[at] = (uint32_t)++n;
	}
	return n;
}

/* to = the n uses of the worker by part, keeping their order within one. */
static void sort_by_part(const struct bag *bag, const struct worker *w,
			 size_t n, struct rm_use *to, struct features *f)
{
	uint32_t at[RM_SPARSE_PARTS + 1] = {0};

	for (size_t i = 0; i < n; i++)
		at[(w->use[i].row >> bag->part_shift) + 1]++;
	for (size_t p = 0; p < RM_SPARSE_PARTS; p++)
		at[p + 1] += at[p];
	memcpy(f->begin, at, sizeof(at));
	f->use = to;
	for (size_t i = 0; i < n; i++)
		to[at[w->use[i].row >> bag->part_shift]++] = w->use[i];
}

/* ---- weights ---- */

static double tf_weight(enum tf kind, double tf)
{
	switch (kind) {
	case TF_LOG:
		return 1 + log(tf);
	case TF_COUNT:
		return tf;
	case TF_BINARY:
		break;
	}
	return 1;
}

static double norm_of(enum norm kind, double sum, double sum2)
{
	switch (kind) {
	case NORM_L2:
		return sqrt(sum2);
	case NORM_MEAN:
		return sum;
	case NORM_NONE:
		break;
	}
	return 1;
}

static void weigh(const struct bag *bag, const rm_real *idf,
		  struct rm_use *f, size_t n)
{
	double sum = 0, sum2 = 0;

	for (size_t i = 0; i < n; i++) {
		double tf = (double)f[i].weight;
		double w = tf < SMALL_TF ? bag->tf_weight[(size_t)tf] :
			tf_weight((enum tf)bag->o.tf, tf);
		if (idf)
			w *= (double)idf[f[i].row];
		f[i].weight = (rm_real)w;
		sum += w;
		sum2 += w * w;
	}
	double norm = norm_of((enum norm)bag->o.norm, sum, sum2);
	rm_real factor = norm > 0 ? (rm_real)(1 / norm) : 0;
	for (size_t i = 0; i < n; i++)
		f[i].weight *= factor;
}

/* ---- features kept from one use of a response to the next ---- */

static struct kept *kept_slot(const struct bag *bag, uint64_t key,
			      size_t length)
{
	size_t at = key & (bag->n_slots - 1);

	while (bag->kept[at].features && (bag->kept[at].key != key ||
					 bag->kept[at].length != length))
		at = (at + 1) & (bag->n_slots - 1);
	return &bag->kept[at];
}

static int grow_kept(struct bag *bag)
{
	struct kept *old = bag->kept;
	size_t n = bag->n_slots;

	bag->n_slots = n ? 2 * n : 1024;
	bag->kept = rm_calloc(bag->n_slots, sizeof(*bag->kept));
	if (!bag->kept) {
		bag->kept = old;
		bag->n_slots = n;
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (old[i].features)
			*kept_slot(bag, old[i].key, old[i].length) = old[i];
	free(old);
	return 0;
}

static size_t count_of(const struct features *f)
{
	return f->begin[RM_SPARSE_PARTS];
}

static int keep(struct bag *bag, const struct leaf *leaf, size_t length)
{
	size_t n = count_of(&leaf->made), bytes = n * sizeof(struct rm_use);

	if (bag->kept_bytes + bytes + sizeof(leaf->made) > KEPT_BYTES)
		return 0;
	if (2 * (bag->n_kept + 1) > bag->n_slots && grow_kept(bag) < 0)
		return -1;
	struct kept *k = kept_slot(bag, leaf->key, length);
	if (k->features)
		return 0;
	struct features *f = rm_arena_alloc(&bag->arena, 1, sizeof(*f));
	struct rm_use *use = rm_arena_alloc(&bag->arena, n + 1, sizeof(*use));
	if (!f || !use)
		return -1;
	if (n)
		memcpy(use, leaf->made.use, bytes);
	*f = leaf->made;
	f->use = use;
	*k = (struct kept){ leaf->key, length, f };
	bag->kept_bytes += bytes + sizeof(*f);
	bag->n_kept++;
	return 0;
}

/* ---- features of a batch ---- */

static const struct rm_segment *segment_of(const struct rm_batch *batch,
					   size_t leaf)
{
	return &batch->segment[batch->leaf[leaf]];
}

static int worker_reserve(struct worker *w, size_t tokens, size_t rows,
			  size_t *slots)
{
	*slots = 64;
	while (*slots < 2 * rows)
		*slots *= 2;
	if (rm_grow(&w->hash, &w->cap_hash, tokens, sizeof(*w->hash)) < 0 ||
	    rm_grow(&w->row, &w->cap_row, rows, sizeof(*w->row)) < 0 ||
	    rm_grow(&w->use, &w->cap_use, rows, sizeof(*w->use)) < 0 ||
	    rm_grow(&w->slot, &w->cap_slot, *slots, sizeof(*w->slot)) < 0)
		return -1;
	return 0;
}

/* Distinct n-grams of leaf i with their counts, in its room. */
static int leaf_counts(struct bag *bag, const struct rm_batch *batch,
		       size_t i)
{
	const struct rm_segment *s = segment_of(batch, i);
	struct worker *w = &bag->worker[rm_thread_index()];
	struct leaf *leaf = &bag->leaf[i];
	size_t slots;

	if (worker_reserve(w, s->length, ngram_count(bag, s->length),
			   &slots) < 0)
		return -1;
	size_t n = find_rows(bag, w, batch->ids + s->start, s->length);
	n = count_rows(w, n, slots);
	sort_by_part(bag, w, n, bag->use + leaf->room, &leaf->made);
	leaf->features = &leaf->made;
	return 0;
}

static const struct features *find_kept(const struct bag *bag, uint64_t key,
					size_t length)
{
	return bag->n_slots ? kept_slot(bag, key, length)->features : NULL;
}

/* Leaf i's features with their weights, kept or made. */
static int leaf_features(struct bag *bag, const struct rm_batch *batch,
			 const rm_real *idf, size_t i)
{
	const struct rm_segment *s = segment_of(batch, i);
	struct leaf *leaf = &bag->leaf[i];

	if (batch->train) {
		leaf->key = rm_hash64(batch->ids + s->start,
				      s->length * sizeof(*batch->ids));
		leaf->features = find_kept(bag, leaf->key, s->length);
		if (leaf->features)
			return 0;
	}
	if (leaf_counts(bag, batch, i) < 0)
		return -1;
	weigh(bag, idf, bag->use + leaf->room, count_of(&leaf->made));
	return 0;
}

static int keep_new(struct bag *bag, const struct rm_batch *batch)
{
	for (size_t i = 0; i < bag->n_leaves; i++)
		if (bag->leaf[i].features == &bag->leaf[i].made &&
		    keep(bag, &bag->leaf[i], segment_of(batch, i)->length) < 0)
			return -1;
	return 0;
}

static int reserve_workers(struct bag *bag)
{
	size_t n = rm_threads();

	if (n <= bag->n_workers)
		return 0;
	struct worker *w = rm_realloc(bag->worker, n, sizeof(*w));
	if (!w)
		return -1;
	memset(w + bag->n_workers, 0, (n - bag->n_workers) * sizeof(*w));
	bag->worker = w;
	bag->n_workers = n;
	return 0;
}

static int reserve_batch(struct bag *bag, const struct rm_batch *batch)
{
	size_t n = batch->n_leaves, total = 0;

	if (reserve_workers(bag) < 0 ||
	    rm_grow(&bag->leaf, &bag->cap_leaves, n, sizeof(*bag->leaf)) < 0)
		return -1;
	bag->n_leaves = n;
	for (size_t i = 0; i < n; i++) {
		size_t length = segment_of(batch, i)->length;
		size_t most = ngram_count(bag, length);
		if (most >= UINT32_MAX)
			return rm_fail("a response of %zu tokens is too long",
				       length);
		bag->leaf[i].room = total;
		total += most;
	}
	return rm_grow(&bag->use, &bag->cap_use, total, sizeof(*bag->use));
}

/* ---- forward ---- */

/* x += w E[row] over the features. */
static inline void gather(rm_real *x, const rm_real *table, size_t dim,
			  const struct rm_use *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i + AHEAD < n) {
			const rm_real *next = table +
				(size_t)f[i + AHEAD].row * dim;
			for (size_t j = 0; j < dim; j += 64 / sizeof(*next))
				__builtin_prefetch(next + j);
		}
		const rm_real *row = table + (size_t)f[i].row * dim;
		for (size_t j = 0; j < dim; j++)
			x[j] += f[i].weight * row[j];
	}
}

RM_VECTOR
static void gather_wide(rm_real *x, const rm_real *table, size_t dim,
			const struct rm_use *f, size_t n)
{
	if (dim == 16)
		gather(x, table, 16, f, n);
	else
		gather(x, table, dim, f, n);
}

/* What the threads share in one pass over a batch. */
struct pass {
	struct rm_backbone *b;
	const struct rm_batch *batch;
	atomic_bool failed;
};

/* x += w s, s being what is added to the row of each feature. */
static void add_shift(rm_real *x, const rm_real *shift, size_t dim,
		      const struct features *f)
{
	for (size_t i = 0; i < count_of(f); i++)
		for (size_t j = 0; j < dim; j++)
			x[j] += f->use[i].weight * shift[i * dim + j];
}

static int leaf_forward(struct rm_backbone *b, const struct rm_batch *batch,
			size_t i)
{
	struct bag *bag = b->self;
	const struct rm_param *e = &b->params->param[bag->embedding];
	const rm_real *idf = bag->o.idf ?
		b->params->param[bag->idf].value : NULL;
	rm_real *x = b->hidden.value + i * b->dim;

	if (leaf_features(bag, batch, idf, i) < 0)
		return -1;
	const struct features *f = bag->leaf[i].features;
	memset(x, 0, b->dim * sizeof(*x));
	if (b->dim == 1)
		gather(x, e->value, 1, f->use, count_of(f));
	else
		gather_wide(x, e->value, b->dim, f->use, count_of(f));
	for (size_t j = 0; e->scale != 1 && j < b->dim; j++)
		x[j] *= (rm_real)e->scale;
	if (b->inputs)
		add_shift(x, b->inputs->shift + bag->leaf[i].room * b->dim,
			  b->dim, f);
	return 0;
}

static void forward_piece(void *arg, size_t i)
{
	struct pass *pass = arg;

	if (leaf_forward(pass->b, pass->batch, i) < 0)
		pass->failed = true;
}

static int bag_forward(struct rm_backbone *b, const struct rm_batch *batch)
{
	struct pass pass = { .b = b, .batch = batch };

	if (reserve_batch(b->self, batch) < 0 ||
	    rm_backbone_rows(b, batch->n_leaves, batch->train) < 0)
		return -1;
	b->hidden.pooled = true;
	rm_parallel(batch->n_leaves, forward_piece, &pass);
	if (pass.failed)
		return rm_fail("out of memory: n-grams of a batch");
	return batch->train && !b->wants_inputs ? keep_new(b->self, batch) : 0;
}

/* ---- backward ---- */

/* dE[row] += w dx for the rows of one part, leaf after leaf. */
static int part_backward(const struct rm_backbone *b, struct rm_sparse *rows,
			 size_t p)
{
	const struct bag *bag = b->self;

	for (size_t i = 0; i < bag->n_leaves; i++) {
		const struct features *f = bag->leaf[i].features;
		if (rm_sparse_add(rows, p, f->use + f->begin[p],
				  f->begin[p + 1] - f->begin[p],
				  b->hidden.grad + i * b->dim) < 0)
			return -1;
	}
	return 0;
}

static void backward_piece(void *arg, size_t p)
{
	struct pass *pass = arg;
	const struct bag *bag = pass->b->self;

	if (part_backward(pass->b, pass->b->params->param[bag->embedding].rows,
			  p) < 0)
		pass->failed = true;
}

/* x = sum of w (E[row] + s):  ds = w dx */
static void shift_backward(const struct rm_backbone *b)
{
	const struct bag *bag = b->self;
	size_t dim = b->dim;

	for (size_t i = 0; i < bag->n_leaves; i++) {
		const struct features *f = bag->leaf[i].features;
		rm_real *to = b->inputs->grad + bag->leaf[i].room * dim;
		const rm_real *dx = b->hidden.grad + i * dim;

		for (size_t k = 0; k < count_of(f); k++)
			for (size_t j = 0; j < dim; j++)
				to[k * dim + j] = f->use[k].weight * dx[j];
	}
}

/* A row a feature of each text, in the order of its sum. */
static int bag_inputs(struct rm_backbone *b, const struct rm_batch *batch,
		      struct rm_inputs *to)
{
	const struct bag *bag = b->self;
	size_t n = 0;

	/* Finds the features. */
	if (bag_forward(b, batch) < 0)
		return -1;
	for (size_t i = 0; i < batch->n_leaves; i++)
		n += ngram_count(bag, segment_of(batch, i)->length);
	if (rm_inputs_reserve(to, n, b->dim) < 0)
		return -1;
	for (size_t i = 0; i < batch->n_leaves; i++) {
		const struct leaf *leaf = &bag->leaf[i];

		for (size_t k = 0; k < count_of(leaf->features); k++) {
			to->segment[leaf->room + k] = batch->leaf[i];
			to->prompt[leaf->room + k] =
				segment_of(batch, i)->prompt > 0;
		}
	}
	return 0;
}

/* x = sum of w E[row]:  dE[row] += w dx */
static int bag_backward(struct rm_backbone *b, const struct rm_batch *batch)
{
	const struct bag *bag = b->self;
	struct pass pass = { .b = b, .batch = batch };

	if (b->inputs)
		shift_backward(b);
	if (!b->params->param[bag->embedding].rows)
		return 0;
	rm_parallel(RM_SPARSE_PARTS, backward_piece, &pass);
	return pass.failed ? rm_fail("out of memory: gradients of rows") : 0;
}

/* ---- document frequencies ---- */

static bool bag_wants_observe(const struct rm_backbone *b)
{
	const struct bag *bag = b->self;

	return bag->o.idf;
}

/* Documents that hold each row, counted in the idf parameter itself. */
static int bag_observe(struct rm_backbone *b, const struct rm_batch *batch)
{
	struct bag *bag = b->self;
	rm_real *idf = b->params->param[bag->idf].value;

	if (reserve_batch(bag, batch) < 0)
		return -1;
	if (bag->documents == 0)
		memset(idf, 0, bag->o.rows * sizeof(*idf));
	for (size_t i = 0; i < batch->n_leaves; i++) {
		if (leaf_counts(bag, batch, i) < 0)
			return -1;
		const struct features *f = bag->leaf[i].features;
		for (size_t j = 0; j < count_of(f); j++)
			idf[f->use[j].row]++;
	}
	bag->documents += (double)batch->n_leaves;
	return 0;
}

/* idf = ln((1 + documents) / (1 + df)) + 1, scikit-learn's smooth form. */
static int bag_observed(struct rm_backbone *b)
{
	struct bag *bag = b->self;
	rm_real *idf = b->params->param[bag->idf].value;

	for (size_t i = 0; i < bag->o.rows; i++)
		idf[i] = (rm_real)(log((1 + bag->documents) /
				       (1 + (double)idf[i])) + 1);
	bag->documents = 0;
	return 0;
}

/* ---- life ---- */

static int check_options(struct options *o)
{
	o->dim = RM_MAX(o->dim, 1);
	if (o->rows & (o->rows - 1))
		return rm_fail("backbone bag: rows is %zu, not a power of two",
			       o->rows);
	if (o->ngrams_min > o->ngrams)
		return rm_fail("backbone bag: ngrams_min is %zu, more than "
			       "ngrams, %zu", o->ngrams_min, o->ngrams);
	return 0;
}

static int add_params(struct rm_backbone *b, struct bag *bag)
{
	const struct rm_param embedding = {
		.name = "embedding.weight",
		.n_dims = 2, .shape = { bag->o.rows, bag->o.dim },
		.trainable = true, .decay = true, .sparse = true,
		.rate = bag->o.rate,
		.init = RM_INIT_ZERO
	};
	const struct rm_param idf = {
		.name = "embedding.idf",
		.n_dims = 1, .shape = { bag->o.rows },
		.init = RM_INIT_CONSTANT, .init_scale = 1
	};

	int e = rm_params_add(b->params, &embedding);
	int i = e < 0 ? -1 : bag->o.idf ? rm_params_add(b->params, &idf) : 0;
	if (i < 0)
		return -1;
	bag->embedding = (size_t)e;
	bag->idf = (size_t)i;
	return 0;
}

static int bag_init(struct rm_backbone *b, const json_t *config,
		    size_t vocab)
{
	struct bag *bag = rm_calloc(1, sizeof(*bag));

	(void)vocab;
	if (!bag)
		return -1;
	b->self = bag;
	if (rm_spec_fill("backbone", &b->kind->spec, config, &bag->o) < 0 ||
	    check_options(&bag->o) < 0)
		return -1;
	for (size_t tf = 1; tf < SMALL_TF; tf++)
		bag->tf_weight[tf] = tf_weight((enum tf)bag->o.tf, (double)tf);
	unsigned bits = (unsigned)__builtin_ctzll(bag->o.rows);
	bag->row_shift = 32 - bits;
	bag->part_shift = bits - (unsigned)__builtin_ctz(RM_SPARSE_PARTS);
	b->dim = bag->o.dim;
	b->prompt = RM_PROMPT_NONE;
	return add_params(b, bag);
}

static void bag_fini(struct rm_backbone *b)
{
	struct bag *bag = b->self;

	if (!bag)
		return;
	for (size_t i = 0; i < bag->n_workers; i++) {
		free(bag->worker[i].hash);
		free(bag->worker[i].row);
		free(bag->worker[i].use);
		free(bag->worker[i].slot);
	}
	free(bag->worker);
	free(bag->leaf);
	free(bag->kept);
	rm_arena_fini(&bag->arena);
	free(bag->use);
	free(bag);
}

const struct rm_backbone_kind rm_backbone_bag = {
	.spec = { "bag", "hashed n-grams of token ids, summed", keys, false },
	.light = true,
	.width = "dim",
	.init = bag_init,
	.wants_observe = bag_wants_observe,
	.observe = bag_observe,
	.observed = bag_observed,
	.forward = bag_forward,
	.inputs = bag_inputs,
	.backward = bag_backward,
	.fini = bag_fini
};
