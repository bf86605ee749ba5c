/* family: models of every family made new, and choices that make none. */
#include "made.h"

#include "train.h"

#include <math.h>

#define SMALL "layers=2,hidden=32,heads=4,max-length=64"

/* ---- config.json ---- */

static json_t *describe(const char *spec, const struct rm_family_tokens *t)
{
	json_t *chosen = rm_backbone_parse(spec), *config = NULL;

	if (!chosen || rm_backbone_describe(chosen, t, &config) < 0)
		fail_msg("%s: %s", spec, rm_error());
	json_decref(chosen);
	return config;
}

static json_int_t number(const json_t *config, const char *key)
{
	const json_t *v = json_object_get(config, key);

	if (!json_is_integer(v))
		fail_msg("%s is missing or not whole", key);
	return json_integer_value(v);
}

/* Under the keys of the family, and what follows from them. */
static void test_numbers(void **state)
{
	const struct rm_family_tokens t = { 300, 3, -1, 2 };
	json_t *c = describe("transformer:family=qwen3,layers=3,hidden=48,"
			     "heads=4,kv-heads=2,max-length=90", &t);

	(void)state;
	assert_int_equal(number(c, "vocab_size"), 300);
	assert_int_equal(number(c, "num_hidden_layers"), 3);
	assert_int_equal(number(c, "hidden_size"), 48);
	assert_int_equal(number(c, "num_attention_heads"), 4);
	assert_int_equal(number(c, "num_key_value_heads"), 2);
	/* 128 by default of the class. */
	assert_int_equal(number(c, "head_dim"), 12);
	/* 8/3 of 48, and then a multiple of 32. */
	assert_int_equal(number(c, "intermediate_size"), 128);
	assert_int_equal(number(c, "max_position_embeddings"), 90);
	assert_int_equal(number(c, "pad_token_id"), 3);
	assert_int_equal(number(c, "eos_token_id"), 2);
	assert_true(json_is_null(json_object_get(c, "bos_token_id")));
	json_decref(c);
	c = describe("transformer:family=gpt2,layers=5,hidden=48,heads=3", &t);
	assert_int_equal(number(c, "n_layer"), 5);
	assert_int_equal(number(c, "n_inner"), 192);
	assert_int_equal(number(c, "n_positions"), 512);
	json_decref(c);
	c = describe("transformer:family=gemma2,hidden=48,heads=4,ffn=7", &t);
	assert_int_equal(number(c, "query_pre_attn_scalar"), 12);
	assert_int_equal(number(c, "num_key_value_heads"), 4);
	assert_int_equal(number(c, "intermediate_size"), 7);
	json_decref(c);
	/* Positions of texts come after those up to the pad id. */
	c = describe("transformer:family=roberta,max-length=90", &t);
	assert_int_equal(number(c, "max_position_embeddings"), 94);
	json_decref(c);
}

static void test_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "family=bart", "unknown family bart; there are bert," },
		{ "width=3", "has no key width; there are family, layers" },
		{ "layers=0", "layers: " },
		{ "layers=1025", "layers: " },
		{ "hidden=-4", "hidden: " },
		{ "heads=four", "heads: " },
		{ "max-length=0", "max-length: " },
		{ "hidden=30,heads=4", "hidden=30 is no multiple of heads=4" },
		{ "hidden=2,heads=4", "hidden=2 is no multiple of heads=4" },
		{ "kv-heads=2", "family bert has no kv-heads" },
		{ "family=gpt2,kv-heads=4", "family gpt2 has no kv-heads" },
		{ "family=llama,kv-heads=3",
		  "heads=4 is no multiple of kv-heads=3" },
		{ "family=llama,kv-heads=8",
		  "heads=4 is no multiple of kv-heads=8" },
		{ "hidden=8192,heads=1", "head size of 8192" },
		{ "family=llama,hidden=12", "3 of 3 numbers of a head" },
		{ "family=gpt_neox,hidden=8", "leaves none of the 2" },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(bad); i++) {
		struct rm_buf spec = {0};

		rm_buf_printf(&spec, "transformer:%s", bad[i][0]);
		assert_null(rm_backbone_parse(rm_buf_text(&spec)));
		if (!strstr(rm_error(), bad[i][1]) ||
		    !strstr(rm_error(), "backbone transformer"))
			fail_msg("%s: %s", bad[i][0], rm_error());
		rm_buf_fini(&spec);
	}
}

static struct rm_family_choice any_choice(size_t i, size_t families)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 6, 8, 12, 20, 64, 4096 };
	size_t n[6];

	for (size_t j = 0; j < RM_COUNT(n); j++)
		n[j] = sizes[rm_random(1, RM_RANDOM_TEST, i, j) %
			     RM_COUNT(sizes)];
	return (struct rm_family_choice){
		.family = i % families, .layers = n[0], .hidden = n[1],
		.heads = n[2], .kv_heads = n[3] > 4 ? 0 : n[3],
		.ffn = n[4] > 64 ? 0 : n[4], .max_length = n[5]
	};
}

static void check_said(const json_t *config, const struct rm_family_choice *c,
		       const struct rm_family_tokens *t)
{
	struct rm_arch a;

	assert_int_equal(rm_arch_init(&a, config), 0);
	assert_int_equal(a.vocab, t->vocab);
	assert_int_equal(a.pad, t->pad);
	assert_int_equal(a.layers, c->layers);
	assert_int_equal(a.hidden, c->hidden);
	assert_int_equal(a.heads, c->heads);
	assert_int_equal(a.heads * a.head_dim, c->hidden);
	assert_int_equal(a.kv_heads, c->kv_heads ? c->kv_heads : c->heads);
	assert_true(c->ffn == 0 || a.ffn == c->ffn);
	assert_true(a.max_length == c->max_length || a.slot[RM_RELATIVE].name);
	assert_true(fabs(a.scale * a.scale * (double)a.head_dim *
			 (1 + a.c2p + a.p2c) - 1) < 1e-12);
}

/* Any numbers at all: a message, or the model that they say. */
static void test_any_choice(void **state)
{
	const struct rm_family_tokens t = { 9, 8, 0, 1 };
	size_t families = 0, made = 0;

	(void)state;
	while (rm_family_names()[families])
		families++;
	for (size_t i = 0; i < 4000; i++) {
		struct rm_family_choice c = any_choice(i, families);
		json_t *config;

		rm_error_clear();
		config = rm_family_config(&c, &t);
		if (config) {
			check_said(config, &c, &t);
			made++;
		} else {
			assert_true(*rm_error());
		}
		json_decref(config);
	}
	assert_true(made > 400 && made < 3600);
}

/* ---- models ---- */

/* A stream of pairs whose tokenizer has a pad token, or none. */
static void open_header(struct rm_header *h, bool pads)
{
	made_header(h);
	if (pads)
		assert_int_equal(rm_header_set_policy(h, json_pack(
			"{s:i}", "pad_id", 7)), 0);
}

static struct rm_model *new_model(const char *family, const char *sizes,
				  uint64_t seed)
{
	struct rm_buf spec = {0};
	struct rm_header h;
	struct rm_model *m;
	json_t *backbone, *head = rm_head_parse("native");

	rm_buf_printf(&spec, "transformer:family=%s,%s", family, sizes);
	backbone = rm_backbone_parse(rm_buf_text(&spec));
	open_header(&h, true);
	m = backbone ? rm_model_new(backbone, head, &h, &rm_model_train_all) :
		       NULL;
	if (!m)
		fail_msg("%s: %s", family, rm_error());
	rm_model_init(m, seed);
	rm_header_fini(&h);
	rm_buf_fini(&spec);
	json_decref(backbone);
	json_decref(head);
	return m;
}

/* Rewards of two texts, under a prompt. */
static void score(struct rm_model *m, rm_real out[2])
{
	static const char *const text[2] = { "a good tree", "it is bad" };
	int32_t ids[2][32], prompt[2] = { 'q', '?' };
	struct rm_slice response[2];
	struct rm_slice before = { (unsigned char *)prompt, sizeof(prompt) };
	struct rm_batch b = {0};
	const rm_real *scores;

	for (size_t i = 0; i < 2; i++)
		response[i] = (struct rm_slice){
			(unsigned char *)ids[i],
			made_ids(text[i], ids[i]) * sizeof(**ids)
		};
	assert_int_equal(rm_batch_add(&b, before, response, 2,
				      m->prompt), 0);
	scores = rm_model_ready(m, RM_FP32) < 0 ? NULL :
		 rm_model_forward(m, &b);
	if (!scores)
		fail_msg("%s", rm_error());
	assert_int_equal(m->head->columns, 1);
	memcpy(out, scores, 2 * sizeof(*out));
	rm_batch_fini(&b);
}

static const struct rm_param *param(const struct rm_model *m,
				    enum rm_slot slot)
{
	struct rm_buf name = {0};
	int i;

	rm_arch_name(m->arch, slot, 1, ".weight", &name);
	i = rm_params_find(&m->params, rm_buf_text(&name));
	rm_buf_fini(&name);
	assert_true(i >= 0);
	return &m->params.param[i];
}

static double deviation(const struct rm_param *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->size; i++)
		sum += (double)p->value[i] * (double)p->value[i];
	return sqrt(sum / (double)p->size);
}

/* Transformers': .02, smaller in two families; norms that do nothing. */
static void check_initial(const struct rm_model *m)
{
	const struct rm_arch *a = m->arch;
	bool small = strcmp(a->family->model_type, "gpt2") == 0 ||
		     strcmp(a->family->model_type, "modernbert") == 0;
	const struct rm_param *tokens = param(m, RM_TOKENS);
	const struct rm_param *norm = param(m, RM_FFN_NORM);
	double down = deviation(param(m, RM_DOWN));
	bool fixed = a->slot[RM_TOKENS].flags & RM_PAD_FIXED;

	assert_true(fabs(deviation(tokens) / .02 - 1) < .05);
	assert_true(fabs(down / (small ? .01 : .02) - 1) < .1);
	for (size_t i = 0; i < norm->size; i++)
		assert_true((double)norm->value[i] + a->norm_offset == 1);
	for (size_t i = 0; i < a->embed; i++)
		assert_true((tokens->value[7 * a->embed + i] == 0) == fixed);
}

/* One epoch; the loss falls below that of equal rewards. */
static void train(struct rm_model *m)
{
	char *path = made_path("pairs");
	struct rm_train_options o = rm_train_defaults();
	struct rm_train_result result;
	struct rm_subset all = {0};
	struct rm_reader *in;
	struct rm_dataset *data;
	json_t *config = rm_loss_parse("bt");
	struct rm_loss *loss = rm_loss_new(config,
		&(struct rm_loss_scores){ .K = 1 });

	made_pairs(path, 64, 1);
	in = rm_reader_open(&path, 1, NULL);
	data = rm_dataset_read(in, &(struct rm_dataset_options){
		.memory = 1 << 20 });
	assert_int_equal(rm_subset_all(&all, data), 0);
	o.loss = loss;
	o.epochs = 4;
	o.batch = 8;
	o.optim.lr = 5e-3;
	o.precision = RM_FP32;
	if (rm_train(m, &all, NULL, &o, &result) < 0)
		fail_msg("%s", rm_error());
	if (!(result.loss < .6 * result.baseline))
		fail_msg("%s: loss %g", m->arch->family->model_type,
			 result.loss);
	rm_subset_fini(&all);
	rm_dataset_free(data);
	rm_reader_close(in);
	rm_loss_free(loss);
	json_decref(config);
}

static void check_family(const char *family)
{
	const char *dir = made_path(family);
	struct rm_model *m = new_model(family, SMALL, 1), *n;
	rm_real before[2], trained[2], after[2];

	check_initial(m);
	score(m, before);
	train(m);
	score(m, trained);
	assert_memory_not_equal(before, trained, sizeof(before));
	assert_int_equal(rm_model_save(m, dir, false), 0);
	n = rm_model_load(dir, NULL);
	if (!n)
		fail_msg("%s: %s", family, rm_error());
	score(n, after);
	assert_memory_equal(after, trained, sizeof(after));
	assert_int_equal(n->max_length, m->max_length);
	assert_string_equal(rm_model_fingerprint(n).hex,
			    rm_model_fingerprint(m).hex);
	rm_model_free(n);
	rm_model_free(m);
}

static void test_every_family(void **state)
{
	(void)state;
	for (size_t i = 0; rm_family_names()[i]; i++)
		check_family(rm_family_names()[i]);
}

static void test_seed(void **state)
{
	struct rm_model *a = new_model("llama", SMALL, 5);
	struct rm_model *b = new_model("llama", SMALL, 5);
	struct rm_model *c = new_model("llama", SMALL, 6);

	(void)state;
	assert_string_equal(rm_model_fingerprint(a).hex,
			    rm_model_fingerprint(b).hex);
	assert_string_not_equal(rm_model_fingerprint(a).hex,
				rm_model_fingerprint(c).hex);
	rm_model_free(a);
	rm_model_free(b);
	rm_model_free(c);
}

static void no_model(const char *spec, const char *its_head, bool pads,
		     const char *message)
{
	json_t *backbone = rm_backbone_parse(spec);
	json_t *head = rm_head_parse(its_head);
	struct rm_header h;

	open_header(&h, pads);
	assert_null(rm_model_new(backbone, head, &h, NULL));
	if (!strstr(rm_error(), message))
		fail_msg("%s: %s", spec, rm_error());
	rm_header_fini(&h);
	json_decref(backbone);
	json_decref(head);
}

static void test_no_model(void **state)
{
	(void)state;
	no_model("transformer", "native:pool=mean", true, "head native reads "
		 "what its family's does");
	no_model("bag", "linear:pool=max", true, "pool=max needs a row of "
		 "each token");
	no_model("bag", "mlp:encoding=cross", true, "encoding=cross needs");
	no_model("bag", "hierarchical", true, "one row of a text");
	no_model("bag", "gated", true, "say encoding=separate");
	no_model("transformer", "linear:encoding=cross,heads=7", true,
		 "7 heads do not divide");
	no_model("bag", "native", true, "head native does not stand on "
		 "backbone bag");
	no_model("transformer:family=roberta", "native", false,
		 "counts positions by a pad token");
	no_model("transformer:layers=1024,hidden=65536,heads=64", "native",
		 true, "memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_any_choice),
		cmocka_unit_test(test_every_family),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_no_model),
	};

	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
