#!/usr/bin/env python3
"""The PyPI package `tokenizers` on one thread, beside tokenizer.c.

usage: tokenizer_peer.py texts DATA > texts	all distinct texts of DATA
       tokenizer_peer.py TOKENIZER < texts	MB, CPU seconds, CRC-32 of the ids
"""
import array
import csv
import gzip
import json
import os
import pathlib
import sys
import time
import zlib


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)


def texts(data):
    for path in sorted(pathlib.Path(data).glob("*/*")):
        if path.name.endswith(".jsonl.gz"):
            for line in gzip.open(path, "rt", encoding="utf-8"):
                yield from strings(json.loads(line))
        elif path.name.endswith(".json"):
            yield from strings(json.loads(path.read_text("utf-8")))
        elif path.name.endswith(".csv.gz"):
            with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
                for row in csv.reader(f):
                    yield from row


def encode(path, lines):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    total = crc = 0
    for text in lines:
        start = time.process_time()
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        total += time.process_time() - start
        crc = zlib.crc32(array.array("i", ids).tobytes(), crc)
    return total, f"{crc:08x}"


def main():
    if sys.argv[1] == "texts":
        for text in dict.fromkeys(texts(sys.argv[2])):
            print(json.dumps(text, ensure_ascii=False))
        return
    os.environ["RAYON_NUM_THREADS"] = "1"
    lines = [json.loads(line) for line in sys.stdin]
    size = sum(len(t.encode()) for t in lines) / 1e6
    total, crc = encode(sys.argv[1], lines)
    print(f"{size:.6f} {total:.6f} {crc}")


if __name__ == "__main__":
    main()
