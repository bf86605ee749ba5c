/*
 * A batch as chunks, each in the memory of one thread, and what comes out of
 * them.
 */
#include "backbone/transformer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a chunk, and what its memory may come to. */
#define CHUNK_ROWS ((size_t)1024)
#define CHUNK_BYTES ((size_t)64 << 20)

void rm_transformer_chunks_fini(struct rm_transformer *t)
{
	for (size_t i = 0; i < t->n_space; i++)
		rm_transformer_space_fini(&t->space[i]);
	for (size_t i = 0; i < 2; i++) {
		free(t->rope[i].cos);
		free(t->rope[i].sin);
	}
	free(t->bucket);
	free(t->space);
	free(t->chunk);
	free(t->row);
	free(t->last_run);
}

/* ---- tables of positions ---- */

static int need_rope(struct rm_transformer *t, bool sliding, size_t n)
{
	struct rm_rope_table *r = &t->rope[sliding];
	size_t half = t->arch.rotary / 2;
	float *f;

	if (n <= r->n || (sliding ? t->arch.rope_sliding.theta :
			  t->arch.rope.theta) <= 0)
		return 0;
	n = RM_MAX(n, 2 * r->n);
	free(r->cos);
	free(r->sin);
	r->n = 0;
	r->cos = rm_malloc(n * half, sizeof(*r->cos));
	r->sin = rm_malloc(n * half, sizeof(*r->sin));
	f = rm_malloc(half, sizeof(*f));
	if (!r->cos || !r->sin || !f) {
		free(f);
		return -1;
	}
	rm_arch_frequencies(&t->arch, sliding, f);
	for (size_t i = 0; i < n * half; i++) {
		size_t position = i / half;
		double angle = (double)((float)position * f[i % half]);

		r->cos[i] = (rm_real)cos(angle);
		r->sin[i] = (rm_real)sin(angle);
	}
	r->n = n;
	free(f);
	return 0;
}

/* Rows of pos_key (and of pos_query, by -distance) for distances < n. */
static int need_buckets(struct rm_transformer *t, size_t n)
{
	const struct rm_arch *a = &t->arch;
	ptrdiff_t most = 2 * (ptrdiff_t)a->span - 1;

	if (a->span == 0 || n <= t->n_bucket)
		return 0;
	free(t->bucket);
	t->n_bucket = 0;
	t->bucket = rm_malloc(2 * n - 1, sizeof(*t->bucket));
	if (!t->bucket)
		return -1;
	for (size_t i = 0; i < 2 * n - 1; i++) {
		ptrdiff_t row = (ptrdiff_t)a->span +
			rm_arch_bucket(a, (ptrdiff_t)i - (ptrdiff_t)n + 1);

		t->bucket[i] = (int32_t)RM_MIN(RM_MAX(row, 0), most);
	}
	t->n_bucket = n;
	return 0;
}

/* ---- chunks ---- */

/* The segment behind the tree of which `first` is the root. */
static size_t tree_end(const struct rm_batch *batch, size_t first)
{
	size_t i = first + 1;

	while (i < batch->n_segments && batch->segment[i].parent == first)
		i++;
	return i;
}

/* Rows that chunks should have: alike, and as many as threads share. */
static size_t chunk_rows(const struct rm_transformer *t,
			 const struct rm_batch *batch)
{
	size_t most = CHUNK_BYTES / rm_transformer_row_bytes(t);
	size_t total = 0, chunks;

	/* Gradients are summed in one order, whatever the threads. */
	if (batch->train)
		return SIZE_MAX;
	most = RM_MAX(RM_MIN(most, CHUNK_ROWS), 64);
	for (size_t i = 0; i < batch->n_segments; i++)
		total += batch->segment[i].length;
	chunks = (total + most - 1) / most;
	if (chunks > 1)
		chunks = (chunks + rm_threads() - 1) / rm_threads() *
			rm_threads();
	return chunks ? (total + chunks - 1) / chunks : most;
}

static int cut_chunks(struct rm_transformer *t, const struct rm_batch *batch)
{
	size_t most = chunk_rows(t, batch), i = 0;
	struct rm_chunk *c = NULL;

	t->n_chunks = 0;
	if (rm_grow(&t->row, &t->cap_row, batch->n_segments,
		    sizeof(*t->row)) < 0)
		return -1;
	while (i < batch->n_segments) {
		size_t end = tree_end(batch, i);

		if (!c || c->rows >= most) {
			if (rm_grow(&t->chunk, &t->cap_chunks,
				    t->n_chunks + 1, sizeof(*t->chunk)) < 0)
				return -1;
			c = &t->chunk[t->n_chunks++];
			*c = (struct rm_chunk){ .first = i };
		}
		for (; i < end; i++) {
			t->row[i] = c->rows;
			c->rows += batch->segment[i].length;
		}
		c->end = end;
	}
	return 0;
}

/* ---- what comes out ---- */

/* The first asked for that is not before that token. */
static size_t ask_from(const struct rm_batch *batch, size_t token)
{
	size_t low = 0, high = batch->n_ask;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (batch->ask[mid] < token)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Rows of a chunk are its tokens in order; this is the first. */
static size_t first_token(const struct rm_run *r)
{
	return r->p->batch->segment[r->c->first].start;
}

static void count_picks(struct rm_run *r)
{
	const struct rm_batch *batch = r->p->batch;

	r->first_ask = ask_from(batch, first_token(r));
	r->n_pick = ask_from(batch, first_token(r) + r->rows) - r->first_ask;
}

static void put_out(const struct rm_run *r, const rm_real *y)
{
	size_t dim = r->p->b->dim;
	size_t first = r->n_pick ? r->first_ask : first_token(r);

	memcpy(r->p->b->hidden.value + first * dim, y,
	       r->rows * dim * sizeof(*y));
}

/* What put_out gave away comes back as gradients, of the batch's one chunk. */
void rm_transformer_take_grad(const struct rm_run *r, rm_real *d)
{
	memcpy(d, r->p->b->hidden.grad, r->rows * r->p->b->dim * sizeof(*d));
}

static int do_run(struct rm_run *r)
{
	const struct rm_batch *batch = r->p->batch;
	const rm_real *y;

	if (batch->ask)
		count_picks(r);
	if ((batch->ask ? r->n_pick : r->rows) == 0)
		return 0;
	if (rm_transformer_space(r, batch->train) < 0)
		return -1;
	for (size_t i = 0; i < r->n_pick; i++)
		r->s->pick[i] = batch->ask[r->first_ask + i] - first_token(r);
	if (rm_transformer_run(r, &y) < 0)
		return -1;
	put_out(r, y);
	if (batch->train)
		*r->p->t->last_run = *r;
	return 0;
}

static void do_chunk(void *arg, size_t i)
{
	struct rm_pass *p = arg;
	struct rm_run r = {
		.p = p, .c = &p->t->chunk[i],
		.s = &p->t->space[rm_thread_index()],
		.rows = p->t->chunk[i].rows
	};

	if (do_run(&r) < 0)
		p->failed = true;
}

static int need_spaces(struct rm_transformer *t)
{
	size_t n = rm_threads();
	struct rm_space *more;

	if (n <= t->n_space)
		return 0;
	more = rm_realloc(t->space, n, sizeof(*more));
	if (!more)
		return -1;
	memset(more + t->n_space, 0, (n - t->n_space) * sizeof(*more));
	t->space = more;
	t->n_space = n;
	return 0;
}

/* Longest text of the batch; each has a token, and positions for all. */
static int check_texts(const struct rm_backbone *b,
		       const struct rm_batch *batch, size_t *longest)
{
	*longest = 0;
	for (size_t i = 0; i < batch->n_leaves; i++) {
		const struct rm_segment *s = &batch->segment[batch->leaf[i]];
		size_t n = rm_segment_at(batch, s) + s->length;

		if (n < b->least)
			return rm_fail("text %zu of the batch has no tokens",
				       i + 1);
		if (b->most && n > b->most)
			return rm_fail("text %zu of the batch has %zu tokens "
				       "and the model %zu positions: cut "
				       "texts with rm-tokenize -l", i + 1, n,
				       b->most);
		*longest = RM_MAX(*longest, n);
	}
	return 0;
}

int rm_transformer_forward(struct rm_backbone *b,
			       const struct rm_batch *batch)
{
	struct rm_transformer *t = b->self;
	struct rm_pass p = { .b = b, .t = t, .batch = batch };
	size_t longest;

	if (!t->ready)
		return rm_fail("the model's parameters are not taken over");
	if (check_texts(b, batch, &longest) < 0 || need_spaces(t) < 0 ||
	    need_rope(t, false, longest) < 0 ||
	    need_rope(t, true, longest) < 0 ||
	    need_buckets(t, longest) < 0 ||
	    rm_transformer_positions(&p) < 0 || cut_chunks(t, batch) < 0 ||
	    rm_backbone_rows(b, batch->ask ? batch->n_ask : batch->n_tokens,
			     batch->train) < 0)
		return -1;
	b->hidden.pooled = false;
	if (rm_asks_nothing(batch))
		return 0;
	if (batch->train && !t->last_run) {
		t->last_run = rm_calloc(1, sizeof(*t->last_run));
		if (!t->last_run)
			return -1;
	}
	/* One chunk alone is shared by the threads inside. */
	if (t->n_chunks == 1)
		do_chunk(&p, 0);
	else
		rm_parallel(t->n_chunks, do_chunk, &p);
	return p.failed ? rm_fail("out of memory") : 0;
}

