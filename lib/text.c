#include "text/source.h"

#include <stdlib.h>
#include <string.h>

#include <omp.h>

/*
 * A batch ends at these, a group of joined rows at MAX_JOINED.  One thread
 * does best with what stays in its cache; several, with so much that waiting
 * for the last of them does not count.
 */
enum {
	BATCH_ROWS = 65536, BATCH_BYTES = 256 * 1024,
	BATCH_BYTES_PER_THREAD = 4 * 1024 * 1024,
	MAX_BATCH_BYTES = 32 * 1024 * 1024, MAX_JOINED = 65536
};

/* What each thread has for itself. */
struct worker {
	struct rm_arena arena;
	struct rm_text_counts counts;
	char pad[64];
};

struct rm_text_reader {
	struct rm_text_source *source;
	size_t n, at;			/* source[at] is being read */
	char *format;
	bool several;			/* subset defaults to the stem */
	bool skip_bad;
	bool messages;			/* stand in some first row */
	uint32_t fields;
	char **per_response;
	size_t n_per_response;
	size_t threads;
	struct worker *worker;		/* [threads] */
	struct rm_text_counts counts;
	struct rm_text_rows rows;
	size_t carried;			/* rows kept from the last batch */
	struct rm_text_group **group;	/* of the batch */
	size_t n_groups, cap_groups;
	struct rm_text_group **run;	/* rows that may be one group */
	size_t *run_row;
	size_t n_run, cap_run, cap_run_row;
	json_t **owned;			/* extra of joined groups */
	size_t n_owned, cap_owned;
	char *error;			/* met after good rows */
	int (*pause)(void *);
	void *pause_arg;
};

/* ---- pauses ---- */

/* With new rows at hand the read is given up, so that they go on first. */
static int on_pause(void *arg)
{
	struct rm_text_reader *r = arg;

	if (r->rows.n > r->carried) {
		r->source[r->at].paused = true;
		return -1;
	}
	return r->pause ? r->pause(r->pause_arg) : 0;
}

void rm_text_on_pause(struct rm_text_reader *r, int (*fn)(void *), void *arg)
{
	r->pause = fn;
	r->pause_arg = arg;
}

static int open_source(struct rm_text_reader *r, struct rm_text_source *s)
{
	if (rm_text_source_open(s, r->format) < 0)
		return -1;
	rm_input_on_pause(s->in, on_pause, r);
	return 0;
}

/* ---- the first look ---- */

/* Hold rows until one can be parsed; bind the columns by it. */
static int look_at_rows(struct rm_text_reader *r, struct rm_text_source *s,
			const struct rm_text_options *o)
{
	int more = 1;

	while (more > 0) {
		struct rm_text_limit one = { s->held.n + 1, SIZE_MAX };
		struct rm_text_row *row;
		bool replaced = false;

		more = s->format->fill(s, &s->held, one);
		if (more < 0)
			return -1;
		if (s->held.n < one.rows)
			continue;
		row = &s->held.row[s->held.n - 1];
		rm_text_source_parse(row, &replaced);
		r->counts.replaced += replaced;
		if (row->error && !r->skip_bad)
			return rm_fail("%s", row->error);
		if (row->error)
			continue;
		s->binding = rm_text_bind(row->json, o->bind, o->n_bind);
		if (!s->binding)
			return rm_text_row_wrap(row);
		s->binding->as_messages = o->as_messages;
		return 0;
	}
	return rm_fail("%s: there are no rows", s->name);
}

/* Fields that only the values tell, such as a rank within completions. */
static uint32_t fields_of_first(struct rm_text_reader *r,
				const struct rm_text_source *s)
{
	const struct rm_text_row *row = &s->held.row[s->held.n - 1];
	struct rm_text_counts counts = {0};
	struct rm_arena arena = {0};
	struct rm_text_group *g;
	uint32_t fields = 0;

	g = rm_text_read_row(s->binding, row->json, s->stem, 1, &arena,
			     &counts);
	if (g && g->rank)
		fields |= rm_text_field_bit("rank");
	if (g && g->score)
		fields |= rm_text_field_bit("score");
	if (g)
		r->messages |= g->prompt.n || (g->k && g->response[0].n);
	if (g)
		json_decref(g->extra);
	rm_arena_fini(&arena);
	rm_error_clear();
	return fields;
}

static int add_per_response(struct rm_text_reader *r, const char *name)
{
	void *bigger;

	for (size_t i = 0; i < r->n_per_response; i++)
		if (strcmp(r->per_response[i], name) == 0)
			return 0;
	bigger = rm_realloc(r->per_response, r->n_per_response + 1,
			    sizeof(*r->per_response));
	if (!bigger)
		return -1;
	r->per_response = bigger;
	r->per_response[r->n_per_response] = rm_strdup(name);
	return r->per_response[r->n_per_response++] ? 0 : -1;
}

static int note_per_response(struct rm_text_reader *r,
			     const struct rm_text_binding *b)
{
	for (size_t i = 0; b->joins && i < b->n_extra; i++)
		if (add_per_response(r, b->extra[i]) < 0)
			return -1;
	for (size_t i = 0; i < b->n; i++)
		if (b->column[i].role == RM_TEXT_PER_RESPONSE &&
		    add_per_response(r, b->column[i].name) < 0)
			return -1;
	return 0;
}

/* A file among several is closed again and read later. */
static void put_back(struct rm_text_source *s)
{
	for (size_t i = 0; i < s->held.n; i++)
		rm_text_row_clear(&s->held.row[i]);
	s->held.n = 0;
	s->held.bytes = 0;
	s->bytes = 0;
	rm_text_source_close(s);
}

static int look(struct rm_text_reader *r, struct rm_text_source *s,
		const struct rm_text_options *o)
{
	if (open_source(r, s) < 0 || look_at_rows(r, s, o) < 0)
		return -1;
	r->fields |= s->binding->fields | fields_of_first(r, s);
	if (note_per_response(r, s->binding) < 0)
		return -1;
	if (s > r->source && rm_input_is_file(s->in))
		put_back(s);
	r->counts.bytes += s->bytes;
	return 0;
}

/* ---- opening ---- */

static struct rm_text_reader *start(size_t n, const struct rm_text_options *o)
{
	struct rm_text_reader *r = rm_calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->several = n > 1;
	r->n = n;
	r->skip_bad = o->skip_bad;
	r->threads = o->threads ? o->threads : 1;
	r->source = rm_calloc(n, sizeof(*r->source));
	r->worker = rm_calloc(r->threads, sizeof(*r->worker));
	r->format = rm_strdup(o->format ? o->format : "auto");
	if (r->source && r->worker && r->format)
		return r;
	rm_text_close(r);
	return NULL;
}

static int look_at_all(struct rm_text_reader *r,
		       const struct rm_text_options *o)
{
	for (size_t i = 0; i < r->n; i++) {
		r->source[i].replace = o->replace;
		if (look(r, &r->source[i], o) < 0)
			return -1;
	}
	if (r->several)
		r->fields |= rm_text_field_bit("subset");
	return 0;
}

struct rm_text_reader *rm_text_open(char *const *paths, size_t n,
				    const struct rm_text_options *options)
{
	static const struct rm_text_options none;
	const struct rm_text_options *o = options ? options : &none;
	struct rm_text_reader *r = start(n ? n : 1, o);

	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n; i++)
		r->source[i].path = n ? paths[i] : "-";
	if (look_at_all(r, o) == 0)
		return r;
	rm_text_close(r);
	return NULL;
}

struct rm_text_reader *rm_text_open_input(struct rm_input *in,
				const struct rm_text_options *options)
{
	static const struct rm_text_options none;
	const struct rm_text_options *o = options ? options : &none;
	struct rm_text_reader *r = start(1, o);

	if (!r) {
		rm_input_close(in);
		return NULL;
	}
	r->source[0].in = in;
	r->source[0].path = strcmp(rm_input_name(in), "<stdin>") == 0
				    ? "-" : rm_input_name(in);
	if (look_at_all(r, o) == 0)
		return r;
	rm_text_close(r);
	return NULL;
}

bool rm_text_has(const struct rm_text_reader *r, const char *field)
{
	return r->fields & rm_text_field_bit(field);
}

bool rm_text_has_messages(const struct rm_text_reader *r)
{
	return r->messages;
}

void rm_text_set_as_messages(struct rm_text_reader *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->source[i].binding->as_messages = true;
}

const char *const *rm_text_per_response(const struct rm_text_reader *r,
					size_t *n)
{
	*n = r->n_per_response;
	return (const char *const *)r->per_response;
}

const struct rm_text_counts *rm_text_counts(const struct rm_text_reader *r)
{
	return &r->counts;
}

int rm_text_group_wrap(const struct rm_text_group *g)
{
	return g->line ? rm_wrap("%s: line %zu", g->file, g->line)
		       : rm_wrap("%s: row %zu", g->file, g->row);
}

/* ---- a batch: raw rows ---- */

static void clear_row(struct rm_text_row *row)
{
	if (row->group)
		json_decref(row->group->extra);
	rm_text_row_clear(row);
}

/* Give up the last batch but for the rows of an unfinished group. */
static void forget(struct rm_text_reader *r)
{
	size_t n = r->rows.n, kept = r->carried;

	for (size_t i = 0; i < r->n_owned; i++)
		json_decref(r->owned[i]);
	r->n_owned = 0;
#pragma omp parallel for num_threads(r->threads) \
	if (r->rows.bytes > RM_TEXT_PARALLEL)
	for (size_t i = 0; i < n; i++) {
		struct rm_text_row *row = &r->rows.row[i];

		if (row->group)
			json_decref(row->group->extra);
		row->group = NULL;
		if (i + kept < n)
			rm_text_row_clear(row);
	}
	if (kept > 0)	/* else there may be no rows at all */
		memmove(r->rows.row, r->rows.row + n - kept,
			kept * sizeof(*r->rows.row));
	r->rows.n = kept;
	r->rows.bytes = 0;
	for (size_t i = 0; i < r->threads; i++)
		rm_arena_reset(&r->worker[i].arena);
	/* The first source not done may have rows of theirs in carried. */
	for (size_t i = 0; i < r->at; i++)
		if (r->source[i].format && r->source[i].state)
			rm_text_source_close(&r->source[i]);
}

/* Keep this thread's message until the rows before it have been given. */
static void set_error(struct rm_text_reader *r)
{
	if (!r->error)
		r->error = rm_strdup(rm_error());
	r->at = r->n;
}

static int take_held(struct rm_text_reader *r, struct rm_text_source *s)
{
	size_t n = r->rows.n;

	if (s->held.n == 0)
		return 0;
	if (rm_grow(&r->rows.row, &r->rows.cap, n + s->held.n,
		    sizeof(*r->rows.row)) < 0)
		return -1;
	memcpy(r->rows.row + n, s->held.row,
	       s->held.n * sizeof(*s->held.row));
	r->rows.n += s->held.n;
	r->rows.bytes += s->held.bytes;
	s->held.n = 0;
	return 0;
}

static void gather(struct rm_text_reader *r)
{
	struct rm_text_limit limit = {
		r->carried + BATCH_ROWS, BATCH_BYTES
	};

	if (r->threads > 1)
		limit.bytes = RM_MIN(r->threads * BATCH_BYTES_PER_THREAD,
				     (size_t)MAX_BATCH_BYTES);

	while (r->at < r->n && r->rows.n < limit.rows &&
	       r->rows.bytes < limit.bytes) {
		struct rm_text_source *s = &r->source[r->at];
		size_t before = s->bytes;
		int more;

		if (!s->in && !s->ended && open_source(r, s) < 0) {
			set_error(r);
			return;
		}
		more = take_held(r, s) < 0 ? -1
			       : s->format->fill(s, &r->rows, limit);
		r->counts.bytes += s->bytes - before;
		if (more < 0) {
			set_error(r);
			return;
		}
		if (more > 0)
			return;
		rm_text_source_end(s);
		r->at++;
	}
}

/* ---- rows to groups, by several threads ---- */

static void read_row(const struct rm_text_reader *r, struct rm_text_row *row,
		     struct worker *w)
{
	const struct rm_text_source *s = row->source;
	bool replaced = false;

	rm_text_source_parse(row, &replaced);
	w->counts.replaced += replaced;
	if (row->error)
		return;
	row->group = rm_text_read_row(s->binding, row->json, s->stem,
				      row->number, &w->arena, &w->counts);
	if (!row->group) {
		rm_text_row_wrap(row);
		row->error = rm_strdup(rm_error());
		return;
	}
	row->group->file = s->name;
	row->group->line = row->line;
	if (!row->group->subset.data && r->several)
		row->group->subset = (struct rm_slice){
			(const unsigned char *)s->stem, strlen(s->stem)
		};
}

static void read_rows(struct rm_text_reader *r)
{
	size_t n = r->rows.n;

#pragma omp parallel for num_threads(r->threads) schedule(dynamic, 8) \
	if (r->rows.bytes > RM_TEXT_PARALLEL)
	for (size_t i = 0; i < n; i++) {
		struct worker *w = &r->worker[omp_get_thread_num()];
		struct rm_text_counts before = w->counts;

		read_row(r, &r->rows.row[i], w);
		if (i < r->carried)
			w->counts = before;	/* counted already */
	}
	for (size_t i = 0; i < r->threads; i++) {
		struct rm_text_counts *c = &r->worker[i].counts;

		r->counts.as_json += c->as_json;
		r->counts.replaced += c->replaced;
		*c = (struct rm_text_counts){0};
	}
}

/* ---- groups in order ---- */

static int emit(struct rm_text_reader *r, struct rm_text_group *g)
{
	if (rm_grow(&r->group, &r->cap_groups, r->n_groups + 1,
		    sizeof(void *)) < 0)
		return -1;
	r->group[r->n_groups++] = g;
	return 0;
}

static int emit_run(struct rm_text_reader *r)
{
	const struct rm_text_binding *b;
	struct rm_text_group *g;

	if (r->n_run == 0)
		return 0;
	b = r->rows.row[r->run_row[0]].source->binding;
	g = rm_text_join(b, r->run, r->n_run, &r->worker[0].arena);
	if (!g)
		return -1;
	r->n_run = 0;
	if (g->extra && rm_grow(&r->owned, &r->cap_owned, r->n_owned + 1,
				sizeof(void *)) < 0) {
		json_decref(g->extra);
		return -1;
	}
	if (g->extra)
		r->owned[r->n_owned++] = g->extra;
	return emit(r, g);
}

static bool same_prompt(const struct rm_text_group *a,
			const struct rm_text_group *b)
{
	return a->key_text.len == b->key_text.len &&
	       memcmp(a->key_text.data, b->key_text.data,
		      a->key_text.len) == 0;
}

/* Row i is one response: of the run's prompt, or the first of another. */
static int add_to_run(struct rm_text_reader *r, size_t i)
{
	struct rm_text_row *row = &r->rows.row[i];

	if (r->n_run && (r->rows.row[r->run_row[0]].source != row->source ||
			 !same_prompt(r->run[0], row->group)) &&
	    emit_run(r) < 0)
		return -1;
	if (r->n_run == MAX_JOINED) {
		rm_fail("more than %d rows of one prompt", MAX_JOINED);
		return rm_text_row_wrap(row);
	}
	if (rm_grow(&r->run, &r->cap_run, r->n_run + 1,
		    sizeof(void *)) < 0 ||
	    rm_grow(&r->run_row, &r->cap_run_row, r->n_run + 1,
		    sizeof(*r->run_row)) < 0)
		return -1;
	r->run[r->n_run] = row->group;
	r->run_row[r->n_run++] = i;
	return 0;
}

static int place(struct rm_text_reader *r, size_t i)
{
	struct rm_text_row *row = &r->rows.row[i];
	struct rm_text_group *g = row->group;

	if (row->error) {
		if (!r->skip_bad)
			return rm_fail("%s", row->error);
		r->counts.bad += i >= r->carried;
		return 0;
	}
	if (g->extra && !rm_text_has(r, "extra")) {
		r->counts.unforeseen += i >= r->carried;
		json_decref(g->extra);
		g->extra = NULL;
	}
	if (row->source->binding->joins && g->k == 1)
		return add_to_run(r, i);
	return emit_run(r) < 0 ? -1 : emit(r, g);
}

static void place_rows(struct rm_text_reader *r)
{
	size_t n = r->rows.n, open = 0;

	for (size_t i = 0; i < n; i++)
		if (place(r, i) < 0) {
			set_error(r);
			break;
		}
	r->counts.rows += n - r->carried;
	r->carried = 0;
	/* The last group goes on while its file does. */
	if (r->n_run && r->at < r->n && r->rows.row[r->run_row[0]].source ==
					&r->source[r->at]) {
		/* The carried rows are the last ones; bad ones between stay
		 * out, so the rows are put side by side first. */
		for (size_t j = r->n_run; j > 0; j--) {
			size_t to = n - ++open, from = r->run_row[j - 1];
			struct rm_text_row t = r->rows.row[to];

			r->rows.row[to] = r->rows.row[from];
			r->rows.row[from] = t;
		}
		r->carried = open;
		r->n_run = 0;
	} else if (emit_run(r) < 0) {
		set_error(r);
	}
}

int rm_text_read(struct rm_text_reader *r, struct rm_text_batch *batch)
{
	r->n_groups = 0;
	*batch = (struct rm_text_batch){0};
	while (r->n_groups == 0) {
		forget(r);
		if (r->error)
			return rm_fail("%s", r->error);
		if (r->at == r->n && r->rows.n == 0)
			return 0;
		gather(r);
		read_rows(r);
		place_rows(r);
	}
	*batch = (struct rm_text_batch){ r->n_groups, r->group,
					 r->rows.bytes };
	return 1;
}

void rm_text_close(struct rm_text_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->rows.n; i++)
		clear_row(&r->rows.row[i]);
	for (size_t i = 0; i < r->n_owned; i++)
		json_decref(r->owned[i]);
	for (size_t i = 0; r->source && i < r->n; i++)
		rm_text_source_fini(&r->source[i]);
	for (size_t i = 0; r->worker && i < r->threads; i++)
		rm_arena_fini(&r->worker[i].arena);
	for (size_t i = 0; i < r->n_per_response; i++)
		free(r->per_response[i]);
	free(r->per_response);
	free(r->source);
	free(r->worker);
	free(r->format);
	free(r->rows.row);
	free(r->group);
	free(r->run);
	free(r->run_row);
	free(r->owned);
	free(r->error);
	free(r);
}
