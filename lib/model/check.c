/* model: looking at every file of a directory. */
#include "model/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
	void (*found)(void *arg, const char *file, const char *problem);
	void *arg;
	char *first;			/* the first problem, or NULL */
};

static void sound(struct check *c, const char *file)
{
	c->found(c->arg, file, NULL);
}

/* Report this thread's message. */
static void problem(struct check *c, const char *file)
{
	c->found(c->arg, file, rm_error());
	if (!c->first)
		c->first = rm_strdup(rm_error());
}

/*
 * Ours has an id for each of the vocabulary's rows; others pad the rows to a
 * round number.
 */
static int compare_vocab(const struct rm_model *m, size_t ids)
{
	if (ids == m->vocab || (m->config && ids < m->vocab))
		return 0;
	return rm_fail("%zu ids, but config.json has vocab_size %zu", ids,
		       m->vocab);
}

static void check_tokenizer(struct check *c, struct rm_model *m,
			    const char *dir)
{
	struct rm_tokenizer *t;

	/* A checkpoint of weights alone scores ids. */
	if (m->origin.tokenizer.n == 0)
		return;
	t = rm_model_tokenizer(m, dir);
	if (!t || compare_vocab(m, rm_tokenizer_size(t)) < 0)
		problem(c, "tokenizer.json");
	else
		sound(c, "tokenizer.json");
	rm_tokenizer_free(t);
}

/* Each tensor against its own fingerprint: how many differ. */
static size_t check_each(struct check *c, const struct rm_model_tensors *t,
			 const json_t *expected)
{
	size_t bad = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct rm_safetensor *one = &t->tensor[i];
		const char *hex = json_string_value(
			json_object_get(expected, one->name));

		if (hex &&
		    strcmp(hex, rm_safetensor_fingerprint(one).hex) == 0)
			continue;
		rm_fail("tensor %s differs from its fingerprint in rm.json",
			one->name);
		problem(c, RM_MODEL_WEIGHTS);
		bad++;
	}
	return bad;
}

/* config.json, the head and the tensors' fingerprints belong together. */
static void check_model(struct check *c, const struct rm_model *m,
			const struct rm_fingerprint *expected)
{
	static const char name[] = "fingerprint of the model";

	if (strcmp(rm_model_fingerprint(m).hex, expected->hex) == 0) {
		sound(c, name);
		return;
	}
	rm_fail("config, head or weights differ from the fingerprint in %s",
		RM_MODEL_RM);
	problem(c, name);
}

static void check_weights(struct check *c, struct rm_model *m,
			  const char *dir)
{
	json_t *rm = NULL;
	struct rm_model_tensors t = {0};
	const json_t *fps;

	if (rm_model_load_weights(m, dir, false, true) < 0 ||
	    rm_model_tensors_get(&t, m) < 0) {
		problem(c, RM_MODEL_WEIGHTS);
	} else if (!m->recorded) {
		sound(c, RM_MODEL_WEIGHTS);
	} else {
		rm = rm_model_load_json(dir);
		fps = json_object_get(rm, "fingerprints");
		if (check_each(c, &t, json_object_get(fps, "tensors")) == 0)
			sound(c, RM_MODEL_WEIGHTS);
	}
	rm_model_tensors_fini(&t);
	json_decref(rm);
}

/* Without a model to compare them with: the files' own claims. */
static void check_files(struct check *c, const char *dir)
{
	struct rm_weights *w = rm_weights_open(dir);

	if (!w)
		problem(c, RM_MODEL_WEIGHTS);
	rm_weights_close(w);
}

static void check_parts(struct check *c, struct rm_model *m, const char *dir,
			const struct rm_fingerprint *expected)
{
	sound(c, RM_MODEL_CONFIG);
	if (m->recorded)
		sound(c, RM_MODEL_RM);
	check_tokenizer(c, m, dir);
	check_weights(c, m, dir);
	if (m->recorded && !c->first)
		check_model(c, m, expected);
}

int rm_model_check(const char *dir,
		   void (*found)(void *arg, const char *file,
				 const char *problem),
		   void *arg)
{
	struct check c = { found, arg, NULL };
	struct rm_fingerprint expected;
	struct rm_model *m = rm_model_load_frame(dir, NULL, &expected);

	if (m) {
		check_parts(&c, m, dir, &expected);
	} else {
		problem(&c, dir);
		check_files(&c, dir);
	}
	rm_model_free(m);
	if (!c.first)
		return 0;
	rm_fail("%s", c.first);
	free(c.first);
	return -1;
}
