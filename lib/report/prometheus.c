/*
 * Prometheus's text exposition format, 0.0.4: each family's # HELP and
 * # TYPE, then its samples.  A figure that could not be computed is no
 * sample, and a family without samples is not there.
 */
#include "report/drift.h"
#include "report/prometheus.h"
#include "report/robust.h"

#include <math.h>
#include <string.h>

#define ALL "*"		/* the subset that is all of the data */

struct family {
	struct rm_buf *out;
	const char *prefix, *name, *suffix, *help;
	const char *label;	/* its name; NULL: none */
	bool begun;
};

static void begin(struct family *f)
{
	if (f->begun)
		return;
	f->begun = true;
	rm_buf_printf(f->out, "# HELP rmtools_%s%s%s %s%s\n", f->prefix,
		      f->name, f->suffix, f->help, !*f->suffix ? "" :
		      *f->suffix == '_' && f->suffix[1] == 'l' ?
		      ", low end of the 95 % interval" :
		      ", high end of the 95 % interval");
	rm_buf_printf(f->out, "# TYPE rmtools_%s%s%s gauge\n", f->prefix,
		      f->name, f->suffix);
}

static void put_label(struct rm_buf *out, const char *s)
{
	rm_buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '\n') {
			rm_buf_puts(out, "\\n");
			continue;
		}
		if (*s == '"' || *s == '\\')
			rm_buf_putc(out, '\\');
		rm_buf_putc(out, *s);
	}
	rm_buf_putc(out, '"');
}

static void put_sample(struct family *f, const char *label, double value)
{
	char number[32];

	if (!isfinite(value))
		return;
	begin(f);
	rm_buf_printf(f->out, "rmtools_%s%s%s", f->prefix, f->name,
		      f->suffix);
	if (f->label) {
		rm_buf_printf(f->out, "{%s=", f->label);
		put_label(f->out, label);
		rm_buf_putc(f->out, '}');
	}
	rm_buf_printf(f->out, " %s\n", rm_format_double(value, number));
}

static void put_one(struct rm_buf *out, const char *prefix, const char *name,
		    const char *help, double value)
{
	struct family f = { out, prefix, name, "", help, NULL, false };

	put_sample(&f, "", value);
}

/* ---- figures, their ends, and the parts' ---- */

static const char *const suffixes[] = { "", "_low", "_high" };

static double end_of(const struct rm_figure *f, size_t which)
{
	const double ends[] = { f->value, f->low, f->high };

	return isfinite(f->value) ? ends[which] : NAN;
}

static void put_metric(struct rm_buf *out, const struct rm_report *r, size_t m)
{
	const struct rm_metric_kind *kind = r->figures[m].metric;
	size_t which, i;

	for (which = 0; which < RM_COUNT(suffixes); which++) {
		struct family f = { out, "", kind->name, suffixes[which],
				    kind->brief, "subset", false };

		put_sample(&f, ALL, end_of(&r->figures[m], which));
		for (i = 0; i < r->parts; i++)
			put_sample(&f, r->part[i].name,
				   end_of(&r->part[i].figures[m], which));
	}
}

static void put_sizes(struct rm_buf *out, const struct rm_report *r)
{
	struct family f = { out, "", "comparisons", "",
			    "comparisons that were judged", "subset", false };
	size_t i;

	put_sample(&f, ALL, (double)r->n);
	for (i = 0; i < r->parts; i++)
		put_sample(&f, r->part[i].name, (double)r->part[i].n);
	put_one(out, "", "records", "records read", (double)r->records);
	put_one(out, "", "responses", "responses read", (double)r->responses);
	if (r->keyed)
		put_one(out, "", "prompts", "different prompts",
			(double)r->clusters);
}

/* ---- what stands beside them ---- */

/* A figure of all, by its definition. */
static void put_figure(struct rm_buf *out, const char *prefix,
		       const struct rm_figure *d)
{
	size_t which;

	for (which = 0; which < RM_COUNT(suffixes); which++) {
		struct family f = {
			out, prefix, d->metric->name, suffixes[which],
			d->metric->definition, NULL, false
		};

		put_sample(&f, "", end_of(d, which));
	}
}

static void put_against(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_compared *c = r->against;
	size_t i;

	for (i = 0; c && i < RM_COMPARED; i++)
		put_figure(out, "against_", &c->difference[i]);
	for (i = 0; c && i < RM_CHANGES; i++)
		put_figure(out, "against_", &c->change[i]);
	if (c) {
		put_one(out, "against_", "better",
			"comparisons that only this model has right",
			(double)c->better);
		put_one(out, "against_", "worse",
			"comparisons that only the other has right",
			(double)c->worse);
		put_one(out, "against_", "alike", "all other comparisons",
			(double)c->alike);
		put_one(out, "against_", "mcnemar_p",
			"exact p of McNemar's test", c->mcnemar);
	}
	if (!r->detectable)
		return;
	put_one(out, "min_detectable_", "fixed",
		"accuracy's least visible distance from a fixed value",
		r->fixed);
	put_one(out, "min_detectable_", "apart",
		"the same between two models judged apart", r->apart);
	if (c)
		put_one(out, "min_detectable_", "paired",
			"the same between two, pair by pair", c->detectable);
}

static void put_beside(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_beside_figures *b = &r->beside;
	struct family accuracy = {
		out, "objective_", "accuracy", "",
		"share of pairs in the order of the attribute", "objective",
		false
	}, spearman = {
		out, "objective_", "spearman", "",
		"rho with the attribute", "objective", false
	};
	size_t i;

	for (i = 0; i < b->n; i++)
		put_sample(&accuracy, b->objective[i].name,
			   b->objective[i].accuracy);
	for (i = 0; i < b->n; i++)
		put_sample(&spearman, b->objective[i].name,
			   b->objective[i].spearman);
	if (b->has_sd)
		put_one(out, "disagreement_", "spearman",
			"rho of reward_sd with disagreement", b->disagreement);
}

static void put_drift(struct rm_buf *out, const struct rm_report *r)
{
	struct rm_drift_figure figure[RM_DRIFTS][RM_DRIFT_FIGURES];
	size_t i, k, which;

	if (!r->drift)
		return;
	for (k = 0; k < RM_DRIFTS; k++)
		rm_report_drift_figures(&r->drift->of[k], figure[k]);
	for (i = 0; i < RM_DRIFT_FIGURES; i++)
		for (which = 0; which < RM_COUNT(suffixes); which++) {
			struct family f = {
				out, "drift_", figure[0][i].name,
				suffixes[which], figure[0][i].brief, "of",
				false
			};

			for (k = 0; k < RM_DRIFTS; k++) {
				const double v[] = { figure[k][i].value,
					figure[k][i].low, figure[k][i].high };

				put_sample(&f, r->drift->of[k].of, v[which]);
			}
		}
}

static void put_ood(struct rm_buf *out, const struct rm_report *r)
{
	size_t i, which;

	for (i = 0; r->ood && i < r->ood->n; i++) {
		const struct rm_gap *g = &r->ood->gap[i];
		const double v[] = { g->gap, g->low, g->high };

		put_one(out, "ood_", g->metric->name,
			"the figure of this name on other data", g->out);
		for (which = 0; which < RM_COUNT(suffixes); which++) {
			struct family f = {
				out, "ood_gap_", g->metric->name,
				suffixes[which],
				"the figure less what it is on other data",
				NULL, false
			};

			put_sample(&f, "", v[which]);
		}
	}
}

static void put_attacks(struct rm_buf *out, const struct rm_report *r)
{
	const struct rm_attacks *a = r->attacks;
	struct rm_attack_figure figure[RM_ATTACK_FIGURES];
	char eps[32];
	size_t i, k, which;

	for (k = 0; a && k < RM_ATTACK_FIGURES; k++)
		for (which = 0; which < RM_COUNT(suffixes); which++) {
			struct family f = { out, "attack_", NULL,
					    suffixes[which], NULL, "eps",
					    false };

			for (i = 0; i < a->n; i++) {
				rm_report_attack_figures(&a->row[i], figure);
				f.name = figure[k].name;
				f.help = figure[k].brief;
				put_sample(&f, rm_format_double(a->row[i].eps,
					   eps), end_of(figure[k].figure,
							which));
			}
		}
}

static void put_best(struct rm_buf *out, const struct rm_report *r)
{
	struct family f = { out, "", "best_of_n", "",
			    "mean label of the best of n by reward", "n",
			    false };
	char n[32];
	size_t i;

	for (i = 0; r->best && i < r->best->most; i++) {
		snprintf(n, sizeof(n), "%zu", i + 1);
		put_sample(&f, n, r->best->row[i].mean);
	}
}

static void put_suite(struct rm_buf *out, const struct rm_report *r)
{
	struct family f = { out, "suite_", "score", "",
			    "a benchmark's score by its own rules", "part",
			    false };
	size_t i;

	for (i = 0; r->suite && i < r->suite->n; i++)
		put_sample(&f, r->suite->line[i].name,
			   r->suite->line[i].value);
}

void rm_report_prometheus(const struct rm_report *r, struct rm_buf *out)
{
	size_t i;

	for (i = 0; i < r->parts; i++)
		if (strcmp(r->part[i].name, ALL) == 0) {
			rm_fail("prometheus: a part named \"" ALL "\" could "
				"not be told from all of them");
			out->failed = true;
			return;
		}
	put_sizes(out, r);
	for (i = 0; i < r->metrics; i++)
		put_metric(out, r, i);
	put_against(out, r);
	put_beside(out, r);
	put_drift(out, r);
	put_ood(out, r);
	put_attacks(out, r);
	put_best(out, r);
	put_suite(out, r);
}
