#!/usr/bin/env python3
"""Compare the ids of ids.c with those of the PyPI package `tokenizers`.

usage: ids_peer.py OURS N SEED [-t TEXTS] TOKENIZER...
       ids_peer.py replace RM-TOKENIZE RM-VIEW WORK N SEED TOKENIZER
       ids_peer.py pipeline RM-TOKENIZE RM-VIEW FILE TOKENIZER...

For every tokenizer: N generated strings (tests/ref/strings.py), N/20 of bytes
with invalid parts, and the JSON strings of the file TEXTS.  Prints
"TOKENIZER COMPARED DIFFERING REFUSED" for each; strings that the peer itself
refuses are not compared.  The first strings that differ go to stderr with
both lists of ids.  The second form does it with rm-tokenize --replace.  The
third compares what `rm-tokenize -t TOKENIZER FILE | rm-view` prints, prompt
and response as one, with encode(text).ids of `chosen` and `rejected`, special
tokens included; every text of the file counts, in its order.
"""
import array
import gzip
import json
import os
import pathlib
import subprocess
import sys
import zlib

os.environ.setdefault("RAYON_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "ref"))

from tokenizers import Tokenizer  # noqa: E402
import strings  # noqa: E402

CHUNK = 1000
SHOWN = int(os.environ.get("IDS_SHOWN", "5"))


def load(path):
    peer = Tokenizer.from_file(path)
    peer.no_truncation()
    peer.no_padding()
    return peer


def encode(peer, batch):
    """Ids of each text, None where the peer refuses or panics."""
    try:
        return [e.ids for e in peer.encode_batch(batch,
                                                 add_special_tokens=False)]
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        if len(batch) == 1:
            return [None]
        return [ids for text in batch for ids in encode(peer, [text])]


def digest(ids):
    data = array.array("i", ids).tobytes()
    return f"{zlib.crc32(data):08x} {len(ids)}"


def show(ours, path, found):
    """Both lists of ids of some texts, by tokens."""
    lines = "".join(json.dumps(text) + "\n" for text, _ in found)
    got = subprocess.run([ours, "-p", path], input=lines.encode(),
                         stdout=subprocess.PIPE).stdout.decode("utf-8",
                                                               "replace")
    for (text, ids), mine in zip(found, got.split("\n")):
        if len(text) > 2000:
            text = text[:2000] + "..."
        print(f"{path}: {json.dumps(text)}\n  ours {mine[:3000]}\n  peer "
              f"{' '.join(map(str, ids))[:3000]}", file=sys.stderr)


def compare(ours, peer, path, texts, lines, option=()):
    """How many differ, how many the peer refuses; lines are what we get."""
    done = subprocess.run([ours, *option, path], stdout=subprocess.PIPE,
                          input=lines)
    got = done.stdout.split(b"\n")
    if done.returncode:
        print(f"{path}: exit status {done.returncode} after {len(got) - 1} of "
              f"{len(texts)} texts", file=sys.stderr)
    differing = refused = 0
    found = []
    for at in range(0, len(texts), CHUNK):
        batch = texts[at:at + CHUNK]
        for k, ids in enumerate(encode(peer, batch), at):
            mine = got[k] if k + 1 < len(got) else b""
            if ids is None:
                refused += 1
            elif mine.decode("utf-8", "replace") != digest(ids):
                differing += 1
                found.append((texts[k], ids))
    if found:
        found.sort(key=lambda f: len(f[0]))
        show(ours, path, found[:SHOWN])
    return differing, refused


def compare_all(ours, n, seed, path, known):
    peer = load(path)
    with open(path, encoding="utf-8") as f:
        made = strings.Strings(seed, json.load(f))
    texts = known + [made.string() for _ in range(n)]
    lines = "".join(json.dumps(t) + "\n" for t in texts).encode()
    a = compare(ours, peer, path, texts, lines)
    damaged = [made.damaged() for _ in range(n // 20)]
    texts += [d.decode("utf-8", "replace") for d in damaged]
    lines = "".join(d.hex() + "\n" for d in damaged).encode()
    b = compare(ours, peer, path, texts[len(texts) - len(damaged):], lines,
                ["-x"])
    print(path, len(texts), a[0] + b[0], a[1] + b[1], flush=True)


def literal(data):
    """Bytes, valid or not, as a JSON string."""
    return b'"' + b"".join(
        b"\\u%04x" % c if c < 32 or c in b'"\\' else bytes([c])
        for c in data) + b'"'


def replace(tokenize, view, work, n, seed, path):
    peer = load(path)
    made = strings.Strings(seed)
    damaged = [made.damaged() for _ in range(n)]
    damaged = [d for d in damaged if d]
    name = f"{work}/replace.jsonl"
    with open(name, "wb") as f:
        for d in damaged:
            f.write(b'{"chosen":%s,"rejected":"x"}\n' % literal(d))
    stream = subprocess.run(
        [tokenize, "-q", "--replace", "--no-history", "-t", path, name],
        stdout=subprocess.PIPE, check=True).stdout
    groups = subprocess.run([view, "-q"], input=stream, check=True,
                            stdout=subprocess.PIPE).stdout
    got = [json.loads(line)["responses"][0] for line in groups.splitlines()]
    want = encode(peer, [d.decode("utf-8", "replace") for d in damaged])
    differing = sum(a != b for a, b in zip(got, want))
    print(path, len(want), differing + abs(len(got) - len(want)), 0)


def printed(tokenize, view, file, path):
    """The records of the pipeline, as rm-view prints them."""
    ours = subprocess.Popen([tokenize, "-t", path, file],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shown = subprocess.run([view], stdin=ours.stdout, check=True,
                           stdout=subprocess.PIPE).stdout
    said = ours.stderr.read().decode()
    if ours.wait():
        sys.exit(said)
    return [json.loads(line) for line in shown.splitlines()]


def pipeline(tokenize, view, file, path):
    peer = load(f"{path}/tokenizer.json")
    with gzip.open(file, "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    texts = [row[c] for row in rows for c in ("chosen", "rejected")]
    want = [e.ids for e in peer.encode_batch(texts)]
    got = [None] * len(texts)
    records = printed(tokenize, view, file, path)
    for k, record in enumerate(records[:len(rows)]):
        for at, response in zip(record["position"], record["responses"]):
            got[2 * k + at] = record["prompt"] + response
    different = [k for k, ids in enumerate(want) if got[k] != ids]
    for k in different[:SHOWN]:
        print(f"{path}: {json.dumps(texts[k])[:2000]}\n  ours {got[k]}\n"
              f"  peer {want[k]}", file=sys.stderr)
    print(path, len(texts),
          len(different) + abs(len(records) - len(rows)), 0, flush=True)


def main():
    args = sys.argv[1:]
    if args[0] == "pipeline":
        for path in args[4:]:
            pipeline(*args[1:4], path)
        return
    if args[0] == "replace":
        replace(*args[1:4], int(args[4]), int(args[5]), args[6])
        return
    ours, n, seed, paths, known = (args[0], int(args[1]), int(args[2]),
                                   args[3:], [])
    if paths[0] == "-t":
        with open(paths[1], encoding="utf-8") as f:
            known = [json.loads(line) for line in f]
        paths = paths[2:]
    for path in paths:
        compare_all(ours, n, seed, path, known)


if __name__ == "__main__":
    main()
