#!/bin/bash
# Conversations as text by published chat templates: MB of text a second of
# CPU, one thread, on the conversations of HH; the peer is what Transformers
# compiles with jinja2, and must make the same text.
. "$(dirname "$0")/common.bash"
need_data hh
ours=${BUILD:-build}/bench/bin/template
peer="$python $bench/template_peer.py"
status=0
${MAKE:-make} -s --no-print-directory "$ours" >&2
if ! command -v "$python" > /dev/null; then
	say "skipped: no $python to read the conversations"
	exit 0
fi
[ -s "$work/talks" ] || {
	$peer conversations "$data" > "$work/tmp"
	mv "$work/tmp" "$work/talks"
}
version=
if has_python transformers jinja2; then
	version=$(python_version jinja2)
else
	say "no peer: pip install transformers jinja2 (PEER_PYTHON says where)"
fi

for dir in "$data"/templates/* "$data"/tokenizers/*; do
	[ -e "$dir/chat_template.jinja" ] ||
		grep -qs '"chat_template"' "$dir/tokenizer_config.json" ||
		continue
	name=$(basename "$dir")
	read -r mb s crc <<< "$($ours "$dir" < "$work/talks")" || {
		status=1
		continue
	}
	rate=$(calc "$mb / $s")
	theirs=
	if [ -n "$version" ]; then
		read -r mb s crc2 <<< "$($peer "$dir" < "$work/talks")"
		theirs=$(calc "$mb / $s")
		if [ "$crc" != "$crc2" ]; then
			say "$name: the text differs from the peer's"
			status=1
		fi
	fi
	row "template of $name" "$rate" "$theirs" MB/s higher \
		${version:+jinja2 "$version"}
	row "template of $name, the goal" "$rate" 100 MB/s higher \
		goal "100 MB/s"
done
exit $status
