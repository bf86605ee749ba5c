#include "test.h"

#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO NAN

/* ---- a small file, read whole ---- */

static char dir[] = "/tmp/rm-text-XXXXXX";
static char path[2][64];

static void put_file(int i, const char *name, const char *text, size_t n)
{
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	assert_int_equal(rm_write_file(path[i], text, n), 0);
}

static struct rm_text_reader *reader;
static struct rm_text_batch batch;

static struct rm_text_reader *open_as(const char *name, const char *text,
				      const struct rm_text_options *o)
{
	char *paths[] = { path[0] };

	put_file(0, name, text, strlen(text));
	return rm_text_open(paths, 1, o);
}

/* The groups of `text`, which are all in one batch. */
static size_t groups_of(const char *name, const char *text,
			const struct rm_text_options *o)
{
	reader = open_as(name, text, o);
	if (!reader)
		print_error("%s\n", rm_error());
	assert_non_null(reader);
	if (rm_text_read(reader, &batch) != 1)
		print_error("%s\n", rm_error());
	assert_true(batch.n > 0);
	return batch.n;
}

static const struct rm_text_group *only(const char *text)
{
	assert_int_equal(groups_of("x.jsonl", text, NULL), 1);
	return batch.group[0];
}

static void done(void)
{
	struct rm_text_batch more;

	assert_int_equal(rm_text_read(reader, &more), 0);
	rm_text_close(reader);
	unlink(path[0]);
}

/* Reading `text` fails, at opening or later, with this in the message. */
static void fails(const char *name, const char *text,
		  const struct rm_text_options *o, const char *message)
{
	struct rm_text_batch b;
	int got = 1;

	reader = open_as(name, text, o);
	while (reader && got > 0)
		got = rm_text_read(reader, &b);
	assert_true(!reader || got < 0);
	if (!strstr(rm_error(), message))
		print_error("got: %s\nwanted: %s\n", rm_error(), message);
	assert_non_null(strstr(rm_error(), message));
	rm_text_close(reader);
	unlink(path[0]);
}

static void is_text(struct rm_slice s, const char *text)
{
	if (!rm_slice_is(s, text))
		print_error("got: %.*s\nwanted: %s\n", (int)s.len,
			    s.data ? (const char *)s.data : "(none)", text);
	assert_true(rm_slice_is(s, text));
}

static void are(const double *v, size_t n, const double *expected)
{
	assert_non_null(v);
	for (size_t i = 0; i < n; i++)
		assert_true(v[i] == expected[i] ||
			    (isnan(v[i]) && isnan(expected[i])));
}

#define ARE(v, ...) are(v, sizeof((double[]){ __VA_ARGS__ }) / \
			sizeof(double), (double[]){ __VA_ARGS__ })

static void is_message(const struct rm_message *m, const char *role,
		       const char *content)
{
	is_text(m->role, role);
	is_text(m->content, content);
}

/* ---- formats ---- */

static void test_csv(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	assert_int_equal(groups_of("a.csv",
		"prompt,chosen,rejected\r\n"
		"q,\"two\nlines, \"\"quoted\"\"\",  spaces \r\n"
		"\r\n"
		"q2,,x\n", NULL), 2);
	g = batch.group[0];
	is_text(g->id, "a:1");
	is_text(g->prompt.text, "q");
	is_text(g->response[0].text, "two\nlines, \"quoted\"");
	is_text(g->response[1].text, "  spaces ");
	ARE(g->rank, 0, 1);
	assert_int_equal(g->line, 2);
	g = batch.group[1];
	is_text(g->id, "a:2");
	is_text(g->response[0].text, "");
	assert_int_equal(g->line, 5);
	assert_false(rm_text_has(reader, "subset"));
	assert_false(rm_text_has(reader, "extra"));
	done();
}

static void test_csv_refused(void **state)
{
	(void)state;
	fails("a.csv", "chosen,rejected\na,b\na,\"b\nc\nd,e\n", NULL,
	      "a.csv: line 3: a quote that opens here is not closed");
	fails("a.csv", "chosen,rejected\na,b\na,b,c\n", NULL,
	      "a.csv: line 3: row 2 has 3 columns, the header has 2");
	fails("a.csv", "chosen,rejected\na,b\"c\n", NULL, "line 2: a quote");
	fails("a.csv", "chosen,rejected\na,\"b\"c\n", NULL, "line 2: a quote");
	fails("a.csv", "chosen,chosen\na,b\n", NULL, "named 'chosen'");
	fails("a.csv", "chosen,rejected\n", NULL, "there are no rows");
	fails("a.csv", "", NULL, "a.csv: the file is empty");
	fails("a.csv", "chosen,rejected\na,\xff" "b\n", NULL,
	      "a.csv: line 2: column rejected: invalid UTF-8 at byte 1");
}

static void test_tsv(void **state)
{
	(void)state;
	groups_of("a", "chosen\trejected\na, b\tc\n", NULL);
	is_text(batch.group[0]->response[0].text, "a, b");
	done();
	/* The content tells, not the suffix. */
	groups_of("a.csv", "chosen\trejected\na\tc\n", NULL);
	is_text(batch.group[0]->response[1].text, "c");
	done();
	/* Where it does not, the suffix. */
	groups_of("a.tsv", "chosen\trejected\tm,n\na\tc\t1\n", NULL);
	is_text(batch.group[0]->response[1].text, "c");
	done();
}

static void test_json_lines(void **state)
{
	(void)state;
	assert_int_equal(groups_of("a.jsonl",
		"\xef\xbb\xbf\n  \n{\"chosen\":\"a\",\"rejected\":\"b\"}\r\n"
		"\n{\"chosen\":\"\\u00e9\",\"rejected\":\"\"}", NULL), 2);
	is_text(batch.group[0]->id, "a:1");
	assert_int_equal(batch.group[0]->line, 3);
	assert_int_equal(batch.group[1]->line, 5);
	is_text(batch.group[1]->response[0].text, "\xc3\xa9");
	done();
	fails("a.jsonl", "{\"chosen\":\"a\",\"rejected\":\"b\"}\n{\"chosen\"",
	      NULL, "a.jsonl: line 2: ");
	fails("a.jsonl", "{\"chosen\":\"a\",\"rejected\":\"b\"}\n7\n", NULL,
	      "a.jsonl: line 2: a number where an object of columns is "
	      "expected");
	fails("a.jsonl", "{\"chosen\":\"a\",\"rejected\":\"\xe2\x28\"}\n",
	      NULL, "a.jsonl: line 1: invalid UTF-8 at byte 27");
}

static void test_json_array(void **state)
{
	(void)state;
	assert_int_equal(groups_of("a.data",
		" [ {\"chosen\":\"a\",\"rejected\":\"b\"},\n"
		"{\"chosen\":\"c\",\"rejected\":\"d\"} ]\n", NULL), 2);
	is_text(batch.group[1]->id, "a:2");
	assert_int_equal(batch.group[1]->line, 0);
	done();
	groups_of("a.json", "{\n\"chosen\": \"a\",\n\"rejected\": \"b\"}",
		  NULL);
	done();
	fails("a.json", "[{\"chosen\":\"a\",\"rejected\":\"b\"},3]", NULL,
	      "a.json: row 2: a number where an object");
	fails("a.json", "[{\"chosen\":\"a\",\"rejected\":\"b\"}", NULL,
	      "a.json: JSON: ");
	fails("a.json", "[]", NULL, "there are no rows");
	fails("a", " \n\t ", NULL, "the file is empty");
	fails("a.rms", "\xce\x01", NULL, "tokenized already");
}

static void test_replace(void **state)
{
	const struct rm_text_options o = { .replace = true };

	(void)state;
	groups_of("a.jsonl", "{\"chosen\":\"a\xff" "b\",\"rejected\":\"\"}\n",
		  &o);
	is_text(batch.group[0]->response[0].text, "a\xef\xbf\xbd" "b");
	assert_int_equal(rm_text_counts(reader)->replaced, 1);
	done();
	groups_of("a.jsonl", "{\"chosen\":\"\\ud83d\\ude00 \\ud83d \\\\ud83d\","
		  "\"rejected\":\"\\uDE00\"}\n", &o);
	is_text(batch.group[0]->response[0].text,
		"\xf0\x9f\x98\x80 \xef\xbf\xbd \\ud83d");
	is_text(batch.group[0]->response[1].text, "\xef\xbf\xbd");
	done();
	fails("a.jsonl", "{\"chosen\":\"\\ud83d\",\"rejected\":\"\"}", NULL,
	      "a.jsonl: line 1: JSON");
	groups_of("a.csv", "chosen,rejected\n\xc3,b\nc,d\n", &o);
	is_text(batch.group[0]->response[0].text, "\xef\xbf\xbd");
	assert_int_equal(rm_text_counts(reader)->replaced, 1);
	done();
}

static void test_skip_bad(void **state)
{
	const struct rm_text_options o = { .skip_bad = true };

	(void)state;
	assert_int_equal(groups_of("a.jsonl",
		"nonsense\n"
		"{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
		"{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":null}\n"
		"{\"prompt\":\"p\",\"chosen\":\"a\"}\n"
		"{\"chosen\":\"a\",\"rejected\":\"b\"}\n"
		"{\"prompt\":\"p\",\"chosen\":\"c\",\"rejected\":\"d\"}\n",
		&o), 2);
	is_text(batch.group[1]->id, "a:6");
	assert_int_equal(rm_text_counts(reader)->bad, 4);
	assert_int_equal(rm_text_counts(reader)->rows, 6);
	done();
	assert_int_equal(groups_of("a.csv",
		"chosen,rejected\na,b,c\nd,e\n", &o), 1);
	assert_int_equal(rm_text_counts(reader)->bad, 1);
	done();
}

/* ---- shapes ---- */

static void test_pair(void **state)
{
	const struct rm_text_group *g = only(
		"{\"id\":7,\"prompt\":\"p\",\"chosen\":\"a\","
		"\"rejected\":\"b\",\"margin\":1.5,\"subset\":\"s\","
		"\"split\":\"test\",\"p\":0.75,\"weight\":2,"
		"\"chosen_model\":\"m\"}");

	(void)state;
	is_text(g->id, "7");
	is_text(g->subset, "s");
	is_text(g->split, "test");
	is_text(g->key_text, "p");
	assert_true(g->margin == 1.5 && g->p == 0.75 && g->weight == 2);
	assert_string_equal(json_string_value(json_object_get(g->extra,
		"chosen_model")), "m");
	assert_int_equal(json_object_size(g->extra), 1);
	assert_int_equal(rm_text_counts(reader)->as_json, 0);
	done();
}

static void test_pair_votes(void **state)
{
	(void)state;
	assert_int_equal(groups_of("h.csv",
		"id,chosen,rejected,votes_chosen,votes_rejected\n"
		"0-1,a,b,2,1\n0-2,a,c,2,2\n", NULL), 2);
	ARE(batch.group[0]->votes, 2, 1, 0);
	ARE(batch.group[0]->rank, 0, 1);
	ARE(batch.group[1]->rank, 0, 0);
	is_text(batch.group[0]->key_text, "0-1");
	done();
}

static void test_transcript(void **state)
{
	const struct rm_text_options o = { .as_messages = true };
	static const char row[] =
		"{\"chosen\":\"\\n\\nHuman: hi\\n\\nAssistant: yes\\n\\n"
		"Human: so?\\n\\nAssistant: Good\",\"rejected\":\"\\n\\n"
		"Human: hi\\n\\nAssistant: yes\\n\\nHuman: so?\\n\\n"
		"Assistant: God\\n\\nHuman: x\\n\\nAssistant: y\"}";
	const struct rm_text_group *g = only(row);

	(void)state;
	assert_true(g->transcript);
	is_text(g->prompt.text, "\n\nHuman: hi\n\nAssistant: yes\n\n"
		"Human: so?\n\nAssistant:");
	is_text(g->response[0].text, " Good");
	is_text(g->response[1].text, " God\n\nHuman: x\n\nAssistant: y");
	assert_int_equal(g->key_text.len, g->prompt.text.len);
	done();
	groups_of("x.jsonl", row, &o);
	g = batch.group[0];
	assert_false(g->transcript);
	assert_int_equal(g->prompt.n, 3);
	is_message(&g->prompt.message[1], "assistant", "yes");
	is_message(&g->prompt.message[2], "user", "so?");
	assert_int_equal(g->response[1].n, 3);
	is_message(&g->response[1].message[0], "assistant", "God");
	is_message(&g->response[1].message[1], "user", "x");
	is_text(g->key_text, "\n\nHuman: hi\n\nAssistant: yes\n\n"
		"Human: so?\n\nAssistant:");
	done();
	/* A tag that only one has is no end of a prompt; nor half a tag. */
	g = only("{\"chosen\":\"a\\n\\nAssistant: b\",\"rejected\":"
		 "\"a\\n\\nAssist\"}");
	assert_false(g->transcript);
	assert_null(g->prompt.text.data);
	is_text(g->response[1].text, "a\n\nAssist");
	is_text(g->key_text, "x:1");
	done();
}

#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define BOT(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"

static void test_messages(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	/* Explicit prompt. */
	g = only("{\"prompt\":[" USER("q") "],\"chosen\":[" BOT("a") "],"
		 "\"rejected\":[" BOT("b") "]}");
	assert_int_equal(g->prompt.n, 1);
	is_text(g->key_text, "q");
	is_message(&g->response[1].message[0], "assistant", "b");
	done();
	/* The prompt is what both share. */
	g = only("{\"chosen\":[" USER("q") "," BOT("x") "," USER("r") ","
		 BOT("a") "],\"rejected\":[" USER("q") "," BOT("x") ","
		 USER("r") "," BOT("b") "]}");
	assert_int_equal(g->prompt.n, 3);
	assert_int_equal(g->response[0].n, 1);
	is_text(g->key_text, "user: q\n\nassistant: x\n\nuser: r");
	done();
	/* Equal responses keep one message each. */
	g = only("{\"chosen\":[" USER("q") "," BOT("a") "],"
		 "\"rejected\":[" USER("q") "," BOT("a") "]}");
	assert_int_equal(g->prompt.n, 1);
	assert_int_equal(g->response[0].n, 1);
	is_text(g->key_text, "q");
	done();
	/* A prompt column that the lists say again is not doubled. */
	g = only("{\"prompt\":\"q\",\"chosen\":[" USER("q") "," BOT("a") "],"
		 "\"rejected\":[" USER("q") "," BOT("b") "]}");
	assert_int_equal(g->prompt.n, 1);
	is_message(&g->prompt.message[0], "user", "q");
	is_text(g->key_text, "q");
	done();
	/* Parts. */
	g = only("{\"chosen\":[{\"role\":\"user\",\"content\":[{\"type\":"
		 "\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}"
		 "]}],\"rejected\":[" USER("c") "]}");
	is_message(&g->response[0].message[0], "user", "ab");
	done();
	fails("x.jsonl", "{\"chosen\":[{\"role\":\"user\",\"content\":null}]"
	      ",\"rejected\":[" BOT("b") "]}", NULL,
	      "line 1: column chosen: message 1: content: null");
}

static void test_lists_of_chosen(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	/* RM-Bench, RewardBench 2. */
	g = only("{\"id\":\"r\",\"prompt\":\"p\",\"chosen\":[\"a\",\"b\"],"
		 "\"rejected\":[\"c\",\"d\"],\"domain\":\"math\"}");
	assert_int_equal(g->k, 4);
	ARE(g->rank, 0, 0, 1, 1);
	is_text(g->subset, "math");
	is_text(g->response[2].text, "c");
	done();
	g = only("{\"prompt\":\"p\",\"chosen\":[\"a\"],\"rejected\":[\"b\","
		 "\"c\",\"d\"],\"subset\":\"Ties\"}");
	ARE(g->rank, 0, 1, 1, 1);
	is_text(g->subset, "Ties");
	done();
}

static void test_versus(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	g = only("{\"id\":\"1\",\"prompt\":\"p\",\"response_a\":\"x\","
		 "\"response_b\":\"y\",\"gold\":\"b\",\"votes\":["
		 "{\"annotator\":\"0\",\"vote\":\"b\"},"
		 "{\"annotator\":\"1\",\"vote\":\"tie\"},"
		 "{\"annotator\":\"2\",\"vote\":\"a\"},"
		 "{\"annotator\":\"3\",\"vote\":\"a\"}]}");
	ARE(g->votes, 2, 1, 1);
	ARE(g->rank, 1, 0);	/* the label, not the votes */
	assert_int_equal(g->n_annotations, 4);
	is_text(g->annotation[1].annotator, "1");
	assert_int_equal(g->annotation[1].choice, 2);
	assert_true(rm_text_has(reader, "annotations"));
	done();
	/* No label in this row: the votes. */
	g = only("{\"prompt\":\"p\",\"response_a\":\"x\",\"response_b\":"
		 "\"y\",\"gold\":null,\"votes\":[{\"annotator\":\"0\","
		 "\"vote\":\"a\"}]}");
	ARE(g->rank, 0, 1);
	done();
	g = only("{\"response_a\":\"x\",\"response_b\":\"y\",\"winner\":"
		 "\"tie (bothbad)\"}");
	ARE(g->rank, 0, 0);
	done();
	g = only("{\"conversation_a\":[" USER("q") "," BOT("x") "],"
		 "\"conversation_b\":[" USER("q") "," BOT("y") "],"
		 "\"winner\":\"model_b\"}");
	ARE(g->rank, 1, 0);
	is_text(g->key_text, "q");
	done();
	fails("x.jsonl", "{\"response_a\":\"x\",\"response_b\":\"y\","
	      "\"winner\":\"model_c\"}", NULL,
	      "column winner: response 3 is chosen of 2");
	fails("x.jsonl", "{\"response_a\":\"x\",\"response_b\":\"y\","
	      "\"winner\":\"nobody\"}", NULL,
	      "column winner: 'nobody' names no response");
}

static void test_lmarena(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	groups_of("arena.csv",
		  "id,prompt,response_a,response_b,winner_model_a,"
		  "winner_model_b,winner_tie\n"
		  "1,\"[\"\"q\"\",\"\"r\"\"]\",\"[\"\"a\"\",\"\"b\"\"]\","
		  "\"[\"\"c\"\",null]\",0,1,0\n", NULL);
	g = batch.group[0];
	ARE(g->votes, 0, 1, 0);
	ARE(g->rank, 1, 0);
	assert_int_equal(g->prompt.n, 1);
	is_message(&g->prompt.message[0], "user", "q");
	assert_int_equal(g->response[1].n, 3);
	is_message(&g->response[0].message[2], "assistant", "b");
	is_message(&g->response[1].message[2], "assistant", "");
	done();
}

static void test_benches(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	g = only("{\"input\":\"q\",\"output_1\":\"x\",\"output_2\":\"y\","
		 "\"label\":2}");
	ARE(g->rank, 1, 0);
	is_text(g->prompt.text, "q");
	done();
	g = only("{\"pair_id\":\"u\",\"source\":\"mmlu\",\"question\":\"q\","
		 "\"response_A\":\"x\",\"response_B\":\"y\",\"label\":"
		 "\"B>A\"}");
	ARE(g->rank, 1, 0);
	is_text(g->id, "u");
	is_text(g->subset, "mmlu");
	done();
	g = only("{\"domain\":\"code\",\"context\":[" USER("q") "],"
		 "\"response1\":\"x\",\"response2\":\"y\","
		 "\"overall_preference\":-2}");
	ARE(g->rank, 0, 1);
	is_text(g->subset, "code");
	assert_int_equal(json_integer_value(json_object_get(g->extra,
		"overall_preference")), -2);
	done();
	g = only("{\"idx\":3,\"instruction\":\"do\",\"input\":\"this\","
		 "\"response1\":true,\"response2\":\"y\",\"annotator1\":0,"
		 "\"annotator2\":2,\"annotator3\":2}");
	is_text(g->prompt.text, "do\n\nthis");
	is_text(g->response[0].text, "true");
	ARE(g->votes, 0, 2, 1);
	ARE(g->rank, 1, 0);
	is_text(g->id, "3");
	is_text(g->annotation[0].annotator, "annotator1");
	assert_int_equal(rm_text_counts(reader)->as_json, 1);
	done();
	g = only("{\"instruction\":\"do\",\"input\":\"\",\"response1\":\"\","
		 "\"response2\":\"y\",\"annotator1\":1}");
	is_text(g->prompt.text, "do");
	done();
}

static void test_list(void **state)
{
	const struct rm_text_group *g;
	size_t n;

	(void)state;
	g = only("{\"prompt\":\"q\",\"responses\":[\"a\",\"\",\"c\"],"
		 "\"scores\":[5,null,7],\"models\":[\"x\",\"y\",\"z\"]}");
	ARE(g->score, 5, NO, 7);
	ARE(g->rank, 1, NO, 0);
	assert_string_equal(rm_text_per_response(reader, &n)[0], "models");
	assert_int_equal(n, 1);
	assert_int_equal(json_array_size(json_object_get(g->extra,
		"models")), 3);
	done();
	g = only("{\"responses\":[\"a\",\"b\",\"c\"],\"ranks\":[2,0,0],"
		 "\"scores\":[9,1,1]}");
	ARE(g->rank, 2, 0, 0);
	done();
	fails("x.jsonl", "{\"responses\":[\"a\",\"b\"],\"scores\":[1,2,3]}",
	      NULL, "x.jsonl: line 1: score: 3 values for 2 responses");
	fails("x.jsonl", "{\"responses\":[\"a\"],\"models\":[1,2]}", NULL,
	      "column models: 2 values for 1 response");
	fails("x.jsonl", "{\"responses\":[\"a\",\"b\"],\"scores\":[1,\"x\"]}",
	      NULL, "column scores: ");
	fails("x.jsonl", "{\"responses\":[\"a\",null]}", NULL,
	      "column responses: item 2: null where a text is expected");
	fails("x.jsonl", "{\"responses\":[]}", NULL, "there is no response");
}

static void test_completions(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	g = only("{\"context\":[" USER("q") "],\"completions\":["
		 "{\"rank\":1,\"completion\":[" BOT("x") "]},"
		 "{\"rank\":0,\"completion\":[" BOT("y") "]}]}");
	ARE(g->rank, 1, 0);
	assert_null(g->score);
	assert_true(rm_text_has(reader, "rank"));
	assert_false(rm_text_has(reader, "score"));
	is_message(&g->response[1].message[0], "assistant", "y");
	done();
	g = only("{\"instruction\":\"q\",\"completions\":["
		 "{\"response\":\"x\",\"overall_score\":7.5},"
		 "{\"response\":\"y\",\"overall_score\":8}]}");
	ARE(g->score, 7.5, 8);
	ARE(g->rank, 1, 0);
	done();
}

static void test_one(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	/* Without a label each row is its own group. */
	assert_int_equal(groups_of("x.jsonl",
		"{\"prompt\":\"q\",\"response\":\"a\"}\n"
		"{\"prompt\":\"q\",\"response\":\"b\"}\n", NULL), 2);
	assert_null(batch.group[0]->rank);
	assert_false(rm_text_has(reader, "rank"));
	done();
	/* With one, consecutive rows of one prompt are one group. */
	assert_int_equal(groups_of("x.jsonl",
		"{\"prompt\":\"q\",\"response\":\"a\",\"label\":true,"
		"\"m\":1}\n"
		"{\"prompt\":\"q\",\"response\":\"b\",\"label\":false}\n"
		"{\"prompt\":\"r\",\"response\":\"c\",\"label\":true}\n"
		"{\"prompt\":\"q\",\"response\":\"d\",\"label\":true}\n",
		NULL), 3);
	g = batch.group[0];
	assert_int_equal(g->k, 2);
	ARE(g->score, 1, 0);
	ARE(g->rank, 0, 1);
	is_text(g->id, "x:1");
	assert_int_equal(json_array_size(json_object_get(g->extra, "m")), 2);
	assert_true(json_is_null(json_array_get(json_object_get(g->extra,
		"m"), 1)));
	assert_int_equal(batch.group[1]->k, 1);
	is_text(batch.group[2]->id, "x:4");
	done();
}

static void test_helpsteer(void **state)
{
	const struct rm_text_group *g;

	(void)state;
	assert_int_equal(groups_of("h.jsonl",
		"{\"prompt\":\"q\",\"response\":\"a\",\"helpfulness\":3,"
		"\"correctness\":4,\"coherence\":1,\"complexity\":2,"
		"\"verbosity\":0}\n"
		"{\"prompt\":\"q\",\"response\":\"b\",\"helpfulness\":4,"
		"\"correctness\":3,\"coherence\":1,\"complexity\":2,"
		"\"verbosity\":0}\n", NULL), 1);
	g = batch.group[0];
	ARE(g->score, 3, 4);
	ARE(g->rank, 1, 0);
	assert_int_equal(g->n_attributes, 5);
	assert_string_equal(g->attribute[0].name, "helpfulness");
	ARE(g->attribute[0].value, 3, 4);
	ARE(g->attribute[1].value, 4, 3);
	assert_null(g->extra);
	done();
}

/* A group of rows longer than a batch is one group all the same. */
static void test_long_group(void **state)
{
	struct rm_buf b = {0};
	const size_t n = 40000;

	(void)state;
	for (size_t i = 0; i < n; i++)
		rm_buf_printf(&b, "{\"prompt\":\"%s\",\"response\":%zu,"
			      "\"score\":%zu}\n", i < n - 1 ? "q" : "r", i,
			      i);
	assert_int_equal(groups_of("x.jsonl", rm_buf_text(&b), NULL), 2);
	assert_int_equal(batch.group[0]->k, n - 1);
	assert_true(batch.group[0]->rank[0] == (double)n - 2);
	is_text(batch.group[0]->response[n - 2].text, "39998");
	assert_int_equal(rm_text_counts(reader)->rows, n);
	assert_int_equal(rm_text_counts(reader)->as_json, n);
	done();
	rm_buf_fini(&b);
}

/* ---- named columns ---- */

static void test_named(void **state)
{
	const struct rm_text_bind bind[] = {
		{ "prompt", "ask" }, { "prompt", "more" },
		{ "responses", "one" }, { "responses", "two" },
		{ "rank", "best" }, { "attributes", "len" },
		{ "subset", "topic" }, { "per-response", "who" },
	};
	const struct rm_text_options o = { .bind = bind,
					   .n_bind = RM_COUNT(bind) };
	const struct rm_text_group *g;
	size_t n;

	(void)state;
	groups_of("x.jsonl", "{\"ask\":\"q\",\"more\":\"r\",\"one\":\"a\","
		  "\"two\":\"b\",\"best\":2,\"len\":[1,2],\"topic\":\"t\","
		  "\"who\":[\"u\",\"v\"],\"chosen\":\"unused\"}", &o);
	g = batch.group[0];
	is_text(g->prompt.text, "q\n\nr");
	is_text(g->response[1].text, "b");
	ARE(g->rank, 1, 0);
	is_text(g->subset, "t");
	assert_string_equal(g->attribute[0].name, "len");
	assert_int_equal(json_object_size(g->extra), 2);
	assert_string_equal(rm_text_per_response(reader, &n)[0], "who");
	done();
}

static void test_overridden(void **state)
{
	const struct rm_text_bind prompt[] = { { "prompt", "ask" } };
	const struct rm_text_bind pair[] = {
		{ "chosen", "x" }, { "rejected", "y" }
	};
	const struct rm_text_bind missing[] = { { "score", "stars" } };
	struct rm_text_options o = { .bind = prompt, .n_bind = 1 };

	(void)state;
	groups_of("x.jsonl", "{\"ask\":\"q\",\"chosen\":\"a\","
		  "\"rejected\":\"b\"}", &o);
	is_text(batch.group[0]->prompt.text, "q");
	done();
	groups_of("x.jsonl", "{\"ask\":\"q\",\"prompt\":\"other\","
		  "\"chosen\":\"a\",\"rejected\":\"b\"}", &o);
	is_text(batch.group[0]->prompt.text, "q");
	assert_int_equal(json_object_size(batch.group[0]->extra), 1);
	done();
	o = (struct rm_text_options){ .bind = pair, .n_bind = 2 };
	groups_of("x.jsonl", "{\"prompt\":\"q\",\"y\":\"b\",\"x\":\"a\"}",
		  &o);
	is_text(batch.group[0]->response[0].text, "a");
	ARE(batch.group[0]->rank, 0, 1);
	done();
	o = (struct rm_text_options){ .bind = missing, .n_bind = 1 };
	fails("x.jsonl", "{\"chosen\":\"q\",\"rejected\":\"b\"}", &o,
	      "x.jsonl: line 1: there is no column stars; the columns are "
	      "chosen, rejected");
}

static void test_ambiguous(void **state)
{
	(void)state;
	fails("x.jsonl", "{\"chosen\":\"a\",\"rejected\":\"b\",\"responses\":"
	      "[\"c\"]}", NULL, "the columns have several shapes: ");
	fails("x.jsonl", "{\"response_a\":\"a\",\"response_b\":\"b\","
	      "\"label\":\"a\",\"winner\":\"b\"}", NULL,
	      "columns label and winner may both be meant: name one with "
	      "--rank");
	fails("x.jsonl", "{\"a\":\"1\",\"b\":\"2\"}", NULL,
	      "the columns are a, b");
	fails("x.jsonl", "{\"chosen\":\"1\",\"other\":\"2\"}", NULL,
	      "fit no known shape");
}

/* ---- several files ---- */

static void test_several(void **state)
{
	static const char a[] = "{\"chosen\":\"a\",\"rejected\":\"b\"}\n";
	static const char b[] = "prompt,response,score\nq,x,1\nq,y,2\n"
				"q,z,nonsense\n";
	char *paths[] = { path[0], path[1] };
	struct rm_text_options o = { .skip_bad = true, .threads = 2 };

	(void)state;
	put_file(0, "one.jsonl", a, strlen(a));
	put_file(1, "two.csv", b, strlen(b));
	reader = rm_text_open(paths, 2, &o);
	assert_non_null(reader);
	assert_true(rm_text_has(reader, "score"));
	assert_true(rm_text_has(reader, "subset"));
	assert_false(rm_text_has(reader, "votes"));
	assert_int_equal(rm_text_read(reader, &batch), 1);
	assert_int_equal(batch.n, 2);
	is_text(batch.group[0]->subset, "one");
	is_text(batch.group[1]->subset, "two");
	is_text(batch.group[1]->id, "two:1");
	assert_int_equal(batch.group[1]->k, 2);
	assert_null(batch.group[0]->score);
	assert_int_equal(rm_text_counts(reader)->bad, 1);
	assert_int_equal(rm_text_counts(reader)->bytes,
			 strlen(a) + strlen(b));
	done();
	unlink(path[1]);
}

/* Columns that the first row lacks have no field. */
static void test_unforeseen(void **state)
{
	(void)state;
	assert_int_equal(groups_of("x.jsonl",
		"{\"chosen\":\"a\",\"rejected\":\"b\"}\n"
		"{\"chosen\":\"a\",\"rejected\":\"b\",\"margin\":1}\n",
		NULL), 2);
	assert_null(batch.group[1]->extra);
	assert_int_equal(rm_text_counts(reader)->unforeseen, 1);
	done();
}

static void test_late_error(void **state)
{
	static const char text[] = "{\"chosen\":\"a\",\"rejected\":\"b\"}\n"
				   "{\"chosen\":\"a\"}\n";

	(void)state;
	/* Good rows come first, then the error, and again. */
	assert_int_equal(groups_of("x.jsonl", text, NULL), 1);
	assert_int_equal(rm_text_read(reader, &batch), -1);
	assert_non_null(strstr(rm_error(), "x.jsonl: line 2: column rejected "
			       "is missing"));
	assert_int_equal(rm_text_read(reader, &batch), -1);
	rm_text_close(reader);
	unlink(path[0]);
}

/* Every shape of the table is one that a row of its columns gets. */
static void test_shapes(void **state)
{
	const char *name, *help;
	size_t n = 0;

	(void)state;
	while (rm_text_shape(n, &name, &help)) {
		assert_true(*name && *help);
		n++;
	}
	assert_true(n >= 12);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_csv_refused),
		cmocka_unit_test(test_tsv),
		cmocka_unit_test(test_json_lines),
		cmocka_unit_test(test_json_array),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_skip_bad),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_pair_votes),
		cmocka_unit_test(test_transcript),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_lists_of_chosen),
		cmocka_unit_test(test_versus),
		cmocka_unit_test(test_lmarena),
		cmocka_unit_test(test_benches),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_completions),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_helpsteer),
		cmocka_unit_test(test_long_group),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_overridden),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_unforeseen),
		cmocka_unit_test(test_late_error),
		cmocka_unit_test(test_shapes),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
