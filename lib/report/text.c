/* A report as a page to read in a terminal. */
#include "report/against.h"
#include "report/best.h"
#include "report/bins.h"
#include "report/drift.h"
#include "report/robust.h"
#include "report/suite.h"

#include <string.h>

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

/* 1234567 as 1,234,567. */
void rm_report_put_count(struct rm_buf *out, size_t n)
{
	if (n >= 1000) {
		rm_report_put_count(out, n / 1000);
		rm_buf_printf(out, ",%03zu", n % 1000);
	} else {
		rm_buf_printf(out, "%zu", n);
	}
}

void rm_report_put_things(struct rm_buf *out, size_t n, const char *one)
{
	rm_report_put_count(out, n);
	rm_buf_printf(out, " %s%s", one, n == 1 ? "" : "s");
}

/* The value as a reader wants it; the same for both ends of an interval. */
void rm_report_put_value(struct rm_buf *out, const struct rm_figure *f)
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
		rm_report_put_count(out, (size_t)f->value);
	else
		rm_buf_printf(out, "%.4f", f->value);
}

void rm_report_put_interval(struct rm_buf *out, const struct rm_figure *f)
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
	rm_report_put_value(cell, f);
	put_cell(out, cell, 7, false);
	if (isnan(f->value)) {
		rm_buf_printf(out, "  %s\n", f->metric->absent);
		return;
	}
	rm_buf_puts(out, "  ");
	rm_report_put_interval(cell, f);
	put_cell(out, cell, 14, true);
	rm_buf_printf(out, "  %s\n", f->metric->brief);
}

void rm_report_put_method(struct rm_buf *out, const struct rm_report *r)
{
	const char *cluster = r->keyed ? "prompt" : "record";

	if (r->bootstrap)
		rm_buf_printf(out, "%zu resamples of %ss", r->bootstrap,
			      cluster);
	else
		rm_buf_printf(out, "influence functions, clustered by %s",
			      cluster);
}

void rm_report_put_probability(struct rm_buf *out, const struct rm_report *r)
{
	rm_buf_puts(out, r->calibrated ?
		    "the calibrated field prob, else sigmoid(d)" :
		    "sigmoid(d), d the difference of rewards");
}

static void put_title(struct rm_buf *out, const struct rm_report *r)
{
	rm_buf_puts(out, "Report on ");
	rm_buf_plain(out, r->input, strlen(r->input));
	rm_buf_puts(out, "\n\n  ");
	rm_report_put_things(out, r->n, "comparison");
	rm_buf_puts(out, ", ");
	rm_report_put_things(out, r->records, "record");
	rm_buf_puts(out, ", ");
	if (r->keyed)
		rm_report_put_things(out, r->clusters, "prompt");
	else
		rm_buf_puts(out, "prompts unknown (no key)");
	rm_buf_puts(out, "\n  [95 % intervals] by ");
	rm_report_put_method(out, r);
	rm_buf_puts(out, "\n  P(first preferred) is ");
	rm_report_put_probability(out, r);
	rm_buf_puts(out, "\n");
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
	[RM_SECTION_BIAS] = { "Is it length, place or markup?", say_length }
};

const char *rm_report_question(enum rm_section section)
{
	return sections[section].title;
}

bool rm_report_shows(const struct rm_report *r, const struct rm_figure *f,
		     enum rm_section section)
{
	const struct rm_metric_kind *m = f->metric;

	/* Of pairs the macro average is the average. */
	return m->section == section &&
		(r->grouped || strcmp(m->name, "accuracy_macro") != 0) &&
		(r->n > 0 || !isnan(f->value));
}

void rm_report_put_findings(struct rm_buf *out, const struct rm_report *r,
			    enum rm_section section)
{
	if (sections[section].say)
		sections[section].say(out, r);
}

static void put_section(struct rm_buf *out, struct rm_buf *cell,
			const struct rm_report *r, enum rm_section section)
{
	size_t i, shown = 0;

	for (i = 0; i < r->metrics; i++) {
		if (!rm_report_shows(r, &r->figures[i], section))
			continue;
		if (!shown++)
			rm_buf_printf(out, "\n%s\n",
				      rm_report_question(section));
		rm_report_figure_text(out, cell, &r->figures[i]);
	}
	if (shown)
		rm_report_put_findings(out, r, section);
	if (section == RM_SECTION_ORDER)
		rm_report_best_text(out, r);
	if (section == RM_SECTION_CALIBRATION && r->bins[RM_BINS_WIDTH])
		rm_report_bins_text(out, r->bins[RM_BINS_WIDTH]);
}

/* Which metrics are columns: those made for it, else the first four. */
size_t rm_report_columns(const struct rm_report *r, size_t column[4])
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
static size_t cut(const char *s, size_t columns)
{
	size_t n = 0;

	for (; s[n] && columns; columns--)
		for (n++; (s[n] & 0xc0) == 0x80; n++)
			;
	return n;
}

/* `s` in a column of `width` characters, padded, or cut with a ~. */
static void put_name(struct rm_buf *out, const char *s, size_t width)
{
	size_t n = strlen(s), used = rm_utf8_count(s, n);

	rm_buf_puts(out, "  ");
	rm_buf_plain(out, s, used <= width ? n : cut(s, width - 1));
	if (used <= width)
		rm_buf_printf(out, "%*s", (int)(width - used), "");
	else
		rm_buf_putc(out, '~');
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
	rm_report_put_count(cell, part->n);
	put_cell(out, cell, COUNT_WIDTH, false);
	for (i = 0; i < columns; i++) {
		const struct rm_figure *f = &part->figures[column[i]];

		rm_report_put_value(cell, f);
		put_cell(out, cell, column_width(f), false);
		if (i > 0)
			continue;
		rm_buf_putc(cell, ' ');
		rm_report_put_interval(cell, f);
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
	columns = rm_report_columns(r, column);
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

static void put_string(struct rm_buf *out, const char *s)
{
	s = s ? s : "?";
	rm_buf_plain(out, s, strlen(s));
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

		rm_buf_puts(out, "  ");
		put_string(out, tool);
		json_array_foreach(json_object_get(step, "argv"), j, arg) {
			rm_buf_putc(out, ' ');
			put_string(out, json_string_value(arg));
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
	put_name(out, o->name, RM_MAX(rm_utf8_count(o->name,
						    strlen(o->name)), 15));
	rm_buf_puts(out, "  ");
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
	rm_report_put_things(out, o->comparisons, "comparison");
	rm_buf_puts(out, ", ");
	rm_report_put_things(out, o->responses, "response");
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
	rm_report_put_things(out, b->records, "record");
	rm_buf_putc(out, '\n');
}

void rm_report_text(const struct rm_report *r, struct rm_buf *out)
{
	struct rm_buf cell = {0};
	int section;

	put_title(out, r);
	for (section = 0; section < (int)RM_COUNT(sections); section++)
		put_section(out, &cell, r, (enum rm_section)section);
	rm_report_against_text(out, &cell, r);
	rm_report_drift_text(out, r);
	rm_report_robust_text(out, r);
	rm_report_suite_text(out, r);
	put_beside(out, r);
	put_parts(out, &cell, r);
	put_history(out, r);
	out->failed |= cell.failed;
	rm_buf_fini(&cell);
}
