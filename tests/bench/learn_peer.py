#!/usr/bin/env python3
"""The trainers of the PyPI package `tokenizers`, beside rm-tokenize --learn.

usage: learn_peer.py texts DATA MB > rows	MB of text as rows of JSON lines
       learn_peer.py words DATA MB > rows	the same of random words
       learn_peer.py TYPE VOCAB OUT ROWS	learn from them

The texts are the distinct ones of DATA, then again and again with their words
in another order, one in fifty of them made of two others.
"""
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "ref"))

from strings import texts  # noqa: E402


def varied(rng, text):
    words = text.split(" ")
    rng.shuffle(words)
    for i in range(0, len(words), 50):
        a, b = rng.choice(words), words[i]
        words[i] = a[:(len(a) + 1) // 2] + b[len(b) // 2:]
    return " ".join(words)


def endless(kind, data):
    rng = random.Random(1)
    letters = str.maketrans("0123456789", "ghijklmnop")
    while kind == "words":
        yield rng.randbytes(512).hex(" ", 4).translate(letters)
    distinct = [t for t in dict.fromkeys(texts(data)) if t.strip()]
    yield from distinct
    while True:
        for text in distinct:
            yield varied(rng, text)


def write_rows(kind, data, limit):
    size = 0
    for text in endless(kind, data):
        print(json.dumps({"prompt": "", "response": text},
                         ensure_ascii=False))
        size += len(text.encode())
        if size >= limit:
            break


def rows(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)["response"]


def learn(kind, vocab, out, path):
    from tokenizers import (Tokenizer, models, normalizers, pre_tokenizers,
                            trainers)

    if kind == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=vocab, min_frequency=2, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab, min_frequency=2, show_progress=False,
            limit_alphabet=1000, special_tokens=[
                "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.train_from_iterator(rows(path), trainer)
    tokenizer.save(out)


if __name__ == "__main__":
    if sys.argv[1] in ("texts", "words"):
        write_rows(sys.argv[1], sys.argv[2], float(sys.argv[3]) * 1e6)
    else:
        learn(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
