/* Means in bins, with intervals as those of figures. */
#include "metric/scores.h"

#include <math.h>

#define Z95 1.959963984540054

void rm_means_add(struct rm_means *m, size_t bin, double weight,
		       double value)
{
	struct rm_mean *b = &m->bin[bin];

	if (m->second) {
		b->here += weight * (value - b->mean);
		b->touched |= weight > 0;
		return;
	}
	b->points++;
	b->weight += weight;
	b->sum += weight * value;
}

void rm_means_end(struct rm_means *m)
{
	for (size_t i = 0; m->second && i < m->n; i++) {
		struct rm_mean *b = &m->bin[i];

		b->square += b->here * b->here;
		b->clusters += b->touched;
		b->here = 0;
		b->touched = false;
	}
}

/* All alike says little of a share: Wilson's interval (1927) there. */
static void set_interval(const struct rm_means *m,
			 struct rm_mean *b)
{
	double g = (double)b->clusters;
	double se = sqrt(b->square * g / (g - 1)) / b->weight;

	b->low = b->high = NAN;
	if (b->clusters < 2 || isnan(b->mean))
		return;
	/* Out of the range of numbers there is none. */
	if (!isfinite(Z95 * se + fabs(b->mean)))
		return;
	b->low = b->mean - Z95 * se;
	b->high = b->mean + Z95 * se;
	if (!m->share)
		return;
	if (b->mean <= 0 || b->mean >= 1) {
		b->low = b->mean <= 0 ? 0 : g / (g + Z95 * Z95);
		b->high = b->mean <= 0 ? Z95 * Z95 / (g + Z95 * Z95) : 1;
	}
	b->low = fmax(b->low, 0);
	b->high = fmin(b->high, 1);
}

void rm_means(struct rm_means *m,
		   void (*walk)(struct rm_means *m, const void *arg),
		   const void *arg)
{
	size_t i;

	walk(m, arg);
	for (i = 0; i < m->n; i++) {
		double mean = m->bin[i].sum / m->bin[i].weight;

		m->bin[i].mean = isfinite(mean) ? mean : (double)NAN;
	}
	m->second = true;
	walk(m, arg);
	for (i = 0; i < m->n; i++)
		set_interval(m, &m->bin[i]);
}
