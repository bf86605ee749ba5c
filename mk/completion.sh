#!/bin/sh
# Bash completion of one tool, from its --help.
set -eu
name=$(basename "$1")
options=$("$1" --help | sed -n 's/^ *\(-[^ ,]\)\{0,1\},\{0,1\} *\(--[a-z0-9-]*\).*/\1 \2/p' | tr -s ' \n' ' ')
function=_$(echo "$name" | tr - _)
cat <<EOF
# bash completion for $name
$function() {
	local cur=\${COMP_WORDS[COMP_CWORD]}
	if [[ \$cur == -* ]]; then
		COMPREPLY=(\$(compgen -W "$options" -- "\$cur"))
	else
		COMPREPLY=(\$(compgen -f -- "\$cur"))
	fi
}
complete -o filenames -F $function $name
EOF
