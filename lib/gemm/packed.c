/*
 * Products with packed weights: y = x w'.
 *
 * Weights stand in panels of COLUMNS outputs, input by input, cut into runs of
 * DEPTH inputs so that a panel's run stays in the first cache while ROWS rows
 * of x at a time pass by; STRIPE rows of x stay in the second.  Goto and van
 * de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008.  Every
 * number is summed over the inputs in order, in runs of DEPTH: what stands in
 * other rows, or how many there are, changes no bit.
 */
#pragma GCC optimize("fp-contract=fast")

#include "gemm.h"
#include "gemm/pairs.h"
#include "gemm/pieces.h"
#include "vector.h"

#include <stdlib.h>

#define ROWS ((size_t)6)
#define VECTORS ((size_t)2)
#define COLUMNS (VECTORS * RM_LANES)
#define DEPTH ((size_t)512)
#define STRIPE ((size_t)96)

struct rm_packed {
	size_t n, k;		/* outputs, inputs */
	size_t panels;
	enum rm_precision precision;
	rm_real *w;		/* [runs][panels][run, COLUMNS] */
	/* In its place, for bf16 where the processor has units. */
	uint32_t *pairs;
	struct rm_onednn *onednn;
};

/* ---- packing ---- */

/* Rounded, as far as fp32 knows the number. */
static rm_real to_bf16(rm_real x)
{
	return rm_of_bf16(rm_to_bf16((float)x));
}

/*
 * Numbers of one matrix from an output and an input on: that of input i and
 * output o at at[i * in + o * out].
 */
struct block {
	const rm_real *at;
	size_t in, out, inputs, outputs;
};

static struct block block_of(const struct rm_weights *w, enum rm_way way,
			     size_t output, size_t input)
{
	bool along = way == RM_ALONG;
	size_t i = 0, first = 0, row = along ? output : input;
	size_t column = along ? input : output, by_row, by_column;

	while (row >= first + w->rows[i])
		first += w->rows[i++];
	by_row = w->turned ? 1 : w->k;
	by_column = w->turned ? w->rows[i] : 1;
	return (struct block){
		.at = w->w[i] + (row - first) * by_row + column * by_column,
		.in = along ? by_column : by_row,
		.out = along ? by_row : by_column,
		.inputs = along ? w->k - input :
			first + w->rows[i] - input,
		.outputs = along ? first + w->rows[i] - output :
			w->k - output
	};
}

struct packing {
	struct rm_packed *p;
	const struct rm_weights *w;
	enum rm_way way;
};

/* to[i * width + o] = what b has of n outputs and `inputs` inputs. */
RM_INLINE void copy_block(rm_real *to, size_t width, const struct block *b,
			  size_t inputs, size_t n)
{
	size_t i = 0, all = b->in == 1 ? n - n % RM_LANES : 0;

	/* Eight inputs of eight outputs at a time, turned. */
	for (; all && i + RM_LANES <= inputs; i += RM_LANES)
		for (size_t o = 0; o < all; o += RM_LANES) {
			rm_vec v[RM_LANES];

			for (size_t k = 0; k < RM_LANES; k++)
				memcpy(&v[k], b->at + i + (o + k) * b->out,
				       sizeof(*v));
			rm_turn_eight(v);
			for (size_t k = 0; k < RM_LANES; k++)
				memcpy(to + (i + k) * width + o, &v[k],
				       sizeof(*v));
		}
	for (size_t r = 0; r < inputs; r++)
		for (size_t o = r < i ? all : 0; o < n; o++)
			to[r * width + o] = b->at[r * b->in + o * b->out];
}

/*
 * Outputs [from, to) of inputs [first, first + run): input i at
 * at[i * width].
 */
RM_VECTOR
static void pack_run(const struct packing *j, size_t from, size_t to,
		     size_t first, size_t run, rm_real *at, size_t width)
{
	struct block b;

	for (size_t o = from, n; o < to; o += n, at += n)
		for (size_t c = 0, some; c < run; c += some) {
			b = block_of(j->w, j->way, o, first + c);
			n = RM_MIN(b.outputs, to - o);
			some = RM_MIN(b.inputs, run - c);
			copy_block(at + c * width, width, &b, some, n);
		}
}

static void pack_panel(void *arg, size_t panel)
{
	const struct packing *j = arg;
	struct rm_packed *p = j->p;
	size_t from = panel * COLUMNS, to = RM_MIN(from + COLUMNS, p->n);

	for (size_t first = 0; first < p->k; first += DEPTH) {
		size_t run = RM_MIN(DEPTH, p->k - first);
		rm_real *at = p->w + first * p->panels * COLUMNS +
			panel * run * COLUMNS;

		pack_run(j, from, to, first, run, at, COLUMNS);
		if (p->precision == RM_BF16)
			for (size_t i = 0; i < run * COLUMNS; i++)
				at[i] = to_bf16(at[i]);
	}
}

static void pack_pairs(void *arg, size_t panel)
{
	const struct packing *j = arg;
	struct rm_packed *p = j->p;
	size_t from = panel * RM_PAIRS_COLUMNS;
	size_t to = RM_MIN(from + RM_PAIRS_COLUMNS, p->n);
	rm_real space[RM_PAIRS_DEPTH * RM_PAIRS_COLUMNS] = {0};

	for (size_t c = 0; c < p->k; c += RM_PAIRS_DEPTH) {
		pack_run(j, from, to, c, RM_MIN(RM_PAIRS_DEPTH, p->k - c),
			 space, RM_PAIRS_COLUMNS);
		rm_pairs_pack(p->pairs, p->n, p->k, c, panel, space);
	}
}

static int pack_onednn(const struct packing *j)
{
	struct rm_packed *p = j->p;
	uint16_t *all = rm_malloc(p->n, p->k * sizeof(*all));
	int status;

	if (!all)
		return -1;
	for (size_t o = 0; o < p->n; o++)
		for (size_t c = 0; c < p->k;) {
			struct block b = block_of(j->w, j->way, o, c);

			for (size_t i = 0; i < b.inputs; i++, c++)
				all[o * p->k + c] =
					rm_to_bf16((float)b.at[i * b.in]);
		}
	status = rm_onednn_set(p->onednn, all);
	free(all);
	return status;
}

static struct rm_packed *new_packed(size_t n, size_t k,
				    enum rm_precision precision)
{
	struct rm_packed *p = rm_calloc(1, sizeof(*p));
	enum rm_bf16_by by = precision == RM_BF16 ? rm_bf16_by() :
						   RM_BY_ROUNDING;

	if (!p)
		return NULL;
	*p = (struct rm_packed){
		.n = n, .k = k, .precision = precision,
		.panels = (n + COLUMNS - 1) / COLUMNS
	};
	if (by == RM_BY_ONEDNN)
		p->onednn = rm_onednn_new(n, k, true);
	else if (by == RM_BY_PAIRS)
		p->pairs = rm_calloc_aligned(rm_pairs_packed(n, k),
					     sizeof(*p->pairs));
	else
		p->w = rm_calloc_aligned(p->panels * k,
					 COLUMNS * sizeof(*p->w));
	if (p->w || p->pairs || p->onednn)
		return p;
	rm_packed_free(p);
	return NULL;
}

int rm_gemm_pack(struct rm_packed **p, const struct rm_weights *w,
		 enum rm_way way, enum rm_precision precision)
{
	struct packing j = { .w = w, .way = way };
	size_t rows = 0;

	for (size_t i = 0; i < w->parts; i++)
		rows += w->rows[i];
	if (*p && (*p)->precision != precision) {
		rm_packed_free(*p);
		*p = NULL;
	}
	if (!*p)
		*p = way == RM_ALONG ? new_packed(rows, w->k, precision) :
				       new_packed(w->k, rows, precision);
	if (!*p)
		return -1;
	j.p = *p;
	if ((*p)->onednn)
		return pack_onednn(&j);
	if ((*p)->pairs)
		rm_parallel(((*p)->n + RM_PAIRS_COLUMNS - 1) /
			    RM_PAIRS_COLUMNS, pack_pairs, &j);
	else
		rm_parallel((*p)->panels, pack_panel, &j);
	return 0;
}

void rm_packed_free(struct rm_packed *p)
{
	if (!p)
		return;
	free(p->w);
	free(p->pairs);
	rm_onednn_free(p->onednn);
	free(p);
}

/* ---- the kernel ---- */

/*
 * y[ROWS, COLUMNS] = (first ? 0 : y) + x[ROWS, run] panel; rows of x and y
 * where their addresses say, of y all COLUMNS.
 */
RM_INLINE void kernel(rm_real *const *y, const rm_real *const *x,
		      const rm_real *panel, size_t run, bool first)
{
	rm_vec s[ROWS][VECTORS];

	for (size_t r = 0; r < ROWS; r++) {
		if (first)
			memset(s[r], 0, sizeof(s[r]));
		else
			memcpy(s[r], y[r], sizeof(s[r]));
	}
	for (size_t c = 0; c < run; c++) {
		rm_vec a, b;

		memcpy(&a, panel + c * COLUMNS, sizeof(a));
		memcpy(&b, panel + c * COLUMNS + RM_LANES, sizeof(b));
		for (size_t r = 0; r < ROWS; r++) {
			s[r][0] += x[r][c] * a;
			s[r][1] += x[r][c] * b;
		}
	}
	for (size_t r = 0; r < ROWS; r++)
		memcpy(y[r], s[r], sizeof(s[r]));
}

struct job {
	size_t m;
	const rm_real *x;
	const struct rm_packed *w;
	rm_real *y;
	size_t stripe;		/* rows of a piece */
	size_t groups, per;	/* of panels: pieces of a stripe */
	rm_real *rounded;	/* [threads, stripe, k] of x, or NULL */
	bool add;
};

/* Some panels, and some rows of which rows beyond m are the last again. */
struct part {
	const struct job *j;
	const rm_real *x;	/* of the first row, [., k] */
	size_t row, rows;
	size_t from, to;	/* panels */
};

/* A tile at the right edge goes through memory of its own. */
RM_INLINE void edge(rm_real *const *y, const rm_real *const *x,
		    const rm_real *panel, size_t run, bool first, size_t n)
{
	rm_real tile[ROWS][COLUMNS], *to[ROWS];

	for (size_t r = 0; r < ROWS; r++) {
		to[r] = tile[r];
		memset(tile[r], 0, sizeof(tile[r]));
		if (!first)
			memcpy(tile[r], y[r], n * sizeof(**tile));
	}
	kernel(to, x, panel, run, first);
	for (size_t r = 0; r < ROWS; r++)
		memcpy(y[r], tile[r], n * sizeof(**tile));
}

/* Where `rows` rows from t on stand, of y in panel i; rows that are not there
 * are the first again, and go to `spare`. */
RM_INLINE void find_rows(const struct part *p, size_t first, size_t i,
			 size_t t, size_t rows, const rm_real **x, rm_real **y,
			 rm_real *spare)
{
	const struct rm_packed *w = p->j->w;

	for (size_t r = 0; r < rows; r++) {
		bool in = t + r < p->rows;
		size_t row = in ? t + r : t;

		x[r] = p->x + row * w->k + first;
		y[r] = in ? p->j->y + (p->row + row) * w->n + i * COLUMNS :
			    spare;
	}
}

/* Panel i with the rows from t on. */
RM_INLINE void compute_panel(const struct part *p, size_t first, size_t run,
			     size_t i, size_t t)
{
	const struct rm_packed *w = p->j->w;
	const rm_real *panel = w->w + first * w->panels * COLUMNS +
		i * run * COLUMNS;
	size_t n = RM_MIN(COLUMNS, w->n - i * COLUMNS);
	bool anew = first == 0 && !p->j->add;
	rm_real spare[COLUMNS];

	for (; t < p->rows; t += ROWS) {
		const rm_real *x[ROWS];
		rm_real *y[ROWS];

		find_rows(p, first, i, t, ROWS, x, y, spare);
		if (n == COLUMNS)
			kernel(y, x, panel, run, anew);
		else
			edge(y, x, panel, run, anew, n);
	}
}

RM_VECTOR_FMA
static void compute_narrow(const struct part *p, size_t first, size_t run)
{
	for (size_t i = p->from; i < p->to; i++)
		compute_panel(p, first, run, i, 0);
}

#ifdef RM_WIDE

#define WIDE_ROWS ((size_t)12)
/* Panels at once: with them sums fill the registers, and loads are few. */
#define WIDE_PANELS ((size_t)2)

/* As kernel, of two panels side by side. */
RM_INLINE void wide_kernel(rm_real *const *y, const rm_real *const *x,
			   const rm_real *panel, size_t run, bool first)
{
	rm_wide s[WIDE_ROWS][WIDE_PANELS];

	for (size_t r = 0; r < WIDE_ROWS; r++) {
		if (first)
			memset(s[r], 0, sizeof(s[r]));
		else
			memcpy(s[r], y[r], sizeof(s[r]));
	}
	for (size_t c = 0; c < run; c++) {
		rm_wide a, b;

		memcpy(&a, panel + c * COLUMNS, sizeof(a));
		memcpy(&b, panel + (run + c) * COLUMNS, sizeof(b));
#pragma GCC unroll 12
		for (size_t r = 0; r < WIDE_ROWS; r++) {
			s[r][0] += x[r][c] * a;
			s[r][1] += x[r][c] * b;
		}
	}
	for (size_t r = 0; r < WIDE_ROWS; r++)
		memcpy(y[r], s[r], sizeof(s[r]));
}

/* Panels in twos and rows in twelves as far as they go, the rest as above. */
RM_WIDE
static void compute_wide(const struct part *p, size_t first, size_t run)
{
	const struct rm_packed *w = p->j->w;
	const rm_real *panels = w->w + first * w->panels * COLUMNS;
	size_t whole = p->rows - p->rows % WIDE_ROWS, i = p->from;

	_Static_assert(COLUMNS == RM_WIDE_LANES, "a panel is a wide vector");
	for (; i + WIDE_PANELS <= p->to &&
	       (i + WIDE_PANELS) * COLUMNS <= w->n; i += WIDE_PANELS) {
		for (size_t t = 0; t < whole; t += WIDE_ROWS) {
			const rm_real *x[WIDE_ROWS];
			rm_real *y[WIDE_ROWS];

			find_rows(p, first, i, t, WIDE_ROWS, x, y, NULL);
			wide_kernel(y, x, panels + i * run * COLUMNS, run,
				    first == 0 && !p->j->add);
		}
		for (size_t v = 0; v < WIDE_PANELS; v++)
			compute_panel(p, first, run, i + v, whole);
	}
	for (; i < p->to; i++)
		compute_panel(p, first, run, i, 0);
}

#endif

static void compute(const struct part *p, size_t first, size_t run)
{
#ifdef RM_WIDE
	if (rm_has_wide()) {
		compute_wide(p, first, run);
		return;
	}
#endif
	compute_narrow(p, first, run);
}

/* Rounded copies of the piece's rows. */
static const rm_real *round_rows(const struct job *j, size_t row, size_t rows)
{
	rm_real *to = j->rounded + rm_thread_index() * j->stripe * j->w->k;
	const rm_real *from = j->x + row * j->w->k;

	for (size_t i = 0; i < rows * j->w->k; i++)
		to[i] = to_bf16(from[i]);
	return to;
}

static void do_piece(void *arg, size_t i)
{
	const struct job *j = arg;
	struct part p = {
		.j = j, .row = i / j->groups * j->stripe,
		.from = i % j->groups * j->per
	};

	p.rows = RM_MIN(j->stripe, j->m - p.row);
	p.to = RM_MIN(p.from + j->per, j->w->panels);
	p.x = j->rounded ? round_rows(j, p.row, p.rows) :
			   j->x + p.row * j->w->k;
	for (size_t c = 0; c < j->w->k; c += DEPTH)
		compute(&p, c, RM_MIN(DEPTH, j->w->k - c));
}

int rm_gemm_packed(size_t m, const rm_real *x, const struct rm_packed *w,
		   rm_real *y, bool add)
{
	struct job j = {
		.m = m, .x = x, .w = w, .y = y, .stripe = STRIPE, .add = add
	};
	size_t stripes = (m + STRIPE - 1) / STRIPE, threads = rm_threads();

	if (m == 0 || w->n == 0)
		return 0;
	if (w->onednn)
		return rm_onednn_product(m, x, w->onednn, y, add);
	if (w->pairs) {
		rm_pairs_product(m, w->n, w->k, x, w->pairs, y, add);
		return 0;
	}
	/* Few rows are shared by columns. */
	rm_gemm_pieces(stripes, w->panels, 2 * threads, &j.groups, &j.per);
	if (w->precision == RM_BF16) {
		j.rounded = rm_malloc(threads * STRIPE * w->k, sizeof(*y));
		if (!j.rounded)
			return -1;
	}
	rm_parallel(stripes * j.groups, do_piece, &j);
	free(j.rounded);
	return 0;
}

enum rm_precision rm_gemm_auto(void)
{
	return rm_onednn_units() == RM_BF16_TILES ? RM_BF16 : RM_FP32;
}
