#!/usr/bin/env bats
# Rewards: added to a stream, the same in any batch, of text, as a co-process.
load common

setup_file() {
	"$BATS_TEST_DIRNAME/../../examples/generate" |
		head -n 200 > "$BATS_FILE_TMPDIR/text.jsonl"
	PATH=$RM_BIN:$PATH
	cd "$BATS_FILE_TMPDIR" || return
	rm-tokenize -q text.jsonl > groups.rms
	rm-train -q -o m groups.rms
	printf '%s\n' \
		'{"prompt":"p","responses":["one fish","two fish","","one fish"],"scores":[1,2,3,4]}' \
		'{"prompt":"q","responses":["red","blue"],"scores":[2,1]}' |
		rm-tokenize -q > k.rms
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cp -r "$BATS_FILE_TMPDIR"/{m,*.rms} .
}

@test "reward is added, ids are dropped, all else stays as it is" {
	rm-score -q -m m groups.rms > s.rms
	run bash -c 'diff <(rm-view groups.rms | jq -c "del(.prompt, .responses)") \
		<(rm-view s.rms | jq -c "del(.reward)")'
	assert_success
	run bash -c 'rm-view s.rms | jq -s "all(.reward | length == 2)"'
	assert_output true
	run bash -c 'rm-view -H s.rms | jq -r ".fields[-1], .history[-1].tool, .history[-1].model"'
	assert_line --index 0 reward
	assert_line --index 1 rm-score
	assert_line --index 2 "$(jq -r .fingerprints.model m/rm.json)"
	run bash -c 'rm-score -q --no-history -m m groups.rms | rm-view -H | jq -r ".history[-1].tool"'
	assert_output rm-tokenize
	rm-score -q -m m --keep-ids groups.rms -o kept.rms
	run bash -c 'rm-view kept.rms | jq -c "del(.reward)" | cmp - <(rm-view groups.rms | jq -c .)'
	assert_success
}

@test "rewards have the same bits in any batch, for any number of threads" {
	rm-score -q --no-history -m m groups.rms > a.rms
	rm-score -q --no-history -m m --batch 1 -@ 1 groups.rms > b.rms
	rm-score -q --no-history -m m --batch 777 -@ 3 < groups.rms > c.rms
	cmp a.rms b.rms
	cmp a.rms c.rms
}

@test "several streams are one" {
	rm-score -q --no-history -m m k.rms k.rms | rm-view > two
	run wc -l < two
	assert_output 4
	cmp <(head -n 2 two) <(tail -n 2 two)
}

@test "a field that is there is refused, and replaced if forced" {
	rm-score -q -m m --keep-ids k.rms > s.rms
	run rm-score -q -m m s.rms -o t.rms
	assert_failure 1
	assert_output --partial "s.rms: field reward is there already"
	[ ! -e t.rms ]
	run bash -c 'rm-score -q -m m --force s.rms | rm-view -H | jq -c "[.fields[] | select(. == \"reward\")]"'
	assert_output '["reward"]'
	run bash -c 'rm-score -q -m m --field teacher s.rms | rm-view | jq -s -c "all(.reward == .teacher)"'
	assert_output true
	# Without ids there is nothing to score.
	rm-score -q -m m k.rms > bare.rms
	run rm-score -q -m m --field teacher bare.rms
	assert_failure 1
	assert_output --partial "no field responses: run rm-tokenize first"
}

@test "ranks and probabilities" {
	rm-score -q -m m --rank --prob k.rms | rm-view > s
	run jq -sc '.[0].reward as $r | .[0].reward_rank == [$r[] as $x |
		[$r[] | select(. > $x)] | length]' s
	assert_output true
	# Equal texts tie.
	run jq -sc '.[0].reward_rank | .[0] == .[3]' s
	assert_output true
	run jq -sc '.[0].prob' s
	assert_output null
	run jq -sc '.[1] | (.reward[0] - .reward[1]) as $d |
		(.prob - 1 / (1 + (-$d | exp))) | fabs < 1e-12' s
	assert_output true
}

@test "the model's calibration decides probabilities" {
	if ! command -v rm-calibrate > /dev/null; then
		skip "no rm-calibrate"
	fi
	rm-score -q -m m groups.rms |
		rm-calibrate --fit temperature --into m
	rm-score -q -m m --prob groups.rms > s.rms
	rm-calibrate -q --apply <(jq .calibration m/rm.json) --force s.rms |
		rm-view | jq .prob > want
	cmp want <(rm-view s.rms | jq .prob)
	run bash -c 'rm-view s.rms | jq -s "any(.[]; (.reward[0] - .reward[1]) as \$d | (.prob - 1 / (1 + (-\$d | exp))) | fabs > 1e-6)"'
	assert_output true
}

@test "the best N, best first, with all that is theirs" {
	rm-score -q -m m k.rms | rm-view > all
	rm-score -q -m m --best 2 --rank k.rms > best.rms
	run bash -c 'rm-view best.rms | jq -sc ".[0].reward" '
	assert_output "$(jq -sc '.[0].reward | sort | reverse | .[:2]' all)"
	run bash -c 'rm-view best.rms | jq -sc ".[0].reward_rank | .[0]"'
	assert_output 0
	# Scores and positions moved along.
	run bash -c 'rm-view best.rms | jq -sc "all(.[]; (.score | length) == 2 and (.position | length) == 2)"'
	assert_output true
	run bash -c 'rm-view best.rms | jq -sc ".[0] | [.position, .score]"'
	assert_output "$(jq -sc '.[0] | . as $g | [range(4)] |
		sort_by([-$g.reward[.], .])[:2] | [., [.[] | $g.score[.]]]' all)"
	rm-pair -q groups.rms | rm-score -q -m m --best 1 > one.rms
	run bash -c 'rm-view -H one.rms | jq -c "[.kind, (.fields | index(\"p\"))]"'
	assert_output '["groups",null]'
}

@test "the best take their texts, ids, attributes and choices along" {
	printf '%s\n' '{"prompt":"p","responses":["one","two fish",""],"good":[1,2,3],"votes":[{"annotator":"a","vote":1},{"annotator":"b","vote":3}]}' |
		rm-tokenize -q --keep-text --attributes good > full.rms
	rm-score -q -m m full.rms | rm-view > all
	rm-score -q -m m --best 1 --keep-ids full.rms | rm-view > best
	best=$(jq -c '.reward as $r | [range(3)] | max_by($r[.])' all)
	run jq -c '[.response_texts, .responses, .attributes.good]' best
	assert_output "$(rm-view full.rms | jq -c --argjson b "$best" \
		'[.response_texts, .responses, .attributes.good | [.[$b]]]')"
	run jq -c '[.annotations[].choice]' best
	assert_output "$(rm-view full.rms | jq -c --argjson b "$best" \
		'[.annotations[].choice | select(. == $b) | 0]')"
	# Once the ids are gone, annotations alone do not say how many there were.
	rm-view full.rms | jq -c '{id, prompt, responses, annotations}' |
		rm-view -S > few.rms
	run bash -c 'rm-score -q -m m few.rms | rm-view | jq -c "[.annotations[].choice]"'
	assert_output '[0,2]'
}

@test "another tokenizer or policy is refused unless forced" {
	rm-tokenize -q --learn 300 -o tokenizer.json "$BATS_FILE_TMPDIR/text.jsonl"
	rm-tokenize -q -t tokenizer.json "$BATS_FILE_TMPDIR/text.jsonl" > other.rms
	run rm-score -q -m m other.rms
	assert_failure 1
	assert_output --partial tokenizer
	# Even then its ids must be the model's.
	run rm-score -q -m m --force other.rms -o s.rms
	assert_failure 1
	assert_output --partial "vocabulary"
	[ ! -e s.rms ]
	rm-tokenize -q -l 20 "$BATS_FILE_TMPDIR/text.jsonl" > cut.rms
	run rm-score -q -m m cut.rms -o s.rms
	assert_failure 1
	assert_output --partial policy
	run rm-score -q -m m --force cut.rms -o s.rms
	assert_success
}

@test "text in, rewards out, the same as the stream's" {
	rm-score -q -m m k.rms | rm-view | jq -c .reward > want
	printf '%s\n' \
		'{"prompt":"p","responses":["one fish","two fish","","one fish"]}' \
		'{"prompt":"q","responses":["red","blue"]}' > in.jsonl
	run bash -c 'rm-score -q -m m in.jsonl | jq -c .reward | cmp - want'
	assert_success
	run bash -c 'rm-score -q -m m < in.jsonl | jq -c .reward | cmp - want'
	assert_success
	run bash -c "echo '{\"prompt\": \"q\", \"response\": \"red\"}' | rm-score -q -m m | jq .reward[0]"
	assert_output "$(jq -s '.[1][0]' want)"
	run bash -c "echo '{\"prompt\": \"q\", \"nothing\": 1}' | rm-score -q -m m"
	assert_failure 1
	run bash -c "echo '{\"prompt\": ' | rm-score -q -m m"
	assert_failure 1
}

@test "a co-process: each line is answered before the next is asked" {
	coproc rm-score -q -m m
	for text in one two three; do
		echo "{\"prompt\": \"q\", \"response\": \"$text\"}" >&"${COPROC[1]}"
		read -r -t 10 answer <&"${COPROC[0]}"
		run jq -e '.reward | length == 1' <<< "$answer"
		assert_success
	done
	exec {COPROC[1]}>&-
	wait
}

@test "a stream is answered when its producer pauses" {
	mkfifo in
	rm-score -q -m m < in > out &
	exec 7> in
	size=$(wc -c < k.rms)
	# All but the trailer: both records are due.
	head -c $((size - 20)) k.rms >&7
	for _ in $(seq 100); do
		[ -s out ] && break
		sleep .05
	done
	[ -s out ]
	tail -c 20 k.rms >&7
	exec 7>&-
	wait
	run rm-view -c out
	assert_output 2
}

@test "bad models and bad streams" {
	run rm-score -q -m nowhere groups.rms
	assert_failure 1
	assert_output --partial "nowhere: No such file or directory"
	run rm-score -q groups.rms
	assert_failure 2
	run rm-score -q -m groups.rms groups.rms
	assert_failure 1
	assert_output --partial "not a directory"
	head -c 5000 groups.rms > cut.rms
	run rm-score -q -m m cut.rms -o s.rms
	assert_failure 1
	assert_output --partial cut.rms
	[ ! -e s.rms ]
	: > empty
	run rm-score -q -m m empty
	assert_failure 1
	printf '\200\1\2\3' | dd of=m/model.safetensors bs=1 seek=5000 \
		conv=notrunc status=none
	run rm-score -q -m m groups.rms
	assert_failure 1
	assert_output --partial "fingerprint"
}

@test "a full disk and a reader that went away" {
	run bash -c 'rm-score -q -m m groups.rms > /dev/full'
	assert_failure 1
	assert_output --partial "No space left on device"
	run bash -c 'rm-score -q -m m --keep-ids groups.rms | head -c 1 > /dev/null; echo ${PIPESTATUS[0]}'
	[ "$output" = 141 ] || [ "$output" = 0 ]
}

# ---- checkpoints that Transformers saved ----

stored() {
	printf '%s/../data/checkpoints/%s' "$BATS_TEST_DIRNAME" "$1"
}

# cases NAME: the stored checkpoint's texts as a stream of ids.
cases() {
	jq -c 'to_entries[] | select(.value.ids and (.value.types | not))
		| {id: "\(.key)", prompt: [], responses: [.value.ids]}' \
		"$(stored "$1")/reference.json" | rm-view -S
}

@test "a checkpoint gives the rewards that Transformers gives" {
	for name in roberta modernbert deberta_v3 gpt2 llama gemma2; do
		cases $name > c.rms
		rm-score -q --force -m "$(stored $name)" c.rms > s.rms
		run bash -c "paste <(rm-view s.rms | jq '.reward[]') \
			<(jq '.[] | select(.ids) | .logits[0]' $(stored $name)/reference.json) |
			awk '{ d = \$1 - \$2; if (d < 0) d = -d; if (d > 1e-4) bad++ }
			END { print (NR > 3 && !bad) ? \"near\" : \"far\" }'"
		assert_output near
	done
}

@test "a checkpoint's rewards have the same bits in any batch, by 1 to 3 threads" {
	cases mistral > c.rms
	rm-score -q --force --no-history -m "$(stored mistral)" c.rms > a.rms
	for how in "--batch 1 -@ 1" "--batch 40 -@ 2" "--batch 5000 -@ 3"; do
		# shellcheck disable=SC2086
		rm-score -q --force --no-history -m "$(stored mistral)" $how \
			c.rms > b.rms
		cmp a.rms b.rms
	done
}

@test "a base without a head, and one of several labels, are told by name" {
	cases roberta > c.rms
	run rm-score -q --force -m "$(stored bert_base)" c.rms
	assert_failure 1
	assert_output --partial "without a reward head"
	cp -r "$(stored roberta)" two
	chmod -R u+w two
	jq '.id2label = {"0": "bad", "1": "good"}' two/config.json > c.json
	mv c.json two/config.json
	run rm-score -q --force -m two c.rms
	assert_failure 1
	assert_output --partial "classifier.out_proj.weight: shape [1, 16], expected [2, 16]"
}

@test "pickles, unknown families and keys that change the function are refused" {
	cases roberta > c.rms
	cp -r "$(stored roberta)" other
	chmod -R u+w other
	jq '.model_type = "t5"' other/config.json > c.json
	mv c.json other/config.json
	run rm-score -q --force -m other c.rms
	assert_failure 1
	assert_output --partial 'other/config.json: model_type "t5" is not computed here; there are bert'
	cp "$(stored roberta)/config.json" other/config.json
	jq '.hidden_act = "mish"' other/config.json > c.json
	mv c.json other/config.json
	run rm-score -q --force -m other c.rms
	assert_failure 1
	assert_output --partial "hidden_act"
	cp "$(stored roberta)/config.json" other/config.json
	mv other/model.safetensors other/pytorch_model.bin
	run rm-score -q --force -m other c.rms
	assert_failure 1
	assert_output --partial pytorch_model.bin
	assert_output --partial save_pretrained
}

@test "how sure a head is moves with its rewards, and goes with them" {
	printf '{"prompt":"p","responses":["a b","c d e","f"],"scores":[3,2,1]}\n%.0s' 1 2 |
		rm-tokenize -q > three.rms
	rm-train -q -o sure --epochs 2 --valid 0 --head uncertainty:encoding=separate \
		--loss uncertainty:form=gaussian three.rms
	rm-score -q -m sure --keep-ids three.rms > all.rms
	run bash -c "rm-view all.rms | jq -c '.reward_sd | [length, (map(. > 0) | all)]' | uniq"
	assert_output '[3,true]'
	rm-view all.rms | head -n 1 | jq -c '
		[[.reward, .reward_sd] | transpose | sort_by(-.[0])[:2][]]' > is
	rm-score -q -m sure --best 2 three.rms | rm-view | head -n 1 |
		jq -c '[[.reward, .reward_sd] | transpose[]]' > should
	diff is should
	# Of another field it says nothing; another model's goes.
	run bash -c "rm-score -q -m sure --field teacher three.rms | rm-view -H | jq -c '.fields | index(\"reward_sd\")'"
	assert_output null
	rm-train -q -o plain --epochs 1 --valid 0 three.rms
	run rm-score -q -m plain all.rms
	assert_failure 1
	run bash -c "rm-score -q --force -m plain all.rms | rm-view -H | jq -c '.fields | index(\"reward_sd\")'"
	assert_output null
}

@test "ids beyond a checkpoint's vocabulary and positions are refused" {
	echo '{"id":"a","responses":[[64]]}' | rm-view -S > v.rms
	run rm-score -q --force -m "$(stored roberta)" v.rms
	assert_failure 1
	assert_output --partial "token id 64"
	jq -n -c '{id: "a", responses: [[range(200) | 7]]}' |
		rm-view -S > p.rms
	run rm-score -q --force -m "$(stored roberta)" p.rms
	assert_failure 1
	assert_output --partial "200 tokens"
}

# ---- attacks ----

# The sum over pairs of log(1 + exp(-d)) at that eps, "reward" for none.
loss_at() {
	rm-view "$1" | jq -s --arg eps "$2" 'map((if $eps == "reward" then
		.reward else .attack[$eps] end) as $r | .rank as $k |
		[range($r | length) as $i | range($r | length) as $j |
			select($k[$i] < $k[$j]) |
			(1 + (($r[$j] - $r[$i]) | exp)) | log] | add) | add'
}

@test "--attack: the loss rises with eps, 0 is the reward" {
	rm-score -q -m m --attack fgsm:eps=0/0.01/0.1 groups.rms > a.rms
	run bash -c 'rm-view a.rms | jq -s "all(.attack[\"0\"] == .reward and
		(.attack | keys == [\"0\", \"0.01\", \"0.1\"]))"'
	assert_output true
	cmp <(rm-score -q -m m groups.rms | rm-view | jq -c .) \
		<(rm-view a.rms | jq -c 'del(.attack)')
	run awk -v a="$(loss_at a.rms reward)" -v b="$(loss_at a.rms 0.01)" \
		-v c="$(loss_at a.rms 0.1)" \
		'BEGIN { exit !(a < b && b < c) }'
	assert_success
	run bash -c 'rm-view -H a.rms | jq -c ".history[-1].attack"'
	assert_output '{"name":"fgsm","eps":[0,0.01,0.1],"norm":"inf","tokens":"response"}'
	# Groups of more than two, and empty responses.
	rm-score -q -m m --attack pgd:eps=0.05,steps=2,norm=l2 k.rms > k
	run awk -v a="$(loss_at k reward)" -v b="$(loss_at k 0.05)" \
		'BEGIN { exit !(a < b) }'
	assert_success
}

@test "attacked rewards have the same bits in any batch, for any threads" {
	how="pgd:eps=0.01/0.1,steps=2,alpha=0.001,random_start=yes"
	rm-score -q --no-history -m m --attack "$how" groups.rms > a.rms
	rm-score -q --no-history -m m --attack "$how" --batch 1 groups.rms |
		cmp - a.rms
	rm-score -q --no-history -m m --attack "$how" --batch 777 -@ 3 \
		groups.rms | cmp - a.rms
	rm-score -q --no-history -m m --attack "$how,seed=2" groups.rms > b.rms
	run cmp a.rms b.rms
	assert_failure
}

@test "attacked rewards move with the responses, and go with the reward" {
	rm-score -q -m m --keep-ids --rank --attack fgsm:eps=0.1 k.rms > a.rms
	rm-score -q -m m --best 1 --attack fgsm:eps=0.1 k.rms > best.rms
	diff <(rm-view a.rms | jq -c '.reward_rank as $r |
			.attack["0.1"][$r | index(0)]') \
		<(rm-view best.rms | jq -c '.attack["0.1"][0]')
	rm-score -q -m m --force a.rms | rm-view | jq -se 'all(has("attack") |
		not)'
}

@test "an attack that cannot be is an error that says why" {
	run rm-score -m m --attack cw groups.rms -o a.rms
	assert_failure 2
	assert_output --partial "--attack: unknown attack cw; there are fgsm, pgd"
	run rm-score -m m --attack pgd:eps=0.2/0.1 groups.rms -o a.rms
	assert_failure 2
	assert_output --partial "eps does not go up from 0.2 to 0.1"
	run rm-score -m m --attack fgsm --field teacher groups.rms -o a.rms
	assert_failure 2
	assert_output --partial "--attack goes with the field reward"
	echo '{"prompt":"p","responses":["a","b"]}' |
		rm-tokenize -q > bare.rms
	run rm-score -q -m m --attack fgsm bare.rms -o a.rms
	assert_failure 1
	assert_output --partial "no field rank, score or p: an attack needs to know which response is preferred"
	[ ! -e a.rms ]
	run bash -c "echo '{\"prompt\":\"p\",\"response\":\"a\"}' |
		rm-score -q -m m --attack fgsm"
	assert_failure 1
	assert_output --partial "no field rank, score or p"
	run rm-score --attack list
	assert_success
	assert_line pgd
}
