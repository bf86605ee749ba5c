/* Best of n: the label of what the reward chooses. */
#include "report/best.h"
#include "report/html.h"

#include <math.h>

static bool has(const struct rm_report *r)
{
	return r->best && r->best->most;
}

/* Rows of a page: n = 1, 2, 4, ... and the last; 0 at the end. */
static size_t next(const struct rm_best_of *b, size_t n)
{
	return n == b->most ? 0 : RM_MIN(2 * n, b->most);
}

/* ---- text ---- */

/* As "%*.4f", or n/a. */
static void put_label(struct rm_buf *out, int width, double x)
{
	if (isnan(x))
		rm_buf_printf(out, "%*s", width, "n/a");
	else
		rm_buf_printf(out, "%*.4f", width, x);
}

void rm_report_best_text(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_best_of *b = r->best;

	if (!has(r))
		return;
	rm_buf_puts(out, "\nWhat label has the best of n by reward?  (");
	rm_report_put_things(out, b->records, "record");
	rm_buf_printf(out, " of %zu or more)\n  n                label  "
		      "%-16s  at best\n", b->most, "");
	for (size_t n = 1; n; n = next(b, n)) {
		char interval[64] = "";

		if (!isnan(b->row[n - 1].low))
			snprintf(interval, sizeof(interval), "[%.3f, %.3f]",
				 b->row[n - 1].low, b->row[n - 1].high);
		rm_buf_printf(out, "  %-12zu", n);
		put_label(out, 10, b->row[n - 1].mean);
		rm_buf_printf(out, "  %-16s", interval);
		put_label(out, 9, b->row[n - 1].best);
		rm_buf_putc(out, '\n');
	}
}

/* ---- json ---- */

void rm_report_best_json(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_best_of *b = r->best;

	if (!has(r))
		return;
	rm_buf_printf(out, "  \"best_of_n\": {\n    \"records\": %zu,\n"
		      "    \"rows\": [", b->records);
	for (size_t i = 0; i < b->most; i++) {
		rm_buf_printf(out, "%s\n      {\"n\": %zu, \"label\": ",
			      i ? "," : "", i + 1);
		rm_json_number(out, b->row[i].mean);
		rm_buf_puts(out, ", \"label_ci\": ");
		rm_report_interval_json(out, b->row[i].low, b->row[i].high);
		rm_buf_puts(out, ", \"best\": ");
		rm_json_number(out, b->row[i].best);
		rm_buf_putc(out, '}');
	}
	rm_buf_puts(out, "\n    ]\n  },\n");
}

/* ---- tsv ---- */

void rm_report_best_tsv(struct rm_buf *out, const struct rm_report *r)
{
	for (size_t i = 0; has(r) && i < r->best->most; i++) {
		rm_buf_printf(out, "*\tbest_of_%zu", i + 1);
		rm_report_number_tsv(out, r->best->row[i].mean);
		rm_report_number_tsv(out, r->best->row[i].low);
		rm_report_number_tsv(out, r->best->row[i].high);
		rm_buf_putc(out, '\n');
	}
}

/* ---- html ---- */

void rm_report_best_html(struct rm_buf *out, const struct rm_report *r)
{
	static const char *const heads[] = {
		"n", "Label", "95 % interval", "At best", NULL
	};

	if (!has(r))
		return;
	rm_html_table(out, heads);
	for (size_t n = 1; n; n = next(r->best, n)) {
		char name[32];

		snprintf(name, sizeof(name), "best of %zu", n);
		rm_html_row(out, name);
		rm_html_number(out, "%.4f", r->best->row[n - 1].mean);
		rm_html_interval(out, "[%.3f, %.3f]", r->best->row[n - 1].low,
				 r->best->row[n - 1].high);
		rm_html_number(out, "%.4f", r->best->row[n - 1].best);
		rm_html_row_end(out);
	}
	rm_html_table_end(out, "Mean label of the response of highest reward "
			  "among n drawn from those of its record.");
}
