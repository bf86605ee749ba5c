#include "encoder.h"

#include <stdlib.h>
#include <string.h>

#include "encoder/internal.h"

const char *const rm_encoding_names[] = {
	"concat", "separate", "cross", "response", NULL
};

const char *const rm_pool_names[] = {
	"auto", "mean", "last", "first", "max", "attention", NULL
};

/* In the order of rm_pool_names. */
static const enum rm_pooling pools[] = {
	RM_POOL_FIRST /* the backbone's own */, RM_POOL_MEAN, RM_POOL_LAST,
	RM_POOL_FIRST, RM_POOL_MAX, RM_POOL_ATTENTION
};

/* ---- setting up ---- */

int rm_encoder_check(const struct rm_encoder_options *o,
		     const struct rm_backbone_kind *kind)
{
	const char *name = kind->spec.name;

	if (o->gate && o->kind == RM_RESPONSE)
		return rm_fail("the gate reads the prompt, and "
			       "encoding=response does not");
	if (kind->tokens)
		return 0;
	if (o->pool != 0)
		return rm_fail("pool=%s needs a row of each token, and "
			       "backbone %s has one of a text: pool=auto takes "
			       "that", rm_pool_names[o->pool], name);
	if (o->kind == RM_CROSS)
		return rm_fail("encoding=cross needs a row of each token, and "
			       "backbone %s has one of a text: "
			       "encoding=separate takes those", name);
	if (o->levels > 1)
		return rm_fail("levels are runs of a text's tokens, and "
			       "backbone %s has one row of a text", name);
	if (o->gate && o->kind == RM_CONCAT)
		return rm_fail("the gate reads the prompt, and backbone %s "
			       "reads responses alone where encoding=concat: "
			       "say encoding=separate", name);
	return 0;
}

static int add_query(struct rm_encoder *e)
{
	const struct rm_param query = {
		.name = "score.pool.weight",
		.n_dims = 1, .shape = { e->backbone->dim },
		.trainable = true	/* from 0 on: a mean */
	};

	e->work->query = rm_params_add(e->params, &query);
	return e->work->query < 0 ? -1 : 0;
}

static int add_parts(struct rm_encoder *e)
{
	const struct rm_backbone *b = e->backbone;
	struct rm_encoder_work *w = e->work;
	bool tokens = b->kind->tokens;

	w->query = -1;
	w->pool = e->o.pool ? pools[e->o.pool] : b->pooling;
	w->picks = tokens && e->o.kind != RM_CROSS &&
		(w->pool == RM_POOL_FIRST || w->pool == RM_POOL_LAST);
	if (tokens && w->pool == RM_POOL_ATTENTION && add_query(e) < 0)
		return -1;
	if (e->o.kind != RM_CROSS)
		return 0;
	w->cross = rm_cross_new(e->params, b->dim, e->o.heads);
	return w->cross ? 0 : -1;
}

static void set_shape(struct rm_encoder *e)
{
	const struct rm_backbone *b = e->backbone;
	bool concat = e->o.kind == RM_CONCAT;

	e->prompt = concat ? b->prompt : e->o.kind == RM_RESPONSE ?
		RM_PROMPT_NONE : RM_PROMPT_APART;
	e->least = concat ? b->least : 0;
	e->most = b->most;
	e->part = b->dim * (e->o.kind == RM_SEPARATE ? 4 : 1);
	e->gate = e->o.gate ? b->dim : 0;
	e->dim = e->o.levels * e->part + e->gate;
}

struct rm_encoder *rm_encoder_new(const struct rm_encoder_options *o,
				    struct rm_backbone *backbone,
				    struct rm_params *params)
{
	struct rm_encoder *e;

	if (rm_encoder_check(o, backbone->kind) < 0)
		return NULL;
	e = rm_calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->o = *o;
	e->o.levels = RM_MAX(o->levels, 1);
	e->backbone = backbone;
	e->params = params;
	e->work = rm_calloc(1, sizeof(*e->work));
	if (e->work && add_parts(e) == 0) {
		set_shape(e);
		return e;
	}
	rm_encoder_free(e);
	return NULL;
}

static void free_rows(struct rm_hidden *h)
{
	free(h->value);
	free(h->grad);
}

void rm_encoder_free(struct rm_encoder *e)
{
	struct rm_encoder_work *w = e ? e->work : NULL;

	if (w) {
		rm_cross_free(w->cross);
		free(w->unit);
		free(w->recipe);
		free(w->ask);
		free(w->text);
		free(w->weight);
		free(w->most);
		free_rows(&w->mixed);
		free_rows(&w->pooled);
		if (w->cap_out[0])
			free_rows(&w->out);
	}
	free(w);
	free(e);
}

int rm_encoder_rows(struct rm_hidden *h, size_t cap[2], size_t n, size_t dim,
		    bool train)
{
	h->n = n;
	h->dim = dim;
	if (rm_grow(&h->value, &cap[0], n * dim, sizeof(*h->value)) < 0)
		return -1;
	if (!train)
		return 0;
	if (rm_grow(&h->grad, &cap[1], n * dim, sizeof(*h->grad)) < 0)
		return -1;
	memset(h->grad, 0, n * dim * sizeof(*h->grad));
	return 0;
}

/* ---- which rows make which ---- */

/* The backbone's rows are the head's. */
static bool is_plain(const struct rm_encoder *e)
{
	return e->o.kind == RM_CONCAT && e->o.levels == 1 && !e->gate &&
	       (e->work->picks || !e->backbone->kind->tokens);
}

static struct rm_span span_of(const struct rm_batch *batch, size_t segment)
{
	const struct rm_segment *s = &batch->segment[segment];

	return (struct rm_span){ { 0, s->start }, { 0, s->length } };
}

/* All that a leaf sees. */
static struct rm_span whole(const struct rm_batch *batch, size_t leaf)
{
	struct rm_span s = span_of(batch, batch->leaf[leaf]);
	size_t parent = batch->segment[batch->leaf[leaf]].parent;

	if (parent != RM_NO_PARENT) {
		s.at[0] = batch->segment[parent].start;
		s.n[0] = batch->segment[parent].length;
	}
	return s;
}

/* Tokens [from, end) of a span. */
static struct rm_span cut(const struct rm_span *s, size_t from, size_t end)
{
	size_t n = s->n[0], a = RM_MIN(from, n), b = RM_MIN(end, n);
	size_t c = RM_MAX(from, n) - n, d = RM_MAX(end, n) - n;

	return (struct rm_span){ { s->at[0] + a, s->at[1] + c },
				 { b - a, d - c } };
}

/*
 * Run i of L: alike but for one token, and none without any where the text
 * has one.
 */
static struct rm_span level(const struct rm_span *s, size_t i, size_t L)
{
	size_t n = rm_span_size(s), from = i * n / L;

	return cut(s, from, RM_MIN(n, RM_MAX((i + 1) * n / L, from + 1)));
}

/* The prompt's last token where it stands in front of a leaf, if any. */
static struct rm_span last_of_prompt(const struct rm_batch *batch, size_t leaf)
{
	const struct rm_segment *s = &batch->segment[batch->leaf[leaf]];
	const struct rm_segment *of = s->parent == RM_NO_PARENT ? s :
		&batch->segment[s->parent];
	size_t n = of->prompt;

	return (struct rm_span){ { 0, of->start + (n ? n - 1 : 0) },
				 { 0, n > 0 } };
}

static int add_ask(struct rm_encoder_work *w, size_t token)
{
	if (rm_grow(&w->ask, &w->cap_ask, w->n_asks + 1,
		    sizeof(*w->ask)) < 0)
		return -1;
	w->ask[w->n_asks++] = token;
	return 0;
}

/* A unit of tokens: of those asked for, or pooled later. */
static int add_unit(struct rm_encoder *e, const struct rm_batch *batch,
		    struct rm_span span)
{
	struct rm_encoder_work *w = e->work;
	struct rm_unit *u;

	if (rm_grow(&w->unit, &w->cap_unit, w->n_units + 1,
		    sizeof(*w->unit)) < 0)
		return -1;
	u = &w->unit[w->n_units++];
	*u = (struct rm_unit){ span, RM_NO_ROW, w->n_weights };
	w->n_weights += rm_span_size(&span);
	if (rm_span_size(&span) == 0)
		return 0;
	u->row = w->picks ? w->n_asks : w->n_units - 1;
	return !w->picks ? 0 :
	       add_ask(w, w->pool == RM_POOL_FIRST ? rm_span_token(&span, 0) :
		       rm_pool_last(batch, &span, e->backbone->pad));
}

/* A segment that is a text of its own, in the order of the batch. */
static int add_text(struct rm_encoder *e, const struct rm_batch *batch,
		    size_t segment, size_t levels)
{
	struct rm_encoder_work *w = e->work;
	struct rm_span span = span_of(batch, segment);

	for (size_t i = 0; i < levels; i++)
		if (add_unit(e, batch, level(&span, i, levels)) < 0)
			return -1;
	if (span.n[1] == 0)
		return 0;
	if (rm_grow(&w->text, &w->cap_text, w->n_texts + 1,
		    sizeof(*w->text)) < 0)
		return -1;
	/* A backbone without rows of tokens: that of the text. */
	if (!e->backbone->kind->tokens)
		w->unit[w->n_units - 1].row = w->n_texts;
	w->text[w->n_texts++] = segment;
	return 0;
}

static int lay_concat(struct rm_encoder *e, const struct rm_batch *batch,
		      size_t leaf)
{
	struct rm_encoder_work *w = e->work;
	struct rm_span span = whole(batch, leaf);

	w->recipe[leaf] = (struct rm_recipe){ w->n_units, RM_NO_ROW };
	for (size_t i = 0; i < e->o.levels; i++)
		if (add_unit(e, batch, level(&span, i, e->o.levels)) < 0)
			return -1;
	if (!e->gate)
		return 0;
	w->recipe[leaf].prompt = w->n_units;
	return add_unit(e, batch, last_of_prompt(batch, leaf));
}

static int lay_apart(struct rm_encoder *e, const struct rm_batch *batch,
		     size_t leaf)
{
	struct rm_encoder_work *w = e->work;
	size_t own = batch->apart[leaf], prompt = RM_NO_ROW;

	if (own != RM_NO_PARENT && leaf > 0 && batch->apart[leaf - 1] == own) {
		prompt = w->recipe[leaf - 1].prompt;
	} else if (own != RM_NO_PARENT) {
		prompt = w->n_units;
		if (add_text(e, batch, own, 1) < 0)
			return -1;
	}
	w->recipe[leaf] = (struct rm_recipe){ w->n_units, prompt };
	return add_text(e, batch, batch->leaf[leaf], e->o.levels);
}

static int lay_out(struct rm_encoder *e, const struct rm_batch *batch)
{
	struct rm_encoder_work *w = e->work;
	bool concat = e->o.kind == RM_CONCAT;

	w->n_units = w->n_asks = w->n_texts = w->n_weights = 0;
	if (rm_grow(&w->recipe, &w->cap_recipe, batch->n_leaves,
		    sizeof(*w->recipe)) < 0)
		return -1;
	if (concat && !e->backbone->kind->tokens)
		return 0;
	for (size_t i = 0; i < batch->n_leaves; i++)
		if ((concat ? lay_concat : lay_apart)(e, batch, i) < 0)
			return -1;
	return 0;
}

/* The batch as the backbone sees it. */
static struct rm_batch view_of(const struct rm_encoder *e,
			       const struct rm_batch *batch)
{
	const struct rm_encoder_work *w = e->work;
	struct rm_batch view = *batch;

	if (e->o.kind != RM_CONCAT) {
		view.leaf = w->text;
		view.n_leaves = w->n_texts;
	}
	view.ask = w->picks ? w->ask : NULL;
	view.n_ask = w->n_asks;
	return view;
}

/* ---- fusing ---- */

/* The row of a unit in the source, values or gradients; NULL: zeros. */
static rm_real *row_at(const struct rm_encoder *e, size_t unit, rm_real *of)
{
	size_t row = unit == RM_NO_ROW ? RM_NO_ROW : e->work->unit[unit].row;

	return row == RM_NO_ROW ? NULL : of + row * e->backbone->dim;
}

/* to[4 C] = [p, r, |p - r|, p r] */
static void features(rm_real *to, const rm_real *p, const rm_real *r, size_t C)
{
	for (size_t c = 0; c < C; c++) {
		rm_real a = p ? p[c] : 0, b = r ? r[c] : 0;

		to[c] = a;
		to[C + c] = b;
		to[2 * C + c] = a > b ? a - b : b - a;
		to[3 * C + c] = a * b;
	}
}

static void features_back(rm_real *dp, rm_real *dr, const rm_real *dy,
			  const rm_real *p, const rm_real *r, size_t C)
{
	for (size_t c = 0; c < C; c++) {
		rm_real a = p ? p[c] : 0, b = r ? r[c] : 0;
		rm_real s = (rm_real)(a > b) - (rm_real)(a < b);

		if (p)
			dp[c] += dy[c] + s * dy[2 * C + c] + b * dy[3 * C + c];
		if (r)
			dr[c] += dy[C + c] - s * dy[2 * C + c] +
				a * dy[3 * C + c];
	}
}

static void copy_row(rm_real *to, const rm_real *from, size_t C)
{
	if (from)
		memcpy(to, from, C * sizeof(*to));
	else
		memset(to, 0, C * sizeof(*to));
}

static void add_row(rm_real *to, const rm_real *from, size_t C)
{
	for (size_t c = 0; to && c < C; c++)
		to[c] += from[c];
}

static void fuse(const struct rm_encoder *e, size_t leaf)
{
	const struct rm_encoder_work *w = e->work;
	const struct rm_recipe *k = &w->recipe[leaf];
	size_t C = e->backbone->dim;
	const rm_real *p = row_at(e, k->prompt, w->source->value);
	rm_real *to = w->out.value + leaf * e->dim;

	for (size_t i = 0; i < e->o.levels; i++, to += e->part) {
		const rm_real *r = row_at(e, k->first + i, w->source->value);

		if (e->o.kind == RM_SEPARATE)
			features(to, p, r, C);
		else
			copy_row(to, r, C);
	}
	if (e->gate)
		copy_row(to, p, C);
}

static void fuse_back(const struct rm_encoder *e, size_t leaf)
{
	const struct rm_encoder_work *w = e->work;
	const struct rm_recipe *k = &w->recipe[leaf];
	size_t C = e->backbone->dim;
	const rm_real *p = row_at(e, k->prompt, w->source->value);
	rm_real *dp = row_at(e, k->prompt, w->source->grad);
	const rm_real *dy = w->out.grad + leaf * e->dim;

	for (size_t i = 0; i < e->o.levels; i++, dy += e->part) {
		const rm_real *r = row_at(e, k->first + i, w->source->value);
		rm_real *dr = row_at(e, k->first + i, w->source->grad);

		if (e->o.kind == RM_SEPARATE)
			features_back(dp, dr, dy, p, r, C);
		else
			add_row(dr, dy, C);
	}
	if (e->gate)
		add_row(dp, dy, C);
}

/* ---- there and back ---- */

/* Rows of units: of those asked for, of texts, or of tokens, pooled. */
static int find_source(struct rm_encoder *e, const struct rm_batch *batch)
{
	struct rm_encoder_work *w = e->work;
	struct rm_hidden *tokens = w->under;

	w->source = w->under;
	if (w->picks || w->under->pooled)
		return 0;
	if (w->cross) {
		tokens = &w->mixed;
		if (rm_encoder_rows(tokens, w->cap_mixed, w->under->n,
				    e->backbone->dim, batch->train) < 0 ||
		    rm_cross_forward(w->cross, batch, w->under, tokens) < 0)
			return -1;
	}
	w->source = &w->pooled;
	return rm_encoder_rows(&w->pooled, w->cap_pooled, w->n_units,
			       e->backbone->dim, batch->train) < 0 ? -1 :
	       rm_pool_forward(e, batch, tokens);
}

int rm_encoder_inputs(struct rm_encoder *e, const struct rm_batch *batch,
		      struct rm_inputs *to)
{
	struct rm_batch view;

	if (lay_out(e, batch) < 0)
		return -1;
	view = view_of(e, batch);
	return rm_backbone_inputs(e->backbone, &view, to);
}

struct rm_hidden *rm_encoder_forward(struct rm_encoder *e,
				     const struct rm_batch *batch)
{
	struct rm_encoder_work *w = e->work;
	struct rm_batch view;

	if (lay_out(e, batch) < 0)
		return NULL;
	view = view_of(e, batch);
	w->under = rm_backbone_forward(e->backbone, &view);
	if (!w->under)
		return NULL;
	if (is_plain(e)) {
		w->out = *w->under;
		w->out.pooled = true;
		return &w->out;
	}
	if (find_source(e, batch) < 0 ||
	    rm_encoder_rows(&w->out, w->cap_out, batch->n_leaves, e->dim,
			    batch->train) < 0)
		return NULL;
	w->out.pooled = true;
	for (size_t i = 0; i < batch->n_leaves; i++)
		fuse(e, i);
	return &w->out;
}

int rm_encoder_backward(struct rm_encoder *e, const struct rm_batch *batch)
{
	struct rm_encoder_work *w = e->work;
	struct rm_batch view = view_of(e, batch);
	struct rm_hidden *tokens = w->cross ? &w->mixed : w->under;

	for (size_t i = 0; !is_plain(e) && i < batch->n_leaves; i++)
		fuse_back(e, i);
	if (!is_plain(e) && w->source == &w->pooled)
		rm_pool_backward(e, batch, tokens);
	if (w->cross && rm_cross_backward(w->cross, w->under, tokens) < 0)
		return -1;
	return rm_backbone_backward(e->backbone, &view);
}
