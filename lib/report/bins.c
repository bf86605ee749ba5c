/* What points of like P turned out to be. */
#include "report/bins.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

static const char *const kinds[] = {
	[RM_BINS_WIDTH] = "width", [RM_BINS_MASS] = "mass"
};

/* NaN in an empty bin. */
static double mean(const struct rm_bins *b, size_t bin, enum rm_bin_sum k)
{
	return b->sum[bin][k] / b->sum[bin][RM_BIN_W];
}

void rm_report_bins_text(struct rm_buf *out, const struct rm_bins *b)
{
	size_t i;

	rm_buf_puts(out, "\nOf what it calls likely, how much happens?  "
		    "(from both sides)\n");
	rm_buf_printf(out, "  %-14s%12s%10s%10s%10s\n", "P", "points",
		      "mean P", "mean p", "gap");
	for (i = 0; i < RM_ECE_BINS; i++) {
		if (!(b->sum[i][RM_BIN_W] > 0))
			continue;
		rm_buf_printf(out, "  %5.3f-%-5.3f  %13zu%10.4f%10.4f%+10.4f"
			      "\n", b->edge[i], b->edge[i + 1], b->points[i],
			      mean(b, i, RM_BIN_F), mean(b, i, RM_BIN_O),
			      mean(b, i, RM_BIN_F) - mean(b, i, RM_BIN_O));
	}
}

static void put_bin(struct rm_buf *out, const struct rm_bins *b, size_t i)
{
	rm_buf_puts(out, "{\"low\": ");
	rm_json_number(out, b->edge[i]);
	rm_buf_puts(out, ", \"high\": ");
	rm_json_number(out, b->edge[i + 1]);
	rm_buf_printf(out, ", \"points\": %zu, \"weight\": ", b->points[i]);
	rm_json_number(out, b->sum[i][RM_BIN_W]);
	rm_buf_puts(out, ", \"prob\": ");
	rm_json_number(out, mean(b, i, RM_BIN_F));
	rm_buf_puts(out, ", \"label\": ");
	rm_json_number(out, mean(b, i, RM_BIN_O));
	rm_buf_puts(out, "}");
}

void rm_report_bins_json(struct rm_buf *out,
			 const struct rm_bins *const *bins)
{
	size_t k, i, n = 0;

	rm_buf_puts(out, "{");
	for (k = 0; k < RM_BINS_TABLES; k++) {
		if (!bins[k])
			continue;
		rm_buf_printf(out, "%s\n    \"%s\": [", n++ ? "," : "",
			      kinds[k]);
		for (i = 0; i < RM_ECE_BINS; i++) {
			rm_buf_puts(out, i ? ",\n      " : "\n      ");
			put_bin(out, bins[k], i);
		}
		rm_buf_puts(out, "\n    ]");
	}
	rm_buf_puts(out, "\n  }");
}

static void put_cell(struct rm_buf *out, const char *kind, size_t bin,
		     const char *what, double value)
{
	char number[32];

	rm_buf_printf(out, "*\tbin_%s_%zu_%s\t%s\t\t\n", kind, bin, what,
		      isnan(value) ? "" : rm_format_double(value, number));
}

void rm_report_bins_tsv(struct rm_buf *out,
			const struct rm_bins *const *bins)
{
	size_t k, i;

	for (k = 0; k < RM_BINS_TABLES; k++)
		for (i = 0; bins[k] && i < RM_ECE_BINS; i++) {
			const struct rm_bins *b = bins[k];

			put_cell(out, kinds[k], i, "low", b->edge[i]);
			put_cell(out, kinds[k], i, "high", b->edge[i + 1]);
			put_cell(out, kinds[k], i, "points",
				 (double)b->points[i]);
			put_cell(out, kinds[k], i, "weight",
				 b->sum[i][RM_BIN_W]);
			put_cell(out, kinds[k], i, "prob",
				 mean(b, i, RM_BIN_F));
			put_cell(out, kinds[k], i, "label",
				 mean(b, i, RM_BIN_O));
		}
}

void rm_report_bins_html(struct rm_buf *out, const struct rm_bins *b)
{
	static const char *const heads[] = {
		"P", "Points", "Mean P", "Mean p", "Gap", NULL
	};
	char name[32];
	size_t i;

	rm_html_table(out, heads);
	for (i = 0; i < RM_ECE_BINS; i++) {
		if (!(b->sum[i][RM_BIN_W] > 0))
			continue;
		snprintf(name, sizeof(name), "%.3f-%.3f", b->edge[i],
			 b->edge[i + 1]);
		rm_html_row(out, name);
		rm_html_cell(out, "%zu", b->points[i]);
		rm_html_number(out, "%.4f", mean(b, i, RM_BIN_F));
		rm_html_number(out, "%.4f", mean(b, i, RM_BIN_O));
		rm_html_number(out, "%+.4f", mean(b, i, RM_BIN_F) -
			       mean(b, i, RM_BIN_O));
		rm_html_row_end(out);
	}
	rm_html_table_end(out, "Reliability: of what it calls likely, how "
			  "much happens? From both sides of a comparison.");
}
