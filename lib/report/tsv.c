/* A report as a line for each figure of each part. */
#include "report/against.h"
#include "report/best.h"
#include "report/bins.h"
#include "report/drift.h"
#include "report/robust.h"
#include "report/suite.h"

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

void rm_report_tsv(const struct rm_report *r, struct rm_buf *out)
{
	size_t i;

	rm_buf_printf(out, "%s\tmetric\tvalue\tlow\thigh\n",
		      r->by ? r->by : "subset");
	put_tsv_figures(out, "*", r->n, r->figures, r->metrics);
	rm_report_best_tsv(out, r);
	rm_report_bins_tsv(out, r->bins);
	rm_report_against_tsv(out, r);
	rm_report_drift_tsv(out, r);
	rm_report_robust_tsv(out, r);
	rm_report_suite_tsv(out, r);
	for (i = 0; i < r->parts; i++)
		put_tsv_figures(out, r->part[i].name, r->part[i].n,
				r->part[i].figures, r->metrics);
}
