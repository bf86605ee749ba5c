#include "test.h"

#include "loss.h"
#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCES "tests/data/numerics.json"

/* NULL where the loss wants another number of columns. */
static struct rm_loss *make_for(const char *spec, size_t K)
{
	json_t *config = rm_loss_parse(spec);

	if (!config)
		fail_msg("%s", rm_error());
	struct rm_loss *loss = rm_loss_new(config,
		&(struct rm_loss_scores){ .K = K, .variance = K == 2 &&
			strstr(spec, "uncertainty") });
	if (!loss && !strstr(rm_error(), "variance"))
		fail_msg("%s", rm_error());
	json_decref(config);
	return loss;
}

static struct rm_loss *make(const char *spec)
{
	struct rm_loss *loss = make_for(spec, 1);

	assert_non_null(loss);
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

/* Copies of a case's groups; at most 8 groups of 8 numbers, or of 8 by 3. */
struct sample {
	size_t groups, n;
	struct rm_target target[8];
	double label[8][5][24];
	rm_real s[192];
	double ds[192];
};

/* An array of the group into `to`, null as NaN; NULL if there is none. */
static const double *copy(const json_t *group, const char *key, double *to)
{
	json_t *array = json_object_get(group, key), *x;
	size_t i;

	json_array_foreach(array, i, x)
		to[i] = json_is_number(x) ? json_number_value(x) : NAN;
	return array ? to : NULL;
}

static void fill(struct sample *c, const json_t *from)
{
	json_t *groups = json_object_get(from, "groups"), *g;
	size_t i, j;

	json_array_foreach(groups, i, g) {
		double (*label)[24] = c->label[i];
		c->target[i] = (struct rm_target){
			.k = (size_t)number_of(g, "k"),
			.p = number_of(g, "p"),
			.margin = number_of(g, "margin"),
			.weight = number_of(g, "weight"),
			.rank = copy(g, "rank", label[0]),
			.score = copy(g, "score", label[1]),
			.teacher = copy(g, "teacher", label[2]),
			.attributes = copy(g, "attributes", label[3]),
			.length = copy(g, "length", label[4])
		};
		const json_t *s = json_array_get(
			json_object_get(from, "scores"), i);
		const json_t *ds = json_array_get(
			json_object_get(from, "grad"), i);
		for (j = 0; j < json_array_size(s); j++, c->n++) {
			c->s[c->n] = (rm_real)number(s, j);
			c->ds[c->n] = number(ds, j);
		}
	}
	c->groups = json_array_size(groups);
}

/* The parameters of the loss itself, if the case has any. */
static void set_own(struct rm_loss *loss, struct rm_params *params,
		    const json_t *from)
{
	const json_t *own = json_object_get(from, "own");

	assert_int_equal(rm_loss_add_params(loss, params), 0);
	assert_int_equal(rm_params_alloc(params, true), 0);
	assert_int_equal(params->n, own != NULL);
	for (size_t i = 0; i < json_array_size(own); i++)
		params->param->value[i] = (rm_real)number(own, i);
}

static void check_case(const json_t *from)
{
	struct sample c = {0};
	struct rm_params params = {0};
	struct rm_loss_sums sums = {0};
	rm_real ds[192];
	const json_t *K = json_object_get(from, "K");
	const json_t *own = json_object_get(from, "own_grad");

	fill(&c, from);
	struct rm_loss *loss = make_for(json_string_value(
		json_object_get(from, "spec")),
		K ? (size_t)json_integer_value(K) : 1);
	assert_non_null(loss);
	set_own(loss, &params, from);
	for (size_t i = 0; i < c.groups; i++)
		assert_int_equal(rm_loss_check(loss, &c.target[i]), 0);
	assert_int_equal(rm_loss_forward(loss, c.target, c.groups, c.s, .5,
					 ds, &sums), 0);
	assert_near(sums.loss, number_of(from, "loss"), 1e-5);
	for (size_t i = 0; i < c.n; i++)
		assert_near((double)ds[i], .5 * c.ds[i], 1e-5);
	for (size_t i = 0; i < json_array_size(own); i++)
		assert_near((double)params.param->grad[i],
			    .5 * number(own, i), 1e-5);
	assert_near(rm_loss_weight(loss, c.target, c.groups), sums.weight,
		    1e-12);
	rm_params_fini(&params);
	rm_loss_free(loss);
}

static bool named(const json_t *cases, const char *name)
{
	size_t i, n = strlen(name);
	json_t *c;

	json_array_foreach(cases, i, c) {
		const char *spec = json_string_value(
			json_object_get(c, "spec"));
		if (!strncmp(spec, name, n) && (!spec[n] || spec[n] == ':'))
			return true;
	}
	return false;
}

/* Every case, and every kind has one. */
static void test_references(void **state)
{
	json_t *cases = reference(REFERENCES, "loss"), *c;
	json_t *more = reference(REFERENCES, "group_loss");
	size_t i;

	(void)state;
	json_array_foreach(cases, i, c)
		check_case(c);
	json_array_foreach(more, i, c)
		check_case(c);
	for (i = 0; rm_loss_specs()[i]; i++) {
		const char *name = rm_loss_specs()[i]->name;
		if (!named(cases, name) && !named(more, name))
			fail_msg("%s has no figures of PyTorch", name);
	}
}

/* ---- what holds for every kind ---- */

enum { COLUMNS = 3 };

/* A list that every kind learns from; the last response has no label. */
static const double all_rank[] = { 1, 0, 2, 1, NAN };
static const double all_score[] = { 2, 3.5, 1, 2, NAN };
static const double all_teacher[] = { .5, 3, -1, 0, NAN };
static const double all_grades[COLUMNS][5 * COLUMNS] = {
	{ 1, 3, 0, 2, NAN },
	{ 1, 3, 0, 2, NAN, 4, 0, NAN, NAN, NAN },
	{ 1, 3, 0, 2, NAN, 4, 0, 0, 1, 3, 2, NAN, NAN, NAN, NAN }
};
static const double all_length[] = { 30, 0, 400, 7, NAN };
static const rm_real some_scores[5 * COLUMNS] = {
	.5, -1, 2, 1.25, .75, 0, -.5, 1.5, -2, .25, -.25, 1, 3, 1, 4
};

static struct rm_target everything(size_t K)
{
	return (struct rm_target){
		.k = 5, .p = NAN, .margin = NAN, .weight = 2,
		.rank = all_rank, .score = all_score,
		.teacher = all_teacher, .attributes = all_grades[K - 1],
		.length = all_length
	};
}

/* fn(loss, K) for every kind and number of columns that it takes. */
static void each_loss(void (*fn)(const struct rm_loss *loss, size_t K,
				 const char *name))
{
	for (size_t i = 0; rm_loss_specs()[i]; i++) {
		const char *name = rm_loss_specs()[i]->name;
		char spec[64];
		size_t taken = 0;

		snprintf(spec, sizeof(spec), "%s:length=.5", name);
		for (size_t K = 1; K <= COLUMNS; K++) {
			struct rm_loss *loss = make_for(spec, K);

			if (!loss)
				continue;
			fn(loss, K, name);
			rm_loss_free(loss);
			taken++;
		}
		assert_true(taken > 0);
	}
}

/* Turn the order of the responses round, with all that is known of them. */
static void turn(double *to, const double *from, size_t K)
{
	for (size_t i = 0; i < 5; i++)
		memcpy(to + (4 - i) * K, from + i * K, K * sizeof(*to));
}

static void check_turned(const struct rm_loss *loss, size_t K,
			 const char *name)
{
	struct rm_target t = everything(K);
	double rank[5], score[5], teacher[5], length[5], grades[5 * COLUMNS];
	rm_real s[5 * COLUMNS], ds[5 * COLUMNS], es[5 * COLUMNS];
	double l = loss_of(loss, t, some_scores, ds);

	(void)name;
	turn(rank, all_rank, 1);
	turn(score, all_score, 1);
	turn(teacher, all_teacher, 1);
	turn(length, all_length, 1);
	turn(grades, all_grades[K - 1], K);
	for (size_t i = 0; i < 5 * K; i++)
		s[i] = some_scores[(4 - i / K) * K + i % K];
	t.rank = rank;
	t.score = score;
	t.teacher = teacher;
	t.length = length;
	t.attributes = grades;
	assert_true(l > 0);
	assert_near(loss_of(loss, t, s, es), l, 1e-12);
	for (size_t i = 0; i < 5 * K; i++)
		assert_near((double)es[i],
			    (double)ds[(4 - i / K) * K + i % K], 1e-6);
}

static void test_order_of_responses(void **state)
{
	(void)state;
	each_loss(check_turned);
}

/* A pair the other way round is the same pair. */
static void check_swapped(const struct rm_loss *loss, size_t K,
			  const char *name)
{
	const double there[] = { 1, -2, 0, 4, 1, 2 };
	double back[6];
	rm_real s[6], ds[6], es[6];
	struct rm_target t = {
		.k = 2, .p = .7, .margin = 1.5, .weight = NAN,
		.teacher = there, .attributes = there
	};

	(void)name;
	if (rm_loss_weight(loss, &t, 1) == 0)
		return;
	double l = loss_of(loss, t, some_scores, ds);
	for (size_t i = 0; i < 2 * K; i++) {
		s[i] = some_scores[(i + K) % (2 * K)];
		back[i] = there[(i + K) % (2 * K)];
	}
	t.attributes = back;
	const double teacher[] = { there[1], there[0] };
	t.teacher = teacher;
	t.p = .3;
	t.margin = -1.5;
	assert_near(loss_of(loss, t, s, es), l, 1e-12);
	for (size_t i = 0; i < 2 * K; i++)
		assert_near((double)es[i], (double)ds[(i + K) % (2 * K)],
			    1e-6);
}

static void test_swapped_pair(void **state)
{
	(void)state;
	each_loss(check_swapped);
}

/* Rewards have no zero, but for grades. */
static void check_shift(const struct rm_loss *loss, size_t K,
			const char *name)
{
	rm_real s[5 * COLUMNS], ds[5 * COLUMNS];
	double sum = 0, l = loss_of(loss, everything(K), some_scores, ds);
	bool shifts = strcmp(name, "regression") && strcmp(name, "multitask");

	for (size_t i = 0; i < 5 * K; i++)
		s[i] = some_scores[i] + (i % K == 0 ? 64 : 0);
	for (size_t i = 0; i < 5; i++)
		sum += (double)ds[i * K];
	assert_int_equal(fabs(sum) < 1e-6, shifts);
	double moved = loss_of(loss, everything(K), s, NULL);
	assert_int_equal(fabs(moved - l) < 1e-9, shifts);
}

static void test_shift(void **state)
{
	(void)state;
	each_loss(check_shift);
}

/* Of a response without labels neither score nor place matters. */
static void check_missing(const struct rm_loss *loss, size_t K,
			  const char *name)
{
	rm_real s[5 * COLUMNS], ds[5 * COLUMNS];
	double l = loss_of(loss, everything(K), some_scores, ds);

	(void)name;
	for (size_t i = 0; i < 5 * K; i++)
		s[i] = i < 4 * K ? some_scores[i] : -9;
	for (size_t i = 4 * K; i < 5 * K; i++)
		assert_true(ds[i] == 0);
	assert_true(loss_of(loss, everything(K), s, NULL) == l);
	struct rm_target t = everything(K);
	t.k = 4;
	assert_near(loss_of(loss, t, some_scores, NULL), l, 1e-12);
}

static void test_missing_labels(void **state)
{
	(void)state;
	each_loss(check_missing);
}

/* Whatever the scores: a finite loss, finite gradients. */
static void check_extremes(const struct rm_loss *loss, size_t K,
			   const char *name)
{
	const struct rm_target list = everything(K);
	const struct rm_target two = {
		.k = 2, .p = .25, .margin = 1, .weight = NAN,
		.teacher = all_score, .attributes = all_grades[K - 1],
		.length = all_length
	};
	rm_real s[5 * COLUMNS], ds[5 * COLUMNS];

	for (unsigned signs = 0; signs < 1u << 5 * K;
	     signs += 2 * (unsigned)(K * K) - 1) {
		for (size_t i = 0; i < 5 * K; i++)
			s[i] = signs >> i & 1 ? 1e4f : -1e4f;
		for (int pairs = 0; pairs < 2; pairs++) {
			double l = loss_of(loss, pairs ? two : list, s, ds);
			assert_true(isfinite(l) && l >= 0);
			for (size_t i = 0; i < (pairs ? 2 : 5) * K; i++)
				if (!isfinite(ds[i]))
					fail_msg("%s: gradient %g", name,
						 (double)ds[i]);
		}
	}
}

static void test_extremes(void **state)
{
	(void)state;
	each_loss(check_extremes);
}

/* All equal, or all unknown: no weight, no loss, no gradient. */
static void check_barren(const struct rm_loss *loss, size_t K,
			 const char *name)
{
	const double equal[] = { 1, 1, 1, 1, 1 };
	double unknown[5 * COLUMNS];
	struct rm_target t = everything(K);
	rm_real ds[5 * COLUMNS];

	(void)name;
	for (size_t i = 0; i < RM_COUNT(unknown); i++)
		unknown[i] = NAN;
	t.rank = equal;
	t.score = t.teacher = t.attributes = unknown;
	for (int times = 0; times < 2; times++) {
		ds[0] = 9;
		assert_true(rm_loss_weight(loss, &t, 1) == 0);
		assert_true(loss_of(loss, t, some_scores, ds) == 0);
		for (size_t i = 0; i < 5 * K; i++)
			assert_true(ds[i] == 0);
		t.rank = unknown;
	}
}

static void test_nothing_to_learn(void **state)
{
	(void)state;
	each_loss(check_barren);
}

/* One response is graded or it teaches nothing. */
static void check_alone(const struct rm_loss *loss, size_t K,
			const char *name)
{
	struct rm_target t = everything(K);
	rm_real ds[COLUMNS];
	double l;

	t.k = 1;
	l = loss_of(loss, t, some_scores, ds);
	assert_int_equal(l > 0, !strcmp(name, "regression") ||
			 !strcmp(name, "multitask"));
	assert_int_equal(l > 0, rm_loss_weight(loss, &t, 1) > 0);
}

static void test_one_response(void **state)
{
	(void)state;
	each_loss(check_alone);
}

/* A target with nothing is refused, with the tool that would help. */
static void check_bare(const struct rm_loss *loss, size_t K,
		       const char *name)
{
	const double negative[] = { 1, 2, -1, 1, 1 };
	struct rm_target t = {
		.k = 3, .p = NAN, .margin = NAN, .weight = NAN,
		.length = all_length
	};

	assert_int_equal(rm_loss_check(loss, &t), -1);
	if (!strstr(rm_error(), "; rm-"))
		fail_msg("%s: %s", name, rm_error());
	t = everything(K);
	assert_int_equal(rm_loss_check(loss, &t), 0);
	t.length = negative;
	assert_int_equal(rm_loss_check(loss, &t), -1);
	assert_string_equal(rm_error(), "the length of response 2 is -1");
	t.length = NULL;
	assert_int_equal(rm_loss_check(loss, &t), -1);
	assert_non_null(strstr(rm_error(), "no length"));
}

static void test_refused_by_name(void **state)
{
	(void)state;
	each_loss(check_bare);
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

static void test_far_apart(void **state)
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

/* Of a pair these are all one, and so are these with their options. */
static void test_same_of_a_pair(void **state)
{
	static const char *const same[] = {
		"allpairs", "ranking", "plackett-luce", "contrastive",
		"focal:gamma=0", "calibration:weight=0"
	};
	const rm_real s[] = { .5, 1.25 };
	struct rm_loss *bt = make("bt");
	rm_real ds[2], es[2];

	(void)state;
	double l = loss_of(bt, pair(.7), s, ds);
	for (size_t i = 0; i < RM_COUNT(same); i++) {
		struct rm_loss *loss = make(same[i]);
		assert_near(loss_of(loss, pair(.7), s, es), l, 1e-12);
		assert_near((double)es[0], (double)ds[0], 1e-6);
		assert_near((double)es[1], (double)ds[1], 1e-6);
		rm_loss_free(loss);
	}
	rm_loss_free(bt);
}

/* Rewards and temperature in another unit. */
static void test_temperature(void **state)
{
	struct rm_loss *one = make("contrastive");
	struct rm_loss *four = make("contrastive:tau=4");
	rm_real s[5];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		s[i] = 4 * some_scores[i];
	assert_near(loss_of(four, everything(1), s, NULL),
		    loss_of(one, everything(1), some_scores, NULL), 1e-12);
	rm_loss_free(one);
	rm_loss_free(four);
}

/* What rm-train(1) warns of: the worst on top is as good. */
static void test_triplet_is_blind(void **state)
{
	struct rm_loss *loss = make("triplet");
	const double rank[] = { 0, 1, 2 };
	const rm_real s[] = { 3, 2.5, .25 }, mirrored[] = { -3, -2.5, -.25 };
	const struct rm_target t = { .k = 3, .p = NAN, .margin = NAN,
		.weight = NAN, .rank = rank };

	(void)state;
	assert_true(loss_of(loss, t, s, NULL) == 0);
	assert_true(loss_of(loss, t, mirrored, NULL) == 0);
	rm_loss_free(loss);
}

/* Likewise: a lost pair costs less when both are less certain. */
static void test_uncertainty_evades(void **state)
{
	struct rm_loss *loss = make_for("uncertainty", 2);
	const rm_real sure[] = { 0, 1, 2, 1 }, unsure[] = { 0, 9, 2, 9 };

	(void)state;
	assert_true(loss_of(loss, pair(1), unsure, NULL) <
		    .2 * loss_of(loss, pair(1), sure, NULL));
	rm_loss_free(loss);
}

/* A step in two calls is the step in one, the loss's own gradient too. */
static void test_cut(void **state)
{
	struct rm_loss *loss = make_for("multitask:learned=yes", COLUMNS);
	struct rm_target t[] = { everything(COLUMNS), pair(.8) };
	struct rm_params params = {0};
	struct rm_loss_sums whole = {0}, parts = {0};
	rm_real s[7 * COLUMNS], ds[7 * COLUMNS], own[1 + COLUMNS];
	size_t first = 5 * COLUMNS;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(s); i++)
		s[i] = some_scores[i % RM_COUNT(some_scores)];
	assert_int_equal(rm_loss_forward(loss, t, 2, s, 1, ds, &whole), -1);
	assert_string_equal(rm_error(), "loss.log_variance is not in the "
			    "table of parameters");
	assert_int_equal(rm_loss_add_params(loss, &params), 0);
	assert_int_equal(rm_params_alloc(&params, true), 0);
	rm_real *grad = params.param->grad;
	assert_int_equal(rm_loss_forward(loss, t, 2, s, 1, ds, &whole), 0);
	memcpy(own, grad, sizeof(own));
	rm_params_zero_grad(&params);
	assert_int_equal(rm_loss_forward(loss, t, 1, s, 1, ds, &parts), 0);
	assert_int_equal(rm_loss_forward(loss, t + 1, 1, s + first, 1,
					 ds + first, &parts), 0);
	assert_memory_equal(own, grad, sizeof(own));
	assert_true(own[0] != 0 && own[3] != 0);
	assert_true(whole.loss == parts.loss);
	/* Without gradients nothing is added. */
	assert_int_equal(rm_loss_forward(loss, t, 2, s, 1, NULL, &whole), 0);
	assert_memory_equal(own, grad, sizeof(own));
	rm_params_fini(&params);
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
	assert_null(rm_loss_new(config, &(struct rm_loss_scores){
		.K = 2, .variance = true }));
	assert_non_null(strstr(rm_error(), "says nothing of the head's"));
	json_decref(config);
}

/* The loss of an ensemble is the mean of its members'; column 0 is theirs. */
static void test_members(void **state)
{
	const rm_real s[] = { 9, 1, -2, -9, 2, .5 };
	const rm_real first[] = { 1, 2 }, second[] = { -2, .5 };
	rm_real ds[6], alone[2][2];
	json_t *config = rm_loss_parse("bt:smoothing=.1");
	struct rm_loss *one = make("bt:smoothing=.1");
	struct rm_loss *two = rm_loss_new(config,
		&(struct rm_loss_scores){ .K = 3, .members = 2 });
	double a, b, both;

	(void)state;
	assert_non_null(two);
	both = loss_of(two, pair(.8), s, ds);
	a = loss_of(one, pair(.8), first, alone[0]);
	b = loss_of(one, pair(.8), second, alone[1]);
	assert_true(fabs(both - (a + b) / 2) < 1e-7);
	for (size_t i = 0; i < 2; i++) {
		assert_true(ds[3 * i] == 0);
		for (size_t m = 0; m < 2; m++)
			assert_true(fabs((double)(ds[3 * i + 1 + m] -
						  alone[m][i] / 2)) < 1e-7);
	}
	rm_loss_free(one);
	rm_loss_free(two);
	json_decref(config);
}

static void test_wants(void **state)
{
	struct rm_loss_wants w;
	json_t *config = rm_loss_parse("plackett-luce:length=.1");

	(void)state;
	assert_int_equal(rm_loss_wants(config, &w), 0);
	assert_true(w.groups && w.preference && w.length);
	assert_false(w.teacher || w.score || w.grades);
	json_decref(config);
	config = rm_loss_parse("scaled-bt");
	assert_int_equal(rm_loss_wants(config, &w), 0);
	assert_true(w.score && !w.groups && !w.grades && !w.length);
	json_decref(config);
}

static void test_list(void **state)
{
	struct rm_buf b = {0};

	(void)state;
	rm_loss_list(&b);
	for (size_t i = 0; rm_loss_specs()[i]; i++) {
		/* A formula has its source, which has a year. */
		const char *help = rm_loss_specs()[i]->help;
		assert_non_null(strstr(rm_buf_text(&b),
				       rm_loss_specs()[i]->name));
		if (!strstr(help, " 19") && !strstr(help, " 20"))
			fail_msg("%s names no source", help);
	}
	assert_non_null(strstr(rm_buf_text(&b), "center=0"));
	rm_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_order_of_responses),
		cmocka_unit_test(test_swapped_pair),
		cmocka_unit_test(test_shift),
		cmocka_unit_test(test_missing_labels),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_nothing_to_learn),
		cmocka_unit_test(test_one_response),
		cmocka_unit_test(test_refused_by_name),
		cmocka_unit_test(test_ties_of_rewards),
		cmocka_unit_test(test_swap_and_shift),
		cmocka_unit_test(test_far_apart),
		cmocka_unit_test(test_same_of_a_pair),
		cmocka_unit_test(test_temperature),
		cmocka_unit_test(test_triplet_is_blind),
		cmocka_unit_test(test_uncertainty_evades),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_scores_as_labels),
		cmocka_unit_test(test_accuracy),
		cmocka_unit_test(test_nan_is_reported),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_wants),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
