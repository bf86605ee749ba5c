#!/usr/bin/env python3
"""Write lib/tokenizer/unicode.c: what the PyPI package `tokenizers` makes of
every code point, found by asking the package.

The classes decide ids, so they are a table of the project and not those of
whichever Unicode version a library on the machine happens to have.

usage: tests/ref/unicode_classes.py > lib/tokenizer/unicode.c
"""
import struct

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
# The order of enum rm_char.
FLAGS = ["LETTER", "NUMBER", "SPACE", "WORD", "NUMERIC", "PUNCT",
         "NONSPACING", "COMBINING", "CONTROL"] + FORMS + ["LOWER"]
# The order of enum rm_break.
BREAKS = ["OTHER", "CONTROL", "EXTEND", "LINKER", "CONJOINED", "ZWJ",
          "SPACING", "PREPEND", "PICTURE", "CONSONANT", "REGIONAL", "L", "V",
          "T", "SYLLABLE"]


def chunks(size=4096):
    for i in range(0, len(POINTS), size):
        yield list(map(chr, POINTS[i:i + size]))


def matched(pattern):
    """Characters that the pattern matches: those that removing it takes."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    left = set()
    for chunk in chunks():
        for piece, _ in split.pre_tokenize_str("".join(chunk)):
            left.update(piece)
    return set(map(chr, POINTS)) - left


def words():
    found = set()
    cut = pre_tokenizers.Whitespace().pre_tokenize_str
    for chunk in chunks():
        for piece, _ in cut(" ".join("a" + c for c in chunk)):
            if len(piece) == 2 and piece[0] == "a":
                found.add(piece[1])
    return found


def isolated(pre_tokenizer):
    """Characters that come out as pieces of their own."""
    found = set()
    for chunk in chunks():
        chunk = [c for c in chunk if c != "a"]
        text = "".join("a" + c for c in chunk)
        for piece, _ in pre_tokenizer.pre_tokenize_str(text):
            if piece[0] != "a":
                found.update(piece)
    return found


def removed(normalizer):
    return {c for c in map(chr, POINTS)
            if normalizer.normalize_str("a" + c) == "a"}


def bert(**options):
    every = dict(clean_text=False, handle_chinese_chars=False,
                 strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**every, **options})


def normal_forms():
    """For each form the characters that are not safe to cut before."""
    nfd = normalizers.NFD().normalize_str
    later = {d for c in map(chr, POINTS) for d in nfd(c)[1:]}
    found = {}
    for form in FORMS:
        f = getattr(normalizers, form)().normalize_str
        found[form] = set()
        for c in map(chr, POINTS):
            # U+0345 has the highest combining class, U+0334 the lowest.
            if f(c) != c or f("\u0345" + c) != "\u0345" + c or \
                    f(c + "\u0334") != c + "\u0334" and nfd(c) == c:
                found[form].add(c)
            elif "C" in form and (c in later or nfd(c)[0] in later):
                found[form].add(c)
    return found


def lowercase():
    lower = normalizers.Lowercase().normalize_str
    return {c: lower(c) for c in map(chr, POINTS) if lower(c) != c}


def counter():
    """How many pieces a text is in for Precompiled, when every byte begins
    something that maps to X: a cluster shorter than six bytes is one, of
    others each character is."""
    units = [0] * 768
    units[0] = 256 << 10
    for b in range(1, 256):
        units[256 + b] = 768 << 10 | 1 << 8 | b
        units[512 + b] = 1 << 31
    blob = struct.pack("<I768I", 768 * 4, *units) + b"X\0"
    f = normalizers.Precompiled(blob).normalize_str

    def count(text):
        out = f(text)
        assert set(out) <= {"X"}
        return len(out)
    return count


def break_of(c, n):
    """What Unicode's rules for grapheme clusters take c for."""
    o = ord(c)
    mark, sign, zwj = "\u0300", "\xa9", "\u200d"
    if 0xAC00 <= o < 0xAC00 + 11172:
        return "SYLLABLE"
    if 0x1F1E6 <= o <= 0x1F1FF:
        return "REGIONAL"
    if o == 0 or o > 0x7F and n(c + mark + mark) == 2 and n("a" + c) == 2:
        return "CONTROL"
    if o < 0x80:
        return "CONTROL" if n(c + mark) == 2 else "OTHER"
    if c == zwj:
        return "ZWJ"
    # In each of these the mark ends a cluster short enough to be one piece,
    # unless what stands before it has joined.
    if n("a" + c) == 1:
        if n("\u0915" + c + "\u0915" + mark) == 4:
            return "LINKER"
        if n("\u0915\u094d" + c + "\u0915" + mark) == 5:
            return "CONJOINED"
        joins = n(sign + c + zwj + sign + mark) == 5
        return "EXTEND" if joins else "SPACING"
    if n(c + "a") == 1:
        return "PREPEND"
    if n(c + zwj + sign + mark) == 4:
        return "PICTURE"
    if n(c + "\u094d\u0915" + mark) == 4:
        return "CONSONANT"
    # Jamo join jamo.
    for name, other in ("L", "\uac00"), ("V", "\u1160"), ("T", "\u11a8"):
        if n(c + other + mark) == 3:
            return name
    return "OTHER"


def breaks():
    n = counter()
    return {c: BREAKS.index(break_of(c, n)) for c in map(chr, POINTS)}


def measure():
    sets = {
        "LETTER": matched(r"\p{L}"),
        "NUMBER": matched(r"\p{N}"),
        "SPACE": matched(r"\s"),
        "WORD": words(),
        "NUMERIC": isolated(pre_tokenizers.Digits(individual_digits=True)),
        "PUNCT": isolated(pre_tokenizers.Punctuation("isolated")),
        "NONSPACING": removed(bert(strip_accents=True)),
        "COMBINING": removed(normalizers.StripAccents()),
        "CONTROL": removed(bert(clean_text=True)),
        **normal_forms(),
    }
    lower = lowercase()
    sets["LOWER"] = set(lower)
    kinds = [(0, 0)] * 0x110000
    for c, value in breaks().items():
        flags = sum((c in sets[name]) << i for i, name in enumerate(FLAGS))
        kinds[ord(c)] = flags, value
    return kinds, lower


def runs_of(values):
    runs = []
    for v in values:
        if runs and runs[-1][1] == v:
            runs[-1][0] += 1
        else:
            runs.append([1, v])
    return runs


def lower_runs(lower):
    """[first, count, step, what is added], of those with one character."""
    runs = []
    for c in sorted(lower):
        if len(lower[c]) > 1:
            continue
        c, add = ord(c), ord(lower[c]) - ord(c)
        if runs and runs[-1][3] == add:
            first, n, step, _ = runs[-1]
            if n == 1 and c - first <= 2:
                step = c - first
            if c == first + n * step:
                runs[-1] = [first, n + 1, step, add]
                continue
        runs.append([c, 1, 1, add])
    return runs


def table(items):
    lines, line = [], "\t"
    for item in items:
        item += ","
        if len(line) + 7 + len(item) + 1 > 80:
            lines.append(line)
            line = "\t"
        line += (" " if line != "\t" else "") + item
    return "\n".join(lines + [line])


def main():
    kinds, lower = measure()
    # The most frequent kinds get the small numbers, which print shorter.
    runs = runs_of(kinds)
    often = {}
    for _, kind in runs:
        often[kind] = often.get(kind, 0) + 1
    order = sorted(often, key=lambda k: (-often[k], k))
    assert len(order) <= 256
    number = {kind: i for i, kind in enumerate(order)}
    two = {c: s for c, s in lower.items() if len(s) > 1}
    assert list(two.items()) == [("\u0130", "i\u0307")]
    print(TEXT.format(
        version=tokenizers.__version__,
        flags=table("%#x" % f for f, _ in order),
        breaks=table("%d" % b for _, b in order),
        runs=table("%#x" % (n << 8 | number[k]) for n, k in runs),
        lower=table("{ %#x, %d, %d, %d }" % tuple(r)
                    for r in lower_runs(lower))))


TEXT = """\
/*
 * Flags of all code points, and their lowercase.
 *
 * Made by tests/ref/unicode_classes.py with tokenizers
 * {version}; do not edit.
 */
#include "tokenizer/unicode.h"
#include "tokenizer/parts.h"

#include <pthread.h>
#include <string.h>

unsigned char rm_char_kind[0x110000];

const uint16_t rm_char_kind_flags[] = {{
{flags}
}};

const unsigned char rm_char_kind_break[] = {{
{breaks}
}};

/* How many code points in a row (<< 8) are of a kind. */
static const uint32_t runs[] = {{
{runs}
}};

/* Every `step`th of these has a lowercase, which is so far from it. */
static const struct lower {{
	uint32_t first;
	uint16_t n, step;
	int32_t add;
}} lowers[] = {{
{lower}
}};

static void fill(void)
{{
	unsigned char *at = rm_char_kind;

	for (size_t i = 0; i < RM_COUNT(runs); i++) {{
		memset(at, runs[i] & 0xff, runs[i] >> 8);
		at += runs[i] >> 8;
	}}
}}

void rm_unicode_init(void)
{{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fill);
}}

static const struct lower *find_lower(uint32_t c)
{{
	size_t low = 0, high = RM_COUNT(lowers);

	while (high - low > 1) {{
		size_t mid = low + (high - low) / 2;

		if (lowers[mid].first <= c)
			low = mid;
		else
			high = mid;
	}}
	return &lowers[low];
}}

size_t rm_char_lower(uint32_t c, uint32_t lower[2])
{{
	const struct lower *l = find_lower(c);

	lower[0] = c;
	if (c == 0x130) {{		/* the only one with two */
		lower[0] = 'i';
		lower[1] = 0x307;
		return 2;
	}}
	if (c >= l->first && (c - l->first) % l->step == 0 &&
	    (c - l->first) / l->step < l->n)
		lower[0] = (uint32_t)((int32_t)c + l->add);
	return 1;
}}

size_t rm_char_put(uint32_t c, unsigned char bytes[4])
{{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[5] = {{ 0, 0, 0xc0, 0xe0, 0xf0 }};

	for (size_t i = n - 1; i > 0; i--) {{
		bytes[i] = (unsigned char)(0x80 | (c & 0x3f));
		c >>= 6;
	}}
	bytes[0] = (unsigned char)(lead[n] | c);
	return n;
}}"""

if __name__ == "__main__":
    main()
