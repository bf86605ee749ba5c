/*
 * Gradients of every stored family's shape by central differences: random
 * weights, texts that share prompts where the family can; of all parameters,
 * and of low-rank changes of the layers' matrices; without dropout, and under
 * the masks of one step.  Then of every head with every encoding and pooling.
 */
#include "test.h"

#include "family.h"
#include "head.h"
#include "lora.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORED "tests/data/checkpoints"
#define STEP 1e-5
#define TOLERANCE 1e-6
/* Elements of a parameter that are looked at. */
#define SOME 4

struct net {
	struct rm_arch arch;
	double dropout[RM_DROP_SITES];
	struct rm_params params;
	struct rm_backbone *b;
	struct rm_encoder *e;
	struct rm_head *h;
	struct rm_hidden *hidden;
	size_t first_of_head;
	struct rm_batch batch;
};

static double random_at(uint64_t step, size_t i)
{
	return rm_random_normal(3, RM_RANDOM_TEST, step, i);
}

/* Changes of that rank of all matrices of layers, whose names count them. */
static void adapt(struct net *n, size_t rank)
{
	size_t end = n->params.n;

	for (size_t i = 0; rank > 0 && i < end; i++) {
		const struct rm_param *p = &n->params.param[i];

		if (p->n_dims == 2 && strpbrk(p->name, "0123456789") &&
		    rm_lora_add(&n->params, i, rank, 2 * (double)rank) < 0)
			fail_msg("%s", rm_error());
	}
}

/* Not much, or a step of the differences meets a kink of relu. */
static void fill_thin(struct net *n, size_t i)
{
	struct rm_param *p = &n->params.param[i];

	for (size_t k = 0; k < p->size; k++)
		p->value[k] = .1 * random_at(i, k);
}

/* A head by its name and options; native by the family's config. */
static json_t *head_of(const char *spec, json_t *config)
{
	json_t *head = rm_head_parse(spec);

	if (!head)
		fail_msg("%s: %s", spec, rm_error());
	if (strcmp(spec, "native") == 0)
		json_object_set(head, "config", config);
	return head;
}

static void open_net(struct net *n, const char *dir, const char *spec,
		     size_t rank)
{
	struct rm_encoder_options how;
	char path[1024];
	json_t *config, *backbone, *head;

	snprintf(path, sizeof(path), "%s/config.json", dir);
	config = rm_json_load(path, (size_t)1 << 20);
	assert_non_null(config);
	json_object_set_new(config, "num_labels", json_integer(1));
	backbone = json_pack("{s:s, s:O}", "name", "transformer", "config",
			     config);
	head = head_of(spec, config);
	*n = (struct net){0};
	assert_int_equal(rm_arch_init(&n->arch, config), 0);
	n->b = rm_backbone_new(backbone, (size_t)json_integer_value(
		json_object_get(config, "vocab_size")), &n->params);
	if (!n->b || rm_head_encoding(head, &how) < 0)
		fail_msg("%s: %s", dir, rm_error());
	n->first_of_head = n->params.n;
	n->e = rm_encoder_new(&how, n->b, &n->params);
	n->h = n->e ? rm_head_new(head, n->e, &n->params) : NULL;
	if (n->h)
		adapt(n, rank);
	if (!n->h || rm_params_alloc(&n->params, true) < 0)
		fail_msg("%s: %s", dir, rm_error());
	for (size_t i = 0; i < n->params.n; i++) {
		struct rm_param *p = &n->params.param[i];

		for (size_t k = 0; k < p->size; k++)
			p->value[k] = .3 * random_at(i, k) +
				(p->n_dims == 1);
	}
	/* Then B is 0, and A would have no gradient. */
	assert_int_equal(rm_lora_start(&n->params, 1), 0);
	for (size_t i = 0; i < n->params.n; i++)
		if (n->params.param[i].lora)
			fill_thin(n, n->params.param[i].lora->b);
	json_decref(head);
	json_decref(backbone);
	json_decref(config);
}

static void close_net(struct net *n)
{
	rm_batch_fini(&n->batch);
	rm_head_free(n->h);
	rm_encoder_free(n->e);
	rm_backbone_free(n->b);
	rm_params_fini(&n->params);
}

/* Two prompts, of three and two responses; ids from 10 on are no pads. */
static void fill(struct net *n)
{
	static const size_t lengths[2][4] = { { 5, 7, 1, 3 }, { 3, 2, 6, 0 } };
	int32_t ids[4][8];
	struct rm_slice s[4];

	for (uint64_t g = 0; g < 2; g++) {
		size_t k = 0;

		for (uint64_t i = 0; i < 4 && lengths[g][i]; i++, k++) {
			for (uint64_t j = 0; j < lengths[g][i]; j++)
				ids[i][j] = 10 + (int32_t)(rm_random(g,
					RM_RANDOM_TEST, i, j) % 20);
			s[i] = (struct rm_slice){
				(const unsigned char *)ids[i],
				lengths[g][i] * sizeof(int32_t)
			};
		}
		assert_int_equal(rm_batch_add(&n->batch, s[0], s + 1, k - 1,
					      n->e->prompt), 0);
	}
	n->batch.train = true;
}

static double value(struct net *n)
{
	const rm_real *s;
	double sum = 0;

	if (rm_lora_merge(&n->params) < 0 ||
	    rm_backbone_ready(n->b, RM_FP32) < 0)
		fail_msg("%s", rm_error());
	n->hidden = rm_encoder_forward(n->e, &n->batch);
	s = n->hidden ? rm_head_forward(n->h, &n->batch, n->hidden) : NULL;
	if (!s)
		fail_msg("%s", rm_error());
	for (size_t i = 0; i < n->batch.n_leaves * n->h->columns; i++)
		sum += random_at(99, i) * s[i];
	return sum;
}

static void backward(struct net *n)
{
	rm_real d[128];
	size_t size = n->batch.n_leaves * n->h->columns;

	assert_true(size <= RM_COUNT(d));
	for (size_t i = 0; i < size; i++)
		d[i] = random_at(99, i);
	if (rm_head_backward(n->h, &n->batch, n->hidden, d) < 0 ||
	    rm_encoder_backward(n->e, &n->batch) < 0)
		fail_msg("%s", rm_error());
}

/* The element of most gradient among every SOMEth. */
static size_t steepest(const struct rm_param *p, size_t part)
{
	size_t best = part % p->size;

	for (size_t k = part; k < p->size; k += SOME)
		if (fabs(p->grad[k]) > fabs(p->grad[best]))
			best = k;
	return best;
}

static void check(struct net *n, const char *dir, const struct rm_param *p,
		  size_t parts)
{
	for (size_t part = 0; part < parts; part++) {
		size_t k = steepest(p, part);
		rm_real before = p->value[k];
		double up, down, d;

		p->value[k] = before + STEP;
		up = value(n);
		p->value[k] = before - STEP;
		down = value(n);
		p->value[k] = before;
		d = (up - down) / (2 * STEP);
		if (!(fabs(d - p->grad[k]) <= TOLERANCE * fmax(1, fabs(d))))
			fail_msg("%s: %s, element %zu: %.9g, differences "
				 "%.9g", dir, p->name, k, p->grad[k], d);
	}
}

/* `parts` of each parameter that is trained: all of them, or under `rank`. */
static void check_net(struct net *n, const char *dir, size_t rank,
		      size_t parts)
{
	size_t checked = 0;

	fill(n);
	value(n);
	backward(n);
	for (size_t p = 0; p < n->params.n; p++) {
		if (!n->params.param[p].grad)
			continue;
		check(n, dir, &n->params.param[p], parts);
		checked++;
	}
	assert_true(checked == n->params.n || rank > 0);
}

static void plain(const char *dir, size_t rank)
{
	struct net n;

	open_net(&n, dir, "native", rank);
	check_net(&n, dir, rank, SOME);
	close_net(&n);
}

static void dropped(const char *dir, size_t rank)
{
	struct net n;

	open_net(&n, dir, "native", rank);
	assert_int_equal(rm_arch_dropout(&n.arch, .2, n.dropout), 0);
	n.b->dropout = n.h->dropout = n.dropout;
	n.b->recompute = true;
	n.batch.seed = 4;
	n.batch.step = 3;
	n.batch.first_token = 20;
	check_net(&n, dir, rank, 1);
	close_net(&n);
}

static void test_differences(void **state)
{
	struct dirent **names;
	int n = scandir(STORED, &names, NULL, alphasort), done = 0;

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		char dir[512];

		snprintf(dir, sizeof(dir), STORED "/%s", names[i]->d_name);
		if (!strchr(names[i]->d_name, '.')) {
			plain(dir, 0);
			plain(dir, 2);
			/* More than are summed at once. */
			plain(dir, 11);
			dropped(dir, 0);
			dropped(dir, 2);
			done++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(done > 20);
}

/* ---- heads ---- */

/* As above, with a prompt and a response that are empty, where that may be. */
static void fill_apart(struct net *n)
{
	int32_t ids[6] = { 11, 12, 13, 14, 15, 11 };
	struct rm_slice two[2] = {
		{ (const unsigned char *)ids, 3 * sizeof(*ids) },
		{ (const unsigned char *)ids, 0 }
	};
	struct rm_slice prompt = {
		(const unsigned char *)(ids + 1), 5 * sizeof(*ids)
	};

	fill(n);
	if (n->e->prompt == RM_PROMPT_APART)
		assert_int_equal(rm_batch_add(&n->batch, (struct rm_slice){0},
					      two, 2, n->e->prompt), 0);
	assert_int_equal(rm_batch_add(&n->batch, prompt, two, 2,
				      n->e->prompt), 0);
}

/* All of the head, and some of what is under it. */
static void check_head(const char *dir, const char *spec)
{
	struct net n;
	char what[256];

	open_net(&n, dir, spec, 0);
	snprintf(what, sizeof(what), "%s: %s", dir, spec);
	fill_apart(&n);
	n.batch.seed = 4;
	n.batch.first_leaf = 30;
	value(&n);
	backward(&n);
	for (size_t p = 0; p < n.params.n; p++)
		if (p >= n.first_of_head || p % 7 == 0)
			check(&n, what, &n.params.param[p],
			      p >= n.first_of_head ? 2 : 1);
	close_net(&n);
}

/* Texts of one prompt, with that prompt in front, or apart. */
static void each_encoding(const char *dir, const char *head)
{
	char spec[256];

	for (size_t e = 0; rm_encoding_names[e]; e++)
		for (size_t p = 0; rm_pool_names[p]; p++) {
			/* A gate needs the prompt. */
			if (e == RM_RESPONSE && strstr(head, "gated"))
				continue;
			snprintf(spec, sizeof(spec), "%s%sencoding=%s,pool=%s",
				 head, strchr(head, ':') ? "," : ":",
				 rm_encoding_names[e], rm_pool_names[p]);
			check_head(dir, spec);
		}
}

static void each_head(const char *dir)
{
	for (size_t i = 0; rm_head_specs()[i]; i++)
		if (!rm_head_specs()[i]->described)
			each_encoding(dir, rm_head_specs()[i]->name);
	each_encoding(dir, "gated:objectives=a,b,hidden=3,dropout=.3");
	each_encoding(dir, "hierarchical:levels=5,dropout=.3");
}

/* One that copies prompts, and one that shares them. */
static void test_heads(void **state)
{
	(void)state;
	each_head(STORED "/bert");
	each_head(STORED "/llama");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
