/*
 * Tokens a second if a transformer were nothing but its products: those of one
 * layer, timed in oneDNN (both operands packed beforehand) and, in fp32, in
 * OpenBLAS with its own threads, the faster of the two.
 *
 * usage: ceiling forward|training fp32|bf16 LAYERS N,K [N,K ...]
 *
 * For each N,K a layer has y[n] = w[n, k] x[k] a token; training adds the
 * gradient of x and that of w.  OMP_NUM_THREADS and OPENBLAS_NUM_THREADS say
 * how many threads.  Without oneDNN there is no figure for bf16: exit 1.
 */
#include "base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cblas.h>
#ifdef RM_ONEDNN
#include <dnnl.h>
#endif

/* Rows, and how often each product is timed. */
enum { ROWS = 4032, TIMES = 15 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- OpenBLAS ---- */

/* Seconds of c[m, n] = a[m, k] b[k, n], the least of TIMES. */
static double openblas(size_t m, size_t n, size_t k)
{
	float *a = calloc(m * k, sizeof(*a)), *b = calloc(k * n, sizeof(*b));
	float *c = calloc(m * n, sizeof(*c));
	double least = HUGE_VAL;

	for (int i = 0; a && b && c && i < TIMES; i++) {
		double start = now();

		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans,
			    (blasint)m, (blasint)n, (blasint)k, 1, a,
			    (blasint)k, b, (blasint)n, 0, c, (blasint)n);
		least = RM_MIN(least, now() - start);
	}
	free(a);
	free(b);
	free(c);
	return least;
}

/* ---- oneDNN ---- */

#ifdef RM_ONEDNN
#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t known_desc;
#else
typedef const dnnl_memory_desc_t *known_desc;
#endif

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void need(dnnl_status_t status)
{
	if (status == dnnl_success)
		return;
	fprintf(stderr, "ceiling: oneDNN refuses (status %d)\n", (int)status);
	exit(1);
}

static void describe(dnnl_memory_desc_t *d, size_t rows, size_t columns,
		     dnnl_data_type_t type, dnnl_format_tag_t tag)
{
	dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)columns };

#if DNNL_VERSION_MAJOR >= 3
	need(dnnl_memory_desc_create_with_tag(d, 2, dims, type, tag));
#else
	need(dnnl_memory_desc_init_by_tag(d, 2, dims, type, tag));
#endif
}

/* The product of those shapes; what it wants packed is its own choice. */
static dnnl_primitive_desc_t choose(size_t m, size_t n, size_t k,
				    dnnl_data_type_t type)
{
	dnnl_memory_desc_t a, b, c;
	dnnl_primitive_desc_t chosen;

	describe(&a, m, k, type, dnnl_format_tag_any);
	describe(&b, k, n, type, dnnl_format_tag_any);
	describe(&c, m, n, dnnl_f32, dnnl_ab);
#if DNNL_VERSION_MAJOR >= 3
	need(dnnl_matmul_primitive_desc_create(&chosen, engine, a, b, NULL, c,
					       NULL));
#else
	dnnl_matmul_desc_t op;

	need(dnnl_matmul_desc_init(&op, &a, &b, NULL, &c));
	need(dnnl_primitive_desc_create(&chosen, &op, NULL, engine, NULL));
#endif
	return chosen;
}

static dnnl_memory_t memory(dnnl_primitive_desc_t of, dnnl_query_t what)
{
	known_desc d = dnnl_primitive_desc_query_md(of, what, 0);
	dnnl_memory_t m;
	void *bytes;

	need(dnnl_memory_create(&m, d, engine, DNNL_MEMORY_ALLOCATE));
	need(dnnl_memory_get_data_handle(m, &bytes));
	memset(bytes, 0, dnnl_memory_desc_get_size(d));
	return m;
}

/* The same as openblas. */
static double onednn(size_t m, size_t n, size_t k, bool bf16)
{
	dnnl_primitive_desc_t desc =
		choose(m, n, k, bf16 ? dnnl_bf16 : dnnl_f32);
	dnnl_exec_arg_t arg[3] = {
		{ DNNL_ARG_SRC, memory(desc, dnnl_query_src_md) },
		{ DNNL_ARG_WEIGHTS, memory(desc, dnnl_query_weights_md) },
		{ DNNL_ARG_DST, memory(desc, dnnl_query_dst_md) }
	};
	dnnl_primitive_t product;
	double least = HUGE_VAL;

	need(dnnl_primitive_create(&product, desc));
	for (int i = 0; i < TIMES; i++) {
		double start = now();

		need(dnnl_primitive_execute(product, stream, 3, arg));
		need(dnnl_stream_wait(stream));
		least = RM_MIN(least, now() - start);
	}
	for (int i = 0; i < 3; i++)
		dnnl_memory_destroy(arg[i].memory);
	dnnl_primitive_destroy(product);
	dnnl_primitive_desc_destroy(desc);
	return least;
}

static void open_onednn(void)
{
	need(dnnl_engine_create(&engine, dnnl_cpu, 0));
	need(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
}
#else
static double onednn(size_t m, size_t n, size_t k, bool bf16)
{
	(void)m, (void)n, (void)k, (void)bf16;
	return HUGE_VAL;
}

static void open_onednn(void)
{
}
#endif

/* ---- a layer ---- */

enum { OPENBLAS, ONEDNN, LIBRARIES };

static void add(double *seconds, size_t m, size_t n, size_t k, bool bf16)
{
	seconds[OPENBLAS] += bf16 ? HUGE_VAL : openblas(m, n, k);
	seconds[ONEDNN] += onednn(m, n, k, bf16);
}

int main(int argc, char **argv)
{
	double seconds[LIBRARIES] = {0}, layers, least;
	bool training, bf16;

	if (argc < 5 || (layers = atof(argv[3])) <= 0)
		return 2;
	training = strcmp(argv[1], "training") == 0;
	bf16 = strcmp(argv[2], "bf16") == 0;
	open_onednn();
	for (int i = 4; i < argc; i++) {
		char *comma;
		size_t n = strtoul(argv[i], &comma, 10);
		size_t k = strtoul(comma + 1, NULL, 10);

		add(seconds, ROWS, n, k, bf16);
		if (training) {
			add(seconds, ROWS, k, n, bf16);
			add(seconds, n, k, ROWS, bf16);
		}
	}
	least = RM_MIN(seconds[OPENBLAS], seconds[ONEDNN]);
	if (!isfinite(least))
		return 1;
	printf("%.0f %s\n", ROWS / (layers * least),
	       seconds[ONEDNN] <= least ? "oneDNN" : "OpenBLAS");
	return 0;
}
