#!/bin/bash
# rm-tokenize from JSON lines to a stream, with a learned BPE: MB of text a
# second by one thread and by two, and the memory that four times the input
# takes.
. "$(dirname "$0")/common.bash"
need_data hh/harmless-base.jsonl.gz
once=$work/once.jsonl
input=$work/four.jsonl
bpe=$work/bpe.json

if [ ! -s "$input" ]; then
	zcat "$data"/hh/*.jsonl.gz > "$once"
	cat "$once" "$once" "$once" "$once" > "$input.tmp"
	mv "$input.tmp" "$input"
fi
[ -s "$bpe" ] || rm-tokenize -q --learn 32000 -o "$bpe" "$once"
mb=$(calc "$(jq -j '.chosen, .rejected' "$input" | wc -c) / 1e6")

# peak FILE: the most memory that rm-tokenize held, MB.
peak() {
	/usr/bin/time -f %M rm-tokenize -q -t "$bpe" "$1" 2>&1 > /dev/null |
		awk '{ print $1 / 1024 }'
}

for threads in 1 2; do
	s=$(seconds 3 "rm-tokenize -q -@ $threads -t '$bpe' '$input'")
	row "rm-tokenize -@ $threads, learned BPE" "$(calc "$mb / $s")" \
		"$(calc "20 * $threads")" MB/s higher goal "20 MB/s a thread"
done
if [ -x /usr/bin/time ]; then
	row "rm-tokenize, memory of 4 x the text" "$(peak "$input")" \
		"$(peak "$once")" MB lower "1 x the text" "$rmtools"
else
	say "no /usr/bin/time: memory not measured"
fi
