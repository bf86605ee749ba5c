/*
 * rm-calibrate: fit the map from rewards to probabilities, and apply it.
 */
#include "calib.h"
#include "cli.h"
#include "metric.h"
#include "model.h"
#include "stream.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char *fit, *into, *apply, *output;
	size_t threads, max_record;
	bool force, no_history, quiet;
} o = { .max_record = RM_MAX_RECORD };

static const struct rm_option options[] = {
	RM_OPT_CHOICE(0, "fit", &o.fit, "METHOD",
		      "fit to the labels of a scored stream",
		      rm_calib_methods),
	RM_OPT_STRING(0, "into", &o.into, "MODEL",
		      "with --fit: write into this model's rm.json"),
	RM_OPT_STRING(0, "apply", &o.apply, "FILE",
		      "add prob to a scored stream, as FILE says"),
	RM_OPT_FLAG(0, "force", &o.force,
		    "replace an existing prob; mix different tokenizers"),
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
	size_t r, i, n = 0;

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
		n++;
	}
	free(s->comparison);
	s->comparison = NULL;
	free(s->cluster);
	s->cluster = NULL;
	s->n = s->records = s->clusters = n;
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

/* p and weight of each comparison, in full. */
static struct rm_calib *fit_scores(const struct rm_scores *s, bool pairs)
{
	double *p = rm_malloc(s->n, sizeof(*p));
	double *weight = rm_malloc(s->n, sizeof(*weight));
	struct rm_calib_data data = { s->n, s->d, p, weight };
	struct rm_calib *c = NULL;
	size_t r, i;

	if (p && weight) {
		for (r = 0; r < s->records; r++)
			for (i = rm_scores_comparison(s, r);
			     i < rm_scores_comparison(s, r + 1); i++) {
				p[i] = rm_scores_p(s, i);
				weight[i] = rm_scores_weight(s, r);
			}
		c = rm_calib_fit(o.fit, pairs, &data);
	}
	free(p);
	free(weight);
	return c;
}

enum { FIGURES = 3 };

static int evaluate(struct rm_scores *s, struct rm_figure *f)
{
	const struct rm_metric_kind *metrics[FIGURES + 1] = {
		rm_metric_find("log_loss"), rm_metric_find("brier"),
		rm_metric_find("ece"), NULL
	};
	struct rm_evaluation e = { .metrics = metrics };

	return rm_evaluate(s, &e, f);
}

static int evaluate_both(struct rm_scores *s, const struct rm_calib *c,
			 struct rm_figure *before, struct rm_figure *after)
{
	size_t i;

	if (evaluate(s, before) < 0)
		return -1;
	s->prob = rm_malloc(s->n, sizeof(*s->prob));
	if (!s->prob)
		return -1;
#pragma omp parallel for if (s->n > 1 << 14)
	for (i = 0; i < s->n; i++)
		s->prob[i] = rm_calib_prob(c, s->d[i]);
	return evaluate(s, after);
}

static json_t *figures_json(const struct rm_figure *f)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < FIGURES; i++)
		json_object_set_new(object, f[i].metric->name,
				    isnan(f[i].value) ? json_null() :
				    json_real(f[i].value));
	return object;
}

static void tell(const struct rm_scores *s, const struct rm_calib *c,
		 bool pairs, const struct rm_figure *before,
		 const struct rm_figure *after)
{
	struct rm_buf text = {0};
	size_t i;

	if (rm_calib_warning(c))
		rm_cli_note(&tool, "note: %s", rm_calib_warning(c));
	if (o.quiet)
		return;
	rm_calib_describe(c, &text);
	rm_buf_printf(&text, ", fitted to %zu %s", s->n,
		      pairs ? "comparisons" : "responses");
	if (s->keyed && pairs)
		rm_buf_printf(&text, " of %zu prompts", s->clusters);
	rm_cli_note(&tool, "%s", text.failed ? "fitted" : rm_buf_text(&text));
	for (i = 0; i < FIGURES; i++)
		rm_cli_note(&tool, "  %-8s  %.4f -> %.4f",
			    before[i].metric->name, before[i].value,
			    after[i].value);
	rm_cli_note(&tool, "  on the data it was fitted to: judge it on "
		    "held-out data by rm-calibrate --apply | rm-eval");
	rm_buf_fini(&text);
}

static json_t *calibration_json(struct rm_scores *s, const struct rm_calib *c,
				bool pairs)
{
	struct rm_figure before[FIGURES], after[FIGURES];
	json_t *json;

	if (evaluate_both(s, c, before, after) < 0)
		return NULL;
	tell(s, c, pairs, before, after);
	json = rm_calib_json(c);
	if (json && (json_object_set_new(json, "before",
					 figures_json(before)) < 0 ||
		     json_object_set_new(json, "after",
					 figures_json(after)) < 0)) {
		json_decref(json);
		return rm_fail_null("out of memory");
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
	json_t *json = NULL;
	bool pairs;
	int status = -1;

	if (in && rm_header_copy(&h, rm_reader_header(in)) == 0)
		s = read_scores(in, &pairs);
	if (s)
		c = fit_scores(s, pairs);
	if (s && !c)
		rm_wrap("%s", rm_reader_name(in));
	if (c)
		json = calibration_json(s, c, pairs);
	if (json && (o.no_history ||
		     (rm_header_add_history(&h, tool.name, argc, argv, -1) ==
		      0 && json_object_set(json, "history", h.history) == 0)))
		status = o.into ? rm_model_save_calibration(o.into, json) :
			write_json(out, json);
	json_decref(json);
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
