/* Languages as far as letters tell: the scripts of prompts and responses. */
#include "pair/internal.h"

#include <stdlib.h>

#include "pair/script_ranges.h"

enum { PROMPTS, RESPONSES, SIDES };

struct rm_scripts {
	int prompt, responses;
	uint64_t letters[SIDES][SCRIPTS];
	uint64_t texts[SIDES][SCRIPTS + 1];	/* by most letters; none */
	size_t last;			/* the range found last */
	struct rm_slice *slice;
	size_t cap;
};

struct rm_scripts *rm_scripts_new(const struct rm_schema *schema)
{
	struct rm_scripts *s = rm_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->prompt = rm_schema_find(schema, "prompt_text");
	s->responses = rm_schema_find(schema, "response_texts");
	return s;
}

void rm_scripts_free(struct rm_scripts *s)
{
	if (s)
		free(s->slice);
	free(s);
}

/* ---- letters ---- */

/* Most often the letter before was in the same range. */
static size_t script_of(struct rm_scripts *s, uint32_t c)
{
	size_t low = 0, high = RM_COUNT(script_ranges);

	if (c >= script_ranges[s->last].first &&
	    c <= script_ranges[s->last].last)
		return script_ranges[s->last].script;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (script_ranges[mid].last < c)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == RM_COUNT(script_ranges) || script_ranges[low].first > c)
		return SCRIPTS;
	s->last = low;
	return script_ranges[low].script;
}

/* The character at p and its bytes; 0 for a byte that begins none. */
static uint32_t char_at(const unsigned char *p, size_t n, size_t *len)
{
	size_t more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc2;
	uint32_t c = *p & (0x3fu >> more);

	*len = 1;
	if (more == 0 || more >= n)
		return 0;
	for (size_t i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	*len = 1 + more;
	return c;
}

static void add_text(struct rm_scripts *s, struct rm_slice text, int side)
{
	uint64_t count[SCRIPTS + 1] = {0};
	size_t most = SCRIPTS, len;

	for (size_t i = 0; i < text.len; i += len) {
		unsigned char c = text.data[i];

		len = 1;
		if (c < 0x80)
			count[LATIN] += (unsigned char)((c | 0x20) - 'a') < 26;
		else
			count[script_of(s, char_at(text.data + i,
						   text.len - i, &len))]++;
	}
	for (size_t i = 0; i < SCRIPTS; i++) {
		s->letters[side][i] += count[i];
		if (count[i] && (most == SCRIPTS || count[i] > count[most]))
			most = i;
	}
	s->texts[side][most]++;
}

int rm_scripts_add(struct rm_scripts *s, const struct rm_seen *seen)
{
	const struct rm_record *rec = seen->rec;
	struct rm_slice prompt = rm_record_bytes(rec, s->prompt);

	if (prompt.data)
		add_text(s, prompt, PROMPTS);
	if (s->responses < 0)
		return 0;
	if (rm_grow(&s->slice, &s->cap, rec->k, sizeof(*s->slice)) < 0)
		return -1;
	rm_record_elements(rec, s->responses, s->slice);
	for (size_t i = 0; i < rec->k; i++)
		if (s->slice[i].data)
			add_text(s, s->slice[i], RESPONSES);
	return 0;
}

/* ---- figures ---- */

static void put_row(json_t *rows, const char *name, const uint64_t *texts,
		    const double *shares)
{
	static const char *const titles[] = { "prompts", "responses",
					      "in_prompts",
					      "in_responses" };
	json_t *row = json_object();

	json_object_set_new(row, "name", json_string(name));
	for (int i = 0; i < SIDES; i++)
		json_object_set_new(row, titles[i],
				    rm_whole((double)texts[i]));
	for (int i = 0; i < SIDES; i++)
		json_object_set_new(row, titles[SIDES + i],
				    rm_real(shares[i]));
	json_array_append_new(rows, row);
}

void rm_scripts_put(json_t *all, const struct rm_scripts *s)
{
	json_t *rows = json_array();
	double letters[SIDES] = {0};

	for (size_t i = 0; i < SCRIPTS; i++)
		for (int j = 0; j < SIDES; j++)
			letters[j] += (double)s->letters[j][i];
	for (size_t i = 0; i <= SCRIPTS; i++) {
		uint64_t texts[SIDES], seen = 0;
		double share[SIDES];

		for (int j = 0; j < SIDES; j++) {
			uint64_t n = i < SCRIPTS ? s->letters[j][i] : 0;

			texts[j] = s->texts[j][i];
			seen += texts[j] + n;
			share[j] = (double)n / letters[j];
		}
		if (seen)
			put_row(rows, i < SCRIPTS ? script_names[i]
						  : "(no letters)",
				texts, share);
	}
	if (json_array_size(rows))
		json_object_set_new(all, "scripts", rows);
	else {
		json_decref(rows);
		rm_lack(all, "scripts", s->prompt < 0 && s->responses < 0 ?
			"no texts are kept: rm-tokenize --keep-text" :
			"there are no texts");
	}
}
