#include "pair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a field of the output needs beyond being copied or selected. */
enum role {
	PLAIN, ID, P, PROB, MARGIN, WEIGHT, SPLIT
};

static const struct {
	const char *name;
	enum role role;
} roles[] = {
	{ "id", ID }, { "p", P }, { "prob", PROB }, { "margin", MARGIN },
	{ "weight", WEIGHT }, { "split", SPLIT },
};

/* Counts whose sum and squares are still numbers. */
#define MAX_VOTES 1e100

/* Columns of extra that data sets keep the strength of a preference in. */
static const char *const strengths[] = {
	"strength", "preference_strength", "overall_preference"
};

struct rm_pairer {
	struct rm_pair_options o;
	bool pairs;			/* kind of the input */
	const char *source;
	/* Fields of the input, -1 where there is none. */
	int by, rank, votes, annotations, score, p, margin, weight, prob;
	struct rm_column strength[RM_COUNT(strengths)];
	size_t n_strength;
	struct rm_schema schema;	/* of the output */
	size_t n_in;			/* its first fields are the input's */
	enum role *role;		/* [schema.n] */

	/* The record at hand. */
	const struct rm_record *rec;
	double *value;			/* [k] lower is better, NaN missing */
	double *vote;			/* [k + 1], ties last */
	size_t *order;			/* [k] best first, missing last */
	size_t n;			/* how many are not missing */
	double record_p;		/* field p where k = 2, else NaN */
	bool has_votes, too_short, done, gave;
	size_t a, b;			/* places in order of the next pair */
	size_t pick[3];
	size_t cap;

	struct rm_pair_counts counts;
};

/* ---- which fields count ---- */

static const char *const sources[] = {
	"rank", "votes", "annotations", "score", "p"
};

bool rm_pairer_can(const struct rm_schema *schema, bool pairs)
{
	for (size_t i = 0; i < RM_COUNT(sources) && !pairs; i++)
		pairs = rm_schema_find(schema, sources[i]) >= 0;
	return pairs;
}

static int find_source(struct rm_pairer *pr, const struct rm_schema *s)
{
	pr->by = -1;
	for (size_t i = 0; i < RM_COUNT(sources); i++) {
		if (pr->pairs && i > 0)
			break;	/* the preferred stands first */
		pr->by = rm_schema_find(s, sources[i]);
		if (pr->by >= 0) {
			pr->source = sources[i];
			return 0;
		}
	}
	if (pr->pairs) {
		pr->source = "kind";
		return 0;
	}
	return rm_schema_need(s, "rank", ", votes, annotations, score or p: "
			      "nothing says which response is preferred");
}

static int find_strength(struct rm_pairer *pr, const struct rm_schema *s)
{
	size_t n = 0;

	if (pr->margin >= 0)
		return 0;
	if (rm_schema_find(s, "extra") < 0)
		return rm_schema_need(s, "margin", " for --margin strength");
	for (; n < RM_COUNT(strengths); n++) {
		if (rm_column_find(&pr->strength[n], s, strengths[n]) < 0)
			return -1;
		pr->n_strength++;
	}
	return 0;
}

static int check_options(struct rm_pairer *pr, const struct rm_schema *s)
{
	if (pr->o.as == RM_PAIR_LIST || pr->o.as == RM_PAIR_TRIPLETS) {
		if (pr->o.weight != RM_WEIGHT_FIELD)
			return rm_fail("weights are made for pairs, not for "
				       "lists or triplets");
		if (pr->o.margin != RM_MARGIN_FIELD)
			return rm_fail("margins are made for pairs, not for "
				       "lists or triplets");
	}
	if (pr->o.weight != RM_WEIGHT_FIELD && pr->annotations < 0 &&
	    !(pr->o.weight == RM_WEIGHT_AGREEMENT && pr->p >= 0) &&
	    rm_schema_need(s, "votes", " or annotations to weigh by") < 0)
		return -1;
	if (pr->o.margin == RM_MARGIN_SCORE &&
	    rm_schema_need(s, "score", " for --margin score") < 0)
		return -1;
	if (pr->o.margin == RM_MARGIN_STRENGTH)
		return find_strength(pr, s);
	return 0;
}

static bool makes_pairs(const struct rm_pairer *pr)
{
	return pr->o.as == RM_PAIR_PAIRS || pr->o.as == RM_PAIR_BEST;
}

static int add_field(struct rm_pairer *pr, const char *name, bool wanted)
{
	if (!wanted || rm_schema_find(&pr->schema, name) >= 0)
		return 0;
	return rm_schema_add(&pr->schema, name);
}

static int make_schema(struct rm_pairer *pr, const struct rm_schema *s)
{
	bool soft = makes_pairs(pr) && (pr->votes >= 0 ||
					pr->annotations >= 0 ||
					pr->o.keep_ties);

	if (rm_schema_copy(&pr->schema, s) < 0 ||
	    add_field(pr, "p", soft) < 0 ||
	    add_field(pr, "margin", pr->o.margin != RM_MARGIN_FIELD) < 0 ||
	    add_field(pr, "weight", pr->o.weight != RM_WEIGHT_FIELD) < 0 ||
	    add_field(pr, "split", pr->o.split) < 0)
		return -1;
	pr->n_in = s->n;
	pr->role = rm_calloc(pr->schema.n, sizeof(*pr->role));
	if (!pr->role)
		return -1;
	for (size_t i = 0; i < RM_COUNT(roles); i++) {
		int f = rm_schema_find(&pr->schema, roles[i].name);

		if (f >= 0)
			pr->role[f] = roles[i].role;
	}
	return 0;
}

struct rm_pairer *rm_pairer_new(const struct rm_schema *schema, bool pairs,
				const struct rm_pair_options *options)
{
	struct rm_pairer *pr = rm_calloc(1, sizeof(*pr));

	if (!pr)
		return NULL;
	if (options)
		pr->o = *options;
	pr->pairs = pairs;
	pr->rank = rm_schema_find(schema, "rank");
	pr->votes = rm_schema_find(schema, "votes");
	pr->annotations = rm_schema_find(schema, "annotations");
	pr->score = rm_schema_find(schema, "score");
	pr->p = rm_schema_find(schema, "p");
	pr->margin = rm_schema_find(schema, "margin");
	pr->weight = rm_schema_find(schema, "weight");
	pr->prob = rm_schema_find(schema, "prob");
	if (find_source(pr, schema) < 0 || check_options(pr, schema) < 0 ||
	    make_schema(pr, schema) < 0) {
		rm_pairer_free(pr);
		return NULL;
	}
	return pr;
}

void rm_pairer_free(struct rm_pairer *pr)
{
	if (!pr)
		return;
	for (size_t i = 0; i < pr->n_strength; i++)
		rm_column_fini(&pr->strength[i]);
	rm_schema_fini(&pr->schema);
	free(pr->role);
	free(pr->value);
	free(pr->vote);
	free(pr->order);
	free(pr);
}

const struct rm_schema *rm_pairer_schema(const struct rm_pairer *pr)
{
	return &pr->schema;
}

const struct rm_pair_counts *rm_pairer_counts(const struct rm_pairer *pr)
{
	return &pr->counts;
}

const char *rm_pairer_source(const struct rm_pairer *pr)
{
	return pr->source;
}

bool rm_pairer_short(const struct rm_pairer *pr)
{
	return pr->too_short;
}

const double *rm_pairer_values(const struct rm_pairer *pr)
{
	return pr->value;
}

/* ---- the record at hand: votes, values, order ---- */

static int make_room(struct rm_pairer *pr, size_t k)
{
	size_t cap;

	if (k + 1 <= pr->cap)
		return 0;
	cap = pr->cap;
	if (rm_grow(&pr->value, &cap, k + 1, sizeof(*pr->value)) < 0)
		return -1;
	cap = pr->cap;
	if (rm_grow(&pr->vote, &cap, k + 1, sizeof(*pr->vote)) < 0)
		return -1;
	cap = pr->cap;
	if (rm_grow(&pr->order, &cap, k + 1, sizeof(*pr->order)) < 0)
		return -1;
	pr->cap = cap;
	return 0;
}

/* Votes for each response, then for a tie; from annotations if need be. */
static int load_votes(struct rm_pairer *pr, const struct rm_record *rec)
{
	size_t n = rm_record_choices(rec, pr->annotations), choice;
	struct rm_slice who;

	pr->has_votes = true;
	if (pr->votes >= 0 && !rm_record_is_nil(rec, pr->votes)) {
		rm_record_f64s(rec, pr->votes, pr->vote, rec->k + 1);
		for (size_t i = 0; i <= rec->k; i++)
			if (pr->vote[i] < 0 || pr->vote[i] > MAX_VOTES)
				return rm_fail("field votes: a count of %g",
					       pr->vote[i]);
		return 0;
	}
	pr->has_votes = n > 0;
	if (!pr->has_votes)
		return 0;
	memset(pr->vote, 0, (rec->k + 1) * sizeof(*pr->vote));
	for (size_t i = 0; i < n; i++) {
		rm_record_choice_at(rec, pr->annotations, i, &who, &choice);
		pr->vote[choice]++;
	}
	return 0;
}

static int load_p(struct rm_pairer *pr, const struct rm_record *rec)
{
	pr->record_p = rec->k == 2 ? rm_record_f64(rec, pr->p) : NAN;
	if (pr->record_p < 0 || pr->record_p > 1)
		return rm_fail("field p: %g is not within [0, 1]",
			       pr->record_p);
	return 0;
}

static void negate(double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = -x[i];
}

static int values_of_p(struct rm_pairer *pr, const struct rm_record *rec)
{
	if (rec->k != 2)
		return rm_fail("field p orders two responses, not %zu",
			       rec->k);
	pr->value[0] = 1 - pr->record_p;
	pr->value[1] = pr->record_p;
	return 0;
}

static int load_values(struct rm_pairer *pr, const struct rm_record *rec)
{
	size_t k = rec->k;

	if (pr->by >= 0 && pr->by == pr->p)
		return values_of_p(pr, rec);
	if (pr->by >= 0 && (pr->by == pr->votes || pr->by == pr->annotations)) {
		for (size_t i = 0; i < k; i++)
			pr->value[i] = pr->has_votes ? -pr->vote[i] : NAN;
		return 0;
	}
	if (pr->by >= 0)
		rm_record_f64s(rec, pr->by, pr->value, k);
	if (pr->by >= 0 && pr->by == pr->score)
		negate(pr->value, k);
	if (!pr->pairs)
		return 0;
	if (k != 2)
		return rm_fail("%zu responses in a stream of pairs", k);
	if (pr->by < 0 || isnan(pr->value[0]) || isnan(pr->value[1])) {
		pr->value[0] = 0;
		pr->value[1] = 1;
	}
	return 0;
}

/* By value, equal ones as they stand in the record. */
static int compare(const void *x, const void *y, void *arg)
{
	size_t i = *(const size_t *)x, j = *(const size_t *)y;
	const double *value = arg;

	if (value[i] != value[j])
		return value[i] < value[j] ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* Those that have a value, sorted, then the rest. */
static void sort(struct rm_pairer *pr, size_t k)
{
	size_t n = 0, missing = k;

	for (size_t i = 0; i < k; i++)
		if (!isnan(pr->value[i]))
			pr->order[n++] = i;
	pr->n = n;
	for (size_t i = k; i-- > 0;)
		if (isnan(pr->value[i]))
			pr->order[--missing] = i;
	if (n == 2 && pr->value[pr->order[0]] > pr->value[pr->order[1]]) {
		size_t first = pr->order[0];

		pr->order[0] = pr->order[1];
		pr->order[1] = first;
	} else if (n > 2) {
		qsort_r(pr->order, n, sizeof(*pr->order), compare, pr->value);
	}
}

static int check_short(struct rm_pairer *pr, size_t k)
{
	static const struct {
		size_t k;
		const char *what;
	} least[] = {
		[RM_PAIR_PAIRS] = { 2, "a pair" },
		[RM_PAIR_LIST] = { 1, "a list" },
		[RM_PAIR_TRIPLETS] = { 3, "a triplet" },
		[RM_PAIR_BEST] = { 2, "a pair" },
	};

	pr->too_short = k < least[pr->o.as].k;
	if (!pr->too_short)
		return 0;
	return rm_fail("%zu response%s where %s needs %zu", k,
		       k == 1 ? "" : "s", least[pr->o.as].what,
		       least[pr->o.as].k);
}

int rm_pairer_set(struct rm_pairer *pr, const struct rm_record *rec)
{
	pr->done = true;
	if (check_short(pr, rec->k) < 0 || make_room(pr, rec->k) < 0 ||
	    load_votes(pr, rec) < 0 || load_p(pr, rec) < 0 ||
	    load_values(pr, rec) < 0)
		return -1;
	sort(pr, rec->k);
	pr->rec = rec;
	pr->done = pr->gave = false;
	pr->a = 0;
	pr->b = 1;
	return 0;
}

/* ---- pairs ---- */

/* P(i preferred to j) by the votes, NaN when there are none. */
static double vote_p(const struct rm_pairer *pr, size_t i, size_t j)
{
	double t, n;

	if (!pr->has_votes)
		return NAN;
	t = isnan(pr->vote[pr->rec->k]) ? 0 : pr->vote[pr->rec->k];
	n = pr->vote[i] + pr->vote[j] + t;
	return n > 0 ? (pr->vote[i] + t / 2) / n : NAN;
}

double rm_pairer_p(const struct rm_pairer *pr, size_t i, size_t j)
{
	if (!isnan(pr->record_p))
		return i == 0 ? pr->record_p : 1 - pr->record_p;
	return vote_p(pr, i, j);
}

static double pair_weight(const struct rm_pairer *pr, size_t i, size_t j,
			  double p)
{
	double t;

	switch (pr->o.weight) {
	case RM_WEIGHT_VOTES:
		t = pr->has_votes ? pr->vote[pr->rec->k] : NAN;
		return pr->has_votes ? pr->vote[i] + pr->vote[j] +
					       (isnan(t) ? 0 : t)
				     : NAN;
	case RM_WEIGHT_AGREEMENT:
		return fabs(2 * p - 1);
	case RM_WEIGHT_FIELD:
	default:
		return rm_record_f64(pr->rec, pr->weight);
	}
}

/* The absolute value of the first strength that the record states. */
static double strength(const struct rm_pairer *pr)
{
	double x = NAN;

	if (pr->rec->k != 2)
		return NAN;
	if (pr->margin >= 0)
		return fabs(rm_record_f64(pr->rec, pr->margin));
	for (size_t i = 0; i < pr->n_strength && isnan(x); i++)
		x = rm_column_number(&pr->strength[i], pr->rec);
	return fabs(x);
}

static double pair_margin(const struct rm_pairer *pr, size_t i, size_t j)
{
	switch (pr->o.margin) {
	case RM_MARGIN_SCORE:
		return rm_record_f64_at(pr->rec, pr->score, i) -
		       rm_record_f64_at(pr->rec, pr->score, j);
	case RM_MARGIN_STRENGTH:
		return strength(pr);
	case RM_MARGIN_FIELD:
	default:
		return pr->rec->k == 2 ? rm_record_f64(pr->rec, pr->margin)
				       : NAN;
	}
}

/* Equal, and nothing says which of the two is likelier; p is theirs. */
static bool is_tie(const struct rm_pairer *pr, size_t i, size_t j, double p)
{
	return pr->value[i] == pr->value[j] && isnan(pr->record_p) &&
	       !(p < .5 || p > .5);
}

/*
 * The pair of the responses at places a < b of the order; false for a tie
 * that is to be dropped.
 */
static bool make_pair(struct rm_pairer *pr, size_t a, size_t b,
		      struct rm_pair *out)
{
	size_t i = pr->order[a], j = pr->order[b];
	double p = rm_pairer_p(pr, i, j);

	out->tie = is_tie(pr, i, j, p);
	pr->counts.ties += out->tie;
	if (out->tie && !pr->o.keep_ties)
		return false;
	if (out->tie)
		p = .5;
	if (pr->value[i] == pr->value[j] && p < .5) {
		i = pr->order[b];
		j = pr->order[a];
		p = rm_pairer_p(pr, i, j);
	}
	pr->pick[0] = i;
	pr->pick[1] = j;
	out->n = 2;
	out->p = p;
	out->margin = pair_margin(pr, i, j);
	out->weight = pair_weight(pr, i, j, p);
	return true;
}

static bool next_pair(struct rm_pairer *pr, struct rm_pair *out)
{
	size_t last = pr->o.as == RM_PAIR_BEST ? RM_MIN(pr->n, 1) : pr->n;

	for (;;) {
		if (pr->b >= pr->n) {
			pr->a++;
			pr->b = pr->a + 1;
		}
		if (pr->a >= last || pr->b >= pr->n)
			return false;
		if (make_pair(pr, pr->a, pr->b++, out))
			return true;
	}
}

static uint64_t pairs_of(uint64_t n)
{
	return n > 0 ? n * (n - 1) / 2 : 0;
}

static uint64_t missing_pairs(const struct rm_pairer *pr)
{
	if (pr->o.as == RM_PAIR_BEST)
		return pr->rec->k - RM_MAX(pr->n, 1);
	return pairs_of(pr->rec->k) - pairs_of(pr->n);
}

/* ---- lists and triplets: one of a record at most ---- */

static double value_at(const struct rm_pairer *pr, size_t place)
{
	return pr->value[pr->order[place]];
}

static bool give(struct rm_pairer *pr, struct rm_pair *out, bool tie)
{
	pr->counts.ties += tie;
	out->tie = tie;
	out->p = pr->record_p;
	if (pr->order[0] != 0)	/* k = 2 where it matters */
		out->p = 1 - out->p;
	out->margin = NAN;
	out->weight = rm_record_f64(pr->rec, pr->weight);
	return !tie || pr->o.keep_ties;
}

/* Two of equal value: a tie, or the likelier one first. */
static bool list_of_two(struct rm_pairer *pr)
{
	size_t i = pr->order[0], j = pr->order[1];
	double p = rm_pairer_p(pr, i, j);

	if (p < .5) {
		pr->order[0] = j;
		pr->order[1] = i;
	}
	return is_tie(pr, i, j, p);
}

static bool make_list(struct rm_pairer *pr, struct rm_pair *out)
{
	size_t k = pr->rec->k;
	bool tie;

	if (pr->n == 0 || (pr->n == 1 && k > 1)) {
		pr->counts.missing++;
		return false;
	}
	tie = k > 1 && value_at(pr, 0) == value_at(pr, pr->n - 1);
	if (tie && k == 2)
		tie = list_of_two(pr);
	out->n = k;
	out->pick = pr->order;
	return give(pr, out, tie);
}

/* The best, the one halfway between, the worst; strictly if there is one. */
static bool make_triplet(struct rm_pairer *pr, struct rm_pair *out)
{
	size_t lo = 1, hi, mid;
	bool tie;

	if (pr->n < 3) {
		pr->counts.missing++;
		return false;
	}
	hi = pr->n - 2;
	while (lo <= hi && value_at(pr, lo) == value_at(pr, 0))
		lo++;
	while (hi >= lo && value_at(pr, hi) == value_at(pr, pr->n - 1))
		hi--;
	tie = lo > hi;
	mid = tie ? (pr->n - 1) / 2 : (lo + hi) / 2;
	pr->pick[0] = pr->order[0];
	pr->pick[1] = pr->order[mid];
	pr->pick[2] = pr->order[pr->n - 1];
	out->n = 3;
	return give(pr, out, tie);
}

bool rm_pairer_next(struct rm_pairer *pr, struct rm_pair *out)
{
	bool made;

	if (pr->done)
		return false;
	out->pick = pr->pick;
	if (makes_pairs(pr)) {
		made = next_pair(pr, out);
		pr->done = !made;
		if (!made)
			pr->counts.missing += missing_pairs(pr);
	} else {
		made = pr->o.as == RM_PAIR_LIST ? make_list(pr, out)
						: make_triplet(pr, out);
		pr->done = true;
	}
	if (!made && !pr->gave)
		pr->counts.barren++;
	pr->gave = pr->gave || made;
	pr->counts.made += made;
	return made;
}

/* ---- writing ---- */

static bool as_it_stands(const struct rm_pairer *pr,
			 const struct rm_pair *pair)
{
	if (pair->n != pr->rec->k)
		return false;
	for (size_t i = 0; i < pair->n; i++)
		if (pair->pick[i] != i)
			return false;
	return true;
}

static bool same_number(double x, double y)
{
	return x == y || (isnan(x) && isnan(y));
}

bool rm_pairer_same(const struct rm_pairer *pr, const struct rm_pair *pair)
{
	return pr->schema.n == pr->n_in && !pr->o.split &&
	       pr->o.weight == RM_WEIGHT_FIELD &&
	       pr->o.margin == RM_MARGIN_FIELD && as_it_stands(pr, pair) &&
	       same_number(pair->p, rm_record_f64(pr->rec, pr->p));
}

static void put_id(const struct rm_pairer *pr, const struct rm_pair *pair,
		   size_t f, struct rm_buf *out)
{
	struct rm_slice id = rm_record_bytes(pr->rec, (int)f);
	struct rm_buf text = {0};

	if (pair->n == pr->rec->k || !id.data) {
		rm_put_raw(out, pr->rec->field[f]);
		return;
	}
	rm_buf_append(&text, id.data, id.len);
	for (size_t i = 0; i < pair->n; i++)
		rm_buf_printf(&text, "%c%zu", i ? '-' : '#', pair->pick[i]);
	out->failed = out->failed || text.failed;
	rm_put_str(out, text.data, text.len);
	rm_buf_fini(&text);
}

/* A model's P(first preferred), turned with the pair. */
static double prob(const struct rm_pairer *pr, const struct rm_pair *pair)
{
	double x = rm_record_f64(pr->rec, pr->prob);

	if (pr->rec->k != 2)
		return NAN;
	return pair->pick[0] == 0 ? x : 1 - x;
}

static void put_field(const struct rm_pairer *pr, const struct rm_pair *pair,
		      size_t f, const char *split, struct rm_buf *out)
{
	enum role role = pr->role[f];

	if (role == SPLIT && pr->o.split) {
		if (split)
			rm_put_str(out, split, strlen(split));
		else
			rm_put_nil(out);
	} else if (role == ID) {
		put_id(pr, pair, f, out);
	} else if (role == P) {
		rm_put_f64(out, pair->p);
	} else if (role == PROB) {
		rm_put_f64(out, prob(pr, pair));
	} else if (role == MARGIN &&
		   (makes_pairs(pr) || pair->n < pr->rec->k)) {
		rm_put_f64(out, pair->margin);
	} else if (role == WEIGHT) {
		rm_put_f64(out, pair->weight);
	} else {
		rm_put_selected(out, pr->rec, f, pair->pick, pair->n);
	}
}

void rm_pairer_put(const struct rm_pairer *pr, const struct rm_pair *pair,
		   const char *split, struct rm_buf *out)
{
	bool whole = as_it_stands(pr, pair);

	rm_put_array(out, pr->schema.n);
	for (size_t f = 0; f < pr->schema.n; f++) {
		if (whole && pr->role[f] == PLAIN)
			rm_put_raw(out, pr->rec->field[f]);
		else
			put_field(pr, pair, f, split, out);
	}
}
