/* Attacks beside those of PyTorch (tests/ref/attack.py), and their bits. */
#include "test.h"
#include "reference.h"

#include "attack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORED "tests/data/checkpoints"
/* Of the increase; where a gradient is nearly 0 its sign is rounding's. */
#define LIMIT 1e-4

static struct rm_schema schema;
static struct rm_buf payload;
static struct rm_record rec;

/* Ids and a rank of each response. */
static int setup(void **state)
{
	(void)state;
	return rm_schema_add(&schema, "prompt") < 0 ||
	       rm_schema_add(&schema, "responses") < 0 ||
	       rm_schema_add(&schema, "rank") < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	rm_schema_fini(&schema);
	rm_buf_fini(&payload);
	rm_record_fini(&rec);
	return 0;
}

/* Valid until the next one. */
static const struct rm_record *record(const json_t *object)
{
	rm_buf_clear(&payload);
	if (rm_record_parse(&payload, &schema, object) < 0 ||
	    rm_record_index(&rec, &schema, payload.data, payload.len) < 0)
		fail_msg("%s", rm_error());
	return &rec;
}

static struct rm_model *load(const char *name)
{
	char path[256];
	struct rm_model *m;

	snprintf(path, sizeof(path), STORED "/%s", name);
	m = rm_model_load(path, NULL);
	if (!m)
		fail_msg("%s: %s", path, rm_error());
	return m;
}

static struct rm_attack *arm(struct rm_model *m, const char *text)
{
	json_t *config = rm_attack_parse(text);
	struct rm_attack *a = config ? rm_attack_new(config, m, 0) : NULL;

	if (!a || rm_model_ready(m, RM_FP32) < 0 ||
	    rm_attack_labels(a, &schema, false) < 0)
		fail_msg("%s: %s", text, rm_error());
	json_decref(config);
	return a;
}

static void add(struct rm_attack *a, struct rm_batch *batch,
		const json_t *object)
{
	const struct rm_record *r = record(object);
	struct rm_slice response[8];

	assert_true(r->k <= RM_COUNT(response));
	rm_record_elements(r, rm_schema_find(&schema, "responses"),
			   response);
	if (rm_attack_add(a, batch, r, rm_record_bytes(r,
			  rm_schema_find(&schema, "prompt")), response) < 0)
		fail_msg("%s", rm_error());
}

/* ---- beside PyTorch ---- */

static double loss_of(const double *r, const json_t *rank)
{
	size_t k = json_array_size(rank);
	double l = 0;

	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < k; j++)
			if (number(rank, i) < number(rank, j))
				l += log1p(exp(r[j] - r[i]));
	return l;
}

static double stored_loss(const json_t *rewards, const json_t *rank)
{
	double r[8];

	for (size_t i = 0; i < json_array_size(rank); i++)
		r[i] = number(rewards, i);
	return loss_of(r, rank);
}

/* Of a case, what a record has. */
static json_t *record_of(const json_t *c)
{
	json_t *o = json_pack("{s:O, s:O, s:O}",
			      "prompt", json_object_get(c, "prompt"),
			      "responses", json_object_get(c, "responses"),
			      "rank", json_object_get(c, "rank"));

	assert_non_null(o);
	return o;
}

static const char *string(const json_t *c, const char *key)
{
	return json_string_value(json_object_get(c, key));
}

static void check_case(const json_t *c, double *worst)
{
	const json_t *rank = json_object_get(c, "rank");
	const json_t *all = json_object_get(c, "rewards");
	struct rm_model *m = load(string(c, "checkpoint"));
	struct rm_attack *a = arm(m, string(c, "attack"));
	size_t k = json_array_size(rank);
	double clean = stored_loss(json_object_get(c, "clean"), rank);
	json_t *o = record_of(c);
	struct rm_batch batch = {0};
	const double *r;

	assert_int_equal(rm_attack_eps(a)->n, json_array_size(all));
	add(a, &batch, o);
	r = rm_attack_run(a, &batch);
	if (!r)
		fail_msg("%s", rm_error());
	for (size_t e = 0; e < json_array_size(all); e++) {
		double want = stored_loss(json_array_get(all, e), rank);
		double is = loss_of(r + e * k, rank);
		double off = fabs(is - want) / fabs(want - clean);

		if (off > LIMIT)
			fail_msg("%s, %s: loss %g, not %g, from %g",
				 string(c, "checkpoint"),
				 string(c, "attack"), is, want, clean);
		*worst = fmax(*worst, off);
	}
	json_decref(o);
	rm_batch_fini(&batch);
	rm_attack_free(a);
	rm_model_free(m);
}

static void test_the_loss_rises_as_in_pytorch(void **state)
{
	json_t *all = rm_json_load("tests/data/attack.json", 1 << 20), *c;
	double worst = 0;
	size_t i;

	(void)state;
	assert_non_null(all);
	assert_true(json_array_size(all) > 50);
	json_array_foreach(all, i, c)
		check_case(c, &worst);
	print_message("increase of the loss: %.2g of it off at most\n",
		      worst);
	json_decref(all);
}

/* ---- bits ---- */

/* Groups of random ids, as many as told, of two or three responses. */
static json_t *make_group(size_t which)
{
	json_t *o = json_pack("{s:[], s:[], s:[]}", "prompt", "responses",
			      "rank");
	size_t k = 2 + which % 2;

	for (size_t i = 0; i <= k; i++) {
		json_t *ids = json_array();

		for (size_t t = 0; t < 3 + (5 * which + 2 * i) % 7; t++)
			json_array_append_new(ids, json_integer((json_int_t)
				(6 + rm_random(1, RM_RANDOM_TEST, which,
					       16 * i + t) % 50)));
		if (i == k) {
			json_object_set_new(o, "prompt", ids);
			continue;
		}
		json_array_append_new(json_object_get(o, "responses"), ids);
		json_array_append_new(json_object_get(o, "rank"),
				      json_integer((json_int_t)(k - i)));
	}
	return o;
}

enum { GROUPS = 6, MOST = 64 };

/* Rewards of all groups, so many in a batch; [eps][leaves] of each. */
static size_t attack_all(const char *name, const char *how, size_t together,
			 size_t threads, double *out)
{
	struct rm_model *m = load(name);
	struct rm_attack *a = arm(m, how);
	size_t n = 0, eps = rm_attack_eps(a)->n;
	struct rm_batch batch = {0};

	rm_threads_set(threads);
	for (size_t g = 0; g < GROUPS; g++) {
		json_t *o = make_group(g);
		const double *r;

		add(a, &batch, o);
		json_decref(o);
		if ((g + 1) % together)
			continue;
		r = rm_attack_run(a, &batch);
		if (!r)
			fail_msg("%s", rm_error());
		/* By text, whatever the batch. */
		for (size_t i = 0; i < batch.n_leaves; i++)
			for (size_t e = 0; e < eps; e++)
				out[n++] = r[e * batch.n_leaves + i];
		assert_true(n < MOST);
		rm_batch_clear(&batch);
		rm_attack_clear(a);
	}
	rm_threads_set(1);
	rm_batch_fini(&batch);
	rm_attack_free(a);
	rm_model_free(m);
	return n;
}

static void test_rewards_have_the_same_bits(void **state)
{
	static const char *const names[] = { "bert", "llama", "deberta_v3" };
	static const char *const hows[] = {
		"pgd:eps=0.01/0.1,steps=3,random_start=yes",
		"pgd:eps=0.5,steps=3,norm=l2,tokens=all,random_start=1",
		"fgsm:eps=0/0.05"
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(names); i++)
		for (size_t h = 0; h < RM_COUNT(hows); h++) {
			double alone[MOST], all[MOST];
			size_t n = attack_all(names[i], hows[h], 1, 1, alone);

			for (size_t t = 1; t <= 3; t++) {
				assert_int_equal(attack_all(names[i], hows[h],
					t == 1 ? 2 : GROUPS, t, all), n);
				assert_memory_equal(alone, all,
						    n * sizeof(*all));
			}
		}
}

/* Too short to reach the edge from anywhere. */
#define SHORT "pgd:eps=0/0.05,alpha=0.01,steps=1,random_start=yes"

static void test_seeds_differ_and_nothing_at_0(void **state)
{
	double a[MOST], b[MOST];
	size_t n;

	(void)state;
	n = attack_all("bert", SHORT, 1, 1, a);
	attack_all("bert", SHORT ",seed=2", 1, 1, b);
	for (size_t i = 0; i < n; i += 2) {
		assert_true(a[i] == b[i]);	/* eps 0: as it is */
		assert_true(a[i] != a[i + 1]);
		assert_true(a[i + 1] != b[i + 1]);
	}
}

/* ---- bag: linear in its rows, so that a step reaches the worst ---- */

/* A new model of bytes, its head a number, every row 0.01. */
static struct rm_model *make_bag(void)
{
	json_t *backbone = rm_backbone_parse("bag:ngrams=1,rows=64,norm=none,"
					     "tf=count");
	json_t *head = rm_head_parse("linear");
	struct rm_tokenizer *t = rm_tokenizer_bytes();
	struct rm_header h = {0};
	struct rm_model *m;

	assert_int_equal(rm_header_init(&h), 0);
	assert_int_equal(rm_files_copy(&h.tokenizer, rm_tokenizer_files(t)),
			 0);
	m = rm_model_new(backbone, head, &h, NULL);
	if (!m)
		fail_msg("%s", rm_error());
	for (size_t i = 0; i < m->params.n; i++)
		for (size_t j = 0; j < m->params.param[i].size; j++)
			m->params.param[i].value[j] = (rm_real)-.5;
	rm_header_fini(&h);
	rm_tokenizer_free(t);
	json_decref(backbone);
	json_decref(head);
	return m;
}

/* r = v x + c, x = sum of tf (E + s): each use of a row moves r by v s. */
static void test_bag_moves_by_its_counts(void **state)
{
	struct rm_model *m = make_bag();
	struct rm_attack *a = arm(m, "pgd:eps=0/0.25,steps=3");
	json_t *o = json_pack("{s:[i], s:[[i,i,i],[i]], s:[i,i]}", "prompt",
			      40, "responses", 50, 50, 51, 60, "rank", 1, 0);
	struct rm_batch batch = {0};
	const double *r;

	(void)state;
	add(a, &batch, o);
	r = rm_attack_run(a, &batch);
	if (!r)
		fail_msg("%s", rm_error());
	assert_near(r[0], 3 * .25 - .5, 1e-6);
	assert_near(r[1], .25 - .5, 1e-6);
	/* The first is worse, so it goes up. */
	assert_near(r[2] - r[0], 3 * .5 * .25, 1e-6);
	assert_near(r[3] - r[1], -.5 * .25, 1e-6);
	json_decref(o);
	rm_batch_fini(&batch);
	rm_attack_free(a);
	rm_model_free(m);
}

/* ---- what is refused ---- */

static void refuse(const char *text, const char *message)
{
	assert_null(rm_attack_parse(text));
	if (!strstr(rm_error(), message))
		fail_msg("%s: %s", text, rm_error());
}

static void test_bad_attacks_are_named(void **state)
{
	struct rm_schema bare = {0};
	struct rm_model *m = load("bert");
	struct rm_attack *a = arm(m, "fgsm");

	(void)state;
	refuse("cw", "unknown attack cw; there are fgsm, pgd");
	refuse("fgsm:steps=3", "attack fgsm has no key steps");
	refuse("fgsm:eps=-1", "eps");
	refuse("fgsm:eps=0.1/0.1", "eps does not go up from 0.1 to 0.1");
	refuse("pgd:norm=l1", "unknown norm l1; there are inf, l2");
	refuse("pgd:steps=0", "steps");
	assert_int_equal(rm_attack_labels(a, &bare, false), -1);
	assert_non_null(strstr(rm_error(), "no field rank, score or p"));
	rm_attack_free(a);
	rm_model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_loss_rises_as_in_pytorch),
		cmocka_unit_test(test_rewards_have_the_same_bits),
		cmocka_unit_test(test_seeds_differ_and_nothing_at_0),
		cmocka_unit_test(test_bag_moves_by_its_counts),
		cmocka_unit_test(test_bad_attacks_are_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
