/* The parts of rm-pair's statistics, and annotators left out. */
#include "test.h"

#include "pair.h"
#include "records.h"

#include <math.h>
#include <stdlib.h>

static struct rm_stats *stats;
static json_t *all;

/* Statistics of records with such fields. */
static void start(const char *names, bool pairs)
{
	fields(names);
	stats = rm_stats_new(&schema, pairs);
	assert_non_null(stats);
}

static void add_to(const char *part, const char *json)
{
	if (rm_stats_add(stats, record(json), part) < 0)
		fail_msg("%s", rm_error());
}

static void add(const char *json)
{
	add_to(NULL, json);
}

static void finish(void)
{
	all = rm_stats_json(stats);
	assert_non_null(all);
}

static void end(void)
{
	json_decref(all);
	rm_stats_free(stats);
}

/* There is no such figure, for this reason. */
static void assert_lacks(const char *name, const char *why)
{
	const json_t *lacks = json_object_get(all, "not_computed");
	const char *found = json_string_value(json_object_get(lacks, name));

	if (!found || !strstr(found, why))
		fail_msg("%s: '%s', not '%s'", name, found ? found : "", why);
	assert_null(json_object_get(all, name));
	if (strcmp(name, "annotators") != 0)	/* their number is there */
		assert_null(json_object_get(json_object_get(all, "votes"),
					    name));
}

static const json_t *row(const char *table, size_t i)
{
	const json_t *r = json_array_get(json_object_get(all, table), i);

	if (!r)
		fail_msg("no row %zu of %s", i, table);
	return r;
}

static void assert_name(const char *table, size_t i, const char *name)
{
	assert_string_equal(json_string_value(json_object_get(
			    row(table, i), "name")), name);
}

/* ---- agreement ---- */

static void test_agreement(void **state)
{
	(void)state;
	start("rank annotations", false);
	for (int i = 0; i < 4; i++)
		add("{\"rank\":[0,1],\"annotations\":["
		    "{\"annotator\":\"a\",\"choice\":0},"
		    "{\"annotator\":\"b\",\"choice\":0},"
		    "{\"annotator\":\"c\",\"choice\":1}]}");
	add("{\"rank\":[0,1],\"annotations\":["
	    "{\"annotator\":\"a\",\"choice\":1},"
	    "{\"annotator\":\"b\",\"choice\":1},"
	    "{\"annotator\":\"c\",\"choice\":1}]}");
	add("{\"rank\":[0,1],\"annotations\":null}");
	finish();
	assert_true(figure(all, "votes", "annotators") == 3);
	assert_true(fabs(figure(all, "votes", "agreement") - 7 / 15.) <
		    1e-12);
	/* a and b: 1; with c: (.2 - .2) / .8 = 0 */
	assert_true(fabs(figure(all, "votes", "cohen_kappa") - 1 / 3.) <
		    1e-12);
	assert_name("annotators", 0, "c");
	assert_true(figure(row("annotators", 0), NULL, "compared") == 5);
	assert_true(figure(row("annotators", 0), NULL, "agreement") == .2);
	/* The others of a and of b agree in the last record alone. */
	assert_name("annotators", 1, "a");
	assert_true(figure(row("annotators", 1), NULL, "compared") == 1);
	end();
}

static void test_no_agreement(void **state)
{
	static const char *const names[] = {
		"fleiss_kappa", "alpha_nominal", "alpha_ordinal",
		"cohen_kappa", "annotators"
	};

	(void)state;
	start("rank", false);
	add("{\"rank\":[0,1]}");
	finish();
	for (size_t i = 0; i < RM_COUNT(names); i++)
		assert_lacks(names[i], "no field votes or annotations");
	assert_lacks("agreement", "no field votes or annotations");
	end();

	start("rank annotations", false);
	add("{\"rank\":[0,1],\"annotations\":["
	    "{\"annotator\":\"a\",\"choice\":0}]}");
	add("{\"rank\":[0,1],\"annotations\":["
	    "{\"annotator\":\"a\",\"choice\":1}]}");
	finish();
	assert_lacks("fleiss_kappa", "no record has two votes");
	assert_lacks("agreement", "no record has two votes");
	assert_lacks("cohen_kappa", "one annotator only");
	assert_lacks("annotators", "one annotator only");
	end();

	start("rank annotations", false);
	for (int i = 0; i < 3; i++)
		add("{\"rank\":[0,1],\"annotations\":["
		    "{\"annotator\":\"a\",\"choice\":0},"
		    "{\"annotator\":\"b\",\"choice\":0}]}");
	finish();
	assert_true(figure(all, "votes", "agreement") == 1);
	assert_lacks("fleiss_kappa", "all votes are the same");
	assert_lacks("alpha_ordinal", "all votes are the same");
	assert_lacks("cohen_kappa", "always says the same");
	end();

	start("votes", false);
	add("{\"votes\":[2,1,0,0]}");
	finish();
	assert_true(fabs(figure(all, "votes", "agreement") - 1 / 3.) < 1e-12);
	assert_lacks("alpha_nominal", "other than two responses");
	end();
}

/* Pairs are turned by their labels; positions turn them back. */
static void test_turned(void **state)
{
	double kappa;

	(void)state;
	start("votes position", false);
	add("{\"votes\":[3,1,0],\"position\":[0,1]}");
	add("{\"votes\":[1,3,0],\"position\":[0,1]}");
	add("{\"votes\":[0,3,1],\"position\":[0,1]}");
	finish();
	kappa = figure(all, "votes", "fleiss_kappa");
	assert_true(figure(all, "label_balance", "second_wins") == 2);
	end();
	start("votes position", true);
	add("{\"votes\":[3,1,0],\"position\":[0,1]}");
	add("{\"votes\":[3,1,0],\"position\":[1,0]}");
	add("{\"votes\":[3,0,1],\"position\":[4,2]}");
	finish();
	assert_true(figure(all, "votes", "fleiss_kappa") == kappa);
	assert_true(figure(all, "label_balance", "second_wins") == 2);
	end();
	start("votes", true);
	add("{\"votes\":[3,1,0]}");
	finish();
	assert_lacks("fleiss_kappa", "no field position");
	assert_lacks("label_balance", "no field position");
	end();
}

/* ---- labels ---- */

static void test_labels(void **state)
{
	char json[80];

	(void)state;
	start("score length", false);
	add("{\"score\":[2,1],\"length\":[9,1]}");
	add("{\"score\":[1,1],\"length\":[9,1]}");
	add("{\"score\":[0.5,1],\"length\":[5,5]}");
	add("{\"score\":[null,-1],\"length\":[9,1]}");
	add("{\"score\":[1,2,3],\"length\":[9,1,1]}");
	finish();
	assert_true(figure(all, "label_balance", "first_wins") == 1);
	assert_true(figure(all, "label_balance", "second_wins") == 1);
	assert_true(figure(all, "label_balance", "ties") == 1);
	assert_true(figure(all, "label_balance", "missing") == 1);
	assert_true(figure(all, "label_balance", "first_share") == .5);
	assert_true(figure(all, "length_balance", "longer") == 1);
	assert_true(figure(all, "length_balance", "equal") == 2);
	assert_true(figure(all, "length_balance", "shorter") == 2);
	assert_true(figure(all, "score", "n") == 10);
	assert_true(fabs(figure(all, "score", "mean") - 1.15) < 1e-12);
	assert_true(figure(all, "score_values", "1") == 5);
	assert_true(figure(all, "score_values", "-1") == 1);
	end();

	start("score", false);
	for (int i = 0; i < 1000; i++) {
		snprintf(json, sizeof(json), "{\"score\":[%g,%g]}",
			 (i - 500) * .37, (i - 500) * .37 - 1000);
		add(json);
	}
	finish();
	assert_null(json_object_get(all, "score_values"));
	assert_true(figure(all, "score", "min") == -1185);
	assert_true(fabs(figure(all, "score", "p75") + .25 * .37) < 3);
	assert_true(fabs(figure(all, "score", "p25") / -1000 - 1) < .02);
	end();

	start("id", false);
	add("{\"id\":\"a\"}");
	finish();
	assert_lacks("label_balance", "no labelled record");
	assert_lacks("score", "no field score");
	assert_lacks("length_balance", "no field length");
	assert_lacks("cycles", "no comparisons");
	assert_lacks("near_prompts", "no record has a prompt");
	assert_lacks("duplicates", "no field responses");
	assert_lacks("scripts", "--keep-text");
	end();
}

/* ---- cycles ---- */

static void test_cycle(void **state)
{
	(void)state;
	start("id key prompt_text response_texts rank", false);
	add("{\"id\":\"x\",\"key\":1,\"prompt_text\":\"q\","
	    "\"response_texts\":[\"a\",\"b\"],\"rank\":[0,1]}");
	add("{\"id\":\"y\",\"key\":1,\"prompt_text\":\"q\","
	    "\"response_texts\":[\"c\",\"b\"],\"rank\":[1,0]}");
	/* Of another prompt: closes nothing. */
	add("{\"id\":\"o\",\"key\":2,\"prompt_text\":\"p\","
	    "\"response_texts\":[\"c\",\"a\"],\"rank\":[0,1]}");
	finish();
	assert_true(figure(all, "cycles", "prompts") == 1);
	assert_true(figure(all, "cycles", "components") == 0);
	json_decref(all);
	add("{\"id\":null,\"key\":1,\"prompt_text\":\"q\","
	    "\"response_texts\":[\"d\",\"c\",\"a\"],\"rank\":[2,0,1]}");
	finish();
	assert_true(figure(all, "cycles", "comparisons") == 5);
	assert_true(figure(all, "cycles", "components") == 1);
	assert_true(figure(all, "cycles", "responses") == 3);
	assert_true(figure(all, "cycles", "triads") == 1);
	assert_true(figure(all, "cycles", "contradictions") == 0);
	assert_int_equal(figure(row("cycle_examples", 0), NULL, "length"), 3);
	assert_name("cycle_examples", 0, "x y #4");
	json_decref(all);
	/* One says the opposite: no cycle is left, but a contradiction. */
	add("{\"id\":\"z\",\"key\":1,\"prompt_text\":\"q\","
	    "\"response_texts\":[\"a\",\"b\"],\"rank\":[1,0]}");
	finish();
	assert_true(figure(all, "cycles", "triads") == 0);
	assert_true(figure(all, "cycles", "contradictions") == 1);
	end();

	start("response_texts rank", false);
	add("{\"response_texts\":[\"a\",\"b\"],\"rank\":[0,1]}");
	add("{\"response_texts\":[\"b\",\"a\"],\"rank\":[0,1]}");
	finish();
	assert_true(figure(all, "cycles", "contradictions") == 1);
	assert_name("cycle_examples", 0, "#1 #2");
	end();

	start("rank", false);
	add("{\"rank\":[0,1]}");
	finish();
	assert_lacks("cycles", "no field responses");
	end();
}

enum { V = 12, E = 60 };

/* Random comparisons, and the figures from their matrix. */
static void check_random_cycles(uint64_t seed)
{
	int net[V][V] = {{0}};
	bool seen[V][V] = {{0}}, reach[V][V];
	size_t triads = 0, contradictions = 0, in_cycles = 0;
	char json[100];

	start("response_texts rank", false);
	for (uint64_t i = 0; i < E; i++) {
		size_t a = rm_random(seed, RM_RANDOM_TEST, i, 0) % V;
		size_t b = rm_random(seed, RM_RANDOM_TEST, i, 1) % V;

		snprintf(json, sizeof(json), "{\"response_texts\":[\"%zu\","
			 "\"%zu\"],\"rank\":[0,1]}", a, b);
		add(json);
		seen[a][b] = a != b;
		net[a][b]++;
		net[b][a]--;
	}
	finish();
	for (size_t a = 0; a < V; a++)
		for (size_t b = 0; b < V; b++) {
			reach[a][b] = net[a][b] > 0;
			contradictions += a < b && seen[a][b] && seen[b][a];
			for (size_t c = 0; c < V; c++)
				triads += net[a][b] > 0 && net[b][c] > 0 &&
					  net[c][a] > 0;
		}
	for (size_t c = 0; c < V; c++)
		for (size_t a = 0; a < V; a++)
			for (size_t b = 0; b < V; b++)
				reach[a][b] = reach[a][b] ||
					      (reach[a][c] && reach[c][b]);
	for (size_t a = 0; a < V; a++)
		in_cycles += reach[a][a];
	assert_true(figure(all, "cycles", "triads") == (double)triads / 3);
	assert_true(figure(all, "cycles", "contradictions") ==
		    (double)contradictions);
	assert_true(figure(all, "cycles", "responses") == (double)in_cycles);
	end();
}

static void test_random_cycles(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++)
		check_random_cycles(seed);
}

/* ---- prompts ---- */

static void test_duplicates(void **state)
{
	(void)state;
	start("id key prompt responses", false);
	add_to("train", "{\"id\":\"a\",\"key\":1,\"prompt\":[900,901],"
	       "\"responses\":[[1],[2]]}");
	add_to("train", "{\"id\":\"b\",\"key\":1,\"prompt\":[900,901],"
	       "\"responses\":[[2],[1]]}");
	add_to("test", "{\"id\":\"c\",\"key\":1,\"prompt\":[900,901],"
	       "\"responses\":[[2],[3]]}");
	add_to("test", "{\"id\":\"d\",\"key\":1,\"prompt\":[900,901],"
	       "\"responses\":[[2],[4]]}");
	add_to("test", "{\"id\":\"e\",\"key\":5,\"prompt\":[7000],"
	       "\"responses\":[[2],[3]]}");
	finish();
	assert_true(figure(all, "duplicates", "records") == 1);
	assert_true(figure(all, "duplicates", "prompts") == 2);
	assert_true(figure(all, "duplicates", "in_several_parts") == 1);
	assert_true(figure(all, "duplicates", "near") == 0);
	assert_name("prompts_in_several_parts", 0, "a c");
	end();
}

/* `words` random words; of seed `changed` one of them is another. */
static void make_prompt(struct rm_buf *out, uint64_t seed, size_t words,
			size_t change)
{
	rm_buf_clear(out);
	for (size_t i = 0; i < words; i++)
		rm_buf_printf(out, "%s%llx", i ? " " : "",
			      (unsigned long long)(rm_random(seed,
			      RM_RANDOM_TEST, i, i == change) % 100000));
}

static void add_prompt(const char *text, uint64_t key)
{
	char json[2000];

	snprintf(json, sizeof(json), "{\"key\":%llu,\"prompt_text\":\"%s\"}",
		 (unsigned long long)key, text);
	add(json);
}

/* Prompts with one word of forty changed are found, others are not. */
static void test_near_prompts(void **state)
{
	enum { N = 500 };
	struct rm_buf text = {0};

	(void)state;
	start("key prompt_text", false);
	for (uint64_t i = 0; i < N; i++) {
		make_prompt(&text, i, 40, 1000);
		add_prompt(rm_buf_text(&text), 2 * i);
		make_prompt(&text, i, 40, i % 2 ? i % 40 : 1000);
		if (i % 2 == 0)		/* the same but for its end */
			rm_buf_puts(&text, "?!");
		add_prompt(rm_buf_text(&text), 2 * i + 1);
	}
	finish();
	assert_true(figure(all, "duplicates", "prompts") == 2 * N);
	assert_true(figure(all, "duplicates", "near") <= N);
	assert_true(figure(all, "duplicates", "near") >= .97 * N);
	assert_true(figure(all, "duplicates", "clusters") ==
		    figure(all, "duplicates", "near"));
	for (size_t i = 0; i < 5; i++)
		assert_true(figure(row("near_prompts", i), NULL,
				   "similarity") > .8);
	end();
	rm_buf_fini(&text);
}

/* Similarity is that of the sets of shingles: half of the text, a third. */
static void test_unlike_prompts(void **state)
{
	struct rm_buf text = {0};

	(void)state;
	start("key prompt_text", false);
	for (uint64_t i = 0; i < 300; i++) {
		make_prompt(&text, 7, 20, 1000);
		rm_buf_putc(&text, ' ');
		for (uint64_t j = 0; j < 20; j++)
			rm_buf_printf(&text, "%llx ", (unsigned long long)
				      (rm_random(i, RM_RANDOM_TEST, j, 5) %
				       100000));
		add_prompt(rm_buf_text(&text), i);
	}
	finish();
	assert_true(figure(all, "duplicates", "near") == 0);
	end();
	rm_buf_fini(&text);
}

/* Bytes as ids give the figures of the text; short ones do no harm. */
static void test_prompt_ids(void **state)
{
	(void)state;
	start("prompt", false);
	add("{\"prompt\":[97,98]}");
	add("{\"prompt\":[65,32,98]}");
	add("{\"prompt\":[65,66]}");
	add("{\"prompt\":[1000]}");
	add("{\"prompt\":[1000,70000,9,9,9,9]}");
	add("{\"prompt\":[]}");
	finish();
	assert_true(figure(all, "duplicates", "prompts") == 5);
	assert_true(figure(all, "duplicates", "near") == 1);
	assert_name("near_prompts", 0, "#1 #3");
	end();
}

/* ---- scripts ---- */

static const json_t *script(const char *name)
{
	const json_t *rows = json_object_get(all, "scripts");
	size_t i;
	json_t *one;

	json_array_foreach(rows, i, one)
		if (!strcmp(json_string_value(json_object_get(one, "name")),
			    name))
			return one;
	fail_msg("no script %s", name);
	return NULL;
}

static void test_scripts(void **state)
{
	struct rm_buf b = {0};

	(void)state;
	start("prompt_text response_texts", false);
	add("{\"prompt_text\":\"Ab, \\u00e9!\",\"response_texts\":["
	    "\"\\u0416\\u0436 x\",\"\\u6f22\\u5b57\\u3042\",\"12 :)\"]}");
	add("{\"prompt_text\":null,\"response_texts\":[\"\\u0e01\","
	    "\"\\ud800\\udc00\",\"\"]}");
	/* Bytes that are no UTF-8. */
	rm_put_array(&b, 2);
	rm_put_str(&b, "\xff\xe3\x81 a\xf0\x9f", 7);
	rm_put_nil(&b);
	assert_int_equal(rm_record_index(&rec, &schema, b.data, b.len), 0);
	assert_int_equal(rm_stats_add(stats, &rec, NULL), 0);
	finish();
	assert_true(figure(script("Latin"), NULL, "prompts") == 2);
	assert_true(figure(script("Latin"), NULL, "in_prompts") == 1);
	assert_true(figure(script("Latin"), NULL, "responses") == 0);
	assert_true(figure(script("Latin"), NULL, "in_responses") == .125);
	assert_true(figure(script("Cyrillic"), NULL, "in_responses") ==
		    .25);
	assert_true(figure(script("Han"), NULL, "responses") == 1);
	assert_true(figure(script("Hiragana"), NULL, "responses") == 0);
	assert_true(figure(script("Thai"), NULL, "responses") == 1);
	assert_true(figure(script("other"), NULL, "responses") == 1);
	assert_true(figure(script("(no letters)"), NULL, "responses") == 2);
	end();
	rm_buf_fini(&b);
}

/* ---- annotators left out ---- */

static const char *without(struct rm_dropper *d, const char *json)
{
	static struct rm_buf text;
	const struct rm_record *r = record(json);

	rm_buf_clear(&text);
	if (rm_dropper_record(d, &r) < 0)
		return rm_error();
	rm_record_print(&text, r);
	return rm_buf_text(&text);
}

static void test_dropper(void **state)
{
	char *names[] = { (char []){ "bad" }, (char []){ "worse" } };
	struct rm_dropper *d;

	(void)state;
	fields("id rank votes annotations p");
	d = rm_dropper_new(&schema, false, names, 2);
	assert_non_null(d);
	assert_string_equal(without(d, "{\"id\":\"a\",\"rank\":[0,1],"
		"\"votes\":[2,1,1],\"annotations\":["
		"{\"annotator\":\"bad\",\"choice\":0},{\"choice\":1},"
		"{\"annotator\":\"bad\",\"choice\":0},"
		"{\"annotator\":\"good\",\"choice\":2}],\"p\":0.7}"),
		"{\"id\":\"a\",\"rank\":[1,0],\"votes\":[0,1,1],"
		"\"annotations\":[{\"choice\":1},{\"annotator\":\"good\","
		"\"choice\":2}],\"p\":null}");
	assert_string_equal(without(d, "{\"id\":\"b\",\"rank\":[0,1],"
		"\"votes\":[1,0,0],\"annotations\":["
		"{\"annotator\":\"bad\",\"choice\":0}],\"p\":null}"),
		"{\"id\":\"b\",\"rank\":[null,null],"
		"\"votes\":[null,null,null],"
		"\"annotations\":[],\"p\":null}");
	assert_string_equal(without(d, "{\"id\":\"c\",\"rank\":[1,0],"
		"\"votes\":[1,0,0],\"annotations\":null,\"p\":0.1}"),
		"{\"id\":\"c\",\"rank\":[1,0],\"votes\":[1,0,0],"
		"\"annotations\":null,\"p\":0.1}");
	assert_int_equal(rm_dropper_count(d), 3);
	assert_string_equal(rm_dropper_unseen(d), "worse");
	rm_dropper_free(d);
}

/* As if they had never been there, whatever k. */
static void test_dropped_rank(void **state)
{
	char *names[] = { (char []){ "z" } };
	struct rm_dropper *d;

	(void)state;
	fields("rank annotations");
	d = rm_dropper_new(&schema, false, names, 1);
	assert_non_null(d);
	assert_non_null(strstr(without(d, "{\"rank\":[0,1,2,3],"
		"\"annotations\":[{\"annotator\":\"z\",\"choice\":0},"
		"{\"choice\":3},{\"choice\":3},{\"choice\":2},"
		"{\"choice\":1},{\"choice\":4}]}"),
		"\"rank\":[3,1,1,0]"));
	assert_null(rm_dropper_unseen(d));
	rm_dropper_free(d);
	assert_null(rm_dropper_new(&schema, true, names, 1));
	assert_non_null(strstr(rm_error(), "dropped from groups"));
	fields("rank");
	assert_null(rm_dropper_new(&schema, false, names, 1));
	assert_non_null(strstr(rm_error(), "no field annotations"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreement),
		cmocka_unit_test(test_no_agreement),
		cmocka_unit_test(test_turned),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_random_cycles),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_near_prompts),
		cmocka_unit_test(test_unlike_prompts),
		cmocka_unit_test(test_prompt_ids),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_dropper),
		cmocka_unit_test(test_dropped_rank),
	};

	return cmocka_run_group_tests(tests, NULL, records_teardown);
}
