#!/bin/bash
# Rewards of transformers: the same as Transformers', and how fast, beside
# PyTorch and ONNX Runtime, on texts of HH; one model of MiniLM's shape, one
# causal.  BENCH_SECONDS is how long a peer may take for one figure.
. "$(dirname "$0")/common.bash"
need_data hh/harmless-base.jsonl.gz
if ! has_python torch transformers onnxruntime; then
	say "no peer: pip install torch==2.13.0 transformers onnxruntime onnx"
	exit 0
fi
torch=$(python_version torch)
onnx=$(python_version onnxruntime)
threads=${BENCH_THREADS:-2}
limit=${BENCH_SECONDS:-30}
peer=("$python" "$bench/transformer_peer.py")
export OPENBLAS_NUM_THREADS=$threads OMP_NUM_THREADS=$threads
ceiling=${BUILD:-build}/bench/bin/ceiling
${MAKE:-make} -s --no-print-directory "$ceiling" >&2

# pairs N: N pairs of each file of HH.
pairs() {
	local f
	for f in "$data"/hh/*.jsonl.gz; do
		zcat "$f" | sed -n "1,$1p"
	done
}

# ids STREAM: {"ids": [...]} of each response.
ids() {
	rm-view "$1" | jq -c '.prompt as $p | .responses[] | {ids: ($p + .)}'
}

tokens() {
	jq -s 'map(.ids | length) | add' "$1"
}

# rate MODEL STREAM TOKENS OPTION...: real tokens a second of rm-score.
rate() {
	local model=$1 stream=$2 n=$3
	shift 3
	calc "$n / $(seconds 3 "rm-score -q -@ $threads $* -m $model $stream")"
}

# worst FILE FILE: the largest difference between two columns of numbers.
worst() {
	paste "$1" "$2" | awk '
	{ d = $1 - $2; d = d < 0 ? -d : d; if (d > m) m = d }
	END { print NR ? m : "nan" }'
}

# best KIND DIR MODE...: tokens/s of the fastest of the peer's ways.
best() {
	local kind=$1 dir=$2 precision=$3 mode out=
	shift 3
	for mode in "$@"; do
		out+=" $("${peer[@]}" "$kind" "$dir" --precision "$precision" \
			$mode --threads "$threads" --seconds "$limit" \
			< "$work/ids.jsonl" 2> /dev/null || echo 0)"
	done
	printf '%s\n' $out | sort -g | tail -1
}

# compare NAME LIMIT LAYERS N,K...: all rows of one model.
compare() {
	local name=$1 limit_ids=$2 layers=$3 dir=$work/$1 n ours fp32 top
	shift 3
	[ -s "$dir/config.json" ] || "${peer[@]}" make "$name" "$dir" >&2
	pairs "${BENCH_PAIRS:-40}" | rm-tokenize -q -m "$dir" -l "$limit_ids" > "$work/in.rms"
	ids "$work/in.rms" > "$work/ids.jsonl"
	n=$(tokens "$work/ids.jsonl")
	rm-score -q -m "$dir" "$work/in.rms" | rm-view | jq '.reward[]' |
		sed -n 1,100p > "$work/ours"
	head -n 100 "$work/ids.jsonl" | "${peer[@]}" rewards "$dir" \
		> "$work/theirs" 2> /dev/null
	row "$name: largest difference of 100 rewards" \
		"$(worst "$work/ours" "$work/theirs")" 1e-4 reward lower goal
	ours=$(rate "$dir" "$work/in.rms" "$n")
	fp32=$(best torch "$dir" fp32 "--mode eager" "--mode compile")
	row "$name: rm-score, fp32" "$ours" "$fp32" tokens/s higher \
		"torch fp32 sorted" "$torch"
	row "$name: rm-score, fp32" "$ours" \
		"$(best torch "$dir" bf16 "--mode eager" "--mode compile")" \
		tokens/s higher "torch bf16 sorted" "$torch"
	row "$name: rm-score, fp32" "$ours" \
		"$(best onnx "$dir" int8 "")" tokens/s higher \
		"onnxruntime int8 sorted" "$onnx"
	read -r top what <<< "$("$ceiling" forward fp32 "$layers" "$@")"
	row "$name: rm-score, of products alone" "$ours" \
		"$(calc "$top / 2")" tokens/s higher "half of $what" ""
}

compare minilm 256 6 1152,384 384,384 1536,384 384,1536

# Memory of that model, and the time to a first reward.
/usr/bin/time -f %M -o "$work/memory" rm-score -q -@ "$threads" \
	-m "$work/minilm" "$work/in.rms" > /dev/null
row "minilm: peak memory of rm-score" "$(calc "$(cat "$work/memory") / 1024")" \
	300 MB lower goal
one='{"prompt": "Who is there?", "response": "Nobody."}'
t=$(seconds 9 "echo '$one' | rm-score -q -@ $threads -m $work/minilm")
row "minilm: start to first reward" "$(calc "1000 * $t")" 300 ms lower goal

compare causal 1024 8 1536,512 512,512 3072,512 512,1536

# What it is worth that a prompt is computed once: the same texts, each alone.
together=$(rate "$work/causal" "$work/in.rms" 1)
rm-view "$work/in.rms" | jq -c '.prompt as $p | .responses[] as $r
	| {id, prompt: $p, responses: [$r]}' |
	rm-view -S > "$work/alone.rms"
alone=$(rate "$work/causal" "$work/alone.rms" 1 --force)
row "causal: pairs of HH at 1024, prompt shared" "$together" "$alone" \
	passes/s higher "each response alone"
row "causal: gain of the shared prompt" "$(calc "$together / $alone")" 1.35 \
	times higher goal
