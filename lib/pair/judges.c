/* Votes: how far they agree, and who gave them. */
#include "pair/internal.h"

#include "agreement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The first response, a tie, the second: in this order for the distances. */
enum { FIRST, TIE, SECOND, C };

enum { MOST_ROWS = 1000 };

/* Votes beyond are no counts. */
#define MOST_OF_ONE 1e15

struct rm_judges {
	int votes, annotations, position;
	bool pairs;
	uint64_t judged, voted;		/* with two votes, with any */
	double sum, same;		/* votes; sum of rm_agreement_of */
	struct rm_distinct annotators;
	struct rm_agreement *agreement;	/* records of two responses */
	struct rm_raters *raters;
	bool larger, unplaced;		/* others that were judged */

	/* The record at hand. */
	double *vote;			/* [k + 1], ties last */
	struct rm_slice *who;
	size_t *choice;			/* category where k = 2 */
	size_t vote_cap, who_cap, choice_cap;
};

struct rm_judges *rm_judges_new(const struct rm_schema *schema, bool pairs)
{
	struct rm_judges *j = rm_calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->pairs = pairs;
	j->votes = rm_schema_find(schema, "votes");
	j->annotations = rm_schema_find(schema, "annotations");
	j->position = rm_schema_find(schema, "position");
	j->agreement = rm_agreement_new(C);
	j->raters = rm_raters_new(C);
	if (!j->agreement || !j->raters) {
		rm_judges_free(j);
		return NULL;
	}
	return j;
}

void rm_judges_free(struct rm_judges *j)
{
	if (!j)
		return;
	rm_distinct_fini(&j->annotators);
	rm_agreement_free(j->agreement);
	rm_raters_free(j->raters);
	free(j->vote);
	free(j->who);
	free(j->choice);
	free(j);
}

/* ---- adding a record ---- */

static void load_votes(struct rm_judges *j, const struct rm_record *rec)
{
	rm_record_f64s(rec, j->votes, j->vote, rec->k + 1);
	for (size_t i = 0; i <= rec->k; i++)
		if (!(j->vote[i] >= 0 && j->vote[i] < MOST_OF_ONE))
			j->vote[i] = 0;
}

static int load_choices(struct rm_judges *j, const struct rm_record *rec,
			size_t n)
{
	size_t choice;

	if (rm_grow(&j->who, &j->who_cap, n, sizeof(*j->who)) < 0 ||
	    rm_grow(&j->choice, &j->choice_cap, n, sizeof(*j->choice)) < 0)
		return -1;
	memset(j->vote, 0, (rec->k + 1) * sizeof(*j->vote));
	for (size_t i = 0; i < n; i++) {
		rm_record_choice_at(rec, j->annotations, i, &j->who[i],
				    &choice);
		j->vote[choice]++;
		j->choice[i] = choice;
		if (j->who[i].data &&
		    rm_distinct_add(&j->annotators, rm_hash64(
				j->who[i].data, j->who[i].len)) < 0)
			return -1;
	}
	return 0;
}

/* Choices and votes of two responses as categories; n choices. */
static int add_two(struct rm_judges *j, const struct rm_record *rec, size_t n)
{
	int first = rm_shown_first(rec, j->position, j->pairs, 0);
	const size_t category[] = { first ? FIRST : SECOND,
				    first ? SECOND : FIRST, TIE };
	double votes[C];

	if (first < 0) {
		j->unplaced = true;
		return 0;
	}
	for (size_t i = 0; i < C; i++)
		votes[category[i]] = j->vote[i];
	rm_agreement_add(j->agreement, votes);
	for (size_t i = 0; i < n; i++)
		j->choice[i] = category[j->choice[i]];
	return rm_raters_add(j->raters, j->who, j->choice, n);
}

static int add_votes(struct rm_judges *j, const struct rm_record *rec,
		     size_t n)
{
	double same = rm_agreement_of(j->vote, rec->k + 1), sum = 0;

	for (size_t i = 0; i <= rec->k; i++)
		sum += j->vote[i];
	j->sum += sum;
	j->voted += sum > 0;
	if (sum >= 2) {
		j->judged++;
		j->same += same;
		j->larger = j->larger || rec->k != 2;
	}
	return rec->k == 2 ? add_two(j, rec, n) : 0;
}

int rm_judges_add(struct rm_judges *j, const struct rm_seen *seen)
{
	const struct rm_record *rec = seen->rec;
	size_t n = rm_record_choices(rec, j->annotations);

	if (n == 0 && rm_record_is_nil(rec, j->votes))
		return 0;
	if (rm_grow(&j->vote, &j->vote_cap, rec->k + 1,
		    sizeof(*j->vote)) < 0)
		return -1;
	if (n > 0 && load_choices(j, rec, n) < 0)
		return -1;
	if (n == 0)
		load_votes(j, rec);
	return add_votes(j, rec, n);
}

/* ---- figures ---- */

/* Why no coefficient can be computed, NULL if one may be. */
static const char *no_chance(const struct rm_judges *j)
{
	if (j->votes < 0 && j->annotations < 0)
		return "no field votes or annotations";
	if (j->sum <= 0)
		return "there are no votes";
	if (j->larger)
		return "records of other than two responses have votes: their "
		       "places are no categories";
	if (j->unplaced)
		return "the preferred response stands first in each pair, and "
		       "no field position says where it was shown";
	return NULL;
}

static void put_coefficients(json_t *all, json_t *votes,
			     const struct rm_judges *j)
{
	static const struct {
		const char *name;
		enum rm_agreement_kind kind;
	} row[] = {
		{ "fleiss_kappa", RM_FLEISS_KAPPA },
		{ "alpha_nominal", RM_ALPHA_NOMINAL },
		{ "alpha_ordinal", RM_ALPHA_ORDINAL },
	};
	const char *why = no_chance(j), *none;
	uint64_t records;
	size_t n = rm_agreement_votes(j->agreement, &records);

	for (size_t i = 0; i < RM_COUNT(row); i++) {
		double x = rm_agreement_figure(j->agreement, row[i].kind,
					       &none);

		rm_real_or_lack(all, votes, row[i].name, why ? NAN : x,
				why ? why : none);
		if (row[i].kind != RM_FLEISS_KAPPA || why || none)
			continue;
		json_object_set_new(votes, "fleiss_votes",
				    rm_whole((double)n));
		json_object_set_new(votes, "fleiss_records",
				    rm_whole((double)records));
	}
}

static void put_cohen(json_t *all, json_t *votes, const struct rm_judges *j)
{
	const char *why = no_chance(j), *none;
	struct rm_cohen c = rm_raters_cohen(j->raters, &none);

	if (!why && j->annotations < 0)
		why = "no field annotations";
	if (!why)
		why = none;
	rm_real_or_lack(all, votes, "cohen_kappa", why ? NAN : c.mean, why);
	if (why)
		return;
	json_object_set_new(votes, "cohen_weighted", rm_real(c.weighted));
	json_object_set_new(votes, "cohen_pairs",
			    rm_whole((double)c.pairs));
	json_object_set_new(votes, "cohen_undefined",
			    rm_whole((double)c.undefined));
}

static json_t *rater_json(const struct rm_rater *r)
{
	json_t *row = json_object();

	json_object_set_new(row, "name", rm_text_json(r->name));
	json_object_set_new(row, "choices", rm_whole((double)r->choices));
	json_object_set_new(row, "compared", rm_whole((double)r->compared));
	json_object_set_new(row, "agreement", rm_real(
			    (double)r->same / (double)r->compared));
	json_object_set_new(row, "at_most", rm_real(r->at_most));
	return row;
}

/* Rows of those who agree least with the others. */
static int put_raters(json_t *all, const struct rm_judges *j)
{
	const char *why = no_chance(j), *many;
	size_t n = rm_raters_count(j->raters, &many), *order;
	json_t *rows;

	if (!why && n < 2)
		why = n ? "there is one annotator only"
			: "nobody is named as annotator";
	if (why || many) {
		rm_lack(all, "annotators", why ? why : many);
		return 0;
	}
	order = rm_malloc(n, sizeof(*order));
	if (!order)
		return -1;
	rm_raters_order(j->raters, order);
	rows = json_array();
	for (size_t i = 0; i < RM_MIN(n, (size_t)MOST_ROWS); i++) {
		struct rm_rater r = rm_raters_get(j->raters, order[i]);

		json_array_append_new(rows, rater_json(&r));
	}
	free(order);
	json_object_set_new(all, "annotators", rows);
	return 0;
}

static void put_counts(json_t *all, json_t *votes, const struct rm_judges *j,
		       uint64_t records)
{
	uint64_t repeated = rm_raters_repeated(j->raters);

	json_object_set_new(votes, "votes", rm_whole(j->sum));
	json_object_set_new(votes, "per_record", rm_real(
			    j->sum / (double)records));
	if (j->annotations >= 0)
		json_object_set_new(votes, "annotators", rm_whole(
				    rm_distinct_count(&j->annotators)));
	if (repeated)
		json_object_set_new(votes, "repeated_choices",
				    rm_whole((double)repeated));
	json_object_set_new(votes, "judged_twice",
			    rm_whole((double)j->judged));
	rm_real_or_lack(all, votes, "agreement",
			j->same / (double)j->judged,
			"no record has two votes or more");
}

int rm_judges_put(json_t *all, const struct rm_judges *j, uint64_t records)
{
	json_t *votes = json_object();

	if (j->sum > 0)
		put_counts(all, votes, j, records);
	else
		rm_lack(all, "agreement", no_chance(j));
	put_coefficients(all, votes, j);
	put_cohen(all, votes, j);
	if (json_object_size(votes))
		json_object_set_new(all, "votes", votes);
	else
		json_decref(votes);
	return put_raters(all, j);
}
