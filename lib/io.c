#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

enum { BLOCK = 256 * 1024, PEEK = 64 * 1024 };

/* ---- input ---- */

/*
 * Bytes flow raw (as read) -> plain (unpacked).  Plain input is read straight
 * into `plain` or, for large reads, into the caller's memory.
 */
enum packing { PLAIN, GZIP, ZSTD };

struct rm_input {
	char *name;
	int fd;
	bool is_file;
	enum packing packing;
	unsigned char *raw;		/* packed bytes, BLOCK */
	size_t raw_at, raw_end;
	unsigned char *plain;		/* unpacked bytes, BLOCK */
	size_t at, end;
	bool eof;			/* no more raw bytes */
	bool open_member;		/* inside a gzip or zstd member */
	z_stream gz;
	ZSTD_DStream *zst;
	int (*pause)(void *);
	void *pause_arg;
};

static ssize_t read_raw(struct rm_input *in, void *data, size_t n)
{
	struct pollfd p = { .fd = in->fd, .events = POLLIN };
	ssize_t got;

	if (in->pause && !in->is_file && poll(&p, 1, 0) == 0 &&
	    in->pause(in->pause_arg) < 0)
		return -1;
	do {
		got = read(in->fd, data, n);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return rm_fail("%s: %s", in->name, strerror(errno));
	if (got == 0)
		in->eof = true;
	return got;
}

/* Move what is left of raw to its start and read more; bytes read. */
static ssize_t refill_raw(struct rm_input *in)
{
	ssize_t got;

	memmove(in->raw, in->raw + in->raw_at, in->raw_end - in->raw_at);
	in->raw_end -= in->raw_at;
	in->raw_at = 0;
	got = read_raw(in, in->raw + in->raw_end, BLOCK - in->raw_end);
	if (got > 0)
		in->raw_end += (size_t)got;
	return got;
}

static int damaged(const struct rm_input *in, const char *kind,
		   const char *why)
{
	return rm_fail("%s: damaged %s data: %s", in->name, kind, why);
}

/* Unpack into data[n] from raw; bytes made, 0 for "more raw is needed". */
static ssize_t inflate_some(struct rm_input *in, unsigned char *data, size_t n)
{
	z_stream *z = &in->gz;
	int status;

	if (!in->open_member && inflateReset(z) != Z_OK)
		return damaged(in, "gzip", "cannot restart");
	in->open_member = true;
	z->next_in = in->raw + in->raw_at;
	z->avail_in = (uInt)(in->raw_end - in->raw_at);
	z->next_out = data;
	z->avail_out = (uInt)RM_MIN(n, (size_t)INT_MAX);
	n = z->avail_out;
	status = inflate(z, Z_NO_FLUSH);
	in->raw_at = in->raw_end - z->avail_in;
	if (status == Z_STREAM_END)
		in->open_member = false;
	else if (status != Z_OK && status != Z_BUF_ERROR)
		return damaged(in, "gzip", z->msg ? z->msg : "bad member");
	return (ssize_t)(n - z->avail_out);
}

static ssize_t zstd_some(struct rm_input *in, unsigned char *data, size_t n)
{
	ZSTD_inBuffer from = { in->raw + in->raw_at, in->raw_end - in->raw_at,
			       0 };
	ZSTD_outBuffer to = { data, n, 0 };
	size_t status = ZSTD_decompressStream(in->zst, &to, &from);

	if (ZSTD_isError(status))
		return damaged(in, "zstd", ZSTD_getErrorName(status));
	in->raw_at += from.pos;
	in->open_member = status != 0;
	return (ssize_t)to.pos;
}

static ssize_t unpack(struct rm_input *in, unsigned char *data, size_t n)
{
	ssize_t got;

	for (;;) {
		if (in->raw_at < in->raw_end || in->open_member) {
			got = in->packing == GZIP ? inflate_some(in, data, n)
						  : zstd_some(in, data, n);
			if (got != 0)
				return got;
		}
		if (in->raw_at < in->raw_end && !in->open_member)
			continue;	/* the next member */
		if (in->eof || (got = refill_raw(in)) == 0)
			return in->open_member
				       ? rm_fail("%s: cut short inside its "
						 "compressed data", in->name)
				       : 0;
		if (got < 0)
			return -1;
	}
}

static ssize_t read_some(struct rm_input *in, void *data, size_t n)
{
	if (in->packing != PLAIN)
		return unpack(in, data, n);
	if (in->raw_at < in->raw_end) {	/* what the first look read */
		n = RM_MIN(n, in->raw_end - in->raw_at);
		memcpy(data, in->raw + in->raw_at, n);
		in->raw_at += n;
		return (ssize_t)n;
	}
	return in->eof ? 0 : read_raw(in, data, n);
}

/* Know the packing by the first four bytes. */
static int look(struct rm_input *in)
{
	static const unsigned char zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };
	ssize_t got;

	do {
		got = refill_raw(in);
	} while (got > 0 && in->raw_end < 4 &&
		 (in->raw[0] == 0x1f || in->raw[0] == 0x28));
	if (got < 0)
		return -1;
	if (in->raw_end >= 2 && in->raw[0] == 0x1f && in->raw[1] == 0x8b) {
		in->packing = GZIP;
		if (inflateInit2(&in->gz, 15 + 16) != Z_OK)
			return rm_fail("%s: out of memory", in->name);
	} else if (in->raw_end >= 4 && memcmp(in->raw, zstd_magic, 4) == 0) {
		in->packing = ZSTD;
		in->zst = ZSTD_createDStream();
		if (!in->zst)
			return rm_fail("%s: out of memory", in->name);
	}
	return 0;
}

struct rm_input *rm_input_open(const char *path)
{
	struct rm_input *in = rm_calloc(1, sizeof(*in));
	bool is_stdin = strcmp(path, "-") == 0;
	struct stat st;

	if (!in)
		return NULL;
	in->fd = STDIN_FILENO;
	in->name = rm_strdup(is_stdin ? "<stdin>" : path);
	in->raw = rm_malloc(BLOCK, 1);
	in->plain = rm_malloc(BLOCK, 1);
	if (!in->name || !in->raw || !in->plain)
		goto fail;
	if (!is_stdin && (in->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		rm_fail("%s: %s", path, strerror(errno));
		goto fail;
	}
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		rm_fail("%s: is a directory", in->name);
		goto fail;
	}
	in->is_file = S_ISREG(st.st_mode);
	return in;
fail:
	rm_input_close(in);
	return NULL;
}

/* The first look waits until the first read, so that opening never blocks. */
static int started(struct rm_input *in)
{
	if (in->raw_end > 0 || in->eof || in->packing != PLAIN || in->at)
		return 0;
	return look(in);
}

ssize_t rm_input_read(struct rm_input *in, void *data, size_t n)
{
	if (in->at < in->end) {
		n = RM_MIN(n, in->end - in->at);
		memcpy(data, in->plain + in->at, n);
		in->at += n;
		return (ssize_t)n;
	}
	if (n == 0)
		return 0;
	if (started(in) < 0)
		return -1;
	return read_some(in, data, n);
}

ssize_t rm_input_read_full(struct rm_input *in, void *data, size_t n)
{
	size_t have = 0;
	ssize_t got;

	while (have < n) {
		got = rm_input_read(in, (unsigned char *)data + have,
				    n - have);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

ssize_t rm_input_peek(struct rm_input *in, const unsigned char **data,
		      size_t n)
{
	ssize_t got;

	n = RM_MIN(n, (size_t)PEEK);
	if (started(in) < 0)
		return -1;
	if (in->end - in->at < n) {
		memmove(in->plain, in->plain + in->at, in->end - in->at);
		in->end -= in->at;
		in->at = 0;
	}
	while (in->end - in->at < n) {
		got = read_some(in, in->plain + in->end, BLOCK - in->end);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		in->end += (size_t)got;
	}
	*data = in->plain + in->at;
	return (ssize_t)(in->end - in->at);
}

int rm_input_line(struct rm_input *in, struct rm_buf *line, size_t max)
{
	const unsigned char *next, *newline = NULL;
	ssize_t got;
	size_t n;

	rm_buf_clear(line);
	while (!newline) {
		got = rm_input_peek(in, &next, 1);
		if (got <= 0)
			return got < 0 ? -1 : line->len > 0;
		newline = memchr(next, '\n', (size_t)got);
		n = newline ? (size_t)(newline - next) : (size_t)got;
		if (n > max - line->len)
			return rm_fail("%s: a line of more than %zu bytes",
				       in->name, max);
		rm_buf_append(line, next, n);
		if (line->failed)
			return -1;
		in->at += n + (newline != NULL);
	}
	return 1;
}

void rm_input_on_pause(struct rm_input *in, int (*fn)(void *), void *arg)
{
	in->pause = fn;
	in->pause_arg = arg;
}

const char *rm_input_name(const struct rm_input *in)
{
	return in->name;
}

bool rm_input_is_file(const struct rm_input *in)
{
	return in->is_file;
}

void rm_input_close(struct rm_input *in)
{
	if (!in)
		return;
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	if (in->packing == GZIP)
		inflateEnd(&in->gz);
	ZSTD_freeDStream(in->zst);
	free(in->name);
	free(in->raw);
	free(in->plain);
	free(in);
}

int rm_read_file(const char *path, size_t max, struct rm_buf *out)
{
	struct rm_input *in = rm_input_open(path);
	ssize_t got = -1;

	if (!in)
		return -1;
	while (rm_buf_reserve(out, BLOCK) == 0 &&
	       (got = rm_input_read(in, out->data + out->len, BLOCK)) > 0) {
		out->len += (size_t)got;
		if (out->len > max) {
			got = rm_fail("%s: larger than %zu bytes", path, max);
			break;
		}
	}
	rm_input_close(in);
	return got == 0 && rm_buf_text(out) ? 0 : -1;
}

/* ---- stamps ---- */

static void fill_stamp(struct rm_stamp *s, const struct stat *st)
{
	/* Not st_ctim: a file that loses a name has the same bytes. */
	*s = (struct rm_stamp){
		.device = (uint64_t)st->st_dev, .inode = (uint64_t)st->st_ino,
		.size = (uint64_t)st->st_size,
		.seconds = (int64_t)st->st_mtim.tv_sec,
		.nanoseconds = (int64_t)st->st_mtim.tv_nsec,
	};
}

int rm_stamp_path(struct rm_stamp *s, const char *path)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 :
		       rm_fail("%s: %s", path, strerror(errno));
	fill_stamp(s, &st);
	return 0;
}

int rm_stamp_fd(struct rm_stamp *s, int fd)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	if (fstat(fd, &st) < 0)
		return rm_fail("%s", strerror(errno));
	fill_stamp(s, &st);
	return 0;
}

bool rm_stamp_equal(const struct rm_stamp *a, const struct rm_stamp *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->seconds == b->seconds &&
	       a->nanoseconds == b->nanoseconds;
}

/* ---- output ---- */

struct rm_output {
	char *name;			/* as the user gave it */
	char *target;			/* what is renamed over; NULL: none */
	char *temporary;		/* its name; NULL: it has none yet */
	int fd;
	unsigned char *data;		/* BLOCK */
	size_t len;
	bool failed, broken_pipe;
};

/* The directory that holds a path, for the caller to free. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return rm_strdup(".");
	return rm_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static bool has_link(int fd, char link[32])
{
	snprintf(link, 32, "/proc/self/fd/%d", fd);
	return access(link, F_OK) == 0;
}

/*
 * A file without a name, so that not even a killed program leaves one
 * behind: its descriptor, or -1 where the system has no such thing.
 */
static int open_nameless(const char *target)
{
	char *dir = directory_of(target), link[32];
	int fd = -1;

	if (dir)
		fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	free(dir);
	if (fd < 0 || has_link(fd, link))
		return fd;
	close(fd);
	return -1;
}

static int open_named(struct rm_output *out)
{
	struct rm_buf name = {0};
	mode_t mask = umask(0);

	umask(mask);
	rm_buf_printf(&name, "%s.tmp.XXXXXX", out->target);
	out->temporary = rm_buf_text(&name);
	if (!out->temporary)
		return -1;
	out->fd = mkostemp(out->temporary, O_CLOEXEC);
	if (out->fd < 0) {
		rm_fail("%s: %s", out->name, strerror(errno));
		free(out->temporary);
		out->temporary = NULL;
		return -1;
	}
	fchmod(out->fd, 0666 & ~mask);
	return 0;
}

static int open_temporary(struct rm_output *out)
{
	out->fd = open_nameless(out->target);
	return out->fd >= 0 ? 0 : open_named(out);
}

/* Give the nameless file a name beside the target, to be renamed. */
static int name_temporary(struct rm_output *out)
{
	struct rm_buf name = {0};
	char link[32];
	int status;

	has_link(out->fd, link);
	for (int i = 0;; i++) {
		rm_buf_clear(&name);
		rm_buf_printf(&name, "%s.tmp.%ld-%d", out->target,
			      (long)getpid(), i);
		if (!rm_buf_text(&name))
			break;
		status = linkat(AT_FDCWD, link, AT_FDCWD, (char *)name.data,
				AT_SYMLINK_FOLLOW);
		if (status == 0) {
			out->temporary = (char *)name.data;
			return 0;
		}
		if (errno != EEXIST) {
			rm_fail("%s: %s", out->name, strerror(errno));
			break;
		}
	}
	rm_buf_fini(&name);
	return -1;
}

/*
 * A device or a pipe is written to, not replaced.  What a link points to is
 * replaced, not the link: so /dev/stdout is the file behind it.
 */
static int open_path(struct rm_output *out, const char *path)
{
	struct stat st;

	if (!*path)
		return rm_fail("an empty name for the output");
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		out->fd = open(path, O_WRONLY | O_CLOEXEC);
		return out->fd < 0 ? rm_fail("%s: %s", path, strerror(errno))
				   : 0;
	}
	out->target = realpath(path, NULL);
	if (!out->target)
		out->target = rm_strdup(path);
	return out->target ? open_temporary(out) : -1;
}

static void output_free(struct rm_output *out)
{
	free(out->temporary);
	free(out->target);
	free(out->name);
	free(out->data);
	free(out);
}

struct rm_output *rm_output_open(const char *path)
{
	struct rm_output *out = rm_calloc(1, sizeof(*out));
	bool to_stdout = !path || strcmp(path, "-") == 0;

	if (!out)
		return NULL;
	out->fd = STDOUT_FILENO;
	out->name = rm_strdup(to_stdout ? "<stdout>" : path);
	out->data = rm_malloc(BLOCK, 1);
	if (out->name && out->data && (to_stdout || open_path(out, path) == 0))
		return out;
	output_free(out);
	return NULL;
}

static int write_out(struct rm_output *out, const unsigned char *data,
		     size_t n)
{
	while (n > 0) {
		ssize_t put = write(out->fd, data, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			out->failed = true;
			out->broken_pipe = errno == EPIPE;
			return rm_fail("%s: %s", out->name, strerror(errno));
		}
		data += put;
		n -= (size_t)put;
	}
	return 0;
}

static int still_failed(const struct rm_output *out)
{
	if (!rm_error()[0])
		rm_fail("%s: an earlier write failed", out->name);
	return -1;
}

int rm_output_flush(struct rm_output *out)
{
	size_t n = out->len;

	if (out->failed)
		return still_failed(out);
	out->len = 0;
	return write_out(out, out->data, n);
}

int rm_output_write(struct rm_output *out, const void *data, size_t n)
{
	if (out->failed)
		return still_failed(out);
	if (n > BLOCK - out->len && rm_output_flush(out) < 0)
		return -1;
	if (n >= BLOCK)
		return write_out(out, data, n);
	memcpy(out->data + out->len, data, n);
	out->len += n;
	return 0;
}

int rm_output_puts(struct rm_output *out, const char *s)
{
	return rm_output_write(out, s, strlen(s));
}

int rm_output_printf(struct rm_output *out, const char *fmt, ...)
{
	struct rm_buf text = {0};
	va_list ap;
	int status = -1;

	va_start(ap, fmt);
	rm_buf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (!text.failed)
		status = rm_output_write(out, text.data, text.len);
	rm_buf_fini(&text);
	return status;
}

const char *rm_output_name(const struct rm_output *out)
{
	return out->name;
}

bool rm_output_broken_pipe(const struct rm_output *out)
{
	return out->broken_pipe;
}

void rm_output_abort(struct rm_output *out)
{
	if (!out)
		return;
	if (out->fd != STDOUT_FILENO)
		close(out->fd);
	if (out->temporary)
		unlink(out->temporary);
	output_free(out);
}

/* All bytes are on the disk, or it has said that they cannot be. */
static int finish(struct rm_output *out)
{
	int fd = out->fd;

	if (rm_output_flush(out) < 0)
		return -1;
	/* Some file systems tell of a full disk only now. */
	if (out->target && fsync(fd) < 0)
		return rm_fail("%s: %s", out->name, strerror(errno));
	if (out->target && !out->temporary && name_temporary(out) < 0)
		return -1;
	out->fd = STDOUT_FILENO;	/* closed here, not by abort */
	if (close(fd) < 0)
		return rm_fail("%s: %s", out->name, strerror(errno));
	return 0;
}

int rm_output_commit(struct rm_output *out)
{
	int status = finish(out);

	if (status == 0 && out->target &&
	    rename(out->temporary, out->target) < 0)
		status = rm_fail("%s: %s", out->name, strerror(errno));
	if (status < 0) {
		rm_output_abort(out);
		return -1;
	}
	output_free(out);
	return 0;
}

int rm_write_file(const char *path, const void *data, size_t n)
{
	struct rm_output *out = rm_output_open(path);

	if (!out)
		return -1;
	if (rm_output_write(out, data, n) < 0) {
		rm_output_abort(out);
		return -1;
	}
	return rm_output_commit(out);
}
