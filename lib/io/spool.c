#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_BLOCK = 1024 * 1024 };

/*
 * String i is the bytes end[i - 1] .. end[i] of one sequence: first
 * `held.len` bytes in memory, then `on_disk` in the file, then `tail`, which
 * is still to be written.  A string never straddles two of them: once one
 * does not fit into memory, all later ones go to the file.
 */
struct rm_spool {
	size_t memory;
	struct rm_buf held;
	int fd;				/* -1: all is in memory */
	uint64_t on_disk;
	struct rm_buf tail;
	struct rm_buf found;		/* what _get read from the file */
	uint64_t *end;
	size_t n, cap;
};

struct rm_spool *rm_spool_new(size_t memory)
{
	struct rm_spool *s = rm_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->memory = memory;
	s->fd = -1;
	return s;
}

void rm_spool_free(struct rm_spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	rm_buf_fini(&s->held);
	rm_buf_fini(&s->tail);
	rm_buf_fini(&s->found);
	free(s->end);
	free(s);
}

static const char *directory(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/tmp";
}

static int open_unlinked(struct rm_spool *s)
{
	struct rm_buf path = {0};

	rm_buf_printf(&path, "%s/rm-spool.XXXXXX", directory());
	if (!rm_buf_text(&path)) {
		rm_buf_fini(&path);
		return -1;
	}
	s->fd = mkostemp((char *)path.data, O_CLOEXEC);
	if (s->fd < 0)
		rm_fail("%s: temporary file: %s", directory(),
			strerror(errno));
	else
		unlink((char *)path.data);
	rm_buf_fini(&path);
	return s->fd < 0 ? -1 : 0;
}

static int write_tail(struct rm_spool *s)
{
	size_t done = 0;

	while (done < s->tail.len) {
		ssize_t put = write(s->fd, s->tail.data + done,
				    s->tail.len - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return rm_fail("%s: temporary file: %s", directory(),
				       strerror(errno));
		done += (size_t)put;
	}
	s->on_disk += done;
	rm_buf_clear(&s->tail);
	return 0;
}

int rm_spool_add(struct rm_spool *s, const void *data, size_t n)
{
	struct rm_buf *to = &s->held;

	if (s->fd >= 0 || n > s->memory - s->held.len) {
		to = &s->tail;
		if (s->fd < 0 && open_unlinked(s) < 0)
			return -1;
	}
	if (rm_grow(&s->end, &s->cap, s->n + 1, sizeof(*s->end)) < 0)
		return -1;
	rm_buf_append(to, data, n);
	if (to->failed)
		return -1;
	s->end[s->n] = rm_spool_bytes(s);
	s->n++;
	return s->tail.len >= WRITE_BLOCK ? write_tail(s) : 0;
}

size_t rm_spool_count(const struct rm_spool *s)
{
	return s->n;
}

uint64_t rm_spool_bytes(const struct rm_spool *s)
{
	return s->held.len + s->on_disk + s->tail.len;
}

static int read_back(struct rm_spool *s, uint64_t at, size_t n)
{
	rm_buf_clear(&s->found);
	if (rm_buf_reserve(&s->found, n) < 0)
		return -1;
	while (s->found.len < n) {
		ssize_t got = pread(s->fd, s->found.data + s->found.len,
				    n - s->found.len,
				    (off_t)(at + s->found.len));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return rm_fail("%s: temporary file: %s", directory(),
				       got < 0 ? strerror(errno)
					       : "cut short");
		s->found.len += (size_t)got;
	}
	return 0;
}

int rm_spool_get(struct rm_spool *s, size_t i, struct rm_slice *out)
{
	uint64_t start = i > 0 ? s->end[i - 1] : 0;

	out->len = (size_t)(s->end[i] - start);
	if (start + out->len <= s->held.len) {
		out->data = s->held.data + start;
		return 0;
	}
	start -= s->held.len;
	if (s->tail.len > 0 && write_tail(s) < 0)
		return -1;
	if (read_back(s, start, out->len) < 0)
		return -1;
	out->data = s->found.data;
	return 0;
}
