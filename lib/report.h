/*
 * report: figures as a page to read, as JSON, as TSV, for Prometheus.
 *
 * One structure, filled by a tool; one renderer a format, a row in a table.
 * Knows metrics, not streams.  The structure borrows everything it points
 * to.  Errors as in base.h.
 *
 *	struct rm_report r = { .input = "test.scores", ... };
 *	if (rm_report_render(&r, "text", &out) < 0)
 *		...
 */
#ifndef RM_REPORT_H
#define RM_REPORT_H

#include "compare.h"
#include "drift.h"
#include "robust.h"

/* One part of the data, or all of it. */
struct rm_report_part {
	const char *name;
	size_t n;			/* comparisons */
	struct rm_figure *figures;	/* [metrics] */
};

struct rm_report {
	const char *input;		/* what was read, for the title */
	size_t n, records, responses, clusters;
	bool keyed;			/* clusters are prompts, else records */
	bool grouped;			/* records of several comparisons */
	bool calibrated;		/* some P come from the field prob */
	enum rm_ties ties;
	size_t bootstrap;		/* resamples, 0: none */
	const char *length_unit;	/* "characters", "tokens" or NULL */
	size_t metrics;
	struct rm_figure *figures;	/* [metrics] of all */
	struct rm_beside_figures beside;	/* of all */
	/* The reliability tables; NULL: not asked for. */
	const struct rm_bins *bins[RM_BINS_TABLES];
	/* What another model makes of the same records, or NULL. */
	const struct rm_compared *against;
	const char *other;		/* what was read for it */
	/* What has changed since an older stream, or NULL. */
	const struct rm_drift *drift;
	const char *baseline;		/* what was read for it */
	/* What the same figures are on other data, or NULL. */
	const struct rm_ood *ood;
	const char *ood_input;		/* what was read for it */
	/* Rewards under attack, a row a value of eps; NULL: none. */
	const struct rm_attacks *attacks;
	/*
	 * Smallest differences of accuracy that could be seen: from a fixed
	 * value, of two models judged apart; that of `against` stands there.
	 */
	bool detectable;		/* asked for */
	double fixed, apart;
	const char *by;			/* what makes the parts, or NULL */
	size_t parts;
	struct rm_report_part *part;	/* [parts] in order of name */
	const json_t *history;		/* JSON array, or NULL */
};

/* The names of the formats, ending in NULL. */
extern const char *const rm_report_formats[];
extern const char *const rm_ties_names[];

/* Append the report; format is one of the names. */
int rm_report_render(const struct rm_report *r, const char *format,
		     struct rm_buf *out);

#endif
