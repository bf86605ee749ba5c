#!/bin/sh
# The whole way, on generated preferences whose true reward is known: text,
# tokens, pairs, a model, scores, a report beside the ceiling, a calibration.
. "$(dirname "$0")/common.sh"
prefs=examples/preferences.jsonl
model=$out/model

run "examples/generate > $prefs"
run "head -n 1 $prefs"

run "rm-tokenize $prefs | rm-pair --take train | rm-train -o $model"
run "rm-tokenize --per-response true_reward $prefs | rm-pair --take test |
    rm-score -m $model | tee $out/scored.rms | rm-eval"
run "rm-tokenize $prefs | rm-pair --take valid | rm-score -m $model |
    rm-calibrate --fit temperature --into $model"
