#!/bin/bash
# Training of the bag model beside fastText's supervised mode: tokens and
# words a second, 2 threads, unigrams and bigrams, on the same text (responses
# of arena's pairs; tokens of a BPE learned on them).  Both rates are those
# that the programs report for their training loops; reading and hashing the
# text is part of fastText's, hashing the ids part of ours.
. "$(dirname "$0")/common.bash"
need_data arena/ratings.jsonl.gz

pairs=$work/pairs.rms
text=$work/pairs.txt
if [ ! -s "$pairs" ]; then
	rm-tokenize -q --learn 16000 -o "$work/tokenizer.json" \
		"$data/arena/ratings.jsonl.gz"
	rm-tokenize -q -t "$work/tokenizer.json" --keep-text \
		"$data/arena/ratings.jsonl.gz" |
		rm-pair -q --shuffle --limit 8000 -o "$pairs"
	rm-view "$pairs" | jq -r '.response_texts
		| "__label__1 \(.[0] | gsub("\\s+"; " "))",
		  "__label__0 \(.[1] | gsub("\\s+"; " "))"' > "$text"
fi

# ours DIM: million tokens a second.
ours() {
	rm-train -@ 2 --force --valid 0 --epochs 3 \
		--backbone "bag:ngrams=2,dim=$1" -o "$work/model" "$pairs" 2>&1 |
		sed -n 's/.* \([0-9.]*\) million tokens\/s$/\1/p'
}

# peer DIM: million words a second.
peer() {
	fasttext supervised -input "$text" -output "$work/fasttext" \
		-wordNgrams 2 -thread 2 -epoch 3 -dim "$1" 2>&1 |
		tr '\r' '\n' | sed -n 's/.*thread: *\([0-9]*\).*/\1/p' |
		tail -n 1 | awk '{ print $1 * 2 / 1e6 }'
}

version=
if command -v fasttext > /dev/null; then
	version=$(dpkg-query -W -f='${Version}' fasttext 2> /dev/null ||
		echo unknown)
else
	say "no peer: apt-get install fasttext"
fi

for dim in 16 100; do
	a=() b=()
	for _ in 1 2 3; do
		a+=("$(ours $dim)")
		[ -z "$version" ] || b+=("$(peer $dim)")
	done
	row "bag training, bigrams, dim $dim" "$(median "${a[@]}")" \
		"${version:+$(median "${b[@]}")}" "M tokens/s" higher \
		${version:+fasttext "$version"}
done
