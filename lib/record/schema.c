#include "record.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAMES 1024		/* fields, or per-response columns */

static const struct {
	const char *name;
	bool per_response;
} types[] = {
	[RM_STR] = { "str", false },
	[RM_U64] = { "u64", false },
	[RM_F64] = { "f64", false },
	[RM_I32_N] = { "i32[n]", false },
	[RM_I32_K] = { "i32[k]", true },
	[RM_I32_KN] = { "i32[k][n]", true },
	[RM_STR_K] = { "str[k]", true },
	[RM_F64_K] = { "f64[k]", true },
	[RM_F64_K1] = { "f64[k+1]", true },
	[RM_F64_K_MAP] = { "{f64[k]}", true },
	[RM_CHOICES] = { "choices", true },
	[RM_EXTRA] = { "extra", true },
};

const struct rm_field rm_known_fields[] = {
	{ "id", RM_STR, "given, else <file stem>:<row>" },
	{ "key", RM_U64, "XXH3-64 of the prompt's text (else of the id)" },
	{ "subset", RM_STR, "part of the data, default the file stem" },
	{ "split", RM_STR, "train, valid, test, as the data has it" },
	{ "prompt", RM_I32_N, "token ids before the responses" },
	{ "responses", RM_I32_KN, "token ids of each response" },
	{ "prompt_text", RM_STR, "the prompt as text" },
	{ "response_texts", RM_STR_K, "each response as text" },
	{ "rank", RM_F64_K, "0 best, equal is a tie" },
	{ "score", RM_F64_K, "rating, higher is better" },
	{ "attributes", RM_F64_K_MAP, "named ratings" },
	{ "teacher", RM_F64_K, "another model's reward" },
	{ "votes", RM_F64_K1, "votes for each response, then for a tie" },
	{ "annotations", RM_CHOICES, "who chose what" },
	{ "position", RM_I32_K, "place in the input" },
	{ "length", RM_I32_K, "characters" },
	{ "n_tokens", RM_I32_K, "tokens" },
	{ "format", RM_I32_K, "bits: list, bold, heading, code" },
	{ "p", RM_F64, "P(first preferred)" },
	{ "margin", RM_F64, "difference of rewards asked for" },
	{ "weight", RM_F64, "weight of the example" },
	{ "reward", RM_F64_K, "a model's reward" },
	{ "reward_sd", RM_F64_K, "its standard deviation, by the head that gave it" },
	{ "reward_rank", RM_I32_K, "place by reward, 0 best" },
	{ "objectives", RM_F64_K_MAP, "a head's scores beside the reward, by name" },
	{ "attack", RM_F64_K_MAP, "its rewards under attack, by eps" },
	{ "prob", RM_F64, "a model's P(first preferred)" },
	{ "extra", RM_EXTRA, "columns that nobody used" },
	{ NULL, RM_STR, NULL }
};

const char *rm_type_name(enum rm_type type)
{
	return types[type].name;
}

int rm_type_parse(const char *name)
{
	struct rm_buf list = {0};
	size_t i;

	for (i = 0; i < RM_COUNT(types); i++)
		if (!strcmp(types[i].name, name))
			return (int)i;
	for (i = 0; i < RM_COUNT(types); i++)
		rm_buf_printf(&list, "%s%s", i ? ", " : "", types[i].name);
	rm_fail("unknown type \"%s\" (there are %s)", name,
		list.failed ? "others" : rm_buf_text(&list));
	rm_buf_fini(&list);
	return -1;
}

bool rm_type_per_response(enum rm_type type)
{
	return types[type].per_response;
}

static const struct rm_field *known(const char *name)
{
	const struct rm_field *f;

	for (f = rm_known_fields; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

int rm_schema_find(const struct rm_schema *s, const char *name)
{
	size_t f;

	for (f = 0; f < s->n; f++)
		if (!strcmp(s->field[f].name, name))
			return (int)f;
	return -1;
}

int rm_schema_need(const struct rm_schema *s, const char *name,
		   const char *hint)
{
	struct rm_buf list = {0};
	int f = rm_schema_find(s, name);
	size_t i;

	if (f >= 0)
		return f;
	for (i = 0; i < s->n; i++)
		rm_buf_printf(&list, "%s%s", i ? ", " : "", s->field[i].name);
	rm_buf_printf(&list, "%s", s->n ? "" : "none");
	rm_fail("no field %s%s (there are %s)", name, hint,
		list.failed ? "others" : rm_buf_text(&list));
	rm_buf_fini(&list);
	return -1;
}

int rm_schema_add(struct rm_schema *s, const char *name)
{
	const struct rm_field *f = known(name);

	if (!f)
		return rm_fail("field %s is not one that rmtools knows", name);
	return rm_schema_add_typed(s, name, f->type);
}

static int check_name(const char *what, const char *name, size_t n)
{
	size_t len = strlen(name);

	if (!len || rm_utf8_valid(name, len) != len)
		return rm_fail("%s: an empty name or not UTF-8", what);
	if (n >= MAX_NAMES)
		return rm_fail("%s: more than %d", what, MAX_NAMES);
	return 0;
}

/*
 * A known name with another type is refused: whoever finds the field by name
 * relies on its type.
 */
int rm_schema_add_typed(struct rm_schema *s, const char *name,
			enum rm_type type)
{
	const struct rm_field *k = known(name);
	struct rm_schema_field *field;

	if (check_name("fields", name, s->n) < 0)
		return -1;
	if (rm_schema_find(s, name) >= 0)
		return rm_fail("field %s exists already", name);
	if (k && k->type != type)
		return rm_fail("field %s: type %s, expected %s", name,
			       rm_type_name(type), rm_type_name(k->type));
	field = rm_realloc(s->field, s->n + 1, sizeof(*field));
	if (!field)
		return -1;
	s->field = field;
	field[s->n].type = type;
	field[s->n].name = rm_strdup(name);
	if (!field[s->n].name)
		return -1;
	s->n++;
	return 0;
}

void rm_schema_drop(struct rm_schema *s, size_t f)
{
	free(s->field[f].name);
	s->n--;
	memmove(s->field + f, s->field + f + 1,
		(s->n - f) * sizeof(*s->field));
}

int rm_schema_add_per_response(struct rm_schema *s, const char *column)
{
	char **list, *name;
	size_t i;

	if (check_name("per_response", column, s->n_per_response) < 0)
		return -1;
	for (i = 0; i < s->n_per_response; i++)
		if (!strcmp(s->per_response[i], column))
			return rm_fail("per_response: %s stands there twice",
				       column);
	list = rm_realloc(s->per_response, s->n_per_response + 1,
			  sizeof(*list));
	if (!list)
		return -1;
	s->per_response = list;
	name = rm_strdup(column);
	if (!name)
		return -1;
	list[s->n_per_response++] = name;
	return 0;
}

bool rm_schema_is_per_response(const struct rm_schema *s,
			       struct rm_slice column)
{
	size_t i;

	for (i = 0; i < s->n_per_response; i++)
		if (rm_slice_is(column, s->per_response[i]))
			return true;
	return false;
}

int rm_schema_copy(struct rm_schema *to, const struct rm_schema *from)
{
	struct rm_schema copy = {0};
	size_t i;

	for (i = 0; i < from->n; i++)
		if (rm_schema_add_typed(&copy, from->field[i].name,
					from->field[i].type) < 0)
			goto fail;
	for (i = 0; i < from->n_per_response; i++)
		if (rm_schema_add_per_response(&copy,
					       from->per_response[i]) < 0)
			goto fail;
	*to = copy;
	return 0;
fail:
	rm_schema_fini(&copy);
	return -1;
}

bool rm_schema_equal(const struct rm_schema *a, const struct rm_schema *b)
{
	size_t i;

	if (a->n != b->n || a->n_per_response != b->n_per_response)
		return false;
	for (i = 0; i < a->n; i++)
		if (a->field[i].type != b->field[i].type ||
		    strcmp(a->field[i].name, b->field[i].name) != 0)
			return false;
	for (i = 0; i < a->n_per_response; i++)
		if (strcmp(a->per_response[i], b->per_response[i]) != 0)
			return false;
	return true;
}

void rm_schema_fini(struct rm_schema *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->field[i].name);
	for (i = 0; i < s->n_per_response; i++)
		free(s->per_response[i]);
	free(s->field);
	free(s->per_response);
	memset(s, 0, sizeof(*s));
}
