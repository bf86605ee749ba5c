/*
 * Small checkpoints of every family, stored with what Transformers makes of
 * them (tests/ref/checkpoints.py), and real ones where they are.
 */
#include "made.h"

#include "backbone/transformer.h"
#include "family.h"
#include "head.h"
#include "model/internal.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORED "tests/data/checkpoints"
#define NEAR 1e-4
#define MAX_IDS 4096

/* A checkpoint whose rows are pooled, or all there. */
struct net {
	struct rm_arch arch;
	struct rm_params params;
	struct rm_backbone *b;
	struct rm_encoder *e;
	struct rm_head *h;
	struct rm_hidden *hidden;
	bool pool, trains;
};

static json_t *load_json(const char *dir, const char *name)
{
	char path[1024];
	json_t *o;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	o = rm_json_load(path, (size_t)1 << 26);
	if (!o)
		fail_msg("%s", rm_error());
	return o;
}

static bool ignores(const void *arg, const char *name)
{
	return rm_arch_ignores(arg, name);
}

static void load_weights(struct net *n, const char *dir, size_t head_from)
{
	struct rm_model_names names = {
		.prefix = n->arch.family->prefix, .ignores = ignores,
		.arg = &n->arch
	};
	const struct rm_safetensor *found[512];
	struct rm_weights *w = rm_weights_open(dir);

	assert_true(n->params.n <= RM_COUNT(found));
	if (!w || rm_model_find_tensors(&n->params, head_from, w, &names,
					true, found) < 0)
		fail_msg("%s: %s", dir, rm_error());
	assert_int_equal(rm_params_alloc(&n->params, n->trains), 0);
	for (size_t i = 0; i < n->params.n; i++)
		if (found[i])
			assert_int_equal(rm_weights_read(found[i],
				n->params.param[i].value), 0);
	rm_weights_close(w);
}

static void open_net(struct net *n, const char *dir, bool pool,
		     enum rm_precision precision)
{
	json_t *config = load_json(dir, "config.json");
	json_t *backbone = json_pack("{s:s, s:O}", "name", "transformer",
				     "config", config);
	json_t *head = json_pack("{s:s, s:O}", "name", "native", "config",
				 config);
	const struct rm_encoder_options usual = {0};
	size_t head_from;

	*n = (struct net){ .pool = pool, .trains = n->trains };
	if (rm_arch_init(&n->arch, config) < 0)
		fail_msg("%s: %s", dir, rm_error());
	n->b = rm_backbone_new(backbone, n->arch.vocab, &n->params);
	head_from = n->params.n;
	n->e = n->b ? rm_encoder_new(&usual, n->b, &n->params) : NULL;
	n->h = n->e ? rm_head_new(head, n->e, &n->params) : NULL;
	if (!n->h)
		fail_msg("%s: %s", dir, rm_error());
	load_weights(n, dir, head_from);
	if (rm_backbone_ready(n->b, precision) < 0)
		fail_msg("%s: %s", dir, rm_error());
	json_decref(head);
	json_decref(backbone);
	json_decref(config);
}

static void close_net(struct net *n)
{
	rm_head_free(n->h);
	rm_encoder_free(n->e);
	rm_backbone_free(n->b);
	rm_params_fini(&n->params);
}

/* ---- cases ---- */

static struct rm_slice ids_of(const json_t *list, int32_t *ids)
{
	size_t n = json_array_size(list);

	assert_true(n <= MAX_IDS);
	for (size_t i = 0; i < n; i++)
		ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
	return (struct rm_slice){ (unsigned char *)ids, n * sizeof(*ids) };
}

/* Tokens of type 0 come first. */
static size_t of_first_type(const json_t *types)
{
	size_t n = 0;

	while (n < json_array_size(types) &&
	       json_integer_value(json_array_get(types, n)) == 0)
		n++;
	return n;
}

static void add_text(struct net *n, struct rm_batch *batch, const json_t *c)
{
	int32_t ids[MAX_IDS];
	struct rm_slice all = ids_of(json_object_get(c, "ids"), ids);
	const json_t *types = json_object_get(c, "types");
	size_t cut = types ? of_first_type(types) * sizeof(*ids) : 0;
	struct rm_slice prompt = { all.data, cut };
	struct rm_slice response = { all.data + cut, all.len - cut };

	n->b->types[1] = types != NULL;
	assert_int_equal(rm_batch_add(batch, prompt, &response, 1,
				      n->b->prompt), 0);
}

static void add_group(struct net *n, struct rm_batch *batch, const json_t *c,
		      enum rm_prompt how)
{
	static int32_t ids[8][MAX_IDS];
	const json_t *list = json_object_get(c, "responses");
	struct rm_slice prompt = ids_of(json_object_get(c, "prompt"), ids[7]);
	struct rm_slice response[7];
	size_t k = json_array_size(list);

	assert_true(k <= RM_COUNT(response));
	for (size_t i = 0; i < k; i++)
		response[i] = ids_of(json_array_get(list, i), ids[i]);
	assert_int_equal(rm_batch_add(batch, prompt, response, k, how), 0);
	(void)n;
}

static const rm_real *forward(struct net *n, const struct rm_batch *batch,
			      size_t threads)
{
	const rm_real *scores;

	rm_threads_set(threads);
	n->hidden = n->pool ? rm_encoder_forward(n->e, batch) :
			      rm_backbone_forward(n->b, batch);
	if (!n->hidden)
		fail_msg("%s", rm_error());
	scores = n->pool ? rm_head_forward(n->h, batch, n->hidden) :
			   n->hidden->value;
	rm_threads_set(1);
	assert_non_null(scores);
	return scores;
}

static void far(double *worst, double is, double should)
{
	double e = fabs(is - should);

	if (!(e <= *worst))
		*worst = e;
}

/* Hidden rows of one case against those stored. */
static void check_hidden(struct net *n, const json_t *c, double *worst)
{
	const json_t *want = json_object_get(c, "hidden_last");
	const json_t *rows = json_object_get(c, "rows");
	struct rm_batch batch = {0};
	const rm_real *x;

	if (!want)
		return;
	add_text(n, &batch, c);
	x = forward(n, &batch, 1);
	if (!rows)
		assert_int_equal(json_array_size(want), batch.n_tokens);
	for (size_t i = 0; i < json_array_size(want); i++) {
		const json_t *row = json_array_get(want, i);
		size_t at = rows ? (size_t)json_integer_value(
			json_array_get(rows, i)) : i;

		assert_int_equal(json_array_size(row), n->b->dim);
		for (size_t k = 0; k < n->b->dim; k++)
			far(worst, (double)x[at * n->b->dim + k],
			    json_number_value(json_array_get(row, k)));
	}
	rm_batch_fini(&batch);
}

/* All cases in one batch. */
static void add_cases(struct net *n, struct rm_batch *batch,
		      const json_t *cases)
{
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *c = json_array_get(cases, i);

		if (json_object_get(c, "prompt"))
			add_group(n, batch, c, n->b->prompt);
		else
			add_text(n, batch, c);
	}
}

/* Logits of all cases in one batch. */
static void check_logits(struct net *n, const json_t *cases, double *worst)
{
	struct rm_batch batch = {0};
	const rm_real *s;
	size_t leaf = 0;

	add_cases(n, &batch, cases);
	s = forward(n, &batch, 2);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *want = json_object_get(json_array_get(cases, i),
						     "logits");

		if (!want)
			leaf++;
		for (size_t k = 0; k < json_array_size(want); k++)
			far(worst, (double)s[leaf++],
			    json_number_value(json_array_get(want, k)));
	}
	rm_batch_fini(&batch);
}

static void check_cases(const char *dir, const json_t *cases)
{
	double hidden = 0, logits = 0;
	struct net n = {0};

	open_net(&n, dir, false, RM_FP32);
	for (size_t i = 0; i < json_array_size(cases); i++)
		check_hidden(&n, json_array_get(cases, i), &hidden);
	close_net(&n);
	open_net(&n, dir, true, RM_FP32);
	if (json_object_get(json_array_get(cases, 0), "logits")) {
		/* Several labels stand one after another, as leaves do. */
		check_logits(&n, cases, &logits);
	}
	close_net(&n);
	if (!(hidden < NEAR) || !(logits < NEAR))
		fail_msg("%s: hidden rows differ by %g, logits by %g", dir,
			 hidden, logits);
}

/* ---- the stored checkpoints ---- */

static void each_stored(void (*fn)(const char *dir, const json_t *cases))
{
	struct dirent **names;
	int n = scandir(STORED, &names, NULL, alphasort), done = 0;

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		char dir[512];

		snprintf(dir, sizeof(dir), STORED "/%s", names[i]->d_name);
		if (names[i]->d_name[0] != '.' &&
		    !strchr(names[i]->d_name, '.')) {
			json_t *cases = load_json(dir, "reference.json");

			fn(dir, cases);
			json_decref(cases);
			done++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(done > 20);
}

/* ---- gradients ---- */

/* The loss of gradients.py: case i weighs (-1)^i (1 + i / 4). */
static void set_weights(struct net *n, const json_t *cases, rm_real *d)
{
	size_t leaf = 0;

	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *c = json_array_get(cases, i);
		size_t k = json_array_size(json_object_get(c, "logits"));
		rm_real w = (rm_real)((i % 2 ? -1 : 1) * (1 + (double)i / 4));

		for (size_t j = 0; j < k; j++)
			d[leaf++ * n->h->columns] = w;
	}
}

static void backward(struct net *n, const json_t *cases, size_t threads)
{
	struct rm_batch batch = { .train = true };
	rm_real *d;

	rm_threads_set(threads);
	add_cases(n, &batch, cases);
	batch.train = true;
	forward(n, &batch, threads);
	rm_threads_set(threads);
	d = rm_calloc(batch.n_leaves, n->h->columns * sizeof(*d));
	assert_non_null(d);
	set_weights(n, cases, d);
	if (rm_head_backward(n->h, &batch, n->hidden, d) < 0 ||
	    rm_encoder_backward(n->e, &batch) < 0)
		fail_msg("%s", rm_error());
	rm_threads_set(1);
	free(d);
	rm_batch_fini(&batch);
}

/* By its name here, or as older files have it. */
static const json_t *gradient_of(const struct net *n, const json_t *all,
				 const char *name)
{
	const char *prefix = n->arch.family->prefix;
	const json_t *g = json_object_get(all, name);
	char old[256];
	char *end;

	if (!g && prefix && strncmp(name, prefix, strlen(prefix)) == 0)
		g = json_object_get(all, name + strlen(prefix));
	if (g)
		return g;
	snprintf(old, sizeof(old), "%s", name);
	end = strstr(old, "LayerNorm.weight");
	if (end)
		strcpy(end, "LayerNorm.gamma");
	end = strstr(old, "LayerNorm.bias");
	if (end)
		strcpy(end, "LayerNorm.beta");
	return json_object_get(all, old);
}

static double norm_of(const json_t *g)
{
	return json_number_value(json_object_get(g, "norm"));
}

/* To 1e-3 of it, and 1e-5 of the largest: some are 0 but for rounding. */
static void same(const char *what, const char *name, double is,
		 double should, double largest)
{
	if (!(fabs(is - should) <= 1e-3 * fabs(should) + 1e-5 * largest))
		fail_msg("%s: %s: %g, not %g", what, name, is, should);
}

static void check_gradient(const char *dir, const struct rm_param *p,
			   const json_t *g, double largest)
{
	const json_t *some = json_object_get(g, "some");
	size_t step = RM_MAX(7, p->size / 16 | 1);
	double sum = 0;

	for (size_t i = 0; i < p->size; i++)
		sum += (double)p->grad[i] * (double)p->grad[i];
	same(dir, p->name, sqrt(sum), norm_of(g), largest);
	for (size_t i = 0; i < json_array_size(some); i++)
		same(dir, p->name, (double)p->grad[i * step],
		     json_number_value(json_array_get(some, i)), largest);
}

static void gradients(const char *dir, const json_t *cases)
{
	struct net n = { .trains = true };
	json_t *all;
	double largest = 0;
	const json_t *g;
	const char *key;

	if (!json_object_get(json_array_get(cases, 0), "logits"))
		return;
	open_net(&n, dir, true, RM_FP32);
	all = load_json(dir, "gradients.json");
	json_object_foreach(all, key, g)
		largest = fmax(largest, norm_of(g));
	backward(&n, cases, 2);
	for (size_t i = 0; i < n.params.n; i++) {
		g = gradient_of(&n, all, n.params.param[i].name);
		if (!g)
			fail_msg("%s: no %s", dir, n.params.param[i].name);
		check_gradient(dir, &n.params.param[i], g, largest);
	}
	json_decref(all);
	close_net(&n);
}

static void test_gradients(void **state)
{
	(void)state;
	each_stored(gradients);
}

/* By one to three threads, and with layers computed twice. */
static void gradient_bits(const char *dir, const json_t *cases)
{
	rm_real *first = NULL;

	if (!json_object_get(json_array_get(cases, 0), "logits"))
		return;
	for (size_t threads = 1; threads <= 3; threads++) {
		struct net n = { .trains = true };
		size_t bytes;

		open_net(&n, dir, true, RM_FP32);
		n.b->recompute = threads == 3;
		bytes = n.params.grad_size * sizeof(*first);
		backward(&n, cases, threads);
		if (!first) {
			first = rm_malloc(bytes, 1);
			assert_non_null(first);
			memcpy(first, n.params.grad_block, bytes);
		}
		assert_memory_equal(n.params.grad_block, first, bytes);
		close_net(&n);
	}
	free(first);
}

static void test_gradients_have_the_same_bits(void **state)
{
	(void)state;
	each_stored(gradient_bits);
}

static void test_families(void **state)
{
	(void)state;
	each_stored(check_cases);
}

/* Scores of the cases one by one, and all in one batch by 1, 2, 3 threads. */
static void same_bits(const char *dir, const json_t *cases)
{
	struct rm_batch all = {0}, one = {0};
	rm_real alone[64];
	struct net n = {0};
	size_t k = 0;

	open_net(&n, dir, true, RM_FP32);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < json_array_size(cases); i++) {
			const json_t *c = json_array_get(cases, i);

			if (json_object_get(c, "prompt"))
				continue;
			add_text(&n, &all, c);
			rm_batch_clear(&one);
			add_text(&n, &one, c);
			assert_true(k < RM_COUNT(alone));
			alone[k++] = forward(&n, &one, 1)[0];
		}
	}
	for (size_t threads = 1; threads <= 3; threads++)
		assert_memory_equal(forward(&n, &all, threads), alone,
				    k * sizeof(*alone));
	rm_batch_fini(&all);
	rm_batch_fini(&one);
	close_net(&n);
}

static void test_same_bits(void **state)
{
	(void)state;
	each_stored(same_bits);
}

static size_t families_by_last;

/* Rows that are asked for are those that all rows have among them. */
static void asked_rows(const char *dir, const json_t *cases)
{
	struct rm_batch batch = {0};
	size_t ask[128], n_ask = 0, C;
	double worst = 0, all_worst = 0;
	struct net n = {0};
	rm_real *some;

	open_net(&n, dir, false, RM_FP32);
	/* More than are computed at once. */
	for (size_t i = 0; batch.n_segments < 40; i++) {
		const json_t *c = json_array_get(cases, i %
						 json_array_size(cases));

		if (!json_object_get(c, "prompt"))
			add_text(&n, &batch, c);
	}
	for (size_t i = 0; i < batch.n_segments && n_ask + 3 < 128; i++) {
		size_t first = batch.segment[i].start;

		/* One of them twice, and not in order. */
		ask[n_ask++] = first + batch.segment[i].length - 1;
		ask[n_ask++] = first;
		ask[n_ask++] = first;
	}
	C = n.b->dim;
	batch.ask = ask;
	batch.n_ask = n_ask;
	some = rm_malloc(n_ask * C, sizeof(*some));
	assert_non_null(some);
	memcpy(some, forward(&n, &batch, 2), n_ask * C * sizeof(*some));
	batch.ask = NULL;
	batch.n_ask = 0;
	const rm_real *all = forward(&n, &batch, 1);
	for (size_t k = 0; k < n_ask; k++)
		for (size_t c = 0; c < C; c++) {
			far(&worst, (double)some[k * C + c],
			    (double)all[ask[k] * C + c]);
			far(&all_worst, (double)all[ask[k] * C + c], 0);
		}
	assert_true(n_ask > 100 && all_worst > 0);
	if (worst > 1e-5)
		fail_msg("%s: %g", dir, worst);
	families_by_last += rm_last_fits(n.b->self);
	free(some);
	rm_batch_fini(&batch);
	close_net(&n);
}

static void test_asked_rows(void **state)
{
	(void)state;
	each_stored(asked_rows);
	assert_true(families_by_last > 2);
}

/* A prompt that is shared gives what a copy before each response gives. */
static void shared_prompt(const char *dir, const json_t *cases)
{
	struct rm_batch shared = {0}, copied = {0};
	rm_real s[64];
	double worst = 0;
	struct net n = {0};

	open_net(&n, dir, true, RM_FP32);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *c = json_array_get(cases, i);

		if (!json_object_get(c, "prompt"))
			continue;
		add_group(&n, &shared, c, RM_PROMPT_SHARED);
		add_group(&n, &copied, c, RM_PROMPT_COPIED);
	}
	if (shared.n_leaves > 0 && n.b->prompt == RM_PROMPT_SHARED) {
		assert_true(shared.n_tokens < copied.n_tokens);
		memcpy(s, forward(&n, &shared, 1),
		       shared.n_leaves * sizeof(*s));
		const rm_real *t = forward(&n, &copied, 1);
		for (size_t i = 0; i < shared.n_leaves; i++)
			far(&worst, (double)s[i], (double)t[i]);
		assert_true(worst < 1e-5);
	}
	rm_batch_fini(&shared);
	rm_batch_fini(&copied);
	close_net(&n);
}

static void test_shared_prompt(void **state)
{
	(void)state;
	each_stored(shared_prompt);
}

/* bf16 within 2e-2 of fp32, relative to the spread of the rewards. */
static void bf16(const char *dir, const json_t *cases)
{
	double low = INFINITY, high = -INFINITY, worst = 0;
	struct rm_batch batch = {0};
	rm_real exact[64];
	struct net n = {0};

	open_net(&n, dir, true, RM_FP32);
	for (size_t i = 0; i < json_array_size(cases); i++)
		if (json_object_get(json_array_get(cases, i), "ids"))
			add_text(&n, &batch, json_array_get(cases, i));
	memcpy(exact, forward(&n, &batch, 1),
	       batch.n_leaves * sizeof(*exact));
	close_net(&n);
	open_net(&n, dir, true, RM_BF16);
	n.b->types[1] = json_object_get(json_array_get(cases, 0), "types") !=
		NULL;
	const rm_real *s = forward(&n, &batch, 1);
	for (size_t i = 0; i < batch.n_leaves; i++) {
		low = fmin(low, (double)exact[i]);
		high = fmax(high, (double)exact[i]);
		far(&worst, (double)s[i], (double)exact[i]);
	}
	if (high > low && !(worst <= 2e-2 * (high - low)))
		fail_msg("%s: bf16 differs by %g of a spread of %g", dir,
			 worst, high - low);
	rm_batch_fini(&batch);
	close_net(&n);
}

static void test_bf16(void **state)
{
	(void)state;
	each_stored(bf16);
}

/* ---- saved and read back ---- */

/* The model's rewards of the cases, which it scores as it was loaded. */
static size_t rewards(struct rm_model *m, const json_t *cases, rm_real *out)
{
	struct net n = { .b = m->backbone };
	struct rm_batch batch = {0};
	const rm_real *s;
	size_t leaves;

	assert_int_equal(rm_model_ready(m, RM_FP32), 0);
	for (size_t i = 0; i < json_array_size(cases); i++)
		if (json_object_get(json_array_get(cases, i), "ids"))
			add_text(&n, &batch, json_array_get(cases, i));
	s = rm_model_forward(m, &batch);
	if (!s)
		fail_msg("%s", rm_error());
	leaves = batch.n_leaves;
	memcpy(out, s, leaves * sizeof(*out));
	rm_batch_fini(&batch);
	return leaves;
}

static struct rm_model *load_model(const char *dir, bool train)
{
	struct rm_model *m = rm_model_load(dir, train ?
						   &rm_model_train_all : NULL);

	if (!m)
		fail_msg("%s: %s", dir, rm_error());
	return m;
}

/*
 * As a training run would save it.  With RM_KEEP the directories stay there,
 * for tests/ref/load_back.py.
 */
static void round_trip(const char *dir, const json_t *cases)
{
	const char *keep = getenv("RM_KEEP");
	struct rm_model *m = load_model(dir, true), *again;
	rm_real before[64], after[64];
	struct rm_fingerprint fp;
	struct rm_header h;
	char to[1024];
	size_t n;

	made_header(&h);
	assert_int_equal(rm_model_match(m, dir, &h, "in", false), 0);
	assert_int_equal(rm_model_adopt(m, dir, &h), 0);
	if (m->fresh_head)
		rm_model_init_head(m, 1);
	n = rewards(m, cases, before);
	fp = rm_model_fingerprint(m);
	snprintf(to, sizeof(to), "%s/%s", keep ? keep : made_path("saved"),
		 keep ? strrchr(dir, '/') + 1 : "");
	if (rm_model_save(m, to, false) < 0)
		fail_msg("%s: %s", dir, rm_error());
	rm_model_free(m);
	again = load_model(to, false);
	assert_true(again->recorded);
	assert_string_equal(rm_model_fingerprint(again).hex, fp.hex);
	assert_int_equal(rewards(again, cases, after), n);
	assert_memory_equal(before, after, n * sizeof(*before));
	rm_model_free(again);
	rm_header_fini(&h);
}

static void test_round_trip(void **state)
{
	(void)state;
	each_stored(round_trip);
}

static void test_base(void **state)
{
	struct rm_model *m = rm_model_load(STORED "/bert_base", NULL);

	(void)state;
	assert_null(m);
	assert_non_null(strstr(rm_error(), "without a reward head"));
}

/* ---- real ones ---- */

static void check_real(const char *name, const char *dir)
{
	json_t *all = load_json(STORED, "shared.json");

	if (access(dir, R_OK) < 0) {
		print_message("[  SKIPPED ] no %s\n", dir);
		json_decref(all);
		skip();
	}
	check_cases(dir, json_object_get(all, name));
	json_decref(all);
}

static void test_shared_data(void **state)
{
	static const char *const names[] = {
		"jammi_tiny_bert", "jammi_tiny_modernbert",
		"jammi_tiny_modernbert_classifier"
	};
	const char *data = getenv("RM_DATA");
	char dir[512];

	(void)state;
	for (size_t i = 0; i < RM_COUNT(names); i++) {
		snprintf(dir, sizeof(dir), "%s/models/%s",
			 data ? data : "../shared/data", names[i]);
		check_real(names[i], dir);
	}
}

static void test_minilm(void **state)
{
	const char *dir = getenv("RM_MINILM");

	(void)state;
	if (!dir) {
		print_message("[  SKIPPED ] RM_MINILM is no directory of "
			      "all-MiniLM-L6-v2\n");
		skip();
	}
	check_real("all-MiniLM-L6-v2", dir);
}

/* ---- what is refused ---- */

static void refuse(const char *name, const char *key, json_t *value,
		   const char *says)
{
	char dir[256];
	struct rm_arch a;
	json_t *config;

	snprintf(dir, sizeof(dir), STORED "/%s", name);
	config = load_json(dir, "config.json");
	json_object_set_new(config, key, value);
	assert_int_equal(rm_arch_init(&a, config), -1);
	if (!strstr(rm_error(), says))
		fail_msg("%s: %s", key, rm_error());
	json_decref(config);
}

/* Keys that change the function, and sizes that cannot be. */
static void test_refused(void **state)
{
	(void)state;
	refuse("bert", "model_type", json_string("t5"), "there are bert");
	refuse("bert", "hidden_act", json_string("mish"), "hidden_act");
	refuse("bert", "position_embedding_type",
	       json_string("relative_key"), "position_embedding_type");
	refuse("bert", "is_decoder", json_true(), "is_decoder");
	refuse("bert", "hidden_size", json_integer(18), "no multiple");
	refuse("bert", "hidden_size", json_integer(-1), "hidden_size");
	refuse("bert", "num_hidden_layers", json_integer(99999), "layers");
	refuse("bert", "num_attention_heads", json_integer(0), "heads");
	refuse("bert", "quantization_config", json_pack("{s:i}", "bits", 4),
	       "quantization_config");
	refuse("llama", "rope_scaling", json_pack("{s:s, s:f}", "rope_type",
	       "yarn", "factor", 4.), "yarn");
	refuse("llama", "num_key_value_heads", json_integer(3), "evenly");
	refuse("deberta_v3", "conv_kernel_size", json_integer(3),
	       "conv_kernel_size");
	refuse("qwen2_window", "layer_types", json_pack("[s]", "other"),
	       "layer_types");
	refuse("gemma2", "use_bidirectional_attention", json_true(),
	       "use_bidirectional_attention");
}

/* Ids beyond the positions, and no ids at all. */
static void test_bad_texts(void **state)
{
	int32_t ids[200] = {0};
	struct rm_slice none = {0}, many = { (unsigned char *)ids,
					     sizeof(ids) };
	struct rm_batch batch = {0};
	struct net n = {0};

	(void)state;
	open_net(&n, STORED "/bert", true, RM_FP32);
	rm_batch_add(&batch, none, &many, 1, n.b->prompt);
	assert_null(rm_encoder_forward(n.e, &batch));
	assert_non_null(strstr(rm_error(), "200 tokens"));
	rm_batch_clear(&batch);
	rm_batch_add(&batch, none, &none, 1, n.b->prompt);
	assert_null(rm_encoder_forward(n.e, &batch));
	assert_non_null(strstr(rm_error(), "no tokens"));
	rm_batch_fini(&batch);
	close_net(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_gradients),
		cmocka_unit_test(test_gradients_have_the_same_bits),
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_asked_rows),
		cmocka_unit_test(test_shared_prompt),
		cmocka_unit_test(test_bf16),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_shared_data),
		cmocka_unit_test(test_minilm),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_texts),
	};

	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
