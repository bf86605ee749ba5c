#include "parallel.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How often a thread looks for work before it sleeps, or yields. */
#define SPINS 2000

/*
 * One job at a time.  ticket is the job's number in its upper half and the
 * pieces not yet taken in the lower: a piece is taken by counting down, which
 * fails once another job has begun.  So fn, arg and n, written before the
 * ticket, stand still for whoever holds a piece.
 */
static struct {
	pthread_mutex_t owner;		/* held while a job runs */
	pthread_mutex_t mutex;
	pthread_cond_t more;
	_Atomic uint64_t ticket;
	atomic_size_t done;		/* pieces finished */
	atomic_size_t limit;		/* helpers that may take part */
	atomic_size_t sleepers;
	size_t helpers;			/* started */
	void (*fn)(void *arg, size_t i);
	void *arg;
	size_t n;
} pool = {
	.owner = PTHREAD_MUTEX_INITIALIZER,
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER
};

/* Threads; OpenMP would tell each of them another number. */
static atomic_size_t wanted;
static _Thread_local size_t index_here;	/* 0: the caller; helpers from 1 */
static _Thread_local bool inside;	/* a piece, or a call */

void rm_threads_set(size_t n)
{
	atomic_store(&wanted, n ? n : 1);
	omp_set_num_threads(n ? (int)n : 1);
}

size_t rm_threads(void)
{
	size_t n = atomic_load(&wanted);

	return n ? n : (size_t)omp_get_max_threads();
}

size_t rm_thread_index(void)
{
	return index_here;
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* The ticket if it has a piece for this thread, else 0. */
static uint64_t open_ticket(void)
{
	uint64_t t = atomic_load(&pool.ticket);

	return (uint32_t)t && index_here <= atomic_load(&pool.limit) ? t : 0;
}

/* Do one piece, if there is one left. */
static bool do_piece(void)
{
	uint64_t t = open_ticket();

	while (t && !atomic_compare_exchange_weak(&pool.ticket, &t, t - 1))
		t = open_ticket();
	if (!t)
		return false;
	pool.fn(pool.arg, pool.n - (uint32_t)t);
	atomic_fetch_add(&pool.done, 1);
	return true;
}

static void wait_for_work(void)
{
	for (int i = 0; i < SPINS; i++) {
		if (open_ticket())
			return;
		pause_briefly();
	}
	pthread_mutex_lock(&pool.mutex);
	atomic_fetch_add(&pool.sleepers, 1);
	while (!open_ticket())
		pthread_cond_wait(&pool.more, &pool.mutex);
	atomic_fetch_sub(&pool.sleepers, 1);
	pthread_mutex_unlock(&pool.mutex);
}

static void *help(void *arg)
{
	index_here = (size_t)(uintptr_t)arg;
	inside = true;
	for (;;) {
		wait_for_work();
		while (do_piece())
			continue;
	}
	return NULL;
}

/* Helpers for the calls to come; with fewer than asked for, all is slower. */
static void start_helpers(size_t n)
{
	pthread_attr_t detached;
	pthread_t thread;

	if (pool.helpers >= n || pthread_attr_init(&detached) != 0)
		return;
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	while (pool.helpers < n &&
	       pthread_create(&thread, &detached, help,
			      (void *)(uintptr_t)(pool.helpers + 1)) == 0)
		pool.helpers++;
	pthread_attr_destroy(&detached);
}

/* Open the job to the helpers, and wake those that sleep. */
static void publish(size_t n)
{
	uint64_t job = (atomic_load(&pool.ticket) >> 32) + 1;

	atomic_store(&pool.done, 0);
	atomic_store(&pool.ticket, job << 32 | n);
	if (atomic_load(&pool.sleepers) == 0)
		return;
	pthread_mutex_lock(&pool.mutex);
	pthread_cond_broadcast(&pool.more);
	pthread_mutex_unlock(&pool.mutex);
}

static void share(size_t n, void (*fn)(void *arg, size_t i), void *arg)
{
	size_t helpers = rm_threads() - 1;

	start_helpers(helpers);
	pool.fn = fn;
	pool.arg = arg;
	pool.n = n;
	atomic_store(&pool.limit, helpers);
	inside = true;
	publish(n);
	while (do_piece())
		continue;
	for (int i = 0; atomic_load(&pool.done) < n; i++) {
		if (i < SPINS)
			pause_briefly();
		else
			sched_yield();
	}
	inside = false;
}

void rm_parallel(size_t n, void (*fn)(void *arg, size_t i), void *arg)
{
	if (n > 1 && n <= UINT32_MAX && !inside && rm_threads() > 1 &&
	    pthread_mutex_trylock(&pool.owner) == 0) {
		share(n, fn, arg);
		pthread_mutex_unlock(&pool.owner);
		return;
	}
	for (size_t i = 0; i < n; i++)
		fn(arg, i);
}
