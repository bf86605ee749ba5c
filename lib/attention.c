#include "attention.h"
#include <math.h>
#include <stdlib.h>
static double dot(const rm_real *a, const rm_real *b, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += (double)a[i] * (double)b[i];
	return s;
}
int rm_attention_forward(rm_real *y, size_t ldy, struct rm_heads q, struct rm_heads k, struct rm_heads v, const struct rm_attention *a, const struct rm_attention_text *text, size_t n_texts)
{
	for (size_t x = 0; x < n_texts; x++) {
		const struct rm_attention_text *t = &text[x];
		size_t N = t->n_before + t->n;
		double *s = rm_malloc(N + 1, sizeof(*s));
		for (size_t h = 0; h < a->heads; h++) {
			size_t g = h / (a->heads / a->kv_heads);
			for (size_t i0 = 0; i0 < t->n; i0++) {
				size_t i = t->n_before + i0;
				const rm_real *qi = q.data + (t->row + i0) * q.row + h * q.head;
				double m = -INFINITY, z = 0;
				for (size_t j = 0; j < N; j++) {
					size_t row = j < t->n_before ? t->before_row + j : t->row + j - t->n_before;
					const rm_real *kj = k.data + row * k.row + g * k.head;
					bool seen = a->causal ? j <= i && (!a->window || i - j < a->window) : !a->window || (i > j ? i - j : j - i) <= a->window;
					s[j] = -INFINITY;
					if (!seen)
						continue;
					s[j] = dot(qi, kj, a->dim);
					if (a->pos_key.data)
						s[j] += dot(qi, a->pos_key.data + (size_t)a->bucket[a->n_bucket - 1 + i - j] * a->pos_key.row + h * a->pos_key.head, a->dim);
					if (a->pos_query.data)
						s[j] += dot(kj, a->pos_query.data + (size_t)a->bucket[a->n_bucket - 1 + i - j] * a->pos_query.row + h * a->pos_query.head, a->dim);
					s[j] *= (double)a->scale;
					if (a->softcap > 0)
						s[j] = (double)a->softcap * tanh(s[j] / (double)a->softcap);
					m = fmax(m, s[j]);
				}
				for (size_t j = 0; j < N; j++)
					z += s[j] = exp(s[j] - m);
				for (size_t d = 0; d < a->dim; d++) {
					double o = 0;
					for (size_t j = 0; j < N; j++) {
						size_t row = j < t->n_before ? t->before_row + j : t->row + j - t->n_before;
						o += s[j] * (double)v.data[row * v.row + g * v.head + d];
					}
					y[(t->row + i0) * ldy + h * a->dim + d] = (rm_real)(o / z);
				}
			}
		}
		free(s);
	}
	return 0;
}
