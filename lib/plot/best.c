/* Best of n: what is gained by taking the response of highest reward? */
#include "plot/kind.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_N = 64 };

struct response {
	double by, label;
};

struct best {
	const struct rm_scores *scores;
	size_t most;		/* n goes from 1 to it */
	struct response *room;	/* for the responses of a record */
	bool oracle;		/* chosen by the label itself */
};

static const double *labels(const struct rm_scores *s)
{
	return s->graded ? s->graded : s->label;
}

static size_t responses(const struct rm_scores *s, size_t r)
{
	return rm_scores_response(s, r + 1) - rm_scores_response(s, r);
}

/* Three responses or more, all labelled. */
static bool is_list(const struct rm_scores *s, size_t r)
{
	size_t i;

	if (responses(s, r) < 3)
		return false;
	for (i = rm_scores_response(s, r); i < rm_scores_response(s, r + 1);
	     i++)
		if (!isfinite(labels(s)[i]))
			return false;
	return true;
}

static int by_reward(const void *a, const void *b)
{
	const struct response *x = a, *y = b;

	return (x->by > y->by) - (x->by < y->by);
}

/*
 * Mean label of the one that is highest of n drawn from k without
 * replacement: C(b, n) / C(k, n) is the chance that none is above the b
 * lowest; equal ones share theirs.
 */
static void add_record(struct rm_plot_means *m, const struct best *b, size_t r)
{
	const struct rm_scores *s = b->scores;
	size_t k = responses(s, r), from = rm_scores_response(s, r), i, j, n;
	double at[MOST_N] = {0};

	for (i = 0; i < k; i++)
		b->room[i] = (struct response){ b->oracle ?
			labels(s)[from + i] : s->reward[from + i],
			labels(s)[from + i] };
	qsort(b->room, k, sizeof(*b->room), by_reward);
	for (i = 0; i < k; i = j) {
		double label = 0, below = 1, upto = 1;

		for (j = i; j < k && b->room[j].by == b->room[i].by; j++)
			label += b->room[j].label;
		label /= (double)(j - i);
		for (n = 0; n < b->most; n++) {
			double left = (double)k - (double)n;

			below *= fmax((double)i - (double)n, 0) / left;
			upto *= fmax((double)j - (double)n, 0) / left;
			at[n] += (upto - below) * label;
		}
	}
	for (n = 0; n < b->most; n++)
		rm_plot_means_add(m, n, rm_scores_weight(s, r), at[n]);
}

static void walk(struct rm_plot_means *m, const void *arg)
{
	const struct best *b = arg;
	size_t r;

	for (r = 0; r < b->scores->records; r++) {
		if (rm_plot_new_cluster(b->scores, r))
			rm_plot_means_end(m);
		if (responses(b->scores, r) >= b->most &&
		    is_list(b->scores, r))
			add_record(m, b, r);
	}
	rm_plot_means_end(m);
}

/* The most that at least half of the lists have; how many have it. */
static size_t find_most(struct best *b, size_t *room)
{
	size_t lists[MOST_N + 1] = {0}, all = 0, with = 0, r;

	for (r = 0; r < b->scores->records; r++)
		if (is_list(b->scores, r)) {
			size_t k = responses(b->scores, r);

			lists[RM_MIN(k, MOST_N)]++;
			all++;
			*room = RM_MAX(*room, k);
		}
	for (b->most = MOST_N; all && b->most > 0; b->most--) {
		with += lists[b->most];
		if (2 * with >= all)
			break;
	}
	return with;
}

/* Columns: n, mean, low, high. */
static void put_curve(struct rm_buf *out, const struct best *b,
		      const char *name)
{
	struct rm_plot_mean bin[MOST_N] = {0};
	struct rm_plot_means m = { .n = b->most, .bin = bin };
	size_t i;

	rm_plot_means(&m, walk, b);
	rm_buf_printf(out, "$%s << END\n", name);
	for (i = 0; i < b->most; i++) {
		rm_buf_printf(out, " %zu", i + 1);
		rm_plot_number(out, bin[i].mean);
		rm_plot_number(out, isnan(bin[i].low) ? bin[i].mean :
			       bin[i].low);
		rm_plot_number(out, isnan(bin[i].low) ? bin[i].mean :
			       bin[i].high);
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n");
}

static void draw(struct rm_plot *p, struct best *b, size_t with)
{
	rm_buf_puts(&p->title, "Best of n by reward: ");
	rm_report_put_things(&p->title, with, "record");
	rm_buf_printf(&p->caption, "Mean label (score, else -rank) of the "
		      "response that has the highest reward of n drawn from "
		      "those of its record, over the records of at least %zu "
		      "labelled responses, with 95 %% intervals clustered by "
		      "%s. n = 1 is chance; at best is what the labels "
		      "themselves would choose.", b->most,
		      b->scores->keyed ? "prompt" : "record");
	rm_plot_begin(p);
	rm_plot_axes(p, "n, responses to choose from",
		     "mean label of the choice");
	put_curve(&p->script, b, "reward");
	b->oracle = true;
	put_curve(&p->script, b, "oracle");
	rm_buf_printf(&p->script, "set xtics %d\n"
		      "set xrange [.5:%zu.5]\n"
		      "set offsets 0, 0, graph .03, graph .03\n"
		      "plot $oracle using 1:2 with linespoints ls 2 title "
		      "'at best', "
		      "$reward using 1:2 with linespoints ls 1 title "
		      "'by reward', $reward using 1:2:3:4 with yerrorbars ls 1 "
		      "notitle\n", b->most > 32 ? 8 : b->most > 12 ? 2 : 1,
		      b->most);
}

static int make(struct rm_plot *p, const struct rm_plot_data *data)
{
	struct best b = { .scores = data->scores };
	size_t room = 0, with = labels(b.scores) ? find_most(&b, &room) : 0;

	if (with == 0) {
		p->absent = "no record of three or more labelled responses";
		return 0;
	}
	b.room = rm_malloc(room, sizeof(*b.room));
	if (!b.room)
		return -1;
	draw(p, &b, with);
	free(b.room);
	return 0;
}

const struct rm_plot_kind rm_plot_best_of_n = {
	.name = "best_of_n", .place = RM_PLACE_ORDER, .order = 1, .make = make
};
