#include "pair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers in buckets ---- */

enum {
	EXACT = 256,		/* smaller numbers have a bucket each */
	STEPS = 128,		/* buckets to a power of two above */
	BUCKETS = EXACT + STEPS * (31 - 8)
};

/* Counts of non-negative int32; wider ones are < 1 % wide. */
struct histogram {
	uint64_t n, count[BUCKETS];
	double sum;
	int32_t min, max;
};

static int log2_of(uint32_t x)
{
	return 31 - __builtin_clz(x);
}

static size_t bucket_of(uint32_t x)
{
	int e;

	if (x < EXACT)
		return x;
	e = log2_of(x);
	return (size_t)(EXACT + (e - 8) * STEPS) +
	       ((x >> (e - 7)) & (STEPS - 1));
}

/* The middle of bucket i. */
static double bucket_value(size_t i)
{
	double width;

	if (i < EXACT)
		return (double)i;
	i -= EXACT;
	width = ldexp(1, (int)(i / STEPS) + 1);
	return ((double)(i % STEPS + STEPS) + .5) * width;
}

static void add_number(struct histogram *h, int32_t x)
{
	x = RM_MAX(x, 0);
	h->min = h->n ? RM_MIN(h->min, x) : x;
	h->max = h->n ? RM_MAX(h->max, x) : x;
	h->count[bucket_of((uint32_t)x)]++;
	h->sum += x;
	h->n++;
}

/* The smallest number that a share q of all do not exceed. */
static double quantile(const struct histogram *h, double q)
{
	double need = fmax(1, ceil(q * (double)h->n)), seen = 0;
	size_t i = 0;

	if (q <= 0 || q >= 1)
		return q <= 0 ? h->min : h->max;
	while (i + 1 < BUCKETS && (seen += (double)h->count[i]) < need)
		i++;
	return fmin(fmax(bucket_value(i), h->min), h->max);
}

/* ---- how many different ones ---- */

enum { MOST_DISTINCT = 1 << 20 };

/*
 * Wegman's adaptive sampling: keeps the hashes that end in `level` zero
 * bits, and takes one bit more whenever they become too many.
 */
struct distinct {
	struct rm_keys keys;
	unsigned int level;
};

static bool sampled(const struct distinct *d, uint64_t hash)
{
	return (hash & ((UINT64_C(1) << d->level) - 1)) == 0;
}

static int thin(struct distinct *d)
{
	struct distinct less = { .level = d->level + 1 };

	less.keys.zero = d->keys.zero;
	for (size_t i = 0; i < d->keys.cap; i++)
		if (d->keys.slot[i] && sampled(&less, d->keys.slot[i]) &&
		    rm_keys_add(&less.keys, d->keys.slot[i]) < 0) {
			rm_keys_fini(&less.keys);
			return -1;
		}
	rm_keys_fini(&d->keys);
	*d = less;
	return 0;
}

static int add_distinct(struct distinct *d, const void *data, size_t n)
{
	uint64_t hash = rm_hash64(data, n);

	if (!sampled(d, hash))
		return 0;
	if (rm_keys_add(&d->keys, hash) < 0)
		return -1;
	return d->keys.n > MOST_DISTINCT ? thin(d) : 0;
}

static double count_distinct(const struct distinct *d)
{
	return ldexp((double)(d->keys.n + d->keys.zero), (int)d->level);
}

/* ---- counts by name ---- */

enum { MOST_NAMES = 1000, PLACES = 4096 };

struct tally {
	uint64_t records, responses, pairs, ties;
	double longer;		/* chosen is longer 1, as long 1/2 */
};

struct named {
	char *name;
	size_t len;
	struct tally tally;
};

/* At most MOST_NAMES of them, the rest as one. */
struct names {
	size_t n;
	struct named *item;
	size_t cap;
	uint16_t place[PLACES];	/* by hash: index + 1; 0 is empty */
};

/* The place of a name, or the empty one where it belongs. */
static size_t look_up(const struct names *t, const void *name, size_t len)
{
	size_t at = rm_hash64(name, len) % PLACES;

	for (; t->place[at]; at = (at + 1) % PLACES) {
		const struct named *here = &t->item[t->place[at] - 1];

		if (here->len == len && !memcmp(here->name, name, len))
			break;
	}
	return at;
}

static struct tally *tally_of(struct names *t, const void *name, size_t len)
{
	static const char others[] = "(others)";
	size_t at = look_up(t, name, len);

	if (!t->place[at] && t->n >= MOST_NAMES) {
		name = others;
		len = sizeof(others) - 1;
		at = look_up(t, name, len);
	}
	if (t->place[at])
		return &t->item[t->place[at] - 1].tally;
	if (rm_grow(&t->item, &t->cap, t->n + 1, sizeof(*t->item)) < 0)
		return NULL;
	memset(&t->item[t->n], 0, sizeof(*t->item));
	t->item[t->n].name = rm_strndup(name, len);
	if (!t->item[t->n].name)
		return NULL;
	t->item[t->n].len = len;
	t->place[at] = (uint16_t)++t->n;
	return &t->item[t->n - 1].tally;
}

static void free_names(struct names *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->item[i].name);
	free(t->item);
}

/* ---- all figures ---- */

static const char *const label_fields[] = {
	"rank", "score", "votes", "annotations", "p", "margin", "weight",
	"attributes", "teacher", "reward"
};

enum { MOST_K = 64 };

struct rm_stats {
	struct rm_schema schema;
	bool pairs;
	struct rm_pairer *pairer;	/* NULL: no labels */
	int id, key, subset, votes, annotations, length, n_tokens;
	int label[RM_COUNT(label_fields)];
	uint64_t labelled[RM_COUNT(label_fields)];

	struct tally all;
	struct names subsets, splits;
	struct distinct keys, annotators;
	struct histogram lengths, tokens, prompt_tokens, ks;
	uint64_t k_count[MOST_K + 2], keyed, empty;
	uint64_t compared, below_half, short_groups;

	/* Fleiss: sums over records with two votes or more. */
	uint64_t judged, annotations_seen;
	double votes_seen, agreement, category[3];
	bool kappa;		/* all of them had k = 2 */

	double *vote;
	struct rm_slice *slice;
	size_t vote_cap, slice_cap;
	int prompt, responses, texts;
};

struct rm_stats *rm_stats_new(const struct rm_schema *schema, bool pairs)
{
	struct rm_stats *s = rm_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (rm_schema_copy(&s->schema, schema) < 0) {
		rm_stats_free(s);
		return NULL;
	}
	s->pairs = pairs;
	s->kappa = true;
	s->key = rm_schema_find(schema, "key");
	s->subset = rm_schema_find(schema, "subset");
	s->votes = rm_schema_find(schema, "votes");
	s->annotations = rm_schema_find(schema, "annotations");
	s->length = rm_schema_find(schema, "length");
	s->n_tokens = rm_schema_find(schema, "n_tokens");
	s->prompt = rm_schema_find(schema, "prompt");
	s->responses = rm_schema_find(schema, "responses");
	s->texts = rm_schema_find(schema, "response_texts");
	for (size_t i = 0; i < RM_COUNT(label_fields); i++)
		s->label[i] = rm_schema_find(schema, label_fields[i]);
	s->pairer = rm_pairer_new(&s->schema, pairs, NULL);
	if (!s->pairer)
		rm_error_clear();	/* data without labels has figures too */
	return s;
}

void rm_stats_free(struct rm_stats *s)
{
	if (!s)
		return;
	rm_pairer_free(s->pairer);
	rm_schema_fini(&s->schema);
	free_names(&s->subsets);
	free_names(&s->splits);
	rm_keys_fini(&s->keys.keys);
	rm_keys_fini(&s->annotators.keys);
	free(s->vote);
	free(s->slice);
	free(s);
}

/* ---- adding a record ---- */

/* -1, 0, 1: the first is shorter, as long, longer. */
static int compare_lengths(const struct rm_stats *s,
			   const struct rm_record *rec, const size_t *pick)
{
	int f = s->length >= 0 ? s->length : s->n_tokens;
	int32_t a = rm_record_i32_at(rec, f, pick[0]);
	int32_t b = rm_record_i32_at(rec, f, pick[1]);

	return (a > b) - (a < b);
}

static int add_pairs(struct rm_stats *s, const struct rm_record *rec,
		     struct tally *t)
{
	const struct rm_pair_counts *c;
	struct rm_pair pair;
	uint64_t ties;

	if (!s->pairer)
		return 0;
	c = rm_pairer_counts(s->pairer);
	ties = c->ties;
	if (rm_pairer_set(s->pairer, rec) < 0) {
		if (!rm_pairer_short(s->pairer))
			return -1;
		s->short_groups++;
		return 0;
	}
	while (rm_pairer_next(s->pairer, &pair)) {
		t->pairs++;
		t->longer += .5 + .5 * compare_lengths(s, rec, pair.pick);
		s->below_half += pair.p < .5;
	}
	t->ties += c->ties - ties;
	return 0;
}

static void add_votes_field(struct rm_stats *s, const struct rm_record *rec)
{
	rm_record_f64s(rec, s->votes, s->vote, rec->k + 1);
	for (size_t i = 0; i <= rec->k; i++)
		if (isnan(s->vote[i]))
			s->vote[i] = 0;
}

static int add_annotations(struct rm_stats *s, const struct rm_record *rec)
{
	size_t n = rm_record_choices(rec, s->annotations), choice;
	struct rm_slice who;

	memset(s->vote, 0, (rec->k + 1) * sizeof(*s->vote));
	for (size_t i = 0; i < n; i++) {
		rm_record_choice_at(rec, s->annotations, i, &who, &choice);
		s->vote[choice]++;
		s->annotations_seen++;
		if (who.data &&
		    add_distinct(&s->annotators, who.data, who.len) < 0)
			return -1;
	}
	return 0;
}

/* P_i = sum_c v_c (v_c - 1) / (v (v - 1)), Fleiss 1971. */
static void add_agreement(struct rm_stats *s, size_t k)
{
	double n = 0, same = 0;

	for (size_t i = 0; i <= k; i++) {
		n += s->vote[i];
		same += s->vote[i] * (s->vote[i] - 1);
	}
	s->votes_seen += n;
	if (n < 2)
		return;
	s->judged++;
	s->agreement += same / (n * (n - 1));
	s->kappa = s->kappa && k == 2;
	for (size_t i = 0; s->kappa && i < 3; i++)
		s->category[i] += s->vote[i];
}

static int add_votes(struct rm_stats *s, const struct rm_record *rec)
{
	bool annotated = !rm_record_is_nil(rec, s->annotations);

	if (!annotated && rm_record_is_nil(rec, s->votes))
		return 0;
	if (rm_grow(&s->vote, &s->vote_cap, rec->k + 1, sizeof(*s->vote)) < 0)
		return -1;
	if (annotated && add_annotations(s, rec) < 0)
		return -1;
	if (!annotated)
		add_votes_field(s, rec);
	add_agreement(s, rec->k);
	return 0;
}

/* No characters; where neither lengths nor texts are known, no ids. */
static int count_empty(struct rm_stats *s, const struct rm_record *rec)
{
	int f = s->texts >= 0 ? s->texts : s->responses;

	if (s->length >= 0) {
		for (size_t i = 0; i < rec->k; i++)
			s->empty += rm_record_i32_at(rec, s->length, i) == 0;
		return 0;
	}
	if (f < 0)
		return 0;
	if (rm_grow(&s->slice, &s->slice_cap, rec->k, sizeof(*s->slice)) < 0)
		return -1;
	rm_record_elements(rec, f, s->slice);
	for (size_t i = 0; i < rec->k; i++)
		s->empty += s->slice[i].len == 0;
	return 0;
}

static int add_responses(struct rm_stats *s, const struct rm_record *rec)
{
	for (size_t i = 0; i < rec->k; i++) {
		if (s->length >= 0)
			add_number(&s->lengths, rm_record_i32_at(
				   rec, s->length, i));
		if (s->n_tokens >= 0)
			add_number(&s->tokens, rm_record_i32_at(
				   rec, s->n_tokens, i));
	}
	if (s->prompt >= 0)
		add_number(&s->prompt_tokens, (int32_t)
			   (rm_record_bytes(rec, s->prompt).len / 4));
	return count_empty(s, rec);
}

static int add_named(struct rm_stats *s, const struct rm_record *rec,
		     const char *split, struct tally *one)
{
	struct rm_slice subset = rm_record_bytes(rec, s->subset);
	struct tally *t[3] = { &s->all, NULL, NULL };

	if (subset.data &&
	    !(t[1] = tally_of(&s->subsets, subset.data, subset.len)))
		return -1;
	if (split && !(t[2] = tally_of(&s->splits, split, strlen(split))))
		return -1;
	for (size_t i = 0; i < RM_COUNT(t); i++) {
		if (!t[i])
			continue;
		t[i]->records++;
		t[i]->responses += rec->k;
		t[i]->pairs += one->pairs;
		t[i]->ties += one->ties;
		t[i]->longer += one->longer;
	}
	return 0;
}

int rm_stats_add(struct rm_stats *s, const struct rm_record *rec,
		 const char *split)
{
	struct tally one = {0};
	uint64_t key;

	for (size_t i = 0; i < RM_COUNT(label_fields); i++)
		s->labelled[i] += !rm_record_is_nil(rec, s->label[i]);
	s->k_count[RM_MIN(rec->k, (size_t)MOST_K + 1)]++;
	add_number(&s->ks, (int32_t)RM_MIN(rec->k, (size_t)INT32_MAX));
	if (!rm_record_is_nil(rec, s->key)) {
		key = rm_record_u64(rec, s->key);
		s->keyed++;
		if (add_distinct(&s->keys, &key, sizeof(key)) < 0)
			return -1;
	}
	if (add_pairs(s, rec, &one) < 0 || add_votes(s, rec) < 0 ||
	    add_responses(s, rec) < 0)
		return -1;
	return add_named(s, rec, split, &one);
}

/* ---- figures as JSON ---- */

static json_t *whole(double x)
{
	return json_integer((json_int_t)x);
}

static json_t *rounded(double x)
{
	return isfinite(x) ? json_real(round(x * 1e4) / 1e4) : json_null();
}

static json_t *json_counts(const struct rm_stats *s)
{
	json_t *counts = json_object();
	char name[24];

	for (size_t k = 0; k <= MOST_K + 1; k++) {
		if (s->k_count[k] == 0)
			continue;
		snprintf(name, sizeof(name), k > MOST_K ? ">%d" : "%d",
			 (int)RM_MIN(k, (size_t)MOST_K));
		json_object_set_new(counts, name, whole(
				    (double)s->k_count[k]));
	}
	return counts;
}

static json_t *json_quantiles(const struct histogram *h)
{
	static const struct {
		const char *name;
		double q;
	} row[] = {
		{ "min", 0 }, { "p5", .05 }, { "p25", .25 },
		{ "median", .5 }, { "p75", .75 }, { "p95", .95 },
		{ "p99", .99 }, { "max", 1 }
	};
	json_t *object = json_object();

	json_object_set_new(object, "mean", rounded(h->sum / (double)h->n));
	for (size_t i = 0; i < RM_COUNT(row); i++)
		json_object_set_new(object, row[i].name,
				    whole(quantile(h, row[i].q)));
	json_object_set_new(object, "sum", whole(h->sum));
	return object;
}

static json_t *json_labels(const struct rm_stats *s)
{
	json_t *labels = json_object();

	for (size_t i = 0; i < RM_COUNT(label_fields); i++)
		if (s->label[i] >= 0)
			json_object_set_new(labels, label_fields[i], whole(
					    (double)s->labelled[i]));
	return labels;
}

static void set_tally(json_t *object, const struct rm_stats *s,
		      const struct tally *t)
{
	json_object_set_new(object, "records", whole((double)t->records));
	json_object_set_new(object, "responses", whole((double)t->responses));
	json_object_set_new(object, "pairs", whole((double)t->pairs));
	json_object_set_new(object, "ties", whole((double)t->ties));
	if (s->length >= 0 || s->n_tokens >= 0)
		json_object_set_new(object, "longer_chosen", rounded(
				    t->longer / (double)t->pairs));
}

static int by_name(const void *x, const void *y)
{
	const struct named *a = x, *b = y;

	return strcmp(a->name, b->name);
}

/* Rows in the order of their names; NULL on no memory. */
static json_t *json_names(const struct rm_stats *s, const struct names *t)
{
	struct named *order = rm_malloc(t->n, sizeof(*order));
	json_t *rows = order ? json_array() : NULL;
	struct rm_buf name = {0};

	for (size_t i = 0; rows && i < t->n; i++)
		order[i] = t->item[i];
	if (rows)
		qsort(order, t->n, sizeof(*order), by_name);
	for (size_t i = 0; rows && i < t->n; i++) {
		json_t *row = json_object();

		rm_buf_clear(&name);
		rm_buf_append_utf8(&name, order[i].name,
				   order[i].len);
		json_object_set_new(row, "name", json_stringn(
				    (char *)name.data, name.len));
		set_tally(row, s, &order[i].tally);
		json_array_append_new(rows, row);
	}
	rm_buf_fini(&name);
	free(order);
	return rows;
}

/* kappa = (P - E) / (1 - E), E the chance agreement of the shares. */
static double fleiss(const struct rm_stats *s)
{
	double n = s->category[0] + s->category[1] + s->category[2];
	double chance = 0;

	for (size_t i = 0; i < 3; i++)
		chance += s->category[i] / n * (s->category[i] / n);
	return (s->agreement / (double)s->judged - chance) / (1 - chance);
}

static void set_votes(json_t *all, const struct rm_stats *s)
{
	json_t *object = json_object();

	json_object_set_new(object, "votes", whole(s->votes_seen));
	json_object_set_new(object, "per_record", rounded(
			    s->votes_seen / (double)s->all.records));
	if (s->annotations >= 0)
		json_object_set_new(object, "annotators", whole(
				    count_distinct(&s->annotators)));
	if (s->judged > 0) {
		json_object_set_new(object, "judged_twice", whole(
				    (double)s->judged));
		json_object_set_new(object, "agreement", rounded(
				    s->agreement / (double)s->judged));
	}
	if (s->judged > 0 && s->kappa)
		json_object_set_new(object, "fleiss_kappa",
				    rounded(fleiss(s)));
	json_object_set_new(all, "votes", object);
}

static void set_keys(json_t *all, const struct rm_stats *s)
{
	double n = count_distinct(&s->keys);

	json_object_set_new(all, "distinct_keys", whole(n));
	json_object_set_new(all, "repeated_keys", whole(
			    fmax(0, (double)s->keyed - n)));
	if (s->keys.level > 0)
		json_object_set_new(all, "keys_estimated", json_true());
}

static void set_pairs(json_t *all, const struct rm_stats *s)
{
	const struct rm_pair_counts *c = rm_pairer_counts(s->pairer);

	json_object_set_new(all, "ordered_by", json_string(
			    rm_pairer_source(s->pairer)));
	json_object_set_new(all, "missing", whole((double)c->missing));
	json_object_set_new(all, "without_pair", whole(
			    (double)(c->barren + s->short_groups)));
	json_object_set_new(all, "p_below_half", whole(
			    (double)s->below_half));
}

static void set_lengths(json_t *all, const struct rm_stats *s)
{
	static const char *const names[] = { "length", "n_tokens",
					     "prompt_tokens" };
	const struct histogram *h[] = { &s->lengths, &s->tokens,
					&s->prompt_tokens };

	for (size_t i = 0; i < RM_COUNT(h); i++)
		if (h[i]->n > 0)
			json_object_set_new(all, names[i],
					    json_quantiles(h[i]));
	if (s->texts >= 0 || s->length >= 0 || s->responses >= 0)
		json_object_set_new(all, "empty_responses",
				    whole((double)s->empty));
}

json_t *rm_stats_json(const struct rm_stats *s)
{
	json_t *all = json_object();

	if (!all)
		return rm_fail_null("out of memory");
	json_object_set_new(all, "kind", json_string(
			    s->pairs ? "pairs" : "groups"));
	set_tally(all, s, &s->all);
	if (s->pairer)
		set_pairs(all, s);
	json_object_set_new(all, "k", json_counts(s));
	json_object_set_new(all, "labels", json_labels(s));
	set_lengths(all, s);
	if (s->keyed > 0)
		set_keys(all, s);
	if (s->votes_seen > 0)
		set_votes(all, s);
	if (s->splits.n > 0)
		json_object_set_new(all, "splits", json_names(s, &s->splits));
	if (s->subsets.n > 0)
		json_object_set_new(all, "subsets",
				    json_names(s, &s->subsets));
	return all;
}

/* ---- the page ---- */

static void print_value(struct rm_buf *out, const json_t *value)
{
	if (json_is_string(value))
		rm_buf_append(out, json_string_value(value),
			      json_string_length(value));
	else if (json_is_null(value))
		rm_buf_putc(out, '-');
	else
		rm_json_print(out, value, 0);
}

/* "min=1 max=3" */
static void print_members(struct rm_buf *out, json_t *object)
{
	const char *name, *space = "";
	json_t *value;

	json_object_foreach(object, name, value) {
		rm_buf_printf(out, "%s%s=", space, name);
		print_value(out, value);
		space = " ";
	}
}

/* Numbers below their names, the name of the row last. */
static void print_table(struct rm_buf *out, const char *title,
			const json_t *rows)
{
	const char *name;
	json_t *row, *value;
	struct rm_buf cell = {0};
	size_t i;

	rm_buf_putc(out, '\n');
	json_object_foreach(json_array_get(rows, 0), name, value)
		if (strcmp(name, "name") != 0)
			rm_buf_printf(out, "%14s", name);
	rm_buf_printf(out, "  %s\n", title);
	json_array_foreach(rows, i, row) {
		json_object_foreach(row, name, value) {
			if (!strcmp(name, "name"))
				continue;
			rm_buf_clear(&cell);
			print_value(&cell, value);
			rm_buf_printf(out, "%14s", rm_buf_text(&cell));
		}
		rm_buf_puts(out, "  ");
		print_value(out, json_object_get(row, "name"));
		rm_buf_putc(out, '\n');
	}
	rm_buf_fini(&cell);
}

void rm_stats_print(struct rm_buf *out, const json_t *figures)
{
	json_t *all = (json_t *)(uintptr_t)figures, *value;
	const char *name;

	json_object_foreach(all, name, value) {
		if (json_is_array(value)) {
			print_table(out, name, value);
			continue;
		}
		rm_buf_printf(out, "%-16s ", name);
		if (json_is_object(value))
			print_members(out, value);
		else
			print_value(out, value);
		rm_buf_putc(out, '\n');
	}
}
