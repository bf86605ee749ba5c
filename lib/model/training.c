/* model: what of it is trained, and how fast. */
#include "model/internal.h"
#include "lora.h"

#include <ctype.h>
#include <float.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Names that a message shows when a pattern has none. */
#define SHOWN 8

const struct rm_model_training rm_model_train_all = {0};

/* ---- what is frozen ---- */

static int fail_pattern(const struct rm_params *p, const char *what,
			const char *pattern)
{
	struct rm_buf names = {0};

	for (size_t i = 0; i < p->n && i < SHOWN; i++)
		rm_buf_printf(&names, "%s%s", i ? ", " : "",
			      p->param[i].name);
	if (p->n > SHOWN)
		rm_buf_printf(&names, " and %zu more", p->n - SHOWN);
	rm_fail("no %s is named like %s; there are %s", what, pattern,
		rm_buf_text(&names) ? (char *)names.data : "");
	rm_buf_fini(&names);
	return -1;
}

static int freeze(struct rm_params *p, const char *pattern)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++) {
		if (fnmatch(pattern, p->param[i].name, 0) != 0)
			continue;
		p->param[i].trainable = false;
		any = true;
	}
	return any ? 0 : fail_pattern(p, "parameter to freeze", pattern);
}

static int check_any(const struct rm_params *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->param[i].trainable)
			return 0;
	return rm_fail("every parameter is frozen: nothing to train");
}

/* ---- rates by layer ---- */

/* The number after a list of layers in a name; false: it is in none. */
static bool layer_of(const char *name, size_t *layer)
{
	static const char *const lists[] = { "layer.", "layers.", "h." };

	for (const char *at = name; at; at = strchr(at, '.')) {
		at += *at == '.';
		for (size_t i = 0; i < RM_COUNT(lists); i++) {
			size_t n = strlen(lists[i]);

			if (strncmp(at, lists[i], n) != 0 ||
			    !isdigit((unsigned char)at[n]))
				continue;
			*layer = strtoul(at + n, NULL, 10);
			return true;
		}
	}
	return false;
}

/* Whether it stands before the first layer, as families name what does. */
static bool is_embedding(const char *name)
{
	static const char *const patterns[] = {
		"*embed*", "*.wte.*", "*.wpe.*", "*.project_in.*",
		/* of DeBERTa's relative positions */
		"*.encoder.LayerNorm.*"
	};

	for (size_t i = 0; i < RM_COUNT(patterns); i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

static size_t count_layers(const struct rm_model *m)
{
	size_t n = 0, layer;

	for (size_t i = 0; i < m->first_of_head; i++)
		if (layer_of(m->params.param[i].name, &layer))
			n = RM_MAX(n, layer + 1);
	return n;
}

/*
 * Layer i of L takes the rate times decay^(L - i), embeddings times
 * decay^(L + 1), all else as it is: Howard and Ruder, ULMFiT, 2018, with the
 * exponents of Bao et al., BEiT, 2022.
 */
static void decay_rates(struct rm_model *m, double decay)
{
	size_t L = count_layers(m), layer;

	for (size_t i = 0; i < m->first_of_head; i++) {
		struct rm_param *p = &m->params.param[i];
		double rate = p->rate > 0 ? p->rate : 1;

		if (layer_of(p->name, &layer))
			rate *= pow(decay, (double)(L - layer));
		else if (is_embedding(p->name))
			rate *= pow(decay, (double)(L + 1));
		/* 0 would count as 1. */
		p->rate = fmax(rate, DBL_MIN);
	}
}

/* ---- low rank ---- */

static bool fits(const char *name, char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return n == 0;
}

/* Whether lora.h can be asked of a parameter: a matrix of a layer. */
static bool is_adaptable(const struct rm_model *m, size_t i)
{
	const struct rm_param *p = &m->params.param[i];
	size_t layer;

	return i < m->first_of_head && p->n_dims == 2 && p->trainable &&
	       layer_of(p->name, &layer);
}

/* Every pattern is to fit something, so that no slip of it goes unseen. */
static int check_targets(const struct rm_model *m,
			 const struct rm_model_training *t)
{
	for (size_t k = 0; k < t->n_lora_targets; k++) {
		bool any = false;

		for (size_t i = 0; i < m->first_of_head; i++)
			any |= is_adaptable(m, i) &&
			       fits(m->params.param[i].name,
				    t->lora_targets + k, 1);
		if (!any)
			return fail_pattern(&m->params, "matrix of a layer "
					    "that is trained",
					    t->lora_targets[k]);
	}
	return 0;
}

static int adapt(struct rm_model *m, const struct rm_model_training *t)
{
	bool any = false;

	if (check_targets(m, t) < 0)
		return -1;
	for (size_t i = 0; i < m->first_of_head; i++) {
		bool wanted = is_adaptable(m, i) &&
			fits(m->params.param[i].name, t->lora_targets,
			     t->n_lora_targets);

		m->params.param[i].trainable = false;
		if (wanted && rm_lora_add(&m->params, i, t->lora,
					  t->lora_alpha) < 0)
			return -1;
		any |= wanted;
	}
	return any ? 0 : rm_fail("the backbone has no matrix of a layer that "
				 "is trained: low-rank changes are for "
				 "transformers");
}

/* ---- all of it ---- */

static int choose(struct rm_model *m, const struct rm_model_training *t)
{
	for (size_t i = 0; i < t->n_freeze; i++)
		if (freeze(&m->params, t->freeze[i]) < 0)
			return -1;
	if (t->layer_decay > 0 && t->layer_decay < 1)
		decay_rates(m, t->layer_decay);
	if (t->lora > 0 && adapt(m, t) < 0)
		return -1;
	return check_any(&m->params);
}

int rm_model_alloc(struct rm_model *m, const struct rm_model_training *t)
{
	if (t && choose(m, t) < 0)
		return -1;
	if (t && t->add && t->add(t->arg, m) < 0)
		return -1;
	return rm_params_alloc(&m->params, t != NULL);
}

bool rm_model_is_frozen(const struct rm_model *m)
{
	for (size_t i = 0; i < m->first_of_scores; i++)
		if (m->params.param[i].trainable || m->params.param[i].lora)
			return false;
	return true;
}
