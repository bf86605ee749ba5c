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
 * Whole vectors, and what is left over in one that is filled up: an element
 * has the same bits wherever it stands.
 */
#define BY_VECTORS(name, fn)						\
RM_VECTOR_FMA								\
static void name(rm_real *y, const rm_real *x, size_t n)		\
{									\
	rm_wide v;							\
	size_t i = 0;							\
									\
	for (; i + RM_WIDE_LANES <= n; i += RM_WIDE_LANES) {			\
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

/*
 * The same for dx += dy f'(x); fn turns x into f'(x).
 */
#define BY_VECTORS_BACK(name, fn)					\
RM_VECTOR_FMA								\
static void name(rm_real *dx, const rm_real *dy, const rm_real *x,	\
		 size_t n)						\
{									\
	rm_wide v, d, to;						\
	size_t i = 0;							\
									\
	for (; i + RM_WIDE_LANES <= n; i += RM_WIDE_LANES) {			\
		memcpy(&v, x + i, sizeof(v));				\
		memcpy(&d, dy + i, sizeof(d));				\
		memcpy(&to, dx + i, sizeof(to));			\
		fn(&v);							\
		to += d * v;						\
		memcpy(dx + i, &to, sizeof(to));			\
	}								\
	if (i == n)							\
		return;							\
	memset(&v, 0, sizeof(v));					\
	memcpy(&v, x + i, (n - i) * sizeof(*x));			\
	fn(&v);								\
	for (size_t k = i; k < n; k++)					\
		dx[k] += dy[k] * v[k - i];				\
}

/*
 * The same for y = f(x) and slope = f'(x); fn turns x into f(x) and takes
 * f'(x) beside it.
 */
#define BY_VECTORS_BOTH(name, fn)					\
RM_VECTOR_FMA								\
static void name(rm_real *y, rm_real *slope, const rm_real *x, size_t n)	\
{									\
	rm_wide v, s;							\
	size_t i = 0;							\
									\
	for (; i + RM_WIDE_LANES <= n; i += RM_WIDE_LANES) {			\
		memcpy(&v, x + i, sizeof(v));				\
		fn(&v, &s);						\
		memcpy(y + i, &v, sizeof(v));				\
		memcpy(slope + i, &s, sizeof(s));			\
	}								\
	if (i == n)							\
		return;							\
	memset(&v, 0, sizeof(v));					\
	memcpy(&v, x + i, (n - i) * sizeof(*x));			\
	fn(&v, &s);							\
	memcpy(y + i, &v, (n - i) * sizeof(*y));			\
	memcpy(slope + i, &s, (n - i) * sizeof(*slope));		\
}

/* Where value and slope have nothing in common. */
#define APART(name, value, of)						\
RM_INLINE void name##_and_slope(rm_wide *x, rm_wide *slope)		\
{									\
	*slope = *x;							\
	of(slope);							\
	value(x);							\
}									\
									\
BY_VECTORS_BOTH(name##_both, name##_and_slope)

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

static void identity_both(rm_real *y, rm_real *slope, const rm_real *x,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		y[i] = x[i];
		slope[i] = 1;
	}
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

static void relu_both(rm_real *y, rm_real *slope, const rm_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		rm_real v = x[i];

		y[i] = v > 0 ? v : 0;
		slope[i] = v > 0 ? 1 : 0;
	}
}

/* Phi(x) = erfc(-x / sqrt 2) / 2, and e = exp(-x^2 / 2). */
RM_INLINE void normal(const rm_wide *x, rm_wide *phi, rm_wide *e)
{
	const rm_wide zero = {0};
	rm_iwide minus = *x < zero;
	rm_wide tail = RM_PICK(minus, -*x, *x);

	*e = (rm_real)-.5 * *x * *x;
	rm_wide_exp(e);
	tail *= (rm_real)M_SQRT1_2;
	rm_wide_erfc(&tail, e);
	tail *= (rm_real).5;
	*phi = RM_PICK(minus, tail, (rm_real)1 - tail);
}

/*
 * y = x Phi(x).  Hendrycks and Gimpel, Gaussian Error Linear Units, 2016: the
 * exact form, not the tanh one.
 */
RM_INLINE void gelu(rm_wide *x)
{
	rm_wide phi, e;

	normal(x, &phi, &e);
	*x *= phi;
}

BY_VECTORS(gelu_forward, gelu)

/* y' = Phi(x) + x phi(x), phi(x) = exp(-x^2 / 2) / sqrt(2 pi) */
RM_INLINE void gelu_and_slope(rm_wide *x, rm_wide *slope)
{
	rm_wide phi, e;

	normal(x, &phi, &e);
	*slope = phi + *x * e * (rm_real)(.5 * M_SQRT1_2 * M_2_SQRTPI);
	*x *= phi;
}

BY_VECTORS_BOTH(gelu_both, gelu_and_slope)

RM_INLINE void gelu_slope(rm_wide *x)
{
	rm_wide value = *x;

	gelu_and_slope(&value, x);
}

BY_VECTORS_BACK(gelu_backward, gelu_slope)

/* y = x sigma(x).  Elfwing, Uchibe and Doya, 2017. */
RM_INLINE void silu(rm_wide *x)
{
	rm_wide s = *x;

	rm_wide_sigmoid(&s);
	*x *= s;
}

BY_VECTORS(silu_forward, silu)

/* y' = s (1 + x (1 - s)), s = sigma(x) */
RM_INLINE void silu_slope(rm_wide *x)
{
	rm_wide s = *x;

	rm_wide_sigmoid(&s);
	*x = s * ((rm_real)1 + *x * ((rm_real)1 - s));
}

BY_VECTORS_BACK(silu_backward, silu_slope)
APART(silu, silu, silu_slope)

/* y = tanh x */
BY_VECTORS(tanh_forward, rm_wide_tanh)

/* y' = 1 - tanh(x)^2 */
RM_INLINE void tanh_slope(rm_wide *x)
{
	rm_wide_tanh(x);
	*x = (rm_real)1 - *x * *x;
}

BY_VECTORS_BACK(tanh_backward, tanh_slope)
APART(tanh, rm_wide_tanh, tanh_slope)

/*
 * y = x (1 + tanh u) / 2, u = sqrt(2 / pi) (x + .044715 x^3): the form of
 * OpenAI's GPT and Google's models, which call it gelu_new or
 * gelu_pytorch_tanh.
 */
#define ROOT_2_PI ((rm_real).7978845608028654)

RM_INLINE void gelu_tanh(rm_wide *x)
{
	rm_wide u = *x + (rm_real).044715 * *x * *x * *x;

	u *= ROOT_2_PI;
	rm_wide_tanh(&u);
	*x *= (rm_real).5 * ((rm_real)1 + u);
}

BY_VECTORS(gelu_tanh_forward, gelu_tanh)

/* y' = (1 + t) / 2 + x (1 - t^2) u' / 2, t = tanh u */
RM_INLINE void gelu_tanh_slope(rm_wide *x)
{
	rm_wide t = *x + (rm_real).044715 * *x * *x * *x;
	rm_wide du = ROOT_2_PI * ((rm_real)1 + (rm_real)(3 * .044715) *
				 *x * *x);

	t *= ROOT_2_PI;
	rm_wide_tanh(&t);
	*x = (rm_real).5 * ((rm_real)1 + t + *x * ((rm_real)1 - t * t) * du);
}

BY_VECTORS_BACK(gelu_tanh_backward, gelu_tanh_slope)
APART(gelu_tanh, gelu_tanh, gelu_tanh_slope)

/* y = x sigma(1.702 x): Hendrycks and Gimpel's approximation. */
RM_INLINE void quick_gelu(rm_wide *x)
{
	rm_wide s = (rm_real)1.702 * *x;

	rm_wide_sigmoid(&s);
	*x *= s;
}

BY_VECTORS(quick_gelu_forward, quick_gelu)

/* y' = s (1 + 1.702 x (1 - s)), s = sigma(1.702 x) */
RM_INLINE void quick_gelu_slope(rm_wide *x)
{
	rm_wide v = (rm_real)1.702 * *x, s = v;

	rm_wide_sigmoid(&s);
	*x = s * ((rm_real)1 + v * ((rm_real)1 - s));
}

BY_VECTORS_BACK(quick_gelu_backward, quick_gelu_slope)
APART(quick_gelu, quick_gelu, quick_gelu_slope)

const struct rm_activation rm_activations[] = {
	{ "identity", identity_forward, identity_backward, identity_both },
	{ "relu", relu_forward, relu_backward, relu_both },
	{ "gelu", gelu_forward, gelu_backward, gelu_both },
	{ "silu", silu_forward, silu_backward, silu_both },
	{ "tanh", tanh_forward, tanh_backward, tanh_both },
	{ "gelu_tanh", gelu_tanh_forward, gelu_tanh_backward,
	  gelu_tanh_both },
	{ "quick_gelu", quick_gelu_forward, quick_gelu_backward,
	  quick_gelu_both },
	{ NULL, NULL, NULL, NULL }
};

const char *const rm_activation_names[] = {
	"identity", "relu", "gelu", "silu", "tanh", "gelu_tanh", "quick_gelu", NULL
};
