#!/bin/sh
# Write the table of the drop-in parts in lib/$1/: every file there that
# defines `const struct rm_$1_kind rm_$1_NAME` is a row.
set -eu
module=$1
names=$(sed -n "s/^const struct rm_${module}_kind \(rm_${module}_[a-z0-9_]*\) *=.*/\1/p" \
	lib/"$module"/*.c | LC_ALL=C sort)
echo "/* Made by mk/table.sh from lib/$module; do not edit. */"
for name in $names; do
	echo "extern const struct rm_${module}_kind $name;"
done
echo "static const struct rm_${module}_kind *const rm_${module}_kinds[] = {"
for name in $names; do
	echo "	&$name,"
done
echo "	NULL"
echo "};"
