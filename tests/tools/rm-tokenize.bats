#!/usr/bin/env bats
# Rows of text to groups: the real data sets, options, bad input, pauses.
load common

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	printf '%s\n' \
		'{"prompt":"What?","chosen":"This.","rejected":"That."}' \
		'{"prompt":"Why?","chosen":"","rejected":"Because."}' > two.jsonl
}

# The records as JSON, without ids; arguments are rm-tokenize's.
records() {
	rm-tokenize -q --no-history --keep-text "$@" | rm-view |
		jq -c 'del(.prompt, .responses, .n_tokens)'
}

unpack() {
	case $1 in
	*.gz)	zcat "$data/$1" ;;
	*)	cat "$data/$1" ;;
	esac
}

# The records' part $3 (jq) is the part $2 (jq) of the source's rows.
same() {
	diff <(unpack "$1" | jq -c "$2") <(records "$data/$1" | jq -c "$3") \
		> diff.out || fail "$1: $(head -5 diff.out)"
}

# ---- the data as it stands ----

@test "HH: whole transcripts, cut where both still agree" {
	need_data hh
	for f in harmless-base:1500 helpful-online:1137 \
			helpful-rejection-sampled:2749; do
		run rm-tokenize -o hh.rms "$data/hh/${f%:*}.jsonl.gz"
		assert_success
		assert_output "rm-tokenize: ${f#*:} kept, 0 cut, 0 dropped, 0 empty responses"
		same "hh/${f%:*}.jsonl.gz" '[.chosen, .rejected]' \
			'[.prompt_text + .response_texts[]]'
		run bash -c "records() { $(declare -f records | tail -n +2); }
			records '$data/hh/${f%:*}.jsonl.gz' |
			jq -r 'select(.rank != [0,1] or
				(.prompt_text | endswith(\"\n\nAssistant:\") |
				not))' | wc -l"
		assert_output 0
	done
}

@test "arena: ratings of k responses, 27 of them empty" {
	need_data arena
	run rm-tokenize -o a.rms "$data/arena/ratings.jsonl.gz"
	assert_success
	assert_output "rm-tokenize: 300 kept, 0 cut, 0 dropped, 27 empty responses"
	same arena/ratings.jsonl.gz \
		'[.id, .prompt, .responses, .scores, .models]' \
		'[.id, .prompt_text, .response_texts, .score, .extra.models]'
	same arena/ratings.jsonl.gz '[.scores[] as $s |
		[.scores[] | select(. > $s)] | length]' '.rank'
	same arena/ratings.jsonl.gz '[.responses[] | length]' '.length'
	run bash -c "rm-view -H a.rms | jq -c .per_response"
	assert_output '["models"]'
}

@test "convarg: annotators' votes and the gold label" {
	need_data convarg
	run rm-tokenize -o c.rms "$data/convarg/pairs.jsonl.gz"
	assert_success
	assert_output "rm-tokenize: 16927 kept, 0 cut, 0 dropped, 0 empty responses"
	same convarg/pairs.jsonl.gz '[.id, .subset, .prompt,
		[.response_a, .response_b]]' \
		'[.id, .subset, .prompt_text, .response_texts]'
	same convarg/pairs.jsonl.gz '.votes | map(.vote) as $v |
		[["a", "b", "tie"][] as $x | [$v[] | select(. == $x)] | length]' \
		'.votes'
	same convarg/pairs.jsonl.gz '[.votes[] | [.annotator, .vote]]' \
		'[.annotations[] | [.annotator, (["a", "b", "tie"][.choice])]]'
	# The label; where it is null, the votes.
	same convarg/pairs.jsonl.gz '(.votes | map(.vote)) as $v |
		([$v[] | select(. == "a")] | length) as $a |
		([$v[] | select(. == "b")] | length) as $b |
		(.gold // (if $a > $b then "a" elif $b > $a then "b"
			   else "tie" end)) |
		{a: [0, 1], b: [1, 0], tie: [0, 0]}[.]' .rank
}

@test "humour: vote counts, ties among them, no prompt" {
	need_data humour
	run rm-tokenize -o h.rms "$data/humour/pairs.csv.gz"
	assert_success
	assert_output "rm-tokenize: 28118 kept, 0 cut, 0 dropped, 0 empty responses"
	rm-view h.rms > h.jsonl
	run jq -cs '[(map(select(.rank == [0, 0])) | length),
		(map(select(.rank == [0, 1])) | length),
		(map(select(.prompt != [])) | length),
		(map(.key) | unique | length) == (map(.id) | unique | length)]' \
		h.jsonl
	assert_output '[3426,24692,0,true]'
	run jq -cs '[.[] | select(.votes[2] != 0 or
		(.rank == [0, 0]) != (.votes[0] == .votes[1]))] | length' h.jsonl
	assert_output 0
}

@test "gsm8k: graded solutions" {
	need_data gsm8k
	same gsm8k/solutions.jsonl.gz '[.id, .responses, .scores, .models]' \
		'[.id, .response_texts, .score, .extra.models]'
	run bash -c "rm-tokenize -q '$data/gsm8k/solutions.jsonl.gz' | rm-view -c"
	assert_output 1319
}

@test "LLMBar: the label says which output" {
	need_data llmbar
	same llmbar/natural.json '.[] | [.input, [.output_1, .output_2],
		(if .label == 1 then [0, 1] else [1, 0] end)]' \
		'[.prompt_text, .response_texts, .rank]'
	run bash -c "rm-tokenize -q '$data/llmbar/natural.json' | rm-view | jq -r .id | tail -1"
	assert_output natural:100
}

@test "PandaLM: three annotators, 54 empty responses, six booleans" {
	need_data pandalm
	run rm-tokenize -o p.rms "$data/pandalm/testset-v1.json"
	assert_success
	assert_output "rm-tokenize: 999 kept, 0 cut, 0 dropped, 54 empty responses, 6 booleans or numbers taken as text"
	same pandalm/testset-v1.json '.[] | [(.idx | tostring),
		([.instruction, .input] | map(select(. != "")) | join("\n\n")),
		([.response1, .response2] | map(tostring)),
		[.annotator1, .annotator2, .annotator3]]' \
		'[.id, .prompt_text, .response_texts,
		  [.annotations[] | [1, 2, 0][.choice]]]'
	same pandalm/testset-v1.json '.[] |
		[.annotator1, .annotator2, .annotator3] as $a |
		[(1, 2, 0) as $x | [$a[] | select(. == $x)] | length]' .votes
}

@test "all data sets together: the union of their fields" {
	need_data arena
	run bash -c "rm-tokenize -q '$data'/{hh/*,arena/*,convarg/*,humour/*,gsm8k/*,llmbar/*,pandalm/*} | rm-view -c"
	assert_success
	assert_output $((1500 + 1137 + 2749 + 300 + 16927 + 28118 + 1319 + 100 + 999))
	run bash -c "rm-tokenize -q '$data'/{arena/*,humour/*,pandalm/*} | rm-view |
		jq -r .subset | sort | uniq -c | tr -s ' '"
	assert_output ' 28118 pairs
 300 ratings
 999 testset-v1'
}

# ---- tokens ----

@test "the default is bytes, and ids decode to the text" {
	run bash -c "rm-tokenize -q two.jsonl | rm-view | jq -c '[.prompt, .responses[0]]'"
	assert_output '[[87,104,97,116,63],[84,104,105,115,46]]
[[87,104,121,63],[]]'
	run bash -c "rm-tokenize -q two.jsonl | rm-view --text | jq -c '[.prompt_text, .response_texts]'"
	assert_output '["What?",["This.","That."]]
["Why?",["","Because."]]'
}

@test "learn a BPE, use it; key and text are the same as with bytes" {
	need_data hh
	in=$data/hh/helpful-online.jsonl.gz
	run rm-tokenize --learn 600 -o t/tokenizer.json "$in"
	assert_failure 1
	mkdir t
	run rm-tokenize --learn 600 -o t/tokenizer.json "$in"
	assert_success
	assert_output ""
	rm-tokenize -q -t t "$in" -o bpe.rms
	rm-tokenize -q -t t/tokenizer.json "$in" --no-history | rm-view > file
	rm-view bpe.rms > bpe
	cmp bpe file
	rm-tokenize -q "$in" | rm-view > bytes
	cmp <(jq -c '[.id, .key, .rank, .length]' bpe) \
		<(jq -c '[.id, .key, .rank, .length]' bytes)
	run jq -s '(map(.n_tokens | add) | add)' bpe
	few=$output
	run jq -s '(map(.n_tokens | add) | add)' bytes
	[ "$few" -lt $((output / 2)) ]
	cmp <(rm-view --text bpe.rms | jq -c '.prompt_text + .response_texts[]') \
		<(zcat "$in" | jq -c '.chosen, .rejected')
	run rm-tokenize --learn 600 "$in"
	assert_failure 2
	assert_output --partial "--learn needs -o"
}

@test "learn: the same file for any threads and order, and WordPiece" {
	need_data hh
	zcat "$data/hh/helpful-online.jsonl.gz" > rows.jsonl
	tac rows.jsonl > turned.jsonl
	for type in bpe wordpiece; do
		rm-tokenize --learn 600 --learn-as $type -o 1.json rows.jsonl
		rm-tokenize --learn 600 --learn-as $type -@ 2 -o 2.json \
			turned.jsonl
		cmp 1.json 2.json
	done
	run jq -c '[.model.type, .normalizer.lowercase, (.model.vocab | length),
		(.added_tokens | map(.content)), .model.vocab["##ing"] != null]' 1.json
	assert_output '["WordPiece",true,600,["[PAD]","[UNK]","[CLS]","[SEP]","[MASK]"],true]'
	rm-tokenize --learn 600 --learn-as wordpiece --cased -o 3.json rows.jsonl
	run jq -c .normalizer.lowercase 3.json
	assert_output false
	run rm-tokenize --learn 600 --learn-as unigram -o 4.json rows.jsonl
	assert_failure 2
	assert_output --partial "bpe, wordpiece"
}

@test "-m: tokenizer, template and limit of a model" {
	mkdir m
	run rm-tokenize --learn 300 --min-count 1 -o m/tokenizer.json two.jsonl
	assert_success
	n=$(jq '.model.vocab | length' m/tokenizer.json)
	assert_output "rm-tokenize: $n tokens learned of 300: the text has no more to learn"
	echo '{"policy": {"template": "hh", "max_length": 9}}' > m/rm.json
	run rm-tokenize -m m two.jsonl -o m.rms
	assert_success
	assert_output --partial "2 kept, 2 cut"
	run bash -c "rm-view -H m.rms | jq -c .policy"
	assert_output '{"template":"hh","max_length":9,"overlong":"left"}'
	rm-tokenize -q -t m --template hh -l 9 two.jsonl -o t.rms
	cmp <(rm-view m.rms) <(rm-view t.rms)
	run rm-tokenize -m m -t m two.jsonl
	assert_failure 2
	echo '[]' > m/rm.json
	run rm-tokenize -m m two.jsonl
	assert_failure 1
	assert_output --partial "m/rm.json: no JSON object"
	run rm-tokenize -m none two.jsonl
	assert_failure 1
}

# A byte-level BPE whose post-processor adds tokens, in folder sp.
special() {
	mkdir sp
	rm-tokenize -q --learn 257 --min-count 1 -o t.json two.jsonl
	with_specials t.json > sp/tokenizer.json
	echo '{"bos_token":"<s>","eos_token":{"content":"</s>"}}' \
		> sp/tokenizer_config.json
}

# The texts of the first record, by rm-view --text.
texts() {
	rm-tokenize -q -t sp "$@" two.jsonl | rm-view -n 1 --text |
		jq -c '[.prompt_text] + .response_texts'
}

@test "special tokens: as the tokenizer adds them, and none" {
	special
	run texts
	assert_output '["<s>What?","This.","That."]'
	run texts --special-tokens no
	assert_output '["What?","This.","That."]'
	run texts --eos yes
	assert_output '["<s>What?","This.</s>","That.</s>"]'
	run texts --special-tokens no --eos yes
	assert_output '["What?","This.</s>","That.</s>"]'
	run texts --template pair
	assert_output '["<s>What?</s>","This.","That."]'
	run texts -l 5 --eos yes
	assert_output '["<s>","is.</s>","at.</s>"]'
	run texts -l 5 --eos yes --overlong right
	assert_output '["<s>Wha","</s>","</s>"]'
	run rm-tokenize --special-tokens maybe two.jsonl
	assert_failure 2
	assert_output --partial "yes, no"
	run rm-tokenize --eos yes two.jsonl
	assert_failure 1
	assert_output "rm-tokenize: eos: the tokenizer has none: no tokenizer_config.json, or no eos_token in it that the vocabulary has"
	run rm-tokenize -t sp --eos yes --template chatml two.jsonl
	assert_failure 1
	assert_output "rm-tokenize: eos: only plain text is ended by it, and template chatml makes none"
	run rm-tokenize --template pair two.jsonl
	assert_failure 1
	assert_output "rm-tokenize: template pair: the tokenizer's post_processor has no rule for pairs"
	run rm-tokenize -t sp -l 1 --eos yes two.jsonl
	assert_failure 1
	assert_output --partial "no room for the 2 special tokens"
}

@test "the policy is recorded, and a model's is taken again" {
	special
	n=$(jq '.added_tokens[0].id' sp/tokenizer.json)
	rm-tokenize -q -t sp --eos yes two.jsonl > eos.rms
	run bash -c "rm-view -H eos.rms | jq -c .policy"
	assert_output "{\"template\":\"plain\",\"special_tokens\":true,\"bos_id\":$n,\"eos_id\":$((n + 1)),\"prefix\":[$n],\"eos\":true,\"pad_id\":$((n + 2))}"
	rm-train -q -o m --backbone bag:rows=64 --epochs 1 eos.rms
	rm-tokenize -q -m m two.jsonl > again.rms
	cmp <(rm-view -H eos.rms | jq .policy) \
		<(rm-view -H again.rms | jq .policy)
	cmp <(rm-view eos.rms) <(rm-view again.rms)
	# Text is scored as the stream is.
	jq -c '{prompt, responses: [.chosen, .rejected]}' two.jsonl > text.jsonl
	cmp <(rm-score -q -m m text.jsonl | jq -c .reward) \
		<(rm-score -q -m m eos.rms | rm-view | jq -c .reward)
	run rm-score -q -m m <(rm-tokenize -q -t sp two.jsonl)
	assert_failure 1
	assert_output --partial "token policy"
	run texts --template pair
	run bash -c "rm-tokenize -q -t sp --template pair two.jsonl | rm-view -H | jq -c .policy.types"
	assert_output "[0,1]"
	# Ids that the tokenizer does not give.
	jq '.policy.prefix = [3]' m/rm.json > rm.json
	mv rm.json m/rm.json
	run rm-tokenize -m m two.jsonl
	assert_failure 1
	assert_output "rm-tokenize: the model's policy has prefix [3], but its tokenizer gives [$n]"
}

@test "HH at 256 tokens, cut on the right: responses become identical" {
	need_data hh
	need_data tokenizers
	run bash -c "rm-tokenize -t '$data/tokenizers/gpt2' -l 256 \
		--overlong right '$data'/hh/*.gz 2>&1 > hh.rms"
	assert_output "rm-tokenize: 5386 kept, 2408 cut, 0 dropped, 0 empty responses, 1258 made identical by the cut"
	# Besides, 34 were identical before.
	run bash -c "rm-view hh.rms |
		jq -c 'select(.responses[0] == .responses[1])' | wc -l"
	assert_output 1292
	run bash -c "rm-tokenize -t '$data/tokenizers/gpt2' -l 256 \
		'$data'/hh/*.gz 2>&1 > hh.rms"
	assert_output "rm-tokenize: 5386 kept, 2408 cut, 0 dropped, 0 empty responses"
}

@test "-l and --overlong" {
	run bash -c "rm-tokenize -l 8 two.jsonl 2> err | rm-view --text |
		jq -c '[.prompt_text, .response_texts]'; cat err"
	assert_output '["at?",["This.","That."]]
["",["","Because."]]
rm-tokenize: 2 kept, 2 cut, 0 dropped, 1 empty response'
	run bash -c "rm-tokenize -l 4 --overlong middle two.jsonl 2> err |
		rm-view --text | jq -c '[.prompt_text, .response_texts]'"
	assert_output '["",["Ths.","Tht."]]
["",["","Bee."]]'
	run bash -c "rm-tokenize -l 10 --overlong drop two.jsonl 2>&1 > x"
	assert_output 'rm-tokenize: 1 kept, 0 cut, 1 dropped, 0 empty responses'
	run rm-tokenize -l 10 --overlong error two.jsonl -o x.rms
	assert_failure 1
	assert_output 'rm-tokenize: two.jsonl: line 2: 12 tokens, the limit is 10'
	[ ! -e x.rms ]
}

@test "any number of threads, the same bytes" {
	need_data hh
	rm-tokenize --learn 500 -o t.json "$data/hh/helpful-online.jsonl.gz"
	for n in 1 3; do
		rm-tokenize -q --no-history -t t.json -@ $n \
			"$data"/{hh/helpful-online.jsonl.gz,humour/pairs.csv.gz,llmbar/natural.json} \
			> $n.rms
	done
	cmp 1.rms 3.rms
}

# ---- input ----

@test "stdin, gzip and zstd are read alike" {
	rm-tokenize -q --no-history < two.jsonl | rm-view > plain
	gzip -k two.jsonl
	zstd -q two.jsonl -o packed
	run bash -c "rm-tokenize -q two.jsonl.gz | rm-view | sed s/two:/stdin:/ | cmp - plain"
	assert_success
	run bash -c "rm-tokenize -q - < packed | rm-view | cmp - plain"
	assert_success
	run bash -c "cat two.jsonl.gz | rm-tokenize -q | rm-view | cmp - plain"
	assert_success
	run bash -c "head -c 60 two.jsonl.gz | rm-tokenize -q"
	assert_failure 1
	assert_output --partial "cut short"
}

@test "a pipe among the files is read once" {
	run bash -c "rm-tokenize -q two.jsonl <(cat two.jsonl) two.jsonl | rm-view -c"
	assert_output 6
}

@test "the first row of a file may be damaged with --skip-bad" {
	{ echo '{"prompt":'; cat two.jsonl; } > bad.jsonl
	run rm-tokenize bad.jsonl
	assert_failure 1
	assert_output --partial "bad.jsonl: line 1: "
	run bash -c "rm-tokenize --skip-bad bad.jsonl 2>&1 > x.rms"
	assert_output "rm-tokenize: 2 kept, 0 cut, 0 dropped, 1 empty response, 1 bad row skipped"
}

@test "typed lines are answered at once" {
	mkfifo in out
	bash -c 'rm-tokenize -q < in | rm-view > out' &
	exec 8> in 9< out
	for word in one two; do
		echo "{\"prompt\":\"p\",\"response\":\"$word\"}" >&8
		read -r -t 20 line <&9
		[ "$(jq -c .length <<< "$line")" = '[3]' ]
	done
	exec 8>&- 9<&-
	wait
}

@test "memory does not grow with the number of lines" {
	case $RM_BIN in */san/*) skip "sanitizers need the address space" ;; esac
	line=$(head -1 two.jsonl)
	run bash -c "ulimit -v 150000
		yes '$line' | head -n 2000000 | rm-tokenize -q | rm-view -c"
	assert_success
	assert_output 2000000
}

# ---- columns and bad rows ----

@test "named columns are taken, absent ones refused" {
	printf '%s\n' 'ask,a,b,c,best,w' 'Q,1,2,3,b,5' > own.csv
	run bash -c "records() { $(declare -f records | tail -n +2); }
		records --prompt ask --responses a,b --rank best own.csv |
		jq -c '[.prompt_text, .response_texts, .rank, .extra]'"
	assert_output '["Q",["1","2"],[1,0],{"c":"3","w":"5"}]'
	run rm-tokenize --prompt ask --responses a,nope own.csv
	assert_failure 1
	assert_output "rm-tokenize: own.csv: line 2: there is no column nope; the columns are ask, a, b, c, best, w"
	run rm-tokenize --chosen a --responses a,b own.csv
	assert_failure 1
	assert_output --partial "1 of 3 responses stand in columns of chosen"
	run rm-tokenize own.csv
	assert_failure 1
	assert_output --partial "the columns are ask, a, b, c, best, w"
}

@test "bad rows name file, line and column, and leave no output" {
	bad() {	# content, message
		printf '%b' "$1" > bad
		run rm-tokenize bad -o out.rms
		assert_failure 1
		assert_output --partial "rm-tokenize: bad: $2"
		[ ! -e out.rms ]
	}
	bad 'chosen,rejected\na,b\n"c,d\ne,f\n' 'line 3: a quote'
	bad 'chosen,rejected\na,b\nc\n' 'line 3: row 2 has 1 column, the header has 2'
	bad 'chosen,rejected\na,\xff\n' 'line 2: column rejected: invalid UTF-8'
	bad '{"chosen":"a","rejected":null}\n' 'line 1: column rejected: null'
	bad '{"chosen":"a","rejected":{"x":1}}' 'line 1: column rejected: an object'
	bad '{"responses":["a","b"],"scores":[1]}' 'line 1: score: 1 value for 2 responses'
	bad '{"chosen":"a","rejected":"b","p":2}' 'line 1: column p: 2 is no probability'
	bad '{"chosen":"a"' 'line 1: JSON'
	bad '[{"chosen":"a","rejected":"b"},{}]' 'row 2: column chosen is missing'
	bad ',,\n1,2,3\n' "line 1: two columns are named ''"
	bad '' 'the file is empty'
	bad '\n \n' 'the file is empty'
	bad "$(printf '[%.0s' {1..100})" 'JSON: nested deeper'
}

@test "wrong usage exits 2" {
	run rm-tokenize --template nope two.jsonl
	assert_failure 2
	assert_output --partial "--template: no template 'nope'; there are plain, hh, chatml, pair"
	run rm-tokenize -f xml two.jsonl
	assert_failure 2
	assert_output --partial "auto, csv, tsv, jsonl, json"
	run rm-tokenize --overlong nowhere two.jsonl
	assert_failure 2
	run rm-tokenize -@ 0 two.jsonl
	assert_failure 2
}

@test "a full disk and a reader that went away" {
	run bash -c "rm-tokenize -q two.jsonl > /dev/full"
	assert_failure 1
	assert_output --partial "No space left"
	yes "$(head -1 two.jsonl)" | head -n 200000 > long.jsonl
	run bash -c "rm-tokenize -q long.jsonl | head -c 100 > x; echo \${PIPESTATUS[0]}"
	assert_output 141
}

# ---- perturbations ----

@test "--perturb changes responses; ids, keys and prompts are as they were" {
	records two.jsonl > clean
	records --perturb praise:text=Good. two.jsonl > changed
	diff <(jq -c '[.id, .key, .rank, .prompt_text]' clean) \
		<(jq -c '[.id, .key, .rank, .prompt_text]' changed)
	assert_equal "$(jq -c .response_texts changed)" \
		'["This. Good.","That. Good."]
["Good.","Because. Good."]'
	assert_equal "$(jq -c .length changed)" '[11,11]
[5,14]'
	# In order, with commas.
	records --perturb 'praise:text=Yes, Good,at=start' --perturb case \
		two.jsonl > changed
	assert_equal "$(head -n 1 changed | jq -c .response_texts)" \
		'["yes, good this.","yes, good that."]'
	# What was done is in the history, and the policy is the same.
	rm-tokenize -q two.jsonl | rm-view -H > a
	rm-tokenize -q --perturb case:how=upper two.jsonl | rm-view -H > b
	diff <(jq .policy_fingerprint a) <(jq .policy_fingerprint b)
	diff <(jq .policy a) <(jq .policy b)
	assert_equal "$(jq -c '.history[0].perturb' b)" \
		'[{"name":"case","how":"upper","rate":1,"seed":1,"to":"all"}]'
}

@test "--perturb to= goes by the labels" {
	records --perturb praise:text=G,to=rejected two.jsonl > changed
	assert_equal "$(jq -c .response_texts changed)" \
		'["This.","That. G"]
["","Because. G"]'
	printf '%s\n' \
		'{"prompt":"p","responses":["a","b","c"],"scores":[1,3,3]}' > k.jsonl
	assert_equal "$(records --perturb praise:text=G,to=preferred k.jsonl |
		jq -c .response_texts)" '["a","b G","c G"]'
	assert_equal "$(records --perturb praise:text=G,to=rejected k.jsonl |
		jq -c .response_texts)" '["a G","b","c"]'
	echo '{"prompt":"p","responses":["a","b"]}' > bare.jsonl
	run rm-tokenize -q --perturb case:to=preferred bare.jsonl -o out
	assert_failure 1
	assert_output --partial "bare.jsonl: line 1: perturb: no rank, p, score or votes"
	[ ! -e out ]
}

@test "--perturb changes the last answer of messages, before the template" {
	cat > chat.jsonl <<- 'END'
	{"prompt":[{"role":"user","content":"Hi A"}],"chosen":[{"role":"assistant","content":"B"},{"role":"user","content":"C"},{"role":"assistant","content":[{"type":"text","text":"D"}]}],"rejected":[{"role":"assistant","content":"E"}]}
	END
	rm-tokenize -q --keep-text --template chatml --perturb case chat.jsonl |
		rm-view > r
	assert_equal "$(jq -r '.response_texts[0]' r)" $'B\n\nC\n\nd'
	# A template in Jinja sees the messages as JSON.
	cat > t.jinja <<- 'END'
	{% for m in messages %}{{ m.role }}:{{ m.content if m.content is string else m.content[0].text }};{% endfor %}
	END
	rm-tokenize -q --template t.jinja --perturb case chat.jsonl | rm-view |
		jq -r '.prompt + .responses[0] | implode' > whole
	assert_equal "$(tr -d '\n' < whole)" \
		"user:Hi A;assistant:B;user:C;assistant:d;"
	rm-tokenize -q --template t.jinja chat.jsonl | rm-view |
		jq -r '.prompt + .responses[0] | implode' > whole
	assert_equal "$(tr -d '\n' < whole)" \
		"user:Hi A;assistant:B;user:C;assistant:D;"
}

@test "--perturb gives the same bytes for any number of threads" {
	"$BATS_TEST_DIRNAME/../../examples/generate" | head -n 300 > text.jsonl
	how=(--no-history --perturb typos:rate=.2 --perturb whitespace)
	rm-tokenize -q "${how[@]}" text.jsonl > a
	rm-tokenize -q "${how[@]}" -@ 3 text.jsonl | cmp - a
	# A record's text does not depend on those before it.
	diff <(rm-view a | tail -n 1 | jq -c .responses) \
		<(tail -n 1 text.jsonl |
			rm-tokenize -q "${how[@]}" | rm-view | jq -c .responses)
}

@test "--perturb that cannot be is an error that says why" {
	run rm-tokenize --perturb paraphrase two.jsonl
	assert_failure 2
	assert_output --partial "--perturb: unknown perturbation paraphrase; there are case,"
	run rm-tokenize --perturb typos:rate=7 two.jsonl
	assert_failure 2
	assert_output --partial "rate"
	run rm-tokenize --perturb case --learn 300 -o t.json two.jsonl
	assert_failure 2
	assert_output --partial "no --perturb"
	run rm-tokenize --perturb list
	assert_success
	assert_line whitespace
}
