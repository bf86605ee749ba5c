/* Newton's method on a convex loss of one to three parameters. */
#include "calib/logistic.h"

#include <stdlib.h>
#include <string.h>

enum {
	STEP = 8192,		/* points summed at once */
	ITERATIONS = 200,
	HALVINGS = 40
};

/* The loss and its derivatives, summed over points. */
struct moments {
	double loss, weight;
	double gradient[RM_CALIB_PARAMETERS];
	double hessian[RM_CALIB_PARAMETERS][RM_CALIB_PARAMETERS];
};

static void scaled_features(const struct rm_logistic *l, double x, double *f)
{
	size_t j;

	l->features(x, f);
	for (j = 0; j < l->k; j++)
		f[j] = (f[j] - l->centre[j]) / l->scale[j];
}

static void add_point(const struct rm_logistic *l, const double *theta,
		      size_t i, struct moments *m)
{
	double f[RM_CALIB_PARAMETERS], z = 0, w = rm_calib_weight(l->data, i);
	double t = l->low + (l->high - l->low) * l->data->p[i], prob, bend;
	size_t j, k;

	scaled_features(l, l->data->x[i], f);
	for (j = 0; j < l->k; j++)
		z += theta[j] * f[j];
	prob = rm_sigmoid(z);
	bend = w * prob * (1 - prob);
	m->weight += w;
	m->loss += w * (rm_softplus(-fabs(z)) +
			fabs(z) * (z >= 0 ? 1 - t : t));
	for (j = 0; j < l->k; j++) {
		m->gradient[j] += w * (prob - t) * f[j];
		for (k = 0; k <= j; k++)
			m->hessian[j][k] += bend * f[j] * f[k];
	}
}

/* Sums over fixed chunks in order: the same for any number of threads. */
static int sum_points(const struct rm_logistic *l, const double *theta,
		      struct moments *sum)
{
	size_t chunks = (l->data->n + STEP - 1) / STEP, c, i, j, k;
	struct moments *part = rm_calloc(chunks, sizeof(*part));

	if (!part)
		return -1;
#pragma omp parallel for private(i) if (chunks > 1)
	for (c = 0; c < chunks; c++)
		for (i = c * STEP; i < RM_MIN(l->data->n, (c + 1) * STEP); i++)
			add_point(l, theta, i, &part[c]);
	memset(sum, 0, sizeof(*sum));
	for (c = 0; c < chunks; c++) {
		sum->loss += part[c].loss;
		sum->weight += part[c].weight;
		for (j = 0; j < l->k; j++) {
			sum->gradient[j] += part[c].gradient[j];
			for (k = 0; k <= j; k++)
				sum->hessian[j][k] += part[c].hessian[j][k];
		}
	}
	free(part);
	return 0;
}

void rm_logistic_scale(struct rm_logistic *l, bool intercept)
{
	double f[RM_CALIB_PARAMETERS], mean[RM_CALIB_PARAMETERS] = {0};
	double square[RM_CALIB_PARAMETERS] = {0}, total = 0;
	size_t i, j, k = l->k - intercept;

	for (i = 0; i < l->data->n; i++) {
		double w = rm_calib_weight(l->data, i);

		l->features(l->data->x[i], f);
		total += w;
		for (j = 0; j < k && w > 0; j++) {
			double from = f[j] - mean[j] * intercept;

			mean[j] += w / total * (f[j] - mean[j]);
			square[j] += w * from * (f[j] - mean[j] * intercept);
		}
	}
	for (j = 0; j < l->k; j++) {
		double deviation = j < k ? sqrt(square[j] / total) : 1;

		l->centre[j] = intercept && j < k ? mean[j] : 0;
		l->scale[j] = deviation > 0 ? deviation : 1;
	}
}

/* Solve hessian step = gradient by Cholesky; false when it is singular. */
static bool solve(struct moments *m, size_t k, double *step)
{
	size_t i, j, p;

	for (j = 0; j < k; j++)
		for (i = j; i < k; i++) {
			double v = m->hessian[i][j];

			for (p = 0; p < j; p++)
				v -= m->hessian[i][p] * m->hessian[j][p];
			if (i == j && !(v > 0))
				return false;
			m->hessian[i][j] = i == j ? sqrt(v) :
				v / m->hessian[j][j];
		}
	for (i = 0; i < k; i++) {
		step[i] = m->gradient[i];
		for (p = 0; p < i; p++)
			step[i] -= m->hessian[i][p] * step[p];
		step[i] /= m->hessian[i][i];
	}
	for (i = k; i-- > 0;) {
		for (p = i + 1; p < k; p++)
			step[i] -= m->hessian[p][i] * step[p];
		step[i] /= m->hessian[i][i];
	}
	return true;
}

/*
 * Go along -step, halving it until the loss does not rise by more than its
 * rounding: near the minimum the gradient knows more than the loss.
 */
static int go(struct rm_logistic *l, const double *step, struct moments *m,
	      bool *moved)
{
	double theta[RM_CALIB_PARAMETERS] = {0}, before = m->loss, size = 1;
	size_t j;
	int turn;

	*moved = false;
	for (turn = 0; turn < HALVINGS; turn++, size /= 2) {
		for (j = 0; j < l->k; j++)
			theta[j] = l->theta[j] - size * step[j];
		if (sum_points(l, theta, m) < 0)
			return -1;
		if (m->loss <= before * (1 + 1e-12)) {
			*moved = memcmp(theta, l->theta,
					l->k * sizeof(*theta)) != 0;
			memcpy(l->theta, theta, sizeof(theta));
			return 0;
		}
	}
	return 0;
}

int rm_logistic_fit(struct rm_logistic *l)
{
	const double far = 1e6;
	double step[RM_CALIB_PARAMETERS] = {0}, largest = 0;
	struct moments m;
	bool moved;
	size_t j;
	int turn;

	memset(l->theta, 0, sizeof(l->theta));
	if (sum_points(l, l->theta, &m) < 0)
		return -1;
	for (turn = 0; turn < ITERATIONS; turn++) {
		if (!solve(&m, l->k, step))
			return 0;
		if (go(l, step, &m, &moved) < 0)
			return -1;
		largest = 0;
		for (j = 0; j < l->k; j++) {
			if (!(fabs(l->theta[j]) < far))
				return 0;
			largest = RM_MAX(largest, fabs(step[j]) /
					 (1 + fabs(l->theta[j])));
		}
		/* Newton's error is the square of the last step's. */
		if (!moved || largest < 1e-10)
			return 1;
	}
	return largest < 1e-6;
}

void rm_logistic_unscale(const struct rm_logistic *l, bool intercept,
			 double *out)
{
	size_t j;

	for (j = 0; j < l->k; j++)
		out[j] = l->theta[j] / l->scale[j];
	for (j = 0; intercept && j + 1 < l->k; j++)
		out[l->k - 1] -= out[j] * l->centre[j];
}

void rm_logistic_smooth(struct rm_logistic *l, bool pairs)
{
	double ones = 0, zeros = 0;
	size_t i;

	for (i = 0; i < l->data->n; i++) {
		double w = rm_calib_weight(l->data, i);

		ones += w * (pairs ? 1 : l->data->p[i]);
		zeros += w * (pairs ? 1 : 1 - l->data->p[i]);
	}
	l->high = (ones + 1) / (ones + 2);
	l->low = 1 / (zeros + 2);
}
