/* A report as one JSON object. */
#include "report/against.h"
#include "report/best.h"
#include "report/bins.h"
#include "report/drift.h"
#include "report/robust.h"
#include "report/suite.h"

#include <string.h>

static void put_key(struct rm_buf *out, int indent, const char *key)
{
	rm_buf_printf(out, "%*s", indent, "");
	rm_json_quote(out, key, strlen(key));
	rm_buf_puts(out, ": ");
}

static void put_string(struct rm_buf *out, const char *key, const char *s)
{
	put_key(out, 2, key);
	if (s)
		rm_json_quote(out, s, strlen(s));
	else
		rm_buf_puts(out, "null");
	rm_buf_puts(out, ",\n");
}

static void put_size(struct rm_buf *out, const char *key, size_t n)
{
	put_key(out, 2, key);
	rm_buf_printf(out, "%zu,\n", n);
}

void rm_report_interval_json(struct rm_buf *out, double low, double high)
{
	if (isnan(low)) {
		rm_buf_puts(out, "null");
		return;
	}
	rm_buf_putc(out, '[');
	rm_json_number(out, low);
	rm_buf_puts(out, ", ");
	rm_json_number(out, high);
	rm_buf_putc(out, ']');
}

void rm_report_figures_json(struct rm_buf *out, int indent,
			    const struct rm_figure *f, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++, f++) {
		put_key(out, indent, f->metric->name);
		rm_json_number(out, f->value);
		if (!isnan(f->low) || rm_metric_has_interval(f->metric)) {
			rm_buf_puts(out, ",\n");
			rm_buf_printf(out, "%*s\"%s_ci\": ", indent, "",
				      f->metric->name);
			rm_report_interval_json(out, f->low, f->high);
		}
		rm_buf_puts(out, i + 1 < n ? ",\n" : "\n");
	}
}

static void put_json_parts(struct rm_buf *out, const struct rm_report *r)
{
	size_t i;

	put_key(out, 2, "subsets");
	rm_buf_puts(out, "{");
	for (i = 0; i < r->parts; i++) {
		rm_buf_puts(out, i ? ",\n" : "\n");
		put_key(out, 4, r->part[i].name);
		rm_buf_printf(out, "{\n      \"n\": %zu,\n", r->part[i].n);
		rm_report_figures_json(out, 6, r->part[i].figures, r->metrics);
		rm_buf_puts(out, "    }");
	}
	rm_buf_puts(out, r->parts ? "\n  },\n" : "},\n");
}

static void put_json_beside(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_beside_figures *b = &r->beside;

	if (b->n) {
		put_key(out, 2, "objectives");
		rm_buf_putc(out, '{');
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct rm_objective *o = &b->objective[i];

		rm_buf_puts(out, i ? ",\n" : "\n");
		put_key(out, 4, o->name);
		rm_buf_printf(out, "{\"n\": %zu, \"responses\": %zu, "
			      "\"accuracy\": ", o->comparisons,
			      o->responses);
		rm_json_number(out, o->accuracy);
		rm_buf_puts(out, ", \"spearman\": ");
		rm_json_number(out, o->spearman);
		rm_buf_putc(out, '}');
	}
	if (b->n)
		rm_buf_puts(out, "\n  },\n");
	if (!b->has_sd)
		return;
	put_key(out, 2, "disagreement");
	rm_buf_printf(out, "{\"records\": %zu, \"spearman\": ", b->records);
	rm_json_number(out, b->disagreement);
	rm_buf_puts(out, "},\n");
}

const char *rm_report_why_absent(const struct rm_report *r,
				 const struct rm_metric_kind *m)
{
	bool compares = m->section == RM_SECTION_PAIRS ||
		m->section == RM_SECTION_CALIBRATION ||
		(m->section == RM_SECTION_BIAS && m->rows);

	return r->n == 0 && compares ? "no comparisons" : m->absent;
}

/* Why figures are null: {name: reason}. */
static void put_json_missing(struct rm_buf *out, const struct rm_report *r)
{
	const char *why;
	size_t i, n = 0;

	put_key(out, 2, "missing");
	rm_buf_puts(out, "{");
	for (i = 0; i < r->metrics; i++) {
		const struct rm_metric_kind *m = r->figures[i].metric;

		if (!isnan(r->figures[i].value))
			continue;
		rm_buf_puts(out, n++ ? ",\n" : "\n");
		put_key(out, 4, m->name);
		why = rm_report_why_absent(r, m);
		rm_json_quote(out, why, strlen(why));
	}
	rm_buf_puts(out, n ? "\n  }" : "}");
}

void rm_report_json(const struct rm_report *r, struct rm_buf *out)
{
	rm_buf_puts(out, "{\n");
	put_string(out, "format", "rmtools-report");
	put_size(out, "version", 1);
	put_string(out, "input", r->input);
	put_size(out, "n", r->n);
	put_size(out, "records", r->records);
	put_size(out, "responses", r->responses);
	put_size(out, "clusters", r->clusters);
	put_string(out, "cluster", r->keyed ? "key" : "record");
	put_string(out, "interval", r->bootstrap ? "bootstrap" : "influence");
	put_size(out, "resamples", r->bootstrap);
	put_string(out, "ties_count", rm_ties_names[r->ties]);
	put_string(out, "probability", r->calibrated ? "prob" : "sigmoid");
	put_string(out, "length_unit", r->length_unit);
	rm_report_figures_json(out, 2, r->figures, r->metrics);
	out->len -= out->len && out->data[out->len - 1] == '\n';
	rm_buf_puts(out, ",\n");
	if (r->bins[RM_BINS_WIDTH] || r->bins[RM_BINS_MASS]) {
		put_key(out, 2, "bins");
		rm_report_bins_json(out, r->bins);
		rm_buf_puts(out, ",\n");
	}
	rm_report_best_json(out, r);
	rm_report_against_json(out, r);
	rm_report_drift_json(out, r);
	rm_report_robust_json(out, r);
	rm_report_suite_json(out, r);
	put_string(out, "by", r->by);
	put_json_parts(out, r);
	put_json_beside(out, r);
	put_json_missing(out, r);
	if (r->history) {
		rm_buf_puts(out, ",\n");
		put_key(out, 2, "history");
		rm_json_print(out, r->history, 0);
	}
	rm_buf_puts(out, "\n}\n");
}
