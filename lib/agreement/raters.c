/* Annotators by name: pairs of them, and each against the rest. */
#include "agreement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NAME 256
#define Z95 1.959963984540054	/* of the normal distribution, two sides */

struct rater {
	char *name;
	size_t len, full;	/* as kept, as given */
	uint64_t hash;
	uint64_t choices, compared, same;
	uint64_t last;		/* the record it chose in last */
};

/* Open addressing: index + 1 by hash, 0 empty; at most half full. */
struct places {
	uint32_t *at;
	size_t cap;		/* 0 or a power of two */
};

struct rm_raters {
	size_t C;
	struct rater *item;
	size_t n, cap;
	struct places by_name;

	uint64_t *pair;		/* the smaller index << 32 | the larger */
	uint32_t *table;	/* [n_pairs][C][C], the smaller's first */
	size_t n_pairs, pair_cap, table_cap;
	struct places by_pair;

	uint64_t records, repeated;
	bool too_many, too_many_pairs, too_wide;
	/* The record at hand: annotators, their choices. */
	uint32_t *now;
	size_t *chosen;
	size_t now_cap, chosen_cap;
};

struct rm_raters *rm_raters_new(size_t categories)
{
	struct rm_raters *r;

	if (categories < 2 || categories > RM_MOST_CATEGORIES)
		return rm_fail_null("annotators with %zu categories, not 2 to "
				    "%d", categories, RM_MOST_CATEGORIES);
	r = rm_calloc(1, sizeof(*r));
	if (r)
		r->C = categories;
	return r;
}

void rm_raters_free(struct rm_raters *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->item[i].name);
	free(r->item);
	free(r->by_name.at);
	free(r->pair);
	free(r->table);
	free(r->by_pair.at);
	free(r->now);
	free(r->chosen);
	free(r);
}

/* ---- places ---- */

static uint64_t mix(uint64_t x)
{
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 32;
}

/*
 * An empty table for n + 1 of them when this one is full: true, and it is
 * for the caller to put all back; false with *status -1 on no memory.
 */
static bool outgrown(struct places *p, size_t n, int *status)
{
	size_t cap = p->cap ? 2 * p->cap : 256;
	uint32_t *at;

	*status = 0;
	if (2 * (n + 1) <= p->cap)
		return false;
	at = rm_calloc(cap, sizeof(*at));
	if (!at) {
		*status = -1;
		return false;
	}
	free(p->at);
	p->at = at;
	p->cap = cap;
	return true;
}

static void put(struct places *p, uint64_t hash, size_t index)
{
	size_t mask = p->cap - 1, i = mix(hash) & mask;

	while (p->at[i])
		i = (i + 1) & mask;
	p->at[i] = (uint32_t)index + 1;
}

/* ---- annotators ---- */

static bool find_rater(const struct rm_raters *r, uint64_t hash, size_t len,
		       uint32_t *index)
{
	const struct places *p = &r->by_name;
	size_t mask = p->cap - 1;

	for (size_t i = mix(hash) & mask; p->cap && p->at[i];
	     i = (i + 1) & mask) {
		*index = p->at[i] - 1;
		if (r->item[*index].hash == hash &&
		    r->item[*index].full == len)
			return true;
	}
	return false;
}

static int add_rater(struct rm_raters *r, struct rm_slice name, uint64_t hash)
{
	struct rater *new;
	int status;

	if (rm_grow(&r->item, &r->cap, r->n + 1, sizeof(*r->item)) < 0)
		return -1;
	if (outgrown(&r->by_name, r->n, &status))
		for (size_t i = 0; i < r->n; i++)
			put(&r->by_name, r->item[i].hash, i);
	if (status < 0)
		return -1;
	new = &r->item[r->n];
	*new = (struct rater){
		.len = RM_MIN(name.len, (size_t)LONGEST_NAME),
		.full = name.len, .hash = hash
	};
	new->name = rm_strndup((const char *)name.data, new->len);
	if (!new->name)
		return -1;
	put(&r->by_name, hash, r->n++);
	return 0;
}

/* 1 and its index; 0 when there are too many; -1 on no memory. */
static int rater_of(struct rm_raters *r, struct rm_slice name,
		    uint32_t *index)
{
	uint64_t hash = rm_hash64(name.data, name.len);

	if (find_rater(r, hash, name.len, index))
		return 1;
	if (r->n >= RM_MOST_RATERS) {
		r->too_many = true;
		return 0;
	}
	*index = (uint32_t)r->n;
	return add_rater(r, name, hash) < 0 ? -1 : 1;
}

/* ---- pairs of annotators ---- */

static uint32_t *find_pair(const struct rm_raters *r, uint64_t key)
{
	const struct places *p = &r->by_pair;
	size_t mask = p->cap - 1;

	for (size_t i = mix(key) & mask; p->cap && p->at[i];
	     i = (i + 1) & mask)
		if (r->pair[p->at[i] - 1] == key)
			return r->table + (p->at[i] - 1) * r->C * r->C;
	return NULL;
}

static uint32_t *add_pair(struct rm_raters *r, uint64_t key)
{
	size_t cells = r->C * r->C;
	int status;

	if (rm_grow(&r->pair, &r->pair_cap, r->n_pairs + 1,
		    sizeof(*r->pair)) < 0 ||
	    rm_grow(&r->table, &r->table_cap, (r->n_pairs + 1) * cells,
		    sizeof(*r->table)) < 0)
		return NULL;
	if (outgrown(&r->by_pair, r->n_pairs, &status))
		for (size_t i = 0; i < r->n_pairs; i++)
			put(&r->by_pair, r->pair[i], i);
	if (status < 0)
		return NULL;
	r->pair[r->n_pairs] = key;
	memset(r->table + r->n_pairs * cells, 0, cells * sizeof(*r->table));
	put(&r->by_pair, key, r->n_pairs);
	return r->table + r->n_pairs++ * cells;
}

static int count_pair(struct rm_raters *r, size_t i, size_t j)
{
	size_t low = r->now[i] < r->now[j] ? i : j, high = i + j - low;
	uint64_t key = (uint64_t)r->now[low] << 32 | r->now[high];
	uint32_t *table = find_pair(r, key);

	if (!table && r->n_pairs >= RM_MOST_RATER_PAIRS) {
		r->too_many_pairs = true;
		return 0;
	}
	if (!table)
		table = add_pair(r, key);
	if (!table)
		return -1;
	table[r->chosen[low] * r->C + r->chosen[high]]++;
	return 0;
}

static int count_pairs(struct rm_raters *r, size_t n)
{
	if (n > RM_MOST_AT_ONCE) {
		r->too_wide = true;
		return 0;
	}
	for (size_t j = 1; j < n && !r->too_many_pairs; j++)
		for (size_t i = 0; i < j; i++)
			if (count_pair(r, i, j) < 0)
				return -1;
	return 0;
}

/* ---- a record ---- */

/* The category with most votes but one of `own`; C where several have. */
static size_t majority(const uint64_t *votes, size_t C, size_t own)
{
	uint64_t most = 0;
	size_t best = C;

	for (size_t c = 0; c < C; c++) {
		uint64_t v = votes[c] - (c == own);

		if (v == most)
			best = C;
		if (v > most)
			best = c;
		most = RM_MAX(most, v);
	}
	return best;
}

static void compare(struct rm_raters *r, const uint64_t *votes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rater *who = &r->item[r->now[i]];
		size_t rest = majority(votes, r->C, r->chosen[i]);

		who->choices++;
		who->compared += rest < r->C;
		who->same += rest == r->chosen[i];
	}
}

/* Into now[*n] unless it is there; 1 when this choice counts. */
static int take(struct rm_raters *r, struct rm_slice name, size_t category,
		size_t *n)
{
	uint32_t index;
	int got = name.data ? rater_of(r, name, &index) : 0;

	if (got <= 0)
		return got < 0 ? -1 : 1;
	if (r->item[index].last == r->records) {
		r->repeated++;
		return 0;
	}
	r->item[index].last = r->records;
	r->now[*n] = index;
	r->chosen[(*n)++] = category;
	return 1;
}

int rm_raters_add(struct rm_raters *r, const struct rm_slice *who,
		  const size_t *category, size_t n)
{
	uint64_t votes[RM_MOST_CATEGORIES] = {0};
	size_t known = 0;
	int counts;

	if (rm_grow(&r->now, &r->now_cap, n, sizeof(*r->now)) < 0 ||
	    rm_grow(&r->chosen, &r->chosen_cap, n, sizeof(*r->chosen)) < 0)
		return -1;
	r->records++;
	for (size_t i = 0; i < n; i++) {
		counts = take(r, who[i], category[i], &known);
		if (counts < 0)
			return -1;
		votes[category[i]] += (unsigned int)counts;
	}
	compare(r, votes, known);
	return count_pairs(r, known);
}

/* ---- figures ---- */

size_t rm_raters_count(const struct rm_raters *r, const char **why)
{
	*why = r->too_many ? "more than 65536 annotators" : NULL;
	return r->n;
}

uint64_t rm_raters_repeated(const struct rm_raters *r)
{
	return r->repeated;
}

static const char *no_cohen(const struct rm_raters *r)
{
	if (r->n == 0)
		return "nobody is named as annotator";
	if (r->n == 1)
		return "there is one annotator only";
	if (r->too_many)
		return "more than 65536 annotators";
	if (r->too_many_pairs)
		return "more than 1048576 pairs of annotators have records "
		       "in common";
	if (r->too_wide)
		return "a record has more than 256 annotators";
	if (r->n_pairs == 0)
		return "no two annotators have a record in common";
	return NULL;
}

static double shared(const uint32_t *table, size_t cells)
{
	double n = 0;

	for (size_t i = 0; i < cells; i++)
		n += table[i];
	return n;
}

struct rm_cohen rm_raters_cohen(const struct rm_raters *r, const char **why)
{
	struct rm_cohen c = { NAN, NAN, 0, 0 };
	size_t cells = r->C * r->C;
	double sum = 0, weighted = 0, weights = 0;
	const char *undefined;

	*why = no_cohen(r);
	for (size_t i = 0; i < r->n_pairs && !*why; i++) {
		const uint32_t *table = r->table + i * cells;
		double kappa = rm_cohen_kappa(table, r->C, &undefined);

		c.pairs += !undefined;
		c.undefined += undefined != NULL;
		if (undefined)
			continue;
		sum += kappa;
		weighted += kappa * shared(table, cells);
		weights += shared(table, cells);
	}
	if (!*why && c.pairs == 0)
		*why = "each pair of annotators always says the same one "
		       "thing";
	c.mean = sum / (double)c.pairs;
	c.weighted = weighted / weights;
	return c;
}

static double wilson_upper(double same, double n)
{
	double p = same / n, z2 = Z95 * Z95;

	return (p + z2 / (2 * n) +
		Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))) /
	       (1 + z2 / n);
}

struct rm_rater rm_raters_get(const struct rm_raters *r, size_t i)
{
	const struct rater *one = &r->item[i];

	return (struct rm_rater){
		.name = { (const unsigned char *)one->name, one->len },
		.choices = one->choices, .compared = one->compared,
		.same = one->same,
		.at_most = one->compared ? wilson_upper((double)one->same,
						(double)one->compared) : NAN,
	};
}

static int by_at_most(const void *x, const void *y, void *arg)
{
	const struct rm_raters *r = arg;
	struct rm_rater a = rm_raters_get(r, *(const size_t *)x);
	struct rm_rater b = rm_raters_get(r, *(const size_t *)y);
	double p = isnan(a.at_most) ? 2 : a.at_most;
	double q = isnan(b.at_most) ? 2 : b.at_most;
	int name;

	if (p < q || p > q)
		return p < q ? -1 : 1;
	name = memcmp(a.name.data, b.name.data,
		      RM_MIN(a.name.len, b.name.len));
	if (name)
		return name;
	return a.name.len < b.name.len ? -1 : a.name.len > b.name.len;
}

void rm_raters_order(const struct rm_raters *r, size_t *order)
{
	for (size_t i = 0; i < r->n; i++)
		order[i] = i;
	qsort_r(order, r->n, sizeof(*order), by_at_most,
		(void *)(uintptr_t)r);
}
