#!/bin/sh
# Ratings of a dozen answers to one question into rankings of answers.
. "$(dirname "$0")/common.sh"
need arena/ratings.jsonl.gz
ratings=$data/arena/ratings.jsonl.gz
model=$out/model

run "rm-tokenize --keep-text -o $out/groups.rms $ratings"
run "rm-pair --take train $out/groups.rms | rm-train -o $model"

# Groups stay whole in the test: the report has rank correlations.
run "rm-pair --as list --take test $out/groups.rms |
    rm-score -m $model --rank -o $out/ranked.rms"
run "rm-eval $out/ranked.rms"

# Best of n: the one answer that the model would choose, for each question.
run "rm-pair --as list --take test $out/groups.rms |
    rm-score -m $model --best 1 -o $out/best.rms"
run "rm-view -n 3 $out/best.rms | cut -c 1-400"
