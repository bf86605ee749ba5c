/* Loading a BPE from the model of a tokenizer.json. */
#include "tokenizer/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t rm_bpe_token(const struct rm_bpe *m, const char *text, size_t n)
{
	int32_t id = rm_vocab_find(m->vocab, text, n);

	return id >= 0 && (size_t)id < m->n_ids && m->len[id] ? id : -1;
}

/*
 * Whether every byte that UTF-8 has has its token, and so words can be raw
 * bytes.
 */
static int load_byte_tokens(struct rm_bpe *m)
{
	unsigned char byte;
	bool all = true;

	for (size_t i = 0; i < 256; i++)
		m->byte_id[i] = -1;
	for (size_t id = 0; id < m->n_ids; id++) {
		const char *token = rm_vocab_token(m->vocab, id);
		ptrdiff_t n = token ? rm_token_bytes(token, &byte, 1) : -1;

		m->len[id] = n > 0 ? (uint32_t)n : 0;
		if (n == 1)
			m->byte_id[byte] = (int32_t)id;
	}
	for (size_t i = 0; i < 0xf5; i++)
		all &= m->byte_id[i] >= 0 || i == 0xc0 || i == 0xc1;
	return all;
}

static void load_char_tokens(struct rm_bpe *m)
{
	for (size_t id = 0; id < m->n_ids; id++) {
		const char *token = rm_vocab_token(m->vocab, id);

		m->len[id] = token ? (uint32_t)strlen(token) : 0;
	}
	m->all = m->byte_fallback;
	for (unsigned i = 0; i < 256; i++) {
		char text[8];

		snprintf(text, sizeof(text), "<0x%02X>", i);
		m->byte_id[i] = rm_bpe_token(m, text, 6);
		m->all &= m->byte_id[i] >= 0;
	}
	for (unsigned i = 0; i < 128; i++) {
		char c = (char)i;

		m->ascii_id[i] = rm_bpe_token(m, &c, 1);
	}
}

/* `bytes` comes in true if they might be. */
static int load_tokens(struct rm_bpe *m, bool *bytes)
{
	m->n_ids = m->vocab->n;
	m->len = rm_calloc(m->n_ids, sizeof(*m->len));
	if (!m->len)
		return -1;
	*bytes = *bytes && !m->prefix && !m->suffix && load_byte_tokens(m);
	m->bytes = *bytes;
	m->all = *bytes;
	if (!*bytes)
		load_char_tokens(m);
	for (size_t id = 0; id < m->n_ids; id++)
		m->longest = RM_MAX(m->longest, m->len[id]);
	m->unk_id = m->unk_token ? rm_bpe_token(m, m->unk_token,
						strlen(m->unk_token)) : -1;
	m->cuts = !m->prefix && !m->suffix;
	return 0;
}

/* ---- merges ---- */

/* The token's first or last symbol. */
static uint32_t end_symbol(const struct rm_bpe *m, int32_t id, bool last)
{
	const char *token = rm_vocab_token(m->vocab, (size_t)id);
	const char *end = token + strlen(token), *p = token;
	unsigned char byte = 0;
	size_t n;

	if (last) {
		p = end - 1;
		while (p > token && (*p & 0xc0) == 0x80)
			p--;
	}
	if (!m->bytes)
		return rm_char_at((const unsigned char *)p,
				  (const unsigned char *)end, &n);
	rm_token_bytes(p, &byte, 1);
	return byte;
}

static bool is_byte_token(const struct rm_bpe *m, int32_t id)
{
	const char *t = rm_vocab_token(m->vocab, (size_t)id);

	return !m->bytes && m->byte_fallback && strlen(t) == 6 &&
	       memcmp(t, "<0x", 3) == 0 && t[5] == '>';
}

static int find_token(const struct rm_bpe *m, struct rm_slice text)
{
	int32_t id = rm_bpe_token(m, (const char *)text.data, text.len);

	if (id >= 0)
		return id;
	if (rm_vocab_find(m->vocab, (const char *)text.data, text.len) < 0)
		return rm_fail("token \"%.*s\" is not in the vocab",
			       (int)RM_MIN(text.len, 200),
			       (const char *)text.data);
	return rm_fail("token \"%.*s\" is not byte-level text",
		       (int)RM_MIN(text.len, 200), (const char *)text.data);
}

/* Merges mostly stand in the order of the tokens that they make. */
static int find_joined(struct rm_bpe *m, const struct rm_buf *joined)
{
	size_t guess = m->last_id + 1;
	int32_t id;

	if (guess < m->n_ids && m->len[guess]) {
		const char *token = rm_vocab_token(m->vocab, guess);

		if (strncmp(token, (const char *)joined->data,
			    joined->len) == 0 && !token[joined->len]) {
			m->last_id = guess;
			return (int)guess;
		}
	}
	id = find_token(m, (struct rm_slice){ joined->data, joined->len });
	if (id >= 0)
		m->last_id = (size_t)id;
	return id;
}

static int add_merge(struct rm_bpe *m, struct rm_slice left,
		     struct rm_slice right, struct rm_buf *joined)
{
	size_t prefix = m->prefix ? strlen(m->prefix) : 0, bit;
	int32_t x = find_token(m, left), y = x < 0 ? -1 :
		    find_token(m, right), id;
	struct rm_bpe_merge *slot;

	if (y < 0)
		return -1;
	if (right.len < prefix)
		return rm_fail("token \"%.*s\" lacks the prefix",
			       (int)right.len, (const char *)right.data);
	rm_buf_clear(joined);
	rm_buf_append(joined, left.data, left.len);
	rm_buf_append(joined, right.data + prefix, right.len - prefix);
	if (joined->failed)
		return -1;
	id = find_joined(m, joined);
	if (id < 0)
		return -1;
	if (is_byte_token(m, x) || is_byte_token(m, y) || x == m->unk_id ||
	    y == m->unk_id)
		m->cuts = false;
	bit = rm_bpe_joint(m->bytes, end_symbol(m, x, true),
			   end_symbol(m, y, false));
	m->joint[bit / 64] |= (uint64_t)1 << bit % 64;
	slot = rm_bpe_find(m, x, y);
	slot->pair = (uint64_t)(uint32_t)x << 32 | (uint32_t)y;
	slot->rank = (uint32_t)m->n_merges++;	/* the last of equals counts */
	slot->id = id;
	return 0;
}

/* "left right" */
static int add_old_merge(struct rm_bpe *m, struct rm_slice text,
			 struct rm_buf *joined)
{
	const unsigned char *space = memchr(text.data, ' ', text.len);
	struct rm_slice left = { text.data, 0 }, right;

	if (space) {
		left.len = (size_t)(space - text.data);
		right.data = space + 1;
		right.len = text.len - left.len - 1;
	}
	if (!space || memchr(right.data, ' ', right.len))
		return rm_fail("\"%.*s\" is not two tokens and one space",
			       (int)RM_MIN(text.len, 200),
			       (const char *)text.data);
	return add_merge(m, left, right, joined);
}

/* ["left", "right"]; the first is kept in `copy` while the next is read. */
static int read_pair(struct rm_bpe *m, struct rm_json_reader *r,
		     struct rm_buf *copy, struct rm_buf *joined)
{
	struct rm_slice left, right;

	if (rm_json_enter(r, '[') < 0 || rm_json_more(r, ']') <= 0 ||
	    rm_json_string(r, &left) < 0)
		return rm_fail("not two strings");
	rm_buf_clear(copy);
	rm_buf_append(copy, left.data, left.len);
	if (rm_json_more(r, ']') <= 0 || rm_json_string(r, &right) < 0 ||
	    rm_json_more(r, ']') != 0)
		return rm_fail("not two strings");
	if (copy->failed)
		return -1;
	left = (struct rm_slice){ copy->data, copy->len };
	return add_merge(m, left, right, joined);
}

static int read_merge(struct rm_bpe *m, struct rm_json_reader *r,
		      struct rm_buf *copy, struct rm_buf *joined)
{
	struct rm_slice text;
	int c = rm_json_peek(r);

	if (c == '[')
		return read_pair(m, r, copy, joined);
	if (c != '"')
		return rm_fail("neither a string nor two strings");
	if (rm_json_string(r, &text) < 0)
		return -1;
	/* What vocab.json's companion merges.txt begins with. */
	if (text.len >= 8 && memcmp(text.data, "#version", 8) == 0)
		return 0;
	return add_old_merge(m, text, joined);
}

static int reserve_merges(struct rm_bpe *m, size_t n)
{
	size_t joints = m->bytes ? 65536 : RM_BPE_JOINTS;

	if (n > RM_MAX_IDS)
		return rm_fail("%zu merges are too many", n);
	for (m->n_slots = 64, m->shift = 58; m->n_slots < 2 * n;
	     m->n_slots *= 2)
		m->shift--;
	m->merge = rm_malloc(m->n_slots, sizeof(*m->merge));
	m->joint = rm_calloc(joints / 64, sizeof(*m->joint));
	if (!m->merge || !m->joint)
		return -1;
	memset(m->merge, 0xff, m->n_slots * sizeof(*m->merge));
	return 0;
}

static int count_merges(struct rm_slice json, size_t *n)
{
	struct rm_json_reader r;
	struct rm_slice value;
	int more = 0, err;

	*n = 0;
	rm_json_reader_init(&r, json);
	err = rm_json_enter(&r, '[');
	while (err == 0 && (more = rm_json_more(&r, ']')) > 0) {
		err = rm_json_skip(&r, &value);
		++*n;
	}
	rm_json_reader_fini(&r);
	return err < 0 || more < 0 ? -1 : 0;
}

static int load_merges(struct rm_bpe *m, struct rm_slice json)
{
	struct rm_buf copy = {0}, joined = {0};
	struct rm_json_reader r;
	size_t i = 0, n;
	int more = 0, err;

	rm_json_reader_init(&r, json);
	if (!json.data || rm_json_peek(&r) != '[')
		return rm_fail("no array \"merges\"");
	if (count_merges(json, &n) < 0 || reserve_merges(m, n) < 0)
		return -1;
	err = rm_json_enter(&r, '[');
	while (err == 0 && (more = rm_json_more(&r, ']')) > 0) {
		err = read_merge(m, &r, &copy, &joined);
		if (err < 0)
			rm_wrap("merges: %zu", i);
		i++;
	}
	rm_buf_fini(&copy);
	rm_buf_fini(&joined);
	rm_json_reader_fini(&r);
	return err < 0 || more < 0 ? -1 : 0;
}

/* ---- the model ---- */

static void put_number(struct rm_buf *out, uint32_t x)
{
	char text[10];
	size_t n = sizeof(text);

	do
		text[--n] = (char)('0' + x % 10);
	while (x /= 10);
	rm_buf_append(out, text + n, sizeof(text) - n);
}

static void print_options(const struct rm_bpe *m, struct rm_buf *out)
{
	const char *const names[] = {
		"continuing_subword_prefix", "end_of_word_suffix", "unk_token"
	};
	const char *const values[] = { m->prefix, m->suffix, m->unk_token };

	rm_buf_printf(out, "\"byte_fallback\":%s,\"fuse_unk\":%s",
		      m->byte_fallback ? "true" : "false",
		      m->fuse_unk ? "true" : "false");
	for (size_t i = 0; i < RM_COUNT(names); i++) {
		if (!values[i])
			continue;
		rm_buf_printf(out, ",\"%s\":", names[i]);
		rm_json_quote(out, values[i], strlen(values[i]));
	}
	rm_buf_putc(out, ',');
}

/*
 * Merges stand in the order of their ranks, as pairs whatever the file has.
 * Where all bytes are known, what becomes of others decides nothing.
 */
static int print_canonical(const struct rm_bpe *m, struct rm_buf *out)
{
	uint64_t *pair = rm_malloc(m->n_merges, sizeof(*pair));
	const char *sep = "[";

	if (!pair)
		return -1;
	memset(pair, 0xff, m->n_merges * sizeof(*pair));
	for (size_t i = 0; i < m->n_slots; i++)
		if (m->merge[i].pair != UINT64_MAX)
			pair[m->merge[i].rank] = m->merge[i].pair;
	rm_buf_putc(out, '{');
	if (!m->bytes)
		print_options(m, out);
	rm_buf_printf(out, "\"ignore_merges\":%s,\"merges\":[",
		      m->ignore_merges ? "true" : "false");
	for (size_t i = 0; i < m->n_merges; i++) {
		if (pair[i] == UINT64_MAX)
			continue;
		rm_buf_puts(out, sep);
		put_number(out, (uint32_t)(pair[i] >> 32));
		rm_buf_putc(out, ',');
		put_number(out, (uint32_t)pair[i]);
		rm_buf_putc(out, ']');
		sep = ",[";
	}
	free(pair);
	rm_buf_puts(out, "],\"type\":\"BPE\",\"vocab\":");
	rm_vocab_print(m->vocab, m->n_ids, out);
	rm_buf_putc(out, '}');
	return out->failed ? -1 : 0;
}

static void bpe_free(void *model)
{
	struct rm_bpe *m = model;

	if (!m)
		return;
	free(m->len);
	free(m->merge);
	free(m->joint);
	free(m->unk_token);
	free(m->prefix);
	free(m->suffix);
	free(m);
}

/* A text, NULL where there is none; an empty one is none too. */
static int get_text(const json_t *json, const char *key, char **out)
{
	const json_t *v = json_object_get(json, key);

	if (!v || json_is_null(v) || (json_is_string(v) &&
				      json_string_length(v) == 0))
		return 0;
	if (!json_is_string(v))
		return rm_fail("%s is not a string", key);
	*out = rm_strdup(json_string_value(v));
	return *out ? 0 : -1;
}

static int load_options(struct rm_bpe *m, const json_t *json)
{
	const json_t *dropout = json_object_get(json, "dropout");

	if (dropout && !json_is_null(dropout) &&
	    (!json_is_number(dropout) || json_number_value(dropout) != 0))
		return rm_fail("dropout is not supported yet");
	if (get_text(json, "unk_token", &m->unk_token) < 0 ||
	    get_text(json, "continuing_subword_prefix", &m->prefix) < 0 ||
	    get_text(json, "end_of_word_suffix", &m->suffix) < 0 ||
	    rm_opt_bool(json, "fuse_unk", false, &m->fuse_unk) < 0 ||
	    rm_opt_bool(json, "byte_fallback", false,
			&m->byte_fallback) < 0 ||
	    rm_opt_bool(json, "ignore_merges", false, &m->ignore_merges) < 0)
		return -1;
	return 0;
}

static void *bpe_load(const struct rm_model_json *json, bool *bytes,
		      struct rm_vocab *vocab, struct rm_buf *canonical)
{
	struct rm_bpe *m = rm_calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->vocab = vocab;
	if (load_options(m, json->json) < 0 ||
	    rm_vocab_load(vocab, json->vocab) < 0 ||
	    load_tokens(m, bytes) < 0 ||
	    load_merges(m, json->merges) < 0 ||
	    print_canonical(m, canonical) < 0) {
		bpe_free(m);
		return NULL;
	}
	return m;
}

const struct rm_tokenizer_kind rm_tokenizer_bpe = {
	.type = "BPE",
	.load = bpe_load,
	.encode = rm_bpe_encode,
	.scratch_free = rm_bpe_scratch_free,
	.free = bpe_free
};
