/* Inputs: their names, formats, first look, and raw rows. */
#include "text/source.h"

#include <stdlib.h>
#include <string.h>

/* How far a look goes, as rm_input_peek does. */
enum { LOOK = 64 * 1024 };

static const struct rm_text_format *const formats[] = {
	&rm_text_csv, &rm_text_tsv, &rm_text_lines, &rm_text_array
};

const char *const rm_text_formats[] = {
	"auto", "csv", "tsv", "jsonl", "json", NULL
};

/* ---- rows ---- */

struct rm_text_row *rm_text_rows_add(struct rm_text_rows *rows,
				     struct rm_text_source *s)
{
	struct rm_text_row *row;

	if (rm_grow(&rows->row, &rows->cap, rows->n + 1,
		    sizeof(*rows->row)) < 0)
		return NULL;
	row = &rows->row[rows->n++];
	*row = (struct rm_text_row){ .source = s, .number = ++s->rows };
	return row;
}

void rm_text_row_clear(struct rm_text_row *row)
{
	json_decref(row->json);
	free(row->error);
	*row = (struct rm_text_row){0};
}

int rm_text_row_wrap(const struct rm_text_row *row)
{
	if (row->line)
		return rm_wrap("%s: line %zu", row->source->name, row->line);
	return rm_wrap("%s: row %zu", row->source->name, row->number);
}

void rm_text_source_parse(struct rm_text_row *row, bool *replaced)
{
	if (row->json || row->error)
		return;
	row->json = row->source->format->parse(row->source, row, replaced);
	if (row->json && !json_is_object(row->json)) {
		rm_fail("%s where an object of columns is expected",
			rm_text_type_name(row->json));
		json_decref(row->json);
		row->json = NULL;
	}
	if (!row->json) {
		rm_text_row_wrap(row);
		row->error = rm_strdup(rm_error());
	}
}

int rm_text_utf8(const void *data, size_t n, bool replace,
		 struct rm_buf *copy, bool *replaced)
{
	size_t valid = rm_utf8_valid(data, n);

	if (valid == n)
		return 0;
	if (!replace)
		return rm_fail("invalid UTF-8 at byte %zu", valid + 1);
	rm_buf_append_utf8(copy, data, n);
	*replaced = true;
	return copy->failed ? -1 : 1;
}

/* The code unit of an escape \uXXXX at s, -1 if there is none. */
static long escaped_unit(const unsigned char *s, size_t n)
{
	long unit = 0;

	if (n < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		int c = s[i] | 0x20;

		if (c >= '0' && c <= '9')
			unit = 16 * unit + c - '0';
		else if (c >= 'a' && c <= 'f')
			unit = 16 * unit + c - 'a' + 10;
		else
			return -1;
	}
	return unit;
}

static bool is_high(long unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(long unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* Escapes of half a surrogate pair become those of U+FFFD, in place. */
static void mend_surrogates(unsigned char *s, size_t n, bool *replaced)
{
	for (size_t i = 0; i + 1 < n; i++) {
		long unit;

		if (s[i] != '\\')
			continue;
		unit = escaped_unit(s + i, n - i);
		if (is_high(unit) &&
		    is_low(escaped_unit(s + i + 6, n - i - 6))) {
			i += 11;
		} else if (is_high(unit) || is_low(unit)) {
			s[i + 2] = s[i + 3] = s[i + 4] = 'f';
			s[i + 5] = 'd';
			*replaced = true;
		} else {
			i++;	/* the escaped character, maybe a backslash */
		}
	}
}

json_t *rm_text_json(const void *data, size_t n, bool replace,
		     bool *replaced)
{
	struct rm_buf copy = {0};
	json_t *value = NULL;
	int changed = rm_text_utf8(data, n, replace, &copy, replaced);

	if (changed == 0 && !replace) {
		value = rm_json_parse(data, n);
	} else if (changed >= 0) {
		if (changed == 0)
			rm_buf_append(&copy, data, n);
		if (!copy.failed) {
			mend_surrogates(copy.data, copy.len, replaced);
			value = rm_json_parse(copy.data, copy.len);
		}
	}
	rm_buf_fini(&copy);
	return value;
}

/* ---- formats ---- */

static bool ends_in(const char *s, size_t n, const char *suffix)
{
	size_t len = strlen(suffix);

	return n > len && memcmp(s + n - len, suffix, len) == 0;
}

/* Length of the path without .gz or .zst. */
static size_t unpacked_length(const char *path)
{
	static const char *const packed[] = { ".gz", ".zst", ".zstd" };
	size_t n = strlen(path);

	for (size_t i = 0; i < RM_COUNT(packed); i++)
		if (ends_in(path, n, packed[i]))
			return n - strlen(packed[i]);
	return n;
}

static const struct rm_text_format *by_suffix(const char *path)
{
	size_t n = unpacked_length(path);

	for (size_t i = 0; i < RM_COUNT(formats); i++)
		for (size_t j = 0; formats[i]->suffixes[j]; j++)
			if (ends_in(path, n, formats[i]->suffixes[j]))
				return formats[i];
	return NULL;
}

/* The file's name without folders and suffixes. */
static char *make_stem(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash && slash[1] ? slash + 1 : path;
	size_t n = unpacked_length(base), dot = n;

	if (strcmp(path, "-") == 0)
		return rm_strdup("stdin");
	while (dot > 1 && base[dot - 1] != '.')
		dot--;
	return rm_strndup(base, dot > 1 ? dot - 1 : n);
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool in_line(unsigned char c)
{
	return c != '\n';
}

/*
 * Peek past the bytes that `skip` is true for: how many they are, -1 on error.
 * *next is the byte after them, -1 if the end or the limit of peeking is.
 */
static ssize_t look_past(struct rm_text_source *s, bool (*skip)(unsigned char),
			 const unsigned char **data, int *next)
{
	size_t want = 1, at = 0;
	ssize_t got;

	*next = -1;
	for (; want <= LOOK; want = (size_t)got + 1) {
		got = rm_input_peek(s->in, data, want);
		if (got < 0)
			return -1;
		while (at < (size_t)got && skip((*data)[at]))
			at++;
		if (at < (size_t)got)
			*next = (*data)[at];
		if (at < (size_t)got || (size_t)got < want)
			break;
	}
	return (ssize_t)at;
}

static int skip_mark(struct rm_text_source *s)
{
	const unsigned char *data;
	unsigned char mark[3];
	ssize_t got = rm_input_peek(s->in, &data, 1);

	if (got > 0 && data[0] == 0xef)
		got = rm_input_peek(s->in, &data, 3);
	if (got >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		got = rm_input_read_full(s->in, mark, 3);
	return got < 0 ? -1 : 0;
}

/* By content, where that tells; then by suffix. */
static int detect(struct rm_text_source *s)
{
	const struct rm_text_format *named = by_suffix(s->path);
	const unsigned char *data;
	int first;
	ssize_t at = look_past(s, is_space, &data, &first);
	bool tab, comma;

	if (at < 0)
		return -1;
	if (first == '{' || first == '[') {
		s->format = first == '[' ? &rm_text_array : &rm_text_lines;
		/* One object over many lines, said to be a whole file. */
		if (first == '{' && named == &rm_text_array)
			s->format = named;
		return 0;
	}
	if (rm_input_peek(s->in, &data, 2) >= 2 && data[0] == 0xce &&
	    data[1] < 0x80)	/* a frame's length, and invalid UTF-8 */
		return rm_fail("this is no text; if it is an rmtools stream, "
			       "it is tokenized already");
	at = look_past(s, in_line, &data, &first);
	if (at < 0)
		return -1;
	tab = memchr(data, '\t', (size_t)at) != NULL;
	comma = memchr(data, ',', (size_t)at) != NULL;
	if (tab != comma)
		s->format = tab ? &rm_text_tsv : &rm_text_csv;
	else
		s->format = named ? named : &rm_text_csv;
	return 0;
}

static int set_format(struct rm_text_source *s, const char *format)
{
	struct rm_buf names = {0};

	if (!format || strcmp(format, "auto") == 0)
		return detect(s);
	for (size_t i = 0; i < RM_COUNT(formats); i++)
		if (strcmp(formats[i]->name, format) == 0) {
			s->format = formats[i];
			return 0;
		}
	rm_join_names(&names, rm_text_formats);
	rm_fail("no format '%s'; there are %s", format, rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

/* Whether there is nothing but white space. */
static int is_empty(struct rm_text_source *s)
{
	const unsigned char *data;
	int next;
	ssize_t at = look_past(s, is_space, &data, &next);

	return at < 0 ? -1 : next < 0 && at < LOOK;
}

/* ---- sources ---- */

int rm_text_source_open(struct rm_text_source *s, const char *format)
{
	int empty;

	if (!s->in)
		s->in = rm_input_open(s->path);
	if (!s->in)
		return -1;
	if (!s->name) {
		s->name = rm_strdup(rm_input_name(s->in));
		s->stem = make_stem(s->path);
	}
	if (!s->name || !s->stem)
		return -1;
	if (skip_mark(s) < 0)
		return -1;
	empty = is_empty(s);
	if (empty)
		return empty < 0 ? -1 : rm_fail("%s: the file is empty",
						s->name);
	if (set_format(s, format) < 0)
		return rm_wrap("%s", s->name);
	return s->format->open(s);
}

ssize_t rm_text_source_read(struct rm_text_source *s, void *data, size_t n)
{
	ssize_t got;

	s->paused = false;
	got = rm_input_read(s->in, data, n);
	if (got < 0 && s->paused)
		return 0;
	s->paused = false;
	if (got > 0)
		s->bytes += (size_t)got;
	if (got == 0)
		s->ended = true;
	return got;
}

void rm_text_source_end(struct rm_text_source *s)
{
	rm_input_close(s->in);
	s->in = NULL;
}

void rm_text_source_close(struct rm_text_source *s)
{
	rm_text_source_end(s);
	if (s->format)
		s->format->close(s);
	s->state = NULL;
	s->ended = false;
	s->rows = 0;
}

void rm_text_source_fini(struct rm_text_source *s)
{
	rm_text_source_close(s);
	for (size_t i = 0; i < s->held.n; i++)
		rm_text_row_clear(&s->held.row[i]);
	free(s->held.row);
	rm_text_binding_free(s->binding);
	free(s->name);
	free(s->stem);
	*s = (struct rm_text_source){0};
}
