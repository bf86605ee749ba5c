/*
 * CSV and TSV by libcsv, strictly: a quote that is not closed, text beside a
 * quoted cell, or another number of cells than the header has is an error.
 *
 * The parser is fed line by line, so that rows and open quotes have line
 * numbers.
 */
#include "text/source.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 * 1024, MAX_COLUMNS = 4096 };

struct csv {
	struct csv_parser parser;
	struct rm_text_source *source;
	struct rm_text_rows *rows;	/* while filling */
	struct rm_buf cells;		/* the bytes of all cells */
	size_t *end;			/* where each cell ends */
	size_t n, cap;
	size_t row_at;			/* first cell of the open row */
	bool open;			/* inside a row */
	bool failed;
	size_t line, row_line, cell_line;
	size_t row_bytes;
	char **header;
	size_t n_header;
	unsigned char block[BLOCK];
	size_t at, len;			/* unread part of block */
};

static int no_space(unsigned char c)
{
	(void)c;
	return 0;	/* white space belongs to the cell */
}

static int open_with(struct rm_text_source *s, unsigned char delimiter)
{
	struct csv *c = rm_calloc(1, sizeof(*c));

	s->state = c;
	if (!c)
		return -1;
	if (csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
		return rm_fail("%s: cannot start the CSV parser", s->name);
	csv_set_delim(&c->parser, delimiter);
	csv_set_space_func(&c->parser, no_space);
	csv_set_blk_size(&c->parser, 4096);
	c->source = s;
	c->line = 1;
	return 0;
}

static int open_csv(struct rm_text_source *s)
{
	return open_with(s, CSV_COMMA);
}

static int open_tsv(struct rm_text_source *s)
{
	return open_with(s, CSV_TAB);
}

static const unsigned char *cell(const struct csv *c, size_t i, size_t *len)
{
	size_t start = i ? c->end[i - 1] : 0;

	*len = c->end[i] - start;
	/* No cell may have had a byte yet. */
	return *len ? c->cells.data + start : (const unsigned char *)"";
}

static void on_cell(void *data, size_t len, void *arg)
{
	struct csv *c = arg;

	c->cell_line = c->line;
	if (c->failed)
		return;
	if (rm_grow(&c->end, &c->cap, c->n + 1, sizeof(*c->end)) < 0) {
		c->failed = true;
		return;
	}
	rm_buf_append(&c->cells, data, len);
	c->failed = c->cells.failed;
	c->end[c->n++] = c->cells.len;
}

static int check_header(struct csv *c)
{
	for (size_t i = 0; i < c->n_header; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->header[i], c->header[j]) == 0)
				return rm_fail("%s: line %zu: two columns are "
					       "named '%s'", c->source->name,
					       c->row_line, c->header[i]);
	return 0;
}

static int take_header(struct csv *c)
{
	size_t n = c->n, len;
	const unsigned char *s;

	if (n > MAX_COLUMNS)
		return rm_fail("%s: more than %d columns", c->source->name,
			       MAX_COLUMNS);
	c->header = rm_calloc(n, sizeof(*c->header));
	if (!c->header)
		return -1;
	for (size_t i = 0; i < n; i++) {
		s = cell(c, i, &len);
		if (rm_utf8_valid(s, len) != len || memchr(s, '\0', len))
			return rm_fail("%s: line %zu: the name of column %zu "
				       "is invalid UTF-8", c->source->name,
				       c->row_line, i + 1);
		c->header[i] = rm_strndup((const char *)s, len);
		if (!c->header[i])
			return -1;
		c->n_header++;
	}
	return check_header(c);
}

static int take_row(struct csv *c)
{
	struct rm_text_row *row = rm_text_rows_add(c->rows, c->source);

	if (!row)
		return -1;
	row->line = c->row_line;
	row->start = c->row_at;
	row->len = c->n - c->row_at;
	c->rows->bytes += c->row_bytes;
	if (row->len == c->n_header)
		return 0;
	rm_fail("row %zu has %zu column%s, the header has %zu", row->number,
		row->len, row->len == 1 ? "" : "s", c->n_header);
	rm_text_row_wrap(row);
	row->error = rm_strdup(rm_error());
	return row->error ? 0 : -1;
}

static void on_row(int terminator, void *arg)
{
	struct csv *c = arg;

	(void)terminator;
	if (!c->failed && (c->header ? take_row(c) : take_header(c)) < 0)
		c->failed = true;
	c->row_at = c->n;
	c->open = false;
	c->row_bytes = 0;
}

static int fail_open_quote(const struct csv *c)
{
	return rm_fail("%s: line %zu: a quote that opens here is not closed",
		       c->source->name, c->cell_line);
}

/* Feed one line, or a part of one; with its newline if it is there. */
static int feed(struct csv *c, const unsigned char *s, size_t n)
{
	bool newline = s[n - 1] == '\n';

	if (!c->open) {
		c->row_line = c->cell_line = c->line;
		c->open = !(newline && (n == 1 || (n == 2 && s[0] == '\r')));
	}
	c->row_bytes += n;
	if (c->row_bytes > RM_TEXT_MAX_ROW)
		return fail_open_quote(c);
	if (csv_parse(&c->parser, s, n, on_cell, on_row, c) != n && !c->failed)
		return csv_error(&c->parser) != CSV_EPARSE
			       ? rm_fail("%s: line %zu: %s", c->source->name,
					 c->line,
					 csv_strerror(csv_error(&c->parser)))
			       : rm_fail("%s: line %zu: a quote within a cell "
					 "that is not quoted, or text after a "
					 "closing quote", c->source->name,
					 c->line);
	c->line += newline;
	return c->failed ? -1 : 0;
}

static int finish(struct csv *c)
{
	if (csv_fini(&c->parser, on_cell, on_row, c) != 0)
		return fail_open_quote(c);
	return c->failed ? -1 : 0;
}

/* Forget the rows that earlier calls gave. */
static void forget(struct csv *c)
{
	size_t start = c->row_at ? c->end[c->row_at - 1] : 0;

	if (c->row_at == 0)
		return;
	memmove(c->cells.data, c->cells.data + start, c->cells.len - start);
	c->cells.len -= start;
	for (size_t i = c->row_at; i < c->n; i++)
		c->end[i - c->row_at] = c->end[i] - start;
	c->n -= c->row_at;
	c->row_at = 0;
}

static int fill_csv(struct rm_text_source *s, struct rm_text_rows *rows,
		    struct rm_text_limit limit)
{
	struct csv *c = s->state;
	unsigned char *line, *end;
	ssize_t got;

	forget(c);
	c->rows = rows;
	while (rows->n < limit.rows && rows->bytes < limit.bytes) {
		if (c->at < c->len) {
			line = c->block + c->at;
			end = memchr(line, '\n', c->len - c->at);
			end = end ? end + 1 : c->block + c->len;
			c->at += (size_t)(end - line);
			if (feed(c, line, (size_t)(end - line)) < 0)
				return -1;
			continue;
		}
		got = rm_text_source_read(s, c->block, sizeof(c->block));
		if (got < 0)
			return -1;
		if (s->paused)
			return 1;
		if (got == 0)
			return finish(c) < 0 ? -1 : 0;
		c->at = 0;
		c->len = (size_t)got;
	}
	return 1;
}

static json_t *parse_cell(const struct csv *c, size_t i, bool *replaced)
{
	size_t len;
	const unsigned char *s = cell(c, i, &len);
	struct rm_buf copy = {0};
	json_t *value = NULL;
	int changed = rm_text_utf8(s, len, c->source->replace, &copy,
				   replaced);

	if (changed > 0)
		value = json_stringn_nocheck((char *)copy.data, copy.len);
	else if (changed == 0)
		value = json_stringn_nocheck((const char *)s, len);
	rm_buf_fini(&copy);
	return value;
}

static json_t *parse_row(const struct rm_text_source *s,
			 const struct rm_text_row *row, bool *replaced)
{
	const struct csv *c = s->state;
	json_t *object = json_object(), *value;

	for (size_t i = 0; i < c->n_header; i++) {
		value = parse_cell(c, row->start + i, replaced);
		if (!value) {
			rm_wrap("column %s", c->header[i]);
			json_decref(object);
			return NULL;
		}
		json_object_set_new_nocheck(object, c->header[i], value);
	}
	return object;
}

static void close_csv(struct rm_text_source *s)
{
	struct csv *c = s->state;

	if (!c)
		return;
	csv_free(&c->parser);
	rm_buf_fini(&c->cells);
	for (size_t i = 0; i < c->n_header; i++)
		free(c->header[i]);
	free(c->header);
	free(c->end);
	free(c);
}

static const char *const csv_suffixes[] = { ".csv", NULL };
static const char *const tsv_suffixes[] = { ".tsv", ".tab", NULL };

const struct rm_text_format rm_text_csv = {
	"csv", csv_suffixes, open_csv, fill_csv, parse_row, close_csv
};

const struct rm_text_format rm_text_tsv = {
	"tsv", tsv_suffixes, open_tsv, fill_csv, parse_row, close_csv
};
