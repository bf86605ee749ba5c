/*
 * steps: normalizers and pre-tokenizers as lists of steps that rewrite a text
 * or cut it.
 */
#ifndef RM_TOKENIZER_STEPS_H
#define RM_TOKENIZER_STEPS_H

#include "base.h"
#include "json.h"

/* ---- edit.c: a text rewritten ---- */

struct rm_edit {
	struct rm_buf text;	/* the new text */
	/*
	 * Up to new_end the new text stands for the old one up to old_end;
	 * within a run of equal lengths byte for byte, else as one piece.
	 */
	struct rm_edit_run {
		size_t new_end, old_end;
	} *run;
	size_t n, cap;
};

/* These n bytes of the new text stand for n_old of the old: either may be
 * 0.  Equal lengths stand for each other byte for byte. */
void rm_edit_put(struct rm_edit *e, const void *text, size_t n,
		 size_t n_old);
/* The same n bytes. */
static inline void rm_edit_keep(struct rm_edit *e, const void *text,
				size_t n)
{
	rm_edit_put(e, text, n, n);
}
void rm_edit_clear(struct rm_edit *e);
/*
 * Carry n non-decreasing ends in the new text back to the old one, which
 * begins at `at`.  An end inside of a piece is carried to the piece's end.
 */
void rm_edit_back(const struct rm_edit *e, size_t *ends, size_t n,
		  size_t at);
/* Where in the old text what stands at `at` in the new one begins. */
size_t rm_edit_origin(const struct rm_edit *e, size_t at);
void rm_edit_fini(struct rm_edit *e);

/* ---- steps of normalizers and pre-tokenizers ---- */

/* What a thread keeps for a step from text to text. */
struct rm_work {
	struct rm_edit edit;
	void *own;		/* the step's; NULL at first */
};

struct rm_step {
	/*
	 * One of the two is there.  rewrite: n > 0 bytes of valid UTF-8 to
	 * w->edit, which is clear; 1, 0 if the text stands as it is (then
	 * w->edit is not looked at), -1 with a message.  `first`: the text
	 * begins where the whole text does.
	 */
	int (*rewrite)(const struct rm_step *s, struct rm_work *w,
		       const unsigned char *text, size_t n, bool first);
	/*
	 * find: the first match at or after `from` <= n in the n > 0 bytes:
	 * 1 and where it is, 0 if there is none, -1 with a message.
	 */
	int (*find)(const struct rm_step *s, struct rm_work *w,
		    const unsigned char *text, size_t n, size_t from,
		    size_t *start, size_t *end);
	/* What becomes of matches and of what stands between them. */
	enum rm_behavior {
		RM_REMOVED, RM_ISOLATED, RM_MERGED_WITH_PREVIOUS,
		RM_MERGED_WITH_NEXT, RM_CONTIGUOUS
	} behavior;
	bool invert;		/* matches are what stands between */
	bool needs_first;	/* rewrite looks at `first` */
	void *self;		/* the step's own, NULL or freed by free */
	void (*free)(void *self);
	void (*work_free)(void *own);
	unsigned flags;		/* for the simple ones: of characters */
	struct rm_slice text;	/* or a text, which lives in self */
};

/* Through the matches of a step in one text, in order. */
struct rm_matches {
	const struct rm_step *step;
	struct rm_work *w;
	const unsigned char *text;
	size_t n, look;		/* the search goes on at look */
	size_t start, end;	/* the match that was found last */
	bool any;		/* there was one */
};

/*
 * The next match: 1, 0, -1.  One of no bytes counts, but not where the last
 * one ended: as in the peer, the search then goes on behind the next
 * character.
 */
int rm_matches_next(struct rm_matches *m);

/* The find of a step whose matches are its text. */
int rm_find_text(const struct rm_step *s, struct rm_work *w,
		 const unsigned char *text, size_t n, size_t from,
		 size_t *start, size_t *end);

struct rm_steps {
	size_t n, cap;
	struct rm_step *step;
};

/* A copy of the step at the end; on failure its `self` is freed. */
int rm_steps_add(struct rm_steps *steps, struct rm_step step);
void rm_steps_fini(struct rm_steps *steps);

/*
 * A "type" of normalizer or pre-tokenizer: adds its steps, and prints its
 * canonical JSON (keys sorted, no white space, defaults filled in).
 * Messages need not name the type.
 */
struct rm_step_kind {
	const char *type;
	int (*load)(struct rm_steps *steps, const json_t *json,
		    struct rm_buf *canonical);
};

/* Tables that end in a NULL type; rm_steps_load looks through them. */
extern const struct rm_step_kind rm_normalizers_text[];	/* normalize.c */
extern const struct rm_step_kind rm_normalizers_unicode[]; /* nf.c */
extern const struct rm_step_kind rm_normalizers_bert[];	/* bert.c */
extern const struct rm_step_kind rm_normalizers_precompiled[];
extern const struct rm_step_kind rm_pre_tokenizers[];	/* split.c */

/*
 * The steps of a normalizer or a pre-tokenizer, which may be a Sequence; of
 * null, none.  `part` names it in messages.
 */
int rm_steps_load(struct rm_steps *steps, const json_t *json,
		  const struct rm_step_kind *const *tables, const char *part,
		  struct rm_buf *canonical);

#endif
