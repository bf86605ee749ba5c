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

static void check_tokenizer(struct check *c, const struct rm_model *m,
			    const char *dir)
{
	struct rm_tokenizer *t = rm_model_tokenizer(m, dir);

	if (!t) {
		problem(c, "tokenizer.json");
		return;
	}
	if (rm_tokenizer_size(t) != m->vocab) {
		rm_fail("%zu ids, but config.json has vocab_size %zu",
			rm_tokenizer_size(t), m->vocab);
		problem(c, "tokenizer.json");
	} else {
		sound(c, "tokenizer.json");
	}
	rm_tokenizer_free(t);
}

/* Each tensor against its own fingerprint: how many differ. */
static size_t check_each(struct check *c, const struct rm_safetensors *st,
			 const json_t *expected)
{
	size_t bad = 0;

	for (size_t i = 0; i < rm_safetensors_count(st); i++) {
		const struct rm_safetensor *t = rm_safetensors_at(st, i);
		const char *hex = json_string_value(
			json_object_get(expected, t->name));

		if (hex && strcmp(hex, rm_safetensor_fingerprint(t).hex) == 0)
			continue;
		rm_fail("tensor %s differs from its fingerprint in rm.json",
			t->name);
		problem(c, RM_MODEL_WEIGHTS);
		bad++;
	}
	return bad;
}

static void check_weights(struct check *c, const struct rm_model *m,
			  const struct rm_safetensors *st, const json_t *rm)
{
	const json_t *fps = json_object_get(rm, "fingerprints");

	if (rm_model_check_tensors(m, st) < 0)
		problem(c, RM_MODEL_WEIGHTS);
	else if (check_each(c, st, json_object_get(fps, "tensors")) == 0)
		sound(c, RM_MODEL_WEIGHTS);
}

/* config.json, the head and the tensors' fingerprints belong together. */
static void check_model(struct check *c, const char *dir)
{
	struct rm_model *m = rm_model_load(dir, false);

	if (m)
		sound(c, "fingerprint of the model");
	else
		problem(c, "fingerprint of the model");
	rm_model_free(m);
}

int rm_model_check(const char *dir,
		   void (*found)(void *arg, const char *file,
				 const char *problem),
		   void *arg)
{
	struct check c = { found, arg, NULL };
	struct rm_fingerprint fp;
	char *path = rm_model_path(dir, RM_MODEL_WEIGHTS);
	struct rm_model *m = path ? rm_model_load_frame(dir, &fp) : NULL;
	struct rm_safetensors *st = NULL;
	json_t *rm = NULL;

	if (m) {
		sound(&c, RM_MODEL_CONFIG);
		sound(&c, RM_MODEL_RM);
		check_tokenizer(&c, m, dir);
		rm = rm_model_load_json(dir);
	} else {
		problem(&c, dir);
	}
	st = path ? rm_safetensors_open(path) : NULL;
	if (!st)
		problem(&c, RM_MODEL_WEIGHTS);
	else if (m)
		check_weights(&c, m, st, rm);
	if (!c.first)
		check_model(&c, dir);
	rm_safetensors_close(st);
	json_decref(rm);
	rm_model_free(m);
	free(path);
	if (!c.first)
		return 0;
	rm_fail("%s", c.first);
	free(c.first);
	return -1;
}
