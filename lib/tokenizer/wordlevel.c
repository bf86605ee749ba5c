/* WordLevel: a word is a token, or the unknown token. */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

struct wordlevel {
	const struct rm_vocab *vocab;	/* borrowed */
	size_t n_ids;			/* ids beyond are added tokens */
	int32_t unk_id;
	char *unk_token;
};

static void wordlevel_free(void *model)
{
	struct wordlevel *m = model;

	if (m)
		free(m->unk_token);
	free(m);
}

static int load(struct wordlevel *m, const struct rm_model_json *json,
		struct rm_vocab *vocab, struct rm_buf *canonical)
{
	const char *unk;

	if (rm_json_get_string(json->json, "unk_token", "model", &unk) < 0 ||
	    rm_vocab_load(vocab, json->vocab) < 0)
		return -1;
	m->vocab = vocab;
	m->n_ids = vocab->n;
	m->unk_id = rm_vocab_find(vocab, unk, strlen(unk));
	m->unk_token = rm_strdup(unk);
	rm_buf_puts(canonical, "{\"type\":\"WordLevel\",\"unk_token\":");
	rm_json_quote(canonical, unk, strlen(unk));
	rm_buf_puts(canonical, ",\"vocab\":");
	rm_vocab_print(vocab, vocab->n, canonical);
	rm_buf_putc(canonical, '}');
	return canonical->failed || !m->unk_token ? -1 : 0;
}

static void *wordlevel_load(const struct rm_model_json *json, bool *bytes,
			    struct rm_vocab *vocab, struct rm_buf *canonical)
{
	struct wordlevel *m = rm_calloc(1, sizeof(*m));

	*bytes = false;
	if (m && load(m, json, vocab, canonical) < 0) {
		wordlevel_free(m);
		return NULL;
	}
	return m;
}

static int wordlevel_encode(const void *model, struct rm_scratch *s,
			    struct rm_encoding *e, const unsigned char *word,
			    size_t n, size_t at)
{
	const struct wordlevel *m = model;
	int32_t id = rm_vocab_find(m->vocab, (const char *)word, n);

	(void)s;
	if (id < 0 || (size_t)id >= m->n_ids)
		id = m->unk_id;
	if (id < 0)
		return rm_fail("unk_token \"%s\" is not in the vocab",
			       m->unk_token);
	if (rm_encoding_need(e, 1) < 0)
		return -1;
	rm_encoding_push(e, id, at + n);
	return 0;
}

static void scratch_free(void *scratch)
{
	(void)scratch;
}

const struct rm_tokenizer_kind rm_tokenizer_wordlevel = {
	.type = "WordLevel",
	.load = wordlevel_load,
	.encode = wordlevel_encode,
	.scratch_free = scratch_free,
	.free = wordlevel_free
};
