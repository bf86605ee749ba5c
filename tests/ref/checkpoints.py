#!/usr/bin/env python3
"""Write small checkpoints of every family, with random weights, and what the
PyPI package `transformers` computes from them.

usage: tests/ref/checkpoints.py MODELS MINILM [OUT]

OUT is tests/data/checkpoints.  OUT/NAME/ is a checkpoint, about half of them
with the config.json of an older release, and reference.json its cases:
  {"ids", "types"?, "hidden_last"?, "logits"?}	a text, fp32, nothing padded;
	hidden_last has a row of the base model for each token
  {"prompt", "responses", "logits"}	a logit for prompt + response, each
OUT/shared.json has the same for the directories in MODELS and for MINILM, an
all-MiniLM-L6-v2, where "rows" says which rows hidden_last has.
"""
import json
import pathlib
import random
import shutil
import sys
import zlib

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer

VOCAB, PAD, POSITIONS = 64, 5, 96
SIZES = (1, 2, 7, 33, 60)
HIDDEN_SIZES = (1, 7, 33)
TEXTS = ("Which of the two answers is better?",
         "It says so, and it doesn't say why: 3 of 4 judges agreed.", "no")

# ---- the checkpoints ----

BASE = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2,
            num_attention_heads=4, intermediate_size=24,
            max_position_embeddings=POSITIONS)
KV = dict(BASE, num_key_value_heads=2, pad_token_id=PAD)
MODERN = dict(BASE, num_hidden_layers=4, local_attention=16, pad_token_id=0,
              bos_token_id=2, eos_token_id=1, cls_token_id=2, sep_token_id=1)
DEBERTA = dict(BASE, relative_attention=True, pos_att_type="p2c|c2p")
OPT = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2,
           num_attention_heads=4, ffn_dim=24, word_embed_proj_dim=16,
           max_position_embeddings=POSITIONS)


def rope(theta, **scaling):
    return dict(dict(rope_type="default"), rope_theta=theta, **scaling)


def neox(pct, **more):
    return dict(BASE, num_attention_heads=2, pad_token_id=PAD, **more,
                rope_parameters=rope(500., partial_rotary_factor=pct))


# Name, class, config, and of what form its files are: "old" the config of
# releases before rope_parameters; "types" cases with token types; "pad" the
# padding id inside a text; "last" texts that end in it; "prompt" prompts of
# several responses; "gamma" the names of norms in the oldest BERTs; a dtype;
# "sharded".
CHECKPOINTS = [
    ("bert", "BertForSequenceClassification", BASE, "types"),
    ("bert_base", "BertModel", BASE, "types"),
    ("bert_gamma", "BertForSequenceClassification",
     dict(BASE, hidden_act="relu"), "old types gamma"),
    ("distilbert", "DistilBertForSequenceClassification",
     dict(vocab_size=VOCAB, dim=16, n_layers=2, n_heads=4, hidden_dim=24,
          max_position_embeddings=POSITIONS), "old"),
    ("roberta", "RobertaForSequenceClassification",
     dict(BASE, type_vocab_size=1), "old pad"),
    ("xlm_roberta", "XLMRobertaForSequenceClassification",
     dict(BASE, type_vocab_size=1, pad_token_id=1), "pad"),
    ("modernbert", "ModernBertForSequenceClassification", MODERN, ""),
    ("modernbert_mean", "ModernBertForSequenceClassification",
     dict(MODERN, classifier_pooling="mean", attention_bias=True,
          mlp_bias=True, norm_bias=True, classifier_bias=True,
          rope_parameters=dict(full_attention=rope(3000.),
                               sliding_attention=rope(200.))), "old"),
    ("deberta_v3", "DebertaV2ForSequenceClassification",
     dict(DEBERTA, share_att_key=True, norm_rel_ebd="layer_norm",
          position_buckets=16, position_biased_input=False,
          max_relative_positions=-1), ""),
    ("deberta_v2", "DebertaV2ForSequenceClassification",
     dict(DEBERTA, type_vocab_size=2, pos_att_type=["p2c", "c2p"],
          max_relative_positions=40, position_biased_input=True),
     "old types"),
    ("gpt2", "GPT2ForSequenceClassification",
     dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=4, n_inner=24,
          n_positions=POSITIONS, pad_token_id=PAD), "last float16"),
    ("opt", "OPTForSequenceClassification", OPT, "last"),
    ("opt_350m", "OPTForSequenceClassification",
     dict(OPT, word_embed_proj_dim=8, do_layer_norm_before=False),
     "old last"),
    ("gpt_neox", "GPTNeoXForSequenceClassification", neox(.5), "old last"),
    ("gpt_neox_sequential", "GPTNeoXForSequenceClassification",
     neox(.25, use_parallel_residual=False), "last"),
    ("llama", "LlamaForSequenceClassification",
     dict(KV, attention_bias=True, mlp_bias=True, rope_parameters=rope(500.)),
     "old last prompt sharded"),
    ("llama3_rope", "LlamaForSequenceClassification",
     dict(KV, num_attention_heads=2, num_key_value_heads=1,
          rope_parameters=rope(
              100., factor=8., low_freq_factor=1., high_freq_factor=4.,
              original_max_position_embeddings=32, rope_type="llama3")),
     "old last prompt"),
    ("llama_linear", "LlamaForSequenceClassification",
     dict(KV, rope_parameters=rope(1000., factor=4., rope_type="linear")),
     "old last"),
    ("mistral", "MistralForSequenceClassification",
     dict(KV, sliding_window=10), "old last bfloat16"),
    ("qwen2", "Qwen2ForSequenceClassification", KV, "last"),
    ("qwen2_window", "Qwen2ForSequenceClassification",
     dict(KV, num_hidden_layers=3, use_sliding_window=True, sliding_window=10,
          max_window_layers=1), "old last"),
    ("qwen3", "Qwen3ForSequenceClassification",
     dict(KV, head_dim=8, rope_parameters=rope(1000., factor=2.,
                                               rope_type="linear")), "last"),
    ("gemma2", "Gemma2ForSequenceClassification",
     dict(KV, num_hidden_layers=3, head_dim=8, sliding_window=10,
          query_pre_attn_scalar=20, attn_logit_softcapping=3.,
          pad_token_id=0), "last"),
]


def make(cls, config, seed):
    """A model in which every term is large enough to be missed."""
    model = cls(config).eval()
    generator = torch.Generator().manual_seed(seed)
    offset = 0 if config.model_type == "gemma2" else 1
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() >= 2:
                p.copy_(noise * .3)
            elif name.endswith("weight"):
                p.copy_(offset + noise * .2)
            else:
                p.copy_(noise * .15)
    return model


# ---- its files ----

def old_config(config):
    """The same config as it was written before release 5."""
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    both = config.pop("rope_parameters", None)
    if config["model_type"] == "modernbert":
        config["global_rope_theta"] = both["full_attention"]["rope_theta"]
        config["local_rope_theta"] = both["sliding_attention"]["rope_theta"]
        config["global_attn_every_n_layers"] = 3
    elif config["model_type"] == "gpt_neox":
        config["rotary_emb_base"] = both["rope_theta"]
        config["rotary_pct"] = both["partial_rotary_factor"]
    elif both:
        config["rope_theta"] = both.pop("rope_theta")
        kind = both.pop("rope_type")
        config["rope_scaling"] = {
            "default": None, "linear": dict(type=kind, **both)
        }.get(kind, dict(rope_type=kind, **both))
    return config


def write_config(model, dtype, form, path):
    model.config.architectures = [type(model).__name__]
    model.config.dtype = dtype
    config = model.config.to_diff_dict()
    del config["transformers_version"]
    if "old" in form:
        config = old_config(config)
    text = json.dumps(config, indent=2, sort_keys=True)
    (path / "config.json").write_text(text + "\n")


def write_tensors(tensors, shards, path):
    if shards == 1:
        save_file(tensors, path / "model.safetensors", {"format": "pt"})
        return
    where = {}
    for i in range(shards):
        part = {k: tensors[k] for k in sorted(tensors)[i::shards]}
        name = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        save_file(part, path / name, {"format": "pt"})
        where |= {k: name for k in part}
    index = dict(metadata=dict(total_size=sum(
        t.numel() * t.element_size() for t in tensors.values())),
        weight_map=where)
    text = json.dumps(index, indent=2, sort_keys=True)
    (path / "model.safetensors.index.json").write_text(text + "\n")


def write(model, form, path):
    """Write a model, and round its weights to what is written."""
    dtype = next((f for f in form if f.endswith("float16")), "float32")
    tensors = {k: v.to(getattr(torch, dtype)).contiguous()
               for k, v in model.state_dict().items()}
    model.load_state_dict(tensors)
    if "gamma" in form:
        tensors = {k.replace("LayerNorm.weight", "LayerNorm.gamma")
                   .replace("LayerNorm.bias", "LayerNorm.beta"): v
                   for k, v in tensors.items()}
        tensors["bert.embeddings.position_ids"] = torch.arange(
            POSITIONS)[None]
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    write_config(model, dtype, form, path)
    write_tensors(tensors, 3 if "sharded" in form else 1, path)
    for file in path.iterdir():
        file.chmod(0o644)


# ---- what it computes ----

def load(cls, path, attention="eager"):
    model, info = cls.from_pretrained(
        path, attn_implementation=attention, dtype=torch.float32,
        output_loading_info=True)
    # A published encoder may lack its pooler, which is no part of its hidden
    # rows, and have a norm where ModernBERT's first layer has none.
    unused = "pooler.dense.weight", "pooler.dense.bias", \
        "model.layers.0.attn_norm.weight"
    for key in "missing_keys", "unexpected_keys":
        info[key] = set(info[key]) - set(unused)
    wrong = {k: v for k, v in info.items() if v}
    if wrong:
        sys.exit(f"{path}: {wrong}")
    return model.eval()


def run(model, ids, types=None):
    """The last hidden rows, and the logits if the model has a head."""
    given = dict(input_ids=torch.tensor([ids]),
                 attention_mask=torch.ones(1, len(ids), dtype=torch.long))
    if types:
        given["token_type_ids"] = torch.tensor([types])
    with torch.no_grad():
        hidden = model.base_model(**given)[0][0]
        if model.base_model is model:
            return hidden, None
        return hidden, model(**given).logits[0]


def rounded(tensor):
    if tensor.dim():
        return [rounded(t) for t in tensor]
    return float(f"{tensor.item():.7g}")


def same(name, model, other, cases, limit=1e-5):
    """Exit unless two models agree within a share of the larger numbers."""
    for case in cases:
        for a, b in zip(run(model, *case), run(other, *case)):
            if a is None:
                continue
            error = ((a - b).abs() / a.abs().clamp(min=1)).max().item()
            if not error <= limit:
                sys.exit(f"{name}: two ways differ by {error}")


def texts(seed, sizes, vocab, form=(), pad=PAD):
    rng = random.Random(seed)
    for size in sizes:
        ids = [rng.randrange(6, vocab) for _ in range(size)]
        if "pad" in form and size > 2:
            ids[size // 3] = pad
        types = [int(i >= size // 2) for i in range(size)]
        yield ids, types if "types" in form else None
    if "last" in form:
        yield [pad, 9, pad, 17, 9, 8, pad, pad], None
        yield [pad, pad], None


def case(model, ids, types=None, hidden=False):
    out = dict(ids=ids)
    if types:
        out["types"] = types
    rows, logits = run(model, ids, types)
    if hidden:
        out["hidden_last"] = rounded(rows)
    if logits is not None:
        out["logits"] = rounded(logits)
    return out


def prompts(model, pad):
    rng = random.Random(7)
    for size, sizes in (21, (5, 9, 0)), (4, (1, 12, 3, 3)):
        prompt = [rng.randrange(6, VOCAB) for _ in range(size)]
        responses = [[rng.randrange(6, VOCAB) for _ in range(k)]
                     for k in sizes]
        if size == 4:
            responses[-1][-2:] = [pad, pad]
        yield dict(prompt=prompt, responses=responses, logits=[
            rounded(run(model, prompt + r)[1])[0] for r in responses])


def save(value, path):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


def checkpoint(name, cls, config, form, out):
    form = form.split()
    seed = zlib.crc32(name.encode())
    cls = getattr(transformers, cls)
    model = make(cls, cls.config_class(**config, num_labels=1), seed)
    write(model, form, out / name)
    read = load(cls, out / name)
    pad = model.config.pad_token_id
    cases = list(texts(seed, SIZES, VOCAB, form, pad))
    model.set_attn_implementation("eager")
    same(name + ", as made and as read", model, read, cases)
    # Gemma's cap is not in torch's fused attention, and DeBERTa has none.
    if model._supports_sdpa and model.config.model_type != "gemma2":
        same(name + ", eager and sdpa", read,
             load(cls, out / name, "sdpa"), cases)
    rows = [case(read, *c, len(c[0]) in HIDDEN_SIZES)
            for c in cases]
    if "prompt" in form:
        rows += prompts(read, pad)
    save(rows, out / name / "reference.json")


def published(models, minilm):
    out = {}
    for path in sorted(p.parent for p in models.glob("*/config.json")):
        config = json.loads((path / "config.json").read_text())
        model = load(getattr(transformers, config["architectures"][0]), path)
        form = ["types"] if "type_vocab_size" in config else []
        out[path.name] = [
            case(model, *c, len(c[0]) in HIDDEN_SIZES)
            for c in texts(3, SIZES, config["vocab_size"], form)]
    model = load(transformers.BertModel, minilm)
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_padding()
    cases = out["all-MiniLM-L6-v2"] = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        rows = [0, 1, len(ids) - 1]
        cases.append(dict(ids=ids, rows=rows,
                          hidden_last=rounded(run(model, ids)[0][rows])))
    return out


def main():
    models, minilm = map(pathlib.Path, sys.argv[1:3])
    out = pathlib.Path(__file__).parent.parent / "data" / "checkpoints"
    if len(sys.argv) > 3:
        out = pathlib.Path(sys.argv[3])
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for row in CHECKPOINTS:
        checkpoint(*row, out)
    save(published(models, minilm), out / "shared.json")


if __name__ == "__main__":
    main()
