/* train: see train.h. */
#include "train.h"

#include "train/checkpoint.h"
#include "train/feed.h"
#include "train/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Examples that the baseline is taken of. */
#define BASELINE_EXAMPLES 4096
/* Examples of a validation pass that are looked at together. */
#define VALID_BATCH 1024

/* One run. */
struct loop {
	struct rm_model *m;
	const struct rm_subset *train, *valid;
	const struct rm_train_options *o;
	struct rm_train_result *result;

	struct rm_optim *optim;
	struct rm_feed feed, valid_feed;
	struct rm_targets targets;	/* of the run of examples at hand */
	rm_real *dscores;		/* [targets.leaves, K] */
	size_t cap_dscores;
	struct rm_epoch epoch;
	uint64_t per_epoch, total, warmup;	/* steps */
	struct rm_progression at;
	struct rm_checkpoint checkpoint;
};

struct rm_train_options rm_train_defaults(void)
{
	return (struct rm_train_options){
		.epochs = 5, .batch = 64, .patience = 3,
		.schedule = rm_schedule_find("linear"),
		.optim = rm_optim_defaults(),
		.precision = rm_gemm_auto(),
		.seed = 1, .memory = (size_t)1 << 30, .checkpoint_steps = 1000,
	};
}

/*
 * What is new has all to learn, and nothing that a step could spoil; nor can
 * one of low rank spoil much.
 */
static double usual_rate(const struct rm_model *m)
{
	if (m->backbone->kind->light)
		return rm_optim_defaults().lr;
	for (size_t i = 0; i < m->n_tensors; i++)
		if (m->params.param[i].lora)
			return 5e-4;
	return m->made_new ? 3e-4 : 5e-5;
}

/* Examples that have so many responses, to the nearest. */
static size_t examples_of(const struct rm_subset *s, double responses)
{
	double each = (double)rm_subset_first(s, s->n) / (double)s->n;

	return (size_t)fmax(1, round(responses / each));
}

void rm_train_complete(struct rm_train_options *o, const struct rm_model *m,
		       const struct rm_subset *train)
{
	bool light = m->backbone->kind->light;

	/* What is pretrained learns labels by heart in a second pass. */
	if (o->epochs == 0)
		o->epochs = light ? 5 : m->made_new ? 3 : 1;
	if (o->batch == 0)
		o->batch = examples_of(train, light ? 128 : 32);
	if (isnan(o->optim.lr))
		o->optim.lr = usual_rate(m);
	/* Plain steps, as n-grams take them, are as long as the slope, and
	 * that of a squared error knows no bound. */
	if (isnan(o->optim.clip))
		o->optim.clip = light && rm_loss_squares(o->loss) ? 1 : 0;
	if (isnan(o->warmup))
		o->warmup = light ? 0 : .1;
}

/* ---- evaluation ---- */

static double mean(double sum, double n)
{
	return n > 0 ? sum / n : (double)NAN;
}

/* One run of examples, in batches. */
static int evaluate_run(struct rm_feed *f, const struct rm_loss *loss,
			const size_t *order, size_t n, struct rm_targets *t,
			struct rm_loss_sums *sums)
{
	int got;

	if (rm_subset_targets(f->subset, order, n, t) < 0 ||
	    rm_feed_start(f, order, n) < 0)
		return -1;
	while ((got = rm_feed_next(f)) > 0) {
		const rm_real *scores = rm_feed_forward(f);

		if (!scores || rm_loss_forward(loss, t->target + f->at, f->n,
					       scores, 1, NULL, sums) < 0)
			return -1;
	}
	return got;
}

static int evaluate_all(struct rm_feed *f, const struct rm_loss *loss,
			struct rm_loss_sums *sums)
{
	struct rm_targets targets = {0};
	size_t order[VALID_BATCH], n;
	int status = 0;

	for (size_t i = 0; i < f->subset->n && status == 0; i += n) {
		n = RM_MIN(f->subset->n - i, (size_t)VALID_BATCH);
		for (size_t j = 0; j < n; j++)
			order[j] = i + j;
		status = evaluate_run(f, loss, order, n, &targets, sums);
	}
	rm_targets_fini(&targets);
	return status;
}

static int evaluate(struct rm_feed *f, const struct rm_loss *loss,
		    struct rm_train_report *report)
{
	struct rm_loss_sums sums = {0};

	if (evaluate_all(f, loss, &sums) < 0)
		return rm_wrap("validation");
	report->loss = mean(sums.loss, sums.weight);
	report->accuracy = mean(sums.correct, sums.compared);
	report->examples = f->subset->n;
	report->tokens = f->subset->tokens;
	return 0;
}

int rm_train_evaluate(struct rm_model *m, const struct rm_loss *loss,
		      const struct rm_subset *examples,
		      struct rm_train_report *report)
{
	struct rm_feed f;
	int status = rm_feed_init(&f, m, examples, false, 0);

	if (status == 0)
		status = evaluate(&f, loss, report);
	rm_feed_fini(&f);
	return status;
}

/* What the loss has said of example i. */
static int fail_target(const struct loop *l, const struct rm_subset *s,
		       size_t i)
{
	char *why = rm_strdup(rm_error());
	struct rm_buf name = {0};

	rm_subset_name(s, i, &name);
	if (why && rm_buf_text(&name))
		rm_fail("loss %s: %s: %s", rm_loss_name(l->o->loss),
			(char *)name.data, why);
	rm_buf_fini(&name);
	free(why);
	return -1;
}

/*
 * Every example must have what the loss learns from, and one of them must say
 * something.
 */
static int check_targets(struct loop *l, const struct rm_subset *s)
{
	struct rm_targets *t = &l->targets;
	double weight = 0;

	for (size_t i = 0; s && i < s->n; i++) {
		if (rm_subset_targets(s, &i, 1, t) < 0)
			return -1;
		if (rm_loss_check(l->o->loss, t->target) < 0)
			return fail_target(l, s, i);
		weight += rm_loss_weight(l->o->loss, t->target, 1);
	}
	if (!s || weight > 0)
		return 0;
	return rm_fail("loss %s learns nothing from any of %zu examples",
		       rm_loss_name(l->o->loss), s->n);
}

/* dscores for the targets at hand; what they hold is not kept. */
static int need_dscores(struct loop *l)
{
	return rm_grow(&l->dscores, &l->cap_dscores,
		       l->targets.leaves * l->m->head->columns,
		       sizeof(*l->dscores));
}

/* Targets of examples order[0..n), and room for gradients of their scores. */
static int take_targets(struct loop *l, const size_t *order, size_t n)
{
	return rm_subset_targets(l->train, order, n, &l->targets) < 0 ? -1 :
	       need_dscores(l);
}

/* The loss of equal rewards on the first examples. */
static int take_baseline(struct loop *l)
{
	struct rm_loss_sums sums = {0};
	size_t end = RM_MIN(l->train->n, (size_t)BASELINE_EXAMPLES), n;

	for (size_t i = 0; i < end; i += n) {
		n = RM_MIN(end - i, l->o->batch);
		if (take_targets(l, l->epoch.order + i, n) < 0)
			return -1;
		memset(l->dscores, 0, l->targets.leaves *
		       l->m->head->columns * sizeof(*l->dscores));
		if (rm_loss_forward(l->o->loss, l->targets.target, n, l->dscores,
				    1, NULL, &sums) < 0)
			return fail_target(l, l->train, l->epoch.order[
					   i + sums.bad_group]);
	}
	l->result->baseline = mean(sums.loss, sums.weight);
	return 0;
}

/* ---- one step ---- */

/* "step 12: WHAT at record 17 (ID)" and how many more there are. */
static int fail_step(const struct loop *l, const size_t *order, size_t n,
		     const char *what)
{
	struct rm_buf names = {0};
	size_t shown = RM_MIN(n, (size_t)8);

	for (size_t i = 0; i < shown; i++) {
		rm_buf_puts(&names, i ? ", " : "");
		rm_subset_name(l->train, order[i], &names);
	}
	if (n > shown)
		rm_buf_printf(&names, " and %zu more", n - shown);
	rm_fail("step %llu: %s at %s: a lower --lr or --clip may help",
		(unsigned long long)l->at.step + 1, what,
		rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

/* The batch at hand: what it adds to the gradients of the step. */
static int backward(struct loop *l, double scale, struct rm_loss_sums *sums)
{
	struct rm_feed *f = &l->feed;
	const rm_real *scores = rm_feed_forward(f);

	if (!scores)
		return -1;
	if (rm_loss_forward(l->o->loss, l->targets.target + f->at, f->n, scores,
			    scale, l->dscores, sums) < 0)
		return fail_step(l, f->order + f->at + sums->bad_group, 1,
				 "the loss is NaN or infinite");
	return rm_feed_backward(f, l->dscores);
}

/* Tokens of all texts of a step, where batches count a prompt once. */
static int count_tokens(const struct loop *l, const size_t *order, size_t n,
			uint64_t *tokens)
{
	size_t some;

	if (l->m->prompt != RM_PROMPT_SHARED)
		return 0;
	*tokens = 0;
	for (size_t i = 0; i < n; i++) {
		if (rm_subset_tokens(l->feed.subset, order + i, 1,
				     RM_PROMPT_COPIED, &some) < 0)
			return -1;
		*tokens += some;
	}
	return 0;
}

/*
 * Gradients of the mean loss of the step: the mean is over all of it,
 * however it is cut.
 */
static int accumulate(struct loop *l, const size_t *order, size_t n,
		      struct rm_loss_sums *sums, uint64_t *tokens)
{
	struct rm_feed *f = &l->feed;
	double weight;
	int got;

	if (take_targets(l, order, n) < 0)
		return -1;
	weight = rm_loss_weight(l->o->loss, l->targets.target, n);
	f->seed = (uint64_t)l->o->seed;
	f->step = l->at.step;
	if (rm_feed_start(f, order, n) < 0)
		return -1;
	*tokens = 0;
	while ((got = rm_feed_next(f)) > 0) {
		*tokens += f->n_tokens;
		if (backward(l, weight > 0 ? 1 / weight : 0, sums) < 0)
			return -1;
	}
	if (got == 0 && count_tokens(l, order, n, tokens) < 0)
		return -1;
	if (got == 0 && rm_loss_norms(l->o->loss) > 0)
		sums->loss += sums->weight *
			rm_params_add_norms(&l->m->params,
					    rm_loss_norms(l->o->loss));
	return got;
}

static void add_up(struct rm_progression *at, const struct rm_loss_sums *sums)
{
	at->loss += sums->loss;
	at->weight += sums->weight;
	at->correct += sums->correct;
	at->compared += sums->compared;
	at->step++;
}

/* The parameters as they are now, for the products to come. */
static int make_ready(struct loop *l)
{
	return rm_model_ready(l->m, l->o->precision);
}

/* What a step has shown goes into the figures of the epoch, and out. */
static int report_step(struct loop *l, struct rm_train_report *r,
		       const struct rm_loss_sums *sums)
{
	add_up(&l->at, sums);
	l->result->tokens += r->tokens;
	r->step = l->at.step;
	r->total = l->total;
	r->epoch = (double)l->at.step / (double)l->per_epoch;
	r->loss = mean(sums->loss, sums->weight);
	r->accuracy = mean(sums->correct, sums->compared);
	return l->o->report ? l->o->report(l->o->arg, r) : 0;
}

/* Step at.step of the run: `batch` examples, one update. */
static int step(struct loop *l)
{
	size_t start = (size_t)(l->at.step % l->per_epoch) * l->o->batch;
	size_t n = RM_MIN(l->train->n - start, l->o->batch);
	const size_t *order = l->epoch.order + start;
	struct rm_loss_sums sums = {0};
	struct rm_train_report r = {
		.examples = n, .lr = l->o->optim.lr *
		rm_schedule_factor(l->o->schedule, l->at.step, l->total,
				   l->warmup),
	};

	if (accumulate(l, order, n, &sums, &r.tokens) < 0)
		return -1;
	if (rm_optim_step(l->optim, r.lr, &r.grad_norm) < 0) {
		if (isfinite(r.grad_norm))
			return -1;
		return fail_step(l, order, n,
				 "the gradient is NaN or infinite");
	}
	if (!l->feed.frozen && make_ready(l) < 0)
		return -1;
	return report_step(l, &r, &sums);
}

/* ---- between steps ---- */

static bool epoch_ends(const struct loop *l)
{
	return l->at.step % l->per_epoch == 0;
}

static void begin_epoch(struct loop *l)
{
	rm_epoch_begin(&l->epoch, l->at.step / l->per_epoch);
}

static int validate(struct loop *l)
{
	struct rm_train_report r = {
		.valid = true, .step = l->at.step, .total = l->total,
		.epoch = (double)l->at.step / (double)l->per_epoch,
	};

	if (evaluate(&l->valid_feed, l->o->loss, &r) < 0)
		return -1;
	r.best = l->at.best_step == 0 || r.loss < l->at.best_loss;
	if (r.best) {
		l->at.best_step = l->at.step;
		l->at.best_loss = r.loss;
		l->at.best_accuracy = r.accuracy;
		l->at.stale = 0;
		rm_params_state_get(&l->m->params, l->checkpoint.best);
	} else {
		l->at.stale++;
	}
	return l->o->report ? l->o->report(l->o->arg, &r) : 0;
}

static bool validation_is_due(const struct loop *l)
{
	if (!l->valid)
		return false;
	return epoch_ends(l) || (l->o->valid_steps > 0 &&
				 l->at.step % l->o->valid_steps == 0);
}

static bool patience_is_over(const struct loop *l)
{
	return l->o->patience > 0 && l->at.stale >= l->o->patience;
}

static int finish_step(struct loop *l)
{
	const struct rm_train_options *o = l->o;
	struct rm_train_result *result = l->result;
	bool stop = o->stop && *o->stop;

	if (validation_is_due(l) && validate(l) < 0)
		return -1;
	if (epoch_ends(l)) {
		result->loss = mean(l->at.loss, l->at.weight);
		result->accuracy = mean(l->at.correct, l->at.compared);
		l->at.loss = l->at.weight = 0;
		l->at.correct = l->at.compared = 0;
	}
	result->stopped = stop && l->at.step < l->total;
	if (!o->checkpoint || l->at.step == l->total)
		return 0;
	if (!stop && l->at.step % o->checkpoint_steps != 0)
		return 0;
	result->saved = true;
	return rm_checkpoint_write(&l->checkpoint);
}

static int run(struct loop *l)
{
	if (l->at.step < l->total)
		begin_epoch(l);
	while (l->at.step < l->total && !patience_is_over(l)) {
		if (step(l) < 0 || finish_step(l) < 0)
			return -1;
		if (l->result->stopped)
			break;
		if (epoch_ends(l) && l->at.step < l->total)
			begin_epoch(l);
	}
	return 0;
}

/* ---- the whole ---- */

static int make_directory(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0777) == 0)
		return 0;
	if (errno != EEXIST)
		return rm_fail("%s: %s", dir, strerror(errno));
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		return rm_fail("%s: not a directory", dir);
	return 0;
}

int rm_train_check(const struct rm_train_options *o)
{
	int exists;

	if (!o->checkpoint)
		return o->resume ? rm_fail("--resume needs --checkpoint DIR")
				 : 0;
	if (make_directory(o->checkpoint) < 0)
		return -1;
	exists = rm_checkpoint_exists(o->checkpoint);
	if (exists > 0 && !o->resume && !o->force)
		return rm_fail("%s holds the checkpoint of an earlier run: "
			       "--resume goes on from it, --force begins "
			       "anew over it", o->checkpoint);
	return exists < 0 ? -1 : 0;
}

static int resume(struct loop *l)
{
	int exists;

	if (!l->o->checkpoint || !l->o->resume)
		return 0;
	exists = rm_checkpoint_exists(l->o->checkpoint);
	if (exists <= 0)
		return exists;
	if (rm_checkpoint_read(&l->checkpoint) < 0)
		return -1;
	if (l->at.step > l->total)
		return rm_fail("%s: the checkpoint is at step %llu of %llu",
			       l->o->checkpoint,
			       (unsigned long long)l->at.step,
			       (unsigned long long)l->total);
	l->result->resumed = l->at.step;
	return 0;
}

static json_t *settings_of_optim(const struct rm_train_options *o)
{
	return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
			 "schedule", o->schedule->name,
			 "warmup", o->warmup, "lr", o->optim.lr,
			 "beta1", o->optim.beta1, "beta2", o->optim.beta2,
			 "epsilon", o->optim.epsilon,
			 "weight_decay", o->optim.weight_decay,
			 "clip", o->optim.clip);
}

/* "any" of a backbone whose products are not packed. */
static const char *precision_of(const struct loop *l)
{
	if (!l->m->backbone->kind->ready)
		return "any";
	return l->o->precision == RM_BF16 ? "bf16" : "fp32";
}

/* The loop's own choices, beside the caller's settings. */
static json_t *settings_of(const struct loop *l)
{
	const struct rm_train_options *o = l->o;
	json_t *optim = settings_of_optim(o);
	json_t *s = json_pack("{s:O, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I,"
			      " s:I, s:I}",
			      "loss", rm_loss_config(o->loss),
			      "epochs", (json_int_t)o->epochs,
			      "batch", (json_int_t)o->batch,
			      "micro_tokens", (json_int_t)l->feed.limit,
			      "precision", precision_of(l),
			      "shuffle", rm_train_shuffle_names[o->shuffle],
			      "patience", (json_int_t)o->patience,
			      "valid_steps", (json_int_t)o->valid_steps,
			      "seed", (json_int_t)o->seed,
			      "examples", (json_int_t)l->train->n,
			      "valid_examples",
			      (json_int_t)(l->valid ? l->valid->n : 0));

	if (!s || !optim || json_object_update(s, optim) < 0 ||
	    (o->settings &&
	     json_object_update(s, (json_t *)o->settings) < 0)) {
		rm_fail("out of memory");
		json_decref(s);
		s = NULL;
	}
	json_decref(optim);
	return s;
}

static int init_feeds(struct loop *l)
{
	if (rm_feed_init(&l->feed, l->m, l->train, true,
			 l->o->micro_tokens) < 0)
		return -1;
	return l->valid ? rm_feed_init(&l->valid_feed, l->m, l->valid, false,
				       0) : 0;
}

static int set_up(struct loop *l)
{
	const struct rm_train_options *o = l->o;
	struct rm_params *params = &l->m->params;
	json_t *settings;

	if (init_feeds(l) < 0)
		return -1;
	settings = settings_of(l);
	l->checkpoint = (struct rm_checkpoint){
		.dir = o->checkpoint, .params = params,
		.settings = settings, .progression = &l->at,
	};
	if (!settings)
		return -1;
	l->per_epoch = (l->train->n + o->batch - 1) / o->batch;
	if (__builtin_mul_overflow(l->per_epoch, o->epochs, &l->total))
		return rm_fail("%zu epochs are too many", o->epochs);
	l->warmup = (uint64_t)(o->warmup * (double)l->total);
	if (rm_epoch_init(&l->epoch, l->train, o->shuffle,
			  (uint64_t)o->seed) < 0)
		return -1;
	if (l->valid) {
		l->checkpoint.best = rm_malloc(rm_params_state_size(params),
					       1);
		if (!l->checkpoint.best)
			return -1;
	}
	l->optim = rm_optim_new(params, &o->optim);
	l->checkpoint.optim = l->optim;
	return l->optim ? 0 : -1;
}

static int add_row_bytes(struct rm_model *m, const struct rm_subset *s,
			 uint64_t *bytes)
{
	struct rm_feed f;
	int status = rm_feed_init(&f, m, s, false, 0);

	if (status == 0)
		*bytes += rm_feed_row_bytes(&f);
	rm_feed_fini(&f);
	return status;
}

int rm_train_rows(struct rm_model *m, const struct rm_subset *train,
		  const struct rm_subset *valid, uint64_t *bytes)
{
	*bytes = 0;
	if (!rm_model_is_frozen(m))
		return 0;
	if (add_row_bytes(m, train, bytes) < 0)
		return -1;
	return valid ? add_row_bytes(m, valid, bytes) : 0;
}

/* Rows that no step changes are computed before the first. */
static int keep_rows(struct loop *l)
{
	uint64_t bytes = rm_feed_row_bytes(&l->feed) +
		(l->valid ? rm_feed_row_bytes(&l->valid_feed) : 0);

	if (!l->feed.frozen || bytes > l->o->memory)
		return 0;
	if (rm_feed_keep(&l->feed) < 0)
		return -1;
	return l->valid ? rm_feed_keep(&l->valid_feed) : 0;
}

static void tear_down(struct loop *l)
{
	json_decref((json_t *)l->checkpoint.settings);
	free(l->checkpoint.best);
	rm_optim_free(l->optim);
	rm_feed_fini(&l->feed);
	rm_feed_fini(&l->valid_feed);
	rm_targets_fini(&l->targets);
	free(l->dscores);
	rm_epoch_fini(&l->epoch);
}

static int conclude(struct loop *l)
{
	struct rm_train_result *r = l->result;

	r->step = l->at.step;
	r->early = !r->stopped && l->at.step < l->total;
	r->valid_loss = r->valid_accuracy = (double)NAN;
	r->best_step = l->at.best_step;
	if (l->at.best_step == 0)
		return 0;
	r->valid_loss = l->at.best_loss;
	r->valid_accuracy = l->at.best_accuracy;
	if (r->stopped)
		return 0;
	rm_params_state_set(&l->m->params, l->checkpoint.best);
	return make_ready(l);
}

int rm_train(struct rm_model *m, const struct rm_subset *train,
	     const struct rm_subset *valid,
	     const struct rm_train_options *options,
	     struct rm_train_result *result)
{
	struct loop l = {
		.m = m, .train = train, .valid = valid, .o = options,
		.result = result,
	};
	int status = -1;

	memset(result, 0, sizeof(*result));
	result->loss = result->accuracy = (double)NAN;
	if (rm_train_check(options) == 0 && set_up(&l) == 0 &&
	    check_targets(&l, train) == 0 && check_targets(&l, valid) == 0 &&
	    take_baseline(&l) == 0 && resume(&l) == 0 &&
	    make_ready(&l) == 0 && keep_rows(&l) == 0 && run(&l) == 0)
		status = conclude(&l);
	tear_down(&l);
	return status;
}
