/* model: a reward model, and reading its directory; see model.h. */
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

/* ---- the model ---- */

/* Parts for configurations that the model owns by now; no memory yet. */
static int build(struct rm_model *m)
{
	m->backbone = rm_backbone_new(m->backbone_config, m->vocab,
				      &m->params);
	if (!m->backbone)
		return -1;
	m->head = rm_head_new(m->head_config, m->backbone->dim, &m->params);
	return m->head ? 0 : -1;
}

static int take_origin(struct rm_model *m, const struct rm_header *origin)
{
	if (rm_header_copy(&m->origin, origin) < 0)
		return -1;
	rm_schema_fini(&m->origin.schema);
	memset(&m->origin.schema, 0, sizeof(m->origin.schema));
	return 0;
}

static int count_vocab(struct rm_model *m)
{
	if (m->origin.tokenizer.n == 0)
		return rm_fail("the stream carries no tokenizer: make it "
			       "with rm-tokenize");
	return rm_tokenizer_count(&m->origin.tokenizer, &m->vocab) < 0 ?
	       rm_wrap("the stream's tokenizer") : 0;
}

struct rm_model *rm_model_new(const json_t *backbone, const json_t *head,
			      const struct rm_header *origin, bool train)
{
	struct rm_model *m = rm_calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->backbone_config = json_deep_copy(backbone);
	m->head_config = json_deep_copy(head);
	m->objective = json_null();
	m->calibration = json_null();
	if (take_origin(m, origin) == 0 && count_vocab(m) == 0 &&
	    build(m) == 0 && rm_params_alloc(&m->params, train) == 0)
		return m;
	rm_model_free(m);
	return NULL;
}

void rm_model_free(struct rm_model *m)
{
	if (!m)
		return;
	rm_head_free(m->head);
	rm_backbone_free(m->backbone);
	rm_params_fini(&m->params);
	json_decref(m->backbone_config);
	json_decref(m->head_config);
	json_decref(m->objective);
	json_decref(m->calibration);
	rm_header_fini(&m->origin);
	free(m);
}

void rm_model_set_objective(struct rm_model *m, const json_t *objective)
{
	json_decref(m->objective);
	m->objective = json_deep_copy(objective);
}

/* Ids of another tokenizer; in a form that vectorises. */
static int check_ids(const struct rm_model *m, const struct rm_batch *batch)
{
	int32_t most = -1;

	for (size_t i = 0; i < batch->n_tokens; i++)
		most = RM_MAX(most, batch->ids[i]);
	if (most >= 0 && (size_t)most >= m->vocab)
		return rm_fail("token id %d, the model's vocabulary has %zu",
			       most, m->vocab);
	return 0;
}

const rm_real *rm_model_forward(struct rm_model *m,
				const struct rm_batch *batch)
{
	struct rm_hidden *hidden = NULL;

	if (check_ids(m, batch) == 0)
		hidden = rm_backbone_forward(m->backbone, batch);
	return hidden ? rm_head_forward(m->head, batch, hidden) : NULL;
}

/* ---- parameters as tensors ---- */

static void describe(struct rm_safetensor *t, const struct rm_param *p)
{
	t->name = p->name;
	t->dtype = RM_DTYPE_F32;
	t->rank = p->n_dims;
	memcpy(t->shape, p->shape, p->n_dims * sizeof(*p->shape));
	t->data = p->value;
	t->size = p->size * sizeof(float);
}

int rm_model_tensors_get(struct rm_model_tensors *t, const struct rm_model *m)
{
	const struct rm_params *params = &m->params;

	_Static_assert(sizeof(rm_real) == sizeof(float),
		       "model directories hold float32");
	t->tensor = rm_calloc(params->n, sizeof(*t->tensor));
	t->copy = rm_calloc(params->n, sizeof(*t->copy));
	t->n = params->n;
	if (!t->tensor || !t->copy)
		return -1;
	for (size_t i = 0; i < t->n; i++) {
		const struct rm_param *p = &params->param[i];

		describe(&t->tensor[i], p);
		if (p->scale == 1)
			continue;
		t->copy[i] = rm_malloc(p->size, sizeof(rm_real));
		if (!t->copy[i])
			return -1;
		rm_params_get(params, i, t->copy[i]);
		t->tensor[i].data = t->copy[i];
	}
	return 0;
}

void rm_model_tensors_fini(struct rm_model_tensors *t)
{
	for (size_t i = 0; t->copy && i < t->n; i++)
		free(t->copy[i]);
	free(t->copy);
	free(t->tensor);
}

/* ---- fingerprints ---- */

static struct rm_fingerprint of_json(const json_t *value)
{
	struct rm_fingerprint fp = {0};
	struct rm_buf b = {0};

	rm_json_canonical(&b, value);
	if (!b.failed)
		fp = rm_fingerprint(b.data, b.len);
	rm_buf_fini(&b);
	return fp;
}

/* The parts' fingerprints, one a line, tensors in the order of the table. */
static struct rm_fingerprint of_parts(const struct rm_model *m,
				      const json_t *tensors)
{
	json_t *config = rm_model_config_json(m);
	struct rm_fingerprint fp = {0};
	struct rm_buf b = {0};

	rm_buf_printf(&b, "config %s\n", of_json(config).hex);
	rm_buf_printf(&b, "head %s\n", of_json(m->head_config).hex);
	rm_buf_printf(&b, "pooling %s\n", RM_MODEL_POOLING);
	rm_buf_printf(&b, "tensors %s\n", of_json(tensors).hex);
	if (!b.failed && config)
		fp = rm_fingerprint(b.data, b.len);
	rm_buf_fini(&b);
	json_decref(config);
	return fp;
}

json_t *rm_model_fingerprints(const struct rm_model *m,
			      const struct rm_model_tensors *t)
{
	json_t *tensors = json_object(), *all;

	for (size_t i = 0; i < t->n; i++) {
		struct rm_fingerprint fp =
			rm_safetensor_fingerprint(&t->tensor[i]);

		json_object_set_new(tensors, t->tensor[i].name,
				    json_string(fp.hex));
	}
	all = json_pack("{s:s, s:s, s:s, s:o}",
			"model", of_parts(m, tensors).hex,
			"tokenizer", m->origin.tokenizer_fp.hex,
			"policy", m->origin.policy_fp.hex,
			"tensors", tensors);
	return all ? all : rm_fail_null("out of memory");
}

struct rm_fingerprint rm_model_fingerprint(const struct rm_model *m)
{
	struct rm_model_tensors t = {0};
	struct rm_fingerprint fp = {0};
	json_t *all = NULL;

	if (rm_model_tensors_get(&t, m) == 0)
		all = rm_model_fingerprints(m, &t);
	if (all)
		memcpy(fp.hex, json_string_value(json_object_get(all,
			"model")), sizeof(fp.hex));
	json_decref(all);
	rm_model_tensors_fini(&t);
	return fp;
}

/* ---- reading a directory ---- */

char *rm_model_path(const char *dir, const char *name)
{
	struct rm_buf b = {0};
	size_t n = strlen(dir);

	rm_buf_printf(&b, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/",
		      name);
	return rm_buf_text(&b);
}

/* A JSON object from a file of the directory; its path into *path. */
static json_t *load_object(const char *dir, const char *name)
{
	char *path = rm_model_path(dir, name);
	json_t *o = path ? rm_json_load(path, RM_MODEL_MAX_JSON) : NULL;

	if (o && !json_is_object(o)) {
		rm_fail("%s: no JSON object", path);
		json_decref(o);
		o = NULL;
	}
	free(path);
	return o;
}

/* Not a directory, or one that nobody's model is in: say so, not ENOENT. */
static int check_directory(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return rm_fail("%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return rm_fail("%s: not a directory: a model is a directory "
			       "that rm-train wrote", dir);
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
	rm = load_object(dir, RM_MODEL_RM);
	if (rm && check_version(rm) < 0) {
		rm_wrap("%s/%s", dir, RM_MODEL_RM);
		json_decref(rm);
		return NULL;
	}
	return rm;
}

json_t *rm_model_config_json(const struct rm_model *m)
{
	json_t *config = json_pack("{s:s, s:O, s:I, s:s}",
				   "model_type", "rmtools",
				   "backbone_config", m->backbone_config,
				   "vocab_size", (json_int_t)m->vocab,
				   "torch_dtype", "float32");

	return config ? config : rm_fail_null("out of memory");
}

static int parse_config(struct rm_model *m, const json_t *config)
{
	const char *type;
	json_t *backbone = json_object_get(config, "backbone_config");

	if (rm_json_get_string(config, "model_type", RM_MODEL_CONFIG,
			       &type) < 0)
		return -1;
	if (strcmp(type, "rmtools") != 0)
		return rm_fail("model_type \"%s\" is not supported yet: only "
			       "what rm-train writes is", type);
	if (!json_is_object(backbone))
		return rm_fail("backbone_config is missing or no object");
	m->backbone_config = json_incref(backbone);
	return rm_json_get_size(config, "vocab_size", RM_MODEL_CONFIG,
				&m->vocab);
}

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
	if (get_fingerprint(fps, "tokenizer", &m->origin.tokenizer_fp) < 0)
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
	if (strcmp(pooling, RM_MODEL_POOLING) != 0)
		return rm_fail("unknown pooling \"%s\"", pooling);
	return parse_origin(m, rm);
}

static int load_tokenizer(struct rm_model *m, const char *dir)
{
	struct rm_buf b = {0};
	int status = 0;

	for (size_t i = 0; rm_model_tokenizer_names[i] && status == 0; i++) {
		const char *name = rm_model_tokenizer_names[i];
		char *path = rm_model_path(dir, name);

		rm_buf_clear(&b);
		if (!path)
			status = -1;
		else if (i == 0 || access(path, F_OK) == 0)
			status = rm_read_file(path, RM_MODEL_MAX_TOKENIZER,
					      &b) < 0 ||
				 rm_files_add(&m->origin.tokenizer, name,
					      b.data, b.len) < 0 ? -1 : 0;
		free(path);
	}
	rm_buf_fini(&b);
	return status;
}

struct rm_model *rm_model_load_frame(const char *dir,
				     struct rm_fingerprint *expected)
{
	struct rm_model *m = rm_calloc(1, sizeof(*m));
	json_t *config = NULL, *rm = NULL;

	if (!m || check_directory(dir) < 0)
		goto fail;
	config = load_object(dir, RM_MODEL_CONFIG);
	if (!config)
		goto fail;
	if (parse_config(m, config) < 0) {
		rm_wrap("%s/%s", dir, RM_MODEL_CONFIG);
		goto fail;
	}
	rm = rm_model_load_json(dir);
	if (!rm)
		goto fail;
	if (parse_rm(m, rm) < 0 ||
	    get_fingerprint(json_object_get(rm, "fingerprints"), "model",
			    expected) < 0) {
		rm_wrap("%s/%s", dir, RM_MODEL_RM);
		goto fail;
	}
	if (load_tokenizer(m, dir) < 0)
		goto fail;
	if (build(m) < 0) {
		rm_wrap("%s/%s", dir, RM_MODEL_CONFIG);
		goto fail;
	}
	json_decref(config);
	json_decref(rm);
	return m;
fail:
	json_decref(config);
	json_decref(rm);
	rm_model_free(m);
	return NULL;
}

/* Whether all are finite, in a form that vectorises. */
static bool all_finite(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, p + 4 * i, 4);
		bad |= (bits & 0x7f800000) == 0x7f800000;
	}
	return !bad;
}

static int check_tensor(const struct rm_param *p,
			const struct rm_safetensor *t)
{
	struct rm_safetensor want = {0};
	struct rm_buf is = {0}, should = {0};

	if (!t)
		return rm_fail("missing");
	if (t->dtype != RM_DTYPE_F32)
		return rm_fail("dtype %s, expected F32",
			       rm_dtype_name(t->dtype));
	describe(&want, p);
	if (t->rank != want.rank ||
	    memcmp(t->shape, want.shape, t->rank * sizeof(*t->shape)) != 0) {
		rm_safetensor_print_shape(&is, t);
		rm_safetensor_print_shape(&should, &want);
		rm_fail("shape %s, expected %s", rm_buf_text(&is),
			rm_buf_text(&should));
		rm_buf_fini(&is);
		rm_buf_fini(&should);
		return -1;
	}
	if (!all_finite(t->data, rm_safetensor_count(t)))
		return rm_fail("holds NaN or infinite values");
	return 0;
}

int rm_model_check_tensors(const struct rm_model *m,
			   const struct rm_safetensors *st)
{
	const struct rm_params *params = &m->params;

	for (size_t i = 0; i < params->n; i++) {
		const struct rm_param *p = &params->param[i];

		if (check_tensor(p, rm_safetensors_find(st, p->name)) < 0)
			return rm_wrap("tensor %s", p->name);
	}
	for (size_t i = 0; i < rm_safetensors_count(st); i++) {
		const char *name = rm_safetensors_at(st, i)->name;

		if (rm_params_find(params, name) < 0)
			return rm_fail("tensor %s: the model has none of "
				       "that name", name);
	}
	return 0;
}

static void copy_weights(struct rm_model *m, const struct rm_safetensors *st)
{
	for (size_t i = 0; i < m->params.n; i++) {
		struct rm_param *p = &m->params.param[i];

		memcpy(p->value, rm_safetensors_find(st, p->name)->data,
		       p->size * sizeof(float));
	}
}

/*
 * The tensors are checked before memory is taken for what config.json
 * claims.
 */
static int load_weights(struct rm_model *m, const char *dir, bool train)
{
	char *path = rm_model_path(dir, RM_MODEL_WEIGHTS);
	struct rm_safetensors *st = path ? rm_safetensors_open(path) : NULL;
	int status = st ? rm_model_check_tensors(m, st) : -1;

	if (st && status < 0)
		rm_wrap("%s", path);
	if (status == 0)
		status = rm_params_alloc(&m->params, train);
	if (status == 0)
		copy_weights(m, st);
	rm_safetensors_close(st);
	free(path);
	return status;
}

struct rm_model *rm_model_load(const char *dir, bool train)
{
	struct rm_fingerprint is, expected;
	struct rm_model *m = rm_model_load_frame(dir, &expected);

	if (!m)
		return NULL;
	if (load_weights(m, dir, train) < 0)
		goto fail;
	is = rm_model_fingerprint(m);
	if (strcmp(is.hex, expected.hex) == 0)
		return m;
	rm_fail("%s: config, head or weights differ from the fingerprint in "
		"%s (rm-model check says where)", dir, RM_MODEL_RM);
fail:
	rm_model_free(m);
	return NULL;
}

struct rm_tokenizer *rm_model_tokenizer(const struct rm_model *m,
					const char *dir)
{
	struct rm_tokenizer *t =
		rm_tokenizer_from_files(&m->origin.tokenizer);
	struct rm_fingerprint fp;

	if (!t) {
		rm_wrap("%s", dir);
		return NULL;
	}
	fp = rm_tokenizer_fingerprint(t);
	if (strcmp(fp.hex, m->origin.tokenizer_fp.hex) == 0)
		return t;
	rm_tokenizer_free(t);
	return rm_fail_null("%s/tokenizer.json: fingerprint %s, but rm.json "
			    "has %s: not the tokenizer that the model was "
			    "trained with", dir, fp.hex,
			    m->origin.tokenizer_fp.hex);
}

/* The same bytes, of which the stream says what the model says. */
static bool has_same_tokenizer(const struct rm_model *m,
			       const struct rm_header *stream)
{
	const struct rm_file *a = rm_files_find(&m->origin.tokenizer,
						"tokenizer.json");
	const struct rm_file *b = rm_files_find(&stream->tokenizer,
						"tokenizer.json");

	return a && b && a->len == b->len &&
	       memcmp(a->data, b->data, a->len) == 0 &&
	       strcmp(m->origin.tokenizer_fp.hex,
		      stream->tokenizer_fp.hex) == 0;
}

int rm_model_check_tokenizer(const struct rm_model *m, const char *dir,
			     const struct rm_header *stream)
{
	struct rm_tokenizer *t;

	if (has_same_tokenizer(m, stream))
		return 0;
	t = rm_model_tokenizer(m, dir);
	rm_tokenizer_free(t);
	return t ? 0 : -1;
}
