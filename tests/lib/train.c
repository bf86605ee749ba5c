/* train: it learns, repeats itself to the byte, stops and goes on. */
#include "made.h"

#include "train.h"
#include "train/feed.h"

#include <math.h>
#include <unistd.h>

/* A run on made pairs. */
struct run {
	struct rm_reader *in;
	struct rm_dataset *data;
	struct rm_subset train, valid;
	struct rm_model *m;
	struct rm_train_options o;
	struct rm_train_result result;
	json_t *loss_config;
	struct rm_loss *loss;
};

static void run_init_frozen(struct run *r, size_t n, const char *backbone,
			    const char *head,
			    const struct rm_model_training *training)
{
	char *path = made_path("pairs");
	json_t *b = rm_backbone_parse(backbone), *h = rm_head_parse(head);

	memset(r, 0, sizeof(*r));
	made_pairs(path, n, 1);
	r->in = rm_reader_open(&path, 1, NULL);
	assert_non_null(r->in);
	r->data = rm_dataset_read(r->in, &(struct rm_dataset_options){
		.memory = 1 << 20 });
	assert_non_null(r->data);
	assert_int_equal(rm_subset_split(&r->train, &r->valid, r->data, .2,
					 1), 0);
	r->m = rm_model_new(b, h, rm_reader_header(r->in),
			    training);
	assert_non_null(r->m);
	rm_params_init(&r->m->params, 1);
	r->loss_config = rm_loss_parse("bt");
	r->loss = rm_loss_new(r->loss_config,
		&(struct rm_loss_scores){ .K = r->m->head->columns });
	assert_non_null(r->loss);
	r->o = rm_train_defaults();
	r->o.loss = r->loss;
	r->o.epochs = 4;
	r->o.batch = 8;
	r->o.patience = 0;
	json_decref(b);
	json_decref(h);
}

static void run_init(struct run *r, size_t n, const char *backbone,
		     const char *head)
{
	run_init_frozen(r, n, backbone, head, &rm_model_train_all);
}

static void run_fini(struct run *r)
{
	rm_subset_fini(&r->train);
	rm_subset_fini(&r->valid);
	rm_model_free(r->m);
	rm_dataset_free(r->data);
	rm_reader_close(r->in);
	rm_loss_free(r->loss);
	json_decref(r->loss_config);
}

static void train(struct run *r)
{
	if (rm_train(r->m, &r->train, &r->valid, &r->o, &r->result) < 0)
		fail_msg("%s", rm_error());
}

static void refused(struct run *r, const char *message)
{
	assert_int_equal(rm_train(r->m, &r->train, &r->valid, &r->o,
				  &r->result), -1);
	if (!strstr(rm_error(), message))
		fail_msg("\"%s\" has no \"%s\"", rm_error(), message);
}

#define BAG "bag:rows=4096,dim=3"
#define HEAD "mlp:hidden=4,dropout=.2"

static void test_learns(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 300, "bag", "linear");
	train(&r);
	assert_true(fabs(r.result.baseline - log(2)) < 1e-12);
	assert_true(r.result.loss < .5);
	assert_true(r.result.accuracy > .95);
	assert_true(r.result.valid_accuracy > .95);
	assert_int_equal(r.result.step, 4 * ((r.train.n + 7) / 8));
	assert_false(r.result.early);
	run_fini(&r);
}

static struct rm_fingerprint trained(size_t threads, int64_t seed)
{
	struct rm_fingerprint fp;
	struct run r;

	run_init(&r, 100, BAG, HEAD);
	r.o.seed = seed;
	rm_threads_set(threads);
	train(&r);
	fp = rm_model_fingerprint(r.m);
	run_fini(&r);
	rm_threads_set(1);
	return fp;
}

static void test_same_bytes(void **state)
{
	struct rm_fingerprint a = trained(1, 5), b = trained(3, 5);
	struct rm_fingerprint c = trained(1, 6);

	(void)state;
	assert_string_equal(a.hex, b.hex);
	assert_string_not_equal(a.hex, c.hex);
}

/* One run of examples in batches of at most `limit` tokens. */
static size_t check_feed(struct run *r, size_t limit, const size_t *order,
			 size_t n)
{
	size_t batches = 0, at = 0, tokens = 0, next;
	struct rm_feed f;
	int got;

	assert_int_equal(rm_feed_init(&f, r->m, &r->train, true, limit), 0);
	assert_false(f.shares);
	assert_int_equal(rm_feed_start(&f, order, n), 0);
	while ((got = rm_feed_next(&f)) > 0) {
		assert_int_equal(f.at, at);
		assert_int_equal(f.batch.n_groups, f.n);
		assert_int_equal(f.leaves.n_leaves, 2 * f.n);
		assert_int_equal(f.batch.first_leaf, 2 * at);
		assert_int_equal(f.batch.first_token, tokens);
		assert_true(limit == 0 || f.batch.n_tokens <= limit ||
			    f.n == 1);
		at += f.n;
		tokens += f.batch.n_tokens;
		/* It is full. */
		if (at < n && rm_subset_tokens(f.subset, order + at, 1,
					       RM_PROMPT_NONE, &next) == 0)
			assert_true(f.batch.n_tokens + next > limit);
		batches++;
	}
	assert_int_equal(got, 0);
	assert_int_equal(at, n);
	rm_feed_fini(&f);
	return batches;
}

static void test_feed(void **state)
{
	const size_t order[] = { 7, 0, 5, 19, 3, 2, 11, 12, 13, 1 };
	size_t n = RM_COUNT(order), some;
	struct run r;

	(void)state;
	run_init(&r, 100, BAG, HEAD);
	/* A pair that is longer than the limit stands alone. */
	assert_int_equal(check_feed(&r, 1, order, n), n);
	some = check_feed(&r, 150, order, n);
	assert_true(some > 1 && some < n);
	assert_int_equal(check_feed(&r, 1 << 20, order, n), 1);
	/* Nothing asked: the bag needs no limit. */
	assert_int_equal(check_feed(&r, 0, order, n), 1);
	run_fini(&r);
}

/*
 * Cut into batches of one pair or a few, a step is what it was: the same but
 * for rounding, dropout included.
 */
static void test_cut_steps(void **state)
{
	static const size_t limits[] = { 1, 100, 150, 1 << 20 };
	struct rm_param *p;
	struct run whole, cut;
	double most;

	(void)state;
	run_init(&whole, 100, BAG, HEAD);
	train(&whole);
	for (size_t i = 0; i < RM_COUNT(limits); i++) {
		run_init(&cut, 100, BAG, HEAD);
		cut.o.micro_tokens = limits[i];
		train(&cut);
		assert_int_equal(cut.result.step, whole.result.step);
		assert_int_equal(cut.result.tokens, whole.result.tokens);
		most = 0;
		for (size_t j = 0; j < cut.m->params.n; j++) {
			p = &cut.m->params.param[j];
			for (size_t k = 0; k < p->size; k++)
				most = fmax(most, fabs((double)(p->value[k] -
					whole.m->params.param[j].value[k])));
		}
		assert_true(most < 1e-5);
		run_fini(&cut);
	}
	run_fini(&whole);
}

/* ---- a frozen backbone ---- */

static const struct rm_backbone_kind *bag;
static uint64_t forwards, trained_forwards;

static int count_forward(struct rm_backbone *b, const struct rm_batch *batch)
{
	forwards++;
	trained_forwards += batch->train;
	return bag->forward(b, batch);
}

static int no_backward(struct rm_backbone *b, const struct rm_batch *batch)
{
	(void)b;
	(void)batch;
	fail_msg("a frozen backbone's backward");
	return -1;
}

/* With rows that are not zero, as those of a pretrained one are not. */
static struct rm_fingerprint train_frozen(bool keep, size_t micro_tokens,
					  struct rm_train_result *result)
{
	char *embeddings[] = { "embedding.*" };
	struct rm_backbone_kind kind;
	struct rm_fingerprint fp;
	struct rm_param *e;
	uint64_t bytes;
	struct run r;

	run_init_frozen(&r, 100, BAG, HEAD, &(struct rm_model_training){
		.freeze = embeddings, .n_freeze = 1 });
	e = &r.m->params.param[0];
	for (size_t i = 0; i < e->size; i++)
		e->value[i] = (rm_real)rm_random_normal(1, RM_RANDOM_TEST, 0,
							i);
	bag = r.m->backbone->kind;
	kind = *bag;
	kind.forward = count_forward;
	kind.backward = no_backward;
	r.m->backbone->kind = &kind;
	forwards = trained_forwards = 0;
	assert_int_equal(rm_train_rows(r.m, &r.train, &r.valid, &bytes), 0);
	/* Of 200 responses, some are the same words. */
	assert_true(bytes < 200 * 3 * sizeof(rm_real));
	assert_true(bytes > 150 * 3 * sizeof(rm_real));
	r.o.optim.lr = .03;
	r.o.memory = keep ? bytes : bytes - 1;
	r.o.micro_tokens = micro_tokens;
	train(&r);
	assert_int_equal(trained_forwards, 0);
	assert_true(e->value[7] == (rm_real)rm_random_normal(1,
						RM_RANDOM_TEST, 0, 7));
	*result = r.result;
	fp = rm_model_fingerprint(r.m);
	r.m->backbone->kind = bag;
	run_fini(&r);
	return fp;
}

static void test_frozen_rows_are_kept(void **state)
{
	static const size_t limits[] = { 0, 100 };
	struct rm_train_result a, b;
	struct rm_fingerprint kept, not;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(limits); i++) {
		kept = train_frozen(true, limits[i], &a);
		/* Once each: of the training pairs and of the others. */
		assert_int_equal(forwards, 2);
		not = train_frozen(false, limits[i], &b);
		assert_true(forwards >= b.step);
		assert_string_equal(kept.hex, not.hex);
		assert_true(a.loss == b.loss && a.valid_loss == b.valid_loss);
		assert_int_equal(a.tokens, b.tokens);
		assert_true(a.loss < a.baseline);
	}
}

/* ---- what a run tells the backbone ---- */

/* The first ids of each batch of an epoch, in the order they came. */
static struct {
	size_t n;
	uint64_t hash[64];
} came;

static int note_batch(struct rm_backbone *b, const struct rm_batch *batch)
{
	if (batch->train && came.n < RM_COUNT(came.hash))
		came.hash[came.n++] = rm_hash64(batch->ids, batch->n_tokens *
						sizeof(*batch->ids));
	return bag->forward(b, batch);
}

static void train_noting(enum rm_train_shuffle shuffle)
{
	struct rm_backbone_kind kind;
	struct run r;

	run_init(&r, 40, BAG, HEAD);
	bag = r.m->backbone->kind;
	kind = *bag;
	kind.forward = note_batch;
	r.m->backbone->kind = &kind;
	r.o.shuffle = shuffle;
	r.o.epochs = 2;
	came.n = 0;
	train(&r);
	assert_int_equal(came.n, r.result.step);
	r.m->backbone->kind = bag;
	run_fini(&r);
}

/* Both epochs are the stream's; shuffled, they differ from each other. */
static void test_in_order(void **state)
{
	struct rm_batch first = {0};
	size_t order[8], half;
	struct run r;

	(void)state;
	train_noting(RM_SHUFFLE_PAIRS);
	half = came.n / 2;
	assert_true(came.hash[0] != came.hash[half]);
	train_noting(RM_SHUFFLE_NONE);
	assert_memory_equal(came.hash, came.hash + half,
			    half * sizeof(*came.hash));
	run_init(&r, 40, BAG, HEAD);
	for (size_t i = 0; i < 8; i++)
		order[i] = i;
	assert_int_equal(rm_subset_batch(&r.train, order, 8, RM_PROMPT_NONE,
					 &first), 0);
	assert_true(came.hash[0] == rm_hash64(first.ids, first.n_tokens *
					      sizeof(*first.ids)));
	rm_batch_fini(&first);
	run_fini(&r);
}

/* How often, and how, a backbone was told of other parameters. */
static struct {
	uint64_t calls;
	enum rm_precision precision;
} told;

static int count_ready(struct rm_backbone *b, enum rm_precision precision)
{
	(void)b;
	told.calls++;
	told.precision = precision;
	return 0;
}

static void test_parameters_are_taken_over(void **state)
{
	struct rm_backbone_kind kind;
	struct run r;

	(void)state;
	run_init(&r, 60, BAG, HEAD);
	kind = *r.m->backbone->kind;
	kind.ready = count_ready;
	r.m->backbone->kind = &kind;
	told.calls = 0;
	r.o.precision = RM_BF16;
	train(&r);
	/* At the start, after each step, and when the best are restored. */
	assert_int_equal(told.calls, r.result.step + 2);
	assert_int_equal(told.precision, RM_BF16);

	r.o.checkpoint = made_path("ready");
	r.o.checkpoint_steps = 2;
	train(&r);
	r.o.resume = true;
	r.o.precision = RM_FP32;
	refused(&r, "another precision: \"bf16\", now \"fp32\"");
	run_fini(&r);
}

/* ---- stopping and going on ---- */

static void as_it_is(struct run *r)
{
	(void)r;
}

static void cut_finely(struct run *r)
{
	r->o.micro_tokens = 100;
}

static void by_groups(struct run *r)
{
	r->o.shuffle = RM_SHUFFLE_GROUPS;
}

static void in_order(struct run *r)
{
	r->o.shuffle = RM_SHUFFLE_NONE;
	r->o.valid_steps = 3;
}

/* A stop as a signal handler would ask for it. */
static volatile sig_atomic_t stop;
static uint64_t stop_at;

static int stop_then(void *arg, const struct rm_train_report *r)
{
	(void)arg;
	stop = !r->valid && r->step == stop_at;
	return 0;
}

/* As a whole run, or as one that stops at `at`; change: other options. */
static void go_whole(void (*change)(struct run *r),
		     struct rm_fingerprint *fp, uint64_t *steps)
{
	struct run r;

	run_init(&r, 100, BAG, HEAD);
	change(&r);
	train(&r);
	*fp = rm_model_fingerprint(r.m);
	*steps = r.result.step;
	run_fini(&r);
}

static void stop_and_resume(uint64_t at, void (*change)(struct run *r),
			    struct rm_fingerprint *fp)
{
	struct run r;

	run_init(&r, 100, BAG, HEAD);
	change(&r);
	r.o.checkpoint = made_path("state");
	r.o.stop = &stop;
	r.o.report = stop_then;
	r.o.force = true;
	stop_at = at;
	train(&r);
	assert_true(r.result.stopped);
	assert_true(r.result.saved);
	assert_int_equal(r.result.step, at);
	run_fini(&r);

	run_init(&r, 100, BAG, HEAD);
	change(&r);
	/* Whatever the parameters were, the checkpoint's come. */
	rm_params_init(&r.m->params, 99);
	r.o.checkpoint = made_path("state");
	r.o.resume = true;
	train(&r);
	assert_int_equal(r.result.resumed, at);
	assert_false(r.result.stopped);
	*fp = rm_model_fingerprint(r.m);
	run_fini(&r);
}

/* Within an epoch, at its end, in the last one. */
static void test_resume_gives_same_bytes(void **state)
{
	static void (*const change[])(struct run *r) = {
		as_it_is, cut_finely, by_groups, in_order
	};
	struct rm_fingerprint whole, parts;
	uint64_t steps;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(change); i++) {
		go_whole(change[i], &whole, &steps);
		stop_and_resume(1, change[i], &parts);
		assert_string_equal(parts.hex, whole.hex);
		stop_and_resume(steps / 4, change[i], &parts);
		assert_string_equal(parts.hex, whole.hex);
		stop_and_resume(3 * (steps / 4) + 2, change[i], &parts);
		assert_string_equal(parts.hex, whole.hex);
	}
}

static void test_other_settings_refused(void **state)
{
	struct rm_fingerprint fp;
	struct run r;
	json_t *input = json_pack("{s:s}", "input", "another");

	(void)state;
	stop_and_resume(2, as_it_is, &fp);
	run_init(&r, 100, BAG, HEAD);
	r.o.checkpoint = made_path("state");
	refused(&r, "--resume goes on from it");
	r.o.resume = true;
	r.o.batch = 9;
	refused(&r, "another batch: 8, now 9");
	r.o.batch = 8;
	r.o.micro_tokens = 64;
	refused(&r, "another micro_tokens: 0, now 64");
	r.o.micro_tokens = 0;
	r.o.optim.lr = .5;
	refused(&r, "another lr");
	r.o.optim.lr = rm_train_defaults().optim.lr;
	r.o.settings = input;
	refused(&r, "another input");
	run_fini(&r);
	json_decref(input);
}

static void test_damaged_checkpoint(void **state)
{
	char *file = made_path("state/checkpoint.safetensors");
	struct rm_fingerprint fp;
	struct run r;

	(void)state;
	stop_and_resume(2, as_it_is, &fp);
	assert_int_equal(truncate(file, 5000), 0);
	run_init(&r, 100, BAG, HEAD);
	r.o.checkpoint = made_path("state");
	r.o.resume = true;
	refused(&r, "checkpoint.safetensors");
	/* No checkpoint: from the beginning. */
	assert_int_equal(unlink(file), 0);
	train(&r);
	assert_int_equal(r.result.resumed, 0);
	run_fini(&r);
}

/* The best epoch's parameters are kept, not the last one's. */
static void test_best_is_kept(void **state)
{
	struct rm_train_report report = {0};
	struct run r;

	(void)state;
	run_init(&r, 60, "bag:rows=4096", "linear");
	/* So fast that it soon is too sure of itself. */
	r.o.optim.lr = .1;
	r.o.epochs = 12;
	train(&r);
	assert_int_equal(rm_train_evaluate(r.m, r.loss, &r.valid, &report), 0);
	assert_true(fabs(report.loss - r.result.valid_loss) < 1e-9);
	run_fini(&r);
}

struct seen {
	double best;
	uint64_t passes, since;
};

static int watch(void *arg, const struct rm_train_report *r)
{
	struct seen *seen = arg;

	if (!r->valid)
		return 0;
	seen->passes++;
	seen->since = r->best ? 0 : seen->since + 1;
	if (r->best)
		seen->best = r->loss;
	else
		assert_true(r->loss >= seen->best);
	return 0;
}

static void test_patience(void **state)
{
	struct seen seen = {0};
	struct run r;

	(void)state;
	run_init(&r, 60, "bag:rows=4096", "linear");
	/* Rewards that run away: validation cannot go on improving. */
	r.o.optim.lr = 10;
	r.o.epochs = 50;
	r.o.patience = 2;
	r.o.report = watch;
	r.o.arg = &seen;
	train(&r);
	assert_true(r.result.early);
	assert_int_equal(seen.since, 2);
	assert_true(seen.passes < 50);
	run_fini(&r);
}

static void test_nan_names_step_and_record(void **state)
{
	struct run r;
	size_t first;

	(void)state;
	run_init(&r, 40, "bag:rows=4096", "linear");
	first = (size_t)rm_params_find(&r.m->params,
				       r.m->params.param[0].name);
	for (size_t i = 0; i < r.m->params.param[first].size; i++)
		r.m->params.param[first].value[i] = (rm_real)NAN;
	refused(&r, "step 1:");
	assert_non_null(strstr(rm_error(), "record "));
	assert_non_null(strstr(rm_error(), "(made:"));
	run_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_feed),
		cmocka_unit_test(test_cut_steps),
		cmocka_unit_test(test_frozen_rows_are_kept),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_parameters_are_taken_over),
		cmocka_unit_test(test_resume_gives_same_bytes),
		cmocka_unit_test(test_other_settings_refused),
		cmocka_unit_test(test_damaged_checkpoint),
		cmocka_unit_test(test_best_is_kept),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_nan_names_step_and_record),
	};

	rm_threads_set(1);
	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
