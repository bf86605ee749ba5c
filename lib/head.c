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

/* A transformer's own head is its family's in everything. */
static int check_described(const struct rm_head_options *o, const char *name)
{
	if (o->encoding.kind != RM_CONCAT || o->encoding.pool != 0)
		return rm_fail("head %s reads what its family's does: "
			       "encoding=concat,pool=auto; another head takes "
			       "encoding=%s,pool=%s", name,
			       rm_encoding_names[o->encoding.kind],
			       rm_pool_names[o->encoding.pool]);
	return 0;
}

/* The kind that config names, and its options. */
static const struct rm_head_kind *fill(const json_t *config,
				       struct rm_head_options *o)
{
	int i = rm_spec_find("head", rm_head_specs(), config);
	const struct rm_head_kind *kind = i < 0 ? NULL : rm_head_kinds[i];

	*o = (struct rm_head_options){ .levels = 1 };
	if (!kind || rm_spec_fill("head", &kind->spec, config, o) < 0)
		return NULL;
	o->encoding.levels = o->levels;
	o->encoding.gate = kind->gate;
	if (kind->spec.described && check_described(o, kind->spec.name) < 0)
		return NULL;
	return kind;
}

int rm_head_encoding(const json_t *config, struct rm_encoder_options *o)
{
	struct rm_head_options all;

	if (!fill(config, &all))
		return -1;
	*o = all.encoding;
	return 0;
}

/* With the defaults of keys that it lacks; the caller owns it. */
static json_t *complete(const json_t *config)
{
	const char *name = json_string_value(json_object_get(config, "name"));
	json_t *all = name ? rm_head_parse(name) : NULL;

	if (all)
		json_object_update(all, (json_t *)config);
	return all;
}

bool rm_head_equal(const json_t *a, const json_t *b)
{
	json_t *x = complete(a), *y = complete(b);
	bool equal = x && y && json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return equal;
}

static int init(struct rm_head *h, const json_t *config)
{
	const json_t *described = json_object_get(config, "config");

	if (!h->kind->describe)
		return h->kind->init(h);
	if (!described)
		return rm_fail("head %s is a transformer's own",
			       h->kind->spec.name);
	return h->kind->describe(h, described);
}

struct rm_head *rm_head_new(const json_t *config, const struct rm_encoder *e,
			    struct rm_params *params)
{
	struct rm_head *h = rm_calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->params = params;
	h->dim = e->dim;
	h->part = e->part;
	h->gate = e->gate;
	h->kind = fill(config, &h->o);
	if (h->kind && init(h, config) == 0)
		return h;
	rm_head_free(h);
	return NULL;
}

int rm_head_columns(const json_t *config, size_t *columns)
{
	const struct rm_encoder e = { .part = 1, .gate = 1, .dim = 1 };
	struct rm_params params = {0};
	struct rm_head *h = rm_head_new(config, &e, &params);

	if (h)
		*columns = h->columns;
	rm_head_free(h);
	rm_params_fini(&params);
	return h ? 0 : -1;
}

void rm_head_free(struct rm_head *h)
{
	if (!h)
		return;
	if (h->kind)
		h->kind->fini(h);
	free(h->names);
	free(h->scores);
	free(h);
}

bool rm_head_has_sd(const struct rm_head *h)
{
	return h->kind->sd != NULL;
}

double rm_head_sd(const struct rm_head *h, const rm_real *scores)
{
	return h->kind->sd(h, scores);
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
