/*
 * The ids of texts, for comparing with those of another program.
 *
 *	ids TOKENIZER < texts		a line each: CRC-32 of the ids, how many
 *	ids -p TOKENIZER < texts	the ids themselves
 *	ids -x TOKENIZER < texts	texts are bytes in hex, made valid UTF-8
 *
 * A text is a JSON string on a line.  Also checks where ids end: a text whose
 * ends are not in order, or do not end where it does, gives "ends"; one that
 * cannot be encoded, "error".
 */
#include "../encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The text of a line, made valid if it is of bytes. */
static int text_of(struct rm_buf *text, char *line, size_t len, bool hex)
{
	json_t *json;
	size_t n = 0;

	rm_buf_clear(text);
	if (!hex) {
		json = rm_json_parse(line, len);
		if (!json)
			return -1;
		rm_buf_append(text, json_string_value(json),
			      json_string_length(json));
		json_decref(json);
		return 0;
	}
	for (size_t i = 0; i + 1 < len; i += 2)
		line[n++] = (char)(digit(line[i]) << 4 | digit(line[i + 1]));
	rm_buf_append_utf8(text, line, n);
	return 0;
}

static void print_ids(const struct rm_encoding *e)
{
	for (size_t i = 0; i < e->n; i++)
		printf(i ? " %d" : "%d", e->ids[i]);
	putchar('\n');
}

static void print(const struct rm_tokenizer *t, struct rm_encoding *e,
		  const struct rm_buf *text, bool ids)
{
	if (rm_tokenizer_encode(t, e, text->data, text->len) < 0)
		printf("error %s\n", rm_error());
	else if (!ends_in_order(e, text->len))
		puts("ends");
	else if (ids)
		print_ids(e);
	else
		printf("%08lx %zu\n", e->n ? crc32_z(0, (const Bytef *)e->ids,
			e->n * sizeof(*e->ids)) : 0, e->n);
}

int main(int argc, char **argv)
{
	struct rm_tokenizer *t = rm_tokenizer_load(argv[argc - 1]);
	struct rm_encoding e = {0};
	struct rm_buf text = {0};
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	bool ids = argc == 3 && strcmp(argv[1], "-p") == 0;
	bool hex = argc == 3 && strcmp(argv[1], "-x") == 0;
	int err = t ? 0 : -1;

	while (err == 0 && (len = getline(&line, &cap, stdin)) > 0) {
		err = text_of(&text, line, (size_t)len, hex);
		if (err == 0)
			print(t, &e, &text, ids);
	}
	if (err < 0)
		fprintf(stderr, "%s\n", rm_error());
	free(line);
	rm_buf_fini(&text);
	rm_encoding_fini(&e);
	rm_tokenizer_free(t);
	return err < 0;
}
