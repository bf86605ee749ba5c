# What tool tests share: assertions, a scratch directory, the data.
bats_load_library bats-support
bats_load_library bats-assert

top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
RM_BIN=${RM_BIN:-$top/bin}
data=${RM_DATA:-$top/../shared/data}
PATH=$RM_BIN:$PATH

# Skip where the real data are absent.
need_data() {
	[ -e "$data/$1" ] || skip "no $data/$1"
}

# The names of all tools.
all_tools() {
	for source in "$top"/tools/rm-*.c; do
		basename "$source" .c
	done
}
