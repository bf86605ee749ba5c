#!/bin/bash
# Start-up of every tool: --version, 20 times in a row, the shell's fork
# included.
. "$(dirname "$0")/common.bash"

for t in tools/*.c; do
	tool=$(basename "$t" .c)
	s=$(seconds 5 "for i in {1..20}; do '$bin/$tool' --version; done")
	row "start of $tool" "$(calc "1000 * $s / 20")" 20 ms lower \
		goal "20 ms"
done
