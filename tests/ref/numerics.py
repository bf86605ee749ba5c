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


# ---- losses of groups: scores [k, K], labels in a dict, null = missing ----

NAN = float("nan")


def ordered(g):
    """All (i, j, q, margin): i preferred to j with probability q."""
    if "p" in g:
        return [(0, 1, g["p"], g.get("margin"))]
    place = [-x for x in g["rank"]] if "rank" in g else g["score"]
    return [(i, j, 1.0, g.get("margin")) for i in range(g["k"])
            for j in range(g["k"]) if place[i] > place[j]]


def size(g, i, j, m):
    return g["score"][i] - g["score"][j] if m is None else m


def mean(terms):
    return sum(terms) / len(terms)


def soft(d, q):
    return F.binary_cross_entropy_with_logits(d, torch.as_tensor(q))


def allpairs(s, g):
    k = 2 if "p" in g else len([x for x in g["rank"] if x == x])
    return sum(soft(s[i, 0] - s[j, 0] - (m or 0.0), q)
               for i, j, q, m in ordered(g)) / (k * (k - 1) / 2)


def scaled_bt(s, g):
    return mean([abs(size(g, i, j, m)) * soft(s[i, 0] - s[j, 0], q)
                 for i, j, q, m in ordered(g)])


def margin_bt(s, g, margin=1.0):
    return mean([soft(s[i, 0] - s[j, 0] - margin * size(g, i, j, m), q)
                 for i, j, q, m in ordered(g)])


def focal(s, g, gamma=2.0, alpha=1.0):
    def one(d):
        p = torch.sigmoid(d)
        return -alpha * (1 - p) ** gamma * torch.log(p)
    return mean([q * one(s[i, 0] - s[j, 0]) + (1 - q) * one(s[j, 0] - s[i, 0])
                 for i, j, q, _ in ordered(g)])


def hinge(s, g, margin=1.0):
    def one(i, j, m):
        return F.margin_ranking_loss(s[i, :1], s[j, :1], torch.ones(1),
                                     margin=margin * m)
    return mean([q * one(i, j, 1.0 if m is None else m) +
                 (1 - q) * one(j, i, 1.0 if m is None else -m)
                 for i, j, q, m in ordered(g)])


def calibration(s, g, target=0.75, weight=1.0):
    d = torch.stack([s[i, 0] - s[j, 0] for i, j, _, _ in ordered(g)])
    confidence = torch.maximum(torch.sigmoid(d), torch.sigmoid(-d)).mean()
    return mean([soft(x, c[2]) for x, c in zip(d, ordered(g))]) + \
        weight * (confidence - target) ** 2


def ranks(g):
    """Lists of responses, best first, one list a rank."""
    known = sorted({x for x in g["rank"] if x == x})
    return [[i for i in range(g["k"]) if g["rank"][i] == x] for x in known]


def in_order(one):
    """A loss of one order as that of a pair with p."""
    def loss(s, g, **options):
        if "p" not in g:
            return one(s[:, 0], ranks(g), **options)
        return g["p"] * one(s[:, 0], [[0], [1]], **options) + \
            (1 - g["p"]) * one(s[:, 0], [[1], [0]], **options)
    return loss


@in_order
def ranking(r, levels):
    return sum(mean([-F.logsigmoid(r[i] - r[j]) for i in a for j in b])
               for a, b in zip(levels, levels[1:]))


def first_of(r, i, worse):
    return F.cross_entropy(r[[i] + worse], torch.tensor(0))


@in_order
def plackett_luce(r, levels):
    return sum(first_of(r, i, sum(levels[n + 1:], []))
               for n, level in enumerate(levels) for i in level)


@in_order
def contrastive(r, levels, tau=1.0):
    return mean([first_of(r / tau, i, sum(levels[1:], []))
                 for i in levels[0]])


def triplet(s, g, margin=1.0):
    levels = ranks(g)
    return mean([F.triplet_margin_loss(s[b, :1], s[m, :1], s[w, :1],
                                       margin=margin, p=1, eps=0)
                 for b in levels[0] for w in levels[-1]
                 for m in sum(levels[1:-1], [])])


def regression(s, g):
    a = torch.tensor(g["attributes"]) if "attributes" in g \
        else torch.tensor(g["score"])
    known = ~a.isnan()
    return F.mse_loss(s.flatten()[known], a[known])


def tasks(s, g):
    """(number, loss) of the tasks that a group knows of."""
    if "p" in g or "rank" in g:
        yield 0, mean([soft(s[i, 0] - s[j, 0], q)
                       for i, j, q, _ in ordered(g)])
    a = torch.tensor(g.get("attributes", [NAN] * s.numel())).view(s.shape)
    for c in range(s.shape[1]):
        known = ~a[:, c].isnan()
        if known.any():
            yield 1 + c, F.mse_loss(s[known, c], a[known, c])


def multitask(s, g, weights=(1.0,), own=None):
    total = 0.0
    for t, loss in tasks(s, g):
        w = weights[min(t, len(weights) - 1)]
        if own is not None:
            loss = torch.exp(-own[t]) * loss * (0.5 if t else 1.0) \
                + own[t] / 2
        total = total + w * loss
    return total


def distill(s, g, form="margin"):
    t = torch.tensor(g["teacher"])
    known = [i for i in range(g["k"]) if t[i] == t[i]]
    if form == "margin":
        return mean([soft(s[i, 0] - s[j, 0], torch.sigmoid(t[i] - t[j]))
                     for i in known for j in known if i < j])
    r, t = s[known, 0], t[known]
    return F.mse_loss(r - r.mean(), t - t.mean())


def uncertainty(s, g, form="weighted"):
    v = F.softplus(s[:, 1]) + 1e-6

    def one(i, j, q):
        d, both = s[i, 0] - s[j, 0], v[i] + v[j]
        if form == "weighted":
            return soft(d, q) / (1 + both)
        x = d / both.sqrt()
        return -q * torch.special.log_ndtr(x) \
            - (1 - q) * torch.special.log_ndtr(-x)
    return mean([one(i, j, q) for i, j, q, _ in ordered(g)])


def length(s, g, coefficient):
    n = torch.tensor(g["length"])
    known = ~n.isnan()
    both = torch.stack([s[known, 0], torch.log1p(n[known])])
    return coefficient * torch.cov(both, correction=0)[0, 1] ** 2


GENERATOR = torch.Generator().manual_seed(2)


def group_case(spec, loss, groups, K=1, scale=2.0, scores=None, own=None,
               penalty=None, **options):
    if scores is None:
        scores = [torch.randn(g["k"], K, generator=GENERATOR) * scale
                  for g in groups]
    for s in scores:
        s.requires_grad_()
    if own is not None:
        own = options["own"] = torch.tensor(own).requires_grad_()
    total = sum(g.get("weight", 1.0) *
                (loss(s, g, **options) +
                 (length(s, g, penalty) if penalty else 0.0))
                for s, g in zip(scores, groups))
    total.backward()
    case = {"spec": spec, "K": K, "groups": groups,
            "scores": [s.flatten().tolist() for s in scores],
            "loss": total.item(),
            "grad": [s.grad.flatten().tolist() for s in scores]}
    if own is not None:
        case.update(own=own.tolist(), own_grad=own.grad.tolist())
    return case


def tails(*distances):
    """Lost by so much: in the tails of the normal distribution."""
    return group_case("uncertainty:form=gaussian", uncertainty,
                      [{"k": 2, "p": 1.0} for _ in distances], K=2,
                      scores=[torch.tensor([[0.0, 0.0], [d, 0.0]])
                              for d in distances], form="gaussian")


def group_losses():
    pairs = [{"k": 2, "p": 1.0}, {"k": 2, "p": 0.3, "weight": 0.5},
             {"k": 2, "p": 0.8, "margin": 0.5}]
    lists = [{"k": 5, "rank": [2.0, 0.0, 1.0, 1.0, NAN]},
             {"k": 4, "rank": [1.0, 0.0, 0.0, 2.0], "weight": 2.0}]
    both = pairs + lists
    sized = [{"k": 2, "p": 1.0, "margin": 3.0},
             {"k": 2, "p": 0.2, "margin": -1.0},
             {"k": 4, "score": [1.0, 3.5, NAN, 1.0]}]
    graded = [{"k": 2, "attributes": [4.0, 1.0, 3.0, NAN, 0.0, 2.0]},
              {"k": 3, "rank": [0.0, 1.0, 1.0], "weight": 2.0,
               "attributes": [1.0, NAN, 3.0, NAN, NAN, 0.5, 2.0, NAN, 1.5]},
              {"k": 2, "p": 0.7}]
    taught = [{"k": 2, "teacher": [1.0, -2.0]},
              {"k": 4, "teacher": [0.5, NAN, 3.0, 1.0], "weight": 0.5}]
    long = [{"k": 2, "p": 1.0, "length": [120.0, 0.0]},
            {"k": 4, "rank": [0.0, 1.0, 2.0, 2.0],
             "length": [10.0, NAN, 300.0, 77.0]}]
    return [
        group_case("allpairs", allpairs, both),
        group_case("ranking", ranking, both),
        group_case("plackett-luce", plackett_luce, both),
        group_case("plackett-luce", plackett_luce, lists, scale=200.0),
        group_case("contrastive", contrastive, both),
        group_case("contrastive:tau=.2", contrastive, lists, tau=0.2),
        group_case("triplet", triplet, lists),
        group_case("triplet:margin=4", triplet, lists, margin=4.0),
        group_case("scaled-bt", scaled_bt, sized),
        group_case("margin-bt:margin=.5", margin_bt, sized, margin=0.5),
        group_case("focal", focal, both),
        group_case("focal:gamma=.5,alpha=.25", focal, both, gamma=0.5,
                   alpha=0.25),
        group_case("hinge", hinge, both),
        group_case("hinge:margin=3", hinge, both, margin=3.0),
        group_case("calibration", calibration, both),
        group_case("calibration:target=.9,weight=5", calibration, both,
                   target=0.9, weight=5.0),
        group_case("regression", regression, graded[:2], K=3),
        group_case("regression", regression, sized[2:]),
        group_case("multitask:weights=2/1/.5", multitask, graded, K=3,
                   weights=(2.0, 1.0, 0.5)),
        group_case("multitask:weights=1/.5,learned=yes", multitask, graded,
                   K=3, weights=(1.0, 0.5), own=[0.5, -1.0, 0.0, 2.0]),
        group_case("distill", distill, taught),
        group_case("distill:form=rewards", distill, taught, form="rewards"),
        group_case("uncertainty", uncertainty, both, K=2),
        group_case("uncertainty:form=gaussian", uncertainty, both, K=2,
                   form="gaussian"),
        tails(-11.0, 11.0, 13.0),
        tails(60.0, 5000.0),
        group_case("ranking:length=.1", ranking, long, penalty=0.1),
    ]


def plain(x):
    """NaN as null, which is what JSON has."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    return None if isinstance(x, float) and x != x else x


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


json.dump(plain({"torch": torch.__version__, "loss": losses(),
                 "activation": activations(), "adamw": adamw(),
                 "group_loss": group_losses()}),
          sys.stdout, indent=1)
print()
