/*
 * The stages, depth first: each gives the pieces of its text to the next.
 * Ends of tokens are counted in the text that a stage was given, and carried
 * back when a stage had rewritten it.
 */
#include "tokenizer/pipeline.h"

#include "tokenizer/words.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct rm_stage {
	enum { ADDED, REWRITE, CUT, WORD } kind;
	const struct rm_finder *finder;
	const struct rm_step *step;
};

/* What a thread keeps from text to text; one for each encoding. */
struct run {
	uint64_t serial;
	const struct rm_tokenizer_kind *kind;
	struct rm_encoding *e;
	struct rm_scratch scratch;
	/* Each stage of a step has its work. */
	size_t n_work;
	struct work {
		struct rm_work w;
		void (*free)(void *own);
		/* While it is rewritten: where it stood in the one before. */
		size_t at;
	} *work;
	int (*word)(void *arg, const unsigned char *word, size_t n);
	void *arg;
};

/* ---- setting up ---- */

static void add_stages(struct rm_pipeline *p, const struct rm_steps *steps)
{
	for (size_t i = 0; i < steps->n; i++) {
		struct rm_stage *s = &p->stage[p->n_stages++];

		s->step = &steps->step[i];
		s->kind = s->step->rewrite ? REWRITE : CUT;
		p->needs_first |= s->step->needs_first;
	}
}

static void add_finder(struct rm_pipeline *p, const struct rm_finder *f)
{
	if (f->first[256] > 0)
		p->stage[p->n_stages++] = (struct rm_stage){
			.kind = ADDED, .finder = f
		};
}

int rm_pipeline_init(struct rm_pipeline *p)
{
	static atomic_uint_fast64_t serial;

	p->serial = atomic_fetch_add(&serial, 1) + 1;
	free(p->stage);
	p->n_stages = 0;
	p->stage = rm_calloc(p->normal.n + p->cut.n + 3, sizeof(*p->stage));
	if (!p->stage)
		return -1;
	add_finder(p, &p->added.finder[0]);
	add_stages(p, &p->normal);
	add_finder(p, &p->added.finder[1]);
	add_stages(p, &p->cut);
	p->stage[p->n_stages++].kind = WORD;
	return 0;
}

void rm_pipeline_fini(struct rm_pipeline *p)
{
	if (p->model)
		p->kind->free(p->model);
	free(p->stage);
	rm_steps_fini(&p->normal);
	rm_steps_fini(&p->cut);
	rm_added_fini(&p->added);
	rm_vocab_fini(&p->vocab);
}

static void run_free(void *arg)
{
	struct run *r = arg;

	if (!r)
		return;
	for (size_t i = 0; r->work && i < r->n_work; i++) {
		struct work *w = &r->work[i];

		rm_edit_fini(&w->w.edit);
		if (w->w.own && w->free)
			w->free(w->w.own);
	}
	if (r->scratch.model)
		r->kind->scratch_free(r->scratch.model);
	free(r->scratch.words);
	free(r->work);
	free(r);
}

static struct run *run_new(const struct rm_pipeline *p)
{
	struct run *r = rm_calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->serial = p->serial;
	r->kind = p->kind;
	r->work = rm_calloc(p->n_stages, sizeof(*r->work));
	r->scratch.words = rm_calloc_aligned(RM_WORD_SLOTS,
					     sizeof(*r->scratch.words));
	if (!r->work || !r->scratch.words) {
		run_free(r);
		return NULL;
	}
	r->n_work = p->n_stages;
	for (size_t i = 0; i < p->n_stages; i++)
		if (p->stage[i].step)
			r->work[i].free = p->stage[i].step->work_free;
	return r;
}

/* The encoding's run, made new if it was another tokenizer's. */
static struct run *run_of(const struct rm_pipeline *p, struct rm_encoding *e)
{
	struct run *r = e->scratch;

	if (!r || r->serial != p->serial) {
		if (e->scratch_free)
			e->scratch_free(r);
		r = run_new(p);
		e->scratch = r;
		e->scratch_free = r ? run_free : NULL;
	}
	if (r)
		r->e = e;
	return r;
}

/* ---- words ---- */

static int encode_word(const struct rm_pipeline *p, struct run *r,
		       const unsigned char *word, size_t n, size_t at)
{
	struct rm_encoding *e = r->e;
	const struct rm_word *known;
	uint64_t key[3];
	size_t from = e->n;

	if (r->word)
		return r->word(r->arg, word, n);
	if (n > RM_WORD_BYTES)
		return p->kind->encode(p->model, &r->scratch, e, word, n, at);
	if (rm_encoding_need(e, RM_WORD_IDS) < 0)
		return -1;
	rm_word_key(key, word, n);
	known = rm_word_find(r->scratch.words, key);
	if (known) {
		rm_word_push(known, e, at);
		return 0;
	}
	if (p->kind->encode(p->model, &r->scratch, e, word, n, at) < 0)
		return -1;
	rm_word_keep(r->scratch.words, key, e, from, at);
	return 0;
}

/* ---- stages ---- */

static int down(const struct rm_pipeline *p, struct run *r, size_t stage,
		const unsigned char *text, size_t n, size_t at);

/* Whether what stands at `at` begins where the whole text does. */
static bool is_first(const struct rm_pipeline *p, const struct run *r,
		     size_t stage, size_t at)
{
	while (stage-- > 0)
		if (p->stage[stage].kind == REWRITE &&
		    r->work[stage].at != SIZE_MAX)
			at = r->work[stage].at +
			     rm_edit_origin(&r->work[stage].w.edit, at);
	return at == 0;
}

static int rewrite(const struct rm_pipeline *p, struct run *r, size_t stage,
		   const unsigned char *text, size_t n, size_t at)
{
	const struct rm_step *step = p->stage[stage].step;
	struct work *w = &r->work[stage];
	size_t from = r->e->n;
	bool first = step->needs_first && is_first(p, r, stage, at);
	int got;

	w->at = SIZE_MAX;
	rm_edit_clear(&w->w.edit);
	got = step->rewrite(step, &w->w, text, n, first);
	if (got <= 0)
		return got < 0 ? -1 : down(p, r, stage + 1, text, n, at);
	if (w->w.edit.text.failed)
		return -1;
	w->at = at;
	if (w->w.edit.text.len > 0 &&
	    down(p, r, stage + 1, w->w.edit.text.data, w->w.edit.text.len,
		 0) < 0)
		return -1;
	rm_edit_back(&w->w.edit, r->e->ends + from, r->e->n - from, at);
	return 0;
}

/* Matches and what stands between them, in order. */
struct events {
	struct rm_matches m;
	size_t done;		/* all before it were given */
	bool found, over;	/* a match ahead; no more of them */
};

struct event {
	size_t from, to;
	bool match;
};

/* 1, 0 at the end of the text, -1. */
static int next_event(struct events *v, struct event *x)
{
	size_t to;

	if (!v->found && !v->over) {
		int got = rm_matches_next(&v->m);

		if (got < 0)
			return -1;
		v->found = got > 0;
		v->over = got == 0;
	}
	x->from = v->done;
	to = v->found ? v->m.start : v->m.n;
	if (v->done < to) {
		x->to = v->done = to;
		x->match = v->m.step->invert;
		return 1;
	}
	if (!v->found)
		return 0;
	x->to = v->done = v->m.end;
	x->match = !v->m.step->invert;
	v->found = false;
	return 1;
}

/* Whether the event b, which follows a, belongs to its word. */
static bool joins(enum rm_behavior behavior, const struct event *a,
		  const struct event *b)
{
	switch (behavior) {
	case RM_CONTIGUOUS:
		return a->match == b->match;
	case RM_MERGED_WITH_PREVIOUS:
		return !a->match && b->match;
	case RM_MERGED_WITH_NEXT:
		return a->match && !b->match;
	case RM_REMOVED:
	case RM_ISOLATED:
	default:
		return false;
	}
}

static int cut(const struct rm_pipeline *p, struct run *r, size_t stage,
	       const unsigned char *text, size_t n, size_t at)
{
	const struct rm_step *step = p->stage[stage].step;
	struct events v = { .m = {
		.step = step, .w = &r->work[stage].w, .text = text, .n = n
	} };
	struct event a, b;
	int got = next_event(&v, &b);

	while (got > 0) {
		size_t from = b.from;

		do {
			a = b;
			got = next_event(&v, &b);
		} while (got > 0 && joins(step->behavior, &a, &b));
		if (got < 0)
			return -1;
		if (a.to == from || (step->behavior == RM_REMOVED && a.match))
			continue;
		if (down(p, r, stage + 1, text + from, a.to - from,
			 at + from) < 0)
			return -1;
	}
	return got;
}

/* Bytes of white space that end at `at`, not before `from`. */
static size_t space_before(const unsigned char *text, size_t from, size_t at)
{
	size_t p = at, n;

	while (p > from) {
		size_t q = p - 1;

		while (q > from && (text[q] & 0xc0) == 0x80)
			q--;
		if (!(rm_char_flags(rm_char_at(text + q, text + p, &n)) &
		      RM_CHAR_SPACE))
			break;
		p = q;
	}
	return at - p;
}

static size_t space_after(const unsigned char *text, size_t at, size_t to)
{
	size_t p = at, n;

	while (p < to && rm_char_flags(rm_char_at(text + p, text + to, &n)) &
			 RM_CHAR_SPACE)
		p += n;
	return p - at;
}

/* Whether neither neighbour of text[at..end) is part of a word. */
static bool stands_alone(const unsigned char *text, size_t n, size_t at,
			 size_t end)
{
	size_t q = at, len;

	if (end < n && rm_char_flags(rm_char_at(text + end, text + n, &len)) &
		       RM_CHAR_WORD)
		return false;
	if (at == 0)
		return true;
	do
		q--;
	while (q > 0 && (text[q] & 0xc0) == 0x80);
	return !(rm_char_flags(rm_char_at(text + q, text + at, &len)) &
		 RM_CHAR_WORD);
}

/*
 * Take the added tokens of one finder out of the text; what stands between
 * them goes on.  As in the peer, rstrip does not move the place where the
 * search goes on.
 */
static int take_added(const struct rm_pipeline *p, struct run *r,
		      size_t stage, const unsigned char *text, size_t n,
		      size_t base)
{
	const struct rm_finder *f = p->stage[stage].finder;
	const struct rm_added_token *token;
	size_t done = 0, look = 0, from = r->e->n, at;

	while ((token = rm_added_find(&p->added, f, text, look, n, &at))) {
		size_t end = at + token->len;

		look = end;
		if (token->single_word && !stands_alone(text, n, at, end))
			continue;
		if (token->lstrip && at > done)
			at -= space_before(text, done, at);
		if (token->rstrip)
			end += space_after(text, end, n);
		if ((at > done && down(p, r, stage + 1, text + done,
				       at - done, base + done) < 0) ||
		    rm_encoding_need(r->e, 1) < 0)
			return -1;
		rm_encoding_push(r->e, token->id, base + end);
		done = end;
	}
	if (done < n && down(p, r, stage + 1, text + done, n - done,
			     base + done) < 0)
		return -1;
	/* Tokens that share stripped white space would step back. */
	for (size_t i = from + 1; p->added.any_rstrip && i < r->e->n; i++)
		r->e->ends[i] = RM_MAX(r->e->ends[i], r->e->ends[i - 1]);
	return 0;
}

/*
 * text[0..n), n > 0, which stands at `at` in the text that the last stage
 * rewrote.
 */
static int down(const struct rm_pipeline *p, struct run *r, size_t stage,
		const unsigned char *text, size_t n, size_t at)
{
	switch (p->stage[stage].kind) {
	case ADDED:
		return take_added(p, r, stage, text, n, at);
	case REWRITE:
		return rewrite(p, r, stage, text, n, at);
	case CUT:
		return cut(p, r, stage, text, n, at);
	case WORD:
	default:
		return encode_word(p, r, text, n, at);
	}
}

int rm_pipeline_encode(const struct rm_pipeline *p, struct rm_encoding *e,
		       const unsigned char *text, size_t n)
{
	struct run *r = run_of(p, e);

	return !r || (n > 0 && down(p, r, 0, text, n, 0) < 0) ? -1 : 0;
}

int rm_pipeline_words(const struct rm_pipeline *p, struct rm_encoding *e,
		      const unsigned char *text, size_t n,
		      int (*fn)(void *arg, const unsigned char *word,
				size_t n),
		      void *arg)
{
	struct run *r = run_of(p, e);
	int err;

	if (!r)
		return -1;
	r->word = fn;
	r->arg = arg;
	err = n > 0 ? down(p, r, 0, text, n, 0) : 0;
	r->word = NULL;
	return err;
}

int rm_pipeline_normalize(void *arg, const char *text, size_t n,
			  struct rm_buf *out)
{
	const struct rm_pipeline *p = arg;
	struct rm_buf now = {0};
	int err = 0;

	rm_buf_append(&now, text, n);
	for (size_t i = 0; i < p->normal.n && err == 0 && now.len; i++) {
		const struct rm_step *s = &p->normal.step[i];
		struct rm_work w = {0};
		int got = s->rewrite(s, &w, now.data, now.len, true);

		if (got > 0) {
			rm_buf_clear(&now);
			rm_buf_append(&now, w.edit.text.data,
				      w.edit.text.len);
		}
		if (got < 0 || w.edit.text.failed)
			err = -1;
		rm_edit_fini(&w.edit);
		if (w.own && s->work_free)
			s->work_free(w.own);
	}
	rm_buf_append(out, now.data, now.len);
	if (now.failed || out->failed)
		err = -1;
	rm_buf_fini(&now);
	return err;
}
