/*
 * Loading a byte-level BPE from the model of a tokenizer.json.
 */
#include "tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

static int load_vocab(struct rm_vocab *vocab, const json_t *json)
{
	const char *token;
	json_t *id;

	if (!json_is_object(json))
		return rm_fail("no object \"vocab\"");
	if (rm_vocab_reserve(vocab, json_object_size(json)) < 0)
		return -1;
	json_object_foreach((json_t *)json, token, id) {
		if (!json_is_integer(id))
			return rm_fail("vocab: the id of \"%s\" is not a "
				       "whole number", token);
		if (rm_vocab_add(vocab, token, strlen(token),
				 json_integer_value(id)) < 0)
			return rm_wrap("vocab");
	}
	return 0;
}

static int load_lengths(struct rm_bpe *m)
{
	unsigned char byte;

	m->n_ids = m->vocab->n;
	m->len = rm_calloc(m->n_ids, sizeof(*m->len));
	if (!m->len)
		return -1;
	for (size_t i = 0; i < 256; i++)
		m->byte_id[i] = -1;
	for (size_t id = 0; id < m->n_ids; id++) {
		const char *token = rm_vocab_token(m->vocab, id);
		ptrdiff_t n = token ? rm_token_bytes(token, &byte, 1) : -1;

		if (n > 0)
			m->len[id] = (uint32_t)n;
		m->longest = RM_MAX(m->longest, m->len[id]);
		if (n == 1)
			m->byte_id[byte] = (int32_t)id;
	}
	for (size_t i = 0; i < 256; i++)
		if (m->byte_id[i] < 0)
			return rm_fail("vocab: no token for byte 0x%02zx, "
				       "and unknown tokens are not supported "
				       "yet", i);
	return 0;
}

static unsigned end_byte(const struct rm_bpe *m, int32_t id, bool last)
{
	const char *token = rm_vocab_token(m->vocab, (size_t)id);
	unsigned char byte = 0;

	if (last) {
		token += strlen(token) - 1;
		if ((*token & 0xc0) == 0x80)
			token--;
	}
	rm_token_bytes(token, &byte, 1);
	return byte;
}

/* Left and right of a merge, written as "left right" or [left, right]. */
static int split_merge(const json_t *json, struct rm_slice part[2])
{
	const char *space;

	if (json_is_array(json) && json_array_size(json) == 2) {
		for (size_t i = 0; i < 2; i++) {
			const json_t *s = json_array_get(json, i);

			if (!json_is_string(s))
				return rm_fail("not two strings");
			part[i].data = (const void *)json_string_value(s);
			part[i].len = json_string_length(s);
		}
		return 0;
	}
	if (!json_is_string(json))
		return rm_fail("neither a string nor two strings");
	part[0].data = (const void *)json_string_value(json);
	space = strchr((const char *)part[0].data, ' ');
	if (!space || strchr(space + 1, ' '))
		return rm_fail("\"%s\" is not two tokens and one space",
			       (const char *)part[0].data);
	part[0].len = (size_t)(space - (const char *)part[0].data);
	part[1].data = (const void *)(space + 1);
	part[1].len = json_string_length(json) - part[0].len - 1;
	return 0;
}

static int find_token(const struct rm_bpe *m, struct rm_slice text)
{
	int32_t id = rm_vocab_find(m->vocab, (const char *)text.data,
				   text.len);

	if (id < 0)
		return rm_fail("token \"%.*s\" is not in the vocab",
			       (int)RM_MIN(text.len, 200),
			       (const char *)text.data);
	if (m->len[id] == 0)
		return rm_fail("token \"%s\" is not byte-level text",
			       rm_vocab_token(m->vocab, (size_t)id));
	return id;
}

static int load_merge(struct rm_bpe *m, const json_t *json, size_t rank,
		      struct rm_buf *joined)
{
	struct rm_slice part[2] = {{0}}, both;
	int32_t left, right, id;
	struct rm_bpe_merge *slot;
	unsigned bit;

	if (split_merge(json, part) < 0)
		return -1;
	rm_buf_clear(joined);
	rm_buf_append(joined, part[0].data, part[0].len);
	rm_buf_append(joined, part[1].data, part[1].len);
	if (joined->failed)
		return -1;
	both = (struct rm_slice){ joined->data, joined->len };
	left = find_token(m, part[0]);
	right = left < 0 ? -1 : find_token(m, part[1]);
	id = right < 0 ? -1 : find_token(m, both);
	if (id < 0)
		return -1;
	bit = end_byte(m, left, true) << 8 | end_byte(m, right, false);
	m->joint[bit / 64] |= (uint64_t)1 << bit % 64;
	slot = rm_bpe_find(m, left, right);
	slot->pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	slot->rank = (uint32_t)rank;	/* the last of equal merges counts */
	slot->id = id;
	return 0;
}

static int load_merges(struct rm_bpe *m, const json_t *json)
{
	struct rm_buf joined = {0};
	int err = 0;

	if (!json_is_array(json))
		return rm_fail("no array \"merges\"");
	m->n_merges = json_array_size(json);
	for (m->n_slots = 64, m->shift = 58; m->n_slots < m->n_merges * 2;
	     m->n_slots *= 2)
		m->shift--;
	m->merge = rm_malloc(m->n_slots, sizeof(*m->merge));
	if (!m->merge)
		return -1;
	memset(m->merge, 0xff, m->n_slots * sizeof(*m->merge));
	for (size_t i = 0; i < m->n_merges && err == 0; i++) {
		err = load_merge(m, json_array_get(json, i), i, &joined);
		if (err < 0)
			rm_wrap("merges: %zu", i);
	}
	rm_buf_fini(&joined);
	return err;
}

/* What would change the ids and is not built: null, false, 0 and "" pass. */
static int refuse(const json_t *json, const char *key)
{
	const json_t *v = json_object_get(json, key);

	if (!v || json_is_null(v) || json_is_false(v) ||
	    (json_is_number(v) && json_number_value(v) == 0) ||
	    (json_is_string(v) && json_string_length(v) == 0))
		return 0;
	return rm_fail("%s is not supported yet", key);
}

/*
 * Merges stand in the order of their ranks, as pairs whatever the file has.
 * unk_token, fuse_unk and byte_fallback decide nothing: all bytes are known.
 */
static int print_canonical(const struct rm_bpe *m, struct rm_buf *out)
{
	uint64_t *pair = rm_malloc(m->n_merges, sizeof(*pair));
	const char *sep = "";

	if (!pair)
		return -1;
	memset(pair, 0xff, m->n_merges * sizeof(*pair));
	for (size_t i = 0; i < m->n_slots; i++)
		if (m->merge[i].pair != UINT64_MAX)
			pair[m->merge[i].rank] = m->merge[i].pair;
	rm_buf_printf(out, "{\"ignore_merges\":%s,\"merges\":[",
		      m->ignore_merges ? "true" : "false");
	for (size_t i = 0; i < m->n_merges; i++) {
		if (pair[i] == UINT64_MAX)
			continue;
		rm_buf_printf(out, "%s[%u,%u]", sep,
			      (unsigned)(pair[i] >> 32), (unsigned)pair[i]);
		sep = ",";
	}
	free(pair);
	rm_buf_puts(out, "],\"type\":\"BPE\",\"vocab\":[");
	sep = "";
	for (size_t id = 0; id < m->n_ids; id++) {
		const char *token = rm_vocab_token(m->vocab, id);

		rm_buf_puts(out, sep);
		if (token)
			rm_json_quote(out, token, strlen(token));
		else
			rm_buf_puts(out, "null");
		sep = ",";
	}
	rm_buf_puts(out, "]}");
	return out->failed ? -1 : 0;
}

static void bpe_free(void *model)
{
	struct rm_bpe *m = model;

	if (!m)
		return;
	free(m->len);
	free(m->merge);
	free(m);
}

static void *bpe_load(const json_t *json, const struct rm_split *split,
		      struct rm_vocab *vocab, struct rm_buf *canonical)
{
	struct rm_bpe *m;

	if (!split->byte_level)
		return rm_fail_null("BPE without the ByteLevel pre_tokenizer "
				    "is not supported yet");
	m = rm_calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->vocab = vocab;
	if (refuse(json, "dropout") < 0 ||
	    refuse(json, "continuing_subword_prefix") < 0 ||
	    refuse(json, "end_of_word_suffix") < 0 ||
	    rm_opt_bool(json, "ignore_merges", false,
			&m->ignore_merges) < 0 ||
	    load_vocab(vocab, json_object_get(json, "vocab")) < 0 ||
	    load_lengths(m) < 0 ||
	    load_merges(m, json_object_get(json, "merges")) < 0 ||
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
