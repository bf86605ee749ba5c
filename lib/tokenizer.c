#include "tokenizer.h"

#include "io.h"
#include "tokenizer/legacy.h"
#include "tokenizer/pipeline.h"
#include "tokenizer_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE ((size_t)256 << 20)

struct rm_tokenizer {
	struct rm_files files;
	struct rm_fingerprint fingerprint;
	struct rm_pipeline pipe;
	struct rm_post post;
	struct rm_special special;
	struct rm_decoder decoder;
};

/* ---- loading ---- */

static const struct rm_step_kind *const normalizers[] = {
	rm_normalizers_text, rm_normalizers_unicode, rm_normalizers_bert,
	rm_normalizers_precompiled, NULL
};
static const struct rm_step_kind *const pre_tokenizers[] = {
	rm_pre_tokenizers, NULL
};

/*
 * The JSON with its two large members, model.vocab and model.merges, left
 * out: their text stands in m, and null in their places.
 */
static int cut_model(struct rm_json_reader *r, struct rm_buf *rest,
		     struct rm_model_json *m)
{
	const unsigned char *done = r->at;
	struct rm_slice key, value, *big;
	int more;

	if (rm_json_enter(r, '{') < 0)
		return -1;
	while ((more = rm_json_more(r, '}')) > 0) {
		if (rm_json_key(r, &key) < 0)
			return -1;
		big = rm_slice_is(key, "vocab") ? &m->vocab :
		      rm_slice_is(key, "merges") ? &m->merges : NULL;
		if (rm_json_skip(r, &value) < 0)
			return -1;
		if (!big || (*value.data != '{' && *value.data != '['))
			continue;
		*big = value;
		rm_buf_append(rest, done, (size_t)(value.data - done));
		rm_buf_puts(rest, "null");
		done = r->at;
	}
	rm_buf_append(rest, done, (size_t)(r->at - done));
	return more;
}

static int cut_file(const struct rm_file *file, struct rm_buf *rest,
		    struct rm_model_json *m)
{
	struct rm_json_reader r;
	struct rm_slice key, value;
	const unsigned char *done = file->data;
	int more = -1, err;

	rm_json_reader_init(&r, (struct rm_slice){ file->data, file->len });
	err = rm_json_enter(&r, '{');
	while (err == 0 && (more = rm_json_more(&r, '}')) > 0) {
		err = rm_json_key(&r, &key);
		if (err < 0)
			break;
		if (rm_slice_is(key, "model") && rm_json_peek(&r) == '{') {
			rm_buf_append(rest, done, (size_t)(r.at - done));
			err = cut_model(&r, rest, m);
			done = r.at;
		} else {
			err = rm_json_skip(&r, &value);
		}
	}
	rm_buf_append(rest, done, (size_t)(r.end - done));
	rm_json_reader_fini(&r);
	return err < 0 || more < 0 ? -1 : 0;
}

/* The small rest of the file as JSON, or the whole if it is of no shape. */
static json_t *parse_file(const struct rm_file *file, struct rm_model_json *m)
{
	struct rm_buf rest = {0};
	json_t *json = NULL;

	if (cut_file(file, &rest, m) < 0)
		json = rm_json_parse(file->data, file->len);
	else if (!rest.failed)
		json = rm_json_parse(rest.data, rest.len);
	rm_buf_fini(&rest);
	if (json && !json_is_object(json)) {
		rm_fail("not a JSON object");
		json_decref(json);
		json = NULL;
	}
	return json;
}

/* Older files lack model.type; then the model's other members tell. */
static const char *model_type(const struct rm_model_json *m)
{
	const json_t *type = json_object_get(m->json, "type");

	if (json_is_string(type))
		return json_string_value(type);
	if (m->merges.data)
		return "BPE";
	if (m->vocab.data && *m->vocab.data == '[')
		return "Unigram";
	if (json_object_get(m->json, "continuing_subword_prefix"))
		return "WordPiece";
	return "WordLevel";
}

static bool ends_in_bytes(const struct rm_steps *steps)
{
	return steps->n && steps->step[steps->n - 1].rewrite ==
			   rm_rewrite_bytes;
}

/* A model that takes raw bytes is spared the text that stands for them. */
static int load_model(struct rm_pipeline *p, const struct rm_model_json *m,
		      struct rm_buf *canonical)
{
	const char *type = model_type(m);
	bool bytes = p->bytes = ends_in_bytes(&p->cut);

	if (!json_is_object(m->json))
		return rm_fail("no object \"model\"");
	for (size_t i = 0; rm_tokenizer_kinds[i]; i++)
		if (strcmp(rm_tokenizer_kinds[i]->type, type) == 0)
			p->kind = rm_tokenizer_kinds[i];
	if (!p->kind)
		return rm_fail("model %s is not supported yet", type);
	p->model = p->kind->load(m, &bytes, &p->vocab, canonical);
	if (!p->model)
		return rm_wrap("model %s", type);
	if (bytes)
		p->cut.n--;
	return 0;
}

static int check_version(const json_t *json)
{
	const char *version;

	if (rm_json_opt_string(json, "version", "tokenizer", "1.0",
			       &version) < 0)
		return -1;
	return strcmp(version, "1.0") == 0 ? 0 :
	       rm_fail("version %s is not supported", version);
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
			 &t->pipe.vocab) < 0 ||
	    rm_decoder_load(&t->decoder, json_object_get(json, "decoder"),
			    t->pipe.bytes) < 0)
		return -1;
	if (file) {
		/* Its model_max_length may be 1e30, written out. */
		config = rm_json_parse_reals(file->data, file->len);
		err = config ? 0 : rm_wrap("tokenizer_config.json");
	}
	if (err == 0)
		err = rm_special_load(&t->special, json, config, &t->pipe.vocab);
	json_decref(config);
	return err;
}

/* Canonical JSON of the parts, in the order of their names. */
struct canonical {
	struct rm_buf added, model, normal, cut;
};

/* The parts in the order in which each needs those before. */
static int load_parts(struct rm_tokenizer *t, const json_t *json,
		      struct rm_model_json *m, struct canonical *c)
{
	struct rm_pipeline *p = &t->pipe;

	m->json = json_object_get(json, "model");
	if (check_version(json) < 0 ||
	    rm_steps_load(&p->normal, json_object_get(json, "normalizer"),
			  normalizers, "normalizer", &c->normal) < 0 ||
	    rm_steps_load(&p->cut, json_object_get(json, "pre_tokenizer"),
			  pre_tokenizers, "pre_tokenizer", &c->cut) < 0 ||
	    load_model(p, m, &c->model) < 0 ||
	    rm_added_load(&p->added, json_object_get(json, "added_tokens"),
			  &p->vocab, rm_pipeline_normalize, p,
			  &c->added) < 0)
		return -1;
	return rm_pipeline_init(p) < 0 ? -1 : load_rest(t, json);
}

static int set_fingerprint(struct rm_tokenizer *t, const struct canonical *c)
{
	static const char *const names[] = {
		"{\"added_tokens\":", ",\"model\":", ",\"normalizer\":",
		",\"pre_tokenizer\":"
	};
	const struct rm_buf *const parts[] = {
		&c->added, &c->model, &c->normal, &c->cut
	};
	struct rm_buf all = {0};
	bool failed = false;

	for (size_t i = 0; i < RM_COUNT(parts); i++) {
		rm_buf_puts(&all, names[i]);
		rm_buf_append(&all, parts[i]->data, parts[i]->len);
		failed |= parts[i]->failed;
	}
	rm_buf_putc(&all, '}');
	failed |= all.failed;
	if (!failed)
		t->fingerprint = rm_fingerprint(all.data, all.len);
	rm_buf_fini(&all);
	return failed ? -1 : 0;
}

static int load_file(struct rm_tokenizer *t, const struct rm_file *file)
{
	struct rm_model_json m = {0};
	struct canonical c = {0};
	json_t *json = parse_file(file, &m);
	int err = -1;

	rm_unicode_init();
	if (json && load_parts(t, json, &m, &c) == 0)
		err = set_fingerprint(t, &c);
	rm_buf_fini(&c.added);
	rm_buf_fini(&c.model);
	rm_buf_fini(&c.normal);
	rm_buf_fini(&c.cut);
	json_decref(json);
	return err;
}

/* Takes the files, whatever comes of it. */
static struct rm_tokenizer *take_files(struct rm_files *files)
{
	const struct rm_file *file = rm_files_find(files, "tokenizer.json");
	struct rm_tokenizer *t = rm_calloc(1, sizeof(*t));

	if (!t) {
		rm_files_fini(files);
		return NULL;
	}
	t->files = *files;
	if (!file) {
		rm_fail("no tokenizer.json");
	} else {
		if (load_file(t, file) == 0)
			return t;
		rm_wrap("tokenizer.json");
	}
	rm_tokenizer_free(t);
	return NULL;
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

/* One more than the largest of an id and those before. */
static int count_id(json_int_t id, size_t *n)
{
	if (id < 0 || id >= (json_int_t)RM_MAX_IDS)
		return rm_fail("id %lld is not within 0..%zu", (long long)id,
			       RM_MAX_IDS - 1);
	*n = RM_MAX(*n, (size_t)id + 1);
	return 0;
}

/* Of {token: id, ...} or [[token, score], ...]. */
static int count_vocab(struct rm_slice vocab, size_t *n)
{
	struct rm_json_reader r;
	struct rm_slice one;
	bool object = vocab.data && *vocab.data == '{';
	int more = 0, err;
	json_int_t id;

	if (!vocab.data)
		return rm_fail("no \"vocab\"");
	rm_json_reader_init(&r, vocab);
	err = rm_json_enter(&r, object ? '{' : '[');
	while (err == 0 && (more = rm_json_more(&r, object ? '}' : ']')) > 0) {
		if (object)
			err = rm_json_key(&r, &one) < 0 ||
			      rm_json_int(&r, &id) < 0 ? -1 : 0;
		else
			err = rm_json_skip(&r, &one);
		if (err == 0)
			err = count_id(object ? id : (json_int_t)*n, n);
	}
	rm_json_reader_fini(&r);
	return err < 0 || more < 0 ? rm_wrap("vocab") : 0;
}

static int count_added(const json_t *list, size_t *n)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *id = json_object_get(json_array_get(list, i),
						   "id");

		if (!json_is_integer(id))
			return rm_fail("added token %zu: no whole number "
				       "\"id\"", i);
		if (count_id(json_integer_value(id), n) < 0)
			return rm_wrap("added token %zu", i);
	}
	return 0;
}

int rm_tokenizer_count(const struct rm_files *files, size_t *n)
{
	const struct rm_file *file = rm_files_find(files, "tokenizer.json");
	struct rm_model_json m = {0};
	json_t *json;
	int err = -1;

	*n = 0;
	if (!file)
		return rm_fail("no tokenizer.json");
	json = parse_file(file, &m);
	if (json && count_vocab(m.vocab, n) == 0)
		err = count_added(json_object_get(json, "added_tokens"), n);
	json_decref(json);
	return err < 0 ? rm_wrap("tokenizer.json") : 0;
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

/* Those of these files that the directory has; 0 / -1. */
static int read_those(struct rm_files *files, const char *path,
		      const char *const *names)
{
	int err = 0;

	for (; *names && err == 0; names++) {
		struct rm_buf full = {0};
		struct stat st;

		rm_buf_printf(&full, "%s/%s", path, *names);
		if (!rm_buf_text(&full))
			err = -1;
		else if (stat((char *)full.data, &st) == 0)
			err = read_into(files, *names, (char *)full.data);
		rm_buf_fini(&full);
	}
	return err;
}

/* What older directories have, as a tokenizer.json. */
static int read_legacy(struct rm_files *files, const char *path)
{
	static const char *const names[] = {
		"vocab.txt", "vocab.json", "merges.txt",
		"tokenizer_config.json", NULL
	};
	struct rm_files old = {0};
	struct rm_buf json = {0};
	int err = read_those(&old, path, names);

	if (err == 0 && !rm_files_find(&old, "vocab.txt") &&
	    !(rm_files_find(&old, "vocab.json") &&
	      rm_files_find(&old, "merges.txt")))
		err = rm_fail("%s: no tokenizer.json, and neither vocab.txt "
			      "nor vocab.json with merges.txt", path);
	else if (err == 0 && rm_legacy_tokenizer(&old, &json) < 0)
		err = rm_wrap("%s", path);
	if (err == 0)
		err = rm_files_add(files, "tokenizer.json", json.data,
				   json.len);
	rm_buf_fini(&json);
	rm_files_fini(&old);
	return err;
}

int rm_tokenizer_read(struct rm_files *files, const char *dir)
{
	static const char *const first[] = { "tokenizer.json", NULL };
	static const char *const more[] = {
		"tokenizer_config.json", "chat_template.jinja", NULL
	};

	if (read_those(files, dir, first) < 0 ||
	    (!rm_files_find(files, "tokenizer.json") &&
	     read_legacy(files, dir) < 0))
		return -1;
	return read_those(files, dir, more);
}

struct rm_tokenizer *rm_tokenizer_load(const char *path)
{
	struct rm_files files = {0};
	struct rm_tokenizer *t;
	struct stat st;
	int err;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		err = rm_tokenizer_read(&files, path);
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
	rm_pipeline_fini(&t->pipe);
	rm_decoder_fini(&t->decoder);
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
	return t->pipe.vocab.n;
}

const char *rm_tokenizer_token(const struct rm_tokenizer *t, int32_t id)
{
	return id < 0 ? NULL : rm_vocab_token(&t->pipe.vocab, (size_t)id);
}

int32_t rm_tokenizer_id(const struct rm_tokenizer *t, const char *token)
{
	return rm_vocab_find(&t->pipe.vocab, token, strlen(token));
}

/* ---- encoding ---- */

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

int rm_tokenizer_encode(const struct rm_tokenizer *t, struct rm_encoding *e,
			const void *text, size_t len)
{
	e->n = 0;
	return rm_pipeline_encode(&t->pipe, e, text, len);
}

int rm_tokenizer_words(const struct rm_tokenizer *t, struct rm_encoding *e,
		       const void *text, size_t len,
		       int (*fn)(void *arg, const unsigned char *word,
				 size_t n),
		       void *arg)
{
	return rm_pipeline_words(&t->pipe, e, text, len, fn, arg);
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
				      ids[i], t->pipe.vocab.n);
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
