/* What the normalizers share that rewrite characters. */
#include "tokenizer/rewrite.h"

void rm_ascii_init(unsigned char table[256])
{
	for (unsigned c = 0; c < 256; c++)
		table[c] = (unsigned char)(c < 0x80 ? c : RM_ASCII_NO);
}

/* At most as many as n; how many were mapped. */
static size_t map_bytes(const unsigned char table[256],
			const unsigned char *text, size_t n,
			unsigned char *out)
{
	size_t i = 0;

	/* Eight without a branch between them; only RM_ASCII_NO has bit 7. */
	for (; n - i >= 8; i += 8) {
		unsigned char all = 0;

		for (size_t k = i; k < i + 8; k++)
			all |= out[k] = table[text[k]];
		if (all & 0x80)
			break;
	}
	for (; i < n; i++) {
		out[i] = table[text[i]];
		if (out[i] == RM_ASCII_NO)
			break;
	}
	return i;
}

size_t rm_ascii_put(struct rm_edit *e, const unsigned char table[256],
		    const unsigned char *text, size_t n)
{
	unsigned char out[512];
	size_t done = 0, most, len;

	do {
		most = RM_MIN(n - done, sizeof(out));
		len = map_bytes(table, text + done, most, out);
		rm_edit_keep(e, out, len);
		done += len;
	} while (len == most && done < n);
	return done;
}

void rm_edit_piece(struct rm_edit *e, const void *text, size_t n,
		   size_t n_old)
{
	const unsigned char *p = text;

	if (n != n_old || n < 2) {
		rm_edit_put(e, p, n, n_old);
		return;
	}
	/* Two pieces of unequal lengths; both end where this one does. */
	rm_edit_put(e, p, 1, n_old);
	rm_edit_put(e, p + 1, n - 1, 0);
}

int rm_edit_done(const struct rm_edit *e)
{
	return e->text.failed ? -1 : 1;
}
