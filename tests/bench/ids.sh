#!/bin/bash
# Strings whose ids differ from the peer's: all distinct texts of the real
# data and IDS_STRINGS generated ones, a million over the twelve published
# tokenizers unless it says otherwise; small made ones of every kind of part;
# invalid bytes through rm-tokenize --replace.
. "$(dirname "$0")/common.bash"
need_data tokenizers
if ! has_python tokenizers; then
	say "no peer: pip install tokenizers (PEER_PYTHON says where it is)"
	exit 0
fi
version=$(python_version tokenizers)
ours=${BUILD:-build}/bench/bin/ids
texts=$work/texts.jsonl
peer=("$python" "$bench/ids_peer.py")
strings=${IDS_STRINGS:-1000000}
seed=${IDS_SEED:-1}
status=0
export ours strings seed
${MAKE:-make} -s --no-print-directory "$ours" >&2
[ -s "$texts" ] || {
	"$python" "$bench/tokenizer_peer.py" texts "$data" > "$texts.tmp"
	mv "$texts.tmp" "$texts"
}

# differing WORK FILE: a row of the sums of all lines of FILE.
differing() {
	local n bad refused
	read -r n bad refused <<< "$(awk '
	{ n += $(NF - 2); bad += $(NF - 1); refused += $NF }
	END { print n + 0, bad + 0, refused + 0 }' "$2")"
	[ "$refused" = 0 ] || say "$1: the peer refuses $refused strings"
	[ "$n" != 0 ] || bad=
	[ "$bad" = 0 ] || status=1
	row "differing ids, $1, $n strings" "$bad" 0 strings lower \
		tokenizers "$version"
}

names=()
for file in "$data"/tokenizers/*/tokenizer.json; do
	names+=("$(basename "$(dirname "$file")")")
done
if [ $# -gt 0 ]; then
	names=("$@")
fi
each=$((strings / ${#names[@]}))

# Two at a time, each on one thread.
printf '%s\n' "${names[@]}" | xargs -P 2 -I NAME sh -c "'${peer[0]}' \
	'${peer[1]}' '$ours' '$each' '$seed' -t '$texts' \
	'$data/tokenizers/NAME/tokenizer.json' > '$work/NAME.out'" ||
	status=1
for name in "${names[@]}"; do
	differing "$name" "$work/$name.out"
done
[ $# -eq 0 ] || exit $status

rm -rf "$work/synthetic"
"$python" tests/ref/synthetic.py "$work/synthetic" >&2
made=("$work"/synthetic/*.json)
printf '%s\n' "${made[@]}" | xargs -P 2 -n 10 "${peer[@]}" "$ours" \
	"${IDS_MADE:-2000}" "$seed" > "$work/synthetic.out" || status=1
bad=$(awk '$(NF - 1) > 0 { print $(NF - 3) }' "$work/synthetic.out")
[ -z "$bad" ] || say "made tokenizers that differ:
$bad"
differing "${#made[@]} made tokenizers" "$work/synthetic.out"

"${peer[@]}" replace "$bin/rm-tokenize" "$bin/rm-view" "$work" \
	"$((strings / 100 + 1))" "$seed" "$data/tokenizers/gpt2/tokenizer.json" \
	> "$work/replace.out" || status=1
differing "invalid bytes, rm-tokenize --replace" "$work/replace.out"
exit $status
