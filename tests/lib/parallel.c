#include "test.h"

#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { N = 1000 };

static atomic_int times[N];
static atomic_size_t highest;

static void piece(void *arg, size_t i)
{
	size_t me = rm_thread_index(), high = atomic_load(&highest);

	(void)arg;
	atomic_fetch_add(&times[i], 1);
	while (me > high && !atomic_compare_exchange_weak(&highest, &high,
							  me))
		continue;
}

static void check(size_t n, int expected)
{
	for (size_t i = 0; i < N; i++)
		assert_int_equal(atomic_load(&times[i]),
				 i < n ? expected : 0);
	for (size_t i = 0; i < N; i++)
		atomic_store(&times[i], 0);
}

/* Every piece once, whatever the threads, and by threads within bounds. */
static void test_every_piece_once(void **state)
{
	static const size_t threads[] = { 1, 4, 2, 3, 1 };

	(void)state;
	for (size_t t = 0; t < sizeof(threads) / sizeof(*threads); t++) {
		rm_threads_set(threads[t]);
		assert_int_equal(rm_threads(), threads[t]);
		atomic_store(&highest, 0);
		for (size_t n = 0; n <= N; n = n * 3 + 1) {
			for (int again = 0; again < 50; again++)
				rm_parallel(n, piece, NULL);
			check(n, 50);
		}
		assert_true(atomic_load(&highest) < threads[t]);
	}
	rm_threads_set(1);
}

static void see_threads(void *arg, size_t i)
{
	size_t *seen = arg;

	seen[i] = rm_threads();
}

/* Whoever runs a piece: spaces for each thread are counted within one. */
static void test_threads_see_their_number(void **state)
{
	size_t seen[N];

	(void)state;
	rm_threads_set(5);
	rm_parallel(N, see_threads, seen);
	rm_threads_set(1);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(seen[i], 5);
}

static void outer(void *arg, size_t i)
{
	(void)i;
	rm_parallel(N, piece, arg);
}

static void test_nested(void **state)
{
	(void)state;
	rm_threads_set(3);
	rm_parallel(20, outer, NULL);
	rm_threads_set(1);
	check(N, 20);
}

static void *caller(void *arg)
{
	for (int i = 0; i < 100; i++)
		rm_parallel(N, piece, arg);
	return NULL;
}

/* Two callers at once: the second does its pieces itself. */
static void test_two_callers(void **state)
{
	pthread_t other;

	(void)state;
	rm_threads_set(3);
	assert_int_equal(pthread_create(&other, NULL, caller, NULL), 0);
	caller(NULL);
	pthread_join(other, NULL);
	rm_threads_set(1);
	check(N, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_piece_once),
		cmocka_unit_test(test_threads_see_their_number),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_two_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
