#!/usr/bin/env python3
"""Write tests/data/decode.json: decoders, lists of tokens, and the text that
the PyPI package `tokenizers` makes of each list.

usage: tests/ref/decode.py > tests/data/decode.json
"""
import json
import random

from tokenizers import Tokenizer

DECODERS = {
    "byte level": dict(type="ByteLevel", add_prefix_space=True,
                       trim_offsets=True, use_regex=True),
    "word piece": dict(type="WordPiece", prefix="##", cleanup=True),
    "word piece, as it is": dict(type="WordPiece", prefix="##",
                                 cleanup=False),
    "word piece, no prefix": dict(type="WordPiece", prefix="", cleanup=True),
    "metaspace": dict(type="Metaspace", replacement="▁",
                      prepend_scheme="always", split=True),
    "metaspace, first": dict(type="Metaspace", replacement="_",
                             prepend_scheme="first", split=False),
    "metaspace, never": dict(type="Metaspace", replacement="▁",
                             prepend_scheme="never", split=True),
    "metaspace, older": dict(type="Metaspace", replacement="▁",
                             str_rep="▁", add_prefix_space=True),
    "metaspace, older, none": dict(type="Metaspace", replacement="▁",
                                   add_prefix_space=False,
                                   prepend_scheme="never"),
    "bpe": dict(type="BPEDecoder", suffix="</w>"),
    "byte fallback": dict(type="ByteFallback"),
    "fuse": dict(type="Fuse"),
    "strip": dict(type="Strip", content=" ", start=1, stop=0),
    "strip both": dict(type="Strip", content="é", start=2, stop=1),
    "replace": dict(type="Replace", pattern=dict(String="aa"), content="▁a"),
    "replace by nothing": dict(type="Replace", pattern=dict(String="▁"),
                               content=""),
    "replace, empty": dict(type="Replace", pattern=dict(String=""),
                           content="-"),
    "replace, metacharacters": dict(type="Replace", pattern=dict(String="."),
                                    content="$0"),
    "replace runs": dict(type="Replace", pattern=dict(Regex="[▁_ ]+"),
                         content=" "),
    "replace maybe nothing": dict(type="Replace", pattern=dict(Regex="a*"),
                                  content="é"),
    "replace ends": dict(type="Replace", pattern=dict(Regex="^|</w>$|\\b"),
                         content="|"),
    "replace, looking around": dict(
        type="Replace", pattern=dict(Regex="(?<=a)(?!a)|\\p{L}(?=é)"),
        content="$1\\0"),
    "replace, two in a row": dict(type="Sequence", decoders=[
        dict(type="Replace", pattern=dict(Regex="(?i)H|\\s"), content="aa"),
        dict(type="Fuse"),
        dict(type="Replace", pattern=dict(Regex="a{2,3}"), content="中"),
        dict(type="Replace", pattern=dict(Regex="$"), content=".")]),
    "llama": dict(type="Sequence", decoders=[
        dict(type="Replace", pattern=dict(String="▁"), content=" "),
        dict(type="ByteFallback"), dict(type="Fuse"),
        dict(type="Strip", content=" ", start=1, stop=0)]),
    "gemma": dict(type="Sequence", decoders=[
        dict(type="Replace", pattern=dict(String="▁"), content=" "),
        dict(type="ByteFallback"), dict(type="Fuse")]),
    "bytes after others": dict(type="Sequence", decoders=[
        dict(type="Sequence", decoders=[
            dict(type="Replace", pattern=dict(String="▁"), content="Ġ"),
            dict(type="ByteFallback")]),
        dict(type="ByteLevel", add_prefix_space=True, trim_offsets=True,
             use_regex=True), dict(type="Strip", content="H", start=1,
                                   stop=0)]),
    "nothing at all": dict(type="Sequence", decoders=[]),
}

TOKENS = [
    "a", "aa", "aaa", "Hello", "##llo", "##", "#", ".", "?", "!", ",", "'",
    "n't", "'m", "do", "do not", " do not", "'s", "'ve", "'re", " ' ", " '",
    "x .", "▁", "▁▁", "▁the", "the▁", "_a_b", "Ġ", "Ġthe", "Ċ", "Ã", "©",
    "Ã©", "ðŁĺ", "ï¿½", "中", "a b", "</w>", "lo</w>", "a</w>b</w>",
    "<0x41>", "<0xC3>", "<0xA9>", "<0xff>", "<0x00>", "<0x0a>", "<0x+f>",
    "<0xg1>", "<0x1>", "<0x-1>", "<0xE4>", "<0xB8>", "<0xAD>", "<s>",
    "</s>", "[SEP]", " ", "  ", "é", "éé", "ééé", "éaé", " é ", "H", "HH",
]
LISTS = [
    [], ["a"], ["▁"], ["▁", "▁the"], ["<0xC3>", "<0xA9>"],
    ["<0xC3>", "a", "<0xA9>"], ["<0xE4>", "<0xB8>", "<0xAD>", "<0xC3>"],
    ["do", "##", "n't", "do", "not", ".", "'", "s"], ["lo</w>", "lo</w>"],
    ["<0x00>", "Ġ", "<0x41>"], ["##llo", "##llo"], ["Ã", "©", "Ã", "Ġ"],
]


def main():
    rng = random.Random(2)
    lists = LISTS + [[rng.choice(TOKENS) for _ in range(rng.randint(1, 12))]
                     for _ in range(40)]
    bare = {"version": "1.0", "model": {"type": "BPE", "vocab": {},
                                        "merges": []}}
    out = {"lists": lists, "decoders": []}
    for name, decoder in DECODERS.items():
        peer = Tokenizer.from_str(json.dumps({**bare, "decoder": decoder}))
        texts = []
        for tokens in lists:
            try:
                texts.append(peer.decoder.decode(tokens))
            except BaseException as e:      # Rust's panics are of this class
                if "anic" not in type(e).__name__:
                    raise
                texts.append(None)
        out["decoders"].append(dict(name=name, decoder=decoder, texts=texts))
    print(json.dumps(out, separators=(",", ":")))


main()
