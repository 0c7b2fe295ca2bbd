# SPDX-License-Identifier: BSD-2-Clause
# The front door. Meson and ninja do the work; this puts in place what they need first.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: build run test verify bench guest-bench soak sel4 sel4-run setup format check-format clean
.PHONY: guest-test fuzz fuzz-smoke fuzz-coverage mutants help sel4-sdk sel4-tests
# In the order in which they are written, under -j too: what is missing is said before anything is
# built. Ninja is parallel by itself.
.NOTPARALLEL:

# Debian's own, whatever else is called python3 on this machine's PATH.
PYTHON := /usr/bin/python3
# "make SETUP=true" leaves the machine's packages alone.
SETUP := ./setup.sh
# How long `make soak` goes on, in seconds.
SOAK_SECONDS := 600

# How many mutants `make mutants` draws.
MUTANTS := 60

# How long `make fuzz` goes on, in seconds for each target.
FUZZ_SECONDS := 3600

# Which of the Microkit's boards, and which build of its kernel: debug, release or benchmark.
BOARD := qemu_virt_aarch64
CONFIG := debug

formatted = $(shell git ls-files '*.c' '*.h')

build: setup ## Build everything (the default): the sddf command is build/sddf
	@test -f build/build.ninja || meson setup build
	@ninja -C build

run: build ## Run the echo system for ten seconds and compare it with Linux (SDDF_RUN_SECONDS=3)
	@$(PYTHON) bench/run.py

test: ## Run every test: unit, sanitizers, real packets, cross builds
	@$(SETUP) --sel4 --debug --verify --guest
	@tests/run

verify: build ## Prove and model-check the code: a table of what was checked
	@$(SETUP) --verify
	@verify/run

bench: build ## Measure the queue, notifications and budgets, and run all experiments in short (root)
	@build/bench/queue
	@build/bench/ipc
	@build/bench/budget
	@build/sddf bench --quick all

guest-bench: build ## Count instructions per packet in a guest: the kernel's stack, DPDK, this system
	@$(SETUP) --guest
	@$(PYTHON) bench/guest/run.py

soak: build ## Start and stop the echo system 1000 times, run the tests for SOAK_SECONDS=600, give cards back
	@$(SETUP) --guest
	@SDDF_CYCLES=1000 tests/run system -k cycles
	@end=$$((SECONDS + $(SOAK_SECONDS))); \
	while [ $$SECONDS -lt $$end ]; do \
		tests/run || exit; \
		echo "soak: $$(($$end > SECONDS ? $$end - SECONDS : 0)) s left"; \
	done
	@SDDF_GUEST_CYCLES=1000 SDDF_GUEST_KILLS=100 tests/run guest -k test_take

fuzz-smoke: setup ## Fuzz every component among hostile neighbours, and every parser, in short
	@verify/fuzz/run smoke
	@verify/fuzz/run bugs --seconds 60

fuzz: setup ## The same for FUZZ_SECONDS=3600 each, and keep what is new in build-fuzz/corpus
	@verify/fuzz/run long --seconds $(FUZZ_SECONDS)

mutants: setup ## Put MUTANTS=60 small mistakes into the code, and say which nobody finds (SEED=N)
	@verify/mutants/run --count $(MUTANTS) $(if $(SEED),--seed $(SEED))

fuzz-coverage: ## Say what of each component the fuzz targets' corpora reach
	@$(SETUP) --verify
	@verify/fuzz/run coverage

sel4: sel4-sdk sel4-tests build ## Boot the echo system on seL4 in QEMU, and test it (BOARD=..., CONFIG=release)
	@BOARD='$(BOARD)' CONFIG='$(CONFIG)' tests/run sel4 -k on_sel4

sel4-run: sel4-sdk build ## The same, left running: console here, services on loopback ports
	@platform/microkit/boot.py --board '$(BOARD)' --config '$(CONFIG)'

# Before anything is built or installed: without an SDK there is nothing to do.
sel4-sdk:
	@platform/microkit/build.py --board '$(BOARD)' --config '$(CONFIG)' --check
	@$(SETUP) --sel4

sel4-tests:
	@platform/microkit/build.py --board '$(BOARD)' --config '$(CONFIG)' --check --tests

guest-test: ## Boot a guest with an IOMMU and real drivers in it, and test these (1 to 2 minutes)
	@$(SETUP) --guest
	@tests/run guest

setup: ## Install what is missing of Debian's packages, and lwIP's source
	@$(SETUP)

format: ## Format the sources with clang-format
	@clang-format -i $(formatted)

check-format: ## Say which sources clang-format would change
	@clang-format --dry-run --Werror $(formatted)

clean: ## Remove everything that was built (lwIP's source stays)
	@rm -rf build build-clang build-asan build-tsan build-fuzz build-sel4-* build-cross-* .pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
