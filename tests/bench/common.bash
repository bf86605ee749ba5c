# What the benches share.  Source it first:
#	. "$(dirname "$0")/common.bash"
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bench=tests/bench
bin=${RM_BIN:-bin}
data=${RM_DATA:-../shared/data}
python=${PEER_PYTHON:-python3}	# that has the peers
work=${BUILD:-build}/bench/$(basename "$0" .sh)
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
PATH=$bin:$PATH
mkdir -p "$work"
rmtools=$(sed -n 's/^#define RM_VERSION "\(.*\)"/\1/p' lib/base.h)

say() {
	echo "$*" >&2
}

# median NUMBER...
median() {
	printf '%s\n' "$@" | sort -g | awk '
	{ x[NR] = $1 }
	END { m = int((NR + 1) / 2)
	      print NR % 2 ? x[m] : (x[m] + x[m + 1]) / 2 }'
}

# seconds RUNS COMMAND: the median wall time of RUNS runs of a shell command
# line, after one that is not counted.
seconds() {
	local n=$1 i t0 t1 times=()
	bash -c "set -o pipefail; $2" > /dev/null
	for ((i = 0; i < n; i++)); do
		t0=${EPOCHREALTIME/,/.}
		bash -c "set -o pipefail; $2" > /dev/null
		t1=${EPOCHREALTIME/,/.}
		times+=("$(echo "$t0 $t1" | awk '{ printf "%.6f", $2 - $1 }')")
	done
	median "${times[@]}"
}

# calc EXPRESSION: of numbers, by awk.
calc() {
	awk "BEGIN { printf \"%.9g\", ($1) }"
}

# row WORK OURS PEER UNIT higher|lower [NAME VERSION]: one row.  PEER may be
# empty.  NAME says whose figure it is: a program, or `goal`.
row() {
	jq -n -c --arg work "$1" --arg ours "$2" --arg peer "$3" \
		--arg unit "$4" --arg better "$5" --arg rmtools "$rmtools" \
		--arg name "${6:-}" --arg version "${7:-}" '
	def number: if . == "" then null else tonumber end;
	($ours | number) as $o | ($peer | number) as $p
	| { work: $work, ours: $o, peer: $p,
	    ratio: (if $o == null or $p == null or $p == 0 or $o == 0 then null
		    elif $better == "lower" then $p / $o else $o / $p end),
	    unit: $unit,
	    versions: ({ rmtools: $rmtools }
		+ if $name == "" then {} else { ($name): $version } end) }'
}

# need_data FILE: leave the bench, saying why, where the file is absent.
need_data() {
	if [ ! -e "$data/$1" ]; then
		say "skipped: no $data/$1 (set RM_DATA)"
		exit 0
	fi
}

# has_python MODULE...: whether $python has them.
has_python() {
	command -v "$python" > /dev/null &&
		"$python" -c "import $(echo "$*" | tr ' ' ',')" 2> /dev/null
}

# python_version MODULE
python_version() {
	"$python" -c "import $1; print($1.__version__)"
}

# need_minilm: $minilm, the directory of an all-MiniLM-L6-v2 with its weights;
# leave the bench, saying why, where RM_MINILM names none.
need_minilm() {
	minilm=${RM_MINILM:-}
	[ ! -e "$minilm/model.safetensors" ] || return 0
	say "skipped: no $minilm/model.safetensors (set RM_MINILM)"
	exit 0
}
