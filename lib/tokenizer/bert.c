/*
 * BertNormalizer: four passes of the peer in one.  The peer drops control
 * characters and makes white space spaces, puts spaces around Chinese
 * characters, decomposes and drops nonspacing marks, and lowercases; each
 * pass looks at single characters, except that decomposing sorts marks.
 */
#include "tokenizer/rewrite.h"
#include "tokenizer/parts.h"
#include "tokenizer/unicode.h"

#include <stdlib.h>

struct bert {
	bool clean, chinese, strip, lower;
	unsigned changed;	/* flags of characters that change */
	unsigned char ascii[256];
};

/* The blocks that BERT's own tokenizer named, as the peer has them. */
static bool is_chinese(uint32_t c)
{
	return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
	       (c >= 0xf900 && c <= 0xfaff) ||
	       (c >= 0x20000 && c <= 0x2a6df) ||
	       (c >= 0x2a700 && c <= 0x2b81f) ||
	       (c >= 0x2b920 && c <= 0x2ceaf) ||
	       (c >= 0x2f800 && c <= 0x2fa1f);
}

static bool stays(const struct bert *b, uint32_t c)
{
	return !(rm_char_flags(c) & b->changed) &&
	       !(b->chinese && is_chinese(c));
}

/* UTF-8 of c after the pass that lowercases. */
static size_t put_lower(const struct bert *b, uint32_t c, unsigned char *out)
{
	uint32_t lower[2] = { c };
	size_t n = 1, len = 0;

	if (b->lower && rm_char_flags(c) & RM_CHAR_LOWER)
		n = rm_char_lower(c, lower);
	for (size_t i = 0; i < n; i++)
		len += rm_char_put(lower[i], out + len);
	return len;
}

/* What is in nf, after the passes that follow decomposing: to its bytes. */
static int put_parts(const struct bert *b, struct rm_nf *nf)
{
	unsigned char out[8];

	for (size_t i = 0; i < nf->n; i++) {
		uint32_t c = (uint32_t)nf->c[i];

		if (!(rm_char_flags(c) & RM_CHAR_NONSPACING))
			rm_buf_append(&nf->bytes, out, put_lower(b, c, out));
	}
	return nf->failed || nf->bytes.failed ? -1 : 0;
}

/*
 * Characters from text[0] on that decomposing may change or reorder, and
 * dropped ones between them; how many bytes they are.
 */
static size_t take_parts(const struct bert *b, struct rm_nf *nf,
			 const unsigned char *text, size_t n)
{
	size_t end = 0, len;

	for (size_t i = 0; i < n; i += len) {
		uint32_t c = rm_char_at(text + i, text + n, &len);
		unsigned flags = rm_char_flags(c);

		if (b->clean && flags & RM_CHAR_CONTROL)
			continue;
		if (!(flags & RM_CHAR_NFD) ||
		    (b->clean && flags & RM_CHAR_SPACE) ||
		    (b->chinese && is_chinese(c)))
			break;
		rm_nf_decompose(nf, c, false);
		end = i + len;
	}
	return end;
}

static size_t put_decomposed(const struct bert *b, struct rm_work *w,
			     const unsigned char *text, size_t n)
{
	struct rm_nf *nf = rm_nf_of(w);
	size_t taken;

	if (!nf)
		return 0;
	rm_nf_clear(nf);
	taken = take_parts(b, nf, text, n);
	rm_nf_order(nf);
	if (put_parts(b, nf) < 0) {
		nf->failed = nf->bytes.failed = false;
		return 0;
	}
	rm_edit_piece(&w->edit, nf->bytes.data, nf->bytes.len, taken);
	return taken;
}

/* A Chinese character between spaces; some have a canonical equivalent. */
static void put_chinese(const struct bert *b, struct rm_edit *e, uint32_t c,
			size_t len)
{
	unsigned char out[8] = " ";
	size_t n = 1;

	if (b->strip)
		c = rm_nf_single(c);
	n += rm_char_put(c, out + n);
	out[n++] = ' ';
	rm_edit_piece(e, out, n, len);
}

/* One change at text[0]: how many bytes it was about, 0 if there's an error. */
static size_t put_change(const struct bert *b, struct rm_work *w,
			 const unsigned char *text, size_t n)
{
	unsigned char out[8];
	size_t len;
	uint32_t c = rm_char_at(text, text + n, &len);
	unsigned flags = rm_char_flags(c);

	if ((b->clean && flags & RM_CHAR_CONTROL) ||
	    (b->strip && flags & RM_CHAR_NONSPACING &&
	     !(flags & RM_CHAR_NFD)))
		rm_edit_put(&w->edit, out, 0, len);
	else if (b->clean && flags & RM_CHAR_SPACE)
		rm_edit_piece(&w->edit, " ", 1, len);
	else if (b->chinese && is_chinese(c))
		put_chinese(b, &w->edit, c, len);
	else if (b->strip && flags & RM_CHAR_NFD)
		return put_decomposed(b, w, text, n);
	else
		rm_edit_piece(&w->edit, out, put_lower(b, c, out), len);
	return len;
}

/* How many bytes from text[0] on stay as they are. */
static size_t same_run(const struct bert *b, const unsigned char *text,
		       size_t n)
{
	size_t i = 0, len;

	for (;;) {
		i += rm_ascii_same(b->ascii, text + i, n - i);
		if (i == n || text[i] < 0x80 ||
		    !stays(b, rm_char_at(text + i, text + n, &len)))
			return i;
		i += len;
	}
}

static int rewrite_bert(const struct rm_step *s, struct rm_work *w,
			const unsigned char *text, size_t n, bool first)
{
	const struct bert *b = s->self;
	size_t i = same_run(b, text, n), len;

	(void)first;
	if (i == n)
		return 0;
	rm_edit_keep(&w->edit, text, i);
	while (i < n) {
		if (b->ascii[text[i]] != RM_ASCII_NO) {
			i += rm_ascii_put(&w->edit, b->ascii, text + i,
					  n - i);
			continue;
		}
		len = same_run(b, text + i, n - i);
		if (len)
			rm_edit_keep(&w->edit, text + i, len);
		else
			len = put_change(b, w, text + i, n - i);
		if (!len)
			return -1;
		i += len;
	}
	return rm_edit_done(&w->edit);
}

static void fill_tables(struct bert *b)
{
	b->changed = (b->clean ? RM_CHAR_CONTROL | RM_CHAR_SPACE : 0u) |
		     (b->strip ? RM_CHAR_NFD | RM_CHAR_NONSPACING : 0u) |
		     (b->lower ? RM_CHAR_LOWER : 0u);
	rm_ascii_init(b->ascii);
	for (uint32_t c = 0; c < 0x80; c++) {
		unsigned flags = rm_char_flags(c);

		if (b->clean && flags & RM_CHAR_CONTROL)
			b->ascii[c] = RM_ASCII_NO;
		else if (b->clean && flags & RM_CHAR_SPACE)
			b->ascii[c] = ' ';
		else
			put_lower(b, c, &b->ascii[c]);
	}
}

static const char *word(bool on)
{
	return on ? "true" : "false";
}

/* The peer has no defaults for these, nor takes null for one. */
static int get_bool(const json_t *json, const char *key, bool *out)
{
	if (json_is_null(json_object_get(json, key)))
		return rm_fail("%s is null", key);
	return rm_get_bool(json, key, out);
}

static int load_bert(struct rm_steps *steps, const json_t *json,
		     struct rm_buf *canonical)
{
	struct bert *b, v = {0};

	if (get_bool(json, "clean_text", &v.clean) < 0 ||
	    get_bool(json, "handle_chinese_chars", &v.chinese) < 0 ||
	    get_bool(json, "lowercase", &v.lower) < 0 ||
	    rm_opt_bool(json, "strip_accents", v.lower, &v.strip) < 0)
		return -1;
	rm_unicode_init();
	fill_tables(&v);
	b = rm_malloc(1, sizeof(*b));
	if (!b)
		return -1;
	*b = v;
	rm_buf_printf(canonical, "{\"clean_text\":%s,"
		      "\"handle_chinese_chars\":%s,\"lowercase\":%s,"
		      "\"strip_accents\":%s,\"type\":\"BertNormalizer\"}",
		      word(v.clean), word(v.chinese), word(v.lower),
		      word(v.strip));
	return rm_steps_add(steps, (struct rm_step){
		.rewrite = rewrite_bert, .self = b, .free = free,
		.work_free = rm_nf_free });
}

const struct rm_step_kind rm_normalizers_bert[] = {
	{ "BertNormalizer", load_bert },
	{ NULL, NULL }
};
