/*
 * Preferences made for tests of models, datasets and training: the better
 * response has more of "good", the worse of "bad", among words that say
 * nothing.  Ids are bytes.
 */
#ifndef RM_TEST_MADE_H
#define RM_TEST_MADE_H

#include "test.h"

#include "stream.h"
#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char made_dir[] = "/tmp/rm-test-made.XXXXXX";

static int made_setup(void **state)
{
	(void)state;
	return mkdtemp(made_dir) ? 0 : -1;
}

static int made_teardown(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", made_dir);
	return system(command);
}

/* One of eight names in turn inside made_dir. */
static inline char *made_path(const char *name)
{
	static char text[8][256];
	static unsigned turn;
	char *p = text[turn++ % 8];

	snprintf(p, 256, "%s/%s", made_dir, name);
	return p;
}

/* A header of pairs of bytes. */
static void made_header(struct rm_header *h)
{
	struct rm_tokenizer *t = rm_tokenizer_bytes();

	assert_non_null(t);
	assert_int_equal(rm_header_init(h), 0);
	h->pairs = true;
	assert_int_equal(rm_files_copy(&h->tokenizer, rm_tokenizer_files(t)),
			 0);
	h->tokenizer_fp = rm_tokenizer_fingerprint(t);
	rm_schema_add(&h->schema, "id");
	rm_schema_add(&h->schema, "key");
	rm_schema_add(&h->schema, "prompt");
	rm_schema_add(&h->schema, "responses");
	rm_tokenizer_free(t);
}

static size_t made_ids(const char *text, int32_t *ids)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		ids[i] = (unsigned char)text[i];
	return n;
}

/* A response: four words, one of which tells. */
static void made_text(char *text, size_t size, const char *telling,
		      uint64_t seed, size_t i)
{
	static const char *const words[] = {
		"the", "a", "tree", "house", "walks", "sees", "under", "blue"
	};

	text[0] = '\0';
	for (size_t w = 0; w < 4; w++) {
		uint64_t r = rm_random(seed, RM_RANDOM_TEST, i, w);
		const char *word = w == 2 ? telling : words[r % 8];

		snprintf(text + strlen(text), size - strlen(text), "%s%s",
			 w ? " " : "", word);
	}
}

static void made_record(struct rm_buf *b, uint64_t seed, size_t i)
{
	static const char *const telling[] = { "good", "bad" };
	int32_t ids[256];
	char text[256];
	size_t n;

	rm_buf_clear(b);
	rm_put_array(b, 4);
	snprintf(text, sizeof(text), "made:%zu", i + 1);
	rm_put_str(b, text, strlen(text));
	rm_put_u64(b, rm_hash64(&i, sizeof(i)));
	n = made_ids("Say.", ids);
	rm_put_i32s(b, ids, n);
	rm_put_array(b, 2);
	for (size_t r = 0; r < 2; r++) {
		made_text(text, sizeof(text), telling[r], seed, 2 * i + r);
		n = made_ids(text, ids);
		rm_put_i32s(b, ids, n);
	}
}

/* The end of a stream that was written to out, and of what it took. */
static inline void made_end(struct rm_writer *w, struct rm_output *out,
			    struct rm_header *h, struct rm_buf *b)
{
	assert_int_equal(rm_writer_finish(w), 0);
	assert_int_equal(rm_output_commit(out), 0);
	rm_writer_free(w);
	rm_header_fini(h);
	rm_buf_fini(b);
}

/* A stream of n pairs at `path`. */
static inline void made_pairs(char *path, size_t n, uint64_t seed)
{
	struct rm_output *out = rm_output_open(path);
	struct rm_header h;
	struct rm_writer *w;
	struct rm_buf b = {0};

	made_header(&h);
	w = rm_writer_open(out, &h);
	assert_non_null(w);
	for (size_t i = 0; i < n; i++) {
		made_record(&b, seed, i);
		assert_int_equal(rm_writer_write(w, &b), 0);
	}
	made_end(w, out, &h, &b);
}

#endif
