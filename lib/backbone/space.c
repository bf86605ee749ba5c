/*
 * The memory of a chunk: one arena, laid out by its rows.
 */
#include "backbone/transformer.h"

#include <stdlib.h>
#include <string.h>

/* Of `used` numbers; without base it only counts. */
struct arena {
	rm_real *base;
	size_t used;
};

static rm_real *take(struct arena *a, size_t rows, size_t width)
{
	size_t at = a->used;

	/* Whole cache lines. */
	a->used += (rows * width + 15) / 16 * 16;
	return a->base ? a->base + at : NULL;
}

/* Numbers a row, by what they are for. */
struct widths {
	size_t C, E, HD, H, qkv, f, I;
};

static struct widths widths_of(const struct rm_transformer *t)
{
	const struct rm_arch *a = &t->arch;

	return (struct widths){
		.C = a->hidden, .E = a->embed, .HD = a->heads * a->head_dim,
		.H = a->heads, .qkv = t->qkv_width, .f = t->inner,
		.I = a->ffn
	};
}

/* Scoring: layers follow each other in the same memory. */
static void lay_scoring(const struct rm_transformer *t, struct rm_space *s,
			struct arena *a)
{
	const struct widths w = widths_of(t);
	bool around = t->arch.order == RM_NORM_AROUND;
	struct rm_tape k = {
		.x = take(a, s->rows, w.C), .h = take(a, s->rows, w.C),
		.qkv = take(a, s->rows, w.qkv), .a = take(a, s->rows, w.HD),
		.f = take(a, s->rows, w.f)
	};

	k.mid = k.y = k.x;
	k.h2 = k.h;
	k.s1 = k.s2 = around ? s->t : NULL;
	k.g = t->gated ? take(a, s->rows, w.I) : k.f;
	s->z = k.x;
	for (size_t i = 0; i < t->arch.layers; i++)
		s->tape[i] = k;
}

/* What a layer leaves beside x. */
static struct rm_tape lay_tape(const struct rm_transformer *t,
			       const struct rm_space *s, struct arena *a)
{
	const struct widths w = widths_of(t);
	bool before = t->arch.order != RM_NORM_AFTER;
	bool sums = t->arch.order == RM_NORM_AFTER ||
		t->arch.order == RM_NORM_AROUND;
	struct rm_tape k = {
		.qkv = take(a, s->rows, w.qkv), .a = take(a, s->rows, w.HD),
		.lse = take(a, s->rows, w.H), .mid = take(a, s->rows, w.C),
		.f = take(a, s->rows, w.f), .g = take(a, s->rows, w.I)
	};

	if (t->layer->weight[RM_Q_NORM] >= 0)
		k.raw = take(a, s->rows, w.qkv);
	if (before) {
		k.h = take(a, s->rows, w.C);
		k.h2 = take(a, s->rows, w.C);
	}
	if (sums) {
		k.s1 = take(a, s->rows, w.C);
		k.s2 = take(a, s->rows, w.C);
	}
	return k;
}

static void lay_training(const struct rm_transformer *t, bool recompute,
			 struct rm_space *s, struct arena *a)
{
	const struct widths w = widths_of(t);
	size_t L = t->arch.layers;
	struct rm_tape k = {0};

	for (size_t i = 0; i < L; i++) {
		if (i == 0 || !recompute)
			k = lay_tape(t, s, a);
		s->tape[i] = k;
		s->tape[i].x = take(a, s->rows, w.C);
		if (i)
			s->tape[i - 1].y = s->tape[i].x;
	}
	s->tape[L - 1].y = take(a, s->rows, w.C);
	s->x0 = take(a, s->rows, w.C);
	s->z = take(a, s->rows, w.C);
	s->d = take(a, s->rows, w.C);
	s->spare = take(a, s->rows, w.C);
	s->dh = take(a, s->rows, w.C);
	s->df = take(a, s->rows, w.f);
	s->dg = t->gated ? take(a, s->rows, w.I) : s->df;
	s->dqkv = take(a, s->rows, w.qkv);
	s->da = take(a, s->rows, w.HD);
	s->de = take(a, s->rows, w.E);
}

static void lay(const struct rm_transformer *t, bool recompute,
		struct rm_space *s, struct arena *a)
{
	const struct widths w = widths_of(t);

	s->t = take(a, s->rows, w.C);
	s->px = take(a, s->picks, w.C);
	s->pa = take(a, s->picks, w.HD);
	if (t->in.parts)
		s->e = take(a, s->rows, w.E);
	if (t->last.parts)
		s->out = take(a, s->rows, w.E);
	if (s->train)
		lay_training(t, recompute, s, a);
	else
		lay_scoring(t, s, a);
}

size_t rm_transformer_row_bytes(const struct rm_transformer *t)
{
	const struct widths w = widths_of(t);

	return (3 * w.C + w.qkv + w.HD + w.f + w.E + (t->gated ? w.I : 0)) *
		sizeof(rm_real);
}

int rm_transformer_space(struct rm_run *r, bool train)
{
	const struct rm_transformer *t = r->p->t;
	struct rm_space *s = r->s;
	size_t n = r->n_pick;
	struct arena a = {0};

	if (rm_grow(&s->text, &s->cap_text, r->c->end - r->c->first,
		    sizeof(*s->text)) < 0 ||
	    rm_grow(&s->pick, &s->cap_pick, n, sizeof(*s->pick)) < 0 ||
	    rm_grow(&s->position, &s->cap_position, r->rows,
		    sizeof(*s->position)) < 0)
		return -1;
	if (!s->tape)
		s->tape = rm_calloc(t->arch.layers, sizeof(*s->tape));
	if (!s->tape)
		return -1;
	if (s->arena && s->train == train && r->rows <= s->rows &&
	    n <= s->picks)
		return 0;
	/* Rows may be asked for more than once. */
	s->picks = RM_MAX(s->train == train ? s->picks : 0, n);
	s->rows = RM_MAX(RM_MAX(s->train == train ? s->rows : 0, r->rows),
			 s->picks);
	s->train = train;
	lay(t, r->p->b->recompute, s, &a);
	if (a.used > s->arena_size) {
		free(s->arena);
		s->arena_size = 0;
		/* What a longer batch would need costs nothing till then. */
		a.used += a.used / 4;
		s->arena = rm_malloc_aligned(a.used, sizeof(*s->arena));
		if (!s->arena)
			return -1;
		s->arena_size = a.used;
	}
	a = (struct arena){ .base = s->arena };
	lay(t, r->p->b->recompute, s, &a);
	return 0;
}

void rm_transformer_space_fini(struct rm_space *s)
{
	rm_last_fini(&s->last);
	free(s->arena);
	free(s->tape);
	free(s->position);
	free(s->text);
	free(s->pick);
}
