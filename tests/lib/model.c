/* model: directories written, read back, damaged. */
#include "made.h"

#include "model.h"

#include <errno.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rm_model *new_model(uint64_t seed)
{
	json_t *backbone = rm_backbone_parse("bag:dim=4,rows=256");
	json_t *head = rm_head_parse("linear");
	struct rm_header h;
	struct rm_model *m;

	made_header(&h);
	m = rm_model_new(backbone, head, &h, &rm_model_train_all);
	assert_non_null(m);
	/* Values of our own: rows start at zero. */
	for (size_t i = 0; i < m->params.size; i++)
		m->params.block[i] = (rm_real)rm_random_normal(seed,
			RM_RANDOM_TEST, 0, i);
	rm_header_fini(&h);
	json_decref(backbone);
	json_decref(head);
	return m;
}

/* Rewards of three texts. */
static void score(struct rm_model *m, rm_real out[3])
{
	static const char *const text[3] = { "good tree", "bad", "" };
	struct rm_batch b = {0};
	const rm_real *scores;

	for (size_t i = 0; i < 3; i++) {
		int32_t ids[32];
		struct rm_slice response = {
			(unsigned char *)ids,
			made_ids(text[i], ids) * sizeof(*ids)
		};

		assert_int_equal(rm_batch_add(&b, (struct rm_slice){0},
					      &response, 1,
					      m->prompt), 0);
	}
	scores = rm_model_forward(m, &b);
	assert_non_null(scores);
	for (size_t i = 0; i < 3; i++)
		out[i] = scores[i * m->head->columns];
	rm_batch_fini(&b);
}

static void save(const char *dir, uint64_t seed)
{
	struct rm_model *m = new_model(seed);

	assert_int_equal(rm_model_save(m, dir, false), 0);
	rm_model_free(m);
}

static void ignore(void *arg, const char *file, const char *problem)
{
	(void)arg;
	(void)file;
	(void)problem;
}

/* Problems that a check names, one a line. */
static void collect(void *arg, const char *file, const char *problem)
{
	if (problem)
		rm_buf_printf(arg, "%s: %s\n", file, problem);
}

static void damaged(const char *dir, const char *message)
{
	struct rm_buf b = {0};

	assert_null(rm_model_load(dir, NULL));
	assert_int_equal(rm_model_check(dir, collect, &b), -1);
	assert_non_null(rm_buf_text(&b));
	if (!strstr((char *)b.data, message))
		fail_msg("no \"%s\" in: %s", message, (char *)b.data);
	rm_buf_fini(&b);
}

static void test_round_trip(void **state)
{
	const char *dir = made_path("round");
	struct rm_model *m = new_model(1), *n;
	struct rm_fingerprint fp = rm_model_fingerprint(m);
	rm_real before[3], after[3];

	(void)state;
	assert_int_equal(rm_model_save(m, dir, false), 0);
	n = rm_model_load(dir, NULL);
	if (!n)
		fail_msg("%s", rm_error());
	score(m, before);
	score(n, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_string_equal(rm_model_fingerprint(n).hex, fp.hex);
	assert_string_equal(n->origin.tokenizer_fp.hex,
			    m->origin.tokenizer_fp.hex);
	assert_int_equal(rm_model_check(dir, ignore, NULL), 0);
	rm_model_free(m);
	rm_model_free(n);
}

/* A scale that is not 1 is in the file as the true values. */
static void test_scale(void **state)
{
	const char *dir = made_path("scale");
	struct rm_model *m = new_model(1), *n;
	rm_real before[3], after[3];

	(void)state;
	score(m, before);
	for (size_t i = 0; i < m->params.n; i++) {
		struct rm_param *p = &m->params.param[i];

		if (!p->sparse)
			continue;
		p->scale = .5;
		for (size_t j = 0; j < p->size; j++)
			p->value[j] *= 2;
	}
	assert_int_equal(rm_model_save(m, dir, false), 0);
	n = rm_model_load(dir, NULL);
	assert_non_null(n);
	score(n, after);
	assert_memory_equal(before, after, sizeof(before));
	rm_model_free(m);
	rm_model_free(n);
}

static void test_fingerprint(void **state)
{
	struct rm_model *m = new_model(1), *n = new_model(1);

	(void)state;
	assert_string_equal(rm_model_fingerprint(m).hex,
			    rm_model_fingerprint(n).hex);
	/* Not of calibration and history. */
	json_decref(n->calibration);
	n->calibration = json_pack("{s:s}", "method", "temperature");
	json_array_append_new(n->origin.history, json_string("x"));
	assert_string_equal(rm_model_fingerprint(m).hex,
			    rm_model_fingerprint(n).hex);
	n->params.block[5] += 1;
	assert_string_not_equal(rm_model_fingerprint(m).hex,
				rm_model_fingerprint(n).hex);
	rm_model_free(m);
	rm_model_free(n);
}

static void test_replaces_only_ours(void **state)
{
	const char *dir = made_path("ours");
	char *note = made_path("ours/notes.txt"), *aside = made_path("ours~");
	struct rm_model *m = new_model(2);

	(void)state;
	save(dir, 1);
	assert_int_equal(rm_model_save(m, dir, false), 0);
	assert_int_equal(rm_write_file(note, "mine", 4), 0);
	assert_int_equal(rm_model_check_target(dir, false), -1);
	assert_non_null(strstr(rm_error(), "notes.txt"));
	assert_int_equal(rm_model_save(m, dir, false), -1);
	assert_int_equal(access(note, F_OK), 0);
	/* Forced: moved aside, whole. */
	assert_int_equal(rm_model_save(m, dir, true), 0);
	assert_int_equal(access(note, F_OK), -1);
	assert_int_equal(access(made_path("ours~/notes.txt"), F_OK), 0);
	assert_int_equal(rm_write_file(note, "mine", 4), 0);
	/* Not over what was moved aside before. */
	assert_int_equal(rm_model_save(m, dir, true), -1);
	assert_non_null(strstr(rm_error(), aside));
	rm_model_free(m);
}

static void test_target_is_a_file(void **state)
{
	const char *file = made_path("file");

	(void)state;
	assert_int_equal(rm_write_file(file, "x", 1), 0);
	assert_int_equal(rm_model_check_target(file, false), -1);
	assert_non_null(strstr(rm_error(), "not a directory"));
	assert_int_equal(rm_model_check_target(made_path("no/such"), true),
			 -1);
	assert_non_null(strstr(rm_error(), "No such file"));
	assert_int_equal(rm_model_check_target(made_path("new"), false), 0);
}

/* A failed write leaves the earlier model, and nothing beside it. */
static void test_earlier_survives(void **state)
{
	const char *dir = made_path("full");
	struct rlimit limit, small;
	struct rm_model *m = new_model(2), *n;
	rm_real one[3], two[3];
	char command[300];

	(void)state;
	save(dir, 1);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 1000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(rm_model_save(m, dir, false), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_non_null(strstr(rm_error(), "is not written"));
	assert_int_equal(rm_model_check(dir, ignore, NULL), 0);
	n = rm_model_load(dir, NULL);
	rm_model_free(m);
	m = new_model(1);
	score(m, one);
	score(n, two);
	assert_memory_equal(one, two, sizeof(one));
	snprintf(command, sizeof(command), "test -z \"$(ls -d %s.tmp.* "
		 "2>&- )\"", dir);
	assert_int_equal(system(command), 0);
	rm_model_free(m);
	rm_model_free(n);
}

static void test_link_is_followed(void **state)
{
	const char *dir = made_path("real"), *link = made_path("link");
	struct rm_model *m = new_model(2), *n;
	struct stat st;

	(void)state;
	save(dir, 1);
	assert_int_equal(symlink(dir, link), 0);
	assert_int_equal(rm_model_save(m, link, false), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	n = rm_model_load(dir, NULL);
	assert_string_equal(rm_model_fingerprint(n).hex,
			    rm_model_fingerprint(m).hex);
	rm_model_free(m);
	rm_model_free(n);
}

/* Change n bytes at `at` (from the end if negative) of a file. */
static void poke(const char *path, long at, const void *data, size_t n)
{
	struct rm_buf b = {0};
	size_t place;

	assert_int_equal(rm_read_file(path, 1 << 24, &b), 0);
	place = at < 0 ? b.len - (size_t)-at : (size_t)at;
	memcpy(b.data + place, data, n);
	assert_int_equal(rm_write_file(path, b.data, b.len), 0);
	rm_buf_fini(&b);
}

/* Replace the first `from` in a file. */
static void edit(const char *path, const char *from, const char *to)
{
	struct rm_buf b = {0}, new = {0};
	char *at;

	assert_int_equal(rm_read_file(path, 1 << 24, &b), 0);
	at = memmem(b.data, b.len, from, strlen(from));
	assert_non_null(at);
	rm_buf_append(&new, b.data, (size_t)(at - (char *)b.data));
	rm_buf_puts(&new, to);
	rm_buf_append(&new, at + strlen(from), b.len -
		      (size_t)(at - (char *)b.data) - strlen(from));
	assert_int_equal(rm_write_file(path, new.data, new.len), 0);
	rm_buf_fini(&b);
	rm_buf_fini(&new);
}

static void test_damaged_weights(void **state)
{
	const char *dir = made_path("weights");
	char *file = made_path("weights/model.safetensors");
	float nan = __builtin_nanf("");

	(void)state;
	save(dir, 1);
	poke(file, -4, &nan, 4);
	damaged(dir, "NaN");
	save(dir, 1);
	poke(file, -4, "\1\2\3\4", 4);
	damaged(dir, "differs from its fingerprint");
	save(dir, 1);
	edit(file, "[256, 4]", "[4, 256]");
	damaged(dir, "shape [4, 256], expected [256, 4]");
	save(dir, 1);
	edit(file, "\"F32\"", "\"I32\"");
	damaged(dir, "dtype I32");
	save(dir, 1);
	assert_int_equal(truncate(file, 200), 0);
	damaged(dir, "model.safetensors");
	save(dir, 1);
	assert_int_equal(unlink(file), 0);
	damaged(dir, "No such file");
	save(dir, 1);
}

static void test_damaged_json(void **state)
{
	const char *dir = made_path("json");
	char *config = made_path("json/config.json");
	char *rm = made_path("json/rm.json");

	(void)state;
	save(dir, 1);
	edit(config, "\"rmtools\"", "\"t5\"");
	damaged(dir, "model_type \"t5\" is not computed here");
	save(dir, 1);
	edit(config, "backbone_config", "backbone");
	damaged(dir, "backbone_config is missing");
	save(dir, 1);
	/* Rows that would take 32 GB: refused before they are allocated. */
	edit(config, "\"rows\": 256", "\"rows\": 2147483648");
	damaged(dir, "shape [256, 4], expected [2147483648, 4]");
	save(dir, 1);
	edit(config, "\"rows\": 256", "\"rows\": \"x\"");
	damaged(dir, "config.json");
	save(dir, 1);
	edit(rm, "\"version\": 1", "\"version\": 99");
	damaged(dir, "version 99");
	save(dir, 1);
	edit(rm, "\"pooling\": \"backbone\"", "\"pooling\": \"max\"");
	damaged(dir, "pooling is \"max\"");
	save(dir, 1);
	edit(rm, "{", "[");
	damaged(dir, "rm.json");
	save(dir, 1);
	assert_int_equal(unlink(rm), 0);
	damaged(dir, "rm.json");
}

static void test_damaged_tokenizer(void **state)
{
	const char *dir = made_path("tok");
	char *file = made_path("tok/tokenizer.json");
	struct rm_buf b = {0};

	(void)state;
	save(dir, 1);
	edit(file, "\"!\": 33", "\"!\": 34");
	/* Loads: the ids of a stream are checked by rm.json. */
	assert_int_equal(rm_model_check(dir, collect, &b), -1);
	assert_non_null(strstr(rm_buf_text(&b), "tokenizer.json"));
	rm_buf_fini(&b);
}

/*
 * A stream with the same tokenizer.json under the same fingerprint vouches
 * for it; any other tokenizer is parsed.
 */
static void test_check_tokenizer(void **state)
{
	const char *dir = made_path("vouched");
	struct rm_header h;
	struct rm_model *m;
	char *text;

	(void)state;
	made_header(&h);
	save(dir, 1);
	m = rm_model_load(dir, NULL);
	assert_non_null(m);
	assert_int_equal(rm_model_check_tokenizer(m, dir, &h), 0);
	/* Not parsed: what is the same in both is not looked at. */
	text = (char *)m->origin.tokenizer.file[0].data;
	text[0] = '!';
	h.tokenizer.file[0].data[0] = '!';
	assert_int_equal(rm_model_check_tokenizer(m, dir, &h), 0);
	/* Parsed: the bytes, then the fingerprints, are not the same. */
	h.tokenizer.file[0].data[0] = '{';
	assert_int_equal(rm_model_check_tokenizer(m, dir, &h), -1);
	text[0] = '{';
	assert_int_equal(rm_model_check_tokenizer(m, dir, &h), 0);
	h.tokenizer_fp.hex[0] ^= 1;
	assert_int_equal(rm_model_check_tokenizer(m, dir, &h), 0);
	m->origin.tokenizer_fp.hex[0] ^= 3;
	assert_int_equal(rm_model_check_tokenizer(m, dir, &h), -1);
	assert_non_null(strstr(rm_error(), "fingerprint"));
	rm_files_fini(&h.tokenizer);
	h.tokenizer = (struct rm_files){0};
	assert_int_equal(rm_model_check_tokenizer(m, dir, &h), -1);
	rm_model_free(m);
	rm_header_fini(&h);
}

static void test_calibration(void **state)
{
	const char *dir = made_path("calibrated");
	json_t *c = json_pack("{s:s, s:[f]}", "method", "temperature",
			      "parameters", 1.5), *rm;
	struct rm_model *m;

	(void)state;
	save(dir, 1);
	assert_int_equal(rm_model_save_calibration(dir, c), 0);
	m = rm_model_load(dir, NULL);
	assert_non_null(m);
	assert_true(json_equal(m->calibration, c));
	rm = rm_model_load_json(dir);
	assert_true(json_equal(json_object_get(rm, "calibration"), c));
	assert_int_equal(rm_model_check(dir, ignore, NULL), 0);
	json_decref(rm);
	json_decref(c);
	rm_model_free(m);
}

/* A stream cannot make us write elsewhere, or over our own files. */
static void test_hostile_tokenizer_name(void **state)
{
	struct rm_model *m = new_model(1);

	(void)state;
	free(m->origin.tokenizer.file[0].name);
	m->origin.tokenizer.file[0].name = rm_strdup("../escaped");
	assert_int_equal(rm_model_save(m, made_path("hostile"), false), -1);
	assert_non_null(strstr(rm_error(), "../escaped"));
	assert_int_equal(access(made_path("escaped"), F_OK), -1);
	assert_int_equal(access(made_path("hostile"), F_OK), -1);
	free(m->origin.tokenizer.file[0].name);
	m->origin.tokenizer.file[0].name = rm_strdup("rm.json");
	assert_int_equal(rm_model_save(m, made_path("hostile"), false), -1);
	rm_model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_replaces_only_ours),
		cmocka_unit_test(test_target_is_a_file),
		cmocka_unit_test(test_earlier_survives),
		cmocka_unit_test(test_link_is_followed),
		cmocka_unit_test(test_damaged_weights),
		cmocka_unit_test(test_damaged_json),
		cmocka_unit_test(test_damaged_tokenizer),
		cmocka_unit_test(test_check_tokenizer),
		cmocka_unit_test(test_calibration),
		cmocka_unit_test(test_hostile_tokenizer_name),
	};

	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
