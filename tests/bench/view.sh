#!/bin/bash
# Streams: reading and checking (rm-view -c), and a stage that passes them on.
. "$(dirname "$0")/common.bash"
need_data arena/ratings.jsonl.gz

pairs=$work/pairs.rms
[ -s "$pairs" ] ||
	rm-tokenize -q "$data/arena/ratings.jsonl.gz" | rm-pair -q -o "$pairs"
gb=$(calc "$(stat -c %s "$pairs") / 1e9")

s=$(seconds 5 "rm-view -c '$pairs'")
row "rm-view -c" "$(calc "$gb / $s")" 1 GB/s higher goal "1 GB/s"
s=$(seconds 5 "rm-pair -q '$pairs'")
row "rm-pair passing pairs on" "$(calc "$gb / $s")" .7 GB/s higher \
	goal ".7 GB/s"
