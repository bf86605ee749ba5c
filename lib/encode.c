#include "encode.h"

#include "template.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <omp.h>

/* Bits of the field `format`. */
enum { HAS_LIST = 1, HAS_BOLD = 2, HAS_HEADING = 4, HAS_CODE = 8 };

enum overlong { LEFT, RIGHT, DROP, ERROR };

const char *const rm_encode_overlongs[] = {
	"left", "right", "drop", "error", NULL
};

struct ids {
	int32_t *v;
	size_t n, cap;
};

/* What each thread has for itself. */
struct worker {
	struct rm_encoding encoding;
	struct rm_buf text;		/* one whole input */
	struct rm_buf plain;		/* the responses' own texts */
	struct rm_buf out;		/* payloads of the batch */
	struct rm_arena arena;
	struct ids ids;			/* of all k inputs */
	size_t *ends;			/* of the first input's tokens */
	size_t cap_ends;
	struct rm_encode_counts counts;
	char pad[64];
};

/* A group on its way to a record. */
struct encoding {
	const struct rm_encode *e;
	const struct rm_text_group *g;
	struct worker *w;
	size_t *start;			/* [k+1] in w->ids */
	size_t n_prompt;		/* ids that all inputs begin with */
	size_t skip;			/* of them, cut from the left */
	size_t *from, *n;		/* [k] of the responses' ids */
	struct rm_slice *plain;		/* [k] texts as the data has them */
};

typedef void put_fn(struct encoding *x, struct rm_buf *out);

struct payload {
	size_t worker, start, len;
	bool dropped;
	char *error;
};

struct rm_encode {
	const struct rm_tokenizer *tokenizer;
	const struct rm_template *template;
	struct rm_text_reader *reader;
	struct rm_header header;
	put_fn **put;			/* [header.schema.n] */
	size_t max_length;
	enum overlong overlong;
	bool keep_text;
	size_t threads;
	struct worker *worker;
	struct rm_text_batch batch;
	struct payload *payload;	/* [batch.n] */
	size_t cap_payload;
	size_t at;
	struct rm_buf view;		/* borrows a worker's bytes */
	struct rm_encode_counts counts;
};

/* ---- text ---- */

static const struct rm_slice user = { (const unsigned char *)"user", 4 };
static const struct rm_slice assistant = {
	(const unsigned char *)"assistant", 9
};

/* A string as one message of that role; messages as they are. */
static struct rm_text as_messages(const struct rm_text *text,
				  struct rm_slice role,
				  struct rm_message *one)
{
	if (!text->text.data)
		return *text;
	*one = (struct rm_message){ role, text->text };
	return (struct rm_text){ .n = 1, .message = one };
}

static size_t shared_bytes(const unsigned char *a, size_t n,
			   const unsigned char *b, size_t m)
{
	size_t i = 0;

	while (i < n && i < m && a[i] == b[i])
		i++;
	return i;
}

/* Input i as messages through the template; where its prompt ends. */
static int render(struct encoding *x, size_t i, size_t *end)
{
	const struct rm_template *t = x->e->template;
	struct rm_message one[2], *all;
	struct rm_text p = as_messages(&x->g->prompt, user, &one[0]);
	struct rm_text r = as_messages(&x->g->response[i], assistant,
				       &one[1]);
	struct rm_buf *text = &x->w->text;
	size_t n;

	all = rm_arena_alloc(&x->w->arena, p.n + r.n, sizeof(*all));
	if (!all)
		return -1;
	if (p.n)
		memcpy(all, p.message, p.n * sizeof(*all));
	memcpy(all + p.n, r.message, r.n * sizeof(*all));
	if (rm_template_render(t, all, p.n + r.n, false, text) < 0)
		return -1;
	/* The prompt with its generation prompt, behind the text. */
	n = text->len;
	if (rm_template_render(t, p.message, p.n, true, text) < 0)
		return -1;
	*end = shared_bytes(text->data, n, text->data + n, text->len - n);
	text->len = n;
	return 0;
}

static bool is_string(const struct rm_text *text)
{
	return text->text.data || text->n == 0;
}

/* Input i in w->text, and where its prompt ends. */
static int make_text(struct encoding *x, size_t i, size_t *end)
{
	const struct rm_text *p = &x->g->prompt, *r = &x->g->response[i];
	struct rm_buf *text = &x->w->text;

	rm_buf_clear(text);
	if (!is_string(p) || !r->text.data ||
	    !(x->g->transcript || rm_template_joins_strings(x->e->template)))
		return render(x, i, end);
	rm_buf_append(text, p->text.data, p->text.len);
	*end = text->len;
	rm_buf_append(text, r->text.data, r->text.len);
	return text->failed ? -1 : 0;
}

/* The responses as the data has them; messages with empty lines between. */
static int make_plain(struct encoding *x)
{
	const struct rm_text_group *g = x->g;
	const struct rm_template *t = rm_template_find("plain");
	struct rm_buf *plain = &x->w->plain;

	x->plain = rm_arena_alloc(&x->w->arena, g->k, sizeof(*x->plain));
	if (!x->plain)
		return -1;
	for (size_t i = 0; i < g->k; i++) {
		const struct rm_text *r = &g->response[i];

		if (r->text.data) {
			x->plain[i] = r->text;
			continue;
		}
		rm_buf_clear(plain);
		if (rm_template_render(t, r->message, r->n, false, plain) < 0)
			return -1;
		x->plain[i].data = (unsigned char *)rm_arena_strndup(
			&x->w->arena, (const char *)plain->data, plain->len);
		x->plain[i].len = plain->len;
		if (!x->plain[i].data)
			return -1;
	}
	return 0;
}

static size_t count_empty(const struct encoding *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->g->k; i++)
		n += x->plain[i].len == 0;
	return n;
}

/* ---- tokens ---- */

static int add_ids(struct ids *ids, const struct rm_encoding *from)
{
	if (rm_grow(&ids->v, &ids->cap, ids->n + from->n,
		    sizeof(*ids->v)) < 0)
		return -1;
	if (from->n)
		memcpy(ids->v + ids->n, from->ids,
		       from->n * sizeof(*ids->v));
	ids->n += from->n;
	return 0;
}

/* Tokens that the first input and this one share, up to the prompt's end. */
static size_t shared_tokens(const struct worker *w, size_t n, size_t end)
{
	const struct rm_encoding *c = &w->encoding;
	size_t i = 0;

	while (i < n && i < c->n && w->ends[i] <= end &&
	       w->ids.v[i] == c->ids[i] && w->ends[i] == c->ends[i])
		i++;
	return i;
}

/* The ids of all inputs side by side, and how many of them are prompt. */
static int tokenize(struct encoding *x)
{
	struct worker *w = x->w;
	struct rm_encoding *c = &w->encoding;
	size_t k = x->g->k, end;

	x->start = rm_arena_alloc(&w->arena, k + 1, sizeof(*x->start));
	if (!x->start)
		return -1;
	w->ids.n = 0;
	for (size_t i = 0; i < k; i++) {
		x->start[i] = w->ids.n;
		if (make_text(x, i, &end) < 0 ||
		    rm_tokenizer_encode(x->e->tokenizer, c, w->text.data,
					w->text.len) < 0)
			return -1;
		w->counts.text += w->text.len;
		if (i == 0) {
			if (rm_grow(&w->ends, &w->cap_ends, c->n,
				    sizeof(*w->ends)) < 0)
				return -1;
			if (c->n)
				memcpy(w->ends, c->ends,
				       c->n * sizeof(*w->ends));
			x->n_prompt = c->n;
		}
		if (add_ids(&w->ids, c) < 0)
			return -1;
		x->n_prompt = shared_tokens(w, x->n_prompt, end);
	}
	x->start[k] = w->ids.n;
	return 0;
}

/* ---- cutting ---- */

static size_t longest_input(const struct encoding *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->g->k; i++)
		n = RM_MAX(n, x->start[i + 1] - x->start[i]);
	return n;
}

/* From the front of the prompt, as much for all k; a response that does not
 * fit alone loses its own front. */
static void cut_left(struct encoding *x, size_t longest)
{
	size_t max = x->e->max_length;

	x->skip = RM_MIN(x->n_prompt, longest - max);
	for (size_t i = 0; i < x->g->k; i++) {
		size_t have = x->n_prompt - x->skip + x->n[i];

		if (have > max) {
			x->from[i] += have - max;
			x->n[i] -= have - max;
		}
	}
}

static void cut_right(struct encoding *x)
{
	size_t max = x->e->max_length;

	x->n_prompt = RM_MIN(x->n_prompt, max);
	for (size_t i = 0; i < x->g->k; i++)
		x->n[i] = RM_MIN(x->n[i], max - x->n_prompt);
}

/* 1 to keep the group, 0 to drop it, -1 for an error. */
static int cut(struct encoding *x)
{
	struct worker *w = x->w;
	size_t k = x->g->k, longest = longest_input(x);

	x->from = rm_arena_alloc(&w->arena, k, sizeof(*x->from));
	x->n = rm_arena_alloc(&w->arena, k, sizeof(*x->n));
	if (!x->from || !x->n)
		return -1;
	for (size_t i = 0; i < k; i++) {
		x->from[i] = x->start[i] + x->n_prompt;
		x->n[i] = x->start[i + 1] - x->from[i];
	}
	if (x->e->max_length == 0 || longest <= x->e->max_length)
		return 1;
	switch (x->e->overlong) {
	case DROP:
		w->counts.dropped++;
		return 0;
	case ERROR:
		return rm_fail("%zu tokens, the limit is %zu", longest,
			       x->e->max_length);
	case RIGHT:
		cut_right(x);
		break;
	case LEFT:
	default:
		cut_left(x, longest);
		break;
	}
	w->counts.cut++;
	return 1;
}

/* ---- what a response looks like ---- */

static size_t count_run(const unsigned char *s, size_t n, unsigned char c)
{
	size_t i = 0;

	while (i < n && s[i] == c)
		i++;
	return i;
}

/* The bits that the beginning of a line tells. */
static int32_t line_format(const unsigned char *s, size_t n)
{
	size_t space = count_run(s, n, ' '), digits = 0, hashes;

	s += space;
	n -= space;
	if (n >= 3 && memcmp(s, "```", 3) == 0)
		return HAS_CODE;
	if (n >= 2 && strchr("-*+", s[0]) && s[0] && s[1] == ' ')
		return HAS_LIST;
	while (digits < n && digits < 3 && s[digits] >= '0' &&
	       s[digits] <= '9')
		digits++;
	if (digits && n >= digits + 2 &&
	    (s[digits] == '.' || s[digits] == ')') && s[digits + 1] == ' ')
		return HAS_LIST;
	hashes = count_run(s, n, '#');
	if (hashes && hashes <= 6 && hashes < n && s[hashes] == ' ')
		return HAS_HEADING;
	return 0;
}

/* Whether **text** stands within the n bytes of one line. */
static bool has_bold(const unsigned char *s, size_t n)
{
	const unsigned char *open = memmem(s, n, "**", 2);
	size_t left;

	if (!open)
		return false;
	left = n - (size_t)(open - s) - 2;
	return left > 2 && open[2] != ' ' && open[2] != '*' &&
	       memmem(open + 3, left - 1, "**", 2) != NULL;
}

static int32_t format_of(struct rm_slice text)
{
	const unsigned char *s = text.data, *end;
	size_t left = text.len, n;
	int32_t bits = 0;

	while (left > 0) {
		end = memchr(s, '\n', left);
		n = end ? (size_t)(end - s) : left;
		bits |= line_format(s, n);
		if (has_bold(s, n))
			bits |= HAS_BOLD;
		n += end != NULL;
		s += n;
		left -= n;
	}
	return bits;
}

/* ---- fields ---- */

static void put_slice(struct rm_buf *out, struct rm_slice s)
{
	if (s.data)
		rm_put_str(out, s.data, s.len);
	else
		rm_put_nil(out);
}

static void put_numbers(struct rm_buf *out, const double *v, size_t n)
{
	if (v)
		rm_put_f64s(out, v, n);
	else
		rm_put_nil(out);
}

static void put_number(struct rm_buf *out, double v)
{
	if (isnan(v))
		rm_put_nil(out);
	else
		rm_put_f64(out, v);
}

static void put_id(struct encoding *x, struct rm_buf *out)
{
	put_slice(out, x->g->id);
}

static void put_key(struct encoding *x, struct rm_buf *out)
{
	rm_put_u64(out, rm_hash64(x->g->key_text.data, x->g->key_text.len));
}

static void put_subset(struct encoding *x, struct rm_buf *out)
{
	put_slice(out, x->g->subset);
}

static void put_split(struct encoding *x, struct rm_buf *out)
{
	put_slice(out, x->g->split);
}

static void put_prompt(struct encoding *x, struct rm_buf *out)
{
	rm_put_i32s(out, x->w->ids.v + x->skip, x->n_prompt - x->skip);
}

static void put_responses(struct encoding *x, struct rm_buf *out)
{
	rm_put_array(out, x->g->k);
	for (size_t i = 0; i < x->g->k; i++)
		rm_put_i32s(out, x->w->ids.v + x->from[i], x->n[i]);
}

static void put_prompt_text(struct encoding *x, struct rm_buf *out)
{
	if (x->g->prompt.text.data || x->g->prompt.n)
		put_slice(out, x->g->key_text);
	else
		rm_put_str(out, "", 0);
}

static void put_response_texts(struct encoding *x, struct rm_buf *out)
{
	rm_put_array(out, x->g->k);
	for (size_t i = 0; i < x->g->k; i++)
		put_slice(out, x->plain[i]);
}

static void put_rank(struct encoding *x, struct rm_buf *out)
{
	put_numbers(out, x->g->rank, x->g->k);
}

static void put_score(struct encoding *x, struct rm_buf *out)
{
	put_numbers(out, x->g->score, x->g->k);
}

static void put_attributes(struct encoding *x, struct rm_buf *out)
{
	const struct rm_text_group *g = x->g;

	rm_put_map(out, g->n_attributes);
	for (size_t i = 0; i < g->n_attributes; i++) {
		rm_put_str(out, g->attribute[i].name,
			   strlen(g->attribute[i].name));
		rm_put_f64s(out, g->attribute[i].value, g->k);
	}
}

static void put_teacher(struct encoding *x, struct rm_buf *out)
{
	put_numbers(out, x->g->teacher, x->g->k);
}

static void put_votes(struct encoding *x, struct rm_buf *out)
{
	put_numbers(out, x->g->votes, x->g->k + 1);
}

static void put_annotations(struct encoding *x, struct rm_buf *out)
{
	const struct rm_text_group *g = x->g;

	rm_put_array(out, g->n_annotations);
	for (size_t i = 0; i < g->n_annotations; i++) {
		rm_put_map(out, 2);
		rm_put_str(out, "annotator", 9);
		put_slice(out, g->annotation[i].annotator);
		rm_put_str(out, "choice", 6);
		rm_put_u64(out, g->annotation[i].choice);
	}
}

/* k int32 that fn gives. */
static void put_each(struct encoding *x, struct rm_buf *out,
		     int32_t (*fn)(const struct encoding *x, size_t i))
{
	size_t k = x->g->k;
	int32_t *v = rm_arena_alloc(&x->w->arena, k, sizeof(*v));

	if (!v) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < k; i++)
		v[i] = fn(x, i);
	rm_put_i32s(out, v, k);
}

static int32_t position_of(const struct encoding *x, size_t i)
{
	(void)x;
	return (int32_t)i;
}

static int32_t length_of(const struct encoding *x, size_t i)
{
	return (int32_t)rm_utf8_count(x->plain[i].data, x->plain[i].len);
}

static int32_t tokens_of(const struct encoding *x, size_t i)
{
	return (int32_t)x->n[i];
}

static int32_t format_at(const struct encoding *x, size_t i)
{
	return format_of(x->plain[i]);
}

static void put_position(struct encoding *x, struct rm_buf *out)
{
	put_each(x, out, position_of);
}

static void put_length(struct encoding *x, struct rm_buf *out)
{
	put_each(x, out, length_of);
}

static void put_n_tokens(struct encoding *x, struct rm_buf *out)
{
	put_each(x, out, tokens_of);
}

static void put_format(struct encoding *x, struct rm_buf *out)
{
	put_each(x, out, format_at);
}

static void put_p(struct encoding *x, struct rm_buf *out)
{
	put_number(out, x->g->p);
}

static void put_margin(struct encoding *x, struct rm_buf *out)
{
	put_number(out, x->g->margin);
}

static void put_weight(struct encoding *x, struct rm_buf *out)
{
	put_number(out, x->g->weight);
}

static void put_extra(struct encoding *x, struct rm_buf *out)
{
	if (x->g->extra)
		rm_put_json(out, x->g->extra);
	else
		rm_put_nil(out);
}

enum when { ALWAYS, WITH_TEXT, IF_THERE };

/* The order of a record. */
static const struct {
	const char *name;
	enum when when;
	put_fn *put;
} fields[] = {
	{ "id", ALWAYS, put_id },
	{ "key", ALWAYS, put_key },
	{ "subset", IF_THERE, put_subset },
	{ "split", IF_THERE, put_split },
	{ "prompt", ALWAYS, put_prompt },
	{ "responses", ALWAYS, put_responses },
	{ "prompt_text", WITH_TEXT, put_prompt_text },
	{ "response_texts", WITH_TEXT, put_response_texts },
	{ "rank", IF_THERE, put_rank },
	{ "score", IF_THERE, put_score },
	{ "attributes", IF_THERE, put_attributes },
	{ "teacher", IF_THERE, put_teacher },
	{ "votes", IF_THERE, put_votes },
	{ "annotations", IF_THERE, put_annotations },
	{ "position", ALWAYS, put_position },
	{ "length", ALWAYS, put_length },
	{ "n_tokens", ALWAYS, put_n_tokens },
	{ "format", ALWAYS, put_format },
	{ "p", IF_THERE, put_p },
	{ "margin", IF_THERE, put_margin },
	{ "weight", IF_THERE, put_weight },
	{ "extra", IF_THERE, put_extra },
};

/* ---- the header ---- */

static json_t *make_policy(const struct rm_encode *e)
{
	json_t *policy = json_object();

	json_object_set_new(policy, "template",
			    json_string(rm_template_name(e->template)));
	if (e->max_length) {
		json_object_set_new(policy, "max_length",
				    json_integer((json_int_t)e->max_length));
		json_object_set_new(policy, "overlong", json_string(
			rm_encode_overlongs[e->overlong]));
	}
	return policy;
}

static int add_fields(struct rm_encode *e)
{
	struct rm_schema *s = &e->header.schema;
	const char *const *column;
	size_t n;

	for (size_t i = 0; i < RM_COUNT(fields); i++) {
		if ((fields[i].when == WITH_TEXT && !e->keep_text) ||
		    (fields[i].when == IF_THERE &&
		     !rm_text_has(e->reader, fields[i].name)))
			continue;
		e->put[s->n] = fields[i].put;
		if (rm_schema_add(s, fields[i].name) < 0)
			return -1;
	}
	column = rm_text_per_response(e->reader, &n);
	for (size_t i = 0; i < n; i++)
		if (rm_schema_add_per_response(s, column[i]) < 0)
			return -1;
	return 0;
}

static int make_header(struct rm_encode *e)
{
	struct rm_header *h = &e->header;
	json_t *policy;

	if (rm_header_init(h) < 0 || add_fields(e) < 0 ||
	    rm_files_copy(&h->tokenizer,
			  rm_tokenizer_files(e->tokenizer)) < 0)
		return -1;
	h->tokenizer_fp = rm_tokenizer_fingerprint(e->tokenizer);
	policy = make_policy(e);
	return policy ? rm_header_set_policy(h, policy)
		      : rm_fail("out of memory");
}

/* ---- opening ---- */

static int set_options(struct rm_encode *e,
		       const struct rm_encode_options *o)
{
	const char *overlong = o->overlong ? o->overlong : "left";
	struct rm_buf names = {0};

	e->max_length = o->max_length;
	e->keep_text = o->keep_text;
	e->threads = o->text.threads ? o->text.threads : 1;
	e->template = rm_template_find(o->template ? o->template : "plain");
	if (!e->template)
		return -1;
	for (size_t i = 0; rm_encode_overlongs[i]; i++)
		if (strcmp(rm_encode_overlongs[i], overlong) == 0) {
			e->overlong = (enum overlong)i;
			return 0;
		}
	rm_join_names(&names, rm_encode_overlongs);
	rm_fail("overlong: '%s' is not one of %s", overlong,
		rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

static struct rm_encode *start(const struct rm_tokenizer *tokenizer,
			       const struct rm_encode_options *o)
{
	struct rm_encode *e = rm_calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->tokenizer = tokenizer;
	if (set_options(e, o) < 0)
		goto fail;
	e->worker = rm_calloc(e->threads, sizeof(*e->worker));
	e->put = rm_calloc(RM_COUNT(fields), sizeof(*e->put));
	if (e->worker && e->put)
		return e;
fail:
	rm_encode_close(e);
	return NULL;
}

static struct rm_encode *started(struct rm_encode *e)
{
	if (e->reader && make_header(e) == 0)
		return e;
	rm_encode_close(e);
	return NULL;
}

struct rm_encode *rm_encode_open(char *const *paths, size_t n,
				 const struct rm_tokenizer *tokenizer,
				 const struct rm_encode_options *options)
{
	struct rm_encode *e = start(tokenizer, options);

	if (!e)
		return NULL;
	e->reader = rm_text_open(paths, n, &options->text);
	return started(e);
}

struct rm_encode *rm_encode_open_input(struct rm_input *in,
				       const struct rm_tokenizer *tokenizer,
				       const struct rm_encode_options *options)
{
	struct rm_encode *e = start(tokenizer, options);

	if (!e) {
		rm_input_close(in);
		return NULL;
	}
	e->reader = rm_text_open_input(in, &options->text);
	return started(e);
}

struct rm_header *rm_encode_header(struct rm_encode *e)
{
	return &e->header;
}

void rm_encode_on_pause(struct rm_encode *e, int (*fn)(void *), void *arg)
{
	rm_text_on_pause(e->reader, fn, arg);
}

const struct rm_encode_counts *rm_encode_counts(const struct rm_encode *e)
{
	return &e->counts;
}

const struct rm_text_counts *rm_encode_text_counts(const struct rm_encode *e)
{
	return rm_text_counts(e->reader);
}

/* ---- a batch ---- */

static int put_record(struct encoding *x)
{
	struct rm_buf *out = &x->w->out;
	size_t n = x->e->header.schema.n;

	rm_put_array(out, n);
	for (size_t f = 0; f < n; f++)
		x->e->put[f](x, out);
	return out->failed ? -1 : 0;
}

static void count(struct encoding *x)
{
	struct rm_encode_counts *c = &x->w->counts;

	c->kept++;
	c->empty += count_empty(x);
	for (size_t i = 0; i < x->g->k; i++)
		c->tokens += x->n_prompt - x->skip + x->n[i];
}

static void encode_group(const struct rm_encode *e,
			 const struct rm_text_group *g, struct worker *w,
			 struct payload *p)
{
	struct encoding x = { .e = e, .g = g, .w = w };
	int keep = -1;

	p->start = w->out.len;
	rm_arena_reset(&w->arena);
	if (g->k > RM_MAX_RESPONSES)
		rm_fail("%zu responses; at most %zu are possible", g->k,
			RM_MAX_RESPONSES);
	else if (tokenize(&x) == 0 && make_plain(&x) == 0)
		keep = cut(&x);
	if (keep > 0) {
		count(&x);
		if (put_record(&x) < 0)
			keep = -1;
	}
	p->len = w->out.len - p->start;
	p->dropped = keep == 0;
	if (keep < 0) {
		rm_wrap("%s: row %zu", g->file, g->row);
		p->error = rm_strdup(rm_error());
	}
}

static void add_counts(struct rm_encode *e)
{
	for (size_t i = 0; i < e->threads; i++) {
		struct rm_encode_counts *c = &e->worker[i].counts;

		e->counts.kept += c->kept;
		e->counts.dropped += c->dropped;
		e->counts.cut += c->cut;
		e->counts.empty += c->empty;
		e->counts.tokens += c->tokens;
		e->counts.text += c->text;
		*c = (struct rm_encode_counts){0};
	}
}

static void forget(struct rm_encode *e)
{
	for (size_t i = 0; i < e->batch.n; i++)
		free(e->payload[i].error);
	for (size_t i = 0; e->worker && i < e->threads; i++)
		rm_buf_clear(&e->worker[i].out);
	e->batch.n = 0;
	e->at = 0;
}

static int encode_batch(struct rm_encode *e)
{
	size_t n;
	int got;

	forget(e);
	got = rm_text_read(e->reader, &e->batch);
	n = got > 0 ? e->batch.n : 0;
	e->batch.n = 0;		/* until the payloads are set */
	if (got <= 0)
		return got;
	if (rm_grow(&e->payload, &e->cap_payload, n,
		    sizeof(*e->payload)) < 0)
		return -1;
	memset(e->payload, 0, n * sizeof(*e->payload));
	e->batch.n = n;
#pragma omp parallel for num_threads(e->threads) schedule(dynamic, 4) \
	if (n > 1)
	for (size_t i = 0; i < n; i++) {
		e->payload[i].worker = (size_t)omp_get_thread_num();
		encode_group(e, e->batch.group[i],
			     &e->worker[e->payload[i].worker],
			     &e->payload[i]);
	}
	add_counts(e);
	return 1;
}

int rm_encode_next(struct rm_encode *e, const struct rm_buf **payload)
{
	for (;;) {
		const struct payload *p;

		if (e->at == e->batch.n) {
			int got = encode_batch(e);

			if (got <= 0)
				return got;
		}
		p = &e->payload[e->at++];
		if (p->error)
			return rm_fail("%s", p->error);
		if (p->dropped)
			continue;
		e->view = (struct rm_buf){
			.data = e->worker[p->worker].out.data + p->start,
			.len = p->len, .cap = p->len
		};
		*payload = &e->view;
		return 1;
	}
}

void rm_encode_close(struct rm_encode *e)
{
	if (!e)
		return;
	forget(e);
	rm_text_close(e->reader);
	rm_header_fini(&e->header);
	for (size_t i = 0; e->worker && i < e->threads; i++) {
		struct worker *w = &e->worker[i];

		rm_encoding_fini(&w->encoding);
		rm_buf_fini(&w->text);
		rm_buf_fini(&w->plain);
		rm_buf_fini(&w->out);
		rm_arena_fini(&w->arena);
		free(w->ids.v);
		free(w->ends);
	}
	free(e->worker);
	free(e->payload);
	free(e->put);
	free(e);
}

/* ---- a model's policy ---- */

enum { MAX_CONFIG = 64 * 1024 * 1024 };

/* A file of the model as *value; NULL where there is none. */
static int load_part(const char *model, const char *name, json_t **value)
{
	struct rm_buf path = {0};
	int status = 0;

	*value = NULL;
	rm_buf_printf(&path, "%s/%s", model, name);
	if (!rm_buf_text(&path)) {
		status = -1;
	} else if (access((const char *)path.data, F_OK) == 0) {
		*value = rm_json_load((const char *)path.data, MAX_CONFIG);
		status = *value ? 0 : -1;
	}
	rm_buf_fini(&path);
	return status;
}

/* The limit of a transformer's positions; a model without has none. */
static int limit_of_model(const char *model, struct rm_encode_options *o)
{
	json_t *config;
	size_t limit = 0;
	int status;

	if (load_part(model, "config.json", &config) < 0)
		return -1;
	status = rm_json_opt_size(config, "max_position_embeddings",
				  "config.json", 0, &limit);
	json_decref(config);
	if (status < 0)
		return -1;
	if (limit && o->max_length > limit)
		return rm_fail("%s: %zu tokens are more than the model's %zu "
			       "positions", model, o->max_length, limit);
	if (!o->max_length)
		o->max_length = limit;
	return 0;
}

int rm_encode_policy(const char *model, struct rm_encode_options *options,
		     json_t **keep)
{
	const char *template, *overlong;
	const json_t *policy;
	size_t limit;

	if (load_part(model, "rm.json", keep) < 0)
		return -1;
	policy = json_object_get(*keep, "policy");
	if (policy && !json_is_object(policy))
		return rm_fail("%s/rm.json: policy is not an object", model);
	if (rm_json_opt_string(policy, "template", "policy", NULL,
			       &template) < 0 ||
	    rm_json_opt_string(policy, "overlong", "policy", NULL,
			       &overlong) < 0 ||
	    rm_json_opt_size(policy, "max_length", "policy", 0, &limit) < 0)
		return rm_wrap("%s/rm.json", model);
	if (!options->template)
		options->template = template;
	if (!options->overlong)
		options->overlong = overlong;
	if (!options->max_length)
		options->max_length = limit;
	return limit_of_model(model, options);
}
