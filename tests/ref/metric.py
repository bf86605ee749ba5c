#!/usr/bin/env python3
"""Write tests/data/metric.json: small scored streams and what numpy, scipy and
scikit-learn say of them.  usage: metric.py > ../data/metric.json"""
import json

import numpy as np
from scipy.special import expit
from scipy.stats import kendalltau, norm, pearsonr, rankdata, spearmanr
from sklearn.calibration import calibration_curve
from sklearn.metrics import (brier_score_loss, log_loss, ndcg_score,
                             roc_auc_score)

Z = norm.ppf(.975)


def comparisons(records, pairs):
    """(record, first, second, p) of each comparison, as rm-eval(1) says."""
    for n, r in enumerate(records):
        rank, score = r.get("rank"), r.get("score")
        if pairs or (len(r["reward"]) == 2 and r.get("p") is not None):
            p = r.get("p")
            if p is None:
                p = 1 if not rank else .5 + .5 * np.sign(rank[1] - rank[0])
            yield n, 0, 1, p
            continue
        label = [-x for x in rank] if rank else score
        for i, a in enumerate(label):
            for j, b in enumerate(label):
                if a > b:
                    yield n, i, j, 1


def columns(records, pairs):
    rows = list(comparisons(records, pairs))
    c = {"record": np.array([r[0] for r in rows])}
    c["p"] = np.array([r[3] for r in rows], float)
    c["d"] = np.array([records[n]["reward"][i] - records[n]["reward"][j]
                       for n, i, j, _ in rows])
    c["w"] = np.array([records[n].get("weight", 1) for n, *_ in rows], float)
    c["key"] = np.array([records[n]["key"] for n, *_ in rows])
    prob = [records[n].get("prob") for n, *_ in rows]
    c["P"] = np.array([expit(d) if q is None else q
                       for d, q in zip(c["d"], prob)])
    c["Q"] = np.array([expit(-d) if q is None else 1 - q
                       for d, q in zip(c["d"], prob)])
    more = {"length": int, "position": lambda x: -x,
            "format": lambda x: bin(x).count("1")}
    for name, of in more.items():
        if name in records[0]:
            c[name] = np.array([np.sign(of(records[n][name][i]) -
                                        of(records[n][name][j]))
                                for n, i, j, _ in rows])
    return c


def partial(x, y, z, key, groups):
    """Spearman's correlation of x and y, given z: of what is left of the
    ranks of both once those of z are regressed out; and its interval."""
    x, y, z = (np.array(v, float) for v in (x, y, z))

    def value(times):
        one, two, given = (rankdata(np.repeat(v, times)) for v in (x, y, z))
        given = np.c_[np.ones(len(given)), given]
        return pearsonr(*(v - given @ np.linalg.lstsq(given, v, rcond=None)[0]
                          for v in (one, two)))[0]

    r = value(np.ones(len(x), int))
    a, b, c = (spearmanr(u, v)[0] for u, v in ((x, y), (x, z), (y, z)))
    root = np.sqrt((1 - b * b) * (1 - c * c))
    assert np.isclose(r, (a - b * c) / root, atol=1e-12)
    psi = (spearman_psi(x, y) / root +
           spearman_psi(x, z) * (r * b / (1 - b * b) - c / root) +
           spearman_psi(y, z) * (r * c / (1 - c * c) - b / root))
    # One more of a response moves the figure as its influence says.
    i, times = len(x) // 3, 200
    few = np.full(len(x), times)
    far = value(few + (np.arange(len(x)) == i)) - value(few)
    assert np.isclose(far * times, psi[i], atol=2e-3 / len(x))
    return spread(r, psi, np.array(key), groups)


def bias(c, hit, prefers, records, groups):
    """Accuracy where the preferred response has more of a trait, or less."""
    out = {}
    w, key, d = c["w"], c["key"], c["d"]
    for trait, more, less, both in (
            ("length", "longer_right", "shorter_right", False),
            ("position", "first_right", "second_right", True),
            ("format", "marked_right", "plain_right", False)):
        side = prefers * c[trait] if trait in c else np.zeros(len(w))
        for name, of in (more, 1), (less, -1):
            at = side == of
            other = (w[side == -of].sum() > 0) or not both
            if not w[at].sum() > 0 or not other:
                out[name] = None
            else:
                out[name] = ratio((w * hit)[at], w[at], key[at])
        # The share with more of it that is preferred, and that has more reward.
        ahead = (1 + np.sign(d * c.get(trait, side))) / 2
        name = more.split("_")[0]
        for what, at, hits in (
                ("wins", side != 0, (1 + side) / 2),
                ("picked", c.get(trait, side) != 0, ahead)):
            if trait == "length" and what == "wins":
                continue    # equal lengths are half there: see figures()
            if both and not all(w[side == of].sum() > 0 for of in (1, -1)):
                at = at & False
            if not w[at].sum() > 0:
                out[f"{name}_{what}"] = None
            else:
                out[f"{name}_{what}"] = ratio((w * hits)[at], w[at], key[at])
    if "length" in c:
        x, y, k = responses(records)
        z = [v for r in records for v in r["length"]]
        out["length_partial"] = partial(x, z, y, k, groups)
        out["label_partial"] = partial(x, y, z, k, groups)
    seen = set()
    out["repeated"] = np.mean([r["key"] in seen or seen.add(r["key"]) or 0
                               for r in records])
    return out


def ece(prob, label, w):
    edge = np.linspace(0, 1, 11)
    b = np.searchsorted(edge[1:-1], prob)
    gap = [abs(np.sum((w * (prob - label))[b == k])) for k in range(10)]
    return sum(gap) / w.sum()


def ratio(a, b, key):
    """a/b and its interval, clustered by key."""
    v = a.sum() / b.sum()
    groups = [k for k in np.unique(key) if b[key == k].sum() != 0]
    g = len(groups)
    psi = np.array([(a[key == k] - v * b[key == k]).sum() for k in groups])
    half = Z * np.sqrt((psi ** 2).sum() * g / (g - 1)) / b.sum()
    return v, v - half, v + half


def spread(value, psi, key, groups):
    """A figure and its interval from what each point adds to it."""
    psi = np.array([psi[key == k].sum() for k in np.unique(key)])
    half = Z * np.sqrt((psi ** 2).sum() * groups / (groups - 1))
    return value, value - half, value + half


def bins(prob, mass):
    edge = np.linspace(0, 1, 11)
    if mass:
        edge = np.percentile(prob, edge * 100)
    return np.searchsorted(edge[1:-1], prob)


def binned(P, p, w, key, groups):
    """ece, ece_mass and the parts of the Brier score over the points."""
    W = w.sum()

    def means(b, v):
        top = np.bincount(b, weights=w * v, minlength=10)
        below = np.bincount(b, weights=w, minlength=10)
        return (top / np.where(below > 0, below, 1))[b]

    def figure(each, psi=None):
        value = np.average(each, weights=w)
        psi = each if psi is None else psi
        return spread(value, w * (psi - value) / W, key, groups)

    out = {}
    for name, mass in ("ece", False), ("ece_mass", True):
        b = bins(P, mass)
        out[name] = figure(np.sign(np.round(means(b, P - p), 14)) * (P - p))
        if set(p) <= {0., 1.} and (w == 1).all():
            true, said = calibration_curve(
                p, P, n_bins=10, strategy="quantile" if mass else "uniform")
            size = np.bincount(b, minlength=10)
            assert np.isclose(out[name][0], np.sum(
                np.abs(true - said) * size[size > 0]) / W, atol=1e-12)
    b = bins(P, False)
    f, o = means(b, P), means(b, p)
    gap = f - o
    out["reliability"] = figure(gap ** 2, gap ** 2 + 2 * gap * (P - p - gap))
    out["resolution"] = figure((o - .5) ** 2,
                               (o - .5) ** 2 + 2 * (o - .5) * (p - o))
    out["uncertainty"] = figure((p - .5) ** 2)
    out["within_var"] = figure((P - f) ** 2)
    out["within_cov"] = figure(2 * (P - f) * (p - o))
    v = {k: x[0] for k, x in out.items()}
    assert np.isclose(v["reliability"] - v["resolution"] + v["uncertainty"] +
                      v["within_var"] - v["within_cov"],
                      np.average((P - p) ** 2, weights=w), atol=1e-14)
    return out


def area(d, p, w, key, groups):
    """The AUC over both points of each comparison, with its interval."""
    x, y = np.r_[d, -d], np.r_[p, 1 - p]
    w, key = np.r_[w, w], np.r_[key, key]
    won = (x[:, None] > x) + .5 * (x[:, None] == x)
    up, down = w * y, w * (1 - y)
    value = up @ won @ down / up.sum() / down.sum()
    psi = up * (won @ down / down.sum() - value) / up.sum() + \
        down * (up @ won / up.sum() - value) / down.sum()
    return spread(value, psi, key, groups)


def within(records, f):
    value, weight, key = [], [], []
    for r in records:
        if len(r["reward"]) < 3:
            continue
        y = [-x for x in r["rank"]] if r.get("rank") else r["score"]
        if len(set(y)) < 2 or len(set(r["reward"])) < 2:
            continue
        value.append(f(r["reward"], y)[0])
        weight.append(r.get("weight", 1))
        key.append(r["key"])
    if not value:
        return None
    w = np.array(weight)
    return ratio(w * np.array(value), w, np.array(key))


def lists(records):
    """top1 and ndcg over records of three or more whose labels vary."""
    top, gain, weight, key = [], [], [], []
    for r in records:
        y = r.get("score") or [-x for x in r.get("rank") or []]
        if len(y) < 3 or len(set(y)) < 2:
            continue
        x, y = np.array(r["reward"]), np.array(y)
        top.append(np.mean(y[x == x.max()] == y.max()))
        gain.append(ndcg_score([y - min(0, y.min())], [x]))
        weight.append(r.get("weight", 1))
        key.append(r["key"])
    if not top:
        return {"top1": None, "ndcg": None}
    w, key = np.array(weight), np.array(key)
    return {"top1": ratio(w * np.array(top), w, key),
            "ndcg": ratio(w * np.array(gain), w, key)}


def above(x):
    return (x[:, None] > x) + .5 * (x[:, None] == x)


def spearman_psi(x, y):
    """Influence on rho, from the matrix of who is above whom."""
    n, X, Y = len(x), above(x), above(y)
    f, g = X.mean(1) - .5, Y.mean(1) - .5

    def moment(a, A, b, B):
        return a * b + A.T @ b / n + B.T @ a / n - 3 * np.mean(a * b)

    xy, xx, yy = moment(f, X, g, Y), moment(f, X, f, X), moment(g, Y, g, Y)
    rho = np.mean(f * g) / np.sqrt(np.mean(f * f) * np.mean(g * g))
    return (xy / np.sqrt(np.mean(f * f) * np.mean(g * g)) -
            rho / 2 * (xx / np.mean(f * f) + yy / np.mean(g * g))) / n


def kendall_psi(x, y):
    a, b = (np.sign(v[:, None] - v) for v in (x, y))
    k, u, v = (a * b).mean(1), (a * a).mean(1), (b * b).mean(1)
    K, U, V = k.mean(), u.mean(), v.mean()
    return (2 * (k - K) / np.sqrt(U * V) - K / np.sqrt(U * V) *
            ((u - U) / U + (v - V) / V)) / len(x)


def correlation(x, y, key, f, groups):
    """A rank correlation of all responses and its interval."""
    x, y = np.array(x, float), np.array(y, float)
    psi = (spearman_psi if f is spearmanr else kendall_psi)(x, y)
    # One more of a response moves the figure as its influence says.
    i, times = len(x) // 3, 200
    far = [f(np.repeat(x, t), np.repeat(y, t))[0] for t in (
        np.full(len(x), times), times + (np.arange(len(x)) == i))]
    assert np.isclose((far[1] - far[0]) * times, psi[i], atol=2e-3 / len(x))
    return spread(f(x, y)[0], psi, np.array(key), groups)


def responses(records):
    x, y, key = [], [], []
    for n, r in enumerate(records):
        label = r.get("score") or [-v for v in r.get("rank") or []]
        if not label:
            p = 1 if r.get("p") is None else r["p"]
            label = [0 if p >= .5 else -1, 0 if p <= .5 else -1]
        x += r["reward"]
        y += label
        key += [r["key"]] * len(label)
    return x, y, key


def pooled(records, f, pairs, groups):
    return correlation(*responses(records), f, groups)


def ece_seed(prob, w, key, groups):
    right = (prob > .5).astype(float)
    b = bins(prob, False)
    gap = np.bincount(b, weights=w * (prob - right), minlength=10)
    value = np.abs(gap).sum() / w.sum()
    assert np.isclose(value, ece(prob, right, w), atol=1e-12)
    return spread(value, w * (np.sign(gap)[b] * (prob - right) - value) /
                  w.sum(), key, groups)


def figures(records, pairs, ties):
    c = columns(records, pairs)
    groups = len({r["key"] for r in records})
    d, p, w, key, P, Q = (c[k] for k in ("d", "p", "w", "key", "P", "Q"))
    prefers = np.sign(p - .5)
    has = prefers != 0
    hit = np.where(d == 0, {"half": .5, "wrong": 0, "right": 1}[ties],
                   np.sign(d) == prefers)
    # Per record, for the macro average.
    rec = c["record"]
    each = [n for n in np.unique(rec) if has[rec == n].any()]
    macro = np.array([hit[(rec == n) & has].mean() for n in each])
    mw = np.array([w[rec == n][0] for n in each])
    mk = np.array([key[rec == n][0] for n in each])

    # The 2n points, each as a positive and a negative.
    s = np.concatenate([d, -d, d, -d])
    y = np.repeat([1, 0], 2 * len(d))
    sw = np.concatenate([w * p, w * (1 - p), w * (1 - p), w * p])
    auc = roc_auc_score(y, s, sample_weight=sw)
    prob, label = np.concatenate([P, Q]), np.concatenate([p, 1 - p])
    w2 = np.concatenate([w, w])
    if set(p) <= {0., 1.}:
        assert np.isclose(log_loss(label, prob, sample_weight=w2),
                          np.average(-p * np.log(P) - (1 - p) * np.log(Q),
                                     weights=w), atol=1e-12)
        assert np.isclose(brier_score_loss(label, prob, sample_weight=w2),
                          np.average((P - p) ** 2, weights=w), atol=1e-12)
        if (w == 1).all():
            true, said = calibration_curve(label, prob, n_bins=10)
            b = np.searchsorted(np.linspace(0, 1, 11)[1:-1], prob)
            size = np.bincount(b, minlength=10)
            assert np.isclose(ece(prob, label, w2),
                              (np.abs(true - said) * size[size > 0]).sum() /
                              size.sum(), atol=1e-12)
    one = np.where(prefers > 0, P, Q)[has]
    out = {
        "accuracy": ratio((w * hit)[has], w[has], key[has]),
        "accuracy_macro": ratio(mw * macro, mw, mk),
        "ties": int((d == 0).sum()),
        "auc": area(d, p, w, key, groups),
        "spearman": within(records, spearmanr),
        "kendall": within(records, kendalltau),
        "spearman_pooled": pooled(records, spearmanr, pairs, groups),
        "kendall_pooled": pooled(records, kendalltau, pairs, groups),
        "log_loss": ratio(w * (-p * np.log(P) - (1 - p) * np.log(Q)), w, key),
        "brier": ratio(w * (P - p) ** 2, w, key),
        "ece_seed": ece_seed(one, w[has], key[has], groups),
        "confidence": ratio(w * np.maximum(P, Q), w, key),
        "borne_out": ratio(w * np.where(P > Q, p, np.where(P < Q, 1 - p, .5)),
                           w, key),
        "length_corr": None, "longer_wins": None,
    }
    out.update(binned(prob, label, w2, np.r_[key, key], groups))
    assert np.isclose(out["auc"][0], auc, atol=1e-12)
    assert np.isclose(out["ece"][0], ece(prob, label, w2), atol=1e-12)
    out.update(lists(records))
    out.update(bias(c, hit, prefers, records, groups))
    if "length" in c:
        out["length_corr"] = correlation(
            [v for r in records for v in r["reward"]],
            [v for r in records for v in r["length"]],
            [r["key"] for r in records for v in r["length"]], spearmanr,
            groups)
        out["longer_wins"] = ratio((w * (1 + prefers * c["length"]) / 2)[has],
                                   w[has], key[has])
    return {k: [float(x) for x in v] if isinstance(v, tuple) else
            (v if v is None or isinstance(v, int) else float(v))
            for k, v in out.items()}


def pairs(rng, n, ties=False, soft=False, weights=False, prob=False):
    out = []
    for i in range(n):
        reward = rng.normal(size=2) + [.5, 0]
        reward = np.round(reward * (2 if ties else 1e4)) / (2 if ties else 1e4)
        r = {"id": str(i), "key": int(rng.integers(1, n // 3 + 2)),
             "length": [int(v) for v in rng.integers(1, 60, 2)],
             "reward": [float(v) for v in reward]}
        # Not from rng, whose numbers others depend on.
        first = i * 7 % 3 == 0
        r["position"] = [0, 1] if first else [1, 0]
        r["format"] = [(i * 5 + 3) % 16, (i * i + 7) % 16]
        if soft:
            r["p"] = float(rng.choice([.2, .5, .8, 1, .6, .9]))
        if weights:
            r["weight"] = float(rng.integers(0, 4)) if i else 1.
        if prob:
            r["prob"] = float(np.round(rng.uniform(.02, .98), 3))
        out.append(r)
    return out


def groups(rng, n, ties=False, weights=False, scores=False):
    out = []
    for i in range(n):
        k = int(rng.integers(1, 9))
        truth = rng.normal(size=k)
        reward = np.round((truth + rng.normal(size=k)) *
                          (1 if ties else 1e4)) / (1 if ties else 1e4)
        r = {"id": str(i), "key": int(rng.integers(1, n)),
             "length": [int(v) for v in rng.integers(0, 1000, k)],
             "reward": [float(v) for v in reward]}
        rated = np.round(truth * (1 if ties else 100)) / (1 if ties else 100)
        if scores:
            r["score"] = [float(v) for v in rated]
        if not scores or ties:
            r["rank"] = [float((rated > v).sum()) for v in rated]
        if weights:
            r["weight"] = float(np.round(rng.uniform(.5, 2), 2))
        out.append(r)
    return out


def main():
    rng = np.random.default_rng(7)
    cases = [
        ("pairs", True, "half", pairs(rng, 80)),
        ("tied pairs, half", True, "half", pairs(rng, 60, ties=True)),
        ("tied pairs, wrong", True, "wrong", pairs(rng, 60, ties=True)),
        ("tied pairs, right", True, "right", pairs(rng, 60, ties=True)),
        ("soft pairs", True, "half", pairs(rng, 60, ties=True, soft=True)),
        ("weighted soft pairs", True, "half",
         pairs(rng, 60, ties=True, soft=True, weights=True)),
        ("weighted pairs", True, "half", pairs(rng, 60, weights=True)),
        ("calibrated pairs", True, "half",
         pairs(rng, 60, soft=True, prob=True)),
        ("ranked groups", False, "half", groups(rng, 30)),
        ("scored groups", False, "half", groups(rng, 30, scores=True)),
        ("tied groups", False, "half",
         groups(rng, 40, ties=True, scores=True, weights=True)),
    ]
    print(json.dumps({"cases": [
        {"name": name, "pairs": kind, "ties": ties, "records": records,
         "figures": figures(records, kind, ties)}
        for name, kind, ties, records in cases]}, separators=(",", ":"))
        .replace('{"name"', '\n{"name"'))


main()
