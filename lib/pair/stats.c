/* What is in a stream: counts of its own, and the parts beside it. */
#include "pair/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const label_fields[] = {
	"rank", "score", "votes", "annotations", "p", "margin", "weight",
	"attributes", "teacher", "reward"
};

enum { MOST_K = 64 };

struct rm_stats {
	struct rm_schema schema;
	bool pairs;
	struct rm_pairer *pairer;	/* NULL: no labels */
	int key, subset, length, n_tokens;
	int label[RM_COUNT(label_fields)];
	uint64_t labelled[RM_COUNT(label_fields)];

	struct rm_tally all;
	struct rm_names *subsets, *splits;
	struct rm_distinct keys;
	struct rm_numbers lengths, tokens, prompt_tokens;
	uint64_t k_count[MOST_K + 2], keyed, empty;
	uint64_t below_half, short_groups;
	uint64_t longer[3];		/* chosen is shorter, as long, longer */
	struct rm_labels *labels;
	struct rm_judges *judges;
	struct rm_ids *ids;
	struct rm_prompts *prompts;
	struct rm_cycles *cycles;
	struct rm_scripts *scripts;

	struct rm_slice *slice;
	uint64_t *hash;			/* of the responses at hand */
	size_t slice_cap, hash_cap;
	int prompt, prompt_text, responses, texts;
};

static int open_parts(struct rm_stats *s)
{
	s->subsets = rm_names_new();
	s->splits = rm_names_new();
	s->labels = rm_labels_new(&s->schema, s->pairs);
	s->judges = rm_judges_new(&s->schema, s->pairs);
	s->ids = rm_ids_new(&s->schema);
	s->prompts = rm_prompts_new(&s->schema);
	s->cycles = rm_cycles_new();
	s->scripts = rm_scripts_new(&s->schema);
	return s->subsets && s->splits && s->labels && s->judges && s->ids &&
	       s->prompts && s->cycles && s->scripts ? 0 : -1;
}

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
	s->key = rm_schema_find(schema, "key");
	s->subset = rm_schema_find(schema, "subset");
	s->length = rm_schema_find(schema, "length");
	s->n_tokens = rm_schema_find(schema, "n_tokens");
	s->prompt = rm_schema_find(schema, "prompt");
	s->prompt_text = rm_schema_find(schema, "prompt_text");
	s->responses = rm_schema_find(schema, "responses");
	s->texts = rm_schema_find(schema, "response_texts");
	for (size_t i = 0; i < RM_COUNT(label_fields); i++)
		s->label[i] = rm_schema_find(schema, label_fields[i]);
	s->pairer = rm_pairer_new(&s->schema, pairs, NULL);
	if (!s->pairer)
		rm_error_clear();	/* without labels there are figures */
	if (open_parts(s) < 0) {
		rm_stats_free(s);
		return NULL;
	}
	return s;
}

void rm_stats_free(struct rm_stats *s)
{
	if (!s)
		return;
	rm_pairer_free(s->pairer);
	rm_schema_fini(&s->schema);
	rm_names_free(s->subsets);
	rm_names_free(s->splits);
	rm_distinct_fini(&s->keys);
	rm_labels_free(s->labels);
	rm_judges_free(s->judges);
	rm_ids_free(s->ids);
	rm_prompts_free(s->prompts);
	rm_cycles_free(s->cycles);
	rm_scripts_free(s->scripts);
	free(s->hash);
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

static int add_pair(struct rm_stats *s, const struct rm_seen *seen,
		    const struct rm_pair *pair, struct rm_tally *t)
{
	int longer = compare_lengths(s, seen->rec, pair->pick);

	t->pairs++;
	t->longer += .5 + .5 * longer;
	s->longer[1 + longer]++;
	s->below_half += pair->p < .5;
	return rm_cycles_add(s->cycles, seen, pair->pick[0], pair->pick[1]);
}

/* *winner: as rm_labels_add has it. */
static int add_pairs(struct rm_stats *s, const struct rm_seen *seen,
		     struct rm_tally *t, size_t *winner)
{
	const struct rm_pair_counts *c;
	struct rm_pair pair;
	uint64_t ties;

	*winner = SIZE_MAX;
	if (!s->pairer)
		return 0;
	c = rm_pairer_counts(s->pairer);
	ties = c->ties;
	if (rm_pairer_set(s->pairer, seen->rec) < 0) {
		if (!rm_pairer_short(s->pairer))
			return -1;
		s->short_groups++;
		return 0;
	}
	while (rm_pairer_next(s->pairer, &pair)) {
		if (add_pair(s, seen, &pair, t) < 0)
			return -1;
		*winner = pair.pick[0];
	}
	t->ties += c->ties - ties;
	if (c->ties > ties && t->pairs == 0)
		*winner = 2;
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
			rm_numbers_add(&s->lengths, rm_record_i32_at(
				   rec, s->length, i));
		if (s->n_tokens >= 0)
			rm_numbers_add(&s->tokens, rm_record_i32_at(
				   rec, s->n_tokens, i));
	}
	if (s->prompt >= 0)
		rm_numbers_add(&s->prompt_tokens, (int32_t)
			   (rm_record_bytes(rec, s->prompt).len / 4));
	return count_empty(s, rec);
}

static int add_named(struct rm_stats *s, const struct rm_record *rec,
		     const char *split, struct rm_tally *one)
{
	struct rm_slice subset = rm_record_bytes(rec, s->subset);
	struct rm_tally *t[3] = { &s->all, NULL, NULL };

	if (subset.data &&
	    !(t[1] = rm_names_get(s->subsets, subset.data, subset.len)))
		return -1;
	if (split && !(t[2] = rm_names_get(s->splits, split, strlen(split))))
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

static int add_key(struct rm_stats *s, const struct rm_record *rec)
{
	uint64_t key = rm_record_u64(rec, s->key);

	if (rm_record_is_nil(rec, s->key))
		return 0;
	s->keyed++;
	return rm_distinct_add(&s->keys, rm_hash64(&key, sizeof(key)));
}

/*
 * What stands for the prompt: its key, else its text or ids.  Where a record
 * has none, its key is that of something else.
 */
static void know_prompt(const struct rm_stats *s, struct rm_seen *seen)
{
	const struct rm_record *rec = seen->rec;
	struct rm_slice text = rm_record_bytes(rec, s->prompt_text);

	if (text.len == 0)
		text = rm_record_bytes(rec, s->prompt);
	seen->has_prompt = text.len > 0 ||
			   (s->prompt < 0 && s->prompt_text < 0 &&
			    !rm_record_is_nil(rec, s->key));
	if (!rm_record_is_nil(rec, s->key))
		seen->prompt = rm_record_u64(rec, s->key);
	else if (text.len > 0)
		seen->prompt = rm_hash64(text.data, text.len);
}

static int know_responses(struct rm_stats *s, struct rm_seen *seen)
{
	int f = s->responses >= 0 ? s->responses : s->texts;
	size_t k = seen->rec->k;

	if (rm_record_is_nil(seen->rec, f))
		return 0;
	if (rm_grow(&s->slice, &s->slice_cap, k, sizeof(*s->slice)) < 0 ||
	    rm_grow(&s->hash, &s->hash_cap, k, sizeof(*s->hash)) < 0)
		return -1;
	rm_record_elements(seen->rec, f, s->slice);
	for (size_t i = 0; i < k; i++)
		s->hash[i] = rm_hash64(s->slice[i].data, s->slice[i].len);
	seen->response = s->hash;
	return 0;
}

int rm_stats_add(struct rm_stats *s, const struct rm_record *rec,
		 const char *split)
{
	struct rm_tally one = {0};
	struct rm_seen seen = {
		.rec = rec, .number = s->all.records, .pairer = s->pairer,
		.part = split
	};
	size_t winner;

	for (size_t i = 0; i < RM_COUNT(label_fields); i++)
		s->labelled[i] += !rm_record_is_nil(rec, s->label[i]);
	s->k_count[RM_MIN(rec->k, (size_t)MOST_K + 1)]++;
	know_prompt(s, &seen);
	if (know_responses(s, &seen) < 0 || add_key(s, rec) < 0 ||
	    add_pairs(s, &seen, &one, &winner) < 0 ||
	    add_responses(s, rec) < 0)
		return -1;
	rm_labels_add(s->labels, &seen, winner);
	if (rm_judges_add(s->judges, &seen) < 0 ||
	    rm_ids_add(s->ids, rec) < 0 ||
	    rm_prompts_add(s->prompts, &seen) < 0 ||
	    rm_scripts_add(s->scripts, &seen) < 0)
		return -1;
	return add_named(s, rec, split, &one);
}

/* ---- figures as JSON ---- */

static json_t *json_counts(const struct rm_stats *s)
{
	json_t *counts = json_object();
	char name[24];

	for (size_t k = 0; k <= MOST_K + 1; k++) {
		if (s->k_count[k] == 0)
			continue;
		snprintf(name, sizeof(name), k > MOST_K ? ">%d" : "%d",
			 (int)RM_MIN(k, (size_t)MOST_K));
		json_object_set_new(counts, name, rm_whole(
				    (double)s->k_count[k]));
	}
	return counts;
}

static json_t *json_labels(const struct rm_stats *s)
{
	json_t *labels = json_object();

	for (size_t i = 0; i < RM_COUNT(label_fields); i++)
		if (s->label[i] >= 0)
			json_object_set_new(labels, label_fields[i], rm_whole(
					    (double)s->labelled[i]));
	return labels;
}

static void set_keys(json_t *all, const struct rm_stats *s)
{
	double n = rm_distinct_count(&s->keys);

	json_object_set_new(all, "distinct_keys", rm_whole(n));
	json_object_set_new(all, "repeated_keys", rm_whole(
			    fmax(0, (double)s->keyed - n)));
	if (s->keys.level > 0)
		json_object_set_new(all, "keys_estimated", json_true());
}

static void set_pairs(json_t *all, const struct rm_stats *s)
{
	const struct rm_pair_counts *c = rm_pairer_counts(s->pairer);

	json_object_set_new(all, "ordered_by", json_string(
			    rm_pairer_source(s->pairer)));
	json_object_set_new(all, "missing", rm_whole((double)c->missing));
	json_object_set_new(all, "without_pair", rm_whole(
			    (double)(c->barren + s->short_groups)));
	json_object_set_new(all, "p_below_half", rm_whole(
			    (double)s->below_half));
}

static void set_lengths(json_t *all, const struct rm_stats *s)
{
	static const char *const names[] = { "length", "n_tokens",
					     "prompt_tokens" };
	const struct rm_numbers *h[] = { &s->lengths, &s->tokens,
					&s->prompt_tokens };

	for (size_t i = 0; i < RM_COUNT(h); i++)
		if (h[i]->n > 0)
			json_object_set_new(all, names[i],
					    rm_numbers_json(h[i]));
	if (s->texts >= 0 || s->length >= 0 || s->responses >= 0)
		json_object_set_new(all, "empty_responses",
				    rm_whole((double)s->empty));
}

static void set_balance(json_t *all, const struct rm_stats *s)
{
	static const char *const names[] = { "shorter", "equal", "longer" };
	json_t *object;

	if (s->length < 0 && s->n_tokens < 0) {
		rm_lack(all, "length_balance", "no field length or n_tokens");
		return;
	}
	if (s->all.pairs == 0) {
		rm_lack(all, "length_balance", "there are no pairs");
		return;
	}
	object = json_object();
	for (size_t i = RM_COUNT(names); i-- > 0;)
		json_object_set_new(object, names[i], rm_whole(
				    (double)s->longer[i]));
	json_object_set_new(all, "length_balance", object);
}

/* Rows of names, where there are any. */
static int set_names(json_t *all, const char *title, const struct rm_names *t,
		     bool lengths)
{
	json_t *rows;

	if (rm_names_count(t) == 0)
		return 0;
	rows = rm_names_json(t, lengths);
	return rows ? json_object_set_new(all, title, rows) : -1;
}

static int set_all(json_t *all, const struct rm_stats *s)
{
	bool lengths = s->length >= 0 || s->n_tokens >= 0;

	json_object_set_new(all, "kind", json_string(
			    s->pairs ? "pairs" : "groups"));
	rm_tally_put(all, &s->all, lengths);
	if (s->pairer)
		set_pairs(all, s);
	json_object_set_new(all, "k", json_counts(s));
	json_object_set_new(all, "labels", json_labels(s));
	rm_labels_put(all, s->labels);
	set_lengths(all, s);
	set_balance(all, s);
	if (s->keyed > 0)
		set_keys(all, s);
	if (rm_judges_put(all, s->judges, s->all.records) < 0 ||
	    rm_cycles_put(all, s->cycles, s->ids) < 0 ||
	    rm_prompts_put(all, s->prompts, s->ids) < 0)
		return -1;
	rm_scripts_put(all, s->scripts);
	if (set_names(all, "splits", s->splits, lengths) < 0)
		return -1;
	return set_names(all, "subsets", s->subsets, lengths);
}

json_t *rm_stats_json(const struct rm_stats *s)
{
	json_t *all = json_object();

	if (!all)
		return rm_fail_null("out of memory");
	if (set_all(all, s) < 0) {
		json_decref(all);
		return NULL;
	}
	rm_end_lacks(all);
	return all;
}
