#!/usr/bin/env python3
"""PyTorch with Transformers, and ONNX Runtime, beside rm-score.

usage: transformer_peer.py make minilm|causal DIR
		a model with random weights and one label; tokenizers are
		looked for in $RM_DATA, or ../shared/data
       transformer_peer.py rewards DIR [--threads N] < ids
		a reward a line, fp32, one text at a time
       transformer_peer.py torch DIR [--precision fp32|bf16]
		[--mode eager|compile] [--order sorted|input] [--threads N]
		[--seconds S] < ids
       transformer_peer.py onnx DIR [--precision fp32|int8] ... < ids
		tokens/s of the best batch size, padding not counted; the
		export is kept in DIR.onnx

ids are JSON lines {"ids": [...]}.
"""
import argparse
import json
import logging
import os
import pathlib
import random
import shutil
import statistics
import sys
import time
import warnings

import numpy as np

SIZES = 8, 32, 64	# texts a batch

# ---- models ----


def configs():
    from transformers import BertConfig, LlamaConfig

    return dict(
        minilm=(BertConfig, "all-MiniLM-L6-v2", dict(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
            intermediate_size=1536, max_position_embeddings=512)),
        causal=(LlamaConfig, "gpt2", dict(
            hidden_size=512, num_hidden_layers=8, num_attention_heads=8,
            intermediate_size=1536, max_position_embeddings=2048)))


def spread(model):
    """Random weights of a size that lets every text differ from the next."""
    import torch

    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 2:
                fan = 1 if "embed" in name else p.shape[1]
                p.normal_(0, fan ** -.5, generator=generator)


def make(kind, path):
    from tokenizers import Tokenizer
    from transformers import AutoModelForSequenceClassification

    data = pathlib.Path(os.environ.get("RM_DATA", "../shared/data"))
    config, tokenizer, keys = configs()[kind]
    source = data / "tokenizers" / tokenizer
    t = Tokenizer.from_file(str(source / "tokenizer.json"))
    if kind == "causal":
        end = t.token_to_id("<|endoftext|>")
        keys |= dict(bos_token_id=end, eos_token_id=end, pad_token_id=end)
    model = AutoModelForSequenceClassification.from_config(config(
        vocab_size=t.get_vocab_size(), num_labels=1,
        problem_type="regression", **keys))
    spread(model)
    model.save_pretrained(path)
    for file in source.iterdir():
        shutil.copyfile(file, pathlib.Path(path) / file.name)


def load(path, dtype="float32", attention="sdpa"):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        path, dtype=dtype, attn_implementation=attention)
    model.config.use_cache = False
    return model.eval()


# ---- batches ----

def texts():
    return [json.loads(line)["ids"] for line in sys.stdin if line.strip()]


def pad(rows, filler):
    """The ids of a batch, its mask, and the number of tokens in it."""
    size = max(map(len, rows))
    ids = np.full((len(rows), size), filler, np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = row
        mask[i, :len(row)] = 1
    return ids, mask, int(mask.sum())


def batches(rows, size, filler):
    """Batches of one size; a last smaller one only if there is no other."""
    rows = [rows[i:i + size] for i in range(0, len(rows), size)]
    if len(rows) > 1 and len(rows[-1]) < size:
        rows.pop()
    return [pad(r, filler) for r in rows]


def spaced(items, n):
    return [items[(2 * i + 1) * len(items) // (2 * n)] for i in range(n)]


# ---- the clock ----

def timed(run, batch):
    start = time.perf_counter()
    run(batch[0], batch[1])
    return time.perf_counter() - start


def rate(run, some, deadline):
    """The median tokens/s of passes over some of the batches, spaced evenly,
    in random order, as many as allow for three passes.  If not even one pass
    ends in time, what it did counts."""
    middle = timed(run, some[len(some) // 2])
    left = deadline - time.perf_counter()
    some = spaced(some, min(len(some), max(1, int(left / 3 / middle))))
    random.Random(1).shuffle(some)
    rates, last = [], 0
    while not rates or time.perf_counter() + last < deadline:
        tokens = last = 0
        for batch in some:
            last += timed(run, batch)
            tokens += batch[2]
            if not rates and time.perf_counter() > deadline:
                break
        rates.append(tokens / last)
    return statistics.median(rates)


def best(run, rows, filler, options):
    """The tokens/s of the best batch size of those there is time for."""
    if options.order == "sorted":
        rows = sorted(rows, key=len)
    # Short and long ones are no part of the time: they compile, or allocate.
    widths = sorted(rows, key=len)
    for pair in widths[:2], widths[-2:], widths[:2]:
        run(*pad(pair, filler)[:2])
    end = time.perf_counter() + options.seconds
    found = 0
    for i, size in enumerate(SIZES):
        some = batches(rows, size, filler)
        share = (end - time.perf_counter()) / (len(SIZES) - i)
        # Its longest batch, and as much again, must fit.
        most = max(ids.size for ids, _, _ in some)
        if found and (len(some[0][0]) < size or 2 * most / found > share):
            break
        got = rate(run, some, time.perf_counter() + share)
        print(f"batches of {size}: {got:.0f} tokens/s", file=sys.stderr)
        found = max(found, got)
    return found


# ---- peers ----

def run_torch(options):
    import torch

    model = load(options.dir, dict(fp32="float32", bf16="bfloat16")
                 [options.precision])
    call = model
    if options.mode == "compile":
        call = torch.compile(model, dynamic=True)

    def run(ids, mask):
        with torch.inference_mode():
            return call(input_ids=torch.from_numpy(ids),
                        attention_mask=torch.from_numpy(mask)).logits

    return run, model.config.pad_token_id


def fuse(path, out, config):
    """Put whole operators in place of their parts, where they are found."""
    from onnxruntime.transformers import optimizer

    model = optimizer.optimize_model(
        str(path), model_type="bert", num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size, opt_level=0)
    print(f"fused: {model.get_fused_operator_statistics()}", file=sys.stderr)
    model.save_model_to_file(str(out))


def export(path, plain, out):
    """Write the model for ONNX Runtime, and see that it computes the same."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = load(path, attention="eager")

        def forward(self, ids, mask):
            return self.model(input_ids=ids, attention_mask=mask).logits

    model = Logits().eval()
    rng = np.random.default_rng(1)
    rows = [rng.integers(5, 1000, n).tolist() for n in (19, 7)]
    ids, mask, _ = pad(rows, model.model.config.pad_token_id)
    given = torch.from_numpy(ids), torch.from_numpy(mask)
    axes = {0: "texts", 1: "tokens"}
    with torch.no_grad():
        torch.onnx.export(
            model, given, str(plain), input_names=["ids", "mask"],
            output_names=["logits"], dynamo=False, opset_version=17,
            dynamic_axes=dict(ids=axes, mask=axes, logits={0: "texts"}))
        rows = [rng.integers(5, 1000, n).tolist() for n in (3, 40, 90)]
        ids, mask, _ = pad(rows, model.model.config.pad_token_id)
        want = model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    fuse(plain, out, model.model.config)
    got = session(out, 1).run(None, dict(ids=ids, mask=mask))[0]
    if not np.abs(want - got).max() < 1e-3:
        out.unlink()
        sys.exit(f"{out}: its logits differ from those of torch")


def session(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])


def exported(options):
    """The path of the model in this precision, made if it is not there."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = pathlib.Path(options.dir)
    work = path.with_name(path.name + ".onnx")
    work.mkdir(exist_ok=True)
    plain, fp32, int8 = (work / f"{name}.onnx"
                         for name in ("plain", "fp32", "int8"))
    newest = max(f.stat().st_mtime for f in path.iterdir())
    for file in plain, fp32, int8:
        if file.exists() and file.stat().st_mtime < newest:
            file.unlink()
    if not fp32.exists():
        export(path, plain, fp32)
    if options.precision == "int8" and not int8.exists():
        quantize_dynamic(fp32, int8, weight_type=QuantType.QInt8,
                         extra_options=dict(
                             DefaultTensorType=TensorProto.FLOAT))
    return int8 if options.precision == "int8" else fp32


def run_onnx(options):
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(options.dir)
    peer = session(exported(options), options.threads)

    def run(ids, mask):
        return peer.run(None, dict(ids=ids, mask=mask))[0]

    return run, config.pad_token_id


def rewards(options):
    run, _ = run_torch(options)
    for ids in texts():
        ids = np.array([ids], np.int64)
        print(f"{run(ids, np.ones_like(ids))[0, 0].item():.9g}")


# ---- options ----

def parse():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    sub = p.add_subparsers(dest="command", required=True)
    one = sub.add_parser("make")
    one.add_argument("kind", choices=["minilm", "causal"])
    one.add_argument("dir")
    for name, precisions in ("rewards", ["fp32"]), \
            ("torch", ["fp32", "bf16"]), ("onnx", ["fp32", "int8"]):
        one = sub.add_parser(name)
        one.add_argument("dir")
        one.add_argument("--precision", choices=precisions, default="fp32")
        one.add_argument("--mode", choices=["eager", "compile"],
                         default="eager")
        one.add_argument("--order", choices=["sorted", "input"],
                         default="sorted")
        one.add_argument("--threads", type=int, default=1)
        one.add_argument("--seconds", type=float, default=30)
    return p.parse_args()


def quiet(threads):
    import torch
    import transformers

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)


def main():
    options = parse()
    quiet(getattr(options, "threads", 1))
    if options.command == "make":
        return make(options.kind, options.dir)
    if options.command == "rewards":
        return rewards(options)
    peer = run_torch if options.command == "torch" else run_onnx
    run, filler = peer(options)
    print(f"{best(run, texts(), filler, options):.1f}")


if __name__ == "__main__":
    main()
