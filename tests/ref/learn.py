#!/usr/bin/env python3
"""Write tests/data/learn.json: what a learner that recounts everything at
every step learns from small texts, cut into words by the PyPI package
`tokenizers`; and the ids that the package gives to some texts with the result.

usage: tests/ref/learn.py > tests/data/learn.json
"""
import collections
import json
import random

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

CORPUS = """\
Which of two answers is better? A reward model can't know; it is told by 100
people, or by 2,000, who didn't agree: "better", they say, isn't 'longer'.

\tif (margin[i] <= 0.5)
\t\twrong += n_pairs \\ 2;

модель не знает, что лучше: ответ или ответы. Modell und Antwort, Antworten, Antwort.
wordpieces words wording swords pieces piecewise
"""
ACCENTS = """\
L'été, l’élève préfère une réponse RÉPÉTÉE; naïve façade, Ünder Straße.
模型给出分数。模型 モデル 답변을 고른다 ไทย Какой e\u0301te\u0301 \u00a0\u2003x\u200b\u00ady
"""
# With those above, more letters than a quarter of 256.
LETTERS = """\
0123456789 3456789 {}()<>&*=+-/ αβγδεζηθικλμνξοπρστυφχψω αβγαβγ δεζ ηθικ μνμν
бгджфхцчшщъыэюя бгд джф
"""
TEXTS = ["", "The longer answer is better.", "words, wordings; swordpieces",
         "модель лучше", "can't 20,000", "modell antwortenwording"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SPLIT = pre_tokenizers.ByteLevel(add_prefix_space=False)


def byte_chars():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    chars = {b: chr(b) for b in plain}
    chars.update((b, chr(256 + i)) for i, b in enumerate(other))
    return [chars[b] for b in range(256)]


def bpe_start(text):
    """First tokens, and words as [ids, count]."""
    words = collections.Counter(w for w, _ in SPLIT.pre_tokenize_str(text))
    tokens = byte_chars()
    return tokens, [[[tokens.index(c) for c in w], n]
                    for w, n in words.items()]


def wordpiece_start(text, vocab, cased):
    normal = normalizers.BertNormalizer(lowercase=not cased)
    words = collections.Counter(
        w for w, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(
            normal.normalize_str(text)))
    count = collections.Counter()
    for w, n in words.items():
        for c in w:
            count[c] += n
    most = sorted(count, key=lambda c: (-count[c], c))
    chars = sorted(most[:min(1000, (vocab - 5) // 4)])
    inside = {c for w in words for c in w[1:]}
    tokens = SPECIAL + chars + ["##" + c for c in chars if c in inside]
    return tokens, [
        [[tokens.index("##" + c if i else c) for i, c in enumerate(w)], n]
        for w, n in words.items() if all(c in chars for c in w)]


def learn(tokens, words, vocab, prefix):
    """Merges by (count, lowest ids)."""
    merges = []
    while len(tokens) < vocab:
        count = collections.Counter()
        for ids, n in words:
            for pair in zip(ids, ids[1:]):
                count[pair] += n
        if not count:
            break
        best = min(count, key=lambda p: (-count[p], p))
        left, right = (tokens[i] for i in best)
        joined = left + right.removeprefix(prefix)
        if joined not in tokens:
            tokens.append(joined)
        merges.append([left, right])
        for ids, _ in words:
            i = 0
            while i + 1 < len(ids):
                if (ids[i], ids[i + 1]) == best:
                    ids[i:i + 2] = [tokens.index(joined)]
                i += 1
    return merges


def row(kind, text, vocab, cased=False):
    if kind == "bpe":
        tokens, words = bpe_start(text)
        merges = learn(tokens, words, vocab, "")
        model = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)},
                                     [tuple(m) for m in merges]))
        model.pre_tokenizer = SPLIT
        out = dict(merges=[" ".join(m) for m in merges])
    else:
        tokens, words = wordpiece_start(text, vocab, cased)
        learn(tokens, words, vocab, "##")
        model = Tokenizer(models.WordPiece({t: i for i, t in
                                            enumerate(tokens)},
                                           unk_token="[UNK]"))
        model.normalizer = normalizers.BertNormalizer(lowercase=not cased)
        model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        out = dict(cased=cased, tokens=tokens)
    return dict(type=kind, text=text, vocab=vocab, **out,
                ids=[model.encode(t, add_special_tokens=False).ids
                     for t in TEXTS])


def main():
    rng = random.Random(1)
    runs = " ".join("".join(rng.choice("ab") for _ in range(rng.randint(1, 9)))
                    for _ in range(300))
    few = "aaaaaaa aaaa abcabcabc"
    rows = [row("bpe", CORPUS, 400), row("bpe", runs, 330),
            row("bpe", few, 300), row("wordpiece", CORPUS, 400),
            row("wordpiece", CORPUS + LETTERS, 256), row("wordpiece", runs, 300),
            row("wordpiece", few, 300), row("wordpiece", CORPUS, 300, True),
            row("wordpiece", CORPUS + ACCENTS, 500),
            row("wordpiece", CORPUS + ACCENTS, 500, True)]
    print(json.dumps(dict(texts=TEXTS, rows=rows), ensure_ascii=True))


main()
