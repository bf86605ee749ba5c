#include "test.h"

#include "sort.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 100000 };

static double uniform(size_t i)
{
	return rm_random_uniform(3, RM_RANDOM_TEST, 0, i);
}

static void test_order_by_hand(void **state)
{
	const double x[] = { 2, -1, 0.0, -0.0, 2, -INFINITY, INFINITY };
	const uint32_t expected[] = { 5, 1, 2, 3, 0, 4, 6 };
	struct rm_order o;

	(void)state;
	assert_int_equal(rm_order_init(&o, x, 7), 0);
	assert_memory_equal(o.index, expected, sizeof(expected));
	assert_int_equal(rm_order_run(&o, 0), 1);
	assert_int_equal(rm_order_run(&o, 2), 4);
	assert_int_equal(rm_order_run(&o, 4), 6);
	assert_int_equal(rm_order_run(&o, 6), 7);
	rm_order_fini(&o);
	rm_order_fini(&o);
	rm_order_fini(NULL);
}

static void test_order_of_nothing_and_one(void **state)
{
	const double x[] = { 7 };
	struct rm_order o;

	(void)state;
	assert_int_equal(rm_order_init(&o, x, 0), 0);
	assert_int_equal(o.n, 0);
	rm_order_fini(&o);
	assert_int_equal(rm_order_init(&o, x, 1), 0);
	assert_int_equal(o.index[0], 0);
	assert_int_equal(rm_order_run(&o, 0), 1);
	rm_order_fini(&o);
}

static double draw(size_t i, int kind)
{
	double u = uniform(i);

	switch (kind) {
	case 0: return u - .5;
	case 1: return floor(u * 100) - 50;
	case 2: return (float)log(u + 1e-9);
	case 3: return 3;
	/* Runs that agree in their top bits: some long, and one of most. */
	case 4: return floor(u * 300) + 100 + uniform(i + MANY) * 1e-11;
	case 5: return i % 100 ? 1 + floor(u * 1e5) * 1e-15 : -u;
	default: return ldexp(u, (int)(uniform(i + MANY) * 2000) - 1000);
	}
}

/* Ascending, stable, a permutation, runs where values change. */
static void check_order(const double *x, const struct rm_order *o)
{
	char *seen = calloc(o->n, 1);
	size_t j;

	for (j = 0; j < o->n; j++) {
		double here = x[o->index[j]];

		assert_false(seen[o->index[j]]);
		seen[o->index[j]] = 1;
		if (j == 0)
			continue;
		assert_true(x[o->index[j - 1]] <= here);
		assert_int_equal(o->first[j], x[o->index[j - 1]] < here);
		if (!o->first[j])
			assert_true(o->index[j - 1] < o->index[j]);
	}
	free(seen);
}

static void test_order_of_many(void **state)
{
	double *x = malloc(MANY * sizeof(*x));
	struct rm_order one, many;
	int kind, threads = omp_get_max_threads();
	size_t i;

	(void)state;
	for (kind = 0; kind < 7; kind++) {
		for (i = 0; i < MANY; i++)
			x[i] = draw(i, kind);
		omp_set_num_threads(1);
		assert_int_equal(rm_order_init(&one, x, MANY), 0);
		omp_set_num_threads(3);
		assert_int_equal(rm_order_init(&many, x, MANY), 0);
		check_order(x, &one);
		assert_memory_equal(one.index, many.index,
				    MANY * sizeof(*one.index));
		rm_order_fini(&one);
		rm_order_fini(&many);
	}
	omp_set_num_threads(threads);
	free(x);
}

/* What is left of an order is the order of what is left. */
static void test_order_filter(void **state)
{
	enum { N = 1000 };
	double x[N], kept[N];
	uint32_t place[N];
	struct rm_order all, some, again;
	size_t i, n, kind;

	(void)state;
	for (kind = 0; kind < 3; kind++) {
		for (i = n = 0; i < N; i++) {
			x[i] = floor(uniform(i) * 100);
			place[i] = RM_SORT_NONE;
			if (kind == 0 || (kind == 1 && uniform(N + i) < .6)) {
				kept[n] = x[i];
				place[i] = (uint32_t)n++;
			}
		}
		assert_int_equal(rm_order_init(&all, x, N), 0);
		assert_int_equal(rm_order_filter(&some, &all, place, n), 0);
		assert_int_equal(rm_order_init(&again, kept, n), 0);
		assert_int_equal(some.n, n);
		assert_memory_equal(some.index, again.index,
				    n * sizeof(*some.index));
		assert_memory_equal(some.first, again.first, n + 1);
		rm_order_fini(&all);
		rm_order_fini(&some);
		rm_order_fini(&again);
	}
}

/* Whole numbers have the codes of the same numbers as doubles. */
static void test_codes_of_whole(void **state)
{
	enum { N = 500 };
	static const double range[] = { 40, 4e9 };	/* counted, sorted */
	double x[N];
	int32_t whole[N];
	struct rm_codes c, same;
	size_t i, kind;

	(void)state;
	for (kind = 0; kind < RM_COUNT(range); kind++) {
		for (i = 0; i < N; i++) {
			whole[i] = (int32_t)((uniform(i / 2) - .5) *
					     range[kind]);
			x[i] = whole[i];
		}
		assert_int_equal(rm_codes_init_i32(&c, whole, N), 0);
		assert_int_equal(rm_codes_init(&same, x, N), 0);
		assert_int_equal(c.distinct, same.distinct);
		assert_memory_equal(c.code, same.code, sizeof(whole));
		assert_memory_equal(c.count, same.count,
				    c.distinct * sizeof(*c.count));
		rm_codes_fini(&c);
		rm_codes_fini(&same);
	}
}

/* Counting and sorting give the codes that comparing gives. */
static void test_codes(void **state)
{
	enum { N = 300 };
	double x[N];
	struct rm_codes c;
	size_t i, j, kind;

	(void)state;
	for (kind = 0; kind < 3; kind++) {
		for (i = 0; i < N; i++)
			x[i] = floor(uniform(i) * 40) * (kind == 1 ? .5 : 1) +
				(kind == 2 ? 1e300 : 0);
		assert_int_equal(rm_codes_init(&c, x, N), 0);
		for (i = 0; i < N; i++) {
			uint32_t same = 0;

			for (j = 0; j < N; j++) {
				same += x[j] == x[i];
				assert_int_equal(x[j] < x[i],
						 c.code[j] < c.code[i]);
			}
			assert_int_equal(c.count[c.code[i]], same);
			assert_true(c.code[i] < c.distinct);
		}
		rm_codes_fini(&c);
	}
	rm_codes_fini(NULL);
}

/* Against counting every pair. */
static void test_inversions(void **state)
{
	const size_t sizes[] = { 0, 1, 2, 47, 500, 3000 };
	const size_t distincts[] = { 1, 2, 3, 256, 257, 3000 };
	uint32_t code[3000];
	uint64_t expected, found;
	size_t s, d, i, j;

	(void)state;
	for (s = 0; s < RM_COUNT(sizes); s++)
		for (d = 0; d < RM_COUNT(distincts); d++) {
			expected = 0;
			for (i = 0; i < sizes[s]; i++)
				code[i] = (uint32_t)(uniform(i + d) *
						     (double)distincts[d]);
			for (i = 0; i < sizes[s]; i++)
				for (j = 0; j < i; j++)
					expected += code[j] > code[i];
			assert_int_equal(rm_sort_inversions(code, sizes[s],
				distincts[d], &found), 0);
			assert_int_equal(found, expected);
			for (i = 1; i < sizes[s]; i++)
				assert_true(code[i - 1] <= code[i]);
		}
}

/* Enough for several threads: descending has all pairs inverted. */
static void test_inversions_of_many(void **state)
{
	uint32_t *code = malloc(MANY * sizeof(*code));
	uint64_t found;
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		code[i] = (uint32_t)(MANY - 1 - i);
	assert_int_equal(rm_sort_inversions(code, MANY, MANY, &found), 0);
	assert_true(found == (uint64_t)MANY * (MANY - 1) / 2);
	free(code);
}

static void test_too_many(void **state)
{
	const double x[] = { 1 };
	struct rm_order o;

	(void)state;
	assert_int_equal(rm_order_init(&o, x, (size_t)UINT32_MAX + 1), -1);
	assert_non_null(strstr(rm_error(), "at most"));
	rm_order_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_by_hand),
		cmocka_unit_test(test_order_of_nothing_and_one),
		cmocka_unit_test(test_order_of_many),
		cmocka_unit_test(test_order_filter),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_codes_of_whole),
		cmocka_unit_test(test_inversions),
		cmocka_unit_test(test_inversions_of_many),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
