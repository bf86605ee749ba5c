/* Accuracy against eps: how much of an attack does the model withstand? */
#include "plot/kind.h"
#include "report/formats.h"

#include <math.h>

/* Columns: eps, accuracy, low, high, all in per cent but eps. */
static void put_curve(struct rm_buf *out, const struct rm_attacks *a)
{
	size_t i;

	rm_buf_puts(out, "$attack << END\n");
	for (i = 0; i < a->n; i++) {
		const struct rm_figure *f = &a->row[i].accuracy;

		rm_plot_number(out, a->row[i].eps);
		rm_plot_number(out, 100 * f->value);
		rm_plot_number(out, 100 * (isnan(f->low) ? f->value :
					   f->low));
		rm_plot_number(out, 100 * (isnan(f->low) ? f->value :
					   f->high));
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n");
}

static int make(struct rm_plot *p, const struct rm_plot_data *data)
{
	const struct rm_attacks *a = data->report->attacks;
	const char *name;

	p->absent = !a ? "no rewards under attack (rm-score --attack)" :
		isnan(a->row[0].accuracy.value) ?
		"no comparison has a preference" : NULL;
	if (p->absent)
		return 0;
	name = json_string_value(json_object_get(a->spec, "name"));
	rm_buf_printf(&p->title, "Accuracy under attack%s%s: ",
		      name ? " by " : "", name ? name : "");
	rm_report_put_things(&p->title, data->report->n, "comparison");
	rm_buf_printf(&p->caption, "Share of comparisons whose preferred "
		      "response is ahead once what the model looks up has been "
		      "moved by as much as eps against it, with 95 %% "
		      "intervals; at 0 nothing is moved. A half is chance.");
	rm_plot_begin(p);
	rm_plot_axes(p, "eps", "accuracy (%)");
	put_curve(&p->script, a);
	rm_buf_puts(&p->script, "set yrange [0:100]\n"
		    "set offsets graph .03, graph .03, 0, 0\n"
		    "plot 50 with lines ls 3 title 'chance', "
		    "$attack using 1:2 with linespoints ls 1 notitle, "
		    "$attack using 1:2:3:4 with yerrorbars ls 1 notitle\n");
	return 0;
}

const struct rm_plot_kind rm_plot_attack = {
	.name = "attack", .place = RM_PLACE_ATTACK, .order = 1, .make = make
};
