#include "head.h"

#include <stdlib.h>

#include "head_table.h"

const struct rm_spec *const *rm_head_specs(void)
{
	static const struct rm_spec *list[RM_COUNT(rm_head_kinds)];

	for (size_t i = 0; rm_head_kinds[i]; i++)
		list[i] = &rm_head_kinds[i]->spec;
	return list;
}

json_t *rm_head_parse(const char *text)
{
	return rm_spec_parse("head", rm_head_specs(), text);
}

int rm_head_set(json_t *config, const char *key, const char *value)
{
	return rm_spec_set("head", rm_head_specs(), config, key, value);
}

void rm_head_list(struct rm_buf *out)
{
	rm_spec_list(out, rm_head_specs());
}

struct rm_head *rm_head_new(const json_t *config, size_t dim,
			    struct rm_params *params)
{
	int i = rm_spec_find("head", rm_head_specs(), config);

	if (i < 0)
		return NULL;
	struct rm_head *h = rm_calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->kind = rm_head_kinds[i];
	h->params = params;
	h->dim = dim;
	if (h->kind->init(h, config) < 0) {
		rm_head_free(h);
		return NULL;
	}
	return h;
}

void rm_head_free(struct rm_head *h)
{
	if (!h)
		return;
	h->kind->fini(h);
	free(h->scores);
	free(h);
}

const rm_real *rm_head_forward(struct rm_head *h,
			       const struct rm_batch *batch,
			       const struct rm_hidden *hidden)
{
	if (!hidden->pooled)
		return rm_fail_null("head %s needs one hidden row a response",
				    h->kind->spec.name);
	if (rm_grow(&h->scores, &h->cap_scores, batch->n_leaves * h->columns,
		    sizeof(*h->scores)) < 0)
		return NULL;
	return h->kind->forward(h, batch, hidden) < 0 ? NULL : h->scores;
}

int rm_head_backward(struct rm_head *h, const struct rm_batch *batch,
		     struct rm_hidden *hidden, const rm_real *dscores)
{
	return h->kind->backward(h, batch, hidden, dscores);
}
