#include "test.h"

#include "backbone.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct model {
	struct rm_params params;
	struct rm_backbone *b;
};

static void make(struct model *m, const char *spec)
{
	json_t *config = rm_backbone_parse(spec);

	m->params = (struct rm_params){0};
	m->b = config ? rm_backbone_new(config, 256, &m->params) : NULL;
	if (!m->b)
		fail_msg("%s", rm_error());
	json_decref(config);
	assert_int_equal(rm_params_alloc(&m->params, true), 0);
	rm_params_init(&m->params, 1);
}

static void done(struct model *m)
{
	rm_backbone_free(m->b);
	rm_params_fini(&m->params);
}

static void randomise(struct model *m)
{
	struct rm_param *p = &m->params.param[0];

	for (size_t i = 0; i < p->size; i++)
		p->value[i] = (rm_real)rm_random_normal(1, RM_RANDOM_TEST, 0,
							i);
}

/* Append a response, n little-endian ids. */
static void add(struct rm_batch *b, const int32_t *ids, size_t n)
{
	const struct rm_slice none = {0};
	struct rm_slice r = { (const unsigned char *)ids, n * sizeof(*ids) };

	assert_int_equal(rm_batch_add(b, none, &r, 1, RM_PROMPT_NONE), 0);
}

static struct rm_hidden *forward(struct model *m, const struct rm_batch *b)
{
	struct rm_hidden *h = rm_backbone_forward(m->b, b);

	if (!h)
		fail_msg("%s", rm_error());
	return h;
}

/* The table as the first parameter's gradient shows it: distinct rows. */
static size_t touched(const struct model *m, double *sum, double *sum2)
{
	const struct rm_sparse *s = m->params.param[0].rows;
	size_t n = 0;

	*sum = *sum2 = 0;
	for (size_t p = 0; p < RM_SPARSE_PARTS; p++)
		for (size_t i = 0; i < s->part[p].n; i++, n++) {
			double g = (double)s->part[p].grad[i];
			*sum += g;
			*sum2 += g * g;
		}
	return n;
}

/* The weights of one response, seen as gradients of dim 1 under dx = 1. */
static size_t weights(const char *spec, const int32_t *ids, size_t n,
		      double *sum, double *sum2)
{
	struct model m;
	struct rm_batch b = { .train = true };

	make(&m, spec);
	add(&b, ids, n);
	forward(&m, &b)->grad[0] = 1;
	assert_int_equal(rm_backbone_backward(m.b, &b), 0);
	size_t rows = touched(&m, sum, sum2);
	rm_batch_fini(&b);
	done(&m);
	return rows;
}

/* a b a: unigrams a (twice), b; bigrams ab, ba; trigram aba. */
static void test_weights_by_hand(void **state)
{
	const int32_t aba[] = { 97, 98, 97 };
	const double tf2 = 1 + log(2);
	double sum, sum2;

	(void)state;
	assert_int_equal(weights("bag", aba, 3, &sum, &sum2), 5);
	assert_true(fabs(sum2 - 1) < 1e-6);
	assert_true(fabs(sum - (4 + tf2) / sqrt(4 + tf2 * tf2)) < 1e-6);
	assert_int_equal(weights("bag:tf=count,norm=none", aba, 3, &sum,
				 &sum2), 5);
	assert_true(sum == 6 && sum2 == 8);
	assert_int_equal(weights("bag:tf=binary,norm=mean", aba, 3, &sum,
				 &sum2), 5);
	assert_true(fabs(sum - 1) < 1e-6 && fabs(sum2 - .2) < 1e-6);
	assert_int_equal(weights("bag:ngrams=2,norm=none,ngrams_min=2", aba,
				 3, &sum, &sum2), 2);
	assert_int_equal(weights("bag:ngrams=1", aba, 1, &sum, &sum2), 1);
	assert_true(sum == 1);
	assert_int_equal(weights("bag", aba, 0, &sum, &sum2), 0);
}

/* The order of tokens within an n-gram matters, that of n-grams does not. */
static void test_order(void **state)
{
	const int32_t ab[] = { 1, 2 }, ba[] = { 2, 1 };
	struct model m;
	struct rm_batch b = {0};

	(void)state;
	make(&m, "bag:ngrams=1");
	randomise(&m);
	add(&b, ab, 2);
	add(&b, ba, 2);
	struct rm_hidden *h = forward(&m, &b);
	assert_true(fabs((double)(h->value[0] - h->value[1])) < 1e-6);
	done(&m);
	make(&m, "bag:ngrams=2");
	randomise(&m);
	h = forward(&m, &b);
	assert_true(fabs((double)(h->value[0] - h->value[1])) > 1e-3);
	rm_batch_fini(&b);
	done(&m);
}

/* Few distinct n-grams share a bucket: the hash spreads. */
static void test_spread(void **state)
{
	enum { N = 20000 };
	static int32_t ids[N];
	double sum, sum2;

	(void)state;
	for (size_t i = 0; i < N; i++)
		ids[i] = (int32_t)i;
	size_t rows = weights("bag:ngrams=2,rows=1M", ids, N, &sum, &sum2);
	/* 40,000 balls into 2^20 bins leave about 39,247 used. */
	assert_in_range(rows, 39050, 39450);
	for (size_t i = 0; i < N; i++)
		ids[i] = (int32_t)(i % 256 / 16 + i / 256 * 1024);
	rows = weights("bag:ngrams=2,ngrams_min=2,rows=1M,norm=none", ids, N,
		       &sum, &sum2);
	assert_true(rows > 2000);
}

enum { LEAVES = 40 };

static void random_response(uint64_t i, int32_t *ids, size_t *n)
{
	*n = rm_random(2, RM_RANDOM_TEST, i, 0) % 300;
	for (size_t j = 0; j < *n; j++)
		ids[j] = (int32_t)(rm_random(3, RM_RANDOM_TEST, i, j) % 100);
}

static void random_batch(struct rm_batch *b, size_t from, size_t to)
{
	int32_t ids[300];
	size_t n;

	rm_batch_clear(b);
	for (size_t i = from; i < to; i++) {
		random_response(i, ids, &n);
		add(b, ids, n);
	}
}

/* A row's bits do not depend on the batch, nor on threads, nor on training. */
static void check_same_bits(const char *spec)
{
	struct model m;
	struct rm_batch b = {0};
	rm_real all[LEAVES * 16];

	make(&m, spec);
	randomise(&m);
	size_t dim = m.b->dim;
	random_batch(&b, 0, LEAVES);
	memcpy(all, forward(&m, &b)->value, LEAVES * dim * sizeof(*all));
	for (size_t threads = 1; threads <= 3; threads++) {
		rm_threads_set(threads);
		for (size_t i = 0; i < LEAVES; i += threads) {
			random_batch(&b, i, RM_MIN(i + threads, LEAVES));
			b.train = i % 2;
			assert_memory_equal(forward(&m, &b)->value,
					    all + i * dim,
					    b.n_leaves * dim * sizeof(*all));
		}
		random_batch(&b, 0, LEAVES);
		b.train = true;
		for (int again = 0; again < 2; again++)
			assert_memory_equal(forward(&m, &b)->value, all,
					    LEAVES * dim * sizeof(*all));
		b.train = false;
	}
	rm_threads_set(1);
	rm_batch_fini(&b);
	done(&m);
}

static void test_same_bits(void **state)
{
	(void)state;
	for (size_t i = 0; rm_backbone_specs()[i]; i++)
		if (!rm_backbone_specs()[i]->described)
			check_same_bits(rm_backbone_specs()[i]->name);
	check_same_bits("bag:dim=16,rows=1k");
	check_same_bits("bag:dim=5,tf=count,norm=mean");
}

/* Gradients of rows are the same bytes for one and three threads. */
static void test_backward_threads(void **state)
{
	struct model m[2];
	struct rm_batch b = { .train = true };

	(void)state;
	random_batch(&b, 0, LEAVES);
	for (size_t i = 0; i < 2; i++) {
		rm_threads_set(i ? 3 : 1);
		make(&m[i], "bag:dim=4,rows=4k");
		struct rm_hidden *h = forward(&m[i], &b);
		for (size_t j = 0; j < h->n * h->dim; j++)
			h->grad[j] = (rm_real)(1 / (1 + (double)j));
		assert_int_equal(rm_backbone_backward(m[i].b, &b), 0);
	}
	rm_threads_set(1);
	for (uint32_t r = 0; r < 4096; r++) {
		const rm_real *x = rm_sparse_find(m[0].params.param[0].rows, r);
		const rm_real *y = rm_sparse_find(m[1].params.param[0].rows, r);
		assert_true(!x == !y);
		if (x)
			assert_memory_equal(x, y, 4 * sizeof(*x));
	}
	rm_batch_fini(&b);
	done(&m[0]);
	done(&m[1]);
}

/* The prompt is not read. */
static void test_prompt(void **state)
{
	const int32_t ids[] = { 1, 2, 3, 4 };
	const struct rm_slice p = { (const unsigned char *)ids, 8 };
	const struct rm_slice r = { (const unsigned char *)(ids + 2), 8 };
	struct model m;
	struct rm_batch b = {0};

	(void)state;
	make(&m, "bag");
	randomise(&m);
	add(&b, ids + 2, 2);
	assert_int_equal(rm_batch_add(&b, p, &r, 1, m.b->prompt), 0);
	struct rm_hidden *h = forward(&m, &b);
	assert_true(h->pooled);
	assert_int_equal(h->n, 2);
	assert_true(h->value[0] == h->value[1]);
	rm_batch_fini(&b);
	done(&m);
}

/* Documents 1 2, 1 3, 1: df of 1 is 3, of 2 and of 3 it is 1. */
static void test_idf(void **state)
{
	const int32_t one[] = { 1, 2 }, two[] = { 1, 3 }, three[] = { 1 };
	struct model m;
	struct rm_batch b = {0};

	(void)state;
	make(&m, "bag:idf=yes,ngrams=1,norm=none");
	assert_true(rm_backbone_wants_observe(m.b));
	add(&b, one, 2);
	assert_int_equal(rm_backbone_observe(m.b, &b), 0);
	rm_batch_clear(&b);
	add(&b, two, 2);
	add(&b, three, 1);
	assert_int_equal(rm_backbone_observe(m.b, &b), 0);
	assert_int_equal(rm_backbone_observed(m.b), 0);
	for (size_t i = 0; i < m.params.param[0].size; i++)
		m.params.param[0].value[i] = 1;
	rm_batch_clear(&b);
	add(&b, one, 2);
	assert_true(fabs((double)forward(&m, &b)->value[0] -
			 (1 + 1 + log(4. / 2))) < 1e-6);
	rm_batch_fini(&b);
	done(&m);
	make(&m, "bag");
	assert_false(rm_backbone_wants_observe(m.b));
	done(&m);
}

static void test_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "bag:rows=1000", "rows is 1000, not a power of two" },
		{ "bag:ngrams=2,ngrams_min=3", "ngrams_min is 3, more than" },
	};
	struct rm_params p = {0};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(bad); i++) {
		json_t *config = rm_backbone_parse(bad[i][0]);
		assert_null(rm_backbone_new(config, 256, &p));
		if (!strstr(rm_error(), bad[i][1]))
			fail_msg("%s", rm_error());
		json_decref(config);
	}
	assert_null(rm_backbone_parse("bag:rows=32"));
	assert_null(rm_backbone_parse("transformers"));
	rm_params_fini(&p);
	rm_backbone_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights_by_hand),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_backward_threads),
		cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_idf),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
