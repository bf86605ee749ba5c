/*
 * Decoders: a list of tokens into text.  Each step of a decoder turns the
 * list into another one, whose texts stand in a buffer of their own; no step
 * makes more tokens than it gets, but for one out of none.
 */
#include "tokenizer/parts.h"
#include "tokenizer/regex.h"

#include <stdlib.h>
#include <string.h>

/* Bound what a file can claim, and what replacing may blow up to. */
#define MAX_STEPS 256
#define MAX_TEXT ((size_t)1 << 30)

struct work {
	struct rm_slice *in, *out;	/* [n + 1] */
	size_t n_in, n_out;
	/* Of the tokens: a step reads one and writes the other.  While it
	 * does, out[] has offsets (from NULL) in place of addresses. */
	struct rm_buf text[2];
	struct rm_buf scratch[2];
};

struct rm_decode_step {
	int (*run)(const struct rm_decode_step *s, struct work *w);
	char *find;		/* as the step means it; may be NULL */
	size_t n_find;
	struct rm_replace *replace;
	size_t start, stop;	/* Strip */
	bool flag;		/* WordPiece: cleanup; Metaspace: the first
				 * token keeps its spaces */
};

/* ---- tokens that come out ---- */

static void end_token(struct work *w)
{
	size_t done = 0;

	if (w->n_out) {
		const struct rm_slice *last = &w->out[w->n_out - 1];

		done = (size_t)((uintptr_t)last->data + last->len);
	}
	w->out[w->n_out++] = (struct rm_slice){
		(const unsigned char *)(uintptr_t)done,
		w->text[0].len - done
	};
}

static void put_token(struct work *w, const void *text, size_t len)
{
	rm_buf_append(&w->text[0], text, len);
	end_token(w);
}

/* What came out goes into the next step. */
static void turn(struct work *w)
{
	struct rm_slice *tokens = w->in;
	struct rm_buf text = w->text[1];

	for (size_t i = 0; i < w->n_out; i++)
		w->out[i].data = w->text[0].data +
				 (uintptr_t)w->out[i].data;
	w->in = w->out;
	w->n_in = w->n_out;
	w->out = tokens;
	w->n_out = 0;
	w->text[1] = w->text[0];
	w->text[0] = text;
	rm_buf_clear(&w->text[0]);
}

static int too_large(const struct rm_buf *text)
{
	return text->len <= MAX_TEXT ? 0 :
	       rm_fail("the text is larger than %zu MiB", MAX_TEXT >> 20);
}

static int replace(struct rm_buf *out, struct rm_slice in, const char *find,
		   size_t n_find, const char *put, size_t n_put)
{
	const unsigned char *p = in.data, *end = p + in.len, *at;

	while (p < end && (at = memmem(p, (size_t)(end - p), find,
				       n_find)) != NULL) {
		rm_buf_append(out, p, (size_t)(at - p));
		rm_buf_append(out, put, n_put);
		if (too_large(out) < 0)
			return -1;
		p = at + n_find;
	}
	rm_buf_append(out, p, (size_t)(end - p));
	return 0;
}

/* ---- ByteLevel ---- */

/* The bytes that a token stands for; its own if some stand for none. */
static void put_bytes(struct work *w, struct rm_slice token)
{
	struct rm_buf *copy = &w->scratch[0], *bytes = &w->scratch[1];
	ptrdiff_t n = -1;

	rm_buf_clear(copy);
	rm_buf_append(copy, token.data, token.len);
	if (!rm_buf_text(copy) || rm_buf_reserve(bytes, token.len) < 0)
		return;
	if (strlen((char *)copy->data) == token.len)
		n = rm_token_bytes((char *)copy->data,
				   bytes->data + bytes->len, token.len);
	if (n < 0)
		rm_buf_append(bytes, token.data, token.len);
	else
		bytes->len += (size_t)n;
}

static int run_byte_level(const struct rm_decode_step *s, struct work *w)
{
	(void)s;
	rm_buf_clear(&w->scratch[1]);
	for (size_t i = 0; i < w->n_in; i++)
		put_bytes(w, w->in[i]);
	rm_buf_append_utf8(&w->text[0], w->scratch[1].data,
			   w->scratch[1].len);
	end_token(w);
	return 0;
}

/* ---- WordPiece ---- */

/* One after another, each over the whole token. */
static const struct {
	const char *find, *put;
} tidy[] = {
	{ " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," },
	{ " ' ", "'" }, { " n't", "n't" }, { " 'm", "'m" },
	{ " do not", " don't" }, { " 's", "'s" }, { " 've", "'ve" },
	{ " 're", "'re" },
};

static int clean_up(struct work *w, struct rm_slice *token)
{
	size_t k = 0;

	for (size_t i = 0; i < RM_COUNT(tidy); i++) {
		size_t n = strlen(tidy[i].find);
		struct rm_buf *to = &w->scratch[k];

		if (!memmem(token->data, token->len, tidy[i].find, n))
			continue;
		rm_buf_clear(to);
		if (replace(to, *token, tidy[i].find, n, tidy[i].put,
			    strlen(tidy[i].put)) < 0)
			return -1;
		*token = (struct rm_slice){ to->data, to->len };
		k = !k;
	}
	return 0;
}

/* A space before each token but the first and those with the prefix. */
static int run_word_piece(const struct rm_decode_step *s, struct work *w)
{
	struct rm_buf word = {0};
	int err = 0;

	for (size_t i = 0; i < w->n_in && err == 0; i++) {
		struct rm_slice t = w->in[i];

		rm_buf_clear(&word);
		if (i && t.len >= s->n_find &&
		    memcmp(t.data, s->find, s->n_find) == 0) {
			t.data += s->n_find;
			t.len -= s->n_find;
		} else if (i) {
			rm_buf_putc(&word, ' ');
		}
		rm_buf_append(&word, t.data, t.len);
		t = (struct rm_slice){ word.data, word.len };
		if (s->flag && t.len)
			err = clean_up(w, &t);
		put_token(w, t.data, t.len);
	}
	if (word.failed)
		err = -1;
	rm_buf_fini(&word);
	return err;
}

/* ---- Metaspace, BPEDecoder, Replace ---- */

/* The first token loses its spaces, wherever they stand in it. */
static int run_metaspace(const struct rm_decode_step *s, struct work *w)
{
	for (size_t i = 0; i < w->n_in; i++) {
		if (replace(&w->text[0], w->in[i], s->find, s->n_find, " ",
			    i || s->flag ? 1 : 0) < 0)
			return -1;
		end_token(w);
	}
	return 0;
}

/* The suffix ends a word: it is a space, and nothing in the last token. */
static int run_bpe(const struct rm_decode_step *s, struct work *w)
{
	for (size_t i = 0; i < w->n_in; i++) {
		if (replace(&w->text[0], w->in[i], s->find, s->n_find, " ",
			    i + 1 < w->n_in ? 1 : 0) < 0)
			return -1;
		end_token(w);
	}
	return 0;
}

static int replace_matches(const struct rm_replace *r, struct rm_work *own,
			   struct rm_slice token, struct rm_buf *out)
{
	struct rm_matches m = {
		.step = &r->find, .w = own, .text = token.data,
		.n = token.len
	};
	size_t done = 0;
	int got;

	while ((got = rm_matches_next(&m)) > 0) {
		rm_buf_append(out, token.data + done, m.start - done);
		rm_buf_append(out, r->content, r->len);
		if (too_large(out) < 0)
			return -1;
		done = m.end;
	}
	rm_buf_append(out, token.data + done, token.len - done);
	return got;
}

/* Nothing is found in an empty token, not even nothing. */
static int run_replace(const struct rm_decode_step *s, struct work *w)
{
	const struct rm_step *find = &s->replace->find;
	struct rm_work own = {0};
	int err = 0;

	for (size_t i = 0; i < w->n_in && err == 0; i++) {
		if (w->in[i].len)
			err = replace_matches(s->replace, &own, w->in[i],
					      &w->text[0]);
		end_token(w);
	}
	if (own.own)
		find->work_free(own.own);
	return err;
}

/* ---- ByteFallback ---- */

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of <0x41>, -1 for other tokens.  (Rust's parser of numbers takes
 * a plus sign too.) */
static int fallback_byte(struct rm_slice t)
{
	int high, low;

	if (t.len != 6 || memcmp(t.data, "<0x", 3) != 0 || t.data[5] != '>')
		return -1;
	high = t.data[3] == '+' ? 0 : hex_digit(t.data[3]);
	low = hex_digit(t.data[4]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* A run of bytes is one token if it is UTF-8, else U+FFFD a byte. */
static void put_run(struct work *w, const struct rm_buf *run)
{
	if (run->len == 0)
		return;
	if (rm_utf8_valid(run->data, run->len) == run->len) {
		put_token(w, run->data, run->len);
		return;
	}
	for (size_t i = 0; i < run->len; i++)
		put_token(w, "\xef\xbf\xbd", 3);
}

static int run_byte_fallback(const struct rm_decode_step *s, struct work *w)
{
	struct rm_buf *run = &w->scratch[0];

	(void)s;
	rm_buf_clear(run);
	for (size_t i = 0; i < w->n_in; i++) {
		int byte = fallback_byte(w->in[i]);

		if (byte >= 0) {
			rm_buf_putc(run, byte);
			continue;
		}
		put_run(w, run);
		rm_buf_clear(run);
		put_token(w, w->in[i].data, w->in[i].len);
	}
	put_run(w, run);
	return 0;
}

/* ---- Fuse, Strip ---- */

static int run_fuse(const struct rm_decode_step *s, struct work *w)
{
	(void)s;
	for (size_t i = 0; i < w->n_in; i++)
		rm_buf_append(&w->text[0], w->in[i].data, w->in[i].len);
	end_token(w);
	return 0;
}

/* At most `start` of the character from the front, `stop` from the end. */
static int run_strip(const struct rm_decode_step *s, struct work *w)
{
	for (size_t i = 0; i < w->n_in; i++) {
		struct rm_slice t = w->in[i];

		for (size_t k = 0; k < s->start && t.len >= s->n_find &&
		     memcmp(t.data, s->find, s->n_find) == 0; k++) {
			t.data += s->n_find;
			t.len -= s->n_find;
		}
		for (size_t k = 0; k < s->stop && t.len >= s->n_find &&
		     memcmp(t.data + t.len - s->n_find, s->find,
			    s->n_find) == 0; k++)
			t.len -= s->n_find;
		put_token(w, t.data, t.len);
	}
	return 0;
}

/* ---- loading ---- */

/* A string member as *text of *n bytes, at least `least` of them. */
static int get_text(const json_t *json, const char *key, size_t least,
		    char **text, size_t *n)
{
	const json_t *value = json_object_get(json, key);

	if (!json_is_string(value))
		return rm_fail("no string \"%s\"", key);
	*n = json_string_length(value);
	if (*n < least)
		return rm_fail("\"%s\" is empty", key);
	*text = rm_strndup(json_string_value(value), *n);
	return *text ? 0 : -1;
}

/* The same of one character. */
static int get_char(struct rm_decode_step *s, const json_t *json,
		    const char *key)
{
	if (get_text(json, key, 1, &s->find, &s->n_find) < 0)
		return -1;
	if (rm_utf8_count(s->find, s->n_find) != 1)
		return rm_fail("\"%s\" is not one character", key);
	return 0;
}

static int load_byte_level(struct rm_decode_step *s, const json_t *json)
{
	(void)json;
	s->run = run_byte_level;
	return 0;
}

static int load_word_piece(struct rm_decode_step *s, const json_t *json)
{
	s->run = run_word_piece;
	if (get_text(json, "prefix", 0, &s->find, &s->n_find) < 0)
		return -1;
	return rm_get_bool(json, "cleanup", &s->flag);
}

/* Older files have add_prefix_space in place of prepend_scheme. */
static int load_metaspace(struct rm_decode_step *s, const json_t *json)
{
	const char *scheme;
	bool space;

	s->run = run_metaspace;
	if (get_char(s, json, "replacement") < 0 ||
	    rm_opt_bool(json, "add_prefix_space", true, &space) < 0 ||
	    rm_json_opt_string(json, "prepend_scheme", "decoder",
			       space ? "always" : "never", &scheme) < 0)
		return -1;
	s->flag = strcmp(scheme, "never") == 0;
	if (!s->flag && strcmp(scheme, "always") != 0 &&
	    strcmp(scheme, "first") != 0)
		return rm_fail("prepend_scheme \"%s\" is not supported",
			       scheme);
	if (!space && !s->flag)
		return rm_fail("add_prefix_space false contradicts "
			       "prepend_scheme \"%s\"", scheme);
	return 0;
}

static int load_bpe(struct rm_decode_step *s, const json_t *json)
{
	s->run = run_bpe;
	return get_text(json, "suffix", 1, &s->find, &s->n_find);
}

static int load_byte_fallback(struct rm_decode_step *s, const json_t *json)
{
	(void)json;
	s->run = run_byte_fallback;
	return 0;
}

static int load_fuse(struct rm_decode_step *s, const json_t *json)
{
	(void)json;
	s->run = run_fuse;
	return 0;
}

static int load_strip(struct rm_decode_step *s, const json_t *json)
{
	s->run = run_strip;
	if (get_char(s, json, "content") < 0 ||
	    rm_json_get_size(json, "start", "decoder", &s->start) < 0)
		return -1;
	return rm_json_get_size(json, "stop", "decoder", &s->stop);
}

static int load_replace(struct rm_decode_step *s, const json_t *json)
{
	struct rm_buf canonical = {0};

	s->run = run_replace;
	s->replace = rm_replace_load(json, &canonical);
	rm_buf_fini(&canonical);
	return s->replace ? 0 : -1;
}

static const struct {
	const char *type;
	int (*load)(struct rm_decode_step *s, const json_t *json);
} kinds[] = {
	{ "ByteLevel", load_byte_level }, { "WordPiece", load_word_piece },
	{ "Metaspace", load_metaspace }, { "BPEDecoder", load_bpe },
	{ "ByteFallback", load_byte_fallback }, { "Fuse", load_fuse },
	{ "Strip", load_strip }, { "Replace", load_replace },
};

static struct rm_decode_step *add_step(struct rm_decoder *d)
{
	if (d->n == MAX_STEPS)
		return rm_fail_null("more than %d decoders", MAX_STEPS);
	if (rm_grow(&d->step, &d->cap, d->n + 1, sizeof(*d->step)) < 0)
		return NULL;
	d->step[d->n] = (struct rm_decode_step){0};
	return &d->step[d->n++];
}

static int load_one(struct rm_decoder *d, const json_t *json)
{
	struct rm_decode_step *s;
	const json_t *list;
	const char *type;

	if (rm_json_get_string(json, "type", "decoder", &type) < 0)
		return -1;
	if (strcmp(type, "Sequence") == 0) {
		list = json_object_get(json, "decoders");
		if (!json_is_array(list))
			return rm_fail("decoder Sequence: no list "
				       "\"decoders\"");
		for (size_t i = 0; i < json_array_size(list); i++)
			if (load_one(d, json_array_get(list, i)) < 0)
				return -1;
		return 0;
	}
	for (size_t i = 0; i < RM_COUNT(kinds); i++) {
		if (strcmp(kinds[i].type, type) != 0)
			continue;
		s = add_step(d);
		if (!s || kinds[i].load(s, json) < 0)
			return rm_wrap("decoder %s", type);
		return 0;
	}
	return rm_fail("decoder %s is not supported yet", type);
}

int rm_decoder_load(struct rm_decoder *d, const json_t *decoder,
		    bool byte_level)
{
	struct rm_decode_step *s;

	if (decoder && !json_is_null(decoder))
		return load_one(d, decoder);
	d->spaced = !byte_level;
	if (!byte_level)
		return 0;
	s = add_step(d);
	return s ? load_byte_level(s, NULL) : -1;
}

void rm_decoder_fini(struct rm_decoder *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->step[i].find);
		rm_replace_free(d->step[i].replace);
	}
	free(d->step);
	*d = (struct rm_decoder){0};
}

/* ---- running ---- */

static int run_steps(const struct rm_decoder *d, struct work *w)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->step[i].run(&d->step[i], w) < 0)
			return -1;
		if (w->text[0].failed || w->scratch[0].failed ||
		    w->scratch[1].failed)
			return -1;
		if (too_large(&w->text[0]) < 0)
			return -1;
		turn(w);
	}
	return 0;
}

int rm_decoder_run(const struct rm_decoder *d, struct rm_arena *arena,
		   const struct rm_slice *token, size_t n,
		   struct rm_buf *out)
{
	struct work w = {
		.in = rm_arena_alloc(arena, n + 1, sizeof(*w.in)),
		.out = rm_arena_alloc(arena, n + 1, sizeof(*w.out)),
		.n_in = n
	};
	int err = w.in && w.out && rm_buf_reserve(&w.text[0], 1) == 0 &&
		  rm_buf_reserve(&w.text[1], 1) == 0 ? 0 : -1;

	if (err == 0 && n)
		memcpy(w.in, token, n * sizeof(*token));
	if (err == 0)
		err = run_steps(d, &w);
	for (size_t i = 0; err == 0 && i < w.n_in; i++) {
		if (i && d->spaced)
			rm_buf_putc(out, ' ');
		rm_buf_append(out, w.in[i].data, w.in[i].len);
	}
	for (size_t i = 0; i < 2; i++) {
		rm_buf_fini(&w.text[i]);
		rm_buf_fini(&w.scratch[i]);
	}
	return err < 0 || out->failed ? -1 : 0;
}

/* ---- the text of a part ---- */

static bool is_of(const struct rm_special_run *run, int32_t id)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->id[i] == id)
			return true;
	return false;
}

static bool begins_text(const struct rm_tokenizer *t, int32_t before)
{
	const struct rm_post *p = rm_tokenizer_post(t);

	return before < 0 || is_of(&p->before, before) ||
	       is_of(&p->pair_before, before) ||
	       is_of(&p->pair_between, before);
}

/* What all of `ids` give beyond the first; 0 if that is not how their text
 * begins, as where a character is parted. */
static int decode_rest(const struct rm_tokenizer *t, const int32_t *ids,
		       size_t n, struct rm_buf *out)
{
	struct rm_buf first = {0}, all = {0};
	int got = -1;

	if (rm_tokenizer_decode(t, ids, 1, &first) == 0 &&
	    rm_tokenizer_decode(t, ids, n, &all) == 0)
		got = all.len >= first.len &&
		      (first.len == 0 ||
		       memcmp(all.data, first.data, first.len) == 0);
	if (got > 0)
		rm_buf_append(out, all.data + first.len,
			      all.len - first.len);
	rm_buf_fini(&first);
	rm_buf_fini(&all);
	return out->failed ? -1 : got;
}

int rm_tokenizer_decode_after(const struct rm_tokenizer *t, int32_t before,
			      const int32_t *ids, size_t n,
			      struct rm_buf *out)
{
	int32_t *all;
	int got;

	if (n == 0)
		return 0;
	if (begins_text(t, before))
		return rm_tokenizer_decode(t, ids, n, out);
	all = rm_malloc(n + 1, sizeof(*all));
	if (!all)
		return -1;
	all[0] = before;
	memcpy(all + 1, ids, n * sizeof(*all));
	got = decode_rest(t, all, n + 1, out);
	free(all);
	return got ? RM_MIN(got, 0) : rm_tokenizer_decode(t, ids, n, out);
}
