#include "stream/header.h"

#include <stdlib.h>
#include <string.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- base64 (RFC 4648, with padding) ---- */

static void put_base64(struct rm_buf *b, const unsigned char *p, size_t n)
{
	uint32_t v;

	for (; n >= 3; n -= 3, p += 3) {
		v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		rm_buf_putc(b, digits[v >> 18]);
		rm_buf_putc(b, digits[v >> 12 & 63]);
		rm_buf_putc(b, digits[v >> 6 & 63]);
		rm_buf_putc(b, digits[v & 63]);
	}
	if (!n)
		return;
	v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0);
	rm_buf_putc(b, digits[v >> 18]);
	rm_buf_putc(b, digits[v >> 12 & 63]);
	rm_buf_putc(b, n > 1 ? digits[v >> 6 & 63] : '=');
	rm_buf_putc(b, '=');
}

static int get_base64(struct rm_buf *b, const char *text, size_t n)
{
	const char *digit;
	uint32_t v = 0;
	size_t i, pad;

	for (pad = 0; pad < 2 && pad < n && text[n - 1 - pad] == '='; pad++)
		;
	if (n % 4)
		return rm_fail("base64 of %zu characters", n);
	for (i = 0; i < n - pad; i++) {
		digit = text[i] ? strchr(digits, text[i]) : NULL;
		if (!digit)
			return rm_fail("not base64 at character %zu", i);
		v = v << 6 | (uint32_t)(digit - digits);
		if (i % 4)
			rm_buf_putc(b, (int)(v >> (6 - 2 * (i % 4)) & 255));
	}
	return b->failed ? -1 : 0;
}

/* ---- header to JSON ---- */

static void put_text(struct rm_buf *b, const char *text)
{
	rm_json_quote(b, text, strlen(text));
}

static void print_schema(struct rm_buf *json, const struct rm_schema *s)
{
	size_t i;

	rm_buf_puts(json, ",\"fields\":[");
	for (i = 0; i < s->n; i++) {
		rm_buf_puts(json, i ? "," : "");
		put_text(json, s->field[i].name);
	}
	rm_buf_puts(json, "],\"types\":[");
	for (i = 0; i < s->n; i++) {
		rm_buf_puts(json, i ? "," : "");
		put_text(json, rm_type_name(s->field[i].type));
	}
	rm_buf_puts(json, "],\"per_response\":[");
	for (i = 0; i < s->n_per_response; i++) {
		rm_buf_puts(json, i ? "," : "");
		put_text(json, s->per_response[i]);
	}
	rm_buf_putc(json, ']');
}

/* packed is NULL to leave the files' bytes out. */
static void print_tokenizer(struct rm_buf *json, const struct rm_header *h,
			    const struct rm_files *packed)
{
	size_t i;

	rm_buf_puts(json, ",\"tokenizer\":");
	if (!h->tokenizer_fp.hex[0]) {
		rm_buf_puts(json, "null");
		return;
	}
	rm_buf_printf(json, "{\"fingerprint\":\"%s\",\"files\":[",
		      h->tokenizer_fp.hex);
	for (i = 0; i < h->tokenizer.n; i++) {
		rm_buf_puts(json, i ? ",{\"name\":" : "{\"name\":");
		put_text(json, h->tokenizer.file[i].name);
		rm_buf_printf(json, ",\"size\":%zu", h->tokenizer.file[i].len);
		if (packed) {
			rm_buf_puts(json, ",\"zstd\":\"");
			put_base64(json, packed->file[i].data,
				   packed->file[i].len);
			rm_buf_putc(json, '"');
		}
		rm_buf_putc(json, '}');
	}
	rm_buf_puts(json, "]}");
}

static int print(struct rm_buf *json, const struct rm_header *h,
		 const struct rm_files *packed)
{
	rm_buf_printf(json, "{\"format\":\"rmtools\",\"version\":%d,"
		      "\"kind\":\"%s\"", RM_STREAM_VERSION,
		      h->pairs ? "pairs" : "groups");
	print_schema(json, &h->schema);
	print_tokenizer(json, h, packed);
	rm_buf_puts(json, ",\"policy\":");
	rm_json_print(json, h->policy, 0);
	if (h->policy_fp.hex[0])
		rm_buf_printf(json, ",\"policy_fingerprint\":\"%s\"",
			      h->policy_fp.hex);
	rm_buf_puts(json, ",\"history\":");
	rm_json_print(json, h->history, 0);
	rm_buf_putc(json, '}');
	return json->failed ? -1 : 0;
}

int rm_header_print(struct rm_buf *json, const struct rm_header *h)
{
	return print(json, h, NULL);
}

int rm_header_export(struct rm_buf *json, const struct rm_header *h)
{
	struct rm_files packed;
	int ok;

	if (rm_header_pack_files(&packed, h) < 0)
		return -1;
	ok = print(json, h, &packed);
	rm_files_fini(&packed);
	return ok;
}

/* ---- JSON to header, by way of the stream's own form ---- */

static int import_file(struct rm_buf *b, const json_t *file)
{
	const json_t *zstd = json_object_get(file, "zstd");
	struct rm_buf bytes = {0};
	int ok = 0;

	if (!json_is_string(zstd))
		return rm_fail("the file's bytes (\"zstd\", as rm-view "
			       "--header prints it) are missing");
	if (get_base64(&bytes, json_string_value(zstd),
		       json_string_length(zstd)) < 0)
		ok = -1;
	rm_put_map(b, 3);
	rm_put_str(b, "name", 4);
	rm_put_json(b, json_object_get(file, "name"));
	rm_put_str(b, "size", 4);
	rm_put_json(b, json_object_get(file, "size"));
	rm_put_str(b, "zstd", 4);
	rm_put_bin(b, bytes.data, bytes.len);
	rm_buf_fini(&bytes);
	return ok;
}

static int import_tokenizer(struct rm_buf *b, const json_t *tokenizer)
{
	const json_t *files = json_object_get(tokenizer, "files"), *file;
	size_t i;

	if (!json_is_object(tokenizer)) {
		rm_put_nil(b);
		return 0;
	}
	rm_put_map(b, 2);
	rm_put_str(b, "fingerprint", 11);
	rm_put_json(b, json_object_get(tokenizer, "fingerprint"));
	rm_put_str(b, "files", 5);
	rm_put_array(b, json_array_size(files));
	json_array_foreach(files, i, file)
		if (import_file(b, file) < 0)
			return rm_wrap("tokenizer: file %zu", i);
	return 0;
}

int rm_header_import(struct rm_header *h, const json_t *object)
{
	json_t *o = (json_t *)(uintptr_t)object, *member;
	struct rm_buf b = {0};
	const char *key;
	int ok = 0;

	if (!json_is_object(object))
		return rm_fail("the header is no JSON object");
	rm_put_map(&b, json_object_size(object));
	json_object_foreach(o, key, member) {
		rm_put_str(&b, key, strlen(key));
		if (strcmp(key, "tokenizer") != 0)
			rm_put_json(&b, member);
		else
			ok = import_tokenizer(&b, member);
		if (ok < 0)
			break;
	}
	if (ok == 0 && !b.failed)
		ok = rm_header_unpack(h, b.data, b.len);
	else
		ok = -1;
	rm_buf_fini(&b);
	return ok;
}
