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

static void check_weights(struct check *c, struct rm_model *m,
			  const char *dir, const json_t *rm)
{
	const json_t *fps = json_object_get(rm, "fingerprints");
	struct rm_model_tensors t = {0};

	if (rm_model_load_weights(m, dir, false) < 0 ||
	    rm_model_tensors_get(&t, m) < 0)
		problem(c, RM_MODEL_WEIGHTS);
	else if (check_each(c, &t, json_object_get(fps, "tensors")) == 0)
		sound(c, RM_MODEL_WEIGHTS);
	rm_model_tensors_fini(&t);
}

/* Without a model to compare them with: the files' own claims. */
static void check_files(struct check *c, const char *dir)
{
	struct rm_weights *w = rm_weights_open(dir);

	if (!w)
		problem(c, RM_MODEL_WEIGHTS);
	rm_weights_close(w);
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
	struct rm_model *m = rm_model_load_frame(dir, &fp);
	json_t *rm = NULL;

	if (m) {
		sound(&c, RM_MODEL_CONFIG);
		sound(&c, RM_MODEL_RM);
		check_tokenizer(&c, m, dir);
		rm = rm_model_load_json(dir);
		check_weights(&c, m, dir, rm);
	} else {
		problem(&c, dir);
		check_files(&c, dir);
	}
	if (!c.first)
		check_model(&c, dir);
	json_decref(rm);
	rm_model_free(m);
	if (!c.first)
		return 0;
	rm_fail("%s", c.first);
	free(c.first);
	return -1;
}
