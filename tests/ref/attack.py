#!/usr/bin/env python3
"""Attack the small checkpoints of tests/data in PyTorch, as rm-score does.

usage: tests/ref/attack.py [OUT]

OUT is tests/data/attack.json.  What moves is the output of the model's word
embedding, for each text by itself; the loss is the sum over the ordered pairs
of a group of -log sigmoid(r_i - r_j).  It is a list of cases:
  {"checkpoint", "prompt", "responses", "rank", "attack", "clean", "rewards"}
rewards has a list a value of eps.
"""
import json
import pathlib
import random
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).parent
STORED = HERE.parent / "data" / "checkpoints"
NAMES = ("bert", "distilbert", "roberta", "modernbert", "deberta_v3", "gpt2",
         "opt_350m", "gpt_neox", "llama", "gemma2", "qwen3")
ATTACKS = (
    ("fgsm:eps=0.01/0.05", dict(eps=[.01, .05], steps=1)),
    ("fgsm:eps=0.2,norm=l2", dict(eps=[.2], steps=1, norm="l2")),
    ("pgd:eps=0.01/0.03,steps=7", dict(eps=[.01, .03], steps=7, share=2.5)),
    ("pgd:eps=0.3,steps=5,norm=l2,alpha=0.1",
     dict(eps=[.3], steps=5, norm="l2", alpha=.1)),
    ("pgd:eps=0.02,steps=4,tokens=all",
     dict(eps=[.02], steps=4, share=2.5, tokens="all")),
)


def load(path):
    config = json.loads((path / "config.json").read_text())
    cls = getattr(transformers, config["architectures"][0])
    return cls.from_pretrained(path, attn_implementation="eager",
                               dtype=torch.float32).eval()


def rewards(model, texts, shifts):
    """The reward of each text, its embedding's output moved by its shift."""
    out = []
    for ids, shift in zip(texts, shifts):
        hook = model.get_input_embeddings().register_forward_hook(
            lambda module, given, y, shift=shift: y + shift)
        out.append(model(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long)
        ).logits[0, 0])
        hook.remove()
    return torch.stack(out)


def loss_of(r, rank):
    total = 0
    for i, a in enumerate(rank):
        for j, b in enumerate(rank):
            if a < b:
                total = total - torch.nn.functional.logsigmoid(r[i] - r[j])
    return total


def attack(model, texts, masks, rank, eps, steps, norm="inf", alpha=None,
           share=1, tokens=None):
    alpha = alpha or share * eps / steps
    width = model.get_input_embeddings().weight.shape[1]
    shifts = [torch.zeros(len(t), width) for t in texts]
    for _ in range(steps):
        for s in shifts:
            s.requires_grad_(True)
        loss = loss_of(rewards(model, texts, shifts), rank)
        grads = torch.autograd.grad(loss, shifts)
        with torch.no_grad():
            for i, (g, mask) in enumerate(zip(grads, masks)):
                g = g * mask[:, None]
                s = shifts[i].detach()
                if norm == "inf":
                    s = (s + alpha * g.sign()).clamp(-eps, eps)
                else:
                    s = s + alpha * g / g.norm()
                    s = s * min(1, eps / s.norm().item())
                shifts[i] = s
    with torch.no_grad():
        return rewards(model, texts, shifts)


def rounded(tensor):
    return [float(f"{t.item():.7g}") for t in tensor]


def cases(name):
    model = load(STORED / name)
    rng = random.Random(name)
    for text, how in ATTACKS:
        k = 3 if "steps=7" in text else 2
        prompt = [rng.randrange(6, 64) for _ in range(5)]
        responses = [[rng.randrange(6, 64) for _ in range(4 + 3 * i)]
                     for i in range(k)]
        rank = [1, 0, 2][:k]
        texts = [prompt + r for r in responses]
        whole = how.get("tokens") == "all"
        masks = [torch.tensor([float(whole)] * len(prompt) + [1.] * len(r))
                 for r in responses]
        still = [torch.zeros(1, 1) for _ in texts]
        with torch.no_grad():
            clean = rewards(model, texts, still)
        moved = [attack(model, texts, masks, rank, **{**how, "eps": e})
                 for e in how["eps"]]
        yield dict(checkpoint=name, prompt=prompt, responses=responses,
                   rank=rank, attack=text, clean=rounded(clean),
                   rewards=[rounded(r) for r in moved])
        print(name, text, loss_of(clean, rank).item(),
              [loss_of(r, rank).item() for r in moved], file=sys.stderr)


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else \
        HERE.parent / "data" / "attack.json"
    lines = [json.dumps(c, separators=(",", ":"))
             for name in NAMES for c in cases(name)]
    pathlib.Path(out).write_text("[" + ",\n".join(lines) + "]\n")


main()
