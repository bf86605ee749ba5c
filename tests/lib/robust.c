/* Gaps to other data, and figures under attack. */
#include "test.h"
#include "reference.h"

#include "robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct rm_schema schema;
static struct rm_record rec;
static struct rm_buf payload;

static void fields(const char *const *names)
{
	rm_schema_fini(&schema);
	memset(&schema, 0, sizeof(schema));
	for (; *names; names++)
		assert_int_equal(rm_schema_add(&schema, *names), 0);
}

static int teardown(void **state)
{
	(void)state;
	rm_schema_fini(&schema);
	rm_record_fini(&rec);
	rm_buf_fini(&payload);
	return 0;
}

static const struct rm_record *record(const json_t *object)
{
	rm_buf_clear(&payload);
	if (rm_record_parse(&payload, &schema, object) < 0 ||
	    rm_record_index(&rec, &schema, payload.data, payload.len) < 0)
		fail_msg("%s", rm_error());
	return &rec;
}

/* ---- gaps, beside statsmodels (tests/ref/compare.py) ---- */

static struct rm_scores *score(const json_t *records)
{
	struct rm_scorer *scorer = rm_scorer_new(&schema, true, "reward",
						 NULL);
	struct rm_scores *s;
	json_t *r;
	size_t i;

	assert_non_null(scorer);
	json_array_foreach(records, i, r) {
		json_t *copy = json_copy(r);

		json_object_del(copy, "other");
		assert_int_equal(rm_scorer_add(scorer, record(copy)), 0);
		json_decref(copy);
	}
	s = rm_scorer_finish(scorer);
	rm_scorer_free(scorer);
	assert_non_null(s);
	return s;
}

/* Two independent figures and their intervals, [value, low, high] each. */
static void check_gap(const struct rm_gap *g, const json_t *in,
		      const json_t *out)
{
	double gap = number(in, 0) - number(out, 0);
	double half = hypot(number(in, 2) - number(in, 1),
			    number(out, 2) - number(out, 1)) / 2;

	assert_near(g->in, number(in, 0), 1e-9);
	assert_near(g->out, number(out, 0), 1e-9);
	assert_near(g->gap, gap, 1e-9);
	assert_near(g->low, gap - half, 1e-9);
	assert_near(g->high, gap + half, 1e-9);
}

static void test_gap(void **state)
{
	static const char *const names[] = { "id", "key", "weight", "p",
					     "rank", "reward", NULL };
	const struct rm_metric_kind *metrics[] = {
		rm_metric_find("accuracy"), rm_metric_find("ties"),
		rm_metric_find("log_loss"), rm_metric_find("brier"),
		rm_metric_find("spearman"), NULL
	};
	json_t *cases = reference("tests/data/compare.json", "cases");
	json_t *a = json_array_get(cases, 0), *b = json_array_get(cases, 1);
	struct rm_evaluation e = { .metrics = metrics };
	struct rm_figure figures[5];
	struct rm_scores *s, *other;
	struct rm_ood ood;

	(void)state;
	fields(names);
	s = score(json_object_get(a, "records"));
	other = score(json_object_get(b, "records"));
	assert_int_equal(rm_evaluate(s, &e, figures), 0);
	assert_int_equal(rm_ood_find(figures, 5, other, &ood), 0);
	/* A count has no interval, and of pairs there is no spearman. */
	assert_int_equal(ood.n, 3);
	assert_int_equal(ood.comparisons, other->n);
	for (size_t i = 0; i < ood.n; i++) {
		const char *name = ood.gap[i].metric->name;

		check_gap(&ood.gap[i], json_object_get(json_object_get(a,
			  "alone"), name), json_object_get(
			  json_object_get(b, "alone"), name));
	}
	rm_ood_fini(&ood);
	rm_scores_free(s);
	rm_scores_free(other);
}

/* n prompts, of which the first `right` are right. */
static struct rm_scores *score_shares(int right, int n)
{
	json_t *records = json_array();
	struct rm_scores *s;

	for (int i = 0; i < n; i++)
		json_array_append_new(records, json_pack("{s:i, s:[i, i]}",
			"key", i + 1, "reward", i < right, i >= right));
	s = score(records);
	json_decref(records);
	return s;
}

/* Three of three is not certain: Wilson's reach of 3, the error of 10. */
static void test_gap_of_all_right(void **state)
{
	static const char *const names[] = { "key", "reward", NULL };
	const struct rm_metric_kind *metrics[] = {
		rm_metric_find("accuracy"), NULL
	};
	const double z = 1.959963984540054, wilson = z * z / (3 + z * z);
	const double half = z * sqrt(.8 * .2 / 9);
	struct rm_scores *all, *some;

	(void)state;
	fields(names);
	all = score_shares(3, 3);
	some = score_shares(8, 10);
	for (size_t bootstrap = 0; bootstrap <= 50; bootstrap += 50) {
		struct rm_evaluation e = { metrics, bootstrap, 1 };
		struct rm_figure f;
		struct rm_ood ood;

		assert_int_equal(rm_evaluate(all, &e, &f), 0);
		assert_int_equal(rm_ood_find(&f, 1, some, &ood), 0);
		assert_near(ood.gap[0].gap, .2, 1e-9);
		assert_near(ood.gap[0].low, .2 - hypot(wilson, half), 1e-9);
		assert_near(ood.gap[0].high, .2 + half, 1e-9);
		rm_ood_fini(&ood);
		assert_int_equal(rm_evaluate(some, &e, &f), 0);
		assert_int_equal(rm_ood_find(&f, 1, all, &ood), 0);
		assert_near(ood.gap[0].low, -.2 - half, 1e-9);
		assert_near(ood.gap[0].high, -.2 + hypot(wilson, half), 1e-9);
		rm_ood_fini(&ood);
	}
	rm_scores_free(all);
	rm_scores_free(some);
}

/* ---- under attack ---- */

static struct rm_attacks_reader *attacked(void)
{
	static const char *const names[] = { "key", "rank", "reward",
					     "attack", "prob", NULL };
	struct rm_attacks_reader *r;

	fields(names);
	r = rm_attacks_new(&schema, false);
	assert_non_null(r);
	return r;
}

static int add(struct rm_attacks_reader *r, const char *text)
{
	json_t *object = rm_json_parse(text, strlen(text));
	int status;

	assert_non_null(object);
	status = rm_attacks_add(r, record(object));
	json_decref(object);
	return status;
}

static double loss(double d)
{
	return log1p(exp(-d));
}

static void test_rows(void **state)
{
	struct rm_attacks_reader *r = attacked();
	struct rm_evaluation e = { .bootstrap = 0 };
	struct rm_attacks out;
	const struct rm_attacked *row;

	(void)state;
	/* What a calibration says is of the rewards as they are. */
	assert_int_equal(add(r, "{\"key\": 1, \"rank\": [0, 1], "
		"\"reward\": [2, 0], \"prob\": 0.1, \"attack\": "
		"{\"0\": [9, 0], \"0.1\": [1, 0], \"2\": [0, 0]}}"), 0);
	assert_int_equal(add(r, "{\"key\": 2, \"rank\": [1, 0], "
		"\"reward\": [0, 1], \"prob\": 0.1, \"attack\": "
		"{\"0\": [9, 0], \"0.1\": [1, 0], \"2\": [3, 0]}}"), 0);
	assert_int_equal(rm_attacks_finish(r, RM_TIES_HALF, &e, &out), 0);
	assert_int_equal(out.n, 3);
	row = out.row;
	assert_near(row[0].eps, 0, 0);
	assert_near(row[0].accuracy.value, 1, 1e-12);
	assert_near(row[0].log_loss.value, (loss(2) + loss(1)) / 2, 1e-12);
	assert_near(row[0].increase.value, 0, 0);
	assert_near(row[0].flip_rate.value, 0, 0);
	assert_near(row[1].eps, .1, 0);
	assert_near(row[1].accuracy.value, .5, 1e-12);
	assert_near(row[1].log_loss.value, (loss(1) + loss(-1)) / 2, 1e-12);
	assert_near(row[1].increase.value,
		    (loss(1) + loss(-1) - loss(2) - loss(1)) / 2, 1e-12);
	assert_near(row[1].flip_rate.value, .5, 1e-12);
	assert_near(row[1].tie_rate.value, 0, 0);
	assert_near(row[2].accuracy.value, .25, 1e-12);
	assert_near(row[2].flip_rate.value, .5, 1e-12);
	assert_near(row[2].tie_rate.value, .5, 1e-12);
	rm_attacks_free(r);
}

static void refuse(const char *first, const char *second, const char *message)
{
	struct rm_attacks_reader *r = attacked();

	if (second)
		assert_int_equal(add(r, first), 0);
	assert_int_equal(add(r, second ? second : first), -1);
	if (!strstr(rm_error(), message))
		fail_msg("%s, not %s", rm_error(), message);
	rm_attacks_free(r);
}

#define RECORD(attack) \
	"{\"key\": 1, \"rank\": [0, 1], \"reward\": [2, 0], " \
	"\"attack\": " attack "}"

static void test_bad_records_are_named(void **state)
{
	(void)state;
	refuse(RECORD("null"), NULL, "field attack is nil");
	refuse(RECORD("{\"x\": [1, 0]}"), NULL, "field attack: eps");
	refuse(RECORD("{\"-1\": [1, 0]}"), NULL, "field attack: eps");
	refuse(RECORD("{\"2\": [1, 0], \"1\": [1, 0]}"), NULL,
	       "eps 1 does not go up");
	refuse(RECORD("{\"1\": [1, null]}"), NULL,
	       "field attack: that of response 1 is missing (NaN)");
	refuse(RECORD("{\"1\": [1, 0]}"), RECORD("{\"2\": [1, 0]}"),
	       "field attack has no rewards at eps 1");
	refuse(RECORD("{\"1\": [1, 0]}"),
	       RECORD("{\"1\": [1, 0], \"2\": [1, 0]}"),
	       "rewards at 2 eps, where the first record has 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_gap_of_all_right),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_bad_records_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
