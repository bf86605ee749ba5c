#!/usr/bin/env python3
"""Transformers' own compiled templates on one thread, beside template.c.

usage: template_peer.py conversations DATA > conversations
       template_peer.py DIRECTORY < conversations
"""
import datetime
import glob
import gzip
import json
import os
import re
import sys
import time
import zlib


def conversations(data):
    """Those of HH, as messages with a system message, JSON on a line."""
    role = dict(Human="user", Assistant="assistant")
    for path in sorted(glob.glob(data + "/hh/*.jsonl.gz")):
        for line in gzip.open(path, "rt"):
            parts = re.split(r"\n\n(Human|Assistant): ?",
                             json.loads(line)["chosen"])[1:]
            talk = [dict(role="system", content="You are helpful.")]
            talk += [dict(role=role[r], content=c)
                     for r, c in zip(parts[::2], parts[1::2])]
            print(json.dumps(talk))


def source(directory):
    file = os.path.join(directory, "chat_template.jinja")
    if os.path.exists(file):
        return open(file).read()
    config = os.path.join(directory, "tokenizer_config.json")
    return json.load(open(config))["chat_template"]


def main():
    from transformers.utils import chat_template_utils

    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2025, 3, 9)

    chat_template_utils.datetime = Frozen
    template = chat_template_utils._compile_jinja_template(
        source(sys.argv[1]))
    talks = [json.loads(line) for line in sys.stdin]

    def render(talk):
        return template.render(messages=talk, tools=None, documents=None,
                               add_generation_prompt=False, bos_token="<s>",
                               eos_token="</s>")

    size = crc = 0
    for talk in talks:
        text = render(talk).encode()
        size += len(text)
        crc = zlib.crc32(text, crc)
    start = time.process_time()
    for talk in talks:
        render(talk)
    print(f"{size / 1e6:.6f} {time.process_time() - start:.6f} {crc:08x}")


if __name__ == "__main__":
    if sys.argv[1] == "conversations":
        conversations(sys.argv[2])
    else:
        main()
