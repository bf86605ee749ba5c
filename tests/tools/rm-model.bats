#!/usr/bin/env bats
# What a model directory is, and whether it is whole.
load common

setup_file() {
	PATH=$RM_BIN:$PATH
	cd "$BATS_FILE_TMPDIR" || return
	"$BATS_TEST_DIRNAME/../../examples/generate" | head -n 60 > text.jsonl
	rm-tokenize -q text.jsonl | rm-train -q -o m --backbone bag:rows=1024
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cp -r "$BATS_FILE_TMPDIR/m" .
}

@test "show" {
	run rm-model show m
	assert_success
	assert_line --regexp '^type +rmtools$'
	assert_line --regexp '^backbone +bag:.*rows=1024'
	assert_line --regexp '^head +linear'
	assert_line --regexp '^objective +bt'
	assert_line --regexp '^calibration +none$'
	# Without the gaps that align tensors.
	assert_line --regexp '^parameters +1026$'
	assert_line --regexp '^policy +template=plain,special_tokens=false$'
	assert_line --regexp '^tokenizer +tokenizer.json \([0-9]+ bytes\)$'
	assert_line --regexp 'rm-train -q -o m --backbone bag:rows=1024$'
	run bash -c 'rm-model show --format json m m | jq -r .fingerprint | uniq -c | tr -s " "'
	assert_output " 2 $(jq -r .fingerprints.model m/rm.json)"
}

@test "check names what is sound" {
	run rm-model check m
	assert_success
	assert_line "config.json: ok"
	assert_line "model.safetensors: ok"
	assert_line "rm.json: ok"
	assert_line "tokenizer.json: ok"
	run rm-model check -q m
	assert_success
	assert_output ""
}

@test "check names what is damaged and exits 3" {
	size=$(wc -c < m/model.safetensors)
	printf '\1' | dd of=m/model.safetensors bs=1 seek=$((size / 2)) \
		conv=notrunc status=none
	run rm-model check m
	assert_failure 3
	assert_line --partial "model.safetensors: damaged: tensor embedding.weight differs"
	# The others are looked at all the same.
	assert_line "tokenizer.json: ok"
	truncate -s -4 m/model.safetensors
	run rm-model check m
	assert_failure 3
	assert_line --partial "outside the"
	rm m/rm.json
	run rm-model check m
	assert_failure 3
	assert_line --partial "rm.json: No such file or directory"
}

@test "every file that is missing or empty is damage" {
	for f in config.json rm.json tokenizer.json model.safetensors; do
		rm -rf n
		cp -r m n
		: > n/$f
		run rm-model check n
		assert_failure 3
		assert_output --partial "$f"
		rm n/$f
		run rm-model check n
		assert_failure 3
		assert_output --partial "$f: No such file"
	done
}

@test "a flipped bit anywhere in the weights is found" {
	size=$(wc -c < m/model.safetensors)
	for at in 0 9 200 700 2000 $((size - 2)); do
		rm -rf n
		cp -r m n
		byte=$(od -An -tu1 -j"$at" -N1 m/model.safetensors)
		printf "\\$(printf %o $((byte ^ 16)))" |
			dd of=n/model.safetensors bs=1 seek="$at" conv=notrunc \
			status=none
		run rm-model check -q n
		assert_failure 3
	done
}

@test "a tokenizer saved again is the same, another is not" {
	jq -cS . m/tokenizer.json > t && mv t m/tokenizer.json
	run rm-model check -q m
	assert_success
	jq '.model.vocab |= with_entries(if .value == 65 then .value = 66
		elif .value == 66 then .value = 65 else . end)' \
		m/tokenizer.json > t && mv t m/tokenizer.json
	run rm-model check -q m
	assert_failure 3
	assert_output --partial "tokenizer.json: damaged"
}

@test "wrong usage" {
	run rm-model
	assert_failure 2
	run rm-model paint m
	assert_failure 2
	assert_output --partial "unknown command paint (show, check)"
	run rm-model show
	assert_failure 2
	run rm-model show nowhere
	assert_failure 1
	assert_output --partial "nowhere: No such file or directory"
	run rm-model check nowhere
	assert_failure 3
	run bash -c 'rm-model show m > /dev/full'
	assert_failure 1
}
