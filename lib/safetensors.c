/* safetensors: see safetensors.h. */
#include "safetensors.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "tensors are read as they stand");

/* The published limit; a header is a few hundred bytes a tensor. */
#define MAX_HEADER ((size_t)100 << 20)
#define ALIGN 64

static const struct {
	const char *name;
	size_t size;
} dtypes[] = {
	[RM_DTYPE_F32] = { "F32", 4 },	[RM_DTYPE_F16] = { "F16", 2 },
	[RM_DTYPE_BF16] = { "BF16", 2 }, [RM_DTYPE_F64] = { "F64", 8 },
	[RM_DTYPE_I64] = { "I64", 8 },	[RM_DTYPE_I32] = { "I32", 4 },
	[RM_DTYPE_I16] = { "I16", 2 },	[RM_DTYPE_I8] = { "I8", 1 },
	[RM_DTYPE_U64] = { "U64", 8 },	[RM_DTYPE_U32] = { "U32", 4 },
	[RM_DTYPE_U16] = { "U16", 2 },	[RM_DTYPE_U8] = { "U8", 1 },
	[RM_DTYPE_BOOL] = { "BOOL", 1 },
};

struct rm_safetensors {
	char *path;
	int fd;
	struct rm_stamp stamp;		/* when it was opened */
	size_t data_start;		/* after the header */
	size_t data_size;
	json_t *header;			/* owns the names */
	struct rm_safetensor *tensor;
	size_t n;
};

const char *rm_dtype_name(enum rm_dtype dtype)
{
	return dtypes[dtype].name;
}

size_t rm_dtype_size(enum rm_dtype dtype)
{
	return dtypes[dtype].size;
}

size_t rm_safetensor_count(const struct rm_safetensor *t)
{
	return t->size / dtypes[t->dtype].size;
}

void rm_safetensor_print_shape(struct rm_buf *b, const struct rm_safetensor *t)
{
	rm_buf_putc(b, '[');
	for (size_t i = 0; i < t->rank; i++)
		rm_buf_printf(b, i ? ", %zu" : "%zu", t->shape[i]);
	rm_buf_putc(b, ']');
}

struct rm_fingerprint rm_safetensor_fingerprint(const struct rm_safetensor *t)
{
	struct rm_buf b = {0};

	rm_buf_printf(&b, "%s %s ", t->name, dtypes[t->dtype].name);
	rm_safetensor_print_shape(&b, t);
	rm_buf_printf(&b, " %s", rm_fingerprint(t->data, t->size).hex);
	struct rm_fingerprint fp = {0};
	if (!b.failed)
		fp = rm_fingerprint(b.data, b.len);
	rm_buf_fini(&b);
	return fp;
}

/* ---- reading ---- */

static int parse_dtype(const json_t *entry, enum rm_dtype *dtype)
{
	const char *name;

	if (rm_json_get_string(entry, "dtype", "tensor", &name) < 0)
		return -1;
	for (size_t i = 0; i < RM_COUNT(dtypes); i++) {
		if (strcmp(dtypes[i].name, name) == 0) {
			*dtype = (enum rm_dtype)i;
			return 0;
		}
	}
	return rm_fail("unknown dtype %s", name);
}

/* A whole number that is not negative; -1 with a message otherwise. */
static int parse_size(const json_t *value, const char *what, size_t *out)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return rm_fail("%s holds a value that is no size", what);
	*out = (size_t)json_integer_value(value);
	return 0;
}

static int parse_shape(const json_t *entry, struct rm_safetensor *t,
		       size_t *size)
{
	const json_t *shape = json_object_get(entry, "shape");

	if (!json_is_array(shape))
		return rm_fail("shape is missing or no array");
	t->rank = json_array_size(shape);
	if (t->rank > RM_SAFETENSORS_MAX_RANK)
		return rm_fail("%zu dimensions, at most %d are known",
			       t->rank, RM_SAFETENSORS_MAX_RANK);
	*size = dtypes[t->dtype].size;
	for (size_t i = 0; i < t->rank; i++) {
		if (parse_size(json_array_get(shape, i), "shape",
			       &t->shape[i]) < 0)
			return -1;
		if (__builtin_mul_overflow(*size, t->shape[i], size))
			return rm_fail("shape is too large");
	}
	return 0;
}

static int parse_tensor(const struct rm_safetensors *st, const json_t *entry,
			struct rm_safetensor *t)
{
	size_t size = 0, begin = 0, end = 0;

	if (!json_is_object(entry))
		return rm_fail("the entry is no object");
	if (parse_dtype(entry, &t->dtype) < 0 ||
	    parse_shape(entry, t, &size) < 0)
		return -1;
	const json_t *offsets = json_object_get(entry, "data_offsets");
	if (!json_is_array(offsets) || json_array_size(offsets) != 2)
		return rm_fail("data_offsets is no array of two");
	if (parse_size(json_array_get(offsets, 0), "data_offsets",
		       &begin) < 0 ||
	    parse_size(json_array_get(offsets, 1), "data_offsets", &end) < 0)
		return -1;
	if (begin > end || end > st->data_size)
		return rm_fail("data_offsets [%zu, %zu] outside the %zu bytes "
			       "of data that the file holds",
			       begin, end, st->data_size);
	if (end - begin != size) {
		struct rm_buf b = {0};

		rm_safetensor_print_shape(&b, t);
		rm_fail("shape %s of %s needs %zu bytes, data_offsets give %zu",
			rm_buf_text(&b), dtypes[t->dtype].name, size,
			end - begin);
		rm_buf_fini(&b);
		return -1;
	}
	t->file = st;
	t->offset = begin;
	t->size = size;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct rm_safetensor *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

/* The tensors cover the data exactly: no overlap, no hole, no rest. */
static int check_cover(const struct rm_safetensors *st)
{
	size_t at = 0;

	for (size_t i = 0; i < st->n; i++) {
		const struct rm_safetensor *t = &st->tensor[i];

		if (t->offset < at)
			return rm_fail("tensor %s overlaps tensor %s",
				       t->name, t[-1].name);
		if (t->offset > at)
			return rm_fail("unclaimed bytes before tensor %s",
				       t->name);
		at += t->size;
	}
	if (at != st->data_size)
		return rm_fail("%zu unclaimed bytes after the last tensor",
			       st->data_size - at);
	return 0;
}

static int parse_header(struct rm_safetensors *st, const void *json,
			size_t len)
{
	st->header = rm_json_parse(json, len);
	if (!st->header)
		return rm_wrap("header");
	if (!json_is_object(st->header))
		return rm_fail("header is no JSON object");
	st->tensor = rm_calloc(json_object_size(st->header),
			       sizeof(*st->tensor));
	if (!st->tensor)
		return -1;
	const char *name;
	json_t *entry;
	json_object_foreach(st->header, name, entry) {
		if (strcmp(name, "__metadata__") == 0)
			continue;
		struct rm_safetensor *t = &st->tensor[st->n];
		if (parse_tensor(st, entry, t) < 0)
			return rm_wrap("tensor %s", name);
		t->name = name;
		st->n++;
	}
	qsort(st->tensor, st->n, sizeof(*st->tensor), by_place);
	return check_cover(st);
}

/* Still the bytes whose offsets were checked? */
static int check_unchanged(const struct rm_safetensors *st)
{
	struct rm_stamp now;

	if (rm_stamp_fd(&now, st->fd) < 0)
		return -1;
	return rm_stamp_equal(&now, &st->stamp) ? 0 :
	       rm_fail("changed while it was read");
}

/* Bytes of the file, all of them or -1. */
static int read_at(const struct rm_safetensors *st, size_t at, size_t n,
		   void *out)
{
	unsigned char *to = out;

	while (n > 0) {
		ssize_t got = pread(st->fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return rm_fail("%s", strerror(errno));
		if (got == 0)
			return rm_fail("changed while it was read: cut short");
		to += got;
		at += (size_t)got;
		n -= (size_t)got;
	}
	return check_unchanged(st);
}

static int open_file(struct rm_safetensors *st)
{
	struct stat s;

	/* A pipe of that name must not make us wait. */
	st->fd = open(st->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (st->fd < 0 || fstat(st->fd, &s) < 0)
		return rm_fail("%s", strerror(errno));
	if (!S_ISREG(s.st_mode))
		return rm_fail("not a plain file");
	if (s.st_size < 8)
		return rm_fail("%lld bytes, too short for a header",
			       (long long)s.st_size);
	return rm_stamp_fd(&st->stamp, st->fd);
}

static int read_header(struct rm_safetensors *st)
{
	size_t rest = (size_t)st->stamp.size - 8;
	uint64_t len;
	void *json;
	int status;

	if (read_at(st, 0, 8, &len) < 0)
		return -1;
	if (len > MAX_HEADER)
		return rm_fail("claims a header of %llu bytes: no safetensors "
			       "file", (unsigned long long)len);
	if (len > rest)
		return rm_fail("cut short: claims a header of %llu bytes, "
			       "%zu are there", (unsigned long long)len, rest);
	st->data_start = 8 + (size_t)len;
	st->data_size = rest - (size_t)len;
	json = rm_malloc((size_t)len, 1);
	if (!json)
		return -1;
	status = read_at(st, 8, (size_t)len, json);
	if (status == 0)
		status = parse_header(st, json, (size_t)len);
	free(json);
	return status;
}

struct rm_safetensors *rm_safetensors_open(const char *path)
{
	struct rm_safetensors *st = rm_calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	st->fd = -1;
	st->path = rm_strdup(path);
	if (st->path && open_file(st) == 0 && read_header(st) == 0)
		return st;
	rm_wrap("%s", path);
	rm_safetensors_close(st);
	return NULL;
}

void rm_safetensors_close(struct rm_safetensors *st)
{
	if (!st)
		return;
	if (st->fd >= 0)
		close(st->fd);
	json_decref(st->header);
	free(st->tensor);
	free(st->path);
	free(st);
}

const char *rm_safetensors_name(const struct rm_safetensors *st)
{
	return st->path;
}

int rm_safetensors_check(const struct rm_safetensors *st)
{
	struct rm_stamp now;

	if (rm_stamp_path(&now, st->path) < 0)
		return -1;
	return rm_stamp_equal(&now, &st->stamp) ? 0 :
	       rm_fail("%s: changed while it was read", st->path);
}

int rm_safetensor_read(const struct rm_safetensor *t, size_t from, size_t n,
		       void *out)
{
	if (read_at(t->file, t->file->data_start + t->offset + from, n,
		    out) < 0)
		return rm_wrap("%s: tensor %s", t->file->path, t->name);
	return 0;
}

size_t rm_safetensors_count(const struct rm_safetensors *st)
{
	return st->n;
}

const struct rm_safetensor *rm_safetensors_at(const struct rm_safetensors *st,
					      size_t i)
{
	return &st->tensor[i];
}

const struct rm_safetensor *
rm_safetensors_find(const struct rm_safetensors *st, const char *name)
{
	for (size_t i = 0; i < st->n; i++) {
		if (strcmp(st->tensor[i].name, name) == 0)
			return &st->tensor[i];
	}
	return NULL;
}

const char *rm_safetensors_note(const struct rm_safetensors *st,
				const char *key)
{
	const json_t *notes = json_object_get(st->header, "__metadata__");

	return json_string_value(json_object_get(notes, key));
}

/* ---- writing ---- */

static void print_entry(struct rm_buf *b, const struct rm_safetensor *t,
			size_t begin)
{
	rm_json_quote(b, t->name, strlen(t->name));
	rm_buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":",
		      dtypes[t->dtype].name);
	rm_safetensor_print_shape(b, t);
	rm_buf_printf(b, ",\"data_offsets\":[%zu,%zu]}", begin,
		      begin + t->size);
}

/* The length, the JSON, and spaces up to the alignment. */
static void print_header(struct rm_buf *b, const struct rm_safetensor *t,
			 size_t n, const struct rm_safetensors_note *note,
			 size_t n_notes)
{
	size_t at = 0;

	rm_buf_append(b, "\0\0\0\0\0\0\0", 8);
	rm_buf_puts(b, "{\"__metadata__\":{\"format\":\"pt\"");
	for (size_t i = 0; i < n_notes; i++) {
		rm_buf_putc(b, ',');
		rm_json_quote(b, note[i].key, strlen(note[i].key));
		rm_buf_putc(b, ':');
		rm_json_quote(b, note[i].text, strlen(note[i].text));
	}
	rm_buf_putc(b, '}');
	for (size_t i = 0; i < n; i++) {
		rm_buf_putc(b, ',');
		print_entry(b, &t[i], at);
		at += t[i].size;
	}
	rm_buf_putc(b, '}');
	while (b->len % ALIGN)
		rm_buf_putc(b, ' ');
	uint64_t len = b->len - 8;
	if (!b->failed)
		memcpy(b->data, &len, 8);
}

int rm_safetensors_write(const char *path, const struct rm_safetensor *t,
			 size_t n, const struct rm_safetensors_note *note,
			 size_t n_notes)
{
	struct rm_buf header = {0};

	print_header(&header, t, n, note, n_notes);
	struct rm_output *out = header.failed ? NULL : rm_output_open(path);
	int ok = out ? rm_output_write(out, header.data, header.len) : -1;
	rm_buf_fini(&header);
	for (size_t i = 0; i < n && ok == 0; i++)
		ok = rm_output_write(out, t[i].data, t[i].size);
	if (ok < 0) {
		rm_output_abort(out);
		return -1;
	}
	return rm_output_commit(out);
}
