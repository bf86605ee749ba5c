/*
 * Time the library's tokenizer on one thread.
 *
 *	tokenizer TOKENIZER < texts	ids of every text
 *
 * A text is a JSON string on a line.  Prints megabytes of text, seconds of
 * CPU without reading, and the CRC-32 of all ids, as tokenizer_peer.py does.
 */
#include "io.h"
#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

struct texts {
	size_t n, cap, bytes;
	json_t **text;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int read_texts(struct texts *t)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while ((len = getline(&line, &cap, stdin)) > 0) {
		json_t *text = rm_json_parse(line, (size_t)len);

		if (!text || rm_grow(&t->text, &t->cap, t->n + 1,
				     sizeof(json_t *)) < 0)
			return -1;
		t->bytes += json_string_length(text);
		t->text[t->n++] = text;
	}
	free(line);
	return 0;
}

/* Ids of all texts; their CRC-32 if it is asked for. */
static int encode_all(const struct rm_tokenizer *tokenizer,
		      const struct texts *t, uLong *crc)
{
	struct rm_encoding e = {0};

	for (size_t i = 0; i < t->n; i++) {
		if (rm_tokenizer_encode(tokenizer, &e,
					json_string_value(t->text[i]),
					json_string_length(t->text[i])) < 0)
			return -1;
		if (crc)
			*crc = crc32_z(*crc, (const Bytef *)e.ids,
				       e.n * sizeof(*e.ids));
	}
	rm_encoding_fini(&e);
	return 0;
}

static int encode(const struct texts *t, const char *path)
{
	struct rm_tokenizer *tokenizer = rm_tokenizer_load(path);
	uLong crc = crc32(0, NULL, 0);
	double start = seconds(), sum;

	if (!tokenizer || encode_all(tokenizer, t, NULL) < 0)
		return -1;
	sum = seconds() - start;
	if (encode_all(tokenizer, t, &crc) < 0)
		return -1;
	printf("%.6f %.6f %08lx\n", (double)t->bytes / 1e6, sum, crc);
	rm_tokenizer_free(tokenizer);
	return 0;
}

int main(int argc, char **argv)
{
	struct texts t = {0};
	int err = argc == 2 ? read_texts(&t) : rm_fail("no TOKENIZER");

	if (err == 0)
		err = encode(&t, argv[1]);
	if (err < 0)
		fprintf(stderr, "tokenizer: %s\n", rm_error());
	for (size_t i = 0; i < t.n; i++)
		json_decref(t.text[i]);
	free(t.text);
	return err < 0;
}
