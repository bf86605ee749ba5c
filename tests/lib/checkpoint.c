/* model: checkpoints of Transformers, as far as their files go. */
#include "made.h"

#include "model.h"
#include "model/internal.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- tensors by their names ---- */

static const float numbers[] = { 1, 2, 3, 4 };

/* A vector of n numbers. */
static struct rm_safetensor vector(const char *name, size_t n)
{
	return (struct rm_safetensor){
		.name = name, .dtype = RM_DTYPE_F32, .rank = 1, .shape = { n },
		.data = numbers, .size = n * sizeof(*numbers)
	};
}

static bool is_idle(const void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "base.idle") == 0 || strcmp(name, "other") == 0;
}

/* Rows of a base, its norm, and a head of two. */
static void make_rows(struct rm_params *p)
{
	static const struct {
		const char *name;
		size_t n;
	} row[] = {
		{ "base.a.weight", 2 }, { "base.LayerNorm.weight", 3 },
		{ "base.LayerNorm.bias", 3 }, { "head.weight", 2 },
		{ "head.bias", 1 }
	};

	for (size_t i = 0; i < RM_COUNT(row); i++)
		assert_int_equal(rm_params_add(p, &(struct rm_param){
			.name = row[i].name, .n_dims = 1,
			.shape = { row[i].n } }), (int)i);
}

enum { ROWS = 5, FIRST_OF_HEAD = 3 };

/* Look for the rows in a file of these tensors; NULL, or the message. */
static const char *look_in(const struct rm_safetensor *t, size_t n,
			   bool fresh_head, const char *got[ROWS])
{
	const struct rm_model_names names = {
		.prefix = "base.", .ignores = is_idle
	};
	const struct rm_safetensor *found[ROWS];
	const char *dir = made_path("names");
	struct rm_params p = {0};
	struct rm_weights *w;
	int status;

	mkdir(dir, 0700);
	assert_int_equal(rm_safetensors_write(
		made_path("names/model.safetensors"), t, n, NULL, 0), 0);
	make_rows(&p);
	w = rm_weights_open(dir);
	assert_non_null(w);
	status = rm_model_find_tensors(&p, FIRST_OF_HEAD, w, &names,
				       fresh_head, found);
	for (size_t i = 0; i < ROWS && status == 0 && got; i++) {
		got[i] = NULL;
		for (size_t j = 0; j < n && found[i]; j++) {
			if (strcmp(t[j].name, found[i]->name) == 0)
				got[i] = t[j].name;
		}
	}
	rm_weights_close(w);
	rm_params_fini(&p);
	return status < 0 ? rm_error() : NULL;
}

static void complains(const struct rm_safetensor *t, size_t n,
		      bool fresh_head, const char *message)
{
	const char *is = look_in(t, n, fresh_head, NULL);

	if (!is || !strstr(is, message))
		fail_msg("\"%s\" has no \"%s\"", is ? is : "nothing", message);
}

static void test_names(void **state)
{
	struct rm_safetensor t[8] = {
		vector("base.a.weight", 2), vector("base.LayerNorm.weight", 3),
		vector("base.LayerNorm.bias", 3), vector("head.weight", 2),
		vector("head.bias", 1), vector("idle", 4),
		vector("other", 1), vector("stray", 4),
	};
	const char *got[ROWS];

	(void)state;
	assert_null(look_in(t, 7, false, got));
	assert_string_equal(got[0], "base.a.weight");
	complains(t, 8, false, "tensor stray [4]: the model has none");
	t[3] = vector("head.weight", 3);
	complains(t, 7, false, "tensor head.weight: shape [3], expected [2]");
	complains(t + 1, 2, true, "tensor base.a.weight [2]: missing");
}

/* As a base saves them, and as old versions called them. */
static void test_base(void **state)
{
	struct rm_safetensor t[] = {
		vector("a.weight", 2), vector("LayerNorm.gamma", 3),
		vector("LayerNorm.beta", 3), vector("idle", 1),
	};
	const char *got[ROWS];

	(void)state;
	complains(t, 4, false, "tensor head.weight [2]: missing: a base "
		  "without a reward head");
	assert_null(look_in(t, 4, true, got));
	assert_string_equal(got[0], "a.weight");
	assert_string_equal(got[1], "LayerNorm.gamma");
	assert_string_equal(got[2], "LayerNorm.beta");
	assert_null(got[3]);
	assert_null(got[4]);
	/* Both names at once are one tensor too many. */
	t[3] = vector("base.a.weight", 2);
	complains(t, 4, true, "tensor a.weight [2]: the model has none");
}

/* ---- real ones ---- */

static void add_row(struct rm_params *p, const struct rm_arch *a,
		    enum rm_slot slot, size_t layer, const char *suffix)
{
	struct rm_param row = {0};
	struct rm_buf name = {0};

	row.n_dims = rm_arch_shape(a, slot, row.shape);
	if (strcmp(suffix, ".bias") == 0 && row.n_dims == 2) {
		size_t turned = !!(a->slot[slot].flags & RM_TRANSPOSED);

		row.shape[0] = row.shape[turned];
		row.n_dims = 1;
	}
	rm_arch_name(a, slot, layer, suffix, &name);
	row.name = rm_buf_text(&name);
	if (rm_params_add(p, &row) < 0)
		fail_msg("%s", rm_error());
	rm_buf_fini(&name);
}

static void add_rows(struct rm_params *p, const struct rm_arch *a,
		     size_t from, size_t to, size_t layer)
{
	for (size_t s = from; s < to; s++) {
		enum rm_slot slot = (enum rm_slot)s;

		if (!rm_arch_has(a, slot, layer))
			continue;
		add_row(p, a, slot, layer, ".weight");
		if (a->slot[slot].flags & RM_BIAS)
			add_row(p, a, slot, layer, ".bias");
	}
}

/* The table of a family's own description against what was published. */
static void check_real(const char *dir, bool has_head)
{
	struct rm_model m = {0};
	const struct rm_safetensor **found;
	struct rm_weights *w = rm_weights_open(dir);
	struct rm_model_names names;
	json_t *config = rm_model_load_object(dir, RM_MODEL_CONFIG);
	size_t first;

	assert_non_null(w);
	assert_non_null(config);
	if (rm_model_parse_config(&m, config) < 0 ||
	    rm_model_settle_labels(&m, dir) < 0)
		fail_msg("%s: %s", dir, rm_error());
	assert_int_equal(m.arch->labels, has_head ? 2 : 1);
	add_rows(&m.params, m.arch, 0, RM_FIRST_OF_LAYER, 0);
	for (size_t i = 0; i < m.arch->layers; i++)
		add_rows(&m.params, m.arch, RM_FIRST_OF_LAYER,
			 RM_FIRST_OF_HEAD, i);
	first = m.params.n;
	add_rows(&m.params, m.arch, RM_FIRST_OF_HEAD, RM_SLOTS, 0);
	names = rm_model_names(&m);
	found = rm_calloc(m.params.n, sizeof(*found));
	if (rm_model_find_tensors(&m.params, first, w, &names, !has_head,
				  found) < 0)
		fail_msg("%s: %s", dir, rm_error());
	for (size_t i = 0; i < first; i++)
		assert_non_null(found[i]);
	assert_int_equal(found[m.params.n - 1] != NULL, has_head);
	free(found);
	json_decref(config);
	json_decref(m.config);
	json_decref(m.backbone_config);
	free(m.arch);
	rm_params_fini(&m.params);
	rm_weights_close(w);
}

static void test_real(void **state)
{
	static const struct {
		const char *name;
		bool has_head;
	} models[] = {
		{ "jammi_tiny_bert", false }, { "jammi_tiny_modernbert", false },
		{ "jammi_tiny_modernbert_classifier", true },
	};
	const char *data = getenv("RM_DATA");
	char dir[300];

	(void)state;
	for (size_t i = 0; i < RM_COUNT(models); i++) {
		snprintf(dir, sizeof(dir), "%s/models/%s",
			 data ? data : "../shared/data", models[i].name);
		if (access(dir, F_OK) < 0) {
			print_message("%s is not there\n", dir);
			skip();
		}
		check_real(dir, models[i].has_head);
	}
}

/* ---- config.json ---- */

static json_t *parse(const char *text)
{
	json_t *o = rm_json_parse(text, strlen(text));

	if (!o)
		fail_msg("%s", rm_error());
	return o;
}

/* Saved as a reward model, `text` is `expected`. */
static void saved_as(const char *text, int32_t pad, const char *expected)
{
	struct rm_arch arch;
	struct rm_buf b = {0};
	json_t *is = parse(text), *was = json_deep_copy(is), *config;

	assert_int_equal(rm_arch_init(&arch, is), 0);
	config = rm_model_save_config(is, &arch, pad);
	assert_non_null(config);
	rm_json_canonical(&b, config);
	assert_string_equal(rm_buf_text(&b), expected);
	assert_true(json_equal(is, was));
	rm_buf_fini(&b);
	json_decref(is);
	json_decref(was);
	json_decref(config);
}

static void test_save_config(void **state)
{
	(void)state;
	/* Keys of the function stay; the older dtype goes. */
	saved_as("{\"model_type\":\"gpt2\",\"architectures\":[\"GPT2Model\"],"
		 "\"torch_dtype\":\"bfloat16\",\"num_labels\":1,"
		 "\"activation_function\":\"relu\"}", 7,
		 "{\"activation_function\":\"relu\",\"architectures\":[\"GPT2ForSequenceClassification\"],"
		 "\"dtype\":\"float32\",\"id2label\":{\"0\":\"LABEL_0\"},"
		 "\"label2id\":{\"LABEL_0\":0},\"model_type\":\"gpt2\","
		 "\"pad_token_id\":7,\"problem_type\":\"regression\"}");
	/* Its own label stays; without a pad id there is none. */
	saved_as("{\"model_type\":\"bert\",\"dtype\":\"float16\","
		 "\"id2label\":{\"0\":\"reward\"},"
		 "\"label2id\":{\"reward\":0}}", -1,
		 "{\"architectures\":[\"BertForSequenceClassification\"],"
		 "\"dtype\":\"float32\",\"id2label\":{\"0\":\"reward\"},"
		 "\"label2id\":{\"reward\":0},\"model_type\":\"bert\","
		 "\"problem_type\":\"regression\"}");
}

static void positions(const char *text, size_t expected)
{
	json_t *config = parse(text);

	assert_int_equal(rm_model_positions(config), expected);
	json_decref(config);
}

static void test_positions(void **state)
{
	(void)state;
	positions("{\"model_type\":\"bert\",\"max_position_embeddings\":77}",
		  77);
	positions("{\"model_type\":\"bert\"}", 512);
	positions("{\"model_type\":\"roberta\",\"pad_token_id\":1,"
		  "\"max_position_embeddings\":514}", 512);
	positions("{\"model_type\":\"gpt2\",\"n_positions\":99}", 99);
	positions("{\"model_type\":\"rmtools\",\"backbone_config\":"
		  "{\"name\":\"bag\"}}", 0);
	positions("{\"model_type\":\"rmtools\",\"backbone_config\":"
		  "{\"name\":\"transformer\",\"config\":{\"model_type\":"
		  "\"bert\",\"max_position_embeddings\":77}}}", 77);
	/* Text can be tokenised for what is not computed here. */
	positions("{\"model_type\":\"new\",\"max_position_embeddings\":77}",
		  77);
	positions("{\"max_position_embeddings\":-1}", 0);
}

/* ---- tokenizers ---- */

/* A checkpoint without rm.json, as far as matching goes. */
static void start_model(struct rm_model *m, const struct rm_header *h)
{
	memset(m, 0, sizeof(*m));
	assert_int_equal(rm_header_init(&m->origin), 0);
	assert_int_equal(rm_files_copy(&m->origin.tokenizer, &h->tokenizer),
			 0);
}

static void test_match(void **state)
{
	struct rm_header h;
	struct rm_model m;

	(void)state;
	made_header(&h);
	assert_int_equal(rm_header_set_policy(&h, parse("{\"a\":1}")), 0);
	/* The same bytes, unread. */
	start_model(&m, &h);
	assert_int_equal(rm_model_match(&m, "dir", &h, "in", false), 0);
	assert_string_equal(m.origin.tokenizer_fp.hex, h.tokenizer_fp.hex);
	rm_header_fini(&m.origin);
	/* Other bytes, the same tokenizer. */
	start_model(&m, &h);
	rm_files_fini(&m.origin.tokenizer);
	{
		struct rm_buf b = {0};

		rm_buf_putc(&b, '\n');
		rm_buf_append(&b, h.tokenizer.file[0].data,
			      h.tokenizer.file[0].len);
		rm_files_add(&m.origin.tokenizer, "tokenizer.json", b.data,
			     b.len);
		rm_buf_fini(&b);
	}
	assert_int_equal(rm_model_match(&m, "dir", &h, "in", false), 0);
	assert_string_equal(m.origin.tokenizer_fp.hex, h.tokenizer_fp.hex);
	/* Another. */
	h.tokenizer_fp.hex[0] ^= 1;
	assert_int_equal(rm_model_match(&m, "dir", &h, "in", false), -1);
	assert_non_null(strstr(rm_error(), "in has tokenizer"));
	assert_int_equal(rm_model_match(&m, "dir", &h, "in", true), 0);
	rm_header_fini(&m.origin);
	rm_header_fini(&h);
}

/* What a base lacks comes from the stream. */
static void test_adopt(void **state)
{
	struct rm_header h, none;
	struct rm_model m;

	(void)state;
	made_header(&h);
	assert_int_equal(rm_header_init(&none), 0);
	assert_int_equal(rm_header_set_policy(&h, parse("{\"a\":1}")), 0);
	json_array_append_new(h.history, json_string("x"));
	start_model(&m, &none);
	assert_int_equal(rm_model_match(&m, "dir", &h, "in", false), 0);
	assert_int_equal(rm_model_adopt(&m, "dir", &h), 0);
	assert_true(m.recorded);
	assert_string_equal(m.origin.policy_fp.hex, h.policy_fp.hex);
	assert_string_equal(m.origin.tokenizer_fp.hex, h.tokenizer_fp.hex);
	assert_int_equal(m.origin.tokenizer.n, 1);
	assert_int_equal(json_array_size(m.origin.history), 1);
	rm_header_fini(&m.origin);
	rm_header_fini(&none);
	rm_header_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_save_config),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_adopt),
	};

	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
