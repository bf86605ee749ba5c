#!/usr/bin/env python3
"""The PyPI package `tokenizers` on one thread, beside tokenizer.c.

usage: tokenizer_peer.py texts DATA > texts	all distinct texts of DATA
       tokenizer_peer.py hard N > texts		N generated strings, joined
       tokenizer_peer.py sample MB < texts	every so manieth of them
       tokenizer_peer.py TOKENIZER < texts	MB, CPU seconds, CRC-32 of the ids
       tokenizer_peer.py load TOKENIZER		ms, the median of 5
"""
import array
import json
import os
import pathlib
import statistics
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "ref"))

import strings  # noqa: E402


def print_texts(texts):
    sys.stdout.reconfigure(encoding="utf-8")
    for text in texts:
        print(json.dumps(text, ensure_ascii=False))


def hard(n):
    """Rare words of many scripts, no long runs, in texts of 2,000 or so."""
    made = strings.Strings(7, longest=40)
    text, size = [], 0
    for _ in range(n):
        text.append(made.string())
        size += len(text[-1])
        if size > 2000:
            yield " ".join(text)
            text, size = [], 0


def load(path):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def one_by_one(path, lines):
    tokenizer = load(path)
    total = crc = 0
    for text in lines:
        start = time.process_time()
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        total += time.process_time() - start
        crc = zlib.crc32(array.array("i", ids).tobytes(), crc)
    return total, f"{crc:08x}"


def in_batch(path, lines):
    tokenizer = load(path)
    start = time.process_time()
    tokenizer.encode_batch_fast(lines, add_special_tokens=False)
    return time.process_time() - start


def encode(path, lines):
    """The faster of the two ways that the peer has."""
    total, crc = one_by_one(path, lines)
    return min(total, in_batch(path, lines)), crc


def load_time(path):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        load(path)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main():
    os.environ["RAYON_NUM_THREADS"] = "1"
    if sys.argv[1] == "texts":
        return print_texts(dict.fromkeys(strings.texts(sys.argv[2])))
    if sys.argv[1] == "hard":
        return print_texts(hard(int(sys.argv[2])))
    if sys.argv[1] == "load":
        return print(f"{load_time(sys.argv[2]):.3f}")
    lines = [json.loads(line) for line in sys.stdin]
    size = sum(len(t.encode()) for t in lines) / 1e6
    if sys.argv[1] == "sample":
        step = max(1, round(size / float(sys.argv[2])))
        return print_texts(lines[::step])
    total, crc = encode(sys.argv[1], lines)
    print(f"{size:.6f} {total:.6f} {crc}")


if __name__ == "__main__":
    main()
