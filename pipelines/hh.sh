#!/bin/sh
# HH transcripts to a report: whole dialogues, two endings each, three subsets.
# The prompt ends after the last "Assistant:" that both endings share.
. "$(dirname "$0")/common.sh"
need hh/harmless-base.jsonl.gz
hh="$data/hh/*.jsonl.gz"
model=$out/model

run "rm-tokenize $hh | rm-pair --stats"
run "rm-tokenize $hh | rm-pair --take train | rm-train -o $model"
run "rm-tokenize -m $model $hh | rm-pair --take test | rm-score -m $model |
    rm-eval --by subset"
