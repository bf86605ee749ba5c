#!/bin/bash
# rm-tokenize --learn beside the trainers of the PyPI package `tokenizers`, on
# 100 MB of text in rows of JSON lines, whole programs: time and peak memory;
# and the memory that 100 MB of words seen once take.
. "$(dirname "$0")/common.bash"
need_data hh
rows=$work/rows.jsonl
once=$work/once.jsonl
if ! command -v "$python" > /dev/null; then
	say "skipped: no $python to make the texts"
	exit 0
fi
if [ ! -x /usr/bin/time ]; then
	say "skipped: no /usr/bin/time"
	exit 0
fi
for kind in texts words; do
	file=$rows
	[ $kind = texts ] || file=$once
	[ -s "$file" ] || {
		"$python" $bench/learn_peer.py $kind "$data" 100 > "$file.tmp"
		mv "$file.tmp" "$file"
	}
done
version=
if has_python tokenizers; then
	version=$(python_version tokenizers)
else
	say "no peer: pip install tokenizers (PEER_PYTHON says where it is)"
fi

# cost COMMAND...: seconds of CPU, seconds, MB at the peak.
cost() {
	/usr/bin/time -f '%U %S %e %M' -o "$work/cost" "$@"
	awk '{ print $1 + $2, $3, $4 / 1024 }' "$work/cost"
}

# compare TYPE THREADS: of one thread, seconds of CPU; of more, seconds.
compare() {
	local a b=() i=0 unit="s CPU" name="learn $1, 32000 tokens, -@ $2"
	[ "$2" = 1 ] || { i=1; unit=s; }
	read -r -a a <<< "$(cost rm-tokenize -q -@ "$2" --learn 32000 \
		--learn-as "$1" --min-count 1 -o "$work/ours.json" "$rows")"
	[ -z "$version" ] ||
		read -r -a b <<< "$(RAYON_NUM_THREADS=$2 \
			cost "$python" $bench/learn_peer.py "$1" 32000 \
			"$work/peer.json" "$rows")"
	row "$name" "${a[i]}" "${b[i]:-}" "$unit" lower \
		${version:+tokenizers "$version"}
	row "$name, memory" "${a[2]}" "${b[2]:-}" MB lower \
		${version:+tokenizers "$version"}
}

compare bpe 1
compare bpe 2
compare wordpiece 1
read -r -a a <<< "$(cost rm-tokenize -q --learn 32000 --min-count 1 \
	-o "$work/ours.json" "$once")"
row "learn bpe from 100 MB of words seen once, memory" "${a[2]}" 2048 MB \
	lower goal "2 GB"
