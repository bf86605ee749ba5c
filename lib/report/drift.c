/* Whether rewards and lengths are still those of a baseline. */
#include "report/drift.h"
#include "report/formats.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

void rm_report_drift_figures(const struct rm_drifted *f,
			     struct rm_drift_figure *to)
{
	const struct rm_drift_figure figures[RM_DRIFT_FIGURES] = {
		{ "baseline_n", "responses of the baseline that have it",
		  (double)f->baseline_n, NAN, NAN },
		{ "n", "responses that have it", (double)f->n, NAN, NAN },
		{ "psi", "population stability index", f->psi, NAN, NAN },
		{ "ks", "Kolmogorov-Smirnov statistic", f->ks, NAN, NAN },
		{ "ks_p", "its p, each response for itself", f->ks_p, NAN,
		  NAN },
		{ "baseline_mean", "mean of the baseline", f->baseline_mean,
		  NAN, NAN },
		{ "baseline_sd", "standard deviation of the baseline",
		  f->baseline_sd, NAN, NAN },
		{ "mean", "mean", f->mean, NAN, NAN },
		{ "shift", "mean less that of the baseline", f->shift, f->low,
		  f->high },
		{ "shift_sd", "shift in the baseline's standard deviations",
		  f->shift_sd, NAN, NAN }
	};
	size_t i;

	memcpy(to, figures, sizeof(figures));
	for (i = 2; f->absent && i < RM_DRIFT_FIGURES; i++)
		to[i].value = to[i].low = to[i].high = NAN;
}

static void put_shift(struct rm_buf *out, const struct rm_drifted *f)
{
	rm_buf_printf(out, "  shift     %+11.4g  ", f->shift);
	if (!isnan(f->low))
		rm_buf_printf(out, "[%.4g, %.4g]  ", f->low, f->high);
	rm_buf_printf(out, "mean %.5g, was %.5g\n", f->mean,
		      f->baseline_mean);
	rm_buf_printf(out, "  shift_sd  %+11.4f  in standard deviations of "
		      "the baseline (%.4g)\n", f->shift_sd, f->baseline_sd);
}

static void put_quantity(struct rm_buf *out, const struct rm_drifted *f)
{
	rm_buf_printf(out, "  %ss of %zu responses, of %zu in the baseline\n",
		      f->of, f->n, f->baseline_n);
	if (f->absent) {
		rm_buf_printf(out, "  n/a       %s\n", f->absent);
		return;
	}
	rm_buf_printf(out, "  psi       %11.4f  stability over the "
		      "baseline's deciles: %s\n", f->psi,
		      f->psi < .1 ? "hardly changed" :
		      f->psi < .25 ? "changed a little" : "changed clearly");
	rm_buf_printf(out, "  ks        %11.4f  %s p %.4g, each response for "
		      "itself\n", f->ks, f->ks_exact ? "exact" : "asymptotic",
		      f->ks_p);
	put_shift(out, f);
}

void rm_report_drift_text(struct rm_buf *out, const struct rm_report *r)
{
	size_t i;

	if (!r->drift)
		return;
	rm_buf_printf(out, "\nHas it drifted from %s?\n", r->baseline);
	for (i = 0; i < RM_DRIFTS; i++)
		put_quantity(out, &r->drift->of[i]);
}

static void put_json(struct rm_buf *out, const struct rm_drifted *f)
{
	struct rm_drift_figure figure[RM_DRIFT_FIGURES];
	size_t i;

	rm_report_drift_figures(f, figure);
	rm_buf_printf(out, "    \"%s\": {\n", f->of);
	for (i = 0; i < RM_DRIFT_FIGURES; i++) {
		rm_buf_printf(out, "      \"%s\": ", figure[i].name);
		rm_json_number(out, figure[i].value);
		rm_buf_puts(out, ",\n");
	}
	rm_buf_puts(out, "      \"shift_ci\": ");
	rm_report_interval_json(out, f->absent ? (double)NAN : f->low,
				f->high);
	rm_buf_printf(out, ",\n      \"%s\": ", f->absent ? "missing" :
		      "ks_p_kind");
	rm_buf_printf(out, "\"%s\"\n    }", f->absent ? f->absent :
		      f->ks_exact ? "exact" : "asymptotic");
}

void rm_report_drift_json(struct rm_buf *out, const struct rm_report *r)
{
	size_t i;

	if (!r->drift)
		return;
	rm_buf_puts(out, "  \"drift\": {\n    \"baseline\": ");
	rm_json_quote(out, r->baseline, strlen(r->baseline));
	for (i = 0; i < RM_DRIFTS; i++) {
		rm_buf_puts(out, ",\n");
		put_json(out, &r->drift->of[i]);
	}
	rm_buf_puts(out, "\n  },\n");
}

void rm_report_drift_tsv(struct rm_buf *out, const struct rm_report *r)
{
	struct rm_drift_figure figure[RM_DRIFT_FIGURES];
	size_t i, k;

	for (k = 0; r->drift && k < RM_DRIFTS; k++) {
		rm_report_drift_figures(&r->drift->of[k], figure);
		for (i = 0; i < RM_DRIFT_FIGURES; i++) {
			rm_buf_printf(out, "*\tdrift_%s_%s",
				      r->drift->of[k].of, figure[i].name);
			rm_report_number_tsv(out, figure[i].value);
			rm_report_number_tsv(out, figure[i].low);
			rm_report_number_tsv(out, figure[i].high);
			rm_buf_putc(out, '\n');
		}
	}
}

static void put_html(struct rm_buf *out, const struct rm_drifted *f)
{
	static const char *const heads[] = {
		"Figure", "Value", "95 % interval", RM_HTML_WORDS, NULL
	};
	struct rm_drift_figure figure[RM_DRIFT_FIGURES];
	struct rm_buf note = {0};
	size_t i;

	rm_report_drift_figures(f, figure);
	rm_buf_printf(&note, "Of the %ss of responses", f->of);
	if (f->absent)
		rm_buf_printf(&note, ": no more figures, %s.", f->absent);
	else
		rm_buf_printf(&note, ". The p is %s, each response for "
			      "itself.", f->ks_exact ? "exact" : "asymptotic");
	rm_html_table(out, heads);
	for (i = 0; i < RM_DRIFT_FIGURES; i++) {
		rm_html_row(out, figure[i].name);
		rm_html_number(out, "%.6g", figure[i].value);
		rm_html_interval(out, "[%.4g, %.4g]", figure[i].low,
				 figure[i].high);
		rm_html_words(out, figure[i].brief);
		rm_html_row_end(out);
	}
	rm_html_table_end(out, rm_buf_text(&note));
	out->failed |= note.failed;
	rm_buf_fini(&note);
}

void rm_report_drift_html(struct rm_buf *out, const struct rm_report *r)
{
	size_t i;

	if (!r->drift)
		return;
	rm_html_section(out, "drift", "Has it drifted from %s?", r->baseline);
	for (i = 0; i < RM_DRIFTS; i++)
		put_html(out, &r->drift->of[i]);
	rm_html_section_end(out);
}
