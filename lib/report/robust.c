/* Whether figures hold on other data, and under attack. */
#include "report/html.h"
#include "report/robust.h"

#include <math.h>
#include <string.h>

void rm_report_attack_figures(const struct rm_attacked *row,
			      struct rm_attack_figure *to)
{
	const struct rm_attack_figure figures[RM_ATTACK_FIGURES] = {
		{ "accuracy", "preferred response is ahead under attack",
		  &row->accuracy },
		{ "log_loss", "log loss under attack", &row->log_loss },
		{ "increase", "log loss less that without attack",
		  &row->increase },
		{ "flip_rate", "comparisons that the attack turns round",
		  &row->flip_rate },
		{ "tie_rate", "ties that the attack makes or breaks",
		  &row->tie_rate }
	};

	memcpy(to, figures, sizeof(figures));
}

/* ---- text ---- */

static bool is_share(const struct rm_metric_kind *m)
{
	return m->unit == RM_UNIT_SHARE || m->unit == RM_UNIT_SHARE_CHANGE;
}

static void put_gap(struct rm_buf *out, const struct rm_gap *g)
{
	if (is_share(g->metric))
		rm_buf_printf(out, "  %-15s%7.1f %%%7.1f %%%+7.1f %%",
			      g->metric->name, 100 * g->in, 100 * g->out,
			      100 * g->gap);
	else
		rm_buf_printf(out, "  %-15s%9.4f%9.4f%+9.4f",
			      g->metric->name, g->in, g->out, g->gap);
	if (isnan(g->low))
		rm_buf_puts(out, "\n");
	else if (is_share(g->metric))
		rm_buf_printf(out, "  [%.1f, %.1f]\n", 100 * g->low,
			      100 * g->high);
	else
		rm_buf_printf(out, "  [%.3f, %.3f]\n", g->low, g->high);
}

/* What the gap of accuracy means, in words. */
static void say_gap(struct rm_buf *out, const struct rm_ood *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->gap[i].metric->name, "accuracy") == 0 &&
		    !isnan(o->gap[i].low))
			rm_buf_printf(out, "  -> Accuracy %s.\n",
				      o->gap[i].low > 0 ?
				      "is shown to be lower there" :
				      o->gap[i].high < 0 ?
				      "is shown to be higher there" :
				      "is not shown to differ");
}

/* Of pairs the macro average is the average. */
static bool shows(const struct rm_report *r, const struct rm_gap *g)
{
	return r->grouped || strcmp(g->metric->name, "accuracy_macro") != 0;
}

static void ood_text(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_ood *o = r->ood;
	size_t i;

	rm_buf_printf(out, "\nDoes it hold on %s?  (%zu comparisons, %zu "
		      "%s)\n", r->ood_input, o->comparisons, o->clusters,
		      o->clusters == o->records ? "records" : "prompts");
	rm_buf_printf(out, "  %-15s%9s%9s%9s\n", "", "here", "there", "gap");
	for (i = 0; i < o->n; i++)
		if (shows(r, &o->gap[i]))
			put_gap(out, &o->gap[i]);
	if (o->n == 0)
		rm_buf_puts(out, "  no figure could be computed on both\n");
	say_gap(out, o);
}

static void put_share(struct rm_buf *out, double x, int width)
{
	if (isnan(x))
		rm_buf_printf(out, "%*s", width, "n/a");
	else
		rm_buf_printf(out, "%*.1f %%", width - 2, 100 * x);
}

static void put_number(struct rm_buf *out, double x, bool sign)
{
	if (isnan(x))
		rm_buf_printf(out, "%10s", "n/a");
	else
		rm_buf_printf(out, sign ? "%+10.4f" : "%10.4f", x);
}

static void put_row(struct rm_buf *out, const struct rm_attacked *a)
{
	char interval[32] = "", number[32];

	if (!isnan(a->accuracy.low))
		snprintf(interval, sizeof(interval), "[%.1f, %.1f]",
			 100 * a->accuracy.low, 100 * a->accuracy.high);
	rm_buf_printf(out, "  %-10s", rm_format_double(a->eps, number));
	put_share(out, a->accuracy.value, 8);
	rm_buf_printf(out, "  %-14s", interval);
	put_number(out, a->log_loss.value, false);
	put_number(out, a->increase.value, true);
	put_share(out, a->flip_rate.value, 11);
	put_share(out, a->tie_rate.value, 10);
	rm_buf_puts(out, "\n");
}

/* "pgd: norm inf, steps 10, ..."; eps are in the table. */
static void put_spec(struct rm_buf *out, const json_t *spec)
{
	const char *key, *name = json_string_value(json_object_get(spec,
								   "name"));
	struct rm_buf line = {0};
	json_t *v;

	if (!name)
		return;
	rm_buf_printf(&line, "  %s", name);
	json_object_foreach((json_t *)(uintptr_t)spec, key, v) {
		if (strcmp(key, "name") == 0 || strcmp(key, "eps") == 0)
			continue;
		rm_buf_printf(&line, " %s=", key);
		if (json_is_string(v))
			rm_buf_puts(&line, json_string_value(v));
		else
			rm_json_print(&line, v, 0);
	}
	rm_buf_plain(out, (const char *)line.data, line.len);
	rm_buf_putc(out, '\n');
	out->failed |= line.failed;
	rm_buf_fini(&line);
}

static void attack_text(struct rm_buf *out, const struct rm_report *r)
{
	size_t i;

	rm_buf_puts(out, "\nDoes it withstand an attack on its inputs?\n");
	put_spec(out, r->attacks->spec);
	rm_buf_printf(out, "  %-10s%8s  %-14s%10s%10s%11s%10s\n", "eps",
		      "accuracy", "", "log_loss", "increase", "flip_rate",
		      "tie_rate");
	for (i = 0; i < r->attacks->n; i++)
		put_row(out, &r->attacks->row[i]);
}

void rm_report_robust_text(struct rm_buf *out, const struct rm_report *r)
{
	if (r->ood)
		ood_text(out, r);
	if (r->attacks)
		attack_text(out, r);
}

/* ---- json ---- */

static void put_member(struct rm_buf *out, const char *name, double x)
{
	rm_buf_printf(out, "\"%s\": ", name);
	rm_json_number(out, x);
}

static void ood_json(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_ood *o = r->ood;
	size_t i;

	rm_buf_puts(out, "  \"ood\": {\n    \"input\": ");
	rm_json_quote(out, r->ood_input, strlen(r->ood_input));
	rm_buf_printf(out, ",\n    \"n\": %zu,\n    \"records\": %zu,\n"
		      "    \"clusters\": %zu,\n    \"gaps\": {",
		      o->comparisons, o->records, o->clusters);
	for (i = 0; i < o->n; i++) {
		const struct rm_gap *g = &o->gap[i];

		rm_buf_printf(out, "%s\n      \"%s\": {", i ? "," : "",
			      g->metric->name);
		put_member(out, "in", g->in);
		rm_buf_puts(out, ", ");
		put_member(out, "out", g->out);
		rm_buf_puts(out, ", ");
		put_member(out, "gap", g->gap);
		rm_buf_puts(out, ", \"gap_ci\": ");
		rm_report_interval_json(out, g->low, g->high);
		rm_buf_puts(out, "}");
	}
	rm_buf_puts(out, o->n ? "\n    }\n  },\n" : "}\n  },\n");
}

static void put_json_row(struct rm_buf *out, const struct rm_attacked *row)
{
	struct rm_attack_figure f[RM_ATTACK_FIGURES];
	size_t i;

	rm_report_attack_figures(row, f);
	rm_buf_puts(out, "{");
	put_member(out, "eps", row->eps);
	for (i = 0; i < RM_ATTACK_FIGURES; i++) {
		rm_buf_puts(out, ", ");
		put_member(out, f[i].name, f[i].figure->value);
		rm_buf_printf(out, ", \"%s_ci\": ", f[i].name);
		rm_report_interval_json(out, f[i].figure->low,
					f[i].figure->high);
	}
	rm_buf_puts(out, "}");
}

static void attack_json(struct rm_buf *out, const struct rm_report *r)
{
	size_t i;

	rm_buf_puts(out, "  \"attack\": {\n    \"spec\": ");
	if (r->attacks->spec)
		rm_json_print(out, r->attacks->spec, 0);
	else
		rm_buf_puts(out, "null");
	rm_buf_puts(out, ",\n    \"rows\": [");
	for (i = 0; i < r->attacks->n; i++) {
		rm_buf_puts(out, i ? ",\n      " : "\n      ");
		put_json_row(out, &r->attacks->row[i]);
	}
	rm_buf_puts(out, "\n    ]\n  },\n");
}

void rm_report_robust_json(struct rm_buf *out, const struct rm_report *r)
{
	if (r->ood)
		ood_json(out, r);
	if (r->attacks)
		attack_json(out, r);
}

/* ---- tsv ---- */

static void put_tsv(struct rm_buf *out, double value, double low, double high)
{
	rm_report_number_tsv(out, value);
	rm_report_number_tsv(out, low);
	rm_report_number_tsv(out, high);
	rm_buf_putc(out, '\n');
}

void rm_report_robust_tsv(struct rm_buf *out, const struct rm_report *r)
{
	struct rm_attack_figure f[RM_ATTACK_FIGURES];
	char eps[32];
	size_t i, k;

	for (i = 0; r->ood && i < r->ood->n; i++) {
		const struct rm_gap *g = &r->ood->gap[i];

		rm_buf_printf(out, "*\tood_%s", g->metric->name);
		put_tsv(out, g->out, NAN, NAN);
		rm_buf_printf(out, "*\tood_gap_%s", g->metric->name);
		put_tsv(out, g->gap, g->low, g->high);
	}
	for (i = 0; r->attacks && i < r->attacks->n; i++) {
		rm_report_attack_figures(&r->attacks->row[i], f);
		rm_format_double(r->attacks->row[i].eps, eps);
		for (k = 0; k < RM_ATTACK_FIGURES; k++) {
			rm_buf_printf(out, "*\tattack_%s_%s", eps, f[k].name);
			put_tsv(out, f[k].figure->value, f[k].figure->low,
				f[k].figure->high);
		}
	}
}

/* ---- html ---- */

static void put_html_gap(struct rm_buf *out, const struct rm_gap *g)
{
	bool share = is_share(g->metric);
	double by = share ? 100 : 1;

	rm_html_row(out, g->metric->name);
	rm_html_number(out, share ? "%.1f %%" : "%.4f", by * g->in);
	rm_html_number(out, share ? "%.1f %%" : "%.4f", by * g->out);
	rm_html_number(out, share ? "%+.1f %%" : "%+.4f", by * g->gap);
	rm_html_interval(out, share ? "[%.1f, %.1f]" : "[%.3f, %.3f]",
			 by * g->low, by * g->high);
	rm_html_words(out, g->metric->brief);
	rm_html_row_end(out);
}

void rm_report_ood_html(struct rm_buf *out, const struct rm_report *r)
{
	static const char *const heads[] = {
		"Figure", "Here", "There", "Gap", "95 % interval",
		RM_HTML_WORDS, NULL
	};
	struct rm_buf words = {0};

	if (!r->ood)
		return;
	rm_html_section(out, "ood", "Does it hold on %s?", r->ood_input);
	rm_html_table(out, heads);
	for (size_t i = 0; i < r->ood->n; i++)
		if (shows(r, &r->ood->gap[i]))
			put_html_gap(out, &r->ood->gap[i]);
	rm_html_table_end(out, NULL);
	say_gap(&words, r->ood);
	rm_html_findings(out, &words);
	rm_buf_fini(&words);
	rm_html_section_end(out);
}

void rm_report_attack_html(struct rm_buf *out, const struct rm_report *r)
{
	static const char *const heads[] = {
		"eps", "Accuracy", "95 % interval", "Log loss", "Increase",
		"Flip rate", "Tie rate", NULL
	};
	struct rm_buf spec = {0};
	char eps[32];

	rm_html_table(out, heads);
	for (size_t i = 0; i < r->attacks->n; i++) {
		const struct rm_attacked *a = &r->attacks->row[i];

		rm_html_row(out, rm_format_double(a->eps, eps));
		rm_html_number(out, "%.1f %%", 100 * a->accuracy.value);
		rm_html_interval(out, "[%.1f, %.1f]", 100 * a->accuracy.low,
				 100 * a->accuracy.high);
		rm_html_number(out, "%.4f", a->log_loss.value);
		rm_html_number(out, "%+.4f", a->increase.value);
		rm_html_number(out, "%.1f %%", 100 * a->flip_rate.value);
		rm_html_number(out, "%.1f %%", 100 * a->tie_rate.value);
		rm_html_row_end(out);
	}
	put_spec(&spec, r->attacks->spec);
	rm_html_table_end(out, rm_buf_text(&spec));
	out->failed |= spec.failed;
	rm_buf_fini(&spec);
}
