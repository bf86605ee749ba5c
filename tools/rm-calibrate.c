/*
 * rm-calibrate: fit the map from rewards to probabilities, and apply it.
 */
#include "calib.h"
#include "cli.h"
#include "compare.h"
#include "model.h"
#include "stream.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char *fit, *into, *apply, *output;
	size_t folds, threads, max_record;
	int64_t seed;
	bool force, no_history, quiet;
} o = { .seed = 1, .max_record = RM_MAX_RECORD };

static const struct rm_option options[] = {
	RM_OPT_CHOICE(0, "fit", &o.fit, "METHOD",
		      "fit to the labels of a scored stream",
		      rm_calib_methods),
	RM_OPT_SIZE(0, "folds", &o.folds, 0, 1000, "K",
		    "with --fit: judge by K-fold cross-validation (0: not)"),
	RM_OPT_STRING(0, "into", &o.into, "MODEL",
		      "with --fit: write into this model's rm.json"),
	RM_OPT_STRING(0, "apply", &o.apply, "FILE",
		      "add prob to a scored stream, as FILE says"),
	RM_OPT_FLAG(0, "force", &o.force,
		    "replace an existing prob; mix different tokenizers"),
	RM_OPT_SEED(&o.seed),
	RM_OPT_THREADS(&o.threads),
	RM_OPT_NO_HISTORY(&o.no_history),
	RM_OPT_MAX_RECORD(&o.max_record),
	RM_OPT_OUTPUT(&o.output),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_END
};

static const struct rm_tool tool = {
	"rm-calibrate", "turn rewards into calibrated probabilities",
	"--fit METHOD | --apply FILE [FILE...]", options,
	"Reads scored groups or pairs (from rm-score).  --fit writes a small "
	"JSON\nfile, --apply the stream with the field prob.\n"
};

static struct rm_reader *open_reader(char **paths, size_t n)
{
	struct rm_reader_options ro = { .max_record = o.max_record,
					.force = o.force };

	return rm_reader_open(paths, n, &ro);
}

/* ---- fit: reading ---- */

/*
 * A label of a single response must lie in [0, 1].  The first that does not
 * is an error only when the stream turns out to be one of single responses.
 */
static int check_label(const struct rm_reader *in,
		       const struct rm_record *rec, int score,
		       struct rm_buf *complaint)
{
	double label;

	if (rec->k != 1 || complaint->len)
		return 0;
	label = rm_record_f64_at(rec, score, 0);
	if (isnan(label) || (label >= 0 && label <= 1))
		return 0;
	rm_fail("field score: %g is not within 0 and 1: single responses are "
		"calibrated to labels in [0, 1]", label);
	rm_reader_wrap(in);
	rm_buf_puts(complaint, rm_error());
	return rm_buf_text(complaint) ? 0 : -1;
}

static int read_all(struct rm_reader *in, struct rm_scorer *scorer,
		    struct rm_buf *complaint)
{
	int score = rm_schema_find(&rm_reader_header(in)->schema, "score");
	const struct rm_record *rec;
	struct rm_progress progress;
	size_t n = 0;
	int got;

	rm_progress_start(&progress, &tool, "records", 0, o.quiet);
	while ((got = rm_reader_next(in, &rec)) > 0) {
		if (check_label(in, rec, score, complaint) < 0 ||
		    rm_scorer_add(scorer, rec) < 0) {
			got = rm_reader_wrap(in);
			break;
		}
		if (++n % 65536 == 0)
			rm_progress_update(&progress, (double)n, NULL);
	}
	rm_progress_end(&progress);
	return got;
}

/*
 * Single responses as comparisons with a reward of 0: d the reward, p the
 * label, so that the same figures can be taken.  Those without a label are
 * left out.
 */
static int compare_with_zero(struct rm_scores *s)
{
	const double *label = s->graded ? s->graded : s->label;
	size_t r, i, n = 0, clusters = 0;

	s->p = rm_malloc(s->responses, sizeof(*s->p));
	free(s->d);
	s->d = rm_malloc(s->responses, sizeof(*s->d));
	if (!s->p || !s->d)
		return -1;
	for (r = 0; r < s->records; r++) {
		i = rm_scores_response(s, r);
		if (rm_scores_response(s, r + 1) != i + 1 || !label ||
		    isnan(label[i]))
			continue;
		s->d[n] = s->reward[i];
		s->p[n] = label[i];
		if (s->weight)
			s->weight[n] = s->weight[r];
		if (s->cluster)
			s->cluster[n] = s->cluster[r];
		clusters += n == 0 || !s->cluster ||
			s->cluster[n] != s->cluster[n - 1];
		n++;
	}
	free(s->comparison);
	s->comparison = NULL;
	s->n = s->records = n;
	s->clusters = clusters;
	return n ? 0 : rm_fail("no comparisons and no single responses with "
			       "a score: nothing to calibrate");
}

/* The scores of a stream; *pairs: of comparisons, else of responses. */
static struct rm_scores *read_scores(struct rm_reader *in, bool *pairs)
{
	const struct rm_header *h = rm_reader_header(in);
	struct rm_scores *s = NULL;
	struct rm_buf complaint = {0};
	struct rm_scorer *scorer;
	int status = -1;

	scorer = rm_scorer_new(&h->schema, h->pairs, "reward", NULL);
	if (scorer && read_all(in, scorer, &complaint) == 0)
		s = rm_scorer_finish(scorer);
	if (s) {
		*pairs = s->n > 0;
		free(s->prob);
		s->prob = NULL;
		if (*pairs)
			status = 0;
		else if (complaint.len)
			rm_fail("%s", rm_buf_text(&complaint));
		else
			status = compare_with_zero(s);
	}
	rm_scorer_free(scorer);
	rm_buf_fini(&complaint);
	if (status < 0) {
		rm_scores_free(s);
		return NULL;
	}
	return s;
}

/* ---- fit: the calibration and what it did ---- */

/* What a fit sees: columns in full, and whose prompt each comparison is. */
struct points {
	struct rm_calib_data data;
	double *p, *weight;
	uint32_t *cluster;
};

static void fini_points(struct points *q)
{
	free(q->p);
	free(q->weight);
	free(q->cluster);
}

static int init_points(struct points *q, const struct rm_scores *s)
{
	uint32_t cluster = 0;
	size_t r, i;

	q->p = rm_malloc(s->n, sizeof(*q->p));
	q->weight = rm_malloc(s->n, sizeof(*q->weight));
	q->cluster = rm_malloc(s->n, sizeof(*q->cluster));
	q->data = (struct rm_calib_data){ s->n, s->d, q->p, q->weight };
	if (!q->p || !q->weight || !q->cluster)
		return -1;
	for (r = 0; r < s->records; r++) {
		cluster += r > 0 && (!s->cluster ||
				     s->cluster[r] != s->cluster[r - 1]);
		for (i = rm_scores_comparison(s, r);
		     i < rm_scores_comparison(s, r + 1); i++) {
			q->p[i] = rm_scores_p(s, i);
			q->weight[i] = rm_scores_weight(s, r);
			q->cluster[i] = cluster;
		}
	}
	return 0;
}

/* What the calibration does to each figure. */
enum { FIGURES = 3 };

struct effect {
	struct rm_figure before[FIGURES], after[FIGURES];
	struct rm_compared change;	/* after less before */
};

static int evaluate(struct rm_scores *s, struct rm_figure *f)
{
	const struct rm_metric_kind *metrics[FIGURES + 1] = {
		rm_metric_find("log_loss"), rm_metric_find("brier"),
		rm_metric_find("ece"), NULL
	};
	struct rm_evaluation e = { .metrics = metrics };

	return rm_evaluate(s, &e, f);
}

/* Of prob (taken) instead of sigmoid(d), which s has again afterwards. */
static int find_effect(struct rm_scores *s, double *prob, struct effect *e)
{
	struct rm_scores before = *s;
	struct rm_evaluation none = { .bootstrap = 0 };
	int status = evaluate(s, e->before);

	rm_scores_take_prob(s, prob);
	before.bins = NULL;
	s->other = &before;
	if (status == 0)
		status = evaluate(s, e->after);
	if (status == 0)
		status = rm_compare(s, &none, &e->change);
	s->other = NULL;
	rm_scores_take_prob(s, NULL);
	return status;
}

/* On the data that it was fitted to. */
static int find_fitted(struct rm_scores *s, const struct rm_calib *c,
		       struct effect *e)
{
	double *prob = rm_malloc(s->n, sizeof(*prob));
	size_t i;

	if (!prob)
		return -1;
#pragma omp parallel for if (s->n > 1 << 14)
	for (i = 0; i < s->n; i++)
		prob[i] = rm_calib_prob(c, s->d[i]);
	return find_effect(s, prob, e);
}

/* On data that the fits did not see. */
static int find_held_out(struct rm_scores *s, const struct points *q,
			 bool pairs, struct effect *e)
{
	double *prob = rm_malloc(s->n, sizeof(*prob));

	if (!prob)
		return -1;
	if (rm_calib_cross(o.fit, pairs, &q->data, q->cluster, s->clusters,
			   o.folds, (uint64_t)o.seed, prob) < 0) {
		free(prob);
		return rm_wrap("--folds");
	}
	return find_effect(s, prob, e);
}

static json_t *number(double x)
{
	return isnan(x) ? json_null() : json_real(x);
}

static void add_figures(json_t *object, const struct rm_figure *f, size_t n,
			bool intervals)
{
	char name[64];
	size_t i;

	for (i = 0; i < n; i++) {
		json_object_set_new(object, f[i].metric->name,
				    number(f[i].value));
		if (!intervals)
			continue;
		snprintf(name, sizeof(name), "%s_ci", f[i].metric->name);
		json_object_set_new(object, name, isnan(f[i].low) ?
				    json_null() :
				    json_pack("[f, f]", f[i].low, f[i].high));
	}
}

static int add_effect(json_t *json, const struct effect *e, bool intervals)
{
	json_t *before = json_object(), *after = json_object();

	add_figures(before, e->before, FIGURES, intervals);
	add_figures(after, e->after, FIGURES, intervals);
	if (json_object_set_new(json, "before", before) < 0 ||
	    json_object_set_new(json, "after", after) < 0)
		return rm_fail("out of memory");
	return 0;
}

static int add_held_out(json_t *json, const struct effect *e)
{
	json_t *held = json_object(), *change = json_object();

	json_object_set_new(held, "folds", json_integer((json_int_t)o.folds));
	json_object_set_new(held, "seed", json_integer(o.seed));
	add_figures(change, e->change.difference, RM_COMPARED, true);
	if (add_effect(held, e, true) < 0 ||
	    json_object_set_new(held, "change", change) < 0 ||
	    json_object_set_new(json, "held_out", held) < 0)
		return rm_fail("out of memory");
	return 0;
}

static void tell_fit(const struct rm_scores *s, const struct rm_calib *c,
		     bool pairs)
{
	struct rm_buf text = {0};

	rm_calib_describe(c, &text);
	rm_buf_printf(&text, ", fitted to %zu %s", s->n,
		      pairs ? "comparisons" : "responses");
	if (s->keyed)
		rm_buf_printf(&text, " of %zu prompts", s->clusters);
	rm_cli_note(&tool, "%s", text.failed ? "fitted" : rm_buf_text(&text));
	rm_buf_fini(&text);
}

static void tell_fitted(const struct effect *e)
{
	size_t i;

	for (i = 0; i < FIGURES; i++)
		rm_cli_note(&tool, "  %-8s  %.4f -> %.4f",
			    e->before[i].metric->name, e->before[i].value,
			    e->after[i].value);
	rm_cli_note(&tool, "  on the data it was fitted to: --folds judges "
		    "it on held-out data");
}

static void put_figure(struct rm_buf *out, const struct rm_figure *f,
		       bool sign, int width)
{
	char cell[96];
	int n = snprintf(cell, sizeof(cell), sign ? "%+.4f" : "%.4f",
			 f->value);

	if (!isnan(f->low))
		snprintf(cell + n, sizeof(cell) - (size_t)n,
			 " [%.4f, %.4f]", f->low, f->high);
	rm_buf_printf(out, "%-*s", width, cell);
}

static void tell_held_out(const struct rm_scores *s, const struct effect *e)
{
	struct rm_buf line = {0};
	size_t i, k;

	rm_cli_note(&tool, "  held out in %zu folds of %ss, 95 %% intervals:",
		    o.folds, s->keyed ? "prompt" : "record");
	rm_cli_note(&tool, "            %-25s%-25schange", "before",
		    "after");
	for (i = 0; i < FIGURES; i++) {
		rm_buf_printf(&line, "  %-8s  ", e->before[i].metric->name);
		put_figure(&line, &e->before[i], false, 25);
		put_figure(&line, &e->after[i], false, 25);
		for (k = 0; k < RM_COMPARED; k++)
			if (!strcmp(e->change.difference[k].metric->name,
				    e->before[i].metric->name))
				put_figure(&line, &e->change.difference[k],
					   true, 0);
		rm_cli_note(&tool, "%s", line.failed ? "" :
			    rm_buf_text(&line));
		rm_buf_clear(&line);
	}
	rm_buf_fini(&line);
}

static json_t *calibration_json(struct rm_scores *s, const struct rm_calib *c,
				const struct points *q, bool pairs)
{
	const bool folds = o.folds > 0;
	struct effect fitted, held;
	json_t *json;

	if (find_fitted(s, c, &fitted) < 0 ||
	    (folds && find_held_out(s, q, pairs, &held) < 0))
		return NULL;
	if (rm_calib_warning(c))
		rm_cli_note(&tool, "note: %s", rm_calib_warning(c));
	if (!o.quiet) {
		tell_fit(s, c, pairs);
		if (folds)
			tell_held_out(s, &held);
		else
			tell_fitted(&fitted);
	}
	json = rm_calib_json(c);
	if (json && (add_effect(json, &fitted, false) < 0 ||
		     (folds && add_held_out(json, &held) < 0))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int write_json(struct rm_output *out, const json_t *json)
{
	struct rm_buf text = {0};
	int status = -1;

	rm_json_print(&text, json, 2);
	rm_buf_putc(&text, '\n');
	if (!text.failed)
		status = rm_output_write(out, text.data, text.len);
	rm_buf_fini(&text);
	return status;
}

static int fit(struct rm_output *out, int argc, char **argv, int first)
{
	struct rm_reader *in = open_reader(argv + first,
					   (size_t)(argc - first));
	struct rm_header h = {0};
	struct rm_scores *s = NULL;
	struct rm_calib *c = NULL;
	struct points q = { .p = NULL };
	json_t *json = NULL;
	bool pairs;
	int status = -1;

	if (in && rm_header_copy(&h, rm_reader_header(in)) == 0)
		s = read_scores(in, &pairs);
	if (s && init_points(&q, s) == 0)
		c = rm_calib_fit(o.fit, pairs, &q.data);
	if (c)
		json = calibration_json(s, c, &q, pairs);
	if (s && !json)
		rm_wrap("%s", rm_reader_name(in));
	if (json && (o.no_history ||
		     (rm_header_add_history(&h, tool.name, argc, argv,
					    o.folds ? o.seed : -1) ==
		      0 && json_object_set(json, "history", h.history) == 0)))
		status = o.into ? rm_model_save_calibration(o.into, json) :
			write_json(out, json);
	json_decref(json);
	fini_points(&q);
	rm_calib_free(c);
	rm_scores_free(s);
	rm_reader_close(in);
	rm_header_fini(&h);
	return status;
}

/* ---- apply ---- */

static struct rm_calib *load_calib(const char *path)
{
	json_t *json = rm_json_load(path, (size_t)1 << 30);
	struct rm_calib *c;

	if (!json)
		return NULL;
	c = rm_calib_from_json(json);
	if (!c)
		rm_wrap("%s", path);
	json_decref(json);
	return c;
}

/* The header of what comes out; *prob is the field to replace or add. */
static int make_header(struct rm_header *h, const struct rm_reader *in,
		       int argc, char **argv, size_t *prob)
{
	int f;

	if (rm_header_copy(h, rm_reader_header(in)) < 0 ||
	    rm_schema_need(&h->schema, "reward", ": run rm-score first") < 0)
		return -1;
	f = rm_schema_find(&h->schema, "prob");
	if (f >= 0 && !o.force)
		return rm_fail("%s: field prob is there already: --force "
			       "replaces it", rm_reader_name(in));
	if (f < 0) {
		if (rm_schema_add(&h->schema, "prob") < 0)
			return -1;
		f = (int)h->schema.n - 1;
	}
	*prob = (size_t)f;
	return o.no_history ? 0 :
		rm_header_add_history(h, tool.name, argc, argv, -1);
}

/* P of one record, NaN where this calibration says nothing. */
static int record_prob(const struct rm_calib *c, const struct rm_record *rec,
		       int reward, double *prob)
{
	double r[2] = { 0, 0 };
	size_t i, k = rm_calib_pairs(c) ? 2 : 1;

	*prob = NAN;
	if (rec->k != k)
		return 0;
	for (i = 0; i < k; i++) {
		r[i] = rm_record_f64_at(rec, reward, i);
		if (!isfinite(r[i]))
			return rm_fail("field reward: that of response %zu is "
				       "%s", i, isnan(r[i]) ?
				       "missing (NaN)" : "infinite");
	}
	*prob = rm_calib_prob(c, r[0] - r[1]);
	return 0;
}

static int write_record(struct rm_writer *w, const struct rm_header *h,
			const struct rm_record *rec, size_t at, double prob,
			struct rm_buf *payload)
{
	size_t f;

	rm_buf_clear(payload);
	rm_put_array(payload, h->schema.n);
	for (f = 0; f < h->schema.n; f++)
		if (f != at)
			rm_put_raw(payload, rec->field[f]);
		else if (isnan(prob))
			rm_put_nil(payload);
		else
			rm_put_f64(payload, prob);
	return rm_writer_write(w, payload);
}

static int write_all(struct rm_writer *w, const struct rm_header *h,
		     struct rm_reader *in, const struct rm_calib *c,
		     size_t at)
{
	int reward = rm_schema_find(&h->schema, "reward"), got;
	const struct rm_record *rec;
	struct rm_progress progress;
	struct rm_buf payload = {0};
	size_t without = 0;
	double prob;

	rm_progress_start(&progress, &tool, "records", 0, o.quiet);
	while ((got = rm_reader_next(in, &rec)) > 0) {
		if (record_prob(c, rec, reward, &prob) < 0) {
			got = rm_reader_wrap(in);
			break;
		}
		without += isnan(prob) ? 1 : 0;
		got = write_record(w, h, rec, at, prob, &payload);
		if (got < 0)
			break;
		if (rm_writer_records(w) % 65536 == 0)
			rm_progress_update(&progress,
					   (double)rm_writer_records(w), NULL);
	}
	rm_progress_end(&progress);
	rm_buf_fini(&payload);
	if (got < 0)
		return -1;
	if (without && without == rm_writer_records(w))
		return rm_fail("no record has %s, which this calibration is "
			       "of", rm_calib_pairs(c) ? "two responses" :
			       "a single response");
	if (without && !o.quiet)
		rm_cli_note(&tool, "%zu records of other than %s have no "
			    "prob", without, rm_calib_pairs(c) ?
			    "two responses" : "one response");
	return rm_writer_finish(w);
}

static int apply(struct rm_output *out, int argc, char **argv, int first)
{
	struct rm_calib *c = load_calib(o.apply);
	struct rm_reader *in = NULL;
	struct rm_writer *w = NULL;
	struct rm_header h = {0};
	size_t at = 0;
	int status = -1;

	if (c)
		in = open_reader(argv + first, (size_t)(argc - first));
	if (in && make_header(&h, in, argc, argv, &at) == 0)
		w = rm_writer_open(out, &h);
	if (w)
		status = write_all(w, &h, in, c, at);
	rm_writer_free(w);
	rm_header_fini(&h);
	rm_reader_close(in);
	rm_calib_free(c);
	return status;
}

/* ---- main ---- */

static void check_usage(void)
{
	if (!o.fit == !o.apply)
		rm_cli_usage(&tool, "either --fit METHOD or --apply FILE");
	if (o.into && (o.apply || o.output))
		rm_cli_usage(&tool, "--into goes with --fit, without -o");
	if (o.folds == 1 || (o.folds && o.apply))
		rm_cli_usage(&tool, "--folds K goes with --fit, K at least 2");
}

int main(int argc, char **argv)
{
	struct rm_output *out = NULL;
	int first, ok = -1;

	o.threads = rm_cpu_count();
	first = rm_cli_parse(&tool, argc, argv);
	rm_cli_need_input(&tool, argc, first);
	check_usage();
	omp_set_num_threads((int)o.threads);
	if (!o.into)
		out = rm_output_open(o.output);
	if (out || o.into)
		ok = o.fit ? fit(out, argc, argv, first) :
			apply(out, argc, argv, first);
	return rm_cli_end(&tool, out, ok == 0);
}
