/* How labels are spread: who wins by place, and the scores. */
#include "pair/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_VALUES = 32,	/* scores that are counted one by one */
	STEPS = 64,		/* buckets to a power of two */
	LOW = -20, HIGH = 40,	/* powers of two that are told apart */
	SIDE = STEPS * (HIGH - LOW),
	BUCKETS = 2 * SIDE + 1	/* negative ones, about 0, positive ones */
};

struct scores {
	uint64_t n;
	double mean, squares;	/* Welford's sums */
	double min, max;
	double value[MOST_VALUES];
	uint64_t of_value[MOST_VALUES], bucket[BUCKETS];
	size_t values;		/* beyond MOST_VALUES: in buckets alone */
};

struct rm_labels {
	bool pairs;
	int position, score;
	uint64_t won[2], ties, missing, unplaced;
	struct scores s;
};

int rm_shown_first(const struct rm_record *rec, int position, bool pairs,
		   size_t i)
{
	if (!rm_record_is_nil(rec, position)) {
		int32_t a = rm_record_i32_at(rec, position, i);
		int32_t b = rm_record_i32_at(rec, position, 1 - i);

		if (a != b)
			return a < b;
	}
	return pairs ? -1 : i == 0;
}

struct rm_labels *rm_labels_new(const struct rm_schema *schema, bool pairs)
{
	struct rm_labels *l = rm_calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->pairs = pairs;
	l->position = rm_schema_find(schema, "position");
	l->score = rm_schema_find(schema, "score");
	return l;
}

void rm_labels_free(struct rm_labels *l)
{
	free(l);
}

/* ---- scores ---- */

/* Buckets are 1/64 to 1/128 of their numbers wide. */
static size_t bucket_of(double x)
{
	double m, at;
	int e;

	m = 2 * frexp(fabs(x), &e);
	at = (e - 1 - LOW) * STEPS + floor((m - 1) * STEPS);
	if (x == 0 || at < 0)
		return SIDE;
	at = fmin(at, SIDE - 1) + 1;
	return (size_t)(x < 0 ? SIDE - at : SIDE + at);
}

static double bucket_value(size_t i)
{
	double at = fabs((double)i - SIDE) - 1, x;

	if (i == SIDE)
		return 0;
	x = ldexp(1 + (fmod(at, STEPS) + .5) / STEPS,
		  (int)(at / STEPS) + LOW);
	return i < SIDE ? -x : x;
}

static void count_value(struct scores *s, double x)
{
	size_t i = 0;

	if (s->values > MOST_VALUES)
		return;
	while (i < s->values && s->value[i] != x)
		i++;
	if (i == s->values && s->values++ == MOST_VALUES)
		return;
	s->value[i] = x;
	s->of_value[i]++;
}

static void add_score(struct scores *s, double x)
{
	double d = x - s->mean;

	if (!isfinite(x))
		return;
	s->min = s->n ? fmin(s->min, x) : x;
	s->max = s->n ? fmax(s->max, x) : x;
	s->n++;
	s->mean += d / (double)s->n;
	s->squares += d * (x - s->mean);
	s->bucket[bucket_of(x)]++;
	count_value(s, x);
}

/* The smallest number that a share q of all do not exceed. */
static double quantile(const struct scores *s, double q)
{
	double need = fmax(1, ceil(q * (double)s->n)), seen = 0;
	size_t i = 0;

	while (i + 1 < BUCKETS && (seen += (double)s->bucket[i]) < need)
		i++;
	return fmin(fmax(bucket_value(i), s->min), s->max);
}

static void put_quantiles(json_t *object, const struct scores *s)
{
	static const struct {
		const char *name;
		double q;
	} row[] = {
		{ "p5", .05 }, { "p25", .25 }, { "median", .5 },
		{ "p75", .75 }, { "p95", .95 }
	};

	for (size_t i = 0; i < RM_COUNT(row); i++)
		json_object_set_new(object, row[i].name,
				    rm_real(quantile(s, row[i].q)));
}

/* {"value": how many, ...} from the least value. */
static json_t *values_json(const struct scores *s)
{
	json_t *object = json_object();
	double last = -INFINITY;
	char name[32];

	for (size_t n = 0; n < s->values; n++) {
		size_t least = MOST_VALUES;

		for (size_t i = 0; i < s->values; i++)
			if (s->value[i] > last && (least == MOST_VALUES ||
			    s->value[i] < s->value[least]))
				least = i;
		if (least == MOST_VALUES)
			break;
		last = s->value[least];
		rm_format_double(last, name);
		json_object_set_new(object, name, rm_whole(
				    (double)s->of_value[least]));
	}
	return object;
}

static void put_scores(json_t *all, const struct scores *s)
{
	json_t *object = json_object();

	json_object_set_new(object, "n", rm_whole((double)s->n));
	json_object_set_new(object, "mean", rm_real(s->mean));
	if (s->n > 1)
		json_object_set_new(object, "sd", rm_real(
			sqrt(s->squares / (double)(s->n - 1))));
	json_object_set_new(object, "min", rm_real(s->min));
	json_object_set_new(object, "max", rm_real(s->max));
	if (s->values > MOST_VALUES)
		put_quantiles(object, s);
	json_object_set_new(all, "score", object);
	if (s->values <= MOST_VALUES)
		json_object_set_new(all, "score_values", values_json(s));
}

/* ---- all labels ---- */

void rm_labels_add(struct rm_labels *l, const struct rm_seen *seen,
		   size_t winner)
{
	const struct rm_record *rec = seen->rec;
	int first;

	for (size_t i = 0; l->score >= 0 && i < rec->k; i++)
		add_score(&l->s, rm_record_f64_at(rec, l->score, i));
	if (rec->k != 2 || !seen->pairer)
		return;
	if (winner == 2) {
		l->ties++;
	} else if (winner > 2) {
		l->missing++;
	} else {
		first = rm_shown_first(rec, l->position, l->pairs, winner);
		if (first < 0)
			l->unplaced++;
		else
			l->won[!first]++;
	}
}

static void put_balance(json_t *all, const struct rm_labels *l)
{
	json_t *object = json_object();
	double n = (double)(l->won[0] + l->won[1]);

	json_object_set_new(object, "first_wins",
			    rm_whole((double)l->won[0]));
	json_object_set_new(object, "second_wins",
			    rm_whole((double)l->won[1]));
	json_object_set_new(object, "ties", rm_whole((double)l->ties));
	json_object_set_new(object, "missing",
			    rm_whole((double)l->missing));
	rm_real_or_lack(all, object, "first_share", (double)l->won[0] / n,
			"no record of two responses has a winner");
	json_object_set_new(all, "label_balance", object);
}

void rm_labels_put(json_t *all, const struct rm_labels *l)
{
	static const char name[] = "label_balance";

	if (l->unplaced)
		rm_lack(all, name, "the preferred response stands first in "
			"each pair, and no field position says where it "
			"was shown");
	else if (l->won[0] + l->won[1] + l->ties + l->missing)
		put_balance(all, l);
	else
		rm_lack(all, name, "no labelled record of two responses");
	if (l->s.n)
		put_scores(all, &l->s);
	else
		rm_lack(all, "score", l->score < 0 ? "no field score"
						   : "no score is a number");
}
