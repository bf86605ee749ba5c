#include "tokenizer.h"

#include "io.h"
#include "tokenizer/parts.h"
#include "tokenizer_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE ((size_t)256 << 20)

struct rm_tokenizer {
	struct rm_files files;
	struct rm_fingerprint fingerprint;
	struct rm_vocab vocab;
	struct rm_added added;
	struct rm_split split;
	const struct rm_tokenizer_kind *kind;
	void *model;
	struct rm_post post;
	struct rm_special special;
	struct rm_decoder decoder;
	uint64_t serial;	/* tells the scratch of one from another's */
};

/* What a thread keeps from text to text. */
struct scratch {
	uint64_t serial;
	const struct rm_tokenizer_kind *kind;
	void *model;
	struct rm_buf piece;	/* with a space before it */
};

/* ---- loading ---- */

/* Older files lack model.type; then the model's other members tell. */
static const char *model_type(const json_t *model)
{
	const json_t *type = json_object_get(model, "type");

	if (json_is_string(type))
		return json_string_value(type);
	if (json_object_get(model, "merges"))
		return "BPE";
	if (json_is_array(json_object_get(model, "vocab")))
		return "Unigram";
	if (json_object_get(model, "continuing_subword_prefix"))
		return "WordPiece";
	return "WordLevel";
}

static int load_model(struct rm_tokenizer *t, const json_t *json,
		      struct rm_buf *canonical)
{
	const char *type = model_type(json);

	if (!json_is_object(json))
		return rm_fail("no object \"model\"");
	for (size_t i = 0; rm_tokenizer_kinds[i]; i++)
		if (strcmp(rm_tokenizer_kinds[i]->type, type) == 0)
			t->kind = rm_tokenizer_kinds[i];
	if (!t->kind)
		return rm_fail("model %s is not supported yet", type);
	t->model = t->kind->load(json, &t->split, &t->vocab, canonical);
	return t->model ? 0 : rm_wrap("model %s", type);
}

/* The part must be absent, null or of one of these types. */
static int check_type(const json_t *json, const char *part,
		      const char *const *types)
{
	const json_t *value = json_object_get(json, part);
	const char *type;

	if (!value || json_is_null(value))
		return 0;
	if (rm_json_get_string(value, "type", part, &type) < 0)
		return -1;
	for (; *types; types++)
		if (strcmp(type, *types) == 0)
			return 0;
	return rm_fail("%s %s is not supported yet", part, type);
}

static int check_others(const json_t *json)
{
	static const char *const none[] = { NULL };
	const char *version;

	if (rm_json_opt_string(json, "version", "tokenizer", "1.0",
			       &version) < 0)
		return -1;
	if (strcmp(version, "1.0") != 0)
		return rm_fail("version %s is not supported", version);
	return check_type(json, "normalizer", none);
}

/*
 * What is not about the ids of a text: special tokens around it, and how ids
 * become text again.
 */
static int load_rest(struct rm_tokenizer *t, const json_t *json)
{
	const struct rm_file *file =
		rm_files_find(&t->files, "tokenizer_config.json");
	json_t *config = NULL;
	int err = 0;

	if (rm_post_load(&t->post, json_object_get(json, "post_processor"),
			 &t->vocab) < 0 ||
	    rm_decoder_load(&t->decoder, json_object_get(json, "decoder"),
			    t->split.byte_level) < 0)
		return -1;
	if (file) {
		config = rm_json_parse(file->data, file->len);
		err = config ? 0 : rm_wrap("tokenizer_config.json");
	}
	if (err == 0)
		err = rm_special_load(&t->special, json, config, &t->vocab);
	json_decref(config);
	return err;
}

/* The parts in the order in which each needs those before. */
static int load_parts(struct rm_tokenizer *t, const json_t *json,
		      struct rm_buf *split, struct rm_buf *model,
		      struct rm_buf *added)
{
	if (!json_is_object(json))
		return rm_fail("not a JSON object");
	if (check_others(json) < 0 ||
	    rm_split_load(&t->split, json_object_get(json, "pre_tokenizer"),
			  split) < 0 ||
	    load_model(t, json_object_get(json, "model"), model) < 0)
		return -1;
	if (rm_added_load(&t->added, json_object_get(json, "added_tokens"),
			  &t->vocab, added) < 0)
		return -1;
	return load_rest(t, json);
}

static int load_json(struct rm_tokenizer *t, const json_t *json)
{
	struct rm_buf split = {0}, model = {0}, added = {0}, all = {0};
	int err = load_parts(t, json, &split, &model, &added);

	if (err == 0) {
		rm_buf_puts(&all, "{\"added_tokens\":");
		rm_buf_append(&all, added.data, added.len);
		rm_buf_puts(&all, ",\"model\":");
		rm_buf_append(&all, model.data, model.len);
		rm_buf_puts(&all, ",\"normalizer\":null,"
			    "\"pre_tokenizer\":");
		rm_buf_append(&all, split.data, split.len);
		rm_buf_putc(&all, '}');
		t->fingerprint = rm_fingerprint(all.data, all.len);
		if (split.failed || model.failed || added.failed ||
		    all.failed)
			err = -1;
	}
	rm_buf_fini(&split);
	rm_buf_fini(&model);
	rm_buf_fini(&added);
	rm_buf_fini(&all);
	return err;
}

/* Takes the files, whatever comes of it. */
static struct rm_tokenizer *take_files(struct rm_files *files)
{
	static atomic_uint_fast64_t serial;
	const struct rm_file *file = rm_files_find(files, "tokenizer.json");
	struct rm_tokenizer *t = rm_calloc(1, sizeof(*t));
	json_t *json = NULL;
	int err = -1;

	if (!t) {
		rm_files_fini(files);
		return NULL;
	}
	t->files = *files;
	t->serial = atomic_fetch_add(&serial, 1) + 1;
	if (!file)
		rm_fail("no tokenizer.json");
	else
		json = rm_json_parse(file->data, file->len);
	if (json)
		err = load_json(t, json);
	json_decref(json);
	if (err < 0) {
		rm_tokenizer_free(t);
		return file ? rm_wrap("tokenizer.json"), NULL : NULL;
	}
	return t;
}

struct rm_tokenizer *rm_tokenizer_from_files(const struct rm_files *files)
{
	struct rm_files copy = {0};

	if (rm_files_copy(&copy, files) < 0) {
		rm_files_fini(&copy);
		return NULL;
	}
	return take_files(&copy);
}

struct rm_tokenizer *rm_tokenizer_bytes(void)
{
	struct rm_vocab vocab = {0};
	struct rm_buf json = {0};
	struct rm_files files = {0};
	int err = rm_byte_level_vocab(&vocab);

	if (err == 0)
		rm_byte_level_print(&json, &vocab, NULL, 0, false);
	rm_vocab_fini(&vocab);
	if (err == 0)
		err = json.failed ? -1 :
		      rm_files_add(&files, "tokenizer.json", json.data,
				   json.len);
	rm_buf_fini(&json);
	if (err < 0) {
		rm_files_fini(&files);
		return NULL;
	}
	return take_files(&files);
}

static int read_into(struct rm_files *files, const char *name,
		     const char *path)
{
	struct rm_buf data = {0};
	int err = rm_read_file(path, MAX_FILE, &data);

	if (err == 0)
		err = rm_files_add(files, name, data.data, data.len);
	rm_buf_fini(&data);
	return err;
}

/* tokenizer.json and what stands beside it. */
static int read_directory(struct rm_files *files, const char *path)
{
	static const char *const names[] = {
		"tokenizer.json", "tokenizer_config.json"
	};
	int err = 0;

	for (size_t i = 0; i < RM_COUNT(names) && err == 0; i++) {
		struct rm_buf full = {0};
		struct stat st;

		rm_buf_printf(&full, "%s/%s", path, names[i]);
		if (!rm_buf_text(&full))
			err = -1;
		else if (i == 0 || stat((char *)full.data, &st) == 0)
			err = read_into(files, names[i], (char *)full.data);
		rm_buf_fini(&full);
	}
	return err;
}

struct rm_tokenizer *rm_tokenizer_load(const char *path)
{
	struct rm_files files = {0};
	struct rm_tokenizer *t;
	struct stat st;
	int err;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		err = read_directory(&files, path);
	else
		err = read_into(&files, "tokenizer.json", path);
	if (err < 0) {
		rm_files_fini(&files);
		return NULL;
	}
	t = take_files(&files);
	if (!t)
		rm_wrap("%s", path);
	return t;
}

void rm_tokenizer_free(struct rm_tokenizer *t)
{
	if (!t)
		return;
	if (t->model)
		t->kind->free(t->model);
	rm_decoder_fini(&t->decoder);
	rm_added_fini(&t->added);
	rm_vocab_fini(&t->vocab);
	rm_files_fini(&t->files);
	free(t);
}

const struct rm_files *rm_tokenizer_files(const struct rm_tokenizer *t)
{
	return &t->files;
}

struct rm_fingerprint rm_tokenizer_fingerprint(const struct rm_tokenizer *t)
{
	return t->fingerprint;
}

const struct rm_post *rm_tokenizer_post(const struct rm_tokenizer *t)
{
	return &t->post;
}

const struct rm_special *rm_tokenizer_special(const struct rm_tokenizer *t)
{
	return &t->special;
}

size_t rm_tokenizer_size(const struct rm_tokenizer *t)
{
	return t->vocab.n;
}

const char *rm_tokenizer_token(const struct rm_tokenizer *t, int32_t id)
{
	return id < 0 ? NULL : rm_vocab_token(&t->vocab, (size_t)id);
}

int32_t rm_tokenizer_id(const struct rm_tokenizer *t, const char *token)
{
	return rm_vocab_find(&t->vocab, token, strlen(token));
}

/* ---- encoding ---- */

static void scratch_free(void *arg)
{
	struct scratch *s = arg;

	if (!s)
		return;
	if (s->model)
		s->kind->scratch_free(s->model);
	rm_buf_fini(&s->piece);
	free(s);
}

/* The encoding's scratch, made new if it was another tokenizer's. */
static struct scratch *scratch_of(const struct rm_tokenizer *t,
				  struct rm_encoding *e)
{
	struct scratch *s = e->scratch;

	if (s && s->serial == t->serial)
		return s;
	if (e->scratch_free)
		e->scratch_free(e->scratch);
	s = rm_calloc(1, sizeof(*s));
	e->scratch = s;
	e->scratch_free = s ? scratch_free : NULL;
	if (s) {
		s->serial = t->serial;
		s->kind = t->kind;
	}
	return s;
}

int rm_encoding_grow(struct rm_encoding *e, size_t more)
{
	if (rm_grow(&e->ids, &e->cap, e->n + more, sizeof(*e->ids)) < 0 ||
	    rm_grow(&e->ends, &e->ends_cap, e->n + more,
		    sizeof(*e->ends)) < 0)
		return -1;
	return 0;
}

void rm_encoding_fini(struct rm_encoding *e)
{
	free(e->ids);
	free(e->ends);
	if (e->scratch_free)
		e->scratch_free(e->scratch);
	*e = (struct rm_encoding){0};
}

static int encode_words(const struct rm_tokenizer *t, struct scratch *s,
			struct rm_encoding *e, const unsigned char *text,
			size_t len, size_t at)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = t->split.next(text + i, len - i);
		if (t->kind->encode(t->model, &s->model, e, text + i, n,
				    at + i) < 0)
			return -1;
	}
	return 0;
}

/* text[from..to) has no added tokens. */
static int encode_piece(const struct rm_tokenizer *t, struct scratch *s,
			struct rm_encoding *e, const unsigned char *text,
			size_t from, size_t to)
{
	if (from >= to)
		return 0;
	if (!t->split.add_prefix_space || text[from] == ' ')
		return encode_words(t, s, e, text + from, to - from, from);
	rm_buf_clear(&s->piece);
	rm_buf_putc(&s->piece, ' ');
	rm_buf_append(&s->piece, text + from, to - from);
	if (s->piece.failed)
		return -1;
	/* The space ends where the piece begins: one byte too early. */
	return encode_words(t, s, e, s->piece.data, s->piece.len, from - 1);
}

/* Bytes of white space that end at `at`, not before `from`. */
static size_t space_before(const unsigned char *text, size_t from, size_t at)
{
	size_t p = at, n;

	while (p > from) {
		size_t q = p - 1;

		while (q > from && (text[q] & 0xc0) == 0x80)
			q--;
		if (rm_class_at(text + q, text + p, &n) != RM_CLASS_SPACE)
			break;
		p = q;
	}
	return at - p;
}

static size_t space_after(const unsigned char *text, size_t at, size_t to)
{
	size_t p = at, n;

	while (p < to && rm_class_at(text + p, text + to, &n) ==
			 RM_CLASS_SPACE)
		p += n;
	return p - at;
}

/*
 * Take out the added tokens of one finder from text[from..to); what stands
 * between them goes to the next finder, and in the end to the words.  As in
 * the peer, rstrip does not move the place where the search goes on.
 */
static int encode_added(const struct rm_tokenizer *t, struct scratch *s,
			struct rm_encoding *e, const unsigned char *text,
			size_t from, size_t to, size_t finder)
{
	const struct rm_added_token *token;
	size_t done = from, at;

	if (finder == RM_COUNT(t->added.finder))
		return encode_piece(t, s, e, text, from, to);
	for (size_t look = from; (token = rm_added_find(&t->added,
			&t->added.finder[finder], text, look, to, &at)); ) {
		size_t end = at + token->len;

		look = end;
		if (token->lstrip && at > done)
			at -= space_before(text, done, at);
		if (token->rstrip)
			end += space_after(text, end, to);
		if (encode_added(t, s, e, text, done, at, finder + 1) < 0 ||
		    rm_encoding_need(e, 1) < 0)
			return -1;
		rm_encoding_push(e, token->id, end);
		done = end;
	}
	return encode_added(t, s, e, text, done, to, finder + 1);
}

int rm_tokenizer_encode(const struct rm_tokenizer *t, struct rm_encoding *e,
			const void *text, size_t len)
{
	struct scratch *s = scratch_of(t, e);

	e->n = 0;
	if (!s || encode_added(t, s, e, text, 0, len, 0) < 0)
		return -1;
	/* Tokens that share stripped white space would step back. */
	for (size_t i = 1; t->added.any_rstrip && i < e->n; i++)
		e->ends[i] = RM_MAX(e->ends[i], e->ends[i - 1]);
	return 0;
}

/* ---- decoding ---- */

int rm_tokenizer_decode(const struct rm_tokenizer *t, const int32_t *ids,
			size_t n, struct rm_buf *out)
{
	struct rm_arena arena = {0};
	struct rm_slice *token = rm_arena_alloc(&arena, n, sizeof(*token));
	int err = token ? 0 : -1;

	for (size_t i = 0; i < n && err == 0; i++) {
		const char *text = rm_tokenizer_token(t, ids[i]);

		if (!text)
			err = rm_fail("id %d is not of the tokenizer's %zu",
				      ids[i], t->vocab.n);
		else
			token[i] = (struct rm_slice){
				(const unsigned char *)text, strlen(text)
			};
	}
	if (err == 0)
		err = rm_decoder_run(&t->decoder, &arena, token, n, out);
	rm_arena_fini(&arena);
	return err;
}
