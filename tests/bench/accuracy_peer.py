#!/usr/bin/env python3
"""The peer of bench accuracy: scikit-learn on the product's own pairs.

usage: accuracy_peer.py char|word TRAIN TEST

TRAIN and TEST are scored pairs as rm-view --header prints them, with the
texts that rm-tokenize --keep-text kept.  tf-idf of the responses (character
2-5-grams, or words with bigrams), then logistic regression on the differences
of the pairs, as scikit-learn's defaults have them but for the intercept, which
a difference does not have.  The test pairs go to stdout with the peer's
`reward`, as lines for rm-view -S, so that rm-eval judges both sides alike.
"""
import json
import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


class Texts:
    """Distinct texts by number."""

    def __init__(self):
        self.number = {}

    def add(self, text):
        return self.number.setdefault(text, len(self.number))


def read(path, texts):
    """The header, the records without texts, the numbers of their texts."""
    records, pairs = [], []
    with open(path, encoding="utf-8") as lines:
        header = json.loads(next(lines))
        for line in lines:
            record = json.loads(line)
            pairs.append([texts.add(t) for t in record["response_texts"]])
            record["prompt_text"] = record["response_texts"] = None
            records.append(record)
    return header, records, np.array(pairs)


def labels(records):
    """1 where the first is preferred, 0 where p says the second."""
    p = np.array([1.0 if r.get("p") is None else r["p"] for r in records])
    return (p >= 0.5).astype(int)


def fit(x, pairs, y):
    """Weights of the logistic regression on x[first] - x[second].

    Every second pair is turned round, so that there are two classes.
    """
    sign = np.where(np.arange(len(pairs)) % 2 == 0, 1.0, -1.0)
    left = np.where(sign > 0, pairs[:, 0], pairs[:, 1])
    right = np.where(sign > 0, pairs[:, 1], pairs[:, 0])
    model = LogisticRegression(fit_intercept=False, max_iter=1000)
    model.fit(x[left] - x[right], np.where(sign > 0, y, 1 - y))
    return model.coef_[0]


def main():
    kind, train, test = sys.argv[1:]
    vectorizer = {
        "char": TfidfVectorizer(analyzer="char", ngram_range=(2, 5),
                                dtype=np.float32),
        "word": TfidfVectorizer(ngram_range=(1, 2), dtype=np.float32),
    }[kind]
    texts = Texts()
    _, records, pairs = read(train, texts)
    x = vectorizer.fit_transform(list(texts.number))
    weights = fit(x, pairs, labels(records))

    texts = Texts()
    header, records, pairs = read(test, texts)
    reward = vectorizer.transform(list(texts.number)) @ weights
    print(json.dumps(header))
    for record, pair in zip(records, pairs):
        record["reward"] = reward[pair].tolist()
        print(json.dumps(record))


if __name__ == "__main__":
    main()
