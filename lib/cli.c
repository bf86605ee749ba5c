#include "cli.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static bool no_help, no_version;

/* The rows every tool has; their targets are never set. */
static const struct rm_option standard[] = {
	RM_OPT_FLAG('h', "help", &no_help, "print this help and exit"),
	RM_OPT_FLAG(0, "version", &no_version, "print the version and exit"),
	RM_OPT_END
};

/* ---- lists ---- */

static int strings_add(struct rm_strings *list, const char *s, size_t n)
{
	void *bigger = rm_realloc(list->item, list->n + 1, sizeof(char *));

	if (!bigger)
		return -1;
	list->item = bigger;
	list->item[list->n] = rm_strndup(s, n);
	if (!list->item[list->n])
		return -1;
	list->n++;
	return 0;
}

int rm_strings_split(struct rm_strings *list, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, ",");

		if (n == 0)
			return rm_fail("an empty name in '%s'", text);
		if (strings_add(list, text, n) < 0)
			return -1;
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

void rm_strings_fini(struct rm_strings *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct rm_strings){0};
}

/* ---- the option table ---- */

/* Call fn for each row, groups opened, standard rows last, until it is true;
 * the row it was true for, or NULL. */
typedef bool row_fn(const struct rm_option *row, void *arg);

static const struct rm_option *each_row(const struct rm_option *rows,
					row_fn *fn, void *arg)
{
	const struct rm_option *found;

	for (; rows->kind != RM_OPTION_END; rows++) {
		if (rows->kind == RM_OPTION_GROUP) {
			found = each_row(rows->group, fn, arg);
			if (found)
				return found;
		} else if (fn(rows, arg)) {
			return rows;
		}
	}
	return NULL;
}

static const struct rm_option *each_option(const struct rm_tool *tool,
					   row_fn *fn, void *arg)
{
	const struct rm_option *found = each_row(tool->options, fn, arg);

	return found ? found : each_row(standard, fn, arg);
}

static bool is_letter(const struct rm_option *row, void *arg)
{
	return row->letter && row->letter == *(const char *)arg;
}

struct name {
	const char *text;
	size_t len;
};

static bool is_name(const struct rm_option *row, void *arg)
{
	const struct name *name = arg;

	return strlen(row->name) == name->len &&
	       memcmp(row->name, name->text, name->len) == 0;
}

static bool takes_value(const struct rm_option *row)
{
	return row->kind != RM_OPTION_FLAG;
}

static int set_choice(const struct rm_option *row, const char *value)
{
	struct rm_buf names = {0};

	for (size_t i = 0; row->choices[i]; i++)
		if (strcmp(row->choices[i], value) == 0) {
			*(const char **)row->target = row->choices[i];
			return 0;
		}
	rm_join_names(&names, row->choices);
	rm_fail("'%s' is not one of %s", value, rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

static int set_value(const struct rm_option *row, const char *value)
{
	switch (row->kind) {
	case RM_OPTION_FLAG:
		*(bool *)row->target = true;
		return 0;
	case RM_OPTION_STRING:
		*(const char **)row->target = value;
		return 0;
	case RM_OPTION_SIZE:
		return rm_parse_size(value, (size_t)row->min,
				     (size_t)row->max, row->target);
	case RM_OPTION_I64:
		return rm_parse_i64(value, (int64_t)row->min,
				    (int64_t)row->max, row->target);
	case RM_OPTION_DOUBLE:
		return rm_parse_double(value, row->min, row->max,
				       row->target);
	case RM_OPTION_CHOICE:
		return set_choice(row, value);
	case RM_OPTION_LIST:
		return rm_strings_split(row->target, value);
	case RM_OPTION_EACH:
		return strings_add(row->target, value, strlen(value));
	case RM_OPTION_END:
	case RM_OPTION_GROUP:
	default:
		return rm_fail("not an option");
	}
}

/* ---- help ---- */

/* As one would type it: 1G. */
static void append_size(struct rm_buf *b, size_t n)
{
	const size_t mega = (size_t)1 << 20, giga = (size_t)1 << 30;

	if (n > 0 && n % giga == 0)
		rm_buf_printf(b, " [%zuG]", n / giga);
	else if (n > 0 && n % mega == 0)
		rm_buf_printf(b, " [%zuM]", n / mega);
	else
		rm_buf_printf(b, " [%zu]", n);
}

static void append_default(struct rm_buf *b, const struct rm_option *row)
{
	const char *s;
	char number[32];

	switch (row->kind) {
	case RM_OPTION_SIZE:
		append_size(b, *(size_t *)row->target);
		break;
	case RM_OPTION_I64:
		rm_buf_printf(b, " [%lld]",
			      (long long)*(int64_t *)row->target);
		break;
	case RM_OPTION_DOUBLE:
		if (isfinite(*(double *)row->target))
			rm_buf_printf(b, " [%s]", rm_format_double(
				      *(double *)row->target, number));
		break;
	case RM_OPTION_STRING:
	case RM_OPTION_CHOICE:
		s = *(const char **)row->target;
		if (s && *s)
			rm_buf_printf(b, " [%s]", s);
		break;
	case RM_OPTION_FLAG:
	case RM_OPTION_LIST:
	case RM_OPTION_EACH:
	case RM_OPTION_END:
	case RM_OPTION_GROUP:
	default:
		break;
	}
}

enum { HELP_COLUMN = 28 };

static bool append_help(const struct rm_option *row, void *arg)
{
	struct rm_buf *b = arg, text = {0};
	size_t start = b->len, width;

	if (row->letter)
		rm_buf_printf(b, "  -%c, --%s", row->letter, row->name);
	else
		rm_buf_printf(b, "      --%s", row->name);
	if (row->arg)
		rm_buf_printf(b, " %s", row->arg);
	width = b->len - start;
	if (width > HELP_COLUMN - 2) {
		rm_buf_putc(b, '\n');
		width = 0;
	}
	rm_buf_printf(b, "%*s", (int)(HELP_COLUMN - width), "");
	rm_buf_puts(&text, row->help);
	if (row->kind == RM_OPTION_CHOICE) {
		rm_buf_puts(&text, ": ");
		rm_join_names(&text, row->choices);
	}
	append_default(&text, row);
	rm_buf_wrap(b, rm_buf_text(&text), HELP_COLUMN, HELP_COLUMN);
	rm_buf_fini(&text);
	return false;
}

static void append_usage(struct rm_buf *b, const struct rm_tool *tool)
{
	rm_buf_printf(b, "usage: %s [OPTION...]%s%s\n", tool->name,
		      *tool->operands ? " " : "", tool->operands);
}

static void print_and_exit(const struct rm_tool *tool, struct rm_buf *b)
{
	struct rm_output *out = rm_output_open(NULL);
	bool ok = out && !b->failed &&
		  rm_output_write(out, b->data, b->len) == 0;

	exit(rm_cli_end(tool, out, ok));
}

static void help(const struct rm_tool *tool)
{
	struct rm_buf b = {0};

	append_usage(&b, tool);
	rm_buf_printf(&b, "%s: %s\n\n", tool->name, tool->summary);
	each_option(tool, append_help, &b);
	if (tool->notes)
		rm_buf_printf(&b, "\n%s", tool->notes);
	print_and_exit(tool, &b);
}

static void version(const struct rm_tool *tool)
{
	struct rm_buf b = {0};

	rm_buf_printf(&b, "%s (rmtools) %s\n", tool->name, RM_VERSION);
	print_and_exit(tool, &b);
}

/* ---- parsing ---- */

static void misuse(const struct rm_tool *tool)
{
	fprintf(stderr, "%s: %s\n", tool->name, rm_error());
	exit(RM_EXIT_USAGE);
}

static bool append_option(const struct rm_option *row, void *arg)
{
	struct rm_buf *b = arg;

	if (row->letter)
		rm_buf_printf(b, " -%c", row->letter);
	rm_buf_printf(b, " --%s", row->name);
	return false;
}

static void unknown(const struct rm_tool *tool, const char *what)
{
	struct rm_buf b = {0};

	each_option(tool, append_option, &b);
	rm_fail("unknown option %s; the options are:%s", what,
		rm_buf_text(&b));
	rm_buf_fini(&b);
	misuse(tool);
}

static void apply(const struct rm_tool *tool, const struct rm_option *row,
		  const char *value)
{
	if (row->target == &no_help)
		help(tool);
	if (row->target == &no_version)
		version(tool);
	if (set_value(row, value) < 0) {
		rm_wrap("--%s", row->name);
		misuse(tool);
	}
}

/* The long option at argv[i]; returns the index of the last word used. */
static int parse_long(const struct rm_tool *tool, int argc, char **argv,
		      int i)
{
	const char *text = argv[i] + 2, *value = strchr(text, '=');
	struct name name = { text, strcspn(text, "=") };
	const struct rm_option *row = each_option(tool, is_name, &name);

	if (!row)
		unknown(tool, argv[i]);
	if (takes_value(row) && !value && i + 1 == argc) {
		rm_fail("--%s needs a value: %s", row->name, row->arg);
		misuse(tool);
	}
	if (!takes_value(row) && value) {
		rm_fail("--%s takes no value", row->name);
		misuse(tool);
	}
	if (takes_value(row) && !value)
		value = argv[++i];
	else if (value)
		value++;
	apply(tool, row, value);
	return i;
}

/* The letters at argv[i], such as -q or -qn3 or -n 3. */
static int parse_letters(const struct rm_tool *tool, int argc, char **argv,
			 int i)
{
	for (const char *p = argv[i] + 1; *p; p++) {
		char letter[2] = { *p, '\0' };
		const struct rm_option *row =
			each_option(tool, is_letter, letter);

		if (!row)
			unknown(tool, argv[i]);
		if (!takes_value(row)) {
			apply(tool, row, NULL);
			continue;
		}
		if (p[1]) {
			apply(tool, row, p + 1);
			return i;
		}
		if (i + 1 == argc) {
			rm_fail("-%c needs a value: %s", *p, row->arg);
			misuse(tool);
		}
		apply(tool, row, argv[i + 1]);
		return i + 1;
	}
	return i;
}

/*
 * A program may be started with its standard files closed; the next file
 * opened would become one of them, and messages would go into it.  What
 * stands in for them can be neither read nor written, as they could not.
 */
static void hold_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY
							     : O_RDONLY);
	}
}

int rm_cli_parse(const struct rm_tool *tool, int argc, char **argv)
{
	size_t words = (size_t)argc;
	char **option = rm_malloc(2 * words, sizeof(*option));
	char **operand;
	int options = 0, operands = 0, last;

	hold_standard_files();
	if (!option)
		misuse(tool);
	operand = option + words;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			option[options++] = argv[i];
			while (++i < argc)
				operand[operands++] = argv[i];
			break;
		}
		if (strncmp(argv[i], "--", 2) == 0) {
			last = parse_long(tool, argc, argv, i);
		} else if (argv[i][0] == '-' && argv[i][1]) {
			last = parse_letters(tool, argc, argv, i);
		} else {
			operand[operands++] = argv[i];
			continue;
		}
		for (; i <= last; i++)
			option[options++] = argv[i];
		i = last;
	}
	memcpy(argv + 1, option, (size_t)options * sizeof(*option));
	memcpy(argv + 1 + options, operand,
	       (size_t)operands * sizeof(*operand));
	free(option);
	return 1 + options;
}

void rm_cli_need_input(const struct rm_tool *tool, int argc, int first)
{
	struct rm_buf b = {0};

	if (first < argc || !isatty(STDIN_FILENO))
		return;
	append_usage(&b, tool);
	rm_buf_printf(&b, "%s: %s\nTry '%s --help' for the options.\n",
		      tool->name, tool->summary, tool->name);
	fputs(rm_buf_text(&b), stderr);
	exit(RM_EXIT_USAGE);
}

void rm_cli_usage(const struct rm_tool *tool, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", tool->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry '%s --help' for the options.\n", tool->name);
	exit(RM_EXIT_USAGE);
}

void rm_cli_note(const struct rm_tool *tool, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", tool->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- progress ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void rm_progress_start(struct rm_progress *p, const struct rm_tool *tool,
		       const char *unit, double total, bool quiet)
{
	*p = (struct rm_progress){
		.tool = tool, .unit = unit, .total = total,
		.on = !quiet && isatty(STDERR_FILENO), .start = now()
	};
}

void rm_progress_scale(char *buf, size_t n, double x)
{
	static const char *const units[] = { "", " k", " M", " G", " T" };
	size_t u = 0;

	while (x >= 1000 && u + 1 < RM_COUNT(units)) {
		x /= 1000;
		u++;
	}
	snprintf(buf, n, u && x < 100 ? "%.1f%s" : "%.0f%s", x, units[u]);
}

/* Columns of the terminal but the last: a longer line would not go away. */
static int room(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return 79;
	return size.ws_col - 1;
}

void rm_progress_update(struct rm_progress *p, double done,
			const char *extra)
{
	char count[32], rate[32], eta[32] = "", line[400];
	double t, left;

	if (!p->on)
		return;
	t = now();
	if (t - p->last < 0.2)
		return;
	p->last = t;
	rm_progress_scale(count, sizeof(count), done);
	rm_progress_scale(rate, sizeof(rate), done / RM_MAX(t - p->start, 1e-3));
	if (p->total > 0 && done > 0) {
		left = (p->total - done) * (t - p->start) / done;
		snprintf(eta, sizeof(eta), ", ETA %02d:%02d",
			 (int)(left / 60), (int)left % 60);
	}
	snprintf(line, sizeof(line), "%s: %s %s, %s/s%s%s%s", p->tool->name,
		 count, p->unit, rate, eta, extra ? ", " : "",
		 extra ? extra : "");
	fprintf(stderr, "\r\033[K%.*s", room(), line);
}

void rm_progress_end(struct rm_progress *p)
{
	struct rusage use;

	if (!p->on)
		return;
	getrusage(RUSAGE_SELF, &use);
	fprintf(stderr, "\r\033[K%s: %.2f s, %.2f s CPU, %.0f MiB peak\n",
		p->tool->name, now() - p->start,
		(double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
		1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec),
		(double)use.ru_maxrss / 1024);
	p->on = false;
}

/* ---- the end ---- */

int rm_cli_end(const struct rm_tool *tool, struct rm_output *out, bool ok)
{
	bool broken;

	ok = ok && (!out || rm_output_flush(out) == 0);
	broken = out && rm_output_broken_pipe(out);
	if (ok && out)
		ok = rm_output_commit(out) == 0;
	else
		rm_output_abort(out);
	if (ok)
		return RM_EXIT_OK;
	if (broken) {
		/* As a tool that never heard of SIGPIPE would end. */
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	fprintf(stderr, "%s: %s\n", tool->name,
		rm_error()[0] ? rm_error() : "failed");
	return RM_EXIT_FAIL;
}

const char *const rm_cli_precisions[] = { "auto", "fp32", "bf16", NULL };

enum rm_precision rm_cli_precision(const char *name)
{
	if (strcmp(name, "auto") == 0)
		return rm_gemm_auto();
	return strcmp(name, "bf16") == 0 ? RM_BF16 : RM_FP32;
}

size_t rm_cpu_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set))
		return (size_t)CPU_COUNT(&set);
	return 1;
}
