/* Records of a benchmark, as its rules see them. */
#include "suite/kind.h"

#include <stdlib.h>

#include "suite_table.h"

enum { MAX_SUBSETS = 4096 };

#define KINDS (RM_COUNT(rm_suite_kinds) - 1)

const char *const *rm_suite_names(void)
{
	static const char *names[KINDS + 2];

	names[0] = "auto";
	for (size_t i = 0; i < KINDS; i++)
		names[i + 1] = rm_suite_kinds[i]->name;
	return names;
}

static const struct rm_suite_kind *find(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(rm_suite_kinds[i]->name, name))
			return rm_suite_kinds[i];
	return NULL;
}

struct rm_suite *rm_suite_new(const struct rm_schema *schema, bool pairs,
			      const char *name, const char *field)
{
	struct rm_suite *s = rm_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = find(name);
	s->field = field;
	s->pairs = pairs;
	s->id = rm_schema_find(schema, "id");
	s->rank = rm_schema_find(schema, "rank");
	s->extra = rm_schema_find(schema, "extra");
	s->subset = rm_schema_need(schema, "subset",
				   ", which a benchmark's records have");
	s->reward = s->subset < 0 ? -1 :
		rm_schema_need(schema, field, ": run rm-score first");
	if (s->reward >= 0)
		return s;
	rm_suite_free(s);
	return NULL;
}

void rm_suite_free(struct rm_suite *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_sums; i++)
		free(s->sums[i].name);
	free(s->sums);
	free(s->kept);
	free(s->line);
	free(s->value);
	free(s->lacks);
	rm_buf_fini(&s->missing);
	free(s);
}

/* ---- what kinds share ---- */

const struct rm_suite_sums *rm_suite_of(const struct rm_suite *s,
					const char *subset)
{
	for (size_t i = 0; i < s->n_sums; i++)
		if (!strcmp(s->sums[i].name, subset))
			return &s->sums[i];
	return NULL;
}

int rm_suite_line(struct rm_suite *s, const char *name, bool section,
		  size_t n, double value)
{
	if (rm_grow(&s->line, &s->cap_lines, s->n_lines + 1,
		    sizeof(*s->line)) < 0)
		return -1;
	s->line[s->n_lines++] = (struct rm_suite_line){
		.name = name, .section = section, .n = n, .value = value
	};
	return 0;
}

void rm_suite_lacks(struct rm_suite *s, const char *what, const char *of)
{
	if (s->lacks && !strcmp(s->lacks, what)) {
		rm_buf_printf(&s->missing, ", %s", of);
		return;
	}
	rm_buf_printf(&s->missing, "%s%s: no records of %s",
		      s->missing.len ? "; " : "", what, of);
	free(s->lacks);
	s->lacks = rm_strdup(what);
	s->missing.failed |= !s->lacks;
}

int rm_suite_keep(struct rm_suite *s, const struct rm_suite_kept *kept)
{
	if (rm_grow(&s->kept, &s->cap_kept, s->n_kept + 1,
		    sizeof(*s->kept)) < 0)
		return -1;
	s->kept[s->n_kept++] = *kept;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct rm_suite_kept *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->what > y->what) - (x->what < y->what);
}

void rm_suite_sort(struct rm_suite *s)
{
	if (s->n_kept)
		qsort(s->kept, s->n_kept, sizeof(*s->kept), by_id);
}

size_t rm_suite_best(const struct rm_suite *s, const struct rm_suite_item *item)
{
	size_t best = 0, i, n = 0;

	for (i = 1; i < item->k; i++)
		if (item->rank[i] < item->rank[best])
			best = i;
	for (i = 0; i < item->k; i++)
		n += item->rank[i] == item->rank[best];
	if (n == 1 && item->k > 1)
		return best;
	rm_fail("field rank: %zu of %zu responses are the best, where %s has "
		"one of several", n, item->k, s->kind->title);
	return SIZE_MAX;
}

/* ---- records ---- */

static struct rm_suite_sums *find_sums(struct rm_suite *s,
				       struct rm_slice subset)
{
	struct rm_suite_sums *at;
	size_t i;

	for (i = 0; i < s->n_sums; i++)
		if (rm_suite_is(subset, s->sums[i].name))
			return &s->sums[i];
	if (i == MAX_SUBSETS)
		return rm_fail_null("more than %d subsets", MAX_SUBSETS);
	if (rm_grow(&s->sums, &s->cap_sums, i + 1, sizeof(*s->sums)) < 0)
		return NULL;
	at = &s->sums[i];
	*at = (struct rm_suite_sums){
		.name = rm_strndup((const char *)subset.data, subset.len)
	};
	if (!at->name)
		return NULL;
	s->n_sums++;
	return at;
}

/* The first record says which, where nobody did. */
static int need_kind(struct rm_suite *s, struct rm_slice subset)
{
	for (size_t i = 0; i < KINDS && !s->kind; i++)
		if (rm_suite_kinds[i]->has(subset))
			s->kind = rm_suite_kinds[i];
	if (s->kind && s->kind->has(subset))
		return 0;
	return rm_fail("field subset: %s has no \"%.*s\"",
		       s->kind ? s->kind->title : "no benchmark known here",
		       (int)RM_MIN(subset.len, 60), (const char *)subset.data);
}

/* Rewards and ranks; those of a pair without ranks are 0 and 1. */
static int read_numbers(struct rm_suite *s, const struct rm_record *rec)
{
	double *reward, *rank;

	if (rm_grow(&s->value, &s->cap_value, 2 * rec->k,
		    sizeof(*s->value)) < 0)
		return -1;
	reward = s->value;
	rank = reward + rec->k;
	for (size_t i = 0; i < rec->k; i++) {
		reward[i] = rm_record_f64_at(rec, s->reward, i);
		rank[i] = rm_record_f64_at(rec, s->rank, i);
		if (!isfinite(reward[i]))
			return rm_fail("field %s: that of response %zu is no "
				       "number", s->field, i);
		if (isnan(rank[i]) && s->pairs)
			rank[i] = (double)i;
		if (!isfinite(rank[i]))
			return rm_fail("field rank: response %zu has none",
				       i);
	}
	return 0;
}

/* What the benchmark's column of extra says, if it is there. */
static int read_right(const struct rm_suite *s, const struct rm_record *rec,
		      json_int_t *right)
{
	json_t *extra, *value;
	int status = 0;

	*right = -1;
	if (!s->kind->right || rm_record_is_nil(rec, s->extra))
		return 0;
	extra = rm_msgpack_json(rec->field[s->extra]);
	if (!extra)
		return rm_wrap("field extra");
	value = json_object_get(extra, s->kind->right);
	if (json_is_integer(value) && json_integer_value(value) > 0)
		*right = json_integer_value(value);
	else if (value && !json_is_null(value))
		status = rm_fail("field extra: %s is not how many are right",
				 s->kind->right);
	json_decref(extra);
	return status;
}

int rm_suite_add(struct rm_suite *s, const struct rm_record *rec)
{
	struct rm_suite_item item = { .k = rec->k };
	struct rm_suite_sums *at;

	if (rm_record_is_nil(rec, s->subset))
		return rm_fail("field subset: there is none");
	item.subset = rm_record_bytes(rec, s->subset);
	if (!rm_record_is_nil(rec, s->id))
		item.id = rm_record_bytes(rec, s->id);
	if (need_kind(s, item.subset) < 0 || read_numbers(s, rec) < 0 ||
	    read_right(s, rec, &item.right) < 0)
		return -1;
	item.reward = s->value;
	item.rank = s->value + rec->k;
	at = find_sums(s, item.subset);
	if (!at)
		return -1;
	at->n++;
	return s->kind->add(s, &item, at);
}

int rm_suite_finish(struct rm_suite *s, struct rm_suite_figures *to)
{
	*to = (struct rm_suite_figures){0};
	if (!s->kind)
		return rm_fail("no records of a benchmark");
	to->name = s->kind->name;
	to->title = s->kind->title;
	to->results = s->kind->results;
	s->n_lines = 0;
	if (s->kind->finish(s, to) < 0)
		return -1;
	to->line = s->line;
	to->n = s->n_lines;
	to->missing = s->missing.len ? rm_buf_text(&s->missing) : NULL;
	return s->missing.failed ? rm_fail("out of memory") : 0;
}
