/* Whether one model is better than another, and whether it could be seen. */
#include "report/against.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

static void say_difference(struct rm_buf *out, const struct rm_figure *f)
{
	if (isnan(f->low))
		return;
	rm_buf_printf(out, "  -> %s is shown to be better: the interval of "
		      "the difference of\n     accuracy %s 0.\n",
		      f->low > 0 ? "This model" : f->high < 0 ?
		      "The other model" : "Neither",
		      f->low > 0 || f->high < 0 ? "leaves out" : "holds");
}

static void put_difference(struct rm_buf *out, struct rm_buf *cell,
			   const struct rm_report *r)
{
	const struct rm_compared *c = r->against;
	size_t i;

	rm_buf_printf(out, "\nIs it better than %s?\n", r->other);
	for (i = 0; i < RM_COMPARED; i++)
		rm_report_figure_text(out, cell, &c->difference[i]);
	for (i = 0; i < RM_CHANGES; i++)
		rm_report_figure_text(out, cell, &c->change[i]);
	rm_buf_printf(out, "  better on %zu, worse on %zu, alike on %zu "
		      "comparisons", c->better, c->worse, c->alike);
	if (isnan(c->mcnemar))
		rm_buf_puts(out, "\n");
	else
		rm_buf_printf(out, ";\n  McNemar's exact p %.4g, each "
			      "comparison for itself\n", c->mcnemar);
	say_difference(out, &c->difference[0]);
}

static void put_detectable(struct rm_buf *out, const char *what, double x)
{
	rm_buf_printf(out, "  %6.2f %%  %s\n", 100 * x, what);
}

void rm_report_against_text(struct rm_buf *out, struct rm_buf *cell,
			    const struct rm_report *r)
{
	if (r->against)
		put_difference(out, cell, r);
	if (!r->detectable)
		return;
	rm_buf_puts(out, "\nHow small a difference of accuracy would be seen?  "
		    "(80 % power, 5 % level)\n");
	put_detectable(out, "from a fixed value, such as chance", r->fixed);
	put_detectable(out, "between two models judged apart on such data",
		       r->apart);
	if (r->against && !isnan(r->against->detectable))
		put_detectable(out, "between these two, pair by pair",
			       r->against->detectable);
}

static void put_counts(struct rm_buf *out, const struct rm_compared *c)
{
	rm_buf_printf(out, "    \"better\": %zu,\n    \"worse\": %zu,\n"
		      "    \"alike\": %zu,\n    \"mcnemar_p\": ", c->better,
		      c->worse, c->alike);
	rm_json_number(out, c->mcnemar);
}

void rm_report_against_json(struct rm_buf *out, const struct rm_report *r)
{
	if (r->against) {
		rm_buf_puts(out, "  \"against\": {\n    \"input\": ");
		rm_json_quote(out, r->other, strlen(r->other));
		rm_buf_puts(out, ",\n");
		put_counts(out, r->against);
		rm_buf_puts(out, ",\n");
		rm_report_figures_json(out, 4, r->against->difference,
				       RM_COMPARED);
		out->len -= out->len && out->data[out->len - 1] == '\n';
		rm_buf_puts(out, ",\n");
		rm_report_figures_json(out, 4, r->against->change,
				       RM_CHANGES);
		rm_buf_puts(out, "  },\n");
	}
	if (!r->detectable)
		return;
	rm_buf_puts(out, "  \"min_detectable\": {\"fixed\": ");
	rm_json_number(out, r->fixed);
	rm_buf_puts(out, ", \"apart\": ");
	rm_json_number(out, r->apart);
	if (r->against) {
		rm_buf_puts(out, ", \"paired\": ");
		rm_json_number(out, r->against->detectable);
	}
	rm_buf_puts(out, "},\n");
}

static void put_row(struct rm_buf *out, const char *prefix, const char *name,
		    double value, double low, double high)
{
	rm_buf_printf(out, "*\t%s_%s", prefix, name);
	rm_report_number_tsv(out, value);
	rm_report_number_tsv(out, low);
	rm_report_number_tsv(out, high);
	rm_buf_putc(out, '\n');
}

static void put_figure(struct rm_buf *out, const struct rm_figure *f)
{
	put_row(out, "against", f->metric->name, f->value, f->low, f->high);
}

void rm_report_against_tsv(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_compared *c = r->against;
	size_t i;

	for (i = 0; c && i < RM_COMPARED; i++)
		put_figure(out, &c->difference[i]);
	for (i = 0; c && i < RM_CHANGES; i++)
		put_figure(out, &c->change[i]);
	if (c) {
		put_row(out, "against", "better", (double)c->better, NAN, NAN);
		put_row(out, "against", "worse", (double)c->worse, NAN, NAN);
		put_row(out, "against", "alike", (double)c->alike, NAN, NAN);
		put_row(out, "against", "mcnemar_p", c->mcnemar, NAN, NAN);
	}
	if (!r->detectable)
		return;
	put_row(out, "min_detectable", "fixed", r->fixed, NAN, NAN);
	put_row(out, "min_detectable", "apart", r->apart, NAN, NAN);
	if (c)
		put_row(out, "min_detectable", "paired", c->detectable, NAN,
			NAN);
}

static void put_verdict(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_compared *c = r->against;
	struct rm_buf text = {0};

	rm_buf_printf(&text, "  -> Better on %zu, worse on %zu, alike on %zu "
		      "comparisons", c->better, c->worse, c->alike);
	if (isnan(c->mcnemar))
		rm_buf_puts(&text, ".\n");
	else
		rm_buf_printf(&text, "; McNemar's exact p %.4g, each "
			      "comparison for itself.\n", c->mcnemar);
	say_difference(&text, &c->difference[0]);
	rm_html_findings(out, &text);
	rm_buf_fini(&text);
}

static void put_seen(struct rm_buf *out, const char *name, const char *what,
		     double x)
{
	if (isnan(x))
		return;
	rm_html_row(out, name);
	rm_html_cell(out, "%.2f %%", 100 * x);
	rm_html_words(out, what);
	rm_html_row_end(out);
}

void rm_report_against_html(struct rm_buf *out, const struct rm_report *r)
{
	static const char *const heads[] = {
		"Between", "Difference", RM_HTML_WORDS, NULL
	};

	if (r->against) {
		rm_html_section(out, "against", "Is it better than %s?",
				r->other);
		rm_html_figures(out);
		for (size_t i = 0; i < RM_COMPARED; i++)
			rm_html_figure(out, r, &r->against->difference[i]);
		for (size_t i = 0; i < RM_CHANGES; i++)
			rm_html_figure(out, r, &r->against->change[i]);
		rm_html_table_end(out, NULL);
		put_verdict(out, r);
		rm_html_section_end(out);
	}
	if (!r->detectable)
		return;
	rm_html_section(out, "detectable", "How small a difference of "
			"accuracy would be seen?");
	rm_html_table(out, heads);
	put_seen(out, "fixed", "from a fixed value, such as chance", r->fixed);
	put_seen(out, "apart", "between two models judged apart on such data",
		 r->apart);
	if (r->against)
		put_seen(out, "paired", "between these two, pair by pair",
			 r->against->detectable);
	rm_html_table_end(out, "80 % power at the 5 % level.");
	rm_html_section_end(out);
}
