/*
 * merge: tokens from the words of a text (Sennrich et al. 2016).
 *
 * Counts of pairs are kept up to date in the words that a merge touches, and
 * a heap whose old entries are corrected when they come up gives the next
 * pair.  Everything is a sum or an order by (count, ids): the order of the
 * words decides nothing.
 */
#include "tokenizer/learn.h"

#include <stdlib.h>
#include <string.h>

#define NO_NODE UINT32_MAX

/* ---- pairs of neighbours ---- */

static size_t pair_slot(const struct rm_merger *m, uint64_t ids)
{
	uint64_t h = (ids ^ ids >> 29) * 0x9e3779b97f4a7c15u;
	size_t i = (h >> 32) & (m->n_slots - 1);

	while (m->slot[i] && m->pair[m->slot[i] - 1].ids != ids)
		i = (i + 1) & (m->n_slots - 1);
	return i;
}

static int grow_pair_slots(struct rm_merger *m)
{
	size_t n = m->n_slots ? 2 * m->n_slots : 1 << 16;
	uint32_t *slot = rm_calloc(n, sizeof(*slot));

	if (!slot)
		return -1;
	free(m->slot);
	m->slot = slot;
	m->n_slots = n;
	for (size_t i = 0; i < m->n_pairs; i++)
		slot[pair_slot(m, m->pair[i].ids)] = (uint32_t)i + 1;
	return 0;
}

/* The pair, made if it is new; NULL without memory. */
static struct rm_merger_pair *get_pair(struct rm_merger *m, int32_t left,
				       int32_t right)
{
	uint64_t ids = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	size_t i;

	if (2 * m->n_pairs >= m->n_slots && grow_pair_slots(m) < 0)
		return NULL;
	i = pair_slot(m, ids);
	if (m->slot[i])
		return &m->pair[m->slot[i] - 1];
	if (m->n_pairs >= UINT32_MAX - 1)
		return rm_fail_null("too many distinct pairs to learn from");
	if (rm_grow(&m->pair, &m->pair_cap, m->n_pairs + 1,
		    sizeof(*m->pair)) < 0)
		return NULL;
	m->pair[m->n_pairs] = (struct rm_merger_pair){
		ids, 0, NO_NODE, NO_NODE
	};
	m->slot[i] = (uint32_t)++m->n_pairs;
	return &m->pair[m->n_pairs - 1];
}

static int raise_pair(struct rm_merger *m, int32_t left, int32_t right,
		      uint32_t word, uint32_t stamp)
{
	struct rm_merger_pair *p = get_pair(m, left, right);

	if (!p)
		return -1;
	p->count += m->word[word].count;
	if (p->stamp != stamp) {
		p->stamp = stamp;
		if (rm_grow(&m->raised, &m->raised_cap, m->n_raised + 1,
			    sizeof(*m->raised)) < 0)
			return -1;
		m->raised[m->n_raised++] = (uint32_t)(p - m->pair);
	}
	if (p->head != NO_NODE && m->node[p->head].word == word)
		return 0;
	if (m->n_nodes >= UINT32_MAX - 1)
		return rm_fail("too many distinct words to learn from");
	if (rm_grow(&m->node, &m->node_cap, m->n_nodes + 1,
		    sizeof(*m->node)) < 0)
		return -1;
	m->node[m->n_nodes] = (struct rm_merger_node){ word, p->head };
	p->head = (uint32_t)m->n_nodes++;
	return 0;
}

static int lower_pair(struct rm_merger *m, int32_t left, int32_t right,
		      uint32_t word)
{
	struct rm_merger_pair *p = get_pair(m, left, right);

	if (!p)
		return -1;
	p->count -= m->word[word].count;
	return 0;
}

/* ---- the heap: highest count first, then the lowest ids ---- */

static bool is_before(const struct rm_merger *m, struct rm_merger_candidate a,
		      struct rm_merger_candidate b)
{
	if (a.count != b.count)
		return a.count > b.count;
	return m->pair[a.pair].ids < m->pair[b.pair].ids;
}

static int push(struct rm_merger *m, uint32_t pair)
{
	struct rm_merger_candidate x = { m->pair[pair].count, pair };
	size_t i;

	if (rm_grow(&m->heap, &m->heap_cap, m->n_heap + 1,
		    sizeof(*m->heap)) < 0)
		return -1;
	for (i = m->n_heap++; i > 0; i = (i - 1) / 2) {
		if (!is_before(m, x, m->heap[(i - 1) / 2]))
			break;
		m->heap[i] = m->heap[(i - 1) / 2];
	}
	m->heap[i] = x;
	return 0;
}

static struct rm_merger_candidate pop(struct rm_merger *m)
{
	struct rm_merger_candidate top = m->heap[0], x = m->heap[--m->n_heap];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < m->n_heap &&
		    is_before(m, m->heap[child + 1], m->heap[child]))
			child++;
		if (child >= m->n_heap || !is_before(m, m->heap[child], x))
			break;
		m->heap[i] = m->heap[child];
		i = child;
	}
	m->heap[i] = x;
	return top;
}

/* The pair with the highest count, NO_NODE when none is left; -1. */
static int next_pair(struct rm_merger *m, uint32_t *pair)
{
	while (m->n_heap > 0) {
		struct rm_merger_candidate c = pop(m);

		*pair = c.pair;
		if (m->pair[c.pair].count == c.count)
			return 0;
		if (m->pair[c.pair].count > 0 && push(m, c.pair) < 0)
			return -1;
	}
	*pair = NO_NODE;
	return 0;
}

/* Push every pair whose count this merge raised. */
static int push_raised(struct rm_merger *m)
{
	for (size_t i = 0; i < m->n_raised; i++)
		if (push(m, m->raised[i]) < 0)
			return -1;
	m->n_raised = 0;
	return 0;
}

/* ---- training ---- */

int rm_merger_add(struct rm_merger *m, const int32_t *ids, size_t n,
		  uint64_t count)
{
	if (n < 2)
		return 0;	/* nothing to merge */
	if (rm_grow(&m->word, &m->word_cap, m->n_words + 1,
		    sizeof(*m->word)) < 0 ||
	    rm_grow(&m->symbol, &m->symbol_cap, m->n_symbols + n,
		    sizeof(*m->symbol)) < 0)
		return -1;
	m->word[m->n_words++] = (struct rm_merger_word){
		m->n_symbols, count, (uint32_t)n
	};
	memcpy(m->symbol + m->n_symbols, ids, n * sizeof(*ids));
	m->n_symbols += n;
	return 0;
}

static int init_pairs(struct rm_merger *m)
{
	for (size_t i = 0; i < m->n_words; i++) {
		const int32_t *s = m->symbol + m->word[i].at;

		for (size_t k = 0; k + 1 < m->word[i].n; k++)
			if (raise_pair(m, s[k], s[k + 1], (uint32_t)i,
				       0) < 0)
				return -1;
	}
	return push_raised(m);
}

/*
 * Merge (left, right) into `to` in one word, from left to right.  The pairs
 * that lose a symbol are lowered, those that hold a new one raised: a pair's
 * count is the number of neighbours that it names, overlapping ones too.
 */
static int merge_word(struct rm_merger *m, uint32_t index, int32_t left,
		      int32_t right, int32_t to, uint32_t stamp)
{
	struct rm_merger_word *w = &m->word[index];
	int32_t *s = m->symbol + w->at, merged[RM_LEARN_LONGEST];
	bool gone[RM_LEARN_LONGEST], made[RM_LEARN_LONGEST];
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
		    lower_pair(m, s[i], s[i + 1], index) < 0)
			return -1;
	for (uint32_t i = 0; i + 1 < n; i++)
		if ((made[i] || made[i + 1]) &&
		    raise_pair(m, merged[i], merged[i + 1], index,
			       stamp) < 0)
			return -1;
	memcpy(s, merged, n * sizeof(*s));
	w->n = n;
	return 0;
}

/*
 * The id of the two tokens' text as one, the prefix in it once: a new one
 * unless it is known.
 */
static int32_t join_tokens(struct rm_merger *m, int32_t left, int32_t right)
{
	const char *end = rm_vocab_token(&m->vocab, (size_t)right);
	size_t n = strlen(m->prefix);
	struct rm_buf text = {0};
	int32_t id = -1;

	rm_buf_puts(&text, rm_vocab_token(&m->vocab, (size_t)left));
	rm_buf_puts(&text, strncmp(end, m->prefix, n) == 0 ? end + n : end);
	if (rm_buf_text(&text)) {
		id = rm_vocab_find(&m->vocab, (char *)text.data, text.len);
		if (id < 0 &&
		    rm_vocab_add(&m->vocab, (char *)text.data, text.len,
				 (json_int_t)m->vocab.n) == 0)
			id = (int32_t)m->vocab.n - 1;
	}
	rm_buf_fini(&text);
	return id;
}

static int merge_pair(struct rm_merger *m, uint32_t pair)
{
	int32_t left = (int32_t)(m->pair[pair].ids >> 32);
	int32_t right = (int32_t)(uint32_t)m->pair[pair].ids;
	int32_t to = join_tokens(m, left, right);
	uint32_t stamp = (uint32_t)m->n_merges + 1;

	if (to < 0 || rm_grow(&m->merge, &m->merge_cap, m->n_merges + 1,
			      sizeof(*m->merge)) < 0)
		return -1;
	m->merge[m->n_merges][0] = left;
	m->merge[m->n_merges++][1] = right;
	for (uint32_t i = m->pair[pair].head; i != NO_NODE;
	     i = m->node[i].next)
		if (merge_word(m, m->node[i].word, left, right, to,
			       stamp) < 0)
			return -1;
	return push_raised(m);
}

int rm_merger_run(struct rm_merger *m, size_t vocab)
{
	uint32_t pair;

	if (init_pairs(m) < 0)
		return -1;
	while (m->vocab.n < vocab) {
		if (next_pair(m, &pair) < 0)
			return -1;
		if (pair == NO_NODE)
			break;
		if (merge_pair(m, pair) < 0)
			return -1;
	}
	return 0;
}

void rm_merger_fini(struct rm_merger *m)
{
	rm_vocab_fini(&m->vocab);
	free(m->word);
	free(m->symbol);
	free(m->pair);
	free(m->slot);
	free(m->node);
	free(m->raised);
	free(m->heap);
	free(m->merge);
}
