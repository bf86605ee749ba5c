/*
 * WordPiece (Schuster and Nakajima 2012; BERT): the longest token that a word
 * begins with, then the longest that goes on, or the unknown token for the
 * whole word.
 */
#include "tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

struct wordpiece {
	struct rm_trie trie;
	uint32_t go_on;		/* node of the prefix; 0: no token has it */
	size_t prefix;		/* its length */
	size_t max_chars;
	int32_t unk_id;		/* -1: not in the vocab */
	char *unk_token;
};

static void wordpiece_free(void *model)
{
	struct wordpiece *m = model;

	if (!m)
		return;
	rm_trie_fini(&m->trie);
	free(m->unk_token);
	free(m);
}

static int load(struct wordpiece *m, const struct rm_model_json *json,
		struct rm_vocab *vocab, struct rm_buf *canonical)
{
	const char *unk, *prefix;

	if (rm_json_get_string(json->json, "unk_token", "model", &unk) < 0 ||
	    rm_json_get_string(json->json, "continuing_subword_prefix", "model",
			       &prefix) < 0 ||
	    rm_json_get_size(json->json, "max_input_chars_per_word", "model",
			     &m->max_chars) < 0 ||
	    rm_vocab_load(vocab, json->vocab) < 0 ||
	    rm_trie_build(&m->trie, vocab) < 0)
		return -1;
	m->unk_token = rm_strdup(unk);
	if (!m->unk_token)
		return -1;
	m->unk_id = rm_vocab_find(vocab, unk, strlen(unk));
	m->prefix = strlen(prefix);
	for (size_t i = 0; i < m->prefix && (i == 0 || m->go_on); i++)
		m->go_on = rm_trie_next(&m->trie, m->go_on,
					(unsigned char)prefix[i]);
	rm_buf_puts(canonical, "{\"continuing_subword_prefix\":");
	rm_json_quote(canonical, prefix, m->prefix);
	rm_buf_printf(canonical, ",\"max_input_chars_per_word\":%zu,"
		      "\"type\":\"WordPiece\",\"unk_token\":", m->max_chars);
	rm_json_quote(canonical, unk, strlen(unk));
	rm_buf_puts(canonical, ",\"vocab\":");
	rm_vocab_print(vocab, vocab->n, canonical);
	rm_buf_putc(canonical, '}');
	return canonical->failed ? -1 : 0;
}

static void *wordpiece_load(const struct rm_model_json *json, bool *bytes,
			    struct rm_vocab *vocab, struct rm_buf *canonical)
{
	struct wordpiece *m = rm_calloc(1, sizeof(*m));

	*bytes = false;
	if (m && load(m, json, vocab, canonical) < 0) {
		wordpiece_free(m);
		return NULL;
	}
	return m;
}

static int push_unknown(const struct wordpiece *m, struct rm_encoding *e,
			size_t end)
{
	if (m->unk_id < 0)
		return rm_fail("unk_token \"%s\" is not in the vocab",
			       m->unk_token);
	if (rm_encoding_need(e, 1) < 0)
		return -1;
	rm_encoding_push(e, m->unk_id, end);
	return 0;
}

/* Bytes of the longest token below the node, 0 if there is none. */
static size_t longest(const struct wordpiece *m, uint32_t node,
		      const unsigned char *text, size_t n, int32_t *id)
{
	size_t best = 0;

	for (size_t i = 0; i < n; i++) {
		node = rm_trie_next(&m->trie, node, text[i]);
		if (node == 0)
			break;
		if (m->trie.node[node].id >= 0) {
			*id = m->trie.node[node].id;
			best = i + 1;
		}
	}
	return best;
}

static int wordpiece_encode(const void *model, struct rm_scratch *s,
			    struct rm_encoding *e, const unsigned char *word,
			    size_t n, size_t at)
{
	const struct wordpiece *m = model;
	size_t from = e->n, len;
	int32_t id = -1;

	(void)s;
	if (n > m->max_chars && rm_utf8_count(word, n) > m->max_chars)
		return push_unknown(m, e, at + n);
	if (rm_encoding_need(e, n) < 0)
		return -1;
	for (size_t i = 0; i < n; i += len) {
		len = i > 0 && m->prefix && !m->go_on ? 0 :
		      longest(m, i ? m->go_on : 0, word + i, n - i, &id);
		if (len == 0) {
			e->n = from;
			return push_unknown(m, e, at + n);
		}
		rm_encoding_push(e, id, at + i + len);
	}
	return 0;
}

static void scratch_free(void *scratch)
{
	(void)scratch;
}

const struct rm_tokenizer_kind rm_tokenizer_wordpiece = {
	.type = "WordPiece",
	.load = wordpiece_load,
	.encode = wordpiece_encode,
	.scratch_free = scratch_free,
	.free = wordpiece_free
};
