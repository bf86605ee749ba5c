#!/usr/bin/env python3
"""Write lib/pair/script_ranges.h: which letters are of which script, found by
asking the PyPI package `regex`.

usage: tests/ref/script_ranges.py > lib/pair/script_ranges.h
"""
import regex

SCRIPTS = ["Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic",
           "Ethiopic", "Devanagari", "Bengali", "Gurmukhi", "Gujarati",
           "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala",
           "Thai", "Lao", "Tibetan", "Myanmar", "Georgian", "Khmer",
           "Mongolian", "Hangul", "Hiragana", "Katakana", "Han"]
POINTS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]


def points(pattern):
    return {ord(c) for c in regex.findall(pattern, "".join(map(chr, POINTS)))}


def main():
    letters = points(r"\p{L}")
    script = {c: "other" for c in letters}
    for name in SCRIPTS:
        for c in points(r"\p{Script=%s}" % name) & letters:
            script[c] = name
    rows = []
    for c in sorted(letters):
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == script[c]:
            rows[-1][1] = c
        else:
            rows.append([c, c, script[c]])
    print("/* Made by tests/ref/script_ranges.py; do not edit. */")
    print("static const char *const script_names[] = {")
    for name in SCRIPTS + ["other"]:
        print(f'\t"{name}",')
    print("};\n\nenum { LATIN = 0, OTHER = %d, SCRIPTS };\n" % len(SCRIPTS))
    print("/* Letters beyond ASCII, in order. */")
    print("static const struct {\n\tuint32_t first, last;\n"
          "\tunsigned char script;\n} script_ranges[] = {")
    for first, last, name in rows:
        print("\t{ 0x%x, 0x%x, %d }," % (
            first, last, (SCRIPTS + ["other"]).index(name)))
    print("};")


main()
