/* Curves of a training run, from rm-train's log. */
#include "io.h"
#include "plot/kind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_LINE = 1 << 20,	/* bytes of a line of the log */
	MOST_MARKS = 1000	/* points of a curve */
};

/* ---- the log ---- */

/* A run that goes on from a checkpoint writes some steps again. */
static int add(struct rm_plot_series *s, double x, double y)
{
	while (s->n && s->x[s->n - 1] >= x)
		s->n--;
	if (rm_grow(&s->x, &s->x_cap, s->n + 1, sizeof(*s->x)) < 0 ||
	    rm_grow(&s->y, &s->y_cap, s->n + 1, sizeof(*s->y)) < 0)
		return -1;
	s->x[s->n] = x;
	s->y[s->n++] = y;
	return 0;
}

/* A figure of a line: 1, 0 where it has none (null was no number), -1. */
static int figure(const json_t *line, const char *key, double *y)
{
	const json_t *v = json_object_get(line, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_number(v))
		return rm_fail("\"%s\" is not a number", key);
	*y = json_number_value(v);
	return 1;
}

static int read_line(struct rm_training_log *log, const json_t *line)
{
	const json_t *best = json_object_get(line, "best");
	double step, loss = NAN, valid = NAN;
	int has_loss, has_valid;

	if (!json_is_object(line))
		return rm_fail("no JSON object");
	if (rm_json_get_double(line, "step", "a line of a training log",
			       &step) < 0)
		return -1;
	has_loss = figure(line, "loss", &loss);
	has_valid = figure(line, "valid_loss", &valid);
	if (has_loss < 0 || has_valid < 0 ||
	    (has_loss && add(&log->loss, step, loss) < 0) ||
	    (has_valid && add(&log->valid, step, valid) < 0))
		return -1;
	if (log->best >= step)
		log->best = NAN;
	if (json_is_true(best))
		log->best = step;
	return 0;
}

static int read_lines(struct rm_training_log *log, struct rm_input *in)
{
	struct rm_buf line = {0};
	size_t n = 0;
	int got;

	while ((got = rm_input_line(in, &line, MOST_LINE)) > 0) {
		json_t *json = rm_json_parse(line.data, line.len);

		n++;
		got = json ? read_line(log, json) : -1;
		json_decref(json);
		if (got < 0) {
			rm_wrap("%s: line %zu", rm_input_name(in), n);
			break;
		}
	}
	rm_buf_fini(&line);
	if (got == 0 && !log->loss.n && !log->valid.n)
		return rm_fail("%s: no loss in %zu lines: is it what rm-train "
			       "--log wrote?", rm_input_name(in), n);
	return got;
}

int rm_training_log_load(struct rm_training_log *log, const char *path)
{
	struct rm_input *in = rm_input_open(path);
	int status;

	*log = (struct rm_training_log){ .best = NAN };
	if (!in)
		return -1;
	status = read_lines(log, in);
	rm_input_close(in);
	return status;
}

void rm_training_log_fini(struct rm_training_log *log)
{
	free(log->loss.x);
	free(log->loss.y);
	free(log->valid.x);
	free(log->valid.y);
	*log = (struct rm_training_log){0};
}

/* ---- the picture ---- */

/* Of many points the means of so many in a row; how many in a row. */
static size_t put_series(struct rm_buf *out, const char *name,
			 const struct rm_plot_series *s)
{
	size_t each = (s->n + MOST_MARKS - 1) / MOST_MARKS, i, j;

	rm_buf_printf(out, "$%s << END\n", name);
	for (i = 0; i < s->n; i = j) {
		double x = 0, y = 0, n;

		for (j = i; j < s->n && j < i + each; j++) {
			x += s->x[j];
			y += s->y[j];
		}
		n = (double)(j - i);
		rm_plot_number(out, x / n);
		rm_plot_number(out, y / n);
		rm_buf_putc(out, '\n');
	}
	rm_buf_puts(out, "END\n");
	return each;
}

static void put_plot(struct rm_plot *p, const struct rm_training_log *log)
{
	size_t each = 0;
	const char *comma = "";

	rm_buf_puts(&p->script, "set offsets graph .02, graph .02, graph .04, "
		    "graph .04\n");
	if (log->loss.n)
		each = put_series(&p->script, "loss", &log->loss);
	if (log->valid.n)
		put_series(&p->script, "valid", &log->valid);
	if (log->valid.n && !isnan(log->best))
		rm_buf_printf(&p->script, "set arrow from %.8g, graph 0 to "
			      "%.8g, graph 1 nohead ls 3\n", log->best,
			      log->best);
	rm_buf_puts(&p->script, "plot ");
	if (log->loss.n) {
		rm_buf_printf(&p->script, "$loss using 1:2 with %s ls 2 "
			      "title 'training'", log->loss.n > 20 ? "lines" :
			      "linespoints");
		comma = ", ";
	}
	if (log->valid.n)
		rm_buf_printf(&p->script, "%s$valid using 1:2 with "
			      "linespoints ls 1 title 'validation'", comma);
	if (log->valid.n && !isnan(log->best))
		rm_buf_puts(&p->script, ", NaN with lines ls 3 title "
			    "'saved'");
	rm_buf_putc(&p->script, '\n');
	if (log->valid.n && !isnan(log->best))
		rm_buf_printf(&p->caption, " The model was saved as of step "
			      "%.0f.", log->best);
	if (each > 1)
		rm_buf_printf(&p->caption, " Each point of the first "
			      "is the mean of %zu lines of the log.", each);
}

static int make(struct rm_plot *p, const struct rm_plot_data *data)
{
	const struct rm_training_log *log = data->log;

	p->absent = log ? NULL : "no --log was given";
	if (p->absent)
		return 0;
	rm_buf_puts(&p->title, "Loss of training by step");
	rm_buf_puts(&p->caption, "Loss of the training data, over the steps "
		    "since the line before");
	if (log->valid.n)
		rm_buf_puts(&p->caption, ", and of the validation data. Where "
			    "the second rises while the first falls, the "
			    "model learns its data by heart.");
	else
		rm_buf_puts(&p->caption, ".");
	rm_plot_begin(p);
	rm_plot_axes(p, "step", "loss");
	put_plot(p, log);
	return 0;
}

const struct rm_plot_kind rm_plot_training = {
	.name = "training", .place = RM_PLACE_TRAINING, .order = 1,
	.make = make
};
