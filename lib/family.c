#include "family.h"
#include "op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "family_table.h"

/* Bound what a config can claim. */
#define MAX_SIZE ((size_t)1 << 28)
#define MAX_LABELS 65535

const char *const *rm_family_names(void)
{
	static const char *names[RM_COUNT(rm_family_kinds)];

	for (size_t i = 0; rm_family_kinds[i]; i++)
		names[i] = rm_family_kinds[i]->model_type;
	return names;
}

/* ---- keys ---- */

/* The value of a key; NULL if it is missing or null. */
static const json_t *value_of(const json_t *config, const char *key)
{
	const json_t *v = json_object_get(config, key);

	return json_is_null(v) ? NULL : v;
}

static int read_size(const json_t *v, const struct rm_config_key *k,
		     void *member)
{
	size_t n = (size_t)k->otherwise;

	if (v && (!json_is_integer(v) || json_integer_value(v) < 0 ||
		  (size_t)json_integer_value(v) > MAX_SIZE))
		return rm_fail("%s is no whole number up to %zu", k->key,
			       MAX_SIZE);
	if (v)
		n = (size_t)json_integer_value(v);
	memcpy(member, &n, sizeof(n));
	return 0;
}

static int read_real(const json_t *v, const struct rm_config_key *k,
		     void *member)
{
	double x = v ? json_number_value(v) : k->otherwise;

	if (v && (!json_is_number(v) || !isfinite(x)))
		return rm_fail("%s is no number", k->key);
	memcpy(member, &x, sizeof(x));
	return 0;
}

static int read_flag(const json_t *v, const struct rm_config_key *k,
		     void *member)
{
	bool b = v ? json_is_true(v) : k->otherwise != 0;

	if (v && !json_is_boolean(v))
		return rm_fail("%s is not true or false", k->key);
	memcpy(member, &b, sizeof(b));
	return 0;
}

/* Transformers' names of activations and ours. */
static const char *const activations[][2] = {
	{ "gelu", "gelu" }, { "gelu_python", "gelu" },
	{ "gelu_new", "gelu_tanh" }, { "gelu_fast", "gelu_tanh" },
	{ "gelu_pytorch_tanh", "gelu_tanh" },
	{ "quick_gelu", "quick_gelu" }, { "relu", "relu" },
	{ "silu", "silu" }, { "swish", "silu" }, { "tanh", "tanh" },
	{ "linear", "identity" },
};

size_t rm_family_activation(const char *name)
{
	size_t i = 0;

	while (rm_activation_names[i] &&
	       strcmp(rm_activation_names[i], name) != 0)
		i++;
	return i;
}

static int read_activation(const json_t *v, const struct rm_config_key *k,
			   void *member)
{
	const char *name = v ? json_string_value(v) : k->text;

	for (size_t i = 0; name && i < RM_COUNT(activations); i++) {
		if (strcmp(activations[i][0], name) != 0)
			continue;
		size_t n = rm_family_activation(activations[i][1]);
		if (!rm_activation_names[n])
			break;
		memcpy(member, &n, sizeof(n));
		return 0;
	}
	return rm_fail("%s \"%s\" is not computed here", k->key,
		       name ? name : "");
}

static int check_only(const json_t *v, const struct rm_config_key *k)
{
	json_t *only;
	char *is;

	if (!v)
		return 0;
	only = rm_json_parse(k->text, strlen(k->text));
	bool same = only && json_equal(v, only);
	json_decref(only);
	if (same)
		return 0;
	is = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	rm_fail("%s %.60s is not computed here, only %s", k->key,
		is ? is : "", k->text);
	free(is);
	return -1;
}

static int read_dropout(struct rm_arch *a, const json_t *v,
			const struct rm_config_key *k)
{
	double p = v ? json_number_value(v) : k->otherwise;

	if (v && !(json_is_number(v) && p >= 0 && p < 1))
		return rm_fail("%s is no number from 0 to below 1", k->key);
	if (p < 0)
		return 0;
	a->drops[k->offset] = true;
	a->dropout[k->offset] = p;
	return 0;
}

static int read_key(struct rm_arch *a, const json_t *config,
		    const struct rm_config_key *k)
{
	const json_t *v = value_of(config, k->key);
	void *member = (unsigned char *)a + k->offset;

	switch (k->type) {
	case RM_CONFIG_SIZE_TYPE:
		return read_size(v, k, member);
	case RM_CONFIG_REAL_TYPE:
		return read_real(v, k, member);
	case RM_CONFIG_FLAG_TYPE:
		return read_flag(v, k, member);
	case RM_CONFIG_ACT_TYPE:
		return read_activation(v, k, member);
	case RM_CONFIG_ONLY_TYPE:
		return check_only(v, k);
	case RM_CONFIG_DROPOUT_TYPE:
		return read_dropout(a, v, k);
	case RM_CONFIG_END:
	default:
		return 0;
	}
}

/* Keys that all classes of Transformers read. */
static const struct rm_config_key common[] = {
	RM_CONFIG_ONLY("pruned_heads", "{}"),
	RM_CONFIG_ONLY("is_decoder", "false"),
	RM_CONFIG_ONLY("is_encoder_decoder", "false"),
	RM_CONFIG_ONLY("add_cross_attention", "false"),
	RM_CONFIG_ONLY("quantization_config", "{}"),
	{ .type = RM_CONFIG_END }
};

static int read_keys(struct rm_arch *a, const json_t *config,
		     const struct rm_config_key *k)
{
	for (; k->type; k++)
		if (read_key(a, config, k) < 0)
			return -1;
	return 0;
}

/* The number of labels is that of id2label, two where there is none. */
static int read_labels(struct rm_arch *a, const json_t *config)
{
	const json_t *names = value_of(config, "id2label");
	const json_t *n = value_of(config, "num_labels");

	a->labels = 2;
	if (names && !json_is_object(names))
		return rm_fail("id2label is no object");
	if (names)
		a->labels = json_object_size(names);
	else if (json_is_integer(n) && json_integer_value(n) > 0 &&
		 json_integer_value(n) <= MAX_LABELS)
		a->labels = (size_t)json_integer_value(n);
	return a->labels ? 0 : rm_fail("id2label has no label");
}

static int read_pad(struct rm_arch *a, const json_t *config)
{
	const json_t *pad = json_object_get(config, "pad_token_id");

	if (!pad)
		return 0;
	if (json_is_null(pad)) {
		a->pad = -1;
		return 0;
	}
	if (!json_is_integer(pad) || json_integer_value(pad) < -1 ||
	    json_integer_value(pad) > INT32_MAX)
		return rm_fail("pad_token_id is no token id");
	a->pad = (int32_t)json_integer_value(pad);
	return 0;
}

/* ---- checks ---- */

static int check_sizes(const struct rm_arch *a)
{
	const struct {
		const char *name;
		size_t n, most;
	} sizes[] = {
		{ "vocabulary", a->vocab, MAX_SIZE },
		{ "hidden size", a->hidden, 1 << 16 },
		{ "embedding size", a->embed, 1 << 16 },
		{ "number of layers", a->layers, RM_MAX_LAYERS },
		{ "number of attention heads", a->heads, 1 << 12 },
		{ "number of key and value heads", a->kv_heads, 1 << 12 },
		{ "head size", a->head_dim, 1 << 12 },
		{ "feed-forward size", a->ffn, 1 << 20 },
	};

	for (size_t i = 0; i < RM_COUNT(sizes); i++)
		if (sizes[i].n == 0 || sizes[i].n > sizes[i].most)
			return rm_fail("a %s of %zu: not from 1 to %zu",
				       sizes[i].name, sizes[i].n,
				       sizes[i].most);
	if (a->heads % a->kv_heads != 0)
		return rm_fail("%zu attention heads do not share %zu key and "
			       "value heads evenly", a->heads, a->kv_heads);
	if (a->rotary % 2 != 0 || a->rotary > a->head_dim)
		return rm_fail("%zu of %zu numbers of a head cannot rotate",
			       a->rotary, a->head_dim);
	if (!(a->eps >= 0) || !isfinite(a->eps))
		return rm_fail("the norms' epsilon is no positive number");
	return 0;
}

/* What follows from other numbers unless a key said it. */
static int fill_in(struct rm_arch *a)
{
	if (a->embed == 0)
		a->embed = a->hidden;
	if (a->kv_heads == 0)
		a->kv_heads = a->heads;
	if (a->head_dim == 0 && a->heads) {
		a->head_dim = a->hidden / a->heads;
		if (a->head_dim * a->heads != a->hidden)
			return rm_fail("a hidden size of %zu is no multiple "
				       "of %zu attention heads", a->hidden,
				       a->heads);
	}
	if (a->scale == 0 && a->head_dim)
		a->scale = 1 / sqrt((double)a->head_dim);
	if (a->rope.theta > 0 && a->rotary == 0)
		a->rotary = a->head_dim;
	return 0;
}

const struct rm_family_kind *rm_family_find(const char *model_type)
{
	struct rm_buf b = {0};

	for (size_t i = 0; rm_family_kinds[i]; i++)
		if (strcmp(rm_family_kinds[i]->model_type, model_type) == 0)
			return rm_family_kinds[i];
	rm_join_names(&b, rm_family_names());
	rm_fail("model_type \"%s\" is not computed here; there are %s",
		model_type, rm_buf_text(&b) ? rm_buf_text(&b) : "");
	rm_buf_fini(&b);
	return NULL;
}

int rm_arch_init(struct rm_arch *a, const json_t *config)
{
	const struct rm_family_kind *f;
	const char *type;

	if (rm_json_get_string(config, "model_type", "config.json",
			       &type) < 0)
		return -1;
	f = rm_family_find(type);
	if (!f)
		return -1;
	*a = f->arch;
	a->family = f;
	for (const struct rm_tensor_name *t = f->tensors; t->name; t++)
		a->slot[t->slot] = *t;
	if (read_keys(a, config, common) < 0 ||
	    read_keys(a, config, f->keys) < 0 ||
	    read_labels(a, config) < 0 || read_pad(a, config) < 0)
		return -1;
	if (a->layers > RM_MAX_LAYERS)
		return rm_fail("%zu layers, more than %d", a->layers,
			       RM_MAX_LAYERS);
	if ((f->finish && f->finish(a, config) < 0) || fill_in(a) < 0)
		return -1;
	return check_sizes(a);
}

int rm_arch_dropout(const struct rm_arch *a, double p,
		    double rate[RM_DROP_SITES])
{
	if (isnan(p) && a->layer_drop > 0)
		return rm_fail("layerdrop %g is not computed here",
			       a->layer_drop);
	for (size_t i = 0; i < RM_DROP_SITES; i++)
		rate[i] = !a->drops[i] ? 0 : isnan(p) ? a->dropout[i] : p;
	return 0;
}

/* ---- tensors ---- */

bool rm_arch_has(const struct rm_arch *a, enum rm_slot slot, size_t layer)
{
	const struct rm_tensor_name *t = &a->slot[slot];

	return t->name && !(t->flags & RM_NOT_FIRST && layer == 0);
}

void rm_arch_name(const struct rm_arch *a, enum rm_slot slot, size_t layer,
		  const char *suffix, struct rm_buf *out)
{
	const char *name = a->slot[slot].name;
	const char *at = strchr(name, '%');

	if (!at) {
		rm_buf_puts(out, name);
	} else {
		rm_buf_append(out, name, (size_t)(at - name));
		rm_buf_printf(out, "%zu%s", layer, at + 1);
	}
	rm_buf_puts(out, suffix);
}

static size_t matrix(size_t shape[2], size_t rows, size_t columns)
{
	shape[0] = rows;
	shape[1] = columns;
	return 2;
}

static size_t vector(size_t shape[2], size_t n)
{
	shape[0] = n;
	shape[1] = 1;
	return 1;
}

/* As a product from inputs to outputs. */
static size_t shape_of(const struct rm_arch *a, enum rm_slot slot,
		       size_t s[2])
{
	size_t C = a->hidden, HD = a->heads * a->head_dim;
	size_t GD = a->kv_heads * a->head_dim;

	switch (slot) {
	case RM_TOKENS:
		return matrix(s, a->vocab, a->embed);
	case RM_POSITIONS:
		return matrix(s, a->positions,
			      a->in_before_positions ? C : a->embed);
	case RM_TYPES:
		return matrix(s, a->types, a->embed);
	case RM_EMBED_IN:
		return matrix(s, C, a->embed);
	case RM_EMBED_OUT:
		return matrix(s, a->embed, C);
	case RM_RELATIVE:
		return matrix(s, 2 * a->span, C);
	case RM_QKV:
		return matrix(s, HD + 2 * GD, C);
	case RM_Q:
	case RM_POS_KEY:
	case RM_POS_QUERY:
		return matrix(s, HD, C);
	case RM_K:
	case RM_V:
		return matrix(s, GD, C);
	case RM_Q_NORM:
	case RM_K_NORM:
		return vector(s, a->head_dim);
	case RM_ATTENTION_OUT:
		return matrix(s, C, HD);
	case RM_GATE_UP:
		return matrix(s, 2 * a->ffn, C);
	case RM_GATE:
	case RM_UP:
		return matrix(s, a->ffn, C);
	case RM_DOWN:
		return matrix(s, C, a->ffn);
	case RM_HEAD_DENSE:
		return matrix(s, C, C);
	case RM_HEAD_OUT:
		return matrix(s, a->labels,
			      a->slot[RM_EMBED_OUT].name ? a->embed : C);
	default:
		return vector(s, C);
	}
}

size_t rm_arch_shape(const struct rm_arch *a, enum rm_slot slot,
		     size_t shape[2])
{
	size_t n = shape_of(a, slot, shape), rows = shape[0];

	if (a->slot[slot].flags & RM_TRANSPOSED) {
		shape[0] = shape[1];
		shape[1] = rows;
	}
	return n;
}

/* Whether name is pattern, or begins as it does up to a *. */
static bool matches(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, name, n - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

bool rm_arch_ignores(const struct rm_arch *a, const char *name)
{
	/* Buffers that older versions saved. */
	static const char *const buffers[] = {
		"position_ids", ".inv_freq", ".attn.bias",
		".attn.masked_bias", ".attention.bias",
		".attention.masked_bias"
	};

	for (size_t i = 0; i < RM_COUNT(buffers); i++)
		if (ends_in(name, buffers[i]))
			return true;
	for (size_t i = 0; a->family->ignored && a->family->ignored[i]; i++)
		if (matches(a->family->ignored[i], name))
			return true;
	return false;
}

void rm_family_without(struct rm_arch *a, enum rm_slot slot)
{
	a->slot[slot].name = NULL;
}

void rm_family_no_bias(struct rm_arch *a, enum rm_slot slot)
{
	a->slot[slot].flags &= ~(unsigned)RM_BIAS;
}

/* ---- positions ---- */

static int rope_number(const json_t *o, const char *key, double *out)
{
	const json_t *v = value_of(o, key);

	if (!v || !json_is_number(v) || !(json_number_value(v) > 0))
		return rm_fail("rope: %s is missing or no positive number",
			       key);
	*out = json_number_value(v);
	return 0;
}

static int rope_kind(struct rm_rope *r, const json_t *o)
{
	const json_t *type = value_of(o, "rope_type");
	const char *name;

	if (!type)
		type = value_of(o, "type");
	name = type ? json_string_value(type) : "default";
	if (name && strcmp(name, "default") == 0) {
		r->kind = RM_ROPE_PLAIN;
		return 0;
	}
	if (name && strcmp(name, "linear") == 0) {
		r->kind = RM_ROPE_LINEAR;
		return rope_number(o, "factor", &r->factor);
	}
	if (!name || strcmp(name, "llama3") != 0)
		return rm_fail("rope type \"%s\" is not computed here; there "
			       "are default, linear, llama3",
			       name ? name : "");
	r->kind = RM_ROPE_LLAMA3;
	if (rope_number(o, "factor", &r->factor) < 0 ||
	    rope_number(o, "low_freq_factor", &r->low_freq) < 0 ||
	    rope_number(o, "high_freq_factor", &r->high_freq) < 0 ||
	    rope_number(o, "original_max_position_embeddings",
			&r->original) < 0)
		return -1;
	if (!(r->high_freq > r->low_freq))
		return rm_fail("rope: high_freq_factor is not above "
			       "low_freq_factor");
	return 0;
}

/* One object of the new form, {"rope_type", "rope_theta", ...}. */
static int rope_object(struct rm_arch *a, struct rm_rope *r, const json_t *o,
		       double theta, double *rotary)
{
	const json_t *v = value_of(o, "rope_theta");

	if (!json_is_object(o))
		return rm_fail("rope_parameters is no object");
	r->theta = v ? json_number_value(v) : theta;
	if (!(r->theta > 0) || !isfinite(r->theta))
		return rm_fail("rope_theta is no positive number");
	v = value_of(o, "partial_rotary_factor");
	if (v)
		*rotary = json_number_value(v);
	(void)a;
	return rope_kind(r, o);
}

int rm_family_rope(struct rm_arch *a, const json_t *config,
		   const char *theta_key, double theta,
		   const char *rotary_key, double rotary)
{
	const json_t *new = value_of(config, "rope_parameters");
	const json_t *old = value_of(config, "rope_scaling"), *v;
	size_t D = a->head_dim ? a->head_dim : a->hidden /
		   (a->heads ? a->heads : 1);
	json_t *none = NULL;
	int status;

	v = value_of(config, theta_key);
	if (v)
		theta = json_number_value(v);
	v = rotary_key ? value_of(config, rotary_key) : NULL;
	if (v)
		rotary = json_number_value(v);
	if (!new && !old)
		old = none = json_object();
	status = rope_object(a, &a->rope, new ? new : old, theta, &rotary);
	json_decref(none);
	if (!(rotary > 0 && rotary <= 1))
		return rm_fail("a partial rotary factor not within 0 and 1");
	a->rotary = (size_t)((double)D * rotary);
	if (D && a->rotary == 0)
		return rm_fail("a partial rotary factor of %g leaves none of "
			       "the %zu numbers of a head", rotary, D);
	return status;
}

/*
 * Heinecke's and others' rule, as published for Llama 3.1: wavelengths
 * longer than the old context turn slower by `factor`, short ones as they
 * did, those between by something between.
 */
static float llama3(const struct rm_rope *r, float f)
{
	double wave = 2 * M_PI / (double)f, smooth;

	if (wave < r->original / r->high_freq)
		return f;
	if (wave > r->original / r->low_freq)
		return f / (float)r->factor;
	smooth = (r->original / wave - r->low_freq) /
		 (r->high_freq - r->low_freq);
	return (float)((1 - smooth) * (double)f / r->factor +
		       smooth * (double)f);
}

void rm_arch_frequencies(const struct rm_arch *a, bool sliding,
			 float *frequency)
{
	const struct rm_rope *r = sliding && a->rope_sliding.theta > 0 ?
		&a->rope_sliding : &a->rope;

	for (size_t j = 0; j < a->rotary / 2; j++) {
		float power = (float)(2 * j) / (float)a->rotary;
		float f = 1 / powf((float)r->theta, power);

		if (r->kind == RM_ROPE_LINEAR)
			f /= (float)r->factor;
		else if (r->kind == RM_ROPE_LLAMA3)
			f = llama3(r, f);
		frequency[j] = f;
	}
}

/*
 * He et al., DeBERTa, 2021, with the logarithmic buckets of version 2:
 * distances below half the buckets are their own, longer ones share.
 */
ptrdiff_t rm_arch_bucket(const struct rm_arch *a, ptrdiff_t distance)
{
	ptrdiff_t mid = (ptrdiff_t)a->buckets / 2;
	ptrdiff_t far = distance < 0 ? -distance : distance;
	float ratio;

	if (a->buckets == 0 || far <= mid)
		return distance;
	ratio = logf((float)far / (float)mid) /
		logf((float)(a->max_relative - 1) / (float)mid);
	far = (ptrdiff_t)ceilf(ratio * (float)(mid - 1)) + mid;
	return distance < 0 ? -far : far;
}

/* ---- layers that slide ---- */

int rm_family_sliding(struct rm_arch *a, const json_t *config,
		      bool (*otherwise)(size_t layer, size_t argument),
		      size_t argument)
{
	const json_t *types = value_of(config, "layer_types");

	if (types && (!json_is_array(types) ||
		      json_array_size(types) != a->layers))
		return rm_fail("layer_types is no list of %zu names",
			       a->layers);
	for (size_t i = 0; i < a->layers; i++) {
		const char *name = types ?
			json_string_value(json_array_get(types, i)) : NULL;

		if (!types) {
			a->sliding[i] = otherwise(i, argument);
			continue;
		}
		a->sliding[i] = name && strcmp(name, "sliding_attention") == 0;
		if (!a->sliding[i] &&
		    (!name || strcmp(name, "full_attention") != 0))
			return rm_fail("layer_types: \"%s\" is not computed "
				       "here", name ? name : "");
	}
	return 0;
}
