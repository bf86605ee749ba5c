/* Reading reference values that a script in tests/ref wrote. */
#ifndef RM_TEST_REFERENCE_H
#define RM_TEST_REFERENCE_H

#include "json.h"

#include <math.h>

/* A member of the file; the file stays loaded. */
static inline json_t *reference(const char *path, const char *member)
{
	static json_t *file;

	if (!file)
		file = rm_json_load(path, 1 << 24);
	if (!file)
		fail_msg("%s", rm_error());
	json_t *value = json_object_get(file, member);
	if (!value)
		fail_msg("%s has no %s", path, member);
	return value;
}

static inline double number(const json_t *array, size_t i)
{
	return json_number_value(json_array_get(array, i));
}

/* An optional number of an object, NaN if it is not there. */
static inline double number_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static inline void assert_near(double found, double expected,
			       double tolerance)
{
	double scale = fmax(1, fabs(expected));

	if (!(fabs(found - expected) <= tolerance * scale))
		fail_msg("%.9g, not %.9g", found, expected);
}

#endif
