/* Scores and figures of records that stand in the tests as JSON. */
#ifndef RM_TEST_SCORES_H
#define RM_TEST_SCORES_H

#include "test.h"

#include "metric.h"

#include <math.h>
#include <string.h>

enum { METRICS = 64 };

/* Scores of JSON records; the schema is of the fields that any has, of none
 * it is of reward. */
static inline struct rm_scores *score(const json_t *records, bool pairs,
				      const char *by)
{
	struct rm_schema schema = {0};
	struct rm_record rec = {0};
	struct rm_buf payload = {0};
	struct rm_scorer *scorer;
	struct rm_scores *scores = NULL;
	json_t *record, *value;
	const char *name;
	size_t i;
	int status = 0;

	json_array_foreach(records, i, record)
		json_object_foreach(record, name, value)
			if (rm_schema_find(&schema, name) < 0)
				assert_int_equal(rm_schema_add(&schema, name),
						 0);
	if (json_array_size(records) == 0)
		assert_int_equal(rm_schema_add(&schema, "reward"), 0);
	scorer = rm_scorer_new(&schema, pairs, "reward", by);
	json_array_foreach(records, i, record) {
		if (!scorer || status < 0)
			break;
		rm_buf_clear(&payload);
		assert_int_equal(rm_record_parse(&payload, &schema, record),
				 0);
		assert_int_equal(rm_record_index(&rec, &schema, payload.data,
						 payload.len), 0);
		status = rm_scorer_add(scorer, &rec);
	}
	if (scorer && status == 0)
		scores = rm_scorer_finish(scorer);
	rm_scorer_free(scorer);
	rm_record_fini(&rec);
	rm_buf_fini(&payload);
	rm_schema_fini(&schema);
	return scores;
}

static inline struct rm_scores *score_text(const char *text, bool pairs,
					   const char *by)
{
	json_t *records = rm_json_parse(text, strlen(text));
	struct rm_scores *s;

	assert_non_null(records);
	s = score(records, pairs, by);
	json_decref(records);
	return s;
}

static inline const struct rm_figure *figure(const struct rm_figure *f,
					     const char *name)
{
	while (strcmp(f->metric->name, name) != 0)
		f++;
	return f;
}

static inline void evaluate(struct rm_scores *s, size_t bootstrap,
			    struct rm_figure *f)
{
	struct rm_evaluation e = { rm_metrics(), bootstrap, 1 };

	assert_int_equal(rm_evaluate(s, &e, f), 0);
}

static inline double value_of(struct rm_scores *s, const char *name)
{
	struct rm_figure f[METRICS];

	evaluate(s, 0, f);
	return figure(f, name)->value;
}

static inline void assert_near(const char *what, const char *name,
			       double value, double expected)
{
	if (!(fabs(value - expected) <= 1e-9))
		fail_msg("%s: %s is %.17g, not %.17g", what, name, value,
			 expected);
}

#endif
