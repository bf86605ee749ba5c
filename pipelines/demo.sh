#!/bin/sh
# The whole way, on generated preferences whose true reward is known: text,
# tokens, pairs, a model, scores, a report beside the ceiling, a calibration.
. "$(dirname "$0")/common.sh"
prefs=examples/preferences.jsonl
model=$out/model

run "examples/generate > $prefs"
run "head -n 1 $prefs"

# A model of the training part, and its report on prompts it never saw.  The
# true rewards go along as a teacher's.
run "rm-tokenize $prefs | rm-pair --take train | rm-train -o $model"
run "rm-tokenize -m $model --teacher true_reward $prefs > $out/prefs.rms"
run "rm-pair --take test $out/prefs.rms | rm-score -m $model > $out/test.rms"
run "rm-eval $out/test.rms"

# Its probabilities, set right on the validation part.
run "rm-pair --take valid $out/prefs.rms | rm-score -m $model |
    rm-calibrate --fit temperature --into $model"

# The report again, beside that of the true rewards: the ceiling.
figures=accuracy,auc,log_loss,brier,ece
run "rm-pair --take test $out/prefs.rms | rm-score -m $model --prob |
    rm-eval --metrics $figures --format tsv > $out/model.tsv"
run "rm-eval --metrics $figures --format tsv --field teacher $out/test.rms \\
    > $out/ceiling.tsv"
table=$(cat <<'END'
awk -F '\t' '
    NR == 1 { print "held-out prompts   model  [95 % interval]   ceiling" }
    NR > 2 && $2 !~ /^bin_/ {
              interval = $4 == "" ? "" : sprintf("[%.4f, %.4f]", $4, $5)
              printf "  %-14s %7.4f  %-16s %8.4f\n", $2, $3, interval, $8 }'
END
)
run "paste $out/model.tsv $out/ceiling.tsv | $table"
