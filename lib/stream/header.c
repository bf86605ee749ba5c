#include "stream/header.h"

#include "record/scan.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* What a tokenizer's files may come to, unpacked, and how many there are. */
#define MAX_BYTES ((size_t)256 << 20)
#define MAX_FILES 16

/* A tokenizer.json of a few MiB should cost a stage some milliseconds. */
enum { LEVEL = 3, DEPTH = RM_JSON_DEPTH + 4 };

int rm_header_init(struct rm_header *h)
{
	memset(h, 0, sizeof(*h));
	h->policy = json_object();
	h->history = json_array();
	if (h->policy && h->history)
		return 0;
	rm_header_fini(h);
	return rm_fail("out of memory");
}

int rm_header_copy(struct rm_header *to, const struct rm_header *from)
{
	memset(to, 0, sizeof(*to));
	to->pairs = from->pairs;
	to->tokenizer_fp = from->tokenizer_fp;
	to->policy_fp = from->policy_fp;
	to->packed_fp = from->packed_fp;
	to->policy = json_deep_copy(from->policy);
	to->history = json_deep_copy(from->history);
	if (!to->policy || !to->history)
		rm_fail("out of memory");
	else if (rm_schema_copy(&to->schema, &from->schema) == 0 &&
		 rm_files_copy(&to->tokenizer, &from->tokenizer) == 0 &&
		 rm_files_copy(&to->packed, &from->packed) == 0)
		return 0;
	rm_header_fini(to);
	return -1;
}

void rm_header_fini(struct rm_header *h)
{
	rm_schema_fini(&h->schema);
	rm_files_fini(&h->tokenizer);
	rm_files_fini(&h->packed);
	json_decref(h->policy);
	json_decref(h->history);
	memset(h, 0, sizeof(*h));
}

int rm_header_set_policy(struct rm_header *h, json_t *policy)
{
	struct rm_buf text = {0};

	rm_json_canonical(&text, policy);
	if (text.failed) {
		json_decref(policy);
		rm_buf_fini(&text);
		return -1;
	}
	h->policy_fp = rm_fingerprint(text.data, text.len);
	rm_buf_fini(&text);
	json_decref(h->policy);
	h->policy = policy;
	return 0;
}

/* Any bytes as a JSON string: what is not UTF-8 becomes U+FFFD. */
static json_t *any_string(const char *s)
{
	struct rm_buf text = {0};
	json_t *value = NULL;

	rm_buf_append_utf8(&text, s, strlen(s));
	if (rm_buf_text(&text))
		value = json_stringn((const char *)text.data, text.len);
	rm_buf_fini(&text);
	return value;
}

int rm_header_add_history(struct rm_header *h, const char *tool, int argc,
			  char *const *argv, int64_t seed)
{
	json_t *entry = json_object(), *args = json_array();
	bool ok = entry && args;
	int i;

	for (i = 1; ok && i < argc; i++)
		ok = json_array_append_new(args, any_string(argv[i])) == 0;
	ok = ok && json_object_set_new(entry, "tool", json_string(tool)) == 0;
	ok = ok && json_object_set_new(entry, "version",
				       json_string(RM_VERSION)) == 0;
	ok = ok && json_object_set(entry, "argv", args) == 0;
	if (seed >= 0)
		ok = ok && json_object_set_new(entry, "seed",
					       json_integer(seed)) == 0;
	ok = ok && json_array_append(h->history, entry) == 0;
	json_decref(entry);
	json_decref(args);
	return ok ? 0 : rm_fail("out of memory");
}

static int match(const char *what, const struct rm_fingerprint *a,
		 const char *a_name, const struct rm_fingerprint *b,
		 const char *b_name)
{
	if (!a->hex[0] || !b->hex[0] || !strcmp(a->hex, b->hex))
		return 0;
	return rm_fail("%s has %s %s, but %s has %s (--force takes them "
		       "together)", a_name, what, a->hex, b_name, b->hex);
}

int rm_header_match(const struct rm_header *a, const char *a_name,
		    const struct rm_header *b, const char *b_name, bool force)
{
	if (force)
		return 0;
	if (match("tokenizer", &a->tokenizer_fp, a_name, &b->tokenizer_fp,
		  b_name) < 0)
		return -1;
	return match("token policy", &a->policy_fp, a_name, &b->policy_fp,
		     b_name);
}

/* ---- the tokenizer's files as zstd bytes ---- */

static int pack_file(struct rm_files *packed, const struct rm_file *file)
{
	size_t bound = ZSTD_compressBound(file->len), n;
	unsigned char *data = rm_malloc(bound, 1);
	int ok;

	if (!data)
		return -1;
	n = ZSTD_compress(data, bound, file->data, file->len, LEVEL);
	ok = ZSTD_isError(n) ? rm_fail("%s: %s", file->name,
				       ZSTD_getErrorName(n))
			     : rm_files_add(packed, file->name, data, n);
	free(data);
	return ok;
}

int rm_header_pack_files(struct rm_files *packed, const struct rm_header *h)
{
	size_t i;

	memset(packed, 0, sizeof(*packed));
	if (h->packed.n == h->tokenizer.n &&
	    !strcmp(h->packed_fp.hex, h->tokenizer_fp.hex))
		return rm_files_copy(packed, &h->packed);
	for (i = 0; i < h->tokenizer.n; i++)
		if (pack_file(packed, &h->tokenizer.file[i]) < 0) {
			rm_files_fini(packed);
			return -1;
		}
	return 0;
}

/*
 * Such a file is written into a model directory by its name, which therefore
 * may not lead out of it.
 */
static int check_file_name(const struct rm_header *h, const char *name)
{
	if (!name[0] || name[0] == '.' || strchr(name, '/'))
		return rm_fail("not a plain file name");
	if (rm_files_find(&h->tokenizer, name))
		return rm_fail("stands there twice");
	if (h->tokenizer.n >= MAX_FILES)
		return rm_fail("more than %d files", MAX_FILES);
	return 0;
}

/* One file of `size` bytes, into h's tokenizer and packed files. */
static int unpack_file(struct rm_header *h, const char *name, size_t size,
		       const void *zstd, size_t n)
{
	size_t total = size, i, got;
	unsigned char *data;
	int ok;

	for (i = 0; i < h->tokenizer.n; i++)
		total += h->tokenizer.file[i].len;
	if (size > MAX_BYTES || total > MAX_BYTES)
		return rm_fail("larger than %zu MiB", MAX_BYTES >> 20);
	data = rm_malloc(size, 1);
	if (!data)
		return -1;
	got = ZSTD_decompress(data, size, zstd, n);
	if (ZSTD_isError(got))
		ok = rm_fail("%s", ZSTD_getErrorName(got));
	else if (got != size)
		ok = rm_fail("%zu bytes, not the %zu it should have", got,
			     size);
	else
		ok = rm_files_add(&h->tokenizer, name, data, size);
	free(data);
	return ok < 0 ? ok : rm_files_add(&h->packed, name, zstd, n);
}

/* ---- to msgpack ---- */

static void put_text(struct rm_buf *b, const char *text)
{
	rm_put_str(b, text, strlen(text));
}

static void put_pair(struct rm_buf *b, const char *key, const char *text)
{
	put_text(b, key);
	put_text(b, text);
}

static void put_schema(struct rm_buf *b, const struct rm_schema *s)
{
	size_t i;

	put_text(b, "fields");
	rm_put_array(b, s->n);
	for (i = 0; i < s->n; i++)
		put_text(b, s->field[i].name);
	put_text(b, "types");
	rm_put_array(b, s->n);
	for (i = 0; i < s->n; i++)
		put_text(b, rm_type_name(s->field[i].type));
	put_text(b, "per_response");
	rm_put_array(b, s->n_per_response);
	for (i = 0; i < s->n_per_response; i++)
		put_text(b, s->per_response[i]);
}

static int put_tokenizer(struct rm_buf *b, const struct rm_header *h)
{
	struct rm_files packed;
	size_t i;

	put_text(b, "tokenizer");
	if (!h->tokenizer_fp.hex[0]) {
		rm_put_nil(b);
		return 0;
	}
	if (rm_header_pack_files(&packed, h) < 0)
		return -1;
	rm_put_map(b, 2);
	put_pair(b, "fingerprint", h->tokenizer_fp.hex);
	put_text(b, "files");
	rm_put_array(b, packed.n);
	for (i = 0; i < packed.n; i++) {
		rm_put_map(b, 3);
		put_pair(b, "name", packed.file[i].name);
		put_text(b, "size");
		rm_put_u64(b, h->tokenizer.file[i].len);
		put_text(b, "zstd");
		rm_put_bin(b, packed.file[i].data, packed.file[i].len);
	}
	rm_files_fini(&packed);
	return 0;
}

int rm_header_pack(struct rm_buf *b, const struct rm_header *h)
{
	bool policy_fp = h->policy_fp.hex[0];

	rm_put_map(b, policy_fp ? 10 : 9);
	put_pair(b, "format", "rmtools");
	put_text(b, "version");
	rm_put_u64(b, RM_STREAM_VERSION);
	put_pair(b, "kind", h->pairs ? "pairs" : "groups");
	put_schema(b, &h->schema);
	if (put_tokenizer(b, h) < 0)
		return -1;
	put_text(b, "policy");
	rm_put_json(b, h->policy);
	if (policy_fp)
		put_pair(b, "policy_fingerprint", h->policy_fp.hex);
	put_text(b, "history");
	rm_put_json(b, h->history);
	return b->failed ? -1 : 0;
}

/* ---- from msgpack ---- */

/* A member of a map that is looked for. */
struct member {
	const char *name;
	struct rm_slice value;		/* data NULL: not there */
};

/* Find the named members of the map at p; others are passed over. */
static const unsigned char *find_members(const unsigned char *p,
					 const unsigned char *end,
					 struct member *m, size_t n)
{
	const unsigned char *start;
	struct rm_scan map, key;
	size_t i, j;

	p = rm_scan_head(&map, p, end);
	if (!p)
		return NULL;
	if (map.kind != RM_SCAN_MAP)
		return rm_fail_null("%s where a map should be",
				    rm_scan_name(&map));
	for (i = 0; i < map.n; i++) {
		p = rm_scan_head(&key, p, end);
		if (!p)
			return NULL;
		if (key.kind != RM_SCAN_STR)
			return rm_fail_null("a key is %s, not a string",
					    rm_scan_name(&key));
		start = p;
		p = rm_scan_skip(p, end, DEPTH, false);
		if (!p)
			return NULL;
		for (j = 0; j < n; j++)
			if (rm_slice_is((struct rm_slice){ key.body, key.n },
					m[j].name))
				m[j].value = (struct rm_slice){
					start, (size_t)(p - start) };
	}
	return p;
}

/* The head of a member that must be there and of that kind. */
static int need(const struct member *m, enum rm_scan_kind kind,
		struct rm_scan *s)
{
	memset(s, 0, sizeof(*s));
	if (!m->value.data)
		return rm_fail("no %s", m->name);
	if (!rm_scan_head(s, m->value.data, m->value.data + m->value.len))
		return -1;
	if (s->kind != kind)
		return rm_fail("%s is %s", m->name, rm_scan_name(s));
	return 0;
}

/* A string without NUL as a C string of the heap. */
static char *get_text(const struct rm_scan *s)
{
	if (s->kind != RM_SCAN_STR || memchr(s->body, 0, s->n) ||
	    rm_utf8_valid(s->body, s->n) != s->n)
		return rm_fail_null("a name is not plain text");
	return rm_strndup((const char *)s->body, s->n);
}

static int get_fingerprint(const struct rm_scan *s, struct rm_fingerprint *fp)
{
	size_t i;

	if (s->n != 32)
		return rm_fail("a fingerprint is 32 hex digits");
	for (i = 0; i < 32; i++)
		if (!s->body[i] || !strchr("0123456789abcdef", s->body[i]))
			return rm_fail("a fingerprint is 32 hex digits");
	memcpy(fp->hex, s->body, 32);
	fp->hex[32] = '\0';
	return 0;
}

/* The next string of an array, at *p. */
static char *next_text(const unsigned char **p, const unsigned char *end)
{
	struct rm_scan s;

	*p = rm_scan_head(&s, *p, end);
	return *p ? get_text(&s) : NULL;
}

static int add_field(struct rm_schema *schema, char *name, char *type_name)
{
	int type = name && type_name ? rm_type_parse(type_name) : -1;
	int ok = type < 0 ? -1 : rm_schema_add_typed(schema, name,
						     (enum rm_type)type);

	if (type < 0 && name && type_name)
		rm_wrap("field %s", name);
	free(name);
	free(type_name);
	return ok;
}

static int get_fields(struct rm_schema *schema, const struct member *fields,
		      const struct member *types)
{
	struct rm_scan names, kinds;
	const unsigned char *p, *q;
	char *name, *type;
	size_t i;

	if (need(fields, RM_SCAN_ARRAY, &names) < 0 ||
	    need(types, RM_SCAN_ARRAY, &kinds) < 0)
		return -1;
	if (names.n != kinds.n)
		return rm_fail("%zu fields but %zu types", names.n, kinds.n);
	p = names.body;
	q = kinds.body;
	for (i = 0; i < names.n; i++) {
		name = next_text(&p, fields->value.data + fields->value.len);
		type = name ? next_text(&q, types->value.data +
					    types->value.len) : NULL;
		if (add_field(schema, name, type) < 0)
			return -1;
	}
	return 0;
}

static int get_per_response(struct rm_schema *schema, const struct member *m)
{
	const unsigned char *p, *end;
	struct rm_scan s;
	char *name;
	int ok;

	if (!m->value.data)
		return 0;
	if (need(m, RM_SCAN_ARRAY, &s) < 0)
		return -1;
	end = m->value.data + m->value.len;
	for (p = s.body; s.n--; ) {
		name = next_text(&p, end);
		ok = name ? rm_schema_add_per_response(schema, name) : -1;
		free(name);
		if (ok < 0)
			return -1;
	}
	return 0;
}

/* One file at p; where the next one stands. */
static const unsigned char *get_file(struct rm_header *h,
				     const unsigned char *p,
				     const unsigned char *end)
{
	struct member m[] = { { "name", { 0 } }, { "size", { 0 } },
			      { "zstd", { 0 } } };
	struct rm_scan name, size, zstd;
	char *text;

	p = find_members(p, end, m, RM_COUNT(m));
	if (!p || need(&m[0], RM_SCAN_STR, &name) < 0 ||
	    need(&m[1], RM_SCAN_UINT, &size) < 0 ||
	    need(&m[2], RM_SCAN_BIN, &zstd) < 0)
		return NULL;
	text = get_text(&name);
	if (!text)
		return NULL;
	if (check_file_name(h, text) < 0 ||
	    unpack_file(h, text, (size_t)size.u, zstd.body, zstd.n) < 0) {
		rm_wrap("tokenizer: %s", text);
		p = NULL;
	}
	free(text);
	return p;
}

static int get_tokenizer(struct rm_header *h, const struct member *m)
{
	struct member parts[] = { { "fingerprint", { 0 } },
				  { "files", { 0 } } };
	const unsigned char *p, *end;
	struct rm_scan s;

	if (!m->value.data || *m->value.data == 0xc0)
		return 0;
	end = m->value.data + m->value.len;
	if (!find_members(m->value.data, end, parts, RM_COUNT(parts)) ||
	    need(&parts[0], RM_SCAN_STR, &s) < 0 ||
	    get_fingerprint(&s, &h->tokenizer_fp) < 0 ||
	    need(&parts[1], RM_SCAN_ARRAY, &s) < 0)
		return -1;
	h->packed_fp = h->tokenizer_fp;
	for (p = s.body; s.n--; ) {
		p = get_file(h, p, end);
		if (!p)
			return -1;
	}
	return 0;
}

static int get_json(const struct member *m, bool array, json_t **out)
{
	json_t *value;

	if (!m->value.data)
		return 0;
	value = rm_msgpack_json(m->value);
	if (!value)
		return rm_wrap("%s", m->name);
	if (array ? !json_is_array(value) : !json_is_object(value)) {
		json_decref(value);
		return rm_fail("%s is not %s", m->name,
			       array ? "an array" : "a map");
	}
	json_decref(*out);
	*out = value;
	return 0;
}

static int get_version(const struct member *format,
		       const struct member *version)
{
	struct rm_scan s;

	if (need(format, RM_SCAN_STR, &s) < 0)
		return -1;
	if (!rm_slice_is((struct rm_slice){ s.body, s.n }, "rmtools"))
		return rm_fail("format is not \"rmtools\"");
	if (need(version, RM_SCAN_UINT, &s) < 0)
		return -1;
	if (s.u != RM_STREAM_VERSION)
		return rm_fail("stream version %llu, but rmtools " RM_VERSION
			       " reads version %d",
			       (unsigned long long)s.u, RM_STREAM_VERSION);
	return 0;
}

static int get_kind(struct rm_header *h, const struct member *m)
{
	struct rm_slice kind;
	struct rm_scan s;

	if (need(m, RM_SCAN_STR, &s) < 0)
		return -1;
	kind = (struct rm_slice){ s.body, s.n };
	h->pairs = rm_slice_is(kind, "pairs");
	if (!h->pairs && !rm_slice_is(kind, "groups"))
		return rm_fail("kind is neither pairs nor groups");
	return 0;
}

static int get_policy(struct rm_header *h, const struct member *policy,
		      const struct member *fp)
{
	struct rm_scan s;

	if (get_json(policy, false, &h->policy) < 0)
		return -1;
	if (!fp->value.data)
		return 0;
	return need(fp, RM_SCAN_STR, &s) < 0 ? -1 :
	       get_fingerprint(&s, &h->policy_fp);
}

enum { FORMAT, VERSION, KIND, FIELDS, TYPES, PER_RESPONSE, TOKENIZER, POLICY,
       POLICY_FP, HISTORY };

int rm_header_unpack(struct rm_header *h, const void *payload, size_t len)
{
	struct member m[] = {
		[FORMAT] = { "format", { 0 } },
		[VERSION] = { "version", { 0 } },
		[KIND] = { "kind", { 0 } },
		[FIELDS] = { "fields", { 0 } },
		[TYPES] = { "types", { 0 } },
		[PER_RESPONSE] = { "per_response", { 0 } },
		[TOKENIZER] = { "tokenizer", { 0 } },
		[POLICY] = { "policy", { 0 } },
		[POLICY_FP] = { "policy_fingerprint", { 0 } },
		[HISTORY] = { "history", { 0 } }
	};
	const unsigned char *p = payload, *end = p + len;

	if (rm_header_init(h) < 0)
		return -1;
	p = find_members(p, end, m, RM_COUNT(m));
	if (p && p != end)
		p = rm_fail_null("bytes after the map");
	if (p && get_version(&m[FORMAT], &m[VERSION]) == 0 &&
	    get_kind(h, &m[KIND]) == 0 &&
	    get_fields(&h->schema, &m[FIELDS], &m[TYPES]) == 0 &&
	    get_per_response(&h->schema, &m[PER_RESPONSE]) == 0 &&
	    get_tokenizer(h, &m[TOKENIZER]) == 0 &&
	    get_policy(h, &m[POLICY], &m[POLICY_FP]) == 0 &&
	    get_json(&m[HISTORY], true, &h->history) == 0)
		return 0;
	rm_header_fini(h);
	return -1;
}
