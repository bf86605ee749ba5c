/* dataset: a stream into groups and examples; see dataset.h. */
#include "dataset/internal.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* ---- packing ---- */

struct fields {
	int id, key, prompt, responses, margin, weight;
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
	f->margin = rm_schema_find(s, "margin");
	f->weight = rm_schema_find(s, "weight");
	return 0;
}

/* values [k]: the ranks, or NULL. */
static int pack(struct rm_dataset *d, const struct rm_record *rec,
		const struct fields *f, const double *values)
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
	if (rm_labels_pack(d, rec, values, b) < 0)
		return -1;
	rm_buf_append(b, prompt.data, prompt.len);
	for (size_t i = 0; i < rec->k; i++)
		rm_buf_append(b, d->response[i].data, d->response[i].len);
	rm_buf_append(b, id.data, id.len);
	return b->failed ? -1 : 0;
}

/* 0, 1, ... up to the widest group. */
static int need_identity(struct rm_dataset *d, size_t k)
{
	size_t had = d->cap_identity;

	if (rm_grow(&d->identity, &d->cap_identity, k,
		    sizeof(*d->identity)) < 0)
		return -1;
	for (size_t i = had; i < d->cap_identity; i++)
		d->identity[i] = i;
	return 0;
}

int rm_dataset_unpack(struct rm_dataset *d, size_t i, struct unpacked *u)
{
	struct rm_slice s;
	const unsigned char *lengths, *at;

	if (rm_spool_get(d->spool, i, &s) < 0)
		return -1;
	memcpy(&u->g, s.data, sizeof(u->g));
	lengths = s.data + sizeof(u->g);
	u->labels = lengths + u->g.k * sizeof(uint32_t);
	at = u->labels + d->labels.n * u->g.k * sizeof(double);
	u->prompt = (struct rm_slice){ at, u->g.prompt };
	at += u->g.prompt;
	for (size_t r = 0; r < u->g.k; r++) {
		uint32_t len;

		memcpy(&len, lengths + r * sizeof(len), sizeof(len));
		d->response[r] = (struct rm_slice){ at, len };
		at += len;
	}
	u->id = (struct rm_slice){ at, u->g.id };
	return 0;
}

int rm_dataset_get(struct rm_dataset *d, size_t i, struct rm_example *to)
{
	const struct example *e = &d->example[i];
	struct unpacked u;

	if (rm_dataset_unpack(d, e->group, &u) < 0)
		return -1;
	*to = (struct rm_example){
		.record = u.g.record, .key = u.g.key, .prompt = u.prompt,
		.id = u.id, .n = u.g.k, .response = d->response,
		.pick = d->identity
	};
	if (d->groups)
		return 0;
	for (size_t j = 0; j < 2; j++) {
		d->pick[j] = e->pick[j];
		d->picked[j] = d->response[e->pick[j]];
	}
	to->n = 2;
	to->response = d->picked;
	to->pick = d->pick;
	return 0;
}

uint64_t rm_example_tokens(const struct rm_example *e)
{
	uint64_t bytes = e->n * (uint64_t)e->prompt.len;

	for (size_t i = 0; i < e->n; i++)
		bytes += e->response[i].len;
	return bytes / sizeof(int32_t);
}

/* ---- reading ---- */

static int narrow(float *to, double x, const char *field)
{
	if (fabs(x) > (double)FLT_MAX)
		return rm_fail("field %s: %g is too large", field, x);
	*to = (float)x;
	return 0;
}

static int add_example(struct rm_dataset *d, struct example *e, double margin,
		       double weight)
{
	if (narrow(&e->margin, margin, "margin") < 0 ||
	    narrow(&e->weight, weight, "weight") < 0 ||
	    rm_grow(&d->example, &d->cap, d->n + 1, sizeof(*e)) < 0)
		return -1;
	d->example[d->n++] = *e;
	d->counts.even += e->p == .5F;
	d->weighs |= e->weight != 0;	/* NaN is 1 */
	return 0;
}

static uint64_t tokens_of(const struct rm_dataset *d, size_t prompt,
			  size_t response)
{
	return (prompt + d->response[response].len) / sizeof(int32_t);
}

static int add_pair(struct rm_dataset *d, const struct rm_pair *pair,
		    size_t prompt)
{
	struct example e = {
		.group = (uint32_t)d->n_groups,
		.p = (float)(isnan(pair->p) ? 1 : pair->p)
	};

	for (size_t i = 0; i < 2; i++) {
		e.pick[i] = (uint32_t)pair->pick[i];
		d->counts.tokens += tokens_of(d, prompt, pair->pick[i]);
	}
	return add_example(d, &e, pair->margin, pair->weight);
}

/* A pairer of NULL: nothing says who is preferred. */
static int add_group(struct rm_dataset *d, const struct rm_record *rec,
		     const struct fields *f, const struct rm_pairer *pairer)
{
	bool pair = rec->k == 2;
	struct example e = {
		.group = (uint32_t)d->n_groups, .pick = { (uint32_t)rec->k },
		.p = (float)(pair && pairer ? rm_pairer_p(pairer, 0, 1) :
					      (double)NAN)
	};

	for (size_t i = 0; i < rec->k; i++)
		d->counts.tokens += tokens_of(d, rm_record_bytes(rec,
							f->prompt).len, i);
	return need_identity(d, rec->k) < 0 ? -1 :
	       add_example(d, &e, pair ? rm_record_f64(rec, f->margin) :
				  (double)NAN,
			   rm_record_f64(rec, f->weight));
}

/* The checksum goes on with the hash of n bytes. */
static void mix(struct rm_dataset *d, const void *data, size_t n)
{
	uint64_t both[2] = { d->checksum, rm_hash64(data, n) };

	d->checksum = rm_hash64(both, sizeof(both));
}

/* The examples from `first` on are of this record; it is kept with them. */
static int keep_record(struct rm_dataset *d, size_t first)
{
	mix(d, d->packed.data, d->packed.len);
	mix(d, &d->example[first], (d->n - first) * sizeof(*d->example));
	d->n_groups++;
	return rm_spool_add(d->spool, d->packed.data, d->packed.len);
}

static int start_record(struct rm_dataset *d, const struct rm_record *rec,
			const struct fields *f, const double *values)
{
	if (rm_record_is_nil(rec, f->responses))
		return rm_fail("field responses is nil");
	if (d->n_groups == UINT32_MAX)
		return rm_fail("more than %u groups", UINT32_MAX);
	return pack(d, rec, f, values);
}

static int add_pairs(struct rm_dataset *d, const struct rm_record *rec,
		     const struct fields *f, struct rm_pairer *pairer)
{
	size_t first = d->n;
	struct rm_pair pair;

	if (rm_pairer_set(pairer, rec) < 0)
		return -1;
	if (!rm_pairer_next(pairer, &pair))
		return 0;
	if (start_record(d, rec, f, rm_pairer_values(pairer)) < 0)
		return -1;
	do {
		if (add_pair(d, &pair, rm_record_bytes(rec,
						       f->prompt).len) < 0)
			return -1;
	} while (rm_pairer_next(pairer, &pair));
	return keep_record(d, first);
}

/*
 * Whether a group is an example: one that has no order is none for a loss
 * that learns nothing else.
 */
static bool is_wanted(struct rm_dataset *d, const struct rm_record *rec,
		      struct rm_pairer *pairer, bool preference)
{
	struct rm_pair list;
	bool made = pairer && rm_pairer_next(pairer, &list);

	if (!preference || (made && rec->k > 1))
		return true;
	d->counts.barren += made;	/* the pairer counts the others */
	return false;
}

static int add_whole(struct rm_dataset *d, const struct rm_record *rec,
		     const struct fields *f, struct rm_pairer *pairer,
		     bool preference)
{
	size_t first = d->n;

	if (pairer && rm_pairer_set(pairer, rec) < 0)
		return -1;
	if (!is_wanted(d, rec, pairer, preference))
		return 0;
	if (start_record(d, rec, f,
			 pairer ? rm_pairer_values(pairer) : NULL) < 0 ||
	    add_group(d, rec, f, pairer) < 0)
		return -1;
	return keep_record(d, first);
}

static void count_examples(struct rm_dataset *d,
			   const struct rm_pairer *pairer, bool preference)
{
	const struct rm_pair_counts *c;

	d->counts.examples = d->n;
	if (!pairer || (d->groups && !preference))
		return;
	c = rm_pairer_counts(pairer);
	d->counts.ties = c->ties;
	d->counts.missing = c->missing;
	d->counts.barren += c->barren;
}

static int check_any(const struct rm_dataset *d, const char *name)
{
	const struct rm_dataset_counts *c = &d->counts;

	if (d->weighs)
		return 0;
	if (d->n > 0)
		return rm_fail("%s: every %s has weight 0: nothing to train "
			       "on", name, d->groups ? "group" : "pair");
	if (c->records == 0)
		return rm_fail("%s: no records: nothing to train on", name);
	return rm_fail("%s: none of %llu records prefers one response to "
		       "another (%llu ties): nothing to train on", name,
		       (unsigned long long)c->records,
		       (unsigned long long)c->ties);
}

static int read_records(struct rm_dataset *d, struct rm_reader *in,
			const struct rm_loss_wants *w,
			struct rm_pairer *pairer)
{
	const struct rm_record *rec;
	struct fields f;
	int got;

	if (find_fields(&f, &rm_reader_header(in)->schema) < 0)
		return rm_wrap("%s", rm_reader_name(in));
	while ((got = rm_reader_next(in, &rec)) > 0) {
		d->counts.records++;
		if ((d->groups ? add_whole(d, rec, &f, pairer,
					   w->preference) :
				 add_pairs(d, rec, &f, pairer)) < 0)
			return rm_reader_wrap(in);
	}
	count_examples(d, pairer, w->preference);
	return got;
}

/* Ranks are a label of groups, and of pairs none is needed. */
static int read_all(struct rm_dataset *d, struct rm_reader *in,
		    const struct rm_dataset_options *o)
{
	const struct rm_header *h = rm_reader_header(in);
	const struct rm_pair_options whole = { .as = RM_PAIR_LIST };
	struct rm_pairer *pairer = NULL;
	bool ranked = !o->wants.groups || o->wants.preference ||
		rm_pairer_can(&h->schema, h->pairs);
	int got = -1;

	d->groups = o->wants.groups;
	if (ranked)
		pairer = rm_pairer_new(&h->schema, h->pairs,
				       d->groups ? &whole : NULL);
	if ((ranked && !pairer) ||
	    rm_labels_find(&d->labels, &h->schema, o,
			   ranked && d->groups) < 0)
		rm_wrap("%s", rm_reader_name(in));
	else
		got = read_records(d, in, &o->wants, pairer);
	rm_pairer_free(pairer);
	if (got < 0)
		return -1;
	return rm_labels_check(&d->labels) < 0 ?
	       rm_wrap("%s", rm_reader_name(in)) :
	       check_any(d, rm_reader_name(in));
}

struct rm_dataset *rm_dataset_read(struct rm_reader *in,
				   const struct rm_dataset_options *options)
{
	struct rm_dataset *d = rm_calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->spool = rm_spool_new(options->memory);
	if (d->spool && read_all(d, in, options) == 0)
		return d;
	rm_dataset_free(d);
	return NULL;
}

void rm_dataset_free(struct rm_dataset *d)
{
	if (!d)
		return;
	rm_spool_free(d->spool);
	rm_labels_fini(&d->labels);
	rm_buf_fini(&d->packed);
	free(d->identity);
	free(d->label);
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
	struct unpacked u;
	int status = 0;

	for (size_t i = 0; i < d->n_groups && status == 0; i++) {
		rm_batch_clear(&batch);
		if (rm_dataset_unpack(d, i, &u) < 0 ||
		    rm_batch_add(&batch, u.prompt, d->response, u.g.k,
				 prompt_as) < 0 ||
		    fn(arg, &batch) < 0)
			status = -1;
	}
	rm_batch_fini(&batch);
	return status;
}
