/*
 * Dropout inside transformers: which keys of config.json say what, and that
 * masks follow a token's place in the step, however it is computed.
 */
#include "made.h"

#include "model.h"

#include <dirent.h>
#include <math.h>

#define STORED "tests/data/checkpoints"
#define GROUPS 4
#define MOST 16

static struct rm_model *load(const char *name)
{
	char dir[512];
	struct rm_model *m;

	snprintf(dir, sizeof(dir), STORED "/%s", name);
	m = rm_model_load(dir, &rm_model_train_all);
	if (!m)
		fail_msg("%s", rm_error());
	if (m->fresh_head)
		rm_model_init_head(m, 1);
	assert_int_equal(rm_model_ready(m, RM_FP32), 0);
	return m;
}

static void each_stored(void (*fn)(struct rm_model *m, const char *name))
{
	DIR *d = opendir(STORED);
	struct dirent *e;
	int done = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (strchr(e->d_name, '.'))
			continue;
		struct rm_model *m = load(e->d_name);

		fn(m, e->d_name);
		rm_model_free(m);
		done++;
	}
	closedir(d);
	assert_true(done > 20);
}

/* ---- batches of a step ---- */

/* A prompt of two or three ids and two responses, of which one is empty. */
static void add_group(struct rm_model *m, struct rm_batch *b, uint64_t g)
{
	const size_t length[] = { 2 + g % 2, 3 + g, g == 1 ? 0 : 4 };
	int32_t ids[3][8];
	struct rm_slice s[3];

	for (uint64_t i = 0; i < 3; i++) {
		for (uint64_t k = 0; k < length[i]; k++)
			ids[i][k] = 10 + (int32_t)(rm_random(g,
				RM_RANDOM_TEST, i, k) % 20);
		s[i] = (struct rm_slice){ (unsigned char *)ids[i],
					  length[i] * sizeof(int32_t) };
	}
	assert_int_equal(rm_batch_add(b, s[0], s + 1, 2,
				      m->prompt), 0);
}

/* Scores of all groups of a step, computed `cut` at a time; how many. */
static size_t scores(struct rm_model *m, struct rm_batch *b, size_t cut,
		     rm_real *out)
{
	size_t n, done = 0;

	b->first_leaf = b->first_token = 0;
	for (uint64_t g = 0; g < GROUPS; g += cut) {
		const rm_real *s;

		rm_batch_clear(b);
		for (uint64_t i = g; i < RM_MIN(g + cut, GROUPS); i++)
			add_group(m, b, i);
		s = rm_model_forward(m, b);
		if (!s)
			fail_msg("%s", rm_error());
		n = b->n_leaves * m->head->columns;
		assert_true(done + n <= MOST);
		memcpy(out + done, s, n * sizeof(*out));
		done += n;
		b->first_leaf += b->n_leaves;
		b->first_token += b->n_tokens;
	}
	return done;
}

static bool same(const rm_real *a, const rm_real *b, size_t n)
{
	return memcmp(a, b, n * sizeof(*a)) == 0;
}

/* In training: cut as one likes, by one to three threads. */
static void check_cuts(struct rm_model *m, const char *name)
{
	struct rm_batch b = { .seed = 5, .step = 7 };
	rm_real plain[MOST], whole[MOST], s[MOST];
	size_t n = scores(m, &b, GROUPS, plain);

	assert_int_equal(rm_model_set_dropout(m, .3), 0);
	b.train = true;
	scores(m, &b, GROUPS, whole);
	if (same(whole, plain, n))
		fail_msg("%s: nothing is dropped", name);
	for (size_t cut = 1; cut <= GROUPS; cut++) {
		rm_threads_set(1 + cut % 3);
		scores(m, &b, cut, s);
		if (!same(whole, s, n))
			fail_msg("%s: %zu groups at a time differ", name,
				 cut);
	}
	rm_threads_set(1);
	b.step = 8;
	scores(m, &b, GROUPS, s);
	assert_false(same(whole, s, n));
	b.step = 7;
	b.seed = 6;
	scores(m, &b, GROUPS, s);
	assert_false(same(whole, s, n));
	/* Between two training batches texts may be scored. */
	b.train = false;
	scores(m, &b, GROUPS, s);
	assert_true(same(plain, s, n));
	b.train = true;
	b.seed = 5;
	scores(m, &b, GROUPS, s);
	assert_true(same(whole, s, n));
	rm_batch_fini(&b);
}

static void test_cuts(void **state)
{
	(void)state;
	each_stored(check_cuts);
}

/* Each site that a family has drops something by itself. */
static void check_sites(struct rm_model *m, const char *name)
{
	struct rm_batch b = { .train = true, .seed = 5 };
	rm_real plain[MOST], s[MOST];
	size_t n = scores(m, &b, GROUPS, plain);

	m->backbone->dropout = m->head->dropout = m->dropout;
	for (int site = 0; site < RM_DROP_SITES; site++) {
		if (!m->arch->drops[site])
			continue;
		m->dropout[site] = .5;
		scores(m, &b, GROUPS, s);
		if (same(plain, s, n))
			fail_msg("%s: site %d drops nothing", name, site);
		m->dropout[site] = 0;
	}
	scores(m, &b, GROUPS, s);
	assert_true(same(plain, s, n));
	rm_batch_fini(&b);
}

static void test_sites(void **state)
{
	(void)state;
	each_stored(check_sites);
}

/* What the last product reads, on average over steps: what it was. */
static void test_mean(void **state)
{
	enum { STEPS = 4000 };
	struct rm_model *m = load("bert");
	struct rm_batch b = {0};
	rm_real plain[MOST], s[MOST];
	double sum[MOST] = {0}, square[MOST] = {0}, mean, error;
	size_t n = scores(m, &b, GROUPS, plain);

	(void)state;
	m->head->dropout = m->dropout;
	m->dropout[RM_DROP_HEAD_OUT] = .3;
	b.train = true;
	for (b.step = 0; b.step < STEPS; b.step++) {
		scores(m, &b, GROUPS, s);
		for (size_t i = 0; i < n; i++) {
			sum[i] += (double)s[i];
			square[i] += (double)s[i] * (double)s[i];
		}
	}
	for (size_t i = 0; i < n; i++) {
		mean = sum[i] / STEPS;
		error = sqrt((square[i] / STEPS - mean * mean) / STEPS);
		assert_true(error > 0);
		assert_true(fabs(mean - (double)plain[i]) < 4 * error);
	}
	rm_batch_fini(&b);
	rm_model_free(m);
}

/* ---- gradients ---- */

/* Of sum(s), into a copy of their block, which the caller frees. */
static rm_real *gradients(struct rm_model *m, size_t threads, bool recompute)
{
	struct rm_batch b = { .train = true, .seed = 5 };
	rm_real s[MOST], d[MOST], *copy;
	struct rm_hidden *hidden;
	size_t n;

	rm_threads_set(threads);
	m->backbone->recompute = recompute;
	rm_params_zero_grad(&m->params);
	n = scores(m, &b, GROUPS, s);
	for (size_t i = 0; i < n; i++)
		d[i] = 1;
	b.first_leaf = b.first_token = 0;
	hidden = rm_model_hidden(m, &b);
	assert_non_null(hidden);
	assert_non_null(rm_head_forward(m->head, &b, hidden));
	if (rm_head_backward(m->head, &b, hidden, d) < 0 ||
	    rm_model_backward(m, &b) < 0)
		fail_msg("%s", rm_error());
	rm_threads_set(1);
	copy = rm_malloc(m->params.grad_size, sizeof(*copy));
	assert_non_null(copy);
	memcpy(copy, m->params.grad_block,
	       m->params.grad_size * sizeof(*copy));
	rm_batch_fini(&b);
	return copy;
}

/* The layout of memory is that of the first batch: a model for each way. */
static void check_gradients(struct rm_model *m, const char *name)
{
	rm_real *first = NULL, *g;

	for (size_t threads = 1; threads <= 3; threads++) {
		struct rm_model *other = load(name);

		assert_int_equal(rm_model_set_dropout(other, .3), 0);
		g = gradients(other, threads, threads == 3);
		rm_model_free(other);
		if (first)
			assert_true(same(first, g, m->params.grad_size));
		else
			first = g;
		if (g != first)
			free(g);
	}
	g = gradients(m, 1, false);
	assert_false(same(first, g, m->params.grad_size));
	free(g);
	free(first);
}

static void test_gradients_have_the_same_bits(void **state)
{
	(void)state;
	each_stored(check_gradients);
}

/* ---- config.json ---- */

#define SITE(name) (1u << RM_DROP_##name)
#define RESIDUAL (SITE(ATTENTION_OUT) | SITE(FFN_OUT))

/*
 * What the classes of Transformers 5.24 do: the sites of each key, and its
 * rate where it is missing.
 */
static const struct site {
	const char *name, *key;
	unsigned sites;
	double otherwise;
} sites[] = {
	{ "bert", "hidden_dropout_prob",
	  SITE(EMBEDDINGS) | RESIDUAL | SITE(HEAD_OUT), .1 },
	{ "bert", "attention_probs_dropout_prob", SITE(ATTENTION), .1 },
	{ "bert", "classifier_dropout", SITE(HEAD_OUT), .1 },
	{ "roberta", "hidden_dropout_prob", SITE(EMBEDDINGS) | RESIDUAL |
	  SITE(HEAD_DENSE) | SITE(HEAD_OUT), .1 },
	{ "xlm_roberta", "classifier_dropout",
	  SITE(HEAD_DENSE) | SITE(HEAD_OUT), .1 },
	{ "distilbert", "dropout", SITE(EMBEDDINGS) | SITE(FFN_OUT), .1 },
	{ "distilbert", "attention_dropout", SITE(ATTENTION), .1 },
	{ "distilbert", "seq_classif_dropout", SITE(HEAD_OUT), .2 },
	{ "deberta_v2", "hidden_dropout_prob", SITE(EMBEDDINGS) | RESIDUAL |
	  SITE(RELATIVE) | SITE(HEAD_OUT), .1 },
	{ "deberta_v3", "pooler_dropout", SITE(HEAD_DENSE), 0 },
	{ "deberta_v3", "cls_dropout", SITE(HEAD_OUT), .1 },
	{ "modernbert", "embedding_dropout", SITE(EMBEDDINGS), 0 },
	{ "modernbert", "attention_dropout",
	  SITE(ATTENTION) | SITE(ATTENTION_OUT), 0 },
	{ "modernbert", "mlp_dropout", SITE(FFN), 0 },
	{ "modernbert", "classifier_dropout", SITE(HEAD_OUT), 0 },
	{ "gpt2", "embd_pdrop", SITE(EMBEDDINGS), .1 },
	{ "gpt2", "attn_pdrop", SITE(ATTENTION), .1 },
	{ "gpt2", "resid_pdrop", RESIDUAL, .1 },
	{ "gpt_neox", "hidden_dropout", SITE(EMBEDDINGS) | RESIDUAL, 0 },
	{ "gpt_neox", "attention_dropout", SITE(ATTENTION), 0 },
	{ "gpt_neox", "classifier_dropout", 0, 0 },
	{ "opt", "dropout", RESIDUAL, .1 },
	{ "opt", "attention_dropout", SITE(ATTENTION), 0 },
	{ "llama", "attention_dropout", SITE(ATTENTION), 0 },
	{ "mistral", "attention_dropout", SITE(ATTENTION), 0 },
	{ "qwen2", "attention_dropout", SITE(ATTENTION), 0 },
	{ "qwen3", "attention_dropout", SITE(ATTENTION), 0 },
	{ "gemma2", "attention_dropout", SITE(ATTENTION), 0 },
};

static json_t *config_of(const char *name)
{
	char path[512];
	json_t *config;

	snprintf(path, sizeof(path), STORED "/%s/config.json", name);
	config = rm_json_load(path, (size_t)1 << 20);
	assert_non_null(config);
	return config;
}

/* Rates with this value of the key, NULL: without it. */
static void rates(const struct site *s, json_t *value, double *rate)
{
	json_t *config = config_of(s->name);
	struct rm_arch a;

	json_object_del(config, s->key);
	if (value)
		json_object_set_new(config, s->key, value);
	if (rm_arch_init(&a, config) < 0 || rm_arch_dropout(&a, (double)NAN,
							   rate) < 0)
		fail_msg("%s: %s", s->name, rm_error());
	json_decref(config);
}

static void test_keys(void **state)
{
	double set[RM_DROP_SITES], missing[RM_DROP_SITES];

	(void)state;
	for (size_t i = 0; i < RM_COUNT(sites); i++) {
		const struct site *s = &sites[i];

		rates(s, json_real(.37), set);
		rates(s, NULL, missing);
		for (unsigned k = 0; k < RM_DROP_SITES; k++) {
			bool its = s->sites >> k & 1;

			if (set[k] != (its ? .37 : missing[k]) ||
			    (its && missing[k] != s->otherwise))
				fail_msg("%s: %s: site %u: %g, without it "
					 "%g", s->name, s->key, k, set[k],
					 missing[k]);
		}
	}
}

/* One rate for all goes to the sites that there are. */
static void test_one_rate(void **state)
{
	static const struct {
		const char *name;
		unsigned sites;
	} all[] = {
		{ "bert", SITE(EMBEDDINGS) | SITE(ATTENTION) | RESIDUAL |
			  SITE(HEAD_OUT) },
		{ "distilbert", SITE(EMBEDDINGS) | SITE(ATTENTION) |
				SITE(FFN_OUT) | SITE(HEAD_OUT) },
		{ "opt", SITE(ATTENTION) | RESIDUAL },
		{ "gemma2", SITE(ATTENTION) },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(all); i++) {
		struct rm_model *m = load(all[i].name);

		assert_int_equal(rm_model_set_dropout(m, .25), 0);
		for (unsigned k = 0; k < RM_DROP_SITES; k++)
			assert_true(m->dropout[k] ==
				    (all[i].sites >> k & 1 ? .25 : 0));
		rm_model_free(m);
	}
}

static void refuse(const char *name, const char *key, json_t *value,
		   const char *says)
{
	json_t *config = config_of(name);
	double rate[RM_DROP_SITES];
	struct rm_arch a;

	json_object_set_new(config, key, value);
	assert_true(rm_arch_init(&a, config) < 0 ||
		    rm_arch_dropout(&a, (double)NAN, rate) < 0);
	if (!strstr(rm_error(), says))
		fail_msg("%s: %s", key, rm_error());
	json_decref(config);
}

static void test_refused(void **state)
{
	json_t *backbone = rm_backbone_parse("bag:rows=64");
	json_t *head = rm_head_parse("linear");
	struct rm_header h;
	struct rm_model *m;

	(void)state;
	refuse("bert", "hidden_dropout_prob", json_integer(1),
	       "hidden_dropout_prob is no number from 0 to below 1");
	refuse("gpt2", "attn_pdrop", json_string("no"), "attn_pdrop");
	refuse("opt", "layerdrop", json_real(.1), "layerdrop 0.1");
	made_header(&h);
	m = rm_model_new(backbone, head, &h, &rm_model_train_all);
	assert_non_null(m);
	assert_int_equal(rm_model_set_dropout(m, .1), -1);
	assert_non_null(strstr(rm_error(), "its head's"));
	rm_model_free(m);
	rm_header_fini(&h);
	json_decref(head);
	json_decref(backbone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_mean),
		cmocka_unit_test(test_gradients_have_the_same_bits),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_one_rate),
		cmocka_unit_test(test_refused),
	};

	rm_threads_set(1);
	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
