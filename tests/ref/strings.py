#!/usr/bin/env python3
"""Hostile and varied strings for tokenizers, the same for the same seed (and
the same Unicode tables of Python).

usage: tests/ref/strings.py [--bytes] N SEED [TOKENIZER]

Prints N JSON strings, one a line.  With a tokenizer.json its added tokens are
glued to words, to each other and to white space, and tokens of its vocabulary
to one another.  Pieces of real text come from $RM_DATA (../shared/data), if it
is there.  With --bytes, lines of "HEX JSON": bytes that are not valid UTF-8,
and what they are when each invalid part is replaced by U+FFFD.
"""
import csv
import gzip
import itertools
import json
import os
import pathlib
import random
import sys
import unicodedata


def span(*ranges):
    return "".join(chr(c) for first, last in ranges
                   for c in range(first, last + 1))


ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "etaoinshrdlu", "aAbB", span((0xc0, 0x24f)), span((0x1e00, 0x1eff)),
    "áéíóúüñçãõâêôàèìòùäöëïÿåæøœßĳŁłŠšŽžİıĞğŞşſ",
    span((0x370, 0x377), (0x37a, 0x37f), (0x384, 0x3ce)),
    "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώΑΒΓΣΩ", span((0x1f00, 0x1fff)),
    span((0x410, 0x44f)), span((0x400, 0x52f)), "оценивамодельЙйЁё",
    span((0x531, 0x587)),
    span((0x5d0, 0x5ea), (0x5b0, 0x5c7)), "שלוםעולםאבג",
    span((0x620, 0x64a), (0x64b, 0x655)), "مرحبابالعالملآأإ",
    span((0xfb50, 0xfbb1), (0xfe70, 0xfefc)), span((0x700, 0x74f)),
    span((0x901, 0x939), (0x93c, 0x94d), (0x958, 0x965)),
    "नमस्ते दुनियाक़ख़ज़", span((0x980, 0x9fe)), span((0xb80, 0xbfa)),
    "கோஇௌொ",
    span((0xc00, 0xd7f)), span((0xe01, 0xe3a), (0xe40, 0xe5b)), "สวัสดีชาวโลกกำน้ำ",
    span((0xe81, 0xedf)), span((0xf40, 0xfbc)), "བོད་ཡིགགྷཱཱིྀ",
    span((0x1000, 0x109f)), span((0x1200, 0x137c)), span((0x1780, 0x17e9)),
    span((0x1800, 0x18aa)),
    span((0xac00, 0xd7a3)), "한국어모델답변가각", span((0x1100, 0x11ff)),
    "\u1112\u1161\u11ab\u1100\u1161\u11a8", span((0x3131, 0x318e)),
    span((0xa960, 0xa97c), (0xd7b0, 0xd7fb)),
    span((0x3041, 0x309f)), span((0x30a0, 0x30ff)), "がぎゔヴパペ゛゜ーゝヾ",
    span((0xff65, 0xff9f)), span((0x4e00, 0x9fff)), "模型给出分数奖励龥一",
    span((0x3400, 0x4dbf)), span((0x20000, 0x2a6df)),
    span((0x2a700, 0x2ebe0), (0x30000, 0x323af)),
    span((0xf900, 0xfad9)), span((0x2f800, 0x2fa1d)), span((0x3105, 0x312f)),
    span((0x10a0, 0x10ff)), span((0x1c90, 0x1cbf)), span((0x2d00, 0x2d2d)),
    span((0x13a0, 0x13fd)), span((0xab70, 0xabbf)),
    span((0x10d40, 0x10d8f)), span((0x10400, 0x1044f)),
    span((0x118a0, 0x118df)), span((0x1e900, 0x1e94b)),
    span((0x2c00, 0x2cff)), span((0xa640, 0xa69f)), span((0xa720, 0xa7ff)),
    span((0x1d400, 0x1d7ff)), span((0x2100, 0x214f)), span((0x2160, 0x2188)),
    span((0x2460, 0x24ff)), span((0x2070, 0x209c)), span((0x3200, 0x33ff)),
    span((0xff01, 0xff5e)), span((0xfb00, 0xfb4f)), span((0x1d2c, 0x1dbf)),
    span((0x2b0, 0x2ff)), span((0x16a0, 0x16f0)), span((0x12000, 0x12399)),
    span((0x13000, 0x1342e)), span((0x11000, 0x1107f), (0x11100, 0x11147)),
    span((0x1f100, 0x1f1ff)), span((0xa000, 0xa48c)), span((0x1d165, 0x1d18b)),
    "ǄǅǆǇǈǉᾼῼŉǰΐΰẖẗẘẚßẞﬁﬃİİK\u212bΩ",
]
DIGITS = ["0123456789", "01", span((0x660, 0x669)), span((0x966, 0x96f)),
          span((0xff10, 0xff19)), span((0x1d7ce, 0x1d7ff)), "²³¹½¼¾⅓⅛",
          "ⅠⅡⅣⅧⅫⅰⅳ", "①②⑳㊿", "一二三〇", span((0x9f4, 0x9f9), (0xbf0, 0xbf2)),
          span((0x1369, 0x137c)), span((0x10107, 0x10133))]
SPACES = ("\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001"
          "\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
          "\u202f\u205f\u3000")
USUAL_SPACES = [" ", " ", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\r",
                " \n", "\n ", "\u00a0", "\u3000", "    ", "\t\t", "        "]
CONTROLS = ("\x00\x01\x02\x07\x08\t\n\v\f\r\x0e\x1b\x1f\x7f\x80\x84\x85\x86"
            "\x9f\u00ad\u034f\u061c\u06dd\u070f\u115f\u1160\u17b4\u180b\u180e"
            "\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2060"
            "\u2061\u2064\u2066\u2069\u206f\u3164\ufe00\ufe0e\ufe0f\ufeff"
            "\uffa0\ufff9\ufffa\ufffb\ufffc\ufffd\ufffe\uffff\ue000\uf8ff"
            "\ufdd0\ufdef\u0378\u0380\u05ff\u2fe0\U0001d173\U0001fffe"
            "\U0001ffff\U000e0001\U000e0020\U000e007f\U000e0100\U000e01ef"
            "\U000f0000\U000ffffd\U00100000\U0010fffd\U0010ffff\U000323b0"
            "\U0004ffff\U000e0fff\U0001bca0\U000110bd")
MARKS = span((0x300, 0x36f), (0x483, 0x487), (0x591, 0x5bd), (0x610, 0x61a),
             (0x64b, 0x65f), (0x6d6, 0x6dc), (0x730, 0x74a), (0x93c, 0x93c),
             (0x94d, 0x94d), (0xe38, 0xe3a), (0xe48, 0xe4b), (0xf71, 0xf84),
             (0x1ab0, 0x1ac0), (0x1dc0, 0x1dff), (0x20d0, 0x20f0),
             (0x302a, 0x302f), (0x3099, 0x309a), (0xfe20, 0xfe2f),
             (0x1d165, 0x1d169), (0x1d16d, 0x1d172), (0x1e8d0, 0x1e8d6),
             (0x1e944, 0x1e94a), (0xe0100, 0xe010f), (0x903, 0x903),
             (0x9be, 0x9be), (0x9d7, 0x9d7), (0xb3e, 0xb3e), (0xdcf, 0xdcf))
FEW_MARKS = "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0323\u0328\u0345\u3099"
EMOJI = ["😀", "👍", "👍🏽", "👩‍👩‍👧", "👨🏿‍🚀", "🇩🇪", "🇺🇸🇫🇷", "🇦", "❤️", "❤", "☺︎",
         "1️⃣", "#️⃣", "*⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️‍🌈", "🧑🏻‍❤️‍💋‍🧑🏾", "✌🏼", "🏿", "\u200d", "\ufe0f",
         "🫠", "🪿", "🦰", "⌚", "©", "®️", "™", "㊗️", "〰️", "🀄", "🙂‍↔️"]
PUNCT = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
OTHER_PUNCT = ("¡¿§¶·«»‐‑‒–—―‖‘’‚“”„†‡•…‰′″‹›※‼⁇⁈⁉⁎、。〃〈〉《》「」『』【】〜〝〟・"
               "！，．：；？｡､¢£¥€₩₿¤+−×÷±=≠≤≥<>∞∑∏√∫∂∇←→⇒■□▲●☆♥♪°¨¯´¸`˘˜̈^ǃ।॥؟،؛٪֊־᠆⸺"
               "\u2581\u2582Ġ")
CONTRACTIONS = [q + c for q in ("'", "'", "'", "’", "ʼ", "`", "＇")
                for c in ("s", "t", "re", "ve", "m", "ll", "d", "S", "T", "RE",
                          "Re", "rE", "VE", "vE", "M", "LL", "lL", "D",
                          "\u017f", "\u017fs", "l", "r", "v", "n't", "x")]
WORDS = """the of and to in is that it for was on with as his reward model
answer I you don't isn't it's we've they'll I'd he's WON'T IT'S THEY'RE
Internationalization antidisestablishmentarianism supercalifragilistic HTTP
iPhone McDonald camelCase snake_case kebab-case CONSTANT_VALUE x1y2z3 naïve
café Ångström Zürich straße STRASSE façade résumé piñata Žižek Škoda Łódź
İstanbul ıslak ΣΊΣΥΦΟΣ ὀδυσσεύς Москва Київ модель ответ שָׁלוֹם مُحَمَّد हिन्दी
क्षत्रिय ภาษาไทย ខ្មែរ བོད་སྐད 안녕하세요 こんにちは 東京都 北京大学 模型 日本語のテキスト Tiếng Việt
đường 1st 2nd 3.14159 1,234,567.89 2023-01-31 12:34:56 $9.99 50% №5 C++ C# .NET
AT&T R&D Ph.D. e.g. i.e. U.S.A. [UNK] [CLS] <s> </s> <unk> <pad> <mask>
##ing ▁the <0x41> <0xE4> Ġword""".split()
CODE = ["    ", "\n    ", "\n\t", "\n\t\t", "\n        return ", "for (int i = 0;",
        " i < n; i++) {\n", "}\n", "def f(self, x=None):\n", "if (a == b && !c)",
        "// ", "/* ", " */", "#include <stdio.h>\n", "a[i] += b->c;", "=> {};\n",
        "<div class=\"x\">", "</div>\n", "&amp;", "\\n", "\\u00e9", "0x7fff", "1e-9",
        "SELECT * FROM t;", "$(x)", "${HOME}", "lambda x: x**2", "::", "->", "===",
        "!==", "\"\"\"", "'''", "'s'", "```", "----", "====", "|---|", "- [ ] ",
        "\r\n\r\n", "\n\n\n", " \n \n", "\t \t"]
URLS = ["https://", "http://www.", "example.com/", "?q=a%20b&x=1#top",
        "user.name+tag@mail.example.org", "ftp://h/p/", "index.html",
        "C:\\Users\\x\\", "/usr/local/bin", "192.168.0.1:8080", "#hashtag",
        "@user", "doi:10.1000/182"]
TEXT = ("Which of two answers is the better one? It's hard to say; people "
        "aren't of one mind.\n\nHuman: I don't know.  Assistant: 2 + 2 = 4!")


def strings_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings_in(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings_in(v)


def texts_of(path):
    if path.name.endswith(".jsonl.gz"):
        for line in gzip.open(path, "rt", encoding="utf-8"):
            yield from strings_in(json.loads(line))
    elif path.name.endswith(".json"):
        yield from strings_in(json.loads(path.read_text("utf-8")))
    elif path.name.endswith(".csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
            for row in csv.reader(f):
                yield from row


def texts(data):
    """All texts of the real data."""
    for path in sorted(pathlib.Path(data).glob("*/*")):
        yield from texts_of(path)


def some_texts(data, each=300):
    """A few texts of every file of the real data."""
    out = [TEXT]
    for path in sorted(pathlib.Path(data).glob("*/*")):
        out += itertools.islice(filter(None, texts_of(path)), each)
    return out


def byte_of_char():
    """GPT-2's characters for bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    chars = {chr(b): b for b in plain}
    chars.update((chr(256 + i), b) for i, b in enumerate(other))
    return chars


def vocabulary(tokenizer):
    """The tokens of a tokenizer.json as text, and its added tokens."""
    vocab = tokenizer["model"]["vocab"]
    tokens = ([t for t, _ in vocab] if isinstance(vocab, list)
              else sorted(vocab, key=vocab.get))
    if '"ByteLevel"' in json.dumps(tokenizer["pre_tokenizer"]):
        byte = byte_of_char()
        tokens = [bytes(byte[c] for c in t).decode("utf-8", "ignore")
                  for t in tokens if all(c in byte for c in t)]
    tokens = [t for t in tokens if t]
    added = [a["content"] for a in tokenizer.get("added_tokens") or []]
    return tokens, added


class Strings:
    """Iterable without end; `longest` bounds runs of one character."""

    def __init__(self, seed, tokenizer=None, data=None, longest=10000):
        self.rng = random.Random(seed)
        self.longest = longest
        self.real = some_texts(data or os.environ.get(
            "RM_DATA", "../shared/data"))
        self.tokens, self.added = [], []
        if tokenizer:
            self.tokens, self.added = vocabulary(tokenizer)
        weights = [
            (20, self.word), (8, self.usual_word), (14, self.space),
            (4, self.digits), (5, self.punctuation), (4, self.contraction),
            (3, self.emoji), (4, self.marked), (3, self.control),
            (3, self.code), (1, self.url), (2, self.run), (3, self.excerpt),
            (2, self.anything), (2, self.any_space), (1, self.mark_pile),
            (10 if self.tokens else 0, self.token),
            (8 if self.added else 0, self.added_token)]
        self.kinds = [f for n, f in weights for _ in range(n)]

    def __iter__(self):
        while True:
            yield self.string()

    def some(self, alphabet, low, high):
        choice = self.rng.choice
        return "".join([choice(alphabet)
                        for _ in range(self.rng.randint(low, high))])

    def word(self):
        return self.some(self.rng.choice(ALPHABETS), 1, 7)

    def usual_word(self):
        word = self.rng.choice(WORDS)
        return self.rng.choice((word, word, " " + word, word.upper(),
                                word.swapcase()))

    def space(self):
        return self.rng.choice(USUAL_SPACES)

    def any_space(self):
        return self.some(SPACES, 1, 4)

    def digits(self):
        return self.some(self.rng.choice(DIGITS), 1, 9)

    def punctuation(self):
        return self.some(self.rng.choice((PUNCT, PUNCT, OTHER_PUNCT)), 1, 4)

    def contraction(self):
        return self.rng.choice(CONTRACTIONS)

    def emoji(self):
        return self.some(EMOJI, 1, 3)

    def marked(self):
        """Letters with marks, composed or not."""
        alphabet = self.rng.choice(ALPHABETS)
        marks = self.rng.choice((FEW_MARKS, MARKS))
        s = "".join(self.rng.choice(alphabet) + self.some(marks, 0, 3)
                    for _ in range(self.rng.randint(1, 5)))
        form = self.rng.choice((None, None, "NFC", "NFD"))
        return unicodedata.normalize(form, s) if form else s

    def mark_pile(self):
        return self.some(MARKS, 1, self.rng.choice((3, 40)))

    def control(self):
        return self.some(CONTROLS, 1, 2)

    def code(self):
        return self.rng.choice(CODE)

    def url(self):
        return "".join(self.rng.sample(URLS, 2))

    def run(self):
        n = self.rng.choice((5, 9, 20, 40, 70, 130, 300))
        if self.rng.random() < 0.005:
            n = 10000
        unit = self.rng.choice((" ", "\n", "a", "A", "0", "!", "-", "é", "中",
                                "ab", "\u0301", "👍", "\t", "\u2581", "の", " a",
                                self.rng.choice(self.rng.choice(ALPHABETS)),
                                self.rng.choice(CONTROLS)))
        return unit * min(n, self.longest)

    def excerpt(self):
        text = self.rng.choice(self.real)
        at = self.rng.randrange(len(text))
        return text[at:at + self.rng.randint(1, 40)]

    def anything(self):
        out = []
        for _ in range(self.rng.randint(1, 4)):
            c = self.rng.randrange(self.rng.choice(
                (0x300, 0x3000, 0x10000, 0x20000, 0x110000)))
            out.append(chr(c) if not 0xd800 <= c < 0xe000 else "\ud7ff")
        return "".join(out)

    def token(self):
        s = self.some(self.tokens, 1, 3)
        how = self.rng.randrange(5)
        return (s.replace("##", "") if how < 3 else s if how < 4
                else s.replace("\u2581", " "))

    def added_token(self):
        s = self.rng.choice(self.added)
        how = self.rng.randrange(12)
        if how == 0:
            return s + self.rng.choice(self.added)
        if how == 1:
            return self.space() + s + self.space()
        if how == 2:
            return s[:self.rng.randint(1, len(s))]
        if how == 3:
            return self.rng.choice((s.upper(), s.lower(), s.swapcase()))
        return s

    def length(self):
        x = self.rng.random()
        if x < 0.03:
            return self.rng.randint(0, 3)
        if x < 0.97:
            return self.rng.randint(3, 70)
        return self.rng.randint(70, 600)

    def string(self):
        """Most are mixtures; some keep to two kinds, some to words."""
        n = self.length()
        x = self.rng.random()
        kinds = self.kinds
        if x < 0.15:
            kinds = [self.rng.choice(kinds), self.rng.choice(kinds)]
        elif x < 0.3:
            kinds = [self.word, self.usual_word, self.space, self.space]
        out, size = [], 0
        while size < n:
            s = self.rng.choice(kinds)()
            out.append(s)
            size += len(s)
            if kinds is not self.kinds and size == 0:
                kinds = self.kinds
        s = "".join(out)
        x = self.rng.random()
        if x < 0.04:
            s = unicodedata.normalize(
                self.rng.choice(("NFC", "NFD", "NFKC", "NFKD")), s)
        elif x < 0.06:
            s = self.rng.choice((s.upper, s.lower, s.title))()
        return s

    def damaged(self):
        """Bytes of a string with some made invalid."""
        data = bytearray(self.string()[:200].encode())
        for _ in range(self.rng.randint(1, 5)):
            at = self.rng.randint(0, len(data))
            how = self.rng.randrange(4)
            if how == 0:
                data[at:at + self.rng.randint(1, 2)] = b""
            elif how == 1:
                data[at:at] = self.rng.choice((
                    b"\xff", b"\x80", b"\xc0\x80", b"\xe0\x80\xaf", b"\xf0\x9f",
                    b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xf4\x90\x80\x80",
                    b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3", b"\xf8\x88\x80\x80",
                    b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf", b"\xfe\xff",
                    b"\xf0\x8f\xbf\xbf", b"\xc1\xbf", b"\xef\xbf"))
            elif how == 2 and at < len(data):
                data[at] = self.rng.randrange(256)
            else:
                data[at:at] = bytes(self.rng.randrange(128, 256) for _ in
                                    range(self.rng.randint(1, 4)))
        return bytes(data)


def main():
    args = [a for a in sys.argv[1:] if a != "--bytes"]
    if len(args) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    tokenizer = None
    if len(args) == 3:
        with open(args[2], encoding="utf-8") as f:
            tokenizer = json.load(f)
    made = Strings(int(args[1]), tokenizer)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for _ in range(int(args[0])):
        if "--bytes" in sys.argv:
            data = made.damaged()
            print(data.hex(), json.dumps(data.decode("utf-8", "replace")))
        else:
            print(json.dumps(made.string(), ensure_ascii=False))


if __name__ == "__main__":
    main()
