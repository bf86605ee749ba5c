#include "report/against.h"
#include "report/bins.h"
#include "report/drift.h"
#include "report/robust.h"
#include "report/prometheus.h"

#include <stdlib.h>
#include <string.h>

const char *const rm_ties_names[] = { "half", "wrong", "right", NULL };

/* The figure of that name, NULL if not asked for or not computed. */
static const struct rm_figure *find(const struct rm_report *r,
				    const char *name)
{
	size_t i;

	for (i = 0; i < r->metrics; i++)
		if (!strcmp(r->figures[i].metric->name, name))
			return isnan(r->figures[i].value) ? NULL :
				&r->figures[i];
	return NULL;
}

/* ---- text ---- */

/* 1234567 as 1,234,567. */
static void put_count(struct rm_buf *out, size_t n)
{
	if (n >= 1000) {
		put_count(out, n / 1000);
		rm_buf_printf(out, ",%03zu", n % 1000);
	} else {
		rm_buf_printf(out, "%zu", n);
	}
}

static void put_things(struct rm_buf *out, size_t n, const char *one)
{
	put_count(out, n);
	rm_buf_printf(out, " %s%s", one, n == 1 ? "" : "s");
}

/* The value as a reader wants it; the same for both ends of an interval. */
static void put_value(struct rm_buf *out, const struct rm_figure *f)
{
	if (isnan(f->value))
		rm_buf_puts(out, "n/a");
	else if (f->metric->unit == RM_UNIT_SHARE_CHANGE)
		rm_buf_printf(out, "%+.1f %%", 100 * f->value);
	else if (f->metric->unit == RM_UNIT_CHANGE)
		rm_buf_printf(out, "%+.4f", f->value);
	else if (f->metric->unit == RM_UNIT_SHARE)
		rm_buf_printf(out, "%.1f %%", 100 * f->value);
	else if (f->metric->unit == RM_UNIT_COUNT)
		put_count(out, (size_t)f->value);
	else
		rm_buf_printf(out, "%.4f", f->value);
}

static void put_interval(struct rm_buf *out, const struct rm_figure *f)
{
	if (isnan(f->low))
		return;
	if (f->metric->unit == RM_UNIT_SHARE ||
	    f->metric->unit == RM_UNIT_SHARE_CHANGE)
		rm_buf_printf(out, "[%.1f, %.1f]", 100 * f->low,
			      100 * f->high);
	else
		rm_buf_printf(out, "[%.3f, %.3f]", f->low, f->high);
}

/* Append `cell`, padded to `width` on its left (or right); empties it. */
static void put_cell(struct rm_buf *out, struct rm_buf *cell, int width,
		     bool left)
{
	const char *text = rm_buf_text(cell);

	rm_buf_printf(out, left ? "%-*s" : "%*s", width, text ? text : "");
	rm_buf_clear(cell);
}

void rm_report_figure_text(struct rm_buf *out, struct rm_buf *cell,
			   const struct rm_figure *f)
{
	rm_buf_printf(out, "  %-15s  ", f->metric->name);
	put_value(cell, f);
	put_cell(out, cell, 7, false);
	if (isnan(f->value)) {
		rm_buf_printf(out, "  %s\n", f->metric->absent);
		return;
	}
	rm_buf_puts(out, "  ");
	put_interval(cell, f);
	put_cell(out, cell, 14, true);
	rm_buf_printf(out, "  %s\n", f->metric->brief);
}

static void put_title(struct rm_buf *out, const struct rm_report *r)
{
	rm_buf_printf(out, "Report on %s\n\n  ", r->input);
	put_things(out, r->n, "comparison");
	rm_buf_puts(out, ", ");
	put_things(out, r->records, "record");
	rm_buf_puts(out, ", ");
	if (r->keyed)
		put_things(out, r->clusters, "prompt");
	else
		rm_buf_puts(out, "prompts unknown (no key)");
	rm_buf_puts(out, "\n  [95 % intervals] by ");
	if (r->bootstrap)
		rm_buf_printf(out, "%zu resamples of %ss", r->bootstrap,
			      r->keyed ? "prompt" : "record");
	else
		rm_buf_printf(out, "influence functions, clustered by %s",
			      r->keyed ? "prompt" : "record");
	rm_buf_printf(out, "\n  P(first preferred) is %s\n", r->calibrated ?
		      "the calibrated field prob, else sigmoid(d)" :
		      "sigmoid(d), d the difference of rewards");
}

/* ---- findings: the figures in plain words ---- */

static void say_accuracy(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_figure *f = find(r, "accuracy");
	const struct rm_figure *ties = find(r, "ties");

	if (f && f->low <= .5 && f->high >= .5)
		rm_buf_puts(out, "  -> Chance (50 %) lies within the "
			    "interval: nothing is shown at this size.\n");
	else if (f && f->value < .5)
		rm_buf_puts(out, "  -> Worse than chance: are chosen and "
			    "rejected swapped?\n");
	if (ties && ties->value > .05 * (double)r->n)
		rm_buf_printf(out, "  -> %.0f %% of the comparisons tie "
			      "(counted %s): the model may have collapsed.\n",
			      100 * ties->value / (double)r->n,
			      rm_ties_names[r->ties]);
}

static void say_calibration(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_figure *sure = find(r, "confidence");
	const struct rm_figure *right = find(r, "borne_out");

	if (!sure || !right || isnan(right->low))
		return;
	rm_buf_printf(out, "  -> On average it is %.1f %% sure and %.1f %% "
		      "borne out: ", 100 * sure->value, 100 * right->value);
	if (sure->value >= right->low && sure->value <= right->high)
		rm_buf_puts(out, "no difference shown.\n");
	else
		rm_buf_printf(out, "%sconfident%s.\n",
			      sure->value > right->value ? "over" : "under",
			      r->calibrated ? "" :
			      ";\n     rm-calibrate(1) mends that");
}

static void say_length(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_figure *corr = find(r, "length_corr");
	const struct rm_figure *longer = find(r, "longer_wins");
	const struct rm_figure *right = find(r, "accuracy");

	if (corr)
		rm_buf_printf(out, "  -> Reward %s %s (counted in %s).\n",
			      fabs(corr->value) < .1 ? "hardly depends on" :
			      fabs(corr->value) < .3 ? "goes a little with" :
			      "goes clearly with",
			      corr->value < -.1 ? "brevity" : "length",
			      r->length_unit);
	if (!longer || !right || isnan(right->low))
		return;
	rm_buf_printf(out, "  -> Always taking the %s response is right "
		      "%.1f %% of the time,\n     the model %.1f %%%s.\n",
		      longer->value < .5 ? "shorter" : "longer",
		      100 * RM_MAX(longer->value, 1 - longer->value),
		      100 * right->value,
		      right->low > RM_MAX(longer->value, 1 - longer->value) ?
		      "" : ": not shown to know more than length");
}

static const struct {
	const char *title;
	void (*say)(struct rm_buf *out, const struct rm_report *r);
} sections[] = {
	[RM_SECTION_PAIRS] = { "Is the preferred response ahead?",
			       say_accuracy },
	[RM_SECTION_ORDER] = { "Are responses in the right order?", NULL },
	[RM_SECTION_CALIBRATION] = { "Are its probabilities right?",
				     say_calibration },
	[RM_SECTION_BIAS] = { "Is it length in disguise?", say_length }
};

static void put_section(struct rm_buf *out, struct rm_buf *cell,
			const struct rm_report *r, enum rm_section section)
{
	size_t i, shown = 0;

	for (i = 0; i < r->metrics; i++) {
		const struct rm_metric_kind *m = r->figures[i].metric;

		/* Of pairs the macro average is the average. */
		if (m->section != section ||
		    (!r->grouped && !strcmp(m->name, "accuracy_macro")) ||
		    (r->n == 0 && isnan(r->figures[i].value)))
			continue;
		if (!shown++)
			rm_buf_printf(out, "\n%s\n", sections[section].title);
		rm_report_figure_text(out, cell, &r->figures[i]);
	}
	if (shown && sections[section].say)
		sections[section].say(out, r);
	if (section == RM_SECTION_CALIBRATION && r->bins[RM_BINS_WIDTH])
		rm_report_bins_text(out, r->bins[RM_BINS_WIDTH]);
}

/* Which metrics are columns: those made for it, else the first four. */
static size_t choose_columns(const struct rm_report *r, size_t column[4])
{
	size_t i, n = 0;

	for (i = 0; i < r->metrics && n < 4; i++)
		if (r->figures[i].metric->table)
			column[n++] = i;
	for (i = 0; n == 0 && i < RM_MIN(r->metrics, 4); i++)
		column[i] = i;
	return n ? n : i;
}

/* Bytes of the first `columns` characters. */
static int cut(const char *s, size_t columns)
{
	size_t n = 0;

	for (; s[n] && columns; columns--)
		for (n++; (s[n] & 0xc0) == 0x80; n++)
			;
	return (int)n;
}

/* `s` in a column of `width` characters, padded, or cut with a ~. */
static void put_name(struct rm_buf *out, const char *s, size_t width)
{
	size_t used = rm_utf8_count(s, strlen(s));

	if (used <= width)
		rm_buf_printf(out, "  %s%*s", s, (int)(width - used), "");
	else
		rm_buf_printf(out, "  %.*s~", cut(s, width - 1), s);
}

enum {
	COUNT_WIDTH = 10,	/* of the column of n */
	INTERVAL_WIDTH = 15	/* after the first figure */
};

static int column_width(const struct rm_figure *f)
{
	return (int)RM_MAX(strlen(f->metric->name) + 2, 8);
}

static void put_row(struct rm_buf *out, struct rm_buf *cell,
		    const struct rm_report_part *part, size_t width,
		    const size_t *column, size_t columns)
{
	size_t i;

	put_name(out, part->name, width);
	put_count(cell, part->n);
	put_cell(out, cell, COUNT_WIDTH, false);
	for (i = 0; i < columns; i++) {
		const struct rm_figure *f = &part->figures[column[i]];

		put_value(cell, f);
		put_cell(out, cell, column_width(f), false);
		if (i > 0)
			continue;
		rm_buf_putc(cell, ' ');
		put_interval(cell, f);
		put_cell(out, cell, INTERVAL_WIDTH, true);
	}
	rm_buf_putc(out, '\n');
}

/* What the longest name wants, as far as 80 columns have it. */
static size_t name_width(const struct rm_report *r, const size_t *column,
			 size_t columns)
{
	size_t i, width = strlen(r->by);
	size_t used = 2 + COUNT_WIDTH + INTERVAL_WIDTH;

	for (i = 0; i < columns; i++)
		used += (size_t)column_width(&r->figures[column[i]]);
	for (i = 0; i < r->parts; i++)
		width = RM_MAX(width, rm_utf8_count(r->part[i].name,
						strlen(r->part[i].name)));
	return RM_MIN(width, used < 68 ? 80 - used : 12);
}

static void put_parts(struct rm_buf *out, struct rm_buf *cell,
		      const struct rm_report *r)
{
	size_t column[4], columns, width, i;

	if (r->parts < 2)
		return;
	columns = choose_columns(r, column);
	width = name_width(r, column, columns);
	rm_buf_printf(out, "\nBy %s\n", r->by);
	put_name(out, r->by, width);
	rm_buf_printf(out, "%*s", COUNT_WIDTH, "n");
	for (i = 0; i < columns; i++) {
		const struct rm_figure *f = &r->figures[column[i]];

		rm_buf_printf(out, "%*s%*s", column_width(f), f->metric->name,
			      i ? 0 : INTERVAL_WIDTH, "");
	}
	rm_buf_putc(out, '\n');
	for (i = 0; i < r->parts; i++)
		put_row(out, cell, &r->part[i], width, column, columns);
}

static void put_history(struct rm_buf *out, const struct rm_report *r)
{
	const json_t *step, *arg;
	size_t i, j;

	if (!json_array_size(r->history))
		return;
	rm_buf_puts(out, "\nMade by\n");
	json_array_foreach(r->history, i, step) {
		const char *tool = json_string_value(json_object_get(step,
								     "tool"));

		rm_buf_printf(out, "  %s", tool ? tool : "?");
		json_array_foreach(json_object_get(step, "argv"), j, arg) {
			rm_buf_printf(out, " %s", json_is_string(arg) ?
				      json_string_value(arg) : "?");
		}
		rm_buf_putc(out, '\n');
	}
}

static void put_correlation(struct rm_buf *out, double rho)
{
	if (isnan(rho))
		rm_buf_puts(out, "rho     n/a");
	else
		rm_buf_printf(out, "rho %7.4f", rho);
}

static void put_objective(struct rm_buf *out, const struct rm_objective *o)
{
	rm_buf_printf(out, "  %-15s  ", o->name);
	if (o->responses == 0) {
		rm_buf_puts(out, "no attribute of that name\n");
		return;
	}
	if (o->comparisons)
		rm_buf_printf(out, "%5.1f %%  ", 100 * o->accuracy);
	else
		rm_buf_puts(out, "    n/a  ");
	put_correlation(out, o->spearman);
	rm_buf_puts(out, "  ");
	put_things(out, o->comparisons, "comparison");
	rm_buf_puts(out, ", ");
	put_things(out, o->responses, "response");
	rm_buf_putc(out, '\n');
}

static void put_beside(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_beside_figures *b = &r->beside;

	if (b->n)
		rm_buf_puts(out, "\nDo objectives follow their attributes?\n");
	for (size_t i = 0; i < b->n; i++)
		put_objective(out, &b->objective[i]);
	if (!b->has_sd)
		return;
	rm_buf_puts(out, "\nIs it less sure where people disagree?\n"
		    "  reward_sd        ");
	put_correlation(out, b->disagreement);
	rm_buf_puts(out, "  with the entropy of votes or p, ");
	put_things(out, b->records, "record");
	rm_buf_putc(out, '\n');
}

static void render_text(const struct rm_report *r, struct rm_buf *out)
{
	struct rm_buf cell = {0};
	int section;

	put_title(out, r);
	for (section = 0; section < (int)RM_COUNT(sections); section++)
		put_section(out, &cell, r, (enum rm_section)section);
	rm_report_against_text(out, &cell, r);
	rm_report_drift_text(out, r);
	rm_report_robust_text(out, r);
	put_beside(out, r);
	put_parts(out, &cell, r);
	put_history(out, r);
	out->failed |= cell.failed;
	rm_buf_fini(&cell);
}

/* ---- json ---- */

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

static const char *why_absent(const struct rm_report *r,
			      const struct rm_metric_kind *m)
{
	bool compares = m->section == RM_SECTION_PAIRS ||
		m->section == RM_SECTION_CALIBRATION ||
		!strcmp(m->name, "longer_wins");

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
		why = why_absent(r, m);
		rm_json_quote(out, why, strlen(why));
	}
	rm_buf_puts(out, n ? "\n  }" : "}");
}

static void render_json(const struct rm_report *r, struct rm_buf *out)
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
	rm_report_against_json(out, r);
	rm_report_drift_json(out, r);
	rm_report_robust_json(out, r);
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

/* ---- tsv ---- */

void rm_report_number_tsv(struct rm_buf *out, double x)
{
	char number[32];

	rm_buf_printf(out, "\t%s", isnan(x) ? "" :
		      rm_format_double(x, number));
}

/* Tabs and line ends in names would break the table. */
static void put_tsv_name(struct rm_buf *out, const char *s)
{
	for (; *s; s++)
		rm_buf_putc(out, *s == '\t' || *s == '\n' || *s == '\r' ?
			    ' ' : *s);
}

static void put_tsv_figures(struct rm_buf *out, const char *name, size_t n,
			    const struct rm_figure *f, size_t metrics)
{
	size_t i;

	put_tsv_name(out, name);
	rm_buf_printf(out, "\tn\t%zu\t\t\n", n);
	for (i = 0; i < metrics; i++, f++) {
		put_tsv_name(out, name);
		rm_buf_printf(out, "\t%s", f->metric->name);
		rm_report_number_tsv(out, f->value);
		rm_report_number_tsv(out, f->low);
		rm_report_number_tsv(out, f->high);
		rm_buf_putc(out, '\n');
	}
}

static void render_tsv(const struct rm_report *r, struct rm_buf *out)
{
	size_t i;

	rm_buf_printf(out, "%s\tmetric\tvalue\tlow\thigh\n",
		      r->by ? r->by : "subset");
	put_tsv_figures(out, "*", r->n, r->figures, r->metrics);
	rm_report_bins_tsv(out, r->bins);
	rm_report_against_tsv(out, r);
	rm_report_drift_tsv(out, r);
	rm_report_robust_tsv(out, r);
	for (i = 0; i < r->parts; i++)
		put_tsv_figures(out, r->part[i].name, r->part[i].n,
				r->part[i].figures, r->metrics);
}

/* ---- the table ---- */

static void (*const renderers[])(const struct rm_report *,
				 struct rm_buf *) = {
	render_text, render_json, render_tsv, rm_report_prometheus
};

const char *const rm_report_formats[] = {
	"text", "json", "tsv", "prometheus", NULL
};

int rm_report_render(const struct rm_report *r, const char *format,
		     struct rm_buf *out)
{
	struct rm_buf names = {0};
	size_t i;

	for (i = 0; rm_report_formats[i]; i++)
		if (!strcmp(rm_report_formats[i], format)) {
			renderers[i](r, out);
			return out->failed ? -1 : 0;
		}
	rm_join_names(&names, rm_report_formats);
	rm_fail("unknown format \"%s\" (there are %s)", format,
		names.failed ? "others" : rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}
