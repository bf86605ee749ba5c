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

/* Families whose first position stands behind the pad id's. */
static size_t reserved(const json_t *config, const char *type)
{
	static const char *const families[] = {
		"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert",
		"longformer", "mpnet"
	};
	const json_t *pad = json_object_get(config, "pad_token_id");

	for (size_t i = 0; type && i < RM_COUNT(families); i++) {
		if (strcmp(type, families[i]) != 0)
			continue;
		if (!json_is_integer(pad) || json_integer_value(pad) < 0)
			return 2;
		return (size_t)json_integer_value(pad) + 1;
	}
	return 0;
}

int rm_model_positions(const json_t *config, size_t *limit)
{
	static const char *const keys[] = {
		"max_position_embeddings", "n_positions"
	};
	const char *type = json_string_value(json_object_get(config,
							     "model_type"));
	size_t taken = reserved(config, type);

	*limit = 0;
	for (size_t i = 0; i < RM_COUNT(keys) && *limit == 0; i++) {
		/* DeBERTa and others write -1 or null for none. */
		const json_t *v = json_object_get(config, keys[i]);

		if (v && !json_is_null(v) && !json_is_integer(v))
			return rm_fail("%s is no whole number", keys[i]);
		if (json_integer_value(v) > 0)
			*limit = (size_t)json_integer_value(v);
	}
	if (*limit && *limit <= taken)
		return rm_fail("%zu positions, of which %zu are never used",
			       *limit, taken);
	*limit -= *limit ? taken : 0;
	return 0;
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
	int status = rm_model_positions(config, limit);
	if (status < 0)
		rm_wrap("%s/%s", dir, RM_MODEL_CONFIG);
	json_decref(config);
	return status;
}
