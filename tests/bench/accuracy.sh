#!/bin/bash
# Accuracy of the default bag model beside scikit-learn's tf-idf + logistic
# regression: 20 % of the keys held out, the mean over five split seeds, the
# same pairs for both.  And HH, with intervals, which has no peer.
. "$(dirname "$0")/common.bash"
seeds="1 2 3 4 5"
peer=
has_python sklearn scipy numpy && peer=yes ||
	say "no peer: $python has no scikit-learn"

# part SEED NAME SPLIT_BY: the pairs of one side of a split.
part() {
	rm-pair -q --split train=.8,test=.2 --split-seed "$1" --take "$2" \
		${3:+--split-by "$3"} "$work/groups.rms"
}

accuracy() {
	rm-eval --format json "$1" | jq .accuracy
}

# judge KIND: the peer's accuracy.
judge() {
	nice "$python" "$bench/accuracy_peer.py" "$1" "$work/train.json" \
		"$work/test.json" | rm-view -S -o "$work/peer.rms"
	accuracy "$work/peer.rms"
}

mean() {
	calc "($(echo "$*" | tr ' ' +)) / $#"
}

# compare NAME SPLIT_BY FILE: ours and the better of the two peers.
compare() {
	local name=$1 by=$2 s ours=() char=() word=() best= which=
	need_data "$3"
	rm-tokenize -q --keep-text -o "$work/groups.rms" "$data/$3"
	for s in $seeds; do
		part "$s" train "$by" > "$work/train.rms"
		part "$s" test "$by" > "$work/test.rms"
		rm -rf "$work/model"
		rm-train -q -o "$work/model" "$work/train.rms"
		rm-score -q -m "$work/model" "$work/test.rms" > "$work/ours.rms"
		ours+=("$(accuracy "$work/ours.rms")")
		[ -n "$peer" ] || continue
		rm-view --header "$work/ours.rms" > "$work/test.json"
		rm-score -q -m "$work/model" "$work/train.rms" |
			rm-view --header > "$work/train.json"
		char+=("$(judge char)")
		word+=("$(judge word)")
	done
	say "$name: ours ${ours[*]}"
	if [ -n "$peer" ]; then
		say "$name: character n-grams ${char[*]}"
		say "$name: words ${word[*]}"
		best=$(mean "${char[@]}")
		which="characters"
		if [ "$(calc "$(mean "${word[@]}") > $best")" = 1 ]; then
			best=$(mean "${word[@]}")
			which=words
		fi
	fi
	row "accuracy, $name" "$(mean "${ours[@]}")" "$best" "of 1" higher \
		${peer:+scikit-learn "$(python_version sklearn) ($which)"}
}

# alone NAME FILE...: accuracy with its interval, on one split.
alone() {
	local name=$1
	shift
	rm-tokenize -q -o "$work/groups.rms" "$@"
	part 1 train "" > "$work/train.rms"
	rm -rf "$work/model"
	rm-train -q -o "$work/model" "$work/train.rms"
	part 1 test "" | rm-score -q -m "$work/model" |
		rm-eval --format json > "$work/alone.json"
	row "accuracy, $name, $(jq -r '.accuracy_ci |
		map(. * 1000 | round / 1000 | tostring) | join(" to ")' \
		"$work/alone.json")" "$(jq .accuracy "$work/alone.json")" "" \
		"of 1" higher
}

compare arena "" arena/ratings.jsonl.gz
compare "convarg, topics held out" subset convarg/pairs.jsonl.gz
compare humour "" humour/pairs.csv.gz
compare gsm8k "" gsm8k/solutions.jsonl.gz
need_data hh/harmless-base.jsonl.gz
alone "HH pooled" "$data"/hh/*.jsonl.gz
alone "HH harmless" "$data/hh/harmless-base.jsonl.gz"
