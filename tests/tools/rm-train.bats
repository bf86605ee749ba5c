#!/usr/bin/env bats
# Preferences to a model directory: what it learns, repeats, refuses and saves.
load common

# pairs.rms: 300 pairs whose true reward is known to the generator.
setup_file() {
	"$BATS_TEST_DIRNAME/../../examples/generate" |
		head -n 300 > "$BATS_FILE_TMPDIR/text.jsonl"
	PATH=$RM_BIN:$PATH
	cd "$BATS_FILE_TMPDIR" || return
	rm-tokenize -q text.jsonl > groups.rms
	rm-pair -q --split train=.8,test=.2 --take train groups.rms > pairs.rms
	rm-pair -q --split train=.8,test=.2 --take test groups.rms > test.rms
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cp "$BATS_FILE_TMPDIR"/*.rms .
}

accuracy() {
	rm-score -q -m "$1" test.rms | rm-eval --format json | jq .accuracy
}

@test "it learns what was planted" {
	run rm-train -o m --valid .1 pairs.rms
	assert_success
	assert_output --partial "validation loss"
	run accuracy m
	jq -en "$output > .6" || fail "accuracy $output"
	run rm-model check -q m
	assert_success
	assert_output ""
}

@test "groups train as their pairs do" {
	rm-pair -q groups.rms > all.rms
	rm-train -q --no-history -o a all.rms
	rm-train -q --no-history -o b groups.rms
	cmp a/model.safetensors b/model.safetensors
	# Three responses are three pairs.
	printf '%s\n' '{"prompt":"p","responses":["a b","b c","c d"],"scores":[3,2,1]}' |
		rm-tokenize -q > three.rms
	run rm-train --valid 0 -o c three.rms
	assert_success
	assert_output --partial "3 pairs"
}

@test "same seed, same bytes, for any number of threads; another seed, others" {
	rm-train -q --no-history -o a pairs.rms
	rm-train -q --no-history -o b -@ 3 < pairs.rms
	rm-train -q --no-history -o c -s 7 pairs.rms
	for f in config.json model.safetensors rm.json tokenizer.json; do
		cmp a/$f b/$f
	done
	run cmp a/model.safetensors c/model.safetensors
	assert_failure
}

@test "a step computed in parts is the same step but for rounding" {
	args=(-q --no-history --epochs 2 --backbone bag:dim=4
		--head mlp:hidden=4 --dropout .1)
	rm-train "${args[@]}" -o whole pairs.rms
	rm-train "${args[@]}" -o parts --micro-tokens 500 pairs.rms
	rm-train "${args[@]}" -o large --micro-tokens 1M pairs.rms
	cmp whole/model.safetensors large/model.safetensors
	for m in whole parts; do
		rm-score --no-history -q -m $m test.rms | rm-view |
			jq -c '[.reward[] * 1000 | round]' > $m.txt
	done
	diff whole.txt parts.txt
	# The parts are those of the checkpoint's run.
	rm-train "${args[@]}" -o m --checkpoint state --checkpoint-steps 2 pairs.rms
	run rm-train "${args[@]}" -o m --checkpoint state --checkpoint-steps 2 \
		--resume --micro-tokens 500 pairs.rms
	assert_failure 1
	assert_output --partial "another micro_tokens"
}

@test "frozen parameters stay, patterns must match, rates fall by layer" {
	args=(-q --no-history --backbone bag:dim=4 --head mlp:hidden=4)
	rm-train "${args[@]}" -o base --epochs 1 pairs.rms
	tensor() {
		jq -r ".fingerprints.tensors.\"$2\"" "$1/rm.json"
	}
	rm-train -q -o m -b base --freeze 'embedding.*,score.out.*' pairs.rms
	for t in embedding.weight score.out.weight score.out.bias; do
		assert_equal "$(tensor m $t)" "$(tensor base $t)"
	done
	assert_not_equal "$(tensor m score.dense.weight)" \
		"$(tensor base score.dense.weight)"
	run rm-train -q -o n -b base --freeze 'embedding.*,nothing' pairs.rms
	assert_failure 1
	assert_output --partial "named like nothing; there are embedding.weight"
	run rm-train "${args[@]}" -o n --freeze '*' pairs.rms
	assert_failure 1
	assert_output --partial "every parameter is frozen"
	[ ! -e n ]
	# A bag has one layer below its head: its own rate, halved.
	rm-train -q --no-history -o a --layer-decay .5 pairs.rms
	rm-train -q --no-history -o b --backbone bag:rate=12500 pairs.rms
	cmp a/model.safetensors b/model.safetensors
	run rm-train -q -o n --layer-decay 0 pairs.rms
	assert_failure 2
	# They are settings that a run goes on with.
	rm-train "${args[@]}" -o m --checkpoint state --checkpoint-steps 2 pairs.rms
	run rm-train "${args[@]}" -o m --checkpoint state --checkpoint-steps 2 \
		--resume --freeze embedding.weight pairs.rms
	assert_failure 1
	assert_output --partial "another freeze"
	run rm-train "${args[@]}" -o m --checkpoint state --checkpoint-steps 2 \
		--resume --layer-decay .5 pairs.rms
	assert_failure 1
	assert_output --partial "another layer_decay"
}

@test "rows of a frozen backbone are kept or not: the same model" {
	rm-train -q -o base --epochs 1 --backbone bag:dim=4 \
		--head mlp:hidden=4 --dropout .2 pairs.rms
	args=(--no-history -b base --freeze 'embedding.*' --valid .2
		--lr .01 --checkpoint-steps 5)
	run rm-train "${args[@]}" -o kept --checkpoint a pairs.rms
	assert_success
	refute_output --partial "frozen"
	run rm-train "${args[@]}" -o not --memory 2000 pairs.rms
	assert_success
	assert_output --partial "the backbone is frozen, but its rows take"
	cmp kept/model.safetensors not/model.safetensors
	# From its last checkpoint the run ends in the same model.
	rm-train -q "${args[@]}" -o m --checkpoint a --resume pairs.rms
	cmp kept/model.safetensors m/model.safetensors
	run cmp kept/model.safetensors base/model.safetensors
	assert_failure
}

@test "pairs in the order of the stream" {
	rm-train -q --no-history -o a --shuffle none pairs.rms
	rm-train -q --no-history -o b --shuffle none -s 7 pairs.rms
	rm-train -q --no-history -o c pairs.rms
	for m in a b c; do
		rm-score --no-history -q -m $m test.rms | rm-view |
			jq -c .reward > $m.txt
	done
	# A linear bag has no other use for the seed than a sign.
	cmp a.txt b.txt
	run cmp a.txt c.txt
	assert_failure
	rm-train -q -o m --checkpoint state --checkpoint-steps 2 pairs.rms
	run rm-train -q -o m --checkpoint state --checkpoint-steps 2 --resume \
		--shuffle none pairs.rms
	assert_failure 1
	assert_output --partial "another shuffle"
}

@test "ids in a temporary file give the same model" {
	rm-train -q --no-history -o a pairs.rms
	TMPDIR=$PWD rm-train -q --no-history -o b --memory 1000 pairs.rms
	cmp a/model.safetensors b/model.safetensors
	run bash -c "ls | grep -c spool"
	assert_output 0
}

@test "a run stopped by SIGTERM goes on to the same bytes" {
	args=(-q -o m --epochs 4000 --patience 0 --checkpoint state
		--backbone bag:rows=1024,dim=2 --head mlp:hidden=2 --dropout .1)
	rm-train "${args[@]}" pairs.rms 2> err &
	pid=$!
	# The input is read and steps are taken before the signal is of use.
	for _ in $(seq 100); do
		[ -d state ] && break
		sleep .05
	done
	sleep 1
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	assert_equal "$status" 1
	run cat err
	assert_output --regexp "stopped by SIGTERM after step [0-9]+: the checkpoint is in state"
	[ ! -e m ]
	# The long run is only begun; a short one is finished both ways.
	args[4]=3
	rm -r state
	rm-train "${args[@]}" --checkpoint-steps 5 pairs.rms
	mv m whole
	run rm-train "${args[@]}" --checkpoint-steps 5 pairs.rms
	assert_failure 1
	assert_output --partial "--resume goes on from it"
	rm-train "${args[@]}" --checkpoint-steps 5 --resume pairs.rms
	for f in config.json model.safetensors rm.json; do
		cmp m/$f whole/$f
	done
}

@test "a checkpoint refuses another input and other options" {
	rm-train -q -o m --checkpoint state --checkpoint-steps 2 --epochs 2 pairs.rms
	run rm-train -q -o m --checkpoint state --checkpoint-steps 2 \
		--epochs 2 --resume test.rms
	assert_failure 1
	assert_output --partial "checkpoint.safetensors: it was made with another"
	run rm-train -q -o m --checkpoint state --checkpoint-steps 2 \
		--epochs 2 --resume --lr .5 pairs.rms
	assert_failure 1
	assert_output --partial "another lr"
	run rm-train -q -o m --checkpoint state --epochs 2 --force pairs.rms
	assert_success
	run rm-train -q -o m --resume pairs.rms
	assert_failure 2
	assert_output --partial "--checkpoint"
}

@test "the log has steps and validations" {
	rm-train -q -o m --log log --log-steps 1 --epochs 2 --valid .1 \
		pairs.rms
	run jq -s 'map(select(has("loss"))) | length' log
	[ "$output" -ge 8 ]
	run jq -s 'map(select(has("valid_loss"))) | length' log
	assert_output 2
	run jq -es 'map(select(has("loss"))) | all(has("step") and
		has("epoch") and has("accuracy") and has("lr") and
		has("grad_norm") and has("tokens_per_s"))' log
	assert_success
	# Tokens add up to both passes over all texts, and time goes on.
	run jq -es 'map(select(has("loss"))) | .[-1].tokens as $all |
		(length / 2) as $one | $all == 2 * .[$one - 1].tokens and
		(map(.seconds) | . == sort and .[0] > 0)' log
	assert_success
	# The first step of zero rewards has a loss of ln 2.
	run jq -s '.[0].loss | . > .693 and . < .6932' log
	assert_output true
}

@test "a log on a full disk costs the exit status, not the model" {
	run rm-train -q -o m --log /dev/full pairs.rms
	assert_failure 1
	assert_output --partial "/dev/full: No space left on device"
	run rm-model check -q m
	assert_success
}

@test "a terminal sees loss, tokens a second and what is left, in its width" {
	type script > /dev/null 2>&1 || skip "no script(1)"
	run script -qc "stty cols 80; rm-train -o m --epochs 40 --patience 0 pairs.rms" \
		/dev/null
	assert_success
	assert_output --regexp 'pairs, .*/s, ETA [0-9]+:[0-9]+, loss [0-9.]+, [0-9.]+ ?[kM]? tokens/s'
	tr '\r' '\n' <<< "$output" | grep ETA | sed 's/^.\[K//' > lines
	[ "$(wc -L < lines)" -le 79 ]
	run rm-train -o m pairs.rms
	refute_output --partial ETA
}

@test "validation on a stream, a fraction, or none" {
	run rm-train -o m --valid test.rms pairs.rms
	assert_success
	n=$(rm-view -c test.rms)
	assert_output --partial "on $n pairs"
	run rm-train -o m --valid .3 pairs.rms
	assert_success
	assert_output --partial "validation loss"
	run rm-train -o m --valid 0 pairs.rms
	assert_success
	refute_output --partial "validation loss"
	run rm-train -o m --valid nowhere pairs.rms
	assert_failure 1
	assert_output --partial nowhere
}

@test "too few keys to hold some out are an error" {
	rm-view --header pairs.rms | head -n 3 | rm-view -S -q > two.rms
	run rm-train -q -o m --valid .0001 two.rms
	assert_failure 1
	assert_output --partial "nothing to validate on"
}

@test "a base is trained further" {
	rm-train -q -o base --epochs 1 pairs.rms
	rm-train -q -o m -b base --lr 1e-9 --epochs 1 --valid 0 pairs.rms
	# So small a rate that it is still the base.
	run bash -c 'diff <(rm-score --no-history -q -m base test.rms | rm-view | jq -c "[.reward[] * 1000 | round]") \
		<(rm-score --no-history -q -m m test.rms | rm-view | jq -c "[.reward[] * 1000 | round]")'
	assert_success
	run jq -r '[.history[].tool] | join(" ")' m/rm.json
	assert_output "rm-tokenize rm-pair rm-train rm-tokenize rm-pair rm-train"
	# With another head, it begins anew.
	run rm-train --epochs 1 --valid 0 -o n -b base --head mlp pairs.rms
	assert_success
	assert_output --partial "base has another head, which is left aside"
	run jq -r .head.name n/rm.json
	assert_output mlp
	run rm-train -q -o n -b base --head linear --epochs 1 --valid 0 pairs.rms
	assert_output ""
	run rm-train -q -o n -b base --head linear:pool=max pairs.rms
	assert_failure 1
	assert_output --partial "pool=max needs a row of each token"
	mkdir t5
	echo '{"model_type": "t5"}' > t5/config.json
	run rm-train -q -o m -b t5 pairs.rms
	assert_failure 1
	assert_output --partial 'model_type "t5" is not computed here'
}

# ---- transformers ----

stored() {
	printf '%s/../data/checkpoints/%s' "$BATS_TEST_DIRNAME" "$1"
}

# toy: pairs that a model of 64 ids can learn.
toy() {
	jq -n -c 'range(40) as $i | { id: "\($i)", key: $i,
		prompt: [range(5) | (. * 7 + $i * 3) % 50 + 8],
		responses: [[(range(6) | (. * 5 + $i) % 20 + 8), 60],
			[range(4) | (. * 3 + $i) % 20 + 30]],
		rank: [0, 1] }' | rm-view -S
}

# changed DIR DIR: the tensors of the second that differ from the first's.
changed() {
	python3 - "$1/model.safetensors" "$2/model.safetensors" <<-'EOF'
	import json, struct, sys
	def load(path):
	    data = open(path, "rb").read()
	    n, = struct.unpack("<Q", data[:8])
	    head = json.loads(data[8:8 + n])
	    head.pop("__metadata__", None)
	    return {k: data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]
	            for k, v in head.items()}
	a, b = load(sys.argv[1]), load(sys.argv[2])
	print(*sorted(k for k in b if a.get(k) != b[k]), sep="\n")
	EOF
}

@test "a transformer of every order of norms is fine-tuned" {
	toy > toy.rms
	for family in bert gpt2 gpt_neox gemma2 deberta_v3; do
		rm-train -q --force -b "$(stored $family)" -o m --epochs 4 \
			--lr 1e-2 --log log --log-steps 1 toy.rms
		run jq -s 'map(.loss) | .[0] > .4 and .[-1] < .2' log
		assert_output true
		run rm-model check -q m
		assert_success
		rm-score -q --force -m m toy.rms > s.rms
		run bash -c "rm-view s.rms | jq -s 'map(select(.reward[0] > .reward[1])) | length > 36'"
		assert_output true
	done
}

@test "what is fine-tuned has the same bytes for 1 to 3 threads, and resumed" {
	toy > toy.rms
	how=(-q --no-history --force -b "$(stored bert)" --epochs 3 --lr 1e-3
	     --batch 8)
	rm-train "${how[@]}" -o a -@ 1 toy.rms
	for threads in 2 3; do
		rm-train "${how[@]}" -o b -@ $threads toy.rms
		cmp a/model.safetensors b/model.safetensors
	done
	rm-train "${how[@]}" -o b --recompute toy.rms
	cmp a/model.safetensors b/model.safetensors
	rm-train "${how[@]}" -o b --checkpoint state --checkpoint-steps 8 toy.rms
	rm-train "${how[@]}" -o b --checkpoint state --checkpoint-steps 8 \
		--resume toy.rms
	cmp a/model.safetensors b/model.safetensors
}

@test "dropout inside a transformer: same bytes however computed, and resumed" {
	toy > toy.rms
	how=(-q --no-history --force -b "$(stored bert)" --epochs 3 --lr 1e-3
	     --batch 8)
	rm-train "${how[@]}" -o none toy.rms
	rm-train "${how[@]}" -o zero --dropout 0 toy.rms
	cmp none/model.safetensors zero/model.safetensors
	rm-train "${how[@]}" -o a --dropout .1 -@ 1 toy.rms
	run cmp none/model.safetensors a/model.safetensors
	assert_failure
	rm-train "${how[@]}" -o b --dropout .1 -@ 3 --recompute toy.rms
	cmp a/model.safetensors b/model.safetensors
	# What its config.json states for all places.
	rm-train "${how[@]}" -o b --dropout config toy.rms
	cmp a/model.safetensors b/model.safetensors
	cmp a/config.json none/config.json
	rm-train "${how[@]}" -o b --dropout .1 -s 2 toy.rms
	run cmp a/model.safetensors b/model.safetensors
	assert_failure
	how+=(-o b --checkpoint state --checkpoint-steps 8)
	rm-train "${how[@]}" --dropout .1 toy.rms
	run rm-train "${how[@]}" --dropout .2 --resume toy.rms
	assert_failure 1
	assert_output --partial "another dropout"
	rm-train "${how[@]}" --dropout config --resume toy.rms
	cmp a/model.safetensors b/model.safetensors
}

@test "under dropout a transformer learns, and validates without" {
	toy > toy.rms
	how=(-q --no-history --force --epochs 8 --lr 1e-2 --dropout .1)
	for family in roberta gpt2 deberta_v3 modernbert; do
		rm-train "${how[@]}" -b "$(stored $family)" -o m toy.rms
		rm-score -q --force -m m toy.rms > s.rms
		run bash -c "rm-view s.rms | jq -s 'map(select(.reward[0] > .reward[1])) | length > 36'"
		assert_output true
	done
	# At a rate of 0 all passes are one, whatever a step drops.
	rm-train "${how[@]}" -b "$(stored gpt2)" -o m --lr 0 --patience 0 \
		--valid toy.rms --log log --log-steps 1 toy.rms
	run jq -s 'map(.valid_loss // empty) | length == 8 and (unique | length) == 1' log
	assert_output true
	run jq -s 'map(.loss // empty) | unique | length > 4' log
	assert_output true
}

@test "a dropout that there is not is refused" {
	toy > toy.rms
	run rm-train -q -o m --force -b "$(stored bert)" --dropout 1 toy.rms
	assert_failure 2
	run rm-train -q -o m --force -b "$(stored bert)" --dropout much toy.rms
	assert_failure 2
	run rm-train -q -o m --dropout config pairs.rms
	assert_failure 2
	rm-train -q -o base --epochs 1 pairs.rms
	run rm-train -q -o m -b base --dropout .1 pairs.rms
	assert_failure 1
	assert_output --partial "base: dropout of this model is its head's"
	cp -r "$(stored opt)" opt
	chmod -R u+w opt
	jq '.layerdrop = .1' opt/config.json > c.json
	mv c.json opt/config.json
	run rm-train -q -o m --force -b opt --dropout config toy.rms
	assert_failure 1
	assert_output --partial "opt: layerdrop 0.1 is not computed here"
	[ ! -e m ]
}

@test "how a step is cut changes a transformer by rounding alone" {
	toy > toy.rms
	how=(-q --no-history --force -b "$(stored llama)" --epochs 1 --batch 20
	     --log log --log-steps 1)
	for rate in 0 .3; do
		rm-train "${how[@]}" -o a --dropout $rate toy.rms
		jq '.loss, .grad_norm' log > whole
		rm-train "${how[@]}" -o b --dropout $rate --micro-tokens 40 \
			toy.rms
		run bash -c "paste whole <(jq '.loss, .grad_norm' log) |
			awk '{ d = \$1 / \$2 - 1; if (d > 1e-4 || d < -1e-4) bad++ }
			END { print NR == 4 && !bad ? \"near\" : \"far\" }'"
		assert_output near
	done
}

@test "tokens of the log are those of all texts, however often computed" {
	toy > toy.rms
	rm-view toy.rms > toy.json
	run jq -s 'map(.prompt | length) | add > 0' toy.json
	assert_output true
	all=$(jq -s 'map((.responses | length) * (.prompt | length) +
		(.responses | map(length) | add)) | add' toy.json)
	for family in bert llama; do
		for rate in 0 .3; do
			rm-train -q --force -b "$(stored $family)" --epochs 1 \
				--dropout $rate --batch 20 --log log \
				--log-steps 1 -o m toy.rms
			run jq -s '.[-1].tokens' log
			assert_output "$all"
		done
	done
}

@test "a frozen transformer has a head trained, or some of its layers" {
	toy > toy.rms
	how=(-q --no-history --force -b "$(stored bert)" --epochs 2 --lr 1e-2)
	rm-train "${how[@]}" -o m --freeze 'bert.*' toy.rms
	rm-train "${how[@]}" -o n --freeze 'bert.embeddings.*,bert.encoder.layer.0.*' \
		toy.rms
	type python3 > /dev/null 2>&1 || skip "no python3 to compare tensors"
	run changed "$(stored bert)" m
	refute_output --partial bert.e
	assert_output --partial classifier.weight
	run changed "$(stored bert)" n
	refute_output --partial embeddings
	refute_output --partial layer.0
	assert_output --partial layer.1.output.dense.weight
}

@test "low-rank changes are merged into the matrices of the layers" {
	toy > toy.rms
	how=(-q --no-history --force -b "$(stored gpt2)" --epochs 6 --lora 2
	     --lr 3e-2 --batch 8)
	rm-train "${how[@]}" -o a --log log --log-steps 1 toy.rms
	run jq -s 'map(.loss) | .[0] > .4 and .[-1] < .3' log
	assert_output true
	# The same tensors as the base's, under the same names.
	diff <(rm-model show a | grep -o '[^ ]*weight.*') \
		<(rm-model show "$(stored gpt2)" | grep -o '[^ ]*weight.*')
	run rm-model check -q a
	assert_success
	rm-train "${how[@]}" -o b -@ 3 toy.rms
	cmp a/model.safetensors b/model.safetensors
	rm-train "${how[@]}" -o b --checkpoint state --checkpoint-steps 8 toy.rms
	rm-train "${how[@]}" -o b --checkpoint state --checkpoint-steps 8 \
		--resume toy.rms
	cmp a/model.safetensors b/model.safetensors
	run rm-train "${how[@]}" -o b --checkpoint state --resume \
		--lora-alpha 1 toy.rms
	assert_failure 1
	assert_output --partial "another lora_alpha"
	# Only what is asked for changes.
	rm-train "${how[@]}" -o b --lora-targets '*c_proj*' \
		--freeze '*.h.0.*' toy.rms
	type python3 > /dev/null 2>&1 || skip "no python3 to compare tensors"
	rm-train -q --force -b "$(stored gpt2)" -o base --freeze 'transformer.*' \
		toy.rms
	run changed base b
	assert_line --partial .h.1.attn.c_proj.weight
	assert_line --partial .h.1.mlp.c_proj.weight
	assert_line score.weight
	assert_equal "${#lines[@]}" 3
}

@test "low-rank changes without a base, or of nothing, are refused" {
	run rm-train -o m --lora 4 pairs.rms
	assert_failure 2
	assert_output --partial "needs --base"
	rm-train -q -o base pairs.rms
	run rm-train -o m -b base --lora 4 pairs.rms
	assert_failure 1
	assert_output --partial "for transformers"
	run rm-train -o m -b base --lora-alpha 4 pairs.rms
	assert_failure 2
	assert_output --partial "need --lora"
	toy > toy.rms
	run rm-train --force -o m -b "$(stored bert)" --lora 4 \
		--lora-targets '*key.weight,*nothing*' toy.rms
	assert_failure 1
	assert_output --partial "named like *nothing*"
	[ ! -e m ]
}

# lists: groups of four responses, the same kind of text as in toy.
lists() {
	jq -n -c 'range(12) as $i | { id: "\($i)", key: $i,
		prompt: [range(3) | (. * 7 + $i * 3) % 50 + 8],
		responses: [range(4) as $k | [range(4 + $k) |
			(. * 5 + $i + 11 * $k) % 20 + 8 + 5 * $k]],
		rank: [0, 1, 2, 3] }' | rm-view -S
}

@test "a transformer learns the same from groups and from their pairs" {
	lists > lists.rms
	rm-pair -q lists.rms > split.rms
	for family in bert llama; do
		for shuffle in pairs groups none; do
			for from in lists split; do
				rm-train -q --no-history --force --epochs 2 \
					-b "$(stored $family)" --batch 8 \
					--shuffle $shuffle -o $from $from.rms
			done
			cmp lists/model.safetensors split/model.safetensors
			mv lists $family.$shuffle
		done
	done
	for shuffle in groups none; do
		run cmp bert.$shuffle/model.safetensors \
			bert.pairs/model.safetensors
		assert_failure 1
	done
}

@test "rows of a frozen transformer are kept, one a text: the same model" {
	lists > lists.rms
	rm-pair -q --shuffle lists.rms > split.rms
	args=(--no-history --force -b "$(stored bert)" --freeze 'bert.*'
		--lr 1e-2 --valid .3)
	# 12 groups of 4 texts.
	bytes=$((48 * 4 * $(jq .hidden_size "$(stored bert)/config.json")))
	run rm-train "${args[@]}" -o kept --memory $bytes split.rms
	assert_success
	refute_output --partial "frozen"
	run rm-train "${args[@]}" -o not --memory $((bytes - 1)) split.rms
	assert_success
	assert_output --partial "its rows take $bytes bytes"
	cmp kept/model.safetensors not/model.safetensors
}

@test "a text that a transformer has no positions for is refused by name" {
	long() {	# ID, tokens of its second response
		jq -n -c --arg id "$1" --argjson n "$2" '{ id: $id,
			key: $n, prompt: [5, 6, 7],
			responses: [[8, 9], [range($n) | 7]], rank: [0, 1] }'
	}
	{ long short 4; long "too long" 200; } | rm-view -S > long.rms
	long short 4 | rm-view -S > short.rms
	how=(-q --force -b "$(stored roberta)" -o m --log log)
	run rm-train "${how[@]}" long.rms
	assert_failure 1
	assert_output --regexp 'long.rms: record 2 \(too long\): response 2 has 203 tokens .* rm-tokenize -l [0-9]+'
	run rm-train "${how[@]}" --valid long.rms short.rms
	assert_failure 1
	assert_output --partial "long.rms: record 2 (too long): response 2"
	# Before training: no step is logged, nothing is written.
	[ ! -e log ]
	[ ! -e m ]
	# What the message says is enough.
	n=$(sed -n 's/.*rm-tokenize -l \([0-9]*\),.*/\1/p' <<< "$output")
	long fits $((n - 3)) | rm-view -S > fits.rms
	run rm-train "${how[@]}" fits.rms
	assert_success
}

@test "a transformer that diverges keeps its last checkpoint" {
	toy > toy.rms
	how=(-q --force -b "$(stored bert)" -o m --batch 8 --epochs 4
	     --lr 1e9 --checkpoint state --checkpoint-steps 1)
	run rm-train "${how[@]}" toy.rms
	assert_failure 1
	assert_output --regexp 'step [0-9]+: the .* is NaN or infinite at record [0-9]+ \([0-9]+\).*--lr'
	[ ! -e m ]
	step=$(sed 's/.*step \([0-9]*\):.*/\1/' <<< "$output")
	# It is that of the step before, with numbers in it.
	checkpoint=state/checkpoint.safetensors
	head=$(od -An -t u8 -N 8 $checkpoint)
	run jq -r '.__metadata__.state | fromjson.progression.step' \
		<(tail -c +9 $checkpoint | head -c $((head)))
	assert_output $((step - 1))
	cp $checkpoint before
	run rm-train "${how[@]}" --resume toy.rms
	assert_failure 1
	assert_output --partial "step $step: the"
	cmp $checkpoint before
}

@test "a transformer stopped by SIGTERM goes on to the same bytes" {
	toy > toy.rms
	how=(-q --no-history --force -b "$(stored bert)" --epochs 40
	     --batch 4 --lr 1e-3)
	rm-train "${how[@]}" -o whole toy.rms
	# The first line of the log says that it is at work.
	mkfifo log
	rm-train "${how[@]}" -o m --checkpoint state --log log --log-steps 1 \
		toy.rms 2> err &
	pid=$!
	exec {lines}< log
	read -r -u $lines _
	kill -TERM $pid
	cat <&$lines > /dev/null
	status=0
	wait $pid || status=$?
	assert_equal "$status" 1
	run cat err
	assert_output --regexp "stopped by SIGTERM after step [0-9]+: the checkpoint is in state"
	[ ! -e m ]
	run rm-train "${how[@]:1}" -o m --checkpoint state --resume toy.rms
	assert_success
	assert_output --regexp "went on from step [0-9]+"
	cmp whole/model.safetensors m/model.safetensors
}

@test "a transformer that learns nothing, or from ties, says so" {
	toy > toy.rms
	warns="nothing was learnt"
	how=(--force -b "$(stored bert)" -o m)
	run rm-train "${how[@]}" --lr 1e-2 toy.rms
	assert_success
	refute_output --partial "warning"
	run rm-train "${how[@]}" -b "$(stored bert_base)" --lr 0 toy.rms
	assert_success
	assert_output --partial "$warns"
	# The same texts both ways round.
	{ rm-view toy.rms
	  rm-view toy.rms | jq -c '.responses |= reverse | .id += "r"'
	} | rm-view -S > noise.rms
	run rm-train "${how[@]}" noise.rms
	assert_success
	assert_output --partial "$warns"
	rm-view toy.rms | jq -c 'if (.id | tonumber) % 4 == 0 then .
		else .rank = [0, 0] end' |
		rm-view -S > ties.rms
	run rm-train "${how[@]}" ties.rms
	assert_success
	assert_output --partial "warning: 30 of 40 comparisons are ties"
}

@test "a transformer stopped early is the one of the best validation" {
	toy > toy.rms
	# What it learns is the opposite of what it is asked.
	rm-view toy.rms | jq -c 'if (.id | tonumber) % 3 == 0
		then .responses |= reverse else . end' | rm-view -S > valid.rms
	run rm-train --no-history --force -b "$(stored bert)" -o m --lr 1e-2 \
		--epochs 40 --patience 2 --log log --valid valid.rms toy.rms
	assert_success
	assert_output --partial "stopped early"
	jq -c 'select(has("valid_loss"))' log > passes
	run jq -es '(map(.valid_loss) | min) as $least |
		(.[-3].valid_loss == $least) and (.[-1].valid_loss > $least)
		and length < 40' passes
	assert_success
	# The loss of what is saved is the lowest of them.
	run bash -c 'rm-score -q --force -m m valid.rms | rm-view |
		jq -es --slurpfile pass passes "
			(map(.reward[1] - .reward[0] | 1 + exp | log) |
			add / length) as \$loss | (\$pass | map(.valid_loss) |
			min) - \$loss | fabs < 1e-5"'
	assert_success
}

# ---- transformers made new ----

# pad.rms, padtest.rms: the pairs with a tokenizer that has a pad token and
# token types for a prompt and its response.
with_pad() {
	mkdir pad
	rm-tokenize -q --learn 400 -o t.json "$BATS_FILE_TMPDIR/text.jsonl"
	with_specials t.json > pad/tokenizer.json
	rm-tokenize -q -t pad "$@" "$BATS_FILE_TMPDIR/text.jsonl" > all.rms
	rm-pair -q --split train=.8,test=.2 --take train all.rms > pad.rms
	rm-pair -q --split train=.8,test=.2 --take test all.rms > padtest.rms
}

small=layers=2,hidden=32,heads=4

@test "a transformer of every family is made new, trained, saved and loaded" {
	with_pad
	families=$(rm-train --backbone list | tr -d '\n' | tr -s ' ' |
		sed 's/.*positions and head (\([^)]*\)).*/\1/; s/,//g')
	assert [ "$(wc -w <<< "$families")" -gt 10 ]
	rm-pair -q --limit 16 pad.rms > few.rms
	for family in $families; do
		rm-train -q --force -o m --epochs 1 few.rms \
			--backbone "transformer:family=$family,$small"
		run rm-model check -q m
		assert_success
		assert_output ""
		rm-train -q --force -b m -o n --epochs 1 --lr 1e-3 few.rms
		rm-score -q -m n few.rms > s.rms
		run jq -c '[.model_type, .problem_type, .pad_token_id,
			(.id2label | length), (.vocab_size > .pad_token_id)]' \
			n/config.json
		assert_output "[\"$family\",\"regression\",$(jq .added_tokens[2].id \
			pad/tokenizer.json),1,true]"
		run jq -c .head n/rm.json
		assert_output '{"name":"native","encoding":"concat","pool":"auto","heads":4}'
	done
}

@test "a new transformer learns what was planted; its rate is its own" {
	with_pad
	mv padtest.rms test.rms
	rm-train -q -o m --backbone "transformer:$small" --log log \
		--log-steps 1 pad.rms
	run accuracy m
	jq -en "$output > .6" || fail "accuracy $output"
	run jq -s 'map(.lr // 0) | max | . * 1e4 | round' log
	assert_output 3
}

@test "a new transformer has the same bytes for the same seed, and resumed" {
	how=(--no-history --backbone "transformer:family=gpt2,$small"
	     --epochs 2 --valid .2 --checkpoint-steps 4)
	rm-pair -q --limit 80 pairs.rms > few.rms
	rm-train -q "${how[@]}" -o a --checkpoint one few.rms
	rm-train -q "${how[@]}" -o b -@ 2 few.rms
	rm-train -q "${how[@]}" -o c -s 2 few.rms
	for f in config.json model.safetensors rm.json; do
		cmp a/$f b/$f
	done
	run cmp a/model.safetensors c/model.safetensors
	assert_failure
	run rm-train "${how[@]}" -o d --checkpoint one --resume few.rms
	assert_success
	assert_output --partial "went on from step"
	cmp a/model.safetensors d/model.safetensors
	run rm-train "${how[@]}" -o d --checkpoint one --resume few.rms \
		--backbone "transformer:family=gpt2,$small,ffn=64"
	assert_failure 1
	assert_output --partial "another backbone"
}

@test "rewards in training are those of rm-score, token types included" {
	with_pad --template pair
	run bash -c "rm-view -H pad.rms | jq -c .policy.types"
	assert_output "[0,1]"
	rm-train -q -o m --backbone "transformer:$small" --epochs 2 --lr 3e-3 \
		--precision fp32 --valid padtest.rms --log log pad.rms
	rm-score -q --precision fp32 -m m padtest.rms | rm-view | jq -s '
		map(.reward[1] - .reward[0] | exp + 1 | log) | add / length' > is
	run jq -n --slurpfile log log --slurpfile is is '
		[$log[] | select(.best) | .valid_loss] |
		(last - $is[0]) | fabs < 1e-6'
	assert_output true
}

@test "a new transformer that cannot be is refused before anything is read" {
	while read -r spec message; do
		run rm-train -q -o m --backbone "transformer:$spec" pairs.rms
		assert_failure 2
		assert_output --partial "$message"
	done <<-'EOF'
	hidden=30 hidden=30 is no multiple of heads=4
	kv-heads=2 family bert has no kv-heads
	family=llama,kv-heads=3 heads=4 is no multiple of kv-heads=3
	family=bart unknown family bart; there are bert, deberta-v2,
	family=llama,hidden=12 numbers of a head cannot rotate
	depth=3 has no key depth; there are family, layers,
	EOF
	while read -r backbone head message; do
		run rm-train -q -o m --backbone "$backbone" --head "$head" pairs.rms
		assert_failure 2
		assert_output --partial "$message"
	done <<-'EOF'
	bag native head native does not stand on backbone bag
	bag linear:pool=mean head linear: pool=mean needs a row of each token
	bag mlp:encoding=cross head mlp: encoding=cross needs a row of each token
	bag gated:encoding=response the gate reads the prompt, and encoding=response
	bag hierarchical head hierarchical: levels are runs of a text's tokens
	bag gated the gate reads the prompt, and backbone bag reads responses alone
	bag multi:objectives=a,a objectives has a twice
	bag multi:objectives=a,,b "" is no name of letters, digits
	transformer native:pool=max head native reads what its family's does
	transformer native:encoding=cross head native reads what its family's does
	EOF
	run rm-train -q -o m --backbone transformer:hidden=12,heads=2 \
		--head linear:encoding=cross,heads=5 pairs.rms
	assert_failure
	assert_output --partial "5 heads do not divide rows of 12 numbers"
	# The stream decides whether there is a pad token.
	run rm-train -q -o m --backbone transformer:family=roberta pairs.rms
	assert_failure 1
	assert_output --partial "family roberta counts positions by a pad token"
	[ ! -e m ]
}

@test "a new transformer's positions bound its texts, and those to come" {
	run rm-train -q -o m --backbone transformer:layers=1,max-length=8 pairs.rms
	assert_failure 1
	assert_output --partial "the model 8 positions: cut texts with rm-tokenize -l"
	rm-tokenize -q -l 16 "$BATS_FILE_TMPDIR/text.jsonl" > short.rms
	rm-train -q -o m --epochs 1 short.rms --backbone \
		transformer:layers=1,hidden=16,heads=2,max-length=16
	run bash -c "rm-tokenize -q -m m '$BATS_FILE_TMPDIR/text.jsonl' | rm-view |
		jq -s 'map((.prompt | length) + (.responses[] | length)) | max'"
	assert_output 16
}

@test "a base of another tokenizer is refused" {
	rm-tokenize -q --learn 300 -o tokenizer.json "$BATS_FILE_TMPDIR/text.jsonl"
	rm-tokenize -q -t tokenizer.json "$BATS_FILE_TMPDIR/text.jsonl" > other.rms
	rm-train -q -o base pairs.rms
	run rm-train -q -o m -b base other.rms
	assert_failure 1
	assert_output --partial tokenizer
	[ ! -e m ]
	# Nor does a base hand on a tokenizer that is not the one it names.
	cp tokenizer.json base/
	run rm-train -q -o m -b base pairs.rms
	assert_failure 1
	assert_output --partial "base/tokenizer.json: fingerprint"
	[ ! -e m ]
}

@test "a pretrained model takes another head; ours is what is saved" {
	toy > toy.rms
	how=(-o n --no-history --force --epochs 1 --lr 1e-3 --valid 0)
	run rm-train "${how[@]}" -b "$(stored bert)" --head mlp:pool=mean toy.rms
	assert_success
	assert_output --partial "has another head, which is left aside: a fresh one is trained"
	run jq -c '[.model_type, .backbone_config.config.model_type]' n/config.json
	assert_output '["rmtools","bert"]'
	run rm-train "${how[@]}" -b "$(stored bert_base)" --head linear:pool=max toy.rms
	assert_output --partial "has no reward head: a fresh one is trained"
	# One of ours that is native: its fingerprint is held to first.
	rm-train -q -o m --epochs 1 --backbone transformer:layers=1,hidden=16,heads=2 pairs.rms
	run rm-train "${how[@]}" -b m --head linear:encoding=cross,pool=mean pairs.rms
	assert_success
	assert_output --partial "m has another head"
	run jq -c '[.pooling, .head.pool]' n/rm.json
	assert_output '["mean","mean"]'
	run rm-model check -q n
	assert_success
	run rm-model show n
	assert_line --regexp '^type +rmtools'
	assert_line --regexp '^head +linear:.*encoding=cross'
	# The head that is there stays; native is theirs again.
	run rm-train -q "${how[@]}" -o o -b n --head linear:encoding=cross,pool=mean pairs.rms
	assert_output ""
	rm-train -q "${how[@]}" -o o -b n --head native pairs.rms
	run jq -r .model_type o/config.json
	assert_output bert
	# What rm.json says of pooling is what the head says.
	jq '.pooling = "max"' n/rm.json > rm.json
	cp rm.json n/rm.json
	run rm-score -q -m n test.rms
	assert_failure 1
	assert_output --partial 'pooling is "max", but the head'
	run rm-train "${how[@]}" -b n --head native pairs.rms
	assert_failure 1
}

@test "labels that cannot be computed with are named" {
	two() {	# column, its value in the second row
		printf '{"prompt":"p","chosen":"a","rejected":"b","%s":%s}\n' \
			"$1" 1 "$1" "$2" | rm-tokenize -q > two.rms
	}
	two margin 1e308
	run rm-train -q -o m two.rms
	assert_failure 1
	assert_output --partial "two.rms: record 2: field margin: 1e+308 is too large"
	two weight 1e308
	run rm-train -q -o m two.rms
	assert_failure 1
	assert_output --partial "two.rms: record 2: field weight: 1e+308 is too large"
	printf '{"prompt":"p","chosen":"a","rejected":"b","weight":0}\n' |
		rm-tokenize -q > two.rms
	run rm-train -q -o m two.rms
	assert_failure 1
	assert_output --partial "two.rms: every pair has weight 0"
	[ ! -e m ]
}

@test "what is not ours is not replaced, and refused before training" {
	mkdir m
	echo mine > m/thesis.txt
	run rm-train -q -o m < /dev/null
	assert_failure 1
	assert_output --partial thesis.txt
	run rm-train -q -o m --force pairs.rms
	assert_success
	assert_equal "$(cat m~/thesis.txt)" mine
	run rm-train -q -o no/such/place < /dev/null
	assert_failure 1
	assert_output --partial "No such file or directory"
}

@test "an earlier model survives a full disk" {
	rm-train -q -o m pairs.rms
	cp -r m before
	run bash -c 'ulimit -f 100; trap "" XFSZ; rm-train -q -o m -s 3 pairs.rms'
	assert_failure 1
	assert_output --partial "m is not written"
	diff -r m before
	run bash -c "ls -d m.tmp.* 2>&1"
	assert_failure
}

@test "a cut or damaged stream leaves no model" {
	head -c 20000 pairs.rms > cut.rms
	run rm-train -q -o m cut.rms
	assert_failure 1
	assert_output --regexp "cut.rms: .* after [0-9]+ records"
	[ ! -e m ]
	run bash -c '(head -c 20000 pairs.rms; false) | rm-train -q -o m'
	assert_failure 1
	[ ! -e m ]
}

@test "streams that cannot train say why" {
	: > empty
	run rm-train -q -o m empty
	assert_failure 1
	assert_output --partial empty
	run bash -c 'rm-view --header pairs.rms | head -n 1 | rm-view -S -q | rm-train -q -o m'
	assert_failure 1
	assert_output --partial "no records"
	rm-train -q -o m pairs.rms
	rm-score -q -m m pairs.rms > scored.rms
	run rm-train -q -o n scored.rms
	assert_failure 1
	assert_output --partial "no field responses: run rm-tokenize first"
	printf '%s\n' '{"prompt":"p","responses":["a b","b c"],"scores":[1,1]}' |
		rm-tokenize -q > tie.rms
	run rm-train -q -o n tie.rms
	assert_failure 1
	assert_output --partial "prefers one response to another"
	[ ! -e n ]
}

@test "noise is called noise" {
	# Labels that the text says nothing of: the same texts both ways round.
	for i in $(seq 100); do
		printf '{"prompt":"q%d","chosen":"a b c","rejected":"d e f"}\n' "$i"
		printf '{"prompt":"r%d","chosen":"d e f","rejected":"a b c"}\n' "$i"
	done | rm-tokenize -q > noise.rms
	run rm-train -o m --valid 0 noise.rms
	assert_success
	assert_output --partial "nothing was learnt"
	for i in $(seq 20); do
		printf '{"prompt":"q%d","responses":["a b c", "d e f %d"],"scores":[1,%d]}\n' \
			"$i" "$i" $((i % 5 == 0 ? 2 : 1))
	done | rm-tokenize -q > ties.rms
	run rm-train -o m --valid 0 ties.rms
	assert_success
	assert_output --partial "16 of 20 comparisons are ties"
}

@test "a rate that explodes names the step and records" {
	run rm-train -q -o m --lr 1e9 --backbone bag:rate=1000000000 \
		--head mlp --epochs 50 --patience 0 pairs.rms
	assert_failure 1
	assert_output --regexp "step [0-9]+: .* (NaN|infinite) at record [0-9]+ \("
	[ ! -e m ]
}

@test "lists of parts, and errors that list them" {
	for what in backbone head loss schedule; do
		run rm-train --$what list
		assert_success
		refute_output ""
		run rm-train -q -o m --$what nonsense pairs.rms
		assert_failure 2
		assert_output --partial "nonsense"
	done
	run rm-train pairs.rms
	assert_failure 2
	assert_output --partial "-o MODEL is needed"
}

# sized.rms: pairs with a margin, a score for each response and a teacher.
sized() {
	jq -c '{prompt, responses: [.chosen, .rejected], scores: [2, 0],
		margin: 2, teacher: [3.5, 1]}' "$BATS_FILE_TMPDIR/text.jsonl" |
		rm-tokenize -q |
		rm-pair -q --split train=.8,test=.2 --take train > sized.rms
}

@test "every loss learns from what it needs, and names what lacks" {
	sized
	for loss in $(rm-train --loss list | grep '^[a-z]'); do
		run rm-train -q -o "$loss" --loss "$loss" sized.rms
		case $loss in
		triplet) assert_output --partial "learns nothing from any" ;;
		uncertainty) assert_output --partial "learns a variance" ;;
		*)
			assert_success
			run accuracy "$loss"
			jq -en "$output > .6" || fail "$loss: $output"
			continue
			;;
		esac
		assert_failure 1
		assert [ ! -e "$loss" ]
	done
	run rm-train -q -o m --loss scaled-bt pairs.rms
	assert_failure 1
	assert_output --regexp 'loss scaled-bt: record 1 .*rm-pair --margin'
	run rm-train -q -o m --loss regression pairs.rms
	assert_failure 1
	assert_output --regexp 'record 1 .*no attributes and no score'
	run rm-train -q -o m --loss distill pairs.rms
	assert_failure 1
	assert_output --partial "no field teacher: rm-score --field teacher"
}

# lists.rms: groups of four, whose texts say how good they are.
ordered() {
	for i in $(seq 120); do
		jq -nc --argjson i "$i" '
		{prompt: "p\($i)",
		 responses: [range(4) as $r | [range(6) |
			if . < $r then "good" else "w\(($i * 7 + . * 3 + $r) % 11)"
			end] | join(" ")],
		 scores: [0, 1, 2, 3]}'
	done | rm-tokenize -q > lists.rms
}

@test "losses of lists learn from whole groups, and say groups" {
	ordered
	rm-pair -q --split train=.8,test=.2 --take test lists.rms > test.rms
	for loss in allpairs ranking plackett-luce contrastive triplet \
		regression multitask multitask:learned=yes; do
		run rm-train -o m --force --loss "$loss" lists.rms
		assert_success
		assert_output --partial "120 groups"
		run accuracy m
		jq -en "$output > .8" || fail "$loss: $output"
	done
}

@test "a teacher's rewards are learnt by a student from their field" {
	rm-train -q -o teacher pairs.rms
	rm-score -q -m teacher --keep-ids --field teacher pairs.rms > taught.rms
	run rm-train -q -o student --loss distill taught.rms
	assert_success
	run accuracy student
	jq -en "$output > .6" || fail "student: $output"
}

@test "losses with parameters of their own and norms: resumed to the same bytes" {
	ordered
	for loss in multitask:learned=yes plackett-luce:l2=1e-3,length=.1; do
		rm -rf a b state
		rm-train -q --no-history -o a --loss "$loss" lists.rms
		run rm-train -q --no-history -o b --loss "$loss" \
			--checkpoint state --checkpoint-steps 3 lists.rms
		assert_success
		rm -r b
		rm-train -q --no-history -o b --loss "$loss" \
			--checkpoint state --checkpoint-steps 3 --resume \
			lists.rms
		cmp a/model.safetensors b/model.safetensors
		rm-train -q --no-history -o c --force --loss "${loss%%[,:]*}" \
			lists.rms
		run cmp a/model.safetensors c/model.safetensors
		assert_failure
	done
}

@test "every head is saved, loaded and resumed to the same bytes" {
	jq -c '. + {a: [1, 0], b: [0, 1]}' "$BATS_FILE_TMPDIR/text.jsonl" |
		head -n 64 | rm-tokenize -q --attributes a,b > graded.rms
	rm-view --header -n 16 graded.rms | rm-view -S > few.rms
	for head in $(rm-train --head list | grep '^[a-z]'); do
		how=(--head "$head" --valid 0)
		from=(--backbone transformer:layers=1,hidden=16,heads=2)
		case $head in
		multi | multitask | gated)
			how=(--head "$head:objectives=a,b" --loss multitask) ;;
		uncertainty) how+=(--loss uncertainty) ;;
		esac
		[ "$head" != native ] || how+=("${from[@]}")
		case $head in
		gated | hierarchical) how+=("${from[@]}") ;;
		esac
		rm -rf whole part state
		rm-train -q --no-history -o whole "${how[@]}" --epochs 2 \
			--batch 8 graded.rms
		rm-train -q --no-history -o part "${how[@]}" --epochs 2 \
			--batch 8 --checkpoint state --checkpoint-steps 5 \
			graded.rms
		rm -r part
		rm-train -q --no-history -o part "${how[@]}" --epochs 2 \
			--batch 8 --checkpoint state --checkpoint-steps 5 \
			--resume graded.rms
		cmp whole/model.safetensors part/model.safetensors ||
			fail "$head"
		cmp whole/rm.json part/rm.json
		rm-score -q --no-history -m whole few.rms > once.rms
		rm-score -q --no-history -m part few.rms > again.rms
		cmp once.rms again.rms
		jq -e ".head.name == \"$head\"" whole/rm.json
	done
}

@test "a stream without the labels that a list needs, or all ties, is refused" {
	printf '%s\n' '{"prompt":"p","responses":["a","b"],"scores":[1,1]}' \
		'{"prompt":"q","responses":["c"],"scores":[1]}' |
		rm-tokenize -q > ties.rms
	run rm-train -q -o m --loss ranking --valid 0 ties.rms
	assert_failure 1
	assert_output --partial "none of 2 records prefers one response"
	run rm-train -q -o m --loss regression --valid 0 ties.rms
	assert_success
}

@test "a value that a part cannot have is wrong usage" {
	run rm-train -o wrong --precision fp8 pairs.rms
	assert_failure 2
	assert_output --partial "auto, fp32, bf16"
	for bad in "--loss bt:no=1" "--backbone bag:tf=no" "--dropout 2"; do
		# shellcheck disable=SC2086
		run rm-train -o wrong $bad pairs.rms
		assert_failure 2
		assert_line --index 0 --regexp 'there are|is not within'
	done
	assert [ ! -e wrong ]
}
