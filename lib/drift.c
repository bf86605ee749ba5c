#include "drift.h"
#include "metric/scores.h"

#include <stdlib.h>
#include <string.h>

/* The .975 quantile of the standard normal distribution. */
#define Z 1.959963984540054

static const char *const names[RM_DRIFTS] = { "reward", "length" };

/* ---- how distributions differ ---- */

/* One bin: a of m are in the baseline's, b of n in the other's. */
static double bin_psi(size_t a, size_t m, size_t b, size_t n)
{
	double p = (a ? (double)a : .5) / (double)m;
	double q = (b ? (double)b : .5) / (double)n;

	return a || b ? (q - p) * log(q / p) : 0;
}

/* How many of n must be at or below decile k. */
static size_t decile(size_t k, size_t n)
{
	return k < 10 ? (k * n + 9) / 10 : SIZE_MAX;
}

/* The two samples in one ascending walk; those below m are the first's. */
static void walk(const struct rm_order *o, size_t m, struct rm_drifted *out)
{
	size_t n = o->n - m, a = 0, b = 0, bin_a = 0, bin_b = 0, k = 1;
	size_t i, j, end;

	out->psi = out->ks = 0;
	out->ks_exact = true;
	for (j = 0; j < o->n; j = end) {
		end = rm_order_run(o, j);
		out->ks_exact &= end == j + 1;
		for (i = j; i < end; i++)
			a += o->index[i] < m;
		b = end - a;
		out->ks = RM_MAX(out->ks, fabs((double)a / (double)m -
					       (double)b / (double)n));
		if (a < decile(k, m))
			continue;
		out->psi += bin_psi(a - bin_a, m, b - bin_b, n);
		bin_a = a;
		bin_b = b;
		while (a >= decile(k, m))
			k++;
	}
	out->psi += bin_psi(a - bin_a, m, b - bin_b, n);
}

/*
 * P(K > x) of Kolmogorov's limit: 2 sum (-1)^(k-1) exp(-2 k^2 x^2), or,
 * where that is slow, what Jacobi's theta function makes of it:
 * 1 - sqrt(2 pi) / x sum exp(-(2k-1)^2 pi^2 / (8 x^2)).
 */
static double kolmogorov(double x)
{
	const double pi = 3.141592653589793;
	double sum = 0;
	int k;

	if (x < .04)
		return 1;
	if (x < 1) {
		for (k = 1; k < 12; k += 2)
			sum += exp(-k * k * pi * pi / (8 * x * x));
		return 1 - sqrt(2 * pi) / x * sum;
	}
	for (k = 1; k < 8; k++)
		sum += (k & 1 ? 2 : -2) * exp(-2. * k * k * x * x);
	return sum;
}

/*
 * P(D >= ks) over all orders of m + n different numbers: one less the share
 * of lattice paths that stay nearer to the diagonal.  Paths to (i, j) that
 * do, over all paths there, are made row by row.
 */
static int exact_p(size_t m, size_t n, double ks, double *p)
{
	double x = (double)m, y = (double)n, w;
	double edge = (floor(ks * x * y + .5) - .5) / (x * y);
	double *inside = rm_malloc(n + 1, sizeof(*inside));
	size_t i, j;

	if (!inside)
		return -1;
	for (j = 0; j <= n; j++)
		inside[j] = (double)j / y <= edge;
	for (i = 1; i <= m; i++) {
		inside[0] = (double)i / x <= edge;
		for (j = 1; j <= n; j++) {
			w = (double)i / (double)(i + j);
			inside[j] = w * inside[j] + (1 - w) * inside[j - 1];
			if (fabs((double)i / x - (double)j / y) > edge)
				inside[j] = 0;
		}
	}
	*p = 1 - inside[n];
	free(inside);
	return 0;
}

static int find_p(size_t m, size_t n, struct rm_drifted *out)
{
	double x = (double)m, y = (double)n;

	out->ks_exact &= x * y <= RM_DRIFT_EXACT;
	if (out->ks_exact)
		return exact_p(m, n, out->ks, &out->ks_p);
	out->ks_p = kolmogorov(out->ks * sqrt(x * y / (x + y)));
	return 0;
}

int rm_drift_distance(const double *x, size_t m, const double *y, size_t n,
		      struct rm_drifted *out)
{
	struct rm_order o = {0};
	double *both;
	int status;

	if (n > RM_SORT_MAX - m)
		return rm_fail("more than %zu responses in two streams",
			       RM_SORT_MAX);
	both = rm_malloc(m + n, sizeof(*both));
	if (!both)
		return -1;
	memcpy(both, x, m * sizeof(*both));
	memcpy(both + m, y, n * sizeof(*both));
	status = rm_order_init(&o, both, m + n);
	if (status == 0) {
		walk(&o, m, out);
		status = find_p(m, n, out);
	}
	rm_order_fini(&o);
	free(both);
	return status;
}

/* ---- one quantity of one stream ---- */

struct sample {
	const struct rm_scores *s;
	double *value;		/* [n] those that are there */
	size_t n;
	double mean, sd, error;	/* error of the mean; NaN: one prompt */
};

/* Of response i; NaN: it has none. */
static double value_of(const struct rm_scores *s, size_t i, int what)
{
	if (what == RM_DRIFT_REWARD)
		return s->reward[i];
	return s->length && s->length[i] >= 0 ? (double)s->length[i] : NAN;
}

static void find_mean(struct sample *x)
{
	double sum = 0, squares = 0;
	size_t i;

	for (i = 0; i < x->n; i++)
		sum += x->value[i];
	x->mean = sum / (double)x->n;
	for (i = 0; i < x->n; i++) {
		double d = x->value[i] - x->mean;

		squares += d * d;
	}
	x->sd = sqrt(squares / (double)(x->n - 1));
}

/*
 * Response i has influence (x_i - mean) / n on the mean; the square of the
 * error is G / (G - 1) times the sum over G prompts of (sum of those)^2.
 */
static void find_error(struct sample *x, int what)
{
	const struct rm_scores *s = x->s;
	double squares = 0, sum = 0, g = 0;
	bool any = false;
	size_t r, i;

	for (r = 0; r <= s->records; r++) {
		if (r == s->records || rm_scores_begins(s, r)) {
			squares += sum * sum;
			g += any;
			sum = 0;
			any = false;
		}
		for (i = rm_scores_response(s, r);
		     r < s->records && i < rm_scores_response(s, r + 1); i++) {
			double v = value_of(s, i, what);

			if (isnan(v))
				continue;
			sum += (v - x->mean) / (double)x->n;
			any = true;
		}
	}
	x->error = g > 1 ? sqrt(squares * g / (g - 1)) : NAN;
}

static int sample_init(struct sample *x, const struct rm_scores *s, int what)
{
	size_t i;

	*x = (struct sample){ .s = s };
	x->value = rm_malloc(s->responses, sizeof(*x->value));
	if (!x->value)
		return -1;
	for (i = 0; i < s->responses; i++) {
		double v = value_of(s, i, what);

		if (!isnan(v))
			x->value[x->n++] = v;
	}
	return 0;
}

enum fault { NONE, EMPTY, CONSTANT };

static enum fault find_fault(const struct sample *x)
{
	size_t i;

	if (x->n == 0)
		return EMPTY;
	for (i = 1; i < x->n; i++)
		if (x->value[i] != x->value[0])
			return NONE;
	return CONSTANT;
}

/* ---- both ---- */

static int refuse(const struct sample *x, const char *name, enum fault fault)
{
	char number[32];

	if (fault == EMPTY)
		return rm_fail("%s: no responses, so that there is no drift "
			       "to tell", name);
	return rm_fail("%s: constant rewards (%zu, all %s), so that there is "
		       "no drift to tell", name, x->n,
		       rm_format_double(x->value[0], number));
}

static const char *length_absent(const struct rm_scores *s,
				 const struct rm_scores *baseline,
				 enum fault now, enum fault then)
{
	static const char *const reason[][2] = {
		[NONE] = { NULL, NULL },
		[EMPTY] = { "no response has a length",
			    "no response of the baseline has a length" },
		[CONSTANT] = { "all lengths are equal",
			       "all lengths of the baseline are equal" }
	};

	if (now || then)
		return then ? reason[then][1] : reason[now][0];
	return strcmp(s->length_unit, baseline->length_unit) == 0 ? NULL :
		"one stream counts tokens, the other characters";
}

static int compare(struct sample *x, struct sample *base, int what,
		   struct rm_drifted *out)
{
	double error;

	find_mean(x);
	find_mean(base);
	if (!isfinite(x->sd) || !isfinite(base->sd))
		return rm_fail("the %ss are too large for their variance",
			       out->of);
	find_error(x, what);
	find_error(base, what);
	error = hypot(x->error, base->error);
	out->mean = x->mean;
	out->baseline_mean = base->mean;
	out->baseline_sd = base->sd;
	out->shift = x->mean - base->mean;
	out->shift_sd = out->shift / base->sd;
	out->low = out->shift - Z * error;
	out->high = out->shift + Z * error;
	return rm_drift_distance(base->value, base->n, x->value, x->n, out);
}

static int drift_of(const struct rm_scores *s, const char *name,
		    const struct rm_scores *baseline, const char *old,
		    int what, struct rm_drifted *out)
{
	struct sample x = {0}, base = {0};
	enum fault now, then;
	int status = -1;

	*out = (struct rm_drifted){ .of = names[what] };
	if (sample_init(&x, s, what) < 0 ||
	    sample_init(&base, baseline, what) < 0)
		goto out;
	out->n = x.n;
	out->baseline_n = base.n;
	now = find_fault(&x);
	then = find_fault(&base);
	status = 0;
	if (what == RM_DRIFT_LENGTH)
		out->absent = length_absent(s, baseline, now, then);
	else if (then)
		status = refuse(&base, old, then);
	else if (now)
		status = refuse(&x, name, now);
	if (status == 0 && !out->absent)
		status = compare(&x, &base, what, out);
out:
	free(x.value);
	free(base.value);
	return status;
}

int rm_drift(const struct rm_scores *s, const char *name,
	     const struct rm_scores *baseline, const char *baseline_name,
	     struct rm_drift *out)
{
	int what;

	for (what = 0; what < RM_DRIFTS; what++)
		if (drift_of(s, name, baseline, baseline_name, what,
			     &out->of[what]) < 0)
			return -1;
	return 0;
}

/* ---- limits ---- */

static size_t exceeds(const char *of, const char *figure, double value,
		      double limit, struct rm_buf *message)
{
	char a[32], b[32];

	if (!(value > limit))
		return 0;
	rm_buf_printf(message, "%s%s of %s is %s, above %s",
		      message->len ? "; " : "", figure, of,
		      rm_format_double(value, a), rm_format_double(limit, b));
	return 1;
}

size_t rm_drift_exceeds(const struct rm_drift *d,
			const struct rm_drift_limits *limits,
			struct rm_buf *message)
{
	size_t i, n = 0;

	for (i = 0; i < RM_DRIFTS; i++) {
		const struct rm_drifted *f = &d->of[i];

		if (f->absent)
			continue;
		n += exceeds(f->of, "psi", f->psi, limits->psi, message);
		n += exceeds(f->of, "ks", f->ks, limits->ks, message);
		n += exceeds(f->of, "|shift_sd|", fabs(f->shift_sd),
			     limits->shift, message);
	}
	return n;
}
