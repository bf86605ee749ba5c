/*
 * family: config.json of a model that is made new.
 *
 * Which keys a family has, and for what, its table of keys says; a key whose
 * number nobody chose has the class's default, written out, so that the
 * directory means the same to any version of the class.
 */
#include "family.h"

#include <string.h>

/* Feed-forward parts of this many channels and its multiples. */
#define FFN_STEP 32

const struct rm_key rm_family_choice_keys[] = {
	RM_KEY_NAMES("family", struct rm_family_choice, family,
		     rm_family_names, "bert",
		     "whose layers, norms, positions and head"),
	RM_KEY_SIZE("layers", struct rm_family_choice, layers, 1,
		    RM_MAX_LAYERS, "4", "how many of them"),
	RM_KEY_SIZE("hidden", struct rm_family_choice, hidden, 1, 65536,
		    "256", "width of a hidden row"),
	RM_KEY_SIZE("heads", struct rm_family_choice, heads, 1, 4096, "4",
		    "heads of attention"),
	RM_KEY_SIZE("kv-heads", struct rm_family_choice, kv_heads, 0, 4096,
		    "0", "heads of keys and values, where the family shares "
		    "them; 0: as many"),
	RM_KEY_SIZE("ffn", struct rm_family_choice, ffn, 0, 1048576, "0",
		    "width inside the feed-forward part; 0: 4 times hidden, "
		    "8/3 times where it is gated"),
	RM_KEY_SIZE("max-length", struct rm_family_choice, max_length, 1,
		    1048576, "512", "positions: tokens of a text"),
	RM_KEY_END
};

/* ---- what a family has ---- */

static bool has_key(const struct rm_family_kind *f, size_t member)
{
	for (const struct rm_config_key *k = f->keys; k->type; k++)
		if (k->type != RM_CONFIG_ONLY_TYPE &&
		    k->type != RM_CONFIG_DROPOUT_TYPE && k->offset == member)
			return true;
	return false;
}

static bool is_gated(const struct rm_family_kind *f)
{
	for (const struct rm_tensor_name *t = f->tensors; t->name; t++)
		if (t->slot == RM_GATE || t->slot == RM_GATE_UP)
			return true;
	return false;
}

/* What a gate adds to two matrices, a narrower part saves. */
static size_t usual_ffn(const struct rm_family_kind *f, size_t hidden)
{
	size_t n = 8 * hidden / 3;

	if (!is_gated(f))
		return 4 * hidden;
	return (n + FFN_STEP - 1) / FFN_STEP * FFN_STEP;
}

/* ---- what goes together ---- */

static int check(const struct rm_family_kind *f,
		 const struct rm_family_choice *c,
		 const struct rm_family_tokens *tokens)
{
	if (c->hidden % c->heads != 0)
		return rm_fail("hidden=%zu is no multiple of heads=%zu",
			       c->hidden, c->heads);
	if (c->kv_heads && !has_key(f, offsetof(struct rm_arch, kv_heads)))
		return rm_fail("family %s has no kv-heads", f->model_type);
	if (c->kv_heads && c->heads % c->kv_heads != 0)
		return rm_fail("heads=%zu is no multiple of kv-heads=%zu",
			       c->heads, c->kv_heads);
	if (f->arch.position_skips_pad && tokens->pad < 0)
		return rm_fail("family %s counts positions by a pad token, "
			       "and the tokenizer has none", f->model_type);
	return 0;
}

/* The members that are chosen; in the others 0. */
static void choose(struct rm_arch *a, const struct rm_family_kind *f,
		   const struct rm_family_choice *c,
		   const struct rm_family_tokens *tokens)
{
	memset(a, 0, sizeof(*a));
	a->vocab = tokens->vocab;
	a->hidden = a->embed = c->hidden;
	a->layers = c->layers;
	a->heads = c->heads;
	a->kv_heads = c->kv_heads ? c->kv_heads : c->heads;
	a->head_dim = c->hidden / c->heads;
	a->ffn = c->ffn ? c->ffn : usual_ffn(f, c->hidden);
	a->positions = a->max_length = c->max_length;
	/* Rows up to the pad id's are no token's. */
	if (f->arch.position_skips_pad)
		a->positions += (size_t)tokens->pad + 1;
	/* As it is written: the number whose root divides. */
	a->scale = (double)a->head_dim;
}

/* ---- the object ---- */

static json_t *size_of(const void *member, const struct rm_config_key *k)
{
	size_t n;

	memcpy(&n, member, sizeof(n));
	return json_integer(n ? (json_int_t)n : (json_int_t)k->otherwise);
}

/* What is chosen is whole, and a class may insist on that. */
static json_t *real_of(const void *member, const struct rm_config_key *k)
{
	double x;

	memcpy(&x, member, sizeof(x));
	return x != 0 ? json_integer((json_int_t)x) : json_real(k->otherwise);
}

static json_t *value_of(const struct rm_arch *a,
			const struct rm_config_key *k)
{
	const void *member = (const unsigned char *)a + k->offset;

	switch (k->type) {
	case RM_CONFIG_SIZE_TYPE:
		return size_of(member, k);
	case RM_CONFIG_REAL_TYPE:
		return real_of(member, k);
	case RM_CONFIG_FLAG_TYPE:
		return json_boolean(k->otherwise != 0);
	case RM_CONFIG_ACT_TYPE:
		return json_string(k->text);
	case RM_CONFIG_DROPOUT_TYPE:
		/* Below 0: as another key has it. */
		return k->otherwise < 0 ? json_null() :
					  json_real(k->otherwise);
	case RM_CONFIG_ONLY_TYPE:
	case RM_CONFIG_END:
	default:
		return NULL;
	}
}

static int set_keys(json_t *config, const struct rm_family_kind *f,
		    const struct rm_arch *a)
{
	for (const struct rm_config_key *k = f->keys; k->type; k++)
		if (k->type != RM_CONFIG_ONLY_TYPE &&
		    json_object_set_new(config, k->key, value_of(a, k)) < 0)
			return -1;
	return 0;
}

/* Its class may have another tokenizer's ids by default. */
static int set_tokens(json_t *config, const struct rm_family_tokens *tokens)
{
	const struct {
		const char *key;
		int32_t id;
	} ids[] = {
		{ "pad_token_id", tokens->pad },
		{ "bos_token_id", tokens->bos },
		{ "eos_token_id", tokens->eos },
	};

	for (size_t i = 0; i < RM_COUNT(ids); i++)
		if (json_object_set_new(config, ids[i].key, ids[i].id < 0 ?
					json_null() :
					json_integer(ids[i].id)) < 0)
			return -1;
	return 0;
}

static int set_usual(json_t *config, const struct rm_family_kind *f)
{
	json_t *usual;
	int status;

	if (!f->usual)
		return 0;
	usual = rm_json_parse(f->usual, strlen(f->usual));
	status = json_object_update(config, usual);
	json_decref(usual);
	return status;
}

json_t *rm_family_config(const struct rm_family_choice *choice,
			 const struct rm_family_tokens *tokens)
{
	const char *name = rm_family_names()[choice->family];
	const struct rm_family_kind *f = rm_family_find(name);
	json_t *config;
	struct rm_arch a;

	if (!f || check(f, choice, tokens) < 0)
		return NULL;
	choose(&a, f, choice, tokens);
	config = json_pack("{s:s}", "model_type", name);
	if (set_keys(config, f, &a) < 0 || set_tokens(config, tokens) < 0 ||
	    set_usual(config, f) < 0)
		rm_fail("out of memory");
	else if (rm_arch_init(&a, config) == 0)
		return config;
	json_decref(config);
	return NULL;
}
