/* Reward against length: is it length in disguise? */
#include "plot/kind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_DOTS = 1500,	/* responses that are shown each */
	MOST_BINS = 10		/* of equally many responses */
};

struct lengths {
	const struct rm_scores *scores;
	size_t n;		/* responses that have a length */
	size_t bins;
	double least;		/* length */
	bool powers;		/* the axis is of powers of ten */
	double edge[MOST_BINS];	/* the largest length in it */
	bool of_length;		/* the mean of lengths, not of rewards */
};

static size_t find_bin(const struct lengths *a, double length)
{
	size_t bin = 0;

	while (length > a->edge[bin])
		bin++;
	return bin;
}

static void walk(struct rm_means *m, const void *arg)
{
	const struct lengths *a = arg;
	const struct rm_scores *s = a->scores;
	size_t r, i;

	for (r = 0; r < s->records; r++) {
		if (rm_scores_begins(s, r))
			rm_means_end(m);
		for (i = rm_scores_response(s, r);
		     i < rm_scores_response(s, r + 1); i++)
			if (s->length[i] >= 0)
				rm_means_add(m, find_bin(a, s->length[i]),
						  1, a->of_length ?
						  s->length[i] : s->reward[i]);
	}
	rm_means_end(m);
}

/* Bins end at tenths of the lengths; equal ends are one. */
static int find_edges(struct lengths *a)
{
	const struct rm_scores *s = a->scores;
	double *length = rm_malloc(RM_MAX(s->responses, 1), sizeof(*length));
	struct rm_order o = {0};
	size_t i, k;
	int status = -1;

	for (i = 0; length && i < s->responses; i++)
		if (s->length[i] >= 0)
			length[a->n++] = s->length[i];
	if (length && a->n == 0)
		status = 0;
	else if (length && rm_order_init(&o, length, a->n) == 0) {
		a->least = length[o.index[0]];
		for (k = 1; k <= MOST_BINS; k++) {
			size_t at = (a->n * k + MOST_BINS - 1) / MOST_BINS - 1;
			double edge = length[o.index[at]];

			if (!a->bins || edge > a->edge[a->bins - 1])
				a->edge[a->bins++] = edge;
		}
		status = 0;
	}
	rm_order_fini(&o);
	free(length);
	return status;
}

/* Where a length stands: 0 is no power of ten. */
static double place(const struct lengths *a, double length)
{
	return a->powers ? fmax(length, 1) : length;
}

/* Every so manieth response, in the order of the records. */
static void put_dots(struct rm_buf *out, const struct lengths *a)
{
	const struct rm_scores *s = a->scores;
	size_t i, seen = 0, shown = 0, most = RM_MIN(a->n, MOST_DOTS);

	rm_buf_puts(out, "$dots << END\n");
	for (i = 0; i < s->responses; i++) {
		if (s->length[i] < 0)
			continue;
		if ((uint64_t)seen++ * most < (uint64_t)shown * a->n)
			continue;
		shown++;
		rm_plot_number(out, place(a, s->length[i]));
		rm_plot_number(out, s->reward[i]);
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n");
}

/* Columns: mean length, mean reward, low, high. */
static void put_means(struct rm_buf *out, struct lengths *a)
{
	struct rm_mean reward[MOST_BINS] = {0}, length[MOST_BINS] = {0};
	struct rm_means m = { .n = a->bins, .bin = reward };
	size_t i;

	rm_means(&m, walk, a);
	m.second = false;
	m.bin = length;
	a->of_length = true;
	rm_means(&m, walk, a);
	rm_buf_puts(out, "$means << END\n");
	for (i = 0; i < a->bins; i++) {
		double mean = reward[i].mean;

		rm_plot_number(out, place(a, length[i].mean));
		rm_plot_number(out, mean);
		rm_plot_number(out, isnan(reward[i].low) ? mean :
			       reward[i].low);
		rm_plot_number(out, isnan(reward[i].low) ? mean :
			       reward[i].high);
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n");
}

static void put_range(struct rm_buf *out, const struct lengths *a)
{
	double most = a->edge[a->bins - 1], room = .03 * (most - a->least);

	if (a->powers)
		rm_buf_printf(out, "set logscale x\nset xrange [%.6g:%.6g]\n",
			      .9 * place(a, a->least), 1.1 * most);
	else
		rm_buf_printf(out, "set xrange [%.6g:%.6g]\n",
			      a->least - room, most + room);
}

static void say(struct rm_plot *p, const struct lengths *a)
{
	rm_buf_puts(&p->title, "Reward against length: ");
	rm_report_put_things(&p->title, a->n, "response");
	if (a->n > MOST_DOTS)
		rm_buf_printf(&p->caption, "Grey: a sample, %d of the "
			      "responses, evenly taken. ", MOST_DOTS);
	else
		rm_buf_puts(&p->caption, "Grey: each response. ");
	rm_buf_printf(&p->caption, "Black: mean reward of all responses in "
		      "%zu bins of about equally many, with 95 %% intervals "
		      "clustered by %s. A line that climbs says that the "
		      "model likes length.", a->bins,
		      a->scores->keyed ? "prompt" : "record");
	if (a->powers && a->least < 1)
		rm_buf_puts(&p->caption, " Empty responses stand at 1.");
}

static int make(struct rm_plot *p, const struct rm_plot_data *data)
{
	const struct rm_scores *s = data->scores;
	struct lengths a = { .scores = s };
	char axis[80];

	p->absent = !s->length ? "no response has a length" : NULL;
	if (p->absent)
		return 0;
	if (find_edges(&a) < 0)
		return -1;
	p->absent = a.n == 0 ? "no response has a length" :
		a.bins < 2 ? "all lengths are equal" : NULL;
	if (p->absent)
		return 0;
	/* Where a few are much longer than most. */
	a.powers = a.edge[a.bins - 1] > 20 * fmax(a.edge[0], 1);
	say(p, &a);
	rm_plot_begin(p);
	snprintf(axis, sizeof(axis), "length of the response, %s",
		 s->length_unit);
	rm_plot_axes(p, axis, "reward");
	put_dots(&p->script, &a);
	put_means(&p->script, &a);
	put_range(&p->script, &a);
	rm_buf_puts(&p->script, "set offsets 0, 0, graph .03, graph .03\n"
		    "plot $dots using 1:2 with points ls 5 title 'response', "
		    "$means using 1:2 with linespoints ls 1 title 'mean', "
		    "$means using 1:2:3:4 with yerrorbars ls 1 notitle\n");
	return 0;
}

const struct rm_plot_kind rm_plot_length = {
	.name = "length", .place = RM_PLACE_BIAS, .order = 1, .make = make
};
