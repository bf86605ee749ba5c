#!/usr/bin/env bats
# What all tools share: help, version, misuse, man pages and their examples.
load common

# The option names that --help lists, one a line: "-x --name" or "--name".
# Help and version go without saying.
standard='^(-h --help|--version)$'

help_options() {
	"$1" --help |
		sed -nE 's/^  (   )? ?(-[^ ,], )? *--([a-z0-9-]+).*/\2--\3/p' |
		tr -d , | grep -Ev "$standard" | sort
}

# The same from the man page: .It Fl x , Fl -name ...
man_options() {
	sed -nE -e 's/^\.It Fl ([^ ]) , Fl -([a-z0-9-]+).*/-\1 --\2/p' \
		-e 's/^\.It Fl -([a-z0-9-]+).*/--\1/p' "$top/man/$1.1" |
		grep -Ev "$standard" | sort
}

@test "there are tools, each with a man page" {
	run all_tools
	assert_success
	[ "${#lines[@]}" -ge 8 ]
	for t in "${lines[@]}"; do
		[ -e "$top/man/$t.1" ]
	done
}

@test "--help lists the options of the man page, both ways" {
	for t in $(all_tools); do
		diff <(help_options "$t") <(man_options "$t") ||
			fail "$t: help and man page differ"
		[ -n "$(help_options "$t")" ]
	done
}

@test "--help fits 80 columns and exits 0" {
	for t in $(all_tools); do
		run "$t" --help
		assert_success
		for line in "${lines[@]}"; do
			[ "${#line}" -le 80 ] || fail "$t: $line"
		done
	done
}

@test "--version names tool and version" {
	for t in $(all_tools); do
		run "$t" --version
		assert_success
		assert_output --regexp "^$t \(rmtools\) [0-9]+\.[0-9]+\.[0-9]+$"
	done
}

@test "an unknown option exits 2 and lists the valid ones" {
	for t in $(all_tools); do
		run "$t" --no-such-option
		assert_failure 2
		assert_output --partial "unknown option --no-such-option"
		assert_output --partial "--help"
	done
}

@test "an option without its value exits 2" {
	for t in $(all_tools); do
		run "$t" -o
		assert_failure 2
	done
}

@test "a full disk fails help" {
	for t in $(all_tools); do
		run bash -c "$t --help > /dev/full"
		assert_failure 1
		assert_output --partial "No space left on device"
	done
}

@test "a missing input file is named, exit 1" {
	for t in rm-tokenize rm-pair rm-eval rm-view; do
		run "$t" /nonexistent/file
		assert_failure 1
		assert_output --partial "/nonexistent/file"
	done
}

@test "man pages pass mandoc's lint" {
	for m in "$top"/man/*.[157]; do
		run mandoc -T lint -W warning "$m"
		assert_success
		assert_output ""
	done
}

@test "every man page names its exit status and has examples" {
	for t in $(all_tools); do
		grep -q '^\.Sh EXIT STATUS' "$top/man/$t.1"
		grep -q '^\.Sh EXAMPLES' "$top/man/$t.1"
	done
}

# The commands in EXAMPLES: literal lines that begin with "$ ", with what
# continues them, up to the next literal block's end.
examples() {
	awk '/^\.Sh / { on = $2 == "EXAMPLES" }
	     on && /^\.Bd -literal/ { block = 1; next }
	     on && /^\.Ed/ { block = 0; more = 0; next }
	     on && block && /^\$ / { sub(/^\$ /, ""); print; more = 1; next }
	     on && block && more && /^  / { print }' "$1" |
		sed -e 's/\\&//g' -e 's/\\(aq/'"'"'/g' -e 's/\\-/-/g' -e 's/\\e/\\/g'
}

# Without pipefail: a reader that has seen enough ends its producers, and a
# producer that failed is noticed by its reader.
@test "the examples of every man page run" {
	for m in "$top"/man/*.[157]; do
		[ -n "$(examples "$m")" ] || continue
		dir=$BATS_TEST_TMPDIR/$(basename "$m")
		mkdir "$dir"
		"$top/examples/generate" > "$dir/preferences.jsonl"
		(cd "$dir" && bash -e -c "$(examples "$m")") \
			> "$dir.log" 2>&1 ||
			fail "$m: $(cat "$dir.log")"
	done
}

@test "every tool starts and ends with closed standard input" {
	for t in rm-pair rm-eval rm-view; do
		run "$t" < /dev/null
		assert_failure 1
		refute_output ""
	done
}
