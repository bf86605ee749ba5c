# Every loss and every head on real preferences that were held out, one table:
#
#	make -f pipelines/objectives.mk -j2
#	make -f pipelines/objectives.mk -j2 BASE=all-MiniLM-L6-v2 PAIRS=1000
#
# Losses and heads that need no more than one row a text stand on the n-gram
# model and learn arena's RATINGS, a dozen responses a prompt, whole.  What
# needs a row a token stands on the transformer BASE and learns PAIRS of
# convarg.  A row is a target: what is there already is not made again.
RM_DATA ?= ../shared/data
BASE ?= $(RM_DATA)/models/jammi_tiny_bert
PAIRS ?= 400
RATINGS ?= 300
OUT ?= build/objectives
RM_BIN ?= bin
export PATH := $(RM_BIN):$(PATH)
SHELL = /bin/bash
.SHELLFLAGS = -eu -o pipefail -c

list = $(shell PATH=$(PATH) rm-train --$(1) list | grep -o '^[a-z][a-z-]*')
losses := $(filter-out uncertainty,$(call list,loss))
heads := $(filter-out linear native uncertainty gated hierarchical,\
	$(call list,head))
pools := first last mean max attention
encodings := separate cross

# What a row learns from, and rm-train's options for it.
data = $(or $(data.$*),arena)
options = $(or $(options.$*),$(error no options for $*))
keys = $(if $(filter multi multitask gated,$(1)),:objectives=quality$(comma)brevity)
comma := ,

$(foreach l,$(losses),$(eval options.loss-$l = --loss $l))
$(foreach h,$(heads),$(eval options.head-$h = --head $h$(call keys,$h)))
$(foreach h,multi multitask,\
	$(eval options.head-$h += --loss multitask:weights=1/.1))
options.loss-multitask = --loss multitask:learned=yes
options.loss-uncertainty = --head uncertainty --loss uncertainty:form=gaussian
options.length = --loss bt:length=1
options.center = --loss bt:center=.01
options.l2 = --loss bt:l2=1e-3
ngrams := $(losses:%=loss-%) loss-uncertainty length center l2 \
	$(heads:%=head-%)

on = -b $(BASE) --epochs 1 --lr 1e-4
options.base-native = $(on)
options.base-mlp = $(on) --head mlp:hidden=64
options.base-hierarchical = $(on) --head hierarchical:levels=3
options.base-uncertainty = $(on) --head uncertainty \
	--loss uncertainty:form=gaussian
options.base-gated = $(on) --head gated:objectives=first$(comma)second
$(foreach p,$(pools),$(eval options.base-$p = $$(on) --head linear:pool=$p))
$(foreach e,$(encodings),\
	$(eval options.base-$e = $$(on) --head linear:encoding=$e))
tokens := base-native $(pools:%=base-%) $(encodings:%=base-%) \
	base-mlp base-hierarchical base-uncertainty base-gated
$(foreach r,$(tokens),$(eval data.$r = some))

# The facts that the words below the table are of.
options.soft = --loss bt
options.hard = --loss bt
options.unsure = --head uncertainty --loss uncertainty:form=gaussian
options.teacher = -b $(BASE) --lr 1e-4 --epochs 1
options.labels = --loss bt
options.student = --loss distill
data.soft = soft
data.hard = hard
data.unsure = soft
data.teacher = some
data.labels = words
data.student = taught
facts := soft hard unsure teacher labels student

reports := $(patsubst %,$(OUT)/%.tsv,$(ngrams) $(tokens) $(facts))

.PHONY: table
.SILENT:
.SECONDARY:
.DELETE_ON_ERROR:

table: $(reports) $(OUT)/words
	@awk -F '\t' ' \
		BEGIN { n = split("accuracy log_loss ece spearman", want, " "); \
			printf "%-22s", "row"; \
			for (i = 1; i <= n; i++) printf "%10s", want[i]; \
			printf "%10s\n", "seconds" } \
		function row() { if (name == "") return; \
			printf "%-22s", name; \
			for (i = 1; i <= n; i++) \
				printf "%10s", want[i] in v ? \
					sprintf("%.4f", v[want[i]]) : "-"; \
			printf "%10s\n", time; delete v } \
		FNR == 1 { row(); name = FILENAME; sub(/.*\//, "", name); \
			sub(/.tsv$$/, "", name) } \
		$$1 == "seconds" { time = $$2 } \
		$$1 == "*" && $$3 != "" { v[$$2] = $$3 } END { row() }' \
		$(reports)
	@cat $(OUT)/words

# ---- data ----

# Ratings with two grades a response, and a teacher's rewards.
$(OUT)/ratings.rms: $(RM_DATA)/arena/ratings.jsonl.gz
	mkdir -p $(OUT)
	zcat $< | awk 'NR <= $(RATINGS)' | jq -c '.quality = .scores' | \
	    jq -c '.brevity = (.responses | map(-(length + 1 | log)))' | \
	    rm-tokenize -q --attributes quality,brevity > $(OUT)/bare.rms
	rm-pair -q --take train $(OUT)/bare.rms | \
	    rm-train -q --force -o $(OUT)/first
	rm-score -q --keep-ids --field teacher -m $(OUT)/first -o $@ \
	    $(OUT)/bare.rms

$(OUT)/arena.train: $(OUT)/ratings.rms
	rm-pair -q --as list --split train=.8,test=.2 --take train -o $@ $<

$(OUT)/arena.test: $(OUT)/ratings.rms
	rm-pair -q --as list --split train=.8,test=.2 --take test -o $@ $<

topics = --split train=.8,test=.2 --split-by subset --take

$(OUT)/soft.rms: $(RM_DATA)/convarg/pairs.jsonl.gz
	mkdir -p $(OUT)
	rm-tokenize -q --keep-text -o $@ $<

$(OUT)/soft.train $(OUT)/soft.test: $(OUT)/soft.%: $(OUT)/soft.rms
	rm-pair -q $(topics) $* -o $@ $<

# A stream is text for as long as it takes to edit it.
$(OUT)/hard.train: $(OUT)/soft.train
	rm-view --header $< | sed 's/"p":[^,}]*/"p":1/' | rm-view -S -o $@

$(OUT)/some.rms: $(RM_DATA)/convarg/pairs.jsonl.gz
	mkdir -p $(OUT)
	rm-tokenize -q --keep-text -t $(BASE) -o $@ $<

$(OUT)/some.train $(OUT)/some.test: $(OUT)/some.%: $(OUT)/some.rms
	rm-pair -q $(topics) $* --shuffle --limit $(PAIRS) -o $@ $<

# Pairs that the teacher grades, and their texts for the student's tokenizer.
$(OUT)/words.train: $(OUT)/soft.train
	rm-pair -q --shuffle --limit $(PAIRS) -o $@ $<

$(OUT)/taught.train: $(OUT)/soft.train $(OUT)/teacher.tsv
	rm-pair -q $(topics) train $(OUT)/some.rms | \
	    rm-score -q -m $(OUT)/teacher --field teacher | rm-view | \
	    jq -c '.prompt = .prompt_text | .responses = .response_texts' | \
	    jq -c '{ id, prompt, responses, teacher }' | \
	    rm-tokenize -q -o $@

$(OUT)/hard.test $(OUT)/words.test $(OUT)/taught.test: $(OUT)/soft.test
	ln -sf $(<F) $@

# ---- rows ----

.SECONDEXPANSION:
$(OUT)/%.tsv: $$(OUT)/$$(data).train $$(OUT)/$$(data).test
	echo "$*: rm-train $(options)" >&2
	TIMEFORMAT=$$'seconds\t%R'; { time rm-train -q --force -@ 1 $(options) \
	    -o $(OUT)/$* $(OUT)/$(data).train; } 2> $(OUT)/$*.time || \
	    { cat $(OUT)/$*.time >&2; exit 1; }
	rm-score -q -@ 1 -m $(OUT)/$* -o $(OUT)/$*.scores $(OUT)/$(data).test
	rm-eval --format tsv $(OUT)/$*.scores > $@
	tail -n 1 $(OUT)/$*.time >> $@

# ---- the facts in words ----

figure = $$(awk -F '\t' '$$1 == "*" && $$2 == "$(2)" \
	{ printf "%.4f", $$3 }' $(OUT)/$(1).tsv)

$(OUT)/words: $(reports)
	{ echo; \
	echo "Soft labels against hard ones, convarg by topic, log-loss:" \
	    "$(call figure,soft,log_loss) and $(call figure,hard,log_loss)"; \
	echo "Whole orders (plackett-luce) against pairs (bt), arena," \
	    "accuracy: $(call figure,loss-plackett-luce,accuracy) and" \
	    "$(call figure,loss-bt,accuracy)"; \
	echo "Uncertainty and disagreement of annotators, convarg, Spearman:" \
	    "$$(rm-eval --format json $(OUT)/unsure.scores | \
	    jq '.disagreement.spearman * 1e4 | round / 1e4')"; \
	echo "A student of n-grams that the fine-tuned transformer taught on" \
	    "all pairs, accuracy: $(call figure,student,accuracy); the same" \
	    "student on labels of $(PAIRS) pairs, as many as the teacher" \
	    "had: $(call figure,labels,accuracy); the teacher:" \
	    "$(call figure,teacher,accuracy)"; } > $@
