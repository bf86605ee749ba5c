/*
 * Precompiled: a map of characters that SentencePiece has compiled.
 *
 * The map is the base64 of a trie and of texts.  First the trie's size in
 * bytes, then its units, little-endian words of 32 bits, then texts that end
 * in a NUL.  The trie is a double array as darts-clone lays it out:
 *
 *	bits 0-7, 31	label: the byte that leads here; bit 31 marks values
 *	bit 8		a key ends here; its value is the unit at the base
 *	bits 9, 10-30	the base is (bits 10-30) << (8 if bit 9), xor this
 *			unit's place; the unit after byte c is at base xor c
 *
 * A value (bits 0-30) is where in the texts the replacement begins.
 *
 * The peer looks up each grapheme cluster shorter than six bytes, else each
 * character.  Of the keys that begin a cluster it takes the shortest, and
 * puts its replacement for the whole cluster.
 */
#include "tokenizer/rewrite.h"
#include "tokenizer/unicode.h"

#include <stdlib.h>

/* Clusters from this length on go character by character. */
#define LONG_CLUSTER 6

struct map {
	struct rm_buf blob;
	size_t n_units;
	uint32_t *unit;
	const char *text;	/* in the blob, with a NUL after its end */
	size_t text_len;
	unsigned char ascii[256];	/* of characters alone */
	/* Bits of characters that stay alone and join nothing of these. */
	unsigned char plain[0x10000 / 8];
};

/* ---- the trie ---- */

static size_t base_of(uint32_t unit)
{
	return (size_t)(unit >> 10) << (unit & 1u << 9 ? 8 : 0);
}

static bool has_value(uint32_t unit)
{
	return unit >> 8 & 1;
}

/* What replaces the n bytes, NULL if nothing does. */
static const char *find(const struct map *m, const unsigned char *p, size_t n)
{
	size_t at = base_of(m->unit[0]);

	for (size_t i = 0; i < n && p[i]; i++) {
		uint32_t unit;

		at ^= p[i];
		if (at >= m->n_units)
			return NULL;
		unit = m->unit[at];
		if ((unit & (1u << 31 | 0xff)) != p[i])
			return NULL;
		at ^= base_of(unit);
		if (has_value(unit))	/* check_units saw to what is there */
			return m->text + (m->unit[at] & 0x7fffffff);
	}
	return NULL;
}

/* Every value stands in the trie, and begins a text. */
static int check_units(const struct map *m)
{
	for (size_t i = 0; i < m->n_units; i++) {
		size_t at = i ^ base_of(m->unit[i]), value;

		if (m->unit[i] >> 31 || !has_value(m->unit[i]))
			continue;
		if (at >= m->n_units)
			return rm_fail("unit %zu of the character map points "
				       "to unit %zu of %zu", i, at,
				       m->n_units);
		value = m->unit[at] & 0x7fffffff;
		if (value >= m->text_len || (m->text[value] & 0xc0) == 0x80)
			return rm_fail("unit %zu of the character map: no "
				       "text begins at %zu of %zu", i, value,
				       m->text_len);
	}
	return 0;
}

/* ---- rewriting ---- */

/* What maps, to the edit; what does not is left for later: *done .. i. */
static bool replace(const struct map *m, struct rm_edit *e,
		    const unsigned char *text, size_t *done, size_t i,
		    size_t len)
{
	const char *by = find(m, text + i, len);

	if (!by)
		return false;
	rm_edit_keep(e, text + *done, i - *done);
	rm_edit_piece(e, by, strlen(by), len);
	*done = i + len;
	return true;
}

static void replace_cluster(const struct map *m, struct rm_edit *e,
			    const unsigned char *text, size_t *done, size_t i,
			    size_t n)
{
	size_t len;

	if (n < LONG_CLUSTER && replace(m, e, text, done, i, n))
		return;
	for (size_t end = i + n; i < end; i += len) {
		rm_char_at(text + i, text + end, &len);
		replace(m, e, text, done, i, len);
	}
}

/*
 * How many characters before text[n] are clusters of their own, since what
 * follows them is ASCII too, or nothing.
 */
static size_t lone_ascii(const unsigned char *text, size_t n)
{
	size_t i = rm_ascii_run(text, n);

	return i && i < n ? i - 1 : i;
}

static bool is_plain(const struct map *m, uint32_t c)
{
	return c < 0x10000 && m->plain[c / 8] >> c % 8 & 1;
}

/* Length of plain characters, without the last if another follows it. */
static size_t plain_run(const struct map *m, const unsigned char *text,
			size_t n)
{
	size_t i = 0, last = 0, len;

	while (i < n && is_plain(m, rm_char_at(text + i, text + n, &len))) {
		last = i;
		i += len;
	}
	return i < n ? last : i;
}

static int rewrite_map(const struct rm_step *s, struct rm_work *w,
		       const unsigned char *text, size_t n, bool first)
{
	const struct map *m = s->self;
	struct rm_edit *e = &w->edit;
	size_t done = 0, i = 0, lone_end = 0, len;
	bool changed = false;

	(void)first;
	while (i < n) {
		if (i >= lone_end)
			lone_end = i + lone_ascii(text + i, n - i);
		i += rm_ascii_same(m->ascii, text + i, lone_end - i);
		if (i < lone_end && m->ascii[text[i]] != RM_ASCII_NO) {
			rm_edit_keep(e, text + done, i - done);
			i += rm_ascii_put(e, m->ascii, text + i, lone_end - i);
			done = i;
			changed = true;
			continue;
		}
		i += plain_run(m, text + i, n - i);
		if (i == n)
			break;
		len = rm_cluster_length(text + i, n - i);
		replace_cluster(m, e, text, &done, i, len);
		i += len;
	}
	if (!changed && done == 0)
		return 0;
	rm_edit_keep(e, text + done, n - done);
	return rm_edit_done(e);
}

/* ---- loading ---- */

/* Base64, whose padding may be missing, as the peer reads it. */
static int get_base64(struct rm_buf *b, const char *text, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char value[256];
	uint32_t v = 0;

	memset(value, 0xff, sizeof(value));
	for (unsigned i = 0; i < 64; i++)
		value[(unsigned char)digits[i]] = (unsigned char)i;
	for (int pad = 0; pad < 2 && n && text[n - 1] == '='; pad++)
		n--;
	if (n % 4 == 1)
		return rm_fail("precompiled_charsmap is cut base64");
	for (size_t i = 0; i < n; i++) {
		unsigned char digit = value[(unsigned char)text[i]];

		if (digit == 0xff)
			return rm_fail("precompiled_charsmap is not base64 "
				       "at character %zu", i);
		v = v << 6 | digit;
		if (i % 4)
			rm_buf_putc(b, (int)(v >> (6 - 2 * (i % 4)) & 255));
	}
	return b->failed ? -1 : 0;
}

static uint32_t get_u32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static int read_units(struct map *m)
{
	const unsigned char *p = m->blob.data;
	size_t size = m->blob.len >= 4 ? get_u32(p) : 0;

	if (size < 4 || size % 4 || size > m->blob.len - 4)
		return rm_fail("a character map of %zu bytes has no trie of "
			       "%zu bytes", m->blob.len, size);
	m->n_units = size / 4;
	m->unit = rm_malloc(m->n_units, sizeof(*m->unit));
	if (!m->unit)
		return -1;
	for (size_t i = 0; i < m->n_units; i++)
		m->unit[i] = get_u32(p + 4 + 4 * i);
	m->text_len = m->blob.len - 4 - size;
	if (rm_utf8_valid(p + 4 + size, m->text_len) < m->text_len)
		return rm_fail("the character map's texts are not UTF-8");
	m->text = rm_buf_text(&m->blob);
	if (!m->text)
		return -1;
	m->text += 4 + size;
	return check_units(m);
}

static void fill_ascii(struct map *m)
{
	rm_ascii_init(m->ascii);
	for (unsigned char c = 0; c < 0x80; c++) {
		const char *by = find(m, &c, 1);

		/* The one cluster of two ASCII characters is CR LF. */
		if (c == '\r' || (by && (!by[0] || by[1])))
			m->ascii[c] = RM_ASCII_NO;
		else if (by)
			m->ascii[c] = (unsigned char)by[0];
	}
}

static void fill_plain(struct map *m)
{
	unsigned char bytes[4];

	for (uint32_t c = 0; c < 0x10000; c++)
		if (rm_char_kind_break[rm_char_kind[c]] == RM_BREAK_OTHER &&
		    !find(m, bytes, rm_char_put(c, bytes)))
			m->plain[c / 8] |= (unsigned char)(1 << c % 8);
}

static void map_free(void *self)
{
	struct map *m = self;

	rm_buf_fini(&m->blob);
	free(m->unit);
	free(m);
}

static int load_precompiled(struct rm_steps *steps, const json_t *json,
			    struct rm_buf *canonical)
{
	const json_t *text = json_object_get(json, "precompiled_charsmap");
	struct map *m;

	if (!json_is_string(text))
		return rm_fail(text ? "precompiled_charsmap is not a string" :
			       "no member \"precompiled_charsmap\"");
	m = rm_calloc(1, sizeof(*m));
	if (!m)
		return -1;
	if (get_base64(&m->blob, json_string_value(text),
		       json_string_length(text)) < 0 || read_units(m) < 0) {
		map_free(m);
		return -1;
	}
	rm_unicode_init();
	fill_ascii(m);
	fill_plain(m);
	rm_buf_puts(canonical, "{\"precompiled_charsmap\":");
	rm_json_quote(canonical, json_string_value(text),
		      json_string_length(text));
	rm_buf_puts(canonical, ",\"type\":\"Precompiled\"}");
	return rm_steps_add(steps, (struct rm_step){
		.rewrite = rewrite_map, .self = m, .free = map_free });
}

const struct rm_step_kind rm_normalizers_precompiled[] = {
	{ "Precompiled", load_precompiled },
	{ NULL, NULL }
};
