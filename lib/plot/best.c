/* Best of n: what is gained by taking the response of highest reward? */
#include "plot/kind.h"

#include <math.h>

/* Columns: n, mean, low, high; at best the mean alone. */
static void put_curves(struct rm_buf *out, const struct rm_best_of *b)
{
	size_t i;

	rm_buf_puts(out, "$reward << END\n");
	for (i = 0; i < b->most; i++) {
		double mean = b->row[i].mean, low = b->row[i].low;

		rm_buf_printf(out, " %zu", i + 1);
		rm_plot_number(out, mean);
		rm_plot_number(out, isnan(low) ? mean : low);
		rm_plot_number(out, isnan(low) ? mean : b->row[i].high);
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n$oracle << END\n");
	for (i = 0; i < b->most; i++) {
		rm_buf_printf(out, " %zu", i + 1);
		rm_plot_number(out, b->row[i].best);
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n");
}

static int make(struct rm_plot *p, const struct rm_plot_data *data)
{
	const struct rm_best_of *b = data->report->best;

	p->absent = !b ? "not asked for" : b->most == 0 ?
		"no record of three or more labelled responses" : NULL;
	if (p->absent)
		return 0;
	rm_buf_puts(&p->title, "Best of n by reward: ");
	rm_report_put_things(&p->title, b->records, "record");
	rm_buf_printf(&p->caption, "Mean label (score, else -rank) of the "
		      "response that has the highest reward of n drawn from "
		      "those of its record, over the records of at least %zu "
		      "labelled responses, with 95 %% intervals clustered by "
		      "%s. n = 1 is chance; at best is what the labels "
		      "themselves would choose.", b->most,
		      data->scores->keyed ? "prompt" : "record");
	rm_plot_begin(p);
	rm_plot_axes(p, "n, responses to choose from",
		     "mean label of the choice");
	put_curves(&p->script, b);
	rm_buf_printf(&p->script, "set xtics %d\n"
		      "set xrange [.5:%zu.5]\n"
		      "set offsets 0, 0, graph .03, graph .03\n"
		      "plot $oracle using 1:2 with linespoints ls 2 title "
		      "'at best', "
		      "$reward using 1:2 with linespoints ls 1 title "
		      "'by reward', $reward using 1:2:3:4 with yerrorbars ls 1 "
		      "notitle\n", b->most > 32 ? 8 : b->most > 12 ? 2 : 1,
		      b->most);
	return 0;
}

const struct rm_plot_kind rm_plot_best_of_n = {
	.name = "best_of_n", .place = RM_PLACE_ORDER, .order = 1, .make = make
};
