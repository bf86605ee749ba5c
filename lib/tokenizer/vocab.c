#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

static bool is_token(const struct rm_vocab *v, size_t id, const char *token,
		     size_t len)
{
	const char *text = (const char *)v->text.data + v->at[id];

	return v->text.data && v->at[id] + len < v->text.len && !text[len] &&
	       memcmp(text, token, len) == 0;
}

/* The slot that holds the token, or the free one where it belongs. */
static size_t find_slot(const struct rm_vocab *v, uint32_t hash,
			const char *token, size_t len)
{
	size_t i = hash & (v->n_slots - 1);

	while (v->slot[i].id && (v->slot[i].hash != hash ||
				 !is_token(v, v->slot[i].id - 1, token, len)))
		i = (i + 1) & (v->n_slots - 1);
	return i;
}

static uint32_t hash_of(const char *token, size_t len)
{
	return (uint32_t)rm_hash64(token, len);
}

static int rehash(struct rm_vocab *v, size_t n_slots)
{
	struct rm_vocab_slot *slot = rm_calloc(n_slots, sizeof(*slot));

	if (!slot)
		return -1;
	for (size_t i = 0; i < v->n_slots; i++) {
		size_t k = v->slot[i].hash & (n_slots - 1);

		if (!v->slot[i].id)
			continue;
		while (slot[k].id)
			k = (k + 1) & (n_slots - 1);
		slot[k] = v->slot[i];
	}
	free(v->slot);
	v->slot = slot;
	v->n_slots = n_slots;
	return 0;
}

int rm_vocab_reserve(struct rm_vocab *v, size_t count)
{
	size_t n_slots = RM_MAX(v->n_slots, 64);

	while (n_slots < count * 2)
		n_slots *= 2;
	return n_slots > v->n_slots ? rehash(v, n_slots) : 0;
}

static int grow_ids(struct rm_vocab *v, size_t n)
{
	if (rm_grow(&v->at, &v->cap, n, sizeof(*v->at)) < 0)
		return -1;
	while (v->n < n)
		v->at[v->n++] = SIZE_MAX;
	return 0;
}

int rm_vocab_add(struct rm_vocab *v, const char *token, size_t len,
		 json_int_t id)
{
	uint32_t hash = hash_of(token, len);
	int shown = (int)RM_MIN(len, 200);
	size_t i;

	if (id < 0 || id >= (json_int_t)RM_MAX_IDS)
		return rm_fail("token \"%.*s\": id %lld is not within "
			       "0..%zu", shown, token, (long long)id,
			       RM_MAX_IDS - 1);
	if (rm_vocab_token(v, (size_t)id))
		return rm_fail("tokens \"%s\" and \"%.*s\" have the same id "
			       "%lld", rm_vocab_token(v, (size_t)id), shown,
			       token, (long long)id);
	if (rm_vocab_reserve(v, v->count + 1) < 0)
		return -1;
	i = find_slot(v, hash, token, len);
	if (v->slot[i].id)
		return rm_fail("token \"%.*s\" has two ids, %u and %lld",
			       shown, token, v->slot[i].id - 1,
			       (long long)id);
	if ((size_t)id >= v->n && grow_ids(v, (size_t)id + 1) < 0)
		return -1;
	v->at[id] = v->text.len;
	rm_buf_append(&v->text, token, len);
	rm_buf_putc(&v->text, '\0');
	if (v->text.failed)
		return -1;
	v->slot[i] = (struct rm_vocab_slot){ hash, (uint32_t)id + 1 };
	v->count++;
	return 0;
}

int32_t rm_vocab_find(const struct rm_vocab *v, const char *token, size_t len)
{
	if (v->n_slots == 0)
		return -1;
	return (int32_t)v->slot[find_slot(v, hash_of(token, len), token,
					  len)].id - 1;
}

const char *rm_vocab_token(const struct rm_vocab *v, size_t id)
{
	if (id >= v->n || v->at[id] == SIZE_MAX)
		return NULL;
	return (const char *)v->text.data + v->at[id];
}

void rm_vocab_fini(struct rm_vocab *v)
{
	rm_buf_fini(&v->text);
	free(v->at);
	free(v->slot);
	*v = (struct rm_vocab){0};
}

int rm_vocab_load(struct rm_vocab *v, struct rm_slice json)
{
	struct rm_json_reader r;
	struct rm_slice token;
	json_int_t id;
	int more = 0, err;

	if (!json.data)
		return rm_fail("no object \"vocab\"");
	/* Some 20 bytes an entry: no rehashing of large ones. */
	if (rm_vocab_reserve(v, RM_MIN(json.len / 16, RM_MAX_IDS)) < 0)
		return -1;
	rm_json_reader_init(&r, json);
	if (rm_json_peek(&r) != '{')
		return rm_fail("no object \"vocab\"");
	err = rm_json_enter(&r, '{');
	while (err == 0 && (more = rm_json_more(&r, '}')) > 0) {
		err = rm_json_key(&r, &token);
		if (err == 0 && memchr(token.data, '\0', token.len))
			err = rm_fail("a token holds a NUL");
		if (err == 0 && rm_json_int(&r, &id) < 0)
			err = rm_wrap("the id of \"%.*s\"",
				      (int)RM_MIN(token.len, 200),
				      (const char *)token.data);
		if (err == 0)
			err = rm_vocab_add(v, (const char *)token.data,
					   token.len, id);
	}
	rm_json_reader_fini(&r);
	return err < 0 || more < 0 ? rm_wrap("vocab") : 0;
}

void rm_vocab_print(const struct rm_vocab *v, size_t n, struct rm_buf *out)
{
	rm_buf_putc(out, '[');
	for (size_t id = 0; id < n; id++) {
		const char *token = rm_vocab_token(v, id);

		if (id)
			rm_buf_putc(out, ',');
		if (token)
			rm_json_quote(out, token, strlen(token));
		else
			rm_buf_puts(out, "null");
	}
	rm_buf_putc(out, ']');
}
