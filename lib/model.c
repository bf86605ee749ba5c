/* model: a reward model in memory; see model.h. */
#include "model/internal.h"
#include "lora.h"

#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

static bool is_named(const json_t *part, const char *name)
{
	const char *its = json_string_value(json_object_get(part, "name"));

	return its && strcmp(its, name) == 0;
}

/* The native head is what config.json says. */
static struct rm_head *make_head(struct rm_model *m)
{
	json_t *config = json_copy(m->head_config);
	struct rm_head *head = NULL;

	if (!config || (is_named(config, RM_MODEL_NATIVE) && m->config &&
			json_object_set(config, "config", m->config) < 0))
		rm_fail("out of memory");
	else
		head = rm_head_new(config, m->encoder, &m->params);
	json_decref(config);
	return head;
}

static struct rm_encoder *make_encoder(struct rm_model *m)
{
	struct rm_encoder_options o;

	return rm_head_encoding(m->head_config, &o) < 0 ? NULL :
	       rm_encoder_new(&o, m->backbone, &m->params);
}

int rm_model_build(struct rm_model *m)
{
	m->backbone = rm_backbone_new(m->backbone_config, m->vocab,
				      &m->params);
	if (!m->backbone)
		return -1;
	m->first_of_head = m->params.n;
	m->encoder = make_encoder(m);
	if (!m->encoder)
		return -1;
	m->prompt = m->encoder->prompt;
	m->first_of_scores = m->params.n;
	m->head = make_head(m);
	m->n_tensors = m->params.n;
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

const char *rm_model_usual_head(const json_t *backbone)
{
	return is_named(backbone, RM_MODEL_TRANSFORMER) ? RM_MODEL_NATIVE :
							  "linear";
}

int rm_model_check_parts(const json_t *backbone, const json_t *head)
{
	const struct rm_backbone_kind *kind = rm_backbone_kind_of(backbone);
	struct rm_encoder_options o;

	if (!kind || rm_head_encoding(head, &o) < 0)
		return -1;
	if (is_named(head, RM_MODEL_NATIVE) && !kind->spec.described)
		return rm_fail("head %s does not stand on backbone %s: it is "
			       "a transformer's", RM_MODEL_NATIVE,
			       kind->spec.name);
	if (rm_encoder_check(&o, kind) < 0)
		return rm_wrap("head %s", json_string_value(
			json_object_get(head, "name")));
	return 0;
}

/* Room that lets the directions of several columns begin far from parallel. */
#define ROOM 4

/* The width of a row that was left open. */
static int fit_width(struct rm_model *m)
{
	const char *key = rm_backbone_kind_of(m->backbone_config)->width;
	const json_t *width = json_object_get(m->backbone_config,
					      key ? key : "");
	size_t columns;

	if (!width || json_integer_value(width) > 0)
		return 0;
	if (rm_head_columns(m->head_config, &columns) < 0)
		return -1;
	if (columns > 1)
		columns *= ROOM;
	return json_object_set_new(m->backbone_config, key,
				   json_integer((json_int_t)columns)) < 0 ?
	       rm_fail("out of memory") : 0;
}

struct rm_model *rm_model_new(const json_t *backbone, const json_t *head,
			      const struct rm_header *origin,
			      const struct rm_model_training *training)
{
	struct rm_model *m = rm_calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->backbone_config = json_deep_copy(backbone);
	m->head_config = json_deep_copy(head);
	m->objective = json_null();
	m->calibration = json_null();
	m->recorded = m->made_new = true;
	if (rm_model_check_parts(backbone, head) == 0 &&
	    fit_width(m) == 0 && rm_model_find_pooling(m) == 0 &&
	    take_origin(m, origin) == 0 && count_vocab(m) == 0 &&
	    rm_model_describe_new(m) == 0 && rm_model_build(m) == 0 &&
	    rm_model_alloc(m, training) == 0)
		return m;
	rm_model_free(m);
	return NULL;
}

void rm_model_free(struct rm_model *m)
{
	if (!m)
		return;
	rm_head_free(m->head);
	rm_encoder_free(m->encoder);
	rm_backbone_free(m->backbone);
	rm_params_fini(&m->params);
	json_decref(m->config);
	free(m->arch);
	json_decref(m->backbone_config);
	json_decref(m->head_config);
	json_decref(m->objective);
	json_decref(m->calibration);
	rm_header_fini(&m->origin);
	free(m);
}

/* No step moves the row of the pad id: nothing, as in Transformers. */
static void clear_pad(struct rm_model *m)
{
	const struct rm_arch *a = m->arch;
	struct rm_buf name = {0};
	int i = -1;

	if (a->pad < 0 || !(a->slot[RM_TOKENS].flags & RM_PAD_FIXED))
		return;
	rm_arch_name(a, RM_TOKENS, 0, ".weight", &name);
	if (rm_buf_text(&name))
		i = rm_params_find(&m->params, (char *)name.data);
	if (i >= 0)
		memset(m->params.param[i].value + (size_t)a->pad * a->embed,
		       0, a->embed * sizeof(rm_real));
	rm_buf_fini(&name);
}

void rm_model_init(struct rm_model *m, uint64_t seed)
{
	rm_params_init(&m->params, seed);
	if (m->arch)
		clear_pad(m);
}

void rm_model_init_head(struct rm_model *m, uint64_t seed)
{
	for (size_t i = m->first_of_head; i < m->n_tensors; i++)
		rm_params_init_one(&m->params, i, seed);
}

int rm_model_init_lora(struct rm_model *m, uint64_t seed)
{
	return rm_lora_start(&m->params, seed);
}

int rm_model_set_dropout(struct rm_model *m, double p)
{
	if (!m->arch)
		return rm_fail("dropout of this model is its head's, which "
			       "stays as it is");
	if (rm_arch_dropout(m->arch, p, m->dropout) < 0)
		return -1;
	m->backbone->dropout = m->head->dropout = m->dropout;
	return 0;
}

void rm_model_set_objective(struct rm_model *m, const json_t *objective)
{
	json_decref(m->objective);
	m->objective = json_deep_copy(objective);
}

int rm_model_ready(struct rm_model *m, enum rm_precision precision)
{
	return rm_lora_merge(&m->params) < 0 ? -1 :
	       rm_backbone_ready(m->backbone, precision);
}

int rm_model_set_types(struct rm_model *m, const json_t *policy)
{
	const json_t *types = json_object_get(policy, "types");
	size_t n = m->arch && m->arch->types ? m->arch->types : 1;

	for (size_t i = 0; i < 2; i++) {
		const json_t *v = json_array_get(types, i);
		json_int_t type = json_integer_value(v);

		if (types && !json_is_integer(v))
			return rm_fail("policy: types are not two numbers");
		/* A family without types looks at none. */
		if (m->arch && !m->arch->types)
			type = 0;
		if (type < 0 || (m->arch && (size_t)type >= n))
			return rm_fail("policy: token type %lld, the model "
				       "has %zu", (long long)type, n);
		m->backbone->types[i] = m->arch ? (int32_t)type : 0;
	}
	return 0;
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

struct rm_hidden *rm_model_hidden(struct rm_model *m,
				  const struct rm_batch *batch)
{
	return check_ids(m, batch) < 0 ? NULL :
	       rm_encoder_forward(m->encoder, batch);
}

int rm_model_backward(struct rm_model *m, const struct rm_batch *batch)
{
	return rm_encoder_backward(m->encoder, batch);
}

const rm_real *rm_model_forward(struct rm_model *m,
				const struct rm_batch *batch)
{
	struct rm_hidden *hidden = rm_model_hidden(m, batch);

	return hidden ? rm_head_forward(m->head, batch, hidden) : NULL;
}

/* ---- parameters as tensors ---- */

void rm_model_describe(struct rm_safetensor *t, const struct rm_param *p)
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
	t->tensor = rm_calloc(m->n_tensors, sizeof(*t->tensor));
	t->copy = rm_calloc(m->n_tensors, sizeof(*t->copy));
	t->n = m->n_tensors;
	if (!t->tensor || !t->copy)
		return -1;
	for (size_t i = 0; i < t->n; i++) {
		const struct rm_param *p = &params->param[i];

		rm_model_describe(&t->tensor[i], p);
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
	rm_buf_printf(&b, "pooling %s\n", m->pooling);
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
