/* Records without the choices of some annotators, and labels of the rest. */
#include "pair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rm_dropper {
	const struct rm_schema *schema;
	size_t n;
	struct dropped {
		char *name;
		uint64_t choices;
	} *name;
	int annotations, votes, rank, p;
	uint64_t choices;

	/* The record that is made. */
	struct rm_buf payload;
	struct rm_record rec;
	double *vote, *label;		/* [k + 1] left, ties last; [k] */
	size_t vote_cap, label_cap;
};

static int find_fields(struct rm_dropper *d, bool pairs)
{
	d->annotations = rm_schema_need(d->schema, "annotations",
					" to drop an annotator from");
	d->votes = rm_schema_find(d->schema, "votes");
	d->rank = rm_schema_find(d->schema, "rank");
	d->p = rm_schema_find(d->schema, "p");
	if (d->annotations < 0)
		return -1;
	if (pairs)
		return rm_fail("pairs are in the order that all annotators "
			       "gave them, and ties may be gone: annotators "
			       "are dropped from groups");
	return 0;
}

static int copy_names(struct rm_dropper *d, char *const *names, size_t n)
{
	d->name = rm_calloc(n, sizeof(*d->name));
	if (!d->name)
		return -1;
	for (d->n = 0; d->n < n; d->n++) {
		d->name[d->n].name = rm_strdup(names[d->n]);
		if (!d->name[d->n].name)
			return -1;
	}
	return 0;
}

struct rm_dropper *rm_dropper_new(const struct rm_schema *schema, bool pairs,
				  char *const *names, size_t n)
{
	struct rm_dropper *d = rm_calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->schema = schema;
	if (copy_names(d, names, n) < 0 || find_fields(d, pairs) < 0) {
		rm_dropper_free(d);
		return NULL;
	}
	return d;
}

void rm_dropper_free(struct rm_dropper *d)
{
	if (!d)
		return;
	for (size_t i = 0; d->name && i < d->n; i++)
		free(d->name[i].name);
	free(d->name);
	rm_buf_fini(&d->payload);
	rm_record_fini(&d->rec);
	free(d->vote);
	free(d->label);
	free(d);
}

uint64_t rm_dropper_count(const struct rm_dropper *d)
{
	return d->choices;
}

const char *rm_dropper_unseen(const struct rm_dropper *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->name[i].choices == 0)
			return d->name[i].name;
	return NULL;
}

/* ---- a record ---- */

static struct dropped *find(const struct rm_dropper *d, struct rm_slice who)
{
	for (size_t i = 0; who.data && i < d->n; i++)
		if (rm_slice_is(who, d->name[i].name))
			return &d->name[i];
	return NULL;
}

/* How many choices are left; their votes in d->vote. */
static size_t count_left(struct rm_dropper *d, const struct rm_record *rec)
{
	size_t n = rm_record_choices(rec, d->annotations), left = 0, choice;
	struct rm_slice who;

	memset(d->vote, 0, (rec->k + 1) * sizeof(*d->vote));
	for (size_t i = 0; i < n; i++) {
		struct dropped *gone;

		rm_record_choice_at(rec, d->annotations, i, &who, &choice);
		gone = find(d, who);
		if (gone) {
			gone->choices++;
			d->choices++;
			continue;
		}
		d->vote[choice]++;
		left++;
	}
	return left;
}

static void put_choices(struct rm_dropper *d, const struct rm_record *rec,
			size_t left)
{
	size_t n = rm_record_choices(rec, d->annotations), choice;
	struct rm_buf *b = &d->payload;
	struct rm_slice who;

	rm_put_array(b, left);
	for (size_t i = 0; i < n; i++) {
		rm_record_choice_at(rec, d->annotations, i, &who, &choice);
		if (find(d, who))
			continue;
		rm_put_map(b, who.data ? 2 : 1);
		if (who.data) {
			rm_put_str(b, "annotator", 9);
			rm_put_str(b, who.data, who.len);
		}
		rm_put_str(b, "choice", 6);
		rm_put_u64(b, choice);
	}
}

static int by_more(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a < b) - (a > b);
}

/* The rank of a response is how many have more votes. */
static void put_ranks(struct rm_dropper *d, size_t k)
{
	double *sorted = d->label + k;

	memcpy(sorted, d->vote, k * sizeof(*sorted));
	qsort(sorted, k, sizeof(*sorted), by_more);
	for (size_t i = 0; i < k; i++) {
		size_t low = 0, high = k;

		while (low < high) {
			size_t mid = low + (high - low) / 2;

			if (sorted[mid] > d->vote[i])
				low = mid + 1;
			else
				high = mid;
		}
		d->label[i] = (double)low;
	}
	rm_put_f64s(&d->payload, d->label, k);
}

/* Not nil, which would not say how many responses there are. */
static void put_missing(struct rm_dropper *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		d->vote[i] = NAN;
	rm_put_f64s(&d->payload, d->vote, n);
}

static void put_field(struct rm_dropper *d, const struct rm_record *rec,
		      size_t f, size_t left)
{
	int i = (int)f;

	if (i == d->annotations)
		put_choices(d, rec, left);
	else if (i == d->p)
		rm_put_nil(&d->payload);
	else if (left == 0 && (i == d->votes || i == d->rank))
		put_missing(d, i == d->votes ? rec->k + 1 : rec->k);
	else if (i == d->votes)
		rm_put_f64s(&d->payload, d->vote, rec->k + 1);
	else if (i == d->rank)
		put_ranks(d, rec->k);
	else
		rm_put_raw(&d->payload, rec->field[f]);
}

int rm_dropper_record(struct rm_dropper *d, const struct rm_record **rec)
{
	const struct rm_record *from = *rec;
	size_t left;

	if (rm_record_choices(from, d->annotations) == 0)
		return 0;
	if (rm_grow(&d->vote, &d->vote_cap, from->k + 1,
		    sizeof(*d->vote)) < 0 ||
	    rm_grow(&d->label, &d->label_cap, 2 * from->k,
		    sizeof(*d->label)) < 0)
		return -1;
	left = count_left(d, from);
	rm_buf_clear(&d->payload);
	rm_put_array(&d->payload, d->schema->n);
	for (size_t f = 0; f < d->schema->n; f++)
		put_field(d, from, f, left);
	if (d->payload.failed ||
	    rm_record_index(&d->rec, d->schema, d->payload.data,
			    d->payload.len) < 0)
		return -1;
	*rec = &d->rec;
	return 0;
}
