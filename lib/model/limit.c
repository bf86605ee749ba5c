/*
 * model: files of a directory, and how many tokens its model can take.
 *
 * rm-tokenize asks for the latter.  Apart from the rest of the module, so
 * that a program which computes nothing does not link what does: a BLAS
 * takes threads and memory when a program starts.
 */
#include "model/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *rm_model_path(const char *dir, const char *name)
{
	struct rm_buf b = {0};
	size_t n = strlen(dir);

	rm_buf_printf(&b, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/",
		      name);
	return rm_buf_text(&b);
}

json_t *rm_model_load_object(const char *dir, const char *name)
{
	char *path = rm_model_path(dir, name);
	json_t *o = path ? rm_json_load(path, RM_MODEL_MAX_JSON) : NULL;

	if (o && !json_is_object(o)) {
		rm_fail("%s: no JSON object", path);
		json_decref(o);
		o = NULL;
	}
	free(path);
	return o;
}

bool rm_model_has(const char *dir, const char *name)
{
	char *path = rm_model_path(dir, name);
	bool yes = path && access(path, F_OK) == 0;

	free(path);
	return yes;
}

/* The config of a transformer: this one, or that under a head of ours. */
static const json_t *transformer(const json_t *config)
{
	const json_t *backbone = json_object_get(config, "backbone_config");
	const json_t *under = json_object_get(backbone, "config");

	return json_is_object(under) ? under : config;
}

/* Of a family that is not computed here: its text can be tokenised. */
static size_t claimed(const json_t *config)
{
	static const char *const keys[] = {
		"max_position_embeddings", "n_positions"
	};

	for (size_t i = 0; i < RM_COUNT(keys); i++) {
		const json_t *v = json_object_get(config, keys[i]);

		if (json_integer_value(v) > 0)
			return (size_t)json_integer_value(v);
	}
	return 0;
}

size_t rm_model_positions(const json_t *config)
{
	struct rm_arch arch;

	config = transformer(config);
	if (rm_arch_init(&arch, config) == 0)
		return arch.max_length;
	rm_error_clear();
	return claimed(config);
}

int rm_model_limit(const char *dir, size_t *limit)
{
	json_t *config;

	*limit = 0;
	/* Whoever has a tokenizer alone is content with that. */
	if (!rm_model_has(dir, RM_MODEL_CONFIG))
		return 0;
	config = rm_model_load_object(dir, RM_MODEL_CONFIG);
	if (!config)
		return -1;
	*limit = rm_model_positions(config);
	json_decref(config);
	return 0;
}
