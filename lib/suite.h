/*
 * suite: published benchmarks, each judged by its own rules.
 *
 * Takes scored records one by one, groups as rm-tokenize makes them of the
 * published file (or, of two responses, pairs); gives the lines of the
 * benchmark's table.  A benchmark is a drop-in file of lib/suite/.  Knows
 * records, not streams or reports.  Errors as in base.h.
 *
 *	s = rm_suite_new(&h->schema, h->pairs, "auto", "reward");
 *	while (rm_reader_next(in, &rec) > 0)
 *		rm_suite_add(s, rec);
 *	rm_suite_finish(s, &figures);
 */
#ifndef RM_SUITE_H
#define RM_SUITE_H

#include "record.h"

/* A line of its table. */
struct rm_suite_line {
	const char *name;
	bool section;		/* a section; lines of its subsets follow */
	size_t n;		/* records; 0: a mean of other lines */
	double value;		/* 0..1; NaN: a section that lacks subsets */
};

enum { RM_SUITE_STYLES = 3 };

struct rm_suite_figures {
	const char *name;	/* "rewardbench" */
	const char *title;	/* "RewardBench" */
	size_t n;
	const struct rm_suite_line *line;	/* [n] */
	/* Shares of right answers by style of the preferred and of the other
	 * response: concise, detailed, detailed with markup. */
	bool matrix;
	double style[RM_SUITE_STYLES][RM_SUITE_STYLES];
	/* Whether its results are files of RewardBench's form. */
	bool results;
	const char *missing;	/* what could not be computed, why; or NULL */
};

struct rm_suite;

/* "auto" and the names of lib/suite, ending in NULL. */
const char *const *rm_suite_names(void);

/*
 * For records of this schema, which stays the caller's; auto: the benchmark
 * that has the first record's subset; `field`, the caller's too, holds the
 * rewards.  NULL with a message.
 */
struct rm_suite *rm_suite_new(const struct rm_schema *schema, bool pairs,
			      const char *name, const char *field);
/* The message names the field; the caller adds file and record. */
int rm_suite_add(struct rm_suite *s, const struct rm_record *rec);
/* The figures point into s. */
int rm_suite_finish(struct rm_suite *s, struct rm_suite_figures *to);
void rm_suite_free(struct rm_suite *s);

#endif
