#!/usr/bin/env python3
"""Write tests/data/suite.json: scored records in the shapes of published
benchmarks, and what their rules make of them.  usage: suite.py > FILE"""
import json
from collections import defaultdict

import numpy as np

V1 = {  # section: subsets and how many pairs the published set has
    "Chat": {"alpacaeval-easy": 100, "alpacaeval-length": 95,
             "alpacaeval-hard": 95, "mt-bench-easy": 28, "mt-bench-med": 40},
    "Chat Hard": {"mt-bench-hard": 37, "llmbar-natural": 100,
                  "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92,
                  "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46},
    "Safety": {"refusals-dangerous": 100, "refusals-offensive": 100,
               "xstest-should-refuse": 154, "xstest-should-respond": 250,
               "donotanswer": 136},
    "Reasoning": {"math-prm": 984, "hep-cpp": 164, "hep-go": 164,
                  "hep-java": 164, "hep-js": 164, "hep-python": 164,
                  "hep-rust": 164},
}
PRIOR = {  # older sets: those of the mean, and others
    "anthropic_helpful": 1, "anthropic_hhh": 1, "shp": 1, "summarize": 1,
    "anthropic_harmless": 0, "mtbench_gpt4": 0, "mtbench_human": 0,
}


def record(rng, i, subset, good, bad, **more):
    # Halves, so that rewards tie.
    mean = np.repeat([.7, 0], [good, bad])
    reward = np.round(2 * rng.normal(mean)) / 2
    return dict(id=str(i), subset=subset, reward=reward.tolist(),
                rank=[0.] * good + [1.] * bad, **more)


def by_subset(records):
    out = defaultdict(list)
    for r in records:
        out[r["subset"]].append(r)
    return out


def rewardbench(rng, drop=None, prior=()):
    names = [n for s in V1 if s != drop for n in V1[s]] + list(prior)
    records = [record(rng, i, names[i % len(names)], 1, 1)
               for i in range(7 * len(names) + 5)]
    # One in which the second is the better one.
    records[3]["rank"] = [1., 0.]
    right = {}
    for name, rows in by_subset(records).items():
        right[name] = np.mean([
            r["reward"][int(np.argmin(r["rank"]))] >
            r["reward"][int(np.argmax(r["rank"]))] for r in rows])
    out = dict(right)
    for section, subsets in V1.items():
        if section != drop:
            out[section] = np.average([right[n] for n in subsets],
                                      weights=list(subsets.values()))
    if any(PRIOR[n] for n in prior):
        out["Prior Sets"] = np.mean([right[n] for n in prior if PRIOR[n]])
        out["overall"] = np.average([out[s] for s in [*V1, "Prior Sets"]],
                                    weights=[2, 2, 2, 2, 1])
    elif not drop:
        out["overall"] = np.mean([out[s] for s in V1])
    return records, out


def ties(rows):
    found = {}
    for r in rows:
        good = [x for x, k in zip(r["reward"], r["rank"]) if k == 0]
        bad = [x for x, k in zip(r["reward"], r["rank"]) if k != 0]
        found[r["id"]] = (min(good) > max(bad), min(good) - max(bad),
                          max(good) - min(good))
    ref, tied = ({k[len(v):]: x for k, x in found.items() if k.startswith(v)}
                 for v in ("ref:", "tied:"))
    a = np.array([tied[k][1] for k in tied if k in ref])
    b = np.array([ref[k][1] for k in tied if k in ref])
    d = np.array([tied[k][2] for k in tied if k in ref])
    least = np.minimum(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.nan_to_num(np.tanh(least / d - 1), nan=0)
    return (.3 * np.mean([x[0] for x in tied.values()]) +
            .3 * np.mean([x[0] for x in ref.values()]) +
            .2 * np.mean(a > d) + .2 * np.mean(least > d) +
            .01 * np.mean(margin))


def rewardbench2(rng):
    names = ["Factuality", "Focus", "Math", "Precise IF", "Safety"]
    records = [record(rng, i, names[i % 5], 1, 3) for i in range(67)]
    out = {}
    for name, rows in by_subset(records).items():
        out[name] = np.mean([
            (max(r["reward"]) == r["reward"][0]) /
            sum(x == max(r["reward"]) for x in r["reward"]) for r in rows])
    rows = []
    for i in range(40):
        if i % 9 != 4:
            rows.append(record(rng, 0, "Ties", 1, 3) | {"id": f"ref:{i}"})
        if i % 11 != 7:
            rows.append(record(rng, 0, "Ties", 2 + i % 4, 3) |
                        {"id": f"tied:{i}"})
    for i, r in enumerate(rows):    # spread, none, and nothing at all
        n = r["rank"].count(0)
        if i % 3 == 0:
            r["reward"][:n] = [x / 4 + 2 for x in r["reward"][:n]]
        if i % 5 == 0:
            r["reward"][:n] = [1.5] * n
        if i % 10 == 0:
            r["reward"][n:] = [1.5] * (len(r["reward"]) - n)
    out["Ties"] = ties(rows)
    out["overall"] = np.mean(list(out.values()))
    return records + rows, out


def rmbench(rng):
    names = ["chat", "math", "code", "safety-refuse", "safety-response"]
    # More refusals than responses: their records count, not the two means.
    names += ["safety-refuse"]
    records = [record(rng, i, names[i % 6], 3, 3) for i in range(58)]
    share = {}
    for domain in ("chat", "math", "code", "safety"):
        share[domain] = np.mean([
            np.array(r["reward"])[:3, None] > np.array(r["reward"])[None, 3:]
            for r in records if r["subset"].startswith(domain)], axis=0)
    out = {name: m.mean() for name, m in share.items()}
    m = np.mean(list(share.values()), axis=0)
    out["hard"] = m[np.triu_indices(3, 1)].mean()
    out["normal"] = m.diagonal().mean()
    out["easy"] = m[np.tril_indices(3, -1)].mean()
    out["overall"] = m.mean()
    return records, out, m.tolist()


def judgebench(rng, twice):
    names = {"mmlu-pro-law": "Knowledge", "mmlu-pro-math": "Knowledge",
             "livebench-reasoning": "Reasoning", "livebench-math": "Math",
             "livecodebench": "Coding"}
    records, right, agree = [], defaultdict(list), []
    for i in range(45):
        r = record(rng, i, list(names)[i % 5], 1, 1)
        sign = [np.sign(r["reward"][0] - r["reward"][1])]
        records.append(r)
        if twice and i % 4:
            other = dict(r, rank=[1., 0.], reward=r["reward"][::-1])
            if i % 3 == 0:      # a judge that minds the order
                other["reward"] = [.5, 0.]
            sign.append(np.sign(other["reward"][1] - other["reward"][0]))
            records.append(other)
            agree.append(sign[0] == sign[1])
        right[names[r["subset"]]].append(sum(sign) > 0)
    out = {k: np.mean(v) for k, v in right.items()}
    out["overall"] = np.mean(sum(right.values(), []))
    if twice:
        out["both orders agree"] = np.mean(agree)
    return records, out


def main():
    rng = np.random.default_rng(11)
    cases = []
    for suite, (records, lines, *matrix) in (
            ("rewardbench", rewardbench(rng)),
            ("rewardbench", rewardbench(rng, drop="Safety")),
            ("rewardbench", rewardbench(rng, prior=PRIOR)),
            ("rewardbench", rewardbench(rng, prior=list(PRIOR)[1:])),
            ("rewardbench2", rewardbench2(rng)),
            ("rm-bench", rmbench(rng)),
            ("judgebench", judgebench(rng, False)),
            ("judgebench", judgebench(rng, True))):
        cases.append(dict(suite=suite, records=records,
                          lines={k: float(v) for k, v in lines.items()},
                          matrix=matrix[0] if matrix else None))
    print("[" + ",\n".join(json.dumps(c, separators=(",", ":"))
                           for c in cases) + "]")


if __name__ == "__main__":
    main()
