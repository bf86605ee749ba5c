#include "test.h"

#include "head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 24, ROWS = 70 };

struct model {
	struct rm_params params;
	struct rm_head *h;
};

/* Rows as the head asks for them, DIM numbers in all. */
static struct rm_encoder rows_for(const json_t *config)
{
	struct rm_encoder_options o;
	size_t gate;

	assert_int_equal(rm_head_encoding(config, &o), 0);
	gate = o.gate ? DIM / 3 : 0;
	return (struct rm_encoder){ .dim = DIM, .gate = gate,
				    .part = (DIM - gate) / o.levels };
}

static void make(struct model *m, const char *spec)
{
	json_t *config = rm_head_parse(spec);
	struct rm_encoder rows;

	if (!config)
		fail_msg("%s", rm_error());
	rows = rows_for(config);
	m->params = (struct rm_params){0};
	m->h = rm_head_new(config, &rows, &m->params);
	if (!m->h)
		fail_msg("%s", rm_error());
	json_decref(config);
	assert_int_equal(rm_params_alloc(&m->params, true), 0);
	rm_params_init(&m->params, 1);
}

static void done(struct model *m)
{
	rm_head_free(m->h);
	rm_params_fini(&m->params);
}

static rm_real x[ROWS * DIM], dx[ROWS * DIM];

static void fill(void)
{
	for (size_t i = 0; i < ROWS * DIM; i++)
		x[i] = (rm_real)rm_random_normal(1, RM_RANDOM_TEST, 0, i);
}

static const rm_real *scores(struct model *m, const struct rm_batch *b,
			     size_t from)
{
	const struct rm_hidden hidden = {
		.n = b->n_leaves, .dim = DIM, .pooled = true,
		.value = x + from * DIM, .grad = dx + from * DIM
	};
	const rm_real *s = rm_head_forward(m->h, b, &hidden);

	if (!s)
		fail_msg("%s", rm_error());
	return s;
}

static void test_linear_by_hand(void **state)
{
	struct rm_batch b = { .n_leaves = 2 };
	struct model m;

	(void)state;
	fill();
	make(&m, "linear");
	assert_int_equal(m.h->columns, 1);
	for (size_t i = 0; i < DIM; i++)
		assert_true(fabs(fabs((double)m.params.param[0].value[i]) -
				 1 / sqrt(DIM)) < 1e-6);
	m.params.param[1].value[0] = 3;
	const rm_real *s = scores(&m, &b, 0);
	for (size_t r = 0; r < 2; r++) {
		double sum = 3;
		for (size_t i = 0; i < DIM; i++)
			sum += (double)x[r * DIM + i] *
				(double)m.params.param[0].value[i];
		assert_true(fabs((double)s[r] - sum) < 1e-5);
	}
	done(&m);
}

/* Each head: a row's score has the same bits in any batch and threads. */
static void check_same_bits(const char *spec)
{
	struct rm_batch b = {0};
	struct model m;
	rm_real all[ROWS * 8];

	make(&m, spec);
	size_t K = m.h->columns;
	b.n_leaves = ROWS;
	memcpy(all, scores(&m, &b, 0), ROWS * K * sizeof(*all));
	for (size_t threads = 1; threads <= 3; threads++) {
		rm_threads_set(threads);
		for (size_t i = 0; i < ROWS; i += threads) {
			b.n_leaves = RM_MIN(threads, ROWS - i);
			assert_memory_equal(scores(&m, &b, i), all + i * K,
					    b.n_leaves * K * sizeof(*all));
		}
	}
	rm_threads_set(1);
	done(&m);
}

static void test_same_bits(void **state)
{
	(void)state;
	fill();
	for (size_t i = 0; rm_head_specs()[i]; i++)
		if (!rm_head_specs()[i]->described)
			check_same_bits(rm_head_specs()[i]->name);
}

/* Dropout is on in training only, and its masks follow step and leaf. */
static void check_dropout(const char *name)
{
	struct rm_batch b = { .n_leaves = ROWS };
	struct rm_buf spec = {0};
	struct model m, plain;
	rm_real all[ROWS * 8];

	rm_buf_printf(&spec, "%s:dropout=.5", name);
	make(&m, rm_buf_text(&spec));
	make(&plain, name);
	size_t K = m.h->columns, size = ROWS * K * sizeof(*all);
	memcpy(all, scores(&plain, &b, 0), size);
	assert_memory_equal(scores(&m, &b, 0), all, size);
	b.train = true;
	assert_memory_equal(scores(&plain, &b, 0), all, size);
	memcpy(all, scores(&m, &b, 0), size);
	assert_memory_not_equal(all, scores(&plain, &b, 0), size);
	b.n_leaves = 10;
	b.first_leaf = 30;
	assert_memory_equal(scores(&m, &b, 30), all + 30 * K,
			    10 * K * sizeof(*all));
	b.step = 1;
	assert_memory_not_equal(scores(&m, &b, 30), all + 30 * K,
				10 * K * sizeof(*all));
	rm_buf_fini(&spec);
	done(&m);
	done(&plain);
}

static void test_dropout(void **state)
{
	(void)state;
	fill();
	for (size_t i = 0; rm_head_specs()[i]; i++)
		if (!rm_head_specs()[i]->described)
			check_dropout(rm_head_specs()[i]->name);
}

static void test_refused(void **state)
{
	struct rm_batch b = { .n_leaves = 1 };
	const struct rm_hidden tokens = { .n = 5, .dim = DIM, .value = x };
	struct model m;

	(void)state;
	make(&m, "linear");
	assert_null(rm_head_forward(m.h, &b, &tokens));
	assert_string_equal(rm_error(),
			    "head linear needs one hidden row a response");
	/* A second head's parameters would have the same names. */
	json_t *config = rm_head_parse("linear");
	const struct rm_encoder rows = rows_for(config);
	assert_null(rm_head_new(config, &rows, &m.params));
	assert_non_null(strstr(rm_error(), "exists"));
	assert_int_equal(rm_head_set(config, "dropout", ".25"), 0);
	assert_true(json_number_value(json_object_get(config, "dropout")) ==
		    .25);
	assert_int_equal(rm_head_set(config, "dropout", "1"), -1);
	json_decref(config);
	done(&m);
	assert_null(rm_head_parse("mlp:hidden=0"));
	assert_null(rm_head_parse("cross"));
	rm_head_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear_by_hand),
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_dropout),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
