/*
 * learn: a byte-level BPE from the words of a text (Sennrich et al. 2016).
 *
 * Distinct words are counted first.  Then, again and again, the pair of
 * neighbours that stands most often becomes a token: counts of pairs are
 * kept up to date in the words that a merge touches, and a heap whose old
 * entries are corrected when they come up gives the next pair.  Everything
 * is a sum or an order by (count, ids): the order of the texts decides
 * nothing.
 */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

/* Longer words are learned in pieces, to bound the work at one word. */
#define LONGEST 128
#define NO_NODE UINT32_MAX

struct word {
	size_t at;		/* in text; later, of its symbols */
	uint64_t count;
	uint32_t n;		/* bytes; later, symbols */
};

struct rm_learner {
	size_t vocab;
	uint64_t min_count;
	struct rm_buf text;	/* the distinct words, one after another */
	struct word *word;
	size_t n_words, cap;
	struct word_slot {
		uint32_t hash, index;	/* index + 1; 0 is free */
	} *slot;
	size_t n_slots;
	size_t size;		/* tokens that were learned */
};

struct rm_learner *rm_learner_new(size_t vocab, size_t min_count)
{
	struct rm_learner *l;

	if (vocab < 256 || vocab > RM_MAX_IDS)
		return rm_fail_null("a vocabulary of %zu tokens is not "
				    "within 256..%zu", vocab, RM_MAX_IDS);
	l = rm_calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	rm_unicode_init();
	l->vocab = vocab;
	l->min_count = min_count;
	return l;
}

void rm_learner_free(struct rm_learner *l)
{
	if (!l)
		return;
	rm_buf_fini(&l->text);
	free(l->word);
	free(l->slot);
	free(l);
}

/* ---- counting words ---- */

static int grow_slots(struct rm_learner *l)
{
	size_t n = l->n_slots ? 2 * l->n_slots : 1024;
	struct word_slot *slot = rm_calloc(n, sizeof(*slot));

	if (!slot)
		return -1;
	for (size_t i = 0; i < l->n_slots; i++) {
		size_t k = l->slot[i].hash & (n - 1);

		if (!l->slot[i].index)
			continue;
		while (slot[k].index)
			k = (k + 1) & (n - 1);
		slot[k] = l->slot[i];
	}
	free(l->slot);
	l->slot = slot;
	l->n_slots = n;
	return 0;
}

static int new_word(struct rm_learner *l, struct word_slot *slot,
		    uint32_t hash, const unsigned char *text, size_t n)
{
	if (l->n_words == UINT32_MAX - 1)
		return rm_fail("more than %zu distinct words", l->n_words);
	if (rm_grow(&l->word, &l->cap, l->n_words + 1, sizeof(*l->word)) < 0)
		return -1;
	l->word[l->n_words++] = (struct word){ l->text.len, 1, (uint32_t)n };
	rm_buf_append(&l->text, text, n);
	*slot = (struct word_slot){ hash, (uint32_t)l->n_words };
	return l->text.failed ? -1 : 0;
}

static int count_word(struct rm_learner *l, const unsigned char *text,
		      size_t n)
{
	uint32_t hash = (uint32_t)rm_hash64(text, n);
	size_t i;

	if (2 * l->n_words >= l->n_slots && grow_slots(l) < 0)
		return -1;
	for (i = hash & (l->n_slots - 1); l->slot[i].index;
	     i = (i + 1) & (l->n_slots - 1)) {
		struct word *w = &l->word[l->slot[i].index - 1];

		if (l->slot[i].hash == hash && w->n == n &&
		    memcmp(l->text.data + w->at, text, n) == 0) {
			w->count++;
			return 0;
		}
	}
	return new_word(l, &l->slot[i], hash, text, n);
}

int rm_learner_add(struct rm_learner *l, const void *data, size_t len)
{
	const unsigned char *text = data;

	for (size_t i = 0; i < len; ) {
		size_t n = rm_scan_gpt2(text + i, len - i);

		for (size_t end = i + n; i < end; i += n) {
			n = RM_MIN(end - i, LONGEST);
			if (count_word(l, text + i, n) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- pairs of neighbours ---- */

struct train {
	struct rm_vocab vocab;
	struct word *word;
	size_t n_words;
	int32_t *symbol;
	struct pair {
		uint64_t ids;		/* left << 32 | right */
		uint64_t count;
		uint32_t head;		/* list of words that had it */
		uint32_t stamp;		/* the merge that last raised it */
	} *pair;
	size_t n_pairs, pair_cap;
	uint32_t *slot;			/* open addressing: pair + 1 */
	size_t n_slots;
	struct node {
		uint32_t word, next;
	} *node;
	size_t n_nodes, node_cap;
	uint32_t *raised;		/* pairs that this merge raised */
	size_t n_raised, raised_cap;
	struct candidate {
		uint64_t count;		/* as it was when pushed */
		uint32_t pair;
	} *heap;
	size_t n_heap, heap_cap;
	int32_t (*merge)[2];
	size_t n_merges, merge_cap;
};

static size_t pair_slot(const struct train *t, uint64_t ids)
{
	uint64_t h = (ids ^ ids >> 29) * 0x9e3779b97f4a7c15u;
	size_t i = (h >> 32) & (t->n_slots - 1);

	while (t->slot[i] && t->pair[t->slot[i] - 1].ids != ids)
		i = (i + 1) & (t->n_slots - 1);
	return i;
}

static int grow_pair_slots(struct train *t)
{
	size_t n = t->n_slots ? 2 * t->n_slots : 1 << 16;
	uint32_t *slot = rm_calloc(n, sizeof(*slot));

	if (!slot)
		return -1;
	free(t->slot);
	t->slot = slot;
	t->n_slots = n;
	for (size_t i = 0; i < t->n_pairs; i++)
		slot[pair_slot(t, t->pair[i].ids)] = (uint32_t)i + 1;
	return 0;
}

/* The pair, made if it is new; NULL without memory. */
static struct pair *get_pair(struct train *t, int32_t left, int32_t right)
{
	uint64_t ids = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	size_t i;

	if (2 * t->n_pairs >= t->n_slots && grow_pair_slots(t) < 0)
		return NULL;
	i = pair_slot(t, ids);
	if (t->slot[i])
		return &t->pair[t->slot[i] - 1];
	if (t->n_pairs >= UINT32_MAX - 1)
		return rm_fail_null("too many distinct pairs to learn from");
	if (rm_grow(&t->pair, &t->pair_cap, t->n_pairs + 1,
		    sizeof(*t->pair)) < 0)
		return NULL;
	t->pair[t->n_pairs] = (struct pair){ ids, 0, NO_NODE, NO_NODE };
	t->slot[i] = (uint32_t)++t->n_pairs;
	return &t->pair[t->n_pairs - 1];
}

static int raise_pair(struct train *t, int32_t left, int32_t right,
		      uint32_t word, uint32_t stamp)
{
	struct pair *p = get_pair(t, left, right);

	if (!p)
		return -1;
	p->count += t->word[word].count;
	if (p->stamp != stamp) {
		p->stamp = stamp;
		if (rm_grow(&t->raised, &t->raised_cap, t->n_raised + 1,
			    sizeof(*t->raised)) < 0)
			return -1;
		t->raised[t->n_raised++] = (uint32_t)(p - t->pair);
	}
	if (p->head != NO_NODE && t->node[p->head].word == word)
		return 0;
	if (t->n_nodes >= UINT32_MAX - 1)
		return rm_fail("too many distinct words to learn from");
	if (rm_grow(&t->node, &t->node_cap, t->n_nodes + 1,
		    sizeof(*t->node)) < 0)
		return -1;
	t->node[t->n_nodes] = (struct node){ word, p->head };
	p->head = (uint32_t)t->n_nodes++;
	return 0;
}

static int lower_pair(struct train *t, int32_t left, int32_t right,
		      uint32_t word)
{
	struct pair *p = get_pair(t, left, right);

	if (!p)
		return -1;
	p->count -= t->word[word].count;
	return 0;
}

/* ---- the heap: highest count first, then the lowest ids ---- */

static bool is_before(const struct train *t, struct candidate a,
		      struct candidate b)
{
	if (a.count != b.count)
		return a.count > b.count;
	return t->pair[a.pair].ids < t->pair[b.pair].ids;
}

static int push(struct train *t, uint32_t pair)
{
	struct candidate x = { t->pair[pair].count, pair };
	size_t i;

	if (rm_grow(&t->heap, &t->heap_cap, t->n_heap + 1,
		    sizeof(*t->heap)) < 0)
		return -1;
	for (i = t->n_heap++; i > 0; i = (i - 1) / 2) {
		if (!is_before(t, x, t->heap[(i - 1) / 2]))
			break;
		t->heap[i] = t->heap[(i - 1) / 2];
	}
	t->heap[i] = x;
	return 0;
}

static struct candidate pop(struct train *t)
{
	struct candidate top = t->heap[0], x = t->heap[--t->n_heap];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < t->n_heap &&
		    is_before(t, t->heap[child + 1], t->heap[child]))
			child++;
		if (child >= t->n_heap || !is_before(t, t->heap[child], x))
			break;
		t->heap[i] = t->heap[child];
		i = child;
	}
	t->heap[i] = x;
	return top;
}

/* The pair with the highest count, NO_NODE when none is left; -1. */
static int next_pair(struct train *t, uint32_t *pair)
{
	while (t->n_heap > 0) {
		struct candidate c = pop(t);

		*pair = c.pair;
		if (t->pair[c.pair].count == c.count)
			return 0;
		if (t->pair[c.pair].count > 0 && push(t, c.pair) < 0)
			return -1;
	}
	*pair = NO_NODE;
	return 0;
}

/* Push every pair whose count this merge raised. */
static int push_raised(struct train *t)
{
	for (size_t i = 0; i < t->n_raised; i++)
		if (push(t, t->raised[i]) < 0)
			return -1;
	t->n_raised = 0;
	return 0;
}

/* ---- training ---- */

/* The words that are seen often enough, as the ids of their bytes. */
static int init_words(struct train *t, const struct rm_learner *l)
{
	size_t total = 0;

	t->word = rm_malloc(l->n_words, sizeof(*t->word));
	t->symbol = rm_malloc(l->text.len, sizeof(*t->symbol));
	if (!t->word || !t->symbol || rm_byte_level_vocab(&t->vocab) < 0)
		return -1;
	for (size_t i = 0; i < l->n_words; i++) {
		struct word w = l->word[i];

		if (w.n < 2 || w.count < l->min_count)
			continue;
		for (size_t k = 0; k < w.n; k++)
			t->symbol[total + k] = l->text.data[w.at + k];
		w.at = total;
		total += w.n;
		t->word[t->n_words++] = w;
	}
	return 0;
}

static int init_pairs(struct train *t)
{
	for (size_t i = 0; i < t->n_words; i++) {
		const int32_t *s = t->symbol + t->word[i].at;

		for (size_t k = 0; k + 1 < t->word[i].n; k++)
			if (raise_pair(t, s[k], s[k + 1], (uint32_t)i,
				       0) < 0)
				return -1;
	}
	return push_raised(t);
}

/*
 * Merge (left, right) into `to` in one word, from left to right.  The pairs
 * that lose a symbol are lowered, those that hold a new one raised: a pair's
 * count is the number of neighbours that it names, overlapping ones too.
 */
static int merge_word(struct train *t, uint32_t index, int32_t left,
		      int32_t right, int32_t to, uint32_t stamp)
{
	struct word *w = &t->word[index];
	int32_t *s = t->symbol + w->at, merged[LONGEST];
	bool gone[LONGEST], made[LONGEST];
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		bool hit = i + 1 < w->n && s[i] == left && s[i + 1] == right;

		gone[i] = made[n] = hit;
		merged[n++] = hit ? to : s[i];
		if (hit)
			gone[++i] = true;
	}
	if (n == w->n)
		return 0;
	for (uint32_t i = 0; i + 1 < w->n; i++)
		if ((gone[i] || gone[i + 1]) &&
		    lower_pair(t, s[i], s[i + 1], index) < 0)
			return -1;
	for (uint32_t i = 0; i + 1 < n; i++)
		if ((made[i] || made[i + 1]) &&
		    raise_pair(t, merged[i], merged[i + 1], index,
			       stamp) < 0)
			return -1;
	memcpy(s, merged, n * sizeof(*s));
	w->n = n;
	return 0;
}

/* The id of the two tokens' text as one: a new one unless it is known. */
static int32_t join_tokens(struct train *t, int32_t left, int32_t right)
{
	struct rm_buf text = {0};
	int32_t id = -1;

	rm_buf_puts(&text, rm_vocab_token(&t->vocab, (size_t)left));
	rm_buf_puts(&text, rm_vocab_token(&t->vocab, (size_t)right));
	if (rm_buf_text(&text)) {
		id = rm_vocab_find(&t->vocab, (char *)text.data, text.len);
		if (id < 0 &&
		    rm_vocab_add(&t->vocab, (char *)text.data, text.len,
				 (json_int_t)t->vocab.n) == 0)
			id = (int32_t)t->vocab.n - 1;
	}
	rm_buf_fini(&text);
	return id;
}

static int merge_pair(struct train *t, uint32_t pair)
{
	int32_t left = (int32_t)(t->pair[pair].ids >> 32);
	int32_t right = (int32_t)(uint32_t)t->pair[pair].ids;
	int32_t to = join_tokens(t, left, right);
	uint32_t stamp = (uint32_t)t->n_merges + 1;

	if (to < 0 || rm_grow(&t->merge, &t->merge_cap, t->n_merges + 1,
			      sizeof(*t->merge)) < 0)
		return -1;
	t->merge[t->n_merges][0] = left;
	t->merge[t->n_merges++][1] = right;
	for (uint32_t i = t->pair[pair].head; i != NO_NODE;
	     i = t->node[i].next)
		if (merge_word(t, t->node[i].word, left, right, to,
			       stamp) < 0)
			return -1;
	return push_raised(t);
}

static int train(struct train *t, const struct rm_learner *l)
{
	uint32_t pair;

	if (init_words(t, l) < 0 || init_pairs(t) < 0)
		return -1;
	while (t->vocab.n < l->vocab) {
		if (next_pair(t, &pair) < 0)
			return -1;
		if (pair == NO_NODE)
			break;
		if (merge_pair(t, pair) < 0)
			return -1;
	}
	return 0;
}

static void train_fini(struct train *t)
{
	rm_vocab_fini(&t->vocab);
	free(t->word);
	free(t->symbol);
	free(t->pair);
	free(t->slot);
	free(t->node);
	free(t->raised);
	free(t->heap);
	free(t->merge);
}

int rm_learner_finish(struct rm_learner *l, struct rm_buf *json)
{
	struct train t = {0};
	int err = train(&t, l);

	if (err == 0) {
		rm_byte_level_print(json, &t.vocab, t.merge, t.n_merges,
				    true);
		err = json->failed ? -1 : 0;
		l->size = 256 + t.n_merges;
	}
	train_fini(&t);
	return err;
}

size_t rm_learner_size(const struct rm_learner *l)
{
	return l->size;
}
