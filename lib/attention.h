#ifndef RM_ATTENTION_H
#define RM_ATTENTION_H
#include "tensor.h"
struct rm_heads { const rm_real *data; size_t row, head; };
struct rm_attention {
	size_t heads, kv_heads, dim;
	rm_real scale, softcap;
	bool causal;
	size_t window;
	struct rm_heads pos_key, pos_query;
	const int32_t *bucket;
	size_t n_bucket, n_pos;
};
struct rm_attention_text { size_t row, n, before_row, n_before; };
int rm_attention_forward(rm_real *y, size_t ldy, struct rm_heads q, struct rm_heads k, struct rm_heads v, const struct rm_attention *a, const struct rm_attention_text *text, size_t n_texts);
#endif
