#!/usr/bin/env bats
# rm-calibrate: fitting to pairs and responses, applying, and refusing.
load common

# 400 pairs whose rewards are three times too sure.
setup() {
	cd "$BATS_TEST_TMPDIR"
	awk 'BEGIN {
		srand(1)
		for (i = 0; i < 400; i++) {
			d = 4 * rand() - 1.5
			if (rand() > 1 / (1 + exp(-d)))
				d = -d
			printf "{\"id\":\"%d\",\"key\":%d,\"rank\":[0,1]," \
			       "\"reward\":[%.3f,0]}\n", i, i % 90 + 1, 3 * d
		} }' > pairs.jsonl
	rm-view -S pairs.jsonl > pairs.scores
}

# Single responses with labels 0 and 1.
singles() {
	awk 'BEGIN {
		srand(2)
		for (i = 0; i < 300; i++) {
			r = 4 * rand() - 2
			printf "{\"id\":\"%d\",\"score\":[%d],\"reward\":" \
			       "[%.3f]}\n", i, rand() < 1 / (1 + exp(1 - r)), r
		} }' | rm-view -S > single.scores
}

@test "a temperature is found, and lowers log-loss and ECE" {
	run rm-calibrate --fit temperature -o t.json pairs.scores
	assert_success
	assert_output --regexp "temperature [2345]\.[0-9]+, fitted to 400"
	assert_output --partial "on the data it was fitted to"
	jq -e '.method == "temperature" and .on == "pairs" and .n == 400 and
		.after.log_loss < .before.log_loss and
		.after.ece < .before.ece' t.json
	assert_equal "$(jq -r '[.history[].tool] | join(" ")' t.json)" \
		"rm-view rm-calibrate"
}

@test "--apply adds prob, and rm-eval uses it" {
	for m in temperature isotonic beta; do
		rm-calibrate -q --fit $m -o c.json pairs.scores
		rm-calibrate --apply c.json pairs.scores > c.scores
		rm-eval --format json c.scores > r.json
		assert_equal "$(jq -r .probability r.json)" prob
		jq -e -n --slurpfile a r.json --slurpfile b c.json '
			($a[0].log_loss - $b[0].after.log_loss | fabs) < 1e-12'
		rm-view c.scores | jq -e '.prob > 0 and .prob < 1 and
			((.prob > .5) == (.reward[0] > 0) or .prob == .5)' \
			> /dev/null
	done
}

@test "beta on pairs is temperature, and says so" {
	run rm-calibrate --fit beta -o b.json pairs.scores
	assert_success
	assert_output --partial "beta is temperature"
	rm-calibrate -q --fit temperature -o t.json pairs.scores
	jq -e -n --slurpfile b b.json --slurpfile t t.json '
		($b[0].parameters.a * $t[0].parameters.temperature - 1 | fabs)
		< 1e-12 and $b[0].parameters.a == $b[0].parameters.b and
		$b[0].parameters.c == 0'
}

@test "platt is refused on pairs, by name" {
	run rm-calibrate --fit platt pairs.scores
	assert_failure 1
	assert_output --partial "platt: on pairs its offset is 0 by symmetry"
	assert_output --partial "--fit temperature"
}

@test "single responses are calibrated to their labels" {
	singles
	for m in temperature platt isotonic beta; do
		rm-calibrate -q --fit $m -o $m.json single.scores
		jq -e '.on == "responses" and .n == 300' $m.json
		rm-calibrate --apply $m.json single.scores | rm-view |
			jq -e '.prob > 0 and .prob < 1' > /dev/null
	done
	jq -e '.parameters.a > .5 and .parameters.b < -.5' platt.json
	run bash -c "rm-calibrate --apply platt.json pairs.scores > x"
	assert_failure 1
	assert_output --partial "no record has a single response"
}

@test "records of other than two responses get no prob" {
	rm-calibrate -q --fit temperature -o t.json pairs.scores
	printf '%s\n' '{"id":"a","rank":[0,1,2],"reward":[3,2,1]}' \
		'{"id":"b","rank":[0,1],"reward":[3,2]}' |
		rm-view -S > mixed.scores
	run rm-calibrate --apply t.json -o out mixed.scores
	assert_success
	assert_output "rm-calibrate: 1 records of other than two responses have no prob"
	assert_equal "$(rm-view out | jq -c .prob | head -n 1)" null
}

@test "an existing prob needs --force, and keeps its place" {
	rm-calibrate -q --fit temperature -o t.json pairs.scores
	rm-calibrate -q --fit isotonic -o i.json pairs.scores
	rm-calibrate --apply t.json -o a.scores pairs.scores
	run rm-calibrate --apply i.json -o b.scores a.scores
	assert_failure 1
	assert_output --partial "field prob is there already"
	[ ! -e b.scores ]
	rm-calibrate --force --apply i.json -o b.scores a.scores
	rm-calibrate --apply i.json -o c.scores pairs.scores
	diff <(rm-view b.scores) <(rm-view c.scores)
}

@test "--into rewrites the model's rm.json alone" {
	"$top/examples/generate" 400 > p.jsonl
	rm-tokenize -q p.jsonl | rm-pair -q > p.rms
	rm-train -q --epochs 2 -o model p.rms
	rm-score -q -m model -o p.scores p.rms
	sha256sum model/[!r]* > before
	run rm-calibrate --fit temperature --into model p.scores
	assert_success
	sha256sum -c --quiet before
	jq -e '.calibration.method == "temperature" and has("history")' \
		model/rm.json
	rm-score -q -m model --prob p.rms | rm-view | jq .prob > a
	rm-calibrate -q --fit temperature -o t.json p.scores
	rm-calibrate --apply t.json p.scores | rm-view | jq .prob > b
	diff a b
	cp model/rm.json kept
	run rm-calibrate --fit platt --into model p.scores
	assert_failure 1
	cmp kept model/rm.json
	run rm-calibrate --fit temperature --into nowhere p.scores
	assert_failure 1
	assert_output --partial nowhere
}

@test "--folds judges a calibration on data it did not see" {
	run rm-calibrate --fit temperature --folds 5 -o t.json pairs.scores
	assert_success
	assert_line --partial "held out in 5 folds of prompts"
	assert_line --regexp "log_loss .* \[.*\] .* \[.*\] +-0\.[0-9]+ \[-.*, -.*\]"
	jq -e '.held_out | .folds == 5 and .change.log_loss_ci[1] < 0 and
		.after.log_loss < .before.log_loss and
		.after.ece < .before.ece and (.after.ece_ci | length) == 2 and
		(.change.log_loss - .after.log_loss + .before.log_loss
		 | fabs) < 1e-12' t.json
	jq -e '.held_out.before.log_loss == .before.log_loss and
		.held_out.after.log_loss > .after.log_loss' t.json
	# The calibration itself is that of all the data.
	rm-calibrate -q --fit temperature -o all.json pairs.scores
	assert_equal "$(jq -c .parameters t.json)" "$(jq -c .parameters all.json)"
	rm-calibrate -q --apply t.json pairs.scores | rm-eval > /dev/null
}

@test "--folds: the same bytes for any number of threads, others by seed" {
	for n in 1 3; do
		rm-calibrate -q --no-history -@ $n --fit isotonic --folds 4 \
			-o $n.json pairs.scores
	done
	cmp 1.json 3.json
	rm-calibrate -q --no-history -s 2 --fit isotonic --folds 4 \
		-o 2.json pairs.scores
	run cmp 1.json 2.json
	assert_failure
}

@test "--folds works on single responses, and says why it cannot" {
	singles
	rm-calibrate -q --fit platt --folds 3 -o p.json single.scores
	jq -e '.held_out.after.log_loss > 0' p.json
	head -n 30 pairs.jsonl | jq -c '.key = 1' | rm-view -S > one.scores
	run rm-calibrate --fit temperature --folds 2 -o x one.scores
	assert_failure 1
	assert_output --partial "one.scores: --folds: 2 folds want as many prompts, there are 1"
	[ ! -e x ]
	# Prompt 2 alone has rewards.
	jq -c '.key = 1 + (.id == "0" | if . then 1 else 0 end) |
		if .id == "0" then .reward = [1,0] else .reward = [0,0] end' \
		pairs.jsonl | rm-view -S > flat.scores
	run rm-calibrate --fit temperature --folds 2 -o x flat.scores
	assert_failure 1
	assert_output --regexp "--folds: without fold [12] of 2: every comparison ties"
	run rm-calibrate --fit temperature --folds 1 pairs.scores
	assert_failure 2
	run rm-calibrate --apply x --folds 2 pairs.scores
	assert_failure 2
}

# What calibration changes of real log-loss, on prompts that neither model nor
# calibration has seen, is not shown to be for the worse.
@test "on real data held-out log-loss does not worsen beyond its interval" {
	for set in "arena/ratings.jsonl.gz" "hh/harmless-base.jsonl.gz" \
		"convarg/pairs.jsonl.gz --split-by subset"; do
		read -r file by <<< "$set"
		need_data "$file"
		rm-tokenize -q "$data/$file" > all.groups
		rm-pair -q --split train=.6,test=.4 $by --take train \
			all.groups | rm-train -q -o "model-${file%%/*}"
		rm-pair -q --split train=.6,test=.4 $by --take test all.groups |
			rm-score -q -m "model-${file%%/*}" -o test.scores
		for m in temperature isotonic; do
			rm-calibrate -q --fit $m --folds 5 -o c.json test.scores
			jq -e '.held_out.change.log_loss_ci[0] <= 0' c.json ||
				fail "$file $m $(jq -c .held_out c.json)"
		done
	done
}

@test "what cannot be fitted is named" {
	jq -c '.reward = [1,1]' pairs.jsonl | rm-view -S > tied.scores
	run rm-calibrate --fit temperature tied.scores
	assert_failure 1
	assert_output --partial "every comparison ties"
	jq -c '.reward[0] = -(.reward[0] | fabs) - 1' pairs.jsonl |
		rm-view -S > wrong.scores
	run rm-calibrate --fit temperature wrong.scores
	assert_failure 1
	assert_output --partial "no better than chance"
	echo '{"id":"a","score":[4],"reward":[1]}' | rm-view -S > four.scores
	run rm-calibrate --fit platt four.scores
	assert_failure 1
	assert_output --partial "four.scores: record 1: field score: 4 is not within 0 and 1"
	jq -c 'del(.reward)' pairs.jsonl | rm-view -S > none.scores
	run rm-calibrate --fit temperature none.scores
	assert_failure 1
	assert_output --partial "no field reward: run rm-score first"
}

@test "rewards that are always right give a bounded temperature" {
	jq -c '.reward[0] = (.reward[0] | fabs) + .1' pairs.jsonl |
		rm-view -S > right.scores
	run rm-calibrate --fit temperature -o t.json right.scores
	assert_success
	assert_output --partial "note: the rewards are right on every comparison"
	jq -e '.parameters.temperature > 1e-3' t.json
}

@test "a damaged calibration is refused, and nothing is written" {
	echo '{"format":"rmtools-calibration","version":1,"method":"temperature","on":"pairs","n":4,"parameters":{"temperature":0}}' > t.json
	run rm-calibrate --apply t.json -o out pairs.scores
	assert_failure 1
	assert_output --partial "t.json: calibration: parameters that temperature cannot have"
	[ ! -e out ]
	echo '{' > t.json
	run rm-calibrate --apply t.json -o out pairs.scores
	assert_failure 1
	assert_output --partial "t.json"
}

@test "wrong usage exits 2" {
	run rm-calibrate pairs.scores
	assert_failure 2
	assert_output --partial "either --fit METHOD or --apply FILE"
	run rm-calibrate --fit temperature --apply x pairs.scores
	assert_failure 2
	run rm-calibrate --fit sigmoid pairs.scores
	assert_failure 2
	assert_output --partial "temperature, platt, isotonic, beta"
	run rm-calibrate --fit temperature --into m -o x pairs.scores
	assert_failure 2
}
