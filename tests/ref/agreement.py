#!/usr/bin/env python3
"""Write tests/data/agreement.json: choices of annotators, and what
statsmodels, scikit-learn and krippendorff make of them.
usage: agreement.py > ../data/agreement.json"""
import json
import warnings

import krippendorff
import numpy as np
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

rng = np.random.default_rng(7)


def number(x):
    return None if x is None or np.isnan(x) else float(x)


def counts(table, categories):
    return np.stack([(table == c).sum(1) for c in range(categories)], 1)


def fleiss(v):
    """Of the records with the number of votes that most have."""
    m = v.sum(1)
    seen = np.bincount(m, minlength=3)
    seen[:2] = 0
    n = len(seen) - 1 - np.argmax(seen[::-1])
    v = v[m == n]
    if (v.sum(0) > 0).sum() < 2:
        return None, int(n), len(v)
    return fleiss_kappa(v), int(n), len(v)


def alpha(table, categories, level):
    v = counts(table, categories)
    v = v[v.sum(1) >= 2]
    if (v.sum(0) > 0).sum() < 2:
        return None
    return krippendorff.alpha(value_counts=v, level_of_measurement=level)


def percent(v):
    v = v[v.sum(1) >= 2].astype(float)
    m = v.sum(1)
    return np.mean((v * (v - 1)).sum(1) / (m * (m - 1)))


def cohen(table, categories):
    kappas, shared, undefined = [], [], 0
    for a in range(table.shape[1]):
        for b in range(a + 1, table.shape[1]):
            both = (table[:, a] >= 0) & (table[:, b] >= 0)
            x, y = table[both, a], table[both, b]
            if not both.any():
                continue
            if len(set(x) | set(y)) < 2:
                undefined += 1
                continue
            kappas.append(cohen_kappa_score(x, y,
                                            labels=range(categories)))
            shared.append(both.sum())
    if not kappas:
        return {"pairs": 0, "undefined": undefined}
    return {"mean": np.mean(kappas), "pairs": len(kappas),
            "weighted": np.average(kappas, weights=shared),
            "undefined": undefined}


def rest(table, categories, a):
    """How often a says what most of the others say, who have a majority."""
    compared = same = 0
    for row in table:
        if row[a] < 0:
            continue
        v = np.bincount(np.delete(row, a)[np.delete(row, a) >= 0],
                        minlength=categories)
        if (v == v.max()).sum() > 1:
            continue
        compared += 1
        same += int(np.argmax(v) == row[a])
    upper = proportion_confint(same, compared, method="wilson")[1] \
        if compared else None
    return {"compared": compared, "same": same, "at_most": number(upper)}


def case(name, table, categories):
    v = counts(table, categories)
    kappa, n, records = fleiss(v)
    return {
        "name": name, "categories": categories, "choices": table.tolist(),
        "percent": percent(v), "fleiss": number(kappa), "votes": n,
        "records": records,
        "alpha_nominal": number(alpha(table, categories, "nominal")),
        "alpha_ordinal": number(alpha(table, categories, "ordinal")),
        "cohen": cohen(table, categories),
        "rest": [rest(table, categories, a) for a in range(table.shape[1])],
    }


def noisy(records, annotators, categories, noise, missing=0.):
    truth = rng.integers(categories, size=(records, 1))
    table = np.where(rng.random((records, annotators)) < noise,
                     rng.integers(categories, size=(records, annotators)),
                     truth)
    table[rng.random(table.shape) < missing] = -1
    return table


def main():
    warnings.simplefilter("ignore")
    tied = np.array([[0, 1], [1, 0], [2, 2], [0, 2]] * 3)
    ends = noisy(30, 3, 2, .3) * 2
    cases = [
        case("random", rng.integers(3, size=(40, 3)), 3),
        case("agreeing", noisy(60, 5, 3, .3), 3),
        case("five categories", noisy(50, 4, 5, .5), 5),
        case("missing", noisy(80, 6, 3, .4, .5), 3),
        case("sparse", noisy(60, 12, 3, .5, .8), 3),
        case("tied", tied, 3),
        case("the middle unused", ends, 3),
        case("two", noisy(20, 2, 2, .5, .1), 2),
        case("all agree", noisy(12, 3, 3, 0.), 3),
        case("one says one thing", np.c_[noisy(25, 2, 3, .4),
                                         np.zeros((25, 1), int)], 3),
        case("all the same", np.ones((9, 3), int), 3),
    ]
    print(json.dumps(cases).replace('{"name"', '\n{"name"'))


main()
