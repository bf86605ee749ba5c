/*
 * A report as one page of HTML: no scripts, nothing from elsewhere, pictures
 * in it as SVG.  A part of the report is a row of parts[].
 */
#include "report/against.h"
#include "report/best.h"
#include "report/bins.h"
#include "report/drift.h"
#include "report/html.h"
#include "report/robust.h"
#include "report/suite.h"

#include <math.h>
#include <string.h>

static const char style[] =
"body{font:16px/1.45 system-ui,sans-serif;max-width:72rem;margin:0 auto;"
"padding:1rem 1.2rem 3rem;color:#111;background:#fff}\n"
"h1{font-size:1.6rem;overflow-wrap:anywhere}\n"
"h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #999;"
"overflow-wrap:anywhere}\n"
".table{overflow-x:auto}\n"
"table{border-collapse:collapse;margin:.6rem 0}\n"
"th,td{padding:.25rem .7rem;text-align:right;vertical-align:top;"
"border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}\n"
"td{white-space:nowrap}\n"
"th:first-child,.words{text-align:left}\n"
"th[scope=row]{font-weight:600;max-width:22rem;overflow-wrap:break-word}\n"
".words{white-space:normal;min-width:16rem;max-width:34rem}\n"
"small,.note,figcaption,.lead{color:#555}\n"
".finding{margin:.5rem 0;padding:.2rem .8rem;border-left:4px solid #111}\n"
".pictures{display:grid;gap:1rem;"
"grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}\n"
"figure{margin:0;max-width:44rem}\n"
"figure svg{display:block;width:100%;height:auto;background:#fff;"
"border:1px solid #ddd}\n"
"figcaption,.note{font-size:.9rem;margin:.4rem 0}\n"
"code{font-size:.9rem;overflow-wrap:anywhere}\n"
"@media (prefers-color-scheme:dark){body{color:#ddd;background:#16181b}"
"small,.note,figcaption,.lead{color:#a5a5a5}"
"th,td{border-color:#3a3d42}.finding{border-color:#ddd}}\n"
"@media print{body{font-size:11px;max-width:none;padding:0}"
"figure,tr,.finding{break-inside:avoid}h2{break-after:avoid}}\n";

/* ---- the top ---- */

static void put_head(struct rm_buf *out, const struct rm_report *r)
{
	rm_buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
		    "<meta charset=\"utf-8\"/>\n"
		    "<meta http-equiv=\"Content-Security-Policy\" "
		    "content=\"default-src 'none'; style-src "
		    "'unsafe-inline'\"/>\n"
		    "<meta name=\"viewport\" content=\"width=device-width, "
		    "initial-scale=1\"/>\n"
		    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
		    "<title>Report on ");
	rm_html_text(out, r->input);
	rm_buf_puts(out, "</title>\n<style>\n");
	rm_buf_puts(out, style);
	rm_buf_puts(out, "</style>\n</head>\n<body>\n<header>\n<h1>Report on "
		    "<bdi>");
	rm_html_text(out, r->input);
	rm_buf_puts(out, "</bdi></h1>\n<p class=\"lead\">");
	rm_report_put_things(out, r->n, "comparison");
	rm_buf_puts(out, ", ");
	rm_report_put_things(out, r->records, "record");
	rm_buf_puts(out, ", ");
	rm_report_put_things(out, r->responses, "response");
	rm_buf_puts(out, ", ");
	if (r->keyed)
		rm_report_put_things(out, r->clusters, "prompt");
	else
		rm_buf_puts(out, "prompts unknown (no key)");
	rm_buf_puts(out, ".<br/>\n95 % intervals by ");
	rm_report_put_method(out, r);
	rm_buf_puts(out, ".<br/>\nP(first preferred) is ");
	rm_report_put_probability(out, r);
	rm_buf_puts(out, ".</p>\n</header>\n<main>\n");
}

/* ---- pictures ---- */

static void put_picture(struct rm_buf *out, const struct rm_report_picture *p)
{
	if (p->absent)
		return;
	rm_buf_printf(out, "<figure id=\"picture-%s\">\n", p->name);
	rm_buf_puts(out, p->svg);
	rm_buf_puts(out, "<figcaption>");
	rm_html_text(out, p->caption);
	rm_buf_puts(out, "</figcaption>\n</figure>\n");
}

static bool has_pictures(const struct rm_report *r, enum rm_place place)
{
	size_t i;

	for (i = 0; i < r->pictures; i++)
		if (r->picture[i].place == place && !r->picture[i].absent)
			return true;
	return false;
}

static void put_pictures(struct rm_buf *out, const struct rm_report *r,
			 enum rm_place place)
{
	const struct rm_report_picture *p = r->picture;
	bool any = has_pictures(r, place);
	size_t i;

	if (any)
		rm_buf_puts(out, "<div class=\"pictures\">\n");
	for (i = 0; i < r->pictures; i++)
		if (p[i].place == place)
			put_picture(out, &p[i]);
	if (any)
		rm_buf_puts(out, "</div>\n");
	for (i = 0; i < r->pictures; i++)
		if (p[i].place == place && p[i].absent) {
			rm_buf_printf(out, "<p class=\"note\">No picture "
				      "\xe2\x80\x9c%s\xe2\x80\x9d: ",
				      p[i].name);
			rm_html_text(out, p[i].absent);
			rm_buf_puts(out, ".</p>\n");
		}
}

/* ---- the parts ---- */

static void put_section(struct rm_buf *out, const struct rm_report *r,
			enum rm_section section)
{
	static const char *const id[] = {
		[RM_SECTION_PAIRS] = "pairs", [RM_SECTION_ORDER] = "order",
		[RM_SECTION_CALIBRATION] = "calibration",
		[RM_SECTION_BIAS] = "bias"
	};
	struct rm_buf findings = {0};
	size_t i, n = 0;

	for (i = 0; i < r->metrics; i++)
		n += rm_report_shows(r, &r->figures[i], section);
	if (!n && !has_pictures(r, (enum rm_place)section))
		return;
	rm_html_section(out, id[section], "%s", rm_report_question(section));
	if (n)
		rm_html_figures(out);
	for (i = 0; i < r->metrics; i++)
		if (rm_report_shows(r, &r->figures[i], section))
			rm_html_figure(out, r, &r->figures[i]);
	if (n) {
		rm_html_table_end(out, NULL);
		rm_report_put_findings(&findings, r, section);
		rm_html_findings(out, &findings);
		rm_buf_fini(&findings);
	}
	put_pictures(out, r, (enum rm_place)section);
	if (section == RM_SECTION_ORDER)
		rm_report_best_html(out, r);
	if (section == RM_SECTION_CALIBRATION && r->bins[RM_BINS_WIDTH])
		rm_report_bins_html(out, r->bins[RM_BINS_WIDTH]);
	rm_html_section_end(out);
}

static void put_sections(struct rm_buf *out, const struct rm_report *r)
{
	int section;

	for (section = RM_SECTION_PAIRS; section <= RM_SECTION_BIAS; section++)
		put_section(out, r, (enum rm_section)section);
}

static void put_objectives(struct rm_buf *out, const struct rm_report *r)
{
	static const char *const heads[] = {
		"Objective", "Accuracy", "Spearman's rho", "Comparisons",
		"Responses", NULL
	};
	const struct rm_beside_figures *b = &r->beside;
	size_t i;

	if (!b->n)
		return;
	rm_html_section(out, "objectives",
			"Do objectives follow their attributes?");
	rm_html_table(out, heads);
	for (i = 0; i < b->n; i++) {
		const struct rm_objective *o = &b->objective[i];

		rm_html_row(out, o->name);
		rm_html_number(out, "%.1f %%", 100 * o->accuracy);
		rm_html_number(out, "%.4f", o->spearman);
		rm_html_cell(out, "%zu", o->comparisons);
		rm_html_cell(out, "%zu", o->responses);
		rm_html_row_end(out);
	}
	rm_html_table_end(out, "Of the pairs of responses whose attribute "
			  "differs, the share in which the objective has the "
			  "same order; rho over all responses that have it.");
	rm_html_section_end(out);
}

static void put_disagreement(struct rm_buf *out, const struct rm_report *r)
{
	static const char *const heads[] = {
		"Figure", "Spearman's rho", "Records", NULL
	};

	if (!r->beside.has_sd)
		return;
	rm_html_section(out, "disagreement",
			"Is it less sure where people disagree?");
	rm_html_table(out, heads);
	rm_html_row(out, "reward_sd");
	rm_html_number(out, "%.4f", r->beside.disagreement);
	rm_html_cell(out, "%zu", r->beside.records);
	rm_html_row_end(out);
	rm_html_table_end(out, "With the entropy of votes, else of p.");
	rm_html_section_end(out);
}

static void put_part(struct rm_buf *out, const struct rm_report_part *part,
		     const size_t *column, size_t columns)
{
	size_t i;

	rm_html_row(out, part->name);
	rm_buf_puts(out, "<td>");
	rm_report_put_count(out, part->n);
	rm_buf_puts(out, "</td>");
	for (i = 0; i < columns; i++) {
		const struct rm_figure *f = &part->figures[column[i]];

		rm_buf_puts(out, "<td>");
		rm_report_put_value(out, f);
		rm_buf_puts(out, "</td><td>");
		if (!isnan(f->value))
			rm_report_put_interval(out, f);
		rm_buf_puts(out, "</td>");
	}
	rm_html_row_end(out);
}

static void put_parts(struct rm_buf *out, const struct rm_report *r)
{
	const char *heads[11] = { r->by, "n" };
	size_t column[4], columns, i, n = 2;

	if (r->parts < 2)
		return;
	columns = rm_report_columns(r, column);
	for (i = 0; i < columns; i++) {
		heads[n++] = r->figures[column[i]].metric->name;
		heads[n++] = "95 % interval";
	}
	rm_html_section(out, "parts", "By %s", r->by);
	put_pictures(out, r, RM_PLACE_PARTS);
	rm_html_table(out, heads);
	for (i = 0; i < r->parts; i++)
		put_part(out, &r->part[i], column, columns);
	rm_html_table_end(out, NULL);
	rm_html_section_end(out);
}

static void put_attacks(struct rm_buf *out, const struct rm_report *r)
{
	if (!r->attacks)
		return;
	rm_html_section(out, "attack",
			"Does it withstand an attack on its inputs?");
	put_pictures(out, r, RM_PLACE_ATTACK);
	rm_report_attack_html(out, r);
	rm_html_section_end(out);
}

static void put_training(struct rm_buf *out, const struct rm_report *r)
{
	if (!has_pictures(r, RM_PLACE_TRAINING))
		return;
	rm_html_section(out, "training", "How did training go?");
	put_pictures(out, r, RM_PLACE_TRAINING);
	rm_html_section_end(out);
}

static void put_history(struct rm_buf *out, const struct rm_report *r)
{
	const json_t *step, *arg;
	size_t i, j;

	if (!json_array_size(r->history))
		return;
	rm_html_section(out, "history", "Made by");
	rm_buf_puts(out, "<ol>\n");
	json_array_foreach(r->history, i, step) {
		const char *tool = json_string_value(json_object_get(step,
								     "tool"));

		rm_buf_puts(out, "<li><code>");
		rm_html_text(out, tool ? tool : "?");
		json_array_foreach(json_object_get(step, "argv"), j, arg) {
			rm_buf_putc(out, ' ');
			rm_html_text(out, json_is_string(arg) ?
				     json_string_value(arg) : "?");
		}
		rm_buf_puts(out, "</code></li>\n");
	}
	rm_buf_puts(out, "</ol>\n");
	rm_html_section_end(out);
}

/* Each appends nothing where the report has nothing of it. */
static void (*const parts[])(struct rm_buf *out, const struct rm_report *r) = {
	put_sections, put_parts, rm_report_suite_html, rm_report_against_html,
	rm_report_drift_html, rm_report_ood_html, put_attacks, put_objectives,
	put_disagreement, put_training, put_history
};

void rm_report_html(const struct rm_report *r, struct rm_buf *out)
{
	size_t i;

	put_head(out, r);
	for (i = 0; i < RM_COUNT(parts); i++)
		parts[i](out, r);
	rm_buf_puts(out, "</main>\n</body>\n</html>\n");
}
