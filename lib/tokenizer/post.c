/*
 * Special tokens: what the post-processor puts around texts, and what
 * tokenizer_config.json names.  The types of post-processors differ in how
 * they say it; all come to runs of ids at two or three places.
 */
#include "tokenizer/parts.h"

#include <string.h>

/* ---- post-processors ---- */

/* Where the ids of a rule go: before the first text, after each. */
struct places {
	struct rm_special_run *run[3];
	int32_t *type[2];	/* of the texts */
	size_t n_texts;
};

static int put(struct rm_special_run *run, json_int_t id, int32_t type,
	       const struct rm_vocab *vocab)
{
	if (id < 0 || id >= (json_int_t)vocab->n ||
	    !rm_vocab_token(vocab, (size_t)id))
		return rm_fail("id %lld is not of the vocabulary",
			       (long long)id);
	if (run->n == RM_MAX_SPECIAL)
		return rm_fail("more than %d special tokens together",
			       RM_MAX_SPECIAL);
	run->id[run->n] = (int32_t)id;
	run->type[run->n++] = type;
	return 0;
}

/* The ids under that name in the template's special_tokens. */
static int put_named(struct rm_special_run *run, const json_t *tokens,
		     const char *name, int32_t type,
		     const struct rm_vocab *vocab)
{
	const json_t *ids = json_object_get(json_object_get(tokens, name),
					    "ids");

	if (!json_is_array(ids))
		return rm_fail("\"%s\": no ids under special_tokens", name);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const json_t *id = json_array_get(ids, i);

		if (!json_is_integer(id))
			return rm_fail("\"%s\": an id is no whole number",
				       name);
		if (put(run, json_integer_value(id), type, vocab) < 0)
			return rm_wrap("\"%s\"", name);
	}
	return 0;
}

/* A piece of a template: a special token, or text number *at. */
static int load_piece(const json_t *piece, const json_t *tokens,
		      const struct places *to, size_t *at,
		      const struct rm_vocab *vocab)
{
	const json_t *special = json_object_get(piece, "SpecialToken");
	const json_t *text = json_object_get(piece, "Sequence");
	const json_t *body = special ? special : text;
	const char *id;
	size_t type;

	if (!body)
		return rm_fail("neither a SpecialToken nor a Sequence");
	if (rm_json_get_string(body, "id", "piece", &id) < 0 ||
	    rm_json_get_size(body, "type_id", "piece", &type) < 0)
		return -1;
	if (type > INT32_MAX)
		return rm_fail("type_id %zu is too large", type);
	if (special)
		return put_named(to->run[*at], tokens, id, (int32_t)type,
				 vocab);
	if (*at == to->n_texts || strcmp(id, *at ? "B" : "A") != 0)
		return rm_fail("Sequence %s, not %s", id, to->n_texts == 1 ?
			       "A once" : "A once, then B once");
	*to->type[(*at)++] = (int32_t)type;
	return 0;
}

static int load_pieces(const json_t *json, const char *name,
		       const struct places *to, const struct rm_vocab *vocab)
{
	const json_t *list = json_object_get(json, name);
	const json_t *tokens = json_object_get(json, "special_tokens");
	size_t at = 0;

	if (!json_is_array(list))
		return rm_fail("no list \"%s\"", name);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (load_piece(json_array_get(list, i), tokens, to, &at,
			       vocab) < 0)
			return rm_wrap("%s: piece %zu", name, i);
	if (at < to->n_texts)
		return rm_fail("%s: no Sequence %s", name, at ? "B" : "A");
	return 0;
}

static int load_template(struct rm_post *p, const json_t *json,
			 const struct rm_vocab *vocab)
{
	int32_t type;
	const struct places one = {
		{ &p->before, &p->after }, { &type }, 1
	};
	const struct places two = {
		{ &p->pair_before, &p->pair_between, &p->pair_after },
		{ &p->type_a, &p->type_b }, 2
	};

	p->has_pair = true;
	if (load_pieces(json, "single", &one, vocab) < 0)
		return -1;
	return load_pieces(json, "pair", &two, vocab);
}

/* ["[SEP]", 102] */
static int get_token(const json_t *json, const char *name, json_int_t *id)
{
	const json_t *pair = json_object_get(json, name);
	const json_t *value = json_array_get(pair, 1);

	if (json_array_size(pair) != 2 || !json_is_integer(value) ||
	    !json_is_string(json_array_get(pair, 0)))
		return rm_fail("\"%s\" is no token and id", name);
	*id = json_integer_value(value);
	return 0;
}

/*
 * cls A sep, and of two texts cls A sep B sep, B and its sep of type 1; as
 * RoBERTa has it, with sep twice between and nothing but type 0.
 */
static int load_bert(struct rm_post *p, const json_t *json,
		     const struct rm_vocab *vocab, bool roberta)
{
	int32_t type_b = roberta ? 0 : 1;
	json_int_t cls, sep;

	if (get_token(json, "cls", &cls) < 0 ||
	    get_token(json, "sep", &sep) < 0)
		return -1;
	p->has_pair = true;
	p->type_b = type_b;
	if (put(&p->before, cls, 0, vocab) < 0 ||
	    put(&p->pair_before, cls, 0, vocab) < 0)
		return rm_wrap("cls");
	if (put(&p->after, sep, 0, vocab) < 0 ||
	    put(&p->pair_between, sep, 0, vocab) < 0 ||
	    (roberta && put(&p->pair_between, sep, 0, vocab) < 0) ||
	    put(&p->pair_after, sep, type_b, vocab) < 0)
		return rm_wrap("sep");
	return 0;
}

static int load_post(struct rm_post *p, const json_t *json,
		     const struct rm_vocab *vocab);

/* ByteLevel among its members is about offsets only. */
static int load_sequence(struct rm_post *p, const json_t *json,
			 const struct rm_vocab *vocab)
{
	const json_t *list = json_object_get(json, "processors");

	if (!json_is_array(list))
		return rm_fail("no list \"processors\"");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (load_post(p, json_array_get(list, i), vocab) < 0)
			return -1;
	return 0;
}

static int load_post(struct rm_post *p, const json_t *json,
		     const struct rm_vocab *vocab)
{
	const char *type;
	int err;

	if (rm_json_get_string(json, "type", "post_processor", &type) < 0)
		return -1;
	if (strcmp(type, "ByteLevel") == 0)
		return 0;
	if (strcmp(type, "Sequence") == 0)
		return load_sequence(p, json, vocab);
	/* Every other type has a rule for pairs. */
	if (p->has_pair)
		err = rm_fail("a second one that adds tokens is not "
			      "supported");
	else if (strcmp(type, "TemplateProcessing") == 0)
		err = load_template(p, json, vocab);
	else if (strcmp(type, "BertProcessing") == 0)
		err = load_bert(p, json, vocab, false);
	else if (strcmp(type, "RobertaProcessing") == 0)
		err = load_bert(p, json, vocab, true);
	else
		return rm_fail("post_processor %s is not supported yet",
			       type);
	return err < 0 ? rm_wrap("post_processor %s", type) : 0;
}

int rm_post_load(struct rm_post *p, const json_t *post_processor,
		 const struct rm_vocab *vocab)
{
	*p = (struct rm_post){0};
	if (!post_processor || json_is_null(post_processor))
		return 0;
	return load_post(p, post_processor, vocab);
}

/* ---- tokens by their part ---- */

/* "bos_token": a string, or an object with "content". */
static int find_named(const json_t *config, const char *key,
		      const struct rm_vocab *vocab, int32_t *id)
{
	const json_t *value = json_object_get(config, key);

	*id = -1;
	if (!value || json_is_null(value))
		return 0;
	if (json_is_object(value))
		value = json_object_get(value, "content");
	if (!json_is_string(value))
		return rm_fail("tokenizer_config.json: %s is neither a "
			       "string nor an object with one", key);
	*id = rm_vocab_find(vocab, json_string_value(value),
			    json_string_length(value));
	return 0;
}

static int find_pad(struct rm_special *s, const json_t *tokenizer,
		    const struct rm_vocab *vocab)
{
	static const char *const usual[] = { "[PAD]", "<pad>" };
	const json_t *padding = json_object_get(tokenizer, "padding");
	size_t id;

	if (s->pad >= 0)
		return 0;
	if (json_is_object(padding)) {
		if (rm_json_opt_size(padding, "pad_id", "padding", SIZE_MAX,
				     &id) < 0)
			return -1;
		if (id != SIZE_MAX && id >= vocab->n)
			return rm_fail("padding: pad_id %zu is not of the "
				       "vocabulary", id);
		s->pad = id == SIZE_MAX ? -1 : (int32_t)id;
	}
	for (size_t i = 0; i < RM_COUNT(usual) && s->pad < 0; i++)
		s->pad = rm_vocab_find(vocab, usual[i], strlen(usual[i]));
	return 0;
}

int rm_special_load(struct rm_special *s, const json_t *tokenizer,
		    const json_t *config, const struct rm_vocab *vocab)
{
	if (config && !json_is_object(config))
		return rm_fail("tokenizer_config.json: no JSON object");
	if (find_named(config, "bos_token", vocab, &s->bos) < 0 ||
	    find_named(config, "eos_token", vocab, &s->eos) < 0 ||
	    find_named(config, "pad_token", vocab, &s->pad) < 0)
		return -1;
	if (rm_opt_bool(config, "add_eos_token", false, &s->add_eos) < 0)
		return rm_wrap("tokenizer_config.json");
	return find_pad(s, tokenizer, vocab);
}
