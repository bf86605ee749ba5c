/*
 * Texts of one word: does time grow as the text does?
 *
 *	long TOKENIZER.json BYTES [NAME]
 *
 * A line for each kind of word (those whose name holds NAME): its name, CPU
 * seconds for a text of a tenth of BYTES and for one of BYTES, how much more
 * a byte takes in the larger one, and the peak of memory that the larger one
 * takes, in bytes a byte of text.  Ends that are not in order, or a text that
 * is refused, are an error.
 */
#include "../encoding.h"
#include "../words.h"
#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct cost {
	double seconds;
	double peak;		/* bytes a byte of text */
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double most_memory(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return 1024 * (double)use.ru_maxrss;
}

static int measure(const struct rm_tokenizer *t, const struct word *w,
		   size_t n, struct cost *cost)
{
	struct rm_encoding e = {0};
	double before = most_memory();
	char *text = rm_malloc(n + 4, 1);
	size_t len = text ? make_word(w, text, n) : 0;

	if (!text)
		return -1;
	cost->seconds = seconds();
	if (rm_tokenizer_encode(t, &e, text, len) < 0)
		return rm_wrap("%s", w->name);
	cost->seconds = seconds() - cost->seconds;
	cost->peak = (most_memory() - before) / (double)n;
	if (!ends_in_order(&e, len))
		return rm_fail("%s: ends are not in order", w->name);
	free(text);
	rm_encoding_fini(&e);
	return 0;
}

/* Each in a process of its own, for its peak of memory. */
static int measure_apart(const struct rm_tokenizer *t, const struct word *w,
			 size_t n, struct cost *cost)
{
	int pair[2], status = -1;
	pid_t child;

	if (pipe(pair) < 0 || (child = fork()) < 0)
		return rm_fail("no process");
	if (child == 0) {
		int err = measure(t, w, n, cost);

		if (err < 0)
			fprintf(stderr, "long: %s\n", rm_error());
		if (write(pair[1], cost, sizeof(*cost)) != sizeof(*cost))
			err = -1;
		_exit(err < 0);
	}
	close(pair[1]);
	if (read(pair[0], cost, sizeof(*cost)) != sizeof(*cost))
		cost->seconds = 0;
	close(pair[0]);
	waitpid(child, &status, 0);
	return status ? rm_fail("%s failed", w->name) : 0;
}

static int show(const struct rm_tokenizer *t, const struct word *w, size_t n)
{
	struct cost small, large;

	if (measure_apart(t, w, n / 10, &small) < 0 ||
	    measure_apart(t, w, n, &large) < 0)
		return -1;
	printf("%s\t%.3f\t%.3f\t%.2f\t%.1f\n", w->name, small.seconds,
	       large.seconds, large.seconds / small.seconds / 10, large.peak);
	fflush(stdout);
	return 0;
}

static const char *const flags[] = {
	"special", "normalized", "lstrip", "rstrip", "single_word"
};

static size_t flags_of(const json_t *token)
{
	size_t set = 0;

	for (size_t i = 0; i < RM_COUNT(flags); i++)
		if (json_is_true(json_object_get(token, flags[i])))
			set |= (size_t)1 << i;
	return set;
}

/* An added token, glued to itself and with spaces between. */
static int show_token(const struct rm_tokenizer *t, const json_t *token,
		      size_t n, const char *only)
{
	static const char *const between[] = { "", " ", "     " };
	const char *text = json_string_value(json_object_get(token,
							     "content"));
	int err = 0;

	for (size_t i = 0; text && i < RM_COUNT(between) && err == 0; i++) {
		struct rm_buf unit = {0}, name = {0};
		struct word w = { .head = "" };

		rm_buf_printf(&unit, "%s%s", text, between[i]);
		rm_buf_printf(&name, "token '%s'", text);
		for (size_t f = 0; f < RM_COUNT(flags); f++)
			if (flags_of(token) >> f & 1)
				rm_buf_printf(&name, " %s", flags[f]);
		if (i)
			rm_buf_printf(&name, ", spaces: %zu",
				      strlen(between[i]));
		w.unit = rm_buf_text(&unit);
		w.name = rm_buf_text(&name);
		if (strstr(w.name, only))
			err = show(t, &w, n);
		rm_buf_fini(&unit);
		rm_buf_fini(&name);
	}
	return err;
}

/* The first added token of each set of flags. */
static int show_tokens(const struct rm_tokenizer *t, const char *path,
		       size_t n, const char *only)
{
	json_t *json = rm_json_load(path, SIZE_MAX), *token;
	bool seen[1 << RM_COUNT(flags)] = {false};
	size_t i;
	int err = json ? 0 : -1;

	json_array_foreach(json_object_get(json, "added_tokens"), i, token) {
		if (!seen[flags_of(token)] && err == 0)
			err = show_token(t, token, n, only);
		seen[flags_of(token)] = true;
	}
	json_decref(json);
	return err;
}

int main(int argc, char **argv)
{
	size_t n = argc < 3 ? 0 : strtoul(argv[2], NULL, 10);
	const char *only = argc > 3 ? argv[3] : "";
	struct rm_tokenizer *t = n < 1000 ?
		rm_fail_null("usage: long TOKENIZER.json BYTES [NAME]") :
		rm_tokenizer_load(argv[1]);
	int err = t ? 0 : -1;

	for (size_t i = 0; i < RM_COUNT(words) && err == 0; i++)
		if (strstr(words[i].name, only))
			err = show(t, &words[i], n);
	if (err == 0)
		err = show_tokens(t, argv[1], n, only);
	if (err < 0)
		fprintf(stderr, "long: %s\n", rm_error());
	rm_tokenizer_free(t);
	return err < 0;
}
