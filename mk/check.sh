#!/bin/bash
# Run the library tests (cmocka) and the tool and pipeline tests (Bats) and
# sum them up.  The last line is "N passed, N failed"; the exit status is 1
# if any failed or a test program died.  TESTS="name ..." runs those only.
set -u
build=${BUILD:-build}
out=$build/check
rm -rf "$out"
mkdir -p "$out"
# Threads that wait do not spin: tests share the processors.
export CMOCKA_MESSAGE_OUTPUT=TAP OMP_WAIT_POLICY=passive
export BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
# A sanitized build gives NULL for more memory than there is, as others do.
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1}

wanted() {
	[ -z "${TESTS:-}" ] && return 0
	case " $TESTS " in *" $1 "*) return 0 ;; esac
	return 1
}

list=()
for t in tests/lib/*.c; do
	name=$(basename "$t" .c)
	[ -e "$t" ] && wanted "$name" && list+=("$build/tests/$name")
done
for t in tests/tools/*.bats tests/pipelines/*.bats tests/fault/*.bats; do
	[ -e "$t" ] && wanted "$(basename "$t" .bats)" && list+=("$t")
done

# count PATTERN: lines of it, but not of skipped tests, which cmocka calls
# "not ok" and Bats "ok".
count() {
	grep "$1" | grep -vci '# skip'
}

run_one() {
	log=$2/$(basename "$1").tap
	case $1 in
	*.bats)	bats --tap "$1" ;;
	*)	"$1" ;;
	esac > "$log" 2>&1
	status=$?
	grep -q '^ok ' "$log" || grep -q '^not ok ' "$log" ||
		echo "not ok - $1 ran no test (exit $status)" >> "$log"
	if [ $status -ne 0 ] && [ "$(count '^not ok ' < "$log")" -eq 0 ]; then
		echo "not ok - $1 exited with status $status" >> "$log"
	fi
	pass=$(count '^ok ' < "$log")
	fail=$(count '^not ok ' < "$log")
	skip=$(grep -ci '^[a-z ]*ok .*# skip' "$log")
	printf '%-44s %4d passed %3d failed %3d skipped\n' \
		"$(basename "$1")" "$pass" "$fail" "$skip"
	[ "$fail" -eq 0 ] || sed 's/^/    /' "$log"
}
export -f run_one count

printf '%s\n' "${list[@]}" |
	xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'run_one {} '"$out"

pass=$(cat "$out"/*.tap | count '^ok ')
fail=$(cat "$out"/*.tap | count '^not ok ')
skip=$(cat "$out"/*.tap | grep -ci '^[a-z ]*ok .*# skip')
if [ "$skip" -gt 0 ]; then
	echo "$skip skipped:"
	grep -hi '^[a-z ]*ok .*# skip' "$out"/*.tap |
		sed -e 's/^not //' -e 's/^/    /'
fi
echo "$pass passed, $fail failed"
[ "$fail" -eq 0 ] && [ "$pass" -gt 0 ]
