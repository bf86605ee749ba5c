#!/usr/bin/env python3
"""Write lib/tokenizer/unicode.c: letters, numbers and white space as the
regular expressions of the PyPI package `tokenizers` see them.

The classes decide ids, so they are a table of the project and not those of
whichever Unicode version a library on the machine happens to have.

usage: tests/ref/unicode_classes.py > lib/tokenizer/unicode.c
"""
import tokenizers
from tokenizers import Regex, pre_tokenizers

BLOCK = 128
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def members(pattern):
    """Code points that the pattern matches: those that removing it takes."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    left = set()
    for i in range(0, len(POINTS), 4096):
        text = "".join(map(chr, POINTS[i:i + 4096]))
        for piece, _ in split.pre_tokenize_str(text):
            left.update(map(ord, piece))
    return set(POINTS) - left


def table(values, form, width):
    lines, line = [], "\t"
    for v in values:
        item = form % v + ","
        if len(line) + 7 + len(item) + 1 > width:
            lines.append(line)
            line = "\t"
        line += (" " if line != "\t" else "") + item
    return "\n".join(lines + [line])


kind = bytearray(0x110000)
for value, pattern in (1, r"\p{L}"), (2, r"\p{N}"), (3, r"\s"):
    for c in members(pattern):
        kind[c] = value
end = (max(c for c in range(0x110000) if kind[c]) // BLOCK + 1) * BLOCK

blocks, index = {}, []
for i in range(0, end, BLOCK):
    index.append(blocks.setdefault(bytes(kind[i:i + BLOCK]), len(blocks)))
words = []
for block in blocks:
    for i in range(0, BLOCK, 32):
        words.append(sum(block[i + j] << 2 * j for j in range(32)))

print(f"""/*
 * Letters, numbers and white space of all code points, two bits each in
 * blocks of {BLOCK}, equal blocks stored once.
 *
 * Made by tests/ref/unicode_classes.py with tokenizers
 * {tokenizers.__version__}; do not edit.
 */
#include "tokenizer/parts.h"

#define END {end:#x}

static const unsigned char block_of[END / {BLOCK}] = {{
{table(index, "%d", 80)}
}};

static const uint64_t class_bits[] = {{
{table(words, "0x%x", 80)}
}};

enum rm_class rm_class_of(uint32_t c)
{{
	size_t i;

	if (c >= END)
		return RM_CLASS_OTHER;
	i = block_of[c / {BLOCK}] * {BLOCK // 32} + c % {BLOCK} / 32;
	return (enum rm_class)(class_bits[i] >> c % 32 * 2 & 3);
}}""")
