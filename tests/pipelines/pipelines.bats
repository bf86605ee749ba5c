#!/usr/bin/env bats
# The worked pipelines, whole, on the data they are written for.
load ../tools/common

setup() {
	cd "$top"
	export RM_DATA=$data OUT=$BATS_TEST_TMPDIR
}

@test "demo: ends in the model's figures beside the ceiling" {
	run pipelines/demo.sh
	assert_success
	assert_output --partial "rm-train: "
	accuracy=$(awk '$1 == "accuracy" { print $2, $NF }' \
		<<< "$(tail -5 <<< "$output")")
	# Learnt far more than a coin, and no more than there is to learn.
	awk '{ exit !($1 > .7 && $1 <= $2 && $2 < .9) }' <<< "$accuracy"
}

@test "hh: transcripts to a report by subset" {
	need_data hh/harmless-base.jsonl.gz
	run pipelines/hh.sh
	assert_success
	assert_output --partial "535 comparisons, 535 records, 534 prompts"
	assert_line --regexp "^  helpful-rejection-sampled +250 "
}

@test "report: transcripts to a page of HTML with pictures" {
	need_data hh/harmless-base.jsonl.gz
	run pipelines/report.sh
	assert_success
	assert_line "A page to open in a browser: $OUT/report.html"
	page=$OUT/report.html
	grep -q "535 comparisons, 535 records, 1,070 responses, 534 prompts" \
		"$page"
	for name in length margins reliability rewards subsets training; do
		grep -q "<figure id=\"picture-$name\">" "$page" ||
			fail "no picture $name"
		[ -s "$OUT/pictures/$name.svg" ] && [ -s "$OUT/pictures/$name.png" ]
	done
	grep -q "<bdi>helpful-rejection-sampled</bdi></th><td>250</td>" "$page"
	# Before and after calibration.
	for curve in "sigmoid(d)" calibrated; do
		grep -q ">$curve<" "$OUT/pictures/reliability.svg"
	done
	# A few hundred kilobytes, whatever the size of the data.
	[ "$(wc -c < "$page")" -lt 400000 ]
}

@test "argument-quality: soft labels beat hard ones in log-loss" {
	need_data convarg/pairs.jsonl.gz
	run pipelines/argument-quality.sh
	assert_success
	losses=$(awk '$1 == "log_loss" { print $2 }' <<< "$output")
	awk 'NR == 1 { soft = $1 } NR == 2 { hard = $1 }
	     END { exit !(NR == 2 && soft < hard && hard < .693) }' \
		<<< "$losses"
}

@test "ratings: rankings of a dozen answers" {
	need_data arena/ratings.jsonl.gz
	run pipelines/ratings.sh
	assert_success
	rho=$(awk '$1 == "spearman" { print $2; exit }' <<< "$output")
	awk '{ exit !($1 > .3 && $1 < 1) }' <<< "$rho"
	run rm-view "$OUT/best.rms"
	assert_success
	for line in "${lines[@]}"; do
		[ "$(jq '.reward | length' <<< "$line")" -eq 1 ]
	done
}

@test "sweep: one table of all settings" {
	need_data humour/pairs.csv.gz
	run make -s -f pipelines/sweep.mk -j2 NGRAMS="1 3" LR=.001 SEEDS=1
	assert_success
	assert_line --regexp "^settings +accuracy +log loss$"
	[ "$(grep -c '^ngrams=' <<< "$output")" -eq 2 ]
	awk '/^ngrams=/ && !($2 > .6 && $2 < .9) { exit 1 }' <<< "$output"
}

@test "objectives: every loss, head, pooling and encoding has its figures" {
	need_data arena/ratings.jsonl.gz
	need_data convarg/pairs.jsonl.gz
	run make -s -f pipelines/objectives.mk -j2 OUT="$OUT" RATINGS=40 \
		PAIRS=100
	assert_success
	for row in $(rm-train --loss list | grep -o '^[a-z][a-z-]*'); do
		assert_line --regexp "^loss-$row +0?\\.[0-9]+ "
	done
	for row in head-{mlp,multi,multitask,ensemble,calibrated} \
		base-{native,first,last,mean,max,attention} \
		base-{separate,cross,gated,hierarchical,uncertainty}; do
		assert_line --regexp "^$row +0?\\.[0-9]+ "
	done
	words=$(sed -n 's/.*log-loss: \(.*\) and \(.*\)/\1 \2/p' <<< "$output")
	awk '{ exit !($1 < $2) }' <<< "$words" || fail "soft, hard: $words"
	assert_line --regexp "disagreement.*Spearman: -?0?\\.[0-9]+$"
}
