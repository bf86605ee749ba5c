/* From records to scores: one pass, columns made only when they say more
 * than their default. */
#include "metric/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 65536

/* A growing array that does not exist while all it holds is `usual`. */
struct column {
	unsigned char *data;
	size_t cap;
	unsigned char usual[8];
};

enum {
	D, P, PROB,				/* a comparison each */
	TRAIT, TRAIT_END = TRAIT + RM_TRAITS - 1,	/* the same */
	WEIGHT, PART, KEY, COMPARISON, RESPONSE,	/* a record each */
	REWARD, LABEL, GRADED, LENGTH,		/* a response each */
	COLUMNS
};

struct rm_scorer {
	const struct rm_schema *schema;
	bool pairs;
	struct column column[COLUMNS];
	size_t n, records, responses;

	char *member;			/* of field reward, a map; or NULL */
	int reward, rank, score, length, p, prob, weight, key, id;
	int trait[RM_TRAITS];
	const char *length_unit;

	/* The parts. */
	int by;				/* field, -1: none */
	char *by_column;		/* of extra, NULL: the field itself */
	bool seen;			/* some record had that column */
	size_t parts, part_cap, last;
	char **part_name;
	uint32_t *table;		/* 1 + part by hash, 0: free */
	size_t table_size;
	struct rm_buf text;

	/* Ids, where they are kept (id >= 0). */
	struct rm_buf ids;
	uint64_t *id_at;
	size_t id_cap;

	/* The record at hand. */
	size_t k, k_cap;
	double *value;			/* [3k] reward, label, graded */
};

static inline int put(struct column *c, size_t n, const void *value,
		      size_t size)
{
	if (!c->data) {
		if (!memcmp(value, c->usual, size))
			return 0;
		if (rm_grow(&c->data, &c->cap, n + 1024, size) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			memcpy(c->data + i * size, c->usual, size);
	}
	if (n >= c->cap && rm_grow(&c->data, &c->cap, n + 1, size) < 0)
		return -1;
	memcpy(c->data + n * size, value, size);
	return 0;
}

static int put_f64(struct rm_scorer *s, int column, size_t n, double v)
{
	return put(&s->column[column], n, &v, sizeof(v));
}

static int put_u32(struct rm_scorer *s, int column, size_t n, size_t v)
{
	uint32_t value = (uint32_t)v;

	return put(&s->column[column], n, &value, sizeof(value));
}

/* Make the column exist, with n values that `regular` times i gives. */
static int begin_offsets(struct column *c, size_t n, size_t regular)
{
	uint32_t *offset;
	size_t i;

	if (c->data)
		return 0;
	if (rm_grow(&c->data, &c->cap, n + 1024, sizeof(*offset)) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		uint32_t v = (uint32_t)(i * regular);

		memcpy(c->data + i * sizeof(v), &v, sizeof(v));
	}
	return 0;
}

/* ---- what there is ---- */

static int find_by(struct rm_scorer *s, const char *by)
{
	enum rm_type type;

	s->by = -1;
	if (!by)
		return 0;
	s->by = rm_schema_find(s->schema, by);
	if (s->by < 0) {
		s->by = rm_schema_find(s->schema, "extra");
		if (s->by < 0) {
			rm_schema_need(s->schema, by, "");
			return -1;
		}
		s->by_column = rm_strdup(by);
		return s->by_column ? 0 : -1;
	}
	type = s->schema->field[s->by].type;
	if (type != RM_STR && type != RM_U64 && type != RM_F64)
		return rm_fail("field %s is %s, not one text or number a "
			       "record", by, rm_type_name(type));
	return 0;
}

static int find_rewards(struct rm_scorer *s, const char *field)
{
	s->reward = rm_schema_need(s->schema, field, ": run rm-score first");
	if (s->reward < 0)
		return -1;
	if (s->schema->field[s->reward].type != RM_F64_K)
		return rm_fail("field %s is %s, not one number a response",
			       field, rm_type_name(
			       s->schema->field[s->reward].type));
	return 0;
}

struct rm_scorer *rm_scorer_new(const struct rm_schema *schema, bool pairs,
				const char *field, const char *by)
{
	struct rm_scorer *s = rm_calloc(1, sizeof(*s));
	const double one = 1, nan = NAN;

	if (!s)
		return NULL;
	s->schema = schema;
	s->pairs = pairs;
	if (find_rewards(s, field) < 0 || find_by(s, by) < 0) {
		rm_scorer_free(s);
		return NULL;
	}
	s->rank = rm_schema_find(schema, "rank");
	s->score = rm_schema_find(schema, "score");
	s->p = rm_schema_find(schema, "p");
	/* The probabilities are of the field reward. */
	s->prob = strcmp(field, "reward") == 0 ?
		  rm_schema_find(schema, "prob") : -1;
	s->weight = rm_schema_find(schema, "weight");
	s->key = rm_schema_find(schema, "key");
	s->id = -1;
	s->length = rm_schema_find(schema, "length");
	s->length_unit = "characters";
	if (s->length < 0) {
		s->length = rm_schema_find(schema, "n_tokens");
		s->length_unit = s->length < 0 ? NULL : "tokens";
	}
	s->trait[RM_TRAIT_LENGTH] = s->length;
	s->trait[RM_TRAIT_PLACE] = rm_schema_find(schema, "position");
	s->trait[RM_TRAIT_FORMAT] = rm_schema_find(schema, "format");
	memcpy(s->column[P].usual, &one, sizeof(one));
	memcpy(s->column[WEIGHT].usual, &one, sizeof(one));
	memcpy(s->column[PROB].usual, &nan, sizeof(nan));
	memset(s->column[LENGTH].usual, 0xff, 4);
	/* These always exist: no number has these bytes. */
	memset(s->column[D].usual, 0xff, 8);
	memset(s->column[REWARD].usual, 0xff, 8);
	memset(s->column[GRADED].usual, 0xff, 8);
	for (int t = 0; t < RM_TRAITS; t++)
		s->column[TRAIT + t].usual[0] = 2;
	return s;
}

int rm_scorer_take_attack(struct rm_scorer *s, const char *name)
{
	s->prob = -1;
	if (!name)
		return 0;
	s->reward = rm_schema_need(s->schema, "attack", "");
	if (s->reward < 0)
		return -1;
	if (s->schema->field[s->reward].type != RM_F64_K_MAP)
		return rm_fail("field attack is %s, not named rewards",
			       rm_type_name(
			       s->schema->field[s->reward].type));
	s->member = rm_strdup(name);
	return s->member ? 0 : -1;
}

int rm_scorer_keep_ids(struct rm_scorer *s)
{
	s->id = rm_schema_need(s->schema, "id", "");
	return s->id < 0 ? -1 : 0;
}

void rm_scorer_free(struct rm_scorer *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < COLUMNS; i++)
		free(s->column[i].data);
	for (i = 0; i < s->parts; i++)
		free(s->part_name[i]);
	free(s->part_name);
	free(s->by_column);
	free(s->member);
	free(s->table);
	free(s->value);
	free(s->id_at);
	rm_buf_fini(&s->ids);
	rm_buf_fini(&s->text);
	free(s);
}

/* ---- parts ---- */

/* The record's value of the field or column, as text, in s->text. */
static int part_text(struct rm_scorer *s, const struct rm_record *rec)
{
	json_t *extra, *value;
	struct rm_slice text;

	rm_buf_clear(&s->text);
	if (rm_record_is_nil(rec, s->by)) {
		rm_buf_puts(&s->text, "(none)");
	} else if (!s->by_column) {
		if (s->schema->field[s->by].type == RM_STR) {
			text = rm_record_bytes(rec, s->by);
			rm_buf_append(&s->text, text.data, text.len);
		} else if (rm_msgpack_print(&s->text, rec->field[s->by]) < 0) {
			return -1;
		}
	} else {
		extra = rm_msgpack_json(rec->field[s->by]);
		if (!extra)
			return rm_wrap("field extra");
		value = json_object_get(extra, s->by_column);
		s->seen |= value != NULL;
		if (json_is_string(value))
			rm_buf_puts(&s->text, json_string_value(value));
		else if (!value || json_is_null(value))
			rm_buf_puts(&s->text, "(none)");
		else
			rm_json_print(&s->text, value, 0);
		json_decref(extra);
	}
	if (rm_utf8_valid(s->text.data, s->text.len) != s->text.len)
		return rm_fail("field %s: invalid UTF-8",
			       s->schema->field[s->by].name);
	return rm_buf_text(&s->text) ? 0 : -1;
}

static bool is_part(const struct rm_scorer *s, size_t part)
{
	return part < s->parts &&
		!strcmp(s->part_name[part], (const char *)s->text.data);
}

static uint32_t *find_slot(struct rm_scorer *s, const void *text, size_t n)
{
	size_t at = rm_hash64(text, n) & (s->table_size - 1);

	while (s->table[at] &&
	       strcmp(s->part_name[s->table[at] - 1], text) != 0)
		at = (at + 1) & (s->table_size - 1);
	return &s->table[at];
}

static int grow_table(struct rm_scorer *s)
{
	size_t size = RM_MAX(s->table_size * 2, 64), i;
	uint32_t *old = s->table;

	s->table = rm_calloc(size, sizeof(*s->table));
	if (!s->table) {
		s->table = old;
		return -1;
	}
	s->table_size = size;
	for (i = 0; i < s->parts; i++)
		*find_slot(s, s->part_name[i], strlen(s->part_name[i])) =
			(uint32_t)i + 1;
	free(old);
	return 0;
}

static int add_part(struct rm_scorer *s, uint32_t *slot)
{
	if (s->parts == MAX_PARTS)
		return rm_fail("more than %d different values of %s",
			       MAX_PARTS, s->by_column ? s->by_column :
			       s->schema->field[s->by].name);
	if (rm_grow(&s->part_name, &s->part_cap, s->parts + 1,
		    sizeof(*s->part_name)) < 0)
		return -1;
	s->part_name[s->parts] = rm_strdup((const char *)s->text.data);
	if (!s->part_name[s->parts])
		return -1;
	*slot = (uint32_t)++s->parts;
	return 0;
}

static int find_part(struct rm_scorer *s, const struct rm_record *rec)
{
	uint32_t *slot;

	if (s->by < 0)
		return 0;
	if (part_text(s, rec) < 0)
		return -1;
	if (is_part(s, s->last))
		return 0;
	if (s->parts * 2 >= s->table_size && grow_table(s) < 0)
		return -1;
	slot = find_slot(s, s->text.data, strlen((char *)s->text.data));
	if (!*slot && add_part(s, slot) < 0)
		return -1;
	s->last = *slot - 1;
	return 0;
}

/* ---- one record ---- */

/* The member of the map, [k]. */
static int read_member(const struct rm_scorer *s, const struct rm_record *rec,
		       double *value)
{
	size_t n = rm_record_map_size(rec, s->reward), i, j;
	size_t len = strlen(s->member);
	struct rm_slice name, numbers;

	for (i = 0; i < n; i++) {
		rm_record_map_at(rec, s->reward, i, &name, &numbers);
		if (name.len != len || memcmp(name.data, s->member, len) != 0)
			continue;
		for (j = 0; j < rec->k; j++)
			value[j] = rm_get_f64(numbers.data + 8 * j);
		return 0;
	}
	return rm_fail("field attack has no rewards at eps %s, as the first "
		       "record has", s->member);
}

static int read_rewards(struct rm_scorer *s, const struct rm_record *rec)
{
	size_t i;

	if (rm_grow(&s->value, &s->k_cap, 3 * rec->k, sizeof(double)) < 0)
		return -1;
	if (!s->member)
		rm_record_f64s(rec, s->reward, s->value, rec->k);
	else if (read_member(s, rec, s->value) < 0)
		return -1;
	for (i = 0; i < rec->k; i++)
		if (!isfinite(s->value[i]))
			return rm_fail("field %s: that of response %zu is %s",
				       s->schema->field[s->reward].name, i,
				       isnan(s->value[i]) ? "missing (NaN)" :
				       "infinite");
	return 0;
}

/* A number within [min, max], or `otherwise` where it is missing. */
static int read_number(const struct rm_scorer *s, const struct rm_record *rec,
		       int f, double otherwise, double max, double *out)
{
	*out = rm_record_f64(rec, f);
	if (isnan(*out))
		*out = otherwise;
	else if (!(*out >= 0 && *out <= max))
		return rm_fail("field %s: %g is not within 0 and %g",
			       s->schema->field[f].name, *out, max);
	return 0;
}

/*
 * label: -rank, else score.  graded: score, else -rank.  A pair without
 * either has what p says.
 */
static void read_labels(struct rm_scorer *s, const struct rm_record *rec,
			double p)
{
	double *label = s->value + s->k, *graded = label + s->k;
	size_t i;

	for (i = 0; i < s->k; i++) {
		double rank = -rm_record_f64_at(rec, s->rank, i);
		double score = rm_record_f64_at(rec, s->score, i);

		label[i] = isnan(rank) ? score : rank;
		graded[i] = isnan(score) ? rank : score;
	}
	if (s->k == 2 && isnan(label[0]) && isnan(label[1]) && !isnan(p)) {
		label[0] = graded[0] = p >= .5 ? 0 : -1;
		label[1] = graded[1] = p <= .5 ? 0 : -1;
	}
}

static int put_label(struct rm_scorer *s, size_t n, const double *label)
{
	struct column *c = &s->column[LABEL];
	size_t i;

	if (!c->data && s->k == 2 && label[0] == 0 && label[1] == -1)
		return 0;
	if (!c->data) {
		if (rm_grow(&c->data, &c->cap, n + 1024, sizeof(double)) < 0)
			return -1;
		for (i = 0; i < n; i++) {
			double v = i & 1 ? -1 : 0;

			memcpy(c->data + i * sizeof(v), &v, sizeof(v));
		}
	}
	for (i = 0; i < s->k; i++)
		if (put_f64(s, LABEL, n + i, isnan(label[i]) ? NAN :
			    label[i]) < 0)
			return -1;
	return 0;
}

static int put_responses(struct rm_scorer *s, const struct rm_record *rec)
{
	const double *label = s->value + s->k, *graded = label + s->k;
	bool both = s->rank >= 0 && s->score >= 0;
	size_t n = s->responses, i;

	if (s->k > RM_SORT_MAX - n)
		return rm_fail("more than %zu responses", RM_SORT_MAX);
	if (s->k != 2 && begin_offsets(&s->column[RESPONSE], s->records, 2) < 0)
		return -1;
	if (s->column[RESPONSE].data && put_u32(s, RESPONSE, s->records, n) < 0)
		return -1;
	if (put_label(s, n, label) < 0)
		return -1;
	for (i = 0; i < s->k; i++) {
		int32_t length = rm_record_is_nil(rec, s->length) ? -1 :
			RM_MAX(rm_record_i32_at(rec, s->length, i), -1);

		if (put_f64(s, REWARD, n + i, s->value[i]) < 0 ||
		    (both && put_f64(s, GRADED, n + i, graded[i]) < 0) ||
		    put(&s->column[LENGTH], n + i, &length, 4) < 0)
			return -1;
	}
	s->responses += s->k;
	return 0;
}

/* How much response i has of a trait; negative: not known. */
static int32_t amount(const struct rm_record *rec, int field, int trait,
		      size_t i)
{
	int32_t x = rm_record_i32_at(rec, field, i);

	/* Bits, each a kind. */
	if (trait == RM_TRAIT_FORMAT && x > 0)
		return __builtin_popcount((unsigned)x);
	return x;
}

/* Which of responses i and j has more of it, as struct rm_scores says. */
static signed char more_of(const struct rm_scorer *s,
			   const struct rm_record *rec, int trait, size_t i,
			   size_t j)
{
	int field = s->trait[trait];
	int32_t a, b, sign = trait == RM_TRAIT_PLACE ? -1 : 1;

	if (rm_record_is_nil(rec, field))
		return 2;
	a = amount(rec, field, trait, i);
	b = amount(rec, field, trait, j);
	if (a < 0 || b < 0)
		return 2;
	return (signed char)(sign * ((a > b) - (a < b)));
}

static int put_comparison(struct rm_scorer *s, const struct rm_record *rec,
			  size_t i, size_t j, double p, double prob)
{
	if (put_f64(s, D, s->n, s->value[i] - s->value[j]) < 0 ||
	    put_f64(s, P, s->n, p) < 0 || put_f64(s, PROB, s->n, prob) < 0)
		return -1;
	for (int t = 0; t < RM_TRAITS; t++) {
		signed char more = more_of(s, rec, t, i, j);

		if (put(&s->column[TRAIT + t], s->n, &more, 1) < 0)
			return -1;
	}
	s->n++;
	return 0;
}

/* All pairs whose labels differ, the better first. */
static int put_ordered(struct rm_scorer *s, const struct rm_record *rec)
{
	const double *label = s->value + s->k;
	size_t i, j;

	if (s->k > (size_t)1 << 16 ||
	    s->k * (s->k - 1) / 2 > RM_SORT_MAX - s->n)
		return rm_fail("%zu responses make too many comparisons",
			       s->k);
	for (i = 0; i < s->k; i++)
		for (j = 0; j < s->k; j++)
			if (label[i] > label[j] &&
			    put_comparison(s, rec, i, j, 1, NAN) < 0)
				return -1;
	return 0;
}

/* p of a pair: its field, else what its ranks say, else 1. */
static double pair_p(const struct rm_scorer *s, const struct rm_record *rec)
{
	double p = rm_record_f64(rec, s->p), a, b;

	if (!isnan(p) || !s->pairs)
		return p;
	a = rm_record_f64_at(rec, s->rank, 0);
	b = rm_record_f64_at(rec, s->rank, 1);
	if (isnan(a) || isnan(b))
		return 1;
	return a < b ? 1 : a > b ? 0 : .5;
}

static int put_comparisons(struct rm_scorer *s, const struct rm_record *rec,
			   double p, double prob)
{
	size_t before = s->n;
	int status;

	if (s->n >= RM_SORT_MAX)
		return rm_fail("more than %zu comparisons", RM_SORT_MAX);
	status = s->k == 2 && !isnan(p) ?
		put_comparison(s, rec, 0, 1, p, prob) : put_ordered(s, rec);
	if (status < 0)
		return -1;
	if (s->n - before != 1 &&
	    begin_offsets(&s->column[COMPARISON], s->records, 1) < 0)
		return -1;
	return s->column[COMPARISON].data ?
		put_u32(s, COMPARISON, s->records, before) : 0;
}

static int put_id(struct rm_scorer *s, const struct rm_record *rec)
{
	struct rm_slice id;

	if (s->id < 0)
		return 0;
	if (rm_record_is_nil(rec, s->id))
		return rm_fail("field id is missing");
	id = rm_record_bytes(rec, s->id);
	if (memchr(id.data, 0, id.len) ||
	    rm_utf8_valid(id.data, id.len) != id.len)
		return rm_fail("field id: no text");
	if (rm_grow(&s->id_at, &s->id_cap, s->records + 1,
		    sizeof(*s->id_at)) < 0)
		return -1;
	s->id_at[s->records] = s->ids.len;
	rm_buf_append(&s->ids, id.data, id.len);
	rm_buf_putc(&s->ids, 0);
	return s->ids.failed ? -1 : 0;
}

int rm_scorer_add(struct rm_scorer *s, const struct rm_record *rec)
{
	double p = NAN, prob, weight;
	uint64_t key = rm_record_u64(rec, s->key);

	s->k = rec->k;
	if (s->pairs && s->k != 2)
		return rm_fail("%zu responses in a stream of pairs", s->k);
	if (read_rewards(s, rec) < 0 || find_part(s, rec) < 0 ||
	    read_number(s, rec, s->weight, 1, HUGE_VAL, &weight) < 0 ||
	    read_number(s, rec, s->prob, NAN, 1, &prob) < 0)
		return -1;
	if (isinf(weight))
		return rm_fail("field weight is infinite");
	if (s->k == 2) {
		if (read_number(s, rec, s->p, NAN, 1, &p) < 0)
			return -1;
		p = pair_p(s, rec);
	}
	read_labels(s, rec, p);
	if (put_id(s, rec) < 0 || put_responses(s, rec) < 0 ||
	    put_comparisons(s, rec, p, prob) < 0 ||
	    put_f64(s, WEIGHT, s->records, weight) < 0 ||
	    put_u32(s, PART, s->records, s->last) < 0 ||
	    put(&s->column[KEY], s->records, &key, sizeof(key)) < 0)
		return -1;
	s->records++;
	return 0;
}

/* ---- the end ---- */

static void *take(struct rm_scorer *s, int column)
{
	void *data = s->column[column].data;

	s->column[column] = (struct column){0};
	return data;
}

static int end_offsets(struct rm_scorer *s)
{
	if (s->column[COMPARISON].data &&
	    put_u32(s, COMPARISON, s->records, s->n) < 0)
		return -1;
	if (s->column[RESPONSE].data &&
	    put_u32(s, RESPONSE, s->records, s->responses) < 0)
		return -1;
	return 0;
}

static struct rm_scores *give(struct rm_scorer *s)
{
	struct rm_scores *out = rm_calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	out->n = s->n;
	out->d = take(s, D);
	out->p = take(s, P);
	out->prob = take(s, PROB);
	for (int t = 0; t < RM_TRAITS; t++)
		out->trait[t] = take(s, TRAIT + t);
	out->records = s->records;
	out->comparison = take(s, COMPARISON);
	out->response = take(s, RESPONSE);
	out->weight = take(s, WEIGHT);
	out->part = take(s, PART);
	out->clusters = s->records;
	out->responses = s->responses;
	out->reward = take(s, REWARD);
	out->label = take(s, LABEL);
	out->graded = take(s, GRADED);
	out->length = take(s, LENGTH);
	out->length_unit = s->length_unit;
	out->parts = s->parts;
	out->part_name = s->part_name;
	s->part_name = NULL;
	if (s->id >= 0) {
		out->id = s->id_at;
		out->id_text = rm_buf_text(&s->ids);
		s->id_at = NULL;
		s->ids = (struct rm_buf){0};
	}
	s->parts = s->n = s->records = s->responses = 0;
	return out;
}

struct rm_scores *rm_scorer_finish(struct rm_scorer *s)
{
	struct rm_scores *out;
	uint64_t *key;

	if (s->by_column && !s->seen && s->records)
		return rm_fail_null("no record has a column \"%s\" in extra",
				    s->by_column);
	if (end_offsets(s) < 0)
		return NULL;
	key = take(s, KEY);
	out = give(s);
	if (out && s->id >= 0)
		out->key = key;
	if (out && rm_scores_cluster(&out, key) < 0) {
		rm_scores_free(out);
		out = NULL;
		key = s->id >= 0 ? NULL : key;
	} else if (out && s->id >= 0) {
		return out;
	}
	free(key);
	return out;
}
