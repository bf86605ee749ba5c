/* What is known of the responses of a group. */
#include "dataset/internal.h"

#include <stdlib.h>
#include <string.h>

/* The field of that name, if it is wanted; then it must be there. */
static int want(const struct rm_schema *s, bool wanted, const char *name,
		const char *hint, int *field)
{
	*field = wanted ? rm_schema_need(s, name, hint) : -1;
	return wanted && *field < 0 ? -1 : 0;
}

static int find_fields(struct labels *l, const struct rm_schema *s,
		       const struct rm_dataset_options *o, bool ranked)
{
	const struct rm_loss_wants *w = &o->wants;
	int *field = l->field;

	field[RANK] = ranked ? 0 : -1;
	field[SCORE] = w->score ? rm_schema_find(s, "score") : -1;
	field[LENGTH] = w->length ? rm_length_field(s) : -1;
	if (w->length && field[LENGTH] < 0)
		return -1;
	if (want(s, w->teacher, "teacher",
		 ": rm-score --field teacher adds a model's rewards, "
		 "rm-tokenize --teacher takes them from a column",
		 &field[TEACHER]) < 0)
		return -1;
	return want(s, w->grades && o->n_grades > 0, "attributes",
		    ": rm-tokenize --attributes keeps grades",
		    &field[GRADES]);
}

int rm_labels_find(struct labels *l, const struct rm_schema *s,
		   const struct rm_dataset_options *o, bool ranked)
{
	if (find_fields(l, s, o, ranked) < 0)
		return -1;
	for (enum label i = RANK; i < GRADES; i++) {
		l->row[i] = l->n;
		l->n += l->field[i] >= 0;
	}
	l->row[GRADES] = l->n;
	if (l->field[GRADES] < 0)
		return 0;
	l->n += o->n_grades;
	l->name = o->grades;
	l->n_grades = o->n_grades;
	l->seen = rm_calloc(o->n_grades, sizeof(*l->seen));
	return l->seen ? 0 : -1;
}

void rm_labels_fini(struct labels *l)
{
	free(l->seen);
	rm_buf_fini(&l->others);
}

/* ---- in ---- */

static void put_nan(struct rm_buf *out, size_t k)
{
	static const double nan = (double)NAN;

	for (size_t i = 0; i < k; i++)
		rm_buf_append(out, &nan, sizeof(nan));
}

static void note_names(struct labels *l, const struct rm_record *rec)
{
	size_t n = rm_record_map_size(rec, l->field[GRADES]);
	struct rm_slice name, numbers;

	for (size_t i = 0; i < n; i++) {
		rm_record_map_at(rec, l->field[GRADES], i, &name, &numbers);
		rm_buf_puts(&l->others, i ? ", " : "");
		rm_buf_append(&l->others, name.data, name.len);
	}
}

/* The k grades of that name as the record has them, else NaN. */
static void put_grade(struct labels *l, size_t which,
		      const struct rm_record *rec, struct rm_buf *out)
{
	int f = l->field[GRADES];
	size_t n = rm_record_map_size(rec, f), len = strlen(l->name[which]);
	struct rm_slice name, numbers;

	for (size_t i = 0; i < n; i++) {
		rm_record_map_at(rec, f, i, &name, &numbers);
		if (name.len != len ||
		    memcmp(name.data, l->name[which], len) != 0)
			continue;
		l->seen[which] = true;
		rm_buf_append(out, numbers.data, numbers.len);
		return;
	}
	put_nan(out, rec->k);
}

static void put_lengths(struct rm_buf *out, const struct rm_record *rec,
			int f)
{
	bool nil = rm_record_is_nil(rec, f);

	for (size_t i = 0; i < rec->k; i++) {
		double x = nil ? (double)NAN : rm_record_i32_at(rec, f, i);

		rm_buf_append(out, &x, sizeof(x));
	}
}

int rm_labels_pack(struct rm_dataset *d, const struct rm_record *rec,
		   const double *values, struct rm_buf *out)
{
	struct labels *l = &d->labels;
	size_t bytes = rec->k * sizeof(double);

	if (rm_grow(&d->label, &d->cap_label, rec->k, sizeof(*d->label)) < 0)
		return -1;
	if (l->field[RANK] >= 0)
		rm_buf_append(out, values, bytes);
	for (enum label i = SCORE; i <= TEACHER; i++) {
		if (l->field[i] < 0)
			continue;
		rm_record_f64s(rec, l->field[i], d->label, rec->k);
		rm_buf_append(out, d->label, bytes);
	}
	if (l->field[LENGTH] >= 0)
		put_lengths(out, rec, l->field[LENGTH]);
	if (l->n_grades > 0 && l->others.len == 0)
		note_names(l, rec);
	for (size_t i = 0; i < l->n_grades; i++)
		put_grade(l, i, rec, out);
	return out->failed ? -1 : 0;
}

int rm_labels_check(const struct labels *l)
{
	for (size_t i = 0; i < l->n_grades; i++)
		if (!l->seen[i])
			return rm_fail("no record has the attribute %s that "
				       "the head learns; there are: %.*s",
				       l->name[i], (int)l->others.len,
				       (const char *)l->others.data);
	return 0;
}

/* ---- out ---- */

static double label_at(const struct unpacked *u, size_t row, size_t i)
{
	return rm_get_f64(u->labels + (row * u->g.k + i) * sizeof(double));
}

static const double *take(const struct labels *l, enum label which,
			  const struct unpacked *u, const size_t *pick,
			  size_t k, double **room)
{
	double *to = *room;

	if (l->field[which] < 0)
		return NULL;
	for (size_t i = 0; i < k; i++)
		to[i] = label_at(u, l->row[which], pick[i]);
	*room += k;
	return to;
}

/* [k, 1 + n_grades]; the reward's own grade is the score. */
static const double *take_grades(const struct labels *l,
				 const struct unpacked *u, const size_t *pick,
				 size_t k, const double *score, double *to)
{
	size_t K = 1 + l->n_grades;

	for (size_t i = 0; i < k; i++) {
		to[i * K] = score ? score[i] : (double)NAN;
		for (size_t c = 1; c < K; c++)
			to[i * K + c] = label_at(u, l->row[GRADES] + c - 1,
						 pick[i]);
	}
	return to;
}

void rm_labels_take(const struct labels *l, const struct unpacked *u,
		    const size_t *pick, struct rm_target *t, double *room)
{
	t->rank = take(l, RANK, u, pick, t->k, &room);
	t->score = take(l, SCORE, u, pick, t->k, &room);
	t->teacher = take(l, TEACHER, u, pick, t->k, &room);
	t->length = take(l, LENGTH, u, pick, t->k, &room);
	if (l->n_grades > 0)
		t->attributes = take_grades(l, u, pick, t->k, t->score, room);
}
