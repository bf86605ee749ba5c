/*
 * Every head with every encoding and pooling, on models that copy prompts,
 * that share them, and that read none: the same bits in any batch and for any
 * number of threads, and the same bytes saved, loaded and saved again.
 */
#include "made.h"

#include "model.h"

#include <math.h>

static const char *const backbones[] = {
	"transformer:layers=1,hidden=16,heads=2",
	"transformer:family=llama,layers=2,hidden=16,heads=2",
	"bag:dim=4,rows=256"
};

/* NULL where the parts do not go together. */
static struct rm_model *new_model(const char *under, const char *spec)
{
	json_t *backbone = rm_backbone_parse(under);
	json_t *head = rm_head_parse(spec);
	struct rm_model *m = NULL;
	struct rm_header h;

	if (!backbone || !head)
		fail_msg("%s, %s: %s", under, spec, rm_error());
	made_header(&h);
	if (rm_model_check_parts(backbone, head) == 0) {
		m = rm_model_new(backbone, head, &h, NULL);
		if (!m)
			fail_msg("%s, %s: %s", under, spec, rm_error());
	}
	rm_header_fini(&h);
	json_decref(backbone);
	json_decref(head);
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->params.size; i++)
		m->params.block[i] = (rm_real)(.3 * rm_random_normal(2,
			RM_RANDOM_TEST, 0, i));
	assert_int_equal(rm_model_ready(m, RM_FP32), 0);
	return m;
}

enum { GROUPS = 7, MOST = 40 };

/* Group g: of 1 to 4 responses; some prompts and responses are empty. */
static void add_group(struct rm_batch *b, const struct rm_model *m,
		      uint64_t g)
{
	int32_t ids[5][60];
	struct rm_slice s[5];
	size_t k = 1 + g % 4;

	for (uint64_t i = 0; i <= k; i++) {
		size_t n = (g * 17 + i * 23) % 60;

		if (i == 0 && g == 3)
			n = 0;
		if (i == k && g % 3 == 1)
			n = 0;
		for (size_t j = 0; j < n; j++)
			ids[i][j] = (int32_t)(rm_random(g, RM_RANDOM_TEST, i,
							j) % 200);
		s[i] = (struct rm_slice){ (const unsigned char *)ids[i],
					  n * sizeof(int32_t) };
	}
	/* One sequence has a token. */
	if (m->encoder->least > 0 && s[0].len == 0)
		s[0] = (struct rm_slice){ (const unsigned char *)"\1\0\0\0",
					  4 };
	/* As texts of one prompt are added one by one. */
	assert_int_equal(rm_batch_add(b, s[0], s + 1, 1, m->prompt), 0);
	for (size_t i = 2; i <= k; i++)
		assert_int_equal(rm_batch_add_more(b, s[0], s[i], m->prompt),
				 0);
}

/* Scores of groups [from, end), K of each response; how many responses. */
static size_t score(struct rm_model *m, uint64_t from, uint64_t end,
		    rm_real *out)
{
	struct rm_batch b = {0};
	const rm_real *s;
	size_t n;

	for (uint64_t g = from; g < end; g++)
		add_group(&b, m, g);
	n = b.n_leaves;
	s = rm_model_forward(m, &b);
	if (!s)
		fail_msg("%s", rm_error());
	memcpy(out, s, n * m->head->columns * sizeof(*s));
	rm_batch_fini(&b);
	return n;
}

static void check_bits(struct rm_model *m, const char *what)
{
	rm_real all[MOST * 8], some[MOST * 8];
	size_t K = m->head->columns, n = score(m, 0, GROUPS, all);

	for (size_t i = 0; i < n * K; i++)
		assert_true(isfinite(all[i]));
	for (size_t threads = 1; threads <= 3; threads++) {
		size_t at = 0;

		rm_threads_set(threads);
		for (uint64_t g = 0; g < GROUPS; g += threads) {
			size_t k = score(m, g, RM_MIN(g + threads, GROUPS),
					 some);

			if (memcmp(some, all + at * K, k * K * sizeof(*all)))
				fail_msg("%s: other bits from group %d on, "
					 "%zu threads", what, (int)g,
					 threads);
			at += k;
		}
		assert_int_equal(at, n);
	}
	rm_threads_set(1);
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
	struct rm_buf x = {0}, y = {0};
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", a, name);
	assert_int_equal(rm_read_file(path, 1 << 24, &x), 0);
	snprintf(path, sizeof(path), "%s/%s", b, name);
	assert_int_equal(rm_read_file(path, 1 << 24, &y), 0);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	rm_buf_fini(&x);
	rm_buf_fini(&y);
}

static void ignore(void *arg, const char *file, const char *problem)
{
	(void)arg;
	(void)file;
	(void)problem;
}

static void check_saved(struct rm_model *m, const char *what)
{
	const char *dir = made_path("saved"), *again = made_path("again");
	rm_real before[MOST * 8], after[MOST * 8];
	size_t n = score(m, 0, GROUPS, before) * m->head->columns;
	struct rm_model *l;

	if (rm_model_save(m, dir, true) < 0)
		fail_msg("%s: %s", what, rm_error());
	l = rm_model_load(dir, NULL);
	if (!l || rm_model_ready(l, RM_FP32) < 0)
		fail_msg("%s: %s", what, rm_error());
	score(l, 0, GROUPS, after);
	assert_memory_equal(before, after, n * sizeof(*after));
	assert_int_equal(rm_model_save(l, again, true), 0);
	assert_same_file(dir, again, "config.json");
	assert_same_file(dir, again, "rm.json");
	assert_same_file(dir, again, "model.safetensors");
	assert_int_equal(rm_model_check(dir, ignore, NULL), 0);
	rm_model_free(l);
}

static void check_model(const char *under, const char *spec, bool save)
{
	struct rm_model *m = new_model(under, spec);
	char what[300];

	if (!m) {
		assert_non_null(strstr(rm_error(), strstr(spec, "gated:") &&
				       strstr(spec, "=response") ?
				       "gate reads the prompt" :
				       "backbone bag"));
		return;
	}
	snprintf(what, sizeof(what), "%s, %s", under, spec);
	check_bits(m, what);
	if (save)
		check_saved(m, what);
	rm_model_free(m);
}

static void each_pool(const char *under, const char *head, const char *as)
{
	char spec[200];

	for (size_t p = 0; rm_pool_names[p]; p++) {
		snprintf(spec, sizeof(spec), "%s:encoding=%s,pool=%s", head,
			 as, rm_pool_names[p]);
		check_model(under, spec, p == 0 || p == 5);
	}
}

static void each_head(const char *under)
{
	for (size_t i = 0; rm_head_specs()[i]; i++)
		for (size_t e = 0; rm_encoding_names[e]; e++)
			if (!rm_head_specs()[i]->described)
				each_pool(under, rm_head_specs()[i]->name,
					  rm_encoding_names[e]);
}

static void test_copied(void **state)
{
	(void)state;
	each_head(backbones[0]);
}

static void test_shared(void **state)
{
	(void)state;
	each_head(backbones[1]);
}

static void test_bag(void **state)
{
	(void)state;
	each_head(backbones[2]);
}

/* A text alone has the row that it has among the others. */
static void test_apart(void **state)
{
	struct rm_model *m = new_model(backbones[0],
				       "linear:encoding=separate,pool=mean");
	const int32_t ids[] = { 5, 6, 7 };
	const struct rm_slice none = {0}, some = {
		(const unsigned char *)ids, sizeof(ids)
	};
	const struct rm_slice both[2] = { some, none };
	struct rm_batch b = {0};
	struct rm_hidden *h;

	(void)state;
	assert_int_equal(m->prompt, RM_PROMPT_APART);
	assert_int_equal(rm_batch_add(&b, some, both, 2, m->prompt), 0);
	assert_int_equal(rm_batch_add(&b, none, &some, 1, m->prompt), 0);
	assert_int_equal(rm_batch_add(&b, none, &none, 1, m->prompt), 0);
	h = rm_model_hidden(m, &b);
	assert_non_null(h);
	assert_int_equal(h->n, 4);
	assert_int_equal(h->dim, 64);
	for (size_t c = 0; c < 16; c++) {
		const rm_real *x = h->value + c;
		rm_real p = x[0];

		/* Prompt and response are equal: [p, p, 0, p p]. */
		assert_true(x[16] == p && x[32] == 0 && x[48] == p * p);
		x += 64;
		assert_true(x[0] == p && x[16] == 0 && x[48] == 0);
		assert_true(x[32] == (p < 0 ? -p : p));
		x += 64;
		assert_true(x[0] == 0 && x[16] == p && x[48] == 0);
		x += 64;
		assert_true(x[0] == 0 && x[16] == 0 && x[32] == 0);
	}
	rm_batch_fini(&b);
	rm_model_free(m);
}

/* ---- against PyTorch (tests/ref/encodings.py) ---- */

static void fill_by_name(struct rm_param *p)
{
	double phase = 0;

	for (const char *c = p->name; *c; c++)
		phase += (unsigned char)*c;
	for (size_t j = 0; j < p->size; j++)
		p->value[j] = (rm_real)(.3 * sin(.7 * (double)j + phase));
}

static struct rm_slice ids_of(const json_t *list, int32_t *ids)
{
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++)
		ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
	return (struct rm_slice){ (unsigned char *)ids, n * sizeof(*ids) };
}

static void add_groups(struct rm_batch *b, const json_t *groups,
		       enum rm_prompt how)
{
	size_t i;
	const json_t *g;

	json_array_foreach(groups, i, g) {
		const json_t *list = json_object_get(g, "responses");
		int32_t ids[4][16];
		struct rm_slice s[3];
		size_t k = json_array_size(list);

		for (size_t r = 0; r < k; r++)
			s[r] = ids_of(json_array_get(list, r), ids[r]);
		assert_int_equal(rm_batch_add(b, ids_of(json_object_get(g,
			"prompt"), ids[3]), s, k, how), 0);
	}
}

static void check_case(const json_t *groups, const json_t *c)
{
	const char *spec = json_string_value(json_object_get(c, "head"));
	const json_t *want = json_object_get(c, "scores");
	json_t *head = rm_head_parse(spec);
	struct rm_model *m = rm_model_load_base("tests/data/checkpoints/bert",
						head, &rm_model_train_all);
	struct rm_batch b = {0};
	const rm_real *s;

	if (!m)
		fail_msg("%s: %s", spec, rm_error());
	/* It has a head of its own, which is not wanted. */
	assert_true(m->fresh_head && m->other_head);
	for (size_t i = m->first_of_head; i < m->params.n; i++)
		fill_by_name(&m->params.param[i]);
	assert_int_equal(rm_model_ready(m, RM_FP32), 0);
	add_groups(&b, groups, m->prompt);
	s = rm_model_forward(m, &b);
	assert_non_null(s);
	assert_int_equal(json_array_size(want), b.n_leaves);
	for (size_t i = 0; i < b.n_leaves * m->head->columns; i++) {
		const json_t *row = json_array_get(want, i / m->head->columns);
		double x = json_number_value(json_array_get(row,
			i % m->head->columns));

		assert_int_equal(json_array_size(row), m->head->columns);
		if (!(fabs((double)s[i] - x) < 1e-5))
			fail_msg("%s, number %zu: %g, PyTorch has %g", spec,
				 i, (double)s[i], x);
	}
	rm_batch_fini(&b);
	rm_model_free(m);
	json_decref(head);
}

static void test_reference(void **state)
{
	json_t *all = rm_json_load("tests/data/encodings.json", 1 << 20);
	const json_t *c;
	size_t i;

	(void)state;
	assert_non_null(all);
	json_array_foreach(json_object_get(all, "cases"), i, c)
		check_case(json_object_get(all, "groups"), c);
	assert_int_equal(i, 7);
	json_decref(all);
}

/* What a head has beside the reward is in the stream, by name. */
static void check_stream(const char *spec, const char *filter)
{
	struct rm_model *m = new_model(backbones[0], spec);
	char command[2000];

	assert_int_equal(rm_model_save(m, made_path("tool"), true), 0);
	snprintf(command, sizeof(command),
		 "echo '{\"prompt\":\"p\",\"responses\":[\"a\",\"bcd\"]}' | "
		 "\"${RM_BIN:-bin}/rm-score\" -q -m %s | jq -e '%s' >&2",
		 made_path("tool"), filter);
	if (system(command) != 0)
		fail_msg("%s: not as %s", spec, filter);
	rm_model_free(m);
}

static void test_streams(void **state)
{
	(void)state;
	check_stream("multi:objectives=a,b", "(.objectives | keys) == "
		     "[\"a\",\"b\"] and (.objectives.b | length) == 2 and "
		     "has(\"reward_sd\") == false");
	check_stream("hierarchical:levels=2", "(.objectives | keys) == "
		     "[\"level1\",\"level2\"]");
	/* The gate's weights sum to one. */
	check_stream("gated:objectives=a,b", ". as $r | [range(2) | "
		     "$r.reward[.] >= ([$r.objectives[][.]] | min) and "
		     "$r.reward[.] <= ([$r.objectives[][.]] | max)] | all");
	check_stream("ensemble:n=3", "(.reward_sd | length) == 2 and "
		     ".reward_sd[0] > 0 and has(\"objectives\") == false");
	check_stream("uncertainty", ".reward_sd[1] > 0");
	check_stream("calibrated", "(.reward | length) == 2 and "
		     "has(\"reward_sd\") == false");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copied),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_bag),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
