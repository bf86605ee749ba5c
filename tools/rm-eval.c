/*
 * rm-eval: what a scored stream says of its model, with intervals.
 */
#include "cli.h"
#include "plot.h"
#include "stream.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct rm_strings metrics;
	const char *field, *by, *ties, *format, *against, *baseline, *ood,
		*suite, *output, *plot, *log;
	size_t bootstrap, threads, max_record;
	int64_t seed;
	struct rm_drift_limits limits;
	bool min_detectable, no_plots, force, no_history, quiet;
} o = { .field = "reward", .ties = "half", .format = "text", .seed = 1,
	.limits = { NAN, NAN, NAN },
	.max_record = RM_MAX_RECORD };

static const struct rm_option options[] = {
	RM_OPT_LIST(0, "metrics", &o.metrics, "LIST",
		    "these figures only; \"list\" explains all"),
	RM_OPT_STRING(0, "field", &o.field, "NAME",
		      "the field that holds the rewards"),
	RM_OPT_STRING(0, "by", &o.by, "FIELD",
		      "also by the values of FIELD or extra column (subset)"),
	RM_OPT_CHOICE(0, "ties", &o.ties, "HOW",
		      "how equal rewards count in the accuracy",
		      rm_ties_names),
	RM_OPT_SIZE(0, "bootstrap", &o.bootstrap, 0, 100000, "N",
		    "intervals from N resamples of prompts (0: formula)"),
	RM_OPT_STRING(0, "against", &o.against, "FILE",
		      "also the difference from FILE's scores of the same"),
	RM_OPT_STRING(0, "baseline", &o.baseline, "FILE",
		      "also the drift of rewards and lengths since FILE"),
	RM_OPT_STRING(0, "ood", &o.ood, "FILE",
		      "also the gap to FILE's figures, of other data"),
	RM_OPT_STRING(0, "suite", &o.suite, "NAME",
		      "also the table of a published benchmark (auto: that "
		      "of the records)"),
	RM_OPT_DOUBLE(0, "max-psi", &o.limits.psi, 0, HUGE_VAL, "X",
		      "exit 3 where a stability index exceeds X"),
	RM_OPT_DOUBLE(0, "max-ks", &o.limits.ks, 0, HUGE_VAL, "X",
		      "exit 3 where a Kolmogorov-Smirnov statistic does"),
	RM_OPT_DOUBLE(0, "max-shift", &o.limits.shift, 0, HUGE_VAL, "X",
		      "exit 3 where a mean moved over X standard deviations"),
	RM_OPT_FLAG(0, "min-detectable", &o.min_detectable,
		    "how small a difference of accuracy would be seen"),
	RM_OPT_CHOICE(0, "format", &o.format, "NAME", "kind of report",
		      rm_report_formats),
	RM_OPT_STRING(0, "plot", &o.plot, "DIR",
		      "also pictures as SVG and PNG in DIR (by gnuplot)"),
	RM_OPT_STRING(0, "log", &o.log, "FILE",
		      "also the curves of rm-train's log, in the pictures"),
	RM_OPT_FLAG(0, "no-plots", &o.no_plots,
		    "leave the pictures out of a page of HTML"),
	RM_OPT_FLAG(0, "force", &o.force,
		    "read streams of different tokenizers together"),
	RM_OPT_SEED(&o.seed),
	RM_OPT_THREADS(&o.threads),
	RM_OPT_NO_HISTORY(&o.no_history),
	RM_OPT_MAX_RECORD(&o.max_record),
	RM_OPT_OUTPUT(&o.output),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_END
};

static const struct rm_tool tool = {
	"rm-eval", "report how good the rewards of a scored stream are",
	"[FILE...]", options,
	"Reads scored groups or pairs (from rm-score), writes a report.\n"
};

/* ---- what is asked for ---- */

static int list_metrics(struct rm_output *out)
{
	const struct rm_metric_kind *const *m;
	struct rm_buf b = {0};
	int status = -1;

	for (m = rm_metrics(); *m; m++) {
		rm_buf_printf(&b, "%s\n    ", (*m)->name);
		rm_buf_wrap(&b, (*m)->definition, 4, 4);
	}
	if (!b.failed)
		status = rm_output_write(out, b.data, b.len);
	rm_buf_fini(&b);
	return status;
}

/* The chosen metrics in the order of reports, NULL last; NULL on error. */
static const struct rm_metric_kind **choose_metrics(void)
{
	const struct rm_metric_kind *const *all = rm_metrics();
	const struct rm_metric_kind **chosen;
	size_t i, j, n = 0, count = 0;

	while (all[count])
		count++;
	chosen = rm_calloc(count + 1, sizeof(*chosen));
	if (!chosen)
		return NULL;
	for (j = 0; j < o.metrics.n; j++)
		if (!rm_metric_find(o.metrics.item[j])) {
			free(chosen);
			return NULL;
		}
	for (i = 0; i < count; i++) {
		bool wanted = o.metrics.n == 0;

		for (j = 0; j < o.metrics.n; j++)
			wanted |= !strcmp(all[i]->name, o.metrics.item[j]);
		if (wanted)
			chosen[n++] = all[i];
	}
	return chosen;
}

static enum rm_ties chosen_ties(void)
{
	size_t i = 0;

	while (strcmp(rm_ties_names[i], o.ties) != 0)
		i++;
	return (enum rm_ties)i;
}

/* ---- reading ---- */

/* What a stream holds beside rewards; each NULL where it is not read. */
struct beside {
	struct rm_beside *head;		/* what its head said */
	struct rm_attacks_reader *attacks;
	struct rm_suite *suite;
};

static int add_beside(const struct beside *b, const struct rm_record *rec)
{
	if (b->head && rm_beside_add(b->head, rec) < 0)
		return -1;
	if (b->attacks && rm_attacks_add(b->attacks, rec) < 0)
		return -1;
	return b->suite ? rm_suite_add(b->suite, rec) : 0;
}

static void fini_beside(struct beside *b)
{
	rm_beside_free(b->head);
	rm_attacks_free(b->attacks);
	rm_suite_free(b->suite);
}

static int read_all(struct rm_reader *in, struct rm_scorer *scorer,
		    const struct beside *beside)
{
	const struct rm_record *rec;
	struct rm_progress progress;
	size_t n = 0;
	int got;

	rm_progress_start(&progress, &tool, "records", 0, o.quiet);
	while ((got = rm_reader_next(in, &rec)) > 0) {
		if (rm_scorer_add(scorer, rec) < 0 ||
		    (beside && add_beside(beside, rec) < 0)) {
			got = rm_reader_wrap(in);
			break;
		}
		if (++n % 65536 == 0)
			rm_progress_update(&progress, (double)n, NULL);
	}
	rm_progress_end(&progress);
	return got;
}

/* What stands beside the field reward is no metric to be chosen. */
static int open_beside(struct beside *b, const struct rm_header *h)
{
	if (o.suite) {
		b->suite = rm_suite_new(&h->schema, h->pairs, o.suite,
					o.field);
		if (!b->suite)
			return -1;
	}
	if (o.metrics.n > 0 || strcmp(o.field, "reward") != 0)
		return 0;
	b->head = rm_beside_new(&h->schema);
	if (!b->head)
		return -1;
	if (rm_schema_find(&h->schema, "attack") < 0)
		return 0;
	b->attacks = rm_attacks_new(&h->schema, h->pairs);
	return b->attacks ? 0 : -1;
}

/* Nothing to compare, or nothing that a reward said. */
static int check_scores(const struct rm_scores *s, const char *name)
{
	size_t i;

	/* Drift needs rewards only, and refuses those that say nothing. */
	if (o.baseline)
		return 0;
	if (!s->n)
		return rm_fail("%s: no comparisons in %zu records: each has "
			       "one response or no differing labels", name,
			       s->records);
	for (i = 0; i < s->n; i++)
		if (s->d[i] != 0)
			return 0;
	return rm_fail("%s: every comparison ties (constant rewards): there "
		       "is nothing to evaluate", name);
}

/* What makes the parts, or NULL. */
static const char *find_by(const struct rm_reader *in)
{
	if (!o.by && rm_schema_find(&rm_reader_header(in)->schema,
				    "subset") >= 0)
		return "subset";
	return o.by;
}

/*
 * The scores of a stream, and what is there beside rewards unless that is
 * NULL.
 */
static struct rm_scores *read_scores(struct rm_reader *in, const char *by,
				     bool ids, struct beside *beside)
{
	const struct rm_header *h = rm_reader_header(in);
	struct rm_scores *scores = NULL;
	struct rm_scorer *scorer;

	if (beside && open_beside(beside, h) < 0) {
		rm_wrap("%s", rm_reader_name(in));
		return NULL;
	}
	scorer = rm_scorer_new(&h->schema, h->pairs, o.field, by);
	if (scorer && ids && rm_scorer_keep_ids(scorer) < 0) {
		rm_wrap("%s: --against joins by id", rm_reader_name(in));
		rm_scorer_free(scorer);
		return NULL;
	}
	if (scorer && read_all(in, scorer, beside) == 0)
		scores = rm_scorer_finish(scorer);
	rm_scorer_free(scorer);
	if (scores && check_scores(scores, rm_reader_name(in)) < 0) {
		rm_scores_free(scores);
		return NULL;
	}
	return scores;
}

/* Names of the inputs, for the title; bytes that are no text become ?. */
static const char *join_paths(struct rm_buf *title, const char *const *paths,
			      size_t n)
{
	size_t i, bad;

	for (i = 0; i < n; i++)
		rm_buf_printf(title, "%s%s", i ? ", " : "",
			      strcmp(paths[i], "-") ? paths[i] : "<stdin>");
	if (n == 0)
		rm_buf_puts(title, "<stdin>");
	while (!title->failed &&
	       (bad = rm_utf8_valid(title->data, title->len)) < title->len)
		title->data[bad] = '?';
	return rm_buf_text(title);
}

/* The scores of another file, by name. */
static struct rm_scores *read_file(const char *name, bool ids)
{
	struct rm_reader_options ro = { .max_record = o.max_record };
	char *path = (char *)(uintptr_t)name;
	struct rm_reader *in = rm_reader_open(&path, 1, &ro);
	struct rm_scores *s = NULL;

	if (in && rm_schema_need(&rm_reader_header(in)->schema, o.field,
				 ": run rm-score first") < 0)
		rm_wrap("%s", rm_reader_name(in));
	else if (in)
		s = read_scores(in, NULL, ids, NULL);
	rm_reader_close(in);
	return s;
}

/* What else was asked for; the names are for messages and the report. */
struct others {
	struct rm_scores *against, *baseline, *ood;
	struct rm_buf against_name, baseline_name, ood_name;
	struct rm_compared compared;
	struct rm_drift drift;
	struct rm_ood gaps;
	struct rm_attacks attacks;
	struct rm_suite_figures suite;
	struct rm_best_of best;
};

static void fini_others(struct others *x)
{
	rm_scores_free(x->against);
	rm_scores_free(x->baseline);
	rm_scores_free(x->ood);
	rm_ood_fini(&x->gaps);
	rm_buf_fini(&x->ood_name);
	rm_buf_fini(&x->against_name);
	rm_buf_fini(&x->baseline_name);
}

/* The scores of --against, joined to `s`, and those of --baseline. */
static int read_others(struct others *x, struct rm_scores *s,
		       const char *name)
{
	const char *other;

	if (o.against) {
		other = join_paths(&x->against_name, &o.against, 1);
		x->against = other ? read_file(o.against, true) : NULL;
		if (!x->against ||
		    rm_scores_join(s, name, &x->against, other) < 0)
			return -1;
	}
	if (o.baseline) {
		other = join_paths(&x->baseline_name, &o.baseline, 1);
		x->baseline = other ? read_file(o.baseline, false) : NULL;
		if (!x->baseline)
			return -1;
	}
	if (o.ood) {
		other = join_paths(&x->ood_name, &o.ood, 1);
		x->ood = other ? read_file(o.ood, false) : NULL;
		if (!x->ood)
			return -1;
		x->ood->ties = s->ties;
	}
	return 0;
}

/* ---- the report ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct rm_report_part *)a)->name,
		      ((const struct rm_report_part *)b)->name);
}

static int evaluate_part(const struct rm_scores *s, size_t part,
			 const struct rm_evaluation *e, size_t metrics,
			 struct rm_report_part *out)
{
	struct rm_scores *chosen = rm_scores_part(s, part);
	int status = -1;

	out->name = s->part_name[part];
	out->figures = rm_malloc(metrics, sizeof(*out->figures));
	if (chosen && out->figures) {
		out->n = chosen->n;
		status = rm_evaluate(chosen, e, out->figures);
	}
	rm_scores_free(chosen);
	return status;
}

/* The table behind ece, and that behind ece_mass, where they are shown. */
static int find_bins(struct rm_scores *s, struct rm_report *r)
{
	static const char *const of[RM_BINS_TABLES] = { "ece", "ece_mass" };
	size_t k, i;

	for (k = 0; k < RM_BINS_TABLES && s->n; k++)
		for (i = 0; i < r->metrics; i++) {
			if (strcmp(r->figures[i].metric->name, of[k]) != 0)
				continue;
			r->bins[k] = rm_scores_bins(s, (enum rm_bins_kind)k);
			if (!r->bins[k])
				return -1;
		}
	return 0;
}

static int evaluate(struct rm_scores *s, const struct rm_evaluation *e,
		    struct rm_report *r)
{
	size_t i;

	while (e->metrics[r->metrics])
		r->metrics++;
	r->figures = rm_malloc(r->metrics, sizeof(*r->figures));
	r->part = rm_calloc(s->parts, sizeof(*r->part));
	if (!r->figures || !r->part || rm_evaluate(s, e, r->figures) < 0 ||
	    find_bins(s, r) < 0)
		return -1;
	rm_order_fini(&s->order);
	for (i = 0; i < s->parts; i++, r->parts++)
		if (evaluate_part(s, i, e, r->metrics, &r->part[i]) < 0)
			return -1;
	qsort(r->part, r->parts, sizeof(*r->part), by_name);
	return 0;
}

/* What could be seen, of the accuracy's standard error. */
static int find_detectable(struct rm_scores *s, struct rm_report *r)
{
	const struct rm_metric_kind *metrics[] = {
		rm_metric_find("accuracy"), NULL
	};
	struct rm_evaluation e = { .metrics = metrics };
	struct rm_figure f;

	if (rm_evaluate(s, &e, &f) < 0)
		return -1;
	r->detectable = true;
	r->fixed = rm_detectable(f.error);
	r->apart = r->fixed * sqrt(2);
	if (isnan(r->fixed))
		return rm_fail("--min-detectable: %s",
			       isnan(f.value) ? f.metric->absent :
			       s->clusters < 2 ? "one prompt alone tells "
			       "nothing of the spread of accuracy" :
			       "all prompts have the same accuracy, which "
			       "tells nothing of its spread");
	return 0;
}

static int compare(struct rm_scores *s, const struct rm_evaluation *e,
		   struct others *x, struct rm_report *r)
{
	if (x->against) {
		if (rm_compare(s, e, &x->compared) < 0)
			return -1;
		r->against = &x->compared;
	}
	if (x->baseline) {
		if (rm_drift(s, r->input, x->baseline, r->baseline,
			     &x->drift) < 0)
			return -1;
		r->drift = &x->drift;
	}
	if (x->ood) {
		if (rm_ood_find(r->figures, r->metrics, x->ood,
				&x->gaps) < 0)
			return rm_wrap("%s", r->ood_input);
		r->ood = &x->gaps;
	}
	return o.min_detectable ? find_detectable(s, r) : 0;
}

static void fini_report(struct rm_report *r, size_t parts)
{
	size_t i;

	for (i = 0; r->part && i < parts; i++)
		free(r->part[i].figures);
	free(r->part);
	free(r->figures);
}

/* Committed whatever the limits say; the exit status. */
static int check_drift(const struct rm_report *r)
{
	struct rm_buf message = {0};
	int status = RM_EXIT_OK;

	if (r->drift && rm_drift_exceeds(r->drift, &o.limits, &message)) {
		rm_cli_note(&tool, "drift: %s", rm_buf_text(&message));
		status = RM_EXIT_CHECK;
	}
	rm_buf_fini(&message);
	return status;
}

/* ---- pictures ---- */

static bool is_html(void)
{
	return strcmp(o.format, "html") == 0;
}

static bool wants_pictures(void)
{
	return o.plot || (is_html() && !o.no_plots);
}

/* Of what was not given at all there is nothing to say. */
static bool given(const struct rm_report *r, enum rm_place place)
{
	return place == RM_PLACE_TRAINING ? o.log != NULL :
		place == RM_PLACE_ATTACK ? r->attacks != NULL : true;
}

static void note_absent(const struct rm_report *r,
			const struct rm_plots *plots)
{
	size_t i;

	for (i = 0; o.plot && !o.quiet && i < plots->n; i++)
		if (plots->picture[i].absent &&
		    given(r, plots->picture[i].place))
			rm_cli_note(&tool, "no picture %s: %s",
				    plots->picture[i].name,
				    plots->picture[i].absent);
}

/* Drawn before anything is written, so that a failure leaves nothing. */
static int draw(const struct rm_scores *s, struct rm_report *r,
		struct rm_plots *plots)
{
	struct rm_training_log log = {0};
	struct rm_plot_data data = { s, r, o.log ? &log : NULL };
	int status;

	if (!wants_pictures())
		return 0;
	if (o.log && rm_training_log_load(&log, o.log) < 0) {
		rm_training_log_fini(&log);
		return -1;
	}
	status = rm_plots_draw(plots, &data, o.plot != NULL);
	if (status == 0) {
		r->pictures = plots->n;
		r->picture = plots->picture;
		note_absent(r, plots);
	} else if (is_html() && !o.plot) {
		rm_wrap("--format html (--no-plots: without pictures)");
	}
	rm_training_log_fini(&log);
	return status;
}

/* How a stream came to be attacked: the last that says so. */
static const json_t *find_attack(const json_t *history)
{
	size_t i = json_array_size(history);

	while (i-- > 0) {
		const json_t *step = json_array_get(history, i);
		const json_t *spec = json_object_get(step, "attack");

		if (json_is_object(spec))
			return spec;
	}
	return NULL;
}

static int finish_beside(struct beside *b, const struct rm_evaluation *e,
			 struct others *x, struct rm_report *r)
{
	const json_t *spec = x->attacks.spec;

	if (b->head && rm_beside_finish(b->head, &r->beside) < 0)
		return -1;
	if (b->suite) {
		if (rm_suite_finish(b->suite, &x->suite) < 0)
			return rm_wrap("%s", r->input);
		r->suite = &x->suite;
	}
	if (!b->attacks)
		return 0;
	if (rm_attacks_finish(b->attacks, r->ties, e, &x->attacks) < 0)
		return -1;
	x->attacks.spec = spec;
	r->attacks = &x->attacks;
	return 0;
}

static int report(struct rm_output *out, struct rm_scores *s,
		  const struct rm_evaluation *e, struct rm_report *r,
		  struct others *x, struct beside *beside)
{
	struct rm_plots plots = {0};
	struct rm_buf text = {0};
	int status = evaluate(s, e, r);

	if (status == 0)
		status = finish_beside(beside, e, x, r);
	if (status == 0)
		status = compare(s, e, x, r);
	if (status == 0 && o.metrics.n == 0) {
		status = rm_scores_best_of(s, &x->best);
		r->best = &x->best;
	}
	if (status == 0)
		status = draw(s, r, &plots);
	if (status == 0)
		status = rm_report_render(r, o.format, &text);
	if (status == 0 && o.plot)
		status = rm_plots_save(&plots, o.plot);
	if (status == 0)
		status = rm_output_write(out, text.data, text.len);
	rm_plots_fini(&plots);
	rm_buf_fini(&text);
	fini_report(r, s->parts);
	if (status < 0)
		return RM_EXIT_FAIL;
	return check_drift(r);
}

static int report_all(struct rm_output *out, struct rm_scores *s,
		      const struct rm_evaluation *e, const char *input,
		      const char *by, const struct rm_header *h,
		      struct beside *beside)
{
	struct others x = { .attacks.spec = find_attack(h->history) };
	struct rm_report r = {
		.input = input, .n = s->n, .records = s->records,
		.responses = s->responses, .clusters = s->clusters,
		.keyed = s->keyed, .grouped = s->comparison != NULL,
		.calibrated = s->prob != NULL, .ties = s->ties,
		.bootstrap = e->bootstrap, .length_unit = s->length_unit,
		.by = by, .history = o.no_history ? NULL : h->history,
		.chat_template = json_string_value(
			json_object_get(h->policy, "template"))
	};
	int status = RM_EXIT_FAIL;

	if (read_others(&x, s, input) == 0) {
		r.other = rm_buf_text(&x.against_name);
		r.baseline = rm_buf_text(&x.baseline_name);
		r.ood_input = rm_buf_text(&x.ood_name);
		status = report(out, s, e, &r, &x, beside);
	}
	fini_others(&x);
	return status;
}

/* The exit status. */
static int eval(struct rm_output *out, const struct rm_metric_kind **metrics,
		int argc, char **argv, int first)
{
	size_t n = (size_t)(argc - first);
	struct rm_reader_options ro = { .max_record = o.max_record,
					.force = o.force };
	struct rm_evaluation e = { metrics, o.bootstrap, (uint64_t)o.seed };
	struct rm_reader *in = rm_reader_open(argv + first, n, &ro);
	struct rm_scores *scores = NULL;
	struct beside beside = {0};
	struct rm_header h = {0};
	struct rm_buf title = {0};
	const char *by = in ? find_by(in) : NULL, *input;
	int status = RM_EXIT_FAIL;

	if (in && rm_header_copy(&h, rm_reader_header(in)) == 0)
		scores = read_scores(in, by, o.against != NULL,
				     &beside);
	if (scores && (o.no_history ||
		       rm_header_add_history(&h, tool.name, argc, argv,
					     o.seed) == 0)) {
		scores->ties = chosen_ties();
		rm_keep_freed();
		input = join_paths(&title, (const char *const *)argv + first,
				   n);
		if (input)
			status = report_all(out, scores, &e, input, by,
					    &h, &beside);
	}
	rm_scores_free(scores);
	fini_beside(&beside);
	rm_reader_close(in);
	rm_header_fini(&h);
	rm_buf_fini(&title);
	return status;
}

/* A limit without anything to be held against is a mistake. */
static void check_limits(void)
{
	if (!o.baseline && !(isnan(o.limits.psi) && isnan(o.limits.ks) &&
			     isnan(o.limits.shift)))
		rm_cli_usage(&tool, "--max-psi, --max-ks and --max-shift are "
			     "of --baseline");
}

/* RewardBench's results are of its records. */
static void check_suite(void)
{
	const char *const *name = rm_suite_names();
	struct rm_buf names = {0};

	if (!o.suite && strcmp(o.format, "rewardbench") == 0)
		o.suite = "auto";
	while (o.suite && *name && strcmp(*name, o.suite) != 0)
		name++;
	if (!o.suite || *name)
		return;
	rm_join_names(&names, rm_suite_names());
	rm_cli_usage(&tool, "--suite: no benchmark \"%s\" (there are %s)",
		     o.suite, names.failed ? "others" : rm_buf_text(&names));
}

static void check_pictures(void)
{
	if (o.no_plots && o.plot)
		rm_cli_usage(&tool, "--plot draws what --no-plots leaves out");
	if (o.log && !wants_pictures())
		rm_cli_usage(&tool, "--log is of --plot and --format html");
}

int main(int argc, char **argv)
{
	const struct rm_metric_kind **metrics = NULL;
	struct rm_output *out;
	bool list;
	int first, status = RM_EXIT_FAIL, end;

	o.threads = rm_cpu_count();
	first = rm_cli_parse(&tool, argc, argv);
	check_limits();
	check_pictures();
	check_suite();
	list = o.metrics.n == 1 && !strcmp(o.metrics.item[0], "list");
	if (!list) {
		rm_cli_need_input(&tool, argc, first);
		metrics = choose_metrics();
		if (!metrics)
			rm_cli_usage(&tool, "--metrics: %s", rm_error());
	}
	omp_set_num_threads((int)o.threads);
	out = rm_output_open(o.output);
	if (out && list)
		status = list_metrics(out) < 0 ? RM_EXIT_FAIL : RM_EXIT_OK;
	else if (out)
		status = eval(out, metrics, argc, argv, first);
	free(metrics);
	rm_strings_fini(&o.metrics);
	end = rm_cli_end(&tool, out, status != RM_EXIT_FAIL);
	return end ? end : status;
}
