#include "base.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xxhash.h>

/* ---- errors ---- */

static _Thread_local char message[2048];

int (rm_fail)(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return -1;
}

int (rm_wrap)(const char *fmt, ...)
{
	char context[1024], old[sizeof(message)];
	size_t n, m;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(old, message, sizeof(old));
	/* A message too long for the room is cut at its end. */
	snprintf(message, sizeof(message), "%s: ", context);
	n = strlen(message);
	m = RM_MIN(strlen(old), sizeof(message) - 1 - n);
	memcpy(message + n, old, m);
	message[n + m] = '\0';
	return -1;
}

const char *rm_error(void)
{
	return message;
}

void rm_error_clear(void)
{
	message[0] = '\0';
}

/* ---- memory ---- */

void *rm_malloc(size_t n, size_t size)
{
	return rm_realloc(NULL, n, size);
}

void *rm_calloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		return rm_fail_null("out of memory: %zu x %zu bytes", n, size);
	return p;
}

void *rm_realloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return rm_fail_null("out of memory: %zu x %zu bytes", n, size);
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		return rm_fail_null("out of memory: %zu bytes", bytes);
	return p;
}

void rm_keep_freed(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

char *rm_strdup(const char *s)
{
	return rm_strndup(s, strlen(s));
}

char *rm_strndup(const char *s, size_t n)
{
	char *copy = rm_malloc(n + 1, 1);

	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

/* So large that its pages had better be large too. */
#define HUGE_BYTES ((size_t)16 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

/* What the system says of the wish does not matter. */
static void *huge_alloc(size_t bytes)
{
	void *p;

	if (posix_memalign(&p, HUGE_PAGE, bytes) != 0)
		return NULL;
#ifdef MADV_HUGEPAGE
	(void)madvise(p, bytes, MADV_HUGEPAGE);
#endif
	return p;
}

void *rm_malloc_aligned(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - 64)
		return rm_fail_null("out of memory: %zu x %zu bytes", n, size);
	bytes = RM_MAX((bytes + 63) & ~(size_t)63, 64);
	p = bytes < HUGE_BYTES ? aligned_alloc(64, bytes) : huge_alloc(bytes);
	return p ? p : rm_fail_null("out of memory: %zu bytes", bytes);
}

void *rm_calloc_aligned(size_t n, size_t size)
{
	void *p = rm_malloc_aligned(n, size);

	return p ? memset(p, 0, n * size) : NULL;
}

int rm_grow(void *p, size_t *cap, size_t need, size_t size)
{
	void *old, *bigger;
	size_t n = *cap;

	if (need <= n)
		return 0;
	n += n / 2;
	if (n < need)
		n = need;
	if (n < 16)
		n = 16;
	memcpy(&old, p, sizeof(old));
	bigger = rm_realloc(old, n, size);
	if (!bigger)
		return -1;
	memcpy(p, &bigger, sizeof(bigger));
	*cap = n;
	return 0;
}

int rm_buf_reserve(struct rm_buf *b, size_t more)
{
	if (b->failed)
		return -1;
	if (more <= b->cap - b->len)
		return 0;
	if (more > SIZE_MAX - b->len ||
	    rm_grow(&b->data, &b->cap, b->len + more, 1) < 0) {
		b->failed = true;
		return rm_fail("out of memory: %zu bytes more", more);
	}
	return 0;
}

void rm_buf_append(struct rm_buf *b, const void *data, size_t len)
{
	if (len == 0 || rm_buf_reserve(b, len) < 0)
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void rm_buf_putc(struct rm_buf *b, int c)
{
	if (rm_buf_reserve(b, 1) == 0)
		b->data[b->len++] = (unsigned char)c;
}

void rm_buf_plain(struct rm_buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		rm_buf_putc(b, c < ' ' || c == 0x7f ? '?' : c);
	}
}

void rm_buf_puts(struct rm_buf *b, const char *s)
{
	rm_buf_append(b, s, strlen(s));
}

void rm_buf_vprintf(struct rm_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || rm_buf_reserve(b, (size_t)n + 1) < 0) {
		b->failed = true;
		return;
	}
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void rm_buf_wrap(struct rm_buf *b, const char *text, size_t at,
		 size_t indent)
{
	bool begun = false;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t n = strcspn(text, " ");

		if (begun && at + 1 + n > 79) {
			rm_buf_printf(b, "\n%*s", (int)indent, "");
			at = indent;
		} else if (begun) {
			rm_buf_putc(b, ' ');
			at++;
		}
		rm_buf_append(b, text, n);
		begun = true;
		at += n;
		text += n;
	}
	rm_buf_putc(b, '\n');
}

void rm_buf_printf(struct rm_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	rm_buf_vprintf(b, fmt, ap);
	va_end(ap);
}

char *rm_buf_text(struct rm_buf *b)
{
	if (rm_buf_reserve(b, 1) < 0)
		return NULL;
	b->data[b->len] = '\0';
	return (char *)b->data;
}

void rm_buf_clear(struct rm_buf *b)
{
	b->len = 0;
	b->failed = false;
}

void rm_buf_fini(struct rm_buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct rm_buf){0};
}

bool rm_slice_is(struct rm_slice s, const char *text)
{
	return s.data && s.len == strlen(text) &&
	       memcmp(s.data, text, s.len) == 0;
}

/*
 * Blocks form a list, the newest first; a reset keeps the largest, so that a
 * steady state allocates nothing.
 */
struct rm_arena_block {
	struct rm_arena_block *next;
	size_t used, size;
	alignas(16) unsigned char data[];
};

static struct rm_arena_block *arena_block(struct rm_arena *a, size_t bytes)
{
	size_t size = a->block ? 2 * a->block->size : 4096;
	struct rm_arena_block *block;

	if (size < bytes)
		size = bytes;
	if (size > SIZE_MAX - sizeof(*block))
		return rm_fail_null("out of memory: %zu bytes", size);
	block = rm_malloc(1, sizeof(*block) + size);
	if (!block)
		return NULL;
	*block = (struct rm_arena_block){ a->block, 0, size };
	a->block = block;
	return block;
}

void *rm_arena_alloc(struct rm_arena *a, size_t n, size_t size)
{
	struct rm_arena_block *block = a->block;
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 4)
		return rm_fail_null("out of memory: %zu x %zu bytes", n, size);
	bytes = (bytes + 15) & ~(size_t)15;
	if (!block || bytes > block->size - block->used)
		block = arena_block(a, bytes);
	if (!block)
		return NULL;
	p = block->data + block->used;
	block->used += bytes;
	return p;
}

char *rm_arena_strndup(struct rm_arena *a, const char *s, size_t n)
{
	char *copy = rm_arena_alloc(a, n + 1, 1);

	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

void rm_arena_reset(struct rm_arena *a)
{
	struct rm_arena_block *block = a->block, *next;

	if (!block)
		return;
	for (struct rm_arena_block *b = block->next; b; b = next) {
		next = b->next;
		free(b);
	}
	block->next = NULL;
	block->used = 0;
}

void rm_arena_fini(struct rm_arena *a)
{
	if (!a)
		return;
	rm_arena_reset(a);
	free(a->block);
	a->block = NULL;
}

/* ---- numbers as text ---- */

int rm_parse_double(const char *s, double min, double max, double *out)
{
	char *end;
	double x;

	errno = 0;
	x = strtod(s, &end);
	if (end == s || *end != '\0' || *s == ' ')
		return rm_fail("'%s' is not a number", s);
	if (errno == ERANGE && fabs(x) > 1)
		return rm_fail("'%s' is out of range", s);
	if (isnan(x) && !isnan(min))
		return rm_fail("'%s' is not a number", s);
	if (x < min || x > max)
		return rm_fail("'%s' is not within %g to %g", s, min, max);
	*out = x;
	return 0;
}

int rm_parse_i64(const char *s, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long x;

	errno = 0;
	x = strtoll(s, &end, 10);
	if (end == s || *end != '\0' || *s == ' ')
		return rm_fail("'%s' is not a whole number", s);
	if (errno == ERANGE || x < min || x > max)
		return rm_fail("'%s' is not within %lld to %lld", s,
			       (long long)min, (long long)max);
	*out = x;
	return 0;
}

int rm_parse_size(const char *s, size_t min, size_t max, size_t *out)
{
	unsigned long long x;
	size_t unit = 1;
	char *end;

	errno = 0;
	x = strtoull(s, &end, 10);
	if (end == s || *s < '0' || *s > '9')
		return rm_fail("'%s' is not a whole number", s);
	switch (*end) {
	case 'k': unit = (size_t)1 << 10; break;
	case 'M': unit = (size_t)1 << 20; break;
	case 'G': unit = (size_t)1 << 30; break;
	default: break;
	}
	if (unit > 1)
		end++;
	if (*end != '\0')
		return rm_fail("'%s' is not a whole number", s);
	if (errno == ERANGE || x > SIZE_MAX / unit || x * unit < min ||
	    x * unit > max)
		return rm_fail("'%s' is not within %zu to %zu", s, min, max);
	*out = (size_t)x * unit;
	return 0;
}

const char *rm_format_double(double x, char buf[32])
{
	if (x == 0 && signbit(x)) {
		snprintf(buf, 32, "-0.0");
		return buf;
	}
	if (fabs(x) < 1e15 && x == (double)(long long)x) {
		snprintf(buf, 32, "%lld", (long long)x);
		return buf;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(buf, 32, "%.*g", digits, x);
		if (strtod(buf, NULL) == x)
			break;
	}
	return buf;
}

/* ---- text ---- */

/*
 * How many of the n > 0 bytes at s are the beginning of a valid sequence, at
 * least 1: what one U+FFFD stands for unless it is all of a sequence.
 */
static size_t utf8_sequence(const unsigned char *s, size_t n, bool *valid)
{
	unsigned char c = s[0], low = 0x80, high = 0xbf;
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*valid = false;
	if ((c >= 0x80 && c < 0xc2) || c > 0xf4)
		return 1;
	if (c == 0xe0)
		low = 0xa0;	/* overlong */
	else if (c == 0xed)
		high = 0x9f;	/* surrogates */
	else if (c == 0xf0)
		low = 0x90;	/* overlong */
	else if (c == 0xf4)
		high = 0x8f;	/* beyond U+10FFFF */
	for (size_t i = 1; i < len; i++) {
		if (i == n || s[i] < low || s[i] > high)
			return i;
		low = 0x80;
		high = 0xbf;
	}
	*valid = true;
	return len;
}

size_t rm_utf8_valid(const void *text, size_t n)
{
	const unsigned char *s = text;
	size_t i = 0, len;
	uint64_t word;
	bool valid;

	while (i < n) {
		while (n - i >= 8) {
			memcpy(&word, s + i, 8);
			if (word & 0x8080808080808080u)
				break;
			i += 8;
		}
		if (i == n)
			break;
		len = utf8_sequence(s + i, n - i, &valid);
		if (!valid)
			return i;
		i += len;
	}
	return n;
}

void rm_buf_append_utf8(struct rm_buf *b, const void *text, size_t n)
{
	const unsigned char *s = text, *end = s + n;
	bool valid;

	for (;;) {
		size_t len = rm_utf8_valid(s, (size_t)(end - s));

		rm_buf_append(b, s, len);
		s += len;
		if (s == end)
			return;
		rm_buf_puts(b, "\xef\xbf\xbd");
		s += utf8_sequence(s, (size_t)(end - s), &valid);
	}
}

size_t rm_utf8_count(const void *text, size_t n)
{
	const signed char *s = text;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += s[i] >= -64;
	return count;
}

void rm_join_names(struct rm_buf *b, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		rm_buf_printf(b, "%s%s", i ? ", " : "", names[i]);
}

/* ---- randomness ---- */

/* The finaliser of splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t rm_random(uint64_t seed, enum rm_purpose purpose, uint64_t step,
		   uint64_t index)
{
	const uint64_t golden = 0x9e3779b97f4a7c15u;
	uint64_t x = mix(seed + golden);

	x = mix(x + golden * (uint64_t)purpose);
	x = mix(x + golden * (step + 1));
	return mix(x + golden * (index + 1));
}

double rm_random_uniform(uint64_t seed, enum rm_purpose purpose,
			 uint64_t step, uint64_t index)
{
	return (double)(rm_random(seed, purpose, step, index) >> 11) * 0x1p-53;
}

double rm_random_normal(uint64_t seed, enum rm_purpose purpose,
			uint64_t step, uint64_t index)
{
	uint64_t bits = rm_random(seed, purpose, step, index);
	/* Two uniforms of 53 bits, the first in (0, 1]. */
	double u = (double)((bits >> 11) + 1) * 0x1p-53;
	double v = (double)(mix(bits) >> 11) * 0x1p-53;

	return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

void rm_shuffle(size_t *order, size_t n, uint64_t seed,
		enum rm_purpose purpose, uint64_t step)
{
	for (size_t i = n; i > 1; i--) {
		/* The bias of the modulus is below 2^-64 * n. */
		size_t j = rm_random(seed, purpose, step, i) % i;
		size_t swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

/* ---- hashes ---- */

uint64_t rm_hash64(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}

struct rm_hash128 rm_hash128(const void *data, size_t len)
{
	XXH128_hash_t h = XXH3_128bits(data, len);

	return (struct rm_hash128){ h.high64, h.low64 };
}

struct rm_fingerprint rm_fingerprint(const void *data, size_t len)
{
	struct rm_hash128 h = rm_hash128(data, len);
	struct rm_fingerprint fp;

	snprintf(fp.hex, sizeof(fp.hex), "%016llx%016llx",
		 (unsigned long long)h.high, (unsigned long long)h.low);
	return fp;
}

int rm_files_add(struct rm_files *files, const char *name, const void *data,
		 size_t len)
{
	struct rm_file *file;
	void *bigger = rm_realloc(files->file, files->n + 1, sizeof(*file));

	if (!bigger)
		return -1;
	files->file = bigger;
	file = &files->file[files->n];
	file->name = rm_strdup(name);
	file->data = (unsigned char *)rm_strndup(data, len);
	file->len = len;
	if (!file->name || !file->data) {
		free(file->name);
		free(file->data);
		return -1;
	}
	files->n++;
	return 0;
}

int rm_files_put(struct rm_files *files, const char *name, const void *data,
		 size_t len)
{
	unsigned char *copy;

	for (size_t i = 0; i < files->n; i++) {
		if (strcmp(files->file[i].name, name) != 0)
			continue;
		copy = rm_malloc(len, 1);
		if (!copy)
			return -1;
		if (len)
			memcpy(copy, data, len);
		free(files->file[i].data);
		files->file[i].data = copy;
		files->file[i].len = len;
		return 0;
	}
	return rm_files_add(files, name, data, len);
}

const struct rm_file *rm_files_find(const struct rm_files *files,
				    const char *name)
{
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->file[i].name, name) == 0)
			return &files->file[i];
	return NULL;
}

int rm_files_copy(struct rm_files *to, const struct rm_files *from)
{
	*to = (struct rm_files){0};
	for (size_t i = 0; i < from->n; i++) {
		const struct rm_file *f = &from->file[i];

		if (rm_files_add(to, f->name, f->data, f->len) < 0) {
			rm_files_fini(to);
			return -1;
		}
	}
	return 0;
}

void rm_files_fini(struct rm_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->n; i++) {
		free(files->file[i].name);
		free(files->file[i].data);
	}
	free(files->file);
	*files = (struct rm_files){0};
}
