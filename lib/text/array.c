/* A JSON array of objects, read whole; one object counts as an array of it. */
#include "text/source.h"

#include <stdlib.h>
#include <string.h>

struct array {
	json_t *root;
	size_t at;
};

enum { BLOCK = 256 * 1024 };

static int read_all(struct rm_text_source *s, struct rm_buf *text)
{
	ssize_t got;

	do {
		if (rm_buf_reserve(text, BLOCK) < 0)
			return -1;
		got = rm_text_source_read(s, text->data + text->len, BLOCK);
		if (got < 0)
			return -1;
		text->len += (size_t)got;
		if (text->len > RM_TEXT_MAX_ARRAY)
			return rm_fail("%s: an array of more than %zu bytes: "
				       "JSON lines would do", s->name,
				       RM_TEXT_MAX_ARRAY);
	} while (!s->ended);
	return 0;
}

static json_t *parse_all(const struct rm_text_source *s,
			 const struct rm_buf *text)
{
	bool replaced = false;
	json_t *root = rm_text_json(text->data, text->len, s->replace,
				    &replaced);

	if (json_is_object(root)) {
		json_t *one = json_array();

		json_array_append_new(one, root);
		root = one;
	}
	if (root && !json_is_array(root)) {
		rm_fail("%s where an array of objects is expected",
			rm_text_type_name(root));
		json_decref(root);
		root = NULL;
	}
	if (!root)
		rm_wrap("%s", s->name);
	return root;
}

static int open_array(struct rm_text_source *s)
{
	struct array *a = rm_calloc(1, sizeof(*a));
	struct rm_buf text = {0};

	s->state = a;
	if (a && read_all(s, &text) == 0)
		a->root = parse_all(s, &text);
	rm_buf_fini(&text);
	return a && a->root ? 0 : -1;
}

static int fill_array(struct rm_text_source *s, struct rm_text_rows *rows,
		      struct rm_text_limit limit)
{
	struct array *a = s->state;
	size_t n = json_array_size(a->root);

	for (; a->at < n && rows->n < limit.rows &&
	       rows->bytes < limit.bytes; a->at++) {
		struct rm_text_row *row = rm_text_rows_add(rows, s);

		if (!row)
			return -1;
		row->start = a->at;
		rows->bytes += s->bytes / n + 1;
	}
	return a->at < n;
}

static json_t *parse_item(const struct rm_text_source *s,
			  const struct rm_text_row *row, bool *replaced)
{
	const struct array *a = s->state;

	(void)replaced;
	return json_incref(json_array_get(a->root, row->start));
}

static void close_array(struct rm_text_source *s)
{
	struct array *a = s->state;

	if (a)
		json_decref(a->root);
	free(a);
}

static const char *const suffixes[] = { ".json", NULL };

const struct rm_text_format rm_text_array = {
	"json", suffixes, open_array, fill_array, parse_item, close_array
};
