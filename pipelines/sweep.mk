# Sweep settings and print one table:
#
#	make -f pipelines/sweep.mk -j2
#	make -f pipelines/sweep.mk NGRAMS="3 5" LR="10 25" DATA=pairs.csv.gz
#
# A setting is a target: what is there already is not made again.
NGRAMS ?= 1 3 5
LR ?= 5 25
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
reports := $(settings:%=$(OUT)/%.json)
comma := ,
# of,NAME: the value of a setting in the target's name.
of = $(patsubst $(1)=%,%,$(filter $(1)=%,$(subst $(comma), ,$*)))

.PHONY: table
.SECONDARY:
.DELETE_ON_ERROR:

table: $(reports)
	@for f in $(reports); do \
		tr '{},' '\n' < $$f | awk -v name="$$(basename $$f .json)" ' \
		/^ *"(accuracy|log_loss)":/ { sub(/.*: */, ""); v[++n] = $$0 } \
		END { printf "%-28s  %8.4f  %8.4f\n", name, v[1], v[2] }'; \
	done | awk 'BEGIN { printf "%-28s  %8s  %8s\n", "settings", \
		"accuracy", "log loss" } { print }'

$(OUT)/groups.rms: $(DATA)
	mkdir -p $(OUT)
	rm-tokenize -q -o $@ $<

$(OUT)/%.json: $(OUT)/groups.rms
	rm-pair -q --split-seed $(call of,seed) --take train $< | \
	    rm-train -q -@ 1 --backbone bag:ngrams=$(call of,ngrams) \
	    --lr $(call of,lr) -o $(OUT)/$*
	rm-pair -q --split-seed $(call of,seed) --take test $< | \
	    rm-score -q -@ 1 -m $(OUT)/$* | rm-eval --format json > $@
