#!/usr/bin/env python3
"""Write tests/data/drift.json: rewards of two streams, random and tied, of
several responses a record and records a prompt, and what scipy and
statsmodels say of their distance and of the shift of their means.
usage: drift.py > ../data/drift.json"""
import json

import numpy as np
from scipy.special import kolmogorov
from scipy.stats import ks_2samp, norm, ttest_ind
from statsmodels.api import OLS


def psi(base, new):
    n = len(base)
    s = np.sort(base)
    edge = np.unique([s[(k * n + 9) // 10 - 1] for k in range(1, 10)])
    p, q = (np.bincount(np.searchsorted(edge, x, side="left"),
                        minlength=len(edge) + 1).astype(float)
            for x in (base, new))
    keep = (p > 0) | (q > 0)
    p, q = (np.where(c == 0, .5, c)[keep] / len(x)
            for c, x in ((p, base), (q, new)))
    return float(((q - p) * np.log(q / p)).sum())


def distance(x, y):
    both = np.concatenate([x, y])
    d = ks_2samp(x, y, method="exact")
    exact = len(np.unique(both)) == len(both) and len(x) * len(y) <= 10**6
    en = len(x) * len(y) / (len(x) + len(y))
    p = d.pvalue if exact else kolmogorov(np.sqrt(en) * d.statistic)
    return {"psi": psi(x, y), "ks": float(d.statistic), "exact": exact,
            "ks_p": float(p)}


def stream(rng, n, shift, digits, keys):
    """Records of two responses; a prompt's rewards go together."""
    key = rng.integers(1, keys, size=n)
    level = rng.normal(size=keys)
    v = rng.normal(size=(n, 2)) + level[key][:, None] + shift
    return [{"key": int(k), "reward": [float(f) for f in np.round(r, digits)],
             "length": [int(f) for f in rng.integers(1, 40, size=2) +
                        int(9 * shift)]} for k, r in zip(key, v)]


def mean_error(records, field):
    x = np.array([v for r in records for v in r[field]], float)
    key = np.array([r["key"] for r in records for _ in r[field]])
    fit = OLS(x, np.ones_like(x)).fit()
    # The factor of (N - 1) / (N - K) is 1 for a mean.
    error = fit.get_robustcov_results("cluster", groups=key).bse[0]
    return x, error


def figures(old, new, field):
    (x, ex), (y, ey) = (mean_error(r, field) for r in (old, new))
    shift = float(y.mean() - x.mean())
    half = norm.ppf(.975) * np.hypot(ex, ey)
    return {**distance(x, y), "shift": shift, "low": shift - half,
            "high": shift + half, "shift_sd": shift / float(x.std(ddof=1)),
            "sd": float(x.std(ddof=1)), "mean": float(y.mean())}


def case(rng, m, n, shift, digits):
    old = stream(rng, m, 0, digits, m // 3)
    new = stream(rng, n, shift, digits, n // 3)
    return {"old": old, "new": new, "reward": figures(old, new, "reward"),
            "length": figures(old, new, "length")}


def welch(x, y):
    """One response a record, no keys: Welch's error."""
    t = ttest_ind(y, x, equal_var=False)
    shift = y.mean() - x.mean()
    half = norm.ppf(.975) * shift / t.statistic
    return {**distance(x, y), "shift": shift, "low": shift - half,
            "high": shift + half}


def plain(rng, m, n, shift, digits):
    x = np.round(rng.normal(size=m), digits)
    y = np.round(rng.normal(size=n) + shift, digits)
    return {"x": x.tolist(), "y": y.tolist(), **welch(x, y)}


def main():
    rng = np.random.default_rng(17)
    print(json.dumps({
        "cases": [case(rng, 60, 45, .2, 6), case(rng, 60, 70, .6, 0)],
        "plain": [plain(rng, *a) for a in
                  [(3, 2, 0, 6), (11, 10, 1, 6), (100, 37, .1, 6),
                   (90, 120, 0, 1), (90, 120, 3, 1), (200, 200, .3, 0),
                   (40, 2, 6, 6), (1200, 900, .05, 6), (1200, 900, .2, 6)]]},
        separators=(",", ":")).replace('{"old"', '\n{"old"')
        .replace('{"x"', '\n{"x"'))


main()
