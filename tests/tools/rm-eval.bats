#!/usr/bin/env bats
# rm-eval: reports of scored streams, and what it refuses.
load common

# Four pairs of three prompts, in two subsets.
setup() {
	cd "$BATS_TEST_TMPDIR"
	cat > pairs.jsonl <<- END
	{"id":"a","key":1,"subset":"x","rank":[0,1],"length":[10,5],"reward":[1.5,0.5]}
	{"id":"b","key":1,"subset":"x","rank":[0,1],"length":[10,50],"reward":[0.5,0.7]}
	{"id":"c","key":2,"subset":"y","rank":[0,1],"length":[10,5],"reward":[1.5,1.5]}
	{"id":"d","key":3,"subset":"y","rank":[0,1],"length":[10,9],"reward":[3,-1]}
	END
	rm-view -S pairs.jsonl > pairs.scores
}

# near A B: equal to 1e-12.
near() {
	awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !(d * d < 1e-24) }' ||
		fail "$1 is not $2"
}

@test "--field reads the rewards from another field" {
	printf '%s\n' '{"id":"a","rank":[0,1],"reward":[0,1],"teacher":[2,1]}' |
		rm-view -S > two.rms
	run bash -c 'rm-eval two.rms --format json | jq .accuracy'
	assert_output 0
	run bash -c 'rm-eval two.rms --field teacher --format json | jq .accuracy'
	assert_output 1
	run rm-eval two.rms --field rank2
	assert_failure 1
	assert_output --partial "no field rank2"
	run rm-eval two.rms --field id
	assert_failure 1
	assert_output --partial "field id is str, not one number a response"
}

@test "JSON has the promised keys, and the figures are right" {
	rm-eval --format json pairs.scores > r.json
	for key in n accuracy accuracy_ci ties log_loss brier ece ece_seed auc \
		spearman kendall length_corr subsets accuracy_macro; do
		jq -e "has(\"$key\")" r.json > /dev/null || fail "no $key"
	done
	assert_equal "$(jq -c '[.n, .ties, .accuracy, .longer_wins]' r.json)" \
		'[4,1,0.625,0.75]'
	assert_equal "$(jq '.accuracy_ci | length' r.json)" 2
	assert_equal "$(jq -c '.subsets | keys' r.json)" '["x","y"]'
	assert_equal "$(jq '.subsets.y.accuracy' r.json)" 0.75
	near "$(jq .brier r.json)" "$(awk 'BEGIN {
		a = 1 / (1 + exp(1)); b = 1 / (1 + exp(-.2)); c = .5
		d = 1 / (1 + exp(4))
		printf "%.15f", (a * a + b * b + c * c + d * d) / 4 }')"
}

@test "a figure that cannot be computed is null, with a reason" {
	rm-eval --format json pairs.scores > r.json
	assert_equal "$(jq .spearman r.json)" null
	assert_equal "$(jq -r .missing.spearman r.json)" \
		"no group of three or more responses that vary"
	run rm-eval pairs.scores
	assert_line --regexp '^  spearman +n/a  no group of three'
}

@test "the text page names each figure and fits 80 columns" {
	run rm-eval pairs.scores
	assert_success
	assert_line --index 0 "Report on pairs.scores"
	assert_line --regexp '^  accuracy +62\.5 %  \[34\.4, 90\.6\]'
	assert_line --regexp '^  x +2 +50\.0 %'
	for line in "${lines[@]}"; do
		[ "${#line}" -le 80 ] || fail "$line"
	done
}

@test "TSV has a line for each figure of each part" {
	run rm-eval --metrics accuracy,ties --format tsv pairs.scores
	assert_success
	assert_line --index 0 $'subset\tmetric\tvalue\tlow\thigh'
	assert_line $'*\tties\t1\t\t'
	assert_line $'y\taccuracy\t0.75\t0.2600090038649865\t1'
	assert_equal "${#lines[@]}" 10
}

@test "--ties says how equal rewards count" {
	for t in half:0.625 wrong:0.5 right:0.75; do
		assert_equal "$(rm-eval --ties "${t%:*}" --format json \
			pairs.scores | jq .accuracy)" "${t#*:}"
	done
}

@test "--metrics chooses, lists and refuses" {
	run rm-eval --metrics auc --format json pairs.scores
	assert_success
	assert_equal "$(jq 'has("auc") and (has("accuracy") | not)' \
		<<< "$output")" true
	run rm-eval --metrics list
	assert_success
	assert_line "kendall_pooled"
	assert_output --partial "one-sided form"
	run rm-eval --metrics auc,f1 pairs.scores
	assert_failure 2
	assert_output --partial 'unknown metric "f1" (there are accuracy,'
}

@test "--by takes a field or a column of extra" {
	run rm-eval --by id --metrics accuracy --format tsv pairs.scores
	assert_success
	assert_line $'d\taccuracy\t1\t\t'
	jq -c '.extra = {model: (.reward[0] | tostring)}' pairs.jsonl |
		rm-view -S > extra.scores
	run rm-eval --by model --metrics accuracy --format tsv extra.scores
	assert_success
	assert_line --partial $'1.5\taccuracy\t0.75'
	run rm-eval --by colour extra.scores
	assert_failure 1
	assert_output --partial 'no record has a column "colour" in extra'
	run rm-eval --by colour pairs.scores
	assert_failure 1
	assert_output --partial "no field colour"
}

@test "the same bytes for any number of threads, and by seed" {
	for i in $(seq 1 400); do
		cat pairs.jsonl
	done | jq -c '.key = .key * 1000 + (input_line_number % 97)' |
		rm-view -S > many.scores
	for f in text json tsv; do
		rm-eval --no-history --bootstrap 100 --format $f -@ 1 \
			many.scores > one
		rm-eval --no-history --bootstrap 100 --format $f -@ 3 \
			many.scores > three
		cmp one three
	done
	rm-eval --bootstrap 100 --format json many.scores > a
	rm-eval --bootstrap 100 -s 2 --format json many.scores > b
	[ "$(jq -c .accuracy_ci a)" != "$(jq -c .accuracy_ci b)" ]
	assert_equal "$(jq .accuracy a)" "$(jq .accuracy b)"
	assert_equal "$(jq '.ece_ci | length' a)" 2
	assert_equal "$(jq -r .interval a)" bootstrap
}

@test "files one after another count as one stream" {
	assert_equal "$(rm-eval --format json pairs.scores pairs.scores |
		jq .n)" 8
	assert_equal "$(cat pairs.scores | rm-eval --format json | jq .n)" 4
}

@test "the history ends in the report, unless told otherwise" {
	assert_equal "$(rm-eval --format json pairs.scores |
		jq -r '[.history[].tool] | join(" ")')" "rm-view rm-eval"
	assert_equal "$(rm-eval --no-history --format json pairs.scores |
		jq 'has("history")')" false
	run rm-eval --no-history pairs.scores
	refute_output --partial "Made by"
}

@test "rewards are needed, and NaN is no reward" {
	jq -c 'del(.reward)' pairs.jsonl | rm-view -S > none.scores
	run rm-eval none.scores
	assert_failure 1
	assert_output --partial "rm-eval: no field reward: run rm-score first"
	jq -c 'if .id == "c" then .reward[1] = null else . end' pairs.jsonl |
		rm-view -S > nan.scores
	run rm-eval nan.scores
	assert_failure 1
	assert_output "rm-eval: nan.scores: record 3: field reward: that of response 1 is missing (NaN)"
}

@test "a stream without comparisons is an error" {
	echo '{"id":"a","reward":[1]}' | rm-view -S > single.scores
	run rm-eval single.scores
	assert_failure 1
	assert_output --partial "single.scores: no comparisons in 1 records"
	echo '{"id":"a","rank":[1,1,1],"reward":[1,2,3]}' |
		rm-view -S > tied.scores
	run rm-eval tied.scores
	assert_failure 1
	assert_output --partial "no comparisons"
}

@test "damage is an error, and -o leaves what was there" {
	echo old > report
	head -c -20 pairs.scores > cut.scores
	run rm-eval -o report cut.scores
	assert_failure 1
	assert_output --partial "cut.scores"
	assert_equal "$(cat report)" old
	rm-eval -o report pairs.scores
	assert_equal "$(head -n 1 report)" "Report on pairs.scores"
	run bash -c "rm-eval pairs.scores > /dev/full"
	assert_failure 1
	assert_output --partial "No space left on device"
}

@test "objectives are held against attributes, sureness against votes" {
	jq -n -c 'range(4) as $i | { id: "\($i)", rank: [0, 1, 2],
		attributes: { help: [3, 2, $i], harm: [0, 0, 1] },
		votes: [[9, 1, 0, 0], [8, 2, 0, 0], [4, 3, 2, 1], [6, 4, 0, 0]][$i],
		reward: [3, 2, 1], reward_sd: ([.1, .2, .9, .15][$i] | [., ., .]),
		objectives: { help: [.5, .25, .1], harm: [1, 2, 3],
			level1: [0, 0, 0] } }' | rm-view -S > beside.scores
	run rm-eval beside.scores
	assert_success
	# help: of 3, 3, 2 and 2 pairs all are in order but one of the last.
	assert_line --regexp '^  help +90\.0 %  rho  [0-9.]+  10 comparisons, 12 responses$'
	assert_line --regexp '^  harm +100\.0 %  rho  [0-9.]+  8 comparisons, 12 responses$'
	assert_line "  level1           no attribute of that name"
	assert_line "  reward_sd        rho  0.8000  with the entropy of votes or p, 4 records"
	run bash -c "rm-eval --format json beside.scores | jq -c '
		[.objectives.help.n, .objectives.help.accuracy,
		.objectives.level1.spearman, .disagreement.records,
		(.disagreement.spearman * 1e9 | round)]'"
	assert_output '[10,0.9,null,4,800000000]'
	# They are beside the field reward, and no metrics.
	run rm-eval --metrics accuracy beside.scores
	refute_output --partial "help"
	run bash -c "rm-eval --format json pairs.scores | jq 'has(\"objectives\")'"
	assert_output false
	rm-view beside.scores | jq -c '.objectives.help[1] = null' |
		rm-view -S > hole.scores
	run rm-eval hole.scores
	assert_failure 1
	assert_output --partial "field objectives: help of response 1 is no number"
}

# pairs.jsonl as another model scores it, last first: a is wrong, b right.
others() {
	tac pairs.jsonl | jq -c 'if .id < "c" then .reward |= reverse
		else . end' | rm-view -S > other.scores
}

@test "--against tells the difference of two models on the same records" {
	others
	rm-eval --format json --against other.scores pairs.scores > r.json
	assert_equal "$(jq -c '.against | [.input, .better, .worse, .alike,
		.mcnemar_p, .accuracy]' r.json)" '["other.scores",1,1,2,1,0]'
	# a: -1 for +1; b: -.2 for +.2; the others cancel.
	near "$(jq .against.log_loss r.json)" "$(awk 'BEGIN {
		printf "%.15f", (.2 - 1) / 4 }')"
	assert_equal "$(jq '.against.log_loss_ci | length' r.json)" 2
	run rm-eval --against other.scores pairs.scores
	assert_line "Is it better than other.scores?"
	assert_line --partial "McNemar's exact p 1"
	assert_line --partial "Neither is shown to be better"
	run rm-eval --against other.scores --format tsv pairs.scores
	# One prompt has both, so nothing varies between prompts.
	assert_line $'*\tagainst_accuracy\t0\t0\t0'
	assert_line $'*\tagainst_mcnemar_p\t1\t\t'
	# From a pipe as well, and with resamples.
	cat pairs.scores | rm-eval --bootstrap 50 --against other.scores |
		grep -q "Is it better"
}

@test "--against refuses streams of different prompts by name" {
	others
	jq -c 'select(.id != "b")' pairs.jsonl | rm-view -S > fewer.scores
	run rm-eval --against fewer.scores pairs.scores
	assert_failure 1
	assert_output 'rm-eval: fewer.scores has no record "b" of pairs.scores (1 of 4 are missing): the streams are not of the same prompts'
	run rm-eval --against pairs.scores fewer.scores
	assert_failure 1
	assert_output --partial 'fewer.scores has no record "b" of pairs.scores'
	jq -c '.key += 1' pairs.jsonl | rm-view -S > keys.scores
	run rm-eval --against keys.scores pairs.scores
	assert_failure 1
	assert_output --partial 'keys.scores: record "a" is of another prompt'
	jq -c 'del(.id)' pairs.jsonl | rm-view -S > noid.scores
	run rm-eval --against noid.scores pairs.scores
	assert_failure 1
	assert_output --partial "noid.scores: --against joins by id: no field id"
	run rm-eval --against nowhere pairs.scores
	assert_failure 1
	assert_output --partial "nowhere"
}

@test "--min-detectable tells what could be seen, or why nothing" {
	others
	rm-eval --min-detectable --format json --against other.scores \
		pairs.scores > r.json
	# Of the interval, before it is cut at 1.
	near "$(jq '.min_detectable.fixed * 100' r.json)" "$(jq '
		(.accuracy - .accuracy_ci[0]) / 1.959963984540054 *
		2.801581787013579 * 100' r.json)"
	jq -e '.min_detectable | .apart > .fixed and .paired == null' r.json
	jq -c '.reward[1] += .key - 1.7' pairs.jsonl | rm-view -S > more.scores
	rm-eval --min-detectable --format json --against more.scores \
		pairs.scores | jq -e '.min_detectable.paired > 0'
	run rm-eval --min-detectable pairs.scores
	assert_line --regexp "^ +[0-9.]+ %  from a fixed value"
	head -n 2 pairs.jsonl | rm-view -S > one.scores
	run rm-eval --min-detectable one.scores
	assert_failure 1
	assert_output --partial "one prompt alone tells nothing"
	jq -c '.reward = [1,0]' pairs.jsonl | rm-view -S > right.scores
	run rm-eval --min-detectable right.scores
	assert_failure 1
	assert_output --partial "all prompts have the same accuracy"
}

@test "the parts of the Brier score add up, bin by bin" {
	rm-eval --format json pairs.scores > r.json
	jq -e '(.reliability - .resolution + .uncertainty + .within_var -
		.within_cov - .brier | fabs) < 1e-12' r.json
	assert_equal "$(jq -c '[.bins.width, .bins.mass | length]' r.json)" \
		'[10,10]'
	assert_equal "$(jq '[.bins.mass[].points] | add' r.json)" 8
	jq -e '([.bins.width[] | select(.weight > 0) | .weight *
		(.prob - .label | fabs)] | add / 8) - .ece | fabs < 1e-12' r.json
	run rm-eval --metrics ece,ece_mass --format tsv pairs.scores
	assert_line $'*\tbin_width_9_high\t1\t\t'
	assert_line $'*\tbin_mass_0_low\t0\t\t'
	run rm-eval --metrics ece pairs.scores
	assert_line "Of what it calls likely, how much happens?  (from both sides)"
	run rm-eval --metrics accuracy pairs.scores
	refute_output --partial "how much happens"
}

# old.scores and new.scores of different records, without labels.
drifted() {
	jq -n -c 'range(40) | {id: "o\(.)", key: ., length: [10 + .],
		reward: [. * 37 % 40 / 10]}' | rm-view -S > old.scores
	jq -n -c 'range(30) | {id: "n\(.)", key: ., subset: "a\"b\\",
		length: [10 + .], reward: [2 + . * 7 % 30 / 10]}' |
		rm-view -S > new.scores
}

@test "--baseline tells the drift of rewards and lengths in each format" {
	drifted
	rm-eval --baseline old.scores --format json new.scores > r.json
	assert_equal "$(jq -c '.drift | [.baseline, .reward.n,
		.reward.baseline_n, .length.ks, .reward.ks_p_kind]' r.json)" \
		'["old.scores",30,40,0.25,"asymptotic"]'
	near "$(jq .drift.reward.shift r.json)" 1.5
	jq -e '.drift.reward | .shift_ci[0] < 1.5 and .shift_ci[1] > 1.5 and
		.psi > 1 and .ks == 0.5 and .ks_p < 1e-3 and
		(.shift_sd - 1.5 / .baseline_sd | fabs) < 1e-12' r.json
	assert_equal "$(jq -r .missing.accuracy r.json)" "no comparisons"
	run rm-eval --baseline old.scores new.scores
	assert_success
	assert_line "Has it drifted from old.scores?"
	assert_line --regexp '^  psi .*: changed clearly$'
	assert_line --regexp '^  ks +0\.5000  asymptotic p '
	assert_line --regexp '^  shift +\+1\.5  \[[0-9.]+, [0-9.]+\]'
	refute_output --partial accuracy_macro
	for line in "${lines[@]}"; do
		[ "${#line}" -le 80 ] || fail "$line"
	done
	run rm-eval --baseline old.scores --format tsv new.scores
	assert_line $'*\tdrift_reward_ks\t0.5\t\t'
	assert_line --regexp $'^\\*\tdrift_length_shift\t-5\t-[0-9.]+\t-?[0-9.]+$'
	# A labelled stream has its figures beside; the baseline may be a pipe.
	run bash -c 'rm-eval --baseline - pairs.scores < old.scores'
	assert_success
	assert_line --regexp '^  accuracy +62\.5 %'
	assert_line "Has it drifted from <stdin>?"
}

@test "limits on drift are told and set exit status 3" {
	drifted
	run rm-eval --baseline old.scores --max-psi 9 --max-ks .5 \
		--max-shift 2 new.scores
	assert_success
	run rm-eval --baseline old.scores --max-ks .4 \
		--max-shift 1 -o r.txt new.scores
	assert_failure 3
	assert_output --regexp '^rm-eval: drift: ks of reward is 0\.5, above 0\.4; \|shift_sd\| of reward is 1\.[0-9]+, above 1$'
	grep -q "Has it drifted" r.txt
	run rm-eval --baseline old.scores --max-psi 0 old.scores
	assert_success
	run rm-eval --max-psi .2 new.scores
	assert_failure 2
	assert_output --partial "are of --baseline"
	run rm-eval --baseline old.scores --max-psi -1 new.scores
	assert_failure 2
	run bash -c 'rm-eval --baseline old.scores --max-ks .1 new.scores > /dev/full'
	assert_failure 1
}

@test "--baseline refuses what has no drift by name" {
	drifted
	rm-view old.scores | jq -c '.reward = [3]' | rm-view -S > flat.scores
	run rm-eval --baseline flat.scores new.scores
	assert_failure 1
	assert_output "rm-eval: flat.scores: constant rewards (40, all 3), so that there is no drift to tell"
	run rm-eval --baseline old.scores flat.scores
	assert_failure 1
	assert_output --partial "flat.scores: constant rewards"
	rm-view old.scores | jq -c 'del(.reward)' | rm-view -S > bare.scores
	run rm-eval --baseline bare.scores new.scores
	assert_failure 1
	assert_output --partial "rm-eval: bare.scores: no field reward: run rm-score first"
	rm-view old.scores | jq -c 'if .id == "o2" then .reward = [null]
		else . end' | rm-view -S > nan.scores
	run rm-eval --baseline nan.scores new.scores
	assert_failure 1
	assert_output "rm-eval: nan.scores: record 3: field reward: that of response 0 is missing (NaN)"
	: > empty.scores
	run rm-eval --baseline empty.scores new.scores
	assert_failure 1
	assert_output --partial "empty.scores: empty: not even a header"
	head -c -9 old.scores > cut.scores
	run rm-eval --baseline cut.scores new.scores
	assert_failure 1
	assert_output --partial "cut.scores"
	run rm-eval --baseline nowhere new.scores
	assert_failure 1
	assert_output --partial "nowhere"
	# Without lengths there is a reason, and no figure.
	rm-view old.scores | jq -c 'del(.length)' | rm-view -S > short.scores
	rm-eval --baseline short.scores --format json new.scores > r.json
	assert_equal "$(jq -c '.drift.length | [.psi, .shift_ci, .missing]' \
		r.json)" '[null,null,"no response of the baseline has a length"]'
}

# Each sample's family has HELP and TYPE before it, and is in one piece.
exposition() {
	awk '/^# HELP rmtools_/ { help = $3; next }
		/^# TYPE / { if ($3 != help || seen[$3]++ || $4 != "gauge")
			exit bad = 1; type = $3; n++; next }
		{ name = $0; sub(/[{ ].*/, "", name)
		if (name != type || $NF !~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/)
			exit bad = 1; if (key[$0]++) exit bad = 1 }
		END { exit bad || !n }' "$1"
}

@test "--format prometheus has every figure that exists, and no other" {
	drifted
	rm-eval --baseline old.scores --format prometheus new.scores > r.prom
	exposition r.prom
	grep -qx 'rmtools_drift_ks{of="reward"} 0.5' r.prom
	grep -qx 'rmtools_drift_shift{of="length"} -5' r.prom
	grep -q '^rmtools_drift_shift_low{of="reward"} ' r.prom
	grep -qxF 'rmtools_comparisons{subset="a\"b\\"} 0' r.prom
	run grep -iE 'accuracy|nan|inf$' r.prom
	assert_failure 1
	rm-eval --format prometheus pairs.scores > r.prom
	exposition r.prom
	grep -qx 'rmtools_accuracy{subset="\*"} 0.625' r.prom
	grep -qx 'rmtools_accuracy{subset="y"} 0.75' r.prom
	grep -q '^rmtools_accuracy_low{subset="\*"} 0.34' r.prom
	grep -qx 'rmtools_prompts 3' r.prom
	run grep -E 'drift|spearman\{' r.prom
	assert_failure 1
	others
	rm-eval --min-detectable --against other.scores --format prometheus \
		pairs.scores > r.prom
	exposition r.prom
	grep -qx 'rmtools_against_mcnemar_p 1' r.prom
	grep -q '^rmtools_min_detectable_fixed 0' r.prom
	jq -c '.subset = "*"' pairs.jsonl | rm-view -S > star.scores
	run rm-eval --format prometheus star.scores
	assert_failure 1
	assert_output --partial 'a part named "*"'
}

@test "constant rewards are an error, not 50 %" {
	jq -c '.reward = [2,2]' pairs.jsonl | rm-view -S > constant.scores
	run rm-eval constant.scores
	assert_failure 1
	assert_output "rm-eval: constant.scores: every comparison ties (constant rewards): there is nothing to evaluate"
}

@test "wrong usage exits 2" {
	run rm-eval --ties maybe pairs.scores
	assert_failure 2
	assert_output --partial "half, wrong, right"
	run rm-eval --format pdf pairs.scores
	assert_failure 2
}

# ---- other data, attacks, texts that were changed ----

# pairs.jsonl with rewards under attack.
attacked() {
	jq -c '.attack = {"0.1": [.reward[0] - .3, .reward[1]],
		"1": [.reward[0] - 3, .reward[1]]}' pairs.jsonl |
		rm-view -S > attacked.scores
}

@test "--ood: each figure here, there, and the gap with its interval" {
	jq -c '.reward |= reverse' pairs.jsonl | rm-view -S > ood.scores
	rm-eval --format json --ood ood.scores pairs.scores > r.json
	assert_equal "$(jq -c '.ood | [.input, .n, .records, .clusters]
		' r.json)" '["ood.scores",4,4,3]'
	assert_equal "$(jq -c '.ood.gaps.accuracy | [.in, .out, .gap]
		' r.json)" '[0.625,0.375,0.25]'
	# Independent samples of the same errors.
	near "$(jq '.ood.gaps.log_loss | .gap - .gap_ci[0]' r.json)" "$(
		rm-eval --format json ood.scores | jq -s '[.[] |
			.log_loss_ci[1] - .log_loss] | map(. * .) | add | sqrt
			' - r.json)"
	assert_equal "$(jq -c '.ood.gaps | has("ties")' r.json)" false
	run rm-eval --ood ood.scores pairs.scores
	assert_line "Does it hold on ood.scores?  (4 comparisons, 3 prompts)"
	assert_line --regexp "^  accuracy +62.5 % +37.5 % +\+25.0 %  \["
	assert_line "  -> Accuracy is not shown to differ."
	run rm-eval --ood ood.scores --format tsv pairs.scores
	assert_line $'*\tood_accuracy\t0.375\t\t'
	assert_line --regexp $'^\\*\tood_gap_accuracy\t0.25\t-'
	run rm-eval --ood ood.scores --format prometheus pairs.scores
	assert_line "rmtools_ood_accuracy 0.375"
	assert_line "rmtools_ood_gap_accuracy 0.25"
	assert_line --regexp "^rmtools_ood_gap_accuracy_low -"
	# Not the same records, and no ids at all.
	jq -c 'del(.id)' pairs.jsonl | head -n 2 | rm-view -S > noid.scores
	rm-eval --ood noid.scores --metrics accuracy --format json \
		pairs.scores | jq -e '.ood.gaps | keys == ["accuracy"]'
}

@test "--ood refuses what has no figures, by name" {
	run rm-eval --ood nowhere pairs.scores
	assert_failure 1
	assert_output --partial nowhere
	jq -c '.reward = [1, 1]' pairs.jsonl | rm-view -S > same.scores
	run rm-eval --ood same.scores pairs.scores
	assert_failure 1
	assert_output --partial "same.scores: every comparison ties"
	jq -c 'del(.reward)' pairs.jsonl | rm-view -S > none.scores
	run rm-eval --ood none.scores pairs.scores
	assert_failure 1
	assert_output --partial "none.scores: no field reward"
}

@test "rewards under attack are a table by eps in every format" {
	attacked
	rm-eval --format json attacked.scores > r.json
	assert_equal "$(jq -c '.attack.spec' r.json)" null
	assert_equal "$(jq -c '[.attack.rows[] | [.eps, .accuracy,
		.flip_rate, .tie_rate]]' r.json)" \
		'[[0,0.625,0,0],[0.1,0.5,0,0.25],[1,0.25,0.25,0.25]]'
	near "$(jq '.attack.rows[0].log_loss' r.json)" "$(
		jq .log_loss r.json)"
	near "$(jq '.attack.rows | .[2].log_loss - .[0].log_loss' r.json)" \
		"$(jq '.attack.rows[2].increase' r.json)"
	run rm-eval attacked.scores
	assert_line "Does it withstand an attack on its inputs?"
	assert_line --regexp "^  0.1 +50.0 % +\[.*\] +[0-9.]+ +\+[0-9.]+ +0.0 % +25.0 %$"
	run rm-eval --format tsv attacked.scores
	assert_line --regexp $'^\\*\tattack_0.1_accuracy\t0.5\t'
	run rm-eval --format prometheus attacked.scores
	assert_line 'rmtools_attack_accuracy{eps="0.1"} 0.5'
	assert_line 'rmtools_attack_flip_rate{eps="1"} 0.25'
	# They are of the field reward, and no metric.
	run rm-eval --metrics accuracy attacked.scores
	refute_output --partial "attack on its inputs"
	jq -c '.attack = {"one": .reward}' pairs.jsonl | rm-view -S > bad.scores
	run rm-eval bad.scores
	assert_failure 1
	assert_output --partial "bad.scores: record 1: field attack: eps"
}

@test "--against tells how many comparisons turn round" {
	others
	rm-eval --format json --against other.scores pairs.scores > r.json
	assert_equal "$(jq -c '.against | [.flip_rate, .tie_rate]' r.json)" \
		'[0.5,0]'
	assert_equal "$(jq '.against.flip_rate_ci | length' r.json)" 2
	run rm-eval --against other.scores pairs.scores
	assert_line --regexp "^  flip_rate +50.0 %  \["
	jq -c '.reward = [2, 2]' pairs.jsonl | head -n 1 > tied.jsonl
	tail -n +2 pairs.jsonl >> tied.jsonl
	rm-view -S tied.jsonl > tied.scores
	rm-eval --format json --against tied.scores pairs.scores |
		jq -e '.against | .flip_rate == 0 and .tie_rate == 0.25'
	run rm-eval --against tied.scores --format tsv pairs.scores
	assert_line --regexp $'^\\*\tagainst_tie_rate\t0.25\t'
	run rm-eval --against tied.scores --format prometheus pairs.scores
	assert_line "rmtools_against_tie_rate 0.25"
}

# bench SHAPE N SUBSET...: N rows of each subset in a benchmark's shape, in
# which the preferred response says yes.
bench() {
	local shape=$1 n=$2
	shift 2
	printf '%s\n' "$@" | jq -R . | jq -c -s --argjson n "$n" \
		--arg shape "$shape" '.[] as $s | range($n) as $i
		| ("question " + ($i | tostring) + " of " + $s) as $p
		| [range(4) | "yes " + "so " * .] as $yes
		| [range(4) | "no " + "so " * .] as $no
		| if $shape == "rm-bench" then
			{id: $i, prompt: $p, chosen: $yes[:3],
			 rejected: $no[:3], domain: $s}
		  elif $shape == "judgebench" then
			{pair_id: ($s + ($i | tostring)), question: $p,
			 source: $s, response_A: (if $i % 2 == 0 then $yes[0]
				else $no[0] end),
			 response_B: (if $i % 2 == 0 then $no[0] else $yes[0]
				end),
			 label: (if $i % 2 == 0 then "A>B" else "B>A" end)}
		  elif $s == "Ties" then
			("ref", "tied") as $v
			| {id: ($v + ":" + ($i | tostring)), prompt: ($p + $v),
			   chosen: (if $v == "ref" then $yes[:1] else $yes
				end), rejected: $no, subset: $s,
			   num_correct: (if $v == "ref" then 1 else 4 end)}
		  elif $shape == "rewardbench2" then
			{id: ($s + ($i | tostring)), prompt: $p,
			 chosen: $yes[:1], rejected: $no[:3], subset: $s,
			 num_correct: 1, total_completions: 4}
		  else
			{id: $i, prompt: $p, chosen: $yes[1],
			 rejected: $no[1], chosen_model: "a",
			 rejected_model: "b", subset: $s}
		  end'
}

@test "published benchmarks, from their files to their tables" {
	bench pair 40 x | rm-tokenize -q | rm-pair -q |
		rm-train -q --force -o yes
	scores() {
		rm-tokenize -q -m yes | rm-score -q -m yes
	}
	bench rewardbench 2 alpacaeval-easy mt-bench-hard donotanswer hep-go |
		scores > 1.scores
	whole=(alpacaeval-{easy,length,hard} mt-bench-{easy,med,hard}
		llmbar-natural llmbar-adver-{neighbor,GPTInst,GPTOut,manual}
		refusals-{dangerous,offensive} xstest-should-{refuse,respond}
		donotanswer math-prm hep-{cpp,go,java,js,python,rust})
	bench rewardbench 2 "${whole[@]}" | scores > whole.scores
	run bash -c "rm-eval --suite auto --format json whole.scores |
		jq -c '.suite | [.name, .lines.overall.score, .lines.Chat.n,
			.missing]'"
	assert_output '["rewardbench",1,10,null]'
	# Other rewards than those of the field reward.
	rm-view --header whole.scores | jq -c 'if .format == "rmtools" then
			(.fields[] | select(. == "reward")) = "teacher"
		else .teacher = [0, 1] | del(.reward) end' |
		rm-view -S > taught.scores
	run bash -c "rm-eval --suite auto --field teacher --format json \
		taught.scores | jq .suite.lines.overall.score"
	assert_output 0
	run rm-eval --format rewardbench 1.scores
	assert_success
	assert_equal "$(jq -c 'keys_unsorted' <<< "$output")" \
		'["model","model_type","chat_template","alpacaeval-easy","mt-bench-hard","donotanswer","hep-go"]'
	assert_equal "$(jq -r '.model' <<< "$output")" yes
	# Prior sets: one of the mean, turned round, and one beside it.
	bench rewardbench 2 shp | jq -c '.chosen as $c |
		.chosen = .rejected | .rejected = $c' | cat - <(bench \
		rewardbench 2 "${whole[@]}" mtbench_human) | scores > prior.scores
	run bash -c "rm-eval --suite auto --format json prior.scores |
		jq -c '.suite.lines | [.[\"Prior Sets\"].score, .shp.score,
			.mtbench_human.score, .overall.score * 9]'"
	assert_output '[0,0,1,8]'
	bench rewardbench2 3 Factuality Focus Math "Precise IF" Safety Ties |
		scores > 2.scores
	run bash -c "rm-eval --format rewardbench 2.scores |
		jq -c '[.Focus, .[\"Precise IF\"], .Ties >= .6]'"
	assert_output '[1,1,true]'
	bench rm-bench 2 chat math code safety-refuse safety-response |
		scores > 3.scores
	run bash -c "rm-eval --suite rm-bench --format json 3.scores |
		jq -c '.suite.matrix'"
	assert_output '[[1,1,1],[1,1,1],[1,1,1]]'
	run rm-eval --suite rm-bench 3.scores
	assert_line --regexp '^  hard|^    hard +100.0 %'
	bench judgebench 3 mmlu-pro-law livecodebench > j.jsonl
	jq -c '.response_A as $a | .response_A = .response_B | .response_B = $a
		| .label |= (if . == "A>B" then "B>A" else "A>B" end)' \
		j.jsonl > turned.jsonl
	cat j.jsonl turned.jsonl | scores > 4.scores
	run bash -c "rm-eval --suite auto --format tsv 4.scores |
		grep '^\*.judgebench'"
	assert_line --regexp 'judgebench_Coding.1'
	assert_line --regexp 'judgebench_both orders agree.1'
	rm-eval --suite auto --format html --no-plots 3.scores > 3.html
	run grep -c 'RM-Bench, by its own rules' 3.html
	assert_output 1
	rm-eval --suite auto --format prometheus 3.scores > 3.prom
	run grep -c '^rmtools_suite_score{part="overall"} 1$' 3.prom
	assert_output 1
}

@test "benchmarks say what they lack and refuse what is not theirs" {
	bench pair 40 x | rm-tokenize -q | rm-pair -q |
		rm-train -q --force -o yes
	bench rewardbench 2 hep-go | rm-tokenize -q -m yes |
		rm-score -q -m yes > 1.scores
	run rm-eval --suite auto 1.scores
	assert_success
	assert_output --partial 'overall: no records of Chat, Chat Hard, Safety'
	assert_output --partial 'Reasoning, overall: no records of math-prm, hep-cpp, hep-java'
	assert_line --regexp '^  Reasoning +n/a +2$'
	assert_line --regexp '^    hep-go +100.0 % +2$'
	run rm-eval --suite rm-bench 1.scores
	assert_failure 1
	assert_output --partial '1.scores'
	assert_output --partial 'RM-Bench has no "hep-go"'
	run rm-eval --suite nothing 1.scores
	assert_failure 2
	assert_output --partial 'auto, judgebench, rewardbench, rewardbench2, rm-bench'
	# No subset, and one that is no number's.
	rm-view 1.scores | jq -c 'del(.subset)' | rm-view -S > none.scores
	run rm-eval --suite auto none.scores
	assert_failure 1
	assert_output --partial 'no field subset'
	rm-view 1.scores | jq -c '.reward[1] = null' | rm-view -S > nan.scores
	run rm-eval --format rewardbench nan.scores
	assert_failure 1
	assert_output --partial 'nan.scores: record 1: field reward'
	# One right answer more than there are.
	bench rewardbench2 1 Focus | jq -c '.num_correct = 2' |
		rm-tokenize -q -m yes | rm-score -q -m yes > more.scores
	run rm-eval --suite auto more.scores
	assert_failure 1
	assert_output --partial \
		'1 responses are the best, where num_correct is 2'
	# RM-Bench's files of one domain name RewardBench's subsets.
	bench rm-bench 1 chat | jq -c '.subset = "xstest-should-refuse" |
		del(.domain)' | rm-tokenize -q -m yes |
		rm-score -q -m yes > other.scores
	run rm-eval --suite auto other.scores
	assert_failure 1
	assert_output --partial \
		'3 of 6 responses are the best, where RewardBench has one'
	# A style less.
	bench rm-bench 1 chat | jq -c '.rejected |= .[:2]' |
		rm-tokenize -q -m yes | rm-score -q -m yes > less.scores
	run rm-eval --suite auto less.scores
	assert_failure 1
	assert_output --partial '5 responses, where RM-Bench has 3 preferred'
	bench rm-bench 2 chat | rm-tokenize -q -m yes |
		rm-score -q -m yes > 3.scores
	run rm-eval --format rewardbench 3.scores
	assert_failure 1
	assert_output --partial 'not of RM-Bench'
}

@test "whether reward goes by place, markup and length, and repeated prompts" {
	# The first response, the longer, that with a list has more reward.
	for i in 1 2 3 4; do
		printf '{"id":"%s","key":%s,"rank":[%s],"reward":[2,1],' \
			$i $((i % 3)) $((i % 2)),$((1 - i % 2))
		printf '"position":[0,1],"length":[9,7],"format":[1,0]}\n'
	done > biased.jsonl
	rm-view -S biased.jsonl > biased.scores
	run bash -c "rm-eval --format json biased.scores | jq -c '
		[.first_wins, .first_picked, .first_right, .second_right,
		 .longer_wins, .longer_picked, .marked_wins, .marked_picked,
		 .repeated]'"
	assert_output '[0.5,1,1,0,0.5,1,0.5,1,0.25]'
	# What the labels alone say is not said of the model.
	jq -c '.rank = [0, 1] | del(.key) | .length = [7, 7]' biased.jsonl |
		rm-view -S > one.scores
	run bash -c "rm-eval --format json one.scores | jq -c '
		[.first_wins, .first_picked, .longer_picked, .repeated],
		.missing.first_picked, .missing.repeated'"
	assert_line --index 0 '[null,null,null,null]'
	assert_line --index 1 '"no field position, or one place only"'
	assert_line --index 2 '"no field key"'
}

@test "names of the data cannot steer a terminal" {
	local esc=$'\x1b'
	echo '{"id":"1","subset":"a\u001b[31m\nb","rank":[0,1],"reward":[2,1]}
{"id":"2","subset":"c","rank":[0,1],"reward":[1,2]}' | rm-view -S |
		rm-view --header | jq -c 'if .format == "rmtools" then
			.history[0].argv = ["\u001b]0;x\u0007"] else . end' |
		rm-view -S > names.scores
	run rm-eval names.scores
	assert_success
	refute_output --partial "$esc"
	assert_line --regexp '^  a\?\[31m\?b +1 '
	assert_line '  rm-view ?]0;x?'
}
