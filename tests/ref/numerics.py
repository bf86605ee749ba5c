#!/usr/bin/env python3
"""Reference values of losses, activations and AdamW, by PyTorch in float64.

    pip install torch==2.13.0
    tests/ref/numerics.py > tests/data/numerics.json

Read by tests/lib/loss.c, op.c and optim.c.
"""
import json
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)


def bt(scores, group, smoothing=0.0, margin=1.0, center=0.0):
    """The Bradley-Terry loss of one group, its weight left out."""
    if group.get("p") is not None:
        pairs = [(0, 1, group["p"])]
    else:
        rank = group["rank"]
        pairs = [(i, j, 1.0) for i in range(len(rank))
                 for j in range(len(rank)) if rank[i] < rank[j]]
    total = 0.0
    for i, j, p in pairs:
        d = scores[i] - scores[j] - margin * group.get("margin", 0.0)
        q = p * (1 - smoothing) + (1 - p) * smoothing
        # Binary cross entropy with a soft target is the same function.
        total = total + F.binary_cross_entropy_with_logits(
            d, torch.tensor(q))
    return total / len(pairs) + center * scores.sum() ** 2


def loss_case(spec, groups, scale=3.0, **options):
    scores = [(torch.randn(g["k"]) * scale).requires_grad_() for g in groups]
    total = sum(g.get("weight", 1.0) * bt(s, g, **options)
                for s, g in zip(scores, groups))
    total.backward()
    return {"spec": spec, "groups": groups,
            "scores": [s.tolist() for s in scores], "loss": total.item(),
            "grad": [s.grad.tolist() for s in scores]}


def losses():
    hard = [{"k": 2, "p": 1.0} for _ in range(4)]
    soft = [{"k": 2, "p": p} for p in (0.0, 0.3, 0.5, 0.9)]
    margins = [{"k": 2, "p": 0.8, "margin": m} for m in (0.5, 2.0, -1.0)]
    weights = [{"k": 2, "p": 1.0, "weight": w} for w in (0.25, 3.0, 0.0)]
    lists = [{"k": 4, "rank": [2.0, 0.0, 1.0, 1.0]},
             {"k": 3, "rank": [0.0, 1.0, 2.0], "weight": 2.0}]
    return [
        loss_case("bt", hard),
        loss_case("bt", hard, scale=200.0),
        loss_case("bt", soft),
        loss_case("bt:smoothing=.1", soft, smoothing=0.1),
        loss_case("bt", margins),
        loss_case("bt:margin=.5", margins, margin=0.5),
        loss_case("bt", weights),
        loss_case("bt:center=.01", hard + lists, center=0.01),
        loss_case("bt:smoothing=.2", lists, smoothing=0.2),
    ]


def activations():
    functions = {"identity": lambda x: x * 1.0, "relu": F.relu,
                 "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh,
                 "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
                 "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x)}
    out = []
    for name, f in functions.items():
        x = torch.tensor([-30.0, -3.0, -1.0, -0.1, 0.2, 1.0, 4.0, 30.0],
                         requires_grad=True)
        y = f(x)
        y.sum().backward()
        out.append({"name": name, "x": x.tolist(), "y": y.tolist(),
                    "dx": x.grad.tolist()})
    return out


def adamw():
    """Ten steps with clipping, decay on one parameter and not the other."""
    a = torch.nn.Parameter(torch.randn(6))
    b = torch.nn.Parameter(torch.randn(3))
    init = [a.tolist(), b.tolist()]
    o = torch.optim.AdamW([{"params": [a], "weight_decay": 0.1},
                           {"params": [b], "weight_decay": 0.0}],
                          lr=0.05, betas=(0.9, 0.99), eps=1e-8)
    steps = []
    for i in range(10):
        a.grad = torch.randn(6) * (1 + i % 3)
        b.grad = torch.randn(3)
        grads = [a.grad.tolist(), b.grad.tolist()]
        norm = torch.nn.utils.clip_grad_norm_([a, b], 2.0)
        o.step()
        steps.append({"grad": grads, "norm": norm.item(),
                      "value": [a.tolist(), b.tolist()]})
    return {"init": init, "lr": 0.05, "beta2": 0.99, "weight_decay": 0.1,
            "clip": 2.0, "steps": steps}


json.dump({"torch": torch.__version__, "loss": losses(),
           "activation": activations(), "adamw": adamw()},
          sys.stdout, indent=1)
print()
