#include "attack.h"
#include "op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NORM_INF, NORM_L2 };
enum { TOKENS_RESPONSE, TOKENS_ALL };

static const char *const norm_names[] = { "inf", "l2", NULL };
static const char *const token_names[] = { "response", "all", NULL };

struct options {
	struct rm_numbers eps;
	size_t steps, norm, tokens, seed;
	double alpha;
	bool random_start;
};

#define KEY_EPS \
	RM_KEY_LIST("eps", struct options, eps, 0, 1e6, "0.01", \
		    "how far a text's rows may move, ascending")
#define KEYS_BOTH \
	RM_KEY_CHOICE("norm", struct options, norm, norm_names, "inf", \
		      "each number moves by at most eps; or all of a text " \
		      "together, in Euclidean length"), \
	RM_KEY_CHOICE("tokens", struct options, tokens, token_names, \
		      "response", "whose rows move: the response's; or the " \
		      "prompt's as well, for each response by itself"), \
	RM_KEY_END

static const struct rm_key fgsm_keys[] = { KEY_EPS, KEYS_BOTH };

static const struct rm_key pgd_keys[] = {
	KEY_EPS,
	RM_KEY_SIZE("steps", struct options, steps, 1, 100000, "10",
		    "steps, of which the last counts"),
	RM_KEY_DOUBLE("alpha", struct options, alpha, 0, 1e6, "0",
		      "length of a step; 0: 2.5 eps / steps"),
	RM_KEY_FLAG("random_start", struct options, random_start, "no",
		    "begin at random in the ball, not at the text itself"),
	RM_KEY_SIZE("seed", struct options, seed, 0, 1e15, "1",
		    "of random_start"),
	KEYS_BOTH
};

static const struct rm_spec fgsm = {
	"fgsm", "fast gradient sign method: one step of length eps along the "
	"sign of the gradient (Goodfellow et al. 2015); with norm=l2 along "
	"the gradient (Miyato et al. 2017)", fgsm_keys, false
};

static const struct rm_spec pgd = {
	"pgd", "projected gradient descent: steps along the sign of the "
	"gradient (norm=l2: along the gradient), each brought back to within "
	"eps of the text (Madry et al. 2018)", pgd_keys, false
};

static const struct rm_spec *const specs[] = { &fgsm, &pgd, NULL };

/* A record that waits: its leaves, and in a->label their labels. */
struct group {
	size_t first, k;
	double p;		/* of a pair; NaN: labels say */
};

struct rm_attack {
	struct options o;
	struct rm_model *model;
	size_t column;
	bool single;		/* fgsm: one step, of length eps */

	/* Fields of the input. */
	bool pairs;
	int rank, score, p;

	struct group *group;
	size_t n_groups, cap_groups;
	double *label;		/* [leaves] larger is better; NaN: none */
	size_t cap_label;

	/* Of one batch. */
	struct rm_inputs inputs;
	size_t *leaf_of;	/* [segments] that it is attacked for */
	size_t *at;		/* [leaves] rows met so far */
	double *size;		/* [leaves] a norm, or its square */
	rm_real *slope;		/* [leaves, K] */
	double *reward;		/* [eps, leaves] */
	size_t cap_leaf_of, cap_at, cap_size, cap_slope, cap_reward;
};

/* ---- options ---- */

static int fill(const json_t *config, struct options *o)
{
	int i = rm_spec_find("attack", specs, config);

	*o = (struct options){ .steps = 1 };
	if (i < 0 || rm_spec_fill("attack", specs[i], config, o) < 0)
		return -1;
	for (size_t e = 1; e < o->eps.n; e++)
		if (!(o->eps.x[e] > o->eps.x[e - 1]))
			return rm_fail("attack %s: eps does not go up from "
				       "%g to %g", specs[i]->name,
				       o->eps.x[e - 1], o->eps.x[e]);
	return 0;
}

json_t *rm_attack_parse(const char *text)
{
	json_t *config = rm_spec_parse("attack", specs, text);
	struct options o;

	if (config && fill(config, &o) == 0)
		return config;
	json_decref(config);
	return NULL;
}

void rm_attack_list(struct rm_buf *out)
{
	rm_spec_list(out, specs);
}

struct rm_attack *rm_attack_new(const json_t *config, struct rm_model *m,
				size_t column)
{
	struct rm_attack *a = rm_calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->model = m;
	a->column = column;
	a->rank = a->score = a->p = -1;
	if (fill(config, &a->o) < 0) {
		rm_attack_free(a);
		return NULL;
	}
	a->single = specs[rm_spec_find("attack", specs, config)] == &fgsm;
	m->backbone->wants_inputs = true;
	m->head->o.dropout = 0;
	return a;
}

void rm_attack_free(struct rm_attack *a)
{
	if (!a)
		return;
	rm_inputs_fini(&a->inputs);
	free(a->group);
	free(a->label);
	free(a->leaf_of);
	free(a->at);
	free(a->size);
	free(a->slope);
	free(a->reward);
	free(a);
}

const struct rm_numbers *rm_attack_eps(const struct rm_attack *a)
{
	return &a->o.eps;
}

/* ---- what is attacked ---- */

int rm_attack_labels(struct rm_attack *a, const struct rm_schema *schema,
		     bool pairs)
{
	a->pairs = pairs;
	a->rank = rm_schema_find(schema, "rank");
	a->score = rm_schema_find(schema, "score");
	a->p = rm_schema_find(schema, "p");
	if (pairs || a->rank >= 0 || a->score >= 0 || a->p >= 0)
		return 0;
	return rm_fail("no field rank, score or p: an attack needs to know "
		       "which response is preferred");
}

/* As rm-eval takes it: its field, else what ranks of a pair say, else 1. */
static int read_p(const struct rm_attack *a, const struct rm_record *rec,
		  double *p)
{
	double first, second;

	*p = rec->k == 2 ? rm_record_f64(rec, a->p) : (double)NAN;
	if (!isnan(*p))
		return *p >= 0 && *p <= 1 ? 0 :
		       rm_fail("field p: %g is not within 0 and 1", *p);
	if (!a->pairs)
		return 0;
	if (rec->k != 2)
		return rm_fail("%zu responses in a stream of pairs", rec->k);
	first = rm_record_f64_at(rec, a->rank, 0);
	second = rm_record_f64_at(rec, a->rank, 1);
	*p = isnan(first) || isnan(second) || first < second ? 1 :
		first > second ? 0 : .5;
	return 0;
}

/* Each response by itself, where its prompt is to move with it alone. */
static int add_leaves(const struct rm_attack *a, struct rm_batch *batch,
		      struct rm_slice prompt,
		      const struct rm_slice *responses, size_t k)
{
	if (a->o.tokens != TOKENS_ALL)
		return rm_batch_add(batch, prompt, responses, k,
				    a->model->prompt);
	for (size_t i = 0; i < k; i++)
		if (rm_batch_add(batch, prompt, responses + i, 1,
				 a->model->prompt) < 0)
			return -1;
	return 0;
}

int rm_attack_add(struct rm_attack *a, struct rm_batch *batch,
		  const struct rm_record *rec, struct rm_slice prompt,
		  const struct rm_slice *responses)
{
	struct group g = { .first = batch->n_leaves, .k = rec->k };

	if (read_p(a, rec, &g.p) < 0 ||
	    rm_grow(&a->group, &a->cap_groups, a->n_groups + 1,
		    sizeof(*a->group)) < 0 ||
	    rm_grow(&a->label, &a->cap_label, g.first + g.k,
		    sizeof(*a->label)) < 0 ||
	    add_leaves(a, batch, prompt, responses, g.k) < 0)
		return -1;
	for (size_t i = 0; i < g.k; i++) {
		double rank = -rm_record_f64_at(rec, a->rank, i);

		a->label[g.first + i] = isnan(rank) ?
			rm_record_f64_at(rec, a->score, i) : rank;
	}
	a->group[a->n_groups++] = g;
	return 0;
}

void rm_attack_clear(struct rm_attack *a)
{
	a->n_groups = 0;
}

/* Whose each row is: rows of others become nobody's. */
static void find_owners(struct rm_attack *a, const struct rm_batch *batch)
{
	struct rm_inputs *x = &a->inputs;
	bool all = a->o.tokens == TOKENS_ALL;

	for (size_t i = 0; i < batch->n_segments; i++)
		a->leaf_of[i] = RM_NO_PARENT;
	for (size_t i = 0; i < batch->n_leaves; i++) {
		size_t parent = batch->segment[batch->leaf[i]].parent;

		a->leaf_of[batch->leaf[i]] = i;
		if (all && parent != RM_NO_PARENT)
			a->leaf_of[parent] = i;
		if (all && batch->apart[i] != RM_NO_PARENT)
			a->leaf_of[batch->apart[i]] = i;
	}
	for (size_t r = 0; r < x->n; r++) {
		if (x->segment[r] != RM_NO_PARENT)
			x->segment[r] = a->leaf_of[x->segment[r]];
		if (x->prompt[r] && !all)
			x->segment[r] = RM_NO_PARENT;
	}
}

static int prepare(struct rm_attack *a, const struct rm_batch *batch)
{
	size_t n = batch->n_leaves;

	if (rm_encoder_inputs(a->model->encoder, batch, &a->inputs) < 0 ||
	    rm_grow(&a->leaf_of, &a->cap_leaf_of, batch->n_segments,
		    sizeof(*a->leaf_of)) < 0 ||
	    rm_grow(&a->at, &a->cap_at, n, sizeof(*a->at)) < 0 ||
	    rm_grow(&a->size, &a->cap_size, n, sizeof(*a->size)) < 0 ||
	    rm_grow(&a->slope, &a->cap_slope, n * a->model->head->columns,
		    sizeof(*a->slope)) < 0 ||
	    rm_grow(&a->reward, &a->cap_reward, n * a->o.eps.n,
		    sizeof(*a->reward)) < 0)
		return -1;
	find_owners(a, batch);
	return 0;
}

/* ---- the loss ---- */

static double reward_at(const struct rm_attack *a, const rm_real *scores,
			size_t leaf)
{
	return (double)scores[leaf * a->model->head->columns + a->column];
}

/* d of -q log sigma(d) - (1 - q) log sigma(-d), d = r_i - r_j. */
static void add_slopes(const struct rm_attack *a, const rm_real *scores,
		       double *slope, size_t i, size_t j, double q)
{
	double d = reward_at(a, scores, i) - reward_at(a, scores, j);
	/* Of a sure preference, without what 1 - sigma cancels. */
	double s = q == 1 ? -rm_sigmoid(-d) : rm_sigmoid(d) - q;

	slope[i] += s;
	slope[j] -= s;
}

/*
 * The gradient of the group's loss by its rewards, so scaled that the largest
 * is 1: steps know a direction only, and a small loss does not vanish.
 */
static void group_slopes(const struct rm_attack *a, const struct group *g,
			 const rm_real *scores, double *slope)
{
	const double *label = a->label;
	size_t end = g->first + g->k;
	double most = 0;

	for (size_t i = g->first; i < end; i++)
		slope[i] = 0;
	if (!isnan(g->p))
		add_slopes(a, scores, slope, g->first, g->first + 1, g->p);
	for (size_t i = g->first; isnan(g->p) && i < end; i++)
		for (size_t j = g->first; j < end; j++)
			if (label[i] > label[j])
				add_slopes(a, scores, slope, i, j, 1);
	for (size_t i = g->first; i < end; i++)
		most = RM_MAX(most, fabs(slope[i]));
	for (size_t i = g->first; most > 0 && i < end; i++)
		slope[i] /= most;
}

/* a->inputs.grad of the texts as they are shifted now. */
static int find_gradient(struct rm_attack *a, struct rm_batch *batch)
{
	struct rm_model *m = a->model;
	size_t K = m->head->columns;
	struct rm_hidden *hidden;
	const rm_real *scores;
	int status;

	batch->train = true;
	hidden = rm_model_hidden(m, batch);
	scores = hidden ? rm_head_forward(m->head, batch, hidden) : NULL;
	if (!scores) {
		batch->train = false;
		return -1;
	}
	for (size_t i = 0; i < a->n_groups; i++)
		group_slopes(a, &a->group[i], scores, a->size);
	memset(a->slope, 0, batch->n_leaves * K * sizeof(*a->slope));
	for (size_t i = 0; i < batch->n_leaves; i++)
		a->slope[i * K + a->column] = (rm_real)a->size[i];
	status = rm_head_backward(m->head, batch, hidden, a->slope);
	if (status == 0)
		status = rm_model_backward(m, batch);
	batch->train = false;
	return status;
}

/* ---- steps ---- */

/* a->size[leaf] = the Euclidean norm of its rows of x[n, width]. */
static void find_sizes(const struct rm_attack *a, const rm_real *x, size_t n)
{
	size_t width = a->inputs.width;

	memset(a->size, 0, n * sizeof(*a->size));
	for (size_t r = 0; r < a->inputs.n; r++) {
		size_t leaf = a->inputs.segment[r];

		for (size_t c = 0; leaf != RM_NO_PARENT && c < width; c++) {
			double v = (double)x[r * width + c];

			a->size[leaf] += v * v;
		}
	}
	for (size_t i = 0; i < n; i++)
		a->size[i] = sqrt(a->size[i]);
}

/* Rows of leaf i times factor[i]. */
static void scale_rows(const struct rm_attack *a, const double *factor)
{
	size_t width = a->inputs.width;

	for (size_t r = 0; r < a->inputs.n; r++) {
		size_t leaf = a->inputs.segment[r];
		rm_real *x = a->inputs.shift + r * width;

		for (size_t c = 0; leaf != RM_NO_PARENT && c < width; c++)
			x[c] = (rm_real)((double)x[c] * factor[leaf]);
	}
}

/* Back to a length of at most eps. */
static void project(const struct rm_attack *a, size_t n, double eps)
{
	find_sizes(a, a->inputs.shift, n);
	for (size_t i = 0; i < n; i++)
		a->size[i] = a->size[i] > eps ? eps / a->size[i] : 1;
	scale_rows(a, a->size);
}

static void step_l2(const struct rm_attack *a, size_t n, double alpha,
		    double eps)
{
	size_t width = a->inputs.width;

	find_sizes(a, a->inputs.grad, n);
	for (size_t r = 0; r < a->inputs.n; r++) {
		size_t leaf = a->inputs.segment[r];
		rm_real *x = a->inputs.shift + r * width;
		const rm_real *g = a->inputs.grad + r * width;

		if (leaf == RM_NO_PARENT || a->size[leaf] == 0)
			continue;
		for (size_t c = 0; c < width; c++)
			x[c] += (rm_real)(alpha / a->size[leaf] *
					  (double)g[c]);
	}
	project(a, n, eps);
}

static void step_inf(const struct rm_attack *a, double alpha, double eps)
{
	size_t width = a->inputs.width;
	rm_real most = (rm_real)eps, by = (rm_real)alpha;

	for (size_t r = 0; r < a->inputs.n; r++) {
		rm_real *x = a->inputs.shift + r * width;
		const rm_real *g = a->inputs.grad + r * width;

		if (a->inputs.segment[r] == RM_NO_PARENT)
			continue;
		for (size_t c = 0; c < width; c++) {
			x[c] += g[c] > 0 ? by : g[c] < 0 ? -by : 0;
			x[c] = RM_MIN(RM_MAX(x[c], -most), most);
		}
	}
}

static int check_gradient(const struct rm_attack *a)
{
	const struct rm_inputs *x = &a->inputs;

	for (size_t i = 0; i < x->n * x->width; i++)
		if (!isfinite(x->grad[i]))
			return rm_fail("the gradient by the inputs is not "
				       "finite");
	return 0;
}

/* ---- where it begins ---- */

/* A text's own number: that of its ids. */
static uint64_t key_of(const struct rm_batch *batch, size_t leaf)
{
	const struct rm_segment *s = &batch->segment[batch->leaf[leaf]];

	return rm_hash64(batch->ids + s->start,
			 s->length * sizeof(*batch->ids));
}

/* Uniform in the cube, or normal: a direction. */
static double draw(const struct rm_attack *a, uint64_t key, uint64_t index,
		   double eps)
{
	if (a->o.norm == NORM_L2)
		return rm_random_normal(a->o.seed, RM_RANDOM_ATTACK, key,
					index);
	return eps * (2 * rm_random_uniform(a->o.seed, RM_RANDOM_ATTACK, key,
					    index) - 1);
}

/* Uniform in the ball: a length of u^(1/n) times eps of n numbers. */
static void place_l2(const struct rm_attack *a, const struct rm_batch *batch,
		     double eps)
{
	size_t width = a->inputs.width;

	find_sizes(a, a->inputs.shift, batch->n_leaves);
	for (size_t i = 0; i < batch->n_leaves; i++) {
		double n = (double)(a->at[i] * width), u =
			rm_random_uniform(a->o.seed, RM_RANDOM_ATTACK,
					  ~key_of(batch, i), 0);

		a->size[i] = a->size[i] > 0 ?
			eps * pow(u, 1 / n) / a->size[i] : 0;
	}
	scale_rows(a, a->size);
}

static void begin(const struct rm_attack *a, const struct rm_batch *batch,
		  double eps)
{
	const struct rm_inputs *x = &a->inputs;
	size_t last = RM_NO_PARENT;
	uint64_t key = 0;

	memset(a->at, 0, batch->n_leaves * sizeof(*a->at));
	if (x->n > 0)
		memset(x->shift, 0, x->n * x->width * sizeof(*x->shift));
	for (size_t r = 0; a->o.random_start && r < x->n; r++) {
		size_t leaf = x->segment[r], from;

		if (leaf == RM_NO_PARENT)
			continue;
		if (leaf != last)
			key = key_of(batch, leaf);
		last = leaf;
		from = a->at[leaf]++ * x->width;
		for (size_t c = 0; c < x->width; c++)
			x->shift[r * x->width + c] =
				(rm_real)draw(a, key, from + c, eps);
	}
	if (a->o.random_start && a->o.norm == NORM_L2)
		place_l2(a, batch, eps);
}

/* ---- all of it ---- */

static double length_of_step(const struct rm_attack *a, double eps)
{
	if (a->single)
		return eps;
	return a->o.alpha > 0 ? a->o.alpha :
		2.5 * eps / (double)a->o.steps;
}

static int run_one(struct rm_attack *a, struct rm_batch *batch, double eps,
		   double *reward)
{
	double alpha = length_of_step(a, eps);
	const rm_real *scores;

	begin(a, batch, eps);
	for (size_t i = 0; eps > 0 && i < a->o.steps; i++) {
		if (find_gradient(a, batch) < 0 || check_gradient(a) < 0)
			return -1;
		if (a->o.norm == NORM_L2)
			step_l2(a, batch->n_leaves, alpha, eps);
		else
			step_inf(a, alpha, eps);
	}
	scores = rm_model_forward(a->model, batch);
	if (!scores)
		return -1;
	for (size_t i = 0; i < batch->n_leaves; i++)
		reward[i] = reward_at(a, scores, i);
	return 0;
}

const double *rm_attack_run(struct rm_attack *a, struct rm_batch *batch)
{
	struct rm_backbone *b = a->model->backbone;
	int status = prepare(a, batch);

	b->inputs = &a->inputs;
	for (size_t e = 0; status == 0 && e < a->o.eps.n; e++)
		status = run_one(a, batch, a->o.eps.x[e],
				 a->reward + e * batch->n_leaves);
	b->inputs = NULL;
	return status < 0 ? NULL : a->reward;
}
