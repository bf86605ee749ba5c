#!/bin/bash
# Training the bag: tokens a second beside fastText's words a second, on the
# same tokens (a learned BPE of HH's transcripts), unigrams and bigrams, two
# threads, ten epochs, 2^21 buckets for ours and 2,000,000 for fastText.
# Prompts are left out on both sides, so that every token counted is used.
. "$(dirname "$0")/common.bash"
need_data hh/helpful-online.jsonl.gz
unset OPENBLAS_NUM_THREADS OMP_NUM_THREADS
epochs=10 threads=2 runs=${RUNS:-3}

texts=$work/texts.jsonl
if [ ! -s "$work/pairs.rms" ]; then
	zcat "$data"/hh/*.jsonl.gz | jq -c '
		map_values(gsub("\n\n(?<who>Human|Assistant): "; "\n\(.who) "))
		| { a: .chosen, b: .rejected }' > "$texts"
	rm-tokenize -q --learn 16000 --chosen a --rejected b \
		-o "$work/tokenizer.json" "$texts"
	rm-tokenize -q -t "$work/tokenizer.json" --chosen a --rejected b \
		"$texts" | rm-pair -q -o "$work/pairs.rms"
fi

# fastText's input: a word a token, a line a response.
words=$work/words.txt
[ -s "$words" ] || rm-view "$work/pairs.rms" | jq -r '
	.responses | ("__label__1 " + (.[0] | map("t\(.)") | join(" "))),
		     ("__label__0 " + (.[1] | map("t\(.)") | join(" ")))' \
	> "$words"

# Million tokens a second that rm-train reports.
ours() {
	rm-train -@ $threads --epochs $epochs --valid 0 \
		--backbone "bag:ngrams=2,dim=$1,rows=2097152" \
		-o "$work/model" "$work/pairs.rms" 2>&1 |
		sed -n 's/.* in .* s, \([0-9.]*\) \?\([kM]\?\) tokens.*/\1\U\2/p' |
		numfmt --from=si | awk '{ print $1 / 1e6 }'
}

# The same from fastText's last progress line, all threads together.
peer() {
	fasttext supervised -input "$words" -output "$work/peer" -dim "$1" \
		-wordNgrams 2 -bucket 2000000 -epoch $epochs \
		-thread $threads 2>&1 | tr '\r' '\n' |
		sed -n 's/.*words\/sec\/thread: *\([0-9]*\).*/\1/p' | tail -n 1 |
		awk -v n=$threads '{ printf "%.6g", $1 * n / 1e6 }'
}

version=
if command -v fasttext > /dev/null; then
	version=$(dpkg-query -W -f='${Version}' fasttext 2> /dev/null || echo ?)
else
	say "train: no fasttext: without its figures"
fi
for dim in 16 100; do
	mine=() theirs=()
	for ((i = 0; i < runs; i++)); do
		mine+=("$(ours $dim)")
		[ -z "$version" ] || theirs+=("$(peer $dim)")
	done
	row "train bag, bigrams, dim $dim, 2 threads" \
		"$(median "${mine[@]}")" \
		"${version:+$(median "${theirs[@]}")}" \
		"million tokens/s" higher ${version:+fasttext "$version"}
done
