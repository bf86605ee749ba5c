#include "stream.h"

#include "record/scan.h"
#include "stream/crc.h"
#include "stream/header.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAD = 5,			/* ce and a length, or ce and a CRC */
	BLOCK = 256 * 1024,		/* read at once, if it is there */
	UINT32_HEAD = 0xce,
	MAGIC = 15			/* {"format": "rmtools" */
};

static uint32_t get_be32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static void put_be32(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

/* ---- reading ---- */

/* Bytes [start, end) of data are read and not yet handed out. */
struct rm_reader {
	char **path;
	size_t n_paths, n_opened;
	size_t max_record;
	bool force, failed;
	struct rm_header header;	/* the first stream's */
	struct rm_input *in;
	struct rm_input *given;		/* the first stream, open already */
	unsigned char *data;
	size_t start, end, cap;
	bool eof;
	struct rm_record rec;
	size_t number;			/* records of this stream so far */
	struct rm_crc_chain chain;
	const unsigned char *frame;	/* the record's, whole */
	size_t frame_len;
	int (*pause)(void *);
	void *pause_arg;
};

const char *rm_reader_name(const struct rm_reader *r)
{
	return r->in ? rm_input_name(r->in) : r->path[r->n_paths - 1];
}

/*
 * Make room to read more behind `end`.  The buffer doubles as bytes come, so
 * that a claimed length costs nothing until the bytes are there.
 */
static int make_room(struct rm_reader *r)
{
	size_t held = r->end - r->start, cap = r->cap;
	unsigned char *data;

	if (held < cap / 2) {
		memmove(r->data, r->data + r->start, held);
	} else {
		cap = cap ? 2 * cap : 2 * BLOCK;
		data = rm_malloc(cap, 1);
		if (!data)
			return -1;
		if (held)
			memcpy(data, r->data + r->start, held);
		free(r->data);
		r->data = data;
		r->cap = cap;
	}
	r->start = 0;
	r->end = held;
	return 0;
}

/* At least n bytes at start: 1, 0 if the input ends before, -1. */
static int fill(struct rm_reader *r, size_t n)
{
	ssize_t got;

	while (r->end - r->start < n) {
		if (r->eof)
			return 0;
		if (r->start == r->end)
			r->start = r->end = 0;
		if (r->cap - r->end < BLOCK && make_room(r) < 0)
			return -1;
		got = rm_input_read(r->in, r->data + r->end, r->cap - r->end);
		if (got < 0)
			return -1;
		r->eof = got == 0;
		r->end += (size_t)got;
	}
	return 1;
}

static int cut(const struct rm_reader *r)
{
	return rm_fail("%s: cut short after %zu records: the end of the stream "
		       "is missing", rm_reader_name(r), r->number);
}

/* "NAME: header: ", "NAME: record N: " before the message. */
static int wrap_next(const struct rm_reader *r, bool header)
{
	return header ? rm_wrap("%s: header", rm_reader_name(r)) :
	       rm_wrap("%s: record %zu", rm_reader_name(r), r->number + 1);
}

/*
 * Take the next frame: 1 and its payload, checked, valid until the next call;
 * -1 with the whole message.
 */
static int next_frame(struct rm_reader *r, bool header,
		      struct rm_slice *payload)
{
	const unsigned char *p;
	size_t len;
	int got;

	got = fill(r, HEAD);
	if (got <= 0)
		return got < 0 ? -1 : cut(r);
	p = r->data + r->start;
	len = get_be32(p + 1);
	if (*p != UINT32_HEAD) {
		rm_fail("damaged: byte %02x where a length should begin", *p);
		return wrap_next(r, header);
	}
	if (len > (header ? RM_MAX_RECORD : r->max_record)) {
		rm_fail("%zu bytes, more than %s %zu", len,
			header ? "the limit" : "--max-record",
			header ? RM_MAX_RECORD : r->max_record);
		return wrap_next(r, header);
	}
	got = fill(r, len + 2 * HEAD);
	if (got <= 0)
		return got < 0 ? -1 : cut(r);
	p = r->data + r->start;
	r->frame = p;
	r->frame_len = len + 2 * HEAD;
	*payload = (struct rm_slice){ p + HEAD, len };
	p += HEAD + len;
	if (*p != UINT32_HEAD || get_be32(p + 1) != rm_crc32(payload->data,
							     len)) {
		rm_fail("damaged: its checksum is wrong");
		return wrap_next(r, header);
	}
	r->start += r->frame_len;
	return 1;
}

/* What the input is instead of a stream. */
static int not_a_stream(const struct rm_reader *r, const unsigned char *p,
			size_t n)
{
	const char *name = rm_reader_name(r);
	size_t i = 0;

	while (i < n && strchr(" \t\r\n", p[i]) && p[i])
		i++;
	if (!n)
		return rm_fail("%s: empty: not even a header (did the "
			       "program before it fail?)", name);
	if (i < n && (p[i] == '{' || p[i] == '['))
		return rm_fail("%s: not an rmtools stream: looks like JSON "
			       "text; use rm-tokenize (or rm-view -S for "
			       "what rm-view printed)", name);
	while (i < n && (p[i] >= 0x20 || (p[i] >= '\t' && p[i] <= '\r')))
		i++;
	if (i == n)
		return rm_fail("%s: not an rmtools stream: looks like text; use "
			       "rm-tokenize", name);
	return rm_fail("%s: not an rmtools stream", name);
}

/* The first bytes of every stream, past the length, are the same. */
static int check_magic(struct rm_reader *r)
{
	static const char magic[MAGIC] = "\xa6" "format" "\xa7" "rmtools";
	const unsigned char *p;
	size_t n;

	if (fill(r, HEAD + 1 + MAGIC) < 0)
		return -1;
	p = r->data + r->start;
	n = r->end - r->start;
	if (n && *p == UINT32_HEAD && n < HEAD + 1 + MAGIC)
		return cut(r);
	if (n < HEAD + 1 + MAGIC || *p != UINT32_HEAD ||
	    memcmp(p + HEAD + 1, magic, MAGIC) != 0)
		return not_a_stream(r, p, n);
	return 0;
}

static int read_header(struct rm_reader *r, struct rm_header *h)
{
	struct rm_slice payload = { NULL, 0 };

	if (check_magic(r) < 0 || next_frame(r, true, &payload) < 0)
		return -1;
	rm_crc_chain_add(&r->chain, payload.data + payload.len + 1);
	if (rm_header_unpack(h, payload.data, payload.len) < 0)
		return wrap_next(r, true);
	return 0;
}

static int check_same(const struct rm_reader *r, const struct rm_header *h)
{
	const char *name = rm_reader_name(r), *first = r->path[0];

	if (h->pairs != r->header.pairs)
		return rm_fail("%s holds %s, but %s %s", name,
			       h->pairs ? "pairs" : "groups", first,
			       r->header.pairs ? "pairs" : "groups");
	if (!rm_schema_equal(&h->schema, &r->header.schema))
		return rm_fail("%s and %s have different fields", name, first);
	return rm_header_match(h, name, &r->header, first, r->force);
}

/* Open the next path and read its header. */
static int open_next(struct rm_reader *r)
{
	struct rm_header h;
	int ok;

	rm_input_close(r->in);
	r->in = r->given ? r->given : rm_input_open(r->path[r->n_opened]);
	r->given = NULL;
	if (!r->in)
		return -1;
	rm_input_on_pause(r->in, r->pause, r->pause_arg);
	r->n_opened++;
	r->start = r->end = r->number = 0;
	r->eof = false;
	memset(&r->chain, 0, sizeof(r->chain));
	if (r->n_opened == 1)
		return read_header(r, &r->header);
	if (read_header(r, &h) < 0)
		return -1;
	ok = check_same(r, &h);
	rm_header_fini(&h);
	return ok;
}

/* A reader of these paths with nothing open yet. */
static struct rm_reader *reader_new(char *const *paths, size_t n,
				    const struct rm_reader_options *options)
{
	struct rm_reader *r = rm_calloc(1, sizeof(*r));
	size_t i;

	if (!r)
		return NULL;
	r->max_record = options && options->max_record ? options->max_record :
			RM_MAX_RECORD;
	r->force = options && options->force;
	r->path = rm_calloc(n, sizeof(*r->path));
	for (i = 0; r->path && i < n; i++) {
		r->path[i] = rm_strdup(paths[i]);
		if (!r->path[i])
			break;
		r->n_paths++;
	}
	if (r->n_paths == n)
		return r;
	rm_reader_close(r);
	return NULL;
}

/* The reader with its first header read, or NULL. */
static struct rm_reader *open_first(struct rm_reader *r)
{
	if (r && open_next(r) == 0)
		return r;
	rm_reader_close(r);
	return NULL;
}

struct rm_reader *rm_reader_open(char *const *paths, size_t n,
				 const struct rm_reader_options *options)
{
	static char stdin_path[] = "-";
	char *const only[] = { stdin_path };

	return open_first(reader_new(n ? paths : only, n ? n : 1, options));
}

struct rm_reader *rm_reader_open_input(struct rm_input *in,
				const struct rm_reader_options *options)
{
	char *name = rm_strdup(rm_input_name(in));
	struct rm_reader *r = name ? reader_new(&name, 1, options) : NULL;

	free(name);
	if (!r) {
		rm_input_close(in);
		return NULL;
	}
	r->given = in;
	return open_first(r);
}

const struct rm_header *rm_reader_header(const struct rm_reader *r)
{
	return &r->header;
}

static int need_number(struct rm_slice map, const char *name, uint64_t found)
{
	const unsigned char *end = map.data + map.len, *p;
	struct rm_scan s, key;
	size_t i, n;

	p = rm_scan_head(&s, map.data, end);
	for (n = p ? s.n : 0, i = 0; i < n && p; i++) {
		p = rm_scan_head(&key, p, end);
		if (p)
			p = rm_scan_head(&s, p, end);
		if (p && key.kind == RM_SCAN_STR &&
		    rm_slice_is((struct rm_slice){ key.body, key.n }, name))
			return s.kind == RM_SCAN_UINT && s.u == found ? 0 :
			       rm_fail("trailer: %s does not fit what was "
				       "read", name);
	}
	return rm_fail("trailer: no %s", name);
}

/* The verified end of this stream, after its trailer. */
static int end_stream(struct rm_reader *r, struct rm_slice trailer)
{
	int more;

	if (need_number(trailer, "records", r->number) < 0 ||
	    need_number(trailer, "crc32", rm_crc_chain_end(&r->chain)) < 0)
		return rm_wrap("%s", rm_reader_name(r));
	more = fill(r, 1);
	if (more > 0)
		return rm_fail("%s: bytes after the end of the stream, at "
			       "record %zu (several streams are several "
			       "operands, not one concatenation)",
			       rm_reader_name(r), r->number);
	return more;
}

static bool is_map(const struct rm_slice *payload)
{
	unsigned char head = payload->len ? *payload->data : 0;

	return (head & 0xf0) == 0x80 || head == 0xde || head == 0xdf;
}

static int next_record(struct rm_reader *r)
{
	struct rm_slice payload = { NULL, 0 };

	for (;;) {
		if (next_frame(r, false, &payload) < 0)
			return -1;
		if (!is_map(&payload))
			break;
		if (end_stream(r, payload) < 0)
			return -1;
		if (r->n_opened == r->n_paths)
			return 0;
		if (open_next(r) < 0)
			return -1;
	}
	if (rm_record_index(&r->rec, &r->header.schema, payload.data,
			    payload.len) < 0)
		return wrap_next(r, false);
	if (r->header.pairs && r->rec.k && r->rec.k != 2) {
		rm_fail("%zu responses in a stream of pairs", r->rec.k);
		return wrap_next(r, false);
	}
	rm_crc_chain_add(&r->chain, payload.data + payload.len + 1);
	r->number++;
	return 1;
}

int rm_reader_next(struct rm_reader *r, const struct rm_record **rec)
{
	int got;

	if (r->failed)
		return -1;
	got = next_record(r);
	r->failed = got < 0;
	*rec = got > 0 ? &r->rec : NULL;
	return got;
}

size_t rm_reader_number(const struct rm_reader *r)
{
	return r->number;
}

int rm_reader_wrap(const struct rm_reader *r)
{
	return rm_wrap("%s: record %zu", rm_reader_name(r), r->number);
}

void rm_reader_on_pause(struct rm_reader *r, int (*fn)(void *), void *arg)
{
	r->pause = fn;
	r->pause_arg = arg;
	rm_input_on_pause(r->in, fn, arg);
}

void rm_reader_close(struct rm_reader *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; r->path && i < r->n_paths; i++)
		free(r->path[i]);
	free(r->path);
	free(r->data);
	rm_input_close(r->in);
	rm_header_fini(&r->header);
	rm_record_fini(&r->rec);
	free(r);
}

/* ---- writing ---- */

struct rm_writer {
	struct rm_output *out;
	size_t records;
	struct rm_crc_chain chain;
};

/* A frame around len bytes; its CRC goes into the chain. */
static int write_frame(struct rm_writer *w, const void *data, size_t len)
{
	unsigned char head[HEAD] = { UINT32_HEAD };
	unsigned char tail[HEAD] = { UINT32_HEAD };

	if (len > UINT32_MAX)
		return rm_fail("%s: record %zu: %zu bytes do not fit the "
			       "format", rm_output_name(w->out),
			       w->records + 1, len);
	put_be32(head + 1, (uint32_t)len);
	put_be32(tail + 1, rm_crc32(data, len));
	rm_crc_chain_add(&w->chain, tail + 1);
	if (rm_output_write(w->out, head, HEAD) < 0 ||
	    rm_output_write(w->out, data, len) < 0)
		return -1;
	return rm_output_write(w->out, tail, HEAD);
}

struct rm_writer *rm_writer_open(struct rm_output *out,
				 const struct rm_header *h)
{
	struct rm_writer *w = rm_calloc(1, sizeof(*w));
	struct rm_buf b = {0};

	if (!w)
		return NULL;
	w->out = out;
	if (rm_header_pack(&b, h) < 0 || write_frame(w, b.data, b.len) < 0) {
		rm_writer_free(w);
		w = NULL;
	}
	rm_buf_fini(&b);
	return w;
}

int rm_writer_write(struct rm_writer *w, const struct rm_buf *payload)
{
	if (payload->failed || write_frame(w, payload->data, payload->len) < 0)
		return -1;
	w->records++;
	return 0;
}

int rm_writer_copy(struct rm_writer *w, const struct rm_reader *from)
{
	rm_crc_chain_add(&w->chain, from->frame + from->frame_len - 4);
	w->records++;
	return rm_output_write(w->out, from->frame, from->frame_len);
}

size_t rm_writer_records(const struct rm_writer *w)
{
	return w->records;
}

int rm_writer_finish(struct rm_writer *w)
{
	struct rm_buf b = {0};
	int ok;

	rm_put_map(&b, 3);
	rm_put_str(&b, "end", 3);
	rm_put_bool(&b, true);
	rm_put_str(&b, "records", 7);
	rm_put_u64(&b, w->records);
	rm_put_str(&b, "crc32", 5);
	rm_put_u64(&b, rm_crc_chain_end(&w->chain));
	ok = b.failed ? -1 : write_frame(w, b.data, b.len);
	rm_buf_fini(&b);
	return ok;
}

void rm_writer_free(struct rm_writer *w)
{
	free(w);
}
