#include "test.h"

#include "attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef RM_DOUBLE
#define NEAR 1e-12
#else
#define NEAR 2e-6
#endif

/* Rows of q, k, v side by side, as a layer has them, and of positions. */
struct input {
	struct rm_attention a;
	size_t rows, ld;
	rm_real *qkv, *y, *pos, *lse;
	int32_t *bucket;
};

static size_t width(const struct rm_attention *a)
{
	return (a->heads + 2 * a->kv_heads) * a->dim;
}

static void fill(rm_real *x, size_t n, uint64_t step)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (rm_real)rm_random_normal(1, RM_RANDOM_TEST, step, i);
}

static void start(struct input *in, struct rm_attention a, size_t rows)
{
	*in = (struct input){ .a = a, .rows = rows, .ld = width(&a) };
	in->qkv = rm_calloc(rows * in->ld, sizeof(*in->qkv));
	in->y = rm_calloc(rows * a.heads * a.dim, sizeof(*in->y));
	in->lse = rm_calloc(rows, a.heads * sizeof(*in->lse));
	assert_non_null(in->qkv);
	assert_non_null(in->y);
	assert_non_null(in->lse);
	fill(in->qkv, rows * in->ld, 1);
}

static void end(struct input *in)
{
	free(in->qkv);
	free(in->y);
	free(in->lse);
	free(in->pos);
	free(in->bucket);
}

/* Rows of positions for distances, far ones sharing the last. */
static void add_positions(struct input *in, size_t span)
{
	size_t HD = in->a.heads * in->a.dim, n = in->rows + 1;

	in->pos = rm_calloc(4 * span * HD, sizeof(*in->pos));
	in->bucket = rm_calloc(2 * n - 1, sizeof(*in->bucket));
	assert_non_null(in->pos);
	assert_non_null(in->bucket);
	fill(in->pos, 4 * span * HD, 2);
	for (size_t i = 0; i < 2 * n - 1; i++) {
		ptrdiff_t b = (ptrdiff_t)i - (ptrdiff_t)n + 1 +
			(ptrdiff_t)span;

		in->bucket[i] = (int32_t)RM_MIN(RM_MAX(b, 0),
						2 * (ptrdiff_t)span - 1);
	}
	in->a.pos_key = (struct rm_heads){ in->pos, HD, in->a.dim };
	in->a.pos_query = (struct rm_heads){ in->pos + 2 * span * HD, HD,
					     in->a.dim };
	in->a.bucket = in->bucket;
	in->a.n_bucket = n;
}

static struct rm_heads q_of(const struct input *in)
{
	return (struct rm_heads){ in->qkv, in->ld, in->a.dim };
}

static struct rm_heads k_of(const struct input *in)
{
	return (struct rm_heads){ in->qkv + in->a.heads * in->a.dim, in->ld,
				  in->a.dim };
}

static struct rm_heads v_of(const struct input *in)
{
	return (struct rm_heads){ in->qkv + (in->a.heads + in->a.kv_heads) *
				  in->a.dim, in->ld, in->a.dim };
}

static void run(struct input *in, const struct rm_attention_text *text,
		size_t n)
{
	if (rm_attention_forward(in->y, in->a.heads * in->a.dim, in->lse,
				 q_of(in), k_of(in), v_of(in), &in->a, text,
				 n) < 0)
		fail_msg("%s", rm_error());
}

/* ---- the twin: one number after another, in double ---- */

static const rm_real *at(struct rm_heads h, size_t row, size_t head)
{
	return h.data + row * h.row + head * h.head;
}

static double dot(const rm_real *a, const rm_real *b, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += (double)a[i] * (double)b[i];
	return s;
}

static bool sees(const struct rm_attention *a, size_t i, size_t j)
{
	if (a->causal)
		return j <= i && (!a->window || i - j < a->window);
	return !a->window || (i > j ? i - j : j - i) <= a->window;
}

static double score(const struct input *in, size_t qi, size_t kj, size_t i,
		    size_t j, size_t h)
{
	const struct rm_attention *a = &in->a;
	size_t g = h / (a->heads / a->kv_heads);
	const rm_real *q = at(q_of(in), qi, h), *k = at(k_of(in), kj, g);
	double s = dot(q, k, a->dim);

	if (a->pos_key.data) {
		size_t b = (size_t)a->bucket[i + a->n_bucket - 1 - j];

		s += dot(q, at(a->pos_key, b, h), a->dim);
		s += dot(k, at(a->pos_query, b, h), a->dim);
	}
	s *= (double)a->scale;
	if (a->softcap > 0)
		s = (double)a->softcap * tanh(s / (double)a->softcap);
	return s;
}

/* What the weights of query i are multiplied with: dropout of ones. */
static void keeps(const struct rm_attention *a,
		  const struct rm_attention_text *t, size_t i, size_t h,
		  rm_real *keep)
{
	struct rm_dropout d = a->dropout;
	size_t n = t->n_before + t->n;

	d.first_row = (d.first_row + t->row + i - t->n_before) * a->heads + h;
	for (size_t j = 0; j < n; j++)
		keep[j] = 1;
	rm_dropout_forward(keep, keep, 1, n, &d);
}

static void twin(const struct input *in, const struct rm_attention_text *t,
		 size_t i, size_t h, double *y)
{
	const struct rm_attention *a = &in->a;
	size_t n = t->n_before + t->n, g = h / (a->heads / a->kv_heads);
	double most = -INFINITY, sum = 0;
	rm_real keep[256];

	assert_true(n <= RM_COUNT(keep));
	keeps(a, t, i, h, keep);
	for (size_t d = 0; d < a->dim; d++)
		y[d] = 0;
	for (int pass = 0; pass < 2; pass++)
		for (size_t j = 0; j < n; j++) {
			size_t row = j < t->n_before ? t->before_row + j :
				t->row + j - t->n_before;
			double s;

			if (!sees(a, i, j))
				continue;
			s = score(in, t->row + i - t->n_before, row, i, j, h);
			if (pass == 0) {
				most = fmax(most, s);
				continue;
			}
			s = exp(s - most);
			sum += s;
			s *= (double)keep[j];
			for (size_t d = 0; d < a->dim; d++)
				y[d] += s * (double)at(v_of(in), row, g)[d];
		}
	for (size_t d = 0; d < a->dim; d++)
		y[d] /= sum;
}

static void check(const struct input *in, const struct rm_attention_text *t)
{
	const struct rm_attention *a = &in->a;
	double want[256];

	assert_true(a->dim <= RM_COUNT(want));
	for (size_t i = t->n_before; i < t->n_before + t->n; i++)
		for (size_t h = 0; h < a->heads; h++) {
			const rm_real *y = in->y + (t->row + i -
				t->n_before) * a->heads * a->dim +
				h * a->dim;

			twin(in, t, i, h, want);
			for (size_t d = 0; d < a->dim; d++)
				if (!(fabs((double)y[d] - want[d]) <= NEAR *
				      (1 + fabs(want[d]))))
					fail_msg("D %zu n %zu row %zu head "
						 "%zu: %.9g, expected %.9g",
						 a->dim, t->n, i, h,
						 (double)y[d], want[d]);
		}
}

/* ---- the tests ---- */

#define DROPOUT { .p = .3, .seed = 1, .step = 2, .layer = 3, .first_row = 4 }

static const struct rm_attention kinds[] = {
	{ .heads = 2, .kv_heads = 2 },
	{ .heads = 2, .kv_heads = 2, .causal = true },
	{ .heads = 4, .kv_heads = 2, .causal = true, .window = 9 },
	{ .heads = 3, .kv_heads = 1, .window = 70 },
	{ .heads = 2, .kv_heads = 1, .causal = true, .softcap = 2 },
	{ .heads = 2, .kv_heads = 2, .dropout = DROPOUT },
	{ .heads = 4, .kv_heads = 2, .causal = true, .window = 9,
	  .dropout = DROPOUT },
	{ .heads = 2, .kv_heads = 1, .causal = true, .softcap = 2,
	  .dropout = DROPOUT },
};

static void test_twin(void **state)
{
	static const size_t dims[] = { 8, 16, 20, 32, 64, 80, 128 };
	static const size_t lengths[] = { 1, 2, 17, 63, 64, 65, 200 };

	(void)state;
	for (size_t k = 0; k < RM_COUNT(kinds); k++)
		for (size_t d = 0; d < RM_COUNT(dims); d++)
			for (size_t l = 0; l < RM_COUNT(lengths); l++) {
				struct rm_attention_text t = {
					.row = 3, .n = lengths[l]
				};
				struct rm_attention a = kinds[k];
				struct input in;

				a.dim = dims[d];
				a.scale = (rm_real)(1 / sqrt((double)dims[d]));
				start(&in, a, lengths[l] + 3);
				run(&in, &t, 1);
				check(&in, &t);
				end(&in);
			}
}

static void test_positions(void **state)
{
	static const size_t lengths[] = { 1, 33, 64, 150 };

	(void)state;
	for (size_t l = 0; l < RM_COUNT(lengths); l++) {
		struct rm_attention a = { .heads = 2, .kv_heads = 2,
					  .dim = 16, .scale = .14f };
		struct rm_attention_text t = { .n = lengths[l] };
		struct input in;

		start(&in, a, lengths[l]);
		add_positions(&in, 20);
		run(&in, &t, 1);
		check(&in, &t);
		end(&in);
	}
}

/* A prompt before two responses: the same bits as copies in one text. */
static void test_before(void **state)
{
	enum { P = 70, R = 41, HD = 64 };
	struct rm_attention a = { .heads = 2, .kv_heads = 2, .dim = 32,
				  .scale = .2f, .causal = true };
	const struct rm_attention_text shared[] = {
		{ .row = R, .n = P },
		{ .row = 0, .n = R, .before_row = R, .n_before = P }
	};
	const struct rm_attention_text whole = { .n = P + R };
	struct input in, copy;

	(void)state;
	start(&in, a, P + R);
	start(&copy, a, P + R);
	memcpy(copy.qkv, in.qkv + R * in.ld, P * in.ld * sizeof(rm_real));
	memcpy(copy.qkv + P * in.ld, in.qkv, R * in.ld * sizeof(rm_real));
	run(&in, shared, 2);
	run(&copy, &whole, 1);
	check(&in, &shared[1]);
	assert_memory_equal(in.y, copy.y + P * HD, R * HD * sizeof(rm_real));
	assert_memory_equal(in.y + R * HD, copy.y, P * HD * sizeof(rm_real));
	end(&in);
	end(&copy);
}

/* Over many masks the mean is what is there without any. */
static void test_mean_of_dropout(void **state)
{
	enum { STEPS = 2000, T = 70, D = 8 };
	struct rm_attention a = { .heads = 1, .kv_heads = 1, .dim = D,
				  .scale = .3f };
	const struct rm_attention_text t = { .n = T };
	double mean[T * D] = {0}, square[T * D] = {0}, chi = 0;
	rm_real plain[T * D];
	struct input in;

	(void)state;
	start(&in, a, T);
	run(&in, &t, 1);
	memcpy(plain, in.y, sizeof(plain));
	in.a.dropout = (struct rm_dropout){ .p = .3, .seed = 1 };
	for (; in.a.dropout.step < STEPS; in.a.dropout.step++) {
		run(&in, &t, 1);
		for (size_t i = 0; i < T * D; i++) {
			mean[i] += (double)in.y[i] / STEPS;
			square[i] += (double)in.y[i] * (double)in.y[i] / STEPS;
		}
	}
	for (size_t i = 0; i < T * D; i++) {
		double z = mean[i] - (double)plain[i];

		chi += z * z * STEPS / (square[i] - mean[i] * mean[i]);
	}
	/* Of variance 2 / (T D) and more, as numbers of a row go together. */
	assert_true(fabs(chi / (T * D) - 1) < .25);
	end(&in);
}

/* Alone and among others, by one to three threads. */
static void check_same_bits(enum rm_precision precision)
{
	struct rm_attention a = { .heads = 2, .kv_heads = 2, .dim = 32,
				  .scale = .2f, .precision = precision };
	struct rm_attention_text texts[8];
	size_t row = 0, HD = 64;
	struct input in, one;

	for (size_t i = 0; i < RM_COUNT(texts); i++) {
		texts[i] = (struct rm_attention_text){ .row = row,
						       .n = 13 * i };
		row += 13 * i + 1;
	}
	start(&in, a, row);
	start(&one, a, row);
	for (size_t i = 0; i < RM_COUNT(texts); i++)
		run(&one, &texts[i], 1);
	for (size_t threads = 1; threads <= 3; threads++) {
		rm_threads_set(threads);
		memset(in.y, 0, row * HD * sizeof(rm_real));
		run(&in, texts, RM_COUNT(texts));
		assert_memory_equal(in.y, one.y, row * HD * sizeof(rm_real));
	}
	rm_threads_set(1);
	end(&in);
	end(&one);
}

static void test_same_bits(void **state)
{
	(void)state;
	check_same_bits(RM_FP32);
	check_same_bits(RM_BF16);
}

/* Scores of ten thousands are softened without overflow. */
static void test_huge(void **state)
{
	struct rm_attention a = { .heads = 1, .kv_heads = 1, .dim = 16,
				  .scale = 3000 };
	struct rm_attention_text t = { .n = 100 };
	struct input in;

	(void)state;
	start(&in, a, 100);
	run(&in, &t, 1);
	for (size_t i = 0; i < 1600; i++)
		assert_true(isfinite(in.y[i]));
	end(&in);
}

/* Scores far below 0, of which the first block is masked for most rows. */
static void test_low(void **state)
{
	struct rm_attention a = { .heads = 1, .kv_heads = 1, .dim = 16,
				  .scale = 20, .causal = true, .window = 3 };
	struct rm_attention_text t = { .n = 200 };
	struct input in;

	(void)state;
	start(&in, a, 200);
	for (size_t i = 0; i < 200; i++)
		for (size_t d = 0; d < 16; d++) {
			in.qkv[i * in.ld + d] = 1;
			in.qkv[i * in.ld + 16 + d] = -1;
		}
	run(&in, &t, 1);
	check(&in, &t);
	end(&in);
}

/* ---- the way back ---- */

/* Two texts that share a prompt, and one alone that skips some queries. */
static const struct rm_attention_text forest[] = {
	{ .row = 5, .n = 40 },
	{ .row = 50, .n = 37, .before_row = 5, .n_before = 40 },
	{ .row = 90, .n = 1, .before_row = 5, .n_before = 40 },
	{ .row = 91, .n = 70, .skip = 66, .rest = 2 }
};
enum { FOREST_ROWS = 161 };

/* Gradients of sum(c y) over the rows that ask; laid out as qkv, then pos. */
static void back(struct input *in, rm_real *c, rm_real *grad, size_t n_pos)
{
	size_t HD = in->a.heads * in->a.dim, all = in->rows * in->ld;
	struct rm_attention_grad g = {
		.q = grad, .k = grad + HD,
		.v = grad + (in->a.heads + in->a.kv_heads) * in->a.dim,
		.pos_key = grad + all, .pos_query = grad + all + n_pos
	};

	memset(grad, 0, (all + 2 * n_pos) * sizeof(*grad));
	if (rm_attention_backward(&g, c, in->y, HD, in->lse, q_of(in),
				  k_of(in), v_of(in), &in->a, forest,
				  RM_COUNT(forest)) < 0)
		fail_msg("%s", rm_error());
}

static double value(struct input *in, const rm_real *c)
{
	size_t HD = in->a.heads * in->a.dim;
	double sum = 0;

	memset(in->y, 0, in->rows * HD * sizeof(*in->y));
	run(in, forest, RM_COUNT(forest));
	for (size_t i = 0; i < in->rows * HD; i++)
		sum += (double)(c[i] * in->y[i]);
	return sum;
}

/* Only the double build can tell gradients from noise. */
static void check_back(struct input *in, size_t n_pos)
{
	size_t HD = in->a.heads * in->a.dim, all = in->rows * in->ld;
	rm_real *grad = rm_calloc(all + 2 * n_pos, sizeof(*grad));
	rm_real *c = rm_calloc(in->rows * HD, sizeof(*c));
	double h = sizeof(rm_real) == 8 ? 1e-5 : 1e-2;
	double near_enough = sizeof(rm_real) == 8 ? 1e-7 : 2e-2;

	fill(c, in->rows * HD, 7);
	value(in, c);
	back(in, c, grad, n_pos);
	for (size_t i = 0; i < all + 2 * n_pos; i += 7) {
		rm_real *x = i < all ? in->qkv + i : in->pos + i - all;
		rm_real before = *x;
		double up, down;

		*x = before + (rm_real)h;
		up = value(in, c);
		*x = before - (rm_real)h;
		down = value(in, c);
		*x = before;
		if (!(fabs((up - down) / (2 * h) - (double)grad[i]) <
		      near_enough))
			fail_msg("element %zu: %g, differences %g", i,
				 (double)grad[i], (up - down) / (2 * h));
	}
	free(grad);
	free(c);
}

static void test_back(void **state)
{
	(void)state;
	for (size_t k = 0; k < RM_COUNT(kinds); k++) {
		struct rm_attention a = kinds[k];
		struct input in;

		a.dim = k % 2 ? 20 : 8;
		a.scale = .3f;
		start(&in, a, FOREST_ROWS);
		check_back(&in, 0);
		end(&in);
	}
}

static void test_back_of_positions(void **state)
{
	struct rm_attention a = { .heads = 2, .kv_heads = 2, .dim = 8,
				  .scale = .2f };
	struct input in;

	(void)state;
	for (int which = 1; which <= 3; which++) {
		start(&in, a, FOREST_ROWS);
		add_positions(&in, 20);
		if (!(which & 1))
			in.a.pos_key.data = NULL;
		if (!(which & 2))
			in.a.pos_query.data = NULL;
		check_back(&in, 40 * 16);
		end(&in);
	}
}

static void check_back_bits(enum rm_precision precision)
{
	struct rm_attention a = { .heads = 4, .kv_heads = 2, .dim = 8,
				  .scale = .2f, .causal = true,
				  .precision = precision };
	rm_real *grad[3], *c;
	struct input in;
	size_t n;

	start(&in, a, FOREST_ROWS);
	n = in.rows * in.ld;
	c = rm_calloc(in.rows * 32, sizeof(*c));
	fill(c, in.rows * 32, 7);
	run(&in, forest, RM_COUNT(forest));
	for (size_t threads = 1; threads <= 3; threads++) {
		grad[threads - 1] = rm_calloc(n, sizeof(**grad));
		rm_threads_set(threads);
		back(&in, c, grad[threads - 1], 0);
		assert_memory_equal(grad[threads - 1], grad[0],
				    n * sizeof(**grad));
	}
	rm_threads_set(1);
	for (size_t i = 0; i < 3; i++)
		free(grad[i]);
	free(c);
	end(&in);
}

static void test_back_has_the_same_bits(void **state)
{
	(void)state;
	check_back_bits(RM_FP32);
	check_back_bits(RM_BF16);
}

/* ---- bf16 ---- */

/* How far x is from y, by the length of y. */
static double distance(const rm_real *x, const rm_real *y, size_t n)
{
	double far = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		double d = (double)x[i] - (double)y[i];

		far += d * d;
		all += (double)y[i] * (double)y[i];
	}
	return sqrt(far / all);
}

/* y and gradients, laid out as qkv. */
static void both_ways(struct rm_attention a, rm_real *y, rm_real *grad)
{
	size_t HD = a.heads * a.dim;
	struct input in;
	rm_real *c;

	start(&in, a, FOREST_ROWS);
	c = rm_calloc(in.rows * HD, sizeof(*c));
	fill(c, in.rows * HD, 7);
	run(&in, forest, RM_COUNT(forest));
	memcpy(y, in.y, in.rows * HD * sizeof(*y));
	back(&in, c, grad, 0);
	free(c);
	end(&in);
}

/* Of numbers rounded at 2^-9 all is within a few of these. */
static void test_bf16_is_near(void **state)
{
	static const size_t dims[] = { 8, 20, 32, 48, 64, 128 };
	enum { MOST = FOREST_ROWS * 3 * 4 * 128 };
	rm_real *y[2], *grad[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		y[i] = rm_calloc(MOST, sizeof(**y));
		grad[i] = rm_calloc(MOST, sizeof(**grad));
		assert_true(y[i] && grad[i]);
	}
	for (size_t k = 0; k < RM_COUNT(kinds); k++)
		for (size_t d = 0; d < RM_COUNT(dims); d++) {
			struct rm_attention a = kinds[k];
			size_t n;

			a.dim = dims[d];
			a.scale = (rm_real)(1 / sqrt((double)a.dim));
			both_ways(a, y[0], grad[0]);
			a.precision = RM_BF16;
			both_ways(a, y[1], grad[1]);
			n = FOREST_ROWS * a.dim;
			assert_true(distance(y[1], y[0], n * a.heads) < .01);
			assert_true(distance(grad[1], grad[0], n * (a.heads +
				2 * a.kv_heads)) < .01);
		}
	for (size_t i = 0; i < 2; i++) {
		free(y[i]);
		free(grad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_before),
		cmocka_unit_test(test_mean_of_dropout),
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_low),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_back_of_positions),
		cmocka_unit_test(test_back_has_the_same_bits),
		cmocka_unit_test(test_bf16_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
