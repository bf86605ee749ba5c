#include "test.h"

#include "loss.h"
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCES "tests/data/numerics.json"

static struct rm_loss *make(const char *spec)
{
	json_t *config = rm_loss_parse(spec);

	if (!config)
		fail_msg("%s", rm_error());
	struct rm_loss *loss = rm_loss_new(config, 1);
	if (!loss)
		fail_msg("%s", rm_error());
	json_decref(config);
	return loss;
}

static struct rm_target pair(double p)
{
	return (struct rm_target){
		.k = 2, .p = p, .margin = NAN, .weight = NAN
	};
}

static double loss_of(const struct rm_loss *loss, struct rm_target t,
		      const rm_real *s, rm_real *ds)
{
	struct rm_loss_sums sums = {0};

	if (rm_loss_forward(loss, &t, 1, s, 1, ds, &sums) < 0)
		fail_msg("%s", rm_error());
	return sums.loss;
}

/* ---- against PyTorch ---- */

/* Copies of a case's groups; at most 8 groups of 8. */
struct sample {
	size_t groups, rows;
	struct rm_target target[8];
	double rank[8][8];
	rm_real s[64];
	double ds[64];
};

static void fill(struct sample *c, const json_t *from)
{
	json_t *groups = json_object_get(from, "groups"), *g, *r;
	size_t i, j;

	json_array_foreach(groups, i, g) {
		struct rm_target *t = &c->target[i];
		*t = (struct rm_target){
			.k = (size_t)number_of(g, "k"),
			.p = number_of(g, "p"),
			.margin = number_of(g, "margin"),
			.weight = number_of(g, "weight")
		};
		json_array_foreach(json_object_get(g, "rank"), j, r) {
			c->rank[i][j] = json_number_value(r);
			t->rank = c->rank[i];
		}
		const json_t *s = json_array_get(
			json_object_get(from, "scores"), i);
		const json_t *ds = json_array_get(
			json_object_get(from, "grad"), i);
		for (j = 0; j < t->k; j++, c->rows++) {
			c->s[c->rows] = (rm_real)number(s, j);
			c->ds[c->rows] = number(ds, j);
		}
	}
	c->groups = json_array_size(groups);
}

static void check_case(const json_t *from)
{
	struct sample c = {0};
	struct rm_loss_sums sums = {0};
	rm_real ds[64];

	fill(&c, from);
	struct rm_loss *loss = make(json_string_value(
		json_object_get(from, "spec")));
	for (size_t i = 0; i < c.groups; i++)
		assert_int_equal(rm_loss_check(loss, &c.target[i]), 0);
	assert_int_equal(rm_loss_forward(loss, c.target, c.groups, c.s, .5,
					 ds, &sums), 0);
	assert_near(sums.loss, number_of(from, "loss"), 1e-5);
	for (size_t i = 0; i < c.rows; i++)
		assert_near((double)ds[i], .5 * c.ds[i], 1e-5);
	assert_near(rm_loss_weight(loss, c.target, c.groups), sums.weight,
		    1e-12);
	rm_loss_free(loss);
}

static void test_references(void **state)
{
	json_t *cases = reference(REFERENCES, "loss"), *c;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 5);
	json_array_foreach(cases, i, c)
		check_case(c);
}

/* ---- by hand, and invariants ---- */

static void test_ties_of_rewards(void **state)
{
	struct rm_loss *loss = make("bt");
	const rm_real s[] = { 3, 3 };
	rm_real ds[2];

	(void)state;
	assert_near(loss_of(loss, pair(1), s, ds), M_LN2, 1e-15);
	assert_true(ds[0] == (rm_real)-.5 && ds[1] == (rm_real).5);
	assert_near(loss_of(loss, pair(.5), s, ds), M_LN2, 1e-15);
	assert_true(ds[0] == 0 && ds[1] == 0);
	rm_loss_free(loss);
}

/* Swap the responses and p, shift both rewards: nothing changes. */
static void test_swap_and_shift(void **state)
{
	struct rm_loss *loss = make("bt:smoothing=.05");
	const rm_real s[] = { 1.5, -.25 }, swapped[] = { -.25, 1.5 };
	const rm_real shifted[] = { 101.5, 99.75 };
	rm_real ds[2], es[2];

	(void)state;
	double l = loss_of(loss, pair(.7), s, ds);
	assert_near(loss_of(loss, pair(.3), swapped, es), l, 1e-15);
	assert_true(ds[0] == es[1] && ds[1] == es[0]);
	assert_near(loss_of(loss, pair(.7), shifted, es), l, 1e-15);
	assert_true(ds[0] == es[0] && ds[0] == -ds[1]);
	rm_loss_free(loss);
}

static void test_extremes(void **state)
{
	struct rm_loss *loss = make("bt");
	const rm_real s[] = { -1e4, 1e4 };
	rm_real ds[2];

	(void)state;
	assert_near(loss_of(loss, pair(1), s, ds), 2e4, 1e-12);
	assert_true(ds[0] == -1 && ds[1] == 1);
	assert_near(loss_of(loss, pair(0), s, ds), 0, 1e-12);
	assert_true(ds[0] == 0 && ds[1] == 0);
	rm_loss_free(loss);
}

/* k = 1, all ties, no labels: nothing to learn, no gradient, no weight. */
static void test_nothing_to_learn(void **state)
{
	struct rm_loss *loss = make("bt:center=1");
	const double tied[] = { 1, 1, 1 };
	const rm_real s[] = { 1, 2, 3 };
	struct rm_target t = { .k = 3, .p = NAN, .margin = NAN,
		.weight = NAN, .rank = tied };
	rm_real ds[] = { 9, 9, 9 };

	(void)state;
	assert_true(loss_of(loss, t, s, ds) == 0);
	assert_true(ds[0] == 0 && ds[1] == 0 && ds[2] == 0);
	assert_true(rm_loss_weight(loss, &t, 1) == 0);
	t.k = 1;
	assert_true(loss_of(loss, t, s, ds) == 0);
	t.rank = NULL;
	assert_int_equal(rm_loss_check(loss, &t), -1);
	assert_non_null(strstr(rm_error(), "neither p, rank nor score"));
	rm_loss_free(loss);
}

/* Scores say the same as ranks where there are none; NaN is left out. */
static void test_scores_as_labels(void **state)
{
	struct rm_loss *loss = make("bt");
	const double rank[] = { 1, 0, NAN }, score[] = { 2, 5, NAN };
	const rm_real s[] = { .5, .25, 7 };
	rm_real ds[3], es[3];
	struct rm_target t = { .k = 3, .p = NAN, .margin = NAN,
		.weight = NAN, .rank = rank };

	(void)state;
	double l = loss_of(loss, t, s, ds);
	t.rank = NULL;
	t.score = score;
	assert_near(loss_of(loss, t, s, es), l, 0);
	assert_memory_equal(ds, es, sizeof(ds));
	assert_true(ds[2] == 0);
	rm_loss_free(loss);
}

static void test_accuracy(void **state)
{
	struct rm_loss *loss = make("bt");
	const double rank[] = { 0, 1, 2 };
	const struct rm_target t[] = {
		pair(1), pair(.2), pair(.5), pair(.9),
		{ .k = 3, .p = NAN, .margin = NAN, .weight = NAN,
		  .rank = rank }
	};
	const rm_real s[] = { 2, 1, 2, 1, 2, 1, 1, 1, 3, 1, 2 };
	struct rm_loss_sums sums = {0};

	(void)state;
	assert_int_equal(rm_loss_forward(loss, t, 5, s, 1, NULL, &sums), 0);
	assert_true(sums.compared == 6);
	/* right, wrong, no comparison, tie, right, right, wrong */
	assert_true(sums.correct == 1 + .5 + 2);
	assert_true(sums.weight == 5);
	rm_loss_free(loss);
}

static void test_nan_is_reported(void **state)
{
	struct rm_loss *loss = make("bt");
	const struct rm_target t[] = { pair(1), pair(1) };
	const rm_real s[] = { 1, 2, (rm_real)NAN, 1 };
	const rm_real huge[] = { 1, 2, 0, (rm_real)INFINITY };
	rm_real ds[4];
	struct rm_loss_sums sums = {0};

	(void)state;
	assert_int_equal(rm_loss_forward(loss, t, 2, s, 1, ds, &sums), -1);
	assert_int_equal(sums.bad_group, 1);
	assert_string_equal(rm_error(), "the loss is NaN");
	assert_int_equal(rm_loss_forward(loss, t, 2, huge, 1, ds, &sums), -1);
	assert_string_equal(rm_error(), "the loss is infinite");
	rm_loss_free(loss);
}

static void test_refused(void **state)
{
	struct rm_loss *loss = make("bt");
	struct rm_target t = pair(1.5);
	json_t *config = rm_loss_parse("bt");

	(void)state;
	assert_int_equal(rm_loss_check(loss, &t), -1);
	assert_string_equal(rm_error(), "p is 1.5, not within 0 and 1");
	t = pair(1);
	t.weight = -1;
	assert_int_equal(rm_loss_check(loss, &t), -1);
	t.weight = INFINITY;
	assert_int_equal(rm_loss_check(loss, &t), -1);
	t.weight = 1;
	t.margin = INFINITY;
	assert_int_equal(rm_loss_check(loss, &t), -1);
	rm_loss_free(loss);
	rm_loss_free(NULL);
	assert_null(rm_loss_parse("mse"));
	assert_null(rm_loss_parse("bt:smoothing=.9"));
	assert_null(rm_loss_new(config, 2));
	assert_non_null(strstr(rm_error(), "the head has 2"));
	json_decref(config);
}

static void test_list(void **state)
{
	struct rm_buf b = {0};

	(void)state;
	rm_loss_list(&b);
	assert_non_null(strstr(rm_buf_text(&b), "bt\n"));
	assert_non_null(strstr(rm_buf_text(&b), "center=0"));
	rm_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_ties_of_rewards),
		cmocka_unit_test(test_swap_and_shift),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_nothing_to_learn),
		cmocka_unit_test(test_scores_as_labels),
		cmocka_unit_test(test_accuracy),
		cmocka_unit_test(test_nan_is_reported),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
