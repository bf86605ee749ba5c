/*
 * Unicode's normal forms, and normalizers that map character by character.
 *
 * Which characters a form leaves alone is a table of this project
 * (unicode.c), so that characters that the peer's Unicode does not know stay.
 * What the others decompose to is utf8proc's word: that never changes once a
 * character is there.  Ordering and composing are done here, because
 * utf8proc's time grows with the square of a run of marks.
 */
#include "tokenizer/rewrite.h"
#include "tokenizer/unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

/* More than any character decomposes to. */
#define MOST_PARTS 32

/* ---- characters in a normal form ---- */

void rm_nf_free(void *own)
{
	struct rm_nf *nf = own;

	if (!nf)
		return;
	free(nf->c);
	free(nf->sorted);
	rm_buf_fini(&nf->bytes);
	free(nf);
}

struct rm_nf *rm_nf_of(struct rm_work *w)
{
	if (!w->own)
		w->own = rm_calloc(1, sizeof(struct rm_nf));
	return w->own;
}

void rm_nf_clear(struct rm_nf *nf)
{
	nf->n = 0;
	rm_buf_clear(&nf->bytes);
}

void rm_nf_decompose(struct rm_nf *nf, uint32_t c, bool compatible)
{
	unsigned flag = compatible ? RM_CHAR_NFKD : RM_CHAR_NFD;
	int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
	utf8proc_ssize_t n;

	if (nf->cap - nf->n < MOST_PARTS &&
	    rm_grow(&nf->c, &nf->cap, nf->n + MOST_PARTS,
		    sizeof(*nf->c)) < 0) {
		nf->failed = true;
		return;
	}
	nf->c[nf->n] = (int32_t)c;
	n = 1;
	if (rm_char_flags(c) & flag)
		n = utf8proc_decompose_char((int32_t)c, nf->c + nf->n,
					    MOST_PARTS,
					    (utf8proc_option_t)options, NULL);
	if (n < 0 || n > MOST_PARTS)
		n = 1;		/* it has not written past its room */
	nf->n += (size_t)n;
}

uint32_t rm_nf_single(uint32_t c)
{
	int32_t parts[MOST_PARTS];

	if (!(rm_char_flags(c) & RM_CHAR_NFD) ||
	    utf8proc_decompose_char((int32_t)c, parts, MOST_PARTS,
				    UTF8PROC_DECOMPOSE, NULL) != 1)
		return c;
	return (uint32_t)parts[0];
}

/* The canonical combining class. */
static unsigned class_of(int32_t c)
{
	if (!(rm_char_flags((uint32_t)c) & RM_CHAR_NFD))
		return 0;
	return (unsigned)utf8proc_get_property(c)->combining_class & 0xff;
}

/* Few marks: each is moved down to its place. */
static void sort_few(int32_t *c, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		int32_t one = c[i];
		unsigned class = class_of(one);
		size_t k = i;

		for (; k > 0 && class_of(c[k - 1]) > class; k--)
			c[k] = c[k - 1];
		c[k] = one;
	}
}

/* Many marks: counted by class, then put where their class begins. */
static void sort_many(struct rm_nf *nf, int32_t *c, size_t n)
{
	size_t at[257] = {0};

	if (rm_grow(&nf->sorted, &nf->sorted_cap, n, sizeof(*c)) < 0) {
		nf->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		at[class_of(c[i]) + 1]++;
	for (size_t k = 1; k < 257; k++)
		at[k] += at[k - 1];
	for (size_t i = 0; i < n; i++)
		nf->sorted[at[class_of(c[i])]++] = c[i];
	memcpy(c, nf->sorted, n * sizeof(*c));
}

void rm_nf_order(struct rm_nf *nf)
{
	for (size_t i = 0; i < nf->n;) {
		size_t start = i;

		while (i < nf->n && class_of(nf->c[i]))
			i++;
		if (i - start > 16)
			sort_many(nf, nf->c + start, i - start);
		else if (i - start > 1)
			sort_few(nf->c + start, i - start);
		if (i == start)
			i++;
	}
}

/* The character that a and b make, or -1. */
static int32_t pair(int32_t a, int32_t b)
{
	int32_t c[2] = { a, b };

	if (!(rm_char_flags((uint32_t)b) & RM_CHAR_NFC))
		return -1;
	if (utf8proc_normalize_utf32(c, 2, UTF8PROC_COMPOSE |
				     UTF8PROC_STABLE) != 1 || c[0] == a)
		return -1;
	/* A newer Unicode than the peer's may have given them one. */
	return rm_char_flags((uint32_t)c[0]) & RM_CHAR_NFD ? c[0] : -1;
}

static void compose(struct rm_nf *nf)
{
	size_t n = 0, starter = SIZE_MAX;
	int last = -1;		/* class since the starter, -1 if none */

	for (size_t i = 0; i < nf->n; i++) {
		int32_t c = nf->c[i], both = -1;
		int class = (int)class_of(c);

		if (starter != SIZE_MAX && last < class)
			both = pair(nf->c[starter], c);
		if (both >= 0) {
			nf->c[starter] = both;
			continue;
		}
		if (class == 0)
			starter = n;
		last = class == 0 ? -1 : class;
		nf->c[n++] = c;
	}
	nf->n = n;
}

static int encode(struct rm_nf *nf)
{
	unsigned char *p;

	if (nf->failed || rm_buf_reserve(&nf->bytes, nf->n * 4) < 0) {
		nf->failed = false;
		return -1;
	}
	p = nf->bytes.data;
	for (size_t i = 0; i < nf->n; i++)
		p += rm_char_put((uint32_t)nf->c[i], p);
	nf->bytes.len = (size_t)(p - nf->bytes.data);
	return 0;
}

/* ---- the forms ---- */

/*
 * The next bytes [start, end) that the form may change, from `from`, where a
 * safe character is.  Composing needs the safe character before them, too.
 */
static bool find_segment(const unsigned char *text, size_t n, size_t from,
			 const struct rm_step *s, size_t *start, size_t *end)
{
	size_t i = from, len;

	*start = from;
	for (;;) {
		if (i < n && text[i] < 0x80) {
			i += rm_ascii_run(text + i, n - i);
			*start = i - 1;
		}
		if (i == n)
			return false;
		if (rm_char_flags(rm_char_at(text + i, text + n, &len)) &
		    s->flags)
			break;
		*start = i;
		i += len;
	}
	if (s->flags & (RM_CHAR_NFD | RM_CHAR_NFKD))
		*start = i;
	while (i < n && rm_char_flags(rm_char_at(text + i, text + n, &len)) &
	       s->flags)
		i += len;
	*end = i;
	return true;
}

/*
 * Whether the starter c, with which the next character begins, has nothing
 * to do with what nf holds.
 */
static bool begins_part(const struct rm_step *s, struct rm_nf *nf, int32_t c)
{
	int32_t last;

	if (s->flags & (RM_CHAR_NFD | RM_CHAR_NFKD) ||
	    !(rm_char_flags((uint32_t)c) & RM_CHAR_NFC))
		return true;
	rm_nf_order(nf);
	compose(nf);
	last = nf->c[nf->n - 1];
	return class_of(last) != 0 || pair(last, c) < 0;
}

static bool all_starters(const struct rm_nf *nf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (class_of(nf->c[i]) != 0)
			return false;
	return true;
}

/* The character that a part begins with. */
struct head {
	uint32_t c;
	size_t n;		/* what it decomposes to */
	size_t len;		/* bytes */
};

/*
 * How many of the part's code points are its first character's alone, 0 if
 * it took up what follows or shares its place with it.  `total`: what the
 * part had decomposed to.
 */
static size_t stands_apart(const struct rm_nf *nf, const struct head *h,
			   size_t total)
{
	if (h->n == total)
		return 0;
	if (nf->n == total)
		return all_starters(nf, h->n) ? h->n : 0;
	return nf->n + h->n == total + 1 && nf->c[0] == (int32_t)h->c;
}

/*
 * Decompose the characters of a part; how many bytes they are.  *total is
 * what they decompose to, some of which may be composed already.
 */
static size_t decompose_part(const struct rm_step *s, struct rm_nf *nf,
			     const unsigned char *text, size_t n,
			     struct head *h, size_t *total)
{
	bool compatible = s->flags & (RM_CHAR_NFKC | RM_CHAR_NFKD);
	uint32_t c = rm_char_at(text, text + n, &h->len);
	size_t i = h->len, len;

	rm_nf_decompose(nf, c, compatible);
	h->c = c;
	*total = h->n = nf->n;
	for (; i < n && !nf->failed; i += len) {
		size_t before = nf->n;
		int32_t first;

		c = rm_char_at(text + i, text + n, &len);
		rm_nf_decompose(nf, c, compatible);
		if (nf->failed)
			break;
		*total += nf->n - before;
		first = nf->c[before];
		if (class_of(first) != 0)
			continue;
		*total -= nf->n - before;
		nf->n = before;
		if (begins_part(s, nf, first))
			break;
		before = nf->n;
		rm_nf_decompose(nf, c, compatible);
		*total += nf->n - before;
	}
	return i;
}

/*
 * The first part of the n > 0 bytes; how many they are, 0 with a message.
 * Marks that the character before them does not take up are a part of their
 * own.
 */
static size_t normalize(const struct rm_step *s, struct rm_nf *nf,
			const unsigned char *text, size_t n)
{
	size_t taken, total, apart;
	struct head h;

	rm_nf_clear(nf);
	taken = decompose_part(s, nf, text, n, &h, &total);
	rm_nf_order(nf);
	if (s->flags & (RM_CHAR_NFC | RM_CHAR_NFKC))
		compose(nf);
	apart = stands_apart(nf, &h, total);
	if (apart > 0) {
		nf->n = apart;
		taken = h.len;
	}
	return encode(nf) < 0 ? 0 : taken;
}

/* Parts that change, each as a piece of its own. */
static int rewrite_form(const struct rm_step *s, struct rm_work *w,
			const unsigned char *text, size_t n, bool first)
{
	size_t done = 0, start = 0, end = 0, len;
	struct rm_nf *nf = NULL;

	(void)first;
	while (start < end || find_segment(text, n, end, s, &start, &end)) {
		if (!nf && !(nf = rm_nf_of(w)))
			return -1;
		len = normalize(s, nf, text + start, end - start);
		if (len == 0)
			return -1;
		if (nf->bytes.len != len ||
		    memcmp(nf->bytes.data, text + start, len) != 0) {
			rm_edit_keep(&w->edit, text + done, start - done);
			rm_edit_piece(&w->edit, nf->bytes.data,
				      nf->bytes.len, len);
			done = start + len;
		}
		start += len;
	}
	if (done == 0)
		return 0;
	rm_edit_keep(&w->edit, text + done, n - done);
	return rm_edit_done(&w->edit);
}

static int add_form(struct rm_steps *steps, const char *type, unsigned flags,
		    struct rm_buf *canonical)
{
	rm_unicode_init();
	rm_buf_printf(canonical, "{\"type\":\"%s\"}", type);
	return rm_steps_add(steps, (struct rm_step){
		.rewrite = rewrite_form, .work_free = rm_nf_free,
		.flags = flags });
}

#define FORM(name)							\
static int load_##name(struct rm_steps *steps, const json_t *json,	\
		       struct rm_buf *canonical)			\
{									\
	(void)json;							\
	return add_form(steps, #name, RM_CHAR_##name, canonical);	\
}

FORM(NFC)
FORM(NFD)
FORM(NFKC)
FORM(NFKD)

/* ---- character by character ---- */

/* What c becomes, at most 8 bytes; SAME if it stays. */
typedef size_t map_fn(uint32_t c, unsigned char *out);

#define SAME SIZE_MAX

static size_t map_lower(uint32_t c, unsigned char *out)
{
	uint32_t lower[2];
	size_t n, len = 0;

	if (!(rm_char_flags(c) & RM_CHAR_LOWER))
		return SAME;
	n = rm_char_lower(c, lower);
	for (size_t i = 0; i < n; i++)
		len += rm_char_put(lower[i], out + len);
	return len;
}

static size_t map_accent(uint32_t c, unsigned char *out)
{
	(void)out;
	return rm_char_flags(c) & RM_CHAR_COMBINING ? 0 : SAME;
}

/* What SentencePiece's rules for machine translation drop or call a space. */
static size_t map_nmt(uint32_t c, unsigned char *out)
{
	if ((c >= 0x01 && c <= 0x08) || c == 0x0b ||
	    (c >= 0x0e && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f)
		return 0;
	if (c != 0x09 && c != 0x0a && c != 0x0c && c != 0x0d && c != 0x1680 &&
	    (c < 0x200b || c > 0x200f) && c != 0x2028 && c != 0x2029 &&
	    c != 0x2581 && c != 0xfeff && c != 0xfffd)
		return SAME;
	out[0] = ' ';
	return 1;
}

struct by_char {
	unsigned char ascii[256];
	map_fn *map;
};

/* Length of what stays as it is at the beginning. */
static size_t same_run(const struct by_char *b, const unsigned char *text,
		       size_t n)
{
	unsigned char out[8];
	size_t i = 0, len;

	for (;;) {
		i += rm_ascii_same(b->ascii, text + i, n - i);
		if (i == n || text[i] < 0x80 ||
		    b->map(rm_char_at(text + i, text + n, &len), out) != SAME)
			return i;
		i += len;
	}
}

static int rewrite_chars(const struct rm_step *s, struct rm_work *w,
			 const unsigned char *text, size_t n, bool first)
{
	const struct by_char *b = s->self;
	size_t i = same_run(b, text, n), len;
	unsigned char out[8];

	(void)first;
	if (i == n)
		return 0;
	rm_edit_keep(&w->edit, text, i);
	while (i < n) {
		size_t same;

		i += rm_ascii_put(&w->edit, b->ascii, text + i, n - i);
		same = same_run(b, text + i, n - i);
		rm_edit_keep(&w->edit, text + i, same);
		i += same;
		if (i == n || (text[i] < 0x80 &&
			       b->ascii[text[i]] != RM_ASCII_NO))
			continue;
		same = b->map(rm_char_at(text + i, text + n, &len), out);
		rm_edit_piece(&w->edit, out, same, len);
		i += len;
	}
	return rm_edit_done(&w->edit);
}

static int add_chars(struct rm_steps *steps, const char *type, map_fn *map,
		     struct rm_buf *canonical)
{
	struct by_char *b = rm_calloc(1, sizeof(*b));
	unsigned char out[8];

	if (!b)
		return -1;
	rm_unicode_init();
	b->map = map;
	rm_ascii_init(b->ascii);
	for (uint32_t c = 0; c < 0x80; c++) {
		size_t n = map(c, out);

		if (n != SAME)
			b->ascii[c] = n == 1 ? out[0] : RM_ASCII_NO;
	}
	rm_buf_printf(canonical, "{\"type\":\"%s\"}", type);
	return rm_steps_add(steps, (struct rm_step){
		.rewrite = rewrite_chars, .self = b, .free = free });
}

static int load_lowercase(struct rm_steps *steps, const json_t *json,
			  struct rm_buf *canonical)
{
	(void)json;
	return add_chars(steps, "Lowercase", map_lower, canonical);
}

static int load_strip_accents(struct rm_steps *steps, const json_t *json,
			      struct rm_buf *canonical)
{
	(void)json;
	return add_chars(steps, "StripAccents", map_accent, canonical);
}

static int load_nmt(struct rm_steps *steps, const json_t *json,
		    struct rm_buf *canonical)
{
	(void)json;
	return add_chars(steps, "Nmt", map_nmt, canonical);
}

const struct rm_step_kind rm_normalizers_unicode[] = {
	{ "NFC", load_NFC },
	{ "NFD", load_NFD },
	{ "NFKC", load_NFKC },
	{ "NFKD", load_NFKD },
	{ "Lowercase", load_lowercase },
	{ "StripAccents", load_strip_accents },
	{ "Nmt", load_nmt },
	{ NULL, NULL }
};
