/* model: reading a directory, ours or Hugging Face's. */
#include "model/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const rm_model_tokenizer_names[] = {
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
	"chat_template.jinja", NULL
};

/* Not a directory, or one that nobody's model is in: say so, not ENOENT. */
static int check_directory(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return rm_fail("%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return rm_fail("%s: not a directory: a model is a directory "
			       "that rm-train or Transformers wrote", dir);
	return 0;
}

static int check_version(const json_t *rm)
{
	const char *format;
	size_t version;

	if (rm_json_get_string(rm, "format", RM_MODEL_RM, &format) < 0 ||
	    rm_json_get_size(rm, "version", RM_MODEL_RM, &version) < 0)
		return -1;
	if (strcmp(format, "rmtools-model") != 0)
		return rm_fail("format is \"%s\", expected \"rmtools-model\"",
			       format);
	if (version > RM_MODEL_VERSION)
		return rm_fail("version %zu, this program knows up to %d",
			       version, RM_MODEL_VERSION);
	return 0;
}

json_t *rm_model_load_json(const char *dir)
{
	json_t *rm;

	if (check_directory(dir) < 0)
		return NULL;
	rm = rm_model_load_object(dir, RM_MODEL_RM);
	if (rm && check_version(rm) < 0) {
		rm_wrap("%s/%s", dir, RM_MODEL_RM);
		json_decref(rm);
		return NULL;
	}
	return rm;
}

/* ---- rm.json ---- */

/* A fingerprint member: 32 hex digits. */
static int get_fingerprint(const json_t *object, const char *key,
			   struct rm_fingerprint *fp)
{
	const char *hex;

	if (rm_json_get_string(object, key, "fingerprints", &hex) < 0)
		return -1;
	if (strlen(hex) != 32 || strspn(hex, "0123456789abcdef") != 32)
		return rm_fail("fingerprints: %s is no fingerprint", key);
	memcpy(fp->hex, hex, sizeof(fp->hex));
	return 0;
}

/* A member that is an object (or null when `nullable`), with a reference. */
static json_t *get_object(const json_t *rm, const char *key, bool nullable)
{
	json_t *o = json_object_get(rm, key);

	if (json_is_object(o) || (nullable && json_is_null(o)))
		return json_incref(o);
	return rm_fail_null("%s is missing or no object", key);
}

static int parse_origin(struct rm_model *m, const json_t *rm)
{
	const json_t *fps = json_object_get(rm, "fingerprints");
	struct rm_fingerprint policy_fp;
	json_t *policy, *history = json_object_get(rm, "history");

	if (!json_is_object(fps))
		return rm_fail("fingerprints is missing or no object");
	if (!json_is_array(history))
		return rm_fail("history is missing or no array");
	policy = get_object(rm, "policy", false);
	if (!policy || rm_header_init(&m->origin) < 0 ||
	    rm_header_set_policy(&m->origin, policy) < 0)
		return -1;
	json_decref(m->origin.history);
	m->origin.history = json_incref(history);
	/* Trained by force on ids alone, a model has no tokenizer. */
	if (json_string_length(json_object_get(fps, "tokenizer")) == 0)
		memset(&m->origin.tokenizer_fp, 0,
		       sizeof(m->origin.tokenizer_fp));
	else if (get_fingerprint(fps, "tokenizer",
				 &m->origin.tokenizer_fp) < 0)
		return -1;
	/* A stream that rm-view made of JSON may have no policy at all. */
	if (json_string_length(json_object_get(fps, "policy")) == 0) {
		memset(&m->origin.policy_fp, 0, sizeof(m->origin.policy_fp));
		return 0;
	}
	if (get_fingerprint(fps, "policy", &policy_fp) < 0)
		return -1;
	if (strcmp(policy_fp.hex, m->origin.policy_fp.hex) != 0)
		return rm_fail("policy differs from its fingerprint: it was "
			       "changed after the model was saved");
	return 0;
}

static int parse_rm(struct rm_model *m, const json_t *rm)
{
	const char *pooling;

	m->head_config = get_object(rm, "head", false);
	m->objective = get_object(rm, "objective", true);
	m->calibration = get_object(rm, "calibration", true);
	if (!m->head_config || !m->objective || !m->calibration ||
	    rm_json_get_string(rm, "pooling", RM_MODEL_RM, &pooling) < 0)
		return -1;
	if (rm_model_find_pooling(m) < 0 ||
	    rm_model_check_pooling(m, pooling) < 0)
		return -1;
	return parse_origin(m, rm);
}

/* ---- files that must stay as they are ---- */

/* Those that are read one after another, as they were before the first. */
static const char *const watched[] = {
	RM_MODEL_CONFIG, RM_MODEL_RM, RM_MODEL_WEIGHTS, RM_MODEL_INDEX,
	"tokenizer.json"
};

struct stamps {
	struct rm_stamp stamp[RM_COUNT(watched)];
};

static int take_stamps(struct stamps *s, const char *dir)
{
	int status = 0;

	for (size_t i = 0; i < RM_COUNT(watched) && status == 0; i++) {
		char *path = rm_model_path(dir, watched[i]);

		status = path ? rm_stamp_path(&s->stamp[i], path) : -1;
		free(path);
	}
	return status;
}

/*
 * Half of one model and half of the next may fit by their shapes; only where
 * there is an rm.json would fingerprints tell.
 */
static int check_stamps(const struct stamps *before, const char *dir)
{
	struct stamps after;

	if (take_stamps(&after, dir) < 0)
		return -1;
	for (size_t i = 0; i < RM_COUNT(watched); i++) {
		if (!rm_stamp_equal(&before->stamp[i], &after.stamp[i]))
			return rm_fail("%s/%s: changed while the directory "
				       "was read", dir, watched[i]);
	}
	return 0;
}

/* ---- the tokenizer's files ---- */

static int add_file(struct rm_files *files, const char *dir,
		    const char *name)
{
	char *path = rm_model_path(dir, name);
	struct rm_buf b = {0};
	int status = -1;

	if (path && rm_read_file(path, RM_MODEL_MAX_TOKENIZER, &b) == 0)
		status = rm_files_add(files, name, b.data, b.len);
	rm_buf_fini(&b);
	free(path);
	return status;
}

/*
 * Ours has a tokenizer.json, unless it was trained on ids alone.  Others may
 * have the files that it is made of, or none: then only ids can be scored.
 */
static int load_tokenizer(struct rm_model *m, const char *dir)
{
	struct rm_files *files = &m->origin.tokenizer;

	if (!m->recorded && !rm_model_has(dir, "tokenizer.json") &&
	    !rm_model_has(dir, "vocab.txt") && !rm_model_has(dir, "vocab.json"))
		return 0;
	if (m->recorded && !*m->origin.tokenizer_fp.hex)
		return 0;
	if (m->recorded && add_file(files, dir, "tokenizer.json") < 0)
		return -1;
	if (!m->recorded && rm_tokenizer_read(files, dir) < 0)
		return -1;
	for (size_t i = 0; rm_model_tokenizer_names[i]; i++) {
		const char *name = rm_model_tokenizer_names[i];

		if (!rm_files_find(files, name) && rm_model_has(dir, name) &&
		    add_file(files, dir, name) < 0)
			return -1;
	}
	return 0;
}

/* ---- all but the weights ---- */

static int load_config(struct rm_model *m, const char *dir)
{
	json_t *config = rm_model_load_object(dir, RM_MODEL_CONFIG);
	int status = config ? rm_model_parse_config(m, config) : -1;

	if (config && status < 0)
		rm_wrap("%s/%s", dir, RM_MODEL_CONFIG);
	json_decref(config);
	return status;
}

/* A checkpoint that nobody trained here: nothing is known of its text. */
static int assume(struct rm_model *m)
{
	m->head_config = rm_head_parse(RM_MODEL_NATIVE);
	m->objective = json_null();
	m->calibration = json_null();
	return m->head_config && rm_model_find_pooling(m) == 0 ?
	       rm_header_init(&m->origin) : -1;
}

static int load_rm(struct rm_model *m, const char *dir,
		   struct rm_fingerprint *expected)
{
	json_t *rm;
	int status = -1;

	memset(expected, 0, sizeof(*expected));
	m->recorded = m->wrapped || rm_model_has(dir, RM_MODEL_RM);
	if (!m->recorded)
		return assume(m);
	rm = rm_model_load_json(dir);
	if (!rm)
		return -1;
	if (parse_rm(m, rm) == 0 &&
	    get_fingerprint(json_object_get(rm, "fingerprints"), "model",
			    expected) == 0)
		status = 0;
	else
		rm_wrap("%s/%s", dir, RM_MODEL_RM);
	json_decref(rm);
	return status;
}

/* Another head than the one that is described, unless it is that. */
static int take_head(struct rm_model *m, const json_t *head)
{
	if (!head || rm_head_equal(head, m->head_config))
		return 0;
	if (rm_model_check_parts(m->backbone_config, head) < 0)
		return -1;
	json_decref(m->head_config);
	m->head_config = json_deep_copy(head);
	m->other_head = true;
	return m->head_config ? rm_model_find_pooling(m) :
				rm_fail("out of memory");
}

struct rm_model *rm_model_load_frame(const char *dir, const json_t *head,
				     struct rm_fingerprint *expected)
{
	struct rm_model *m = rm_calloc(1, sizeof(*m));

	if (!m || check_directory(dir) < 0)
		goto fail;
	if (load_config(m, dir) < 0 || load_rm(m, dir, expected) < 0 ||
	    take_head(m, head) < 0 ||
	    rm_model_settle_labels(m, dir) < 0 ||
	    load_tokenizer(m, dir) < 0)
		goto fail;
	if (rm_model_build(m) == 0)
		return m;
	rm_wrap("%s/%s", dir, RM_MODEL_CONFIG);
fail:
	rm_model_free(m);
	return NULL;
}

/* ---- the whole ---- */

static int check_fingerprint(const struct rm_model *m, const char *dir,
			     const struct rm_fingerprint *expected)
{
	struct rm_fingerprint is;

	if (!m->recorded || m->other_head)
		return 0;
	is = rm_model_fingerprint(m);
	if (strcmp(is.hex, expected->hex) == 0)
		return 0;
	return rm_fail("%s: config, head or weights differ from the "
		       "fingerprint in %s (rm-model check says where)", dir,
		       RM_MODEL_RM);
}

static struct rm_model *load(const char *dir, const json_t *head,
			     const struct rm_model_training *training,
			     bool fresh_head)
{
	struct rm_fingerprint expected;
	struct stamps stamps;
	struct rm_model *m;

	if (check_directory(dir) < 0 || take_stamps(&stamps, dir) < 0)
		return NULL;
	m = rm_model_load_frame(dir, head, &expected);
	if (m && rm_model_load_weights(m, dir, training, fresh_head) == 0 &&
	    check_stamps(&stamps, dir) == 0 &&
	    check_fingerprint(m, dir, &expected) == 0)
		return m;
	rm_model_free(m);
	return NULL;
}

struct rm_model *rm_model_load(const char *dir,
			       const struct rm_model_training *training)
{
	return load(dir, NULL, training, training != NULL);
}

/*
 * The fingerprint of a model that is recorded is of it and its head: it is
 * looked at as it stands first.
 */
struct rm_model *rm_model_load_base(const char *dir, const json_t *head,
				    const struct rm_model_training *training)
{
	struct rm_model *m = load(dir, head, training, true);

	if (m && m->other_head && m->recorded) {
		struct rm_model *whole = load(dir, NULL, NULL, false);

		if (!whole) {
			rm_model_free(m);
			return NULL;
		}
		rm_model_free(whole);
	}
	return m;
}

struct rm_model *rm_model_look(const char *dir)
{
	return load(dir, NULL, NULL, true);
}

/* ---- whose tokenizer ---- */

/* Those files as one; of a checkpoint without any, an error that says so. */
static struct rm_tokenizer *parse_tokenizer(const struct rm_model *m,
					    const char *dir)
{
	struct rm_tokenizer *t;

	if (m->origin.tokenizer.n == 0)
		return rm_tokenizer_load(dir);
	t = rm_tokenizer_from_files(&m->origin.tokenizer);
	if (!t)
		rm_wrap("%s", dir);
	return t;
}

struct rm_tokenizer *rm_model_tokenizer(struct rm_model *m, const char *dir)
{
	struct rm_tokenizer *t = parse_tokenizer(m, dir);
	struct rm_fingerprint fp;

	if (!t)
		return NULL;
	fp = rm_tokenizer_fingerprint(t);
	if (!m->recorded)
		m->origin.tokenizer_fp = fp;
	if (strcmp(fp.hex, m->origin.tokenizer_fp.hex) == 0)
		return t;
	rm_tokenizer_free(t);
	return rm_fail_null("%s/tokenizer.json: fingerprint %s, but rm.json "
			    "has %s: not the tokenizer that the model was "
			    "trained with", dir, fp.hex,
			    m->origin.tokenizer_fp.hex);
}

/* The same bytes are the same tokenizer. */
static bool same_file(const struct rm_files *a, const struct rm_files *b)
{
	const struct rm_file *x = rm_files_find(a, "tokenizer.json");
	const struct rm_file *y = rm_files_find(b, "tokenizer.json");

	return x && y && x->len == y->len &&
	       memcmp(x->data, y->data, x->len) == 0;
}

int rm_model_check_tokenizer(struct rm_model *m, const char *dir,
			     const struct rm_header *stream)
{
	struct rm_tokenizer *t;

	/* Of others, rm_model_match sees to it. */
	if (!m->recorded)
		return 0;
	if (same_file(&m->origin.tokenizer, &stream->tokenizer) &&
	    strcmp(m->origin.tokenizer_fp.hex, stream->tokenizer_fp.hex) == 0)
		return 0;
	t = rm_model_tokenizer(m, dir);
	rm_tokenizer_free(t);
	return t ? 0 : -1;
}

int rm_model_match(struct rm_model *m, const char *dir,
		   const struct rm_header *h, const char *name, bool force)
{
	struct rm_tokenizer *t;

	if (force)
		return 0;
	if (!m->origin.tokenizer_fp.hex[0] && h->tokenizer_fp.hex[0] &&
	    m->origin.tokenizer.n) {
		if (same_file(&m->origin.tokenizer, &h->tokenizer)) {
			m->origin.tokenizer_fp = h->tokenizer_fp;
		} else {
			t = rm_model_tokenizer(m, dir);
			if (!t)
				return -1;
			rm_tokenizer_free(t);
		}
	}
	return rm_header_match(h, name, &m->origin, dir, false);
}

/* The template that the policy is about, which may not be the checkpoint's. */
static int take_template(struct rm_model *m, const struct rm_header *h)
{
	static const char name[] = "chat_template.jinja";
	const struct rm_file *f = rm_files_find(&h->tokenizer, name);

	if (!f || !json_object_get(h->policy, "template_hash"))
		return 0;
	return rm_files_put(&m->origin.tokenizer, name, f->data, f->len);
}

/* What the checkpoint does not say. */
static int take_from(struct rm_model *m, const struct rm_header *h)
{
	json_t *policy = json_deep_copy(h->policy);

	if (!policy)
		return rm_fail("out of memory");
	m->recorded = true;
	if (rm_header_set_policy(&m->origin, policy) < 0)
		return -1;
	m->origin.policy_fp = h->policy_fp;
	if (m->origin.tokenizer.n)
		return take_template(m, h);
	m->origin.tokenizer_fp = h->tokenizer_fp;
	return rm_files_copy(&m->origin.tokenizer, &h->tokenizer);
}

int rm_model_adopt(struct rm_model *m, const char *dir,
		   const struct rm_header *h)
{
	bool known = m->recorded || m->origin.tokenizer.n == 0 ||
		     m->origin.tokenizer_fp.hex[0];

	if (!known) {
		struct rm_tokenizer *t = rm_model_tokenizer(m, dir);

		if (!t)
			return -1;
		rm_tokenizer_free(t);
	}
	if (!m->recorded && take_from(m, h) < 0)
		return -1;
	return json_array_extend(m->origin.history, h->history) < 0 ?
	       rm_fail("out of memory") : 0;
}
