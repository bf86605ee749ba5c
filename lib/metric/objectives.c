/*
 * What a head says beside its reward: objectives against the attributes of
 * the same names, and how unsure it is against how much people disagree.
 */
#include "metric.h"

#include <stdlib.h>
#include <string.h>

/* Columns of numbers that grow together. */
struct series {
	double *x, *y;
	size_t n, cap_x, cap_y;
};

/* An objective, with what is counted of it so far. */
struct count {
	struct series all;
	double right;
};

struct rm_beside {
	const struct rm_schema *schema;
	int objectives, attributes, sd, votes, p;
	struct rm_objective *objective;
	struct count *count;
	size_t n, cap_objective, cap_count;
	struct series unsure;		/* deviation, disagreement */
	double *value;			/* [2k] of the record at hand */
	size_t cap_value;
};

static void series_fini(struct series *s)
{
	free(s->x);
	free(s->y);
}

static int series_add(struct series *s, double x, double y)
{
	if (s->n >= RM_SORT_MAX)
		return rm_fail("more than %zu responses", RM_SORT_MAX);
	if (rm_grow(&s->x, &s->cap_x, s->n + 1, sizeof(*s->x)) < 0 ||
	    rm_grow(&s->y, &s->cap_y, s->n + 1, sizeof(*s->y)) < 0)
		return -1;
	s->x[s->n] = x;
	s->y[s->n++] = y;
	return 0;
}

struct rm_beside *rm_beside_new(const struct rm_schema *schema)
{
	struct rm_beside *b = rm_calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->schema = schema;
	b->objectives = rm_schema_find(schema, "objectives");
	b->attributes = rm_schema_find(schema, "attributes");
	b->sd = rm_schema_find(schema, "reward_sd");
	b->votes = rm_schema_find(schema, "votes");
	b->p = rm_schema_find(schema, "p");
	return b;
}

void rm_beside_free(struct rm_beside *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++) {
		free(b->objective[i].name);
		series_fini(&b->count[i].all);
	}
	free(b->objective);
	free(b->count);
	free(b->value);
	series_fini(&b->unsure);
	free(b);
}

/* ---- objectives ---- */

/* Its place by name, new ones at the end; SIZE_MAX without memory. */
static size_t find_objective(struct rm_beside *b, struct rm_slice name)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (strlen(b->objective[i].name) == name.len &&
		    memcmp(b->objective[i].name, name.data, name.len) == 0)
			return i;
	if (rm_grow(&b->objective, &b->cap_objective, i + 1,
		    sizeof(*b->objective)) < 0 ||
	    rm_grow(&b->count, &b->cap_count, i + 1, sizeof(*b->count)) < 0)
		return SIZE_MAX;
	b->objective[i] = (struct rm_objective){
		.name = rm_strndup((const char *)name.data, name.len)
	};
	b->count[i] = (struct count){0};
	if (!b->objective[i].name)
		return SIZE_MAX;
	b->n++;
	return i;
}

/* The attribute of that name; data NULL: there is none. */
static struct rm_slice attribute_of(const struct rm_beside *b,
				    const struct rm_record *rec,
				    struct rm_slice name)
{
	size_t n = rm_record_is_nil(rec, b->attributes) ? 0 :
		rm_record_map_size(rec, b->attributes);

	for (size_t i = 0; i < n; i++) {
		struct rm_slice its, f64s;

		rm_record_map_at(rec, b->attributes, i, &its, &f64s);
		if (its.len == name.len &&
		    memcmp(its.data, name.data, name.len) == 0)
			return f64s;
	}
	return (struct rm_slice){0};
}

/* Pairs of a record that the attribute orders. */
static void count_pairs(struct rm_beside *b, size_t at, const double *x,
			const double *y, size_t k)
{
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < k; j++) {
			if (!(y[i] > y[j]))
				continue;
			b->objective[at].comparisons++;
			b->count[at].right += x[i] > x[j] ? 1 :
				x[i] == x[j] ? .5 : 0;
		}
}

static int add_objective(struct rm_beside *b, const struct rm_record *rec,
			 size_t i)
{
	struct rm_slice name, f64s, its;
	size_t at, k = rec->k;
	double *x = b->value, *y = x + k;

	rm_record_map_at(rec, b->objectives, i, &name, &f64s);
	at = find_objective(b, name);
	if (at == SIZE_MAX)
		return -1;
	its = attribute_of(b, rec, name);
	for (size_t r = 0; its.data && r < k; r++) {
		x[r] = rm_get_f64(f64s.data + 8 * r);
		y[r] = rm_get_f64(its.data + 8 * r);
		if (!isfinite(x[r]))
			return rm_fail("field objectives: %s of response %zu "
				       "is no number", b->objective[at].name,
				       r);
		if (!isnan(y[r]) &&
		    series_add(&b->count[at].all, x[r], y[r]) < 0)
			return -1;
	}
	if (its.data)
		count_pairs(b, at, x, y, k);
	return 0;
}

/* ---- disagreement ---- */

/* -sum of f log f over the shares f of n counts; NaN: no votes. */
static double entropy(const double *count, size_t n)
{
	double total = 0, sum = 0;

	for (size_t i = 0; i < n; i++)
		total += count[i];
	for (size_t i = 0; i < n; i++)
		if (count[i] > 0)
			sum -= count[i] / total * log(count[i] / total);
	return total > 0 && isfinite(total) ? sum : NAN;
}

/* Of the votes, ties among them, else of P(first preferred). */
static double disagreement(struct rm_beside *b, const struct rm_record *rec)
{
	double two[2], p = rm_record_f64(rec, b->p);

	if (!rm_record_is_nil(rec, b->votes)) {
		rm_record_f64s(rec, b->votes, b->value, rec->k + 1);
		return entropy(b->value, rec->k + 1);
	}
	if (!(p >= 0 && p <= 1))
		return NAN;
	two[0] = p;
	two[1] = 1 - p;
	return entropy(two, 2);
}

/* The root of the mean variance: of a pair, that of d but for a factor. */
static double deviation(struct rm_beside *b, const struct rm_record *rec)
{
	double sum = 0;

	for (size_t i = 0; i < rec->k; i++) {
		double sd = rm_record_f64_at(rec, b->sd, i);

		sum += sd * sd;
	}
	return sqrt(sum / (double)rec->k);
}

static int add_disagreement(struct rm_beside *b, const struct rm_record *rec)
{
	double x = deviation(b, rec), y = disagreement(b, rec);

	if (!isfinite(x))
		return rm_fail("field reward_sd is no number");
	return isnan(y) ? 0 : series_add(&b->unsure, x, y);
}

/* ---- all of it ---- */

int rm_beside_add(struct rm_beside *b, const struct rm_record *rec)
{
	size_t n = rm_record_is_nil(rec, b->objectives) ? 0 :
		rm_record_map_size(rec, b->objectives);

	if (rm_grow(&b->value, &b->cap_value, 2 * rec->k + 1,
		    sizeof(*b->value)) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_objective(b, rec, i) < 0)
			return -1;
	return rm_record_is_nil(rec, b->sd) ? 0 : add_disagreement(b, rec);
}

int rm_beside_finish(struct rm_beside *b, struct rm_beside_figures *to)
{
	const struct series *s = &b->unsure;

	*to = (struct rm_beside_figures){
		.n = b->n, .objective = b->objective,
		.has_sd = b->sd >= 0, .records = s->n
	};
	for (size_t i = 0; i < b->n; i++) {
		struct rm_objective *o = &b->objective[i];
		const struct count *c = &b->count[i];

		o->responses = c->all.n;
		o->accuracy = c->right / (double)o->comparisons;
		if (rm_correlate_pairs(c->all.x, c->all.y, c->all.n,
				       &o->spearman, NULL) < 0)
			return -1;
	}
	return rm_correlate_pairs(s->x, s->y, s->n, &to->disagreement, NULL);
}
