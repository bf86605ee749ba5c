#include "robust.h"
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- other data ---- */

/*
 * The reaches of both, squared and added (Newcombe 1998): of standard errors
 * that is the usual interval, and a share of exactly 0 or 1 is not certain.
 */
static struct rm_gap gap_of(const struct rm_figure *in,
			    const struct rm_figure *out)
{
	double gap = in->value - out->value;

	return (struct rm_gap){
		.metric = in->metric, .in = in->value, .out = out->value,
		.gap = gap, .low = gap - hypot(in->below, out->above),
		.high = gap + hypot(in->above, out->below)
	};
}

static int evaluate_other(const struct rm_figure *figures, size_t n,
			  struct rm_scores *other, struct rm_figure *out)
{
	const struct rm_metric_kind **metrics = rm_calloc(n + 1,
							  sizeof(*metrics));
	struct rm_evaluation e = { .metrics = metrics };
	size_t i;
	int status = -1;

	if (metrics) {
		for (i = 0; i < n; i++)
			metrics[i] = figures[i].metric;
		status = rm_evaluate(other, &e, out);
	}
	free(metrics);
	return status;
}

int rm_ood_find(const struct rm_figure *figures, size_t n,
		struct rm_scores *other, struct rm_ood *out)
{
	struct rm_figure *there = rm_malloc(n, sizeof(*there));
	size_t i;
	int status = -1;

	*out = (struct rm_ood){
		.comparisons = other->n, .records = other->records,
		.clusters = other->clusters,
		.gap = rm_malloc(n, sizeof(*out->gap))
	};
	if (there && out->gap)
		status = evaluate_other(figures, n, other, there);
	for (i = 0; status == 0 && i < n; i++)
		if (rm_metric_has_interval(figures[i].metric) &&
		    !isnan(figures[i].value) && !isnan(there[i].value))
			out->gap[out->n++] = gap_of(&figures[i], &there[i]);
	free(there);
	return status;
}

void rm_ood_fini(struct rm_ood *ood)
{
	free(ood->gap);
	*ood = (struct rm_ood){0};
}

/* ---- under attack ---- */

/* The rewards of one eps on their way. */
struct reading {
	double eps;
	struct rm_scorer *scorer;
	struct rm_scores *scores;
};

struct rm_attacks_reader {
	const struct rm_schema *schema;
	bool pairs;
	int field;
	size_t n, members;	/* eps, and names in the field, as of the
				   first record */
	struct reading *of;	/* [n] ascending; first the rewards as they
				   are; NULL until a record says which */
	struct rm_attacked *row;	/* [n] once finished */
};

struct rm_attacks_reader *rm_attacks_new(const struct rm_schema *schema,
					 bool pairs)
{
	struct rm_attacks_reader *r = rm_calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->schema = schema;
	r->pairs = pairs;
	r->field = rm_schema_need(schema, "attack", "");
	if (r->field >= 0 && schema->field[r->field].type == RM_F64_K_MAP)
		return r;
	if (r->field >= 0)
		rm_fail("field attack is %s, not named rewards",
			rm_type_name(schema->field[r->field].type));
	rm_attacks_free(r);
	return NULL;
}

void rm_attacks_free(struct rm_attacks_reader *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->n; i++) {
		rm_scorer_free(r->of[i].scorer);
		rm_scores_free(r->of[i].scores);
	}
	free(r->of);
	free(r->row);
	free(r);
}

/* One more eps, or, name NULL, the rewards as they are. */
static int open_one(struct rm_attacks_reader *r, const char *name, double eps)
{
	struct reading *one = &r->of[r->n];

	*one = (struct reading){ .eps = eps };
	one->scorer = rm_scorer_new(r->schema, r->pairs, "reward", NULL);
	if (!one->scorer)
		return -1;
	r->n++;
	return rm_scorer_take_attack(one->scorer, name);
}

/* Of eps 0 the rewards stand in the field reward. */
static int open_member(struct rm_attacks_reader *r, struct rm_slice name)
{
	char text[32];
	double eps;

	if (name.len >= sizeof(text) || memchr(name.data, 0, name.len))
		return rm_fail("field attack has a name that is no number");
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	if (rm_parse_double(text, 0, HUGE_VAL, &eps) < 0 || isinf(eps))
		return rm_wrap("field attack: eps");
	if (eps == 0)
		return 0;
	if (eps <= r->of[r->n - 1].eps)
		return rm_fail("field attack: eps %s does not go up", text);
	return open_one(r, text, eps);
}

static int open_all(struct rm_attacks_reader *r, const struct rm_record *rec)
{
	size_t n = rm_record_map_size(rec, r->field), i;
	struct rm_slice name, numbers;

	r->members = n;
	r->of = rm_calloc(n + 1, sizeof(*r->of));
	if (!r->of || open_one(r, NULL, 0) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		rm_record_map_at(rec, r->field, i, &name, &numbers);
		if (open_member(r, name) < 0)
			return -1;
	}
	return 0;
}

int rm_attacks_add(struct rm_attacks_reader *r, const struct rm_record *rec)
{
	size_t i;

	if (rm_record_is_nil(rec, r->field))
		return rm_fail("field attack is nil");
	if (!r->of && open_all(r, rec) < 0)
		return -1;
	/* One that has fewer lacks one of them, which is then named. */
	if (rm_record_map_size(rec, r->field) > r->members)
		return rm_fail("field attack has rewards at %zu eps, where the "
			       "first record has %zu",
			       rm_record_map_size(rec, r->field), r->members);
	for (i = 0; i < r->n; i++)
		if (rm_scorer_add(r->of[i].scorer, rec) < 0)
			return rm_wrap("under attack, eps %g", r->of[i].eps);
	return 0;
}

static int evaluate(struct rm_scores *s, const struct rm_evaluation *e,
		    struct rm_attacked *row)
{
	const struct rm_metric_kind *metrics[] = {
		rm_metric_find("accuracy"), rm_metric_find("log_loss"), NULL
	};
	struct rm_evaluation mine = { metrics, e->bootstrap, e->seed };
	struct rm_figure f[2];
	struct rm_compared c;

	if (rm_evaluate(s, &mine, f) < 0 || rm_compare(s, e, &c) < 0)
		return -1;
	row->accuracy = f[0];
	row->log_loss = f[1];
	row->increase = c.difference[1];
	row->flip_rate = c.change[0];
	row->tie_rate = c.change[1];
	return 0;
}

int rm_attacks_finish(struct rm_attacks_reader *r, enum rm_ties ties,
		      const struct rm_evaluation *e, struct rm_attacks *out)
{
	size_t i;

	*out = (struct rm_attacks){ .n = 0 };
	r->row = rm_calloc(r->n, sizeof(*r->row));
	if (!r->row)
		return -1;
	for (i = 0; i < r->n; i++) {
		struct rm_scores *s = rm_scorer_finish(r->of[i].scorer);

		if (!s)
			return -1;
		r->of[i].scores = s;
		s->ties = ties;
		s->other = r->of[0].scores;
		r->row[i].eps = r->of[i].eps;
		if (evaluate(s, e, &r->row[i]) < 0)
			return rm_wrap("under attack, eps %g", r->of[i].eps);
	}
	out->n = r->n;
	out->row = r->row;
	return 0;
}
