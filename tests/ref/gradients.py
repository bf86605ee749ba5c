#!/usr/bin/env python3
"""Write the gradients of the checkpoints that checkpoints.py made, by the
autograd of PyTorch through the PyPI package `transformers`.

usage: tests/ref/gradients.py [DIR]

DIR is tests/data/checkpoints.  Row i of DIR/NAME/reference.json weighs
	c_i = (-1)^i (1 + i/4),
and the loss is the sum over all rows of c_i times each of its logits, in eval
mode and fp32.  DIR/NAME/gradients.json has for each parameter, by its name in
model.safetensors,
  {"norm", "sum", "some"}	the L2 norm and the sum of its gradient, and the
	values at the flat indices 0, s, 2s, ..., of those below its size n the
	first 16, where s = max(7, n / 16 rounded down | 1): odd, so that columns
	differ.

What is zero in mathematics is rounding here (a bias of keys under a softmax, a
sum over what goes into a norm): allow 1e-5 of the largest norm.  Otherwise
fp32 here is within 1e-5 of fp64 by norm.  PyTorch gives the row padding_idx of
an embedding no gradient: pad_token_id of all words here but GPT-2's and
GPT-NeoX's, and of RoBERTa's positions.
"""
import json
import math
import pathlib
import sys

import torch
import transformers
from safetensors import safe_open

from checkpoints import load

SOME = 16


def weight(i):
    return (-1) ** i * (1 + i / 4)


def logits(model, row):
    """The logits of one row of reference.json, with their graph."""
    if "prompt" in row:
        texts = [(row["prompt"] + r, None) for r in row["responses"]]
    else:
        texts = [(row["ids"], row.get("types"))]
    out = []
    for ids, types in texts:
        given = dict(input_ids=torch.tensor([ids]),
                     attention_mask=torch.ones(1, len(ids), dtype=torch.long))
        if types:
            given["token_type_ids"] = torch.tensor([types])
        out.append(model(**given).logits[0, 0])
    return torch.stack(out)


def written(path):
    """The shapes of the tensors in a checkpoint."""
    out = {}
    for file in sorted(path.glob("*.safetensors")):
        with safe_open(file, "pt") as f:
            out |= {k: f.get_slice(k).get_shape() for k in f.keys()}
    return out


def in_file(name, there):
    """A parameter's name in the checkpoint, older ones included."""
    if name not in there:
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma") \
            .replace("LayerNorm.bias", "LayerNorm.beta")
    return name


def number(x):
    return float(f"{x:.9g}")


def summary(p):
    g = torch.zeros_like(p) if p.grad is None else p.grad
    g = g.flatten().tolist()
    step = max(7, len(g) // SOME | 1)
    return dict(norm=number(math.sqrt(math.fsum(x * x for x in g))),
                sum=number(math.fsum(g)),
                some=[number(x) for x in g[::step][:SOME]])


def gradients(path):
    """What gradients.json says, or None if the model has no logits."""
    rows = json.loads((path / "reference.json").read_text())
    if "logits" not in rows[0]:
        return None
    config = json.loads((path / "config.json").read_text())
    model = load(getattr(transformers, config["architectures"][0]), path)
    loss = 0
    for i, row in enumerate(rows):
        got = logits(model, row)
        want = torch.tensor(row["logits"])
        if not (got - want).abs().max() < 1e-5 * want.abs().max().clamp(1):
            sys.exit(f"{path}: row {i}: other logits than reference.json")
        loss = loss + weight(i) * got.sum()
    loss.backward()
    there = written(path)
    out = {}
    for name, p in model.named_parameters():
        name = in_file(name, there)
        if there.get(name) != list(p.shape):
            sys.exit(f"{path}: {name} is not in the file, or of another shape")
        out[name] = summary(p)
    rest = [k for k in there if k not in out and "position_ids" not in k]
    if rest:
        sys.exit(f"{path}: no gradient for {' '.join(rest)}")
    return out


def save(value, path):
    lines = (f'{json.dumps(k)}:{json.dumps(v, separators=(",", ":"))}'
             for k, v in sorted(value.items()))
    path.write_text("{" + ",\n".join(lines) + "}\n")


def main():
    out = pathlib.Path(__file__).parent.parent / "data" / "checkpoints"
    if len(sys.argv) > 1:
        out = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for path in sorted(p.parent for p in out.glob("*/reference.json")):
        value = gradients(path)
        if value:
            save(value, path / "gradients.json")


if __name__ == "__main__":
    main()
