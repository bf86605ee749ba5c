# What the worked pipelines share.  Source it first:
#	. "$(dirname "$0")/common.sh"
#
# Every command is printed, then run, from the root of the repository; it can
# be pasted into a shell there.  RM_DATA says where the data is, OUT where the
# results go.
set -eu
cd "$(dirname "$0")/.."
name=$(basename "$0" .sh)
data=${RM_DATA:-../shared/data}
out=${OUT:-build/$name}
bin=${RM_BIN:-bin}
bin=${bin#"$PWD"/}
mkdir -p "$out"
printf '$ %s\n' "PATH=$bin:\$PATH"
PATH=$bin:$PATH

# run COMMAND: print a shell command line, then run it.  It fails if any part
# of a pipe does.
run() {
	printf '\n$ %s\n' "$1"
	bash -c "set -eu -o pipefail; $1"
}

# need FILE: give up, saying how to go on, where the data is absent.
need() {
	[ -e "$data/$1" ] && return
	echo "$name: no $data/$1: set RM_DATA to the folder with $1" >&2
	exit 1
}
