/* dataset: what is kept of a stream, in memory and out of it. */
#include "made.h"

#include "dataset.h"

#include <math.h>

static struct rm_dataset *read_made(char *path, size_t memory)
{
	struct rm_reader *in = rm_reader_open(&path, 1, NULL);
	struct rm_dataset *d;

	assert_non_null(in);
	d = rm_dataset_read(in, &(struct rm_dataset_options){
		.memory = memory });
	rm_reader_close(in);
	return d;
}

/* What is said of two examples' tokens is what their batch holds. */
static void check_tokens(const struct rm_subset *s, const size_t *order)
{
	static const enum rm_prompt how[] = {
		RM_PROMPT_NONE, RM_PROMPT_SHARED, RM_PROMPT_COPIED
	};
	struct rm_batch batch = {0};
	size_t tokens[2];

	for (size_t i = 0; i < RM_COUNT(how); i++) {
		assert_int_equal(rm_subset_batch(s, order, 2, how[i],
						 &batch), 0);
		assert_int_equal(rm_subset_tokens(s, order, 2, how[i],
						  tokens), 0);
		assert_int_equal(tokens[0] + tokens[1], batch.n_tokens);
	}
	rm_batch_fini(&batch);
}

static void test_batch(void **state)
{
	char *path = made_path("pairs");
	struct rm_dataset *d;
	struct rm_subset all = {0};
	struct rm_batch batch = {0};
	struct rm_targets targets = {0};
	const struct rm_target *target;
	const size_t order[] = { 2, 0 };
	struct rm_buf name = {0};
	char text[256];

	(void)state;
	made_pairs(path, 3, 1);
	d = read_made(path, 1 << 20);
	assert_non_null(d);
	assert_int_equal(rm_dataset_counts(d)->records, 3);
	assert_int_equal(rm_dataset_counts(d)->examples, 3);
	assert_int_equal(rm_subset_all(&all, d), 0);
	assert_int_equal(all.n, 3);
	assert_int_equal(rm_subset_batch(&all, order, 2,
					 RM_PROMPT_COPIED, &batch), 0);
	assert_int_equal(rm_subset_targets(&all, order, 2, &targets), 0);
	target = targets.target;
	assert_int_equal(targets.leaves, 4);
	check_tokens(&all, order);
	assert_int_equal(batch.n_leaves, 4);
	assert_int_equal(batch.n_groups, 2);
	/* The first leaf: prompt, then the chosen response of record 3. */
	made_text(text, sizeof(text), "good", 1, 4);
	assert_int_equal(batch.segment[batch.leaf[0]].length,
			 4 + strlen(text));
	for (size_t i = 0; i < strlen(text); i++)
		assert_int_equal(batch.ids[4 + i], text[i]);
	assert_int_equal(target[0].k, 2);
	assert_true(target[0].p == 1);
	assert_true(isnan(target[0].margin));
	rm_subset_name(&all, 2, &name);
	assert_string_equal(rm_buf_text(&name), "record 3 (made:3)");
	rm_buf_fini(&name);
	rm_targets_fini(&targets);
	rm_batch_fini(&batch);
	rm_subset_fini(&all);
	rm_dataset_free(d);
}

/* ---- whole groups ---- */

/* Three groups of 3, 1 and 2 responses with all that may be known of them. */
static void write_groups(const char *path)
{
	static const char *const fields[] = {
		"rank", "score", "teacher", "attributes", "n_tokens"
	};
	const size_t k[] = { 3, 1, 2 };
	const double rank[] = { 2, 0, 1 }, score[] = { 1, 3, NAN };
	const double teacher[] = { -1, 2, .5 }, help[] = { 4, NAN, 2 };
	const int32_t length[] = { 5, 6, 7 };
	struct rm_output *out = rm_output_open(path);
	struct rm_header h;
	struct rm_writer *w;
	struct rm_buf b = {0};

	made_header(&h);
	h.pairs = false;
	for (size_t i = 0; i < RM_COUNT(fields); i++)
		rm_schema_add(&h.schema, fields[i]);
	w = rm_writer_open(out, &h);
	assert_non_null(w);
	for (size_t g = 0; g < 3; g++) {
		rm_buf_clear(&b);
		rm_put_array(&b, 9);
		rm_put_str(&b, "g", 1);
		rm_put_u64(&b, g);
		rm_put_i32s(&b, length, 2);
		rm_put_array(&b, k[g]);
		for (size_t i = 0; i < k[g]; i++)
			rm_put_i32s(&b, length, i + 1);
		rm_put_f64s(&b, rank, k[g]);
		rm_put_f64s(&b, score, k[g]);
		rm_put_f64s(&b, teacher, k[g]);
		rm_put_map(&b, 1);
		rm_put_str(&b, "help", 4);
		rm_put_f64s(&b, help, k[g]);
		rm_put_i32s(&b, length, k[g]);
		assert_int_equal(rm_writer_write(w, &b), 0);
	}
	made_end(w, out, &h, &b);
}

static struct rm_dataset *read_groups(char *path,
				      const struct rm_dataset_options *o)
{
	struct rm_reader *in = rm_reader_open(&path, 1, NULL);
	struct rm_dataset *d;

	assert_non_null(in);
	d = rm_dataset_read(in, o);
	rm_reader_close(in);
	return d;
}

static void test_groups(void **state)
{
	static const char *const grades[] = { "help" };
	const struct rm_dataset_options o = {
		.memory = 100, .grades = grades, .n_grades = 1,
		.wants = { .groups = true, .teacher = true, .score = true,
			   .grades = true, .length = true }
	};
	const size_t order[] = { 2, 0, 1 };
	char *path = made_path("groups");
	struct rm_subset all = {0};
	struct rm_targets targets = {0};
	struct rm_batch batch = {0};
	struct rm_dataset *d;
	const struct rm_target *t;

	(void)state;
	write_groups(path);
	d = read_groups(path, &o);
	if (!d)
		fail_msg("%s", rm_error());
	assert_int_equal(rm_dataset_counts(d)->examples, 3);
	assert_int_equal(rm_subset_all(&all, d), 0);
	assert_int_equal(rm_subset_first(&all, 2), 4);
	assert_int_equal(rm_subset_first(&all, 3), 6);
	assert_int_equal(rm_subset_batch(&all, order, 3, RM_PROMPT_SHARED,
					 &batch), 0);
	assert_int_equal(batch.n_leaves, 6);
	assert_int_equal(rm_subset_targets(&all, order, 3, &targets), 0);
	assert_int_equal(targets.leaves, 6);
	t = &targets.target[0];
	assert_int_equal(t->k, 2);
	assert_true(t->rank[0] == 2 && t->rank[1] == 0);
	assert_true(isnan(t->p));
	t = &targets.target[1];
	assert_int_equal(t->k, 3);
	assert_true(t->score[1] == 3 && isnan(t->score[2]));
	assert_true(t->teacher[2] == .5 && t->length[2] == 7);
	/* The reward's grade is the score, then the attribute. */
	assert_true(t->attributes[0] == 1 && t->attributes[1] == 4);
	assert_true(t->attributes[2] == 3 && isnan(t->attributes[3]));
	assert_int_equal(targets.target[2].k, 1);
	rm_targets_fini(&targets);
	rm_batch_fini(&batch);
	rm_subset_fini(&all);
	rm_dataset_free(d);
}

static void test_groups_that_lack_labels(void **state)
{
	static const char *const grades[] = { "help", "honesty" };
	struct rm_dataset_options o = {
		.memory = 1 << 20, .grades = grades, .n_grades = 2,
		.wants = { .groups = true, .grades = true }
	};
	char *path = made_path("groups"), *pairs = made_path("pairs");
	struct rm_dataset *d;

	(void)state;
	write_groups(path);
	assert_null(read_groups(path, &o));
	assert_non_null(strstr(rm_error(), "no record has the attribute "
			       "honesty that the head learns; there are: "
			       "help"));
	made_pairs(pairs, 3, 1);
	assert_null(read_groups(pairs, &o));
	assert_non_null(strstr(rm_error(), "no field attributes"));
	/* For who learns an order alone, one response is no example. */
	o = (struct rm_dataset_options){
		.memory = 1 << 20,
		.wants = { .groups = true, .preference = true }
	};
	d = read_groups(path, &o);
	assert_non_null(d);
	assert_int_equal(rm_dataset_counts(d)->examples, 2);
	assert_int_equal(rm_dataset_counts(d)->barren, 1);
	rm_dataset_free(d);
}

static void refused(const struct rm_subset *s, size_t least, size_t most,
		    const char *message)
{
	assert_int_equal(rm_subset_check_lengths(s, least, most), -1);
	if (!strstr(rm_error(), message))
		fail_msg("\"%s\" has no \"%s\"", rm_error(), message);
}

static void test_lengths(void **state)
{
	char *path = made_path("pairs");
	struct rm_subset all = {0};
	struct rm_example e;
	struct rm_dataset *d;
	size_t longest = 0, at = 0, side = 0;
	char message[128];

	(void)state;
	made_pairs(path, 20, 1);
	d = read_made(path, 1 << 20);
	assert_int_equal(rm_subset_all(&all, d), 0);
	for (size_t i = 0; i < all.n; i++) {
		assert_int_equal(rm_subset_get(&all, i, &e), 0);
		assert_int_equal(e.record, i + 1);
		for (size_t j = 0; j < 2; j++) {
			size_t n = (e.prompt.len + e.response[j].len) / 4;

			if (n > longest) {
				longest = n;
				at = i + 1;
				side = j + 1;
			}
		}
	}
	assert_int_equal(rm_subset_check_lengths(&all, 0, 0), 0);
	assert_int_equal(rm_subset_check_lengths(&all, 1, longest), 0);
	snprintf(message, sizeof(message), "record %zu (made:%zu): response "
		 "%zu has %zu tokens", at, at, side, longest);
	refused(&all, 1, longest - 1, message);
	snprintf(message, sizeof(message), "rm-tokenize -l %zu", longest - 1);
	refused(&all, 1, longest - 1, message);
	refused(&all, longest + 1, 0, "record 1 (made:1): response 1 has");
	rm_subset_fini(&all);
	rm_dataset_free(d);
}

/* Ids in memory and ids in a file are the same ids. */
static void test_spilled(void **state)
{
	char *path = made_path("pairs");
	struct rm_dataset *a, *b;
	struct rm_subset sa = {0}, sb = {0};
	struct rm_batch ba = {0}, bb = {0};
	size_t order[64];

	(void)state;
	made_pairs(path, 64, 2);
	a = read_made(path, 1 << 20);
	b = read_made(path, 1000);
	assert_non_null(a);
	assert_non_null(b);
	assert_string_equal(rm_dataset_fingerprint(a).hex,
			    rm_dataset_fingerprint(b).hex);
	assert_int_equal(rm_subset_all(&sa, a), 0);
	assert_int_equal(rm_subset_all(&sb, b), 0);
	for (size_t i = 0; i < 64; i++)
		order[i] = i * 37 % 64;
	assert_int_equal(rm_subset_batch(&sa, order, 64,
					 RM_PROMPT_SHARED, &ba), 0);
	assert_int_equal(rm_subset_batch(&sb, order, 64,
					 RM_PROMPT_SHARED, &bb), 0);
	assert_int_equal(ba.n_tokens, bb.n_tokens);
	assert_memory_equal(ba.ids, bb.ids, ba.n_tokens * sizeof(int32_t));
	rm_batch_fini(&ba);
	rm_batch_fini(&bb);
	rm_subset_fini(&sa);
	rm_subset_fini(&sb);
	rm_dataset_free(a);
	rm_dataset_free(b);
}

static void test_fingerprint_sees_content(void **state)
{
	char *path = made_path("a"), *other = made_path("b");
	char *shorter = made_path("c");
	struct rm_dataset *a, *b, *c;

	(void)state;
	made_pairs(path, 10, 1);
	made_pairs(other, 10, 2);
	made_pairs(shorter, 9, 1);
	a = read_made(path, 1 << 20);
	b = read_made(other, 1 << 20);
	c = read_made(shorter, 1 << 20);
	assert_string_not_equal(rm_dataset_fingerprint(a).hex,
				rm_dataset_fingerprint(b).hex);
	assert_string_not_equal(rm_dataset_fingerprint(a).hex,
				rm_dataset_fingerprint(c).hex);
	rm_dataset_free(a);
	rm_dataset_free(b);
	rm_dataset_free(c);
}

static void test_split(void **state)
{
	char *path = made_path("pairs");
	struct rm_dataset *d;
	struct rm_subset a = {0}, b = {0};
	char seen[400] = {0};

	(void)state;
	made_pairs(path, 400, 3);
	d = read_made(path, 1 << 20);
	assert_int_equal(rm_subset_split(&a, &b, d, .25, 7), 0);
	assert_int_equal(a.n + b.n, 400);
	assert_int_equal(a.tokens + b.tokens, rm_dataset_counts(d)->tokens);
	/* Every pair has its own key. */
	assert_int_equal(b.n, 100);
	for (size_t i = 0; i < a.n; i++)
		seen[a.example[i]]++;
	for (size_t i = 0; i < b.n; i++)
		seen[b.example[i]]++;
	for (size_t i = 0; i < 400; i++)
		assert_int_equal(seen[i], 1);
	rm_subset_fini(&a);
	rm_subset_fini(&b);
	assert_int_equal(rm_subset_split(&a, &b, d, 1e-9, 7), -1);
	assert_non_null(strstr(rm_error(), "nothing to validate on"));
	rm_subset_fini(&a);
	rm_subset_fini(&b);
	rm_dataset_free(d);
}

static int count(void *arg, const struct rm_batch *batch)
{
	size_t *leaves = arg;

	assert_int_equal(batch->n_groups, 1);
	*leaves += batch->n_leaves;
	return 0;
}

static void test_each(void **state)
{
	char *path = made_path("pairs");
	struct rm_dataset *d;
	size_t leaves = 0;

	(void)state;
	made_pairs(path, 20, 3);
	d = read_made(path, 1 << 20);
	assert_int_equal(rm_dataset_each(d, RM_PROMPT_SHARED, count,
					 &leaves), 0);
	assert_int_equal(leaves, 40);
	rm_dataset_free(d);
}

static void test_empty(void **state)
{
	char *path = made_path("empty");

	(void)state;
	made_pairs(path, 0, 1);
	assert_null(read_made(path, 1 << 20));
	assert_non_null(strstr(rm_error(), "no records"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_groups_that_lack_labels),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_spilled),
		cmocka_unit_test(test_fingerprint_sees_content),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
