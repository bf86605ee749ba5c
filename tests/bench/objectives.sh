#!/bin/bash
# What a loss or a head costs: a step of fine-tuning an all-MiniLM-L6-v2 with
# it, beside one with its own head and Bradley-Terry on the same pairs of HH
# at 256 tokens, processor time of one thread.  Encodings that read the prompt
# apart have more to compute; their extra is shown as it is.
# RM_MINILM is the encoder's directory; BENCH_PAIRS how many pairs.
. "$(dirname "$0")/common.bash"
need_data hh/harmless-base.jsonl.gz
need_minilm
pairs=${BENCH_PAIRS:-64}
runs=${RUNS:-3}

zcat "$data/hh/harmless-base.jsonl.gz" | awk -v n="$pairs" 'NR <= n' |
	jq -c '. + { scores: [1, 0], teacher: [1, 0] }' |
	rm-tokenize -q -t "$minilm" -l 256 --teacher teacher --score scores |
	rm-pair -q > "$work/in.rms"

# cost OPTIONS: seconds of processor time, the least of some runs.
cost() {
	local i times=()
	for ((i = 0; i < runs; i++)); do
		# shellcheck disable=SC2086
		/usr/bin/time -f '%U %S' -o "$work/time" rm-train -q --force \
			-@ 1 -b "$minilm" -o "$work/model" --epochs 1 \
			--valid 0 --precision fp32 $1 "$work/in.rms" \
			2> "$work/log" || { cat "$work/log" >&2; exit 1; }
		times+=("$(awk '{ print $1 + $2 }' "$work/time")")
	done
	printf '%s\n' "${times[@]}" | sort -g | head -n 1
}

base=$(cost "")
for loss in $(rm-train --loss list | grep -o '^[a-z][a-z-]*'); do
	case $loss in
	uncertainty) continue ;;
	triplet) continue ;;	# has nothing to learn from pairs
	esac
	time=$(cost "--loss $loss")
	row "loss $loss beside bt" "$time" "$base" seconds lower \
		"rm-train bt"
done
abc=:objectives=a,b,c
for head in linear mlp calibrated ensemble:n=5 hierarchical:levels=4 \
	multi$abc multitask$abc gated$abc \
	"uncertainty --loss uncertainty" linear:pool=mean \
	linear:pool=attention linear:encoding=separate linear:encoding=cross; do
	time=$(cost "--head $head")
	row "head $head beside native" "$time" "$base" seconds lower \
		"rm-train native"
done
