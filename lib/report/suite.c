/* The table of a published benchmark. */
#include "report/suite.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

static const char *const styles[RM_SUITE_STYLES] = {
	"concise", "detailed", "with markup"
};

/* ---- text ---- */

void rm_report_suite_text(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_suite_figures *s = r->suite;
	size_t i, j;

	if (!s)
		return;
	rm_buf_printf(out, "\n%s, by its own rules\n", s->title);
	for (i = 0; i < s->n; i++) {
		const struct rm_suite_line *l = &s->line[i];

		rm_buf_printf(out, "  %s%-*s", l->section ? "" : "  ",
			      l->section ? 26 : 24, l->name);
		if (isnan(l->value))
			rm_buf_printf(out, "%8s", "n/a");
		else
			rm_buf_printf(out, "%6.1f %%", 100 * l->value);
		if (l->n)
			rm_buf_printf(out, "%8zu", l->n);
		rm_buf_putc(out, '\n');
	}
	if (s->matrix) {
		rm_buf_printf(out, "  %-26s", "preferred \\ rejected");
		for (j = 0; j < RM_SUITE_STYLES; j++)
			rm_buf_printf(out, "%13s", styles[j]);
		rm_buf_putc(out, '\n');
	}
	for (i = 0; s->matrix && i < RM_SUITE_STYLES; i++) {
		rm_buf_printf(out, "  %-26s", styles[i]);
		for (j = 0; j < RM_SUITE_STYLES; j++)
			rm_buf_printf(out, "%11.1f %%", 100 * s->style[i][j]);
		rm_buf_putc(out, '\n');
	}
	if (s->missing)
		rm_buf_printf(out, "  Not computed: %s.\n", s->missing);
}

/* ---- json ---- */

static void put_matrix(struct rm_buf *out, const struct rm_suite_figures *s)
{
	size_t i, j;

	rm_buf_puts(out, ",\n    \"matrix\": [");
	for (i = 0; i < RM_SUITE_STYLES; i++) {
		rm_buf_puts(out, i ? ", [" : "[");
		for (j = 0; j < RM_SUITE_STYLES; j++) {
			rm_buf_puts(out, j ? ", " : "");
			rm_json_number(out, s->style[i][j]);
		}
		rm_buf_putc(out, ']');
	}
	rm_buf_putc(out, ']');
}

void rm_report_suite_json(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_suite_figures *s = r->suite;
	size_t i;

	if (!s)
		return;
	rm_buf_printf(out, "  \"suite\": {\n    \"name\": \"%s\",\n"
		      "    \"lines\": {", s->name);
	for (i = 0; i < s->n; i++) {
		const struct rm_suite_line *l = &s->line[i];

		rm_buf_puts(out, i ? ",\n      " : "\n      ");
		rm_json_quote(out, l->name, strlen(l->name));
		rm_buf_puts(out, ": {\"score\": ");
		rm_json_number(out, l->value);
		if (l->n)
			rm_buf_printf(out, ", \"n\": %zu", l->n);
		rm_buf_printf(out, ", \"section\": %s}",
			      l->section ? "true" : "false");
	}
	rm_buf_puts(out, s->n ? "\n    }" : "}");
	if (s->matrix)
		put_matrix(out, s);
	rm_buf_puts(out, ",\n    \"missing\": ");
	if (s->missing)
		rm_json_quote(out, s->missing, strlen(s->missing));
	else
		rm_buf_puts(out, "null");
	rm_buf_puts(out, "\n  },\n");
}

/* ---- tsv ---- */

void rm_report_suite_tsv(struct rm_buf *out, const struct rm_report *r)
{
	size_t i;

	for (i = 0; r->suite && i < r->suite->n; i++) {
		rm_buf_printf(out, "*\t%s_%s", r->suite->name,
			      r->suite->line[i].name);
		rm_report_number_tsv(out, r->suite->line[i].value);
		rm_buf_puts(out, "\t\t\n");
	}
}

/* ---- html ---- */

static void put_lines(struct rm_buf *out, const struct rm_suite_figures *s)
{
	static const char *const heads[] = {
		"Section", "Subset", "Score", "Records", NULL
	};
	size_t i;

	rm_html_table(out, heads);
	for (i = 0; i < s->n; i++) {
		const struct rm_suite_line *l = &s->line[i];

		rm_html_row(out, l->section ? l->name : "");
		rm_html_words(out, l->section ? "" : l->name);
		rm_html_number(out, "%.1f %%", 100 * l->value);
		if (l->n)
			rm_html_cell(out, "%zu", l->n);
		else
			rm_html_cell(out, "%s", "");
		rm_html_row_end(out);
	}
	rm_html_table_end(out, s->missing);
}

void rm_report_suite_html(struct rm_buf *out, const struct rm_report *r)
{
	const char *heads[RM_SUITE_STYLES + 2] = { "Preferred \\ rejected" };
	const struct rm_suite_figures *s = r->suite;
	size_t i, j;

	if (!s)
		return;
	rm_html_section(out, "suite", "%s, by its own rules", s->title);
	put_lines(out, s);
	for (i = 0; i < RM_SUITE_STYLES; i++)
		heads[i + 1] = styles[i];
	if (s->matrix)
		rm_html_table(out, heads);
	for (i = 0; s->matrix && i < RM_SUITE_STYLES; i++) {
		rm_html_row(out, styles[i]);
		for (j = 0; j < RM_SUITE_STYLES; j++)
			rm_html_number(out, "%.1f %%", 100 * s->style[i][j]);
		rm_html_row_end(out);
	}
	if (s->matrix)
		rm_html_table_end(out, NULL);
	rm_html_section_end(out);
}
