/* Records from JSON, and figures of rm_stats_json. */
#ifndef RM_TEST_RECORDS_H
#define RM_TEST_RECORDS_H

#include "test.h"

#include "pair.h"

#include <stdio.h>
#include <string.h>

static struct rm_schema schema;
static struct rm_buf payload;
static struct rm_record rec;

/* The fields of records to come, by name. */
static void fields(const char *names)
{
	char name[32];

	rm_schema_fini(&schema);
	memset(&schema, 0, sizeof(schema));
	while (sscanf(names, "%31s", name) == 1) {
		assert_int_equal(rm_schema_add(&schema, name), 0);
		names += strspn(names, " ");
		names += strcspn(names, " ");
	}
}

/* Valid until the next one. */
static const struct rm_record *record(const char *json)
{
	json_t *object = rm_json_parse(json, strlen(json));

	assert_non_null(object);
	rm_buf_clear(&payload);
	if (rm_record_parse(&payload, &schema, object) < 0 ||
	    rm_record_index(&rec, &schema, payload.data, payload.len) < 0)
		fail_msg("%s", rm_error());
	json_decref(object);
	return &rec;
}

static double figure(const json_t *all, const char *object, const char *name)
{
	const json_t *in = object ? json_object_get(all, object) : all;
	const json_t *value = json_object_get(in, name);

	if (!json_is_number(value))
		fail_msg("no figure %s", name);
	return json_number_value(value);
}

static int records_teardown(void **state)
{
	(void)state;
	rm_schema_fini(&schema);
	rm_buf_fini(&payload);
	rm_record_fini(&rec);
	return 0;
}

#endif
