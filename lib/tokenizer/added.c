/*
 * Added tokens: written in the text, they are taken out before it is cut
 * into words.  The leftmost wins, then the longest; lstrip and rstrip take
 * the white space beside a token into it.
 */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

/* Bounds the work at one place of the text. */
#define LONGEST 4096

int rm_opt_bool(const json_t *object, const char *key, bool otherwise,
		bool *out)
{
	const json_t *v = json_object_get(object, key);

	*out = v && !json_is_null(v) ? json_is_true(v) : otherwise;
	if (v && !json_is_null(v) && !json_is_boolean(v))
		return rm_fail("%s is not true or false", key);
	return 0;
}

int rm_get_bool(const json_t *object, const char *key, bool *out)
{
	if (!json_object_get(object, key))
		return rm_fail("no member \"%s\"", key);
	return rm_opt_bool(object, key, false, out);
}

static int by_text(const void *a, const void *b)
{
	const struct rm_added_token *x = a, *y = b;
	int order = memcmp(x->text, y->text, RM_MIN(x->len, y->len));

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int by_id(const void *a, const void *b)
{
	const struct rm_added_token *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Index the tokens with that flag, sorted by text, by their first byte. */
static int build_finder(const struct rm_added *a, struct rm_finder *f,
			bool normalized)
{
	uint32_t n = 0;

	f->only = -1;
	f->order = rm_malloc(a->n, sizeof(*f->order));
	if (!f->order)
		return -1;
	for (size_t i = 0; i < a->n; i++) {
		const struct rm_added_token *t = &a->token[i];
		unsigned char byte = (unsigned char)t->text[0];

		if (t->normalized != normalized)
			continue;
		f->second[(unsigned char)t->text[1]] = true;
		if (t->len == 1)
			memset(f->second, true, sizeof(f->second));
		f->only = n == 0 || f->only == byte ? byte : -2;
		f->order[n++] = (uint32_t)i;
		f->first[byte + 1] = n;
	}
	for (size_t b = 1; b <= 256; b++)
		f->first[b] = RM_MAX(f->first[b], f->first[b - 1]);
	return 0;
}

/* Byte d of the token that stands at place i of the finder's order. */
static int byte_at(const struct rm_added *a, const struct rm_finder *f,
		   uint32_t i, size_t d)
{
	const struct rm_added_token *t = &a->token[f->order[i]];

	return d < t->len ? (unsigned char)t->text[d] : -1;
}

/* The first place in [lo, hi) whose byte d is at least c. */
static uint32_t lower(const struct rm_added *a, const struct rm_finder *f,
		      uint32_t lo, uint32_t hi, size_t d, int c)
{
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (byte_at(a, f, mid, d) < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The longest token that begins at text[0], narrowing byte by byte. */
static const struct rm_added_token *longest(const struct rm_added *a,
					    const struct rm_finder *f,
					    const unsigned char *text,
					    size_t len)
{
	const struct rm_added_token *best = NULL;
	uint32_t lo = f->first[text[0]], hi = f->first[text[0] + 1];

	for (size_t d = 1; lo < hi; d++) {
		/* Those left share d bytes; the shortest stands first. */
		if (byte_at(a, f, lo, d) < 0)
			best = &a->token[f->order[lo]];
		if (d == len)
			break;
		lo = lower(a, f, lo, hi, d, text[d]);
		hi = lower(a, f, lo, hi, d, text[d] + 1);
	}
	return best;
}

const struct rm_added_token *rm_added_find(const struct rm_added *a,
					   const struct rm_finder *f,
					   const unsigned char *text,
					   size_t from, size_t len,
					   size_t *at)
{
	const struct rm_added_token *token;

	if (!f->order || f->first[256] == 0)
		return NULL;
	for (size_t i = from; i < len; i++) {
		if (f->only >= 0) {
			const unsigned char *p = memchr(text + i, f->only,
							len - i);
			if (!p)
				return NULL;
			i = (size_t)(p - text);
		} else if (f->first[text[i]] == f->first[text[i] + 1]) {
			continue;
		}
		if (i + 1 < len && !f->second[text[i + 1]])
			continue;
		token = longest(a, f, text + i, len - i);
		if (token) {
			*at = i;
			return token;
		}
	}
	return NULL;
}

static int load_flags(struct rm_added_token *t, const json_t *json)
{
	bool special = false;

	if (rm_get_bool(json, "single_word", &t->single_word) < 0 ||
	    rm_get_bool(json, "lstrip", &t->lstrip) < 0 ||
	    rm_get_bool(json, "rstrip", &t->rstrip) < 0 ||
	    rm_get_bool(json, "special", &special) < 0 ||
	    rm_opt_bool(json, "normalized", !special, &t->normalized) < 0)
		return -1;
	return 0;
}

/*
 * The id is that of the model's token of this text, else the next free one:
 * Transformers gives ids so, whatever the file says, and a file that says
 * otherwise is refused.
 */
static int load_id(struct rm_added_token *t, const json_t *json,
		   struct rm_vocab *vocab, size_t *next)
{
	const json_t *id = json_object_get(json, "id");
	int32_t known = rm_vocab_find(vocab, t->text, t->len);
	json_int_t expected = known >= 0 ? known : (json_int_t)*next;

	if (!json_is_integer(id))
		return rm_fail("no whole number \"id\"");
	if (json_integer_value(id) != expected)
		return rm_fail("id %lld where %lld is %s",
			       (long long)json_integer_value(id),
			       (long long)expected, known >= 0 ?
			       "the model's id of that token" : "the next");
	t->id = (int32_t)expected;
	if (known >= 0)
		return 0;
	*next += 1;
	return rm_vocab_add(vocab, t->text, t->len, expected);
}

static int load_token(struct rm_added_token *t, const json_t *json,
		      struct rm_vocab *vocab, size_t *next)
{
	const char *text;

	if (rm_json_get_string(json, "content", "token", &text) < 0)
		return -1;
	t->len = strlen(text);
	if (t->len == 0 || t->len > LONGEST ||
	    t->len != json_string_length(json_object_get(json, "content")))
		return rm_fail("\"content\" is empty, holds a NUL or is "
			       "longer than %d bytes", LONGEST);
	t->text = rm_strndup(text, t->len);
	if (!t->text)
		return -1;
	if (load_flags(t, json) < 0 || load_id(t, json, vocab, next) < 0)
		return rm_wrap("\"%s\"", t->text);
	return 0;
}

static void print_canonical(const struct rm_added *a,
			    struct rm_buf *canonical)
{
	rm_buf_putc(canonical, '[');
	for (size_t i = 0; i < a->n; i++) {
		const struct rm_added_token *t = &a->token[i];

		rm_buf_puts(canonical, i ? ",{\"content\":" :
			    "{\"content\":");
		rm_json_quote(canonical, t->text, t->len);
		rm_buf_printf(canonical, ",\"id\":%d,\"lstrip\":%s,"
			      "\"normalized\":%s,\"rstrip\":%s%s}", t->id,
			      t->lstrip ? "true" : "false",
			      t->normalized ? "true" : "false",
			      t->rstrip ? "true" : "false",
			      t->single_word ? ",\"single_word\":true" : "");
	}
	rm_buf_putc(canonical, ']');
}

static int check_twice(const struct rm_added *a)
{
	for (size_t i = 1; i < a->n; i++)
		if (a->token[i].id == a->token[i - 1].id)
			return rm_fail("\"%s\" stands twice",
				       a->token[i].text);
	return 0;
}

static int load_list(struct rm_added *a, const json_t *list,
		     struct rm_vocab *vocab)
{
	size_t next = vocab->count;

	if (list && !json_is_null(list) && !json_is_array(list))
		return rm_fail("not an array");
	a->token = rm_calloc(json_array_size(list), sizeof(*a->token));
	if (!a->token)
		return -1;
	for (; a->n < json_array_size(list); a->n++) {
		struct rm_added_token *t = &a->token[a->n];

		if (load_token(t, json_array_get(list, a->n), vocab,
			       &next) < 0) {
			free(t->text);
			return rm_wrap("token %zu", a->n);
		}
		a->any_rstrip |= t->rstrip;
	}
	return 0;
}

/* Tokens to find in normalized text are found as they look there. */
static int normalize_token(struct rm_added_token *t,
			   rm_normalize_fn *normalize, void *arg)
{
	struct rm_buf text = {0};
	int err = normalize(arg, t->text, t->len, &text);

	if (err == 0 && (text.len == 0 || text.len > LONGEST))
		err = rm_fail("\"%s\": normalized, it is empty or longer "
			      "than %d bytes", t->text, LONGEST);
	if (err == 0 && rm_buf_text(&text)) {
		free(t->text);
		t->text = (char *)text.data;
		t->len = text.len;
		return 0;
	}
	rm_buf_fini(&text);
	return -1;
}

/* As they are searched for, sorted; no two may be the same there. */
static int prepare(struct rm_added *a, rm_normalize_fn *normalize, void *arg)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->token[i].normalized &&
		    normalize_token(&a->token[i], normalize, arg) < 0)
			return -1;
	qsort(a->token, a->n, sizeof(*a->token), by_text);
	for (size_t i = 1; i < a->n; i++)
		if (by_text(&a->token[i - 1], &a->token[i]) == 0 &&
		    a->token[i - 1].normalized == a->token[i].normalized)
			return rm_fail("\"%s\" is two tokens",
				       a->token[i].text);
	return 0;
}

int rm_added_load(struct rm_added *a, const json_t *list,
		  struct rm_vocab *vocab, rm_normalize_fn *normalize,
		  void *arg, struct rm_buf *canonical)
{
	if (load_list(a, list, vocab) < 0)
		return rm_wrap("added_tokens");
	qsort(a->token, a->n, sizeof(*a->token), by_id);
	if (check_twice(a) < 0)
		return rm_wrap("added_tokens");
	print_canonical(a, canonical);
	if (prepare(a, normalize, arg) < 0)
		return rm_wrap("added_tokens");
	if (build_finder(a, &a->finder[0], false) < 0 ||
	    build_finder(a, &a->finder[1], true) < 0)
		return -1;
	return 0;
}

void rm_added_fini(struct rm_added *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->token[i].text);
	free(a->token);
	free(a->finder[0].order);
	free(a->finder[1].order);
	*a = (struct rm_added){0};
}
