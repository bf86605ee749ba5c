#!/usr/bin/env bats
# Preferences whose truth is known (planted): what is learnt is the truth.
load ../tools/common

setup_file() {
	PATH=$RM_BIN:$PATH
	cd "$BATS_FILE_TMPDIR" || return
	for part in "train 20000 1" "test 2000 2"; do
		set -- $part
		"$BATS_TEST_DIRNAME/planted" "$2" "$3" |
			rm-tokenize -q --rank rank --attributes help,honest \
				--per-response mean,sd -o "$1.rms"
	done
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cp "$BATS_FILE_TMPDIR"/*.rms .
}

# learn OPTION...: a model that adds up what its words are worth, test scores.
learn() {
	rm-train -q -o m --backbone bag:ngrams=1,norm=none,tf=count "$@" \
		train.rms
	rm-score -q -m m test.rms | rm-view > scores
}

# correlation A B: of two lists a record, by jq.
correlation() {
	jq -r "[$1, $2] | transpose[] | @tsv" scores | awk '
	{ n++; x += $1; y += $2; xx += $1 * $1; yy += $2 * $2; xy += $1 * $2 }
	END { xy -= x * y / n; xx -= x * x / n; yy -= y * y / n
	      print xy / sqrt(xx * yy) }'
}

# above A B LEAST
above() {
	local r
	r=$(correlation "$1" "$2")
	awk -v r="$r" -v least="$3" 'BEGIN { exit !(r > least) }' ||
		fail "correlation of $1 with $2: $r"
}

@test "bt recovers the true reward up to a shift" {
	learn --lr 1e-4
	above .reward .extra.mean .99
}

@test "uncertainty recovers means, and which judgements are noisy" {
	learn --clip 1 --epochs 20 --head uncertainty \
		--loss uncertainty:form=gaussian
	above .reward .extra.mean .99
	above "(.reward_sd | map(log))" "(.extra.sd | map(log))" .9
}

@test "multi recovers each objective from its grades" {
	learn --lr 1e-5 --clip 1 --head multi:objectives=help,honest --loss multitask
	above .objectives.help .attributes.help .99
	above .objectives.honest .attributes.honest .99
	above .reward .extra.mean .98
}
