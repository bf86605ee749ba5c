/* dataset: see dataset.h. */
#include "dataset.h"

#include "io.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * A group as the spool keeps it: this, the lengths of the k responses as
 * uint32_t, then the bytes of prompt, responses and id.
 */
struct group {
	uint64_t key, record;
	uint32_t k, prompt, id;		/* responses; bytes */
	uint32_t zero;			/* no padding to hash */
};

/* The preferred response of a group, and the other. */
struct example {
	uint32_t group, pick[2];
	float p, margin, weight;
};

struct rm_dataset {
	struct rm_spool *spool;
	struct example *example;
	size_t n, cap;
	size_t n_groups;
	uint64_t checksum;
	struct rm_dataset_counts counts;
	bool weighs;			/* any example has a weight */
	struct rm_slice *response;	/* scratch, of the widest group */
	size_t cap_response;
	struct rm_buf packed;		/* scratch */
};

/* ---- packing ---- */

struct fields {
	int id, key, prompt, responses;
};

static int find_fields(struct fields *f, const struct rm_schema *s)
{
	f->responses = rm_schema_need(s, "responses",
				      ": run rm-tokenize first");
	if (f->responses < 0)
		return -1;
	f->id = rm_schema_find(s, "id");
	f->key = rm_schema_find(s, "key");
	f->prompt = rm_schema_find(s, "prompt");
	return 0;
}

static int pack(struct rm_dataset *d, const struct rm_record *rec,
		const struct fields *f)
{
	struct rm_slice prompt = rm_record_bytes(rec, f->prompt);
	struct rm_slice id = rm_record_bytes(rec, f->id);
	struct group g = {
		rm_record_u64(rec, f->key), d->counts.records,
		(uint32_t)rec->k, (uint32_t)prompt.len, (uint32_t)id.len, 0
	};
	struct rm_buf *b = &d->packed;

	if (rm_grow(&d->response, &d->cap_response, rec->k,
		    sizeof(*d->response)) < 0)
		return -1;
	rm_record_elements(rec, f->responses, d->response);
	rm_buf_clear(b);
	rm_buf_append(b, &g, sizeof(g));
	for (size_t i = 0; i < rec->k; i++) {
		uint32_t len = (uint32_t)d->response[i].len;

		rm_buf_append(b, &len, sizeof(len));
	}
	rm_buf_append(b, prompt.data, prompt.len);
	for (size_t i = 0; i < rec->k; i++)
		rm_buf_append(b, d->response[i].data, d->response[i].len);
	rm_buf_append(b, id.data, id.len);
	return b->failed ? -1 : 0;
}

/* Prompt and id of a packed group; its responses into d->response. */
static int unpack(struct rm_dataset *d, size_t i, struct group *g,
		  struct rm_slice *prompt, struct rm_slice *id)
{
	struct rm_slice s;
	const unsigned char *lengths, *at;

	if (rm_spool_get(d->spool, i, &s) < 0)
		return -1;
	memcpy(g, s.data, sizeof(*g));
	lengths = s.data + sizeof(*g);
	at = lengths + g->k * sizeof(uint32_t);
	*prompt = (struct rm_slice){ at, g->prompt };
	at += g->prompt;
	for (size_t r = 0; r < g->k; r++) {
		uint32_t len;

		memcpy(&len, lengths + r * sizeof(len), sizeof(len));
		d->response[r] = (struct rm_slice){ at, len };
		at += len;
	}
	*id = (struct rm_slice){ at, g->id };
	return 0;
}

static int get(struct rm_dataset *d, size_t i, struct rm_example *to)
{
	const struct example *e = &d->example[i];
	struct group g;

	if (unpack(d, e->group, &g, &to->prompt, &to->id) < 0)
		return -1;
	to->record = g.record;
	to->key = g.key;
	for (size_t j = 0; j < 2; j++) {
		to->pick[j] = e->pick[j];
		to->response[j] = d->response[e->pick[j]];
	}
	return 0;
}

/* ---- reading ---- */

static int add_example(struct rm_dataset *d, const struct rm_pair *pair,
		       size_t prompt)
{
	struct example *e;

	if (rm_grow(&d->example, &d->cap, d->n + 1, sizeof(*e)) < 0)
		return -1;
	if (fabs(pair->margin) > (double)FLT_MAX)
		return rm_fail("field margin: %g is too large", pair->margin);
	if (pair->weight > (double)FLT_MAX)
		return rm_fail("field weight: %g is too large", pair->weight);
	e = &d->example[d->n++];
	memset(e, 0, sizeof(*e));
	e->group = (uint32_t)d->n_groups;
	for (size_t i = 0; i < 2; i++) {
		e->pick[i] = (uint32_t)pair->pick[i];
		d->counts.tokens += (prompt + d->response[pair->pick[i]].len)
				    / sizeof(int32_t);
	}
	e->p = (float)(isnan(pair->p) ? 1 : pair->p);
	d->counts.even += pair->p == .5;
	e->margin = (float)pair->margin;
	e->weight = (float)pair->weight;
	d->weighs |= e->weight != 0;	/* NaN is 1 */
	return 0;
}

/* The checksum goes on with the hash of n bytes. */
static void mix(struct rm_dataset *d, const void *data, size_t n)
{
	uint64_t both[2] = { d->checksum, rm_hash64(data, n) };

	d->checksum = rm_hash64(both, sizeof(both));
}

static int add_record(struct rm_dataset *d, const struct rm_record *rec,
		      const struct fields *f, struct rm_pairer *pairer)
{
	size_t first = d->n;
	struct rm_pair pair;

	if (rm_pairer_set(pairer, rec) < 0)
		return -1;
	d->counts.records++;
	if (!rm_pairer_next(pairer, &pair))
		return 0;
	if (rm_record_is_nil(rec, f->responses))
		return rm_fail("field responses is nil");
	if (d->n_groups == UINT32_MAX)
		return rm_fail("more than %u groups", UINT32_MAX);
	if (pack(d, rec, f) < 0)
		return -1;
	do {
		if (add_example(d, &pair,
				rm_record_bytes(rec, f->prompt).len) < 0)
			return -1;
	} while (rm_pairer_next(pairer, &pair));
	mix(d, d->packed.data, d->packed.len);
	mix(d, &d->example[first], (d->n - first) * sizeof(*d->example));
	d->n_groups++;
	return rm_spool_add(d->spool, d->packed.data, d->packed.len);
}

static void count_pairs(struct rm_dataset *d, const struct rm_pairer *pairer)
{
	const struct rm_pair_counts *c = rm_pairer_counts(pairer);

	d->counts.pairs = d->n;
	d->counts.ties = c->ties;
	d->counts.missing = c->missing;
	d->counts.barren = c->barren;
}

static int check_any(const struct rm_dataset *d, const char *name)
{
	const struct rm_dataset_counts *c = &d->counts;

	if (d->weighs)
		return 0;
	if (d->n > 0)
		return rm_fail("%s: every pair has weight 0: nothing to train "
			       "on", name);
	if (c->records == 0)
		return rm_fail("%s: no records: nothing to train on", name);
	return rm_fail("%s: none of %llu records prefers one response to "
		       "another (%llu ties): nothing to train on", name,
		       (unsigned long long)c->records,
		       (unsigned long long)c->ties);
}

static int read_all(struct rm_dataset *d, struct rm_reader *in)
{
	const struct rm_header *h = rm_reader_header(in);
	const struct rm_record *rec;
	struct rm_pairer *pairer;
	struct fields f;
	int got;

	if (find_fields(&f, &h->schema) < 0)
		return rm_wrap("%s", rm_reader_name(in));
	pairer = rm_pairer_new(&h->schema, h->pairs, NULL);
	if (!pairer)
		return rm_wrap("%s", rm_reader_name(in));
	while ((got = rm_reader_next(in, &rec)) > 0) {
		if (add_record(d, rec, &f, pairer) < 0) {
			got = rm_reader_wrap(in);
			break;
		}
	}
	count_pairs(d, pairer);
	rm_pairer_free(pairer);
	return got < 0 ? -1 : check_any(d, rm_reader_name(in));
}

struct rm_dataset *rm_dataset_read(struct rm_reader *in, size_t memory)
{
	struct rm_dataset *d = rm_calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->spool = rm_spool_new(memory);
	if (d->spool && read_all(d, in) == 0)
		return d;
	rm_dataset_free(d);
	return NULL;
}

void rm_dataset_free(struct rm_dataset *d)
{
	if (!d)
		return;
	rm_spool_free(d->spool);
	rm_buf_fini(&d->packed);
	free(d->example);
	free(d->response);
	free(d);
}

const struct rm_dataset_counts *rm_dataset_counts(const struct rm_dataset *d)
{
	return &d->counts;
}

struct rm_fingerprint rm_dataset_fingerprint(const struct rm_dataset *d)
{
	uint64_t all[3] = { d->checksum, d->n, d->n_groups };

	return rm_fingerprint(all, sizeof(all));
}

int rm_dataset_each(struct rm_dataset *d, enum rm_prompt prompt_as,
		    int (*fn)(void *arg, const struct rm_batch *batch),
		    void *arg)
{
	struct rm_batch batch = {0};
	struct rm_slice prompt, id;
	struct group g;
	int status = 0;

	for (size_t i = 0; i < d->n_groups && status == 0; i++) {
		rm_batch_clear(&batch);
		if (unpack(d, i, &g, &prompt, &id) < 0 ||
		    rm_batch_add(&batch, prompt, d->response, g.k,
				 prompt_as) < 0 ||
		    fn(arg, &batch) < 0)
			status = -1;
	}
	rm_batch_fini(&batch);
	return status;
}

/* ---- subsets ---- */

static int subset_new(struct rm_subset *s, struct rm_dataset *d)
{
	if (d->n > UINT32_MAX)
		return rm_fail("more than %u pairs", UINT32_MAX);
	s->data = d;
	s->example = rm_malloc(d->n, sizeof(*s->example));
	return s->example ? 0 : -1;
}

int rm_subset_all(struct rm_subset *s, struct rm_dataset *d)
{
	if (subset_new(s, d) < 0)
		return -1;
	for (size_t i = 0; i < d->n; i++)
		s->example[i] = (uint32_t)i;
	s->n = d->n;
	s->tokens = d->counts.tokens;
	return 0;
}

/* Where a key falls in [0, 1), and the tokens of example i. */
static int look_at(struct rm_dataset *d, size_t i, uint64_t seed, double *u,
		   uint64_t *tokens)
{
	struct rm_example e;

	if (get(d, i, &e) < 0)
		return -1;
	/* Step 1: independent of rm-pair's split of the same seed. */
	*u = rm_random_uniform(seed, RM_RANDOM_SPLIT, 1, e.key);
	*tokens = (2 * e.prompt.len + e.response[0].len +
		   e.response[1].len) / sizeof(int32_t);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * Below which place in [0, 1) that fraction of the distinct keys falls;
 * place[n] is sorted.
 */
static double threshold(double *place, size_t n, double fraction)
{
	size_t distinct = 0, take;

	qsort(place, n, sizeof(*place), by_value);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || place[i] > place[distinct - 1])
			place[distinct++] = place[i];
	}
	take = (size_t)round(fraction * (double)distinct);
	return take < distinct ? place[take] : 1;
}

/* The two sides, given where each example's key falls. */
static int divide(struct rm_subset *a, struct rm_subset *b,
		  struct rm_dataset *d, double end, uint64_t seed)
{
	for (size_t i = 0; i < d->n; i++) {
		struct rm_subset *to;
		uint64_t tokens;
		double u;

		if (look_at(d, i, seed, &u, &tokens) < 0)
			return -1;
		to = u < end ? b : a;
		to->example[to->n++] = (uint32_t)i;
		to->tokens += tokens;
	}
	return 0;
}

int rm_subset_split(struct rm_subset *a, struct rm_subset *b,
		    struct rm_dataset *d, double fraction, uint64_t seed)
{
	double *place = rm_malloc(d->n, sizeof(*place));
	uint64_t tokens;
	int status = place ? 0 : -1;

	for (size_t i = 0; i < d->n && status == 0; i++)
		status = look_at(d, i, seed, &place[i], &tokens);
	if (status == 0 && (subset_new(a, d) < 0 || subset_new(b, d) < 0))
		status = -1;
	if (status == 0)
		status = divide(a, b, d, threshold(place, d->n, fraction),
				seed);
	free(place);
	if (status == 0 && (a->n == 0 || b->n == 0))
		return rm_fail("a validation fraction of %g leaves %s: the "
			       "%zu pairs have too few keys", fraction,
			       b->n ? "nothing to train on" :
			       "nothing to validate on", d->n);
	return status;
}

void rm_subset_fini(struct rm_subset *s)
{
	free(s->example);
	memset(s, 0, sizeof(*s));
}

int rm_subset_get(const struct rm_subset *s, size_t i, struct rm_example *e)
{
	return get(s->data, s->example[i], e);
}

int rm_subset_batch(const struct rm_subset *s, const size_t *order, size_t n,
		    enum rm_prompt prompt_as, struct rm_batch *batch)
{
	struct rm_example e;

	rm_batch_clear(batch);
	for (size_t i = 0; i < n; i++) {
		if (rm_subset_get(s, order[i], &e) < 0)
			return -1;
		if (rm_batch_add(batch, e.prompt, e.response, 2,
				 prompt_as) < 0)
			return rm_wrap("record %llu",
				       (unsigned long long)e.record);
	}
	return 0;
}

void rm_subset_targets(const struct rm_subset *s, const size_t *order,
		       size_t n, struct rm_target *targets)
{
	for (size_t i = 0; i < n; i++) {
		const struct example *e =
			&s->data->example[s->example[order[i]]];

		targets[i] = (struct rm_target){
			.k = 2, .p = (double)e->p,
			.margin = (double)e->margin,
			.weight = (double)e->weight,
		};
	}
}

int rm_subset_tokens(const struct rm_subset *s, const size_t *order, size_t n,
		     enum rm_prompt prompt_as, size_t *tokens)
{
	static const size_t prompts[] = {
		[RM_PROMPT_NONE] = 0, [RM_PROMPT_SHARED] = 1,
		[RM_PROMPT_COPIED] = 2, [RM_PROMPT_APART] = 1
	};
	struct rm_example e;

	for (size_t i = 0; i < n; i++) {
		if (rm_subset_get(s, order[i], &e) < 0)
			return -1;
		tokens[i] = (prompts[prompt_as] * e.prompt.len +
			     e.response[0].len + e.response[1].len) /
			sizeof(int32_t);
	}
	return 0;
}

static int fail_length(const struct rm_subset *s, size_t i, size_t response,
		       size_t n, size_t least, size_t most)
{
	struct rm_buf b = {0};

	rm_subset_name(s, i, &b);
	rm_buf_printf(&b, ": response %zu has %zu tokens with its prompt and "
		      "the model ", response + 1, n);
	if (n < least)
		rm_buf_printf(&b, "reads at least %zu", least);
	else
		rm_buf_printf(&b, "%zu positions: cut texts with rm-tokenize "
			      "-l %zu, or with -m or -t MODEL, which keep to "
			      "its positions", most, most);
	rm_fail("%s", rm_buf_text(&b));
	rm_buf_fini(&b);
	return -1;
}

int rm_subset_check_lengths(const struct rm_subset *s, size_t least,
			    size_t most)
{
	struct rm_example e;

	for (size_t i = 0; (least || most) && i < s->n; i++) {
		if (rm_subset_get(s, i, &e) < 0)
			return -1;
		for (size_t j = 0; j < 2; j++) {
			size_t n = (e.prompt.len + e.response[j].len) /
				sizeof(int32_t);

			if (n < least || (most && n > most))
				return fail_length(s, i, e.pick[j], n, least,
						   most);
		}
	}
	return 0;
}

void rm_subset_name(const struct rm_subset *s, size_t i, struct rm_buf *out)
{
	struct rm_example e;

	if (rm_subset_get(s, i, &e) < 0)
		return;
	rm_buf_printf(out, "record %llu", (unsigned long long)e.record);
	if (e.id.len > 0) {
		rm_buf_puts(out, " (");
		rm_buf_append(out, e.id.data, e.id.len);
		rm_buf_putc(out, ')');
	}
}
