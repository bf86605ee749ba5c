#include "pair/internal.h"

#include <stdlib.h>
#include <string.h>

struct rm_filter {
	struct rm_filter_options o;
	int key, prompt, responses;	/* fields */
	struct rm_column by;
	bool stated;			/* the column names the parts */
	struct rm_keys seen;
	uint64_t *hash;			/* scratch */
	struct rm_slice *slice;
	size_t hash_cap, slice_cap;
	struct rm_buf text;
	uint64_t count[RM_N_VERDICTS];
};

/* ---- what the filters need ---- */

static int first_of(const struct rm_schema *schema, const char *a,
		    const char *b)
{
	int f = rm_schema_find(schema, a);

	return f >= 0 ? f : rm_schema_find(schema, b);
}

static int find_content(struct rm_filter *filter,
			const struct rm_schema *schema)
{
	filter->prompt = first_of(schema, "prompt", "prompt_text");
	if (filter->prompt < 0)
		filter->prompt = filter->key;
	filter->responses = first_of(schema, "responses", "response_texts");
	if (filter->responses >= 0)
		return 0;
	return rm_schema_need(schema, "responses",
			      " or response_texts to tell duplicates by");
}

static int find_fields(struct rm_filter *filter,
		       const struct rm_schema *schema)
{
	const struct rm_filter_options *o = &filter->o;

	filter->key = rm_schema_find(schema, "key");
	if (o->leaked && rm_schema_need(schema, "key", " to compare") < 0)
		return -1;
	if (o->dedup && find_content(filter, schema) < 0)
		return -1;
	if (o->split_by &&
	    rm_column_find(&filter->by, schema, o->split_by) < 0)
		return -1;
	if (o->split && !o->split_by &&
	    rm_schema_need(schema, "key", " to split by (a column to split "
			   "by may be named)") < 0)
		return -1;
	if (o->n_shards && rm_schema_need(schema, "key", " for shards") < 0)
		return -1;
	filter->stated = o->split_by && !strcmp(o->split_by, "split");
	return 0;
}

struct rm_filter *rm_filter_new(const struct rm_schema *schema,
				const struct rm_filter_options *options)
{
	struct rm_filter *filter = rm_calloc(1, sizeof(*filter));

	if (!filter)
		return NULL;
	filter->o = *options;
	if (find_fields(filter, schema) < 0) {
		rm_filter_free(filter);
		return NULL;
	}
	return filter;
}

void rm_filter_free(struct rm_filter *filter)
{
	if (!filter)
		return;
	rm_column_fini(&filter->by);
	rm_keys_fini(&filter->seen);
	rm_buf_fini(&filter->text);
	free(filter->hash);
	free(filter->slice);
	free(filter);
}

uint64_t rm_filter_count(const struct rm_filter *filter,
			 enum rm_verdict verdict)
{
	return filter->count[verdict];
}

/* ---- one filter after the other; each a verdict or -1 ---- */

static int key_of(const struct rm_filter *filter, const struct rm_record *rec,
		  uint64_t *key)
{
	*key = rm_record_u64(rec, filter->key);
	if (rm_record_is_nil(rec, filter->key))
		return rm_fail("field key: no value");
	return 0;
}

static int check_leak(struct rm_filter *filter, const struct rm_record *rec)
{
	uint64_t key;

	if (!filter->o.leaked)
		return RM_PASS;
	if (key_of(filter, rec, &key) < 0)
		return -1;
	return rm_keys_has(filter->o.leaked, key) ? RM_LEAK : RM_PASS;
}

static int by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

uint64_t rm_content_hash(uint64_t prompt, uint64_t *hashes, size_t k)
{
	qsort(hashes, k, sizeof(*hashes), by_number);
	hashes[k] = prompt;
	return rm_hash64(hashes, (k + 1) * sizeof(*hashes));
}

/* One hash of the prompt and of the responses in any order. */
static int content_of(struct rm_filter *filter, const struct rm_record *rec,
		      uint64_t *hash)
{
	struct rm_slice prompt = {0};
	size_t k = rec->k;

	if (rm_grow(&filter->hash, &filter->hash_cap, k + 1,
		    sizeof(*filter->hash)) < 0 ||
	    rm_grow(&filter->slice, &filter->slice_cap, k,
		    sizeof(*filter->slice)) < 0)
		return -1;
	if (filter->prompt >= 0)
		prompt = rec->field[filter->prompt];
	rm_record_elements(rec, filter->responses, filter->slice);
	for (size_t i = 0; i < k; i++)
		filter->hash[i] = rm_hash64(filter->slice[i].data,
					    filter->slice[i].len);
	*hash = rm_content_hash(rm_hash64(prompt.data, prompt.len),
				filter->hash, k);
	return 0;
}

static int check_duplicate(struct rm_filter *filter,
			   const struct rm_record *rec)
{
	uint64_t hash;
	int is_new;

	if (!filter->o.dedup)
		return RM_PASS;
	if (content_of(filter, rec, &hash) < 0)
		return -1;
	is_new = rm_keys_add(&filter->seen, hash);
	if (is_new < 0)
		return -1;
	return is_new ? RM_PASS : RM_DUPLICATE;
}

/* The value of split_by in filter->text: as rm_column_text. */
static int find_value(struct rm_filter *filter, const struct rm_record *rec)
{
	int found = rm_column_text(&filter->by, rec, &filter->text);

	if (found == 0 && !filter->stated)
		return rm_fail("column %s: no value to split by",
			       filter->by.name);
	return found;
}

static int find_part(struct rm_filter *filter, const struct rm_record *rec,
		     const char **part)
{
	uint64_t key = 0;
	int i;

	i = filter->o.split_by ? find_value(filter, rec)
			       : key_of(filter, rec, &key);
	if (i < 0)
		return -1;
	if (filter->stated) {
		*part = i > 0 ? rm_buf_text(&filter->text) : NULL;
		return 0;
	}
	if (filter->o.split_by)
		key = rm_hash64(filter->text.data, filter->text.len);
	i = rm_split_of(filter->o.split, key);
	*part = i >= 0 ? filter->o.split->part[i].name : NULL;
	return 0;
}

static int check_part(struct rm_filter *filter, const struct rm_record *rec,
		      const char **part)
{
	if (!filter->o.split)
		return RM_PASS;
	if (find_part(filter, rec, part) < 0)
		return -1;
	if (!filter->o.take || (*part && !strcmp(*part, filter->o.take)))
		return RM_PASS;
	return RM_OTHER_PART;
}

static int check_shard(struct rm_filter *filter, const struct rm_record *rec)
{
	uint64_t key;

	if (filter->o.n_shards == 0)
		return RM_PASS;
	if (key_of(filter, rec, &key) < 0)
		return -1;
	/* Hashed, so as not to follow what the keys come from. */
	if (rm_hash64(&key, sizeof(key)) % filter->o.n_shards ==
	    filter->o.shard - 1)
		return RM_PASS;
	return RM_OTHER_SHARD;
}

int rm_filter_record(struct rm_filter *filter, const struct rm_record *rec,
		     const char **part)
{
	int verdict;

	*part = NULL;
	verdict = check_leak(filter, rec);
	if (verdict == RM_PASS)
		verdict = check_duplicate(filter, rec);
	if (verdict == RM_PASS)
		verdict = check_part(filter, rec, part);
	if (verdict == RM_PASS)
		verdict = check_shard(filter, rec);
	if (verdict >= 0)
		filter->count[verdict]++;
	return verdict;
}
