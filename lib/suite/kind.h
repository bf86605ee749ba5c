/* kind: what a benchmark owes, and what all share.  For lib/suite alone. */
#ifndef RM_SUITE_KIND_H
#define RM_SUITE_KIND_H

#include "suite.h"

#include <math.h>
#include <string.h>

/* A record as a benchmark sees it. */
struct rm_suite_item {
	struct rm_slice id, subset;
	size_t k;
	const double *reward;	/* [k] finite */
	const double *rank;	/* [k] 0 best; finite */
	/* How many are right, as the data say; negative: they do not. */
	json_int_t right;
};

/* Sums of the records of one subset. */
struct rm_suite_sums {
	char *name;
	size_t n;
	double sum[RM_SUITE_STYLES * RM_SUITE_STYLES];
};

/* What is kept of a record until all are there. */
struct rm_suite_kept {
	uint64_t id;		/* of what belongs together */
	size_t subset;		/* index of its sums */
	int what;		/* the benchmark's own */
	double x[3];
};

struct rm_suite {
	const struct rm_suite_kind *kind;	/* NULL: not known yet */
	int id, subset, reward, rank, extra;
	const char *field;			/* of the rewards */
	bool pairs;
	struct rm_suite_sums *sums;
	size_t n_sums, cap_sums;
	struct rm_suite_kept *kept;
	size_t n_kept, cap_kept;
	struct rm_suite_line *line;
	size_t n_lines, cap_lines;
	double *value;				/* [2k] of the record at hand */
	size_t cap_value;
	struct rm_buf missing;
	char *lacks;		/* what the last of them was said of */
};

struct rm_suite_kind {
	const char *name, *title;
	bool results;
	const char *right;	/* the column of extra that says it, or NULL */
	/* Whether it has this subset. */
	bool (*has)(struct rm_slice subset);
	/* at: the sums of the record's subset, n counted already. */
	int (*add)(struct rm_suite *s, const struct rm_suite_item *item,
		   struct rm_suite_sums *at);
	/* Adds the lines, all of which rest on records. */
	int (*finish)(struct rm_suite *s, struct rm_suite_figures *to);
};

static inline bool rm_suite_is(struct rm_slice s, const char *name)
{
	return s.len == strlen(name) && memcmp(s.data, name, s.len) == 0;
}

/* The sums of a subset, or NULL: none of its records were seen. */
const struct rm_suite_sums *rm_suite_of(const struct rm_suite *s,
					const char *subset);

int rm_suite_line(struct rm_suite *s, const char *name, bool section,
		  size_t n, double value);

/* Says what is missing: "overall: no records of Chat, Safety". */
void rm_suite_lacks(struct rm_suite *s, const char *what, const char *of);

int rm_suite_keep(struct rm_suite *s, const struct rm_suite_kept *kept);
/* By id, then by what. */
void rm_suite_sort(struct rm_suite *s);

/*
 * The one best response of a record of two or more, SIZE_MAX and a message
 * where there is not one.
 */
size_t rm_suite_best(const struct rm_suite *s,
		     const struct rm_suite_item *item);

#endif
