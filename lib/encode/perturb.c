/* A group with responses that module perturb has changed. */
#include "encode/group.h"

#include <math.h>
#include <string.h>

/* Larger is better; NaN: not known. */
static double place_of(const struct rm_text_group *g, size_t i)
{
	if (g->rank && !isnan(g->rank[i]))
		return -g->rank[i];
	if (g->k == 2 && !isnan(g->p))
		return i == 0 ? g->p : 1 - g->p;
	if (g->score && !isnan(g->score[i]))
		return g->score[i];
	return g->votes ? g->votes[i] : (double)NAN;
}

/* The best place that there is. */
static int find_best(const struct rm_text_group *g, double *best)
{
	*best = NAN;
	for (size_t i = 0; i < g->k; i++)
		*best = fmax(*best, place_of(g, i));
	return isnan(*best) ? rm_fail("perturb: no rank, p, score or votes "
				      "that say which response is preferred") :
	       0;
}

static enum rm_standing standing(const struct rm_text_group *g, size_t i,
				 double best)
{
	double place = place_of(g, i);

	if (isnan(best) || isnan(place))
		return RM_STANDING_UNKNOWN;
	return place < best ? RM_STANDING_BEHIND : RM_STANDING_FIRST;
}

static bool is_assistant(const struct rm_message *m)
{
	static const char *const roles[] = { "assistant", "gpt", "model" };

	for (size_t i = 0; i < RM_COUNT(roles); i++)
		if (m->role.len == strlen(roles[i]) &&
		    memcmp(m->role.data, roles[i], m->role.len) == 0)
			return true;
	return false;
}

/* The last answer among messages, else the last of them. */
static struct rm_message *answer_of(const struct rm_text *r)
{
	for (size_t i = r->n; i-- > 0;)
		if (is_assistant(&r->message[i]))
			return &r->message[i];
	return r->n ? &r->message[r->n - 1] : NULL;
}

/* The message as JSON says its content as well. */
static int set_content(struct rm_encode_group *x, struct rm_message *m)
{
	json_t *copy;

	if (!m->json)
		return 0;
	copy = json_copy((json_t *)(uintptr_t)m->json);
	if (!x->w->messages)
		x->w->messages = json_array();
	if (json_object_set_new(copy, "content",
				json_stringn((const char *)m->content.data,
					     m->content.len)) < 0 ||
	    json_array_append_new(x->w->messages, copy) < 0)
		return rm_fail("out of memory");
	m->json = copy;
	return 0;
}

static int perturb_messages(struct rm_encode_group *x, size_t i,
			    enum rm_standing how, struct rm_text *r)
{
	struct rm_message *all = rm_arena_alloc(&x->w->arena, r->n,
						sizeof(*all)), *m;

	if (!all)
		return -1;
	if (r->n)
		memcpy(all, r->message, r->n * sizeof(*all));
	r->message = all;
	m = answer_of(r);
	/* One that calls tools says nothing. */
	if (!m || m->content.len == 0)
		return 0;
	if (rm_perturb_text(x->recipe->perturb, x->g->id, i, how,
			    &m->content, &x->w->arena) < 0)
		return -1;
	return set_content(x, m);
}

int rm_encode_perturb(struct rm_encode_group *x, struct rm_text_group *mine)
{
	const struct rm_perturb *p = x->recipe->perturb;
	const struct rm_text_group *g = x->g;
	double best = NAN;

	*mine = *g;
	mine->response = rm_arena_alloc(&x->w->arena, g->k,
					sizeof(*mine->response));
	if (!mine->response ||
	    (rm_perturb_needs_labels(p) && find_best(g, &best) < 0))
		return -1;
	if (x->w->messages)
		json_array_clear(x->w->messages);
	for (size_t i = 0; i < g->k; i++) {
		struct rm_text *r = &mine->response[i];
		enum rm_standing how = standing(g, i, best);
		int status;

		*r = g->response[i];
		status = r->text.data ?
			rm_perturb_text(p, g->id, i, how, &r->text,
					&x->w->arena) :
			perturb_messages(x, i, how, r);
		if (status < 0)
			return rm_wrap("response %zu", i + 1);
	}
	x->g = mine;
	return 0;
}
