#include "json.h"

#include "io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * jansson's own limit on nesting is a constant of its build; this one is
 * checked on the text, so that it is ours.
 */
static int check_depth(const unsigned char *s, size_t n, size_t max)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = s[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > max)
				return rm_fail("JSON: nested deeper than %zu",
					       max);
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

static json_t *parse(const void *data, size_t n, size_t depth, size_t flags)
{
	json_error_t error;
	json_t *value;

	if (check_depth(data, n, depth) < 0)
		return NULL;
	value = json_loadb(data, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY |
			   JSON_ALLOW_NUL | flags, &error);
	if (!value)
		rm_fail("JSON: line %d, column %d: %s", error.line,
			error.column, error.text);
	return value;
}

json_t *rm_json_parse_to(const void *data, size_t n, size_t depth)
{
	return parse(data, n, depth, 0);
}

json_t *rm_json_parse(const void *data, size_t n)
{
	return parse(data, n, RM_JSON_DEPTH, 0);
}

json_t *rm_json_parse_reals(const void *data, size_t n)
{
	return parse(data, n, RM_JSON_DEPTH, JSON_DECODE_INT_AS_REAL);
}

json_t *rm_json_load(const char *path, size_t max)
{
	struct rm_buf text = {0};
	json_t *value = NULL;

	if (rm_read_file(path, max, &text) == 0) {
		value = rm_json_parse(text.data, text.len);
		if (!value)
			rm_wrap("%s", path);
	}
	rm_buf_fini(&text);
	return value;
}

static void newline(struct rm_buf *out, int indent, int depth)
{
	if (indent > 0) {
		rm_buf_putc(out, '\n');
		for (int i = 0; i < indent * depth; i++)
			rm_buf_putc(out, ' ');
	}
}

/* As it stands; canonical; or so that reals are read as reals again. */
enum style { PLAIN, SORTED, TYPED };

static void print(struct rm_buf *out, const json_t *v, int indent, int depth,
		  enum style style);

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_object(struct rm_buf *out, const json_t *v, int indent,
			 int depth, enum style style)
{
	size_t n = json_object_size(v), i = 0;
	const char **keys = rm_malloc(n, sizeof(*keys)), *key;
	json_t *member;

	if (!keys) {
		out->failed = true;
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, member)
		keys[i++] = key;
	if (style == SORTED)
		qsort(keys, n, sizeof(*keys), compare_keys);
	rm_buf_putc(out, '{');
	for (i = 0; i < n; i++) {
		if (i)
			rm_buf_putc(out, ',');
		newline(out, indent, depth + 1);
		rm_json_quote(out, keys[i], strlen(keys[i]));
		rm_buf_puts(out, indent > 0 ? ": " : ":");
		print(out, json_object_get(v, keys[i]), indent, depth + 1,
		      style);
	}
	if (n)
		newline(out, indent, depth);
	rm_buf_putc(out, '}');
	free(keys);
}

static void print_real(struct rm_buf *out, double x, enum style style)
{
	size_t start = out->len;

	rm_json_number(out, x);
	if (style == TYPED && !out->failed &&
	    !memchr(out->data + start, '.', out->len - start) &&
	    !memchr(out->data + start, 'e', out->len - start))
		rm_buf_puts(out, ".0");
}

static void print_array(struct rm_buf *out, const json_t *v, int indent,
			int depth, enum style style)
{
	size_t n = json_array_size(v);

	rm_buf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			rm_buf_putc(out, ',');
		newline(out, indent, depth + 1);
		print(out, json_array_get(v, i), indent, depth + 1, style);
	}
	if (n)
		newline(out, indent, depth);
	rm_buf_putc(out, ']');
}

static void print(struct rm_buf *out, const json_t *v, int indent, int depth,
		  enum style style)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		print_object(out, v, indent, depth, style);
		break;
	case JSON_ARRAY:
		print_array(out, v, indent, depth, style);
		break;
	case JSON_STRING:
		rm_json_quote(out, json_string_value(v),
			      json_string_length(v));
		break;
	case JSON_INTEGER:
		rm_buf_printf(out, "%" JSON_INTEGER_FORMAT,
			      json_integer_value(v));
		break;
	case JSON_REAL:
		print_real(out, json_real_value(v), style);
		break;
	case JSON_TRUE:
		rm_buf_puts(out, "true");
		break;
	case JSON_FALSE:
		rm_buf_puts(out, "false");
		break;
	case JSON_NULL:
	default:
		rm_buf_puts(out, "null");
		break;
	}
}

void rm_json_print(struct rm_buf *out, const json_t *value, int indent)
{
	print(out, value, indent, 0, PLAIN);
}

void rm_json_print_typed(struct rm_buf *out, const json_t *value)
{
	print(out, value, 2, 0, TYPED);
}

void rm_json_canonical(struct rm_buf *out, const json_t *value)
{
	print(out, value, 0, 0, SORTED);
}

void rm_json_quote(struct rm_buf *out, const void *text, size_t n)
{
	static const char hex[] = "0123456789abcdef", names[] = "btnvfr";
	const unsigned char *s = text;
	size_t from = 0;

	rm_buf_putc(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		rm_buf_append(out, s + from, i - from);
		from = i + 1;
		rm_buf_putc(out, '\\');
		if (c >= 0x20) {
			rm_buf_putc(out, c);
		} else if (c >= '\b' && c <= '\r' && c != '\v') {
			rm_buf_putc(out, names[c - '\b']);
		} else {
			rm_buf_puts(out, "u00");
			rm_buf_putc(out, hex[c >> 4]);
			rm_buf_putc(out, hex[c & 15]);
		}
	}
	rm_buf_append(out, s + from, n - from);
	rm_buf_putc(out, '"');
}

void rm_json_number(struct rm_buf *out, double x)
{
	char text[32];

	rm_buf_puts(out, isfinite(x) ? rm_format_double(x, text) : "null");
}

/* ---- typed members ---- */

static int missing(const char *key, const char *what)
{
	return rm_fail("%s: no member \"%s\"", what, key);
}

static int mistyped(const char *key, const char *what, const char *expected)
{
	return rm_fail("%s: member \"%s\" is not %s", what, key, expected);
}

int rm_json_opt_string(const json_t *object, const char *key,
		       const char *what, const char *otherwise,
		       const char **out)
{
	const json_t *v = json_object_get(object, key);

	if (v && !json_is_string(v))
		return mistyped(key, what, "a string");
	*out = v ? json_string_value(v) : otherwise;
	return 0;
}

int rm_json_opt_double(const json_t *object, const char *key,
		       const char *what, double otherwise, double *out)
{
	const json_t *v = json_object_get(object, key);

	if (v && !json_is_number(v))
		return mistyped(key, what, "a number");
	*out = v ? json_number_value(v) : otherwise;
	return 0;
}

int rm_json_opt_size(const json_t *object, const char *key, const char *what,
		     size_t otherwise, size_t *out)
{
	const json_t *v = json_object_get(object, key);

	if (v && (!json_is_integer(v) || json_integer_value(v) < 0))
		return mistyped(key, what, "a whole number");
	*out = v ? (size_t)json_integer_value(v) : otherwise;
	return 0;
}

int rm_json_get_string(const json_t *object, const char *key,
		       const char *what, const char **out)
{
	if (!json_object_get(object, key))
		return missing(key, what);
	return rm_json_opt_string(object, key, what, NULL, out);
}

int rm_json_get_double(const json_t *object, const char *key,
		       const char *what, double *out)
{
	if (!json_object_get(object, key))
		return missing(key, what);
	return rm_json_opt_double(object, key, what, 0, out);
}

int rm_json_get_size(const json_t *object, const char *key, const char *what,
		     size_t *out)
{
	if (!json_object_get(object, key))
		return missing(key, what);
	return rm_json_opt_size(object, key, what, 0, out);
}
