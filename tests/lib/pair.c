#include "test.h"

#include "pair.h"
#include "records.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what records become ---- */

/* All that the record becomes, as JSON, one after another. */
static const char *become(struct rm_pairer *pairer, const char *json)
{
	static struct rm_buf text;
	struct rm_record made = {0};
	struct rm_buf out = {0};
	struct rm_pair pair;

	rm_buf_clear(&text);
	if (rm_pairer_set(pairer, record(json)) < 0)
		return rm_error();
	while (rm_pairer_next(pairer, &pair)) {
		rm_buf_clear(&out);
		rm_pairer_put(pairer, &pair, "part", &out);
		assert_int_equal(rm_record_index(
			&made, rm_pairer_schema(pairer), out.data,
			out.len), 0);
		if (text.len)
			rm_buf_putc(&text, ' ');
		assert_int_equal(rm_record_print(&text, &made), 0);
	}
	rm_record_fini(&made);
	rm_buf_fini(&out);
	return rm_buf_text(&text);
}

static struct rm_pairer *pairer_of(struct rm_pair_options options)
{
	struct rm_pairer *pairer = rm_pairer_new(&schema, false, &options);

	if (!pairer)
		fail_msg("%s", rm_error());
	return pairer;
}

/* What one record becomes under these options. */
static void expect(struct rm_pair_options options, const char *json,
		   const char *made)
{
	struct rm_pairer *pairer = pairer_of(options);

	assert_string_equal(become(pairer, json), made);
	rm_pairer_free(pairer);
}

static void refuse(struct rm_pair_options options, bool pairs,
		   const char *message)
{
	assert_null(rm_pairer_new(&schema, pairs, &options));
	assert_non_null(strstr(rm_error(), message));
}

#define AS(...) (struct rm_pair_options){ __VA_ARGS__ }

/* ---- order and shape ---- */

static void test_pairs(void **state)
{
	(void)state;
	fields("id rank response_texts");
	expect(AS(0), "{\"id\":\"x\",\"rank\":[2,0,1],"
	       "\"response_texts\":[\"a\",\"b\",\"c\"]}",
	       "{\"id\":\"x#1-2\",\"rank\":[0,1],"
	       "\"response_texts\":[\"b\",\"c\"]} "
	       "{\"id\":\"x#1-0\",\"rank\":[0,2],"
	       "\"response_texts\":[\"b\",\"a\"]} "
	       "{\"id\":\"x#2-0\",\"rank\":[1,2],"
	       "\"response_texts\":[\"c\",\"a\"]}");
	expect(AS(0), "{\"id\":\"y\",\"rank\":[1,0],"
	       "\"response_texts\":[\"a\",\"b\"]}",
	       "{\"id\":\"y\",\"rank\":[0,1],"
	       "\"response_texts\":[\"b\",\"a\"]}");
	/* An id that is missing stays so. */
	expect(AS(0), "{\"id\":null,\"rank\":[0,1,1]}",
	       "{\"id\":null,\"rank\":[0,1],\"response_texts\":null} "
	       "{\"id\":null,\"rank\":[0,1],\"response_texts\":null}");
}

static void test_best(void **state)
{
	(void)state;
	fields("id score");
	expect(AS(.as = RM_PAIR_BEST), "{\"id\":\"x\",\"score\":[1,5,null,5,2]}",
	       "{\"id\":\"x#1-4\",\"score\":[5,2]} "
	       "{\"id\":\"x#1-0\",\"score\":[5,1]}");
	expect(AS(.as = RM_PAIR_BEST), "{\"id\":\"x\",\"score\":[null,5]}", "");
	expect(AS(.as = RM_PAIR_BEST), "{\"id\":\"x\",\"score\":[null,null]}",
	       "");
}

static void test_list(void **state)
{
	(void)state;
	fields("id score length");
	expect(AS(.as = RM_PAIR_LIST),
	       "{\"id\":\"x\",\"score\":[1,5,null,5,2],\"length\":[0,1,2,3,4]}",
	       "{\"id\":\"x\",\"score\":[5,5,2,1,null],"
	       "\"length\":[1,3,4,0,2]}");
	expect(AS(.as = RM_PAIR_LIST),
	       "{\"id\":\"x\",\"score\":[5,5],\"length\":[0,1]}", "");
	expect(AS(.as = RM_PAIR_LIST, .keep_ties = true),
	       "{\"id\":\"x\",\"score\":[5,5],\"length\":[0,1]}",
	       "{\"id\":\"x\",\"score\":[5,5],\"length\":[0,1]}");
	expect(AS(.as = RM_PAIR_LIST),
	       "{\"id\":\"x\",\"score\":[5],\"length\":[9]}",
	       "{\"id\":\"x\",\"score\":[5],\"length\":[9]}");
	expect(AS(.as = RM_PAIR_LIST),
	       "{\"id\":\"x\",\"score\":[null,5],\"length\":[0,1]}", "");
}

/* Turning a list of two turns its P(first preferred). */
static void test_list_of_two(void **state)
{
	(void)state;
	fields("rank p prob");
	expect(AS(.as = RM_PAIR_LIST),
	       "{\"rank\":[1,0],\"p\":0.25,\"prob\":0.125}",
	       "{\"rank\":[0,1],\"p\":0.75,\"prob\":0.875}");
	expect(AS(.as = RM_PAIR_LIST),
	       "{\"rank\":[0,0],\"p\":0.25,\"prob\":null}",
	       "{\"rank\":[0,0],\"p\":0.75,\"prob\":null}");
}

static void test_triplets(void **state)
{
	(void)state;
	fields("id rank");
	expect(AS(.as = RM_PAIR_TRIPLETS), "{\"id\":\"x\",\"rank\":[3,0,1,2]}",
	       "{\"id\":\"x#1-2-0\",\"rank\":[0,1,3]}");
	expect(AS(.as = RM_PAIR_TRIPLETS), "{\"id\":\"x\",\"rank\":[2,1,0]}",
	       "{\"id\":\"x\",\"rank\":[0,1,2]}");
	/* The middle one is strictly between. */
	expect(AS(.as = RM_PAIR_TRIPLETS),
	       "{\"id\":\"x\",\"rank\":[0,0,0,0,1,2]}",
	       "{\"id\":\"x#0-4-5\",\"rank\":[0,1,2]}");
	expect(AS(.as = RM_PAIR_TRIPLETS),
	       "{\"id\":\"x\",\"rank\":[0,1,2,2,2,2]}",
	       "{\"id\":\"x#0-1-5\",\"rank\":[0,1,2]}");
	expect(AS(.as = RM_PAIR_TRIPLETS), "{\"id\":\"x\",\"rank\":[0,0,1]}",
	       "");
	expect(AS(.as = RM_PAIR_TRIPLETS), "{\"id\":\"x\",\"rank\":[1,1,1]}",
	       "");
	expect(AS(.as = RM_PAIR_TRIPLETS, .keep_ties = true),
	       "{\"id\":\"x\",\"rank\":[0,0,1]}",
	       "{\"id\":\"x\",\"rank\":[0,0,1]}");
	expect(AS(.as = RM_PAIR_TRIPLETS),
	       "{\"id\":\"x\",\"rank\":[0,null,1]}", "");
	expect(AS(.as = RM_PAIR_TRIPLETS), "{\"id\":\"x\",\"rank\":[0,1]}",
	       "2 responses where a triplet needs 3");
}

/* Every field with one value a response moves; the rest is copied. */
static void test_all_move(void **state)
{
	(void)state;
	fields("id key prompt responses rank attributes votes annotations "
	       "position reward extra");
	rm_schema_add_per_response(&schema, "models");
	expect(AS(0), "{\"id\":\"x\",\"key\":\"0000000000000007\",\"prompt\":[1,2],"
	       "\"responses\":[[3],[],[4,5]],\"rank\":[1,2,0],"
	       "\"attributes\":{\"help\":[1,2,3]},\"votes\":[1,0,2,1],"
	       "\"annotations\":[{\"annotator\":\"a\",\"choice\":2},"
	       "{\"annotator\":\"b\",\"choice\":1},"
	       "{\"annotator\":\"c\",\"choice\":3}],"
	       "\"position\":[0,1,2],\"reward\":[0.5,1.5,2.5],"
	       "\"extra\":{\"models\":[\"m\",\"n\",\"o\"],\"topic\":[1,2,3]}}",
	       "{\"id\":\"x#2-0\",\"key\":\"0000000000000007\",\"prompt\":[1,2],"
	       "\"responses\":[[4,5],[3]],\"rank\":[0,1],"
	       "\"attributes\":{\"help\":[3,1]},\"votes\":[2,1,1],"
	       "\"annotations\":[{\"annotator\":\"a\",\"choice\":0},"
	       "{\"annotator\":\"c\",\"choice\":2}],"
	       "\"position\":[2,0],\"reward\":[2.5,0.5],"
	       "\"extra\":{\"models\":[\"o\",\"m\"],\"topic\":[1,2,3]},"
	       "\"p\":0.625} "
	       "{\"id\":\"x#2-1\",\"key\":\"0000000000000007\",\"prompt\":[1,2],"
	       "\"responses\":[[4,5],[]],\"rank\":[0,2],"
	       "\"attributes\":{\"help\":[3,2]},\"votes\":[2,0,1],"
	       "\"annotations\":[{\"annotator\":\"a\",\"choice\":0},"
	       "{\"annotator\":\"b\",\"choice\":1},"
	       "{\"annotator\":\"c\",\"choice\":2}],"
	       "\"position\":[2,1],\"reward\":[2.5,1.5],"
	       "\"extra\":{\"models\":[\"o\",\"n\"],\"topic\":[1,2,3]},"
	       "\"p\":0.8333333333333334} "
	       "{\"id\":\"x#0-1\",\"key\":\"0000000000000007\",\"prompt\":[1,2],"
	       "\"responses\":[[3],[]],\"rank\":[1,2],"
	       "\"attributes\":{\"help\":[1,2]},\"votes\":[1,0,1],"
	       "\"annotations\":["
	       "{\"annotator\":\"b\",\"choice\":1},"
	       "{\"annotator\":\"c\",\"choice\":2}],"
	       "\"position\":[0,1],\"reward\":[0.5,1.5],"
	       "\"extra\":{\"models\":[\"m\",\"n\"],\"topic\":[1,2,3]},"
	       "\"p\":0.75}");
}

/* ---- labels ---- */

static void test_source(void **state)
{
	struct rm_pairer *pairer;

	(void)state;
	fields("score votes rank");
	pairer = pairer_of(AS(0));
	assert_string_equal(rm_pairer_source(pairer), "rank");
	rm_pairer_free(pairer);
	fields("score votes");
	expect(AS(0), "{\"score\":[9,1],\"votes\":[1,3,0]}",
	       "{\"score\":[1,9],\"votes\":[3,1,0],\"p\":0.75}");
	fields("score annotations");
	expect(AS(0), "{\"score\":[9,1],\"annotations\":["
	       "{\"choice\":1},{\"choice\":2}]}",
	       "{\"score\":[1,9],\"annotations\":["
	       "{\"choice\":0},{\"choice\":2}],\"p\":0.75}");
	fields("p");
	expect(AS(0), "{\"p\":0.25}", "0 responses where a pair needs 2");
	fields("p length");
	expect(AS(0), "{\"p\":0.25,\"length\":[1,2]}",
	       "{\"p\":0.75,\"length\":[2,1]}");
	expect(AS(0), "{\"p\":0.25,\"length\":[1,2,3]}",
	       "field p orders two responses, not 3");
	fields("id length");
	refuse(AS(0), false, "nothing says which response is preferred");
}

/* A gold label can disagree with the votes: p is then below a half. */
static void test_p(void **state)
{
	(void)state;
	fields("rank votes");
	expect(AS(0), "{\"rank\":[1,0],\"votes\":[3,1,1]}",
	       "{\"rank\":[0,1],\"votes\":[1,3,1],\"p\":0.3}");
	expect(AS(0), "{\"rank\":[1,0],\"votes\":null}",
	       "{\"rank\":[0,1],\"votes\":null,\"p\":null}");
	expect(AS(0), "{\"rank\":[1,0],\"votes\":[0,0,0]}",
	       "{\"rank\":[0,1],\"votes\":[0,0,0],\"p\":null}");
	expect(AS(0), "{\"rank\":[1,0],\"votes\":[-1,2,0]}",
	       "field votes: a count of -1");
	/* The field p comes before the votes. */
	fields("rank votes p");
	expect(AS(0), "{\"rank\":[1,0],\"votes\":[3,1,1],\"p\":0.25}",
	       "{\"rank\":[0,1],\"votes\":[1,3,1],\"p\":0.75}");
	expect(AS(0), "{\"rank\":[1,0],\"votes\":[3,1,1],\"p\":1.5}",
	       "field p: 1.5 is not within [0, 1]");
	/* A larger group's p is not its pairs'. */
	fields("id rank p margin prob");
	expect(AS(0), "{\"id\":\"x\",\"rank\":[0,0,1],\"p\":0.9,"
	       "\"margin\":3,\"prob\":0.5}",
	       "{\"id\":\"x#0-2\",\"rank\":[0,1],\"p\":null,\"margin\":null,"
	       "\"prob\":null} "
	       "{\"id\":\"x#1-2\",\"rank\":[0,1],\"p\":null,\"margin\":null,"
	       "\"prob\":null}");
}

static void test_ties(void **state)
{
	struct rm_pairer *pairer;
	const struct rm_pair_counts *c;

	(void)state;
	fields("rank votes");
	/* Equal rank, unequal votes: no tie, the likelier one first. */
	expect(AS(0), "{\"rank\":[0,0],\"votes\":[1,2,2]}",
	       "{\"rank\":[0,0],\"votes\":[2,1,2],\"p\":0.6}");
	expect(AS(0), "{\"rank\":[0,0],\"votes\":[2,2,1]}", "");
	expect(AS(.keep_ties = true), "{\"rank\":[0,0],\"votes\":[2,2,1]}",
	       "{\"rank\":[0,0],\"votes\":[2,2,1],\"p\":0.5}");
	/* The field p makes it a soft label, also one of a half. */
	fields("rank p");
	expect(AS(0), "{\"rank\":[0,0],\"p\":0.5}",
	       "{\"rank\":[0,0],\"p\":0.5}");
	fields("score");
	expect(AS(.keep_ties = true), "{\"score\":[1,1]}",
	       "{\"score\":[1,1],\"p\":0.5}");

	pairer = pairer_of(AS(0));
	become(pairer, "{\"score\":[1,1]}");
	become(pairer, "{\"score\":[1,1,2,null]}");
	become(pairer, "{\"score\":[null,1]}");
	assert_string_equal(become(pairer, "{\"score\":[4]}"),
			    "1 response where a pair needs 2");
	assert_true(rm_pairer_short(pairer));
	c = rm_pairer_counts(pairer);
	assert_int_equal(c->made, 2);
	assert_int_equal(c->ties, 2);
	assert_int_equal(c->missing, 4);
	assert_int_equal(c->barren, 2);
	rm_pairer_free(pairer);
}

/* In a stream of pairs the preferred one stands first. */
static void test_kind_pairs(void **state)
{
	struct rm_pairer *pairer;

	(void)state;
	fields("votes score length");
	pairer = rm_pairer_new(&schema, true, NULL);
	assert_string_equal(rm_pairer_source(pairer), "kind");
	assert_string_equal(
		become(pairer, "{\"votes\":[1,2,0],\"score\":[1,1],"
		       "\"length\":[1,2]}"),
		"{\"votes\":[1,2,0],\"score\":[1,1],\"length\":[1,2],"
		"\"p\":0.3333333333333333}");
	assert_string_equal(become(pairer, "{\"length\":[1,2,3]}"),
			    "3 responses in a stream of pairs");
	rm_pairer_free(pairer);
	fields("rank length");
	pairer = rm_pairer_new(&schema, true, NULL);
	assert_string_equal(become(pairer, "{\"rank\":[1,0],\"length\":[1,2]}"),
			    "{\"rank\":[0,1],\"length\":[2,1]}");
	assert_string_equal(become(pairer, "{\"rank\":null,\"length\":[1,2]}"),
			    "{\"rank\":null,\"length\":[1,2]}");
	rm_pairer_free(pairer);
}

static void test_weight(void **state)
{
	(void)state;
	fields("votes weight");
	expect(AS(0), "{\"votes\":[3,1,1],\"weight\":2}",
	       "{\"votes\":[3,1,1],\"weight\":2,\"p\":0.7}");
	expect(AS(.weight = RM_WEIGHT_VOTES),
	       "{\"votes\":[3,1,1],\"weight\":2}",
	       "{\"votes\":[3,1,1],\"weight\":5,\"p\":0.7}");
	expect(AS(.weight = RM_WEIGHT_AGREEMENT), "{\"votes\":[1,3,0]}",
	       "{\"votes\":[3,1,0],\"weight\":0.5,\"p\":0.75}");
	fields("rank votes");
	expect(AS(.weight = RM_WEIGHT_VOTES), "{\"rank\":[0,1],\"votes\":null}",
	       "{\"rank\":[0,1],\"votes\":null,\"p\":null,\"weight\":null}");
	fields("rank");
	refuse(AS(.weight = RM_WEIGHT_VOTES), false, "no field votes");
	fields("votes");
	refuse(AS(.weight = RM_WEIGHT_VOTES, .as = RM_PAIR_LIST), false,
	       "weights are made for pairs");
}

static void test_margin(void **state)
{
	(void)state;
	fields("score margin");
	expect(AS(0), "{\"score\":[1,4],\"margin\":-2}",
	       "{\"score\":[4,1],\"margin\":-2}");
	expect(AS(.margin = RM_MARGIN_SCORE), "{\"score\":[1,4]}",
	       "{\"score\":[4,1],\"margin\":3}");
	expect(AS(.margin = RM_MARGIN_STRENGTH),
	       "{\"score\":[1,4],\"margin\":-2}",
	       "{\"score\":[4,1],\"margin\":2}");
	fields("rank extra");
	expect(AS(.margin = RM_MARGIN_STRENGTH), "{\"rank\":[1,0],"
	       "\"extra\":{\"overall_preference\":-3}}",
	       "{\"rank\":[0,1],\"extra\":{\"overall_preference\":-3},"
	       "\"margin\":3}");
	expect(AS(.margin = RM_MARGIN_STRENGTH), "{\"rank\":[1,0]}",
	       "{\"rank\":[0,1],\"extra\":null,\"margin\":null}");
	fields("rank");
	refuse(AS(.margin = RM_MARGIN_SCORE), false, "no field score");
	refuse(AS(.margin = RM_MARGIN_STRENGTH), false, "no field margin");
}

static void test_split_field(void **state)
{
	(void)state;
	fields("rank split");
	expect(AS(.split = true), "{\"rank\":[0,1],\"split\":\"old\"}",
	       "{\"rank\":[0,1],\"split\":\"part\"}");
	expect(AS(0), "{\"rank\":[0,1],\"split\":\"old\"}",
	       "{\"rank\":[0,1],\"split\":\"old\"}");
}

/* What need not be written anew is told apart from what must. */
static void test_same(void **state)
{
	struct rm_pairer *pairer;
	struct rm_pair pair;

	(void)state;
	fields("rank p");
	pairer = pairer_of(AS(0));
	assert_int_equal(rm_pairer_set(pairer, record(
			 "{\"rank\":[0,1],\"p\":0.25}")), 0);
	assert_true(rm_pairer_next(pairer, &pair));
	assert_true(rm_pairer_same(pairer, &pair));
	assert_false(rm_pairer_next(pairer, &pair));
	assert_int_equal(rm_pairer_set(pairer, record(
			 "{\"rank\":[1,0],\"p\":0.25}")), 0);
	assert_true(rm_pairer_next(pairer, &pair));
	assert_false(rm_pairer_same(pairer, &pair));
	rm_pairer_free(pairer);
	fields("rank votes");
	pairer = pairer_of(AS(0));
	assert_int_equal(rm_pairer_set(pairer, record(
			 "{\"rank\":[0,1],\"votes\":[1,0,0]}")), 0);
	assert_true(rm_pairer_next(pairer, &pair));
	assert_false(rm_pairer_same(pairer, &pair));
	rm_pairer_free(pairer);
}

/* Pairs of a random group: all strictly ordered ones, each once. */
static void test_all_pairs(void **state)
{
	enum { K = 20 };
	struct rm_pairer *pairer;
	struct rm_buf json = {0};
	struct rm_pair pair;
	double score[K];
	bool seen[K][K];
	size_t strict = 0, n = 0;

	(void)state;
	fields("score");
	pairer = pairer_of(AS(0));
	for (size_t round = 0; round < 50; round++) {
		memset(seen, 0, sizeof(seen));
		rm_buf_clear(&json);
		for (size_t i = 0; i < K; i++) {
			score[i] = (double)(rm_random(1, RM_RANDOM_TEST,
						      round, i) % 7);
			rm_buf_printf(&json, "%s%g", i ? "," : "{\"score\":[",
				      score[i]);
		}
		rm_buf_puts(&json, "]}");
		for (size_t i = 0; i < K; i++)
			for (size_t j = 0; j < i; j++)
				strict += score[i] != score[j];
		rm_pairer_set(pairer, record(rm_buf_text(&json)));
		while (rm_pairer_next(pairer, &pair)) {
			size_t i = pair.pick[0], j = pair.pick[1];

			assert_true(score[i] > score[j]);
			assert_false(seen[i][j]);
			seen[i][j] = true;
			n++;
		}
	}
	assert_int_equal(n, strict);
	assert_int_equal(rm_pairer_counts(pairer)->ties,
			 50 * K * (K - 1) / 2 - strict);
	rm_buf_fini(&json);
	rm_pairer_free(pairer);
}

/* ---- splits ---- */

static void test_split_parse(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "", "'' is not NAME=SHARE" },
		{ "train", "'train' is not NAME=SHARE" },
		{ "=.5", "'=.5' is not NAME=SHARE" },
		{ "a=.5,,b=.1", "'' is not NAME=SHARE" },
		{ "a=x", "a: " },
		{ "a=-1", "a: " },
		{ "a=nan", "a: " },
		{ "a=.6,b=.5", "add up to 1.1, more than 1" },
		{ "a=.1,a=.2", "two parts named a" },
	};
	struct rm_split split;

	(void)state;
	for (size_t i = 0; i < RM_COUNT(bad); i++) {
		assert_int_equal(rm_split_parse(&split, bad[i].text, 1), -1);
		assert_non_null(strstr(rm_error(), bad[i].message));
		rm_split_fini(&split);
	}
	assert_int_equal(rm_split_parse(&split, "a=.7,b=.2,c=.1", 1), 0);
	assert_int_equal(rm_split_find(&split, "b"), 1);
	assert_int_equal(rm_split_find(&split, "d"), -1);
	assert_string_equal(rm_error(), "no part named 'd'; there are a, b, c");
	rm_split_fini(&split);
}

/* The shares come out, no key is in none, and another seed moves keys. */
static void test_split_of(void **state)
{
	enum { N = 100000 };
	struct rm_split a, b;
	size_t count[3] = {0}, moved = 0, none = 0;

	(void)state;
	rm_split_parse(&a, "train=.8,valid=.1,test=.1", 1);
	rm_split_parse(&b, "train=.8,valid=.1,test=.1", 2);
	for (uint64_t key = 0; key < N; key++) {
		int i = rm_split_of(&a, key);

		assert_in_range(i, 0, 2);
		count[i]++;
		moved += i != rm_split_of(&b, key);
	}
	assert_in_range(count[0], .795 * N, .805 * N);
	assert_in_range(count[1], .095 * N, .105 * N);
	/* Two independent draws differ with 1 - .64 - .01 - .01 = .34. */
	assert_in_range(moved, .33 * N, .35 * N);
	rm_split_fini(&b);
	rm_split_parse(&b, "half=.5", 1);
	for (uint64_t key = 0; key < N; key++)
		none += rm_split_of(&b, key) < 0;
	assert_in_range(none, .49 * N, .51 * N);
	rm_split_fini(&a);
	rm_split_fini(&b);
}

static void test_column(void **state)
{
	struct rm_column c;
	struct rm_buf text = {0};

	(void)state;
	fields("id key weight rank");
	assert_int_equal(rm_column_find(&c, &schema, "topic"), -1);
	assert_non_null(strstr(rm_error(), "there are id, key, weight"));
	assert_int_equal(rm_column_find(&c, &schema, "rank"), -1);
	fields("id key weight rank extra");
	record("{\"id\":\"i\",\"key\":\"ffffffffffffffff\",\"weight\":0.5,"
	       "\"extra\":{\"topic\":\"t\",\"n\":[1,{\"b\":2,\"a\":null}],"
	       "\"x\":null,\"s\":3}}");
	assert_int_equal(rm_column_find(&c, &schema, "id"), 0);
	assert_int_equal(rm_column_text(&c, &rec, &text), 1);
	assert_string_equal(rm_buf_text(&text), "i");
	rm_column_fini(&c);
	assert_int_equal(rm_column_find(&c, &schema, "weight"), 0);
	assert_int_equal(rm_column_text(&c, &rec, &text), 1);
	assert_string_equal(rm_buf_text(&text), "0.5");
	rm_column_fini(&c);
	assert_int_equal(rm_column_find(&c, &schema, "n"), 0);
	assert_int_equal(rm_column_text(&c, &rec, &text), 1);
	assert_string_equal(rm_buf_text(&text), "[1,{\"a\":null,\"b\":2}]");
	assert_true(isnan(rm_column_number(&c, &rec)));
	rm_column_fini(&c);
	assert_int_equal(rm_column_find(&c, &schema, "key"), 0);
	assert_int_equal(rm_column_text(&c, &rec, &text), 1);
	assert_string_equal(rm_buf_text(&text), "ffffffffffffffff");
	rm_column_fini(&c);
	assert_int_equal(rm_column_find(&c, &schema, "s"), 0);
	assert_true(rm_column_number(&c, &rec) == 3);
	rm_column_fini(&c);
	assert_int_equal(rm_column_find(&c, &schema, "x"), 0);
	assert_int_equal(rm_column_text(&c, &rec, &text), 0);
	rm_column_fini(&c);
	rm_buf_fini(&text);
}

/* ---- keys, filters, samples ---- */

static void test_keys(void **state)
{
	enum { N = 20000 };
	struct rm_keys keys = {0};

	(void)state;
	assert_false(rm_keys_has(&keys, 0));
	assert_false(rm_keys_has(&keys, 1));
	for (uint64_t i = 0; i < N; i++)
		assert_int_equal(rm_keys_add(&keys, i << 40), 1);
	for (uint64_t i = 0; i < N; i++) {
		assert_int_equal(rm_keys_add(&keys, i << 40), 0);
		assert_true(rm_keys_has(&keys, i << 40));
		assert_false(rm_keys_has(&keys, i << 40 | 1));
	}
	assert_int_equal(keys.n, N - 1);
	assert_true(keys.zero);
	rm_keys_fini(&keys);
}

static int verdict(struct rm_filter *filter, const char *json)
{
	const char *part;

	return rm_filter_record(filter, record(json), &part);
}

static void test_filters(void **state)
{
	struct rm_keys leaked = {0};
	struct rm_split split;
	struct rm_filter *filter;
	const char *part;

	(void)state;
	fields("key response_texts split");
	rm_keys_add(&leaked, 7);
	rm_split_parse(&split, "all=1", 1);
	filter = rm_filter_new(&schema, &(struct rm_filter_options){
		.leaked = &leaked, .dedup = true, .split = &split });
	assert_int_equal(verdict(filter, "{\"key\":7}"), RM_LEAK);
	assert_int_equal(verdict(filter, "{\"key\":null}"), -1);
	assert_string_equal(rm_error(), "field key: no value");
	assert_int_equal(verdict(filter, "{\"key\":8,\"response_texts\":"
				 "[\"a\",\"b\"]}"), RM_PASS);
	assert_int_equal(verdict(filter, "{\"key\":8,\"response_texts\":"
				 "[\"b\",\"a\"]}"), RM_DUPLICATE);
	assert_int_equal(verdict(filter, "{\"key\":9,\"response_texts\":"
				 "[\"a\",\"b\"]}"), RM_PASS);
	assert_int_equal(verdict(filter, "{\"key\":8,\"response_texts\":"
				 "[\"ab\",\"\"]}"), RM_PASS);
	assert_int_equal(rm_filter_record(filter, record("{\"key\":1}"),
					  &part), RM_PASS);
	assert_string_equal(part, "all");
	assert_int_equal(rm_filter_count(filter, RM_DUPLICATE), 1);
	assert_int_equal(rm_filter_count(filter, RM_PASS), 4);
	rm_filter_free(filter);

	filter = rm_filter_new(&schema, &(struct rm_filter_options){
		.split = &split, .split_by = "split", .take = "dev" });
	assert_int_equal(verdict(filter, "{\"split\":\"dev\"}"), RM_PASS);
	assert_int_equal(verdict(filter, "{\"split\":\"test\"}"),
			 RM_OTHER_PART);
	assert_int_equal(verdict(filter, "{\"split\":null}"), RM_OTHER_PART);
	rm_filter_free(filter);
	rm_split_fini(&split);
	rm_keys_fini(&leaked);

	fields("id");
	assert_null(rm_filter_new(&schema, &(struct rm_filter_options){
		.dedup = true }));
	assert_non_null(strstr(rm_error(), "no field responses"));
	assert_null(rm_filter_new(&schema, &(struct rm_filter_options){
		.shard = 1, .n_shards = 2 }));
	assert_non_null(strstr(rm_error(), "no field key"));
}

/* Each key is in one shard, and shards are of about one size. */
static void test_shards(void **state)
{
	enum { N = 3000, SHARDS = 3 };
	size_t in[SHARDS] = {0}, all = 0;
	char json[32];

	(void)state;
	fields("key");
	for (size_t s = 0; s < SHARDS; s++) {
		struct rm_filter *filter = rm_filter_new(&schema,
			&(struct rm_filter_options){
				.shard = s + 1, .n_shards = SHARDS });

		for (int i = 0; i < N; i++) {
			snprintf(json, sizeof(json), "{\"key\":%d}", i);
			in[s] += verdict(filter, json) == RM_PASS;
		}
		assert_in_range(in[s], N / SHARDS - 100, N / SHARDS + 100);
		all += in[s];
		rm_filter_free(filter);
	}
	assert_int_equal(all, N);
}

/* Item i is the text of i; the chosen one is longer in three of five. */
static struct rm_sample *sample(size_t n, bool balance, bool shuffle,
				int64_t seed)
{
	struct rm_sample *s = rm_sample_new(64);
	struct rm_buf b = {0};

	for (size_t i = 0; i < n; i++) {
		rm_buf_clear(&b);
		rm_buf_printf(&b, "%zu", i);
		assert_int_equal(rm_sample_add(s, &b, i % 5 < 3 ? 1 : i % 5 == 3
					       ? -1 : 0), 0);
	}
	rm_buf_fini(&b);
	assert_int_equal(rm_sample_end(s, balance, shuffle, seed), 0);
	return s;
}

static size_t item(struct rm_sample *s, size_t i)
{
	struct rm_slice bytes;
	char text[24] = "";

	assert_int_equal(rm_sample_get(s, i, &bytes), 0);
	memcpy(text, bytes.data, bytes.len);
	return strtoul(text, NULL, 10);
}

static void test_sample(void **state)
{
	enum { N = 1000 };
	struct rm_sample *s = sample(N, false, true, 1), *t;
	bool seen[N] = {0};
	size_t count[5] = {0}, differ = 0, in_place = 0;

	(void)state;
	t = sample(N, false, true, 2);
	for (size_t i = 0; i < N; i++) {
		size_t x = item(s, i);

		assert_false(seen[x]);
		seen[x] = true;
		differ += x != item(t, i);
		in_place += x == i;
	}
	assert_true(differ > N / 2);
	assert_true(in_place < N / 20);
	rm_sample_free(t);
	t = sample(N, false, true, 1);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(item(s, i), item(t, i));
	rm_sample_free(s);
	rm_sample_free(t);

	s = sample(N, true, false, 1);
	assert_int_equal(rm_sample_count(s), 3 * N / 5);
	for (size_t i = 0; i < rm_sample_count(s); i++) {
		assert_true(i == 0 || item(s, i) > item(s, i - 1));
		count[item(s, i) % 5]++;
	}
	assert_int_equal(count[3], N / 5);
	assert_int_equal(count[4], N / 5);
	assert_int_equal(count[0] + count[1] + count[2], N / 5);
	rm_sample_free(s);
	s = sample(0, true, true, 1);
	assert_int_equal(rm_sample_count(s), 0);
	rm_sample_free(s);
}

/* ---- statistics ---- */

static void test_stats(void **state)
{
	struct rm_stats *stats;
	struct rm_buf text = {0};
	json_t *all;

	(void)state;
	fields("key subset rank votes length");
	stats = rm_stats_new(&schema, false);
	assert_int_equal(rm_stats_add(stats, record(
		"{\"key\":1,\"subset\":\"s\",\"rank\":[0,1],\"votes\":[3,1,1],"
		"\"length\":[10,20]}"), "train"), 0);
	assert_int_equal(rm_stats_add(stats, record(
		"{\"key\":2,\"subset\":\"s\",\"rank\":[1,0],\"votes\":[0,5,0],"
		"\"length\":[30,40]}"), "train"), 0);
	assert_int_equal(rm_stats_add(stats, record(
		"{\"key\":1,\"subset\":\"t\",\"rank\":[0,0],\"votes\":null,"
		"\"length\":[0,60]}"), "test"), 0);
	all = rm_stats_json(stats);
	assert_true(figure(all, NULL, "records") == 3);
	assert_true(figure(all, NULL, "responses") == 6);
	assert_true(figure(all, NULL, "pairs") == 2);
	assert_true(figure(all, NULL, "ties") == 1);
	assert_true(figure(all, NULL, "without_pair") == 1);
	assert_true(figure(all, NULL, "longer_chosen") == .5);
	assert_true(figure(all, NULL, "empty_responses") == 1);
	assert_true(figure(all, NULL, "distinct_keys") == 2);
	assert_true(figure(all, NULL, "repeated_keys") == 1);
	assert_true(figure(all, "k", "2") == 3);
	assert_true(figure(all, "labels", "votes") == 2);
	assert_true(figure(all, "length", "median") == 20);
	assert_true(figure(all, "length", "max") == 60);
	assert_true(figure(all, "length", "sum") == 160);
	/* (6 / 20 + 1) / 2; shares .3, .6, .1: E = .46 */
	assert_true(figure(all, "votes", "agreement") == .65);
	assert_true(fabs(figure(all, "votes", "fleiss_kappa") - .19 / .54) <
		    1e-12);
	assert_int_equal(json_array_size(json_object_get(all, "splits")), 2);
	assert_true(figure(json_array_get(json_object_get(all, "subsets"), 0),
			   NULL, "pairs") == 2);
	rm_stats_print(&text, all);
	assert_non_null(strstr(rm_buf_text(&text), "\nties             1\n"));
	rm_buf_fini(&text);
	json_decref(all);
	rm_stats_free(stats);
}

/* Quantiles of wide numbers are right to 1 %. */
static void test_quantiles(void **state)
{
	struct rm_stats *stats;
	json_t *all;
	char json[64];

	(void)state;
	fields("length");
	stats = rm_stats_new(&schema, false);
	for (int i = 1; i <= 1001; i++) {
		snprintf(json, sizeof(json), "{\"length\":[%d]}",
			 i * 1000003);
		assert_int_equal(rm_stats_add(stats, record(json), NULL), 0);
	}
	all = rm_stats_json(stats);
	assert_true(fabs(figure(all, "length", "median") / 501001503. - 1)
		    < .01);
	assert_true(fabs(figure(all, "length", "p99") / 991002973. - 1)
		    < .01);
	assert_true(figure(all, "length", "min") == 1000003);
	assert_true(figure(all, "length", "max") == 1001003003);
	json_decref(all);
	rm_stats_free(stats);
}

/* Beyond a million keys the number is an estimate, right to a percent. */
static void test_many_keys(void **state)
{
	enum { N = 3000000 };
	struct rm_stats *stats;
	struct rm_buf b = {0};
	json_t *all;

	(void)state;
	fields("key");
	stats = rm_stats_new(&schema, false);
	for (uint64_t i = 0; i < N; i++) {
		rm_buf_clear(&b);
		rm_put_array(&b, 1);
		rm_put_u64(&b, i);
		rm_record_index(&rec, &schema, b.data, b.len);
		assert_int_equal(rm_stats_add(stats, &rec, NULL), 0);
	}
	all = rm_stats_json(stats);
	assert_true(fabs(figure(all, NULL, "distinct_keys") / N - 1) < .01);
	assert_true(json_is_true(json_object_get(all, "keys_estimated")));
	json_decref(all);
	rm_stats_free(stats);
	rm_buf_fini(&b);
}

/* A million subsets are a thousand rows and one for the others. */
static void test_many_subsets(void **state)
{
	struct rm_stats *stats;
	const json_t *rows;
	json_t *all;
	char json[64];

	(void)state;
	fields("subset");
	stats = rm_stats_new(&schema, false);
	for (int i = 0; i < 5000; i++) {
		snprintf(json, sizeof(json), "{\"subset\":\"s%d\"}", i);
		assert_int_equal(rm_stats_add(stats, record(json), NULL), 0);
	}
	snprintf(json, sizeof(json), "{\"subset\":\"s%d\"}", 999);
	assert_int_equal(rm_stats_add(stats, record(json), NULL), 0);
	all = rm_stats_json(stats);
	rows = json_object_get(all, "subsets");
	assert_int_equal(json_array_size(rows), 1001);
	/* By name: "(others)" first, "s999" last. */
	assert_true(figure(json_array_get(rows, 0), NULL, "records") == 4000);
	assert_true(figure(json_array_get(rows, 1000), NULL, "records") == 2);
	json_decref(all);
	rm_stats_free(stats);
}

/* Text of a stream may be any bytes; the figures are JSON all the same. */
static void test_odd_subset(void **state)
{
	struct rm_stats *stats;
	struct rm_buf b = {0};
	json_t *all;

	(void)state;
	fields("subset");
	stats = rm_stats_new(&schema, false);
	rm_put_array(&b, 1);
	rm_put_str(&b, "\xff\0a", 3);
	assert_int_equal(rm_record_index(&rec, &schema, b.data, b.len), 0);
	assert_int_equal(rm_stats_add(stats, &rec, NULL), 0);
	assert_int_equal(rm_stats_add(stats, &rec, NULL), 0);
	all = rm_stats_json(stats);
	rm_buf_clear(&b);
	rm_stats_print(&b, all);
	assert_non_null(strstr(rm_buf_text(&b), "  \xef\xbf\xbd"));
	assert_int_equal(json_array_size(json_object_get(all, "subsets")), 1);
	rm_buf_fini(&b);
	json_decref(all);
	rm_stats_free(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_best),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_of_two),
		cmocka_unit_test(test_triplets),
		cmocka_unit_test(test_all_move),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_p),
		cmocka_unit_test(test_ties),
		cmocka_unit_test(test_kind_pairs),
		cmocka_unit_test(test_weight),
		cmocka_unit_test(test_margin),
		cmocka_unit_test(test_split_field),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_all_pairs),
		cmocka_unit_test(test_split_parse),
		cmocka_unit_test(test_split_of),
		cmocka_unit_test(test_column),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_shards),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_many_subsets),
		cmocka_unit_test(test_odd_subset),
	};

	return cmocka_run_group_tests(tests, NULL, records_teardown);
}
