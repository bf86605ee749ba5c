#include "backbone.h"

#include <stdlib.h>
#include <string.h>

#include "backbone_table.h"

const struct rm_spec *const *rm_backbone_specs(void)
{
	static const struct rm_spec *list[RM_COUNT(rm_backbone_kinds)];

	for (size_t i = 0; rm_backbone_kinds[i]; i++)
		list[i] = &rm_backbone_kinds[i]->spec;
	return list;
}

const struct rm_backbone_kind *rm_backbone_kind_of(const json_t *config)
{
	int i = rm_spec_find("backbone", rm_backbone_specs(), config);

	return i < 0 ? NULL : rm_backbone_kinds[i];
}

int rm_backbone_describe(const json_t *config,
			 const struct rm_family_tokens *tokens,
			 json_t **described)
{
	const struct rm_backbone_kind *kind = rm_backbone_kind_of(config);

	*described = NULL;
	if (!kind)
		return -1;
	if (!kind->describe)
		return 0;
	*described = kind->describe(&kind->spec, config, tokens);
	return *described ? 0 : -1;
}

json_t *rm_backbone_parse(const char *text)
{
	/* Whatever tokens there will be: one id, and it pads. */
	const struct rm_family_tokens any = { 1, 0, 0, 0 };
	json_t *config = rm_spec_parse("backbone", rm_backbone_specs(), text);
	json_t *described;

	if (!config)
		return NULL;
	if (rm_backbone_describe(config, &any, &described) == 0) {
		json_decref(described);
		return config;
	}
	json_decref(config);
	return NULL;
}

void rm_backbone_list(struct rm_buf *out)
{
	rm_spec_list(out, rm_backbone_specs());
}

struct rm_backbone *rm_backbone_new(const json_t *config, size_t vocab,
				    struct rm_params *params)
{
	const struct rm_backbone_kind *kind = rm_backbone_kind_of(config);
	struct rm_backbone *b = kind ? rm_calloc(1, sizeof(*b)) : NULL;

	if (!b)
		return NULL;
	b->kind = kind;
	b->pad = -1;
	b->params = params;
	if (b->kind->init(b, config, vocab) < 0) {
		rm_backbone_free(b);
		return NULL;
	}
	return b;
}

void rm_backbone_free(struct rm_backbone *b)
{
	if (!b)
		return;
	b->kind->fini(b);
	free(b->hidden.value);
	free(b->hidden.grad);
	free(b);
}

bool rm_backbone_wants_observe(const struct rm_backbone *b)
{
	return b->kind->wants_observe && b->kind->wants_observe(b);
}

int rm_backbone_observe(struct rm_backbone *b, const struct rm_batch *batch)
{
	return b->kind->observe(b, batch);
}

int rm_backbone_observed(struct rm_backbone *b)
{
	return b->kind->observed(b);
}

int rm_backbone_rows(struct rm_backbone *b, size_t n, bool train)
{
	struct rm_hidden *h = &b->hidden;
	size_t cap = b->cap_rows;

	h->n = n;
	h->dim = b->dim;
	if (n > cap) {
		rm_real *value = rm_realloc(h->value, n * b->dim,
					    sizeof(*value));
		if (!value)
			return -1;
		h->value = value;
		b->cap_rows = n;
	}
	if (!train || n == 0)
		return 0;
	if (n > b->cap_grad) {
		rm_real *grad = rm_realloc(h->grad, n * b->dim,
					   sizeof(*grad));
		if (!grad)
			return -1;
		h->grad = grad;
		b->cap_grad = n;
	}
	memset(h->grad, 0, n * b->dim * sizeof(*h->grad));
	return 0;
}

int rm_inputs_reserve(struct rm_inputs *x, size_t n, size_t width)
{
	x->n = n;
	x->width = width;
	if (rm_grow(&x->segment, &x->cap, n, sizeof(*x->segment)) < 0 ||
	    rm_grow(&x->prompt, &x->cap_prompt, n, sizeof(*x->prompt)) < 0 ||
	    rm_grow(&x->shift, &x->cap_shift, n * width,
		    sizeof(*x->shift)) < 0 ||
	    rm_grow(&x->grad, &x->cap_grad, n * width, sizeof(*x->grad)) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		x->segment[i] = RM_NO_PARENT;
		x->prompt[i] = false;
	}
	if (n > 0) {
		memset(x->shift, 0, n * width * sizeof(*x->shift));
		memset(x->grad, 0, n * width * sizeof(*x->grad));
	}
	return 0;
}

void rm_inputs_fini(struct rm_inputs *x)
{
	free(x->segment);
	free(x->prompt);
	free(x->shift);
	free(x->grad);
	*x = (struct rm_inputs){0};
}

int rm_backbone_inputs(struct rm_backbone *b, const struct rm_batch *batch,
		       struct rm_inputs *to)
{
	b->inputs = NULL;
	return b->kind->inputs(b, batch, to);
}

int rm_backbone_ready(struct rm_backbone *b, enum rm_precision precision)
{
	return b->kind->ready ? b->kind->ready(b, precision) : 0;
}

struct rm_hidden *rm_backbone_forward(struct rm_backbone *b,
				      const struct rm_batch *batch)
{
	return b->kind->forward(b, batch) < 0 ? NULL : &b->hidden;
}

int rm_backbone_backward(struct rm_backbone *b, const struct rm_batch *batch)
{
	return b->kind->backward(b, batch);
}
