# Sweep settings and print one table:
#
#	make -f pipelines/sweep.mk -j2
#	make -f pipelines/sweep.mk NGRAMS="3 5" LR=".001 .003" DATA=pairs.csv.gz
#
# A setting is a target: what is there already is not made again.
NGRAMS ?= 1 3 5
LR ?= .0003 .001
SEEDS ?= 1 2
RM_DATA ?= ../shared/data
DATA ?= $(RM_DATA)/humour/pairs.csv.gz
OUT ?= build/sweep
RM_BIN ?= bin
export PATH := $(RM_BIN):$(PATH)
SHELL = /bin/bash
.SHELLFLAGS = -eu -o pipefail -c

settings := $(foreach n,$(NGRAMS),$(foreach l,$(LR),$(foreach s,$(SEEDS),\
	ngrams=$(n),lr=$(l),seed=$(s))))
reports := $(settings:%=$(OUT)/%.tsv)
comma := ,
# of,NAME: the value of a setting in the target's name.
of = $(patsubst $(1)=%,%,$(filter $(1)=%,$(subst $(comma), ,$*)))

.PHONY: table
.SECONDARY:
.DELETE_ON_ERROR:

table: $(reports)
	@awk -F '\t' ' \
		NR == 1 { printf "%-28s  %8s  %8s\n", "settings", \
			"accuracy", "log loss" } \
		FNR == 1 { name = FILENAME; sub(/.*\//, "", name); \
			sub(/.tsv$$/, "", name) } \
		$$2 == "accuracy" { accuracy = $$3 } \
		$$2 == "log_loss" { printf "%-28s  %8.4f  %8.4f\n", name, \
			accuracy, $$3 }' $(reports)

$(OUT)/groups.rms: $(DATA)
	mkdir -p $(OUT)
	rm-tokenize -q -o $@ $<

$(OUT)/%.tsv: $(OUT)/groups.rms
	rm-pair -q --split-seed $(call of,seed) --take train $< | \
	    rm-train -q -@ 1 --backbone bag:ngrams=$(call of,ngrams) \
	    --lr $(call of,lr) -o $(OUT)/$*
	rm-pair -q --split-seed $(call of,seed) --take test $< | \
	    rm-score -q -@ 1 -m $(OUT)/$* | rm-eval \
	    --metrics accuracy,log_loss --format tsv > $@
