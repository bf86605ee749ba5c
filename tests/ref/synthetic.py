#!/usr/bin/env python3
"""Small tokenizers of every kind of part, learned from a text below.

usage: tests/ref/synthetic.py OUTDIR

Writes OUTDIR/NAME.json for each.  Those with t5-small's table of characters
need $RM_DATA (../shared/data) and are left out without it.
"""
import collections
import itertools
import json
import math
import os
import pathlib
import re
import sys

from strings import byte_of_char

CORPUS = """\
It's the reward model that says which of two answers is the better one, and
it'll say so for 100 pairs or for 2,000. We've asked people; they're not of one
mind, and they don't have to be. HELLO Hello hello. x = f(a[i], b) + 12.34;
Le modèle préfère la réponse; das Modell überschätzt die Antwort. Ελλάδα
Модель оценивает ответ. Это модель ответа. 模型给出分数。模型回答。モデルは答えを選ぶ。
안녕하세요 안녕 नमस्ते नमस्ते שלום مرحبا 😀 👍 aaaa aaaaaaaa ababab e\u0301 a\u0308 \ufb01 Ⅳ ½
"""
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+",
    r"\s+(?!\S)", r"\s+"])
POSSESSIVE = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}+|"
              r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")
DEEPSEEK = [
    r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"""
    r"""[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"""
    r"""\s*[\r\n]+|\s+(?!\S)|\s+"""]
QWEN2 = LLAMA3.replace("{1,3}", "")
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
             "Contiguous"]
PATTERNS = {"d": r"\d", "w": r"\w+|[^\w\s]+", "any": ".", "anchor": r"^\s|x$",
            "behind": "(?<=a)b", "P": r"\p{P}|\p{Sc}",
            "lazy": "a+?b|[a-z]{2,3}?", "not": r"[^\p{L}]", "han": r"\p{Han}+",
            "b": r"\b", "digit": r"(?<!\d)\d(?=\d{2})|\D\s", "empty": "a*",
            "group": "(ab|c)(?:d|e)?", "S": r"\S+|\s+(?!\S)",
            "cut": r"(?=\p{Lu})"}


# ---- models ----

def pairs_learned(words, size, sep=""):
    """(alphabet, merges) of the words, by count and then by text."""
    count = collections.Counter(words)
    seqs = [(list(w), n) for w, n in count.items()]
    alphabet = sorted({c for s, _ in seqs for c in s})
    merges, known = [], set(alphabet)
    while len(known) < size:
        pairs = collections.Counter()
        for s, n in seqs:
            for pair in zip(s, s[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(list(best))
        known.add("".join(best))
        for s, _ in seqs:
            i = 0
            while i + 1 < len(s):
                if (s[i], s[i + 1]) == best:
                    s[i:i + 2] = ["".join(best)]
                i += 1
    return alphabet, merges


def numbered(*lists):
    tokens = dict.fromkeys(itertools.chain(*lists))
    return {t: i for i, t in enumerate(tokens)}


def bpe(words, size=360, first=(), extra=(), **on):
    alphabet, merges = pairs_learned(words, size)
    vocab = numbered(first, extra, alphabet, ["".join(m) for m in merges])
    return dict(type="BPE", dropout=None, unk_token=None,
                continuing_subword_prefix=None, end_of_word_suffix=None,
                fuse_unk=False, byte_fallback=False, ignore_merges=False,
                vocab=vocab, merges=merges) | on


def byte_level(text):
    char = {b: c for c, b in byte_of_char().items()}
    return "".join(char[b] for b in text.encode())


def substrings(words, longest):
    count = collections.Counter()
    for w in words:
        for i in range(len(w)):
            for j in range(i + 1, min(len(w), i + longest) + 1):
                count[w[i:j]] += 1
    return count


def word_piece(words, prefix="##", unk="[UNK]", longest=100):
    pieces = [p for p, n in sorted(substrings(words, 5).items(),
                                   key=lambda x: (-x[1], x[0]))
              if n > 2 or len(p) == 1][:200]
    return dict(type="WordPiece", unk_token=unk,
                continuing_subword_prefix=prefix,
                max_input_chars_per_word=longest,
                vocab=numbered([unk, "[CLS]"], pieces,
                               [prefix + p for p in pieces]))


def unigram(words, unk=0, byte_fallback=False, skip=""):
    pieces = {p: n for p, n in substrings(words, 6).items()
              if (n > 2 or len(p) == 1) and p not in skip}
    total = sum(pieces.values())
    vocab = [["<unk>", 0.0]]
    if byte_fallback:
        vocab += [[t, 0.0] for t in BYTES]
    vocab += [[p, round(math.log(n / total) + len(p), 4)] for p, n in
              sorted(pieces.items(), key=lambda x: (-x[1], x[0]))[:300]]
    return dict(type="Unigram", unk_id=unk, vocab=vocab,
                byte_fallback=byte_fallback)


BYTES = [f"<0x{b:02X}>" for b in range(256)]
SPACED = ["\u2581" + w for w in CORPUS.split()]
PLAIN = CORPUS.split() + re.findall(r"\w+|[^\w\s]", CORPUS.lower())
WHOLE = ["\u2581" + line.replace(" ", "\u2581")
         for line in CORPUS.split("\n")] + SPACED


def models():
    words = [byte_level(w) for w in re.findall(r" ?\w+|[^\w]", CORPUS)]
    alphabet = sorted(byte_of_char())
    yield "bytes", bpe(words, first=alphabet)
    yield "chars", bpe(WHOLE, first=["<unk>"], unk_token="<unk>")
    yield "plain", bpe(PLAIN, first=["<unk>"])
    yield "fallback", bpe(WHOLE, 300, ["<unk>"], BYTES, unk_token="<unk>",
                          fuse_unk=True, byte_fallback=True)
    yield "partial", bpe(WHOLE, 300, ["<unk>"], BYTES[:200:3],
                         unk_token="<unk>", byte_fallback=True)
    yield "wordpiece", word_piece(PLAIN)
    yield "wordpiece @@", word_piece(PLAIN, "@@", "<unk>", 6)
    yield "unigram", unigram(SPACED)
    yield "unigram bytes", unigram(SPACED, byte_fallback=True, skip="éxz")
    yield "words", dict(type="WordLevel", unk_token="<unk>", vocab=numbered(
        ["<unk>", "\u2581the", " ", "a", "1", "12", "100", "'"], PLAIN,
        SPACED))


# ---- parts ----

def seq(what, *parts):
    key = "normalizers" if what == "n" else "pretokenizers"
    return {"type": "Sequence", key: list(parts)}


def of(type, **on):
    return dict(type=type) | on


def level(prefix=False, regex=True):
    return of("ByteLevel", add_prefix_space=prefix, trim_offsets=True,
              use_regex=regex)


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return of("Split", pattern={kind: pattern}, behavior=behavior,
              invert=invert)


def replace(pattern, content, kind="String"):
    return of("Replace", pattern={kind: pattern}, content=content)


def bert(clean=True, chinese=True, accents=None, lower=True):
    return of("BertNormalizer", clean_text=clean, strip_accents=accents,
              handle_chinese_chars=chinese, lowercase=lower)


def metaspace(scheme="always", split=True, replacement="\u2581"):
    return of("Metaspace", replacement=replacement, prepend_scheme=scheme,
              split=split)


def normalizers():
    for name in "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents":
        yield name, of(name)
    yield "NFD lower strip", seq("n", of("NFD"), of("Lowercase"),
                                 of("StripAccents"))
    yield "NFKC lower", seq("n", of("NFKC"), of("Lowercase"))
    yield "lower NFD", seq("n", of("Lowercase"), of("NFD"), of("NFC"))
    for left, right in (True, True), (True, False), (False, True):
        yield f"strip {left:d}{right:d}", of("Strip", strip_left=left,
                                             strip_right=right)
    yield "strip prepend", seq("n", of("Strip", strip_left=True,
                                       strip_right=True),
                               of("Prepend", prepend="\u2581"))
    yield "llama", seq("n", of("Prepend", prepend="\u2581"),
                       replace(" ", "\u2581"))
    yield "prepend", of("Prepend", prepend="xy ")
    yield "replace", seq("n", replace("aa", "b"), replace("``", '"'),
                         replace("e", ""), replace("'", " quote "))
    yield "replace empty", replace("the", "")
    for name, pattern, content in (
            ("spaces", " {2,}", " "), ("white", r"\s+", "\u2581"),
            ("digits", r"\p{N}", "#"), ("words", r"[a-c]+|x\d?", "<\u00e9>"),
            ("ends", r"^\s+|\s+$", "|"), ("vowels", "(?i)[aeiou](?=n)", "_"),
            ("control", r"[\x00-\x1f\u200b]", "")):
        yield f"regex {name}", replace(pattern, content, "Regex")
    for clean, chinese, accents, lower in itertools.product(
            (True, False), (True, False), (None, True, False), (True, False)):
        marks = "null" if accents is None else f"{accents:d}"
        yield (f"bert {clean:d}{chinese:d}{lower:d} {marks}",
               bert(clean, chinese, accents, lower))


def pre_tokenizers():
    yield "none", None
    yield "bert", of("BertPreTokenizer")
    yield "whitespace", of("Whitespace")
    yield "whitespacesplit", of("WhitespaceSplit")
    for scheme in "always", "first", "never":
        for cut in True, False:
            yield f"metaspace {scheme} {cut:d}", metaspace(scheme, cut)
    yield "metaspace _", metaspace(replacement="_")
    for prefix in True, False:
        yield f"metaspace old {prefix:d}", of(
            "Metaspace", replacement="\u2581", str_rep="\u2581",
            add_prefix_space=prefix,
            **({} if prefix else dict(prepend_scheme="never")))
    yield "t5", seq("p", of("WhitespaceSplit"), metaspace())
    for behavior in BEHAVIORS:
        yield f"punctuation {behavior}", of("Punctuation", behavior=behavior)
        yield f"split string {behavior}", split("a", behavior, kind="String")
        yield f"split string inverted {behavior}", split(" ", behavior, True,
                                                         "String")
        yield f"split s {behavior}", split(r"\s", behavior)
        yield f"split w inverted {behavior}", split(r"\w+|\p{P}", behavior,
                                                    True)
    for one in True, False:
        yield f"digits {one:d}", of("Digits", individual_digits=one)
    yield "char", of("CharDelimiterSplit", delimiter="a")
    yield "char space", of("CharDelimiterSplit", delimiter=" ")
    for name, pattern in PATTERNS.items():
        yield f"pattern {name}", split(pattern)
    yield "bert digits", seq("p", of("BertPreTokenizer"),
                             of("Digits", individual_digits=True))
    yield "split first", seq("p", split("b", "MergedWithNext"),
                             metaspace("first"))
    yield "metaspace punctuation", seq("p", metaspace("first", False),
                                       of("Punctuation",
                                          behavior="Contiguous"))


def byte_level_pre_tokenizers():
    for prefix, regex in itertools.product((True, False), (True, False)):
        yield f"{prefix:d}{regex:d}", level(prefix, regex)
    last = level(False, False)
    for name, pattern in (("qwen2", QWEN2), ("llama3", LLAMA3),
                          ("o200k", O200K), ("possessive", POSSESSIVE)):
        yield name, seq("p", split(pattern), last)
        yield f"{name} removed", seq("p", split(pattern, "Removed", True),
                                     last)
    yield "deepseek", seq("p", *map(split, DEEPSEEK), last)
    yield "digits", seq("p", of("Digits", individual_digits=True), level())
    yield "digits prefix", seq("p", of("Digits", individual_digits=False),
                               level(True))
    yield "not last", seq("p", level(), of("Digits", individual_digits=True))
    yield "not last either", seq("p", level(True, False), split("Ġ",
                                 "MergedWithNext", kind="String"))
    yield "punctuation", seq("p", of("Punctuation", behavior="Contiguous"),
                             level(), of("Digits", individual_digits=True))
    for name, pattern in PATTERNS.items():
        yield f"pattern {name}", seq("p", split(pattern, "MergedWithPrevious"),
                                     last)


def added(*tokens):
    """(content, flags...); ids come later."""
    return [dict(content=t, single_word="w" in f, lstrip="l" in f,
                 rstrip="r" in f, normalized="n" in f, special="s" in f)
            for t, f in tokens]


ADDED = {
    "special": added(("<s>", "s"), ("</s>", "s"), ("<s>x", "s"), ("[MASK]",
                     "ls"), ("<a b>", "s"), ("<cut>", "rs"), ("<lr>", "lrs")),
    "normalized": added(("HELLO", "n"), ("Modèle", "n"), ("é", "n"),
                        ("  ", "n"), ("ﬁ", "n"), ("e\u0301x", "n"),
                        ("the ", "n"), ("Ⅳ", "sn"), ("ß", "")),
    "words": added(("it", "wn"), ("say", "w"), ("'", "w"), ("the", "wl"),
                   ("of", "wrn"), ("é", "w"), ("12", "wlr"), ("_", "w")),
    "overlap": added(("aa", ""), ("aaa", "n"), ("a", "n"), ("aab", ""),
                     ("ba", "ln"), ("abab", "rs"), ("b a", "n"),
                     ("aaaaaa", "")),
}


# ---- the tokenizers ----

def whole(model, normalizer=None, pre_tokenizer=None, tokens=()):
    names = ([t for t, _ in model["vocab"]]
             if isinstance(model["vocab"], list) else model["vocab"])
    n, known = len(names), {t: i for i, t in enumerate(names)}
    out = []
    for t in tokens:
        id = known.get(t["content"], n)
        n += id == n
        out.append(dict(id=id) | t)
    return dict(version="1.0", truncation=None, padding=None,
                added_tokens=sorted(out, key=lambda t: t["id"]),
                normalizer=normalizer, pre_tokenizer=pre_tokenizer,
                post_processor=None, decoder=None, model=model)


def precompiled(data):
    path = pathlib.Path(data, "tokenizers/t5-small/tokenizer.json")
    if path.exists():
        return json.loads(path.read_text("utf-8"))["normalizer"]
    return None


def tokenizers(data=None):
    """(name, model's name, change of the model, tokenizer) of all; a member
    changed to "-" is left out."""
    model = dict(models())

    def make(name, base, change={}, **parts):
        kept = {k: v for k, v in (model[base] | change).items() if v != "-"}
        return name, base, change, whole(kept, **parts)

    for name in model:
        pre = level() if name == "bytes" else None
        yield make(f"model {name}", name, pre_tokenizer=pre)
        yield make(f"model {name}, cut", name, pre_tokenizer=seq(
            "p", of("WhitespaceSplit"), metaspace("always", True),
            *([level(False, False)] if pre else [])))
    old = [" ".join(m) for m in model["bytes"]["merges"]]
    yield make("old bytes", "bytes", dict(merges=old, type="-"),
               pre_tokenizer=level())
    for name in "chars", "fallback", "partial":
        for on in (dict(fuse_unk=True), dict(fuse_unk=False),
                   dict(unk_token=None), dict(ignore_merges=True),
                   dict(byte_fallback=name == "chars")):
            key, value = next(iter(on.items()))
            yield make(f"{name} {key} {value}", name, on,
                       normalizer=dict(normalizers())["llama"])
    yield make("ignore merges", "bytes", dict(ignore_merges=True),
               pre_tokenizer=level())
    yield make("no type", "wordpiece", dict(type="-"),
               pre_tokenizer=of("BertPreTokenizer"))
    yield make("short words", "wordpiece", dict(max_input_chars_per_word=4),
               pre_tokenizer=of("Whitespace"))
    yield make("no unk", "unigram", dict(unk_id=None))
    for name, part in normalizers():
        base = "wordpiece" if name.startswith("bert") else "unigram"
        yield make(f"normalizer {name}", base, normalizer=part,
                   pre_tokenizer=of("BertPreTokenizer")
                   if base == "wordpiece" else metaspace())
        if base == "unigram":
            yield make(f"normalizer {name}, bytes", "bytes", normalizer=part,
                       pre_tokenizer=level())
    charsmap = precompiled(data) if data else None
    if charsmap:
        yield make("precompiled", "chars", normalizer=charsmap)
        yield make("precompiled lower", "chars",
                   normalizer=seq("n", charsmap, of("Lowercase"),
                                  replace(" {2,}", "\u2581", "Regex")))
    for name, part in pre_tokenizers():
        yield make(f"cut {name}", "fallback", pre_tokenizer=part)
        if re.match("bert|white|punct|digits|char|split w", name):
            yield make(f"cut {name}, words", "words", pre_tokenizer=part)
    for name, part in byte_level_pre_tokenizers():
        yield make(f"level {name}", "bytes", pre_tokenizer=part)
    for name, tokens in ADDED.items():
        for to, base, norm, pre in (
                ("bytes", "bytes", None, level()),
                ("prefix", "bytes", None, level(True)),
                ("NFC", "bytes", of("NFC"), level()),
                ("lower", "unigram", seq("n", of("NFD"), of("Lowercase"),
                                         of("StripAccents")), metaspace()),
                ("first", "unigram", of("NFKC"), metaspace("first")),
                ("bert", "wordpiece", bert(), of("BertPreTokenizer")),
                ("llama", "fallback", dict(normalizers())["llama"], None),
                ("t5", "unigram", None, dict(pre_tokenizers())["t5"])):
            yield make(f"added {name}, {to}", base, normalizer=norm,
                       pre_tokenizer=pre, tokens=tokens)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    data = os.environ.get("RM_DATA", "../shared/data")
    for name, _, _, tokenizer in tokenizers(data):
        name = re.sub("[^A-Za-z0-9@]+", "-", name)
        (out / f"{name}.json").write_text(
            json.dumps(tokenizer, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main()
