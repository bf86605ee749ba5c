#include "metric/scores.h"
#include "metric_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP = 512,		/* records whose rows are made at once */
	TILE = 256,		/* clusters resampled at once */
	PIECES = 16		/* of a bootstrap, worked on apart */
};

/* The .975 quantile of the standard normal distribution. */
#define Z 1.959963984540054

/* ---- the table ---- */

static int by_place(const void *a, const void *b)
{
	const struct rm_metric_kind *const *first = a, *const *second = b;
	const struct rm_metric_kind *x = *first, *y = *second;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

const struct rm_metric_kind *const *rm_metrics(void)
{
	static const struct rm_metric_kind *sorted[RM_COUNT(rm_metric_kinds)];

#pragma omp critical(rm_metrics)
	if (!sorted[0]) {
		memcpy(sorted, rm_metric_kinds, sizeof(sorted));
		qsort(sorted, RM_COUNT(sorted) - 1, sizeof(sorted[0]),
		      by_place);
	}
	return sorted;
}

const struct rm_metric_kind *rm_metric_find(const char *name)
{
	const struct rm_metric_kind *const *m;
	struct rm_buf names = {0};

	for (m = rm_metrics(); *m; m++)
		if (!strcmp((*m)->name, name))
			return *m;
	for (m = rm_metrics(); *m; m++)
		rm_buf_printf(&names, "%s%s", names.len ? ", " : "",
			      (*m)->name);
	rm_fail("unknown metric \"%s\" (there are %s)", name,
		names.failed ? "others" : rm_buf_text(&names));
	rm_buf_fini(&names);
	return NULL;
}

/* ---- sums over records, and their interval ---- */

/*
 * What a chunk of clusters adds: the sums; and for a ratio A/B the moments,
 * over clusters, of u = A_c - v B_c and B_c, with v near A/B so that little
 * cancels.
 */
struct tally {
	double sum[RM_METRIC_SUMS];
	double uu, ub, bb, clusters;
	int status;
};

static bool is_ratio(const struct rm_metric_kind *m)
{
	return m->rows && m->sums == 2 && !m->value;
}

static void end_cluster(struct tally *t, double a, double b, double near)
{
	double u = a - near * b;

	if (b == 0)
		return;
	t->uu += u * u;
	t->ub += u * b;
	t->bb += b * b;
	t->clusters++;
}

/* The clusters that begin in [from, to). */
static void add_clusters(const struct rm_scores *s,
			 const struct rm_metric_kind *m, size_t from,
			 size_t to, double near, struct tally *t)
{
	double row[STEP * RM_METRIC_SUMS], a = 0, b = 0;
	size_t r, i, k, n;

	memset(t, 0, sizeof(*t));
	if (!rm_scores_whole(s, &from, &to))
		return;
	for (r = from; r < to; r += n) {
		n = RM_MIN(to - r, STEP);
		t->status |= m->rows(s, r, r + n, row);
		for (i = 0; i < n; i++)
			for (k = 0; k < m->sums; k++)
				t->sum[k] += row[i * m->sums + k];
		if (!is_ratio(m))
			continue;
		for (i = 0; i < n; i++) {
			if (rm_scores_begins(s, r + i)) {
				end_cluster(t, a, b, near);
				a = b = 0;
			}
			a += row[2 * i];
			b += row[2 * i + 1];
		}
	}
	end_cluster(t, a, b, near);
}

/* A first guess at a ratio, from the first records. */
static int guess(const struct rm_scores *s, const struct rm_metric_kind *m,
		 double *near)
{
	double row[STEP * 2], a = 0, b = 0;
	size_t n = RM_MIN(s->records, STEP), i;

	*near = 0;
	if (!is_ratio(m))
		return 0;
	if (m->rows(s, 0, n, row) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		a += row[2 * i];
		b += row[2 * i + 1];
	}
	if (b > 0 && isfinite(a))
		*near = a / b;
	return 0;
}

static void set_interval(struct rm_figure *f)
{
	static const double range[][2] = {
		[RM_UNIT_SHARE] = { 0, 1 },
		[RM_UNIT_NUMBER] = { 0, HUGE_VAL },
		[RM_UNIT_CORRELATION] = { -1, 1 },
		[RM_UNIT_COUNT] = { 0, HUGE_VAL },
		[RM_UNIT_SHARE_CHANGE] = { -1, 1 },
		[RM_UNIT_CHANGE] = { -HUGE_VAL, HUGE_VAL },
	};

	f->low = RM_MAX(f->value - f->below, range[f->metric->unit][0]);
	f->high = RM_MIN(f->value + f->above,
			 f->metric->most > 0 ? f->metric->most :
			 range[f->metric->unit][1]);
}

/*
 * The interval of v = A/B clustered as the sandwich estimator has it: the
 * influence of cluster c on v is (A_c - v B_c) / B, the variance G / (G - 1)
 * times the sum of their squares (Liang & Zeger 1986).  A share of exactly
 * 0 or 1 has no variance; Wilson's interval over clusters says how little
 * that means.
 */
static void ratio_interval(const struct tally *t, double near,
			   struct rm_figure *f)
{
	double g = t->clusters, shift = f->value - near, total = t->sum[1];
	double variance;

	if (g < 2)
		return;
	variance = (t->uu - 2 * shift * t->ub + shift * shift * t->bb) /
		(total * total) * (g / (g - 1));
	f->error = sqrt(RM_MAX(variance, 0));
	f->below = f->above = Z * f->error;
	if (f->metric->unit == RM_UNIT_SHARE &&
	    (f->value == 0 || f->value == 1)) {
		f->below = f->value == 0 ? 0 : Z * Z / (g + Z * Z);
		f->above = f->value == 0 ? Z * Z / (g + Z * Z) : 0;
	}
	set_interval(f);
}

static int evaluate_sums(const struct rm_scores *s, struct rm_figure *f)
{
	const size_t step = 8 * STEP;
	const struct rm_metric_kind *m = f->metric;
	size_t chunks = (s->records + step - 1) / step, c, k;
	struct tally *part = rm_malloc(chunks, sizeof(*part)), all = {0};
	double near;

	if (!part || guess(s, m, &near) < 0) {
		free(part);
		return -1;
	}
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		add_clusters(s, m, c * step, RM_MIN(s->records, (c + 1) * step),
			     near, &part[c]);
	for (c = 0; c < chunks; c++) {
		for (k = 0; k < m->sums; k++)
			all.sum[k] += part[c].sum[k];
		all.uu += part[c].uu;
		all.ub += part[c].ub;
		all.bb += part[c].bb;
		all.clusters += part[c].clusters;
		all.status |= part[c].status;
	}
	free(part);
	if (all.status)
		return rm_fail("out of memory computing %s", m->name);
	f->value = m->value ? m->value(all.sum) : all.sum[0] / all.sum[1];
	if (is_ratio(m) && isfinite(f->value))
		ratio_interval(&all, near, f);
	return 0;
}

/* ---- influence, and its interval ---- */

/* Of record r: psi[r], or the sum over its responses. */
static inline double record_psi(const struct rm_scores *s, const double *psi,
				bool responses, size_t r)
{
	size_t i, end;
	double sum = 0;

	if (!responses)
		return psi[r];
	end = rm_scores_response(s, r + 1);
	for (i = rm_scores_response(s, r); i < end; i++)
		sum += psi[i];
	return sum;
}

/* Sum of the squares of clusters that begin in [from, to). */
static double cluster_squares(const struct rm_scores *s, const double *psi,
			      bool responses, size_t from, size_t to)
{
	double sum = 0, c = 0;
	size_t r;

	if (!rm_scores_whole(s, &from, &to))
		return 0;
	for (r = from; r < to; r++) {
		if (rm_scores_begins(s, r)) {
			sum += c * c;
			c = 0;
		}
		c += record_psi(s, psi, responses, r);
	}
	return sum + c * c;
}

static int find_error(const struct rm_scores *s, const double *psi,
		      bool responses, double *error)
{
	const size_t step = 8 * STEP;
	size_t chunks = (s->records + step - 1) / step, c;
	double *part = rm_malloc(chunks, sizeof(*part)), sum = 0;
	double g = (double)s->clusters;

	if (!part)
		return -1;
#pragma omp parallel for schedule(dynamic) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		part[c] = cluster_squares(s, psi, responses, c * step,
					  RM_MIN(s->records, (c + 1) * step));
	for (c = 0; c < chunks; c++)
		sum += part[c];
	free(part);
	*error = g > 1 ? sqrt(sum * g / (g - 1)) : NAN;
	return 0;
}

int rm_scores_error(const struct rm_scores *s, const double *psi,
		    double *error)
{
	return find_error(s, psi, false, error);
}

int rm_responses_error(const struct rm_scores *s, const double *psi,
		       double *error)
{
	return find_error(s, psi, true, error);
}

static void normal_interval(struct rm_figure *f)
{
	if (!isfinite(f->value) || !isfinite(f->error))
		return;
	f->below = f->above = Z * f->error;
	set_interval(f);
}

/* ---- bootstrap ---- */

/*
 * The Poisson bootstrap (Hanley & MacGibbon 2006): in resample b each cluster
 * counts a Poisson(1) number of times, drawn from (seed, b, cluster) alone,
 * so that clusters stream by in any order and number.  Given its size, a
 * resample is the classical one.
 */
struct bootstrap {
	const struct rm_scores *s;
	struct rm_figure **figure;	/* [n] those with intervals to come */
	size_t n, sums, resamples;
	uint64_t seed;
	/* Poisson(1) by the top byte of a draw: the count, and from which
	 * draw on it is one more. */
	double base[256];
	uint32_t more[256];
};

/* Draws at or above step[k] count more than k. */
static const uint32_t poisson_step[] = {
	1580030168, 3160060337, 3950075421, 4213413783, 4279248373,
	4292415291, 4294609777, 4294923276, 4294962463, 4294966817,
	4294967252, 4294967292
};

static void prepare_poisson(struct bootstrap *b)
{
	size_t byte, k;

	for (byte = 0; byte < 256; byte++) {
		uint32_t low = (uint32_t)byte << 24;

		for (k = 0; k < RM_COUNT(poisson_step) &&
		     low >= poisson_step[k]; k++)
			;
		b->base[byte] = (double)k;
		b->more[byte] = k < RM_COUNT(poisson_step) ? poisson_step[k] :
			UINT32_MAX;
	}
}

static double poisson(const struct bootstrap *b, uint32_t draw)
{
	size_t byte = draw >> 24, k;

	if (byte < 255)
		return b->base[byte] + (draw >= b->more[byte]);
	for (k = (size_t)b->base[255]; k < RM_COUNT(poisson_step) &&
	     draw >= poisson_step[k]; k++)
		;
	return (double)k;
}

/* Two draws a state (SplitMix64, Steele et al. 2014). */
static void draw_counts(const struct bootstrap *b, size_t resample,
			size_t where, double count[TILE])
{
	uint64_t state = rm_random(b->seed, RM_RANDOM_BOOTSTRAP, resample,
				   where);
	size_t i;

	for (i = 0; i < TILE; i += 2) {
		uint64_t z = state += 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		z ^= z >> 31;
		count[i] = poisson(b, (uint32_t)z);
		count[i + 1] = poisson(b, (uint32_t)(z >> 32));
	}
}

/* One tile of clusters' sums, column by column, into every resample. */
static void resample_tile(const struct bootstrap *b, double (*column)[TILE],
			  size_t where, double *total)
{
	double count[TILE];
	size_t i, k, r;

	for (r = 0; r < b->resamples; r++) {
		draw_counts(b, r, where, count);
		for (k = 0; k < b->sums; k++) {
			double sum = 0;

#pragma omp simd reduction(+:sum)
			for (i = 0; i < TILE; i++)
				sum += count[i] * column[k][i];
			total[r * b->sums + k] += sum;
		}
	}
}

/* Add the rows of records [from, to) to their clusters' columns. */
static int add_columns(const struct bootstrap *b, size_t from, size_t to,
		       const size_t *place, double (*column)[TILE])
{
	double row[STEP * RM_METRIC_SUMS];
	size_t f, i, k, at = 0;

	for (f = 0; f < b->n; f++) {
		const struct rm_metric_kind *m = b->figure[f]->metric;

		if (m->rows(b->s, from, to, row) < 0)
			return -1;
		for (i = 0; i < to - from; i++)
			for (k = 0; k < m->sums; k++)
				column[at + k][place[i]] +=
					row[i * m->sums + k];
		at += m->sums;
	}
	return 0;
}

/*
 * The next tile: up to TILE clusters from record *at, within `to`.  A
 * cluster may have any number of records, so they come in steps.
 */
static int fill_tile(const struct bootstrap *b, size_t *at, size_t to,
		     double (*column)[TILE])
{
	size_t place[STEP], clusters = 0, n = 0, begin = *at;

	memset(column, 0, b->sums * sizeof(*column));
	for (; *at < to; ++*at) {
		if (rm_scores_begins(b->s, *at) && clusters++ == TILE)
			break;
		place[n++] = clusters - 1;
		if (n < STEP)
			continue;
		if (add_columns(b, begin, begin + n, place, column) < 0)
			return -1;
		begin += n;
		n = 0;
	}
	return add_columns(b, begin, begin + n, place, column);
}

static int resample_piece(const struct bootstrap *b, size_t from, size_t to,
			  double *total)
{
	double (*column)[TILE];
	size_t where;
	int status = 0;

	if (!rm_scores_whole(b->s, &from, &to))
		return 0;
	column = rm_malloc(b->sums, sizeof(*column));
	if (!column)
		return -1;
	while (from < to && status == 0) {
		where = from;
		status = fill_tile(b, &from, to, column);
		if (status == 0)
			resample_tile(b, column, where, total);
	}
	free(column);
	return status;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Linear between order statistics, as numpy's default. */
static double quantile(const double *x, size_t n, double q)
{
	double at = q * (double)(n - 1), below = floor(at);
	size_t i = (size_t)below;

	return i + 1 < n ? x[i] + (at - below) * (x[i + 1] - x[i]) : x[i];
}

/* Percentile interval of one figure from total[resamples][sums]. */
static void percentiles(const struct bootstrap *b, struct rm_figure *f,
			const double *total, double *value)
{
	size_t r, n = 0;

	for (r = 0; r < b->resamples; r++, total += b->sums) {
		double v = f->metric->value ? f->metric->value(total) :
			total[0] / total[1];

		if (isfinite(v))
			value[n++] = v;
	}
	f->low = f->high = NAN;
	if (n < 2 || !isfinite(f->value))
		return;
	qsort(value, n, sizeof(*value), ascending);
	f->low = quantile(value, n, .025);
	f->high = quantile(value, n, .975);
}

static int run_bootstrap(struct bootstrap *b)
{
	size_t pieces = RM_MIN((b->s->records + 4095) / 4096, PIECES), i, k;
	size_t step = (b->s->records + pieces - 1) / pieces;
	size_t cells = b->resamples * b->sums;
	double *total = rm_calloc(pieces * cells, sizeof(*total));
	double *value = rm_malloc(b->resamples, sizeof(*value));
	int status = total && value ? 0 : -1;

	if (status == 0) {
#pragma omp parallel for schedule(dynamic) reduction(|:status)
		for (i = 0; i < pieces; i++)
			status |= resample_piece(b, i * step,
				RM_MIN(b->s->records, (i + 1) * step),
				total + i * cells);
		if (status)
			rm_fail("out of memory for the bootstrap");
	}
	for (i = 1; status == 0 && i < pieces; i++)
		for (k = 0; k < cells; k++)
			total[k] += total[i * cells + k];
	for (i = k = 0; status == 0 && i < b->n; i++) {
		percentiles(b, b->figure[i], total + k, value);
		k += b->figure[i]->metric->sums;
	}
	free(total);
	free(value);
	return status;
}

static int bootstrap(const struct rm_scores *s, const struct rm_evaluation *e,
		     struct rm_figure *figures, size_t n)
{
	struct bootstrap b = { .s = s, .resamples = e->bootstrap,
			       .seed = e->seed };
	size_t i;
	int status = 0;

	if (s->clusters < 2)
		return 0;
	prepare_poisson(&b);
	b.figure = rm_malloc(n, sizeof(*b.figure));
	if (!b.figure)
		return -1;
	for (i = 0; i < n; i++)
		if (figures[i].metric->bootstrap) {
			b.sums += figures[i].metric->sums;
			b.figure[b.n++] = &figures[i];
		}
	if (b.n)
		status = run_bootstrap(&b);
	free(b.figure);
	return status;
}

static int evaluate_one(struct rm_scores *s, struct rm_figure *f)
{
	const struct rm_metric_kind *m = f->metric;
	int status;

	if (m->applies && !m->applies(s))
		return 0;
	if (m->section != RM_SECTION_CALIBRATION)
		rm_scores_drop_decay(s);
	else if (rm_scores_keep_decay(s) < 0)
		return -1;
	if (m->estimate)
		status = m->estimate(s, &f->value, &f->error);
	else if (m->whole)
		status = m->whole(s, &f->value);
	else
		status = evaluate_sums(s, f);
	if (!isfinite(f->value))
		f->value = NAN;
	if (m->estimate)
		normal_interval(f);
	return status < 0 ? rm_wrap("%s", m->name) : 0;
}

int rm_evaluate(struct rm_scores *s, const struct rm_evaluation *e,
		struct rm_figure *figures)
{
	size_t n;
	int status = 0;

	for (n = 0; e->metrics[n] && status == 0; n++) {
		figures[n] = (struct rm_figure){ e->metrics[n], NAN, NAN,
						 NAN, NAN, NAN, NAN };
		status = evaluate_one(s, &figures[n]);
	}
	if (status < 0)
		return -1;
	return e->bootstrap ? bootstrap(s, e, figures, n) : 0;
}
