/* Multiplications and additions in one instruction, where there is one. */
#pragma GCC optimize("fp-contract=fast")

#include "op.h"
#include "vector.h"

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

/*
 * Forward functions work on whole vectors, what is left over in one that is
 * filled up: an element has the same bits wherever it stands.
 */
#define BY_VECTORS(name, fn)						\
RM_VECTOR_FMA								\
static void name(rm_real *y, const rm_real *x, size_t n)		\
{									\
	rm_vec v;							\
	size_t i = 0;							\
									\
	for (; i + RM_LANES <= n; i += RM_LANES) {			\
		memcpy(&v, x + i, sizeof(v));				\
		fn(&v);							\
		memcpy(y + i, &v, sizeof(v));				\
	}								\
	if (i == n)							\
		return;							\
	memset(&v, 0, sizeof(v));					\
	memcpy(&v, x + i, (n - i) * sizeof(*x));			\
	fn(&v);								\
	memcpy(y + i, &v, (n - i) * sizeof(*y));			\
}

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
RM_INLINE void gelu(rm_vec *x)
{
	const rm_vec zero = {0};
	rm_ivec minus = *x < zero;
	rm_vec tail = RM_VEC_PICK(rm_ivec, minus, -*x, *x);

	/* Phi(-|x|) = erfc(|x| / sqrt 2) / 2 */
	tail *= (rm_real)M_SQRT1_2;
	rm_vec_erfc(&tail);
	tail *= (rm_real).5;
	tail = RM_VEC_PICK(rm_ivec, minus, tail, (rm_real)1 - tail);
	*x *= tail;
}

BY_VECTORS(gelu_forward, gelu)

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
RM_INLINE void silu(rm_vec *x)
{
	rm_vec s = *x;

	rm_vec_sigmoid(&s);
	*x *= s;
}

BY_VECTORS(silu_forward, silu)

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
BY_VECTORS(tanh_forward, rm_vec_tanh)

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

RM_INLINE void gelu_tanh(rm_vec *x)
{
	rm_vec u = *x + (rm_real).044715 * *x * *x * *x;

	u *= (rm_real).7978845608028654;	/* sqrt(2 / pi) */
	rm_vec_tanh(&u);
	*x *= (rm_real).5 * ((rm_real)1 + u);
}

BY_VECTORS(gelu_tanh_forward, gelu_tanh)

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
RM_INLINE void quick_gelu(rm_vec *x)
{
	rm_vec s = (rm_real)1.702 * *x;

	rm_vec_sigmoid(&s);
	*x *= s;
}

BY_VECTORS(quick_gelu_forward, quick_gelu)

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
