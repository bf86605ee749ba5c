#!/bin/bash
# All figures of ten million scored pairs, beside numpy, scipy and
# scikit-learn on columns that they need not parse.  The figures must agree.
# PAIRS= runs fewer.
. "$(dirname "$0")/common.bash"
unset OMP_NUM_THREADS

n=${PAIRS:-10000000}
stream=$work/$n.scores
columns=$work/$n.columns
${MAKE:-make} -s --no-print-directory "${BUILD:-build}/bench/bin/eval" >&2
if [ ! -s "$stream" ]; then
	mkdir -p "$columns"
	"${BUILD:-build}/bench/bin/eval" "$n" "$columns" > "$stream.tmp"
	mv "$stream.tmp" "$stream"
fi

ours=$(seconds 3 "rm-eval -q --format json '$stream' > '$work/ours.json'")
name= version= peer=
if has_python numpy scipy sklearn; then
	t0=${EPOCHREALTIME/,/.}
	"$python" "$bench/eval_peer.py" "$columns" > "$work/peer.json"
	t1=${EPOCHREALTIME/,/.}
	peer=$(calc "$t1 - $t0")
	jq -n -e --slurpfile a "$work/ours.json" --slurpfile b \
		"$work/peer.json" '
	def near($x; $y): ($x - $y | fabs) <= 1e-9;
	[$b[0] | to_entries[] | .key as $k | .value as $v
	 | ($a[0][$k]) as $u
	 | if ($v | type) == "array"
	   then near($u[0]; $v[0]) and near($u[1]; $v[1])
	   else near($u; $v) end
	 | if . then empty else "\($k): \($u) and \($v)" end]
	| if . == [] then true else error(join("; ")) end' > /dev/null
	name="numpy, scipy, scikit-learn"
	version="$(python_version numpy), $(python_version scipy), $(
		python_version sklearn)"
else
	say "no numpy, scipy and scikit-learn: no peer"
fi
row "rm-eval, all metrics, $n pairs" "$ours" "$peer" s lower "$name" "$version"
