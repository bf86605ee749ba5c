#!/usr/bin/env python3
"""Write tests/data/families.json: texts, the ids that the PyPI package
`tokenizers` gives them by the published tokenizers, and of the first texts, by
the small ones of synthetic.py, the low 16 bits of the CRC-32 of the ids (int32,
little-endian), null where it refuses the text.  All but the first texts are from strings.py, short ones.

usage: tests/ref/families.py TOKENIZERS > tests/data/families.json
"""
import array
import json
import pathlib
import sys
import zlib

from tokenizers import Tokenizer

import strings
import synthetic

MADE = 26
TEXTS = [
    "", " ", "  \n", "the", " the  the ", "It's HE'LL they\u2019ve 'S '\u017f x",
    "we'Re\u00a0100 2000000 3.14 \u00bd\u2167 \u0663\u0664", "a\u0301\u0323 e\u0301x \u1e69 \u0344 \u2126 \u212b \ufb01",
    "\u1112\u1161\u11ab\ud55c \u0928\u093c \u0958 \u0e19\u0e49\u0e33 \u0f73\u0f71\u0f72",
    "ÀÉÎ \u0130I\u0131i \u03a3\u0391\u03a3 ΑΣ. ǅ ß\u1e9e \u10a0\u13a0\uab70",
    "模型给出分数。モデル\u3099は 안녕 \U00020000\U0002f800",
    "😀👍🏽👩\u200d👩\u200d👧🇩🇪 1\ufe0f\u20e3", "\x00a\x01\x7f\u0085\u00ad\u200b\ufeff\ufffd\ue000\u0378\U0010ffff",
    "\r\n\r\n  x\n \n\ty\u2028\u3000z \u180e", "for (int i = 0; i < n; i++) {\n\t\ta[i] += b->c;\n    }\n",
    "https://user@example.com/a_b?q=1%20&x#top", "aaaaaaaaabaaabab b a aa",
    "!?!?... --- ((()))``''\u3002\uff01\u00bf\u2014", "a" * 130 + " " + "-" * 9 + " " * 20 + "x",
    "<s>the</s> <s>x[MASK] it<a b>'s <cut>  \n<lr> say", "HELLO modèle Modèle É ﬁ ⅳ Ⅳ e\u0301x HeLLo  ß",
    "<|endoftext|>a<|im_start|>user\n<|im_end|> <|fim_prefix|> <|endofprompt|>",
    "[CLS] a[MASK]b [SEP][UNK] <pad><mask>\n<unk> </s>x <extra_id_0> <extra_id_99>",
    "▁the ▁▁ ##ing <0x41> Ġ \u2581", "<tool_call>\n<think>\n</think>|||PHONE_NUMBER|||   x",
]


def cut(tokenizer):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def ids(tokenizer, text):
    try:
        return tokenizer.encode(text, add_special_tokens=False).ids
    except Exception:
        return None


def crc(found):
    if found is None:
        return None
    return f"{zlib.crc32(array.array('i', found).tobytes()) & 0xffff:04x}"


def main():
    made = strings.Strings(5, data="none", longest=30)
    texts = TEXTS + [t for t in (made.string() for _ in range(200))
                     if 5 < len(t) < 45][:27]
    out = dict(texts=texts, published={}, models=dict(synthetic.models()),
               made=[])
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*/tokenizer.json")):
        peer = cut(Tokenizer.from_file(str(path)))
        out["published"][path.parent.name] = [ids(peer, t) for t in texts]
    for name, model, change, tokenizer in synthetic.tokenizers():
        peer = Tokenizer.from_str(json.dumps(tokenizer))
        row = dict(name=name, model=model, change=change)
        for key in "normalizer", "pre_tokenizer":
            row[key] = tokenizer[key]
        row["added_tokens"] = [{k: v for k, v in t.items() if v is not False}
                               for t in tokenizer["added_tokens"]]
        row = {k: v for k, v in row.items() if v}
        row["crc"] = [crc(ids(peer, t)) for t in texts[:MADE]]
        out["made"].append(row)
    sys.stdout.reconfigure(encoding="utf-8")
    print("{")
    print(",\n".join(f'{json.dumps(key)}:' + json.dumps(
        value, ensure_ascii=False, separators=(",", ":"))
        for key, value in out.items()))
    print("}")


main()
