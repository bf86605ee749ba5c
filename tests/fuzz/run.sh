#!/bin/bash
# Damage files in a thousand ways, the same ones every time, and give them to
# every program that reads them, built with sanitizers: it must end by itself
# within 20 seconds, with status 0 or 3, or with 1 or 2 and a message.
#
# usage: make fuzz [N=100] [SEED=1] [ONLY=NAME]    N copies of each file
#
# Add inputs at the foot: try NAME FILE [-m] COMMAND..., with @ for the damaged
# copy and SCRATCH for an output.  A copy that failed stays in build/fuzz/; put
# it into tests/fuzz/corpus/NAME/ with the repair, and it is tried ever after.
set -eu
cd "$(dirname "$0")/../.."
N=${N:-100} SEED=${SEED:-1} ONLY=${ONLY:-}
build=build/fuzz
rm -rf $build
mkdir -p $build
PATH=$PWD/build/san/bin:$PATH
export build PATH OMP_NUM_THREADS=1
export ASAN_OPTIONS=exitcode=99:max_allocation_size_mb=3000
export UBSAN_OPTIONS=print_stacktrace=1
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -o $build/damage \
	tests/fuzz/damage.c -lz

# one COMMAND COPY: run it; say what was wrong with how it ended.
one() {
	local out scratch=$2.out status=0
	out=$2.$(cksum <<< "$1" | cut -d' ' -f1).err
	command=${1//@/$2}
	timeout 20 bash -c "${command//SCRATCH/$scratch}" \
		> /dev/null 2> "$out" < /dev/null || status=$?
	if [ $status -gt 3 ] || grep -qE 'Sanitizer|runtime error' "$out" ||
		{ [[ $status = [12] ]] && [ ! -s "$out" ]; }; then
		echo "FAILED (exit $status): $command"
		head -n 15 "$out" | sed 's/^/    /'
	else
		rm -f "$out"
	fi
	rm -rf "$scratch"
}
export -f one

total=0
failed=0

# try NAME FILE [-m] COMMAND...: damaged copies of FILE, and the stored ones.
try() {
	local name=$1 file=$2 mend= dir=$build/$1
	shift 2
	if [ "$1" = -m ]; then
		mend=-m
		shift
	fi
	[ -z "$ONLY" ] || [ "$ONLY" = "$name" ] || return 0
	mkdir -p "$dir"
	$build/damage $mend "$file" "$SEED" "$N" "$dir/"
	cp "$file" "$dir/whole"
	for stored in tests/fuzz/corpus/"$name"/*; do
		[ ! -e "$stored" ] || cp "$stored" "$dir/"
	done
	copies=$(find "$dir" -type f | sort)
	for command; do
		for copy in $copies; do
			printf '%s\0%s\0' "$command" "$copy"
		done
	done | xargs -0 -n 2 -P "$(nproc)" bash -c 'one "$0" "$1"' > "$dir.log"
	runs=$(($# * $(wc -w <<< "$copies")))
	bad=$(grep -c '^FAILED' "$dir.log" || :)
	total=$((total + runs))
	failed=$((failed + bad))
	printf '%-16s %6d runs %4d failed\n' "$name" "$runs" "$bad"
	cat "$dir.log"
	[ "$bad" -ne 0 ] || rm -rf "$dir"
}

# ---- inputs ----

corpus=tests/fuzz/corpus
examples/generate 12 > $build/examples.jsonl
rm-tokenize -q --keep-text $build/examples.jsonl > $build/groups.rms
rm-pair -q $build/groups.rms > $build/pairs.rms
rm-train -q --epochs 1 --backbone bag:rows=64,dim=2 -o $build/model \
	$build/pairs.rms
for lines in all-types scored-pairs; do
	rm-view -S $corpus/lines/$lines.jsonl > $build/$lines.rms
done

try header $build/groups.rms 'rm-view -c @' 'rm-pair @'
try records $build/all-types.rms -m 'rm-view @' \
	'rm-view --header @ | rm-view -S' 'rm-pair @' \
	'rm-pair --as list --shuffle --dedup @' 'rm-pair --stats @' \
	'rm-pair --drop-annotator z --stats @' 'rm-eval @'
try groups $build/groups.rms -m 'rm-view --text @' \
	'rm-pair --balance length @'
try scored $build/scored-pairs.rms -m 'rm-eval @' 'rm-eval --by subset @'
try lines $corpus/lines/all-types.jsonl 'rm-view -S @'
try train $build/pairs.rms -m \
	'rm-train -q --epochs 1 --backbone bag:rows=64,dim=2 -o SCRATCH @'
try score $build/groups.rms -m "rm-score -m $build/model @"
for part in $(ls $build/model); do
	try "$part" "$build/model/$part" \
		"cp -r $build/model SCRATCH && cp @ SCRATCH/$part &&
		 rm-score -m SCRATCH $build/pairs.rms" \
		"cp -r $build/model SCRATCH && cp @ SCRATCH/$part &&
		 rm-model check SCRATCH"
done
rm-train -q --batch 4 --backbone bag:rows=64,dim=2 -o $build/again \
	--checkpoint $build/checkpoint --checkpoint-steps 1 \
	$build/pairs.rms
try checkpoint $build/checkpoint/checkpoint.safetensors \
	"mkdir SCRATCH && cp @ SCRATCH/checkpoint.safetensors &&
	 rm-train -q --batch 4 --backbone bag:rows=64,dim=2 -o SCRATCH/m \
		--checkpoint SCRATCH --resume $build/pairs.rms"
rm-score -q -m $build/model $build/pairs.rms > $build/scored.rms
rm-calibrate -q --fit isotonic -o $build/isotonic $build/scored.rms
try calibration $build/isotonic "rm-calibrate --apply @ $build/scored.rms"
try rewards $build/scored.rms -m 'rm-calibrate -q --fit beta @'
try text $build/examples.jsonl 'rm-tokenize -q @' 'rm-tokenize -q --skip-bad @'
try votes $corpus/text/votes.jsonl 'rm-tokenize -q --keep-text @' \
	'rm-tokenize -q @ | rm-pair -q --weight votes'
try csv $corpus/text/quoted.csv 'rm-tokenize -q @' \
	'rm-tokenize -q --skip-bad --replace --overlong left -l 5 @'
try array $corpus/text/messages.json 'rm-tokenize -q @' \
	'rm-tokenize -q --template chatml -l 9 @'
for template in $corpus/jinja/*.jinja; do
	try "$(basename "$template")" "$template" \
		"rm-tokenize -q --template @ --template-date 2025-03-09 \
			--template-vars '{\"n\": [1, \"a\", null]}' \
			$corpus/jinja/talk.jsonl"
done
try talk $corpus/jinja/talk.jsonl \
	"rm-tokenize -q --template $corpus/jinja/agent.jinja @"
rm-tokenize -q --learn 300 -o $build/learned.json $build/examples.jsonl
try tokenizer $build/learned.json "rm-tokenize -q -t @ $build/examples.jsonl"
try special $corpus/special/tokenizer.json \
	"rm-tokenize -q -t @ -l 9 --overlong right $build/examples.jsonl |
	 rm-view --text" \
	"rm-tokenize -q -t @ --template pair -l 9 $build/examples.jsonl"
try learn $build/examples.jsonl 'rm-tokenize -q --learn 270 -o SCRATCH @'
for stored in tests/data/checkpoints/*/; do
	family=$(basename "$stored")
	jq -c 'to_entries[] | select(.value.ids) |
		{id: "\(.key)", prompt: [], responses: [.value.ids]}' \
		"$stored/reference.json" | rm-view -S > "$build/$family.rms"
	for part in "$stored"config.json "$stored"*.safetensors*; do
		try "$family" "$part" \
			"cp -r $stored SCRATCH && chmod -R u+w SCRATCH &&
			 cp @ SCRATCH/$(basename "$part") &&
			 rm-score --force -m SCRATCH $build/$family.rms"
	done
done

echo "$total runs, $failed failed"
[ $failed -eq 0 ] && [ $total -gt 0 ]
