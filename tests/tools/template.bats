#!/usr/bin/env bats
# Chat templates: the tokenizer's own, a file's, and what a model keeps of it.
load common

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	printf '%s\n' '{"prompt":"What?","chosen":"This.","rejected":"That."}' \
		'{"prompt":"Why?","chosen":"No.","rejected":"Because."}' \
		> two.jsonl
	mkdir tk
	rm-tokenize -q --learn 257 --min-count 1 -o t.json two.jsonl
	with_specials t.json > tk/tokenizer.json
	echo '{"bos_token":"<s>","eos_token":{"content":"</s>"}}' \
		> tk/tokenizer_config.json
	cat > tk/chat_template.jinja <<-'T'
		{{ bos_token }}
		{%- for m in messages %}
		{%- if m.role not in ['system', 'user', 'assistant'] %}
		{{- raise_exception('no such role: ' ~ m.role) }}
		{%- endif %}
		{{- '<' ~ m.role ~ '>' ~ m.content ~ eos_token }}
		{%- endfor %}
		{%- if add_generation_prompt %}<assistant>{% endif %}
	T
	talk '{"role":"assistant","content":"This."}' > talk.jsonl
}

# talk ANSWER: a row of messages, that answer preferred.
talk() {
	jq -n -c --argjson a "$1" '[{role: "system", content: "S"},
		{role: "user", content: "What?"}] as $p |
		{chosen: ($p + [$a]),
		 rejected: ($p + [{role: "assistant", content: "That."}])}'
}

# The first record's texts; arguments are rm-tokenize's.
texts() {
	rm-tokenize -q "$@" | rm-view -n 1 --text |
		jq -c '[.prompt_text] + .response_texts'
}

policy() {
	rm-view -H "$1" | jq -c ".policy | {template, special_tokens, prefix,
		date: .template_date, vars: .template_vars}"
}

@test "messages go through the tokenizer's own template, texts do not" {
	run texts -t tk talk.jsonl
	assert_output '["<s><system>S</s><user>What?</s><assistant>","This.</s>","That.</s>"]'
	run texts -t tk two.jsonl
	assert_output '["<s>What?","This.","That."]'
	run texts -t tk --template own two.jsonl
	assert_output '["<s><user>What?</s><assistant>","This.</s>","That.</s>"]'
	run texts -t tk --template plain talk.jsonl
	assert_output '["<s>S\n\nWhat?\n\n","This.","That."]'
	rm-tokenize -q -t tk talk.jsonl > own.rms
	run policy own.rms
	assert_output '{"template":"own","special_tokens":false,"prefix":null,"date":null,"vars":null}'
	run bash -c "rm-view -H own.rms | jq -r .policy.template_hash"
	assert_output --regexp '^[0-9a-f]{32}$'
	# A template in tokenizer_config.json is the same one.
	jq --rawfile t tk/chat_template.jinja '.chat_template = $t' \
		tk/tokenizer_config.json > c && mv c tk/tokenizer_config.json
	rm tk/chat_template.jinja
	rm-tokenize -q -t tk talk.jsonl > config.rms
	cmp <(rm-view -H own.rms | jq .policy) \
		<(rm-view -H config.rms | jq .policy)
	rm-tokenize -q -t tk --template tk/tokenizer_config.json talk.jsonl |
		cmp <(rm-view own.rms) <(rm-view)
}

@test "special tokens that a template writes are not put twice" {
	run texts -t tk --special-tokens yes talk.jsonl
	assert_output '["<s><system>S</s><user>What?</s><assistant>","This.</s>","That.</s>"]'
	# They are kept in a cut; one that was not written is not put.
	run texts -t tk -l 12 talk.jsonl
	assert_output '["<s>stant>","This.</s>","That.</s>"]'
	sed -i 1d tk/chat_template.jinja
	sed -i '1s/{%-/{%/' tk/chat_template.jinja
	run texts -t tk talk.jsonl
	assert_output '["<system>S</s><user>What?</s><assistant>","This.</s>","That.</s>"]'
	run texts -t tk --special-tokens yes talk.jsonl
	assert_output '["<s><system>S</s><user>What?</s><assistant>","This.</s>","That.</s>"]'
}

@test "a file's template, its variables and its date" {
	echo '{{ strftime_now("%d %b %Y") }}{% for m in messages %}|{{ m.content }}{% if loud %}!{% endif %}{% endfor %}' \
		> my.jinja
	run rm-tokenize -q -t tk --template my.jinja talk.jsonl
	assert_failure 1
	assert_output "rm-tokenize: talk.jsonl: line 1: response 1: template: line 1, column 16: the template writes the date, and none was given"
	run texts -t tk --template my.jinja --template-date 2025-01-31 talk.jsonl
	assert_output '["31 Jan 2025|S|What?","|This.","|That."]'
	run texts -t tk --template my.jinja --template-date 2025-01-31 \
		--template-vars '{"loud": true}' talk.jsonl
	assert_output '["31 Jan 2025|S!|What?!","|This.!","|That.!"]'
	rm-tokenize -q -t tk --template my.jinja --template-date 2025-01-31 \
		--template-vars '{"loud": true}' talk.jsonl > my.rms
	run policy my.rms
	assert_output '{"template":"own","special_tokens":false,"prefix":null,"date":"2025-01-31","vars":{"loud":true}}'
	run rm-tokenize -t tk --template my.jinja --template-date 2025-02-29 \
		talk.jsonl
	assert_failure 1
	assert_output --partial "'2025-02-29' is no date"
	run rm-tokenize -t tk --template-vars '[1]' talk.jsonl
	assert_failure 2
	assert_output --partial "--template-vars: no JSON object"
	run rm-tokenize --template hh --template-date 2025-01-31 talk.jsonl
	assert_failure 1
	assert_output --partial "template hh has no variables and no date"
}

@test "what is wrong with a template says where" {
	echo '{% for m in messages %}
{{ m.content | shout }}{% endfor %}' > bad.jinja
	run rm-tokenize -t tk --template bad.jinja talk.jsonl
	assert_failure 1
	assert_output "rm-tokenize: template bad.jinja: line 2, column 16: no filter 'shout' is built"
	talk '{"role":"critic","content":"This."}' > wrong.jsonl
	run rm-tokenize -q -t tk talk.jsonl wrong.jsonl -o out.rms
	assert_failure 1
	assert_output "rm-tokenize: wrong.jsonl: line 1: response 1: template: line 4, column 20: the template refuses: no such role: critic"
	[ ! -e out.rms ]
	rm tk/chat_template.jinja
	run rm-tokenize -q -t tk --template own talk.jsonl
	assert_failure 1
	assert_output --partial "the tokenizer has no chat template"
}

@test "a model keeps its template, and another one is refused" {
	rm-tokenize -q -t tk talk.jsonl talk.jsonl > own.rms
	rm-train -q -o m --backbone bag:rows=64 --epochs 1 own.rms
	cmp m/chat_template.jinja tk/chat_template.jinja
	# Text is scored as the stream is, under the model's template.
	cmp <(rm-score -q -m m talk.jsonl | jq -c .reward) \
		<(rm-score -q -m m own.rms | rm-view -n 1 | jq -c .reward)
	rm-tokenize -q -m m talk.jsonl talk.jsonl |
		cmp <(rm-view own.rms) <(rm-view)
	# Messages under another template are not the model's.
	echo '{{ messages[0].content }}' > other.jinja
	rm-tokenize -q -t tk --template other.jinja talk.jsonl > other.rms
	run rm-score -q -m m other.rms
	assert_failure 1
	assert_output --partial "token policy"
	# A file that was exchanged is noticed.
	cp other.jinja m/chat_template.jinja
	run rm-score -q -m m talk.jsonl
	assert_failure 1
	assert_output --partial "the model's policy has template_hash"
}

@test "a base's template gives way to that of its training" {
	rm-tokenize -q -t tk talk.jsonl talk.jsonl > own.rms
	# A checkpoint that says nothing of tokens and templates.
	rm-train -q -o base --backbone transformer:layers=1,hidden=16,heads=2 \
		--epochs 1 own.rms
	rm base/rm.json
	echo '{{ messages }}' > base/chat_template.jinja
	rm-train -q -b base -o m --epochs 1 own.rms
	cmp m/chat_template.jinja tk/chat_template.jinja
	rm-score -q -m m talk.jsonl > /dev/null
}

@test "the prompt ends where rendered texts part, at a message" {
	# What stands last is written otherwise: no text of the prompt's own
	# messages begins the whole but the first one.
	cat > last.jinja <<-'T'
		{%- for m in messages -%}
		<{{ m.role }}>{% if m.role == 'user' and loop.last %}(last){% endif %}
		{{- m.content }};
		{%- endfor %}
		{%- if add_generation_prompt %}<assistant>{% endif %}
	T
	run texts -t tk --template last.jinja talk.jsonl
	assert_output '["<system>S;","<user>What?;<assistant>This.;","<user>What?;<assistant>That.;"]'
	# A generation prompt that goes on otherwise than an answer.
	echo "{% for m in messages %}<{{ m.role }}>{{ m.content }};{% endfor %}{% if add_generation_prompt %}<assistant><think>{% endif %}" \
		> think.jinja
	run texts -t tk --template think.jinja talk.jsonl
	assert_output '["<system>S;<user>What?;<assistant>","This.;","That.;"]'
}

@test "tools, their calls and a content of null reach the template" {
	echo '{% if tools %}{{ tools[0].name }}:{% endif %}{% for m in messages %}[{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}]{% endfor %}' \
		> tools.jinja
	talk '{"role":"assistant","content":null,"tool_calls":[{"name":"f","arguments":{"x":1.5}}]}' |
		jq -c '.tools = [{"name": "f"}]' > tools.jsonl
	run texts -t tk --template tools.jinja tools.jsonl
	assert_output '["f:[S][What?]","[[{\"name\": \"f\", \"arguments\": {\"x\": 1.5}}]]","[That.]"]'
	run bash -c "rm-tokenize -q -t tk --template tools.jinja tools.jsonl | rm-view | jq -c .extra"
	assert_output '{"tools":[{"name":"f"}]}'
}

@test "published tokenizers: their own templates" {
	need_data tokenizers/qwen3
	run texts -t "$data/tokenizers/qwen3" talk.jsonl
	assert_output '["<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\n","<think>\n\n</think>\n\nThis.<|im_end|>\n","<think>\n\n</think>\n\nThat.<|im_end|>\n"]'
	run texts -t "$data/tokenizers/mistral-7b-v0.2" talk.jsonl
	assert_output '["<s> S [INST] What? [/INST]","This.</s>","That.</s>"]'
}

@test "published tokenizers: ids of conversations are those of Transformers" {
	local of=$BATS_TEST_DIRNAME/../data/template.json directory md5
	need_data tokenizers/qwen3
	jq -r '.ids[] | "\(.directory) \(.md5)"' "$of" > wanted
	[ "$(wc -l < wanted)" -ge 3 ]
	while read -r directory md5; do
		jq -c --arg d "$directory" '. as $all | .ids[]
			| select(.directory == $d) | .names[]
			| $all.conversations[.]
			| {chosen: ., rejected: (.[:-1] + [$all.other])}' \
			"$of" > rows.jsonl
		rm-tokenize -q -t "$data/$directory" rows.jsonl | rm-view |
			jq -c '.prompt + .responses[]' | md5sum > got
		echo "$directory $(cut -d ' ' -f 1 got)" >> all
	done < wanted
	run diff wanted all
	assert_success
}
