/*
 * The figures of what a reward should not go by: length, place, markup; and of
 * prompts that occur again.
 */
#include "metric/scores.h"

#include <stdlib.h>

/* ---- with more of a trait, and with less ---- */

/* 1 the preferred response has more, -1 less, 0 neither or not known. */
static int side(const struct rm_scores *s, enum rm_trait trait, size_t i,
		int prefers)
{
	const signed char *more = s->trait[trait];

	return !prefers || !more || more[i] == 2 ? 0 : prefers * more[i];
}

/* sum w hit, sum w over comparisons of that side. */
static int side_rows(const struct rm_scores *s, enum rm_trait trait, int of,
		     size_t from, size_t to, double *out)
{
	for (size_t r = from; r < to; r++, out += 2) {
		size_t i, end = rm_scores_comparison(s, r + 1);
		double w = rm_scores_weight(s, r);

		out[0] = out[1] = 0;
		for (i = rm_scores_comparison(s, r); i < end; i++) {
			int prefers = rm_scores_prefers(s, i);

			if (side(s, trait, i, prefers) != of)
				continue;
			out[0] += w * rm_scores_hit(s, i, prefers);
			out[1] += w;
		}
	}
	return 0;
}

static int longer_right(const struct rm_scores *s, size_t from, size_t to,
			double *out)
{
	return side_rows(s, RM_TRAIT_LENGTH, 1, from, to, out);
}

static int shorter_right(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	return side_rows(s, RM_TRAIT_LENGTH, -1, from, to, out);
}

static int first_right(const struct rm_scores *s, size_t from, size_t to,
		       double *out)
{
	return side_rows(s, RM_TRAIT_PLACE, 1, from, to, out);
}

static int second_right(const struct rm_scores *s, size_t from, size_t to,
			double *out)
{
	return side_rows(s, RM_TRAIT_PLACE, -1, from, to, out);
}

static int marked_right(const struct rm_scores *s, size_t from, size_t to,
			double *out)
{
	return side_rows(s, RM_TRAIT_FORMAT, 1, from, to, out);
}

static int plain_right(const struct rm_scores *s, size_t from, size_t to,
		       double *out)
{
	return side_rows(s, RM_TRAIT_FORMAT, -1, from, to, out);
}

/* ---- how often the preferred one has more ---- */

/* sum w (1 + side) / 2, sum w over comparisons where the trait is known. */
static int wins_rows(const struct rm_scores *s, enum rm_trait trait,
		     bool equal_too, size_t from, size_t to, double *out)
{
	for (size_t r = from; r < to; r++, out += 2) {
		size_t i, end = rm_scores_comparison(s, r + 1);
		double w = rm_scores_weight(s, r);

		out[0] = out[1] = 0;
		for (i = rm_scores_comparison(s, r); i < end; i++) {
			int prefers = rm_scores_prefers(s, i);
			int more = side(s, trait, i, prefers);

			if (!prefers || !s->trait[trait] ||
			    s->trait[trait][i] == 2 || (!more && !equal_too))
				continue;
			out[0] += w * (1 + more) / 2;
			out[1] += w;
		}
	}
	return 0;
}

static int longer_wins(const struct rm_scores *s, size_t from, size_t to,
		       double *out)
{
	return wins_rows(s, RM_TRAIT_LENGTH, true, from, to, out);
}

static int marked_wins(const struct rm_scores *s, size_t from, size_t to,
		       double *out)
{
	return wins_rows(s, RM_TRAIT_FORMAT, false, from, to, out);
}

/* ---- how often the one with more has the higher reward ---- */

/* sum w hit, sum w over comparisons of responses that differ in the trait. */
static int picked_rows(const struct rm_scores *s, enum rm_trait trait,
		       size_t from, size_t to, double *out)
{
	const signed char *more = s->trait[trait];

	for (size_t r = from; r < to; r++, out += 2) {
		size_t i, end = rm_scores_comparison(s, r + 1);
		double w = rm_scores_weight(s, r);

		out[0] = out[1] = 0;
		for (i = rm_scores_comparison(s, r); more && i < end; i++) {
			double ahead = s->d[i] * more[i];

			if (more[i] == 2 || more[i] == 0)
				continue;
			out[0] += w * (ahead > 0 ? 1 : ahead < 0 ? 0 : .5);
			out[1] += w;
		}
	}
	return 0;
}

static int first_wins(const struct rm_scores *s, size_t from, size_t to,
		      double *out)
{
	return wins_rows(s, RM_TRAIT_PLACE, false, from, to, out);
}

static int first_picked(const struct rm_scores *s, size_t from, size_t to,
			double *out)
{
	return picked_rows(s, RM_TRAIT_PLACE, from, to, out);
}

static int longer_picked(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	return picked_rows(s, RM_TRAIT_LENGTH, from, to, out);
}

static int marked_picked(const struct rm_scores *s, size_t from, size_t to,
			 double *out)
{
	return picked_rows(s, RM_TRAIT_FORMAT, from, to, out);
}

/* ---- prompts ---- */

static int repeated(struct rm_scores *s, double *value)
{
	*value = s->keyed && s->records ?
		1 - (double)s->clusters / (double)s->records : NAN;
	return 0;
}

/* ---- the rows ---- */

static bool has_length(const struct rm_scores *s)
{
	return s->trait[RM_TRAIT_LENGTH] != NULL;
}

/* Standing first is chance only where others stood second. */
static bool has_place(const struct rm_scores *s)
{
	bool first = false, second = false;

	for (size_t r = 0; r < s->records && !(first && second); r++) {
		size_t i, end = rm_scores_comparison(s, r + 1);

		if (!(rm_scores_weight(s, r) > 0))
			continue;
		for (i = rm_scores_comparison(s, r); i < end; i++) {
			int more = side(s, RM_TRAIT_PLACE, i,
					rm_scores_prefers(s, i));

			first |= more > 0;
			second |= more < 0;
		}
	}
	return first && second;
}

static bool has_format(const struct rm_scores *s)
{
	return s->trait[RM_TRAIT_FORMAT] != NULL;
}

#define NO_LENGTH "no field length or n_tokens"
#define NO_PLACE \
	"no field position, or one place only"
#define NO_FORMAT "no field format, or no two responses differ in it"

const struct rm_metric_kind rm_metric_longer_wins = {
	"longer_wins", RM_SECTION_BIAS, 2, RM_UNIT_SHARE,
	"longer response is the preferred one",
	"weighted share of comparisons in which the longer response is the "
	"preferred one, equal lengths half: the accuracy of knowing nothing "
	"but length",
	NO_LENGTH,
	.sums = 2, .rows = longer_wins, .applies = has_length
};

const struct rm_metric_kind rm_metric_longer_picked = {
	"longer_picked", RM_SECTION_BIAS, 3, RM_UNIT_SHARE,
	"longer response has more reward",
	"weighted share, among comparisons of responses of different lengths, "
	"of those in which the longer one has the higher reward, equal "
	"rewards half, whatever the labels say: more than longer_wins is "
	"length the labels do not ask for",
	NO_LENGTH ", or none differ",
	.sums = 2, .rows = longer_picked, .applies = has_length
};

const struct rm_metric_kind rm_metric_longer_right = {
	"longer_right", RM_SECTION_BIAS, 4, RM_UNIT_SHARE,
	"right where the preferred is longer",
	"accuracy over the comparisons whose preferred response is the longer "
	"one",
	NO_LENGTH ", or never the longer one",
	.sums = 2, .rows = longer_right, .applies = has_length
};

const struct rm_metric_kind rm_metric_shorter_right = {
	"shorter_right", RM_SECTION_BIAS, 5, RM_UNIT_SHARE,
	"right where it is shorter",
	"accuracy over the comparisons whose preferred response is the "
	"shorter one",
	NO_LENGTH ", or never the shorter one",
	.sums = 2, .rows = shorter_right, .applies = has_length
};

const struct rm_metric_kind rm_metric_first_wins = {
	"first_wins", RM_SECTION_BIAS, 8, RM_UNIT_SHARE,
	"preferred response stood first",
	"weighted share of comparisons whose preferred response stood before "
	"the other in the input (field position); only where others stood "
	"after it, for in data that name the better one first the place says "
	"nothing",
	NO_PLACE,
	.sums = 2, .rows = first_wins, .applies = has_place
};

const struct rm_metric_kind rm_metric_first_picked = {
	"first_picked", RM_SECTION_BIAS, 9, RM_UNIT_SHARE,
	"the one that stood first has more",
	"weighted share of comparisons in which the response that stood first "
	"has the higher reward, equal rewards half, whatever the labels say; "
	"where first_wins has a value",
	NO_PLACE,
	.sums = 2, .rows = first_picked, .applies = has_place
};

const struct rm_metric_kind rm_metric_first_right = {
	"first_right", RM_SECTION_BIAS, 10, RM_UNIT_SHARE,
	"right where preferred stood first",
	"accuracy over the comparisons whose preferred response stood before "
	"the other in the input; only where others stood after it",
	NO_PLACE,
	.sums = 2, .rows = first_right, .applies = has_place
};

const struct rm_metric_kind rm_metric_second_right = {
	"second_right", RM_SECTION_BIAS, 11, RM_UNIT_SHARE,
	"right where it stood second",
	"accuracy over the comparisons whose preferred response stood after "
	"the other in the input; only where others stood before it",
	NO_PLACE,
	.sums = 2, .rows = second_right, .applies = has_place
};

const struct rm_metric_kind rm_metric_marked_wins = {
	"marked_wins", RM_SECTION_BIAS, 12, RM_UNIT_SHARE,
	"more markup is the preferred one",
	"weighted share, among comparisons of responses with different "
	"numbers of kinds of markup (field format: lists, bold, headings, "
	"code), of those in which the one with more is the preferred one",
	NO_FORMAT,
	.sums = 2, .rows = marked_wins, .applies = has_format
};

const struct rm_metric_kind rm_metric_marked_picked = {
	"marked_picked", RM_SECTION_BIAS, 13, RM_UNIT_SHARE,
	"more markup has more reward",
	"weighted share, among comparisons of responses with different "
	"numbers of kinds of markup, of those in which the one with more has "
	"the higher reward, equal rewards half, whatever the labels say",
	NO_FORMAT,
	.sums = 2, .rows = marked_picked, .applies = has_format
};

const struct rm_metric_kind rm_metric_marked_right = {
	"marked_right", RM_SECTION_BIAS, 14, RM_UNIT_SHARE,
	"right where the preferred has more",
	"accuracy over the comparisons whose preferred response has more "
	"kinds of markup",
	NO_FORMAT,
	.sums = 2, .rows = marked_right, .applies = has_format
};

const struct rm_metric_kind rm_metric_plain_right = {
	"plain_right", RM_SECTION_BIAS, 15, RM_UNIT_SHARE,
	"right where it has less",
	"accuracy over the comparisons whose preferred response has fewer "
	"kinds of markup",
	NO_FORMAT,
	.sums = 2, .rows = plain_right, .applies = has_format
};

const struct rm_metric_kind rm_metric_repeated = {
	"repeated", RM_SECTION_BIAS, 16, RM_UNIT_SHARE,
	"records whose prompt came before",
	"share of records whose prompt (field key) an earlier one has, "
	"unweighted; pairs that rm-pair made of one group have the same "
	"prompt, too",
	"no field key",
	.whole = repeated
};
