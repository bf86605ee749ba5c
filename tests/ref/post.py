#!/usr/bin/env python3
"""Write tests/data/post.json: a byte-level BPE of 256 bytes and some added
tokens, post-processors for it, texts and pairs of texts, and the ids and
token types that the PyPI package `tokenizers` gives them.

usage: tests/ref/post.py > tests/data/post.json
"""
import json

from tokenizers import Tokenizer, pre_tokenizers

SPECIAL = ["<s>", "</s>", "[CLS]", "[SEP]", "<a>", "<b>"]
ID = {token: 256 + i for i, token in enumerate(SPECIAL)}
PAIRS = [["q?", "an answer"], ["", "x"], ["x", ""], ["", ""],
         [" two  ", "\n\nAssistant: é"], ["a <a> b", "[SEP]c"]]


def base():
    chars = sorted(pre_tokenizers.ByteLevel.alphabet(), key=byte_of)
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [dict(id=ID[t], content=t, single_word=False,
                              lstrip=False, rstrip=False, normalized=False,
                              special=True) for t in SPECIAL],
        "normalizer": None,
        "pre_tokenizer": byte_level(use_regex=False),
        "post_processor": None, "decoder": byte_level(),
        "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(chars)},
                  "merges": []}}


def byte_of(char):
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    return ord(char) if ord(char) in plain else other[ord(char) - 256]


def byte_level(**options):
    return dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True,
                use_regex=True) | options


def pieces(text):
    """"<s> A:1" as a template has it."""
    out = []
    for word in text.split():
        name, _, type_id = word.partition(":")
        kind = "Sequence" if name in "AB" else "SpecialToken"
        out.append({kind: dict(id=name, type_id=int(type_id or 0))})
    return out


def template(single, pair, **more):
    tokens = {t: dict(id=t, ids=[ID[t]], tokens=[t]) for t in SPECIAL}
    tokens |= {k: dict(id=k, ids=[ID[t] for t in v], tokens=v)
               for k, v in more.items()}
    return dict(type="TemplateProcessing", single=pieces(single),
                pair=pieces(pair), special_tokens=tokens)


def bert(kind, **more):
    return dict(type=kind, sep=["[SEP]", ID["[SEP]"]],
                cls=["[CLS]", ID["[CLS]"]], **more)


POST = {
    "bert": bert("BertProcessing"),
    "roberta": bert("RobertaProcessing", trim_offsets=True,
                    add_prefix_space=False),
    "template of bert": template("[CLS] A [SEP]",
                                 "[CLS] A [SEP] B:1 [SEP]:1"),
    "mistral": template("<s> A", "<s> A <s>:1 B:1"),
    "t5": template("A </s>", "A </s> B </s>"),
    "llama 3": dict(type="Sequence", processors=[
        byte_level(), template("<s> A", "<s> A <s>:1 B:1")]),
    "nested": dict(type="Sequence", processors=[
        dict(type="Sequence", processors=[bert("BertProcessing")]),
        byte_level()]),
    "many": template("many A <b> many", "many A <b> many:1 B:1 <a>:1",
                     many=["<a>", "<b>", "<a>"]),
    "reversed types": template("A", "[CLS]:1 A:1 [SEP]:1 [SEP] B [SEP]"),
    "nothing": template("A", "A B"),
}


def main():
    out = {"base": base(), "pairs": PAIRS, "post": []}
    for name, post in POST.items():
        peer = Tokenizer.from_str(json.dumps({**base(),
                                              "post_processor": post}))
        case = dict(name=name, post_processor=post, single=[], pair=[],
                    types=[])
        for a, b in PAIRS:
            case["single"].append(peer.encode(a + b).ids)
            both = peer.encode(a, b)
            case["pair"].append(both.ids)
            case["types"].append(both.type_ids)
        out["post"].append(case)
    print(json.dumps(out, separators=(",", ":")))


main()
