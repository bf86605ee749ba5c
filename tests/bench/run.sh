#!/bin/bash
# Run the benches side by side with their peers; one table, and one JSON array
# of rows {work, ours, peer, ratio, unit, versions} in build/bench.json.
#
# usage: tests/bench/run.sh [NAME...]
#
# A bench is tests/bench/NAME.sh.  It prints its rows, one JSON object a line,
# on stdout (`row` in common.bash makes them) and what it has to say on
# stderr.  A ratio above 1 means better than the peer or the goal, whichever
# way the unit goes; a peer that is absent leaves both null.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
here=tests/bench
out=$build/bench.json
rows=$build/bench.rows
mkdir -p "$build"

names=()
for f in "$here"/*.sh; do
	name=$(basename "$f" .sh)
	[ "$name" = run ] || names+=("$name")
done
wanted=("$@")
[ $# -gt 0 ] || wanted=("${names[@]}")

status=0
: > "$rows"
for name in "${wanted[@]}"; do
	if [ "$name" = run ] || [ ! -x "$here/$name.sh" ]; then
		echo "bench: no bench '$name'; there are ${names[*]}" >&2
		exit 2
	fi
	echo "== $name" >&2
	"$here/$name.sh" >> "$rows" || {
		echo "bench: $name failed with status $?" >&2
		status=1
	}
done

jq -s . "$rows" > "$out.tmp" && mv "$out.tmp" "$out" || exit 1
rm -f "$rows"

jq -r '
def figure: if . == null then "-"
	elif . == 0 then "0"
	else (if fabs >= 100 then 0 elif fabs >= 10 then 1
	      elif fabs >= 1 then 2 else 4 end) as $n
	| (. * pow(10; $n) | round) / pow(10; $n) | tostring end;
["work", "ours", "peer", "ratio", "unit", "versions"],
(.[] | [.work, (.ours | figure), (.peer | figure), (.ratio | figure), .unit,
	(.versions | to_entries | map("\(.key) \(.value)") | join(", "))])
| @tsv' "$out" | awk -F'\t' '
{ n = NF > n ? NF : n
  for (i = 1; i <= NF; i++) {
	cell[NR, i] = $i
	if (length($i) > width[i])
		width[i] = length($i)
  } }
END { for (r = 1; r <= NR; r++) {
	line = ""
	for (i = 1; i <= n; i++)
		line = line sprintf(i >= 2 && i <= 4 ? "%" width[i] "s  " \
				    : "%-" width[i] "s  ", cell[r, i])
	sub(/ +$/, "", line)
	print line
  } }'
exit $status
