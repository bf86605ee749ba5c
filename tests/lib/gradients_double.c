/*
 * Every layer, activation, loss, backbone and head by central differences,
 * in the double build.  The tables are walked: a new row is checked without
 * a new test.
 */
#include "test.h"

#include "head.h"
#include "loss.h"
#include "nn.h"
#include "op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 1e-5
#define TOLERANCE 1e-6

static double random_at(uint64_t seed, size_t i)
{
	return rm_random_normal(seed, RM_RANDOM_TEST, 0, i);
}

static void compare(const char *what, size_t i, double found,
		    double expected)
{
	if (!(fabs(found - expected) <= TOLERANCE * fmax(1, fabs(expected))))
		fail_msg("%s, element %zu: gradient %.9g, differences %.9g",
			 what, i, found, expected);
}

/* (f(x + h) - f(x - h)) / 2h for the number at *x. */
static double difference(rm_real *x, double (*f)(void *), void *arg)
{
	rm_real before = *x;

	*x = before + STEP;
	double up = f(arg);
	*x = before - STEP;
	double down = f(arg);
	*x = before;
	return (up - down) / (2 * STEP);
}

/* ---- layers: sum of c y, c random, to each of up to three inputs ---- */

enum { MOST = 400, T = 5 };

struct layer {
	const char *name;
	size_t in[3], out;	/* numbers in each input, and in y */
	void (*forward)(const struct layer *l, rm_real *y, rm_real *const *x);
	/* x are the inputs, dx their gradients, to be added to. */
	void (*backward)(const struct layer *l, rm_real *const *dx,
			 const rm_real *dy, rm_real *const *x);
	size_t row;		/* of a table that the layer stands for */
};

static void linear_f(const struct layer *l, rm_real *y, rm_real *const *x)
{
	rm_linear_forward(y, x[0], x[1], x[2], T, l->in[0] / T, l->out / T);
}

static void linear_b(const struct layer *l, rm_real *const *dx,
		     const rm_real *dy, rm_real *const *x)
{
	rm_linear_backward(dx[0], dx[1], dx[2], dy, x[0], x[1], T,
			   l->in[0] / T, l->out / T);
}

static const struct rm_dropout dropout = {
	.p = .4, .seed = 1, .step = 2, .first_row = 3
};

static void dropout_f(const struct layer *l, rm_real *y, rm_real *const *x)
{
	rm_dropout_forward(y, x[0], T, l->out / T, &dropout);
}

static void dropout_b(const struct layer *l, rm_real *const *dx,
		      const rm_real *dy, rm_real *const *x)
{
	(void)x;
	rm_dropout_backward(dx[0], dy, T, l->out / T, &dropout);
}

static void activation_f(const struct layer *l, rm_real *y,
			 rm_real *const *x)
{
	rm_activations[l->row].forward(y, x[0], l->out);
}

static void activation_b(const struct layer *l, rm_real *const *dx,
			 const rm_real *dy, rm_real *const *x)
{
	rm_activations[l->row].backward(dx[0], dy, x[0], l->out);
}

static const struct layer layers[] = {
	{ "linear, one output", { T * 7, 7, 1 }, T, linear_f, linear_b, 0 },
	{ "linear", { T * 7, 9 * 7, 9 }, T * 9, linear_f, linear_b, 0 },
	{ "dropout", { T * 6 }, T * 6, dropout_f, dropout_b, 0 },
};

struct layer_check {
	const struct layer *layer;
	rm_real data[3][MOST], *x[3], c[MOST];
};

static double layer_value(void *arg)
{
	struct layer_check *k = arg;
	rm_real y[MOST];
	double sum = 0;

	k->layer->forward(k->layer, y, k->x);
	for (size_t i = 0; i < k->layer->out; i++)
		sum += k->c[i] * y[i];
	return sum;
}

static void check_layer(const struct layer *l)
{
	struct layer_check k = { .layer = l };
	rm_real grad[3][MOST], *dx[3];

	for (size_t a = 0; a < 3; a++) {
		k.x[a] = k.data[a];
		dx[a] = grad[a];
		for (size_t i = 0; i < l->in[a]; i++) {
			k.data[a][i] = random_at(a + 1, i);
			grad[a][i] = 1;
		}
	}
	for (size_t i = 0; i < l->out; i++)
		k.c[i] = random_at(9, i);
	l->backward(l, dx, k.c, k.x);
	for (size_t a = 0; a < 3; a++)
		for (size_t i = 0; i < l->in[a]; i++)
			compare(l->name, i, grad[a][i] - 1,
				difference(&k.data[a][i], layer_value, &k));
}

static void test_layers(void **state)
{
	(void)state;
	for (size_t i = 0; i < RM_COUNT(layers); i++)
		check_layer(&layers[i]);
}

static void test_activations(void **state)
{
	(void)state;
	for (size_t i = 0; rm_activations[i].name; i++) {
		struct layer l = { rm_activations[i].name, { 40 }, 40,
			activation_f, activation_b, i };
		check_layer(&l);
	}
}

/* ---- groups that every loss sees ---- */

enum { GROUPS = 6, ROWS = 2 + 2 + 2 + 2 + 4 + 3 };

static const double rank4[] = { 1, 0, 2, 1 }, score3[] = { .5, NAN, 2 };
static const double teacher4[] = { 1, 2, 0, NAN };
/* Of four responses, of heads of up to so many columns. */
enum { MOST_HEAD_COLUMNS = 8 };
static const double grade4[4 * MOST_HEAD_COLUMNS] = {
	3, NAN, 0, 1, 2, NAN, .5, -1, 0, 2, NAN, NAN, 1, .25, -2, 3,
	1, 0, 4, NAN, -1, .75, 2, 0, NAN, 1, -.5, 2, 3, 0, 1, NAN
};

static const struct rm_target targets[GROUPS] = {
	{ .k = 2, .p = 1, .margin = NAN, .weight = NAN },
	{ .k = 2, .p = .3, .margin = .5, .weight = 2 },
	{ .k = 2, .p = .5, .margin = NAN, .weight = .25 },
	{ .k = 2, .p = .9, .margin = -1, .weight = 1 },
	{ .k = 4, .p = NAN, .margin = NAN, .weight = 3, .rank = rank4,
	  .attributes = grade4, .teacher = teacher4 },
	{ .k = 3, .p = NAN, .margin = NAN, .weight = NAN, .score = score3 },
};

/*
 * Every kind with its defaults, and with options of interest where these
 * lists have some.
 */
static const char *const losses[] = {
	"bt:smoothing=.1,margin=2,center=.3",
	"allpairs:smoothing=.1,margin=2,length=.2",
	"margin-bt:margin=.5", "focal:gamma=.5,alpha=.25", "hinge:margin=.3",
	"contrastive:tau=.3", "triplet:margin=.2", "triplet:margin=5",
	"calibration:target=.9,weight=3", "uncertainty:form=gaussian",
	"distill:form=rewards", "multitask:weights=2/.5/1",
	"multitask:weights=1/.5,learned=yes,center=.1,length=1", NULL
};
static const char *const backbones[] = {
	"bag:dim=16,ngrams=1,norm=mean,tf=count",
	"bag:dim=3,ngrams=3,ngrams_min=2,norm=none,tf=binary,idf=yes,rows=64",
	NULL
};
static const char *const heads[] = {
	"linear:dropout=.3", "linear:encoding=separate",
	"mlp:hidden=5,dropout=.3,activation=tanh",
	"mlp:hidden=9,activation=silu,encoding=separate",
	"multi:objectives=a,b,dropout=.3", "multi:encoding=separate",
	"multitask:objectives=a,hidden=5,dropout=.3",
	"gated:objectives=a,b,c,hidden=5,encoding=separate,dropout=.3",
	"uncertainty:dropout=.3,encoding=separate",
	"ensemble:n=3,encoding=separate",
	"ensemble:n=2,member=mlp,hidden=4,dropout=.3",
	"calibrated:dropout=.3,encoding=separate", NULL
};

/* Call fn for all that `specs` has to offer. */
static void each(const struct rm_spec *const *specs,
		 const char *const *variants,
		 void (*fn)(const char *text, const void *arg),
		 const void *arg)
{
	for (size_t i = 0; specs[i]; i++) {
		size_t n = strlen(specs[i]->name);

		if (specs[i]->described)
			continue;
		fn(specs[i]->name, arg);
		for (size_t v = 0; variants[v]; v++)
			if (!strncmp(variants[v], specs[i]->name, n) &&
			    variants[v][n] == ':')
				fn(variants[v], arg);
	}
}

/* NULL if it wants another number of columns. */
static struct rm_loss *loss_of(const char *text, size_t K)
{
	json_t *config = rm_loss_parse(text);
	struct rm_loss_scores scores = {
		.K = K, .variance = K == 2 && strstr(text, "uncertainty")
	};
	struct rm_loss *loss = config ? rm_loss_new(config, &scores) : NULL;

	if (!loss && !(config && strstr(rm_error(), "variance")))
		fail_msg("%s", rm_error());
	json_decref(config);
	return loss;
}

/* ---- losses ---- */

/* Groups with everything that a loss can learn from, ties and gaps in it. */
enum { MADE = 24, MOST_K = 6, MOST_COLUMNS = 3 };

struct made {
	struct rm_target target[MADE];
	double label[MADE][4][MOST_K], grade[MADE][MOST_K * MOST_COLUMNS];
	size_t rows;
};

/* A whole number below n, or missing one time in six. */
static double made_label(uint64_t group, uint64_t i, uint64_t n)
{
	uint64_t at = rm_random(3, RM_RANDOM_TEST, group, i);

	return at % 6 == 0 ? NAN : (double)(at / 6 % n);
}

static void make_group(struct made *m, size_t g)
{
	double (*label)[MOST_K] = m->label[g];
	size_t k = 1 + rm_random(4, RM_RANDOM_TEST, 0, g) % MOST_K;

	for (size_t i = 0; i < MOST_K; i++) {
		label[0][i] = made_label(g, i, 3);
		label[1][i] = made_label(g, 10 + i, 5) / 2;
		label[2][i] = made_label(g, 20 + i, 50) / 10 - 2;
		label[3][i] = made_label(g, 30 + i, 400);
	}
	for (size_t i = 0; i < MOST_K * MOST_COLUMNS; i++)
		m->grade[g][i] = made_label(g, 40 + i, 5);
	m->target[g] = (struct rm_target){
		.k = k, .weight = made_label(g, 80, 3),
		.p = k == 2 ? made_label(g, 81, 11) / 10 : NAN,
		.margin = made_label(g, 82, 7) - 3,
		.rank = g % 2 ? label[0] : NULL, .score = label[1],
		.teacher = label[2], .length = label[3],
		.attributes = m->grade[g]
	};
	m->rows += k;
}

struct loss_check {
	struct rm_loss *loss;
	struct rm_params params;
	const struct rm_target *targets;
	size_t n;
	rm_real s[MADE * MOST_K * MOST_COLUMNS];
	rm_real ds[MADE * MOST_K * MOST_COLUMNS];
};

static double loss_value(void *arg)
{
	struct loss_check *k = arg;
	struct rm_loss_sums sums = {0};

	if (rm_loss_forward(k->loss, k->targets, k->n, k->s, .5, NULL,
			    &sums) < 0)
		fail_msg("%s", rm_error());
	return sums.loss;
}

/* Scores, then the parameters of the loss if it has any. */
static void compare_all(const char *text, struct loss_check *k, size_t n)
{
	struct rm_loss_sums sums = {0};

	for (size_t i = 0; i < n; i++)
		k->s[i] = random_at(1, i);
	for (size_t j = 0; k->params.n && j < k->params.param->size; j++)
		k->params.param->value[j] = random_at(2, j);
	assert_int_equal(rm_loss_forward(k->loss, k->targets, k->n, k->s, .5,
					 k->ds, &sums), 0);
	assert_true(sums.weight > 0);
	for (size_t i = 0; i < n; i++)
		compare(text, i, 2 * k->ds[i],
			difference(&k->s[i], loss_value, k));
	for (size_t j = 0; k->params.n && j < k->params.param->size; j++)
		compare("its own", j, 2 * k->params.param->grad[j],
			difference(&k->params.param->value[j], loss_value,
				   k));
}

/* Whether it takes K columns: then checked with groups made for them. */
static bool check_columns(const char *text, const struct made *made, size_t K)
{
	struct loss_check k = { .targets = made->target, .n = MADE };

	k.loss = loss_of(text, K);
	if (!k.loss)
		return false;
	assert_int_equal(rm_loss_add_params(k.loss, &k.params), 0);
	assert_int_equal(rm_params_alloc(&k.params, true), 0);
	compare_all(text, &k, made->rows * K);
	rm_params_fini(&k.params);
	rm_loss_free(k.loss);
	return true;
}

static void check_loss(const char *text, const void *made)
{
	size_t taken = 0;

	for (size_t K = 1; K <= MOST_COLUMNS; K++)
		taken += check_columns(text, made, K);
	assert_true(taken > 0);
}

static void test_losses(void **state)
{
	struct made made = {0};

	(void)state;
	for (size_t g = 0; g < MADE; g++)
		make_group(&made, g);
	each(rm_loss_specs(), losses, check_loss, &made);
}

/* ---- whole models: every backbone with every head and every loss ---- */

struct model {
	struct rm_params params;
	struct rm_backbone *backbone;
	struct rm_encoder *encoder;
	struct rm_head *head;
	struct rm_hidden *hidden;
	struct rm_loss *loss;
	struct rm_batch batch;
	rm_real dscores[ROWS * 8];
};

/* Responses of 0 to 9 tokens, of few kinds, so that n-grams repeat. */
static void fill_batch(struct model *m)
{
	int32_t ids[4][10];
	struct rm_slice r[4];
	const int32_t prompt[] = { 4, 5, 6 };
	struct rm_slice p = { (const unsigned char *)prompt, sizeof(prompt) };

	m->batch.train = true;
	m->batch.seed = 7;
	m->batch.first_leaf = 100;
	for (uint64_t g = 0; g < GROUPS; g++) {
		for (uint64_t i = 0; i < targets[g].k; i++) {
			size_t n = (g * 4 + i * 3) % 10;
			for (size_t j = 0; j < n; j++)
				ids[i][j] = (int32_t)(rm_random(
					g, RM_RANDOM_TEST, i, j) % 4);
			r[i] = (struct rm_slice){
				(const unsigned char *)ids[i],
				n * sizeof(int32_t)
			};
		}
		assert_int_equal(rm_batch_add(&m->batch, p, r, targets[g].k,
					      m->encoder->prompt), 0);
	}
}

static const rm_real *scores_of(struct model *m)
{
	const rm_real *s = NULL;

	m->hidden = rm_encoder_forward(m->encoder, &m->batch);
	if (m->hidden)
		s = rm_head_forward(m->head, &m->batch, m->hidden);
	if (!s)
		fail_msg("%s", rm_error());
	return s;
}

static double model_value(void *arg)
{
	struct model *m = arg;
	struct rm_loss_sums sums = {0};

	if (rm_loss_forward(m->loss, targets, GROUPS, scores_of(m), 1, NULL,
			    &sums) < 0)
		fail_msg("%s", rm_error());
	return sums.loss;
}

static void model_backward(struct model *m)
{
	struct rm_loss_sums sums = {0};

	assert_int_equal(rm_loss_forward(m->loss, targets, GROUPS,
					 scores_of(m), 1, m->dscores,
					 &sums), 0);
	assert_int_equal(rm_head_backward(m->head, &m->batch, m->hidden,
					  m->dscores), 0);
	assert_int_equal(rm_encoder_backward(m->encoder, &m->batch), 0);
}

/* Rows that were touched against their differences; some others are 0. */
static void check_rows(struct model *m, struct rm_param *p, const char *name)
{
	size_t dim = p->rows->dim, touched = 0;

	for (size_t r = 0; r < p->rows->n_rows; r++) {
		const rm_real *g = rm_sparse_find(p->rows, (uint32_t)r);
		touched += g != NULL;
		if (!g && r >= 64)
			continue;
		for (size_t j = 0; j < dim; j++)
			compare(name, r * dim + j, g ? g[j] : 0,
				difference(
					&p->value[r * dim + j], model_value,
					m) / p->scale);
	}
	assert_true(touched > 0);
}

static void check_params(struct model *m, const char *what)
{
	char name[512];

	for (size_t i = 0; i < m->params.n; i++) {
		struct rm_param *p = &m->params.param[i];
		snprintf(name, sizeof(name), "%s %s", what, p->name);
		if (p->rows)
			check_rows(m, p, name);
		for (size_t j = 0; p->grad && j < p->size; j++)
			compare(name, j, p->grad[j],
				difference(&p->value[j], model_value, m));
	}
}

/* Zeros would hide errors: every parameter gets numbers of its own. */
static void randomise(struct rm_params *params)
{
	for (size_t i = 0; i < params->n; i++) {
		struct rm_param *p = &params->param[i];
		for (size_t j = 0; j < p->size; j++)
			p->value[j] = .5 * random_at(i + 20, j) +
				(p->trainable ? 0 : 2);
		if (p->rows)
			p->scale = .75;
	}
}

struct combination {
	const char *backbone, *head;
};

static void check_model(const char *text, const void *arg)
{
	const struct combination *c = arg;
	struct rm_encoder_options how;
	struct model m = {0};
	char what[256];

	json_t *backbone = rm_backbone_parse(c->backbone);
	json_t *head = rm_head_parse(c->head);
	assert_non_null(backbone);
	assert_non_null(head);
	m.backbone = rm_backbone_new(backbone, 256, &m.params);
	assert_non_null(m.backbone);
	if (rm_head_encoding(head, &how) < 0)
		fail_msg("%s", rm_error());
	m.encoder = rm_encoder_new(&how, m.backbone, &m.params);
	if (!m.encoder && !strstr(rm_error(), "backbone bag"))
		fail_msg("%s: %s", c->head, rm_error());
	if (!m.encoder)
		goto done;
	m.head = rm_head_new(head, m.encoder, &m.params);
	if (!m.head)
		fail_msg("%s", rm_error());
	assert_true(m.head->columns <= MOST_HEAD_COLUMNS);
	m.loss = loss_of(text, m.head->columns);
	if (!m.loss)
		goto done;
	assert_int_equal(rm_loss_add_params(m.loss, &m.params), 0);
	assert_int_equal(rm_params_alloc(&m.params, true), 0);
	randomise(&m.params);
	fill_batch(&m);
	model_backward(&m);
	snprintf(what, sizeof(what), "%s, %s, %s:", c->backbone, c->head,
		 text);
	check_params(&m, what);
done:
	rm_batch_fini(&m.batch);
	rm_loss_free(m.loss);
	rm_head_free(m.head);
	rm_encoder_free(m.encoder);
	rm_backbone_free(m.backbone);
	rm_params_fini(&m.params);
	json_decref(backbone);
	json_decref(head);
}

/* A loss sees scores alone: options of the others need no more than one. */
static void with_head(const char *head, const void *arg)
{
	const struct combination c = { arg, head };

	if (strchr(c.backbone, ':') || strchr(head, ':')) {
		check_model("bt", &c);
		return;
	}
	for (size_t i = 0; rm_loss_specs()[i]; i++)
		check_model(rm_loss_specs()[i]->name, &c);
	check_model("multitask:learned=yes", &c);
}

static void with_backbone(const char *backbone, const void *arg)
{
	(void)arg;
	for (size_t i = 0; rm_head_specs()[i]; i++)
		if (!rm_head_specs()[i]->described)
			with_head(rm_head_specs()[i]->name, backbone);
}

/* Each with each by its defaults; options of backbones, then of heads. */
static void test_models(void **state)
{
	(void)state;
	each(rm_backbone_specs(), backbones, with_backbone, NULL);
}

static void test_heads(void **state)
{
	(void)state;
	each(rm_head_specs(), heads, with_head, "bag:dim=3,ngrams=2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_activations),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
