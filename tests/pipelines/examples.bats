#!/usr/bin/env bats
# The generator of preferences whose true reward is known, and the frame of
# the benches.
load ../tools/common

setup() {
	cd "$top"
}

@test "generate: the same bytes for a seed, others for another" {
	examples/generate 50 > "$BATS_TEST_TMPDIR/a"
	examples/generate 50 1 > "$BATS_TEST_TMPDIR/b"
	examples/generate 50 2 > "$BATS_TEST_TMPDIR/c"
	cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
	run cmp -s "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/c"
	assert_failure
}

@test "generate: every line is whole, the better answer wins more often" {
	run bash -c "examples/generate 2000 | jq -s '
		[length, (map(select(.prompt != \"\" and .chosen != \"\" and
			.rejected != \"\" and (.true_reward | length) == 2))
		 | length),
		 (map(select(.true_reward[0] > .true_reward[1])) | length)]
		| @tsv' -r"
	assert_success
	read -r lines whole better <<< "$output"
	[ "$lines" -eq 2000 ]
	[ "$whole" -eq 2000 ]
	# sigmoid noise: the share of the better ones is neither 1/2 nor 1
	[ "$better" -gt 1400 ]
	[ "$better" -lt 1800 ]
}

@test "generate: a reward is what the parts of its answer are worth" {
	run bash -c "examples/generate 3000 | jq -r '
		. as \$r | [.chosen, .rejected] | to_entries[]
		| select(.value | test(\"^(Right|Well)\\\\. On your [a-z]+ this is how it goes\\\\. Opinions differ\\\\.$\"))
		| (.value | capture(\"On your (?<d>[a-z]+)\").d) as \$d
		| \$r.true_reward[.key] - (if \$r.prompt | endswith(\" \" + \$d + \"?\") then 0 else -1 end)' | sort -u"
	assert_success
	assert_output 0
}

@test "bench: rows and a table; an unknown bench is refused" {
	export BUILD=$BATS_TEST_TMPDIR
	run tests/bench/run.sh startup
	assert_success
	assert_output --partial "start of rm-view"
	jq -e 'length > 0 and all(.[]; has("work") and has("ours") and
		has("peer") and has("ratio") and has("unit") and
		has("versions"))' "$BUILD/bench.json"
	run tests/bench/run.sh nonsense
	assert_failure 2
	assert_output --partial "there are accuracy"
}
