#!/bin/sh
# Look for the Debian packages that a target needs; install what is missing
# as root or with CI=true, else print the one command that does.
# usage: mk/deps.sh [check|lint|bench]
set -eu

packages="libcsv-dev libmsgpack-dev libjansson-dev libopenblas-dev
	libdnnl-dev libpcre2-dev libutf8proc-dev libxxhash-dev zlib1g-dev libzstd-dev"
case "${1:-}" in
check)	packages="$packages libcmocka-dev bats bats-support bats-assert
	mandoc jq zstd" ;;
lint)	packages="$packages clang-tidy libomp-dev cppcheck mandoc" ;;
bench)	packages="$packages jq fasttext" ;;
esac
# Any gnuplot does, and it is only asked for where there is none.
[ "${1:-}" != check ] || command -v gnuplot > /dev/null ||
	packages="$packages gnuplot-nox"

command -v dpkg-query > /dev/null || exit 0
missing=
for p in $packages; do
	dpkg-query -W -f='${Status}' "$p" 2> /dev/null |
		grep -q 'ok installed' || missing="$missing $p"
done

# A browser to look at pages with; without one a few tests are skipped.
wanted=
[ "${1:-}" != check ] || command -v chromium > /dev/null || wanted=chromium
[ -n "$missing$wanted" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
	if [ "${CI:-}" != true ]; then
		[ -n "$missing" ] || exit 0
		echo "Missing Debian packages. Install them with:" >&2
		echo "    sudo apt-get install$missing" >&2
		exit 1
	fi
	sudo=sudo
fi
echo "Installing missing Debian packages:$missing${wanted:+ $wanted}"
export DEBIAN_FRONTEND=noninteractive
install() {
	$sudo apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}
# Where there are none but the browser, no index is an answer too.
$sudo apt-get update -qq || [ -z "$missing" ]
# shellcheck disable=SC2086
[ -z "$missing" ] || install $missing
[ -z "$wanted" ] || install $wanted ||
	echo "No $wanted: tests of pages in a browser are skipped"
