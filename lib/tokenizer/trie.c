#include "tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

struct key {
	const char *text;
	size_t len;
	int32_t id;
};

static int by_text(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = memcmp(x->text, y->text, RM_MIN(x->len, y->len));

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Tokens below each node that is not done yet: a range of the keys. */
struct range {
	size_t from, to;
};

struct builder {
	struct rm_trie *t;
	struct key *key;
	struct range *range;	/* of each node */
	size_t cap_range;
};

static int add_node(struct builder *b, unsigned char label, size_t from,
		    size_t to)
{
	struct rm_trie *t = b->t;

	if (t->n == UINT32_MAX)
		return rm_fail("too many tokens");
	if (rm_grow(&t->node, &t->cap, t->n + 1, sizeof(*t->node)) < 0 ||
	    rm_grow(&b->range, &b->cap_range, t->n + 1,
		    sizeof(*b->range)) < 0)
		return -1;
	t->node[t->n] = (struct rm_trie_node){ .id = -1, .label = label };
	b->range[t->n++] = (struct range){ from, to };
	return 0;
}

/* The children of a node at that depth. */
static int add_children(struct builder *b, size_t node, size_t depth)
{
	size_t i = b->range[node].from, end = b->range[node].to, first;

	b->t->node[node].child = (uint32_t)b->t->n;
	if (i < end && b->key[i].len == depth)
		b->t->node[node].id = b->key[i++].id;
	while (i < end) {
		unsigned char label = (unsigned char)b->key[i].text[depth];

		for (first = i; i < end && (unsigned char)
		     b->key[i].text[depth] == label; )
			i++;
		if (add_node(b, label, first, i) < 0)
			return -1;
		b->t->node[node].n++;
	}
	return 0;
}

/* Level by level, so that children stand side by side. */
static int add_levels(struct builder *b, size_t n)
{
	size_t node = 0, end;

	if (add_node(b, 0, 0, n) < 0)
		return -1;
	for (size_t depth = 0; node < b->t->n; depth++)
		for (end = b->t->n; node < end; node++)
			if (add_children(b, node, depth) < 0)
				return -1;
	return 0;
}

int rm_trie_build(struct rm_trie *t, const struct rm_vocab *vocab)
{
	struct builder b = { .t = t };
	size_t n = 0;
	int err;

	b.key = rm_malloc(vocab->n, sizeof(*b.key));
	if (!b.key)
		return -1;
	for (size_t id = 0; id < vocab->n; id++) {
		const char *text = rm_vocab_token(vocab, id);
		size_t len = text ? strlen(text) : 0;

		if (len > RM_TRIE_LONGEST) {
			free(b.key);
			return rm_fail("token %zu is longer than %d bytes",
				       id, RM_TRIE_LONGEST);
		}
		if (len > 0)
			b.key[n++] = (struct key){ text, len, (int32_t)id };
	}
	qsort(b.key, n, sizeof(*b.key), by_text);
	err = add_levels(&b, n);
	free(b.key);
	free(b.range);
	return err;
}

void rm_trie_fini(struct rm_trie *t)
{
	free(t->node);
	*t = (struct rm_trie){0};
}
