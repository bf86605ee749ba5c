#!/bin/sh
# Which of two arguments convinces more, said by five annotators a pair: soft
# labels (the share of votes) against hard ones (the majority), with whole
# topics held out.
. "$(dirname "$0")/common.sh"
need convarg/pairs.jsonl.gz
split="--split train=.8,test=.2 --split-by subset"

run "rm-tokenize -o $out/groups.rms $data/convarg/pairs.jsonl.gz"
run "rm-pair --stats $out/groups.rms"
run "rm-pair $split --take train -o $out/soft.rms $out/groups.rms"
run "rm-pair $split --take test -o $out/test.rms $out/groups.rms"

# A stream is text for as long as it takes to edit it.
run "rm-view --header $out/soft.rms |
    sed 's/\"p\":[^,}]*/\"p\":1/' | rm-view -S -o $out/hard.rms"

for labels in soft hard; do
	run "rm-train -o $out/$labels $out/$labels.rms"
	run "rm-score -m $out/$labels $out/test.rms | rm-eval"
done
