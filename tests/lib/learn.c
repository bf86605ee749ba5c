/*
 * What a naive learner learns, and the ids of the PyPI package `tokenizers`
 * with it, are in tests/data/learn.json, which tests/ref/learn.py writes.
 */
#include "test.h"

#include "tokenizer.h"
#include "tokenizer/learn.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static struct rm_tokenizer *from_text(const char *text)
{
	struct rm_files files = {0};
	struct rm_tokenizer *t;

	assert_int_equal(rm_files_add(&files, "tokenizer.json", text,
				      strlen(text)), 0);
	t = rm_tokenizer_from_files(&files);
	rm_files_fini(&files);
	return t;
}

/* The file that is learned from pieces of so many bytes. */
static char *learn(const struct rm_learn_options *o, const char *text,
		   size_t piece, size_t *forgotten)
{
	struct rm_learner *l = rm_learner_new(o);
	struct rm_buf json = {0};
	size_t len = strlen(text);

	assert_non_null(l);
	for (size_t i = 0; i < len; i += piece)
		assert_int_equal(rm_learner_add(l, text + i,
				 RM_MIN(piece, len - i)), 0);
	assert_int_equal(rm_learner_finish(l, &json), 0);
	assert_true(rm_learner_size(l) <= o->vocab);
	if (forgotten)
		*forgotten = rm_learner_forgotten(l);
	rm_learner_free(l);
	return rm_buf_text(&json);
}

static char *learn_bpe(size_t vocab, size_t min_count, const char *text,
		       size_t piece)
{
	const struct rm_learn_options o = { .vocab = vocab,
					    .min_count = min_count };

	return learn(&o, text, piece, NULL);
}

/* ---- against the naive learner ---- */

/* The ids of the reference's texts. */
static void check_ids(const struct rm_tokenizer *t, const json_t *texts,
		      const json_t *want)
{
	struct rm_encoding e = {0};
	json_t *text;
	size_t i;

	json_array_foreach((json_t *)texts, i, text) {
		const json_t *ids = json_array_get(want, i);

		assert_int_equal(rm_tokenizer_encode(t, &e,
				 json_string_value(text),
				 json_string_length(text)), 0);
		assert_int_equal(e.n, json_array_size(ids));
		for (size_t k = 0; k < e.n; k++)
			assert_int_equal(e.ids[k], json_integer_value(
					 json_array_get(ids, k)));
	}
	rm_encoding_fini(&e);
}

static void check_model(const json_t *model, const json_t *row)
{
	const json_t *vocab = json_object_get(model, "vocab");
	json_t *token;
	size_t id;

	if (json_object_get(row, "merges")) {
		assert_true(json_equal(json_object_get(row, "merges"),
				       json_object_get(model, "merges")));
		return;
	}
	json_array_foreach(json_object_get(row, "tokens"), id, token) {
		const json_t *has = json_object_get(vocab,
			json_string_value(token));

		assert_non_null(has);
		assert_int_equal(json_integer_value(has), id);
	}
	assert_int_equal(json_object_size(vocab), id);
}

static void check_row(const json_t *texts, const json_t *row)
{
	const struct rm_learn_options o = {
		.type = text_of(row, "type"), .min_count = 1,
		.vocab = (size_t)json_integer_value(
			json_object_get(row, "vocab")),
		.cased = json_is_true(json_object_get(row, "cased"))
	};
	char *made = learn(&o, text_of(row, "text"), SIZE_MAX / 2, NULL);
	json_t *json = rm_json_parse(made, strlen(made));
	struct rm_tokenizer *t;

	assert_non_null(json);
	check_model(json_object_get(json, "model"), row);
	t = from_text(made);
	assert_non_null(t);
	check_ids(t, texts, json_object_get(row, "ids"));
	rm_tokenizer_free(t);
	json_decref(json);
	free(made);
}

static void test_matches_naive(void **state)
{
	json_t *ref = rm_json_load("tests/data/learn.json", SIZE_MAX), *row;
	size_t i;

	(void)state;
	assert_non_null(ref);
	json_array_foreach(json_object_get(ref, "rows"), i, row)
		check_row(json_object_get(ref, "texts"), row);
	assert_true(i >= 10);
	json_decref(ref);
}

/* ---- invariants ---- */

static void test_is_a_sum(void **state)
{
	char *a = learn_bpe(300, 2, "low low lower\nnew newer\nlow wide\n",
			    99);
	char *b = learn_bpe(300, 2, "low wide\nlow low lower\nnew newer\n",
			    99);
	char *c = learn_bpe(300, 1, "low wide\nlow low lower\nnew newer\n",
			    99);

	(void)state;
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);	/* words seen once do not count */
	free(a);
	free(b);
	free(c);
}

/* n lines of 64 bytes: words of few letters, from line `first` on. */
static char *random_lines(size_t n, size_t first, unsigned letters)
{
	char *text = rm_malloc(64 * n + 1, 1);

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 64; k++) {
			uint64_t r = rm_random(7, RM_RANDOM_TEST,
					       (first + i) % n, k);

			text[64 * i + k] = (char)(k == 63 ? '\n' :
				r >> 32 & 3 ? 'a' + (int)(r % letters) : ' ');
		}
	text[64 * n] = '\0';
	return text;
}

static void test_threads_and_order(void **state)
{
	char *text = random_lines(2000, 0, 6);
	char *turned = random_lines(2000, 777, 6);

	(void)state;
	assert_string_not_equal(text, turned);
	for (size_t i = 0; rm_learner_types[i]; i++) {
		struct rm_learn_options o = {
			.type = rm_learner_types[i], .vocab = 800,
			.min_count = 1, .threads = 1
		};
		char *one = learn(&o, text, 64, NULL), *more, *other;

		o.threads = 3;
		more = learn(&o, text, 64, NULL);
		other = learn(&o, turned, 64, NULL);
		assert_string_equal(one, more);
		assert_string_equal(one, other);
		free(one);
		free(more);
		free(other);
	}
	free(text);
	free(turned);
}

/* ---- bounds ---- */

static void test_forgets_the_rare(void **state)
{
	struct rm_learn_options o = { .vocab = 400, .min_count = 1,
				      .threads = 1, .max_words = 2000 };
	char *text = random_lines(4000, 0, 26), *one, *more;
	size_t forgotten = 0, again = 0;

	(void)state;
	for (size_t i = 0; i < 4000; i += 4)
		memcpy(text + 64 * i, "quizquiz \n", 10);
	one = learn(&o, text, 64, &forgotten);
	assert_true(forgotten > 1000);
	assert_non_null(strstr(one, "\"quizquiz\": "));
	o.threads = 3;
	more = learn(&o, text, 64, &again);
	assert_string_equal(one, more);
	assert_int_equal(forgotten, again);
	free(one);
	free(more);
	o.max_words = 0;
	one = learn(&o, text, 64, &forgotten);
	assert_int_equal(forgotten, 0);
	free(one);
	free(text);
}

static void add(struct rm_counts *c, const char *word, uint64_t count)
{
	assert_int_equal(rm_counts_add(c, (const unsigned char *)word,
				       strlen(word), count), 0);
}

static void test_counts(void **state)
{
	struct rm_counts c = {0}, sum = {0};
	const struct rm_count *r;
	size_t at = 0, dropped = 0;

	(void)state;
	assert_null(rm_counts_next(&c, &at));
	add(&c, "once", 1);
	add(&c, "thrice", 1);
	add(&c, "four times", 4);
	add(&c, "thrice", 2);
	assert_int_equal(rm_counts_merge(&sum, &c), 0);
	assert_int_equal(rm_counts_merge(&sum, &c), 0);
	assert_int_equal(sum.n, 3);
	rm_counts_prune(&sum, 3, 99, &dropped);
	assert_int_equal(dropped, 0);
	rm_counts_prune(&sum, 2, 99, &dropped);
	assert_int_equal(dropped, 1);
	r = rm_counts_next(&sum, &at);
	assert_int_equal(r->count, 6);
	assert_memory_equal(r->word, "thrice", 6);
	add(&sum, "four times", 1);
	r = rm_counts_next(&sum, &at);
	assert_int_equal(r->count, 9);
	assert_null(rm_counts_next(&sum, &at));
	rm_counts_prune(&sum, 99, 0, &dropped);
	assert_int_equal(dropped, 3);
	assert_int_equal(sum.n, 0);
	rm_counts_fini(&c);
	rm_counts_fini(&sum);
}

static void test_little(void **state)
{
	char *made = learn_bpe(1000, 1, "ab", 99);
	struct rm_tokenizer *t = from_text(made);
	struct rm_learn_options o = { .vocab = 255 };

	(void)state;
	assert_int_equal(rm_tokenizer_size(t), 257);
	rm_tokenizer_free(t);
	free(made);
	made = learn_bpe(256, 1, "", 1);
	t = from_text(made);
	assert_int_equal(rm_tokenizer_size(t), 256);
	rm_tokenizer_free(t);
	free(made);
	assert_null(rm_learner_new(&o));
	assert_non_null(strstr(rm_error(), "255"));
	o = (struct rm_learn_options){ .vocab = 300, .type = "unigram" };
	assert_null(rm_learner_new(&o));
	assert_non_null(strstr(rm_error(), "unigram"));
	o.type = NULL;
	rm_learner_free(rm_learner_new(&o));
	rm_learner_free(NULL);
}

/* One word of a million letters is learned from in pieces. */
static void test_long_word(void **state)
{
	size_t len = 1000000;
	char *text = rm_malloc(len + 1, 1), *made;

	(void)state;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + rm_random(3, RM_RANDOM_TEST, 0, i) %
				 26);
	text[len] = '\0';
	made = learn_bpe(1000, 1, text, len);
	assert_non_null(strstr(made, "\": 999\n"));
	free(made);
	free(text);
}

/* ---- WordPiece ---- */

/* Words that are [UNK] to the model teach nothing. */
static void test_wordpiece_leaves_out(void **state)
{
	const struct rm_learn_options o = { .type = "wordpiece", .vocab = 300,
					    .min_count = 1 };
	char text[1100] = "ab ", *made;

	(void)state;
	memset(text + 3, 'x', 101);
	made = learn(&o, text, 2000, NULL);
	assert_non_null(strstr(made, "\"ab\": "));
	assert_null(strstr(made, "\"x\": "));
	free(made);
	text[103] = '\0';
	made = learn(&o, text, 2000, NULL);
	assert_non_null(strstr(made, "\"##xx\": "));
	free(made);
}

static void test_wordpiece_is_json(void **state)
{
	const struct rm_learn_options o = { .type = "wordpiece", .vocab = 300,
					    .min_count = 1 };
	char *made = learn(&o, "say \"no\" \\ \xd0\xb6", 99, NULL);
	json_t *json = rm_json_parse(made, strlen(made));
	json_t *vocab = json_object_get(json_object_get(json, "model"),
					"vocab");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(vocab, "[MASK]")),
			 4);
	assert_int_equal(json_integer_value(json_object_get(vocab, "\"")), 5);
	assert_non_null(json_object_get(vocab, "\\"));
	assert_non_null(json_object_get(vocab, "\xd0\xb6"));
	assert_non_null(json_object_get(vocab, "say"));
	json_decref(json);
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches_naive),
		cmocka_unit_test(test_is_a_sum),
		cmocka_unit_test(test_threads_and_order),
		cmocka_unit_test(test_forgets_the_rare),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_little),
		cmocka_unit_test(test_long_word),
		cmocka_unit_test(test_wordpiece_leaves_out),
		cmocka_unit_test(test_wordpiece_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
