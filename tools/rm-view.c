/*
 * rm-view: any stream as JSON lines, and such lines as a stream.
 */
#include "cli.h"
#include "stream.h"
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

static struct {
	bool header_only, header, count, text, stream, no_history, quiet;
	size_t number, max_record;
	const char *output;
} o = { .max_record = RM_MAX_RECORD };

static const struct rm_option options[] = {
	RM_OPT_FLAG('H', "header-only", &o.header_only,
		    "print the header alone, as JSON"),
	RM_OPT_FLAG(0, "header", &o.header,
		    "print the header as the first line, tokenizer included"),
	RM_OPT_FLAG('c', "count", &o.count,
		    "print the number of records; the whole stream is checked"),
	RM_OPT_SIZE('n', "number", &o.number, 0, 1e15, "N",
		    "print the first N records only (0: all)"),
	RM_OPT_FLAG(0, "text", &o.text,
		    "print token ids as text, by the stream's tokenizer"),
	RM_OPT_FLAG('S', "to-stream", &o.stream,
		    "the other way: JSON lines in, a stream out"),
	RM_OPT_NO_HISTORY(&o.no_history),
	RM_OPT_MAX_RECORD(&o.max_record),
	RM_OPT_OUTPUT(&o.output),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_END
};

static const struct rm_tool tool = {
	"rm-view", "print streams as JSON lines, and turn such lines back",
	"[FILE...]", options,
	"Reads groups or pairs; with -S reads JSON lines and writes groups or "
	"pairs.\n"
};

/* ---- stream to JSON lines ---- */

/* What decodes ids for --text. */
struct decoder {
	struct rm_tokenizer *tokenizer;
	int32_t *ids;
	size_t cap;
	struct rm_slice *response;
	size_t response_cap;
	struct rm_buf text;
};

static int decoder_init(struct decoder *d, const struct rm_header *h)
{
	memset(d, 0, sizeof(*d));
	if (!o.text)
		return 0;
	if (!h->tokenizer.n)
		return rm_fail("--text: the stream carries no tokenizer");
	d->tokenizer = rm_tokenizer_from_files(&h->tokenizer);
	return d->tokenizer ? 0 : rm_wrap("the stream's tokenizer");
}

static void decoder_fini(struct decoder *d)
{
	rm_tokenizer_free(d->tokenizer);
	free(d->ids);
	free(d->response);
	rm_buf_fini(&d->text);
}

/* The ids in `bytes` (little-endian int32) as a JSON string; they stand
 * behind the id `before`, -1 if there is none. */
static int print_ids(struct rm_buf *json, struct decoder *d,
		     struct rm_slice bytes, int32_t before)
{
	size_t i, n = bytes.len / 4;

	if (!bytes.data) {
		rm_buf_puts(json, "null");
		return 0;
	}
	if (rm_grow(&d->ids, &d->cap, n, sizeof(*d->ids)) < 0)
		return -1;
	for (i = 0; i < n; i++)
		d->ids[i] = rm_get_i32(bytes.data + 4 * i);
	rm_buf_clear(&d->text);
	if (rm_tokenizer_decode_after(d->tokenizer, before, d->ids, n,
				      &d->text) < 0)
		return -1;
	rm_json_quote(json, d->text.data, d->text.len);
	return 0;
}

/* The last id of the record's prompt. */
static int32_t last_of_prompt(const struct rm_record *rec)
{
	int f = rm_schema_find(rec->schema, "prompt");
	struct rm_slice ids = {0};

	if (f >= 0 && rec->schema->field[f].type == RM_I32_N)
		ids = rm_record_bytes(rec, f);
	return ids.len ? rm_get_i32(ids.data + ids.len - 4) : -1;
}

static int print_responses(struct rm_buf *json, struct decoder *d,
			   const struct rm_record *rec, int f)
{
	int32_t before = last_of_prompt(rec);
	size_t i;

	if (rm_record_is_nil(rec, f)) {
		rm_buf_puts(json, "null");
		return 0;
	}
	if (rm_grow(&d->response, &d->response_cap, rec->k,
		    sizeof(*d->response)) < 0)
		return -1;
	rm_record_elements(rec, f, d->response);
	for (i = 0; i < rec->k; i++) {
		rm_buf_putc(json, i ? ',' : '[');
		if (print_ids(json, d, d->response[i], before) < 0)
			return rm_wrap("[%zu]", i);
	}
	rm_buf_putc(json, ']');
	return 0;
}

/* Field f, ids as text; its name is the text's. */
static int print_decoded(struct rm_buf *json, struct decoder *d,
			 const struct rm_record *rec, int f)
{
	if (rec->schema->field[f].type == RM_I32_N) {
		rm_buf_puts(json, "\"prompt_text\":");
		return print_ids(json, d, rm_record_bytes(rec, f), -1);
	}
	rm_buf_puts(json, "\"response_texts\":");
	return print_responses(json, d, rec, f);
}

/*
 * The record with prompt and responses decoded in their places, as what the
 * model sees; texts that the stream carries under these names are left out.
 */
static int print_as_text(struct rm_buf *json, struct decoder *d,
			 const struct rm_record *rec)
{
	const struct rm_schema *s = rec->schema;
	int prompt = rm_schema_find(s, "prompt");
	int responses = rm_schema_find(s, "responses");
	int f, ok, n = (int)s->n;
	const char *name;

	rm_buf_putc(json, '{');
	for (f = 0; f < n; f++) {
		name = s->field[f].name;
		if ((prompt >= 0 && !strcmp(name, "prompt_text")) ||
		    (responses >= 0 && !strcmp(name, "response_texts")))
			continue;
		if (json->data[json->len - 1] != '{')
			rm_buf_putc(json, ',');
		if (f == prompt || f == responses) {
			ok = print_decoded(json, d, rec, f);
		} else {
			rm_json_quote(json, name, strlen(name));
			rm_buf_putc(json, ':');
			ok = rm_record_print_field(json, rec, (size_t)f);
		}
		if (ok < 0)
			return rm_wrap("field %s", name);
	}
	rm_buf_putc(json, '}');
	return json->failed ? -1 : 0;
}

static int print_header(struct rm_output *out, const struct rm_header *h)
{
	struct rm_buf json = {0};
	int ok = o.header_only ? rm_header_print(&json, h) :
		 rm_header_export(&json, h);

	rm_buf_putc(&json, '\n');
	if (ok == 0)
		ok = json.failed ? -1 : rm_output_write(out, json.data,
							json.len);
	rm_buf_fini(&json);
	return ok;
}

/* The record as a line, in *json (replaced). */
static int format_record(struct rm_buf *json, struct decoder *d,
			 const struct rm_record *rec)
{
	rm_buf_clear(json);
	if ((o.text ? print_as_text(json, d, rec) :
		      rm_record_print(json, rec)) < 0)
		return -1;
	rm_buf_putc(json, '\n');
	return json->failed ? -1 : 0;
}

static int flush(void *out)
{
	return rm_output_flush(out);
}

static int print_records(struct rm_output *out, struct rm_reader *in)
{
	const struct rm_record *rec;
	struct rm_progress progress;
	struct rm_buf json = {0};
	struct decoder d;
	size_t n = 0;
	int got = 1;

	if (decoder_init(&d, rm_reader_header(in)) < 0)
		return rm_wrap("%s", rm_reader_name(in));
	rm_reader_on_pause(in, flush, out);
	rm_progress_start(&progress, &tool, "records", 0, o.quiet);
	while ((!o.number || n < o.number) &&
	       (got = rm_reader_next(in, &rec)) > 0) {
		got = format_record(&json, &d, rec) < 0 ? rm_reader_wrap(in) :
		      rm_output_write(out, json.data, json.len);
		if (got < 0)
			break;
		if (++n % 1024 == 0)
			rm_progress_update(&progress, (double)n, NULL);
	}
	rm_progress_end(&progress);
	decoder_fini(&d);
	rm_buf_fini(&json);
	return got < 0 ? -1 : 0;
}

static int count_records(struct rm_output *out, struct rm_reader *in)
{
	const struct rm_record *rec;
	struct rm_progress progress;
	size_t n = 0;
	int got;

	rm_progress_start(&progress, &tool, "records", 0, o.quiet);
	while ((got = rm_reader_next(in, &rec)) > 0)
		if (++n % 65536 == 0)
			rm_progress_update(&progress, (double)n, NULL);
	rm_progress_end(&progress);
	return got < 0 ? -1 : rm_output_printf(out, "%zu\n", n);
}

static int view(struct rm_output *out, char **paths, size_t n)
{
	struct rm_reader_options ro = { .max_record = o.max_record };
	struct rm_reader *in = rm_reader_open(paths, n, &ro);
	int ok = 0;

	if (!in)
		return -1;
	if (o.header_only || o.header)
		ok = print_header(out, rm_reader_header(in));
	if (ok == 0 && !o.header_only)
		ok = o.count ? count_records(out, in) : print_records(out, in);
	rm_reader_close(in);
	return ok;
}

/* ---- JSON lines to stream ---- */

struct lines {
	struct rm_input *in;
	struct rm_buf text;
	size_t number;
	struct rm_buf payload;
	struct rm_record rec;
};

/* "NAME: line N: " before the message; -1. */
static int wrap_line(const struct lines *l)
{
	return rm_wrap("%s: line %zu", rm_input_name(l->in), l->number);
}

/* The next line that is not empty: 1 and its value, 0 at the end, -1. */
static int next_line(struct lines *l, json_t **value)
{
	int got;

	while ((got = rm_input_line(l->in, &l->text, o.max_record)) > 0) {
		l->number++;
		if (strspn(rm_buf_text(&l->text), " \t\r") == l->text.len)
			continue;
		/* A value may be nested to the limit within its record. */
		*value = rm_json_parse_to(l->text.data, l->text.len,
					  RM_JSON_DEPTH + 4);
		return *value ? 1 : wrap_line(l);
	}
	return got;
}

static bool is_header(const json_t *value)
{
	const char *format = json_string_value(json_object_get(value,
							       "format"));

	return format && !strcmp(format, "rmtools");
}

/* One record's JSON object as l->payload and l->rec. */
static int parse_record(struct lines *l, const struct rm_header *h,
			const json_t *object)
{
	rm_buf_clear(&l->payload);
	if (rm_record_parse(&l->payload, &h->schema, object) < 0 ||
	    rm_record_index(&l->rec, &h->schema, l->payload.data,
			    l->payload.len) < 0)
		return -1;
	if (l->payload.len > o.max_record)
		return rm_fail("a record of %zu bytes, more than --max-record "
			       "%zu", l->payload.len, o.max_record);
	if (h->pairs && l->rec.k && l->rec.k != 2)
		return rm_fail("%zu responses in a stream of pairs",
			       l->rec.k);
	return 0;
}

/*
 * Without a header line: the known fields that the first record names, and
 * pairs if it has two responses.
 */
static int infer_header(struct rm_header *h, struct lines *l,
			const json_t *object)
{
	json_t *members = (json_t *)(uintptr_t)object, *member;
	const char *key;

	if (!json_is_object(object))
		return rm_fail("not a JSON object");
	if (rm_header_init(h) < 0)
		return -1;
	json_object_foreach(members, key, member)
		if (rm_schema_add(&h->schema, key) < 0)
			goto fail;
	if (parse_record(l, h, object) < 0)
		goto fail;
	h->pairs = l->rec.k == 2;
	return 0;
fail:
	rm_header_fini(h);
	return -1;
}

/*
 * The header, from the first line or by it; *value is then the first record,
 * NULL if there is none.
 */
static int read_header(struct rm_header *h, struct lines *l, json_t **value)
{
	int got = next_line(l, value);

	if (got == 0)
		return rm_fail("%s: empty: neither a header nor a record",
			       rm_input_name(l->in));
	if (got < 0)
		return -1;
	if (!is_header(*value)) {
		got = infer_header(h, l, *value);
	} else {
		got = rm_header_import(h, *value);
		if (got == 0) {
			json_decref(*value);
			*value = NULL;
			got = next_line(l, value);
			if (got < 0)
				rm_header_fini(h);
			return got < 0 ? -1 : 0;
		}
	}
	return got < 0 ? wrap_line(l) : 0;
}

static int write_records(struct rm_output *out, struct lines *l,
			 const struct rm_header *h, json_t **value)
{
	struct rm_writer *w = rm_writer_open(out, h);
	int got = w ? *value != NULL : -1;

	while (got > 0) {
		got = parse_record(l, h, *value) < 0 ? wrap_line(l) :
		      rm_writer_write(w, &l->payload);
		json_decref(*value);
		*value = NULL;
		if (got == 0)
			got = next_line(l, value);
	}
	if (got == 0)
		got = rm_writer_finish(w);
	rm_writer_free(w);
	return got;
}

static int to_stream(struct rm_output *out, const char *path, int argc,
		     char **argv)
{
	struct lines l = { .in = rm_input_open(path) };
	json_t *value = NULL;
	struct rm_header h = {0};
	int ok = -1;

	if (l.in && read_header(&h, &l, &value) == 0) {
		ok = o.no_history ? 0 :
		     rm_header_add_history(&h, tool.name, argc, argv, -1);
		if (ok == 0)
			ok = write_records(out, &l, &h, &value);
		rm_header_fini(&h);
	}
	json_decref(value);
	rm_input_close(l.in);
	rm_buf_fini(&l.text);
	rm_buf_fini(&l.payload);
	rm_record_fini(&l.rec);
	return ok;
}

/* ---- main ---- */

static void check_usage(int operands)
{
	if (o.header_only + o.count + o.stream > 1)
		rm_cli_usage(&tool, "-H, -c and -S exclude one another");
	if (o.stream && operands > 1)
		rm_cli_usage(&tool, "-S reads one file");
	if ((o.header_only || o.count || o.stream) &&
	    (o.header || o.text || o.number))
		rm_cli_usage(&tool, "--header, --text and -n go with printing "
			     "records, not with -H, -c or -S");
	if (o.no_history && !o.stream)
		rm_cli_usage(&tool, "--no-history goes with -S: JSON has no "
			     "history to add to");
}

int main(int argc, char **argv)
{
	static char stdin_path[] = "-";
	struct rm_output *out;
	int first, ok;

	first = rm_cli_parse(&tool, argc, argv);
	rm_cli_need_input(&tool, argc, first);
	check_usage(argc - first);
	out = rm_output_open(o.output);
	if (!out)
		return rm_cli_end(&tool, NULL, false);
	if (o.stream)
		ok = to_stream(out, first < argc ? argv[first] : stdin_path,
			       argc, argv);
	else
		ok = view(out, argv + first, (size_t)(argc - first));
	return rm_cli_end(&tool, out, ok == 0);
}
