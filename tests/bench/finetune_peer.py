#!/usr/bin/env python3
"""PyTorch's training of reward models, beside rm-train: TRL's RewardTrainer,
and a loop without padding's waste.

usage: finetune_peer.py init --base DIR --out DIR [--seed S]
		DIR with a fresh head of one label, without dropout: what both
		sides begin with
       finetune_peer.py init --causal --out DIR
		transformer_peer.py's causal model, random weights
       finetune_peer.py curve --base DIR --pairs FILE --steps N [--batch B]
		[--lr X] [--schedule constant|linear] [--warmup F]
		[--weight-decay X] [--clip X] [--types A,B] [--threads N]
		--out FILE [--save DIR]
		TRL in fp32, in the order of the pairs: a line {"step", "loss",
		"grad_norm"} a step, loss the mean of -log sigmoid(r_w - r_l);
		DIR: the model that comes out
       finetune_peer.py speed --base DIR --pairs FILE --mode trl|tuned
		[--precision fp32|bf16] [--compile] [--no-checkpointing]
		[--batch B,...] [--types A,B] [--threads N] [--seconds S]
		{"tokens_per_s", "batch", "rss_mb"} of the best batch size, of
		both texts of a pair, padding not counted

A pair is a line of rm-view.  Mode trl is what RewardConfig has by default:
8 pairs padded to their longest, in the order of the file, gradient
checkpointing, autocast to bf16 unless --precision fp32.  Mode tuned has
batches of like lengths, torch's sdpa and fused AdamW, and no checkpointing.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import sys
import tempfile
import time

import transformer_peer as peer

WARM = 3	# steps of TRL that are not timed, or fewer that fill the time

# ---- pairs ----


def pairs(path):
    """(prompt, chosen, rejected) of each pair."""
    out = []
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            by_rank = dict(zip(record["rank"], record["responses"]))
            if sorted(record["rank"]) != [0, 1]:
                sys.exit(f"{path}: {record['id']} is no pair")
            out.append((record.get("prompt", []), by_rank[0], by_rank[1]))
    return out


def dataset(rows):
    from datasets import Dataset

    return Dataset.from_dict(dict(
        chosen_ids=[p + w for p, w, _ in rows],
        rejected_ids=[p + l for p, _, l in rows],
        prompt=[len(p) for p, _, _ in rows]))


def collator(filler, types):
    """TRL's, and token types if those of the prompt or response are not 0."""
    import torch
    from trl.trainer.reward_trainer import DataCollatorForPreference

    class Collator(DataCollatorForPreference):
        def torch_call(self, examples):
            batch = super().torch_call(examples)
            prompts = torch.tensor([e["prompt"] for e in examples] * 2)
            place = torch.arange(batch["input_ids"].shape[1])
            batch["token_type_ids"] = torch.where(
                place < prompts[:, None], *types) * batch["attention_mask"]
            return batch

    if any(types):
        return Collator(filler)
    return DataCollatorForPreference(filler)


# ---- models ----

def copy_tokenizer(base, out):
    for file in pathlib.Path(base).iterdir():
        if "token" in file.name or file.name.startswith("vocab"):
            shutil.copyfile(file, pathlib.Path(out) / file.name)


def init(options):
    import torch
    from transformers import AutoModelForSequenceClassification

    out = pathlib.Path(options.out)
    if options.causal:
        return peer.make("causal", out)
    torch.manual_seed(options.seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        options.base, num_labels=1, dtype="float32")
    for key in vars(model.config):
        if "dropout" in key and isinstance(getattr(model.config, key), float):
            setattr(model.config, key, 0.)
    model.save_pretrained(out)
    copy_tokenizer(options.base, out)


# ---- TRL ----

def schedule(name, total, warmup):
    """rm_schedule_factor."""
    def factor(step):
        if step < warmup:
            return (step + 1) / warmup
        if name == "constant":
            return 1
        return 1 - min(1, (step - warmup) / (total - warmup))

    return factor


def trainer(options, rows, work, watch, **config):
    """A RewardTrainer that takes the rows as they come; watch sees each loss
    and its batch."""
    import torch
    from transformers import PreTrainedTokenizerFast
    from transformers.trainer_callback import PrinterCallback
    from trl import RewardConfig, RewardTrainer

    class Trainer(RewardTrainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            loss = super().compute_loss(model, inputs, *args, **kwargs)
            watch(loss, inputs)
            return loss

        def create_scheduler(self, num_training_steps, optimizer=None):
            if options.command == "curve":
                self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                    optimizer or self.optimizer,
                    schedule(options.schedule, num_training_steps,
                             int(options.warmup * num_training_steps)))
            return super().create_scheduler(num_training_steps, optimizer)

    model = peer.load(options.base)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(pathlib.Path(options.base) / "tokenizer.json"))
    filler = model.config.pad_token_id
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(filler)
    out = Trainer(
        model=model, train_dataset=dataset(rows), processing_class=tokenizer,
        data_collator=collator(filler, options.types),
        args=RewardConfig(
            work, max_length=None, train_sampling_strategy="sequential",
            remove_unused_columns=False, use_cpu=True, save_strategy="no",
            report_to="none", disable_tqdm=True, **config))
    out.remove_callback(PrinterCallback)
    return out


def curve(options):
    from transformers import TrainerCallback

    losses, norms = [], []

    class Norms(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if "grad_norm" in logs:
                norms.append(float(logs["grad_norm"]))

    def watch(loss, batch):
        losses.append(loss.item())

    with tempfile.TemporaryDirectory() as work:
        run = trainer(
            options, pairs(options.pairs), work, watch, bf16=False,
            gradient_checkpointing=False, max_steps=options.steps,
            per_device_train_batch_size=options.batch, logging_steps=1,
            learning_rate=options.lr, weight_decay=options.weight_decay,
            adam_beta1=.9, adam_beta2=.999, adam_epsilon=1e-8,
            max_grad_norm=options.clip, optim="adamw_torch")
        run.add_callback(Norms)
        run.train()
    if options.save:
        run.model.save_pretrained(options.save)
        copy_tokenizer(options.base, options.save)
    norms += [None] * (len(losses) - len(norms))
    with open(options.out, "w") as file:
        for i, (loss, norm) in enumerate(zip(losses, norms)):
            print(json.dumps(dict(step=i + 1, loss=loss, grad_norm=norm)),
                  file=file)


def trl(options):
    """The rate of TRL's own loop, once it is warm."""
    from transformers import TrainerCallback

    tokens = [0]
    began = []	# the run, what is timed of it, and where that ends

    class Clock(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            began.append(time.perf_counter())

        def on_step_end(self, args, state, control, **kwargs):
            now = time.perf_counter()
            if len(began) > 1:
                began[2:] = [now]
                control.should_training_stop = \
                    now - began[1] > options.seconds
            elif state.global_step == WARM or \
                    now - began[0] > options.seconds:
                tokens[0] = 0
                began.append(now)

    def watch(loss, batch):
        tokens[0] += batch["attention_mask"].sum().item()

    size = options.batch[0]
    config = dict(bf16=options.precision == "bf16",
                  per_device_train_batch_size=size,
                  num_train_epochs=1000, torch_compile=options.compile)
    if options.no_checkpointing:
        config["gradient_checkpointing"] = False
    with tempfile.TemporaryDirectory() as work:
        run = trainer(options, pairs(options.pairs), work, watch, **config)
        run.add_callback(Clock)
        run.train()
    return dict(tokens_per_s=tokens[0] / (began[2] - began[1]), batch=size,
                rss_mb=memory())


# ---- a loop of its own ----

def stepper(model, options):
    """A training step on padded ids and mask, chosen texts first."""
    import torch
    from torch.nn.functional import logsigmoid

    call = model
    if options.compile:
        call = torch.compile(model, dynamic=True)
    # As the Trainer does; one group would be as fast.
    groups = [dict(params=[p for p in model.parameters() if p.dim() > 1],
                   weight_decay=.01),
              dict(params=[p for p in model.parameters() if p.dim() < 2],
                   weight_decay=0.)]
    adamw = torch.optim.AdamW(groups, lr=1e-5, fused=True)
    bf16 = options.precision == "bf16"

    def step(ids, mask):
        ids, mask = torch.from_numpy(ids), torch.from_numpy(mask)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            rewards = call(input_ids=ids, attention_mask=mask).logits[:, 0]
        chosen, rejected = rewards.float().chunk(2)
        loss = -logsigmoid(chosen - rejected).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.)
        adamw.step()
        adamw.zero_grad()

    return step


def buckets(rows, size, filler):
    """Batches of pairs of like lengths, shortest first, whole ones only."""
    rows = sorted(rows, key=lambda r: len(r[0]) + max(len(r[1]), len(r[2])))
    whole = max(size, len(rows) - len(rows) % size)
    out = []
    for i in range(0, whole, size):
        some = rows[i:i + size]
        out.append(peer.pad([p + w for p, w, _ in some]
                            + [p + l for p, _, l in some], filler))
    return out


def tuned(options):
    model = peer.load(options.base).train()
    step = stepper(model, options)
    rows = pairs(options.pairs)
    random.Random(1).shuffle(rows)
    best = dict(tokens_per_s=0)
    share = options.seconds / len(options.batch)
    for size in sorted(options.batch):
        some = buckets(rows, size, model.config.pad_token_id)
        end = time.perf_counter() + options.seconds
        for i in 0, -1, len(some) // 2:
            if time.perf_counter() < end:
                took = peer.timed(step, some[i])
        if best["tokens_per_s"] and 2 * took > share:
            break
        got = peer.rate(step, some, time.perf_counter() + share)
        print(f"batches of {size}: {got:.0f} tokens/s", file=sys.stderr)
        if got > best["tokens_per_s"]:
            best = dict(tokens_per_s=got, batch=size, rss_mb=memory())
    return best


def memory():
    """The peak of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---- options ----

def numbers(text):
    return [int(x) for x in text.split(",")]


def parse():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    sub = p.add_subparsers(dest="command", required=True)
    one = sub.add_parser("init")
    one.add_argument("--base")
    one.add_argument("--causal", action="store_true")
    one.add_argument("--out", required=True)
    one.add_argument("--seed", type=int, default=1)
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--base", required=True)
    both.add_argument("--pairs", required=True)
    both.add_argument("--types", type=numbers, default=[0, 0])
    both.add_argument("--threads", type=int, default=2)
    one = sub.add_parser("curve", parents=[both])
    one.add_argument("--steps", type=int, required=True)
    one.add_argument("--batch", type=int, default=16)
    one.add_argument("--lr", type=float, default=2e-5)
    one.add_argument("--schedule", choices=["constant", "linear"],
                     default="linear")
    one.add_argument("--warmup", type=float, default=0)
    one.add_argument("--weight-decay", type=float, default=0)
    one.add_argument("--clip", type=float, default=0)
    one.add_argument("--out", required=True)
    one.add_argument("--save")
    one = sub.add_parser("speed", parents=[both])
    one.add_argument("--mode", choices=["trl", "tuned"], required=True)
    one.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    one.add_argument("--compile", action="store_true")
    one.add_argument("--no-checkpointing", action="store_true")
    one.add_argument("--batch", type=numbers, default=[8])
    one.add_argument("--seconds", type=float, default=30)
    options = p.parse_args()
    if options.command == "init" and bool(options.base) == options.causal:
        p.error("init takes --base or --causal")
    return options


def main():
    options = parse()
    os.environ |= dict(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    peer.quiet(getattr(options, "threads", 1))
    if options.command == "init":
        return init(options)
    if options.command == "curve":
        return curve(options)
    got = trl(options) if options.mode == "trl" else tuned(options)
    print(json.dumps({k: round(v, 1) for k, v in got.items()}))


if __name__ == "__main__":
    main()
