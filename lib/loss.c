#include "loss.h"

#include <math.h>
#include <stdlib.h>

#include "loss/kind.h"
#include "loss_table.h"

/* ---- penalties of any loss ---- */

/*
 * c (sum of r)^2 of a group.  Eisenstein et al., Helping or Herding?, 2023,
 * as TRL's center_rewards_coefficient.
 */
static double center_group(const struct rm_loss *loss,
			   struct rm_loss_group *g)
{
	double c = loss->o.center, sum = 0;

	if (c == 0)
		return 0;
	for (size_t i = 0; i < g->target->k; i++)
		sum += g->s[i * g->K];
	for (size_t i = 0; i < g->target->k; i++)
		g->ds[i * g->K] += 2 * c * sum;
	return c * sum * sum;
}

/* log(1 + length), NaN where it is not known: an empty response has one. */
static double log_length(const struct rm_target *t, size_t i)
{
	return log1p(t->length[i]);
}

/* Its mean in the group, and of how many. */
static double mean_length(const struct rm_target *t, double *n)
{
	double sum = 0;

	*n = 0;
	for (size_t i = 0; i < t->k; i++)
		if (!isnan(t->length[i])) {
			sum += log_length(t, i);
			(*n)++;
		}
	return sum / *n;
}

/*
 * c cov^2, cov = mean of r_i (x_i - mean x), x = log(1 + length).
 *
 * Chen et al., ODIN, 2024, have the correlation over a batch: its
 * gradient would depend on how a step is cut, and over a pair a correlation
 * is 1 or -1.  The covariance within each group has neither fault.
 */
static double length_group(const struct rm_loss *loss,
			   struct rm_loss_group *g)
{
	const struct rm_target *t = g->target;
	double c = loss->o.length, cov = 0, n;

	if (c == 0 || !t->length)
		return 0;
	double mean = mean_length(t, &n);
	for (size_t i = 0; i < t->k; i++)
		if (!isnan(t->length[i]))
			cov += g->s[i * g->K] * (log_length(t, i) - mean) / n;
	for (size_t i = 0; i < t->k; i++)
		if (!isnan(t->length[i]))
			g->ds[i * g->K] += 2 * c * cov *
				(log_length(t, i) - mean) / n;
	return c * cov * cov;
}

static int check_length(const struct rm_target *t)
{
	if (!t->length)
		return rm_fail("no length, which the loss's key length "
			       "needs; rm-tokenize stores it");
	for (size_t i = 0; i < t->k; i++)
		if (t->length[i] < 0 || isinf(t->length[i]))
			return rm_fail("the length of response %zu is %g", i,
				       t->length[i]);
	return 0;
}

/* ---- the table ---- */

const struct rm_spec *const *rm_loss_specs(void)
{
	static const struct rm_spec *list[RM_COUNT(rm_loss_kinds)];

	for (size_t i = 0; rm_loss_kinds[i]; i++)
		list[i] = &rm_loss_kinds[i]->spec;
	return list;
}

json_t *rm_loss_parse(const char *text)
{
	return rm_spec_parse("loss", rm_loss_specs(), text);
}

void rm_loss_list(struct rm_buf *out)
{
	rm_spec_list(out, rm_loss_specs());
}

int rm_loss_wants(const json_t *config, struct rm_loss_wants *w)
{
	int i = rm_spec_find("loss", rm_loss_specs(), config);
	struct rm_loss_options o;
	unsigned flags;

	if (i < 0 || rm_spec_fill("loss", &rm_loss_kinds[i]->spec, config,
				  &o) < 0)
		return -1;
	flags = rm_loss_kinds[i]->flags;
	*w = (struct rm_loss_wants){
		.groups = flags & RM_LOSS_GROUPS,
		.preference = flags & RM_LOSS_PREFERENCE,
		.teacher = flags & RM_LOSS_TEACHER,
		.score = flags & (RM_LOSS_GRADES | RM_LOSS_SIZE),
		.grades = flags & RM_LOSS_GRADES,
		.length = o.length > 0,
	};
	return 0;
}

/* Scores that nothing would train, or that are not what they seem. */
static int check_columns(const struct rm_loss_kind *kind,
			 const struct rm_loss_scores *s)
{
	bool variance = kind->flags & RM_LOSS_VARIANCE;

	if (variance && !s->variance)
		return rm_fail("loss %s learns a variance, which the head "
			       "does not give: --head uncertainty does",
			       kind->spec.name);
	if (s->variance && !variance)
		return rm_fail("loss %s says nothing of the head's variance: "
			       "--loss uncertainty does", kind->spec.name);
	return 0;
}

struct rm_loss *rm_loss_new(const json_t *config,
			    const struct rm_loss_scores *scores)
{
	int i = rm_spec_find("loss", rm_loss_specs(), config);

	if (i < 0 || check_columns(rm_loss_kinds[i], scores) < 0)
		return NULL;
	struct rm_loss *loss = rm_calloc(1, sizeof(*loss));
	if (!loss)
		return NULL;
	loss->kind = rm_loss_kinds[i];
	loss->members = scores->members;
	loss->columns = scores->K;
	loss->K = loss->members ? 1 : scores->K;
	loss->config = json_incref((json_t *)config);
	if (rm_spec_fill("loss", &loss->kind->spec, config, &loss->o) < 0) {
		rm_loss_free(loss);
		return NULL;
	}
	if (loss->kind->own && loss->kind->own(loss, &loss->own))
		loss->n_own = loss->own.shape[0];
	return loss;
}

const char *rm_loss_name(const struct rm_loss *loss)
{
	return loss->kind->spec.name;
}

const json_t *rm_loss_config(const struct rm_loss *loss)
{
	return loss->config;
}

bool rm_loss_squares(const struct rm_loss *loss)
{
	return loss->kind->flags & RM_LOSS_GRADES;
}

double rm_loss_norms(const struct rm_loss *loss)
{
	return loss->o.norms;
}

int rm_loss_add_params(struct rm_loss *loss, struct rm_params *params)
{
	int row;

	if (loss->n_own == 0)
		return 0;
	row = rm_params_add(params, &loss->own);
	if (row < 0)
		return -1;
	loss->params = params;
	loss->row = (size_t)row;
	return 0;
}

void rm_loss_free(struct rm_loss *loss)
{
	if (!loss)
		return;
	json_decref(loss->config);
	free(loss);
}

int rm_loss_check(const struct rm_loss *loss, const struct rm_target *target)
{
	double w = target->weight;

	if (!isnan(w) && (w < 0 || isinf(w)))
		return rm_fail("weight is %g", w);
	if (isinf(target->margin))
		return rm_fail("margin is %g", target->margin);
	if (loss->o.length > 0 && check_length(target) < 0)
		return -1;
	return loss->kind->check(loss, target);
}

/* ---- a batch ---- */

static double weight_of(const struct rm_loss *loss,
			const struct rm_target *t)
{
	if (!loss->kind->learns(loss, t))
		return 0;
	return isnan(t->weight) ? 1 : t->weight;
}

double rm_loss_weight(const struct rm_loss *loss,
		      const struct rm_target *targets, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += weight_of(loss, &targets[i]);
	return sum;
}

static double won(double better_score, double worse_score)
{
	return better_score > worse_score ? 1 :
		better_score == worse_score ? .5 : 0;
}

static void count_correct(const struct rm_target *t, const rm_real *scores,
			  size_t K, struct rm_loss_sums *sums)
{
	struct rm_comparison c;
	size_t at = 0;

	while (rm_loss_next(t, &at, &c)) {
		double right = won((double)scores[c.i * K],
				   (double)scores[c.j * K]);

		sums->compared += c.q != .5;
		sums->correct += c.q > .5 ? right : c.q < .5 ? 1 - right : 0;
	}
}

/* The loss of one group that has something to learn from. */
static int one_group(const struct rm_loss *loss, struct rm_loss_group *g,
		     double w, struct rm_loss_sums *sums)
{
	double l = loss->kind->group(loss, g) + center_group(loss, g) +
		length_group(loss, g);

	if (!isfinite(l))
		return rm_fail("the loss is %s",
			       isnan(l) ? "NaN" : "infinite");
	sums->loss += w * l;
	return 0;
}

/* What the groups of a call share: room for the largest of them. */
struct room {
	double *s, *ds;		/* [most, K] */
	double *own, *down;	/* [n_own] */
};

static int make_room(struct room *r, const struct rm_loss *loss, size_t most)
{
	size_t n = most * loss->K;

	if (loss->n_own > 0 && !loss->params)
		return rm_fail("%s is not in the table of parameters",
			       loss->own.name);
	r->s = rm_malloc(2 * (n + loss->n_own), sizeof(*r->s));
	if (!r->s)
		return -1;
	r->ds = r->s + n;
	r->own = r->ds + n;
	r->down = r->own + loss->n_own;
	for (size_t i = 0; i < loss->n_own; i++)
		r->own[i] = (double)loss->params->param[loss->row].value[i];
	return 0;
}

/* Adds to the gradient of the loss's own parameters. */
static void own_back(const struct rm_loss *loss, const struct room *r,
		     double scale)
{
	rm_real *grad = loss->params->param[loss->row].grad;

	for (size_t i = 0; grad && i < loss->n_own; i++)
		grad[i] += (rm_real)(scale * r->down[i]);
}

/*
 * One group, of which the kind sees the columns from `first` on: scores in,
 * gradients out, w the weight, 0 if there is nothing to learn.
 */
static int take_columns(const struct rm_loss *loss, const struct room *r,
			const struct rm_target *t, const rm_real *scores,
			size_t first, double w, double scale,
			rm_real *dscores, struct rm_loss_sums *sums)
{
	struct rm_loss_group g = { t, loss->K, r->s, r->ds, r->own, r->down };
	size_t K = loss->K, at;

	for (size_t i = 0; i < t->k * K; i++) {
		at = i / K * loss->columns + first + i % K;
		r->s[i] = (double)scores[at];
		r->ds[i] = 0;
	}
	for (size_t i = 0; i < loss->n_own; i++)
		r->down[i] = 0;
	if (w > 0 && one_group(loss, &g, w, sums) < 0)
		return -1;
	for (size_t i = 0; dscores && i < t->k * K; i++) {
		at = i / K * loss->columns + first + i % K;
		dscores[at] = (rm_real)(scale * w * r->ds[i]);
	}
	if (dscores && loss->n_own > 0)
		own_back(loss, r, scale * w);
	return 0;
}

/* Of an ensemble each member has its loss, of which the mean counts. */
static int take_group(const struct rm_loss *loss, const struct room *r,
		      const struct rm_target *t, const rm_real *scores,
		      double scale, rm_real *dscores,
		      struct rm_loss_sums *sums)
{
	size_t K = loss->columns, n = RM_MAX(loss->members, 1);
	double w = weight_of(loss, t);

	sums->weight += w;
	count_correct(t, scores, K, sums);
	for (size_t i = 0; dscores && loss->members && i < t->k; i++)
		dscores[i * K] = 0;
	for (size_t i = 0; i < n; i++)
		if (take_columns(loss, r, t, scores,
				 loss->members ? i + 1 : 0, w / (double)n,
				 scale, dscores, sums) < 0)
			return -1;
	return 0;
}

int rm_loss_forward(const struct rm_loss *loss,
		    const struct rm_target *targets, size_t n,
		    const rm_real *scores, double scale, rm_real *dscores,
		    struct rm_loss_sums *sums)
{
	struct room r = {0};
	size_t most = 0, at = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		most = RM_MAX(most, targets[i].k);
	if (make_room(&r, loss, most) < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++) {
		sums->bad_group = i;
		rc = take_group(loss, &r, &targets[i], scores + at, scale,
				dscores ? dscores + at : NULL, sums);
		at += targets[i].k * loss->columns;
	}
	free(r.s);
	return rc;
}
