/*
 * Special tokens, from tokenizer.json to records.  The ids and token types
 * of the PyPI package `tokenizers` are in tests/data/post.json, which
 * tests/ref/post.py writes.
 */
#include "test.h"

#include "encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *ref;
static char path[] = "/tmp/rm-post-XXXXXX";

/* ---- tokenizers ---- */

/* 'single' for "double" quotes. */
static json_t *quoted(const char *text)
{
	char *copy = rm_strdup(text);
	json_t *json;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	json = json_loads(copy, JSON_DECODE_ANY, NULL);
	if (!json)
		fail_msg("%s", text);
	free(copy);
	return json;
}

/* The small tokenizer with these members; config may be NULL.  NULL with a
 * message where it is refused. */
static struct rm_tokenizer *made(const json_t *members, const char *config)
{
	json_t *json = json_deep_copy(json_object_get(ref, "base"));
	struct rm_files files = {0};
	struct rm_tokenizer *t;
	char *text;

	json_object_update(json, (json_t *)members);
	text = json_dumps(json, 0);
	rm_files_add(&files, "tokenizer.json", text, strlen(text));
	free(text);
	if (config) {
		json_t *c = quoted(config);

		text = json_dumps(c, 0);
		rm_files_add(&files, "tokenizer_config.json", text,
			     strlen(text));
		free(text);
		json_decref(c);
	}
	t = rm_tokenizer_from_files(&files);
	rm_files_fini(&files);
	json_decref(json);
	return t;
}

static struct rm_tokenizer *with_post(const json_t *post, const char *config)
{
	json_t *members = json_pack("{s:O}", "post_processor", post);
	struct rm_tokenizer *t = made(members, config);

	json_decref(members);
	return t;
}

/* The post-processor of that name in the reference. */
static const json_t *named(const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(ref, "post"), i, row)
		if (strcmp(json_string_value(json_object_get(row, "name")),
			   name) == 0)
			return json_object_get(row, "post_processor");
	return NULL;
}

/* ---- records ---- */

static struct rm_encode *encode;
static struct rm_record rec;

static struct rm_encode *open_json(const json_t *row,
				   const struct rm_tokenizer *t,
				   const struct rm_encode_options *o)
{
	char *text = json_dumps(row, 0), *paths[] = { path };

	assert_int_equal(rm_write_file(path, text, strlen(text)), 0);
	free(text);
	encode = rm_encode_open(paths, 1, t, o);
	return encode;
}

/* The one record of this text row. */
static void read_json(json_t *row, const struct rm_tokenizer *t,
		      const struct rm_encode_options *o)
{
	const struct rm_buf *payload;

	if (!open_json(row, t, o))
		fail_msg("%s", rm_error());
	if (rm_encode_next(encode, &payload) != 1 ||
	    rm_record_index(&rec, &rm_encode_header(encode)->schema,
			    payload->data, payload->len) < 0)
		fail_msg("%s", rm_error());
	json_decref(row);
}

static int field(const char *name)
{
	return rm_schema_find(&rm_encode_header(encode)->schema, name);
}

static void put_ids(struct rm_buf *b, struct rm_slice ids)
{
	for (size_t i = 0; i < ids.len; i += 4) {
		int32_t id = rm_get_i32(ids.data + i);

		if (b->len && b->data[b->len - 1] != ' ')
			rm_buf_putc(b, ' ');
		if (id < 256)
			rm_buf_putc(b, id == ' ' ? '_' : id);
		else
			rm_buf_printf(b, "%d", id);
	}
}

/* "256 q | a | b": bytes as characters, a space as _; the prompt, then the
 * responses. */
static void reads(const char *want)
{
	struct rm_slice part[16];
	struct rm_buf b = {0};

	put_ids(&b, rm_record_bytes(&rec, field("prompt")));
	rm_record_elements(&rec, field("responses"), part);
	for (size_t i = 0; i < rec.k; i++) {
		rm_buf_puts(&b, b.len ? " | " : "| ");
		put_ids(&b, part[i]);
	}
	while (b.len && b.data[b.len - 1] == ' ')
		b.len--;
	assert_string_equal(rm_buf_text(&b), want);
	rm_buf_fini(&b);
}

static void has_policy(const char *want)
{
	json_t *expected = quoted(want);
	char *got = json_dumps(rm_encode_header(encode)->policy, 0);
	char *text = json_dumps(expected, 0);

	assert_string_equal(got, text);
	free(got);
	free(text);
	json_decref(expected);
}

static void row_reads(const char *row, const struct rm_tokenizer *t,
		      const struct rm_encode_options *o, const char *want)
{
	read_json(quoted(row), t, o);
	reads(want);
	rm_encode_close(encode);
}

/* ---- against the peer ---- */

/* Prompt and response are these ids; how many of them are the prompt. */
static size_t same_ids(const json_t *want)
{
	struct rm_slice prompt, response;
	size_t n;

	prompt = rm_record_bytes(&rec, field("prompt"));
	rm_record_elements(&rec, field("responses"), &response);
	n = prompt.len / 4;
	assert_int_equal(n + response.len / 4, json_array_size(want));
	for (size_t i = 0; i < json_array_size(want); i++)
		assert_int_equal(i < n ? rm_get_i32(prompt.data + 4 * i) :
				 rm_get_i32(response.data + 4 * (i - n)),
				 json_integer_value(json_array_get(want, i)));
	return n;
}

static void same_types(const json_t *want, size_t n_prompt)
{
	const json_t *types = json_object_get(
		rm_encode_header(encode)->policy, "types");

	for (size_t i = 0; i < json_array_size(want); i++)
		assert_true(json_equal(json_array_get(want, i),
			    json_array_get(types, i < n_prompt ? 0 : 1)));
}

static void check_case(const json_t *row)
{
	const json_t *pairs = json_object_get(ref, "pairs");
	struct rm_tokenizer *t = with_post(json_object_get(row,
						"post_processor"), NULL);
	const struct rm_encode_options one = {0}, two = { .template = "pair" };

	if (!t)
		fail_msg("%s", rm_error());
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		const json_t *pair = json_array_get(pairs, i);
		json_t *text = json_pack("{s:O,s:O}", "prompt",
			json_array_get(pair, 0), "response",
			json_array_get(pair, 1));

		read_json(json_incref(text), t, &one);
		same_ids(json_array_get(json_object_get(row, "single"), i));
		rm_encode_close(encode);
		read_json(text, t, &two);
		same_types(json_array_get(json_object_get(row, "types"), i),
			   same_ids(json_array_get(json_object_get(row,
								   "pair"),
						   i)));
		rm_encode_close(encode);
	}
	rm_tokenizer_free(t);
}

static void test_ids_match_the_peer(void **state)
{
	json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(ref, "post"), i, row)
		check_case(row);
	assert_true(i >= 10);
}

/* ---- what is refused ---- */

#define TEMPLATE(single, pair) "{'type':'TemplateProcessing','single':[" \
	single "],'pair':[" pair "],'special_tokens':{'x':{'ids':[256]}," \
	"'far':{'ids':[262]},'odd':{'ids':['x']}}}"
#define PIECE(name) "{'SpecialToken':{'id':'" name "','type_id':0}}"
#define TEXT_A "{'Sequence':{'id':'A','type_id':0}}"
#define TEXT_B "{'Sequence':{'id':'B','type_id':1}}"
#define BERT "{'type':'BertProcessing','cls':['c',256],'sep':['s',257]}"

static void test_refused(void **state)
{
	static const struct {
		const char *post, *message;
	} rows[] = {
		{ TEMPLATE("", TEXT_A "," TEXT_B), "single: no Sequence A" },
		{ TEMPLATE(TEXT_A "," TEXT_A, TEXT_A "," TEXT_B),
		  "single: piece 1: Sequence A, not A once" },
		{ TEMPLATE(TEXT_B, TEXT_A "," TEXT_B), "Sequence B, not A" },
		{ TEMPLATE(TEXT_A, TEXT_A), "pair: no Sequence B" },
		{ TEMPLATE(TEXT_A, TEXT_B "," TEXT_A),
		  "pair: piece 0: Sequence B, not A once, then B once" },
		{ TEMPLATE(PIECE("y") "," TEXT_A, TEXT_A "," TEXT_B),
		  "\"y\": no ids under special_tokens" },
		{ TEMPLATE(PIECE("far") "," TEXT_A, TEXT_A "," TEXT_B),
		  "\"far\": id 262 is not of the vocabulary" },
		{ TEMPLATE(PIECE("odd") "," TEXT_A, TEXT_A "," TEXT_B),
		  "no whole number" },
		{ TEMPLATE("{}", ""), "neither a SpecialToken nor" },
		{ TEMPLATE("{'Sequence':{'id':'A','type_id':-1}}", ""),
		  "type_id" },
		{ "{'type':'TemplateProcessing'}", "no list \"single\"" },
		{ "{'type':'BertProcessing','cls':['c',1]}", "\"sep\"" },
		{ "{'type':'BertProcessing','cls':['c',-1],'sep':['s',1]}",
		  "cls: id -1" },
		{ "{'type':'Sequence','processors':[" BERT "," BERT "]}",
		  "post_processor BertProcessing: a second one" },
		{ "{'type':'Other'}", "post_processor Other" },
		{ "{}", "post_processor" },
	};

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		json_t *post = quoted(rows[i].post);

		assert_null(with_post(post, NULL));
		if (!strstr(rm_error(), rows[i].message))
			fail_msg("%s: %s", rows[i].post, rm_error());
		json_decref(post);
	}
}

static void test_too_many(void **state)
{
	json_t *post = quoted(TEMPLATE(TEXT_A, TEXT_A "," TEXT_B));
	json_t *ids = json_object_get(json_object_get(json_object_get(post,
		"special_tokens"), "x"), "ids");

	(void)state;
	json_array_insert_new(json_object_get(post, "single"), 0,
			      quoted(PIECE("x")));
	for (size_t i = 1; i <= RM_MAX_SPECIAL; i++)
		json_array_append_new(ids, json_integer(256));
	assert_null(with_post(post, NULL));
	assert_non_null(strstr(rm_error(), "more than 64"));
	json_decref(post);
}

/* ---- tokens by their part ---- */

static void check_special(const char *members, const char *config,
			  int32_t bos, int32_t eos, int32_t pad)
{
	json_t *json = quoted(members);
	struct rm_tokenizer *t = made(json, config);
	const struct rm_special *s;

	assert_non_null(t);
	s = rm_tokenizer_special(t);
	assert_int_equal(s->bos, bos);
	assert_int_equal(s->eos, eos);
	assert_int_equal(s->pad, pad);
	rm_tokenizer_free(t);
	json_decref(json);
}

static void test_special(void **state)
{
	static const char *const bad[] = {
		"[]", "{'eos_token':3}", "{'pad_token':{'id':3}}",
		"{'add_eos_token':1}"
	};
	json_t *none = quoted("{}");

	(void)state;
	check_special("{}", NULL, -1, -1, -1);
	check_special("{}", "{'bos_token':'<s>','eos_token':{'content':"
		      "'</s>','lstrip':false},'pad_token':null}", 256, 257,
		      -1);
	check_special("{'padding':{'pad_id':7}}", "{'eos_token':'nope'}", -1,
		      -1, 7);
	check_special("{'padding':{'pad_id':7}}", "{'pad_token':'<a>'}", -1,
		      -1, 260);
	check_special("{'added_tokens':[{'id':256,'content':'<pad>',"
		      "'single_word':false,'lstrip':false,'rstrip':false,"
		      "'special':true}]}", NULL, -1, -1, 256);
	for (size_t i = 0; i < RM_COUNT(bad); i++) {
		assert_null(made(none, bad[i]));
		assert_non_null(strstr(rm_error(), "tokenizer_config.json"));
	}
	json_decref(none);
}

/* ---- the policy ---- */

#define CONFIG "{'bos_token':'<s>','eos_token':'</s>','pad_token':'<a>'}"

/* What the text begins or ends with is not put a second time. */
static void test_never_doubled(void **state)
{
	struct rm_tokenizer *t = with_post(named("bert"), NULL);
	struct rm_encode_options o = {0};

	(void)state;
	row_reads("{'prompt':'[CLS]q','chosen':'a[SEP]','rejected':'b'}", t,
		  &o, "258 q | a 259 | b 259");
	row_reads("{'prompt':'[CLS]','chosen':'','rejected':'[SEP]'}", t, &o,
		  "258 | 259 | 259");
	row_reads("{'prompt':'','chosen':'[CLS]a','rejected':'b'}", t, &o,
		  "| 258 a 259 | 258 b 259");
	row_reads("{'prompt':'q [CLS]','chosen':'[SEP] ','rejected':''}", t,
		  &o, "258 q _ 258 | 259 _ 259 | 259");
	o.special_tokens = RM_NO;
	row_reads("{'prompt':'q','chosen':'a','rejected':''}", t, &o,
		  "q | a |");
	rm_tokenizer_free(t);
}

static void test_eos(void **state)
{
	static const char row[] = "{'prompt':'q','chosen':'a',"
				  "'rejected':'b</s>'}";
	struct rm_tokenizer *mistral = with_post(named("mistral"), CONFIG);
	struct rm_tokenizer *t5 = with_post(named("t5"), CONFIG);
	struct rm_tokenizer *bert = with_post(named("bert"), CONFIG);
	struct rm_tokenizer *adds = with_post(named("mistral"),
		"{'eos_token':'</s>','add_eos_token':true}");
	struct rm_encode_options o = {0}, chatml = { .template = "chatml" };

	(void)state;
	row_reads(row, mistral, &o, "256 q | a | b 257");
	row_reads(row, adds, &o, "256 q | a 257 | b 257");
	row_reads("{'prompt':'q','response':'a'}", adds, &chatml,
		  "256 < | i m _ s t a r t | > u s e r \n q < | i m _ e n d "
		  "| > \n < | i m _ s t a r t | > a s s i s t a n t \n | a < "
		  "| i m _ e n d | > \n");
	o.special_tokens = RM_NO;
	row_reads(row, adds, &o, "q | a | b 257");
	o = (struct rm_encode_options){ .eos = RM_YES };
	row_reads(row, mistral, &o, "256 q | a 257 | b 257");
	row_reads(row, t5, &o, "q | a 257 | b 257");
	row_reads(row, bert, &o, "258 q | a 257 259 | b 257 259");
	row_reads("{'prompt':'q','response':'a</s>[SEP]'}", bert, &o,
		  "258 q | a 257 259");
	o.eos = RM_NO;
	row_reads(row, adds, &o, "256 q | a | b 257");
	/* Refused where there is none, or no plain text. */
	chatml.eos = RM_YES;
	assert_null(rm_encode_open(NULL, 0, mistral, &chatml));
	assert_non_null(strstr(rm_error(), "chatml"));
	rm_tokenizer_free(bert);
	bert = with_post(named("bert"), NULL);
	o.eos = RM_YES;
	assert_null(rm_encode_open(NULL, 0, bert, &o));
	assert_non_null(strstr(rm_error(), "the tokenizer has none"));
	rm_tokenizer_free(mistral);
	rm_tokenizer_free(t5);
	rm_tokenizer_free(bert);
	rm_tokenizer_free(adds);
}

static void test_recorded(void **state)
{
	struct rm_tokenizer *t = with_post(named("bert"), CONFIG);
	struct rm_encode_options o = {0};
	static const char row[] = "{'prompt':'q','response':'a'}";

	(void)state;
	read_json(quoted(row), t, &o);
	has_policy("{'template':'plain','special_tokens':true,'bos_id':256,"
		   "'eos_id':257,'prefix':[258],'suffix':[259],'eos':false,"
		   "'pad_id':260}");
	rm_encode_close(encode);
	o.template = "pair";
	o.max_length = 9;
	read_json(quoted(row), t, &o);
	has_policy("{'template':'pair','special_tokens':true,'bos_id':256,"
		   "'eos_id':257,'prefix':[258],'between':[259],'suffix':"
		   "[259],'types':[0,1],'eos':false,'pad_id':260,"
		   "'max_length':9,'overlong':'left'}");
	rm_encode_close(encode);
	rm_tokenizer_free(t);
}

/* A policy as a model has it, and the tokenizer's ids or other ones. */
static void test_taken_again(void **state)
{
	static const struct {
		const char *policy, *message;
	} bad[] = {
		{ "{'special_tokens':true,'prefix':[256],'suffix':[259]}",
		  "prefix [256], but its tokenizer gives [258]" },
		{ "{'special_tokens':true,'prefix':[258]}",
		  "suffix none, but its tokenizer gives [259]" },
		{ "{'prefix':[258]}", "prefix [258], but its tokenizer" },
		{ "{'eos_id':256}", "eos_id 256, but its tokenizer gives" },
		{ "{'pad_id':999}", "pad_id 999" },
		{ "{'template':'pair','special_tokens':true,'prefix':[258],"
		  "'between':[259],'suffix':[259],'types':[0,0]}",
		  "types [0, 0], but its tokenizer gives [0, 1]" },
	};
	struct rm_tokenizer *t = with_post(named("bert"), CONFIG);
	struct rm_encode_options o;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(bad); i++) {
		json_t *policy = quoted(bad[i].policy);

		o = (struct rm_encode_options){ .policy = policy };
		assert_null(rm_encode_open(NULL, 0, t, &o));
		if (!strstr(rm_error(), bad[i].message))
			fail_msg("%s", rm_error());
		json_decref(policy);
	}
	rm_tokenizer_free(t);
}

static void check_model(const struct rm_tokenizer *t, const char *rm,
			struct rm_encode_options o, const char *row,
			const char *ids, const char *policy)
{
	char dir[] = "/tmp/rm-post-model-XXXXXX", name[64];
	json_t *keep = NULL, *json = quoted(rm);
	char *text = json_dumps(json, 0);

	assert_non_null(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/rm.json", dir);
	assert_int_equal(rm_write_file(name, text, strlen(text)), 0);
	if (rm_encode_policy(dir, &o, &keep) < 0)
		fail_msg("%s", rm_error());
	read_json(quoted(row), t, &o);
	reads(ids);
	has_policy(policy);
	rm_encode_close(encode);
	json_decref(keep);
	json_decref(json);
	free(text);
	unlink(name);
	rmdir(dir);
}

static void test_model(void **state)
{
	struct rm_tokenizer *t = with_post(named("mistral"),
		"{'eos_token':'</s>','add_eos_token':true}");
	static const char row[] = "{'prompt':'q','response':'a'}";
	struct rm_encode_options o = {0};

	(void)state;
	/* A model of before: no special tokens, the same fingerprint. */
	check_model(t, "{'policy':{'template':'plain'}}", o, row, "q | a",
		    "{'template':'plain'}");
	check_model(t, "{'policy':{'template':'plain','special_tokens':true,"
		    "'eos_id':257,'prefix':[256],'eos':false}}", o, row,
		    "256 q | a", "{'template':'plain','special_tokens':true,"
		    "'eos_id':257,'prefix':[256],'eos':false}");
	check_model(t, "{'policy':{'template':'plain','special_tokens':false,"
		    "'eos_id':257,'eos':true}}", o, row, "q | a 257",
		    "{'template':'plain','special_tokens':false,"
		    "'eos_id':257,'eos':true}");
	/* The user's word comes first; a pair has no EOS of its own. */
	o.template = "pair";
	o.special_tokens = RM_YES;
	check_model(t, "{'policy':{'template':'plain','special_tokens':false,"
		    "'eos_id':257,'eos':true}}", o, row, "256 q | 256 a",
		    "{'template':'pair','special_tokens':true,'eos_id':257,"
		    "'prefix':[256],'between':[256],'types':[0,1],"
		    "'eos':false}");
	/* A checkpoint without a policy: as by default. */
	o = (struct rm_encode_options){0};
	check_model(t, "{}", o, row, "256 q | a 257", "{'template':'plain',"
		    "'special_tokens':true,'eos_id':257,'prefix':[256],"
		    "'eos':true}");
	rm_tokenizer_free(t);
}

/* ---- pairs ---- */

static void test_pair_texts(void **state)
{
	struct rm_tokenizer *t = with_post(named("bert"), NULL);
	struct rm_tokenizer *none = with_post(json_null(), NULL);
	struct rm_tokenizer *odd;
	struct rm_encode_options o = { .template = "pair" };
	json_t *post = quoted(TEMPLATE(TEXT_A, TEXT_A "," TEXT_B ","
		"{'SpecialToken':{'id':'x','type_id':2}}"));

	(void)state;
	row_reads("{'chosen':[{'role':'user','content':'q'},{'role':"
		  "'assistant','content':'a'},{'role':'user','content':'r'},"
		  "{'role':'assistant','content':'b'}],'rejected':[{'role':"
		  "'user','content':'q'},{'role':'assistant','content':'a'},"
		  "{'role':'user','content':'r'},{'role':'assistant',"
		  "'content':'c'}]}", t, &o,
		  "258 q \n \n a \n \n r 259 | b 259 | c 259");
	row_reads("{'chosen':'\\n\\nHuman: q\\n\\nAssistant: a','rejected':"
		  "'\\n\\nHuman: q\\n\\nAssistant: b'}", t, &o,
		  "258 \n \n H u m a n : _ q \n \n A s s i s t a n t : 259 "
		  "| _ a 259 | _ b 259");
	/* Without special tokens two texts stay two. */
	o.special_tokens = RM_NO;
	row_reads("{'prompt':'q','response':'a'}", t, &o, "q | a");
	o.special_tokens = RM_YES;
	assert_null(rm_encode_open(NULL, 0, none, &o));
	assert_non_null(strstr(rm_error(), "no rule for pairs"));
	odd = with_post(post, NULL);
	assert_null(rm_encode_open(NULL, 0, odd, &o));
	assert_non_null(strstr(rm_error(), "token types"));
	rm_tokenizer_free(t);
	rm_tokenizer_free(none);
	rm_tokenizer_free(odd);
	json_decref(post);
}

/* ---- cuts ---- */

static void test_cuts(void **state)
{
	static const char row[] = "{'prompt':'0123','chosen':'abc',"
				  "'rejected':'x'}";
	struct rm_tokenizer *t = with_post(named("bert"), NULL);
	static const struct {
		size_t max;
		const char *template, *overlong, *want;
	} rows[] = {
		{ 9, NULL, "left", "258 0 1 2 3 | a b c 259 | x 259" },
		{ 7, NULL, "left", "258 2 3 | a b c 259 | x 259" },
		{ 5, NULL, "left", "258 | a b c 259 | x 259" },
		{ 4, NULL, "left", "258 | b c 259 | x 259" },
		{ 2, NULL, "left", "258 | 259 | 259" },
		{ 8, NULL, "right", "258 0 1 2 3 | a b 259 | x 259" },
		{ 6, NULL, "right", "258 0 1 2 3 | 259 | 259" },
		{ 4, NULL, "right", "258 0 1 | 259 | 259" },
		{ 2, NULL, "right", "258 | 259 | 259" },
		{ 8, "pair", "left", "258 2 3 259 | a b c 259 | x 259" },
		{ 5, "pair", "left", "258 259 | b c 259 | x 259" },
		{ 9, "pair", "right", "258 0 1 2 3 259 | a b 259 | x 259" },
		{ 5, "pair", "right", "258 0 1 259 | 259 | 259" },
		{ 3, "pair", "right", "258 259 | 259 | 259" },
	};
	struct rm_encode_options o = { .max_length = 1 };

	(void)state;
	for (size_t i = 0; i < RM_COUNT(rows); i++) {
		o.max_length = rows[i].max;
		o.template = rows[i].template;
		o.overlong = rows[i].overlong;
		row_reads(row, t, &o, rows[i].want);
	}
	/* In a response that has them at its beginning too. */
	o = (struct rm_encode_options){ .max_length = 4 };
	row_reads("{'prompt':'','chosen':'[CLS]abc','rejected':'x'}", t, &o,
		  "| 258 b c 259 | 258 x 259");
	o.overlong = "right";
	row_reads("{'prompt':'','chosen':'[CLS]abc','rejected':'x'}", t, &o,
		  "| 258 a b 259 | 258 x 259");
	o.max_length = 1;
	assert_null(rm_encode_open(NULL, 0, t, &o));
	assert_non_null(strstr(rm_error(), "no room for the 2 special"));
	rm_tokenizer_free(t);
}

static void made_alike(const char *row, size_t max, const char *overlong,
		       size_t want)
{
	struct rm_tokenizer *t = with_post(named("bert"), NULL);
	struct rm_encode_options o = {
		.max_length = max, .overlong = overlong
	};

	read_json(quoted(row), t, &o);
	assert_int_equal(rm_encode_counts(encode)->alike, want);
	rm_encode_close(encode);
	rm_tokenizer_free(t);
}

static void test_alike(void **state)
{
	(void)state;
	made_alike("{'prompt':'q','responses':['aab','aac','x']}", 5, "right",
		   1);
	made_alike("{'prompt':'q','responses':['aab','aac','x']}", 6, "right",
		   0);
	made_alike("{'prompt':'qq','responses':['aab','aab','x']}", 5,
		   "right", 0);
	made_alike("{'prompt':'qq','responses':['aab','aab','x','aac']}", 6,
		   "right", 1);
	made_alike("{'prompt':'q','responses':['baa','caa']}", 4, "left", 1);
	made_alike("{'prompt':'qqqq','responses':['a','b']}", 4, "right", 1);
}

/* ---- text of a part ---- */

static void text_after(const char *members, int32_t before,
		       const char *tokens, const char *want)
{
	json_t *json = quoted(members);
	struct rm_tokenizer *t = made(json, NULL);
	struct rm_buf out = {0};
	int32_t ids[8];
	size_t n = strlen(tokens);

	if (!t)
		fail_msg("%s", rm_error());
	for (size_t i = 0; i < n; i++)
		ids[i] = (unsigned char)tokens[i];
	assert_int_equal(rm_tokenizer_decode_after(t, before, ids, n, &out),
			 0);
	assert_string_equal(rm_buf_text(&out), want);
	rm_buf_fini(&out);
	rm_tokenizer_free(t);
	json_decref(json);
}

static void test_decode_after(void **state)
{
	static const char piece[] = "{'post_processor':" BERT ","
		"'decoder':{'type':'WordPiece','prefix':'#','cleanup':true}}";

	(void)state;
	text_after("{}", 'q', "ab", "ab");
	text_after("{}", 'q', "", "");
	text_after(piece, -1, "ab", "a b");
	text_after(piece, 'q', "ab", " a b");
	/* Behind a special token a text begins. */
	text_after(piece, 256, "ab", "a b");
	/* A character that is parted: each part alone. */
	text_after("{}", 0xc3, "\xa9x", "\xef\xbf\xbdx");
}

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	ref = rm_json_load("tests/data/post.json", SIZE_MAX);
	return fd < 0 || close(fd) || !ref ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	rm_record_fini(&rec);
	json_decref(ref);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_match_the_peer),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_never_doubled),
		cmocka_unit_test(test_eos),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_taken_again),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_pair_texts),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_decode_after),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
