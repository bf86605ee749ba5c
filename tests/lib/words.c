/*
 * Texts of one word of a megabyte, by published tokenizers of every kind of
 * part: all of them if RM_LONG is set.  Where work is quadratic, this does
 * not end.
 */
#include "test.h"

#include "../encoding.h"
#include "../words.h"
#include "io.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define SIZE 100000
#else
#define SIZE 1000000
#endif

static const char *const some[] = {
	"bert-base-uncased", "gpt2", "mistral-7b-v0.2", "olmo2-dolma2-cl100k",
	"qwen2.5", "t5-small", NULL
};

static const char *data;

static bool wanted(const char *name)
{
	if (*name == '.')
		return false;
	for (size_t i = 0; some[i]; i++)
		if (strcmp(some[i], name) == 0)
			return true;
	return getenv("RM_LONG") != NULL;
}

/* Whether the ids cover the text. */
static void check(const char *name, const struct rm_tokenizer *t,
		  const struct word *w, char *text)
{
	size_t len = make_word(w, text, SIZE);
	struct rm_encoding e = {0};

	if (rm_tokenizer_encode(t, &e, text, len) < 0)
		fail_msg("%s: %s: %s", name, w->name, rm_error());
	if (!ends_in_order(&e, len))
		fail_msg("%s: %s: ends are not in order", name, w->name);
	if (!w->dropped && (e.n == 0 || e.ends[e.n - 1] != len))
		fail_msg("%s: %s: %zu of %zu bytes", name, w->name,
			 e.n ? e.ends[e.n - 1] : 0, len);
	rm_encoding_fini(&e);
}

/* An added token, glued to itself and with a space between, gives its id
 * each time. */
static void check_token(const char *name, const struct rm_tokenizer *t,
			const json_t *token, char *text)
{
	const char *content = json_string_value(json_object_get(token,
								"content"));
	int32_t id = (int32_t)json_integer_value(json_object_get(token,
								 "id"));

	for (size_t space = 0; space < 2; space++) {
		struct rm_encoding e = {0};
		struct rm_buf unit = {0};
		struct word w = { .name = content, .head = "" };
		size_t len, n = 0, unit_len;

		rm_buf_printf(&unit, "%s%s", content, space ? " " : "");
		w.unit = rm_buf_text(&unit);
		unit_len = unit.len;
		len = make_word(&w, text, SIZE);
		assert_int_equal(rm_tokenizer_encode(t, &e, text, len), 0);
		for (size_t i = 0; i < e.n; i++)
			n += e.ids[i] == id;
		if (n != len / unit_len)
			fail_msg("%s: %s: %zu times, not %zu", name, content,
				 n, len / unit_len);
		assert_true(ends_in_order(&e, len));
		rm_buf_fini(&unit);
		rm_encoding_fini(&e);
	}
}

static void check_family(const char *name, char *text)
{
	struct rm_buf path = {0};
	struct rm_tokenizer *t;
	json_t *json, *token;
	size_t i;

	rm_buf_printf(&path, "%s/%s/tokenizer.json", data, name);
	t = rm_tokenizer_load(rm_buf_text(&path));
	json = rm_json_load(rm_buf_text(&path), SIZE_MAX);
	assert_non_null(t);
	assert_non_null(json);
	for (i = 0; i < RM_COUNT(words); i++)
		check(name, t, &words[i], text);
	json_array_foreach(json_object_get(json, "added_tokens"), i, token)
		if (json_is_true(json_object_get(token, "special")) && i < 4)
			check_token(name, t, token, text);
	json_decref(json);
	rm_tokenizer_free(t);
	rm_buf_fini(&path);
}

static void test_long_words(void **state)
{
	const char *shared = getenv("RM_DATA");
	struct rm_buf path = {0};
	char *text = rm_malloc(SIZE + 4, 1);
	struct dirent *entry;
	DIR *dir;

	(void)state;
	rm_buf_printf(&path, "%s/tokenizers", shared ? shared :
		      "../shared/data");
	data = rm_buf_text(&path);
	dir = opendir(data);
	if (!dir) {
		print_message("no %s\n", data);
		free(text);
		rm_buf_fini(&path);
		skip();
	}
	while ((entry = readdir(dir)))
		if (wanted(entry->d_name))
			check_family(entry->d_name, text);
	closedir(dir);
	free(text);
	rm_buf_fini(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
