#!/usr/bin/env python3
"""Write lib/tokenizer/regex_ranges.c: characters whose general category in
the regular expressions of the PyPI package `tokenizers` is not that of
Unicode 14, the version that PCRE2 10.42 has.

Needs a Python whose unicodedata is of version 14.0.0 (Python 3.11).

usage: tests/ref/regex_ranges.py > lib/tokenizer/regex_ranges.c
"""
import unicodedata

import tokenizers
from tokenizers import Regex, pre_tokenizers

assert unicodedata.unidata_version == "14.0.0"
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po "
              "Sm Sc Sk So Zs Zl Zp Cc Cf Co").split()
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


category = {}
for name in CATEGORIES:
    for c in members(r"\p{%s}" % name):
        category[c] = name
ranges = []
for c in POINTS:
    name = category.get(c, "Cn")
    if name == unicodedata.category(chr(c)):
        continue
    if ranges and ranges[-1][1] == c - 1 and ranges[-1][2] == name:
        ranges[-1][1] = c
    else:
        ranges.append([c, c, name])

# \w beside letters, marks, digits and connectors, as the category "w".
word = members(r"\w")
for c in sorted(word):
    if category[c][0] not in "LM" and category[c] not in ("Nd", "Pc"):
        if ranges[-1][1] == c - 1 and ranges[-1][2] == "w":
            ranges[-1][1] = c
        else:
            ranges.append([c, c, "w"])
assert not [c for c, name in category.items()
            if (name[0] in "LM" or name in ("Nd", "Pc")) and c not in word]

rows = "\n".join(f'\t{{ {a:#x}, {b:#x}, "{name}" }},' for a, b, name in ranges)
print(f"""/*
 * Characters whose general category is another one in the peer's regular
 * expressions than in Unicode 14, PCRE2's version.
 *
 * Made by tests/ref/regex_ranges.py with tokenizers {tokenizers.__version__};
 * do not edit.
 */
#include "tokenizer/regex.h"

const struct rm_regex_range rm_regex_ranges[] = {{
{rows}
	{{ 0, 0, "" }}
}};""")
