/*
 * Time chat templates on one thread.
 *
 *	template DIRECTORY < conversations
 *
 * A conversation is a JSON list of messages on a line; the template is that
 * of the directory's files.  Prints megabytes of rendered text, seconds of
 * CPU without reading, and the CRC-32 of all text, as template_peer.py does.
 */
#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

struct talks {
	size_t n, cap;
	struct rm_text *talk;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int read_talk(struct talks *t, const char *line, size_t len)
{
	json_t *list = rm_json_parse(line, len);
	size_t n = json_array_size(list);
	struct rm_message *m = list ? rm_calloc(n, sizeof(*m)) : NULL;

	if (!m || rm_grow(&t->talk, &t->cap, t->n + 1, sizeof(*t->talk)) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		m[i].json = json_array_get(list, i);
	t->talk[t->n++] = (struct rm_text){ .n = n, .message = m };
	return 0;
}

static int read_talks(struct talks *t)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int err = 0;

	while (err == 0 && (len = getline(&line, &cap, stdin)) > 0)
		err = read_talk(t, line, (size_t)len);
	free(line);
	return err;
}

static struct rm_template *load(const char *directory)
{
	static const char *const names[] = {
		"chat_template.jinja", "tokenizer_config.json"
	};
	json_t *vars = json_pack("{s:s, s:s}", "bos_token", "<s>",
				 "eos_token", "</s>");
	const struct rm_template_options o = { vars, "2025-03-09" };
	struct rm_template *t = NULL;
	struct rm_files files = {0};
	struct rm_buf source = {0};

	for (size_t i = 0; i < RM_COUNT(names); i++) {
		struct rm_buf path = {0}, bytes = {0};

		rm_buf_printf(&path, "%s/%s", directory, names[i]);
		if (rm_read_file(rm_buf_text(&path), 1 << 24, &bytes) == 0)
			rm_files_add(&files, names[i], bytes.data, bytes.len);
		rm_buf_fini(&path);
		rm_buf_fini(&bytes);
	}
	if (rm_template_of_files(&files, &source) > 0)
		t = rm_template_parse(source.data, source.len, &o);
	rm_files_fini(&files);
	rm_buf_fini(&source);
	json_decref(vars);
	return t;
}

static int render_all(const struct rm_template *t, const struct talks *talks,
		      uLong *crc, size_t *bytes)
{
	struct rm_arena scratch = {0};
	struct rm_buf out = {0};
	int err = 0;

	for (size_t i = 0; i < talks->n && err == 0; i++) {
		const struct rm_template_input in = {
			.message = talks->talk[i].message,
			.n = talks->talk[i].n
		};

		rm_buf_clear(&out);
		err = rm_template_render(t, &in, &scratch, &out);
		*bytes += out.len;
		if (crc)
			*crc = crc32_z(*crc, out.data, out.len);
	}
	rm_buf_fini(&out);
	rm_arena_fini(&scratch);
	return err;
}

int main(int argc, char **argv)
{
	struct rm_template *t = argc == 2 ? load(argv[1]) : NULL;
	uLong crc = crc32(0, NULL, 0);
	struct talks talks = {0};
	size_t bytes = 0;
	double start, sum;

	if (!t || read_talks(&talks) < 0 ||
	    render_all(t, &talks, &crc, &bytes) < 0) {
		fprintf(stderr, "template: %s\n", rm_error());
		return 1;
	}
	bytes = 0;
	start = seconds();
	do {
		if (render_all(t, &talks, NULL, &bytes) < 0)
			return 1;
		sum = seconds() - start;
	} while (sum < 1);
	printf("%.6f %.6f %08lx\n", (double)bytes / 1e6, sum, crc);
	rm_template_free(t);
	return 0;
}
