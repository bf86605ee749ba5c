#!/usr/bin/env python3
"""See that the PyPI package `transformers` loads what rmtools saved.

usage: tests/ref/load_back.py DIR... < ids > logits

Fails if a weight is missing, not known or of another shape.  Of each line
{"ids": [...]}, "types" too if it has them, prints the logit, for one DIR after
the other; fp32, nothing padded.
"""
import json
import sys

import torch
import transformers


def load(path):
    model, info = \
        transformers.AutoModelForSequenceClassification.from_pretrained(
            path, dtype=torch.float32, output_loading_info=True)
    wrong = {key: sorted(map(str, names)) for key, names in info.items()
             if names}
    if wrong:
        sys.exit(f"{path}: {wrong}")
    if model.config.num_labels != 1:
        sys.exit(f"{path}: {model.config.num_labels} labels")
    return model.eval()


def logit(model, ids, types=None):
    given = dict(input_ids=torch.tensor([ids]),
                 attention_mask=torch.ones(1, len(ids), dtype=torch.long))
    if types:
        given["token_type_ids"] = torch.tensor([types])
    with torch.inference_mode():
        return model(**given).logits[0, 0].item()


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    cases = [json.loads(line) for line in sys.stdin if line.strip()]
    for path in sys.argv[1:]:
        model = load(path)
        for case in cases:
            print(f"{logit(model, case['ids'], case.get('types')):.9g}")


if __name__ == "__main__":
    main()
