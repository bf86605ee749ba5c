#!/usr/bin/env python3
"""Write tests/data/tokenizer.json: a small byte-level BPE made by the PyPI
package `tokenizers`, variants of it (options, added tokens), texts, and the
ids that the package gives them; and the ids of the same texts for published
tokenizers.

usage: tests/ref/tokenizer.py TOKENIZERS > tests/data/tokenizer.json
"""
import json
import os
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CORPUS = """\
It's the reward model that says which of two answers is the better one, and
it'll say so for 100 pairs or for 2,000. We've asked people; they're not of one
mind, and they don't have to be. A model that's wrong with confidence is worse
than one that says it can't tell. 12 of 34 judges said so; 56 didn't.

    for (i = 0; i < n; i++)
            sum += reward[i] - mean;

Le modèle préfère la réponse la plus longue; das Modell überschätzt die
Antwort. Модель оценивает ответ. 模型给出分数。モデルは答えを選ぶ。 😀 👍🏽
aaaaaaaaaaaaaaaa bababababa aaabaaab
"""

TEXTS = [
    "", " ", "  ", "a", "\n", "\t\n ", "the", " the", "  the", "the ",
    "the  ", "It's the answer, isn't it? They'll say 'no', we've 'd.",
    "'s't're've'm'll'd", "''s 'S 'sup 're'", "'l 'v 'r '", "d'accord",
    "100 pairs 2,000", "x1y22z", "½ ² Ⅷ ٣٤", "a\u00a0b\u2003c\u3000\u3000d",
    "a\u0085b\u200bc\u180ed", "\x00\x01a\x7f", "line\r\n\r\nnext\n\n  x",
    "tab\t\ttab \tx\t y", "end of line \n", "end of text   ",
    "é e\u0301 ñ", "über", "Модель оценивает ответ", "模型给出分数。",
    "モデルは答えを選ぶ", "สวัสดีชาวโลก", "नमस्ते दुनिया", "مرحبا بالعالم",
    "😀👍🏽 👩‍👩‍👧 🇩🇪", "\U00010400\U0001d7d8 \U0010ffff\ufffd",
    "!?!? ... --- ((()))", "a!b?c 'd\"e", "aaaaaaaaaaaaaaaaaaaaa",
    "babababab", "aaabaaabaaab", "a" * 200, "ab" * 100, " " * 70 + "x",
    "!" * 65, "é" * 60, "0" * 129, "reward" * 30, "r\u0435ward",
    "<s>", "a<s>b", "a <s> b", "<s><s>", " <s>  <mask>  <s> ", "<s", "<ss>",
    "x <mask> y", "x\u3000\n<mask>\t y", "<mask><mask> <mask>",
    "<cut>  x", "<cut>    x", "<cut>     x", "x  <cut>", "<cut>\n<s>",
    "the<long><longer>", "<longest>", "the\u2581the", "<s>the <mask>the",
]


def flags(content, id, **on):
    token = dict(id=id, content=content, single_word=False, lstrip=False,
                 rstrip=False, normalized=False, special=True)
    return {**token, **on}


def base():
    """The small tokenizer: 256 bytes and some merges."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator([CORPUS], trainers.BpeTrainer(
        vocab_size=360, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return json.loads(t.to_str())


def variants(n):
    byte_level = dict(type="ByteLevel", add_prefix_space=False,
                      trim_offsets=True, use_regex=True)
    added = [flags("<s>", n), flags("<mask>", n + 1, lstrip=True),
             flags("<cut>", n + 2, rstrip=True),
             flags("   ", n + 3, normalized=True, special=False),
             flags("<long>", n + 4), flags("<longer>", n + 5),
             flags("\u2581", n + 6, normalized=True, special=False)]
    yield "plain", {}
    yield "prefix", {"pre_tokenizer": {**byte_level,
                                       "add_prefix_space": True}}
    yield "whole", {"pre_tokenizer": {**byte_level, "use_regex": False}}
    yield "added", {"added_tokens": added}
    yield "added, prefix", {"added_tokens": added,
                            "pre_tokenizer": {**byte_level,
                                              "add_prefix_space": True}}
    yield "ignore merges", {"model": {"ignore_merges": True, "vocab": {
        "rewardreward": n, "Ġб": n + 1, "aaaab": n + 2,
        "Ġ" * 60: n + 3}}}
    yield "older", {"model": {"type": None, "merges": "strings"}}


def patched(tokenizer, patch):
    """As the C test does: None removes, objects are merged."""
    out = dict(tokenizer)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif value == "strings":
            out[key] = [" ".join(pair) for pair in out[key]]
        elif isinstance(value, dict) and key in ("model", "vocab"):
            out[key] = patched(out[key], value)
        else:
            out[key] = value
    return out


def main():
    tokenizer = base()
    n = len(tokenizer["model"]["vocab"])
    out = {"base": tokenizer, "texts": TEXTS, "variants": []}
    for name, patch in variants(n):
        peer = Tokenizer.from_str(json.dumps(patched(tokenizer, patch)))
        ids = [peer.encode(t, add_special_tokens=False).ids for t in TEXTS]
        text = [peer.decode(i, skip_special_tokens=False) for i in ids]
        out["variants"].append(dict(
            name=name, patch=patch, ids=ids,
            decoded={k: t for k, t in enumerate(text) if t != TEXTS[k]}))
    out["published"] = {}
    for name in "gpt2", "roberta-base", "phi-2":
        peer = Tokenizer.from_file(
            os.path.join(sys.argv[1], name, "tokenizer.json"))
        out["published"][name] = [
            peer.encode(t, add_special_tokens=False).ids for t in TEXTS]
    print(json.dumps(out, ensure_ascii=True))


main()
