#!/bin/bash
# Texts of one word of LONG_MB megabytes: spaces, one letter, words of many
# scripts, added tokens (tests/words.h has the list).  Time must grow as the
# text does, and memory too: the worst word of every family.
. "$(dirname "$0")/common.bash"
need_data tokenizers
ours=${BUILD:-build}/bench/bin/long
mb=${LONG_MB:-50}
status=0
${MAKE:-make} -s --no-print-directory "$ours" >&2

# worst NAME COLUMN: the largest figure of a column, and the word's name.
worst() {
	sort -t $'\t' -g -r -k "$2,$2" "$work/$1.out" | head -n 1 |
		cut -f "1,$2"
}

# rows NAME: what long.c found of a family.
rows() {
	local what x
	IFS=$'\t' read -r what x <<< "$(worst "$1" 3)"
	row "one word of $mb MB, $1, slowest: $what" "$x" "" s lower
	IFS=$'\t' read -r what x <<< "$(worst "$1" 4)"
	row "time a byte to that of $(calc "$mb / 10") MB, $1, worst: $what" \
		"$x" 2 times lower goal "2 times"
	IFS=$'\t' read -r what x <<< "$(worst "$1" 5)"
	row "memory a byte, $1, most: $what" "$x" 64 bytes lower \
		goal "64 bytes"
}

names=("$@")
if [ $# -eq 0 ]; then
	for file in "$data"/tokenizers/*/tokenizer.json; do
		names+=("$(basename "$(dirname "$file")")")
	done
fi
# Two at a time, each on one thread.
printf '%s\n' "${names[@]}" | xargs -P 2 -I NAME sh -c "'$ours' \
	'$data/tokenizers/NAME/tokenizer.json' '${mb}000000' \
	> '$work/NAME.out'" || status=1
for name in "${names[@]}"; do
	[ ! -s "$work/$name.out" ] || rows "$name"
done
exit $status
