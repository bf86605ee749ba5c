#include "sort.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
	DIGIT_BITS = 11,
	DIGITS = 1 << DIGIT_BITS,
	TOP_BITS = 3 * DIGIT_BITS,	/* that passes over all keys sort by */
	SMALL = 48,		/* sorted by insertion */
	MIDDLE = 1 << 12,	/* sorted by comparisons */
	SERIAL = 1 << 15	/* not worth waking threads */
};

/* A sort in progress: keys and their places, and where they go next. */
struct radix {
	size_t n;
	uint64_t *key, *to_key;
	uint32_t *index, *to_index;
	int threads;
	size_t (*histogram)[DIGITS];	/* [threads] */
};

/* Order of the bits = order of the doubles; -0 becomes 0. */
static uint64_t key_of(double x)
{
	uint64_t bits;

	x += 0.0;
	memcpy(&bits, &x, sizeof(bits));
	return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static void insertion_sort(uint64_t *key, uint32_t *index, size_t n)
{
	size_t i, j;

	for (i = 1; i < n; i++) {
		uint64_t k = key[i];
		uint32_t at = index[i];

		for (j = i; j > 0 && key[j - 1] > k; j--) {
			key[j] = key[j - 1];
			index[j] = index[j - 1];
		}
		key[j] = k;
		index[j] = at;
	}
}

/* The part of n that thread t of `threads` works on begins here. */
static size_t share(size_t n, int t, int threads)
{
	return n / (size_t)threads * (size_t)t +
		RM_MIN(n % (size_t)threads, (size_t)t);
}

static size_t digit(uint64_t key, int shift)
{
	return (size_t)(key >> shift) & (DIGITS - 1);
}

/* Where each thread's keys of each digit go: digits first, then threads. */
static void sum_histograms(struct radix *r)
{
	size_t at = 0, d, count;
	int t;

	for (d = 0; d < DIGITS; d++)
		for (t = 0; t < r->threads; t++) {
			count = r->histogram[t][d];
			r->histogram[t][d] = at;
			at += count;
		}
}

/* One stable pass by the digit at `shift`. */
static void radix_pass(struct radix *r, int shift)
{
	uint64_t *keys;
	uint32_t *indices;

#pragma omp parallel num_threads(r->threads)
	{
		int t = omp_get_thread_num();
		size_t from = share(r->n, t, r->threads);
		size_t to = share(r->n, t + 1, r->threads);
		size_t *at = r->histogram[t], i, place;

		memset(at, 0, sizeof(r->histogram[t]));
		for (i = from; i < to; i++)
			at[digit(r->key[i], shift)]++;
#pragma omp barrier
#pragma omp single
		sum_histograms(r);
		for (i = from; i < to; i++) {
			place = at[digit(r->key[i], shift)]++;
			r->to_key[place] = r->key[i];
			r->to_index[place] = r->index[i];
		}
	}
	keys = r->key;
	r->key = r->to_key;
	r->to_key = keys;
	indices = r->index;
	r->index = r->to_index;
	r->to_index = indices;
}

/* The bits in which keys differ: digits without any need no pass. */
static uint64_t varying_bits(const struct radix *r)
{
	uint64_t any = 0;
	size_t i;

#pragma omp parallel for reduction(|:any) num_threads(r->threads)
	for (i = 0; i < r->n; i++)
		any |= r->key[i] ^ r->key[0];
	return any;
}

/* ---- runs that agree in their top bits ---- */

struct pair {
	uint64_t key;
	uint32_t index;
};

/* Of equal keys the lower index came first. */
static int by_key(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static void compare_sort(uint64_t *key, uint32_t *index, size_t n)
{
	struct pair pair[MIDDLE];
	size_t i;

	for (i = 0; i < n; i++)
		pair[i] = (struct pair){ key[i], index[i] };
	qsort(pair, n, sizeof(*pair), by_key);
	for (i = 0; i < n; i++) {
		key[i] = pair[i].key;
		index[i] = pair[i].index;
	}
}

/* Digits of one run, by one thread; there is room for it in to_key. */
static void digit_sort(const struct radix *r, size_t from, size_t n,
		       uint64_t any)
{
	uint64_t *key = r->key + from, *to_key = r->to_key + from;
	uint32_t *index = r->index + from, *to_index = r->to_index + from;
	size_t at[DIGITS], i, d, place, count;
	int shift;

	for (shift = 0; shift < 64; shift += DIGIT_BITS) {
		if (!digit(any, shift))
			continue;
		memset(at, 0, sizeof(at));
		for (i = 0; i < n; i++)
			at[digit(key[i], shift)]++;
		for (d = place = 0; d < DIGITS; d++, place += count) {
			count = at[d];
			at[d] = place;
		}
		for (i = 0; i < n; i++) {
			place = at[digit(key[i], shift)]++;
			to_key[place] = key[i];
			to_index[place] = index[i];
		}
		memcpy(key, to_key, n * sizeof(*key));
		memcpy(index, to_index, n * sizeof(*index));
	}
}

static void sort_run(const struct radix *r, size_t from, size_t n)
{
	uint64_t any = 0;
	size_t i;

	for (i = 1; i < n; i++)
		any |= r->key[from + i] ^ r->key[from];
	if (!any)
		return;
	if (n <= SMALL)
		insertion_sort(r->key + from, r->index + from, n);
	else if (n <= MIDDLE)
		compare_sort(r->key + from, r->index + from, n);
	else
		digit_sort(r, from, n, any);
}

/* The runs of [from, to), which begins and ends with whole ones. */
static void sort_runs(const struct radix *r, int shift, size_t from,
		      size_t to)
{
	const uint64_t *key = r->key;
	size_t end;

	for (; from < to; from = end) {
		end = from + 1;
		while (end < to && key[end] >> shift == key[from] >> shift)
			end++;
		if (end - from > 1)
			sort_run(r, from, end - from);
	}
}

/* Cut between runs, about every SERIAL keys; start[chunks + 1]. */
static void cut_runs(const struct radix *r, int shift, size_t chunks,
		     size_t *start)
{
	size_t c, at;

	start[0] = 0;
	for (c = 1; c < chunks; c++) {
		at = RM_MAX(start[c - 1], c * SERIAL);
		while (at < r->n && r->key[at] >> shift ==
		       r->key[at - 1] >> shift)
			at++;
		start[c] = at;
	}
	start[chunks] = r->n;
}

static int settle(const struct radix *r, int shift)
{
	size_t chunks = (r->n + SERIAL - 1) / SERIAL, c;
	size_t *start = rm_malloc(chunks + 1, sizeof(*start));

	if (!start)
		return -1;
	cut_runs(r, shift, chunks, start);
#pragma omp parallel for schedule(dynamic) num_threads(r->threads)
	for (c = 0; c < chunks; c++)
		sort_runs(r, shift, start[c], start[c + 1]);
	free(start);
	return 0;
}

/*
 * By the top bits in which keys differ, in passes over all of them; what is
 * alike there is few, or the same, and settled run by run.
 */
static int radix_sort(struct radix *r)
{
	int shift, lowest, bits = 0;
	uint64_t any;

	if (r->n <= SMALL) {
		insertion_sort(r->key, r->index, r->n);
		return 0;
	}
	r->to_key = rm_malloc(r->n, sizeof(*r->to_key));
	r->to_index = rm_malloc(r->n, sizeof(*r->to_index));
	r->histogram = rm_malloc((size_t)r->threads, sizeof(*r->histogram));
	if (!r->to_key || !r->to_index || !r->histogram)
		return -1;
	any = varying_bits(r);
	while (bits < 64 && any >> bits)
		bits++;
	lowest = RM_MAX(bits - TOP_BITS, 0);
	for (shift = lowest; shift < bits; shift += DIGIT_BITS)
		if (digit(any, shift))
			radix_pass(r, shift);
	return any & (((uint64_t)1 << lowest) - 1) ? settle(r, lowest) : 0;
}

static int radix_init(struct radix *r, const double *x, size_t n)
{
	size_t i;

	r->n = n;
	r->threads = n < SERIAL ? 1 : omp_get_max_threads();
	r->key = rm_malloc(n, sizeof(*r->key));
	r->index = rm_malloc(n, sizeof(*r->index));
	if (!r->key || !r->index)
		return -1;
#pragma omp parallel for num_threads(r->threads)
	for (i = 0; i < n; i++) {
		r->key[i] = key_of(x[i]);
		r->index[i] = (uint32_t)i;
	}
	return 0;
}

static void radix_fini(struct radix *r)
{
	free(r->key);
	free(r->to_key);
	free(r->index);
	free(r->to_index);
	free(r->histogram);
}

static int check_count(size_t n)
{
	if (n > RM_SORT_MAX)
		return rm_fail("%zu numbers: at most %zu can be ranked", n,
			       RM_SORT_MAX);
	return 0;
}

int rm_order_init(struct rm_order *o, const double *x, size_t n)
{
	struct radix r = {0};
	size_t i;

	*o = (struct rm_order){ .n = n };
	if (check_count(n) < 0 || radix_init(&r, x, n) < 0 ||
	    radix_sort(&r) < 0)
		goto fail;
	o->first = rm_malloc(n + 1, 1);
	if (!o->first)
		goto fail;
	o->first[0] = o->first[n] = 1;
#pragma omp parallel for num_threads(r.threads)
	for (i = 1; i < n; i++)
		o->first[i] = r.key[i] != r.key[i - 1];
	o->index = r.index;
	r.index = NULL;
	radix_fini(&r);
	return 0;
fail:
	radix_fini(&r);
	return -1;
}

size_t rm_order_run(const struct rm_order *o, size_t j)
{
	do
		j++;
	while (!o->first[j]);
	return j;
}

int rm_order_filter(struct rm_order *to, const struct rm_order *o,
		    const uint32_t *place, size_t n)
{
	size_t j, at = 0;
	bool begins = false;

	*to = (struct rm_order){ .n = n };
	to->index = rm_malloc(n, sizeof(*to->index));
	to->first = rm_malloc(n + 1, 1);
	if (!to->index || !to->first) {
		rm_order_fini(to);
		return -1;
	}
	for (j = 0; j < o->n; j++) {
		uint32_t i = place[o->index[j]];

		begins |= o->first[j];
		if (i == RM_SORT_NONE)
			continue;
		to->index[at] = i;
		to->first[at++] = begins;
		begins = false;
	}
	to->first[n] = 1;
	return 0;
}

void rm_order_fini(struct rm_order *o)
{
	if (!o)
		return;
	free(o->index);
	free(o->first);
	*o = (struct rm_order){0};
}

/* ---- codes ---- */

/* What codes are made of: x, or where that is NULL whole. */
struct numbers {
	size_t n;
	const double *x;
	const int32_t *whole;
};

static inline double number(const struct numbers *of, size_t i)
{
	return of->x ? of->x[i] : (double)of->whole[i];
}

/*
 * Whether all numbers are whole and close together (ranks, lengths,
 * ratings), so that counting beats sorting.
 */
static bool is_countable(const struct numbers *of, double *low, size_t *range)
{
	double min = number(of, 0), max = min;
	bool whole = true;
	size_t i, n = of->n;

#pragma omp parallel for reduction(min:min) reduction(max:max) \
	reduction(&:whole) if (n >= SERIAL)
	for (i = 0; i < n; i++) {
		double x = number(of, i);

		whole &= x == floor(x);
		min = RM_MIN(min, x);
		max = RM_MAX(max, x);
	}
	/* Also false when the range is infinite. */
	if (!whole || !(max - min < (double)RM_MIN(n * 4 + 1024,
						   (size_t)1 << 22)))
		return false;
	*low = min;
	*range = (size_t)(max - min) + 1;
	return true;
}

static int codes_by_counting(struct rm_codes *c, const struct numbers *of,
			     double low, size_t range)
{
	uint32_t *table = rm_calloc(range, sizeof(*table));
	size_t i, v;

	if (!table)
		return -1;
	for (i = 0; i < c->n; i++)
		table[(size_t)(number(of, i) - low)]++;
	for (v = 0; v < range; v++)
		c->distinct += table[v] != 0;
	c->count = rm_malloc(c->distinct, sizeof(*c->count));
	if (!c->count) {
		free(table);
		return -1;
	}
	c->distinct = 0;
	for (v = 0; v < range; v++)
		if (table[v]) {
			c->count[c->distinct] = table[v];
			table[v] = (uint32_t)c->distinct++;
		}
#pragma omp parallel for if (c->n >= SERIAL)
	for (i = 0; i < c->n; i++)
		c->code[i] = table[(size_t)(number(of, i) - low)];
	free(table);
	return 0;
}

static int codes_by_sorting(struct rm_codes *c, const double *x)
{
	struct rm_order o;
	size_t i, j, end;

	if (rm_order_init(&o, x, c->n) < 0) {
		rm_order_fini(&o);
		return -1;
	}
	for (j = 0; j < c->n; j++)
		c->distinct += o.first[j];
	c->count = rm_malloc(c->distinct, sizeof(*c->count));
	if (!c->count) {
		rm_order_fini(&o);
		return -1;
	}
	c->distinct = 0;
	for (j = 0; j < c->n; j = end) {
		end = rm_order_run(&o, j);
		for (i = j; i < end; i++)
			c->code[o.index[i]] = (uint32_t)c->distinct;
		c->count[c->distinct++] = (uint32_t)(end - j);
	}
	rm_order_fini(&o);
	return 0;
}

static int codes_of(struct rm_codes *c, const struct numbers *of)
{
	double low, *wide;
	size_t range, i;
	int status;

	*c = (struct rm_codes){ .n = of->n };
	if (check_count(of->n) < 0)
		return -1;
	c->code = rm_malloc(of->n, sizeof(*c->code));
	if (!c->code)
		return -1;
	if (of->n == 0)
		return 0;
	if (is_countable(of, &low, &range))
		return codes_by_counting(c, of, low, range);
	if (of->x)
		return codes_by_sorting(c, of->x);
	wide = rm_malloc(of->n, sizeof(*wide));
	if (!wide)
		return -1;
	for (i = 0; i < of->n; i++)
		wide[i] = of->whole[i];
	status = codes_by_sorting(c, wide);
	free(wide);
	return status;
}

int rm_codes_init(struct rm_codes *c, const double *x, size_t n)
{
	const struct numbers of = { n, x, NULL };

	return codes_of(c, &of);
}

int rm_codes_init_i32(struct rm_codes *c, const int32_t *x, size_t n)
{
	const struct numbers of = { n, NULL, x };

	return codes_of(c, &of);
}

void rm_codes_fini(struct rm_codes *c)
{
	if (!c)
		return;
	free(c->code);
	free(c->count);
	*c = (struct rm_codes){0};
}

/* ---- inversions ---- */

static uint64_t inversions_directly(uint32_t *code, size_t n)
{
	uint64_t found = 0;
	size_t i, j;

	for (i = 1; i < n; i++) {
		uint32_t c = code[i];

		for (j = i; j > 0 && code[j - 1] > c; j--)
			code[j] = code[j - 1];
		code[j] = c;
		found += i - j;
	}
	return found;
}

/*
 * Codes that agree above `bit`, split stably by that bit: every 1 that stood
 * before a 0 is an inversion, and those within either half remain, one bit
 * lower.  The order of the work does not matter: counts are whole numbers.
 */
static uint64_t inversions_from(uint32_t *code, uint32_t *scratch, size_t n,
				int bit)
{
	uint64_t found = 0, left = 0, right = 0;
	size_t zeros = 0, ones = 0, i;

	if (bit < 0 || n < 2)
		return 0;
	if (n <= SMALL)
		return inversions_directly(code, n);
	for (i = 0; i < n; i++) {
		uint32_t c = code[i], one = c >> bit & 1;

		scratch[ones] = c;
		code[zeros] = c;
		found += one ? 0 : ones;
		ones += one;
		zeros += !one;
	}
	memcpy(code + zeros, scratch, ones * sizeof(*code));
#pragma omp task shared(left) if (n >= SERIAL)
	left = inversions_from(code, scratch, zeros, bit - 1);
	right = inversions_from(code + zeros, scratch + zeros, ones, bit - 1);
#pragma omp taskwait
	return found + left + right;
}

int rm_sort_inversions(uint32_t *code, size_t n, size_t distinct,
		       uint64_t *out)
{
	uint32_t *scratch;
	uint64_t found = 0;
	int bit = -1;

	while (distinct > 1 && (distinct - 1) >> (bit + 1))
		bit++;
	scratch = rm_malloc(n, sizeof(*scratch));
	if (!scratch)
		return -1;
#pragma omp parallel if (n >= SERIAL)
#pragma omp single
	found = inversions_from(code, scratch, n, bit);
	free(scratch);
	*out = found;
	return 0;
}
