/*
 * Normalizers: texts, and what the PyPI package `tokenizers` makes of them,
 * are in tests/data/normalize.json, which tests/ref/normalize.py writes.
 */
#include "test.h"

#include "reference.h"
#include "tokenizer/steps.h"
#include "tokenizer/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DATA "tests/data/normalize.json"

static const struct rm_step_kind *const tables[] = {
	rm_normalizers_unicode, rm_normalizers_bert,
	rm_normalizers_precompiled, NULL
};

/* ---- one normalizer at work ---- */

struct worker {
	struct rm_steps steps;
	struct rm_work work;
	struct rm_buf canonical;
};

static int worker_load(struct worker *w, const json_t *json)
{
	*w = (struct worker){0};
	return rm_steps_load(&w->steps, json, tables, "normalizer",
			     &w->canonical);
}

static void worker_fini(struct worker *w)
{
	if (w->steps.n && w->steps.step[0].work_free)
		w->steps.step[0].work_free(w->work.own);
	rm_edit_fini(&w->work.edit);
	rm_steps_fini(&w->steps);
	rm_buf_fini(&w->canonical);
}

/* From a copy without a byte to spare, so that a sanitizer sees overruns. */
static int rewrite(struct worker *w, const void *text, size_t n)
{
	const struct rm_step *s = &w->steps.step[0];
	unsigned char *copy = malloc(n);
	int status;

	memcpy(copy, text, n);
	rm_edit_clear(&w->work.edit);
	status = s->rewrite(s, &w->work, copy, n, true);
	free(copy);
	return status;
}

/* Ends of characters go back to ends of characters, in order. */
static void check_ends(const struct rm_edit *e, const unsigned char *text,
		       size_t n)
{
	size_t *ends = malloc((e->text.len + 1) * sizeof(*ends)), k = 0;

	for (size_t i = 0; i <= e->text.len; i++)
		if (i == e->text.len || (e->text.data[i] & 0xc0) != 0x80)
			ends[k++] = i;
	rm_edit_back(e, ends, k, 100);
	for (size_t i = 0; i < k; i++) {
		assert_in_range(ends[i], i ? ends[i - 1] : 100, 100 + n);
		if (ends[i] < 100 + n)
			assert_int_not_equal(text[ends[i] - 100] & 0xc0,
					     0x80);
	}
	assert_int_equal(e->run[e->n - 1].old_end, n);
	if (e->n < 2 || e->run[e->n - 1].new_end > e->run[e->n - 2].new_end)
		assert_int_equal(ends[k - 1], e->text.len ? 100 + n : 100);
	free(ends);
}

/* `expected` is null for a text that stays. */
static void check_text(struct worker *w, const json_t *text,
		       const json_t *expected)
{
	const char *t = json_string_value(text);
	size_t n = json_string_length(text);
	int status = rewrite(w, t, n);
	const struct rm_edit *e = &w->work.edit;

	if (json_is_null(expected))
		expected = text;
	if (status == 0 && expected == text)
		return;
	if (status != 1 || e->text.len != json_string_length(expected) ||
	    memcmp(e->text.data, json_string_value(expected), e->text.len))
		fail_msg("%.80s...: \"%.*s\" (%d) for \"%s\", not \"%s\"",
			 w->canonical.data, (int)e->text.len, e->text.data,
			 status, t, json_string_value(expected));
	check_ends(e, (const unsigned char *)t, n);
}

static void test_matches_the_peer(void **state)
{
	json_t *texts = reference(DATA, "texts"), *one, *text;
	size_t i, k;

	(void)state;
	json_array_foreach(reference(DATA, "cases"), i, one) {
		json_t *expected = json_object_get(one, "expected");
		struct worker w;

		if (worker_load(&w, json_object_get(one, "normalizer")) < 0)
			fail_msg("%s", rm_error());
		assert_non_null(rm_buf_text(&w.canonical));
		json_array_foreach(texts, k, text)
			check_text(&w, text, json_array_get(expected, k));
		worker_fini(&w);
	}
}

/* ---- what is read and what is not ---- */

static void check_load(const char *json, const char *expected, bool loads)
{
	json_t *value = rm_json_parse(json, strlen(json));
	struct worker w;

	assert_non_null(value);
	assert_int_equal(worker_load(&w, value), loads ? 0 : -1);
	if (loads)
		assert_string_equal(rm_buf_text(&w.canonical), expected);
	else if (!strstr(rm_error(), expected))
		fail_msg("\"%s\", not \"%s\"", rm_error(), expected);
	worker_fini(&w);
	json_decref(value);
}

#define BERT(more) "{\"type\":\"BertNormalizer\",\"clean_text\":true," \
	"\"handle_chinese_chars\":false" more "}"
#define MAP(text) "{\"type\":\"Precompiled\",\"precompiled_charsmap\":" \
	text "}"
#define BERT_IS(lower, strip) "{\"clean_text\":true,"			\
	"\"handle_chinese_chars\":false,\"lowercase\":" lower ","	\
	"\"strip_accents\":" strip ",\"type\":\"BertNormalizer\"}"

static void test_canonical(void **state)
{
	(void)state;
	check_load("{\"type\":\"NFC\"}", "{\"type\":\"NFC\"}", true);
	check_load("{\"more\":1,\"type\":\"Nmt\"}", "{\"type\":\"Nmt\"}",
		   true);
	check_load(BERT(",\"lowercase\":true"), BERT_IS("true", "true"),
		   true);
	check_load(BERT(",\"lowercase\":false,\"strip_accents\":null"),
		   BERT_IS("false", "false"), true);
	check_load(BERT(",\"lowercase\":true,\"strip_accents\":false"),
		   BERT_IS("true", "false"), true);
	check_load(MAP("\"BAAAAAAAAAA=\""), "{\"precompiled_charsmap\":"
		   "\"BAAAAAAAAAA=\",\"type\":\"Precompiled\"}", true);
}

static void test_refused(void **state)
{
	(void)state;
	check_load("{\"type\":\"NFX\"}", "NFX is not supported", false);
	check_load(BERT(""), "BertNormalizer: no member \"lowercase\"",
		   false);
	check_load(BERT(",\"lowercase\":null"), "lowercase is null", false);
	check_load(BERT(",\"lowercase\":1"), "lowercase is not true or false",
		   false);
	check_load(BERT(",\"lowercase\":true,\"strip_accents\":\"no\""),
		   "strip_accents is not true or false", false);
	check_load("{\"type\":\"Precompiled\"}",
		   "Precompiled: no member \"precompiled_charsmap\"", false);
	check_load(MAP("null"), "is not a string", false);
	check_load(MAP("\"\""), "0 bytes has no trie", false);
	check_load(MAP("\"AAA!\""), "not base64 at character 3", false);
	check_load(MAP("\"AAAAA\""), "cut base64", false);
	check_load(MAP("\"AAAAAA==\""), "no trie of 0 bytes", false);
	check_load(MAP("\"AwAAAAAAAAA=\""), "no trie of 3 bytes", false);
	check_load(MAP("\"/////wAAAAA=\""), "no trie of 4294967295", false);
	check_load(MAP("\"BAAAAAAAAAD/\""), "not UTF-8", false);
}

/* ---- hostile character maps ---- */

static json_t *map_json(const unsigned char *blob, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	struct rm_buf b = {0};
	json_t *json;

	for (size_t bit = 0; bit < 8 * n; bit += 6) {
		unsigned v = (unsigned)blob[bit / 8] << 8;

		if (bit / 8 + 1 < n)
			v |= blob[bit / 8 + 1];
		rm_buf_putc(&b, digits[v >> (10 - bit % 8) & 63]);
	}
	assert_false(b.failed);
	json = json_pack("{s:s, s:s%}", "type", "Precompiled",
			 "precompiled_charsmap", b.data ? (char *)b.data : "",
			 b.len);
	assert_non_null(json);
	rm_buf_fini(&b);
	return json;
}

static int load_map(struct worker *w, const unsigned char *blob, size_t n)
{
	json_t *json = map_json(blob, n);
	int status = worker_load(w, json);

	json_decref(json);
	return status;
}

static void put_u32(unsigned char *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

#define N_UNITS 256
#define MAP_LEN (4 + 4 * N_UNITS + 4)

/* The base of the unit at `at`. */
static uint32_t base(uint32_t at, uint32_t base_at)
{
	return (at ^ base_at) << 10;
}

/* "ab" becomes "xyz"; after "c" come any number of "c". */
static void make_map(unsigned char blob[MAP_LEN])
{
	uint32_t unit[N_UNITS] = {0};

	unit[0] = base(0, 1);
	unit[1 ^ 'a'] = 'a' | base(1 ^ 'a', 8);
	unit[8 ^ 'b'] = 'b' | 1 << 8 | base(8 ^ 'b', 16);
	unit[16] = 1u << 31;
	unit[1 ^ 'c'] = 'c' | base(1 ^ 'c', 1);
	put_u32(blob, 4 * N_UNITS);
	for (size_t i = 0; i < N_UNITS; i++)
		put_u32(blob + 4 + 4 * i, unit[i]);
	memcpy(blob + MAP_LEN - 4, "xyz", 4);
}

/* Clusters of a, b and c with a mark, which no rule cuts. */
static void check_map(struct worker *w, const char *text,
		      const char *expected)
{
	int status = rewrite(w, text, strlen(text));
	struct rm_buf *b = &w->work.edit.text;

	assert_int_equal(status, expected ? 1 : 0);
	if (expected)
		assert_string_equal(rm_buf_text(b), expected);
}

static void refuse_unit(const unsigned char blob[MAP_LEN], uint32_t at,
			uint32_t unit, const char *expected)
{
	unsigned char other[MAP_LEN];
	struct worker w;

	memcpy(other, blob, MAP_LEN);
	put_u32(other + 4 + 4 * at, unit);
	assert_int_equal(load_map(&w, other, MAP_LEN), -1);
	if (!strstr(rm_error(), expected))
		fail_msg("\"%s\", not \"%s\"", rm_error(), expected);
	worker_fini(&w);
}

static void test_map(void **state)
{
	unsigned char blob[MAP_LEN];
	struct worker w;

	(void)state;
	make_map(blob);
	assert_int_equal(load_map(&w, blob, MAP_LEN), 0);
	check_map(&w, "ab", NULL);	/* two clusters */
	check_map(&w, "cccccc\u0301", NULL);
	worker_fini(&w);
	/* 'b' becomes 'a mark', of which the rules make one cluster. */
	put_u32(blob + 4 + 4 * (1 ^ 'a'), 'a' | base(1 ^ 'a', 0xc0));
	put_u32(blob + 4 + 4 * (0xc0 ^ 0xcc), 0xcc | 1 << 8 |
		base(0xc0 ^ 0xcc, 16));
	assert_int_equal(load_map(&w, blob, MAP_LEN), 0);
	check_map(&w, "-a\u0301-", "-xyz-");
	check_map(&w, "-a\u0301\u0301", "-xyz");
	check_map(&w, "a\u0301\u0301\u0301", NULL);	/* too long */
	worker_fini(&w);
}

static void test_bad_units(void **state)
{
	unsigned char blob[MAP_LEN];

	(void)state;
	make_map(blob);
	refuse_unit(blob, 8 ^ 'b', 'b' | 1 << 8 | 999 << 10,
		    "points to unit");
	refuse_unit(blob, 16, 1u << 31 | 4, "no text begins at 4 of 4");
	memcpy(blob + MAP_LEN - 4, "\u20ac", 4);
	refuse_unit(blob, 16, 1u << 31 | 1, "no text begins at 1");
}

/* Whatever is in the map: an error, or some rewriting that ends. */
static void use_damaged(const unsigned char *blob, size_t n)
{
	static const char text[] = "abc ab ccccc a\u0301 b\u0301\u0301 c\r\n";
	struct worker w;

	if (load_map(&w, blob, n) == 0)
		assert_true(rewrite(&w, text, sizeof(text) - 1) >= 0);
	worker_fini(&w);
}

static void test_damaged_maps(void **state)
{
	unsigned char blob[MAP_LEN];
	struct worker w;

	(void)state;
	make_map(blob);
	for (size_t n = 0; n < MAP_LEN - 3; n++) {
		assert_int_equal(load_map(&w, blob, n), -1);
		worker_fini(&w);
	}
	for (size_t i = 0; i < 20000; i++) {
		uint64_t r = rm_random(1, RM_RANDOM_TEST, 0, i);
		size_t at = r % 4 ? 4 + 4 * ((r >> 8) % 2 ? 1 ^ 'a' :
					     8 ^ 'b') : (r >> 8) % MAP_LEN;

		make_map(blob);
		blob[(at + (r >> 20) % 4) % MAP_LEN] = (unsigned char)
						       (r >> 32);
		blob[4 + (r >> 40) % 4] ^= (unsigned char)(r >> 56);
		use_damaged(blob, MAP_LEN);
	}
}

/* ---- long runs: time must not grow with their square ---- */

#define LONG ((size_t)1 << 20)

static void fill(unsigned char *text, const char *head, const char *unit)
{
	size_t n = strlen(head), len = strlen(unit);

	memset(text, 'x', LONG);
	memcpy(text, head, n);
	for (; n + len <= LONG; n += len)
		memcpy(text + n, unit, len);
}

static void test_long_runs(void **state)
{
	static const char *const units[] = {
		"\u0327\u0301", "\u0301\u0327", "\u0301", "\u1100",
		"\u1161\u11a8", " ", "\r", "\r\n", "\x01", "A\u0301",
		"\u200d", "\u0600", "\xf0\x9f\x87\xa9", "\u094d\u0915",
		"\u00a9\u200d", "\u6a21", "\uf900", "\u302e\u302f",
		"\u200b\u0301", "\ufb01",
	};
	unsigned char *text = malloc(LONG);
	clock_t start = clock();
	json_t *one;
	size_t i;

	(void)state;
	json_array_foreach(reference(DATA, "cases"), i, one) {
		struct worker w;

		assert_int_equal(worker_load(&w, json_object_get(one,
						"normalizer")), 0);
		for (size_t k = 0; k < RM_COUNT(units); k++) {
			fill(text, "a", units[k]);
			assert_true(rewrite(&w, text, LONG) >= 0);
		}
		worker_fini(&w);
	}
	free(text);
	/* Seconds, where the square would take hours. */
	assert_true((clock() - start) / CLOCKS_PER_SEC < 120);
}

/* The marks of a long run, sorted by class and otherwise as they were. */
static void test_long_order(void **state)
{
	json_t *json = json_pack("{s:s}", "type", "NFD");
	unsigned char *text = malloc(LONG);
	struct worker w;
	struct rm_buf *b;
	size_t half = (LONG - 2) / 2;

	(void)state;
	assert_int_equal(worker_load(&w, json), 0);
	fill(text, "ab", "\u0301\u0327");
	assert_int_equal(rewrite(&w, text, LONG - 2), 1);
	b = &w.work.edit.text;
	assert_int_equal(b->len, LONG - 2);
	for (size_t i = 2; i < b->len; i += 2)
		assert_memory_equal(b->data + i, i < half + 1 ? "\u0327" :
				    "\u0301", 2);
	worker_fini(&w);
	json_decref(json);
	free(text);
}

/* ---- the tables ---- */

static void test_characters(void **state)
{
	uint32_t lower[2];
	unsigned char bytes[4];
	size_t len;

	(void)state;
	rm_unicode_init();
	for (uint32_t c = 0; c < 0x110000; c++) {
		size_t n = rm_char_put(c, bytes);

		assert_int_equal(rm_char_at(bytes, bytes + n, &len), c);
		assert_int_equal(len, n);
		n = rm_char_lower(c, lower);
		assert_int_equal(n, c == 0x130 ? 2 : 1);
		assert_int_equal(lower[0] != c, !!(rm_char_flags(c) &
						   RM_CHAR_LOWER));
	}
	assert_int_equal(rm_char_flags(' '), RM_CHAR_SPACE);
	assert_int_equal(rm_char_flags(0x663), RM_CHAR_NUMBER | RM_CHAR_WORD |
			 RM_CHAR_NUMERIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_matches_the_peer),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_bad_units),
		cmocka_unit_test(test_damaged_maps),
		cmocka_unit_test(test_long_runs),
		cmocka_unit_test(test_long_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
