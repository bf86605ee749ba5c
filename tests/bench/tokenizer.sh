#!/bin/bash
# Text to ids and loading.  Text to ids is CPU time of one thread, on
# all distinct texts of the real data (23 MB), and on generated text of rare
# words in many scripts, where no cache helps.  The peer has a sample of each
# (TOKENIZER_SAMPLE MB; every so manieth text), whose ids must be the same, and
# the faster of encode() and encode_batch_fast().
. "$(dirname "$0")/common.bash"
need_data hh
ours=${BUILD:-build}/bench/bin/tokenizer
peer="$python $bench/tokenizer_peer.py"
sample=${TOKENIZER_SAMPLE:-3}
learned=$work/learned.json
status=0
${MAKE:-make} -s --no-print-directory "$ours" >&2
if ! command -v "$python" > /dev/null; then
	say "skipped: no $python to read the texts"
	exit 0
fi
[ -s "$work/texts" ] || {
	$peer texts "$data" > "$work/tmp"
	mv "$work/tmp" "$work/texts"
}
[ -s "$work/hard" ] || {
	$peer hard 60000 > "$work/tmp"
	mv "$work/tmp" "$work/hard"
}
$peer sample "$sample" < "$work/texts" > "$work/texts.sample"
$peer sample "$(calc "$sample / 2")" < "$work/hard" > "$work/hard.sample"
version=
if has_python tokenizers; then
	version=$(python_version tokenizers)
else
	say "no peer: pip install tokenizers (PEER_PYTHON says where it is)"
fi

# compare WORK TEXTS TOKENIZER: MB/s of both, whose ids must be the same.
compare() {
	local a b=() same
	a=$($ours "$3" < "$work/$2") || {
		status=1
		return
	}
	read -r -a a <<< "$a"
	if [ -n "$version" ]; then
		read -r -a b <<< "$($peer "$3" < "$work/$2.sample")"
		read -r -a same <<< "$($ours "$3" < "$work/$2.sample")"
		if [ "${same[2]}" != "${b[2]}" ]; then
			say "$1: the ids differ from the peer's"
			status=1
		fi
		b=("$(calc "${b[0]} / ${b[1]}")")
	fi
	row "$1" "$(calc "${a[0]} / ${a[1]}")" "${b[0]:-}" MB/s higher \
		${version:+tokenizers "$version"}
}

# load NAME TOKENIZER: ms of both.
load() {
	local a b=
	a=$($ours load "$2") || {
		status=1
		return
	}
	[ -z "$version" ] || b=$($peer load "$2")
	row "load $1" "$a" "$b" ms lower ${version:+tokenizers "$version"}
	[ "$1" != "$largest" ] ||
		row "load $1, the largest" "$a" 200 ms lower goal "200 ms"
}

# threads NAME TOKENIZER: how much faster two threads are than one.
threads() {
	local one two f=$work/pairs.jsonl eight
	# Of 100 MB loading the tokenizer, which is one thread's, is little.
	eight="'$f' '$f' '$f' '$f' '$f' '$f' '$f' '$f'"
	one=$(seconds 3 "rm-tokenize -q -@ 1 -t '$2' $eight") &&
	two=$(seconds 3 "rm-tokenize -q -@ 2 -t '$2' $eight") || {
		status=1
		return
	}
	row "rm-tokenize, $1, two threads to one" "$(calc "$one / $two")" \
		1.8 times higher goal "1.8 times"
}

names=()
for file in "$data"/tokenizers/*/tokenizer.json; do
	names+=("$(basename "$(dirname "$file")")")
done
largest=$(basename "$(dirname "$(ls -S "$data"/tokenizers/*/tokenizer.json |
	head -n 1)")")

if [ $# -eq 0 ]; then
	rm-tokenize -q --learn 32768 -o "$learned" "$data"/hh/*.jsonl.gz
	compare "text to ids, learned BPE" texts "$learned"
else
	names=("$@")
fi
for name in "${names[@]}"; do
	file=$data/tokenizers/$name/tokenizer.json
	compare "text to ids, $name" texts "$file"
	compare "rare words to ids, $name" hard "$file"
	load "$name" "$file"
done
[ $# -eq 0 ] || exit $status
[ -s "$work/pairs.jsonl" ] || zcat "$data"/hh/*.jsonl.gz > "$work/pairs.jsonl"
for name in qwen2.5 bert-base-uncased; do
	threads "$name" "$data/tokenizers/$name"
done
exit $status
