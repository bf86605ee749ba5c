/*
 * The C interface of oneDNN, of versions 2 and 3, which differ in whether
 * descriptions of memory are values or objects.
 */
#include "bf16.h"
#include "gemm/onednn.h"

#include <stdlib.h>
#include <string.h>

#if defined(RM_ONEDNN) && !defined(RM_DOUBLE)

#include <dnnl.h>
#include <omp.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t known_desc;
#else
typedef const dnnl_memory_desc_t *known_desc;
#endif

struct rm_onednn {
	size_t n, k;
	bool bf16;
	dnnl_engine_t engine;
	dnnl_primitive_desc_t desc;
	dnnl_primitive_t product;
	dnnl_memory_t w;
	size_t scratch;		/* bytes that a call needs */
};

enum rm_bf16_units rm_onednn_units(void)
{
	unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
	unsigned tiles = dnnl_cpu_isa_avx512_core_amx;
	unsigned vectors = dnnl_cpu_isa_avx512_core_bf16;

	if ((isa & tiles) == tiles)
		return RM_BF16_TILES;
	return (isa & vectors) == vectors ? RM_BF16_VECTORS :
					    RM_BF16_NO_UNITS;
}

static int check(dnnl_status_t status, const char *what)
{
	if (status == dnnl_success)
		return 0;
	return rm_fail("oneDNN cannot make %s (status %d)", what,
		       (int)status);
}

static dnnl_data_type_t type_of(const struct rm_onednn *w)
{
	return w->bf16 ? dnnl_bf16 : dnnl_f32;
}

/* ---- what differs between the versions ---- */

/* x, w and y of a tile. */
enum { X, W, Y, DESCS };

static dnnl_status_t describe(dnnl_memory_desc_t *d, size_t rows,
			      size_t columns, dnnl_data_type_t type,
			      dnnl_format_tag_t tag)
{
	dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)columns };

#if DNNL_VERSION_MAJOR >= 3
	return dnnl_memory_desc_create_with_tag(d, 2, dims, type, tag);
#else
	return dnnl_memory_desc_init_by_tag(d, 2, dims, type, tag);
#endif
}

static known_desc known(const dnnl_memory_desc_t *d)
{
#if DNNL_VERSION_MAJOR >= 3
	return *d;
#else
	return d;
#endif
}

static void forget(dnnl_memory_desc_t *d)
{
#if DNNL_VERSION_MAJOR >= 3
	dnnl_memory_desc_destroy(*d);
#else
	(void)d;
#endif
}

static dnnl_status_t choose(struct rm_onednn *w, const dnnl_memory_desc_t *d,
			    const_dnnl_primitive_attr_t attr)
{
#if DNNL_VERSION_MAJOR >= 3
	return dnnl_matmul_primitive_desc_create(&w->desc, w->engine, d[X],
						 d[W], NULL, d[Y], attr);
#else
	dnnl_matmul_desc_t op;
	dnnl_status_t status = dnnl_matmul_desc_init(&op, &d[X], &d[W], NULL,
						     &d[Y]);

	return status != dnnl_success ? status :
		dnnl_primitive_desc_create(&w->desc, &op, attr, w->engine,
					   NULL);
#endif
}

/* ---- setting up ---- */

static known_desc asked(const struct rm_onednn *w, dnnl_query_t what)
{
	return dnnl_primitive_desc_query_md(w->desc, what, 0);
}

/* A product of a tile with memory of the caller's, so threads may share it. */
static int make_product(struct rm_onednn *w, const dnnl_memory_desc_t *d)
{
	dnnl_primitive_attr_t attr;
	dnnl_status_t status;

	if (check(dnnl_primitive_attr_create(&attr), "attributes") < 0)
		return -1;
	dnnl_primitive_attr_set_scratchpad_mode(attr,
						dnnl_scratchpad_mode_user);
	status = choose(w, d, attr);
	dnnl_primitive_attr_destroy(attr);
	if (check(status, "a product") < 0 ||
	    check(dnnl_primitive_create(&w->product, w->desc),
		  "a product") < 0)
		return -1;
	w->scratch = dnnl_memory_desc_get_size(
		asked(w, dnnl_query_scratchpad_md));
	return 0;
}

/* One call, done when it returns. */
static dnnl_status_t execute(const struct rm_onednn *w,
			     const_dnnl_primitive_t what, int n,
			     const dnnl_exec_arg_t *arg)
{
	dnnl_stream_t stream;
	dnnl_status_t status = dnnl_stream_create(&stream, w->engine,
						  dnnl_stream_default_flags);

	if (status != dnnl_success)
		return status;
	status = dnnl_primitive_execute(what, stream, n, arg);
	if (status == dnnl_success)
		status = dnnl_stream_wait(stream);
	dnnl_stream_destroy(stream);
	return status;
}

/* The weights into the order that the product asks for. */
static dnnl_status_t reorder(const struct rm_onednn *w, known_desc plain,
			     dnnl_memory_t from)
{
	const dnnl_exec_arg_t arg[] = {
		{ DNNL_ARG_FROM, from }, { DNNL_ARG_TO, w->w }
	};
	dnnl_primitive_desc_t desc = NULL;
	dnnl_primitive_t primitive = NULL;
	dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc,
		plain, w->engine, asked(w, dnnl_query_weights_md), w->engine,
		NULL);

	if (status == dnnl_success)
		status = dnnl_primitive_create(&primitive, desc);
	if (status == dnnl_success)
		status = execute(w, primitive, 2, arg);
	dnnl_primitive_destroy(primitive);
	dnnl_primitive_desc_destroy(desc);
	return status;
}

static int set_weights(struct rm_onednn *w, const void *plain)
{
	dnnl_memory_desc_t d;
	dnnl_memory_t from = NULL;
	dnnl_status_t status = describe(&d, w->k, w->n, type_of(w), dnnl_ba);

	if (check(status, "a description of weights") < 0)
		return -1;
	status = dnnl_memory_create(&from, known(&d), w->engine,
				    DNNL_MEMORY_NONE);
	/* It takes what it only reads by a pointer to what it may write. */
	if (status == dnnl_success)
		status = dnnl_memory_set_data_handle(from,
			(void *)(uintptr_t)plain);
	if (status == dnnl_success)
		status = reorder(w, known(&d), from);
	dnnl_memory_destroy(from);
	forget(&d);
	return check(status, "weights in its order");
}

static int set_up(struct rm_onednn *w)
{
	const struct {
		size_t rows, columns;
		dnnl_data_type_t type;
		dnnl_format_tag_t tag;
	} what[DESCS] = {
		[X] = { RM_ONEDNN_TILE, w->k, type_of(w), dnnl_ab },
		[W] = { w->k, w->n, type_of(w), dnnl_format_tag_any },
		[Y] = { RM_ONEDNN_TILE, w->n, dnnl_f32, dnnl_ab }
	};
	dnnl_memory_desc_t d[DESCS];
	int status = 0, made = 0;

	if (check(dnnl_engine_create(&w->engine, dnnl_cpu, 0),
		  "an engine") < 0)
		return -1;
	for (; made < DESCS && status == 0; made++)
		status = check(describe(&d[made], what[made].rows,
					what[made].columns, what[made].type,
					what[made].tag), "a description");
	if (status == 0)
		status = make_product(w, d);
	for (int i = 0; i < made; i++)
		forget(&d[i]);
	if (status < 0)
		return -1;
	return check(dnnl_memory_create(&w->w,
					asked(w, dnnl_query_weights_md),
					w->engine, DNNL_MEMORY_ALLOCATE),
		     "room for weights");
}

struct rm_onednn *rm_onednn_new(size_t n, size_t k, bool bf16)
{
	struct rm_onednn *w = rm_calloc(1, sizeof(*w));
	int threads = omp_get_max_threads(), status;

	if (!w)
		return NULL;
	w->n = n;
	w->k = k;
	w->bf16 = bf16;
	/* The product is made for as many threads as will run it. */
	omp_set_num_threads(1);
	status = set_up(w);
	omp_set_num_threads(threads);
	if (status == 0)
		return w;
	rm_onednn_free(w);
	return NULL;
}

int rm_onednn_set(struct rm_onednn *w, const void *plain)
{
	int threads = omp_get_max_threads(), status;

	omp_set_num_threads(1);
	status = set_weights(w, plain);
	omp_set_num_threads(threads);
	return status;
}

void rm_onednn_free(struct rm_onednn *w)
{
	if (!w)
		return;
	dnnl_memory_destroy(w->w);
	dnnl_primitive_destroy(w->product);
	dnnl_primitive_desc_destroy(w->desc);
	dnnl_engine_destroy(w->engine);
	free(w);
}

/* ---- products ---- */

struct job {
	const struct rm_onednn *w;
	size_t m;
	const rm_real *x;
	rm_real *y;
	bool add;
	char *space;		/* x, y and scratch of a tile, one a thread */
	size_t x_bytes, y_bytes, each;
	_Atomic int status;	/* one that is not dnnl_success */
};

/* rows of x, then zero rows, in the product's type. */
static void copy_tile(const struct job *j, size_t row, size_t rows, void *to)
{
	const struct rm_onednn *w = j->w;
	const rm_real *from = j->x + row * w->k;

	memset(to, 0, j->x_bytes);
	if (!w->bf16) {
		memcpy(to, from, rows * w->k * sizeof(*from));
		return;
	}
	uint16_t *bf16 = to;
	for (size_t i = 0; i < rows * w->k; i++)
		bf16[i] = rm_to_bf16((float)from[i]);
}

static dnnl_status_t call(const struct rm_onednn *w, void *x, void *y,
			  void *scratch)
{
	dnnl_exec_arg_t arg[] = {
		{ DNNL_ARG_SRC, NULL }, { DNNL_ARG_DST, NULL },
		{ DNNL_ARG_SCRATCHPAD, NULL }, { DNNL_ARG_WEIGHTS, w->w }
	};
	const dnnl_query_t what[] = {
		dnnl_query_src_md, dnnl_query_dst_md, dnnl_query_scratchpad_md
	};
	void *const at[] = { x, y, scratch };
	dnnl_status_t status = dnnl_success;

	for (size_t i = 0; i < RM_COUNT(at) && status == dnnl_success; i++)
		status = dnnl_memory_create(&arg[i].memory,
					    asked(w, what[i]), w->engine,
					    at[i]);
	if (status == dnnl_success)
		status = execute(w, w->product, (int)RM_COUNT(arg), arg);
	for (size_t i = 0; i < RM_COUNT(at); i++)
		dnnl_memory_destroy(arg[i].memory);
	return status;
}

static void do_tile(void *arg, size_t tile)
{
	struct job *j = arg;
	size_t row = tile * RM_ONEDNN_TILE, n = j->w->n;
	size_t rows = RM_MIN(RM_ONEDNN_TILE, j->m - row);
	char *x = j->space + rm_thread_index() * j->each;
	rm_real *own = (rm_real *)(void *)(x + j->x_bytes);
	rm_real *y = j->y + row * n;
	bool direct = rows == RM_ONEDNN_TILE && !j->add;
	int threads = omp_get_max_threads();
	dnnl_status_t status;

	copy_tile(j, row, rows, x);
	omp_set_num_threads(1);
	status = call(j->w, x, direct ? y : own,
		      x + j->x_bytes + j->y_bytes);
	omp_set_num_threads(threads);
	if (status != dnnl_success)
		j->status = (int)status;
	else if (!direct)
		for (size_t i = 0; i < rows * n; i++)
			y[i] = j->add ? y[i] + own[i] : own[i];
}

static size_t whole_lines(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

int rm_onednn_product(size_t m, const rm_real *x, const struct rm_onednn *w,
		      rm_real *y, bool add)
{
	struct job j = {
		.w = w, .m = m, .x = x, .y = y, .add = add, .status = dnnl_success,
		.x_bytes = whole_lines(RM_ONEDNN_TILE * w->k *
				       (w->bf16 ? 2 : sizeof(float))),
		.y_bytes = whole_lines(RM_ONEDNN_TILE * w->n * sizeof(float))
	};

	j.each = j.x_bytes + j.y_bytes + whole_lines(w->scratch);
	j.space = rm_calloc_aligned(rm_threads(), j.each);
	if (!j.space)
		return -1;
	rm_parallel((m + RM_ONEDNN_TILE - 1) / RM_ONEDNN_TILE, do_tile, &j);
	free(j.space);
	return check((dnnl_status_t)j.status, "this product");
}

#else

enum rm_bf16_units rm_onednn_units(void)
{
	return RM_BF16_NO_UNITS;
}

struct rm_onednn *rm_onednn_new(size_t n, size_t k, bool bf16)
{
	(void)n;
	(void)k;
	(void)bf16;
	return rm_fail_null("built without oneDNN");
}

int rm_onednn_set(struct rm_onednn *w, const void *plain)
{
	(void)w;
	(void)plain;
	return rm_fail("built without oneDNN");
}

void rm_onednn_free(struct rm_onednn *w)
{
	(void)w;
}

int rm_onednn_product(size_t m, const rm_real *x, const struct rm_onednn *w,
		      rm_real *y, bool add)
{
	(void)m;
	(void)x;
	(void)w;
	(void)y;
	(void)add;
	return rm_fail("built without oneDNN");
}

#endif
