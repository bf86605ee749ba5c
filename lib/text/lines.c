/* JSON lines: one object a line. */
#include "text/source.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256 * 1024 };

struct lines {
	struct rm_buf text;
	size_t at;			/* start of the next line */
	size_t scanned;			/* no newline in [at, scanned) */
	size_t line;			/* its number */
};

static int open_lines(struct rm_text_source *s)
{
	struct lines *l = rm_calloc(1, sizeof(*l));

	s->state = l;
	if (!l)
		return -1;
	l->line = 1;
	return 0;
}

static bool is_blank(const unsigned char *s, size_t n)
{
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' ||
			 s[n - 1] == '\r'))
		n--;
	return n == 0;
}

static int add_line(struct rm_text_source *s, struct rm_text_rows *rows,
		    size_t end)
{
	struct lines *l = s->state;
	struct rm_text_row *row;

	if (!is_blank(l->text.data + l->at, end - l->at)) {
		row = rm_text_rows_add(rows, s);
		if (!row)
			return -1;
		row->line = l->line;
		row->start = l->at;
		row->len = end - l->at;
		rows->bytes += row->len;
	}
	l->line++;
	l->at = l->scanned = RM_MIN(end + 1, l->text.len);
	return 0;
}

/* Add the complete lines at hand; 1 if the limit is reached. */
static int add_lines(struct rm_text_source *s, struct rm_text_rows *rows,
		     struct rm_text_limit limit)
{
	struct lines *l = s->state;
	unsigned char *end;

	while (rows->n < limit.rows && rows->bytes < limit.bytes) {
		end = l->scanned == l->text.len ? NULL : memchr(
			l->text.data + l->scanned, '\n',
			l->text.len - l->scanned);
		if (!end) {
			l->scanned = l->text.len;
			return 0;
		}
		if (add_line(s, rows, (size_t)(end - l->text.data)) < 0)
			return -1;
	}
	return 1;
}

/* Forget the lines that earlier calls gave. */
static void forget(struct lines *l)
{
	if (l->at == 0)
		return;
	memmove(l->text.data, l->text.data + l->at, l->text.len - l->at);
	l->text.len -= l->at;
	l->scanned -= l->at;
	l->at = 0;
}

static int fill_lines(struct rm_text_source *s, struct rm_text_rows *rows,
		      struct rm_text_limit limit)
{
	struct lines *l = s->state;
	ssize_t got;
	int full;

	forget(l);
	for (;;) {
		full = add_lines(s, rows, limit);
		if (full)
			return full;
		if (l->text.len - l->at > RM_TEXT_MAX_ROW)
			return rm_fail("%s: line %zu: longer than %zu bytes",
				       s->name, l->line, RM_TEXT_MAX_ROW);
		if (rm_buf_reserve(&l->text, BLOCK) < 0)
			return -1;
		got = rm_text_source_read(s, l->text.data + l->text.len,
					  BLOCK);
		if (got < 0)
			return -1;
		if (s->paused)
			return 1;
		l->text.len += (size_t)got;
		if (got > 0)
			continue;
		if (l->at < l->text.len && add_line(s, rows, l->text.len) < 0)
			return -1;
		return 0;
	}
}

static json_t *parse_line(const struct rm_text_source *s,
			  const struct rm_text_row *row, bool *replaced)
{
	const struct lines *l = s->state;

	return rm_text_json(l->text.data + row->start, row->len, s->replace,
			    replaced);
}

static void close_lines(struct rm_text_source *s)
{
	struct lines *l = s->state;

	if (l)
		rm_buf_fini(&l->text);
	free(l);
}

static const char *const suffixes[] = { ".jsonl", ".ndjson", NULL };

const struct rm_text_format rm_text_lines = {
	"jsonl", suffixes, open_lines, fill_lines, parse_line, close_lines
};
