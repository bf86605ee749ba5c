#!/usr/bin/env python3
"""Write tests/data/calib.json: points, and what scipy's optimisers and
scikit-learn's isotonic regression make of them.
usage: calib.py > ../data/calib.json"""
import json

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.isotonic import IsotonicRegression

AT = [-30., -3., -1., -.25, 0., .1, .7, 2.5, 40.]


def logistic(f, t, w):
    """theta that minimises the weighted log-loss of sigmoid(f @ theta)."""
    def loss(theta):
        z = f @ theta
        return -np.sum(w * (t * log_expit(z) + (1 - t) * log_expit(-z)))

    def jac(theta):
        return f.T @ (w * (expit(f @ theta) - t))

    def hess(theta):
        s = expit(f @ theta)
        return (f * (w * s * (1 - s))[:, None]).T @ f

    theta = minimize(loss, np.zeros(f.shape[1]), jac=jac, hess=hess,
                     method="trust-exact", options={"gtol": 1e-8}).x
    for _ in range(3):
        theta = theta - np.linalg.solve(hess(theta), jac(theta))
    return theta


def temperature(x, p, w):
    a = logistic(x[:, None], p, w)[0]
    return {"temperature": 1 / a}, expit(a * np.array(AT))


def platt(x, p, w):
    n1, n0 = np.sum(w * p), np.sum(w * (1 - p))
    high, low = (n1 + 1) / (n1 + 2), 1 / (n0 + 2)
    a, b = logistic(np.c_[x, np.ones_like(x)], low + (high - low) * p, w)
    return {"a": a, "b": b}, expit(a * np.array(AT) + b)


def beta(x, p, w):
    def features(v):
        return np.c_[log_expit(v), -log_expit(-v), np.ones_like(v)]
    theta = logistic(features(x), p, w)
    keep = [0, 1, 2]
    if theta[0] < 0:
        keep = [1, 2]
    elif theta[1] < 0:
        keep = [0, 2]
    if len(keep) < 3:
        theta = np.zeros(3)
        theta[keep] = logistic(features(x)[:, keep], p, w)
    return (dict(zip("abc", theta)), expit(features(np.array(AT)) @ theta))


def isotonic(x, p, w, n):
    edge = 1 / (n + 2)
    fit = IsotonicRegression(out_of_bounds="clip", y_min=edge, y_max=1 - edge)
    fit.fit(x, p, sample_weight=w)
    return {}, fit.predict(np.array(AT))


def case(name, pairs, x, p, w):
    fits = {}
    fx, fp, fw = x, p, w
    if pairs:
        fx, fp = np.r_[x, -x], np.r_[p, 1 - p]
        fw = np.r_[w, w]
    fits["temperature"] = temperature(fx, fp, fw)
    # By symmetry the three-parameter beta fit is temperature on pairs: here
    # it is fitted in full to both sides, without using that.
    fits["beta"] = beta(fx, fp, fw)
    fits["isotonic"] = isotonic(fx, fp, fw, len(x))
    if not pairs:
        fits["platt"] = platt(x, p, w)
    return {"name": name, "on": "pairs" if pairs else "responses",
            "x": x.tolist(), "p": p.tolist(), "weight": w.tolist(),
            "fits": {k: {"parameters": a, "prob": b.tolist()}
                     for k, (a, b) in fits.items()}}


def main():
    rng = np.random.default_rng(5)
    n = 60
    one = np.ones(n)
    d = np.round(rng.normal(size=n) * 2 + .8, 3)
    soft = rng.choice([.2, .4, .5, .7, .9, 1.], n)
    hard = (rng.uniform(size=n) < expit(d / 2)).astype(float)
    weight = rng.integers(0, 4, n).astype(float)
    tied = np.round(d)
    reward = np.round(rng.normal(size=n) * 2 + 1, 3)
    label = (rng.uniform(size=n) < expit(.8 * reward - 1)).astype(float)
    part = np.clip(np.round(expit(reward + rng.normal(size=n)), 2), 0, 1)
    # Slopes that differ so much on both sides that one is 0.
    bent = (rng.uniform(size=n) < np.where(reward > 0, expit(2 * reward), .4))
    print(json.dumps({"at": AT, "cases": [
        case("hard pairs", True, d, hard, one),
        case("soft pairs", True, np.abs(d), np.maximum(soft, .4), one),
        case("weighted pairs", True, d, hard, weight),
        case("tied pairs", True, tied, hard, weight),
        case("labels", False, reward, label, one),
        case("soft labels", False, reward, part, weight),
        case("tied labels", False, np.round(reward), label, one),
        case("bent labels", False, reward, bent.astype(float), one),
    ]}, separators=(",", ":")).replace('{"name"', '\n{"name"'))


main()
