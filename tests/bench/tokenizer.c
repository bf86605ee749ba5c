/*
 * Time the library's tokenizer on one thread.
 *
 *	tokenizer TOKENIZER < texts	ids of every text
 *	tokenizer load TOKENIZER	ms of wall time, the median of 5
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

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
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
	double start = seconds(CLOCK_PROCESS_CPUTIME_ID), sum;

	if (!tokenizer || encode_all(tokenizer, t, NULL) < 0)
		return -1;
	sum = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
	if (encode_all(tokenizer, t, &crc) < 0)
		return -1;
	printf("%.6f %.6f %08lx\n", (double)t->bytes / 1e6, sum, crc);
	rm_tokenizer_free(tokenizer);
	return 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int load(const char *path)
{
	double ms[5];

	for (size_t i = 0; i < RM_COUNT(ms); i++) {
		double start = seconds(CLOCK_MONOTONIC);
		struct rm_tokenizer *t = rm_tokenizer_load(path);

		ms[i] = 1000 * (seconds(CLOCK_MONOTONIC) - start);
		if (!t)
			return -1;
		rm_tokenizer_free(t);
	}
	qsort(ms, RM_COUNT(ms), sizeof(*ms), compare_doubles);
	printf("%.3f\n", ms[RM_COUNT(ms) / 2]);
	return 0;
}

int main(int argc, char **argv)
{
	struct texts t = {0};
	bool loads = argc == 3 && strcmp(argv[1], "load") == 0;
	int err = loads ? load(argv[2]) : read_texts(&t);

	if (err == 0 && !loads)
		err = argc == 2 ? encode(&t, argv[1]) :
				  rm_fail("no TOKENIZER");
	if (err < 0)
		fprintf(stderr, "tokenizer: %s\n", rm_error());
	for (size_t i = 0; i < t.n; i++)
		json_decref(t.text[i]);
	free(t.text);
	return err < 0;
}
