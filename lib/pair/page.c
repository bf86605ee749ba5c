/* Figures as JSON, and the page of text. */
#include "pair/internal.h"

#include <math.h>
#include <string.h>

enum { LONGEST_TEXT = 256, MOST_ROWS = 1001, MOST_ANNOTATORS = 20 };

static const char lacking[] = "not_computed";

/* ---- figures ---- */

json_t *rm_whole(double x)
{
	return json_integer((json_int_t)x);
}

json_t *rm_real(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

void rm_lack(json_t *all, const char *figure, const char *why)
{
	json_t *lacks = json_object_get(all, lacking);

	if (!lacks) {
		lacks = json_object();
		json_object_set_new(all, lacking, lacks);
	}
	if (!json_object_get(lacks, figure))
		json_object_set_new(lacks, figure, json_string(why));
}

void rm_end_lacks(json_t *all)
{
	json_t *lacks = json_incref(json_object_get(all, lacking));

	if (!lacks)
		return;
	json_object_del(all, lacking);
	json_object_set_new(all, lacking, lacks);
}

void rm_real_or_lack(json_t *all, json_t *object, const char *name, double x,
		     const char *why)
{
	if (isfinite(x))
		json_object_set_new(object, name, rm_real(x));
	else
		rm_lack(all, name, why);
}

json_t *rm_text_json(struct rm_slice text)
{
	struct rm_buf utf8 = {0};
	json_t *string;

	rm_buf_append_utf8(&utf8, text.data,
			   RM_MIN(text.len, (size_t)LONGEST_TEXT));
	string = json_stringn((char *)utf8.data, utf8.len);
	rm_buf_fini(&utf8);
	return string;
}

/* ---- the page ---- */

/* To four digits after the point. */
static void print_value(struct rm_buf *out, const json_t *value)
{
	if (json_is_real(value))
		rm_json_number(out, round(json_real_value(value) * 1e4) /
			       1e4);
	else if (json_is_string(value))
		rm_buf_plain(out, json_string_value(value),
			     json_string_length(value));
	else if (json_is_null(value))
		rm_buf_putc(out, '-');
	else
		rm_json_print(out, value, 0);
}

/* "min=1 max=3" */
static void print_members(struct rm_buf *out, json_t *object)
{
	const char *name, *space = "";
	json_t *value;

	json_object_foreach(object, name, value) {
		rm_buf_printf(out, "%s%s=", space, name);
		print_value(out, value);
		space = " ";
	}
}

/* "figure: why there is none", one a line. */
static void print_lacks(struct rm_buf *out, json_t *lacks)
{
	const char *name;
	json_t *why;

	rm_buf_printf(out, "\n%s\n", lacking);
	json_object_foreach(lacks, name, why) {
		rm_buf_printf(out, "  %s: ", name);
		print_value(out, why);
		rm_buf_putc(out, '\n');
	}
}

/*
 * Numbers below their names, the name of the row last.  Of annotators there
 * may be very many, and the first ones are those to look at.
 */
static void print_table(struct rm_buf *out, const char *title,
			const json_t *rows)
{
	size_t most = strcmp(title, "annotators") != 0 ? MOST_ROWS
						       : MOST_ANNOTATORS;
	const char *name;
	json_t *row, *value;
	struct rm_buf cell = {0};
	size_t i;

	rm_buf_putc(out, '\n');
	json_object_foreach(json_array_get(rows, 0), name, value)
		if (strcmp(name, "name") != 0)
			rm_buf_printf(out, "%14s", name);
	rm_buf_printf(out, "  %s\n", title);
	json_array_foreach(rows, i, row) {
		if (i == most)
			break;
		json_object_foreach(row, name, value) {
			if (!strcmp(name, "name"))
				continue;
			rm_buf_clear(&cell);
			print_value(&cell, value);
			rm_buf_printf(out, "%14s", rm_buf_text(&cell));
		}
		rm_buf_puts(out, "  ");
		print_value(out, json_object_get(row, "name"));
		rm_buf_putc(out, '\n');
	}
	if (json_array_size(rows) > most)
		rm_buf_printf(out, "  and %zu more: see --format json\n",
			      json_array_size(rows) - most);
	rm_buf_fini(&cell);
}

void rm_stats_print(struct rm_buf *out, const json_t *figures)
{
	json_t *all = (json_t *)(uintptr_t)figures, *value;
	const char *name;

	json_object_foreach(all, name, value) {
		if (json_is_array(value)) {
			print_table(out, name, value);
			continue;
		}
		if (!strcmp(name, lacking)) {
			print_lacks(out, value);
			continue;
		}
		rm_buf_printf(out, "%-16s ", name);
		if (json_is_object(value))
			print_members(out, value);
		else
			print_value(out, value);
		rm_buf_putc(out, '\n');
	}
}
