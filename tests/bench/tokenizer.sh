#!/bin/bash
# Text to ids, CPU time of one thread, on all texts of the real data; the ids
# must be those of the peer.
. "$(dirname "$0")/common.bash"
need_data hh
ours=${BUILD:-build}/bench/bin/tokenizer
peer="python3 $bench/tokenizer_peer.py"
texts=$work/texts.jsonl
learned=$work/learned.json
${MAKE:-make} -s --no-print-directory "$ours" >&2
if ! command -v python3 > /dev/null; then
	say "skipped: no python3 to read the texts"
	exit 0
fi
[ -s "$texts" ] || $peer texts "$data" > "$texts"
version=
if has_python tokenizers; then
	version=$(python_version tokenizers)
else
	say "no peer: pip install tokenizers"
fi

# compare WORK TOKENIZER: MB/s of both, whose ids must be the same.
compare() {
	local a b=()
	read -r -a a <<< "$($ours "$2" < "$texts")"
	if [ -n "$version" ]; then
		read -r -a b <<< "$($peer "$2" < "$texts")"
		if [ "${a[2]}" != "${b[2]}" ]; then
			say "$1: the ids differ from the peer's"
			exit 1
		fi
		b=("$(calc "${b[0]} / ${b[1]}")")
	fi
	row "$1" "$(calc "${a[0]} / ${a[1]}")" "${b[0]:-}" MB/s higher \
		${version:+tokenizers "$version"}
}

rm-tokenize -q --learn 32768 -o "$learned" "$data"/hh/*.jsonl.gz
compare "text to ids, learned BPE" "$learned"
for name in gpt2 roberta-base phi-2; do
	file=$data/tokenizers/$name/tokenizer.json
	[ ! -e "$file" ] || compare "text to ids, $name" "$file"
done
