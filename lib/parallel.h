/*
 * parallel: independent pieces of work for the threads of this process.
 *
 * One pool for all numerics.  Pieces are handed out one by one to whoever
 * asks next, and the caller works too: a piece waits for nobody, and a
 * thread that the system does not let run holds nothing up (as it would at
 * OpenMP's barriers on a busy machine).  Results must not depend on who does
 * a piece; then they are the same for any number of threads.
 *
 *	static void square(void *arg, size_t i)
 *	{
 *		double *x = arg;
 *		x[i] *= x[i];
 *	}
 *	rm_parallel(n, square, x);
 */
#ifndef RM_PARALLEL_H
#define RM_PARALLEL_H

#include <stddef.h>

/* Threads of this process, OpenMP's included; its number at the start. */
void rm_threads_set(size_t n);
size_t rm_threads(void);

/*
 * fn(arg, i) for every i < n, in any order, by up to rm_threads() threads;
 * returns when all are done.  Within a piece, and while another thread's
 * call is under way, a call does its pieces itself.
 */
void rm_parallel(size_t n, void (*fn)(void *arg, size_t i), void *arg);

/* Which thread of the pool runs this piece: less than rm_threads(). */
size_t rm_thread_index(void);

#endif
