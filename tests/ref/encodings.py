#!/usr/bin/env python3
"""Rewards of heads and encodings as PyTorch computes them on the stored bert.

    tests/ref/encodings.py > tests/data/encodings.json

Needs torch and transformers.  Parameters have values that both sides make by
name: number j of a parameter is .3 sin(.7 j + the sum of its name's bytes).
"""
import json
import math
import os

import torch
from torch import nn
from transformers import AutoModel

HERE = os.path.dirname(os.path.abspath(__file__))
BERT = os.path.join(HERE, "../data/checkpoints/bert")

GROUPS = [
    {"prompt": [9, 12, 30, 11], "responses": [[20, 21, 22], [7]]},
    {"prompt": [40, 41], "responses": [[13, 14, 15, 16, 17, 18, 19]]},
]


def value(name, *shape):
    phase = sum(name.encode())
    n = math.prod(shape)
    return torch.tensor([.3 * math.sin(.7 * j + phase) for j in range(n)],
                        dtype=torch.float64).reshape(shape)


def affine(name, x, out):
    return nn.functional.linear(x, value(name + ".weight", out, x.shape[-1]),
                                value(name + ".bias", out))


def pool(how, x):
    if how == "mean":
        return x.mean(0)
    if how == "max":
        return x.max(0).values
    a = torch.softmax(x @ value("score.pool.weight", x.shape[1]), 0)
    return a @ x


def cross(x, p, heads):
    c = x.shape[1]
    attention = nn.MultiheadAttention(c, heads, batch_first=True,
                                      dtype=torch.float64)
    parts = ["query", "key", "value"]
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat(
            [value(f"score.cross.{k}.weight", c, c) for k in parts]))
        attention.in_proj_bias.copy_(torch.cat(
            [value(f"score.cross.{k}.bias", c) for k in parts]))
        attention.out_proj.weight.copy_(value("score.cross.out.weight", c, c))
        attention.out_proj.bias.copy_(value("score.cross.out.bias", c))
    return x + attention(x[None], p[None], p[None])[0][0]


def features(p, r):
    return torch.cat([p, r, (p - r).abs(), p * r])


def gated(x, p, objectives, hidden):
    o = affine("score.objectives", x, objectives)
    a = nn.functional.gelu(affine("score.gate.dense", p, hidden))
    g = torch.softmax(affine("score.gate.out", a, objectives), 0)
    return torch.cat([(g * o).sum()[None], o])


def hierarchical(levels):
    y = torch.stack([affine("score", x, 2) for x in levels])
    a = torch.softmax(y[:, 1], 0)
    return torch.cat([(a * y[:, 0]).sum()[None], y[:, 0]])


def runs(x, levels):
    n = len(x)
    cuts = [i * n // levels for i in range(levels + 1)]
    return [x[a:max(b, a + 1)] for a, b in zip(cuts, cuts[1:])]


def main():
    bert = AutoModel.from_pretrained(BERT, dtype=torch.float64).eval()

    def rows(ids):
        return bert(input_ids=torch.tensor([ids])).last_hidden_state[0]

    heads = {
        "linear:pool=attention": lambda p, r:
            affine("score", pool("attention", rows(p + r)), 1),
        "linear:encoding=separate,pool=mean": lambda p, r:
            affine("score", features(pool("mean", rows(p)),
                                     pool("mean", rows(r))), 1),
        "linear:encoding=response,pool=mean": lambda p, r:
            affine("score", pool("mean", rows(r)), 1),
        "linear:encoding=cross,pool=attention,heads=4": lambda p, r:
            affine("score", pool("attention",
                                 cross(rows(r), rows(p), 4)), 1),
        "gated:objectives=a,b,c,hidden=5,pool=mean": lambda p, r:
            gated(pool("mean", rows(p + r)), rows(p + r)[len(p) - 1], 3, 5),
        "gated:objectives=a,b,hidden=3,encoding=separate,pool=max":
            lambda p, r:
            gated(features(pool("max", rows(p)), pool("max", rows(r))),
                  pool("max", rows(p)), 2, 3),
        "hierarchical:levels=3,pool=mean": lambda p, r:
            hierarchical([pool("mean", x) for x in runs(rows(p + r), 3)]),
    }
    with torch.no_grad():
        cases = [{"head": name, "scores": [
            head(g["prompt"], r).tolist()
            for g in GROUPS for r in g["responses"]]}
            for name, head in heads.items()]
    print(json.dumps({"groups": GROUPS, "cases": cases}))


if __name__ == "__main__":
    main()
