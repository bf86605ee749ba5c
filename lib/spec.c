#include "spec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct rm_key no_keys[] = { RM_KEY_END };

static const struct rm_key *keys_of(const struct rm_spec *spec)
{
	return spec->keys ? spec->keys : no_keys;
}

/* ---- finding ---- */

static int unknown_name(const char *what, const struct rm_spec *const *specs,
			const char *name)
{
	struct rm_buf b = {0};

	for (size_t i = 0; specs[i]; i++)
		rm_buf_printf(&b, "%s%s", i ? ", " : "", specs[i]->name);
	char *list = rm_buf_text(&b);
	rm_fail("unknown %s %s; there are %s", what, name, list ? list : "");
	rm_buf_fini(&b);
	return -1;
}

static int find_name(const char *what, const struct rm_spec *const *specs,
		     const char *name)
{
	for (int i = 0; specs[i]; i++)
		if (!strcmp(specs[i]->name, name))
			return i;
	return unknown_name(what, specs, name);
}

int rm_spec_find(const char *what, const struct rm_spec *const *specs,
		 const json_t *config)
{
	const char *name;

	if (rm_json_get_string(config, "name", what, &name) < 0)
		return -1;
	return find_name(what, specs, name);
}

static int unknown_key(const char *what, const struct rm_spec *spec,
		       const char *name)
{
	struct rm_buf b = {0};

	for (const struct rm_key *k = keys_of(spec); k->type; k++)
		rm_buf_printf(&b, "%s%s", k == spec->keys ? "" : ", ",
			      k->name);
	char *list = rm_buf_text(&b);
	rm_fail("%s %s has no key %s; there are %s", what, spec->name, name,
		list && *list ? list : "none");
	rm_buf_fini(&b);
	return -1;
}

static const struct rm_key *find_key(const char *what,
				     const struct rm_spec *spec,
				     const char *name)
{
	for (const struct rm_key *k = keys_of(spec); k->type; k++)
		if (!strcmp(k->name, name))
			return k;
	unknown_key(what, spec, name);
	return NULL;
}

/* ---- one value ---- */

static const char *const *choices_of(const struct rm_key *key)
{
	return key->names ? key->names() : key->choices;
}

static int unknown_choice(const struct rm_key *key, const char *text)
{
	struct rm_buf b = {0};

	rm_join_names(&b, choices_of(key));
	char *list = rm_buf_text(&b);
	rm_fail("unknown %s %s; there are %s", key->name, text,
		list ? list : "");
	rm_buf_fini(&b);
	return -1;
}

static int choice_index(const struct rm_key *key, const char *text)
{
	const char *const *choices = choices_of(key);

	for (int i = 0; choices[i]; i++)
		if (!strcmp(choices[i], text))
			return i;
	return unknown_choice(key, text);
}

static json_t *flag_from_text(const char *text)
{
	static const char *const yes[] = { "1", "yes", "true", "on" };
	static const char *const no[] = { "0", "no", "false", "off" };

	for (size_t i = 0; i < RM_COUNT(yes); i++) {
		if (!strcmp(text, yes[i]))
			return json_true();
		if (!strcmp(text, no[i]))
			return json_false();
	}
	return rm_fail_null("%s is neither yes nor no", text);
}

/* "1/.5/2" */
static json_t *numbers_from_text(const struct rm_key *key, const char *text)
{
	json_t *list = json_array();
	char *copy = rm_strdup(text), *next;
	bool good = list && copy;
	double x;

	for (char *part = copy; good && part; part = next) {
		next = strchr(part, '/');
		if (next)
			*next++ = '\0';
		good = rm_parse_double(part, key->min, key->max, &x) == 0 &&
			json_array_append_new(list, json_real(x)) == 0;
	}
	free(copy);
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

static bool is_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t n = strlen(text);

	return n > 0 && n < sizeof(((struct rm_names *)0)->name[0]) &&
	       strspn(text, allowed) == n;
}

/* "a,b,c" */
static json_t *names_from_text(const char *text)
{
	json_t *list = json_array();
	char *copy = rm_strdup(text), *next;
	bool good = list && copy;

	for (char *part = copy; good && part; part = next) {
		next = strchr(part, ',');
		if (next)
			*next++ = '\0';
		good = json_array_append_new(list, json_string(part)) == 0;
	}
	free(copy);
	if (good)
		return list;
	json_decref(list);
	return rm_fail_null("out of memory");
}

static json_t *value_from_text(const struct rm_key *key, const char *text)
{
	json_t *v;
	size_t n;
	double x;

	switch (key->type) {
	case RM_KEY_TYPE_FLAG:
		return flag_from_text(text);
	case RM_KEY_TYPE_SIZE:
		if (rm_parse_size(text, (size_t)key->min, (size_t)key->max,
				  &n) < 0)
			return NULL;
		return json_integer((json_int_t)n);
	case RM_KEY_TYPE_DOUBLE:
		if (rm_parse_double(text, key->min, key->max, &x) < 0)
			return NULL;
		return json_real(x);
	case RM_KEY_TYPE_CHOICE:
		return choice_index(key, text) < 0 ? NULL : json_string(text);
	case RM_KEY_TYPE_LIST:
		return numbers_from_text(key, text);
	case RM_KEY_TYPE_NAMES:
		return names_from_text(text);
	case RM_KEY_TYPE_TEXT:
		v = json_string(text);
		return v ? v : rm_fail_null("no UTF-8");
	case RM_KEY_TYPE_END:
		break;
	}
	return NULL;
}

static int wrong_type(const struct rm_key *key, const char *expected)
{
	return rm_fail("%s should be %s", key->name, expected);
}

static int in_range(const struct rm_key *key, double x)
{
	char min[32], max[32], found[32];

	if (x >= key->min && x <= key->max)
		return 0;
	return rm_fail("%s is %s, not within %s and %s", key->name,
		       rm_format_double(x, found),
		       rm_format_double(key->min, min),
		       rm_format_double(key->max, max));
}

static int numbers_into(const struct rm_key *key, const json_t *v, void *to)
{
	struct rm_numbers list = { .n = json_array_size(v) };

	if (list.n == 0)
		return wrong_type(key, "a list of numbers");
	if (list.n > RM_COUNT(list.x))
		return rm_fail("%s has %zu numbers, more than %zu", key->name,
			       list.n, RM_COUNT(list.x));
	for (size_t i = 0; i < list.n; i++) {
		const json_t *x = json_array_get(v, i);
		if (!json_is_number(x))
			return wrong_type(key, "a list of numbers");
		list.x[i] = json_number_value(x);
		if (in_range(key, list.x[i]) < 0)
			return -1;
	}
	memcpy(to, &list, sizeof(list));
	return 0;
}

static int add_name(const struct rm_key *key, struct rm_names *list,
		    const json_t *v)
{
	const char *name = json_string_value(v);

	if (!name || !is_name(name))
		return rm_fail("%s: \"%s\" is no name of letters, digits, _ "
			       "and -, below 64 of them", key->name,
			       name ? name : "");
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->name[i], name) == 0)
			return rm_fail("%s has %s twice", key->name, name);
	strncpy(list->name[list->n++], name, sizeof(list->name[0]) - 1);
	return 0;
}

static int names_into(const struct rm_key *key, const json_t *v, void *to)
{
	struct rm_names list = {0};

	if (json_array_size(v) == 0)
		return wrong_type(key, "a list of names");
	if (json_array_size(v) > RM_COUNT(list.name))
		return rm_fail("%s has %zu names, more than %zu", key->name,
			       json_array_size(v), RM_COUNT(list.name));
	for (size_t i = 0; i < json_array_size(v); i++)
		if (add_name(key, &list, json_array_get(v, i)) < 0)
			return -1;
	memcpy(to, &list, sizeof(list));
	return 0;
}

static int value_into(const struct rm_key *key, const json_t *v,
		      unsigned char *options)
{
	void *to = options + key->offset;
	const char *text;
	bool flag;
	size_t n;
	double x;

	switch (key->type) {
	case RM_KEY_TYPE_FLAG:
		if (!json_is_boolean(v))
			return wrong_type(key, "true or false");
		flag = json_is_true(v);
		memcpy(to, &flag, sizeof(flag));
		return 0;
	case RM_KEY_TYPE_SIZE:
		if (!json_is_integer(v))
			return wrong_type(key, "a whole number");
		if (in_range(key, (double)json_integer_value(v)) < 0)
			return -1;
		n = (size_t)json_integer_value(v);
		memcpy(to, &n, sizeof(n));
		return 0;
	case RM_KEY_TYPE_DOUBLE:
		if (!json_is_number(v))
			return wrong_type(key, "a number");
		x = json_number_value(v);
		if (in_range(key, x) < 0)
			return -1;
		memcpy(to, &x, sizeof(x));
		return 0;
	case RM_KEY_TYPE_CHOICE:
		if (!json_is_string(v))
			return wrong_type(key, "a name");
		int i = choice_index(key, json_string_value(v));
		if (i < 0)
			return -1;
		n = (size_t)i;
		memcpy(to, &n, sizeof(n));
		return 0;
	case RM_KEY_TYPE_LIST:
		return numbers_into(key, v, to);
	case RM_KEY_TYPE_NAMES:
		return names_into(key, v, to);
	case RM_KEY_TYPE_TEXT:
		text = json_string_value(v);
		if (!text)
			return wrong_type(key, "a text");
		if (strlen(text) != json_string_length(v))
			return rm_fail("%s has a NUL", key->name);
		memcpy(to, &text, sizeof(text));
		return 0;
	case RM_KEY_TYPE_END:
		break;
	}
	return 0;
}

/* ---- parsing ---- */

static int set_key(const char *what, const struct rm_spec *spec,
		   json_t *config, const char *name, const char *text)
{
	const struct rm_key *key = find_key(what, spec, name);

	if (!key)
		return -1;
	json_t *v = value_from_text(key, text);
	if (!v)
		return rm_wrap("%s %s: %s", what, spec->name, key->name);
	if (json_object_set_new(config, key->name, v) < 0)
		return rm_fail("out of memory");
	return 0;
}

static int set_defaults(const char *what, const struct rm_spec *spec,
			json_t *config)
{
	if (json_object_set_new(config, "name", json_string(spec->name)) < 0)
		return rm_fail("out of memory");
	for (const struct rm_key *k = keys_of(spec); k->type; k++)
		if (set_key(what, spec, config, k->name, k->fallback) < 0)
			return -1;
	return 0;
}

/* Whether one of the kind's keys and = stand there. */
static bool begins_key(const struct rm_spec *spec, const char *text)
{
	size_t n = strcspn(text, "=");

	for (const struct rm_key *k = keys_of(spec); text[n] && k->type; k++)
		if (strlen(k->name) == n && strncmp(k->name, text, n) == 0)
			return true;
	return false;
}

/*
 * Where a pair ends: a comma, but for one in a list of names or a text, which
 * go on up to the next key.
 */
static char *end_of_pair(const struct rm_spec *spec, char *pair)
{
	char *comma = strchr(pair, ',');
	size_t n = strcspn(pair, "=");

	for (const struct rm_key *k = keys_of(spec); k->type; k++) {
		if (strlen(k->name) != n || strncmp(k->name, pair, n) != 0)
			continue;
		while (comma && k->type == RM_KEY_TYPE_NAMES &&
		       comma[1 + strcspn(comma + 1, ",=")] != '=')
			comma = strchr(comma + 1, ',');
		while (comma && k->type == RM_KEY_TYPE_TEXT &&
		       !begins_key(spec, comma + 1))
			comma = strchr(comma + 1, ',');
	}
	return comma;
}

/* "key=value,...", cut up in place. */
static int set_pairs(const char *what, const struct rm_spec *spec,
		     json_t *config, char *text)
{
	char *next;

	for (char *pair = text; pair; pair = next) {
		next = end_of_pair(spec, pair);
		if (next)
			*next++ = '\0';
		char *value = strchr(pair, '=');
		if (!value)
			return rm_fail("%s %s: \"%s\" is not key=value",
				       what, spec->name, pair);
		*value++ = '\0';
		if (set_key(what, spec, config, pair, value) < 0)
			return -1;
	}
	return 0;
}

static json_t *parse_parts(const char *what,
			   const struct rm_spec *const *specs,
			   const char *name, char *pairs)
{
	int i = find_name(what, specs, name);

	if (i < 0)
		return NULL;
	json_t *config = json_object();
	if (!config)
		return rm_fail_null("out of memory");
	if (set_defaults(what, specs[i], config) < 0 ||
	    (pairs && set_pairs(what, specs[i], config, pairs) < 0)) {
		json_decref(config);
		return NULL;
	}
	return config;
}

json_t *rm_spec_parse(const char *what, const struct rm_spec *const *specs,
		      const char *text)
{
	char *copy = rm_strdup(text);

	if (!copy)
		return NULL;
	char *pairs = strchr(copy, ':');
	if (pairs)
		*pairs++ = '\0';
	json_t *config = parse_parts(what, specs, copy, pairs);
	free(copy);
	return config;
}

int rm_spec_set(const char *what, const struct rm_spec *const *specs,
		json_t *config, const char *key, const char *value)
{
	int i = rm_spec_find(what, specs, config);

	if (i < 0)
		return -1;
	return set_key(what, specs[i], config, key, value);
}

/* ---- from JSON ---- */

static int fill_defaults(const struct rm_spec *spec, unsigned char *options)
{
	for (const struct rm_key *k = keys_of(spec); k->type; k++) {
		json_t *v = value_from_text(k, k->fallback);
		int rc = v ? value_into(k, v, options) : -1;
		json_decref(v);
		if (rc < 0)
			return -1;
		if (k->type == RM_KEY_TYPE_TEXT)
			memcpy(options + k->offset, &k->fallback,
			       sizeof(k->fallback));
	}
	return 0;
}

int rm_spec_fill(const char *what, const struct rm_spec *spec,
		 const json_t *config, void *options)
{
	const char *name;
	json_t *value;

	if (!json_is_object(config))
		return rm_fail("%s: not a JSON object", what);
	if (fill_defaults(spec, options) < 0)
		return rm_wrap("%s %s", what, spec->name);
	json_object_foreach((json_t *)config, name, value) {
		if (!strcmp(name, "name") ||
		    (spec->described && !strcmp(name, "config")))
			continue;
		const struct rm_key *key = find_key(what, spec, name);
		if (!key)
			return -1;
		if (value_into(key, value, options) < 0)
			return rm_wrap("%s %s", what, spec->name);
	}
	return 0;
}

/* ---- help ---- */

static void list_range(struct rm_buf *out, const struct rm_key *key)
{
	char min[32], max[32];

	switch (key->type) {
	case RM_KEY_TYPE_FLAG:
		rm_buf_puts(out, "yes or no");
		break;
	case RM_KEY_TYPE_SIZE:
	case RM_KEY_TYPE_DOUBLE:
		rm_buf_printf(out, "%s to %s",
			      rm_format_double(key->min, min),
			      rm_format_double(key->max, max));
		break;
	case RM_KEY_TYPE_CHOICE:
		rm_join_names(out, choices_of(key));
		break;
	case RM_KEY_TYPE_LIST:
		rm_buf_printf(out, "X/Y/..., each %s to %s",
			      rm_format_double(key->min, min),
			      rm_format_double(key->max, max));
		break;
	case RM_KEY_TYPE_NAMES:
		rm_buf_puts(out, "A,B,...");
		break;
	case RM_KEY_TYPE_TEXT:
		rm_buf_puts(out, "any text");
		break;
	case RM_KEY_TYPE_END:
		break;
	}
}

static void list_key(struct rm_buf *out, const struct rm_key *k)
{
	struct rm_buf text = {0};
	size_t start = out->len;

	rm_buf_printf(&text, "%s (", k->help);
	list_range(&text, k);
	rm_buf_putc(&text, ')');
	rm_buf_printf(out, "    %s=%s  ", k->name, k->fallback);
	if (rm_buf_text(&text))
		rm_buf_wrap(out, rm_buf_text(&text), out->len - start, 8);
	out->failed |= text.failed;
	rm_buf_fini(&text);
}

/* Whether every kind has this key, and says the same of it. */
static bool is_common(const struct rm_spec *const *specs,
		      const struct rm_key *key)
{
	size_t i = 0, having = 0;

	for (; specs[i]; i++)
		for (const struct rm_key *k = keys_of(specs[i]); k->type; k++)
			having += !strcmp(k->name, key->name) &&
				  !strcmp(k->fallback, key->fallback) &&
				  !strcmp(k->help, key->help);
	return i > 1 && having == i;
}

/* The keys of a kind that are its own, or those that it shares with all. */
static void list_keys(struct rm_buf *out, const struct rm_spec *const *specs,
		      const struct rm_spec *spec, bool common)
{
	bool first = common;

	for (const struct rm_key *k = keys_of(spec); k->type; k++) {
		if (is_common(specs, k) != common)
			continue;
		if (first)
			rm_buf_puts(out, "(all of them)\n");
		first = false;
		list_key(out, k);
	}
}

void rm_spec_list(struct rm_buf *out, const struct rm_spec *const *specs)
{
	for (size_t i = 0; specs[i]; i++) {
		rm_buf_printf(out, "%s\n    ", specs[i]->name);
		rm_buf_wrap(out, specs[i]->help, 4, 4);
		list_keys(out, specs, specs[i], false);
	}
	if (specs[0])
		list_keys(out, specs, specs[0], true);
}
