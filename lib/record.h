/*
 * record: one prompt, its k responses, and everything said of them, as the
 * bytes of one msgpack array.
 *
 * A record is read by indexing, not by unpacking: rm_record_index walks the
 * bytes once, checks every count, length and type against them, and notes
 * where each field lies.  After that no accessor can fail, a stage that does
 * not know a field copies its bytes, and a stage that reorders responses
 * moves all per-response fields alike (rm_put_selected).
 *
 * Knows nothing of streams, files or tokenizers.  An rm_record borrows its
 * payload.
 *
 *	rm_record_index(&rec, &schema, payload, len)      check, find fields
 *	double r0 = rm_record_f64_at(&rec, reward, 0);    read
 *	rm_put_array(&out, n + 1);                        write: copy and add
 *	for (f = 0; f < n; f++) rm_put_raw(&out, rec.field[f]);
 *	rm_put_f64s(&out, rewards, rec.k);
 */
#ifndef RM_RECORD_H
#define RM_RECORD_H

#include "base.h"
#include "json.h"

/*
 * The shapes a field can have; k is the number of responses.  The names are
 * those in a header's `types`.  Any field may be nil in a record; a nil or
 * NaN number means missing.
 */
enum rm_type {
	RM_STR,		/* "str"       UTF-8 text */
	RM_U64,		/* "u64"       msgpack integer */
	RM_F64,		/* "f64"       msgpack number */
	RM_I32_N,	/* "i32[n]"    ext 1: n little-endian int32 */
	RM_I32_K,	/* "i32[k]"    ext 1, k of them */
	RM_I32_KN,	/* "i32[k][n]" array of k ext 1 */
	RM_STR_K,	/* "str[k]"    array of k strings (or nil) */
	RM_F64_K,	/* "f64[k]"    ext 3: k little-endian float64 */
	RM_F64_K1,	/* "f64[k+1]"  ext 3, k + 1 of them (votes, ties last) */
	RM_F64_K_MAP,	/* "{f64[k]}"  map of name to ext 3 of k */
	RM_CHOICES,	/* "choices"   array of {annotator, choice 0..k} */
	RM_EXTRA	/* "extra"     map of unused columns, any JSON value */
};

const char *rm_type_name(enum rm_type type);
/* The type of that name, -1 with a message for an unknown one. */
int rm_type_parse(const char *name);
/* Whether values of this type follow the responses when those move. */
bool rm_type_per_response(enum rm_type type);

/* The fields the project knows, with their types; ends in a NULL name. */
struct rm_field {
	const char *name;
	enum rm_type type;
	const char *help;
};

extern const struct rm_field rm_known_fields[];

/*
 * The fields of a stream in record order.  per_response names the columns of
 * `extra` that hold one value a response.
 */
struct rm_schema {
	size_t n;
	struct rm_schema_field {
		char *name;
		enum rm_type type;
	} *field;
	size_t n_per_response;
	char **per_response;
};

/* Index of the field, -1 if there is none (no message). */
int rm_schema_find(const struct rm_schema *s, const char *name);
/*
 * Index of the field, -1 with the message "no field NAME" + hint (such as
 * ": run rm-score first", may be "") + the fields that there are.
 */
int rm_schema_need(const struct rm_schema *s, const char *name,
		   const char *hint);
/* Add a known field; a field that exists or is unknown is an error. */
int rm_schema_add(struct rm_schema *s, const char *name);
/* Add a field of any name with its type; one that exists is an error. */
int rm_schema_add_typed(struct rm_schema *s, const char *name,
			enum rm_type type);
/* Remove field f; later indices move down by one. */
void rm_schema_drop(struct rm_schema *s, size_t f);
int rm_schema_add_per_response(struct rm_schema *s, const char *column);
bool rm_schema_is_per_response(const struct rm_schema *s,
			       struct rm_slice column);
int rm_schema_copy(struct rm_schema *to, const struct rm_schema *from);
bool rm_schema_equal(const struct rm_schema *a, const struct rm_schema *b);
void rm_schema_fini(struct rm_schema *s);

/* ---- reading ---- */

/* Most responses, annotations or named values that one record may have. */
#define RM_MAX_RESPONSES ((size_t)1 << 20)

struct rm_scan;

struct rm_record {
	const struct rm_schema *schema;
	const unsigned char *data;	/* payload: the whole msgpack array */
	size_t len;
	struct rm_slice *field;		/* [schema->n] each field's msgpack */
	size_t k;			/* responses; 0 if no field says */
	size_t cap;			/* of field */
	/* Private: what each field begins with, and where the elements of
	 * arrays, maps and choices lie. */
	struct rm_scan *head;		/* [schema->n] */
	struct rm_slice *element;
	size_t n_element, element_cap;
	size_t *first;			/* [schema->n] into element */
};

/*
 * Index the payload into *rec (zeroed before first use; its memory is used
 * again from call to call; rm_record_fini at the end).  Checks: one array of
 * schema->n values and nothing after it, each of its field's type or nil,
 * nesting at most RM_JSON_DEPTH, one k for all.  Takes time by the number of
 * fields and responses, not by bytes: whether text is UTF-8 is looked at by
 * those who print it.  The message names the field.
 */
int rm_record_index(struct rm_record *rec, const struct rm_schema *schema,
		    const void *payload, size_t len);
void rm_record_fini(struct rm_record *rec);

/* f is an index into the schema; -1 (no such field) reads as nil. */
bool rm_record_is_nil(const struct rm_record *rec, int f);
/* RM_STR, RM_I32_N: the bytes inside; data NULL for nil. */
struct rm_slice rm_record_bytes(const struct rm_record *rec, int f);
/* RM_U64; nil gives 0.  RM_F64; nil gives NaN. */
uint64_t rm_record_u64(const struct rm_record *rec, int f);
double rm_record_f64(const struct rm_record *rec, int f);
/* RM_F64_K, RM_F64_K1: element i < k (k + 1); nil gives NaN. */
double rm_record_f64_at(const struct rm_record *rec, int f, size_t i);
/* The same, all n of them; out[n]. */
void rm_record_f64s(const struct rm_record *rec, int f, double *out,
		    size_t n);
/* RM_I32_K: element i < k; nil gives 0. */
int32_t rm_record_i32_at(const struct rm_record *rec, int f, size_t i);
/*
 * RM_I32_KN, RM_STR_K: the bytes inside each of the k elements; out[k].  A
 * nil field or element gives data NULL.
 */
void rm_record_elements(const struct rm_record *rec, int f,
			struct rm_slice *out);
/* RM_F64_K_MAP: member i of the map; its name and bytes (k float64). */
size_t rm_record_map_size(const struct rm_record *rec, int f);
void rm_record_map_at(const struct rm_record *rec, int f, size_t i,
		      struct rm_slice *name, struct rm_slice *f64s);
/* RM_CHOICES: choice i of n; annotator may be empty. */
size_t rm_record_choices(const struct rm_record *rec, int f);
void rm_record_choice_at(const struct rm_record *rec, int f, size_t i,
			 struct rm_slice *annotator, size_t *choice);

/* Little-endian reads from any address. */
int32_t rm_get_i32(const unsigned char *p);
double rm_get_f64(const unsigned char *p);

/* ---- writing: msgpack into a buffer, in the schema's order ---- */

void rm_put_array(struct rm_buf *b, size_t n);
void rm_put_map(struct rm_buf *b, size_t n);
void rm_put_nil(struct rm_buf *b);
void rm_put_str(struct rm_buf *b, const void *text, size_t n);
void rm_put_bin(struct rm_buf *b, const void *data, size_t n);
void rm_put_bool(struct rm_buf *b, bool v);
void rm_put_u64(struct rm_buf *b, uint64_t v);
void rm_put_f64(struct rm_buf *b, double v);
void rm_put_i32s(struct rm_buf *b, const int32_t *v, size_t n);
void rm_put_f64s(struct rm_buf *b, const double *v, size_t n);
/* The whole msgpack value as it was read. */
void rm_put_raw(struct rm_buf *b, struct rm_slice value);
/* Any JSON value (header parts, extra). */
void rm_put_json(struct rm_buf *b, const json_t *value);

/*
 * Field f with only the responses pick[0..n) in that order: per-response
 * types are cut and reordered, annotations re-indexed (choices of responses
 * not picked are dropped, ties kept), per-response columns of `extra` cut
 * likewise, everything else copied.
 */
void rm_put_selected(struct rm_buf *b, const struct rm_record *rec, size_t f,
		     const size_t *pick, size_t n);

/* ---- to and from JSON ---- */

/* One msgpack value as JSON text; ext 1 and 3 become plain arrays. */
int rm_msgpack_print(struct rm_buf *json, struct rm_slice value);
/* The value of field f as JSON text; u64 as 16 hex digits in quotes. */
int rm_record_print_field(struct rm_buf *json, const struct rm_record *rec,
			  size_t f);
/* The record as one JSON object {field: value, ...}, no newline. */
int rm_record_print(struct rm_buf *json, const struct rm_record *rec);
/*
 * One msgpack value (of untyped data) as a JSON value; NULL with a message
 * for what JSON lacks.
 */
json_t *rm_msgpack_json(struct rm_slice value);
/*
 * The JSON object of a record, as rm_record_print writes it, as a payload.
 * The message names the field, what it should be and what it is.
 */
int rm_record_parse(struct rm_buf *payload, const struct rm_schema *schema,
		    const json_t *object);

#endif
