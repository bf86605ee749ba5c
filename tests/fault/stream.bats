#!/usr/bin/env bats
# Streams that are cut, damaged, empty or something else; disks that are full;
# readers and producers that went away.  Every tool that reads a stream has to
# say what is wrong, fail, and leave nothing half-written.
load ../tools/common

setup() {
	cd "$BATS_TEST_TMPDIR"
	for i in 1 2 3; do
		echo "{\"id\":\"row:$i\",\"prompt\":[1,2],\"responses\":[[3],[4,5]],\"rank\":[0,1],\"reward\":[$i,0]}"
	done > lines
	rm-view -S --no-history lines > good.rms
	size=$(stat -c %s good.rms)
}

# Every tool that reads a stream (and is in tools/).
readers() {
	while read -r tool options; do
		[ ! -e "$top/tools/$tool.c" ] || echo "$tool $options -o out"
	done <<-'EOF'
	rm-view
	rm-view -c
	rm-pair
	rm-eval
	rm-train
	rm-calibrate --fit temperature
	EOF
}

# Little memory to try with; a sanitized build needs its shadow.
little_memory() {
	ldd "$RM_BIN/rm-view" | grep -q libasan || ulimit -v 400000
}

# assert_refused FILE: every reader fails on it, names it, leaves nothing.
assert_refused() {
	while read -r command; do
		run $command "$1"
		[ "$status" -eq 1 ] || fail "$command $1: exit $status: $output"
		assert_output --partial "$1"
		[ ! -e out ] || fail "$command left its output"
		run find . -name 'out*'
		assert_output ""
	done < <(readers)
}

# The 32-bit CRC of stdin as four bytes, big-endian: gzip's trailer has it.
crc() {
	gzip -nc | tail -c 8 | head -c 4 | od -An -tx1 |
		awk '{ printf "\\x%s\\x%s\\x%s\\x%s", $4, $3, $2, $1 }'
}

# frame PAYLOAD (with \x escapes): a whole frame.
frame() {
	printf "$1" > payload
	printf '\xce%b' "$(printf '\\x%02x' 0 0 $(($(stat -c %s payload) / 256)) \
		$(($(stat -c %s payload) % 256)))"
	cat payload
	printf '\xce%b' "$(crc < payload)"
}

header='\x86\xa6format\xa7rmtools\xa7version\x01\xa4kind\xa6groups\xa6fields'

@test "a stream cut at any byte fails and says after how many records" {
	for ((n = 0; n < size; n++)); do
		head -c $n good.rms > cut.rms
		run rm-view -c cut.rms
		[ "$status" -eq 1 ] || fail "cut at $n: exit $status"
		if [ "$n" -gt 20 ]; then
			assert_output --regexp "cut.rms: cut short after [0-3] records"
		fi
	done
}

@test "a flipped bit in any byte fails" {
	for ((n = 0; n < size; n++)); do
		byte=$(tail -c +$((n + 1)) good.rms | head -c 1 | od -An -tu1)
		{
			head -c $n good.rms
			printf '%b' "$(printf '\\x%02x' $((byte ^ 1 << n % 8)))"
			tail -c +$((n + 2)) good.rms
		} > bad.rms
		run rm-view -c bad.rms
		[ "$status" -eq 1 ] || fail "byte $n: exit $status"
		assert_output --partial "bad.rms"
	done
}

@test "every reader refuses a cut stream and leaves nothing" {
	for n in 0 3 100 $((size / 2)) $((size - 26)) $((size - 1)); do
		head -c $n good.rms > cut.rms
		assert_refused cut.rms
	done
}

@test "every reader refuses a damaged record" {
	{
		head -c $((size - 60)) good.rms
		printf '\xff\xff'
		tail -c 58 good.rms
	} > bad.rms
	assert_refused bad.rms
	run rm-view -c bad.rms
	assert_output --partial "record 3: damaged"
}

@test "every reader refuses what is no stream" {
	: > empty
	echo '{"prompt":"a"}' > json
	echo 'chosen,rejected' > csv
	head -c 100 "$RM_BIN/rm-view" > elf
	for file in empty json csv elf; do
		assert_refused $file
	done
	run rm-view json
	assert_output --partial "looks like JSON text; use rm-tokenize"
	run rm-view csv
	assert_output --partial "looks like text"
	run rm-view empty
	assert_output --partial "empty"
}

@test "two streams joined by cat are refused" {
	cat good.rms good.rms > both.rms
	assert_refused both.rms
}

@test "a claimed length costs no memory" {
	printf '\xce\x3f\xff\xff\xff\x89\xa6format\xa7rmtools%0100d' 0 > claim.rms
	little_memory
	run rm-view claim.rms
	assert_failure 1
	assert_output --partial "cut short"
}

@test "a claimed count beyond its record is refused at once" {
	little_memory
	for value in '\xdd\x7f\xff\xff\xff\xc0' '\xdf\x7f\xff\xff\xff\xc0' \
		'\xc9\x7f\xff\xff\xff\x01' '\xdb\x7f\xff\xff\xffa'; do
		{
			frame "$header"'\x91\xa9responses\xa5types\x91\xa9i32[k][n]\xa6policy\x80'
			frame '\x91'"$value"
		} > count.rms
		run rm-view count.rms
		assert_failure 1
		assert_output --partial "count.rms: record 1: field responses"
	done
}

@test "a known field of another type is refused" {
	frame "$header"'\x91\xa6reward\xa5types\x91\xa3str\xa6policy\x80' > type.rms
	assert_refused type.rms
	run rm-view type.rms
	assert_output --partial "field reward: type str, expected f64[k]"
}

@test "a bomb of a tokenizer is refused before it is unpacked" {
	head -c 300000000 /dev/zero | zstd -q > bomb
	line=$(rm-view -H good.rms | jq -c --arg z "$(base64 -w 0 < bomb)" \
		'.tokenizer = {fingerprint: "00000000000000000000000000000000",
		  files: [{name: "tokenizer.json", size: 300000000, zstd: $z}]}')
	run rm-view -S <<< "$line"
	assert_failure 1
	assert_output --partial "larger than 256 MiB"
}

@test "a full disk fails" {
	rm-view -S --no-history lines > copy.rms
	for command in "rm-view good.rms" "rm-view -c good.rms" \
		"rm-view -H good.rms" "rm-view -S lines" "rm-pair good.rms"; do
		run bash -c "$command > /dev/full"
		assert_failure 1
		assert_output --partial "No space left on device"
	done
}

@test "closed standard output fails" {
	for command in "rm-view good.rms" "rm-view -c good.rms" "rm-pair good.rms"; do
		run bash -c "$command >&-"
		assert_failure 1
		refute_output ""
	done
}

@test "a reader that goes away ends a tool quietly" {
	for ((i = 0; i < 100; i++)); do cat lines; done > many
	for ((i = 0; i < 60; i++)); do cat many; done > more
	rm-view -S -o more.rms more
	for command in "rm-view" "rm-pair"; do
		run bash -c "set -o pipefail; $command more.rms | head -c 1 > /dev/null"
		[ "$status" -eq 141 ] || fail "$command: exit $status"
		assert_output ""
	done
}

@test "a reader that goes away does so where SIGPIPE is ignored" {
	for command in "rm-view" "rm-view -c" "rm-pair -q"; do
		run bash -c "set -o pipefail; trap '' PIPE
			{ sleep .2; $command good.rms; } | true"
		[ "$status" -eq 141 ] || fail "$command: exit $status"
		assert_output ""
	done
}

@test "a killed writer leaves nothing, and the earlier file as it was" {
	echo good > out
	for signal in KILL TERM; do
		mkfifo in.$signal
		rm-view -S -o out in.$signal &
		exec 7> in.$signal
		cat lines >&7
		sleep .2
		kill -$signal $!
		run wait $!
		exec 7>&-
		[ "$(cat out)" = good ]
		run find . -name 'out?*'
		assert_output ""
	done
}

@test "messages do not go into the output where stderr is closed" {
	rm-pair -o want.rms --no-history good.rms
	run bash -c "rm-pair -o out.rms --no-history good.rms <&- >&- 2>&-"
	assert_success
	cmp want.rms out.rms
}

@test "a producer that died fails what reads from it" {
	run bash -c "{ head -c $((size - 30)) good.rms; kill -9 \$BASHPID; } | rm-view -c"
	assert_failure 1
	assert_output --partial "<stdin>: cut short after 3 records"
	run bash -c "rm-pair /nonexistent | rm-view -c"
	assert_failure 1
	assert_output --partial "<stdin>: empty"
}

@test "a failed run leaves the earlier file as it was" {
	head -c $((size - 1)) good.rms > cut.rms
	for command in "rm-view -o out cut.rms" "rm-pair -o out cut.rms" \
		"rm-view -S -o out good.rms"; do
		echo good > out
		run $command
		assert_failure 1
		[ "$(cat out)" = good ]
		run find . -name 'out?*'
		assert_output ""
	done
}

@test "streams of different tokenizers are refused together" {
	for t in a b; do
		printf '{"%s":1}' $t > tokenizer
		rm-view --header good.rms | jq -c --arg t $t \
			--arg z "$(zstd -qc tokenizer | base64 -w 0)" \
			'if .format then .tokenizer = {
			   fingerprint: ($t * 32),
			   files: [{name: "tokenizer.json", size: 7, zstd: $z}]}
			 else . end' | rm-view -S > $t.rms
	done
	for command in rm-view rm-pair; do
		run $command a.rms b.rms
		assert_failure 1
		assert_output --partial "tokenizer"
	done
}
