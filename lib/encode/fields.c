/* The fields of a record, and which of them the data has. */
#include "encode/group.h"

#include <math.h>
#include <string.h>

/* Bits of the field `format`. */
enum { HAS_LIST = 1, HAS_BOLD = 2, HAS_HEADING = 4, HAS_CODE = 8 };

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

static void put_id(struct rm_encode_group *x, struct rm_buf *out)
{
	put_slice(out, x->g->id);
}

static void put_key(struct rm_encode_group *x, struct rm_buf *out)
{
	rm_put_u64(out, rm_hash64(x->g->key_text.data, x->g->key_text.len));
}

static void put_subset(struct rm_encode_group *x, struct rm_buf *out)
{
	put_slice(out, x->g->subset);
}

static void put_split(struct rm_encode_group *x, struct rm_buf *out)
{
	put_slice(out, x->g->split);
}

static void put_prompt(struct rm_encode_group *x, struct rm_buf *out)
{
	rm_put_i32s(out, x->w->ids + x->skip, x->n_prompt - x->skip);
}

static void put_responses(struct rm_encode_group *x, struct rm_buf *out)
{
	rm_put_array(out, x->g->k);
	for (size_t i = 0; i < x->g->k; i++)
		rm_put_i32s(out, x->w->ids + x->from[i], x->n[i]);
}

static void put_prompt_text(struct rm_encode_group *x, struct rm_buf *out)
{
	if (x->g->prompt.text.data || x->g->prompt.n)
		put_slice(out, x->g->key_text);
	else
		rm_put_str(out, "", 0);
}

static void put_response_texts(struct rm_encode_group *x, struct rm_buf *out)
{
	rm_put_array(out, x->g->k);
	for (size_t i = 0; i < x->g->k; i++)
		put_slice(out, x->plain[i]);
}

static void put_rank(struct rm_encode_group *x, struct rm_buf *out)
{
	put_numbers(out, x->g->rank, x->g->k);
}

static void put_score(struct rm_encode_group *x, struct rm_buf *out)
{
	put_numbers(out, x->g->score, x->g->k);
}

static void put_attributes(struct rm_encode_group *x, struct rm_buf *out)
{
	const struct rm_text_group *g = x->g;

	rm_put_map(out, g->n_attributes);
	for (size_t i = 0; i < g->n_attributes; i++) {
		rm_put_str(out, g->attribute[i].name,
			   strlen(g->attribute[i].name));
		rm_put_f64s(out, g->attribute[i].value, g->k);
	}
}

static void put_teacher(struct rm_encode_group *x, struct rm_buf *out)
{
	put_numbers(out, x->g->teacher, x->g->k);
}

static void put_votes(struct rm_encode_group *x, struct rm_buf *out)
{
	put_numbers(out, x->g->votes, x->g->k + 1);
}

static void put_annotations(struct rm_encode_group *x, struct rm_buf *out)
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
static void put_each(struct rm_encode_group *x, struct rm_buf *out,
		     int32_t (*fn)(const struct rm_encode_group *x, size_t i))
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

static int32_t position_of(const struct rm_encode_group *x, size_t i)
{
	(void)x;
	return (int32_t)i;
}

static int32_t length_of(const struct rm_encode_group *x, size_t i)
{
	return (int32_t)rm_utf8_count(x->plain[i].data, x->plain[i].len);
}

static int32_t tokens_of(const struct rm_encode_group *x, size_t i)
{
	return (int32_t)x->n[i];
}

static int32_t format_at(const struct rm_encode_group *x, size_t i)
{
	return format_of(x->plain[i]);
}

static void put_position(struct rm_encode_group *x, struct rm_buf *out)
{
	put_each(x, out, position_of);
}

static void put_length(struct rm_encode_group *x, struct rm_buf *out)
{
	put_each(x, out, length_of);
}

static void put_n_tokens(struct rm_encode_group *x, struct rm_buf *out)
{
	put_each(x, out, tokens_of);
}

static void put_format(struct rm_encode_group *x, struct rm_buf *out)
{
	put_each(x, out, format_at);
}

static void put_p(struct rm_encode_group *x, struct rm_buf *out)
{
	put_number(out, x->g->p);
}

static void put_margin(struct rm_encode_group *x, struct rm_buf *out)
{
	put_number(out, x->g->margin);
}

static void put_weight(struct rm_encode_group *x, struct rm_buf *out)
{
	put_number(out, x->g->weight);
}

static void put_extra(struct rm_encode_group *x, struct rm_buf *out)
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
	rm_encode_put_fn *put;
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

_Static_assert(RM_COUNT(fields) <= RM_ENCODE_FIELDS, "room for all fields");

int rm_encode_schema(const struct rm_text_reader *reader, bool keep_text,
		     struct rm_schema *schema,
		     rm_encode_put_fn *put[RM_ENCODE_FIELDS])
{
	const char *const *column;
	size_t n;

	for (size_t i = 0; i < RM_COUNT(fields); i++) {
		if ((fields[i].when == WITH_TEXT && !keep_text) ||
		    (fields[i].when == IF_THERE &&
		     !rm_text_has(reader, fields[i].name)))
			continue;
		put[schema->n] = fields[i].put;
		if (rm_schema_add(schema, fields[i].name) < 0)
			return -1;
	}
	column = rm_text_per_response(reader, &n);
	for (size_t i = 0; i < n; i++)
		if (rm_schema_add_per_response(schema, column[i]) < 0)
			return -1;
	return 0;
}
