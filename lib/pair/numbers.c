/* Counts of numbers, and their quantiles. */
#include "pair/internal.h"

#include <math.h>

static int log2_of(uint32_t x)
{
	return 31 - __builtin_clz(x);
}

static size_t bucket_of(uint32_t x)
{
	int e;

	if (x < RM_NUMBERS_EXACT)
		return x;
	e = log2_of(x);
	return (size_t)(RM_NUMBERS_EXACT + (e - 8) * RM_NUMBERS_STEPS) +
	       ((x >> (e - 7)) & (RM_NUMBERS_STEPS - 1));
}

/* The middle of bucket i. */
static double bucket_value(size_t i)
{
	double width;

	if (i < RM_NUMBERS_EXACT)
		return (double)i;
	i -= RM_NUMBERS_EXACT;
	width = ldexp(1, (int)(i / RM_NUMBERS_STEPS) + 1);
	return ((double)(i % RM_NUMBERS_STEPS + RM_NUMBERS_STEPS) + .5) * width;
}

void rm_numbers_add(struct rm_numbers *h, int32_t x)
{
	x = RM_MAX(x, 0);
	h->min = h->n ? RM_MIN(h->min, x) : x;
	h->max = h->n ? RM_MAX(h->max, x) : x;
	h->count[bucket_of((uint32_t)x)]++;
	h->sum += x;
	h->n++;
}

/* The smallest number that a share q of all do not exceed. */
static double quantile(const struct rm_numbers *h, double q)
{
	double need = fmax(1, ceil(q * (double)h->n)), seen = 0;
	size_t i = 0;

	if (q <= 0 || q >= 1)
		return q <= 0 ? h->min : h->max;
	while (i + 1 < RM_NUMBERS_BUCKETS &&
	       (seen += (double)h->count[i]) < need)
		i++;
	return fmin(fmax(bucket_value(i), h->min), h->max);
}

json_t *rm_numbers_json(const struct rm_numbers *h)
{
	static const struct {
		const char *name;
		double q;
	} row[] = {
		{ "min", 0 }, { "p5", .05 }, { "p25", .25 },
		{ "median", .5 }, { "p75", .75 }, { "p95", .95 },
		{ "p99", .99 }, { "max", 1 }
	};
	json_t *object = json_object();

	json_object_set_new(object, "mean", rm_real(h->sum / (double)h->n));
	for (size_t i = 0; i < RM_COUNT(row); i++)
		json_object_set_new(object, row[i].name,
				    rm_whole(quantile(h, row[i].q)));
	json_object_set_new(object, "sum", rm_whole(h->sum));
	return object;
}

