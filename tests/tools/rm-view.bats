#!/usr/bin/env bats
# rm-view: streams as JSON lines and back.
load common

setup() {
	cd "$BATS_TEST_TMPDIR"
	cat > lines <<-'EOF'
	{"id":"a","key":"00f0e1d2c3b4a596","prompt":[1,2],"responses":[[3],[]],"votes":[3,1,0.5],"attributes":{"x":[1,null]},"annotations":[{"annotator":"z","choice":2},{"choice":0}],"p":0.8,"extra":{"note":"\"quoted\" é","n":3,"deep":[{"a":null}]}}
	{"id":"b","key":"ffffffffffffffff","prompt":[],"responses":[[4],[5,-6]],"votes":null,"attributes":null,"annotations":[],"p":null,"extra":null}
	EOF
	rm-view -S --no-history lines > pairs.rms
}

@test "lines to a stream and back are the same lines" {
	run rm-view pairs.rms
	assert_success
	assert_output "$(cat lines)"
}

@test "a stream to lines with its header and back is the same stream" {
	rm-view --header pairs.rms > out
	[ "$(wc -l < out)" -eq 3 ]
	rm-view -S --no-history out | cmp - pairs.rms
}

@test "values nested to the limit go both ways" {
	deep=$(printf '%064d' 0 | tr 0 '[')$(printf '%064d' 0 | tr 0 ']')
	rm-view -S <<< '{"extra":{"x":'"$deep"'}}' | rm-view --header > text
	rm-view -S --no-history text | rm-view --header | cmp - text
	sed '$s/\[\]/[[]]/' text > deeper
	run rm-view -S deeper
	assert_failure 1
	assert_output --partial "nested"
}

@test "-S adds itself to the history, and --no-history does not" {
	run bash -c "rm-view -S lines | rm-view -H | jq -c .history"
	assert_output '[{"tool":"rm-view","version":"0.1.0","argv":["-S","lines"]}]'
	run bash -c "rm-view -H pairs.rms | jq -c .history"
	assert_output '[]'
}

@test "-H prints the header alone" {
	run rm-view -H pairs.rms
	assert_success
	[ "${#lines[@]}" -eq 1 ]
	run jq -r '.format, .version, .kind, .tokenizer, (.fields | join(" "))' <<< "$output"
	assert_line -n 0 rmtools
	assert_line -n 1 1
	assert_line -n 2 pairs
	assert_line -n 3 null
	assert_line -n 4 "id key prompt responses votes attributes annotations p extra"
}

@test "-c counts, over several files too" {
	run rm-view -c pairs.rms
	assert_output 2
	run rm-view -c pairs.rms - pairs.rms < pairs.rms
	assert_output 6
}

@test "-n stops early, and does not look at what comes after" {
	run rm-view -n 1 pairs.rms
	assert_output "$(head -n 1 lines)"
	head -c $(($(stat -c %s pairs.rms) - 40)) pairs.rms > cut.rms
	run rm-view -n 1 cut.rms
	assert_success
	run rm-view cut.rms
	assert_failure 1
}

@test "-o writes a file" {
	rm-view -o out pairs.rms
	cmp out lines
	rm-view -S --no-history -o again.rms lines
	cmp again.rms pairs.rms
}

@test "packed streams are read" {
	gzip -k pairs.rms
	zstd -q pairs.rms
	run rm-view -c pairs.rms.gz pairs.rms.zst
	assert_output 4
}

@test "without a header the first record tells fields and kind" {
	run bash -c 'echo "{\"id\":\"a\",\"reward\":[1,2,3]}" | rm-view -S | rm-view -H | jq -r .kind,.fields[]'
	assert_output $'groups\nid\nreward'
	run bash -c 'echo "{\"id\":\"a\",\"reward\":[1,2]}" | rm-view -S | rm-view -H | jq -r .kind'
	assert_output pairs
	run bash -c 'printf "\n{\"id\":\"a\"}\n \n{}\n{\"id\":\"c\"}" | rm-view -S | rm-view | jq -r .id'
	assert_output $'a\nnull\nc'
}

@test "a header alone makes a stream without records" {
	rm-view --header pairs.rms | head -n 1 | rm-view -S --no-history > none.rms
	run rm-view -c none.rms
	assert_output 0
	cmp <(rm-view -H none.rms) <(rm-view -H pairs.rms)
}

@test "bad lines are named by line and field" {
	while IFS='|' read -r line message; do
		run rm-view -S <<< "$line"
		assert_failure 1
		assert_output --partial "rm-view: <stdin>: line 1: $message"
	done <<-'EOF'
	{"id":3}|field id: a number where a string should be
	{"mine":3}|field mine is not one that rmtools knows
	[3]|not a JSON object
	{"id":"a"|JSON: 
	{"reward":[1,2],"score":[1]}|field score: 1 values for 2 responses
	{"prompt":[1,"x"]}|field prompt: [1]: a string where a whole number
	{"reward":[1],"annotations":[{"choice":2}]}|field annotations: choice 2 of 1
	{"format":"rmtools","version":1}|no kind
	{"format":"rmtools","version":7}|stream version 7
	EOF
	run rm-view -S <<< '{"id":"a","reward":[1,2]}
{"id":"b","reward":[1,2,3]}'
	assert_failure 1
	assert_output --partial "line 2: 3 responses in a stream of pairs"
	run rm-view -S <<< '{"id":"a"}
{"id":"b","rank":[1]}'
	assert_failure 1
	assert_output --partial "line 2: no field rank (there are id)"
	run rm-view -S < /dev/null
	assert_failure 1
	assert_output --partial "empty"
}

@test "a number that is no number" {
	run bash -c 'echo "{\"reward\":[1e999,2]}" | rm-view -S'
	assert_failure 1
	run bash -c 'echo "{\"reward\":[NaN,2]}" | rm-view -S'
	assert_failure 1
	run bash -c 'echo "{\"reward\":[null,-0.0]}" | rm-view -S | rm-view'
	assert_output '{"reward":[null,-0.0]}'
}

@test "options that exclude one another are misuse" {
	for options in "-H -c" "-c -S" "-S -H" "-c -n 3" "-H --text" \
		"-S --header" "--no-history" "-S a b"; do
		# shellcheck disable=SC2086
		run rm-view $options
		assert_failure 2
	done
}

@test "--max-record refuses what is larger" {
	run rm-view --max-record 64 pairs.rms
	assert_failure 1
	assert_output --partial "record 1: 151 bytes, more than --max-record 64"
	run rm-view -S --max-record 64 lines
	assert_failure 1
	assert_output --partial "64"
}

@test "--text needs a tokenizer in the stream" {
	run rm-view --text pairs.rms
	assert_failure 1
	assert_output --partial "carries no tokenizer"
}

# The reader prints a record as soon as it has come, so that a program can
# talk to it over two pipes.
@test "a record is printed before the next one comes" {
	size=$(stat -c %s pairs.rms)
	mkfifo in out
	rm-view < in > out 3>&- &
	exec 6> in 7< out
	head -c $((size - 40)) pairs.rms >&6
	read -r -t 20 line <&7
	[ "$line" = "$(head -n 1 lines)" ]
	tail -c 40 pairs.rms >&6
	exec 6>&-
	read -r -t 20 line <&7
	[ "$line" = "$(tail -n 1 lines)" ]
	exec 7<&-
	wait $!
}

# The bytes that man/rm-stream.5 shows are those that are written.
@test "the dump in rm-stream(5) is a stream" {
	sed -nE 's/^[0-9a-f]{2}  (([0-9a-f]{2} ){1,16}).*/\1/p' \
		"$top/man/rm-stream.5" > dump
	[ "$(wc -w < dump)" -eq 225 ]
	for byte in $(cat dump); do
		printf '%b' "\x$byte"
	done > tiny.rms
	line='{"id":"a","responses":[[72,105],[]],"reward":[1.5,null]}'
	run rm-view tiny.rms
	assert_output "$line"
	rm-view -S --no-history <<< "$line" | cmp - tiny.rms
}

@test "ids as text, by the tokenizer in the header" {
	[ -e "$top/tools/rm-tokenize.c" ] || skip "no rm-tokenize"
	echo '{"prompt":"Say é.","chosen":"yes\n","rejected":""}' |
		rm-tokenize -f jsonl > text.rms
	run bash -c 'rm-view --text text.rms | jq -c "[.prompt_text, .response_texts]"'
	assert_success
	assert_output --partial 'Say é.'
	assert_output --partial '["yes\n",""]'
	rm-view --header text.rms | rm-view -S --no-history | cmp - text.rms
	run bash -c 'rm-view -H text.rms | jq -r ".tokenizer.files[0].name"'
	assert_output tokenizer.json
}
