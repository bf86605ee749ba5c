/*
 * report: figures as a page to read, as JSON, TSV, HTML, for Prometheus.
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
#include "suite.h"

/* Where a picture stands: with a section of figures, or with a part. */
enum rm_place {
	RM_PLACE_PAIRS = RM_SECTION_PAIRS, RM_PLACE_ORDER = RM_SECTION_ORDER,
	RM_PLACE_CALIBRATION = RM_SECTION_CALIBRATION,
	RM_PLACE_BIAS = RM_SECTION_BIAS,
	RM_PLACE_PARTS,			/* the values of --by */
	RM_PLACE_ATTACK,
	RM_PLACE_TRAINING
};

/* A picture of the page of HTML: an svg element, or why there is none. */
struct rm_report_picture {
	const char *name;
	enum rm_place place;
	const char *absent;		/* NULL: it was drawn */
	const char *title, *caption, *svg;
};

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
	const struct rm_best_of *best;	/* NULL: not asked for */
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
	/* The table of a published benchmark, or NULL. */
	const struct rm_suite_figures *suite;
	const char *chat_template;	/* what texts went through, or NULL */
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
	size_t pictures;		/* for HTML alone; 0: none wanted */
	const struct rm_report_picture *picture;	/* [pictures] */
};

/* The names of the formats, ending in NULL. */
extern const char *const rm_report_formats[];
extern const char *const rm_ties_names[];

/* Append the report; format is one of the names. */
int rm_report_render(const struct rm_report *r, const char *format,
		     struct rm_buf *out);

#endif
