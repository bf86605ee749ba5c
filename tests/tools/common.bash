# What tool tests share: assertions, a scratch directory, the data.
bats_load_library bats-support
bats_load_library bats-assert

top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
RM_BIN=${RM_BIN:-$top/bin}
data=${RM_DATA:-$top/../shared/data}
PATH=$RM_BIN:$PATH

# Skip where the real data are absent.
need_data() {
	[ -e "$data/$1" ] || skip "no $data/$1"
}

# The names of all tools.
all_tools() {
	for source in "$top"/tools/rm-*.c; do
		basename "$source" .c
	done
}

# with_specials TOKENIZER: it with the tokens <s>, </s> and <pad>, and a
# post-processor that puts "<s>" before a text, "</s>" between two, of types 0
# and 1.
with_specials() {
	jq '(.model.vocab | length) as $n |
		.added_tokens = (["<s>", "</s>", "<pad>"] | to_entries |
			map({id: ($n + .key), content: .value, single_word: false,
			lstrip: false, rstrip: false, normalized: false,
			special: true})) |
		.post_processor = {type: "TemplateProcessing",
			single: ["<s>", "A"], pair: ["<s>", "A", "</s>", "B"],
			special_tokens: {
				"<s>": {id: "<s>", ids: [$n], tokens: ["<s>"]},
				"</s>": {id: "</s>", ids: [$n + 1],
					tokens: ["</s>"]}}} |
		(.post_processor.single, .post_processor.pair)[] |=
			if . == "A" then {Sequence: {id: ., type_id: 0}}
			elif . == "B" then {Sequence: {id: ., type_id: 1}}
			else {SpecialToken: {id: ., type_id: 0}} end' \
		"$1"
}
