/*
 * base: errors, memory, growable buffers, parsing of numbers, randomness.
 *
 * The lowest layer: it knows nothing of preferences, streams or files.
 *
 * Errors.  Every function that can fail returns 0 / -1, or a pointer / NULL,
 * and stores one message for the calling thread.  The message is written
 * where the fault is first known and names what was expected and found;
 * callers add where (file, record, field) with rm_wrap and pass it up.  The
 * library never prints, never exits and never aborts on input.
 *
 * Ownership.  Whoever made a thing frees it; functions borrow their
 * arguments unless the name says `take`; a _free or _fini of NULL or of a
 * zeroed struct is legal.
 *
 *	struct rm_buf b = {0};
 *	rm_buf_printf(&b, "%d pairs", n);
 *	if (b.failed)
 *		return -1;
 *	...
 *	rm_buf_fini(&b);
 */
#ifndef RM_BASE_H
#define RM_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RM_VERSION "0.1.0"

#define RM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RM_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RM_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RM_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- errors ---- */

/* Store a message for this thread; returns -1. */
int rm_fail(const char *fmt, ...) RM_PRINTF(1, 2);

/* The same, as an expression of type void *, for functions returning NULL. */
#define rm_fail_null(...) (rm_fail(__VA_ARGS__), NULL)

/* Put "context: " before this thread's message; returns -1. */
int rm_wrap(const char *fmt, ...) RM_PRINTF(1, 2);

/* Linters, which look at one file at a time, are told what both return. */
#ifdef __clang_analyzer__
#define rm_fail(...) (rm_fail(__VA_ARGS__), -1)
#define rm_wrap(...) (rm_wrap(__VA_ARGS__), -1)
#endif

/* This thread's message, "" if none; valid until the next rm_fail here. */
const char *rm_error(void);

/* Forget this thread's message. */
void rm_error_clear(void);

/* ---- memory ---- */

/*
 * n objects of `size` bytes, uninitialised / zeroed / resized; the product is
 * checked.  NULL with a message when there is no memory.  Free with free().
 * n == 0 gives a unique pointer.
 */
void *rm_malloc(size_t n, size_t size);
void *rm_calloc(size_t n, size_t size);
void *rm_realloc(void *p, size_t n, size_t size);
char *rm_strdup(const char *s);
char *rm_strndup(const char *s, size_t n);

/*
 * From now on large blocks that are freed stay with the process for the next
 * ones, as far as the system's allocator can: new pages cost more than the
 * work on them where one large block follows another.
 */
void rm_keep_freed(void);

/* n objects aligned to 64 bytes; free with free(). */
void *rm_malloc_aligned(size_t n, size_t size);
/* The same, zeroed. */
void *rm_calloc_aligned(size_t n, size_t size);

/*
 * Make room for `need` objects of `size` bytes in the array *p (a pointer to
 * the array pointer) whose capacity is *cap, growing by half; 0 / -1.
 */
int rm_grow(void *p, size_t *cap, size_t need, size_t size);

/*
 * A growable byte string.  Zero-initialise.  Appending never returns an
 * error: a failed allocation sets `failed` (and the message), later appends
 * do nothing, and the user checks once at the end.
 */
struct rm_buf {
	unsigned char *data;
	size_t len, cap;
	bool failed;
};

/* Room for `more` bytes after len; 0 / -1 (also sets failed). */
int rm_buf_reserve(struct rm_buf *b, size_t more);
void rm_buf_append(struct rm_buf *b, const void *data, size_t len);
void rm_buf_putc(struct rm_buf *b, int c);
void rm_buf_puts(struct rm_buf *b, const char *s);
void rm_buf_printf(struct rm_buf *b, const char *fmt, ...) RM_PRINTF(2, 3);
void rm_buf_vprintf(struct rm_buf *b, const char *fmt, va_list ap)
	RM_PRINTF(2, 0);
/* n bytes from anywhere; what would steer a terminal is a question mark. */
void rm_buf_plain(struct rm_buf *b, const char *text, size_t n);
/*
 * Words of text on lines of at most 79 columns and a newline: the first goes
 * on at column `at`, the others begin with `indent` spaces.
 */
void rm_buf_wrap(struct rm_buf *b, const char *text, size_t at,
		 size_t indent);
/* A NUL after the last byte, not counted in len: the text, or NULL. */
char *rm_buf_text(struct rm_buf *b);
void rm_buf_clear(struct rm_buf *b);
void rm_buf_fini(struct rm_buf *b);

/* A run of bytes inside something else; data NULL means absent. */
struct rm_slice {
	const unsigned char *data;
	size_t len;
};

bool rm_slice_is(struct rm_slice s, const char *text);

/*
 * A region: allocations of one record's life, freed together.
 * rm_arena_alloc gives memory aligned to 16 bytes, NULL with a message when
 * there is none; rm_arena_reset keeps the memory for the next record.
 */
struct rm_arena {
	struct rm_arena_block *block;
};

void *rm_arena_alloc(struct rm_arena *a, size_t n, size_t size);
char *rm_arena_strndup(struct rm_arena *a, const char *s, size_t n);
void rm_arena_reset(struct rm_arena *a);
void rm_arena_fini(struct rm_arena *a);

/* ---- numbers as text ---- */

/*
 * The whole of `s` as a number within [min, max]; trailing characters, an
 * empty string, NaN (unless min is NaN) and values out of range are errors
 * whose message quotes `s`.  rm_parse_size takes suffixes k, M, G (powers of
 * 1024).
 */
int rm_parse_double(const char *s, double min, double max, double *out);
int rm_parse_i64(const char *s, int64_t min, int64_t max, int64_t *out);
int rm_parse_size(const char *s, size_t min, size_t max, size_t *out);

/* The shortest decimal that reads back as x ("3", "0.1", "nan"); buf >= 32. */
const char *rm_format_double(double x, char buf[32]);

/* ---- text ---- */

/*
 * Length of the longest valid UTF-8 prefix of the n bytes at s: n if all of
 * it is valid (no surrogates, no overlong forms, at most U+10FFFF).
 */
size_t rm_utf8_valid(const void *s, size_t n);

/*
 * Append n bytes as valid UTF-8, U+FFFD for each part that is not: for the
 * longest beginning of a sequence, as Unicode recommends and Rust does.
 */
void rm_buf_append_utf8(struct rm_buf *b, const void *s, size_t n);

/* Number of code points in valid UTF-8. */
size_t rm_utf8_count(const void *s, size_t n);

/*
 * "did you mean" for humans: the names joined by ", " in buf, for errors that
 * list what is valid.  `names` ends in NULL.
 */
void rm_join_names(struct rm_buf *b, const char *const *names);

/* ---- randomness ---- */

/*
 * Counter-based: the same (seed, purpose, step, index) gives the same bits
 * on every machine, for any number of threads and any order of calls.
 */
enum rm_purpose {
	RM_RANDOM_INIT = 1,	/* initial parameters */
	RM_RANDOM_SHUFFLE,	/* order of examples; step is the epoch */
	RM_RANDOM_DROPOUT,	/* step, index */
	RM_RANDOM_SPLIT,	/* splits by key */
	RM_RANDOM_BOOTSTRAP,	/* resamples */
	RM_RANDOM_EXAMPLE,	/* generated examples */
	RM_RANDOM_TEST,
	RM_RANDOM_ATTACK,	/* where an attack begins */
	RM_RANDOM_PERTURB	/* of texts */
};

uint64_t rm_random(uint64_t seed, enum rm_purpose purpose, uint64_t step,
		   uint64_t index);
/* Uniform in [0, 1) with 53 bits; standard normal (Box-Muller). */
double rm_random_uniform(uint64_t seed, enum rm_purpose purpose,
			 uint64_t step, uint64_t index);
double rm_random_normal(uint64_t seed, enum rm_purpose purpose,
			uint64_t step, uint64_t index);
/* Shuffle order[n] (any content) in place, by Fisher-Yates. */
void rm_shuffle(size_t *order, size_t n, uint64_t seed,
		enum rm_purpose purpose, uint64_t step);

/* ---- hashes ---- */

/* XXH3-64, the `key` of a prompt. */
uint64_t rm_hash64(const void *data, size_t len);

/* XXH3-128: bytes of the same hash are taken to be the same bytes. */
struct rm_hash128 {
	uint64_t high, low;
};

struct rm_hash128 rm_hash128(const void *data, size_t len);

/* It as 32 hex digits and a NUL: fingerprints. */
struct rm_fingerprint {
	char hex[33];
};

struct rm_fingerprint rm_fingerprint(const void *data, size_t len);

/* Named byte strings: the files of a tokenizer or a model directory. */
struct rm_files {
	size_t n;
	struct rm_file {
		char *name;
		unsigned char *data;
		size_t len;
	} *file;
};

/* A copy of (name, data) at the end; 0 / -1. */
int rm_files_add(struct rm_files *files, const char *name, const void *data,
		 size_t len);
/* The same, in place of a file of that name. */
int rm_files_put(struct rm_files *files, const char *name, const void *data,
		 size_t len);
/* The file of that name, or NULL. */
const struct rm_file *rm_files_find(const struct rm_files *files,
				    const char *name);
int rm_files_copy(struct rm_files *to, const struct rm_files *from);
void rm_files_fini(struct rm_files *files);

#endif
