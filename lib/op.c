#include "op.h"

#include <math.h>

double rm_sigmoid(double x)
{
	if (x >= 0)
		return 1 / (1 + exp(-x));
	double e = exp(x);
	return e / (1 + e);
}

double rm_log_sigmoid(double x)
{
	return fmin(x, 0) - log1p(exp(-fabs(x)));
}

/* ---- activations ---- */

/* y = x */
static void identity_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = x[i];
}

static void identity_backward(rm_real *dx, const rm_real *dy,
			      const rm_real *x, size_t n)
{
	(void)x;
	for (size_t i = 0; i < n; i++)
		dx[i] += dy[i];
}

/* y = max(x, 0) */
static void relu_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] > 0 ? x[i] : 0;
}

static void relu_backward(rm_real *dx, const rm_real *dy, const rm_real *x,
			  size_t n)
{
	for (size_t i = 0; i < n; i++)
		dx[i] += x[i] > 0 ? dy[i] : 0;
}

/*
 * y = x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2.  Hendrycks and Gimpel,
 * Gaussian Error Linear Units, 2016: the exact form, not the tanh one.
 */
static void gelu_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = (double)x[i];
		y[i] = (rm_real)(v * .5 * (1 + erf(v * M_SQRT1_2)));
	}
}

/* y' = Phi(x) + x phi(x), phi(x) = exp(-x^2 / 2) / sqrt(2 pi) */
static void gelu_backward(rm_real *dx, const rm_real *dy, const rm_real *x,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = (double)x[i];
		double cdf = .5 * (1 + erf(v * M_SQRT1_2));
		double pdf = exp(-.5 * v * v) * .5 * M_SQRT1_2 * M_2_SQRTPI;
		dx[i] += (rm_real)((double)dy[i] * (cdf + v * pdf));
	}
}

/* y = x sigma(x).  Elfwing, Uchibe and Doya, 2017. */
static void silu_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = (rm_real)((double)x[i] * rm_sigmoid((double)x[i]));
}

/* y' = s (1 + x (1 - s)), s = sigma(x) */
static void silu_backward(rm_real *dx, const rm_real *dy, const rm_real *x,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = (double)x[i], s = rm_sigmoid(v);
		dx[i] += (rm_real)((double)dy[i] * s * (1 + v * (1 - s)));
	}
}

/* y = tanh x */
static void tanh_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = (rm_real)tanh((double)x[i]);
}

/* y' = 1 - tanh(x)^2 */
static void tanh_backward(rm_real *dx, const rm_real *dy, const rm_real *x,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double y = tanh((double)x[i]);
		dx[i] += (rm_real)((double)dy[i] * (1 - y * y));
	}
}

static void gt_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = (double)x[i];
		y[i] = (rm_real)(.5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + .044715 * v * v * v))));
	}
}
static void qg_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = (rm_real)((double)x[i] * rm_sigmoid(1.702 * (double)x[i]));
}
const struct rm_activation rm_activations[] = {
	{ "identity", identity_forward, identity_backward },
	{ "relu", relu_forward, relu_backward },
	{ "gelu", gelu_forward, gelu_backward },
	{ "silu", silu_forward, silu_backward },
	{ "tanh", tanh_forward, tanh_backward },
	{ "gelu_tanh", gt_forward, NULL },
	{ "quick_gelu", qg_forward, NULL },
	{ NULL, NULL, NULL }
};

const char *const rm_activation_names[] = {
	"identity", "relu", "gelu", "silu", "tanh", "gelu_tanh", "quick_gelu", NULL
};
