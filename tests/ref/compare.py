#!/usr/bin/env python3
"""Write tests/data/compare.json: two models' rewards of the same pairs, and
what statsmodels says of their difference; McNemar's test of many tables; how
small a difference can be seen.  usage: compare.py > ../data/compare.json"""
import json

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_expit
from scipy.stats import norm
from statsmodels.api import WLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import NormalIndPower


def clustered(x, w, key):
    """The weighted mean and its interval, clustered."""
    fit = WLS(x, np.ones_like(x), weights=w).fit(
        cov_type="cluster", cov_kwds={"groups": key})
    low, high = fit.conf_int(.05)[0]
    return [float(fit.params[0]), float(low), float(high)]


def pairs(rng, n, tied):
    out = []
    for i in range(n):
        quality = rng.normal(size=2) + [.4, 0]
        r = {"id": f"r{i}", "key": int(rng.integers(1, n // 4)),
             "weight": float(rng.integers(1, 4))}
        for name, noise in ("reward", .8), ("other", 1.):
            v = quality + noise * rng.normal(size=2)
            r[name] = [float(x) for x in np.round(v, 0 if tied else 4)]
        out.append(r)
    return out


def case(rng, n, tied):
    records = pairs(rng, n, tied)
    d, e = (np.array([r[k][0] - r[k][1] for r in records])
            for k in ("reward", "other"))
    w = np.array([r["weight"] for r in records])
    key = np.array([r["key"] for r in records])
    hit = [(np.sign(v) + 1) / 2 for v in (d, e)]
    accuracy = clustered(hit[0] - hit[1], w, key)
    better = int((hit[0] > hit[1]).sum())
    worse = int((hit[0] < hit[1]).sum())
    error = (accuracy[2] - accuracy[1]) / 2 / norm.ppf(.975)
    power = NormalIndPower(ddof=0).power
    effect = brentq(lambda x: power(x, 1, .05, ratio=0) - .8, 1, 9,
                    xtol=1e-14)
    sides = np.sign(d), np.sign(e)
    return {"records": records, "accuracy": accuracy,
            "alone": {"accuracy": clustered(hit[0], w, key),
                      "log_loss": clustered(-log_expit(d), w, key),
                      "brier": clustered(np.exp(2 * log_expit(-d)), w, key)},
            "flip_rate": clustered((sides[0] * sides[1] < 0) * 1., w, key),
            "tie_rate": clustered(((d == 0) != (e == 0)) * 1., w, key),
            "log_loss": clustered(log_expit(e) - log_expit(d), w, key),
            "brier": clustered(np.exp(2 * log_expit(-d)) -
                               np.exp(2 * log_expit(-e)), w, key),
            "better": better, "worse": worse,
            "detectable": float(effect * error),
            "mcnemar": float(mcnemar([[0, better], [worse, 0]],
                                     exact=True).pvalue)}


def main():
    rng = np.random.default_rng(11)
    tables = [(0, 1), (1, 0), (0, 40), (3, 3), (7, 12), (19, 2), (100, 140),
              (1200, 1300), (5000, 5000), (50000, 50700), (3, 100000)]
    print(json.dumps({
        "cases": [case(rng, 80, False), case(rng, 80, True)],
        "mcnemar": [[b, c, float(mcnemar([[0, b], [c, 0]],
                                         exact=True).pvalue)]
                    for b, c in tables]}, separators=(",", ":"))
        .replace('{"records"', '\n{"records"'))


main()
