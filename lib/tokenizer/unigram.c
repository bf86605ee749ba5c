/*
 * Unigram (Kudo 2018): of all ways to cut a word into tokens the one whose
 * log-probabilities sum to the most, found from left to right (Viterbi).
 */
#include "tokenizer/trie.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A character without a token costs that much more than the worst token. */
#define UNKNOWN_PENALTY 10.0

struct unigram {
	const struct rm_vocab *vocab;	/* borrowed */
	size_t n_ids;
	struct rm_trie trie;
	double *score;			/* [n_ids] */
	double unk_score;
	int32_t unk_id;			/* -1: none */
	bool byte_fallback;		/* all 256 bytes may not be there */
	int32_t byte_id[256];
};

/* The best way to each place of a word. */
struct scratch {
	struct best {
		double score;
		uint32_t from;		/* where its last token begins */
		int32_t id;		/* and which it is; -1: no way yet */
	} *best;
	size_t cap;
};

static void unigram_free(void *model)
{
	struct unigram *m = model;

	if (!m)
		return;
	rm_trie_fini(&m->trie);
	free(m->score);
	free(m);
}

/* 10^n, n <= 308, correctly rounded; infinity beyond. */
static double power_of_ten(int n)
{
	char text[16];

	snprintf(text, sizeof(text), "1e%d", n);
	return strtod(text, NULL);
}

/*
 * A decimal number as the peer reads it: its digits as a whole number, then
 * one product or quotient by a power of ten, rounded twice.  Where sums of
 * scores tie, the last bit decides.
 */
static double twice_rounded(struct rm_slice number)
{
	const unsigned char *p = number.data, *end = p + number.len;
	bool negative = *p == '-', fraction = false, full = false;
	int exponent = 0, given = 0;
	uint64_t digits = 0;
	double x;

	for (p += negative; p < end && (*p | 32) != 'e'; p++) {
		unsigned digit = *p - (unsigned)'0';

		if (*p == '.') {
			fraction = true;
			continue;
		}
		full |= digits > (UINT64_MAX - digit) / 10;
		if (!full)
			digits = digits * 10 + digit;
		exponent += full ? !fraction : -(int)fraction;
	}
	for (bool minus = false; p < end; p++) {
		minus |= *p == '-';
		if (*p >= '0' && *p <= '9' && given < 9999)
			given = given * 10 + (*p - '0');
		if (p + 1 == end)
			exponent += minus ? -given : given;
	}
	x = (double)digits;
	for (; exponent < -308 && x != 0; exponent += 308)
		x /= 1e308;
	/* Powers of ten are those nearest, as constants of C are. */
	if (x != 0 && exponent)
		x = exponent < 0 ? x / power_of_ten(-exponent) :
				   x * power_of_ten(exponent);
	return negative ? -x : x;
}

/* ["token", score] */
static int read_token(struct rm_json_reader *r, struct rm_vocab *vocab,
		      double *score)
{
	struct rm_slice token, number;

	if (rm_json_enter(r, '[') < 0 || rm_json_more(r, ']') <= 0 ||
	    rm_json_string(r, &token) < 0)
		return rm_fail("not a token and its score");
	if (memchr(token.data, '\0', token.len))
		return rm_fail("a token holds a NUL");
	if (rm_vocab_add(vocab, (const char *)token.data, token.len,
			 (json_int_t)vocab->n) < 0)
		return -1;
	if (rm_json_more(r, ']') <= 0)
		return rm_fail("not a token and its score");
	rm_json_peek(r);
	number.data = r->at;
	if (rm_json_double(r, score) < 0)
		return rm_fail("not a token and its score");
	number.len = (size_t)(r->at - number.data);
	*score = twice_rounded(number);
	if (rm_json_more(r, ']') != 0 || !isfinite(*score))
		return rm_fail("not a token and its score");
	return 0;
}

static int load_vocab(struct unigram *m, struct rm_slice json,
		      struct rm_vocab *vocab)
{
	struct rm_json_reader r;
	size_t cap = 0;
	int more = 0, err;

	rm_json_reader_init(&r, json);
	if (!json.data || rm_json_peek(&r) != '[')
		return rm_fail("no array \"vocab\"");
	err = rm_json_enter(&r, '[');
	while (err == 0 && (more = rm_json_more(&r, ']')) > 0) {
		err = rm_grow(&m->score, &cap, vocab->n + 1,
			      sizeof(*m->score));
		if (err == 0 && read_token(&r, vocab,
					   &m->score[vocab->n]) < 0)
			err = rm_wrap("vocab: %zu", vocab->n);
	}
	rm_json_reader_fini(&r);
	m->n_ids = vocab->n;
	return err < 0 || more < 0 ? -1 : 0;
}

static int load_unknown(struct unigram *m, const json_t *json)
{
	const json_t *unk = json_object_get(json, "unk_id");
	double least = INFINITY;

	m->unk_id = -1;
	if (unk && !json_is_null(unk)) {
		json_int_t id = json_integer_value(unk);

		if (!json_is_integer(unk) || id < 0 ||
		    id >= (json_int_t)m->n_ids)
			return rm_fail("unk_id is not within 0..%zu",
				       m->n_ids);
		m->unk_id = (int32_t)id;
	}
	for (size_t i = 0; i < m->n_ids; i++)
		least = RM_MIN(least, m->score[i]);
	m->unk_score = least - UNKNOWN_PENALTY;
	return 0;
}

static int load_bytes(struct unigram *m, const json_t *json)
{
	if (rm_opt_bool(json, "byte_fallback", false, &m->byte_fallback) < 0)
		return -1;
	for (unsigned i = 0; i < 256; i++) {
		char text[8];

		snprintf(text, sizeof(text), "<0x%02X>", i);
		m->byte_id[i] = rm_vocab_find(m->vocab, text, 6);
	}
	return 0;
}

/* Scores as the bits that they are: sixteen hex digits each. */
static void print_scores(const struct unigram *m, struct rm_buf *out)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < m->n_ids; i++) {
		char text[16];
		uint64_t bits;

		memcpy(&bits, &m->score[i], sizeof(bits));
		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = hex[bits >> (60 - 4 * k) & 15];
		rm_buf_append(out, text, sizeof(text));
	}
}

static void print_canonical(const struct unigram *m, struct rm_buf *out)
{
	rm_buf_printf(out, "{\"byte_fallback\":%s,\"scores\":\"",
		      m->byte_fallback ? "true" : "false");
	print_scores(m, out);
	rm_buf_printf(out, "\",\"type\":\"Unigram\",\"unk_id\":%d,"
		      "\"vocab\":", m->unk_id);
	rm_vocab_print(m->vocab, m->n_ids, out);
	rm_buf_putc(out, '}');
}

static void *unigram_load(const struct rm_model_json *json, bool *bytes,
			  struct rm_vocab *vocab, struct rm_buf *canonical)
{
	struct unigram *m = rm_calloc(1, sizeof(*m));

	*bytes = false;
	if (!m)
		return NULL;
	m->vocab = vocab;
	if (load_vocab(m, json->vocab, vocab) < 0 ||
	    load_unknown(m, json->json) < 0 ||
	    load_bytes(m, json->json) < 0 ||
	    rm_trie_build(&m->trie, vocab) < 0) {
		unigram_free(m);
		return NULL;
	}
	print_canonical(m, canonical);
	return m;
}

/* ---- encoding ---- */

static void offer(struct best *b, double score, size_t from, int32_t id)
{
	if (b->id >= 0 && !(score > b->score))
		return;
	b->score = score;
	b->from = (uint32_t)from;
	b->id = id;
}

/* All tokens that begin at `from`, and the unknown if none is a character. */
static int offer_all(const struct unigram *m, struct best *best,
		     const unsigned char *word, size_t n, size_t from,
		     size_t len)
{
	double score = best[from].score;
	bool single = false;
	uint32_t node = 0;

	for (size_t i = from; i < n; i++) {
		int32_t id;

		node = rm_trie_next(&m->trie, node, word[i]);
		if (node == 0)
			break;
		id = m->trie.node[node].id;
		if (id < 0)
			continue;
		offer(&best[i + 1], m->score[id] + score, from, id);
		single |= i + 1 == from + len;
	}
	if (single)
		return 0;
	if (m->unk_id < 0)
		return rm_fail("a character has no token, and there is no "
			       "unk_id");
	offer(&best[from + len], m->unk_score + score, from, m->unk_id);
	return 0;
}

/*
 * Unknown text that goes on for several characters is one piece: a token if
 * the vocab has it, else its bytes if they all have tokens, else unknown.
 */
static int push_unknown(const struct unigram *m, struct rm_encoding *e,
			const unsigned char *text, size_t n, size_t end)
{
	int32_t id = rm_vocab_find(m->vocab, (const char *)text, n);
	bool all = m->byte_fallback;

	for (size_t i = 0; all && i < n; i++)
		all = m->byte_id[text[i]] >= 0;
	if (id >= 0 && (size_t)id >= m->n_ids)
		id = -1;
	if (rm_encoding_need(e, n) < 0)
		return -1;
	if (id < 0 && all) {
		for (size_t i = 0; i < n; i++)
			rm_encoding_push(e, m->byte_id[text[i]],
					 end - n + i + 1);
		return 0;
	}
	rm_encoding_push(e, id >= 0 ? id : m->unk_id, end);
	return 0;
}

/* Turn the links of the best way round: each then leads to the next end. */
static void reverse(struct best *best, size_t n)
{
	size_t end = n, from = best[n].from;
	int32_t id = best[n].id;

	for (;;) {
		struct best link = best[from];

		best[from].from = (uint32_t)end;
		best[from].id = id;
		if (from == 0)
			break;
		end = from;
		from = link.from;
		id = link.id;
	}
}

static int push_way(const struct unigram *m, struct rm_encoding *e,
		    const struct best *best, const unsigned char *word,
		    size_t n, size_t at)
{
	size_t from = 0;

	while (from < n) {
		size_t end = best[from].from;

		if (best[from].id != m->unk_id) {
			if (rm_encoding_need(e, 1) < 0)
				return -1;
			rm_encoding_push(e, best[from].id, at + end);
		} else {
			while (end < n && best[end].id == m->unk_id)
				end = best[end].from;
			if (push_unknown(m, e, word + from, end - from,
					 at + end) < 0)
				return -1;
		}
		from = end;
	}
	return 0;
}

static int unigram_encode(const void *model, struct rm_scratch *scratch,
			  struct rm_encoding *e, const unsigned char *word,
			  size_t n, size_t at)
{
	const struct unigram *m = model;
	struct scratch *s = scratch->model;
	size_t len;

	if (n >= UINT32_MAX)
		return rm_fail("a word of %zu bytes is too long", n);
	if (!s) {
		s = scratch->model = rm_calloc(1, sizeof(*s));
		if (!s)
			return -1;
	}
	if (rm_grow(&s->best, &s->cap, n + 1, sizeof(*s->best)) < 0)
		return -1;
	for (size_t i = 0; i <= n; i++)
		s->best[i] = (struct best){ 0, 0, -1 };
	for (size_t i = 0; i < n; i += len) {
		rm_char_at(word + i, word + n, &len);
		if (offer_all(m, s->best, word, n, i, len) < 0)
			return -1;
	}
	reverse(s->best, n);
	return push_way(m, e, s->best, word, n, at);
}

static void scratch_free(void *arg)
{
	struct scratch *s = arg;

	if (s)
		free(s->best);
	free(s);
}

const struct rm_tokenizer_kind rm_tokenizer_unigram = {
	.type = "Unigram",
	.load = unigram_load,
	.encode = unigram_encode,
	.scratch_free = scratch_free,
	.free = unigram_free
};
