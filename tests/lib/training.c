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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freeze),
		cmocka_unit_test(test_nothing_to_freeze_or_train),
		cmocka_unit_test(test_rates_of_bag),
		cmocka_unit_test(test_rates_of_families),
	};

	rm_threads_set(1);
	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
