# evox-mlir - the commands
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

BUILD := build
# A virtual environment to use in place of .venv.
EVOX_VENV ?= .venv
export EVOX_VENV

.DEFAULT_GOAL := help
.PHONY: help setup configure build demo check check-fast check-aarch64 \
  runtime-aarch64 conformance benchmark format clean

help:
	@echo "make build      the tools into build/bin, the Python package into .venv"
	@echo "make demo       EvoX's PSO as a shared library, beside PyTorch"
	@echo "make check      every test, and the sanitizers"
	@echo "make check-fast every test, without the sanitizers"
	@echo "make check-aarch64  programs for aarch64, in QEMU; sets up what they need"
	@echo "make conformance  all of PyTorch's operator tests; ARGS=--update for a new table"
	@echo "make benchmark  docs/performance.md, on an idle machine; ARGS=--quick for less"
	@echo "make format     clang-format over the C and C++ sources"
	@echo "make clean      removes the build folders"

setup:
	@scripts/setup.sh

# CMake runs again only when its command line would differ.
configure: setup
	@scripts/configure.sh release $(BUILD)

build: configure
	@cmake --build $(BUILD)

demo: build
	@$(EVOX_VENV)/bin/python examples/demo/demo.py

check: build
	@$(EVOX_VENV)/bin/python scripts/check.py --build $(BUILD)

check-fast: build
	@$(EVOX_VENV)/bin/python scripts/check.py --build $(BUILD) --skip asan

# What `evox-compile --triple=aarch64-linux-gnu` links.
runtime-aarch64: configure
	@scripts/setup.sh aarch64
	@cmake --build $(BUILD) --target EvoxRuntimeAArch64

check-aarch64: build
	@scripts/setup.sh aarch64
	@cmake --build $(BUILD) --target evox-aarch64
	@EVOX_TOOLS_DIR=$(CURDIR)/$(BUILD)/bin OMP_NUM_THREADS=1 \
	  EVOX_AARCH64_DIR=$(CURDIR)/$(BUILD)/test/aarch64 \
	  EVOX_AARCH64_SYSROOT=$(CURDIR)/build/aarch64-sysroot \
	  $(EVOX_VENV)/bin/python -m pytest -q test/aarch64

# The numbers do not depend on the machine; the side table is expected.json.
conformance: build
	@EVOX_TOOLS_DIR=$(CURDIR)/$(BUILD)/bin OMP_NUM_THREADS=1 \
	  $(EVOX_VENV)/bin/python test/conformance/run.py --docs $(ARGS)
	@EVOX_TOOLS_DIR=$(CURDIR)/$(BUILD)/bin OMP_NUM_THREADS=1 EVOX_VIEW_CASES=2000 \
	  $(EVOX_VENV)/bin/python -m pytest -q test/e2e/test_views_hypothesis.py

# Takes some 12 minutes of a machine that does nothing else.
benchmark: build
	@EVOX_TOOLS_DIR=$(CURDIR)/$(BUILD)/bin \
	  $(EVOX_VENV)/bin/python benchmarks/run.py --jax $(BUILD)/jax \
	  --results $(BUILD)/benchmark/results.json $(ARGS)

format:
	@git ls-files '*.c' '*.h' '*.cpp' | \
	  xargs -r $$(command -v clang-format-22 || echo clang-format) -i

clean:
	rm -rf $(BUILD) $(BUILD)-asan
