#!/usr/bin/env python3
"""Write tests/data/normalize.json: hard texts, and what the normalizers of
the PyPI package `tokenizers` make of them (null where they leave a text).

usage: tests/ref/normalize.py > tests/data/normalize.json
"""
import base64
import itertools
import json
import struct

from tokenizers import Tokenizer, models

TEXTS = [
    "a", "plain ASCII text, as it is", "It's The CAPS\tand\nlines \r\n",
    "\x00a\x01\x0b\x0c\x1f\x7f\x80\x85\x8f\x9f\xa0b\xad",
    "caf\xe9 cafe\u0301 CAFE\u0301 \xc9", "e\u0323\u0302 e\u0302\u0323 \u1ec7",
    "a\u0345\u0301\u0334\u05b0\u3099b", "\u0301leading \u0301", "\u0344\u0f73",
    "\u212b \u2126 \u212a \xb5 \ufb01\ufb03 \xbd \u2460 \u33a1 \ufdfa",
    "\u0130I\u0131\u017f \u1e9e\xdf \u03a3\u03c3\u03c2 \u01c5 \u2c2f\U0001e921",
    "\u1100\u1161\u11a8 \uac00\u11a8 \u1100\u1161\u11a7 \uac01 \u1161\u11a8",
    "\u1100\u0301\u1161 \uac00\u0301\u11a8 \ua960\ud7b0\ud7cb",
    "\u6a21\u578b\u7ed9\u51fa\u5206\u6570 a\u6a21b \u30e2\u30c7\u30eb \u304b\u3099",
    "\uf900\ufa1f\U0002f800\U00020000\U0002b820\U0002ceb0\u3400\u9fff",
    "\u0915\u094d\u0937\u093f \u0958 \u09c7\u09be \u0bc6\u0bbe \u0dd9\u0dcf\u0dca",
    "\u0915\u094d\u200d\u0915\u0301 \u0915\u200c\u094d\u0915\u0301",
    "\u0e19\u0e49\u0e33 \u0eb3 \u0f71\u0f72\u0f74 \u0fb2\u0f71\u0f80",
    "\u0411\u044b\u0301\u043b\u043e \u0439 \u0438\u0306 \u0401\u0416 \u0490",
    "\u05e9\u05bc\u05c1 \ufb2c \u0623\u0644\u0639 \ufefb \u064b\u0651",
    "a\u200bb\u200cc\u200dd\u200ee\ufefff\ufffdg\u2028h\u2029i\u2581j\u1680k",
    "a\u00a0b\u2000c\u2003d\u202fe\u205ff\u3000g\u180eh",
    "a\u0301\u200b\u0323b \u0301\x00\u0323 x\u200b", "\u034f\u0301a\u034f\u0323",
    "\u302e\u0301\u302f \U0001d15e\U0001d165\U0001d16d \u0903\u0301",
    "\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "\U0001f1e9\U0001f1ea\U0001f1eb\u0301 \xa9\u200d\xa9\u0301 \xa9\u0301\u0301",
    "\u0600a \u0600\u0301a \u0d4e\u0d15\u0301", "\r\n\r \n\r\u0301", "\n\u0301x",
    "\ufb01\u0301 \ufb01\u0301\u0301 \xbd\u0301 A\u0301 A\u0301\u0301\u0301",
    "\U000113c5\U000105c9\U000105d2\u0307\U00016d67\U00016d68 \u1c89\ua7cb",
    "\U00011938\U00011935\U00011930 \U000110ba\U000110a9", "\u0378\U000e0041\ue000",
    "\u2adc \u0958 \ufb1d \u2000 \u2329 \u037e \u0387 \u1fef \u1fc1",
    "\u1e69\u0323 s\u0323\u0307 s\u0307\u0323 \u0061\u0315\u0300\u05ae\u0062",
    "\uffe3\uff21\uff4d \uff76\uff9e \u3131\uffa1 \u3392",
]

KEYS = {  # of the small map
    "\n": " ", "\r": "<cr>", "\t": " ", "\x01": "", "\u200b": "", "A": "a",
    "\xad": "", "\ufb01": "fi", "\xbd": "1/2", "\u0958": "\u0915\u093c",
    "\u0301\u0301": "\xb4", "\uff21": "A", "\u1100\u1161": "\uac00",
    "\xe9": "e\u0301", "\xa9": "(c)", "I": "I", "C": "\u0441",
}


def charsmap(keys):
    """A double array: see lib/tokenizer/precompiled.c."""
    texts, at = b"", {}
    for text in keys.values():
        if text not in at:
            at[text] = len(texts)
            texts += text.encode() + b"\0"
    tree = {}
    for key, text in keys.items():
        node = tree
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = at[text]
    units = {0: 0}

    def place(node, here):
        base = next(b for b in itertools.count(1)
                    if not any(b ^ c in units for c in node))
        units[here] |= (base ^ here) << 10 | (0 in node) << 8
        for c in node:
            units[base ^ c] = c if c else 1 << 31 | node[0]
        for c in node:
            if c:
                place(node[c], base ^ c)
    place(tree, 0)
    n = max(units) // 256 * 256 + 256
    words = [units.get(i, 0xFF) for i in range(n)]
    return base64.b64encode(struct.pack(f"<I{n}I", 4 * n, *words) +
                            texts).decode()


def peer(normalizer):
    json_text = json.loads(Tokenizer(models.BPE()).to_str())
    json_text["normalizer"] = normalizer
    loaded = Tokenizer.from_str(json.dumps(json_text))
    return loaded.normalizer.normalize_str


def main():
    kinds = [{"type": t} for t in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase",
                                   "StripAccents", "Nmt")]
    for clean, chinese, strip, lower in (
            (True, True, None, True), (True, True, None, False),
            (False, False, True, False), (True, False, True, True),
            (False, True, True, True), (False, True, False, True),
            (True, False, False, False), (False, False, False, False)):
        kinds.append({"type": "BertNormalizer", "clean_text": clean,
                      "handle_chinese_chars": chinese, "strip_accents": strip,
                      "lowercase": lower})
    every_byte = {chr(b): "X" for b in range(1, 128)}
    kinds += [{"type": "Precompiled", "precompiled_charsmap": m}
              for m in (charsmap(KEYS), charsmap(every_byte))]
    cases = []
    for kind in kinds:
        outs = list(map(peer(kind), TEXTS))
        cases.append({"normalizer": kind, "expected": [
            None if out == text else out for text, out in zip(TEXTS, outs)]})
    lines = ",\n".join(json.dumps(c, sort_keys=True, separators=(",", ":"))
                       for c in cases)
    print('{"texts":%s,\n"cases":[\n%s\n]}' % (
        json.dumps(TEXTS, separators=(",", ":")), lines))


if __name__ == "__main__":
    main()
