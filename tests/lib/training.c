/* What of a model is trained, and at which rate, in every family. */
#include "made.h"

#include "model.h"

#include <dirent.h>
#include <fnmatch.h>
#include <math.h>

#define STORED "tests/data/checkpoints"

static struct rm_model *new_bag(const struct rm_model_training *training)
{
	json_t *backbone = rm_backbone_parse("bag:dim=4,rows=256,rate=8");
	json_t *head = rm_head_parse("linear");
	struct rm_header h;
	struct rm_model *m;

	made_header(&h);
	m = rm_model_new(backbone, head, &h, training);
	rm_header_fini(&h);
	json_decref(backbone);
	json_decref(head);
	return m;
}

static struct rm_param *param(struct rm_model *m, const char *name)
{
	int i = rm_params_find(&m->params, name);

	assert_true(i >= 0);
	return &m->params.param[i];
}

static void test_freeze(void **state)
{
	char *bias[] = { "score.b*" }, *both[] = { "score.bias", "emb*" };
	struct rm_model *m = new_bag(&(struct rm_model_training){
		.freeze = bias, .n_freeze = 1 });

	(void)state;
	assert_non_null(m);
	assert_false(param(m, "score.bias")->trainable);
	assert_null(param(m, "score.bias")->grad);
	assert_non_null(param(m, "score.weight")->grad);
	assert_non_null(param(m, "embedding.weight")->rows);
	assert_false(rm_model_is_frozen(m));
	rm_model_free(m);

	m = new_bag(&(struct rm_model_training){
		.freeze = both, .n_freeze = 2 });
	assert_non_null(m);
	assert_null(param(m, "embedding.weight")->rows);
	assert_non_null(param(m, "score.weight")->grad);
	assert_true(rm_model_is_frozen(m));
	rm_model_free(m);
}

static void refused(char *const *freeze, size_t n, const char *message)
{
	assert_null(new_bag(&(struct rm_model_training){
		.freeze = freeze, .n_freeze = n }));
	if (!strstr(rm_error(), message))
		fail_msg("\"%s\" has no \"%s\"", rm_error(), message);
}

static void test_nothing_to_freeze_or_train(void **state)
{
	char *none[] = { "emb*", "score.beta" }, *all[] = { "*" };

	(void)state;
	refused(none, 2, "named like score.beta; there are embedding.weight, "
			 "score.weight, score.bias");
	refused(all, 1, "every parameter is frozen");
}

static void test_rates_of_bag(void **state)
{
	struct rm_model *m = new_bag(&(struct rm_model_training){
		.layer_decay = .5 });

	(void)state;
	assert_non_null(m);
	/* No layers: the embeddings are one below the head. */
	assert_true(param(m, "embedding.weight")->rate == 4);
	assert_true(param(m, "score.weight")->rate == 0);
	rm_model_free(m);
	/* However deep, never the 0 that counts as 1. */
	m = new_bag(&(struct rm_model_training){ .layer_decay = 1e-320 });
	assert_non_null(m);
	assert_true(param(m, "embedding.weight")->rate > 0);
	rm_model_free(m);
}

/* The number between dots, where a name has one. */
static bool number_of(const char *name, double *number)
{
	const char *at = strpbrk(name, "0123456789");

	if (!at || at == name || at[-1] != '.')
		return false;
	*number = strtod(at, NULL);
	return true;
}

/* Of what is in no layer: below the first one, or above the last. */
static void check_outside(const struct rm_param *p, double L)
{
	static const char *const above[] = {
		"*.ln_f.*", "*.norm.weight", "*.final_norm.*",
		"*.final_layer_norm.*", "*.project_out.*"
	};
	bool top = false;

	for (size_t i = 0; i < RM_COUNT(above); i++)
		top |= fnmatch(above[i], p->name, 0) == 0 &&
		       !strstr(p->name, "embed");
	if (p->rate != (top ? 1 : pow(.5, L + 1)))
		fail_msg("%s: %g", p->name, p->rate);
}

static void check_rates(const char *dir)
{
	struct rm_model *m = rm_model_load(dir,
		&(struct rm_model_training){ .layer_decay = .5 });
	double L = 0, i;
	struct rm_param *p;

	if (!m)
		fail_msg("%s", rm_error());
	for (size_t j = 0; j < m->first_of_head; j++)
		if (number_of(m->params.param[j].name, &i))
			L = fmax(L, i + 1);
	assert_true(L > 0);
	for (size_t j = 0; j < m->params.n; j++) {
		p = &m->params.param[j];
		if (j >= m->first_of_head)
			assert_true(p->rate == 0);
		else if (!number_of(p->name, &i))
			check_outside(p, L);
		else if (p->rate != pow(.5, L - i))
			fail_msg("%s: %g", p->name, p->rate);
	}
	rm_model_free(m);
}

static void test_rates_of_families(void **state)
{
	DIR *d = opendir(STORED);
	struct dirent *e;
	char dir[512];

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || strchr(e->d_name, '.'))
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", STORED, e->d_name);
		check_rates(dir);
	}
	closedir(d);
}

static char *const values[] = { "*.value.weight", "*v_proj*" };

/* Every matrix of a layer with two thin ones behind the tensors. */
static void check_adapted(const struct rm_model *m, size_t rank)
{
	size_t pairs = 0;

	for (size_t i = 0; i < m->first_of_head; i++) {
		const struct rm_param *p = &m->params.param[i];
		double layer;

		assert_false(p->trainable);
		assert_null(p->grad);
		assert_int_equal(p->lora != NULL, p->n_dims == 2 &&
				 number_of(p->name, &layer));
		if (!p->lora)
			continue;
		assert_int_equal(p->lora->a, m->n_tensors + 2 * pairs);
		assert_int_equal(m->params.param[p->lora->a].size,
				 rank * p->shape[!p->turned]);
		assert_int_equal(m->params.param[p->lora->b].size,
				 rank * p->shape[p->turned]);
		assert_non_null(m->params.param[p->lora->b].grad);
		pairs++;
	}
	assert_true(pairs > 0);
	assert_int_equal(m->params.n, m->n_tensors + 2 * pairs);
	for (size_t i = m->first_of_head; i < m->n_tensors; i++)
		assert_non_null(m->params.param[i].grad);
	assert_false(rm_model_is_frozen(m));
}

static struct rm_model *load_adapted(const char *dir, size_t rank)
{
	struct rm_model *m = rm_model_load(dir,
		&(struct rm_model_training){ .lora = rank, .lora_alpha = 6 });

	if (!m || rm_model_init_lora(m, 1) < 0 ||
	    rm_model_ready(m, RM_FP32) < 0)
		fail_msg("%s", rm_error());
	return m;
}

/* W = W0 + 6 / R B A, in double. */
static void check_merged(const struct rm_model *m, const struct rm_param *p)
{
	const struct rm_lora *l = p->lora;
	const rm_real *a = m->params.param[l->a].value;
	const rm_real *b = m->params.param[l->b].value;
	size_t n = p->shape[p->turned], k = p->shape[!p->turned];

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < k; j++) {
			size_t at = p->turned ? j * n + i : i * k + j;
			double w = (double)l->base[at];

			for (size_t r = 0; r < l->rank; r++)
				w += 6. / (double)l->rank *
				     (double)b[i * l->rank + r] *
				     (double)a[r * k + j];
			assert_true(fabs(w - (double)p->value[at]) <
				    1e-5 * fmax(1, fabs(w)));
		}
	}
}

/* What is saved has the tensors of the base, changed, and no others. */
static void check_saved(struct rm_model *m)
{
	struct rm_model_training all = rm_model_train_all;
	struct rm_model *back;

	if (rm_model_save(m, made_path("adapted"), true) < 0)
		fail_msg("%s", rm_error());
	back = rm_model_load(made_path("adapted"), &all);
	if (!back)
		fail_msg("%s", rm_error());
	assert_int_equal(back->params.n, m->n_tensors);
	for (size_t i = 0; i < back->params.n; i++)
		assert_memory_equal(back->params.param[i].value,
				    m->params.param[i].value,
				    m->params.param[i].size *
				    sizeof(rm_real));
	rm_model_free(back);
}

static void test_low_rank(void **state)
{
	static const char *const some[] = { "bert", "gpt2", "qwen2" };
	char dir[512];

	(void)state;
	for (size_t s = 0; s < RM_COUNT(some); s++) {
		snprintf(dir, sizeof(dir), "%s/%s", STORED, some[s]);
		struct rm_model *m = load_adapted(dir, 3);

		check_adapted(m, 3);
		for (size_t i = 0; i < m->first_of_head; i++) {
			const struct rm_param *p = &m->params.param[i];

			if (!p->lora)
				continue;
			/* B is 0: the base as it was. */
			assert_memory_equal(p->value, p->lora->base,
					    p->size * sizeof(rm_real));
			rm_params_init_one(&m->params, p->lora->a, 2);
			for (size_t k = 0; k < m->params.param[
			     p->lora->b].size; k++)
				m->params.param[p->lora->b].value[k] =
					(rm_real)rm_random_normal(1,
					RM_RANDOM_TEST, i, k);
		}
		assert_int_equal(rm_model_ready(m, RM_FP32), 0);
		for (size_t i = 0; i < m->first_of_head; i++)
			if (m->params.param[i].lora)
				check_merged(m, &m->params.param[i]);
		check_saved(m);
		rm_model_free(m);
	}
}

static void test_low_rank_of_some(void **state)
{
	char *freeze[] = { "*.layer.0.*" }, *none[] = { "*embeddings*" };
	struct rm_model_training t = {
		.lora = 2, .lora_alpha = 4, .lora_targets = values,
		.n_lora_targets = 1, .freeze = freeze, .n_freeze = 1,
		.layer_decay = .5
	};
	struct rm_model *m = rm_model_load(STORED "/bert", &t);
	const struct rm_param *v;

	(void)state;
	if (!m)
		fail_msg("%s", rm_error());
	assert_null(param(m, "bert.encoder.layer.0.attention.self.value."
			  "weight")->lora);
	assert_null(param(m, "bert.encoder.layer.1.attention.self.key."
			  "weight")->lora);
	v = param(m, "bert.encoder.layer.1.attention.self.value.weight");
	assert_non_null(v->lora);
	assert_true(m->params.param[v->lora->a].rate == v->rate &&
		    v->rate > 0 && v->rate < 1);
	assert_int_equal(m->params.n, m->n_tensors + 2);
	rm_model_free(m);

	/* A second pattern that fits nothing; one that fits no such matrix. */
	t.n_lora_targets = 2;
	assert_null(rm_model_load(STORED "/bert", &t));
	assert_non_null(strstr(rm_error(), "is named like *v_proj*"));
	t.lora_targets = none;
	t.n_lora_targets = 1;
	assert_null(rm_model_load(STORED "/bert", &t));
	assert_non_null(strstr(rm_error(), "is named like *embeddings*"));
	assert_null(new_bag(&(struct rm_model_training){ .lora = 2,
							 .lora_alpha = 4 }));
	assert_non_null(strstr(rm_error(), "for transformers"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freeze),
		cmocka_unit_test(test_nothing_to_freeze_or_train),
		cmocka_unit_test(test_rates_of_bag),
		cmocka_unit_test(test_rates_of_families),
		cmocka_unit_test(test_low_rank),
		cmocka_unit_test(test_low_rank_of_some),
	};

	rm_threads_set(1);
	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
