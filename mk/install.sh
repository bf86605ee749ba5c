#!/bin/sh
# usage: mk/install.sh [-u] DESTDIR PREFIX BINDIR LIBRARY VERSION
set -eu
remove=
if [ "$1" = -u ]; then
	remove=1
	shift
fi
root=$1$2 prefix=$2 bin=$3 lib=$4 version=$5

put() {	# mode source directory
	target=$root/$3/$(basename "$2")
	if [ -n "$remove" ]; then
		rm -f "$target"
	else
		mkdir -p "$root/$3"
		install -m "$1" "$2" "$target"
	fi
}

for t in tools/*.c; do
	put 755 "$bin/$(basename "$t" .c)" bin
done
for m in man/*.[157]; do
	put 644 "$m" "share/man/man${m##*.}"
done
put 644 "$lib" lib
for h in lib/*.h; do
	put 644 "$h" include/rm
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" \
	-e "s|@ONEDNN@ *|${ONEDNN:+$ONEDNN }|" mk/rm.pc.in > "$tmp/rm.pc"
put 644 "$tmp/rm.pc" lib/pkgconfig
for t in tools/*.c; do
	name=$(basename "$t" .c)
	mk/completion.sh "$bin/$name" > "$tmp/$name"
	put 644 "$tmp/$name" share/bash-completion/completions
done
