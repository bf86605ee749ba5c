#include "tokenizer/legacy.h"

#include "tokenizer/parts.h"

#include <string.h>

#define QWEN2 "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" \
	"\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" \
	"\\s+(?!\\S)|\\s+"

enum family { BERT, GPT2, ROBERTA, QWEN };

/* Classes of Transformers' tokenizers, without Tokenizer(Fast). */
static const struct {
	const char *class;
	enum family family;
} classes[] = {
	{ "Bert", BERT }, { "DistilBert", BERT }, { "Electra", BERT },
	{ "GPT2", GPT2 }, { "CodeGen", GPT2 },
	{ "Roberta", ROBERTA }, { "Bart", ROBERTA },
	{ "Longformer", ROBERTA },
	{ "Qwen2", QWEN },
};

struct legacy {
	const struct rm_files *files;
	struct rm_buf *out;
	json_t *config;		/* tokenizer_config.json, or NULL */
	struct rm_vocab vocab;
	enum family family;
};

/* ---- what it is ---- */

static json_t *load_json(const struct rm_files *files, const char *name)
{
	const struct rm_file *f = rm_files_find(files, name);
	json_t *json = f ? rm_json_parse_reals(f->data, f->len) : NULL;

	if (f && !json)
		rm_wrap("%s", name);
	return json;
}

static bool is_class(const char *name, const char *class)
{
	size_t n = strlen(class);

	return strncmp(name, class, n) == 0 &&
	       (strcmp(name + n, "Tokenizer") == 0 ||
		strcmp(name + n, "TokenizerFast") == 0);
}

static int find_family(struct legacy *l, bool bert)
{
	const char *class = json_string_value(json_object_get(l->config,
						"tokenizer_class"));

	l->family = bert ? BERT : GPT2;
	if (!class)
		return 0;
	for (size_t i = 0; i < RM_COUNT(classes); i++)
		if (is_class(class, classes[i].class) &&
		    (classes[i].family == BERT) == bert) {
			l->family = classes[i].family;
			return 0;
		}
	return rm_fail("tokenizer_config.json: a %s without a tokenizer.json "
		       "is not supported yet", class);
}

static bool option(const struct legacy *l, const char *key, bool otherwise)
{
	const json_t *v = json_object_get(l->config, key);

	return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

/* A special token's text: a string or an object with its content. */
static const char *special(const struct legacy *l, const char *key,
			   const char *otherwise)
{
	const json_t *v = json_object_get(l->config, key);

	if (json_is_object(v))
		v = json_object_get(v, "content");
	return json_is_string(v) ? json_string_value(v) : otherwise;
}

/* ---- its vocabulary ---- */

static int read_lines(struct legacy *l, const struct rm_file *f)
{
	const unsigned char *p = f->data, *end = p + f->len;

	for (json_int_t id = 0; p < end; id++) {
		const unsigned char *stop = memchr(p, '\n',
						   (size_t)(end - p));
		const unsigned char *line = p;
		size_t n;

		if (!stop)
			stop = end;
		p = stop + (stop < end);
		while (stop > line && (stop[-1] == ' ' || stop[-1] == '\r' ||
				       stop[-1] == '\t'))
			stop--;
		n = (size_t)(stop - line);
		if (rm_utf8_valid(line, n) != n || memchr(line, '\0', n))
			return rm_fail("%s: line %lld: not UTF-8 text",
				       f->name, (long long)id + 1);
		if (n > 0 && rm_vocab_add(&l->vocab, (const char *)line, n,
					  id) < 0)
			return rm_wrap("%s", f->name);
	}
	return 0;
}

static void put_vocab(struct legacy *l)
{
	const char *sep = "{";

	for (size_t id = 0; id < l->vocab.n; id++) {
		const char *token = rm_vocab_token(&l->vocab, id);

		if (!token)
			continue;
		rm_buf_puts(l->out, sep);
		rm_json_quote(l->out, token, strlen(token));
		rm_buf_printf(l->out, ":%zu", id);
		sep = ",";
	}
	rm_buf_puts(l->out, l->vocab.n ? "}" : "{}");
}

static int put_merges(struct legacy *l, const struct rm_file *f)
{
	const unsigned char *p = f->data, *end = p + f->len;
	const char *sep = "[";

	if (rm_utf8_valid(p, f->len) != f->len)
		return rm_fail("%s: not UTF-8", f->name);
	while (p < end) {
		const unsigned char *stop = memchr(p, '\n',
						   (size_t)(end - p));
		const unsigned char *line = p;

		if (!stop)
			stop = end;
		p = stop + (stop < end);
		while (stop > line && stop[-1] == '\r')
			stop--;
		if (stop == line || (stop - line > 8 &&
				     memcmp(line, "#version", 8) == 0))
			continue;
		rm_buf_puts(l->out, sep);
		rm_json_quote(l->out, line, (size_t)(stop - line));
		sep = ",";
	}
	rm_buf_puts(l->out, *sep == '[' ? "[]" : "]");
	return 0;
}

/* ---- its parts ---- */

static void put_string(struct legacy *l, const char *before, const char *text)
{
	rm_buf_puts(l->out, before);
	rm_json_quote(l->out, text, strlen(text));
}

static int by_id(const void *a, const void *b)
{
	const int32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The special tokens that the vocabulary has, in the order of their ids. */
static void put_added(struct legacy *l)
{
	static const char *const keys[] = {
		"unk_token", "sep_token", "pad_token", "cls_token",
		"mask_token", "bos_token", "eos_token"
	};
	static const char *const defaults[][RM_COUNT(keys)] = {
		[BERT] = { "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]" },
		[GPT2] = { "<|endoftext|>" },
		[ROBERTA] = { "<unk>", "</s>", "<pad>", "<s>", "<mask>" },
		[QWEN] = { "<|endoftext|>" },
	};
	int32_t id[RM_COUNT(keys)], last = -1;
	const char *mask = special(l, "mask_token",
				   defaults[l->family][4]), *sep = "";
	size_t n = 0;

	for (size_t i = 0; i < RM_COUNT(keys); i++) {
		const char *text = special(l, keys[i],
					   defaults[l->family][i]);

		id[n] = text ? rm_vocab_find(&l->vocab, text, strlen(text)) :
			       -1;
		n += id[n] >= 0;
	}
	for (size_t i = 1; i < n; i++)		/* a handful */
		for (size_t k = i; k > 0 && by_id(&id[k - 1], &id[k]) > 0;
		     k--) {
			int32_t x = id[k];

			id[k] = id[k - 1];
			id[k - 1] = x;
		}
	rm_buf_puts(l->out, "\"added_tokens\":[");
	for (size_t i = 0; i < n; i++) {
		const char *text = rm_vocab_token(&l->vocab, (size_t)id[i]);
		bool lstrip = l->family == ROBERTA && mask &&
			      strcmp(text, mask) == 0;

		if (id[i] == last)
			continue;
		last = id[i];
		rm_buf_printf(l->out, "%s{\"id\":%d", sep, id[i]);
		put_string(l, ",\"content\":", text);
		rm_buf_printf(l->out, ",\"single_word\":false,\"lstrip\":%s,"
			      "\"rstrip\":false,\"normalized\":false,"
			      "\"special\":true}", lstrip ? "true" : "false");
		sep = ",";
	}
	rm_buf_puts(l->out, "],");
}

static int find_special(const struct legacy *l, const char *text,
			int32_t *id)
{
	*id = rm_vocab_find(&l->vocab, text, strlen(text));
	return *id < 0 ? rm_fail("the vocabulary has no %s", text) : 0;
}

static int put_cls_sep(struct legacy *l, const char *type, const char *more)
{
	bool bert = l->family == BERT;
	const char *cls = special(l, "cls_token", bert ? "[CLS]" : "<s>");
	const char *sep = special(l, "sep_token", bert ? "[SEP]" : "</s>");
	int32_t cls_id, sep_id;

	if (find_special(l, cls, &cls_id) < 0 ||
	    find_special(l, sep, &sep_id) < 0)
		return -1;
	rm_buf_printf(l->out, "\"post_processor\":{\"type\":\"%s\",", type);
	put_string(l, "\"sep\":[", sep);
	rm_buf_printf(l->out, ",%d],", sep_id);
	put_string(l, "\"cls\":[", cls);
	rm_buf_printf(l->out, ",%d]%s},", cls_id, more);
	return 0;
}

static int put_bert(struct legacy *l)
{
	const json_t *accents = json_object_get(l->config, "strip_accents");

	rm_buf_printf(l->out, "\"normalizer\":{\"type\":\"BertNormalizer\","
		      "\"clean_text\":true,\"handle_chinese_chars\":%s,"
		      "\"strip_accents\":%s,\"lowercase\":%s},",
		      option(l, "tokenize_chinese_chars", true) ? "true" :
		      "false", !json_is_boolean(accents) ? "null" :
		      json_is_true(accents) ? "true" : "false",
		      option(l, "do_lower_case", true) ? "true" : "false");
	rm_buf_puts(l->out, "\"pre_tokenizer\":{\"type\":"
		    "\"BertPreTokenizer\"},\"decoder\":{\"type\":"
		    "\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},");
	if (put_cls_sep(l, "BertProcessing", "") < 0)
		return -1;
	put_string(l, "\"model\":{\"type\":\"WordPiece\",\"unk_token\":",
		   special(l, "unk_token", "[UNK]"));
	rm_buf_puts(l->out, ",\"continuing_subword_prefix\":\"##\","
		    "\"max_input_chars_per_word\":100,\"vocab\":");
	put_vocab(l);
	rm_buf_puts(l->out, "}}\n");
	return 0;
}

static void put_byte_level(struct legacy *l, const char *before, bool prefix,
			   bool use_regex)
{
	rm_buf_printf(l->out, "%s{\"type\":\"ByteLevel\","
		      "\"add_prefix_space\":%s,\"trim_offsets\":true,"
		      "\"use_regex\":%s}", before, prefix ? "true" : "false",
		      use_regex ? "true" : "false");
}

static int put_bpe(struct legacy *l, const struct rm_file *merges)
{
	bool prefix = option(l, "add_prefix_space", false);

	if (l->family == QWEN) {
		rm_buf_puts(l->out, "\"normalizer\":{\"type\":\"NFC\"},"
			    "\"pre_tokenizer\":{\"type\":\"Sequence\","
			    "\"pretokenizers\":[{\"type\":\"Split\",");
		put_string(l, "\"pattern\":{\"Regex\":", QWEN2);
		rm_buf_puts(l->out, "},\"behavior\":\"Isolated\","
			    "\"invert\":false}");
		put_byte_level(l, ",", prefix, false);
		rm_buf_puts(l->out, "]}");
	} else {
		put_byte_level(l, "\"pre_tokenizer\":", prefix, true);
	}
	put_byte_level(l, ",\"decoder\":", prefix, true);
	rm_buf_putc(l->out, ',');
	if (l->family == ROBERTA &&
	    put_cls_sep(l, "RobertaProcessing", prefix ?
			",\"trim_offsets\":true,\"add_prefix_space\":true" :
			",\"trim_offsets\":true,"
			"\"add_prefix_space\":false") < 0)
		return -1;
	rm_buf_puts(l->out, "\"model\":{\"type\":\"BPE\",\"vocab\":");
	put_vocab(l);
	rm_buf_puts(l->out, ",\"merges\":");
	if (put_merges(l, merges) < 0)
		return -1;
	rm_buf_puts(l->out, "}}\n");
	return 0;
}

static int convert(struct legacy *l)
{
	const struct rm_file *text = rm_files_find(l->files, "vocab.txt");
	const struct rm_file *json = rm_files_find(l->files, "vocab.json");
	const struct rm_file *merges = rm_files_find(l->files, "merges.txt");

	if (find_family(l, !merges) < 0)
		return -1;
	if (!merges ? read_lines(l, text) :
	    rm_vocab_load(&l->vocab, (struct rm_slice){ json->data,
							json->len }))
		return merges ? rm_wrap("vocab.json") : -1;
	rm_buf_puts(l->out, "{\"version\":\"1.0\",");
	put_added(l);
	if (l->family == BERT ? put_bert(l) : put_bpe(l, merges))
		return -1;
	return l->out->failed ? -1 : 0;
}

int rm_legacy_tokenizer(const struct rm_files *files, struct rm_buf *out)
{
	struct legacy l = { .files = files, .out = out };
	int err;

	l.config = load_json(files, "tokenizer_config.json");
	if (!l.config && rm_files_find(files, "tokenizer_config.json"))
		return -1;
	err = convert(&l);
	json_decref(l.config);
	rm_vocab_fini(&l.vocab);
	return err;
}
