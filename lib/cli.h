/*
 * cli: what every tool's main shares: the option table and its help, version,
 * messages, progress, and the end.
 *
 * The top layer; tools see it and the modules below.  Only this module
 * prints to stderr.
 *
 *	static const struct rm_option options[] = {
 *		RM_OPT_SIZE('n', "number", &o.n, 1, 100, "N", "how many"),
 *		RM_OPT_QUIET(&o.quiet),
 *		RM_OPT_END
 *	};
 *	static const struct rm_tool tool = {
 *		"rm-thing", "do a thing to a stream", "[FILE...]", options,
 *		"Reads groups or pairs, writes the same.\n"
 *	};
 *	first = rm_cli_parse(&tool, argc, argv);    exits on --help, misuse
 *	...
 *	return rm_cli_end(&tool, out, ok);
 */
#ifndef RM_CLI_H
#define RM_CLI_H

#include "gemm.h"
#include "io.h"

enum {
	RM_EXIT_OK = 0,
	RM_EXIT_FAIL = 1,	/* data or I/O failure */
	RM_EXIT_USAGE = 2,	/* wrong usage */
	RM_EXIT_CHECK = 3	/* a check that was asked for failed */
};

enum rm_option_kind {
	RM_OPTION_END, RM_OPTION_FLAG, RM_OPTION_STRING, RM_OPTION_SIZE,
	RM_OPTION_I64, RM_OPTION_DOUBLE, RM_OPTION_CHOICE, RM_OPTION_LIST,
	RM_OPTION_EACH, RM_OPTION_GROUP
};

/* A repeatable or comma-separated option collects its values here. */
struct rm_strings {
	size_t n;
	char **item;
};

/*
 * One row.  The help line shows the target's value at the time of --help as
 * the default.  `choices` (NULL-terminated) for RM_OPTION_CHOICE; the target
 * is then a const char *.
 */
struct rm_option {
	enum rm_option_kind kind;
	char letter;			/* 0: none; then a long name only */
	const char *name;
	void *target;
	double min, max;
	const char *arg;
	const char *help;
	const char *const *choices;
	const struct rm_option *group;	/* RM_OPTION_GROUP: included rows */
};

#define RM_OPT_FLAG(letter, name, target, help) \
	{ RM_OPTION_FLAG, letter, name, target, 0, 0, NULL, help, NULL, NULL }
#define RM_OPT_STRING(letter, name, target, arg, help) \
	{ RM_OPTION_STRING, letter, name, target, 0, 0, arg, help, NULL, NULL }
#define RM_OPT_LIST(letter, name, target, arg, help) \
	{ RM_OPTION_LIST, letter, name, target, 0, 0, arg, help, NULL, NULL }
/* A repeatable one whose values may have commas: a struct rm_strings. */
#define RM_OPT_EACH(letter, name, target, arg, help) \
	{ RM_OPTION_EACH, letter, name, target, 0, 0, arg, help, NULL, NULL }
#define RM_OPT_SIZE(letter, name, target, min, max, arg, help) \
	{ RM_OPTION_SIZE, letter, name, target, min, max, arg, help, NULL, \
	  NULL }
#define RM_OPT_I64(letter, name, target, min, max, arg, help) \
	{ RM_OPTION_I64, letter, name, target, min, max, arg, help, NULL, \
	  NULL }
#define RM_OPT_DOUBLE(letter, name, target, min, max, arg, help) \
	{ RM_OPTION_DOUBLE, letter, name, target, min, max, arg, help, NULL, \
	  NULL }
#define RM_OPT_CHOICE(letter, name, target, arg, help, choices) \
	{ RM_OPTION_CHOICE, letter, name, target, 0, 0, arg, help, choices, \
	  NULL }
#define RM_OPT_END \
	{ RM_OPTION_END, 0, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }

struct rm_tool {
	const char *name;		/* "rm-pair" */
	const char *summary;		/* one line, no full stop */
	const char *operands;		/* "[FILE...]" */
	const struct rm_option *options;
	const char *notes;		/* printed under the options, or NULL */
};

/* -q, shared by all tools that print progress (set by RM_OPT_QUIET). */
#define RM_OPT_QUIET(target) \
	RM_OPT_FLAG('q', "quiet", target, "no messages but errors")
#define RM_OPT_THREADS(target) \
	RM_OPT_SIZE('@', "threads", target, 1, 256, "N", "threads")
#define RM_OPT_SEED(target) \
	RM_OPT_I64('s', "seed", target, 0, 9007199254740992.0, "SEED", \
		   "seed of all randomness")
#define RM_OPT_OUTPUT(target) \
	RM_OPT_STRING('o', "output", target, "FILE", \
		      "write to FILE, renamed into place when done")
#define RM_OPT_NO_HISTORY(target) \
	RM_OPT_FLAG(0, "no-history", target, \
		    "leave this run out of the history")
#define RM_OPT_MAX_RECORD(target) \
	RM_OPT_SIZE(0, "max-record", target, 64, 4294967295.0, "BYTES", \
		    "refuse records larger than this")

/* A transformer's products; the target is a const char *, "auto" first. */
extern const char *const rm_cli_precisions[];
#define RM_OPT_PRECISION(target) \
	RM_OPT_CHOICE(0, "precision", target, "NAME", \
		      "of a transformer's products", rm_cli_precisions)
/* What such a name means here. */
enum rm_precision rm_cli_precision(const char *name);

/*
 * Parse options (anywhere among the operands, "--" ends them, -x VALUE,
 * -xVALUE, --name VALUE, --name=VALUE).  --help and --version print to
 * stdout and exit 0; misuse prints one line naming the valid options to
 * stderr and exits 2.  Operands are moved to the end of argv; returns the
 * index of the first.
 */
int rm_cli_parse(const struct rm_tool *tool, int argc, char **argv);

/* Print usage and exit 2 if there is no operand and stdin is a terminal. */
void rm_cli_need_input(const struct rm_tool *tool, int argc, int first);

/* Print "TOOL: message" and the usage hint, exit 2. */
void rm_cli_usage(const struct rm_tool *tool, const char *fmt, ...)
	RM_PRINTF(2, 3) __attribute__((noreturn));

/* "TOOL: message" on stderr. */
void rm_cli_note(const struct rm_tool *tool, const char *fmt, ...)
	RM_PRINTF(2, 3);

/*
 * A progress line on stderr, a few times a second, only on a terminal and
 * not when quiet, cut to its width: "rm-train: 12.3 k pairs, 1.2 k/s, ETA
 * 00:12".
 */
struct rm_progress {
	const struct rm_tool *tool;
	const char *unit;
	double total;			/* 0: unknown, no ETA */
	bool on;
	double start, last;
};

void rm_progress_start(struct rm_progress *p, const struct rm_tool *tool,
		       const char *unit, double total, bool quiet);
/* `extra` is appended, may be NULL. */
void rm_progress_update(struct rm_progress *p, double done,
			const char *extra);
/* 1234567 as "1.2 M", for `extra`. */
void rm_progress_scale(char *buf, size_t n, double x);
/* Clear the line; then, on a terminal: time, CPU and peak memory. */
void rm_progress_end(struct rm_progress *p);

/*
 * The end of main: commits `out` if ok, else aborts it and prints the
 * thread's message.  Returns the exit status; a reader that went away ends
 * the tool quietly by SIGPIPE.  out may be NULL.
 */
int rm_cli_end(const struct rm_tool *tool, struct rm_output *out, bool ok);

/* Comma-separated names into a list / freed. */
int rm_strings_split(struct rm_strings *list, const char *text);
void rm_strings_fini(struct rm_strings *list);

/* Processors this process may use (sched_getaffinity), at least 1. */
size_t rm_cpu_count(void);

#endif
