# rmtools: reward modelling for the Unix shell.  `make help` lists the targets.

-include config.mk

# As many jobs as processors, unless told otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
# One short line a file; V=1 shows the commands, -s nothing.
Q = $(if $(V),,@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,echo "  $(1) $@";))

PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC = gcc
endif
OPT ?= -O3 -g
SANITIZE ?=
BUILD ?= build$(if $(SANITIZE),/san)
# Built tools stand in bin/; a sanitized build keeps its own.
BIN ?= $(if $(SANITIZE),$(BUILD)/bin,bin)
VERSION := $(shell sed -n 's/^\#define RM_VERSION "\(.*\)"/\1/p' lib/base.h)

WARN = -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wvla
SAN = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined)
ALL_CFLAGS = -std=c11 $(OPT) $(WARN) -fopenmp -fno-math-errno -D_GNU_SOURCE \
	-Ilib -I$(BUILD)/gen $(SAN) $(CFLAGS)
ALL_LDFLAGS = -fopenmp $(SAN) -Wl,--as-needed $(LDFLAGS)
# oneDNN multiplies in bf16 where the processor can; `make ONEDNN=` leaves it out.
ONEDNN ?= $(if $(wildcard /usr/include/dnnl.h /usr/include/*/dnnl.h \
	/usr/local/include/dnnl.h),-ldnnl)
ALL_CFLAGS += $(if $(ONEDNN),-DRM_ONEDNN)
LIBS = $(ONEDNN) -lcsv -ljansson -lmsgpackc -lopenblas -lpcre2-8 -lutf8proc -lxxhash \
	-lz -lzstd -lm
export RM_BIN := $(abspath $(BIN))
export BUILD ONEDNN
export RM_SANITIZE := $(SANITIZE)

TOOLS := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
LIB_SRC := $(wildcard lib/*.c lib/*/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
# The numerics once more in double, for the gradient checks.
NUMERIC := tensor gemm lora op nn attention loss optim batch backbone encoder \
	head
DOUBLE_SRC := $(foreach m,$(NUMERIC),$(wildcard lib/$(m).c lib/$(m)/*.c))
DOUBLE_OBJ := $(DOUBLE_SRC:%.c=$(BUILD)/double/%.o) $(filter-out \
	$(DOUBLE_SRC:%.c=$(BUILD)/%.o),$(LIB_OBJ))
# Folders of drop-in parts; a table of each is generated.
DROP_IN := $(patsubst lib/%/,%,$(wildcard lib/*/))
TABLES := $(DROP_IN:%=$(BUILD)/gen/%_table.h)
TEST_SRC := $(wildcard tests/lib/*.c)
TEST_BIN := $(TEST_SRC:tests/lib/%.c=$(BUILD)/tests/%)
# Tests named *_double.c link the double build.
LIBRM = $(BUILD)/librm.a

.PHONY: all deps demo check check-long lint bench fuzz install uninstall clean help
.DELETE_ON_ERROR:

all: deps ## build the tools into bin/ (the default)
	@$(MAKE) --no-print-directory tools

.PHONY: tools
tools: $(TOOLS:%=$(BIN)/%) $(LIBRM)
	@:

deps: ## install the Debian packages that are missing, or say how
	@mk/deps.sh

demo: all ## the whole pipeline on generated preferences, in two minutes
	@pipelines/demo.sh

check: ## build and run all tests; ends in "N passed, N failed"
	@mk/deps.sh check
	@$(MAKE) --no-print-directory tools tests
	@mk/check.sh

check-long: ## the tests that take longer than `make check` may
	@mk/deps.sh check
	@$(MAKE) --no-print-directory tools tests
	@RM_LONG=1 mk/check.sh

.PHONY: tests
tests: $(TEST_BIN)
	@:

lint: ## clang-tidy, cppcheck, layer order, banned functions, man pages
	@mk/deps.sh lint
	@$(MAKE) --no-print-directory $(TABLES)
	@mk/lint.sh

bench: ## one table beside the peers, and build/bench.json (ONLY=NAME)
	@mk/deps.sh bench
	@$(MAKE) --no-print-directory tools
	+@tests/bench/run.sh $(ONLY)

fuzz: ## the stored corpus and random damage through every parser
	@$(MAKE) --no-print-directory SANITIZE=address,undefined tools tests
	+@tests/fuzz/run.sh

$(BUILD)/gen/%_table.h: $(wildcard lib/*/*.c) mk/table.sh Makefile
	@mkdir -p $(@D)
	@mk/table.sh $* > $@

$(BUILD)/lib/%.o: lib/%.c | $(TABLES)
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/double/lib/%.o: lib/%.c | $(TABLES)
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(ALL_CFLAGS) -DRM_DOUBLE -MMD -MP -c -o $@ $<

$(BUILD)/tools/%.o: tools/%.c | $(TABLES)
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIBRM): $(LIB_OBJ)
	@rm -f $@
	$(call Q,AR)$(AR) rcs $@ $^

$(BUILD)/librm-double.a: $(DOUBLE_OBJ)
	@rm -f $@
	$(call Q,AR)$(AR) rcs $@ $^

$(BIN)/%: $(BUILD)/tools/%.o $(LIBRM)
	@mkdir -p $(@D)
	$(call Q,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/%_double: tests/lib/%_double.c $(BUILD)/librm-double.a
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(ALL_CFLAGS) -DRM_DOUBLE -MMD -MP $(ALL_LDFLAGS) -o $@ $< \
		$(BUILD)/librm-double.a -lcmocka $(LIBS)

$(BUILD)/tests/%: tests/lib/%.c $(LIBRM)
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIBRM) \
		-lcmocka $(LIBS)

# Programs that benches run.
$(BUILD)/bench/bin/%: tests/bench/%.c $(LIBRM)
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIBRM) $(LIBS)

install: all ## tools, man pages, completions, librm.a (PREFIX=, DESTDIR=)
	@mk/install.sh "$(DESTDIR)" "$(PREFIX)" "$(BIN)" "$(LIBRM)" "$(VERSION)"

uninstall: ## remove what install put there
	@mk/install.sh -u "$(DESTDIR)" "$(PREFIX)" "$(BIN)" "$(LIBRM)" "$(VERSION)"

clean: ## remove everything built
	rm -rf build bin

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(firstword $(MAKEFILE_LIST)) Makefile \
		| sort -u | awk -F'\t' '{ printf "make %-12s %s\n", $$1, $$2 }'

.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(DOUBLE_OBJ:.o=.d) \
	$(TOOLS:%=$(BUILD)/tools/%.d) $(TEST_BIN:%=%.d)
