#!/usr/bin/env bats
# Groups to pairs and other shapes; splits, leaks, samples, statistics.
load common

# groups.rms: n groups of one prompt each; every third has k = 3.
setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# JSON lines of n groups, keys and lengths varied.
groups() {
	jq -nc --argjson n "$1" 'range($n) | {id: "g\(.)", key: (. * 7919 + 1),
		subset: "s\(. % 5)", prompt: [1, . % 251],
		responses: [[2, . % 13], [3], [4, 5, . % 97]][:(if . % 3 == 0
			then 3 else 2 end)],
		score: [. % 4, 1, 2][:(if . % 3 == 0 then 3 else 2 end)],
		length: [5, (. * 37) % 11, 3][:(if . % 3 == 0 then 3 else 2 end)]}'
}

# JSON lines as a stream of groups; the first one names the fields.
to_groups() {
	jq -sc '{id: "str", subset: "str", key: "u64", prompt: "i32[n]",
		responses: "i32[k][n]", response_texts: "str[k]",
		rank: "f64[k]", score: "f64[k]", votes: "f64[k+1]",
		length: "i32[k]", extra: "extra"} as $types |
		(.[0] | keys_unsorted) as $names |
		{format: "rmtools", version: 1, kind: "groups", fields: $names,
		 types: [$names[] | $types[.]]}, .[]' |
		rm-view -S -q --no-history "$@"
}

stream() {
	groups "${1:-100}" | to_groups
}

ids() {
	rm-view "$@" | jq -r .id
}

@test "groups become pairs: ids, order, kind, ties counted" {
	printf '%s\n' \
		'{"id":"a","responses":[[1],[2],[3]],"score":[1,3,3]}' \
		'{"id":"b","responses":[[1],[2]],"score":[2,1]}' \
		'{"id":"c","responses":[[1],[2]],"score":[2,2]}' |
		to_groups -o g.rms
	run rm-pair g.rms -o p.rms
	assert_success
	assert_output "rm-pair: 3 groups read, 2 ties dropped, 1 group that gave nothing; 3 written"
	run rm-view p.rms
	assert_output '{"id":"a#1-0","responses":[[2],[1]],"score":[3,1]}
{"id":"a#2-0","responses":[[3],[1]],"score":[3,1]}
{"id":"b","responses":[[1],[2]],"score":[2,1]}'
	run bash -c "rm-view -H p.rms | jq -c '[.kind, .history[-1].tool, .history[-1].seed]'"
	assert_output '["pairs","rm-pair",1]'
	run bash -c "rm-pair -q --no-history g.rms | rm-view -H | jq '.history | length'"
	assert_output 0
}

@test "every shape" {
	printf '%s\n' '{"id":"a","rank":[2,0,3,1]}' | to_groups -o g.rms
	run bash -c "rm-pair -q --as list g.rms | rm-view"
	assert_output '{"id":"a","rank":[0,1,2,3]}'
	run bash -c "rm-pair -q --as triplets g.rms | rm-view"
	assert_output '{"id":"a#1-3-2","rank":[0,1,3]}'
	run bash -c "rm-pair -q --as best-vs-rest g.rms | rm-view | jq -r .id"
	assert_output $'a#1-3\na#1-0\na#1-2'
	run bash -c "rm-pair -q --as list g.rms | rm-view -H | jq -r .kind"
	assert_output groups
	run rm-pair --as list --weight votes g.rms
	assert_failure 2
	run rm-pair --as quadruplets g.rms
	assert_failure 2
	assert_output --partial "pairs, list, triplets, best-vs-rest"
}

@test "votes that are no counts are refused" {
	for n in -1 1e308; do
		printf '%s\n' "{\"rank\":[1,0],\"votes\":[$n,1,1]}" |
			to_groups -o g.rms
		run rm-pair -q g.rms
		assert_failure 1
		assert_output --regexp "g.rms: record 1: field votes: a count of"
	done
}

@test "votes become soft labels, weights and kept ties" {
	printf '%s\n' '{"rank":[1,0],"votes":[3,1,1]}' \
		'{"rank":[0,0],"votes":[2,2,1]}' | to_groups -o g.rms
	run bash -c "rm-pair -q --weight votes g.rms | rm-view"
	assert_output '{"rank":[0,1],"votes":[1,3,1],"p":0.3,"weight":5}'
	run bash -c "rm-pair -q --weight agreement --ties keep g.rms | rm-view |
		jq -c '[.p, .weight]'"
	assert_output $'[0.3,0.4]\n[0.5,0]'
}

@test "a stream of pairs passes byte for byte" {
	stream | rm-pair -q --no-history -o p.rms
	rm-pair -q --no-history p.rms -o q.rms
	cmp p.rms q.rms
	rm-pair -q --no-history < p.rms | cmp - p.rms
}

@test "shape, split and sample agree for any order and tokenizer" {
	groups 300 | jq -c 'del(.prompt, .responses)' | to_groups -o texts.rms
	groups 300 | tac | to_groups -o ids.rms
	for part in train valid test; do
		rm-pair -q --take $part texts.rms | ids | sort > a
		rm-pair -q --take $part ids.rms | ids | sort > b
		cmp a b
		cat a >> all
	done
	rm-pair -q texts.rms | ids | sort | cmp - <(sort all)
}

@test "--split writes the part, --take the same records without it" {
	stream 300 > g.rms
	rm-pair -q --split train=.5,test=.3 g.rms -o s.rms
	rm-view s.rms | jq -r 'select(.split == "test") | .id' > a
	rm-pair -q --split train=.5,test=.3 --take test g.rms | ids | cmp - a
	run bash -c "rm-view s.rms | jq -r .split | sort -u"
	assert_output $'null\ntest\ntrain'
	rm-pair -q --split-by split --take test s.rms | ids | cmp - a
	rm-pair -q --take test s.rms | ids | cmp - a
	rm-pair -q --take test g.rms | ids > b
	rm-pair -q --take test --split train=.8,valid=.1,test=.1 s.rms | ids |
		cmp - b
	! cmp -s a b
	run rm-pair --take dev s.rms
	assert_failure 1
	assert_output --partial "nothing to write: 400 pairs read, 400 in other parts, by field split"
	run rm-pair --split a=1 s.rms
	assert_failure 1
	assert_output --partial "has a field split already"
	run bash -c "rm-pair -q --split a=1 --force s.rms | rm-view | jq -r .split | sort -u"
	assert_output a
	run bash -c "rm-pair -q --split-seed 2 --split train=.5,test=.3 --take test g.rms |
		rm-view | jq -r .id | cmp -s - a"
	assert_failure
}

@test "--split-by holds out whole values" {
	groups 300 | jq -c '.extra = {topic: (.key % 40)} | del(.subset)' |
		to_groups -o g.rms
	rm-pair -q --split-by topic --take train g.rms | rm-view |
		jq .extra.topic | sort -u > train
	rm-pair -q --split-by topic --take test g.rms | rm-view |
		jq .extra.topic | sort -u > test
	[ -s test ]
	run comm -12 train test
	assert_output ""
	run rm-pair --split-by nowhere --take test g.rms
	assert_failure 1
	assert_output "rm-pair: g.rms: record 1: column nowhere: no value to split by"
	groups 3 | to_groups -o h.rms
	run rm-pair --split-by nowhere --take test h.rms
	assert_failure 1
	assert_output --partial "no column nowhere with one value a record; there are id, key, subset"
}

@test "bad splits and shards are wrong usage" {
	stream 3 > g.rms
	for o in "--take dev" "--split a=.9,b=.2" "--split a" "--shard 3" \
		"--shard 3/2" "--shard 0/2" "--shard /2" "--leaks report" \
		"--format json" "--split-by split" \
		"--as list --balance length"; do
		# shellcheck disable=SC2086
		run rm-pair $o g.rms
		assert_failure 2
	done
	run rm-pair --take dev g.rms
	assert_line --partial "no part named 'dev'; there are train, valid, test"
}

@test "an empty part is an error and leaves no output" {
	stream 1 > g.rms
	echo old > out.rms
	run rm-pair --split a=0,b=1 --take a g.rms -o out.rms
	assert_failure 1
	assert_output --partial "nothing to write: 1 group read, 1 in other parts"
	assert_equal "$(cat out.rms)" old
	run ls
	assert_output $'g.rms\nout.rms'
	run bash -c "rm-pair --split a=0,b=1 --take a g.rms | rm-view -c"
	assert_failure 1
}

@test "too few responses: an error that names the record, or skipped" {
	printf '%s\n' '{"id":"a","rank":[0,1]}' '{"id":"b","rank":[0]}' |
		to_groups -o g.rms
	run rm-pair g.rms -o out.rms
	assert_failure 1
	assert_output "rm-pair: g.rms: record 2: 1 response where a pair needs 2"
	[ ! -e out.rms ]
	run rm-pair --skip-bad g.rms -o out.rms
	assert_success
	assert_output --partial "1 with too few responses; 1 written"
	rm-pair -q --as list g.rms | ids | cmp - <(printf 'a\nb\n')
}

@test "no label is an error that lists the fields" {
	echo '{"id":"a","responses":[[1],[2]]}' | to_groups -o g.rms
	run rm-pair g.rms
	assert_failure 1
	assert_output --partial "g.rms: no field rank, votes, annotations, score or p"
	assert_output --partial "responses"
}

@test "--against drops leaks, --leaks report tells them" {
	stream 100 > g.rms
	rm-pair -q --take test g.rms -o test.rms
	rm-pair -q --take train g.rms -o train.rms
	rm-pair -q --as list --against test.rms g.rms | rm-view | jq .key |
		sort > left
	run comm -12 left <(rm-view test.rms | jq .key | sort)
	assert_output ""
	run rm-pair --leaks report --against train.rms test.rms
	assert_success
	assert_output --regexp "^rm-pair: 0 of [0-9]+ records have a key in --against$"
	run rm-pair -q --leaks report --against train.rms,test.rms g.rms
	assert_failure 3
	assert_equal "${#lines[@]}" "$(rm-view train.rms test.rms | jq .key | sort -u | wc -l)"
	assert_line --index 0 --regexp '^g[0-9]+	[0-9a-f]{16}$'
	run rm-pair --against nowhere.rms g.rms
	assert_failure 1
	assert_output --partial "nowhere.rms: No such file"
}

@test "a cut stream of --against is an error" {
	stream 100 > g.rms
	head -c -20 g.rms > cut.rms
	run bash -c "rm-pair --against cut.rms g.rms | rm-view -c"
	assert_failure
	assert_output --partial "cut.rms"
}

@test "--dedup drops repeated prompts with the same responses" {
	(groups 10; groups 10 | jq -c '.id += "x" |
		.responses |= reverse'; groups 1 | jq -c '.prompt = [9]') |
		to_groups -o g.rms
	run rm-pair --as list --dedup --ties keep g.rms -o out.rms
	assert_output --partial "21 groups read, 10 duplicates"
	assert_equal "$(ids out.rms | sort)" "$( (groups 10; groups 1) | jq -r .id | sort)"
}

@test "--shuffle is a permutation by seed" {
	stream 200 | rm-pair -q -o p.rms
	rm-pair -q --shuffle p.rms | ids > a
	rm-pair -q --shuffle p.rms | ids | cmp - a
	rm-pair -q --shuffle -s 2 p.rms | ids > b
	! cmp -s a b
	ids p.rms > c
	! cmp -s a c
	cmp <(sort a) <(sort c)
	rm-pair -q --shuffle -n 7 p.rms | ids | cmp - <(head -7 a)
}

@test "--limit stops, also inside a group and before bad records" {
	printf '%s\n' '{"id":"a","rank":[0,1,2]}' '{"id":"b","rank":[0]}' |
		to_groups -o g.rms
	run bash -c "rm-pair -q --limit 2 g.rms | rm-view | jq -r .id"
	assert_output $'a#0-1\na#0-2'
}

@test "--shard: every key in one shard" {
	stream 200 > g.rms
	for i in 1 2 3; do
		rm-pair -q --as list --ties keep --shard $i/3 g.rms | ids > s$i
		[ -s s$i ]
	done
	sort s1 s2 s3 | cmp - <(ids g.rms | sort)
}

@test "--balance length: as many longer as shorter chosen" {
	stream 400 > g.rms
	rm-pair -q --balance length g.rms -o b.rms
	run bash -c "rm-view b.rms | jq '.length[0] - .length[1]' |
		awk '\$1 > 0 { l++ } \$1 < 0 { s++ } END { print (l == s && l > 20) }'"
	assert_output 1
	equal=$(rm-pair -q g.rms | rm-view | jq 'select(.length[0] == .length[1])' -c | wc -l)
	assert_equal "$(rm-view b.rms | jq -c 'select(.length[0] == .length[1])' | wc -l)" "$equal"
	run bash -c "rm-pair --stats --format json b.rms | jq .longer_chosen"
	assert_output 0.5
	groups 3 | jq -c 'del(.length)' | to_groups -o h.rms
	run rm-pair --balance length h.rms
	assert_failure 1
	assert_output --partial "no field length or n_tokens"
}

@test "--stats: text and JSON say the same" {
	stream 30 > g.rms
	rm-pair --stats --format json g.rms > s.json
	run jq -c '[.kind, .records, .responses, .k["2"], .k["3"],
		(.subsets | length), .distinct_keys]' s.json
	assert_output '["groups",30,70,20,10,5,30]'
	run rm-pair --stats g.rms
	assert_success
	assert_line --regexp "^records +30$"
	assert_line --regexp "^k +2=20 3=10$"
	assert_line --regexp "^pairs +$(jq .pairs s.json)$"
	assert_equal "$(rm-pair -q g.rms | rm-view -c)" "$(jq .pairs s.json)"
	assert_equal "$(rm-pair -q --take test g.rms | rm-view -c)" \
		"$(jq '.splits[] | select(.name == "test").pairs' s.json)"
	assert_equal "$(rm-pair --take test --stats --format json g.rms | jq .records)" \
		"$(jq '.splits[] | select(.name == "test").records' s.json)"
}

@test "--stats works without labels" {
	echo '{"id":"a","response_texts":["", "x"]}' | to_groups -o g.rms
	run bash -c "rm-pair --stats --format json g.rms | jq -c '[.pairs, .empty_responses, has(\"ordered_by\")]'"
	assert_output '[0,1,false]'
}

@test "two runs are byte-equal" {
	stream 200 > g.rms
	for o in "" "--shuffle" "--balance length --shuffle" "--as triplets --skip-bad" \
		"--split a=.5,b=.5"; do
		# shellcheck disable=SC2086
		cmp <(rm-pair -q $o g.rms) <(rm-pair -q $o g.rms)
	done
}

@test "a cut or damaged stream fails and leaves nothing" {
	stream 50 > g.rms
	size=$(stat -c %s g.rms)
	for n in 0 10 200 $((size / 2)) $((size - 1)); do
		head -c "$n" g.rms > cut.rms
		run rm-pair cut.rms -o out.rms
		assert_failure 1
		assert_output --partial "cut.rms"
		[ ! -e out.rms ]
	done
	run bash -c "head -c $((size / 2)) g.rms | rm-pair -q --shuffle -o out.rms"
	assert_failure 1
	[ ! -e out.rms ]
}

@test "a full disk fails" {
	[ -w /dev/full ] || skip "no /dev/full"
	stream 50 > g.rms
	for o in "" "--shuffle" "--stats"; do
		# shellcheck disable=SC2086
		run bash -c "rm-pair $o g.rms > /dev/full"
		assert_failure 1
		assert_output --partial "No space left on device"
	done
}

@test "several streams are one" {
	groups 20 | head -10 | to_groups -o a.rms
	groups 20 | tail -10 | to_groups -o b.rms
	stream 20 | rm-pair -q | ids | cmp - <(rm-pair -q a.rms b.rms | ids)
	echo '{"id":"a","rank":[0,1]}' | to_groups -o c.rms
	run rm-pair a.rms c.rms -o out.rms
	assert_failure 1
	[ ! -e out.rms ]
}

@test "--drop-annotator: as if they had never chosen" {
	votes() {
		jq -nc --argjson who "$1" 'range(30) | . as $i | {id: "g\($i)",
			extra: {row: $i}} + ([$who[] | {annotator: .,
			choice: ({a: $i, b: (2 * $i), c: ($i * $i + 1)}[.] % 3)}] |
			{annotations: ., votes: [range(3) as $c |
			map(select(.choice == $c)) | length]}) |
			.rank = [.votes[:2] as $v | range(2) as $r |
			$v | map(select(. > $v[$r])) | length]' |
			jq -sc '{format: "rmtools", version: 1, kind: "groups",
			fields: ["id", "rank", "votes", "annotations", "extra"],
			types: ["str", "f64[k]", "f64[k+1]", "choices", "extra"]},
			.[]' | rm-view -S -q --no-history
	}
	votes '["a","b","c"]' > all.rms
	votes '["a","b"]' > two.rms
	rm-pair -q --no-history --drop-annotator c all.rms | rm-view > got
	rm-pair -q --no-history two.rms | rm-view > want
	[ -s want ]
	cmp got want
	cmp <(rm-pair --drop-annotator c --stats --format json all.rms) \
		<(rm-pair --stats --format json two.rms)
	run rm-pair --drop-annotator b,c all.rms -o one.rms
	assert_output --partial "60 choices of dropped annotators"
	run bash -c "rm-pair --drop-annotator b,c --stats all.rms"
	assert_line "  cohen_kappa: there is one annotator only"
	run rm-pair --drop-annotator c,d all.rms -o out.rms
	assert_failure 1
	assert_output "rm-pair: --drop-annotator: no annotator is named 'd'"
	[ ! -e out.rms ]
	run rm-pair -q --drop-annotator a,b,c all.rms
	assert_failure 1
	assert_output --partial "nothing to write: 30 groups read"
	stream 3 > g.rms
	run rm-pair --drop-annotator a g.rms
	assert_failure 1
	assert_output --partial "--drop-annotator: no field annotations"
}

@test "--stats: what cannot be computed says why and is no figure" {
	echo '{"id":"a","rank":[0,1],"votes":[3,0,0]}' | to_groups -o g.rms
	run rm-pair --stats g.rms
	assert_success
	assert_line "not_computed"
	assert_line "  fleiss_kappa: all votes are the same, so that chance explains all agreement"
	assert_line "  cohen_kappa: no field annotations"
	assert_line --regexp "^  scripts: no texts are kept"
	assert_line --regexp "^  cycles: no field responses"
	refute_output --partial "nan"
	rm-pair --stats --format json g.rms > s.json
	run jq -c '[.votes.fleiss_kappa, .cycles, .scripts, .not_computed.near_prompts]' s.json
	assert_output '[null,null,null,"no record has a prompt"]'
	run jq '[.. | select(type == "null")] | length' s.json
	assert_output 0
}

@test "--stats: cycles, near prompts, scripts of a file" {
	[ -x "$RM_BIN/rm-tokenize" ] || skip "no rm-tokenize"
	jq -nc '"Explain in a few words why the sky is blue at noon and red at night" as $q |
		{id: "x", prompt: $q, chosen: "one", rejected: "two"},
		{id: "y", prompt: $q, chosen: "two", rejected: "три"},
		{id: "z", prompt: $q, chosen: "три", rejected: "one"},
		{id: "w", prompt: ($q + "!"), chosen: "one", rejected: "two"}' > t.jsonl
	rm-tokenize -q --keep-text t.jsonl -o g.rms
	rm-pair --stats --format json g.rms > s.json
	run jq -c '[.cycles.triads, .cycle_examples[0].name, .duplicates.near,
		.near_prompts[0].name, .near_prompts[0].similarity,
		[.scripts[] | [.name, .prompts, .responses]]]' s.json
	assert_output '[1,"x y z",1,"x w",1,[["Latin",4,6],["Cyrillic",0,2]]]'
	run rm-pair --stats g.rms
	assert_line --regexp "^ +3  x y z$"
	assert_line --regexp "^ +1  x w$"
}

@test "--stats prints no control characters of the data" {
	echo '{"id":"a","subset":"s\u001b[2J\nx","rank":[0,1]}' | to_groups -o g.rms
	run bash -c "rm-pair --stats g.rms | tr -d '\n' | grep -c '[[:cntrl:]]'"
	assert_output 0
	run rm-pair --stats g.rms
	assert_line --regexp "  s\?\[2J\?x$"
}

# The lead of PandaLM's paper and the data's README: Fleiss' kappa 0.864, and
# 0.267 over the 16,737 convarg pairs with five votes.
@test "agreement of real annotators" {
	need_data pandalm/testset-v1.json
	[ -x "$RM_BIN/rm-tokenize" ] || skip "no rm-tokenize"
	rm-tokenize -q "$data/pandalm/testset-v1.json" > g.rms
	run bash -c "rm-pair --stats --format json g.rms | jq -c '[.records, .votes.annotators, (.votes.fleiss_kappa * 1000 | round)]'"
	assert_output '[999,3,864]'
	need_data convarg/pairs.jsonl.gz
	rm-tokenize -q "$data/convarg/pairs.jsonl.gz" > g.rms
	run bash -c "rm-pair --stats --format json g.rms | jq -c '[.records, .votes.fleiss_records, .votes.fleiss_votes, (.votes.fleiss_kappa * 1000 | round)]'"
	assert_output '[16927,16737,5,267]'
	# As scipy counts them in the same comparisons.
	run bash -c "rm-pair --stats --format json g.rms | jq -c '.cycles | [.prompts, .comparisons, .contradictions, .components, .responses, .triads]'"
	assert_output '[32,15928,75,34,963,7377]'
}

@test "real ratings make as many pairs as they have unequal scores" {
	need_data arena/ratings.jsonl.gz
	[ -x "$RM_BIN/rm-tokenize" ] || skip "no rm-tokenize"
	rm-tokenize -q "$data/arena/ratings.jsonl.gz" > g.rms
	want=$(zcat "$data/arena/ratings.jsonl.gz" | jq '.scores as $s |
		[range($s | length) as $i | range($i) |
		 select($s[.] != $s[$i])] | length' | jq -s add)
	run bash -c "rm-pair -q g.rms | rm-view -c"
	assert_output "$want"
	run bash -c "rm-pair --stats --format json g.rms | jq .pairs"
	assert_output "$want"
	zcat "$data/arena/ratings.jsonl.gz" | jq '[.responses, .scores] | transpose[] | .[0] == ""' | grep -c true > empty || true
	run bash -c "rm-pair --stats --format json g.rms | jq .empty_responses"
	assert_output "$(cat empty)"
}
