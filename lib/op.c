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

/*
 * y = x (1 + tanh u) / 2, u = sqrt(2 / pi) (x + .044715 x^3): the form of
 * OpenAI's GPT and Google's models, which call it gelu_new or
 * gelu_pytorch_tanh.
 */
static double inner(double x)
{
	return sqrt(2 / M_PI) * (x + .044715 * x * x * x);
}

static void gelu_tanh_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = (double)x[i];
		y[i] = (rm_real)(.5 * v * (1 + tanh(inner(v))));
	}
}

/* y' = (1 + t) / 2 + x (1 - t^2) u' / 2, t = tanh u */
static void gelu_tanh_backward(rm_real *dx, const rm_real *dy,
			       const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = (double)x[i], t = tanh(inner(v));
		double du = sqrt(2 / M_PI) * (1 + 3 * .044715 * v * v);
		dx[i] += (rm_real)((double)dy[i] * .5 *
				   (1 + t + v * (1 - t * t) * du));
	}
}

/* y = x sigma(1.702 x): Hendrycks and Gimpel's approximation. */
static void quick_gelu_forward(rm_real *y, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = (rm_real)((double)x[i] *
				 rm_sigmoid(1.702 * (double)x[i]));
}

/* y' = s (1 + 1.702 x (1 - s)), s = sigma(1.702 x) */
static void quick_gelu_backward(rm_real *dx, const rm_real *dy,
				const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = 1.702 * (double)x[i], s = rm_sigmoid(v);
		dx[i] += (rm_real)((double)dy[i] * s * (1 + v * (1 - s)));
	}
}

const struct rm_activation rm_activations[] = {
	{ "identity", identity_forward, identity_backward },
	{ "relu", relu_forward, relu_backward },
	{ "gelu", gelu_forward, gelu_backward },
	{ "silu", silu_forward, silu_backward },
	{ "tanh", tanh_forward, tanh_backward },
	{ "gelu_tanh", gelu_tanh_forward, gelu_tanh_backward },
	{ "quick_gelu", quick_gelu_forward, quick_gelu_backward },
	{ NULL, NULL, NULL }
};

const char *const rm_activation_names[] = {
	"identity", "relu", "gelu", "silu", "tanh", "gelu_tanh", "quick_gelu", NULL
};
