#!/bin/bash
# The static checks; each prints what it finds, and the status is 1 if any did.
set -u
build=${BUILD:-build}
status=0
complain() {
	status=1
	printf '%s\n' "$*" >&2
}

# A module includes only headers of its own layer or below (lib/LAYERS).
layers() {
	awk '
	FNR == NR { rank[$1] = NR; next }
	FNR == 1 {
		module = FILENAME
		sub(/^lib\//, "", module)
		sub(/[\/.].*/, "", module)
		if (!(module in rank))
			print FILENAME ": module " module " is not in lib/LAYERS"
	}
	/^#include "/ {
		split($2, part, "\"")
		other = part[2]
		sub(/[\/.].*/, "", other)
		sub(/_table$/, "", other)
		if (other in rank && rank[other] > rank[module])
			print FILENAME ":" FNR ": " module " may not know " other
	}' lib/LAYERS lib/*.[ch] $(ls lib/*/*.[ch] 2> /dev/null)
	grep -n '^#include "[^"]*/' tools/*.c | grep -v 'lib/' |
		sed 's/$/: tools see lib\/*.h only/'
}

# Functions that overrun, hide state or cannot report errors.
banned() {
	grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|rand|srand|tmpnam|mktemp)\(' \
		lib/*.[ch] $(ls lib/*/*.[ch] 2> /dev/null) tools/*.c
	grep -nE '\b(printf|puts|perror|exit|abort)\(|\bstderr\b' \
		$(ls lib/*.c lib/*/*.c 2> /dev/null | grep -v '^lib/cli\.c$') |
		grep -vE '\b(rm_[a-z_]*|sn|vsn)printf\('
}

found=$(layers)
[ -z "$found" ] || complain "$found"
found=$(banned)
[ -z "$found" ] || complain "$found"

found=$(awk 'FNR > 800 { print FILENAME ": longer than 800 lines"; nextfile }' \
	lib/*.[ch] $(ls lib/*/*.[ch] 2> /dev/null) tools/*.c)
[ -z "$found" ] || complain "$found"

for h in lib/*.h; do
	echo "#include \"$(basename "$h")\"" |
		${CC:-gcc} -std=c11 -D_GNU_SOURCE -Ilib -I"$build/gen" -Wall \
			-Wextra -Werror -fsyntax-only -x c - ||
		complain "$h does not compile alone"
done

echo "mandoc -T lint"
for m in man/*.[157]; do
	# Warnings and errors; style notes are about dates and references to
	# pages of other packages.
	found=$(mandoc -T lint -W warning "$m" 2>&1)
	[ -z "$found" ] || complain "$found"
done

echo "cppcheck"
cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr \
	--enable=warning,performance,portability -j "$(nproc)" \
	'-Djson_array_foreach(a,i,v)=for(i=0;(v=json_array_get(a,i));i++)' \
	'-Djson_object_foreach(o,k,v)=for(k="";(v=json_object_get(o,k));)' \
	--suppressions-list=mk/cppcheck.txt -Ilib -I"$build/gen" \
	-D_GNU_SOURCE lib tools || status=1

echo "clang-tidy"
# shellcheck disable=SC2046
ls lib/*.c lib/*/*.c tools/*.c 2> /dev/null |
	xargs -P "$(nproc)" -n 4 clang-tidy --quiet --warnings-as-errors='*' \
	2> /dev/null || status=1

[ $status -eq 0 ] && echo "lint: clean"
exit $status
