#!/bin/sh
# HH transcripts to a page of HTML: every figure with its interval, pictures,
# and how training went.  The calibration is fitted to data that the model was
# neither trained nor is judged on.
. "$(dirname "$0")/common.sh"
need hh/harmless-base.jsonl.gz
hh="$data/hh/*.jsonl.gz"
model=$out/model

run "rm-tokenize -o $out/groups.rms $hh"
run "rm-pair --take train $out/groups.rms |
    rm-train -o $model --valid .1 --log $out/train.log"
run "rm-pair --take valid $out/groups.rms | rm-score -m $model |
    rm-calibrate --fit temperature -o $out/temperature.json"
run "rm-pair --take test $out/groups.rms | rm-score -m $model |
    rm-calibrate --apply $out/temperature.json -o $out/test.scores"
run "rm-eval --by subset --log $out/train.log --plot $out/pictures \\
    --format html -o $out/report.html $out/test.scores"
echo
echo "A page to open in a browser: $out/report.html"
