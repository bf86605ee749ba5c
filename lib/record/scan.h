/*
 * scan: a bounded reader of msgpack, private to record and stream.
 *
 * Every length and count is checked against the bytes that are left before
 * anything is done with it, so a value that claims two thousand million
 * elements in twenty bytes costs nothing.  Nothing is allocated.  Payloads of
 * strings and ext values are stepped over, not looked at.
 */
#ifndef RM_RECORD_SCAN_H
#define RM_RECORD_SCAN_H

#include "base.h"

/* Ext types: arrays of little-endian int32 and float64. */
enum { RM_EXT_I32 = 1, RM_EXT_F64 = 3 };

enum rm_scan_kind {
	RM_SCAN_NIL, RM_SCAN_BOOL, RM_SCAN_UINT, RM_SCAN_INT, RM_SCAN_FLOAT,
	RM_SCAN_STR, RM_SCAN_BIN, RM_SCAN_EXT, RM_SCAN_ARRAY, RM_SCAN_MAP
};

/* One value, or the head of a container. */
struct rm_scan {
	enum rm_scan_kind kind;
	int ext;			/* type of an ext */
	size_t n;			/* bytes; elements; pairs of a map */
	const unsigned char *body;	/* the bytes, or the first element */
	union {
		uint64_t u;		/* bool, uint */
		int64_t i;		/* int: negative ones only */
		double f;
	};
};

/*
 * Read the value at p: returns where the next one starts (for containers,
 * their first element), NULL with a message if it does not fit before end.
 */
const unsigned char *rm_scan_head(struct rm_scan *s, const unsigned char *p,
				  const unsigned char *end);

/*
 * Step over a whole value nested at most depth deep.  With json, what JSON
 * lacks (bin, ext, keys that are no strings) is an error.
 */
const unsigned char *rm_scan_skip(const unsigned char *p,
				  const unsigned char *end, unsigned depth,
				  bool json);

/* "an array", "a string", ... */
const char *rm_scan_name(const struct rm_scan *s);

/* A number as a double; the caller knows that it is one. */
double rm_scan_number(const struct rm_scan *s);
bool rm_scan_is_number(const struct rm_scan *s);

#endif
