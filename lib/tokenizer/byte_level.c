/*
 * Byte-level text: GPT-2 writes each byte as one printable character, so
 * that tokens can stand in a JSON file.  Printable Latin-1 stands for
 * itself, the 68 other bytes for U+0100 and up, in order.
 */
#include "tokenizer/parts.h"

static unsigned char_of(unsigned byte)
{
	if (byte < 33)
		return 256 + byte;
	if (byte < 127)
		return byte;
	if (byte < 161)
		return 256 + 33 + (byte - 127);
	return byte == 173 ? 256 + 67 : byte;
}

/* -1 for a character that stands for no byte. */
static int byte_of(unsigned c)
{
	if (c >= 256)
		return c < 289 ? (int)c - 256 : c < 323 ? (int)c - 162 :
		       c == 323 ? 173 : -1;
	return char_of(c) == c ? (int)c : -1;
}

size_t rm_byte_to_char(unsigned byte, char text[2])
{
	unsigned c = char_of(byte);

	if (c < 0x80) {
		text[0] = (char)c;
		return 1;
	}
	text[0] = (char)(0xc0 | c >> 6);
	text[1] = (char)(0x80 | (c & 0x3f));
	return 2;
}

ptrdiff_t rm_token_bytes(const char *token, unsigned char *bytes, size_t max)
{
	const unsigned char *p = (const unsigned char *)token;
	ptrdiff_t n = 0;

	for (; *p; p++, n++) {
		unsigned c = *p;
		int byte;

		/* Two bytes reach U+07FF: more than any that counts. */
		if (c >= 0xc0 && c < 0xe0 && (p[1] & 0xc0) == 0x80)
			c = (c & 0x1f) << 6 | (*++p & 0x3f);
		else if (c >= 0x80)
			return -1;
		byte = byte_of(c);
		if (byte < 0)
			return -1;
		if ((size_t)n < max)
			bytes[n] = (unsigned char)byte;
	}
	return n;
}

int rm_byte_level_vocab(struct rm_vocab *vocab)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[3] = "";
		size_t n = rm_byte_to_char(byte, text);

		if (rm_vocab_add(vocab, text, n, byte) < 0)
			return -1;
	}
	return 0;
}

/* Printable text: nothing but the two characters to escape in JSON. */
static void print_token(struct rm_buf *json, const struct rm_vocab *vocab,
			size_t id)
{
	for (const char *p = rm_vocab_token(vocab, id); *p; p++) {
		if (*p == '"' || *p == '\\')
			rm_buf_putc(json, '\\');
		rm_buf_putc(json, *p);
	}
}

static void print_vocab(struct rm_buf *json, const struct rm_vocab *vocab)
{
	rm_buf_puts(json, "    \"vocab\": {");
	for (size_t id = 0; id < vocab->n; id++) {
		rm_buf_puts(json, id ? ",\n      \"" : "\n      \"");
		print_token(json, vocab, id);
		rm_buf_printf(json, "\": %zu", id);
	}
	rm_buf_puts(json, "\n    },\n");
}

static void print_merges(struct rm_buf *json, const struct rm_vocab *vocab,
			 const int32_t (*merge)[2], size_t n)
{
	rm_buf_puts(json, "    \"merges\": [");
	for (size_t i = 0; i < n; i++) {
		rm_buf_puts(json, i ? ",\n      \"" : "\n      \"");
		print_token(json, vocab, (size_t)merge[i][0]);
		rm_buf_putc(json, ' ');
		print_token(json, vocab, (size_t)merge[i][1]);
		rm_buf_putc(json, '"');
	}
	rm_buf_puts(json, n ? "\n    ]\n" : "]\n");
}

void rm_byte_level_print(struct rm_buf *json, const struct rm_vocab *vocab,
			 const int32_t (*merge)[2], size_t n_merges,
			 bool split)
{
	rm_buf_printf(json,
		"{\n"
		"  \"version\": \"1.0\",\n"
		"  \"truncation\": null,\n"
		"  \"padding\": null,\n"
		"  \"added_tokens\": [],\n"
		"  \"normalizer\": null,\n"
		"  \"pre_tokenizer\": {\n"
		"    \"type\": \"ByteLevel\",\n"
		"    \"add_prefix_space\": false,\n"
		"    \"trim_offsets\": false,\n"
		"    \"use_regex\": %s\n"
		"  },\n"
		"  \"post_processor\": null,\n"
		"  \"decoder\": {\n"
		"    \"type\": \"ByteLevel\",\n"
		"    \"add_prefix_space\": false,\n"
		"    \"trim_offsets\": false,\n"
		"    \"use_regex\": %s\n"
		"  },\n"
		"  \"model\": {\n"
		"    \"type\": \"BPE\",\n"
		"    \"dropout\": null,\n"
		"    \"unk_token\": null,\n"
		"    \"continuing_subword_prefix\": null,\n"
		"    \"end_of_word_suffix\": null,\n"
		"    \"fuse_unk\": false,\n"
		"    \"byte_fallback\": false,\n"
		"    \"ignore_merges\": false,\n",
		split ? "true" : "false", split ? "true" : "false");
	print_vocab(json, vocab);
	print_merges(json, vocab, merge, n_merges);
	rm_buf_puts(json, "  }\n}\n");
}
