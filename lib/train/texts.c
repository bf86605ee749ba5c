/* texts: see texts.h. */
#include "train/texts.h"

#include <stdlib.h>
#include <string.h>

#define NOT_CHOSEN UINT32_MAX

/* ---- numbers ---- */

/* Distinct hashes, numbered as they come. */
struct numbers {
	struct rm_hash128 *hash;	/* [n] */
	size_t n, cap;
	uint32_t *slot;		/* [n_slots] number + 1; 0 is an empty one */
	size_t n_slots;		/* a power of two */
};

static void numbers_fini(struct numbers *s)
{
	free(s->hash);
	free(s->slot);
}

/* Where the number of a hash stands, or is to stand. */
static uint32_t *slot_of(const struct numbers *s, struct rm_hash128 h)
{
	size_t i = h.low & (s->n_slots - 1);

	while (s->slot[i] && (s->hash[s->slot[i] - 1].low != h.low ||
			      s->hash[s->slot[i] - 1].high != h.high))
		i = (i + 1) & (s->n_slots - 1);
	return &s->slot[i];
}

/* At most half of the slots are in use. */
static int need_slots(struct numbers *s)
{
	if (2 * (s->n + 1) <= s->n_slots)
		return 0;
	free(s->slot);
	s->n_slots = RM_MAX(2 * s->n_slots, 64);
	s->slot = rm_calloc(s->n_slots, sizeof(*s->slot));
	if (!s->slot)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		*slot_of(s, s->hash[i]) = (uint32_t)i + 1;
	return 0;
}

/* 1 if the hash is new, 0 if it has its number already, -1 on no memory. */
static int number(struct numbers *s, struct rm_hash128 h, uint32_t *to)
{
	uint32_t *slot;

	if (need_slots(s) < 0 ||
	    rm_grow(&s->hash, &s->cap, s->n + 1, sizeof(*s->hash)) < 0)
		return -1;
	slot = slot_of(s, h);
	if (*slot) {
		*to = *slot - 1;
		return 0;
	}
	*to = (uint32_t)s->n;
	s->hash[s->n++] = h;
	*slot = (uint32_t)s->n;
	return 1;
}

/* ---- finding equal texts ---- */

struct finder {
	struct numbers prompts, texts;
	size_t cap_text, cap_shared;
};

static size_t count(struct rm_slice ids)
{
	return ids.len / sizeof(int32_t);
}

static int find_prompt(struct rm_texts *t, struct finder *f,
		       struct rm_slice prompt, uint32_t *to)
{
	int is_new;

	if (t->how == RM_PROMPT_NONE)
		prompt.len = 0;
	is_new = number(&f->prompts, rm_hash128(prompt.data, prompt.len), to);
	if (is_new <= 0)
		return is_new;
	if (rm_grow(&t->shared, &f->cap_shared, f->prompts.n,
		    sizeof(*t->shared)) < 0)
		return -1;
	t->shared[*to] = t->how == RM_PROMPT_SHARED ||
			 t->how == RM_PROMPT_APART ?
		(uint32_t)count(prompt) : 0;
	return 0;
}

static int find_text(struct rm_texts *t, struct finder *f,
		     const struct rm_example *e, struct rm_text text,
		     uint32_t *to)
{
	struct rm_slice response = e->response[text.side];
	struct rm_hash128 h = rm_hash128(response.data, response.len);
	uint64_t both[3] = { text.prompt, h.high, h.low };
	int is_new = number(&f->texts, rm_hash128(both, sizeof(both)), to);

	if (is_new <= 0)
		return is_new;
	if (rm_grow(&t->text, &f->cap_text, f->texts.n,
		    sizeof(*t->text)) < 0)
		return -1;
	text.tokens = (uint32_t)(count(response) +
		(t->how == RM_PROMPT_COPIED ? count(e->prompt) : 0));
	t->text[*to] = text;
	return 0;
}

static int find_all(struct rm_texts *t, struct finder *f)
{
	struct rm_example e;
	struct rm_text text = {0};
	uint32_t *to = t->of;

	for (size_t i = 0; i < t->subset->n; i++) {
		text.example = (uint32_t)i;
		if (rm_subset_get(t->subset, i, &e) < 0 ||
		    find_prompt(t, f, e.prompt, &text.prompt) < 0)
			return -1;
		for (text.side = 0; text.side < e.n; text.side++)
			if (find_text(t, f, &e, text, to++) < 0)
				return -1;
	}
	t->n = f->texts.n;
	t->n_prompts = f->prompts.n;
	return 0;
}

static size_t count_leaves(const struct rm_subset *s)
{
	return rm_subset_first(s, s->n);
}

/* next[n_prompts + 1], of zeros: the next number of a text of each prompt. */
static void number_anew(struct rm_texts *t, size_t *next, uint32_t *to,
			struct rm_text *sorted)
{
	for (size_t i = 0; i < t->n; i++)
		next[t->text[i].prompt + 1]++;
	for (size_t i = 0; i < t->n_prompts; i++)
		next[i + 1] += next[i];
	for (size_t i = 0; i < t->n; i++) {
		to[i] = (uint32_t)next[t->text[i].prompt]++;
		sorted[to[i]] = t->text[i];
	}
	for (size_t i = 0; i < count_leaves(t->subset); i++)
		t->of[i] = to[t->of[i]];
}

/* The texts of one prompt one after another, else in the order they came. */
static int sort_by_prompt(struct rm_texts *t)
{
	size_t *next = rm_calloc(t->n_prompts + 1, sizeof(*next));
	uint32_t *to = rm_malloc(t->n, sizeof(*to));
	struct rm_text *sorted = rm_malloc(t->n, sizeof(*sorted));
	bool ok = next && to && sorted;

	if (ok) {
		number_anew(t, next, to, sorted);
		free(t->text);
		t->text = sorted;
	} else {
		free(sorted);
	}
	free(next);
	free(to);
	return ok ? 0 : -1;
}

int rm_texts_init(struct rm_texts *t, const struct rm_subset *subset,
		  enum rm_prompt how)
{
	struct finder f = {0};
	int status = -1;

	*t = (struct rm_texts){ .subset = subset, .how = how };
	if (count_leaves(subset) > UINT32_MAX)
		return rm_fail("more than %u responses", UINT32_MAX);
	t->of = rm_malloc(count_leaves(subset), sizeof(*t->of));
	if (t->of && find_all(t, &f) == 0)
		status = sort_by_prompt(t);
	numbers_fini(&f.prompts);
	numbers_fini(&f.texts);
	if (status < 0)
		return -1;
	t->chosen = rm_malloc(t->n, sizeof(*t->chosen));
	t->row = rm_malloc(t->n, sizeof(*t->row));
	t->has_prompt = rm_calloc(t->n_prompts, sizeof(*t->has_prompt));
	if (!t->chosen || !t->row || !t->has_prompt)
		return -1;
	memset(t->row, 0xff, t->n * sizeof(*t->row));	/* NOT_CHOSEN */
	return 0;
}

void rm_texts_fini(struct rm_texts *t)
{
	free(t->text);
	free(t->of);
	free(t->shared);
	free(t->chosen);
	free(t->row);
	free(t->has_prompt);
	*t = (struct rm_texts){0};
}

/* ---- batches ---- */

size_t rm_texts_tokens(const struct rm_texts *t, size_t i)
{
	const uint32_t *text;
	size_t n = rm_texts_of(t, i, &text);
	size_t sum = t->shared[t->text[text[0]].prompt];

	for (size_t j = 0; j < n; j++)
		sum += t->text[text[j]].tokens;
	return sum;
}

/* Two responses of a record may be alike. */
static bool stood_before(const uint32_t *text, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (text[j] == text[i])
			return true;
	return false;
}

size_t rm_texts_missing(const struct rm_texts *t, const uint32_t *text,
			size_t n)
{
	uint32_t prompt = t->text[text[0]].prompt;
	size_t sum = t->has_prompt[prompt] ? 0 : t->shared[prompt];

	for (size_t i = 0; i < n; i++)
		if (t->row[text[i]] == NOT_CHOSEN && !stood_before(text, i))
			sum += t->text[text[i]].tokens;
	return sum;
}

void rm_texts_choose(struct rm_texts *t, uint32_t text)
{
	if (t->row[text] != NOT_CHOSEN)
		return;
	t->row[text] = 0;
	t->has_prompt[t->text[text].prompt] = true;
	t->chosen[t->n_chosen++] = text;
}

void rm_texts_clear(struct rm_texts *t)
{
	for (size_t i = 0; i < t->n_chosen; i++) {
		t->row[t->chosen[i]] = NOT_CHOSEN;
		t->has_prompt[t->text[t->chosen[i]].prompt] = false;
	}
	t->n_chosen = 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The i-th of those chosen, which are sorted, into the batch. */
static int add_chosen(struct rm_texts *t, size_t i, struct rm_batch *batch)
{
	const struct rm_text *text = &t->text[t->chosen[i]];
	struct rm_example e;
	int status;

	if (rm_subset_get(t->subset, text->example, &e) < 0)
		return -1;
	if (i > 0 && t->text[t->chosen[i - 1]].prompt == text->prompt)
		status = rm_batch_add_more(batch, e.prompt,
					   e.response[text->side], t->how);
	else
		status = rm_batch_add(batch, e.prompt,
				      &e.response[text->side], 1, t->how);
	if (status < 0)
		return rm_wrap("record %llu", (unsigned long long)e.record);
	t->row[t->chosen[i]] = (uint32_t)i;
	return 0;
}

int rm_texts_batch(struct rm_texts *t, struct rm_batch *batch)
{
	rm_batch_clear(batch);
	qsort(t->chosen, t->n_chosen, sizeof(*t->chosen), by_number);
	for (size_t i = 0; i < t->n_chosen; i++)
		if (add_chosen(t, i, batch) < 0)
			return -1;
	return 0;
}
