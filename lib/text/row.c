/* One row's columns, by their roles, as a group. */
#include "text/shape.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists in an arena ---- */

static int grow(struct rm_arena *arena, void *list, size_t n, size_t *cap,
		size_t size)
{
	void *old, *bigger;
	size_t want = n ? 2 * n : 4;

	if (n < *cap)
		return 0;
	bigger = rm_arena_alloc(arena, want, size);
	if (!bigger)
		return -1;
	memcpy(&old, list, sizeof(old));
	if (n)
		memcpy(bigger, old, n * size);
	memcpy(list, &bigger, sizeof(bigger));
	*cap = want;
	return 0;
}

struct numbers {
	double *v;
	size_t n, cap;
};

struct reading {
	const struct rm_text_binding *b;
	const json_t *row;
	const struct rm_text_bound *column;	/* at hand */
	struct rm_arena *arena;
	struct rm_text_counts *counts;
	struct rm_text_group *g;
	size_t cap_response, cap_annotation, cap_attribute;
	/* mark: 0 chosen, 1 rejected, in the order of the responses. */
	struct numbers mark, rank, score, votes, teacher;
	size_t choice;
	const json_t *turns;
	bool has_prompt;
};

static int push(struct reading *r, struct numbers *list, double x)
{
	if (grow(r->arena, &list->v, list->n, &list->cap, sizeof(x)) < 0)
		return -1;
	list->v[list->n++] = x;
	return 0;
}

/* ---- values ---- */

const char *rm_text_type_name(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "a list";
	case JSON_STRING: return "a string";
	case JSON_INTEGER:
	case JSON_REAL: return "a number";
	case JSON_TRUE:
	case JSON_FALSE: return "a boolean";
	case JSON_NULL:
	default: return "null";
	}
}

int rm_text_fail_type(const json_t *value, const char *expected)
{
	return rm_fail("%s where %s is expected", rm_text_type_name(value),
		       expected);
}

/* The JSON text of a boolean or number, the content of a string. */
static int as_text(struct reading *r, const json_t *v, struct rm_slice *out)
{
	struct rm_buf b = {0};

	if (json_is_string(v)) {
		*out = (struct rm_slice){
			(const unsigned char *)json_string_value(v),
			json_string_length(v)
		};
		return 0;
	}
	if (!json_is_number(v) && !json_is_boolean(v))
		return rm_text_fail_type(v, "a text");
	rm_json_print(&b, v, 0);
	out->data = b.failed ? NULL : (const unsigned char *)
		rm_arena_strndup(r->arena, (const char *)b.data, b.len);
	out->len = b.len;
	rm_buf_fini(&b);
	return out->data ? 0 : -1;
}

int rm_text_number(const json_t *v, double *out)
{
	*out = NAN;
	if (!v || json_is_null(v))
		return 0;
	if (json_is_number(v)) {
		*out = json_number_value(v);
		return 0;
	}
	if (json_is_boolean(v)) {
		*out = json_is_true(v);
		return 0;
	}
	if (!json_is_string(v))
		return rm_text_fail_type(v, "a number");
	if (json_string_length(v) == 0)
		return 0;	/* an empty cell of CSV */
	return rm_parse_double(json_string_value(v), -DBL_MAX, DBL_MAX, out);
}

static int read_numbers(struct reading *r, const json_t *v,
			struct numbers *list)
{
	double x;

	if (!json_is_array(v))
		return rm_text_number(v, &x) < 0 ? -1 : push(r, list, x);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (rm_text_number(json_array_get(v, i), &x) < 0 ||
		    push(r, list, x) < 0)
			return -1;
	return 0;
}

/* ---- choices ---- */

/* A choice is of one of the k responses, or k itself for a tie. */
static int check_choice(const struct reading *r, size_t *choice)
{
	if (*choice == RM_TEXT_TIE)
		*choice = r->g->k;
	else if (*choice != RM_TEXT_NOBODY && *choice >= r->g->k)
		return rm_fail("response %zu is chosen of %zu", *choice + 1,
			       r->g->k);
	return 0;
}

/* ---- roles ---- */

typedef int read_fn(struct reading *r, const json_t *v);

static int read_id(struct reading *r, const json_t *v)
{
	return json_is_null(v) ? 0 : as_text(r, v, &r->g->id);
}

static int read_subset(struct reading *r, const json_t *v)
{
	return json_is_null(v) ? 0 : as_text(r, v, &r->g->subset);
}

static int read_split(struct reading *r, const json_t *v)
{
	return json_is_null(v) ? 0 : as_text(r, v, &r->g->split);
}

/* One text or conversation, as a prompt or a response. */
static int read_text(struct reading *r, const json_t *v, struct rm_text *out)
{
	*out = (struct rm_text){0};
	if (rm_text_is_messages(v))
		return rm_text_read_messages(v, r->arena, out);
	if (json_is_number(v) || json_is_boolean(v))
		r->counts->as_json++;
	return as_text(r, v, &out->text);
}

/* A prompt in several columns: their texts, empty ones left out, with an
 * empty line between. */
static int read_prompt(struct reading *r, const json_t *v)
{
	struct rm_text *p = &r->g->prompt, more;
	unsigned char *text;
	size_t n;

	if (!r->has_prompt) {
		r->has_prompt = true;
		return json_is_array(v) && json_array_size(v) == 0
			       ? rm_fail("an empty list of messages")
			       : read_text(r, v, p);
	}
	if (read_text(r, v, &more) < 0)
		return -1;
	if (!p->text.data || !more.text.data)
		return rm_fail("messages cannot be joined to another prompt "
			       "column");
	if (more.text.len == 0)
		return 0;
	if (p->text.len == 0) {
		*p = more;
		return 0;
	}
	n = p->text.len;
	text = rm_arena_alloc(r->arena, n + 2 + more.text.len, 1);
	if (!text)
		return -1;
	memcpy(text, p->text.data, n);
	text[n] = text[n + 1] = '\n';
	memcpy(text + n + 2, more.text.data, more.text.len);
	p->text = (struct rm_slice){ text, n + 2 + more.text.len };
	return 0;
}

static int add_response(struct reading *r, const struct rm_text *text)
{
	struct rm_text_group *g = r->g;

	if (grow(r->arena, &g->response, g->k, &r->cap_response,
		 sizeof(*text)) < 0)
		return -1;
	g->response[g->k++] = *text;
	return 0;
}

static int read_response(struct reading *r, const json_t *v)
{
	struct rm_text text;

	return read_text(r, v, &text) < 0 ? -1 : add_response(r, &text);
}

static int read_responses(struct reading *r, const json_t *v)
{
	if (!json_is_array(v) || rm_text_is_messages(v))
		return read_response(r, v);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (read_response(r, json_array_get(v, i)) < 0)
			return rm_wrap("item %zu", i + 1);
	return 0;
}

static int read_marked(struct reading *r, const json_t *v, double mark)
{
	size_t k = r->g->k;

	if (read_responses(r, v) < 0)
		return -1;
	for (; k < r->g->k; k++)
		if (push(r, &r->mark, mark) < 0)
			return -1;
	return 0;
}

static int read_chosen(struct reading *r, const json_t *v)
{
	return read_marked(r, v, 0);
}

static int read_rejected(struct reading *r, const json_t *v)
{
	return read_marked(r, v, 1);
}

static int read_turns(struct reading *r, const json_t *v)
{
	r->turns = v;
	return 0;
}

static int read_answers(struct reading *r, const json_t *v)
{
	struct rm_text text;

	return rm_text_read_turns(r->turns, v, r->arena, &text) < 0
		       ? -1 : add_response(r, &text);
}

static const json_t *member(const json_t *object, const char *const *names)
{
	const json_t *v = NULL;

	for (size_t i = 0; names[i] && !v; i++)
		v = json_object_get(object, names[i]);
	return v;
}

static int read_completion(struct reading *r, const json_t *v)
{
	static const char *const texts[] = {
		"completion", "response", "text", "content", "output",
		"answer", NULL
	};
	static const char *const scores[] = {
		"score", "overall_score", "rating", "reward", NULL
	};
	const json_t *text = member(v, texts), *rank, *score;

	if (!json_is_object(v))
		return rm_text_fail_type(v, "an object");
	if (!text)
		return rm_fail("no completion or response in it");
	rank = json_object_get(v, "rank");
	score = member(v, scores);
	if (read_response(r, text) < 0)
		return -1;
	if (rank && read_numbers(r, rank, &r->rank) < 0)
		return rm_wrap("rank");
	if (score && read_numbers(r, score, &r->score) < 0)
		return rm_wrap("score");
	return 0;
}

static int read_completions(struct reading *r, const json_t *v)
{
	if (!json_is_array(v))
		return rm_text_fail_type(v, "a list");
	for (size_t i = 0; i < json_array_size(v); i++)
		if (read_completion(r, json_array_get(v, i)) < 0)
			return rm_wrap("item %zu", i + 1);
	return 0;
}

static int read_choice(struct reading *r, const json_t *v)
{
	if (r->column->choice(v, &r->choice) < 0)
		return -1;
	return check_choice(r, &r->choice);
}

/* A list of ranks; of one response, its rank; else who is the winner. */
static int read_rank(struct reading *r, const json_t *v)
{
	if (json_is_array(v) || r->g->k == 1)
		return read_numbers(r, v, &r->rank);
	return rm_text_choice_named(v, &r->choice) < 0
		       ? -1 : check_choice(r, &r->choice);
}

static int add_annotation(struct reading *r, struct rm_slice who,
			  const json_t *v, rm_text_choice_fn *decode)
{
	struct rm_text_group *g = r->g;
	size_t choice;

	if (decode(v, &choice) < 0 || check_choice(r, &choice) < 0)
		return -1;
	if (choice == RM_TEXT_NOBODY)
		return 0;
	if (grow(r->arena, &g->annotation, g->n_annotations,
		 &r->cap_annotation, sizeof(*g->annotation)) < 0)
		return -1;
	g->annotation[g->n_annotations++] =
		(struct rm_text_annotation){ who, choice };
	return 0;
}

static int read_annotator(struct reading *r, const json_t *v)
{
	struct rm_slice who = {
		(const unsigned char *)r->column->name,
		strlen(r->column->name)
	};

	return add_annotation(r, who, v, r->column->choice);
}

/* {annotator, vote}, or the vote alone. */
static int read_vote(struct reading *r, const json_t *v)
{
	static const char *const votes[] = {
		"vote", "choice", "label", "preference", "winner", NULL
	};
	static const char *const names[] = {
		"annotator", "annotator_id", "worker", "judge", "id", NULL
	};
	struct rm_slice who = { (const unsigned char *)"", 0 };
	const json_t *vote = v, *name = NULL;

	if (json_is_object(v)) {
		vote = member(v, votes);
		name = member(v, names);
		if (!vote)
			return rm_fail("no vote in it");
	}
	if (name && !json_is_null(name) && as_text(r, name, &who) < 0)
		return rm_wrap("annotator");
	return add_annotation(r, who, vote, rm_text_choice_named);
}

/* {"a": 3, "b": 1, "tie": 1} */
static int read_vote_counts(struct reading *r, const json_t *v)
{
	size_t n = r->g->k + 1, choice;
	const char *key;
	json_t *value;
	double x;

	for (size_t i = 0; i < n; i++)
		if (push(r, &r->votes, 0) < 0)
			return -1;
	json_object_foreach((json_t *)(uintptr_t)v, key, value) {
		if (rm_text_choice_of(key, strlen(key), &choice) < 0 ||
		    check_choice(r, &choice) < 0 ||
		    rm_text_number(value, &x) < 0)
			return -1;
		if (choice < n && !isnan(x))
			r->votes.v[choice] += x;
	}
	return 0;
}

static int read_votes(struct reading *r, const json_t *v)
{
	if (json_is_null(v))
		return 0;
	if (json_is_object(v))
		return read_vote_counts(r, v);
	if (!json_is_array(v) || json_is_number(json_array_get(v, 0)))
		return read_numbers(r, v, &r->votes);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (read_vote(r, json_array_get(v, i)) < 0)
			return rm_wrap("item %zu", i + 1);
	return 0;
}

static int read_score(struct reading *r, const json_t *v)
{
	return json_is_null(v) ? 0 : read_numbers(r, v, &r->score);
}

static int read_teacher(struct reading *r, const json_t *v)
{
	return json_is_null(v) ? 0 : read_numbers(r, v, &r->teacher);
}

static int check_count(size_t n, size_t k)
{
	return n == k ? 0 : rm_fail("%zu value%s for %zu response%s", n,
				    n == 1 ? "" : "s", k, k == 1 ? "" : "s");
}

static int read_attribute(struct reading *r, const json_t *v)
{
	struct rm_text_group *g = r->g;
	struct numbers list = {0};

	if (json_is_null(v))
		return 0;
	if (read_numbers(r, v, &list) < 0 || check_count(list.n, g->k) < 0 ||
	    grow(r->arena, &g->attribute, g->n_attributes, &r->cap_attribute,
		 sizeof(*g->attribute)) < 0)
		return -1;
	g->attribute[g->n_attributes++] =
		(struct rm_text_attribute){ r->column->name, list.v };
	return 0;
}

static int read_p(struct reading *r, const json_t *v)
{
	if (rm_text_number(v, &r->g->p) < 0)
		return -1;
	if (r->g->p < 0 || r->g->p > 1)
		return rm_fail("%g is no probability", r->g->p);
	return 0;
}

static int read_margin(struct reading *r, const json_t *v)
{
	return rm_text_number(v, &r->g->margin);
}

static int read_weight(struct reading *r, const json_t *v)
{
	if (rm_text_number(v, &r->g->weight) < 0)
		return -1;
	return r->g->weight < 0 ? rm_fail("%g is a negative weight",
					  r->g->weight) : 0;
}

static int read_per_response(struct reading *r, const json_t *v)
{
	if (r->b->joins || json_is_null(v))
		return 0;	/* one value a row */
	if (!json_is_array(v))
		return rm_text_fail_type(v, "a list of one value a response");
	return check_count(json_array_size(v), r->g->k);
}

/* A list of what can be called; anything else is for `extra` alone. */
static int read_tools(struct reading *r, const json_t *v)
{
	if (json_is_array(v) && json_is_object(json_array_get(v, 0)))
		r->g->tools = v;
	return 0;
}

static read_fn *const readers[RM_TEXT_ROLES] = {
	[RM_TEXT_ID] = read_id,
	[RM_TEXT_SUBSET] = read_subset,
	[RM_TEXT_SPLIT] = read_split,
	[RM_TEXT_PROMPT] = read_prompt,
	[RM_TEXT_TURNS] = read_turns,
	[RM_TEXT_RESPONSES] = read_responses,
	[RM_TEXT_CHOSEN] = read_chosen,
	[RM_TEXT_REJECTED] = read_rejected,
	[RM_TEXT_ANSWERS] = read_answers,
	[RM_TEXT_COMPLETIONS] = read_completions,
	[RM_TEXT_RANK] = read_rank,
	[RM_TEXT_CHOICE] = read_choice,
	[RM_TEXT_VOTES] = read_votes,
	[RM_TEXT_ANNOTATOR] = read_annotator,
	[RM_TEXT_SCORE] = read_score,
	[RM_TEXT_ATTRIBUTES] = read_attribute,
	[RM_TEXT_TEACHER] = read_teacher,
	[RM_TEXT_P] = read_p,
	[RM_TEXT_MARGIN] = read_margin,
	[RM_TEXT_WEIGHT] = read_weight,
	[RM_TEXT_TOOLS] = read_tools,
	[RM_TEXT_PER_RESPONSE] = read_per_response,
};

static bool is_text_role(enum rm_text_role role)
{
	return role >= RM_TEXT_PROMPT && role <= RM_TEXT_COMPLETIONS;
}

static int read_column(struct reading *r, const struct rm_text_bound *c)
{
	const json_t *v = json_object_get(r->row, c->name);

	if (!v && is_text_role(c->role))
		return rm_fail("column %s is missing", c->name);
	if (!v)
		return 0;
	r->column = c;
	if (json_is_null(v) && is_text_role(c->role))
		return rm_fail("column %s: null where a text is expected",
			       c->name);
	return readers[c->role](r, v) < 0 ? rm_wrap("column %s", c->name) : 0;
}

/* ---- labels ---- */

/* The counts of each response and of ties, from columns or annotations. */
static int finish_votes(struct reading *r)
{
	struct rm_text_group *g = r->g;
	size_t k = g->k;

	if (r->votes.n == k && push(r, &r->votes, 0) < 0)
		return -1;
	if (r->votes.n != 0 && r->votes.n != k + 1)
		return rm_fail("%zu counts of votes for %zu responses",
			       r->votes.n, k);
	for (size_t i = 0; i < r->votes.n; i++)
		if (r->votes.v[i] < 0)
			return rm_fail("%g votes", r->votes.v[i]);
	if (r->votes.n == 0 && g->n_annotations) {
		for (size_t i = 0; i <= k; i++)
			if (push(r, &r->votes, 0) < 0)
				return -1;
		for (size_t i = 0; i < g->n_annotations; i++)
			r->votes.v[g->annotation[i].choice]++;
	}
	g->votes = r->votes.v;
	return 0;
}

static int descending(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x < y) - (x > y);
}

double *rm_text_rank_by(struct rm_arena *arena, const double *value, size_t k)
{
	double *rank = rm_arena_alloc(arena, k, sizeof(*rank));
	double *sorted = rm_arena_alloc(arena, k, sizeof(*sorted));
	size_t n = 0, low, high;

	if (!rank || !sorted)
		return NULL;
	for (size_t i = 0; i < k; i++)
		if (!isnan(value[i]))
			sorted[n++] = value[i];
	qsort(sorted, n, sizeof(*sorted), descending);
	for (size_t i = 0; i < k; i++) {
		for (low = 0, high = n; low < high;) {
			size_t mid = (low + high) / 2;

			if (sorted[mid] > value[i])
				low = mid + 1;
			else
				high = mid;
		}
		rank[i] = isnan(value[i]) ? NAN : (double)low;
	}
	return rank;
}

/*
 * A label column first, then votes, then score.  That a response stands
 * under `chosen` says nothing where votes beside it are tied.
 */
static int finish_rank(struct reading *r)
{
	struct rm_text_group *g = r->g;
	size_t k = g->k;
	bool tied = k == 2 && g->votes && g->votes[0] == g->votes[1];

	if (r->rank.n) {
		g->rank = r->rank.v;
		return check_count(r->rank.n, k) < 0 ? rm_wrap("rank") : 0;
	}
	if (r->choice != RM_TEXT_NOBODY) {
		g->rank = rm_arena_alloc(r->arena, k, sizeof(*g->rank));
		for (size_t i = 0; g->rank && i < k; i++)
			g->rank[i] = r->choice != k && r->choice != i;
	} else if (r->mark.n && !tied) {
		g->rank = r->mark.v;
	} else if (g->votes || g->score) {
		g->rank = rm_text_rank_by(r->arena, g->votes ? g->votes
						    : g->score, k);
	} else {
		return 0;
	}
	return g->rank ? 0 : -1;
}

static int finish_labels(struct reading *r)
{
	struct rm_text_group *g = r->g;

	if (g->k == 0)
		return rm_fail("there is no response");
	if (r->mark.n && r->mark.n != g->k)
		return rm_fail("%zu of %zu responses stand in columns of "
			       "chosen or rejected ones: --chosen and "
			       "--rejected go without --responses",
			       r->mark.n, g->k);
	if (r->score.n && check_count(r->score.n, g->k) < 0)
		return rm_wrap("score");
	if (r->teacher.n && check_count(r->teacher.n, g->k) < 0)
		return rm_wrap("teacher");
	g->score = r->score.v;
	g->teacher = r->teacher.v;
	return finish_votes(r) < 0 ? -1 : finish_rank(r);
}

/* ---- the rest of a row ---- */

static bool is_used(const struct rm_text_binding *b, const char *key)
{
	bool used = false;

	for (size_t i = 0; i < b->n; i++) {
		const struct rm_text_bound *c = &b->column[i];

		if (strcmp(c->name, key) != 0)
			continue;
		if (c->role == RM_TEXT_PER_RESPONSE ||
		    (c->flags & RM_TEXT_KEPT))
			return false;
		used = true;
	}
	return used;
}

static int read_extra(struct reading *r)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)r->row, key, value) {
		if (is_used(r->b, key))
			continue;
		if (!r->g->extra)
			r->g->extra = json_object();
		if (json_object_set_nocheck(r->g->extra, key, value) < 0)
			return rm_fail("out of memory");
	}
	return 0;
}

static int make_id(struct reading *r, const char *stem, size_t number)
{
	size_t room = strlen(stem) + 32;
	char *id;

	if (r->g->id.data)
		return 0;
	id = rm_arena_alloc(r->arena, room, 1);
	if (!id)
		return -1;
	snprintf(id, room, "%s:%zu", stem, number);
	r->g->id = (struct rm_slice){ (unsigned char *)id, strlen(id) };
	return 0;
}

struct rm_text_group *rm_text_read_row(const struct rm_text_binding *b,
				       const json_t *row, const char *stem,
				       size_t number, struct rm_arena *arena,
				       struct rm_text_counts *counts)
{
	struct rm_text_group *g = rm_arena_alloc(arena, 1, sizeof(*g));
	struct reading r = { .b = b, .row = row, .arena = arena,
			     .counts = counts, .g = g,
			     .choice = RM_TEXT_NOBODY };

	if (!g)
		return NULL;
	*g = (struct rm_text_group){ .row = number, .p = NAN, .margin = NAN,
				     .weight = NAN };
	for (size_t i = 0; i < b->n; i++)
		if (read_column(&r, &b->column[i]) < 0)
			return NULL;
	if (make_id(&r, stem, number) < 0 || finish_labels(&r) < 0 ||
	    rm_text_split_prompt(g, r.has_prompt, b->as_messages, arena) < 0)
		return NULL;
	if (read_extra(&r) < 0) {
		json_decref(g->extra);
		return NULL;
	}
	return g;
}
