# jiesu: build, test and measure. `make help` lists what there is.
#
# Every folder of engine/ and classifiers/ becomes one static library, and a test links only its own
# floor and those beneath it, so an upward call does not link. Variants (compiler, sanitizer, allocator)
# live in build trees of their own: `make CC=clang B=build/clang`, `make asan`.

B ?= build
CC = gcc
CXX = g++
MALLOC ?= jemalloc
SAN ?=
ifneq ($(SAN),)
  # The sanitizers bring an allocator of their own.
  override MALLOC := libc
endif
OPT ?= -O2
PREFIX ?= /usr/local
DATA ?= ../shared/data
SWEEP_SIZES ?= 10000,100000,1000000
RELOAD_SECONDS ?= 60
VERSION := 0.1.0
# `make V=1` shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

WARN := -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS := -I. -I$(B)/gen -D_GNU_SOURCE -DJIESU_VERSION='"$(VERSION)"' -DJIESU_MALLOC='"$(MALLOC)"' \
            -DJIESU_SHARE='"$(PREFIX)/share/jiesu"'
CFLAGS := -std=c17 $(OPT) -g -fno-omit-frame-pointer -fstack-protector-strong $(WARN)
CXXFLAGS := -std=c++17 $(OPT) -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Werror
LDFLAGS :=
LDLIBS := -luv -lhiredis -lpcre2-16 -lyaml -llinear -lsqlite3 -lsimdjson -lxxhash -lcurl -lcrypto -lstdc++ -lpthread -lm
ifneq ($(SAN),)
  # Not every sanitizer tells the source that it is there.
  CPPFLAGS += -DJIESU_SANITIZED
  CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all
  CXXFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all
  LDFLAGS += -fsanitize=$(SAN)
else
  CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ifeq ($(MALLOC),jemalloc)
  LDLIBS += -ljemalloc
endif
LLHTTP_SRC := /usr/share/llhttp
LLHTTP_INC := /usr/share/include/llhttp
CPPFLAGS += -isystem $(LLHTTP_INC)

# With other flags (MALLOC, PREFIX, OPT, CC) all is built anew: what they were stands in a file.
FLAGS := $(CC) $(CXX) $(CPPFLAGS) $(CFLAGS) $(CXXFLAGS) $(LDFLAGS) $(LDLIBS)
$(shell mkdir -p $(B))
ifneq ($(file <$(B)/.flags),$(FLAGS))
  $(file >$(B)/.flags,$(FLAGS))
endif

# Floors from the top down: the order in which the libraries are linked.
ROOMS := engine/app engine/api engine/http engine/store engine/model classifiers engine/base
lib = $(B)/lib/$(subst /,-,$(1)).a
csrc = $(sort $(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(B)/%.o,$(call csrc,$(1))) $(patsubst %.cc,$(B)/%.o,$(wildcard $(1)/*.cc))
LIBS := $(foreach r,$(ROOMS),$(call lib,$(r)))

all: $(B)/jiesu bench-tools ## build build/jiesu and the load tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

# Set-up: quiet and fast when nothing is missing.
$(B)/.bootstrap: scripts/bootstrap.sh
	@scripts/bootstrap.sh
	@mkdir -p $(B) && touch $@

$(B)/gen/text_table.h: $(B)/classifiers/gen/text_table scripts/make-text-table.sh
	@mkdir -p $(@D)
	$(call say,gen,$@)
	$(Q)scripts/make-text-table.sh $< > $@.tmp && mv $@.tmp $@

$(B)/classifiers/gen/text_table: classifiers/gen/text_table.c | $(B)/.bootstrap
	@mkdir -p $(@D)
	$(call say,gen,$@)
	$(Q)$(CC) -std=c17 -O1 $(WARN) -I. -D_GNU_SOURCE -o $@ $< -lutf8proc

$(B)/gen/functions_lua.h: engine/store/functions.lua scripts/embed.sh | $(B)/.bootstrap
	@mkdir -p $(@D)
	$(call say,gen,$@)
	$(Q)scripts/embed.sh functions_lua $< > $@.tmp && mv $@.tmp $@

# Who includes a generated header waits for it.
$(call objs,classifiers) $(call objs,tests/classifiers): | $(B)/gen/text_table.h
$(foreach d,engine/app tests/store tests/app bench/shared,$(call objs,$(d))): | $(B)/gen/functions_lua.h

$(B)/%.o: %.c $(B)/.flags | $(B)/.bootstrap
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.o: %.cc $(B)/.flags | $(B)/.bootstrap
	@mkdir -p $(@D)
	$(call say,c++,$<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# llhttp comes as generated C source in a package; it is compiled strict, without our warnings.
$(B)/llhttp/%.o: $(LLHTTP_SRC)/%.c $(B)/.flags | $(B)/.bootstrap
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) -std=c17 $(OPT) -g -DLLHTTP_STRICT_MODE=1 -isystem $(LLHTTP_INC) \
	  $(if $(SAN),-fsanitize=$(SAN)) -w -c -o $@ $<
$(LLHTTP_SRC)/%.c: | $(B)/.bootstrap ;

define room_rule
$(call lib,$(1)): $(call objs,$(1)) $(if $(filter engine/http,$(1)),$(B)/llhttp/api.o $(B)/llhttp/http.o $(B)/llhttp/llhttp.o)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rule,$(r))))

# The commands are a library too, all but main: the load and failure tools use what reads their data.
CLI := $(B)/lib/engine-cli.a
$(CLI): $(filter-out %/main.o,$(call objs,engine/cli))
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/jiesu: $(B)/engine/cli/main.o $(CLI) $(LIBS)
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Tests: tests/<room>/test_*.c, each a cmocka program; tests/<room>/support*.c are shared by that room, and
# by those that name it in supports_<room>.
below_base := engine/base
below_classifiers := classifiers engine/base
below_model := engine/model $(below_classifiers)
below_http := engine/http engine/base
below_store := engine/store engine/http $(below_model)
below_api := engine/api engine/http engine/store $(below_model)
below_app := $(ROOMS)
supports_app := store
TEST_ROOMS := base classifiers model http store api app
TESTS := $(foreach r,$(TEST_ROOMS),$(patsubst %.c,$(B)/%,$(wildcard tests/$(r)/test_*.c)))

define test_rule
$(B)/tests/$(1)/test_%: $(B)/tests/$(1)/test_%.o $(patsubst %.c,$(B)/%.o,$(foreach r,$(1) $(supports_$(1)),$(wildcard tests/$(r)/support*.c))) $(foreach r,$(below_$(1)),$(call lib,$(r)))
	$$(call say,link,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) -lcmocka $$(LDLIBS)
test-$(1): $(patsubst %.c,$(B)/%,$(wildcard tests/$(1)/test_*.c))
	@B=$(B) scripts/run-tests.sh $$^
endef
$(foreach r,$(TEST_ROOMS),$(eval $(call test_rule,$(r))))
# It speaks TLS to the sender.
$(B)/tests/http/test_sender: LDLIBS += -lssl
.SECONDARY:

# Those that measure against Hyperscan are built by their own targets: nothing else needs it.
PEER_TOOLS := $(B)/bench/match $(B)/bench/classify
BENCH_TOOLS := $(filter-out $(PEER_TOOLS),$(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c)))
bench-tools: $(BENCH_TOOLS)
BENCH_SHARED := $(patsubst %.c,$(B)/%.o,$(wildcard bench/shared/*.c))
$(B)/bench/ceiling $(B)/bench/lifecycle $(B)/bench/sweep: $(BENCH_SHARED)
$(B)/bench/%: $(B)/bench/%.o $(CLI) $(LIBS)
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

$(B)/.bootstrap-bench: scripts/bootstrap.sh
	@scripts/bootstrap.sh build bench
	@mkdir -p $(B) && touch $@
$(PEER_TOOLS): $(patsubst %.c,$(B)/%.o,$(wildcard bench/matchers/*.c))
$(PEER_TOOLS:=.o) $(patsubst %.c,$(B)/%.o,$(wildcard bench/matchers/*.c)): | $(B)/.bootstrap-bench
$(PEER_TOOLS): LDLIBS += -lhs -lpcre2-8
# It sees the literals that a rule set's matcher is built of.
$(B)/bench/classify: LDFLAGS += -Wl,--wrap=keywords_add

CHAOS := $(B)/tests/chaos/chaos
$(CHAOS): $(patsubst %.c,$(B)/%.o,$(wildcard tests/chaos/*.c)) $(CLI) $(LIBS)
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What the system test of the webhooks posts to.
RECEIVER := $(B)/tests/system/hook_receiver
$(RECEIVER): $(RECEIVER).o $(CLI) $(LIBS)
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Fuzzers: tests/fuzz/fuzz_*.c, built by tests/fuzz/run.sh with clang into a tree of their own.
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(CLI) $(LIBS)
	$(call say,link,$@)
	$(Q)$(CXX) $(LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

demo: $(B)/jiesu ## end to end with simulated residents and grid workers; ends by itself
	$(B)/jiesu demo --rules rules

run: $(B)/jiesu ## serve on 127.0.0.1:8080 until stopped
	$(B)/jiesu serve --rules rules --examples yes

test: $(B)/jiesu bench-tools $(CHAOS) $(RECEIVER) $(TESTS) ## every test: unit, property, system
	@B=$(B) DATA=$(DATA) scripts/run-tests.sh $(TESTS) $(sort $(wildcard tests/system/test_*.sh))

check: all ## format, floors, headers, cppcheck, clang-tidy
	@B=$(B) scripts/check.sh

bench: $(B)/jiesu bench-tools ## every figure of README: end to end, ceiling, peer, matching, classifying, lives, warnings
	@B=$(B) DATA=$(DATA) bench/run.sh
	@$(MAKE) --no-print-directory bench-match bench-classify bench-lifecycle bench-sweep

bench-lifecycle: $(B)/jiesu $(B)/bench/lifecycle ## whole lives of orders a second, against bare Redis
	$(B)/bench/lifecycle --data $(DATA)/complaints_unlabelled.tsv --out $(B)/bench/lifecycle.json

bench-sweep: $(B)/jiesu $(B)/bench/sweep ## how late two engines warn, with SWEEP_SIZES orders open
	$(B)/bench/sweep --sizes $(SWEEP_SIZES) --out $(B)/bench/sweep.json

bench-match: $(B)/bench/match ## finding keywords, against Hyperscan and others
	$(B)/bench/match --data $(DATA)/complaints_unlabelled.tsv --out $(B)/bench/match.json

bench-classify: $(B)/bench/classify ## classifying with all rules, against Hyperscan's mere scan
	$(B)/bench/classify --data $(DATA)/complaints_unlabelled.tsv --out $(B)/bench/classify.json

chaos: $(B)/jiesu $(CHAOS) ## kill, freeze, cut and fill for 30 rounds; nothing may be lost
	@B=$(B) DATA=$(DATA) tests/chaos/run.sh

fuzz: ## each parser's fuzzer for FUZZ_SECONDS (60)
	@tests/fuzz/run.sh

asan: ## the tests under AddressSanitizer and LeakSanitizer
	@$(MAKE) --no-print-directory B=build/asan SAN=address OPT=-O1 test

ubsan: ## the tests under UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory B=build/ubsan SAN=undefined OPT=-O1 test

tsan: ## the tests under ThreadSanitizer
	@$(MAKE) --no-print-directory B=build/tsan SAN=thread OPT=-O1 test

soak-reload: ## reloads under load for RELOAD_SECONDS (60): plain, ASan and TSan
	@$(MAKE) --no-print-directory soak-reload-here
	@$(MAKE) --no-print-directory B=build/asan SAN=address OPT=-O1 soak-reload-here
	@$(MAKE) --no-print-directory B=build/tsan SAN=thread OPT=-O1 soak-reload-here
# Only the engine is built for it. What is not the load takes seconds, under a sanitizer some more.
soak-reload-here: $(B)/jiesu
	@B=$(B) RELOAD_SECONDS=$(RELOAD_SECONDS) TEST_TIMEOUT=$$(($(RELOAD_SECONDS) + 180)) \
	  scripts/run-tests.sh tests/system/test_reload.sh
	@tail -n 1 $(B)/test-logs/system-test_reload.log

install: $(B)/jiesu ## to PREFIX (/usr/local), under DESTDIR; rules that are there are kept
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/jiesu
	install -m 755 $(B)/jiesu $(DESTDIR)$(PREFIX)/bin/jiesu
	@scripts/install-rules.sh rules $(DESTDIR)$(PREFIX)/share/jiesu

clean: ## remove what was built
	rm -rf build

-include $(shell find $(B) -name '*.d' -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: all help bench-tools demo run test check bench bench-match bench-classify bench-lifecycle bench-sweep chaos fuzz asan ubsan tsan soak-reload \
        soak-reload-here install clean \
        $(addprefix test-,$(TEST_ROOMS))
