/* Accuracy by subset, the best first. */
#include "plot/kind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 30, NAME = 28 };

struct row {
	const char *name;
	size_t n;
	const struct rm_figure *figure;
};

/* Which metric it is; r->metrics where it was not asked for. */
static size_t find_accuracy(const struct rm_report *r)
{
	size_t i;

	for (i = 0; i < r->metrics; i++)
		if (strcmp(r->figures[i].metric->name, "accuracy") == 0)
			break;
	return i;
}

static int by_size(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n) - (x->n > y->n) :
		strcmp(x->name, y->name);
}

static int by_value(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double u = x->figure->value, v = y->figure->value;

	return u != v ? (u < v) - (u > v) : strcmp(x->name, y->name);
}

/* The largest parts that have an accuracy, in its order; how many of all. */
static size_t choose(const struct rm_report *r, size_t metric,
		     struct row *row, size_t *all)
{
	size_t i, n = 0;

	for (i = 0; i < r->parts; i++) {
		const struct rm_report_part *part = &r->part[i];

		if (!isnan(part->figures[metric].value))
			row[n++] = (struct row){ part->name, part->n,
						 &part->figures[metric] };
	}
	*all = n;
	qsort(row, n, sizeof(*row), by_size);
	n = RM_MIN(n, MOST_ROWS);
	qsort(row, n, sizeof(*row), by_value);
	return n;
}

/* Columns: accuracy, row, low, high; names stand at the axis. */
static void put_rows(struct rm_buf *out, const struct row *row, size_t n)
{
	size_t i;
	int axis = 12;

	for (i = 0; i < n; i++)
		axis = RM_MAX(axis, (int)RM_MIN(strlen(row[i].name), NAME) +
			      9);
	rm_buf_printf(out, "set lmargin %d\nset ytics scale 0 noenhanced ()\n",
		      axis * 9 / 10);
	for (i = 0; i < n; i++) {
		struct rm_buf label = {0};

		rm_plot_quote_label(&label, row[i].name, NAME);
		/* What stands behind the name goes inside its quotes. */
		label.len -= label.len > 0;
		rm_buf_printf(&label, " (%zu)'", row[i].n);
		rm_buf_printf(out, "set ytics add (%s %zu)\n",
			      rm_buf_text(&label) ? (char *)label.data : "''",
			      n - i);
		out->failed |= label.failed;
		rm_buf_fini(&label);
	}
	rm_buf_puts(out, "$rows << END\n");
	for (i = 0; i < n; i++) {
		const struct rm_figure *f = row[i].figure;

		rm_plot_number(out, 100 * f->value);
		rm_buf_printf(out, " %zu", n - i);
		rm_plot_number(out, 100 * (isnan(f->low) ? f->value : f->low));
		rm_plot_number(out, 100 * (isnan(f->low) ? f->value :
					   f->high));
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n");
}

static void say(struct rm_plot *p, const struct rm_report *r, size_t n,
		size_t all)
{
	rm_buf_printf(&p->title, "Accuracy by %s: ", r->by);
	rm_report_put_things(&p->title, r->n, "comparison");
	rm_buf_puts(&p->title, n < all ? ", the largest parts" : "");
	rm_buf_printf(&p->caption, "Share of comparisons in which the "
		      "preferred response has the higher reward, with 95 %% "
		      "intervals clustered by %s; in brackets the number of "
		      "comparisons.", r->keyed ? "prompt" : "record");
	if (n < all)
		rm_buf_printf(&p->caption, " Of %zu the %zu with the most "
			      "comparisons are shown.", all, n);
	if (all < r->parts)
		rm_buf_printf(&p->caption, " %zu without comparisons have "
			      "none.", r->parts - all);
}

static void put_plot(struct rm_plot *p, double all, size_t n)
{
	rm_buf_printf(&p->script, "set grid noytics\n"
		      "set yrange [.4:%zu.6]\nset xrange [0:100]\n"
		      "set arrow from 50,.4 to 50,%zu.6 nohead ls 3\n", n, n);
	if (!isnan(all))
		rm_buf_printf(&p->script, "set arrow from %.8g,.4 to %.8g,"
			      "%zu.6 nohead ls 2\n", 100 * all, 100 * all, n);
	rm_buf_puts(&p->script, "plot $rows using 1:2:3:4 with xerrorbars ls 1 "
		    "notitle, NaN with lines ls 3 title 'chance'");
	if (!isnan(all))
		rm_buf_printf(&p->script, ", NaN with lines ls 2 title 'all: "
			      "%.1f %%'", 100 * all);
	rm_buf_putc(&p->script, '\n');
}

static int make(struct rm_plot *p, const struct rm_plot_data *data)
{
	const struct rm_report *r = data->report;
	size_t metric = find_accuracy(r), n, all;
	struct row *row;

	p->absent = r->parts < 2 ? "the data are of one part" :
		metric == r->metrics ? "accuracy was not asked for" : NULL;
	if (p->absent)
		return 0;
	row = rm_malloc(r->parts, sizeof(*row));
	if (!row)
		return -1;
	n = choose(r, metric, row, &all);
	if (n == 0) {
		p->absent = "no part has comparisons";
	} else {
		say(p, r, n, all);
		p->height = 150 + 22 * (unsigned)RM_MAX(n, 4);
		rm_plot_begin(p);
		rm_plot_axes(p, "accuracy, %", "");
		put_rows(&p->script, row, n);
		put_plot(p, r->figures[metric].value, n);
	}
	free(row);
	return 0;
}

const struct rm_plot_kind rm_plot_subsets = {
	.name = "subsets", .place = RM_PLACE_PARTS, .order = 1, .make = make
};
