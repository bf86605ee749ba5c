#!/bin/bash
# Texts whose ids differ from the peer's at the end of
#	rm-tokenize -t TOKENIZER harmless-base.jsonl.gz | rm-view
# prompt and response as one, special tokens included; every published
# tokenizer.
. "$(dirname "$0")/common.bash"
need_data tokenizers
need_data hh/harmless-base.jsonl.gz
if ! has_python tokenizers; then
	say "no peer: pip install tokenizers (PEER_PYTHON says where it is)"
	exit 0
fi
version=$(python_version tokenizers)
status=0

names=("$@")
if [ $# -eq 0 ]; then
	for file in "$data"/tokenizers/*/tokenizer.json; do
		names+=("$(basename "$(dirname "$file")")")
	done
fi
for name in "${names[@]}"; do
	n='' bad=''
	read -r _ n bad _ <<< "$("$python" "$bench/ids_peer.py" pipeline \
		"$bin/rm-tokenize" "$bin/rm-view" \
		"$data/hh/harmless-base.jsonl.gz" "$data/tokenizers/$name")"
	[ "$bad" = 0 ] || status=1
	row "differing texts, rm-tokenize | rm-view, $name, $n texts" \
		"$bad" 0 texts lower tokenizers "$version"
done
exit $status
