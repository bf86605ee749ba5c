#include "test.h"

#include "scores.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* ---- against numpy, scipy and scikit-learn (tests/ref/metric.py) ---- */

static void check_figure(const char *what, const struct rm_figure *f,
			 const json_t *expected)
{
	const char *name = f->metric->name;
	double low, high;

	if (json_is_null(expected)) {
		assert_true(isnan(f->value));
		return;
	}
	if (!json_is_array(expected)) {
		assert_near(what, name, f->value, json_number_value(expected));
		return;
	}
	assert_near(what, name, f->value,
		    json_number_value(json_array_get(expected, 0)));
	low = json_number_value(json_array_get(expected, 1));
	high = json_number_value(json_array_get(expected, 2));
	if (isnan(f->low))
		fail_msg("%s: %s has no interval", what, name);
	low = RM_MAX(low, f->metric->unit == RM_UNIT_CORRELATION ? -1 : 0);
	if (f->metric->unit != RM_UNIT_NUMBER || f->metric->most == 1)
		high = RM_MIN(high, 1);
	assert_near(what, name, f->low, low);
	assert_near(what, name, f->high, high);
}

static void test_references(void **state)
{
	static const char *const ties[] = { "half", "wrong", "right" };
	json_t *data = rm_json_load("tests/data/metric.json", 1 << 20), *c;
	struct rm_figure f[METRICS];
	size_t i, t, m;

	(void)state;
	assert_non_null(data);
	assert_true(json_array_size(json_object_get(data, "cases")) > 8);
	json_array_foreach(json_object_get(data, "cases"), i, c) {
		const char *what = json_string_value(json_object_get(c,
								     "name"));
		struct rm_scores *s = score(json_object_get(c, "records"),
			json_is_true(json_object_get(c, "pairs")), NULL);

		assert_non_null(s);
		for (t = 0; strcmp(ties[t], json_string_value(json_object_get(
				c, "ties"))) != 0;)
			t++;
		s->ties = (enum rm_ties)t;
		evaluate(s, 0, f);
		for (m = 0; rm_metrics()[m]; m++) {
			json_t *expected = json_object_get(
				json_object_get(c, "figures"),
				rm_metrics()[m]->name);

			/* A new metric needs its reference. */
			assert_non_null(expected);
			check_figure(what, &f[m], expected);
		}
		rm_scores_free(s);
	}
	json_decref(data);
}

/* ---- by hand ---- */

static void test_by_hand(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"reward\":[1,0]},{\"reward\":[0,1]},{\"reward\":[2,0]},"
		"{\"reward\":[3,3]}]", true, NULL);

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->n, 4);
	assert_int_equal(s->clusters, 4);
	assert_near("hand", "accuracy", value_of(s, "accuracy"), 2.5 / 4);
	assert_near("hand", "ties", value_of(s, "ties"), 1);
	/* Positives 1, -1, 2, 0 against negatives -1, 1, -2, 0:
	 * 3.5 + .5 + 1.5 ... = (3 + .5) + (1 + .5) + 4 + (2 + .5). */
	assert_near("hand", "auc", value_of(s, "auc"), 11.5 / 16);
	assert_near("hand", "log_loss", value_of(s, "log_loss"),
		    (log1p(exp(-1)) + log1p(exp(1)) + log1p(exp(-2)) +
		     log(2)) / 4);
	assert_true(isnan(value_of(s, "spearman")));
	assert_true(isnan(value_of(s, "length_corr")));
	assert_true(isnan(value_of(s, "longer_wins")));
	rm_scores_free(s);
}

static void test_ece_bins(void **state)
{
	(void)state;
	assert_int_equal(rm_ece_bin(0), 0);
	assert_int_equal(rm_ece_bin(.1), 0);
	assert_int_equal(rm_ece_bin(nextafter(.1, 1)), 1);
	/* numpy's linspace(0, 1, 11)[3] is .30000000000000004. */
	assert_int_equal(rm_ece_bin(3 * .1), 2);
	assert_int_equal(rm_ece_bin(.5), 4);
	assert_int_equal(rm_ece_bin(.7), 6);
	assert_int_equal(rm_ece_bin(nextafter(3 * .1, 1)), 3);
	assert_int_equal(rm_ece_bin(1), 9);
}

/* What is known of calibration: P = p has no error, one-sided it has. */
static void test_ece_seed_is_one_sided(void **state)
{
	struct rm_buf text = {0};
	struct rm_scores *s;
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		rm_buf_printf(&text, "%s{\"reward\":[%d,0],\"p\":1,"
			      "\"prob\":%s}", i ? "," : "[",
			      i < 80 ? 1 : -1, i < 80 ? "0.8" : "0.2");
	rm_buf_puts(&text, "]");
	s = score_text(rm_buf_text(&text), true, NULL);
	assert_non_null(s);
	assert_near("calibrated", "ece", value_of(s, "ece"), 0);
	assert_near("calibrated", "ece_seed", value_of(s, "ece_seed"), .2);
	rm_scores_free(s);
	rm_buf_fini(&text);
}

/* d = 800 overflows a careless sigmoid; 1e308 the difference, nearly. */
static void test_extreme_rewards(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"reward\":[800,0]},{\"reward\":[-800,0]},"
		"{\"reward\":[1e300,-1e300]}]", true, NULL);

	(void)state;
	assert_non_null(s);
	assert_near("extreme", "log_loss", value_of(s, "log_loss"),
		    800. / 3);
	assert_near("extreme", "brier", value_of(s, "brier"), 1. / 3);
	assert_near("extreme", "auc", value_of(s, "auc"), 7. / 9);
	rm_scores_free(s);
}

static void test_constant_rewards(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"reward\":[0,0],\"length\":[1,2]},"
		"{\"reward\":[0,0],\"length\":[3,1]}]", true, NULL);
	struct rm_figure f[METRICS];

	(void)state;
	assert_non_null(s);
	evaluate(s, 0, f);
	assert_near("constant", "accuracy", figure(f, "accuracy")->value, .5);
	assert_near("constant", "ties", figure(f, "ties")->value, 2);
	assert_near("constant", "auc", figure(f, "auc")->value, .5);
	assert_true(isnan(figure(f, "spearman_pooled")->value));
	assert_true(isnan(figure(f, "kendall_pooled")->value));
	assert_true(isnan(figure(f, "length_corr")->value));
	rm_scores_free(s);
}

/* A wrong certainty has no log-loss, rather than an infinite one. */
static void test_certain_and_wrong(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"reward\":[1,0],\"prob\":0},{\"reward\":[1,0],"
		"\"prob\":1}]", true, NULL);

	(void)state;
	assert_non_null(s);
	assert_true(isnan(value_of(s, "log_loss")));
	assert_near("certain", "brier", value_of(s, "brier"), .5);
	rm_scores_free(s);
}

/* All right in 10 prompts: Wilson's interval, not [1, 1]. */
static void test_interval_of_all_right(void **state)
{
	struct rm_buf text = {0};
	struct rm_figure f[METRICS];
	struct rm_scores *s;
	double z2 = 1.959963984540054 * 1.959963984540054;
	int i;

	(void)state;
	for (i = 0; i < 30; i++)
		rm_buf_printf(&text, "%s{\"key\":%d,\"reward\":[1,0],"
			      "\"position\":[%d,%d]}", i ? "," : "[",
			      1 + i % 10, i % 10 > 3, i % 10 <= 3);
	rm_buf_puts(&text, "]");
	s = score_text(rm_buf_text(&text), true, NULL);
	assert_non_null(s);
	assert_int_equal(s->clusters, 10);
	evaluate(s, 0, f);
	assert_near("right", "low", figure(f, "accuracy")->low,
		    10 / (10 + z2));
	assert_near("right", "high", figure(f, "accuracy")->high, 1);
	assert_near("right", "first", figure(f, "first_right")->low,
		    4 / (4 + z2));
	assert_near("right", "second", figure(f, "second_right")->low,
		    6 / (6 + z2));
	rm_scores_free(s);
	rm_buf_fini(&text);
}

/* ---- kinds of records ---- */

static void test_pairs_follow_p_and_rank(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"reward\":[1,0],\"rank\":[0,1]},"
		"{\"reward\":[1,0],\"rank\":[1,0]},"
		"{\"reward\":[1,0],\"rank\":[2,2]},"
		"{\"reward\":[1,0],\"rank\":[1,0],\"p\":0.75},"
		"{\"reward\":[1,0]}]", true, NULL);

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->n, 5);
	assert_true(s->p[0] == 1 && s->p[1] == 0 && s->p[2] == .5 &&
		    s->p[3] == .75 && s->p[4] == 1);
	/* The tie label is left out, the second is wrong. */
	assert_near("p", "accuracy", value_of(s, "accuracy"), 3. / 4);
	rm_scores_free(s);
}

static void test_groups(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"reward\":[3,2,1],\"rank\":[0,1,1]},"
		"{\"reward\":[5]},"
		"{\"reward\":[1,2],\"rank\":[0,0]},"
		"{\"reward\":[1,2],\"score\":[0,7]},"
		"{\"reward\":[1,2,3],\"score\":[null,7,8]},"
		"{\"reward\":[1,2],\"p\":0.5}]", false, NULL);

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->records, 6);
	assert_int_equal(s->responses, 13);
	assert_int_equal(s->n, 2 + 0 + 0 + 1 + 1 + 1);
	assert_true(s->d[0] == 1 && s->d[1] == 2 && s->d[2] == 1 &&
		    s->d[3] == 1 && s->d[4] == -1);
	assert_near("groups", "accuracy", value_of(s, "accuracy"), 1);
	assert_near("groups", "macro", value_of(s, "accuracy_macro"), 1);
	/* The fifth group has only two labels, which agree. */
	assert_near("groups", "kendall", value_of(s, "kendall"),
		    (2 / sqrt(3. * 2) + 1) / 2);
	rm_scores_free(s);
}

/* Scores whose differences and sums are no numbers. */
static void test_extreme_scores(void **state)
{
	static const char *const lists[] = {
		"[{\"score\":[1e308,-1e308,0],\"reward\":[1,2,3]}]",
		"[{\"score\":[2,-2,0],\"reward\":[1,2,3]}]",
		"[{\"score\":[1.7e308,1.6e308,1.5e308],\"reward\":[1,2,3]}]",
		"[{\"score\":[17,16,15],\"reward\":[1,2,3]}]",
		"[{\"score\":[0,0,5e-324],\"reward\":[1,2,3]}]",
		"[{\"score\":[0,0,1],\"reward\":[1,2,3]}]"
	};
	struct rm_scores *a, *b;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(lists); i += 2) {
		a = score_text(lists[i], false, NULL);
		b = score_text(lists[i + 1], false, NULL);
		assert_near(lists[i], "ndcg", value_of(a, "ndcg"),
			    value_of(b, "ndcg"));
		rm_scores_free(a);
		rm_scores_free(b);
	}
}

/* By hand: of two drawn, (1 or 0), (1 or 2), (0 or 2) with rewards 3 2 1. */
static void test_best_of(void **state)
{
	struct rm_best_of b;
	struct rm_scores *s = score_text(
		"[{\"key\":1,\"score\":[1,0,2],\"reward\":[3,2,1]},"
		"{\"key\":2,\"score\":[4,4,4],\"reward\":[3,2,1]}]", false,
		NULL);

	(void)state;
	assert_int_equal(rm_scores_best_of(s, &b), 0);
	assert_int_equal(b.most, 3);
	assert_int_equal(b.records, 2);
	assert_near("two", "mean", b.row[1].mean, (2. / 3 + 4) / 2);
	assert_near("two", "best", b.row[1].best, (5. / 3 + 4) / 2);
	/* The means of two clusters, each 5/3 off theirs. */
	assert_near("two", "low", b.row[1].low,
		    7. / 3 - 1.959963984540054 * 5 / 3);
	rm_scores_free(s);
	/* What is out of range is no figure. */
	s = score_text("[{\"key\":1,\"score\":[1e308,-1e308,0],"
		       "\"reward\":[1,2,3]},{\"key\":2,"
		       "\"score\":[1.7e308,1.6e308,0],\"reward\":[1,3,2]},"
		       "{\"key\":3,\"score\":[1.7e308,1.6e308,0],"
		       "\"reward\":[1,3,2]}]", false, NULL);
	assert_int_equal(rm_scores_best_of(s, &b), 0);
	assert_true(isnan(b.row[2].mean) && isnan(b.row[2].low));
	assert_true(isnan(b.row[2].high) && isnan(b.row[2].best));
	rm_scores_free(s);
}

/* Records of a prompt are one cluster wherever they stand. */
static void test_clusters_are_gathered(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"key\":5,\"reward\":[1,0],\"weight\":1},"
		"{\"key\":6,\"reward\":[2,0],\"weight\":2},"
		"{\"key\":null,\"reward\":[3,0],\"weight\":3},"
		"{\"key\":5,\"reward\":[4,0],\"weight\":4},"
		"{\"key\":null,\"reward\":[5,0],\"weight\":5},"
		"{\"key\":6,\"reward\":[6,0],\"weight\":6}]", true, NULL);
	const double d[] = { 1, 4, 2, 6, 3, 5 };

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->clusters, 4);
	assert_true(s->keyed);
	assert_memory_equal(s->d, d, sizeof(d));
	assert_memory_equal(s->weight, d, sizeof(d));
	rm_scores_free(s);
}

static void test_parts(void **state)
{
	struct rm_scores *s = score_text(
		"[{\"subset\":\"b\",\"key\":1,\"length\":[1,2],"
		"\"reward\":[1,0]},"
		"{\"subset\":\"a\",\"key\":1,\"length\":[3,4],"
		"\"reward\":[0,1]},"
		"{\"subset\":null,\"key\":2,\"length\":[5,6],"
		"\"reward\":[2,0]},"
		"{\"subset\":\"a\",\"key\":1,\"length\":[7,8],"
		"\"reward\":[4,0]}]",
		true, "subset");
	struct rm_scores *a;

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->parts, 3);
	assert_string_equal(s->part_name[0], "b");
	assert_string_equal(s->part_name[1], "a");
	assert_string_equal(s->part_name[2], "(none)");
	a = rm_scores_part(s, 1);
	assert_non_null(a);
	assert_int_equal(a->n, 2);
	assert_int_equal(a->clusters, 1);
	assert_true(a->d[0] == -1 && a->d[1] == 4);
	assert_int_equal(a->length[3], 8);
	assert_near("part", "accuracy", value_of(a, "accuracy"), .5);
	rm_scores_free(a);
	rm_scores_free(s);
}

static void test_parts_by_extra_column(void **state)
{
	const char *text =
		"[{\"reward\":[1,0],\"extra\":{\"model\":\"x\",\"year\":7}},"
		"{\"reward\":[1,0],\"extra\":{\"model\":\"y\",\"year\":7.5}},"
		"{\"reward\":[1,0],\"extra\":{\"model\":null}}]";
	struct rm_scores *s = score_text(text, true, "model");

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->parts, 3);
	assert_string_equal(s->part_name[1], "y");
	assert_string_equal(s->part_name[2], "(none)");
	rm_scores_free(s);
	s = score_text(text, true, "year");
	assert_non_null(s);
	assert_string_equal(s->part_name[0], "7");
	assert_string_equal(s->part_name[1], "7.5");
	rm_scores_free(s);
	assert_null(score_text(text, true, "colour"));
	assert_non_null(strstr(rm_error(), "colour"));
}

/* A part a record: thousands of names, each found again. */
static void test_many_parts(void **state)
{
	struct rm_buf text = {0};
	struct rm_scores *s;
	int i;

	(void)state;
	for (i = 0; i < 3000; i++)
		rm_buf_printf(&text, "%s{\"id\":\"r%d\",\"reward\":[1,0]}",
			      i ? "," : "[", i % 1000);
	rm_buf_puts(&text, "]");
	s = score_text(rm_buf_text(&text), true, "id");
	assert_non_null(s);
	assert_int_equal(s->parts, 1000);
	assert_int_equal(s->part[2999], 999);
	rm_scores_free(s);
	rm_buf_fini(&text);
}

/* ---- invariants ---- */

/* Random pairs with tied rewards, soft labels and shared prompts. */
static struct rm_scores *random_pairs(size_t n, bool swap)
{
	struct rm_buf text = {0};
	struct rm_scores *s;
	size_t i;

	for (i = 0; i < n; i++) {
		double a = rm_random_normal(1, RM_RANDOM_TEST, 0, i) + .4;
		double p = rm_random_uniform(1, RM_RANDOM_TEST, 1, i);
		int r0 = (int)(a * 3), r1 = (int)(rm_random(1, RM_RANDOM_TEST,
			2, i) % 5) - 2;

		rm_buf_printf(&text, "%s{\"key\":%d,\"p\":%.3f,\"weight\":%d,"
			      "\"reward\":[%d,%d],\"length\":[%d,%d]}",
			      i ? "," : "[", (int)(p * 1e6) % 97 + 1,
			      floor((swap ? 1 - p : p) * 1000 + .5) / 1000,
			      1 + (int)(i % 3),
			      swap ? r1 : r0, swap ? r0 : r1,
			      swap ? 9 : (int)(i % 7), swap ? (int)(i % 7) : 9);
	}
	rm_buf_puts(&text, "]");
	s = score_text(rm_buf_text(&text), true, NULL);
	assert_non_null(s);
	rm_buf_fini(&text);
	return s;
}

/* Swapping every pair changes no figure. */
static void test_swapping_pairs(void **state)
{
	struct rm_scores *a = random_pairs(500, false);
	struct rm_scores *b = random_pairs(500, true);
	struct rm_figure f[METRICS], g[METRICS];
	size_t m;

	(void)state;
	evaluate(a, 0, f);
	evaluate(b, 0, g);
	for (m = 0; rm_metrics()[m]; m++) {
		const char *name = rm_metrics()[m]->name;

		if (isnan(f[m].value)) {
			assert_true(isnan(g[m].value));
			continue;
		}
		assert_near("swapped", name, g[m].value, f[m].value);
		if (!isnan(f[m].low))
			assert_near("swapped", name, g[m].low, f[m].low);
	}
	rm_scores_free(a);
	rm_scores_free(b);
}

/* Same bytes for any number of threads, resamples included. */
static void test_threads(void **state)
{
	struct rm_scores *s = random_pairs(20000, false);
	struct rm_figure one[METRICS], many[METRICS];
	int threads = omp_get_max_threads();
	size_t m;

	(void)state;
	omp_set_num_threads(1);
	evaluate(s, 50, one);
	/* Nothing that the first found helps the second. */
	rm_order_fini(&s->order);
	memset(s->rho, 0, sizeof(s->rho));
	s->partial_made = false;
	free(s->bins);
	s->bins = NULL;
	omp_set_num_threads(3);
	evaluate(s, 50, many);
	omp_set_num_threads(threads);
	for (m = 0; rm_metrics()[m]; m++) {
		assert_memory_equal(&one[m].value, &many[m].value, 8);
		assert_memory_equal(&one[m].low, &many[m].low, 8);
		assert_memory_equal(&one[m].high, &many[m].high, 8);
	}
	rm_scores_free(s);
}

/* With many prompts both kinds of interval agree. */
static void test_bootstrap_agrees_with_formula(void **state)
{
	static const char *const names[] = { "accuracy", "log_loss", "brier" };
	struct rm_scores *s = random_pairs(4000, false);
	struct rm_figure f[METRICS], g[METRICS];
	size_t i;

	(void)state;
	evaluate(s, 0, f);
	evaluate(s, 2000, g);
	for (i = 0; i < RM_COUNT(names); i++) {
		const struct rm_figure *a = figure(f, names[i]);
		const struct rm_figure *b = figure(g, names[i]);
		double ratio = (b->high - b->low) / (a->high - a->low);

		assert_true(ratio > .9 && ratio < 1.1);
		assert_true(fabs(b->low - a->low) < .1 * (a->high - a->low));
	}
	assert_true(figure(g, "ece")->low < figure(g, "ece")->high);
	rm_scores_free(s);
}

/* A cluster larger than any block of work. */
static void test_one_large_cluster(void **state)
{
	struct rm_buf text = {0};
	struct rm_figure f[METRICS];
	struct rm_scores *s;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++)
		rm_buf_printf(&text, "%s{\"key\":%d,\"reward\":[%d,0]}",
			      i ? "," : "[", 1 + (i >= 9990), i % 4 ? 1 : -1);
	rm_buf_puts(&text, "]");
	s = score_text(rm_buf_text(&text), true, NULL);
	assert_non_null(s);
	assert_int_equal(s->clusters, 2);
	evaluate(s, 100, f);
	assert_near("large", "accuracy", figure(f, "accuracy")->value, .75);
	assert_true(figure(f, "accuracy")->low < .75);
	rm_scores_free(s);
	rm_buf_fini(&text);
}

static void test_correlate_leaves_gaps_out(void **state)
{
	const double x[] = { 1, 2, 3, 4 }, y[] = { 1, NAN, 3, 2 };
	double rho, tau;

	(void)state;
	assert_int_equal(rm_correlate_pairs(x, y, 4, &rho, &tau), 0);
	assert_near("gaps", "rho", rho, .5);
	assert_near("gaps", "tau", tau, 1. / 3);
	assert_int_equal(rm_correlate_pairs(x, y, 2, &rho, &tau), 0);
	assert_true(isnan(rho) && isnan(tau));
	assert_int_equal(rm_correlate_pairs(x, y, 0, &rho, NULL), 0);
	assert_true(isnan(rho));
}

/* ---- bad input ---- */

static void test_bad_records(void **state)
{
	static const struct {
		const char *text, *expected;
		bool pairs;
	} bad[] = {
		{ "[{\"rank\":[0,1]}]", "no field reward: run rm-score first",
		  true },
		{ "[{\"reward\":[1,null]}]",
		  "field reward: that of response 1 is missing", true },
		{ "[{\"reward\":[1,0],\"p\":1.5}]", "field p: 1.5", true },
		{ "[{\"reward\":[1,0],\"weight\":-1}]", "field weight: -1",
		  true },
		{ "[{\"reward\":[1,0],\"prob\":2}]", "field prob: 2", true },
		{ "[{\"reward\":[1,0,2]}]", "3 responses in a stream of pairs",
		  true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < RM_COUNT(bad); i++) {
		assert_null(score_text(bad[i].text, bad[i].pairs, NULL));
		if (!strstr(rm_error(), bad[i].expected))
			fail_msg("%s: %s", bad[i].text, rm_error());
	}
	assert_null(score_text("[{\"reward\":[1,0],\"rank\":[0,1]}]", true,
			       "rank"));
	assert_non_null(strstr(rm_error(), "not one text or number"));
	assert_null(score_text("[{\"reward\":[1,0]}]", true, "colour"));
	assert_non_null(strstr(rm_error(), "no field colour"));
}

/* JSON cannot say this, a stream can. */
static void test_bad_utf8_in_a_part(void **state)
{
	const double reward[] = { 1, 0 };
	struct rm_schema schema = {0};
	struct rm_record rec = {0};
	struct rm_buf payload = {0};
	struct rm_scorer *scorer;

	(void)state;
	assert_int_equal(rm_schema_add(&schema, "subset"), 0);
	assert_int_equal(rm_schema_add(&schema, "reward"), 0);
	rm_put_array(&payload, 2);
	rm_put_str(&payload, "\xff!", 2);
	rm_put_f64s(&payload, reward, 2);
	scorer = rm_scorer_new(&schema, true, "reward", "subset");
	assert_non_null(scorer);
	assert_int_equal(rm_record_index(&rec, &schema, payload.data,
					 payload.len), 0);
	assert_int_equal(rm_scorer_add(scorer, &rec), -1);
	assert_string_equal(rm_error(), "field subset: invalid UTF-8");
	rm_scorer_free(scorer);
	rm_record_fini(&rec);
	rm_buf_fini(&payload);
	rm_schema_fini(&schema);
}

static void test_table(void **state)
{
	const struct rm_metric_kind *const *m;

	(void)state;
	for (m = rm_metrics(); *m; m++) {
		assert_ptr_equal(rm_metric_find((*m)->name), *m);
		assert_true(strlen((*m)->brief) <= 36);
		assert_true(strlen((*m)->name) <= 15);
		assert_true((*m)->rows || (*m)->whole || (*m)->estimate);
		assert_true((*m)->rows || !(*m)->bootstrap);
		assert_true((*m)->sums <= RM_METRIC_SUMS);
		if (m > rm_metrics())
			assert_true(m[-1]->section < m[0]->section ||
				    m[-1]->place < m[0]->place);
	}
	assert_true(m - rm_metrics() < METRICS);
	assert_null(rm_metric_find("f1"));
	assert_non_null(strstr(rm_error(), "unknown metric \"f1\""));
	assert_non_null(strstr(rm_error(), "log_loss"));
	rm_scores_free(NULL);
	rm_scorer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_ece_bins),
		cmocka_unit_test(test_ece_seed_is_one_sided),
		cmocka_unit_test(test_extreme_rewards),
		cmocka_unit_test(test_constant_rewards),
		cmocka_unit_test(test_certain_and_wrong),
		cmocka_unit_test(test_interval_of_all_right),
		cmocka_unit_test(test_pairs_follow_p_and_rank),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_extreme_scores),
		cmocka_unit_test(test_best_of),
		cmocka_unit_test(test_clusters_are_gathered),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_parts_by_extra_column),
		cmocka_unit_test(test_many_parts),
		cmocka_unit_test(test_swapping_pairs),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_bootstrap_agrees_with_formula),
		cmocka_unit_test(test_one_large_cluster),
		cmocka_unit_test(test_correlate_leaves_gaps_out),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_bad_utf8_in_a_part),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
