/* rm-train: a stream of preferences into a reward model. */
#include "cli.h"
#include "train.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Validation examples from which on their loss is more than noise. */
#define VALID_TELLS 200

static struct {
	const char *output, *base, *backbone, *head, *loss, *valid, *schedule;
	const char *dropout, *log, *precision, *shuffle;
	struct rm_strings freeze, lora_targets;
	double layer_decay, lora_alpha, rate;
	size_t lora, log_steps, threads, memory, max_record;
	bool force, no_history, quiet, recompute;
	struct rm_train_options train;
} o = {
	.backbone = "bag", .loss = "bt",
	.valid = "0", .schedule = "linear", .precision = "auto",
	.shuffle = "pairs",
	.layer_decay = 1, .log_steps = 10,
	.threads = 1, .memory = (size_t)1 << 30,
	.max_record = RM_MAX_RECORD
};

static const struct rm_option options[] = {
	RM_OPT_STRING('o', "output", &o.output, "MODEL",
		      "write the model directory MODEL"),
	RM_OPT_STRING('b', "base", &o.base, "MODEL",
		      "go on from the parameters of MODEL"),
	RM_OPT_STRING(0, "backbone", &o.backbone, "NAME[:k=v,...]",
		      "ids into hidden rows; list explains them"),
	RM_OPT_STRING(0, "head", &o.head, "NAME[:k=v,...]",
		      "hidden rows into rewards; list explains them [linear, "
		      "of a transformer native]"),
	RM_OPT_STRING(0, "loss", &o.loss, "NAME[:k=v,...]",
		      "what is made small; list explains them"),
	RM_OPT_STRING(0, "valid", &o.valid, "STREAM|FRACTION",
		      "validate on STREAM, or a fraction of the keys; 0: none"),
	RM_OPT_SIZE(0, "valid-steps", &o.train.valid_steps, 0, 1e15, "N",
		    "validate every N steps too; 0: after each epoch"),
	RM_OPT_SIZE(0, "epochs", &o.train.epochs, 0, 1e6, "N",
		    "passes over the data; 0: 5, of a transformer 1, of a "
		    "new one 3"),
	RM_OPT_SIZE(0, "batch", &o.train.batch, 0, 1e6, "N",
		    "pairs a step, or groups; 0: as many as have 128 "
		    "responses, of a transformer 32"),
	RM_OPT_SIZE(0, "micro-tokens", &o.train.micro_tokens, 0, 1e12, "N",
		    "tokens of a step computed at once; 0: as needed"),
	RM_OPT_FLAG(0, "recompute", &o.recompute,
		    "keep less of the way there: less memory, more time"),
	RM_OPT_PRECISION(&o.precision),
	RM_OPT_DOUBLE(0, "lr", &o.train.optim.lr, 0, 1e9, "X",
		      "peak learning rate [0.001, of a transformer 5e-05, of "
		      "a new one 0.0003, with --lora 0.0005]"),
	RM_OPT_STRING(0, "schedule", &o.schedule, "NAME",
		      "course of the learning rate; list explains them"),
	RM_OPT_CHOICE(0, "shuffle", &o.shuffle, "WHAT",
		      "what stands in random order in an epoch; none: pairs as "
		      "in the stream", rm_train_shuffle_names),
	RM_OPT_DOUBLE(0, "warmup", &o.train.warmup, 0, 1, "F",
		      "share of the steps over which the rate rises [0, of a "
		      "transformer 0.1]"),
	RM_OPT_DOUBLE(0, "weight-decay", &o.train.optim.weight_decay, 0, 1e3,
		      "X", "decoupled weight decay"),
	RM_OPT_DOUBLE(0, "layer-decay", &o.layer_decay, 1e-6, 1, "X",
		      "rate of a layer over that of the one above"),
	RM_OPT_LIST(0, "freeze", &o.freeze, "GLOB,...",
		    "parameters that are not trained"),
	RM_OPT_SIZE(0, "lora", &o.lora, 0, 65536, "R",
		    "train changes of rank R of the layers' matrices and the "
		    "head, not the rest; 0: no such thing"),
	RM_OPT_DOUBLE(0, "lora-alpha", &o.lora_alpha, 0, 1e9, "X",
		      "changes count X / R times; 0: twice"),
	RM_OPT_LIST(0, "lora-targets", &o.lora_targets, "GLOB,...",
		    "of those matrices these alone"),
	RM_OPT_STRING(0, "dropout", &o.dropout, "P|config",
		      "dropout: of a transformer, or the head's alone"),
	RM_OPT_DOUBLE(0, "clip", &o.train.optim.clip, 0, 1e9, "X",
		      "largest norm of the gradient; 0: no clipping [0, for "
		      "squared errors of n-grams 1]"),
	RM_OPT_SIZE(0, "patience", &o.train.patience, 0, 1e6, "N",
		    "stop after N validations without a lower loss; 0: never"),
	RM_OPT_STRING(0, "checkpoint", &o.train.checkpoint, "DIR",
		      "save what a run needs to go on in DIR"),
	RM_OPT_SIZE(0, "checkpoint-steps", &o.train.checkpoint_steps, 1, 1e15,
		    "N", "a checkpoint every N steps"),
	RM_OPT_FLAG(0, "resume", &o.train.resume,
		    "go on from the checkpoint, if there is one"),
	RM_OPT_STRING(0, "log", &o.log, "FILE", "figures as JSON lines"),
	RM_OPT_SIZE(0, "log-steps", &o.log_steps, 1, 1e15, "N",
		    "a line every N steps"),
	RM_OPT_SIZE(0, "memory", &o.memory, 0, 1e15, "BYTES",
		    "ids, and rows of a frozen backbone, kept in memory"),
	RM_OPT_SEED(&o.train.seed),
	RM_OPT_THREADS(&o.threads),
	RM_OPT_FLAG(0, "force", &o.force,
		    "replace what is not ours; mix tokenizers"),
	RM_OPT_NO_HISTORY(&o.no_history),
	RM_OPT_MAX_RECORD(&o.max_record),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_END
};

static const struct rm_tool tool = {
	"rm-train", "train a reward model on preferences",
	"-o MODEL [FILE...]", options,
	"Reads groups or pairs, writes a model directory.\n"
};

/* ---- figures ---- */

/* Where the figures of the steps since the last line go. */
struct monitor {
	struct rm_progress progress;
	int log;			/* -1: none */
	char *failed;			/* first failure to write it */
	double start, since;		/* seconds */
	double examples, tokens;
	struct {
		double loss, correct, examples;
		uint64_t steps, tokens;
	} window;
	double valid_accuracy;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int open_log(struct monitor *m)
{
	int how = o.train.resume ? O_APPEND : O_TRUNC;

	m->log = -1;
	if (!o.log)
		return 0;
	m->log = open(o.log, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0666);
	return m->log < 0 ? rm_fail("%s: %s", o.log, strerror(errno)) : 0;
}

/*
 * A line of the log, whole.  A log that cannot be written costs the exit
 * status, not the run.
 */
static void write_log(struct monitor *m, const struct rm_buf *line)
{
	if (line->failed || m->failed)
		return;
	if (write(m->log, line->data, line->len) == (ssize_t)line->len)
		return;
	rm_fail("%s: %s", o.log, strerror(errno));
	m->failed = rm_strdup(rm_error());
}

static void put_number(struct rm_buf *b, const char *name, double x)
{
	rm_buf_printf(b, ", \"%s\": ", name);
	rm_json_number(b, x);
}

static void log_step(struct monitor *m, const struct rm_train_report *r)
{
	double now = seconds(), took = now - m->since;
	struct rm_buf b = {0};

	rm_buf_printf(&b, "{\"step\": %llu", (unsigned long long)r->step);
	put_number(&b, "epoch", r->epoch);
	put_number(&b, "loss", m->window.loss / m->window.examples);
	put_number(&b, "accuracy", m->window.correct / m->window.examples);
	put_number(&b, "lr", r->lr);
	put_number(&b, "grad_norm", r->grad_norm);
	put_number(&b, "tokens_per_s", took > 0 ? round(
		   (double)m->window.tokens / took) : 0);
	put_number(&b, "tokens", m->tokens);
	put_number(&b, "seconds", now - m->start);
	rm_buf_puts(&b, "}\n");
	write_log(m, &b);
	rm_buf_fini(&b);
	memset(&m->window, 0, sizeof(m->window));
	m->since = now;
}

static void log_valid(struct monitor *m, const struct rm_train_report *r)
{
	struct rm_buf b = {0};

	rm_buf_printf(&b, "{\"step\": %llu", (unsigned long long)r->step);
	put_number(&b, "epoch", r->epoch);
	put_number(&b, "valid_loss", r->loss);
	put_number(&b, "valid_accuracy", r->accuracy);
	rm_buf_printf(&b, ", \"best\": %s}\n", r->best ? "true" : "false");
	write_log(m, &b);
	rm_buf_fini(&b);
}

static void show_progress(struct monitor *m, const struct rm_train_report *r)
{
	char extra[160], rate[32];
	double took = seconds() - m->start;
	int n;

	rm_progress_scale(rate, sizeof(rate), m->tokens / fmax(took, 1e-3));
	n = snprintf(extra, sizeof(extra), "loss %.4f, %s tokens/s", r->loss,
		     rate);
	if (isfinite(m->valid_accuracy))
		n += snprintf(extra + n, sizeof(extra) - (size_t)n,
			      ", valid accuracy %.4f", m->valid_accuracy);
	snprintf(extra + n, sizeof(extra) - (size_t)n, ", epoch %.2f",
		 r->epoch);
	rm_progress_update(&m->progress, m->examples, extra);
}

static int report(void *arg, const struct rm_train_report *r)
{
	struct monitor *m = arg;

	if (r->valid) {
		m->valid_accuracy = r->accuracy;
		if (m->log >= 0)
			log_valid(m, r);
		/* Its time is not the next steps'. */
		m->since = seconds();
		return 0;
	}
	/* What is left of a run that goes on is less. */
	if (m->examples <= 0)
		m->progress.total *= 1 - (double)(r->step - 1) /
			(double)r->total;
	m->examples += (double)r->examples;
	m->tokens += (double)r->tokens;
	show_progress(m, r);
	if (m->log < 0)
		return 0;
	m->window.loss += r->loss * (double)r->examples;
	m->window.correct += r->accuracy * (double)r->examples;
	m->window.examples += (double)r->examples;
	m->window.tokens += r->tokens;
	m->window.steps++;
	if (m->window.steps == o.log_steps || r->step == r->total)
		log_step(m, r);
	return 0;
}

/* ---- what is trained on what ---- */

struct run {
	json_t *backbone, *head, *loss, *settings;
	struct rm_reader *in;
	struct rm_dataset *data, *valid_data;
	struct rm_subset train, valid;
	bool has_valid, drops_inside;
	struct rm_model *model;
	struct rm_loss *objective;
	struct rm_loss_wants wants;
	struct monitor monitor;
	struct rm_train_result result;
};

/*
 * Of a base or a new transformer, its rate, NaN for config.json's; else the
 * head's key.
 */
static int parse_dropout(struct run *r)
{
	if (!o.dropout)
		return 0;
	r->drops_inside = o.base ||
		rm_backbone_kind_of(r->backbone)->spec.described;
	if (!r->drops_inside)
		return rm_head_set(r->head, "dropout", o.dropout);
	if (strcmp(o.dropout, "config") != 0)
		return rm_parse_double(o.dropout, 0, .95, &o.rate);
	o.rate = (double)NAN;
	return 0;
}

/* What the options name; a wrong name or value is wrong usage. */
static int parse_parts(struct run *r)
{
	r->backbone = rm_backbone_parse(o.backbone);
	if (!r->backbone)
		return -1;
	r->head = rm_head_parse(o.head ? o.head :
				rm_model_usual_head(r->backbone));
	r->loss = rm_loss_parse(o.loss);
	if (r->loss && rm_loss_wants(r->loss, &r->wants) < 0)
		return -1;
	o.train.schedule = rm_schedule_find(o.schedule);
	if (!r->head || !r->loss || !o.train.schedule)
		return -1;
	/* Those of a base once it is known. */
	if (!o.base && rm_model_check_parts(r->backbone, r->head) < 0)
		return -1;
	if (parse_dropout(r) < 0)
		return -1;
	o.train.precision = rm_cli_precision(o.precision);
	o.train.shuffle = rm_train_shuffle_of(o.shuffle);
	return 0;
}

static int open_data(struct run *r, char **paths, size_t n)
{
	const struct rm_reader_options how = {
		.max_record = o.max_record, .force = o.force
	};

	r->in = rm_reader_open(paths, n, &how);
	return r->in ? 0 : -1;
}

/* What the loss wants of a stream, and grades by the head's objectives. */
static struct rm_dataset *read_data(const struct run *r, struct rm_reader *in)
{
	const struct rm_head *head = r->model->head;
	/* Names of other columns, such as levels, are the head's own. */
	bool named = json_object_get(r->model->head_config, "objectives");
	const struct rm_dataset_options how = {
		.memory = o.memory, .wants = r->wants, .grades = head->names,
		.n_grades = named ? head->columns - 1 : 0
	};

	return rm_dataset_read(in, &how);
}

static int read_valid(struct run *r)
{
	const struct rm_header *h = rm_reader_header(r->in);
	char *path = (char *)o.valid;
	const struct rm_reader_options how = { .max_record = o.max_record };
	struct rm_reader *in = rm_reader_open(&path, 1, &how);
	int status = in ? rm_header_match(rm_reader_header(in), o.valid, h,
					  rm_reader_name(r->in),
					  o.force) : -1;

	if (status == 0)
		r->valid_data = read_data(r, in);
	rm_reader_close(in);
	if (!r->valid_data || rm_subset_all(&r->valid, r->valid_data) < 0)
		return -1;
	r->has_valid = true;
	return rm_subset_all(&r->train, r->data);
}

/* --valid: a fraction, or a stream. */
static int divide_data(struct run *r)
{
	double fraction;

	if (rm_parse_double(o.valid, 0, 1, &fraction) < 0) {
		rm_error_clear();
		return read_valid(r);
	}
	if (fraction <= 0)
		return rm_subset_all(&r->train, r->data);
	r->has_valid = true;
	return rm_subset_split(&r->train, &r->valid, r->data, fraction,
			       (uint64_t)o.train.seed);
}

static int load_data(struct run *r)
{
	r->data = read_data(r, r->in);
	return r->data ? divide_data(r) : -1;
}

static int observe(void *arg, const struct rm_batch *batch)
{
	struct rm_model *m = arg;

	return rm_backbone_observe(m->backbone, batch);
}

/* The loss of the model's scores; what it has to learn itself is added. */
static int make_loss(void *arg, struct rm_model *m)
{
	struct run *r = arg;
	const struct rm_loss_scores scores = {
		.K = m->head->columns, .members = m->head->members,
		.variance = !m->head->members && rm_head_has_sd(m->head)
	};

	r->objective = rm_loss_new(r->loss, &scores);
	o.train.loss = r->objective;
	return r->objective ? rm_loss_add_params(r->objective, &m->params)
			    : -1;
}

static struct rm_model_training training(struct run *r)
{
	return (struct rm_model_training){
		.freeze = o.freeze.item, .n_freeze = o.freeze.n,
		.layer_decay = o.layer_decay, .lora = o.lora,
		.lora_alpha = o.lora_alpha > 0 ? o.lora_alpha :
			      2 * (double)o.lora,
		.lora_targets = o.lora_targets.item,
		.n_lora_targets = o.lora_targets.n,
		.add = make_loss, .arg = r
	};
}

static int new_model(struct run *r)
{
	const struct rm_model_training how = training(r);

	r->model = rm_model_new(r->backbone, r->head,
				rm_reader_header(r->in), &how);
	if (!r->model)
		return rm_wrap("%s", rm_reader_name(r->in));
	rm_model_init(r->model, (uint64_t)o.train.seed);
	return 0;
}

/* What a new model counts in the data before it is trained. */
static int count_data(const struct run *r)
{
	struct rm_backbone *b = r->model->backbone;

	if (o.base || !rm_backbone_wants_observe(b))
		return 0;
	if (rm_dataset_each(r->data, r->model->prompt, observe,
			    r->model) < 0)
		return -1;
	return rm_backbone_observed(b);
}

static int load_base(struct run *r)
{
	const struct rm_model_training how = training(r);
	const struct rm_header *h = rm_reader_header(r->in);

	r->model = rm_model_load_base(o.base, o.head ? r->head : NULL, &how);
	if (!r->model ||
	    rm_model_check_tokenizer(r->model, o.base, h) < 0 ||
	    rm_model_match(r->model, o.base, h, rm_reader_name(r->in),
			   o.force) < 0 ||
	    rm_model_adopt(r->model, o.base, h) < 0)
		return -1;
	if (r->model->fresh_head) {
		rm_model_init_head(r->model, (uint64_t)o.train.seed);
		rm_cli_note(&tool, r->model->other_head ?
			    "%s has another head, which is left aside: a "
			    "fresh one is trained" :
			    "%s has no reward head: a fresh one is trained",
			    o.base);
	}
	if (rm_model_init_lora(r->model, (uint64_t)o.train.seed) < 0)
		return -1;
	/* What the base was calibrated to is no longer what it says. */
	json_decref(r->model->calibration);
	r->model->calibration = json_null();
	return 0;
}

/* Before hours are spent: whether the model can read every text. */
static int check_lengths(const struct run *r)
{
	const struct rm_encoder *e = r->model->encoder;
	const char *in = rm_reader_name(r->in);

	if (rm_subset_check_lengths(&r->train, e->least, e->most) < 0)
		return rm_wrap("%s", in);
	if (rm_subset_check_lengths(&r->valid, e->least, e->most) < 0)
		return rm_wrap("%s", r->valid_data ? o.valid : in);
	return 0;
}

static json_t *list_of(const struct rm_strings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->n; i++)
		json_array_append_new(list, json_string(s->item[i]));
	return list;
}

static json_t *rates_of(const struct rm_model *m)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < RM_DROP_SITES; i++)
		json_array_append_new(list, json_real(m->dropout[i]));
	return list;
}

static int make_model(struct run *r)
{
	if ((o.base ? load_base(r) : new_model(r)) < 0)
		return -1;
	if (r->drops_inside && rm_model_set_dropout(r->model, o.rate) < 0)
		return rm_wrap("%s", o.base ? o.base : "--dropout");
	/* As they will be when it scores. */
	if (rm_model_set_types(r->model, r->model->origin.policy) < 0)
		return -1;
	r->model->backbone->recompute = o.recompute;
	rm_model_set_objective(r->model, r->loss);
	return 0;
}

/* What a checkpoint must agree in, beside the loop's own settings. */
static int make_settings(struct run *r)
{
	r->settings = json_pack("{s:O, s:O, s:s, s:s, s:s, s:o, s:f, s:I, "
				"s:f, s:o, s:o, s:s}",
		"backbone", r->model->backbone_config,
		"head", r->model->head_config,
		"base", o.base ? rm_model_fingerprint(r->model).hex : "none",
		"input", rm_dataset_fingerprint(r->data).hex,
		"valid", r->valid_data ?
		rm_dataset_fingerprint(r->valid_data).hex : o.valid,
		"freeze", list_of(&o.freeze), "layer_decay", o.layer_decay,
		"lora", (json_int_t)o.lora, "lora_alpha", o.lora_alpha,
		"lora_targets", list_of(&o.lora_targets),
		"dropout", rates_of(r->model), "version", RM_VERSION);
	o.train.settings = r->settings;
	return r->settings ? 0 : rm_fail("out of memory");
}

static void fini(struct run *r)
{
	rm_subset_fini(&r->train);
	rm_subset_fini(&r->valid);
	rm_dataset_free(r->data);
	rm_dataset_free(r->valid_data);
	rm_reader_close(r->in);
	rm_model_free(r->model);
	rm_loss_free(r->objective);
	json_decref(r->backbone);
	json_decref(r->head);
	json_decref(r->loss);
	json_decref(r->settings);
	rm_strings_fini(&o.freeze);
	rm_strings_fini(&o.lora_targets);
	free(r->monitor.failed);
	if (r->monitor.log >= 0)
		close(r->monitor.log);
}

/* ---- training ---- */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = number;
}

/* The first signal asks for an orderly end, a second one ends at once. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	o.train.stop = &stop;
}

static const char *example(const struct run *r)
{
	return r->wants.groups ? "group" : "pair";
}

static void warn_of_data(const struct run *r)
{
	const struct rm_dataset_counts *c = rm_dataset_counts(r->data);
	unsigned long long all = c->examples + c->ties;
	unsigned long long even = c->even + c->ties;

	if (2 * even > all)
		rm_cli_note(&tool, "warning: %llu of %llu comparisons are "
			    "ties: there is little to learn from", even, all);
	if (c->missing > 0)
		rm_cli_note(&tool, "%llu %s%s left out: a response has no "
			    "label", (unsigned long long)c->missing,
			    example(r), c->missing == 1 ? "" : "s");
}

static int note_rows(const struct run *r)
{
	uint64_t bytes;

	if (rm_train_rows(r->model, &r->train, r->has_valid ? &r->valid :
			  NULL, &bytes) < 0)
		return -1;
	if (bytes > o.memory)
		rm_cli_note(&tool, "the backbone is frozen, but its rows "
			    "take %llu bytes, more than --memory: they are "
			    "computed in every epoch",
			    (unsigned long long)bytes);
	return 0;
}

static void warn_of_result(const struct run *r)
{
	const struct rm_train_result *t = &r->result;

	if (t->loss > .995 * t->baseline)
		rm_cli_note(&tool, "warning: the loss, %.4f, is no better "
			    "than %.4f, that of equal rewards for all: "
			    "nothing was learnt", t->loss, t->baseline);
	else if (r->valid.n >= VALID_TELLS && t->valid_accuracy < .55 &&
		 t->valid_loss > .995 * t->baseline)
		rm_cli_note(&tool, "warning: the validation loss never fell "
			    "below %.4f: what was learnt does not carry over "
			    "to other prompts", t->valid_loss);
}

static void summarize(const struct run *r, double took)
{
	const struct rm_train_result *t = &r->result;
	char rate[32];

	rm_progress_scale(rate, sizeof(rate), took > 0 ?
			  (double)t->tokens / took : 0);
	if (t->resumed > 0)
		rm_cli_note(&tool, "went on from step %llu",
			    (unsigned long long)t->resumed);
	rm_cli_note(&tool, "%zu %ss, %llu steps%s in %.1f s, %s tokens/s",
		    r->train.n, example(r), (unsigned long long)t->step,
		    t->early ? " (stopped early)" : "", took, rate);
	rm_cli_note(&tool, "loss %.4f, accuracy %.4f in the last epoch",
		    t->loss, t->accuracy);
	if (r->has_valid)
		rm_cli_note(&tool, "validation loss %.4f, accuracy %.4f on "
			    "%zu %ss, best at step %llu", t->valid_loss,
			    t->valid_accuracy, r->valid.n, example(r),
			    (unsigned long long)t->best_step);
}

static int fail_stopped(const struct run *r)
{
	unsigned long long step = r->result.step;
	const char *name = stop == SIGINT ? "SIGINT" : "SIGTERM";

	if (!o.train.checkpoint)
		return rm_fail("stopped by %s after step %llu: nothing is "
			       "saved (--checkpoint DIR would)", name, step);
	return rm_fail("stopped by %s after step %llu: the checkpoint is in "
		       "%s, --resume goes on from it", name, step,
		       o.train.checkpoint);
}

static int train(struct run *r)
{
	struct monitor *m = &r->monitor;
	double start = seconds();
	int status;

	rm_progress_start(&m->progress, &tool,
			  r->wants.groups ? "groups" : "pairs", (double)r->train.n *
			  (double)o.train.epochs, o.quiet);
	m->start = m->since = start;
	m->valid_accuracy = (double)NAN;
	o.train.report = report;
	o.train.arg = m;
	catch_signals();
	status = rm_train(r->model, &r->train, r->has_valid ? &r->valid :
			  NULL, &o.train, &r->result);
	rm_progress_end(&m->progress);
	if (status < 0)
		return -1;
	if (r->result.stopped)
		return fail_stopped(r);
	if (!o.quiet) {
		summarize(r, seconds() - start);
		warn_of_result(r);
	}
	return 0;
}

/*
 * The history, without --resume: a run that was interrupted gives the bytes
 * of one that was not.
 */
static int add_history(struct run *r, int argc, char **argv)
{
	char **kept = rm_calloc((size_t)argc + 1, sizeof(*kept));
	int n = 0, status;

	if (!kept)
		return -1;
	for (int i = 0; i < argc; i++) {
		if (i == 0 || strcmp(argv[i], "--resume") != 0)
			kept[n++] = argv[i];
	}
	status = rm_header_add_history(&r->model->origin, tool.name, n, kept,
				       o.train.seed);
	free(kept);
	return status;
}

static int run(struct run *r, int argc, char **argv, int first)
{
	if (rm_model_check_target(o.output, o.force) < 0 ||
	    rm_train_check(&o.train) < 0 ||
	    open_data(r, argv + first, (size_t)(argc - first)) < 0 ||
	    make_model(r) < 0 || load_data(r) < 0 || check_lengths(r) < 0 ||
	    count_data(r) < 0)
		return -1;
	rm_train_complete(&o.train, r->model, &r->train);
	if (make_settings(r) < 0 || open_log(&r->monitor) < 0)
		return -1;
	if (!o.quiet) {
		warn_of_data(r);
		if (note_rows(r) < 0)
			return -1;
	}
	if (train(r) < 0)
		return -1;
	if (!o.no_history && add_history(r, argc, argv) < 0)
		return -1;
	if (rm_model_save(r->model, o.output, o.force) < 0)
		return -1;
	return r->monitor.failed ? rm_fail("%s (the model is written)",
					   r->monitor.failed) : 0;
}

/* ---- main ---- */

/* `--backbone list` and its like: print and exit. */
static void list_parts(void)
{
	static const char list[] = "list";
	struct rm_buf b = {0};
	struct rm_output *out;

	if (strcmp(o.backbone, list) == 0)
		rm_backbone_list(&b);
	else if (o.head && strcmp(o.head, list) == 0)
		rm_head_list(&b);
	else if (strcmp(o.loss, list) == 0)
		rm_loss_list(&b);
	else if (strcmp(o.schedule, list) == 0)
		rm_schedule_list(&b);
	else
		return;
	out = b.failed ? NULL : rm_output_open(NULL);
	exit(rm_cli_end(&tool, out, out &&
			rm_output_write(out, b.data, b.len) == 0));
}

static void check_usage(int argc, int first)
{
	if (!o.output)
		rm_cli_usage(&tool, "-o MODEL is needed");
	if (o.base && strcmp(o.backbone, "bag") != 0)
		rm_cli_usage(&tool, "--backbone is the base's: leave it out "
			     "with --base");
	if (o.lora > 0 && !o.base)
		rm_cli_usage(&tool, "--lora changes a pretrained model: it "
			     "needs --base");
	if (o.lora == 0 && (o.lora_alpha > 0 || o.lora_targets.n > 0))
		rm_cli_usage(&tool, "--lora-alpha and --lora-targets need "
			     "--lora");
	if (o.train.resume && !o.train.checkpoint)
		rm_cli_usage(&tool, "--resume needs --checkpoint DIR");
	rm_cli_need_input(&tool, argc, first);
}

int main(int argc, char **argv)
{
	struct run r = { .monitor.log = -1 };
	int first, status;

	o.train = rm_train_defaults();
	o.train.epochs = o.train.batch = 0;
	o.train.optim.lr = o.train.warmup = (double)NAN;
	o.train.optim.clip = (double)NAN;
	first = rm_cli_parse(&tool, argc, argv);
	list_parts();
	check_usage(argc, first);
	if (parse_parts(&r) < 0)
		rm_cli_usage(&tool, "%s", rm_error());
	o.train.force = o.force;
	o.train.memory = o.memory;
	rm_threads_set(o.threads);
	status = run(&r, argc, argv, first);
	fini(&r);
	return rm_cli_end(&tool, NULL, status == 0);
}
