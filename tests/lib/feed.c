/* feed: which texts are computed, how often, and in which order. */
#include "made.h"

#include "train/feed.h"
#include "train/order.h"

#include <math.h>

#define STORED "tests/data/checkpoints/"

/* ---- groups of k responses ---- */

#define GROUPS 5
#define K 4
#define PAIRS (GROUPS * K * (K - 1) / 2)
/* Distinct texts, and without their prompts. */
#define TEXTS (GROUPS * K - 1)
#define RESPONSES (TEXTS - (GROUPS - 1))

static void put_ids(struct rm_buf *b, size_t seed, size_t n)
{
	int32_t ids[16];

	for (size_t i = 0; i < n; i++)
		ids[i] = (int32_t)(8 + rm_random(1, RM_RANDOM_TEST, seed, i) %
				   40);
	rm_put_i32s(b, ids, n);
}

/*
 * Which text is response k of group g: the last one is the same in all
 * groups, and the first group has the same text twice.
 */
static size_t text_of(size_t g, size_t k)
{
	if (k == K - 1)
		return 0;
	return 1 + g * K + (g == 0 && k == 2 ? 1 : k);
}

/* The picked responses of a group, best first, of several lengths. */
static void put_group(struct rm_buf *b, size_t g, const size_t *pick, size_t n)
{
	const double rank[K] = { 0, 1, 2, 3 };
	char id[32];

	snprintf(id, sizeof(id), "made:%zu", g);
	rm_buf_clear(b);
	rm_put_array(b, 5);
	rm_put_str(b, id, strlen(id));
	rm_put_u64(b, rm_hash64(&g, sizeof(g)));
	put_ids(b, 1000 + g, 2 + g % 3);
	rm_put_array(b, n);
	for (size_t i = 0; i < n; i++)
		put_ids(b, text_of(g, pick[i]), 3 + text_of(g, pick[i]) % 5);
	rm_put_f64s(b, rank, n);
}

/* All over the stream, as rm-pair --shuffle has them. */
static void write_pairs(struct rm_writer *w, struct rm_buf *b)
{
	static const size_t pick[PAIRS / GROUPS][2] = {
		{ 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 2 }, { 1, 3 }, { 2, 3 }
	};

	for (size_t i = 0; i < PAIRS; i++) {
		size_t at = i * 7 % PAIRS;

		put_group(b, at % GROUPS, pick[at / GROUPS], 2);
		assert_int_equal(rm_writer_write(w, b), 0);
	}
}

/* The groups, or every pair of them as a record. */
static struct rm_dataset *make(bool pairs)
{
	static const size_t all[K] = { 0, 1, 2, 3 };
	char *path = made_path(pairs ? "pairs" : "groups");
	struct rm_output *out = rm_output_open(path);
	struct rm_dataset *d;
	struct rm_reader *in;
	struct rm_buf b = {0};
	struct rm_writer *w;
	struct rm_header h;

	made_header(&h);
	h.pairs = pairs;
	rm_schema_add(&h.schema, "rank");
	w = rm_writer_open(out, &h);
	assert_non_null(w);
	if (pairs)
		write_pairs(w, &b);
	for (size_t g = 0; g < GROUPS && !pairs; g++) {
		put_group(&b, g, all, K);
		assert_int_equal(rm_writer_write(w, &b), 0);
	}
	made_end(w, out, &h, &b);
	in = rm_reader_open(&path, 1, NULL);
	assert_non_null(in);
	d = rm_dataset_read(in, &(struct rm_dataset_options){
		.memory = 1 << 20 });
	rm_reader_close(in);
	if (!d)
		fail_msg("%s", rm_error());
	assert_int_equal(rm_dataset_counts(d)->examples, PAIRS);
	return d;
}

struct data {
	struct rm_dataset *d;
	struct rm_subset all;
};

static void data_init(struct data *s, bool pairs)
{
	*s = (struct data){ .d = make(pairs) };
	assert_int_equal(rm_subset_all(&s->all, s->d), 0);
}

static void data_fini(struct data *s)
{
	rm_subset_fini(&s->all);
	rm_dataset_free(s->d);
}

/* ---- texts ---- */

/* All ids that a leaf sees; how many. */
static size_t ids_of(const struct rm_batch *b, size_t leaf, int32_t *ids)
{
	const struct rm_segment *s = &b->segment[b->leaf[leaf]];
	size_t n = 0;

	if (s->parent != RM_NO_PARENT) {
		const struct rm_segment *p = &b->segment[s->parent];

		memcpy(ids, b->ids + p->start, p->length * sizeof(*ids));
		n = p->length;
	}
	memcpy(ids + n, b->ids + s->start, s->length * sizeof(*ids));
	return n + s->length;
}

static void same_leaf(const struct rm_batch *a, size_t i,
		      const struct rm_batch *b, size_t j)
{
	int32_t x[64], y[64];
	size_t n = ids_of(a, i, x);

	assert_int_equal(ids_of(b, j, y), n);
	assert_memory_equal(x, y, n * sizeof(*x));
	assert_int_equal(a->segment[a->leaf[i]].prompt,
			 b->segment[b->leaf[j]].prompt);
}

/* Every n-th pair chosen: each leaf finds its text in the shared batch. */
static void check_batch(struct rm_texts *t, size_t every)
{
	struct rm_batch shared = {0}, alone = {0};
	size_t tokens = 0;

	rm_texts_clear(t);
	for (size_t i = 0; i < PAIRS; i += every) {
		tokens += rm_texts_missing(t, &t->of[2 * i], 2);
		rm_texts_choose(t, t->of[2 * i]);
		rm_texts_choose(t, t->of[2 * i + 1]);
		assert_int_equal(rm_texts_missing(t, &t->of[2 * i], 2), 0);
	}
	assert_int_equal(rm_texts_batch(t, &shared), 0);
	assert_int_equal(shared.n_tokens, tokens);
	assert_int_equal(shared.n_leaves, t->n_chosen);
	for (size_t i = 0; i < PAIRS; i += every) {
		assert_int_equal(rm_subset_batch(t->subset, &i, 1, t->how,
						 &alone), 0);
		assert_int_equal(rm_texts_tokens(t, i), alone.n_tokens);
		for (size_t side = 0; side < 2; side++)
			same_leaf(&alone, side, &shared,
				  t->row[t->of[2 * i + side]]);
	}
	rm_batch_fini(&shared);
	rm_batch_fini(&alone);
}

/* What a pair adds to nothing is what its batch holds. */
static void check_alone(struct rm_texts *t)
{
	struct rm_batch b = {0};
	size_t tokens, equal = 0;

	for (size_t i = 0; i < PAIRS; i++) {
		rm_texts_clear(t);
		tokens = rm_texts_missing(t, &t->of[2 * i], 2);
		rm_texts_choose(t, t->of[2 * i]);
		rm_texts_choose(t, t->of[2 * i + 1]);
		assert_int_equal(rm_texts_batch(t, &b), 0);
		assert_int_equal(b.n_tokens, tokens);
		equal += b.n_leaves == 1;
	}
	assert_int_equal(equal, 1);
	rm_batch_fini(&b);
}

static void test_texts(void **state)
{
	static const enum rm_prompt how[] = {
		RM_PROMPT_NONE, RM_PROMPT_SHARED, RM_PROMPT_COPIED
	};
	struct rm_texts t;
	struct data s;

	(void)state;
	for (size_t i = 0; i < 2 * RM_COUNT(how); i++) {
		data_init(&s, i % 2);
		assert_int_equal(rm_texts_init(&t, &s.all, how[i / 2]), 0);
		if (how[i / 2] == RM_PROMPT_NONE) {
			assert_int_equal(t.n, RESPONSES);
			assert_int_equal(t.n_prompts, 1);
		} else {
			assert_int_equal(t.n, TEXTS);
			assert_int_equal(t.n_prompts, GROUPS);
		}
		check_alone(&t);
		check_batch(&t, 1);
		check_batch(&t, 7);
		check_batch(&t, 3);
		rm_texts_fini(&t);
		data_fini(&s);
	}
}

/* ---- a transformer's ---- */

static struct rm_model *load(const char *dir)
{
	struct rm_model *m = rm_model_load(dir, &rm_model_train_all);

	if (!m || rm_model_ready(m, RM_FP32) < 0)
		fail_msg("%s", rm_error());
	return m;
}

/* Tokens of pairs order[0..n), each of their texts counted once. */
static size_t computed_tokens(const struct rm_subset *s, const size_t *order,
			      size_t n, enum rm_prompt how)
{
	struct rm_batch b = {0};
	struct rm_texts t;
	size_t tokens;

	assert_int_equal(rm_texts_init(&t, s, how), 0);
	for (size_t i = 0; i < 2 * n; i++)
		rm_texts_choose(&t, t.of[2 * order[i / 2] + i % 2]);
	assert_int_equal(rm_texts_batch(&t, &b), 0);
	tokens = b.n_tokens;
	rm_batch_fini(&b);
	rm_texts_fini(&t);
	return tokens;
}

/* Batches are full, and not more than full. */
static void test_cut_by_what_is_computed(void **state)
{
	static const size_t limits[] = { 1, 40, 90, 1 << 20 };
	struct rm_model *m = load(STORED "llama");
	size_t order[PAIRS], batches, at;
	struct rm_feed f;
	struct data s;

	(void)state;
	data_init(&s, false);
	for (size_t i = 0; i < PAIRS; i++)
		order[i] = i;
	for (size_t i = 0; i < RM_COUNT(limits); i++) {
		assert_int_equal(rm_feed_init(&f, m, &s.all, true,
					      limits[i]), 0);
		assert_int_equal(rm_feed_start(&f, order, PAIRS), 0);
		batches = at = 0;
		for (; rm_feed_next(&f) > 0; at += f.n, batches++) {
			assert_int_equal(f.at, at);
			assert_int_equal(f.batch.n_tokens, computed_tokens(
				&s.all, order + at, f.n, RM_PROMPT_SHARED));
			assert_true(f.batch.n_tokens <= limits[i] ||
				    f.n == 1);
			if (at + f.n < PAIRS)
				assert_true(computed_tokens(&s.all,
					order + at, f.n + 1,
					RM_PROMPT_SHARED) > limits[i]);
		}
		assert_int_equal(at, PAIRS);
		if (i == 0)
			assert_int_equal(batches, PAIRS);
		if (i == RM_COUNT(limits) - 1)
			assert_int_equal(batches, 1);
		rm_feed_fini(&f);
	}
	data_fini(&s);
	rm_model_free(m);
}

/* A step over all pairs: its scores, and the gradients it leaves. */
static void take_step(struct rm_model *m, const struct rm_subset *s,
		      bool shares, rm_real *scores)
{
	size_t order[PAIRS], columns = m->head->columns;
	rm_real dscores[2 * PAIRS * 4];
	struct rm_feed f;

	for (size_t i = 0; i < m->params.n; i++)
		memset(m->params.param[i].grad, 0, m->params.param[i].size *
		       sizeof(rm_real));
	for (size_t i = 0; i < PAIRS; i++)
		order[i] = i * 11 % PAIRS;
	for (size_t i = 0; i < RM_COUNT(dscores); i++)
		dscores[i] = (rm_real)rm_random_normal(2, RM_RANDOM_TEST, 0,
						       i);
	assert_true(columns <= 4);
	assert_int_equal(rm_feed_init(&f, m, s, true, 200), 0);
	assert_true(f.shares);
	f.shares = shares;
	assert_int_equal(rm_feed_start(&f, order, PAIRS), 0);
	while (rm_feed_next(&f) > 0) {
		const rm_real *y = rm_feed_forward(&f);

		if (!y)
			fail_msg("%s", rm_error());
		memcpy(scores + 2 * f.at * columns, y,
		       2 * f.n * columns * sizeof(*y));
		assert_int_equal(rm_feed_backward(&f, dscores + 2 * f.at *
						  columns), 0);
	}
	rm_feed_fini(&f);
}

static double norm(const rm_real *x, const rm_real *y, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += pow((double)x[i] - (y ? (double)y[i] : 0), 2);
	return sqrt(sum);
}

/* The same scores to the bit, and gradients but for rounding. */
static void check_shared(const char *dir)
{
	struct rm_model *a = load(dir), *b = load(dir);
	rm_real x[2 * PAIRS * 4], y[2 * PAIRS * 4];
	double all = 0;
	struct data s;

	data_init(&s, true);
	take_step(a, &s.all, true, x);
	take_step(b, &s.all, false, y);
	assert_memory_equal(x, y, 2 * PAIRS * a->head->columns * sizeof(*x));
	for (size_t i = 0; i < a->params.n; i++)
		all += norm(b->params.param[i].grad, NULL,
			    b->params.param[i].size);
	for (size_t i = 0; i < a->params.n; i++) {
		const struct rm_param *p = &a->params.param[i];
		const rm_real *other = b->params.param[i].grad;
		double size = norm(other, NULL, p->size);

		/* That of a bias of keys is nothing but rounding. */
		if (norm(p->grad, other, p->size) > 1e-5 * size + 1e-8 * all)
			fail_msg("%s: %s", dir, p->name);
	}
	/* For any number of threads to the bit. */
	rm_threads_set(3);
	take_step(b, &s.all, true, y);
	rm_threads_set(1);
	for (size_t i = 0; i < a->params.n; i++)
		assert_memory_equal(a->params.param[i].grad,
				    b->params.param[i].grad,
				    a->params.param[i].size *
				    sizeof(rm_real));
	data_fini(&s);
	rm_model_free(a);
	rm_model_free(b);
}

static void test_shared_texts_have_the_same_gradient(void **state)
{
	(void)state;
	check_shared(STORED "bert");		/* prompts copied */
	check_shared(STORED "llama");		/* and shared */
	check_shared(STORED "modernbert_mean");
}

/* ---- how often ---- */

static const struct rm_backbone_kind *kind;
static size_t leaves;

static int count_leaves(struct rm_backbone *b, const struct rm_batch *batch)
{
	leaves += batch->n_leaves;
	return kind->forward(b, batch);
}

/* Texts that a pass without a way back computes. */
static size_t count_pass(struct rm_model *m, const struct rm_subset *s,
			 bool keep)
{
	struct rm_backbone_kind counting = *m->backbone->kind;
	size_t order[PAIRS];
	struct rm_feed f;

	for (size_t i = 0; i < PAIRS; i++)
		order[i] = i;
	kind = m->backbone->kind;
	counting.forward = count_leaves;
	m->backbone->kind = &counting;
	leaves = 0;
	assert_int_equal(rm_feed_init(&f, m, s, false, 0), 0);
	if (keep)
		assert_int_equal(rm_feed_keep(&f), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(rm_feed_start(&f, order, PAIRS), 0);
		while (rm_feed_next(&f) > 0)
			assert_non_null(rm_feed_forward(&f));
	}
	rm_feed_fini(&f);
	m->backbone->kind = kind;
	return leaves;
}

static void test_texts_are_computed_once(void **state)
{
	struct rm_model *m = load(STORED "bert");
	struct data s;

	(void)state;
	for (size_t pairs = 0; pairs < 2; pairs++) {
		data_init(&s, pairs);
		/* In each of two passes, or once for both. */
		assert_int_equal(count_pass(m, &s.all, false), 2 * TEXTS);
		assert_int_equal(count_pass(m, &s.all, true), TEXTS);
		data_fini(&s);
	}
	rm_model_free(m);
}

/* ---- order ---- */

/* Each pair once; how often the key changes from one to the next. */
static size_t check_order(const struct rm_epoch *e, const struct rm_subset *s)
{
	struct rm_example example;
	char seen[PAIRS] = {0};
	uint64_t last = 0;
	size_t changes = 0;

	for (size_t i = 0; i < e->n; i++) {
		assert_int_equal(seen[e->order[i]]++, 0);
		assert_int_equal(rm_subset_get(s, e->order[i], &example), 0);
		changes += i > 0 && example.key != last;
		last = example.key;
	}
	return changes;
}

static void test_shuffled_groups_stand_together(void **state)
{
	size_t first[PAIRS], bytes = sizeof(first);
	struct rm_epoch e;
	struct data s;

	(void)state;
	data_init(&s, true);
	assert_int_equal(rm_epoch_init(&e, &s.all, RM_SHUFFLE_GROUPS, 5), 0);
	rm_epoch_begin(&e, 0);
	assert_int_equal(check_order(&e, &s.all), GROUPS - 1);
	memcpy(first, e.order, bytes);
	rm_epoch_begin(&e, 1);
	assert_int_equal(check_order(&e, &s.all), GROUPS - 1);
	assert_memory_not_equal(first, e.order, bytes);
	/* Whatever came before. */
	rm_epoch_begin(&e, 0);
	assert_memory_equal(first, e.order, bytes);
	rm_epoch_fini(&e);
	assert_int_equal(rm_epoch_init(&e, &s.all, RM_SHUFFLE_PAIRS, 5), 0);
	rm_epoch_begin(&e, 0);
	assert_true(check_order(&e, &s.all) > GROUPS);
	rm_epoch_fini(&e);
	data_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_cut_by_what_is_computed),
		cmocka_unit_test(test_shared_texts_have_the_same_gradient),
		cmocka_unit_test(test_texts_are_computed_once),
		cmocka_unit_test(test_shuffled_groups_stand_together),
	};

	rm_threads_set(1);
	return cmocka_run_group_tests(tests, made_setup, made_teardown);
}
