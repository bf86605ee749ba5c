#!/usr/bin/env python3
"""What rm-eval computes, by numpy, scipy and scikit-learn, from columns that
are ready as raw numbers.  usage: eval_peer.py FOLDER > figures.json"""
import json
import sys
import time

import numpy as np
from scipy.special import expit, log_expit
from scipy.stats import kendalltau, norm, spearmanr
from sklearn.metrics import roc_auc_score

Z = norm.ppf(.975)
started = time.time()


def lap(what):
    print(f"    {time.time() - started:7.2f} s  {what}", file=sys.stderr)


def ratio(value, cluster, size, out, name):
    """The mean with its interval, clustered (all weights are 1)."""
    mean = value.mean()
    psi = np.bincount(cluster, weights=value - mean, minlength=size)
    half = Z * np.sqrt((psi ** 2).sum() * size / (size - 1)) / len(value)
    out[name] = mean
    out[name + "_ci"] = [max(mean - half, 0), mean + half]


def ece(prob, label, mass=False):
    edge = np.linspace(0, 1, 11)
    if mass:
        edge = np.percentile(prob, edge * 100)
    b = np.searchsorted(edge[1:-1], prob)
    gap = np.bincount(b, weights=prob - label, minlength=10)
    return np.abs(gap).sum() / len(prob)


def brier_parts(prob, label, out):
    b = np.searchsorted(np.linspace(0, 1, 11)[1:-1], prob)
    n = np.bincount(b, minlength=10)
    f, o = (np.bincount(b, weights=v, minlength=10) / np.maximum(n, 1)
            for v in (prob, label))
    out["reliability"] = n @ (f - o) ** 2 / len(prob)
    out["resolution"] = n @ (o - .5) ** 2 / len(prob)
    out["uncertainty"] = np.var(label)
    out["within_var"] = np.mean((prob - f[b]) ** 2)
    out["within_cov"] = 2 * np.mean((prob - f[b]) * (label - o[b]))


def main():
    folder = sys.argv[1]
    key = np.fromfile(folder + "/key", np.uint64)
    reward = np.fromfile(folder + "/reward", np.float64).reshape(-1, 2)
    length = np.fromfile(folder + "/length", np.int32).reshape(-1, 2)
    lap("read")
    _, cluster = np.unique(key, return_inverse=True)
    size = cluster.max() + 1
    lap("clusters")
    d = reward[:, 0] - reward[:, 1]
    hit = np.where(d == 0, .5, d > 0)
    prob, other = expit(d), expit(-d)
    out = {"n": len(d), "ties": int((d == 0).sum())}
    ratio(hit, cluster, size, out, "accuracy")
    ratio(-log_expit(d), cluster, size, out, "log_loss")
    ratio(other ** 2, cluster, size, out, "brier")
    ratio(np.maximum(prob, other), cluster, size, out, "confidence")
    longer = (1 + np.sign(length[:, 0] - length[:, 1])) / 2
    ratio(longer, cluster, size, out, "longer_wins")
    lap("means and their intervals")
    label = np.repeat([1., 0.], len(d))
    out["ece"] = ece(np.r_[prob, other], label)
    out["ece_mass"] = ece(np.r_[prob, other], label, True)
    brier_parts(np.r_[prob, other], label, out)
    out["ece_seed"] = ece(prob, prob > .5)
    lap("calibration errors and the parts of the Brier score")
    out["auc"] = roc_auc_score(label, np.r_[d, -d])
    lap("auc")
    x, y = reward.ravel(), np.tile([0, -1], len(d))
    out["spearman_pooled"] = spearmanr(x, y)[0]
    lap("spearman")
    out["kendall_pooled"] = kendalltau(x, y)[0]
    lap("kendall")
    out["length_corr"] = spearmanr(x, length.ravel())[0]
    lap("length")
    json.dump(out, sys.stdout)


main()
