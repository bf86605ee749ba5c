#include "pair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- splits ---- */

/* "NAME=SHARE", n bytes. */
static int add_part(struct rm_split *split, const char *text, size_t n,
		    double *end)
{
	struct rm_split_part *more;
	const char *equals = memchr(text, '=', n);
	size_t len = equals ? (size_t)(equals - text) : 0;
	char *share;
	double x;
	int status;

	if (len == 0)
		return rm_fail("'%.*s' is not NAME=SHARE", (int)n, text);
	share = rm_strndup(equals + 1, n - len - 1);
	if (!share)
		return -1;
	status = rm_parse_double(share, 0, 1, &x);
	free(share);
	if (status < 0)
		return rm_wrap("%.*s", (int)len, text);
	more = rm_realloc(split->part, split->n + 1, sizeof(*more));
	if (!more)
		return -1;
	split->part = more;
	more[split->n].name = rm_strndup(text, len);
	if (!more[split->n].name)
		return -1;
	*end += x;
	more[split->n++].end = *end;
	return 0;
}

static int check_names(const struct rm_split *split)
{
	for (size_t i = 0; i < split->n; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(split->part[i].name, split->part[j].name))
				return rm_fail("two parts named %s",
					       split->part[i].name);
	return 0;
}

int rm_split_parse(struct rm_split *split, const char *text, int64_t seed)
{
	const double slack = 1e-9;	/* .7+.2+.1 is not quite 1 */
	double end = 0;

	*split = (struct rm_split){ .seed = seed };
	for (;;) {
		size_t n = strcspn(text, ",");

		if (add_part(split, text, n, &end) < 0)
			return -1;
		if (text[n] == '\0')
			break;
		text += n + 1;
	}
	if (end > 1 + slack)
		return rm_fail("the shares add up to %g, more than 1", end);
	if (end > 1 - slack)
		split->part[split->n - 1].end = 1;
	return check_names(split);
}

int rm_split_find(const struct rm_split *split, const char *name)
{
	struct rm_buf names = {0};

	for (size_t i = 0; i < split->n; i++)
		if (!strcmp(split->part[i].name, name))
			return (int)i;
	for (size_t i = 0; i < split->n; i++)
		rm_buf_printf(&names, "%s%s", i ? ", " : "",
			      split->part[i].name);
	rm_fail("no part named '%s'; there are %s", name,
		names.failed ? "others" : rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

int rm_split_of(const struct rm_split *split, uint64_t key)
{
	double u = rm_random_uniform((uint64_t)split->seed, RM_RANDOM_SPLIT,
				     0, key);

	for (size_t i = 0; i < split->n; i++)
		if (u < split->part[i].end)
			return (int)i;
	return -1;
}

void rm_split_fini(struct rm_split *split)
{
	for (size_t i = 0; i < split->n; i++)
		free(split->part[i].name);
	free(split->part);
	*split = (struct rm_split){0};
}

/* ---- columns ---- */

static bool one_a_record(enum rm_type type)
{
	return type == RM_STR || type == RM_U64 || type == RM_F64;
}

static int no_column(const struct rm_schema *schema, const char *name)
{
	struct rm_buf names = {0};

	for (size_t f = 0; f < schema->n; f++)
		if (one_a_record(schema->field[f].type))
			rm_buf_printf(&names, "%s%s", names.len ? ", " : "",
				      schema->field[f].name);
	rm_fail("no column %s with one value a record; there are %s", name,
		names.failed ? "others" : rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

int rm_column_find(struct rm_column *c, const struct rm_schema *schema,
		   const char *name)
{
	int field = rm_schema_find(schema, name);

	*c = (struct rm_column){ .field = field };
	if (field < 0) {
		c->field = rm_schema_find(schema, "extra");
		c->extra = true;
	}
	if (c->field < 0 ||
	    (!c->extra && !one_a_record(schema->field[field].type)))
		return no_column(schema, name);
	c->name = rm_strdup(name);
	return c->name ? 0 : -1;
}

void rm_column_fini(struct rm_column *c)
{
	free(c->name);
	*c = (struct rm_column){0};
}

/* 1 and a new reference; 0 when there is none or it is null; -1. */
static int extra_value(const struct rm_column *c,
		       const struct rm_record *rec, json_t **value)
{
	json_t *all;

	*value = NULL;
	if (rm_record_is_nil(rec, c->field))
		return 0;
	all = rm_msgpack_json(rec->field[c->field]);
	if (!all)
		return rm_wrap("field extra");
	*value = json_incref(json_object_get(all, c->name));
	json_decref(all);
	if (*value && !json_is_null(*value))
		return 1;
	json_decref(*value);
	return 0;
}

static int extra_text(const struct rm_column *c, const struct rm_record *rec,
		      struct rm_buf *text)
{
	json_t *value;
	int found = extra_value(c, rec, &value);

	if (found <= 0)
		return found;
	if (json_is_string(value))
		rm_buf_append(text, json_string_value(value),
			      json_string_length(value));
	else
		rm_json_canonical(text, value);
	json_decref(value);
	return text->failed ? -1 : 1;
}

int rm_column_text(const struct rm_column *c, const struct rm_record *rec,
		   struct rm_buf *text)
{
	enum rm_type type = rec->schema->field[c->field].type;
	struct rm_slice s;

	rm_buf_clear(text);
	if (c->extra)
		return extra_text(c, rec, text);
	if (rm_record_is_nil(rec, c->field))
		return 0;
	if (type == RM_STR) {
		s = rm_record_bytes(rec, c->field);
		rm_buf_append(text, s.data, s.len);
	} else if (type == RM_U64) {
		rm_buf_printf(text, "%016llx", (unsigned long long)
			      rm_record_u64(rec, c->field));
	} else {
		rm_json_number(text, rm_record_f64(rec, c->field));
	}
	return text->failed ? -1 : 1;
}

double rm_column_number(const struct rm_column *c,
			const struct rm_record *rec)
{
	enum rm_type type = rec->schema->field[c->field].type;
	double x = NAN;
	json_t *value;

	if (!c->extra && type == RM_U64)
		return (double)rm_record_u64(rec, c->field);
	if (!c->extra)
		return type == RM_F64 ? rm_record_f64(rec, c->field) : NAN;
	if (extra_value(c, rec, &value) <= 0)
		return NAN;
	if (json_is_number(value))
		x = json_number_value(value);
	json_decref(value);
	return x;
}

/* ---- lengths ---- */

int rm_length_field(const struct rm_schema *schema)
{
	int f = rm_schema_find(schema, "length");

	if (f < 0)
		f = rm_schema_find(schema, "n_tokens");
	if (f < 0)
		return rm_schema_need(schema, "length", " or n_tokens");
	return f;
}
