/*
 * A WordPiece tokenizer as BERT's, learned as the PyPI package `tokenizers`
 * does: pairs of characters and tokens are merged as for BPE, and of the
 * merges only the tokens stay.
 */
#include "tokenizer/learn.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "##"
/* Most characters to begin with. */
#define ALPHABET 1000
#define CODE_POINTS 0x110000

static const char *const special[] = {
	"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
};

/* ---- its tokenizer.json ---- */

static void print_head(struct rm_buf *json, bool lowercase)
{
	rm_buf_puts(json,
		"{\n"
		"  \"version\": \"1.0\",\n"
		"  \"truncation\": null,\n"
		"  \"padding\": null,\n"
		"  \"added_tokens\": [");
	for (size_t i = 0; i < RM_COUNT(special); i++)
		rm_buf_printf(json, "%s\n"
			"    {\"id\": %zu, \"content\": \"%s\", "
			"\"single_word\": false, \"lstrip\": false,\n"
			"     \"rstrip\": false, \"normalized\": false, "
			"\"special\": true}", i ? "," : "", i, special[i]);
	rm_buf_printf(json,
		"\n  ],\n"
		"  \"normalizer\": {\n"
		"    \"type\": \"BertNormalizer\",\n"
		"    \"clean_text\": true,\n"
		"    \"handle_chinese_chars\": true,\n"
		"    \"strip_accents\": null,\n"
		"    \"lowercase\": %s\n"
		"  },\n"
		"  \"pre_tokenizer\": {\n"
		"    \"type\": \"BertPreTokenizer\"\n"
		"  },\n", lowercase ? "true" : "false");
}

static void print_tail(struct rm_buf *json)
{
	rm_buf_puts(json,
		"  \"post_processor\": {\n"
		"    \"type\": \"TemplateProcessing\",\n"
		"    \"single\": [\n"
		"      {\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}},\n"
		"      {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}},\n"
		"      {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}\n"
		"    ],\n"
		"    \"pair\": [\n"
		"      {\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}},\n"
		"      {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}},\n"
		"      {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}},\n"
		"      {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}},\n"
		"      {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 1}}\n"
		"    ],\n"
		"    \"special_tokens\": {\n"
		"      \"[CLS]\": {\"id\": \"[CLS]\", \"ids\": [2], "
		"\"tokens\": [\"[CLS]\"]},\n"
		"      \"[SEP]\": {\"id\": \"[SEP]\", \"ids\": [3], "
		"\"tokens\": [\"[SEP]\"]}\n"
		"    }\n"
		"  },\n"
		"  \"decoder\": {\n"
		"    \"type\": \"WordPiece\",\n"
		"    \"prefix\": \"" PREFIX "\",\n"
		"    \"cleanup\": true\n"
		"  },\n");
}

static void print_model(struct rm_buf *json, const struct rm_vocab *vocab)
{
	rm_buf_printf(json,
		"  \"model\": {\n"
		"    \"type\": \"WordPiece\",\n"
		"    \"unk_token\": \"[UNK]\",\n"
		"    \"continuing_subword_prefix\": \"" PREFIX "\",\n"
		"    \"max_input_chars_per_word\": %d,\n"
		"    \"vocab\": {", RM_WORDPIECE_LONGEST);
	for (size_t id = 0; id < vocab->n; id++) {
		const char *token = rm_vocab_token(vocab, id);

		rm_buf_puts(json, id ? ",\n      " : "\n      ");
		rm_json_quote(json, token, strlen(token));
		rm_buf_printf(json, ": %zu", id);
	}
	rm_buf_puts(json, "\n    }\n  }\n}\n");
}

static void print(struct rm_buf *json, const struct rm_merger *m,
		  const struct rm_learn_options *o)
{
	print_head(json, !o->cased);
	print_tail(json);
	print_model(json, &m->vocab);
}

/* ---- words ---- */

static int add_special(struct rm_vocab *vocab)
{
	for (size_t i = 0; i < RM_COUNT(special); i++)
		if (rm_vocab_add(vocab, special[i], strlen(special[i]),
				 (json_int_t)i) < 0)
			return -1;
	return 0;
}

/* The tokenizer that will be printed, with nothing learned. */
static struct rm_tokenizer *splitter(const struct rm_learn_options *o)
{
	struct rm_merger m = {0};
	struct rm_buf json = {0};
	struct rm_files files = {0};
	struct rm_tokenizer *t = NULL;

	if (add_special(&m.vocab) == 0) {
		print(&json, &m, o);
		if (!json.failed && rm_files_add(&files, "tokenizer.json",
						 json.data, json.len) == 0)
			t = rm_tokenizer_from_files(&files);
	}
	rm_files_fini(&files);
	rm_buf_fini(&json);
	rm_merger_fini(&m);
	return t;
}

static int count_word(void *arg, const unsigned char *word, size_t n)
{
	struct rm_learner_worker *w = arg;

	if (n > RM_WORDPIECE_LONGEST &&
	    rm_utf8_count(word, n) > RM_WORDPIECE_LONGEST)
		return 0;
	return rm_counts_add(&w->counts, word, n, 1);
}

static int count(struct rm_learner_worker *w, const struct rm_tokenizer *t,
		 const unsigned char *text, size_t len)
{
	return rm_tokenizer_words(t, &w->encoding, text, len, count_word, w);
}

/* ---- the alphabet ---- */

struct character {
	uint64_t count;
	uint32_t code_point;
	bool inside;		/* of some word */
	int32_t id[2];		/* bare, inside; 0: none */
};

/* A character of valid UTF-8; its length. */
static size_t decode(const unsigned char *p, uint32_t *code_point)
{
	size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? *p : *p & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*code_point = c;
	return n;
}

static void count_characters(struct character *all,
			     const struct rm_counts *counts)
{
	const struct rm_count *c;
	uint32_t code;

	for (size_t at = 0; (c = rm_counts_next(counts, &at)); )
		for (size_t i = 0; i < c->n; ) {
			bool inside = i > 0;

			i += decode(c->word + i, &code);
			all[code].count += c->count;
			all[code].code_point = code;
			all[code].inside |= inside;
		}
}

static int by_count(const void *a, const void *b)
{
	const struct character *x = *(struct character *const *)a;
	const struct character *y = *(struct character *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->code_point < y->code_point ? -1 : 1;
}

static int by_code_point(const void *a, const void *b)
{
	const struct character *x = *(struct character *const *)a;
	const struct character *y = *(struct character *const *)b;

	return x->code_point < y->code_point ? -1 : 1;
}

/* Those that stand most often, at most `most`, by code point; NULL. */
static struct character **choose(struct character *all, size_t most,
				 size_t *n)
{
	struct character **chosen;
	size_t seen = 0;

	for (size_t i = 0; i < CODE_POINTS; i++)
		seen += all[i].count > 0;
	chosen = rm_malloc(seen, sizeof(*chosen));
	if (!chosen)
		return NULL;
	seen = 0;
	for (size_t i = 0; i < CODE_POINTS; i++)
		if (all[i].count > 0)
			chosen[seen++] = &all[i];
	qsort(chosen, seen, sizeof(*chosen), by_count);
	*n = RM_MIN(seen, most);
	qsort(chosen, *n, sizeof(*chosen), by_code_point);
	return chosen;
}

static int add_character(struct rm_vocab *vocab, struct character *c,
			 bool inside)
{
	char text[8] = PREFIX;
	size_t n = inside ? strlen(PREFIX) : 0;
	uint32_t code = c->code_point;

	if (code < 0x80) {
		text[n++] = (char)code;
	} else {
		unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

		text[n++] = (char)((0xf0u << (3 - more)) | code >> 6 * more);
		while (more-- > 0)
			text[n++] = (char)(0x80 | (code >> 6 * more & 0x3f));
	}
	c->id[inside] = (int32_t)vocab->n;
	return rm_vocab_add(vocab, text, n, (json_int_t)vocab->n);
}

/* Tokens of all chosen characters, then of those that continue a word. */
static int add_alphabet(struct rm_vocab *vocab, struct character *all,
			size_t most)
{
	size_t n = 0;
	struct character **chosen = choose(all, most, &n);
	int err = chosen ? 0 : -1;

	for (size_t i = 0; i < n && err == 0; i++)
		err = add_character(vocab, chosen[i], false);
	for (size_t i = 0; i < n && err == 0; i++)
		if (chosen[i]->inside)
			err = add_character(vocab, chosen[i], true);
	free(chosen);
	return err;
}

/* A word as its characters' tokens, unless one has none. */
static int add_word(struct rm_merger *m, const struct character *all,
		    const struct rm_count *c)
{
	int32_t ids[RM_WORDPIECE_LONGEST];
	size_t n = 0;
	uint32_t code;

	for (size_t i = 0; i < c->n; n++) {
		bool inside = i > 0;

		i += decode(c->word + i, &code);
		ids[n] = all[code].id[inside];
		if (!ids[n])
			return 0;
	}
	return rm_merger_add(m, ids, n, c->count);
}

static int start(struct rm_merger *m, const struct rm_counts *counts,
		 const struct rm_learn_options *o)
{
	size_t most = RM_MIN(ALPHABET, (o->vocab - RM_COUNT(special)) / 4);
	struct character *all = rm_calloc(CODE_POINTS, sizeof(*all));
	const struct rm_count *c;
	int err = -1;

	m->prefix = PREFIX;
	if (all && add_special(&m->vocab) == 0) {
		count_characters(all, counts);
		err = add_alphabet(&m->vocab, all, most);
	}
	for (size_t at = 0; err == 0 && (c = rm_counts_next(counts, &at)); )
		if (c->count >= o->min_count)
			err = add_word(m, all, c);
	free(all);
	return err;
}

const struct rm_learner_kind rm_learner_wordpiece = {
	"wordpiece", splitter, count, start, print
};
